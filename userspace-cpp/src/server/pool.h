// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a server gives out: addresses inside the tunnel, and peer IDs.
//
// A client that comes back gets the address that it had, if nobody else has it now: open
// connections inside the tunnel survive a reconnect that way. Until every address has been used
// once, a new client gets a fresh one; after that, the one that has been free for longest. Who had
// which one can be told to the next daemon: an address that is remembered is not fresh.
#pragma once

#include "util/endpoint.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace nfovpn::server {

/// The address that a client has, or had.
struct Lease {
    std::string owner; ///< by its name
    Ipv4 address;
    std::optional<Ipv6> address6;

    bool operator==(const Lease&) const = default;
};

/// The addresses from first to last, both included; or every so manieth of them.
class AddressPool {
public:
    AddressPool(Ipv4 first, Ipv4 last, std::uint32_t step = 1)
        : first_(first), step_(step), slots_((last.value - first.value) / step + 1) {}

    /// An address for the client of that name; nothing if all are in use. An empty name is nobody
    /// in particular.
    std::optional<Ipv4> allocate(const std::string& owner);

    /// That very address, which need not be one of these; false if it is in use.
    bool reserve(Ipv4 address);

    /// Gives an address back.
    void release(Ipv4 address);

    /// The address was that client's, in former times; with @p keep nobody else gets it. False if
    /// it is not of these, or somebody had it already.
    bool remember(const std::string& owner, Ipv4 address, bool keep);

    /// Who had which address last, or has it, in the order of addresses.
    [[nodiscard]] std::vector<Lease> leases() const;

    [[nodiscard]] std::size_t size() const { return slots_.size(); }

    /// The place of an address among them; nothing if it is none of these.
    [[nodiscard]] std::optional<std::uint32_t> place_of(Ipv4 address) const;

private:
    struct Slot {
        bool used = false;
        bool kept = false; ///< for the owner alone
        std::string owner; ///< the last one
    };

    std::optional<std::size_t> choose(const std::string& owner);
    void freed(std::size_t index);

    [[nodiscard]] Ipv4 address_at(std::size_t index) const {
        return {first_.value + step_ * static_cast<std::uint32_t>(index)};
    }

    Ipv4 first_;
    std::uint32_t step_;
    std::vector<Slot> slots_;
    std::unordered_set<std::uint32_t> others_; ///< reserved ones that are not of the pool
    std::size_t fresh_ = 0;                    ///< slots from here on that nobody had yet are fresh
    std::deque<std::size_t> freed_;            ///< free again, longest first
    std::unordered_map<std::string, std::size_t> last_slot_;
};

/// Peer IDs, in turn: an ID comes back only after all the others. What the kernel still has to say
/// about a peer that is gone is then never taken for its successor's.
class IdPool {
public:
    std::optional<std::uint32_t> allocate();
    /// That very one; false if it is in use. Others are given out behind it.
    bool reserve(std::uint32_t id);
    void release(std::uint32_t id) { used_.erase(id); }

private:
    std::unordered_set<std::uint32_t> used_;
    std::uint32_t next_ = 0;
};

} // namespace nfovpn::server
