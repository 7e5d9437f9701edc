// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is said to a proxy until it passes on what comes, without any socket:
//
//     HTTP      ▶ CONNECT vpn.example.net:1194 HTTP/1.0 …      ◀ HTTP/1.1 200 …
//     SOCKS 5   ▶ methods  ◀ method  [▶ name and password  ◀ status]  ▶ request  ◀ reply
//
// A connection of SOCKS either becomes one to the server (CONNECT), or stands for the right to send
// datagrams by way of the proxy (UDP ASSOCIATE): each has a header then that says where it is for,
// or where it is from.
//
// A proxy is not trusted: its answers are bounded and are taken apart here only, and what it passes
// on is authenticated like everything that comes from the network.
#pragma once

#include "util/bytes.h"
#include "util/endpoint.h"
#include "util/secret.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfovpn::wire {

/// A proxy, and what it is told.
struct Proxy {
    enum class Kind { Http, Socks };
    /// When name and password are given to an HTTP proxy. One of SOCKS gets them if there are any.
    enum class Login {
        Never,
        Always,
        Asked ///< when it has refused (407)
    };

    Kind kind = Kind::Http;
    std::string host; ///< a name or an address
    std::uint16_t port = 0;
    Login login = Login::Never;
    std::string username;
    SecretBytes password;
    std::string version = "1.0"; ///< of HTTP
    std::string agent;           ///< likewise; empty: none is named
    /// Lines of the request; if one of them is "Host:" there is no other.
    std::vector<std::string> headers;
};

/// The longest name or password that SOCKS has room for.
inline constexpr std::size_t kMaxSocksWord = 255;

/// A conversation with a proxy, on one connection.
class ProxyDialogue {
public:
    /// For @p host at @p port; @p datagrams: by UDP ASSOCIATE, which HTTP does not have.
    /// @p again: it has asked for name and password before. @p proxy must outlive the object.
    ProxyDialogue(const Proxy& proxy, std::string host, std::uint16_t port, bool datagrams,
                  bool again);

    enum class State {
        Talking,
        Done,
        Again, ///< another connection, with name and password
        Failed
    };

    /// What is to be said first.
    [[nodiscard]] SecretBytes begin() const;

    /// Takes what has come, and answers what is to be said next, if anything.
    SecretBytes take(ByteView fresh);

    [[nodiscard]] State state() const { return state_; }
    /// Why it has failed.
    [[nodiscard]] const std::string& failure() const { return failure_; }
    /// Where datagrams go to, once it is done; an address of zeros: where the proxy is.
    [[nodiscard]] const Endpoint& relay() const { return relay_; }
    /// Behind the answer: what the server says already.
    [[nodiscard]] const Bytes& rest() const { return heard_; }

private:
    enum class Step { Http, Method, Login, Reply };

    [[nodiscard]] SecretBytes http_request() const;
    [[nodiscard]] bool with_login() const;
    [[nodiscard]] Bytes socks_request() const;
    void take_http();
    SecretBytes take_method();
    SecretBytes take_login();
    void take_reply();
    void fail(std::string why);

    const Proxy& proxy_;
    std::string host_;
    std::uint16_t port_;
    bool datagrams_;
    bool again_;
    Step step_;
    State state_ = State::Talking;
    std::string failure_;
    Endpoint relay_;
    Bytes heard_; ///< and not understood yet
};

/// The longest header that relay_datagram() puts in front.
inline constexpr std::uint32_t kMaxRelayHeader = 22;

/// What the relay of a SOCKS proxy passes on to @p to.
Bytes relay_datagram(const Endpoint& to, ByteView datagram);

/// What it has passed on, and from where; nothing if it is none, or only a fragment.
std::optional<std::pair<Endpoint, ByteView>> relayed_datagram(ByteView from_relay);

} // namespace nfovpn::wire
