// SPDX-License-Identifier: GPL-2.0-or-later
//
// Key derivation; keys.h has the layout and the formulas.

#include "session/keys.h"

#include "session/openssl_ptr.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <array>

namespace nfovpn::session {

namespace {

// The layout of the key material, which keys.h draws.
constexpr std::size_t kDirection = 128;
constexpr std::size_t kCipherPart = 64;
constexpr std::size_t kEpochSecret = 32;

} // namespace

std::string_view derivation_name(KeyDerivation derivation) {
    return derivation == KeyDerivation::TlsExport ? "tls-ekm" : "tls1-prf";
}

bool tls1_prf(ByteView secret, ByteView seed, std::span<std::uint8_t> out) {
    KdfPtr kdf(EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_PRF, nullptr));
    KdfCtxPtr ctx(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
    if (!ctx)
        return false;
    // OpenSSL's parameters are not const although they are only read.
    std::string digest = "MD5-SHA1";
    SecretBytes secret_copy(secret);
    Bytes seed_copy(seed.begin(), seed.end());
    auto* secret_data = const_cast<std::uint8_t*>(secret_copy.view().data());
    const std::array<OSSL_PARAM, 4> params = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, secret_data, secret.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed_copy.data(), seed_copy.size()),
        OSSL_PARAM_construct_end(),
    };
    return EVP_KDF_derive(ctx.get(), out.data(), out.size(), params.data()) == 1;
}

bool derive_by_prf(const wire::KeySource& client, const wire::KeySource& server,
                   const wire::SessionId& client_id, const wire::SessionId& server_id,
                   KeyMaterial& out) {
    SecretBytes seed;
    seed.append(as_bytes("OpenVPN master secret"));
    seed.append(client.random1.view());
    seed.append(server.random1.view());
    SecretArray<48> master;
    if (!tls1_prf(client.pre_master.view(), seed.view(), master.writable()))
        return false;

    SecretBytes expansion;
    expansion.append(as_bytes("OpenVPN key expansion"));
    expansion.append(client.random2.view());
    expansion.append(server.random2.view());
    expansion.append(client_id);
    expansion.append(server_id);
    return tls1_prf(master.view(), expansion.view(), out.writable());
}

DataKeys slice_keys(const KeyMaterial& material, const DataFormat& format, wire::Role role) {
    auto direction = [&](std::size_t offset) {
        auto part = [&](std::size_t at, std::size_t length) {
            return SecretBytes(ByteView(material.view().subspan(offset + at, length)));
        };
        DirectionKey key;
        key.cipher_key = part(0, format.epochs ? kEpochSecret : cipher_key_length(format.cipher));
        if (is_aead(format.cipher) && !format.epochs)
            key.implicit_iv.assign(material.view().subspan(offset + kCipherPart).first<8>());
        key.auth_key = part(kCipherPart, auth_length(format.auth));
        return key;
    };
    DataKeys keys;
    keys.format = format;
    keys.encrypt = direction(role == wire::Role::Client ? 0 : kDirection);
    keys.decrypt = direction(role == wire::Role::Client ? kDirection : 0);
    return keys;
}

} // namespace nfovpn::session
