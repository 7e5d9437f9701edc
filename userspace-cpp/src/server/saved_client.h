// SPDX-License-Identifier: GPL-2.0-or-later
//
// A client that is up, as the next process needs it to go on with its session, and as bytes.
//
// Of secrets there is what nobody could find out again: a client's own key of tls-crypt-v2, without
// which its packets cannot be read, and (of all clients) the random key of tokens. Data keys are
// the kernel's alone; no TLS session is saved, nor a password, nor what was pushed.
//
// All numbers are big endian. Texts and lists have their length before them. Whoever reads takes
// nothing that is cut short, too long, or not one of its kind, and nothing behind the last field.
#pragma once

#include "server/auth_token.h"
#include "server/hooks.h"
#include "session/server_session.h"
#include "util/endpoint.h"
#include "wire/control_wrap.h"
#include "wire/static_key.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nfovpn::server {

/// See the head of this file.
struct SavedClient {
    session::SavedSession session;
    std::uint32_t wrap_time = 0;            ///< of our packet IDs
    wire::WrapId seen;                      ///< the newest of the client's
    std::optional<wire::StaticKey> own_key; ///< of tls-crypt-v2
    ClientId id = 0;
    Path path;
    std::uint32_t peer_id = 0;
    Ipv4 address;
    Ipv4 second;                 ///< see Assignment
    std::optional<Ipv4> netmask; ///< of its own
    std::optional<Ipv6> address6;
    std::vector<Prefix> networks; ///< that it wants
    std::int64_t created = 0;     ///< steady clock, in nanoseconds
    std::int64_t connected_since = 0;
    Environment peer_info;
    std::optional<std::string> user;
    std::optional<AuthToken> token;
    bool connected = false;
    bool may_have_address = true;
    bool may_have_address6 = true;
    std::vector<std::string> learned;
};

/// What all clients have in common.
struct SavedServer {
    std::array<std::uint8_t, 32> configuration{}; ///< digest of what cannot be another one
    std::string device;
    std::uint32_t ifindex = 0;
    std::optional<SecretArray<64>> token_key; ///< a random one
};

SecretBytes write_saved(const SavedClient& client);
SecretBytes write_saved(const SavedServer& server);
std::optional<SavedClient> read_saved_client(ByteView bytes);
std::optional<SavedServer> read_saved_server(ByteView bytes);

} // namespace nfovpn::server
