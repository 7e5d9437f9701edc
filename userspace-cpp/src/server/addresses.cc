// SPDX-License-Identifier: GPL-2.0-or-later
//
// Addresses by topology; see addresses.h.

#include "server/addresses.h"

namespace nfovpn::server {

namespace {

// Each client of topology net30 has a network of four addresses, and the third of them.
constexpr std::uint32_t kNet30 = 4;
constexpr std::uint32_t kInNet30 = 2;

std::uint32_t step_of(wire::Topology topology) {
    return topology == wire::Topology::Net30 ? kNet30 : 1;
}

} // namespace

Addresses::Addresses(const AddressSettings& settings)
    : settings_(settings),
      pool_(settings.pool_first, settings.pool_last, step_of(settings.topology)) {}

Ipv4 Addresses::second_of(Ipv4 address) const {
    switch (settings_.topology) {
    case wire::Topology::Subnet:
        return settings_.netmask;
    case wire::Topology::P2p:
        return settings_.address;
    case wire::Topology::Net30:
        break;
    }
    // The other one of the two that a network of four has for hosts.
    return Ipv4{address.value ^ 3};
}

std::string Addresses::why_not_second(Ipv4 second) const {
    const bool subnet = settings_.topology == wire::Topology::Subnet;
    if (prefix_length(second).has_value() == subnet)
        return {};
    return to_string(second) + (subnet ? " is no netmask, with this topology it must be one"
                                       : " is a netmask, with this topology it must be the other "
                                         "end's address");
}

std::optional<Ipv6> Addresses::ipv6_of(Ipv4 address) const {
    const auto place = pool_.place_of(address);
    if (!settings_.ipv6 || !place)
        return std::nullopt;
    return settings_.ipv6->first + *place;
}

std::size_t Addresses::remember(const std::vector<Lease>& leases, bool keep) {
    std::size_t taken = 0;
    const auto ahead = settings_.topology == wire::Topology::Net30 ? kInNet30 : 0;
    for (const auto& lease : leases)
        taken += pool_.remember(lease.owner, {lease.address.value + ahead}, keep) ? 1 : 0;
    return taken;
}

std::vector<Lease> Addresses::leases() const {
    auto out = pool_.leases();
    for (auto& lease : out) {
        lease.address6 = ipv6_of(lease.address);
        if (settings_.topology == wire::Topology::Net30)
            lease.address.value -= kInNet30;
    }
    return out;
}

} // namespace nfovpn::server
