// SPDX-License-Identifier: GPL-2.0-or-later
//
// The daemon's sockets, on the loopback device and in a directory of their own: data packets that
// leave together arrive one by one, and nf-ovpnctl's socket answers its owner.

#include "io/deadline_timer.h"
#include "io/udp_socket.h"
#include "server/control_socket.h"
#include "server/tcp_server.h"
#include "util/log.h"

#include <asio/connect.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

using namespace nfovpn;
using namespace nfovpn::io;
using namespace nfovpn::server;

namespace {

constexpr Ipv4 kLoopback = {0x7f000001};

// What a client receives of the datagrams that were queued.
std::vector<Bytes> arrives(const std::vector<Bytes>& queued, Family family = Family::Ipv4,
                           const std::string& address = "127.0.0.1") {
    using asio::ip::udp;
    asio::io_context context;
    udp::socket client(context, udp::endpoint(asio::ip::make_address(address), 0));
    client.non_blocking(true);
    UdpSocket socket(context, family, std::nullopt, 0);
    const auto here = *parse_address(address);
    const Path path = {{here, client.local_endpoint().port()}, {here, 0}};
    for (const auto& datagram : queued)
        socket.queue(path, datagram, 0);
    EXPECT_EQ(client.available(), 0U) << "nothing leaves before it is said";
    socket.flush();
    socket.flush();
    EXPECT_EQ(socket.send_errors(), 0U);
    std::vector<Bytes> out;
    asio::error_code error;
    for (;;) {
        Bytes buffer(65536);
        const auto length = client.receive(asio::buffer(buffer), 0, error);
        if (error)
            return out;
        buffer.resize(length);
        out.push_back(std::move(buffer));
    }
}

bool has_ipv6() {
    asio::io_context context;
    asio::ip::udp::socket probe(context, asio::ip::udp::v6());
    asio::error_code error;
    probe.bind({asio::ip::address_v6::loopback(), 0}, error);
    return !error;
}

class ControlSocketTest : public testing::Test {
protected:
    ControlSocketTest() {
        std::string name = (std::filesystem::temp_directory_path() / "control-XXXXXX").string();
        directory = mkdtemp(name.data());
        path = directory + "/socket";
    }
    ~ControlSocketTest() override { std::filesystem::remove_all(directory); }

    static std::string echo(const std::vector<std::string>& words) {
        std::string out = std::to_string(words.size());
        for (const auto& word : words)
            out += " " + word;
        return out + "\n";
    }
    // A line, and what is answered until the connection ends.
    std::string ask(asio::io_context& context, const std::string& line) {
        asio::local::stream_protocol::socket client(context);
        client.connect(asio::local::stream_protocol::endpoint(path));
        asio::write(client, asio::buffer(line));
        std::string answer;
        bool ended = false;
        asio::async_read(client, asio::dynamic_buffer(answer),
                         [&](const asio::error_code&, std::size_t) { ended = true; });
        while (!ended && context.run_one() > 0) {
        }
        return answer;
    }

    std::string directory;
    std::string path;
};

} // namespace

TEST(DeadlineTimer, IsDueOnceAtTheLastDeadlineThatItWasArmedFor) {
    using namespace std::chrono_literals;
    const auto now = [] { return std::chrono::steady_clock::now(); };
    asio::io_context context;
    int due = 0;
    DeadlineTimer timer(context, [&] { due++; });
    timer.arm(now() + 1h);
    timer.arm(kNever);
    context.run();
    EXPECT_EQ(due, 0);
    const auto deadline = now() + 20ms;
    timer.arm(now() + 1ms);
    timer.arm(deadline);
    timer.arm(deadline);
    context.restart();
    context.run();
    EXPECT_EQ(due, 1);
    EXPECT_GE(now(), deadline);
}

TEST(DeadlineTimer, WhatIsAlwaysDueLeavesTimeForOthers) {
    asio::io_context context;
    int due = 0;
    DeadlineTimer timer(context, [&] {
        due++;
        timer.arm(TimePoint{});
    });
    timer.arm(TimePoint{});
    context.run_for(std::chrono::milliseconds(20));
    EXPECT_GT(due, 0);
    EXPECT_LE(due, 20);
}

TEST(UdpSocket, WhatLeavesTogetherArrivesOneByOne) {
    std::vector<Bytes> datagrams;
    auto add = [&](std::size_t count, std::size_t length) {
        for (std::size_t i = 0; i < count; i++)
            datagrams.emplace_back(length, static_cast<std::uint8_t>(datagrams.size()));
    };
    add(5, 200);
    add(1, 100); // ends a bundle
    add(1, 50);  // and so begins another
    add(2, 300);
    add(70, 20); // more than a bundle may have
    EXPECT_EQ(arrives(datagrams), datagrams);
}

TEST(UdpSocket, ALoneOne) {
    const std::vector<Bytes> one = {Bytes(1200, 1)};
    EXPECT_EQ(arrives(one), one);
    EXPECT_TRUE(arrives({}).empty());
}

TEST(UdpSocket, BothFamilies) {
    if (!has_ipv6())
        GTEST_SKIP() << "this machine has no IPv6";
    const std::vector<Bytes> datagrams = {Bytes(200, 1), Bytes(200, 2), Bytes(10, 3)};
    for (auto family : {Family::Ipv6, Family::Both})
        EXPECT_EQ(arrives(datagrams, family, "::1"), datagrams);
    EXPECT_EQ(arrives(datagrams, Family::Both, "127.0.0.1"), datagrams);
}

TEST(UdpSocket, DscpOfEach) {
    using asio::ip::udp;
    asio::io_context context;
    for (const bool ipv6 : {false, true}) {
        if (ipv6 && !has_ipv6())
            GTEST_SKIP() << "this machine has no IPv6";
        const std::string address = ipv6 ? "::1" : "127.0.0.1";
        udp::socket client(context, udp::endpoint(asio::ip::make_address(address), 0));
        client.non_blocking(true);
        const int on = 1;
        ASSERT_EQ(setsockopt(client.native_handle(), ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
                             ipv6 ? IPV6_RECVTCLASS : IP_RECVTOS, &on, sizeof(on)),
                  0);
        UdpSocket socket(context, has_ipv6() ? Family::Both : Family::Ipv4, std::nullopt, 0);
        const auto here = *parse_address(address);
        const Path path = {{here, client.local_endpoint().port()}, {here, 0}};
        const std::vector<int> sent = {0xb8, 0xb8, 0, 0x28};
        for (const int dscp : sent)
            socket.queue(path, Bytes(100, 1), static_cast<std::uint8_t>(dscp));
        socket.flush();
        std::vector<int> received;
        for (;;) {
            std::array<std::uint8_t, 200> data{};
            alignas(cmsghdr) std::array<std::uint8_t, 64> control{};
            iovec vector{data.data(), data.size()};
            msghdr message{};
            message.msg_iov = &vector;
            message.msg_iovlen = 1;
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            if (recvmsg(client.native_handle(), &message, 0) < 0)
                break;
            // an octet with IPv4, a number with IPv6
            const auto* part = CMSG_FIRSTHDR(&message);
            received.push_back(part ? *CMSG_DATA(part) : -1);
        }
        EXPECT_EQ(received, sent) << address;
    }
}

TEST(UdpSocket, AnswersLeaveFromWhereTheDatagramArrived) {
    using asio::ip::udp;
    if (!has_ipv6())
        GTEST_SKIP() << "this machine has no IPv6";
    asio::io_context context;
    UdpSocket socket(context, Family::Both, std::nullopt, 0);
    std::vector<Path> paths;
    socket.start(
        [&](const Path& path, ByteView datagram) {
            paths.push_back(path);
            socket.send(path, datagram);
        },
        [&] { context.stop(); });
    // 127.0.0.2 is not the address that the kernel would take by itself.
    for (const std::string text : {"127.0.0.1", "127.0.0.2", "::1"}) {
        const auto address = asio::ip::make_address(text);
        udp::socket client(context, udp::endpoint(address.is_v4() ? udp::v4() : udp::v6(), 0));
        client.connect({address, socket.port()});
        const auto here = client.local_endpoint();
        client.send(asio::buffer("hello", 5));
        context.restart();
        context.run();
        ASSERT_FALSE(paths.empty()) << text;
        EXPECT_EQ(to_string(paths.back().local.address), text);
        EXPECT_EQ(paths.back().local.port, socket.port());
        EXPECT_EQ(paths.back().remote.port, here.port());
        EXPECT_EQ(to_string(paths.back().remote.address), here.address().to_string());
        std::array<char, 16> answer{};
        client.non_blocking(true);
        EXPECT_EQ(client.receive(asio::buffer(answer)), 5U) << "from there, or it were not for us";
        paths.clear();
    }
}

TEST_F(ControlSocketTest, AnswersItsOwnerOnly) {
    asio::io_context context;
    const io::UnixListener listener(path, ControlSocket::kMask, ControlSocket::kMaxConnections);
    ControlSocket socket(context, listener, echo);
    struct stat file {};
    ASSERT_EQ(stat(path.c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777U, 0600U);
    EXPECT_EQ(ask(context, "offload a on\n"), "3 offload a on\n");
    EXPECT_EQ(ask(context, "\n"), "0\n");
    EXPECT_EQ(ask(context, std::string(1000, 'x')), "") << "too long a line";
    EXPECT_EQ(ask(context, "  b \n"), "1 b\n");
}

TEST_F(ControlSocketTest, TakesTheNameOfADeadOneOnly) {
    asio::io_context context;
    {
        // What a killed daemon leaves.
        asio::local::stream_protocol::acceptor dead(context,
                                                    asio::local::stream_protocol::endpoint(path));
    }
    ASSERT_TRUE(std::filesystem::exists(path));
    {
        const io::UnixListener listener(path, ControlSocket::kMask, 1);
        {
            ControlSocket socket(context, listener, echo);
            EXPECT_EQ(ask(context, "a\n"), "1 a\n");
            EXPECT_THROW(io::UnixListener(path, ControlSocket::kMask, 1), std::system_error);
        }
        ControlSocket socket(context, listener, echo); // of the next daemon
        EXPECT_EQ(ask(context, "b\n"), "1 b\n") << "the living one is not disturbed";
    }
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ControlSocketTest, AcceptsAgainAfterAnError) {
    log::set_level(log::Level::Off);
    asio::io_context context;
    const io::UnixListener listener(path, ControlSocket::kMask, ControlSocket::kMaxConnections);
    ControlSocket socket(context, listener, echo);
    asio::local::stream_protocol::socket client(context);
    client.connect(asio::local::stream_protocol::endpoint(path));
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    const int next = dup(0);
    ASSERT_GE(next, 0);
    close(next);
    const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    context.run_one_for(std::chrono::seconds(5)); // no descriptor for it
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    asio::write(client, asio::buffer("a\n", 2));
    std::string answer;
    bool ended = false;
    asio::async_read(client, asio::dynamic_buffer(answer),
                     [&](const asio::error_code&, std::size_t) { ended = true; });
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!ended && std::chrono::steady_clock::now() < until)
        context.run_one_until(until);
    EXPECT_EQ(answer, "1 a\n");
    EXPECT_EQ(ask(context, "b\n"), "1 b\n");
}

// ---- TCP
namespace {

using asio::ip::tcp;

class TcpServerTest : public testing::Test {
protected:
    void SetUp() override {
        log::set_level(log::Level::Off);
        limits.connections_per_source = 3;
        limits.queue = 4;
    }
    void start() {
        server.emplace(context, Family::Ipv4, Address(kLoopback), std::uint16_t{0}, limits);
        server->on_disconnect([this](const Path& path) { gone.push_back(path.remote); });
        server->start(
            [this](const Path& path, ByteView datagram) {
                last = path;
                received.emplace_back(datagram.begin(), datagram.end());
            },
            [] {});
    }
    tcp::socket client() {
        tcp::socket out(context);
        out.connect({asio::ip::make_address("127.0.0.1"), server->port()});
        return out;
    }
    bool run_until(const std::function<bool()>& condition) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (!condition() && std::chrono::steady_clock::now() < end) {
            context.restart();
            context.run_for(std::chrono::milliseconds(5));
        }
        return condition();
    }
    // What the client has until then, or until its end.
    static Bytes read(tcp::socket& from, std::size_t length) {
        Bytes out(length);
        asio::error_code error;
        out.resize(asio::read(from, asio::buffer(out), error));
        return out;
    }
    bool closed(tcp::socket& socket) {
        socket.non_blocking(true);
        return run_until([&] {
            std::array<std::uint8_t, 1> byte{};
            asio::error_code error;
            socket.read_some(asio::buffer(byte), error);
            return error && error != asio::error::would_block;
        });
    }

    asio::io_context context;
    TcpLimits limits;
    std::optional<TcpServer> server;
    std::vector<Bytes> received;
    std::vector<Endpoint> gone;
    Path last;
};

} // namespace

TEST_F(TcpServerTest, DatagramsHaveTheirLengthInFront) {
    start();
    auto a = client();
    asio::write(a, asio::buffer(Bytes{0, 3, 1, 2, 3, 0, 1, 9, 0}));
    ASSERT_TRUE(run_until([&] { return received.size() == 2; }));
    EXPECT_EQ(received[0], (Bytes{1, 2, 3}));
    EXPECT_EQ(received[1], Bytes{9});
    // The rest of the third comes byte by byte.
    for (const std::uint8_t byte : Bytes{2, 7})
        asio::write(a, asio::buffer(&byte, 1));
    EXPECT_FALSE(received.size() > 2);
    asio::write(a, asio::buffer(Bytes{8}));
    ASSERT_TRUE(run_until([&] { return received.size() == 3; }));
    EXPECT_EQ(received[2], (Bytes{7, 8}));
    EXPECT_EQ(last.remote.port, a.local_endpoint().port());
    EXPECT_EQ(last.remote.address, Address(kLoopback));
    EXPECT_EQ(last.local.port, server->port());

    server->send(last, Bytes{5, 6});
    server->queue(last, Bytes(300, 4), 0);
    run_until([&] { return a.available() == 4 + 302; });
    const auto got = read(a, 4 + 302);
    EXPECT_EQ(Bytes(got.begin(), got.begin() + 6), (Bytes{0, 2, 5, 6, 1, 44}));
    EXPECT_EQ(server->send_errors(), 0U);
    server->send({{Ipv4{1}, 1}, last.local}, Bytes{5});
    EXPECT_EQ(server->send_errors(), 1U) << "nobody is there";
}

TEST_F(TcpServerTest, AnotherProtocolIsShownTheDoor) {
    for (const auto& nonsense : {Bytes{0, 0, 1}, Bytes{'G', 'E', 'T', ' '}}) {
        start();
        auto a = client();
        asio::write(a, asio::buffer(nonsense));
        EXPECT_TRUE(closed(a));
        EXPECT_EQ(server->connections(), 0U);
    }
    EXPECT_TRUE(received.empty());
    EXPECT_EQ(gone.size(), 2U);
}

TEST_F(TcpServerTest, OneSourceHasSoManyConnections) {
    start();
    auto a = client();
    auto b = client();
    auto c = client();
    auto d = client();
    EXPECT_TRUE(closed(d));
    EXPECT_EQ(server->connections(), 3U);
    a.close();
    ASSERT_TRUE(run_until([&] { return server->connections() == 2; }));
    EXPECT_EQ(gone.size(), 1U);
    auto e = client();
    EXPECT_TRUE(run_until([&] { return server->connections() == 3; }));
}

// Idle connections that take all there are do not keep anybody out.
TEST_F(TcpServerTest, TheOldestWithoutASessionGivesWay) {
    limits.connections = 3;
    limits.connections_per_source = 100;
    start();
    auto first = client();
    auto second = client();
    auto third = client();
    asio::write(first, asio::buffer(Bytes{0, 1, 9}));
    ASSERT_TRUE(run_until([&] { return !received.empty() && server->connections() == 3; }));
    server->session_begins(last);
    auto fourth = client();
    EXPECT_TRUE(closed(second));
    EXPECT_EQ(server->connections(), 3U);
    for (auto* socket : {&third, &fourth}) {
        received.clear();
        asio::write(*socket, asio::buffer(Bytes{0, 1, 9}));
        ASSERT_TRUE(run_until([&] { return !received.empty(); }));
        server->session_begins(last);
    }
    auto fifth = client();
    EXPECT_TRUE(closed(fifth)) << "all others have sessions";
    EXPECT_EQ(server->connections(), 3U);
}

// A remote end may speak to two addresses of ours from one port.
TEST_F(TcpServerTest, ConnectionsAreKnownByBothEnds) {
    limits.connections_per_source = 2;
    server.emplace(context, Family::Ipv4, std::nullopt, std::uint16_t{0}, limits);
    std::vector<Path> paths;
    server->start([&](const Path& path, ByteView) { paths.push_back(path); }, [] {});
    for (int round = 0; round < 3; round++) {
        paths.clear();
        tcp::socket a(context);
        tcp::socket b(context);
        for (auto* socket : {&a, &b}) {
            socket->open(tcp::v4());
            socket->set_option(tcp::socket::reuse_address(true));
            socket->set_option(asio::socket_base::linger(true, 0));
        }
        a.bind({asio::ip::make_address("127.0.0.1"), 0});
        b.bind(a.local_endpoint());
        a.connect({asio::ip::make_address("127.0.0.1"), server->port()});
        b.connect({asio::ip::make_address("127.0.0.2"), server->port()});
        for (auto* socket : {&a, &b})
            asio::write(*socket, asio::buffer(Bytes{0, 1, 9}));
        ASSERT_TRUE(run_until([&] { return paths.size() == 2; })) << "round " << round;
        EXPECT_EQ(server->connections(), 2U);
        EXPECT_EQ(paths[0].remote, paths[1].remote);
        for (const auto& path : paths) {
            server->session_begins(path);
            server->send(path, Bytes{static_cast<std::uint8_t>(path.local.address.ipv4().value)});
        }
        EXPECT_EQ(read(a, 3), (Bytes{0, 1, 1}));
        EXPECT_EQ(read(b, 3), (Bytes{0, 1, 2}));
        // What one leaves is given back, or the third round finds no room.
        a.close();
        b.close();
        ASSERT_TRUE(run_until([&] { return server->connections() == 0; }));
    }
}

TEST_F(TcpServerTest, WithoutASessionItEnds) {
    limits.handshake = std::chrono::seconds(0);
    start();
    auto a = client();
    EXPECT_TRUE(closed(a));
    EXPECT_TRUE(gone.empty()) << "there was nobody to be told of";
}

TEST_F(TcpServerTest, EndsWithItsLastSessionAndALastWord) {
    start();
    auto a = client();
    asio::write(a, asio::buffer(Bytes{0, 1, 9}));
    ASSERT_TRUE(run_until([&] { return !received.empty(); }));
    server->session_begins(last);
    server->session_begins(last);
    server->session_ends(last);
    EXPECT_EQ(server->connections(), 1U);
    server->send(last, Bytes{1, 2, 3});
    server->session_ends(last);
    EXPECT_EQ(server->connections(), 0U);
    EXPECT_TRUE(run_until([&] { return a.available() == 5; }));
    EXPECT_EQ(read(a, 5), (Bytes{0, 3, 1, 2, 3}));
    EXPECT_TRUE(closed(a));
}

TEST_F(TcpServerTest, WhoeverReadsNothingLosesDataFirst) {
    start();
    auto a = client();
    asio::write(a, asio::buffer(Bytes{0, 1, 9}));
    ASSERT_TRUE(run_until([&] { return !received.empty(); }));
    const Bytes large(16000, 1);
    for (int i = 0; i < 5000 && server->send_errors() == 0; i++) {
        server->queue(last, large, 0);
        context.restart();
        context.poll();
    }
    const auto lost = server->send_errors();
    EXPECT_GT(lost, 0U);
    server->send(last, Bytes{1});
    EXPECT_EQ(server->send_errors(), lost) << "there is room for a control packet";
}
