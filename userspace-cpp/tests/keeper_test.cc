// SPDX-License-Identifier: GPL-2.0-or-later
//
// What outlives a daemon: the same thing under the same name, and in order.

#include "host/keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
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

// A port that is the same by another name could not be bound otherwise.
TEST_F(KeeperTest, WhatIsReplacedGoesFirst) {
    keep("socket", "1194");
    keep("socket", "443");
    EXPECT_THAT(said, ElementsAre("+socket1194", "-socket1194", "+socket443"));
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

TEST_F(KeeperTest, WhatCannotBeMadeIsNotKept) {
    keep("socket", "1194");
    EXPECT_THROW(keeper.keep<Thing>(
                     "socket", "443",
                     []() -> std::unique_ptr<Thing> { throw std::runtime_error("no rights"); }),
                 std::runtime_error);
    EXPECT_FALSE(keeper.has("socket", "443"));
    EXPECT_FALSE(keeper.has("socket", "1194"));
    keep("socket", "443");
    EXPECT_TRUE(keeper.has("socket", "443"));
}
