// SPDX-License-Identifier: GPL-2.0-or-later
//
// Frames of a TAP device: their header, and which peer has which MAC address. As a switch does, the
// table learns from the source of each frame, whose peer is authentic by then, and forgets what it
// has not heard for a while. A peer can fill its own share of it and no more: what is over that
// takes the place of what it was not heard from for the longest time.
#pragma once

#include "util/bytes.h"
#include "util/time.h"

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

namespace nfovpn::dataplane {

inline constexpr std::size_t kMacLength = 6;
inline constexpr std::size_t kEthernetHeader = 14;

/// Where a frame is from and where it goes, and what is in it.
struct FrameHeader {
    ByteView destination;
    ByteView source;
    std::uint16_t type = 0; ///< EtherType
    /// Whether everybody is to get it: broadcast, multicast.
    [[nodiscard]] bool to_group() const { return (destination[0] & 1) != 0; }
    /// Whether what it carries is an IP packet, without a VLAN tag.
    [[nodiscard]] bool is_ip() const { return type == 0x0800 || type == 0x86dd; }
};

/// Nothing if it is cut short or is from a group.
std::optional<FrameHeader> frame_header(ByteView frame);

/// See the head of this file.
class MacTable {
public:
    /// As OpenVPN's max-routes-per-client.
    static constexpr std::size_t kPerPeer = 256;
    /// As long as a switch remembers (IEEE 802.1D, 7.9.2).
    static constexpr Duration kAge = std::chrono::seconds(300);

    /// A frame from there came from the peer. Who moves to another peer is found there.
    void learn(ByteView mac, std::uint32_t peer, TimePoint now);
    /// Nothing if it is not known, or not any more.
    [[nodiscard]] std::optional<std::uint32_t> find(ByteView mac, TimePoint now) const;
    /// The peer has gone.
    void forget(std::uint32_t peer);
    [[nodiscard]] std::size_t size() const { return places_.size(); }

private:
    /// Of one peer, the one that was heard last at the end.
    using Addresses = std::list<std::uint64_t>;
    struct Place {
        std::uint32_t peer = 0;
        TimePoint heard;
        Addresses::iterator at;
    };
    static std::uint64_t key(ByteView mac);
    void remove(std::uint64_t mac);

    std::unordered_map<std::uint64_t, Place> places_;
    std::unordered_map<std::uint32_t, Addresses> by_peer_;
};

} // namespace nfovpn::dataplane
