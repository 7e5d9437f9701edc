// SPDX-License-Identifier: GPL-2.0-or-later
//
// A tun device by /dev/net/tun; see tun_device.h.

#include "io/tun_device.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace nfovpn::io {

namespace {

[[noreturn]] void fail(int fd, const std::string& what) {
    int code = errno;
    if (fd >= 0)
        close(fd);
    throw std::system_error(code, std::generic_category(), what);
}

} // namespace

TunDevice::TunDevice(const std::string& name, const std::string& node, bool ethernet)
    : fd_(open(node.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK)) {
    if (fd_ < 0)
        fail(fd_, node);
    ifreq request{};
    const std::string wanted = name == "tun" || name == "tap" ? name + "%d" : name;
    wanted.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
    request.ifr_flags = static_cast<short>((ethernet ? IFF_TAP : IFF_TUN) | IFF_NO_PI);
    if (ioctl(fd_, TUNSETIFF, &request) < 0)
        fail(fd_, (ethernet ? "tap device " : "tun device ") + wanted);
    name_ = request.ifr_name;
    ifindex_ = if_nametoindex(name_.c_str());
    if (ifindex_ == 0)
        fail(fd_, "tun device " + name_);
}

TunDevice::TunDevice(Descriptor made) : fd_(-1) {
    const auto found = behind(made.get());
    const int flags = fcntl(made.get(), F_GETFL);
    if (!found || flags < 0 || fcntl(made.get(), F_SETFL, flags | O_NONBLOCK) != 0)
        throw std::system_error(found ? errno : ENODEV, std::generic_category(),
                                "the tun device of the process before");
    name_ = found->name;
    ifindex_ = found->ifindex;
    fd_ = made.release();
}

std::optional<TunDevice::Found> TunDevice::behind(int fd) {
    ifreq request{};
    // Any other file refuses that.
    if (ioctl(fd, TUNGETIFF, &request) < 0)
        return std::nullopt;
    const auto flags = static_cast<unsigned short>(request.ifr_flags);
    if ((flags & (IFF_TUN | IFF_TAP)) != IFF_TUN || (flags & IFF_NO_PI) == 0)
        return std::nullopt;
    request.ifr_name[IFNAMSIZ - 1] = '\0';
    Found out{request.ifr_name, if_nametoindex(request.ifr_name)};
    return out.ifindex == 0 ? std::nullopt : std::optional(out);
}

TunDevice::~TunDevice() {
    close(fd_);
}

std::optional<std::size_t> TunDevice::read(std::span<std::uint8_t> buffer) {
    const auto n = ::read(fd_, buffer.data(), buffer.size());
    // EAGAIN when there is none; these when the device has been deleted.
    gone_ = gone_ || (n < 0 && (errno == EBADFD || errno == EFAULT));
    return n < 0 ? std::nullopt : std::optional(static_cast<std::size_t>(n));
}

bool TunDevice::is_here() const {
    return if_nametoindex(name_.c_str()) == ifindex_;
}

void TunDevice::write(ByteView packet) {
    if (::write(fd_, packet.data(), packet.size()) < 0)
        write_errors_++;
}

} // namespace nfovpn::io
