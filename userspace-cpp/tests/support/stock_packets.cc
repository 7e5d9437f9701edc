// SPDX-License-Identifier: GPL-2.0-or-later
//
// Hexadecimal digits to bytes.

#include "support/stock_packets.h"

#include <stdexcept>
#include <string>

namespace nfovpn::test {

Bytes from_hex(std::string_view digits) {
    if (digits.size() % 2 != 0)
        throw std::invalid_argument("half a byte");
    Bytes out;
    for (std::size_t i = 0; i < digits.size(); i += 2)
        out.push_back(
            static_cast<std::uint8_t>(std::stoul(std::string(digits.substr(i, 2)), nullptr, 16)));
    return out;
}

} // namespace nfovpn::test
