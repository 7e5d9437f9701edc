// SPDX-License-Identifier: GPL-2.0-or-later
//
// What outlives a daemon: the same thing under the same name, and in order.

#include "host/keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

using namespace nfovpn;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

class KeeperTest : public testing::Test {
protected:
    struct Thing {
        Thing(std::vector<std::string>& log, std::string name) : said(log), own(std::move(name)) {
            said.push_back("+" + own);
        }
        ~Thing() { said.push_back("-" + own); }
        Thing(const Thing&) = delete;
        Thing& operator=(const Thing&) = delete;

        std::vector<std::string>& said;
        std::string own;
    };

    Thing& keep(const std::string& what, const std::string& name) {
        return keeper.keep<Thing>(what, name,
                                  [&] { return std::make_unique<Thing>(said, what + name); });
    }

    std::vector<std::string> said;
    host::Keeper keeper;
};

} // namespace

TEST_F(KeeperTest, TheNextDaemonGetsTheSame) {
    auto& first = keep("socket", "1194");
    keeper.begin();
    EXPECT_EQ(&keep("socket", "1194"), &first);
    keeper.drop_unwanted();
    EXPECT_THAT(said, ElementsAre("+socket1194"));
    EXPECT_TRUE(keeper.has("socket", "1194"));
    EXPECT_FALSE(keeper.has("socket", "443"));
}

TEST_F(KeeperTest, WhatIsReplacedGoes) {
    keep("socket", "1194");
    keep("socket", "443");
    EXPECT_THAT(said, ElementsAre("+socket1194", "+socket443", "-socket1194"));
}

// A port that is the same by another name could not be bound otherwise.
TEST_F(KeeperTest, WhatIsInTheWayGoesFirst) {
    keep("socket", "1194");
    const auto make = [&] {
        if (said.size() == 1)
            throw std::system_error(std::make_error_code(std::errc::address_in_use), "bind");
        return std::make_unique<Thing>(said, "socket1194 and a mark");
    };
    keeper.keep<Thing>("socket", "1194 and a mark", make);
    EXPECT_THAT(said, ElementsAre("+socket1194", "-socket1194", "+socket1194 and a mark"));
    // Nothing of ours is in the way.
    keeper.drop("socket");
    said.resize(1);
    EXPECT_THROW(keeper.keep<Thing>("socket", "1194", make), std::system_error);
}

TEST_F(KeeperTest, WhatNobodyAsksForGoes) {
    keep("socket", "1194");
    keep("status", "file");
    keeper.begin();
    keep("socket", "1194");
    keeper.drop_unwanted();
    EXPECT_THAT(said, ElementsAre("+socket1194", "+statusfile", "-statusfile"));
    keeper.drop("socket");
    keeper.drop("nothing");
    EXPECT_EQ(said.back(), "-socket1194");
}

// For a daemon by the configuration before.
TEST_F(KeeperTest, WhatWasThereStaysIfTheNextCannotBeMade) {
    keep("socket", "1194");
    EXPECT_THROW(keeper.keep<Thing>(
                     "socket", "443",
                     []() -> std::unique_ptr<Thing> { throw std::runtime_error("no rights"); }),
                 std::runtime_error);
    EXPECT_FALSE(keeper.has("socket", "443"));
    EXPECT_TRUE(keeper.has("socket", "1194"));
    keep("socket", "1194");
    EXPECT_THAT(said, ElementsAre("+socket1194"));
}
