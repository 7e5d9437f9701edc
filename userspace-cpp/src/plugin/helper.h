// SPDX-License-Identifier: GPL-2.0-or-later
//
// Plug-ins of OpenVPN, in a process of their own:
//
//     daemon ──Request──▶ process for plug-ins ── dlopen(), func_vN() ──▶ plug-in
//        ▲                         │                                        │ may fork, as root
//        └─────────Reply───────────┘
//
// The process is this program, started anew while there are privileges, so that it has none of the
// daemon's memory and no key. Plug-ins are opened with these privileges, as by OpenVPN, and may
// begin processes that keep them. Then the process gives up what the daemon gives up; of
// capabilities it keeps CAP_NET_ADMIN only if it goes on as root.
#pragma once

#include <string>
#include <vector>

namespace nfovpn::plugin {

/// Serves requests that come by the standard input until its other end is closed. The exit status
/// of the process.
int serve();

/// The word in the command line that makes a process this one.
inline constexpr const char* kHelperOption = "--plugin-helper";

} // namespace nfovpn::plugin
