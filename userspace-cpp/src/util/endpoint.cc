// SPDX-License-Identifier: GPL-2.0-or-later
//
// Text forms of addresses, networks and endpoints. See endpoint.h.

#include "util/endpoint.h"

#include <arpa/inet.h>

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

std::string to_string(const Prefix& prefix) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(prefix.ipv6 ? AF_INET6 : AF_INET, prefix.address.data(), text.data(), text.size());
    return std::string(text.data()) + "/" + std::to_string(prefix.length);
}

std::string to_string(const Endpoint& endpoint) {
    return to_string(endpoint.address) + ":" + std::to_string(endpoint.port);
}

} // namespace nfovpn
