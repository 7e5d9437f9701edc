// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where others have a say about clients: whoever verifies user names and passwords, and programs
// of the administrator that are told when clients come and go. A client's way past them:
//
//     certificate, key method 2 ─▶ verify_user() ─▶ settings, address, peer ID ─▶ connect()
//                               ─▶ learn_addresses() ─▶ up
//     renegotiation             ─▶ verify_user()
//     gone                      ─▶ forget_address() of each, disconnect() if connect() let it in
//
// They take their time, and the server goes on meanwhile: it asks, and is called back.
#pragma once

#include "server/client_settings.h"
#include "session/server_session.h"
#include "util/environment.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nfovpn::server {

/// Names a client as long as the server runs; no two ever have the same. (OpenVPN's CID.)
using ClientId = std::uint64_t;

/// Where a client comes from, by its environment; 0 if that does not say.
inline std::uint64_t source_of(const Environment& environment) {
    for (const auto* name : {"untrusted_ip", "untrusted_ip6"}) {
        if (const auto address = parse_address(value_of(environment, name)))
            return nfovpn::source_of(*address);
    }
    return 0;
}

/// See the head of this file. Whatever gets a callback calls it once or never, with the time, and
/// never before it has returned.
class ClientHooks {
public:
    /// What is special about a user who may come in.
    using Verified = std::function<void(Result<ClientSettings, session::Refusal>, TimePoint)>;
    /// What else is special about the client; nothing if it is not let in.
    using Connected = std::function<void(std::optional<ClientSettings>, TimePoint)>;

    /// Which of the addresses the client may have, in their order.
    using AddressesLearned = std::function<void(const std::vector<bool>&, TimePoint)>;

    virtual ~ClientHooks() = default;

    /// The client has proved to have the first of these certificates, DER, which the next ones have
    /// signed. Before verify_user(), if there are any.
    virtual void present(ClientId client, const std::vector<Bytes>& certificates) {
        static_cast<void>(client);
        static_cast<void>(certificates);
    }
    /// @p password is valid only during the call.
    virtual void verify_user(ClientId client, const Environment& environment,
                             const std::string& username, ByteView password, Verified done) = 0;
    /// In place of that, of who shows a token: only what certificates decide. Where
    /// UserSettings::certificates says that they decide anything.
    virtual void verify_certificates(ClientId client, const Environment& environment,
                                     Verified done) = 0;
    virtual void connect(ClientId client, const Environment& environment, Connected done) = 0;
    virtual void disconnect(ClientId client, const Environment& environment) = 0;
    /// The client is to have these addresses and networks.
    virtual void learn_addresses(ClientId client, const std::vector<std::string>& addresses,
                                 const Environment& environment, AddressesLearned done) = 0;
    /// It has that one no longer, or was gone before the answer.
    virtual void forget_address(const std::string& address, const Environment& environment) = 0;

    /// So much is to be told to somebody that no more clients should come.
    [[nodiscard]] virtual bool busy() const { return false; }

    /// The client is gone: what was asked about it needs no answer any more.
    virtual void forget(ClientId client) = 0;
};

} // namespace nfovpn::server
