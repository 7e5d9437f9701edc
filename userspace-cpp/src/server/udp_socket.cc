// SPDX-License-Identifier: GPL-2.0-or-later
//
// The UDP socket: Asio waits, recvmsg and sendmsg do the rest, because Asio knows no control
// messages. See udp_socket.h.

#include "server/udp_socket.h"

#include "util/log.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace nfovpn::server {

namespace {

// A bundle is as long as an IP packet can be.
constexpr std::size_t kBufferSize = 65536;

// Timers and signals get their turn after that many datagrams.
constexpr int kBatch = 256;

} // namespace

UdpSocket::UdpSocket(asio::io_context& context, std::optional<Ipv4> local, std::uint16_t port)
    : socket_(context), port_(port), buffer_(kBufferSize) {
    using asio::ip::udp;
    socket_.open(udp::v4());
    int on = 1;
    if (setsockopt(socket_.native_handle(), IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0)
        throw std::system_error(errno, std::generic_category(), "IP_PKTINFO");
    if (setsockopt(socket_.native_handle(), IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) < 0)
        log::warning("no UDP_GRO: {}", std::strerror(errno));
    socket_.non_blocking(true);
    auto address = local ? asio::ip::address_v4(local->value) : asio::ip::address_v4::any();
    asio::error_code error;
    socket_.bind(udp::endpoint(address, port), error);
    if (error)
        throw std::system_error(error.value(), std::generic_category(),
                                "binding to UDP " + address.to_string() + ":" +
                                    std::to_string(port));
}

void UdpSocket::start(Handler handler) {
    handler_ = std::move(handler);
    wait();
}

void UdpSocket::stop() {
    asio::error_code ignored;
    socket_.close(ignored);
}

void UdpSocket::wait() {
    socket_.async_wait(asio::ip::udp::socket::wait_read, [this](const asio::error_code& error) {
        if (error)
            return;
        for (int i = 0; i < kBatch && receive_one(); i++) {
        }
        wait();
    });
}

bool UdpSocket::receive_one() {
    sockaddr_in from{};
    iovec data{buffer_.data(), buffer_.size()};
    alignas(cmsghdr) std::array<char, 256> control{};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof(from);
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    auto n = recvmsg(socket_.native_handle(), &message, 0);
    if (n < 0)
        return errno == EINTR;
    if (from.sin_family != AF_INET || (message.msg_flags & MSG_TRUNC) != 0)
        return true;

    Path path;
    path.remote = {Ipv4{ntohl(from.sin_addr.s_addr)}, ntohs(from.sin_port)};
    path.local.port = port_;
    auto length = static_cast<std::size_t>(n);
    std::size_t segment = length;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            in_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(c), sizeof(info));
            path.local.address = Ipv4{ntohl(info.ipi_addr.s_addr)};
        } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            int size = 0;
            std::memcpy(&size, CMSG_DATA(c), sizeof(size));
            if (size > 0)
                segment = static_cast<std::size_t>(size);
        }
    }
    ByteView rest(buffer_.data(), length);
    do {
        auto datagram = rest.first(std::min(segment, rest.size()));
        rest = rest.subspan(datagram.size());
        handler_(path, datagram);
    } while (!rest.empty());
    return true;
}

void UdpSocket::send(const Path& path, ByteView datagram) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(path.remote.address.value);
    to.sin_port = htons(path.remote.port);
    iovec data{const_cast<std::uint8_t*>(datagram.data()), datagram.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
    msghdr message{};
    message.msg_name = &to;
    message.msg_namelen = sizeof(to);
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
    in_pktinfo info{};
    info.ipi_spec_dst.s_addr = htonl(path.local.address.value);
    std::memcpy(CMSG_DATA(c), &info, sizeof(info));
    // What is lost here is sent again by the reliability layer, as if the network had lost it.
    if (sendmsg(socket_.native_handle(), &message, 0) < 0) {
        send_errors_++;
        log::debug("{}: sending: {}", to_string(path.remote), std::strerror(errno));
    }
}

} // namespace nfovpn::server
