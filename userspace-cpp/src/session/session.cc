// SPDX-License-Identifier: GPL-2.0-or-later
//
// The life of one client's session; session.h draws it. Everything funnels into advance(): take
// each negotiation as far as it goes, then send what that produced.

#include "session/session.h"

#include <openssl/rand.h>

#include <algorithm>
#include <utility>

namespace nfovpn::session {

namespace {

using std::chrono::seconds;

// A push request within this time of the last reply is a retransmission by an impatient client;
// the reply is on its way and cannot be lost.
constexpr Duration kPushAgain = seconds(30);

// How long a last message (AUTH_FAILED, a TLS alert) is repeated.
constexpr Duration kLinger = seconds(5);

// The same for RESTART. Stock clients obey without an ACK, and whoever stops the daemon waits: time
// for one repetition.
constexpr Duration kRestartLinger = std::chrono::milliseconds(2500);

// After a failed renegotiation the next try is not at once, and after some the session ends.
constexpr Duration kRenegotiateAgain = seconds(10);
constexpr unsigned kMaxFailedRenegotiations = 3;

// A client that asks for new keys more often than this waits.
constexpr Duration kShortestKeyLife = seconds(1);

bool random_key_source(wire::KeySource& source) {
    auto fill = [](std::span<std::uint8_t> out) {
        return RAND_bytes(out.data(), static_cast<int>(out.size())) == 1;
    };
    return fill(source.random1.writable()) && fill(source.random2.writable());
}

} // namespace

Session::Session(const SessionSettings& settings, const TlsContext& tls, SessionHost& host,
                 const wire::SessionId& remote_id, const wire::SessionId& local_id, TimePoint now,
                 std::optional<wire::Opcode> reset)
    : settings_(settings), tls_context_(tls), host_(host), remote_id_(remote_id),
      local_id_(local_id), current_(negotiation(0, now, reset)) {}

std::unique_ptr<Negotiation> Session::negotiation(std::uint8_t key_id, TimePoint now,
                                                  std::optional<wire::Opcode> reset) {
    NegotiationStart start;
    start.key_id = key_id;
    start.local = local_id_;
    start.remote = remote_id_;
    start.reset = reset;
    start.reliable = settings_.reliable;
    start.max_packet = settings_.max_packet;
    return std::make_unique<Negotiation>(tls_context_, start, now);
}

Negotiation* Session::by_key_id(std::uint8_t key_id) {
    for (auto* n : {current_.get(), next_.get(), previous_.get()}) {
        if (n && n->key_id() == key_id)
            return n;
    }
    return nullptr;
}

std::uint8_t Session::next_key_id() const {
    // 0 is for the first negotiation of a session only.
    return static_cast<std::uint8_t>(last_key_id_ % 7 + 1);
}

void Session::receive(const wire::ControlPacket& packet, TimePoint now) {
    if (state_ == State::Closed || packet.session_id != remote_id_)
        return;
    bool wants_keys = packet.opcode == wire::Opcode::SoftResetV1 && state_ == State::Up;
    auto* n = by_key_id(packet.key_id);
    // With seven key IDs in turn, the one of "previous" comes back only after six others.
    if (!n && wants_keys) {
        // A client negotiates again when it has finished the last time, or when it has given up.
        // With both key methods exchanged there is nothing left to give up but time, and that
        // ends for us as well: so it has finished, and its ACK was lost.
        if (next_ && next_->key_method_sent())
            promote_next(now);
        else if (next_)
            abandon_next(now, "the client has started another one");
        if (state_ != State::Up || now - current_->started() < kShortestKeyLife)
            return;
        start_next(packet.key_id, now);
        n = next_.get();
    }
    if (n && n->receive(packet, now))
        advance(now);
}

void Session::tick(TimePoint now) {
    if (state_ == State::Closed)
        return;
    if (state_ == State::Closing && now >= closing_until_) {
        state_ = State::Closed;
        return;
    }
    if (state_ == State::Handshaking && now >= current_->started() + settings_.handshake_window) {
        close("handshake not finished within its time");
        return;
    }
    if (state_ == State::Up && !pushed_at_ && now >= push_deadline()) {
        close("no push request within the time of the handshake");
        return;
    }
    if (next_ && now >= next_->started() + settings_.handshake_window)
        abandon_next(now, "not finished within its time");
    if (now >= retire_at_) {
        retire_at_ = kNever;
        previous_.reset();
        host_.delete_key(*this, KeySlot::Secondary);
    }
    if (now >= renegotiate_at_)
        renegotiate(now);
    advance(now);
}

TimePoint Session::deadline() const {
    if (state_ == State::Closed)
        return kNever;
    auto earliest = std::min({closing_until_, renegotiate_at_, retire_at_});
    if (state_ == State::Handshaking)
        earliest = std::min(earliest, current_->started() + settings_.handshake_window);
    if (state_ == State::Up && !pushed_at_)
        earliest = std::min(earliest, push_deadline());
    if (next_)
        earliest = std::min(earliest, next_->started() + settings_.handshake_window);
    for (const auto* n : {current_.get(), next_.get(), previous_.get()}) {
        if (n)
            earliest = std::min(earliest, n->deadline());
    }
    return earliest;
}

void Session::advance(TimePoint now) {
    advance_current(now);
    if (state_ == State::Up)
        advance_next(now);
    transmit(now);
    if (state_ == State::Closing && current_->all_acknowledged())
        state_ = State::Closed;
}

void Session::advance_current(TimePoint now) {
    Negotiation& n = *current_;
    if (n.failed()) {
        // Lingers until the client has the alert, so that it can say what is wrong.
        if (state_ != State::Closing && state_ != State::Closed) {
            close_reason_ = n.failure();
            state_ = State::Closing;
            closing_until_ = now + kLinger;
        }
        return;
    }
    if (state_ == State::Handshaking) {
        if (n.established() && !identify(n))
            return;
        if (n.peer_key_method() && first_decision_ == Decision::Unasked) {
            first_decision_ = Decision::Pending;
            peer_info_ = wire::parse_peer_info(n.peer_key_method()->peer_info);
            host_.asks_admission(*this, *n.peer_key_method(), now);
        }
        if (first_decision_ == Decision::Made && !n.key_method_sent())
            exchange_key_methods(n, now);
    }
    if (state_ == State::Up)
        handle_messages(n, now);
}

// Whether the certificate, if there is one, is what it was; the first one names the client.
bool Session::identify(Negotiation& n) {
    const auto name = n.tls().peer_common_name();
    if (n.tls().has_peer_certificate() && name.empty()) {
        close("the client's certificate has no common name");
        return false;
    }
    if (&n == current_.get() && first_decision_ == Decision::Unasked) {
        certificate_name_ = name;
        common_name_ = name;
    } else if (name != certificate_name_) {
        close("another certificate at renegotiation: " + name);
        return false;
    }
    return true;
}

void Session::admit(Result<Assignment, Refusal> answer) {
    first_decision_ = Decision::Made;
    if (answer)
        assignment_ = std::move(*answer);
    else
        refusal_ = answer.error(); // told when the client can read control messages
}

void Session::confirm(std::uint8_t key_id, std::optional<Refusal> refusal) {
    if (!next_ || next_->key_id() != key_id || next_decision_ != Decision::Pending)
        return;
    next_decision_ = Decision::Made;
    refusal_ = std::move(refusal);
}

void Session::exchange_key_methods(Negotiation& n, TimePoint now) {
    const auto& theirs = *n.peer_key_method();
    bool first = &n == current_.get();
    if (first && !refusal_)
        agree(theirs.options);

    wire::KeyMethod2 own;
    own.options = server_options_string(settings_.tun_mtu, choice_, settings_.negotiation.tcp);
    if (!random_key_source(own.key_source)) {
        close("no random bytes");
        return;
    }
    if (!refusal_) {
        KeyMaterial material;
        if (!derive(n, own.key_source, material)) {
            close("key derivation failed");
            return;
        }
        // Before our key method 2 leaves: see session.h.
        if (!host_.install_key(*this, first ? KeySlot::Primary : KeySlot::Secondary, n.key_id(),
                               slice_keys(material, choice_.format, wire::Role::Server))) {
            close("the data plane refuses the key");
            return;
        }
    }
    n.send_key_method(own);
    n.forget_peer_key_method();
    if (refusal_) {
        refuse(*refusal_, now);
        return;
    }
    if (!first) {
        // The secondary slot held the previous key until now.
        retire_at_ = kNever;
        previous_.reset();
        return;
    }
    handshake_time_ = now - n.started();
    state_ = State::Up;
    schedule_renegotiation(now);
    if (choice_.push_at_once)
        push(now);
}

void Session::agree(std::string_view options) {
    auto choice = negotiate(settings_.negotiation, peer_info_, options);
    if (!choice) {
        refusal_ = Refusal{choice.error().reason};
        return;
    }
    choice_ = *choice;
    for (const auto& doubt : choice_.doubts)
        host_.notice(*this, doubt);
    // OpenVPN assumes 1500 on both sides when nothing else is said.
    if (choice_.client_max_mtu == 0 && settings_.tun_mtu != 1500)
        host_.notice(*this, "cannot be told the tun-mtu; its own configuration must have it");
    else if (choice_.client_max_mtu != 0 && choice_.client_max_mtu < settings_.tun_mtu)
        host_.notice(*this, "has room for a tun-mtu of " + std::to_string(choice_.client_max_mtu) +
                                " only");
    if (!host_.add_peer(*this))
        refusal_ = Refusal{"the server's data plane refuses", true};
}

bool Session::derive(Negotiation& n, const wire::KeySource& own, KeyMaterial& out) const {
    if (choice_.derivation == KeyDerivation::TlsExport)
        return n.tls().export_keys(out);
    return derive_by_prf(n.peer_key_method()->key_source, own, remote_id_, local_id_, out);
}

void Session::refuse(const Refusal& refusal, TimePoint now) {
    bool temp = refusal.temporary && (peer_info_.proto & wire::IV_PROTO_AUTH_FAIL_TEMP) != 0;
    // At a renegotiation the client listens to the new key's channel only.
    if (next_) {
        previous_ = std::move(current_);
        current_ = std::move(next_);
    }
    current_->send_message(temp ? "AUTH_FAILED,TEMP:" + refusal.reason
                                : "AUTH_FAILED," + refusal.reason);
    close_reason_ = refusal.reason;
    state_ = State::Closing;
    closing_until_ = now + kLinger;
}

void Session::push(TimePoint now) {
    PushContents contents;
    contents.options = assignment_->push ? *assignment_->push : settings_.push;
    contents.address = assignment_->address;
    contents.netmask = assignment_->netmask;
    contents.peer_id = assignment_->peer_id;
    contents.tun_mtu = settings_.tun_mtu;
    auto messages = wire::build_push_reply(push_options(contents, choice_));
    if (!messages) {
        close("pushed option too long: " + messages.error().option);
        return;
    }
    for (const auto& message : *messages)
        current_->send_message(message);
    bool first = !pushed_at_;
    pushed_at_ = now;
    if (first)
        host_.up(*this);
}

void Session::handle_messages(Negotiation& n, TimePoint now) {
    for (const auto& message : n.take_messages()) {
        if (message == "PUSH_REQUEST") {
            if (!pushed_at_ || now - *pushed_at_ >= kPushAgain)
                push(now);
        } else if (message == "EXIT") {
            close("the client has left");
        } else {
            host_.notice(*this, "control message not understood: " + wire::printable(message));
        }
        if (state_ != State::Up)
            return;
    }
}

void Session::advance_next(TimePoint now) {
    if (previous_ && !previous_->failed())
        handle_messages(*previous_, now);
    if (!next_ || state_ != State::Up)
        return;
    Negotiation& n = *next_;
    if (n.failed()) {
        transmit(now);
        abandon_next(now, n.failure());
        return;
    }
    if (n.established() && !identify(n))
        return;
    if (n.peer_key_method() && next_decision_ == Decision::Unasked) {
        next_decision_ = Decision::Pending;
        host_.asks_confirmation(*this, n.key_id(), *n.peer_key_method(), now);
    }
    if (next_decision_ == Decision::Made && !n.key_method_sent())
        exchange_key_methods(n, now);
    if (state_ == State::Up && n.key_method_sent() && n.all_acknowledged())
        promote_next(now);
}

void Session::promote_next(TimePoint now) {
    if (!host_.swap_keys(*this)) {
        close("the data plane refuses to change keys");
        return;
    }
    previous_ = std::move(current_);
    current_ = std::move(next_);
    retire_at_ = now + settings_.transition_window;
    renegotiations_++;
    failed_renegotiations_ = 0;
    schedule_renegotiation(now);
    host_.renegotiated(*this, now - current_->started());
    handle_messages(*current_, now);
}

void Session::abandon_next(TimePoint now, const std::string& why) {
    host_.notice(*this, "renegotiation: " + why);
    // The client may have our key method 2 and encrypt with the new key although none of its ACKs
    // has arrived. So the key stays and decrypts, until the next one takes its place.
    if (next_->key_method_sent())
        retire_at_ = now + settings_.transition_window;
    next_.reset();
    if (++failed_renegotiations_ >= kMaxFailedRenegotiations)
        close("renegotiation failed too often: " + why);
    else
        renegotiate_at_ = std::min(renegotiate_at_, now + kRenegotiateAgain);
}

void Session::start_next(std::uint8_t key_id, TimePoint now) {
    last_key_id_ = key_id;
    next_decision_ = Decision::Unasked;
    next_ = negotiation(key_id, now, wire::Opcode::SoftResetV1);
}

void Session::renegotiate(TimePoint now) {
    if (state_ != State::Up || next_) {
        renegotiate_at_ = state_ == State::Up ? now + kRenegotiateAgain : kNever;
        return;
    }
    renegotiate_at_ = kNever;
    auto key_id = next_key_id();
    // Only with a transition window longer than six lives of a key is its ID still in use.
    if (previous_ && previous_->key_id() == key_id) {
        previous_.reset();
        retire_at_ = kNever;
        host_.delete_key(*this, KeySlot::Secondary);
    }
    start_next(key_id, now);
    transmit(now);
}

void Session::schedule_renegotiation(TimePoint now) {
    if (settings_.renegotiate_after == Duration::zero()) {
        renegotiate_at_ = kNever;
        return;
    }
    // Between 90 % and all of the time, so that clients that came together do not stay together.
    std::uint16_t random = 0;
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&random), sizeof(random)) != 1)
        random = 0;
    auto spread = settings_.renegotiate_after / 10;
    renegotiate_at_ = now + settings_.renegotiate_after - spread * random / 0xffff;
}

void Session::restart_client(TimePoint now, std::string_view message, const std::string& reason) {
    if (state_ != State::Up) {
        close(reason);
        return;
    }
    current_->send_message(message);
    close_reason_ = reason;
    state_ = State::Closing;
    closing_until_ = now + kRestartLinger;
    transmit(now);
}

void Session::close(std::string reason) {
    close_reason_ = std::move(reason);
    state_ = State::Closed;
}

void Session::transmit(TimePoint now) {
    for (auto* n : {current_.get(), next_.get(), previous_.get()}) {
        if (n)
            n->transmit(now, [this](ByteView datagram) { host_.send(*this, datagram); });
    }
}

} // namespace nfovpn::session
