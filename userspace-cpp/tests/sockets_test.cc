// SPDX-License-Identifier: GPL-2.0-or-later
//
// The daemon's sockets, on the loopback device and in a directory of their own: data packets that
// leave together arrive one by one, and nf-ovpnctl's socket answers its owner.

#include "server/control_socket.h"
#include "server/udp_socket.h"

#include <asio/connect.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

using namespace nfovpn;
using namespace nfovpn::server;

namespace {

constexpr Ipv4 kLoopback = {0x7f000001};

// What a client receives of the datagrams that were queued.
std::vector<Bytes> arrives(const std::vector<Bytes>& queued) {
    using asio::ip::udp;
    asio::io_context context;
    udp::socket client(context, udp::endpoint(asio::ip::address_v4(kLoopback.value), 0));
    client.non_blocking(true);
    UdpSocket socket(context, kLoopback, 0);
    const Path path = {{kLoopback, client.local_endpoint().port()}, {kLoopback, 0}};
    for (const auto& datagram : queued)
        socket.queue(path, datagram);
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

TEST_F(ControlSocketTest, AnswersItsOwnerOnly) {
    asio::io_context context;
    ControlSocket socket(context, path, echo);
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
        ControlSocket socket(context, path, echo);
        EXPECT_EQ(ask(context, "a\n"), "1 a\n");
        EXPECT_THROW(ControlSocket(context, path, echo), std::system_error);
        EXPECT_EQ(ask(context, "b\n"), "1 b\n") << "the living one is not disturbed";
    }
    EXPECT_FALSE(std::filesystem::exists(path));
}
