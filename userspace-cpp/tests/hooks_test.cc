// SPDX-License-Identifier: GPL-2.0-or-later
//
// Clients whose admission others have a say in: user names and passwords, tokens, programs that are
// asked when a client connects, and clients that leave before the answer.

#include "server/auth_token.h"
#include "support/recording_hooks.h"
#include "support/simulation.h"
#include "util/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nfovpn;
using namespace nfovpn::test;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

namespace {

const Bytes kPacket = {0x45, 0, 0, 20, 1, 2, 3, 4};
const session::Refusal kWrong{"user name or password is wrong"};

class HooksTest : public testing::Test {
protected:
    void SetUp() override {
        log::set_level(log::Level::Off);
        sim.hooks = &hooks;
    }
    Host& user(const std::string& name, const std::string& password = "secret") {
        auto& host = sim.add_client(name);
        host.client->username = name + "'s user";
        host.client->password = password;
        return host;
    }
    bool asked_for_user() {
        return sim.run_until([&] { return !hooks.users.empty(); }, 30s);
    }
    bool asked_to_connect() {
        return sim.run_until([&] { return !hooks.connects.empty(); }, 30s);
    }
    bool asked_about_addresses() {
        return sim.run_until([&] { return !hooks.learns.empty(); }, 30s);
    }
    bool up(Host& host) {
        return sim.run_until([&] { return host.client->connected(); }, 30s);
    }
    void answer_user(std::optional<session::Refusal> refusal = std::nullopt) {
        ASSERT_TRUE(asked_for_user());
        if (refusal)
            hooks.next_user().done(*refusal, sim.now);
        else
            hooks.next_user().done(server::ClientSettings{}, sim.now);
    }
    void verify_users(bool tokens = false) {
        sim.settings.users.emplace();
        if (tokens)
            sim.settings.users->tokens = std::make_shared<server::AuthTokenSettings>();
    }

    RecordingHooks hooks;
    Simulation sim;
};

} // namespace

TEST_F(HooksTest, UserNameAndPasswordDecide) {
    verify_users();
    sim.start_server();
    auto& good = user("alice");
    ASSERT_TRUE(asked_for_user());
    auto question = hooks.next_user();
    EXPECT_EQ(question.username, "alice's user");
    EXPECT_EQ(question.password, "secret");
    EXPECT_EQ(question.environment.at("common_name"), "alice");
    EXPECT_EQ(question.environment.at("untrusted_ip"), "198.51.100.1");
    EXPECT_EQ(question.environment.at("untrusted_port"), "40000");
    EXPECT_EQ(question.environment.at("IV_VER"), "2.7.8");
    EXPECT_EQ(question.environment.at("X509_0_CN"), "alice");
    EXPECT_THAT(question.environment.at("tls_id_0"), HasSubstr("CN=alice"));
    EXPECT_THAT(question.environment.at("tls_serial_0"), Not(IsEmpty()));
    EXPECT_THAT(question.environment.at("tls_serial_hex_0"),
                testing::MatchesRegex("[0-9a-f]{2}(:[0-9a-f]{2})*"));
    EXPECT_THAT(question.environment.at("tls_digest_0"),
                testing::MatchesRegex("[0-9a-f]{2}(:[0-9a-f]{2}){19}"));
    EXPECT_THAT(question.environment.at("tls_digest_sha256_1"),
                testing::MatchesRegex("[0-9a-f]{2}(:[0-9a-f]{2}){31}"));
    EXPECT_FALSE(question.environment.contains("password"));
    question.done(server::ClientSettings{}, sim.now);
    ASSERT_TRUE(up(good));
    EXPECT_EQ(sim.core->clients(sim.now).at(0).username, "alice's user");

    auto& bad = user("bob", "guess");
    answer_user(kWrong);
    sim.run(10s);
    EXPECT_FALSE(bad.client->connected());
    EXPECT_THAT(bad.client->messages, ElementsAre("AUTH_FAILED"));
    EXPECT_EQ(sim.plane.peers.size(), 1U);

    auto& nobody = sim.add_client("carol");
    sim.run(10s);
    EXPECT_THAT(nobody.client->messages, ElementsAre("AUTH_FAILED"));
    EXPECT_THAT(hooks.users, IsEmpty()) << "nobody needs to be asked";
    EXPECT_EQ(sim.core->half_open(), 0U);
}

TEST_F(HooksTest, WhoVerifiesAUserMayHaveMoreToSay) {
    verify_users();
    sim.start_server();
    auto& host = user("alice");
    ASSERT_TRUE(asked_for_user());
    server::ClientSettings more;
    more.address = parse_ipv4("10.8.0.99");
    more.push = {"ping 9"};
    hooks.next_user().done(more, sim.now);
    ASSERT_TRUE(up(host));
    EXPECT_EQ(host.client->pushed("ifconfig"), "10.8.0.99 255.255.255.0");
    EXPECT_EQ(host.client->pushed("ping"), "9");
}

// Whoever is asked in the middle of it answers to the settings that there are by then.
TEST_F(HooksTest, UsersMayBeGivenUpAndAskedForWhileItRuns) {
    const auto without = sim.settings;
    verify_users(true);
    const auto with = sim.settings;
    sim.start_server();
    auto& alice = user("alice");
    answer_user();
    ASSERT_TRUE(up(alice));
    auto& bob = user("bob");
    ASSERT_TRUE(asked_for_user());
    sim.core->reconfigure(without);
    hooks.next_user().done(server::ClientSettings{}, sim.now);
    EXPECT_TRUE(up(bob));
    EXPECT_EQ(bob.client->pushed("auth-token"), "") << "nobody would know it";
    sim.run(3s);
    alice.client->messages.clear();
    alice.client->renegotiate(sim.now);
    ASSERT_TRUE(sim.run_until([&] { return alice.client->keys_generated == 2; }, 30s));
    sim.run(1s);
    EXPECT_THAT(alice.client->messages, IsEmpty());
    auto& carol = sim.add_client("carol");
    EXPECT_TRUE(up(carol)) << "nobody is asked";

    sim.core->reconfigure(with);
    sim.run(3s);
    carol.client->renegotiate(sim.now);
    sim.run(5s);
    EXPECT_EQ(carol.client->messages.back(), "AUTH_FAILED");
    EXPECT_EQ(sim.core->clients(sim.now).size(), 2U);
}

TEST_F(HooksTest, UsersMayBeOptional) {
    verify_users();
    sim.settings.users->required = false;
    sim.start_server();
    // Whoever verifies is asked all the same, and decides.
    auto& none = sim.add_client("alice");
    ASSERT_TRUE(asked_for_user());
    auto question = hooks.next_user();
    EXPECT_EQ(question.username + "/" + question.password, "/");
    question.done(kWrong, sim.now);
    sim.run(10s);
    EXPECT_FALSE(none.client->connected());
    auto& trusted = sim.add_client("carol");
    answer_user();
    EXPECT_TRUE(up(trusted));

    for (const auto* password : {"", "secret"}) {
        auto& named = user("bob", password);
        named.client->has_credentials = true;
        ASSERT_TRUE(asked_for_user());
        question = hooks.next_user();
        EXPECT_EQ(question.username, "bob's user");
        EXPECT_EQ(question.password, password);
        question.done(kWrong, sim.now);
        sim.run(10s);
        EXPECT_FALSE(named.client->connected());
    }
}

// Who was let in without a name cannot have one later, nor the other way round.
TEST_F(HooksTest, AUserWithoutANameStaysWithoutOne) {
    verify_users();
    sim.settings.users->required = false;
    sim.start_server();
    auto& host = sim.add_client("alice");
    answer_user();
    ASSERT_TRUE(up(host));
    sim.run(2s);
    host.client->username = "bob";
    host.client->password = "secret";
    host.client->renegotiate(sim.now);
    sim.run(10s);
    EXPECT_THAT(hooks.users, IsEmpty());
    EXPECT_TRUE(sim.plane.peers.empty());
}

// A password may be empty where one is required; one that is not there is refused unasked.
TEST_F(HooksTest, EmptyPasswordsAreVerified) {
    verify_users();
    sim.start_server();
    user("alice", "");
    ASSERT_TRUE(asked_for_user());
    EXPECT_EQ(hooks.next_user().password, "");
}

// Control characters only are replaced, so names that differ stay so.
TEST_F(HooksTest, NamesOutsideAsciiStayApart) {
    verify_users();
    sim.settings.users->as_common_name = true;
    std::vector<std::string> looked_up;
    sim.settings.client_lookup = [&](const std::string& name) {
        looked_up.push_back(name);
        return std::optional(server::ClientSettings{});
    };
    sim.start_server();
    for (const auto* name : {"Zo\u00eb", "Zo\u00e9", "a\nb"}) {
        auto& host = sim.add_client("certificate");
        host.client->username = name;
        host.client->password = "secret";
        answer_user();
        ASSERT_TRUE(up(host));
    }
    EXPECT_EQ(sim.plane.peers.size(), 3U);
    EXPECT_THAT(looked_up, ElementsAre("Zo\u00eb", "Zo\u00e9", "a_b"));

    auto& longest = sim.add_client("certificate");
    longest.client->username = std::string(65, 'x');
    longest.client->password = "secret";
    sim.run(10s);
    EXPECT_THAT(longest.client->messages, ElementsAre("AUTH_FAILED"));
}

// Somebody with a certificate can open sessions without end that wait for a decision.
TEST_F(HooksTest, SessionsThatWaitForADecisionAreBounded) {
    verify_users();
    sim.settings.max_clients = 1;
    sim.settings.max_half_open = 2;
    sim.start_server();
    for (int i = 0; i < 5; i++) {
        user("alice");
        ASSERT_TRUE(sim.run_until(
            [&] { return hooks.users.size() == static_cast<std::size_t>(i) + 1; }, 30s));
    }
    EXPECT_EQ(sim.core->counters().half_open_limited, 0U);
    user("alice");
    sim.run(5s);
    EXPECT_EQ(hooks.users.size(), 5U);
    EXPECT_GT(sim.core->counters().half_open_limited, 0U);
    // They end by their time limit, and others may come.
    sim.run(2 * sim.settings.session.handshake_window);
    hooks.users.clear();
    user("bob");
    EXPECT_TRUE(asked_for_user());
}

TEST_F(HooksTest, WhoeverIsSlowHoldsNobodyElseUp) {
    verify_users();
    sim.settings.users->required = false;
    sim.start_server();
    auto& slow = user("slow");
    ASSERT_TRUE(asked_for_user());
    auto later = hooks.next_user();
    auto& quick = sim.add_client("quick");
    answer_user();
    ASSERT_TRUE(up(quick));
    sim.run(20s);
    EXPECT_FALSE(slow.client->connected());
    later.done(server::ClientSettings{}, sim.now);
    EXPECT_TRUE(up(slow));
}

TEST_F(HooksTest, AnswersForClientsThatAreGoneHaveNoEffect) {
    verify_users();
    sim.start_server();
    user("alice");
    ASSERT_TRUE(asked_for_user());
    auto question = hooks.next_user();
    sim.run(2 * sim.settings.session.handshake_window);
    EXPECT_THAT(hooks.forgotten, ElementsAre(question.client));
    question.done(server::ClientSettings{}, sim.now);
    sim.run(1s);
    EXPECT_THAT(sim.plane.peers, IsEmpty());
    EXPECT_TRUE(sim.core->finished());
}

TEST_F(HooksTest, EveryRenegotiationIsVerified) {
    verify_users();
    sim.start_server();
    auto& host = user("alice");
    answer_user();
    ASSERT_TRUE(up(host));
    host.client->renegotiate(sim.now);
    answer_user();
    ASSERT_TRUE(sim.run_until([&] { return host.client->keys_generated == 2; }, 30s));
    host.client->send_data(kPacket);
    sim.run(1s);
    EXPECT_THAT(sim.at_server, SizeIs(1));

    sim.run(5s);
    host.client->renegotiate(sim.now);
    answer_user(kWrong);
    sim.run(10s);
    EXPECT_EQ(host.client->messages.back(), "AUTH_FAILED");
    EXPECT_THAT(sim.plane.peers, IsEmpty());
}

TEST_F(HooksTest, AnotherUserAtRenegotiationIsRefusedUnasked) {
    verify_users();
    sim.start_server();
    auto& host = user("alice");
    answer_user();
    ASSERT_TRUE(up(host));
    host.client->username = "bob's user";
    host.client->renegotiate(sim.now);
    sim.run(10s);
    EXPECT_THAT(hooks.users, IsEmpty());
    EXPECT_EQ(host.client->messages.back(), "AUTH_FAILED");
    EXPECT_THAT(sim.plane.peers, IsEmpty());
}

TEST_F(HooksTest, AnswerToAnAbandonedRenegotiationHasNoEffect) {
    verify_users();
    sim.start_server();
    auto& host = user("alice");
    answer_user();
    ASSERT_TRUE(up(host));
    sim.run(5s);
    host.client->renegotiate(sim.now);
    ASSERT_TRUE(asked_for_user());
    auto late = hooks.next_user();
    sim.run(sim.settings.session.handshake_window + 1s);
    late.done(kWrong, sim.now);
    sim.run(1s);
    EXPECT_EQ(host.client->keys_generated, 1U);
    host.client->send_data(kPacket);
    sim.run(1s);
    EXPECT_THAT(sim.at_server, SizeIs(1)) << "by the old key, which is good for its time";
}

// A token stands for a password, and not for what somebody says about a certificate.
TEST_F(HooksTest, TokenIsNoCertificate) {
    verify_users(true);
    sim.settings.users->certificates = true;
    sim.start_server();
    auto& host = user("alice", "one-time");
    answer_user();
    ASSERT_TRUE(up(host));
    const auto token = host.client->pushed("auth-token");
    const auto asked = [&] { return !hooks.certificates.empty(); };
    auto& again = user("alice", token);
    ASSERT_TRUE(sim.run_until(asked, 30s));
    hooks.next_certificate().done(server::ClientSettings{}, sim.now);
    ASSERT_TRUE(up(again));
    auto& revoked = user("alice", token);
    ASSERT_TRUE(sim.run_until(asked, 30s));
    hooks.next_certificate().done(session::Refusal{"not that one", false, true}, sim.now);
    sim.run(10s);
    EXPECT_FALSE(revoked.client->connected());
    EXPECT_THAT(revoked.client->messages, ElementsAre("AUTH_FAILED,not that one"));
}

TEST_F(HooksTest, TokenStandsForThePassword) {
    verify_users(true);
    sim.start_server();
    auto& host = user("alice", "one-time");
    answer_user();
    ASSERT_TRUE(up(host));
    const auto first = host.client->pushed("auth-token");
    ASSERT_TRUE(server::is_auth_token(as_bytes(first)));

    host.client->password = first;
    sim.run(10s);
    host.client->renegotiate(sim.now);
    ASSERT_TRUE(sim.run_until([&] { return host.client->keys_generated == 2; }, 30s));
    EXPECT_THAT(hooks.users, IsEmpty());
    sim.run(1s);
    ASSERT_THAT(host.client->messages.back(), HasSubstr("PUSH_REPLY,auth-token SESS_ID_AT_"));
    EXPECT_THAT(host.client->messages.back(), Not(HasSubstr(first))) << "renewed";

    // It is good for another connection too, until it is too old.
    auto& again = user("alice", first);
    ASSERT_TRUE(up(again));
    EXPECT_THAT(hooks.users, IsEmpty());
    sim.run(sim.settings.users->tokens->renewal + 10s);
    auto& late = user("alice", first);
    sim.run(10s);
    EXPECT_THAT(late.client->messages, ElementsAre(HasSubstr("AUTH_FAILED,SESSION:token expired")));

    auto& forger = sim.add_client("mallory");
    forger.client->username = "mallory";
    forger.client->password = first;
    sim.run(10s);
    EXPECT_THAT(forger.client->messages, ElementsAre(HasSubstr("AUTH_FAILED,SESSION:")));
}

TEST_F(HooksTest, UserNameInPlaceOfACertificate) {
    verify_users();
    sim.settings.users->as_common_name = true;
    sim.server_config.peer_certificate = session::PeerCertificate::Unasked;
    sim.start_server();
    auto& host = user("alice");
    ASSERT_TRUE(asked_for_user());
    EXPECT_EQ(sim.core->half_open(), 1U) << "nothing is proved yet";
    answer_user();
    ASSERT_TRUE(up(host));
    EXPECT_EQ(sim.core->half_open(), 0U);
    EXPECT_EQ(sim.core->clients(sim.now).at(0).common_name, "alice's user");
    host.client->renegotiate(sim.now);
    answer_user();
    EXPECT_TRUE(sim.run_until([&] { return host.client->keys_generated == 2; }, 30s));
}

TEST_F(HooksTest, ProgramDecidesWhoConnectsAndWithWhat) {
    sim.settings.hooks_connect = true;
    sim.settings.hooks_addresses = true;
    sim.settings.client_lookup = [](const std::string&) {
        server::ClientSettings out;
        out.push = {"ping 7"};
        return std::optional(out);
    };
    sim.start_server();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(asked_to_connect());
    auto question = hooks.next_connect();
    EXPECT_EQ(question.environment.at("ifconfig_pool_remote_ip"), "10.8.0.2");
    EXPECT_EQ(question.environment.at("trusted_ip"), "198.51.100.1");
    server::ClientSettings more;
    more.address = parse_ipv4("10.8.0.77");
    more.networks = {ipv4_prefix(*parse_ipv4("10.1.0.0"), 16)};
    more.push = {"ping 8"};
    question.done(more, sim.now);
    ASSERT_TRUE(asked_about_addresses());
    hooks.next_learn().done({true, true}, sim.now);
    ASSERT_TRUE(up(host));
    EXPECT_THAT(host.client->messages.at(0), HasSubstr("ping 7,ping 8"));
    EXPECT_EQ(host.client->pushed("ifconfig"), "10.8.0.77 255.255.255.0");
    EXPECT_THAT(hooks.learned, ElementsAre("add 10.8.0.77 alice", "add 10.1.0.0/16 alice"));

    auto& other = sim.add_client("bob");
    ASSERT_TRUE(asked_to_connect());
    hooks.next_connect().done(std::nullopt, sim.now);
    sim.run(10s);
    EXPECT_THAT(other.client->messages, ElementsAre("AUTH_FAILED"));
    EXPECT_THAT(hooks.disconnects, IsEmpty()) << "it was not connected";

    sim.run(10s);
    host.client->send_message("EXIT", sim.now);
    ASSERT_TRUE(sim.run_until([&] { return !hooks.disconnects.empty(); }, 30s));
    const auto& left = hooks.disconnects.at(0);
    EXPECT_EQ(left.at("common_name"), "alice");
    EXPECT_EQ(left.at("bytes_received"), "0");
    EXPECT_GE(std::stoi(left.at("time_duration")), 20);
    EXPECT_THAT(hooks.learned, testing::Contains("delete 10.8.0.77 alice"));
}

// As with OpenVPN the client is in, and no packet of it has an address that was refused.
TEST_F(HooksTest, RefusedAddressesAreNobodys) {
    sim.settings.hooks_addresses = true;
    sim.settings.ipv6 = server::Ipv6Pool{*parse_ipv6("fd00:8::1"), *parse_ipv6("fd00:8::1000"), 64};
    const auto kept = ipv4_prefix(*parse_ipv4("10.1.0.0"), 16);
    const auto refused = ipv4_prefix(*parse_ipv4("10.2.0.0"), 16);
    sim.settings.client_lookup = [&](const std::string& name) {
        server::ClientSettings out;
        if (name == "alice")
            out.networks = {refused, kept};
        return std::optional(out);
    };
    sim.start_server();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(asked_about_addresses());
    sim.run(10s);
    EXPECT_FALSE(host.client->connected()) << "before the answer";
    EXPECT_THAT(sim.plane.peers, IsEmpty());
    auto question = hooks.next_learn();
    EXPECT_THAT(question.addresses,
                ElementsAre("10.8.0.2", "fd00:8::1000", "10.2.0.0/16", "10.1.0.0/16"));
    question.done({false, true, false, true}, sim.now);
    ASSERT_TRUE(up(host));
    const auto& peer = sim.plane.peers.at(host.client->peer_id()).peer;
    EXPECT_EQ(peer.address, std::nullopt);
    EXPECT_EQ(peer.address6, *parse_ipv6("fd00:8::1000"));
    EXPECT_THAT(peer.networks, ElementsAre(kept));

    // What was accepted is forgotten when it leaves, and the next client may have all of it.
    hooks.learned.clear();
    host.client->send_message("EXIT", sim.now);
    sim.run(10s);
    EXPECT_THAT(hooks.learned,
                ElementsAre("delete fd00:8::1000 alice", "delete 10.1.0.0/16 alice"));
    // An answer that lacks something refuses it.
    auto& other = sim.add_client("bob");
    ASSERT_TRUE(asked_about_addresses());
    hooks.next_learn().done({}, sim.now);
    ASSERT_TRUE(up(other));
    const auto& without = sim.plane.peers.at(other.client->peer_id()).peer;
    EXPECT_EQ(without.address, std::nullopt);
    EXPECT_EQ(without.address6, std::nullopt);
}

// Who leaves before the answer is taken out again by whoever was asked.
TEST_F(HooksTest, AddressesOfAClientThatIsGoneAreForgotten) {
    sim.settings.hooks_addresses = true;
    sim.start_server();
    sim.add_client("alice");
    ASSERT_TRUE(asked_about_addresses());
    sim.run(2 * sim.settings.session.handshake_window);
    EXPECT_THAT(hooks.learned, ElementsAre("add 10.8.0.2 alice", "delete 10.8.0.2 alice"));
    hooks.next_learn().done({true}, sim.now);
    EXPECT_THAT(sim.plane.peers, IsEmpty());
}

TEST_F(HooksTest, NobodyComesWhileTooMuchIsToBeTold) {
    hooks.is_busy = true;
    sim.start_server();
    auto& host = sim.add_client("alice");
    sim.run(10s);
    EXPECT_THAT(host.client->messages, ElementsAre("AUTH_FAILED,TEMP:the server is busy"));
}

TEST_F(HooksTest, WhatAClientHadIsFreeWhenItLeavesBeforeTheAnswer) {
    sim.settings.hooks_connect = true;
    sim.settings.pool_last = sim.settings.pool_first;
    sim.start_server();
    sim.add_client("alice");
    ASSERT_TRUE(asked_to_connect());
    auto late = hooks.next_connect();
    sim.run(2 * sim.settings.session.handshake_window);
    late.done(server::ClientSettings{}, sim.now);
    auto& host = sim.add_client("bob");
    ASSERT_TRUE(asked_to_connect());
    hooks.next_connect().done(server::ClientSettings{}, sim.now);
    EXPECT_TRUE(up(host)) << "the pool's only address is to be had again";
}

TEST_F(HooksTest, AddressAndNetworksBelongToOneClientOnly) {
    sim.settings.client_lookup = [](const std::string&) {
        server::ClientSettings out;
        out.address = parse_ipv4("10.8.0.9");
        out.networks = {ipv4_prefix(*parse_ipv4("10.1.0.0"), 16)};
        return std::optional(out);
    };
    sim.start_server();
    auto& first = sim.add_client("alice");
    ASSERT_TRUE(up(first));
    EXPECT_EQ(first.client->pushed("ifconfig"), "10.8.0.9 255.255.255.0");
    auto& second = sim.add_client("bob");
    sim.run(10s);
    EXPECT_THAT(second.client->messages,
                ElementsAre("AUTH_FAILED,TEMP:the client's own address is in use"));

    sim.settings.client_lookup = nullptr;
    EXPECT_EQ(sim.plane.peers.size(), 1U);
}

TEST_F(HooksTest, ConnectionThatEndsTakesItsClientAlong) {
    sim.settings.hooks_connect = true;
    sim.start_server();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(asked_to_connect());
    hooks.next_connect().done(server::ClientSettings{}, sim.now);
    ASSERT_TRUE(up(host));
    sim.core->disconnected({sim.add_client("bob").endpoint, kServerEndpoint}, sim.now);
    EXPECT_EQ(sim.plane.peers.size(), 1U) << "somebody else's";
    Path elsewhere{host.endpoint, kServerEndpoint};
    elsewhere.local.address = *parse_ipv4("192.0.2.9");
    sim.core->disconnected(elsewhere, sim.now);
    EXPECT_EQ(sim.plane.peers.size(), 1U) << "from there to another address of the server";
    sim.core->disconnected({host.endpoint, kServerEndpoint}, sim.now);
    EXPECT_THAT(sim.plane.peers, IsEmpty());
    EXPECT_THAT(hooks.disconnects, SizeIs(1));
}

// As with OpenVPN the newer one of two sites has it at once; and the older one again afterwards.
TEST_F(HooksTest, NetworkIsBehindTheNewestClient) {
    const auto shared = ipv4_prefix(*parse_ipv4("10.1.0.0"), 16);
    const auto own = ipv4_prefix(*parse_ipv4("10.2.0.0"), 16);
    sim.settings.client_lookup = [&](const std::string& name) {
        server::ClientSettings out;
        out.networks = {shared, shared};
        if (name == "alice")
            out.networks.push_back(own);
        return std::optional(out);
    };
    sim.start_server();
    auto& first = sim.add_client("alice");
    ASSERT_TRUE(up(first));
    const auto networks = [&](Host& host) {
        return sim.plane.peers.at(host.client->peer_id()).peer.networks;
    };
    EXPECT_THAT(networks(first), ElementsAre(shared, own));
    auto& second = sim.add_client("bob");
    ASSERT_TRUE(up(second));
    EXPECT_THAT(networks(first), ElementsAre(own));
    EXPECT_THAT(networks(second), ElementsAre(shared));
    auto& third = sim.add_client("carol");
    ASSERT_TRUE(up(third));
    EXPECT_THAT(networks(second), IsEmpty());

    // One in the middle changes nothing, the last one gives back.
    second.client->send_message("EXIT", sim.now);
    sim.run(10s);
    EXPECT_THAT(networks(third), ElementsAre(shared));
    third.client->send_message("EXIT", sim.now);
    sim.run(10s);
    EXPECT_THAT(networks(first), ElementsAre(shared, own));
    first.client->send_message("EXIT", sim.now);
    sim.run(10s);
    EXPECT_THAT(sim.plane.peers, IsEmpty());
    ASSERT_TRUE(up(sim.add_client("dave")));
}

// The hooks are asked again about what comes back.
TEST_F(HooksTest, NetworkThatComesBackIsAskedFor) {
    const auto shared = ipv4_prefix(*parse_ipv4("10.1.0.0"), 16);
    sim.settings.hooks_addresses = true;
    sim.settings.client_lookup = [&](const std::string&) {
        server::ClientSettings out;
        out.networks = {shared};
        return std::optional(out);
    };
    sim.start_server();
    auto& first = sim.add_client("alice");
    const auto networks = [&](Host& host) {
        return sim.plane.peers.at(host.client->peer_id()).peer.networks;
    };
    ASSERT_TRUE(asked_about_addresses());
    hooks.next_learn().done({true, true}, sim.now);
    ASSERT_TRUE(up(first));
    for (const bool accepted : {false, true}) {
        auto& second = sim.add_client("bob");
        ASSERT_TRUE(asked_about_addresses());
        hooks.next_learn().done({true, true}, sim.now);
        ASSERT_TRUE(up(second));
        EXPECT_THAT(networks(first), IsEmpty());
        second.client->send_message("EXIT", sim.now);
        ASSERT_TRUE(asked_about_addresses());
        EXPECT_THAT(networks(first), IsEmpty()) << "before the answer";
        auto question = hooks.next_learn();
        EXPECT_THAT(question.addresses, ElementsAre("10.1.0.0/16"));
        question.done({accepted}, sim.now);
        EXPECT_THAT(networks(first), SizeIs(accepted ? 1 : 0));
    }
}

TEST_F(HooksTest, TooManyNetworksAreRefused) {
    sim.settings.hooks_connect = true;
    sim.settings.client_lookup = [&](const std::string&) {
        server::ClientSettings out;
        for (std::uint32_t i = 0; i < 1000; i++)
            out.networks.push_back(ipv4_prefix(Ipv4{0x0a640000 + (i << 8)}, 24));
        return std::optional(out);
    };
    sim.start_server();
    auto& host = sim.add_client("alice");
    ASSERT_TRUE(asked_to_connect());
    server::ClientSettings more;
    more.networks = {ipv4_prefix(*parse_ipv4("10.1.0.0"), 16)};
    hooks.next_connect().done(more, sim.now);
    sim.run(10s);
    EXPECT_THAT(host.client->messages, ElementsAre("AUTH_FAILED"));
    auto& other = sim.add_client("bob");
    ASSERT_TRUE(asked_to_connect());
    hooks.next_connect().done(server::ClientSettings{}, sim.now);
    ASSERT_TRUE(up(other));
    EXPECT_THAT(sim.plane.peers.at(other.client->peer_id()).peer.networks, SizeIs(1000));
}

// ---- tokens by themselves
namespace {

server::AuthTokenSettings token_settings(std::uint8_t fill = 7) {
    server::AuthTokenSettings out;
    std::fill(out.key.writable().begin(), out.key.writable().end(), fill);
    out.lifetime = 1000s;
    out.renewal = 100s;
    return out;
}

} // namespace

TEST(AuthToken, SaysWhatWasWritten) {
    const auto settings = token_settings();
    auto token = server::new_auth_token(1'700'000'000);
    token.renewed += 50;
    const auto text = server::write_auth_token(settings, token, "alice");
    EXPECT_TRUE(server::is_auth_token(text.view()));
    EXPECT_EQ(text.view().size(), 11U + 80U);
    auto read = server::read_auth_token(settings, text.view(), "alice", 1'700'000'060);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->session, token.session);
    EXPECT_EQ(read->issued, 1'700'000'000);
    EXPECT_EQ(read->renewed, 1'700'000'050);
}

TEST(AuthToken, IsOfOneUserAndOneKey) {
    const auto settings = token_settings();
    const auto text = server::write_auth_token(settings, server::new_auth_token(1000), "alice");
    using server::AuthTokenFault;
    EXPECT_EQ(server::read_auth_token(settings, text.view(), "bob", 1000).error(),
              AuthTokenFault::NotAuthentic);
    EXPECT_EQ(server::read_auth_token(token_settings(8), text.view(), "alice", 1000).error(),
              AuthTokenFault::NotAuthentic);
    for (std::size_t i = 0; i < text.view().size(); i++) {
        Bytes changed(text.view().begin(), text.view().end());
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(server::read_auth_token(settings, changed, "alice", 1000)) << i;
        EXPECT_FALSE(server::read_auth_token(settings, text.view().first(i), "alice", 1000)) << i;
    }
    EXPECT_FALSE(server::read_auth_token(settings, as_bytes("SESS_ID_AT_"), "alice", 1000));
    EXPECT_FALSE(server::read_auth_token(settings, {}, "alice", 1000));
}

TEST(AuthToken, Ages) {
    auto settings = token_settings();
    auto token = server::new_auth_token(1000);
    const auto fault = [&](std::int64_t now) {
        const auto text = server::write_auth_token(settings, token, "alice");
        auto read = server::read_auth_token(settings, text.view(), "alice", now);
        return !read && read.error() == server::AuthTokenFault::Expired;
    };
    EXPECT_FALSE(fault(1100));
    EXPECT_TRUE(fault(1101)) << "not renewed";
    token.renewed = 1990;
    EXPECT_FALSE(fault(2000));
    EXPECT_TRUE(fault(2001)) << "at the end of its life";
    EXPECT_TRUE(fault(999)) << "of the future";
    settings.lifetime = 0s;
    settings.renewal = 0s;
    EXPECT_FALSE(fault(1'000'000)) << "without an end";
}
