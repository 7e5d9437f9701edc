// SPDX-License-Identifier: GPL-2.0-or-later
//
// OpenVPN's configuration syntax, up to the words of each line:
//
//     # comment                        ; comment
//     server 10.8.0.0 255.255.255.0    # words, a comment behind them
//     push "route 10.1.0.0 255.255.0.0"
//     log '/var/log/my vpn.log'        # no escapes in single quotes
//     setenv X a\ b\"c\\               # elsewhere a backslash takes the next character as it is
//     <ca>                             # the lines up to </ca> are the option's argument
//     -----BEGIN CERTIFICATE-----
//     </ca>
//     --verb 3                         # as on a command line
//
// However many lines a text has, reading them takes time and memory in proportion.
//
// Nothing here knows any option.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfovpn::config {

/// One option with its words.
struct Directive {
    std::string name;
    std::vector<std::string> args;
    bool is_inline = false; ///< args[0] is the text of a block
    int line = 0;           ///< from 1 on; 0: of the command line
    std::string file;       ///< empty: the one that was read first
};

/// How bad a finding is.
enum class Severity { Warning, Error };

/// Something to tell the administrator about a line.
struct Finding {
    Severity severity = Severity::Error;
    int line = 0;       ///< 0: the file as a whole
    std::string reason; ///< what is wrong
    std::string hint;   ///< what to do about it, may be empty
    std::string file{}; ///< as in Directive
};

/// Words of lines that are not longer are never copied as they grow: whoever wipes them leaves
/// nothing behind.
inline constexpr std::size_t kMaxSecretLine = 4096;

/// The words of one line, as above; what is wrong with it if it cannot be read, and then the words
/// up to there. A command that is an option's argument is taken apart by it once more.
std::optional<std::string> split_words(std::string_view line, std::vector<std::string>& words);

/// The directives of a file in order. Lines that cannot be read become findings.
std::vector<Directive> tokenize(std::string_view text, std::vector<Finding>& findings);

/// "reason (hint)"
std::string text_of(const Finding& finding);

/// "server.conf:12: error: reason (hint)"
std::string describe(const std::string& file, const Finding& finding);

} // namespace nfovpn::config
