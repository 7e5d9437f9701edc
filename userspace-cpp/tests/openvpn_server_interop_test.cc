// SPDX-License-Identifier: GPL-2.0-or-later
//
// The client core and a stock OpenVPN server, over real UDP on the loopback device. The server
// wants a tun device, so it needs root; the device gets no address. Its pings are real data
// packets, and decrypting them here proves that both sides derived the same keys.
//
//     this process: ClientCore, RecordingDataPlane ⇄ UDP 127.0.0.1 ⇄ openvpn (server)

#include "client/core.h"
#include "support/pki.h"
#include "support/recording_data_plane.h"
#include "support/stock_packets.h"
#include "support/stock_program.h"
#include "util/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <deque>
#include <functional>

using namespace nfovpn;
using namespace nfovpn::test;
using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

namespace {

using Clock = std::chrono::steady_clock;

class StockServer : public testing::Test, private client::ClientHost {
protected:
    void SetUp() override {
        program_ = find_openvpn();
        if (program_.empty())
            GTEST_SKIP() << "openvpn is not installed";
        const int tun = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
        if (tun < 0)
            GTEST_SKIP() << "there is no tun device for the server";
        ::close(tun);
        log::set_level(log::Level::Info);
        settings_.session.handshake_window = 30s;
        settings_.session.renegotiate_after = 0s;
        fd_ = bound_socket();
        // One that is free now.
        const int other = bound_socket();
        server_ = {Ipv4{INADDR_LOOPBACK}, port_of(other)};
        ::close(other);
        config::Remote remote;
        remote.host = "127.0.0.1";
        remote.port = server_.port;
        settings_.remotes = {remote};
    }
    void TearDown() override {
        if (fd_ >= 0)
            ::close(fd_);
    }

    static int bound_socket() {
        const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        sockaddr_in any{};
        any.sin_family = AF_INET;
        any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof(any)), 0);
        return fd;
    }
    static std::uint16_t port_of(int fd) {
        sockaddr_in here{};
        socklen_t length = sizeof(here);
        getsockname(fd, reinterpret_cast<sockaddr*>(&here), &length);
        return ntohs(here.sin_port);
    }

    void start_server(const std::string& more = "") {
        CertificateRequest request;
        request.common_name = "server";
        request.server = true;
        const auto identity = authority_.issue(request);
        stock_.write("ca", authority_.certificate());
        stock_.write("cert", identity.certificate);
        stock_.write("key", identity.private_key);
        stock_.write("server.conf", "local 127.0.0.1\nport " + std::to_string(server_.port) +
                                        "\nproto udp4\ndev tun\ntopology subnet\n"
                                        "server 10.254.77.0 255.255.255.0\nca ca\ncert cert\n"
                                        "key key\ndh none\nping 1\nverb 4\nlog log\n"
                                        "ifconfig-noexec\nroute-noexec\nreneg-sec 0\n"
                                        "push \"route 10.99.0.0 255.255.0.0\"\n" +
                                        more);
        ASSERT_TRUE(stock_.start(program_, "server.conf"));
        ASSERT_TRUE(run_until([&] { return logged("Initialization Sequence Completed"); }))
            << stock_.read("log");
    }

    void start_client() {
        auto config = authority_.config(wire::Role::Client, "client-1");
        config.require_extended_use = true;
        auto tls = session::TlsContext::create(config);
        ASSERT_TRUE(tls) << tls.error().what;
        tls_ = std::make_unique<session::TlsContext>(std::move(*tls));
        core_ = std::make_unique<client::ClientCore>(settings_, *tls_,
                                                     static_cast<client::ClientHost&>(*this));
        core_->start(Clock::now());
    }

    bool logged(const std::string& what) {
        return stock_.read("log").find(what) != std::string::npos;
    }
    bool up() { return core_->phase() == client::Phase::Up; }

    // Runs until the condition holds; false when it does not within the time.
    bool run_until(const std::function<bool()>& condition, Duration limit = 20s) {
        const auto give_up = Clock::now() + limit;
        while (!condition()) {
            if (Clock::now() >= give_up)
                return false;
            pollfd p{fd_, POLLIN, 0};
            poll(&p, 1, 10);
            std::array<std::uint8_t, 65536> buffer{};
            ssize_t n = 0;
            while ((n = recv(fd_, buffer.data(), buffer.size(), 0)) > 0)
                received(ByteView(buffer.data(), static_cast<std::size_t>(n)));
            while (!answers_.empty()) {
                auto answer = std::move(answers_.front());
                answers_.pop_front();
                answer();
            }
            if (core_)
                core_->tick(Clock::now());
        }
        return true;
    }

    void received(ByteView datagram) {
        if (wire::opcode_of(datagram) == wire::Opcode::DataV2) {
            auto plain = plane_.receive(server_, datagram);
            if (plain && *plain == kPing)
                pings_++;
        } else if (core_) {
            core_->receive({server_, local()}, datagram, Clock::now());
        }
    }
    [[nodiscard]] Endpoint local() const { return {Ipv4{INADDR_LOOPBACK}, port_of(fd_)}; }

    void expect_data_both_ways() {
        const auto before = pings_;
        auto packet = plane_.send(*core_->peer_id(), kPing);
        ASSERT_TRUE(packet);
        send({server_, local()}, *packet);
        EXPECT_TRUE(run_until([&] { return pings_ >= before + 2; })) << stock_.read("log");
        EXPECT_EQ(plane_.undecryptable, 0U);
        const auto text = stock_.read("log");
        EXPECT_THAT(text, Not(HasSubstr("Authenticate/Decrypt packet error")));
        EXPECT_THAT(text, Not(HasSubstr("used inconsistently")));
        EXPECT_THAT(text, Not(HasSubstr("TLS Error")));
    }

    void resolve(const config::Remote&) override {
        answers_.emplace_back([this] { core_->resolved({server_}, "", Clock::now()); });
    }
    void open(const Endpoint&, const config::Remote&) override {
        answers_.emplace_back([this] { core_->opened({server_, local()}, Clock::now()); });
    }
    void close() override {
        answers_.clear();
        plane_.peers.clear();
    }
    void send(const Path&, ByteView datagram) override {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        to.sin_port = htons(server_.port);
        // Lost datagrams are lost, as on any network.
        [[maybe_unused]] auto sent = sendto(fd_, datagram.data(), datagram.size(), 0,
                                            reinterpret_cast<sockaddr*>(&to), sizeof(to));
    }
    dataplane::DataPlane& data_plane() override { return plane_; }
    bool set_up(const client::Tunnel& tunnel) override {
        tunnel_ = tunnel;
        return true;
    }
    void take_down() override { tunnel_.reset(); }
    bool keep(const client::Tunnel&) override { return false; }
    void announce(std::uint32_t) override {}
    void connected() override {}

    std::string program_;
    StockProgram stock_;
    int fd_ = -1;
    Endpoint server_;
    Authority authority_;
    client::ClientSettings settings_;
    std::unique_ptr<session::TlsContext> tls_;
    RecordingDataPlane plane_;
    std::optional<client::Tunnel> tunnel_;
    std::deque<std::function<void()>> answers_;
    std::uint64_t pings_ = 0;
    std::unique_ptr<client::ClientCore> core_;
};

} // namespace

TEST_F(StockServer, ConnectsAndIsToldItsTunnel) {
    settings_.exit_notify = 1;
    start_server();
    start_client();
    ASSERT_TRUE(run_until([&] { return up(); })) << stock_.read("log");
    ASSERT_TRUE(tunnel_);
    EXPECT_EQ(tunnel_->address, parse_ipv4("10.254.77.2"));
    EXPECT_EQ(tunnel_->length, 24);
    ASSERT_EQ(tunnel_->routes.size(), 1U);
    expect_data_both_ways();
    core_->stop(Clock::now());
    EXPECT_TRUE(run_until([&] { return core_->finished(); }, 5s));
    EXPECT_TRUE(run_until([&] { return logged("exit message received"); }, 5s))
        << stock_.read("log");
}

TEST_F(StockServer, RenegotiationsOfBothSidesLoseNothing) {
    settings_.session.renegotiate_after = 6s;
    start_server("reneg-sec 7\n");
    start_client();
    ASSERT_TRUE(run_until([&] { return up(); })) << stock_.read("log");
    EXPECT_TRUE(run_until([&] { return core_->report().renegotiations >= 3; }, 60s))
        << stock_.read("log");
    expect_data_both_ways();
}

TEST_F(StockServer, TlsCryptV2) {
    stock_.write("v2-server", std::string(kTlsCryptV2ServerKey));
    auto key = wire::parse_tls_crypt_v2_client_key(kTlsCryptV2ClientKey);
    ASSERT_TRUE(key);
    settings_.wrap = std::make_shared<const wire::ControlWrap>(
        wire::ControlWrap::tls_crypt(key->key, wire::Role::Client));
    settings_.wrapped_key = key->wrapped;
    start_server("tls-crypt-v2 v2-server force-cookie\n");
    start_client();
    ASSERT_TRUE(run_until([&] { return up(); })) << stock_.read("log");
    expect_data_both_ways();
}

TEST_F(StockServer, CbcByThePrfAndARefusedCipher) {
    settings_.session.negotiation.data_ciphers = {DataCipher::Aes256Cbc};
    settings_.session.negotiation.auth = DataAuth::Sha256;
    settings_.session.negotiation.tls_export = false;
    start_server("data-ciphers AES-256-CBC\nauth SHA256\n");
    start_client();
    ASSERT_TRUE(run_until([&] { return up(); })) << stock_.read("log");
    EXPECT_EQ(plane_.peers.begin()->second.slots[0]->keys.format.cipher, DataCipher::Aes256Cbc);
    expect_data_both_ways();
    core_->stop(Clock::now());
    settings_.session.negotiation.data_ciphers = {DataCipher::Aes128Gcm};
    start_client();
    EXPECT_TRUE(run_until([&] { return core_->finished(); }));
    EXPECT_THAT(core_->failure(), HasSubstr("the server refuses us"));
}
