// SPDX-License-Identifier: GPL-2.0-or-later
//
// The table of data channel ciphers.

#include "util/data_keys.h"

#include <algorithm>
#include <cctype>
#include <iterator>

namespace nfovpn {

namespace {

struct CipherFacts {
    DataCipher cipher;
    std::string_view name;
    std::size_t key_length;
};

constexpr CipherFacts kCiphers[] = {
    {DataCipher::Aes128Gcm, "AES-128-GCM", 16},
    {DataCipher::Aes192Gcm, "AES-192-GCM", 24},
    {DataCipher::Aes256Gcm, "AES-256-GCM", 32},
    {DataCipher::ChaCha20Poly1305, "CHACHA20-POLY1305", 32},
};

const CipherFacts& facts(DataCipher cipher) {
    return *std::find_if(std::begin(kCiphers), std::end(kCiphers),
                         [cipher](const CipherFacts& f) { return f.cipher == cipher; });
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
        return std::toupper(x) == std::toupper(y);
    });
}

} // namespace

std::string_view cipher_name(DataCipher cipher) {
    return facts(cipher).name;
}

std::optional<DataCipher> cipher_by_name(std::string_view name) {
    for (const auto& f : kCiphers) {
        if (same_ignoring_case(f.name, name))
            return f.cipher;
    }
    return std::nullopt;
}

std::size_t cipher_key_length(DataCipher cipher) {
    return facts(cipher).key_length;
}

} // namespace nfovpn
