// SPDX-License-Identifier: GPL-2.0-or-later
//
// Data packets by OpenSSL, in every format that the daemon negotiates: what the kernel does,
// written a second time, so that it can be checked that both sides hold the same keys.
//
//     AEAD            packet ID 4 · tag 16 · ciphertext
//     AEAD, epochs    epoch 2 · counter 6 · ciphertext · tag 16
//     CBC             HMAC · IV 16 · E(packet ID 4 · plaintext)
//     none            HMAC · packet ID 4 · plaintext
#pragma once

#include "util/bytes.h"
#include "util/data_keys.h"

namespace nfovpn::test {

/// What is around the ciphertext.
struct PacketShape {
    bool data_v1 = false; ///< no peer ID
    Framing framing = Framing::None;
};

/// The plaintext of a packet, if @p key decrypts it and its framing is as it should be.
std::optional<Bytes> decrypt_data(const DataKeys& keys, ByteView packet,
                                  const PacketShape& shape = {});

/// A packet. With epochs it is of the first one.
Bytes encrypt_data(const DataKeys& keys, std::uint8_t key_id, std::uint32_t peer_id,
                   std::uint32_t packet_id, ByteView plaintext, const PacketShape& shape = {});

/// OpenVPN's keepalive payload.
extern const Bytes kPing;

} // namespace nfovpn::test
