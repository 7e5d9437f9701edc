// SPDX-License-Identifier: GPL-2.0-or-later
//
// The unix socket of nf-ovpnctl: one line of words, an answer as text, and the connection ends.
// Only its owner may open it (mode 0600). Connections are few, lines short, and whoever says
// nothing is not waited for.
#pragma once

#include "io/unix_listener.h"

#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nfovpn::server {

class ControlSocket {
public:
    /// Answers the words of a line.
    using Handler = std::function<std::string(const std::vector<std::string>&)>;

    /// For whom the socket is: the user of the daemon (and root).
    static constexpr mode_t kMask = 0177;
    static constexpr int kMaxConnections = 8;

    /// Answers those who connect there. The listener stays as it is when this one goes.
    ControlSocket(asio::io_context& context, const io::UnixListener& listener, Handler handler);
    ControlSocket(const ControlSocket&) = delete;
    ControlSocket& operator=(const ControlSocket&) = delete;

private:
    class Connection;

    void accept();

    asio::io_context& context_;
    Handler handler_;
    asio::local::stream_protocol::acceptor acceptor_;
    asio::steady_timer pause_; ///< after an error of the acceptor
    /// How many there are. They may outlive this object by a moment.
    std::shared_ptr<std::size_t> connections_ = std::make_shared<std::size_t>(0);
};

} // namespace nfovpn::server
