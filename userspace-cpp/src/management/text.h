// SPDX-License-Identifier: GPL-2.0-or-later
//
// Words and lines of the management interface.
#pragma once

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace nfovpn::management {

/// The number that a word is, all of it.
template <typename T>
std::optional<T> number(std::string_view word) {
    T value{};
    auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (code != std::errc{} || end != word.data() + word.size())
        return std::nullopt;
    return value;
}

inline bool is_control(char c) {
    return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
}

/// What a peer wrote must not end a line.
inline std::string one_line(std::string_view text) {
    std::string out(text);
    std::replace_if(out.begin(), out.end(), is_control, '_');
    return out;
}

} // namespace nfovpn::management
