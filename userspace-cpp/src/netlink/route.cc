// SPDX-License-Identifier: GPL-2.0-or-later
//
// rtnetlink requests; see route.h.

#include "netlink/route.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

namespace nfovpn::netlink {

std::optional<Error> set_link_up(Socket& route, unsigned ifindex, std::uint32_t mtu) {
    Message request(RTM_NEWLINK, 0);
    auto& header = request.header<ifinfomsg>();
    header.ifi_family = AF_UNSPEC;
    header.ifi_index = static_cast<int>(ifindex);
    header.ifi_flags = IFF_UP;
    header.ifi_change = IFF_UP;
    request.u32(IFLA_MTU, mtu);
    return route.request(request);
}

std::optional<Error> add_address(Socket& route, unsigned ifindex, const Prefix& address) {
    Message request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    auto& header = request.header<ifaddrmsg>();
    header.ifa_family = address.ipv6 ? AF_INET6 : AF_INET;
    header.ifa_prefixlen = static_cast<std::uint8_t>(address.length);
    header.ifa_index = ifindex;
    header.ifa_scope = RT_SCOPE_UNIVERSE;
    const auto bytes = ByteView(address.address).first(address.ipv6 ? 16 : 4);
    request.bytes(IFA_LOCAL, bytes);
    request.bytes(IFA_ADDRESS, bytes);
    return route.request(request);
}

std::optional<Error> add_route(Socket& route, unsigned ifindex, const Prefix& network,
                               std::uint32_t metric) {
    Message request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    auto& header = request.header<rtmsg>();
    header.rtm_family = network.ipv6 ? AF_INET6 : AF_INET;
    header.rtm_dst_len = static_cast<std::uint8_t>(network.length);
    header.rtm_table = RT_TABLE_MAIN;
    header.rtm_protocol = RTPROT_STATIC;
    header.rtm_scope = RT_SCOPE_LINK;
    header.rtm_type = RTN_UNICAST;
    request.bytes(RTA_DST, ByteView(network.address).first(network.ipv6 ? 16 : 4));
    request.u32(RTA_OIF, ifindex);
    if (metric > 0)
        request.u32(RTA_PRIORITY, metric);
    return route.request(request);
}

} // namespace nfovpn::netlink
