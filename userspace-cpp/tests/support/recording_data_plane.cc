// SPDX-License-Identifier: GPL-2.0-or-later
//
// A data plane for tests; see recording_data_plane.h.

#include "support/recording_data_plane.h"

#include <algorithm>
#include <cerrno>

namespace nfovpn::test {

namespace {

std::size_t index(KeySlot slot) {
    return slot == KeySlot::Primary ? 0 : 1;
}
const char* name(KeySlot slot) {
    return slot == KeySlot::Primary ? " primary" : " secondary";
}

StoredKey store(std::uint8_t key_id, const DataKeys& keys) {
    auto copy = [](const DirectionKey& from) {
        DirectionKey to;
        to.cipher_key = SecretBytes(from.cipher_key.view());
        to.implicit_iv.assign(from.implicit_iv.view());
        to.auth_key = SecretBytes(from.auth_key.view());
        return to;
    };
    StoredKey out;
    out.key_id = key_id;
    out.keys.format = keys.format;
    out.keys.encrypt = copy(keys.encrypt);
    out.keys.decrypt = copy(keys.decrypt);
    return out;
}

} // namespace

dataplane::Failure RecordingDataPlane::call(const std::string& what, std::uint32_t id,
                                            bool must_exist) {
    calls.push_back(what);
    if (!refuse.empty() && what.starts_with(refuse))
        return dataplane::Error{EINVAL, "refused by the test"};
    if (must_exist && !peers.contains(id))
        return dataplane::Error{ENOENT, "no such peer"};
    return std::nullopt;
}

dataplane::Failure RecordingDataPlane::add_peer(const dataplane::Peer& peer) {
    if (auto failure = call("add " + std::to_string(peer.id), peer.id, false))
        return failure;
    if (peers.contains(peer.id))
        return dataplane::Error{EEXIST, "peer exists"};
    peers[peer.id];
    if (auto failure = set_networks(peer.id, peer.networks)) {
        peers.erase(peer.id);
        return failure;
    }
    calls.pop_back();
    peers[peer.id].peer = peer;
    return std::nullopt;
}

dataplane::Failure RecordingDataPlane::set_networks(std::uint32_t id,
                                                    const std::vector<Prefix>& networks) {
    if (auto failure = call("networks " + std::to_string(id), id, true))
        return failure;
    // A prefix is one peer's, as in the kernel.
    for (const auto& [other, stored] : peers) {
        const auto& theirs = stored.peer.networks;
        for (const auto& network : networks) {
            if (other != id && std::find(theirs.begin(), theirs.end(), network) != theirs.end())
                return dataplane::Error{EEXIST, "belongs to another peer"};
        }
    }
    peers[id].peer.networks = networks;
    return std::nullopt;
}

dataplane::Failure RecordingDataPlane::set_keepalive(std::uint32_t id,
                                                     const dataplane::Keepalive& keepalive) {
    if (auto failure = call("keepalive " + std::to_string(id), id, true))
        return failure;
    peers[id].keepalive = keepalive;
    return std::nullopt;
}

dataplane::Failure RecordingDataPlane::remove_peer(std::uint32_t id) {
    if (auto failure = call("remove " + std::to_string(id), id, true))
        return failure;
    peers.erase(id);
    return std::nullopt;
}

dataplane::Failure RecordingDataPlane::install_key(std::uint32_t peer_id, KeySlot slot,
                                                   std::uint8_t key_id, const DataKeys& keys) {
    if (auto failure =
            call("key " + std::to_string(peer_id) + name(slot) + " " + std::to_string(key_id),
                 peer_id, true))
        return failure;
    peers[peer_id].slots[index(slot)] = store(key_id, keys);
    return std::nullopt;
}

dataplane::Failure RecordingDataPlane::swap_keys(std::uint32_t peer_id) {
    if (auto failure = call("swap " + std::to_string(peer_id), peer_id, true))
        return failure;
    std::swap(peers[peer_id].slots[0], peers[peer_id].slots[1]);
    return std::nullopt;
}

dataplane::Failure RecordingDataPlane::delete_key(std::uint32_t peer_id, KeySlot slot) {
    if (auto failure = call("delete " + std::to_string(peer_id) + name(slot), peer_id, true))
        return failure;
    if (!peers[peer_id].slots[index(slot)])
        return dataplane::Error{ENOENT, "no key in this slot"};
    peers[peer_id].slots[index(slot)].reset();
    return std::nullopt;
}

std::optional<std::vector<dataplane::PeerStats>> RecordingDataPlane::stats() {
    std::vector<dataplane::PeerStats> out;
    for (const auto& [id, peer] : peers)
        out.push_back(*peer_stats(id));
    return out;
}

std::optional<dataplane::PeerStats> RecordingDataPlane::peer_stats(std::uint32_t id) {
    const auto peer = peers.find(id);
    if (peer == peers.end())
        return std::nullopt;
    dataplane::PeerStats stats;
    stats.id = id;
    stats.rx_bytes = peer->second.rx_bytes;
    stats.tx_bytes = peer->second.tx_bytes;
    stats.inner_bytes = stats.rx_bytes + stats.tx_bytes;
    stats.remote = peer->second.moved_to;
    return stats;
}

std::optional<Bytes> RecordingDataPlane::receive(const Endpoint& from, ByteView packet) {
    if (packet.empty())
        return std::nullopt;
    auto key_id = packet[0] & 7;
    auto peer = peers.end();
    if (packet[0] >> 3 == static_cast<int>(wire::Opcode::DataV1)) {
        peer = std::find_if(peers.begin(), peers.end(), [&](const auto& entry) {
            return entry.second.peer.data_v1 && entry.second.peer.path.remote == from;
        });
    } else if (auto head = ByteReader(packet).u32()) {
        peer = peers.find(*head & 0xffffff);
    }
    if (peer == peers.end())
        return std::nullopt;
    const auto& known = peer->second.peer;
    for (auto& slot : peer->second.slots) {
        if (!slot || slot->key_id != key_id)
            continue;
        if (auto plain = decrypt_data(slot->keys, packet, {known.data_v1, known.framing})) {
            slot->packets_decrypted++;
            return plain;
        }
    }
    undecryptable++;
    return std::nullopt;
}

std::optional<Bytes> RecordingDataPlane::send(std::uint32_t peer_id, ByteView plaintext) {
    auto& peer = peers.at(peer_id);
    const auto& known = peer.peer;
    auto& primary = peer.slots[0];
    if (!primary)
        return std::nullopt;
    return encrypt_data(primary->keys, primary->key_id, peer_id, primary->next_packet_id++,
                        plaintext, {known.data_v1, known.framing});
}

Result<dataplane::PeerInPlace, dataplane::Error>
RecordingDataPlane::adopt_peer(const dataplane::Peer& peer) {
    if (auto failure = call("adopt " + std::to_string(peer.id), peer.id, true))
        return *failure;
    const auto& there = peers.at(peer.id);
    dataplane::PeerInPlace out{
        peer.id, there.peer.path, there.peer.address, there.peer.address6, {}, {}};
    const auto key = [](const std::optional<StoredKey>& slot) {
        return slot ? std::optional(dataplane::KeyInPlace{slot->key_id, slot->keys.format.cipher,
                                                          slot->keys.format.epochs})
                    : std::nullopt;
    };
    out.primary = key(there.slots[0]);
    out.secondary = key(there.slots[1]);
    if (!out.primary)
        return dataplane::Error{ENOKEY, "no key"};
    return out;
}

} // namespace nfovpn::test
