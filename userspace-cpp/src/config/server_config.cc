// SPDX-License-Identifier: GPL-2.0-or-later
//
// What each option that only a server has does; see server_config.h, and option_table.h for all of
// them.

#include "config/server_config.h"

#include "config/option_parser.h"
#include "util/secret.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <set>
#include <utility>

namespace nfovpn::config {

namespace {

// Of one client, in one place; the server has the same limit for what all of them say.
constexpr std::size_t kMaxClientNetworks = 1000;

// OpenVPN's own limit for pools.
constexpr std::uint32_t kMaxPool = 65536;

// The network that an address with its prefix length is in; nothing if the word is none.
std::optional<Prefix> ipv6_network(const std::string& word) {
    const auto slash = word.find('/');
    const auto address = parse_ipv6(std::string_view(word).substr(0, slash));
    if (slash == std::string::npos || !address)
        return parse_ipv6_prefix(word);
    int length = -1;
    const char* end = word.data() + word.size();
    const auto [at, code] = std::from_chars(word.data() + slash + 1, end, length);
    if (code != std::errc{} || at != end || length < 0 || length > 128)
        return std::nullopt;
    auto bytes = address->bytes;
    for (int bit = length; bit < 128; bit++)
        bytes[static_cast<std::size_t>(bit / 8)] &=
            static_cast<std::uint8_t>(~(0x80U >> (bit % 8)));
    return ipv6_prefix(Ipv6{bytes}, length);
}

class ServerParser final : public OptionParser {
public:
    ServerParser(const FileReader& reader, ParsedConfig& out)
        : OptionParser(Role::Server, reader, out.config, out), config_(out.config) {}

    using OptionParser::run;

private:
    ServerConfig& config() { return config_; }

    [[nodiscard]] std::span<const HandlerOf> role_handlers() const override;
    void flag(const Directive& d) override;
    void number_option(const Directive& d) override;
    void finish() override;
    [[nodiscard]] bool point_to_point() const override { return config_.point_to_point; }
    void foreign_option(const Directive& d);
    void local(const Directive& d);
    void finish_transport();
    void finish_addresses();
    void finish_addresses6();
    void finish_point_to_point();
    void finish_framing();
    void finish_users();
    void finish_gateways();
    [[nodiscard]] std::vector<std::string> own_pushes() const;

    void bind(const Directive& d);
    void proto(const Directive& d);
    void mode(const Directive& d);
    void server(const Directive& d);
    void server_bridge(const Directive& d);
    void server_ipv6(const Directive& d);
    void finish_ethernet();
    void remote(const Directive& d);
    void ifconfig(const Directive& d);
    void ifconfig_ipv6(const Directive& d);
    void ifconfig_pool(const Directive& d);
    void ifconfig_ipv6_pool(const Directive& d);
    void topology(const Directive& d);
    void route(const Directive& d);
    std::optional<Network> route_network(const Directive& d);
    bool is_inside(const std::string& word);
    void route_ipv6(const Directive& d);
    void push(const Directive& d);
    void dh(const Directive& d);
    void tls_crypt_v2(const Directive& d);
    void verify_client_cert(const Directive& d);
    void program(const Directive& d);
    void auth_user_pass_verify(const Directive& d);
    void plugin(const Directive& d) override;
    void auth_gen_token(const Directive& d);
    void auth_gen_token_secret(const Directive& d);
    void keepalive(const Directive& d);
    void client_config_dir(const Directive& d);
    void connect_freq_initial(const Directive& d);
    void ifconfig_pool_persist(const Directive& d);
    void status(const Directive& d);
    void nf_control(const Directive& d);

    ServerConfig& config_;
    std::vector<std::size_t> routes_without_metric_;
    std::optional<Directive> proto_;
    std::optional<Directive> ipv6_only_;
    std::optional<Directive> server_;
    std::optional<Network> server_network_;
    std::optional<Directive> ifconfig_;
    std::optional<Directive> topology_;
    std::optional<Directive> bridge_;
    std::optional<Directive> client_to_client_;
    std::optional<Directive> pool6_;
    std::optional<Directive> local_;
    std::vector<std::string> foreign_options_;
    std::vector<Ipv4> gateways_; ///< of routes, which must be inside
    std::optional<Prefix> pool6_prefix_;
    std::vector<std::string> keepalive_pushes_;
    std::optional<Directive> pushed_topology_;
    std::optional<Directive> remote_;
    std::optional<std::uint32_t> keepalive_timeout_;
    std::optional<Directive> pool_persist_;
    bool has_pool_ = false;
    bool default_pool_ = true;
    bool mode_server_ = false;
    bool tls_server_ = false;
    std::optional<Framing> pushed_framing_;
    std::optional<Directive> framing_push_;
};

constexpr const char* kBadIpv6 = "not an IPv6 network with its prefix length: \"";
constexpr const char* kFramings = "of compress: stub, stub-v2 and others; of comp-lzo: no and yes";

std::span<const OptionParser::HandlerOf> ServerParser::role_handlers() const {
    // Of every option that the table has as supported for a server alone.
    static const HandlerOf kOfRole[] = {
        {"port", handler(&ServerParser::number_option)},
        {"lport", handler(&ServerParser::number_option)},
        {"proto", handler(&ServerParser::proto)},
        {"proto-force", handler(&ServerParser::proto)},
        {"bind", handler(&ServerParser::bind)},
        {"mode", handler(&ServerParser::mode)},
        {"tls-server", handler(&ServerParser::flag)},
        {"server", handler(&ServerParser::server)},
        {"server-bridge", handler(&ServerParser::server_bridge)},
        {"server-ipv6", handler(&ServerParser::server_ipv6)},
        {"remote", handler(&ServerParser::remote)},
        {"ifconfig", handler(&ServerParser::ifconfig)},
        {"ifconfig-ipv6", handler(&ServerParser::ifconfig_ipv6)},
        {"ifconfig-pool", handler(&ServerParser::ifconfig_pool)},
        {"ifconfig-ipv6-pool", handler(&ServerParser::ifconfig_ipv6_pool)},
        {"ifconfig-pool-persist", handler(&ServerParser::ifconfig_pool_persist)},
        {"topology", handler(&ServerParser::topology)},
        {"route", handler(&ServerParser::route)},
        {"local", handler(&ServerParser::local)},
        {"dhcp-option", handler(&ServerParser::foreign_option)},
        {"dns", handler(&ServerParser::foreign_option)},
        {"ifconfig-noexec", handler(&ServerParser::flag)},
        {"route-noexec", handler(&ServerParser::flag)},
        {"tls-verify", handler(&ServerParser::program)},
        {"route-ipv6", handler(&ServerParser::route_ipv6)},
        {"push", handler(&ServerParser::push)},
        {"client-config-dir", handler(&ServerParser::client_config_dir)},
        {"ccd-exclusive", handler(&ServerParser::flag)},
        {"max-clients", handler(&ServerParser::number_option)},
        {"duplicate-cn", handler(&ServerParser::flag)},
        {"client-to-client", handler(&ServerParser::flag)},
        {"connect-freq-initial", handler(&ServerParser::connect_freq_initial)},
        {"dh", handler(&ServerParser::dh)},
        {"tls-crypt-v2", handler(&ServerParser::tls_crypt_v2)},
        {"tls-crypt-v2-max-age", handler(&ServerParser::number_option)},
        {"verify-client-cert", handler(&ServerParser::verify_client_cert)},
        {"keepalive", handler(&ServerParser::keepalive)},
        {"explicit-exit-notify", handler(&ServerParser::number_option)},
        {"status", handler(&ServerParser::status)},
        {"nf-control", handler(&ServerParser::nf_control)},
        {"auth-user-pass-verify", handler(&ServerParser::auth_user_pass_verify)},
        {"auth-user-pass-optional", handler(&ServerParser::flag)},
        {"username-as-common-name", handler(&ServerParser::flag)},
        {"auth-gen-token", handler(&ServerParser::auth_gen_token)},
        {"auth-gen-token-secret", handler(&ServerParser::auth_gen_token_secret)},
        {"client-connect", handler(&ServerParser::program)},
        {"client-disconnect", handler(&ServerParser::program)},
        {"learn-address", handler(&ServerParser::program)},
        {"status-version", handler(&ServerParser::number_option)},
        {"management-client-auth", handler(&ServerParser::flag)},
    };
    return kOfRole;
}

// For the programs of the server itself.
void ServerParser::foreign_option(const Directive& d) {
    std::string text = d.name;
    for (const auto& word : d.args)
        text += " " + word;
    foreign_options_.push_back(text);
}

// Since 2.7 a port may follow, and a protocol.
void ServerParser::local(const Directive& d) {
    if (local_ && local_->args != d.args)
        error(d, "there is one socket, and this is the second address",
              "one local for each server, or none for every address");
    local_ = d;
    OptionParser::local(d);
    if (d.args.size() > 1) {
        if (const auto port = number(d, 1, 1, 65535))
            config().port = static_cast<std::uint16_t>(*port);
    }
    if (d.args.size() > 2)
        proto({"proto", {d.args[2]}, false, d.line, d.file});
}

void ServerParser::bind(const Directive& d) {
    if (d.args.empty())
        return;
    if (only(d, "ipv6only", "\"" + d.args[0] + "\" is not understood"))
        ipv6_only_ = d;
}

// As OpenVPN: "udp" is IPv4 unless the address is of IPv6, "udp6" is both unless that is forbidden.
void ServerParser::finish_transport() {
    auto& c = config();
    const std::string proto = proto_ ? proto_->args[0] : "udp";
    const bool only4 = proto.find('4') != std::string::npos;
    const bool both = proto.find('6') != std::string::npos;
    c.tcp = proto.starts_with("tcp");
    const std::string kind = c.tcp ? "use proto tcp" : "use proto udp";
    const auto& known = c.local ? c.local : c.remote;
    c.ipv6 = both || (known && !known->is_ipv4());
    c.ipv6_only = ipv6_only_.has_value();
    if (only4 && c.ipv6)
        error(*proto_, std::string(c.local ? "local" : "remote") + " is an IPv6 address",
              kind + "6");
    if (both && c.local && c.local->is_ipv4())
        error(*proto_, "local is an IPv4 address", kind + "4");
    if (c.ipv6_only && !c.ipv6) {
        warn(*ipv6_only_, "ignored: the transport is IPv4", kind + "6");
        c.ipv6_only = false;
    }
    if (!c.tcp)
        return;
    if (c.fragment.limit > 0)
        error("fragment is for datagrams, and TCP has none", "proto udp");
    // The kernel's data path is one for datagrams.
    c.kernel_data_path = false;
    if (fastpath_)
        warn(*fastpath_, "ignored: with TCP the daemon's own data path is used");
}

const NumberOption<ServerConfig> kNumberOptions[] = {
    {"port", 1, 65535, [](auto& c, auto v) { c.port = static_cast<std::uint16_t>(v); }},
    {"lport", 1, 65535, [](auto& c, auto v) { c.port = static_cast<std::uint16_t>(v); }},
    {"max-clients", 1, 0xffffff, [](auto& c, auto v) { c.max_clients = std::min(v, kMaxPool); }},
    {"tls-crypt-v2-max-age", 1, 36500, [](auto& c, auto v) { c.tls_crypt_v2_max_age = v; }},
    {"explicit-exit-notify", 0, 0x7fffffff,
     [](auto& c, auto v) {
         c.explicit_exit_notify = static_cast<int>(std::min(v, std::uint32_t{3}));
     }},
    {"status-version", 1, 3, [](auto& c, auto v) { c.status_version = static_cast<int>(v); }},
};

void ServerParser::number_option(const Directive& d) {
    if (!set_number<ServerConfig>(kNumberOptions, d, config()))
        OptionParser::number_option(d);
}

void ServerParser::proto(const Directive& d) {
    static const std::set<std::string_view> kKnown = {
        "udp", "udp4", "udp6", "tcp", "tcp4", "tcp6", "tcp-server", "tcp4-server", "tcp6-server"};
    const auto& p = d.args[0];
    if (kKnown.contains(p))
        proto_ = d;
    else if (p.starts_with("tcp") && p.ends_with("-client"))
        error(d, "only the server's side is here", "use proto tcp-server");
    else
        error(d, "\"" + p + "\" is no transport protocol", "use proto udp or proto tcp");
}

void ServerParser::mode(const Directive& d) {
    mode_server_ = d.args[0] == "server";
    if (!mode_server_ && d.args[0] != "p2p")
        error(d, "\"" + d.args[0] + "\" is not understood", "server or p2p");
}

void ServerParser::flag(const Directive& d) {
    if (d.name == "tls-server")
        tls_server_ = true;
    else if (d.name == "ifconfig-noexec")
        config().configure_device = false;
    else if (d.name == "route-noexec")
        config().configure_routes = false;
    else if (d.name == "duplicate-cn")
        config().duplicate_cn = true;
    else if (d.name == "ccd-exclusive")
        config().ccd_exclusive = true;
    else if (d.name == "auth-user-pass-optional")
        config().user_optional = true;
    else if (d.name == "username-as-common-name")
        config().username_as_common_name = true;
    else if (d.name == "client-to-client")
        client_to_client_ = d;
    else if (d.name == "management-client-auth")
        config().management_client_auth = true;
    else
        OptionParser::flag(d);
}

void ServerParser::server(const Directive& d) {
    if (d.args.size() == 3 && d.args[2] != "nopool") {
        error(d, "\"" + d.args[2] + "\" is not understood here", "only nopool may follow");
        return;
    }
    default_pool_ = d.args.size() < 3;
    auto net = network(d, 0);
    if (!net)
        return;
    int length = *prefix_length(net->netmask);
    if (length > 29 || length < 16) {
        error(d, "the network must have between 8 and 65536 addresses",
              "a netmask from 255.255.0.0 to 255.255.255.248");
        return;
    }
    server_ = d;
    server_network_ = net;
}

// The device is part of a bridge, whose address is the clients' gateway.
void ServerParser::server_bridge(const Directive& d) {
    if (d.args.size() != 4) {
        error(d, "clients get their addresses from this server and not by DHCP",
              "server-bridge GATEWAY NETMASK FIRST LAST");
        return;
    }
    const auto gateway = address(d, 0);
    const auto mask = address(d, 1);
    const auto first = address(d, 2);
    const auto last = address(d, 3);
    if (!gateway || !mask || !first || !last)
        return;
    if (prefix_length(*mask).value_or(32) > 30) {
        error(d, d.args[1] + " is not a netmask of a network with clients");
        return;
    }
    if (last->value < first->value || last->value - first->value >= kMaxPool) {
        error(d, "the pool is empty, or has more than " + std::to_string(kMaxPool) + " addresses");
        return;
    }
    auto& c = config();
    c.address = *gateway;
    c.netmask = *mask;
    c.pool_first = *first;
    c.pool_last = *last;
    c.bridge = true;
    has_pool_ = true;
    default_pool_ = false;
    bridge_ = d;
}

void ServerParser::server_ipv6(const Directive& d) {
    auto network = ipv6_network(d.args[0]);
    if (!network)
        error(d, kBadIpv6 + d.args[0] + "\"");
    else if (network->length < 64 || network->length > 124)
        error(d, "the prefix length must be from 64 to 124");
    else
        config().network6 = network;
}

void ServerParser::ifconfig(const Directive& d) {
    auto own = address(d, 0);
    auto second = address(d, 1);
    if (!own || !second)
        return;
    config().address = *own;
    config().netmask = *second; // or the other end's address, see finish_addresses()
    ifconfig_ = d;
}

void ServerParser::ifconfig_ipv6(const Directive& d) {
    std::vector<std::string> text = {d.name};
    for (const auto& word : d.args)
        text[0] += " " + word;
    const auto parsed = wire::parse_pushed_options(text);
    if (parsed && parsed->address6)
        config().address6 = ipv6_prefix(*parsed->address6, parsed->length6);
    else
        error(d, "not an address with its prefix length", "ifconfig-ipv6 fd00:8::1/64 fd00:8::2");
}

void ServerParser::remote(const Directive& d) {
    remote_ = d;
    config().remote = parse_address(d.args[0]);
    if (!config().remote)
        error(d, "\"" + d.args[0] + "\" is neither an IPv4 nor an IPv6 address",
              "without it the peer may be anywhere, and needs its certificate all the same");
}

void ServerParser::ifconfig_pool(const Directive& d) {
    auto first = address(d, 0);
    auto last = address(d, 1);
    if (!first || !last)
        return;
    if (*first > *last || last->value - first->value >= kMaxPool) {
        error(d, "the pool must go upwards and have at most 65536 addresses");
        return;
    }
    config().pool_first = *first;
    config().pool_last = *last;
    has_pool_ = true;
}

// Its first address, and the length of the network's prefix.
void ServerParser::ifconfig_ipv6_pool(const Directive& d) {
    const auto slash = d.args[0].find('/');
    const auto first = parse_ipv6(std::string_view(d.args[0]).substr(0, slash));
    std::uint32_t length = 64;
    if (slash != std::string::npos) {
        const auto read =
            number({d.name, {d.args[0].substr(slash + 1)}, false, d.line, d.file}, 0, 64, 124);
        if (!read)
            return;
        length = *read;
    }
    if (!first) {
        error(d, "not an IPv6 address with its prefix length",
              "ifconfig-ipv6-pool fd00:8::1000/64");
        return;
    }
    pool6_ = d;
    pool6_prefix_ = ipv6_prefix(*first, static_cast<int>(length));
}

void ServerParser::topology(const Directive& d) {
    topology_ = d;
    auto& topology = config().topology;
    if (d.args[0] == "p2p")
        topology = wire::Topology::P2p;
    else if (d.args[0] == "net30")
        topology = wire::Topology::Net30;
    else if (d.args[0] != "subnet")
        error(d, "\"" + d.args[0] + "\" is not understood", "topology subnet");
}

void ServerParser::route(const Directive& d) {
    auto net = route_network(d);
    if (!net)
        return;
    Route out{ipv4_prefix(net->network, *prefix_length(net->netmask)), 0};
    // On a device without neighbours it does not matter which address it is.
    const bool inside = d.args.size() > 2 && is_inside(d.args[2]);
    if (d.args.size() > 2 && !inside && d.args[2] != "vpn_gateway" && d.args[2] != "default") {
        error(d, "routes lead to the tunnel, without a gateway", "use vpn_gateway");
        return;
    }
    if (d.args.size() > 3 && d.args[3] != "default") {
        auto metric = number(d, 3, 0, 0x7fffffff);
        if (!metric)
            return;
        out.metric = *metric;
    } else {
        routes_without_metric_.push_back(config().routes.size());
    }
    config().routes.push_back(out);
}

// Of the private networks: behind the device, as far as can be told here.
bool ServerParser::is_inside(const std::string& word) {
    const auto address = parse_ipv4(word);
    if (!address)
        return false;
    gateways_.push_back(*address);
    return true;
}

// A name is looked up now; of a network the host's part is left out.
std::optional<Network> ServerParser::route_network(const Directive& d) {
    auto plain = d;
    if (!parse_ipv4(d.args[0])) {
        const auto found = look_up(d.args[0], true);
        if (!found) {
            warn(d, "ignored: \"" + d.args[0] + "\" is no address, and no name of one");
            return std::nullopt;
        }
        plain.args[0] = to_string(found->ipv4());
    }
    const auto base = parse_ipv4(plain.args[0]);
    const auto mask = plain.args.size() > 1 ? parse_ipv4(plain.args[1]) : std::nullopt;
    if (mask && prefix_length(*mask) && (base->value & ~mask->value) != 0) {
        plain.args[0] = to_string(Ipv4{base->value & mask->value});
        warn(d, d.args[0] + " is not the first address of its network, which is " + plain.args[0]);
    }
    if (plain.args.size() > 1 && plain.args[1] == "default")
        plain.args[1] = "255.255.255.255";
    return network(plain, 0);
}

void ServerParser::route_ipv6(const Directive& d) {
    auto network = parse_ipv6_prefix(d.args[0]);
    if (!network) {
        error(d, kBadIpv6 + d.args[0] + "\"");
        return;
    }
    if (d.args.size() > 1 && d.args[1] != "default") {
        error(d, "routes lead to the tunnel, without a gateway", "use default");
        return;
    }
    Route out{*network, 0};
    if (d.args.size() > 2 && d.args[2] != "default") {
        auto metric = number(d, 2, 0, 0x7fffffff);
        if (!metric)
            return;
        out.metric = *metric;
    } else {
        routes_without_metric_.push_back(config().routes.size());
    }
    config().routes.push_back(out);
}

// Why an option cannot be pushed; nothing if it can.
std::optional<std::string> push_objection(const std::string& option) {
    if (option.empty() || option.find(',') != std::string::npos)
        return "a pushed option must not be empty or hold a comma";
    return std::nullopt;
}

// What clients are told in any case, by what was negotiated with each of them.
bool is_pushed_anyway(const std::string& option) {
    const auto name = option.substr(0, option.find(' '));
    static const std::set<std::string_view> kNames = {
        "cipher",  "tun-mtu",        "compress",       "comp-lzo",         "ifconfig",
        "peer-id", "protocol-flags", "key-derivation", "push-continuation"};
    return kNames.contains(name);
}

void ServerParser::push(const Directive& d) {
    const auto& option = d.args[0];
    if (option.empty()) {
        warn(d, "ignored: there is nothing to push");
        return;
    }
    // The topology is pushed anyway; sample configurations say it too.
    if (option.starts_with("topology ")) {
        pushed_topology_ = d;
        config().push.push_back(option);
        return;
    }
    auto name = option.substr(0, option.find(' '));
    if (name == "compress" || name == "comp-lzo") {
        auto word = option.size() > name.size() ? option.substr(name.size() + 1) : "";
        auto framing = framing_of(name, word);
        if (!framing)
            error(d, "\"" + word + "\" is not understood", kFramings);
        else if (may_be_compressed(*framing))
            warn(d,
                 "left out: nothing is compressed; clients that are set to compress are asked "
                 "to stop",
                 "remove it");
        else if (*framing != Framing::None) {
            pushed_framing_ = framing;
            config().push.push_back(option);
        }
        framing_push_ = d;
    } else if (is_pushed_anyway(option)) {
        warn(d, "left out: each client is told what was negotiated with it", "remove it");
    } else if (auto objection = push_objection(option)) {
        error(d, *objection);
    } else {
        config().push.push_back(option);
    }
}

void ServerParser::dh(const Directive& d) {
    config().dh.clear();
    if (d.is_inline || d.args[0] != "none")
        config().dh = contents(d).value_or("");
}

void ServerParser::tls_crypt_v2(const Directive& d) {
    if (d.args.size() > 1 && d.args[1] != "force-cookie" && d.args[1] != "allow-noncookie") {
        error(d, "\"" + d.args[1] + "\" is not understood",
              "force-cookie or allow-noncookie may follow");
        return;
    }
    auto text = contents(d);
    if (!text)
        return;
    config().tls_crypt_v2 = wire::parse_tls_crypt_v2_key(*text);
    wipe(*text);
    config().tls_crypt_v2_force_cookie = d.args.size() > 1 && d.args[1] == "force-cookie";
    if (!config().tls_crypt_v2)
        error(d, "there is no server's key in it",
              "openvpn --genkey tls-crypt-v2-server FILE makes one");
}

void ServerParser::verify_client_cert(const Directive& d) {
    auto& wanted = config().client_certificates;
    const auto word = d.args.empty() ? "require" : d.args[0];
    if (word == "require")
        wanted = PeerCertificates::Required;
    else if (word == "optional")
        wanted = PeerCertificates::Optional;
    else if (word == "none")
        wanted = PeerCertificates::Unasked;
    else
        error(d, "\"" + word + "\" is not understood", "require, optional or none");
}

void ServerParser::program(const Directive& d) {
    auto& c = config();
    auto& out = d.name == "client-connect"      ? c.client_connect
                : d.name == "client-disconnect" ? c.client_disconnect
                : d.name == "tls-verify"        ? c.tls_verify
                                                : c.learn_address;
    out = command(d);
}

void ServerParser::auth_user_pass_verify(const Directive& d) {
    config().verify_user = command(d);
    const auto method = d.args.size() > 1 ? d.args[1] : "";
    config().password_by_environment = method == "via-env";
    if (method != "via-env" && method != "via-file")
        error(d, "how the program gets the password is missing", "via-file may follow");
}

void ServerParser::auth_gen_token(const Directive& d) {
    auto& c = config();
    c.gen_token = true;
    if (!d.args.empty()) {
        if (auto lifetime = number(d, 0, 0, 1U << 30))
            c.token_lifetime = *lifetime;
    }
    if (d.args.size() > 1) {
        if (auto renewal = number(d, 1, 0, 1U << 30))
            c.token_renewal = *renewal;
    }
    if (d.args.size() > 2)
        error(d, "tokens are verified here, not by " + d.args[2]);
}

void ServerParser::auth_gen_token_secret(const Directive& d) {
    auto text = contents(d);
    if (!text)
        return;
    auto key = wire::parse_auth_token_key(*text);
    wipe(*text);
    if (key)
        config().token_key = std::move(*key);
    else
        error(d, "there is no key for tokens in it", "openvpn --genkey auth-token FILE makes one");
}

// The one plug-in that many have is done here, by its options, but for one-time passwords.
void ServerParser::plugin(const Directive& d) {
    const auto& module = d.args[0];
    const bool is_pam = module.substr(module.rfind('/') + 1) == "openvpn-plugin-auth-pam.so";
    const auto one_time = [](const std::string& word) {
        return word.find("OTP") != std::string::npos;
    };
    if (!is_pam || std::any_of(d.args.begin() + 1, d.args.end(), one_time)) {
        OptionParser::plugin(d);
        return;
    }
    const auto words = plugin_words(d);
    if (!words)
        return;
    if (words->empty() || words->front().empty()) {
        error(d, "no service of PAM is named", "plugin openvpn-plugin-auth-pam.so SERVICE");
        return;
    }
    if (words->size() % 2 == 0) {
        error(d, "the last prompt has no answer",
              "plugin openvpn-plugin-auth-pam.so \"SERVICE login USERNAME password PASSWORD\"");
        return;
    }
    if (config().pam) {
        error(d, "PAM verifies users already");
        return;
    }
    PamConfig pam;
    pam.service = words->front();
    for (std::size_t i = 1; i < words->size(); i += 2)
        pam.prompts.push_back({(*words)[i], (*words)[i + 1]});
    config().pam = std::move(pam);
    config().starts_helper = true;
}

// What depends on users being verified at all, and on programs being allowed to run.
void ServerParser::finish_users() {
    auto& c = config();
    finish_scripts(c.password_by_environment);
    if (c.client_certificates == PeerCertificates::Unasked && !c.fingerprints.empty())
        error("fingerprints of certificates that no client is asked for",
              "remove verify-client-cert none, or peer-fingerprint");
    if (!seen("auth-user-pass-verify") && !seen("plugin") && !c.management_client_auth) {
        for (const char* name :
             {"auth-user-pass-optional", "username-as-common-name", "auth-gen-token"}) {
            if (seen(name) && name == std::string_view("auth-gen-token"))
                warn("auth-gen-token: ignored without anybody to verify users", "");
            else if (seen(name))
                error(std::string(name) + " without anybody to verify users",
                      "auth-user-pass-verify PROGRAM via-file");
        }
        if (c.client_certificates != PeerCertificates::Required)
            error("clients may come without a certificate, and nobody verifies users",
                  "auth-user-pass-verify PROGRAM via-file");
        return;
    }
    if (c.client_certificates != PeerCertificates::Required && c.user_optional)
        error("clients may come without certificate and without user name", "");
    if (c.client_certificates != PeerCertificates::Required && !c.username_as_common_name)
        warn("clients without a certificate are all of the name UNDEF", "username-as-common-name");
}

// Past the tunnel this server sets no routes.
void ServerParser::finish_gateways() {
    const auto& c = config_;
    const auto mask =
        c.netmask.value == 0 && server_network_ ? server_network_->netmask : c.netmask;
    for (const auto gateway : gateways_) {
        const bool inside = (gateway.value & mask.value) == (c.address.value & mask.value);
        if (!inside && gateway != c.other_end)
            error("route: the gateway " + to_string(gateway) + " is not inside the tunnel",
                  "use vpn_gateway, or ip route");
    }
}

void ServerParser::client_config_dir(const Directive& d) {
    config().client_config_dir = d.args[0];
}

void ServerParser::keepalive(const Directive& d) {
    auto interval = number(d, 0, 1, 86400);
    auto timeout = number(d, 1, 1, 43200);
    if (!interval || !timeout)
        return;
    if (*timeout < 2 * *interval) {
        error(d, "the second number must be at least twice the first");
        return;
    }
    // As OpenVPN's macro: the server waits twice as long as its clients, so they notice first.
    config().ping = *interval;
    config().ping_restart = 2 * *timeout;
    keepalive_timeout_ = *timeout;
    keepalive_pushes_ = {"ping " + d.args[0], "ping-restart " + d.args[1]};
}

void ServerParser::connect_freq_initial(const Directive& d) {
    auto count = number(d, 0, 1, 1U << 24);
    auto period = number(d, 1, 1, 86400);
    if (!count || !period)
        return;
    config().connect_freq_initial = *count;
    config().connect_freq_initial_seconds = *period;
}

void ServerParser::ifconfig_pool_persist(const Directive& d) {
    pool_persist_ = d;
    config().pool_file = d.args[0];
    if (d.args.size() > 1) {
        if (auto every = number(d, 1, 0, std::numeric_limits<std::int32_t>::max()))
            config().pool_file_seconds = *every;
    }
}

void ServerParser::status(const Directive& d) {
    config().status_file = d.args[0];
    if (d.args.size() > 1) {
        // Never but by SIGUSR2, as with OpenVPN.
        if (auto every = number(d, 1, 0, 86400); every && *every == 0)
            config().status_file.clear();
        else if (every)
            config().status_seconds = *every;
    }
}

void ServerParser::nf_control(const Directive& d) {
    if (is_socket_path(d))
        config().control_socket = d.args[0];
}

// One peer, that nothing is pushed to.
void ServerParser::finish_point_to_point() {
    auto& c = config();
    for (const char* name : {"ifconfig-pool",
                             "ifconfig-pool-persist",
                             "push",
                             "client-config-dir",
                             "ccd-exclusive",
                             "max-clients",
                             "duplicate-cn",
                             "client-to-client",
                             "connect-freq-initial",
                             "client-connect",
                             "client-disconnect",
                             "learn-address",
                             "auth-user-pass-verify",
                             "plugin",
                             "auth-user-pass-optional",
                             "username-as-common-name",
                             "auth-gen-token",
                             "verify-client-cert",
                             "management-client-auth",
                             "ifconfig-ipv6-pool"}) {
        if (seen(name) && (name != std::string_view("plugin") || c.pam))
            error(std::string(name) + " is for a server with many clients",
                  "server NETWORK NETMASK");
    }
    if (keepalive_timeout_)
        c.ping_restart = *keepalive_timeout_;
    c.push.clear();
    c.max_clients = 1;
    if (!seen("explicit-exit-notify"))
        c.explicit_exit_notify = 0;
    if (topology_ && c.topology == wire::Topology::Subnet)
        error(*topology_, "a point-to-point tunnel has two addresses and no network",
              "topology p2p, and ifconfig LOCAL REMOTE");
    if (!ifconfig_) {
        if (!seen("ifconfig"))
            error("no addresses are given",
                  "ifconfig LOCAL REMOTE for one peer, server NETWORK NETMASK for many clients");
        return;
    }
    c.topology = wire::Topology::P2p;
    c.pool_first = c.pool_last = std::exchange(c.netmask, Ipv4{0xffffffff});
    c.other_end = c.pool_first;
    if (prefix_length(c.pool_first))
        error(*ifconfig_, to_string(c.pool_first) + " is a netmask and not the peer's address",
              "ifconfig LOCAL REMOTE");
    else if (c.pool_first == c.address)
        error(*ifconfig_, "both ends have the same address");
}

// ifconfig-ipv6 and its pool, or server-ipv6, which is both.
void ServerParser::finish_addresses6() {
    auto& c = config();
    if (pool6_ && c.network6) {
        error(*pool6_, "server-ipv6 sets it", "remove one of them");
    } else if (pool6_ && !c.address6) {
        if (!seen("ifconfig-ipv6"))
            error(*pool6_, "the device has no IPv6 address",
                  "ifconfig-ipv6 fd00:8::1/64 fd00:8::2");
    } else if (pool6_) {
        c.pool6_first = Ipv6{pool6_prefix_->address};
        c.network6 = pool6_prefix_;
    }
}

// A TAP device carries frames: its addresses are those of a network, or of the bridge.
void ServerParser::finish_ethernet() {
    auto& c = config();
    c.client_to_client = client_to_client_.has_value();
    if (client_to_client_ && !c.ethernet)
        warn(*client_to_client_,
             "packets between clients pass the kernel's FORWARD rules, which decide");
    if (bridge_ && !c.ethernet)
        error(*bridge_, "a bridge takes frames, and a TUN device has packets", "dev tap");
    if (bridge_ && (server_ || ifconfig_))
        error(*bridge_, "the bridge has the address", "remove server and ifconfig");
    if (!c.ethernet)
        return;
    if (c.point_to_point)
        error("a TAP device between two peers is not supported", "server-bridge, or server");
    c.topology = wire::Topology::Subnet;
    if (!c.learn_address.empty())
        error("learn-address is not asked about the MAC addresses of a TAP device",
              "remove it, and filter addresses by rules of the bridge");
    if (!c.routes.empty())
        error("a route by a TAP device needs a gateway", "set it in route-up, by ip route");
}

void ServerParser::finish_addresses() {
    auto& c = config();
    if (c.point_to_point) {
        finish_point_to_point();
        return;
    }
    if (remote_)
        error(*remote_, "a server's clients come from anywhere", "remove it");
    finish_addresses6();
    const bool subnet = c.topology == wire::Topology::Subnet;
    if (ifconfig_ && subnet && prefix_length(c.netmask).value_or(32) > 30) {
        error(*ifconfig_, ifconfig_->args[1] + " is not a netmask of a network with clients",
              "with topology subnet the second word is a netmask");
        return;
    }
    if (ifconfig_ && !subnet) {
        if (prefix_length(c.netmask))
            error(*ifconfig_, ifconfig_->args[1] + " is a netmask and not an address",
                  "with topology p2p and net30 the second word is the device's other end");
        c.other_end = std::exchange(c.netmask, Ipv4{0});
    }
    if (server_ && has_pool_ && default_pool_) {
        error(*server_, "sets ifconfig-pool itself, and the file has one",
              "remove that one; server … nopool leaves the pool to ifconfig-pool");
        return;
    }
    // OpenVPN has server overwrite it, too.
    const auto written = ifconfig_ && server_ ? std::optional(c.address) : std::nullopt;
    if (server_network_) {
        auto base = server_network_->network.value;
        auto broadcast = base | ~server_network_->netmask.value;
        c.address = Ipv4{base + 1};
        c.netmask = server_network_->netmask;
        c.other_end.reset();
        if (!subnet) {
            // As OpenVPN: the device has another end, and a route to the clients.
            c.other_end = Ipv4{base + 2};
            c.routes.push_back(
                {ipv4_prefix(server_network_->network, *prefix_length(c.netmask)), 0});
        }
        if (written && *written != c.address)
            warn(*ifconfig_, "ignored: server gives the device " + to_string(c.address),
                 "remove it");
        if (default_pool_) {
            // As OpenVPN; a device with that netmask needs no second address, and no route.
            const std::uint32_t at_end = c.netmask.value == 0xfffffff8 ? 0 : 4;
            c.pool_first = Ipv4{base + (subnet ? 2 : 4)};
            c.pool_last = Ipv4{broadcast - (subnet ? 1 : at_end)};
            has_pool_ = true;
        }
    } else if (!ifconfig_ && !seen("server-bridge") && !seen("server") && !seen("ifconfig")) {
        error("no addresses are given", "server 10.8.0.0 255.255.255.0");
        return;
    }
    if (!has_pool_) {
        if (!seen("ifconfig-pool") && !seen("server-bridge"))
            error("there is no pool of addresses for clients", "ifconfig-pool FIRST LAST");
        return;
    }
    auto clients = std::uint64_t{c.pool_last.value} - c.pool_first.value + 1;
    if (c.topology == wire::Topology::Net30) {
        // Networks of four addresses, of which the client has the third.
        clients /= 4;
        if (clients == 0) {
            error("with topology net30 a pool needs four addresses for each client",
                  "topology subnet");
            return;
        }
        c.pool_first.value += 2;
        c.pool_last.value = c.pool_first.value + 4 * (static_cast<std::uint32_t>(clients) - 1);
    }
    if (c.network6 && !c.pool6_first &&
        ipv6_pool_offset(*c.network6) + clients > std::uint64_t{1}
                                                      << std::min(128 - c.network6->length, 32))
        error("the network of server-ipv6 has fewer addresses than the pool",
              "a shorter prefix, as /64");
    auto outside = [&](Ipv4 a) {
        return (a.value & c.netmask.value) != (c.address.value & c.netmask.value);
    };
    if (c.netmask.value != 0 && (outside(c.pool_first) || outside(c.pool_last)))
        error("the pool's addresses are not in the network of " + to_string(c.address), "");
    else if (c.pool_first <= c.address && c.address <= c.pool_last)
        error("the server's own address " + to_string(c.address) + " is in the pool", "");
}

void ServerParser::finish_framing() {
    auto& c = config();
    if (pushed_framing_ && c.framing != Framing::None && !may_be_compressed(c.framing) &&
        pushed_framing_ != c.framing)
        error(*framing_push_,
              "differs from this server's own \"" + std::string(framing_option(c.framing)) + "\"");
    else if (pushed_framing_)
        c.framing = *pushed_framing_;
    if (!c.point_to_point && may_be_compressed(c.framing))
        c.framing = Framing::None;
    c.push_framing = pushed_framing_.has_value();
}

// What OpenVPN pushes by itself.
std::vector<std::string> ServerParser::own_pushes() const {
    const auto address = to_string(config_.address);
    std::vector<std::string> out;
    if (seen("server-ipv6"))
        out.emplace_back("tun-ipv6");
    if (config_.topology == wire::Topology::Subnet) {
        out.push_back("route-gateway " + address);
        if (config_.ethernet)
            return out;
        out.emplace_back("topology subnet");
        return out;
    }
    if (server_network_ && seen("client-to-client"))
        out.push_back("route " + to_string(server_network_->network) + " " +
                      to_string(server_network_->netmask));
    else if (server_network_ && config_.topology == wire::Topology::Net30)
        out.push_back("route " + address);
    out.emplace_back(config_.topology == wire::Topology::P2p ? "topology p2p" : "topology net30");
    return out;
}

void ServerParser::finish() {
    auto& c = config();
    // A client's profile that does not say so: of all that is wrong with it that is what to say.
    if (remote_ && !server_ && !bridge_ && !seen("server") && !seen("server-ipv6") &&
        !mode_server_ && !tls_server_ && !ifconfig_) {
        forget_findings();
        error(*remote_, "this looks like a client's profile, which has to say so",
              "client, or tls-client for a point-to-point peer");
        return;
    }
    const bool many = server_ || bridge_ || seen("server") || seen("server-bridge") ||
                      seen("server-ipv6") || mode_server_;
    c.point_to_point = tls_server_ && !many;
    if (older_than(20700) && !topology_)
        c.topology = wire::Topology::Net30;
    if (!c.point_to_point && !server_ && !seen("server") && !seen("server-bridge") &&
        !(mode_server_ && tls_server_))
        error("this is not a server's configuration",
              "server NETWORK NETMASK, or tls-server and ifconfig LOCAL REMOTE for a single peer");
    finish_transport();
    finish_device();
    finish_ethernet();
    finish_addresses();
    finish_compression();
    finish_pkcs12();
    need("cert", "no certificate is given", "cert FILE");
    need("key", "no private key is given", "key FILE");
    finish_tls();
    finish_data_channel();
    finish_framing();
    finish_wrapping();
    if (c.tls_crypt_v2_max_age > 0 && !seen("tls-crypt-v2"))
        error("tls-crypt-v2-max-age without tls-crypt-v2", "tls-crypt-v2 FILE");
    finish_users();
    finish_identity();
    finish_gateways();
    if (const auto told = wire::parse_pushed_options(foreign_options_)) {
        c.environment.insert(c.environment.end(), told->environment.begin(),
                             told->environment.end());
    }
    for (auto index : routes_without_metric_)
        c.routes[index].metric = route_metric_.value_or(0);
    finish_management();
    if (pool_persist_ && c.duplicate_cn)
        warn(*pool_persist_, "with duplicate-cn a name does not tell who comes back");
    if (c.ccd_exclusive && c.client_config_dir.empty())
        error("ccd-exclusive without client-config-dir lets nobody in", "client-config-dir DIR");
    if (c.point_to_point)
        return;
    auto own = own_pushes();
    if (pushed_topology_ && pushed_topology_->args[0] != own.back()) {
        warn(*pushed_topology_, "left out: differs from this server's own \"" + own.back() + "\"",
             "set topology itself, it is pushed then");
        std::erase(c.push, pushed_topology_->args[0]);
    }
    auto pushed_gateway = [](const std::string& o) { return o.starts_with("route-gateway "); };
    if (std::any_of(c.push.begin(), c.push.end(), pushed_gateway))
        std::erase_if(own, pushed_gateway);
    // In the order that OpenVPN has: those of the file come first.
    c.push.insert(c.push.end(), own.begin(), own.end());
    c.push.insert(c.push.end(), keepalive_pushes_.begin(), keepalive_pushes_.end());
}

bool is_unicast(Ipv4 address) {
    return address.value >> 24 < 224;
}

std::optional<Prefix> iroute_network(const Directive& d) {
    auto base = parse_ipv4(d.args[0]);
    auto mask = parse_ipv4(d.args.size() > 1 ? d.args[1] : "255.255.255.255");
    auto length = mask ? prefix_length(*mask) : std::nullopt;
    if (!base || !length || (base->value & ~mask->value) != 0)
        return std::nullopt;
    return ipv4_prefix(*base, *length);
}

} // namespace

std::uint32_t ipv6_pool_offset(const Prefix& network) {
    return network.length < 112 ? 0x1000 : 2;
}

namespace {

// What has an effect there with OpenVPN, supported here or not. Others it ignores.
bool is_of_one_client(std::string_view name) {
    static constexpr std::array<std::string_view, 27> kNames = {
        "auth-token",
        "auth-token-user",
        "bind-dev",
        "cipher",
        "comp-lzo",
        "comp-noadapt",
        "compress",
        "config",
        "data-ciphers",
        "data-ciphers-fallback",
        "disable",
        "ifconfig-ipv6-push",
        "ifconfig-push",
        "inactive",
        "iroute",
        "iroute-ipv6",
        "max-routes-per-client",
        "ncp-ciphers",
        "override-username",
        "ping",
        "ping-exit",
        "ping-restart",
        "push",
        "push-remove",
        "push-reset",
        "session-timeout",
        "vlan-pvid",
    };
    return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

} // namespace

bool ParsedClientFile::ok() const {
    return !any_error(findings);
}

ParsedClientFile parse_client_file(std::string_view text) {
    ParsedClientFile out;
    auto& c = out.config;
    for (const auto& d : tokenize(text, out.findings)) {
        auto error = [&](const std::string& reason, const std::string& hint = "") {
            out.findings.push_back({Severity::Error, d.line, d.name + ": " + reason, hint, d.file});
        };
        auto add = [&](const std::optional<Prefix>& network, const char* hint) {
            if (!network)
                error("not a network", hint);
            else if (c.networks.size() == kMaxClientNetworks)
                error("more than " + std::to_string(kMaxClientNetworks) + " networks");
            else
                c.networks.push_back(*network);
        };
        auto words = d.args.size();
        if (d.is_inline) {
            error("cannot be a <block>");
        } else if (d.name == "iroute" && (words == 1 || words == 2)) {
            add(iroute_network(d), "iroute 10.1.0.0 255.255.0.0");
        } else if (d.name == "iroute-ipv6" && words == 1) {
            add(parse_ipv6_prefix(d.args[0]), "iroute-ipv6 2001:db8:1::/48");
        } else if (d.name == "ifconfig-push" && (words == 1 || words == 2)) {
            c.address = parse_ipv4(d.args[0]);
            c.netmask = parse_ipv4(words == 2 ? d.args[1] : "255.255.255.255");
            // Which one of both is right depends on the topology.
            const bool usable = c.netmask && (prefix_length(*c.netmask) || is_unicast(*c.netmask));
            if (!c.address || !usable)
                error("not an address with its netmask", "ifconfig-push 10.8.0.99 255.255.255.0");
            if (words == 1)
                c.netmask.reset();
        } else if (d.name == "ifconfig-ipv6-push" && (words == 1 || words == 2)) {
            // The length of the prefix and the gateway are the server's.
            c.address6 = parse_ipv6(d.args[0].substr(0, d.args[0].find('/')));
            if (!c.address6)
                error("not an IPv6 address", "ifconfig-ipv6-push fd00:8::99/64");
        } else if (d.name == "push" && words == 1) {
            if (is_pushed_anyway(d.args[0]))
                out.findings.push_back({Severity::Warning, d.line,
                                        "push: left out: the client is told what was negotiated",
                                        "remove it", d.file});
            else if (auto objection = push_objection(d.args[0]))
                error(*objection);
            else
                c.push.push_back(d.args[0]);
        } else if (d.name == "push-remove" && words == 1 && d.args[0] == "ifconfig") {
            error("a client is always told its address");
        } else if (d.name == "push-remove" && words == 1 && !d.args[0].empty()) {
            // Of everybody's, and of those that stand before it here.
            std::erase_if(c.push, [&](const auto& o) { return o.starts_with(d.args[0]); });
            c.push_remove.push_back(d.args[0]);
        } else if (d.name == "push-reset" && words == 0) {
            c.push_reset = true;
            c.push.clear();
        } else if (d.name == "disable" && words == 0) {
            c.disable = true;
        } else if (!find_option(d.name, Role::Server) && !find_option(d.name, Role::Client)) {
            // As OpenVPN: a client is not locked out by a line that nobody understands.
            out.findings.push_back({Severity::Warning, d.line, d.name + ": not known, and ignored",
                                    std::string(nearest_option(d.name)), d.file});
        } else if (!is_of_one_client(d.name)) {
            out.findings.push_back({Severity::Warning, d.line,
                                    d.name + ": is not of a single client, and ignored",
                                    "put it into the server's configuration", d.file});
        } else {
            error("not supported in a file of client-config-dir",
                  "ifconfig-push, ifconfig-ipv6-push, iroute, iroute-ipv6, push, push-remove, "
                  "push-reset and disable are");
        }
    }
    return out;
}

std::string client_file_name(std::string_view common_name) {
    std::string out(common_name);
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '/')
            c = '_';
    }
    return out == "." || out == ".." ? "" : out;
}

ParsedConfig parse_server_config(std::string_view text, const FileReader& file_reader) {
    return parse_server_config(options_of(text, file_reader), file_reader);
}

ParsedConfig parse_server_config(GivenOptions options, const FileReader& file_reader) {
    ParsedConfig out;
    ServerParser(file_reader, out).run(std::move(options));
    return out;
}

} // namespace nfovpn::config
