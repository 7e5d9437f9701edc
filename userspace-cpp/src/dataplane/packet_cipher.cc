// SPDX-License-Identifier: GPL-2.0-or-later
//
// The formats of the data channel; packet_cipher.h draws them.

#include "dataplane/packet_cipher.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>

namespace nfovpn::dataplane {

namespace {

constexpr std::size_t kTag = 16;
constexpr std::size_t kIv = 16; // of CBC, and its block
constexpr std::size_t kPacketId = 4;
constexpr std::size_t kEpochPacketId = 8;

std::size_t id_size(const DataFormat& format) {
    return format.epochs ? kEpochPacketId : kPacketId;
}

const char* openssl_name(DataCipher cipher) {
    switch (cipher) {
    case DataCipher::Aes128Gcm:
        return "AES-128-GCM";
    case DataCipher::Aes192Gcm:
        return "AES-192-GCM";
    case DataCipher::Aes256Gcm:
        return "AES-256-GCM";
    case DataCipher::ChaCha20Poly1305:
        return "ChaCha20-Poly1305";
    case DataCipher::Aes128Cbc:
        return "AES-128-CBC";
    case DataCipher::Aes192Cbc:
        return "AES-192-CBC";
    case DataCipher::Aes256Cbc:
        return "AES-256-CBC";
    case DataCipher::None:
        return nullptr;
    }
    return nullptr;
}

std::uint64_t read_number(ByteView bytes) {
    std::uint64_t value = 0;
    for (auto byte : bytes)
        value = value << 8 | byte;
    return value;
}

void write_number(std::uint64_t value, std::span<std::uint8_t> out) {
    for (auto at = out.rbegin(); at != out.rend(); ++at, value >>= 8)
        *at = static_cast<std::uint8_t>(value);
}

int length_of(ByteView bytes) {
    return static_cast<int>(bytes.size());
}

// OpenSSL leaves word of each failure; TLS would take it for its own.
template <typename T>
T failed(T result) {
    ERR_clear_error();
    return result;
}

MacCtxPtr make_mac(DataAuth auth, ByteView key) {
    MacPtr hmac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
    MacCtxPtr ctx(hmac ? EVP_MAC_CTX_new(hmac.get()) : nullptr);
    std::string digest(auth_name(auth));
    const std::array<OSSL_PARAM, 2> params = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end(),
    };
    if (!ctx || EVP_MAC_init(ctx.get(), key.data(), key.size(), params.data()) != 1)
        return failed(MacCtxPtr());
    return ctx;
}

} // namespace

std::optional<std::uint64_t> clear_packet_id(const DataFormat& format, ByteView packet,
                                             std::size_t head) {
    if (packet.size() < head + id_size(format) + kTag)
        return std::nullopt;
    return read_number(packet.subspan(head, id_size(format)));
}

std::optional<PacketCipher> PacketCipher::create(const DataFormat& format, Direction direction,
                                                 const Material& material) {
    if (material.cipher_key.size() != cipher_key_length(format.cipher) ||
        material.auth_key.size() != auth_length(format.auth))
        return std::nullopt;
    PacketCipher out;
    out.format_ = format;
    out.iv_ = material.iv;
    if (const char* name = openssl_name(format.cipher)) {
        CipherPtr cipher(EVP_CIPHER_fetch(nullptr, name, nullptr));
        out.cipher_.reset(EVP_CIPHER_CTX_new());
        if (!cipher || !out.cipher_ ||
            EVP_CipherInit_ex2(out.cipher_.get(), cipher.get(), material.cipher_key.data(), nullptr,
                               direction == Direction::Seal ? 1 : 0, nullptr) != 1)
            return failed(std::nullopt);
    }
    if (format.auth != DataAuth::None) {
        out.mac_ = make_mac(format.auth, material.auth_key);
        if (!out.mac_)
            return std::nullopt;
    }
    return out;
}

PacketCipher::~PacketCipher() {
    OPENSSL_cleanse(iv_.data(), iv_.size());
}

std::array<std::uint8_t, kNonceSize> PacketCipher::nonce(ByteView packet_id) const {
    auto out = iv_;
    for (std::size_t i = 0; i < packet_id.size(); i++)
        out[i] ^= packet_id[i];
    return out;
}

bool PacketCipher::seal(ByteView head, std::uint64_t packet_id, ByteView text, Bytes& out) {
    out.resize(head.size());
    std::copy(head.begin(), head.end(), out.begin());
    if (!is_aead(format_.cipher)) {
        std::array<std::uint8_t, kPacketId> id{};
        write_number(packet_id, id);
        return seal_mac(head.size(), id, text, out) || failed(false);
    }
    out.resize(head.size() + id_size(format_) + kTag + text.size());
    write_number(packet_id, std::span(out).subspan(head.size(), id_size(format_)));
    return seal_aead(head.size(), text, out) || failed(false);
}

// The head and the packet ID are in place.
bool PacketCipher::seal_aead(std::size_t head, ByteView text, Bytes& out) {
    auto* c = cipher_.get();
    const auto behind_id = head + id_size(format_);
    const ByteView id = ByteView(out).subspan(head, id_size(format_));
    const ByteView covered = ByteView(out).first(behind_id).subspan(head == kHeadV1 ? head : 0);
    auto* tag = out.data() + (format_.epochs ? behind_id + text.size() : behind_id);
    auto* sealed = out.data() + (format_.epochs ? behind_id : behind_id + kTag);
    int n = 0;
    return EVP_CipherInit_ex2(c, nullptr, nullptr, nonce(id).data(), -1, nullptr) == 1 &&
           EVP_CipherUpdate(c, nullptr, &n, covered.data(), length_of(covered)) == 1 &&
           EVP_CipherUpdate(c, sealed, &n, text.data(), length_of(text)) == 1 &&
           EVP_CipherFinal_ex(c, sealed + n, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, kTag, tag) == 1;
}

bool PacketCipher::seal_mac(std::size_t head, ByteView packet_id, ByteView text, Bytes& out) {
    const auto mac_size = auth_length(format_.auth);
    const auto body = head + mac_size;
    if (encrypts()) {
        auto* c = cipher_.get();
        out.resize(body + kIv + packet_id.size() + text.size() + kIv);
        auto* iv = out.data() + body;
        auto* sealed = iv + kIv;
        int first = 0;
        int second = 0;
        int last = 0;
        if (RAND_bytes(iv, kIv) != 1 ||
            EVP_CipherInit_ex2(c, nullptr, nullptr, iv, -1, nullptr) != 1 ||
            EVP_CipherUpdate(c, sealed, &first, packet_id.data(), length_of(packet_id)) != 1 ||
            EVP_CipherUpdate(c, sealed + first, &second, text.data(), length_of(text)) != 1 ||
            EVP_CipherFinal_ex(c, sealed + first + second, &last) != 1)
            return false;
        for (int part : {first, second, last})
            sealed += part;
        out.resize(static_cast<std::size_t>(sealed - out.data()));
    } else {
        out.resize(body);
        out.insert(out.end(), packet_id.begin(), packet_id.end());
        out.insert(out.end(), text.begin(), text.end());
    }
    return authenticate(ByteView(out).subspan(body), std::span(out).subspan(head, mac_size));
}

bool PacketCipher::authenticate(ByteView data, std::span<std::uint8_t> mac) {
    if (!mac_)
        return true;
    std::size_t length = 0;
    // No key: that of last time.
    return EVP_MAC_init(mac_.get(), nullptr, 0, nullptr) == 1 &&
           EVP_MAC_update(mac_.get(), data.data(), data.size()) == 1 &&
           EVP_MAC_final(mac_.get(), mac.data(), &length, mac.size()) == 1 && length == mac.size();
}

std::optional<OpenedPacket> PacketCipher::open(ByteView packet, std::size_t head, Bytes& out) {
    auto opened =
        is_aead(format_.cipher) ? open_aead(packet, head, out) : open_mac(packet, head, out);
    return opened ? opened : failed(opened);
}

std::optional<OpenedPacket> PacketCipher::open_aead(ByteView packet, std::size_t head, Bytes& out) {
    auto* c = cipher_.get();
    auto packet_id = clear_packet_id(format_, packet, head);
    if (!packet_id)
        return std::nullopt;
    const auto behind_id = head + id_size(format_);
    const auto id = packet.subspan(head, id_size(format_));
    const auto covered = packet.first(behind_id).subspan(head == kHeadV1 ? head : 0);
    const auto rest = packet.subspan(behind_id);
    const auto tag_view = format_.epochs ? rest.last(kTag) : rest.first(kTag);
    const auto sealed = format_.epochs ? rest.first(rest.size() - kTag) : rest.subspan(kTag);
    std::array<std::uint8_t, kTag> tag{};
    std::copy(tag_view.begin(), tag_view.end(), tag.begin());
    out.resize(sealed.size() + kTag); // never empty: OpenSSL wants an address
    int n = 0;
    int last = 0;
    if (EVP_CipherInit_ex2(c, nullptr, nullptr, nonce(id).data(), -1, nullptr) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, kTag, tag.data()) != 1 ||
        EVP_CipherUpdate(c, nullptr, &n, covered.data(), length_of(covered)) != 1 ||
        EVP_CipherUpdate(c, out.data(), &n, sealed.data(), length_of(sealed)) != 1 ||
        EVP_CipherFinal_ex(c, out.data() + n, &last) != 1)
        return std::nullopt;
    return OpenedPacket{*packet_id, std::span(out).first(sealed.size())};
}

std::optional<OpenedPacket> PacketCipher::open_mac(ByteView packet, std::size_t head, Bytes& out) {
    const auto mac_size = auth_length(format_.auth);
    const auto iv_size = encrypts() ? kIv : 0;
    if (packet.size() < head + mac_size + iv_size + (encrypts() ? kIv : kPacketId))
        return std::nullopt;
    const auto mac = packet.subspan(head, mac_size);
    const auto body = packet.subspan(head + mac_size);
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> expected{};
    if (!authenticate(body, std::span(expected).first(mac_size)) ||
        CRYPTO_memcmp(expected.data(), mac.data(), mac_size) != 0)
        return std::nullopt;

    const auto sealed = body.subspan(iv_size);
    auto length = sealed.size();
    if (encrypts()) {
        auto* c = cipher_.get();
        int n = 0;
        int last = 0;
        out.resize(sealed.size() + kIv);
        if (EVP_CipherInit_ex2(c, nullptr, nullptr, body.data(), -1, nullptr) != 1 ||
            EVP_CipherUpdate(c, out.data(), &n, sealed.data(), length_of(sealed)) != 1 ||
            EVP_CipherFinal_ex(c, out.data() + n, &last) != 1)
            return std::nullopt;
        length = static_cast<std::size_t>(n) + static_cast<std::size_t>(last);
    } else {
        out.assign(sealed.begin(), sealed.end());
    }
    if (length < kPacketId)
        return std::nullopt;
    auto text = std::span(out).first(length);
    return OpenedPacket{read_number(text.first(kPacketId)), text.subspan(kPacketId)};
}

} // namespace nfovpn::dataplane
