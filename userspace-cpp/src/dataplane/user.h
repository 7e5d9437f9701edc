// SPDX-License-Identifier: GPL-2.0-or-later
//
// The data plane in this process: what nf_ovpn does in the kernel, with OpenSSL, between a tun
// device and a socket that are not its own. It is the slow path for what the kernel does not take.
//
//     from a client                                        to the device
//       datagram ▶ peer by ID or address ▶ key by its ID ▶ decrypt ▶ packet ID new?
//                  ▶ where the peer is, when it was heard ▶ framing ▶ ping, or source check ▶
//                  packet
//
//     from the device                                      to a client
//       packet ▶ peer by longest prefix ▶ primary key ▶ packet ID ▶ framing, encrypt ▶ datagram
//
// With a TAP device they are frames in place of packets: the peer is found by the MAC address that
// it was last heard from, a frame to a group goes to all of them, and with client-to-client frames
// of one peer go to others without a detour by the device.
//
// Nothing changes before a packet is authentic. The rules are the kernel's, the counters of what is
// dropped have its names.
//
// Whose the keys of a peer are is said for each peer. The kernel's are used here only for what had
// reached the socket or the device before the kernel had them: then the packet IDs are the
// kernel's, to be asked for one by one (KeyOwner).
#pragma once

#include "dataplane/dataplane.h"
#include "dataplane/ethernet.h"
#include "dataplane/fragments.h"
#include "dataplane/peer_routes.h"
#include "dataplane/user_key.h"
#include "util/time.h"

#include <array>
#include <memory>
#include <unordered_map>

namespace nfovpn::dataplane {

/// Takes the packets that the data path has made. They are valid during the call.
class PacketOutput {
public:
    virtual ~PacketOutput() = default;
    /// @p dscp: of the packet inside, in the upper six bits; 0 when there is none.
    virtual void to_peer(const Path& path, ByteView datagram, std::uint8_t dscp) = 0;
    virtual void to_device(ByteView packet) = 0;
};

/// The packet IDs of keys that are somebody else's.
class KeyOwner {
public:
    virtual ~KeyOwner() = default;
    /// A packet ID to encrypt with; nothing if there is none.
    virtual std::optional<std::uint64_t> reserve_packet_id(std::uint32_t peer_id, KeySlot slot) = 0;
    /// Whether the packet ID of a packet that is authentic is new.
    virtual bool accept_packet_id(std::uint32_t peer_id, KeySlot slot, std::uint64_t packet_id) = 0;
};

/// Why packets were dropped.
enum class Drop {
    Malformed, ///< cut short
    Auth,      ///< not authentic
    Replay,
    Inner,    ///< neither IPv4 nor IPv6; no frame
    Source,   ///< an address that is not the peer's
    NoKey,    ///< of another negotiation
    KeyLimit, ///< the key may not be used any more
    Framing,
    NoPeer, ///< to an address that no peer has
};
inline constexpr std::size_t kDrops = 9;

/// "replay"
std::string_view drop_name(Drop drop);

/// See the head of this file.
class UserDataPlane final : public DataPlane {
public:
    /// @p output and @p owner must outlive the object.
    UserDataPlane(PacketOutput& output, KeyOwner& owner) : output_(output), owner_(owner) {}

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

    /// Takes a data packet that came by the socket. False if it names no peer.
    bool receive(const Path& path, ByteView datagram, TimePoint now);

    /// The address of everybody in the tunnel's network; nothing if it has none.
    void set_broadcast(std::optional<Ipv4> address) { broadcast_ = address; }

    /// Packets are frames from now on.
    void set_ethernet(bool between_peers) {
        macs_.emplace();
        between_peers_ = between_peers;
    }

    /// This host has another address. The choice of it is the system's from now on, and the peer is
    /// sent a ping, by which it learns where we are.
    Failure announce(std::uint32_t id, TimePoint now);
    /// IPv6 packets, of peers or of the device as @p from_peers says, are answered by "no route"
    /// from that address (block-ipv6).
    void block_ipv6(const Ipv6& router, bool from_peers) {
        ipv6_router_ = router;
        ipv6_from_peers_ = from_peers;
    }

    /// Takes a packet that came by the device. What is for all peers goes to each of them.
    void transmit(std::span<std::uint8_t> packet, TimePoint now);

    /// Does what is due (pings, peers that fell silent); to be called at deadline() at the latest.
    void tick(TimePoint now);
    [[nodiscard]] TimePoint deadline() const;

    /// What has happened since the last call.
    std::vector<Notification> take_notifications();

    [[nodiscard]] std::uint64_t dropped(Drop drop) const {
        return drops_[static_cast<std::size_t>(drop)];
    }

    // ---- keys that change hands

    /// Whether the peer's keys are somebody else's.
    [[nodiscard]] bool is_lent(std::uint32_t id) const;
    /// From now on its keys are somebody else's, or not any more. Until it is said they are not.
    void set_lent(std::uint32_t id, bool lent);

    /// A key as it can be given away.
    struct KeyInHand {
        std::uint8_t key_id = 0;
        const DataKeys& keys;
        KeyState state;
    };
    /// Nothing if there is no key in the slot.
    [[nodiscard]] std::optional<KeyInHand> key(std::uint32_t peer_id, KeySlot slot);
    /// Goes on where somebody else has left a key.
    Failure resume_key(std::uint32_t peer_id, KeySlot slot, const KeyState& state);

    [[nodiscard]] const Peer* peer(std::uint32_t id) const;
    [[nodiscard]] Keepalive keepalive(std::uint32_t id) const;
    /// Somebody else has seen where the peer is.
    void set_path(std::uint32_t id, const Path& path);

private:
    struct Slot {
        std::uint8_t key_id = 0;
        DataKeys keys;
        KeyState state;               ///< as far as is known while there is no key in use
        std::unique_ptr<UserKey> key; ///< made when it is needed
    };
    struct Entry {
        Peer peer;
        Keepalive keepalive;
        bool lent = false;
        std::optional<Slot> slots[2]; ///< by KeySlot
        std::optional<TimePoint> last_received;
        std::optional<TimePoint> last_sent;
        PeerStats stats;
        std::unique_ptr<Fragmenter> fragmenter; ///< of a peer with fragments
        std::unique_ptr<Reassembly> reassembly;
        bool told_framing = false; ///< that its packets cannot be read is in the log
    };

    Entry* find(std::uint32_t id);
    [[nodiscard]] const Entry* find(std::uint32_t id) const;
    UserKey* usable(Slot& slot);
    void drop(Drop reason) { drops_[static_cast<std::size_t>(reason)]++; }
    void opened(Entry& entry, const Path& path, std::span<std::uint8_t> text, TimePoint now);
    void frame_opened(Entry& entry, std::span<std::uint8_t> frame, TimePoint now);
    void transmit_frame(std::span<std::uint8_t> frame, TimePoint now);
    void seen_at(Entry& entry, const Path& path);
    bool send(Entry& entry, ByteView text, std::uint8_t dscp, TimePoint now);
    bool send_part(Entry& entry, ByteView plain, std::uint8_t dscp, TimePoint now);
    static void sent(Entry& entry, std::size_t bytes) {
        entry.stats.tx_packets++;
        entry.stats.inner_bytes += bytes;
    }
    [[nodiscard]] bool is_for_all(ByteView destination) const;
    void to_all(ByteView packet, std::uint8_t dscp, TimePoint now, const Entry* but = nullptr);
    void watch(Entry& entry, const Keepalive& keepalive, bool lent);
    void erase(std::uint32_t id);

    PacketOutput& output_;
    KeyOwner& owner_;
    std::unordered_map<std::uint32_t, Entry> peers_;
    std::unordered_map<Endpoint, std::uint32_t> by_address_; ///< those without a peer ID
    PeerRoutes routes_;
    std::optional<MacTable> macs_;       ///< with a TAP device
    bool between_peers_ = false;         ///< frames of peers go to others
    std::optional<std::uint32_t> alone_; ///< the peer that everything is for
    std::optional<Ipv4> broadcast_;
    std::optional<Ipv6> ipv6_router_; ///< where IPv6 is blocked
    bool ipv6_from_peers_ = false;
    std::vector<Notification> notifications_;
    std::array<std::uint64_t, kDrops> drops_{};
    std::optional<TimePoint> last_tick_;
    std::size_t watched_ = 0; ///< peers whose silence would be noticed
    Bytes plain_;
    Bytes framed_;
    Bytes unpacked_;
    Bytes sealed_;
};

} // namespace nfovpn::dataplane
