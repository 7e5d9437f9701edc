// SPDX-License-Identifier: GPL-2.0-or-later
//
// Generic netlink: a family is known by its name, its number differs from boot to boot.
#pragma once

#include "netlink/message.h"
#include "util/result.h"

#include <map>

namespace nfovpn::netlink {

/// A family of generic netlink, as the running kernel numbers it.
struct Family {
    std::uint16_t id = 0;
    std::map<std::string, std::uint32_t> groups; ///< multicast groups by name
};

/// Asks the kernel; it loads the family's module if it has one. ENOENT if there is no such family.
Result<Family, Error> find_family(Socket& socket, const std::string& name);

} // namespace nfovpn::netlink
