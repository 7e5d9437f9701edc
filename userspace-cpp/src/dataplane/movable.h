// SPDX-License-Identifier: GPL-2.0-or-later
//
// Both data planes as one: the kernel's, where there is one and it takes a peer, and that of this
// process for everything else. Each peer's keys are at one of the two, and can move while packets
// flow.
//
// Away from the kernel:                           socket and device of the daemon
//     keepalive of the kernel off
//     release the keys ◀── state                  packets of both directions queue here
//     where is the peer? ◀── path
//     use the keys from their state               … and are taken in turn
//
// To the kernel:
//     where the peer is, the keys with their state ──▶
//     keepalive on                                the kernel takes what comes from now on
//                                                 what had come before: packet IDs by key-reserve,
//                                                 "is this one new?" by key-accept
//
// So a key's packet IDs are one sequence whoever encrypts, nothing is taken for a replay, and no
// packet is lost but by a queue that is full. The copy of the keys that this costs is in memory as
// long as the kernel's. Of the keys that another process has left in the kernel there is none: a
// peer that is adopted stays there until it has others.
#pragma once

#include "dataplane/user.h"

#include <functional>
#include <unordered_map>

namespace nfovpn::dataplane {

/// Who has a peer's keys.
enum class Holder { Kernel, User };

/// See the head of this file.
class MovableDataPlane final : public DataPlane, private KeyOwner {
public:
    /// @p kernel may be null; both must outlive the object.
    MovableDataPlane(HandoverDataPlane* kernel, PacketOutput& output)
        : kernel_(kernel), user_(output, *this) {}

    Failure add_peer(const Peer& peer) override;
    Failure set_keepalive(std::uint32_t id, const Keepalive& keepalive) override;
    Failure set_networks(std::uint32_t id, const std::vector<Prefix>& networks) override;
    Failure remove_peer(std::uint32_t id) override;
    Failure install_key(std::uint32_t peer_id, KeySlot slot, std::uint8_t key_id,
                        const DataKeys& keys) override;
    Failure swap_keys(std::uint32_t peer_id) override;
    Failure delete_key(std::uint32_t peer_id, KeySlot slot) override;
    std::optional<std::vector<PeerStats>> stats() override;
    std::optional<PeerStats> peer_stats(std::uint32_t id) override;

    Result<PeerInPlace, Error> adopt_peer(const Peer& peer) override;
    std::size_t remove_strangers() override;

    /// Moves the keys of a peer; nothing to do if they are there.
    Failure move(std::uint32_t id, Holder to);
    /// Nothing if there is no such peer.
    [[nodiscard]] std::optional<Holder> holder(std::uint32_t id) const;

    /// This host has another address: see UserDataPlane.
    Failure announce(std::uint32_t id, TimePoint now);

    /// The kernel has said something. To be called before anybody else acts upon it, who must not
    /// if it is false: it is about an older peer of the same ID.
    bool kernel_notified(const Notification& notification);

    /// Packets, time and events: see UserDataPlane.
    bool receive(const Path& path, ByteView datagram, TimePoint now) {
        return user_.receive(path, datagram, now);
    }
    void transmit(std::span<std::uint8_t> packet, TimePoint now) { user_.transmit(packet, now); }
    void block_ipv6(const Ipv6& router, bool from_peers) { user_.block_ipv6(router, from_peers); }
    void set_ethernet(bool between_peers) { user_.set_ethernet(between_peers); }
    void set_broadcast(std::optional<Ipv4> address) { user_.set_broadcast(address); }
    void tick(TimePoint now) { user_.tick(now); }
    [[nodiscard]] TimePoint deadline() const { return user_.deadline(); }
    std::vector<Notification> take_notifications();
    [[nodiscard]] std::uint64_t dropped(Drop drop) const { return user_.dropped(drop); }

private:
    std::optional<std::uint64_t> reserve_packet_id(std::uint32_t peer_id, KeySlot slot) override;
    bool accept_packet_id(std::uint32_t peer_id, KeySlot slot, std::uint64_t packet_id) override;

    [[nodiscard]] bool in_kernel(std::uint32_t id) const { return user_.is_lent(id); }
    Failure to_user(std::uint32_t id);
    Failure to_kernel(std::uint32_t id);
    Failure take(std::uint32_t id, KeySlot slot);
    Failure give(std::uint32_t id, KeySlot slot, const KeyState& state);

    /// Which keys of a peer are the kernel's without a copy here.
    struct Foreign {
        bool primary = false;
        bool secondary = false;
    };
    bool& foreign(std::uint32_t id, KeySlot slot) {
        auto& both = foreign_[id];
        return slot == KeySlot::Primary ? both.primary : both.secondary;
    }
    [[nodiscard]] bool has_foreign(std::uint32_t id) const;

    HandoverDataPlane* kernel_;
    UserDataPlane user_;
    std::unordered_map<std::uint32_t, Foreign> foreign_; ///< adopted peers
};

} // namespace nfovpn::dataplane
