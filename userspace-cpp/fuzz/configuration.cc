// SPDX-License-Identifier: GPL-2.0-or-later
//
// Configurations of a server, of single clients, and of a client. The files that they name have the
// text itself.

#include "check.h"
#include "config/client_config.h"
#include "config/server_config.h"

#include <sstream>
#include <string>
#include <vector>

using namespace nfovpn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(as_text({data, size}));
    auto reader = [&](const std::string& path, std::string& why) -> std::optional<std::string> {
        why = "there is no such file";
        return path.ends_with('x') ? std::nullopt : std::optional(text);
    };
    // No name of a host is looked up.
    const auto given = [&] {
        auto options = config::options_of(text, reader);
        options.look_up_names = false;
        return options;
    };
    auto parsed = config::parse_server_config(given(), reader);
    for (const auto& finding : parsed.findings)
        fuzz::check(!config::describe("file", finding).empty() && finding.line >= 0);
    if (parsed.ok()) {
        const auto& c = parsed.config;
        fuzz::check(c.pool_first <= c.pool_last && !c.data_ciphers.empty() && c.port != 0);
    }
    auto client = config::parse_client_config(given(), reader);
    for (const auto& finding : client.findings)
        fuzz::check(!config::describe("file", finding).empty() && finding.line >= 0);
    if (client.ok())
        fuzz::check(!client.config.remotes.empty() && !client.config.data_ciphers.empty());
    config::parse_client_file(text);
    // The same as words of a command line.
    std::vector<std::string> words;
    std::istringstream stream(text);
    for (std::string word; stream >> word && words.size() < 1000;)
        words.push_back(word);
    auto line = config::options_of(words, reader);
    line.look_up_names = false;
    for (const auto& finding : config::parse_server_config(line, reader).findings)
        fuzz::check(finding.line >= 0);
    auto name = config::client_file_name(text);
    fuzz::check(name.find('/') == std::string::npos && name != "..");
    return 0;
}
