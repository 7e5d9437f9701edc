// SPDX-License-Identifier: GPL-2.0-or-later
//
// Netlink messages and sockets; see message.h.

#include "netlink/message.h"

#include <libmnl/libmnl.h>
#include <openssl/crypto.h>

#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace nfovpn::netlink {

namespace {

// The kernel fills dump buffers up to this size (and no socket sends more at once).
constexpr std::size_t kReceiveSize = 65536;

Error from_errno(int code) {
    return {code, std::strerror(code)};
}

// The verdict of an NLMSG_ERROR message, with the extended ack if the kernel gave one.
std::optional<Error> verdict(const nlmsghdr* message) {
    if (mnl_nlmsg_get_payload_len(message) < sizeof(nlmsgerr))
        return from_errno(EBADMSG);
    const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
    if (error->error == 0)
        return std::nullopt;
    Error out = from_errno(-error->error);
    if ((message->nlmsg_flags & NLM_F_ACK_TLVS) != 0) {
        // The request comes back in front of the attributes unless the kernel was asked to cut it.
        std::size_t skip = sizeof(nlmsgerr);
        if ((message->nlmsg_flags & NLM_F_CAPPED) == 0)
            skip += error->msg.nlmsg_len - sizeof(nlmsghdr);
        auto text = Attributes(message, skip).text(NLMSGERR_ATTR_MSG);
        if (!text.empty())
            out.what = text + " (" + out.what + ")";
    }
    return out;
}

} // namespace

Message::Message(std::uint16_t type, std::uint16_t flags, std::size_t size)
    : buffer_(std::min(size, kMaxSize)), message_(mnl_nlmsg_put_header(buffer_.data())) {
    message_->nlmsg_type = type;
    message_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
}

Message::~Message() {
    OPENSSL_cleanse(buffer_.data(), buffer_.size());
}

void* Message::extra_header(std::size_t size) {
    return mnl_nlmsg_put_extra_header(message_, size);
}

Message& Message::put(std::uint16_t attribute, const void* value, std::size_t size) {
    // An attribute's length has 16 bits, a message is shorter.
    incomplete_ = incomplete_ || size >= buffer_.size() ||
                  !mnl_attr_put_check(message_, buffer_.size(), attribute, size, value);
    return *this;
}

Message& Message::u8(std::uint16_t attribute, std::uint8_t value) {
    return put(attribute, &value, sizeof(value));
}

Message& Message::u16(std::uint16_t attribute, std::uint16_t value) {
    return put(attribute, &value, sizeof(value));
}

Message& Message::u32(std::uint16_t attribute, std::uint32_t value) {
    return put(attribute, &value, sizeof(value));
}

Message& Message::u64(std::uint16_t attribute, std::uint64_t value) {
    return put(attribute, &value, sizeof(value));
}

Message& Message::bytes(std::uint16_t attribute, ByteView value) {
    return put(attribute, value.data(), value.size());
}

Message& Message::flag(std::uint16_t attribute) {
    return put(attribute, "", 0);
}

Message& Message::text(std::uint16_t attribute, const std::string& value) {
    return put(attribute, value.c_str(), value.size() + 1);
}

Message& Message::nest(std::uint16_t attribute, const std::function<void()>& fill) {
    nlattr* outer =
        incomplete_ ? nullptr : mnl_attr_nest_start_check(message_, buffer_.size(), attribute);
    incomplete_ = outer == nullptr;
    if (incomplete_)
        return *this;
    fill();
    mnl_attr_nest_end(message_, outer);
    return *this;
}

Attributes::Attributes(const nlmsghdr* message, std::size_t header_size) {
    ByteView payload(static_cast<const std::uint8_t*>(mnl_nlmsg_get_payload(message)),
                     mnl_nlmsg_get_payload_len(message));
    data_ = payload.subspan(std::min(payload.size(), std::size_t{MNL_ALIGN(header_size)}));
}

Attributes::Attributes(const nlattr* nest)
    : data_(static_cast<const std::uint8_t*>(mnl_attr_get_payload(nest)),
            mnl_attr_get_payload_len(nest)) {}

void Attributes::each(const std::function<void(const nlattr*)>& visit) const {
    auto rest = data_;
    while (rest.size() >= sizeof(nlattr)) {
        const auto* attribute = reinterpret_cast<const nlattr*>(rest.data());
        if (mnl_attr_ok(attribute, static_cast<int>(rest.size())) == 0)
            return;
        visit(attribute);
        rest = rest.subspan(
            std::min(rest.size(), static_cast<std::size_t>(MNL_ALIGN(attribute->nla_len))));
    }
}

const nlattr* Attributes::find(std::uint16_t type) const {
    const nlattr* found = nullptr;
    each([&](const nlattr* attribute) {
        if (!found && mnl_attr_get_type(attribute) == type)
            found = attribute;
    });
    return found;
}

std::optional<ByteView> Attributes::bytes(std::uint16_t type) const {
    const auto* attribute = find(type);
    if (!attribute)
        return std::nullopt;
    return ByteView(static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute)),
                    mnl_attr_get_payload_len(attribute));
}

std::optional<std::uint64_t> Attributes::number(std::uint16_t type) const {
    auto raw = bytes(type);
    if (!raw)
        return std::nullopt;
    auto as = [&](auto value) {
        std::memcpy(&value, raw->data(), sizeof(value));
        return std::uint64_t{value};
    };
    switch (raw->size()) {
    case 1:
        return as(std::uint8_t{});
    case 2:
        return as(std::uint16_t{});
    case 4:
        return as(std::uint32_t{});
    case 8:
        return as(std::uint64_t{});
    default:
        return std::nullopt;
    }
}

std::string Attributes::text(std::uint16_t type) const {
    auto raw = bytes(type);
    if (!raw)
        return "";
    auto out = as_text(*raw);
    return std::string(out.substr(0, out.find('\0')));
}

Socket::Socket(int protocol)
    : socket_(mnl_socket_open2(protocol, SOCK_CLOEXEC)), buffer_(kReceiveSize) {
    if (!socket_)
        throw std::system_error(errno, std::generic_category(), "netlink socket");
    if (mnl_socket_bind(socket_, 0, MNL_SOCKET_AUTOPID) < 0) {
        int code = errno;
        mnl_socket_close(socket_);
        throw std::system_error(code, std::generic_category(), "netlink bind");
    }
    // Old kernels may lack these; then errors are numbers only.
    int on = 1;
    mnl_socket_setsockopt(socket_, NETLINK_EXT_ACK, &on, sizeof(on));
    mnl_socket_setsockopt(socket_, NETLINK_CAP_ACK, &on, sizeof(on));
}

Socket::~Socket() {
    if (socket_)
        mnl_socket_close(socket_);
}

Socket::Socket(Socket&& other) noexcept
    : socket_(std::exchange(other.socket_, nullptr)), sequence_(other.sequence_),
      buffer_(std::move(other.buffer_)) {}

int Socket::fd() const {
    return mnl_socket_get_fd(socket_);
}

std::optional<Error> Socket::request(Message& message, const Handler& handler) {
    if (message.incomplete())
        return Error{EMSGSIZE, "the request is too long"};
    nlmsghdr* header = message.get();
    header->nlmsg_flags |= NLM_F_ACK;
    header->nlmsg_seq = ++sequence_;
    if (mnl_socket_sendto(socket_, header, header->nlmsg_len) < 0)
        return from_errno(errno);
    for (;;) {
        auto n = mnl_socket_recvfrom(socket_, buffer_.data(), buffer_.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return from_errno(errno);
        int rest = static_cast<int>(n);
        for (auto* at = reinterpret_cast<const nlmsghdr*>(buffer_.data()); mnl_nlmsg_ok(at, rest);
             at = mnl_nlmsg_next(at, &rest)) {
            if (at->nlmsg_seq != sequence_)
                continue;
            if (at->nlmsg_type == NLMSG_ERROR)
                return verdict(at);
            if (at->nlmsg_type == NLMSG_DONE)
                return std::nullopt;
            if (handler)
                handler(at);
        }
    }
}

std::optional<Error> Socket::join(std::uint32_t group) {
    if (mnl_socket_setsockopt(socket_, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
        return from_errno(errno);
    return std::nullopt;
}

void Socket::set_receive_buffer(int size) {
    // Above the limit for everybody only with CAP_NET_ADMIN.
    if (setsockopt(fd(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
        setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

bool Socket::receive(const Handler& handler) {
    for (;;) {
        auto n = recv(fd(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno != ENOBUFS;
        int rest = static_cast<int>(n);
        for (auto* at = reinterpret_cast<const nlmsghdr*>(buffer_.data()); mnl_nlmsg_ok(at, rest);
             at = mnl_nlmsg_next(at, &rest)) {
            if (at->nlmsg_type >= NLMSG_MIN_TYPE)
                handler(at);
        }
    }
}

} // namespace nfovpn::netlink
