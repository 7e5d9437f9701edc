// SPDX-License-Identifier: GPL-2.0-or-later
//
// IPv4 addresses and UDP endpoints as values, in host byte order, so that arithmetic on them
// (address pools, prefixes) is plain arithmetic. Conversion to network order happens where a
// socket or netlink message is filled in and nowhere else.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace nfovpn {

/// An IPv4 address, host byte order: 10.8.0.1 is 0x0a080001.
struct Ipv4 {
    std::uint32_t value = 0;

    auto operator<=>(const Ipv4&) const = default;
};

/// Parses a dotted quad; nothing else (no host names, no short forms).
std::optional<Ipv4> parse_ipv4(std::string_view text);

/// The dotted quad.
std::string to_string(Ipv4 address);

/// The length of a contiguous netmask (255.255.255.0 is 24), or nothing for 255.0.255.0.
std::optional<int> prefix_length(Ipv4 netmask);

/// A network inside the tunnel, of either family.
struct Prefix {
    std::array<std::uint8_t, 16> address{}; ///< network byte order; the first four of IPv4
    bool ipv6 = false;
    int length = 0;

    bool operator==(const Prefix&) const = default;
};

/// The IPv4 network of that prefix length.
Prefix ipv4_prefix(Ipv4 network, int length);

/// Parses "2001:db8::/32". Bits behind the prefix must be zero.
std::optional<Prefix> parse_ipv6_prefix(std::string_view text);

/// "10.1.0.0/16"
std::string to_string(const Prefix& prefix);

/// A UDP endpoint over IPv4; the port in host byte order.
struct Endpoint {
    Ipv4 address;
    std::uint16_t port = 0;

    auto operator<=>(const Endpoint&) const = default;
};

/// "192.0.2.1:1194"
std::string to_string(const Endpoint& endpoint);

/// Where a datagram came from and where it arrived: both are needed to answer from the address
/// that the other side knows.
struct Path {
    Endpoint remote;
    Endpoint local;

    bool operator==(const Path&) const = default;
};

} // namespace nfovpn

template <>
struct std::hash<nfovpn::Endpoint> {
    std::size_t operator()(const nfovpn::Endpoint& e) const noexcept {
        // The address alone is chosen by whoever sends; spread the bits of both.
        std::uint64_t x = std::uint64_t{e.address.value} << 16 | e.port;
        x *= 0x9e3779b97f4a7c15ULL;
        return static_cast<std::size_t>(x ^ x >> 32);
    }
};
