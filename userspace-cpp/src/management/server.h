// SPDX-License-Identifier: GPL-2.0-or-later
//
// The sockets of the management interface. One management client at a time, as OpenVPN has it: the
// next one connects, and hears nothing until the first has left.
//
//     Sockets   the listening socket and the connection; they live through restarts
//     Server    reads and writes them, as long as its io_context runs: one for each daemon
//
// A unix socket that asks for no password and is not for a certain user or group can be opened by
// the user of the daemon (and root) only. OpenVPN lets everybody in then.
#pragma once

#include "io/deadline_timer.h"
#include "io/unix_listener.h"
#include "management/protocol.h"
#include "util/descriptor.h"

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace nfovpn::management {

/// Where to listen, and for whom.
struct Listen {
    std::string socket_path;         ///< or:
    std::optional<Endpoint> address; ///< TCP
    bool has_password = false;
    std::optional<std::uint32_t> user; ///< whose processes may connect, to a unix socket
    std::optional<std::uint32_t> group;
};

/// See the head of this file.
class Sockets {
public:
    /// Listens; a unix socket that nobody listens on any more is replaced. Throws
    /// std::system_error.
    explicit Sockets(const Listen& listen);
    Sockets(const Sockets&) = delete;
    Sockets& operator=(const Sockets&) = delete;

    /// Takes the next connection. False if there is none, or not one that is let in.
    bool accept();
    void close_client() { client_.close(); }

    [[nodiscard]] int listener() const { return unix_ ? unix_->fd() : tcp_.get(); }
    [[nodiscard]] int client() const { return client_.get(); }
    /// Where it listens by TCP.
    [[nodiscard]] std::uint16_t port() const;

private:
    void open_tcp();
    [[nodiscard]] bool may_connect(int client) const;

    Listen listen_;
    std::optional<io::UnixListener> unix_; ///< one of the two
    Descriptor tcp_;
    Descriptor client_;
};

/// See the head of this file.
class Server {
public:
    /// All must outlive the object; the context must not run any more after it.
    Server(asio::io_context& context, Sockets& sockets, Protocol& protocol);
    /// Sends what can be sent at once. Neither socket is closed.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

private:
    using Events = asio::posix::stream_descriptor;

    void wait_for_client();
    void attach();
    void read();
    /// What is to be done after anything has happened.
    void settle();
    /// False if the connection is broken.
    bool send();
    void disconnect(const std::string& why);

    asio::io_context& context_;
    Sockets& sockets_;
    Protocol& protocol_;
    Events listening_;
    std::optional<Events> client_;
    io::DeadlineTimer timer_;
    bool reading_ = false;
    bool writing_ = false;
    bool settle_posted_ = false;
};

/// Serves the management client until it releases the hold. SIGTERM or SIGINT if that came first,
/// otherwise 0; other signals are ignored meanwhile.
/// @p alive is called now, and at least once in every such time.
int wait_for_release(Sockets& sockets, Protocol& protocol, const std::function<void()>& alive,
                     std::chrono::milliseconds every);

} // namespace nfovpn::management
