// SPDX-License-Identifier: GPL-2.0-or-later
//
// Endpoints as Asio has them, and back.
#pragma once

#include "util/endpoint.h"

#include <asio/ip/address_v4.hpp>
#include <asio/ip/address_v6.hpp>

namespace nfovpn::io {

/// The endpoint of a socket of Asio's.
template <typename AsioEndpoint>
Endpoint endpoint_of(const AsioEndpoint& from) {
    Endpoint out;
    out.port = from.port();
    if (from.address().is_v4()) {
        out.address = Ipv4{from.address().to_v4().to_uint()};
        return out;
    }
    const auto ipv6 = from.address().to_v6();
    out.address = Ipv6{ipv6.to_bytes()};
    out.scope_id = static_cast<std::uint32_t>(ipv6.scope_id());
    return out;
}

/// The same for a socket of Asio's, of the address's own family.
template <typename AsioEndpoint>
AsioEndpoint to_asio(const Endpoint& from) {
    if (from.address.is_ipv4())
        return {asio::ip::address_v4(from.address.ipv4().value), from.port};
    return {asio::ip::address_v6(from.address.ipv6().bytes, from.scope_id), from.port};
}

} // namespace nfovpn::io
