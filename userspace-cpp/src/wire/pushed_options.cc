// SPDX-License-Identifier: GPL-2.0-or-later
//
// The options of a push reply, one handler each; see pushed_options.h.

#include "wire/pushed_options.h"

#include "wire/peer_info.h"

#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>

namespace nfovpn::wire {

namespace {

using Words = std::span<const std::string>;

// More routes than any network has; every one of them becomes a system call.
constexpr std::size_t kMaxRoutes = 4096;
// Of what programs are told.
constexpr std::size_t kMaxVariables = 256;
constexpr std::size_t kMaxIgnored = 64;
constexpr std::size_t kMaxEcho = 100;
constexpr std::size_t kShown = 200;

std::optional<std::uint32_t> number(std::string_view text, std::uint32_t low, std::uint32_t high) {
    std::uint32_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < low || value > high)
        return std::nullopt;
    return value;
}

// What stands in base64; nothing if that is none, or has a zero byte.
std::optional<std::string> text_of_base64(const std::string& digits) {
    if (digits.empty() || digits.size() % 4 != 0)
        return std::nullopt;
    std::string out(digits.size(), '\0');
    const auto length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                        reinterpret_cast<const unsigned char*>(digits.data()),
                                        static_cast<int>(digits.size()));
    const auto padding = digits.size() - std::min(digits.find('='), digits.size());
    if (length < 0 || padding > 2)
        return std::nullopt;
    out.resize(static_cast<std::size_t>(length) - padding);
    return out.find('\0') == std::string::npos ? std::optional(out) : std::nullopt;
}

/// Takes the options one by one.
class Reader {
public:
    /// Why the option cannot be obeyed; nothing if it was.
    std::optional<std::string> take(const std::string& option) {
        const auto words = split(option, ' ');
        if (words.empty())
            return std::nullopt;
        static const std::map<std::string_view, Handler> kHandlers = {
            {"ifconfig", &Reader::ifconfig},
            {"ifconfig-ipv6", &Reader::ifconfig_ipv6},
            {"topology", &Reader::topology},
            {"route-gateway", &Reader::route_gateway},
            {"route-metric", &Reader::route_metric},
            {"route", &Reader::route},
            {"route-ipv6", &Reader::route_ipv6},
            {"redirect-gateway", &Reader::redirect_gateway},
            {"redirect-private", &Reader::redirect_gateway},
            {"ping", &Reader::seconds},
            {"ping-restart", &Reader::seconds},
            {"ping-exit", &Reader::seconds},
            {"inactive", &Reader::inactive},
            {"session-timeout", &Reader::session_timeout},
            {"explicit-exit-notify", &Reader::exit_notify},
            {"tun-mtu", &Reader::tun_mtu},
            {"peer-id", &Reader::peer_id},
            {"cipher", &Reader::cipher},
            {"compress", &Reader::compression},
            {"comp-lzo", &Reader::compression},
            {"protocol-flags", &Reader::protocol_flags},
            {"key-derivation", &Reader::key_derivation},
            {"auth-token", &Reader::auth_token},
            {"auth-token-user", &Reader::auth_token},
            {"dhcp-option", &Reader::foreign_option},
            {"dns", &Reader::dns},
            {"echo", &Reader::echo},
        };
        auto handler = kHandlers.find(words[0]);
        if (handler == kHandlers.end()) {
            ignore(option);
            return std::nullopt;
        }
        return (this->*handler->second)(option, Words(words));
    }

    PushedOptions finish() {
        // The second word of ifconfig has its meaning from topology, wherever that stands.
        if (out_.address && out_.topology == Topology::Subnet)
            out_.netmask = second_;
        else if (out_.address)
            out_.peer = second_;
        for (const auto& [name, value] : variables_)
            out_.environment.emplace_back(name, value);
        return std::move(out_);
    }

    /// What is wrong with all of them together.
    [[nodiscard]] std::optional<std::string> contradiction() const {
        if (out_.address && out_.topology == Topology::Subnet && !prefix_length(second_))
            return "the second word of ifconfig is no netmask";
        return std::nullopt;
    }

private:
    using Fault = std::optional<std::string>;
    using Handler = Fault (Reader::*)(const std::string&, Words);

    void ignore(const std::string& option) {
        if (out_.ignored.size() < kMaxIgnored)
            out_.ignored.push_back(printable(option, kShown));
    }

    Fault ifconfig(const std::string&, Words words) {
        auto address = words.size() == 3 ? parse_ipv4(words[1]) : std::nullopt;
        auto second = words.size() == 3 ? parse_ipv4(words[2]) : std::nullopt;
        if (!address || !second)
            return "not an address and a netmask";
        out_.address = address;
        second_ = *second;
        return std::nullopt;
    }

    Fault ifconfig_ipv6(const std::string&, Words words) {
        const auto& word = words.size() > 1 ? words[1] : words[0];
        const auto slash = word.find('/');
        auto address = parse_ipv6(std::string_view(word).substr(0, slash));
        auto length = slash == std::string::npos
                          ? std::optional<std::uint32_t>(64)
                          : number(std::string_view(word).substr(slash + 1), 0, 128);
        if (words.size() < 2 || words.size() > 3 || !address || !length)
            return "not an address with its prefix length";
        if (words.size() == 3) {
            out_.peer6 = parse_ipv6(words[2]);
            if (!out_.peer6)
                return "the other end is no IPv6 address";
        }
        out_.address6 = address;
        out_.length6 = static_cast<int>(*length);
        return std::nullopt;
    }

    Fault topology(const std::string&, Words words) {
        const std::string word = words.size() == 2 ? words[1] : "";
        if (word == "subnet")
            out_.topology = Topology::Subnet;
        else if (word == "p2p")
            out_.topology = Topology::P2p;
        else if (word == "net30")
            out_.topology = Topology::Net30;
        else
            return "no topology that is known";
        return std::nullopt;
    }

    Fault echo(const std::string&, Words words) {
        std::string text;
        for (const auto& word : words.subspan(1))
            text += (text.empty() ? "" : " ") + word;
        if (out_.echo.size() < kMaxEcho)
            out_.echo.push_back(text);
        return std::nullopt;
    }

    Fault route_gateway(const std::string& option, Words words) {
        auto gateway = words.size() == 2 ? parse_ipv4(words[1]) : std::nullopt;
        if (!gateway)
            ignore(option);
        else
            out_.gateway = gateway;
        return std::nullopt;
    }

    Fault route_metric(const std::string& option, Words words) {
        auto metric = words.size() == 2 ? number(words[1], 0, 0x7fffffff) : std::nullopt;
        if (!metric)
            ignore(option);
        else
            out_.route_metric = metric;
        return std::nullopt;
    }

    // As with OpenVPN, a route that cannot be understood is missed and the tunnel stands.
    Fault add(const std::string& option, std::optional<TunnelRoute> route) {
        if (!route)
            ignore(option);
        else if (out_.routes.size() == kMaxRoutes)
            return "more than " + std::to_string(kMaxRoutes) + " routes";
        else
            out_.routes.push_back(*route);
        return std::nullopt;
    }
    Fault route(const std::string& option, Words words) {
        return add(option, parse_route(words.subspan(1)));
    }
    Fault route_ipv6(const std::string& option, Words words) {
        return add(option, parse_route_ipv6(words.subspan(1)));
    }

    Fault redirect_gateway(const std::string&, Words words) {
        std::vector<std::string> ignored;
        out_.redirect = parse_redirect(words.subspan(1), ignored);
        out_.redirect->reroute = words[0] == "redirect-gateway";
        for (const auto& word : ignored)
            ignore("redirect-gateway " + word);
        return std::nullopt;
    }

    Fault seconds(const std::string& option, Words words) {
        auto value = words.size() == 2 ? number(words[1], 0, 86400) : std::nullopt;
        if (!value)
            ignore(option);
        else
            (words[0] == "ping" ? out_.ping : out_.ping_restart) = value;
        if (value && words[0] != "ping")
            out_.ping_exit = words[0] == "ping-exit";
        return std::nullopt;
    }

    Fault inactive(const std::string& option, Words words) {
        auto value =
            words.size() == 2 || words.size() == 3 ? number(words[1], 0, 0x7fffffff) : std::nullopt;
        std::uint64_t bytes = 0;
        bool well = value.has_value();
        if (words.size() == 3) {
            const auto& word = words[2];
            auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), bytes);
            well = well && error == std::errc{} && end == word.data() + word.size();
        }
        if (!well) {
            ignore(option);
            return std::nullopt;
        }
        out_.inactive = std::chrono::seconds(*value);
        out_.inactive_bytes = bytes;
        return std::nullopt;
    }

    Fault session_timeout(const std::string& option, Words words) {
        const auto value = words.size() == 2 ? number(words[1], 0, 0x7fffffff) : std::nullopt;
        if (value)
            out_.session_timeout = std::chrono::seconds(*value);
        else
            ignore(option);
        return std::nullopt;
    }

    Fault exit_notify(const std::string& option, Words words) {
        out_.exit_notify = words.size() == 2 ? number(words[1], 0, 2) : std::optional(1U);
        if (!out_.exit_notify)
            ignore(option);
        return std::nullopt;
    }

    Fault tun_mtu(const std::string&, Words words) {
        out_.tun_mtu = words.size() == 2 ? number(words[1], 576, 65535) : std::nullopt;
        return out_.tun_mtu ? std::nullopt : Fault("not an MTU from 576 to 65535");
    }

    Fault peer_id(const std::string&, Words words) {
        out_.peer_id = words.size() == 2 ? number(words[1], 0, 0xffffff) : std::nullopt;
        return out_.peer_id ? std::nullopt : Fault("not a number of 24 bits");
    }

    Fault cipher(const std::string&, Words words) {
        out_.cipher = words.size() == 2 ? cipher_by_name(words[1]) : std::nullopt;
        return out_.cipher ? std::nullopt : Fault("the cipher is not supported");
    }

    Fault compression(const std::string&, Words words) {
        out_.framing = framing_of(words[0], words.size() > 1 ? words[1] : "");
        return out_.framing ? std::nullopt : Fault("no compression that is known");
    }

    // What is not understood here makes packets that cannot be read.
    Fault protocol_flags(const std::string&, Words words) {
        for (const auto& word : words.subspan(1)) {
            if (word == "cc-exit")
                out_.cc_exit = true;
            else if (word == "tls-ekm")
                out_.tls_export = true;
            else if (word == "aead-epoch")
                out_.epochs = true;
            else
                return printable(word) + " was not offered";
        }
        return std::nullopt;
    }

    Fault key_derivation(const std::string&, Words words) {
        if (words.size() != 2 || words[1] != "tls-ekm")
            return "only tls-ekm is known";
        out_.tls_export = true;
        return std::nullopt;
    }

    Fault auth_token(const std::string&, Words words) {
        if (words.size() != 2)
            return std::nullopt; // nothing of it may be shown
        if (words[0] == "auth-token")
            out_.auth_token = SecretBytes(as_bytes(words[1]));
        else
            out_.auth_token_user = text_of_base64(words[1]).value_or("");
        return std::nullopt;
    }

    void tell(const std::string& name, std::string_view value) {
        if (variables_.size() < kMaxVariables)
            variables_[name] = printable(value, 1024);
    }

    Fault foreign_option(const std::string& option, Words) {
        tell("foreign_option_" + std::to_string(++foreign_options_), option);
        return std::nullopt;
    }

    // dns search-domains …; dns server N address|resolve-domains|dnssec|transport|sni …
    Fault dns(const std::string& option, Words words) {
        if (words.size() >= 3 && words[1] == "search-domains") {
            for (const auto& domain : words.subspan(2))
                tell("dns_search_domain_" + std::to_string(++search_domains_), domain);
            return std::nullopt;
        }
        const bool of_server = words.size() >= 5 && words[1] == "server";
        const auto priority = of_server ? number(words[2], 0, 127) : std::nullopt;
        if (!priority) {
            ignore(option);
            return std::nullopt;
        }
        const auto server = "dns_server_" + std::to_string(*priority) + "_";
        const auto resolve_domain = server + "resolve_domain";
        const auto& what = words[3];
        for (std::size_t i = 4; i < words.size(); i++) {
            const auto n = "_" + std::to_string(i - 3);
            if (what == "address")
                dns_address(server, n, words[i]);
            else if (what == "resolve-domains")
                tell(resolve_domain + n, words[i]);
            else if (what == "dnssec" || what == "transport" || what == "sni")
                tell(server + what, words[i]);
        }
        return std::nullopt;
    }
    // 192.0.2.1, 192.0.2.1:53, 2001:db8::1, [2001:db8::1]:53
    void dns_address(const std::string& server, const std::string& n, std::string_view text) {
        std::string_view port;
        if (const auto close = text.find("]:"); text.starts_with('[')) {
            port = close == std::string_view::npos ? "" : text.substr(close + 2);
            text = text.substr(1, text.find(']') - 1);
        } else if (std::count(text.begin(), text.end(), ':') == 1) {
            port = text.substr(text.find(':') + 1);
            text = text.substr(0, text.find(':'));
        }
        if (!parse_address(text))
            return;
        tell(server + "address" + n, text);
        if (number(port, 1, 65535))
            tell(server + "port" + n, port);
    }

    PushedOptions out_;
    Ipv4 second_; ///< word of ifconfig
    std::map<std::string, std::string> variables_;
    unsigned foreign_options_ = 0;
    unsigned search_domains_ = 0;
};

// The gateway of a route, if it is one that has a meaning here.
std::optional<TunnelRoute::Via> via(std::string_view word) {
    if (word == "net_gateway" || word == "net_gateway_ipv6")
        return TunnelRoute::Via::NetGateway;
    const bool named = word == "vpn_gateway" || word == "default" || word == "remote_host";
    return named || parse_address(word) ? std::optional(TunnelRoute::Via::Tunnel) : std::nullopt;
}

// The words behind the network.
bool read_rest(TunnelRoute& route, Words words) {
    if (!words.empty()) {
        auto where = via(words[0]);
        if (!where)
            return false;
        route.via = *where;
    }
    if (words.size() > 1 && words[1] != "default") {
        route.metric = number(words[1], 0, 0x7fffffff);
        if (!route.metric)
            return false;
    }
    return words.size() <= 2;
}

} // namespace

std::optional<TunnelRoute> parse_route(std::span<const std::string> words) {
    if (words.empty())
        return std::nullopt;
    const bool given = words.size() > 1 && words[1] != "default";
    const bool to_server = words[0] == "remote_host";
    auto base = to_server ? std::optional(Ipv4{}) : parse_ipv4(words[0]);
    auto mask = given ? parse_ipv4(words[1]) : std::optional(Ipv4{0xffffffff});
    auto length = mask ? prefix_length(*mask) : std::nullopt;
    if (!base || !length || (base->value & ~mask->value) != 0)
        return std::nullopt;
    TunnelRoute out;
    out.network = ipv4_prefix(*base, *length);
    out.to_server = to_server;
    if (!read_rest(out, words.subspan(std::min<std::size_t>(words.size(), 2))))
        return std::nullopt;
    return out;
}

std::optional<TunnelRoute> parse_route_ipv6(std::span<const std::string> words) {
    auto network = words.empty() ? std::nullopt : parse_ipv6_prefix(words[0]);
    if (!network)
        return std::nullopt;
    TunnelRoute out;
    out.network = *network;
    if (!read_rest(out, words.subspan(1)))
        return std::nullopt;
    return out;
}

RedirectGateway parse_redirect(std::span<const std::string> words,
                               std::vector<std::string>& ignored) {
    RedirectGateway out;
    for (const auto& word : words) {
        if (word == "local")
            out.local = true;
        else if (word == "ipv6")
            out.ipv6 = true;
        else if (word == "!ipv4")
            out.ipv4 = false;
        else if (word != "def1")
            ignored.push_back(word);
    }
    return out;
}

Result<PushedOptions, PushFault> parse_pushed_options(std::span<const std::string> options) {
    Reader reader;
    for (const auto& option : options) {
        if (auto fault = reader.take(option))
            return PushFault{printable(option, kShown), *fault};
    }
    if (auto fault = reader.contradiction())
        return PushFault{"ifconfig", *fault};
    return reader.finish();
}

Result<std::vector<std::string>, PushFault> filter_options(std::span<const PullFilter> filters,
                                                           std::vector<std::string> options) {
    std::vector<std::string> out;
    for (auto& option : options) {
        const auto filter = std::find_if(filters.begin(), filters.end(), [&](const PullFilter& f) {
            return option.starts_with(f.text);
        });
        const auto action = filter == filters.end() ? PullFilter::Action::Accept : filter->action;
        if (action == PullFilter::Action::Reject)
            return PushFault{printable(option, kShown), "pull-filter rejects it"};
        if (action == PullFilter::Action::Accept)
            out.push_back(std::move(option));
    }
    return out;
}

} // namespace nfovpn::wire
