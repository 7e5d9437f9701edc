// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "util/endpoint.h"

#include <optional>
#include <string>
#include <vector>

namespace nfovpn::server {

/// What is special about one client.
struct ClientSettings {
    std::optional<Ipv4> address;   ///< its own inside the tunnel, in place of one of the pool
    std::optional<Ipv4> netmask;   ///< with that address; or the other end's, by the topology
    std::optional<Ipv6> address6;  ///< likewise
    std::vector<Prefix> networks;  ///< behind it
    std::vector<std::string> push; ///< options besides everybody's
    std::vector<std::string> push_remove; ///< beginnings of options that it is not pushed
    bool push_reset = false;              ///< instead of everybody's
    bool disabled = false;                ///< not let in

    /// Adds what somebody else has to say, who has the last word.
    void merge(const ClientSettings& more);
};

} // namespace nfovpn::server
