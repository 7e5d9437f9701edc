// SPDX-License-Identifier: GPL-2.0-or-later
//
// The server, as its client sees it: session.h, with what a client does.
//
//     reset ⇄ reset, TLS, key methods     user name and password go along
//     PUSH_REQUEST, until there is an answer; servers that can answer without being asked
//     PUSH_REPLY, in one message or several ─▶ what to encrypt with, and the tunnel's network
//     AUTH_FAILED, RESTART, HALT, EXIT        the session ends, and Ending says what comes then
//
// A point-to-point peer is no server, and pushes nothing: with both key methods there all is known.
#pragma once

#include "session/session.h"

#include <optional>
#include <string>

namespace nfovpn::session {

/// What all sessions of a client have in common.
struct ClientSessionSettings : SessionSettings {
    NegotiationSettings negotiation;
    bool pull = true; ///< else the server is a point-to-point peer, and own_options are all
    std::vector<wire::PullFilter> pull_filters;
    std::vector<std::string> own_options; ///< as if the server had pushed them first
    std::string version = "nf-ovpnd";     ///< IV_VER
    Environment peer_info;                ///< lines of the administrator's
};

/// What a client should do after a session's end.
enum class Ending {
    Failed,     ///< it came to nothing, or broke off: another try, at the next server
    Again,      ///< the server wants it to connect again
    NextServer, ///< … to the next of its list
    AuthFailed, ///< user name, password or the like are wrong: no further try with these
    Halted,     ///< the server does not want it
    Left,       ///< it was told to go
};

class ClientSession;

/// Who goes in by what.
struct Credentials {
    std::string username; ///< empty: none
    SecretBytes password;
};

/// What a client's session asks besides.
class ClientSessionHost : public SessionHost {
public:
    /// For a key method 2. Nothing: somebody has to be asked first, and the session is to be called
    /// when that is known; meanwhile time goes on.
    virtual std::optional<Credentials> credentials() = 0;
    /// A token that stands for the password from now on.
    virtual void told_token(const std::string& username, SecretBytes token) = 0;
    /// The server wants the user to know that; as it came.
    virtual void information(std::string_view text) = 0;
    /// The server asks somebody else first; @p words as they came, "timeout 120" for instance.
    virtual void auth_pending(std::string_view words) = 0;
};

/// See the head of this file.
class ClientSession final : public Session {
public:
    /// Begins with @p reset. @p wrapped_key: the length of the key that the host puts behind
    /// packets that bring it.
    ClientSession(const ClientSessionSettings& settings, const TlsContext& tls,
                  ClientSessionHost& host, const wire::SessionId& local_id, wire::Opcode reset,
                  std::size_t wrapped_key, TimePoint now);

    void receive(const wire::ControlPacket& packet, TimePoint now) override;

    /// Closes; with a good-bye, if one is wanted and the server understands it, when that is
    /// acknowledged.
    void leave(TimePoint now, const std::string& reason, bool say_goodbye);

    /// Whether the server has answered at all.
    [[nodiscard]] bool answered() const;
    /// Whether TLS is up, and both sides have said who they are.
    [[nodiscard]] bool authenticated() const { return ask_at_ != kNever; }
    /// What the server has pushed, or of a point-to-point peer what is agreed; complete from
    /// add_peer() on.
    [[nodiscard]] const wire::PushedOptions& pushed() const { return pushed_; }
    [[nodiscard]] Ending ending() const { return ending_; }
    /// What the server has said with AUTH_FAILED, as it came; nothing if it has not said that.
    [[nodiscard]] const std::optional<std::string>& refusal() const { return refusal_; }
    /// How long the server wants to be left alone after that.
    [[nodiscard]] std::optional<Duration> back_off() const { return back_off_; }

private:
    void advance_first(Negotiation& n, TimePoint now) override;
    void advance_later(Negotiation& n, TimePoint now) override;
    [[nodiscard]] bool locks_certificate() const override { return false; }
    [[nodiscard]] bool may_promote(const Negotiation& n, TimePoint now) const override;
    void handle_message(const std::string& message, TimePoint now) override;
    void role_tick(TimePoint now) override;
    [[nodiscard]] TimePoint role_deadline() const override;
    void next_begins() override {}

    [[nodiscard]] TimePoint promote_at(const Negotiation& n) const;
    bool send_key_method(Negotiation& n, wire::KeySource& source);
    bool derive(Negotiation& n, const wire::KeySource& own, KeyMaterial& out) const;
    void push_reply(const std::string& message, TimePoint now);
    void pushed_all(TimePoint now);
    void agree(Negotiation& n, TimePoint now);
    void begin_data(TimePoint now);
    void auth_failed(std::string_view rest);
    void auth_pending(std::string_view rest, TimePoint now);
    void end(Ending ending, const std::string& reason);

    const ClientSessionSettings& client_settings_;
    ClientSessionHost& client_host_;
    wire::KeySource first_source_;
    wire::KeySource next_source_;
    std::string server_options_;
    TimePoint next_heard_{};    ///< when the last packet of the next negotiation has come
    TimePoint ask_at_ = kNever; ///< for the push reply
    std::vector<std::string> collected_;
    std::size_t collected_bytes_ = 0;
    wire::PushedOptions pushed_;
    Ending ending_ = Ending::Failed;
    std::optional<std::string> refusal_;
    std::optional<Duration> back_off_;
};

} // namespace nfovpn::session
