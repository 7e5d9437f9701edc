// SPDX-License-Identifier: GPL-2.0-or-later
//
// Memory that forgets. Key material lives in these two types only; both are wiped when they go out
// of scope or are moved from, so that neither a core file nor a later allocation shows a key.
#pragma once

#include "util/bytes.h"

#include <openssl/crypto.h>

#include <array>
#include <string>

namespace nfovpn {

/// Overwrites what came by way of a string.
inline void wipe(std::string& text) {
    OPENSSL_cleanse(text.data(), text.size());
}

/// N secret bytes, wiped on destruction. Copying is explicit: copies multiply secrets.
template <std::size_t N>
class SecretArray {
public:
    SecretArray() = default;
    ~SecretArray() { wipe(); }
    SecretArray(const SecretArray&) = delete;
    SecretArray& operator=(const SecretArray&) = delete;
    SecretArray(SecretArray&& other) noexcept : bytes_(other.bytes_) { other.wipe(); }
    SecretArray& operator=(SecretArray&& other) noexcept {
        if (this != &other) {
            bytes_ = other.bytes_;
            other.wipe();
        }
        return *this;
    }

    /// Fills the array from exactly N bytes.
    void assign(std::span<const std::uint8_t, N> from) {
        std::copy(from.begin(), from.end(), bytes_.begin());
    }

    [[nodiscard]] std::span<const std::uint8_t, N> view() const { return bytes_; }
    std::span<std::uint8_t, N> writable() { return bytes_; }
    void wipe() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

private:
    std::array<std::uint8_t, N> bytes_{};
};

/// A secret buffer whose size is known only at run time.
class SecretBytes {
public:
    SecretBytes() = default;
    explicit SecretBytes(ByteView from) : bytes_(from.begin(), from.end()) {}
    explicit SecretBytes(Bytes&& from) : bytes_(std::move(from)) {}
    ~SecretBytes() { wipe(); }
    SecretBytes(const SecretBytes&) = delete;
    SecretBytes& operator=(const SecretBytes&) = delete;
    SecretBytes(SecretBytes&& other) noexcept : bytes_(std::move(other.bytes_)) {}
    SecretBytes& operator=(SecretBytes&& other) noexcept {
        if (this != &other) {
            wipe();
            bytes_ = std::move(other.bytes_);
        }
        return *this;
    }

    [[nodiscard]] ByteView view() const { return bytes_; }
    std::span<std::uint8_t> writable() { return bytes_; }
    [[nodiscard]] bool empty() const { return bytes_.empty(); }

    /// Adds to the end. The old buffer is wiped when the new one is elsewhere.
    void append(ByteView more) {
        if (bytes_.capacity() < bytes_.size() + more.size()) {
            Bytes larger;
            larger.reserve(2 * (bytes_.size() + more.size()));
            larger.assign(bytes_.begin(), bytes_.end());
            wipe();
            bytes_ = std::move(larger);
        }
        bytes_.insert(bytes_.end(), more.begin(), more.end());
    }

    /// Drops the first @p n bytes; they are wiped.
    void consume(std::size_t n) {
        SecretBytes rest(view().subspan(n));
        *this = std::move(rest);
    }

    void wipe() {
        if (!bytes_.empty())
            OPENSSL_cleanse(bytes_.data(), bytes_.size());
        bytes_.clear();
    }

private:
    Bytes bytes_;
};

} // namespace nfovpn
