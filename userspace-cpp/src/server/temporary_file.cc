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
    auto out = std::shared_ptr<TemporaryFile>(new TemporaryFile(path, text.size()));
    const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (!written)
        log::peer_error("{}: {}", path, std::generic_category().message(errno));
    close(fd);
    return written ? out : nullptr;
}

TemporaryFile::~TemporaryFile() {
    const int fd = size_ > 0 ? open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd >= 0) {
        const Bytes zeros(size_);
        if (pwrite(fd, zeros.data(), zeros.size(), 0) < 0)
            log::warning("{}: {}", path_, std::generic_category().message(errno));
        close(fd);
    }
    unlink(path_.c_str());
}

std::string TemporaryFile::text(std::size_t limit) const {
    std::string out(limit, '\0');
    const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    const auto got = fd < 0 ? -1 : pread(fd, out.data(), out.size(), 0);
    if (fd >= 0)
        close(fd);
    out.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return out;
}

std::optional<bool> TemporaryFile::answer() const {
    const auto first = text(1);
    if (first.empty() || first == "2")
        return std::nullopt;
    return first == "1";
}

} // namespace nfovpn::server
