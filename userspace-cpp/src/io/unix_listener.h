// SPDX-License-Identifier: GPL-2.0-or-later
//
// A unix socket that others connect to.
#pragma once

#include "util/descriptor.h"

#include <sys/types.h>

#include <string>

namespace nfovpn::io {

class UnixListener {
public:
    /// Listens. A socket that nobody listens on any more, left by a daemon that was killed, is
    /// replaced. @p mask: as umask() has it, in force before anybody can connect. @p backlog: how
    /// many may wait. Throws std::system_error.
    UnixListener(std::string path, mode_t mask, int backlog);
    /// Removes the socket, if it is still the same. That it cannot be removed is logged.
    ~UnixListener();
    UnixListener(const UnixListener&) = delete;
    UnixListener& operator=(const UnixListener&) = delete;

    [[nodiscard]] int fd() const { return socket_.get(); }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
    Descriptor socket_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

} // namespace nfovpn::io
