// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a server tells its client in the push reply, taken apart and checked. The words come from
// another machine: what would define the tunnel and cannot be understood is a fault, and there is
// no tunnel; what is merely unknown, or of no use here, is left out and named.
//
//     route-gateway 10.8.0.1          ifconfig 10.8.0.2 255.255.255.0      peer-id 0
//     topology subnet                 ifconfig-ipv6 fd00:8::1000/64 fd00:8::1
//     route 10.99.0.0 255.255.255.0   route-ipv6 fd00:99::/64              redirect-gateway def1
//     ping 10      ping-restart 60    tun-mtu 1420      cipher AES-256-GCM
//     protocol-flags cc-exit tls-ekm aead-epoch         key-derivation tls-ekm
//     dhcp-option DNS 10.99.0.53      dns server 1 address 10.99.0.53      auth-token …
#pragma once

#include "util/data_keys.h"
#include "util/endpoint.h"
#include "util/environment.h"
#include "util/result.h"
#include "util/secret.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nfovpn::wire {

/// A route that the server, or the client's own configuration, wants.
struct TunnelRoute {
    /// Where it leads.
    enum class Via {
        Tunnel,    ///< OpenVPN's vpn_gateway, and any address inside the tunnel
        NetGateway ///< past the tunnel, as the server itself is reached
    };
    Prefix network;
    bool to_server = false; ///< "remote_host": network is not known before there is one
    Via via = Via::Tunnel;
    std::optional<std::uint32_t> metric;

    bool operator==(const TunnelRoute&) const = default;
};

/// The words of "route", without the first; nothing if they are no route.
std::optional<TunnelRoute> parse_route(std::span<const std::string> words);
/// The same of "route-ipv6".
std::optional<TunnelRoute> parse_route_ipv6(std::span<const std::string> words);

/// All traffic through the tunnel ("redirect-gateway").
struct RedirectGateway {
    bool ipv4 = true;
    bool ipv6 = false;
    bool local = false;  ///< the server is on this link and needs no route of its own
    bool reroute = true; ///< not with redirect-private: only the server's own route is set

    bool operator==(const RedirectGateway&) const = default;
};

/// The words of "redirect-gateway", without the first. Those that mean nothing here are added to
/// @p ignored.
RedirectGateway parse_redirect(std::span<const std::string> words,
                               std::vector<std::string>& ignored);

/// What is pushed about the device's network in IPv4.
enum class Topology { Net30, P2p, Subnet };

/// See the head of this file.
struct PushedOptions {
    Topology topology = Topology::Net30; ///< OpenVPN's default when nothing is pushed
    std::optional<Ipv4> address;
    std::optional<Ipv4> netmask; ///< of topology subnet
    std::optional<Ipv4> peer;    ///< of the other topologies: the other end
    std::optional<Ipv6> address6;
    int length6 = 64;
    std::optional<Ipv6> peer6;
    std::optional<Ipv4> gateway; ///< route-gateway
    std::optional<std::uint32_t> route_metric;
    std::vector<TunnelRoute> routes;
    std::optional<RedirectGateway> redirect;

    std::optional<std::uint32_t> ping; ///< seconds
    std::optional<std::uint32_t> ping_restart;
    std::optional<bool> ping_exit; ///< the last of ping-restart and ping-exit was the latter
    std::optional<std::chrono::seconds> inactive;
    std::uint64_t inactive_bytes = 0;
    std::optional<std::chrono::seconds> session_timeout;
    std::optional<std::uint32_t> exit_notify;
    std::optional<std::uint32_t> tun_mtu;

    std::optional<std::uint32_t> peer_id;
    std::optional<DataCipher> cipher;
    std::optional<Framing> framing;
    bool tls_export = false;
    bool epochs = false;
    bool cc_exit = false;

    SecretBytes auth_token; ///< stands for the password from now on; may be empty
    std::string auth_token_user;

    /// For programs, by the names that OpenVPN has: foreign_option_1, dns_server_1_address_1, …
    Environment environment;
    std::vector<std::string> echo;    ///< for user interfaces; may be secret
    std::vector<std::string> ignored; ///< printable
};

/// An option that cannot be obeyed.
struct PushFault {
    std::string option; ///< printable
    std::string reason;
};

/// Takes the options of a whole push reply apart, in their order; the last of two counts.
Result<PushedOptions, PushFault> parse_pushed_options(std::span<const std::string> options);

/// Of the options of a push reply, those that "pull-filter" lets pass. The first filter whose text
/// an option begins with decides about it.
struct PullFilter {
    enum class Action { Accept, Ignore, Reject };
    Action action = Action::Accept;
    std::string text;
};
Result<std::vector<std::string>, PushFault> filter_options(std::span<const PullFilter> filters,
                                                           std::vector<std::string> options);

} // namespace nfovpn::wire
