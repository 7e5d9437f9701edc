// SPDX-License-Identifier: GPL-2.0-or-later
//
// The management interface's sockets; see server.h. Asio waits, on copies of the descriptors; they
// themselves stay where they are when it is gone.

#include "management/server.h"

#include "util/log.h"

#include <asio/post.hpp>
#include <asio/signal_set.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

namespace nfovpn::management {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadSize = 4096;

// That may still be ready to run when a hold ends.
constexpr int kLastHandlers = 100;

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), "management " + what);
}

} // namespace

Sockets::Sockets(const Listen& listen) : listen_(listen) {
    // Who comes while somebody is served waits there.
    constexpr int kBacklog = 1;
    if (listen_.address) {
        open_tcp();
        if (::listen(tcp_.get(), kBacklog) != 0)
            fail("listen");
        return;
    }
    const bool checked = listen_.has_password || listen_.user || listen_.group;
    try {
        unix_.emplace(listen_.socket_path, checked ? 0111 : 0177, kBacklog);
    } catch (const std::system_error& error) {
        throw std::system_error(error.code(), "management " + listen_.socket_path);
    }
}

void Sockets::open_tcp() {
    const auto& where = *listen_.address;
    const auto name = to_string(where);
    const bool ipv4 = where.address.is_ipv4();
    tcp_.reset(socket(ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    if (!tcp_.valid() || setsockopt(tcp_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        fail(name);
    int failed = 0;
    if (ipv4) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(where.port);
        address.sin_addr.s_addr = htonl(where.address.ipv4().value);
        failed = bind(tcp_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    } else {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(where.port);
        const auto& bytes = where.address.ipv6().bytes;
        std::copy(bytes.begin(), bytes.end(), std::begin(address.sin6_addr.s6_addr));
        failed = bind(tcp_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    }
    if (failed != 0)
        fail(name);
}

std::uint16_t Sockets::port() const {
    sockaddr_storage address{};
    socklen_t length = sizeof(address);
    if (getsockname(listener(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
        return 0;
    // The port is at the same place in both families.
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

bool Sockets::may_connect(int client) const {
    if (!listen_.user && !listen_.group)
        return true;
    ucred peer{};
    socklen_t length = sizeof(peer);
    if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
        log::warning("management: a client is refused: {}", std::strerror(errno));
        return false;
    }
    const bool user = !listen_.user || *listen_.user == peer.uid;
    const bool group = !listen_.group || *listen_.group == peer.gid;
    if (!user || !group)
        log::warning("management: a client of user {} and group {} is refused", peer.uid, peer.gid);
    return user && group;
}

bool Sockets::accept() {
    const int fd = accept4(listener(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
            log::warning("management: no connection: {}", std::strerror(errno));
        return false;
    }
    client_.reset(fd);
    if (!may_connect(fd))
        client_.close();
    return client_.valid();
}

Server::Server(asio::io_context& context, Sockets& sockets, Protocol& protocol)
    : context_(context), sockets_(sockets), protocol_(protocol),
      listening_(context, dup(sockets.listener())), timer_(context, [this] {
          protocol_.tick(Clock::now());
          settle();
      }) {
    protocol_.on_output([this] {
        if (settle_posted_)
            return;
        settle_posted_ = true;
        asio::post(context_, [this] {
            settle_posted_ = false;
            settle();
        });
    });
    // One that was there before a restart.
    if (sockets_.client() >= 0)
        attach();
    else
        wait_for_client();
}

Server::~Server() {
    protocol_.on_output(nullptr);
    if (client_)
        send();
}

void Server::wait_for_client() {
    listening_.async_wait(Events::wait_read, [this](const asio::error_code& error) {
        if (error)
            return;
        if (sockets_.accept()) {
            log::info("management: a client has connected");
            protocol_.connected();
            attach();
        } else {
            wait_for_client();
        }
    });
}

void Server::attach() {
    client_.emplace(context_, dup(sockets_.client()));
    reading_ = writing_ = false;
    settle();
}

void Server::settle() {
    if (!client_)
        return;
    if (!send()) {
        disconnect("the connection is broken");
        return;
    }
    if (!protocol_.end().empty()) {
        disconnect(protocol_.end());
        return;
    }
    if (!protocol_.output().empty() && !writing_) {
        writing_ = true;
        client_->async_wait(Events::wait_write, [this](const asio::error_code& error) {
            if (error)
                return;
            writing_ = false;
            settle();
        });
    }
    if (protocol_.wants_input() && !reading_) {
        reading_ = true;
        client_->async_wait(Events::wait_read, [this](const asio::error_code& error) {
            if (error)
                return;
            reading_ = false;
            read();
        });
    }
    timer_.arm(protocol_.deadline());
}

bool Server::send() {
    while (!protocol_.output().empty()) {
        const auto bytes = protocol_.output();
        const auto n = ::send(sockets_.client(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        protocol_.sent(static_cast<std::size_t>(n), Clock::now());
    }
    return true;
}

void Server::read() {
    if (!protocol_.wants_input()) {
        settle();
        return;
    }
    std::array<char, kReadSize> buffer{};
    const auto n = recv(sockets_.client(), buffer.data(), buffer.size(), 0);
    if (n > 0) {
        protocol_.receive({buffer.data(), static_cast<std::size_t>(n)}, Clock::now());
        // It may have been a password.
        OPENSSL_cleanse(buffer.data(), buffer.size());
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        disconnect("it has closed the connection");
        return;
    }
    settle();
}

void Server::disconnect(const std::string& why) {
    client_.reset();
    sockets_.close_client();
    log::info("management: the client is gone: {}", why);
    protocol_.disconnected();
    wait_for_client();
}

int wait_for_release(Sockets& sockets, Protocol& protocol, const std::function<void()>& alive,
                     std::chrono::milliseconds every) {
    asio::io_context context;
    Server server(context, sockets, protocol);
    asio::signal_set stop(context, SIGTERM, SIGINT);
    asio::signal_set ignored(context, SIGHUP, SIGUSR1, SIGUSR2);
    int stopped_by = 0;
    stop.async_wait([&](const asio::error_code& error, int signal) {
        if (!error)
            stopped_by = signal;
    });
    // The manager of services hears of a process that waits, too.
    while (protocol.holding() && stopped_by == 0) {
        alive();
        context.run_one_for(every);
    }
    // A signal that came together with the release.
    for (int i = 0; i < kLastHandlers && context.poll_one() > 0; i++) {
    }
    protocol.end_hold();
    return stopped_by;
}

} // namespace nfovpn::management
