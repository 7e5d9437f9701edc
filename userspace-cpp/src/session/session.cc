// SPDX-License-Identifier: GPL-2.0-or-later
//
// The life of a session; session.h draws it. Everything funnels into advance(): take each
// negotiation as far as it goes, then send what that produced.

#include "session/session.h"

#include <openssl/rand.h>

#include <algorithm>
#include <utility>

namespace nfovpn::session {

namespace {

using std::chrono::seconds;

// How long a TLS alert is repeated.
constexpr Duration kLinger = seconds(5);

// After a failed renegotiation the next try is not at once, and after some the session ends.
constexpr Duration kRenegotiateAgain = seconds(10);
constexpr unsigned kMaxFailedRenegotiations = 3;

// A peer that asks for new keys more often than this waits.
constexpr Duration kShortestKeyLife = seconds(1);

} // namespace

bool random_key_source(wire::KeySource& source, wire::Role role) {
    auto fill = [](std::span<std::uint8_t> out) {
        return RAND_bytes(out.data(), static_cast<int>(out.size())) == 1;
    };
    return (role == wire::Role::Server || fill(source.pre_master.writable())) &&
           fill(source.random1.writable()) && fill(source.random2.writable());
}

Session::Session(const SessionSettings& settings, const TlsContext& tls, SessionHost& host,
                 const NegotiationStart& start, TimePoint now)
    : settings_(settings), host_(host), remote_id_(start.remote), local_id_(start.local),
      handshake_until_(now + settings.handshake_window),
      current_(std::make_unique<Negotiation>(tls, start, now)), tls_context_(tls) {}

// A key in the secondary slot may be there, and goes when the next one comes.
Session::Session(const SessionSettings& settings, const TlsContext& tls, SessionHost& host,
                 const SavedSession& saved, TimePoint renegotiate_at)
    : settings_(settings), host_(host), remote_id_(saved.remote_id), local_id_(saved.local_id),
      state_(State::Up), common_name_(saved.common_name), choice_(saved.choice), tls_context_(tls),
      certificate_name_(saved.certificate_name), fingerprints_(saved.fingerprints),
      tls_version_(saved.tls_version), tls_cipher_(saved.tls_cipher),
      peer_environment_(saved.peer_environment), key_id_(saved.key_id),
      last_key_id_(saved.last_key_id), renegotiate_at_(renegotiate_at),
      renegotiations_(saved.renegotiations) {}

SavedSession Session::saved() const {
    SavedSession out;
    out.remote_id = remote_id_;
    out.local_id = local_id_;
    out.common_name = common_name_;
    out.certificate_name = certificate_name_;
    out.fingerprints = fingerprints_;
    out.choice = choice_;
    out.choice.doubts.clear();
    out.key_id = key_id_;
    out.last_key_id = last_key_id_;
    out.renegotiations = renegotiations_;
    out.tls_version = tls_version();
    out.tls_cipher = tls_cipher();
    out.peer_environment = peer_environment();
    return out;
}

std::unique_ptr<Negotiation> Session::later_negotiation(std::uint8_t key_id, TimePoint now) const {
    NegotiationStart start;
    start.key_id = key_id;
    start.local = local_id_;
    start.remote = remote_id_;
    start.reset = wire::Opcode::SoftResetV1;
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
        // A peer negotiates again when it has finished the last time, or when it has given up.
        // With both key methods exchanged there is nothing left to give up but time, and that
        // ends for us as well: so it has finished, and its ACK was lost.
        if (next_has_key_)
            promote_next(now);
        else if (next_)
            abandon_next(now, "the peer has started another one");
        if (state_ != State::Up || (current_ && now - current_->started() < kShortestKeyLife))
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
    if (state_ == State::Handshaking && now >= handshake_until_) {
        close("handshake not finished within its time");
        return;
    }
    role_tick(now);
    if (state_ == State::Closed)
        return;
    if (next_ && now >= next_->started() + settings_.handshake_window &&
        !(next_has_key_ && may_promote(*next_, now)))
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
    auto earliest = std::min({closing_until_, renegotiate_at_, retire_at_, role_deadline()});
    if (state_ == State::Handshaking)
        earliest = std::min(earliest, handshake_until_);
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
    if (state_ == State::Closing && (!speaking() || speaking()->all_acknowledged()))
        state_ = State::Closed;
}

void Session::advance_current(TimePoint now) {
    if (!current_)
        return;
    Negotiation& n = *current_;
    if (n.failed()) {
        // Lingers until the peer has the alert, so that it can say what is wrong.
        if (state_ != State::Closing && state_ != State::Closed)
            linger(now, n.failure(), kLinger);
        return;
    }
    if (state_ == State::Handshaking) {
        if (n.established() && !identify(n))
            return;
        advance_first(n, now);
    }
    if (state_ == State::Up)
        handle_messages(n, now);
}

// Whether the certificate, if there is one, is what it was; the first one names the peer.
bool Session::identify(Negotiation& n) {
    const auto name = n.tls().peer_common_name();
    if (n.tls().has_peer_certificate() && name.empty()) {
        close("the peer's certificate has no common name");
        return false;
    }
    if (!certificate_name_) {
        certificate_name_ = name;
        common_name_ = name;
        fingerprints_ = n.tls().peer_fingerprints();
    } else if (name != *certificate_name_ ||
               (locks_certificate() && n.tls().peer_fingerprints() != fingerprints_)) {
        close("another certificate at renegotiation: " + name);
        return false;
    }
    return true;
}

// Gives the key of a negotiation to the data plane. False if the session has ended over it.
bool Session::install(Negotiation& n, const KeyMaterial& material) {
    const bool first = is_first(n);
    if (!host_.install_key(*this, first ? KeySlot::Primary : KeySlot::Secondary, n.key_id(),
                           slice_keys(material, choice_.format, tls_context_.role()))) {
        close("the data plane refuses the key");
        return false;
    }
    if (!first) {
        // The secondary slot held the previous key until now.
        next_has_key_ = true;
        retire_at_ = kNever;
        previous_.reset();
    }
    return true;
}

std::optional<std::uint32_t> Session::agreed_peer_id(const Negotiation& n) const {
    std::array<std::uint8_t, 3> id{};
    if (choice_.data_v1)
        return std::nullopt;
    // Without an export stock peers do the same, and find out by their keys.
    if (choice_.derivation != KeyDerivation::TlsExport || !n.tls().export_bytes(kPeerIdLabel, id))
        return kFixedPeerId;
    return std::uint32_t{id[0]} << 16 | std::uint32_t{id[1]} << 8 | id[2];
}

void Session::handle_messages(Negotiation& n, TimePoint now) {
    for (const auto& message : n.take_messages()) {
        handle_message(message, now);
        if (state_ != State::Up && state_ != State::Handshaking)
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
    advance_later(n, now);
    if (state_ != State::Up || !next_has_key_)
        return;
    handle_messages(n, now);
    if (state_ == State::Up && may_promote(n, now))
        promote_next(now);
}

void Session::promote_next(TimePoint now) {
    if (!host_.swap_keys(*this)) {
        close("the data plane refuses to change keys");
        return;
    }
    const auto took = now - next_->started();
    previous_ = std::move(current_);
    current_ = std::move(next_);
    key_id_ = current_->key_id();
    next_has_key_ = false;
    retire_at_ = now + settings_.transition_window;
    renegotiations_++;
    failed_renegotiations_ = 0;
    // From when it began; a client uses its new key some time after that.
    schedule_renegotiation(current_->started());
    renegotiate_at_ = std::max(renegotiate_at_, now + kShortestKeyLife);
    host_.renegotiated(*this, took);
    handle_messages(*current_, now);
}

void Session::abandon_next(TimePoint now, const std::string& why) {
    host_.notice(*this, "renegotiation: " + why);
    // The peer may encrypt with the new key although none of its ACKs has arrived. So the key stays
    // and decrypts, until the next one takes its place.
    if (next_has_key_)
        retire_at_ = now + settings_.transition_window;
    next_.reset();
    next_has_key_ = false;
    if (++failed_renegotiations_ >= kMaxFailedRenegotiations)
        close("renegotiation failed too often: " + why);
    else
        renegotiate_at_ = std::min(renegotiate_at_, now + kRenegotiateAgain);
}

void Session::start_next(std::uint8_t key_id, TimePoint now) {
    last_key_id_ = key_id;
    next_begins();
    next_ = later_negotiation(key_id, now);
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

void Session::schedule_renegotiation(TimePoint from) {
    if (settings_.renegotiate_after == Duration::zero()) {
        renegotiate_at_ = kNever;
        return;
    }
    // Between 90 % and all of the time, so that clients that came together do not stay together.
    std::uint16_t random = 0;
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&random), sizeof(random)) != 1)
        random = 0;
    auto spread = settings_.renegotiate_after / 10;
    renegotiate_at_ = from + settings_.renegotiate_after - spread * random / 0xffff;
}

// The session ends when the peer has what is on its way to it, or after some time.
void Session::linger(TimePoint now, std::string reason, Duration time) {
    close_reason_ = std::move(reason);
    state_ = State::Closing;
    closing_until_ = now + time;
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
