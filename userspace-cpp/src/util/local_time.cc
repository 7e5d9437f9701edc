// SPDX-License-Identifier: GPL-2.0-or-later
//
// Times for people; see local_time.h.

#include "util/local_time.h"

#include <ctime>

namespace nfovpn {

std::string local_time(std::int64_t unix_time) {
    const auto time = static_cast<std::time_t>(unix_time);
    std::tm parts{};
    char text[32] = "";
    if (localtime_r(&time, &parts))
        std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
    return text;
}

} // namespace nfovpn
