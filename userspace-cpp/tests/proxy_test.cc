// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is said to a proxy, byte by byte, and connections to one on the loopback device: each ends
// as it should, whatever the proxy answers.

#include "client/proxy_connection.h"
#include "wire/proxy.h"

#include <asio/io_context.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nfovpn;
using namespace nfovpn::wire;
using testing::HasSubstr;
using testing::IsEmpty;
using State = ProxyDialogue::State;

namespace {

Proxy http(Proxy::Login login = Proxy::Login::Never) {
    Proxy out;
    out.host = "proxy.example.net";
    out.port = 3128;
    out.login = login;
    if (login != Proxy::Login::Never) {
        out.username = "carol";
        out.password = SecretBytes(as_bytes("open sesame"));
    }
    return out;
}

Proxy socks(bool login = false) {
    auto out = http(login ? Proxy::Login::Always : Proxy::Login::Never);
    out.kind = Proxy::Kind::Socks;
    return out;
}

std::string text_of(const SecretBytes& bytes) {
    return std::string(as_text(bytes.view()));
}

std::string bytes_of(std::initializer_list<int> bytes) {
    std::string out;
    for (const int byte : bytes)
        out += static_cast<char>(byte);
    return out;
}

// What is asked first.
std::string asked(const Proxy& proxy, const std::string& host = "vpn.example.net",
                  bool again = false) {
    return text_of(ProxyDialogue(proxy, host, 1194, false, again).begin());
}

// How it ends when these are the answers.
std::string outcome(const Proxy& proxy, const std::vector<std::string>& answers,
                    bool datagrams = false, bool again = false) {
    ProxyDialogue dialogue(proxy, "vpn.example.net", 1194, datagrams, again);
    for (const auto& answer : answers)
        static_cast<void>(dialogue.take(as_bytes(answer)));
    switch (dialogue.state()) {
    case State::Talking:
        return "talking";
    case State::Done:
        return "done, " + to_string(dialogue.relay()) + ", " +
               std::string(as_text(dialogue.rest()));
    case State::Again:
        return "again";
    case State::Failed:
        return dialogue.failure();
    }
    return "";
}

const std::string kNoMethod = bytes_of({5, 0});
const std::string kLogin = bytes_of({5, 2});
const std::string kGranted = bytes_of({5, 0, 0, 1, 192, 0, 2, 7, 4, 0});

} // namespace

TEST(HttpProxy, IsAskedForAConnectionByNameAndPort) {
    EXPECT_EQ(asked(http()), "CONNECT vpn.example.net:1194 HTTP/1.0\r\n"
                             "Host: vpn.example.net\r\n\r\n");
    EXPECT_EQ(asked(http(), "2001:db8::1"), "CONNECT [2001:db8::1]:1194 HTTP/1.0\r\n"
                                            "Host: [2001:db8::1]\r\n\r\n");
    auto proxy = http();
    proxy.version = "1.1";
    proxy.agent = "Browser/9";
    proxy.headers = {"X-Flag: some", "hOST: front.example.net"};
    EXPECT_EQ(asked(proxy), "CONNECT vpn.example.net:1194 HTTP/1.1\r\nX-Flag: some\r\n"
                            "hOST: front.example.net\r\nUser-Agent: Browser/9\r\n\r\n");
}

TEST(HttpProxy, GetsNameAndPasswordAtOnceOrWhenItWantsThem) {
    const std::string login = "Proxy-Authorization: Basic Y2Fyb2w6b3BlbiBzZXNhbWU=\r\n\r\n";
    EXPECT_THAT(asked(http(Proxy::Login::Always)), HasSubstr(login));
    EXPECT_THAT(asked(http(Proxy::Login::Asked)), Not(HasSubstr("Authorization")));
    EXPECT_THAT(asked(http(Proxy::Login::Asked), "vpn", true), HasSubstr(login));
    const std::vector<std::string> wants = {"HTTP/1.1 407 Who are you?\r\nServer: x\r\n\r\n"};
    EXPECT_EQ(outcome(http(Proxy::Login::Asked), wants), "again");
    EXPECT_EQ(outcome(http(Proxy::Login::Asked), wants, false, true),
              "it refuses name and password");
    EXPECT_EQ(outcome(http(Proxy::Login::Always), wants), "it refuses name and password");
    EXPECT_EQ(outcome(http(), wants), "it wants a name and a password");
}

TEST(HttpProxy, MayAnswerInPiecesAndWithWhatTheServerSays) {
    EXPECT_EQ(outcome(http(), {"HTTP/1.1 200 OK\r\n\r\n"}), "done, 0.0.0.0:0, ");
    EXPECT_EQ(outcome(http(), {"HT", "TP/1.0  200\r\nVia: x\r", "\n\r\nserver says"}),
              "done, 0.0.0.0:0, server says");
    EXPECT_EQ(outcome(http(), {"HTTP/1.1 200 OK\r\nVia: x\r\n"}), "talking");
}

TEST(HttpProxy, ThatAnswersAnythingElseGrantsNothing) {
    EXPECT_EQ(outcome(http(), {"HTTP/1.1 403 Not \033[2J you\r\n\r\n"}),
              "it answers: HTTP/1.1 403 Not _[2J you");
    for (const char* line : {"SSH-2.0-x", "HTTP/1.1", "HTTP/1.1 20", "HTTP/1.1 2000",
                             "HTTP/1.1 2x0", "", "ICY 200 OK"})
        EXPECT_EQ(outcome(http(), {std::string(line) + "\r\n\r\n"}), "it does not speak HTTP")
            << line;
    EXPECT_EQ(outcome(http(), {std::string(16384, 'x')}), "talking");
    EXPECT_EQ(outcome(http(), {std::string(16385, 'x')}), "its answer is too long");
}

TEST(SocksProxy, IsAskedByNameOrAddress) {
    const auto proxy = socks();
    EXPECT_EQ(asked(proxy), bytes_of({5, 1, 0}));
    ProxyDialogue by_name(proxy, "vpn", 1194, false, false);
    EXPECT_EQ(text_of(by_name.take(as_bytes(kNoMethod))),
              bytes_of({5, 1, 0, 3, 3}) + "vpn" + bytes_of({4, 0xaa}));
    ProxyDialogue by_address(proxy, "192.0.2.1", 443, false, false);
    EXPECT_EQ(text_of(by_address.take(as_bytes(kNoMethod))),
              bytes_of({5, 1, 0, 1, 192, 0, 2, 1, 1, 0xbb}));
    ProxyDialogue datagrams(proxy, "vpn", 1194, true, false);
    EXPECT_EQ(text_of(datagrams.take(as_bytes(kNoMethod))),
              bytes_of({5, 3, 0, 1, 0, 0, 0, 0, 0, 0}));
}

TEST(SocksProxy, GetsNameAndPassword) {
    const auto proxy = socks(true);
    EXPECT_EQ(asked(proxy), bytes_of({5, 1, 2}));
    ProxyDialogue dialogue(proxy, "vpn", 1194, true, false);
    EXPECT_THAT(text_of(dialogue.take(as_bytes(bytes_of({5})))), IsEmpty());
    EXPECT_EQ(text_of(dialogue.take(as_bytes(bytes_of({2})))),
              bytes_of({1, 5}) + "carol" + bytes_of({11}) + "open sesame");
    EXPECT_FALSE(text_of(dialogue.take(as_bytes(bytes_of({1, 0})))).empty());
    EXPECT_EQ(outcome(proxy, {kLogin, bytes_of({5, 0}), kGranted}), "done, 192.0.2.7:1024, ");
    EXPECT_EQ(outcome(proxy, {kLogin, bytes_of({1, 1})}), "it refuses name and password");
    EXPECT_EQ(outcome(proxy, {kLogin, bytes_of({4, 0})}), "it refuses name and password");
    EXPECT_EQ(outcome(proxy, {kNoMethod}), "it does not take name and password");
    EXPECT_EQ(outcome(socks(), {kLogin}), "it wants a name and a password");
    EXPECT_EQ(outcome(socks(), {bytes_of({5, 255})}), "it wants a name and a password");
}

TEST(SocksProxy, SaysWhereDatagramsGo) {
    EXPECT_EQ(outcome(socks(), {kNoMethod, kGranted}, true), "done, 192.0.2.7:1024, ");
    const auto ipv6 =
        bytes_of({5, 0, 0, 4, 0x20, 1, 0xd, 0xb8}) + std::string(11, '\0') + bytes_of({9, 4, 0});
    EXPECT_EQ(outcome(socks(), {kNoMethod, ipv6}, true), "done, [2001:db8::9]:1024, ");
    const auto name = bytes_of({5, 0, 0, 3, 1}) + "x" + bytes_of({4, 0});
    EXPECT_EQ(outcome(socks(), {kNoMethod, name}, true), "it gives no address for datagrams");
    EXPECT_EQ(outcome(socks(), {kNoMethod, name + "more"}), "done, 0.0.0.0:0, more");
    const auto no_port = bytes_of({5, 0, 0, 1, 192, 0, 2, 7, 0, 0});
    EXPECT_EQ(outcome(socks(), {kNoMethod, no_port}, true), "it gives no port for datagrams");
}

TEST(SocksProxy, ThatAnswersAnythingElseGrantsNothing) {
    EXPECT_EQ(outcome(socks(), {"HTTP/1.1 400"}), "it does not speak SOCKS 5");
    EXPECT_EQ(outcome(socks(), {kNoMethod, bytes_of({4, 0})}), "it does not speak SOCKS 5");
    EXPECT_EQ(outcome(socks(), {kNoMethod, bytes_of({5, 5})}), "it answers: connection refused");
    EXPECT_EQ(outcome(socks(), {kNoMethod, bytes_of({5, 77})}),
              "it answers: for a reason that is not known");
    EXPECT_EQ(outcome(socks(), {kNoMethod, bytes_of({5, 0, 0, 2, 1})}),
              "its answer has an address of an unknown kind");
    for (std::size_t length = 0; length < kGranted.size(); length++)
        EXPECT_EQ(outcome(socks(), {kNoMethod, kGranted.substr(0, length)}), "talking") << length;
}

TEST(SocksProxy, DatagramsHaveAHeader) {
    const Endpoint ipv4 = {*parse_address("192.0.2.1"), 1194};
    const Endpoint ipv6 = {*parse_address("2001:db8::1"), 443};
    for (const auto& endpoint : {ipv4, ipv6}) {
        const auto wrapped = relay_datagram(endpoint, as_bytes("datagram"));
        EXPECT_LE(wrapped.size(), kMaxRelayHeader + 8);
        const auto inner = relayed_datagram(wrapped);
        ASSERT_TRUE(inner);
        EXPECT_EQ(inner->first, endpoint);
        EXPECT_EQ(as_text(inner->second), "datagram");
        for (std::size_t length = 0; length + 8 < wrapped.size(); length++)
            EXPECT_FALSE(relayed_datagram(ByteView(wrapped).first(length)));
        auto fragment = wrapped;
        fragment[2] = 1;
        EXPECT_FALSE(relayed_datagram(fragment));
        auto name = wrapped;
        name[3] = 3;
        EXPECT_FALSE(relayed_datagram(name));
    }
}

namespace {

using asio::ip::tcp;

// A proxy that answers as it is told, and what becomes of a connection to it.
class ProxyConnectionTest : public testing::Test {
protected:
    ProxyConnectionTest()
        : acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), peer(context) {}

    std::shared_ptr<client::ProxyConnection> connect(Proxy proxy, bool datagrams) {
        // It stops when there is nothing more to do.
        context.restart();
        auto out = client::ProxyConnection::create(
            tcp::socket(context, tcp::v4()), std::make_shared<const Proxy>(std::move(proxy)), "vpn",
            1194, datagrams, false,
            {[this](tcp::socket socket, const Bytes& already) {
                 events.push_back("connected, " + std::string(as_text(already)));
                 connected.emplace(std::move(socket));
             },
             [this](const Endpoint& relay) { events.push_back("relay " + to_string(relay)); },
             [this] { events.emplace_back("again"); },
             [this](const std::string& why) { events.push_back("ended: " + why); }});
        out->start(acceptor.local_endpoint());
        acceptor.async_accept(peer, [](const asio::error_code&) {});
        return out;
    }
    // Runs until so many things have happened.
    void run_until(std::size_t count) {
        while (events.size() < count && context.run_one() > 0) {
        }
    }
    // Waits for that many bytes, and answers.
    void answer(std::size_t bytes, const std::string& text) {
        bool done = false;
        // The connection first.
        while (!peer.is_open() && context.run_one() > 0) {
        }
        heard.resize(bytes);
        asio::async_read(peer, asio::buffer(heard),
                         [&](const asio::error_code&, std::size_t) { done = true; });
        while (!done && context.run_one() > 0) {
        }
        asio::write(peer, asio::buffer(text));
    }

    asio::io_context context;
    tcp::acceptor acceptor;
    tcp::socket peer;
    std::string heard;
    std::optional<tcp::socket> connected;
    std::vector<std::string> events;
};

} // namespace

TEST_F(ProxyConnectionTest, LeadsToTheServer) {
    const auto connection = connect(http(), false);
    answer(40, "HTTP/1.0 200 OK\r\n\r\nhello");
    run_until(1);
    EXPECT_THAT(events, testing::ElementsAre("connected, hello"));
    EXPECT_EQ(heard, "CONNECT vpn:1194 HTTP/1.0\r\nHost: vpn\r\n\r\n");
    ASSERT_TRUE(connected);
    asio::write(*connected, asio::buffer("to the server", 13));
    std::string there(13, ' ');
    asio::read(peer, asio::buffer(there));
    EXPECT_EQ(there, "to the server");
}

TEST_F(ProxyConnectionTest, IsThereAsLongAsDatagramsMayBeSent) {
    const auto connection = connect(socks(), true);
    answer(3, kNoMethod);
    answer(10, kGranted);
    run_until(1);
    asio::write(peer, asio::buffer("whatever", 8));
    peer.close();
    run_until(2);
    EXPECT_THAT(events, testing::ElementsAre("relay 192.0.2.7:1024",
                                             "ended: the proxy has ended the connection"));
}

TEST_F(ProxyConnectionTest, EndsOnce) {
    auto connection = connect(socks(), false);
    answer(3, "x");
    peer.close();
    run_until(1);
    context.poll();
    EXPECT_THAT(events, testing::ElementsAre("ended: the proxy has ended the connection"));
    peer = tcp::socket(context);
    connection = connect(http(Proxy::Login::Asked), false);
    answer(40, "HTTP/1.0 407 Who?\r\n\r\n");
    run_until(2);
    EXPECT_EQ(events.back(), "again");
    acceptor.close();
}

TEST_F(ProxyConnectionTest, IsQuietOnceItIsClosed) {
    const auto connection = connect(http(), false);
    answer(40, "HTTP/1.0 200 OK\r\n\r\n");
    connection->close();
    context.poll();
    EXPECT_THAT(events, IsEmpty());
}
