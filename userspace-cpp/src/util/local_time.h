// SPDX-License-Identifier: GPL-2.0-or-later
//
// Times for people.
#pragma once

#include <cstdint>
#include <string>

namespace nfovpn {

/// "2026-01-31 12:00:00", the local time.
std::string local_time(std::int64_t unix_time);

} // namespace nfovpn
