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
