// SPDX-License-Identifier: GPL-2.0-or-later
//
// A file descriptor that somebody owns.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace nfovpn {

/// A file descriptor, or none (-1).
class Descriptor {
public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    ~Descriptor() { close(); }
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        if (this != &other)
            reset(std::exchange(other.fd_, -1));
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool valid() const { return fd_ >= 0; }
    explicit operator bool() const { return valid(); }

    void reset(int fd) {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = fd;
    }
    void close() { reset(-1); }
    /// Gives it away.
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }

    /// Another one of the same file, or none.
    [[nodiscard]] Descriptor duplicate() const {
        return Descriptor(fd_ < 0 ? -1 : fcntl(fd_, F_DUPFD_CLOEXEC, 0));
    }

private:
    int fd_;
};

} // namespace nfovpn
