// SPDX-License-Identifier: GPL-2.0-or-later
//
// Clients that have had their time: "inactive" for those that send and get nothing, and
// "session-timeout" for all of them.
#pragma once

#include "dataplane/dataplane.h"
#include "server/core.h"
#include "util/idle_watch.h"

#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace nfovpn::server {

/// See the head of this file.
class ClientLimits {
public:
    struct Settings {
        std::chrono::seconds inactive{0}; ///< 0: for ever
        std::uint64_t inactive_bytes = 0;
        std::chrono::seconds session_timeout{0}; ///< likewise
    };

    explicit ClientLimits(const Settings& settings) : settings_(settings) {}

    /// How often to ask; nothing if there are no limits.
    [[nodiscard]] std::optional<std::chrono::seconds> interval() const;

    /// Those to be disconnected now, with the option that wants it.
    std::vector<std::pair<ClientId, const char*>>
    over(const std::vector<ClientStatus>& clients, const std::vector<dataplane::PeerStats>& stats,
         TimePoint now);

private:
    Settings settings_;
    std::unordered_map<ClientId, IdleWatch> watches_;
};

} // namespace nfovpn::server
