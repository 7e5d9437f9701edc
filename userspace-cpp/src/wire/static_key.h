// SPDX-License-Identifier: GPL-2.0-or-later
//
// The files that pre-shared keys of the control channel are kept in.
//
// tls-auth and tls-crypt share a static key: 256 bytes in hexadecimal, which are two keys.
//
//     -----BEGIN OpenVPN Static key V1-----      0      64      128      192     256
//     6acef03f62675b4b1bbd03e53b187727           | cipher | HMAC  | cipher | HMAC  |
//     …                                          |     key 0      |     key 1      |
//     -----END OpenVPN Static key V1-----
//
// tls-crypt-v2 gives each client a key of its own. The server knows none of them, only the one key,
// of 128 bytes laid out as "key 0" above, that opens what a client brings:
//
//     -----BEGIN OpenVPN tls-crypt-v2 server key-----
//     base64
//     -----END OpenVPN tls-crypt-v2 server key-----
//
// What stands before and behind is a comment. Source of the facts: files that "openvpn --genkey" of
// 2.6.14 writes.
#pragma once

#include "util/secret.h"

#include <optional>
#include <string_view>

namespace nfovpn::wire {

/// Two keys of 64 bytes for a cipher and 64 for an HMAC each; of either part only the first bytes
/// are used.
using StaticKey = SecretArray<256>;

/// The server's key of tls-crypt-v2: one key of 64 + 64 bytes.
using TlsCryptV2Key = SecretArray<128>;

/// The key in the text of a file for tls-auth or tls-crypt; nothing if there is none.
std::optional<StaticKey> parse_static_key(std::string_view text);

/// The key in the text of a server's file for tls-crypt-v2; nothing if there is none.
std::optional<TlsCryptV2Key> parse_tls_crypt_v2_key(std::string_view text);

/// The longest wrapped key.
inline constexpr std::size_t kMaxWrappedKey = 1024;

/// A client's key of tls-crypt-v2, and the same wrapped by the server's key, as the client brings
/// it; its file has both, one behind the other:
///
///     -----BEGIN OpenVPN tls-crypt-v2 client key-----
struct TlsCryptV2ClientKey {
    StaticKey key;
    Bytes wrapped;
};

/// The key in the text of a client's file for tls-crypt-v2; nothing if there is none.
std::optional<TlsCryptV2ClientKey> parse_tls_crypt_v2_client_key(std::string_view text);

/// The key of auth-gen-token-secret: the second half, for an HMAC, of a key like the server's of
/// tls-crypt-v2, in a file of its own kind.
using AuthTokenKey = SecretArray<64>;
std::optional<AuthTokenKey> parse_auth_token_key(std::string_view text);

} // namespace nfovpn::wire
