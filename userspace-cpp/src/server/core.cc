// SPDX-License-Identifier: GPL-2.0-or-later
//
// The server without its sockets; core.h draws a datagram's way.
//
// Who owns what: a Client holds its session and is the session's host. Session code calls back
// into the Client in the middle of its own methods, so a Client is never destroyed from within a
// callback: it is closed there, and settle() removes it afterwards. Callbacks may remove *other*
// clients (a newer connection of the same name), so loops go over copies of the keys.

#include "server/core.h"

#include "util/log.h"

#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace nfovpn::server {

namespace {

double milliseconds(Duration d) {
    return std::chrono::duration<double, std::milli>(d).count();
}

// A session that is always due would keep the loop from the socket.
constexpr Duration kShortestWait = std::chrono::milliseconds(1);

// TLS's share of a packet, at the least, whatever the limit for packets and the wrapping leave.
constexpr std::size_t kLeastPayload = 64;

// A key that has done so much may be near its limit: a sixteenth of the bytes that AES-GCM may
// encrypt, half of the packet IDs.
constexpr std::uint64_t kManyBytes = std::uint64_t{1} << 35;
constexpr std::uint64_t kManyPackets = std::uint64_t{1} << 31;

// Ended sessions that are remembered; more than that and the oldest are forgotten early.
constexpr std::size_t kMaxTombstones = 65536;

} // namespace

/// A session with its place in the world.
class ServerCore::Client final : public session::ServerSessionHost, public Applicant {
public:
    Client(ServerCore& server, Stranger& from, const wire::SessionId& local_id,
           std::optional<wire::Opcode> reset, TimePoint now)
        : Applicant(server.next_client_id_++), path(from.path), created(now),
          connected_since(server.unix_time(now)), channel(std::move(from.channel)),
          own_key(from.own_key), session(server.settings_.session, server.tls_, *this,
                                         from.packet.session_id, local_id, now, reset),
          core_(server) {}
    /// Of another process.
    Client(ServerCore& server, const SavedClient& saved, std::uint8_t key_id,
           const session::Assignment& assignment, session::WrappedChannel wrapped, TimePoint now,
           TimePoint renegotiate_at)
        : Applicant(saved.id), path(saved.path),
          created(TimePoint{} + std::chrono::nanoseconds(saved.created)),
          connected_since(saved.connected_since), channel(std::move(wrapped)),
          session(server.settings_.session, server.tls_, *this, with_key(saved.session, key_id),
                  assignment, saved.peer_info, now, renegotiate_at),
          half_open(false), is_up(true), core_(server) {
        user = saved.user;
        token = saved.token;
        special.netmask = saved.netmask;
        granted = assignment;
        address6 = saved.address6;
        connected = saved.connected;
        may_have_address = saved.may_have_address;
        may_have_address6 = saved.may_have_address6;
        learned = saved.learned;
    }

    // A key may have come into use after the last note.
    static session::SavedSession with_key(session::SavedSession session, std::uint8_t key_id) {
        session.key_id = key_id;
        return session;
    }
    [[nodiscard]] Key key() const { return {path.remote, session.remote_id()}; }
    [[nodiscard]] std::uint32_t peer_id() const { return granted->peer_id; }

    session::ServerSession& its_session() override { return session; }
    [[nodiscard]] Environment environment() const override;
    [[nodiscard]] Environment pool_environment() const;
    [[nodiscard]] std::string label() const override {
        auto where = to_string(path.remote);
        return session.common_name().empty() ? where : session.common_name() + " " + where;
    }

    void send(session::Session&, ByteView datagram) override {
        core_.transport_.send(path, channel.seal(datagram));
    }
    void asks_admission(session::ServerSession&, const wire::KeyMethod2& theirs,
                        TimePoint now) override {
        core_.admission_.ask(*this, theirs, now);
    }
    void asks_confirmation(session::ServerSession&, std::uint8_t key_id,
                           const wire::KeyMethod2& theirs, TimePoint now) override {
        core_.admission_.confirm(*this, key_id, theirs, now);
    }
    bool add_peer(session::Session&) override;
    bool install_key(session::Session&, KeySlot slot, std::uint8_t key_id,
                     const DataKeys& keys) override {
        return well(core_.data_plane_.install_key(peer_id(), slot, key_id, keys), "new key");
    }
    bool swap_keys(session::Session&) override {
        return well(core_.data_plane_.swap_keys(peer_id()), "key swap");
    }
    void delete_key(session::Session&, KeySlot slot) override {
        well(core_.data_plane_.delete_key(peer_id(), slot), "key removal");
    }
    void up(session::Session&) override;
    void renegotiated(session::Session&, Duration took) override;
    void notice(session::Session&, std::string_view text) override {
        // A client that has been let in can send messages without end.
        if (notices_ < kMostNotices)
            log::peer_warning("{}: {}{}", label(), text,
                              notices_ + 1 < kMostNotices ? "" : "; no more of it is logged");
        notices_ = std::min(notices_ + 1, kMostNotices);
    }

    Path path;
    TimePoint created;
    std::int64_t connected_since; ///< Unix time
    session::WrappedChannel channel;
    std::shared_ptr<const wire::StaticKey> own_key; ///< of tls-crypt-v2
    session::ServerSession session;
    TimePoint scheduled = kNever;
    bool half_open = true;
    bool is_up = false;
    bool known_to_data_plane = false; ///< and to be removed there
    bool is_noted = false;            ///< for another process
    /// What was noted last, of all that changes.
    struct Note {
        Endpoint remote;
        std::uint8_t last_key_id = 0;
        unsigned renegotiations = 0;
        std::int64_t token_renewed = 0;
        wire::WrapId seen;
        bool operator==(const Note&) const = default;
    } last_note;
    dataplane::PeerStats traffic;     ///< as it was last known
    dataplane::PeerStats at_last_key; ///< when its key was new

private:
    bool well(const dataplane::Failure& failure, std::string_view what) {
        if (failure)
            log::peer_error("{}: {}: {}", label(), what, failure->what);
        return !failure;
    }

    static constexpr unsigned kMostNotices = 20;

    ServerCore& core_;
    unsigned notices_ = 0;
};

bool ServerCore::Client::add_peer(session::Session&) {
    const auto& choice = session.choice();
    core_.take_peer_id(*this, session.assignment()->peer_id);
    dataplane::Peer peer;
    peer.id = peer_id();
    peer.path = path;
    peer.owns_everything = core_.settings_.session.point_to_point;
    if (may_have_address)
        peer.address = granted->address;
    if (may_have_address6)
        peer.address6 = address6;
    core_.take_networks(*this);
    if (choice.data_v1)
        core_.make_way(*this, created + session.handshake_time());
    peer.networks = core_.networks_.of(id);
    peer.data_v1 = choice.data_v1;
    peer.framing = choice.framing;
    const OuterHeaders outer = {!path.remote.address.is_ipv4(), core_.settings_.tcp};
    peer.fragment = fragment_size(core_.settings_.fragment, choice.format, choice.data_v1, outer);
    peer.tcp_mss =
        tcp_mss(core_.settings_.mss_fix, choice.format, choice.framing, choice.data_v1, outer);
    known_to_data_plane = well(core_.data_plane_.add_peer(peer), "new peer");
    if (!known_to_data_plane)
        core_.leave_networks(*this);
    return known_to_data_plane;
}

void ServerCore::Client::up(session::Session&) {
    is_up = true;
    well(core_.data_plane_.set_keepalive(peer_id(), core_.settings_.keepalive), "keepalive");
    const auto& info = session.peer_info();
    log::info("{}: up: peer {}, {}, {} {}, data channel {}, key derivation {}, "
              "handshake {:.1f} ms, OpenVPN {} {}",
              label(), peer_id(), to_string(granted->address), session.tls_version(),
              session.tls_cipher(), session::describe(session.choice()),
              session::derivation_name(session.choice().derivation),
              milliseconds(session.handshake_time()), info.version.empty() ? "?" : info.version,
              info.platform);
    if (core_.observer_)
        core_.observer_->connected(core_.status_of(*this, created + session.handshake_time()));
}

void ServerCore::Client::renegotiated(session::Session&, Duration took) {
    log::info("{}: new keys by {}, {} {}, in {:.1f} ms", label(),
              session::derivation_name(session.choice().derivation), session.tls_version(),
              session.tls_cipher(), milliseconds(took));
    at_last_key = core_.data_plane_.peer_stats(peer_id()).value_or(at_last_key);
    if (token && core_.gives_tokens())
        session.send_message("PUSH_REPLY," + core_.admission_.token_option(*this));
}

std::size_t ServerCore::KeyHash::operator()(const Key& key) const noexcept {
    // The ID is its sender's choice; the table grows only by clients that answered a cookie, and
    // those are limited, so a hash that can be steered does no harm.
    std::uint64_t id = 0;
    for (auto byte : key.id)
        id = id << 8 | byte;
    return std::hash<Endpoint>()(key.remote) ^ static_cast<std::size_t>(id * 0x9e3779b97f4a7c15ULL);
}

ServerCore::ServerCore(const CoreSettings& settings, const session::TlsContext& tls,
                       dataplane::DataPlane& data_plane, Transport& transport, ClientHooks* hooks)
    : settings_(settings), tls_(tls), data_plane_(data_plane), transport_(transport), hooks_(hooks),
      cookie_(settings_.session.handshake_window / 2), per_source_(settings_.initial_per_source),
      addresses_(settings_), admission_(settings_, addresses_, networks_, hooks_, *this) {
    fit_packets();
}

void ServerCore::fit_packets() {
    // With tls-crypt-v2 the wrapping is tls-crypt's.
    std::size_t wrapping = 0;
    if (settings_.wrap)
        wrapping = settings_.wrap->overhead();
    if (settings_.tls_crypt_v2)
        wrapping = std::max(wrapping, wire::kTlsCryptOverhead);
    auto& limit = settings_.session.max_packet;
    limit = std::max(limit - std::min(limit, wrapping),
                     wire::control_overhead(wire::kMaxAcks) + kLeastPayload);
}

ServerCore::~ServerCore() = default;

std::int64_t ServerCore::unix_time(TimePoint now) const {
    const auto zero = settings_.ask_unix_time_of_zero ? settings_.ask_unix_time_of_zero()
                                                      : settings_.unix_time_of_zero;
    return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count() +
           zero.count();
}

// Of packets that are wrapped. Who hears them takes none that is older than another one, so this
// stands still while a clock is set back.
std::uint32_t ServerCore::wrap_time(TimePoint now) {
    last_wrap_time_ = std::max(last_wrap_time_, unix_time(now));
    return static_cast<std::uint32_t>(last_wrap_time_);
}

void ServerCore::malformed(const Path& path, ByteView datagram, wire::WireError error) {
    if (error == wire::WireError::NotControl)
        counters_.unknown_data++;
    else
        counters_.malformed[static_cast<std::size_t>(error)]++;
    log::debug("{}: dropped: {}, {} bytes", to_string(path.remote), wire::to_string(error),
               datagram.size());
}

void ServerCore::receive(const Path& path, ByteView datagram, TimePoint now) {
    counters_.datagrams++;
    auto head = wire::parse_head(datagram);
    if (!head) {
        malformed(path, datagram, head.error());
        return;
    }
    if (wire::brings_key(head->opcode) && !settings_.tls_crypt_v2) {
        malformed(path, datagram, wire::WireError::Unsupported);
        return;
    }
    auto client = clients_.find(Key{path.remote, head->session_id});
    if (client != clients_.end())
        known(*client->second, datagram, now);
    else
        stranger(path, head->opcode, datagram, now);
}

void ServerCore::known(Client& client, ByteView datagram, TimePoint now) {
    auto wrapped = datagram;
    // The session has the key already.
    if (wire::brings_key(*wire::opcode_of(datagram))) {
        auto parts = wire::split_wrapped_key(datagram);
        if (!parts) {
            malformed(client.path, datagram, parts.error());
            return;
        }
        wrapped = parts->datagram;
    }
    auto plain = client.channel.open(wrapped);
    if (!plain) {
        malformed(client.path, datagram, plain.error());
        return;
    }
    auto packet = wire::parse_control(*plain);
    if (!packet) {
        malformed(client.path, datagram, packet.error());
        return;
    }
    client.session.receive(*packet, now);
    settle(client, now);
}

Result<std::shared_ptr<const wire::StaticKey>, wire::WireError>
ServerCore::client_key(ByteView wrapped_key, TimePoint now) const {
    const auto& v2 = *settings_.tls_crypt_v2;
    auto client = wire::unwrap_client_key(v2.key, wrapped_key);
    if (!client)
        return client.error();
    if (v2.max_age.count() > 0) {
        auto made = client->made_at();
        if (!made || *made < unix_time(now) - v2.max_age.count())
            return wire::WireError::BadClientKey;
    }
    return std::make_shared<const wire::StaticKey>(std::move(client->key));
}

void ServerCore::stranger(const Path& path, wire::Opcode opcode, ByteView datagram, TimePoint now) {
    if (settings_.only_from && path.remote.address != *settings_.only_from) {
        counters_.stray++;
        return;
    }
    auto keys = settings_.wrap;
    std::shared_ptr<const wire::StaticKey> own_key;
    auto wrapped = datagram;
    if (wire::brings_key(opcode)) {
        auto parts = wire::split_wrapped_key(datagram);
        if (!parts) {
            malformed(path, datagram, parts.error());
            return;
        }
        auto opened = client_key(parts->wrapped_key, now);
        if (!opened) {
            malformed(path, datagram, opened.error());
            return;
        }
        own_key = *opened;
        keys = std::make_shared<const wire::ControlWrap>(
            wire::ControlWrap::tls_crypt(*own_key, wire::Role::Server));
        wrapped = parts->datagram;
    } else if (settings_.tls_crypt_v2 && !settings_.wrap) {
        malformed(path, datagram, wire::WireError::NotAuthentic);
        return;
    }
    // What a session sends is later than all answers that were given without one: see
    // first_packet().
    session::WrappedChannel channel(keys, wrap_time(now) + 1);
    wire::WrapId id;
    auto plain = channel.open(wrapped, &id);
    if (!plain) {
        malformed(path, datagram, plain.error());
        return;
    }
    auto packet = wire::parse_control(*plain);
    if (!packet) {
        malformed(path, datagram, packet.error());
        return;
    }
    Stranger from{path,
                  keys,
                  std::move(channel),
                  *packet,
                  own_key,
                  wire::brings_key(opcode),
                  wire::can_resend_key(id)};
    if (opcode == wire::Opcode::HardResetClientV2 || opcode == wire::Opcode::HardResetClientV3)
        first_packet(from, now);
    else
        cookie_answer(from, now);
}

void ServerCore::first_packet(Stranger& from, TimePoint now) {
    const auto& packet = from.packet;
    bool needs_session = from.brings_key && !from.can_resend_key;
    if (packet.key_id != 0 || packet.message_id != 0U || packet.acks.count != 0 ||
        (needs_session && settings_.tls_crypt_v2->force_cookie)) {
        counters_.stray++;
        return;
    }
    if (stopping_ || !per_source_.allow(from.path.remote.address, now) ||
        !total_.take(settings_.initial_total, now)) {
        counters_.initial_limited++;
        return;
    }
    counters_.initial++;
    if (needs_session) {
        wire::SessionId local_id;
        if (RAND_bytes(local_id.data(), static_cast<int>(local_id.size())) != 1)
            throw std::runtime_error("no random bytes for a session ID");
        begin(from, local_id, wire::Opcode::HardResetServerV2, now);
        return;
    }
    wire::ControlPacket answer;
    answer.opcode = wire::Opcode::HardResetServerV2;
    answer.session_id = cookie_.make(from.path.remote, packet.session_id, now);
    answer.peer_session_id = packet.session_id;
    answer.acks.add(0);
    answer.message_id = 0;
    if (from.brings_key)
        answer.payload = wire::resend_key_request();
    // Nothing remembers which packet IDs were used, so every answer is the first packet of its
    // second. Of two in one second the client drops one, and misses nothing.
    session::WrappedChannel channel(from.keys, wrap_time(now));
    transport_.send(from.path, channel.seal(wire::build_control(answer)));
}

void ServerCore::cookie_answer(Stranger& from, TimePoint now) {
    const auto& packet = from.packet;
    bool plausible = packet.opcode == wire::Opcode::ControlV1 ||
                     packet.opcode == wire::Opcode::AckV1 ||
                     packet.opcode == wire::Opcode::ControlWkcV1;
    if (!plausible || packet.key_id != 0 || packet.acks.count == 0 || stopping_ ||
        !cookie_.valid(packet.peer_session_id, from.path.remote, packet.session_id, now)) {
        counters_.stray++;
        return;
    }
    begin(from, packet.peer_session_id, std::nullopt, now);
}

void ServerCore::begin(Stranger& from, const wire::SessionId& local_id,
                       std::optional<wire::Opcode> reset, TimePoint now) {
    forget_tombstones(now);
    if (tombstones_.contains(Key{from.path.remote, from.packet.session_id})) {
        counters_.stray++;
        return;
    }
    const auto source = source_of(from.path.remote.address);
    auto& from_source = half_open_by_source_[source];
    // Those with a certificate that have not been let in count as well, with as much room again.
    if (half_open_ >= settings_.max_half_open ||
        clients_.size() >= settings_.max_clients + 2 * settings_.max_half_open ||
        from_source >= settings_.max_half_open_per_source) {
        if (from_source == 0)
            half_open_by_source_.erase(source);
        counters_.half_open_limited++;
        return;
    }
    half_open_++;
    from_source++;
    counters_.sessions++;
    log::debug("{}: new session", to_string(from.path.remote));
    auto owned = std::make_unique<Client>(*this, from, local_id, reset, now);
    Client& client = *owned;
    clients_.emplace(client.key(), std::move(owned));
    by_client_id_.emplace(client.id, &client);
    transport_.session_begins(client.path);
    client.session.receive(from.packet, now);
    settle(client, now);
}

Applicant* ServerCore::applicant(ClientId id) {
    return by_client_id(id);
}

void ServerCore::decided(Applicant& who, TimePoint now) {
    auto& client = static_cast<Client&>(who);
    client.session.tick(now);
    settle(client, now);
}

// Of clients with the same name only the newest stays; of point-to-point peers in any case.
void ServerCore::replace_others(Client& client, TimePoint now) {
    std::vector<Client*> replaced;
    if (!settings_.duplicate_cn) {
        auto [first, last] = by_name_.equal_range(client.session.common_name());
        for (auto at = first; at != last; ++at)
            replaced.push_back(at->second);
    }
    for (const auto& [id, other] : by_peer_id_) {
        if (settings_.session.point_to_point &&
            std::find(replaced.begin(), replaced.end(), other) == replaced.end())
            replaced.push_back(other);
    }
    for (auto* other : replaced) {
        other->session.close("replaced by a newer connection");
        remove(*other, now);
    }
}

std::optional<session::Refusal> ServerCore::give_place(Applicant& who, TimePoint now) {
    auto& client = static_cast<Client&>(who);
    replace_others(client, now);
    const auto& name = client.session.common_name();
    if (by_peer_id_.size() >= settings_.max_clients)
        return session::Refusal{"the server is full (max-clients)", true};
    session::Assignment granted;
    if (const auto& own = client.special.address) {
        if (!addresses_.reserve(*own))
            return session::Refusal{"the client's own address is in use", true};
        granted.address = *own;
    } else if (auto address = addresses_.give(settings_.duplicate_cn ? "" : name)) {
        granted.address = *address;
    } else {
        return session::Refusal{"no address is left in the server's pool", true};
    }
    auto id = ids_.allocate();
    if (!id) {
        addresses_.release(granted.address);
        return session::Refusal{"no peer ID is left", true};
    }
    granted.peer_id = *id;
    client.granted = granted;
    by_peer_id_.emplace(*id, &client);
    by_name_.emplace(name, &client);
    return std::nullopt;
}

// The one that was agreed upon, in place of the one that it was given.
void ServerCore::take_peer_id(Client& client, std::uint32_t id) {
    auto& own = client.granted->peer_id;
    if (own == id)
        return;
    by_peer_id_.erase(own);
    ids_.release(own);
    own = id;
    by_peer_id_.emplace(id, &client);
}

// The client is told what it has.
void ServerCore::let_in(Applicant& who) {
    auto& client = static_cast<Client&>(who);
    client.granted->push = push_for(client, client.special);
    client.session.admit(*client.granted);
}

std::size_t ServerCore::remember(const std::vector<Lease>& leases, bool keep) {
    return addresses_.remember(leases, keep);
}

std::vector<Lease> ServerCore::leases() const {
    return addresses_.leases();
}

// As OpenVPN: the newest has a network. Other than with OpenVPN the one before has it again.
void ServerCore::take_networks(Client& client) {
    std::set<ClientId> losers;
    for (const auto& change : networks_.take(client.id)) {
        const auto* loser = by_client_id(change.client);
        log::info("{}: iroute {} was behind {}", client.label(), to_string(change.network),
                  loser ? loser->label() : "nobody");
        losers.insert(change.client);
    }
    for (auto id : losers)
        apply_networks(id);
}

void ServerCore::leave_networks(Client& client) {
    for (const auto& [network, heir] : networks_.leave(client.id)) {
        if (!settings_.hooks_addresses) {
            regain_network(heir, network, true);
            continue;
        }
        networks_.doubt(heir, network);
        const auto* found = by_client_id(heir);
        hooks_->learn_addresses(heir, {to_string(network)},
                                found ? found->environment() : Environment{},
                                [this, id = heir, what = network](const auto& accepted, TimePoint) {
                                    regain_network(id, what, !accepted.empty() && accepted.front());
                                });
    }
}

void ServerCore::regain_network(ClientId id, const Prefix& network, bool accepted) {
    const auto* client = by_client_id(id);
    if (!client || !networks_.is_newest(id, network))
        return;
    if (!accepted) {
        log::peer_warning("{}: learn-address refuses {}", client->label(), to_string(network));
        return;
    }
    networks_.confirm(id, network);
    log::info("{}: iroute {} is behind it again", client->label(), to_string(network));
    apply_networks(id);
}

void ServerCore::apply_networks(ClientId id) {
    auto* client = by_client_id(id);
    if (!client || !client->known_to_data_plane)
        return;
    if (auto failure = data_plane_.set_networks(client->peer_id(), networks_.of(id)))
        log::error("{}: networks: {}", client->label(), failure->what);
}

// Two clients whose packets bear no peer ID cannot be at one address.
void ServerCore::make_way(Client& client, TimePoint now) {
    std::vector<Client*> there;
    for (const auto& [id, other] : by_peer_id_) {
        if (other != &client && other->known_to_data_plane && other->session.choice().data_v1 &&
            other->path.remote == client.path.remote)
            there.push_back(other);
    }
    for (auto* other : there) {
        other->session.close("its address and port are another client's now");
        remove(*other, now);
    }
}

// What OpenVPN tells programs of a client; what is the same for all of them is the hooks' to add.
Environment ServerCore::Client::environment() const {
    auto out = session.peer_environment();
    const auto& lines = session.peer_info().lines;
    out.insert(out.end(), lines.begin(), lines.end());
    const auto& remote = path.remote;
    const std::string family = remote.address.is_ipv4() ? "" : "6";
    const auto put_address = [&](const std::string& kind) {
        out.emplace_back(kind + "_ip" + family, to_string(remote.address));
        out.emplace_back(kind + "_port", std::to_string(remote.port));
    };
    put_address("untrusted");
    if (granted)
        put_address("trusted");
    out.emplace_back("common_name", session.common_name());
    if (user && !user->empty())
        out.emplace_back("username", *user);
    if (granted) {
        const auto pool = pool_environment();
        out.insert(out.end(), pool.begin(), pool.end());
    }
    return out;
}

Environment ServerCore::Client::pool_environment() const {
    Environment out = {
        {"ifconfig_pool_remote_ip", to_string(granted->address)},
        {core_.settings_.topology == wire::Topology::Subnet ? "ifconfig_pool_netmask"
                                                            : "ifconfig_pool_local_ip",
         to_string(special.netmask.value_or(core_.addresses_.second_of(granted->address)))}};
    if (address6)
        out.emplace_back("ifconfig_pool_remote_ip6", to_string(*address6));
    return out;
}

ServerCore::Client* ServerCore::by_client_id(ClientId id) {
    auto found = by_client_id_.find(id);
    return found == by_client_id_.end() ? nullptr : found->second;
}

// Those who know a client are told that it leaves.
void ServerCore::goes(Client& client, TimePoint now) {
    const bool counted = client.connected || (client.is_up && observer_);
    if (counted && client.known_to_data_plane)
        client.traffic = data_plane_.peer_stats(client.peer_id()).value_or(client.traffic);
    if (client.is_up && observer_)
        observer_->disconnected(status_of(client, now));
    for (const auto& address : client.learned)
        hooks_->forget_address(address, client.environment());
    if (client.connected) {
        auto all = client.environment();
        const auto seconds =
            std::chrono::duration_cast<std::chrono::seconds>(now - client.created).count();
        all.emplace_back("bytes_received", std::to_string(client.traffic.rx_bytes));
        all.emplace_back("bytes_sent", std::to_string(client.traffic.tx_bytes));
        all.emplace_back("time_duration", std::to_string(seconds));
        hooks_->disconnect(client.id, all);
    }
    if (hooks_)
        hooks_->forget(client.id);
}

std::optional<std::vector<std::string>> ServerCore::push_for(const Client& client,
                                                             const ClientSettings& special) const {
    if (special.networks.empty() && special.push.empty() && !special.push_reset &&
        special.push_remove.empty() && !client.address6 && !(client.token && gives_tokens()))
        return std::nullopt;
    // A network behind the client is not to be reached through the tunnel.
    const auto removed = [&](const std::string& option) {
        return std::any_of(special.push_remove.begin(), special.push_remove.end(),
                           [&](const auto& beginning) { return option.starts_with(beginning); });
    };
    // As OpenVPN, where it is none of the options that have a beginning in common.
    const bool without_ipv6 = std::find(special.push_remove.begin(), special.push_remove.end(),
                                        "ifconfig-ipv6") != special.push_remove.end();
    auto unsuitable = [&](const std::string& option) {
        if (removed(option))
            return true;
        if (special.push_reset)
            return true;
        return std::any_of(
            special.networks.begin(), special.networks.end(),
            [&](const Prefix& network) { return session::is_route_to(option, network); });
    };
    auto out = settings_.session.push;
    std::erase_if(out, unsuitable);
    out.insert(out.end(), special.push.begin(), special.push.end());
    if (client.address6 && settings_.ipv6 && !without_ipv6)
        out.push_back("ifconfig-ipv6 " + to_string(*client.address6) + "/" +
                      std::to_string(settings_.ipv6->length) + " " +
                      to_string(settings_.ipv6->server));
    if (client.token && gives_tokens())
        out.push_back(admission_.token_option(client));
    return out;
}

void ServerCore::settle(Client& client, TimePoint now) {
    if (client.session.state() == session::Session::State::Closed) {
        remove(client, now);
        return;
    }
    if (client.half_open && !client.session.common_name().empty()) {
        client.half_open = false;
        half_open_--;
        auto source = half_open_by_source_.find(source_of(client.path.remote.address));
        if (--source->second == 0)
            half_open_by_source_.erase(source);
    }
    note(client);
    reschedule(client, now);
}

void ServerCore::remove(Client& client, TimePoint now) {
    if (client.half_open) {
        half_open_--;
        auto source = half_open_by_source_.find(source_of(client.path.remote.address));
        if (--source->second == 0)
            half_open_by_source_.erase(source);
    }
    goes(client, now);
    if (client.is_up) {
        log::info("{}: gone: {}", client.label(), client.session.close_reason());
    } else {
        counters_.failed++;
        log::peer_warning("{}: not connected: {}", client.label(), client.session.close_reason());
    }
    if (const auto& given = client.granted) {
        if (client.known_to_data_plane) {
            if (auto failure = data_plane_.remove_peer(given->peer_id))
                log::error("{}: peer removal: {}", client.label(), failure->what);
        }
        by_peer_id_.erase(given->peer_id);
        leave_networks(client);
        auto [first, last] = by_name_.equal_range(client.session.common_name());
        auto entry = std::find_if(first, last, [&](const auto& e) { return e.second == &client; });
        if (entry != last)
            by_name_.erase(entry);
        ids_.release(given->peer_id);
        addresses_.release(given->address);
    }
    // Nobody resumes it when it is not in the data plane any more.
    forget_note(client);
    schedule_.erase({client.scheduled, &client});
    forget_tombstones(now);
    auto until = now + session::ResetCookie::kSlots * settings_.session.handshake_window / 2;
    tombstones_[client.key()] = until;
    tombstone_order_.emplace_back(until, client.key());
    transport_.session_ends(client.path);
    by_client_id_.erase(client.id);
    clients_.erase(client.key());
}

void ServerCore::forget_tombstones(TimePoint now) {
    while (!tombstone_order_.empty() &&
           (tombstone_order_.front().first <= now || tombstone_order_.size() >= kMaxTombstones)) {
        auto [until, key] = tombstone_order_.front();
        auto at = tombstones_.find(key);
        if (at != tombstones_.end() && at->second == until)
            tombstones_.erase(at);
        tombstone_order_.pop_front();
    }
}

void ServerCore::reschedule(Client& client, TimePoint now) {
    schedule_.erase({client.scheduled, &client});
    client.scheduled = std::max(client.session.deadline(), now + kShortestWait);
    if (client.scheduled != kNever)
        schedule_.emplace(client.scheduled, &client);
}

void ServerCore::tick(TimePoint now) {
    std::vector<Key> due;
    for (auto at = schedule_.begin(); at != schedule_.end() && at->first <= now; ++at)
        due.push_back(at->second->key());
    for (const auto& key : due) {
        auto found = clients_.find(key);
        if (found == clients_.end())
            continue;
        Client& client = *found->second;
        client.session.tick(now);
        settle(client, now);
    }
}

TimePoint ServerCore::deadline() const {
    return schedule_.empty() ? kNever : schedule_.begin()->first;
}

ServerCore::Client* ServerCore::by_peer_id(std::uint32_t id) {
    auto found = by_peer_id_.find(id);
    return found == by_peer_id_.end() ? nullptr : found->second;
}

void ServerCore::move(Client& client, const Endpoint& remote, TimePoint now) {
    // A client may call two of its sessions by the same ID; the one that moves in stays.
    auto there = clients_.find(Key{remote, client.session.remote_id()});
    if (there != clients_.end() &&
        there->second->session.common_name() != client.session.common_name()) {
        log::peer_warning("{}: cannot be told from {} there", client.label(),
                          there->second->label());
        return;
    }
    if (there != clients_.end()) {
        there->second->session.close("replaced by a client that moved here");
        remove(*there->second, now);
    }
    transport_.session_begins({remote, client.path.local});
    transport_.session_ends(client.path);
    auto node = clients_.extract(client.key());
    client.path.remote = remote;
    node.key() = client.key();
    clients_.insert(std::move(node));
}

void ServerCore::notified(const dataplane::Notification& notification, TimePoint now) {
    if (const auto* deleted = std::get_if<dataplane::PeerDeleted>(&notification)) {
        if (auto* client = by_peer_id(deleted->id)) {
            client->known_to_data_plane = false;
            if (deleted->expired || settings_.restart_message.empty())
                client->session.close(deleted->expired ? "nothing heard of it (ping-restart)"
                                                       : "removed from the data plane");
            else
                client->session.restart_client(now, settings_.restart_message,
                                               "removed from the data plane");
            settle(*client, now);
        }
    } else if (const auto* floated = std::get_if<dataplane::PeerFloated>(&notification)) {
        auto* client = by_peer_id(floated->id);
        if (client && client->path.remote != floated->remote) {
            log::info("{}: now at {}", client->label(), to_string(floated->remote));
            move(*client, floated->remote, now);
        }
    } else if (const auto* limit = std::get_if<dataplane::KeyNearLimit>(&notification)) {
        if (auto* client = by_peer_id(limit->peer_id)) {
            log::info("{}: key {} is near its limit", client->label(), limit->key_id);
            client->session.renegotiate(now);
            settle(*client, now);
        }
    }
}

void ServerCore::disconnected(const Path& path, TimePoint now) {
    std::vector<Key> there;
    for (const auto& [key, client] : clients_) {
        if (client->path == path)
            there.push_back(key);
    }
    for (const auto& key : there) {
        auto& client = *clients_.at(key);
        client.session.close("its connection has ended");
        settle(client, now);
    }
}

void ServerCore::resynchronize(TimePoint now) {
    auto peers = data_plane_.stats();
    if (!peers)
        return;
    std::set<std::uint32_t> alive;
    for (const auto& peer : *peers) {
        alive.insert(peer.id);
        if (peer.remote)
            notified(dataplane::PeerFloated{peer.id, *peer.remote}, now);
        // Which key's limit is near nobody says again. One that has done much may be it.
        auto* client = by_peer_id(peer.id);
        if (client && (peer.tx_bytes - client->at_last_key.tx_bytes >= kManyBytes ||
                       peer.tx_packets - client->at_last_key.tx_packets >= kManyPackets)) {
            client->session.renegotiate(now);
            settle(*client, now);
        }
    }
    std::vector<std::uint32_t> gone;
    for (const auto& [id, client] : by_peer_id_) {
        if (client->known_to_data_plane && !alive.contains(id))
            gone.push_back(id);
    }
    for (auto id : gone)
        notified(dataplane::PeerDeleted{id, true}, now);
}

// Sessions have their settings by reference, and ask for them when they need them.
void ServerCore::reconfigure(const CoreSettings& settings) {
    settings_ = settings;
    fit_packets();
    for (const auto& [id, client] : by_peer_id_) {
        if (!client->known_to_data_plane || !client->is_up)
            continue;
        if (auto failure = data_plane_.set_keepalive(id, settings_.keepalive))
            log::error("{}: keepalive: {}", client->label(), failure->what);
    }
}

void ServerCore::shutdown(TimePoint now, bool keep_credentials) {
    stopping_ = true;
    leaving_ = false;
    end_all(now, restart_message(keep_credentials), false);
}

// OpenVPN's clients forget passwords and tokens unless a flag says otherwise.
std::string ServerCore::restart_message(bool keep_credentials) const {
    auto message = settings_.restart_message;
    if (keep_credentials && message.ends_with(']'))
        message.insert(message.size() - 1, "P");
    else if (keep_credentials && message == "RESTART")
        message += ",[P]";
    return message;
}

void ServerCore::end_all(TimePoint now, const std::string& message, bool but_noted) {
    std::vector<Key> all;
    for (const auto& [key, client] : clients_)
        all.push_back(key);
    for (const auto& key : all) {
        auto found = clients_.find(key);
        if (found == clients_.end() || (but_noted && found->second->is_noted))
            continue;
        Client& client = *found->second;
        if (message.empty())
            client.session.close("server stops");
        else
            client.session.restart_client(now, message, "server stops");
        settle(client, now);
    }
}

// ---- sessions that outlive a process

void ServerCore::leave(TimePoint now) {
    stopping_ = true;
    leaving_ = true;
    end_all(now, restart_message(true), true);
}

void ServerCore::note_all() {
    for (const auto& [id, client] : by_peer_id_)
        note(*client);
}

void ServerCore::note(Client& client) {
    if (!notes_ || !client.is_up || !client.known_to_data_plane)
        return;
    if (!client.session.can_be_saved() || !notes_->can_keep(client.peer_id())) {
        forget_note(client);
        return;
    }
    const Client::Note now{client.path.remote, client.session.last_key_id(),
                           client.session.renegotiations(),
                           client.token ? client.token->renewed : 0, client.channel.newest_seen()};
    if (client.is_noted && now == client.last_note)
        return;
    SavedClient out;
    out.session = client.session.saved();
    out.wrap_time = client.channel.time();
    out.seen = client.channel.newest_seen();
    if (client.own_key) {
        out.own_key.emplace();
        out.own_key->assign(client.own_key->view());
    }
    out.id = client.id;
    out.path = client.path;
    out.peer_id = client.peer_id();
    out.address = client.granted->address;
    out.second = client.granted->second;
    out.netmask = client.special.netmask;
    out.address6 = client.address6;
    out.networks = networks_.wanted(client.id);
    out.created = std::chrono::nanoseconds(client.created.time_since_epoch()).count();
    out.connected_since = client.connected_since;
    out.peer_info = client.session.peer_info().lines;
    out.user = client.user;
    out.token = client.token;
    out.connected = client.connected;
    out.may_have_address = client.may_have_address;
    out.may_have_address6 = client.may_have_address6;
    out.learned = client.learned;
    if (!notes_->note(out)) {
        if (std::exchange(client.is_noted, false))
            noted_--;
        return;
    }
    client.last_note = now;
    if (!std::exchange(client.is_noted, true))
        noted_++;
}

void ServerCore::forget_note(Client& client) {
    if (!std::exchange(client.is_noted, false))
        return;
    noted_--;
    notes_->forget(client.id);
}

Result<std::shared_ptr<const wire::ControlWrap>, std::string>
ServerCore::wrapping_of(const SavedClient& saved) const {
    if (!saved.own_key && !settings_.wrap && settings_.tls_crypt_v2)
        return std::string("it has no key of tls-crypt-v2");
    if (!saved.own_key)
        return settings_.wrap;
    if (!settings_.tls_crypt_v2)
        return std::string("it has a key of tls-crypt-v2");
    return std::make_shared<const wire::ControlWrap>(
        wire::ControlWrap::tls_crypt(*saved.own_key, wire::Role::Server));
}

std::optional<std::string> ServerCore::resume(const SavedClient& saved, TimePoint now,
                                              TimePoint renegotiate_at) {
    const auto& choice = saved.session.choice;
    const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch());
    if (saved.created < 0 || saved.created > since.count())
        return "it is of another time";
    const auto wrap = wrapping_of(saved);
    if (!wrap)
        return wrap.error();
    if (by_client_id_.contains(saved.id) || by_peer_id_.contains(saved.peer_id) ||
        clients_.contains(Key{saved.path.remote, saved.session.remote_id}))
        return "it is there already";
    if (by_peer_id_.size() >= settings_.max_clients)
        return "the server is full (max-clients)";
    if (!addresses_.reserve(saved.address))
        return "its address is in use";
    if (!ids_.reserve(saved.peer_id)) {
        addresses_.release(saved.address);
        return "its peer ID is in use";
    }
    dataplane::Peer peer;
    peer.id = saved.peer_id;
    peer.path = saved.path;
    if (saved.may_have_address)
        peer.address = saved.address;
    if (saved.may_have_address6)
        peer.address6 = saved.address6;
    peer.data_v1 = choice.data_v1;
    peer.framing = choice.framing;
    const OuterHeaders outer = {!saved.path.remote.address.is_ipv4(), settings_.tcp};
    peer.tcp_mss = tcp_mss(settings_.mss_fix, choice.format, choice.framing, choice.data_v1, outer);
    const auto there = data_plane_.adopt_peer(peer);
    std::optional<std::string> why;
    if (!there)
        why = there.error().what;
    else if (there->primary->id != saved.session.key_id &&
             there->primary->id != saved.session.last_key_id)
        why = "the data plane has another key of it";
    else if (there->primary->cipher != choice.format.cipher ||
             there->primary->epochs != choice.format.epochs)
        why = "the data plane has a key of another kind";
    else if (clients_.contains(Key{there->path.remote, saved.session.remote_id}))
        why = "it is there already";
    if (why) {
        // Whatever is there goes with all that nobody has adopted.
        if (there)
            static_cast<void>(data_plane_.remove_peer(saved.peer_id));
        ids_.release(saved.peer_id);
        addresses_.release(saved.address);
        return why;
    }
    // Packet IDs are new by their time.
    last_wrap_time_ = std::max(last_wrap_time_, std::int64_t{saved.wrap_time});
    session::WrappedChannel channel(*wrap, wrap_time(now) + 1, saved.seen);
    session::Assignment assignment{saved.peer_id, saved.address, saved.second, std::nullopt};
    auto owned = std::make_unique<Client>(*this, saved, there->primary->id, assignment,
                                          std::move(channel), now, renegotiate_at);
    Client& client = *owned;
    if (saved.own_key) {
        wire::StaticKey key;
        key.assign(saved.own_key->view());
        client.own_key = std::make_shared<const wire::StaticKey>(std::move(key));
    }
    client.path = there->path;
    client.known_to_data_plane = true;
    next_client_id_ = std::max(next_client_id_, saved.id + 1);
    clients_.emplace(client.key(), std::move(owned));
    by_client_id_.emplace(client.id, &client);
    by_peer_id_.emplace(saved.peer_id, &client);
    by_name_.emplace(client.session.common_name(), &client);
    transport_.session_begins(client.path);
    if (auto failure = data_plane_.set_keepalive(saved.peer_id, settings_.keepalive))
        log::error("{}: keepalive: {}", client.label(), failure->what);
    networks_.want(client.id, saved.networks);
    take_networks(client);
    apply_networks(client.id);
    counters_.sessions++;
    client.at_last_key = data_plane_.peer_stats(saved.peer_id).value_or(client.at_last_key);
    if (observer_)
        observer_->connected(status_of(client, now));
    // With the time of packet IDs from now on, before there is one.
    note(client);
    reschedule(client, now);
    return std::nullopt;
}

std::size_t ServerCore::kill(const std::vector<Client*>& victims, TimePoint now) {
    for (auto* client : victims) {
        client->session.close("killed by an administrator");
        settle(*client, now);
    }
    return victims.size();
}

std::size_t ServerCore::kill_by_name(const std::string& common_name, TimePoint now) {
    std::vector<Client*> victims;
    auto [first, last] = by_name_.equal_range(common_name);
    for (auto at = first; at != last; ++at)
        victims.push_back(at->second);
    return kill(victims, now);
}

std::size_t ServerCore::kill_by_remote(const Endpoint& remote, bool tcp, TimePoint now) {
    std::vector<Client*> victims;
    if (tcp != settings_.tcp)
        return 0;
    for (const auto& [id, client] : by_peer_id_) {
        if (client->path.remote == remote)
            victims.push_back(client);
    }
    return kill(victims, now);
}

bool ServerCore::kill_by_id(ClientId client_id, const std::string& message, TimePoint now,
                            const std::string& reason) {
    auto* client = by_client_id(client_id);
    if (!client)
        return false;
    client->session.restart_client(now, message, reason);
    settle(*client, now);
    return true;
}

void ServerCore::remember_traffic() {
    auto peers = data_plane_.stats();
    if (!peers)
        return;
    for (const auto& peer : *peers) {
        if (auto* client = by_peer_id(peer.id))
            client->traffic = peer;
    }
}

ClientStatus ServerCore::status_of(const Client& client, TimePoint now) const {
    const auto& session = client.session;
    ClientStatus status;
    status.client_id = client.id;
    status.common_name = session.common_name();
    status.username = client.user.value_or("");
    status.remote = client.path.remote;
    status.tcp = settings_.tcp;
    status.address = client.granted->address;
    status.pool = client.pool_environment();
    status.address6 = client.address6;
    status.networks = networks_.of(client.id);
    status.peer_id = client.granted->peer_id;
    status.connected_since = client.connected_since;
    status.connected_for = now - client.created;
    status.tls = session.tls_version() + " " + session.tls_cipher();
    status.cipher = cipher_name(session.choice().format.cipher);
    status.renegotiations = session.renegotiations();
    status.rx_bytes = client.traffic.rx_bytes;
    status.tx_bytes = client.traffic.tx_bytes;
    return status;
}

std::vector<ClientStatus> ServerCore::clients(TimePoint now) {
    remember_traffic();
    std::vector<ClientStatus> out;
    for (const auto& [id, client] : by_peer_id_) {
        if (client->is_up)
            out.push_back(status_of(*client, now));
    }
    std::sort(out.begin(), out.end(),
              [](const ClientStatus& a, const ClientStatus& b) { return a.address < b.address; });
    return out;
}

} // namespace nfovpn::server
