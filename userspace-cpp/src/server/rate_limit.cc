// SPDX-License-Identifier: GPL-2.0-or-later
//
// Token buckets in a table of fixed size; see rate_limit.h.

#include "server/rate_limit.h"

#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

namespace nfovpn::server {

namespace {
constexpr std::size_t kTableSize = 4096;
}

double TokenBucket::level(const Rate& rate, TimePoint now) const {
    if (tokens_ < 0)
        return rate.burst;
    auto elapsed = std::chrono::duration<double>(now - updated_).count();
    auto period = std::chrono::duration<double>(rate.period).count();
    return std::min(rate.burst, tokens_ + rate.burst * elapsed / period);
}

bool TokenBucket::full(const Rate& rate, TimePoint now) const {
    return level(rate, now) >= rate.burst;
}

bool TokenBucket::take(const Rate& rate, TimePoint now) {
    auto have = level(rate, now);
    tokens_ = have >= 1 ? have - 1 : have;
    updated_ = now;
    return have >= 1;
}

SourceLimiter::SourceLimiter(const TokenBucket::Rate& rate)
    : rate_(rate), key_(0), table_(kTableSize) {
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&key_), sizeof(key_)) != 1)
        throw std::runtime_error("no random bytes for the table of sources");
    key_ |= 1; // odd, so that the multiplication below loses nothing
}

bool SourceLimiter::allow(const Address& address, TimePoint now) {
    const auto source = source_of(address);
    std::uint64_t hash = (source ^ source >> 32 ^ key_ >> 32) * key_;
    hash ^= hash >> 29;
    hash *= 0xbf58476d1ce4e5b9ULL;
    Entry& entry = table_[hash >> 40 & (kTableSize - 1)];
    if (entry.source != source && entry.bucket.full(rate_, now))
        entry = Entry{source, {}};
    return entry.bucket.take(rate_, now);
}

} // namespace nfovpn::server
