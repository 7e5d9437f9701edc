// SPDX-License-Identifier: GPL-2.0-or-later
//
// Text forms of addresses, networks and endpoints. See endpoint.h.

#include "util/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <bit>
#include <charconv>

namespace nfovpn {

std::optional<Ipv4> parse_ipv4(std::string_view text) {
    std::uint32_t value = 0;
    const char* at = text.data();
    const char* end = at + text.size();
    for (int i = 0; i < 4; i++) {
        unsigned octet = 0;
        auto [next, error] = std::from_chars(at, end, octet);
        // A leading zero means octal to some and decimal to others: refuse to guess.
        if (error != std::errc{} || octet > 255 || next - at > 3 || (next - at > 1 && *at == '0'))
            return std::nullopt;
        value = value << 8 | octet;
        at = next;
        if (i < 3) {
            if (at == end || *at != '.')
                return std::nullopt;
            at++;
        }
    }
    if (at != end)
        return std::nullopt;
    return Ipv4{value};
}

std::string to_string(Ipv4 address) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) {
        out += std::to_string(address.value >> shift & 0xff);
        if (shift != 0)
            out += '.';
    }
    return out;
}

std::optional<int> prefix_length(Ipv4 netmask) {
    int length = std::countl_one(netmask.value);
    if (length < 32 && netmask.value << length != 0)
        return std::nullopt;
    return length;
}

Prefix ipv4_prefix(Ipv4 network, int length) {
    Prefix out;
    for (std::size_t i = 0; i < 4; i++)
        out.address[i] = static_cast<std::uint8_t>(network.value >> (24 - 8 * i));
    out.length = length;
    return out;
}

std::optional<Prefix> parse_ipv6_prefix(std::string_view text) {
    auto slash = text.find('/');
    if (slash == std::string_view::npos)
        return std::nullopt;
    Prefix out;
    out.ipv6 = true;
    const std::string address(text.substr(0, slash));
    auto digits = text.substr(slash + 1);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.length);
    if (error != std::errc{} || end != digits.data() + digits.size() || out.length < 0 ||
        out.length > 128 || inet_pton(AF_INET6, address.c_str(), out.address.data()) != 1)
        return std::nullopt;
    for (std::size_t bit = static_cast<std::size_t>(out.length); bit < 128; bit++) {
        if ((out.address[bit / 8] & 0x80U >> bit % 8) != 0)
            return std::nullopt;
    }
    return out;
}

std::optional<Ipv6> parse_ipv6(std::string_view text) {
    Ipv6 out;
    if (inet_pton(AF_INET6, std::string(text).c_str(), out.bytes.data()) != 1)
        return std::nullopt;
    return out;
}

std::string to_string(const Ipv6& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(AF_INET6, address.bytes.data(), text.data(), text.size());
    return text.data();
}

Ipv6 operator+(const Ipv6& address, std::uint32_t offset) {
    auto out = address;
    std::uint64_t carry = offset;
    for (auto at = out.bytes.rbegin(); at != out.bytes.rend() && carry != 0; ++at) {
        carry += *at;
        *at = static_cast<std::uint8_t>(carry);
        carry >>= 8;
    }
    return out;
}

Prefix ipv6_prefix(const Ipv6& network, int length) {
    return {network.bytes, true, length};
}

std::string to_string(const Prefix& prefix) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(prefix.ipv6 ? AF_INET6 : AF_INET, prefix.address.data(), text.data(), text.size());
    return std::string(text.data()) + "/" + std::to_string(prefix.length);
}

namespace {
constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
}

Address::Address(Ipv4 address) {
    std::copy(kMapped.begin(), kMapped.end(), mapped_.bytes.begin());
    for (std::size_t i = 0; i < 4; i++)
        mapped_.bytes[kMapped.size() + i] =
            static_cast<std::uint8_t>(address.value >> (24 - 8 * i));
}

bool Address::is_ipv4() const {
    return std::equal(kMapped.begin(), kMapped.end(), mapped_.bytes.begin());
}

Ipv4 Address::ipv4() const {
    Ipv4 out;
    for (std::size_t i = kMapped.size(); i < mapped_.bytes.size(); i++)
        out.value = out.value << 8 | mapped_.bytes[i];
    return out;
}

std::string to_string(const Address& address) {
    return address.is_ipv4() ? to_string(address.ipv4()) : to_string(address.ipv6());
}

bool is_loopback(const Address& address) {
    if (address.is_ipv4())
        return address.ipv4().value >> 24 == 127;
    return address == Address(*parse_ipv6("::1"));
}

std::optional<Address> parse_address(std::string_view text) {
    if (auto ipv4 = parse_ipv4(text))
        return *ipv4;
    if (auto ipv6 = parse_ipv6(text))
        return *ipv6;
    return std::nullopt;
}

std::uint64_t source_of(const Address& address) {
    if (address.is_ipv4())
        return address.ipv4().value;
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < 8; i++)
        out = out << 8 | address.ipv6().bytes[i];
    return out;
}

std::string to_string(const Endpoint& endpoint) {
    auto address = to_string(endpoint.address);
    if (endpoint.scope_id != 0)
        address += "%" + std::to_string(endpoint.scope_id);
    if (!endpoint.address.is_ipv4())
        address = "[" + address + "]";
    return address + ":" + std::to_string(endpoint.port);
}

} // namespace nfovpn
