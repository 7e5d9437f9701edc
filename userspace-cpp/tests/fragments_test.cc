// SPDX-License-Identifier: GPL-2.0-or-later
//
// Packets in parts, and put together again.

#include "dataplane/fragments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

using namespace nfovpn;
using namespace nfovpn::dataplane;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint kNow = TimePoint{} + 1h;

Bytes packet_of(std::size_t size) {
    Bytes out(size);
    std::iota(out.begin(), out.end(), std::uint8_t{1});
    return out;
}

std::vector<Bytes> parts_of(Fragmenter& fragmenter, ByteView packet, std::size_t limit) {
    std::vector<Bytes> out;
    EXPECT_TRUE(fragmenter.split(packet, limit, [&](ByteView part) {
        EXPECT_LE(part.size(), limit + kFragmentHeader);
        out.emplace_back(part.begin(), part.end());
    }));
    return out;
}

Bytes bytes(std::span<std::uint8_t> text) {
    return {text.begin(), text.end()};
}

} // namespace

TEST(Fragmenter, Headers) {
    Fragmenter fragmenter(5);
    auto parts = parts_of(fragmenter, packet_of(8), 8);
    ASSERT_EQ(parts.size(), 1U);
    EXPECT_EQ(parts[0], (Bytes{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}));
    parts = parts_of(fragmenter, packet_of(10), 8);
    ASSERT_EQ(parts.size(), 2U);
    // kind 1, packet 5, part 0; kind 2, packet 5, part 1, size 2 * 4
    EXPECT_EQ(parts[0], (Bytes{0, 0, 0, 0x15, 1, 2, 3, 4, 5, 6, 7, 8}));
    EXPECT_EQ(parts[1], (Bytes{0, 1, 0x04, 0x16, 9, 10}));
    parts = parts_of(fragmenter, packet_of(9), 8);
    EXPECT_EQ(parts[0][3] >> 2, 6) << "the next packet";
}

TEST(Fragmenter, PartsAreOfAboutTheSameSize) {
    Fragmenter fragmenter(0);
    const auto parts = parts_of(fragmenter, packet_of(1001), 900);
    ASSERT_EQ(parts.size(), 2U);
    EXPECT_EQ(parts[0].size(), 504U + kFragmentHeader);
    EXPECT_EQ(parts[1].size(), 497U + kFragmentHeader);
}

TEST(Fragmenter, MoreThan32Parts) {
    Fragmenter fragmenter(0);
    EXPECT_EQ(parts_of(fragmenter, packet_of(3200), 100).size(), 32U);
    EXPECT_FALSE(fragmenter.split(packet_of(3201), 100, [](ByteView) { ADD_FAILURE(); }));
    EXPECT_FALSE(fragmenter.split(packet_of(5), 3, [](ByteView) { ADD_FAILURE(); }));
}

TEST(Reassembly, InAnyOrder) {
    const auto packet = packet_of(1000);
    Fragmenter fragmenter(255);
    Reassembly reassembly;
    std::vector<std::size_t> order = {0, 1, 2, 3};
    do {
        auto parts = parts_of(fragmenter, packet, 256);
        ASSERT_EQ(parts.size(), 4U);
        for (std::size_t i = 0; i < order.size(); i++) {
            const auto result = reassembly.take(parts[order[i]], kNow);
            if (i < 3) {
                EXPECT_EQ(result.kind, Reassembly::Kind::Incomplete);
            } else {
                ASSERT_EQ(result.kind, Reassembly::Kind::Whole);
                EXPECT_EQ(bytes(result.packet), packet);
            }
        }
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Reassembly, SeveralAtOnce) {
    Fragmenter fragmenter(250);
    Reassembly reassembly;
    std::vector<std::vector<Bytes>> packets;
    for (std::size_t i = 0; i < 25; i++)
        packets.push_back(parts_of(fragmenter, packet_of(90 + i), 60));
    for (auto& parts : packets)
        EXPECT_EQ(reassembly.take(parts[0], kNow).kind, Reassembly::Kind::Incomplete);
    for (std::size_t i = 0; i < 25; i++) {
        const auto result = reassembly.take(packets[i][1], kNow);
        ASSERT_EQ(result.kind, Reassembly::Kind::Whole) << i;
        EXPECT_EQ(bytes(result.packet), packet_of(90 + i));
    }
    // One more, and the oldest is given up.
    auto old = parts_of(fragmenter, packet_of(100), 60);
    EXPECT_EQ(reassembly.take(old[0], kNow).kind, Reassembly::Kind::Incomplete);
    for (int i = 0; i < 25; i++)
        reassembly.take(parts_of(fragmenter, packet_of(100), 60)[0], kNow);
    EXPECT_NE(reassembly.take(old[1], kNow).kind, Reassembly::Kind::Whole);
}

TEST(Reassembly, WhatIsLateIsGivenUp) {
    Fragmenter fragmenter(0);
    Reassembly reassembly;
    auto parts = parts_of(fragmenter, packet_of(100), 60);
    reassembly.take(parts[0], kNow);
    EXPECT_EQ(reassembly.take(parts[1], kNow + 10s).kind, Reassembly::Kind::Incomplete);
    EXPECT_EQ(reassembly.take(parts[0], kNow + 11s).kind, Reassembly::Kind::Whole)
        << "both are there again";
}

TEST(Reassembly, Damaged) {
    Reassembly reassembly;
    const auto take = [&](Bytes text) { return reassembly.take(text, kNow).kind; };
    EXPECT_EQ(take({0, 0, 0}), Reassembly::Kind::Damaged) << "cut short";
    EXPECT_EQ(take({0, 0, 0, 0}), Reassembly::Kind::Whole) << "an empty one is not ours to judge";
    EXPECT_EQ(take({0, 0, 0, 4, 1}), Reassembly::Kind::Damaged) << "whole, and with a number";
    EXPECT_EQ(take({0, 0, 0, 3, 1}), Reassembly::Kind::Damaged) << "no such kind";
    EXPECT_EQ(take({0, 0, 0, 1, 1, 2, 3}), Reassembly::Kind::Damaged) << "not a multiple of 4";
    EXPECT_EQ(take({0, 0, 0, 2, 1}), Reassembly::Kind::Damaged) << "no size";
    EXPECT_EQ(take({0, 0, 0x80, 2, 1, 2, 3, 4, 5}), Reassembly::Kind::Damaged)
        << "longer than the others";
    EXPECT_EQ(take({0xff, 0xff, 0xfc, 2, 1}), Reassembly::Kind::Damaged) << "past the longest";
}
