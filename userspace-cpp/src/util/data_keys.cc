// SPDX-License-Identifier: GPL-2.0-or-later
//
// The tables of the data channel's ciphers, digests and framings.

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
    bool aead;
};

constexpr CipherFacts kCiphers[] = {
    {DataCipher::Aes128Gcm, "AES-128-GCM", 16, true},
    {DataCipher::Aes192Gcm, "AES-192-GCM", 24, true},
    {DataCipher::Aes256Gcm, "AES-256-GCM", 32, true},
    {DataCipher::ChaCha20Poly1305, "CHACHA20-POLY1305", 32, true},
    {DataCipher::Aes128Cbc, "AES-128-CBC", 16, false},
    {DataCipher::Aes192Cbc, "AES-192-CBC", 24, false},
    {DataCipher::Aes256Cbc, "AES-256-CBC", 32, false},
    {DataCipher::None, "none", 0, false},
};

struct AuthFacts {
    DataAuth auth;
    std::string_view name;
    std::size_t length;
};

constexpr AuthFacts kAuths[] = {
    {DataAuth::None, "none", 0},      {DataAuth::Sha1, "SHA1", 20},
    {DataAuth::Sha256, "SHA256", 32}, {DataAuth::Md5, "MD5", 16},
    {DataAuth::Sha224, "SHA224", 28}, {DataAuth::Sha384, "SHA384", 48},
    {DataAuth::Sha512, "SHA512", 64},
};

const CipherFacts& facts(DataCipher cipher) {
    return *std::find_if(std::begin(kCiphers), std::end(kCiphers),
                         [cipher](const CipherFacts& f) { return f.cipher == cipher; });
}

const AuthFacts& facts(DataAuth auth) {
    return *std::find_if(std::begin(kAuths), std::end(kAuths),
                         [auth](const AuthFacts& f) { return f.auth == auth; });
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

bool is_aead(DataCipher cipher) {
    return facts(cipher).aead;
}

std::string_view auth_name(DataAuth auth) {
    return facts(auth).name;
}

std::optional<DataAuth> auth_by_name(std::string_view name) {
    for (const auto& f : kAuths) {
        if (same_ignoring_case(f.name, name))
            return f.auth;
    }
    return std::nullopt;
}

std::size_t auth_length(DataAuth auth) {
    return facts(auth).length;
}

DirectionKey DirectionKey::clone() const {
    DirectionKey out;
    out.cipher_key = SecretBytes(cipher_key.view());
    out.implicit_iv.assign(implicit_iv.view());
    out.auth_key = SecretBytes(auth_key.view());
    return out;
}

DataKeys DataKeys::clone() const {
    return {format, encrypt.clone(), decrypt.clone()};
}

std::string_view framing_option(Framing framing) {
    switch (framing) {
    case Framing::None:
        return "";
    case Framing::Stub:
        return "comp-lzo no";
    case Framing::StubSwap:
        return "compress stub";
    case Framing::StubV2:
        return "compress stub-v2";
    case Framing::Lzo:
        return "comp-lzo";
    case Framing::Lz4:
        return "compress lz4";
    case Framing::Lz4V2:
        return "compress lz4-v2";
    }
    return "";
}

bool may_be_compressed(Framing framing) {
    return stub_of(framing) != framing;
}

Framing stub_of(Framing framing) {
    switch (framing) {
    case Framing::Lzo:
        return Framing::Stub;
    case Framing::Lz4:
        return Framing::StubSwap;
    case Framing::Lz4V2:
        return Framing::StubV2;
    default:
        return framing;
    }
}

std::optional<Framing> framing_of(std::string_view option, std::string_view word) {
    if (option == "comp-lzo" && word == "no")
        return Framing::Stub;
    if (option == "comp-lzo")
        return word.empty() || word == "yes" || word == "adaptive" ? std::optional(Framing::Lzo)
                                                                   : std::nullopt;
    if (word == "lzo")
        return Framing::Lzo;
    if (word == "lz4")
        return Framing::Lz4;
    if (word == "lz4-v2")
        return Framing::Lz4V2;
    if (word.empty() || word == "stub")
        return Framing::StubSwap;
    if (word == "stub-v2")
        return Framing::StubV2;
    return word == "migrate" ? std::optional(Framing::None) : std::nullopt;
}

} // namespace nfovpn
