// SPDX-License-Identifier: GPL-2.0-or-later
//
// A data plane for tests; see recording_data_plane.h.

#include "support/recording_data_plane.h"

#include "session/openssl_ptr.h"

#include <array>
#include <cerrno>

namespace nfovpn::test {

const Bytes kPing = {0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb,
                     0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48};

namespace {

using CipherCtxPtr = std::unique_ptr<EVP_CIPHER_CTX, session::OpensslFree<EVP_CIPHER_CTX_free>>;

constexpr std::size_t kHeader = 4; // opcode, key ID, peer ID
constexpr std::size_t kPacketId = 4;
constexpr std::size_t kTag = 16;

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
    }
    return nullptr;
}

std::array<std::uint8_t, 12> nonce(const DirectionKey& key, ByteView packet_id) {
    std::array<std::uint8_t, 12> out{};
    std::copy(packet_id.begin(), packet_id.end(), out.begin());
    auto iv = key.implicit_iv.view();
    std::copy(iv.begin(), iv.end(), out.begin() + kPacketId);
    return out;
}

std::size_t index(KeySlot slot) {
    return slot == KeySlot::Primary ? 0 : 1;
}
const char* name(KeySlot slot) {
    return slot == KeySlot::Primary ? " primary" : " secondary";
}

StoredKey store(std::uint8_t key_id, const DataKeys& keys) {
    auto copy = [](const DirectionKey& from) {
        DirectionKey to;
        to.cipher_key = SecretBytes(from.cipher_key.view());
        to.implicit_iv.assign(from.implicit_iv.view());
        return to;
    };
    StoredKey out;
    out.key_id = key_id;
    out.keys.cipher = keys.cipher;
    out.keys.encrypt = copy(keys.encrypt);
    out.keys.decrypt = copy(keys.decrypt);
    return out;
}

} // namespace

std::optional<Bytes> decrypt_data(const DataKeys& keys, ByteView packet) {
    if (packet.size() < kHeader + kPacketId + kTag)
        return std::nullopt;
    auto ad = packet.first(kHeader + kPacketId);
    auto tag = packet.subspan(ad.size(), kTag);
    auto ciphertext = packet.subspan(ad.size() + kTag);
    auto iv = nonce(keys.decrypt, ad.last(kPacketId));
    Bytes tag_copy(tag.begin(), tag.end());
    Bytes out(ciphertext.size() + kTag);
    int n = 0;
    CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
    auto* c = ctx.get();
    if (EVP_DecryptInit_ex(c, evp(keys.cipher), nullptr, keys.decrypt.cipher_key.view().data(),
                           iv.data()) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, kTag, tag_copy.data()) != 1 ||
        EVP_DecryptUpdate(c, nullptr, &n, ad.data(), static_cast<int>(ad.size())) != 1 ||
        EVP_DecryptUpdate(c, out.data(), &n, ciphertext.data(),
                          static_cast<int>(ciphertext.size())) != 1)
        return std::nullopt;
    int rest = 0;
    if (EVP_DecryptFinal_ex(c, out.data() + n, &rest) != 1)
        return std::nullopt;
    out.resize(static_cast<std::size_t>(n + rest));
    return out;
}

Bytes encrypt_data(const DataKeys& keys, std::uint8_t key_id, std::uint32_t peer_id,
                   std::uint32_t packet_id, ByteView plaintext) {
    ByteWriter head;
    head.u32((9U << 3 | key_id) << 24 | peer_id);
    head.u32(packet_id);
    auto iv = nonce(keys.encrypt, ByteView(head.view()).last(kPacketId));
    Bytes out = head.view();
    out.resize(head.size() + kTag + plaintext.size());
    int n = 0;
    CipherCtxPtr ctx(EVP_CIPHER_CTX_new());
    auto* c = ctx.get();
    EVP_EncryptInit_ex(c, evp(keys.cipher), nullptr, keys.encrypt.cipher_key.view().data(),
                       iv.data());
    EVP_EncryptUpdate(c, nullptr, &n, head.view().data(), static_cast<int>(head.size()));
    EVP_EncryptUpdate(c, out.data() + head.size() + kTag, &n, plaintext.data(),
                      static_cast<int>(plaintext.size()));
    std::array<std::uint8_t, kTag> rest{};
    EVP_EncryptFinal_ex(c, rest.data(), &n);
    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, kTag, out.data() + head.size());
    return out;
}

dataplane::Failure RecordingDataPlane::call(const std::string& what, std::uint32_t id,
                                            bool must_exist) {
    calls.push_back(what);
    if (!refuse.empty() && what.starts_with(refuse))
        return dataplane::Error{EINVAL, "refused by the test"};
    if (must_exist && !peers.contains(id))
        return dataplane::Error{ENOENT, "no such peer"};
    return std::nullopt;
}

dataplane::Failure RecordingDataPlane::add_peer(const dataplane::Peer& peer) {
    if (auto failure = call("add " + std::to_string(peer.id), peer.id, false))
        return failure;
    if (peers.contains(peer.id))
        return dataplane::Error{EEXIST, "peer exists"};
    peers[peer.id].peer = peer;
    return std::nullopt;
}

dataplane::Failure RecordingDataPlane::set_keepalive(std::uint32_t id,
                                                     const dataplane::Keepalive& keepalive) {
    if (auto failure = call("keepalive " + std::to_string(id), id, true))
        return failure;
    peers[id].keepalive = keepalive;
    return std::nullopt;
}

dataplane::Failure RecordingDataPlane::remove_peer(std::uint32_t id) {
    if (auto failure = call("remove " + std::to_string(id), id, true))
        return failure;
    peers.erase(id);
    return std::nullopt;
}

dataplane::Failure RecordingDataPlane::install_key(std::uint32_t peer_id, KeySlot slot,
                                                   std::uint8_t key_id, const DataKeys& keys) {
    if (auto failure =
            call("key " + std::to_string(peer_id) + name(slot) + " " + std::to_string(key_id),
                 peer_id, true))
        return failure;
    peers[peer_id].slots[index(slot)] = store(key_id, keys);
    return std::nullopt;
}

dataplane::Failure RecordingDataPlane::swap_keys(std::uint32_t peer_id) {
    if (auto failure = call("swap " + std::to_string(peer_id), peer_id, true))
        return failure;
    std::swap(peers[peer_id].slots[0], peers[peer_id].slots[1]);
    return std::nullopt;
}

dataplane::Failure RecordingDataPlane::delete_key(std::uint32_t peer_id, KeySlot slot) {
    if (auto failure = call("delete " + std::to_string(peer_id) + name(slot), peer_id, true))
        return failure;
    if (!peers[peer_id].slots[index(slot)])
        return dataplane::Error{ENOENT, "no key in this slot"};
    peers[peer_id].slots[index(slot)].reset();
    return std::nullopt;
}

std::optional<std::vector<dataplane::PeerStats>> RecordingDataPlane::stats() {
    std::vector<dataplane::PeerStats> out;
    for (const auto& [id, peer] : peers) {
        dataplane::PeerStats stats;
        stats.id = id;
        out.push_back(stats);
    }
    return out;
}

std::optional<Bytes> RecordingDataPlane::receive(ByteView packet) {
    ByteReader in(packet);
    auto head = in.u32();
    auto peer = head ? peers.find(*head & 0xffffff) : peers.end();
    if (peer == peers.end())
        return std::nullopt;
    for (auto& slot : peer->second.slots) {
        if (!slot || slot->key_id != (*head >> 24 & 7))
            continue;
        if (auto plain = decrypt_data(slot->keys, packet)) {
            slot->packets_decrypted++;
            return plain;
        }
    }
    undecryptable++;
    return std::nullopt;
}

std::optional<Bytes> RecordingDataPlane::send(std::uint32_t peer_id, ByteView plaintext) {
    auto& primary = peers.at(peer_id).slots[0];
    if (!primary)
        return std::nullopt;
    return encrypt_data(primary->keys, primary->key_id, peer_id, primary->next_packet_id++,
                        plaintext);
}

} // namespace nfovpn::test
