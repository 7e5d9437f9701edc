// SPDX-License-Identifier: GPL-2.0-or-later
//
// Keys in use in this process; user_key.h says what limits them and how epochs follow each other.

#include "dataplane/user_key.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace nfovpn::dataplane {

namespace {

constexpr int kEpochShift = 48;
constexpr std::uint64_t kMaxCounter = (std::uint64_t{1} << kEpochShift) - 1;
constexpr std::uint16_t kLastEpoch = std::numeric_limits<std::uint16_t>::max();
constexpr std::uint64_t kMaxPacketId = std::numeric_limits<std::uint32_t>::max();

// Behind these is what is under way while a new key is negotiated.
constexpr std::uint64_t kWarnPacketId = 0xff000000;
constexpr std::uint16_t kWarnEpoch = 0xf000;

constexpr std::uint64_t kMaxUsed = (std::uint64_t{1} << 36) - 1;
constexpr std::uint64_t kWarnUsed = kMaxUsed / 8 * 7;
constexpr std::uint64_t kBlock = 16;
constexpr std::uint64_t kMaxFailed = std::uint64_t{1} << 36;

constexpr std::uint32_t kEpochsAhead = 4;

std::uint16_t epoch_of(std::uint64_t packet_id) {
    return static_cast<std::uint16_t>(packet_id >> kEpochShift);
}

std::uint64_t with_epoch(std::uint16_t epoch, std::uint64_t counter) {
    return std::uint64_t{epoch} << kEpochShift | counter;
}

bool is_gcm(DataCipher cipher) {
    return is_aead(cipher) && cipher != DataCipher::ChaCha20Poly1305;
}

bool next_secret(SecretArray<32>& secret) {
    SecretArray<32> next;
    if (!expand_label(secret.view(), "datakey upd", next.writable()))
        return false;
    secret = std::move(next);
    return true;
}

std::optional<PacketCipher>
fixed_cipher(const DataFormat& format, PacketCipher::Direction direction, const DirectionKey& key) {
    PacketCipher::Material material{key.cipher_key.view(), {}, key.auth_key.view()};
    const auto tail = key.implicit_iv.view();
    if (is_aead(format.cipher))
        std::copy(tail.begin(), tail.end(), material.iv.end() - static_cast<int>(tail.size()));
    auto out = PacketCipher::create(format, direction, material);
    OPENSSL_cleanse(material.iv.data(), material.iv.size());
    return out;
}

} // namespace

bool expand_label(ByteView secret, std::string_view label, std::span<std::uint8_t> out) {
    constexpr std::string_view kPrefix = "ovpn ";
    ByteWriter info;
    info.u16(static_cast<std::uint16_t>(out.size()));
    info.u8(static_cast<std::uint8_t>(kPrefix.size() + label.size()));
    info.bytes(as_bytes(kPrefix));
    info.bytes(as_bytes(label));
    info.u8(0); // no context
    info.u8(1); // the first block of RFC 5869, 2.3, and the last
    SecretArray<32> block;
    if (out.size() > block.view().size() ||
        !HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), info.view().data(),
              info.size(), block.writable().data(), nullptr)) {
        ERR_clear_error();
        return false;
    }
    std::copy_n(block.view().begin(), out.size(), out.begin());
    return true;
}

std::unique_ptr<UserKey> UserKey::create(std::uint8_t key_id, const DataKeys& keys,
                                         const KeyState& state) {
    std::unique_ptr<UserKey> key(new UserKey(key_id, keys.format));
    if (!(keys.format.epochs ? key->start_epochs(keys, state) : key->start(keys, state)))
        return nullptr;
    return key;
}

UserKey::~UserKey() = default;

bool UserKey::start(const DataKeys& keys, const KeyState& state) {
    sender_.last = state.sent;
    sender_.blocks = state.blocks;
    sender_.cipher = fixed_cipher(format_, PacketCipher::Direction::Seal, keys.encrypt);
    auto& receiver = receivers_.emplace_back();
    receiver.window.restore(state.received, state.window ? *state.window : Bytes());
    receiver.cipher = fixed_cipher(format_, PacketCipher::Direction::Open, keys.decrypt);
    return sender_.cipher && receiver.cipher;
}

bool UserKey::start_epochs(const DataKeys& keys, const KeyState& state) {
    const auto send = keys.encrypt.cipher_key.view();
    const auto receive = keys.decrypt.cipher_key.view();
    if (send.size() != send_secret_.view().size() || receive.size() != send.size())
        return false;
    const auto sent_epoch = std::max<std::uint16_t>(epoch_of(state.sent), 1);
    received_epoch_ = std::max<std::uint16_t>(epoch_of(state.received), 1);

    // What is sent is never of an older epoch than what is received.
    send_secret_.assign(send.first<32>());
    sender_.epoch = 1;
    const auto epoch = std::max(sent_epoch, received_epoch_);
    if (epoch == 1)
        sender_.cipher = derive(PacketCipher::Direction::Seal, send_secret_);
    else if (!send_in(epoch))
        return false;
    if (sent_epoch == epoch) {
        sender_.last = state.sent & kMaxCounter;
        sender_.blocks = state.blocks;
    }

    receive_secret_.assign(receive.first<32>());
    for (std::uint32_t i = 2; i < received_epoch_; i++) {
        if (!next_secret(receive_secret_))
            return false;
    }
    last_ready_ = received_epoch_ - 1U;
    if (!sender_.cipher || !fill())
        return false;
    receivers_.front().window.restore(state.received & kMaxCounter,
                                      state.window ? *state.window : Bytes());
    return true;
}

std::optional<PacketCipher> UserKey::derive(PacketCipher::Direction direction,
                                            const SecretArray<32>& secret) const {
    SecretArray<32> key;
    const auto raw = key.writable().first(cipher_key_length(format_.cipher));
    PacketCipher::Material material{raw, {}, {}};
    if (!expand_label(secret.view(), "data_key", raw) ||
        !expand_label(secret.view(), "data_iv", material.iv))
        return std::nullopt;
    auto out = PacketCipher::create(format_, direction, material);
    OPENSSL_cleanse(material.iv.data(), material.iv.size());
    return out;
}

// Goes on to send in a later epoch; what we send with stays if OpenSSL refuses.
bool UserKey::send_in(std::uint16_t epoch) {
    SecretArray<32> secret;
    secret.assign(send_secret_.view());
    for (auto i = sender_.epoch; i < epoch; i++) {
        if (!next_secret(secret))
            return false;
    }
    auto cipher = derive(PacketCipher::Direction::Seal, secret);
    if (!cipher)
        return false;
    send_secret_ = std::move(secret);
    sender_ = Sender{epoch, 0, 0, std::move(cipher)};
    return true;
}

// Makes what is missing of the receivers for epochs to come.
bool UserKey::fill() {
    const auto last = std::min<std::uint32_t>(received_epoch_ + kEpochsAhead, kLastEpoch);
    while (last_ready_ < last) {
        SecretArray<32> secret;
        secret.assign(receive_secret_.view());
        // The secret of epoch 1 is the one that was given.
        if (last_ready_ > 0 && !next_secret(secret))
            return false;
        auto cipher = derive(PacketCipher::Direction::Open, secret);
        if (!cipher)
            return false;
        receive_secret_ = std::move(secret);
        auto& receiver = receivers_.emplace_back();
        receiver.epoch = static_cast<std::uint16_t>(++last_ready_);
        receiver.cipher = std::move(cipher);
    }
    return true;
}

// Packets and blocks, where there is a limit to them. The last block of each packet counts as a
// whole.
std::uint64_t UserKey::used(std::uint64_t last) const {
    return is_gcm(format_.cipher) ? last + sender_.blocks : 0;
}

std::optional<std::uint64_t> UserKey::reserve(std::size_t bytes, bool& near_limit) {
    sender_.blocks += bytes / kBlock + 1;
    const auto near = [&](bool worn) {
        if (worn && !std::exchange(warned_, true))
            near_limit = true;
    };
    if (format_.epochs) {
        if ((used(sender_.last) > kMaxUsed || sender_.last >= kMaxCounter) &&
            sender_.epoch < kLastEpoch)
            send_in(static_cast<std::uint16_t>(sender_.epoch + 1));
        near(sender_.epoch >= kWarnEpoch);
        if (sender_.last >= kMaxCounter)
            return std::nullopt;
    } else {
        const auto next = sender_.last + 1;
        near(next >= kWarnPacketId || used(next) > kWarnUsed);
        if (next > kMaxPacketId || used(next) > kMaxUsed)
            return std::nullopt;
    }
    return with_epoch(sender_.epoch, ++sender_.last);
}

bool UserKey::seal(std::uint64_t packet_id, ByteView head, ByteView text, Bytes& out) {
    const auto epoch = format_.epochs ? epoch_of(packet_id) : std::uint16_t{0};
    if (epoch > sender_.epoch && !send_in(epoch))
        return false;
    return epoch == sender_.epoch && sender_.cipher->seal(head, packet_id, text, out);
}

UserKey::Receiver* UserKey::receiver(std::uint16_t epoch) {
    auto at = std::find_if(receivers_.begin(), receivers_.end(),
                           [epoch](const Receiver& r) { return r.epoch == epoch; });
    return at == receivers_.end() ? nullptr : &*at;
}

Result<OpenedPacket, UserKey::Refusal> UserKey::open(ByteView packet, std::size_t head,
                                                     Bytes& out) {
    std::uint16_t epoch = 0;
    if (is_aead(format_.cipher)) {
        auto packet_id = clear_packet_id(format_, packet, head);
        if (!packet_id)
            return Refusal::Malformed;
        if (format_.epochs)
            epoch = epoch_of(*packet_id);
    }
    auto* from = receiver(epoch);
    if (!from || from->failed > kMaxFailed)
        return Refusal::NoKey;
    if (auto opened = from->cipher->open(packet, head, out))
        return *opened;
    from->failed++;
    return Refusal::Auth;
}

bool UserKey::accept(std::uint64_t packet_id) {
    const auto epoch = format_.epochs ? epoch_of(packet_id) : std::uint16_t{0};
    if (format_.epochs && epoch > received_epoch_ && receiver(epoch)) {
        const auto before = std::exchange(received_epoch_, epoch);
        std::erase_if(receivers_,
                      [&](const Receiver& r) { return r.epoch < epoch && r.epoch != before; });
        // What cannot be made now is tried again with the next epoch.
        fill();
        if (sender_.epoch < epoch)
            send_in(epoch);
    }
    auto* from = receiver(epoch);
    return from && from->window.accept(format_.epochs ? packet_id & kMaxCounter : packet_id);
}

KeyState UserKey::state() const {
    auto at = std::find_if(receivers_.begin(), receivers_.end(),
                           [this](const Receiver& r) { return r.epoch == received_epoch_; });
    return {with_epoch(sender_.epoch, sender_.last), sender_.blocks,
            with_epoch(at->epoch, at->window.highest()), at->window.save()};
}

} // namespace nfovpn::dataplane
