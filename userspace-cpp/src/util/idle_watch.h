// SPDX-License-Identifier: GPL-2.0-or-later
//
// OpenVPN's "inactive SECONDS [BYTES]": whether a tunnel is in use. Who carries its packets counts
// them, and is asked now and then; what is more than BYTES since the last time that it was begins
// the time anew.
#pragma once

#include "util/time.h"

#include <algorithm>
#include <cstdint>

namespace nfovpn {

/// See the head of this file.
class IdleWatch {
public:
    /// From @p now on, when so much had been counted.
    IdleWatch(Duration limit, std::uint64_t bytes, std::uint64_t counted, TimePoint now)
        : limit_(limit), bytes_(bytes), counted_(counted), since_(now), asked_(now) {}

    /// When it wants to know again.
    [[nodiscard]] TimePoint deadline() const {
        const Duration step = std::max<Duration>(std::chrono::seconds(1), limit_ / 8);
        return std::min(asked_ + step, since_ + limit_);
    }

    /// So much was counted by now. Whether the tunnel has been idle for too long.
    bool is_idle(std::uint64_t counted, TimePoint now) {
        asked_ = now;
        // A count that has begun anew is a change as well.
        const auto more = counted >= counted_ ? counted - counted_ : counted;
        if (more > bytes_) {
            counted_ = counted;
            since_ = now;
        }
        return now - since_ >= limit_;
    }

private:
    Duration limit_;
    std::uint64_t bytes_;
    std::uint64_t counted_;
    TimePoint since_;
    TimePoint asked_;
};

} // namespace nfovpn
