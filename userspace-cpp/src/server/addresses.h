// SPDX-License-Identifier: GPL-2.0-or-later
//
// Addresses inside the tunnel, by the server's topology:
//
//     subnet   the client's own, and the netmask
//     p2p      the client's own, and the server's at the other end
//     net30    the third of a network of four, and the second of it at the other end
//
// and with each one of IPv4 the one of IPv6 at the same place of its own pool. In files a client of
// net30 has the address of its network, as OpenVPN writes it.
#pragma once

#include "server/pool.h"
#include "wire/push.h"
#include "wire/pushed_options.h"

#include <optional>
#include <string>
#include <vector>

namespace nfovpn::server {

/// Addresses of IPv6 that clients get besides those of IPv4: the n-th of one with the n-th of the
/// other.
struct Ipv6Pool {
    Ipv6 server;
    Ipv6 first;
    int length = 64; ///< of their network
};

/// What a configuration says of them.
struct AddressSettings {
    wire::Topology topology = wire::Topology::Subnet;
    Ipv4 address; ///< the server's own, inside the tunnel
    Ipv4 netmask;
    Ipv4 pool_first; ///< of the clients' addresses; with topology net30 each fourth is one
    Ipv4 pool_last;
    std::optional<Ipv6Pool> ipv6;
};

/// See the head of this file.
class Addresses {
public:
    explicit Addresses(const AddressSettings& settings);

    /// One for the client of that name, see AddressPool.
    std::optional<Ipv4> give(const std::string& owner) { return pool_.allocate(owner); }
    /// That very one; false if it is in use.
    bool reserve(Ipv4 address) { return pool_.reserve(address); }
    void release(Ipv4 address) { pool_.release(address); }

    /// The second word of a client's ifconfig.
    [[nodiscard]] Ipv4 second_of(Ipv4 address) const;
    /// What is wrong with another one in its place; empty if nothing is.
    [[nodiscard]] std::string why_not_second(Ipv4 second) const;
    /// The address that goes with it; nothing if it is not of the pool.
    [[nodiscard]] std::optional<Ipv6> ipv6_of(Ipv4 address) const;

    /// Clients had these, before any client comes; with @p keep nobody else gets them. How many of
    /// them are of the pool, and not named twice.
    std::size_t remember(const std::vector<Lease>& leases, bool keep);
    /// Who has or had which.
    [[nodiscard]] std::vector<Lease> leases() const;

private:
    AddressSettings settings_;
    AddressPool pool_;
};

} // namespace nfovpn::server
