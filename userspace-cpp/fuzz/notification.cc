// SPDX-License-Identifier: GPL-2.0-or-later
//
// Multicast messages of the kernel, as libmnl hands them over: aligned, and as long as their header
// says. What is behind the header is the input.

#include "check.h"
#include "netlink/nf_ovpn.h"

#include <linux/netlink.h>

#include <cstring>
#include <vector>

using namespace nfovpn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 8192)
        return 0;
    std::vector<std::uint32_t> aligned((NLMSG_HDRLEN + size + 3) / 4);
    nlmsghdr header{};
    header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_HDRLEN + size);
    header.nlmsg_type = 30;
    std::memcpy(aligned.data(), &header, sizeof(header));
    if (size > 0)
        std::memcpy(aligned.data() + NLMSG_HDRLEN / 4, data, size);
    netlink::parse_notification(reinterpret_cast<const nlmsghdr*>(aligned.data()), 7);
    return 0;
}
