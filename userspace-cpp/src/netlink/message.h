// SPDX-License-Identifier: GPL-2.0-or-later
//
// Netlink by libmnl, with owners and without callbacks into C.
//
// A request is a Message: a header, a protocol header, attributes, some of them nested. A Socket
// sends it and reads the answers until the kernel's verdict. The kernel's verdict is taken whole:
// besides the error number that is its "extended ack" text, which names what was wrong with a
// request better than any number can.
#pragma once

#include "util/bytes.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

struct mnl_socket;
struct nlattr;
struct nlmsghdr;

namespace nfovpn::netlink {

/// The kernel's (or libmnl's) refusal.
struct Error {
    int code = 0;     ///< errno
    std::string what; ///< the extended ack, or errno in words
};

/// A request under construction. Wiped when it goes out of scope: it may hold keys.
///
/// What does not fit is left out, and so is everything behind it: the message is incomplete() then,
/// and a Socket refuses to send it. So whoever builds one need not ask after each attribute.
class Message {
public:
    /// Enough for a few dozen short attributes.
    static constexpr std::size_t kSize = 4096;
    /// A nest, whose length has 16 bits, holds no more.
    static constexpr std::size_t kMaxSize = 65535;

    /// @p type, @p flags: of the netlink header; NLM_F_REQUEST is added. @p size: bytes that the
    /// whole message may have, at most kMaxSize.
    Message(std::uint16_t type, std::uint16_t flags, std::size_t size = kSize);
    ~Message();
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;

    /// Room for a protocol header (genlmsghdr, ifinfomsg, …), zeroed. Before any attribute.
    template <typename Header>
    Header& header() {
        return *static_cast<Header*>(extra_header(sizeof(Header)));
    }

    Message& u8(std::uint16_t attribute, std::uint8_t value);
    Message& u16(std::uint16_t attribute, std::uint16_t value);
    Message& u32(std::uint16_t attribute, std::uint32_t value);
    Message& u64(std::uint16_t attribute, std::uint64_t value);
    Message& bytes(std::uint16_t attribute, ByteView value);
    Message& flag(std::uint16_t attribute);
    Message& text(std::uint16_t attribute, const std::string& value);
    /// The attributes that @p fill adds become nested in @p attribute.
    Message& nest(std::uint16_t attribute, const std::function<void()>& fill);

    /// Something did not fit.
    [[nodiscard]] bool incomplete() const { return incomplete_; }

    [[nodiscard]] nlmsghdr* get() const { return message_; }

private:
    void* extra_header(std::size_t size);
    Message& put(std::uint16_t attribute, const void* value, std::size_t size);

    Bytes buffer_;
    nlmsghdr* message_;
    bool incomplete_ = false;
};

/// The attributes of a message or a nest, by type. Points into the message.
class Attributes {
public:
    /// Those of a message behind a protocol header of @p header_size bytes.
    Attributes(const nlmsghdr* message, std::size_t header_size);
    /// Those inside a nest.
    explicit Attributes(const nlattr* nest);

    /// A number of 1, 2, 4 or 8 bytes in host byte order; nothing if absent or of another size.
    [[nodiscard]] std::optional<std::uint64_t> number(std::uint16_t type) const;
    [[nodiscard]] std::optional<ByteView> bytes(std::uint16_t type) const;
    [[nodiscard]] std::string text(std::uint16_t type) const;
    [[nodiscard]] const nlattr* find(std::uint16_t type) const;
    /// Each attribute in turn.
    void each(const std::function<void(const nlattr*)>& visit) const;

private:
    ByteView data_;
};

/// A netlink socket.
class Socket {
public:
    /// @p protocol: NETLINK_ROUTE or NETLINK_GENERIC. Throws std::system_error.
    explicit Socket(int protocol);
    ~Socket();
    Socket(Socket&& other) noexcept;
    Socket& operator=(Socket&&) = delete;
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    using Handler = std::function<void(const nlmsghdr*)>;

    /// Sends a request and waits for the kernel's verdict; each message of the answer goes to
    /// @p handler. Nothing when all went well.
    std::optional<Error> request(Message& message, const Handler& handler = {});

    /// Joins a multicast group.
    std::optional<Error> join(std::uint32_t group);

    /// Room for what multicast brings; as much as this process may have, if that is less.
    void set_receive_buffer(int size);

    /// Takes what multicast has brought, without waiting. False when messages were lost.
    bool receive(const Handler& handler);

    [[nodiscard]] int fd() const;

private:
    mnl_socket* socket_;
    std::uint32_t sequence_ = 0;
    Bytes buffer_;
};

} // namespace nfovpn::netlink
