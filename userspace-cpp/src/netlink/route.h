// SPDX-License-Identifier: GPL-2.0-or-later
//
// Setting up a network device: MTU, up, address, routes; what "ip link", "ip address" and
// "ip route" do, without running a program.
#pragma once

#include "netlink/message.h"
#include "util/endpoint.h"

namespace nfovpn::netlink {

/// Sets a device's MTU and takes it up.
std::optional<Error> set_link_up(Socket& route, unsigned ifindex, std::uint32_t mtu);

/// Adds an address with the length of its network; the kernel adds the route to that.
std::optional<Error> add_address(Socket& route, unsigned ifindex, const Prefix& address);

/// Adds a route by a device, without a gateway. @p metric 0: the kernel's default.
std::optional<Error> add_route(Socket& route, unsigned ifindex, const Prefix& network,
                               std::uint32_t metric);

} // namespace nfovpn::netlink
