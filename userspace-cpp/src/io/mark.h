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

} // namespace nfovpn::io
