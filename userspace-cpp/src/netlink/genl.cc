// SPDX-License-Identifier: GPL-2.0-or-later
//
// Looking up a generic netlink family by its name; see genl.h.

#include "netlink/genl.h"

#include <linux/genetlink.h>

namespace nfovpn::netlink {

Result<Family, Error> find_family(Socket& socket, const std::string& name) {
    Message request(GENL_ID_CTRL, 0);
    auto& header = request.header<genlmsghdr>();
    header.cmd = CTRL_CMD_GETFAMILY;
    header.version = 1;
    request.text(CTRL_ATTR_FAMILY_NAME, name);

    Family family;
    auto failed = socket.request(request, [&](const nlmsghdr* answer) {
        Attributes attributes(answer, sizeof(genlmsghdr));
        family.id = static_cast<std::uint16_t>(attributes.number(CTRL_ATTR_FAMILY_ID).value_or(0));
        const auto* groups = attributes.find(CTRL_ATTR_MCAST_GROUPS);
        if (!groups)
            return;
        Attributes(groups).each([&](const nlattr* entry) {
            Attributes group(entry);
            auto id = group.number(CTRL_ATTR_MCAST_GRP_ID).value_or(0);
            family.groups[group.text(CTRL_ATTR_MCAST_GRP_NAME)] = static_cast<std::uint32_t>(id);
        });
    });
    if (failed)
        return *failed;
    return family;
}

} // namespace nfovpn::netlink
