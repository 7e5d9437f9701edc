// SPDX-License-Identifier: GPL-2.0-or-later
//
// Marks for routing by policy (ip-rule(8)) and for the firewall.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>

namespace nfovpn::io {

/// Marks all that a socket sends (SO_MARK, socket(7)), and what is accepted by it; 0: leaves it as
/// it is. Needs CAP_NET_ADMIN. Throws std::system_error.
inline void set_mark(int socket, std::uint32_t mark) {
    if (mark != 0 && setsockopt(socket, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0)
        throw std::system_error(errno, std::generic_category(), "mark " + std::to_string(mark));
}

/// What a socket of the transport has besides an address.
struct SocketOptions {
    std::uint32_t mark = 0; ///< see set_mark()
    std::string device;     ///< that its packets go by (SO_BINDTODEVICE); empty: any
};

/// Sets both. Throws std::system_error.
inline void set_options(int socket, const SocketOptions& options) {
    set_mark(socket, options.mark);
    const auto& device = options.device;
    if (!device.empty() && setsockopt(socket, SOL_SOCKET, SO_BINDTODEVICE, device.c_str(),
                                      static_cast<socklen_t>(device.size())) != 0)
        throw std::system_error(errno, std::generic_category(), "bind-dev " + device);
}

} // namespace nfovpn::io
