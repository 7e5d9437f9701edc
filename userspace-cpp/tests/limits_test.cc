// SPDX-License-Identifier: GPL-2.0-or-later
//
// inactive and session-timeout: of a tunnel, and of a server's clients.

#include "server/limits.h"
#include "util/idle_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nfovpn;
using namespace nfovpn::server;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::StrEq;

namespace {

const TimePoint kStart{1000s};

ClientStatus client(ClientId id, std::uint32_t peer_id, Duration connected_for) {
    ClientStatus out;
    out.client_id = id;
    out.peer_id = peer_id;
    out.connected_for = connected_for;
    return out;
}

dataplane::PeerStats traffic(std::uint32_t peer_id, std::uint64_t bytes) {
    dataplane::PeerStats out;
    out.id = peer_id;
    out.inner_bytes = bytes;
    return out;
}

} // namespace

TEST(IdleWatch, AnyByteBeginsAnew) {
    IdleWatch watch(80s, 0, 500, kStart);
    EXPECT_EQ(watch.deadline(), kStart + 10s);
    EXPECT_FALSE(watch.is_idle(500, kStart + 79s));
    EXPECT_FALSE(watch.is_idle(501, kStart + 79500ms));
    EXPECT_FALSE(watch.is_idle(501, kStart + 159s));
    EXPECT_TRUE(watch.is_idle(501, kStart + 160s));
}

TEST(IdleWatch, FewerBytesDoNotCount) {
    IdleWatch watch(60s, 1000, 0, kStart);
    EXPECT_FALSE(watch.is_idle(600, kStart + 30s));
    // They add up until they are enough.
    EXPECT_FALSE(watch.is_idle(1001, kStart + 50s));
    EXPECT_FALSE(watch.is_idle(1900, kStart + 109s));
    EXPECT_TRUE(watch.is_idle(1900, kStart + 110s));
}

TEST(ClientLimits, NothingWithoutLimits) {
    ClientLimits limits({});
    EXPECT_FALSE(limits.interval());
    EXPECT_THAT(limits.over({client(1, 7, 1h)}, {traffic(7, 0)}, kStart), IsEmpty());
}

TEST(ClientLimits, IdleAndOldClientsGo) {
    ClientLimits limits({60s, 0, 3600s});
    EXPECT_EQ(limits.interval(), 1s);
    EXPECT_THAT(
        limits.over({client(1, 7, 0s), client(2, 8, 0s)}, {traffic(7, 0), traffic(8, 0)}, kStart),
        IsEmpty());
    EXPECT_THAT(limits.over({client(1, 7, 59s), client(2, 8, 59s)},
                            {traffic(7, 0), traffic(8, 100)}, kStart + 59s),
                IsEmpty());
    EXPECT_THAT(limits.over({client(1, 7, 60s), client(2, 8, 60s)},
                            {traffic(7, 0), traffic(8, 100)}, kStart + 60s),
                ElementsAre(Pair(1, StrEq("inactive"))));
    EXPECT_THAT(limits.over({client(2, 8, 3600s)}, {traffic(8, 200)}, kStart + 118s),
                ElementsAre(Pair(2, StrEq("session-timeout"))));
    // Another client with the same peer ID has its own time.
    EXPECT_THAT(limits.over({client(3, 7, 1s)}, {traffic(7, 0)}, kStart + 200s), IsEmpty());
}
