// SPDX-License-Identifier: GPL-2.0-or-later
//
// OpenVPN's management interface (its version 5, that of OpenVPN 2.7) without its sockets: bytes of
// the management client come in, bytes for it go out. A server's side of it, that is: commands for
// OpenVPN clients are known and answered by an error.
//
//     ◀ >INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info
//     ▶ status 2                          ◀ TITLE,… lines … END
//     ▶ kill alice                        ◀ SUCCESS: common name 'alice' found, 1 client(s) killed
//     ▶ log on                            ◀ SUCCESS: real-time log notification set to ON
//                                         ◀ >LOG:1700000000,I,alice 192.0.2.10:47273: gone: …
//
// The words of a command are those of a line in a configuration. Lines that begin with '>' come at
// any time, never amid an answer. The protocol outlives restarts of the server, which is there
// while serve() has been told so; without it only what concerns the process is answered.
//
// Whoever does not read is cut off when more of what it did not ask for waits than it may; commands
// are not looked at while an answer waits. A line without end ends the connection, too.
//
// ">CLIENT:ESTABLISHED", "ADDRESS" and "DISCONNECT" are always sent, where OpenVPN sends the last
// two only with management-client-auth.
#pragma once

#include "util/endpoint.h"
#include "util/log.h"
#include "util/secret.h"
#include "util/time.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nfovpn::management {

/// Bytes of a client so far; "rx" is from the client.
struct Traffic {
    std::uint64_t client_id = 0;
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_bytes = 0;
};

/// What a server has to do.
struct Load {
    std::size_t clients = 0;
    std::uint64_t rx_bytes = 0; ///< of all clients that there ever were
    std::uint64_t tx_bytes = 0;
};

/// What commands can ask of a running server.
class Actions {
public:
    virtual ~Actions() = default;

    /// The status as lines, each with its end, by status-version 1 to 3; 0: by the configured one.
    virtual std::string status(int version) = 0;
    virtual Load load() = 0;
    /// Of every client that is up.
    virtual std::vector<Traffic> traffic() = 0;
    /// How many clients were killed.
    virtual std::size_t kill_by_name(const std::string& common_name) = 0;
    virtual std::size_t kill_by_remote(const Endpoint& remote) = 0;
    /// Tells a client @p message first. False if there is none of that number.
    virtual bool kill_by_id(std::uint64_t client_id, const std::string& message) = 0;
};

/// "name=value" of a client, as for OpenVPN's scripts.
using Environment = std::vector<std::string>;

/// A client whose certificate is good and that waits for the word of the management client.
struct PendingAuth {
    std::uint64_t client_id = 0;
    std::uint32_t key_id = 0; ///< counts a client's negotiations, from 0
    bool again = false;       ///< it is connected and negotiates new keys
    std::string username;
    SecretBytes password;
    Environment env; ///< besides those two
};

/// The client may come in, with these lines of a file of client-config-dir.
struct Allowed {
    std::vector<std::string> directives;
};
/// It may not.
struct Denied {
    std::string reason;        ///< for the log
    std::string client_reason; ///< for the client, may be empty
};
/// The answer will take a while: the client is to be told AUTH_PENDING.
struct Postponed {
    std::string extra; ///< for INFO_PRE
    std::uint32_t timeout_seconds = 0;
};
using AuthOutcome = std::variant<Allowed, Denied, Postponed>;

/// Takes an outcome; false if it cannot be carried out. After Allowed or Denied it is not called
/// again.
using AuthAnswer = std::function<bool(const AuthOutcome&)>;

/// What the server is doing; the names are OpenVPN's.
enum class State { Connecting, AssignIp, AddRoutes, Connected, Reconnecting, Exiting };

/// What is told with a state; all may be left out.
struct StateDetails {
    std::string reason;
    std::optional<Ipv4> address;   ///< of the server, inside the tunnel
    std::optional<Ipv6> address6;  ///< likewise
    std::optional<Endpoint> local; ///< where it listens, if not everywhere
};

/// What the protocol is told when it is made.
struct Settings {
    std::string version;         ///< program and version
    SecretBytes password;        ///< empty: none is asked for
    std::size_t log_cache = 250; ///< lines of the log that are kept
    bool hold = false;
    bool restart_on_disconnect = false;
    std::function<std::int64_t()> unix_time;
    std::function<void(int signal)> raise; ///< sends a signal to this process
};

/// See the head of this file.
class Protocol {
public:
    explicit Protocol(Settings settings);

    // ---- the connection
    void connected();
    void receive(std::string_view bytes, TimePoint now);
    void disconnected();
    [[nodiscard]] bool has_client() const { return has_client_; }
    /// Bytes for the client.
    [[nodiscard]] std::string_view output() const;
    /// The first @p n bytes of them have left. Looks at commands that have waited for that.
    void sent(std::size_t n, TimePoint now);
    /// Whether more can be received.
    [[nodiscard]] bool wants_input() const;
    /// Why the connection is to be closed, when what can be sent at once is sent; empty: it goes
    /// on.
    [[nodiscard]] const std::string& end() const { return end_; }
    /// Called when there is something to send that nobody asked for.
    void on_output(std::function<void()> callback) { on_output_ = std::move(callback); }

    /// Does what is due; to be called at deadline() at the latest.
    void tick(TimePoint now);
    [[nodiscard]] TimePoint deadline() const { return bytecount_at_; }

    // ---- the server
    /// There is a server; null: no more. @p actions must live as long.
    void serve(Actions* actions) { actions_ = actions; }
    /// Begins to wait for the management client, if it is to be waited for.
    void begin_hold();
    [[nodiscard]] bool holding() const { return holding_; }
    /// The wait is over for another reason.
    void end_hold() { holding_ = false; }

    // ---- what happens
    void log_line(log::Level level, std::string_view text);
    void state(State state, const StateDetails& details = {});
    void established(std::uint64_t client_id, const Environment& env);
    void address(std::uint64_t client_id, const Prefix& network, bool primary);
    void gone(std::uint64_t client_id, const Environment& env);
    /// Asks the management client whether a client may come in.
    void authenticate(const PendingAuth& pending, AuthAnswer answer);
    /// The client does not wait any more.
    void forget(std::uint64_t client_id);

private:
    struct Entry {
        std::int64_t time = 0;
        std::string text;
    };
    /// Entries that are kept, and whether new ones are told at once.
    struct History {
        const char* name;
        std::size_t limit;
        std::deque<Entry> entries;
        bool realtime = false;
    };
    using Words = std::vector<std::string>;
    struct Command {
        const char* name;
        std::size_t least; ///< words behind it
        bool exactly;      ///< and not one more is looked at
        void (Protocol::*run)(const Words&);
        const char* usage; ///< empty: not a server's
        const char* help;
    };
    static const Command kCommands[];

    void reset();
    void welcome();
    [[nodiscard]] bool password_needed() const;
    void process(TimePoint now);
    void line(std::string_view text);
    void check_password(std::string_view text);
    void block_line(std::string_view text);
    void dispatch(const Words& words);

    void reply(std::string_view text);
    void success(std::string_view text) { reply("SUCCESS: " + std::string(text)); }
    void error(std::string_view text) { reply("ERROR: " + std::string(text)); }
    void notify(std::string_view text);
    void notify_env(const Environment& env);
    void add(History& history, std::string text);
    void show(const History& history, std::size_t count);
    void history(History& history, const Words& words);
    bool server_only(const Words& words);
    std::optional<std::uint64_t> client_id(const std::string& word);
    std::optional<std::uint32_t> key_id(const std::string& word);
    bool answer(std::uint64_t client_id, std::uint32_t key_id, const AuthOutcome& outcome);
    void finished(bool well, std::string_view command);

    void bytecount(const Words& words);
    void client_auth(const Words& words);
    void client_auth_nt(const Words& words);
    void client_deny(const Words& words);
    void client_kill(const Words& words);
    void client_pending_auth(const Words& words);
    void echo(const Words& words);
    void exit(const Words& words);
    void help(const Words& words);
    void hold(const Words& words);
    void kill(const Words& words);
    void load_stats(const Words& words);
    void log(const Words& words);
    void mute(const Words& words);
    void nclients(const Words& words);
    void pid(const Words& words);
    void signal(const Words& words);
    void state_command(const Words& words);
    void status(const Words& words);
    void verb(const Words& words);
    void version(const Words& words);
    void not_for_servers(const Words& words);

    Settings settings_;
    Actions* actions_ = nullptr;
    std::function<void()> on_output_;
    History log_{"log", 0, {}, false};
    History state_{"state", 100, {}, false};
    History echo_{"echo", 0, {}, false};
    bool hold_flag_;
    bool holding_ = false;
    std::map<std::pair<std::uint64_t, std::uint32_t>, AuthAnswer> pending_;

    // of a connection
    bool has_client_ = false;
    bool password_verified_ = false;
    unsigned password_tries_ = 0;
    SecretBytes input_;
    SecretBytes output_;
    std::size_t sent_ = 0;    ///< of output_
    std::size_t unasked_ = 0; ///< bytes of notifications in it
    bool answering_ = false;  ///< amid the commands that were received
    std::string end_;
    std::chrono::seconds bytecount_every_{0};
    TimePoint bytecount_at_ = kNever;
    TimePoint now_{}; ///< of the command that is looked at
    /// The lines behind "client-auth", up to END.
    struct Block {
        std::uint64_t client_id = 0;
        std::uint32_t key_id = 0;
        std::vector<std::string> lines;
        std::size_t bytes = 0;
    };
    std::optional<Block> block_;
};

} // namespace nfovpn::management
