// SPDX-License-Identifier: GPL-2.0-or-later
//
// One packet, encrypted or decrypted: the formats of the data channel by OpenSSL. Keys are prepared
// once; a packet costs no allocation but that of its buffer, which is used again.
//
//     AEAD            head · packet ID 4 · tag 16 · ciphertext
//     AEAD, epochs    head · epoch 2, counter 6 · ciphertext · tag 16
//     CBC             head · HMAC · IV 16 · E(packet ID 4 · plaintext)
//     none            head · HMAC · packet ID 4 · plaintext
//
// The head is one byte (P_DATA_V1) or four (P_DATA_V2). An AEAD tag covers the packet ID, and the
// head of P_DATA_V2; the HMAC covers what is behind it. An AEAD nonce is the IV of 12 bytes, XORed
// with the packet ID at its front: without epochs the IV begins with four zeros.
#pragma once

#include "util/data_keys.h"
#include "util/openssl_ptr.h"

#include <array>
#include <optional>

namespace nfovpn::dataplane {

inline constexpr std::size_t kHeadV1 = 1;
inline constexpr std::size_t kHeadV2 = 4;
inline constexpr std::size_t kNonceSize = 12;

/// What all packets of a key have more than their plaintext, at most: head, HMAC or tag, IV, packet
/// ID, padding.
inline constexpr std::size_t kMaxOverhead = 4 + 64 + 16 + 8 + 16;

/// The packet ID of an AEAD packet, which is not encrypted; nothing if the packet is too short.
std::optional<std::uint64_t> clear_packet_id(const DataFormat& format, ByteView packet,
                                             std::size_t head);

/// A packet that is authentic.
struct OpenedPacket {
    std::uint64_t packet_id = 0;
    std::span<std::uint8_t> text; ///< in the buffer that open() was given
};

/// A key of one direction, with epochs of a single epoch, ready for use.
class PacketCipher {
public:
    enum class Direction { Seal, Open };

    /// The parts of a key. Views: they need to last for create() only.
    struct Material {
        ByteView cipher_key;
        std::array<std::uint8_t, kNonceSize> iv{}; ///< of AEAD ciphers
        ByteView auth_key;
    };

    /// Nothing if a key has not the length that the format asks for.
    static std::optional<PacketCipher> create(const DataFormat& format, Direction direction,
                                              const Material& material);

    ~PacketCipher();
    PacketCipher(PacketCipher&&) noexcept = default;
    PacketCipher& operator=(PacketCipher&&) noexcept = default;
    PacketCipher(const PacketCipher&) = delete;
    PacketCipher& operator=(const PacketCipher&) = delete;

    /// Makes a packet of a head and a plaintext. False if OpenSSL refuses.
    bool seal(ByteView head, std::uint64_t packet_id, ByteView text, Bytes& out);

    /// Verifies and decrypts a packet whose head has @p head bytes into @p out. Nothing if it is
    /// not authentic or too short.
    std::optional<OpenedPacket> open(ByteView packet, std::size_t head, Bytes& out);

private:
    PacketCipher() = default;

    [[nodiscard]] std::array<std::uint8_t, kNonceSize> nonce(ByteView packet_id) const;
    bool seal_aead(std::size_t head, ByteView text, Bytes& out);
    bool seal_mac(std::size_t head, ByteView packet_id, ByteView text, Bytes& out);
    std::optional<OpenedPacket> open_aead(ByteView packet, std::size_t head, Bytes& out);
    std::optional<OpenedPacket> open_mac(ByteView packet, std::size_t head, Bytes& out);
    bool authenticate(ByteView data, std::span<std::uint8_t> mac);
    [[nodiscard]] bool encrypts() const { return format_.cipher != DataCipher::None; }

    DataFormat format_;
    std::array<std::uint8_t, kNonceSize> iv_{};
    CipherCtxPtr cipher_;
    MacCtxPtr mac_;
};

} // namespace nfovpn::dataplane
