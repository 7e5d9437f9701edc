// SPDX-License-Identifier: GPL-2.0-or-later
//
// The datagrams of OpenVPN's control channel, as they are without tls-auth or tls-crypt (for these
// see control_wrap.h):
//
//     0        1          9        10                                          payload
//     +--------+----------+--------+-----------+-------------+-------------+----------
//     | opcode | sender's | number | that many | receiver's  | message ID  | TLS
//     | key ID | session  | of     | message   | session ID, | not in      | bytes
//     | 5 + 3  | ID       | ACKs   | IDs of 4  | if any ACK  | ACK_V1      |
//     | bits   |          | (1)    | bytes     | (8)         | (4)         |
//     +--------+----------+--------+-----------+-------------+-------------+----------
//
// Everything here is a pure function of bytes: it is what a fuzzer is pointed at. Source of the
// facts: packets of OpenVPN 2.6.14 and 2.7.8.
#pragma once

#include "util/bytes.h"
#include "util/result.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nfovpn::wire {

/// The upper five bits of a datagram's first byte.
enum class Opcode : std::uint8_t {
    HardResetClientV1 = 1,
    HardResetServerV1 = 2,
    SoftResetV1 = 3,
    ControlV1 = 4,
    AckV1 = 5,
    DataV1 = 6,
    HardResetClientV2 = 7,
    HardResetServerV2 = 8,
    DataV2 = 9,
    HardResetClientV3 = 10,
    ControlWkcV1 = 11,
};

/// Why a datagram is not a control packet of ours.
enum class WireError {
    Truncated,     ///< ends within a field
    UnknownOpcode, ///< no opcode of OpenVPN
    NotControl,    ///< a data packet
    Unsupported,   ///< key method 1, or tls-crypt-v2 where that is not configured
    TooManyAcks,   ///< more ACKs than any implementation sends
    Oversized,     ///< longer than the control channel's packets may be
    TrailingBytes, ///< an ACK_V1 with a payload
    NotAuthentic,  ///< not wrapped by the pre-shared key
    BadClientKey,  ///< its client's key is not wrapped by ours, or is too old
    Replayed,      ///< has come before
};

/// How many there are.
inline constexpr std::size_t kWireErrors = static_cast<std::size_t>(WireError::Replayed) + 1;

/// The name of an error, for counters and logs.
std::string_view to_string(WireError error);

/// Eight random bytes that name one side of a session.
using SessionId = std::array<std::uint8_t, 8>;

/// The most ACKs in one packet, by any version of OpenVPN.
inline constexpr std::size_t kMaxAcks = 8;

/// The largest control packet that is accepted, in bytes of UDP payload. Senders stay below their
/// path's MTU (OpenVPN: 1250 by default), so this leaves room for jumbo frames.
inline constexpr std::size_t kMaxControlPacket = 9000;

/// Message IDs that a packet acknowledges.
struct AckList {
    std::array<std::uint32_t, kMaxAcks> ids{};
    std::size_t count = 0;

    [[nodiscard]] std::span<const std::uint32_t> view() const { return {ids.data(), count}; }
    void add(std::uint32_t id) { ids[count++] = id; }
};

/// A control packet; the payload points into the datagram it was parsed from.
struct ControlPacket {
    Opcode opcode{};
    std::uint8_t key_id = 0; ///< 0 to 7
    SessionId session_id{};  ///< of the sender
    AckList acks;
    SessionId peer_session_id{};             ///< of the receiver; meaningful if there are ACKs
    std::optional<std::uint32_t> message_id; ///< in all but ACK_V1
    ByteView payload;
};

/// The opcode of a datagram, if it is one of OpenVPN's.
std::optional<Opcode> opcode_of(ByteView datagram);

/// Whether a datagram claims to be a data packet; those are never parsed here.
bool is_data(Opcode opcode);

/// What every packet shows, wrapped or not.
struct PacketHead {
    Opcode opcode{};
    SessionId session_id{}; ///< of the sender
};

/// Reads the head of a control packet.
Result<PacketHead, WireError> parse_head(ByteView datagram);

/// Parses one datagram of the control channel. What control_wrap.h describes must be off it.
Result<ControlPacket, WireError> parse_control(ByteView datagram);

/// Builds the datagram of a control packet. @p packet must hold a message ID exactly if its opcode
/// is not ACK_V1.
Bytes build_control(const ControlPacket& packet);

/// Bytes of a control packet besides its payload, with @p acks ACKs.
std::size_t control_overhead(std::size_t acks);

} // namespace nfovpn::wire
