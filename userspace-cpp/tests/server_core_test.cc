// SPDX-License-Identifier: GPL-2.0-or-later
//
// The server with clients on a simulated network: handshakes, keys, renegotiation under loss
// without a lost data packet, limits, and clients that misbehave.

#include "support/simulation.h"
#include "support/stock_packets.h"
#include "support/wrapped_key.h"
#include "util/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nfovpn;
using namespace nfovpn::test;
using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace {

const Bytes kPacket = {0x45, 0, 0, 20, 1, 2, 3, 4};

class ServerCoreTest : public testing::Test {
protected:
    void SetUp() override { log::set_level(log::Level::Off); }

    bool connect(Host& host, Duration limit = 60s) {
        return sim.run_until([&] { return host.client->connected(); }, limit);
    }

    Simulation sim;
};

} // namespace

TEST_F(ServerCoreTest, HandshakeGivesBothTheSameKeys) {
    sim.start_server();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(connect(host));
    auto& client = *host.client;
    EXPECT_THAT(client.messages,
                ElementsAre("PUSH_REPLY,route-gateway 10.8.0.1,topology subnet,"
                            "ifconfig 10.8.0.2 255.255.255.0,peer-id 0,cipher AES-256-GCM,"
                            "protocol-flags cc-exit tls-ekm,tun-mtu 1500"));
    // The peer is known before it has keys (R3), and has keys before the client can use them.
    EXPECT_THAT(sim.plane.calls, ElementsAre("add 0", "key 0 primary 0", "keepalive 0"));
    EXPECT_EQ(sim.plane.peers.at(0).peer.path.remote, host.endpoint);
    EXPECT_EQ(sim.plane.peers.at(0).peer.address, *parse_ipv4("10.8.0.2"));
    EXPECT_EQ(sim.plane.peers.at(0).keepalive.interval, 10U);
    EXPECT_EQ(sim.plane.peers.at(0).keepalive.timeout, 120U);

    ASSERT_TRUE(client.send_data(kPacket));
    ASSERT_TRUE(sim.send_data(0, kPing));
    sim.run(1s);
    EXPECT_THAT(sim.at_server, ElementsAre(kPacket));
    EXPECT_THAT(client.received, ElementsAre(kPing));
    auto status = sim.core->clients(sim.now);
    ASSERT_EQ(status.size(), 1U);
    EXPECT_EQ(status[0].common_name, "alice");
    EXPECT_EQ(status[0].cipher, "AES-256-GCM");
}

TEST_F(ServerCoreTest, OldClientGetsKeysByThePrf) {
    sim.start_server();
    auto& host = sim.add_client("old", "IV_VER=2.4.12\nIV_PROTO=2\nIV_NCP=2\n");
    host.client->request_push = true;
    ASSERT_TRUE(connect(host));
    EXPECT_THAT(host.client->messages,
                ElementsAre("PUSH_REPLY,route-gateway 10.8.0.1,topology subnet,"
                            "ifconfig 10.8.0.2 255.255.255.0,peer-id 0,cipher AES-256-GCM"));
    host.client->send_data(kPacket);
    sim.run(1s);
    EXPECT_THAT(sim.at_server, ElementsAre(kPacket));
    // And again with the old way at a renegotiation.
    host.client->renegotiate(sim.now);
    sim.run(5s);
    EXPECT_EQ(host.client->keys_generated, 2U);
    host.client->send_data(kPacket);
    sim.send_data(0, kPing);
    sim.run(1s);
    EXPECT_EQ(sim.at_server.size(), 2U);
    EXPECT_EQ(host.client->received.size(), 1U);
}

TEST_F(ServerCoreTest, KeyExportWithoutProtocolFlags) {
    sim.start_server();
    auto& host = sim.add_client("middle", "IV_PROTO=14\nIV_CIPHERS=AES-128-GCM\n"); // no cc-exit
    ASSERT_TRUE(connect(host));
    EXPECT_THAT(host.client->messages.at(0),
                HasSubstr("cipher AES-128-GCM,key-derivation tls-ekm"));
    host.client->send_data(kPacket);
    sim.run(1s);
    EXPECT_THAT(sim.at_server, ElementsAre(kPacket));
}

TEST_F(ServerCoreTest, ServersOrderOfCiphersDecides) {
    sim.settings.session.negotiation.data_ciphers = {DataCipher::ChaCha20Poly1305,
                                                     DataCipher::Aes256Gcm};
    sim.start_server();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(connect(host));
    EXPECT_EQ(host.client->pushed("cipher"), "CHACHA20-POLY1305");
    host.client->send_data(kPacket);
    sim.run(1s);
    EXPECT_THAT(sim.at_server, ElementsAre(kPacket));
}

TEST_F(ServerCoreTest, TunMtuIsToldToThoseWhoUnderstandIt) {
    sim.settings.session.tun_mtu = 1400;
    sim.start_server();
    auto& modern = sim.add_client("modern");
    auto& old = sim.add_client("old", "IV_PROTO=14\nIV_CIPHERS=AES-128-GCM\n");
    ASSERT_TRUE(connect(modern));
    ASSERT_TRUE(connect(old));
    EXPECT_EQ(modern.client->pushed("tun-mtu"), "1400");
    EXPECT_EQ(old.client->pushed("tun-mtu"), "");
}

TEST_F(ServerCoreTest, NoSharedCipherIsToldAndEnds) {
    sim.start_server();
    auto& host = sim.add_client("cbc", "IV_PROTO=990\nIV_CIPHERS=AES-256-CBC:BF-CBC\n");
    sim.run(20s);
    EXPECT_FALSE(host.client->connected());
    EXPECT_THAT(
        host.client->messages,
        ElementsAre("AUTH_FAILED,Data channel cipher negotiation failed (no shared cipher)"));
    EXPECT_TRUE(sim.core->finished());
    EXPECT_TRUE(sim.plane.peers.empty());
}

TEST_F(ServerCoreTest, CompressingClientsAreMigrated) {
    sim.start_server();
    auto& modern = sim.add_client("modern", std::string(kModernPeerInfo) + "IV_COMP_STUBv2=1\n");
    modern.client->options += ",comp-lzo";
    auto& old = sim.add_client("old", kModernPeerInfo);
    old.client->options += ",comp-lzo";
    ASSERT_TRUE(connect(modern));
    ASSERT_TRUE(connect(old));
    EXPECT_EQ(modern.client->pushed("compress"), "stub-v2");
    EXPECT_EQ(old.client->pushed("comp-lzo"), "no");
    // The data plane frames accordingly, or neither side could read the other.
    for (auto* host : {&modern, &old}) {
        host->client->send_data(kPacket);
        sim.send_data(host->client->peer_id(), kPing);
        sim.run(1s);
        EXPECT_THAT(host->client->received, ElementsAre(kPing));
    }
    EXPECT_EQ(sim.at_server.size(), 2U);
    EXPECT_EQ(sim.plane.undecryptable, 0U);
}

// Every format, negotiated, with data both ways, and again after new keys.
struct Format {
    const char* name;
    DataCipher cipher;
    DataAuth auth;
    const char* peer_info;
    bool epochs;
    bool data_v1;
};

void PrintTo(const Format& format, std::ostream* out) {
    *out << format.name;
}

class Formats : public testing::TestWithParam<Format> {};

TEST_P(Formats, DataBothWaysThroughARenegotiation) {
    log::set_level(log::Level::Off);
    const auto& format = GetParam();
    Simulation sim;
    sim.settings.session.negotiation.data_ciphers = {format.cipher};
    sim.settings.session.negotiation.auth = format.auth;
    sim.settings.mss_fix = {1492, MssFix::Of::OuterPacket};
    sim.start_server();
    auto& host = sim.add_client("alice", format.peer_info);
    auto& client = *host.client;
    client.request_push = true;
    client.auth = format.auth;
    client.options = "V4,cipher " + std::string(cipher_name(format.cipher));
    ASSERT_TRUE(sim.run_until([&] { return client.connected(); }, 60s));
    const auto& peer = sim.plane.peers.at(0);
    EXPECT_EQ(peer.peer.data_v1, format.data_v1);
    EXPECT_EQ(peer.slots[0]->keys.format.cipher, format.cipher);
    EXPECT_EQ(peer.slots[0]->keys.format.epochs, format.epochs);
    EXPECT_GT(peer.peer.tcp_mss, 1300);
    for (std::size_t i = 1; i <= 2; i++) {
        client.send_data(kPacket);
        sim.send_data(0, kPing);
        sim.run(1s);
        EXPECT_EQ(sim.at_server.size(), i);
        EXPECT_EQ(client.received.size(), i);
        client.renegotiate(sim.now);
        sim.run(5s);
        EXPECT_EQ(client.keys_generated, i + 1);
    }
    EXPECT_EQ(sim.plane.undecryptable + client.undecryptable, 0U);
}

constexpr auto kEpochPeer = "IV_PROTO=8094\nIV_CIPHERS=AES-128-GCM:CHACHA20-POLY1305\n";
constexpr auto kCbcPeer = "IV_PROTO=990\nIV_CIPHERS=AES-256-CBC:AES-128-CBC:none\n";
INSTANTIATE_TEST_SUITE_P(
    DataChannel, Formats,
    testing::Values(
        Format{"epochs", DataCipher::Aes128Gcm, DataAuth::Sha1, kEpochPeer, true, false},
        Format{"epochs, ChaCha20", DataCipher::ChaCha20Poly1305, DataAuth::Sha1, kEpochPeer, true,
               false},
        Format{"CBC", DataCipher::Aes256Cbc, DataAuth::Sha256, kCbcPeer, false, false},
        Format{"CBC, SHA1", DataCipher::Aes128Cbc, DataAuth::Sha1, kCbcPeer, false, false},
        Format{"none", DataCipher::None, DataAuth::Sha256, kCbcPeer, false, false},
        Format{"V1, GCM", DataCipher::Aes256Gcm, DataAuth::Sha1, "IV_NCP=2\n", false, true},
        Format{"V1, CBC", DataCipher::Aes128Cbc, DataAuth::Sha1, "", false, true}));

TEST_F(ServerCoreTest, ClientsHaveSettingsOfTheirOwn) {
    sim.settings.session.push = {"route-gateway 10.8.0.1", "topology subnet",
                                 "route 10.1.0.0 255.255.0.0", "route 10.99.0.0 255.255.0.0"};
    sim.settings.client_lookup =
        [](const std::string& name) -> std::optional<server::ClientSettings> {
        server::ClientSettings out;
        if (name == "office") {
            out.networks = {ipv4_prefix(*parse_ipv4("10.1.0.0"), 16)};
            out.push = {"ping 7"};
        }
        out.push_reset = name == "bare";
        out.disabled = name == "mallory";
        return name == "broken" ? std::nullopt : std::optional(out);
    };
    sim.start_server();
    auto& office = sim.add_client("office");
    auto& bare = sim.add_client("bare");
    auto& plain = sim.add_client("plain");
    auto& mallory = sim.add_client("mallory");
    auto& broken = sim.add_client("broken");
    sim.run(10s);
    ASSERT_TRUE(office.client->connected());
    EXPECT_THAT(office.client->messages.at(0),
                HasSubstr("topology subnet,route 10.99.0.0 255.255.0.0,ping 7,ifconfig"))
        << "no route to its own network";
    EXPECT_THAT(bare.client->messages.at(0), HasSubstr("PUSH_REPLY,ifconfig"));
    EXPECT_THAT(plain.client->messages.at(0), HasSubstr("10.1.0.0 255.255.0.0,route 10.99"));
    const auto& peers = sim.plane.peers;
    ASSERT_EQ(peers.size(), 3U);
    EXPECT_THAT(peers.at(office.client->peer_id()).peer.networks,
                ElementsAre(ipv4_prefix(*parse_ipv4("10.1.0.0"), 16)));
    EXPECT_TRUE(peers.at(plain.client->peer_id()).peer.networks.empty());
    EXPECT_THAT(mallory.client->messages, ElementsAre("AUTH_FAILED"));
    EXPECT_THAT(broken.client->messages, ElementsAre(HasSubstr("AUTH_FAILED,TEMP:")));
}

TEST_F(ServerCoreTest, ClientsMayComeByIpv6) {
    sim.settings.mss_fix = {1492, MssFix::Of::OuterPacket};
    sim.start_server();
    auto& old = sim.add_client("alice");
    ASSERT_TRUE(connect(old));
    sim.outer_ipv6 = true;
    auto& host = sim.add_client("bob");
    ASSERT_TRUE(connect(host));
    const auto& peer = sim.plane.peers.at(host.client->peer_id()).peer;
    EXPECT_EQ(peer.path.remote, host.endpoint);
    EXPECT_EQ(peer.tcp_mss, sim.plane.peers.at(old.client->peer_id()).peer.tcp_mss - 20);
    host.client->send_data(kPacket);
    sim.run(1s);
    EXPECT_EQ(sim.at_server.size(), 1U);
}

TEST_F(ServerCoreTest, Ipv6AddressesGoWithThoseOfIpv4) {
    const Ipv6 network{parse_ipv6_prefix("fd00:8::/64")->address};
    sim.settings.ipv6 = server::Ipv6Pool{network + 1, network + 0x1000, 64};
    sim.settings.client_lookup =
        [](const std::string& name) -> std::optional<server::ClientSettings> {
        server::ClientSettings out;
        out.push_reset = name == "bare";
        return out;
    };
    sim.start_server();
    auto& first = sim.add_client("alice");
    ASSERT_TRUE(sim.run_until([&] { return first.client->connected(); }, 60s));
    auto& second = sim.add_client("bare");
    ASSERT_TRUE(sim.run_until([&] { return second.client->connected(); }, 60s));
    EXPECT_EQ(first.client->pushed("ifconfig-ipv6"), "fd00:8::1000/64 fd00:8::1");
    EXPECT_EQ(second.client->pushed("ifconfig-ipv6"), "fd00:8::1001/64 fd00:8::1")
        << "push-reset does not take it away";
    EXPECT_EQ(sim.plane.peers.at(second.client->peer_id()).peer.address6, network + 0x1001);
}

TEST_F(ServerCoreTest, WhatAClientIsNotPushed) {
    const Ipv6 network{parse_ipv6_prefix("fd00:8::/64")->address};
    sim.settings.ipv6 = server::Ipv6Pool{network + 1, network + 0x1000, 64};
    sim.settings.session.push = {"route 10.1.0.0 255.255.0.0", "route-gateway 10.8.0.1",
                                 "dhcp-option DNS 10.8.0.1"};
    sim.settings.client_lookup =
        [](const std::string& name) -> std::optional<server::ClientSettings> {
        server::ClientSettings out;
        if (name == "less") {
            out.push_remove = {"route ", "ifconfig-ipv6"};
            out.push = {"route 10.2.0.0 255.255.0.0"};
        }
        return out;
    };
    sim.start_server();
    auto& all = sim.add_client("alice");
    ASSERT_TRUE(sim.run_until([&] { return all.client->connected(); }, 60s));
    auto& less = sim.add_client("less");
    ASSERT_TRUE(sim.run_until([&] { return less.client->connected(); }, 60s));
    EXPECT_EQ(all.client->pushed("route"), "10.1.0.0 255.255.0.0");
    EXPECT_NE(all.client->pushed("ifconfig-ipv6"), "");
    EXPECT_EQ(less.client->pushed("route"), "10.2.0.0 255.255.0.0") << "its own";
    EXPECT_EQ(less.client->pushed("route-gateway"), "10.8.0.1");
    EXPECT_EQ(less.client->pushed("dhcp-option"), "DNS 10.8.0.1");
    EXPECT_EQ(less.client->pushed("ifconfig-ipv6"), "");
}

TEST_F(ServerCoreTest, TopologiesOfTwoAddresses) {
    sim.settings.address = *parse_ipv4("10.8.0.1");
    sim.settings.pool_first = *parse_ipv4("10.8.0.6");
    sim.settings.pool_last = *parse_ipv4("10.8.0.250");
    sim.settings.ipv6 = server::Ipv6Pool{*parse_ipv6("fd00:8::1"), *parse_ipv6("fd00:8::1000"), 64};
    sim.settings.client_lookup =
        [](const std::string& name) -> std::optional<server::ClientSettings> {
        server::ClientSettings out;
        if (name == "subnet" || name == "pair") {
            out.address = parse_ipv4("10.8.0.98");
            out.netmask = parse_ipv4(name == "subnet" ? "255.255.255.0" : "10.8.0.97");
        }
        return out;
    };
    sim.settings.topology = wire::Topology::Net30;
    sim.start_server();
    EXPECT_EQ(sim.core->remember({{"old", *parse_ipv4("10.8.0.8"), {}}}, false), 1U);
    auto& first = sim.add_client("alice");
    ASSERT_TRUE(connect(first));
    EXPECT_EQ(first.client->pushed("ifconfig"), "10.8.0.6 10.8.0.5");
    auto& second = sim.add_client("bob");
    ASSERT_TRUE(connect(second));
    EXPECT_EQ(second.client->pushed("ifconfig"), "10.8.0.14 10.8.0.13");
    EXPECT_EQ(second.client->pushed("ifconfig-ipv6"), "fd00:8::1002/64 fd00:8::1");
    auto& old = sim.add_client("old");
    ASSERT_TRUE(connect(old));
    EXPECT_EQ(old.client->pushed("ifconfig"), "10.8.0.10 10.8.0.9");
    EXPECT_EQ(to_string(sim.core->leases().at(0).address), "10.8.0.4");
    auto& pair = sim.add_client("pair");
    ASSERT_TRUE(connect(pair));
    EXPECT_EQ(pair.client->pushed("ifconfig"), "10.8.0.98 10.8.0.97");
    EXPECT_FALSE(connect(sim.add_client("subnet")));

    sim.hosts.clear();
    sim.plane.peers.clear();
    sim.settings.topology = wire::Topology::P2p;
    sim.start_server();
    auto& third = sim.add_client("carol");
    ASSERT_TRUE(connect(third));
    EXPECT_EQ(third.client->pushed("ifconfig"), "10.8.0.6 10.8.0.1");
    EXPECT_THAT(sim.core->clients(sim.now).at(0).pool,
                Contains(testing::Pair("ifconfig_pool_local_ip", "10.8.0.1")));
}

TEST_F(ServerCoreTest, TheNextServerGivesTheSameAddresses) {
    sim.settings.ipv6 = server::Ipv6Pool{*parse_ipv6("fd00:8::1"), *parse_ipv6("fd00:8::1000"), 64};
    sim.start_server();
    const auto first = sim.settings.pool_first;
    const server::Lease outside{"bob", {first.value - 1}, {}};
    EXPECT_EQ(sim.core->remember({{"alice", {first.value + 7}, {}}, outside}, false), 1U);
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(sim.run_until([&] { return host.client->connected(); }, 60s));
    auto& other = sim.add_client("bob");
    ASSERT_TRUE(sim.run_until([&] { return other.client->connected(); }, 60s));
    EXPECT_EQ(sim.plane.peers.at(host.client->peer_id()).peer.address, Ipv4{first.value + 7});
    EXPECT_EQ(sim.core->leases(), (std::vector<server::Lease>{
                                      {"bob", first, parse_ipv6("fd00:8::1000")},
                                      {"alice", {first.value + 7}, parse_ipv6("fd00:8::1007")}}));
}

TEST_F(ServerCoreTest, LostNotificationsEndNobodyWhomTheDataPlaneNeverKnew) {
    sim.plane.refuse = "add";
    sim.start_server();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(sim.run_until([&] { return !sim.plane.calls.empty(); }, 60s));
    sim.core->resynchronize(sim.now);
    sim.run(1s);
    EXPECT_THAT(host.client->messages,
                ElementsAre(HasSubstr("AUTH_FAILED,TEMP:the server's data")));
}

TEST_F(ServerCoreTest, ForeignAndExpiredCertificatesAreRefused) {
    sim.start_server();
    Authority other("other authority");
    auto foreign = other.config(wire::Role::Client, "mallory");
    foreign.ca = sim.authority.certificate();
    auto& stranger = sim.add_client(std::move(foreign));

    CertificateRequest request;
    request.common_name = "late";
    request.expired = true;
    auto identity = sim.authority.issue(request);
    session::TlsConfig expired;
    expired.role = wire::Role::Client;
    expired.ca = sim.authority.certificate();
    expired.certificate = identity.certificate;
    expired.private_key = SecretBytes(as_bytes(identity.private_key));
    auto& late = sim.add_client(std::move(expired));

    sim.run(10s);
    EXPECT_FALSE(stranger.client->connected());
    EXPECT_FALSE(late.client->connected());
    EXPECT_TRUE(stranger.client->failed()) << "the alert has arrived";
    EXPECT_TRUE(late.client->failed());
    EXPECT_TRUE(sim.plane.calls.empty()) << "the data plane has heard of nobody";
    EXPECT_TRUE(sim.core->finished());
    EXPECT_EQ(sim.core->half_open(), 0U);
    EXPECT_EQ(sim.core->counters().failed, 2U);
}

TEST_F(ServerCoreTest, CertificateOfAServerIsNoClient) {
    sim.server_config.require_extended_use = true;
    sim.start_server();
    auto config = sim.authority.config(wire::Role::Server, "a server");
    config.role = wire::Role::Client;
    auto& host = sim.add_client(std::move(config));
    auto& good = sim.add_client("good");
    sim.run(10s);
    EXPECT_FALSE(host.client->connected());
    EXPECT_TRUE(good.client->connected());
}

// Lossy in both directions, reordered, with data both ways all the time.
struct Weather {
    unsigned seed;
    double loss;
    int max_tls; ///< 0: the newest
};

void PrintTo(const Weather& weather, std::ostream* out) {
    *out << "seed " << weather.seed << ", loss " << weather.loss << ", TLS up to "
         << (weather.max_tls == TLS1_2_VERSION ? "1.2" : "1.3");
}

class Renegotiation : public testing::TestWithParam<Weather> {};

TEST_P(Renegotiation, NoDataPacketMeetsAMissingKey) {
    log::set_level(log::Level::Off);
    const auto& weather = GetParam();
    Simulation sim(weather.seed);
    sim.server_config.max_version = weather.max_tls;
    sim.settings.session.renegotiate_after = 20s;
    sim.settings.session.transition_window = 15s;
    sim.settings.session.handshake_window = 600s; // for the weather; the limit has its own test
    sim.start_server();
    auto& host = sim.add_client("alice");
    auto& client = *host.client;
    ASSERT_TRUE(sim.run_until([&] { return client.connected(); }, 60s));

    sim.loss = weather.loss;
    sim.shortest_delay = 1ms;
    sim.longest_delay = 60ms;
    std::uint64_t sent_up = 0;
    std::uint64_t sent_down = 0;
    for (int i = 0; i < 6000; i++) { // ten minutes
        sent_up += client.send_data(kPacket) ? 1 : 0;
        sent_down += sim.send_data(0, kPing) ? 1 : 0;
        sim.run(100ms);
        // The client asks for new keys now and then as well, at awkward moments too.
        if (i % 470 == 469)
            client.renegotiate(sim.now);
        ASSERT_EQ(sim.plane.undecryptable, 0U) << "from the client, after " << i / 10 << " s";
        ASSERT_EQ(client.undecryptable, 0U) << "from the server, after " << i / 10 << " s";
        ASSERT_FALSE(sim.core->finished()) << "session lost after " << i / 10 << " s";
    }
    EXPECT_GT(client.keys_generated, 15U);
    EXPECT_EQ(sent_down, 6000U);
    sim.loss = 0;
    sim.run(1s);
    // What is missing was lost by the network: about that share of it.
    auto arrived = static_cast<double>(sim.at_server.size()) / static_cast<double>(sent_up);
    EXPECT_NEAR(arrived, 1 - weather.loss, 0.02);
}

INSTANTIATE_TEST_SUITE_P(Weather, Renegotiation,
                         testing::Values(Weather{1, 0, 0}, Weather{2, 0.02, 0},
                                         Weather{3, 0.05, TLS1_2_VERSION}, Weather{4, 0.10, 0},
                                         Weather{5, 0.10, TLS1_2_VERSION}));

TEST_F(ServerCoreTest, SlotsThroughARenegotiation) {
    sim.settings.session.transition_window = 30s;
    sim.start_server();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(connect(host));
    sim.run(5s);
    sim.plane.calls.clear();
    host.client->renegotiate(sim.now);
    sim.run(5s);
    EXPECT_THAT(sim.plane.calls, ElementsAre("key 0 secondary 1", "swap 0"));
    EXPECT_EQ(host.client->sending_key_id, 1);
    EXPECT_EQ(sim.plane.peers.at(0).slots[0]->key_id, 1);
    EXPECT_EQ(sim.plane.peers.at(0).slots[1]->key_id, 0) << "late packets still decrypt";
    sim.run(30s);
    EXPECT_THAT(sim.plane.calls, ElementsAre("key 0 secondary 1", "swap 0", "delete 0 secondary"));
    // After seven renegotiations the key IDs begin again, at 1.
    for (int i = 2; i <= 9; i++) {
        host.client->renegotiate(sim.now);
        sim.run(5s);
        EXPECT_EQ(host.client->sending_key_id, (i - 1) % 7 + 1);
        EXPECT_EQ(sim.plane.peers.at(0).slots[0]->key_id, (i - 1) % 7 + 1);
    }
}

TEST_F(ServerCoreTest, BothSidesAskForNewKeysAtOnce) {
    sim.start_server();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(connect(host));
    sim.run(5s);
    host.client->renegotiate(sim.now);
    sim.core->notified(dataplane::KeyNearLimit{0, 0}, sim.now);
    sim.run(10s);
    EXPECT_EQ(host.client->keys_generated, 2U);
    EXPECT_EQ(sim.core->clients(sim.now).at(0).renegotiations, 1U);
    host.client->send_data(kPacket);
    sim.send_data(0, kPing);
    sim.run(1s);
    EXPECT_EQ(sim.at_server.size(), 1U);
    EXPECT_EQ(host.client->received.size(), 1U);
}

TEST_F(ServerCoreTest, AnotherCertificateAtRenegotiationEndsTheSession) {
    sim.start_server();
    // Of the same name too: it may have been revoked, or belong to somebody else of that name.
    for (const auto* name : {"bob", "alice"}) {
        auto& client = sim.add_client("alice");
        ASSERT_TRUE(connect(client));
        auto another = make_context(sim.authority.config(wire::Role::Client, name));
        client.client->renegotiation_tls = another.get();
        sim.run(5s);
        client.client->renegotiate(sim.now);
        sim.run(5s);
        EXPECT_TRUE(sim.core->finished()) << name;
        EXPECT_TRUE(sim.plane.peers.empty()) << name;
        client.client->renegotiation_tls = nullptr;
    }
}

TEST_F(ServerCoreTest, ClientThatVanishesDuringRenegotiationIsGivenUp) {
    sim.settings.session.renegotiate_after = 100s;
    sim.settings.session.handshake_window = 20s;
    sim.start_server();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(connect(host));
    sim.loss = 1;
    sim.run(80s);
    EXPECT_FALSE(sim.core->finished()) << "silence is the data plane's business";
    sim.run(200s);
    EXPECT_TRUE(sim.core->finished());
    EXPECT_TRUE(sim.plane.peers.empty());
}

TEST_F(ServerCoreTest, HandshakeSurvivesLoss) {
    for (unsigned seed = 1; seed <= 20; seed++) {
        Simulation lossy(seed);
        lossy.loss = 0.2;
        lossy.longest_delay = 100ms;
        lossy.start_server();
        auto& host = lossy.add_client("alice");
        EXPECT_TRUE(lossy.run_until([&] { return host.client->connected(); }, 60s))
            << "seed " << seed;
    }
}

TEST_F(ServerCoreTest, LargeCertificatesTakeSeveralWindows) {
    // 6 messages of 120 bytes on the way at a time, for a few kilobytes of handshake.
    sim.settings.session.max_packet = 170;
    sim.start_server();
    auto& host = sim.add_client("alice");
    EXPECT_TRUE(connect(host));
}

TEST_F(ServerCoreTest, NewerConnectionOfTheSameNameReplacesTheOlder) {
    sim.start_server();
    auto& first = sim.add_client("alice");
    ASSERT_TRUE(connect(first));
    auto& second = sim.add_client("alice");
    ASSERT_TRUE(connect(second));
    EXPECT_EQ(second.client->pushed("ifconfig"), "10.8.0.2 255.255.255.0") << "the same address";
    EXPECT_EQ(second.client->peer_id(), 1U) << "another peer ID";
    EXPECT_EQ(sim.plane.peers.size(), 1U);
    EXPECT_TRUE(sim.plane.peers.contains(1));
    // What the kernel may still say about the old peer concerns nobody.
    sim.core->notified(dataplane::PeerDeleted{0, true}, sim.now);
    EXPECT_EQ(sim.core->clients(sim.now).size(), 1U);
}

// A carrier's NAT gives a port to somebody else: whoever had it before is none of that one's
// business, but a client of the same name is.
TEST_F(ServerCoreTest, NewcomerOnTheSamePortEndsNobodyElse) {
    sim.start_server();
    auto& first = sim.add_client("alice");
    ASSERT_TRUE(connect(first));
    const auto endpoint = first.endpoint;
    const auto at_same_port = [&](const std::string& name) -> Host& {
        sim.hosts.back()->endpoint.port = 1; // it is elsewhere, and silent
        auto& host = sim.add_client(name);
        host.endpoint = endpoint;
        return host;
    };
    auto& second = at_same_port("bob");
    ASSERT_TRUE(connect(second));
    EXPECT_EQ(sim.core->clients(sim.now).size(), 2U);
    // It is heard from elsewhere, or not at all.
    sim.core->notified(dataplane::PeerFloated{first.client->peer_id(), first.endpoint}, sim.now);
    EXPECT_EQ(sim.core->clients(sim.now).size(), 2U);
    sim.core->notified(dataplane::PeerDeleted{first.client->peer_id(), true}, sim.now);
    EXPECT_EQ(sim.core->clients(sim.now).size(), 1U);
    auto& again = at_same_port("bob");
    ASSERT_TRUE(connect(again));
    EXPECT_EQ(sim.core->clients(sim.now).size(), 1U);
}

// Without peer IDs the address is all that tells them apart.
TEST_F(ServerCoreTest, NewcomerWithoutAPeerIdHasTheAddress) {
    sim.settings.session.negotiation.fallback_cipher = DataCipher::Aes256Cbc;
    sim.start_server();
    const auto add = [&](const std::string& name) -> Host& {
        auto& host = sim.add_client(name, "IV_VER=2.3.18\n");
        host.client->options = "V4,dev-type tun,cipher AES-256-CBC,auth SHA1";
        host.client->request_push = true;
        host.client->shape.data_v1 = true;
        return host;
    };
    auto& first = add("alice");
    ASSERT_TRUE(connect(first));
    const auto endpoint = first.endpoint;
    first.endpoint.port = 1;
    auto& second = add("bob");
    second.endpoint = endpoint;
    ASSERT_TRUE(connect(second));
    const auto clients = sim.core->clients(sim.now);
    ASSERT_EQ(clients.size(), 1U);
    EXPECT_EQ(clients[0].common_name, "bob");
}

TEST_F(ServerCoreTest, DuplicateCnLetsBothIn) {
    sim.settings.duplicate_cn = true;
    sim.start_server();
    auto& first = sim.add_client("alice");
    auto& second = sim.add_client("alice");
    ASSERT_TRUE(connect(first));
    ASSERT_TRUE(connect(second));
    EXPECT_EQ(sim.plane.peers.size(), 2U);
}

TEST_F(ServerCoreTest, FullServerSaysSoForNow) {
    sim.settings.max_clients = 1;
    sim.start_server();
    auto& first = sim.add_client("alice");
    ASSERT_TRUE(connect(first));
    auto& second = sim.add_client("bob");
    sim.run(20s);
    EXPECT_FALSE(second.client->connected());
    EXPECT_THAT(second.client->messages,
                ElementsAre(HasSubstr("AUTH_FAILED,TEMP:the server is full")));
    EXPECT_EQ(sim.core->clients(sim.now).size(), 1U);
    // The one that has a place may still come again.
    auto& again = sim.add_client("alice");
    EXPECT_TRUE(connect(again));
}

TEST_F(ServerCoreTest, ExitFreesWhatTheClientHad) {
    sim.start_server();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(connect(host));
    host.client->send_message("EXIT", sim.now);
    sim.run(1s);
    EXPECT_TRUE(sim.core->finished());
    EXPECT_THAT(sim.plane.calls, Contains("remove 0"));
    auto& next = sim.add_client("bob");
    ASSERT_TRUE(connect(next));
    EXPECT_EQ(next.client->pushed("ifconfig"), "10.8.0.3 255.255.255.0") << "fresh ones first";
}

TEST_F(ServerCoreTest, ShutdownTellsClientsAndWaitsForThem) {
    sim.start_server();
    auto& a = sim.add_client("alice");
    auto& b = sim.add_client("bob");
    ASSERT_TRUE(connect(a));
    ASSERT_TRUE(connect(b));
    sim.core->shutdown(sim.now);
    EXPECT_FALSE(sim.core->finished());
    sim.run(1s);
    EXPECT_TRUE(sim.core->finished());
    EXPECT_THAT(a.client->messages, Contains("RESTART"));
    EXPECT_THAT(b.client->messages, Contains("RESTART"));
    EXPECT_TRUE(sim.plane.peers.empty());
}

TEST_F(ServerCoreTest, ShutdownMayLeaveClientsTheirCredentials) {
    for (const auto& [message, told] :
         {std::pair("RESTART", "RESTART,[P]"), std::pair("RESTART,[N]", "RESTART,[NP]")}) {
        Simulation again;
        again.settings.restart_message = message;
        again.start_server();
        auto& a = again.add_client("alice");
        ASSERT_TRUE(again.run_until([&] { return a.client->connected(); }, 60s));
        again.run(1s);
        again.core->shutdown(again.now, true);
        again.run(1s);
        EXPECT_THAT(a.client->messages, Contains(told));
    }
}

// ---- sessions that outlive a process

namespace {

/// What a service manager would keep.
class Notes final : public server::SessionNotes {
public:
    [[nodiscard]] bool can_keep(std::uint32_t) const override { return keeps; }
    bool note(const server::SavedClient& client) override {
        written++;
        const auto bytes = server::write_saved(client);
        records[client.id] = Bytes(bytes.view().begin(), bytes.view().end());
        return true;
    }
    void forget(server::ClientId client) override { records.erase(client); }

    std::map<server::ClientId, Bytes> records;
    bool keeps = true;
    unsigned written = 0;
};

} // namespace

class OutliveTest : public ServerCoreTest {
protected:
    void start() {
        sim.start_server();
        sim.core->note_in(notes);
    }
    // The process ends without a word, and the next one has the same data plane. How many sessions
    // go on.
    std::size_t next_process(Duration renegotiate_after = 3s) {
        const auto left = notes.records;
        notes.records.clear();
        sim.core.reset();
        start();
        std::size_t out = 0;
        for (const auto& [id, bytes] : left) {
            const auto saved = server::read_saved_client(bytes);
            EXPECT_TRUE(saved);
            why = sim.core->resume(*saved, sim.now, sim.now + renegotiate_after).value_or("");
            out += why.empty() ? 1 : 0;
        }
        return out;
    }
    void expect_data(Host& host) {
        const auto at_server = sim.at_server.size();
        const auto at_client = host.client->received.size();
        ASSERT_TRUE(host.client->send_data(kPacket));
        ASSERT_TRUE(sim.send_data(host.client->peer_id(), kPing));
        sim.run(1s);
        EXPECT_EQ(sim.at_server.size(), at_server + 1);
        EXPECT_EQ(host.client->received.size(), at_client + 1);
    }

    Notes notes;
    std::string why;
};

TEST_F(OutliveTest, SessionsGoOnAndAreRenegotiated) {
    sim.settings.session.transition_window = 30s;
    start();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(connect(host));
    sim.run(1s);
    ASSERT_EQ(notes.records.size(), 1U);
    for (unsigned process = 1; process <= 9; process++) {
        sim.plane.calls.clear();
        ASSERT_EQ(next_process(), 1U) << why;
        expect_data(host);
        EXPECT_EQ(host.client->keys_generated, process) << "by the old keys";
        sim.run(5s);
        EXPECT_EQ(host.client->keys_generated, process + 1);
        EXPECT_EQ(host.client->sending_key_id, (process - 1) % 7 + 1);
        const auto& calls = sim.plane.calls;
        EXPECT_EQ(std::count(calls.begin(), calls.end(), "add 0"), 0);
        EXPECT_EQ(std::count(calls.begin(), calls.end(), "remove 0"), 0);
        expect_data(host);
        const auto status = sim.core->clients(sim.now);
        ASSERT_EQ(status.size(), 1U);
        EXPECT_EQ(status[0].common_name, "alice");
        EXPECT_EQ(status[0].renegotiations, process);
        EXPECT_EQ(status[0].cipher, "AES-256-GCM");
    }
    sim.run(31s);
    EXPECT_FALSE(sim.plane.peers.at(0).slots[1]) << "the key of the process before";
    EXPECT_EQ(host.client->messages.size(), 1U) << "one push reply, and nothing else";
    // Addresses and peer IDs are taken.
    auto& other = sim.add_client("bob");
    ASSERT_TRUE(connect(other));
    EXPECT_EQ(other.client->peer_id(), 1U);
    EXPECT_NE(sim.core->clients(sim.now).at(0).address, sim.core->clients(sim.now).at(1).address);
}

// It is noted before anything leaves that the next process must not repeat.
TEST_F(OutliveTest, AKeyThatWasBegunIsNotBegunAgain) {
    sim.settings.session.handshake_window = 20s;
    start();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(connect(host));
    sim.run(2s);
    // Nothing of this reaches the client.
    sim.loss = 1;
    sim.core->notified(dataplane::KeyNearLimit{0, 0}, sim.now);
    sim.run(1s);
    sim.loss = 0;
    ASSERT_EQ(next_process(), 1U) << why;
    expect_data(host);
    sim.run(10s);
    EXPECT_EQ(host.client->sending_key_id, 2);
    expect_data(host);
    // Twice in a row without new keys in between, as the key in use is not that of the last record.
    ASSERT_EQ(next_process(20s), 1U) << why;
    ASSERT_EQ(next_process(), 1U) << why;
    sim.run(10s);
    EXPECT_EQ(host.client->sending_key_id, 3);
    expect_data(host);
}

TEST_F(OutliveTest, AtAnyMomentOfARenegotiation) {
    for (auto moment = 0ms; moment <= 60ms; moment += 5ms) {
        Simulation again;
        Notes kept;
        again.settings.session.handshake_window = 10s;
        again.start_server();
        again.core->note_in(kept);
        auto& host = again.add_client("alice");
        ASSERT_TRUE(again.run_until([&] { return host.client->connected(); }, 60s));
        again.run(2s);
        again.core->notified(dataplane::KeyNearLimit{0, 0}, again.now);
        again.run(moment);
        ASSERT_EQ(kept.records.size(), 1U);
        const auto saved = server::read_saved_client(kept.records.begin()->second);
        again.core.reset();
        again.start_server();
        again.core->note_in(kept);
        EXPECT_FALSE(again.core->resume(*saved, again.now, again.now + 3s)) << moment.count();
        // What the client sends by whichever key is decrypted, then and after new keys.
        for (int i = 0; i < 20; i++) {
            ASSERT_TRUE(host.client->send_data(kPacket));
            again.run(1s);
        }
        EXPECT_EQ(again.at_server.size(), 20U) << moment.count();
        EXPECT_EQ(host.client->undecryptable, 0U);
        EXPECT_EQ(again.core->clients(again.now).size(), 1U) << moment.count();
    }
}

TEST_F(OutliveTest, OnlyWhatIsThereAndTheSame) {
    start();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(connect(host));
    sim.run(1s);
    const auto bytes = notes.records.begin()->second;
    const auto refused = [&](const std::string& expected, auto change) {
        auto saved = server::read_saved_client(bytes);
        change(*saved);
        sim.core.reset();
        start();
        notes.records.clear();
        const auto said = sim.core->resume(*saved, sim.now, sim.now + 3s);
        EXPECT_THAT(said.value_or(""), HasSubstr(expected));
        EXPECT_TRUE(sim.core->clients(sim.now).empty());
        EXPECT_TRUE(notes.records.empty());
    };
    refused("another time", [&](auto& c) { c.created = INT64_MAX; });
    refused("another time", [&](auto& c) { c.created = -1; });
    refused("no such peer", [&](auto& c) { c.peer_id = 5; });
    refused("peer ID is in use", [&](auto& c) { c.peer_id = 0xffffff; });
    refused("has a key of tls-crypt-v2", [&](auto& c) { c.own_key.emplace(); });
    refused("another key", [&](auto& c) { c.session.key_id = c.session.last_key_id = 3; });
    // Whom nobody goes on with is not in the data plane either.
    EXPECT_TRUE(sim.plane.peers.empty());
}

TEST_F(OutliveTest, AnotherKindOfKeyIsNotGoneOnWith) {
    start();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(connect(host));
    sim.run(1s);
    auto saved = server::read_saved_client(notes.records.begin()->second);
    saved->session.choice.format.cipher = DataCipher::Aes128Gcm;
    sim.core.reset();
    start();
    EXPECT_THAT(sim.core->resume(*saved, sim.now, sim.now).value_or(""),
                HasSubstr("a key of another kind"));
    EXPECT_TRUE(sim.plane.peers.empty());
    EXPECT_TRUE(sim.core->finished());
    auto& other = sim.add_client("bob");
    ASSERT_TRUE(connect(other));
}

TEST_F(OutliveTest, WhatIsNotedAndWhatNot) {
    start();
    auto& a = sim.add_client("alice");
    auto& b = sim.add_client("bob");
    ASSERT_TRUE(connect(a));
    ASSERT_TRUE(connect(b));
    sim.run(1s);
    EXPECT_EQ(notes.records.size(), 2U);
    EXPECT_EQ(sim.core->noted(), 2U);
    // Data is no reason to write.
    const auto before = notes.written;
    for (int i = 0; i < 10; i++)
        expect_data(a);
    EXPECT_EQ(notes.written, before);
    a.client->send_message("EXIT", sim.now);
    sim.run(1s);
    EXPECT_EQ(notes.records.size(), 1U);
    notes.keeps = false;
    sim.core->note_all();
    EXPECT_TRUE(notes.records.empty());
    EXPECT_EQ(sim.core->noted(), 0U);
    notes.keeps = true;
    sim.core->note_all();
    EXPECT_EQ(notes.records.size(), 1U);
}

// Those that are noted hear nothing, the others are told.
TEST_F(OutliveTest, LeavesTheOnesThatAreNoted) {
    start();
    auto& a = sim.add_client("alice");
    ASSERT_TRUE(connect(a));
    sim.run(1s);
    sim.core->leave(sim.now);
    EXPECT_TRUE(sim.core->finished());
    EXPECT_EQ(sim.plane.peers.size(), 1U);
    EXPECT_EQ(a.client->messages.size(), 1U);
    ASSERT_EQ(next_process(), 1U);
    notes.keeps = false;
    sim.core->note_all();
    sim.run(10s);
    sim.core->leave(sim.now);
    sim.run(1s);
    EXPECT_TRUE(sim.core->finished());
    EXPECT_THAT(a.client->messages, Contains("RESTART,[P]"));
    EXPECT_TRUE(sim.plane.peers.empty());
}

// A revoked certificate, or another one, ends it at the renegotiation.
TEST_F(OutliveTest, TheCertificateIsLockedOverTheEnd) {
    start();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(connect(host));
    sim.run(1s);
    auto another = make_context(sim.authority.config(wire::Role::Client, "alice"));
    host.client->renegotiation_tls = another.get();
    ASSERT_EQ(next_process(), 1U);
    sim.run(10s);
    EXPECT_TRUE(sim.core->finished());
    EXPECT_TRUE(sim.plane.peers.empty());
    EXPECT_TRUE(notes.records.empty());
}

TEST_F(OutliveTest, ClientThatIsSilentIsGivenUp) {
    sim.settings.session.handshake_window = 10s;
    start();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(connect(host));
    sim.run(1s);
    ASSERT_EQ(next_process(), 1U);
    sim.hosts.clear();
    sim.run(120s);
    EXPECT_TRUE(sim.core->finished());
    EXPECT_TRUE(notes.records.empty());
}

// New certificates, pushed options and limits, and nobody is thrown out.
TEST_F(ServerCoreTest, OtherSettingsWhileItRuns) {
    sim.settings.session.push = {"route 10.1.0.0 255.255.0.0"};
    sim.settings.keepalive = {10, 60};
    sim.start_server();
    auto& alice = sim.add_client("alice");
    ASSERT_TRUE(connect(alice));
    sim.run(3s);
    EXPECT_EQ(alice.client->tls().peer_common_name(), "server");

    sim.server_tls() = std::move(
        *session::TlsContext::create(sim.authority.config(wire::Role::Server, "renewed")));
    auto settings = sim.settings;
    settings.session.push = {"route 10.2.0.0 255.255.0.0"};
    settings.keepalive = {5, 20};
    settings.max_clients = 2;
    settings.client_lookup = [](const std::string& name) {
        server::ClientSettings special;
        special.disabled = name == "mallory";
        return std::optional(special);
    };
    sim.core->reconfigure(settings);
    EXPECT_EQ(sim.core->clients(sim.now).size(), 1U);
    EXPECT_EQ(sim.plane.peers.at(0).keepalive.interval, 5U);
    EXPECT_EQ(sim.plane.peers.at(0).keepalive.timeout, 20U);

    alice.client->renegotiate(sim.now);
    sim.run(5s);
    EXPECT_EQ(alice.client->keys_generated, 2U);
    EXPECT_EQ(alice.client->tls().peer_common_name(), "renewed");
    const auto before = sim.at_server.size();
    alice.client->send_data(kPacket);
    sim.run(1s);
    EXPECT_EQ(sim.at_server.size(), before + 1);

    auto& mallory = sim.add_client("mallory");
    EXPECT_FALSE(connect(mallory, 10s));
    auto& bob = sim.add_client("bob");
    ASSERT_TRUE(connect(bob));
    EXPECT_EQ(bob.client->pushed("route"), "10.2.0.0 255.255.0.0");
    EXPECT_FALSE(connect(sim.add_client("carol"), 10s)) << "there is room for two";
    EXPECT_EQ(sim.core->clients(sim.now).size(), 2U);
}

// A handshake ends by what it has begun with; whatever begins later is by what there is then.
TEST_F(ServerCoreTest, AnotherAuthorityWhileItRuns) {
    sim.start_server();
    auto& alice = sim.add_client("alice");
    ASSERT_TRUE(connect(alice));
    sim.run(3s);
    auto& bob = sim.add_client("bob");
    ASSERT_TRUE(sim.run_until([&] { return sim.core->half_open() > 0; }, 5s));
    Authority other("other authority");
    auto config = sim.authority.config(wire::Role::Server, "server");
    config.ca = other.certificate();
    sim.server_tls() = std::move(*session::TlsContext::create(config));
    sim.core->reconfigure(sim.settings);
    EXPECT_TRUE(connect(bob)) << "it has begun before";
    EXPECT_FALSE(connect(sim.add_client("carol"), 10s));
    alice.client->renegotiate(sim.now);
    sim.run(5s);
    EXPECT_EQ(alice.client->keys_generated, 1U) << "its certificate counts no more";
}

TEST_F(ServerCoreTest, ShutdownWaitsForNobodyForEver) {
    sim.start_server();
    auto& a = sim.add_client("alice");
    ASSERT_TRUE(connect(a));
    sim.loss = 1;
    sim.core->shutdown(sim.now);
    sim.run(6s);
    EXPECT_TRUE(sim.core->finished());
}

TEST_F(ServerCoreTest, KernelsTimeoutEndsTheSession) {
    sim.start_server();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(connect(host));
    sim.plane.peers.erase(0);
    sim.core->notified(dataplane::PeerDeleted{0, true}, sim.now);
    EXPECT_TRUE(sim.core->finished());
    EXPECT_THAT(sim.plane.calls, testing::Not(Contains("remove 0")));
}

// Somebody else has removed it: it is still there, and may come again.
TEST_F(ServerCoreTest, ClientThatIsRemovedFromTheKernelIsTold) {
    sim.start_server();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(connect(host));
    sim.plane.peers.erase(0);
    sim.core->notified(dataplane::PeerDeleted{0, false}, sim.now);
    sim.run(5s);
    EXPECT_THAT(host.client->messages, Contains("RESTART"));
    EXPECT_TRUE(sim.core->finished());
}

TEST_F(ServerCoreTest, LostNotificationsAreMadeUpFor) {
    sim.start_server();
    auto& a = sim.add_client("alice");
    auto& b = sim.add_client("bob");
    ASSERT_TRUE(connect(a));
    ASSERT_TRUE(connect(b));
    sim.plane.peers.erase(0);
    sim.core->resynchronize(sim.now);
    auto left = sim.core->clients(sim.now);
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].common_name, "bob");
    // Where it is, and that its key may be near its limit, is found out too.
    b.endpoint.port++;
    sim.plane.peers.at(1).moved_to = b.endpoint;
    sim.core->resynchronize(sim.now);
    EXPECT_EQ(sim.core->clients(sim.now).at(0).remote, b.endpoint);
    sim.run(5s);
    EXPECT_EQ(b.client->keys_generated, 1U);
    sim.plane.peers.at(1).tx_bytes = std::uint64_t{1} << 36;
    for (int i = 0; i < 2; i++) {
        sim.core->resynchronize(sim.now);
        sim.run(5s);
        EXPECT_EQ(b.client->keys_generated, 2U) << "once for one key";
    }
}

TEST_F(ServerCoreTest, FloatMovesTheControlChannelToo) {
    sim.start_server();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(connect(host));
    sim.run(3s);
    const Endpoint moved{Ipv4{0xc6336499}, 50000};
    host.endpoint = moved;
    sim.core->notified(dataplane::PeerFloated{0, moved}, sim.now);
    host.client->renegotiate(sim.now);
    sim.run(5s);
    EXPECT_EQ(host.client->keys_generated, 2U);
    EXPECT_EQ(sim.core->clients(sim.now).at(0).remote, moved);
}

TEST_F(ServerCoreTest, FloatOntoAnotherSessionOfTheSameIdIsSafe) {
    sim.start_server();
    auto& a = sim.add_client("alice");
    auto& b = sim.add_client("bob");
    ASSERT_TRUE(connect(a));
    ASSERT_TRUE(connect(b));
    sim.core->notified(dataplane::PeerFloated{0, b.endpoint}, sim.now);
    sim.core->notified(dataplane::PeerFloated{1, a.endpoint}, sim.now);
    EXPECT_EQ(sim.core->clients(sim.now).size(), 2U);
}

TEST_F(ServerCoreTest, FloodOfFirstPacketsIsBoundedAndForgotten) {
    sim.start_server();
    auto& honest = sim.add_client("alice");
    ASSERT_TRUE(connect(honest));
    sim.run(3s);
    auto answered = sim.core->counters().initial;
    const Endpoint flooder{Ipv4{0xc6336407}, 1};
    auto before = sim.datagrams_to_clients;
    Bytes reset = {0x38, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    for (unsigned i = 0; i < 10000; i++) {
        reset[1] = static_cast<std::uint8_t>(i);
        reset[2] = static_cast<std::uint8_t>(i >> 8);
        sim.to_server({flooder.address, static_cast<std::uint16_t>(i)}, reset);
    }
    sim.run(1s);
    EXPECT_EQ(sim.core->half_open(), 0U) << "nothing is remembered";
    EXPECT_LE(sim.core->counters().initial - answered, 142U) << "128 at once, 12.8 a second";
    EXPECT_LE(sim.datagrams_to_clients - before, 142U);
    EXPECT_GE(sim.core->counters().initial_limited, 9850U);
    // Others are not disturbed.
    auto& newcomer = sim.add_client("bob");
    EXPECT_TRUE(connect(newcomer));
    honest.client->send_data(kPacket);
    sim.run(1s);
    EXPECT_EQ(sim.at_server.size(), 1U);
}

TEST_F(ServerCoreTest, HalfOpenSessionsAreBounded) {
    sim.settings.max_half_open = 17;
    sim.settings.max_half_open_per_source = 5;
    sim.settings.session.handshake_window = 20s;
    sim.start_server();
    // Strangers that answer the cookie and then say no more: 10 ports of each of two addresses, and
    // 10 addresses of a network.
    for (std::uint16_t i = 0; i < 30; i++) {
        Endpoint stranger{Ipv4{0xc6336450U + i / 10U}, static_cast<std::uint16_t>(1000 + i)};
        if (i >= 20)
            stranger.address = *parse_ipv6("2001:db8::") + i;
        sim.to_server(stranger, Bytes{0x38, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 0, 0});
    }
    sim.run(1s);
    ASSERT_EQ(sim.to_strangers.size(), 30U);
    EXPECT_EQ(sim.core->half_open(), 0U);
    std::vector<std::pair<Endpoint, Bytes>> answers;
    for (const auto& [stranger, datagram] : sim.to_strangers) {
        auto reset = wire::parse_control(datagram);
        ASSERT_TRUE(reset);
        EXPECT_EQ(reset->opcode, wire::Opcode::HardResetServerV2);
        wire::ControlPacket ack;
        ack.opcode = wire::Opcode::AckV1;
        ack.session_id = {7, 7, 7, 7, 7, 7, 7, 7};
        ack.peer_session_id = reset->session_id;
        ack.acks.add(0);
        answers.emplace_back(stranger, wire::build_control(ack));
    }
    for (const auto& [stranger, datagram] : answers)
        sim.to_server(stranger, datagram);
    sim.run(1s);
    EXPECT_EQ(sim.core->half_open(), 15U) << "five of each";
    EXPECT_EQ(sim.core->counters().half_open_limited, 15U);
    sim.run(20s);
    EXPECT_EQ(sim.core->half_open(), 0U);
    EXPECT_TRUE(sim.core->finished());
    // What they send again while the cookie is still good begins no session that has ended.
    sim.to_server(answers.front().first, answers.front().second);
    sim.run(1s);
    EXPECT_EQ(sim.core->half_open(), 0U);
    EXPECT_EQ(sim.core->counters().stray, 1U);
}

TEST_F(ServerCoreTest, CookiesAreBoundToAddressAndAge) {
    session::ResetCookie cookie(30s);
    const wire::SessionId client = {1, 2, 3};
    const wire::SessionId other = {1, 2, 4};
    const Endpoint here{Ipv4{1}, 1};
    auto id = cookie.make(here, client, sim.now);
    EXPECT_TRUE(cookie.valid(id, here, client, sim.now));
    EXPECT_TRUE(cookie.valid(id, here, client, sim.now + 60s));
    EXPECT_FALSE(cookie.valid(id, here, client, sim.now + 90s));
    EXPECT_FALSE(cookie.valid(id, here, other, sim.now));
    EXPECT_FALSE(cookie.valid(id, {Ipv4{2}, 1}, client, sim.now));
    EXPECT_FALSE(cookie.valid(id, {Ipv4{1}, 2}, client, sim.now));
    EXPECT_FALSE(cookie.valid(id, {Ipv4{1}, 1, 3}, client, sim.now));
    EXPECT_FALSE(session::ResetCookie(30s).valid(id, here, client, sim.now));
}

TEST_F(ServerCoreTest, GarbageIsCountedByKind) {
    sim.start_server();
    const Endpoint somebody{Ipv4{0xc6336407}, 9};
    sim.to_server(somebody, Bytes{});
    sim.to_server(somebody, Bytes{0x20, 1, 2});
    sim.to_server(somebody, Bytes{0xff, 1, 2});
    sim.to_server(somebody, Bytes(20000, 0x20));
    sim.to_server(somebody, Bytes{0x48, 0, 0, 9, 0, 0, 0, 1, 2, 3});
    sim.to_server(somebody,
                  Bytes{0x28, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8});
    sim.run(1s);
    const auto& n = sim.core->counters();
    auto count = [&](wire::WireError e) { return n.malformed[static_cast<std::size_t>(e)]; };
    EXPECT_EQ(count(wire::WireError::Truncated), 2U);
    EXPECT_EQ(count(wire::WireError::UnknownOpcode), 1U);
    EXPECT_EQ(count(wire::WireError::Oversized), 1U);
    EXPECT_EQ(n.unknown_data, 1U);
    EXPECT_EQ(n.stray, 1U) << "a wrong cookie";
    EXPECT_EQ(sim.datagrams_to_clients, 0U) << "garbage is not answered";
    EXPECT_TRUE(sim.core->finished());
}

TEST_F(ServerCoreTest, DataPlaneThatRefusesLeavesNothingBehind) {
    for (const char* call : {"add", "key"}) {
        Simulation broken;
        broken.plane.refuse = call;
        broken.start_server();
        auto& host = broken.add_client("alice");
        broken.run(20s);
        EXPECT_FALSE(host.client->connected()) << call;
        EXPECT_TRUE(broken.core->finished()) << call;
        EXPECT_TRUE(broken.plane.peers.empty()) << call;
    }
}

TEST_F(ServerCoreTest, ClientThatNeverAsksForItsAddressIsDropped) {
    sim.start_server();
    auto& host = sim.add_client("mute", "IV_PROTO=2\nIV_NCP=2\n"); // neither asks nor announces
    sim.run(50s);
    EXPECT_FALSE(host.client->connected());
    EXPECT_EQ(sim.plane.peers.size(), 1U);
    sim.run(20s);
    EXPECT_TRUE(sim.plane.peers.empty());
    EXPECT_TRUE(sim.core->finished());
}

TEST_F(ServerCoreTest, ManyClientsAtOnce) {
    sim.settings.pool_last = *parse_ipv4("10.8.0.201");
    sim.loss = 0.05;
    sim.longest_delay = 80ms;
    sim.start_server();
    for (int i = 0; i < 200; i++)
        sim.add_client("client-" + std::to_string(i));
    auto all = [&] {
        return std::all_of(sim.hosts.begin(), sim.hosts.end(),
                           [](const auto& host) { return host->client->connected(); });
    };
    EXPECT_TRUE(sim.run_until(all, 60s));
    EXPECT_EQ(sim.plane.peers.size(), 200U);
    std::set<std::string> addresses;
    for (const auto& host : sim.hosts)
        addresses.insert(host->client->pushed("ifconfig"));
    EXPECT_EQ(addresses.size(), 200U);
}

namespace {

// Servers and clients with a pre-shared key of each kind.
class WrappedTest : public ServerCoreTest {
protected:
    static std::shared_ptr<const wire::ControlWrap> tls_auth(wire::ControlWrap::Direction direction,
                                                             const char* digest = "SHA256") {
        return std::make_shared<const wire::ControlWrap>(
            std::move(*wire::ControlWrap::tls_auth(static_key(), direction, digest)));
    }
    static std::shared_ptr<const wire::ControlWrap> tls_crypt(wire::Role role) {
        return std::make_shared<const wire::ControlWrap>(
            wire::ControlWrap::tls_crypt(static_key(), role));
    }
    static wire::StaticKey static_key() { return std::move(*wire::parse_static_key(kStaticKey)); }
    static wire::TlsCryptV2Key server_key() {
        return std::move(*wire::parse_tls_crypt_v2_key(kTlsCryptV2ServerKey));
    }

    void use_v2(bool force_cookie = false, std::chrono::seconds max_age = 0s) {
        auto v2 = std::make_shared<server::TlsCryptV2>();
        v2->key = server_key();
        v2->force_cookie = force_cookie;
        v2->max_age = max_age;
        sim.settings.tls_crypt_v2 = v2;
    }

    ClientWrap v2_client(ByteView metadata = {}, bool can_resend_key = true) {
        auto out = tls_crypt_v2_client(server_key(), metadata);
        out.can_resend_key = can_resend_key;
        return out;
    }

    std::uint64_t malformed(wire::WireError error) {
        return sim.core->counters().malformed[static_cast<std::size_t>(error)];
    }

    // Data both ways, before and after new keys by either side.
    void expect_a_whole_life(Host& host) {
        ASSERT_TRUE(connect(host));
        sim.run(3s);
        host.client->renegotiate(sim.now);
        sim.run(5s);
        sim.core->notified(dataplane::KeyNearLimit{host.client->peer_id(), 1}, sim.now);
        sim.run(5s);
        EXPECT_EQ(host.client->keys_generated, 3U);
        auto before = sim.at_server.size();
        host.client->send_data(kPacket);
        sim.send_data(host.client->peer_id(), kPing);
        sim.run(1s);
        EXPECT_EQ(sim.at_server.size(), before + 1);
        EXPECT_FALSE(host.client->received.empty());
        EXPECT_EQ(host.client->dropped[static_cast<std::size_t>(wire::WireError::Replayed)], 0U);
        EXPECT_EQ(malformed(wire::WireError::Replayed), 0U);
    }
};

} // namespace

TEST_F(WrappedTest, TlsAuth) {
    using Direction = wire::ControlWrap::Direction;
    sim.settings.wrap = tls_auth(Direction::Normal);
    sim.start_server();
    expect_a_whole_life(sim.add_wrapped_client("alice", {tls_auth(Direction::Inverse), {}, true}));
    // Whoever has no key, or the wrong one, is not answered.
    auto before = sim.datagrams_to_clients;
    sim.add_client("plain");
    sim.add_wrapped_client("direction", {tls_auth(Direction::Normal), {}, true});
    sim.add_wrapped_client("digest", {tls_auth(Direction::Inverse, "SHA1"), {}, true});
    sim.add_wrapped_client("crypt", {tls_crypt(wire::Role::Client), {}, true});
    sim.run(1s);
    EXPECT_EQ(sim.datagrams_to_clients, before);
    EXPECT_EQ(malformed(wire::WireError::NotAuthentic) + malformed(wire::WireError::Truncated), 4U);
    EXPECT_EQ(sim.core->half_open(), 0U);
    sim.add_wrapped_client("v2", v2_client());
    sim.run(1s);
    EXPECT_EQ(malformed(wire::WireError::Unsupported), 1U);
}

// Packet IDs of the next process are newer than all before, and what was heard is not heard again.
TEST_F(WrappedTest, AnotherProcessGoesOn) {
    use_v2();
    Notes notes;
    sim.start_server();
    sim.core->note_in(notes);
    auto& host = sim.add_wrapped_client("alice", v2_client());
    std::vector<Bytes> recorded;
    sim.tap = [&](bool for_server, ByteView datagram) {
        const auto opcode = wire::opcode_of(datagram);
        if (for_server && opcode != wire::Opcode::DataV2)
            recorded.emplace_back(datagram.begin(), datagram.end());
    };
    ASSERT_TRUE(connect(host));
    sim.run(1s);
    for (unsigned process = 1; process <= 4; process++) {
        const auto saved = server::read_saved_client(notes.records.begin()->second);
        ASSERT_TRUE(saved);
        ASSERT_TRUE(saved->own_key);
        notes.records.clear();
        sim.core.reset();
        sim.start_server();
        sim.core->note_in(notes);
        ASSERT_FALSE(sim.core->resume(*saved, sim.now, sim.now + 1s));
        sim.tap = nullptr;
        const auto replayed = malformed(wire::WireError::Replayed);
        const auto old = recorded;
        for (const auto& datagram : old)
            sim.to_server(host.endpoint, datagram);
        sim.run(500ms);
        EXPECT_GT(malformed(wire::WireError::Replayed), replayed);
        sim.run(4s);
        EXPECT_EQ(host.client->keys_generated, process + 1);
        EXPECT_EQ(host.client->dropped[static_cast<std::size_t>(wire::WireError::Replayed)], 0U);
        ASSERT_EQ(notes.records.size(), 1U);
    }
}

TEST_F(WrappedTest, TlsAuthWithoutDirection) {
    sim.settings.wrap = tls_auth(wire::ControlWrap::Direction::Both, "SHA1");
    sim.start_server();
    expect_a_whole_life(sim.add_wrapped_client(
        "alice", {tls_auth(wire::ControlWrap::Direction::Both, "SHA1"), {}, true}));
}

TEST_F(WrappedTest, TlsCrypt) {
    sim.settings.wrap = tls_crypt(wire::Role::Server);
    sim.start_server();
    expect_a_whole_life(sim.add_wrapped_client("alice", {tls_crypt(wire::Role::Client), {}, true}));
}

TEST_F(WrappedTest, TlsCryptV2WithACookie) {
    use_v2(true);
    sim.start_server();
    expect_a_whole_life(sim.add_wrapped_client("alice", v2_client()));
    expect_a_whole_life(sim.add_wrapped_client("bob", v2_client(timestamp_metadata(1))));
    // Without v2 there is no way in, not even with a plain packet.
    auto before = sim.datagrams_to_clients;
    sim.add_client("plain");
    sim.add_wrapped_client("crypt", {tls_crypt(wire::Role::Client), {}, true});
    sim.run(1s);
    EXPECT_EQ(sim.datagrams_to_clients, before);
    EXPECT_EQ(malformed(wire::WireError::NotAuthentic), 2U);
}

TEST_F(WrappedTest, TlsCryptV2OfOldClients) {
    use_v2();
    sim.start_server();
    auto& host = sim.add_wrapped_client("alice", v2_client({}, false));
    sim.run(6ms);
    EXPECT_EQ(sim.core->half_open(), 1U) << "its first packet begins a session";
    expect_a_whole_life(host);
}

TEST_F(WrappedTest, OldClientsAreNotServedWhereCookiesAreForced) {
    use_v2(true);
    sim.start_server();
    auto& host = sim.add_wrapped_client("alice", v2_client({}, false));
    EXPECT_FALSE(connect(host, 20s));
    EXPECT_EQ(sim.core->counters().sessions, 0U);
    EXPECT_EQ(sim.datagrams_to_clients, 0U);
}

TEST_F(WrappedTest, BothKindsOfTlsCryptSideBySide) {
    use_v2();
    sim.settings.wrap = tls_crypt(wire::Role::Server);
    sim.start_server();
    expect_a_whole_life(sim.add_wrapped_client("alice", v2_client()));
    expect_a_whole_life(sim.add_wrapped_client("bob", {tls_crypt(wire::Role::Client), {}, true}));
}

// Whoever hears packets that are wrapped takes none that is older than another one.
TEST_F(WrappedTest, TheClockMayBeSetBackAmidAHandshake) {
    sim.settings.wrap = tls_crypt(wire::Role::Server);
    auto zero = std::chrono::seconds(1'000'000);
    sim.settings.ask_unix_time_of_zero = [&] { return zero; };
    sim.start_server();
    auto& host = sim.add_wrapped_client("alice", {tls_crypt(wire::Role::Client), {}, true});
    ASSERT_TRUE(sim.run_until([&] { return sim.core->counters().initial > 0; }, 5s));
    zero -= 3600s;
    expect_a_whole_life(host);
}

// A machine that has slept, or whose clock was wrong, knows the time again.
TEST_F(WrappedTest, AgesAreOfTheClockAsItIsNow) {
    use_v2(false, 24h);
    auto zero = std::chrono::seconds(1'000'000);
    sim.settings.unix_time_of_zero = zero;
    sim.settings.ask_unix_time_of_zero = [&] { return zero; };
    sim.start_server();
    const auto made = 1'000'000 + 3600;
    EXPECT_TRUE(connect(sim.add_wrapped_client("alice", v2_client(timestamp_metadata(made)))));
    EXPECT_NEAR(static_cast<double>(sim.core->clients(sim.now).at(0).connected_since), made, 60);
    zero += 48h;
    EXPECT_FALSE(connect(sim.add_wrapped_client("bob", v2_client(timestamp_metadata(made))), 10s));
    EXPECT_TRUE(
        connect(sim.add_wrapped_client("carol", v2_client(timestamp_metadata(made + 48 * 3600)))));
    EXPECT_NEAR(static_cast<double>(sim.core->clients(sim.now).at(1).connected_since),
                made + 48 * 3600, 60);
}

TEST_F(WrappedTest, AgeOfClientKeys) {
    use_v2(false, 24h);
    sim.settings.unix_time_of_zero = 1'000'000s;
    sim.start_server();
    auto now = 1'000'000 + 3600;
    EXPECT_TRUE(connect(sim.add_wrapped_client("new", v2_client(timestamp_metadata(now)))));
    EXPECT_TRUE(connect(sim.add_wrapped_client("day", v2_client(timestamp_metadata(now - 86390)))));
    auto bad = [&] { return malformed(wire::WireError::BadClientKey); };
    EXPECT_FALSE(
        connect(sim.add_wrapped_client("old", v2_client(timestamp_metadata(now - 86500))), 10s));
    auto refused = bad();
    EXPECT_GT(refused, 0U);
    EXPECT_FALSE(connect(sim.add_wrapped_client("user", v2_client(Bytes(9, 0))), 10s));
    EXPECT_FALSE(connect(sim.add_wrapped_client("none", v2_client()), 10s));
    EXPECT_GT(bad(), refused);
    EXPECT_EQ(sim.plane.peers.size(), 2U);
}

TEST_F(WrappedTest, ThroughLoss) {
    for (unsigned seed = 1; seed <= 10; seed++) {
        for (bool cookie : {true, false}) {
            Simulation lossy(seed);
            auto v2 = std::make_shared<server::TlsCryptV2>();
            v2->key = server_key();
            lossy.settings.tls_crypt_v2 = v2;
            lossy.loss = 0.2;
            lossy.longest_delay = 100ms;
            lossy.start_server();
            auto& host = lossy.add_wrapped_client("alice", v2_client({}, cookie));
            EXPECT_TRUE(lossy.run_until([&] { return host.client->connected(); }, 60s))
                << "seed " << seed;
        }
    }
}

TEST_F(WrappedTest, RecordedPacketsHaveNoEffect) {
    sim.settings.wrap = tls_crypt(wire::Role::Server);
    sim.start_server();
    std::vector<Bytes> recorded;
    sim.tap = [&](bool for_server, ByteView datagram) {
        if (for_server)
            recorded.emplace_back(datagram.begin(), datagram.end());
    };
    auto& host = sim.add_wrapped_client("alice", {tls_crypt(wire::Role::Client), {}, true});
    ASSERT_TRUE(connect(host));
    sim.run(3s);
    sim.tap = {};
    ASSERT_GT(recorded.size(), 3U);
    auto to_clients = sim.datagrams_to_clients;
    for (const auto& datagram : recorded)
        sim.to_server(host.endpoint, datagram);
    sim.run(1s);
    // The first packet was answered before there was a session to remember it: only that one is
    // new to the session, which has its message already and says so.
    EXPECT_EQ(malformed(wire::WireError::Replayed), recorded.size() - 1);
    EXPECT_LE(sim.datagrams_to_clients - to_clients, 1U);
    EXPECT_EQ(sim.core->clients(sim.now).size(), 1U);
    // From elsewhere the first packet gets another cookie; the others lead nowhere.
    const Endpoint elsewhere{Ipv4{0xc6336463}, 7};
    for (const auto& datagram : recorded)
        sim.to_server(elsewhere, datagram);
    sim.run(1s);
    EXPECT_EQ(sim.core->half_open(), 0U);
    EXPECT_EQ(sim.core->counters().sessions, 1U);
    EXPECT_EQ(sim.to_strangers.size(), 1U);
}

TEST_F(WrappedTest, FloodWithARecordedPacketOfAnOldClientIsBounded) {
    use_v2();
    sim.settings.max_half_open = 50;
    sim.settings.max_half_open_per_source = 5;
    sim.start_server();
    Bytes first;
    sim.tap = [&](bool, ByteView datagram) {
        if (first.empty())
            first.assign(datagram.begin(), datagram.end());
    };
    sim.add_wrapped_client("alice", v2_client({}, false));
    sim.run(3s);
    for (std::uint32_t i = 0; i < 2000; i++)
        sim.to_server({Ipv4{0x0b000000 + i / 10}, static_cast<std::uint16_t>(i)}, first);
    sim.run(1s);
    EXPECT_EQ(sim.core->half_open(), 50U);
    EXPECT_EQ(sim.core->counters().half_open_limited, 1950U);
    sim.run(70s);
    EXPECT_EQ(sim.core->half_open(), 0U);
    EXPECT_EQ(sim.core->clients(sim.now).size(), 1U);
}

TEST_F(WrappedTest, SmallPacketsAndTheLongestDigest) {
    using Direction = wire::ControlWrap::Direction;
    sim.settings.wrap = tls_auth(Direction::Normal, "SHA512");
    sim.settings.session.max_packet = 126;
    sim.start_server();
    auto& host =
        sim.add_wrapped_client("alice", {tls_auth(Direction::Inverse, "SHA512"), {}, true});
    EXPECT_TRUE(connect(host));
}

TEST_F(WrappedTest, LimitForPacketsIncludesTheWrapping) {
    std::size_t longest = 0;
    sim.tap = [&](bool for_server, ByteView datagram) {
        if (!for_server)
            longest = std::max(longest, datagram.size());
    };
    use_v2();
    sim.settings.session.max_packet = 500;
    sim.start_server();
    EXPECT_TRUE(connect(sim.add_wrapped_client("alice", v2_client())));
    EXPECT_LE(longest, 500U);
    EXPECT_GT(longest, 450U);
}

namespace {

// Who came and who went.
class Visitors final : public server::ClientObserver {
public:
    void connected(const server::ClientStatus& client) override {
        seen.push_back("+" + std::to_string(client.client_id) + " " + client.common_name);
        last = client;
    }
    void disconnected(const server::ClientStatus& client) override {
        seen.push_back("-" + std::to_string(client.client_id) + " " + client.common_name);
        last = client;
    }

    std::vector<std::string> seen;
    server::ClientStatus last;
};

} // namespace

TEST_F(ServerCoreTest, AnObserverHearsOfClientsThatWereUp) {
    Visitors visitors;
    sim.settings.unix_time_of_zero = 1000000s;
    sim.settings.ipv6 = server::Ipv6Pool{*parse_ipv6("fd00:8::1"), *parse_ipv6("fd00:8::1000"), 64};
    sim.settings.client_lookup = [](const std::string& name) {
        server::ClientSettings special;
        special.disabled = name == "nobody";
        special.networks = {ipv4_prefix(Ipv4{0x0a320000}, 24)};
        return std::optional(special);
    };
    sim.start_server();
    sim.core->observe(&visitors);
    const auto began = sim.now;
    ASSERT_TRUE(connect(sim.add_client("alice")));
    sim.run(100s);
    EXPECT_THAT(visitors.seen, ElementsAre("+0 alice"));
    EXPECT_EQ(to_string(visitors.last.address), "10.8.0.2");
    EXPECT_THAT(visitors.last.pool,
                Contains(testing::Pair("ifconfig_pool_netmask", "255.255.255.0")));
    EXPECT_EQ(to_string(visitors.last.address6.value()), "fd00:8::1000");
    ASSERT_EQ(visitors.last.networks.size(), 1U);
    EXPECT_EQ(to_string(visitors.last.networks[0]), "10.50.0.0/24");
    const auto zero = std::chrono::duration_cast<std::chrono::seconds>(began.time_since_epoch());
    EXPECT_EQ(visitors.last.connected_since, 1000000 + zero.count());
    sim.add_client("nobody");
    sim.run(20s);
    ASSERT_TRUE(connect(sim.add_client("bob")));
    // The traffic is asked for as long as the data plane knows the peer.
    sim.plane.peers.at(0).rx_bytes = 10;
    sim.plane.peers.at(0).tx_bytes = 20;
    EXPECT_EQ(sim.core->kill_by_name("alice", sim.now), 1U);
    EXPECT_THAT(visitors.seen, ElementsAre("+0 alice", "+2 bob", "-0 alice"));
    EXPECT_EQ(visitors.last.rx_bytes, 10U);
    EXPECT_EQ(visitors.last.tx_bytes, 20U);
    EXPECT_GE(visitors.last.connected_for, 100s);
    // Once it has forgotten it, what was asked last.
    sim.plane.peers.at(1).rx_bytes = 30;
    EXPECT_EQ(sim.core->clients(sim.now).at(0).rx_bytes, 30U);
    sim.plane.peers.erase(1);
    sim.core->notified(dataplane::PeerDeleted{1, true}, sim.now);
    EXPECT_EQ(visitors.seen.back(), "-2 bob");
    EXPECT_EQ(visitors.last.rx_bytes, 30U);
    sim.core->observe(nullptr);
}

TEST_F(ServerCoreTest, KillsByNameAddressAndNumber) {
    sim.settings.duplicate_cn = true;
    sim.start_server();
    std::vector<Host*> hosts;
    for (const char* name : {"twin", "twin", "bob", "carol"}) {
        hosts.push_back(&sim.add_client(name));
        ASSERT_TRUE(connect(*hosts.back()));
    }
    EXPECT_EQ(sim.core->kill_by_name("nobody", sim.now), 0U);
    EXPECT_EQ(sim.core->kill_by_name("twin", sim.now), 2U);
    EXPECT_THAT(hosts[0]->client->messages, Not(Contains("RESTART"))) << "nothing is said";
    auto elsewhere = hosts[2]->endpoint;
    EXPECT_EQ(sim.core->kill_by_remote(elsewhere, true, sim.now), 0U) << "nobody is there by TCP";
    elsewhere.port++;
    EXPECT_EQ(sim.core->kill_by_remote(elsewhere, false, sim.now), 0U);
    EXPECT_EQ(sim.core->kill_by_remote(hosts[2]->endpoint, false, sim.now), 1U);
    ASSERT_EQ(sim.core->clients(sim.now).size(), 1U);
    const auto carol = sim.core->clients(sim.now)[0];
    EXPECT_EQ(carol.common_name, "carol");
    EXPECT_EQ(carol.client_id, 3U);
    EXPECT_FALSE(sim.core->kill_by_id(0, "RESTART", sim.now)) << "gone already";
    EXPECT_FALSE(sim.core->kill_by_id(99, "RESTART", sim.now));
    EXPECT_TRUE(sim.core->kill_by_id(3, "HALT,go home", sim.now));
    sim.run(5s);
    EXPECT_THAT(hosts[3]->client->messages, Contains("HALT,go home"));
    EXPECT_TRUE(sim.core->finished());
    EXPECT_TRUE(sim.plane.peers.empty());
}
