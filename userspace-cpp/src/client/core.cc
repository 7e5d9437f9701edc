// SPDX-License-Identifier: GPL-2.0-or-later
//
// The client without its sockets; core.h draws its life.
//
// The core is its session's host. Session code calls back in the middle of its own methods, so the
// session is never destroyed from within a callback: settle() does that afterwards.

#include "client/core.h"

#include "util/log.h"
#include "wire/peer_info.h"

#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace nfovpn::client {

namespace {

using std::chrono::seconds;

// TLS's share of a packet, at the least, whatever the limit for packets and the wrapping leave.
constexpr std::size_t kLeastPayload = 64;

// After that many rounds the waits double, with each round; OpenVPN's numbers.
constexpr std::uint32_t kPatientRounds = 5;
constexpr std::uint32_t kMostDoublings = 15;

// Of what a server says, in the log.
constexpr std::size_t kShown = 256;

double milliseconds(Duration d) {
    return std::chrono::duration<double, std::milli>(d).count();
}

void random_bytes(std::span<std::uint8_t> out) {
    if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1)
        throw std::runtime_error("no random bytes");
}

// Fisher and Yates; what the remainder prefers does not matter for a handful of servers.
void shuffle(std::vector<config::Remote>& remotes) {
    for (std::size_t i = remotes.size(); i > 1; i--) {
        std::array<std::uint8_t, 4> raw{};
        random_bytes(raw);
        std::swap(remotes[i - 1], remotes[*ByteReader(raw).u32() % i]);
    }
}

} // namespace

std::string_view name_of(Phase phase) {
    switch (phase) {
    case Phase::Idle:
        return "idle";
    case Phase::Asking:
        return "asking";
    case Phase::Resolving:
        return "resolving";
    case Phase::Opening:
        return "opening";
    case Phase::Negotiating:
        return "negotiating";
    case Phase::Up:
        return "up";
    case Phase::Waiting:
        return "waiting";
    case Phase::Leaving:
        return "leaving";
    case Phase::Ended:
        return "ended";
    }
    return "";
}

ClientCore::ClientCore(const ClientSettings& settings, const session::TlsContext& tls,
                       ClientHost& host)
    : settings_(settings), tls_(tls), host_(host) {
    if (settings_.shuffle)
        shuffle(settings_.remotes);
    const std::size_t wrapping = settings_.wrap ? settings_.wrap->overhead() : 0;
    auto& limit = settings_.session.max_packet;
    limit = std::max(limit - std::min(limit, wrapping),
                     wire::control_overhead(wire::kMaxAcks) + kLeastPayload);
}

ClientCore::~ClientCore() = default;

std::string ClientCore::label() const {
    auto out = remote().host;
    const auto where = to_string(path_.remote);
    if (path_.remote.port != 0 && where != out + ":" + std::to_string(path_.remote.port))
        out += " " + where;
    else
        out += ":" + std::to_string(remote().port);
    return out;
}

void ClientCore::start(TimePoint now) {
    begin(now, Duration::zero());
}

// ---- what is asked before a try

// The next try: after a pause, or when whoever holds the client lets it go.
void ClientCore::begin(TimePoint now, Duration pause) {
    const auto in_seconds = std::chrono::duration_cast<seconds>(pause);
    if (observer_ && observer_->hold(in_seconds)) {
        ask(Question::Hold);
    } else if (pause == Duration::zero()) {
        prepare(now);
    } else {
        phase_ = Phase::Waiting;
        wait_until_ = now + pause;
        log::info("next try in {} s", in_seconds.count());
    }
}

// Asks what is missing, one after the other.
void ClientCore::prepare(TimePoint now) {
    wait_until_ = kNever;
    if (observer_ && settings_.ask_remote && !accepted_) {
        ask(Question::Remote);
        observer_->ask_remote(remote());
    } else if (lacks_user()) {
        ask(Question::User);
        ask_user();
    } else {
        try_now(now);
    }
}

void ClientCore::ask(Question question) {
    phase_ = Phase::Asking;
    question_ = question;
}

bool ClientCore::asking(Question question) const {
    return phase_ == Phase::Asking && question_ == question;
}

bool ClientCore::lacks_user() const {
    return observer_ && settings_.ask_user && !settings_.password && token_.empty();
}

void ClientCore::ask_user() {
    if (!std::exchange(user_is_asked_, true))
        observer_->ask_user();
}

void ClientCore::withdraw() {
    user_is_asked_ = false;
    if (observer_)
        observer_->withdraw();
}

void ClientCore::hold_released(TimePoint now) {
    if (asking(Question::Hold))
        prepare(now);
}

void ClientCore::remote_accepted(const std::string& host, std::uint16_t port, TimePoint now) {
    if (!asking(Question::Remote))
        return;
    accepted_ = settings_.remotes[at_];
    if (!host.empty()) {
        accepted_->host = host;
        accepted_->port = port;
    }
    prepare(now);
}

void ClientCore::remote_skipped(std::uint32_t count, TimePoint now) {
    if (!asking(Question::Remote))
        return;
    at_ = (at_ + count) % settings_.remotes.size();
    prepare(now);
}

void ClientCore::told_user(std::string username, SecretBytes password, TimePoint now) {
    user_is_asked_ = false;
    settings_.username = std::move(username);
    settings_.password = std::make_shared<const SecretBytes>(std::move(password));
    if (asking(Question::User)) {
        prepare(now);
    } else if (session_) {
        session_->tick(now);
        settle(now);
    }
}

void ClientCore::not_told_user(const std::string& why, TimePoint now) {
    user_is_asked_ = false;
    if (finished())
        return;
    log::error("name and password are not known: {}", why);
    if (session_)
        session_->close("name and password are not known");
    close_try();
    end("name and password are not known: " + why, "auth-failure");
    static_cast<void>(now);
}

void ClientCore::forget_passwords() {
    token_.wipe();
    if (!settings_.ask_user)
        return;
    settings_.username = settings_.known_username;
    settings_.password.reset();
}

bool ClientCore::send_message(const std::string& text, TimePoint now) {
    if (!session_ || !session_->authenticated())
        return false;
    session_->send_message(text);
    session_->tick(now);
    settle(now);
    return true;
}

// ---- what is told

void ClientCore::tell(management::State state, const std::string& reason) {
    state_ = state;
    if (!observer_)
        return;
    management::StateDetails details;
    details.reason = reason;
    if (state == management::State::AssignIp || state == management::State::Connected) {
        details.address = session_->pushed().address;
        details.address6 = session_->pushed().address6;
    }
    if (state == management::State::Connected) {
        details.remote = path_.remote;
        details.local = path_.local;
    }
    observer_->state(state, details);
}

void ClientCore::tell_progress() {
    using management::State;
    const auto reached = session_->authenticated() ? State::GetConfig
                         : session_->answered()    ? State::Auth
                                                   : State::Wait;
    if (phase_ == Phase::Negotiating && reached > state_)
        tell(reached);
}

// ---- a try

// Goes on where advance() has left off.
void ClientCore::try_now(TimePoint now) {
    if (address_ < addresses_.size()) {
        open_next();
        return;
    }
    addresses_.clear();
    address_ = 0;
    path_ = {};
    phase_ = Phase::Resolving;
    answer_until_ = now + remote().timeout;
    const bool begins_at_proxy = remote().proxy && remote().tcp;
    if (!parse_address(begins_at_proxy ? remote().proxy->host : remote().host))
        tell(management::State::Resolve);
    host_.resolve(remote());
}

void ClientCore::resolved(std::vector<Endpoint> addresses, const std::string& reason,
                          TimePoint now) {
    if (phase_ != Phase::Resolving)
        return;
    if (addresses.empty()) {
        log::warning("{}: {}",
                     remote().proxy && remote().tcp ? "proxy " + remote().proxy->host
                                                    : remote().host,
                     reason);
        if (!unresolved_since_)
            unresolved_since_ = now;
        if (settings_.resolve_for && now - *unresolved_since_ >= *settings_.resolve_for) {
            end("no server's name could be resolved (resolv-retry)", "resolv-retry");
            return;
        }
        advance(true);
        wait(now, "init_instance");
        return;
    }
    unresolved_since_.reset();
    addresses_ = std::move(addresses);
    address_ = 0;
    answer_until_ = now + remote().timeout;
    open_next();
}

void ClientCore::open_next() {
    phase_ = Phase::Opening;
    path_ = {addresses_[address_], {}};
    const auto& proxy = remote().proxy;
    log::info("{}: connecting by {}{}", label(), remote().tcp ? "TCP" : "UDP",
              proxy ? " and the proxy " + proxy->host : "");
    if (remote().tcp)
        tell(management::State::TcpConnect);
    host_.open(path_.remote, remote());
}

void ClientCore::opened(const Path& path, TimePoint now) {
    if (phase_ != Phase::Opening)
        return;
    phase_ = Phase::Negotiating;
    path_ = path;
    answer_until_ = now + remote().timeout;
    settings_.session.negotiation.tcp = remote().tcp;
    wire::SessionId id;
    random_bytes(id);
    const bool brings_key = !settings_.wrapped_key.empty();
    const auto time =
        std::chrono::duration_cast<seconds>(now.time_since_epoch()) + settings_.unix_time_of_zero;
    channel_.emplace(settings_.wrap, static_cast<std::uint32_t>(time.count()),
                     brings_key ? wire::kFirstIdThatCanResend : 1);
    was_up_ = false;
    trouble_.clear();
    tell(management::State::Wait);
    session_ = std::make_unique<session::ClientSession>(
        settings_.session, tls_, static_cast<session::ClientSessionHost&>(*this), id,
        brings_key ? wire::Opcode::HardResetClientV3 : wire::Opcode::HardResetClientV2,
        settings_.wrapped_key.size(), now);
    session_->tick(now);
    settle(now);
}

void ClientCore::lost(const std::string& reason, TimePoint now) {
    if (session_) {
        trouble_ = "connection-reset";
        session_->close(reason);
        settle(now);
    } else if (phase_ == Phase::Opening) {
        log::warning("{}: {}", label(), reason);
        close_try();
        advance(false);
        wait(now, "connection-failed");
    }
}

void ClientCore::receive(const Path& path, ByteView datagram, TimePoint now) {
    if (!session_ || path.remote != path_.remote) {
        dropped_++;
        return;
    }
    const auto opcode = wire::opcode_of(datagram);
    // Nothing that a client may hear brings a client's key.
    if (!opcode || wire::is_data(*opcode) || wire::brings_key(*opcode)) {
        dropped_++;
        return;
    }
    auto plain = channel_->open(datagram);
    auto packet = plain ? wire::parse_control(*plain)
                        : Result<wire::ControlPacket, wire::WireError>(plain.error());
    if (!packet) {
        dropped_++;
        log::debug("{}: dropped: {}, {} bytes", label(), wire::to_string(packet.error()),
                   datagram.size());
        return;
    }
    // Where datagrams of ours leave from is known when one has come back.
    path_.local = path.local;
    session_->receive(*packet, now);
    settle(now);
}

void ClientCore::notified(const dataplane::Notification& notification, TimePoint now) {
    if (!session_ || !peer_id_)
        return;
    if (const auto* deleted = std::get_if<dataplane::PeerDeleted>(&notification)) {
        if (deleted->id != *peer_id_)
            return;
        peer_id_.reset();
        const bool last =
            deleted->expired && session_->pushed().ping_exit.value_or(settings_.ping_exit);
        if (deleted->expired)
            trouble_ = last ? "ping-exit" : "ping-restart";
        leaving_ = leaving_ || last;
        session_->close(deleted->expired ? "nothing heard of the server (" + trouble_ + ")"
                                         : "removed from the data plane");
        if (last)
            tell(management::State::Exiting, trouble_);
    } else if (const auto* floated = std::get_if<dataplane::PeerFloated>(&notification)) {
        if (floated->id != *peer_id_ || floated->remote == path_.remote)
            return;
        log::info("{}: now at {}", label(), to_string(floated->remote));
        path_.remote = floated->remote;
    } else if (const auto* limit = std::get_if<dataplane::KeyNearLimit>(&notification)) {
        if (limit->peer_id != *peer_id_)
            return;
        log::info("{}: key {} is near its limit", label(), limit->key_id);
        session_->renegotiate(now);
    }
    settle(now);
}

void ClientCore::resynchronize(TimePoint now) {
    if (peer_id_ && !host_.data_plane().peer_stats(*peer_id_))
        notified(dataplane::PeerDeleted{*peer_id_, true}, now);
}

void ClientCore::tick(TimePoint now) {
    if (phase_ == Phase::Waiting && now >= wait_until_) {
        prepare(now);
        return;
    }
    if (phase_ == Phase::Resolving && now >= answer_until_) {
        close_try();
        resolved({}, "its name is not resolved in time", now);
        return;
    }
    if (phase_ == Phase::Opening && now >= answer_until_) {
        lost("no connection in time (connect-timeout)", now);
        return;
    }
    if (!session_ || over_limit(now))
        return;
    if (!session_->answered() && now >= answer_until_) {
        trouble_ = "server_poll";
        session_->close("no answer (connect-timeout)");
    }
    session_->tick(now);
    settle(now);
}

TimePoint ClientCore::deadline() const {
    auto earliest = wait_until_;
    if (phase_ == Phase::Resolving || phase_ == Phase::Opening ||
        (session_ && !session_->answered()))
        earliest = std::min(earliest, answer_until_);
    if (session_)
        earliest = std::min(earliest, session_->deadline());
    if (session_ && phase_ == Phase::Up)
        earliest = std::min({earliest, session_until_, idle_ ? idle_->deadline() : kNever});
    return earliest;
}

void ClientCore::settle(TimePoint now) {
    if (session_)
        tell_progress();
    if (phase_ == Phase::Up && !idle_ && session_until_ == kNever)
        arm_limits(now);
    if (session_ && session_->state() == session::Session::State::Closed)
        session_ended(now);
}

void ClientCore::arm_limits(TimePoint now) {
    const auto& pushed = session_->pushed();
    const Duration timeout =
        pushed.session_timeout ? Duration(*pushed.session_timeout) : settings_.session_timeout;
    if (timeout > Duration::zero())
        session_until_ = now + timeout;
    const Duration inactive = pushed.inactive ? Duration(*pushed.inactive) : settings_.inactive;
    const auto stats = peer_id_ ? host_.data_plane().peer_stats(*peer_id_) : std::nullopt;
    if (inactive > Duration::zero())
        idle_.emplace(inactive, pushed.inactive ? pushed.inactive_bytes : settings_.inactive_bytes,
                      stats ? stats->inner_bytes : 0, now);
}

// Both end the client, as with OpenVPN.
bool ClientCore::over_limit(TimePoint now) {
    if (phase_ != Phase::Up)
        return false;
    const char* which = nullptr;
    if (now >= session_until_)
        which = "session-timeout";
    if (idle_ && now >= idle_->deadline()) {
        const auto stats = peer_id_ ? host_.data_plane().peer_stats(*peer_id_) : std::nullopt;
        if (stats && idle_->is_idle(stats->inner_bytes, now))
            which = "inactive";
    }
    if (!which)
        return false;
    log::info("{}: ending ({})", label(), which);
    tell(management::State::Exiting, which);
    stop(now);
    return true;
}

void ClientCore::session_ended(TimePoint now) {
    const auto ending = session_->ending();
    const auto reason = session_->close_reason();
    const auto back_off = session_->back_off();
    const auto name = ending_name();
    if (ending == session::Ending::Left)
        log::info("{}: {}", label(), reason);
    else if (was_up_)
        log::warning("{}: disconnected: {}", label(), reason);
    else
        log::warning("{}: not connected: {}", label(), reason);
    if (observer_ && session_->refusal())
        observer_->refused(*session_->refusal());
    close_try();
    if (leaving_ || ending == session::Ending::Left) {
        end("");
    } else if (!may_retry(ending)) {
        end(reason, name);
    } else {
        if (ending == session::Ending::Failed || ending == session::Ending::NextServer)
            advance(ending == session::Ending::NextServer);
        else if (accepted_)
            forget_server(); // to be accepted once more
        wait(now, name, back_off);
    }
}

// Why the session has ended, as OpenVPN says it to management clients.
std::string ClientCore::ending_name() const {
    using session::Ending;
    const auto ending = session_->ending();
    if (session_->refusal())
        return ending == Ending::AuthFailed ? "auth-failure" : "auth-temp-failure";
    if (ending == Ending::Halted)
        return "server-pushed-halt";
    if (ending == Ending::Again || ending == Ending::NextServer)
        return "server-pushed-connection-reset";
    return trouble_.empty() ? "tls-error" : trouble_;
}

bool ClientCore::may_retry(session::Ending ending) {
    if (ending != session::Ending::AuthFailed)
        return ending != session::Ending::Halted;
    // An expired token is no wrong password.
    const bool had_token = !token_.empty();
    token_.wipe();
    if (!had_token && settings_.auth_retry == config::AuthRetry::Interact)
        forget_passwords();
    return had_token || settings_.auth_retry != config::AuthRetry::None;
}

// The next address of this server, or the first of the next one.
void ClientCore::advance(bool next_server) {
    address_ = next_server ? addresses_.size() : address_ + 1;
    if (address_ < addresses_.size())
        return;
    forget_server();
    at_ = (at_ + 1) % settings_.remotes.size();
}

void ClientCore::forget_server() {
    addresses_.clear();
    address_ = 0;
    accepted_.reset();
}

Duration ClientCore::back_off() const {
    const auto rounds = failed_tries_ / static_cast<std::uint32_t>(settings_.remotes.size());
    if (rounds < kPatientRounds)
        return settings_.retry;
    const auto doublings = std::min(rounds - kPatientRounds + 1, kMostDoublings);
    return std::min(settings_.retry * (1 << doublings), settings_.longest_retry);
}

void ClientCore::wait(TimePoint now, const std::string& why, std::optional<Duration> at_least) {
    failed_tries_++;
    if (settings_.tries > 0 && failed_tries_ >= settings_.tries * settings_.remotes.size()) {
        end("every server was tried " + std::to_string(settings_.tries) +
                " times (connect-retry-max)",
            "connect-retry-max");
        return;
    }
    tell(management::State::Reconnecting, why);
    begin(now, std::max(back_off(), at_least.value_or(Duration::zero())));
}

void ClientCore::count_bytes() {
    if (auto stats = peer_id_ ? host_.data_plane().peer_stats(*peer_id_) : std::nullopt) {
        rx_bytes_of_gone_ += stats->rx_bytes;
        tx_bytes_of_gone_ += stats->tx_bytes;
    }
}

void ClientCore::close_try() {
    count_bytes();
    if (peer_id_)
        well(host_.data_plane().remove_peer(*peer_id_), "peer removal");
    peer_id_.reset();
    session_.reset();
    channel_.reset();
    idle_.reset();
    session_until_ = kNever;
    host_.close();
    if (!settings_.keep_tunnel || leaving_)
        drop_tunnel();
}

bool Tunnel::same_inside(const Tunnel& other) const {
    return address == other.address && length == other.length && peer == other.peer &&
           address6 == other.address6 && length6 == other.length6 && gateway == other.gateway &&
           mtu == other.mtu && routes == other.routes && redirect == other.redirect;
}

void ClientCore::drop_tunnel() {
    if (std::exchange(set_up_, std::nullopt))
        host_.take_down();
}

// @p why: empty if somebody else has told it.
void ClientCore::end(const std::string& failure, const std::string& why) {
    drop_tunnel();
    withdraw();
    phase_ = Phase::Ended;
    wait_until_ = kNever;
    failure_ = failure;
    if (!why.empty())
        tell(management::State::Exiting, why);
}

void ClientCore::restart(TimePoint now) {
    if (leaving_ || finished())
        return;
    if (session_)
        log::info("{}: disconnected: restart", label());
    close_try();
    withdraw();
    failed_tries_ = 0;
    forget_server();
    begin(now, Duration::zero());
}

// A session over UDP goes on, as its server follows authentic packets. A connection cannot, also
// one to a proxy, and a handshake is bound to the address that it began from.
void ClientCore::own_address_changed(bool past_tunnel, TimePoint now) {
    if (leaving_ || !session_)
        return;
    if (phase_ == Phase::Up && !remote().tcp && !remote().proxy && past_tunnel) {
        log::info("{}: this host has another address, the server is told", label());
        host_.announce(*peer_id_);
        return;
    }
    log::info("{}: this host has another address, connecting again", label());
    // What leads past the tunnel went with the old address.
    if (!past_tunnel)
        drop_tunnel();
    tell(management::State::Reconnecting, "address-change");
    restart(now);
}

void ClientCore::stop(TimePoint now) {
    const bool again = std::exchange(leaving_, true);
    if (session_ && !again) {
        const auto notify = session_->pushed().exit_notify.value_or(settings_.exit_notify);
        phase_ = Phase::Leaving;
        // The end of a connection says it as well.
        session_->leave(now, "left", notify > 0 && !remote().tcp);
        settle(now);
        return;
    }
    close_try();
    end("");
}

ClientReport ClientCore::report() {
    ClientReport out;
    out.phase = phase_;
    out.server = label();
    out.dropped = dropped_;
    out.all_rx_bytes = rx_bytes_of_gone_;
    out.all_tx_bytes = tx_bytes_of_gone_;
    if (!session_)
        return out;
    out.common_name = session_->common_name();
    if (!was_up_)
        return out;
    out.address = session_->pushed().address;
    out.tls = session_->tls_version() + " " + session_->tls_cipher();
    out.cipher = session::describe(session_->choice());
    out.renegotiations = session_->renegotiations();
    if (auto stats = peer_id_ ? host_.data_plane().peer_stats(*peer_id_) : std::nullopt) {
        out.rx_bytes = stats->rx_bytes;
        out.tx_bytes = stats->tx_bytes;
        out.all_rx_bytes += stats->rx_bytes;
        out.all_tx_bytes += stats->tx_bytes;
    }
    return out;
}

// ---- the session's host

bool ClientCore::well(const dataplane::Failure& failure, std::string_view what) {
    if (failure)
        log::error("{}: {}: {}", label(), what, failure->what);
    return !failure;
}

void ClientCore::send(session::Session&, ByteView datagram) {
    auto sealed = channel_->seal(datagram);
    if (wire::brings_key(*wire::opcode_of(datagram)))
        sealed.insert(sealed.end(), settings_.wrapped_key.begin(), settings_.wrapped_key.end());
    host_.send(path_, sealed);
}

bool ClientCore::add_peer(session::Session&) {
    const auto& pushed = session_->pushed();
    const auto& choice = session_->choice();
    dataplane::Peer peer;
    peer.id = pushed.peer_id.value_or(0);
    peer.path = path_;
    peer.owns_everything = true;
    peer.data_v1 = choice.data_v1;
    peer.framing = choice.framing;
    const OuterHeaders outer = {!path_.remote.address.is_ipv4(), remote().tcp,
                                remote().relayed() ? wire::kMaxRelayHeader : 0U};
    peer.fragment = fragment_size(settings_.fragment, choice.format, choice.data_v1, outer);
    peer.tcp_mss = tcp_mss(settings_.mss_fix, choice.format, choice.framing, choice.data_v1, outer);
    if (!well(host_.data_plane().add_peer(peer), "new peer"))
        return false;
    peer_id_ = peer.id;
    return true;
}

bool ClientCore::install_key(session::Session&, KeySlot slot, std::uint8_t key_id,
                             const DataKeys& keys) {
    return well(host_.data_plane().install_key(*peer_id_, slot, key_id, keys), "new key");
}

bool ClientCore::swap_keys(session::Session&) {
    return well(host_.data_plane().swap_keys(*peer_id_), "key swap");
}

void ClientCore::delete_key(session::Session&, KeySlot slot) {
    if (peer_id_)
        well(host_.data_plane().delete_key(*peer_id_, slot), "key removal");
}

Tunnel ClientCore::tunnel() const {
    const auto& pushed = session_->pushed();
    Tunnel out;
    out.path = path_;
    out.address = pushed.address;
    out.peer = pushed.peer;
    if (pushed.netmask)
        out.length = prefix_length(*pushed.netmask).value_or(32);
    out.address6 = pushed.address6;
    out.length6 = pushed.length6;
    out.gateway = pushed.gateway ? pushed.gateway : pushed.peer;
    out.mtu = pushed.tun_mtu.value_or(settings_.session.tun_mtu);
    out.routes = pushed.routes;
    for (auto& route : out.routes) {
        if (!route.metric)
            route.metric = pushed.route_metric;
    }
    out.redirect = pushed.redirect;
    out.environment = session_->peer_environment();
    out.environment.insert(out.environment.end(), pushed.environment.begin(),
                           pushed.environment.end());
    out.environment.emplace_back("common_name", session_->common_name());
    return out;
}

void ClientCore::up(session::Session&) {
    const auto& pushed = session_->pushed();
    if (observer_) {
        for (const auto& text : pushed.echo)
            observer_->echo(text);
    }
    const dataplane::Keepalive keepalive = {
        pushed.ping.value_or(settings_.keepalive.interval),
        pushed.ping_restart.value_or(settings_.keepalive.timeout)};
    well(host_.data_plane().set_keepalive(*peer_id_, keepalive), "keepalive");
    tell(management::State::AssignIp);
    auto wanted = tunnel();
    // Without a moment in which packets would go past it.
    if (set_up_ && wanted.same_inside(*set_up_) && host_.keep(wanted)) {
        set_up_ = std::move(wanted);
        log::info("{}: addresses and routes stay as they are", label());
    } else {
        drop_tunnel();
        set_up_ = std::move(wanted);
        if (!host_.set_up(*set_up_)) {
            session_->close("the device cannot be set up");
            return;
        }
    }
    was_up_ = true;
    failed_tries_ = 0;
    phase_ = Phase::Up;
    if (settings_.forget_password && settings_.ask_user) {
        settings_.username = settings_.known_username;
        settings_.password.reset();
    }
    log::info("{}: connected to {}: peer {}, {}, {} {}, data channel {}, key derivation {}, "
              "handshake {:.1f} ms",
              label(), session_->common_name(), *peer_id_,
              pushed.address ? to_string(*pushed.address) : "no IPv4 address",
              session_->tls_version(), session_->tls_cipher(),
              session::describe(session_->choice()),
              session::derivation_name(session_->choice().derivation),
              milliseconds(session_->handshake_time()));
    if (!pushed.routes.empty() || pushed.redirect)
        tell(management::State::AddRoutes);
    host_.connected();
    tell(management::State::Connected, "SUCCESS");
}

void ClientCore::renegotiated(session::Session&, Duration took) {
    log::info("{}: new keys by {}, {} {}, in use after {:.1f} ms", label(),
              session::derivation_name(session_->choice().derivation), session_->tls_version(),
              session_->tls_cipher(), milliseconds(took));
}

void ClientCore::notice(session::Session&, std::string_view text) {
    log::warning("{}: {}", label(), text);
}

std::optional<session::Credentials> ClientCore::credentials() {
    if (lacks_user()) {
        ask_user();
        return std::nullopt;
    }
    session::Credentials out;
    if (!token_.empty()) {
        out.username = token_user_.empty() ? settings_.username : token_user_;
        out.password = SecretBytes(token_.view());
    } else if (settings_.password) {
        out.username = settings_.username;
        out.password = SecretBytes(settings_.password->view());
    }
    return out;
}

void ClientCore::told_token(const std::string& username, SecretBytes token) {
    token_ = std::move(token);
    if (!username.empty())
        token_user_ = username;
}

void ClientCore::information(std::string_view text) {
    log::warning("{}: the server says: {}", label(), wire::printable(text, kShown));
    if (observer_)
        observer_->information(text);
}

void ClientCore::auth_pending(std::string_view words) {
    tell(management::State::AuthPending, std::string(words));
}

} // namespace nfovpn::client
