// SPDX-License-Identifier: GPL-2.0-or-later
//
// The table of options and what each does; see server_config.h. A handler sees one directive whose
// number of words was checked, writes into the configuration and reports what it dislikes. What
// depends on several options (is there an address pool at all?) is settled in finish().

#include "config/server_config.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <initializer_list>
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

class Parser;
using Handler = void (Parser::*)(const Directive&);

// "This many words at least and at most" and what to do with them.
struct Option {
    const char* name;
    Treatment treatment;
    std::size_t min_args;
    std::size_t max_args;
    Handler handler;
    const char* reason; // for those that are ignored or refused
    const char* hint;
};

class Parser {
public:
    explicit Parser(const FileReader& reader) : reader_(reader) {}

    ParsedConfig run(std::string_view text) {
        auto directives = tokenize(text, out_.findings);
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

    static const Option* find(std::string_view name);

private:
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
    void finish();
    void finish_transport();
    void finish_addresses();
    void finish_data_channel();
    void finish_wrapping();
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
    void data_ciphers(const Directive& d);
    void data_ciphers_fallback(const Directive& d);
    void keepalive(const Directive& d);
    void reneg_sec(const Directive& d);
    void connect_freq_initial(const Directive& d);
    void auth(const Directive& d);
    void mssfix(const Directive& d);
    void compression(const Directive& d);
    void allow_compression(const Directive& d);
    void client_config_dir(const Directive& d);
    void log(const Directive& d);
    void status(const Directive& d);
    void writepid(const Directive& d);
    void cd(const Directive& d);
    void nf_fastpath(const Directive& d);
    void nf_control(const Directive& d);
    void management(const Directive& d);
    void management_password(const Directive& d);
    void management_client(const Directive& d);
    void management_log_cache(const Directive& d);
    bool is_socket_path(const Directive& d);

    static const Option kOptions[];

    const FileReader& reader_;
    ParsedConfig out_;
    std::set<std::string> seen_;
    std::optional<Directive> proto_;
    std::optional<Directive> ipv6_only_;
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
    ManagementConfig management_;
    std::optional<Directive> management_use_;    ///< the last option that needs the interface
    std::optional<Directive> management_client_; ///< and the one that says whom it is for
};

constexpr auto S = Treatment::Supported;
constexpr auto I = Treatment::Ignored;
constexpr auto R = Treatment::Refused;
constexpr std::size_t kAny = 16;

constexpr const char* kServerOnly = "only the server's side is here";
constexpr const char* kNoScripts = "scripts and plug-ins are not run";
constexpr const char* kServerIpv6 = "use server-ipv6";
constexpr const char* kKernelDoes = "the kernel's data path has no such setting";
constexpr const char* kCiphers = "AES with GCM or CBC and 128, 192 or 256 bits, "
                                 "CHACHA20-POLY1305 and none are";
constexpr const char* kOfOneClient = "belongs into a file of client-config-dir";
constexpr const char* kBadIpv6 = "not an IPv6 network with its prefix length: \"";
constexpr const char* kNoCompression =
    "of compress: stub, stub-v2 and migrate; of comp-lzo: no; they compress nothing";
constexpr const char* kRunFrom = "use the service manager's own setting";

const Option Parser::kOptions[] = {
    // where
    {"local", S, 1, 1, &Parser::local, "", ""},
    {"port", S, 1, 1, &Parser::number_option, "", ""},
    {"lport", S, 1, 1, &Parser::number_option, "", ""},
    {"proto", S, 1, 1, &Parser::proto, "", ""},
    {"proto-force", S, 1, 1, &Parser::proto, "", ""},
    {"dev", S, 1, 1, &Parser::dev, "", ""},
    {"dev-type", S, 1, 1, &Parser::dev_type, "", ""},
    {"tun-mtu", S, 1, 1, &Parser::number_option, "", ""},
    {"max-packet-size", S, 1, 1, &Parser::number_option, "", ""},
    {"multihome", S, 0, 1, &Parser::flag, "", ""},
    {"bind", S, 0, 1, &Parser::bind, "", ""},
    {"float", S, 0, 0, &Parser::flag, "", ""},
    {"nf-fastpath", S, 1, 1, &Parser::nf_fastpath, "", ""},
    {"disable-dco", S, 0, 0, &Parser::flag, "", ""},
    // what
    {"mode", S, 1, 1, &Parser::mode, "", ""},
    {"tls-server", S, 0, 0, &Parser::flag, "", ""},
    {"server", S, 2, 3, &Parser::server, "", ""},
    {"server-ipv6", S, 1, 1, &Parser::server_ipv6, "", ""},
    {"ifconfig", S, 2, 2, &Parser::ifconfig, "", ""},
    {"ifconfig-pool", S, 2, 3, &Parser::ifconfig_pool, "", ""},
    {"topology", S, 1, 1, &Parser::topology, "", ""},
    {"route", S, 1, 4, &Parser::route, "", ""},
    {"route-ipv6", S, 1, 3, &Parser::route_ipv6, "", ""},
    {"push", S, 1, 1, &Parser::push, "", ""},
    {"client-config-dir", S, 1, 1, &Parser::client_config_dir, "", ""},
    {"ccd-exclusive", S, 0, 0, &Parser::flag, "", ""},
    {"max-clients", S, 1, 1, &Parser::number_option, "", ""},
    {"duplicate-cn", S, 0, 0, &Parser::flag, "", ""},
    {"client-to-client", S, 0, 0, &Parser::flag, "", ""},
    {"connect-freq-initial", S, 2, 2, &Parser::connect_freq_initial, "", ""},
    // TLS
    {"ca", S, 1, 1, &Parser::ca, "", ""},
    {"cert", S, 1, 1, &Parser::cert, "", ""},
    {"key", S, 1, 1, &Parser::key, "", ""},
    {"dh", S, 1, 1, &Parser::dh, "", ""},
    {"tls-version-min", S, 1, 2, &Parser::tls_version, "", ""},
    {"tls-version-max", S, 1, 1, &Parser::tls_version, "", ""},
    {"tls-cipher", S, 1, 1, &Parser::tls_cipher, "", ""},
    {"tls-ciphersuites", S, 1, 1, &Parser::tls_cipher, "", ""},
    {"tls-groups", S, 1, 1, &Parser::tls_cipher, "", ""},
    {"tls-cert-profile", S, 1, 1, &Parser::tls_cert_profile, "", ""},
    {"tls-auth", S, 1, 2, &Parser::static_key, "", ""},
    {"tls-crypt", S, 1, 1, &Parser::static_key, "", ""},
    {"key-direction", S, 1, 1, &Parser::key_direction, "", ""},
    {"tls-crypt-v2", S, 1, 2, &Parser::tls_crypt_v2, "", ""},
    {"tls-crypt-v2-max-age", S, 1, 1, &Parser::number_option, "", ""},
    {"remote-cert-tls", S, 1, 1, &Parser::remote_cert_tls, "", ""},
    {"verify-x509-name", S, 1, 2, &Parser::verify_x509_name, "", ""},
    {"crl-verify", S, 1, 2, &Parser::crl_verify, "", ""},
    {"verify-client-cert", S, 0, 1, &Parser::verify_client_cert, "", ""},
    // the data channel
    {"data-ciphers", S, 1, 1, &Parser::data_ciphers, "", ""},
    {"ncp-ciphers", S, 1, 1, &Parser::data_ciphers, "", ""},
    {"data-ciphers-fallback", S, 1, 1, &Parser::data_ciphers_fallback, "", ""},
    {"auth", S, 1, 1, &Parser::auth, "", ""},
    {"mssfix", S, 0, 2, &Parser::mssfix, "", ""},
    {"compress", S, 0, 1, &Parser::compression, "", ""},
    {"comp-lzo", S, 0, 1, &Parser::compression, "", ""},
    {"allow-compression", S, 1, 1, &Parser::allow_compression, "", ""},
    // time
    {"keepalive", S, 2, 2, &Parser::keepalive, "", ""},
    {"ping", S, 1, 1, &Parser::number_option, "", ""},
    {"ping-restart", S, 1, 1, &Parser::number_option, "", ""},
    {"reneg-sec", S, 1, 2, &Parser::reneg_sec, "", ""},
    {"hand-window", S, 1, 1, &Parser::number_option, "", ""},
    {"tran-window", S, 1, 1, &Parser::number_option, "", ""},
    {"tls-timeout", S, 1, 1, &Parser::number_option, "", ""},
    {"explicit-exit-notify", S, 0, 1, &Parser::number_option, "", ""},
    // operation
    {"verb", S, 1, 1, &Parser::number_option, "", ""},
    {"log", S, 1, 1, &Parser::log, "", ""},
    {"log-append", S, 1, 1, &Parser::log, "", ""},
    {"status", S, 1, 2, &Parser::status, "", ""},
    {"writepid", S, 1, 1, &Parser::writepid, "", ""},
    {"status-version", S, 1, 1, &Parser::number_option, "", ""},
    {"nf-control", S, 1, 1, &Parser::nf_control, "", ""},
    {"management", S, 2, 3, &Parser::management, "", ""},
    {"management-client-user", S, 1, 1, &Parser::management_client, "", ""},
    {"management-client-group", S, 1, 1, &Parser::management_client, "", ""},
    {"management-hold", S, 0, 0, &Parser::flag, "", ""},
    {"management-signal", S, 0, 0, &Parser::flag, "", ""},
    {"management-log-cache", S, 1, 1, &Parser::management_log_cache, "", ""},
    {"cd", S, 1, 1, &Parser::cd, "", ""},

    // no effect here
    {"tun-ipv6", I, 0, 0, nullptr, "tun devices always have IPv6", ""},
    {"persist-tun", I, 0, 0, nullptr, "the device lives as long as the daemon", ""},
    {"persist-key", I, 0, 0, nullptr, "keys are read once", ""},
    {"persist-local-ip", I, 0, 0, nullptr, "addresses are read once", ""},
    {"persist-remote-ip", I, 0, 0, nullptr, "addresses are read once", ""},
    {"cipher", I, 1, 1, nullptr, "the data cipher is negotiated", "use data-ciphers"},
    {"fragment", R, 1, 2, nullptr, "OpenVPN's own fragments are not supported", "lower tun-mtu"},
    {"link-mtu", I, 1, 1, nullptr, kKernelDoes, "use tun-mtu"},
    {"mtu-disc", I, 1, 1, nullptr, kKernelDoes, ""},
    {"fast-io", I, 0, 0, nullptr, "packets are taken as many as there are", ""},
    {"sndbuf", I, 1, 1, nullptr, "few data packets pass through the socket", ""},
    {"rcvbuf", I, 1, 1, nullptr, "few data packets pass through the socket", ""},
    {"txqueuelen", I, 1, 1, nullptr, "few data packets queue at the device", ""},
    {"bcast-buffers", I, 1, 1, nullptr, kKernelDoes, ""},
    {"tcp-queue-limit", I, 1, 1, nullptr, "there is no TCP transport", ""},
    {"hash-size", I, 2, 2, nullptr, "tables grow by themselves", ""},
    {"replay-window", I, 1, 2, nullptr, "the kernel's window has a fixed size", ""},
    {"mute", I, 1, 1, nullptr, "repeated lines are not held back", ""},
    {"mute-replay-warnings", I, 0, 0, nullptr, "replayed packets are counted, not logged", ""},
    {"reneg-bytes", I, 1, 1, nullptr, "the kernel says when a key is worn out", "use reneg-sec"},
    {"reneg-pkts", I, 1, 1, nullptr, "the kernel says when a key is worn out", "use reneg-sec"},
    {"ecdh-curve", I, 1, 1, nullptr, "the curve is negotiated", "use tls-groups"},
    {"ifconfig-pool-persist", I, 1, 2, nullptr,
     "addresses are remembered as long as the daemon runs", ""},
    {"connect-freq", I, 2, 2, nullptr, "first packets and half-open sessions have limits already",
     ""},
    {"disable-occ", I, 0, 0, nullptr, "options are not compared", ""},
    {"opt-verify", I, 0, 0, nullptr, "options are not compared", ""},
    {"ncp-disable", I, 0, 0, nullptr, "ciphers are always negotiated", "use data-ciphers"},
    {"key-method", I, 1, 1, nullptr, "it is always 2", ""},
    {"setenv", I, 1, 2, nullptr, kNoScripts, ""},
    {"setenv-safe", I, 1, 2, nullptr, kNoScripts, ""},
    {"script-security", I, 1, 2, nullptr, kNoScripts, ""},
    {"nice", I, 1, 1, nullptr, kRunFrom, ""},
    {"suppress-timestamps", I, 0, 0, nullptr, "lines always bear the time", ""},
    {"management-forget-disconnect", I, 0, 0, nullptr, "no password is kept", ""},
    {"management-query-passwords", I, 0, 0, nullptr, "there is no password to ask for", ""},
    {"management-up-down", I, 0, 0, nullptr, "the device is there as long as the daemon", ""},
    {"machine-readable-output", I, 0, 0, nullptr, "there is one format", ""},
    {"syslog", I, 0, 1, nullptr, "lines go to standard output", kRunFrom},

    // an error, since leaving it out would change what the administrator asked for
    {"daemon", R, 0, 1, nullptr, "the daemon stays in the foreground", kRunFrom},
    {"user", R, 1, 1, nullptr, "privileges are not dropped yet", kRunFrom},
    {"group", R, 1, 1, nullptr, "privileges are not dropped yet", kRunFrom},
    {"chroot", R, 1, 1, nullptr, "not supported", kRunFrom},
    {"inetd", R, 0, 2, nullptr, "not supported", ""},
    {"mlock", R, 0, 0, nullptr, "not supported", kRunFrom},
    {"client", R, 0, 0, nullptr, kServerOnly, ""},
    {"pull", R, 0, 0, nullptr, kServerOnly, ""},
    {"tls-client", R, 0, 0, nullptr, kServerOnly, ""},
    {"remote", R, 1, 3, nullptr, kServerOnly, ""},
    {"nobind", R, 0, 0, nullptr, kServerOnly, ""},
    {"rport", R, 1, 1, nullptr, kServerOnly, ""},
    {"secret", R, 1, 2, nullptr, "static keys have no forward secrecy", "use ca, cert and key"},
    {"tls-crypt-v2-verify", R, 1, 1, nullptr, kNoScripts, "use tls-crypt-v2-max-age"},
    {"pkcs12", R, 1, 1, nullptr, "not supported", "convert it by openssl pkcs12 to PEM files"},
    {"capath", R, 1, 1, nullptr, "not supported", "put the certificates into the file of ca"},
    {"extra-certs", R, 1, 1, nullptr, "not supported",
     "append the certificates to the file of cert"},
    {"askpass", R, 0, 1, nullptr, "keys with a pass phrase are not supported",
     "decrypt the key by openssl pkey"},
    {"x509-username-field", R, 1, 8, nullptr, "clients are known by their common name", ""},
    {"tls-verify", R, 1, 2, nullptr, kNoScripts, ""},
    {"remote-cert-ku", R, 0, kAny, nullptr, "not supported", "use remote-cert-tls client"},
    {"remote-cert-eku", R, 1, 1, nullptr, "not supported", "use remote-cert-tls client"},
    {"auth-user-pass-verify", R, 1, 2, nullptr, kNoScripts, ""},
    {"auth-user-pass-optional", R, 0, 0, nullptr, "client certificates are required", ""},
    {"client-cert-not-required", R, 0, 0, nullptr, "client certificates are required", ""},
    {"username-as-common-name", R, 0, 0, nullptr, "clients are known by their common name", ""},
    {"auth-gen-token", R, 0, 3, nullptr, "user names and passwords are not checked yet", ""},
    {"plugin", R, 1, kAny, nullptr, kNoScripts, ""},
    {"up", R, 1, 1, nullptr, kNoScripts, ""},
    {"down", R, 1, 1, nullptr, kNoScripts, ""},
    {"route-up", R, 1, 1, nullptr, kNoScripts, ""},
    {"ipchange", R, 1, 1, nullptr, kNoScripts, ""},
    {"client-connect", R, 1, 1, nullptr, kNoScripts, ""},
    {"client-disconnect", R, 1, 1, nullptr, kNoScripts, ""},
    {"learn-address", R, 1, 1, nullptr, kNoScripts, ""},
    {"iroute", R, 1, 2, nullptr, kOfOneClient, ""},
    {"iroute-ipv6", R, 1, 1, nullptr, kOfOneClient, ""},
    {"push-reset", R, 0, 0, nullptr, kOfOneClient, ""},
    {"disable", R, 0, 0, nullptr, kOfOneClient, ""},
    {"ifconfig-push", R, 2, 3, nullptr, "fixed addresses of clients are not supported yet", ""},
    {"management-client", R, 0, 0, nullptr, "the management interface only listens", ""},
    {"management-client-auth", R, 0, 0, nullptr,
     "clients cannot be authenticated by the management interface yet", ""},
    {"management-client-pf", R, 0, 0, nullptr, "OpenVPN itself has it no more",
     "filter by rules of nftables"},
    {"management-external-key", R, 0, 3, nullptr, "not supported", "use key"},
    {"management-external-cert", R, 1, 1, nullptr, "not supported", "use cert"},
    {"management-query-proxy", R, 0, 0, nullptr, kServerOnly, ""},
    {"management-query-remote", R, 0, 0, nullptr, kServerOnly, ""},
    {"server-bridge", R, 0, kAny, nullptr, "TAP devices are not supported", "use dev tun"},
    {"ifconfig-ipv6", R, 1, 2, nullptr, "not supported yet", kServerIpv6},
    {"ifconfig-ipv6-pool", R, 1, 1, nullptr, "not supported yet", kServerIpv6},
    {"port-share", R, 2, 3, nullptr, "there is no TCP transport", ""},
    {"vlan-tagging", R, 0, 0, nullptr, "TAP devices are not supported", ""},
    {"passtos", R, 0, 0, nullptr, "not supported yet", ""},
    {"mark", R, 1, 1, nullptr, "not supported yet", "mark the packets by a rule of nftables"},
    {"bind-dev", R, 1, 1, nullptr, "not supported yet", ""},
    {"force-tls-key-material-export", R, 0, 0, nullptr, "not supported yet", ""},
};

const Option* Parser::find(std::string_view name) {
    auto at = std::find_if(std::begin(kOptions), std::end(kOptions),
                           [name](const Option& option) { return option.name == name; });
    return at == std::end(kOptions) ? nullptr : at;
}

// How many letters must be added, removed or replaced to make one word of the other.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); j++)
        row[j] = j;
    for (std::size_t i = 1; i <= a.size(); i++) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); j++) {
            auto substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
        }
    }
    return row[b.size()];
}

void Parser::apply(const Directive& d) {
    const Option* option = find(d.name);
    if (!option) {
        std::string hint;
        std::size_t best = 3;
        for (const auto& other : kOptions) {
            auto away = distance(d.name.substr(0, 64), other.name);
            if (away < best) {
                best = away;
                hint = std::string("did you mean ") + other.name + "?";
            }
        }
        error(d, "unknown option", hint);
        out_.uses.push_back({d.line, d.name, Treatment::Refused});
        return;
    }
    out_.uses.push_back({d.line, d.name, option->treatment});
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
        "ca", "cert", "key", "dh", "tls-auth", "tls-crypt", "tls-crypt-v2"};
    if (d.is_inline && !kTakeBlock.contains(d.name)) {
        error(d, "cannot be a <block>");
        return;
    }
    bool may_repeat = d.name == "push" || d.name == "route" || d.name == "route-ipv6";
    if (!seen_.insert(d.name).second && !may_repeat)
        warn(d, "given more than once; this line counts");
    (this->*option->handler)(d);
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
    const bool udp6 = proto_ && proto_->args[0] == "udp6";
    const bool udp4 = proto_ && proto_->args[0] == "udp4";
    c.ipv6 = udp6 || (c.local && !c.local->is_ipv4());
    c.ipv6_only = ipv6_only_.has_value();
    if (udp4 && c.ipv6)
        error(*proto_, "local is an IPv6 address", "use proto udp6");
    if (udp6 && c.local && c.local->is_ipv4())
        error(*proto_, "local is an IPv4 address", "use proto udp4");
    if (c.ipv6_only && !c.ipv6)
        error(*ipv6_only_, "the transport is IPv4", "use proto udp6");
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
    const auto& p = d.args[0];
    if (p == "udp" || p == "udp4" || p == "udp6")
        proto_ = d;
    else if (p.starts_with("tcp"))
        error(d, "TCP needs a data path in userspace, which is not there yet", "use proto udp");
    else
        error(d, "\"" + p + "\" is no transport protocol", "use proto udp");
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
    else if (d.name == "client-to-client")
        warn(d, "packets between clients pass the kernel's FORWARD rules, which decide");
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
    }
    config().routes.push_back(out);
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

// What an option about compression means when nothing is compressed; nothing if it compresses.
std::optional<Framing> framing_of(const std::string& option, const std::string& word) {
    if (option == "comp-lzo")
        return word == "no" ? std::optional(Framing::Stub) : std::nullopt;
    if (word.empty() || word == "stub")
        return Framing::StubSwap;
    if (word == "stub-v2")
        return Framing::StubV2;
    return word == "migrate" ? std::optional(Framing::None) : std::nullopt;
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
    if (!d.args.empty())
        only(d, "require", "client certificates are required");
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
    config().log_file = d.args[0];
    config().log_append = d.name == "log-append";
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
                  "iroute, iroute-ipv6, push, push-reset and disable are");
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

ParsedConfig parse_server_config(std::string_view text, const FileReader& file_reader) {
    return Parser(file_reader).run(text);
}

} // namespace nfovpn::config
