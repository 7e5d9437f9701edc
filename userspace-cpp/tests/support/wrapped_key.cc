// SPDX-License-Identifier: GPL-2.0-or-later
//
// Wrapping client keys; wire/control_wrap.h has the layout.

#include "support/wrapped_key.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <stdexcept>

namespace nfovpn::test {

Bytes wrap_client_key(const wire::TlsCryptV2Key& server_key, ByteView client_key,
                      ByteView metadata) {
    Bytes secret(client_key.begin(), client_key.end());
    secret.insert(secret.end(), metadata.begin(), metadata.end());
    ByteWriter covered;
    covered.u16(static_cast<std::uint16_t>(32 + secret.size() + 2));
    covered.bytes(secret);
    Bytes out(32 + secret.size());
    HMAC(EVP_sha256(), server_key.view().data() + 64, 32, covered.view().data(), covered.size(),
         out.data(), nullptr);
    auto* ctx = EVP_CIPHER_CTX_new();
    int length = 0;
    bool good = EVP_EncryptInit_ex(ctx, EVP_aes_256_ctr(), nullptr, server_key.view().data(),
                                   out.data()) == 1 &&
                EVP_EncryptUpdate(ctx, out.data() + 32, &length, secret.data(),
                                  static_cast<int>(secret.size())) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!good)
        throw std::runtime_error("AES-256-CTR failed");
    out.insert(out.end(), covered.view().begin(), covered.view().begin() + 2);
    return out;
}

Bytes timestamp_metadata(std::int64_t unix_time) {
    ByteWriter out;
    out.u8(wire::kMetadataTimestamp);
    out.u32(static_cast<std::uint32_t>(static_cast<std::uint64_t>(unix_time) >> 32));
    out.u32(static_cast<std::uint32_t>(unix_time));
    return out.take();
}

ClientWrap tls_crypt_v2_client(const wire::TlsCryptV2Key& server_key, ByteView metadata) {
    wire::StaticKey key;
    if (RAND_bytes(key.writable().data(), static_cast<int>(key.writable().size())) != 1)
        throw std::runtime_error("no random bytes");
    ClientWrap out;
    out.keys = std::make_shared<const wire::ControlWrap>(
        wire::ControlWrap::tls_crypt(key, wire::Role::Client));
    out.wrapped_key = wrap_client_key(server_key, key.view(), metadata);
    return out;
}

} // namespace nfovpn::test
