// SPDX-License-Identifier: GPL-2.0-or-later
//
// Packets inside the tunnel; see inner_packet.h.

#include "dataplane/inner_packet.h"

#include <lz4.h>
#include <lzo/lzo1x.h>
#include <netinet/in.h>

#include <algorithm>

namespace nfovpn::dataplane {

namespace {

constexpr std::uint8_t kNoCompress = 0xfa;
constexpr std::uint8_t kNoCompressSwap = 0xfb;
constexpr std::uint8_t kCompressV2 = 0x50;
constexpr std::uint8_t kCompressV2None = 0;
constexpr std::uint8_t kCompressV2Lz4 = 1;
constexpr std::uint8_t kLzo = 0x66;
constexpr std::uint8_t kLz4 = 0x69;

// No packet of IP is larger.
constexpr std::size_t kMaxPacket = 65535;

constexpr std::size_t kIpv4Header = 20;
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kTcpHeader = 20;

std::uint16_t read16(ByteView bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

void write16(std::span<std::uint8_t> bytes, std::size_t at, std::uint16_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}

int version(ByteView packet) {
    return packet.empty() ? 0 : packet[0] >> 4;
}

// Where the TCP header is behind IPv6's headers.
std::optional<std::size_t> tcp_behind_ipv6(ByteView packet) {
    int next = packet[6];
    auto at = kIpv6Header;
    while (next != IPPROTO_TCP) {
        if (at + 8 > packet.size())
            return std::nullopt;
        switch (next) {
        case IPPROTO_HOPOPTS:
        case IPPROTO_ROUTING:
        case IPPROTO_DSTOPTS:
            next = packet[at];
            at += 8 * (std::size_t{packet[at + 1]} + 1);
            break;
        case IPPROTO_FRAGMENT:
            // Only the first one has the header.
            if ((read16(packet, at + 2) & 0xfff8) != 0)
                return std::nullopt;
            next = packet[at];
            at += 8;
            break;
        default:
            return std::nullopt;
        }
    }
    return at;
}

// Where the TCP header is, if the packet has a whole one without its options.
std::optional<std::size_t> tcp_header(ByteView packet) {
    std::optional<std::size_t> at;
    if (version(packet) == 4 && packet.size() >= kIpv4Header) {
        if (packet[9] != IPPROTO_TCP || (read16(packet, 6) & 0x1fff) != 0)
            return std::nullopt;
        at = std::size_t{packet[0] & 0xfU} * 4;
        if (*at < kIpv4Header)
            return std::nullopt;
    } else if (version(packet) == 6 && packet.size() >= kIpv6Header) {
        at = tcp_behind_ipv6(packet);
    }
    return at && *at + kTcpHeader <= packet.size() ? at : std::nullopt;
}

// RFC 1624, equation 3. At an odd offset the two bytes of a word swap their weight.
void fix_checksum(std::span<std::uint8_t> tcp, std::uint16_t from, std::uint16_t to, bool odd) {
    auto swap = [odd](std::uint32_t v) { return odd ? (v & 0xff) << 8 | v >> 8 : v; };
    std::uint32_t sum = read16(tcp, 16) ^ 0xffffU;
    sum += swap(from ^ 0xffffU) + swap(to);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    write16(tcp, 16, static_cast<std::uint16_t>(~sum));
}

using Packet = std::optional<std::span<std::uint8_t>>;

Packet from_lz4(ByteView data, Bytes& buffer) {
    buffer.resize(kMaxPacket);
    const int length = LZ4_decompress_safe(
        reinterpret_cast<const char*>(data.data()), reinterpret_cast<char*>(buffer.data()),
        static_cast<int>(data.size()), static_cast<int>(buffer.size()));
    if (length <= 0)
        return std::nullopt;
    return std::span(buffer).first(static_cast<std::size_t>(length));
}

Packet from_lzo(ByteView data, Bytes& buffer) {
    buffer.resize(kMaxPacket);
    lzo_uint length = buffer.size();
    if (lzo1x_decompress_safe(data.data(), data.size(), buffer.data(), &length, nullptr) !=
            LZO_E_OK ||
        length == 0)
        return std::nullopt;
    return std::span(buffer).first(length);
}

} // namespace

std::optional<InnerHeader> inner_header(ByteView packet) {
    constexpr auto kDscp = 0xfc;
    auto octet = [](int value) { return static_cast<std::uint8_t>(value); };
    if (version(packet) == 4 && packet.size() >= kIpv4Header)
        return InnerHeader{packet.subspan(12, 4), packet.subspan(16, 4), octet(packet[1] & kDscp)};
    // the traffic class stands across two octets (RFC 8200, 3)
    if (version(packet) == 6 && packet.size() >= kIpv6Header)
        return InnerHeader{packet.subspan(8, 16), packet.subspan(24, 16),
                           octet((packet[0] << 4 | packet[1] >> 4) & kDscp)};
    return std::nullopt;
}

std::optional<Bytes> no_route_to(ByteView packet, const Ipv6& router) {
    constexpr std::size_t kLeastMtu = 1280;
    constexpr std::size_t kIcmpHeader = 8;
    constexpr std::uint8_t kUnreachable = 1;
    constexpr std::uint8_t kFirstQuestion = 128;
    if (version(packet) != 6 || packet.size() < kIpv6Header)
        return std::nullopt;
    const auto source = packet.subspan(8, 16);
    const auto is_zero = [](std::uint8_t byte) { return byte == 0; };
    const bool no_source = std::all_of(source.begin(), source.end(), is_zero);
    const bool is_error = packet[6] == IPPROTO_ICMPV6 && packet.size() > kIpv6Header &&
                          packet[kIpv6Header] < kFirstQuestion;
    // RFC 4443, 2.4: neither errors nor what is for a group, or from nobody.
    if (is_error || no_source || source[0] == 0xff || packet[24] == 0xff)
        return std::nullopt;
    const auto quoted =
        packet.first(std::min(packet.size(), kLeastMtu - kIpv6Header - kIcmpHeader));
    const auto length = static_cast<std::uint16_t>(kIcmpHeader + quoted.size());
    ByteWriter out;
    out.u32(0x60000000);
    out.u16(length);
    out.u8(IPPROTO_ICMPV6);
    out.u8(64);
    out.bytes(router.bytes);
    out.bytes(source);
    out.u8(kUnreachable);
    out.u8(0);
    out.u16(0); // the checksum
    out.u32(0);
    out.bytes(quoted);
    Bytes bytes(out.view().begin(), out.view().end());
    // Over both addresses, the length, the protocol, and what is behind the header (RFC 8200, 8.1).
    std::uint32_t sum = length + std::uint32_t{IPPROTO_ICMPV6};
    for (std::size_t i = 8; i < bytes.size(); i += 2)
        sum += std::uint32_t{bytes[i]} << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0U);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    write16(bytes, kIpv6Header + 2, static_cast<std::uint16_t>(~sum));
    return bytes;
}

void clamp_mss(std::span<std::uint8_t> packet, std::uint16_t mss) {
    constexpr std::uint8_t kSyn = 0x02;
    constexpr std::uint8_t kEnd = 0;
    constexpr std::uint8_t kNop = 1;
    constexpr std::uint8_t kMss = 2;
    constexpr std::size_t kMssLength = 4;

    auto at = tcp_header(packet);
    if (!at || mss == 0)
        return;
    auto tcp = packet.subspan(*at);
    const auto length = std::size_t{tcp[12]} / 16 * 4;
    if ((tcp[13] & kSyn) == 0 || length > tcp.size())
        return;
    if (version(packet) == 6)
        mss = mss > 20 ? static_cast<std::uint16_t>(mss - 20) : 1;
    for (auto i = kTcpHeader; i + kMssLength <= length;) {
        if (tcp[i] == kEnd)
            return;
        if (tcp[i] == kNop) {
            i++;
            continue;
        }
        if (tcp[i + 1] < 2)
            return;
        if (tcp[i] == kMss && tcp[i + 1] == kMssLength) {
            const auto old = read16(tcp, i + 2);
            if (old > mss) {
                write16(tcp, i + 2, mss);
                fix_checksum(tcp, old, mss, i % 2 != 0);
            }
            return;
        }
        i += tcp[i + 1];
    }
}

ByteView add_framing(Framing framing, ByteView packet, Bytes& buffer) {
    switch (stub_of(framing)) {
    case Framing::None:
        return packet;
    case Framing::Stub:
        buffer.assign(1, kNoCompress);
        break;
    case Framing::StubSwap:
        buffer.assign(1, kNoCompressSwap);
        buffer.insert(buffer.end(), packet.begin() + 1, packet.end());
        buffer.push_back(packet[0]);
        return buffer;
    case Framing::StubV2:
        if (packet[0] != kCompressV2)
            return packet;
        buffer.assign({kCompressV2, kCompressV2None});
        break;
    default:
        return packet;
    }
    buffer.insert(buffer.end(), packet.begin(), packet.end());
    return buffer;
}

std::optional<std::span<std::uint8_t>>
remove_framing(Framing framing, std::span<std::uint8_t> packet, Bytes& buffer) {
    if (framing == Framing::None)
        return packet;
    const auto stub = stub_of(framing);
    if (stub == Framing::StubV2) {
        if (packet.empty() || packet[0] != kCompressV2)
            return packet;
        if (packet.size() < 2)
            return std::nullopt;
        if (framing == Framing::Lz4V2 && packet[1] == kCompressV2Lz4)
            return from_lz4(packet.subspan(2), buffer);
        if (packet[1] != kCompressV2None)
            return std::nullopt;
        return packet.subspan(2);
    }
    if (packet.size() < 2)
        return std::nullopt;
    const auto head = packet[0];
    if (stub == Framing::Stub) {
        if (framing == Framing::Lzo && head == kLzo)
            return from_lzo(packet.subspan(1), buffer);
        return head == kNoCompress ? Packet(packet.subspan(1)) : std::nullopt;
    }
    packet[0] = packet.back();
    packet = packet.first(packet.size() - 1);
    if (framing == Framing::Lz4 && head == kLz4)
        return from_lz4(packet, buffer);
    return head == kNoCompressSwap ? Packet(packet) : std::nullopt;
}

} // namespace nfovpn::dataplane
