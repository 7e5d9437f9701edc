// SPDX-License-Identifier: GPL-2.0-or-later
//
// Key method 2: both directions, cut at every byte, and malformed strings.

#include "wire/key_method2.h"

#include <gtest/gtest.h>

using namespace nfovpn;
using namespace nfovpn::wire;

namespace {

KeyMethod2 sample() {
    KeyMethod2 m;
    for (auto& byte : m.key_source.pre_master.writable())
        byte = 0x11;
    for (auto& byte : m.key_source.random1.writable())
        byte = 0x22;
    for (auto& byte : m.key_source.random2.writable())
        byte = 0x33;
    m.options = "V4,dev-type tun";
    m.peer_info = "IV_VER=2.7.8\nIV_PROTO=990\n";
    return m;
}

} // namespace

TEST(KeyMethod2, ClientMessageRoundTrip) {
    auto m = sample();
    m.username = "alice";
    m.password = SecretBytes(as_bytes("secret"));
    auto bytes = build_key_method2(m, Role::Client);
    // header, key source, then four strings of 2 + length + 1
    EXPECT_EQ(bytes.view().size(), 5U + 48 + 32 + 32 + 2 + 16 + 2 + 6 + 2 + 7 + 2 + 26 + 1);

    auto parsed = parse_key_method2(bytes.view(), Role::Client);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->consumed, bytes.view().size());
    EXPECT_EQ(parsed->message.options, m.options);
    EXPECT_EQ(parsed->message.username, "alice");
    EXPECT_EQ(as_text(parsed->message.password.view()), "secret");
    EXPECT_EQ(parsed->message.peer_info, m.peer_info);
    EXPECT_EQ(parsed->message.key_source.pre_master.view()[47], 0x11);
    EXPECT_EQ(parsed->message.key_source.random2.view()[31], 0x33);
}

TEST(KeyMethod2, ServerMessageHasNoPreMasterSecret) {
    auto bytes = build_key_method2(sample(), Role::Server);
    auto parsed = parse_key_method2(bytes.view(), Role::Server);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->message.key_source.random1.view()[0], 0x22);
    EXPECT_EQ(parsed->message.key_source.pre_master.view()[0], 0);
}

TEST(KeyMethod2, AnyPrefixIsIncompleteAndNothingElse) {
    auto bytes = build_key_method2(sample(), Role::Client);
    for (std::size_t length = 0; length < bytes.view().size(); length++) {
        auto parsed = parse_key_method2(bytes.view().first(length), Role::Client);
        ASSERT_FALSE(parsed) << length;
        EXPECT_EQ(parsed.error(), KeyMethod2Error::Incomplete) << length;
    }
}

TEST(KeyMethod2, WhatFollowsIsNotConsumed) {
    auto bytes = build_key_method2(sample(), Role::Client);
    auto length = bytes.view().size();
    bytes.append(as_bytes(std::string_view("PUSH_REQUEST\0", 13)));
    auto parsed = parse_key_method2(bytes.view(), Role::Client);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->consumed, length);
}

TEST(KeyMethod2, OtherMethodsAreRefusedAtOnce) {
    const Bytes method1 = {0, 0, 0, 0, 1};
    auto parsed = parse_key_method2(method1, Role::Client);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error(), KeyMethod2Error::BadHeader);
    const Bytes http = {'G', 'E', 'T', ' '};
    parsed = parse_key_method2(http, Role::Client);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error(), KeyMethod2Error::BadHeader);
}

TEST(KeyMethod2, StringsMustEndInTheirOnlyZero) {
    Bytes head = {0, 0, 0, 0, 2};
    head.resize(head.size() + 48 + 32 + 32);
    struct Case {
        Bytes tail;
        KeyMethod2Error error;
    };
    const Case cases[] = {
        {{0, 3, 'a', 'b', 'c'}, KeyMethod2Error::BadString},
        {{0, 3, 'a', 0, 0}, KeyMethod2Error::BadString},
        {{0xff, 0xff}, KeyMethod2Error::StringTooLong},
    };
    for (const auto& c : cases) {
        Bytes bytes = head;
        bytes.insert(bytes.end(), c.tail.begin(), c.tail.end());
        auto parsed = parse_key_method2(bytes, Role::Client);
        ASSERT_FALSE(parsed);
        EXPECT_EQ(parsed.error(), c.error);
    }
}
