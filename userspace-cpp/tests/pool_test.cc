// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the server gives out, and how often it lets itself be asked.

#include "server/pool.h"
#include "server/rate_limit.h"

#include <gtest/gtest.h>

#include <set>

using namespace nfovpn;
using namespace nfovpn::server;
using namespace std::chrono_literals;

namespace {
Ipv4 ip(const char* text) {
    return *parse_ipv4(text);
}
const TimePoint kStart = TimePoint{} + 1h;
} // namespace

TEST(AddressPool, CertainAddresses) {
    AddressPool pool(ip("10.0.0.2"), ip("10.0.0.4"));
    EXPECT_TRUE(pool.reserve(ip("10.0.0.2")));
    EXPECT_FALSE(pool.reserve(ip("10.0.0.2")));
    EXPECT_TRUE(pool.reserve(ip("10.9.0.1"))) << "of another network";
    EXPECT_FALSE(pool.reserve(ip("10.9.0.1")));
    EXPECT_EQ(pool.allocate("a"), ip("10.0.0.3"));
    EXPECT_TRUE(pool.reserve(ip("10.0.0.4")));
    EXPECT_EQ(pool.allocate("b"), std::nullopt);
    pool.release(ip("10.9.0.1"));
    EXPECT_TRUE(pool.reserve(ip("10.9.0.1")));
    for (const char* address : {"10.0.0.2", "10.0.0.4", "10.0.0.3"})
        pool.release(ip(address));
    std::set<Ipv4> all;
    while (auto address = pool.allocate(""))
        EXPECT_TRUE(all.insert(*address).second) << to_string(*address) << " is given out twice";
    EXPECT_EQ(all.size(), 3U);
}

TEST(AddressPool, EachFourthAddress) {
    AddressPool pool(ip("10.0.0.6"), ip("10.0.0.14"), 4);
    EXPECT_EQ(pool.size(), 3U);
    EXPECT_EQ(pool.place_of(ip("10.0.0.10")), 1U);
    EXPECT_EQ(pool.place_of(ip("10.0.0.9")), std::nullopt);
    EXPECT_EQ(pool.place_of(ip("10.0.0.2")), std::nullopt);
    EXPECT_EQ(pool.place_of(ip("10.0.0.18")), std::nullopt);
    EXPECT_EQ(pool.allocate("a"), ip("10.0.0.6"));
    EXPECT_TRUE(pool.reserve(ip("10.0.0.10")));
    EXPECT_TRUE(pool.reserve(ip("10.0.0.11"))); // which is not one of these
    EXPECT_EQ(pool.allocate("b"), ip("10.0.0.14"));
    EXPECT_EQ(pool.allocate("c"), std::nullopt);
    pool.release(ip("10.0.0.14"));
    EXPECT_EQ(pool.allocate("c"), ip("10.0.0.14"));
}

TEST(AddressPool, FreshFirstThenTheLongestFree) {
    AddressPool pool(ip("10.0.0.2"), ip("10.0.0.4"));
    EXPECT_EQ(pool.size(), 3U);
    EXPECT_EQ(pool.allocate("a"), ip("10.0.0.2"));
    EXPECT_EQ(pool.allocate("b"), ip("10.0.0.3"));
    pool.release(ip("10.0.0.3"));
    pool.release(ip("10.0.0.2"));
    EXPECT_EQ(pool.allocate("c"), ip("10.0.0.4"));
    EXPECT_EQ(pool.allocate("d"), ip("10.0.0.3")) << "free for longer than .2";
    EXPECT_EQ(pool.allocate("e"), ip("10.0.0.2"));
    EXPECT_FALSE(pool.allocate("f"));
}

TEST(AddressPool, ComingBackGivesTheSameAddress) {
    AddressPool pool(ip("10.0.0.2"), ip("10.0.0.4"));
    pool.allocate("a");
    pool.allocate("b");
    pool.release(ip("10.0.0.2"));
    pool.release(ip("10.0.0.3"));
    EXPECT_EQ(pool.allocate("b"), ip("10.0.0.3"));
    EXPECT_EQ(pool.allocate("a"), ip("10.0.0.2"));
    pool.release(ip("10.0.0.2"));
    pool.allocate("c");
    EXPECT_EQ(pool.allocate("d"), ip("10.0.0.2"));
    pool.release(ip("10.0.0.3"));
    EXPECT_EQ(pool.allocate("a"), ip("10.0.0.3")) << "somebody else has the old one";
}

TEST(AddressPool, ReleasingTwiceOrOutsideDoesNothing) {
    AddressPool pool(ip("10.0.0.2"), ip("10.0.0.2"));
    pool.release(ip("10.0.0.2"));
    pool.release(ip("10.9.9.9"));
    EXPECT_EQ(pool.allocate(""), ip("10.0.0.2"));
    pool.release(ip("10.0.0.2"));
    pool.release(ip("10.0.0.2"));
    EXPECT_EQ(pool.allocate(""), ip("10.0.0.2"));
    EXPECT_FALSE(pool.allocate(""));
}

TEST(AddressPool, RemembersWhoHadWhat) {
    AddressPool pool(ip("10.0.0.2"), ip("10.0.0.6"));
    EXPECT_TRUE(pool.remember("a", ip("10.0.0.3"), false));
    EXPECT_TRUE(pool.remember("b", ip("10.0.0.2"), false));
    EXPECT_FALSE(pool.remember("c", ip("10.0.0.2"), false)) << "b's";
    EXPECT_FALSE(pool.remember("a", ip("10.0.0.5"), false)) << "a has one";
    EXPECT_FALSE(pool.remember("d", ip("10.9.0.2"), false)) << "of another network";
    const std::vector<Lease> told = {{"b", ip("10.0.0.2"), {}}, {"a", ip("10.0.0.3"), {}}};
    EXPECT_EQ(pool.leases(), told);

    EXPECT_EQ(pool.allocate("new"), ip("10.0.0.4")) << "a fresh one";
    EXPECT_EQ(pool.allocate("b"), ip("10.0.0.2"));
    pool.release(ip("10.0.0.2"));
    EXPECT_EQ(pool.allocate("newer"), ip("10.0.0.5"));
    EXPECT_EQ(pool.allocate(""), ip("10.0.0.6"));
    EXPECT_EQ(pool.allocate("e"), ip("10.0.0.3")) << "of those remembered the longest free";
    EXPECT_EQ(pool.allocate("a"), ip("10.0.0.2"));
    EXPECT_EQ(pool.allocate("f"), std::nullopt);
    const std::vector<Lease> now = {{"a", ip("10.0.0.2"), {}},
                                    {"e", ip("10.0.0.3"), {}},
                                    {"new", ip("10.0.0.4"), {}},
                                    {"newer", ip("10.0.0.5"), {}}};
    EXPECT_EQ(pool.leases(), now) << "nobody without a name";
}

TEST(AddressPool, KeptForItsOwnerAlone) {
    AddressPool pool(ip("10.0.0.2"), ip("10.0.0.3"));
    EXPECT_TRUE(pool.remember("a", ip("10.0.0.2"), true));
    EXPECT_EQ(pool.allocate("b"), ip("10.0.0.3"));
    EXPECT_EQ(pool.allocate("c"), std::nullopt);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(pool.allocate("a"), ip("10.0.0.2"));
        pool.release(ip("10.0.0.2"));
        EXPECT_EQ(pool.allocate("c"), std::nullopt);
    }
}

// One that is remembered is free once, however it is taken and given back.
TEST(AddressPool, RememberedAndReserved) {
    AddressPool pool(ip("10.0.0.2"), ip("10.0.0.4"));
    EXPECT_TRUE(pool.remember("a", ip("10.0.0.4"), false));
    EXPECT_TRUE(pool.reserve(ip("10.0.0.4")));
    EXPECT_EQ(pool.allocate("a"), ip("10.0.0.2"));
    pool.release(ip("10.0.0.4"));
    EXPECT_EQ(pool.allocate("b"), ip("10.0.0.3"));
    EXPECT_EQ(pool.allocate("c"), ip("10.0.0.4"));
    EXPECT_EQ(pool.allocate("d"), std::nullopt);
}

TEST(IdPool, AnIdComesBackLast) {
    IdPool ids;
    EXPECT_EQ(ids.allocate(), 0U);
    EXPECT_EQ(ids.allocate(), 1U);
    ids.release(0);
    EXPECT_EQ(ids.allocate(), 2U);
}

TEST(TokenBucket, BurstThenSteadyRate) {
    TokenBucket bucket;
    const TokenBucket::Rate rate{5, 10s};
    for (int i = 0; i < 5; i++)
        EXPECT_TRUE(bucket.take(rate, kStart));
    EXPECT_FALSE(bucket.take(rate, kStart));
    EXPECT_FALSE(bucket.take(rate, kStart + 1s));
    EXPECT_TRUE(bucket.take(rate, kStart + 4s));
    EXPECT_TRUE(bucket.take(rate, kStart + 4s));
    EXPECT_FALSE(bucket.take(rate, kStart + 4s));
    EXPECT_TRUE(bucket.full(rate, kStart + 60s));
}

TEST(SourceLimiter, OneSourceDoesNotUseUpAnothers) {
    SourceLimiter limiter({10, 10s});
    int allowed = 0;
    for (int i = 0; i < 1000; i++)
        allowed += limiter.allow(ip("192.0.2.1"), kStart) ? 1 : 0;
    EXPECT_EQ(allowed, 10);
    // In 4096 places, one other address shares a bucket with it by chance only.
    int others = 0;
    for (std::uint32_t i = 0; i < 200; i++)
        others += limiter.allow(Ipv4{0x0a000000 + i * 7919}, kStart) ? 1 : 0;
    EXPECT_GE(others, 195);
}
