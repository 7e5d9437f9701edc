// SPDX-License-Identifier: GPL-2.0-or-later
//
// The tun device. It lives as long as its file descriptor, and nf_ovpn's instance on it no longer.
#pragma once

#include <cstdint>
#include <string>

namespace nfovpn::server {

class TunDevice {
public:
    /// Makes a device of that name; "tun" lets the kernel choose tun0, tun1, …
    /// Throws std::system_error.
    explicit TunDevice(const std::string& name);
    ~TunDevice();
    TunDevice(const TunDevice&) = delete;
    TunDevice& operator=(const TunDevice&) = delete;

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] unsigned ifindex() const { return ifindex_; }
    [[nodiscard]] int fd() const { return fd_; }

    /// Reads and forgets what waits: packets that no peer has a key for. Returns their number, at
    /// most @p limit.
    std::uint64_t discard(std::uint64_t limit);

private:
    int fd_;
    std::string name_;
    unsigned ifindex_ = 0;
};

} // namespace nfovpn::server
