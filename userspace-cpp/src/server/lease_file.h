// SPDX-License-Identifier: GPL-2.0-or-later
//
// The file of ifconfig-pool-persist: which client had which address, so that it gets it again from
// the next daemon. OpenVPN's own form, a line for each client:
//
//	NAME,IPV4[,IPV6]
//
// It is a wish and no promise: whose address somebody else has by then gets another one.
#pragma once

#include "config/lexer.h"
#include "host/files.h"
#include "server/pool.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfovpn::server {

/// The result of reading a file.
struct ParsedLeases {
    std::vector<Lease> leases;
    std::vector<config::Finding> findings; ///< lines that are left out
};

/// Parses the text of a file. Empty lines and those that begin with '#' or ';' are comments. An
/// IPv6 address is taken for granted by that of IPv4, and only its form is looked at.
ParsedLeases parse_leases(std::string_view text);

/// What parse_leases() reads; without clients whose name cannot stand in a line.
std::string format_leases(const std::vector<Lease>& leases);

/// A file, read once and written when something has changed.
class LeaseFile {
public:
    using Leases = std::function<std::vector<Lease>()>;

    /// @p leases are those to be written. The file must outlive the object.
    LeaseFile(host::KeptFile& file, Leases leases) : file_(file), leases_(std::move(leases)) {}

    /// The leases of the file; none if it is not there yet. Lines that cannot be read are logged.
    /// Throws std::runtime_error if there is a file that cannot be read.
    std::vector<Lease> read();

    /// Replaces the file unless it has all of that already. That it fails is logged once.
    void write();

private:
    host::KeptFile& file_;
    Leases leases_;
    std::string written_; ///< what the file has, as far as is known
    std::optional<std::string> failure_;
};

} // namespace nfovpn::server
