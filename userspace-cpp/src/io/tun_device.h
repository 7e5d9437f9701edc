// SPDX-License-Identifier: GPL-2.0-or-later
//
// The tun or tap device. It lives as long as its file descriptor, and nf_ovpn's instance on it no
// longer.
#pragma once

#include "util/bytes.h"
#include "util/descriptor.h"

#include <cstdint>
#include <optional>
#include <string>

namespace nfovpn::io {

class TunDevice {
public:
    /// Makes a device of that name, or takes the one that is there; "tun" and "tap" let the kernel
    /// choose tun0, tun1, … With @p ethernet it is one of frames. Throws std::system_error.
    /// @p node: the device of the kernel that makes it.
    explicit TunDevice(const std::string& name, const std::string& node = "/dev/net/tun",
                       bool ethernet = false);
    /// The tun device that another process has made. Throws std::system_error if it is none, or not
    /// in this network namespace.
    explicit TunDevice(Descriptor made);
    ~TunDevice();
    TunDevice(const TunDevice&) = delete;
    TunDevice& operator=(const TunDevice&) = delete;

    struct Found {
        std::string name;
        unsigned ifindex = 0;
    };
    /// Which tun device of this network namespace a descriptor is of, without a frame's header.
    static std::optional<Found> behind(int fd);

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] unsigned ifindex() const { return ifindex_; }
    [[nodiscard]] int fd() const { return fd_; }

    /// Reads a packet into @p buffer, which must have room for one of the device's MTU. Its length;
    /// nothing if none waits.
    std::optional<std::size_t> read(std::span<std::uint8_t> buffer);

    /// Lets the system receive a packet. What it refuses is lost, and counted.
    void write(ByteView packet);
    [[nodiscard]] std::uint64_t write_errors() const { return write_errors_; }
    /// Whether it is in this network namespace.
    [[nodiscard]] bool is_here() const;
    /// Somebody has deleted the device, as read() has found.
    [[nodiscard]] bool gone() const { return gone_; }

private:
    int fd_;
    std::string name_;
    unsigned ifindex_ = 0;
    std::uint64_t write_errors_ = 0;
    bool gone_ = false;
};

} // namespace nfovpn::io
