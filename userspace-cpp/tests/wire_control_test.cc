// SPDX-License-Identifier: GPL-2.0-or-later
//
// Control packets: the layout, byte by byte, and everything a hostile sender may do to it.

#include "wire/control_packet.h"

#include <gtest/gtest.h>

using namespace nfovpn;
using namespace nfovpn::wire;

namespace {

// CONTROL_V1, key ID 2, two ACKs, message ID 7, payload "abc".
const Bytes kControl = {0x22, 1, 2, 3, 4, 5, 6, 7, 8,  2, 0, 0, 0, 5,   0,   0,  0,
                        6,    9, 9, 9, 9, 9, 9, 9, 10, 0, 0, 0, 7, 'a', 'b', 'c'};

} // namespace

TEST(ControlPacket, ParsesEveryField) {
    auto packet = parse_control(kControl);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->opcode, Opcode::ControlV1);
    EXPECT_EQ(packet->key_id, 2);
    EXPECT_EQ(packet->session_id, (SessionId{1, 2, 3, 4, 5, 6, 7, 8}));
    ASSERT_EQ(packet->acks.count, 2U);
    EXPECT_EQ(packet->acks.ids[0], 5U);
    EXPECT_EQ(packet->acks.ids[1], 6U);
    EXPECT_EQ(packet->peer_session_id, (SessionId{9, 9, 9, 9, 9, 9, 9, 10}));
    EXPECT_EQ(packet->message_id, 7U);
    EXPECT_EQ(as_text(packet->payload), "abc");
}

TEST(ControlPacket, BuildIsTheInverseOfParse) {
    auto packet = parse_control(kControl);
    ASSERT_TRUE(packet);
    EXPECT_EQ(build_control(*packet), kControl);
    EXPECT_EQ(control_overhead(2) + 3, kControl.size());
}

TEST(ControlPacket, HardResetHasNoAckAndNoPeerSessionId) {
    const Bytes reset = {0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0};
    auto packet = parse_control(reset);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->opcode, Opcode::HardResetClientV2);
    EXPECT_EQ(packet->acks.count, 0U);
    EXPECT_EQ(packet->message_id, 0U);
    EXPECT_EQ(build_control(*packet), reset);
    EXPECT_EQ(control_overhead(0), reset.size());
}

TEST(ControlPacket, AckHasNoMessageId) {
    const Bytes ack = {0x28, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0, 3, 8, 7, 6, 5, 4, 3, 2, 1};
    auto packet = parse_control(ack);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->opcode, Opcode::AckV1);
    EXPECT_FALSE(packet->message_id);
    EXPECT_EQ(build_control(*packet), ack);

    Bytes longer = ack;
    longer.push_back(0);
    auto refused = parse_control(longer);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), WireError::TrailingBytes);
}

TEST(ControlPacket, TruncatedAtEveryLengthIsRefused) {
    // The payload alone may be shorter: 3 bytes of it.
    for (std::size_t length = 0; length < kControl.size() - 3; length++) {
        auto packet = parse_control(ByteView(kControl).first(length));
        ASSERT_FALSE(packet) << length << " bytes";
        EXPECT_EQ(packet.error(), WireError::Truncated) << length << " bytes";
    }
    for (std::size_t length = kControl.size() - 3; length <= kControl.size(); length++)
        EXPECT_TRUE(parse_control(ByteView(kControl).first(length)));
}

TEST(ControlPacket, OversizedIsRefused) {
    Bytes large = kControl;
    large.resize(kMaxControlPacket);
    EXPECT_TRUE(parse_control(large));
    large.push_back(0);
    auto packet = parse_control(large);
    ASSERT_FALSE(packet);
    EXPECT_EQ(packet.error(), WireError::Oversized);
}

TEST(ControlPacket, EveryFirstByteIsJudged) {
    for (unsigned first = 0; first < 256; first++) {
        Bytes datagram = kControl;
        datagram[0] = static_cast<std::uint8_t>(first);
        unsigned opcode = first >> 3;
        auto packet = parse_control(datagram);
        if (opcode == 3 || opcode == 4 || opcode == 7 || opcode == 8 || opcode >= 10) {
            if (opcode > 11) {
                EXPECT_EQ(packet.error(), WireError::UnknownOpcode);
                continue;
            }
            ASSERT_TRUE(packet) << first;
            EXPECT_EQ(packet->key_id, first & 7);
            continue;
        }
        ASSERT_FALSE(packet) << first;
        if (opcode == 5)
            EXPECT_EQ(packet.error(), WireError::TrailingBytes);
        else if (opcode == 6 || opcode == 9)
            EXPECT_EQ(packet.error(), WireError::NotControl);
        else if (opcode == 0)
            EXPECT_EQ(packet.error(), WireError::UnknownOpcode);
        else
            EXPECT_EQ(packet.error(), WireError::Unsupported);
    }
}

TEST(ControlPacket, MoreAcksThanAnybodySendsAreRefused) {
    for (unsigned count : {9U, 255U}) {
        Bytes datagram = {0x20, 1, 2, 3, 4, 5, 6, 7, 8, static_cast<std::uint8_t>(count)};
        datagram.resize(datagram.size() + 4 * count + 8 + 4);
        auto packet = parse_control(datagram);
        ASSERT_FALSE(packet);
        EXPECT_EQ(packet.error(), WireError::TooManyAcks);
    }
}
