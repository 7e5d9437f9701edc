// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the daemon and its process for PAM say to each other, a datagram each. Both ends are this
// program; lengths are checked nevertheless, as one of them has kept its privileges.
#pragma once

#include "util/bytes.h"
#include "util/secret.h"

#include <cstdint>
#include <optional>
#include <string>

namespace nfovpn::pam {

/// No message is longer.
constexpr std::size_t kMaxMessage = 16384;

/// Whether a user may come in.
struct Request {
    std::uint32_t id = 0; ///< that of the answer
    std::string username;
    SecretBytes password;
    std::string common_name; ///< of the client's certificate
    std::string remote_host; ///< where the client is
};

enum class Verdict : std::uint8_t { Granted, Denied, Failed };

/// What PAM says.
struct Answer {
    std::uint32_t id = 0;
    Verdict verdict = Verdict::Failed;
    std::string reason; ///< for the log
};

/// A request as bytes; nothing if it is too long, or a text has a zero byte, which PAM cannot have.
std::optional<SecretBytes> encode(const Request& request);
/// An answer as bytes; its reason is cut to fit.
Bytes encode(const Answer& answer);

std::optional<Request> decode_request(ByteView message);
std::optional<Answer> decode_answer(ByteView message);

} // namespace nfovpn::pam
