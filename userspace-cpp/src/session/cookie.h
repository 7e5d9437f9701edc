// SPDX-License-Identifier: GPL-2.0-or-later
//
// Answering first packets without remembering them.
//
// Anyone can send hard resets with forged source addresses. If each made the server remember
// something, memory would be theirs to fill. So the server's session ID in the answer *is* the
// memory, as with TCP's SYN cookies:
//
//     client ── HARD_RESET_CLIENT, its session ID C ──▶
//            ◀── HARD_RESET_SERVER, ACK 0, session ID S = HMAC(secret, time slot, address, C) ──
//     client ── CONTROL or ACK, ACK 0 for S ──▶   S is right: it does receive at its address,
//                                                 and only now is there a session
//
// A cookie is good for the slot in which it was made and the two after it.
#pragma once

#include "util/endpoint.h"
#include "util/secret.h"
#include "util/time.h"
#include "wire/control_packet.h"

namespace nfovpn::session {

/// Makes and checks the server's session IDs.
class ResetCookie {
public:
    /// Time slots in which a cookie is good.
    static constexpr int kSlots = 3;

    /// @p slot: length of a time slot; a client has at least two of them to answer.
    explicit ResetCookie(Duration slot);

    /// The server's session ID for a client at @p remote that calls itself @p client.
    [[nodiscard]] wire::SessionId make(const Endpoint& remote, const wire::SessionId& client,
                                       TimePoint now) const;

    /// Whether @p cookie was made for this client not long ago.
    [[nodiscard]] bool valid(const wire::SessionId& cookie, const Endpoint& remote,
                             const wire::SessionId& client, TimePoint now) const;

private:
    [[nodiscard]] wire::SessionId compute(const Endpoint& remote, const wire::SessionId& client,
                                          std::int64_t slot) const;
    [[nodiscard]] std::int64_t slot_at(TimePoint now) const;

    SecretArray<32> secret_;
    Duration slot_;
};

} // namespace nfovpn::session
