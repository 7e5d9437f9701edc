// SPDX-License-Identifier: GPL-2.0-or-later
//
// Replay protection: each packet ID is accepted once. The same window as the kernel's, which it is
// exchanged with when a key changes hands:
//
//     oldest                                            highest
//     | … counts as received | 1984 IDs, a bit for each |  not received yet …
//
// A ring of bits, moved by whole words (RFC 6479): the words between the old and the new highest ID
// are cleared, nothing is ever shifted.
#pragma once

#include "util/bytes.h"

#include <array>

namespace nfovpn::dataplane {

class ReplayWindow {
public:
    static constexpr std::uint64_t kSize = 1984;

    /// Whether the ID of a packet that is authentic is new; it is remembered then.
    bool accept(std::uint64_t id);

    /// The highest ID received; 0: none.
    [[nodiscard]] std::uint64_t highest() const { return highest_; }

    /// Which IDs were received: bit n, counted from the lowest of the first byte, is that of the
    /// highest ID less n.
    [[nodiscard]] Bytes save() const;

    /// Goes on where another window was left. What @p window does not say counts as received.
    void restore(std::uint64_t highest, ByteView window);

private:
    static constexpr std::uint64_t kWordBits = 64;
    static constexpr std::uint64_t kWords = 32;
    static_assert(kSize == (kWords - 1) * kWordBits);

    [[nodiscard]] std::uint64_t& word(std::uint64_t id) { return map_[id / kWordBits % kWords]; }

    std::uint64_t highest_ = 0;
    std::array<std::uint64_t, kWords> map_{};
};

} // namespace nfovpn::dataplane
