// SPDX-License-Identifier: GPL-2.0-or-later
//
// Parsing and building control packets. The layout is drawn in control_packet.h; this file only
// walks along it, field by field, and stops at the first one that is not there.

#include "wire/control_packet.h"

#include <algorithm>

namespace nfovpn::wire {

namespace {

bool is_known(std::uint8_t opcode) {
    return opcode >= static_cast<std::uint8_t>(Opcode::HardResetClientV1) &&
           opcode <= static_cast<std::uint8_t>(Opcode::ControlWkcV1);
}

std::optional<SessionId> read_session_id(ByteReader& in) {
    auto raw = in.bytes(std::tuple_size_v<SessionId>);
    if (!raw)
        return std::nullopt;
    SessionId id;
    std::copy(raw->begin(), raw->end(), id.begin());
    return id;
}

} // namespace

std::string_view to_string(WireError error) {
    switch (error) {
    case WireError::Truncated:
        return "truncated";
    case WireError::UnknownOpcode:
        return "unknown opcode";
    case WireError::NotControl:
        return "data packet";
    case WireError::Unsupported:
        return "unsupported opcode";
    case WireError::TooManyAcks:
        return "too many ACKs";
    case WireError::Oversized:
        return "oversized";
    case WireError::TrailingBytes:
        return "trailing bytes";
    case WireError::NotAuthentic:
        return "not authentic";
    case WireError::BadClientKey:
        return "unusable client key";
    case WireError::Replayed:
        return "replayed";
    }
    return "unknown";
}

std::optional<Opcode> opcode_of(ByteView datagram) {
    if (datagram.empty() || !is_known(datagram[0] >> 3))
        return std::nullopt;
    return static_cast<Opcode>(datagram[0] >> 3);
}

bool is_data(Opcode opcode) {
    return opcode == Opcode::DataV1 || opcode == Opcode::DataV2;
}

Result<PacketHead, WireError> parse_head(ByteView datagram) {
    if (datagram.empty())
        return WireError::Truncated;
    auto opcode = opcode_of(datagram);
    if (!opcode)
        return WireError::UnknownOpcode;
    if (is_data(*opcode))
        return WireError::NotControl;
    if (*opcode == Opcode::HardResetClientV1 || *opcode == Opcode::HardResetServerV1)
        return WireError::Unsupported;
    ByteReader in(datagram.subspan(1));
    auto session_id = read_session_id(in);
    if (!session_id)
        return WireError::Truncated;
    return PacketHead{*opcode, *session_id};
}

Result<ControlPacket, WireError> parse_control(ByteView datagram) {
    auto head = parse_head(datagram);
    if (!head)
        return head.error();
    if (datagram.size() > kMaxControlPacket)
        return WireError::Oversized;

    ControlPacket packet;
    packet.opcode = head->opcode;
    packet.key_id = datagram[0] & 7;
    packet.session_id = head->session_id;
    ByteReader in(datagram.subspan(1 + packet.session_id.size()));
    auto ack_count = in.u8();
    if (!ack_count)
        return WireError::Truncated;
    if (*ack_count > kMaxAcks)
        return WireError::TooManyAcks;
    for (unsigned i = 0; i < *ack_count; i++) {
        auto id = in.u32();
        if (!id)
            return WireError::Truncated;
        packet.acks.add(*id);
    }
    if (packet.acks.count > 0) {
        auto peer = read_session_id(in);
        if (!peer)
            return WireError::Truncated;
        packet.peer_session_id = *peer;
    }
    if (packet.opcode == Opcode::AckV1) {
        if (!in.empty())
            return WireError::TrailingBytes;
        return packet;
    }
    packet.message_id = in.u32();
    if (!packet.message_id)
        return WireError::Truncated;
    packet.payload = in.rest();
    return packet;
}

Bytes build_control(const ControlPacket& packet) {
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(static_cast<unsigned>(packet.opcode) << 3 | packet.key_id));
    out.bytes(packet.session_id);
    out.u8(static_cast<std::uint8_t>(packet.acks.count));
    for (auto id : packet.acks.view())
        out.u32(id);
    if (packet.acks.count > 0)
        out.bytes(packet.peer_session_id);
    if (packet.message_id)
        out.u32(*packet.message_id);
    out.bytes(packet.payload);
    return out.take();
}

std::size_t control_overhead(std::size_t acks) {
    return 1 + 8 + 1 + 4 * acks + (acks > 0 ? 8 : 0) + 4;
}

} // namespace nfovpn::wire
