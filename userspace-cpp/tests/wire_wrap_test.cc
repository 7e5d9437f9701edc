// SPDX-License-Identifier: GPL-2.0-or-later
//
// tls-auth, tls-crypt and tls-crypt-v2 as pure functions, against packets of a stock client.

#include "support/stock_packets.h"
#include "support/wrapped_key.h"
#include "wire/control_wrap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nfovpn;
using namespace nfovpn::test;
using namespace nfovpn::wire;
using testing::ElementsAreArray;

namespace {

StaticKey static_key() {
    return std::move(*parse_static_key(kStaticKey));
}

TlsCryptV2Key server_key() {
    return std::move(*parse_tls_crypt_v2_key(kTlsCryptV2ServerKey));
}

using Direction = ControlWrap::Direction;

ControlWrap tls_auth(Direction direction, const char* digest) {
    return std::move(*ControlWrap::tls_auth(static_key(), direction, digest));
}

// What all first packets of a client are, inside.
void expect_reset(const Unwrapped& opened, Opcode opcode, std::uint32_t id) {
    auto packet = parse_control(opened.plain);
    ASSERT_TRUE(packet) << to_string(packet.error());
    EXPECT_EQ(packet->opcode, opcode);
    EXPECT_EQ(packet->message_id, 0U);
    EXPECT_EQ(packet->acks.count, 0U);
    EXPECT_TRUE(packet->payload.empty());
    EXPECT_EQ(opened.id.id, id);
    EXPECT_NEAR(opened.id.time, 0x6b065a58, 5);
}

} // namespace

TEST(StaticKeyFile, KeysOfStockFiles) {
    auto key = parse_static_key(kStaticKey);
    ASSERT_TRUE(key);
    EXPECT_EQ(key->view().front(), 0xde);
    EXPECT_EQ(key->view()[16], 0x03);
    EXPECT_EQ(key->view().back(), 0x16);
    auto v2 = parse_tls_crypt_v2_key(kTlsCryptV2ServerKey);
    ASSERT_TRUE(v2);
    EXPECT_EQ(v2->view().front(), 0xb2);
    EXPECT_EQ(v2->view().back(), 0xe9);
}

TEST(StaticKeyFile, WhatIsNoKeyIsRefused) {
    const std::string good(kStaticKey);
    EXPECT_FALSE(parse_static_key(""));
    EXPECT_FALSE(parse_static_key(kTlsCryptV2ServerKey));
    EXPECT_FALSE(parse_tls_crypt_v2_key(kStaticKey));
    EXPECT_FALSE(parse_static_key(good.substr(0, good.find("-----END")))) << "no end";
    auto changed = [&](std::string_view from, std::string_view to) {
        auto text = good;
        return text.replace(text.find(from), from.size(), to);
    };
    EXPECT_TRUE(parse_static_key(changed("de7a", "DE7A"))) << "both cases";
    EXPECT_TRUE(parse_static_key(changed("\nde7a", "\r\n de7a")));
    EXPECT_FALSE(parse_static_key(changed("de7a", "ge7a"))) << "no digit";
    EXPECT_FALSE(parse_static_key(changed("de7a", "de7"))) << "half a byte less";
    EXPECT_FALSE(parse_static_key(changed("de7a", "de"))) << "a byte less";
    EXPECT_FALSE(parse_static_key(changed("de7a", "de7a00"))) << "a byte more";
    std::string v2(kTlsCryptV2ServerKey);
    v2.replace(v2.find("hek="), 4, "hev="); // bits that padding would drop
    EXPECT_FALSE(parse_tls_crypt_v2_key(v2));
}

TEST(ControlWrap, StockTlsAuth) {
    struct {
        Direction direction;
        const char* digest;
        std::string_view packet;
    } const cases[] = {{Direction::Normal, "SHA1", kTlsAuthSha1Inverse},
                       {Direction::Both, "SHA256", kTlsAuthSha256},
                       {Direction::Normal, "sha512", kTlsAuthSha512Inverse}};
    for (const auto& c : cases) {
        auto packet = from_hex(c.packet);
        auto opened = tls_auth(c.direction, c.digest).unwrap(packet);
        ASSERT_TRUE(opened) << c.digest << ": " << to_string(opened.error());
        expect_reset(*opened, Opcode::HardResetClientV2, 1);
        // Any other key, digest or direction is not it.
        EXPECT_FALSE(tls_auth(Direction::Inverse, "SHA1").unwrap(packet));
        EXPECT_FALSE(tls_auth(c.direction, "SHA384").unwrap(packet));
        // The other side of the same key makes the very same packet.
        auto other = c.direction == Direction::Normal ? Direction::Inverse : Direction::Both;
        EXPECT_THAT(tls_auth(other, c.digest).wrap(opened->plain, opened->id),
                    ElementsAreArray(packet));
    }
}

TEST(ControlWrap, StockTlsCrypt) {
    auto packet = from_hex(kTlsCrypt);
    auto opened = ControlWrap::tls_crypt(static_key(), Role::Server).unwrap(packet);
    ASSERT_TRUE(opened) << to_string(opened.error());
    expect_reset(*opened, Opcode::HardResetClientV2, 1);
    auto client = ControlWrap::tls_crypt(static_key(), Role::Client);
    EXPECT_FALSE(client.unwrap(packet)) << "a client does not read its own packets";
    EXPECT_THAT(client.wrap(opened->plain, opened->id), ElementsAreArray(packet));
    EXPECT_EQ(client.overhead(), packet.size() - opened->plain.size());
    EXPECT_EQ(client.overhead(), kTlsCryptOverhead);
}

TEST(ControlWrap, StockTlsCryptV2) {
    for (auto text : {kTlsCryptV2, kTlsCryptV2User}) {
        auto packet = from_hex(text);
        auto parts = split_wrapped_key(packet);
        ASSERT_TRUE(parts);
        auto client = unwrap_client_key(server_key(), parts->wrapped_key);
        ASSERT_TRUE(client) << to_string(client.error());
        if (text == kTlsCryptV2User) {
            EXPECT_EQ(client->metadata_type, kMetadataUser);
            EXPECT_EQ(as_text(client->metadata), "office 7");
            EXPECT_FALSE(client->made_at());
        } else {
            EXPECT_EQ(client->metadata_type, kMetadataTimestamp);
            ASSERT_TRUE(client->made_at());
            EXPECT_NEAR(static_cast<double>(*client->made_at()), 0x6b065a58, 60);
        }
        auto opened = ControlWrap::tls_crypt(client->key, Role::Server).unwrap(parts->datagram);
        ASSERT_TRUE(opened);
        expect_reset(*opened, Opcode::HardResetClientV3, 0x0f000001);
        EXPECT_TRUE(can_resend_key(opened->id));
        // Made the same way by ours.
        ByteWriter metadata;
        metadata.u8(*client->metadata_type);
        metadata.bytes(client->metadata);
        EXPECT_THAT(wrap_client_key(server_key(), client->key.view(), metadata.view()),
                    ElementsAreArray(parts->wrapped_key));
    }
    EXPECT_FALSE(can_resend_key({1, 0}));
    EXPECT_FALSE(can_resend_key({0x10000001, 0}));
}

TEST(ControlWrap, EveryBitCounts) {
    auto server = ControlWrap::tls_crypt(static_key(), Role::Server);
    auto auth = tls_auth(Direction::Normal, "SHA1");
    for (auto text : {kTlsCrypt, kTlsAuthSha1Inverse}) {
        auto packet = from_hex(text);
        const auto& wrap = text == kTlsCrypt ? server : auth;
        for (std::size_t bit = 0; bit < packet.size() * 8; bit++) {
            packet[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
            auto opened = wrap.unwrap(packet);
            ASSERT_FALSE(opened) << bit;
            EXPECT_EQ(opened.error(), WireError::NotAuthentic);
            packet[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
        }
        for (std::size_t length = 0; length < packet.size(); length++)
            ASSERT_FALSE(wrap.unwrap(ByteView(packet).first(length))) << length;
        ASSERT_TRUE(wrap.unwrap(packet));
    }
}

TEST(ControlWrap, EveryBitOfAWrappedKeyCounts) {
    auto packet = from_hex(kTlsCryptV2);
    auto parts = split_wrapped_key(packet);
    Bytes wrapped(parts->wrapped_key.begin(), parts->wrapped_key.end());
    for (std::size_t bit = 0; bit < wrapped.size() * 8; bit++) {
        wrapped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
        auto client = unwrap_client_key(server_key(), wrapped);
        ASSERT_FALSE(client) << bit;
        EXPECT_EQ(client.error(), WireError::BadClientKey);
        wrapped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    }
    for (std::size_t length = 0; length < packet.size(); length++) {
        auto some = split_wrapped_key(ByteView(packet).first(length));
        // Two bytes of ciphertext may be a length, but not one that fits the tag.
        EXPECT_FALSE(some && unwrap_client_key(server_key(), some->wrapped_key)) << length;
    }
}

TEST(ControlWrap, LengthsOfWrappedKeys) {
    const Bytes key(256, 7);
    auto split = [&](std::size_t length_field) {
        Bytes datagram(2000, 0x50);
        datagram[1998] = static_cast<std::uint8_t>(length_field >> 8);
        datagram[1999] = static_cast<std::uint8_t>(length_field);
        return split_wrapped_key(datagram);
    };
    EXPECT_FALSE(split(0));
    EXPECT_FALSE(split(289));
    ASSERT_TRUE(split(290));
    EXPECT_EQ(split(290)->datagram.size(), 1710U);
    EXPECT_TRUE(split(1024));
    EXPECT_FALSE(split(1025));
    EXPECT_FALSE(split(0xffff));

    auto unwrap = [&](const Bytes& metadata) {
        return unwrap_client_key(server_key(), wrap_client_key(server_key(), key, metadata));
    };
    auto empty = unwrap({});
    ASSERT_TRUE(empty) << "no metadata at all";
    EXPECT_FALSE(empty->metadata_type);
    EXPECT_FALSE(empty->made_at());
    EXPECT_TRUE(unwrap({0}));
    EXPECT_TRUE(unwrap(Bytes(734, 0))) << "the longest";
    EXPECT_FALSE(unwrap(Bytes(735, 0)));
    EXPECT_TRUE(unwrap(Bytes(9, 1)));
    EXPECT_FALSE(unwrap(Bytes(8, 1))) << "a time has eight bytes";
    EXPECT_FALSE(unwrap(Bytes(10, 1)));
    EXPECT_EQ(unwrap(timestamp_metadata(-5))->made_at(), -5);
    EXPECT_EQ(unwrap(timestamp_metadata(0x123456789))->made_at(), 0x123456789);
}

TEST(ControlWrap, DigestsOfTlsAuth) {
    auto usable = [](const char* name) {
        return ControlWrap::tls_auth(static_key(), Direction::Both, name).has_value();
    };
    for (const char* name : {"SHA1", "sha1", "SHA224", "SHA256", "SHA384", "SHA512", "MD5",
                             "RSA-SHA256", "BLAKE2b512", "SHA3-256"})
        EXPECT_TRUE(usable(name)) << name;
    for (const char* name : {"none", "", "nonsense", "SHAKE128"})
        EXPECT_FALSE(usable(name)) << name;
}

TEST(ResendKey, ServersMayAskForIt) {
    EXPECT_TRUE(asks_for_key(resend_key_request()));
    // Behind fields that are not known, and with other flags.
    const Bytes more = {0, 9, 0, 1, 7, 0, 1, 0, 2, 0, 3};
    EXPECT_TRUE(asks_for_key(more));
    const Bytes other_flags = {0, 1, 0, 2, 0, 2};
    EXPECT_FALSE(asks_for_key(other_flags));
    EXPECT_FALSE(asks_for_key({}));
    for (std::size_t length = 1; length < more.size(); length++)
        EXPECT_FALSE(asks_for_key(ByteView(more).first(length))) << length;
    const Bytes short_flags = {0, 1, 0, 1, 1};
    EXPECT_FALSE(asks_for_key(short_flags));
    EXPECT_TRUE(can_resend_key({kFirstIdThatCanResend, 0}));
}

TEST(TlsCryptV2ClientKeyFile, HasBothKeys) {
    auto key = parse_tls_crypt_v2_client_key(kTlsCryptV2ClientKey);
    ASSERT_TRUE(key);
    auto opened = unwrap_client_key(*parse_tls_crypt_v2_key(kTlsCryptV2ServerKey), key->wrapped);
    ASSERT_TRUE(opened);
    EXPECT_TRUE(
        std::equal(opened->key.view().begin(), opened->key.view().end(), key->key.view().begin()));
    EXPECT_TRUE(opened->made_at());
    // Cut short, or with a length that is not its own.
    const std::string text(kTlsCryptV2ClientKey);
    const auto end = text.find("\n-----END");
    EXPECT_FALSE(parse_tls_crypt_v2_client_key(text.substr(0, end)));
    EXPECT_FALSE(parse_tls_crypt_v2_client_key(text.substr(0, end - 8) + text.substr(end)));
    EXPECT_FALSE(parse_tls_crypt_v2_client_key(kTlsCryptV2ServerKey));
    EXPECT_FALSE(parse_tls_crypt_v2_client_key(""));
}

TEST(ReplayWindow, TakesEachOnceAndNothingOld) {
    ReplayWindow window;
    EXPECT_FALSE(window.accept({0, 50})) << "0 is no ID";
    EXPECT_TRUE(window.accept({5, 50}));
    EXPECT_FALSE(window.accept({5, 50}));
    EXPECT_TRUE(window.accept({4, 50})) << "overtaken";
    EXPECT_FALSE(window.accept({4, 50}));
    EXPECT_TRUE(window.accept({100, 50}));
    EXPECT_FALSE(window.accept({36, 50})) << "64 behind";
    EXPECT_TRUE(window.accept({37, 50}));
    EXPECT_FALSE(window.accept({200, 49})) << "of an earlier sequence";
    EXPECT_TRUE(window.accept({0xffffffff, 50}));
    EXPECT_TRUE(window.accept({0xfffffffe, 50}));
    EXPECT_FALSE(window.accept({100, 50}));
    EXPECT_TRUE(window.accept({1, 51})) << "a new one";
    EXPECT_FALSE(window.accept({1, 51}));
    EXPECT_FALSE(window.accept({0xfffffffd, 50}));
    EXPECT_TRUE(window.accept({2, 51}));
}
