// SPDX-License-Identifier: GPL-2.0-or-later
//
// A file that is read again; see watched_file.h.

#include "config/watched_file.h"

#include "config/server_config.h"

#include <sys/stat.h>

namespace nfovpn::config {

WatchedFile::Version WatchedFile::version() const {
    struct stat now {};
    if (stat(path_.c_str(), &now) != 0)
        return {};
    return {now.st_dev, now.st_ino, now.st_size, now.st_mtim.tv_sec, now.st_mtim.tv_nsec};
}

Result<std::optional<std::string>, WatchedFile::Unreadable> WatchedFile::changed() {
    // Before reading: what is written meanwhile has another version.
    auto now = version();
    if (last_ == now)
        return std::optional<std::string>();
    std::string why;
    auto text = read_file(path_, why);
    if (!text) {
        last_.reset();
        return Unreadable{path_ + ": " + why};
    }
    last_ = now;
    return text;
}

} // namespace nfovpn::config
