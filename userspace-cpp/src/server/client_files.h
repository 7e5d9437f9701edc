// SPDX-License-Identifier: GPL-2.0-or-later
//
// What is special about one client, from text in the syntax of client-config-dir.
#pragma once

#include "server/client_settings.h"

#include <optional>
#include <string>

namespace nfovpn::server {

/// Lines that are no option of OpenVPN.
enum class Unknown {
    Refused, ///< are errors, in what programs and the management interface say
    Ignored  ///< are logged, in files that people write, as with OpenVPN
};

/// From text; @p name is for the log, which has its errors. Nothing if there are any.
std::optional<ClientSettings> parse_client_settings(const std::string& name,
                                                    const std::string& text,
                                                    Unknown unknown = Unknown::Refused);

/// From a file. Nothing if it cannot be read or has errors, which are logged.
std::optional<ClientSettings> read_client_file(const std::string& path,
                                               Unknown unknown = Unknown::Refused);

/// What client-config-dir has about a client: its own file or DEFAULT. With @p exclusive a client
/// without a file is disabled. Nothing if a file cannot be read or has errors, which are logged.
std::optional<ClientSettings> read_client_settings(const std::string& directory, bool exclusive,
                                                   const std::string& common_name);

} // namespace nfovpn::server
