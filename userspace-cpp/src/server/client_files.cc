// SPDX-License-Identifier: GPL-2.0-or-later
//
// The files of client-config-dir; see client_files.h.

#include "server/client_files.h"

#include "config/server_config.h"
#include "util/log.h"

#include <filesystem>

namespace nfovpn::server {

std::optional<ClientSettings> read_client_file(const std::string& path, Unknown unknown) {
    std::string why;
    auto text = config::read_file(path, why);
    if (text)
        return parse_client_settings(path, *text, unknown);
    log::peer_error("{}: {}", path, why);
    return std::nullopt;
}

std::optional<ClientSettings> parse_client_settings(const std::string& name,
                                                    const std::string& text, Unknown unknown) {
    auto parsed = config::parse_client_file(text);
    // With each time that the client comes.
    for (const auto& finding : parsed.findings)
        log::peer_error("{}", describe(name, finding));
    // Nothing else is a warning there.
    if (!parsed.ok() || (unknown == Unknown::Refused && !parsed.findings.empty()))
        return std::nullopt;
    ClientSettings out;
    out.address = parsed.config.address;
    out.netmask = parsed.config.netmask;
    out.address6 = parsed.config.address6;
    out.networks = std::move(parsed.config.networks);
    out.push = std::move(parsed.config.push);
    out.push_remove = std::move(parsed.config.push_remove);
    out.push_reset = parsed.config.push_reset;
    out.disabled = parsed.config.disable;
    return out;
}

std::optional<ClientSettings> read_client_settings(const std::string& directory, bool exclusive,
                                                   const std::string& common_name) {
    for (const auto& name : {config::client_file_name(common_name), std::string("DEFAULT")}) {
        // What cannot be looked up is not the same as what is not there.
        std::error_code failed;
        const auto path = (std::filesystem::path(directory) / name).string();
        if (name.empty() || (!std::filesystem::exists(path, failed) && !failed))
            continue;
        auto out = read_client_file(path, Unknown::Ignored);
        if (out && exclusive && name == "DEFAULT")
            out->disabled = true;
        return out;
    }
    ClientSettings out;
    out.disabled = exclusive;
    return out;
}

} // namespace nfovpn::server
