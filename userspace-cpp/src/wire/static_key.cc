// SPDX-License-Identifier: GPL-2.0-or-later
//
// Key files to keys; static_key.h shows the files.

#include "wire/static_key.h"

#include <algorithm>
#include <string>

namespace nfovpn::wire {

namespace {

// What stands between the lines that begin and end a key of that name.
std::optional<std::string_view> body_of(std::string_view text, std::string_view name) {
    auto begin = "-----BEGIN " + std::string(name) + "-----";
    auto end = "-----END " + std::string(name) + "-----";
    auto from = text.find(begin);
    if (from == std::string_view::npos)
        return std::nullopt;
    from += begin.size();
    auto to = text.find(end, from);
    if (to == std::string_view::npos)
        return std::nullopt;
    return text.substr(from, to - from);
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// The value of a digit, -1 if it is none. The alphabet of hexadecimal has both cases.
int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

// Digits of so many bits each to exactly as many bytes as the key has. Base64's '=' may stand at
// the end; the bits that it pads must be zero.
template <std::size_t N>
std::optional<SecretArray<N>> decode(std::string_view digits, unsigned bits, int (*value)(char)) {
    SecretArray<N> key;
    auto out = key.writable();
    std::size_t filled = 0;
    unsigned pending = 0;
    unsigned have = 0;
    bool padded = false;
    for (char c : digits) {
        if (is_space(c))
            continue;
        if (bits == 6 && c == '=') {
            padded = true;
            continue;
        }
        int digit = value(c);
        if (digit < 0 || padded)
            return std::nullopt;
        pending = pending << bits | static_cast<unsigned>(digit);
        have += bits;
        if (have < 8)
            continue;
        if (filled == N)
            return std::nullopt;
        have -= 8;
        out[filled++] = static_cast<std::uint8_t>(pending >> have);
        pending &= (1U << have) - 1;
    }
    if (filled != N || pending != 0)
        return std::nullopt;
    return key;
}

} // namespace

std::optional<StaticKey> parse_static_key(std::string_view text) {
    auto body = body_of(text, "OpenVPN Static key V1");
    return body ? decode<256>(*body, 4, hex_digit) : std::nullopt;
}

std::optional<TlsCryptV2Key> parse_tls_crypt_v2_key(std::string_view text) {
    auto body = body_of(text, "OpenVPN tls-crypt-v2 server key");
    return body ? decode<128>(*body, 6, base64_digit) : std::nullopt;
}

std::optional<AuthTokenKey> parse_auth_token_key(std::string_view text) {
    auto body = body_of(text, "OpenVPN auth-token server key");
    auto both = body ? decode<128>(*body, 6, base64_digit) : std::nullopt;
    if (!both)
        return std::nullopt;
    AuthTokenKey key;
    key.assign(both->view().last<64>());
    return key;
}

} // namespace nfovpn::wire
