// SPDX-License-Identifier: GPL-2.0-or-later
//
// Limits on first packets, in constant memory.
//
// Each source, an IPv4 address or an IPv6 network of 64 bits, has a bucket of tokens that fills at
// a steady rate; a first packet costs one. The buckets live in a table of fixed size, found by a
// keyed hash that nobody outside can steer. Two addresses in one place share a bucket while both
// are active: a flood from one address, or from a million forged ones, never costs more memory, and
// can at worst delay some newcomers, whose clients try again. Sessions that exist are not asked.
#pragma once

#include "util/endpoint.h"
#include "util/time.h"

#include <cstdint>
#include <vector>

namespace nfovpn::server {

/// Tokens that come back at a steady rate.
class TokenBucket {
public:
    /// @p burst tokens at once, all of them back after @p period.
    struct Rate {
        double burst = 0;
        Duration period{};
    };

    bool take(const Rate& rate, TimePoint now);
    [[nodiscard]] bool full(const Rate& rate, TimePoint now) const;

private:
    [[nodiscard]] double level(const Rate& rate, TimePoint now) const;

    double tokens_ = -1; ///< as of updated_; negative: never used, so full
    TimePoint updated_{};
};

/// A bucket for each source address, see the head of this file.
class SourceLimiter {
public:
    explicit SourceLimiter(const TokenBucket::Rate& rate);

    /// Whether a first packet from @p source may be answered now.
    bool allow(const Address& source, TimePoint now);

private:
    struct Entry {
        std::uint64_t source = 0;
        TokenBucket bucket;
    };

    TokenBucket::Rate rate_;
    std::uint64_t key_;
    std::vector<Entry> table_;
};

} // namespace nfovpn::server
