// SPDX-License-Identifier: GPL-2.0-or-later
//
// Reading and writing the wire's integers.
//
// Every number in OpenVPN's control channel is big endian, and every field may be cut short by
// whoever sent it. ByteReader therefore never reads past its end: each accessor answers
// std::nullopt there, and the caller turns that into one "truncated" error:
//
//     ByteReader in(datagram);
//     auto count = in.u8();
//     auto acks = count ? in.bytes(*count * 4U) : std::nullopt;
//     if (!acks)
//         return WireError::Truncated;
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace nfovpn {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

/// The bytes of a text, without a terminating zero.
inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// The text of some bytes, as they are.
inline std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Reads big-endian fields off the front of a buffer it does not own.
class ByteReader {
public:
    explicit ByteReader(ByteView data) : rest_(data) {}

    /// What has not been read yet.
    [[nodiscard]] ByteView rest() const { return rest_; }
    [[nodiscard]] bool empty() const { return rest_.empty(); }

    /// The next @p n bytes, or nothing (and nothing consumed) if there are fewer.
    std::optional<ByteView> bytes(std::size_t n) {
        if (rest_.size() < n)
            return std::nullopt;
        auto out = rest_.first(n);
        rest_ = rest_.subspan(n);
        return out;
    }

    std::optional<std::uint8_t> u8() { return number<std::uint8_t>(); }
    std::optional<std::uint16_t> u16() { return number<std::uint16_t>(); }
    std::optional<std::uint32_t> u32() { return number<std::uint32_t>(); }

private:
    template <typename T>
    std::optional<T> number() {
        auto raw = bytes(sizeof(T));
        if (!raw)
            return std::nullopt;
        std::uint32_t value = 0;
        for (auto byte : *raw)
            value = value << 8 | byte;
        return static_cast<T>(value);
    }

    ByteView rest_;
};

/// Appends big-endian fields to a growing buffer.
class ByteWriter {
public:
    void u8(std::uint8_t v) { out_.push_back(v); }
    void u16(std::uint16_t v) { number(v, 2); }
    void u32(std::uint32_t v) { number(v, 4); }
    void bytes(ByteView v) { out_.insert(out_.end(), v.begin(), v.end()); }

    [[nodiscard]] std::size_t size() const { return out_.size(); }
    [[nodiscard]] const Bytes& view() const { return out_; }
    Bytes take() { return std::move(out_); }

private:
    void number(std::uint32_t v, int width) {
        for (int shift = (width - 1) * 8; shift >= 0; shift -= 8)
            out_.push_back(static_cast<std::uint8_t>(v >> shift));
    }

    Bytes out_;
};

} // namespace nfovpn
