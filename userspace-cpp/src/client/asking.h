// SPDX-License-Identifier: GPL-2.0-or-later
//
// Name and password, asked of whoever has started the client: by systemd-ask-password where systemd
// runs, otherwise at the terminal. Both may be wanted again long after the daemon has given up its
// privileges, so a process asks that is started before:
//
//     daemon, confined ── what is known, and a challenge ──▶ process that asks, as it was started
//            ▲                                                    │  /dev/tty, or
//            └────────────── name and password ───────────────────┘  systemd-ask-password
//
// It stays in the process group of its terminal, and has none of the daemon's memory.
#pragma once

#include "config/client_config.h"
#include "util/result.h"
#include "util/secret.h"

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

namespace nfovpn::client {

/// What is asked.
struct UserQuestion {
    std::string username; ///< empty: asked for as well
    std::optional<config::StaticChallenge> challenge;
};

struct UserAnswer {
    std::string username;
    SecretBytes password; ///< with the answer to a challenge, as a server wants both
};

/// Why there is no answer.
struct NotAnswered {
    std::string why;
};

/// Prompts for one line of input. The input is visible while it is typed only with @p echo.
using AskLine =
    std::function<Result<SecretBytes, NotAnswered>(const std::string& prompt, bool echo)>;

/// Everything that is missing, one line after the other.
Result<UserAnswer, NotAnswered> ask_all(const UserQuestion& question, const AskLine& ask);

/// By systemd-ask-password, or at the terminal of this process, while everything else waits.
Result<SecretBytes, NotAnswered> ask_somebody(const std::string& prompt, bool echo);

/// At a terminal that is open for reading and writing; what it was set to it is again afterwards.
Result<SecretBytes, NotAnswered> ask_terminal(int terminal, const std::string& prompt, bool echo);

/// The word in the command line that makes a process the one that asks, by its standard input.
inline constexpr const char* kAskOption = "--ask-helper";
/// What such a process does: answers questions until the other end is closed. Its exit status.
int serve_questions(int socket);

/// That process, as long as the object lives.
class AskProcess {
public:
    /// Throws std::system_error.
    explicit AskProcess(std::string program = "/proc/self/exe");
    ~AskProcess();
    AskProcess(const AskProcess&) = delete;
    AskProcess& operator=(const AskProcess&) = delete;

    [[nodiscard]] int socket() const { return socket_; }

private:
    int socket_ = -1;
    pid_t child_ = -1;
};

/// The daemon's side.
class Asker {
public:
    using Done = std::function<void(Result<UserAnswer, NotAnswered>)>;

    /// @p process must outlive the object.
    Asker(asio::io_context& context, const AskProcess& process);

    /// @p done is called later, unless something else is asked or the answer is not wanted any
    /// more.
    void ask(const UserQuestion& question, Done done);
    void withdraw() { done_ = nullptr; }

private:
    void wait();

    asio::posix::stream_descriptor socket_;
    Done done_;
    bool waiting_ = false; ///< for an answer, whoever wants it
};

} // namespace nfovpn::client
