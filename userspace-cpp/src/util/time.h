// SPDX-License-Identifier: GPL-2.0-or-later
//
// Time is passed in. No protocol code reads a clock, so tests run minutes of retransmission in
// microseconds and always in the same order.
#pragma once

#include <chrono>

namespace nfovpn {

using Duration = std::chrono::steady_clock::duration;
/// A point of monotonic time.
using TimePoint = std::chrono::steady_clock::time_point;

/// "Never", for deadlines.
inline constexpr TimePoint kNever = TimePoint::max();

} // namespace nfovpn
