// SPDX-License-Identifier: GPL-2.0-or-later
//
// The replay window; see replay_window.h.

#include "dataplane/replay_window.h"

#include <algorithm>

namespace nfovpn::dataplane {

bool ReplayWindow::accept(std::uint64_t id) {
    if (id == 0)
        return false;
    if (id > highest_) {
        const auto old = highest_ / kWordBits;
        const auto steps = std::min(id / kWordBits - old, kWords);
        for (std::uint64_t i = 1; i <= steps; i++)
            map_[(old + i) % kWords] = 0;
        highest_ = id;
    } else if (highest_ - id >= kSize) {
        return false;
    }
    const auto bit = std::uint64_t{1} << id % kWordBits;
    const bool fresh = (word(id) & bit) == 0;
    word(id) |= bit;
    return fresh;
}

Bytes ReplayWindow::save() const {
    Bytes out(kSize / 8);
    for (std::uint64_t back = 0; back < kSize && back < highest_; back++) {
        const auto id = highest_ - back;
        if ((map_[id / kWordBits % kWords] >> id % kWordBits & 1) != 0)
            out[back / 8] = static_cast<std::uint8_t>(out[back / 8] | 1U << back % 8);
    }
    return out;
}

void ReplayWindow::restore(std::uint64_t highest, ByteView window) {
    map_.fill(0);
    highest_ = highest;
    for (std::uint64_t back = 0; back < kSize && back < highest; back++) {
        const auto id = highest - back;
        if (back / 8 >= window.size() || (window[back / 8] >> back % 8 & 1) != 0)
            word(id) |= std::uint64_t{1} << id % kWordBits;
    }
}

} // namespace nfovpn::dataplane
