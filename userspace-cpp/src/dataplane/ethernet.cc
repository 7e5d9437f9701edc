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
    const auto at = places_.find(address);
    if (at != places_.end() && at->second.peer == peer) {
        at->second.heard = now;
        return;
    }
    const auto count = counts_.find(peer);
    if (count != counts_.end() && count->second >= kPerPeer) {
        drop_old(peer, now);
        if (const auto left = counts_.find(peer); left != counts_.end() && left->second >= kPerPeer)
            return;
    }
    remove(address);
    places_[address] = {peer, now};
    counts_[peer]++;
}

std::optional<std::uint32_t> MacTable::find(ByteView mac, TimePoint now) const {
    const auto at = places_.find(key(mac));
    if (at == places_.end() || now >= at->second.heard + kAge)
        return std::nullopt;
    return at->second.peer;
}

void MacTable::forget(std::uint32_t peer) {
    if (counts_.erase(peer) > 0)
        std::erase_if(places_, [&](const auto& place) { return place.second.peer == peer; });
}

void MacTable::remove(std::uint64_t mac) {
    const auto at = places_.find(mac);
    if (at == places_.end())
        return;
    if (--counts_[at->second.peer] == 0)
        counts_.erase(at->second.peer);
    places_.erase(at);
}

// Of a peer whose share is used up.
void MacTable::drop_old(std::uint32_t peer, TimePoint now) {
    for (auto at = places_.begin(); at != places_.end();) {
        const auto mac = at->first;
        const bool old = at->second.peer == peer && now >= at->second.heard + kAge;
        ++at;
        if (old)
            remove(mac);
    }
}

} // namespace nfovpn::dataplane
