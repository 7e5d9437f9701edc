// SPDX-License-Identifier: GPL-2.0-or-later
//
// The kernel's data plane: each call is one netlink request. See kernel.h.

#include "dataplane/kernel.h"

#include "util/log.h"

#include <linux/nf_ovpn.h>

#include <cerrno>

namespace nfovpn::dataplane {

namespace {

Failure translate(std::optional<netlink::Error> error) {
    if (!error)
        return std::nullopt;
    return Error{error->code, std::move(error->what)};
}

template <typename T>
Result<T, Error> translate(Result<T, netlink::Error> answer) {
    if (answer)
        return std::move(*answer);
    return Error{answer.error().code, answer.error().what};
}

PeerStats stats_of(const netlink::PeerReport& peer) {
    return {peer.id,
            peer.link_rx_bytes,
            peer.link_tx_bytes,
            peer.vpn_rx_packets,
            peer.vpn_tx_packets,
            peer.remote,
            peer.vpn_bytes};
}

// Of the digests that go with CBC.
Failure beyond(const DataKeys& keys) {
    const auto auth = keys.format.auth;
    if (auth == DataAuth::None || auth == DataAuth::Sha1 || auth == DataAuth::Sha256)
        return std::nullopt;
    return Error{EOPNOTSUPP,
                 "auth " + std::string(auth_name(auth)) + ": the kernel has not got it"};
}

} // namespace

Result<std::unique_ptr<KernelDataPlane>, Error>
KernelDataPlane::create(unsigned ifindex, const netlink::InstanceRequest& instance, bool& missing) {
    missing = false;
    auto nf_ovpn = netlink::NfOvpn::open(ifindex);
    if (!nf_ovpn) {
        missing = nf_ovpn.error().code == ENOENT;
        return Error{nf_ovpn.error().code, nf_ovpn.error().what};
    }
    if (auto failed = nf_ovpn->new_instance(instance))
        return Error{failed->code, failed->what};
    return std::unique_ptr<KernelDataPlane>(new KernelDataPlane(std::move(*nf_ovpn)));
}

Result<std::unique_ptr<KernelDataPlane>, Error>
KernelDataPlane::adopt(unsigned ifindex, const netlink::InstanceRequest& instance) {
    auto nf_ovpn = netlink::NfOvpn::open(ifindex);
    if (!nf_ovpn)
        return Error{nf_ovpn.error().code, nf_ovpn.error().what};
    const auto same = nf_ovpn->instance_is(instance);
    if (!same || !*same) {
        // Whatever it is, nobody goes on with it.
        static_cast<void>(nf_ovpn->delete_instance());
        if (!same)
            return Error{same.error().code, same.error().what};
        return Error{EINVAL, "it is another one than this configuration makes"};
    }
    return std::unique_ptr<KernelDataPlane>(new KernelDataPlane(std::move(*nf_ovpn)));
}

KernelDataPlane::~KernelDataPlane() {
    if (left_)
        return;
    auto failed = nf_ovpn_.delete_instance();
    // The device may have gone first, and the instance with it.
    if (failed && failed->code != ENOENT && failed->code != ENODEV)
        log::error("removing the nf_ovpn instance: {}", failed->what);
}

Failure KernelDataPlane::add_peer(const Peer& peer) {
    if (may_be_compressed(peer.framing))
        return Error{EOPNOTSUPP, std::string(framing_option(peer.framing)) +
                                     ": the kernel decompresses nothing"};
    return translate(
        nf_ovpn_.new_peer({peer.id, peer.path, peer.address, peer.address6, peer.networks,
                           peer.owns_everything, peer.data_v1, peer.framing, peer.tcp_mss}));
}

Failure KernelDataPlane::set_keepalive(std::uint32_t id, const Keepalive& keepalive) {
    return translate(nf_ovpn_.set_keepalive(id, keepalive.interval, keepalive.timeout));
}

Failure KernelDataPlane::set_networks(std::uint32_t id, const std::vector<Prefix>& networks) {
    return translate(nf_ovpn_.set_networks(id, networks));
}

Failure KernelDataPlane::remove_peer(std::uint32_t id) {
    return translate(nf_ovpn_.delete_peer(id));
}

Failure KernelDataPlane::install_key(std::uint32_t peer_id, KeySlot slot, std::uint8_t key_id,
                                     const DataKeys& keys) {
    if (auto failure = beyond(keys))
        return failure;
    return translate(nf_ovpn_.new_key(peer_id, slot, key_id, keys));
}

Failure KernelDataPlane::swap_keys(std::uint32_t peer_id) {
    return translate(nf_ovpn_.swap_keys(peer_id));
}

Failure KernelDataPlane::delete_key(std::uint32_t peer_id, KeySlot slot) {
    return translate(nf_ovpn_.delete_key(peer_id, slot));
}

Result<KeyState, Error> KernelDataPlane::release_key(std::uint32_t peer_id, KeySlot slot) {
    return translate(nf_ovpn_.release_key(peer_id, slot));
}

Failure KernelDataPlane::resume_key(std::uint32_t peer_id, KeySlot slot, std::uint8_t key_id,
                                    const DataKeys& keys, const KeyState& state) {
    if (auto failure = beyond(keys))
        return failure;
    return translate(nf_ovpn_.new_key(peer_id, slot, key_id, keys, &state));
}

Result<std::uint64_t, Error> KernelDataPlane::reserve_packet_id(std::uint32_t peer_id,
                                                                KeySlot slot) {
    return translate(nf_ovpn_.reserve_packet_ids(peer_id, slot, 1));
}

Failure KernelDataPlane::accept_packet_id(std::uint32_t peer_id, KeySlot slot,
                                          std::uint64_t packet_id) {
    return translate(nf_ovpn_.accept_packet_id(peer_id, slot, packet_id));
}

Result<Path, Error> KernelDataPlane::path(std::uint32_t peer_id) {
    return translate(nf_ovpn_.peer_path(peer_id));
}

Failure KernelDataPlane::set_path(std::uint32_t peer_id, const Path& path) {
    return translate(nf_ovpn_.set_peer_path(peer_id, path));
}

Result<PeerInPlace, Error> KernelDataPlane::look(std::uint32_t peer_id) {
    const auto peer = nf_ovpn_.peer(peer_id);
    const auto path = nf_ovpn_.peer_path(peer_id);
    const auto keys = nf_ovpn_.keys(peer_id);
    if (!peer)
        return Error{peer.error().code, peer.error().what};
    if (!path)
        return Error{path.error().code, path.error().what};
    if (!keys)
        return Error{keys.error().code, keys.error().what};
    PeerInPlace out{peer_id, *path, peer->vpn_address, peer->vpn_address6, {}, {}};
    for (const auto& key : *keys) {
        auto& slot = key.slot == KeySlot::Primary ? out.primary : out.secondary;
        slot = KeyInPlace{key.id, key.cipher, key.epochs};
    }
    return out;
}

std::optional<std::vector<PeerStats>> KernelDataPlane::stats() {
    auto peers = nf_ovpn_.peers();
    if (!peers) {
        log::warning("reading the peers' counters: {}", peers.error().what);
        return std::nullopt;
    }
    std::vector<PeerStats> out;
    for (const auto& peer : *peers)
        out.push_back(stats_of(peer));
    return out;
}

std::optional<PeerStats> KernelDataPlane::peer_stats(std::uint32_t id) {
    auto peer = nf_ovpn_.peer(id);
    if (!peer)
        return std::nullopt;
    return stats_of(*peer);
}

Failure KernelDataPlane::gone() {
    const auto counters = nf_ovpn_.instance_counters();
    if (counters)
        return std::nullopt;
    switch (counters.error().code) {
    case ENODEV:
    case ENOENT:
    case EOPNOTSUPP:
    case EINVAL:
        return Error{counters.error().code, counters.error().what};
    default:
        return std::nullopt; // no memory, say
    }
}

std::vector<netlink::NamedCounter> KernelDataPlane::counters() {
    auto counters = nf_ovpn_.instance_counters();
    if (!counters) {
        log::warning("reading the instance's counters: {}", counters.error().what);
        return {};
    }
    return std::move(*counters);
}

std::vector<Notification> KernelDataPlane::notifications(bool& lost) {
    std::vector<Notification> out;
    for (const auto& event : nf_ovpn_.notifications(lost)) {
        if (const auto* deleted = std::get_if<netlink::PeerDelNtf>(&event))
            out.emplace_back(
                PeerDeleted{deleted->id, deleted->reason == NF_OVPN_DEL_PEER_REASON_EXPIRED});
        else if (const auto* floated = std::get_if<netlink::PeerFloatNtf>(&event))
            out.emplace_back(PeerFloated{floated->id, floated->remote});
        else if (const auto* limit = std::get_if<netlink::KeyLimitNtf>(&event))
            out.emplace_back(KeyNearLimit{limit->peer_id, limit->key_id});
    }
    return out;
}

} // namespace nfovpn::dataplane
