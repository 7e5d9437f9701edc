// SPDX-License-Identifier: GPL-2.0-or-later
//
// The file of ifconfig-pool-persist.

#include "server/lease_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace nfovpn;
using namespace nfovpn::server;
using testing::ElementsAre;

namespace {

Lease lease(const char* owner, const char* address, const char* address6 = nullptr) {
    return {owner, *parse_ipv4(address), address6 ? parse_ipv6(address6) : std::nullopt};
}

std::string text_of_file(const std::filesystem::path& path) {
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
}

class LeaseFileTest : public testing::Test {
protected:
    void SetUp() override {
        auto name = (std::filesystem::temp_directory_path() / "leases.XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        directory_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    void write(const std::string& text) const { std::ofstream(path()) << text; }
    [[nodiscard]] std::string path() const { return directory_ / "pool"; }

    std::filesystem::path directory_;
    std::vector<Lease> leases_;
};

} // namespace

TEST(LeaseFile, FormOfOpenVpn) {
    auto parsed = parse_leases("# who had what\n;\n\nalice,10.8.0.4\r\nbob,10.8.0.5,fd00::1004\n"
                               "carol,10.8.0.6,\nO=Acme, Inc.,10.8.0.7\ndave,10.8.0.8");
    EXPECT_TRUE(parsed.findings.empty());
    EXPECT_THAT(parsed.leases,
                ElementsAre(lease("alice", "10.8.0.4"), lease("bob", "10.8.0.5"),
                            lease("carol", "10.8.0.6"), lease("O=Acme, Inc.", "10.8.0.7"),
                            lease("dave", "10.8.0.8")));
}

TEST(LeaseFile, BadLinesAreToldAndLeftOut) {
    auto parsed = parse_leases("alice\nbob,10.8.0\n,10.8.0.5\n10.8.0.6\ncarol,fd00::1\n,,\n"
                               "dave,10.8.0.9\n");
    EXPECT_THAT(parsed.leases, ElementsAre(lease("dave", "10.8.0.9")));
    std::vector<int> lines;
    for (const auto& finding : parsed.findings)
        lines.push_back(finding.line);
    EXPECT_THAT(lines, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(LeaseFile, WhatIsWrittenIsRead) {
    const std::vector<Lease> leases = {lease("a,10.0.0.9", "10.8.0.4", "fd00::4"),
                                       lease("b", "10.8.0.5")};
    const auto text = format_leases(leases);
    EXPECT_EQ(text, "a,10.0.0.9,10.8.0.4,fd00::4\nb,10.8.0.5\n");
    EXPECT_THAT(parse_leases(text).leases,
                ElementsAre(lease("a,10.0.0.9", "10.8.0.4"), lease("b", "10.8.0.5")));
}

TEST(LeaseFile, NamesThatAreNoPartOfALine) {
    EXPECT_EQ(format_leases({lease("a\nb,10.8.0.9", "10.8.0.4"), lease("#c", "10.8.0.5"),
                             lease("", "10.8.0.6"), lease(";d", "10.8.0.7")}),
              "");
}

TEST_F(LeaseFileTest, WrittenOnlyWhenSomethingChanged) {
    host::KeptFile kept(path(), true);
    LeaseFile file(kept, [this] { return leases_; });
    EXPECT_TRUE(file.read().empty()) << "there is none yet";
    file.write();
    EXPECT_EQ(text_of_file(path()), "") << "nothing to tell";
    leases_ = {lease("alice", "10.8.0.4")};
    file.write();
    EXPECT_EQ(text_of_file(path()), "alice,10.8.0.4\n");
    std::filesystem::remove(path());
    file.write();
    EXPECT_FALSE(std::filesystem::exists(path())) << "no change";

    write("bob,10.8.0.5\n");
    host::KeptFile again(path(), true);
    LeaseFile next(again, [this] { return leases_; });
    EXPECT_THAT(next.read(), ElementsAre(lease("bob", "10.8.0.5")));
    next.write();
    EXPECT_EQ(text_of_file(path()), "alice,10.8.0.4\n");
}

TEST_F(LeaseFileTest, OneThatCannotBeReadIsAnError) {
    std::filesystem::create_directory(path());
    host::KeptFile kept(path(), true);
    LeaseFile file(kept, [this] { return leases_; });
    EXPECT_THROW(file.read(), std::runtime_error);
}

TEST_F(LeaseFileTest, OneThatCannotBeWrittenIsTriedAgain) {
    host::KeptFile kept(directory_ / "later" / "pool", true);
    LeaseFile file(kept, [this] { return leases_; });
    EXPECT_TRUE(file.read().empty());
    leases_ = {lease("alice", "10.8.0.4")};
    file.write();
    std::filesystem::create_directory(directory_ / "later");
    file.write();
    EXPECT_EQ(text_of_file(directory_ / "later" / "pool"), "alice,10.8.0.4\n");
}
