// SPDX-License-Identifier: GPL-2.0-or-later
//
// TCP connections; see tcp_server.h.

#include "server/tcp_server.h"

#include "io/mark.h"
#include "io/socket_address.h"
#include "io/tcp_stream.h"
#include "util/log.h"

#include <asio/error.hpp>
#include <asio/ip/v6_only.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace nfovpn::server {

namespace {

using asio::ip::tcp;

constexpr auto kPause = std::chrono::milliseconds(100);

tcp::endpoint endpoint_of(io::Family family, const std::optional<Address>& local,
                          std::uint16_t port) {
    if (family == io::Family::Ipv4)
        return {asio::ip::address_v4(local ? local->ipv4().value : 0), port};
    return {asio::ip::address_v6(local ? local->ipv6().bytes : Ipv6{}.bytes), port};
}

} // namespace

/// Of a client.
struct TcpServer::Connection {
    Connection(asio::io_context& context, const Path& where) : path(where), timer(context) {}

    Path path;
    std::size_t sessions = 0;
    std::optional<std::list<Path>::iterator> idle; ///< its place among those without a session
    asio::steady_timer timer;                      ///< for the first of them
    std::shared_ptr<io::TcpStream> stream;
};

Descriptor TcpServer::listen(io::Family family, std::optional<Address> local, std::uint16_t port,
                             const io::SocketOptions& options) {
    const auto here = endpoint_of(family, local, port);
    asio::io_context context;
    tcp::acceptor acceptor(context);
    try {
        acceptor.open(here.protocol());
        acceptor.set_option(tcp::acceptor::reuse_address(true));
        if (family != io::Family::Ipv4)
            acceptor.set_option(asio::ip::v6_only(family == io::Family::Ipv6));
        io::set_options(acceptor.native_handle(), options);
        acceptor.bind(here);
        acceptor.listen();
    } catch (const std::system_error& error) {
        throw std::system_error(error.code(), "TCP " + to_string(io::endpoint_of(here)));
    }
    return Descriptor(fcntl(acceptor.native_handle(), F_DUPFD_CLOEXEC, 0));
}

TcpServer::TcpServer(asio::io_context& context, Descriptor listener, const TcpLimits& limits)
    : context_(context), limits_(limits), acceptor_(context), pause_(context),
      buffer_(io::kTcpReadSize) {
    sockaddr_storage here{};
    socklen_t length = sizeof(here);
    if (getsockname(listener.get(), reinterpret_cast<sockaddr*>(&here), &length) != 0)
        throw std::system_error(errno, std::generic_category(), "TCP");
    acceptor_.assign(here.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), listener.release());
    port_ = acceptor_.local_endpoint().port();
}

TcpServer::~TcpServer() {
    for (auto& [path, connection] : connections_) {
        connection->timer.cancel();
        connection->stream->close();
    }
}

void TcpServer::start(Handler handler, std::function<void()> idle) {
    handler_ = std::move(handler);
    idle_ = std::move(idle);
    accept();
}

void TcpServer::accept() {
    acceptor_.async_accept([this](const asio::error_code& error, tcp::socket socket) {
        if (error == asio::error::operation_aborted)
            return;
        // Without files or memory it would fail again at once.
        if (!error) {
            accepted(std::move(socket));
            accept();
            return;
        }
        log::peer_warning("TCP: {}", error.message());
        pause_.expires_after(kPause);
        pause_.async_wait([this](const asio::error_code& cancelled) {
            if (!cancelled)
                accept();
        });
    });
}

void TcpServer::accepted(tcp::socket socket) {
    asio::error_code error;
    const auto remote = socket.remote_endpoint(error);
    if (error)
        return;
    const auto local = socket.local_endpoint(error);
    if (error)
        return;
    const Path path{io::endpoint_of(remote), io::endpoint_of(local)};
    auto& from_source = by_source_[source_of(path.remote.address)];
    if (from_source >= limits_.connections_per_source ||
        (connections_.size() >= limits_.connections && !make_room())) {
        log::debug("{}: TCP: too many connections", to_string(path.remote));
        if (from_source == 0)
            by_source_.erase(source_of(path.remote.address));
        return;
    }
    // It may have been erased with the one that has given way.
    by_source_[source_of(path.remote.address)]++;
    auto& connection = connections_[path];
    connection = std::make_shared<Connection>(context_, path);
    connection->idle = idle_connections_.insert(idle_connections_.end(), path);
    connection->stream =
        io::TcpStream::create(std::move(socket), to_string(path.remote), limits_.queue, buffer_,
                              {[this, path](ByteView datagram) { handler_(path, datagram); },
                               [this] { idle_(); }, [this, path] { ended(path); }});
    begin(connection);
}

void TcpServer::begin(const std::shared_ptr<Connection>& connection) {
    connection->timer.expires_after(limits_.handshake);
    connection->timer.async_wait([this, connection](const asio::error_code& error) {
        const auto& path = connection->path;
        if (error || connection->sessions > 0)
            return;
        auto found = connections_.find(path);
        if (found == connections_.end() || found->second != connection)
            return;
        log::debug("{}: TCP: no session within its time", to_string(path.remote));
        drop(path);
    });
    connection->stream->start();
}

void TcpServer::ended(const Path& path) {
    drop(path);
    if (disconnected_)
        disconnected_(path);
    idle_();
}

// False if every connection has a session.
bool TcpServer::make_room() {
    if (idle_connections_.empty())
        return false;
    const auto path = idle_connections_.front();
    log::debug("{}: TCP: gives way to a newer connection", to_string(path.remote));
    drop(path);
    return true;
}

void TcpServer::put(const Path& path, ByteView datagram, bool is_data) {
    auto found = connections_.find(path);
    if (found == connections_.end() || !found->second->stream->put(datagram, is_data))
        send_errors_++;
}

void TcpServer::send(const Path& path, ByteView datagram) {
    put(path, datagram, false);
}

void TcpServer::queue(const Path& path, ByteView datagram, std::uint8_t /*dscp*/) {
    put(path, datagram, true);
}

void TcpServer::session_begins(const Path& path) {
    auto found = connections_.find(path);
    if (found == connections_.end())
        return;
    auto& connection = *found->second;
    connection.sessions++;
    if (const auto idle = std::exchange(connection.idle, std::nullopt))
        idle_connections_.erase(*idle);
}

void TcpServer::session_ends(const Path& path) {
    auto found = connections_.find(path);
    if (found != connections_.end() && --found->second->sessions == 0)
        drop(path);
}

void TcpServer::drop(const Path& path) {
    auto node = connections_.extract(path);
    if (node.empty())
        return;
    auto source = by_source_.find(source_of(path.remote.address));
    if (--source->second == 0)
        by_source_.erase(source);
    if (const auto idle = node.mapped()->idle)
        idle_connections_.erase(*idle);
    node.mapped()->timer.cancel();
    node.mapped()->stream->close();
}

} // namespace nfovpn::server
