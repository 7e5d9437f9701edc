// SPDX-License-Identifier: GPL-2.0-or-later
//
// One negotiation; negotiation.h tells its course. The one rule behind process(): whatever moves
// any of the three layers (a message in order, an ACK, a write) runs all of them, so there is no
// order of events to get wrong.

#include "session/negotiation.h"

#include "wire/control_wrap.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace nfovpn::session {

namespace {

// With that many messages unacknowledged, a peer that reads nothing gets nothing more.
constexpr std::size_t kMaxBacklog = 64;

// TLS's share of the packet that brings the wrapped key, at the least.
constexpr std::size_t kLeastRoom = 64;

bool is_zero(const wire::SessionId& id) {
    return std::all_of(id.begin(), id.end(), [](std::uint8_t byte) { return byte == 0; });
}

} // namespace

Negotiation::Negotiation(const TlsContext& tls, const NegotiationStart& start, TimePoint now)
    : start_(start), started_(now), tls_(tls), role_(tls.role()), sender_(start.reliable),
      receiver_(start.reliable), reset_seen_(!start.reset), reset_acknowledged_(!start.reset) {
    if (start.reset) {
        sender_.queue(*start.reset, {});
    } else {
        sender_.skip();
        receiver_.skip();
    }
}

bool Negotiation::receive(const wire::ControlPacket& packet, TimePoint now) {
    if (is_zero(start_.remote) && packet.opcode == wire::Opcode::HardResetServerV2)
        start_.remote = packet.session_id;
    if (packet.session_id != start_.remote)
        return false;
    if (packet.acks.count > 0) {
        if (packet.peer_session_id != start_.local)
            return false;
        sender_.acknowledge(packet.acks.view(), now);
    }
    if (packet.message_id) {
        // Resets are message 0 and nothing else is; they carry nothing for TLS.
        bool is_reset =
            packet.opcode != wire::Opcode::ControlV1 && packet.opcode != wire::Opcode::ControlWkcV1;
        if (is_reset != (*packet.message_id == 0))
            return false;
        if (packet.opcode == wire::Opcode::HardResetServerV2 && !reset_seen_)
            bring_key_ = start_.wrapped_key > 0 && wire::asks_for_key(packet.payload);
        receiver_.receive(*packet.message_id, is_reset ? ByteView() : packet.payload);
    }
    process();
    return true;
}

void Negotiation::process() {
    if (failed())
        return;
    if (!reset_acknowledged_ && sender_.all_acknowledged())
        reset_acknowledged_ = true;
    // One packet at a time: what it brings may be a reason not to read the next one yet.
    for (bool more = true; more && !failed();) {
        auto payload = held() ? std::nullopt : receiver_.next();
        more = payload.has_value();
        if (payload && reset_seen_)
            tls_.feed(*payload);
        reset_seen_ = reset_seen_ || payload; // message 0
        // A client speaks first in TLS, and only when both resets are through.
        if (!reset_seen_ || (role_ == wire::Role::Client && !reset_acknowledged_))
            continue;
        tls_.handshake();
        take_plaintext();
    }
    queue_ciphertext();
}

// Whether what comes next would have to be kept for somebody: messages for a session that has not
// made its decision yet, or that has not taken those before.
bool Negotiation::held() const {
    return splitter_.waiting() || (peer_key_method_ && !key_method_sent_);
}

std::vector<std::string> Negotiation::take_messages() {
    std::vector<std::string> out;
    for (;;) {
        if (!splitter_.waiting())
            process();
        auto more = splitter_.take();
        if (more.empty())
            return out;
        std::move(more.begin(), more.end(), std::back_inserter(out));
    }
}

void Negotiation::take_plaintext() {
    SecretBytes fresh;
    tls_.read(fresh);
    if (!fresh.empty() && peer_key_method_) {
        if (!splitter_.feed(fresh.view()))
            failure_ = "endless or too many control messages";
    } else if (!fresh.empty()) {
        plaintext_.append(fresh.view());
        auto parsed = wire::parse_key_method2(plaintext_.view(), role_ == wire::Role::Server
                                                                     ? wire::Role::Client
                                                                     : wire::Role::Server);
        if (parsed) {
            peer_key_method_ = std::move(parsed->message);
            plaintext_.consume(parsed->consumed);
            if (!splitter_.feed(plaintext_.view()))
                failure_ = "endless or too many control messages";
            plaintext_.wipe();
        } else if (parsed.error() != wire::KeyMethod2Error::Incomplete) {
            failure_ = "key method 2: " + std::string(to_string(parsed.error()));
        }
    }
}

void Negotiation::queue_ciphertext() {
    const std::size_t room = start_.max_packet - wire::control_overhead(wire::kMaxAcks);
    // The first packet behind the reset brings the wrapped key, if the server has asked for it.
    const auto room_now = [&] {
        return bring_key_ ? std::max(room, start_.wrapped_key + kLeastRoom) - start_.wrapped_key
                          : room;
    };
    for (auto chunk = tls_.drain(room_now()); !chunk.empty(); chunk = tls_.drain(room_now())) {
        const bool brings_key = std::exchange(bring_key_, false);
        sender_.queue(brings_key ? wire::Opcode::ControlWkcV1 : wire::Opcode::ControlV1,
                      std::move(chunk));
        if (sender_.backlog() > kMaxBacklog && failure_.empty())
            failure_ = "the peer does not acknowledge";
    }
}

void Negotiation::send_key_method(const wire::KeyMethod2& message) {
    key_method_sent_ = true;
    tls_.write(wire::build_key_method2(message, role_).view());
    queue_ciphertext();
}

void Negotiation::send_message(std::string_view text) {
    Bytes message(text.begin(), text.end());
    message.push_back(0);
    tls_.write(message);
    queue_ciphertext();
}

void Negotiation::transmit(TimePoint now, const std::function<void(ByteView)>& send) {
    // A TLS alert is written by the failure itself and must still go out.
    queue_ciphertext();
    wire::ControlPacket packet;
    packet.key_id = start_.key_id;
    packet.session_id = start_.local;
    packet.peer_session_id = start_.remote;
    while (auto segment = sender_.next_due(now)) {
        packet.opcode = segment->opcode;
        packet.acks = receiver_.take_acks();
        packet.message_id = segment->id;
        packet.payload = segment->payload;
        send(wire::build_control(packet));
    }
    if (receiver_.ack_pending()) {
        packet.opcode = wire::Opcode::AckV1;
        packet.acks = receiver_.take_acks();
        packet.message_id.reset();
        packet.payload = {};
        send(wire::build_control(packet));
    }
}

TimePoint Negotiation::deadline() const {
    return receiver_.ack_pending() ? TimePoint::min() : sender_.deadline();
}

bool Negotiation::all_acknowledged() const {
    return sender_.all_acknowledged();
}

} // namespace nfovpn::session
