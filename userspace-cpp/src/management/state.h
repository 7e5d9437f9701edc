// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a daemon is doing, in the words of OpenVPN's management interface.
#pragma once

#include "util/endpoint.h"

#include <optional>
#include <string>

namespace nfovpn::management {

/// The names are OpenVPN's, in the order of a client's life; a server has only some of them.
enum class State {
    Connecting,
    Resolve,     ///< a server's name is looked up
    TcpConnect,  ///< a connection is opened
    Wait,        ///< for the server's first answer
    Auth,        ///< TLS, and who one is
    GetConfig,   ///< the server is asked what to set up
    AuthPending, ///< it asks somebody else first
    AssignIp,
    AddRoutes,
    Connected,
    Reconnecting,
    Exiting
};

/// What is told with a state; all may be left out.
struct StateDetails {
    std::string reason;
    std::optional<Ipv4> address;    ///< the own one, inside the tunnel
    std::optional<Ipv6> address6;   ///< likewise
    std::optional<Endpoint> remote; ///< a client's server
    std::optional<Endpoint> local;  ///< of a server where it listens, if not everywhere
};

} // namespace nfovpn::management
