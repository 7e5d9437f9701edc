// SPDX-License-Identifier: GPL-2.0-or-later
//
// Two data planes as one; movable.h has the order in which keys move.

#include "dataplane/movable.h"

#include "util/log.h"

#include <algorithm>
#include <cerrno>
#include <unordered_map>
#include <utility>

namespace nfovpn::dataplane {

namespace {

constexpr KeySlot kSlots[] = {KeySlot::Primary, KeySlot::Secondary};

// The kernel has no such thing, or not so much of it, so this process does it. E2BIG: more networks
// behind a peer than it takes; EMSGSIZE: more than a request has room for.
bool beyond_kernel(const Failure& failure) {
    return failure &&
           (failure->code == EOPNOTSUPP || failure->code == E2BIG || failure->code == EMSGSIZE);
}

// What both have counted of one peer.
void add(PeerStats& sum, const PeerStats& more) {
    sum.rx_bytes += more.rx_bytes;
    sum.tx_bytes += more.tx_bytes;
    sum.rx_packets += more.rx_packets;
    sum.tx_packets += more.tx_packets;
    sum.inner_bytes += more.inner_bytes;
}

} // namespace

Failure MovableDataPlane::add_peer(const Peer& peer) {
    if (auto failure = user_.add_peer(peer))
        return failure;
    if (!kernel_)
        return std::nullopt;
    auto failure = kernel_->add_peer(peer);
    if (beyond_kernel(failure)) {
        log::warning("peer {} is not the kernel's: {}", peer.id, failure->what);
        return std::nullopt;
    }
    if (failure)
        user_.remove_peer(peer.id);
    else
        user_.set_lent(peer.id, true);
    return failure;
}

Failure MovableDataPlane::set_keepalive(std::uint32_t id, const Keepalive& keepalive) {
    if (in_kernel(id)) {
        if (auto failure = kernel_->set_keepalive(id, keepalive))
            return failure;
    }
    return user_.set_keepalive(id, keepalive);
}

Failure MovableDataPlane::set_networks(std::uint32_t id, const std::vector<Prefix>& networks) {
    if (in_kernel(id)) {
        auto failure = kernel_->set_networks(id, networks);
        if (beyond_kernel(failure)) {
            log::warning("peer {} leaves the kernel: {}", id, failure->what);
            failure = to_user(id);
        }
        if (failure)
            return failure;
    }
    return user_.set_networks(id, networks);
}

Failure MovableDataPlane::remove_peer(std::uint32_t id) {
    // Whether it is there or not: it has no keys there when they are here.
    auto failure = kernel_ ? kernel_->remove_peer(id) : std::nullopt;
    if (failure && !in_kernel(id))
        failure.reset();
    auto failed = user_.remove_peer(id);
    foreign_.erase(id);
    return failure ? failure : failed;
}

Failure MovableDataPlane::install_key(std::uint32_t peer_id, KeySlot slot, std::uint8_t key_id,
                                      const DataKeys& keys) {
    if (in_kernel(peer_id)) {
        auto failure = kernel_->install_key(peer_id, slot, key_id, keys);
        if (beyond_kernel(failure)) {
            log::warning("peer {} leaves the kernel: {}", peer_id, failure->what);
            failure = to_user(peer_id);
        }
        if (failure)
            return failure;
    }
    if (auto at = foreign_.find(peer_id); at != foreign_.end())
        foreign(peer_id, slot) = false;
    return user_.install_key(peer_id, slot, key_id, keys);
}

Failure MovableDataPlane::swap_keys(std::uint32_t peer_id) {
    if (in_kernel(peer_id)) {
        if (auto failure = kernel_->swap_keys(peer_id))
            return failure;
    }
    if (auto at = foreign_.find(peer_id); at != foreign_.end()) {
        // The copies that there are change places, be it one or none.
        std::swap(at->second.primary, at->second.secondary);
        if (!user_.key(peer_id, KeySlot::Secondary))
            return std::nullopt;
    }
    return user_.swap_keys(peer_id);
}

Failure MovableDataPlane::delete_key(std::uint32_t peer_id, KeySlot slot) {
    if (in_kernel(peer_id)) {
        if (auto failure = kernel_->delete_key(peer_id, slot))
            return failure;
    }
    if (foreign_.contains(peer_id) && std::exchange(foreign(peer_id, slot), false))
        return std::nullopt;
    return user_.delete_key(peer_id, slot);
}

// The ping is sent by this process in either case, as the kernel sends one only when it is time for
// it. Its packet ID is the kernel's if the key is.
Failure MovableDataPlane::announce(std::uint32_t id, TimePoint now) {
    if (auto failure = user_.announce(id, now); failure || !in_kernel(id))
        return failure;
    return kernel_->set_path(id, user_.peer(id)->path);
}

std::optional<std::vector<PeerStats>> MovableDataPlane::stats() {
    auto out = *user_.stats();
    if (!kernel_)
        return out;
    auto kernels = kernel_->stats();
    if (!kernels)
        return std::nullopt;
    std::unordered_map<std::uint32_t, PeerStats> by_id;
    for (const auto& peer : *kernels)
        by_id.emplace(peer.id, peer);
    // One that the kernel should have and has not is gone.
    std::erase_if(
        out, [&](const PeerStats& peer) { return in_kernel(peer.id) && !by_id.contains(peer.id); });
    for (auto& peer : out) {
        auto at = by_id.find(peer.id);
        if (at == by_id.end())
            continue;
        add(peer, at->second);
        const auto& remote = at->second.remote;
        const auto* known = user_.peer(peer.id);
        if (!in_kernel(peer.id) || !remote || !known)
            continue;
        peer.remote = remote;
        // As if the kernel had said so.
        if (known->path.remote != *remote)
            user_.set_path(peer.id, {*remote, known->path.local});
    }
    return out;
}

std::optional<PeerStats> MovableDataPlane::peer_stats(std::uint32_t id) {
    auto out = user_.peer_stats(id);
    auto kernels = out && kernel_ ? kernel_->peer_stats(id) : std::nullopt;
    if (kernels)
        add(*out, *kernels);
    return out;
}

std::optional<Holder> MovableDataPlane::holder(std::uint32_t id) const {
    if (!user_.peer(id))
        return std::nullopt;
    return in_kernel(id) ? Holder::Kernel : Holder::User;
}

Failure MovableDataPlane::move(std::uint32_t id, Holder to) {
    auto now = holder(id);
    if (!now)
        return Error{ENOENT, "no such peer"};
    if (now == to)
        return std::nullopt;
    if (!kernel_)
        return Error{EOPNOTSUPP, "there is no data path in the kernel"};
    return to == Holder::User ? to_user(id) : to_kernel(id);
}

// A key from the kernel to here.
Failure MovableDataPlane::take(std::uint32_t id, KeySlot slot) {
    auto state = kernel_->release_key(id, slot);
    if (!state)
        return state.error();
    auto failure = user_.resume_key(id, slot, *state);
    if (failure)
        give(id, slot, *state);
    return failure;
}

// A key from here to the kernel.
Failure MovableDataPlane::give(std::uint32_t id, KeySlot slot, const KeyState& state) {
    auto key = user_.key(id, slot);
    return kernel_->resume_key(id, slot, key->key_id, key->keys, state);
}

Failure MovableDataPlane::to_user(std::uint32_t id) {
    if (has_foreign(id))
        return Error{EBUSY,
                     "its keys are of the daemon before, and the kernel's alone until it has "
                     "negotiated new ones"};
    // It would take for silence what it does not see.
    if (auto failure = kernel_->set_keepalive(id, {}))
        return failure;
    Failure failure;
    std::vector<KeySlot> taken;
    for (auto slot : kSlots) {
        if (failure || !user_.key(id, slot))
            continue;
        failure = take(id, slot);
        if (!failure)
            taken.push_back(slot);
    }
    auto path = failure ? Result<Path, Error>(*failure) : kernel_->path(id);
    if (!path) {
        for (auto slot : taken)
            give(id, slot, user_.key(id, slot)->state);
        kernel_->set_keepalive(id, user_.keepalive(id));
        return path.error();
    }
    user_.set_path(id, *path);
    user_.set_lent(id, false);
    return std::nullopt;
}

Failure MovableDataPlane::to_kernel(std::uint32_t id) {
    auto failure = kernel_->set_path(id, user_.peer(id)->path);
    std::vector<KeySlot> given;
    for (auto slot : kSlots) {
        auto key = user_.key(id, slot);
        if (failure || !key)
            continue;
        failure = give(id, slot, key->state);
        if (!failure)
            given.push_back(slot);
    }
    if (failure) {
        // They may have been used there.
        for (auto slot : given)
            take(id, slot);
        return failure;
    }
    user_.set_lent(id, true);
    return kernel_->set_keepalive(id, user_.keepalive(id));
}

Result<PeerInPlace, Error> MovableDataPlane::adopt_peer(const Peer& peer) {
    if (!kernel_)
        return Error{EOPNOTSUPP, "there is no data path in the kernel"};
    auto there = kernel_->look(peer.id);
    if (!there)
        return there;
    if (there->address != peer.address || there->address6 != peer.address6)
        return Error{EEXIST, "the kernel's peer of that ID has another address"};
    if (!there->primary)
        return Error{ENOKEY, "the kernel's peer has no key"};
    auto here = peer;
    here.path = there->path;
    if (auto failure = user_.add_peer(here))
        return *failure;
    user_.set_lent(peer.id, true);
    foreign_[peer.id] = {true, there->secondary.has_value()};
    return there;
}

std::size_t MovableDataPlane::remove_strangers() {
    const auto all = kernel_ ? kernel_->stats() : std::nullopt;
    std::size_t out = 0;
    for (const auto& peer : all.value_or(std::vector<PeerStats>())) {
        if (!user_.peer(peer.id) && !kernel_->remove_peer(peer.id))
            out++;
    }
    return out;
}

bool MovableDataPlane::has_foreign(std::uint32_t id) const {
    const auto found = foreign_.find(id);
    return found != foreign_.end() && (found->second.primary || found->second.secondary);
}

bool MovableDataPlane::kernel_notified(const Notification& notification) {
    if (const auto* deleted = std::get_if<PeerDeleted>(&notification)) {
        // A point-to-point peer has the same ID in each of its sessions, and what was asked for
        // when one ended is heard of when the next one is there.
        if (!in_kernel(deleted->id) || kernel_->peer_stats(deleted->id))
            return false;
        user_.remove_peer(deleted->id);
        foreign_.erase(deleted->id);
    } else if (const auto* floated = std::get_if<PeerFloated>(&notification)) {
        const auto* peer = user_.peer(floated->id);
        if (peer && in_kernel(floated->id))
            user_.set_path(floated->id, {floated->remote, peer->path.local});
    }
    return true;
}

std::vector<Notification> MovableDataPlane::take_notifications() {
    auto out = user_.take_notifications();
    for (const auto& notification : out) {
        // It may never have been there.
        if (const auto* deleted = std::get_if<PeerDeleted>(&notification); deleted && kernel_)
            kernel_->remove_peer(deleted->id);
    }
    return out;
}

std::optional<std::uint64_t> MovableDataPlane::reserve_packet_id(std::uint32_t peer_id,
                                                                 KeySlot slot) {
    auto id = kernel_->reserve_packet_id(peer_id, slot);
    return id ? std::optional(*id) : std::nullopt;
}

bool MovableDataPlane::accept_packet_id(std::uint32_t peer_id, KeySlot slot,
                                        std::uint64_t packet_id) {
    return !kernel_->accept_packet_id(peer_id, slot, packet_id);
}

} // namespace nfovpn::dataplane
