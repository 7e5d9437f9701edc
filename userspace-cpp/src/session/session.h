// SPDX-License-Identifier: GPL-2.0-or-later
//
// One client, as the server sees it, from its first authenticated packet to its end.
//
// A session lives through several negotiations of keys. At most three are remembered:
//
//     next      being negotiated; its key, once derived, decrypts (kernel: secondary slot)
//     current   its key encrypts and decrypts (primary slot)
//     previous  only decrypts (secondary slot) until the transition window ends
//
// When does who use a new key? A client encrypts with it as soon as it has the server's key
// method 2, so the server must be able to decrypt *before* that message leaves. The server in turn
// may only encrypt once the client can decrypt, which is certain when the client has acknowledged
// that same message: it carries the ACKs of everything that the client had on the way, so the
// client has nothing left to wait for. Hence, for a renegotiation:
//
//     client                                     server                kernel's slots   1st  2nd
//     SOFT_RESET ⇄ SOFT_RESET, TLS                                                      old  -
//     key method 2 ─────────────────────────────▶ derives keys,  install new            old  new
//                ◀───────────────────────────────  key method 2
//     encrypts with new ═══════ data ════════════▶ decrypts, encrypts with old still    old  new
//     ACK ──────────────────────────────────────▶ swap                                  new  old
//                ◀══════════════ data ═══════════  encrypts with new
//                                                  transition window ends, delete       new  -
//
// At no time is there a packet in flight whose key the receiver lacks. The first negotiation is
// simpler: its key goes into the primary slot at once, since nothing is sent before the client has
// its push reply and so its own keys.
//
// The session decides nothing about users, addresses, limits or the kernel: it asks its host. The
// host's decision about a negotiation falls between the client's key method 2, which brings user
// name and password, and ours. It may take its time, as long as the handshake's.
#pragma once

#include "session/negotiate.h"
#include "session/negotiation.h"

#include <memory>
#include <string>

namespace nfovpn::session {

/// What all sessions of a server have in common.
struct SessionSettings {
    NegotiationSettings negotiation;
    std::vector<std::string> push; ///< options pushed to every client
    std::uint32_t tun_mtu = 1500;
    Duration renegotiate_after = std::chrono::seconds(3600); ///< 0: never by the server
    Duration handshake_window = std::chrono::seconds(60);
    Duration transition_window = std::chrono::seconds(3600);
    ReliableConfig reliable;
    std::size_t max_packet = 1200;
};

/// What a client is given when it is let in.
struct Assignment {
    std::uint32_t peer_id = 0;
    Ipv4 address; ///< inside the tunnel
    Ipv4 netmask;
    std::optional<std::vector<std::string>> push; ///< its options in place of everybody's
};

/// Why a client is not let in. Temporary reasons (server full) make it try again later.
struct Refusal {
    std::string reason;
    bool temporary = false;
};

class Session;

/// What a session needs from whoever runs it. Called only from within the session's methods; must
/// not destroy the session from there.
class SessionHost {
public:
    virtual ~SessionHost() = default;

    /// Sends a datagram to the session's client.
    virtual void send(Session& session, ByteView datagram) = 0;

    /// The client's certificate is verified, if it has one, and its first key method 2 is here: may
    /// it come in, and as what? To be answered by Session::admit(), at once or later.
    virtual void asks_admission(Session& session, const wire::KeyMethod2& theirs,
                                TimePoint now) = 0;

    /// The same at a renegotiation: may it stay? To be answered by Session::confirm().
    virtual void asks_confirmation(Session& session, std::uint8_t key_id,
                                   const wire::KeyMethod2& theirs, TimePoint now) = 0;

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

    /// A session of a client that has answered the cookie @p local_id; or one that begins with its
    /// first packet, to which @p reset is the answer.
    Session(const SessionSettings& settings, const TlsContext& tls, SessionHost& host,
            const wire::SessionId& remote_id, const wire::SessionId& local_id, TimePoint now,
            std::optional<wire::Opcode> reset = std::nullopt);

    /// Takes in a control packet that came from the client's address.
    void receive(const wire::ControlPacket& packet, TimePoint now);

    /// The host's answer to asks_admission(), given once. Takes effect when the session is next
    /// called: whoever answers later than at once calls tick().
    void admit(Result<Assignment, Refusal> answer);

    /// The host's answer to asks_confirmation(); likewise. Without effect if that negotiation has
    /// been given up meanwhile.
    void confirm(std::uint8_t key_id, std::optional<Refusal> refusal);

    /// The user by whose name the client is known from now on, in place of its certificate's
    /// common name.
    void rename(std::string common_name) { common_name_ = std::move(common_name); }

    /// A control message for the client; leaves when the session is next called, or now from within
    /// a call.
    void send_message(std::string_view text) { current_->send_message(text); }

    /// Does what has become due. To be called at deadline() at the latest.
    void tick(TimePoint now);
    [[nodiscard]] TimePoint deadline() const;

    /// Starts a negotiation of new keys unless one is under way.
    void renegotiate(TimePoint now);

    /// Tells the client that the server stops ("RESTART": connect again; "RESTART,[N]": to the
    /// next server of its list; "HALT": not again) and closes when that is acknowledged.
    void restart_client(TimePoint now, std::string_view message, const std::string& reason);

    /// Ends the session without a word: the client has left or is unreachable.
    void close(std::string reason);

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] const std::string& close_reason() const { return close_reason_; }
    [[nodiscard]] const wire::SessionId& remote_id() const { return remote_id_; }
    [[nodiscard]] const wire::SessionId& local_id() const { return local_id_; }
    /// The verified certificate's, or the one it was renamed to; empty before, or without.
    [[nodiscard]] const std::string& common_name() const { return common_name_; }
    /// Set when the host has let the client in.
    [[nodiscard]] const std::optional<Assignment>& assignment() const { return assignment_; }
    [[nodiscard]] const DataChannelChoice& choice() const { return choice_; }
    [[nodiscard]] const wire::PeerInfo& peer_info() const { return peer_info_; }
    [[nodiscard]] const TlsStream& tls() const { return current_->tls(); }
    [[nodiscard]] Duration handshake_time() const { return handshake_time_; }
    [[nodiscard]] unsigned renegotiations() const { return renegotiations_; }

private:
    enum class Decision { Unasked, Pending, Made };

    std::unique_ptr<Negotiation> negotiation(std::uint8_t key_id, TimePoint now,
                                             std::optional<wire::Opcode> reset);
    Negotiation* by_key_id(std::uint8_t key_id);
    [[nodiscard]] std::uint8_t next_key_id() const;
    [[nodiscard]] TimePoint push_deadline() const {
        return current_->started() + settings_.handshake_window;
    }

    void advance(TimePoint now);
    void advance_current(TimePoint now);
    void advance_next(TimePoint now);
    void exchange_key_methods(Negotiation& n, TimePoint now);
    bool identify(Negotiation& n);
    void agree(std::string_view options);
    bool derive(Negotiation& n, const wire::KeySource& own, KeyMaterial& out) const;
    void refuse(const Refusal& refusal, TimePoint now);
    void push(TimePoint now);
    void handle_messages(Negotiation& n, TimePoint now);
    void promote_next(TimePoint now);
    void abandon_next(TimePoint now, const std::string& why);
    void start_next(std::uint8_t key_id, TimePoint now);
    void transmit(TimePoint now);
    void schedule_renegotiation(TimePoint now);

    const SessionSettings& settings_;
    const TlsContext& tls_context_;
    SessionHost& host_;
    wire::SessionId remote_id_;
    wire::SessionId local_id_;

    State state_ = State::Handshaking;
    std::string close_reason_;
    TimePoint closing_until_ = kNever;
    std::string certificate_name_; ///< common name of the first certificate
    std::string common_name_;
    std::optional<Assignment> assignment_;
    std::optional<Refusal> refusal_;
    Decision first_decision_ = Decision::Unasked;
    Decision next_decision_ = Decision::Unasked;
    DataChannelChoice choice_;
    wire::PeerInfo peer_info_;
    Duration handshake_time_{};

    std::unique_ptr<Negotiation> current_;
    std::unique_ptr<Negotiation> next_;
    std::unique_ptr<Negotiation> previous_;
    std::uint8_t last_key_id_ = 0;
    TimePoint renegotiate_at_ = kNever;
    TimePoint retire_at_ = kNever;
    std::optional<TimePoint> pushed_at_;
    unsigned renegotiations_ = 0;
    unsigned failed_renegotiations_ = 0;
};

} // namespace nfovpn::session
