// SPDX-License-Identifier: GPL-2.0-or-later
//
// How a client is let in. Each step may end it; what a client is told then is in the last column,
// where "for now" means that it tries again later.
//
//     step        who is asked                        it ends when
//     ─────────   ─────────────────────────────────
//     ──────────────────────────────────────────────── User        who verifies users, or nobody
//     none is given where one is asked for · refused ·
//                 where a token does                  a token that is no good
//     Settings    the client's file                   it cannot be read (for now) · "disable"
//     Place       the core: others of its name go,    too much is to be told to programs, the
//     server is
//                 an address and a peer ID            full, its address is in use (for now)
//     Program     who is asked about connections      refused · its address is in use (for now) ·
//     what
//                                                     it is given does not fit the topology
//     Addresses   who learns addresses                never: one that is refused is nobody's
//     In
//
// User, Program and Addresses may take their time, but no more than the session has for its
// handshake; a client that is gone by then is not found any more. At a renegotiation only User is
// asked, and a refusal ends the session.
#pragma once

#include "server/addresses.h"
#include "server/auth_token.h"
#include "server/client_settings.h"
#include "server/hooks.h"
#include "server/networks.h"
#include "session/server_session.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nfovpn::server {

/// Finds what is special about the client of that name; nothing if that cannot be read.
using ClientLookup = std::function<std::optional<ClientSettings>(const std::string& common_name)>;

/// Whether clients have a user name and password, to be verified by the hooks.
struct UserSettings {
    bool required = true;        ///< else who gives none is verified with empty ones
    bool as_common_name = false; ///< the user name is the client's name
    bool certificates = false;   ///< somebody has a say about them
    std::shared_ptr<const AuthTokenSettings> tokens; ///< in place of the password, later on
};

/// What a configuration says about who is let in.
struct AdmissionSettings {
    ClientLookup client_lookup; ///< empty: all clients are alike
    std::optional<UserSettings> users;
    bool hooks_connect = false;      ///< the hooks are asked when a client connects and disconnects
    bool hooks_addresses = false;    ///< the hooks are told of addresses
    bool hooks_certificates = false; ///< the hooks are shown certificates
};

/// A client, as far as it is let in.
class Applicant {
public:
    explicit Applicant(ClientId number) : id(number) {}
    virtual ~Applicant() = default;
    Applicant(const Applicant&) = delete;
    Applicant& operator=(const Applicant&) = delete;

    [[nodiscard]] virtual session::ServerSession& its_session() = 0;
    /// For log lines.
    [[nodiscard]] virtual std::string label() const = 0;
    /// For programs.
    [[nodiscard]] virtual Environment environment() const = 0;

    ClientId id;
    std::optional<std::string> user; ///< that was verified; may be empty where none is required
    std::optional<AuthToken> token;  ///< the one it has
    ClientSettings of_user;          ///< what who verified its user has to say
    ClientSettings special;
    std::optional<session::Assignment> granted; ///< what it has, before the session is told
    std::optional<Ipv6> address6;               ///< its own inside the tunnel
    bool connected = false;                     ///< the hooks have let it in
    bool may_have_address = true;               ///< the hooks have not refused it
    bool may_have_address6 = true;
    std::vector<std::string>
        learned; ///< of its addresses, what the hooks know and have not refused
};

/// What the core does for it.
class AdmissionHost {
public:
    virtual ~AdmissionHost() = default;

    /// Null if the client is gone.
    virtual Applicant* applicant(ClientId id) = 0;
    /// Step "Place": fills in what it is granted.
    virtual std::optional<session::Refusal> give_place(Applicant& client, TimePoint now) = 0;
    /// The last step: the session is told.
    virtual void let_in(Applicant& client) = 0;
    /// A decision was made while the session was not waiting in the middle of a call.
    virtual void decided(Applicant& client, TimePoint now) = 0;
    [[nodiscard]] virtual std::int64_t unix_time(TimePoint now) const = 0;
};

/// See the head of this file.
class Admission {
public:
    /// All must outlive the object. @p hooks may be null if no setting needs them.
    Admission(const AdmissionSettings& settings, Addresses& addresses, Networks& networks,
              ClientHooks* hooks, AdmissionHost& host)
        : settings_(settings), addresses_(addresses), networks_(networks), hooks_(hooks),
          host_(host) {}

    /// The first key method 2 of a client: ends with ServerSession::admit().
    void ask(Applicant& client, const wire::KeyMethod2& theirs, TimePoint now);
    /// A later one: ends with ServerSession::confirm().
    void confirm(Applicant& client, std::uint8_t key_id, const wire::KeyMethod2& theirs,
                 TimePoint now);

    /// The option that gives a client its token.
    [[nodiscard]] std::string token_option(const Applicant& client) const;

private:
    using Refused = std::optional<session::Refusal>;
    using Then = std::function<void(Applicant&, Refused, TimePoint)>;

    void verify_user(Applicant& client, const wire::KeyMethod2& theirs, TimePoint now, Then then);
    void verify_token(Applicant& client, const std::string& username, ByteView password,
                      TimePoint now, const Then& then);
    void verified(Applicant& client, const Refused& refusal, TimePoint now);
    Refused look_up(Applicant& client) const;
    void connected(Applicant& client);
    Refused use_special(Applicant& client);
    void learn(Applicant& client);
    void addresses_learned(Applicant& client, const std::vector<bool>& accepted);

    const AdmissionSettings& settings_;
    Addresses& addresses_;
    Networks& networks_;
    ClientHooks* hooks_;
    AdmissionHost& host_;
};

} // namespace nfovpn::server
