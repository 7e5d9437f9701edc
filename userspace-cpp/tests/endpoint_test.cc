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

TEST(Ipv6, CountsOverBytes) {
    const Ipv6 base{parse_ipv6_prefix("fd00:8::/64")->address};
    EXPECT_EQ(to_string(base + 0), "fd00:8::");
    EXPECT_EQ(to_string(base + 0x1ff), "fd00:8::1ff");
    EXPECT_EQ(to_string(base + 0xffffffff + 1), "fd00:8::1:0:0");
    EXPECT_EQ(to_string(ipv6_prefix(base + 1, 128)), "fd00:8::1/128");
}

TEST(Endpoint, ToText) {
    EXPECT_EQ(to_string(Endpoint{*parse_ipv4("192.0.2.1"), 1194}), "192.0.2.1:1194");
    EXPECT_EQ(to_string(Endpoint{*parse_address("2001:db8::1"), 1194}), "[2001:db8::1]:1194");
    EXPECT_EQ(to_string(Endpoint{*parse_address("fe80::1"), 9, 2}), "[fe80::1%2]:9");
}

TEST(Address, OfEitherFamily) {
    const auto ipv4 = parse_address("192.0.2.1");
    ASSERT_TRUE(ipv4);
    EXPECT_TRUE(ipv4->is_ipv4());
    EXPECT_EQ(ipv4->ipv4(), *parse_ipv4("192.0.2.1"));
    EXPECT_EQ(*ipv4, *parse_address("::ffff:192.0.2.1")) << "as a socket of IPv6 tells it";
    EXPECT_FALSE(parse_address("::192.0.2.1")->is_ipv4());
    EXPECT_FALSE(Address(Ipv6{}).is_ipv4());
    for (const char* text : {"", "192.0.2", "2001:db8::/32", "fe80::1%eth0", "host"})
        EXPECT_FALSE(parse_address(text)) << text;
}

TEST(Address, SourcesAreIpv4AddressesAndIpv6Networks) {
    auto source = [](const char* text) { return source_of(*parse_address(text)); };
    EXPECT_NE(source("192.0.2.1"), source("192.0.2.2"));
    EXPECT_EQ(source("2001:db8::1"), source("2001:db8::ffff:0:0:1"));
    EXPECT_NE(source("2001:db8::1"), source("2001:db8:0:1::1"));
}

TEST(Endpoint, HashesDiffer) {
    const std::hash<Endpoint> hash;
    const Endpoint one{*parse_address("2001:db8::1"), 1};
    EXPECT_NE(hash(one), hash({*parse_address("2001:db8::2"), 1}));
    EXPECT_NE(hash(one), hash({*parse_address("2001:db8::1"), 2}));
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
