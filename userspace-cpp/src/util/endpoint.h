// SPDX-License-Identifier: GPL-2.0-or-later
//
// Addresses, networks and UDP endpoints as values. IPv4 addresses and ports are in host byte order,
// so that arithmetic on them (address pools, prefixes) is plain arithmetic. Conversion to network
// order happens where a socket or netlink message is filled in and nowhere else.
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

/// An IPv6 address, network byte order.
struct Ipv6 {
    std::array<std::uint8_t, 16> bytes{};

    auto operator<=>(const Ipv6&) const = default;
};

/// Parses an address without a scope.
std::optional<Ipv6> parse_ipv6(std::string_view text);

/// "2001:db8::1"
std::string to_string(const Ipv6& address);

/// The address that far behind another one.
Ipv6 operator+(const Ipv6& address, std::uint32_t offset);

/// A network inside the tunnel, of either family.
struct Prefix {
    std::array<std::uint8_t, 16> address{}; ///< network byte order; the first four of IPv4
    bool ipv6 = false;
    int length = 0;

    auto operator<=>(const Prefix&) const = default;
};

/// The IPv4 network of that prefix length.
Prefix ipv4_prefix(Ipv4 network, int length);

/// The IPv6 network of that prefix length.
Prefix ipv6_prefix(const Ipv6& network, int length);

/// Parses "2001:db8::/32". Bits behind the prefix must be zero.
std::optional<Prefix> parse_ipv6_prefix(std::string_view text);

/// "10.1.0.0/16"
std::string to_string(const Prefix& prefix);

/// The address of a host of either family. Those of IPv4 are kept as sockets of both families tell
/// them, IPv4-mapped (RFC 4291, 2.5.5.2).
class Address {
public:
    Address() : Address(Ipv4{}) {}
    Address(Ipv4 address); // NOLINT(google-explicit-constructor): it is one
    Address(const Ipv6& address) : mapped_(address) {} // NOLINT(google-explicit-constructor)

    [[nodiscard]] bool is_ipv4() const;
    /// Of an IPv4 address only.
    [[nodiscard]] Ipv4 ipv4() const;
    /// Itself, or the IPv4-mapped address.
    [[nodiscard]] const Ipv6& ipv6() const { return mapped_; }

    auto operator<=>(const Address&) const = default;

private:
    Ipv6 mapped_;
};

/// "192.0.2.1", "2001:db8::1"
std::string to_string(const Address& address);

/// Parses an address of either family, without a scope.
std::optional<Address> parse_address(std::string_view text);

/// Whether it is of this machine alone: 127.0.0.0/8 or ::1.
bool is_loopback(const Address& address);

/// Who may have so many addresses as they like counts as one: an IPv4 address, or the 64 bits of
/// the network of an IPv6 address.
std::uint64_t source_of(const Address& address);

/// A UDP endpoint; the port in host byte order.
struct Endpoint {
    Address address;
    std::uint16_t port = 0;
    std::uint32_t scope_id = 0; ///< interface of a link-local address (RFC 4007)

    auto operator<=>(const Endpoint&) const = default;
};

/// "192.0.2.1:1194", "[2001:db8::1]:1194", "[fe80::1%2]:1194"
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
        std::uint64_t x = e.port;
        for (auto byte : e.address.ipv6().bytes)
            x = (x ^ byte) * 0x9e3779b97f4a7c15ULL;
        return static_cast<std::size_t>(x ^ x >> 32);
    }
};

template <>
struct std::hash<nfovpn::Path> {
    std::size_t operator()(const nfovpn::Path& path) const noexcept {
        const std::hash<nfovpn::Endpoint> of_end;
        return of_end(path.remote) * 31 + of_end(path.local);
    }
};
