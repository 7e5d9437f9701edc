// SPDX-License-Identifier: GPL-2.0-or-later
//
// Address and peer ID pools; see pool.h.

#include "server/pool.h"

#include <algorithm>

namespace nfovpn::server {

std::optional<std::uint32_t> AddressPool::place_of(Ipv4 address) const {
    const auto distance = address.value - first_.value;
    if (distance % step_ != 0 || distance / step_ >= slots_.size())
        return std::nullopt;
    return distance / step_;
}

std::optional<std::size_t> AddressPool::choose(const std::string& owner) {
    if (!owner.empty()) {
        auto known = last_slot_.find(owner);
        if (known != last_slot_.end() && !slots_[known->second].used) {
            std::erase(freed_, known->second);
            return known->second;
        }
    }
    while (fresh_ < slots_.size()) {
        // reserve() may have been here before, and remember().
        const Slot& slot = slots_[fresh_++];
        if (!slot.used && slot.owner.empty())
            return fresh_ - 1;
    }
    if (freed_.empty())
        return std::nullopt;
    auto slot = freed_.front();
    freed_.pop_front();
    return slot;
}

std::optional<Ipv4> AddressPool::allocate(const std::string& owner) {
    auto index = choose(owner);
    if (!index)
        return std::nullopt;
    Slot& slot = slots_[*index];
    if (slot.owner != owner) {
        auto former = last_slot_.find(slot.owner);
        if (former != last_slot_.end() && former->second == *index)
            last_slot_.erase(former);
        slot.owner = owner;
    }
    if (!owner.empty())
        last_slot_[owner] = *index;
    slot.used = true;
    return address_at(*index);
}

bool AddressPool::reserve(Ipv4 address) {
    const auto index = place_of(address);
    if (!index)
        return others_.insert(address.value).second;
    if (slots_[*index].used)
        return false;
    std::erase(freed_, *index);
    slots_[*index].used = true;
    return true;
}

void AddressPool::release(Ipv4 address) {
    const auto index = place_of(address);
    if (!index) {
        others_.erase(address.value);
    } else if (slots_[*index].used) {
        slots_[*index].used = false;
        freed(*index);
    }
}

void AddressPool::freed(std::size_t index) {
    const Slot& slot = slots_[index];
    // One that is still to be had for the first time is not to be had twice.
    if (!slot.kept && (index < fresh_ || !slot.owner.empty()))
        freed_.push_back(index);
}

bool AddressPool::remember(const std::string& owner, Ipv4 address, bool keep) {
    const auto index = place_of(address);
    if (!index || slots_[*index].used || !slots_[*index].owner.empty() || *index < fresh_ ||
        !last_slot_.emplace(owner, *index).second)
        return false;
    slots_[*index].owner = owner;
    slots_[*index].kept = keep;
    freed(*index);
    return true;
}

std::vector<Lease> AddressPool::leases() const {
    std::vector<Lease> out;
    for (std::size_t index = 0; index < slots_.size(); index++) {
        const auto& owner = slots_[index].owner;
        auto last = last_slot_.find(owner);
        if (!owner.empty() && last != last_slot_.end() && last->second == index)
            out.push_back({owner, address_at(index), std::nullopt});
    }
    return out;
}

namespace {

// 0xffffff stands for "no peer ID".
constexpr std::uint32_t kIds = 0xffffff;

} // namespace

bool IdPool::reserve(std::uint32_t id) {
    if (id >= kIds || !used_.insert(id).second)
        return false;
    next_ = std::max(next_, (id + 1) % kIds);
    return true;
}

std::optional<std::uint32_t> IdPool::allocate() {
    if (used_.size() >= kIds)
        return std::nullopt;
    while (!used_.insert(next_).second)
        next_ = (next_ + 1) % kIds;
    auto id = next_;
    next_ = (next_ + 1) % kIds;
    return id;
}

} // namespace nfovpn::server
