// SPDX-License-Identifier: GPL-2.0-or-later
//
// Users verified by PAM; see pam_hooks.h.

#include "server/pam_hooks.h"

#include "io/spawn.h"
#include "pam/helper.h"
#include "util/log.h"
#include "wire/peer_info.h"

#include <asio/post.hpp>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <system_error>
#include <utility>

namespace nfovpn::server {

namespace {

TimePoint now() {
    return std::chrono::steady_clock::now();
}

session::Refusal not_now() {
    return {"the server cannot verify users now", true};
}

// As many as the helper verifies at once; what waits for a place waits here, where it is known who
// asks.
constexpr std::size_t kUsersAtOnce = 16;
constexpr std::size_t kOfOneSource = 4;

} // namespace

PamProcess::PamProcess(config::PamConfig config, std::string program) : config_(std::move(config)) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::system_error(errno, std::generic_category(), "PAM");
    socket_ = ends[0];
    auto words = pam::to_words(config_);
    words.insert(words.begin(), std::move(program));
    std::vector<std::string> environment = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
        "/sbin:/bin"};
    const int error = io::Spawn(ends[1]).start(words, environment, child_);
    close(ends[1]);
    if (error != 0) {
        close(socket_);
        throw std::system_error(error, std::generic_category(), "PAM: " + words.front());
    }
}

PamProcess::~PamProcess() {
    close(socket_);
    // It may be waiting for a module. Without the privileges that it has kept it is left to itself,
    // and ends when it asks for the next user.
    if (kill(-child_, SIGTERM) != 0)
        return;
    while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

bool PamProcess::send(const pam::Request& request) {
    const auto message = pam::encode(request);
    return message && ::send(socket_, message->view().data(), message->view().size(),
                             MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

PamHooks::PamHooks(PamProcess& process, ClientHooks& before, bool before_verifies,
                   asio::io_context& context, std::function<void()> settle)
    : ChainedHooks(before, before_verifies), process_(process), context_(context),
      settle_(std::move(settle)), answers_(context, dup(process.fd())),
      users_(kUsersAtOnce, kOfOneSource) {
    wait();
}

void PamHooks::ask(User user, Verified done) {
    const auto source = source_of(user.environment);
    users_.push(source, Waiting{std::move(user), std::move(done)});
    send_next();
}

void PamHooks::send_next() {
    while (auto turn = users_.next()) {
        auto& [user, done] = turn->second;
        pam::Request request;
        request.id = process_.next_id();
        request.username = user.name;
        request.password = std::move(user.password);
        request.common_name = value_of(user.environment, "common_name");
        request.remote_host = value_of(user.environment, "untrusted_ip");
        if (request.remote_host.empty())
            request.remote_host = value_of(user.environment, "untrusted_ip6");
        const bool sent = process_.send(request);
        asked_.emplace(request.id, Asked{user.client, std::move(user.name), std::move(done), true,
                                         turn->first});
        if (!sent)
            asio::post(context_, [this, id = request.id] {
                answered({id, pam::Verdict::Failed, ""});
            });
    }
}

// The helper goes on with what it has begun, so that keeps its place.
void PamHooks::forgotten(ClientId client) {
    users_.erase_if([&](const Waiting& waiting) { return waiting.user.client == client; });
    for (auto& [id, asked] : asked_) {
        if (asked.client == client)
            asked.wanted = false;
    }
}

void PamHooks::wait() {
    answers_.async_wait(asio::posix::stream_descriptor::wait_read,
                        [this](const asio::error_code& error) {
                            if (error)
                                return;
                            while (receive()) {
                            }
                        });
}

// One answer; false if there is none now.
bool PamHooks::receive() {
    Bytes message(pam::kMaxMessage);
    const auto got = recv(process_.fd(), message.data(), message.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR)
        return true;
    if (got < 0 && errno == EAGAIN) {
        wait();
        return false;
    }
    if (got <= 0) {
        // Who was asked for has waited long enough; whoever comes next is told at once.
        log::error("PAM: its process has ended; no user can be verified before a new start");
        while (!asked_.empty())
            answered({asked_.begin()->first, pam::Verdict::Failed, ""});
        return false;
    }
    message.resize(static_cast<std::size_t>(got));
    if (const auto answer = pam::decode_answer(message))
        answered(*answer);
    return true;
}

void PamHooks::answered(const pam::Answer& answer) {
    auto node = asked_.extract(answer.id);
    // The client is gone, or was another daemon's.
    if (!node)
        return;
    if (node.mapped().wanted && answer.verdict != pam::Verdict::Granted && !answer.reason.empty())
        log::peer_warning("PAM: {}: {}", node.mapped().username,
                          wire::printable(answer.reason, answer.reason.size()));
    users_.done(node.mapped().source);
    send_next();
    if (!node.mapped().wanted)
        return;
    const auto& done = node.mapped().done;
    switch (answer.verdict) {
    case pam::Verdict::Granted:
        done(ClientSettings{}, now());
        break;
    case pam::Verdict::Denied:
        done(session::Refusal{"user name or password is wrong"}, now());
        break;
    case pam::Verdict::Failed:
        done(not_now(), now());
        break;
    }
    settle_();
}

} // namespace nfovpn::server
