// SPDX-License-Identifier: GPL-2.0-or-later
//
// Networks behind clients: who has one that several want.

#include "server/networks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nfovpn;
using server::Networks;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

const Prefix kOne = ipv4_prefix(Ipv4{0x0a4d0000}, 16);
const Prefix kTwo = ipv4_prefix(Ipv4{0x0a4e0000}, 16);

std::vector<std::pair<std::string, server::ClientId>>
text(const std::vector<Networks::Change>& changes) {
    std::vector<std::pair<std::string, server::ClientId>> out;
    for (const auto& change : changes)
        out.emplace_back(to_string(change.network), change.client);
    return out;
}

} // namespace

TEST(Networks, EachIsWantedOnceInOrder) {
    Networks networks;
    networks.want(1, {kTwo, kOne, kTwo});
    EXPECT_THAT(networks.wanted(1), ElementsAre(kTwo, kOne));
    EXPECT_THAT(networks.of(1), IsEmpty()) << "it has not taken them";
    EXPECT_THAT(networks.take(1), IsEmpty());
    EXPECT_THAT(networks.of(1), ElementsAre(kTwo, kOne));
    EXPECT_THAT(networks.wanted(2), IsEmpty());
}

TEST(Networks, TheNewestHasItAndThenTheOneBefore) {
    Networks networks;
    for (const server::ClientId client : {1U, 2U, 3U}) {
        networks.want(client, {kOne});
        const auto losers = text(networks.take(client));
        if (client == 1)
            EXPECT_THAT(losers, IsEmpty());
        else
            EXPECT_THAT(losers, ElementsAre(std::pair("10.77.0.0/16", client - 1)));
    }
    EXPECT_THAT(networks.of(1), IsEmpty());
    EXPECT_THAT(networks.of(3), ElementsAre(kOne));
    EXPECT_THAT(networks.leave(2), IsEmpty()) << "it had none";
    EXPECT_THAT(text(networks.leave(3)), ElementsAre(std::pair("10.77.0.0/16", 1)));
    EXPECT_THAT(networks.of(1), ElementsAre(kOne));
    EXPECT_THAT(networks.leave(1), IsEmpty());
    EXPECT_FALSE(networks.is_newest(1, kOne));
    EXPECT_THAT(networks.leave(1), IsEmpty()) << "once more";
}

// One that has not come so far takes nothing with it.
TEST(Networks, WhoNeverTookThemLeavesNothing) {
    Networks networks;
    networks.want(1, {kOne});
    networks.take(1);
    networks.want(2, {kOne});
    EXPECT_THAT(networks.leave(2), IsEmpty());
    EXPECT_THAT(networks.of(1), ElementsAre(kOne));
}

TEST(Networks, ADoubtIsOfOneClientAndNetwork) {
    Networks networks;
    networks.want(1, {kOne, kTwo});
    networks.take(1);
    networks.doubt(1, kOne);
    EXPECT_THAT(networks.of(1), ElementsAre(kTwo));
    EXPECT_TRUE(networks.is_newest(1, kOne));
    networks.confirm(1, kOne);
    EXPECT_THAT(networks.of(1), ElementsAre(kOne, kTwo));
    networks.doubt(1, kOne);
    networks.leave(1);
    networks.want(1, {kOne});
    networks.take(1);
    EXPECT_THAT(networks.of(1), ElementsAre(kOne)) << "forgotten with the client";
}
