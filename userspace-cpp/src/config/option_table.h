// SPDX-License-Identifier: GPL-2.0-or-later
//
// The options of OpenVPN's manual, and our own "nf-…", with what becomes of each in a configuration
// of a server or of a client, which may differ:
//
//     supported   does what OpenVPN's manual says, apart from what the note says
//     ignored     accepted with a warning that says why it has no effect here
//     refused     an error with the reason: leaving it out silently would leave the
//                 administrator with less security or another network than the file says
//
// The parser, "nf-ovpnd --check", "nf-ovpnd --help-options" and the manual page read this table;
// what a supported option does is the parser's business.
#pragma once

#include "wire/key_method2.h"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace nfovpn::config {

/// What becomes of an option of the file.
enum class Treatment { Supported, Ignored, Refused };

using wire::Role;

/// In whose configuration a row of the table holds.
enum class Roles { Both, Server, Client };

/// A row of the table. All text lives as long as the program.
struct Option {
    const char* name;
    Treatment treatment;
    std::size_t min_args; ///< words behind the name, at least
    std::size_t max_args; ///< and at most; of refused options neither is checked
    const char* reason;   ///< why ignored or refused; a note, or empty, for a supported one
    const char* hint;     ///< what to do instead; may be empty
    Roles roles = Roles::Both;

    /// OpenVPN 2.7 does not know it any more.
    [[nodiscard]] bool is_removed() const;
};

/// The table, in the order of the manual page: by subject.
std::span<const Option> options();

/// The row of an option in a configuration of that role; null if there is none.
const Option* find_option(std::string_view name, Role role);

/// The name that was meant by one that is not in the table; empty if none is near.
std::string_view nearest_option(std::string_view name);

/// "supported", "ignored" or "refused".
const char* name_of(Treatment treatment);

/// The table as text, a line an option.
std::string options_as_text();

/// The table as three lists in mdoc(7), options with the same reason together.
std::string options_as_mdoc();

} // namespace nfovpn::config
