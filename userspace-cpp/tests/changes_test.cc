// SPDX-License-Identifier: GPL-2.0-or-later
//
// Two versions of a configuration, compared; and every option that a daemon is said to take on
// while it runs is one that there is.

#include "config/changes.h"
#include "config/common_config.h"
#include "config/option_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nfovpn::config;
using testing::ElementsAre;
using testing::IsEmpty;

namespace {

std::vector<std::string> changes(std::string_view before, std::string_view now) {
    std::vector<std::string> out;
    for (const auto& change : changed_options(digest_options(options_of(before).directives),
                                              digest_options(options_of(now).directives)))
        out.push_back((change.removed ? "-" : "") + change.name + ":" +
                      std::to_string(change.line));
    return out;
}

} // namespace

TEST(Changes, OfLines) {
    const std::string file = "port 1194\n\n# a comment\npush \"a b\"\npush c\nverb 3\n";
    EXPECT_THAT(changes(file, file), IsEmpty());
    EXPECT_THAT(changes(file, "push 'a b' # quoted otherwise\nport 1194\npush c\n\nverb 3\n"),
                IsEmpty())
        << "where a line stands does not matter";
    EXPECT_THAT(changes(file, "port 443\npush \"a b\"\npush c\nverb 3\n"), ElementsAre("port:1"));
    EXPECT_THAT(changes(file, "port 1194\npush \"a b\"\nverb 3\n"), ElementsAre("-push:5"));
    EXPECT_THAT(changes(file, file + "push d\nmute 1\n"), ElementsAre("push:7", "mute:8"));
    EXPECT_THAT(changes("push \"a b\"\n", "push a b\n"), ElementsAre("push:1"));
    EXPECT_THAT(changes("<ca>\nx\n</ca>\n", "<ca>\ny\n</ca>\n"), ElementsAre("ca:1"));
}

TEST(Changes, TheOrderOfLinesOfOneOption) {
    EXPECT_THAT(changes("port 1\nport 2\n", "port 2\nport 1\n"), ElementsAre("port:1"));
    EXPECT_THAT(changes("port 1\nport 1\n", "port 1\n"), ElementsAre("-port:2"));
}

TEST(Changes, OfOptionsThatMayBeUnknown) {
    EXPECT_THAT(changes("setenv opt max-clients 7\n", "max-clients 7\n"), IsEmpty());
    EXPECT_THAT(changes("setenv opt port 7\n", "setenv opt port 8\n"), ElementsAre("port:1"));
    EXPECT_THAT(changes("setenv a 1\n", "setenv a 2\n"), ElementsAre("setenv:1"));
}

TEST(Changes, WhatNeedsARestart) {
    for (const char* option : {"port",
                               "lport",
                               "local",
                               "proto",
                               "dev",
                               "dev-type",
                               "topology",
                               "server",
                               "server-ipv6",
                               "ifconfig",
                               "ifconfig-pool-persist",
                               "route",
                               "tun-mtu",
                               "disable-dco",
                               "mark",
                               "passtos",
                               "management",
                               "management-client-auth",
                               "plugin",
                               "nf-control",
                               "nf-fastpath",
                               "up",
                               "route-up",
                               "cd",
                               "tls-server",
                               "no-such-option",
                               ""})
        EXPECT_FALSE(applies_in_place(option)) << option;
    for (const char* option :
         {"ca", "cert", "key", "crl-verify", "client-config-dir", "push", "max-clients",
          "auth-user-pass-verify", "log", "keepalive", "persist-tun"})
        EXPECT_TRUE(applies_in_place(option)) << option;
}

// A misspelt one would restart the server.
TEST(Changes, AllThatAppliesInPlaceIsKnown) {
    std::size_t in_place = 0;
    for (const auto& option : options())
        in_place +=
            applies_in_place(option.name) && option.treatment == Treatment::Supported ? 1 : 0;
    EXPECT_GE(in_place, 50U);
    for (const auto& option : options()) {
        if (!find_option(option.name, Role::Server))
            EXPECT_FALSE(applies_in_place(option.name)) << option.name << ": only a client has it";
    }
}

TEST(Changes, DigestForSessions) {
    const auto digest = [](std::string_view file) {
        return digest_for_sessions(digest_options(options_of(file).directives));
    };
    const auto first = digest("port 1194\nverb 3\ncert a\ntls-crypt k\n");
    EXPECT_EQ(first, digest("# a comment\nport 1194\ntls-crypt k\nverb 4\ncert b\npush c\n"))
        << "what can be applied to sessions";
    for (const auto* other :
         {"port 1195\nverb 3\ncert a\ntls-crypt k\n", "verb 3\ncert a\ntls-crypt k\n",
          "port 1194\nverb 3\ncert a\ntls-crypt l\n", "port 1194\nverb 3\ncert a\n",
          "port 1194\ntls-crypt k\nserver 10.8.0.0 255.255.255.0\n"})
        EXPECT_NE(first, digest(other)) << other;
    EXPECT_NE(digest("dev ab\n"), digest("dev a b\n"));
}
