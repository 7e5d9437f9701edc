// SPDX-License-Identifier: GPL-2.0-or-later
//
// What each option that both roles have does; see option_parser.h.

#include "config/option_parser.h"

#include "config/pkcs12.h"
#include "util/openssl_ptr.h"
#include "util/secret.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <iomanip>
#include <iterator>
#include <map>
#include <sstream>
#include <system_error>
#include <tuple>

namespace nfovpn::config {

namespace {

// Both OpenVPN's own.
constexpr std::uint32_t kUsualMtu = 1500;
constexpr std::uint32_t kDefaultMssFix = 1492;

constexpr const char* kCiphers = "AES with GCM or CBC and 128, 192 or 256 bits, "
                                 "CHACHA20-POLY1305 and none are";
// Findings of each severity.
constexpr std::size_t kMostFindings = 1000;
// Options whose names are guessed.
constexpr std::size_t kMostGuesses = 50;

constexpr const char* kDirections = "0, which is usual at a server, or 1, which is at a client";

Role other(Role role) {
    return role == Role::Server ? Role::Client : Role::Server;
}

// "5F:3A:...", 32 bytes; nothing if it is none.
std::optional<std::array<std::uint8_t, 32>> parse_fingerprint(std::string_view text) {
    std::array<std::uint8_t, 32> out{};
    if (text.size() != 3 * out.size() - 1)
        return std::nullopt;
    for (std::size_t i = 0; i < out.size(); i++) {
        const char* digits = text.data() + 3 * i;
        auto [end, code] = std::from_chars(digits, digits + 2, out[i], 16);
        if (code != std::errc{} || end != digits + 2 || (i > 0 && digits[-1] != ':'))
            return std::nullopt;
    }
    return out;
}

} // namespace

// Of every option that the table has as supported for both roles.
const OptionParser::HandlerOf OptionParser::kHandlers[] = {
    {"local", &OptionParser::local},
    {"dev", &OptionParser::dev},
    {"dev-type", &OptionParser::dev_type},
    {"tun-mtu", &OptionParser::number_option},
    {"plugin", &OptionParser::plugin},
    {"max-packet-size", &OptionParser::number_option},
    {"mark", &OptionParser::number_option},
    {"route-table", &OptionParser::number_option},
    {"passtos", &OptionParser::flag},
    {"block-ipv6", &OptionParser::flag},
    {"multihome", &OptionParser::flag},
    {"float", &OptionParser::flag},
    {"nf-fastpath", &OptionParser::nf_fastpath},
    {"disable-dco", &OptionParser::flag},
    {"ca", &OptionParser::ca},
    {"peer-fingerprint", &OptionParser::peer_fingerprint},
    {"cert", &OptionParser::cert},
    {"key", &OptionParser::key},
    {"tls-version-min", &OptionParser::tls_version},
    {"tls-version-max", &OptionParser::tls_version},
    {"tls-cipher", &OptionParser::tls_cipher},
    {"tls-ciphersuites", &OptionParser::tls_cipher},
    {"tls-groups", &OptionParser::tls_cipher},
    {"tls-cert-profile", &OptionParser::tls_cert_profile},
    {"tls-auth", &OptionParser::static_key},
    {"tls-crypt", &OptionParser::static_key},
    {"key-direction", &OptionParser::key_direction},
    {"remote-cert-tls", &OptionParser::remote_cert_tls},
    {"verify-x509-name", &OptionParser::verify_x509_name},
    {"crl-verify", &OptionParser::crl_verify},
    {"data-ciphers", &OptionParser::data_ciphers},
    {"ncp-ciphers", &OptionParser::data_ciphers},
    {"data-ciphers-fallback", &OptionParser::data_ciphers_fallback},
    {"auth", &OptionParser::auth},
    {"mssfix", &OptionParser::mssfix},
    {"fragment", &OptionParser::fragment},
    {"compress", &OptionParser::compression},
    {"comp-lzo", &OptionParser::compression},
    {"allow-compression", &OptionParser::allow_compression},
    {"ping", &OptionParser::number_option},
    {"ping-restart", &OptionParser::ping_exit},
    {"ping-exit", &OptionParser::ping_exit},
    {"inactive", &OptionParser::inactive},
    {"session-timeout", &OptionParser::number_option},
    {"dev-node", &OptionParser::dev_node},
    {"providers", &OptionParser::providers},
    {"capath", &OptionParser::capath},
    {"bind-dev", &OptionParser::bind_dev},
    {"verify-hash", &OptionParser::verify_hash},
    {"compat-mode", &OptionParser::compat_mode},
    {"cipher", &OptionParser::cipher},
    {"extra-certs", &OptionParser::extra_certs},
    {"askpass", &OptionParser::askpass},
    {"pkcs12", &OptionParser::pkcs12},
    {"x509-username-field", &OptionParser::x509_username_field},
    {"ns-cert-type", &OptionParser::ns_cert_type},
    {"remote-cert-ku", &OptionParser::remote_cert_ku},
    {"remote-cert-eku", &OptionParser::remote_cert_eku},
    {"daemon", &OptionParser::daemon},
    {"reneg-sec", &OptionParser::reneg_sec},
    {"hand-window", &OptionParser::number_option},
    {"tran-window", &OptionParser::number_option},
    {"tls-timeout", &OptionParser::number_option},
    {"verb", &OptionParser::number_option},
    {"log", &OptionParser::log},
    {"log-append", &OptionParser::log},
    {"syslog", &OptionParser::syslog},
    {"mute", &OptionParser::number_option},
    {"suppress-timestamps", &OptionParser::flag},
    {"machine-readable-output", &OptionParser::flag},
    {"writepid", &OptionParser::writepid},
    {"cd", &OptionParser::done_already},
    {"config", &OptionParser::done_already},
    {"user", &OptionParser::user_or_group},
    {"group", &OptionParser::user_or_group},
    {"nf-seccomp", &OptionParser::nf_seccomp},
    {"nice", &OptionParser::nice},
    {"mlock", &OptionParser::flag},
    {"ignore-unknown-option", &OptionParser::done_already},
    {"route-metric", &OptionParser::route_metric},
    {"script-security", &OptionParser::number_option},
    {"setenv", &OptionParser::setenv},
    {"setenv-safe", &OptionParser::setenv},
    {"tmp-dir", &OptionParser::tmp_dir},
    {"up", &OptionParser::device_program},
    {"route-up", &OptionParser::device_program},
    {"down", &OptionParser::device_program},
    {"tcp-queue-limit", &OptionParser::number_option},
    {"management", &OptionParser::management},
    {"management-client-user", &OptionParser::management_client},
    {"management-client-group", &OptionParser::management_client},
    {"management-hold", &OptionParser::flag},
    {"management-signal", &OptionParser::flag},
    {"management-log-cache", &OptionParser::management_log_cache},
};

// What must be known before any option is looked at, wherever it stands.
void OptionParser::look_ahead(std::vector<Directive>& directives) {
    std::set<std::string> blocks;
    for (const auto& d : directives) {
        if (d.is_inline)
            blocks.insert(d.name);
        else if (d.name == "ignore-unknown-option")
            may_be_unknown_.insert(d.args.begin(), d.args.end());
        else if (d.name == "setenv" && d.args.size() == 2 && d.args[0] == "FORWARD_COMPATIBLE" &&
                 d.args[1] == "1")
            forward_compatible_ = true;
        else if (d.name == "cd" && d.args.size() == 1)
            config().directory = path_of(d);
    }
    // "ca [inline]" says that there is a block, as old files do.
    std::erase_if(directives, [&](const Directive& d) {
        return !d.is_inline && !d.args.empty() && d.args[0] == "[inline]" &&
               blocks.contains(d.name);
    });
}

void OptionParser::run(GivenOptions options) {
    auto& directives = options.directives;
    look_up_names_ = options.look_up_names;
    out_.findings = std::move(options.findings);
    look_ahead(directives);
    for (auto& directive : directives) {
        optional_ = false;
        apply(directive);
        // It may have been a key.
        if (directive.is_inline)
            wipe(directive.args[0]);
    }
    optional_ = false;
    finish();
    std::stable_sort(out_.findings.begin(), out_.findings.end(),
                     [](const Finding& a, const Finding& b) {
                         return std::tie(a.file, a.line) < std::tie(b.file, b.line);
                     });
}

// A file may be of any size; what is said about it is not. Errors are counted apart, so that
// warnings hide none.
void OptionParser::add(Finding finding) {
    auto& count = findings_[finding.severity == Severity::Error ? 1 : 0];
    if (count < kMostFindings)
        out_.findings.push_back(std::move(finding));
    else if (count == kMostFindings)
        out_.findings.push_back({finding.severity, finding.line,
                                 "more lines are wrong than are told here", "", finding.file});
    count++;
}

void OptionParser::apply(const Directive& d) {
    // "setenv opt NAME WORD…" is that option where it is known.
    if (d.name == "setenv" && d.args.size() >= 2 && d.args[0] == "opt") {
        const Directive inner{d.args[1], {d.args.begin() + 2, d.args.end()}, false, d.line, d.file};
        const auto* own = find_option(inner.name, role_);
        const bool unknown = !own && !find_option(inner.name, other(role_));
        if (unknown || (own && own->is_removed())) {
            out_.uses.push_back({d.line, d.name, Treatment::Ignored, d.file});
            warn(d, "ignored: no such option is known");
            return;
        }
        optional_ = true;
        apply(inner);
        return;
    }
    const Option* option = find_option(d.name, role_);
    out_.uses.push_back({d.line, d.name, option ? option->treatment : Treatment::Refused, d.file});
    if (!option && find_option(d.name, other(role_))) {
        error(d, role_ == Role::Server ? "only a client has it" : "only a server has it");
        return;
    }
    if (!option) {
        unknown(d);
        return;
    }
    if (option->treatment == Treatment::Refused) {
        error(d, option->reason, option->hint);
        return;
    }
    if (d.args.size() < option->min_args || d.args.size() > option->max_args) {
        const auto* what =
            d.args.size() < option->min_args ? "a word is missing" : "too many words";
        if (optional_ || forward_compatible_)
            warn(d, std::string("ignored: ") + what);
        else
            error(d, what);
        return;
    }
    if (option->treatment == Treatment::Ignored) {
        warn(d, std::string("ignored: ") + option->reason, option->hint);
        return;
    }
    static const std::set<std::string_view> kTakeBlock = {"ca",
                                                          "cert",
                                                          "key",
                                                          "dh",
                                                          "tls-auth",
                                                          "tls-crypt",
                                                          "tls-crypt-v2",
                                                          "auth-gen-token-secret",
                                                          "connection",
                                                          "auth-user-pass",
                                                          "crl-verify",
                                                          "peer-fingerprint",
                                                          "http-proxy-user-pass"};
    if (d.is_inline && !kTakeBlock.contains(d.name)) {
        error(d, "cannot be a <block>");
        return;
    }
    static const std::set<std::string_view> kMayRepeat = {
        "push",        "cd",         "config",           "route",
        "route-ipv6",  "setenv",     "setenv-safe",      "ignore-unknown-option",
        "remote",      "connection", "pull-filter",      "dns",
        "dhcp-option", "echo",       "peer-fingerprint", "http-proxy-option",
        "plugin"};
    const bool may_repeat = kMayRepeat.contains(d.name);
    if (!seen_.insert(d.name).second && !may_repeat)
        warn(d, "given more than once; this line counts");
    // 0 is for "not at all".
    if ((d.name.starts_with("ping-") || d.name == "ping") && d.args.size() == 1 && d.args[0] != "0")
        pings_.insert(d.name);
    const auto own = role_handlers();
    const auto is_it = [&d](const HandlerOf& h) { return h.option == d.name; };
    auto of = std::find_if(own.begin(), own.end(), is_it);
    if (of != own.end())
        (this->*of->handler)(d);
    else
        (this->*std::find_if(std::begin(kHandlers), std::end(kHandlers), is_it)->handler)(d);
    if (d.name.starts_with("management-"))
        management_use_ = d;
    // The filter for system calls must let them: with any of these that the table has as supported.
    static const std::set<std::string_view> kPrograms = {
        "auth-user-pass-verify", "client-connect", "client-crresponse",
        "client-disconnect",     "down",           "ipchange",
        "learn-address",         "route-pre-down", "route-up",
        "tls-crypt-v2-verify",   "tls-verify",     "up"};
    if (kPrograms.contains(d.name))
        config().runs_programs = true;
}

void OptionParser::unknown(const Directive& d) {
    if (may_be_unknown_.contains(d.name) || forward_compatible_) {
        out_.uses.back().treatment = Treatment::Ignored;
        warn(d, may_be_unknown_.contains(d.name)
                    ? "ignored: unknown, as ignore-unknown-option allows"
                    : "ignored: unknown, as setenv FORWARD_COMPATIBLE allows");
        return;
    }
    // Comparing with all names takes its time.
    auto nearest = unknown_++ < kMostGuesses ? nearest_option(d.name) : std::string_view();
    error(d, "unknown option", nearest.empty() ? "" : "did you mean " + std::string(nearest) + "?");
}

std::optional<std::uint32_t> OptionParser::number(const Directive& d, std::size_t index,
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

std::optional<Ipv4> OptionParser::address(const Directive& d, std::size_t index) {
    auto value = parse_ipv4(d.args[index]);
    if (!value)
        error(d, "\"" + d.args[index] + "\" is not an IPv4 address");
    return value;
}

std::optional<Network> OptionParser::network(const Directive& d, std::size_t index) {
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

std::string OptionParser::path_of(const Directive& d, std::size_t index) {
    const auto& directory = config().directory;
    const auto& path = d.args[index];
    return directory.empty() || path.starts_with('/') ? path : directory + "/" + path;
}

std::optional<std::string> OptionParser::contents(const Directive& d) {
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
bool OptionParser::only(const Directive& d, std::string_view word, const std::string& reason) {
    if (d.args[0] == word)
        return true;
    error(d, reason, "use " + d.name + " " + std::string(word));
    return false;
}

// An address, or a name, which is looked up when the file is read; "*" is any.
void OptionParser::local(const Directive& d) {
    config().local.reset();
    if (d.args[0] == "*")
        return;
    config().local = parse_address(d.args[0]);
    if (!config().local)
        config().local = look_up(d.args[0], false);
    if (!config().local)
        error(d, "\"" + d.args[0] + "\" is no address, and no name of one");
}

const NumberOption<CommonConfig> kNumberOptions[] = {
    {"tun-mtu", 576, 65535, [](auto& c, auto v) { c.tun_mtu = v; }},
    {"max-packet-size", 154, 2048, [](auto& c, auto v) { c.max_packet_size = v; }},
    {"mark", 0, 0xffffffff, [](auto& c, auto v) { c.mark = v; }},
    {"route-table", 0, 0x7fffffff, [](auto& c, auto v) { c.route_table = v; }},
    {"tcp-queue-limit", 1, 65536, [](auto& c, auto v) { c.tcp_queue_limit = v; }},
    {"ping", 0, 86400, [](auto& c, auto v) { c.ping = v; }},
    {"ping-restart", 0, 86400, [](auto& c, auto v) { c.ping_restart = v; }},
    {"ping-exit", 0, 86400, [](auto& c, auto v) { c.ping_restart = v; }},
    {"inactive", 0, 0x7fffffff, [](auto& c, auto v) { c.inactive = v; }},
    {"session-timeout", 0, 0x7fffffff, [](auto& c, auto v) { c.session_timeout = v; }},
    {"reneg-sec", 0, 1U << 30, [](auto& c, auto v) { c.reneg_sec = std::chrono::seconds(v); }},
    {"hand-window", 1, 86400, [](auto& c, auto v) { c.hand_window = std::chrono::seconds(v); }},
    {"tran-window", 1, 1U << 30, [](auto& c, auto v) { c.tran_window = std::chrono::seconds(v); }},
    {"tls-timeout", 1, 60, [](auto& c, auto v) { c.tls_timeout = std::chrono::seconds(v); }},
    {"script-security", 0, 3, [](auto& c, auto v) { c.script_security = static_cast<int>(v); }},
    {"mute", 0, 1U << 30, [](auto& c, auto v) { c.log.mute = v; }},
    {"verb", 0, 0x7fffffff,
     [](auto& c, auto v) { c.verb = static_cast<int>(std::min(v, std::uint32_t{15})); }},
};

void OptionParser::number_option(const Directive& d) {
    set_number<CommonConfig>(kNumberOptions, d, config());
}

void OptionParser::reneg_sec(const Directive& d) {
    number_option(d);
    if (config().reneg_sec.count() > 0 && config().reneg_sec < std::chrono::seconds(5)) {
        warn(d, "less than 5 seconds leave no time between two negotiations, so it is 5");
        config().reneg_sec = std::chrono::seconds(5);
    }
    if (d.args.size() > 1)
        warn(d, "the second number has no effect: the time varies between 90 % and all of it");
}

// Of both the later one counts.
void OptionParser::ping_exit(const Directive& d) {
    number_option(d);
    config().ping_exit = d.name == "ping-exit";
}

void OptionParser::inactive(const Directive& d) {
    number_option(d);
    config().inactive_bytes = 0;
    if (d.args.size() > 1) {
        const auto& word = d.args[1];
        auto [end, code] =
            std::from_chars(word.data(), word.data() + word.size(), config().inactive_bytes);
        if (code != std::errc{} || end != word.data() + word.size())
            error(d, "\"" + word + "\" is no number of bytes");
    }
}

void OptionParser::dev_node(const Directive& d) {
    config().device_node = d.args[0];
}

void OptionParser::providers(const Directive& d) {
    config().providers = d.args;
}

void OptionParser::ns_cert_type(const Directive& d) {
    warn(d, "this extension of certificates is old",
         role_ == Role::Server ? "use remote-cert-tls client" : "use remote-cert-tls server");
    if (d.args[0] == "client")
        config().certificate_purpose = CertificatePurpose::Client;
    else if (d.args[0] == "server")
        config().certificate_purpose = CertificatePurpose::Server;
    else
        error(d, "\"" + d.args[0] + "\" is not understood", "client or server");
}

void OptionParser::bind_dev(const Directive& d) {
    constexpr std::size_t kLongestName = 15; // IFNAMSIZ
    if (d.args[0].empty() || d.args[0].size() > kLongestName)
        error(d, "\"" + d.args[0] + "\" cannot be the name of a network device");
    config().bind_device = d.args[0];
}

// Of the authority that has signed the peer's certificate; SHA1 unless SHA256 is said.
void OptionParser::verify_hash(const Directive& d) {
    const bool sha256 = d.args.size() > 1 && d.args[1] == "SHA256";
    if (d.args.size() > 1 && !sha256 && d.args[1] != "SHA1")
        error(d, "\"" + d.args[1] + "\" is not understood", "SHA1 or SHA256 may follow");
    const std::size_t bytes = sha256 ? 32 : 20;
    auto text = d.args[0];
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    bool well = text.size() == 3 * bytes - 1;
    for (std::size_t i = 0; well && i < text.size(); i++)
        well =
            i % 3 == 2 ? text[i] == ':' : std::isxdigit(static_cast<unsigned char>(text[i])) != 0;
    if (!well)
        error(d, "not " + std::to_string(bytes) + " bytes in hexadecimal with colons between");
    warn(d, "such hashes are old", "use peer-fingerprint");
    config().authority_hash = text;
}

// "2.5.0"; what was otherwise in that release is set in finish_compatibility() and by the roles.
void OptionParser::compat_mode(const Directive& d) {
    std::array<int, 3> part{};
    const auto& text = d.args[0];
    const char* at = text.data();
    const char* const end = at + text.size();
    bool well = true;
    for (std::size_t i = 0; well && i < part.size(); i++) {
        const auto [next, code] = std::from_chars(at, end, part[i]);
        const bool last = i + 1 == part.size();
        well = code == std::errc{} && part[i] >= 0 && part[i] < 100 &&
               (last ? next == end : next != end && *next == '.');
        at = last ? next : next + 1;
    }
    if (!well) {
        error(d, "\"" + text + "\" is no release", "compat-mode 2.5.0");
        return;
    }
    compatible_ = part[0] * 10000 + part[1] * 100 + part[2];
}

void OptionParser::cipher(const Directive& d) {
    cipher_ = d;
}

void OptionParser::finish_compatibility() {
    auto& c = config();
    if (compatible_ > 0)
        warn("compat-mode: nothing older than TLS 1.2, and no cipher with blocks of 64 bits, is "
             "offered, whatever it says",
             "");
    const auto known = cipher_ ? cipher_by_name(cipher_->args[0]) : std::nullopt;
    if (older_than(20500) && known) {
        if (!c.fallback_cipher && !seen("data-ciphers-fallback"))
            c.fallback_cipher = known;
        if (std::find(c.data_ciphers.begin(), c.data_ciphers.end(), *known) == c.data_ciphers.end())
            c.data_ciphers.push_back(*known);
    } else if (cipher_ && point_to_point()) {
        // Whoever negotiates does not need it, and everybody else uses it.
        if (!c.fallback_cipher && known)
            c.fallback_cipher = known;
    } else if (cipher_) {
        warn(*cipher_, "ignored: the data cipher is negotiated", "use data-ciphers");
    }
    if (older_than(20600) && !seen("compress") && !seen("comp-lzo") && !allow_compression_)
        c.may_unpack = true;
}

void OptionParser::finish_keepalive() {
    for (const char* name : {"ping", "ping-restart", "ping-exit"}) {
        if (seen("keepalive") && pings_.contains(name))
            error("keepalive sets " + std::string(name) + ", which is there too",
                  "remove one of them");
    }
}

// The first address of a name; nothing if it has none.
std::optional<Address> OptionParser::look_up(const std::string& name, bool ipv4_only) {
    if (!look_up_names_)
        return std::nullopt;
    addrinfo hints{};
    hints.ai_family = ipv4_only ? AF_INET : AF_UNSPEC;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0 || !found)
        return std::nullopt;
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(found->ai_addr, found->ai_addrlen, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) != 0)
        return std::nullopt;
    return parse_address(text.data());
}

// Whether OpenSSL has it, so that it is no mistake.
bool OptionParser::known_elsewhere(const std::string& cipher) {
    const CipherPtr found(EVP_CIPHER_fetch(nullptr, cipher.c_str(), nullptr));
    ERR_clear_error();
    return found != nullptr;
}

void OptionParser::capath(const Directive& d) {
    config().ca_directory = std::filesystem::absolute(path_of(d)).string();
    if (!std::filesystem::is_directory(config().ca_directory))
        error(d, config().ca_directory + " is no directory");
}

void OptionParser::extra_certs(const Directive& d) {
    config().extra_certificates = contents(d).value_or("");
}

// The first line of the file.
void OptionParser::askpass(const Directive& d) {
    config().ask_pass_phrase = d.args.empty() || d.args[0] == "stdin";
    if (config().ask_pass_phrase)
        return;
    auto text = contents(d);
    if (!text)
        return;
    const auto line = std::string_view(*text).substr(0, text->find_first_of("\r\n"));
    if (line.empty())
        error(d, "the first line is empty", "it is to be the pass phrase");
    config().pass_phrase = SecretBytes(as_bytes(line));
    wipe(*text);
}

// A block has it in base64.
void OptionParser::pkcs12(const Directive& d) {
    auto text = contents(d);
    if (!text)
        return;
    pkcs12_ = Directive{d.name, {}, d.is_inline, d.line, d.file};
    pkcs12_data_ = SecretBytes(as_bytes(*text));
    wipe(*text);
}

// When the pass phrase is known, wherever that stands.
void OptionParser::finish_pkcs12() {
    if (!pkcs12_)
        return;
    auto& c = config();
    for (const char* name : {"cert", "key"}) {
        if (seen(name))
            error(*pkcs12_, std::string(name) + " is there too", "remove one of them");
    }
    auto found = open_pkcs12(pkcs12_data_.view(), pkcs12_->is_inline, c.pass_phrase.view());
    if (!found) {
        error(*pkcs12_, found.error());
        return;
    }
    c.certificate = std::move(found->certificate);
    c.private_key = std::move(found->private_key);
    if (c.ca.empty() && !seen("ca"))
        c.ca = std::move(found->authorities);
    else
        c.extra_certificates += found->authorities;
    // As if they were there by themselves.
    seen_.insert({"cert", "key"});
    if (!c.ca.empty())
        seen_.insert("ca");
}

void OptionParser::x509_username_field(const Directive& d) {
    config().name_fields = d.args;
    for (const auto& field : d.args) {
        const bool extension = field.starts_with("ext:");
        if (extension && field != "ext:subjectAltName")
            error(d, field + " is no extension with a name", "ext:subjectAltName");
        else if (!extension && field != "serialNumber" && !is_subject_field(field))
            error(d, "\"" + field + "\" is no field of a certificate's subject", "CN, or UID");
    }
}

void OptionParser::remote_cert_ku(const Directive& d) {
    constexpr std::uint32_t kAnyUse = 0xffff;
    auto& out = config().remote_cert_ku;
    out.clear();
    for (const auto& word : d.args) {
        std::uint32_t bits = 0;
        const auto digits = word.starts_with("0x") ? word.substr(2) : word;
        auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), bits, 16);
        if (code != std::errc{} || end != digits.data() + digits.size() || bits == 0 ||
            bits > kAnyUse)
            error(d, "\"" + word + "\" is no key usage", "hexadecimal numbers, as a0 88");
        else
            out.push_back(bits);
    }
    if (d.args.empty())
        out.push_back(kAnyUse);
}

void OptionParser::remote_cert_eku(const Directive& d) {
    if (d.args[0].empty())
        error(d, "no extended key usage is named", "\"TLS Web Server Authentication\", or an OID");
    config().remote_cert_eku = d.args[0];
}

// The log goes to syslog then, unless there is a file for it.
void OptionParser::daemon(const Directive& d) {
    config().detach = true;
    if (!d.args.empty())
        config().log.name = d.args[0];
}

void OptionParser::dev(const Directive& d) {
    const auto& name = d.args[0];
    // IFNAMSIZ, with its terminating zero
    if (name.size() > 15 || name.find('/') != std::string::npos || name.empty() || name == "." ||
        name == ".." || name.find('%') != std::string::npos)
        error(d, "\"" + name + "\" cannot be the name of a network device");
    else
        config().device = name;
}

void OptionParser::dev_type(const Directive& d) {
    if (d.args[0] == "tun" || d.args[0] == "tap")
        dev_type_ = d;
    else
        error(d, "\"" + d.args[0] + "\" is not understood", "tun or tap");
}

void OptionParser::flag(const Directive& d) {
    if (d.name == "disable-dco")
        config().kernel_data_path = false;
    else if (d.name == "passtos")
        config().passtos = true;
    else if (d.name == "block-ipv6")
        config().block_ipv6 = true;
    else if (d.name == "machine-readable-output")
        config().log.stamp = log::Stamp::Machine;
    else if (d.name == "suppress-timestamps" && config().log.stamp != log::Stamp::Machine)
        config().log.stamp = log::Stamp::None;
    else if (d.name == "mlock")
        config().mlock = true;
    else if (d.name == "management-hold")
        management_.hold = true;
    else if (d.name == "management-signal")
        management_.restart_on_disconnect = true;
}

void OptionParser::route_metric(const Directive& d) {
    route_metric_ = number(d, 0, 0, 0x7fffffff);
}

void OptionParser::ca(const Directive& d) {
    const auto text = contents(d);
    // Nothing in it must not mean that no authority is needed.
    if (text && text->empty())
        error(d, "there is no certificate in it");
    config().ca = text.value_or("");
}

// One, or a block with one in each line that is not empty or a comment.
void OptionParser::peer_fingerprint(const Directive& d) {
    std::istringstream lines(d.args[0]);
    for (std::string line; std::getline(lines, line);) {
        const auto first = line.find_first_not_of(" \t\r");
        if (first == std::string::npos || line[first] == '#' || line[first] == ';')
            continue;
        const auto word = line.substr(first, line.find_last_not_of(" \t\r") + 1 - first);
        if (auto fingerprint = parse_fingerprint(word))
            config().fingerprints.push_back(*fingerprint);
        else
            error(d, "\"" + word + "\" is no fingerprint by SHA-256",
                  "openssl x509 -fingerprint -sha256 -noout -in FILE shows it");
    }
    if (config().fingerprints.empty())
        error(d, "no fingerprint is given");
}

void OptionParser::cert(const Directive& d) {
    config().certificate = contents(d).value_or("");
}

void OptionParser::key(const Directive& d) {
    auto text = contents(d);
    if (!text)
        return;
    std::string& pem = *text;
    config().private_key = SecretBytes(as_bytes(pem));
    wipe(pem);
}

void OptionParser::tls_version(const Directive& d) {
    int version = 0;
    const bool older = d.args[0] == "1.0" || d.args[0] == "1.1";
    if (older && d.name == "tls-version-min") {
        warn(d, "nothing older than 1.2 is offered or taken");
        version = 12;
    } else if (d.args[0] == "1.2")
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

void OptionParser::tls_cipher(const Directive& d) {
    if (d.name == "tls-ciphersuites")
        config().tls_ciphersuites = d.args[0];
    else if (d.name == "tls-groups")
        config().tls_groups = d.args[0];
    else
        config().tls_cipher = d.args[0];
}

void OptionParser::tls_cert_profile(const Directive& d) {
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

void OptionParser::static_key(const Directive& d) {
    auto text = contents(d);
    if (!text)
        return;
    auto key = wire::parse_static_key(*text);
    wipe(*text);
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
        error(d, "\"" + d.args[1] + "\" is no key direction", kDirections);
    else if (d.args.size() > 1)
        tls_auth_direction_ = d.args[1];
}

void OptionParser::key_direction(const Directive& d) {
    if (d.args[0] == "0" || d.args[0] == "1")
        key_direction_ = d.args[0];
    else
        error(d, "\"" + d.args[0] + "\" is no key direction", kDirections);
}

void OptionParser::remote_cert_tls(const Directive& d) {
    const bool server = role_ == Role::Server;
    auto& c = config();
    if (d.args[0] != "client" && d.args[0] != "server") {
        error(d, "\"" + d.args[0] + "\" is not understood", "client or server");
        return;
    }
    // What it stands for; the usual one has a check of its own.
    c.remote_cert_tls = d.args[0] == (server ? "client" : "server");
    if (c.remote_cert_tls)
        return;
    warn(d, server ? "the peers of a server are clients" : "the peer of a client is a server",
         "use remote-cert-tls " + std::string(server ? "client" : "server"));
    c.remote_cert_ku = {0xffff};
    c.remote_cert_eku =
        d.args[0] == "server" ? "TLS Web Server Authentication" : "TLS Web Client Authentication";
}

void OptionParser::verify_x509_name(const Directive& d) {
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

void OptionParser::crl_verify(const Directive& d) {
    config().crl_file.clear();
    config().crl_text.clear();
    config().crl_directory.clear();
    if (d.args.size() > 1) {
        if (d.args[1] != "dir")
            error(d, "\"" + d.args[1] + "\" is not understood", "dir may follow");
        config().crl_directory = std::filesystem::absolute(path_of(d)).string();
        if (!std::filesystem::is_directory(config().crl_directory))
            error(d, config().crl_directory + " is no directory");
        return;
    }
    // The contents are OpenSSL's business; what cannot be read is an error of this line.
    if (d.is_inline)
        config().crl_text = d.args[0];
    else if (contents(d))
        config().crl_file = std::filesystem::absolute(path_of(d)).string();
}

// The words of a command, if there is such a program.
std::vector<std::string> OptionParser::command(const Directive& d) {
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
        words[0] = std::filesystem::absolute(path_of({d.name, {words[0]}, false, d.line, d.file}))
                       .string();
    if (access(words[0].c_str(), X_OK) != 0) {
        error(d, words[0] + ": " + std::generic_category().message(errno));
        return {};
    }
    scripts_.push_back(d);
    return words;
}

void OptionParser::device_program(const Directive& d) {
    auto& c = config();
    (d.name == "up" ? c.up : d.name == "down" ? c.down : c.route_up) = command(d);
}

// Names that mean more than a variable. False if this is none.
bool OptionParser::setenv_special(const Directive& d) {
    const auto& name = d.args[0];
    if (name == "GENERIC_CONFIG") {
        error(d, "this is a generic profile, and not to be used as it is",
              "take the file that is meant for this user");
        return true;
    }
    if (name == "CLIENT_CERT" || name == "opt") {
        warn(d, "ignored: it is no variable, and has no effect here");
        return true;
    }
    return setenv_option(d);
}

void OptionParser::setenv(const Directive& d) {
    const auto& name = d.args[0];
    if (d.name == "setenv" && setenv_special(d))
        return;
    if (name.empty() || name.find('=') != std::string::npos)
        error(d, "\"" + name + "\" is no name of a variable");
    else
        config().environment.emplace_back(d.name == "setenv-safe" ? "OPENVPN_" + name : name,
                                          d.args.size() > 1 ? d.args[1] : "");
}

void OptionParser::tmp_dir(const Directive& d) {
    config().tmp_dir = std::filesystem::absolute(path_of(d)).string();
    if (access(config().tmp_dir.c_str(), W_OK | X_OK) != 0)
        error(d, config().tmp_dir + ": " + std::generic_category().message(errno));
}

void OptionParser::data_ciphers(const Directive& d) {
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
        else if (!cipher && known_elsewhere(name))
            warn(d, name + " is not supported and left out", kCiphers);
        else if (!cipher)
            error(d, name + " is not supported", kCiphers);
    }
    if (ciphers.empty())
        error(d, "no cipher is left");
    config().data_ciphers = std::move(ciphers);
}

void OptionParser::data_ciphers_fallback(const Directive& d) {
    config().fallback_cipher = cipher_by_name(d.args[0]);
    if (!config().fallback_cipher && known_elsewhere(d.args[0]))
        warn(d, d.args[0] + " is not supported; whoever needs it is not let in", kCiphers);
    else if (!config().fallback_cipher)
        error(d, d.args[0] + " is not supported", kCiphers);
}

void OptionParser::auth(const Directive& d) {
    auth_ = d;
    if (auto known = auth_by_name(d.args[0]))
        config().auth = *known;
}

void OptionParser::mssfix(const Directive& d) {
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

// The other side must have it, too: packets look otherwise.
void OptionParser::fragment(const Directive& d) {
    if (d.args[0] == "0")
        return; // none
    const auto limit = number(d, 0, 100, 65535);
    if (!limit)
        return;
    config().fragment = {*limit, MssFix::Of::Payload};
    if (d.args.size() > 1 && d.args[1] == "mtu")
        config().fragment.of = MssFix::Of::OuterPacket;
    else if (d.args.size() > 1)
        error(d, "\"" + d.args[1] + "\" is not understood", "mtu may follow");
    config().kernel_data_path = false;
}

// A server treats what asks for compression as "migrate": clients that were set to compress are
// asked to stop, and all others are served as well.
void OptionParser::compression(const Directive& d) {
    const auto word = d.args.empty() ? "" : d.args[0];
    const auto framing = framing_of(d.name, word);
    compression_.reset();
    if (!framing) {
        error(d, "\"" + word + "\" is not understood",
              d.name == "comp-lzo" ? "yes, no or adaptive"
                                   : "stub, stub-v2, lzo, lz4, lz4-v2 or migrate");
        return;
    }
    if (may_be_compressed(*framing))
        compression_ = d;
    // As OpenVPN: whoever says nothing of it takes nothing of it.
    config().may_unpack = d.name == "compress" || may_be_compressed(*framing);
    config().framing = *framing;
}

void OptionParser::allow_compression(const Directive& d) {
    if (d.args[0] == "yes" || d.args[0] == "asym")
        allow_compression_ = true;
    else if (d.args[0] == "no")
        allow_compression_ = false;
    else
        error(d, "\"" + d.args[0] + "\" is not understood", "use no or asym");
}

void OptionParser::finish_compression() {
    const bool server = role_ == Role::Server;
    if (compression_ && allow_compression_ == false)
        error(*compression_, "allow-compression no forbids it", "remove one of them");
    else if (compression_)
        warn(*compression_,
             server ? "nothing is compressed; clients that are set to compress are asked to stop"
                    : "nothing is compressed; what the server compresses is taken, which lets "
                      "others guess at what is inside (VORACLE)",
             server ? "compress migrate says so" : "have it removed at the server, and here");
    if (allow_compression_)
        config().may_unpack = *allow_compression_;
    if (allow_compression_ == true && !compression_ && !server)
        warn("allow-compression: nothing is compressed; what a server compresses is taken", "");
}

// All that it does was done before any option was looked at.
void OptionParser::done_already(const Directive&) {}

void OptionParser::log(const Directive& d) {
    config().log.file = d.args[0];
    config().log.append = d.name == "log-append";
}

void OptionParser::syslog(const Directive& d) {
    config().log.syslog = true;
    if (!d.args.empty())
        config().log.name = d.args[0];
}

void OptionParser::writepid(const Directive& d) {
    config().pid_file = d.args[0];
}

void OptionParser::user_or_group(const Directive& d) {
    const bool user = d.name == "user";
    // Any group: that of the user is looked for when both are known.
    auto found =
        user ? find_identity(d.args[0], std::to_string(getgid())) : find_identity("", d.args[0]);
    if (!found)
        error(d, found.error());
    (user ? user_ : group_) = d.args[0];
}

void OptionParser::nice(const Directive& d) {
    int value = 0;
    const auto& word = d.args[0];
    auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (code != std::errc{} || end != word.data() + word.size() || value < -20 || value > 19)
        error(d, "\"" + word + "\" is not a number from -20 to 19");
    else
        config().nice = value;
}

void OptionParser::nf_seccomp(const Directive& d) {
    if (d.args[0] == "on" || d.args[0] == "off")
        config().seccomp = d.args[0] == "on";
    else
        error(d, "\"" + d.args[0] + "\" is not understood", "on or off");
}

namespace {

/// A mark, in decimal or, with "0x", in hexadecimal
std::optional<std::uint32_t> parse_mark(std::string_view word) {
    int base = 10;
    if (word.starts_with("0x") || word.starts_with("0X")) {
        word.remove_prefix(2);
        base = 16;
    }
    std::uint32_t value = 0;
    const auto* end = word.data() + word.size();
    const auto [last, code] = std::from_chars(word.data(), end, value, base);
    if (code != std::errc() || last != end)
        return std::nullopt;
    return value;
}

} // namespace

void OptionParser::nf_fastpath(const Directive& d) {
    static constexpr std::array<std::pair<std::string_view, Fastpath>, 4> kModes{{
        {"off", Fastpath::Off},
        {"accepted", Fastpath::Accepted},
        {"eager", Fastpath::Eager},
        {"marked", Fastpath::Marked},
    }};
    fastpath_ = d;
    const auto* mode = std::ranges::find(kModes, d.args[0], &decltype(kModes)::value_type::first);
    if (mode == kModes.end())
        return error(d, "\"" + d.args[0] + "\" is not understood",
                     "off, accepted, marked VALUE[/MASK] or eager");
    config().fastpath = mode->second;
    if (config().fastpath != Fastpath::Marked) {
        if (d.args.size() > 1)
            error(d, "\"" + d.args[1] + "\": only \"marked\" has a value");
        return;
    }

    // As nft and "ip ovpn" have it: a flow is meant when (mark & MASK) == VALUE.
    const std::string_view word = d.args.size() > 1 ? std::string_view(d.args[1]) : "";
    const auto slash = word.find('/');
    const auto value = parse_mark(word.substr(0, slash));
    const auto mask =
        parse_mark(slash == std::string::npos ? "0xffffffff" : word.substr(slash + 1));
    if (!value || !mask)
        return error(d, "\"" + std::string(word) + "\" is not a conntrack mark",
                     "marked VALUE[/MASK], as 0x10/0xf0");
    if ((*value & ~*mask) != 0)
        return error(d, "\"" + std::string(word) +
                            "\": no mark has a bit of the value that is not in the mask");
    config().fastpath_mark = *value;
    config().fastpath_mask = *mask;
}

// Whether programs may run at all; one that gets passwords in its environment needs more.
// Words behind the name of a plug-in. In place of them there may be one with all of them, in
// quotes.
std::optional<std::vector<std::string>> OptionParser::plugin_words(const Directive& d) {
    std::vector<std::string> words(d.args.begin() + 1, d.args.end());
    if (words.size() == 1) {
        const auto all = std::exchange(words, {}).front();
        if (auto wrong = split_words(all, words)) {
            error(d, *wrong);
            return std::nullopt;
        }
    }
    return words;
}

// A name that begins with neither / nor . is one in the directory of plug-ins.
void OptionParser::plugin(const Directive& d) {
    auto words = plugin_words(d);
    const auto& name = d.args[0];
    if (!words)
        return;
    if (name.empty()) {
        error(d, "no plug-in is named");
        return;
    }
    if (config().plugins.size() >= kMostPlugins) {
        error(d, "more than " + std::to_string(kMostPlugins) + " plug-ins");
        return;
    }
    PluginConfig out;
    const bool in_place = name.front() == '/' || name.front() == '.';
    out.path = in_place ? name : std::string(NF_OVPND_PLUGIN_DIR "/").append(name);
    out.words = std::move(*words);
    out.words.insert(out.words.begin(), name);
    out.file = d.file;
    out.line = d.line;
    if (name.front() == '.')
        warn(d, "an absolute path would be safer");
    config().plugins.push_back(std::move(out));
    config().starts_helper = true;
}

void OptionParser::finish_scripts(bool password_by_environment) {
    for (const auto& d : scripts_) {
        const bool by_environment = d.name == "auth-user-pass-verify" && password_by_environment;
        if (config().script_security < (by_environment ? 3 : 2))
            error(d, "script-security does not allow it",
                  by_environment ? "script-security 3, or via-file" : "script-security 2");
    }
}

// As OpenVPN: without dev-type the name of the device says what it is.
void OptionParser::finish_device() {
    auto& c = config();
    c.ethernet = dev_type_ ? dev_type_->args[0] == "tap" : c.device.starts_with("tap");
    if (!c.ethernet)
        return;
    c.kernel_data_path = false;
    if (c.block_ipv6)
        error("block-ipv6 is for packets, and a TAP device has frames",
              "remove it, and refuse IPv6 by a rule of the bridge");
}

void OptionParser::finish_data_channel() {
    auto& c = config();
    if (c.data_ciphers.empty() && !seen("data-ciphers") && !seen("ncp-ciphers"))
        c.data_ciphers = {DataCipher::Aes256Gcm, DataCipher::Aes128Gcm,
                          DataCipher::ChaCha20Poly1305};
    finish_compatibility();
    finish_keepalive();
    auto all = c.data_ciphers;
    if (c.fallback_cipher)
        all.push_back(*c.fallback_cipher);
    if (std::find(all.begin(), all.end(), DataCipher::None) != all.end())
        warn("with the data cipher none packets can be read by everybody", "");
    bool only_aead = std::all_of(all.begin(), all.end(), is_aead);
    bool cbc = std::any_of(all.begin(), all.end(), [](DataCipher cipher) {
        return !is_aead(cipher) && cipher != DataCipher::None;
    });
    // A word that means nothing is a mistake, even where it would have no effect.
    if (auth_ && !auth_by_name(auth_->args[0]) && !EVP_get_digestbyname(auth_->args[0].c_str())) {
        error(*auth_, "\"" + auth_->args[0] + "\" is no digest", "SHA256, SHA512, or none");
        return;
    }
    // With tls-auth it names that one's digest as well.
    if (auth_ && only_aead && !seen("tls-auth"))
        warn(*auth_, "ignored: the data ciphers are AEAD and authenticate by themselves");
    else if (auth_ && !only_aead && !auth_by_name(auth_->args[0]))
        error(*auth_, auth_->args[0] + " is not supported",
              "SHA1, SHA256, SHA384 and SHA512 are, and others");
    else if (auth_ && c.auth == DataAuth::None && cbc)
        error(*auth_, "with CBC packets must be authenticated", "auth SHA256");

    // OpenVPN's default: another tun-mtu than the usual one was chosen to suit the path.
    if (!mssfix_set_ && c.fragment.limit > 0)
        c.mss_fix = c.fragment;
    else if (!mssfix_set_ && c.tun_mtu == kUsualMtu)
        c.mss_fix = {kDefaultMssFix, MssFix::Of::OuterPacket};
    else if (!mssfix_set_)
        c.mss_fix = {c.tun_mtu, MssFix::Of::InnerPacket};
}

bool OptionParser::is_socket_path(const Directive& d) {
    // sun_path, with its terminating zero
    const bool fits = !d.args[0].empty() && d.args[0].size() <= 107;
    if (!fits)
        error(d, "the path of a socket has at most 107 bytes");
    return fits;
}

void OptionParser::management(const Directive& d) {
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
        const bool near = is_loopback(*host);
        if (!near && d.args.size() < 3) {
            error(d, "everybody who reaches it could command the daemon",
                  "a loopback address, management IP PORT PASSWORD-FILE, or management PATH unix");
            return;
        }
        if (!near)
            warn(d, "everybody on the way can read and command, for nothing is encrypted",
                 "a loopback address, or management PATH unix");
        if (auto port = number(d, 1, 1, 65535))
            m.listen = Endpoint{*host, static_cast<std::uint16_t>(*port)};
        if (d.args.size() < 3)
            warn(d, "every user of this machine may command the daemon",
                 "management IP PORT PASSWORD-FILE, or management PATH unix");
    }
    if (d.args.size() == 3)
        management_password(d);
}

void OptionParser::management_password(const Directive& d) {
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
    wipe(*text);
}

void OptionParser::management_client(const Directive& d) {
    management_client_ = d;
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

void OptionParser::management_log_cache(const Directive& d) {
    if (auto lines = number(d, 0, 1, 100000))
        management_.log_cache = *lines;
}

void OptionParser::finish_management() {
    const bool there = seen("management");
    if (!there && management_use_)
        error(*management_use_, "there is no management interface", "management PATH unix");
    if (management_client_ && management_.listen)
        error(*management_client_, "nobody can tell who connects by TCP", "management PATH unix");
    if (there)
        config().management = std::move(management_);
}

void OptionParser::finish_wrapping() {
    auto& c = config();
    if (seen("tls-auth") && seen("tls-crypt")) {
        error(tls_auth_, "there is tls-crypt too", "remove one of them");
        return;
    }
    if (tls_crypt_key_)
        c.wrap = std::make_shared<const wire::ControlWrap>(
            wire::ControlWrap::tls_crypt(*tls_crypt_key_, role_));
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
void OptionParser::finish_identity() {
    if (user_.empty() && group_.empty())
        return;
    if (auto found = find_identity(user_, group_))
        config().run_as = *found;
    else
        error("user " + user_ + " has no group of its own", "group NAME");
}

void OptionParser::finish_tls() {
    auto& c = config();
    const bool authority = seen("ca") || seen("capath");
    if (!seen("peer-fingerprint") && !authority)
        error("no certificate authority is given", "ca FILE, or peer-fingerprint");
    else if (!authority && seen("crl-verify"))
        error("crl-verify without the authority whose list it is", "ca FILE");
    if (c.tls_version_max != 0 && c.tls_version_min > c.tls_version_max)
        error("tls-version-min is above tls-version-max", "");
    if (c.tls_security_level == 3 && c.tls_cipher.empty())
        c.tls_cipher = "SUITEB128";
}

void OptionParser::need(const char* option, const char* reason, const char* hint) {
    if (!seen(option))
        error(reason, hint);
}

bool any_error(const std::vector<Finding>& findings) {
    return std::any_of(findings.begin(), findings.end(),
                       [](const Finding& f) { return f.severity == Severity::Error; });
}

bool ParsedOptions::ok() const {
    return !any_error(findings);
}

Role role_of(const GivenOptions& options) {
    const auto& all = options.directives;
    const bool client = std::any_of(all.begin(), all.end(), [](const auto& d) {
        return d.name == "client" || d.name == "pull" || d.name == "tls-client";
    });
    return client ? Role::Client : Role::Server;
}

namespace {

// As OpenVPN: a file that includes itself comes to an end.
constexpr int kMostIncludes = 10;

/// Puts what files include in the place of "config FILE".
class Includer {
public:
    Includer(const FileReader& reader, GivenOptions& out) : reader_(reader), out_(out) {}

    void take(std::vector<Directive> directives) {
        for (auto& d : directives) {
            const bool includes = d.name == "config" && d.args.size() == 1 && !d.is_inline;
            // The file that a command line names first is what it is all about.
            if (includes && d.file.empty() && d.line == 0 && !std::exchange(has_main_, true)) {
                include(d, "");
                continue;
            }
            out_.directives.push_back(d);
            if (includes)
                include(d, d.args[0]);
            if (d.is_inline)
                wipe(d.args[0]);
        }
    }

    void take(std::string_view text, const std::string& file) {
        std::vector<Finding> findings;
        auto directives = tokenize(text, findings);
        for (auto& d : directives)
            d.file = file;
        for (auto& finding : findings) {
            finding.file = file;
            out_.findings.push_back(std::move(finding));
        }
        take(std::move(directives));
    }

private:
    void include(const Directive& d, const std::string& name) {
        const auto& path = d.args[0];
        const auto refuse = [&](const std::string& why) {
            out_.findings.push_back({Severity::Error, d.line, "config: " + why, "", d.file});
        };
        if (depth_ == kMostIncludes) {
            refuse(path + ": files include files which include files, and so on");
            return;
        }
        std::string why;
        auto text = reader_(path, why);
        if (!text) {
            refuse("cannot read " + path + ": " + why);
            return;
        }
        depth_++;
        take(*text, name);
        depth_--;
        wipe(*text);
    }

    const FileReader& reader_;
    GivenOptions& out_;
    int depth_ = 0;
    bool has_main_ = false;
};

} // namespace

GivenOptions options_of(std::string_view text, const FileReader& reader) {
    GivenOptions out;
    Includer(reader, out).take(text, "");
    return out;
}

GivenOptions options_of(const std::vector<std::string>& words, const FileReader& reader) {
    GivenOptions out;
    std::vector<Directive> directives;
    for (const auto& word : words) {
        if (word.starts_with("--") && word.size() > 2)
            directives.push_back({word.substr(2), {}, false, 0, ""});
        else if (directives.empty())
            out.findings.push_back(
                {Severity::Error, 0, "\"" + word + "\" is no option", "options begin with --", ""});
        else
            directives.back().args.push_back(word);
    }
    Includer(reader, out).take(std::move(directives));
    return out;
}

namespace {

// A descriptor as long as the object lives.
class OpenFile {
public:
    explicit OpenFile(const std::string& path)
        : fd_(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) {}
    ~OpenFile() {
        if (fd_ >= 0)
            close(fd_);
    }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

} // namespace

std::optional<std::string> read_file(const std::string& path, std::string& why_not) {
    // Far beyond any bundle of certificates; keeps /dev/zero out.
    constexpr std::size_t kMaxFile = std::size_t{1} << 20;
    constexpr int kPatience = 5000; // milliseconds
    const auto failed = [&](const std::string& why) {
        why_not = why;
        return std::nullopt;
    };
    const auto text_of_errno = [] { return std::generic_category().message(errno); };
    const OpenFile file(path);
    struct stat kind {};
    if (file.get() < 0 || fstat(file.get(), &kind) != 0)
        return failed(text_of_errno());
    if (S_ISDIR(kind.st_mode))
        return failed(std::generic_category().message(EISDIR));
    std::string text(kMaxFile + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        // What nobody writes to is at its end at once. A shell's <(...) may take its time.
        pollfd wait = {file.get(), POLLIN, 0};
        const auto n = ::read(file.get(), text.data() + size, text.size() - size);
        if (n == 0 && size == 0 && S_ISFIFO(kind.st_mode))
            return failed("a pipe, and nobody writes to it");
        if (n == 0)
            break;
        if (n > 0) {
            size += static_cast<std::size_t>(n);
        } else if (errno == EAGAIN) {
            if (poll(&wait, 1, kPatience) == 0)
                return failed("nothing comes from it");
        } else if (errno != EINTR) {
            return failed(text_of_errno());
        }
    }
    text.resize(size);
    if (text.size() > kMaxFile)
        return failed("larger than 1 MiB");
    return text;
}

std::vector<std::string> check_report(const ParsedOptions& parsed) {
    std::vector<std::string> out;
    // "12  supported  proto: TCP needs … (use proto udp)"; a finding begins with the option's name
    auto line = [&out](const std::string& file, int number, const char* what,
                       const std::string& text) {
        std::ostringstream row;
        const auto where = number > 0 ? std::to_string(number) : "-";
        row << std::setw(4) << (file.empty() ? where : file + ":" + where) << "  " << std::left
            << std::setw(9) << what << "  " << text;
        out.push_back(row.str());
    };
    // Options of the command line have no line; their findings begin with their names.
    using Where = std::tuple<std::string, int, std::string>;
    const auto where = [](const auto& item, const std::string& text) {
        return Where(item.file, item.line, item.line > 0 ? "" : text.substr(0, text.find(':')));
    };
    std::map<Where, std::vector<const Finding*>> found;
    for (const auto& finding : parsed.findings)
        found[where(finding, finding.reason)].push_back(&finding);
    std::set<Where> told;
    for (const auto& use : parsed.uses) {
        const auto here = where(use, use.name);
        const auto at = found.find(here);
        if (at == found.end())
            line(use.file, use.line, name_of(use.treatment), use.name);
        // "push \"…\"" twice on the command line is one place.
        if (!told.insert(here).second || at == found.end())
            continue;
        for (const auto* finding : at->second) {
            // What is supported may still be wrong.
            auto what = use.treatment;
            if (finding->severity == Severity::Error)
                what = Treatment::Refused;
            else if (finding->reason.find(": ignored") != std::string::npos)
                what = Treatment::Ignored;
            line(use.file, use.line, name_of(what), text_of(*finding));
        }
    }
    for (const auto& [here, findings] : found) {
        for (const auto* finding : told.contains(here) ? std::vector<const Finding*>() : findings)
            line(finding->file, finding->line,
                 finding->severity == Severity::Error ? "error" : "warning", text_of(*finding));
    }
    return out;
}

} // namespace nfovpn::config
