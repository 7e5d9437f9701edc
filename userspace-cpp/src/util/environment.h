// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a program that is run is told, in the order in which it is told it.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace nfovpn {

/// Names and values. Of a name that stands there twice the last value counts.
using Environment = std::vector<std::pair<std::string, std::string>>;

/// The value of a name; empty if it is not there.
inline std::string value_of(const Environment& environment, const std::string& name) {
    for (const auto& [key, value] : environment) {
        if (key == name)
            return value;
    }
    return {};
}

} // namespace nfovpn
