// SPDX-License-Identifier: GPL-2.0-or-later
//
// rtnetlink requests; see route.h.

#include "netlink/route.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace nfovpn::netlink {

namespace {

ByteView bytes_of(const Prefix& prefix) {
    return ByteView(prefix.address).first(prefix.ipv6 ? 16 : 4);
}

void fill(ifaddrmsg& header, unsigned ifindex, const Prefix& address) {
    header.ifa_family = address.ipv6 ? AF_INET6 : AF_INET;
    header.ifa_prefixlen = static_cast<std::uint8_t>(address.length);
    header.ifa_index = ifindex;
    header.ifa_scope = RT_SCOPE_UNIVERSE;
}

void fill_route(Message& request, const NextHop& by, const Prefix& network, std::uint32_t metric) {
    auto& header = request.header<rtmsg>();
    header.rtm_family = network.ipv6 ? AF_INET6 : AF_INET;
    header.rtm_dst_len = static_cast<std::uint8_t>(network.length);
    // There are more tables than the octet has room for.
    header.rtm_table = by.table == 0 ? RT_TABLE_MAIN : RT_TABLE_UNSPEC;
    header.rtm_protocol = RTPROT_STATIC;
    header.rtm_scope = by.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    header.rtm_type = RTN_UNICAST;
    request.bytes(RTA_DST, bytes_of(network));
    if (by.gateway)
        request.bytes(RTA_GATEWAY,
                      bytes_of(by.gateway->is_ipv4() ? ipv4_prefix(by.gateway->ipv4(), 32)
                                                     : ipv6_prefix(by.gateway->ipv6(), 128)));
    request.u32(RTA_OIF, by.ifindex);
    if (by.table > 0)
        request.u32(RTA_TABLE, by.table);
    if (metric > 0)
        request.u32(RTA_PRIORITY, metric);
}

std::optional<Address> address_in(const Attributes& attributes, std::uint16_t type) {
    const auto bytes = attributes.bytes(type);
    if (bytes && bytes->size() == 4)
        return Ipv4{ByteReader(*bytes).u32().value_or(0)};
    Ipv6 ipv6;
    if (!bytes || bytes->size() != ipv6.bytes.size())
        return std::nullopt;
    std::copy(bytes->begin(), bytes->end(), ipv6.bytes.begin());
    return ipv6;
}

} // namespace

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
    fill(request.header<ifaddrmsg>(), ifindex, address);
    request.bytes(IFA_LOCAL, bytes_of(address));
    request.bytes(IFA_ADDRESS, bytes_of(address));
    return route.request(request);
}

std::optional<Error> add_peer_address(Socket& route, unsigned ifindex, Ipv4 address, Ipv4 peer) {
    Message request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    fill(request.header<ifaddrmsg>(), ifindex, ipv4_prefix(address, 32));
    request.bytes(IFA_LOCAL, bytes_of(ipv4_prefix(address, 32)));
    request.bytes(IFA_ADDRESS, bytes_of(ipv4_prefix(peer, 32)));
    return route.request(request);
}

std::optional<Error> delete_address(Socket& route, unsigned ifindex, const Prefix& address) {
    Message request(RTM_DELADDR, 0);
    fill(request.header<ifaddrmsg>(), ifindex, address);
    request.bytes(IFA_LOCAL, bytes_of(address));
    return route.request(request);
}

Result<NextHop, Error> find_route(Socket& route, const Address& host) {
    const auto prefix =
        host.is_ipv4() ? ipv4_prefix(host.ipv4(), 32) : ipv6_prefix(host.ipv6(), 128);
    Message request(RTM_GETROUTE, 0);
    auto& header = request.header<rtmsg>();
    header.rtm_family = prefix.ipv6 ? AF_INET6 : AF_INET;
    header.rtm_dst_len = static_cast<std::uint8_t>(prefix.length);
    request.bytes(RTA_DST, bytes_of(prefix));
    NextHop out;
    auto failed = route.request(request, [&](const nlmsghdr* answer) {
        const Attributes attributes(answer, sizeof(rtmsg));
        out.ifindex = static_cast<unsigned>(attributes.number(RTA_OIF).value_or(0));
        out.gateway = address_in(attributes, RTA_GATEWAY);
        out.source = address_in(attributes, RTA_PREFSRC);
    });
    if (failed)
        return *failed;
    if (out.ifindex == 0)
        return Error{ENETUNREACH, "no route to " + to_string(host)};
    return out;
}

std::optional<Error> add_route(Socket& route, const NextHop& by, const Prefix& network,
                               std::uint32_t metric) {
    Message request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    fill_route(request, by, network, metric);
    return route.request(request);
}

std::optional<Error> delete_route(Socket& route, const NextHop& by, const Prefix& network,
                                  std::uint32_t metric) {
    Message request(RTM_DELROUTE, 0);
    fill_route(request, by, network, metric);
    return route.request(request);
}

std::optional<Error> join_changes(Socket& route) {
    for (const auto group :
         {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE}) {
        if (auto failed = route.join(group))
            return failed;
    }
    return std::nullopt;
}

} // namespace nfovpn::netlink
