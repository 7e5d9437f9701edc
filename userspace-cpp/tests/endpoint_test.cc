// SPDX-License-Identifier: GPL-2.0-or-later
//
// Addresses: what is accepted as text, and the netmask arithmetic that pools rely on.

#include "util/endpoint.h"

#include <gtest/gtest.h>

using namespace nfovpn;

TEST(Ipv4, ParsesADottedQuad) {
    EXPECT_EQ(parse_ipv4("10.8.0.1"), Ipv4{0x0a080001});
    EXPECT_EQ(parse_ipv4("255.255.255.255"), Ipv4{0xffffffff});
    EXPECT_EQ(to_string(Ipv4{0x0a080001}), "10.8.0.1");
}

TEST(Ipv4, RefusesEverythingElse) {
    for (const char* text : {"", "10", "10.8.0", "10.8.0.", "10.8.0.256", "10.8.0.1 ", " 10.8.0.1",
                             "10.8.0.1.2", "010.8.0.1", "10.8.0.x", "-1.2.3.4", "1..2.3"})
        EXPECT_FALSE(parse_ipv4(text)) << '"' << text << '"';
}

TEST(Ipv4, PrefixLengthOfContiguousMasksOnly) {
    EXPECT_EQ(prefix_length(*parse_ipv4("255.255.255.0")), 24);
    EXPECT_EQ(prefix_length(*parse_ipv4("0.0.0.0")), 0);
    EXPECT_EQ(prefix_length(*parse_ipv4("255.255.255.255")), 32);
    EXPECT_FALSE(prefix_length(*parse_ipv4("255.0.255.0")));
    EXPECT_FALSE(prefix_length(*parse_ipv4("0.0.0.255")));
}

TEST(Endpoint, ToText) {
    EXPECT_EQ(to_string(Endpoint{*parse_ipv4("192.0.2.1"), 1194}), "192.0.2.1:1194");
}

TEST(Prefix, TextAndBack) {
    EXPECT_EQ(to_string(ipv4_prefix(*parse_ipv4("10.1.0.0"), 16)), "10.1.0.0/16");
    for (const char* text : {"::/0", "2001:db8::/32", "fd00:1:2:3::/64", "fd00::1/128"}) {
        auto prefix = parse_ipv6_prefix(text);
        ASSERT_TRUE(prefix) << text;
        EXPECT_EQ(to_string(*prefix), text);
    }
    for (const char* text : {"", "/", "::", "2001:db8::1/32", "fd00::/129", "fd00::/-1", "fd00::/",
                             "10.1.0.0/16", "fd00::/6x", "fd00::/7 "})
        EXPECT_FALSE(parse_ipv6_prefix(text)) << text;
}
