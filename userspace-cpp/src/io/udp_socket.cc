// SPDX-License-Identifier: GPL-2.0-or-later
//
// The UDP socket: Asio waits, recvmsg and sendmsg do the rest, because Asio knows no control
// messages. See udp_socket.h.

#include "io/udp_socket.h"

#include "io/mark.h"
#include "util/log.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace nfovpn::io {

namespace {

// A bundle is as long as an IP packet can be.
constexpr std::size_t kBufferSize = 65536;

// Timers and signals get their turn after that many datagrams.
constexpr int kBatch = 256;

// What the kernel takes as one bundle, and how many bytes wait at most.
constexpr std::size_t kMaxSegments = 64;
constexpr std::size_t kMaxBundle = 65000;
constexpr std::size_t kMaxQueue = std::size_t{256} * 1024;

// Milliseconds to wait for room in the socket's buffer before packets are lost.
constexpr int kPatience = 20;

// The address of a remote end, for a socket of either family.
union SocketAddress {
    sockaddr_in ipv4;
    sockaddr_in6 ipv6;
};

in6_addr in6_of(const Address& address) {
    in6_addr out{};
    std::memcpy(&out, address.ipv6().bytes.data(), sizeof(out));
    return out;
}

Address address_of(const in6_addr& from) {
    Ipv6 out;
    std::memcpy(out.bytes.data(), &from, sizeof(from));
    return out;
}

template <typename T>
T data_of(const cmsghdr* message) {
    T out{};
    std::memcpy(&out, CMSG_DATA(message), sizeof(out));
    return out;
}

/// A message with its address, its source address and the length of its segments.
class Message {
public:
    /// @p segment 0: a single datagram. @p dscp: see Link::queue().
    Message(bool ipv6, const Path& path, ByteView data, std::size_t segment, std::uint8_t dscp) {
        const auto& remote = path.remote;
        if (ipv6) {
            to_.ipv6.sin6_family = AF_INET6;
            to_.ipv6.sin6_addr = in6_of(remote.address);
            to_.ipv6.sin6_port = htons(remote.port);
            to_.ipv6.sin6_scope_id = remote.scope_id;
            to_length_ = sizeof(to_.ipv6);
            in6_pktinfo source{};
            source.ipi6_addr = in6_of(path.local.address);
            append(IPPROTO_IPV6, IPV6_PKTINFO, source);
        } else {
            to_.ipv4.sin_family = AF_INET;
            to_.ipv4.sin_addr.s_addr = htonl(remote.address.ipv4().value);
            to_.ipv4.sin_port = htons(remote.port);
            to_length_ = sizeof(to_.ipv4);
            in_pktinfo source{};
            source.ipi_spec_dst.s_addr = htonl(path.local.address.ipv4().value);
            append(IPPROTO_IP, IP_PKTINFO, source);
        }
        // sendmsg() does not write through it
        data_ = {const_cast<std::uint8_t*>(data.data()), data.size()};
        if (segment > 0)
            append(IPPROTO_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(segment));
        if (dscp > 0 && remote.address.is_ipv4())
            append(IPPROTO_IP, IP_TOS, int{dscp});
        else if (dscp > 0)
            append(IPPROTO_IPV6, IPV6_TCLASS, int{dscp});
    }

    /// Valid as long as this object stays where it is.
    msghdr header() {
        msghdr out{};
        out.msg_name = &to_;
        out.msg_namelen = to_length_;
        out.msg_iov = &data_;
        out.msg_iovlen = 1;
        out.msg_control = control_.data();
        out.msg_controllen = used_;
        return out;
    }

private:
    template <typename T>
    void append(int level, int type, const T& value) {
        cmsghdr header{};
        header.cmsg_level = level;
        header.cmsg_type = type;
        header.cmsg_len = CMSG_LEN(sizeof(value));
        std::memcpy(control_.data() + used_, &header, sizeof(header));
        std::memcpy(control_.data() + used_ + CMSG_LEN(0), &value, sizeof(value));
        used_ += CMSG_SPACE(sizeof(value));
    }

    SocketAddress to_{};
    socklen_t to_length_ = 0;
    iovec data_{};
    alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(2) +
                                                  CMSG_SPACE(sizeof(int))> control_{};
    std::size_t used_ = 0;
};

} // namespace

Descriptor UdpSocket::bind(Family family, std::optional<Address> local, std::uint16_t port,
                           const SocketOptions& options) {
    const bool ipv6 = family != Family::Ipv4;
    const Address address = local.value_or(ipv6 ? Address(Ipv6{}) : Address(Ipv4{}));
    const auto what = "UDP " + to_string(Endpoint{address, port});
    Descriptor out(socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    auto option = [&](int level, int name, int value) {
        return setsockopt(out.get(), level, name, &value, sizeof(value)) == 0;
    };
    auto check = [&](bool good, const std::string& failed) {
        if (!good)
            throw std::system_error(errno, std::generic_category(), failed);
    };
    check(out.valid(), what);
    if (ipv6) {
        check(option(IPPROTO_IPV6, IPV6_V6ONLY, family == Family::Ipv6 ? 1 : 0), what);
        check(option(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1), what);
    } else {
        check(option(IPPROTO_IP, IP_PKTINFO, 1), what);
    }
    if (!option(IPPROTO_UDP, UDP_GRO, 1))
        log::warning("no UDP_GRO: {}", std::strerror(errno));
    set_options(out.get(), options);
    SocketAddress here{};
    socklen_t length = sizeof(here.ipv4);
    if (ipv6) {
        here.ipv6.sin6_family = AF_INET6;
        here.ipv6.sin6_addr = in6_of(address);
        here.ipv6.sin6_port = htons(port);
        length = sizeof(here.ipv6);
    } else {
        here.ipv4.sin_family = AF_INET;
        here.ipv4.sin_addr.s_addr = htonl(address.ipv4().value);
        here.ipv4.sin_port = htons(port);
    }
    check(::bind(out.get(), reinterpret_cast<const sockaddr*>(&here), length) == 0,
          "binding to " + what);
    return out;
}

UdpSocket::UdpSocket(asio::io_context& context, Descriptor bound)
    : socket_(context), ipv6_(false), port_(0), buffer_(kBufferSize) {
    using asio::ip::udp;
    SocketAddress here{};
    socklen_t length = sizeof(here);
    if (getsockname(bound.get(), reinterpret_cast<sockaddr*>(&here), &length) != 0)
        throw std::system_error(errno, std::generic_category(), "UDP");
    ipv6_ = here.ipv4.sin_family == AF_INET6;
    port_ = ntohs(ipv6_ ? here.ipv6.sin6_port : here.ipv4.sin_port);
    socket_.assign(ipv6_ ? udp::v6() : udp::v4(), bound.release());
}

void UdpSocket::start(Handler handler, std::function<void()> idle) {
    handler_ = std::move(handler);
    idle_ = std::move(idle);
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
        idle_();
        wait();
    });
}

bool UdpSocket::receive_one() {
    SocketAddress from{};
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
    if (message.msg_namelen != (ipv6_ ? sizeof(from.ipv6) : sizeof(from.ipv4)) ||
        (message.msg_flags & MSG_TRUNC) != 0)
        return true;

    Path path;
    if (ipv6_)
        path.remote = {address_of(from.ipv6.sin6_addr), ntohs(from.ipv6.sin6_port),
                       from.ipv6.sin6_scope_id};
    else
        path.remote = {Ipv4{ntohl(from.ipv4.sin_addr.s_addr)}, ntohs(from.ipv4.sin_port)};
    path.local.port = port_;
    auto length = static_cast<std::size_t>(n);
    std::size_t segment = length;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            path.local.address = Ipv4{ntohl(data_of<in_pktinfo>(c).ipi_addr.s_addr)};
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            path.local.address = address_of(data_of<in6_pktinfo>(c).ipi6_addr);
        } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            if (const auto size = data_of<int>(c); size > 0)
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
    send(path, datagram, 0);
}

void UdpSocket::send(const Path& path, ByteView datagram, std::uint8_t dscp) {
    Message message(ipv6_, path, datagram, 0, dscp);
    const auto header = message.header();
    // What is lost here is sent again by the reliability layer, as if the network had lost it.
    if (sendmsg(socket_.native_handle(), &header, 0) < 0)
        note_send_error(path);
}

void UdpSocket::note_send_error(const Path& path) {
    send_errors_++;
    log::debug("{}: sending: {}", to_string(path.remote), std::strerror(errno));
}

void UdpSocket::queue(const Path& path, ByteView datagram, std::uint8_t dscp) {
    if (datagram.empty())
        return;
    if (queue_.size() + datagram.size() > kMaxQueue)
        flush();
    if (!bundles_.empty() && segments_) {
        auto& last = bundles_.back();
        const auto length = last.end - last.begin;
        const bool whole = length % last.segment == 0; // nothing follows a shorter one
        if (last.path == path && last.dscp == dscp && whole && datagram.size() <= last.segment &&
            length / last.segment < kMaxSegments && length + datagram.size() <= kMaxBundle) {
            queue_.insert(queue_.end(), datagram.begin(), datagram.end());
            last.end = queue_.size();
            return;
        }
    }
    const auto begin = queue_.size();
    queue_.insert(queue_.end(), datagram.begin(), datagram.end());
    bundles_.push_back({path, dscp, begin, queue_.size(), datagram.size()});
}

void UdpSocket::flush() {
    std::vector<Message> messages;
    std::vector<mmsghdr> headers;
    messages.reserve(bundles_.size());
    headers.reserve(bundles_.size());
    for (const auto& b : bundles_) {
        const auto length = b.end - b.begin;
        auto& message =
            messages.emplace_back(ipv6_, b.path, ByteView(queue_).subspan(b.begin, length),
                                  length > b.segment ? b.segment : 0, b.dscp);
        headers.push_back({message.header(), 0});
    }
    for (std::size_t done = 0; done < headers.size();) {
        const auto n = sendmmsg(socket_.native_handle(), headers.data() + done,
                                static_cast<unsigned>(headers.size() - done), 0);
        if (n > 0) {
            done += static_cast<std::size_t>(n);
            continue;
        }
        if (errno == EINTR || (errno == EAGAIN && writable()))
            continue;
        const auto& failed = bundles_[done];
        const bool bundled = failed.end - failed.begin > failed.segment;
        // Not by this device or kernel, or too long for this path: one at a time will do.
        if (bundled && (errno == EIO || errno == EINVAL || errno == EMSGSIZE))
            send_alone(failed);
        else
            note_send_error(failed.path);
        done++;
    }
    queue_.clear();
    bundles_.clear();
}

// What is in the way of more packets is a queue that drains; the device's own waits meanwhile.
bool UdpSocket::writable() {
    pollfd wanted{socket_.native_handle(), POLLOUT, 0};
    const bool ready = poll(&wanted, 1, kPatience) > 0;
    if (!ready)
        errno = EAGAIN;
    return ready;
}

void UdpSocket::send_alone(const Bundle& bundle) {
    if (errno == EIO)
        segments_ = false;
    ByteView rest = ByteView(queue_).subspan(bundle.begin, bundle.end - bundle.begin);
    while (!rest.empty()) {
        const auto datagram = rest.first(std::min(bundle.segment, rest.size()));
        rest = rest.subspan(datagram.size());
        send(bundle.path, datagram, bundle.dscp);
    }
}

} // namespace nfovpn::io
