// SPDX-License-Identifier: GPL-2.0-or-later
//
// The generic netlink family "nf-ovpn", call by call. The authority for all of it is the
// specification, include-uapi/nf_ovpn.yaml; the constants come from the header that the kernel's
// tool generates from it. Addresses and ports are in host byte order here and big endian on the
// wire.
#pragma once

#include "netlink/genl.h"
#include "util/data_keys.h"
#include "util/endpoint.h"

#include <variant>
#include <vector>

namespace nfovpn::netlink {

/// A local UDP address of an instance.
struct Listener {
    std::optional<Address> address; ///< every one of both families when absent
    std::uint16_t port = 0;
};

/// When flows inside the tunnel may leave the normal path.
enum class Fastpath { Off, Accepted, Eager, Marked };

struct InstanceRequest {
    bool one_peer = false; ///< which owns every address
    Fastpath fastpath = Fastpath::Accepted;
    std::uint32_t fastpath_mark = 0;          ///< Marked: the conntrack mark of flows that may
    std::uint32_t fastpath_mask = 0xffffffff; ///< the bits of it that count
    std::uint32_t mark = 0;                   ///< of outer packets
    bool inherit_dscp = false;                ///< outer packets have that of the inner one
    std::vector<Listener> listeners;
};

struct PeerRequest {
    std::uint32_t id = 0;
    Path path;
    std::optional<Ipv4> vpn_address;
    std::optional<Ipv6> vpn_address6;
    std::vector<Prefix> networks;
    bool owns_everything = false; ///< of an instance with one peer: it needs no addresses
    bool data_v1 = false;
    Framing framing = Framing::None;
    std::uint16_t tcp_mss = 0;
};

struct NamedCounter {
    std::string name; ///< "rx-fast-packets", "drops.replay"
    std::uint64_t value = 0;
};

/// A peer as the kernel reports it.
struct PeerReport {
    std::uint32_t id = 0;
    std::uint64_t link_rx_bytes = 0;
    std::uint64_t link_tx_bytes = 0;
    std::uint64_t vpn_bytes = 0; ///< both ways
    std::uint64_t vpn_rx_packets = 0;
    std::uint64_t vpn_tx_packets = 0;
    std::optional<Endpoint> remote;
    std::optional<Ipv4> vpn_address;
    std::optional<Ipv6> vpn_address6;
};

/// A key as the kernel reports it.
struct KeyReport {
    KeySlot slot = KeySlot::Primary;
    std::uint8_t id = 0;
    DataCipher cipher = DataCipher::None;
    bool epochs = false;
};

/// A multicast message of the family.
struct PeerDelNtf {
    std::uint32_t id = 0;
    std::uint32_t reason = 0; ///< enum nf_ovpn_del_peer_reason
};
struct PeerFloatNtf {
    std::uint32_t id = 0;
    Endpoint remote;
};
struct KeyLimitNtf {
    std::uint32_t peer_id = 0;
    std::uint8_t key_id = 0;
};
using NfOvpnNotification = std::variant<PeerDelNtf, PeerFloatNtf, KeyLimitNtf>;

/// The family, bound to one tun device.
class NfOvpn {
public:
    /// Finds the family. ENOENT: this kernel has no nf_ovpn. Throws std::system_error when there
    /// is no netlink at all.
    static Result<NfOvpn, Error> open(unsigned ifindex);

    std::optional<Error> new_instance(const InstanceRequest& instance);
    std::optional<Error> delete_instance();
    /// Whether the one that is there has that mode, fastpath and mark, and those listeners.
    Result<bool, Error> instance_is(const InstanceRequest& instance);
    /// The instance's counters, drops included.
    Result<std::vector<NamedCounter>, Error> instance_counters();

    std::optional<Error> new_peer(const PeerRequest& peer);
    /// Seconds, 0 for never.
    std::optional<Error> set_keepalive(std::uint32_t id, std::uint32_t interval,
                                       std::uint32_t timeout);
    /// All of them, in place of those that it had.
    std::optional<Error> set_networks(std::uint32_t id, const std::vector<Prefix>& networks);
    std::optional<Error> delete_peer(std::uint32_t id);
    Result<std::vector<PeerReport>, Error> peers();
    Result<PeerReport, Error> peer(std::uint32_t id);

    /// @p state: of a key that was used before.
    std::optional<Error> new_key(std::uint32_t peer_id, KeySlot slot, std::uint8_t key_id,
                                 const DataKeys& keys, const KeyState* state = nullptr);
    /// Those that a peer has, without their secrets.
    Result<std::vector<KeyReport>, Error> keys(std::uint32_t peer_id);
    std::optional<Error> swap_keys(std::uint32_t peer_id);
    std::optional<Error> delete_key(std::uint32_t peer_id, KeySlot slot);

    /// Takes a key away and says how far it is used up.
    Result<KeyState, Error> release_key(std::uint32_t peer_id, KeySlot slot);
    /// The last of so many packet IDs, which are the caller's.
    Result<std::uint64_t, Error> reserve_packet_ids(std::uint32_t peer_id, KeySlot slot,
                                                    std::uint32_t packets);
    /// EEXIST: received before, or too old to tell.
    std::optional<Error> accept_packet_id(std::uint32_t peer_id, KeySlot slot,
                                          std::uint64_t packet_id);

    Result<Path, Error> peer_path(std::uint32_t id);
    std::optional<Error> set_peer_path(std::uint32_t id, const Path& path);

    /// Readable when notifications() has something.
    [[nodiscard]] int notification_fd() const { return events_.fd(); }
    /// What has happened on this device; @p lost is set when messages were dropped on the way.
    std::vector<NfOvpnNotification> notifications(bool& lost);

private:
    NfOvpn(unsigned ifindex, Family family, Socket requests, Socket events)
        : ifindex_(ifindex), family_(std::move(family)), requests_(std::move(requests)),
          events_(std::move(events)) {}

    class Request;
    std::optional<Error> send(Request& request, const Socket::Handler& handler = {});

    unsigned ifindex_;
    Family family_;
    Socket requests_;
    Socket events_;
};

/// The size of a request for a peer with so many networks.
std::size_t request_size(std::size_t networks);

/// The attributes of a request for a new peer, and for a new key.
void put_peer(Message& request, const PeerRequest& peer);
void put_networks(Message& request, std::uint32_t id, const std::vector<Prefix>& networks);
void put_key(Message& request, std::uint32_t peer_id, KeySlot slot, std::uint8_t key_id,
             const DataKeys& keys, const KeyState* state = nullptr);

/// Reads one of the answer to key-get; nothing if something is missing in it, or unknown.
std::optional<KeyReport> parse_key(const nlmsghdr* message);

/// Whether the answer to instance-get is such an instance; nothing if there is none in it.
std::optional<bool> parse_instance(const nlmsghdr* message, const InstanceRequest& wanted);

/// Reads the answer to key-release; nothing if something is missing in it.
std::optional<KeyState> parse_key_state(const nlmsghdr* message);

/// Reads one multicast message; nothing if it is about another device or not understood.
std::optional<NfOvpnNotification> parse_notification(const nlmsghdr* message, unsigned ifindex);

} // namespace nfovpn::netlink
