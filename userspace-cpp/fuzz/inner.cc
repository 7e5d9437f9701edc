// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is inside data packets, from an authentic peer or from the device, which may be anybody's:
// framings and what was compressed, headers and the MSS of TCP, frames of a TAP device.

#include "check.h"
#include "dataplane/fragments.h"
#include "dataplane/inner_packet.h"
#include "dataplane/user.h"

#include <algorithm>

using namespace nfovpn;
using namespace nfovpn::dataplane;

namespace {

struct Nowhere final : PacketOutput {
    void to_peer(const Path&, ByteView, std::uint8_t) override {}
    void to_device(ByteView) override {}
};

struct Nobody final : KeyOwner {
    std::optional<std::uint64_t> reserve_packet_id(std::uint32_t, KeySlot) override { return {}; }
    bool accept_packet_id(std::uint32_t, KeySlot, std::uint64_t) override { return false; }
};

constexpr Framing kFramings[] = {Framing::None, Framing::Stub, Framing::StubSwap, Framing::StubV2,
                                 Framing::Lzo,  Framing::Lz4,  Framing::Lz4V2};
constexpr std::size_t kLongest = 65536;

void framings(Framing framing, Bytes packet) {
    Bytes buffer;
    Bytes framed;
    if (!packet.empty()) {
        // What is put around a packet comes off again.
        const auto around = add_framing(framing, packet, framed);
        Bytes copy(around.begin(), around.end());
        const auto back = remove_framing(framing, copy, buffer);
        fuzz::check(back && std::equal(back->begin(), back->end(), packet.begin(), packet.end()));
    }
    if (auto plain = remove_framing(framing, packet, buffer)) {
        fuzz::check(plain->size() <= kLongest);
        clamp_mss(*plain, 1300);
    }
}

void frames(Bytes frame, bool between_peers) {
    Nowhere nowhere;
    Nobody nobody;
    UserDataPlane plane(nowhere, nobody);
    plane.set_ethernet(between_peers);
    for (std::uint32_t id : {1U, 2U}) {
        Peer peer;
        peer.id = id;
        peer.address = Ipv4{0x0a080000 + id};
        plane.add_peer(peer);
    }
    plane.transmit(frame, TimePoint{});
    MacTable table;
    if (const auto header = frame_header(frame)) {
        table.learn(header->source, 1, TimePoint{});
        fuzz::check(table.find(header->source, TimePoint{}) == 1U);
        table.learn(header->source, 2, TimePoint{});
        table.forget(1);
        fuzz::check(table.find(header->source, TimePoint{}) == 2U && table.size() == 1);
    }
}

void parts(const Bytes& packet, std::size_t limit) {
    Reassembly reassembly;
    // Whatever a peer sends, and then something that is right.
    for (std::size_t at = 0; at < packet.size(); at += limit) {
        Bytes piece(packet.begin() + static_cast<std::ptrdiff_t>(at),
                    packet.begin() +
                        static_cast<std::ptrdiff_t>(std::min(at + limit, packet.size())));
        reassembly.take(piece, TimePoint{});
    }
    Fragmenter fragmenter(packet.empty() ? 0 : packet[0]);
    bool whole = false;
    const bool possible = fragmenter.split(packet, limit, [&](ByteView part) {
        Bytes copy(part.begin(), part.end());
        const auto result = reassembly.take(copy, TimePoint{} + std::chrono::hours(1));
        fuzz::check(result.kind != Reassembly::Kind::Damaged && !whole);
        whole = result.kind == Reassembly::Kind::Whole;
        fuzz::check(!whole || std::equal(result.packet.begin(), result.packet.end(), packet.begin(),
                                         packet.end()));
    });
    fuzz::check(whole == possible);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const Bytes packet(data + 1, data + size);
    framings(kFramings[data[0] % std::size(kFramings)], packet);
    frames(packet, (data[0] & 0x80) != 0);
    parts(packet, 4 + data[0] % 64);
    if (const auto answer = no_route_to(packet, Ipv6{}))
        fuzz::check(static_cast<bool>(inner_header(*answer)));
    return 0;
}
