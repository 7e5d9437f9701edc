// SPDX-License-Identifier: GPL-2.0-or-later
//
// Unix sockets that others connect to; see unix_listener.h.

#include "io/unix_listener.h"

#include "util/log.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace nfovpn::io {

namespace {

constexpr int kType = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

sockaddr_un address_of(const std::string& path) {
    sockaddr_un out{};
    out.sun_family = AF_UNIX;
    path.copy(out.sun_path, sizeof(out.sun_path) - 1);
    return out;
}

// One that nobody listens on refuses connections.
void remove_stale(const sockaddr_un& address) {
    const Descriptor probe(socket(AF_UNIX, kType, 0));
    if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
        errno == ECONNREFUSED)
        unlink(address.sun_path);
}

} // namespace

UnixListener::UnixListener(std::string path, mode_t mask, int backlog) : path_(std::move(path)) {
    const auto fail = [this](int code) {
        throw std::system_error(code, std::generic_category(), path_);
    };
    if (path_.empty() || path_.size() >= sizeof(sockaddr_un::sun_path))
        fail(ENAMETOOLONG);
    const auto address = address_of(path_);
    remove_stale(address);
    socket_.reset(socket(AF_UNIX, kType, 0));
    if (!socket_)
        fail(errno);
    const auto before = umask(mask);
    const int bound =
        bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    const int why = errno;
    umask(before);
    if (bound != 0)
        fail(why);
    if (listen(socket_.get(), backlog) != 0)
        fail(errno);
    struct stat there {};
    if (stat(path_.c_str(), &there) == 0) {
        device_ = there.st_dev;
        inode_ = there.st_ino;
    }
}

UnixListener::~UnixListener() {
    struct stat there {};
    // Another daemon's is left alone.
    if (stat(path_.c_str(), &there) == 0 && (there.st_dev != device_ || there.st_ino != inode_))
        return;
    if (unlink(path_.c_str()) != 0 && errno != ENOENT)
        log::warning("{} is left over: {}", path_, std::strerror(errno));
}

} // namespace nfovpn::io
