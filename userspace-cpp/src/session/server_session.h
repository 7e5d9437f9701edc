// SPDX-License-Identifier: GPL-2.0-or-later
//
// One client, as the server sees it: session.h, with the server's decisions.
//
// What the host decides about a negotiation falls between the client's key method 2, which brings
// user name and password, and ours. It may take its time, as long as the handshake's.
//
// A point-to-point peer is a client that is pushed nothing: it is up with our key method 2.
#pragma once

#include "session/session.h"

#include <string>

namespace nfovpn::session {

/// What all sessions of a server have in common.
struct ServerSessionSettings : SessionSettings {
    NegotiationSettings negotiation;
    std::vector<std::string> push; ///< options pushed to every client
    bool point_to_point = false;   ///< there is one peer, which is pushed nothing
};

/// What a client is given when it is let in.
struct Assignment {
    std::uint32_t peer_id = 0; ///< another one may be agreed upon with a point-to-point peer
    Ipv4 address;              ///< inside the tunnel
    Ipv4 second;               ///< its netmask, or the other end's address, by the topology
    std::optional<std::vector<std::string>> push; ///< its options in place of everybody's
};

/// Why a client is not let in. Temporary reasons (server full) make it try again later.
struct Refusal {
    std::string reason;
    bool temporary = false;
    /// The client is told the reason: always of temporary ones, and else of those that somebody has
    /// written for it. The rest is for the log, as with OpenVPN.
    bool told = false;
};

class ServerSession;

/// What a server's session asks besides.
class ServerSessionHost : public SessionHost {
public:
    /// The client's certificate is verified, if it has one, and its first key method 2 is here: may
    /// it come in, and as what? To be answered by ServerSession::admit(), at once or later.
    virtual void asks_admission(ServerSession& session, const wire::KeyMethod2& theirs,
                                TimePoint now) = 0;

    /// The same at a renegotiation: may it stay? To be answered by ServerSession::confirm().
    virtual void asks_confirmation(ServerSession& session, std::uint8_t key_id,
                                   const wire::KeyMethod2& theirs, TimePoint now) = 0;
};

/// See the head of this file.
class ServerSession final : public Session {
public:
    /// A session of a client that has answered the cookie @p local_id; or one that begins with its
    /// first packet, to which @p reset is the answer.
    ServerSession(const ServerSessionSettings& settings, const TlsContext& tls,
                  ServerSessionHost& host, const wire::SessionId& remote_id,
                  const wire::SessionId& local_id, TimePoint now,
                  std::optional<wire::Opcode> reset = std::nullopt);

    /// One of another process, which had admitted the client; it begins to negotiate new keys at
    /// @p renegotiate_at. @p peer_info: its lines.
    ServerSession(const ServerSessionSettings& settings, const TlsContext& tls,
                  ServerSessionHost& host, const SavedSession& saved, const Assignment& assignment,
                  const Environment& peer_info, TimePoint now, TimePoint renegotiate_at);

    /// Whether another process could go on with it: it is up, and the client has had all that it
    /// needs.
    [[nodiscard]] bool can_be_saved();

    /// The host's answer to asks_admission(), given once. Takes effect when the session is next
    /// called: whoever answers later than at once calls tick().
    void admit(Result<Assignment, Refusal> answer);

    /// The host's answer to asks_confirmation(); likewise. Without effect if that negotiation has
    /// been given up meanwhile.
    void confirm(std::uint8_t key_id, std::optional<Refusal> refusal);

    /// The user by whose name the client is known from now on, in place of its certificate's
    /// common name.
    void rename(std::string common_name) { common_name_ = std::move(common_name); }

    /// Tells the client that the server stops ("RESTART": connect again; "RESTART,[N]": to the
    /// next server of its list; "HALT": not again; "EXIT", at once if it would not understand it)
    /// and closes when that is acknowledged. With an empty message it closes at once.
    void restart_client(TimePoint now, std::string_view message, const std::string& reason);

    /// Set when the host has let the client in.
    [[nodiscard]] const std::optional<Assignment>& assignment() const { return assignment_; }
    [[nodiscard]] const wire::PeerInfo& peer_info() const { return peer_info_; }

private:
    enum class Decision { Unasked, Pending, Made };

    void advance_first(Negotiation& n, TimePoint now) override;
    void advance_later(Negotiation& n, TimePoint now) override;
    [[nodiscard]] bool locks_certificate() const override { return true; }
    [[nodiscard]] bool may_promote(const Negotiation& n, TimePoint now) const override;
    void handle_message(const std::string& message, TimePoint now) override;
    void role_tick(TimePoint now) override;
    [[nodiscard]] TimePoint role_deadline() const override;
    void next_begins() override { next_decision_ = Decision::Unasked; }

    void exchange_key_methods(Negotiation& n, TimePoint now);
    void agree(const Negotiation& n);
    bool derive(Negotiation& n, const wire::KeySource& own, KeyMaterial& out) const;
    void refuse(const Refusal& refusal, TimePoint now);
    void push(TimePoint now);
    [[nodiscard]] bool awaits_push_request() const { return state_ == State::Up && !pushed_at_; }

    const ServerSessionSettings& server_settings_;
    ServerSessionHost& server_host_;
    std::optional<Assignment> assignment_;
    std::optional<Refusal> refusal_;
    Decision first_decision_ = Decision::Unasked;
    Decision next_decision_ = Decision::Unasked;
    wire::PeerInfo peer_info_;
    std::optional<TimePoint> pushed_at_;
    bool resumed_ = false; ///< of another process, and what it was pushed is forgotten
    bool settled_ = false; ///< the client has had what it was pushed
};

} // namespace nfovpn::session
