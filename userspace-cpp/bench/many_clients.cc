// SPDX-License-Identifier: GPL-2.0-or-later
//
// many_clients - clients of one server by the hundred, in one process: what lab/bench/daemon lets
// loose on a server whose handshakes, memory and patience are measured.
//
//     many_clients --clients 1000 --at-once 16 --first-source 198.18.0.1 client.conf
//
// Each client is the real one (client/core.h) with a socket of its own, and without a device and a
// data channel: it negotiates, asks for what is pushed, and answers the server from then on. It
// leaves as soon as it is up, with the good-bye of "explicit-exit-notify" if the configuration has
// that, unless it is to stay; those stay until standard input ends. No client tries twice. Servers
// limit what comes from one address, so each client can have another one: the next behind
// --first-source, all of which have to be local ones (ip route add local PREFIX dev lo).
//
// Prints one line of JSON when as many as are wanted are up or have failed, or time is over:
//
//     {"up":1000,"failed":0,"seconds":4.211,"slowest_ms":71.300}
//
// The seconds are from the first packet of all to the last client's being up; the slowest is the
// longest from a client's own first packet. Exit status: 0 if all were up, 1 if not, 2 if the
// command line or the configuration is wrong.

#include "client/daemon.h"
#include "host/settings.h"
#include "io/deadline_timer.h"
#include "util/log.h"
#include "util/secret.h"

#include <CLI/CLI.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <unordered_set>

namespace {

using namespace nfovpn;
using asio::ip::udp;
using Clock = std::chrono::steady_clock;

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kWrong = 2;

/// Takes every key and carries no packet.
class NoDataPlane final : public dataplane::DataPlane {
public:
    dataplane::Failure add_peer(const dataplane::Peer&) override { return {}; }
    dataplane::Failure set_keepalive(std::uint32_t, const dataplane::Keepalive&) override {
        return {};
    }
    dataplane::Failure set_networks(std::uint32_t, const std::vector<Prefix>&) override {
        return std::nullopt;
    }
    dataplane::Failure remove_peer(std::uint32_t) override { return {}; }
    dataplane::Failure install_key(std::uint32_t, KeySlot, std::uint8_t, const DataKeys&) override {
        return {};
    }
    dataplane::Failure swap_keys(std::uint32_t) override { return {}; }
    dataplane::Failure delete_key(std::uint32_t, KeySlot) override { return {}; }
    std::optional<std::vector<dataplane::PeerStats>> stats() override { return std::nullopt; }
    std::optional<dataplane::PeerStats> peer_stats(std::uint32_t) override { return std::nullopt; }
};

class Client;

/// What a client reports.
class Owner {
public:
    virtual ~Owner() = default;
    virtual void up(Client& client, Duration took) = 0;
    /// It will do nothing more, and may be destroyed from here on, yet not at once.
    virtual void ended(Client& client) = 0;
};

/// A client with its socket. What is under way keeps it alive.
class Client final : public std::enable_shared_from_this<Client>, private client::ClientHost {
public:
    Client(asio::io_context& context, const client::ClientSettings& settings,
           const session::TlsContext& tls, std::optional<Ipv4> source, Owner& owner)
        : context_(context), socket_(context), timer_(context, [this] { due(); }), source_(source),
          owner_(owner), core_(settings, tls, *this) {}

    void start() {
        began_ = Clock::now();
        core_.start(began_);
        settle();
    }
    void leave() {
        core_.stop(Clock::now());
        settle();
    }
    [[nodiscard]] bool was_up() const { return was_up_; }

private:
    void resolve(const config::Remote& remote) override {
        later([this, remote] {
            auto address = parse_address(remote.host);
            if (address)
                core_.resolved({{*address, remote.port}}, "", Clock::now());
            else
                core_.resolved({}, "it is no address", Clock::now());
        });
    }
    void open(const Endpoint& remote, const config::Remote& server) override {
        later([this, remote, tcp = server.tcp] {
            if (tcp) {
                core_.lost("this is for UDP", Clock::now());
                return;
            }
            std::error_code failed;
            const auto address = asio::ip::make_address(to_string(remote.address), failed);
            const udp::endpoint to(address, remote.port);
            if (!failed)
                (void)socket_.open(to.protocol(), failed);
            if (!failed && source_)
                (void)socket_.bind(udp::endpoint(asio::ip::address_v4(source_->value), 0), failed);
            if (!failed)
                (void)socket_.connect(to, failed);
            if (!failed)
                (void)socket_.non_blocking(true, failed);
            if (failed) {
                core_.lost(failed.message(), Clock::now());
                return;
            }
            path_.remote = remote;
            receive();
            core_.opened(path_, Clock::now());
        });
    }
    void close() override {
        std::error_code ignored;
        (void)socket_.close(ignored);
    }
    // What there is no room for is sent again.
    void send(const Path&, ByteView datagram) override {
        std::error_code ignored;
        socket_.send(asio::buffer(datagram.data(), datagram.size()), 0, ignored);
    }
    dataplane::DataPlane& data_plane() override { return plane_; }
    bool set_up(const client::Tunnel&) override { return true; }
    bool keep(const client::Tunnel&) override { return true; }
    void announce(std::uint32_t) override {}
    void take_down() override {}
    void connected() override {
        was_up_ = true;
        later([this] { owner_.up(*this, Clock::now() - began_); });
    }

    void receive() {
        socket_.async_wait(udp::socket::wait_read,
                           [self = shared_from_this()](const std::error_code& failed) {
                               if (!failed)
                                   self->read();
                           });
    }
    void read() {
        while (socket_.is_open()) {
            std::error_code failed;
            const auto n = socket_.receive(asio::buffer(buffer_), 0, failed);
            if (failed)
                break;
            core_.receive(path_, ByteView(buffer_.data(), n), Clock::now());
        }
        settle();
        if (socket_.is_open())
            receive();
    }
    void due() {
        core_.tick(Clock::now());
        settle();
    }
    void settle() {
        timer_.arm(core_.deadline());
        if (!core_.finished() || told_)
            return;
        told_ = true;
        later([this] { owner_.ended(*this); });
    }
    // Nothing is told to the core or the owner from within a call of theirs.
    void later(std::function<void()> what) {
        asio::post(context_, [self = shared_from_this(), what = std::move(what)] {
            what();
            self->settle();
        });
    }

    asio::io_context& context_;
    udp::socket socket_;
    io::DeadlineTimer timer_;
    std::optional<Ipv4> source_;
    Owner& owner_;
    NoDataPlane plane_;
    Path path_;
    std::array<std::uint8_t, 2048> buffer_{};
    TimePoint began_{};
    bool was_up_ = false;
    bool told_ = false;
    client::ClientCore core_;
};

/// See the head of this file.
struct Options {
    std::string file;
    std::size_t clients = 1;
    std::size_t at_once = 1;
    bool stay = false;
    double seconds = 60;
    std::optional<Ipv4> first_source;
};

/// See the head of this file.
class Crowd final : private Owner {
public:
    Crowd(const Options& options, const config::ClientConfig& config)
        : options_(options), settings_(client::client_settings(config)),
          tls_(host::require(client::make_tls(config))), limit_(context_),
          input_(context_, dup(STDIN_FILENO)) {
        settings_.tries = 1;
    }

    int run() {
        began_ = Clock::now();
        limit_.expires_after(
            std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options_.seconds)));
        limit_.async_wait([this](const std::error_code& cancelled) {
            if (!cancelled)
                report();
        });
        more();
        context_.run();
        return up_ == options_.clients ? kOk : kFailed;
    }

private:
    void more() {
        while (!reported_ && started_ < options_.clients && negotiating_ < options_.at_once) {
            std::optional<Ipv4> source;
            if (options_.first_source)
                source = Ipv4{options_.first_source->value + static_cast<std::uint32_t>(started_)};
            auto client = std::make_shared<Client>(context_, settings_, tls_, source,
                                                   static_cast<Owner&>(*this));
            clients_.insert(client);
            started_++;
            negotiating_++;
            client->start();
        }
    }
    void up(Client& client, Duration took) override {
        up_++;
        negotiating_--;
        slowest_ = std::max(slowest_, took);
        last_up_ = Clock::now();
        if (!options_.stay)
            client.leave();
        settle();
    }
    void ended(Client& client) override {
        if (!client.was_up()) {
            failed_++;
            negotiating_--;
        }
        clients_.erase(client.shared_from_this());
        settle();
    }
    void settle() {
        more();
        if (up_ + failed_ == options_.clients && (options_.stay || clients_.empty()))
            report();
    }
    void report() {
        if (reported_)
            return;
        reported_ = true;
        limit_.cancel();
        const auto seconds = std::chrono::duration<double>(last_up_ - began_).count();
        std::printf(R"({"up":%zu,"failed":%zu,"seconds":%.3f,"slowest_ms":%.3f})"
                    "\n",
                    up_, options_.clients - up_, up_ > 0 ? seconds : 0.0,
                    std::chrono::duration<double, std::milli>(slowest_).count());
        std::fflush(stdout);
        if (options_.stay)
            wait_for_end();
        else
            context_.stop();
    }
    void wait_for_end() {
        input_.async_read_some(asio::buffer(word_), [this](const std::error_code& ended, size_t) {
            if (ended)
                context_.stop();
            else
                wait_for_end();
        });
    }

    const Options& options_;
    client::ClientSettings settings_;
    session::TlsContext tls_;
    asio::io_context context_{1};
    asio::steady_timer limit_;
    asio::posix::stream_descriptor input_;
    std::array<char, 64> word_{};
    std::unordered_set<std::shared_ptr<Client>> clients_;
    std::size_t started_ = 0;
    std::size_t negotiating_ = 0;
    std::size_t up_ = 0;
    std::size_t failed_ = 0;
    bool reported_ = false;
    TimePoint began_{};
    TimePoint last_up_{};
    Duration slowest_{};
};

// Each has a socket.
void allow_descriptors(std::size_t count) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, count + 64);
    setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"many_clients: OpenVPN clients by the hundred, to measure a server"};
    Options options;
    app.add_option("CONFIG", options.file, "a client's configuration")->required();
    app.add_option("--clients", options.clients, "how many, altogether");
    app.add_option("--at-once", options.at_once, "how many negotiate at the same time");
    app.add_option("--seconds", options.seconds, "those that are not up by then have failed");
    std::string first_source;
    app.add_option("--first-source", first_source,
                   "IPv4 address of the first client, and all others have the next ones");
    app.add_flag("--stay", options.stay, "stay when up, until standard input ends");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? kOk : kWrong;
    }
    if (!first_source.empty()) {
        const auto address = parse_address(first_source);
        if (!address || !address->is_ipv4()) {
            std::fprintf(stderr, "--first-source: \"%s\" is no IPv4 address\n",
                         first_source.c_str());
            return kWrong;
        }
        options.first_source = address->ipv4();
    }
    std::string why;
    auto text = config::read_file(options.file, why);
    if (!text) {
        std::fprintf(stderr, "%s: %s\n", options.file.c_str(), why.c_str());
        return kWrong;
    }
    auto parsed = config::parse_client_config(*text);
    wipe(*text);
    if (!parsed.ok()) {
        for (const auto& finding : parsed.findings)
            std::fprintf(stderr, "%s\n", describe(options.file, finding).c_str());
        return kWrong;
    }
    log::set_verb(parsed.config.verb);
    try {
        allow_descriptors(options.clients);
        return Crowd(options, parsed.config).run();
    } catch (const std::exception& e) {
        std::fprintf(stderr, "many_clients: %s\n", e.what());
        return kFailed;
    }
}
