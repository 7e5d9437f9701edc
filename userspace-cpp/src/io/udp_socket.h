// SPDX-License-Identifier: GPL-2.0-or-later
//
// The server's UDP socket, which may be older than the object that reads it. Three things set it
// apart from a plain one:
//
// - Answers leave from the address at which the client's datagram arrived (IP_PKTINFO): a client
//   that reached us at our second address takes nothing from our first.
// - UDP_GRO is on, so that nf_ovpn receives large bundles of data packets from the driver. Control
//   packets of equal size may then come bundled as well; they are taken apart here.
// - Data packets are queued and leave together: those to one client that are of equal size as a
//   bundle, which the kernel takes apart (UDP_SEGMENT), and all bundles in one call.
#pragma once

#include "io/link.h"
#include "io/mark.h"
#include "util/descriptor.h"

#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>

namespace nfovpn::io {

class UdpSocket final : public Link {
public:
    /// Binds to the port, or with 0 to any, of one address of the family or of every one. Packets
    /// have what the options say. Throws std::system_error.
    UdpSocket(asio::io_context& context, Family family, std::optional<Address> local,
              std::uint16_t port, const SocketOptions& options = {})
        : UdpSocket(context, bind(family, local, port, options)) {}
    /// With one that bind() has given.
    UdpSocket(asio::io_context& context, Descriptor bound);

    /// The socket alone, as above.
    static Descriptor bind(Family family, std::optional<Address> local, std::uint16_t port,
                           const SocketOptions& options = {});

    void start(Handler handler, std::function<void()> idle) override;

    /// Ends that.
    void stop();

    void send(const Path& path, ByteView datagram) override;

    void queue(const Path& path, ByteView datagram, std::uint8_t dscp) override;
    void flush() override;
    [[nodiscard]] std::uint16_t port() const override { return port_; }
    [[nodiscard]] std::uint64_t send_errors() const override { return send_errors_; }

private:
    void wait();
    bool receive_one();

    /// Datagrams that leave together; they lie one behind the other in the queue.
    struct Bundle {
        Path path;
        std::uint8_t dscp = 0;
        std::size_t begin = 0;
        std::size_t end = 0;
        std::size_t segment = 0; ///< length of each but the last, which may be shorter
    };

    void send(const Path& path, ByteView datagram, std::uint8_t dscp);
    void send_alone(const Bundle& bundle);
    bool writable();
    void note_send_error(const Path& path);

    asio::ip::udp::socket socket_;
    bool ipv6_; ///< it is a socket of IPv6, where IPv4 has mapped addresses
    std::uint16_t port_;
    Handler handler_;
    std::function<void()> idle_;
    Bytes buffer_;
    Bytes queue_;
    std::vector<Bundle> bundles_;
    bool segments_ = true; ///< the kernel takes bundles
    std::uint64_t send_errors_ = 0;
};

} // namespace nfovpn::io
