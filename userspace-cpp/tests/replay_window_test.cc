// SPDX-License-Identifier: GPL-2.0-or-later
//
// Replay window: against a plain set of numbers, at its edges, and saved and restored as the kernel
// does it.

#include "dataplane/replay_window.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

using namespace nfovpn;
using dataplane::ReplayWindow;

TEST(ReplayWindow, AcceptsEachOnce) {
    ReplayWindow window;
    EXPECT_FALSE(window.accept(0));
    EXPECT_TRUE(window.accept(1));
    EXPECT_FALSE(window.accept(1));
    EXPECT_TRUE(window.accept(3));
    EXPECT_TRUE(window.accept(2));
    EXPECT_FALSE(window.accept(2));
}

TEST(ReplayWindow, Edges) {
    ReplayWindow window;
    EXPECT_TRUE(window.accept(ReplayWindow::kSize + 10));
    EXPECT_FALSE(window.accept(10)) << "too old to tell";
    EXPECT_TRUE(window.accept(11)) << "the oldest that can be told";
    EXPECT_TRUE(window.accept((std::uint64_t{1} << 48) - 1)) << "a leap over everything";
    EXPECT_FALSE(window.accept(ReplayWindow::kSize + 10));
}

// What comes is random, often far behind or ahead.
TEST(ReplayWindow, AgreesWithASet) {
    std::mt19937_64 random(7);
    ReplayWindow window;
    std::set<std::uint64_t> seen;
    std::uint64_t highest = 0;
    for (int i = 0; i < 200000; i++) {
        const auto far = random() % 50 == 0 ? 5000U : 100U;
        const auto ahead = highest + random() % far;
        const auto id = ahead > far / 2 ? ahead - far / 2 : ahead;
        const bool told = id != 0 && id + ReplayWindow::kSize > highest;
        const bool fresh = told && seen.insert(id).second;
        highest = fresh ? std::max(highest, id) : highest;
        ASSERT_EQ(window.accept(id), fresh) << id << " after " << highest;
        ASSERT_EQ(window.highest(), highest);
        if (i % 5000 == 0) {
            ReplayWindow copy;
            copy.restore(window.highest(), window.save());
            window = copy;
        }
    }
    EXPECT_GT(seen.size(), 10000U);
}

TEST(ReplayWindow, SavesWithTheHighestFirst) {
    ReplayWindow window;
    for (std::uint64_t id : {1U, 4U, 10U})
        window.accept(id);
    auto saved = window.save();
    ASSERT_EQ(saved.size(), 248U) << "as many bytes as the kernel's";
    EXPECT_EQ(saved[0], 0x41) << "10 and 4";
    EXPECT_EQ(saved[1], 0x02) << "1";
}

TEST(ReplayWindow, WhatIsNotSavedCountsAsReceived) {
    ReplayWindow window;
    window.restore(100, Bytes{0x01});
    EXPECT_FALSE(window.accept(100));
    EXPECT_TRUE(window.accept(99)) << "said not to be received";
    EXPECT_FALSE(window.accept(92)) << "nothing said";
}
