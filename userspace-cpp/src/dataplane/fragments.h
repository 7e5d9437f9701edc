// SPDX-License-Identifier: GPL-2.0-or-later
//
// OpenVPN's own fragments (option "fragment"): a packet with its framing that has no room in one
// datagram goes in parts, each of them encrypted for itself. In front of every packet and part is a
// word in network byte order:
//
//     31  29 28         15 14   10 9       2 1   0
//    +------+-------------+-------+---------+-----+
//    |      | size / 4    | part  | packet  | kind|     kind: 0 whole, 1 part, 2 last part
//    +------+-------------+-------+---------+-----+
//
// All parts but the last have the same size, a multiple of 4, which the last one tells. A packet
// has at most 32 parts; its number tells it from 24 others that may be incomplete at the same time.
// What is incomplete for 10 seconds is given up.
#pragma once

#include "util/bytes.h"
#include "util/time.h"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>

namespace nfovpn::dataplane {

inline constexpr std::size_t kFragmentHeader = 4;

/// Takes packets apart.
class Fragmenter {
public:
    /// @p first: number of the first packet that has parts.
    explicit Fragmenter(std::uint8_t first) : next_(first) {}

    /// Hands to @p part what is to be sent of a packet, in its order, each at most @p limit bytes
    /// and a header. False, and nothing is handed over, if there were more than 32 parts.
    bool split(ByteView packet, std::size_t limit, const std::function<void(ByteView)>& part);

private:
    std::uint8_t next_;
    Bytes buffer_;
};

/// Puts them together.
class Reassembly {
public:
    enum class Kind {
        Whole,      ///< here it is
        Incomplete, ///< parts are missing
        Damaged,    ///< no such header, or it cannot be
    };
    struct Result {
        Kind kind = Kind::Damaged;
        std::span<std::uint8_t> packet; ///< of a whole one; valid until the next call
    };

    /// Takes in what a datagram had. A whole packet is where it lies in @p text.
    Result take(std::span<std::uint8_t> text, TimePoint now);

private:
    static constexpr std::size_t kPackets = 25;
    static constexpr unsigned kParts = 32;

    struct Packet {
        bool defined = false;
        std::size_t size = 0; ///< of its parts but the last
        std::size_t length = 0;
        std::uint32_t missing = 0; ///< a bit for each part
        TimePoint heard;
        Bytes data;
    };

    Packet& place_of(std::uint8_t number);

    std::array<Packet, kPackets> packets_;
    std::uint8_t newest_ = 0;
    std::size_t newest_at_ = 0;
    Bytes whole_;
};

} // namespace nfovpn::dataplane
