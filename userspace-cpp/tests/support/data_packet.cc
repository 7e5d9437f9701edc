// SPDX-License-Identifier: GPL-2.0-or-later
//
// Data packets for tests; see data_packet.h.

#include "support/data_packet.h"

#include "session/openssl_ptr.h"

#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>

namespace nfovpn::test {

const Bytes kPing = {0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb,
                     0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48};

namespace {

using CipherCtxPtr = std::unique_ptr<EVP_CIPHER_CTX, session::OpensslFree<EVP_CIPHER_CTX_free>>;

constexpr std::size_t kTag = 16;
constexpr std::size_t kIv = 16;
constexpr std::size_t kPacketId = 4;

Bytes join(std::initializer_list<ByteView> parts) {
    Bytes out;
    for (auto part : parts)
        out.insert(out.end(), part.begin(), part.end());
    return out;
}

const EVP_CIPHER* evp(DataCipher cipher) {
    switch (cipher) {
    case DataCipher::Aes128Gcm:
        return EVP_aes_128_gcm();
    case DataCipher::Aes192Gcm:
        return EVP_aes_192_gcm();
    case DataCipher::Aes256Gcm:
        return EVP_aes_256_gcm();
    case DataCipher::ChaCha20Poly1305:
        return EVP_chacha20_poly1305();
    case DataCipher::Aes128Cbc:
        return EVP_aes_128_cbc();
    case DataCipher::Aes192Cbc:
        return EVP_aes_192_cbc();
    case DataCipher::Aes256Cbc:
        return EVP_aes_256_cbc();
    case DataCipher::None:
        return EVP_enc_null();
    }
    return nullptr;
}

Bytes hmac(const EVP_MD* digest, ByteView key, ByteView data) {
    Bytes out(static_cast<std::size_t>(EVP_MD_get_size(digest)));
    unsigned length = 0;
    HMAC(digest, key.data(), static_cast<int>(key.size()), data.data(), data.size(), out.data(),
         &length);
    return out;
}

Bytes authenticate(const DataKeys& keys, const DirectionKey& key, ByteView data) {
    if (keys.format.auth == DataAuth::None)
        return {};
    return hmac(keys.format.auth == DataAuth::Sha1 ? EVP_sha1() : EVP_sha256(), key.auth_key.view(),
                data);
}

// HKDF-Expand-Label of TLS 1.3 (RFC 8446, 7.1) with "ovpn " in place of "tls13 "; one block will
// do.
Bytes expand_label(ByteView secret, std::string_view label, std::size_t length) {
    const Bytes head = {0, static_cast<std::uint8_t>(length),
                        static_cast<std::uint8_t>(5 + label.size())};
    const Bytes tail = {0, 1}; // no context; the number of the block
    auto out = hmac(EVP_sha256(), secret, join({head, as_bytes("ovpn "), as_bytes(label), tail}));
    out.resize(length);
    return out;
}

struct AeadKey {
    Bytes key;
    Bytes nonce;
};

// The key and nonce of a packet whose ID is @p id on the wire.
AeadKey aead_key(const DataFormat& format, const DirectionKey& from, ByteView id) {
    AeadKey out;
    if (format.epochs) {
        out.key =
            expand_label(from.cipher_key.view(), "data_key", cipher_key_length(format.cipher));
        out.nonce = expand_label(from.cipher_key.view(), "data_iv", 12);
        for (std::size_t i = 0; i < id.size(); i++)
            out.nonce[i] ^= id[i];
    } else {
        out.key = join({from.cipher_key.view()});
        out.nonce = join({id, from.implicit_iv.view()});
    }
    return out;
}

std::optional<Bytes> crypt_aead(bool encrypt, DataCipher cipher, const AeadKey& key, ByteView ad,
                                ByteView text, std::span<std::uint8_t> tag) {
    CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
    auto* c = ctx.get();
    Bytes out(text.size() + kTag);
    int n = 0;
    int rest = 0;
    if (EVP_CipherInit_ex(c, evp(cipher), nullptr, key.key.data(), key.nonce.data(),
                          encrypt ? 1 : 0) != 1 ||
        (!encrypt && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, kTag, tag.data()) != 1) ||
        EVP_CipherUpdate(c, nullptr, &n, ad.data(), static_cast<int>(ad.size())) != 1 ||
        EVP_CipherUpdate(c, out.data(), &n, text.data(), static_cast<int>(text.size())) != 1 ||
        EVP_CipherFinal_ex(c, out.data() + n, &rest) != 1 ||
        (encrypt && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, kTag, tag.data()) != 1))
        return std::nullopt;
    out.resize(text.size());
    return out;
}

std::optional<Bytes> crypt_cbc(bool encrypt, DataCipher cipher, ByteView key, ByteView iv,
                               ByteView text) {
    CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
    Bytes out(text.size() + kIv);
    int n = 0;
    int rest = 0;
    if (EVP_CipherInit_ex(ctx.get(), evp(cipher), nullptr, key.data(), iv.data(),
                          encrypt ? 1 : 0) != 1 ||
        EVP_CipherUpdate(ctx.get(), out.data(), &n, text.data(), static_cast<int>(text.size())) !=
            1 ||
        EVP_CipherFinal_ex(ctx.get(), out.data() + n, &rest) != 1)
        return std::nullopt;
    out.resize(static_cast<std::size_t>(n + rest));
    return out;
}

Bytes frame(Framing framing, ByteView packet) {
    const Bytes stub = {0xfa};
    const Bytes swapped = {0xfb};
    const Bytes escape = {0x50, 0};
    switch (stub_of(framing)) {
    case Framing::None:
        break;
    case Framing::Stub:
        return join({stub, packet});
    case Framing::StubSwap:
        return join({swapped, packet.subspan(1), packet.first(1)});
    case Framing::StubV2:
        if (packet[0] == escape[0])
            return join({escape, packet});
        break;
    default:
        break;
    }
    return join({packet});
}

std::optional<Bytes> unframe(Framing framing, ByteView packet) {
    if (framing != Framing::None && packet.empty())
        return std::nullopt;
    switch (stub_of(framing)) {
    case Framing::None:
        break;
    case Framing::Stub:
        if (packet[0] != 0xfa)
            return std::nullopt;
        return join({packet.subspan(1)});
    case Framing::StubSwap:
        if (packet[0] != 0xfb || packet.size() < 2)
            return std::nullopt;
        return join({packet.last(1), packet.subspan(1, packet.size() - 2)});
    case Framing::StubV2:
        if (packet[0] != 0x50)
            break;
        if (packet.size() < 2 || packet[1] != 0)
            return std::nullopt;
        return join({packet.subspan(2)});
    default:
        break;
    }
    return join({packet});
}

std::optional<Bytes> open_aead(const DataKeys& keys, ByteView head, ByteView payload) {
    const std::size_t id_size = keys.format.epochs ? 8 : kPacketId;
    if (payload.size() < id_size + kTag)
        return std::nullopt;
    auto id = payload.first(id_size);
    auto rest = payload.subspan(id_size);
    bool behind = keys.format.epochs;
    auto tag = join({behind ? rest.last(kTag) : rest.first(kTag)});
    auto text = behind ? rest.first(rest.size() - kTag) : rest.subspan(kTag);
    return crypt_aead(false, keys.format.cipher, aead_key(keys.format, keys.decrypt, id),
                      join({head, id}), text, tag);
}

std::optional<Bytes> open_authenticated(const DataKeys& keys, ByteView payload) {
    auto digest = auth_length(keys.format.auth);
    bool cbc = keys.format.cipher != DataCipher::None;
    if (payload.size() < digest + (cbc ? kIv : 0) + kPacketId)
        return std::nullopt;
    auto rest = payload.subspan(digest);
    if (join({payload.first(digest)}) != authenticate(keys, keys.decrypt, rest))
        return std::nullopt;
    auto text = cbc ? crypt_cbc(false, keys.format.cipher, keys.decrypt.cipher_key.view(),
                                rest.first(kIv), rest.subspan(kIv))
                    : join({rest});
    if (!text || text->size() < kPacketId)
        return std::nullopt;
    return join({ByteView(*text).subspan(kPacketId)});
}

} // namespace

std::optional<Bytes> decrypt_data(const DataKeys& keys, ByteView packet, const PacketShape& shape) {
    const std::size_t header = shape.data_v1 ? 1 : 4;
    if (packet.size() < header)
        return std::nullopt;
    // P_DATA_V1 authenticates nothing in front of the packet ID.
    auto head = packet.first(shape.data_v1 ? 0 : header);
    auto payload = packet.subspan(header);
    auto plain = is_aead(keys.format.cipher) ? open_aead(keys, head, payload)
                                             : open_authenticated(keys, payload);
    return plain ? unframe(shape.framing, *plain) : std::nullopt;
}

Bytes encrypt_data(const DataKeys& keys, std::uint8_t key_id, std::uint32_t peer_id,
                   std::uint32_t packet_id, ByteView plaintext, const PacketShape& shape) {
    ByteWriter head;
    if (shape.data_v1)
        head.u8(static_cast<std::uint8_t>(6U << 3 | key_id));
    else
        head.u32((9U << 3 | key_id) << 24 | peer_id);
    ByteWriter id;
    if (keys.format.epochs) {
        id.u16(1);
        id.u16(0);
    }
    id.u32(packet_id);
    auto text = frame(shape.framing, plaintext);
    if (is_aead(keys.format.cipher)) {
        Bytes tag(kTag);
        auto ad = shape.data_v1 ? id.view() : join({head.view(), id.view()});
        auto sealed = crypt_aead(true, keys.format.cipher,
                                 aead_key(keys.format, keys.encrypt, id.view()), ad, text, tag);
        if (keys.format.epochs)
            return join({head.view(), id.view(), *sealed, tag});
        return join({head.view(), id.view(), tag, *sealed});
    }
    auto body = join({id.view(), text});
    if (keys.format.cipher != DataCipher::None) {
        Bytes iv(kIv);
        RAND_bytes(iv.data(), static_cast<int>(iv.size()));
        auto sealed = crypt_cbc(true, keys.format.cipher, keys.encrypt.cipher_key.view(), iv, body);
        body = join({iv, *sealed});
    }
    return join({head.view(), authenticate(keys, keys.encrypt, body), body});
}

} // namespace nfovpn::test
