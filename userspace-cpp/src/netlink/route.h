// SPDX-License-Identifier: GPL-2.0-or-later
//
// Setting up a network device: MTU, up, address, routes; what "ip link", "ip address" and
// "ip route" do, without running a program.
#pragma once

#include "netlink/message.h"
#include "util/endpoint.h"
#include "util/result.h"

namespace nfovpn::netlink {

/// Sets a device's MTU and takes it up.
std::optional<Error> set_link_up(Socket& route, unsigned ifindex, std::uint32_t mtu);

/// Adds an address with the length of its network; the kernel adds the route to that.
std::optional<Error> add_address(Socket& route, unsigned ifindex, const Prefix& address);

/// Adds an address that has another one at the other end of the link, IPv4.
std::optional<Error> add_peer_address(Socket& route, unsigned ifindex, Ipv4 address, Ipv4 peer);

/// Removes an address as add_address() or add_peer_address() has added it.
std::optional<Error> delete_address(Socket& route, unsigned ifindex, const Prefix& address);

/// How a host is reached.
struct NextHop {
    unsigned ifindex = 0;
    std::optional<Address> gateway; ///< none: it is on the link
    std::optional<Address> source =
        {};                  ///< what packets then come from; not of routes that are added
    std::uint32_t table = 0; ///< of routes that are added; 0: the main one
};

/// Where packets to that host leave now.
Result<NextHop, Error> find_route(Socket& route, const Address& host);

/// Adds a route that leads there, and removes it. @p metric 0: the kernel's default.
std::optional<Error> add_route(Socket& route, const NextHop& by, const Prefix& network,
                               std::uint32_t metric);
std::optional<Error> delete_route(Socket& route, const NextHop& by, const Prefix& network,
                                  std::uint32_t metric);

/// Hears of addresses and routes that come and go, of both families.
std::optional<Error> join_changes(Socket& route);

} // namespace nfovpn::netlink
