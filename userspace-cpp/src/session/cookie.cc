// SPDX-License-Identifier: GPL-2.0-or-later
//
// Session ID cookies; see cookie.h.

#include "session/cookie.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

namespace nfovpn::session {

ResetCookie::ResetCookie(Duration slot) : slot_(slot) {
    auto out = secret_.writable();
    if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1)
        throw std::runtime_error("no random bytes for the cookie secret");
}

std::int64_t ResetCookie::slot_at(TimePoint now) const {
    return now.time_since_epoch() / slot_;
}

wire::SessionId ResetCookie::compute(const Endpoint& remote, const wire::SessionId& client,
                                     std::int64_t slot) const {
    ByteWriter input;
    input.u32(static_cast<std::uint32_t>(slot >> 32));
    input.u32(static_cast<std::uint32_t>(slot));
    input.bytes(remote.address.ipv6().bytes);
    input.u32(remote.scope_id);
    input.u16(remote.port);
    input.bytes(client);
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> mac{};
    unsigned length = 0;
    if (!HMAC(EVP_sha256(), secret_.view().data(), static_cast<int>(secret_.view().size()),
              input.view().data(), input.size(), mac.data(), &length))
        throw std::runtime_error("HMAC-SHA256 failed");
    wire::SessionId id;
    std::copy_n(mac.begin(), id.size(), id.begin());
    return id;
}

wire::SessionId ResetCookie::make(const Endpoint& remote, const wire::SessionId& client,
                                  TimePoint now) const {
    return compute(remote, client, slot_at(now));
}

bool ResetCookie::valid(const wire::SessionId& cookie, const Endpoint& remote,
                        const wire::SessionId& client, TimePoint now) const {
    bool good = false;
    for (std::int64_t age = 0; age < kSlots; age++) {
        auto expected = compute(remote, client, slot_at(now) - age);
        good |= CRYPTO_memcmp(expected.data(), cookie.data(), cookie.size()) == 0;
    }
    return good;
}

} // namespace nfovpn::session
