// SPDX-License-Identifier: GPL-2.0-or-later
//
// By libcap-ng, which knows in which order IDs and capabilities can be changed; see privileges.h.

#include "util/privileges.h"

#include <cap-ng.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace nfovpn {

namespace {

std::optional<id_t> number(const std::string& text) {
    id_t value = 0;
    auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    // The greatest is "leave it as it is" to the system calls.
    if (code != std::errc{} || end != text.data() + text.size() || value == static_cast<id_t>(-1))
        return std::nullopt;
    return value;
}

std::string failure(const std::string& what) {
    return what + ": " + std::strerror(errno);
}

} // namespace

Result<Identity, std::string> find_identity(const std::string& user, const std::string& group) {
    Identity out{getuid(), getgid()};
    if (!user.empty()) {
        const passwd* entry = getpwnam(user.c_str());
        auto id = number(user);
        if (!entry && id)
            entry = getpwuid(*id);
        if (!entry && (!id || group.empty()))
            return "there is no user \"" + user + "\"";
        out.user = entry ? entry->pw_uid : *id;
        if (entry)
            out.group = entry->pw_gid;
    }
    if (!group.empty()) {
        const ::group* entry = getgrnam(group.c_str());
        auto id = number(group);
        if (!entry && !id)
            return "there is no group \"" + group + "\"";
        out.group = entry ? entry->gr_gid : *id;
    }
    return out;
}

std::optional<std::string> drop_privileges(const std::optional<Identity>& identity,
                                           bool keep_net_admin) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return failure("no_new_privs");
    if (capng_get_caps_process() != 0)
        return failure("capabilities");
    const bool has_admin =
        keep_net_admin && capng_have_capability(CAPNG_PERMITTED, CAP_NET_ADMIN) != 0;
    const bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
    capng_clear(CAPNG_SELECT_ALL);
    if (has_admin)
        capng_updatev(
            CAPNG_ADD,
            static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET),
            CAP_NET_ADMIN, -1);
    // First, as long as CAP_SETPCAP is there. Who starts without it is most likely not root, and
    // then no_new_privs has the same effect.
    if (may_bound && capng_apply(CAPNG_SELECT_BOUNDS) != 0)
        return failure("capability bounding set");
    if (identity && *identity != Identity{getuid(), getgid()} &&
        capng_change_id(static_cast<int>(identity->user), static_cast<int>(identity->group),
                        CAPNG_DROP_SUPP_GRP) != 0)
        return failure("user " + std::to_string(identity->user) + ", group " +
                       std::to_string(identity->group));
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return failure("capabilities");
    return std::nullopt;
}

} // namespace nfovpn
