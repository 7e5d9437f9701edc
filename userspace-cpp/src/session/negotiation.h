// SPDX-License-Identifier: GPL-2.0-or-later
//
// One negotiation of keys: everything that happens under one key ID. It ties the reliability layer
// to a TLS session and carries the exchange to its end:
//
//     reset ⇄ reset      the first key: HARD_RESET (or the stateless cookie in its place);
//                        every later one: SOFT_RESET, sent by whoever wants new keys
//     TLS handshake
//     client's key method 2 ──▶  ◀── server's key method 2
//     control messages, as long as the key lives
//
// Both roles are here: a client differs in who starts TLS and who writes key method 2 first. What
// is *decided* (is this client welcome, which cipher) is the session's business; this class asks
// nobody anything. It holds no socket and no clock.
#pragma once

#include "session/reliable.h"
#include "session/tls.h"
#include "wire/push.h"

#include <functional>
#include <optional>
#include <string>

namespace nfovpn::session {

/// What a negotiation starts from.
struct NegotiationStart {
    std::uint8_t key_id = 0;
    wire::SessionId local{};
    wire::SessionId remote{}; ///< all zero as long as a client does not know it
    /// The reset that is sent as message 0; none if a cookie has taken its place and the peer's
    /// reset was answered already.
    std::optional<wire::Opcode> reset;
    ReliableConfig reliable;
    std::size_t max_packet = 1200; ///< bytes of UDP payload in what is sent
    /// Of a client's wrapped key, if it has one: the packet that brings it again must have room.
    std::size_t wrapped_key = 0;
};

/// The control channel of one key.
class Negotiation {
public:
    Negotiation(const TlsContext& tls, const NegotiationStart& start, TimePoint now);

    /// Takes in a packet of this key ID. False if it belongs to other session IDs.
    bool receive(const wire::ControlPacket& packet, TimePoint now);

    /// Writes our key method 2; to be called once, after established().
    void send_key_method(const wire::KeyMethod2& message);

    /// Writes a control message; after send_key_method().
    void send_message(std::string_view text);

    /// Hands every packet that is due to @p send, ACKs included.
    void transmit(TimePoint now, const std::function<void(ByteView)>& send);

    /// When transmit() will have something to do.
    [[nodiscard]] TimePoint deadline() const;

    [[nodiscard]] std::uint8_t key_id() const { return start_.key_id; }
    [[nodiscard]] TimePoint started() const { return started_; }
    [[nodiscard]] const TlsStream& tls() const { return tls_; }
    [[nodiscard]] const wire::SessionId& remote_id() const { return start_.remote; }

    /// TLS is up and the peer's certificate verified.
    [[nodiscard]] bool established() const { return tls_.established(); }
    [[nodiscard]] bool failed() const { return tls_.failed() || !failure_.empty(); }
    [[nodiscard]] std::string failure() const {
        return failure_.empty() ? tls_.failure() : failure_;
    }

    /// The peer's key method 2, once it is here.
    [[nodiscard]] const std::optional<wire::KeyMethod2>& peer_key_method() const {
        return peer_key_method_;
    }
    /// Forgets (wipes) what is secret in the peer's key method 2; it still counts as received.
    void forget_peer_key_method() {
        peer_key_method_->key_source = {};
        peer_key_method_->password = {};
    }

    [[nodiscard]] bool key_method_sent() const { return key_method_sent_; }

    /// Control messages that came since the last call. As long as nobody asks for them, the peer's
    /// packets are not read: they fill the receiver's window and are not acknowledged any more.
    std::vector<std::string> take_messages();

    /// The peer has received all that was ever written here.
    [[nodiscard]] bool all_acknowledged() const;

    [[nodiscard]] std::uint64_t retransmissions() const { return sender_.retransmissions(); }

private:
    void process();
    void take_plaintext();
    [[nodiscard]] bool held() const;
    void queue_ciphertext();

    NegotiationStart start_;
    TimePoint started_;
    TlsStream tls_;
    wire::Role role_;
    ReliableSender sender_;
    ReliableReceiver receiver_;
    bool reset_seen_;         ///< the peer's message 0 is here
    bool reset_acknowledged_; ///< and it has ours
    bool bring_key_ = false;  ///< the server wants to see the wrapped key with what comes next
    SecretBytes plaintext_;   ///< an incomplete key method 2
    std::optional<wire::KeyMethod2> peer_key_method_;
    bool key_method_sent_ = false;
    wire::MessageSplitter splitter_;
    std::string failure_;
};

} // namespace nfovpn::session
