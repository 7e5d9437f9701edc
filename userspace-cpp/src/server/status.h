// SPDX-License-Identifier: GPL-2.0-or-later
//
// Who is connected and what happened to packets, as text: for the status file and SIGUSR2.
#pragma once

#include "netlink/nf_ovpn.h"
#include "server/core.h"

#include <string>

namespace nfovpn::server {

/// What a status report is made of.
struct StatusReport {
    std::string time; ///< when, in words
    std::vector<ClientStatus> clients;
    std::size_t half_open = 0;
    CoreCounters counters;
    std::uint64_t send_errors = 0;
    std::uint64_t tun_errors = 0;                  ///< packets that the device refused
    std::vector<netlink::NamedCounter> user_drops; ///< by the data path of the daemon
    std::vector<netlink::NamedCounter> kernel;
};

/// The report as lines of comma-separated values, each beginning with what it is.
std::string format_status(const StatusReport& report);

/// Replaces a file by @p text in one step. An error text if that fails.
std::optional<std::string> write_file(const std::string& path, const std::string& text);

} // namespace nfovpn::server
