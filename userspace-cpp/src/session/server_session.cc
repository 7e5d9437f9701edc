// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a server decides in the course of a session; see server_session.h.

#include "session/server_session.h"

#include <utility>

namespace nfovpn::session {

namespace {

using std::chrono::seconds;

// A push request within this time of the last reply is a retransmission by an impatient client;
// the reply is on its way and cannot be lost.
constexpr Duration kPushAgain = seconds(30);

// How long AUTH_FAILED is repeated.
constexpr Duration kRefusalLinger = seconds(5);

// The same for RESTART. Stock clients obey without an ACK, and whoever stops the daemon waits: time
// for one repetition.
constexpr Duration kRestartLinger = std::chrono::milliseconds(2500);

NegotiationStart first_start(const SessionSettings& settings, const wire::SessionId& remote_id,
                             const wire::SessionId& local_id, std::optional<wire::Opcode> reset) {
    NegotiationStart start;
    start.local = local_id;
    start.remote = remote_id;
    start.reset = reset;
    start.reliable = settings.reliable;
    start.max_packet = settings.max_packet;
    return start;
}

} // namespace

ServerSession::ServerSession(const ServerSessionSettings& settings, const TlsContext& tls,
                             ServerSessionHost& host, const wire::SessionId& remote_id,
                             const wire::SessionId& local_id, TimePoint now,
                             std::optional<wire::Opcode> reset)
    : Session(settings, tls, host, first_start(settings, remote_id, local_id, reset), now),
      server_settings_(settings), server_host_(host) {}

ServerSession::ServerSession(const ServerSessionSettings& settings, const TlsContext& tls,
                             ServerSessionHost& host, const SavedSession& saved,
                             const Assignment& assignment, const Environment& peer_info,
                             TimePoint now, TimePoint renegotiate_at)
    : Session(settings, tls, host, saved, renegotiate_at), server_settings_(settings),
      server_host_(host), assignment_(assignment), first_decision_(Decision::Made), pushed_at_(now),
      resumed_(true), settled_(true) {
    std::string lines;
    for (const auto& [name, value] : peer_info)
        lines.append(name).append("=").append(value).append("\n");
    peer_info_ = wire::parse_peer_info(lines);
}

// A push reply that is on its way, nobody else could repeat.
bool ServerSession::can_be_saved() {
    if (state_ != State::Up || !pushed_at_)
        return false;
    settled_ = settled_ || speaking()->all_acknowledged();
    return settled_;
}

void ServerSession::role_tick(TimePoint now) {
    if (awaits_push_request() && now >= handshake_until_)
        close("no push request within the time of the handshake");
}

TimePoint ServerSession::role_deadline() const {
    return awaits_push_request() ? handshake_until_ : kNever;
}

void ServerSession::advance_first(Negotiation& n, TimePoint now) {
    if (n.peer_key_method() && first_decision_ == Decision::Unasked) {
        first_decision_ = Decision::Pending;
        peer_info_ = wire::parse_peer_info(n.peer_key_method()->peer_info);
        server_host_.asks_admission(*this, *n.peer_key_method(), now);
    }
    if (first_decision_ == Decision::Made && !n.key_method_sent())
        exchange_key_methods(n, now);
}

void ServerSession::advance_later(Negotiation& n, TimePoint now) {
    if (n.peer_key_method() && next_decision_ == Decision::Unasked) {
        next_decision_ = Decision::Pending;
        server_host_.asks_confirmation(*this, n.key_id(), *n.peer_key_method(), now);
    }
    if (next_decision_ == Decision::Made && !n.key_method_sent())
        exchange_key_methods(n, now);
}

bool ServerSession::may_promote(const Negotiation& n, TimePoint) const {
    return n.all_acknowledged();
}

void ServerSession::admit(Result<Assignment, Refusal> answer) {
    first_decision_ = Decision::Made;
    if (answer)
        assignment_ = std::move(*answer);
    else
        refusal_ = answer.error(); // told when the client can read control messages
}

void ServerSession::confirm(std::uint8_t key_id, std::optional<Refusal> refusal) {
    if (!next_ || next_->key_id() != key_id || next_decision_ != Decision::Pending)
        return;
    next_decision_ = Decision::Made;
    refusal_ = std::move(refusal);
}

void ServerSession::exchange_key_methods(Negotiation& n, TimePoint now) {
    const bool first = is_first(n);
    if (first && !refusal_)
        agree(n);

    wire::KeyMethod2 own;
    if (server_settings_.point_to_point)
        own.peer_info = point_to_point_info(server_settings_.negotiation);
    own.options = server_options_string(settings_.tun_mtu, choice_, server_settings_.negotiation);
    if (!random_key_source(own.key_source, wire::Role::Server)) {
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
        if (!install(n, material))
            return;
    }
    n.send_key_method(own);
    n.forget_peer_key_method();
    if (refusal_) {
        refuse(*refusal_, now);
        return;
    }
    if (!first)
        return;
    handshake_time_ = now - n.started();
    state_ = State::Up;
    schedule_renegotiation(now);
    if (server_settings_.point_to_point) {
        pushed_at_ = now;
        host_.up(*this);
    } else if (choice_.push_at_once) {
        push(now);
    }
}

void ServerSession::agree(const Negotiation& n) {
    const auto& options = n.peer_key_method()->options;
    const auto& negotiation = server_settings_.negotiation;
    const bool point_to_point = server_settings_.point_to_point;
    auto choice = point_to_point
                      ? agree_point_to_point(negotiation, wire::Role::Server, peer_info_, options)
                      : negotiate(negotiation, peer_info_, options);
    if (!choice) {
        refusal_ = Refusal{choice.error().reason, false, true};
        return;
    }
    choice_ = *choice;
    for (const auto& doubt : choice_.doubts)
        host_.notice(*this, doubt);
    if (point_to_point)
        assignment_->peer_id = agreed_peer_id(n).value_or(assignment_->peer_id);
    // OpenVPN assumes 1500 on both sides when nothing else is said.
    else if (choice_.client_max_mtu == 0 && settings_.tun_mtu != 1500)
        host_.notice(*this, "cannot be told the tun-mtu; its own configuration must have it");
    else if (choice_.client_max_mtu != 0 && choice_.client_max_mtu < settings_.tun_mtu)
        host_.notice(*this, "has room for a tun-mtu of " + std::to_string(choice_.client_max_mtu) +
                                " only");
    if (!host_.add_peer(*this))
        refusal_ = Refusal{"the server's data plane refuses", true};
}

bool ServerSession::derive(Negotiation& n, const wire::KeySource& own, KeyMaterial& out) const {
    if (choice_.derivation == KeyDerivation::TlsExport)
        return n.tls().export_keys(out);
    return derive_by_prf(n.peer_key_method()->key_source, own, remote_id_, local_id_, out);
}

void ServerSession::refuse(const Refusal& refusal, TimePoint now) {
    bool temp = refusal.temporary && (peer_info_.proto & wire::IV_PROTO_AUTH_FAIL_TEMP) != 0;
    // At a renegotiation the client listens to the new key's channel only.
    if (next_) {
        previous_ = std::move(current_);
        current_ = std::move(next_);
    }
    std::string message = "AUTH_FAILED";
    if (temp)
        message += ",TEMP:" + refusal.reason;
    else if (refusal.told || refusal.temporary)
        message += "," + refusal.reason;
    current_->send_message(message);
    linger(now, refusal.reason, kRefusalLinger);
}

void ServerSession::push(TimePoint now) {
    PushContents contents;
    contents.options = assignment_->push ? *assignment_->push : server_settings_.push;
    contents.address = assignment_->address;
    contents.second = assignment_->second;
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

void ServerSession::handle_message(const std::string& message, TimePoint now) {
    if (message == "PUSH_REQUEST" && resumed_) {
        host_.notice(*this, "asks for a push reply, which it has had before the server's restart");
    } else if (message == "PUSH_REQUEST" && server_settings_.point_to_point) {
        host_.notice(*this, "asks for a push reply, and gets none: a point-to-point peer has "
                            "neither client nor pull in its configuration");
    } else if (message == "PUSH_REQUEST") {
        if (!pushed_at_ || now - *pushed_at_ >= kPushAgain)
            push(now);
    } else if (message == "EXIT") {
        close(server_settings_.point_to_point ? "the peer has left" : "the client has left");
    } else {
        host_.notice(*this, "control message not understood: " + wire::printable(message));
    }
}

void ServerSession::restart_client(TimePoint now, std::string_view message,
                                   const std::string& reason) {
    if (state_ != State::Up || message.empty() || (message == "EXIT" && !choice_.cc_exit)) {
        close(reason);
        return;
    }
    // Nothing is encrypted for it before it has new keys.
    if (!speaking()) {
        close(reason);
        return;
    }
    speaking()->send_message(message);
    linger(now, reason, kRestartLinger);
    transmit(now);
}

} // namespace nfovpn::session
