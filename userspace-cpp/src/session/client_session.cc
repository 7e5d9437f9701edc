// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a client does in the course of a session; see client_session.h.

#include "session/client_session.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace nfovpn::session {

namespace {

using std::chrono::seconds;

// Servers that were told so push without being asked; others are asked, and asked again.
constexpr Duration kFirstPushRequest = seconds(1);
constexpr Duration kPushRequest = seconds(5);

// The last word of a client is repeated so long. Stock servers acknowledge it.
constexpr Duration kGoodbyeLinger = std::chrono::milliseconds(2500);

// Longer than a server waits before it sends its last words again. Stock ones wait for two seconds.
constexpr Duration kQuiet = seconds(3);

// All of a push reply; what is longer was not written for a client.
constexpr std::size_t kMaxPushReply = std::size_t{1} << 18;

constexpr std::size_t kShown = 256;

NegotiationStart first_start(const SessionSettings& settings, const wire::SessionId& local_id,
                             wire::Opcode reset, std::size_t wrapped_key) {
    NegotiationStart start;
    start.local = local_id;
    start.reset = reset;
    start.reliable = settings.reliable;
    start.max_packet = settings.max_packet;
    start.wrapped_key = wrapped_key;
    return start;
}

// The number at the beginning; nothing if there is none.
std::optional<std::uint32_t> leading_number(std::string_view text) {
    std::uint32_t value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    return result.ec == std::errc{} ? std::optional(value) : std::nullopt;
}

// What stands behind a word that begins a message; nothing if another one does.
std::optional<std::string_view> behind(std::string_view message, std::string_view word) {
    if (!message.starts_with(word))
        return std::nullopt;
    message.remove_prefix(word.size());
    if (message.empty() || message.front() == ',')
        return message.substr(message.empty() ? 0 : 1);
    return std::nullopt;
}

} // namespace

ClientSession::ClientSession(const ClientSessionSettings& settings, const TlsContext& tls,
                             ClientSessionHost& host, const wire::SessionId& local_id,
                             wire::Opcode reset, std::size_t wrapped_key, TimePoint now)
    : Session(settings, tls, host, first_start(settings, local_id, reset, wrapped_key), now),
      client_settings_(settings), client_host_(host) {}

bool ClientSession::answered() const {
    return std::any_of(remote_id_.begin(), remote_id_.end(), [](auto byte) { return byte != 0; });
}

void ClientSession::receive(const wire::ControlPacket& packet, TimePoint now) {
    if (!answered()) {
        // Only who has seen our session ID can have answered.
        if (packet.opcode != wire::Opcode::HardResetServerV2 || packet.key_id != 0 ||
            packet.acks.count == 0 || packet.peer_session_id != local_id_)
            return;
        remote_id_ = packet.session_id;
    }
    if (packet.opcode == wire::Opcode::SoftResetV1 || (next_ && packet.key_id == next_->key_id()))
        next_heard_ = now;
    Session::receive(packet, now);
}

void ClientSession::role_tick(TimePoint now) {
    if (state_ == State::Handshaking && now >= ask_at_) {
        ask_at_ = now + kPushRequest;
        current_->send_message("PUSH_REQUEST");
    }
}

TimePoint ClientSession::role_deadline() const {
    if (state_ == State::Handshaking)
        return ask_at_;
    return state_ == State::Up && next_has_key_ && next_->all_acknowledged() ? promote_at(*next_)
                                                                             : kNever;
}

void ClientSession::advance_first(Negotiation& n, TimePoint now) {
    if (n.established() && !n.key_method_sent() && !send_key_method(n, first_source_))
        return;
    if (n.peer_key_method() && !client_settings_.pull) {
        agree(n, now);
    } else if (n.peer_key_method() && ask_at_ == kNever) {
        server_options_ = n.peer_key_method()->options;
        ask_at_ = now + kFirstPushRequest;
        handshake_until_ = now + settings_.handshake_window;
    }
    if (state_ != State::Closed)
        handle_messages(n, now);
}

void ClientSession::advance_later(Negotiation& n, TimePoint) {
    if (n.established() && !n.key_method_sent() && !send_key_method(n, next_source_))
        return;
    if (!n.peer_key_method() || next_has_key_)
        return;
    KeyMaterial material;
    if (!derive(n, next_source_, material)) {
        close("key derivation failed");
        return;
    }
    install(n, material);
    n.forget_peer_key_method();
    next_source_ = {};
}

// See the head of session.h.
TimePoint ClientSession::promote_at(const Negotiation& n) const {
    return std::min(next_heard_ + kQuiet, n.started() + settings_.handshake_window);
}

bool ClientSession::may_promote(const Negotiation& n, TimePoint now) const {
    return n.all_acknowledged() && now >= promote_at(n);
}

bool ClientSession::send_key_method(Negotiation& n, wire::KeySource& source) {
    auto who = client_host_.credentials();
    if (!who)
        return false;
    if (!random_key_source(source, wire::Role::Client)) {
        close("no random bytes");
        return false;
    }
    wire::KeyMethod2 own;
    own.key_source.pre_master.assign(source.pre_master.view());
    own.key_source.random1.assign(source.random1.view());
    own.key_source.random2.assign(source.random2.view());
    own.options = client_options_string(settings_.tun_mtu, client_settings_.negotiation);
    own.username = std::move(who->username);
    own.password = std::move(who->password);
    const auto& negotiation = client_settings_.negotiation;
    own.peer_info = client_settings_.pull ? client_peer_info(negotiation, client_settings_.version,
                                                             client_settings_.peer_info)
                                          : point_to_point_info(negotiation);
    n.send_key_method(own);
    return true;
}

bool ClientSession::derive(Negotiation& n, const wire::KeySource& own, KeyMaterial& out) const {
    if (choice_.derivation == KeyDerivation::TlsExport)
        return n.tls().export_keys(out);
    return derive_by_prf(own, n.peer_key_method()->key_source, local_id_, remote_id_, out);
}

void ClientSession::handle_message(const std::string& message, TimePoint now) {
    if (behind(message, "PUSH_REPLY")) {
        push_reply(message, now);
    } else if (auto rest = behind(message, "AUTH_FAILED")) {
        auth_failed(*rest);
    } else if (auto more = behind(message, "AUTH_PENDING")) {
        auth_pending(*more, now);
    } else if (auto where = behind(message, "RESTART")) {
        const bool next = where->starts_with('[') && where->find('N') < where->find(']');
        end(next ? Ending::NextServer : Ending::Again, "the server restarts");
    } else if (auto why = behind(message, "HALT")) {
        end(Ending::Halted, "the server has ended the session" +
                                (why->empty() ? "" : ": " + wire::printable(*why, kShown)));
    } else if (message == "EXIT") {
        end(Ending::Again, "the server has left");
    } else if (auto text = behind(message, "INFO_PRE")) {
        client_host_.information(*text);
    } else if (auto info = behind(message, "INFO")) {
        client_host_.information(*info);
    } else {
        host_.notice(*this, "control message not understood: " +
                                wire::printable(message.substr(0, message.find(','))));
    }
}

void ClientSession::push_reply(const std::string& message, TimePoint now) {
    auto options = wire::parse_push_reply(message);
    if (state_ == State::Up) {
        // Only a new token may come later; what else a retransmitted reply says is known.
        std::erase_if(options, [](const auto& o) { return !o.starts_with("auth-token"); });
        auto later = wire::parse_pushed_options(options);
        if (later && !later->auth_token.empty())
            client_host_.told_token(later->auth_token_user, std::move(later->auth_token));
        return;
    }
    bool more = false;
    for (auto& option : options) {
        if (option.starts_with("push-continuation")) {
            more = option == "push-continuation 2";
            continue;
        }
        collected_bytes_ += option.size() + 1;
        collected_.push_back(std::move(option));
    }
    if (collected_bytes_ > kMaxPushReply)
        end(Ending::Failed, "endless push reply");
    else if (!more)
        pushed_all(now);
}

void ClientSession::pushed_all(TimePoint now) {
    auto options =
        wire::filter_options(client_settings_.pull_filters, std::exchange(collected_, {}));
    if (!options) {
        end(Ending::Failed, options.error().option + ": " + options.error().reason);
        return;
    }
    const auto& own = client_settings_.own_options;
    options->insert(options->begin(), own.begin(), own.end());
    auto pushed = wire::parse_pushed_options(*options);
    for (auto& option : *options)
        wipe(option); // there may be a token among them
    if (!pushed) {
        end(Ending::Failed, "pushed: " + pushed.error().option + ": " + pushed.error().reason);
        return;
    }
    pushed_ = std::move(*pushed);
    auto choice = accept_push(client_settings_.negotiation, pushed_, server_options_);
    if (!choice) {
        end(Ending::Failed, choice.error().reason);
        return;
    }
    choice_ = *choice;
    for (const auto& option : pushed_.ignored)
        host_.notice(*this, "pushed and ignored: " + option);
    if (!pushed_.auth_token.empty())
        client_host_.told_token(pushed_.auth_token_user, std::move(pushed_.auth_token));
    begin_data(now);
}

// With a point-to-point peer.
void ClientSession::agree(Negotiation& n, TimePoint now) {
    auto own = wire::parse_pushed_options(client_settings_.own_options);
    if (!own) {
        end(Ending::Failed, own.error().option + ": " + own.error().reason);
        return;
    }
    pushed_ = std::move(*own);
    const auto& theirs = *n.peer_key_method();
    auto choice = agree_point_to_point(client_settings_.negotiation, wire::Role::Client,
                                       wire::parse_peer_info(theirs.peer_info), theirs.options);
    if (!choice) {
        end(Ending::Failed, choice.error().reason);
        return;
    }
    choice_ = *choice;
    for (const auto& doubt : choice_.doubts)
        host_.notice(*this, doubt);
    pushed_.peer_id = agreed_peer_id(n);
    begin_data(now);
}

// What choice_ and pushed_ say.
void ClientSession::begin_data(TimePoint now) {
    if (!host_.add_peer(*this)) {
        end(Ending::Failed, "the tunnel cannot be set up");
        return;
    }
    KeyMaterial material;
    if (!derive(*current_, first_source_, material)) {
        close("key derivation failed");
        return;
    }
    if (!install(*current_, material))
        return;
    current_->forget_peer_key_method();
    first_source_ = {};
    handshake_time_ = now - current_->started();
    state_ = State::Up;
    schedule_renegotiation(now);
    host_.up(*this);
}

// AUTH_FAILED · AUTH_FAILED,reason · AUTH_FAILED,TEMP[backoff 30,advance addr]:reason
void ClientSession::auth_failed(std::string_view rest) {
    refusal_ = rest;
    const bool temporary = rest.starts_with("TEMP");
    auto ending = temporary ? Ending::Failed : Ending::AuthFailed;
    if (temporary) {
        rest.remove_prefix(4);
        if (rest.starts_with('[')) {
            const auto close_at = std::min(rest.find(']'), rest.size());
            for (const auto& flag : wire::split(rest.substr(1, close_at - 1), ',')) {
                if (flag.starts_with("backoff "))
                    back_off_ = seconds(std::min(
                        leading_number(std::string_view(flag).substr(8)).value_or(0), 86400U));
                else if (flag == "advance no")
                    ending = Ending::Again;
                else if (flag == "advance remote")
                    ending = Ending::NextServer;
            }
            rest = rest.substr(std::min(close_at + 1, rest.size()));
        }
        if (rest.starts_with(':'))
            rest.remove_prefix(1);
    }
    end(ending, "the server refuses us" +
                    (rest.empty() ? std::string() : ": " + wire::printable(rest, kShown)));
}

// AUTH_PENDING · AUTH_PENDING,timeout 120: somebody else has to be asked first.
void ClientSession::auth_pending(std::string_view rest, TimePoint now) {
    client_host_.auth_pending(rest);
    std::uint32_t wait = 0;
    for (const auto& word : wire::split(rest, ',')) {
        if (word.starts_with("timeout "))
            wait = leading_number(std::string_view(word).substr(8)).value_or(0);
    }
    // As stock clients: not longer than the server's own patience could be.
    const auto limit = std::max<Duration>(settings_.handshake_window, settings_.renegotiate_after);
    handshake_until_ = std::max(handshake_until_, now + std::min<Duration>(seconds(wait), limit));
}

void ClientSession::end(Ending ending, const std::string& reason) {
    ending_ = ending;
    close(reason);
}

void ClientSession::leave(TimePoint now, const std::string& reason, bool say_goodbye) {
    ending_ = Ending::Left;
    if (state_ != State::Up || !choice_.cc_exit || !say_goodbye) {
        close(reason);
        return;
    }
    send_message("EXIT");
    linger(now, reason, kGoodbyeLinger);
    transmit(now);
}

} // namespace nfovpn::session
