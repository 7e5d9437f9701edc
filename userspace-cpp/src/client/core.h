// SPDX-License-Identifier: GPL-2.0-or-later
//
// The client without its sockets: it knows which server to try when, leads the session with it, and
// tells the data plane and the device what the server has pushed. Names, connections, the device
// and the clock are its host's; so it runs in tests on a simulated network, in virtual time.
//
//                 ┌──────────── Waiting ◀──────────────────────────────┐
//                 ▼   connect-retry, doubled after five rounds         │
//     start ─▶ Resolving ─▶ Opening ─▶ Negotiating ─▶ Up ─── lost ─────┤
//                 └─ no such name ┴─ refused ┴─ no answer, no keys ────┘
//                                                │
//     AUTH_FAILED, HALT, connect-retry-max       ▼
//     or somebody says stop ──────────────▶ Leaving ─▶ Ended
//
// Before Resolving it may have to ask somebody: whether it may begin (which takes the place of
// waiting), which server it is to be, by which name and password. Asking lasts until there is an
// answer. When name and password are missing for a renegotiation only that waits for them.
//
// Servers are tried in the order of the file, or shuffled, and of each server every address that
// its name has. A server that sends RESTART is tried again itself, or the next one, as it says.
//
// One try is one socket, one data plane and one session; nothing of it is used again. The tunnel
// (addresses, routes, name servers) is set up when the server has pushed it. It goes with the
// session, or with persist-tun stays until the next session has another one, so that meanwhile
// nothing takes another way.
//
// What comes from elsewhere than the server is dropped unread; what comes from there is taken only
// if it is wrapped as agreed. The data plane follows a server that changes its address, by packets
// that are authentic.
#pragma once

#include "config/client_config.h"
#include "dataplane/dataplane.h"
#include "host/core.h"
#include "management/state.h"
#include "session/client_session.h"
#include "session/wrapped_channel.h"
#include "util/idle_watch.h"
#include "util/mss_fix.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfovpn::client {

/// What a client is told by its configuration.
struct ClientSettings {
    session::ClientSessionSettings session;
    std::shared_ptr<const wire::ControlWrap> wrap; ///< tls-auth, tls-crypt, or that of tls-crypt-v2
    Bytes wrapped_key;                             ///< of tls-crypt-v2
    std::chrono::seconds unix_time_of_zero{0};     ///< when TimePoint{} was
    std::vector<config::Remote> remotes;
    bool shuffle = false;
    std::optional<Duration> resolve_for; ///< names that are not found; none: for ever
    Duration retry = std::chrono::seconds(1);
    Duration longest_retry = std::chrono::seconds(300);
    std::uint32_t tries = 0; ///< of every server; 0: without an end
    config::AuthRetry auth_retry = config::AuthRetry::None;
    bool ask_user = false;        ///< for name and password, where there is an observer
    bool forget_password = false; ///< once it was used
    bool ask_remote = false;      ///< whether a server is to be tried, likewise
    bool keep_tunnel = false;     ///< persist-tun
    std::string known_username;   ///< of a file that leaves the password to be asked for
    std::string username;
    std::shared_ptr<const SecretBytes> password;
    dataplane::Keepalive keepalive; ///< if the server pushes none
    MssFix mss_fix;
    MssFix fragment; ///< longer datagrams are not sent; a limit of 0: any
    std::uint32_t exit_notify = 0;
    bool ping_exit = false; ///< silence ends the client, not only the session
    Duration inactive{0};   ///< so long without more than inactive_bytes: the end; 0: never
    std::uint64_t inactive_bytes = 0;
    Duration session_timeout{0}; ///< of a session, and with it the client's; 0: never
};

/// What there is to be set up for a session.
struct Tunnel {
    Path path;                   ///< outside
    std::optional<Ipv4> address; ///< the client's own
    int length = 32;             ///< of its network
    std::optional<Ipv4> peer;    ///< the other end, where there is no network
    std::optional<Ipv6> address6;
    int length6 = 64;
    std::optional<Ipv4> gateway;
    std::uint32_t mtu = 1500;
    std::vector<wire::TunnelRoute> routes; ///< with their metrics
    std::optional<wire::RedirectGateway> redirect;
    Environment environment; ///< for programs, besides what the rest of this says

    /// Whether a device that is set up for the other one fits this one too.
    [[nodiscard]] bool same_inside(const Tunnel& other) const;
};

/// What is not the core's. Answers are given to the core, never from within these.
class ClientHost {
public:
    virtual ~ClientHost() = default;

    /// Looks a server up; answered by resolved(). A connection by way of a proxy begins there, so
    /// it is looked up in place of the server.
    virtual void resolve(const config::Remote& remote) = 0;
    /// Opens a socket, or a connection, to one of the addresses of @p remote; answered by opened()
    /// or lost(). The path that is opened is that of packets: with a proxy, to it.
    virtual void open(const Endpoint& at, const config::Remote& remote) = 0;
    /// What was asked needs no answer any more; the socket and the data plane of this try go.
    virtual void close() = 0;
    virtual void send(const Path& path, ByteView datagram) = 0;
    /// That of this try; asked for when there is something to be told.
    virtual dataplane::DataPlane& data_plane() = 0;

    /// Gives the device its addresses and routes. False, with the reason in the log, if that fails.
    virtual bool set_up(const Tunnel& tunnel) = 0;
    virtual void take_down() = 0;
    /// A tunnel that is set up is to stay; inside it is as @p tunnel says. False if that cannot be,
    /// and it must be set up again.
    virtual bool keep(const Tunnel& tunnel) = 0;
    /// This host has another address: lets the data plane tell the server, see
    /// dataplane::MovableDataPlane.
    virtual void announce(std::uint32_t peer_id) = 0;
    /// The session is up: packets may flow.
    virtual void connected() = 0;
};

/// Somebody who watches a client, and whom it can ask. What is asked is answered later, by methods
/// of the core, and never from within these.
class ClientObserver {
public:
    virtual ~ClientObserver() = default;

    virtual void state(management::State state, const management::StateDetails& details) = 0;
    /// The server has a message for user interfaces, or for the user. Both as they came.
    virtual void echo(std::string_view text) = 0;
    virtual void information(std::string_view text) = 0;
    /// The server refuses name and password, for that reason as it came.
    virtual void refused(std::string_view reason) = 0;

    /// Whether the next try has to wait for ClientCore::hold_released(); otherwise it begins after
    /// @p pause.
    virtual bool hold(std::chrono::seconds pause) = 0;
    /// Whether to try that server; answered by remote_accepted() or remote_skipped().
    virtual void ask_remote(const config::Remote& remote) = 0;
    /// Name and password; answered by told_user().
    virtual void ask_user() = 0;
    /// What was asked needs no answer any more.
    virtual void withdraw() = 0;
};

/// Where a client is; see the head of this file.
enum class Phase { Idle, Asking, Resolving, Opening, Negotiating, Up, Waiting, Leaving, Ended };

/// "waiting"
std::string_view name_of(Phase phase);

/// For status output.
struct ClientReport {
    Phase phase = Phase::Idle;
    std::string server; ///< its name, and address where that is known
    std::string common_name;
    std::optional<Ipv4> address;
    std::string tls;
    std::string cipher;
    unsigned renegotiations = 0;
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_bytes = 0;
    std::uint64_t all_rx_bytes = 0; ///< of earlier sessions too
    std::uint64_t all_tx_bytes = 0;
    std::uint64_t dropped = 0; ///< datagrams that were no control packets of the server's
};

/// See the head of this file.
class ClientCore final : public host::Core, private session::ClientSessionHost {
public:
    /// All that is given by reference must outlive the core. There is at least one remote.
    ClientCore(const ClientSettings& settings, const session::TlsContext& tls, ClientHost& host);
    ~ClientCore() override;
    ClientCore(const ClientCore&) = delete;
    ClientCore& operator=(const ClientCore&) = delete;

    /// Tells @p observer from now on, and asks it; null: nobody. It must outlive the core, or be
    /// taken away before.
    void observe(ClientObserver* observer) { observer_ = observer; }
    void start(TimePoint now);

    /// The addresses of the server; none: there is no such name, for @p reason.
    void resolved(std::vector<Endpoint> addresses, const std::string& reason, TimePoint now);
    /// The socket is there.
    void opened(const Path& path, TimePoint now);
    /// There is none, or the connection has ended.
    void lost(const std::string& reason, TimePoint now);

    void receive(const Path& path, ByteView datagram, TimePoint now) override;
    void notified(const dataplane::Notification& notification, TimePoint now) override;
    void resynchronize(TimePoint now) override;
    void tick(TimePoint now) override;
    [[nodiscard]] TimePoint deadline() const override;

    // ---- answers of the observer's
    void hold_released(TimePoint now);
    /// The server is to be tried, at @p host and @p port if there is a host.
    void remote_accepted(const std::string& host, std::uint16_t port, TimePoint now);
    /// That one and the next ones, @p count in all, are not.
    void remote_skipped(std::uint32_t count, TimePoint now);
    void told_user(std::string username, SecretBytes password, TimePoint now);
    /// Nobody says them, for that reason; so it ends.
    void not_told_user(const std::string& why, TimePoint now);

    // ---- its wishes
    /// Forgets name and password if they can be asked for, and a token.
    void forget_passwords();
    [[nodiscard]] config::AuthRetry auth_retry() const { return settings_.auth_retry; }
    void set_auth_retry(config::AuthRetry retry) { settings_.auth_retry = retry; }
    /// Sends a control message. False if there is no server that would understand it.
    bool send_message(const std::string& text, TimePoint now);

    /// Ends the session, and begins anew at once.
    void restart(TimePoint now);
    /// What goes to the server leaves from another address of this host now. @p past_tunnel: it
    /// does not go into the tunnel itself.
    void own_address_changed(bool past_tunnel, TimePoint now);
    /// Ends the session, with a good-bye where that is wanted, and then everything.
    void stop(TimePoint now);

    [[nodiscard]] Phase phase() const { return phase_; }
    [[nodiscard]] bool finished() const { return phase_ == Phase::Ended; }
    /// Why it has ended by itself; empty if somebody has stopped it.
    [[nodiscard]] const std::string& failure() const { return failure_; }
    /// In the order in which they are tried.
    [[nodiscard]] const std::vector<config::Remote>& remotes() const { return settings_.remotes; }
    [[nodiscard]] std::optional<std::uint32_t> peer_id() const { return peer_id_; }
    [[nodiscard]] ClientReport report();

private:
    void send(session::Session& session, ByteView datagram) override;
    bool add_peer(session::Session& session) override;
    bool install_key(session::Session& session, KeySlot slot, std::uint8_t key_id,
                     const DataKeys& keys) override;
    bool swap_keys(session::Session& session) override;
    void delete_key(session::Session& session, KeySlot slot) override;
    void up(session::Session& session) override;
    void renegotiated(session::Session& session, Duration took) override;
    void notice(session::Session& session, std::string_view text) override;
    std::optional<session::Credentials> credentials() override;
    void told_token(const std::string& username, SecretBytes token) override;
    void information(std::string_view text) override;
    void auth_pending(std::string_view words) override;

    enum class Question { Hold, Remote, User };

    [[nodiscard]] const config::Remote& remote() const {
        return accepted_ ? *accepted_ : settings_.remotes[at_];
    }
    [[nodiscard]] std::string label() const;
    [[nodiscard]] Tunnel tunnel() const;
    bool well(const dataplane::Failure& failure, std::string_view what);
    void begin(TimePoint now, Duration pause);
    void prepare(TimePoint now);
    void ask(Question question);
    [[nodiscard]] bool asking(Question question) const;
    [[nodiscard]] bool lacks_user() const;
    void ask_user();
    void withdraw();
    void tell(management::State state, const std::string& reason = "");
    void tell_progress();
    void try_now(TimePoint now);
    void open_next();
    void advance(bool next_server);
    void forget_server();
    void wait(TimePoint now, const std::string& why,
              std::optional<Duration> at_least = std::nullopt);
    [[nodiscard]] Duration back_off() const;
    void settle(TimePoint now);
    void session_ended(TimePoint now);
    void close_try();
    void drop_tunnel();
    [[nodiscard]] std::string ending_name() const;
    bool may_retry(session::Ending ending);
    void count_bytes();
    void end(const std::string& failure, const std::string& why = "");
    void arm_limits(TimePoint now);
    bool over_limit(TimePoint now);

    ClientSettings settings_;
    const session::TlsContext& tls_;
    ClientHost& host_;
    ClientObserver* observer_ = nullptr;
    Phase phase_ = Phase::Idle;
    Question question_ = Question::Hold;                      ///< of phase Asking
    bool user_is_asked_ = false;                              ///< also in other phases
    management::State state_ = management::State::Connecting; ///< that was told last
    std::size_t at_ = 0;                                      ///< the server
    std::optional<config::Remote> accepted_; ///< by the observer, perhaps with other words
    std::vector<Endpoint> addresses_;
    std::size_t address_ = 0; ///< of that server
    std::uint32_t failed_tries_ = 0;
    std::optional<TimePoint> unresolved_since_;
    TimePoint wait_until_ = kNever;
    TimePoint answer_until_ = kNever;
    Path path_;
    std::optional<session::WrappedChannel> channel_;
    std::unique_ptr<session::ClientSession> session_;
    bool was_up_ = false;
    std::string trouble_; ///< why we close the session, as OpenVPN calls it
    bool leaving_ = false;
    std::optional<IdleWatch> idle_; ///< of a session that is up
    TimePoint session_until_ = kNever;
    std::optional<Tunnel> set_up_;         ///< that tunnel
    std::optional<std::uint32_t> peer_id_; ///< as long as the data plane knows it
    std::string token_user_;
    SecretBytes token_; ///< in place of the password, if not empty
    std::uint64_t rx_bytes_of_gone_ = 0;
    std::uint64_t tx_bytes_of_gone_ = 0;
    std::uint64_t dropped_ = 0;
    std::string failure_;
};

} // namespace nfovpn::client
