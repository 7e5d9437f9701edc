// SPDX-License-Identifier: GPL-2.0-or-later
//
// Programs of the administrator, run without a shell and waited for without a thread: each child is
// watched by its pidfd. They get the environment that they are given and nothing else, /dev/null as
// standard input, our standard output and error, and none of our other files.
#pragma once

#include "util/environment.h"

#include <asio/io_context.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace nfovpn::io {

class ProgramRunner {
public:
    /// Names something that was asked for; never 0.
    using Ticket = std::uint64_t;
    /// Gets the exit status, or -1 if the program could not be started or was ended by a signal.
    using Done = std::function<void(int status)>;

    /// At most @p at_once programs run, the others wait for their turn.
    ProgramRunner(asio::io_context& context, std::size_t at_once);
    /// Kills those that run. Nobody is called back.
    ~ProgramRunner();
    ProgramRunner(const ProgramRunner&) = delete;
    ProgramRunner& operator=(const ProgramRunner&) = delete;

    /// Runs a program; @p words are its absolute path and its arguments. @p done is called from the
    /// context, never from here.
    Ticket run(std::vector<std::string> words, const Environment& environment, Done done);

    /// Kills the program, with what it has started in its process group. It is not called back.
    void cancel(Ticket ticket);

    /// Programs that have not had their turn.
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

    [[nodiscard]] bool idle() const { return running_.empty() && waiting_.empty(); }

private:
    class Child;
    struct Job {
        Ticket ticket = 0;
        std::vector<std::string> words;
        std::vector<std::string> environment; ///< "NAME=VALUE"
        Done done;

        Job() = default;
        Job(Job&&) = default;
        Job& operator=(Job&&) = default;
        ~Job(); ///< wipes: there may be a password in the environment
    };

    void start_next();
    void start(Job job);
    void ended(Ticket ticket, int status);

    asio::io_context& context_;
    std::size_t at_once_;
    Ticket last_ = 0;
    std::deque<Job> waiting_;
    std::unordered_map<Ticket, std::unique_ptr<Child>> running_;
};

/// Runs a program and waits for its end, which holds up all else. Returns what ProgramRunner::Done
/// gets.
int run_program(std::vector<std::string> words, const Environment& environment);

} // namespace nfovpn::io
