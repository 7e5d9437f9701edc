// SPDX-License-Identifier: GPL-2.0-or-later
//
// Frames on a TCP connection; see tcp_stream.h.

#include "io/tcp_stream.h"

#include "util/log.h"

#include <asio/error.hpp>
#include <asio/write.hpp>

#include <utility>
#include <vector>

namespace nfovpn::io {

namespace {

using asio::ip::tcp;

constexpr std::size_t kLengthSize = 2;

// Packets that wait for a side that reads nothing, when one more is of the control channel. Each of
// its sessions has a window there, and what is lost is sent again.
constexpr std::size_t kMaxControl = 256;

// For a last message to one whose session has ended.
constexpr auto kLinger = std::chrono::seconds(5);

} // namespace

std::shared_ptr<TcpStream> TcpStream::create(tcp::socket socket, std::string name,
                                             std::size_t queue, Bytes& buffer, Events events) {
    asio::error_code ignored;
    socket.non_blocking(true, ignored);
    socket.set_option(tcp::no_delay(true), ignored);
    return std::shared_ptr<TcpStream>(
        new TcpStream(std::move(socket), std::move(name), queue, buffer, std::move(events)));
}

TcpStream::TcpStream(tcp::socket socket, std::string name, std::size_t queue, Bytes& buffer,
                     Events events)
    : socket_(std::move(socket)), timer_(socket_.get_executor()), name_(std::move(name)),
      queue_(queue), buffer_(buffer), events_(std::move(events)) {}

void TcpStream::close() {
    open_ = false;
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

bool TcpStream::put(ByteView datagram, bool is_data) {
    if (datagram.size() > kMaxFrame || waiting_.size() >= (is_data ? queue_ : kMaxControl))
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

void TcpStream::start(ByteView already) {
    if (take(already))
        wait();
    else if (open_)
        events_.ended();
}

void TcpStream::end() {
    asio::error_code ignored;
    timer_.cancel();
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
}

void TcpStream::wait() {
    socket_.async_wait(tcp::socket::wait_read,
                       [self = shared_from_this()](const asio::error_code& error) {
                           if (!error && self->open_)
                               self->read();
                       });
}

void TcpStream::read() {
    asio::error_code error;
    const auto length = socket_.read_some(asio::buffer(buffer_), error);
    if (error == asio::error::would_block) {
        wait();
        return;
    }
    if (error || !take(ByteView(buffer_).first(length))) {
        if (open_)
            events_.ended();
        return;
    }
    if (!open_)
        return;
    events_.idle();
    if (open_)
        wait();
}

// Takes the datagrams out of what has come. False if it is no OpenVPN.
bool TcpStream::take(ByteView fresh) {
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
            log::debug("{}: TCP: a packet of {} bytes", name_, length);
            return false;
        }
        if (fresh.size() < kLengthSize + length)
            break;
        events_.datagram(fresh.subspan(kLengthSize, length));
        fresh = fresh.subspan(kLengthSize + length);
    }
    partial_.assign(fresh.begin(), fresh.end());
    return true;
}

// All that waits leaves together.
void TcpStream::write() {
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

} // namespace nfovpn::io
