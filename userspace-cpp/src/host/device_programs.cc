// SPDX-License-Identifier: GPL-2.0-or-later
//
// Words and variables; see device_programs.h.

#include "host/device_programs.h"

#include "util/bytes.h"

#include <algorithm>
#include <utility>

namespace nfovpn::host {

namespace {

Ipv4 ipv4_of(const Prefix& prefix) {
    return Ipv4{*ByteReader(prefix.address).u32()};
}

} // namespace

DeviceProgram device_program(std::vector<std::string> words, const std::string& type,
                             const Environment& told) {
    DeviceProgram out{std::move(words), told};
    const auto value = [&told](std::string_view name) {
        auto at = std::find_if(told.begin(), told.end(),
                               [&](const auto& variable) { return variable.first == name; });
        return at == told.end() ? std::string() : at->second;
    };
    if (type != "route-up") {
        const auto netmask = value("ifconfig_netmask");
        for (const auto& word :
             {value("dev"), value("tun_mtu"), std::string("0"), value("ifconfig_local"),
              netmask.empty() ? value("ifconfig_remote") : netmask, std::string("init")})
            out.words.push_back(word);
    }
    out.environment.emplace_back("script_type", type);
    return out;
}

Ipv4 netmask_of(int length) {
    return Ipv4{length == 0 ? 0 : 0xffffffffU << (32 - length)};
}

void RouteVariables::add(const Prefix& network, std::optional<Ipv4> gateway,
                         std::optional<std::uint32_t> metric) {
    const auto n = std::to_string(network.ipv6 ? ++ipv6_ : ++ipv4_);
    if (network.ipv6) {
        out_.emplace_back("route_ipv6_network_" + n, to_string(network));
        return;
    }
    out_.emplace_back("route_network_" + n, to_string(ipv4_of(network)));
    out_.emplace_back("route_netmask_" + n, to_string(netmask_of(network.length)));
    if (gateway)
        out_.emplace_back("route_gateway_" + n, to_string(*gateway));
    if (metric)
        out_.emplace_back("route_metric_" + n, std::to_string(*metric));
}

} // namespace nfovpn::host
