// SPDX-License-Identifier: GPL-2.0-or-later
//
// A data plane for tests: the kernel's slots as a plain table, with the kernel's rules (a key in
// no slot decrypts nothing), and with packets decrypted and encrypted by OpenSSL so that it can be
// checked that both sides hold the same keys.
#pragma once

#include "dataplane/dataplane.h"
#include "support/data_packet.h"
#include "wire/control_packet.h"

#include <map>
#include <string>

namespace nfovpn::test {

/// A key in a slot.
struct StoredKey {
    std::uint8_t key_id = 0;
    DataKeys keys;
    std::uint32_t packets_decrypted = 0;
    std::uint32_t next_packet_id = 1;
};

struct StoredPeer {
    dataplane::Peer peer;
    dataplane::Keepalive keepalive;
    std::optional<StoredKey> slots[2]; ///< by KeySlot
    std::uint64_t rx_bytes = 0;        ///< what stats() says
    std::uint64_t tx_bytes = 0;
    std::optional<Endpoint> moved_to; ///< likewise
};

class RecordingDataPlane final : public dataplane::DataPlane {
public:
    dataplane::Failure add_peer(const dataplane::Peer& peer) override;
    dataplane::Failure set_keepalive(std::uint32_t id,
                                     const dataplane::Keepalive& keepalive) override;
    dataplane::Failure set_networks(std::uint32_t id, const std::vector<Prefix>& networks) override;
    dataplane::Failure remove_peer(std::uint32_t id) override;
    dataplane::Failure install_key(std::uint32_t peer_id, KeySlot slot, std::uint8_t key_id,
                                   const DataKeys& keys) override;
    dataplane::Failure swap_keys(std::uint32_t peer_id) override;
    dataplane::Failure delete_key(std::uint32_t peer_id, KeySlot slot) override;
    std::optional<std::vector<dataplane::PeerStats>> stats() override;
    std::optional<dataplane::PeerStats> peer_stats(std::uint32_t id) override;
    /// Of those in peers.
    Result<dataplane::PeerInPlace, dataplane::Error>
    adopt_peer(const dataplane::Peer& peer) override;

    /// What the kernel does with a packet from a client: the plaintext, or nothing.
    std::optional<Bytes> receive(const Endpoint& from, ByteView packet);

    /// A packet to a client, with the primary key.
    std::optional<Bytes> send(std::uint32_t peer_id, ByteView plaintext);

    std::map<std::uint32_t, StoredPeer> peers;
    std::vector<std::string> calls;  ///< "add 0", "key 0 primary 0", "swap 0", …
    std::string refuse;              ///< a call that begins so is refused
    std::uint64_t undecryptable = 0; ///< packets of known peers that no key fits

private:
    dataplane::Failure call(const std::string& what, std::uint32_t id, bool must_exist);
};

} // namespace nfovpn::test
