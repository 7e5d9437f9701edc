// SPDX-License-Identifier: GPL-2.0-or-later
//
// Longest prefix match by hashing; see peer_routes.h.

#include "dataplane/peer_routes.h"

#include <algorithm>
#include <string_view>

namespace nfovpn::dataplane {

namespace {

Prefix prefix_of(ByteView address, int length) {
    Prefix out;
    out.ipv6 = address.size() == out.address.size();
    out.length = length;
    const auto whole = static_cast<std::size_t>(length / 8);
    std::copy_n(address.begin(), whole, out.address.begin());
    if (length % 8 != 0)
        out.address[whole] = static_cast<std::uint8_t>(address[whole] & 0xff00U >> length % 8);
    return out;
}

} // namespace

std::size_t PeerRoutes::Hash::operator()(const Prefix& prefix) const noexcept {
    const auto text = as_text(prefix.address);
    return std::hash<std::string_view>()(text) ^
           static_cast<std::size_t>(prefix.length * 2 + (prefix.ipv6 ? 1 : 0));
}

bool PeerRoutes::add(const Prefix& prefix, std::uint32_t peer_id) {
    if (!peers_.emplace(prefix, peer_id).second)
        return false;
    (prefix.ipv6 ? ipv6_ : ipv4_)[prefix.length]++;
    return true;
}

void PeerRoutes::remove(const Prefix& prefix) {
    if (peers_.erase(prefix) == 0)
        return;
    auto& lengths = prefix.ipv6 ? ipv6_ : ipv4_;
    auto at = lengths.find(prefix.length);
    if (--at->second == 0)
        lengths.erase(at);
}

std::optional<std::uint32_t> PeerRoutes::find(ByteView address) const {
    for (const auto& [length, count] : lengths(address.size() != 4)) {
        auto found = peers_.find(prefix_of(address, length));
        if (found != peers_.end())
            return found->second;
    }
    return std::nullopt;
}

} // namespace nfovpn::dataplane
