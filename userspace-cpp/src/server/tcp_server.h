// SPDX-License-Identifier: GPL-2.0-or-later
//
// Clients that come by TCP.
//
// Whoever connects has proved nothing. So connections are bounded, in all and by source; a length
// that no packet has ends a connection at once; and one that has no session when the time for a
// handshake has passed is closed. When there are as many connections as there may be, the oldest
// without a session gives way: whoever holds all of them has to open them again faster than others
// shake hands. A client that reads nothing loses data packets first, and control packets when even
// those pile up.
#pragma once

#include "io/link.h"
#include "io/mark.h"
#include "util/descriptor.h"

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include <list>
#include <memory>
#include <unordered_map>

namespace nfovpn::server {

/// What a server bears.
struct TcpLimits {
    std::size_t connections = 2048;
    std::size_t connections_per_source = 128;
    std::size_t queue = 64; ///< data packets that wait for one connection
    std::chrono::seconds handshake{60};
};

class TcpServer final : public io::Link {
public:
    /// Listens on the port, or with 0 on any, of one address of the family or of every one. Packets
    /// have what the options say. Throws std::system_error.
    TcpServer(asio::io_context& context, io::Family family, std::optional<Address> local,
              std::uint16_t port, const TcpLimits& limits, const io::SocketOptions& options = {})
        : TcpServer(context, listen(family, local, port, options), limits) {}
    /// With a socket that listen() has given.
    TcpServer(asio::io_context& context, Descriptor listener, const TcpLimits& limits);

    /// The socket alone, as above.
    static Descriptor listen(io::Family family, std::optional<Address> local, std::uint16_t port,
                             const io::SocketOptions& options = {});
    ~TcpServer() override;

    void start(Handler handler, std::function<void()> idle) override;
    void send(const Path& path, ByteView datagram) override;
    void queue(const Path& path, ByteView datagram, std::uint8_t dscp) override;
    /// Nothing waits for it: a stream is never too short.
    void flush() override {}
    [[nodiscard]] std::uint16_t port() const override { return port_; }
    [[nodiscard]] std::uint64_t send_errors() const override { return send_errors_; }

    /// Sessions that begin and end on a connection; with the last one it is closed.
    void session_begins(const Path& path) override;
    void session_ends(const Path& path) override;

    /// Is called when the other side has ended a connection.
    void on_disconnect(std::function<void(const Path&)> handler) {
        disconnected_ = std::move(handler);
    }

    [[nodiscard]] std::size_t connections() const { return connections_.size(); }

private:
    struct Connection;

    void accept();
    void accepted(asio::ip::tcp::socket socket);
    void put(const Path& path, ByteView datagram, bool is_data);
    void begin(const std::shared_ptr<Connection>& connection);
    void ended(const Path& path);
    void drop(const Path& path);
    bool make_room();

    asio::io_context& context_;
    TcpLimits limits_;
    asio::ip::tcp::acceptor acceptor_;
    asio::steady_timer pause_; ///< after an error of the acceptor
    std::uint16_t port_ = 0;
    Handler handler_;
    std::function<void()> idle_;
    std::function<void(const Path&)> disconnected_;
    /// By both ends: one remote end may have connections to several addresses of ours.
    std::unordered_map<Path, std::shared_ptr<Connection>> connections_;
    std::list<Path> idle_connections_; ///< those without a session yet, the oldest first
    std::unordered_map<std::uint64_t, std::size_t> by_source_;
    Bytes buffer_;
    std::uint64_t send_errors_ = 0;
};

} // namespace nfovpn::server
