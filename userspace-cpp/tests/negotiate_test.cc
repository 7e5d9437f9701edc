// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is decided from what a client says about itself, and what it is then told.

#include "session/negotiate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nfovpn;
using namespace nfovpn::session;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

namespace {

constexpr auto kOptions = "V4,dev-type tun,link-mtu 1541,tun-mtu 1500,proto UDPv4,auth SHA1,"
                          "keysize 128,key-method 2,tls-client";
constexpr auto kCompressing = "V4,dev-type tun,tun-mtu 1500,proto UDPv4,comp-lzo,auth SHA1,"
                              "keysize 128,key-method 2,tls-client";
constexpr auto kCiphers = "IV_CIPHERS=AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305:AES-256-CBC:none\n";

// OpenVPN 2.7, and 2.6 with kernel offload, which frames nothing.
const auto k27 = std::string("IV_VER=2.7.8\nIV_MTU=1600\nIV_NCP=2\nIV_PROTO=8094\n") + kCiphers +
                 "IV_LZO_STUB=1\nIV_COMP_STUB=1\nIV_COMP_STUBv2=1\n";
const auto k26 = std::string("IV_VER=2.6.14\nIV_MTU=1600\nIV_NCP=2\nIV_PROTO=990\n") + kCiphers;

Result<DataChannelChoice, NegotiationRefusal> agree(const NegotiationSettings& settings,
                                                    const std::string& peer_info,
                                                    std::string_view options = kOptions) {
    return negotiate(settings, wire::parse_peer_info(peer_info), options);
}

std::vector<std::string> pushed(const DataChannelChoice& choice) {
    PushContents contents;
    contents.peer_id = 7;
    return push_options(contents, choice);
}

NegotiationSettings with_ciphers(std::vector<DataCipher> ciphers) {
    NegotiationSettings settings;
    settings.data_ciphers = std::move(ciphers);
    return settings;
}

} // namespace

TEST(Negotiate, EpochsForWhoKnowsThem) {
    auto choice = agree({}, k27);
    ASSERT_TRUE(choice);
    EXPECT_TRUE(choice->format.epochs);
    EXPECT_THAT(pushed(*choice), Contains("protocol-flags cc-exit tls-ekm aead-epoch"));
    EXPECT_EQ(describe(*choice), "AES-256-GCM with epochs");

    auto older = agree({}, k26);
    ASSERT_TRUE(older);
    EXPECT_FALSE(older->format.epochs);
    EXPECT_THAT(pushed(*older), Contains("protocol-flags cc-exit tls-ekm"));
}

TEST(Negotiate, EpochsNeedAeadAndTheTlsExport) {
    auto cbc = agree(with_ciphers({DataCipher::Aes256Cbc}), k27);
    ASSERT_TRUE(cbc);
    EXPECT_FALSE(cbc->format.epochs);
    EXPECT_THAT(pushed(*cbc), Contains("protocol-flags cc-exit tls-ekm"));

    NegotiationSettings prf;
    prf.tls_export = false;
    auto without = agree(prf, k27);
    ASSERT_TRUE(without);
    EXPECT_FALSE(without->format.epochs);

    // DATA_V2, key export and epochs, but no cc-exit: the two flags have options of their own.
    auto odd = agree({}, std::string("IV_PROTO=1034\n") + kCiphers);
    ASSERT_TRUE(odd);
    EXPECT_TRUE(odd->format.epochs);
    EXPECT_THAT(pushed(*odd), Contains("key-derivation tls-ekm"));
    EXPECT_THAT(pushed(*odd), Contains("protocol-flags aead-epoch"));
}

TEST(Negotiate, CbcWithTheConfiguredAuth) {
    auto settings = with_ciphers({DataCipher::Aes256Cbc});
    settings.auth = DataAuth::Sha256;
    auto choice = agree(settings, k26, "V4,auth SHA256,keysize 128");
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->format.cipher, DataCipher::Aes256Cbc);
    EXPECT_EQ(choice->format.auth, DataAuth::Sha256);
    EXPECT_THAT(choice->doubts, IsEmpty());
    EXPECT_THAT(pushed(*choice), Contains("cipher AES-256-CBC"));
    EXPECT_THAT(server_options_string(1500, *choice), HasSubstr(",auth SHA256,keysize 256,"));

    auto other = agree(settings, k26, "V4,auth SHA1,keysize 128");
    ASSERT_TRUE(other);
    EXPECT_THAT(other->doubts, ElementsAre("its auth is SHA1, ours is SHA256"));

    auto aead = agree({}, k26, "V4,auth SHA512");
    ASSERT_TRUE(aead);
    EXPECT_EQ(aead->format.auth, DataAuth::None);
    EXPECT_THAT(aead->doubts, IsEmpty()) << "unused with AEAD";
}

TEST(Negotiate, FallbackForWhoCannotNegotiate) {
    auto settings = with_ciphers({DataCipher::Aes256Gcm});
    settings.fallback_cipher = DataCipher::Aes128Cbc;
    // OpenVPN 2.3: no IV_NCP; says its cipher, or nothing
    for (const char* options : {"V4,cipher AES-128-CBC,auth SHA1", "V4,auth SHA1"}) {
        auto choice = agree(settings, "IV_VER=2.3.18\nIV_PROTO=2\n", options);
        ASSERT_TRUE(choice) << options;
        EXPECT_EQ(choice->format.cipher, DataCipher::Aes128Cbc);
        EXPECT_EQ(choice->format.auth, DataAuth::Sha1);
        EXPECT_EQ(choice->derivation, KeyDerivation::Tls1Prf);
        EXPECT_THAT(pushed(*choice), Not(Contains(StartsWith("cipher"))));
        EXPECT_THAT(server_options_string(1500, *choice),
                    HasSubstr(",cipher AES-128-CBC,auth SHA1,keysize 128,"));
    }
    EXPECT_FALSE(agree(settings, "IV_PROTO=2\n", "V4,cipher BF-CBC,auth SHA1"));
    EXPECT_FALSE(agree(settings, "IV_PROTO=2\nIV_CIPHERS=AES-128-CBC\n"));
    // Its own cipher, if that is one of the negotiable ones.
    auto own = agree(settings, "IV_PROTO=2\n", "V4,cipher AES-256-GCM,auth [null-digest]");
    ASSERT_TRUE(own);
    EXPECT_EQ(own->format.cipher, DataCipher::Aes256Gcm);
}

TEST(Negotiate, NoneOnlyIfBothSaySo) {
    auto settings = with_ciphers({DataCipher::None});
    settings.auth = DataAuth::None;
    auto choice = agree(settings, k26);
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->format.cipher, DataCipher::None);
    EXPECT_THAT(pushed(*choice), Contains("cipher none"));
    EXPECT_FALSE(agree(settings, "IV_PROTO=990\nIV_CIPHERS=AES-256-GCM\n"));
}

TEST(Negotiate, DataV1ForWhoKnowsNoPeerId) {
    auto choice = agree({}, "IV_VER=2.3.2\nIV_NCP=2\n");
    ASSERT_TRUE(choice);
    EXPECT_TRUE(choice->data_v1);
    EXPECT_THAT(pushed(*choice), Not(Contains(StartsWith("peer-id"))));
    auto modern = agree({}, k26);
    ASSERT_TRUE(modern);
    EXPECT_FALSE(modern->data_v1);
    EXPECT_THAT(pushed(*modern), Contains("peer-id 7"));
}

TEST(Framing, CompressingClientsAreMigrated) {
    auto modern = agree({}, k27, kCompressing);
    ASSERT_TRUE(modern);
    EXPECT_EQ(modern->framing, Framing::StubV2);
    EXPECT_THAT(pushed(*modern), Contains("compress stub-v2"));
    EXPECT_THAT(server_options_string(1500, *modern), HasSubstr(",comp-lzo,"));

    auto old = agree({}, "IV_PROTO=2\nIV_NCP=2\nIV_LZO=1\n", kCompressing);
    ASSERT_TRUE(old);
    EXPECT_EQ(old->framing, Framing::Stub);
    EXPECT_THAT(pushed(*old), Contains("comp-lzo no"));

    auto plain = agree({}, k27);
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->framing, Framing::None);
    EXPECT_THAT(pushed(*plain), Not(Contains(StartsWith("comp"))));
    EXPECT_THAT(server_options_string(1500, *plain), Not(HasSubstr("comp-lzo")));
}

TEST(Framing, TheServersOwnIsForAll) {
    for (auto framing : {Framing::Stub, Framing::StubSwap, Framing::StubV2}) {
        SCOPED_TRACE(framing_option(framing));
        NegotiationSettings settings;
        settings.framing = framing;
        auto same = agree(settings, k27, kCompressing);
        ASSERT_TRUE(same);
        EXPECT_EQ(same->framing, framing);
        EXPECT_THAT(same->doubts, IsEmpty());
        EXPECT_THAT(pushed(*same), Not(Contains(StartsWith("comp"))));

        // One without it could read what has no byte in front only.
        auto other = agree(settings, k27);
        ASSERT_TRUE(other);
        EXPECT_EQ(other->framing, framing);
        EXPECT_EQ(other->doubts.empty(), framing == Framing::StubV2);

        settings.push_framing = true;
        auto told = agree(settings, k27);
        ASSERT_TRUE(told);
        EXPECT_THAT(told->doubts, IsEmpty());
        EXPECT_THAT(pushed(*told), Contains(std::string(framing_option(framing))));
        auto deaf = agree(settings, k26);
        ASSERT_TRUE(deaf);
        EXPECT_THAT(deaf->doubts, ElementsAre(HasSubstr("does not announce")));
    }
}

TEST(PushedRoutes, ThoseToANetworkAreFound) {
    auto network = ipv4_prefix(*parse_ipv4("10.1.0.0"), 16);
    EXPECT_TRUE(is_route_to("route 10.1.0.0 255.255.0.0", network));
    EXPECT_TRUE(is_route_to("route 10.1.0.0 255.255.0.0 vpn_gateway 5", network));
    EXPECT_FALSE(is_route_to("route 10.1.0.0 255.255.255.0", network));
    EXPECT_FALSE(is_route_to("route 10.1.0.0", network));
    EXPECT_FALSE(is_route_to("route-gateway 10.1.0.0", network));
    EXPECT_FALSE(is_route_to("route", network));
    EXPECT_TRUE(is_route_to("route 10.9.0.1", ipv4_prefix(*parse_ipv4("10.9.0.1"), 32)));
    EXPECT_TRUE(is_route_to("route-ipv6 fd00:1::/64", *parse_ipv6_prefix("fd00:1::/64")));
    EXPECT_FALSE(is_route_to("route-ipv6 fd00:1::/48", *parse_ipv6_prefix("fd00:1::/64")));
}

// ---- point-to-point

namespace {

// OpenVPN 2.7 (which names the peer ID that it wants) and 2.6 as such peers.
const auto k27Peer = std::string("ID=5a3c\n") + kCiphers + "IV_PROTO=13994\n";
const auto k26Peer = std::string(kCiphers) + "IV_PROTO=746\n";

Result<DataChannelChoice, NegotiationRefusal> agree_as(wire::Role own,
                                                       const NegotiationSettings& settings,
                                                       const std::string& theirs,
                                                       std::string_view options = kOptions) {
    return agree_point_to_point(settings, own, wire::parse_peer_info(theirs), options);
}

} // namespace

TEST(PointToPoint, AgreesWithStockPeers) {
    auto newest = agree_as(wire::Role::Client, {}, k27Peer);
    ASSERT_TRUE(newest);
    EXPECT_EQ(describe(*newest), "AES-256-GCM with epochs");
    EXPECT_EQ(newest->derivation, KeyDerivation::TlsExport);
    EXPECT_TRUE(newest->cc_exit);

    auto older = agree_as(wire::Role::Server, {}, k26Peer);
    ASSERT_TRUE(older);
    EXPECT_EQ(describe(*older), "AES-256-GCM");
    EXPECT_EQ(older->derivation, KeyDerivation::TlsExport);
    EXPECT_FALSE(older->data_v1);
}

TEST(PointToPoint, TheTlsServersOrderCounts) {
    const auto settings = with_ciphers({DataCipher::ChaCha20Poly1305, DataCipher::Aes128Gcm});
    EXPECT_EQ(agree_as(wire::Role::Server, settings, k27Peer)->format.cipher,
              DataCipher::ChaCha20Poly1305);
    EXPECT_EQ(agree_as(wire::Role::Client, settings, k27Peer)->format.cipher,
              DataCipher::Aes128Gcm);
}

TEST(PointToPoint, PeersThatDoNotNegotiateGetTheOldFormat) {
    auto settings = with_ciphers({DataCipher::Aes256Gcm});
    settings.fallback_cipher = DataCipher::Aes256Cbc;
    // OpenVPN 2.4 and 2.5 say nothing about themselves to such a peer.
    auto choice = agree_as(wire::Role::Client, settings, "", "V4,cipher AES-256-CBC,auth SHA1");
    ASSERT_TRUE(choice);
    EXPECT_EQ(describe(*choice), "AES-256-CBC SHA1, without peer ID");
    EXPECT_EQ(choice->derivation, KeyDerivation::Tls1Prf);
    EXPECT_FALSE(choice->cc_exit);

    // One that is set up as a client of a server cannot know what is agreed here.
    auto client = agree_as(wire::Role::Server, settings, k27);
    ASSERT_TRUE(client);
    EXPECT_EQ(client->derivation, KeyDerivation::Tls1Prf);
    EXPECT_TRUE(client->data_v1);
    EXPECT_FALSE(client->format.epochs);
}

TEST(PointToPoint, WithoutACommonCipherThereIsNone) {
    const auto settings = with_ciphers({DataCipher::ChaCha20Poly1305});
    auto choice =
        agree_as(wire::Role::Server, settings, "IV_CIPHERS=AES-256-GCM:BF-CBC\nIV_PROTO=746\n");
    ASSERT_FALSE(choice);
    EXPECT_THAT(choice.error().reason, HasSubstr("no data cipher is among those of both"));
    choice = agree_as(wire::Role::Client, settings, "");
    ASSERT_FALSE(choice);
    EXPECT_THAT(choice.error().reason, HasSubstr("data-ciphers-fallback"));
}

// Whatever the settings of both, they decide alike or not at all.
TEST(PointToPoint, BothDecideAlike) {
    const std::vector<NegotiationSettings> all = [] {
        std::vector<NegotiationSettings> out = {
            {},
            with_ciphers({DataCipher::ChaCha20Poly1305, DataCipher::Aes256Gcm}),
            with_ciphers({DataCipher::Aes256Cbc, DataCipher::Aes256Gcm}),
            with_ciphers({DataCipher::Aes256Cbc})};
        for (std::size_t i = 0, n = out.size(); i < n; i++) {
            out.push_back(out[i]);
            out.back().tls_export = false;
        }
        return out;
    }();
    unsigned agreed = 0;
    for (const auto& server : all) {
        for (const auto& client : all) {
            auto a = agree_as(wire::Role::Server, server, point_to_point_info(client));
            auto b = agree_as(wire::Role::Client, client, point_to_point_info(server));
            ASSERT_EQ(static_cast<bool>(a), static_cast<bool>(b));
            if (!a)
                continue;
            agreed++;
            EXPECT_EQ(describe(*a), describe(*b));
            EXPECT_EQ(a->derivation, b->derivation);
            EXPECT_EQ(a->cc_exit, b->cc_exit);
        }
    }
    EXPECT_GT(agreed, 40U);
}
