// SPDX-License-Identifier: GPL-2.0-or-later
//
// Two versions of a configuration, compared line by line: what has changed, and whether a daemon
// that runs can take it on.
//
// A change is taken on where everything that depends on it is asked for anew each time that it
// matters, or is told of it. Whatever is not in that list needs a restart: so an option that
// somebody adds to the daemon restarts it until it is shown that it need not.
#pragma once

#include "config/lexer.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nfovpn::config {

/// A line without its words, which may be secret.
struct OptionDigest {
    std::string name;
    std::string file;                     ///< empty: the one that was read first
    int line = 0;                         ///< 0: of the command line
    std::array<std::uint8_t, 32> words{}; ///< SHA-256
};

/// Those of a configuration. "setenv opt NAME" counts as that option.
std::vector<OptionDigest> digest_options(const std::vector<Directive>& directives);

/// A line that is in one of two files and not in the other.
struct OptionChange {
    std::string name;
    std::string file;     ///< empty: the one that was read first
    int line = 0;         ///< in the file that has it; 0: of the command line
    bool removed = false; ///< the new one has it not
};

/// What has changed, by lines of the new file, and then what it lacks. Where a line stands does not
/// matter.
std::vector<OptionChange> changed_options(const std::vector<OptionDigest>& before,
                                          const std::vector<OptionDigest>& now);

/// Of all lines that a server cannot take on while sessions go on, and of those by which control
/// packets of sessions are wrapped.
std::array<std::uint8_t, 32> digest_for_sessions(const std::vector<OptionDigest>& options);

/// Whether a server can take on a change of that option while it runs. The content of files that
/// are named may change in any case.
bool applies_in_place(std::string_view option);

} // namespace nfovpn::config
