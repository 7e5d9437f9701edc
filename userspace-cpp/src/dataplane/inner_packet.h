// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the user data path needs to know of the packets inside the tunnel: their headers, the MSS of
// TCP, OpenVPN's ping, and the framing that compression leaves around them.
//
//     framing             packet that begins with x …            … and its other side
//     none                x y z                                  as it is
//     stub                fa x y z                               no other first byte
//     stub, swapped       fb y z x                               no other first byte
//     stub v2             x y z, but 50 00 x y z if x is 50      50 with another second byte
//     lzo                 as stub; 66 and what LZO has made of x y z is taken too
//     lz4                 as stub, swapped; 69, LZ4's, with its first byte at the end
//     lz4 v2              as stub v2; 50 01 and LZ4's
#pragma once

#include "util/data_keys.h"
#include "util/endpoint.h"

#include <array>
#include <optional>

namespace nfovpn::dataplane {

/// Sent in place of a packet when there was none for a while. 2 is no version of IP.
inline constexpr std::array<std::uint8_t, 16> kPing = {
    0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb, 0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48};

/// Where a packet is from and where it goes: 4 or 16 bytes each, in the packet.
struct InnerHeader {
    ByteView source;
    ByteView destination;
    std::uint8_t dscp = 0; ///< in the upper six bits, the others are 0
};

/// Nothing if it is neither IPv4 nor IPv6 or its header is cut short.
std::optional<InnerHeader> inner_header(ByteView packet);

/// What a router without a route to there answers to an IPv6 packet (RFC 4443, 3.1), from @p
/// router. Nothing if it must not be answered.
std::optional<Bytes> no_route_to(ByteView packet, const Ipv6& router);

/// Lowers the MSS in a TCP SYN to that, 20 less inside IPv6, with its checksum. A SYN without the
/// option says 536 or 1220 (RFC 9293, 3.7.1), which is what narrow paths are made for.
void clamp_mss(std::span<std::uint8_t> packet, std::uint16_t mss);

/// Puts the framing around a packet, which is not empty. The result is @p packet itself or in @p
/// buffer.
ByteView add_framing(Framing framing, ByteView packet, Bytes& buffer);

/// Takes it off, where it lies, or in @p buffer if the packet was compressed. Nothing if it is not
/// that framing, or what is compressed cannot be read or has more than 64 KiB.
std::optional<std::span<std::uint8_t>>
remove_framing(Framing framing, std::span<std::uint8_t> packet, Bytes& buffer);

} // namespace nfovpn::dataplane
