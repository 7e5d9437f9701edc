// SPDX-License-Identifier: GPL-2.0-or-later
//
// The last step of the set-up: everything that needs privileges is done, and the process gives up
// what it does not need to serve.
#pragma once

#include "config/common_config.h"

#include <string>
#include <vector>

namespace nfovpn::host {

/// Takes the limit of open descriptors up to @p wanted, as far as it may be. What it is then.
std::size_t raise_descriptor_limit(std::size_t wanted);

/// A path of the configuration that is used later.
struct LaterPath {
    const char* option;
    std::string path;
    int mode; ///< as access() wants it
    const char* consequence;
};

/// Where a file of that name is.
std::string directory_of(const std::string& path);

/// Those of @p paths that this process, as it is now, cannot use; each with the option and the
/// reason. Empty ones are not used at all.
std::vector<std::string> unusable_paths(const std::vector<LaterPath>& paths);

/// Of a file that is replaced later, for which its directory must be writable; or, if it is no
/// regular file, written in place. An empty path is none.
LaterPath later_file(const char* option, const std::string& path, const char* consequence);

/// Of what files both roles have.
std::vector<LaterPath> later_paths(const config::CommonConfig& config);

/// Becomes the configured user, keeps no capability but CAP_NET_ADMIN, and installs the filter for
/// system calls; @p names: host names will be looked up, which takes threads and the libraries of
/// the name service. Once and for all: after a restart there is nothing left to give up. Warns in
/// the log of paths that it then cannot use. Throws std::runtime_error.
void confine(const config::CommonConfig& config, const std::vector<LaterPath>& paths,
             bool names = false);

} // namespace nfovpn::host
