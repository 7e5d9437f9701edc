// SPDX-License-Identifier: GPL-2.0-or-later
//
// The data plane in the kernel: nf_ovpn, over netlink. An instance lives from create() to the
// object's end.
#pragma once

#include "dataplane/dataplane.h"
#include "netlink/nf_ovpn.h"

#include <memory>

namespace nfovpn::dataplane {

class KernelDataPlane final : public HandoverDataPlane {
public:
    /// Attaches an instance to a tun device. An error of ENOENT from @p missing's point of view
    /// (no such family) says that this kernel has no nf_ovpn; @p missing is set then.
    static Result<std::unique_ptr<KernelDataPlane>, Error>
    create(unsigned ifindex, const netlink::InstanceRequest& instance, bool& missing);

    /// Goes on with the instance that another process has left on the device. Refused if it is not
    /// as it would have been made.
    static Result<std::unique_ptr<KernelDataPlane>, Error>
    adopt(unsigned ifindex, const netlink::InstanceRequest& instance);

    /// Removes the instance with its peers and keys, unless it was left.
    ~KernelDataPlane() override;
    /// It is somebody else's from now on.
    void leave() { left_ = true; }
    KernelDataPlane(const KernelDataPlane&) = delete;
    KernelDataPlane& operator=(const KernelDataPlane&) = delete;

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

    Result<KeyState, Error> release_key(std::uint32_t peer_id, KeySlot slot) override;
    Failure resume_key(std::uint32_t peer_id, KeySlot slot, std::uint8_t key_id,
                       const DataKeys& keys, const KeyState& state) override;
    Result<std::uint64_t, Error> reserve_packet_id(std::uint32_t peer_id, KeySlot slot) override;
    Failure accept_packet_id(std::uint32_t peer_id, KeySlot slot, std::uint64_t packet_id) override;
    Result<Path, Error> path(std::uint32_t peer_id) override;
    Failure set_path(std::uint32_t peer_id, const Path& path) override;
    Result<PeerInPlace, Error> look(std::uint32_t peer_id) override;

    /// The instance's counters, for status output.
    std::vector<netlink::NamedCounter> counters();

    /// Why nothing can be done by the kernel any more: its instance, the device or the module is
    /// gone, or the device is in another network namespace. Nothing if all is well.
    Failure gone();

    [[nodiscard]] int notification_fd() const { return nf_ovpn_.notification_fd(); }
    /// What has happened; @p lost is set when the kernel could not tell all of it.
    std::vector<Notification> notifications(bool& lost);

private:
    explicit KernelDataPlane(netlink::NfOvpn nf_ovpn) : nf_ovpn_(std::move(nf_ovpn)) {}

    netlink::NfOvpn nf_ovpn_;
    bool left_ = false;
};

} // namespace nfovpn::dataplane
