// SPDX-License-Identifier: GPL-2.0-or-later
//
// Networks behind clients. One may be behind several, as with redundant sites: the newest has it,
// and when that one goes, the one before it has it again. Who wants a network need not have it.
#pragma once

#include "server/hooks.h"
#include "util/endpoint.h"

#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace nfovpn::server {

class Networks {
public:
    /// The networks that a client wants, each once, in that order. It has none before take().
    void want(ClientId client, const std::vector<Prefix>& networks);
    /// The same, of those that it wants.
    [[nodiscard]] const std::vector<Prefix>& wanted(ClientId client) const;

    /// A network that goes from one client to another.
    struct Change {
        Prefix network;
        ClientId client; ///< who loses it, or gets it
    };

    /// The client has what it wants. Who had it before loses it.
    std::vector<Change> take(ClientId client);
    /// The client wants nothing any more. Who has it now.
    std::vector<Change> leave(ClientId client);

    /// Whether the client has it for others, though not confirmed.
    [[nodiscard]] bool is_newest(ClientId client, const Prefix& network) const;
    /// As long as it is not confirmed that the client may have a network it has not.
    void doubt(ClientId client, const Prefix& network) { doubted_.insert({client, network}); }
    void confirm(ClientId client, const Prefix& network) { doubted_.erase({client, network}); }

    /// What it has.
    [[nodiscard]] std::vector<Prefix> of(ClientId client) const;

private:
    std::unordered_map<ClientId, std::vector<Prefix>> wanted_;
    std::map<Prefix, std::vector<ClientId>> takers_; ///< the last has it
    std::set<std::pair<ClientId, Prefix>> doubted_;
};

} // namespace nfovpn::server
