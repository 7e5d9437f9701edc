// SPDX-License-Identifier: GPL-2.0-or-later
//
// Tokens that stand for a password; see auth_token.h.

#include "server/auth_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

namespace nfovpn::server {

namespace {

constexpr std::string_view kPrefix = "SESS_ID_AT_";
constexpr std::size_t kTagSize = 32;
constexpr std::size_t kFieldsSize = 12 + 8 + 8;
constexpr std::size_t kTokenSize = kFieldsSize + kTagSize; // a multiple of 3: no padding
constexpr std::size_t kTextSize = kTokenSize / 3 * 4;

using Tag = std::array<std::uint8_t, kTagSize>;

void write_time(ByteWriter& out, std::int64_t seconds) {
    const auto bits = static_cast<std::uint64_t>(seconds);
    out.u32(static_cast<std::uint32_t>(bits >> 32));
    out.u32(static_cast<std::uint32_t>(bits));
}

std::int64_t read_time(ByteReader& in) {
    const std::uint64_t high = in.u32().value_or(0);
    const std::uint64_t low = in.u32().value_or(0);
    return static_cast<std::int64_t>(high << 32 | low);
}

Bytes fields_of(const AuthToken& token) {
    ByteWriter out;
    out.bytes(token.session);
    write_time(out, token.issued);
    write_time(out, token.renewed);
    return out.take();
}

Tag tag_of(const AuthTokenSettings& settings, ByteView fields, std::string_view username) {
    ByteWriter text;
    text.u32(static_cast<std::uint32_t>(username.size()));
    text.bytes(as_bytes(username));
    text.bytes(fields);
    const auto key = settings.key.view();
    Tag tag{};
    unsigned length = 0;
    if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), text.view().data(),
              text.size(), tag.data(), &length) ||
        length != tag.size())
        throw std::runtime_error("HMAC-SHA256 failed");
    return tag;
}

} // namespace

bool is_auth_token(ByteView password) {
    return as_text(password).starts_with(kPrefix);
}

AuthToken new_auth_token(std::int64_t now) {
    AuthToken token;
    token.issued = token.renewed = now;
    if (RAND_bytes(token.session.data(), static_cast<int>(token.session.size())) != 1)
        throw std::runtime_error("no random bytes for a token");
    return token;
}

SecretBytes write_auth_token(const AuthTokenSettings& settings, const AuthToken& token,
                             std::string_view username) {
    const auto fields = fields_of(token);
    const auto tag = tag_of(settings, fields, username);
    SecretBytes raw(fields);
    raw.append(tag);
    // With the zero that OpenSSL writes behind it.
    SecretBytes text{Bytes(kTextSize + 1)};
    EVP_EncodeBlock(text.writable().data(), raw.view().data(), static_cast<int>(kTokenSize));
    SecretBytes out(as_bytes(kPrefix));
    out.append(text.view().first(kTextSize));
    return out;
}

Result<AuthToken, AuthTokenFault> read_auth_token(const AuthTokenSettings& settings,
                                                  ByteView password, std::string_view username,
                                                  std::int64_t now) {
    if (!is_auth_token(password) || password.size() != kPrefix.size() + kTextSize)
        return AuthTokenFault::NotAuthentic;
    SecretBytes raw{Bytes(kTokenSize)};
    const auto text = password.subspan(kPrefix.size());
    if (EVP_DecodeBlock(raw.writable().data(), text.data(), static_cast<int>(text.size())) !=
        static_cast<int>(kTokenSize))
        return AuthTokenFault::NotAuthentic;
    const auto fields = raw.view().first(kFieldsSize);
    const auto tag = tag_of(settings, fields, username);
    if (CRYPTO_memcmp(tag.data(), raw.view().subspan(kFieldsSize).data(), tag.size()) != 0)
        return AuthTokenFault::NotAuthentic;

    ByteReader in(fields);
    AuthToken token;
    const auto session = *in.bytes(token.session.size());
    std::copy(session.begin(), session.end(), token.session.begin());
    token.issued = read_time(in);
    token.renewed = read_time(in);
    const bool too_old =
        settings.lifetime.count() > 0 && now - token.issued > settings.lifetime.count();
    const bool left =
        settings.renewal.count() > 0 && now - token.renewed > settings.renewal.count();
    // Of the future: from a server with another clock.
    if (too_old || left || token.issued > now)
        return AuthTokenFault::Expired;
    return token;
}

} // namespace nfovpn::server
