// SPDX-License-Identifier: GPL-2.0-or-later
//
// Tokens that stand for a password. A client whose password was verified is given one, and shows it
// in place of the password at each renegotiation, and when it connects again: whoever types
// one-time passwords is asked once. As OpenVPN's:
//
//     SESS_ID_AT_ + base64 of  session 12 │ first issued 8 │ renewed 8 │ HMAC-SHA256 32
//
// Times are seconds since 1970, big endian. The HMAC is over the user name, with its length before
// it, and the other fields. The server keeps nothing, so a token outlives its restart if the key
// does.
#pragma once

#include "util/bytes.h"
#include "util/result.h"
#include "util/secret.h"

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace nfovpn::server {

/// How tokens are made and for how long they are good.
struct AuthTokenSettings {
    SecretArray<64> key;              ///< of the HMAC
    std::chrono::seconds lifetime{0}; ///< from the first one on; 0: without an end
    /// A token that is older was not shown at the time of the last renegotiations: its bearer has
    /// left. 0: it may have.
    std::chrono::seconds renewal{7200};
};

/// What a token says.
struct AuthToken {
    std::array<std::uint8_t, 12> session{};
    std::int64_t issued = 0;  ///< seconds since 1970
    std::int64_t renewed = 0; ///< likewise
};

/// Why a token is no good.
enum class AuthTokenFault {
    NotAuthentic, ///< not made with this key for this user
    Expired
};

/// Whether a password is meant to be a token.
bool is_auth_token(ByteView password);

/// A token with the session of its own. Throws std::runtime_error without random bytes.
AuthToken new_auth_token(std::int64_t now);

/// The text for the client; secret like the password.
SecretBytes write_auth_token(const AuthTokenSettings& settings, const AuthToken& token,
                             std::string_view username);

/// Reads and verifies.
Result<AuthToken, AuthTokenFault> read_auth_token(const AuthTokenSettings& settings,
                                                  ByteView password, std::string_view username,
                                                  std::int64_t now);

} // namespace nfovpn::server
