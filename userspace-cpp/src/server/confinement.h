// SPDX-License-Identifier: GPL-2.0-or-later
//
// The last step of the set-up: everything that needs privileges is done, and the process gives up
// what it does not need to serve.
#pragma once

#include "config/server_config.h"

#include <string>
#include <vector>

namespace nfovpn::server {

/// Paths of the configuration that are used later and that this process, as it is now, cannot use;
/// each with the option and the reason.
std::vector<std::string> unusable_paths(const config::ServerConfig& config);

/// Becomes the configured user, keeps no capability but CAP_NET_ADMIN, and installs the filter for
/// system calls. Once and for all: after a restart there is nothing left to give up. Warns in the
/// log of paths that it then cannot use. Throws std::runtime_error.
void confine(const config::ServerConfig& config);

} // namespace nfovpn::server
