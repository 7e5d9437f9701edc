// SPDX-License-Identifier: GPL-2.0-or-later
//
// What carries datagrams between the daemon and its peers: a UDP socket, or TCP connections on
// which each datagram has its length in front.
#pragma once

#include "io/transport.h"

#include <functional>

namespace nfovpn::io {

/// Of which addresses a socket hears.
enum class Family { Ipv4, Ipv6, Both };

class Link : public Transport {
public:
    using Handler = std::function<void(const Path&, ByteView)>;

    /// Calls @p handler for each datagram that comes, for ever, and @p idle when there is no more
    /// for now.
    virtual void start(Handler handler, std::function<void()> idle) = 0;

    /// Puts a data packet behind those that flush() sends. @p dscp: where it is in the header of
    /// IP, in the upper six bits of its octet; a connection has none.
    virtual void queue(const Path& path, ByteView datagram, std::uint8_t dscp) = 0;
    virtual void flush() = 0;

    /// Of this side.
    [[nodiscard]] virtual std::uint16_t port() const = 0;

    /// Datagrams that could not be sent.
    [[nodiscard]] virtual std::uint64_t send_errors() const = 0;
};

} // namespace nfovpn::io
