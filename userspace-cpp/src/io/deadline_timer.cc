// SPDX-License-Identifier: GPL-2.0-or-later
//
// A timer for deadlines that move; see deadline_timer.h.

#include "io/deadline_timer.h"

#include <algorithm>

namespace nfovpn::io {

namespace {

constexpr Duration kShortestWait = std::chrono::milliseconds(1);

} // namespace

void DeadlineTimer::arm(TimePoint deadline) {
    if (deadline == armed_for_)
        return;
    armed_for_ = deadline;
    timer_.cancel();
    if (deadline == kNever)
        return;
    timer_.expires_at(std::max(deadline, std::chrono::steady_clock::now() + kShortestWait));
    timer_.async_wait([this](const asio::error_code& error) {
        if (error)
            return;
        armed_for_ = kNever;
        due_();
    });
}

} // namespace nfovpn::io
