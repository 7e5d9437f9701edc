// SPDX-License-Identifier: GPL-2.0-or-later
//
// What each supported option does; see server_config.h, and option_table.h for all of them. A
// handler sees one directive whose number of words was checked, writes into the configuration and
// reports what it dislikes. What depends on several options (is there an address pool at all?) is
// settled in finish().

#include "config/server_config.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iomanip>
#include <iterator>
#include <set>
#include <sstream>
#include <system_error>

namespace nfovpn::config {

namespace {

// OpenVPN's own limit for pools.
constexpr std::uint32_t kMaxPool = 65536;

// Also OpenVPN's.
constexpr std::uint32_t kUsualMtu = 1500;
constexpr std::uint32_t kDefaultMssFix = 1492;

// More do not fit into a request to the kernel.
constexpr std::size_t kMaxClientNetworks = 100;

struct Network {
    Ipv4 network;
    Ipv4 netmask;
};

class Parser {
public:
    explicit Parser(const FileReader& reader) : reader_(reader) {}

    ParsedConfig run(std::string_view text) {
        auto directives = tokenize(text, out_.findings);
        // Wherever it stands, also behind what it allows.
        for (const auto& d : directives) {
            if (d.name == "ignore-unknown-option")
                may_be_unknown_.insert(d.args.begin(), d.args.end());
        }
        for (auto& directive : directives) {
            apply(directive);
            // It may have been a key.
            if (directive.is_inline)
                OPENSSL_cleanse(directive.args[0].data(), directive.args[0].size());
        }
        finish();
        std::stable_sort(out_.findings.begin(), out_.findings.end(),
                         [](const Finding& a, const Finding& b) { return a.line < b.line; });
        return std::move(out_);
    }

private:
    using Handler = void (Parser::*)(const Directive&);

    struct HandlerOf {
        const char* option;
        Handler handler;
    };

    ServerConfig& config() { return out_.config; }

    void error(const Directive& d, const std::string& reason, const std::string& hint = "") {
        out_.findings.push_back({Severity::Error, d.line, d.name + ": " + reason, hint});
    }
    void warn(const Directive& d, const std::string& reason, const std::string& hint = "") {
        out_.findings.push_back({Severity::Warning, d.line, d.name + ": " + reason, hint});
    }
    void error(const std::string& reason, const std::string& hint) {
        out_.findings.push_back({Severity::Error, 0, reason, hint});
    }

    void apply(const Directive& d);
    void unknown(const Directive& d);
    void finish();
    void finish_transport();
    void finish_addresses();
    void finish_data_channel();
    void finish_wrapping();
    void finish_users();
    void finish_identity();
    void finish_management();
    void check_push_option(const Directive& d, const std::string& option);

    // Words to values; each reports what is wrong and then answers nothing.
    std::optional<std::uint32_t> number(const Directive& d, std::size_t index, std::uint32_t low,
                                        std::uint32_t high);
    std::optional<Ipv4> address(const Directive& d, std::size_t index);
    std::optional<Network> network(const Directive& d, std::size_t index);
    std::string path_of(const Directive& d, std::size_t index = 0);
    std::optional<std::string> contents(const Directive& d);
    bool only(const Directive& d, std::string_view word, const std::string& reason);

    void local(const Directive& d);
    void bind(const Directive& d);
    void number_option(const Directive& d);
    void proto(const Directive& d);
    void dev(const Directive& d);
    void dev_type(const Directive& d);
    void mode(const Directive& d);
    void flag(const Directive& d);
    void server(const Directive& d);
    void server_ipv6(const Directive& d);
    void ifconfig(const Directive& d);
    void ifconfig_pool(const Directive& d);
    void topology(const Directive& d);
    void route(const Directive& d);
    void route_metric(const Directive& d);
    void route_ipv6(const Directive& d);
    void push(const Directive& d);
    void ca(const Directive& d);
    void cert(const Directive& d);
    void key(const Directive& d);
    void dh(const Directive& d);
    void tls_version(const Directive& d);
    void tls_cipher(const Directive& d);
    void tls_cert_profile(const Directive& d);
    void static_key(const Directive& d);
    void key_direction(const Directive& d);
    void tls_crypt_v2(const Directive& d);
    void remote_cert_tls(const Directive& d);
    void verify_x509_name(const Directive& d);
    void crl_verify(const Directive& d);
    void verify_client_cert(const Directive& d);
    std::vector<std::string> command(const Directive& d);
    void program(const Directive& d);
    void auth_user_pass_verify(const Directive& d);
    void auth_gen_token(const Directive& d);
    void auth_gen_token_secret(const Directive& d);
    void setenv(const Directive& d);
    void tmp_dir(const Directive& d);
    void data_ciphers(const Directive& d);
    void data_ciphers_fallback(const Directive& d);
    void ignore_unknown_option(const Directive& d);
    void keepalive(const Directive& d);
    void reneg_sec(const Directive& d);
    void connect_freq_initial(const Directive& d);
    void auth(const Directive& d);
    void mssfix(const Directive& d);
    void compression(const Directive& d);
    void allow_compression(const Directive& d);
    void client_config_dir(const Directive& d);
    void log(const Directive& d);
    void syslog(const Directive& d);
    void status(const Directive& d);
    void writepid(const Directive& d);
    void cd(const Directive& d);
    void user_or_group(const Directive& d);
    void nice(const Directive& d);
    void nf_fastpath(const Directive& d);
    void nf_seccomp(const Directive& d);
    void nf_control(const Directive& d);
    void management(const Directive& d);
    void management_password(const Directive& d);
    void management_client(const Directive& d);
    void management_log_cache(const Directive& d);
    bool is_socket_path(const Directive& d);

    static const HandlerOf kHandlers[];

    const FileReader& reader_;
    ParsedConfig out_;
    std::set<std::string> seen_;
    std::set<std::string> may_be_unknown_;
    std::optional<std::uint32_t> route_metric_;
    std::vector<std::size_t> routes_without_metric_;
    std::optional<Directive> proto_;
    std::optional<Directive> ipv6_only_;
    std::optional<Directive> fastpath_;
    std::optional<Directive> server_;
    std::optional<Network> server_network_;
    std::optional<Directive> ifconfig_;
    bool has_pool_ = false;
    bool default_pool_ = true;
    bool mode_server_ = false;
    bool tls_server_ = false;
    std::optional<Directive> auth_;
    std::optional<wire::StaticKey> tls_auth_key_;
    std::optional<wire::StaticKey> tls_crypt_key_;
    std::optional<std::string> tls_auth_direction_;
    std::optional<std::string> key_direction_;
    Directive tls_auth_; // without the key
    std::optional<Framing> pushed_framing_;
    std::optional<Directive> framing_push_;
    bool mssfix_set_ = false;
    std::vector<Directive> scripts_;
    std::string user_;
    std::string group_;
    ManagementConfig management_;
    std::optional<Directive> management_use_;    ///< the last option that needs the interface
    std::optional<Directive> management_client_; ///< and the one that says whom it is for
};

constexpr const char* kCiphers = "AES with GCM or CBC and 128, 192 or 256 bits, "
                                 "CHACHA20-POLY1305 and none are";
constexpr const char* kBadIpv6 = "not an IPv6 network with its prefix length: \"";
constexpr const char* kNoCompression =
    "of compress: stub, stub-v2 and migrate; of comp-lzo: no; they compress nothing";

// Of every option that the table has as supported.
const Parser::HandlerOf Parser::kHandlers[] = {
    {"local", &Parser::local},
    {"port", &Parser::number_option},
    {"lport", &Parser::number_option},
    {"proto", &Parser::proto},
    {"proto-force", &Parser::proto},
    {"dev", &Parser::dev},
    {"dev-type", &Parser::dev_type},
    {"tun-mtu", &Parser::number_option},
    {"max-packet-size", &Parser::number_option},
    {"multihome", &Parser::flag},
    {"bind", &Parser::bind},
    {"float", &Parser::flag},
    {"nf-fastpath", &Parser::nf_fastpath},
    {"disable-dco", &Parser::flag},
    {"mode", &Parser::mode},
    {"tls-server", &Parser::flag},
    {"server", &Parser::server},
    {"server-ipv6", &Parser::server_ipv6},
    {"ifconfig", &Parser::ifconfig},
    {"ifconfig-pool", &Parser::ifconfig_pool},
    {"topology", &Parser::topology},
    {"route", &Parser::route},
    {"route-ipv6", &Parser::route_ipv6},
    {"push", &Parser::push},
    {"client-config-dir", &Parser::client_config_dir},
    {"ccd-exclusive", &Parser::flag},
    {"max-clients", &Parser::number_option},
    {"duplicate-cn", &Parser::flag},
    {"client-to-client", &Parser::flag},
    {"connect-freq-initial", &Parser::connect_freq_initial},
    {"ca", &Parser::ca},
    {"cert", &Parser::cert},
    {"key", &Parser::key},
    {"dh", &Parser::dh},
    {"tls-version-min", &Parser::tls_version},
    {"tls-version-max", &Parser::tls_version},
    {"tls-cipher", &Parser::tls_cipher},
    {"tls-ciphersuites", &Parser::tls_cipher},
    {"tls-groups", &Parser::tls_cipher},
    {"tls-cert-profile", &Parser::tls_cert_profile},
    {"tls-auth", &Parser::static_key},
    {"tls-crypt", &Parser::static_key},
    {"key-direction", &Parser::key_direction},
    {"tls-crypt-v2", &Parser::tls_crypt_v2},
    {"tls-crypt-v2-max-age", &Parser::number_option},
    {"remote-cert-tls", &Parser::remote_cert_tls},
    {"verify-x509-name", &Parser::verify_x509_name},
    {"crl-verify", &Parser::crl_verify},
    {"verify-client-cert", &Parser::verify_client_cert},
    {"data-ciphers", &Parser::data_ciphers},
    {"ncp-ciphers", &Parser::data_ciphers},
    {"data-ciphers-fallback", &Parser::data_ciphers_fallback},
    {"auth", &Parser::auth},
    {"mssfix", &Parser::mssfix},
    {"compress", &Parser::compression},
    {"comp-lzo", &Parser::compression},
    {"allow-compression", &Parser::allow_compression},
    {"keepalive", &Parser::keepalive},
    {"ping", &Parser::number_option},
    {"ping-restart", &Parser::number_option},
    {"reneg-sec", &Parser::reneg_sec},
    {"hand-window", &Parser::number_option},
    {"tran-window", &Parser::number_option},
    {"tls-timeout", &Parser::number_option},
    {"explicit-exit-notify", &Parser::number_option},
    {"verb", &Parser::number_option},
    {"log", &Parser::log},
    {"log-append", &Parser::log},
    {"syslog", &Parser::syslog},
    {"mute", &Parser::number_option},
    {"suppress-timestamps", &Parser::flag},
    {"machine-readable-output", &Parser::flag},
    {"status", &Parser::status},
    {"writepid", &Parser::writepid},
    {"nf-control", &Parser::nf_control},
    {"cd", &Parser::cd},
    {"user", &Parser::user_or_group},
    {"group", &Parser::user_or_group},
    {"nf-seccomp", &Parser::nf_seccomp},
    {"nice", &Parser::nice},
    {"mlock", &Parser::flag},
    {"ignore-unknown-option", &Parser::ignore_unknown_option},
    {"route-metric", &Parser::route_metric},
    {"auth-user-pass-verify", &Parser::auth_user_pass_verify},
    {"auth-user-pass-optional", &Parser::flag},
    {"username-as-common-name", &Parser::flag},
    {"auth-gen-token", &Parser::auth_gen_token},
    {"auth-gen-token-secret", &Parser::auth_gen_token_secret},
    {"script-security", &Parser::number_option},
    {"client-connect", &Parser::program},
    {"client-disconnect", &Parser::program},
    {"learn-address", &Parser::program},
    {"setenv", &Parser::setenv},
    {"setenv-safe", &Parser::setenv},
    {"tmp-dir", &Parser::tmp_dir},
    {"tcp-queue-limit", &Parser::number_option},
    {"status-version", &Parser::number_option},
    {"management", &Parser::management},
    {"management-client-user", &Parser::management_client},
    {"management-client-group", &Parser::management_client},
    {"management-hold", &Parser::flag},
    {"management-client-auth", &Parser::flag},
    {"management-signal", &Parser::flag},
    {"management-log-cache", &Parser::management_log_cache},
};

void Parser::apply(const Directive& d) {
    const Option* option = find_option(d.name);
    out_.uses.push_back({d.line, d.name, option ? option->treatment : Treatment::Refused});
    if (!option) {
        unknown(d);
        return;
    }
    if (option->treatment == Treatment::Refused) {
        error(d, option->reason, option->hint);
        return;
    }
    if (d.args.size() < option->min_args || d.args.size() > option->max_args) {
        error(d, d.args.size() < option->min_args ? "a word is missing" : "too many words");
        return;
    }
    if (option->treatment == Treatment::Ignored) {
        warn(d, std::string("ignored: ") + option->reason, option->hint);
        return;
    }
    static const std::set<std::string_view> kTakeBlock = {
        "ca",       "cert",      "key",          "dh",
        "tls-auth", "tls-crypt", "tls-crypt-v2", "auth-gen-token-secret"};
    if (d.is_inline && !kTakeBlock.contains(d.name)) {
        error(d, "cannot be a <block>");
        return;
    }
    static const std::set<std::string_view> kMayRepeat = {
        "push", "route", "route-ipv6", "setenv", "setenv-safe", "ignore-unknown-option"};
    const bool may_repeat = kMayRepeat.contains(d.name);
    if (!seen_.insert(d.name).second && !may_repeat)
        warn(d, "given more than once; this line counts");
    auto of = std::find_if(std::begin(kHandlers), std::end(kHandlers),
                           [&d](const HandlerOf& h) { return h.option == d.name; });
    (this->*of->handler)(d);
    // The filter for system calls must let them: with any of these that the table has as supported.
    static const std::set<std::string_view> kPrograms = {"auth-user-pass-verify",
                                                         "client-connect",
                                                         "client-crresponse",
                                                         "client-disconnect",
                                                         "down",
                                                         "ipchange",
                                                         "learn-address",
                                                         "plugin",
                                                         "route-pre-down",
                                                         "route-up",
                                                         "tls-crypt-v2-verify",
                                                         "tls-verify",
                                                         "up"};
    if (kPrograms.contains(d.name))
        config().runs_programs = true;
}

void Parser::unknown(const Directive& d) {
    if (may_be_unknown_.contains(d.name)) {
        out_.uses.back().treatment = Treatment::Ignored;
        warn(d, "ignored: unknown, as ignore-unknown-option allows");
        return;
    }
    auto nearest = nearest_option(d.name);
    error(d, "unknown option", nearest.empty() ? "" : "did you mean " + std::string(nearest) + "?");
}

std::optional<std::uint32_t> Parser::number(const Directive& d, std::size_t index,
                                            std::uint32_t low, std::uint32_t high) {
    const auto& word = d.args[index];
    std::uint32_t value = 0;
    auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (code != std::errc{} || end != word.data() + word.size() || value < low || value > high) {
        error(d, "\"" + word + "\" is not a number from " + std::to_string(low) + " to " +
                     std::to_string(high));
        return std::nullopt;
    }
    return value;
}

std::optional<Ipv4> Parser::address(const Directive& d, std::size_t index) {
    auto value = parse_ipv4(d.args[index]);
    if (!value)
        error(d, "\"" + d.args[index] + "\" is not an IPv4 address");
    return value;
}

std::optional<Network> Parser::network(const Directive& d, std::size_t index) {
    auto base = address(d, index);
    if (!base)
        return std::nullopt;
    Network out{*base, Ipv4{0xffffffff}};
    if (d.args.size() > index + 1) {
        auto mask = address(d, index + 1);
        if (!mask)
            return std::nullopt;
        if (!prefix_length(*mask)) {
            error(d, d.args[index + 1] + " is not a netmask");
            return std::nullopt;
        }
        out.netmask = *mask;
    }
    if ((base->value & ~out.netmask.value) != 0) {
        error(d, d.args[index] + " is not the first address of its network",
              "did you mean " + to_string(Ipv4{base->value & out.netmask.value}) + "?");
        return std::nullopt;
    }
    return out;
}

std::string Parser::path_of(const Directive& d, std::size_t index) {
    const auto& directory = config().directory;
    const auto& path = d.args[index];
    return directory.empty() || path.starts_with('/') ? path : directory + "/" + path;
}

std::optional<std::string> Parser::contents(const Directive& d) {
    if (d.is_inline)
        return d.args[0];
    auto path = path_of(d);
    std::string why;
    auto text = reader_(path, why);
    if (!text)
        error(d, "cannot read " + path + ": " + why);
    return text;
}

// Whether the first word is the only one that is accepted.
bool Parser::only(const Directive& d, std::string_view word, const std::string& reason) {
    if (d.args[0] == word)
        return true;
    error(d, reason, "use " + d.name + " " + std::string(word));
    return false;
}

void Parser::local(const Directive& d) {
    config().local = parse_address(d.args[0]);
    if (!config().local)
        error(d, "\"" + d.args[0] + "\" is neither an IPv4 nor an IPv6 address",
              "names are not looked up");
}

void Parser::bind(const Directive& d) {
    if (d.args.empty())
        return;
    if (only(d, "ipv6only", "\"" + d.args[0] + "\" is not understood"))
        ipv6_only_ = d;
}

// As OpenVPN: "udp" is IPv4 unless the address is of IPv6, "udp6" is both unless that is forbidden.
void Parser::finish_transport() {
    auto& c = config();
    const std::string proto = proto_ ? proto_->args[0] : "udp";
    const bool only4 = proto.find('4') != std::string::npos;
    const bool both = proto.find('6') != std::string::npos;
    c.tcp = proto.starts_with("tcp");
    const std::string kind = c.tcp ? "use proto tcp" : "use proto udp";
    c.ipv6 = both || (c.local && !c.local->is_ipv4());
    c.ipv6_only = ipv6_only_.has_value();
    if (only4 && c.ipv6)
        error(*proto_, "local is an IPv6 address", kind + "6");
    if (both && c.local && c.local->is_ipv4())
        error(*proto_, "local is an IPv4 address", kind + "4");
    if (c.ipv6_only && !c.ipv6)
        error(*ipv6_only_, "the transport is IPv4", kind + "6");
    if (!c.tcp)
        return;
    // The kernel's data path is one for datagrams.
    c.kernel_data_path = false;
    if (fastpath_)
        warn(*fastpath_, "ignored: with TCP the daemon's own data path is used");
}

// Options that are a number, and no more.
struct NumberOption {
    const char* name;
    std::uint32_t low;
    std::uint32_t high;
    void (*set)(ServerConfig& config, std::uint32_t value);
};

const NumberOption kNumberOptions[] = {
    {"port", 1, 65535, [](auto& c, auto v) { c.port = static_cast<std::uint16_t>(v); }},
    {"lport", 1, 65535, [](auto& c, auto v) { c.port = static_cast<std::uint16_t>(v); }},
    {"tun-mtu", 576, 65535, [](auto& c, auto v) { c.tun_mtu = v; }},
    {"max-packet-size", 154, 2048, [](auto& c, auto v) { c.max_packet_size = v; }},
    {"tcp-queue-limit", 1, 65536, [](auto& c, auto v) { c.tcp_queue_limit = v; }},
    {"max-clients", 1, kMaxPool, [](auto& c, auto v) { c.max_clients = v; }},
    {"ping", 0, 86400, [](auto& c, auto v) { c.ping = v; }},
    {"ping-restart", 0, 86400, [](auto& c, auto v) { c.ping_restart = v; }},
    {"reneg-sec", 0, 1U << 30, [](auto& c, auto v) { c.reneg_sec = std::chrono::seconds(v); }},
    {"hand-window", 1, 86400, [](auto& c, auto v) { c.hand_window = std::chrono::seconds(v); }},
    {"tran-window", 1, 1U << 30, [](auto& c, auto v) { c.tran_window = std::chrono::seconds(v); }},
    {"tls-crypt-v2-max-age", 1, 36500, [](auto& c, auto v) { c.tls_crypt_v2_max_age = v; }},
    {"tls-timeout", 1, 60, [](auto& c, auto v) { c.tls_timeout = std::chrono::seconds(v); }},
    {"explicit-exit-notify", 0, 2,
     [](auto& c, auto v) { c.explicit_exit_notify = static_cast<int>(v); }},
    {"script-security", 0, 3, [](auto& c, auto v) { c.script_security = static_cast<int>(v); }},
    {"mute", 0, 1U << 30, [](auto& c, auto v) { c.log.mute = v; }},
    {"status-version", 1, 3, [](auto& c, auto v) { c.status_version = static_cast<int>(v); }},
    {"verb", 0, 11, [](auto& c, auto v) { c.verb = static_cast<int>(v); }},
};

void Parser::number_option(const Directive& d) {
    auto option = std::find_if(std::begin(kNumberOptions), std::end(kNumberOptions),
                               [&](const NumberOption& o) { return o.name == d.name; });
    // Only explicit-exit-notify may stand without its number, which is 1 then.
    auto value = d.args.empty() ? 1 : number(d, 0, option->low, option->high);
    if (value)
        option->set(config(), *value);
}

void Parser::reneg_sec(const Directive& d) {
    number_option(d);
    if (config().reneg_sec.count() > 0 && config().reneg_sec < std::chrono::seconds(5))
        error(d, "less than 5 seconds leave no time between two negotiations");
    if (d.args.size() > 1)
        warn(d, "the second number has no effect: the time varies between 90 % and all of it");
}

void Parser::proto(const Directive& d) {
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

void Parser::dev(const Directive& d) {
    const auto& name = d.args[0];
    // IFNAMSIZ, with its terminating zero
    if (name.starts_with("tap"))
        error(d, "TAP devices are not supported", "use dev tun");
    else if (name.size() > 15 || name.find('/') != std::string::npos || name.empty() ||
             name == "." || name == ".." || name.find('%') != std::string::npos)
        error(d, "\"" + name + "\" cannot be the name of a network device");
    else
        config().device = name;
}

void Parser::dev_type(const Directive& d) {
    only(d, "tun", "only tun devices are supported");
}

void Parser::mode(const Directive& d) {
    if (only(d, "server", "only the server's mode is here"))
        mode_server_ = true;
}

void Parser::flag(const Directive& d) {
    if (d.name == "tls-server")
        tls_server_ = true;
    else if (d.name == "duplicate-cn")
        config().duplicate_cn = true;
    else if (d.name == "disable-dco")
        config().kernel_data_path = false;
    else if (d.name == "ccd-exclusive")
        config().ccd_exclusive = true;
    else if (d.name == "auth-user-pass-optional")
        config().user_optional = true;
    else if (d.name == "username-as-common-name")
        config().username_as_common_name = true;
    else if (d.name == "machine-readable-output")
        config().log.stamp = log::Stamp::Machine;
    else if (d.name == "suppress-timestamps" && config().log.stamp != log::Stamp::Machine)
        config().log.stamp = log::Stamp::None;
    else if (d.name == "mlock")
        config().mlock = true;
    else if (d.name == "client-to-client")
        warn(d, "packets between clients pass the kernel's FORWARD rules, which decide");
    else if (d.name == "management-client-auth")
        config().management_client_auth = true;
    else if (d.name == "management-hold")
        management_.hold = true;
    else if (d.name == "management-signal")
        management_.restart_on_disconnect = true;
    if (d.name.starts_with("management-"))
        management_use_ = d;
}

void Parser::server(const Directive& d) {
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

void Parser::server_ipv6(const Directive& d) {
    auto network = parse_ipv6_prefix(d.args[0]);
    if (!network)
        error(d, kBadIpv6 + d.args[0] + "\"");
    else if (network->length < 64 || network->length > 124)
        error(d, "the prefix length must be from 64 to 124");
    else
        config().network6 = network;
}

void Parser::ifconfig(const Directive& d) {
    auto own = address(d, 0);
    auto mask = address(d, 1);
    if (!own || !mask)
        return;
    if (!prefix_length(*mask) || *prefix_length(*mask) > 30) {
        error(d, d.args[1] + " is not a netmask of a network with clients",
              "with topology subnet the second word is a netmask");
        return;
    }
    config().address = *own;
    config().netmask = *mask;
    ifconfig_ = d;
}

void Parser::ifconfig_pool(const Directive& d) {
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

void Parser::topology(const Directive& d) {
    only(d, "subnet", "only topology subnet is supported");
}

void Parser::route(const Directive& d) {
    auto net = network(d, 0);
    if (!net)
        return;
    Route out{ipv4_prefix(net->network, *prefix_length(net->netmask)), 0};
    if (d.args.size() > 2 && d.args[2] != "vpn_gateway" && d.args[2] != "default") {
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

void Parser::route_metric(const Directive& d) {
    route_metric_ = number(d, 0, 0, 0x7fffffff);
}

void Parser::route_ipv6(const Directive& d) {
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
    auto name = option.substr(0, option.find(' '));
    for (const char* own :
         {"ifconfig", "ifconfig-ipv6", "peer-id", "cipher", "protocol-flags", "key-derivation",
          "topology", "tun-mtu", "compress", "comp-lzo", "push-continuation"}) {
        if (name == own)
            return name + " is negotiated and cannot be pushed by hand";
    }
    return std::nullopt;
}

void Parser::push(const Directive& d) {
    const auto& option = d.args[0];
    // "topology subnet" is what is pushed anyway; sample configurations say it too.
    if (option == "topology subnet")
        return;
    auto name = option.substr(0, option.find(' '));
    if (name == "compress" || name == "comp-lzo") {
        auto word = option.size() > name.size() ? option.substr(name.size() + 1) : "";
        auto framing = framing_of(name, word);
        if (!framing || framing == Framing::None)
            error(d, "compression is not supported", kNoCompression);
        else
            pushed_framing_ = framing;
        framing_push_ = d;
    } else if (auto objection = push_objection(option)) {
        error(d, *objection);
    } else {
        config().push.push_back(option);
    }
}

void Parser::ca(const Directive& d) {
    config().ca = contents(d).value_or("");
}
void Parser::cert(const Directive& d) {
    config().certificate = contents(d).value_or("");
}

void Parser::key(const Directive& d) {
    auto text = contents(d);
    if (!text)
        return;
    std::string& pem = *text;
    config().private_key = SecretBytes(as_bytes(pem));
    OPENSSL_cleanse(pem.data(), pem.size());
}

void Parser::dh(const Directive& d) {
    if (d.is_inline || d.args[0] != "none")
        warn(d, "ignored: key exchange is always by elliptic curves", "use dh none");
}

void Parser::tls_version(const Directive& d) {
    int version = 0;
    if (d.args[0] == "1.2")
        version = 12;
    else if (d.args[0] == "1.3")
        version = 13;
    if (d.args.size() > 1 && d.args[1] != "or-highest") {
        error(d, "\"" + d.args[1] + "\" is not understood", "only or-highest may follow");
        return;
    }
    if (version == 0) {
        error(d, "TLS " + d.args[0] + " is not supported", "1.2 and 1.3 are");
        return;
    }
    (d.name == "tls-version-min" ? config().tls_version_min : config().tls_version_max) = version;
}

void Parser::tls_cipher(const Directive& d) {
    if (d.name == "tls-ciphersuites")
        config().tls_ciphersuites = d.args[0];
    else if (d.name == "tls-groups")
        config().tls_groups = d.args[0];
    else
        config().tls_cipher = d.args[0];
}

void Parser::tls_cert_profile(const Directive& d) {
    // OpenSSL's security levels, as OpenVPN maps them.
    if (d.args[0] == "insecure")
        config().tls_security_level = 0;
    else if (d.args[0] == "legacy")
        config().tls_security_level = 1;
    else if (d.args[0] == "preferred")
        config().tls_security_level = 2;
    else if (d.args[0] == "suiteb")
        config().tls_security_level = 3; // and the ciphers, see finish()
    else
        error(d, "\"" + d.args[0] + "\" is not known", "insecure, legacy, preferred, suiteb");
}

void Parser::static_key(const Directive& d) {
    auto text = contents(d);
    if (!text)
        return;
    auto key = wire::parse_static_key(*text);
    OPENSSL_cleanse(text->data(), text->size());
    if (!key)
        error(d, "there is no static key in it", "openvpn --genkey " + d.name + " FILE makes one");
    else if (d.name == "tls-crypt")
        tls_crypt_key_ = std::move(key);
    else
        tls_auth_key_ = std::move(key);
    if (d.name == "tls-crypt")
        return;
    tls_auth_.name = d.name;
    tls_auth_.line = d.line;
    if (d.args.size() > 1 && d.args[1] != "0" && d.args[1] != "1")
        error(d, "\"" + d.args[1] + "\" is no key direction", "0, which is usual here, or 1");
    else if (d.args.size() > 1)
        tls_auth_direction_ = d.args[1];
}

void Parser::key_direction(const Directive& d) {
    if (d.args[0] == "0" || d.args[0] == "1")
        key_direction_ = d.args[0];
    else
        error(d, "\"" + d.args[0] + "\" is no key direction", "0, which is usual here, or 1");
}

void Parser::tls_crypt_v2(const Directive& d) {
    if (d.args.size() > 1 && d.args[1] != "force-cookie" && d.args[1] != "allow-noncookie") {
        error(d, "\"" + d.args[1] + "\" is not understood",
              "force-cookie or allow-noncookie may follow");
        return;
    }
    auto text = contents(d);
    if (!text)
        return;
    config().tls_crypt_v2 = wire::parse_tls_crypt_v2_key(*text);
    OPENSSL_cleanse(text->data(), text->size());
    config().tls_crypt_v2_force_cookie = d.args.size() > 1 && d.args[1] == "force-cookie";
    if (!config().tls_crypt_v2)
        error(d, "there is no server's key in it",
              "openvpn --genkey tls-crypt-v2-server FILE makes one");
}

void Parser::remote_cert_tls(const Directive& d) {
    if (only(d, "client", "the peers of a server are clients"))
        config().remote_cert_tls_client = true;
}

void Parser::verify_x509_name(const Directive& d) {
    const auto type = d.args.size() > 1 ? d.args[1] : "subject";
    auto& c = config();
    if (type == "subject")
        c.verify_name_type = NameType::Subject;
    else if (type == "name")
        c.verify_name_type = NameType::CommonName;
    else if (type == "name-prefix")
        c.verify_name_type = NameType::Prefix;
    else
        error(d, "\"" + type + "\" is not understood", "subject, name or name-prefix");
    c.verify_name = d.args[0];
}

void Parser::crl_verify(const Directive& d) {
    if (d.args.size() > 1) {
        error(d, "directories of serial numbers are not supported", "use a file in PEM");
        return;
    }
    // The contents are OpenSSL's business; what cannot be read is an error of this line.
    if (contents(d))
        config().crl_file = std::filesystem::absolute(path_of(d)).string();
}

void Parser::verify_client_cert(const Directive& d) {
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

// The words of a command, if there is such a program.
std::vector<std::string> Parser::command(const Directive& d) {
    std::vector<std::string> words;
    if (auto wrong = split_words(d.args[0], words)) {
        error(d, *wrong);
        return {};
    }
    if (words.empty()) {
        error(d, "no program is given");
        return {};
    }
    if (!words[0].starts_with('/'))
        words[0] = std::filesystem::absolute(path_of({d.name, {words[0]}, false, d.line})).string();
    if (access(words[0].c_str(), X_OK) != 0) {
        error(d, words[0] + ": " + std::generic_category().message(errno));
        return {};
    }
    scripts_.push_back(d);
    return words;
}

void Parser::program(const Directive& d) {
    auto& c = config();
    auto& out = d.name == "client-connect"      ? c.client_connect
                : d.name == "client-disconnect" ? c.client_disconnect
                                                : c.learn_address;
    out = command(d);
}

void Parser::auth_user_pass_verify(const Directive& d) {
    config().verify_user = command(d);
    const auto method = d.args.size() > 1 ? d.args[1] : "";
    config().password_by_environment = method == "via-env";
    if (method != "via-env" && method != "via-file")
        error(d, "how the program gets the password is missing", "via-file may follow");
}

void Parser::auth_gen_token(const Directive& d) {
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

void Parser::auth_gen_token_secret(const Directive& d) {
    auto text = contents(d);
    if (!text)
        return;
    auto key = wire::parse_auth_token_key(*text);
    OPENSSL_cleanse(text->data(), text->size());
    if (key)
        config().token_key = std::move(*key);
    else
        error(d, "there is no key for tokens in it", "openvpn --genkey auth-token FILE makes one");
}

void Parser::setenv(const Directive& d) {
    const auto& name = d.args[0];
    if (name == "opt" || name == "CLIENT_CERT" || name == "FORWARD_COMPATIBLE" ||
        name == "GENERIC_CONFIG") {
        warn(d, "ignored: it is no variable, and has no effect here");
        return;
    }
    if (name.empty() || name.find('=') != std::string::npos)
        error(d, "\"" + name + "\" is no name of a variable");
    else
        config().environment.emplace_back(d.name == "setenv-safe" ? "OPENVPN_" + name : name,
                                          d.args.size() > 1 ? d.args[1] : "");
}

void Parser::tmp_dir(const Directive& d) {
    config().tmp_dir = std::filesystem::absolute(path_of(d)).string();
    if (access(config().tmp_dir.c_str(), W_OK | X_OK) != 0)
        error(d, config().tmp_dir + ": " + std::generic_category().message(errno));
}

// What depends on users being verified at all, and on programs being allowed to run.
void Parser::finish_users() {
    auto& c = config();
    for (const auto& d : scripts_) {
        const bool by_environment = d.name == "auth-user-pass-verify" && c.password_by_environment;
        if (c.script_security < (by_environment ? 3 : 2))
            error(d, "script-security does not allow it",
                  by_environment ? "script-security 3, or via-file" : "script-security 2");
    }
    if (!seen_.contains("auth-user-pass-verify") && !c.management_client_auth) {
        for (const char* name :
             {"auth-user-pass-optional", "username-as-common-name", "auth-gen-token"}) {
            if (seen_.contains(name))
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
        out_.findings.push_back({Severity::Warning, 0,
                                 "clients without a certificate are all of the name UNDEF",
                                 "username-as-common-name"});
}

void Parser::data_ciphers(const Directive& d) {
    std::vector<DataCipher> ciphers;
    std::istringstream words(d.args[0]);
    for (std::string name; std::getline(words, name, ':');) {
        // OpenVPN's mark for "if there is such a cipher".
        bool optional = name.starts_with('?');
        if (optional)
            name.erase(0, 1);
        auto cipher = cipher_by_name(name);
        if (cipher && std::find(ciphers.begin(), ciphers.end(), *cipher) == ciphers.end())
            ciphers.push_back(*cipher);
        else if (!cipher && name == "DEFAULT")
            ciphers.insert(ciphers.end(), {DataCipher::Aes256Gcm, DataCipher::Aes128Gcm,
                                           DataCipher::ChaCha20Poly1305});
        else if (!cipher && optional)
            warn(d, name + " is not supported and left out");
        else if (!cipher)
            error(d, name + " is not supported", kCiphers);
    }
    if (ciphers.empty())
        error(d, "no cipher is left");
    config().data_ciphers = std::move(ciphers);
}

void Parser::data_ciphers_fallback(const Directive& d) {
    config().fallback_cipher = cipher_by_name(d.args[0]);
    if (!config().fallback_cipher)
        error(d, d.args[0] + " is not supported", kCiphers);
}

void Parser::auth(const Directive& d) {
    auth_ = d;
    if (auto known = auth_by_name(d.args[0]))
        config().auth = *known;
}

void Parser::mssfix(const Directive& d) {
    auto& fix = config().mss_fix;
    if (d.args.empty())
        return; // the default
    // OpenVPN's least; 0 is for "not at all".
    if (auto limit = d.args[0] == "0" ? 0 : number(d, 0, 154, 65535))
        fix.limit = *limit;
    fix.of = MssFix::Of::Payload;
    if (d.args.size() > 1 && d.args[1] == "mtu")
        fix.of = MssFix::Of::OuterPacket;
    else if (d.args.size() > 1 && d.args[1] == "fixed")
        fix.of = MssFix::Of::InnerPacket;
    else if (d.args.size() > 1)
        error(d, "\"" + d.args[1] + "\" is not understood", "mtu or fixed may follow");
    mssfix_set_ = true;
}

void Parser::compression(const Directive& d) {
    // "migrate" needs nothing: clients that were set to compress are asked to stop anyway.
    if (auto framing = framing_of(d.name, d.args.empty() ? "" : d.args[0]))
        config().framing = *framing;
    else
        error(d, "compression is not supported",
              "use compress migrate for clients that still have it");
}

void Parser::client_config_dir(const Directive& d) {
    config().client_config_dir = d.args[0];
}

void Parser::allow_compression(const Directive& d) {
    if (d.args[0] == "yes" || d.args[0] == "asym")
        warn(d, "nothing is compressed in either direction");
    else if (d.args[0] != "no")
        error(d, "\"" + d.args[0] + "\" is not understood", "use no");
}

// All that it does was done before any option was looked at.
void Parser::ignore_unknown_option(const Directive&) {}

void Parser::keepalive(const Directive& d) {
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
    config().push.push_back("ping " + d.args[0]);
    config().push.push_back("ping-restart " + d.args[1]);
}

void Parser::connect_freq_initial(const Directive& d) {
    auto count = number(d, 0, 1, 1U << 24);
    auto period = number(d, 1, 1, 86400);
    if (!count || !period)
        return;
    config().connect_freq_initial = *count;
    config().connect_freq_initial_seconds = *period;
}

void Parser::log(const Directive& d) {
    config().log.file = d.args[0];
    config().log.append = d.name == "log-append";
}

void Parser::syslog(const Directive& d) {
    config().log.syslog = true;
    if (!d.args.empty())
        config().log.name = d.args[0];
}

void Parser::status(const Directive& d) {
    config().status_file = d.args[0];
    if (d.args.size() > 1) {
        if (auto every = number(d, 1, 1, 86400))
            config().status_seconds = *every;
    }
}

void Parser::writepid(const Directive& d) {
    config().pid_file = d.args[0];
}

void Parser::cd(const Directive& d) {
    config().directory = d.args[0];
}

void Parser::user_or_group(const Directive& d) {
    const bool user = d.name == "user";
    // Any group: that of the user is looked for when both are known.
    auto found =
        user ? find_identity(d.args[0], std::to_string(getgid())) : find_identity("", d.args[0]);
    if (!found)
        error(d, found.error());
    (user ? user_ : group_) = d.args[0];
}

void Parser::nice(const Directive& d) {
    int value = 0;
    const auto& word = d.args[0];
    auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (code != std::errc{} || end != word.data() + word.size() || value < -20 || value > 19)
        error(d, "\"" + word + "\" is not a number from -20 to 19");
    else
        config().nice = value;
}

void Parser::nf_seccomp(const Directive& d) {
    if (d.args[0] == "on" || d.args[0] == "off")
        config().seccomp = d.args[0] == "on";
    else
        error(d, "\"" + d.args[0] + "\" is not understood", "on or off");
}

bool Parser::is_socket_path(const Directive& d) {
    // sun_path, with its terminating zero
    const bool fits = !d.args[0].empty() && d.args[0].size() <= 107;
    if (!fits)
        error(d, "the path of a socket has at most 107 bytes");
    return fits;
}

void Parser::nf_control(const Directive& d) {
    if (is_socket_path(d))
        config().control_socket = d.args[0];
}

void Parser::management(const Directive& d) {
    auto& m = management_;
    m.socket_path.clear();
    m.listen.reset();
    m.password.wipe();
    if (d.args[1] == "unix") {
        if (is_socket_path(d))
            m.socket_path = d.args[0];
    } else {
        auto host = parse_address(d.args[0] == "localhost" ? "127.0.0.1" : d.args[0]);
        if (!host) {
            error(d, "\"" + d.args[0] + "\" is neither an IPv4 nor an IPv6 address",
                  "management PATH unix, or management 127.0.0.1 PORT");
            return;
        }
        if (!is_loopback(*host)) {
            error(d, "everybody on the way could read and command, for nothing is encrypted",
                  "a loopback address, or management PATH unix");
            return;
        }
        if (auto port = number(d, 1, 1, 65535))
            m.listen = Endpoint{*host, static_cast<std::uint16_t>(*port)};
        if (d.args.size() < 3)
            warn(d, "every user of this machine may command the daemon",
                 "management IP PORT PASSWORD-FILE, or management PATH unix");
    }
    if (d.args.size() == 3)
        management_password(d);
}

void Parser::management_password(const Directive& d) {
    if (d.args[2] == "stdin") {
        error(d, "passwords are not asked for", "put it into the first line of a file");
        return;
    }
    const auto path = path_of(d, 2);
    std::string why;
    auto text = reader_(path, why);
    if (!text) {
        error(d, "cannot read " + path + ": " + why);
        return;
    }
    auto line = std::string_view(*text).substr(0, text->find_first_of("\r\n"));
    if (line.empty())
        error(d, path + ": the first line is empty", "it is to be the password");
    else
        management_.password = SecretBytes(as_bytes(line));
    OPENSSL_cleanse(text->data(), text->size());
}

void Parser::management_client(const Directive& d) {
    management_use_ = management_client_ = d;
    if (d.name == "management-client-user") {
        if (const auto* user = getpwnam(d.args[0].c_str()))
            management_.client_user = user->pw_uid;
        else
            error(d, "there is no user \"" + d.args[0] + "\"");
    } else if (const auto* group = getgrnam(d.args[0].c_str())) {
        management_.client_group = group->gr_gid;
    } else {
        error(d, "there is no group \"" + d.args[0] + "\"");
    }
}

void Parser::management_log_cache(const Directive& d) {
    management_use_ = d;
    if (auto lines = number(d, 0, 1, 100000))
        management_.log_cache = *lines;
}

void Parser::finish_management() {
    const bool there = seen_.contains("management");
    if (!there && management_use_)
        error(*management_use_, "there is no management interface", "management PATH unix");
    if (management_client_ && management_.listen)
        error(*management_client_, "nobody can tell who connects by TCP", "management PATH unix");
    if (there)
        config().management = std::move(management_);
}

void Parser::nf_fastpath(const Directive& d) {
    fastpath_ = d;
    if (d.args[0] == "off")
        config().fastpath = Fastpath::Off;
    else if (d.args[0] == "accepted")
        config().fastpath = Fastpath::Accepted;
    else if (d.args[0] == "eager")
        config().fastpath = Fastpath::Eager;
    else
        error(d, "\"" + d.args[0] + "\" is not understood", "off, accepted or eager");
}

void Parser::finish_addresses() {
    auto& c = config();
    if (server_ && (ifconfig_ || (has_pool_ && default_pool_))) {
        error(*server_, "sets ifconfig and ifconfig-pool itself, and the file has one of them",
              "remove that one; server … nopool leaves the pool to ifconfig-pool");
        return;
    }
    if (server_network_) {
        auto base = server_network_->network.value;
        auto broadcast = base | ~server_network_->netmask.value;
        c.address = Ipv4{base + 1};
        c.netmask = server_network_->netmask;
        if (default_pool_) {
            c.pool_first = Ipv4{base + 2};
            c.pool_last = Ipv4{broadcast - 1};
            has_pool_ = true;
        }
    } else if (!ifconfig_ && !seen_.contains("server") && !seen_.contains("ifconfig")) {
        error("no addresses are given", "server 10.8.0.0 255.255.255.0");
        return;
    }
    if (!has_pool_) {
        if (!seen_.contains("ifconfig-pool"))
            error("there is no pool of addresses for clients", "ifconfig-pool FIRST LAST");
        return;
    }
    const auto clients = std::uint64_t{c.pool_last.value} - c.pool_first.value + 1;
    if (c.network6 && ipv6_pool_offset(*c.network6) + clients >
                          std::uint64_t{1} << std::min(128 - c.network6->length, 32))
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

void Parser::finish_data_channel() {
    auto& c = config();
    if (c.data_ciphers.empty() && !seen_.contains("data-ciphers") && !seen_.contains("ncp-ciphers"))
        c.data_ciphers = {DataCipher::Aes256Gcm, DataCipher::Aes128Gcm,
                          DataCipher::ChaCha20Poly1305};
    auto all = c.data_ciphers;
    if (c.fallback_cipher)
        all.push_back(*c.fallback_cipher);
    if (std::find(all.begin(), all.end(), DataCipher::None) != all.end())
        out_.findings.push_back({Severity::Warning, 0,
                                 "with the data cipher none packets can be read by everybody", ""});
    bool only_aead = std::all_of(all.begin(), all.end(), is_aead);
    bool cbc = std::any_of(all.begin(), all.end(), [](DataCipher cipher) {
        return !is_aead(cipher) && cipher != DataCipher::None;
    });
    // With tls-auth it names that one's digest as well.
    if (auth_ && only_aead && !seen_.contains("tls-auth"))
        warn(*auth_, "ignored: the data ciphers are AEAD and authenticate by themselves");
    else if (auth_ && !only_aead && !auth_by_name(auth_->args[0]))
        error(*auth_, auth_->args[0] + " is not supported", "SHA1 and SHA256 are");
    else if (auth_ && c.auth == DataAuth::None && cbc)
        error(*auth_, "with CBC packets must be authenticated", "auth SHA256");

    if (pushed_framing_ && c.framing != Framing::None && pushed_framing_ != c.framing)
        error(*framing_push_,
              "differs from this server's own \"" + std::string(framing_option(c.framing)) + "\"");
    else if (pushed_framing_)
        c.framing = *pushed_framing_;
    c.push_framing = pushed_framing_.has_value();

    // OpenVPN's default: another tun-mtu than the usual one was chosen to suit the path.
    if (!mssfix_set_ && c.tun_mtu == kUsualMtu)
        c.mss_fix = {kDefaultMssFix, MssFix::Of::OuterPacket};
    else if (!mssfix_set_)
        c.mss_fix = {c.tun_mtu, MssFix::Of::InnerPacket};
}

void Parser::finish_wrapping() {
    auto& c = config();
    if (seen_.contains("tls-auth") && seen_.contains("tls-crypt")) {
        error(tls_auth_, "there is tls-crypt too", "remove one of them");
        return;
    }
    if (c.tls_crypt_v2_max_age > 0 && !seen_.contains("tls-crypt-v2"))
        error("tls-crypt-v2-max-age without tls-crypt-v2", "tls-crypt-v2 FILE");
    if (tls_crypt_key_)
        c.wrap = std::make_shared<const wire::ControlWrap>(
            wire::ControlWrap::tls_crypt(*tls_crypt_key_, wire::Role::Server));
    if (!tls_auth_key_)
        return;
    using Direction = wire::ControlWrap::Direction;
    // The word behind tls-auth comes first, as with OpenVPN; a block has none.
    auto word = tls_auth_direction_ ? tls_auth_direction_ : key_direction_;
    auto direction = Direction::Both;
    if (word)
        direction = *word == "0" ? Direction::Normal : Direction::Inverse;
    std::string digest = auth_ ? auth_->args[0] : "SHA1";
    auto wrap = wire::ControlWrap::tls_auth(*tls_auth_key_, direction, digest);
    if (wrap)
        c.wrap = std::make_shared<const wire::ControlWrap>(std::move(*wrap));
    else
        error(tls_auth_, "\"auth " + digest + "\" is no digest for it", "auth SHA256");
}

// That there are such a user and group was seen at their lines.
void Parser::finish_identity() {
    if (user_.empty() && group_.empty())
        return;
    if (auto found = find_identity(user_, group_))
        config().run_as = *found;
    else
        error("user " + user_ + " has no group of its own", "group NAME");
}

void Parser::finish() {
    auto& c = config();
    if (!server_ && !seen_.contains("server") && !(mode_server_ && tls_server_))
        error("this is not a server's configuration", "server NETWORK NETMASK");
    finish_transport();
    finish_addresses();
    for (auto [name, reason, hint] : std::initializer_list<std::array<const char*, 3>>{
             {"dev", "no device is given", "dev tun"},
             {"ca", "no certificate authority is given", "ca FILE"},
             {"cert", "no certificate is given", "cert FILE"},
             {"key", "no private key is given", "key FILE"},
         })
        if (!seen_.contains(name))
            error(reason, hint);
    if (c.tls_version_max != 0 && c.tls_version_min > c.tls_version_max)
        error("tls-version-min is above tls-version-max", "");
    if (c.tls_security_level == 3 && c.tls_cipher.empty())
        c.tls_cipher = "SUITEB128";
    finish_data_channel();
    finish_wrapping();
    finish_users();
    finish_identity();
    for (auto index : routes_without_metric_)
        c.routes[index].metric = route_metric_.value_or(0);
    finish_management();
    if (c.ccd_exclusive && c.client_config_dir.empty())
        error("ccd-exclusive without client-config-dir lets nobody in", "client-config-dir DIR");
    std::vector<std::string> first = {"route-gateway " + to_string(c.address), "topology subnet"};
    auto pushed_gateway = [](const std::string& o) { return o.starts_with("route-gateway "); };
    if (std::any_of(c.push.begin(), c.push.end(), pushed_gateway))
        first.erase(first.begin());
    c.push.insert(c.push.begin(), first.begin(), first.end());
}

bool any_error(const std::vector<Finding>& findings) {
    return std::any_of(findings.begin(), findings.end(),
                       [](const Finding& f) { return f.severity == Severity::Error; });
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

bool ParsedConfig::ok() const {
    return !any_error(findings);
}

bool ParsedClientConfig::ok() const {
    return !any_error(findings);
}

ParsedClientConfig parse_client_config(std::string_view text) {
    ParsedClientConfig out;
    auto& c = out.config;
    for (const auto& d : tokenize(text, out.findings)) {
        auto error = [&](const std::string& reason, const std::string& hint = "") {
            out.findings.push_back({Severity::Error, d.line, d.name + ": " + reason, hint});
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
            if (!c.address || !c.netmask || !prefix_length(*c.netmask))
                error("not an address with its netmask", "ifconfig-push 10.8.0.99 255.255.255.0");
            if (words == 1)
                c.netmask.reset();
        } else if (d.name == "ifconfig-ipv6-push" && (words == 1 || words == 2)) {
            // The length of the prefix and the gateway are the server's.
            c.address6 = parse_ipv6(d.args[0].substr(0, d.args[0].find('/')));
            if (!c.address6)
                error("not an IPv6 address", "ifconfig-ipv6-push fd00:8::99/64");
        } else if (d.name == "push" && words == 1) {
            if (auto objection = push_objection(d.args[0]))
                error(*objection);
            else
                c.push.push_back(d.args[0]);
        } else if (d.name == "push-reset" && words == 0) {
            c.push_reset = true;
            c.push.clear();
        } else if (d.name == "disable" && words == 0) {
            c.disable = true;
        } else {
            error("not supported in a file of client-config-dir",
                  "ifconfig-push, ifconfig-ipv6-push, iroute, iroute-ipv6, push, push-reset and "
                  "disable are");
        }
    }
    return out;
}

std::string client_file_name(std::string_view common_name) {
    std::string out(common_name);
    for (char& c : out) {
        if (c < 0x20 || c > 0x7e || c == '/')
            c = '_';
    }
    return out == "." || out == ".." ? "" : out;
}

std::optional<std::string> read_file(const std::string& path, std::string& why_not) {
    // Far beyond any bundle of certificates; keeps /dev/zero out.
    constexpr std::size_t kMaxFile = std::size_t{1} << 20;
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        why_not = std::generic_category().message(errno != 0 ? errno : ENOENT);
        return std::nullopt;
    }
    std::string text(kMaxFile + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad()) {
        why_not = std::generic_category().message(errno != 0 ? errno : EIO);
        return std::nullopt;
    }
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxFile) {
        why_not = "larger than 1 MiB";
        return std::nullopt;
    }
    return text;
}

std::vector<std::string> check_report(const ParsedConfig& parsed) {
    std::vector<std::string> out;
    std::set<int> told;
    // "12  supported  proto: TCP needs … (use proto udp)"; a finding begins with the option's name
    auto line = [&out](int number, const char* what, const std::string& text) {
        std::ostringstream row;
        row << std::setw(4) << (number > 0 ? std::to_string(number) : "-") << "  " << std::left
            << std::setw(9) << what << "  " << text;
        out.push_back(row.str());
    };
    for (const auto& use : parsed.uses) {
        bool found = false;
        for (const auto& finding : parsed.findings) {
            if (finding.line != use.line)
                continue;
            found = true;
            // What is supported may still be wrong.
            auto what = finding.severity == Severity::Error ? Treatment::Refused : use.treatment;
            line(use.line, name_of(what), text_of(finding));
        }
        if (!found)
            line(use.line, name_of(use.treatment), use.name);
        told.insert(use.line);
    }
    for (const auto& finding : parsed.findings) {
        if (!told.contains(finding.line))
            line(finding.line, finding.severity == Severity::Error ? "error" : "warning",
                 text_of(finding));
    }
    return out;
}

ParsedConfig parse_server_config(std::string_view text, const FileReader& file_reader) {
    return Parser(file_reader).run(text);
}

} // namespace nfovpn::config
