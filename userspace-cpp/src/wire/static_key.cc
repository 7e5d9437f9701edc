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

// Digits of so many bits each to bytes, at most @p most of them. Base64's '=' may stand at the end;
// the bits that it pads must be zero.
std::optional<SecretBytes> decode(std::string_view digits, unsigned bits, int (*value)(char),
                                  std::size_t most) {
    SecretBytes out(Bytes(most, 0));
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
        if (filled == most)
            return std::nullopt;
        have -= 8;
        out.writable()[filled++] = static_cast<std::uint8_t>(pending >> have);
        pending &= (1U << have) - 1;
    }
    if (pending != 0)
        return std::nullopt;
    return SecretBytes(out.view().first(filled));
}

// The same to exactly as many bytes as the key has.
template <std::size_t N>
std::optional<SecretArray<N>> decode(std::string_view digits, unsigned bits, int (*value)(char)) {
    auto bytes = decode(digits, bits, value, N);
    if (!bytes || bytes->view().size() != N)
        return std::nullopt;
    SecretArray<N> key;
    key.assign(bytes->view().template first<N>());
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

std::optional<TlsCryptV2ClientKey> parse_tls_crypt_v2_client_key(std::string_view text) {
    constexpr std::size_t kKey = 256;
    auto body = body_of(text, "OpenVPN tls-crypt-v2 client key");
    auto both = body ? decode(*body, 6, base64_digit, kKey + kMaxWrappedKey) : std::nullopt;
    if (!both || both->view().size() <= kKey)
        return std::nullopt;
    TlsCryptV2ClientKey out;
    out.key.assign(both->view().first<kKey>());
    const auto wrapped = both->view().subspan(kKey);
    // Its last two bytes say how long it is.
    ByteReader length(wrapped.last(std::min<std::size_t>(wrapped.size(), 2)));
    if (length.u16() != wrapped.size())
        return std::nullopt;
    out.wrapped.assign(wrapped.begin(), wrapped.end());
    return out;
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
