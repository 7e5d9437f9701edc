// SPDX-License-Identifier: GPL-2.0-or-later
//
// OpenVPN's option mssfix: from a limit for packets to the MSS that keeps TCP inside the tunnel
// below it. The same arithmetic as OpenVPN's, so that a client and its gateway agree:
//
//     mssfix 1492 mtu    the outer packet, IP and UDP headers included, has at most that
//     mssfix 1460        the UDP payload has at most that
//     mssfix 1400 fixed  the packet inside the tunnel has at most that, whatever the cipher
//
//     outer packet = IPv4 20 or IPv6 40 · UDP 8 or TCP 20 · payload
//     payload      = [TCP: length 2] · [proxy's header] · opcode and peer ID 4 (P_DATA_V1: 1) ·
//     what the cipher adds ·
//                    plaintext
//     plaintext    = [fragment 4] · [framing 1] · [Ethernet 14] · IPv4 20 · TCP 20 · MSS
//
// A cipher in a mode with a stream of bits adds packet ID and tag, or HMAC. CBC adds IV and HMAC;
// it rounds the plaintext, which has the packet ID in front, up to whole blocks with at least one
// byte of padding.
#pragma once

#include "util/data_keys.h"

#include <cstdint>

namespace nfovpn {

/// The option mssfix.
struct MssFix {
    /// What the limit is about.
    enum class Of { Payload, OuterPacket, InnerPacket };

    std::uint32_t limit = 0; ///< bytes; 0: the MSS is left alone
    Of of = Of::Payload;
    std::uint32_t ahead = 0; ///< bytes in front of the packet inside: headers of frame, fragment
};

/// What carries the payload.
struct OuterHeaders {
    bool ipv6 = false;
    bool tcp = false;
    std::uint32_t relay = 0; ///< bytes in front of the payload, for the relay of a proxy
};

/// How long a packet with its framing may be before it is sent in parts (OpenVPN's fragment), by a
/// limit for payload or outer packet; 0: in one, however long it is.
std::uint16_t fragment_size(const MssFix& limit, const DataFormat& format, bool data_v1,
                            OuterHeaders outer);

/// The largest MSS of TCP over IPv4; 0 if it is left alone, at least 1 otherwise. IPv6 has 20 less.
std::uint16_t tcp_mss(const MssFix& fix, const DataFormat& format, Framing framing, bool data_v1,
                      OuterHeaders outer);

} // namespace nfovpn
