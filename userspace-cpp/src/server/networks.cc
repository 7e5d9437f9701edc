// SPDX-License-Identifier: GPL-2.0-or-later
//
// Who has which network; see networks.h.

#include "server/networks.h"

#include <algorithm>

namespace nfovpn::server {

void Networks::want(ClientId client, const std::vector<Prefix>& networks) {
    std::set<Prefix> seen;
    std::vector<Prefix> each;
    for (const auto& network : networks) {
        if (seen.insert(network).second)
            each.push_back(network);
    }
    if (each.empty())
        wanted_.erase(client);
    else
        wanted_[client] = std::move(each);
}

const std::vector<Prefix>& Networks::wanted(ClientId client) const {
    static const std::vector<Prefix> kNone;
    const auto found = wanted_.find(client);
    return found == wanted_.end() ? kNone : found->second;
}

std::vector<Networks::Change> Networks::take(ClientId client) {
    std::vector<Change> out;
    for (const auto& network : wanted(client)) {
        auto& takers = takers_[network];
        if (!takers.empty())
            out.push_back({network, takers.back()});
        takers.push_back(client);
    }
    return out;
}

std::vector<Networks::Change> Networks::leave(ClientId client) {
    std::vector<Change> out;
    for (const auto& network : wanted(client)) {
        doubted_.erase({client, network});
        const auto found = takers_.find(network);
        if (found == takers_.end())
            continue; // it has not come that far
        auto& takers = found->second;
        const bool had_it = takers.back() == client;
        std::erase(takers, client);
        if (takers.empty())
            takers_.erase(found);
        else if (had_it)
            out.push_back({network, takers.back()});
    }
    wanted_.erase(client);
    return out;
}

bool Networks::is_newest(ClientId client, const Prefix& network) const {
    const auto found = takers_.find(network);
    return found != takers_.end() && found->second.back() == client;
}

std::vector<Prefix> Networks::of(ClientId client) const {
    std::vector<Prefix> out;
    for (const auto& network : wanted(client)) {
        if (is_newest(client, network) && !doubted_.contains({client, network}))
            out.push_back(network);
    }
    return out;
}

} // namespace nfovpn::server
