// SPDX-License-Identifier: GPL-2.0-or-later
//
// Frames, and who has which MAC address.

#include "dataplane/ethernet.h"

#include <gtest/gtest.h>

using namespace nfovpn;
using namespace nfovpn::dataplane;
using namespace std::chrono_literals;

namespace {

Bytes mac(std::uint16_t last) {
    return {2, 0, 0, 0, static_cast<std::uint8_t>(last >> 8), static_cast<std::uint8_t>(last)};
}

constexpr TimePoint kNow = TimePoint{} + 1h;

} // namespace

TEST(FrameHeader, IsRead) {
    Bytes frame = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x00};
    auto header = frame_header(frame);
    ASSERT_TRUE(header);
    EXPECT_TRUE(header->to_group());
    EXPECT_TRUE(header->is_ip());
    EXPECT_EQ(header->source[5], 1);
    frame[0] = 2;
    frame[13] = 6;
    header = frame_header(frame);
    ASSERT_TRUE(header);
    EXPECT_FALSE(header->to_group());
    EXPECT_FALSE(header->is_ip()) << "ARP";
    EXPECT_FALSE(frame_header(ByteView(frame).first(13))) << "cut short";
    frame[6] = 3;
    EXPECT_FALSE(frame_header(frame)) << "from a group";
}

TEST(MacTable, LearnsAndForgets) {
    MacTable table;
    table.learn(mac(1), 7, kNow);
    EXPECT_EQ(table.find(mac(1), kNow), 7U);
    EXPECT_FALSE(table.find(mac(2), kNow));
    table.learn(mac(1), 8, kNow + 1s);
    EXPECT_EQ(table.find(mac(1), kNow + 1s), 8U) << "it has moved";
    EXPECT_EQ(table.find(mac(1), kNow + MacTable::kAge), 8U);
    EXPECT_FALSE(table.find(mac(1), kNow + MacTable::kAge + 1s)) << "not heard of for too long";
    table.learn(mac(2), 7, kNow);
    table.forget(8);
    EXPECT_FALSE(table.find(mac(1), kNow));
    EXPECT_EQ(table.find(mac(2), kNow), 7U);
    EXPECT_EQ(table.size(), 1U);
}

TEST(MacTable, APeerFillsItsShareOnly) {
    MacTable table;
    for (std::uint16_t i = 0; i < 2 * MacTable::kPerPeer; i++)
        table.learn(mac(i), 7, kNow);
    EXPECT_EQ(table.size(), MacTable::kPerPeer);
    table.learn(mac(9999), 8, kNow);
    EXPECT_EQ(table.find(mac(9999), kNow), 8U);
    EXPECT_FALSE(table.find(mac(0), kNow)) << "the oldest have gone";
    EXPECT_EQ(table.find(mac(2 * MacTable::kPerPeer - 1), kNow), 7U);
    // One that is heard again is not the oldest any more.
    table.learn(mac(MacTable::kPerPeer), 7, kNow);
    table.learn(mac(8888), 7, kNow);
    EXPECT_EQ(table.find(mac(MacTable::kPerPeer), kNow), 7U);
    EXPECT_FALSE(table.find(mac(MacTable::kPerPeer + 1), kNow));
    EXPECT_EQ(table.find(mac(8888), kNow), 7U);
    // What one peer takes over from another counts for it alone.
    table.learn(mac(9999), 7, kNow);
    table.forget(8);
    EXPECT_EQ(table.size(), MacTable::kPerPeer);
    table.forget(7);
    EXPECT_EQ(table.size(), 0U);
}
