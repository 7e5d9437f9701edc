// SPDX-License-Identifier: GPL-2.0-or-later
//
// A tun device by /dev/net/tun; see tun_device.h.

#include "server/tun_device.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace nfovpn::server {

namespace {

// Packets are not looked at, so a byte of each is enough.
constexpr std::size_t kGlimpse = 1;

[[noreturn]] void fail(int fd, const std::string& what) {
    int code = errno;
    if (fd >= 0)
        close(fd);
    throw std::system_error(code, std::generic_category(), what);
}

} // namespace

TunDevice::TunDevice(const std::string& name)
    : fd_(open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)) {
    if (fd_ < 0)
        fail(fd_, "/dev/net/tun");
    ifreq request{};
    const std::string wanted = name == "tun" ? "tun%d" : name;
    wanted.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (ioctl(fd_, TUNSETIFF, &request) < 0)
        fail(fd_, "tun device " + wanted);
    name_ = request.ifr_name;
    ifindex_ = if_nametoindex(name_.c_str());
    if (ifindex_ == 0)
        fail(fd_, "tun device " + name_);
}

TunDevice::~TunDevice() {
    close(fd_);
}

std::uint64_t TunDevice::discard(std::uint64_t limit) {
    std::array<char, kGlimpse> buffer{};
    std::uint64_t packets = 0;
    while (packets < limit && read(fd_, buffer.data(), buffer.size()) >= 0)
        packets++;
    return packets;
}

} // namespace nfovpn::server
