// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the process may do, given up for good once it is set up. CAP_NET_ADMIN stays: the kernel
// asks for it with every request about peers, keys, addresses and routes.
#pragma once

#include "util/result.h"

#include <sys/types.h>

#include <optional>
#include <string>

namespace nfovpn {

/// Whom a process runs as.
struct Identity {
    uid_t user = 0;
    gid_t group = 0;

    bool operator==(const Identity&) const = default;
};

/// Looks up names or numbers; an empty name of @p group is for the group of the user, and one of
/// @p user for this process's. An error text if there is no such user or group.
Result<Identity, std::string> find_identity(const std::string& user, const std::string& group);

/// Becomes @p identity, if there is one, with no further groups, and keeps of all capabilities at
/// most CAP_NET_ADMIN, if that is wanted, which a program that is run by this one cannot exceed.
/// From then on no program gains privileges by its set-user-ID bit. An error text if any of that
/// fails; some of it may be done then.
std::optional<std::string> drop_privileges(const std::optional<Identity>& identity,
                                           bool keep_net_admin = true);

} // namespace nfovpn
