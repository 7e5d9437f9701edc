// SPDX-License-Identifier: GPL-2.0-or-later
//
// The process for plug-ins and what it is asked; see plugin_process.h.

#include "host/plugin_process.h"

#include "io/spawn.h"
#include "plugin/helper.h"
#include "util/log.h"
#include "wire/peer_info.h"

#include <asio/post.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace nfovpn::host {

namespace {

using plugin::Request;

// Whoever is to wait for a plug-in, waits no longer.
constexpr std::chrono::seconds kLongestCall{60};
constexpr std::chrono::seconds kLongestEnd{5};

// Plug-ins can be called from one place only.
constexpr std::size_t kAtOnce = 1;

constexpr std::size_t kLongestLogLine = 1024;

// Whether one of @p fds can be read before that.
bool wait_for(std::array<pollfd, 2> fds, std::chrono::steady_clock::time_point until) {
    while (true) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            until - std::chrono::steady_clock::now());
        if (left.count() <= 0)
            return false;
        const int ready = poll(fds.data(), fds.size(), static_cast<int>(left.count()));
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return ready > 0;
    }
}

void log_line(const plugin::LogLine& line) {
    const auto text = wire::printable(line.text, kLongestLogLine);
    switch (line.level) {
    case plugin::LogLine::Level::Error:
        log::peer_error("plug-in: {}", text);
        break;
    case plugin::LogLine::Level::Warning:
        log::peer_warning("plug-in: {}", text);
        break;
    case plugin::LogLine::Level::Note:
        log::info("plug-in: {}", text);
        break;
    case plugin::LogLine::Level::Debug:
        log::debug("plug-in: {}", text);
        break;
    }
}

} // namespace

std::string plugin_address(const Address& address, const std::string& port) {
    return std::string(address.is_ipv4() ? "[AF_INET]" : "[AF_INET6]") + to_string(address) + " " +
           port;
}

PluginProcess::PluginProcess(const std::vector<config::PluginConfig>& plugins,
                             std::string main_file, const Environment& environment,
                             std::string program)
    : plugins_(plugins), main_file_(std::move(main_file)) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        throw std::system_error(errno, std::generic_category(), "plugin");
    socket_.reset(ends[0]);
    const Descriptor other(ends[1]);
    std::vector<std::string> words = {std::move(program), plugin::kHelperOption};
    std::vector<std::string> variables = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                                          "/sbin:/bin"};
    if (const int error = io::Spawn(other.get()).start(words, variables, child_); error != 0)
        throw std::system_error(error, std::generic_category(), "plugin: " + words.front());
    pidfd_.reset(static_cast<int>(syscall(SYS_pidfd_open, child_, 0)));
    if (!pidfd_)
        throw std::system_error(errno, std::generic_category(), "plugin: pidfd_open");
    Request request;
    request.kind = Request::Kind::Open;
    request.environment = environment;
    for (const auto& one : plugins_)
        request.plugins.push_back({one.path, one.words});
    const auto answer = ask(request, kLongestCall);
    if (!answer || answer->status != plugin::Status::Success)
        fail(answer.value_or(plugin::Answer()));
    hooks_ = answer->hooks;
}

PluginProcess::~PluginProcess() {
    socket_.close();
    if (child_ <= 0)
        return;
    const auto until = std::chrono::steady_clock::now() + kLongestEnd;
    // It may be waiting for a plug-in.
    if (pidfd_ && !wait_for({pollfd{pidfd_.get(), POLLIN, 0}, pollfd{-1, 0, 0}}, until) &&
        kill(child_, SIGKILL) != 0)
        return;
    while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

void PluginProcess::fail(const plugin::Answer& answer) const {
    const auto& which = plugins_[std::min<std::size_t>(answer.plugin, plugins_.size() - 1)];
    const auto why = answer.why.empty() ? std::string("the process for plug-ins has ended")
                                        : wire::printable(answer.why, kLongestLogLine);
    throw std::runtime_error((which.file.empty() ? main_file_ : which.file) + ":" +
                             std::to_string(which.line) + ": error: plugin: " + why);
}

bool PluginProcess::send(const Request& request) {
    const auto message = broken_ ? std::nullopt : plugin::encode(request);
    return message && ::send(socket_.get(), message->view().data(), message->view().size(),
                             MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

PluginProcess::Got PluginProcess::receive(plugin::Answer& answer) {
    Bytes message(plugin::kMaxMessage + 1);
    ssize_t got = -1;
    do {
        got = recv(socket_.get(), message.data(), message.size(), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN)
        return Got::Nothing;
    if (got <= 0)
        return Got::End;
    message.resize(static_cast<std::size_t>(got));
    auto reply = plugin::decode_reply(message);
    if (!reply) {
        log::error("plug-ins: their process says what it cannot say");
        return Got::End;
    }
    if (const auto* line = std::get_if<plugin::LogLine>(&*reply)) {
        log_line(*line);
        return Got::LogLine;
    }
    answer = std::move(std::get<plugin::Answer>(*reply));
    return Got::Answer;
}

std::optional<plugin::Answer> PluginProcess::ask(Request& request, std::chrono::seconds limit) {
    request.id = next_id();
    if (!send(request))
        return std::nullopt;
    const auto until = std::chrono::steady_clock::now() + limit;
    const std::array<pollfd, 2> either = {pollfd{socket_.get(), POLLIN, 0},
                                          pollfd{pidfd_.get(), POLLIN, 0}};
    while (wait_for(either, until)) {
        plugin::Answer answer;
        const auto got = receive(answer);
        if (got == Got::Answer && answer.id == request.id)
            return answer;
        // Nothing to read, and yet there was something: it has ended.
        if (got == Got::End || got == Got::Nothing)
            break;
    }
    broken_ = true;
    return std::nullopt;
}

void PluginProcess::confine(const config::CommonConfig& config) {
    if (std::exchange(confined_, true))
        return;
    Request request;
    request.kind = Request::Kind::Confine;
    request.run_as = config.run_as;
    request.filter = config.seccomp;
    const auto answer = ask(request, kLongestCall);
    if (!answer || answer->status != plugin::Status::Success)
        fail(answer.value_or(plugin::Answer()));
    hooks_ = answer->hooks;
}

plugin::Status PluginProcess::call_and_wait(plugin::Hook hook, std::vector<std::string> args,
                                            Environment environment) {
    if (!wants(hook))
        return plugin::Status::Success;
    Request request;
    request.client = plugin::kNoClient;
    request.hook = hook;
    request.args = std::move(args);
    request.environment = std::move(environment);
    const auto answer = ask(request, kLongestCall);
    return answer ? answer->status : plugin::Status::Error;
}

// ---- calls

PluginCalls::PluginCalls(PluginProcess& process, asio::io_context& context,
                         std::function<void()> settle, std::function<void(const std::string&)> gone)
    : process_(process), context_(context), settle_(std::move(settle)), gone_(std::move(gone)),
      answers_(context, dup(process.socket())), end_(context, dup(process.pidfd())),
      asked_(kAtOnce, kAtOnce) {
    wait_for_answers();
    wait_for_end();
}

void PluginCalls::ask(std::uint64_t source, Request request, Done done) {
    clients_.insert(request.client);
    asked_.push(source, Item{std::move(request), std::move(done), source});
    start_next();
}

void PluginCalls::tell(Request request, Done done) {
    if (request.kind == Request::Kind::Call && request.client != plugin::kNoClient)
        clients_.insert(request.client);
    notices_.push_back(Item{std::move(request), std::move(done), std::nullopt});
    start_next();
}

void PluginCalls::start_next() {
    if (current_)
        return;
    if (!notices_.empty()) {
        auto item = std::move(notices_.front());
        notices_.pop_front();
        start(std::move(item));
    } else if (auto turn = asked_.next()) {
        start(std::move(turn->second));
    }
}

void PluginCalls::start(Item item) {
    auto& request = item.request;
    request.id = process_.next_id();
    const bool forgets = request.kind == Request::Kind::Forget;
    current_ = Current{request.id, forgets ? plugin::kNoClient : request.client,
                       std::move(item.done), item.source};
    // It has ended, or the message is too long.
    if (!process_.send(request))
        asio::post(context_, [this, id = request.id] {
            plugin::Answer error;
            error.id = id;
            answered(error);
        });
}

void PluginCalls::answered(const plugin::Answer& answer) {
    // Another daemon's.
    if (!current_ || current_->id != answer.id)
        return;
    auto current = *std::exchange(current_, std::nullopt);
    if (current.source)
        asked_.done(*current.source);
    start_next();
    if (current.done) {
        current.done(answer);
        settle_();
    }
}

void PluginCalls::forget(std::uint64_t client) {
    asked_.erase_if([&](const Item& item) { return item.request.client == client; });
    if (current_ && current_->client == client && current_->source)
        current_->done = nullptr;
    if (clients_.erase(client) == 0)
        return;
    Request request;
    request.kind = Request::Kind::Forget;
    request.client = client;
    tell(std::move(request));
}

void PluginCalls::wait_for_answers() {
    answers_.async_wait(
        asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
            if (error || ended_)
                return;
            while (true) {
                plugin::Answer answer;
                const auto got = process_.receive(answer);
                if (got == PluginProcess::Got::Answer)
                    answered(answer);
                if (got == PluginProcess::Got::End)
                    ended("the process for plug-ins has ended");
                if (got == PluginProcess::Got::Nothing)
                    wait_for_answers();
                if (got == PluginProcess::Got::End || got == PluginProcess::Got::Nothing)
                    return;
            }
        });
}

// What plug-ins have started may keep the socket open.
void PluginCalls::wait_for_end() {
    end_.async_wait(asio::posix::stream_descriptor::wait_read,
                    [this](const asio::error_code& error) {
                        if (!error)
                            ended("the process for plug-ins has ended");
                    });
}

void PluginCalls::ended(const std::string& why) {
    if (std::exchange(ended_, true))
        return;
    process_.give_up();
    if (current_) {
        plugin::Answer error;
        error.id = current_->id;
        answered(error);
    }
    // The others are answered one after the other, as each cannot be sent.
    gone_(why);
}

} // namespace nfovpn::host
