// SPDX-License-Identifier: GPL-2.0-or-later
//
// Places that are given to each source in turn.

#include "util/fair_queue.h"

#include <gtest/gtest.h>

#include <string>

using nfovpn::FairQueue;

namespace {

std::string next(FairQueue<std::string>& queue) {
    auto out = queue.next();
    return out ? out->second : "";
}

} // namespace

TEST(FairQueue, EachSourceInTurn) {
    FairQueue<std::string> queue(3, 2);
    for (int i = 0; i < 100; i++)
        queue.push(1, "a" + std::to_string(i));
    EXPECT_EQ(next(queue), "a0");
    EXPECT_EQ(next(queue), "a1");
    EXPECT_EQ(next(queue), "") << "the third place is not this source's";
    queue.push(2, "b0");
    queue.push(3, "c0");
    EXPECT_EQ(next(queue), "b0");
    EXPECT_EQ(next(queue), "") << "no place";
    queue.done(1);
    EXPECT_EQ(next(queue), "c0") << "before the other ninety-eight";
    queue.done(2);
    EXPECT_EQ(next(queue), "a2");
    EXPECT_EQ(queue.size(), 97U);
}

TEST(FairQueue, WhoHasGoneIsTakenOut) {
    FairQueue<std::string> queue(1, 1);
    queue.push(1, "a");
    queue.push(1, "b");
    queue.push(2, "b");
    queue.erase_if([](const std::string& item) { return item == "b"; });
    EXPECT_EQ(queue.size(), 1U);
    EXPECT_EQ(next(queue), "a");
    queue.done(1);
    EXPECT_EQ(next(queue), "");
    queue.done(7);
    queue.push(1, "c");
    EXPECT_EQ(next(queue), "c");
}
