// SPDX-License-Identifier: GPL-2.0-or-later
//
// Our client with our server on a simulated network: handshakes in every format, renegotiations
// without a lost packet, what servers push and say, and a client that tries again.

#include "server/auth_token.h"
#include "support/recording_hooks.h"
#include "support/simulated_client.h"
#include "support/stock_packets.h"
#include "support/wrapped_key.h"
#include "util/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nfovpn;
using namespace nfovpn::test;
using namespace std::chrono_literals;
using client::Phase;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

namespace {

const Bytes kPacket = {0x45, 0, 0, 20, 1, 2, 3, 4};

// Writes down what it is told and asked; the test answers.
class RecordingObserver final : public client::ClientObserver {
public:
    void state(management::State state, const management::StateDetails& details) override {
        states.push_back(state);
        if (!details.reason.empty())
            reasons.push_back(details.reason);
    }
    void echo(std::string_view text) override { told.push_back("echo " + std::string(text)); }
    void information(std::string_view text) override {
        told.push_back("information " + std::string(text));
    }
    void refused(std::string_view reason) override {
        told.push_back("refused " + std::string(reason));
    }
    bool hold(std::chrono::seconds pause) override {
        told.push_back("hold " + std::to_string(pause.count()));
        return holds;
    }
    void ask_remote(const config::Remote& remote) override {
        told.push_back("remote " + remote.host);
    }
    void ask_user() override { told.emplace_back("user"); }
    void withdraw() override { told.emplace_back("withdraw"); }

    bool holds = false;
    std::vector<std::string> told;
    std::vector<management::State> states;
    std::vector<std::string> reasons;
};

class ClientCoreTest : public testing::Test {
protected:
    void SetUp() override {
        log::set_level(log::Level::Off);
        settings.session.handshake_window = 60s;
        settings.session.renegotiate_after = 0s;
    }

    SimulatedClient& make(const std::string& name = "alice") {
        clients.push_back(std::make_unique<SimulatedClient>(sim, name, settings));
        return *clients.back();
    }
    SimulatedClient& make_observed() {
        auto& out = make();
        out.on_core = [this](client::ClientCore& core) { core.observe(&observer); };
        return out;
    }
    SimulatedClient& start(const std::string& name = "alice") {
        auto& out = make(name);
        out.start();
        return out;
    }
    bool connect(SimulatedClient& c, Duration limit = 60s) {
        return sim.run_until([&] { return c.up(); }, limit);
    }
    bool ends(SimulatedClient& c, Duration limit = 60s) {
        return sim.run_until([&] { return c.core->finished(); }, limit);
    }
    // A packet each way arrives, and nothing else.
    void expect_data(SimulatedClient& c) {
        const auto at_server = sim.at_server.size();
        const auto at_client = c.received.size();
        ASSERT_TRUE(c.send_data(kPacket));
        ASSERT_TRUE(sim.send_data(*c.core->peer_id(), kPing));
        sim.run(1s);
        ASSERT_EQ(sim.at_server.size(), at_server + 1);
        ASSERT_EQ(c.received.size(), at_client + 1);
        EXPECT_EQ(sim.at_server.back(), kPacket);
        EXPECT_EQ(c.received.back(), kPing);
        EXPECT_EQ(sim.plane.undecryptable + c.plane.undecryptable, 0U);
    }
    config::Remote remote(const std::string& host, bool tcp = false) {
        config::Remote out;
        out.host = host;
        out.tcp = tcp;
        out.timeout = 10s;
        return out;
    }

    Simulation sim;
    RecordingHooks hooks;
    client::ClientSettings settings;
    RecordingObserver observer;
    std::vector<std::unique_ptr<SimulatedClient>> clients;
};

} // namespace

TEST_F(ClientCoreTest, ConnectsAndIsToldItsTunnel) {
    sim.settings.session.push = {"route-gateway 10.8.0.1",
                                 "topology subnet",
                                 "route 10.99.0.0 255.255.255.0",
                                 "route-ipv6 fd00:99::/64",
                                 "dhcp-option DNS 10.99.0.53",
                                 "redirect-gateway def1",
                                 "ping 7",
                                 "ping-restart 40"};
    sim.settings.session.tun_mtu = 1400;
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    EXPECT_THAT(c.calls, ElementsAre("resolve vpn", "open 192.0.2.1:1194 udp", "set up 10.8.0.2",
                                     "connected"));
    EXPECT_THAT(c.plane.calls, ElementsAre("add 0", "key 0 primary 0", "keepalive 0"));
    const auto& peer = c.plane.peers.at(0);
    EXPECT_TRUE(peer.peer.owns_everything);
    EXPECT_EQ(peer.peer.path.remote, kServerEndpoint);
    EXPECT_EQ(peer.keepalive.interval, 7U);
    EXPECT_EQ(peer.keepalive.timeout, 40U);
    ASSERT_TRUE(c.tunnel);
    EXPECT_EQ(c.tunnel->length, 24);
    EXPECT_EQ(c.tunnel->mtu, 1400U);
    EXPECT_EQ(c.tunnel->gateway, parse_ipv4("10.8.0.1"));
    ASSERT_EQ(c.tunnel->routes.size(), 2U);
    EXPECT_EQ(to_string(c.tunnel->routes[0].network), "10.99.0.0/24");
    EXPECT_EQ(to_string(c.tunnel->routes[1].network), "fd00:99::/64");
    EXPECT_EQ(c.tunnel->redirect, wire::RedirectGateway{});
    EXPECT_THAT(c.tunnel->environment, Contains(std::pair<std::string, std::string>(
                                           "foreign_option_1", "dhcp-option DNS 10.99.0.53")));
    expect_data(c);
    const auto report = c.core->report();
    EXPECT_EQ(report.common_name, "server");
    EXPECT_EQ(report.cipher, "AES-256-GCM with epochs");
}

struct ClientFormat {
    const char* name;
    DataCipher cipher;
    DataAuth auth;
    bool tls_export;
    Framing framing;
};

void PrintTo(const ClientFormat& format, std::ostream* out) {
    *out << format.name;
}

class ClientFormats : public ClientCoreTest, public testing::WithParamInterface<ClientFormat> {};

TEST_P(ClientFormats, DataBothWaysThroughRenegotiations) {
    const auto& format = GetParam();
    auto& server = sim.settings.session.negotiation;
    server.data_ciphers = settings.session.negotiation.data_ciphers = {format.cipher};
    server.auth = settings.session.negotiation.auth = format.auth;
    server.tls_export = format.tls_export;
    server.framing = format.framing;
    server.push_framing = format.framing != Framing::None;
    sim.settings.session.renegotiate_after = 100s;
    settings.mss_fix = {1492, MssFix::Of::OuterPacket};
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    EXPECT_EQ(c.plane.peers.at(0).peer.framing, format.framing);
    EXPECT_GT(c.plane.peers.at(0).peer.tcp_mss, 1300);
    expect_data(c);
    ASSERT_TRUE(sim.run_until([&] { return c.core->report().renegotiations == 2; }, 300s));
    expect_data(c);
}

INSTANTIATE_TEST_SUITE_P(
    All, ClientFormats,
    testing::Values(
        ClientFormat{"GcmEpochs", DataCipher::Aes256Gcm, DataAuth::Sha1, true, Framing::None},
        ClientFormat{"ChachaPrf", DataCipher::ChaCha20Poly1305, DataAuth::Sha1, false,
                     Framing::None},
        ClientFormat{"Cbc", DataCipher::Aes256Cbc, DataAuth::Sha256, true, Framing::None},
        ClientFormat{"CbcPrf", DataCipher::Aes128Cbc, DataAuth::Sha1, false, Framing::Stub},
        ClientFormat{"GcmStubV2", DataCipher::Aes128Gcm, DataAuth::Sha1, true, Framing::StubV2}),
    [](const auto& tested) { return tested.param.name; });

// Both sides want new keys now and then, datagrams are lost and overtake each other, and yet what
// the network delivers can be read.
TEST_F(ClientCoreTest, RenegotiationsOfBothSidesUnderLossLoseNothing) {
    for (unsigned seed = 1; seed <= 4; seed++) {
        Simulation lossy(seed);
        lossy.loss = 0.15;
        lossy.shortest_delay = 5ms;
        lossy.longest_delay = 60ms;
        lossy.settings.session.renegotiate_after = 70s;
        settings.session.renegotiate_after = 50s;
        lossy.start_server();
        SimulatedClient c(lossy, "alice", settings);
        c.start();
        ASSERT_TRUE(lossy.run_until([&] { return c.up(); }, 120s)) << seed;
        for (int i = 0; i < 600; i++) {
            c.send_data(kPacket);
            lossy.send_data(*c.core->peer_id(), kPing);
            lossy.run(1s);
            ASSERT_TRUE(c.up()) << seed;
        }
        EXPECT_GT(c.core->report().renegotiations, 8U) << seed;
        EXPECT_EQ(lossy.plane.undecryptable, 0U) << seed;
        EXPECT_EQ(c.plane.undecryptable, 0U) << seed;
        EXPECT_GT(lossy.at_server.size(), 400U) << seed;
        EXPECT_GT(c.received.size(), 400U) << seed;
    }
}

// Whose ACK is lost the server has no key yet; so a client goes on with the old one for a while.
TEST_F(ClientCoreTest, GoesOnWithTheOldKeyForAWhile) {
    settings.session.renegotiate_after = 100s;
    sim.settings.session.renegotiate_after = 0s;
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    ASSERT_TRUE(sim.run_until([&] { return c.plane.peers.at(0).slots[1].has_value(); }, 110s));
    const auto began = sim.now;
    EXPECT_EQ(c.plane.peers.at(0).slots[0]->key_id, 0);
    expect_data(c);
    ASSERT_TRUE(sim.run_until([&] { return c.core->report().renegotiations == 1; }, 10s));
    EXPECT_GT(sim.now - began, 2s);
    EXPECT_LT(sim.now - began, 5s);
    EXPECT_EQ(c.plane.peers.at(0).slots[0]->key_id, 1);
    expect_data(c);
}

TEST_F(ClientCoreTest, LongPushReplyIsPutTogether) {
    for (int i = 0; i < 200; i++)
        sim.settings.session.push.push_back("route 10." + std::to_string(i) + ".0.0 255.255.0.0");
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    EXPECT_EQ(c.tunnel->routes.size(), 200U);
    expect_data(c);
}

TEST_F(ClientCoreTest, ControlChannelWrappedInEveryWay) {
    const auto key = *wire::parse_static_key(kStaticKey);
    const auto auth = [&](wire::ControlWrap::Direction direction) {
        return std::make_shared<const wire::ControlWrap>(
            *wire::ControlWrap::tls_auth(key, direction, "SHA256"));
    };
    sim.settings.wrap = auth(wire::ControlWrap::Direction::Normal);
    settings.wrap = auth(wire::ControlWrap::Direction::Inverse);
    sim.start_server();
    auto& by_auth = start("by-auth");
    ASSERT_TRUE(connect(by_auth));
    expect_data(by_auth);
    clients.clear();

    sim.settings.wrap = std::make_shared<const wire::ControlWrap>(
        wire::ControlWrap::tls_crypt(key, wire::Role::Server));
    settings.wrap = std::make_shared<const wire::ControlWrap>(
        wire::ControlWrap::tls_crypt(key, wire::Role::Client));
    sim.start_server();
    sim.plane.peers.clear();
    auto& by_crypt = start("by-crypt");
    ASSERT_TRUE(connect(by_crypt));
    expect_data(by_crypt);
    // Who lacks the key hears nothing.
    settings.wrap.reset();
    settings.remotes = {remote("vpn")};
    auto& stranger = start("stranger");
    sim.run(30s);
    EXPECT_FALSE(stranger.up());
    EXPECT_THAT(stranger.calls, Contains("open 192.0.2.1:1194 udp").Times(testing::Ge(2)));
}

// With a wrapped key that fills most of a packet, and a network that loses.
TEST_F(ClientCoreTest, TlsCryptV2BringsItsKeyAgainWhenAsked) {
    const auto server_key = *wire::parse_tls_crypt_v2_key(kTlsCryptV2ServerKey);
    const auto metadata = timestamp_metadata(1000);
    for (unsigned seed = 1; seed <= 6; seed++) {
        Simulation lossy(seed);
        lossy.loss = seed == 1 ? 0 : 0.2;
        auto v2 = std::make_shared<server::TlsCryptV2>();
        v2->key.assign(server_key.view());
        v2->force_cookie = true;
        lossy.settings.tls_crypt_v2 = v2;
        auto wrap = tls_crypt_v2_client(server_key, metadata);
        settings.wrap = wrap.keys;
        settings.wrapped_key = wrap.wrapped_key;
        std::size_t longest = 0;
        unsigned with_key = 0;
        lossy.tap = [&](bool for_server, ByteView datagram) {
            longest = std::max(longest, datagram.size());
            if (for_server && wire::opcode_of(datagram) == wire::Opcode::ControlWkcV1)
                with_key++;
        };
        lossy.start_server();
        SimulatedClient c(lossy, "alice", settings);
        c.start();
        ASSERT_TRUE(lossy.run_until([&] { return c.up(); }, 200s)) << seed;
        EXPECT_GE(with_key, 1U);
        EXPECT_LE(longest, settings.session.max_packet);
        ASSERT_TRUE(c.send_data(kPacket));
    }
}

TEST_F(ClientCoreTest, UserNameAndPasswordGoAlong) {
    sim.settings.users.emplace();
    sim.hooks = &hooks;
    sim.start_server();
    settings.username = "carol";
    settings.password = std::make_shared<const SecretBytes>(as_bytes("open sesame"));
    auto& c = start();
    ASSERT_TRUE(sim.run_until([&] { return !hooks.users.empty(); }, 30s));
    auto question = hooks.next_user();
    EXPECT_EQ(question.username, "carol");
    EXPECT_EQ(question.password, "open sesame");
    question.done(server::ClientSettings{}, sim.now);
    ASSERT_TRUE(connect(c));
    expect_data(c);
}

TEST_F(ClientCoreTest, WrongPasswordEndsTheClient) {
    sim.settings.users.emplace();
    sim.hooks = &hooks;
    sim.start_server();
    settings.username = "carol";
    settings.password = std::make_shared<const SecretBytes>(as_bytes("open barley"));
    auto& c = start();
    ASSERT_TRUE(sim.run_until([&] { return !hooks.users.empty(); }, 30s));
    hooks.next_user().done(session::Refusal{"user name or password is wrong", false, true},
                           sim.now);
    ASSERT_TRUE(ends(c, 20s));
    EXPECT_THAT(c.core->failure(), HasSubstr("user name or password is wrong"));
    EXPECT_THAT(c.core->failure(), Not(HasSubstr("barley")));
    EXPECT_THAT(c.plane.calls, IsEmpty());
}

TEST_F(ClientCoreTest, RefusedClientsMayTryAgainIfTheyAreToldTo) {
    sim.settings.users.emplace();
    sim.hooks = &hooks;
    sim.start_server();
    settings.auth_retry = config::AuthRetry::NoInteract;
    settings.username = "carol";
    settings.password = std::make_shared<const SecretBytes>(as_bytes("open barley"));
    auto& c = start();
    for (int i = 0; i < 2; i++) {
        ASSERT_TRUE(sim.run_until([&] { return !hooks.users.empty(); }, 30s));
        hooks.next_user().done(session::Refusal{"no"}, sim.now);
    }
    EXPECT_FALSE(c.core->finished());
}

TEST_F(ClientCoreTest, ATokenStandsForThePassword) {
    sim.settings.users.emplace();
    auto tokens = std::make_shared<server::AuthTokenSettings>();
    tokens->lifetime = 1h;
    tokens->renewal = 1h;
    sim.settings.users->tokens = tokens;
    sim.hooks = &hooks;
    sim.settings.session.renegotiate_after = 60s;
    sim.start_server();
    settings.username = "carol";
    settings.password = std::make_shared<const SecretBytes>(as_bytes("open sesame"));
    auto& c = start();
    ASSERT_TRUE(sim.run_until([&] { return !hooks.users.empty(); }, 30s));
    hooks.next_user().done(server::ClientSettings{}, sim.now);
    ASSERT_TRUE(connect(c));
    ASSERT_TRUE(sim.run_until([&] { return c.core->report().renegotiations == 3; }, 300s));
    EXPECT_THAT(hooks.users, IsEmpty()) << "nobody needs to be asked again";
    expect_data(c);
    // A server that does not know it, as one that was started again, asks for the password.
    auto other = std::make_shared<server::AuthTokenSettings>();
    other->key.writable()[0] = 1;
    sim.settings.users->tokens = other;
    sim.core->shutdown(sim.now);
    sim.run(5s);
    sim.start_server();
    ASSERT_TRUE(sim.run_until([&] { return !hooks.users.empty(); }, 60s));
    EXPECT_EQ(hooks.next_user().password, "open sesame");
}

TEST_F(ClientCoreTest, ComesBackAfterARestartOfTheServer) {
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    sim.core->shutdown(sim.now);
    ASSERT_TRUE(sim.run_until([&] { return !c.up(); }, 10s));
    EXPECT_FALSE(c.tunnel);
    sim.run(5s);
    sim.start_server();
    c.calls.clear();
    ASSERT_TRUE(connect(c));
    EXPECT_THAT(c.calls, Contains("set up 10.8.0.2"));
    expect_data(c);
}

TEST_F(ClientCoreTest, TunnelMayStayMeanwhile) {
    settings.keep_tunnel = true;
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    sim.core->shutdown(sim.now);
    ASSERT_TRUE(sim.run_until([&] { return !c.up(); }, 10s));
    EXPECT_TRUE(c.tunnel);
    c.core->stop(sim.now);
    EXPECT_FALSE(c.tunnel);
    EXPECT_TRUE(c.core->finished());
}

TEST_F(ClientCoreTest, AnotherAddressOfItsOwnEndsNoSession) {
    settings.keep_tunnel = true;
    sim.start_server();
    auto& c = start();
    c.core->own_address_changed(true, sim.now); // a handshake begins anew
    ASSERT_TRUE(connect(c));
    c.calls.clear();
    c.core->own_address_changed(true, sim.now);
    EXPECT_TRUE(c.up());
    EXPECT_THAT(c.calls, ElementsAre("announce 0"));
    // The route past the tunnel is gone: it has to be set up again, and goes first.
    c.core->own_address_changed(false, sim.now);
    EXPECT_FALSE(c.tunnel);
    ASSERT_TRUE(connect(c));
    EXPECT_THAT(c.calls, Contains("set up 10.8.0.2"));
}

TEST_F(ClientCoreTest, AConnectionDoesNotOutliveItsAddress) {
    settings.remotes = {remote("vpn", true)};
    sim.settings.tcp = true;
    sim.settings.session.negotiation.tcp = true;
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    c.core->own_address_changed(true, sim.now);
    EXPECT_FALSE(c.up());
    EXPECT_THAT(c.calls, testing::Not(Contains("announce 0")));
    EXPECT_TRUE(connect(c));
}

// Nothing is taken from the device and given again when what is pushed is the same: packets would
// go past the tunnel meanwhile.
TEST_F(ClientCoreTest, TunnelStaysWhereNothingHasChanged) {
    settings.keep_tunnel = true;
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    const auto count = [&](const std::string& call) {
        return std::count_if(c.calls.begin(), c.calls.end(),
                             [&](const auto& made) { return made.starts_with(call); });
    };
    EXPECT_EQ(count("set up"), 1);
    const auto again = [&] {
        c.core->restart(sim.now);
        EXPECT_FALSE(c.up());
        return connect(c);
    };
    ASSERT_TRUE(again());
    EXPECT_EQ(count("set up"), 1);
    EXPECT_EQ(count("keep"), 1);
    expect_data(c);

    // Otherwise it is made anew: by a machine that cannot keep it, or with other routes.
    c.refuse_keep = true;
    ASSERT_TRUE(again());
    EXPECT_EQ(count("set up"), 2);
    c.refuse_keep = false;
    sim.core.reset();
    sim.settings.session.push.emplace_back("route 10.9.0.0 255.255.0.0");
    sim.start_server();
    ASSERT_TRUE(again());
    EXPECT_EQ(count("keep"), 1);
    EXPECT_EQ(count("set up"), 3);
}

TEST_F(ClientCoreTest, LostNotificationsAreMadeUpFor) {
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    c.core->resynchronize(sim.now);
    EXPECT_TRUE(c.up()) << "the data plane still knows the server";
    c.plane.peers.clear();
    c.core->resynchronize(sim.now);
    EXPECT_EQ(c.core->phase(), Phase::Waiting);
    ASSERT_TRUE(connect(c));
    expect_data(c);
}

TEST_F(ClientCoreTest, ASilentServerIsTriedAgain) {
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    c.core->notified(dataplane::PeerDeleted{7, true}, sim.now);
    EXPECT_TRUE(c.up()) << "that is another peer";
    c.core->notified(dataplane::PeerDeleted{0, true}, sim.now);
    EXPECT_EQ(c.core->phase(), Phase::Waiting);
    EXPECT_THAT(c.plane.calls, Not(Contains("remove 0"))) << "it is gone already";
    c.plane.calls.clear();
    ASSERT_TRUE(connect(c));
    expect_data(c);
}

TEST_F(ClientCoreTest, ASilentServerMayBeTheEnd) {
    sim.settings.session.push = {"ping 5", "ping-exit 20"};
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    EXPECT_EQ(c.plane.peers.at(0).keepalive.timeout, 20U);
    c.core->notified(dataplane::PeerDeleted{0, true}, sim.now);
    EXPECT_TRUE(c.core->finished());
    EXPECT_EQ(c.core->failure(), "") << "that is what was wanted";
}

TEST_F(ClientCoreTest, IdleTunnelsAndLongSessionsEnd) {
    settings.inactive = 80s;
    sim.start_server();
    auto& idle = start();
    ASSERT_TRUE(connect(idle));
    sim.run(60s);
    idle.plane.peers.at(0).rx_bytes += 100;
    sim.run(70s);
    EXPECT_TRUE(idle.up()) << "it was in use";
    ASSERT_TRUE(ends(idle, 25s));
    EXPECT_EQ(idle.core->failure(), "");

    // What is pushed counts.
    settings.inactive = 0s;
    settings.session_timeout = 30s;
    sim.settings.session.push = {"session-timeout 100"};
    sim.start_server();
    auto& old = start("bob");
    ASSERT_TRUE(connect(old));
    sim.run(90s);
    EXPECT_TRUE(old.up());
    EXPECT_TRUE(ends(old, 15s));
}

TEST_F(ClientCoreTest, CompressionIsRefusedUnlessItIsAllowed) {
    sim.settings.session.push = {"compress lz4-v2"};
    sim.start_server();
    auto& c = start();
    EXPECT_FALSE(connect(c, 20s));
    c.core->stop(sim.now);
    settings.session.negotiation.may_unpack = true;
    auto& allowed = start("bob");
    ASSERT_TRUE(connect(allowed));
    EXPECT_EQ(allowed.plane.peers.begin()->second.peer.framing, Framing::Lz4V2);
}

TEST_F(ClientCoreTest, NobodyToAskIsTheEnd) {
    settings.ask_user = true;
    settings.known_username = settings.username = "carol";
    sim.start_server();
    auto& c = make_observed();
    c.start();
    EXPECT_EQ(observer.told.back(), "user");
    c.core->not_told_user("there is no terminal", sim.now);
    EXPECT_TRUE(c.core->finished());
    EXPECT_THAT(c.core->failure(), HasSubstr("there is no terminal"));
}

TEST_F(ClientCoreTest, SaysGoodByeWhereThatIsWanted) {
    settings.exit_notify = 1;
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    c.core->stop(sim.now);
    EXPECT_EQ(c.core->phase(), Phase::Leaving);
    ASSERT_TRUE(ends(c, 5s));
    EXPECT_EQ(c.core->failure(), "");
    EXPECT_TRUE(sim.core->finished()) << "the server knows";
    EXPECT_TRUE(c.plane.peers.empty());
    EXPECT_FALSE(c.tunnel);
}

TEST_F(ClientCoreTest, LeavesWithoutAWordOtherwise) {
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    c.core->stop(sim.now);
    EXPECT_TRUE(c.core->finished());
    EXPECT_FALSE(sim.core->finished());
    EXPECT_EQ(c.core->deadline(), kNever);
}

TEST_F(ClientCoreTest, ServersAndTheirAddressesAreTriedInTurn) {
    settings.remotes = {remote("nowhere"), remote("dead"), remote("vpn")};
    const Endpoint dead1{*parse_ipv4("192.0.2.66"), 1194};
    const Endpoint dead2{*parse_ipv4("192.0.2.67"), 1194};
    sim.start_server();
    auto& c = make();
    c.names = [&](const config::Remote& r) {
        if (r.host == "nowhere")
            return std::vector<Endpoint>{};
        return r.host == "dead" ? std::vector<Endpoint>{dead1, dead2}
                                : std::vector<Endpoint>{kServerEndpoint};
    };
    c.start();
    ASSERT_TRUE(connect(c));
    EXPECT_THAT(c.calls, ElementsAre("resolve nowhere", "resolve dead", "open 192.0.2.66:1194 udp",
                                     "open 192.0.2.67:1194 udp", "resolve vpn",
                                     "open 192.0.2.1:1194 udp", "set up 10.8.0.2", "connected"));
}

TEST_F(ClientCoreTest, WaitsLongerAfterManyRoundsAndEndsAfterEnough) {
    settings.remotes = {remote("vpn")};
    settings.retry = 2s;
    settings.longest_retry = 30s;
    settings.tries = 12;
    sim.start_server();
    auto& c = make();
    c.names = [](const auto&) { return std::vector<Endpoint>{}; };
    std::vector<TimePoint> at;
    c.names = [&](const auto&) {
        at.push_back(sim.now);
        return std::vector<Endpoint>{};
    };
    c.start();
    ASSERT_TRUE(ends(c, 600s));
    EXPECT_THAT(c.core->failure(), HasSubstr("connect-retry-max"));
    ASSERT_EQ(at.size(), 12U);
    EXPECT_EQ(at[1] - at[0], 2s);
    EXPECT_EQ(at[4] - at[3], 2s);
    EXPECT_EQ(at[5] - at[4], 4s);
    EXPECT_EQ(at[11] - at[10], 30s);
}

TEST_F(ClientCoreTest, NamesThatAreNotFoundMayEndIt) {
    settings.resolve_for = 10s;
    auto& c = make();
    sim.start_server();
    c.names = [](const auto&) { return std::vector<Endpoint>{}; };
    c.start();
    ASSERT_TRUE(ends(c, 60s));
    EXPECT_THAT(c.core->failure(), HasSubstr("resolv-retry"));
}

TEST_F(ClientCoreTest, AForgedAnswerIsNotHeard) {
    sim.start_server();
    auto& c = start();
    sim.run(1ms);
    wire::ControlPacket forged;
    forged.opcode = wire::Opcode::HardResetServerV2;
    forged.session_id = {1, 2, 3, 4, 5, 6, 7, 8};
    forged.peer_session_id = {8, 7, 6, 5, 4, 3, 2, 1};
    forged.acks.add(0);
    forged.message_id = 0;
    c.core->receive({kServerEndpoint, c.endpoint}, wire::build_control(forged), sim.now);
    // From elsewhere, truncated, and data that nobody can read.
    c.core->receive({{Ipv4{1}, 1}, c.endpoint}, wire::build_control(forged), sim.now);
    const Bytes junk = {0x40, 1};
    c.core->receive({kServerEndpoint, c.endpoint}, junk, sim.now);
    c.core->receive({kServerEndpoint, c.endpoint}, ByteView(), sim.now);
    const Bytes data = {0x48, 0, 0, 0, 1, 2, 3};
    c.core->receive({kServerEndpoint, c.endpoint}, data, sim.now);
    EXPECT_EQ(c.core->report().dropped, 4U);
    ASSERT_TRUE(connect(c));
    expect_data(c);
}

TEST_F(ClientCoreTest, OnlyAServerOfTheRightNameAndPurposeWillDo) {
    settings.tries = 1;
    sim.start_server();
    auto& wrong = make();
    wrong.tls_config.name_check = session::NameCheck::CommonName;
    wrong.tls_config.name = "another";
    wrong.start();
    ASSERT_TRUE(ends(wrong, 100s));
    EXPECT_THAT(wrong.plane.calls, IsEmpty());
    auto& right = make();
    right.tls_config.name_check = session::NameCheck::CommonName;
    right.tls_config.name = "server";
    right.tls_config.require_extended_use = true;
    right.start();
    EXPECT_TRUE(connect(right));
    // Who poses as the server with a client's certificate.
    sim.server_config.certificate = right.tls_config.certificate;
    sim.server_config.private_key = SecretBytes(right.tls_config.private_key.view());
    clients.clear();
    sim.start_server();
    auto& deceived = make();
    deceived.tls_config.require_extended_use = true;
    deceived.start();
    ASSERT_TRUE(ends(deceived, 100s));
    EXPECT_THAT(deceived.plane.calls, IsEmpty());
}

TEST_F(ClientCoreTest, WhatIsPushedIsCheckedAndFiltered) {
    settings.tries = 1;
    using Action = wire::PullFilter::Action;
    const auto fails = [&](const std::string& option) {
        sim.settings.session.push = {"topology subnet", option};
        sim.plane.peers.clear();
        sim.start_server();
        auto& c = start();
        const bool ended = ends(c, 100s);
        EXPECT_THAT(c.plane.calls, IsEmpty()) << option;
        return ended;
    };
    EXPECT_TRUE(fails("cipher BF-CBC"));
    EXPECT_TRUE(fails("compress lz4"));
    EXPECT_TRUE(fails("protocol-flags dyn-tls-crypt"));
    EXPECT_TRUE(fails("tun-mtu 12"));
    settings.session.pull_filters = {{Action::Accept, "route 10.1."},
                                     {Action::Ignore, "route "},
                                     {Action::Reject, "dhcp-option"}};
    EXPECT_TRUE(fails("dhcp-option DNS 1.1.1.1"));

    sim.settings.session.push = {"topology subnet", "route 10.1.0.0 255.255.0.0",
                                 "route 10.2.0.0 255.255.0.0"};
    settings.session.own_options = {"route 10.7.0.0 255.255.0.0", "route-metric 9"};
    sim.plane.peers.clear();
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    std::vector<std::string> routes;
    for (const auto& route : c.tunnel->routes)
        routes.push_back(to_string(route.network) + " " + std::to_string(route.metric.value_or(0)));
    EXPECT_THAT(routes, ElementsAre("10.7.0.0/16 9", "10.1.0.0/16 9"));
}

TEST_F(ClientCoreTest, ADeviceThatCannotBeSetUpEndsTheSession) {
    settings.tries = 1;
    sim.start_server();
    auto& c = make();
    c.refuse_set_up = true;
    c.start();
    ASSERT_TRUE(ends(c, 100s));
    EXPECT_THAT(c.plane.calls, Contains("remove 0"));
}

TEST_F(ClientCoreTest, ADataPlaneThatRefusesEndsTheSession) {
    settings.tries = 1;
    for (const char* call : {"add", "key"}) {
        sim.plane.peers.clear();
        sim.start_server();
        auto& c = make();
        c.plane.refuse = call;
        c.start();
        EXPECT_TRUE(ends(c, 100s)) << call;
        EXPECT_THAT(c.calls, Not(Contains("connected"))) << call;
    }
}

TEST_F(ClientCoreTest, FollowsAServerThatMovesAndRenewsAWornKey) {
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    c.core->notified(dataplane::PeerFloated{0, {*parse_ipv4("192.0.2.9"), 1194}}, sim.now);
    EXPECT_THAT(c.core->report().server, HasSubstr("192.0.2.9"));
    c.core->notified(dataplane::PeerFloated{0, kServerEndpoint}, sim.now);
    c.core->notified(dataplane::KeyNearLimit{0, 0}, sim.now);
    ASSERT_TRUE(sim.run_until([&] { return c.core->report().renegotiations == 1; }, 100s));
    expect_data(c);
}

TEST_F(ClientCoreTest, RestartConnectsAgainAtOnce) {
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    c.core->restart(sim.now);
    EXPECT_EQ(c.core->phase(), Phase::Resolving);
    EXPECT_TRUE(c.plane.peers.empty());
    ASSERT_TRUE(connect(c));
    expect_data(c);
}

TEST_F(ClientCoreTest, AConnectionThatEndsIsOpenedAgain) {
    settings.remotes = {remote("vpn", true)};
    sim.settings.tcp = true;
    sim.settings.session.negotiation.tcp = true;
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    EXPECT_THAT(c.calls, Contains("open 192.0.2.1:1194 tcp"));
    c.core->lost("the connection has ended", sim.now);
    EXPECT_EQ(c.core->phase(), Phase::Waiting);
    ASSERT_TRUE(connect(c));
    expect_data(c);
}

// What a server may say between push replies.
TEST_F(ClientCoreTest, ServersMayRestartTheClientOrSendItToTheNext) {
    settings.remotes = {remote("vpn"), remote("other")};
    sim.settings.restart_message = "RESTART,[N]";
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    sim.core->shutdown(sim.now);
    sim.run(5s);
    EXPECT_THAT(c.calls, Contains("resolve other"));
    sim.start_server();
    ASSERT_TRUE(connect(c));
    const auto id = sim.core->clients(sim.now).at(0).client_id;
    EXPECT_TRUE(sim.core->kill_by_id(id, "HALT,go away", sim.now));
    ASSERT_TRUE(ends(c, 5s));
    EXPECT_THAT(c.core->failure(), HasSubstr("go away"));
}

// ---- with somebody who watches and can be asked

TEST_F(ClientCoreTest, StatesAreTold) {
    using management::State;
    settings.remotes = {remote("vpn", true)};
    sim.settings.tcp = true;
    sim.settings.session.negotiation.tcp = true;
    sim.settings.session.push = {"echo one two", "echo", "redirect-gateway"};
    sim.start_server();
    auto& c = make_observed();
    c.start();
    ASSERT_TRUE(connect(c));
    EXPECT_THAT(observer.states,
                ElementsAre(State::Resolve, State::TcpConnect, State::Wait, State::Auth,
                            State::GetConfig, State::AssignIp, State::AddRoutes, State::Connected));
    EXPECT_THAT(observer.told, ElementsAre("hold 0", "echo one two", "echo "));
    c.core->lost("the connection has ended", sim.now);
    EXPECT_EQ(observer.states.back(), State::Reconnecting);
    EXPECT_EQ(observer.reasons.back(), "connection-reset");
    ASSERT_TRUE(connect(c));
    c.core->notified(dataplane::PeerDeleted{*c.core->peer_id(), true}, sim.now);
    EXPECT_EQ(observer.reasons.back(), "ping-restart");
    ASSERT_TRUE(connect(c));
    const auto id = sim.core->clients(sim.now).back().client_id;
    ASSERT_TRUE(sim.core->kill_by_id(id, "INFO,good bye", sim.now));
    sim.run(1s);
    EXPECT_EQ(observer.told.back(), "information good bye");
    c.core->stop(sim.now);
    EXPECT_NE(observer.states.back(), State::Exiting) << "whoever stops it says so";
}

TEST_F(ClientCoreTest, WhyItEndsIsTold) {
    sim.settings.users.emplace();
    sim.hooks = &hooks;
    sim.start_server();
    settings.username = "carol";
    settings.password = std::make_shared<const SecretBytes>(as_bytes("open barley"));
    auto& c = make_observed();
    c.start();
    ASSERT_TRUE(sim.run_until([&] { return !hooks.users.empty(); }, 30s));
    hooks.next_user().done(session::Refusal{"wrong", false, true}, sim.now);
    ASSERT_TRUE(ends(c, 20s));
    EXPECT_EQ(observer.states.back(), management::State::Exiting);
    EXPECT_EQ(observer.reasons.back(), "auth-failure");
    EXPECT_THAT(observer.told, Contains("refused wrong"));
    EXPECT_THAT(observer.told, Not(Contains(HasSubstr("barley"))));
}

TEST_F(ClientCoreTest, NothingBeginsBeforeItIsReleased) {
    observer.holds = true;
    settings.retry = 3s;
    sim.start_server();
    auto& c = make_observed();
    c.start();
    sim.run(100s);
    EXPECT_EQ(c.core->phase(), Phase::Asking);
    EXPECT_EQ(c.core->deadline(), kNever) << "nothing is to be done meanwhile";
    EXPECT_THAT(c.calls, IsEmpty());
    c.core->told_user("carol", SecretBytes(as_bytes("x")), sim.now);
    c.core->remote_accepted("", 0, sim.now);
    c.core->remote_skipped(1, sim.now);
    EXPECT_THAT(c.calls, IsEmpty()) << "that was not asked";
    c.core->hold_released(sim.now);
    ASSERT_TRUE(connect(c));
    c.core->hold_released(sim.now);
    EXPECT_TRUE(c.up());
    // Again before the next try, in place of the wait.
    c.core->notified(dataplane::PeerDeleted{0, true}, sim.now);
    EXPECT_EQ(c.core->phase(), Phase::Asking);
    EXPECT_EQ(observer.told.back(), "hold 3");
    c.core->restart(sim.now);
    EXPECT_EQ(observer.told.back(), "hold 0");
    c.core->stop(sim.now);
    EXPECT_TRUE(c.core->finished());
    EXPECT_EQ(observer.told.back(), "withdraw");
    c.core->hold_released(sim.now);
    EXPECT_TRUE(c.core->finished());
}

TEST_F(ClientCoreTest, ServersAreChosenByTheObserver) {
    settings.ask_remote = true;
    settings.remotes = {remote("one"), remote("two"), remote("three")};
    sim.start_server();
    auto& c = make_observed();
    const Endpoint dead{*parse_ipv4("192.0.2.66"), 1194};
    c.names = [&](const config::Remote& r) {
        return r.port == 1195 ? std::vector<Endpoint>{dead, kServerEndpoint}
                              : std::vector<Endpoint>{};
    };
    c.start();
    EXPECT_THAT(observer.told, ElementsAre("hold 0", "remote one"));
    c.core->remote_skipped(2, sim.now);
    EXPECT_EQ(observer.told.back(), "remote three");
    EXPECT_THAT(c.calls, IsEmpty());
    c.core->remote_skipped(4, sim.now);
    EXPECT_EQ(observer.told.back(), "remote one");
    c.core->remote_accepted("", 0, sim.now);
    sim.run(3s);
    EXPECT_THAT(c.calls, ElementsAre("resolve one"));
    EXPECT_EQ(observer.told.back(), "remote two") << "the first one's name means nothing";
    observer.told.clear();
    c.core->remote_accepted("other", 1195, sim.now);
    ASSERT_TRUE(connect(c));
    EXPECT_THAT(c.calls, ElementsAre("resolve one", "resolve other", "open 192.0.2.66:1194 udp",
                                     "open 192.0.2.1:1194 udp", "set up 10.8.0.2", "connected"));
    EXPECT_THAT(observer.told, ElementsAre("hold 1")) << "not again for its second address";
    EXPECT_EQ(observer.reasons.front(), "init_instance");
    EXPECT_THAT(observer.reasons, Contains("server_poll"));
    c.core->restart(sim.now);
    EXPECT_EQ(observer.told.back(), "remote two") << "by its own name";
}

TEST_F(ClientCoreTest, ARefusedUserIsAskedAgain) {
    sim.settings.users.emplace();
    sim.hooks = &hooks;
    sim.start_server();
    settings.ask_user = true;
    auto& c = make_observed();
    c.start();
    sim.run(200s);
    EXPECT_THAT(c.calls, IsEmpty());
    EXPECT_THAT(observer.told, ElementsAre("hold 0", "user"));
    c.core->set_auth_retry(config::AuthRetry::Interact);
    c.core->told_user("carol", SecretBytes(as_bytes("open barley")), sim.now);
    ASSERT_TRUE(sim.run_until([&] { return !hooks.users.empty(); }, 30s));
    observer.told.clear();
    hooks.next_user().done(session::Refusal{"wrong", false, true}, sim.now);
    ASSERT_TRUE(sim.run_until([&] { return c.core->phase() == Phase::Asking; }, 30s));
    EXPECT_THAT(observer.told, ElementsAre("refused wrong", "hold 1", "user"));
    c.core->told_user("carol", SecretBytes(as_bytes("open sesame")), sim.now);
    ASSERT_TRUE(sim.run_until([&] { return !hooks.users.empty(); }, 30s));
    auto question = hooks.next_user();
    EXPECT_EQ(question.username, "carol");
    EXPECT_EQ(question.password, "open sesame");
    question.done(server::ClientSettings{}, sim.now);
    ASSERT_TRUE(connect(c));
    // Once more it is not asked, as long as nobody wants it to be forgotten.
    c.core->restart(sim.now);
    ASSERT_TRUE(sim.run_until([&] { return !hooks.users.empty(); }, 30s));
    EXPECT_EQ(hooks.next_user().password, "open sesame");
    c.core->forget_passwords();
    c.core->restart(sim.now);
    EXPECT_EQ(observer.told.back(), "user");
}

// Data goes on by the old key until then.
TEST_F(ClientCoreTest, ARenegotiationWaitsForAForgottenPassword) {
    sim.settings.users.emplace();
    sim.hooks = &hooks;
    sim.start_server();
    settings.ask_user = true;
    settings.session.renegotiate_after = 100s;
    auto& c = make_observed();
    c.start();
    const auto let_in = [&](const std::string& password) {
        ASSERT_TRUE(sim.run_until([&] { return !hooks.users.empty(); }, 120s));
        auto question = hooks.next_user();
        EXPECT_EQ(question.password, password);
        question.done(server::ClientSettings{}, sim.now);
    };
    c.core->told_user("carol", SecretBytes(as_bytes("one")), sim.now);
    let_in("one");
    ASSERT_TRUE(connect(c));
    c.core->forget_passwords();
    observer.told.clear();
    ASSERT_TRUE(sim.run_until([&] { return !observer.told.empty(); }, 120s));
    EXPECT_THAT(observer.told, ElementsAre("user"));
    sim.run(20s);
    EXPECT_TRUE(c.up());
    expect_data(c);
    c.core->told_user("carol", SecretBytes(as_bytes("two")), sim.now);
    let_in("two");
    ASSERT_TRUE(sim.run_until([&] { return c.core->report().renegotiations == 1; }, 30s));
    expect_data(c);
    EXPECT_THAT(observer.told, ElementsAre("user")) << "once";
}

// ---- point-to-point

namespace {

class PointToPointTest : public ClientCoreTest {
protected:
    void SetUp() override {
        ClientCoreTest::SetUp();
        settings.session.pull = false;
        settings.session.own_options = {"topology p2p", "ifconfig 10.4.0.2 10.4.0.1",
                                        "route 10.99.0.0 255.255.255.0"};
        settings.keepalive = {5, 30};
        sim.settings.session.point_to_point = true;
        sim.settings.pool_first = sim.settings.pool_last = Ipv4{0x0a040002};
        sim.settings.max_clients = 1;
        sim.settings.restart_message = "";
    }
};

} // namespace

TEST_F(PointToPointTest, NothingIsPushed) {
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    EXPECT_LT(c.core->report().renegotiations, 1U);
    ASSERT_TRUE(c.tunnel);
    EXPECT_EQ(to_string(*c.tunnel->address), "10.4.0.2");
    EXPECT_EQ(to_string(*c.tunnel->peer), "10.4.0.1");
    ASSERT_EQ(c.tunnel->routes.size(), 1U);
    // The ID that TLS export gives both, whose packets are all of the tunnel's.
    ASSERT_EQ(sim.plane.peers.size(), 1U);
    const auto& [id, peer] = *sim.plane.peers.begin();
    EXPECT_EQ(id, c.core->peer_id());
    EXPECT_GT(id, 0xffU);
    EXPECT_TRUE(peer.peer.owns_everything);
    EXPECT_FALSE(peer.peer.data_v1);
    EXPECT_EQ(c.plane.peers.at(id).keepalive.interval, 5U);
    expect_data(c);
}

TEST_F(PointToPointTest, EveryFormat) {
    for (auto cipher : {DataCipher::Aes256Gcm, DataCipher::ChaCha20Poly1305, DataCipher::Aes256Cbc,
                        DataCipher::None}) {
        for (bool tls_export : {true, false}) {
            SCOPED_TRACE(std::string(cipher_name(cipher)) + (tls_export ? ", export" : ", PRF"));
            sim.settings.session.negotiation.data_ciphers = {cipher};
            settings.session.negotiation.data_ciphers = {cipher};
            settings.session.negotiation.tls_export = tls_export;
            sim.plane.peers.clear();
            sim.start_server();
            clients.clear();
            auto& c = start();
            ASSERT_TRUE(connect(c));
            EXPECT_EQ(c.core->peer_id() == session::kFixedPeerId, !tls_export);
            expect_data(c);
        }
    }
}

TEST_F(PointToPointTest, NewKeysWithoutALostPacket) {
    settings.session.renegotiate_after = 20s;
    sim.loss = 0.05;
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    const auto id = c.core->peer_id();
    ASSERT_TRUE(sim.run_until([&] { return c.core->report().renegotiations >= 3; }, 300s));
    sim.loss = 0;
    sim.run(10s);
    EXPECT_EQ(c.core->peer_id(), id);
    expect_data(c);
}

TEST_F(PointToPointTest, TheNewestPeerStays) {
    sim.start_server();
    auto& first = start("alice");
    ASSERT_TRUE(connect(first));
    auto& second = make("bob");
    second.endpoint = {Ipv4{0xc6336465}, 0};
    second.start();
    ASSERT_TRUE(connect(second));
    EXPECT_EQ(sim.core->clients(sim.now).size(), 1U);
    ASSERT_EQ(sim.plane.peers.size(), 1U);
    EXPECT_EQ(sim.plane.peers.begin()->first, second.core->peer_id());
    expect_data(second);
}

TEST_F(PointToPointTest, OnlyFromWhereThePeerIs) {
    sim.settings.only_from = Ipv4{0xc6336401};
    sim.start_server();
    auto& c = start();
    EXPECT_FALSE(connect(c, 20s));
    EXPECT_EQ(sim.core->counters().sessions, 0U);
    EXPECT_GT(sim.core->counters().stray, 0U);
    sim.settings.only_from = Ipv4{0xc6336464};
    sim.start_server();
    EXPECT_TRUE(connect(c, 200s));
}

TEST_F(PointToPointTest, EachSaysGoodBye) {
    settings.exit_notify = 1;
    sim.settings.restart_message = "EXIT";
    sim.start_server();
    auto& c = start();
    ASSERT_TRUE(connect(c));
    c.core->stop(sim.now);
    ASSERT_TRUE(ends(c));
    sim.run(1s);
    EXPECT_TRUE(sim.plane.peers.empty());

    auto& again = start();
    ASSERT_TRUE(connect(again));
    sim.core->shutdown(sim.now);
    EXPECT_TRUE(sim.run_until([&] { return !again.up(); }, 2s));
}

TEST_F(PointToPointTest, AClientIsToldNothing) {
    sim.start_server();
    settings.session.pull = true;
    auto& c = start();
    EXPECT_FALSE(connect(c, 50s));
}

TEST_F(PointToPointTest, NoCommonCipher) {
    sim.settings.session.negotiation.data_ciphers = {DataCipher::Aes256Gcm};
    settings.session.negotiation.data_ciphers = {DataCipher::ChaCha20Poly1305};
    sim.start_server();
    auto& c = start();
    EXPECT_FALSE(connect(c, 30s));
    EXPECT_TRUE(sim.plane.peers.empty());
}
