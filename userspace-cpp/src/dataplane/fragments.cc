// SPDX-License-Identifier: GPL-2.0-or-later
//
// Fragments of OpenVPN; fragments.h has their header.

#include "dataplane/fragments.h"

#include <algorithm>

namespace nfovpn::dataplane {

namespace {

enum : std::uint32_t { kWhole = 0, kPart = 1, kLast = 2 };

constexpr std::uint32_t kKindMask = 3;
constexpr unsigned kNumberShift = 2;
constexpr unsigned kPartShift = 10;
constexpr std::uint32_t kPartMask = 0x1f;
constexpr unsigned kSizeShift = 15;
constexpr std::uint32_t kSizeMask = 0x3fff;
constexpr std::size_t kUnit = 4;
constexpr std::size_t kMaxParts = 32;
constexpr Duration kPatience = std::chrono::seconds(10);
// The longest that IP has, in a frame and a framing.
constexpr std::size_t kLongest = 65535 + 32;

void put_header(Bytes& out, std::uint32_t header) {
    out.assign({static_cast<std::uint8_t>(header >> 24), static_cast<std::uint8_t>(header >> 16),
                static_cast<std::uint8_t>(header >> 8), static_cast<std::uint8_t>(header)});
}

} // namespace

bool Fragmenter::split(ByteView packet, std::size_t limit,
                       const std::function<void(ByteView)>& part) {
    const auto send = [&](std::uint32_t header, ByteView text) {
        put_header(buffer_, header);
        buffer_.insert(buffer_.end(), text.begin(), text.end());
        part(buffer_);
    };
    if (packet.size() <= limit) {
        send(kWhole, packet);
        return true;
    }
    const std::size_t most = limit / kUnit * kUnit;
    if (most == 0 || packet.size() > most * kMaxParts)
        return false;
    // As many as it takes, and all of about the same size.
    const auto count = (packet.size() + most - 1) / most;
    const auto size = ((packet.size() + count - 1) / count + kUnit - 1) / kUnit * kUnit;
    const auto number = std::uint32_t{next_++} << kNumberShift;
    std::uint32_t index = 0;
    for (auto rest = packet; !rest.empty(); index++) {
        const auto text = rest.first(std::min(size, rest.size()));
        rest = rest.subspan(text.size());
        const auto header = number | index << kPartShift;
        if (rest.empty())
            send(header | kLast | static_cast<std::uint32_t>(size / kUnit) << kSizeShift, text);
        else
            send(header | kPart, text);
    }
    return true;
}

// Those that are too old for the place that a newer one takes are given up.
Reassembly::Packet& Reassembly::place_of(std::uint8_t number) {
    const auto distance = static_cast<std::uint8_t>(number - newest_);
    int ahead = distance < 128 ? distance : distance - 256;
    if (ahead >= static_cast<int>(kPackets) || ahead <= -static_cast<int>(kPackets)) {
        for (auto& packet : packets_)
            packet.defined = false;
        newest_ = number;
        newest_at_ = 0;
        ahead = 0;
    }
    for (; ahead > 0; ahead--) {
        newest_++;
        newest_at_ = (newest_at_ + 1) % kPackets;
        packets_[newest_at_].defined = false;
    }
    return packets_[(newest_at_ + kPackets - static_cast<std::size_t>(-ahead)) % kPackets];
}

Reassembly::Result Reassembly::take(std::span<std::uint8_t> text, TimePoint now) {
    if (text.size() < kFragmentHeader)
        return {};
    const auto header = *ByteReader(text).u32();
    const auto body = text.subspan(kFragmentHeader);
    const auto kind = header & kKindMask;
    const auto number = static_cast<std::uint8_t>(header >> kNumberShift);
    const auto index = header >> kPartShift & kPartMask;
    if (kind == kWhole)
        return {number == 0 && index == 0 ? Kind::Whole : Kind::Damaged, body};
    if (kind != kPart && kind != kLast)
        return {};
    const std::size_t size =
        kind == kLast ? (header >> kSizeShift & kSizeMask) * kUnit : body.size();
    const auto begin = index * size;
    if (size == 0 || size % kUnit != 0 || body.empty() || body.size() > size ||
        begin + body.size() > kLongest)
        return {};
    auto& packet = place_of(number);
    if (!packet.defined || packet.size != size || now >= packet.heard + kPatience) {
        packet.defined = true;
        packet.size = size;
        packet.length = 0;
        packet.missing = ~std::uint32_t{0};
        packet.data.clear();
    }
    packet.heard = now;
    const auto end = begin + body.size();
    if (packet.data.size() < end)
        packet.data.resize(end);
    std::copy(body.begin(), body.end(), packet.data.begin() + static_cast<std::ptrdiff_t>(begin));
    const std::uint32_t bit = std::uint32_t{1} << index;
    if (kind == kLast) {
        packet.length = end;
        packet.missing &= bit - 1;
    } else {
        packet.missing &= ~bit;
    }
    if (packet.missing != 0)
        return {Kind::Incomplete, {}};
    packet.defined = false;
    std::swap(whole_, packet.data);
    packet.data.clear();
    return {Kind::Whole, std::span(whole_).first(packet.length)};
}

} // namespace nfovpn::dataplane
