// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the fuzz targets share. Each target is one function over some bytes, run by libFuzzer with
// AddressSanitizer and UBSan; besides those it says itself, by check(), what must hold.
//
//     cmake -S userspace-cpp -B BUILD -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DNF_OVPND_FUZZ=ON
//     cmake --build BUILD && BUILD/fuzz_control_packet userspace-cpp/fuzz/seeds/control_packet
//
// seeds/ has a folder for each target: packets of stock clients (tests/support/stock_packets.h),
// and what the builders of the unit tests make.
#pragma once

#include "util/bytes.h"

#include <cstdlib>

namespace nfovpn::fuzz {

/// Ends the program, which libFuzzer reports together with the input, unless it holds.
inline void check(bool holds) {
    if (!holds)
        std::abort();
}

inline bool equal(ByteView a, ByteView b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

} // namespace nfovpn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
