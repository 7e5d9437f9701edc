// SPDX-License-Identifier: GPL-2.0-or-later
//
// Packets of stock OpenVPN with their keys, in the table that the kernel's unit tests have.
#pragma once

#include "util/data_keys.h"

#include <linux/nf_ovpn.h>

#include <string>
#include <vector>

namespace nfovpn::test {

/// As the table has it: no pointer is set that is not needed.
struct stock_answer {
    const char* name;
    nf_ovpn_cipher_alg alg;
    nf_ovpn_auth_alg auth;
    bool epochs;
    unsigned key_bits;
    const char* key;
    std::size_t key_len;
    const char* auth_key;
    std::size_t auth_key_len;
    const char* tail;
    const char* packet;
    std::size_t packet_len;
};

// The table leaves out what is zero.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include "stock.h"
#pragma GCC diagnostic pop

/// The cipher's name, key and packet of an answer.
inline DataFormat format_of(const stock_answer& a) {
    DataFormat out;
    out.epochs = a.epochs;
    if (a.auth == NF_OVPN_AUTH_ALG_HMAC_SHA1)
        out.auth = DataAuth::Sha1;
    else if (a.auth == NF_OVPN_AUTH_ALG_HMAC_SHA256)
        out.auth = DataAuth::Sha256;
    const std::string bits = std::to_string(a.key_bits);
    switch (a.alg) {
    case NF_OVPN_CIPHER_ALG_AES_GCM:
        out.cipher = *cipher_by_name("AES-" + bits + "-GCM");
        break;
    case NF_OVPN_CIPHER_ALG_AES_CBC:
        out.cipher = *cipher_by_name("AES-" + bits + "-CBC");
        break;
    case NF_OVPN_CIPHER_ALG_CHACHA20_POLY1305:
        out.cipher = DataCipher::ChaCha20Poly1305;
        break;
    case NF_OVPN_CIPHER_ALG_NONE:
        out.cipher = DataCipher::None;
        break;
    }
    return out;
}

/// The client's key, in both directions.
inline DataKeys keys_of(const stock_answer& a) {
    auto bytes = [](const char* data, std::size_t length) {
        return as_bytes(std::string_view(data ? data : "", length));
    };
    DataKeys out;
    out.format = format_of(a);
    out.encrypt.cipher_key = SecretBytes(bytes(a.key, a.key_len));
    out.encrypt.auth_key = SecretBytes(bytes(a.auth_key, a.auth_key_len));
    if (a.tail)
        out.encrypt.implicit_iv.assign(bytes(a.tail, 8).first<8>());
    out.decrypt = out.encrypt.clone();
    return out;
}

inline ByteView packet_of(const stock_answer& a) {
    return as_bytes(std::string_view(a.packet, a.packet_len));
}

} // namespace nfovpn::test
