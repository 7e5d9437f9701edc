// SPDX-License-Identifier: GPL-2.0-or-later
//
// Configurations of a server, of single clients, and of a client. The files that they name have the
// text itself.

#include "check.h"
#include "config/client_config.h"
#include "config/server_config.h"

using namespace nfovpn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(as_text({data, size}));
    auto reader = [&](const std::string& path, std::string& why) -> std::optional<std::string> {
        why = "there is no such file";
        return path.ends_with('x') ? std::nullopt : std::optional(text);
    };
    auto parsed = config::parse_server_config(text, reader);
    for (const auto& finding : parsed.findings)
        fuzz::check(!config::describe("file", finding).empty() && finding.line >= 0);
    if (parsed.ok()) {
        const auto& c = parsed.config;
        fuzz::check(c.pool_first <= c.pool_last && !c.data_ciphers.empty() && c.port != 0);
    }
    auto client = config::parse_client_config(text, reader);
    for (const auto& finding : client.findings)
        fuzz::check(!config::describe("file", finding).empty() && finding.line >= 0);
    if (client.ok())
        fuzz::check(!client.config.remotes.empty() && !client.config.data_ciphers.empty());
    config::parse_client_file(text);
    auto name = config::client_file_name(text);
    fuzz::check(name.find('/') == std::string::npos && name != "..");
    return 0;
}
