// SPDX-License-Identifier: GPL-2.0-or-later
//
// Running programs; see program.h.

#include "io/program.h"

#include "io/spawn.h"
#include "util/log.h"
#include "util/secret.h"

#include <asio/error.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>

#include <sys/wait.h>
// glibc 2.36's forgets that it may be read by a C++ compiler.
extern "C" {
#include <sys/pidfd.h>
}

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

namespace nfovpn::io {

namespace {

std::string reason(int error) {
    return std::generic_category().message(error);
}

} // namespace

/// One that runs. Reaped when it is waited for or destroyed, whichever comes first.
class ProgramRunner::Child {
public:
    Child(asio::io_context& context, pid_t pid, int pidfd, std::string path, Done callback)
        : done(std::move(callback)), name(std::move(path)), pid_(pid), pidfd_(context, pidfd) {}
    ~Child() {
        if (pid_ > 0) {
            ::kill(-pid_, SIGKILL);
            reap();
        }
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    template <typename Handler>
    void wait(Handler handler) {
        pidfd_.async_wait(asio::posix::stream_descriptor::wait_read, std::move(handler));
    }

    /// The exit status, or -1.
    int reap() {
        int status = 0;
        pid_t got = -1;
        do
            got = waitpid(pid_, &status, 0);
        while (got < 0 && errno == EINTR);
        pid_ = -1;
        return got > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

    Done done;
    std::string name;

private:
    pid_t pid_;
    asio::posix::stream_descriptor pidfd_;
};

ProgramRunner::Job::~Job() {
    for (auto& text : environment)
        wipe(text);
}

ProgramRunner::ProgramRunner(asio::io_context& context, std::size_t at_once)
    : context_(context), at_once_(at_once) {}

ProgramRunner::~ProgramRunner() = default;

ProgramRunner::Ticket ProgramRunner::run(std::vector<std::string> words,
                                         const Environment& environment, Done done) {
    Job job;
    job.ticket = ++last_;
    job.words = std::move(words);
    // The last of two values counts.
    for (auto at = environment.rbegin(); at != environment.rend(); ++at) {
        const auto name = at->first + "=";
        const auto is_same = [&](const std::string& other) { return other.starts_with(name); };
        if (std::none_of(job.environment.begin(), job.environment.end(), is_same))
            job.environment.push_back(name + at->second);
    }
    job.done = std::move(done);
    waiting_.push_back(std::move(job));
    start_next();
    return last_;
}

void ProgramRunner::start_next() {
    while (!waiting_.empty() && running_.size() < at_once_) {
        auto job = std::move(waiting_.front());
        waiting_.pop_front();
        start(std::move(job));
    }
}

void ProgramRunner::start(Job job) {
    pid_t pid = -1;
    int error = Spawn().start(job.words, job.environment, pid);
    int pidfd = -1;
    if (error == 0 && (pidfd = pidfd_open(pid, 0)) < 0) {
        error = errno;
        ::kill(-pid, SIGKILL);
        waitpid(pid, nullptr, 0);
    }
    const auto ticket = job.ticket;
    if (error != 0) {
        log::peer_error("{}: {}", job.words.front(), reason(error));
        asio::post(context_, [done = std::move(job.done)] { done(-1); });
        return;
    }
    auto child =
        std::make_unique<Child>(context_, pid, pidfd, job.words.front(), std::move(job.done));
    child->wait([this, ticket](const asio::error_code& failed) {
        // Cancelled: the child is gone, perhaps the runner too.
        if (failed)
            return;
        auto found = running_.find(ticket);
        if (found != running_.end())
            ended(ticket, found->second->reap());
    });
    running_.emplace(ticket, std::move(child));
}

void ProgramRunner::ended(Ticket ticket, int status) {
    auto node = running_.extract(ticket);
    const auto& child = *node.mapped();
    if (status < 0)
        log::peer_error("{}: ended by a signal", child.name);
    else if (status > 0)
        log::debug("{}: exit status {}", child.name, status);
    start_next();
    child.done(status);
}

void ProgramRunner::cancel(Ticket ticket) {
    std::erase_if(waiting_, [&](const Job& job) { return job.ticket == ticket; });
    running_.erase(ticket);
    start_next();
}

int run_program(std::vector<std::string> words, const Environment& environment) {
    asio::io_context context;
    ProgramRunner runner(context, 1);
    int result = -1;
    runner.run(std::move(words), environment, [&result](int status) { result = status; });
    context.run();
    return result;
}

} // namespace nfovpn::io
