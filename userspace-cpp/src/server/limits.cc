// SPDX-License-Identifier: GPL-2.0-or-later
//
// Clients that have had their time; see limits.h.

#include "server/limits.h"

#include <algorithm>

namespace nfovpn::server {

std::optional<std::chrono::seconds> ClientLimits::interval() const {
    using std::chrono::seconds;
    std::optional<seconds> shortest;
    for (const auto limit : {settings_.inactive, settings_.session_timeout}) {
        if (limit > seconds(0))
            shortest = std::min(shortest.value_or(limit), limit);
    }
    if (!shortest)
        return std::nullopt;
    return std::clamp(*shortest / 60, seconds(1), seconds(10));
}

std::vector<std::pair<ClientId, const char*>>
ClientLimits::over(const std::vector<ClientStatus>& clients,
                   const std::vector<dataplane::PeerStats>& stats, TimePoint now) {
    std::vector<std::pair<ClientId, const char*>> out;
    std::unordered_map<std::uint32_t, std::uint64_t> counted;
    for (const auto& peer : stats)
        counted.emplace(peer.id, peer.inner_bytes);
    std::unordered_map<ClientId, IdleWatch> next;
    for (const auto& client : clients) {
        const auto timeout = settings_.session_timeout;
        if (timeout.count() > 0 && client.connected_for >= timeout)
            out.emplace_back(client.client_id, "session-timeout");
        const auto bytes = counted.find(client.peer_id);
        if (settings_.inactive.count() == 0 || bytes == counted.end())
            continue;
        auto known = watches_.find(client.client_id);
        auto watch =
            known == watches_.end()
                ? IdleWatch(settings_.inactive, settings_.inactive_bytes, bytes->second, now)
                : known->second;
        if (watch.is_idle(bytes->second, now))
            out.emplace_back(client.client_id, "inactive");
        next.emplace(client.client_id, watch);
    }
    // Those who have gone are forgotten.
    watches_ = std::move(next);
    return out;
}

} // namespace nfovpn::server
