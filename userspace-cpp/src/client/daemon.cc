// SPDX-License-Identifier: GPL-2.0-or-later
//
// The client's set-up, loop and end; see daemon.h.
//
// The core closes a try wherever it finds out that it has come to nothing, which may be in the
// middle of a call of that very socket's. So what is closed is out of use at once, and is destroyed
// when that call has returned.

#include "client/daemon.h"

#include "host/settings.h"
#include "io/mark.h"
#include "io/socket_address.h"
#include "util/log.h"

#include <asio/post.hpp>
#include <fmt/format.h>
#include <openssl/rand.h>

#include <linux/netlink.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

namespace nfovpn::client {

namespace {

using Clock = std::chrono::steady_clock;

// Of one name.
constexpr std::size_t kMaxAddresses = 16;

// Addresses and routes change together, and some of them back at once.
constexpr auto kSettled = std::chrono::milliseconds(300);

// The packets that tell the server.
constexpr unsigned kAnnouncements = 3;
constexpr auto kAnnounceAgain = std::chrono::seconds(1);

bool suits(config::RemoteFamily family, const Address& address) {
    return family == config::RemoteFamily::Any ||
           address.is_ipv4() == (family == config::RemoteFamily::Ipv4);
}

// The address to bind to; without one every address of the server's family.
Address any_or(const std::optional<Address>& local, const Endpoint& remote) {
    return local.value_or(remote.address.is_ipv4() ? Address(Ipv4{}) : Address(Ipv6{}));
}

// Twelve hexadecimal digits.
std::string random_label() {
    std::array<unsigned char, 6> random{};
    if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1)
        throw std::runtime_error("no random bytes");
    std::string out;
    for (auto byte : random)
        out += fmt::format("{:02x}", byte);
    return out;
}

bool looks_names_up(const config::ClientConfig& c) {
    return std::any_of(c.remotes.begin(), c.remotes.end(), [](const config::Remote& r) {
        return !parse_address(r.host) || (r.proxy && !parse_address(r.proxy->host));
    });
}

TunnelSetup::Settings setup_settings(const config::ClientConfig& c, const std::string& device) {
    TunnelSetup::Settings out;
    out.ethernet = c.ethernet;
    out.configure_device = c.configure_device;
    out.configure_routes = c.configure_routes;
    out.table = c.route_table;
    out.up = c.up;
    out.down = c.down;
    out.route_up = c.route_up;
    out.environment = host::environment(c, device);
    for (std::size_t i = 0; i < c.remotes.size(); i++) {
        const auto n = std::to_string(i + 1);
        out.environment.emplace_back("remote_" + n, c.remotes[i].host);
        out.environment.emplace_back("remote_port_" + n, std::to_string(c.remotes[i].port));
        out.environment.emplace_back("proto_" + n, c.remotes[i].tcp ? "tcp-client" : "udp");
        const auto& proxy = c.remotes[i].proxy;
        if (!proxy)
            continue;
        const bool http = proxy->kind == wire::Proxy::Kind::Http;
        out.environment.emplace_back((http ? "http_proxy_server_" : "socks_proxy_server_") + n,
                                     proxy->host);
        out.environment.emplace_back((http ? "http_proxy_port_" : "socks_proxy_port_") + n,
                                     std::to_string(proxy->port));
    }
    out.environment.insert(out.environment.end(), c.environment.begin(), c.environment.end());
    return out;
}

} // namespace

ClientSettings client_settings(const config::ClientConfig& c) {
    ClientSettings s;
    host::set_negotiation(s.session.negotiation, c, false);
    // Which it will be is not known yet: the most that any has.
    const bool relayed = std::any_of(c.remotes.begin(), c.remotes.end(),
                                     [](const config::Remote& r) { return r.relayed(); });
    const std::uint32_t relay = relayed ? wire::kMaxRelayHeader : 0;
    host::set_session(s.session, c, host::outer_headers(true, true) + relay);
    s.session.pull = c.pull;
    s.session.pull_filters = c.pull_filters;
    s.session.own_options = c.own_options;
    s.session.version = std::string("nf-ovpnd ") + NF_OVPND_VERSION;
    s.session.peer_info = c.peer_info;
    s.wrap = c.wrap;
    s.wrapped_key = c.wrapped_key;
    s.unix_time_of_zero = host::unix_time_of_zero();
    s.remotes = c.remotes;
    s.shuffle = c.remote_random;
    if (c.resolve_for)
        s.resolve_for = *c.resolve_for;
    s.retry = c.retry;
    s.longest_retry = c.longest_retry;
    s.tries = c.tries;
    s.auth_retry = c.auth_retry;
    s.ask_user = c.ask_user;
    s.forget_password = c.forget_password;
    s.ask_remote = c.ask_remote;
    s.keep_tunnel = c.keep_tunnel;
    s.known_username = c.username;
    s.username = c.username;
    if (!c.username.empty() && !c.ask_user) {
        s.password = std::make_shared<const SecretBytes>(c.password.view());
    }
    s.keepalive = {c.ping, c.ping_restart};
    s.mss_fix = c.mss_fix;
    s.mss_fix.ahead =
        static_cast<std::uint32_t>((c.ethernet ? dataplane::kEthernetHeader : 0) +
                                   (c.fragment.limit > 0 ? dataplane::kFragmentHeader : 0));
    s.fragment = c.fragment;
    s.exit_notify = c.exit_notify;
    s.ping_exit = c.ping_exit;
    s.inactive = std::chrono::seconds(c.inactive);
    s.inactive_bytes = c.inactive_bytes;
    s.session_timeout = std::chrono::seconds(c.session_timeout);
    return s;
}

Result<session::TlsContext, session::TlsError> make_tls(const config::ClientConfig& c) {
    return session::TlsContext::create(host::tls_config(c, wire::Role::Client));
}

Daemon::Daemon(const config::ClientConfig& config, Surroundings surroundings)
    : EventLoop(host::kept_device(*surroundings.keeper, config), surroundings.service),
      config_(config), surroundings_(std::move(surroundings)),
      tls_(host::require(make_tls(config))),
      setup_(setup_settings(config, tun_.name()), tun_.name(), tun_.ifindex(), context_,
             [this] { settle(); }),
      resolver_(context_), route_(NETLINK_ROUTE), route_changes_(NETLINK_ROUTE),
      route_events_(context_, dup(route_changes_.fd())), way_timer_(context_),
      announce_timer_(context_), core_(client_settings(config), tls_, *this),
      tcp_buffer_(io::kTcpReadSize) {
    surroundings_.keeper->keep<host::PidFile>(
        "pid", config.pid_file, [&] { return std::make_unique<host::PidFile>(config.pid_file); });
    surroundings_.keeper->drop_unwanted();
    if (surroundings_.plugins) {
        check_plugins();
        plugin_calls_.emplace(
            *surroundings_.plugins, context_, [this] { settle(); },
            [this](const std::string& why) { plugins_gone(why); });
        setup_.tell_plugins(*plugin_calls_);
    }
    if (surroundings_.ask) {
        asker_.emplace(context_, *surroundings_.ask);
        terminal_link_.emplace(*asker_, core_,
                               UserQuestion{config_.username, config_.static_challenge},
                               [this] { settle(); });
        core_.observe(&*terminal_link_);
    }
    if (surroundings_.protocol)
        management_link_.emplace(
            *surroundings_.protocol, core_, config_.static_challenge, [this] { settle(); },
            terminal_link_ ? &*terminal_link_ : nullptr);
    if (surroundings_.sockets)
        management_.emplace(context_, *surroundings_.sockets, *surroundings_.protocol);
}

// A last command of the management client finds everything as it was.
Daemon::~Daemon() {
    management_.reset();
    management_link_.reset();
    core_.observe(nullptr);
    close();
}

End Daemon::run() {
    log::info("device {}, {} {} to try", tun_.name(), config_.remotes.size(),
              config_.remotes.size() == 1 ? "server" : "servers");
    begin(config_, host::later_paths(config_), config_.ask_remote || looks_names_up(config_));
    if (surroundings_.plugins) {
        surroundings_.plugins->confine(config_);
        check_plugins();
    }
    if (const auto failed = netlink::join_changes(route_changes_))
        log::warning("changes of addresses are not heard of: {}", failed->what);
    watch_addresses();
    core_.start(Clock::now());
    serve();
    log::info("stopped{}", core_.failure().empty() ? "" : ": " + core_.failure());
    if (reloading_)
        return End::Reload;
    return core_.failure().empty() && !device_is_gone_ && !plugins_are_gone_ ? End::Stop
                                                                             : End::Failed;
}

// What would be left out without a word is a check of the server.
void Daemon::check_plugins() const {
    for (const auto hook : {plugin::Hook::TlsVerify, plugin::Hook::TlsFinal}) {
        if (surroundings_.plugins->wants(hook))
            throw std::runtime_error(std::string("plugin: a client does not call plug-ins for ") +
                                     plugin::name_of(hook) + ", which one of them wants");
    }
}

// ---- what the core asks for

// An answer is never given from within a question, and not any more when the try has ended.
void Daemon::later(std::function<void()> what) {
    asio::post(context_, [this, what = std::move(what), which = try_] {
        if (which != try_)
            return;
        what();
        settle();
    });
}

void Daemon::look_up(const std::string& host, std::uint16_t port, config::RemoteFamily family,
                     Found found) {
    if (const auto address = parse_address(host)) {
        std::vector<Endpoint> out;
        if (suits(family, *address))
            out.push_back({*address, port});
        later([out = std::move(out), found = std::move(found)]() mutable {
            found(std::move(out), "an address of the other family");
        });
        return;
    }
    resolver_.async_resolve(
        host, std::to_string(port),
        [this, family, found = std::move(found), which = try_](
            const asio::error_code& error, const asio::ip::udp::resolver::results_type& results) {
            if (which != try_ || error == asio::error::operation_aborted)
                return;
            std::vector<Endpoint> out;
            for (const auto& entry : results) {
                const auto endpoint = io::endpoint_of(entry.endpoint());
                if (suits(family, endpoint.address) && out.size() < kMaxAddresses &&
                    std::find(out.begin(), out.end(), endpoint) == out.end())
                    out.push_back(endpoint);
            }
            found(std::move(out), error ? error.message() : "no address of that family");
            settle();
        });
}

void Daemon::resolve(const config::Remote& remote) {
    const Found found = [this](std::vector<Endpoint> addresses, const std::string& why_none) {
        core_.resolved(std::move(addresses), why_none, Clock::now());
    };
    if (remote.proxy && remote.tcp)
        look_up(remote.proxy->host, remote.proxy->port, remote.family, found);
    else
        look_up(config_.random_hostname && !parse_address(remote.host)
                    ? random_label() + "." + remote.host
                    : remote.host,
                remote.port, remote.family, found);
}

void Daemon::watch_addresses() {
    route_events_.async_wait(
        asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
            if (error)
                return;
            // What has changed does not matter, and neither does what was lost.
            while (!route_changes_.receive([](const nlmsghdr*) {})) {
            }
            if (!std::exchange(way_is_due_, true)) {
                way_timer_.expires_after(kSettled);
                way_timer_.async_wait([this](const asio::error_code& cancelled) {
                    way_is_due_ = false;
                    if (!cancelled)
                        look_at_way();
                });
            }
            watch_addresses();
        });
}

void Daemon::look_at_way() {
    // With "local" it is not the system's choice.
    if (!remote_ || config_.local)
        return;
    const auto way = netlink::find_route(route_, *remote_);
    // None: there will be another change when there is one.
    if (!way || !way->source || way->source == source_)
        return;
    announcements_left_ = kAnnouncements - 1;
    const bool known = source_.has_value();
    source_ = way->source;
    if (known)
        core_.own_address_changed(way->ifindex != tun_.ifindex(), Clock::now());
    settle();
}

void Daemon::announce(std::uint32_t peer_id) {
    if (auto failure = data_plane_ ? data_plane_->announce(peer_id, Clock::now()) : std::nullopt)
        log::warning("the server cannot be told where this host is: {}", failure->what);
    // Nobody acknowledges it.
    if (announcements_left_ == 0)
        return;
    announcements_left_--;
    announce_timer_.expires_after(kAnnounceAgain);
    announce_timer_.async_wait([this, peer_id, which = try_](const asio::error_code& cancelled) {
        if (cancelled || which != try_)
            return;
        announce(peer_id);
        settle();
    });
}

void Daemon::lose(const std::string& why) {
    core_.lost(why, Clock::now());
    settle();
}

void Daemon::look_at_source(const Address& remote) {
    remote_ = remote;
    source_.reset();
    if (const auto way = netlink::find_route(route_, *remote_))
        source_ = way->source;
}

void Daemon::open(const Endpoint& at, const config::Remote& remote) {
    if (remote.relayed()) {
        look_up(remote.proxy->host, remote.proxy->port, config::RemoteFamily::Any,
                [this, at, remote](std::vector<Endpoint> proxies, const std::string& why_none) {
                    if (proxies.empty())
                        core_.lost("proxy " + remote.proxy->host + ": " + why_none, Clock::now());
                    else
                        associate(at, remote, std::move(proxies));
                });
        return;
    }
    look_at_source(at.address);
    try {
        if (remote.proxy)
            connect_to_proxy(at, remote, false);
        else if (remote.tcp)
            open_tcp(at);
        else
            open_udp(at);
    } catch (const std::system_error& error) {
        later([this, what = std::string(error.what())] { core_.lost(what, Clock::now()); });
    }
}

std::uint16_t Daemon::open_socket(const Endpoint& remote, io::UdpSocket::Handler handler) {
    const auto family = remote.address.is_ipv4() ? io::Family::Ipv4 : io::Family::Ipv6;
    udp_ = std::make_unique<io::UdpSocket>(context_, family, config_.local, config_.local_port,
                                           io::SocketOptions{config_.mark, config_.bind_device});
    udp_->start(std::move(handler), [this] { settle(); });
    return udp_->port();
}

void Daemon::open_udp(const Endpoint& remote) {
    const auto port = open_socket(
        remote, [this](const Path& path, ByteView datagram) { received(path, datagram); });
    const Path path{remote, {any_or(config_.local, remote), port}};
    later([this, path] { core_.opened(path, Clock::now()); });
}

asio::ip::tcp::socket Daemon::new_connection(const Endpoint& remote) {
    using asio::ip::tcp;
    tcp::socket out(context_, io::to_asio<tcp::endpoint>(remote).protocol());
    io::set_options(out.native_handle(), {config_.mark, config_.bind_device});
    if (config_.local || config_.local_port != 0) {
        const Endpoint here{any_or(config_.local, remote), config_.local_port};
        out.set_option(tcp::socket::reuse_address(true));
        out.bind(io::to_asio<tcp::endpoint>(here));
    }
    return out;
}

void Daemon::use_connection(asio::ip::tcp::socket socket, const Path& path, ByteView already) {
    tcp_ = io::TcpStream::create(
        std::move(socket), to_string(path.remote), config_.tcp_queue_limit, tcp_buffer_,
        {[this, path](ByteView datagram) { received(path, datagram); }, [this] { settle(); },
         [this] { lose("the connection has ended"); }});
    core_.opened(path, Clock::now());
    // The core may give it up, now or at what has come already.
    if (const auto stream = tcp_)
        stream->start(already);
    settle();
}

void Daemon::open_tcp(const Endpoint& remote) {
    using asio::ip::tcp;
    connecting_.emplace(new_connection(remote));
    connecting_->async_connect(
        io::to_asio<tcp::endpoint>(remote),
        [this, remote, which = try_](const asio::error_code& error) {
            if (which != try_)
                return;
            asio::error_code failed = error;
            const auto local = failed ? tcp::endpoint() : connecting_->local_endpoint(failed);
            if (failed) {
                lose(failed.message());
                return;
            }
            auto socket = std::move(*connecting_);
            connecting_.reset();
            use_connection(std::move(socket), {remote, io::endpoint_of(local)}, {});
        });
}

// For a connection to the server.
void Daemon::connect_to_proxy(const Endpoint& proxy, const config::Remote& remote, bool again) {
    using asio::ip::tcp;
    proxy_ = ProxyConnection::create(
        new_connection(proxy), remote.proxy, remote.host, remote.port, false, again,
        {[this, proxy](tcp::socket socket, const Bytes& already) {
             const Path path{proxy, io::endpoint_of(std::exchange(proxy_, nullptr)->local())};
             use_connection(std::move(socket), path, already);
         },
         nullptr,
         [this, proxy, remote] {
             log::info("the proxy {} wants a name and a password", remote.proxy->host);
             try {
                 connect_to_proxy(proxy, remote, true);
             } catch (const std::system_error& error) {
                 lose(error.what());
             }
         },
         [this](const std::string& why) { lose(why); }});
    proxy_->start(io::to_asio<tcp::endpoint>(proxy));
}

// For datagrams to it, by the first of a proxy's addresses that grants it.
void Daemon::associate(const Endpoint& server, const config::Remote& remote,
                       std::vector<Endpoint> proxies) {
    using asio::ip::tcp;
    const auto proxy = proxies.front();
    proxies.erase(proxies.begin());
    look_at_source(proxy.address);
    try {
        proxy_ = ProxyConnection::create(
            new_connection(proxy), remote.proxy, remote.host, remote.port, true, false,
            {nullptr,
             [this, proxy, server](const Endpoint& at) {
                 auto relay = at;
                 if (relay.address == Address(Ipv4{}) || relay.address == Address(Ipv6{})) {
                     relay.address = proxy.address;
                     relay.scope_id = proxy.scope_id;
                 }
                 open_relayed(relay, server);
             },
             nullptr,
             [this, server, remote, proxies](const std::string& why) {
                 if (udp_ || proxies.empty()) {
                     lose(why);
                     return;
                 }
                 log::info("proxy {}: {}", remote.proxy->host, why);
                 associate(server, remote, proxies);
             }});
        proxy_->start(io::to_asio<tcp::endpoint>(proxy));
    } catch (const std::system_error& error) {
        later([this, what = std::string(error.what())] { core_.lost(what, Clock::now()); });
    }
}

void Daemon::open_relayed(const Endpoint& relay, const Endpoint& server) {
    log::info("datagrams go by the proxy's relay, {}", to_string(relay));
    look_at_source(relay.address);
    relayed_ = server;
    try {
        const auto port = open_socket(relay, [this, relay](const Path& path, ByteView datagram) {
            const auto inner = wire::relayed_datagram(datagram);
            if (path.remote == relay && inner && inner->first == *relayed_)
                received(path, inner->second);
        });
        core_.opened({relay, {any_or(config_.local, relay), port}}, Clock::now());
    } catch (const std::system_error& error) {
        core_.lost(error.what(), Clock::now());
    }
    settle();
}

void Daemon::close() {
    try_++;
    remote_.reset();
    resolver_.cancel();
    close_data_plane();
    connecting_.reset();
    if (proxy_)
        proxy_->close();
    proxy_.reset();
    relayed_.reset();
    if (tcp_)
        tcp_->close();
    tcp_.reset();
    if (udp_) {
        udp_->stop();
        asio::post(context_, [old = std::shared_ptr<io::UdpSocket>(std::move(udp_))] {});
    }
}

// The system chooses the address that datagrams leave from, so that a machine may move.
Path Daemon::to_remote(const Path& path) const {
    return {path.remote, {any_or(config_.local, path.remote), path.local.port}};
}

void Daemon::send(const Path& path, ByteView datagram) {
    if (udp_ && relayed_)
        udp_->send(to_remote(path), wire::relay_datagram(*relayed_, datagram));
    else if (udp_)
        udp_->send(to_remote(path), datagram);
    else if (tcp_)
        tcp_->put(datagram, false);
}

void Daemon::to_peer(const Path& path, ByteView datagram, std::uint8_t dscp) {
    const std::uint8_t shown = config_.passtos ? dscp : 0;
    if (udp_ && relayed_)
        udp_->queue(to_remote(path), wire::relay_datagram(*relayed_, datagram), shown);
    else if (udp_)
        udp_->queue(to_remote(path), datagram, shown);
    else if (tcp_)
        tcp_->put(datagram, true);
}

dataplane::DataPlane& Daemon::data_plane() {
    if (data_plane_)
        return *data_plane_;
    auto& opened = open_data_plane(open_kernel());
    if (config_.ethernet)
        opened.set_ethernet(false);
    if (config_.block_ipv6)
        opened.block_ipv6(*parse_ipv6("fe80::7"), false);
    return opened;
}

std::unique_ptr<dataplane::KernelDataPlane> Daemon::open_kernel() const {
    const char* why_not = !udp_                       ? "TCP"
                          : relayed_                  ? "a proxy"
                          : config_.block_ipv6        ? "block-ipv6"
                          : !config_.kernel_data_path ? "disable-dco"
                                                      : nullptr;
    if (why_not) {
        log::info("{}: data packets go by the daemon's own data path", why_not);
        return nullptr;
    }
    netlink::InstanceRequest instance;
    instance.one_peer = true;
    instance.listeners.push_back({config_.local, udp_->port()});
    try {
        return host::open_kernel(tun_.name(), tun_.ifindex(), instance, config_);
    } catch (const std::runtime_error& error) {
        log::error("{}: data packets go by the daemon's own data path", error.what());
        return nullptr;
    }
}

bool Daemon::set_up(const Tunnel& tunnel) {
    if (setup_.set_up(tunnel))
        return true;
    // The next try would come to the same.
    if (!tun_.is_here())
        asio::post(context_, [this] {
            device_gone();
            settle();
        });
    return false;
}

void Daemon::take_down() {
    if (told_up_)
        tell_up_down(false);
    setup_.take_down();
}

void Daemon::connected() {
    log::info("Initialization Sequence Completed");
    if (config_.tell_up_down)
        tell_up_down(true);
}

void Daemon::tell_up_down(bool up) {
    told_up_ = up;
    surroundings_.protocol->up_down(up, management::lines_of(setup_.told()));
}

// ---- what the loop asks for

void Daemon::flush() {
    if (udp_)
        udp_->flush();
}

// The next try has an instance of its own, or does without.
void Daemon::kernel_gone(const std::string& why) {
    if (!tun_.is_here()) {
        device_gone();
        return;
    }
    log::warning("nf_ovpn on {} is gone: {}; connecting again", tun_.name(), why);
    tell(management::State::Reconnecting, "nf_ovpn");
    core_.restart(Clock::now());
}

void Daemon::device_gone() {
    if (ending_)
        return;
    log::error("the device {} is gone; ending, to be started anew", tun_.name());
    device_is_gone_ = true;
    tell(management::State::Exiting, "error");
    ending_ = true;
    reloading_ = false;
    stopping("its device is gone");
    core_.stop(Clock::now());
}

// They cannot be started again with the privileges that they had.
void Daemon::plugins_gone(const std::string& why) {
    if (ending_)
        return;
    log::error("{}; ending, to be started anew", why);
    plugins_are_gone_ = true;
    tell(management::State::Exiting, "error");
    ending_ = true;
    reloading_ = false;
    stopping("plug-ins are gone");
    core_.stop(Clock::now());
}

std::string Daemon::status_text() {
    return std::string(name_of(core_.phase()));
}

void Daemon::signalled(int signal) {
    const auto name = std::string("SIG") + sigabbrev_np(signal);
    if (signal == SIGUSR2) {
        log_status();
    } else if (signal == SIGUSR1) {
        log::info("{}: connecting again", name);
        tell(management::State::Reconnecting, name);
        core_.restart(Clock::now());
    } else if (signal == SIGHUP) {
        if (ending_ || !surroundings_.reload())
            return;
        log::info("{}: beginning anew", name);
        tell(management::State::Reconnecting, name);
        ending_ = reloading_ = true;
        core_.stop(Clock::now());
    } else {
        log::info("{}: stopping", name);
        tell(management::State::Exiting, name);
        ending_ = true;
        reloading_ = false;
        stopping("leaving");
        core_.stop(Clock::now());
    }
}

void Daemon::tell(management::State state, const std::string& reason) {
    management::StateDetails details;
    details.reason = reason;
    if (surroundings_.protocol)
        surroundings_.protocol->state(state, details);
}

void Daemon::log_status() {
    const auto report = core_.report();
    log::info("status: {}, server {}", name_of(report.phase), report.server);
    if (report.phase == Phase::Up)
        log::info("status: {}, {}, data channel {}, path {}, {} renegotiations, {} bytes received, "
                  "{} sent",
                  report.common_name, report.tls, report.cipher,
                  data_plane_->holder(*core_.peer_id()) == dataplane::Holder::Kernel ? "kernel"
                                                                                     : "daemon",
                  report.renegotiations, report.rx_bytes, report.tx_bytes);
    log::info("status: {} datagrams dropped", report.dropped);
}

} // namespace nfovpn::client
