// SPDX-License-Identifier: GPL-2.0-or-later
//
// Text forms of IPv4 addresses and endpoints. See endpoint.h.

#include "util/endpoint.h"

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

std::string to_string(const Endpoint& endpoint) {
    return to_string(endpoint.address) + ":" + std::to_string(endpoint.port);
}

} // namespace nfovpn
