// SPDX-License-Identifier: GPL-2.0-or-later
//
// Address inside the tunnel → peer, by longest prefix. All prefixes are in one hash table; a
// look-up tries the lengths that occur, the longest first: one step where all peers have a single
// address, a few more where networks lie behind them. The same as the kernel's.
#pragma once

#include "util/bytes.h"
#include "util/endpoint.h"

#include <map>
#include <unordered_map>

namespace nfovpn::dataplane {

class PeerRoutes {
public:
    /// Gives a prefix to a peer. False if one has it already.
    bool add(const Prefix& prefix, std::uint32_t peer_id);
    void remove(const Prefix& prefix);

    /// The peer that an address of 4 or 16 bytes belongs to.
    [[nodiscard]] std::optional<std::uint32_t> find(ByteView address) const;

private:
    struct Hash {
        std::size_t operator()(const Prefix& prefix) const noexcept;
    };
    /// How many prefixes there are of a length, the longest first.
    using Lengths = std::map<int, std::size_t, std::greater<>>;

    [[nodiscard]] const Lengths& lengths(bool ipv6) const { return ipv6 ? ipv6_ : ipv4_; }

    std::unordered_map<Prefix, std::uint32_t, Hash> peers_;
    Lengths ipv4_;
    Lengths ipv6_;
};

} // namespace nfovpn::dataplane
