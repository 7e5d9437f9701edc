// SPDX-License-Identifier: GPL-2.0-or-later
//
// Who is connected and what happened to packets, as text. There are two reports: OpenVPN's, in its
// three versions, for the status file, SIGUSR2 and the management interface; and one of our own
// with everything that is counted here, for nf-ovpnctl.
#pragma once

#include "netlink/nf_ovpn.h"
#include "server/core.h"

#include <string>

namespace nfovpn::server {

/// What a status report is made of.
struct StatusReport {
    std::string title;          ///< program and version
    std::int64_t unix_time = 0; ///< when
    bool kernel_path = false;   ///< data packets go by the kernel where they can
    std::vector<ClientStatus> clients;
    std::size_t half_open = 0;
    CoreCounters counters;
    std::uint64_t send_errors = 0;
    std::uint64_t tun_errors = 0;                  ///< packets that the device refused
    std::vector<netlink::NamedCounter> user_drops; ///< by the data path of the daemon
    std::vector<netlink::NamedCounter> kernel;
};

/// Our own report: lines of comma-separated values, each beginning with what it is.
std::string format_status(const StatusReport& report);

/// OpenVPN's report by its status-version: 1 for people, 2 with commas, 3 with tabs. Its columns
/// are those of OpenVPN 2.7. "Last Ref" of an address is when its client connected: the kernel does
/// not say when it was used last.
std::string format_openvpn_status(const StatusReport& report, int version);

/// "udp4:192.0.2.1:1194", or "tcp4-server:…", as OpenVPN shows where a client is.
std::string real_address(const ClientStatus& client);

} // namespace nfovpn::server
