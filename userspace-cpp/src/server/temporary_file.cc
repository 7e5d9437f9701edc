// SPDX-License-Identifier: GPL-2.0-or-later
//
// Files that go; see temporary_file.h.

#include "server/temporary_file.h"

#include "util/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace nfovpn::server {

std::shared_ptr<TemporaryFile> TemporaryFile::create(const std::string& directory, ByteView text) {
    auto path = directory + "/nf-ovpnd_XXXXXX";
    const int fd = mkostemp(path.data(), O_CLOEXEC);
    if (fd < 0) {
        log::peer_error("{}: {}", directory, std::generic_category().message(errno));
        return nullptr;
    }
    auto out = std::shared_ptr<TemporaryFile>(new TemporaryFile(path, fd, text.size()));
    if (write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        log::peer_error("{}: {}", path, std::generic_category().message(errno));
        return nullptr;
    }
    return out;
}

TemporaryFile::~TemporaryFile() {
    const Bytes zeros(size_);
    if (pwrite(fd_, zeros.data(), zeros.size(), 0) < 0)
        log::warning("{}: {}", path_, std::generic_category().message(errno));
    close(fd_);
    unlink(path_.c_str());
}

std::string TemporaryFile::text(std::size_t limit) const {
    std::string out(limit, '\0');
    const auto got = pread(fd_, out.data(), out.size(), 0);
    out.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return out;
}

} // namespace nfovpn::server
