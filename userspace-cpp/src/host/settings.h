// SPDX-License-Identifier: GPL-2.0-or-later
//
// From what both roles' configurations have in common to what the layers below want to be told.
#pragma once

#include "config/common_config.h"
#include "dataplane/kernel.h"
#include "session/session.h"
#include "session/tls.h"

#include <chrono>
#include <memory>
#include <stdexcept>

namespace nfovpn::host {

/// The TLS side of a configuration; what only one role has is to be added.
session::TlsConfig tls_config(const config::CommonConfig& config, wire::Role role);

/// The context, or std::runtime_error.
session::TlsContext require(Result<session::TlsContext, session::TlsError> tls);

/// Fills in what sessions of both roles are told. @p outer_headers: those of IP, UDP and TCP, which
/// max-packet-size includes.
void set_session(session::SessionSettings& settings, const config::CommonConfig& config,
                 std::uint32_t outer_headers);

/// The same of what is offered for the data channel.
void set_negotiation(session::NegotiationSettings& settings, const config::CommonConfig& config,
                     bool tcp);

/// Bytes of the headers outside, with the length that TCP needs.
std::uint32_t outer_headers(bool ipv6, bool tcp);

/// When the steady clock's zero was, in Unix time. Packet IDs then bear a time that never goes
/// back, whatever is done to the clock.
std::chrono::seconds unix_time_of_zero();

/// Goes on with the instance of nf_ovpn that another process has left on a device. Null, with the
/// reason in the log, if that cannot be; then there is none any more.
std::unique_ptr<dataplane::KernelDataPlane> adopt_kernel(const std::string& device,
                                                         unsigned ifindex,
                                                         netlink::InstanceRequest instance,
                                                         const config::CommonConfig& c);

/// Attaches an instance of nf_ovpn to a device. Null, with the reason in the log, where the kernel
/// has no nf_ovpn; throws std::runtime_error when it refuses.
std::unique_ptr<dataplane::KernelDataPlane> open_kernel(const std::string& device, unsigned ifindex,
                                                        netlink::InstanceRequest instance,
                                                        const config::CommonConfig& c);

/// What programs are told by every daemon.
Environment environment(const config::CommonConfig& config, const std::string& device);

/// Opens the log. At the @p first start a file that is not appended to is emptied. Later on one
/// that cannot be opened again is gone on with, if it is the same as that of @p before. Throws
/// std::runtime_error.
void open_log(const log::Target& target, bool first, const log::Target& before = {});

/// Throws std::runtime_error with what failed.
void check(const std::optional<netlink::Error>& failed, const std::string& what);

/// Whether a datagram claims to be a data packet.
bool is_data(ByteView datagram);

} // namespace nfovpn::host
