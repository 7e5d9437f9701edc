// SPDX-License-Identifier: GPL-2.0-or-later
//
// The reliability layer: windows, retransmission and ACKs one by one, then a stream of messages
// over a link that loses and reorders half of everything, in virtual time.

#include "session/reliable.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

using namespace nfovpn;
using namespace nfovpn::session;
using namespace std::chrono_literals;
using wire::Opcode;

namespace {

const TimePoint kStart = TimePoint{} + 1h;

Bytes message(unsigned i) {
    return {static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)};
}

unsigned sent_now(ReliableSender& sender, TimePoint now) {
    unsigned n = 0;
    while (sender.next_due(now))
        n++;
    return n;
}

} // namespace

TEST(ReliableSender, WindowCountsFromTheOldestUnacknowledged) {
    ReliableSender sender({});
    for (unsigned i = 0; i < 10; i++)
        sender.queue(Opcode::ControlV1, message(i));
    EXPECT_EQ(sent_now(sender, kStart), 6U);
    const std::uint32_t later[] = {1, 2, 3};
    sender.acknowledge(later, kStart);
    EXPECT_EQ(sent_now(sender, kStart), 1U) << "0 again, by three later ACKs; nothing new";
    const std::uint32_t first[] = {0};
    sender.acknowledge(first, kStart);
    EXPECT_EQ(sent_now(sender, kStart), 4U) << "6 to 9";
}

TEST(ReliableSender, TimeoutDoublesUpToItsLimit) {
    ReliableSender sender({});
    sender.queue(Opcode::ControlV1, message(0));
    ASSERT_TRUE(sender.next_due(kStart));
    auto now = kStart;
    for (auto wait : {2s, 4s, 8s, 16s, 16s}) {
        EXPECT_EQ(sender.deadline(), now + wait);
        EXPECT_FALSE(sender.next_due(now + wait - 1ms));
        now += wait;
        EXPECT_TRUE(sender.next_due(now));
    }
    EXPECT_EQ(sender.retransmissions(), 5U);
}

TEST(ReliableSender, OnlyWhatWasSentCanBeAcknowledged) {
    ReliableSender sender({});
    for (unsigned i = 0; i < 8; i++)
        sender.queue(Opcode::ControlV1, message(i));
    EXPECT_EQ(sent_now(sender, kStart), 6U);
    const std::uint32_t forged[] = {7, 99, 0xffffffff};
    sender.acknowledge(forged, kStart);
    EXPECT_EQ(sender.backlog(), 8U);
    EXPECT_FALSE(sender.all_acknowledged());
}

TEST(ReliableReceiver, StoresAheadGivesInOrder) {
    ReliableReceiver receiver({});
    using V = ReliableReceiver::Verdict;
    EXPECT_EQ(receiver.receive(1, message(1)), V::Stored);
    EXPECT_FALSE(receiver.next());
    EXPECT_EQ(receiver.receive(1, message(1)), V::Duplicate);
    EXPECT_EQ(receiver.receive(0, message(0)), V::Stored);
    EXPECT_EQ(receiver.next(), message(0));
    EXPECT_EQ(receiver.next(), message(1));
    EXPECT_FALSE(receiver.next());
    EXPECT_EQ(receiver.receive(0, message(0)), V::Duplicate);
    EXPECT_EQ(receiver.receive(2 + 12, message(14)), V::OutsideWindow);
    EXPECT_EQ(receiver.receive(2 + 11, message(13)), V::Stored);
    EXPECT_EQ(receiver.receive(0xffffffff, message(0)), V::OutsideWindow);
}

TEST(ReliableReceiver, AcknowledgesWhatItHasAndRepeats) {
    ReliableReceiver receiver({});
    for (unsigned i = 0; i < 3; i++)
        receiver.receive(i, message(i));
    EXPECT_TRUE(receiver.ack_pending());
    auto acks = receiver.take_acks();
    EXPECT_EQ(acks.count, 3U);
    EXPECT_FALSE(receiver.ack_pending());
    receiver.receive(3, message(3));
    acks = receiver.take_acks();
    ASSERT_EQ(acks.count, 4U) << "3, and the earlier ones again";
    EXPECT_EQ(acks.ids[0], 3U);
}

TEST(ReliableReceiver, WhatCannotBeAcknowledgedIsNotTaken) {
    ReliableReceiver receiver({});
    for (unsigned i = 0; i < 8; i++)
        EXPECT_EQ(receiver.receive(i, message(i)), ReliableReceiver::Verdict::Stored);
    EXPECT_EQ(receiver.receive(8, message(8)), ReliableReceiver::Verdict::OutsideWindow);
    receiver.take_acks();
    EXPECT_EQ(receiver.receive(8, message(8)), ReliableReceiver::Verdict::Stored);
}

class LossyLink : public testing::TestWithParam<unsigned> {};

// Half of all packets are lost in either direction and the rest is reordered.
TEST_P(LossyLink, EveryMessageArrivesOnceAndInOrder) {
    struct Flying {
        std::optional<std::uint32_t> id;
        Bytes payload;
        wire::AckList acks;
    };
    std::mt19937 random(GetParam());
    ReliableSender sender({});
    ReliableReceiver receiver({});
    std::multimap<TimePoint, Flying> wire;
    constexpr unsigned kMessages = 200;
    for (unsigned i = 0; i < kMessages; i++)
        sender.queue(Opcode::ControlV1, message(i));

    auto now = kStart;
    unsigned arrived = 0;
    auto put = [&](Flying packet) {
        if (random() % 2 == 0)
            wire.emplace(now + std::chrono::milliseconds(1 + random() % 200), std::move(packet));
    };
    while (!sender.all_acknowledged()) {
        ASSERT_LT(now, kStart + 24h) << "the link is stuck";
        while (auto segment = sender.next_due(now))
            put({segment->id, Bytes(segment->payload.begin(), segment->payload.end()), {}});
        now = sender.deadline();
        if (!wire.empty())
            now = std::min(now, wire.begin()->first);
        while (!wire.empty() && wire.begin()->first <= now) {
            auto packet = std::move(wire.begin()->second);
            wire.erase(wire.begin());
            if (!packet.id) {
                sender.acknowledge(packet.acks.view(), now);
                continue;
            }
            receiver.receive(*packet.id, packet.payload);
            while (auto payload = receiver.next())
                ASSERT_EQ(*payload, message(arrived++));
            if (receiver.ack_pending())
                put({std::nullopt, {}, receiver.take_acks()});
        }
    }
    EXPECT_EQ(arrived, kMessages);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LossyLink, testing::Range(1U, 9U));

// A datagram may be of 64 KB, a control packet of a stock peer has 2 KB at the most.
TEST(ReliableReceiver, LongMessagesAreNotKept) {
    ReliableReceiver receiver({});
    EXPECT_EQ(receiver.receive(0, Bytes(2049)), ReliableReceiver::Verdict::TooLong);
    EXPECT_FALSE(receiver.ack_pending());
    EXPECT_EQ(receiver.receive(0, Bytes(2048)), ReliableReceiver::Verdict::Stored);
}
