// SPDX-License-Identifier: GPL-2.0-or-later
//
// The server without its sockets: datagrams and the time come in, datagrams go out, and the data
// plane is told about peers and keys. A datagram's way:
//
//     datagram ─┬─ data packet that the data plane did not want: counted and dropped
//               ├─ not a control packet: counted by its fault and dropped
//               ├─ of a client that is known (address and session ID): its session
//               ├─ first packet (HARD_RESET_CLIENT_V2 or _V3): answered by a cookie if its source
//               is │  within its rate; nothing is remembered ├─ answer to a cookie: a new session,
//               if there are not too many half-open ones └─ anything else: counted and dropped
//
// All but data packets must be wrapped by the pre-shared key, if there is one. With tls-crypt-v2
// the key is the client's own, and only packets that bring it can be read before there is a
// session. Old clients (before 2.6) bring it in their first packet only: if they are to be served,
// that one begins a session, without a cookie. Whoever floods the server by that way needs a client
// key, and gets no further than the limit of half-open sessions.
//
// How a client is let in is in admission.h; some steps come back later, and the client is then
// found by its ID, if it is still there.
//
// In point-to-point mode there is one client, the peer: whoever proves to be it takes the place of
// the session that was there, all packets of the tunnel are its own, and it is pushed nothing.
//
// A client that starts again from the same address and port gets a second session beside its old
// one, which is dropped only when the new one has proved to be of the same name: neither a forged
// hard reset nor somebody who was given that port by a carrier's NAT ends anybody's session. Where
// packets bear no peer ID the address is all that tells clients apart, and the newer one has it.
//
// Sessions can outlive a process, see server/session_store.h: each that is up is noted whenever
// something of it changes that the next process has to know, and that one resumes it.
#pragma once

#include "dataplane/dataplane.h"
#include "host/core.h"
#include "io/transport.h"
#include "server/addresses.h"
#include "server/admission.h"
#include "server/hooks.h"
#include "server/networks.h"
#include "server/pool.h"
#include "server/rate_limit.h"
#include "server/saved_client.h"
#include "session/cookie.h"
#include "session/server_session.h"
#include "session/wrapped_channel.h"
#include "util/mss_fix.h"

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>

namespace nfovpn::server {

using io::Transport;
using nfovpn::Path;

/// How clients' own keys are opened.
struct TlsCryptV2 {
    wire::TlsCryptV2Key key;
    bool force_cookie = false; ///< no clients that bring their key once only
    /// Keys that are older, or do not say how old they are, open nothing; 0: any age.
    std::chrono::seconds max_age{0};
};

/// What a server is told by its configuration.
struct CoreSettings : AddressSettings, AdmissionSettings {
    session::ServerSessionSettings session;
    std::shared_ptr<const wire::ControlWrap> wrap;  ///< tls-auth or tls-crypt
    std::shared_ptr<const TlsCryptV2> tls_crypt_v2; ///< beside that one, or alone
    std::chrono::seconds unix_time_of_zero{0};      ///< when TimePoint{} was
    /// The same asked for anew, as clocks are set and machines sleep; empty: it stays.
    std::function<std::chrono::seconds()> ask_unix_time_of_zero;
    MssFix mss_fix;
    MssFix fragment;                ///< longer datagrams are not sent; a limit of 0: any
    bool tcp = false;               ///< datagrams come by TCP
    dataplane::Keepalive keepalive; ///< the server's own: pings to clients, time limit for them
    std::size_t max_clients = 1024;
    bool duplicate_cn = false;        ///< several clients may have the same common name
    std::optional<Address> only_from; ///< where clients may begin a session; nothing: anywhere
    /// What clients are told when the server stops, see ServerSession::restart_client(); empty:
    /// nothing.
    std::string restart_message = "RESTART";
    TokenBucket::Rate initial_per_source = {128, std::chrono::seconds(10)};
    TokenBucket::Rate initial_total = {10000, std::chrono::seconds(10)};
    std::size_t max_half_open = 2048;
    std::size_t max_half_open_per_source = 128;
};

/// What happened to datagrams that reached no session.
struct CoreCounters {
    std::uint64_t datagrams = 0;
    std::uint64_t unknown_data = 0; ///< data packets that the data plane left to us
    std::array<std::uint64_t, wire::kWireErrors> malformed{}; ///< by wire::WireError
    std::uint64_t initial = 0;                                ///< first packets that were answered
    std::uint64_t initial_limited = 0;                        ///< first packets over a limit
    std::uint64_t half_open_limited = 0;                      ///< answers to a cookie over a limit
    std::uint64_t stray = 0;                                  ///< control packets of no session
    std::uint64_t sessions = 0;                               ///< sessions ever begun
    std::uint64_t failed = 0; ///< of these, ended before they were up
};

/// One client, for status output.
struct ClientStatus {
    ClientId client_id = 0; ///< counts up from 0, never used again
    std::string common_name;
    std::string username; ///< empty if none was asked for
    Endpoint remote;
    bool tcp = false; ///< that is where its connection is from
    Ipv4 address;
    Environment pool; ///< the pool's part of it, by OpenVPN's names
    std::optional<Ipv6> address6;
    std::vector<Prefix> networks; ///< behind it
    std::uint32_t peer_id = 0;
    std::int64_t connected_since = 0; ///< Unix time
    Duration connected_for{};
    std::string tls;       ///< version and cipher
    std::string cipher;    ///< of the data channel
    std::string data_path; ///< "kernel" or "daemon"; whoever has a choice says so
    unsigned renegotiations = 0;
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_bytes = 0;
};

/// Hears of clients that come and go. Must not call the core from there.
class ClientObserver {
public:
    virtual ~ClientObserver() = default;
    /// A client is up: its keys are in place and it was told its address.
    virtual void connected(const ClientStatus& client) = 0;
    /// A client that was up is gone; its bytes are those that were last known.
    virtual void disconnected(const ClientStatus& client) = 0;
};

/// Who notes sessions for another process.
class SessionNotes {
public:
    virtual ~SessionNotes() = default;
    /// Whether a peer would be there for another process.
    [[nodiscard]] virtual bool can_keep(std::uint32_t peer_id) const = 0;
    /// False if it cannot be noted; then it is forgotten.
    virtual bool note(const SavedClient& client) = 0;
    virtual void forget(ClientId client) = 0;
};

/// See the head of this file.
class ServerCore final : public host::Core, private AdmissionHost {
public:
    /// All that is given by reference or pointer must outlive the core. @p hooks may be null if no
    /// setting needs them.
    ServerCore(const CoreSettings& settings, const session::TlsContext& tls,
               dataplane::DataPlane& data_plane, Transport& transport,
               ClientHooks* hooks = nullptr);
    ~ServerCore() override;
    ServerCore(const ServerCore&) = delete;
    ServerCore& operator=(const ServerCore&) = delete;

    void receive(const Path& path, ByteView datagram, TimePoint now) override;
    void notified(const dataplane::Notification& notification, TimePoint now) override;
    void resynchronize(TimePoint now) override;
    void tick(TimePoint now) override;
    [[nodiscard]] TimePoint deadline() const override;

    /// A client's connection has ended, where there are connections.
    void disconnected(const Path& path, TimePoint now);

    /// Tells every client that the server stops. Done when finished(). With @p keep_credentials
    /// they show the next one the password or token that they have.
    void shutdown(TimePoint now, bool keep_credentials = false);

    /// Goes on by other settings, which hold for sessions that there are as far as they are not
    /// agreed upon at their beginning. The addresses and the transport must be the same. Other
    /// certificates are assigned to the context that was given.
    void reconfigure(const CoreSettings& settings);
    [[nodiscard]] bool finished() const { return clients_.size() == (leaving_ ? noted_ : 0); }

    /// From now on sessions are noted there. @p notes must outlive the core.
    void note_in(SessionNotes& notes) { notes_ = &notes; }
    /// What can be kept has changed.
    void note_all();
    /// How many are noted.
    [[nodiscard]] std::size_t noted() const { return noted_; }
    /// Goes on with a session of another process, which begins to negotiate new keys at
    /// @p renegotiate_at. Why it cannot be; nothing if all is well.
    std::optional<std::string> resume(const SavedClient& saved, TimePoint now,
                                      TimePoint renegotiate_at);
    /// Ends, as shutdown(), the sessions that are not noted; the others are left to another
    /// process. Done when finished().
    void leave(TimePoint now);

    /// @p observer must outlive the core or be taken back; null: nobody.
    void observe(ClientObserver* observer) { observer_ = observer; }

    /// Ends sessions without a word to the client, which finds out by its own timeout. How many.
    std::size_t kill_by_name(const std::string& common_name, TimePoint now);
    std::size_t kill_by_remote(const Endpoint& remote, bool tcp, TimePoint now);
    /// Tells a client @p message ("RESTART", "HALT", …; empty: nothing) and ends its session. False
    /// if there is no such client.
    bool kill_by_id(ClientId client_id, const std::string& message, TimePoint now,
                    const std::string& reason = "killed by an administrator");

    /// The clients that are up, by address.
    [[nodiscard]] std::vector<ClientStatus> clients(TimePoint now);

    /// Clients had these addresses, before any client comes; with @p keep nobody else gets them.
    /// How many of them are of the pool, and not named twice. With topology net30 addresses are
    /// those of the clients' networks, here and in leases().
    std::size_t remember(const std::vector<Lease>& leases, bool keep);
    /// Who has or had which address of the pool.
    [[nodiscard]] std::vector<Lease> leases() const;
    [[nodiscard]] const CoreCounters& counters() const { return counters_; }
    [[nodiscard]] std::size_t half_open() const { return half_open_; }

private:
    class Client;

    struct Key {
        Endpoint remote;
        wire::SessionId id{};
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept;
    };

    /// What a datagram without a session is.
    struct Stranger {
        const Path& path;
        std::shared_ptr<const wire::ControlWrap> keys; ///< that it was wrapped with
        session::WrappedChannel channel;               ///< that a session would go on with
        wire::ControlPacket packet;
        std::shared_ptr<const wire::StaticKey> own_key; ///< of tls-crypt-v2
        bool brings_key = false;
        bool can_resend_key = false;
    };

    void fit_packets();
    void forget_tombstones(TimePoint now);
    void malformed(const Path& path, ByteView datagram, wire::WireError error);
    void known(Client& client, ByteView datagram, TimePoint now);
    void stranger(const Path& path, wire::Opcode opcode, ByteView datagram, TimePoint now);
    Result<std::shared_ptr<const wire::StaticKey>, wire::WireError> client_key(ByteView wrapped_key,
                                                                               TimePoint now) const;
    void first_packet(Stranger& from, TimePoint now);
    void cookie_answer(Stranger& from, TimePoint now);
    void begin(Stranger& from, const wire::SessionId& local_id, std::optional<wire::Opcode> reset,
               TimePoint now);
    std::uint32_t wrap_time(TimePoint now);
    Applicant* applicant(ClientId id) override;
    std::optional<session::Refusal> give_place(Applicant& who, TimePoint now) override;
    void let_in(Applicant& who) override;
    void decided(Applicant& who, TimePoint now) override;
    [[nodiscard]] std::int64_t unix_time(TimePoint now) const override;
    [[nodiscard]] bool gives_tokens() const { return settings_.users && settings_.users->tokens; }
    void replace_others(Client& client, TimePoint now);
    void take_networks(Client& client);
    void leave_networks(Client& client);
    void regain_network(ClientId id, const Prefix& network, bool accepted);
    void apply_networks(ClientId id);
    void make_way(Client& client, TimePoint now);
    void goes(Client& client, TimePoint now);
    Client* by_client_id(ClientId id);
    void take_peer_id(Client& client, std::uint32_t id);
    std::optional<std::vector<std::string>> push_for(const Client& client,
                                                     const ClientSettings& special) const;
    void settle(Client& client, TimePoint now);
    void remove(Client& client, TimePoint now);
    void reschedule(Client& client, TimePoint now);
    void move(Client& client, const Endpoint& remote, TimePoint now);
    Client* by_peer_id(std::uint32_t id);
    std::size_t kill(const std::vector<Client*>& victims, TimePoint now);
    void remember_traffic();
    ClientStatus status_of(const Client& client, TimePoint now) const;
    [[nodiscard]] std::string restart_message(bool keep_credentials) const;
    void end_all(TimePoint now, const std::string& message, bool but_noted);
    void note(Client& client);
    void forget_note(Client& client);
    [[nodiscard]] Result<std::shared_ptr<const wire::ControlWrap>, std::string>
    wrapping_of(const SavedClient& saved) const;

    CoreSettings settings_;
    const session::TlsContext& tls_;
    dataplane::DataPlane& data_plane_;
    Transport& transport_;
    ClientHooks* hooks_;
    session::ResetCookie cookie_;
    SourceLimiter per_source_;
    TokenBucket total_;
    Addresses addresses_;
    Networks networks_;
    Admission admission_;
    IdPool ids_;
    std::unordered_map<Key, std::unique_ptr<Client>, KeyHash> clients_;
    /// Sessions that have ended, as long as their cookies would still be good: what is late on its
    /// way must not begin them again.
    std::unordered_map<Key, TimePoint, KeyHash> tombstones_;
    std::deque<std::pair<TimePoint, Key>> tombstone_order_;
    std::unordered_map<ClientId, Client*> by_client_id_;
    std::unordered_map<std::uint32_t, Client*> by_peer_id_;
    std::unordered_multimap<std::string, Client*> by_name_; ///< admitted ones
    std::unordered_map<std::uint64_t, std::size_t> half_open_by_source_;
    std::size_t half_open_ = 0;
    std::set<std::pair<TimePoint, Client*>> schedule_;
    CoreCounters counters_;
    ClientId next_client_id_ = 0;
    bool stopping_ = false;
    bool leaving_ = false; ///< to another process
    SessionNotes* notes_ = nullptr;
    std::size_t noted_ = 0;
    std::int64_t last_wrap_time_ = 0;
    ClientObserver* observer_ = nullptr;
};

} // namespace nfovpn::server
