// SPDX-License-Identifier: GPL-2.0-or-later
//
// Ciphers and keys of the data channel as values. The session derives them, the data plane takes
// them, and neither needs to know the other.
#pragma once

#include "util/secret.h"

#include <optional>
#include <string_view>

namespace nfovpn {

/// Ciphers of the data channel.
enum class DataCipher { Aes128Gcm, Aes192Gcm, Aes256Gcm, ChaCha20Poly1305 };

/// OpenVPN's name of a cipher: "AES-256-GCM".
std::string_view cipher_name(DataCipher cipher);

/// The cipher of that name, in any case; nothing if it is not one of ours.
std::optional<DataCipher> cipher_by_name(std::string_view name);

/// Length of the cipher's key in bytes.
std::size_t cipher_key_length(DataCipher cipher);

/// What a packet is encrypted or decrypted with.
struct DirectionKey {
    SecretBytes cipher_key;
    SecretArray<8> implicit_iv;
};

/// Both directions, as seen from one side.
struct DataKeys {
    DataCipher cipher{};
    DirectionKey encrypt;
    DirectionKey decrypt;
};

/// Where a data plane keeps a peer's keys: the primary one encrypts, both decrypt.
enum class KeySlot { Primary, Secondary };

} // namespace nfovpn
