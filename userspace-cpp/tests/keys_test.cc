// SPDX-License-Identifier: GPL-2.0-or-later
//
// Key derivation: the TLS 1.0 PRF against a published vector and against its definition, the
// layout of the key material, and that both ends of a TLS session export the same.

#include "session/keys.h"
#include "support/pki.h"
#include "support/simulation.h"

#include <gtest/gtest.h>
#include <openssl/hmac.h>

using namespace nfovpn;
using namespace nfovpn::session;
using namespace nfovpn::test;

namespace {

Bytes hmac(const EVP_MD* digest, ByteView key, ByteView data) {
    Bytes out(static_cast<std::size_t>(EVP_MD_get_size(digest)));
    unsigned length = 0;
    HMAC(digest, key.data(), static_cast<int>(key.size()), data.data(), data.size(), out.data(),
         &length);
    return out;
}

// RFC 2246, section 5, word by word.
Bytes p_hash(const EVP_MD* digest, ByteView secret, ByteView seed, std::size_t length) {
    Bytes out;
    Bytes a(seed.begin(), seed.end());
    while (out.size() < length) {
        a = hmac(digest, secret, a);
        Bytes input = a;
        input.insert(input.end(), seed.begin(), seed.end());
        auto block = hmac(digest, secret, input);
        out.insert(out.end(), block.begin(), block.end());
    }
    out.resize(length);
    return out;
}

Bytes reference_prf(ByteView secret, ByteView seed, std::size_t length) {
    auto half = (secret.size() + 1) / 2;
    auto md5 = p_hash(EVP_md5(), secret.first(half), seed, length);
    auto sha1 = p_hash(EVP_sha1(), secret.last(half), seed, length);
    for (std::size_t i = 0; i < length; i++)
        md5[i] ^= sha1[i];
    return md5;
}

} // namespace

TEST(Tls1Prf, PublishedVector) {
    // The vector that circulates for RFC 2246's PRF: 48 times 0xab, label "PRF Testvector",
    // 64 times 0xcd; 104 bytes of output.
    const Bytes secret(48, 0xab);
    Bytes seed;
    for (char c : std::string_view("PRF Testvector"))
        seed.push_back(static_cast<std::uint8_t>(c));
    seed.insert(seed.end(), 64, 0xcd);
    const Bytes expected = {
        0xd3, 0xd4, 0xd1, 0xe3, 0x49, 0xb5, 0xd5, 0x15, 0x04, 0x46, 0x66, 0xd5, 0x1d, 0xe3, 0x2b,
        0xab, 0x25, 0x8c, 0xb5, 0x21, 0xb6, 0xb0, 0x53, 0x46, 0x3e, 0x35, 0x48, 0x32, 0xfd, 0x97,
        0x67, 0x54, 0x44, 0x3b, 0xcf, 0x9a, 0x29, 0x65, 0x19, 0xbc, 0x28, 0x9a, 0xbc, 0xbc, 0x11,
        0x87, 0xe4, 0xeb, 0xd3, 0x1e, 0x60, 0x23, 0x53, 0x77, 0x6c, 0x40, 0x8a, 0xaf, 0xb7, 0x4c,
        0xbc, 0x85, 0xef, 0xf6, 0x92, 0x55, 0xf9, 0x78, 0x8f, 0xaa, 0x18, 0x4c, 0xbb, 0x95, 0x7a,
        0x98, 0x19, 0xd8, 0x4a, 0x5d, 0x7e, 0xb0, 0x06, 0xeb, 0x45, 0x9d, 0x3a, 0xe8, 0xde, 0x98,
        0x10, 0x45, 0x4b, 0x8b, 0x2d, 0x8f, 0x1a, 0xfb, 0xc6, 0x55, 0xa8, 0xc9, 0xa0, 0x13};
    Bytes out(expected.size());
    ASSERT_TRUE(tls1_prf(secret, seed, out));
    EXPECT_EQ(out, expected);
    EXPECT_EQ(reference_prf(secret, seed, out.size()), expected);
}

TEST(Tls1Prf, KeysFollowTheFormula) {
    wire::KeySource client;
    wire::KeySource server;
    auto fill = [](auto& array, std::uint8_t first) {
        for (auto& byte : array.writable())
            byte = first++;
    };
    fill(client.pre_master, 1);
    fill(client.random1, 60);
    fill(client.random2, 100);
    fill(server.random1, 140);
    fill(server.random2, 180);
    const wire::SessionId client_id = {1, 2, 3, 4, 5, 6, 7, 8};
    const wire::SessionId server_id = {9, 8, 7, 6, 5, 4, 3, 2};

    auto join = [](std::initializer_list<ByteView> parts) {
        Bytes out;
        for (auto part : parts)
            out.insert(out.end(), part.begin(), part.end());
        return out;
    };
    auto master = reference_prf(
        client.pre_master.view(),
        join({as_bytes("OpenVPN master secret"), client.random1.view(), server.random1.view()}),
        48);
    auto expected = reference_prf(master,
                                  join({as_bytes("OpenVPN key expansion"), client.random2.view(),
                                        server.random2.view(), client_id, server_id}),
                                  256);
    KeyMaterial material;
    ASSERT_TRUE(derive_by_prf(client, server, client_id, server_id, material));
    EXPECT_EQ(Bytes(material.view().begin(), material.view().end()), expected);
}

TEST(KeyLayout, WhatOneSideEncryptsTheOtherDecrypts) {
    KeyMaterial material;
    std::uint8_t next = 0;
    for (auto& byte : material.writable())
        byte = next++;
    for (auto cipher : {DataCipher::Aes128Gcm, DataCipher::Aes192Gcm, DataCipher::Aes256Gcm,
                        DataCipher::ChaCha20Poly1305}) {
        auto client = slice_keys(material, {cipher}, wire::Role::Client);
        auto server = slice_keys(material, {cipher}, wire::Role::Server);
        auto length = cipher_key_length(cipher);
        ASSERT_EQ(client.encrypt.cipher_key.view().size(), length);
        EXPECT_EQ(client.encrypt.cipher_key.view()[0], 0) << "client to server comes first";
        EXPECT_EQ(client.encrypt.implicit_iv.view()[0], 64) << "from the HMAC part";
        EXPECT_EQ(server.encrypt.cipher_key.view()[0], 128);
        EXPECT_EQ(server.encrypt.implicit_iv.view()[0], 192);
        const Bytes text = {0x45, 1, 2, 3};
        EXPECT_EQ(decrypt_data(server, encrypt_data(client, 0, 5, 1, text)), text);
        EXPECT_EQ(decrypt_data(client, encrypt_data(server, 0, 5, 1, text)), text);
        EXPECT_FALSE(decrypt_data(client, encrypt_data(client, 0, 5, 1, text)));
    }
}

TEST(KeyLayout, EveryFormatBothWays) {
    KeyMaterial material;
    std::uint8_t next = 0;
    for (auto& byte : material.writable())
        byte = next++;
    const DataFormat formats[] = {
        {DataCipher::Aes128Gcm, DataAuth::None, true},
        {DataCipher::ChaCha20Poly1305, DataAuth::None, true},
        {DataCipher::Aes128Cbc, DataAuth::Sha1},
        {DataCipher::Aes192Cbc, DataAuth::Sha256},
        {DataCipher::Aes256Cbc, DataAuth::Sha256},
        {DataCipher::None, DataAuth::Sha256},
        {DataCipher::None, DataAuth::None},
    };
    const Bytes text = {0x50, 1, 2, 3};
    for (const auto& format : formats) {
        SCOPED_TRACE(cipher_name(format.cipher));
        auto client = slice_keys(material, format, wire::Role::Client);
        auto server = slice_keys(material, format, wire::Role::Server);
        auto length = format.epochs ? 32 : cipher_key_length(format.cipher);
        EXPECT_EQ(client.encrypt.cipher_key.view().size(), length);
        ASSERT_EQ(client.encrypt.auth_key.view().size(), auth_length(format.auth));
        if (format.auth != DataAuth::None) {
            EXPECT_EQ(client.encrypt.auth_key.view()[0], 64);
            EXPECT_EQ(server.encrypt.auth_key.view()[0], 192);
        }
        for (auto framing : {Framing::None, Framing::Stub, Framing::StubSwap, Framing::StubV2}) {
            for (bool data_v1 : {false, true}) {
                PacketShape shape{data_v1, framing};
                auto packet = encrypt_data(client, 0, 5, 1, text, shape);
                EXPECT_EQ(decrypt_data(server, packet, shape), text);
                packet.back() ^= 1;
                if (is_aead(format.cipher) || format.auth != DataAuth::None) {
                    EXPECT_FALSE(decrypt_data(server, packet, shape));
                }
            }
        }
    }
}

TEST(CipherNames, InAnyCase) {
    EXPECT_EQ(cipher_by_name("aes-256-gcm"), DataCipher::Aes256Gcm);
    EXPECT_EQ(cipher_by_name("ChaCha20-Poly1305"), DataCipher::ChaCha20Poly1305);
    EXPECT_FALSE(cipher_by_name("BF-CBC"));
    EXPECT_FALSE(cipher_by_name("AES-256-GCM2"));
    EXPECT_FALSE(cipher_by_name(""));
}

class TlsVersions : public testing::TestWithParam<int> {};

TEST_P(TlsVersions, BothEndsExportTheSame) {
    Authority authority;
    auto server_config = authority.config(wire::Role::Server, "server");
    server_config.max_version = GetParam();
    auto server_context = make_context(server_config);
    auto client_context = make_context(authority.config(wire::Role::Client, "client"));
    TlsStream server(*server_context);
    TlsStream client(*client_context);
    for (int i = 0; i < 10; i++) {
        client.handshake();
        server.feed(client.drain(65536));
        server.handshake();
        client.feed(server.drain(65536));
    }
    ASSERT_TRUE(server.established()) << server.failure();
    ASSERT_TRUE(client.established()) << client.failure();
    EXPECT_EQ(server.peer_common_name(), "client");
    EXPECT_EQ(client.peer_common_name(), "server");
    EXPECT_EQ(server.version(), GetParam() == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
    KeyMaterial a;
    KeyMaterial b;
    ASSERT_TRUE(server.export_keys(a));
    ASSERT_TRUE(client.export_keys(b));
    EXPECT_TRUE(std::equal(a.view().begin(), a.view().end(), b.view().begin()));
    EXPECT_NE(a.view()[0] | a.view()[1] | a.view()[2] | a.view()[3], 0);
}

INSTANTIATE_TEST_SUITE_P(Tls, TlsVersions, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));
