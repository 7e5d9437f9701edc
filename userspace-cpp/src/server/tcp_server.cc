// SPDX-License-Identifier: GPL-2.0-or-later
//
// TCP connections; see tcp_server.h.
//
// A connection lives as long as something waits for it: reads, writes and the timer hold it. It is
// out of use as soon as it is out of the server's table, whatever still comes to its handlers.

#include "server/tcp_server.h"

#include "util/log.h"

#include <asio/error.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <deque>
#include <system_error>

namespace nfovpn::server {

namespace {

using asio::ip::tcp;

constexpr std::size_t kLengthSize = 2;

// The longest that is read at once, and so the most that one connection has its turn for.
constexpr std::size_t kReadSize = 65536;

// Nothing in OpenVPN is longer than a data packet of the largest tun-mtu; what is longer by far is
// somebody else's protocol.
constexpr std::size_t kMaxFrame = 16384;

// Control packets that wait for a client that reads nothing; the reliability layer has a window.
constexpr std::size_t kMaxControl = 1024;

// For a last message to one whose session has ended.
constexpr auto kLinger = std::chrono::seconds(5);

constexpr auto kPause = std::chrono::milliseconds(100);

Endpoint endpoint_of(const tcp::endpoint& from) {
    Endpoint out;
    out.port = from.port();
    if (from.address().is_v4()) {
        out.address = Ipv4{from.address().to_v4().to_uint()};
        return out;
    }
    const auto ipv6 = from.address().to_v6();
    out.address = Ipv6{ipv6.to_bytes()};
    out.scope_id = static_cast<std::uint32_t>(ipv6.scope_id());
    return out;
}

tcp::endpoint endpoint_of(Family family, const std::optional<Address>& local, std::uint16_t port) {
    if (family == Family::Ipv4)
        return {asio::ip::address_v4(local ? local->ipv4().value : 0), port};
    return {asio::ip::address_v6(local ? local->ipv6().bytes : Ipv6{}.bytes), port};
}

} // namespace

class TcpServer::Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(TcpServer& server, tcp::socket socket, const Path& path)
        : sessions(0), server_(server), socket_(std::move(socket)), timer_(server.context_),
          path_(path) {}

    void begin() {
        timer_.expires_after(server_.limits_.handshake);
        timer_.async_wait([self = shared_from_this()](const asio::error_code& error) {
            if (!error && self->open_ && self->sessions == 0) {
                log::debug("{}: TCP: no session within its time", to_string(self->path_.remote));
                self->server_.drop(self->path_.remote);
            }
        });
        wait();
    }

    // Nothing is called back any more. What is queued still leaves, if it can before long.
    void close() {
        open_ = false;
        timer_.cancel();
        if (writing_.empty()) {
            end();
            return;
        }
        timer_.expires_after(kLinger);
        timer_.async_wait([self = shared_from_this()](const asio::error_code& error) {
            if (!error)
                self->end();
        });
    }

    // False if it is dropped.
    bool put(ByteView datagram, bool is_data) {
        if (waiting_.size() >= (is_data ? server_.limits_.queue : kMaxControl))
            return false;
        Bytes frame;
        frame.reserve(kLengthSize + datagram.size());
        frame.push_back(static_cast<std::uint8_t>(datagram.size() >> 8));
        frame.push_back(static_cast<std::uint8_t>(datagram.size()));
        frame.insert(frame.end(), datagram.begin(), datagram.end());
        waiting_.push_back(std::move(frame));
        if (writing_.empty())
            write();
        return true;
    }

    std::size_t sessions; ///< on this connection

private:
    void end() {
        asio::error_code ignored;
        timer_.cancel();
        socket_.shutdown(tcp::socket::shutdown_both, ignored);
        socket_.close(ignored);
    }

    void wait() {
        socket_.async_wait(tcp::socket::wait_read,
                           [self = shared_from_this()](const asio::error_code& error) {
                               if (!error && self->open_)
                                   self->read();
                           });
    }

    void read() {
        asio::error_code error;
        const auto length = socket_.read_some(asio::buffer(server_.buffer_), error);
        if (error == asio::error::would_block) {
            wait();
            return;
        }
        if (error || !take(ByteView(server_.buffer_).first(length))) {
            if (open_)
                ended();
            return;
        }
        if (!open_)
            return;
        server_.idle_();
        if (open_)
            wait();
    }

    // The other side has gone, or talks nonsense.
    void ended() {
        const auto remote = path_.remote;
        auto& server = server_;
        server.drop(remote);
        if (server.disconnected_)
            server.disconnected_(remote);
        server.idle_();
    }

    // Takes the datagrams out of what has come. False if it is no OpenVPN.
    bool take(ByteView fresh) {
        Bytes whole;
        if (!partial_.empty()) {
            partial_.insert(partial_.end(), fresh.begin(), fresh.end());
            whole = std::move(partial_);
            partial_.clear();
            fresh = whole;
        }
        while (open_ && fresh.size() >= kLengthSize) {
            const std::size_t length = std::size_t{fresh[0]} << 8 | fresh[1];
            if (length == 0 || length > kMaxFrame) {
                log::debug("{}: TCP: a packet of {} bytes", to_string(path_.remote), length);
                return false;
            }
            if (fresh.size() < kLengthSize + length)
                break;
            server_.handler_(path_, fresh.subspan(kLengthSize, length));
            fresh = fresh.subspan(kLengthSize + length);
        }
        partial_.assign(fresh.begin(), fresh.end());
        return true;
    }

    // All that waits leaves together.
    void write() {
        std::vector<asio::const_buffer> buffers;
        writing_.swap(waiting_);
        for (const auto& frame : writing_)
            buffers.emplace_back(frame.data(), frame.size());
        asio::async_write(socket_, buffers,
                          [self = shared_from_this()](const asio::error_code& error, std::size_t) {
                              self->writing_.clear();
                              // The read says that the other side has gone.
                              if (error)
                                  self->waiting_.clear();
                              if (!self->waiting_.empty())
                                  self->write();
                              else if (!self->open_)
                                  self->end();
                          });
    }

    TcpServer& server_;
    tcp::socket socket_;
    asio::steady_timer timer_;
    Path path_;
    bool open_ = true;
    Bytes partial_; ///< the beginning of a datagram
    std::deque<Bytes> waiting_;
    std::deque<Bytes> writing_;
};

TcpServer::TcpServer(asio::io_context& context, Family family, std::optional<Address> local,
                     std::uint16_t port, const TcpLimits& limits)
    : context_(context), limits_(limits), acceptor_(context), pause_(context), buffer_(kReadSize) {
    const auto here = endpoint_of(family, local, port);
    try {
        acceptor_.open(here.protocol());
        acceptor_.set_option(tcp::acceptor::reuse_address(true));
        if (family != Family::Ipv4)
            acceptor_.set_option(asio::ip::v6_only(family == Family::Ipv6));
        acceptor_.bind(here);
        acceptor_.listen();
    } catch (const std::system_error& error) {
        throw std::system_error(error.code(), "TCP " + to_string(endpoint_of(here)));
    }
    port_ = acceptor_.local_endpoint().port();
}

TcpServer::~TcpServer() {
    for (auto& [remote, connection] : connections_)
        connection->close();
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
        log::warning("TCP: {}", error.message());
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
    const Path path{endpoint_of(remote), endpoint_of(local)};
    auto& from_source = by_source_[source_of(path.remote.address)];
    if (connections_.size() >= limits_.connections ||
        from_source >= limits_.connections_per_source) {
        log::debug("{}: TCP: too many connections", to_string(path.remote));
        if (from_source == 0)
            by_source_.erase(source_of(path.remote.address));
        return;
    }
    socket.non_blocking(true, error);
    socket.set_option(tcp::no_delay(true), error);
    from_source++;
    auto connection = std::make_shared<Connection>(*this, std::move(socket), path);
    connections_[path.remote] = connection;
    connection->begin();
}

void TcpServer::put(const Path& path, ByteView datagram, bool is_data) {
    auto found = connections_.find(path.remote);
    if (found == connections_.end() || datagram.size() > kMaxFrame ||
        !found->second->put(datagram, is_data))
        send_errors_++;
}

void TcpServer::send(const Path& path, ByteView datagram) {
    put(path, datagram, false);
}

void TcpServer::queue(const Path& path, ByteView datagram) {
    put(path, datagram, true);
}

void TcpServer::session_begins(const Endpoint& remote) {
    auto found = connections_.find(remote);
    if (found != connections_.end())
        found->second->sessions++;
}

void TcpServer::session_ends(const Endpoint& remote) {
    auto found = connections_.find(remote);
    if (found != connections_.end() && --found->second->sessions == 0)
        drop(remote);
}

void TcpServer::drop(const Endpoint& remote) {
    auto node = connections_.extract(remote);
    if (node.empty())
        return;
    auto source = by_source_.find(source_of(remote.address));
    if (--source->second == 0)
        by_source_.erase(source);
    node.mapped()->close();
}

} // namespace nfovpn::server
