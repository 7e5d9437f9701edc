// SPDX-License-Identifier: GPL-2.0-or-later
//
// Key method 2: the one message that each side sends first through its fresh TLS session.
//
//     literal 0 (4) · 2 (1) · key source · options · user name · password · peer info
//
// The key source is 48 + 32 + 32 random bytes from the client (pre-master secret, two seeds) and
// 32 + 32 from the server. Each of the four strings has a 16-bit length in front that counts a
// terminating zero; an absent string has length 0 and no byte at all.
//
// TLS is a stream, so a message may come in pieces: parsing answers "incomplete" until the last
// string is there, and says how many bytes it took, because control messages may follow at once.
#pragma once

#include "util/bytes.h"
#include "util/result.h"
#include "util/secret.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace nfovpn::wire {

/// One side's randomness. The server has no pre-master secret; its array stays zero.
struct KeySource {
    SecretArray<48> pre_master;
    SecretArray<32> random1; ///< for the master secret
    SecretArray<32> random2; ///< for the key expansion
};

/// Who wrote a message; decides whether it holds a pre-master secret.
enum class Role { Client, Server };

/// A key method 2 message. The password is wiped with the rest.
struct KeyMethod2 {
    KeySource key_source;
    std::string options; ///< "V4,dev-type tun,…": what the sender assumes
    std::string username;
    SecretBytes password;
    bool has_credentials = false; ///< both of these are there, if only as empty strings
    std::string peer_info;        ///< "IV_VER=…\nIV_PROTO=…\n"
};

/// Why bytes are no key method 2 message.
enum class KeyMethod2Error {
    Incomplete,   ///< more bytes are needed
    BadHeader,    ///< not "0, method 2"
    BadString,    ///< a string without its terminating zero, or with a zero within
    StringTooLong ///< longer than any implementation sends
};

std::string_view to_string(KeyMethod2Error error);

/// A message and the number of bytes that it took.
struct ParsedKeyMethod2 {
    KeyMethod2 message;
    std::size_t consumed = 0;
};

/// The longest string that is accepted, terminating zero included.
inline constexpr std::size_t kMaxKeyMethodString = 4096;

/// Parses the message that @p sender wrote from the front of @p stream.
Result<ParsedKeyMethod2, KeyMethod2Error> parse_key_method2(ByteView stream, Role sender);

/// Builds the message that @p sender writes. Strings must hold no zero byte.
SecretBytes build_key_method2(const KeyMethod2& message, Role sender);

} // namespace nfovpn::wire
