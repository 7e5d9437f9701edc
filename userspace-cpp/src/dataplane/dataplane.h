// SPDX-License-Identifier: GPL-2.0-or-later
//
// What carries the data packets. The server tells it about peers and keys and hears from it when a
// peer falls silent, changes its address or wears a key out. It knows addresses, numbers and keys,
// and nothing of sessions, TLS or configuration.
#pragma once

#include "util/data_keys.h"
#include "util/endpoint.h"
#include "util/result.h"

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace nfovpn::dataplane {

/// Why a request was refused.
struct Error {
    int code = 0; ///< errno
    std::string what;
};

/// Nothing when all went well.
using Failure = std::optional<Error>;

/// A peer at the time it becomes known.
struct Peer {
    std::uint32_t id = 0;            ///< 24 bits
    Path path;                       ///< where it is, and where it reached us
    std::optional<Ipv4> address;     ///< its own inside the tunnel; none if it may not have it
    std::optional<Ipv6> address6;    ///< likewise
    std::vector<Prefix> networks;    ///< behind it
    bool owns_everything = false;    ///< every address is its own; then it is the only peer
    bool data_v1 = false;            ///< its packets bear no peer ID
    Framing framing = Framing::None; ///< of its packets
    std::uint16_t fragment = 0;      ///< longer packets go in parts; 0: none, and none are taken
    std::uint16_t tcp_mss = 0;       ///< limit inside IPv4, 20 less inside IPv6; 0: none
};

/// Seconds; 0 for never.
struct Keepalive {
    std::uint32_t interval = 0; ///< without a packet sent, then a ping is
    std::uint32_t timeout = 0;  ///< without a packet received, then the peer is deleted
};

/// Bytes and packets of a peer; "rx" is from the peer.
struct PeerStats {
    std::uint32_t id = 0;
    std::uint64_t rx_bytes = 0; ///< UDP payload
    std::uint64_t tx_bytes = 0;
    std::uint64_t rx_packets = 0;
    std::uint64_t tx_packets = 0;
    std::optional<Endpoint> remote; ///< where it is, if the data plane knows better than others
    std::uint64_t inner_bytes = 0;  ///< of the packets inside, both ways
};

/// The data plane has deleted a peer.
struct PeerDeleted {
    std::uint32_t id = 0;
    bool expired = false; ///< its keepalive timeout has ended; otherwise somebody asked for it
};

/// A packet that authenticates came from a new address of the peer.
struct PeerFloated {
    std::uint32_t id = 0;
    Endpoint remote;
};

/// A key is near the end of its packet IDs.
struct KeyNearLimit {
    std::uint32_t peer_id = 0;
    std::uint8_t key_id = 0;
};

using Notification = std::variant<PeerDeleted, PeerFloated, KeyNearLimit>;

/// What is known of a key without its secrets.
struct KeyInPlace {
    std::uint8_t id = 0;
    DataCipher cipher = DataCipher::None;
    bool epochs = false;
};

/// A peer that somebody else has left in a data plane, with its keys.
struct PeerInPlace {
    std::uint32_t id = 0;
    Path path;
    std::optional<Ipv4> address;
    std::optional<Ipv6> address6;
    std::optional<KeyInPlace> primary;
    std::optional<KeyInPlace> secondary;
};

/// See the head of this file. All calls are synchronous.
class DataPlane {
public:
    virtual ~DataPlane() = default;

    /// Makes a peer known; it needs no key yet.
    virtual Failure add_peer(const Peer& peer) = 0;
    virtual Failure set_keepalive(std::uint32_t id, const Keepalive& keepalive) = 0;
    /// The networks behind a peer from now on, in place of those that it had.
    virtual Failure set_networks(std::uint32_t id, const std::vector<Prefix>& networks) = 0;
    /// Removes a peer and its keys.
    virtual Failure remove_peer(std::uint32_t id) = 0;

    /// Puts a key into a slot; what was there is replaced.
    virtual Failure install_key(std::uint32_t peer_id, KeySlot slot, std::uint8_t key_id,
                                const DataKeys& keys) = 0;
    /// Exchanges the two slots.
    virtual Failure swap_keys(std::uint32_t peer_id) = 0;
    virtual Failure delete_key(std::uint32_t peer_id, KeySlot slot) = 0;

    /// The counters of every peer; nothing if they cannot be had.
    virtual std::optional<std::vector<PeerStats>> stats() = 0;
    /// The counters of one.
    virtual std::optional<PeerStats> peer_stats(std::uint32_t id) = 0;

    /// Goes on with a peer that another process has left, by its ID. Its keys can be used, swapped
    /// and deleted where they are, and nowhere else. To be told afterwards: its keepalive, and its
    /// networks. Refused if it is not there, or another one.
    virtual Result<PeerInPlace, Error> adopt_peer(const Peer& /*peer*/) {
        return Error{EOPNOTSUPP, "this data plane keeps no peers"};
    }
    /// Removes whatever peers were left and not adopted. How many.
    virtual std::size_t remove_strangers() { return 0; }
};

/// A data plane whose keys can move to another one and back while packets flow. A peer without keys
/// is legal there: what comes for it is the other one's.
class HandoverDataPlane : public DataPlane {
public:
    /// Takes the key in a slot away. When the answer comes nothing uses it any more.
    virtual Result<KeyState, Error> release_key(std::uint32_t peer_id, KeySlot slot) = 0;
    /// As install_key(), with a key that was used before.
    virtual Failure resume_key(std::uint32_t peer_id, KeySlot slot, std::uint8_t key_id,
                               const DataKeys& keys, const KeyState& state) = 0;
    /// A packet ID of a key that is here, for a packet that is in somebody else's hands.
    virtual Result<std::uint64_t, Error> reserve_packet_id(std::uint32_t peer_id, KeySlot slot) = 0;
    /// Notes that a packet was received elsewhere; EEXIST if its packet ID is not new.
    virtual Failure accept_packet_id(std::uint32_t peer_id, KeySlot slot,
                                     std::uint64_t packet_id) = 0;
    /// Where a peer is.
    virtual Result<Path, Error> path(std::uint32_t peer_id) = 0;
    virtual Failure set_path(std::uint32_t peer_id, const Path& path) = 0;
    /// What is there of a peer, whoever has put it there.
    virtual Result<PeerInPlace, Error> look(std::uint32_t peer_id) = 0;
};

} // namespace nfovpn::dataplane
