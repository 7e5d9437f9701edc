// SPDX-License-Identifier: GPL-2.0-or-later
//
// The formats of the data channel and its keys as values. The session negotiates and derives them,
// the data plane takes them, and neither needs to know the other.
#pragma once

#include "util/secret.h"

#include <optional>
#include <string_view>

namespace nfovpn {

/// Ciphers of the data channel.
enum class DataCipher {
    Aes128Gcm,
    Aes192Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
    Aes128Cbc,
    Aes192Cbc,
    Aes256Cbc,
    None
};

/// What authenticates the packets of a cipher that does not do so itself.
enum class DataAuth { None, Sha1, Sha256, Md5, Sha224, Sha384, Sha512 };

/// What compression leaves in packets. We never compress; with the last three the other side may.
enum class Framing {
    None,
    Stub,     ///< "comp-lzo no": a byte in front
    StubSwap, ///< "compress stub": a byte in front, for the first, which goes to the end
    StubV2,   ///< "compress stub-v2": no byte, but for what looks as if there were one
    Lzo,      ///< "comp-lzo": as Stub
    Lz4,      ///< "compress lz4": as StubSwap
    Lz4V2,    ///< "compress lz4-v2": as StubV2
};

/// OpenVPN's name of a cipher: "AES-256-GCM".
std::string_view cipher_name(DataCipher cipher);

/// The cipher of that name, in any case, "none" included; nothing if it is not one of ours.
std::optional<DataCipher> cipher_by_name(std::string_view name);

/// Length of the cipher's key in bytes.
std::size_t cipher_key_length(DataCipher cipher);

/// Whether the cipher authenticates what it encrypts, and so needs no DataAuth.
bool is_aead(DataCipher cipher);

/// OpenVPN's name of a digest: "SHA256", and "none".
std::string_view auth_name(DataAuth auth);

/// The digest of that name, in any case; nothing if it is not one of ours.
std::optional<DataAuth> auth_by_name(std::string_view name);

/// Length of the digest and of its key in bytes.
std::size_t auth_length(DataAuth auth);

/// OpenVPN's option for a framing: "compress stub-v2"; "" for none.
std::string_view framing_option(Framing framing);

/// Whether packets from the other side may be compressed.
bool may_be_compressed(Framing framing);

/// The framing of the same shape with which nothing is compressed.
Framing stub_of(Framing framing);

/// What "comp-lzo" or "compress" with that word behind it ("" for none) means; nothing if it is no
/// word of theirs.
std::optional<Framing> framing_of(std::string_view option, std::string_view word);

/// How packets are encrypted.
struct DataFormat {
    DataCipher cipher = DataCipher::Aes256Gcm;
    DataAuth auth = DataAuth::None; ///< None with a cipher that authenticates
    bool epochs = false;            ///< packet IDs of 64 bits, keys derived one from the other
};

/// What a packet is encrypted or decrypted with.
struct DirectionKey {
    SecretBytes cipher_key;     ///< with epochs the secret that the first one's key comes from
    SecretArray<8> implicit_iv; ///< unused with epochs and where the cipher does not authenticate
    SecretBytes auth_key;       ///< as long as its digest

    /// A second copy, which whoever asks for it answers for.
    [[nodiscard]] DirectionKey clone() const;
};

/// Both directions, as seen from one side.
struct DataKeys {
    DataFormat format;
    DirectionKey encrypt;
    DirectionKey decrypt;

    [[nodiscard]] DataKeys clone() const;
};

/// How far a key is used up. Packet IDs have their epoch in the upper 16 bits of 64, if any.
struct KeyState {
    std::uint64_t sent = 0;      ///< the last packet ID that was given out; 0: none
    std::uint64_t blocks = 0;    ///< of 16 bytes, encrypted with the key of that epoch
    std::uint64_t received = 0;  ///< the highest packet ID; 0: none
    std::optional<Bytes> window; ///< which below it were received: bit n, counted from the lowest
                                 ///< of the first byte, is that of "received" less n; nothing: all
};

/// Where a data plane keeps a peer's keys: the primary one encrypts, both decrypt.
enum class KeySlot { Primary, Secondary };

} // namespace nfovpn
