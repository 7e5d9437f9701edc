// SPDX-License-Identifier: GPL-2.0-or-later
//
// The daemon's set-up, loop and end; see daemon.h.
//
// Order matters twice. At the start the socket is bound before the kernel's instance is attached,
// so that a second daemon on the same port fails before it touches the kernel; at the end the core
// goes first (its peers), then the instance, then the device.

#include "server/daemon.h"

#include "host/device_programs.h"
#include "host/settings.h"
#include "io/program.h"
#include "netlink/route.h"
#include "server/client_files.h"
#include "server/status.h"
#include "util/log.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <linux/netlink.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <initializer_list>
#include <sstream>
#include <utility>

namespace nfovpn::server {

namespace {

using Clock = std::chrono::steady_clock;

io::Family family(const config::ServerConfig& c) {
    if (!c.ipv6)
        return io::Family::Ipv4;
    return c.ipv6_only ? io::Family::Ipv6 : io::Family::Both;
}

// Addresses that the socket hears of; nothing for every one of both families.
std::optional<Address> listener_address(const config::ServerConfig& c) {
    if (c.local || (c.ipv6 && !c.ipv6_only))
        return c.local;
    return c.ipv6 ? Address(Ipv6{}) : Address(Ipv4{});
}

std::string name_of_socket(const config::ServerConfig& c) {
    return fmt::format("{} {} {} {} {} {}", c.tcp ? "TCP" : "UDP", static_cast<int>(family(c)),
                       c.local ? to_string(*c.local) : "*", c.port, c.mark, c.bind_device);
}

// The socket that clients come to; it is kept while the configuration has the same one.
Descriptor client_socket(host::Keeper& keeper, const config::ServerConfig& c) {
    const auto f = family(c);
    const auto name = name_of_socket(c);
    const io::SocketOptions options{c.mark, c.bind_device};
    const auto& kept = keeper.keep<Descriptor>("clients", name, [&] {
        return std::make_unique<Descriptor>(c.tcp
                                                ? TcpServer::listen(f, c.local, c.port, options)
                                                : io::UdpSocket::bind(f, c.local, c.port, options));
    });
    auto out = kept.duplicate();
    if (!out)
        throw std::system_error(errno, std::generic_category(), name);
    return out;
}

std::unique_ptr<io::UdpSocket> udp_socket(asio::io_context& context, host::Keeper& keeper,
                                          const config::ServerConfig& c) {
    if (c.tcp)
        return nullptr;
    return std::make_unique<io::UdpSocket>(context, client_socket(keeper, c));
}

// Of sessions that another process has left, the first is renegotiated after so much time, and the
// others within a span that grows with their number.
constexpr auto kFirstRenegotiation = std::chrono::seconds(1);
constexpr auto kRenegotiationSpan = std::chrono::seconds(10);
constexpr auto kRenegotiationEach = std::chrono::milliseconds(50);

// Between 0 and that.
Duration random_part(Duration span) {
    std::uint16_t random = 0;
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&random), sizeof(random)) != 1)
        random = 0;
    return span * random / 0xffff;
}

// What is not for connections: sockets, device, files, and programs with what they are told.
constexpr std::size_t kOtherDescriptors = 192;

std::unique_ptr<TcpServer> tcp_server(asio::io_context& context, host::Keeper& keeper,
                                      const config::ServerConfig& c) {
    if (!c.tcp)
        return nullptr;
    TcpLimits limits;
    limits.connections = c.max_clients + limits.connections;
    // Each connection is a descriptor.
    const auto files = host::raise_descriptor_limit(limits.connections + kOtherDescriptors);
    limits.connections =
        std::min(limits.connections, files - std::min(files - 1, kOtherDescriptors));
    if (limits.connections < c.max_clients)
        log::warning("TCP: with {} descriptors there is room for {} clients only; see "
                     "LimitNOFILE=, ulimit -n",
                     files, limits.connections);
    limits.queue = c.tcp_queue_limit;
    limits.handshake = c.hand_window;
    return std::make_unique<TcpServer>(context, client_socket(keeper, c), limits);
}

// What may still be ready to run when a daemon ends: one for each thing that it waits for, and some
// signals.
constexpr int kLastHandlers = 100;

session::PeerCertificate translate(config::PeerCertificates wanted) {
    switch (wanted) {
    case config::PeerCertificates::Required:
        return session::PeerCertificate::Required;
    case config::PeerCertificates::Optional:
        return session::PeerCertificate::Optional;
    case config::PeerCertificates::Unasked:
        return session::PeerCertificate::Unasked;
    }
    return session::PeerCertificate::Required;
}

// As OpenVPN: the server has the first address of the network, clients begin somewhat behind.
std::optional<Ipv6Pool> ipv6_pool(const config::ServerConfig& c) {
    if (!c.network6)
        return std::nullopt;
    if (c.pool6_first)
        return Ipv6Pool{Ipv6{c.address6->address}, *c.pool6_first, c.network6->length};
    const Ipv6 base{c.network6->address};
    return Ipv6Pool{base + 1, base + config::ipv6_pool_offset(*c.network6), c.network6->length};
}

std::unique_ptr<wire::AuthTokenKey> random_token_key() {
    auto out = std::make_unique<wire::AuthTokenKey>();
    if (RAND_bytes(out->writable().data(), static_cast<int>(out->writable().size())) != 1)
        throw std::runtime_error("no random bytes for the key of tokens");
    return out;
}

AuthTokenSettings token_settings(const config::ServerConfig& c, host::Keeper* keeper) {
    AuthTokenSettings out;
    if (c.token_key)
        out.key.assign(c.token_key->view());
    else if (keeper) // so that the next daemon knows the tokens of this one
        out.key.assign(keeper->keep<wire::AuthTokenKey>("token key", "", random_token_key).view());
    else
        out.key.assign(random_token_key()->view());
    out.lifetime = std::chrono::seconds(c.token_lifetime);
    // A token is shown at every renegotiation; two may be missed.
    out.renewal = 2 * (c.token_renewal > 0 ? std::chrono::seconds(c.token_renewal) : c.reneg_sec);
    return out;
}

// What all programs are told.
Environment own_environment(const config::ServerConfig& c, const std::string& device) {
    auto out = host::environment(c, device);
    const Environment own = {
        {"tun_mtu", std::to_string(c.tun_mtu)},
        {"ifconfig_local", to_string(c.address)},
        {c.other_end ? "ifconfig_remote" : "ifconfig_netmask",
         to_string(c.other_end.value_or(c.netmask))},
        {"proto_1", std::string(c.tcp ? "tcp" : "udp") + (c.ipv6 ? "6" : "")},
        {"local_port_1", std::to_string(c.port)},
    };
    out.insert(out.end(), own.begin(), own.end());
    if (c.local)
        out.emplace_back("local_1", to_string(*c.local));
    out.insert(out.end(), c.environment.begin(), c.environment.end());
    return out;
}

ScriptSettings script_settings(const config::ServerConfig& c, const std::string& device) {
    ScriptSettings out;
    out.verify_user = c.verify_user;
    out.tls_verify = c.tls_verify;
    out.password_by_environment = c.password_by_environment;
    out.connect = c.client_connect;
    out.disconnect = c.client_disconnect;
    out.learn_address = c.learn_address;
    out.directory = c.tmp_dir;
    out.environment = own_environment(c, device);
    return out;
}

PluginSettings plugin_settings(const config::ServerConfig& c, const std::string& device) {
    PluginSettings out;
    out.directory = c.tmp_dir;
    out.environment = own_environment(c, device);
    out.longest = c.hand_window;
    return out;
}

// Of a line, in words.
std::string place_of(const config::OptionChange& change) {
    if (change.line == 0)
        return "of the command line";
    return fmt::format("in line {}{}{}", change.line, change.file.empty() ? "" : " of ",
                       change.file);
}

} // namespace

std::vector<host::LaterPath> later_paths(const config::ServerConfig& c) {
    auto out = host::later_paths(c);
    out.push_back(
        {"client-config-dir", c.client_config_dir, R_OK | X_OK, "no client will be let in"});
    out.push_back({"nf-control",
                   c.control_socket.empty() ? "" : host::directory_of(c.control_socket),
                   W_OK | X_OK, "the socket will be left over at the end"});
    return out;
}

CoreSettings core_settings(const config::ServerConfig& c, host::Keeper* keeper,
                           const host::PluginProcess* plugins) {
    const auto wants = [plugins](std::initializer_list<plugin::Hook> hooks) {
        return plugins && std::any_of(hooks.begin(), hooks.end(),
                                      [plugins](auto hook) { return plugins->wants(hook); });
    };
    using plugin::Hook;
    CoreSettings s;
    host::set_negotiation(s.session.negotiation, c, c.tcp);
    s.session.negotiation.push_framing = c.push_framing;
    host::set_session(s.session, c, host::outer_headers(c.ipv6, c.tcp));
    s.session.push = c.push;
    s.session.point_to_point = c.point_to_point;
    s.only_from = c.remote;
    s.wrap = c.wrap;
    if (c.tls_crypt_v2) {
        auto v2 = std::make_shared<TlsCryptV2>();
        v2->key.assign(c.tls_crypt_v2->view());
        v2->force_cookie = c.tls_crypt_v2_force_cookie;
        v2->max_age = std::chrono::days(c.tls_crypt_v2_max_age);
        s.tls_crypt_v2 = v2;
    }
    s.unix_time_of_zero = host::unix_time_of_zero();
    s.ask_unix_time_of_zero = host::unix_time_of_zero;
    s.topology = c.topology;
    s.address = c.address;
    s.netmask = c.netmask;
    s.pool_first = c.pool_first;
    s.pool_last = c.pool_last;
    s.ipv6 = ipv6_pool(c);
    s.mss_fix = c.mss_fix;
    s.mss_fix.ahead =
        static_cast<std::uint32_t>((c.ethernet ? dataplane::kEthernetHeader : 0) +
                                   (c.fragment.limit > 0 ? dataplane::kFragmentHeader : 0));
    s.fragment = c.fragment;
    s.tcp = c.tcp;
    s.keepalive = {c.ping, c.ping_restart};
    s.max_clients = c.max_clients;
    s.duplicate_cn = c.duplicate_cn;
    const bool users =
        !c.verify_user.empty() || c.pam || c.management_client_auth || wants({Hook::VerifyUser});
    // That some plug-in is there was enough for the configuration.
    if (!users && c.client_certificates != config::PeerCertificates::Required)
        throw std::runtime_error("clients may come without a certificate, and no plug-in verifies "
                                 "users (AUTH_USER_PASS_VERIFY)");
    s.hooks_certificates = wants({Hook::TlsVerify});
    // Certificates are asked about where users are.
    if (users || !c.tls_verify.empty() ||
        wants({Hook::TlsVerify, Hook::TlsFinal, Hook::IpChange})) {
        s.users.emplace();
        s.users->required = users && !c.user_optional;
        s.users->certificates = !c.tls_verify.empty() || wants({Hook::TlsVerify, Hook::TlsFinal});
        s.users->as_common_name = c.username_as_common_name;
        if (c.gen_token && users)
            s.users->tokens = std::make_shared<const AuthTokenSettings>(token_settings(c, keeper));
    }
    s.hooks_connect =
        !c.client_connect.empty() || !c.client_disconnect.empty() ||
        (!c.point_to_point && wants({Hook::Connect, Hook::ConnectV2, Hook::Disconnect}));
    s.hooks_addresses =
        !c.learn_address.empty() || (!c.point_to_point && wants({Hook::LearnAddress}));
    if (!c.client_config_dir.empty())
        s.client_lookup = [directory = c.client_config_dir,
                           exclusive = c.ccd_exclusive](const std::string& common_name) {
            return read_client_settings(directory, exclusive, common_name);
        };
    if (c.explicit_exit_notify == 0)
        s.restart_message.clear();
    else if (c.point_to_point)
        s.restart_message = "EXIT";
    else
        s.restart_message = c.explicit_exit_notify == 2 ? "RESTART,[N]" : "RESTART";
    if (c.connect_freq_initial > 0)
        s.initial_total = {static_cast<double>(c.connect_freq_initial),
                           std::chrono::seconds(c.connect_freq_initial_seconds)};
    return s;
}

Result<session::TlsContext, session::TlsError> make_tls(const config::ServerConfig& c) {
    auto tls = host::tls_config(c, wire::Role::Server);
    tls.peer_certificate = translate(c.client_certificates);
    tls.dh = c.dh;
    return session::TlsContext::create(tls);
}

namespace {

// Of all that sessions of another process must have in common with those of this one. The lines do
// not say what is in a file, so there is besides what the keys of control packets make of a text.
SessionStore::Digest digest_of(const config::ServerConfig& config,
                               const Surroundings& surroundings) {
    const auto& lines = surroundings.digest;
    Bytes all(lines.begin(), lines.end());
    if (config.wrap) {
        const auto wrapped = config.wrap->wrap(as_bytes("the keys of sessions"), {1, 1});
        all.insert(all.end(), wrapped.begin(), wrapped.end());
    }
    SessionStore::Digest out{};
    if (EVP_Digest(all.data(), all.size(), out.data(), nullptr, EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("no SHA-256");
    return out;
}

// The first daemon of a process may find device and socket in its Keeper by that.
std::optional<SessionStore::Left> left_over(const config::ServerConfig& config,
                                            const Surroundings& surroundings) {
    if (!surroundings.store)
        return std::nullopt;
    auto& keeper = *surroundings.keeper;
    auto left = surroundings.store->take_over(digest_of(config, surroundings), config.port);
    if (!left)
        return std::nullopt;
    host::keep_device(keeper, config, std::move(left->device));
    keeper.keep<Descriptor>("clients", name_of_socket(config),
                            [&] { return std::make_unique<Descriptor>(std::move(left->socket)); });
    if (left->server.token_key)
        keeper.keep<wire::AuthTokenKey>("token key", "", [&] {
            auto key = std::make_unique<wire::AuthTokenKey>();
            key->assign(left->server.token_key->view());
            return key;
        });
    return left;
}

} // namespace

Daemon::Daemon(const std::shared_ptr<const config::ServerConfig>& config,
               const Surroundings& surroundings)
    : Daemon(config, surroundings, left_over(*config, surroundings)) {}

Daemon::Daemon(std::shared_ptr<const config::ServerConfig> config, Surroundings surroundings,
               std::optional<SessionStore::Left> left)
    : EventLoop(host::kept_device(*surroundings.keeper, *config), surroundings.service),
      config_(std::move(config)), surroundings_(std::move(surroundings)), left_(std::move(left)),
      tls_(host::require(make_tls(*config_))),
      udp_(udp_socket(context_, *surroundings_.keeper, *config_)),
      tcp_(tcp_server(context_, *surroundings_.keeper, *config_)),
      link_(config_->tcp ? static_cast<io::Link&>(*tcp_) : *udp_),
      scripts_(script_settings(*config_, tun_.name()), context_, [this] { settle(); }),
      core_(core_settings(*config_, surroundings_.keeper, surroundings_.plugins), tls_,
            open_data_plane(open_kernel()), link_, hooks()),
      status_timer_(context_), lease_timer_(context_),
      limits_({std::chrono::seconds(config_->inactive), config_->inactive_bytes,
               std::chrono::seconds(config_->session_timeout)}),
      limits_timer_(context_), route_(NETLINK_ROUTE) {
    if (config_->ethernet)
        data_plane_->set_ethernet(config_->client_to_client);
    if (config_->topology == wire::Topology::Subnet && !config_->point_to_point)
        data_plane_->set_broadcast(Ipv4{config_->address.value | ~config_->netmask.value});
    if (config_->block_ipv6) {
        const auto own = ipv6_pool(*config_);
        data_plane_->block_ipv6(own ? own->server : *parse_ipv6("fe80::7"), true);
    }
    // A wrong name would leave every client without its networks.
    if (!config_->client_config_dir.empty() &&
        !std::filesystem::is_directory(config_->client_config_dir))
        throw std::runtime_error("client-config-dir: " + config_->client_config_dir +
                                 " is no directory");
    if (surroundings_.sockets)
        management_.emplace(context_, *surroundings_.sockets, *surroundings_.protocol);
    if (surroundings_.protocol)
        management_link_.emplace(
            *surroundings_.protocol, core_, config_->status_version,
            ManagementLink::Hooks{[this] { return report(); }, [this] { settle(); }});
    keep_files();
    if (lease_file_) {
        leases_.emplace(*lease_file_, [this] { return core_.leases(); });
        const auto leases = leases_->read();
        const auto taken = core_.remember(leases, config_->pool_file_seconds == 0);
        log::info("{}: {} of {} addresses are of the pool", config_->pool_file, taken,
                  leases.size());
    }
    try {
        set_up_device();
        keep_sessions();
    } catch (const std::exception&) {
        clear_device();
        throw;
    }
    surroundings_.keeper->drop_unwanted();
}

Daemon::~Daemon() {
    if (leaving_) {
        kernel_->leave();
        return;
    }
    if (stores_)
        surroundings_.store->let_go();
    clear_device();
}

// Null if sessions can be left to another process.
const char* Daemon::why_not_kept() const {
    if (config_->tcp)
        return "connections of TCP end with it";
    if (config_->point_to_point)
        return "point-to-point";
    // What they keep of a client, they would not have any more.
    if (surroundings_.plugins)
        return "plug-ins";
    return kernel_ ? nullptr : "data packets go by the daemon's own data path";
}

void Daemon::keep_sessions() {
    auto* store = surroundings_.store;
    if (!store || !store->available())
        return;
    if (const auto* why = why_not_kept()) {
        log::info("sessions do not outlive the process: {}", why);
        store->empty();
        return;
    }
    SavedServer server;
    server.configuration = digest_of(*config_, surroundings_);
    server.device = tun_.name();
    server.ifindex = tun_.ifindex();
    auto& keeper = *surroundings_.keeper;
    if (keeper.has("token key", "")) {
        server.token_key.emplace();
        server.token_key->assign(
            keeper.keep<wire::AuthTokenKey>("token key", "", random_token_key).view());
    }
    const auto& socket = keeper.keep<Descriptor>("clients", name_of_socket(*config_),
                                                 [] { return std::make_unique<Descriptor>(); });
    stores_ = store->hold(tun_.fd(), socket.get(), server, [this](std::uint32_t id) {
        return data_plane_ && data_plane_->holder(id) == dataplane::Holder::Kernel;
    });
    if (stores_)
        core_.note_in(*store);
    resume_sessions();
}

void Daemon::resume_sessions() {
    if (!left_)
        return;
    const auto left = *std::exchange(left_, std::nullopt);
    const auto now = Clock::now();
    const auto count = static_cast<int>(left.clients.size());
    const Duration span = kRenegotiationSpan + count * kRenegotiationEach;
    std::size_t resumed = 0;
    for (const auto& client : left.clients) {
        std::optional<std::string> why = "the instance of nf_ovpn is a new one";
        if (stores_ && kernel_adopted_)
            why = core_.resume(client, now, now + kFirstRenegotiation + random_part(span));
        if (!why) {
            resumed++;
            continue;
        }
        log::warning("{}: not gone on with: {}", client.session.common_name, *why);
        surroundings_.store->drop(client);
    }
    const auto strangers = data_plane_->remove_strangers();
    log::info("{} of {} sessions of the process before go on{}", resumed, count,
              strangers == 0 ? "" : fmt::format("; {} peers without one are removed", strangers));
}

// All that has a name in the file system. It is asked for once more by each daemon.
void Daemon::keep_files() {
    auto& keeper = *surroundings_.keeper;
    const auto& c = *config_;
    keep_status();
    if (!c.pool_file.empty())
        lease_file_ = &keeper.keep<host::KeptFile>(
            "pool", c.pool_file + (c.pool_file_seconds > 0 ? " rw" : ""),
            [&] { return std::make_unique<host::KeptFile>(c.pool_file, c.pool_file_seconds > 0); });
    if (!c.control_socket.empty())
        control_.emplace(
            context_,
            keeper.keep<io::UnixListener>("control", c.control_socket,
                                          [&] {
                                              return std::make_unique<io::UnixListener>(
                                                  c.control_socket, ControlSocket::kMask,
                                                  ControlSocket::kMaxConnections);
                                          }),
            [this](const auto& words) { return control(words); });
}

void Daemon::keep_status() {
    auto& keeper = *surroundings_.keeper;
    const auto& c = *config_;
    status_file_ = nullptr;
    if (c.status_file.empty())
        keeper.drop("status");
    else
        status_file_ = &keeper.keep<host::KeptFile>("status", c.status_file, [&] {
            return std::make_unique<host::KeptFile>(c.status_file, true);
        });
    keeper.keep<host::PidFile>("pid", c.pid_file,
                               [&] { return std::make_unique<host::PidFile>(c.pid_file); });
}

ClientHooks* Daemon::hooks() {
    ClientHooks* last = &scripts_;
    bool verifies = !config_->verify_user.empty() || !config_->tls_verify.empty();
    const auto settled = [this] { settle(); };
    if (auto* plugins = surroundings_.plugins) {
        plugin_calls_.emplace(*plugins, context_, settled,
                              [this](const std::string& why) { fail(why); });
        last = &plugin_hooks_.emplace(plugin_settings(*config_, tun_.name()), *plugin_calls_, *last,
                                      verifies, context_, settled);
        verifies = verifies || plugins->wants(plugin::Hook::VerifyUser) ||
                   plugins->wants(plugin::Hook::TlsVerify) ||
                   plugins->wants(plugin::Hook::TlsFinal) || plugins->wants(plugin::Hook::IpChange);
    }
    if (surroundings_.pam) {
        last = &pam_hooks_.emplace(*surroundings_.pam, *last, verifies, context_, settled);
        verifies = true;
    }
    if (config_->management_client_auth)
        last =
            &management_hooks_.emplace(*surroundings_.protocol, *last, verifies, context_, settled);
    return last;
}

std::unique_ptr<dataplane::KernelDataPlane> Daemon::open_kernel() {
    if (!config_->kernel_data_path || config_->block_ipv6) {
        const char* why = config_->ethernet             ? "TAP"
                          : config_->fragment.limit > 0 ? "fragment"
                          : config_->tcp                ? "TCP"
                          : config_->block_ipv6         ? "block-ipv6"
                                                        : "disable-dco";
        log::info("{}: data packets go by the daemon's own data path", why);
        return nullptr;
    }
    netlink::InstanceRequest instance;
    instance.listeners.push_back({listener_address(*config_), config_->port});
    instance.one_peer = config_->point_to_point;
    if (left_) {
        device_was_there_ = true;
        if (auto kernel = host::adopt_kernel(tun_.name(), tun_.ifindex(), instance, *config_)) {
            kernel_adopted_ = true;
            return kernel;
        }
    }
    return host::open_kernel(tun_.name(), tun_.ifindex(), instance, *config_);
}

void Daemon::set_up_device() {
    tell_state(management::State::AssignIp);
    host::check(netlink::set_link_up(route_, tun_.ifindex(), config_->tun_mtu),
                tun_.name() + " up");
    // The process before has left the device as it was.
    const auto check = [this](std::optional<netlink::Error> failed, const std::string& what) {
        if (failed && failed->code == EEXIST && device_was_there_)
            failed.reset();
        host::check(failed, what);
    };
    auto add = [&](const Prefix& address) {
        check(netlink::add_address(route_, tun_.ifindex(), address),
              "address " + to_string(address) + " on " + tun_.name());
        addresses_.push_back(address);
    };
    if (config_->bridge) {
        log::info("{}: addresses are the bridge's", tun_.name());
    } else if (!config_->configure_device) {
        log::info("{}: addresses are somebody else's (ifconfig-noexec)", tun_.name());
    } else if (config_->other_end) {
        host::check(netlink::add_peer_address(route_, tun_.ifindex(), config_->address,
                                              *config_->other_end),
                    "address " + to_string(config_->address) + " on " + tun_.name());
        addresses_.push_back(ipv4_prefix(config_->address, 32));
    } else {
        add(ipv4_prefix(config_->address, prefix_length(config_->netmask).value_or(32)));
    }
    if (config_->address6 && config_->configure_device)
        add(*config_->address6);
    const bool pool_alone = config_->configure_device && !config_->address6;
    if (const auto ipv6 = pool_alone ? ipv6_pool(*config_) : std::nullopt)
        add(ipv6_prefix(ipv6->server, ipv6->length));
    if (!device_was_there_) {
        if (!call_plugins(plugin::Hook::Up, "up"))
            throw std::runtime_error("a plug-in has failed (UP)");
        if (run_device_program(config_->up, "up") != 0)
            throw std::runtime_error("up: " + config_->up.front() + " failed");
    }
    const auto routes = config_->configure_routes ? config_->routes : std::vector<config::Route>();
    if (!routes.empty())
        tell_state(management::State::AddRoutes);
    for (const auto& r : routes)
        check(netlink::add_route(route_, by_device(), r.network, r.metric),
              "route to " + to_string(r.network));
    if (!device_was_there_) {
        static_cast<void>(call_plugins(plugin::Hook::RouteUp, "route-up"));
        run_device_program(config_->route_up, "route-up");
    }
}

netlink::NextHop Daemon::by_device() const {
    netlink::NextHop out;
    out.ifindex = tun_.ifindex();
    out.table = config_->route_table;
    return out;
}

// The next daemon may have others. Routes through the device go with its addresses, or here; what
// is gone already, with the device or by somebody's hand, is no fault.
void Daemon::clear_device() {
    for (const auto& r : config_->routes)
        static_cast<void>(netlink::delete_route(route_, by_device(), r.network, r.metric));
    for (const auto& address : addresses_)
        static_cast<void>(netlink::delete_address(route_, tun_.ifindex(), address));
}

// What has failed is in the log, and answered as well; 0 if there is no program.
int Daemon::run_device_program(const std::vector<std::string>& program, const char* type) const {
    if (program.empty())
        return 0;
    auto complete = host::device_program(program, type, device_environment());
    const int status = io::run_program(std::move(complete.words), complete.environment);
    if (status > 0)
        log::warning("{}: {}: exit status {}", type, program.front(), status);
    return status;
}

// Plug-ins are told what programs of @p type are told.
bool Daemon::call_plugins(plugin::Hook hook, const char* type) const {
    auto* plugins = surroundings_.plugins;
    if (!plugins || !plugins->wants(hook))
        return true;
    auto told = host::device_program({}, type, device_environment());
    // That is for programs only.
    std::erase_if(told.environment, [](const auto& v) { return v.first == "script_type"; });
    const auto status = plugins->call_and_wait(hook, told.words, told.environment);
    if (status != plugin::Status::Success)
        log::warning("{}: a plug-in has failed", plugin::name_of(hook));
    return status == plugin::Status::Success;
}

Environment Daemon::device_environment() const {
    auto told = own_environment(*config_, tun_.name());
    const auto ipv6 = ipv6_pool(*config_);
    if (const auto own = ipv6 ? ipv6_prefix(ipv6->server, ipv6->length) : config_->address6) {
        told.emplace_back("ifconfig_ipv6_local", to_string(Ipv6{own->address}));
        told.emplace_back("ifconfig_ipv6_netbits", std::to_string(own->length));
    }
    host::RouteVariables routes(told);
    for (const auto& r : config_->routes)
        routes.add(r.network, config_->other_end, r.metric);
    return told;
}

End Daemon::run() {
    const auto local = config_->local.value_or(config_->ipv6 ? Address(Ipv6{}) : Address(Ipv4{}));
    log::info("listening on {} {}, device {}, {}", config_->tcp ? "TCP" : "UDP",
              to_string(Endpoint{local, config_->port}), tun_.name(),
              config_->point_to_point ? to_string(config_->pool_first) + " for the peer"
                                      : to_string(config_->pool_first) + " to " +
                                            to_string(config_->pool_last) + " for clients");
    if (tcp_)
        tcp_->on_disconnect([this](const Path& path) {
            core_.disconnected(path, Clock::now());
            settle();
        });
    link_.start([this](const Path& path, ByteView datagram) { received(path, datagram); },
                [this] { settle(); });
    begin(*config_, later_paths(*config_));
    if (surroundings_.plugins)
        surroundings_.plugins->confine(*config_);
    arm_status();
    arm_leases();
    arm_limits();
    tell_state(management::State::Connected, "SUCCESS");
    serve();
    // A signal that came right behind the one that ended this is not the next daemon's any more.
    for (int i = 0; i < kLastHandlers; i++) {
        context_.restart();
        if (context_.poll_one() == 0)
            break;
    }
    if (leases_ && config_->pool_file_seconds > 0)
        leases_->write();
    if (leaving_) {
        log::info("stopped; {} sessions are left to the next process", core_.noted());
        return end_;
    }
    static_cast<void>(call_plugins(plugin::Hook::RoutePreDown, "route-pre-down"));
    static_cast<void>(call_plugins(plugin::Hook::Down, "down"));
    run_device_program(config_->down, "down");
    log::info("stopped");
    return end_;
}

void Daemon::tell_state(management::State state, const std::string& reason) {
    if (!surroundings_.protocol)
        return;
    management::StateDetails details;
    details.reason = reason;
    if (state == management::State::AssignIp || state == management::State::Connected) {
        details.address = config_->address;
        if (const auto ipv6 = ipv6_pool(*config_))
            details.address6 = ipv6->server;
        else if (config_->address6)
            details.address6 = Ipv6{config_->address6->address};
    }
    if (state == management::State::Connected && config_->local)
        details.local = Endpoint{*config_->local, config_->port};
    surroundings_.protocol->state(state, details);
}

bool Daemon::finished() const {
    return ending_ && core_.finished() && scripts_.idle() &&
           (!plugin_calls_ || plugin_calls_->idle());
}

std::string Daemon::status_text() {
    const auto clients = std::to_string(core_.clients(Clock::now()).size());
    return "serving " + clients + (clients == "1" ? " client" : " clients");
}

void Daemon::signalled(int signal) {
    const auto name = std::string("SIG") + sigabbrev_np(signal);
    if (signal == SIGUSR2) {
        log_status();
    } else if (signal == SIGHUP || signal == SIGUSR1) {
        // While it stops a restart can still become one with another configuration.
        if (ending_ && (end_ == End::Stop || end_ == End::Failed || signal == SIGUSR1))
            return;
        if (signal == SIGHUP) {
            const auto again = surroundings_.reload();
            if (!again || (!ending_ && take_over(*again)))
                return;
        }
        log::info("{}: restarting", name);
        tell_state(management::State::Reconnecting, name);
        stop(signal == SIGHUP ? End::Reload : End::Restart);
    } else if (ending_ && (end_ == End::Stop || end_ == End::Failed)) {
        context_.stop();
    } else {
        log::info("{}: stopping", name);
        tell_state(management::State::Exiting, name);
        leaving_ = !ending_ && signal == SIGTERM && stores_ && core_.noted() > 0;
        stop(End::Stop);
    }
}

// What has changed is asked for anew by whoever it matters to, or told to it here. False if that is
// not enough, with the reason in the log and nothing changed.
bool Daemon::take_over(const Reloaded& again) {
    bool possible = true;
    for (const auto& change : again.changes) {
        if (config::applies_in_place(change.name))
            continue;
        possible = false;
        if (change.removed)
            log::info("SIGHUP: a restart is needed, as {} is not given any more", change.name);
        else
            log::info("SIGHUP: a restart is needed for {} {}", change.name, place_of(change));
    }
    const auto& next = *again.config;
    // Who asks whom was settled when the hooks were made.
    if (possible &&
        (surroundings_.pam || surroundings_.plugins || config_->management_client_auth) &&
        next.verify_user.empty() != config_->verify_user.empty()) {
        log::info("SIGHUP: a restart is needed for auth-user-pass-verify beside another verifier");
        possible = false;
    }
    if (!possible)
        return false;
    try {
        auto tls = host::require(make_tls(next));
        const auto settings = core_settings(next, surroundings_.keeper, surroundings_.plugins);
        if (!next.client_config_dir.empty() &&
            !std::filesystem::is_directory(next.client_config_dir))
            throw std::runtime_error("client-config-dir: " + next.client_config_dir +
                                     " is no directory");
        host::open_log(next.log, false, config_->log);
        tls_ = std::move(tls);
        core_.reconfigure(settings);
    } catch (const std::runtime_error& error) {
        log::error("{}; nothing is changed", error.what());
        return true;
    }
    config_ = again.config;
    again.taken_over();
    log::set_verb(config_->verb);
    scripts_.reconfigure(script_settings(*config_, tun_.name()));
    if (plugin_hooks_)
        plugin_hooks_->reconfigure(plugin_settings(*config_, tun_.name()));
    if (management_link_)
        management_link_->set_status_version(config_->status_version);
    try {
        keep_status();
    } catch (const std::runtime_error& error) {
        log::warning("{}", error.what());
    }
    arm_status();
    const auto clients = core_.clients(Clock::now()).size();
    log::info("SIGHUP: the configuration is applied, {} {} notice nothing", clients,
              clients == 1 ? "client" : "clients");
    return true;
}

void Daemon::arm_status() {
    status_timer_.cancel();
    if (!status_file_)
        return;
    // Once, and not again each time.
    auto failed = status_file_->write(format_openvpn_status(report(), config_->status_version));
    if (failed && failed != status_failure_)
        log::warning("status: {}", *failed);
    status_failure_ = failed;
    status_timer_.expires_after(std::chrono::seconds(config_->status_seconds));
    status_timer_.async_wait([this](const asio::error_code& error) {
        if (!error)
            arm_status();
    });
}

void Daemon::arm_leases() {
    if (!leases_ || config_->pool_file_seconds == 0)
        return;
    lease_timer_.expires_after(std::chrono::seconds(config_->pool_file_seconds));
    lease_timer_.async_wait([this](const asio::error_code& error) {
        if (error)
            return;
        leases_->write();
        arm_leases();
    });
}

void Daemon::arm_limits() {
    const auto interval = limits_.interval();
    if (!interval)
        return;
    limits_timer_.expires_after(*interval);
    limits_timer_.async_wait([this](const asio::error_code& error) {
        if (error || ending_)
            return;
        const auto now = Clock::now();
        const auto stats = data_plane_->stats();
        for (const auto& [id, which] : limits_.over(
                 core_.clients(now), stats.value_or(std::vector<dataplane::PeerStats>()), now))
            core_.kill_by_id(id, "", now, std::string("disconnected (") + which + ")");
        settle();
        arm_limits();
    });
}

void Daemon::stop(End end) {
    end_ = end;
    if (std::exchange(ending_, true))
        return;
    if (end == End::Stop || end == End::Failed)
        stopping("telling clients");
    // The next one in this process has the same key for tokens, and one in another process if that
    // is configured; then a token is good there.
    if (leaving_) {
        core_.leave(Clock::now());
        settle();
        return;
    }
    core_.shutdown(Clock::now(), end == End::Restart || end == End::Reload || !config_->gen_token ||
                                     config_->token_key);
    settle();
}

void Daemon::kernel_gone(const std::string& why) {
    fail("nf_ovpn on " + tun_.name() + " is gone: " + why);
}

void Daemon::device_gone() {
    fail("the device " + tun_.name() + " is gone");
}

// Clients are told, and whoever started this one sees that it has failed.
void Daemon::fail(const std::string& why) {
    if (ending_)
        return;
    log::error("{}; ending, to be started anew", why);
    tell_state(management::State::Exiting, "error");
    stop(End::Failed);
}

// Line by line, as whoever reads the log expects.
void Daemon::log_status() {
    std::istringstream lines(format_openvpn_status(report(), config_->status_version));
    for (std::string line; std::getline(lines, line);)
        log::info("{}", line);
}

StatusReport Daemon::report() {
    StatusReport report;
    report.title = std::string("nf-ovpnd ") + NF_OVPND_VERSION;
    report.unix_time = std::time(nullptr);
    report.kernel_path = kernel_ != nullptr;
    report.clients = core_.clients(Clock::now());
    report.half_open = core_.half_open();
    report.counters = core_.counters();
    report.send_errors = link_.send_errors();
    report.tun_errors = tun_.write_errors();
    for (std::size_t i = 0; i < dataplane::kDrops; i++) {
        const auto drop = static_cast<dataplane::Drop>(i);
        report.user_drops.push_back(
            {"drops." + std::string(dataplane::drop_name(drop)), data_plane_->dropped(drop)});
    }
    if (kernel_)
        report.kernel = kernel_->counters();
    for (auto& client : report.clients)
        client.data_path =
            data_plane_->holder(client.peer_id) == dataplane::Holder::Kernel ? "kernel" : "daemon";
    return report;
}

std::string Daemon::control(const std::vector<std::string>& words) {
    if (words.size() == 3 && words[0] == "offload" && (words[2] == "on" || words[2] == "off")) {
        auto answer = control_offload(words[1], words[2] == "on");
        settle();
        return answer;
    }
    if (words.size() == 1 && words[0] == "status")
        return format_status(report());
    return "error: not understood: offload PEER on, offload PEER off, status\n";
}

// A peer is named by its peer ID or by its common name.
std::string Daemon::control_offload(const std::string& who, bool on) {
    std::vector<ClientStatus> found;
    for (auto& client : core_.clients(Clock::now())) {
        if (client.common_name == who || std::to_string(client.peer_id) == who)
            found.push_back(std::move(client));
    }
    if (found.empty())
        return "error: no client is called so\n";
    if (found.size() > 1)
        return "error: more than one client is called so; use the peer ID\n";
    const auto& client = found.front();
    const auto to = on ? dataplane::Holder::Kernel : dataplane::Holder::User;
    if (auto failure = data_plane_->move(client.peer_id, to))
        return "error: " + failure->what + "\n";
    // What the daemon does is gone with it.
    core_.note_all();
    log::info("{} {}: data path {}", client.common_name, to_string(client.remote),
              on ? "of the kernel" : "of the daemon");
    return "ok\n";
}

} // namespace nfovpn::server
