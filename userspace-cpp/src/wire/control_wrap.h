// SPDX-License-Identifier: GPL-2.0-or-later
//
// What tls-auth, tls-crypt and tls-crypt-v2 put around a control packet, so that whoever lacks a
// pre-shared key gets no answer at all. A plain packet is "opcode · session ID · rest", see
// control_packet.h; nothing of its first nine bytes is ever hidden.
//
//     tls-auth    opcode 1 · session ID 8 · HMAC n · packet ID 4 · time 4 · rest
//                 HMAC over packet ID · time · opcode · session ID · rest
//                 by the digest of "auth", with as many bytes of the key as the digest has
//
//     tls-crypt   opcode 1 · session ID 8 · packet ID 4 · time 4 · tag 32 · ciphertext
//                 tag = HMAC-SHA256 over opcode · session ID · packet ID · time · rest
//                 ciphertext = AES-256-CTR of rest, the first 16 bytes of the tag being the counter
//
//     tls-crypt-v2  as tls-crypt, with a key of that client alone. Two kinds of packet bring it,
//                 HARD_RESET_CLIENT_V3 and CONTROL_WKC_V1, wrapped by the server's key, at the end
//                 and not part of what the tag covers:
//                   … ciphertext · tag 32 · AES-256-CTR(client key 256 · metadata) · length 2
//                 tag = HMAC-SHA256 over length · client key · metadata; again its first half is
//                 the counter; the length counts all four fields. Metadata is empty, or a type (1)
//                 with 0: what the administrator wanted, 1: a Unix time (8), when it was made.
//
// Which of a static key's two keys serves which direction: tls-crypt's server writes with key 0 and
// its client with key 1; with tls-auth the "key direction" says it, and without one key 0 serves
// both.
//
// The packet ID counts what the sender has written since "time". ReplayWindow takes each pair once.
//
// A client of 2.6 and later sets the upper byte of its first packet ID to 0x0f: it understands the
// server's wish, in the payload of HARD_RESET_SERVER_V2, to see the wrapped key again, so the
// server need not remember it: type 2 (=1) · length 2 (=2) · flags 2 (=1).
//
// All of it was checked against packets of OpenVPN 2.6.14 and 2.7.8.
#pragma once

#include "util/bytes.h"
#include "util/result.h"
#include "wire/control_packet.h"
#include "wire/key_method2.h"
#include "wire/static_key.h"

#include <openssl/evp.h>

#include <cstdint>
#include <optional>
#include <string>

namespace nfovpn::wire {

/// Bytes that tls-crypt adds to a packet.
inline constexpr std::size_t kTlsCryptOverhead = 8 + 32;

/// A packet's place among those of its sender.
struct WrapId {
    std::uint32_t id = 0;   ///< from 1 on
    std::uint32_t time = 0; ///< Unix time, of the first of them

    bool operator==(const WrapId&) const = default;
};

/// What was inside a wrapped packet.
struct Unwrapped {
    Bytes plain; ///< as parse_control() wants it
    WrapId id;
};

/// The keys of both directions, as one side has them.
class ControlWrap {
public:
    /// "key-direction" of tls-auth.
    enum class Direction { Both, Normal, Inverse };

    /// Nothing if there is no digest of that name that can be used for an HMAC.
    static std::optional<ControlWrap> tls_auth(const StaticKey& key, Direction direction,
                                               const std::string& digest);
    static ControlWrap tls_crypt(const StaticKey& key, Role own_role);

    /// Wraps a plain packet.
    [[nodiscard]] Bytes wrap(ByteView plain, WrapId id) const;

    /// The plain packet, if it was wrapped by whoever has the other side of this key. A wrapped
    /// client key must have been cut off.
    [[nodiscard]] Result<Unwrapped, WireError> unwrap(ByteView datagram) const;

    /// Bytes that wrapping adds.
    [[nodiscard]] std::size_t overhead() const;

private:
    // With a cipher it is tls-crypt.
    struct Keys {
        SecretBytes cipher;
        SecretBytes hmac;
    };

    ControlWrap(const EVP_MD* digest, Keys send, Keys receive)
        : digest_(digest), send_(std::move(send)), receive_(std::move(receive)) {}
    [[nodiscard]] Result<Unwrapped, WireError> unwrap_auth(ByteView datagram) const;
    [[nodiscard]] Result<Unwrapped, WireError> unwrap_crypt(ByteView datagram) const;

    const EVP_MD* digest_;
    Keys send_;
    Keys receive_;
};

/// Remembers which packets have come. Those may overtake each other, but not by far.
class ReplayWindow {
public:
    ReplayWindow() = default;
    /// That one has come, and all before it.
    explicit ReplayWindow(WrapId newest)
        : newest_(newest), seen_(newest == WrapId{} ? 0 : ~std::uint64_t{0}) {}

    /// All zero if none has come.
    [[nodiscard]] WrapId newest() const { return newest_; }

    /// Whether this one is new; from then on it is not.
    bool accept(WrapId id);

private:
    WrapId newest_;
    std::uint64_t seen_ = 0; ///< bit n: newest_.id - n
};

/// A client's key, and what the one who made it wrote beside it.
struct ClientKey {
    StaticKey key;
    std::optional<std::uint8_t> metadata_type;
    Bytes metadata;

    /// When the key was made, in seconds since 1970, if it says so.
    [[nodiscard]] std::optional<std::int64_t> made_at() const;
};

/// Metadata of a client's key: its type.
inline constexpr std::uint8_t kMetadataUser = 0;
inline constexpr std::uint8_t kMetadataTimestamp = 1;

/// A datagram and the wrapped client key at its end.
struct WithWrappedKey {
    ByteView datagram; ///< without it
    ByteView wrapped_key;
};

/// Whether packets of that kind bring the client's key.
bool brings_key(Opcode opcode);

/// Cuts the wrapped key off a datagram that brings one.
Result<WithWrappedKey, WireError> split_wrapped_key(ByteView datagram);

/// Opens what split_wrapped_key() cut off.
Result<ClientKey, WireError> unwrap_client_key(const TlsCryptV2Key& server_key,
                                               ByteView wrapped_key);

/// Whether the first packet's ID says that its sender can be asked for the wrapped key again.
bool can_resend_key(WrapId first);

/// The payload of a server's reset that asks for it.
ByteView resend_key_request();

/// Whether the payload of a server's reset asks for it; what else is in it is passed over.
bool asks_for_key(ByteView reset_payload);

/// The first packet ID of a client that can be asked.
inline constexpr std::uint32_t kFirstIdThatCanResend = 0x0f000001;

} // namespace nfovpn::wire
