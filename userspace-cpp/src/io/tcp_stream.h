// SPDX-License-Identifier: GPL-2.0-or-later
//
// OpenVPN over TCP: every datagram of the protocol has its length in front, 16 bits, big endian.
//
// A stream lives as long as something waits for it: reads, writes and the timer hold it. It is out
// of use as soon as it is closed, whatever still comes to its handlers.
#pragma once

#include "util/bytes.h"

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <string>

namespace nfovpn::io {

/// The longest datagram on a stream. Nothing in OpenVPN is longer than a data packet of the largest
/// tun-mtu; what is longer by far is somebody else's protocol.
inline constexpr std::size_t kMaxFrame = 16384;

/// What is read at once, and so the most that one stream has its turn for.
inline constexpr std::size_t kTcpReadSize = 65536;

class TcpStream : public std::enable_shared_from_this<TcpStream> {
public:
    struct Events {
        std::function<void(ByteView)> datagram;
        std::function<void()> idle;  ///< there is no more for now
        std::function<void()> ended; ///< the other side has gone, or talks nonsense
    };

    /// @p socket is connected. @p name: of the other side, for the log. @p queue: data packets that
    /// may wait. @p buffer, of kTcpReadSize, may be that of other streams too and must outlive it.
    static std::shared_ptr<TcpStream> create(asio::ip::tcp::socket socket, std::string name,
                                             std::size_t queue, Bytes& buffer, Events events);

    /// Begins to read, behind what was read @p already.
    void start(ByteView already = {});

    /// Nothing is called back any more. What is queued still leaves, if it can before long.
    void close();

    /// False if the datagram is dropped: a side that reads nothing loses data packets first, and
    /// even control packets when they pile up.
    bool put(ByteView datagram, bool is_data);

private:
    TcpStream(asio::ip::tcp::socket socket, std::string name, std::size_t queue, Bytes& buffer,
              Events events);
    void end();
    void wait();
    void read();
    bool take(ByteView fresh);
    void write();

    asio::ip::tcp::socket socket_;
    asio::steady_timer timer_;
    std::string name_;
    std::size_t queue_;
    Bytes& buffer_;
    Events events_;
    bool open_ = true;
    Bytes partial_; ///< the beginning of a datagram
    std::deque<Bytes> waiting_;
    std::deque<Bytes> writing_;
};

} // namespace nfovpn::io
