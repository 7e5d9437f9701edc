// SPDX-License-Identifier: GPL-2.0-or-later
//
// The server's UDP socket. Two things set it apart from a plain one:
//
// - Answers leave from the address at which the client's datagram arrived (IP_PKTINFO): a client
//   that reached us at our second address takes nothing from our first.
// - UDP_GRO is on, so that nf_ovpn receives large bundles of data packets from the driver. Control
//   packets of equal size may then come bundled as well; they are taken apart here.
#pragma once

#include "server/core.h"

#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>

#include <functional>

namespace nfovpn::server {

class UdpSocket final : public Transport {
public:
    /// Binds to the port of one address or of every one. Throws std::system_error.
    UdpSocket(asio::io_context& context, std::optional<Ipv4> local, std::uint16_t port);

    using Handler = std::function<void(const Path&, ByteView)>;

    /// Calls @p handler for each datagram that comes, for ever.
    void start(Handler handler);

    /// Ends that.
    void stop();

    void send(const Path& path, ByteView datagram) override;

    /// Datagrams that could not be sent.
    [[nodiscard]] std::uint64_t send_errors() const { return send_errors_; }

private:
    void wait();
    bool receive_one();

    asio::ip::udp::socket socket_;
    std::uint16_t port_;
    Handler handler_;
    Bytes buffer_;
    std::uint64_t send_errors_ = 0;
};

} // namespace nfovpn::server
