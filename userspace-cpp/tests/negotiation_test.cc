// SPDX-License-Identifier: GPL-2.0-or-later
//
// One negotiation between two sides without a session: what a peer sends before anybody wants it
// stays with the peer.

#include "session/negotiation.h"
#include "support/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>

using namespace nfovpn;
using namespace nfovpn::session;
using namespace nfovpn::test;
using namespace std::chrono_literals;

namespace {

class NegotiationTest : public testing::Test {
protected:
    static NegotiationStart start(wire::Role role) {
        NegotiationStart out;
        out.reset = wire::Opcode::SoftResetV1;
        out.key_id = 1;
        auto& own = role == wire::Role::Server ? out.local : out.remote;
        auto& other = role == wire::Role::Server ? out.remote : out.local;
        own.fill(1);
        other.fill(2);
        return out;
    }

    // Lets both speak until neither has anything to say for some time.
    void exchange() {
        for (int quiet = 0; quiet < 40; quiet++, now += 500ms) {
            for (auto* from : {&client, &server}) {
                auto* to = from == &client ? &server : &client;
                std::deque<Bytes> sent;
                from->transmit(now, [&](ByteView datagram) {
                    sent.emplace_back(datagram.begin(), datagram.end());
                });
                for (const auto& datagram : sent) {
                    const auto packet = wire::parse_control(datagram);
                    ASSERT_TRUE(packet);
                    to->receive(*packet, now);
                }
            }
        }
    }

    static wire::KeyMethod2 key_method() {
        wire::KeyMethod2 out;
        out.options = "V4,dev-type tun";
        return out;
    }

    Authority authority;
    std::unique_ptr<TlsContext> server_tls =
        make_context(authority.config(wire::Role::Server, "server"));
    std::unique_ptr<TlsContext> client_tls =
        make_context(authority.config(wire::Role::Client, "client"));
    TimePoint now = TimePoint{} + 1h;
    Negotiation server{*server_tls, start(wire::Role::Server), now};
    Negotiation client{*client_tls, start(wire::Role::Client), now};
};

} // namespace

// A decision may take its time, and what comes meanwhile is not kept: the peer's window ends.
TEST_F(NegotiationTest, MessagesBeforeADecisionAreNotRead) {
    exchange();
    ASSERT_TRUE(client.established());
    client.send_key_method(key_method());
    exchange();
    ASSERT_TRUE(server.peer_key_method());

    constexpr unsigned kMessages = 40;
    const std::string large(1000, 'x');
    for (unsigned i = 0; i < kMessages; i++)
        client.send_message(std::to_string(i) + large);
    exchange();
    EXPECT_FALSE(client.all_acknowledged()) << "the server has taken all of them";

    server.send_key_method(key_method());
    std::vector<std::string> got;
    for (int round = 0; round < 20; round++) {
        for (auto& message : server.take_messages())
            got.push_back(std::move(message));
        exchange();
    }
    ASSERT_EQ(got.size(), kMessages);
    for (unsigned i = 0; i < kMessages; i++)
        EXPECT_EQ(got[i], std::to_string(i) + large);
    EXPECT_TRUE(client.all_acknowledged());
}

// The same with a session that takes none for a while, and with small ones.
TEST_F(NegotiationTest, MessagesThatNobodyTakesAreNotRead) {
    exchange();
    client.send_key_method(key_method());
    exchange();
    server.send_key_method(key_method());
    exchange();
    for (unsigned i = 0; i < 40; i++)
        client.send_message("x");
    exchange();
    EXPECT_FALSE(client.all_acknowledged());
    EXPECT_FALSE(server.failed());
    EXPECT_EQ(server.take_messages().size(), 1U + 12U) << "the one that was read, and a window";
}

// One record of TLS with many messages is no stock peer's.
TEST_F(NegotiationTest, TooManyMessagesAtOnceEndIt) {
    exchange();
    client.send_key_method(key_method());
    exchange();
    server.send_key_method(key_method());
    exchange();
    std::string many;
    for (unsigned i = 0; i <= wire::kMaxWaitingMessages; i++)
        many += std::string("a\0", 2);
    client.send_message(many);
    exchange();
    EXPECT_TRUE(server.failed());
    EXPECT_THAT(server.failure(), testing::HasSubstr("too many control messages"));
}

// Nor are answers kept without end for a peer that acknowledges none.
TEST_F(NegotiationTest, AnswersThatNobodyAcknowledgesEndIt) {
    exchange();
    client.send_key_method(key_method());
    exchange();
    server.send_key_method(key_method());
    exchange();
    for (unsigned i = 0; i < 64; i++)
        server.send_message("x");
    EXPECT_FALSE(server.failed());
    server.send_message("x");
    EXPECT_TRUE(server.failed());
    EXPECT_EQ(server.failure(), "the peer does not acknowledge");
}
