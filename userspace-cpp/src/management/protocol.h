// SPDX-License-Identifier: GPL-2.0-or-later
//
// OpenVPN's management interface (its version 5, that of OpenVPN 2.7) without its sockets: bytes of
// the management client come in, bytes for it go out. Here is what daemons of both roles have; the
// commands and notifications of one role alone are in server_protocol.h and client_protocol.h, and
// are answered by an error in the other one.
//
//     ◀ >INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info
//     ▶ pid                               ◀ SUCCESS: pid=4711
//     ▶ log on                            ◀ SUCCESS: real-time log notification set to ON
//                                         ◀ >LOG:1700000000,I,alice 192.0.2.10:47273: gone: …
//
// The words of a command are those of a line in a configuration. Lines that begin with '>' come at
// any time, never amid an answer. The protocol outlives restarts of the daemon, which is there
// while serve() has been told so; without it only what concerns the process is answered.
//
// Whoever does not read is cut off when more of what it did not ask for waits than it may; commands
// are not looked at while an answer waits. A line without end ends the connection, too.
//
// What a management client sends may be a password. It is wiped when its line has been looked at,
// and never logged.
#pragma once

#include "management/state.h"
#include "util/environment.h"
#include "util/log.h"
#include "util/secret.h"
#include "util/time.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nfovpn::management {

/// What a daemon has had to do.
struct Load {
    std::size_t clients = 0;
    std::uint64_t rx_bytes = 0; ///< of all peers that there ever were
    std::uint64_t tx_bytes = 0;
};

/// What commands can ask of a running daemon of either role.
class Actions {
public:
    virtual ~Actions() = default;

    /// The status as lines, each with its end, by status-version 1 to 3; 0: by the configured one.
    virtual std::string status(int version) = 0;
    virtual Load load() = 0;
};

/// "name=value", as for OpenVPN's scripts.
using Environment = std::vector<std::string>;
Environment lines_of(const nfovpn::Environment& variables);

/// What the protocol is told when it is made.
struct Settings {
    std::string version;         ///< program and version
    SecretBytes password;        ///< empty: none is asked for
    std::size_t log_cache = 250; ///< lines of the log that are kept
    bool hold = false;
    bool restart_on_disconnect = false;
    bool forget_on_disconnect = false; ///< a client forgets passwords that it was told
    std::function<std::int64_t()> unix_time;
    std::function<void(int signal)> raise; ///< sends a signal to this process
};

/// See the head of this file.
class Protocol {
public:
    virtual ~Protocol() = default;
    Protocol(const Protocol&) = delete;
    Protocol& operator=(const Protocol&) = delete;

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

    // ---- the daemon
    /// Begins to wait for the management client, if it is to be waited for; without it the daemon
    /// would wait for @p pause.
    void begin_hold(std::chrono::seconds pause = std::chrono::seconds(0));
    [[nodiscard]] bool holding() const { return holding_; }
    /// The wait is over for another reason.
    void end_hold() { holding_ = false; }

    // ---- what happens
    void log_line(log::Level level, std::string_view text);
    void state(State state, const StateDetails& details = {});

protected:
    explicit Protocol(Settings settings);

    using Words = std::vector<std::string>;
    struct Command {
        const char* name;
        std::size_t least; ///< words behind it
        bool exactly;      ///< and not one more is looked at
        void (Protocol::*run)(const Words&);
        const char* usage;
        const char* help;
    };
    /// Of one that is a member of a derived class.
    template <typename Role>
    static auto handler(void (Role::*member)(const Words&)) {
        return static_cast<void (Protocol::*)(const Words&)>(member);
    }

    // ---- what the roles do each in its way

    [[nodiscard]] virtual std::span<const Command> role_commands() const = 0;
    /// The management client wants to know how many bytes there were.
    virtual void tell_bytes() = 0;
    /// Takes a line that is no command; false if it is one.
    virtual bool take_line(std::string_view text) = 0;
    /// There was a connection, and what it was amid is forgotten.
    virtual void forget_connection() = 0;
    /// It was one of somebody who was let in.
    virtual void left() {}
    /// There was a hold, and the management client has ended it.
    virtual void released() {}
    /// Replies what somebody who has just come is still to answer.
    virtual void repeat_questions() {}

    // ---- what both use

    [[nodiscard]] const Settings& settings() const { return settings_; }
    /// There is a daemon; null: no more. @p actions must live as long.
    void serve(Actions* actions) { actions_ = actions; }
    /// An error is told if there is none.
    bool served(const Words& words);

    void reply(std::string_view text);
    void success(std::string_view text) { reply("SUCCESS: " + std::string(text)); }
    void error(std::string_view text) { reply("ERROR: " + std::string(text)); }
    void finished(bool well, std::string_view command);
    void notify(std::string_view text);
    /// Lines ">KIND:ENV,name=value".
    void notify_env(std::string_view kind, const Environment& env);
    void add_echo(std::string_view text);
    /// Closes the connection, for that reason.
    void end_connection(std::string_view why) { end_ = why; }

private:
    struct Entry {
        std::int64_t time = 0;
        std::string text;
    };
    /// Entries that are kept, and whether new ones are told at once.
    struct History {
        const char* name;
        const char* prefix; ///< of those
        std::size_t limit;
        std::deque<Entry> entries;
        bool realtime = false;
    };
    static const Command kCommands[];

    void reset();
    void welcome();
    [[nodiscard]] bool password_needed() const;
    [[nodiscard]] std::string hold_notice() const;
    void process(TimePoint now);
    void line(std::string_view text);
    void check_password(std::string_view text);
    [[nodiscard]] const Command* find(std::string_view name) const;
    void dispatch(const Words& words);
    void not_supported(const Words& words);

    void add(History& history, std::string text);
    void show(const History& history, std::size_t count);
    void history(History& history, const Words& words);

    void bytecount(const Words& words);
    void echo(const Words& words);
    void exit(const Words& words);
    void help(const Words& words);
    void hold(const Words& words);
    void load_stats(const Words& words);
    void log(const Words& words);
    void mute(const Words& words);
    void pid(const Words& words);
    void signal(const Words& words);
    void state_command(const Words& words);
    void status(const Words& words);
    void verb(const Words& words);
    void version(const Words& words);

    Settings settings_;
    Actions* actions_ = nullptr;
    std::function<void()> on_output_;
    History log_{"log", ">LOG:", 0, {}, false};
    History state_{"state", ">STATE:", 100, {}, false};
    History echo_{"echo", ">ECHO:", 100, {}, false};
    bool hold_flag_;
    bool holding_ = false;
    std::chrono::seconds hold_pause_{0};

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
};

} // namespace nfovpn::management
