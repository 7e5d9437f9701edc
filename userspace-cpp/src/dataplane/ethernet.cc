// SPDX-License-Identifier: GPL-2.0-or-later
//
// Frames and MAC addresses; see ethernet.h.

#include "dataplane/ethernet.h"

namespace nfovpn::dataplane {

std::optional<FrameHeader> frame_header(ByteView frame) {
    if (frame.size() < kEthernetHeader)
        return std::nullopt;
    FrameHeader out;
    out.destination = frame.first(kMacLength);
    out.source = frame.subspan(kMacLength, kMacLength);
    out.type = static_cast<std::uint16_t>(frame[2 * kMacLength] << 8 | frame[2 * kMacLength + 1]);
    if ((out.source[0] & 1) != 0)
        return std::nullopt;
    return out;
}

std::uint64_t MacTable::key(ByteView mac) {
    std::uint64_t out = 0;
    for (const auto byte : mac.first(kMacLength))
        out = out << 8 | byte;
    return out;
}

void MacTable::learn(ByteView mac, std::uint32_t peer, TimePoint now) {
    const auto address = key(mac);
    auto& own = by_peer_[peer];
    if (const auto at = places_.find(address); at != places_.end() && at->second.peer == peer) {
        at->second.heard = now;
        own.splice(own.end(), own, at->second.at);
        return;
    }
    if (own.size() == kPerPeer)
        remove(own.front());
    remove(address);
    places_[address] = {peer, now, own.insert(own.end(), address)};
}

std::optional<std::uint32_t> MacTable::find(ByteView mac, TimePoint now) const {
    const auto at = places_.find(key(mac));
    if (at == places_.end() || now >= at->second.heard + kAge)
        return std::nullopt;
    return at->second.peer;
}

void MacTable::forget(std::uint32_t peer) {
    const auto at = by_peer_.find(peer);
    if (at == by_peer_.end())
        return;
    for (const auto address : at->second)
        places_.erase(address);
    by_peer_.erase(at);
}

void MacTable::remove(std::uint64_t mac) {
    const auto at = places_.find(mac);
    if (at == places_.end())
        return;
    by_peer_[at->second.peer].erase(at->second.at);
    places_.erase(at);
}

} // namespace nfovpn::dataplane
