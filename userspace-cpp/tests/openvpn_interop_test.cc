// SPDX-License-Identifier: GPL-2.0-or-later
//
// The server core and a stock OpenVPN client, over real UDP on the loopback device. The client
// runs with "dev null", so neither root nor a tun device is needed; its pings are real data
// packets, and decrypting them here proves that both sides derived the same keys.
//
//     openvpn (client) ⇄ UDP 127.0.0.1 ⇄ this process: ServerCore, RecordingDataPlane
//
// OPENVPN_PROGRAM names the program; "openvpn" otherwise, searched in PATH and the sbin
// directories.

#include "server/core.h"
#include "support/pki.h"
#include "support/recording_data_plane.h"
#include "support/stock_packets.h"
#include "support/stock_program.h"
#include "support/wrapped_key.h"
#include "util/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

using namespace nfovpn;
using namespace nfovpn::test;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

namespace {

class UdpTransport final : public server::Transport {
public:
    explicit UdpTransport(int fd) : fd_(fd) {}
    void send(const server::Path& path, ByteView datagram) override {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_addr.s_addr = htonl(path.remote.address.ipv4().value);
        to.sin_port = htons(path.remote.port);
        // Lost datagrams are lost, as on any network.
        [[maybe_unused]] auto sent = sendto(fd_, datagram.data(), datagram.size(), 0,
                                            reinterpret_cast<sockaddr*>(&to), sizeof(to));
    }

private:
    int fd_;
};

class StockClient : public testing::Test {
protected:
    void SetUp() override {
        program_ = find_openvpn();
        if (program_.empty())
            GTEST_SKIP() << "openvpn is not installed";
        log::set_level(log::Level::Info);
        fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        sockaddr_in any{};
        any.sin_family = AF_INET;
        any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ASSERT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&any), sizeof(any)), 0);
        socklen_t length = sizeof(any);
        getsockname(fd_, reinterpret_cast<sockaddr*>(&any), &length);
        local_ = {Ipv4{INADDR_LOOPBACK}, ntohs(any.sin_port)};
        transport_ = std::make_unique<UdpTransport>(fd_);

        settings_.pool_first = *parse_ipv4("10.8.0.2");
        settings_.pool_last = *parse_ipv4("10.8.0.254");
        settings_.netmask = *parse_ipv4("255.255.255.0");
        settings_.session.push = {"route-gateway 10.8.0.1", "topology subnet", "ping 1",
                                  "ping-restart 30", "route 10.99.0.0 255.255.0.0"};
    }

    void TearDown() override {
        if (fd_ >= 0)
            close(fd_);
    }

    void start_server(const std::function<void(session::TlsConfig&)>& change = {}) {
        auto config = authority_.config(wire::Role::Server, "server");
        if (change)
            change(config);
        auto tls = session::TlsContext::create(config);
        ASSERT_TRUE(tls) << tls.error().what;
        tls_ = std::make_unique<session::TlsContext>(std::move(*tls));
        core_ = std::make_unique<server::ServerCore>(settings_, *tls_, plane_, *transport_);
    }

    void write(const std::string& name, const std::string& text) { stock_.write(name, text); }

    void start_client(const std::string& more, const CertificateRequest& request) {
        auto identity = authority_.issue(request);
        write("ca", authority_.certificate());
        write("cert", identity.certificate);
        write("key", identity.private_key);
        write("client.conf", "client\nproto udp4\ndev null\nnobind\n"
                             "remote 127.0.0.1 " +
                                 std::to_string(local_.port) +
                                 "\nca ca\ncert cert\nkey key\nremote-cert-tls server\nverb 4\n"
                                 "log log\nifconfig-noexec\nroute-noexec\n" +
                                 more);
        ASSERT_TRUE(stock_.start(program_, "client.conf"));
    }

    bool client_ended() { return stock_.ended(); }
    std::string client_log() { return stock_.read("log"); }

    // Serves until the condition holds; false when it does not within the time.
    bool serve_until(const std::function<bool()>& condition, Duration limit = 20s) {
        auto give_up = std::chrono::steady_clock::now() + limit;
        while (!condition()) {
            auto now = std::chrono::steady_clock::now();
            if (now >= give_up)
                return false;
            pollfd p{fd_, POLLIN, 0};
            poll(&p, 1, 10);
            std::array<std::uint8_t, 65536> buffer{};
            sockaddr_in from{};
            socklen_t length = sizeof(from);
            ssize_t n = 0;
            while ((n = recvfrom(fd_, buffer.data(), buffer.size(), 0,
                                 reinterpret_cast<sockaddr*>(&from), &length)) > 0) {
                ByteView datagram(buffer.data(), static_cast<std::size_t>(n));
                server::Path path{{Ipv4{ntohl(from.sin_addr.s_addr)}, ntohs(from.sin_port)},
                                  local_};
                last_path_ = path;
                auto opcode = wire::opcode_of(datagram);
                if (opcode == wire::Opcode::DataV2) {
                    data_packets_++;
                    auto plain = plane_.receive(path.remote, datagram);
                    if (plain && *plain == kPing) {
                        pings_++;
                        last_ping_.assign(datagram.begin(), datagram.end());
                    }
                } else {
                    core_->receive(path, datagram, std::chrono::steady_clock::now());
                }
            }
            core_->tick(std::chrono::steady_clock::now());
        }
        return true;
    }

    bool established() {
        return client_log().find("Initialization Sequence Completed") != std::string::npos;
    }

    void expect_data_both_ways() {
        auto before = pings_;
        EXPECT_TRUE(serve_until([&] { return pings_ >= before + 2; })) << client_log();
        EXPECT_EQ(plane_.undecryptable, 0U);
        EXPECT_EQ(data_packets_, pings_);
        // What the client cannot decrypt it complains about.
        auto id = plane_.peers.begin()->first;
        auto packet = plane_.send(id, kPing);
        ASSERT_TRUE(packet);
        transport_->send(last_path_, *packet);
        before = pings_;
        EXPECT_TRUE(serve_until([&] { return pings_ >= before + 1; }));
        EXPECT_THAT(client_log(), Not(HasSubstr("Authenticate/Decrypt packet error")));
        EXPECT_THAT(client_log(), Not(HasSubstr("Key [AF_INET]")));
        EXPECT_THAT(client_log(), Not(HasSubstr("used inconsistently")));
        EXPECT_THAT(client_log(), Not(HasSubstr("TLS Error")));
    }

    std::string program_;
    StockProgram stock_;
    int fd_ = -1;
    Endpoint local_;
    Authority authority_;
    server::CoreSettings settings_;
    std::unique_ptr<session::TlsContext> tls_;
    RecordingDataPlane plane_;
    std::unique_ptr<UdpTransport> transport_;
    std::unique_ptr<server::ServerCore> core_;
    server::Path last_path_;
    std::uint64_t data_packets_ = 0;
    std::uint64_t pings_ = 0;
    Bytes last_ping_; ///< as it was on the wire
};

TEST_F(StockClient, Tls13WithKeyExport) {
    start_server();
    start_client("", {"client-1"});
    ASSERT_TRUE(serve_until([&] { return established(); })) << client_log();
    EXPECT_THAT(client_log(),
                HasSubstr("peer-id 0,cipher AES-256-GCM,protocol-flags cc-exit tls-ekm,"
                          "tun-mtu 1500"));
    EXPECT_THAT(client_log(), HasSubstr("TLSv1.3"));
    expect_data_both_ways();
    EXPECT_EQ(plane_.calls.at(0), "add 0");
    EXPECT_EQ(plane_.calls.at(1), "key 0 primary 0");
}

TEST_F(StockClient, Tls12WithThePrfAndChacha) {
    settings_.session.negotiation.tls_export = false;
    start_server([](session::TlsConfig& config) { config.max_version = TLS1_2_VERSION; });
    start_client("data-ciphers CHACHA20-POLY1305\n", {"client-1"});
    ASSERT_TRUE(serve_until([&] { return established(); })) << client_log();
    EXPECT_THAT(client_log(), HasSubstr("TLSv1.2"));
    EXPECT_THAT(client_log(), HasSubstr("cipher CHACHA20-POLY1305,protocol-flags cc-exit,"));
    expect_data_both_ways();
}

TEST_F(StockClient, RenegotiationsOfBothSidesLoseNothing) {
    settings_.session.renegotiate_after = 5s;
    start_server();
    start_client("reneg-sec 4\n", {"client-1"});
    ASSERT_TRUE(serve_until([&] { return established(); })) << client_log();
    auto renegotiations = [&] {
        auto clients = core_->clients(std::chrono::steady_clock::now());
        return clients.empty() ? 0U : clients[0].renegotiations;
    };
    EXPECT_TRUE(serve_until([&] { return renegotiations() >= 4; }, 40s)) << client_log();
    expect_data_both_ways();
    EXPECT_NE(plane_.peers.at(0).slots[0]->key_id, 0);
}

TEST_F(StockClient, RenegotiationWithThePrf) {
    settings_.session.negotiation.tls_export = false;
    settings_.session.renegotiate_after = 5s;
    start_server();
    start_client("reneg-sec 0\n", {"client-1"});
    ASSERT_TRUE(serve_until([&] { return established(); })) << client_log();
    EXPECT_TRUE(serve_until([&] { return plane_.peers.at(0).slots[0]->key_id == 2; }, 30s));
    expect_data_both_ways();
}

TEST_F(StockClient, LongPushReplyIsContinued) {
    for (int i = 0; i < 80; i++)
        settings_.session.push.push_back("route 10." + std::to_string(100 + i) +
                                         ".0.0 255.255.0.0");
    start_server();
    start_client("", {"client-1"});
    ASSERT_TRUE(serve_until([&] { return established(); })) << client_log();
    EXPECT_THAT(client_log(), HasSubstr("push-continuation 2"));
    EXPECT_THAT(client_log(), HasSubstr("route 10.179.0.0 255.255.0.0"));
    expect_data_both_ways();
}

TEST_F(StockClient, SaysGoodByeOnTheControlChannel) {
    start_server();
    start_client("explicit-exit-notify 1\n", {"client-1"});
    ASSERT_TRUE(serve_until([&] { return established(); })) << client_log();
    kill(stock_.pid(), SIGTERM);
    EXPECT_TRUE(serve_until([&] { return core_->finished(); }, 5s)) << client_log();
    EXPECT_TRUE(plane_.peers.empty());
    EXPECT_TRUE(serve_until([&] { return client_ended(); }, 10s));
}

TEST_F(StockClient, ComesBackAfterARestart) {
    start_server();
    start_client("connect-retry 1 1\n", {"client-1"});
    ASSERT_TRUE(serve_until([&] { return established(); })) << client_log();
    core_->shutdown(std::chrono::steady_clock::now());
    ASSERT_TRUE(serve_until([&] { return core_->finished(); }, 4s)) << client_log();
    start_server();
    EXPECT_TRUE(serve_until([&] { return plane_.peers.size() == 1; }, 20s)) << client_log();
    auto before = pings_;
    EXPECT_TRUE(serve_until([&] { return pings_ > before; }, 20s)) << client_log();
}

TEST_F(StockClient, IsToldWhyItsCiphersDoNotSuit) {
    start_server();
    start_client("data-ciphers AES-192-GCM\ndata-ciphers-fallback AES-192-GCM\n", {"client-1"});
    EXPECT_TRUE(serve_until([&] { return client_ended(); }));
    EXPECT_THAT(client_log(), HasSubstr("AUTH_FAILED,Data channel cipher negotiation failed"));
    EXPECT_TRUE(serve_until([&] { return core_->finished(); }, 8s));
    EXPECT_TRUE(plane_.peers.empty());
}

TEST_F(StockClient, ExpiredCertificateIsRefusedWithAnAlert) {
    start_server();
    CertificateRequest request;
    request.common_name = "late";
    request.expired = true;
    start_client("", request);
    auto told = [&] {
        return client_log().find("fatal SSL alert: certificate expired") != std::string::npos;
    };
    EXPECT_TRUE(serve_until(told)) << client_log();
    EXPECT_TRUE(plane_.calls.empty());
}

TEST_F(StockClient, CbcWithHmac) {
    settings_.session.negotiation.data_ciphers = {DataCipher::Aes256Cbc};
    settings_.session.negotiation.auth = DataAuth::Sha256;
    start_server();
    start_client("data-ciphers AES-256-CBC\nauth SHA256\n", {"client-1"});
    ASSERT_TRUE(serve_until([&] { return established(); })) << client_log();
    EXPECT_THAT(client_log(), HasSubstr("cipher AES-256-CBC"));
    expect_data_both_ways();
}

TEST_F(StockClient, CbcWithSha1ByThePrfThroughARenegotiation) {
    settings_.session.negotiation.data_ciphers = {DataCipher::Aes128Cbc};
    settings_.session.negotiation.tls_export = false;
    settings_.session.renegotiate_after = 5s;
    start_server();
    start_client("data-ciphers AES-128-CBC\nreneg-sec 0\n", {"client-1"});
    ASSERT_TRUE(serve_until([&] { return established(); })) << client_log();
    EXPECT_TRUE(serve_until([&] { return plane_.peers.at(0).slots[0]->key_id == 1; }, 30s));
    expect_data_both_ways();
}

TEST_F(StockClient, NoCipherAtAll) {
    settings_.session.negotiation.data_ciphers = {DataCipher::None};
    settings_.session.negotiation.auth = DataAuth::Sha256;
    start_server();
    start_client("data-ciphers none\nauth SHA256\n", {"client-1"});
    ASSERT_TRUE(serve_until([&] { return established(); })) << client_log();
    expect_data_both_ways();
}

// What a stock client encrypts in each format. NF_OVPN_VECTORS names a directory for the packets
// and their keys, from which lab/series/stock-vectors makes known answers for the kernel.
struct FormatCase {
    const char* name;
    DataCipher cipher;
    DataAuth auth;
    bool epochs; ///< if the client has them
    const char* kernel_cipher;
    const char* kernel_auth;
};

class StockFormat : public StockClient, public testing::WithParamInterface<FormatCase> {
protected:
    static std::string c_string(ByteView bytes) {
        std::string out;
        for (std::size_t i = 0; i < bytes.size(); i++)
            out +=
                fmt::format("{}\\x{:02x}", i > 0 && i % 12 == 0 ? "\"\n\t\t\t  \"" : "", bytes[i]);
        return '"' + out + '"';
    }

    void write_vector(const std::string& directory) {
        const auto& c = GetParam();
        const auto& keys = plane_.peers.at(0).slots[0]->keys;
        auto text = fmt::format("\t{{\n\t\t.name\t\t= \"{}{}\",\n\t\t.alg\t\t= "
                                "NF_OVPN_CIPHER_ALG_{},\n\t\t.auth\t\t= NF_OVPN_AUTH_ALG_{},\n",
                                c.name, keys.format.epochs ? ", epochs" : "", c.kernel_cipher,
                                c.kernel_auth);
        auto bytes = [&](std::string_view name, ByteView value) {
            text +=
                fmt::format("\t\t.{}{}= {},\n\t\t.{}_len\t= {},\n", name,
                            name.size() < 7 ? "\t\t" : "\t", c_string(value), name, value.size());
        };
        if (keys.format.epochs)
            text += "\t\t.epochs\t\t= true,\n";
        text += fmt::format("\t\t.key_bits\t= {},\n", cipher_key_length(c.cipher) * 8);
        if (!keys.decrypt.cipher_key.view().empty())
            bytes("key", keys.decrypt.cipher_key.view());
        if (!keys.decrypt.auth_key.view().empty())
            bytes("auth_key", keys.decrypt.auth_key.view());
        if (is_aead(c.cipher) && !keys.format.epochs)
            text += fmt::format("\t\t.tail\t\t= {},\n", c_string(keys.decrypt.implicit_iv.view()));
        bytes("packet", last_ping_);
        std::ofstream(directory + "/" + std::to_string(c.epochs) + c.name) << text << "\t},\n";
    }
};

TEST_P(StockFormat, DataBothWays) {
    const auto& c = GetParam();
    settings_.session.negotiation.data_ciphers = {c.cipher};
    settings_.session.negotiation.auth = c.auth;
    // Whoever does not export keys has no epochs.
    settings_.session.negotiation.tls_export = c.epochs;
    start_server();
    start_client(
        fmt::format("data-ciphers {}\nauth {}\n", cipher_name(c.cipher), auth_name(c.auth)),
        {"client-1"});
    ASSERT_TRUE(serve_until([&] { return established(); })) << client_log();
    if (!c.epochs) {
        EXPECT_FALSE(plane_.peers.at(0).slots[0]->keys.format.epochs);
    }
    expect_data_both_ways();
    if (const char* directory = std::getenv("NF_OVPN_VECTORS"))
        write_vector(directory);
}

INSTANTIATE_TEST_SUITE_P(
    Ciphers, StockFormat,
    testing::Values(
        FormatCase{"AES-128-GCM", DataCipher::Aes128Gcm, DataAuth::Sha1, false, "AES_GCM", "NONE"},
        FormatCase{"AES-192-GCM", DataCipher::Aes192Gcm, DataAuth::Sha1, false, "AES_GCM", "NONE"},
        FormatCase{"AES-256-GCM", DataCipher::Aes256Gcm, DataAuth::Sha1, false, "AES_GCM", "NONE"},
        FormatCase{"CHACHA20-POLY1305", DataCipher::ChaCha20Poly1305, DataAuth::Sha1, false,
                   "CHACHA20_POLY1305", "NONE"},
        FormatCase{"AES-128-GCM", DataCipher::Aes128Gcm, DataAuth::Sha1, true, "AES_GCM", "NONE"},
        FormatCase{"AES-256-GCM", DataCipher::Aes256Gcm, DataAuth::Sha1, true, "AES_GCM", "NONE"},
        FormatCase{"CHACHA20-POLY1305", DataCipher::ChaCha20Poly1305, DataAuth::Sha1, true,
                   "CHACHA20_POLY1305", "NONE"},
        FormatCase{"AES-128-CBC, SHA1", DataCipher::Aes128Cbc, DataAuth::Sha1, false, "AES_CBC",
                   "HMAC_SHA1"},
        FormatCase{"AES-256-CBC, SHA256", DataCipher::Aes256Cbc, DataAuth::Sha256, false, "AES_CBC",
                   "HMAC_SHA256"},
        FormatCase{"none, SHA256", DataCipher::None, DataAuth::Sha256, false, "NONE",
                   "HMAC_SHA256"}),
    [](const auto& test) {
        std::string name = test.param.name;
        std::erase_if(name, [](char c) { return std::isalnum(c) == 0; });
        return name + (test.param.epochs ? "Epochs" : "");
    });

// What the administrators of both ends may have written, and what is made of it.
struct FramingCase {
    const char* name;
    Framing server;
    bool push;
    const char* client;
    Framing result;
};

class StockFraming : public StockClient, public testing::WithParamInterface<FramingCase> {};

TEST_P(StockFraming, DataBothWays) {
    const auto& c = GetParam();
    settings_.session.negotiation.framing = c.server;
    settings_.session.negotiation.push_framing = c.push;
    start_server();
    start_client(c.client, {"client-1"});
    ASSERT_TRUE(serve_until([&] { return established(); })) << client_log();
    EXPECT_EQ(plane_.peers.at(0).peer.framing, c.result);
    expect_data_both_ways();
    EXPECT_THAT(client_log(), Not(HasSubstr("decompression header byte")));
    EXPECT_THAT(client_log(), Not(HasSubstr("is present in")));
}

INSTANTIATE_TEST_SUITE_P(
    Options, StockFraming,
    testing::Values(
        FramingCase{"CompLzoNo", Framing::Stub, false, "comp-lzo no\n", Framing::Stub},
        FramingCase{"Compress", Framing::StubSwap, false, "compress\n", Framing::StubSwap},
        FramingCase{"StubV2", Framing::StubV2, false, "compress stub-v2\n", Framing::StubV2},
        FramingCase{"PushedCompLzoNo", Framing::Stub, true, "", Framing::Stub},
        FramingCase{"PushedStub", Framing::StubSwap, true, "", Framing::StubSwap},
        FramingCase{"PushedStubV2", Framing::StubV2, true, "", Framing::StubV2},
        FramingCase{"Migrated", Framing::None, false, "comp-lzo no\n", Framing::StubV2},
        FramingCase{"NoneAtAll", Framing::None, false, "", Framing::None}),
    [](const auto& test) { return test.param.name; });

// The figure that OpenVPN prints for its own end is what we set for ours.
struct MssCase {
    const char* name;
    DataCipher cipher;
    DataAuth auth;
    Framing framing;
    const char* client;
    MssFix fix;
};

class StockMssFix : public StockClient, public testing::WithParamInterface<MssCase> {};

TEST_P(StockMssFix, SameFigure) {
    const auto& c = GetParam();
    settings_.session.negotiation.data_ciphers = {c.cipher};
    settings_.session.negotiation.auth = c.auth;
    settings_.session.negotiation.framing = c.framing;
    settings_.mss_fix = c.fix;
    start_server();
    start_client(std::string(c.client) + "data-ciphers " + std::string(cipher_name(c.cipher)) +
                     "\nauth " + std::string(auth_name(c.auth)) + "\n",
                 {"client-1"});
    ASSERT_TRUE(serve_until([&] { return established(); })) << client_log();
    EXPECT_THAT(client_log(), HasSubstr("Data Channel MTU parms [ mss_fix:" +
                                        std::to_string(plane_.peers.at(0).peer.tcp_mss) + " "));
}

INSTANTIATE_TEST_SUITE_P(Options, StockMssFix,
                         testing::Values(MssCase{"Default",
                                                 DataCipher::Aes256Gcm,
                                                 DataAuth::Sha1,
                                                 Framing::None,
                                                 "",
                                                 {1492, MssFix::Of::OuterPacket}},
                                         MssCase{"Payload",
                                                 DataCipher::ChaCha20Poly1305,
                                                 DataAuth::Sha1,
                                                 Framing::None,
                                                 "mssfix 1300\n",
                                                 {1300, MssFix::Of::Payload}},
                                         MssCase{"Fixed",
                                                 DataCipher::Aes128Gcm,
                                                 DataAuth::Sha1,
                                                 Framing::None,
                                                 "mssfix 1300 fixed\n",
                                                 {1300, MssFix::Of::InnerPacket}},
                                         MssCase{"CbcSha1",
                                                 DataCipher::Aes256Cbc,
                                                 DataAuth::Sha1,
                                                 Framing::None,
                                                 "mssfix 1300 mtu\n",
                                                 {1300, MssFix::Of::OuterPacket}},
                                         MssCase{"CbcSha256",
                                                 DataCipher::Aes128Cbc,
                                                 DataAuth::Sha256,
                                                 Framing::None,
                                                 "mssfix 1301\n",
                                                 {1301, MssFix::Of::Payload}},
                                         MssCase{"Stub",
                                                 DataCipher::Aes256Cbc,
                                                 DataAuth::Sha256,
                                                 Framing::Stub,
                                                 "comp-lzo no\n",
                                                 {1492, MssFix::Of::OuterPacket}}),
                         [](const auto& test) { return test.param.name; });

// The ways to wrap the control channel, each through renegotiations from both sides: counters that
// did not go on would show there.
struct WrapCase {
    const char* name;
    const char* digest;    ///< tls-auth, if not null
    const char* direction; ///< of the client, "" for none
    bool tls_crypt;
    bool v2;
    bool force_cookie;
};

class StockWrap : public StockClient, public testing::WithParamInterface<WrapCase> {
protected:
    // Makes the keys and gives them to the server; what the client's configuration says of them.
    std::string wrap() {
        const auto& c = GetParam();
        write("ta.key", std::string(kStaticKey));
        auto key = wire::parse_static_key(kStaticKey);
        if (c.tls_crypt)
            settings_.wrap = std::make_shared<const wire::ControlWrap>(
                wire::ControlWrap::tls_crypt(*key, wire::Role::Server));
        std::string direction = c.direction;
        if (c.digest) {
            auto ours = direction == "1"   ? wire::ControlWrap::Direction::Normal
                        : direction == "0" ? wire::ControlWrap::Direction::Inverse
                                           : wire::ControlWrap::Direction::Both;
            settings_.wrap = std::make_shared<const wire::ControlWrap>(
                std::move(*wire::ControlWrap::tls_auth(*key, ours, c.digest)));
        }
        if (c.v2) {
            auto v2 = std::make_shared<server::TlsCryptV2>();
            v2->key = std::move(*wire::parse_tls_crypt_v2_key(kTlsCryptV2ServerKey));
            v2->force_cookie = c.force_cookie;
            settings_.tls_crypt_v2 = v2;
            make_client_key();
            return "tls-crypt-v2 client.v2\n";
        }
        if (c.tls_crypt)
            return "tls-crypt ta.key\n";
        return fmt::format("tls-auth ta.key {}\nauth {}\n", direction, c.digest);
    }

    // A client's key by the stock program.
    void make_client_key() {
        write("server.v2", std::string(kTlsCryptV2ServerKey));
        auto child = fork();
        if (child == 0) {
            execl(program_.c_str(), program_.c_str(), "--cd", stock_.directory().c_str(),
                  "--tls-crypt-v2", "server.v2", "--genkey", "tls-crypt-v2-client", "client.v2",
                  static_cast<char*>(nullptr));
            _exit(127);
        }
        int status = -1;
        waitpid(child, &status, 0);
        ASSERT_EQ(status, 0);
    }

    std::uint64_t not_taken() {
        std::uint64_t sum = 0;
        for (auto count : core_->counters().malformed)
            sum += count;
        return sum + core_->counters().stray;
    }
};

TEST_P(StockWrap, WholeLife) {
    auto lines = wrap();
    settings_.session.renegotiate_after = 5s;
    start_server();
    start_client(lines + "reneg-sec 4\n", {"client-1"});
    ASSERT_TRUE(serve_until([&] { return established(); })) << client_log();
    auto renegotiations = [&] {
        auto clients = core_->clients(std::chrono::steady_clock::now());
        return clients.empty() ? 0U : clients[0].renegotiations;
    };
    EXPECT_TRUE(serve_until([&] { return renegotiations() >= 2; }, 40s)) << client_log();
    expect_data_both_ways();
    EXPECT_EQ(not_taken(), 0U);
    EXPECT_EQ(core_->counters().initial, 1U) << "the first packet was answered by a cookie";
    EXPECT_THAT(client_log(), Not(HasSubstr("bad packet ID")));
    EXPECT_THAT(client_log(), Not(HasSubstr("unwrapping failed")));
}

TEST_P(StockWrap, OtherClientsGetNoAnswer) {
    wrap();
    start_server();
    start_client("hand-window 2\n", {"client-1"});
    EXPECT_TRUE(serve_until([&] { return not_taken() > 0; }));
    EXPECT_EQ(core_->counters().initial, 0U);
    EXPECT_EQ(core_->counters().malformed[static_cast<std::size_t>(wire::WireError::NotAuthentic)] +
                  core_->counters().malformed[static_cast<std::size_t>(wire::WireError::Truncated)],
              not_taken());
}

INSTANTIATE_TEST_SUITE_P(
    Keys, StockWrap,
    testing::Values(WrapCase{"TlsAuthSha1", "SHA1", "1", false, false, false},
                    WrapCase{"TlsAuthSha256Reversed", "SHA256", "0", false, false, false},
                    WrapCase{"TlsAuthSha512WithoutDirection", "SHA512", "", false, false, false},
                    WrapCase{"TlsCrypt", nullptr, "", true, false, false},
                    WrapCase{"TlsCryptV2", nullptr, "", false, true, false},
                    WrapCase{"TlsCryptV2ForcedCookie", nullptr, "", false, true, true},
                    WrapCase{"TlsCryptV2BesideTlsCrypt", nullptr, "", true, true, true}),
    [](const auto& test) { return test.param.name; });

TEST_F(StockClient, CompressionBecomesStubV2) {
    start_server();
    start_client("comp-lzo no\n", {"client-1"});
    ASSERT_TRUE(serve_until([&] { return established(); })) << client_log();
    EXPECT_THAT(client_log(), HasSubstr("compress stub-v2"));
    auto before = pings_;
    EXPECT_TRUE(serve_until([&] { return pings_ >= before + 2; })) << client_log();
    EXPECT_EQ(data_packets_, pings_);
}

} // namespace
