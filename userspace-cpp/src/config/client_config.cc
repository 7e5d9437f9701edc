// SPDX-License-Identifier: GPL-2.0-or-later
//
// What each option that only a client has does; see client_config.h, and option_table.h for all of
// them.

#include "config/client_config.h"

#include "config/option_parser.h"
#include "util/secret.h"

#include <algorithm>
#include <map>
#include <set>

namespace nfovpn::config {

namespace {

constexpr std::uint16_t kUsualPort = 1194;
constexpr std::uint32_t kSocksPort = 1080;

// What a protocol's name says.
struct Protocol {
    bool tcp = false;
    RemoteFamily family = RemoteFamily::Any;
};

std::optional<Protocol> protocol_of(std::string_view name) {
    Protocol out;
    out.tcp = name.starts_with("tcp");
    auto rest = name.substr(std::min<std::size_t>(name.size(), 3));
    if (out.tcp && rest.ends_with("-client"))
        rest.remove_suffix(7);
    if (!out.tcp && !name.starts_with("udp"))
        return std::nullopt;
    if (rest == "4")
        out.family = RemoteFamily::Ipv4;
    else if (rest == "6")
        out.family = RemoteFamily::Ipv6;
    else if (!rest.empty())
        return std::nullopt;
    return out;
}

struct Login {
    std::string username;
    SecretBytes password;
};

// A proxy likewise, and what is said about it apart.
struct WrittenProxy {
    std::optional<Directive> http;
    std::optional<Directive> socks;
    std::optional<Directive> last; ///< of whichever kind
    std::shared_ptr<const Login> login;
    std::string version;
    std::string agent;
    std::vector<std::string> headers;
};

// A remote as it was written, with what it leaves to others.
struct WrittenRemote {
    std::string host;
    std::optional<std::uint16_t> port;
    std::optional<Protocol> protocol;
    std::optional<std::uint32_t> timeout;
    WrittenProxy proxy;
};

// OpenVPN's limit.
constexpr std::size_t kMaxHeaders = 10;

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

class ClientParser final : public OptionParser {
public:
    ClientParser(const FileReader& reader, ParsedClientConfig& out)
        : OptionParser(Role::Client, reader, out.config, out), config_(out.config) {}

    using OptionParser::run;

private:
    [[nodiscard]] std::span<const HandlerOf> role_handlers() const override;
    void flag(const Directive& d) override;
    void number_option(const Directive& d) override;
    bool setenv_option(const Directive& d) override;
    void finish() override;
    [[nodiscard]] bool point_to_point() const override { return !seen("client") && !seen("pull"); }
    std::optional<Directive> numeric(const Directive& d);
    void finish_remotes();
    void finish_users();
    void finish_point_to_point();

    void proto(const Directive& d);
    void bind(const Directive& d);
    void remote(const Directive& d);
    void connection(const Directive& d);
    void of_connection(const Directive& d);
    void connect_retry(const Directive& d);
    void resolv_retry(const Directive& d);
    void auth_user_pass(const Directive& d);
    std::optional<Login> read_login(const Directive& d);
    void proxy_option(const Directive& d) { read_proxy(d, proxy_); }
    void read_proxy(const Directive& d, WrittenProxy& proxy);
    void http_proxy(const Directive& d, WrittenProxy& proxy);
    void http_proxy_option(const Directive& d, WrittenProxy& proxy);
    std::shared_ptr<const wire::Proxy> make_proxy(const WrittenProxy& written);
    void check_proxy(const Remote& remote, const WrittenProxy& written);
    void auth_retry(const Directive& d);
    void static_challenge(const Directive& d);
    void echo(const Directive& d);
    void tls_crypt_v2(const Directive& d);
    void as_pushed(const Directive& d);
    void pull_filter(const Directive& d);
    void keepalive(const Directive& d);

    std::optional<WrittenRemote> read_remote(const Directive& d);
    std::optional<Protocol> read_protocol(const Directive& d, std::size_t index);

    ClientConfig& config_;
    std::vector<WrittenRemote> remotes_;
    WrittenProxy proxy_;
    std::optional<Protocol> protocol_;
    std::optional<std::uint16_t> remote_port_;
    std::optional<std::uint16_t> local_port_;
    std::optional<std::uint32_t> connect_timeout_;
    std::optional<Directive> lport_;
    std::optional<Directive> ask_user_;
    std::optional<Directive> challenge_;
    std::map<std::string, std::vector<std::string>> of_connection_;
    bool query_passwords_ = false;
    bool push_peer_info_ = false;
    bool no_pull_ = false;

    static const NumberOption<ClientParser> kNumbers[];
};

const NumberOption<ClientParser> ClientParser::kNumbers[] = {
    {"port", 1, 65535,
     [](auto& p, auto v) { p.remote_port_ = p.local_port_ = static_cast<std::uint16_t>(v); }},
    {"lport", 0, 65535, [](auto& p, auto v) { p.local_port_ = static_cast<std::uint16_t>(v); }},
    {"rport", 1, 65535, [](auto& p, auto v) { p.remote_port_ = static_cast<std::uint16_t>(v); }},
    {"connect-timeout", 1, 86400, [](auto& p, auto v) { p.connect_timeout_ = v; }},
    {"server-poll-timeout", 1, 86400, [](auto& p, auto v) { p.connect_timeout_ = v; }},
    {"connect-retry-max", 0, 1U << 30, [](auto& p, auto v) { p.config_.tries = v; }},
    {"explicit-exit-notify", 0, 1U << 16, [](auto& p, auto v) { p.config_.exit_notify = v; }},
};

std::span<const OptionParser::HandlerOf> ClientParser::role_handlers() const {
    // Of every option that the table has as supported for a client alone, or for both where it
    // means something else here.
    static const HandlerOf kOfRole[] = {
        {"client", handler(&ClientParser::flag)},
        {"pull", handler(&ClientParser::flag)},
        {"tls-client", handler(&ClientParser::flag)},
        {"proto", handler(&ClientParser::proto)},
        {"bind", handler(&ClientParser::bind)},
        {"nobind", handler(&ClientParser::flag)},
        {"port", handler(&ClientParser::number_option)},
        {"lport", handler(&ClientParser::number_option)},
        {"rport", handler(&ClientParser::number_option)},
        {"remote", handler(&ClientParser::remote)},
        {"connection", handler(&ClientParser::connection)},
        {"remote-random", handler(&ClientParser::flag)},
        {"remote-random-hostname", handler(&ClientParser::flag)},
        {"auth-nocache", handler(&ClientParser::flag)},
        {"persist-tun", handler(&ClientParser::flag)},
        {"resolv-retry", handler(&ClientParser::resolv_retry)},
        {"connect-retry", handler(&ClientParser::connect_retry)},
        {"connect-retry-max", handler(&ClientParser::number_option)},
        {"connect-timeout", handler(&ClientParser::number_option)},
        {"server-poll-timeout", handler(&ClientParser::number_option)},
        {"auth-user-pass", handler(&ClientParser::auth_user_pass)},
        {"http-proxy", handler(&ClientParser::proxy_option)},
        {"http-proxy-option", handler(&ClientParser::proxy_option)},
        {"http-proxy-user-pass", handler(&ClientParser::proxy_option)},
        {"socks-proxy", handler(&ClientParser::proxy_option)},
        {"auth-retry", handler(&ClientParser::auth_retry)},
        {"static-challenge", handler(&ClientParser::static_challenge)},
        {"echo", handler(&ClientParser::echo)},
        {"management-query-passwords", handler(&ClientParser::flag)},
        {"management-query-remote", handler(&ClientParser::flag)},
        {"management-up-down", handler(&ClientParser::flag)},
        {"management-forget-disconnect", handler(&ClientParser::flag)},
        {"tls-crypt-v2", handler(&ClientParser::tls_crypt_v2)},
        {"ifconfig", handler(&ClientParser::as_pushed)},
        {"ifconfig-ipv6", handler(&ClientParser::as_pushed)},
        {"topology", handler(&ClientParser::as_pushed)},
        {"route", handler(&ClientParser::as_pushed)},
        {"route-ipv6", handler(&ClientParser::as_pushed)},
        {"route-gateway", handler(&ClientParser::as_pushed)},
        {"redirect-gateway", handler(&ClientParser::as_pushed)},
        {"redirect-private", handler(&ClientParser::as_pushed)},
        {"dhcp-option", handler(&ClientParser::as_pushed)},
        {"dns", handler(&ClientParser::as_pushed)},
        {"ifconfig-noexec", handler(&ClientParser::flag)},
        {"route-noexec", handler(&ClientParser::flag)},
        {"route-nopull", handler(&ClientParser::flag)},
        {"pull-filter", handler(&ClientParser::pull_filter)},
        {"push-peer-info", handler(&ClientParser::flag)},
        {"keepalive", handler(&ClientParser::keepalive)},
        {"explicit-exit-notify", handler(&ClientParser::number_option)},
    };
    return kOfRole;
}

void ClientParser::flag(const Directive& d) {
    if (d.name == "remote-random")
        config_.remote_random = true;
    else if (d.name == "remote-random-hostname")
        config_.random_hostname = true;
    else if (d.name == "auth-nocache")
        config_.forget_password = true;
    else if (d.name == "persist-tun")
        config_.keep_tunnel = true;
    else if (d.name == "ifconfig-noexec")
        config_.configure_device = false;
    else if (d.name == "route-noexec")
        config_.configure_routes = false;
    else if (d.name == "route-nopull")
        no_pull_ = true;
    else if (d.name == "push-peer-info")
        push_peer_info_ = true;
    else if (d.name == "management-query-passwords")
        query_passwords_ = true;
    else if (d.name == "management-query-remote")
        config_.ask_remote = true;
    else if (d.name == "management-up-down")
        config_.tell_up_down = true;
    else if (d.name == "management-forget-disconnect")
        config_.forget_on_disconnect = true;
    else
        OptionParser::flag(d);
}

bool ClientParser::setenv_option(const Directive& d) {
    const auto words = d.args.size();
    if (d.args[0] == "PUSH_PEER_INFO" && words == 1)
        push_peer_info_ = true;
    else if (d.args[0] == "REMOTE_RANDOM_HOSTNAME" && words == 1)
        config_.random_hostname = true;
    else if (d.args[0] == "SERVER_POLL_TIMEOUT" && words == 2)
        number_option({"server-poll-timeout", {d.args[1]}, false, d.line, d.file});
    else
        return false;
    return true;
}

void ClientParser::number_option(const Directive& d) {
    if (d.name == "lport")
        lport_ = d;
    if (!set_number<ClientParser>(kNumbers, d, *this))
        OptionParser::number_option(d);
}

std::optional<Protocol> ClientParser::read_protocol(const Directive& d, std::size_t index) {
    const auto& name = d.args[index];
    auto out = protocol_of(name);
    if (!out && name.ends_with("-server"))
        error(d, "this is a client", "use proto tcp-client");
    else if (!out)
        error(d, "\"" + name + "\" is no transport protocol", "use udp or tcp-client");
    return out;
}

void ClientParser::proto(const Directive& d) {
    protocol_ = read_protocol(d, 0);
}

// A client binds to any port unless it is told one.
void ClientParser::bind(const Directive& d) {
    if (!d.args.empty())
        error(d, "\"" + d.args[0] + "\" has no meaning for a client", "use local ADDRESS");
}

std::optional<WrittenRemote> ClientParser::read_remote(const Directive& d) {
    WrittenRemote out;
    out.host = d.args[0];
    if (out.host.empty() || out.host.size() > 255) {
        error(d, "that cannot be the name of a host");
        return std::nullopt;
    }
    if (d.args.size() > 1) {
        auto port = number(d, 1, 1, 65535);
        if (!port)
            return std::nullopt;
        out.port = static_cast<std::uint16_t>(*port);
    }
    if (d.args.size() > 2) {
        out.protocol = read_protocol(d, 2);
        if (!out.protocol)
            return std::nullopt;
    }
    return out;
}

void ClientParser::remote(const Directive& d) {
    if (auto out = read_remote(d))
        remotes_.push_back(std::move(*out));
}

void ClientParser::connection(const Directive& d) {
    if (!d.is_inline) {
        error(d, "not a block", "<connection> and </connection> around a remote");
        return;
    }
    std::vector<Finding> findings;
    WrittenRemote out;
    bool bad = false;
    // Of these each server may have its own with OpenVPN; here they are of all.
    static const std::set<std::string_view> kOfAll = {"bind",
                                                      "connect-retry",
                                                      "connect-retry-max",
                                                      "explicit-exit-notify",
                                                      "float",
                                                      "local",
                                                      "lport",
                                                      "mssfix",
                                                      "nobind",
                                                      "tun-mtu"};
    static const std::map<std::string_view, std::size_t> kOfOne = {{"remote", 3},
                                                                   {"proto", 1},
                                                                   {"port", 1},
                                                                   {"rport", 1},
                                                                   {"connect-timeout", 1},
                                                                   {"server-poll-timeout", 1},
                                                                   {"http-proxy", 4},
                                                                   {"http-proxy-option", 3},
                                                                   {"socks-proxy", 3}};
    for (auto inner : tokenize(d.args[0], findings)) {
        inner.line += d.line;
        inner.file = d.file;
        const auto words = inner.args.size();
        if (kOfAll.contains(inner.name)) {
            of_connection(inner);
        } else if (!kOfOne.contains(inner.name)) {
            error(inner, "not supported in a <connection>",
                  "remote, proto, port, rport, connect-timeout, http-proxy, socks-proxy, "
                  "connect-retry, connect-retry-max, nobind, float and explicit-exit-notify are");
        } else if (words < 1 || words > kOfOne.at(inner.name)) {
            error(inner, words < 1 ? "a word is missing" : "too many words");
        } else if (inner.name == "remote") {
            auto written = read_remote(inner);
            bad = bad || !written;
            if (written) {
                written->timeout = out.timeout;
                written->port = written->port ? written->port : out.port;
                written->protocol = written->protocol ? written->protocol : out.protocol;
                written->proxy = std::move(out.proxy);
                out = std::move(*written);
            }
        } else if (inner.name.find("proxy") != std::string::npos) {
            read_proxy(inner, out.proxy);
        } else if (inner.name == "proto") {
            out.protocol = read_protocol(inner, 0);
        } else if (inner.name == "port" || inner.name == "rport") {
            if (auto port = number(inner, 0, 1, 65535))
                out.port = static_cast<std::uint16_t>(*port);
        } else {
            out.timeout = number(inner, 0, 1, 86400);
        }
    }
    for (auto finding : findings) {
        finding.line += d.line;
        error({"connection", {}, false, finding.line, d.file}, finding.reason, finding.hint);
    }
    if (!out.host.empty())
        remotes_.push_back(std::move(out));
    else if (!bad)
        error(d, "there is no remote in it");
}

// The first of several blocks counts, and another one must say the same.
void ClientParser::of_connection(const Directive& d) {
    auto [at, is_new] = of_connection_.emplace(d.name, d.args);
    if (is_new)
        apply(d);
    else if (at->second != d.args)
        warn(d, "ignored: an earlier <connection> has another value, which applies to all of them");
}

void ClientParser::connect_retry(const Directive& d) {
    auto first = number(d, 0, 1, 86400);
    auto longest = d.args.size() > 1 ? number(d, 1, 1, 86400) : std::optional<std::uint32_t>(300U);
    if (!first || !longest)
        return;
    config_.retry = std::chrono::seconds(*first);
    config_.longest_retry = std::chrono::seconds(std::max(*first, *longest));
}

void ClientParser::resolv_retry(const Directive& d) {
    config_.resolve_for.reset();
    if (d.args[0] == "infinite")
        return;
    if (auto value = number(d, 0, 0, 1U << 30))
        config_.resolve_for = std::chrono::seconds(*value);
}

void ClientParser::auth_user_pass(const Directive& d) {
    ask_user_.reset();
    if (d.args.empty()) {
        ask_user_ = d;
        return;
    }
    auto login = read_login(d);
    if (!login)
        return;
    config_.username = std::move(login->username);
    config_.password = std::move(login->password);
    // Prompt for the password if the file has none.
    if (config_.password.empty())
        ask_user_ = d;
}

// The first line is the name, the second the password.
std::optional<Login> ClientParser::read_login(const Directive& d) {
    auto text = contents(d);
    if (!text)
        return std::nullopt;
    std::string_view rest = *text;
    auto line = [&rest] {
        auto out = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), out.size() + 1));
        if (out.ends_with('\r'))
            out.remove_suffix(1);
        return out;
    };
    const auto name = line();
    const auto password = line();
    std::optional<Login> out;
    if (name.empty())
        error(d, "the name is missing",
              "the first line is to be the name, the second the password");
    else if (name.size() > kMaxUsername || password.size() > kMaxPassword ||
             text->find('\0') != std::string::npos)
        error(d, "name or password is too long, or has a zero byte");
    else
        out = Login{std::string(name), SecretBytes(as_bytes(password))};
    wipe(*text);
    return out;
}

// ---- proxies

void ClientParser::read_proxy(const Directive& d, WrittenProxy& proxy) {
    // Which may be for that of a <connection>.
    if (d.name != "http-proxy-user-pass")
        proxy.last = d;
    if (d.name == "http-proxy") {
        http_proxy(d, proxy);
    } else if (d.name == "http-proxy-option") {
        http_proxy_option(d, proxy);
    } else if (d.name == "http-proxy-user-pass") {
        if (auto login = read_login(d))
            proxy.login = std::make_shared<const Login>(std::move(*login));
    } else {
        proxy.socks = d;
        if (d.args.size() < 3)
            return;
        if (d.args[2] == "stdin") {
            error(d, "nobody is asked for a proxy's name and password", "a file with both");
            return;
        }
        if (auto login = read_login({d.name, {d.args[2]}, false, d.line, d.file}))
            proxy.login = std::make_shared<const Login>(std::move(*login));
    }
}

void ClientParser::http_proxy(const Directive& d, WrittenProxy& proxy) {
    proxy.http = d;
    const auto& words = d.args;
    if (words.size() < 3 || words[2] == "auto" || words[2].empty())
        return;
    if (words[2] == "auto-nct") {
        error(d, "of the ways to log in only basic is supported", "a file, or auto");
    } else if (words.size() > 3 && words[3] != "basic" && words[3] != "none") {
        error(d, "\"" + words[3] + "\" is not supported", "basic or none");
    } else if (words[2] == "stdin") {
        error(d, "nobody is asked for a proxy's name and password", "a file with both");
    } else if (words.size() < 4 || words[3] == "basic") {
        auto login = read_login({d.name, {words[2]}, false, d.line, d.file});
        // That of http-proxy-user-pass counts more, wherever it stands.
        if (login && !seen("http-proxy-user-pass"))
            proxy.login = std::make_shared<const Login>(std::move(*login));
    }
}

void ClientParser::http_proxy_option(const Directive& d, WrittenProxy& proxy) {
    const auto& type = d.args[0];
    const auto words = d.args.size();
    const bool bad = std::any_of(d.args.begin(), d.args.end(),
                                 [](const auto& word) { return has_control(word); });
    if (bad) {
        error(d, "a control character");
    } else if (type == "VERSION" && words == 2) {
        proxy.version = d.args[1];
        if (proxy.version.empty() || proxy.version.size() > 8 ||
            proxy.version.find_first_not_of("0123456789.") != std::string::npos)
            error(d, "\"" + proxy.version + "\" is no version of HTTP", "1.0 or 1.1");
    } else if (type == "AGENT" && words == 2) {
        proxy.agent = d.args[1];
    } else if ((type == "CUSTOM-HEADER" || type == "EXT1" || type == "EXT2") && words >= 2) {
        if (proxy.headers.size() == kMaxHeaders)
            error(d, "there can be " + std::to_string(kMaxHeaders) + " headers");
        else
            proxy.headers.push_back(words > 2 ? d.args[1] + ": " + d.args[2] : d.args[1]);
    } else {
        error(d, "not understood", "VERSION, AGENT or CUSTOM-HEADER, and its value");
    }
}

// What is said about it, together; null if there is none.
std::shared_ptr<const wire::Proxy> ClientParser::make_proxy(const WrittenProxy& written) {
    if (!written.last)
        return nullptr;
    if (written.http && written.socks) {
        error(*written.last, "there is an http-proxy and a socks-proxy", "remove one of them");
        return nullptr;
    }
    if (!written.http && !written.socks) {
        error(*written.last, "there is no http-proxy", "http-proxy HOST PORT");
        return nullptr;
    }
    const auto& d = written.http ? *written.http : *written.socks;
    if (written.http && d.args.size() < 2) {
        error(d, "a word is missing");
        return nullptr;
    }
    wire::Proxy out;
    out.kind = written.http ? wire::Proxy::Kind::Http : wire::Proxy::Kind::Socks;
    out.host = d.args[0];
    if (out.host.empty() || out.host.size() > 255)
        error(d, "that cannot be the name of a host");
    const auto port = d.args.size() > 1 ? number(d, 1, 1, 65535) : std::optional(kSocksPort);
    out.port = static_cast<std::uint16_t>(port.value_or(0));
    out.version = written.version.empty() ? out.version : written.version;
    out.agent = written.agent;
    out.headers = written.headers;
    if (written.login) {
        out.username = written.login->username;
        out.password = SecretBytes(written.login->password.view());
    }
    using When = wire::Proxy::Login;
    if (written.http && d.args.size() > 2) {
        const bool none = d.args.size() > 3 && d.args[3] == "none";
        out.login = d.args[2] == "auto" ? When::Asked : none ? When::Never : When::Always;
    }
    if (out.login != When::Never && out.username.empty())
        error(d, "it has no name and no password", "http-proxy-user-pass FILE");
    if (out.login == When::Always && out.username.find(':') != std::string::npos)
        error(d, "with basic a name has no colon");
    if (written.socks && (out.username.size() > wire::kMaxSocksWord ||
                          out.password.view().size() > wire::kMaxSocksWord))
        error(d, "name or password is longer than SOCKS can have it");
    return std::make_shared<const wire::Proxy>(std::move(out));
}

void ClientParser::check_proxy(const Remote& remote, const WrittenProxy& written) {
    if (!remote.proxy)
        return;
    if (!remote.tcp && remote.proxy->kind == wire::Proxy::Kind::Http)
        error(*written.last, "datagrams do not go by an HTTP proxy",
              "proto tcp-client, or socks-proxy");
    if (has_control(remote.host) || remote.host.find(' ') != std::string::npos)
        error(*written.last, "a proxy cannot be told that name of a host");
}

void ClientParser::auth_retry(const Directive& d) {
    config_.auth_retry = AuthRetry::None;
    if (d.args[0] == "nointeract") {
        config_.auth_retry = AuthRetry::NoInteract;
    } else if (d.args[0] == "interact") {
        config_.auth_retry = AuthRetry::Interact;
    } else if (d.args[0] != "none") {
        error(d, "\"" + d.args[0] + "\" is not understood", "none, nointeract or interact");
    }
}

void ClientParser::static_challenge(const Directive& d) {
    const auto echo = number(d, 1, 0, 1);
    const std::string format = d.args.size() > 2 ? d.args[2] : "scrv1";
    if (format != "scrv1" && format != "concat")
        error(d, "\"" + format + "\" is not understood", "scrv1 or concat");
    challenge_ = d;
    if (echo)
        config_.static_challenge = StaticChallenge{d.args[0], *echo == 1, format == "concat"};
}

void ClientParser::echo(const Directive& d) {
    std::string text;
    for (const auto& word : d.args)
        text += (text.empty() ? "" : " ") + word;
    config_.echo.push_back(text);
}

void ClientParser::tls_crypt_v2(const Directive& d) {
    auto text = contents(d);
    if (!text)
        return;
    auto key = wire::parse_tls_crypt_v2_client_key(*text);
    wipe(*text);
    if (!key) {
        error(d, "there is no client's key in it",
              "openvpn --tls-crypt-v2 SERVER-KEY --genkey tls-crypt-v2-client FILE makes one");
        return;
    }
    config_.wrapped_key = std::move(key->wrapped);
    config_.wrap = std::make_shared<const wire::ControlWrap>(
        wire::ControlWrap::tls_crypt(key->key, Role::Client));
}

// A route with a name as its address, and the first address of its network where it has another
// one. Nothing, with a warning, if there is no such name: the route is missed, as with OpenVPN.
std::optional<Directive> ClientParser::numeric(const Directive& d) {
    auto out = d;
    if (d.name == "route-gateway" && d.args[0] == "dhcp") {
        warn(d, "ignored: nothing is asked of a DHCP server");
        return std::nullopt;
    }
    if (d.name != "route" || d.args[0] == "remote_host")
        return out;
    if (!parse_ipv4(d.args[0])) {
        const auto found = look_up(d.args[0], true);
        if (!found) {
            warn(d, "ignored: \"" + d.args[0] + "\" is no address, and no name of one");
            return std::nullopt;
        }
        out.args[0] = to_string(found->ipv4());
    }
    const auto base = parse_ipv4(out.args[0]);
    const auto mask = d.args.size() > 1 ? parse_ipv4(d.args[1]) : std::nullopt;
    if (mask && prefix_length(*mask) && (base->value & ~mask->value) != 0) {
        out.args[0] = to_string(Ipv4{base->value & mask->value});
        warn(d, d.args[0] + " is not the first address of its network, which is " + out.args[0]);
    }
    return out;
}

// Kept as the words of a push reply, which is where most of these come from.
void ClientParser::as_pushed(const Directive& written) {
    const auto changed = numeric(written);
    if (!changed)
        return;
    const auto& d = *changed;
    std::string text = d.name;
    for (const auto& word : d.args)
        text += " " + word;
    const std::vector<std::string> one = {text};
    auto parsed = wire::parse_pushed_options(one);
    if (!parsed && d.name == "ifconfig")
        // That of another topology; which one counts is seen when all are together.
        parsed = wire::parse_pushed_options(std::vector<std::string>{"topology p2p", text});
    if (!parsed) {
        error(d, parsed.error().reason);
        return;
    }
    if (!parsed->ignored.empty() && d.name != "redirect-gateway") {
        error(d, "not understood", "addresses and networks in numbers; names are not looked up");
        return;
    }
    if (!parsed->ignored.empty())
        warn(d, "in part without effect here: " + parsed->ignored.front());
    config_.own_options.push_back(text);
}

void ClientParser::pull_filter(const Directive& d) {
    using Action = wire::PullFilter::Action;
    const auto& word = d.args[0];
    if (word == "accept")
        config_.pull_filters.push_back({Action::Accept, d.args[1]});
    else if (word == "ignore")
        config_.pull_filters.push_back({Action::Ignore, d.args[1]});
    else if (word == "reject")
        config_.pull_filters.push_back({Action::Reject, d.args[1]});
    else
        error(d, "\"" + word + "\" is not understood", "accept, ignore or reject");
}

void ClientParser::keepalive(const Directive& d) {
    auto interval = number(d, 0, 1, 86400);
    auto timeout = number(d, 1, 1, 86400);
    if (!interval || !timeout)
        return;
    if (*timeout < 2 * *interval) {
        error(d, "the second number must be at least twice the first");
        return;
    }
    config_.ping = *interval;
    config_.ping_restart = *timeout;
}

void ClientParser::finish_remotes() {
    auto& c = config_;
    if (remotes_.empty() && !seen("remote") && !seen("connection"))
        error("no server is given", "remote HOST PORT");
    const auto protocol = protocol_.value_or(Protocol{});
    const auto proxy_of_all = make_proxy(proxy_);
    for (auto& written : remotes_) {
        Remote remote;
        remote.host = written.host;
        remote.port = written.port.value_or(remote_port_.value_or(kUsualPort));
        const auto p = written.protocol.value_or(protocol);
        remote.tcp = p.tcp;
        remote.family = p.family;
        if (const auto timeout = written.timeout ? written.timeout : connect_timeout_)
            remote.timeout = std::chrono::seconds(*timeout);
        // With a local address only servers of its family can be reached.
        if (c.local && remote.family == RemoteFamily::Any)
            remote.family = c.local->is_ipv4() ? RemoteFamily::Ipv4 : RemoteFamily::Ipv6;
        if (c.local && c.local->is_ipv4() != (remote.family == RemoteFamily::Ipv4))
            error("local is an address of another family than that of remote " + written.host, "");
        auto& own = written.proxy;
        if (own.http && seen("http-proxy-user-pass"))
            own.login = proxy_.login;
        remote.proxy = own.last ? make_proxy(own) : proxy_of_all;
        check_proxy(remote, own.last ? own : proxy_);
        c.remotes.push_back(std::move(remote));
    }
    const bool nobind = seen("nobind");
    if (nobind && (lport_ || c.local))
        error("nobind, and yet an address or port to bind to", "remove one of them");
    // "port" is the server's as well.
    c.local_port = nobind ? std::uint16_t{0} : local_port_.value_or(0);
    const bool all_tcp =
        std::all_of(c.remotes.begin(), c.remotes.end(), [](const Remote& r) { return r.tcp; });
    if (c.fragment.limit > 0 &&
        std::any_of(c.remotes.begin(), c.remotes.end(), [](const Remote& r) { return r.tcp; }))
        error("fragment is for datagrams, and TCP has none", "proto udp");
    if (fastpath_ && all_tcp)
        warn(*fastpath_, "ignored: with TCP the daemon's own data path is used");
}

void ClientParser::finish_users() {
    auto& c = config_;
    if (seen("cert") != seen("key"))
        error("cert and key belong together", seen("cert") ? "key FILE" : "cert FILE");
    if (!seen("cert") && !seen("auth-user-pass"))
        error("nothing says who this client is", "cert FILE and key FILE, or auth-user-pass FILE");
    c.ask_user = ask_user_.has_value();
    c.query_management = query_passwords_;
    if (challenge_ && !ask_user_)
        warn(*challenge_, "ignored: nobody is asked for name and password",
             "auth-user-pass without a file");
    // A file says the same each time.
    if (!ask_user_ && c.auth_retry == AuthRetry::Interact)
        c.auth_retry = AuthRetry::NoInteract;
    const bool checked = c.remote_cert_tls || !c.remote_cert_eku.empty() ||
                         c.certificate_purpose == CertificatePurpose::Server;
    if (c.fingerprints.empty() && !checked && c.verify_name_type == NameType::None)
        warn("every certificate of the authority, also a client's, is taken for the server's",
             "remote-cert-tls server");
    for (const auto& variable : c.environment) {
        const auto& name = variable.first;
        // The latter say what the user interface can do.
        if ((push_peer_info_ && name.starts_with("UV_")) || name == "IV_SSO" ||
            name == "IV_GUI_VER")
            c.peer_info.push_back(variable);
    }
}

// The addresses are here, and no word comes from the peer.
void ClientParser::finish_point_to_point() {
    auto& own = config_.own_options;
    for (const char* name : {"route-nopull", "pull-filter", "push-peer-info", "auth-retry"}) {
        if (seen(name))
            error(std::string(name) + " is for what a server pushes", "client");
    }
    if (!seen("topology"))
        own.insert(own.begin(), "topology p2p");
    else
        std::stable_partition(own.begin(), own.end(),
                              [](const auto& option) { return option.starts_with("topology "); });
    const auto parsed = wire::parse_pushed_options(own);
    if (!parsed)
        error(parsed.error().option + ": " + parsed.error().reason,
              "for a point-to-point peer ifconfig LOCAL REMOTE; for a server the option client");
    else if (!parsed->address && !parsed->address6 && !seen("ifconfig"))
        error("nothing is pulled from a server (client), and no addresses are given",
              "client, or for a point-to-point peer ifconfig LOCAL REMOTE");
}

void ClientParser::finish() {
    finish_remotes();
    finish_compression();
    finish_pkcs12();
    finish_tls();
    finish_data_channel();
    if (seen("tls-crypt-v2") && (seen("tls-crypt") || seen("tls-auth")))
        error("tls-crypt-v2, and tls-crypt or tls-auth too", "remove one of them");
    else
        finish_wrapping();
    finish_users();
    finish_scripts(false);
    finish_identity();
    finish_management();
    if (route_metric_)
        config_.own_options.push_back("route-metric " + std::to_string(*route_metric_));
    config_.pull = seen("client") || seen("pull");
    finish_device();
    if (config_.ethernet)
        config_.own_options.insert(config_.own_options.begin(), "topology subnet");
    if (config_.ethernet && !config_.pull)
        error("a TAP device between two peers is not supported", "client");
    if (!config_.pull)
        finish_point_to_point();
    if (no_pull_) {
        for (const char* word : {"route ", "route-ipv6 ", "redirect-", "dhcp-option ", "dns "})
            config_.pull_filters.push_back({wire::PullFilter::Action::Ignore, word});
    }
}

} // namespace

std::string protocol_name(const Remote& remote) {
    std::string out = remote.tcp ? "tcp" : "udp";
    if (remote.family != RemoteFamily::Any)
        out += remote.family == RemoteFamily::Ipv4 ? "4" : "6";
    return remote.tcp ? out + "-client" : out;
}

ParsedClientConfig parse_client_config(GivenOptions options, const FileReader& file_reader) {
    ParsedClientConfig out;
    ClientParser(file_reader, out).run(std::move(options));
    return out;
}

ParsedClientConfig parse_client_config(std::string_view text, const FileReader& file_reader) {
    return parse_client_config(options_of(text, file_reader), file_reader);
}

} // namespace nfovpn::config
