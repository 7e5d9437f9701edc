// SPDX-License-Identifier: GPL-2.0-or-later
//
// Arithmetic of mssfix; mss_fix.h has the layers.

#include "util/mss_fix.h"

#include <algorithm>

namespace nfovpn {

namespace {

using Size = std::int64_t;

constexpr Size kIpv4 = 20;
constexpr Size kIpv6 = 40;
constexpr Size kUdp = 8;
constexpr Size kTcp = 20;
constexpr Size kLength = 2; // in front of each packet, in TCP
constexpr Size kInnerHeaders = 20 + 20;
constexpr Size kTag = 16;
constexpr Size kBlock = 16; // of AES, and so its IV
constexpr Size kFragmentHeader = 4;
constexpr Size kLeastFragment = 4;

// Of what is encrypted.
Size plaintext_room(const MssFix& fix, const DataFormat& format, bool data_v1, OuterHeaders outer) {
    Size room = fix.limit;
    const Size packet_id = format.epochs ? 8 : 4;
    const bool cbc = !is_aead(format.cipher) && format.cipher != DataCipher::None;
    if (fix.of == MssFix::Of::OuterPacket)
        room -= (outer.ipv6 ? kIpv6 : kIpv4) + (outer.tcp ? kTcp : kUdp);
    room -= (outer.tcp ? kLength : 0) + Size{outer.relay};
    room -= data_v1 ? 1 : 4;
    room -= is_aead(format.cipher) ? kTag : static_cast<Size>(auth_length(format.auth));
    if (cbc) {
        room -= kBlock;
        room -= room % kBlock + 1;
    }
    return room - packet_id;
}

} // namespace

std::uint16_t fragment_size(const MssFix& limit, const DataFormat& format, bool data_v1,
                            OuterHeaders outer) {
    if (limit.limit == 0)
        return 0;
    const Size room = plaintext_room(limit, format, data_v1, outer) - kFragmentHeader;
    return static_cast<std::uint16_t>(std::clamp<Size>(room, kLeastFragment, 65535));
}

std::uint16_t tcp_mss(const MssFix& fix, const DataFormat& format, Framing framing, bool data_v1,
                      OuterHeaders outer) {
    if (fix.limit == 0)
        return 0;
    Size room = fix.limit;
    if (fix.of != MssFix::Of::InnerPacket) {
        room = plaintext_room(fix, format, data_v1, outer) - fix.ahead;
        if (stub_of(framing) == Framing::Stub || stub_of(framing) == Framing::StubSwap)
            room--;
    }
    return static_cast<std::uint16_t>(std::clamp<Size>(room - kInnerHeaders, 1, 65535));
}

} // namespace nfovpn
