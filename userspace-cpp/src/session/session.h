// SPDX-License-Identifier: GPL-2.0-or-later
//
// One session, from its first authenticated packet to its end: what both roles do alike. What a
// server decides about its client is in server_session.h, what a client makes of its server's
// answers in client_session.h.
//
// A session lives through several negotiations of keys. At most three are remembered:
//
//     next      being negotiated; its key, once derived, decrypts (kernel: secondary slot)
//     current   its key encrypts and decrypts (primary slot)
//     previous  only decrypts (secondary slot) until the transition window ends
//
// When does who use a new key? Whoever encrypts must know that the other side can decrypt by then.
// A server derives its key before its key method 2 leaves, and encrypts with it as soon as the
// client has acknowledged that message: it carries the ACKs of everything that the client had on
// the way, so the client has nothing left to wait for. Hence, for a renegotiation:
//
//     client                                     server                server's slots   1st  2nd
//     SOFT_RESET ⇄ SOFT_RESET, TLS                                                      old  -
//     key method 2 ─────────────────────────────▶ derives keys,  install new            old  new
//     install new ◀─────────────────────────────  key method 2
//     ACK ──────────────────────────────────────▶ swap                                  new  old
//                ◀══════════════ data ═══════════  encrypts with new
//     some time later: swap
//     encrypts with new ═══════ data ════════════▶
//                                                  transition window ends, delete       new  -
//
// A client cannot know that its ACK has arrived, and stock servers derive their keys only then, and
// forget the key before the last when they begin again. So it goes on with the old key until its
// server has said nothing more for longer than it would wait for that ACK. At no time is there a
// packet in flight whose key the receiver lacks. The first negotiation is simpler, its key goes
// into the primary slot at once: nothing is sent before.
//
// The session decides nothing about users, addresses, limits or the kernel: it asks its host.
#pragma once

#include "session/negotiate.h"
#include "session/negotiation.h"

#include <memory>
#include <string>

namespace nfovpn::session {

/// What all sessions of one side have in common.
struct SessionSettings {
    std::uint32_t tun_mtu = 1500;
    Duration renegotiate_after = std::chrono::seconds(3600); ///< 0: never by us
    Duration handshake_window = std::chrono::seconds(60);
    Duration transition_window = std::chrono::seconds(3600);
    ReliableConfig reliable;
    std::size_t max_packet = 1200;
};

/// A session that is up, for another process to go on with. No TLS is in it: the session is good
/// for nothing but new keys, and for them a negotiation of their own begins.
struct SavedSession {
    wire::SessionId remote_id{};
    wire::SessionId local_id{};
    std::string common_name;
    std::optional<std::string> certificate_name;
    std::vector<Fingerprint> fingerprints;
    DataChannelChoice choice;     ///< without doubts
    std::uint8_t key_id = 0;      ///< that encrypts
    std::uint8_t last_key_id = 0; ///< of the negotiation that was begun last
    unsigned renegotiations = 0;
    std::string tls_version;
    std::string tls_cipher;
    Environment peer_environment; ///< see TlsStream
};

class Session;

/// What a session needs from whoever runs it. Called only from within the session's methods; must
/// not destroy the session from there.
class SessionHost {
public:
    virtual ~SessionHost() = default;

    /// Sends a datagram to the session's peer.
    virtual void send(Session& session, ByteView datagram) = 0;

    /// The format of the data channel is negotiated: the data plane learns of the peer here, before
    /// it has keys. False if it refuses.
    virtual bool add_peer(Session& session) = 0;

    /// Puts a key into a slot. False if the data plane refuses; the session then ends.
    virtual bool install_key(Session& session, KeySlot slot, std::uint8_t key_id,
                             const DataKeys& keys) = 0;
    virtual bool swap_keys(Session& session) = 0;
    virtual void delete_key(Session& session, KeySlot slot) = 0;

    /// The first keys are in place and the client is told its address.
    virtual void up(Session& session) = 0;

    /// A renegotiation has ended: the new key encrypts.
    virtual void renegotiated(Session& session, Duration took) = 0;

    /// Something an administrator may want to know.
    virtual void notice(Session& session, std::string_view text) = 0;
};

/// See the head of this file.
class Session {
public:
    enum class State {
        Handshaking, ///< no keys yet
        Up,          ///< data flows
        Closing,     ///< a last message is on its way
        Closed,      ///< to be destroyed by the host
    };

    virtual ~Session() = default;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// Takes in a control packet that came from the peer's address.
    virtual void receive(const wire::ControlPacket& packet, TimePoint now);

    /// A control message for the peer; leaves when the session is next called, or now from within
    /// a call.
    void send_message(std::string_view text) {
        if (auto* n = speaking())
            n->send_message(text);
    }

    /// Does what has become due. To be called at deadline() at the latest.
    void tick(TimePoint now);
    [[nodiscard]] TimePoint deadline() const;

    /// Starts a negotiation of new keys unless one is under way.
    void renegotiate(TimePoint now);

    /// Ends the session without a word: the peer has left or is unreachable.
    void close(std::string reason);

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] const std::string& close_reason() const { return close_reason_; }
    [[nodiscard]] const wire::SessionId& remote_id() const { return remote_id_; }
    [[nodiscard]] const wire::SessionId& local_id() const { return local_id_; }
    /// The verified certificate's; empty before, or without.
    [[nodiscard]] const std::string& common_name() const { return common_name_; }
    [[nodiscard]] const DataChannelChoice& choice() const { return choice_; }
    /// "TLSv1.3"; "TLS_AES_256_GCM_SHA384"; what programs are told of the peer's certificates.
    [[nodiscard]] std::string tls_version() const {
        return current_ ? current_->tls().version() : tls_version_;
    }
    [[nodiscard]] std::string tls_cipher() const {
        return current_ ? current_->tls().cipher() : tls_cipher_;
    }
    [[nodiscard]] Environment peer_environment() const {
        return current_ ? current_->tls().peer_environment() : peer_environment_;
    }
    [[nodiscard]] Duration handshake_time() const { return handshake_time_; }
    [[nodiscard]] unsigned renegotiations() const { return renegotiations_; }
    /// The peer's certificates, in DER, its own first; none of a session of another process until
    /// it has new keys.
    [[nodiscard]] std::vector<Bytes> peer_certificates() const {
        return current_ ? current_->tls().peer_certificates() : std::vector<Bytes>();
    }
    /// Of the negotiation that was begun last.
    [[nodiscard]] std::uint8_t last_key_id() const { return last_key_id_; }

    /// For another process; of one that is up.
    [[nodiscard]] SavedSession saved() const;

protected:
    /// @p start: of the first negotiation.
    Session(const SessionSettings& settings, const TlsContext& tls, SessionHost& host,
            const NegotiationStart& start, TimePoint now);
    /// One that is up, by keys which the data plane has.
    Session(const SessionSettings& settings, const TlsContext& tls, SessionHost& host,
            const SavedSession& saved, TimePoint renegotiate_at);

    // ---- what the roles do each in its way

    /// Takes the first negotiation further; called in state Handshaking.
    virtual void advance_first(Negotiation& n, TimePoint now) = 0;
    /// Takes a later one further, its peer's certificate being that of the first.
    virtual void advance_later(Negotiation& n, TimePoint now) = 0;
    /// Whether the key of a later one, which is in its slot, is to encrypt from now on.
    /// Whether the peer must keep its very certificate, or only its name.
    [[nodiscard]] virtual bool locks_certificate() const = 0;
    [[nodiscard]] virtual bool may_promote(const Negotiation& n, TimePoint now) const = 0;
    /// Acts upon a control message.
    virtual void handle_message(const std::string& message, TimePoint now) = 0;
    /// Time limits of the role, besides those of both.
    virtual void role_tick(TimePoint now) = 0;
    [[nodiscard]] virtual TimePoint role_deadline() const = 0;
    /// A later negotiation begins.
    virtual void next_begins() = 0;

    // ---- what both use

    void advance(TimePoint now);
    void handle_messages(Negotiation& n, TimePoint now);
    bool install(Negotiation& n, const KeyMaterial& material);
    /// Of point-to-point peers, by choice_; nothing if their packets have none.
    [[nodiscard]] std::optional<std::uint32_t> agreed_peer_id(const Negotiation& n) const;
    void linger(TimePoint now, std::string reason, Duration time);
    void transmit(TimePoint now);
    void schedule_renegotiation(TimePoint from);
    [[nodiscard]] bool is_first(const Negotiation& n) const { return &n == current_.get(); }
    /// Whose control channel the peer listens to. Null until a session of another process has new
    /// keys.
    [[nodiscard]] Negotiation* speaking() { return next_has_key_ ? next_.get() : current_.get(); }
    [[nodiscard]] const Negotiation* speaking() const {
        return next_has_key_ ? next_.get() : current_.get();
    }

    const SessionSettings& settings_;
    SessionHost& host_;
    wire::SessionId remote_id_;
    wire::SessionId local_id_;
    State state_ = State::Handshaking;
    std::string close_reason_;
    std::string common_name_;
    DataChannelChoice choice_;
    Duration handshake_time_{};
    TimePoint handshake_until_;            ///< the first negotiation must have ended by then
    std::unique_ptr<Negotiation> current_; ///< null: its key is there, of another process
    std::unique_ptr<Negotiation> next_;
    std::unique_ptr<Negotiation> previous_;
    bool next_has_key_ = false; ///< and the data plane has it

private:
    std::unique_ptr<Negotiation> later_negotiation(std::uint8_t key_id, TimePoint now) const;
    Negotiation* by_key_id(std::uint8_t key_id);
    [[nodiscard]] std::uint8_t next_key_id() const;
    void advance_current(TimePoint now);
    void advance_next(TimePoint now);
    bool identify(Negotiation& n);
    void promote_next(TimePoint now);
    void abandon_next(TimePoint now, const std::string& why);
    void start_next(std::uint8_t key_id, TimePoint now);

    const TlsContext& tls_context_;
    TimePoint closing_until_ = kNever;
    std::optional<std::string> certificate_name_; ///< common name of the first certificate
    std::vector<Fingerprint> fingerprints_;       ///< of it and its authorities
    std::string tls_version_;                     ///< where there is no current_
    std::string tls_cipher_;
    Environment peer_environment_;
    std::uint8_t key_id_ = 0; ///< that encrypts
    std::uint8_t last_key_id_ = 0;
    TimePoint renegotiate_at_ = kNever;
    TimePoint retire_at_ = kNever;
    unsigned renegotiations_ = 0;
    unsigned failed_renegotiations_ = 0;
};

/// Fills a key source with random bytes, of a client with the pre-master secret. False if there are
/// none.
bool random_key_source(wire::KeySource& source, wire::Role role);

} // namespace nfovpn::session
