// SPDX-License-Identifier: GPL-2.0-or-later
//
// HTTP's CONNECT (RFC 9110, 9.3.6), SOCKS 5 (RFC 1928) and its names and passwords (RFC 1929); see
// proxy.h.

#include "wire/proxy.h"

#include "wire/peer_info.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>

namespace nfovpn::wire {

namespace {

// Of an HTTP proxy's answer, up to its empty line.
constexpr std::size_t kMaxAnswer = 16384;

// Of what a proxy says, in the log.
constexpr std::size_t kShown = 128;

constexpr std::uint8_t kSocksVersion = 5;
constexpr std::uint8_t kNoLogin = 0;
constexpr std::uint8_t kByPassword = 2;
constexpr std::uint8_t kLoginVersion = 1;
constexpr std::uint8_t kConnect = 1;
constexpr std::uint8_t kAssociate = 3;
constexpr std::uint8_t kIpv4 = 1;
constexpr std::uint8_t kName = 3;
constexpr std::uint8_t kIpv6 = 4;

void append_address(ByteWriter& out, const Endpoint& endpoint) {
    if (endpoint.address.is_ipv4()) {
        out.u8(kIpv4);
        out.u32(endpoint.address.ipv4().value);
    } else {
        out.u8(kIpv6);
        out.bytes(endpoint.address.ipv6().bytes);
    }
    out.u16(endpoint.port);
}

// Nothing if it is cut short, or of another kind.
std::optional<Endpoint> read_address(ByteReader& in, std::uint8_t kind) {
    Endpoint out;
    if (kind == kIpv4) {
        const auto raw = in.u32();
        if (!raw)
            return std::nullopt;
        out.address = Ipv4{*raw};
    } else if (kind == kIpv6) {
        const auto raw = in.bytes(16);
        if (!raw)
            return std::nullopt;
        Ipv6 address;
        std::copy(raw->begin(), raw->end(), address.bytes.begin());
        out.address = address;
    } else {
        return std::nullopt;
    }
    const auto port = in.u16();
    if (!port)
        return std::nullopt;
    out.port = *port;
    return out;
}

// With brackets around an IPv6 address, so that its colons are not the port's.
std::string in_url(const std::string& host) {
    return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

SecretBytes base64(ByteView from) {
    Bytes out(4 * ((from.size() + 2) / 3) + 1);
    const auto length = EVP_EncodeBlock(out.data(), from.data(), static_cast<int>(from.size()));
    out.resize(static_cast<std::size_t>(length));
    return SecretBytes(std::move(out));
}

bool names_host(const std::string& header) {
    static constexpr std::string_view kHost = "host:";
    return header.size() >= kHost.size() &&
           std::equal(kHost.begin(), kHost.end(), header.begin(),
                      [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b | 0x20 : b); });
}

// The three digits behind "HTTP/1.1 "; 0 if it is no such line.
int status_of(std::string_view line) {
    if (!line.starts_with("HTTP/"))
        return 0;
    const auto space = line.find(' ');
    if (space == std::string_view::npos)
        return 0;
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(' ', space)));
    if (line.size() < 3 || (line.size() > 3 && line[3] != ' '))
        return 0;
    int out = 0;
    for (const char c : line.substr(0, 3)) {
        if (c < '0' || c > '9')
            return 0;
        out = 10 * out + (c - '0');
    }
    return out;
}

const char* meaning(std::uint8_t reply) {
    static constexpr const char* kReplies[] = {"granted",
                                               "general failure",
                                               "not allowed",
                                               "network unreachable",
                                               "host unreachable",
                                               "connection refused",
                                               "it has taken too long",
                                               "command not supported",
                                               "address type not supported"};
    return reply < std::size(kReplies) ? kReplies[reply] : "for a reason that is not known";
}

} // namespace

ProxyDialogue::ProxyDialogue(const Proxy& proxy, std::string host, std::uint16_t port,
                             bool datagrams, bool again)
    : proxy_(proxy), host_(std::move(host)), port_(port), datagrams_(datagrams), again_(again),
      step_(proxy.kind == Proxy::Kind::Http ? Step::Http : Step::Method) {}

bool ProxyDialogue::with_login() const {
    return proxy_.login == Proxy::Login::Always || (proxy_.login == Proxy::Login::Asked && again_);
}

SecretBytes ProxyDialogue::http_request() const {
    const auto at = in_url(host_) + ":" + std::to_string(port_);
    std::string text = "CONNECT " + at + " HTTP/" + proxy_.version + "\r\n";
    for (const auto& header : proxy_.headers)
        text += header + "\r\n";
    if (std::none_of(proxy_.headers.begin(), proxy_.headers.end(), names_host))
        text += "Host: " + in_url(host_) + "\r\n";
    if (!proxy_.agent.empty())
        text += "User-Agent: " + proxy_.agent + "\r\n";
    SecretBytes out(as_bytes(text));
    if (with_login()) {
        SecretBytes both(as_bytes(proxy_.username + ":"));
        both.append(proxy_.password.view());
        out.append(as_bytes("Proxy-Authorization: Basic "));
        out.append(base64(both.view()).view());
        out.append(as_bytes("\r\n"));
    }
    out.append(as_bytes("\r\n"));
    return out;
}

SecretBytes ProxyDialogue::begin() const {
    if (proxy_.kind == Proxy::Kind::Http)
        return http_request();
    const Bytes methods = {kSocksVersion, 1, proxy_.username.empty() ? kNoLogin : kByPassword};
    return SecretBytes(ByteView(methods));
}

// Nobody knows yet from where datagrams will come, which zeros say.
Bytes ProxyDialogue::socks_request() const {
    ByteWriter out;
    out.u8(kSocksVersion);
    out.u8(datagrams_ ? kAssociate : kConnect);
    out.u8(0);
    if (datagrams_) {
        append_address(out, {Address(Ipv4{}), 0});
    } else if (const auto address = parse_address(host_)) {
        append_address(out, {*address, port_});
    } else {
        out.u8(kName);
        out.u8(static_cast<std::uint8_t>(host_.size()));
        out.bytes(as_bytes(host_));
        out.u16(port_);
    }
    return out.take();
}

void ProxyDialogue::fail(std::string why) {
    state_ = State::Failed;
    failure_ = std::move(why);
    heard_.clear();
}

SecretBytes ProxyDialogue::take(ByteView fresh) {
    if (state_ != State::Talking)
        return {};
    heard_.insert(heard_.end(), fresh.begin(), fresh.end());
    switch (step_) {
    case Step::Http:
        take_http();
        break;
    case Step::Method:
        return take_method();
    case Step::Login:
        return take_login();
    case Step::Reply:
        take_reply();
        break;
    }
    return {};
}

void ProxyDialogue::take_http() {
    const auto text = as_text(heard_);
    const auto end = text.find("\r\n\r\n");
    if (end == std::string_view::npos) {
        if (heard_.size() > kMaxAnswer)
            fail("its answer is too long");
        return;
    }
    const auto line = text.substr(0, text.find("\r\n"));
    const auto status = status_of(line);
    if (status == 200) {
        state_ = State::Done;
        heard_.erase(heard_.begin(), heard_.begin() + static_cast<std::ptrdiff_t>(end + 4));
    } else if (status == 407 && proxy_.login == Proxy::Login::Asked && !again_) {
        state_ = State::Again;
        heard_.clear();
    } else if (status == 407) {
        fail(with_login() ? "it refuses name and password" : "it wants a name and a password");
    } else if (status == 0) {
        fail("it does not speak HTTP");
    } else {
        fail("it answers: " + printable(line, kShown));
    }
}

SecretBytes ProxyDialogue::take_method() {
    if (heard_.size() < 2)
        return {};
    const auto method = heard_[1];
    if (heard_[0] != kSocksVersion) {
        fail("it does not speak SOCKS 5");
        return {};
    }
    if (method != (proxy_.username.empty() ? kNoLogin : kByPassword)) {
        fail(proxy_.username.empty() ? "it wants a name and a password"
                                     : "it does not take name and password");
        return {};
    }
    heard_.erase(heard_.begin(), heard_.begin() + 2);
    if (method == kNoLogin) {
        step_ = Step::Reply;
        return SecretBytes(socks_request());
    }
    step_ = Step::Login;
    const auto length = [](std::size_t n) { return static_cast<std::uint8_t>(n); };
    const std::uint8_t head[] = {kLoginVersion, length(proxy_.username.size())};
    const std::uint8_t middle[] = {length(proxy_.password.view().size())};
    SecretBytes out{ByteView(head)};
    out.append(as_bytes(proxy_.username));
    out.append(middle);
    out.append(proxy_.password.view());
    return out;
}

// Some say their version of SOCKS where that of this exchange should be.
SecretBytes ProxyDialogue::take_login() {
    if (heard_.size() < 2)
        return {};
    if ((heard_[0] != kLoginVersion && heard_[0] != kSocksVersion) || heard_[1] != 0) {
        fail("it refuses name and password");
        return {};
    }
    heard_.erase(heard_.begin(), heard_.begin() + 2);
    step_ = Step::Reply;
    return SecretBytes(socks_request());
}

void ProxyDialogue::take_reply() {
    ByteReader in(heard_);
    const auto version = in.u8();
    const auto reply = in.u8();
    if (!version || !reply)
        return;
    if (*version != kSocksVersion) {
        fail("it does not speak SOCKS 5");
        return;
    }
    // The rest of such a reply may never come.
    if (*reply != 0) {
        fail(std::string("it answers: ") + meaning(*reply));
        return;
    }
    const auto head = in.bytes(2);
    if (!head)
        return;
    const auto kind = (*head)[1];
    if (kind == kIpv4 || kind == kIpv6) {
        const auto at = read_address(in, kind);
        if (!at)
            return;
        relay_ = *at;
    } else if (kind == kName) {
        const auto length = in.u8();
        const auto rest = length ? in.bytes(*length + 2U) : std::nullopt;
        if (!rest)
            return;
        if (datagrams_) {
            fail("it gives no address for datagrams");
            return;
        }
    } else {
        fail("its answer has an address of an unknown kind");
        return;
    }
    if (datagrams_ && relay_.port == 0) {
        fail("it gives no port for datagrams");
        return;
    }
    state_ = State::Done;
    heard_ = Bytes(in.rest().begin(), in.rest().end());
}

Bytes relay_datagram(const Endpoint& to, ByteView datagram) {
    ByteWriter out;
    out.u16(0);
    out.u8(0); // it is whole
    append_address(out, to);
    out.bytes(datagram);
    return out.take();
}

std::optional<std::pair<Endpoint, ByteView>> relayed_datagram(ByteView from_relay) {
    ByteReader in(from_relay);
    const auto head = in.bytes(4);
    if (!head || (*head)[0] != 0 || (*head)[1] != 0 || (*head)[2] != 0)
        return std::nullopt;
    const auto from = read_address(in, (*head)[3]);
    if (!from)
        return std::nullopt;
    return std::pair{*from, in.rest()};
}

} // namespace nfovpn::wire
