// SPDX-License-Identifier: GPL-2.0-or-later
//
// A timer for who has a deadline that moves whenever anything happens.
#pragma once

#include "util/time.h"

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include <functional>

namespace nfovpn::io {

class DeadlineTimer {
public:
    DeadlineTimer(asio::io_context& context, std::function<void()> due)
        : timer_(context), due_(std::move(due)) {}

    /// Calls what is due at @p deadline, once, and at no other that it was armed for; kNever: not
    /// at all. What is always due is called again and again, yet not so often that it keeps the
    /// loop from all else.
    void arm(TimePoint deadline);

private:
    asio::steady_timer timer_;
    std::function<void()> due_;
    TimePoint armed_for_ = kNever;
};

} // namespace nfovpn::io
