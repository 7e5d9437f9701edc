// SPDX-License-Identifier: GPL-2.0-or-later
//
// Wrapping and unwrapping; control_wrap.h has the layouts. Every function that opens something
// computes the authentic tag first and compares in constant time; what is not authentic leaves no
// trace but an error.

#include "wire/control_wrap.h"

#include <openssl/hmac.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace nfovpn::wire {

namespace {

constexpr std::size_t kHead = 1 + std::tuple_size_v<SessionId>;
constexpr std::size_t kIdLength = 8; // packet ID and time
constexpr std::size_t kTag = 32;
constexpr std::size_t kCounter = 16;
constexpr std::size_t kCipherKey = 32;

// A wrapped client key: tag, key, metadata, length.
constexpr std::size_t kClientKey = 256;
constexpr std::size_t kLengthField = 2;
constexpr std::size_t kLeastWrappedKey = kTag + kClientKey + kLengthField;

// A static key's parts.
constexpr std::size_t kOneKey = 128;
constexpr std::size_t kPart = 64;

constexpr std::uint32_t kEarlyMask = 0xff000000;
constexpr std::uint32_t kEarlyStart = 0x0f000000;
constexpr std::uint16_t kFlagsField = 1;
constexpr std::uint16_t kResendFlag = 1;
constexpr std::array<std::uint8_t, 6> kResendKey = {0, kFlagsField, 0, 2, 0, kResendFlag};

Bytes hmac(const EVP_MD* digest, ByteView key, ByteView data) {
    Bytes out(EVP_MAX_MD_SIZE);
    unsigned length = 0;
    if (!HMAC(digest, key.data(), static_cast<int>(key.size()), data.data(), data.size(),
              out.data(), &length))
        throw std::runtime_error("HMAC failed");
    out.resize(length);
    return out;
}

bool same(ByteView a, ByteView b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// AES-256-CTR, which is its own inverse.
void crypt(ByteView key, ByteView counter, ByteView in, std::span<std::uint8_t> out) {
    const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> ctx(EVP_CIPHER_CTX_new(),
                                                                              EVP_CIPHER_CTX_free);
    int length = 0;
    if (!ctx ||
        EVP_EncryptInit_ex(ctx.get(), EVP_aes_256_ctr(), nullptr, key.data(), counter.data()) !=
            1 ||
        EVP_EncryptUpdate(ctx.get(), out.data(), &length, in.data(), static_cast<int>(in.size())) !=
            1)
        throw std::runtime_error("AES-256-CTR failed");
}

Bytes id_bytes(WrapId id) {
    ByteWriter out;
    out.u32(id.id);
    out.u32(id.time);
    return out.take();
}

WrapId read_id(ByteView bytes) {
    ByteReader in(bytes);
    WrapId id;
    id.id = in.u32().value_or(0);
    id.time = in.u32().value_or(0);
    return id;
}

Bytes concatenate(std::initializer_list<ByteView> parts) {
    Bytes out;
    for (auto part : parts)
        out.insert(out.end(), part.begin(), part.end());
    return out;
}

SecretBytes part_of(const StaticKey& key, std::size_t number, std::size_t part,
                    std::size_t length) {
    return SecretBytes(ByteView(key.view().subspan(number * kOneKey + part * kPart, length)));
}

} // namespace

std::optional<ControlWrap> ControlWrap::tls_auth(const StaticKey& key, Direction direction,
                                                 const std::string& digest) {
    const EVP_MD* md = EVP_get_digestbyname(digest.c_str());
    if (!md || EVP_MD_get_size(md) <= 0 || (EVP_MD_get_flags(md) & EVP_MD_FLAG_XOF) != 0)
        return std::nullopt;
    auto length = static_cast<std::size_t>(EVP_MD_get_size(md));
    // A known name may still have no implementation behind it.
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> unused;
    unsigned unused_length = 0;
    if (length > kPart ||
        !HMAC(md, key.view().data(), 1, key.view().data(), 0, unused.data(), &unused_length))
        return std::nullopt;
    std::size_t send = direction == Direction::Inverse ? 1 : 0;
    std::size_t receive = direction == Direction::Normal ? 1 : 0;
    return ControlWrap(md, {{}, part_of(key, send, 1, length)},
                       {{}, part_of(key, receive, 1, length)});
}

ControlWrap ControlWrap::tls_crypt(const StaticKey& key, Role own_role) {
    auto keys = [&](std::size_t number) {
        return Keys{part_of(key, number, 0, kCipherKey), part_of(key, number, 1, kTag)};
    };
    bool server = own_role == Role::Server;
    return {EVP_sha256(), keys(server ? 0 : 1), keys(server ? 1 : 0)};
}

std::size_t ControlWrap::overhead() const {
    return kIdLength + static_cast<std::size_t>(EVP_MD_get_size(digest_));
}

Bytes ControlWrap::wrap(ByteView plain, WrapId id) const {
    auto head = plain.first(kHead);
    auto rest = plain.subspan(kHead);
    auto numbers = id_bytes(id);
    if (send_.cipher.empty()) {
        auto mac = hmac(digest_, send_.hmac.view(), concatenate({numbers, plain}));
        return concatenate({head, mac, numbers, rest});
    }
    auto tag = hmac(digest_, send_.hmac.view(), concatenate({head, numbers, rest}));
    auto out = concatenate({head, numbers, tag, rest});
    crypt(send_.cipher.view(), ByteView(tag).first(kCounter), rest,
          std::span(out).subspan(kHead + kIdLength + kTag));
    return out;
}

Result<Unwrapped, WireError> ControlWrap::unwrap(ByteView datagram) const {
    if (datagram.size() > kMaxControlPacket)
        return WireError::Oversized;
    if (datagram.size() < kHead + overhead())
        return WireError::Truncated;
    return receive_.cipher.empty() ? unwrap_auth(datagram) : unwrap_crypt(datagram);
}

Result<Unwrapped, WireError> ControlWrap::unwrap_auth(ByteView datagram) const {
    auto head = datagram.first(kHead);
    auto mac = datagram.subspan(kHead, overhead() - kIdLength);
    auto numbers = datagram.subspan(kHead + mac.size(), kIdLength);
    auto rest = datagram.subspan(kHead + overhead());
    if (!same(mac, hmac(digest_, receive_.hmac.view(), concatenate({numbers, head, rest}))))
        return WireError::NotAuthentic;
    return Unwrapped{concatenate({head, rest}), read_id(numbers)};
}

Result<Unwrapped, WireError> ControlWrap::unwrap_crypt(ByteView datagram) const {
    auto head = datagram.first(kHead);
    auto numbers = datagram.subspan(kHead, kIdLength);
    auto tag = datagram.subspan(kHead + kIdLength, kTag);
    auto ciphertext = datagram.subspan(kHead + kIdLength + kTag);
    Bytes rest(ciphertext.size());
    crypt(receive_.cipher.view(), tag.first(kCounter), ciphertext, rest);
    if (!same(tag, hmac(digest_, receive_.hmac.view(), concatenate({head, numbers, rest}))))
        return WireError::NotAuthentic;
    return Unwrapped{concatenate({head, rest}), read_id(numbers)};
}

bool ReplayWindow::accept(WrapId id) {
    constexpr std::uint32_t kWidth = 64;
    if (id.id == 0 || (seen_ != 0 && id.time < newest_.time))
        return false;
    if (seen_ == 0 || id.time > newest_.time) {
        newest_ = id;
        seen_ = 1;
        return true;
    }
    if (id.id > newest_.id) {
        auto step = id.id - newest_.id;
        seen_ = (step < kWidth ? seen_ << step : 0) | 1;
        newest_ = id;
        return true;
    }
    auto age = newest_.id - id.id;
    if (age >= kWidth || (seen_ >> age & 1) != 0)
        return false;
    seen_ |= std::uint64_t{1} << age;
    return true;
}

std::optional<std::int64_t> ClientKey::made_at() const {
    ByteReader in(metadata);
    auto high = in.u32();
    auto low = in.u32();
    if (metadata_type != kMetadataTimestamp || !high || !low)
        return std::nullopt;
    return static_cast<std::int64_t>(std::uint64_t{*high} << 32 | *low);
}

bool brings_key(Opcode opcode) {
    return opcode == Opcode::HardResetClientV3 || opcode == Opcode::ControlWkcV1;
}

Result<WithWrappedKey, WireError> split_wrapped_key(ByteView datagram) {
    if (datagram.size() > kMaxControlPacket + kMaxWrappedKey)
        return WireError::Oversized;
    if (datagram.size() < kHead + kLengthField)
        return WireError::Truncated;
    ByteReader length_field(datagram.last(kLengthField));
    std::size_t length = length_field.u16().value_or(0);
    if (length < kLeastWrappedKey || length > kMaxWrappedKey)
        return WireError::BadClientKey;
    if (length > datagram.size() - kHead)
        return WireError::Truncated;
    return WithWrappedKey{datagram.first(datagram.size() - length), datagram.last(length)};
}

Result<ClientKey, WireError> unwrap_client_key(const TlsCryptV2Key& server_key,
                                               ByteView wrapped_key) {
    if (wrapped_key.size() < kLeastWrappedKey || wrapped_key.size() > kMaxWrappedKey)
        return WireError::BadClientKey;
    auto tag = wrapped_key.first(kTag);
    auto ciphertext = wrapped_key.subspan(kTag, wrapped_key.size() - kTag - kLengthField);
    auto length = wrapped_key.last(kLengthField);

    // What the tag covers, the length in front.
    SecretBytes covered{concatenate({length, ciphertext})};
    crypt(server_key.view().first<kCipherKey>(), tag.first(kCounter), ciphertext,
          covered.writable().subspan(kLengthField));
    if (!same(tag, hmac(EVP_sha256(), server_key.view().subspan<kPart, kTag>(), covered.view())))
        return WireError::BadClientKey;

    ByteReader in(covered.view().subspan(kLengthField));
    ClientKey out;
    out.key.assign(in.bytes(kClientKey)->first<kClientKey>());
    out.metadata_type = in.u8();
    out.metadata.assign(in.rest().begin(), in.rest().end());
    if (out.metadata_type == kMetadataTimestamp && out.metadata.size() != 8)
        return WireError::BadClientKey;
    return out;
}

bool can_resend_key(WrapId first) {
    return (first.id & kEarlyMask) == kEarlyStart;
}

ByteView resend_key_request() {
    return kResendKey;
}

bool asks_for_key(ByteView reset_payload) {
    ByteReader in(reset_payload);
    while (!in.empty()) {
        const auto type = in.u16();
        const auto length = type ? in.u16() : std::nullopt;
        const auto value = length ? in.bytes(*length) : std::nullopt;
        if (!value)
            return false;
        if (*type == kFlagsField) {
            const auto flags = ByteReader(*value).u16();
            return flags && (*flags & kResendFlag) != 0;
        }
    }
    return false;
}

} // namespace nfovpn::wire
