// SPDX-License-Identifier: GPL-2.0-or-later
//
// A data channel key in use in this process: its packet IDs, what came of the other side's, its
// limits, and its epochs. What nf_ovpn's key is to the kernel; either goes on where the other has
// left off (KeyState), so that no packet ID is used twice and none is taken for a replay.
//
// Limits: packet IDs without an epoch end with 32 bits. AES-GCM may encrypt 2^36 packets and blocks
// of 16 bytes with one key (draft-irtf-cfrg-aead-limits); with epochs the next one begins there,
// without them the key stops. Somebody is told in time. After 2^36 packets that were not authentic
// a key opens no more (RFC 9147, 4.5.3). All as in OpenVPN.
//
// Epochs: each direction begins with a secret of 32 bytes for epoch 1.
//
//     key of epoch n     Expand(secret n, "data_key", length of the key)
//     IV of epoch n      Expand(secret n, "data_iv", 12)
//     secret n + 1       Expand(secret n, "datakey upd", 32)
//
// The sender goes on when it likes. The receiver has the keys of the next four epochs ready; when a
// packet of one of them is authentic, it keeps the epoch before for what is late, forgets those
// before that one, and sends in the new epoch itself if it was behind.
#pragma once

#include "dataplane/packet_cipher.h"
#include "dataplane/replay_window.h"
#include "util/result.h"

#include <deque>
#include <memory>

namespace nfovpn::dataplane {

/// HKDF-Expand-Label (RFC 8446, 7.1) with OpenVPN's prefix "ovpn ", no context, by SHA-256. Fills
/// @p out, at most 32 bytes. False if OpenSSL refuses.
bool expand_label(ByteView secret, std::string_view label, std::span<std::uint8_t> out);

class UserKey {
public:
    /// A key that was used as far as @p state says. Nothing if its parts have not the lengths that
    /// its format asks for.
    static std::unique_ptr<UserKey> create(std::uint8_t key_id, const DataKeys& keys,
                                           const KeyState& state = {});
    ~UserKey();
    UserKey(const UserKey&) = delete;
    UserKey& operator=(const UserKey&) = delete;

    [[nodiscard]] std::uint8_t id() const { return id_; }

    /// Takes a packet ID for a packet of so many bytes; nothing when the key has none left, which
    /// it never has again. @p near_limit is set, once for a key, when it is time for another.
    std::optional<std::uint64_t> reserve(std::size_t bytes, bool& near_limit);

    /// Encrypts with a packet ID that was reserved, here or where the key is now. False if that is
    /// of an epoch that is over.
    bool seal(std::uint64_t packet_id, ByteView head, ByteView text, Bytes& out);

    /// Why a packet was not opened.
    enum class Refusal { Malformed, Auth, NoKey };

    /// Verifies and decrypts; the packet ID is not looked at.
    Result<OpenedPacket, Refusal> open(ByteView packet, std::size_t head, Bytes& out);

    /// Whether the packet ID of a packet that is authentic is new; begins its epoch if that is.
    bool accept(std::uint64_t packet_id);

    [[nodiscard]] KeyState state() const;

private:
    struct Sender {
        std::uint16_t epoch = 0;
        std::uint64_t last = 0; ///< without the epoch
        std::uint64_t blocks = 0;
        std::optional<PacketCipher> cipher;
    };
    struct Receiver {
        std::uint16_t epoch = 0;
        std::uint64_t failed = 0;
        ReplayWindow window;
        std::optional<PacketCipher> cipher;
    };

    UserKey(std::uint8_t id, const DataFormat& format) : id_(id), format_(format) {}

    bool start(const DataKeys& keys, const KeyState& state);
    bool start_epochs(const DataKeys& keys, const KeyState& state);
    [[nodiscard]] std::optional<PacketCipher> derive(PacketCipher::Direction direction,
                                                     const SecretArray<32>& secret) const;
    bool send_in(std::uint16_t epoch);
    bool fill();
    [[nodiscard]] std::uint64_t used(std::uint64_t last) const;
    Receiver* receiver(std::uint16_t epoch);

    std::uint8_t id_;
    DataFormat format_;
    bool warned_ = false;
    Sender sender_;
    std::deque<Receiver> receivers_; ///< by epoch, oldest first; without epochs there is one
    // of epochs
    SecretArray<32> send_secret_;      ///< of the sender's
    SecretArray<32> receive_secret_;   ///< of the last of the receivers
    std::uint16_t received_epoch_ = 0; ///< the newest of which a packet came
    std::uint32_t last_ready_ = 0;     ///< the last that has a receiver
};

} // namespace nfovpn::dataplane
