// SPDX-License-Identifier: GPL-2.0-or-later
//
// Files that daemons write. A configuration may name anything, "/dev/null" and pipes included, and
// whoever has given up root's rights must not get them back by a name:
//
// - A regular file is replaced in one step, by a new one of its mode or 0600. Everything else is
//   written in place: devices, pipes, files that are mounted there, and files in a directory where
//   no other may be made.
// - A symbolic link stays and is followed, anywhere in a path, if root or this user has made it. So
//   the user that a daemon runs as cannot lead its root to another file.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace nfovpn::host {

/// Makes @p text the contents of a file, see the head of this file. An error text if that fails.
std::optional<std::string> write_file(const std::string& path, const std::string& text);

/// Why a path must not be opened for writing; nothing if it may.
std::optional<std::string> why_not_to_write(const std::string& path);

/// The file of writepid, as long as the object lives; an empty path is none.
class PidFile {
public:
    /// Throws std::runtime_error.
    explicit PidFile(std::string path);
    /// Removes a regular file that is still the same.
    ~PidFile();
    PidFile(const PidFile&) = delete;
    PidFile& operator=(const PidFile&) = delete;

private:
    std::string path_;
    bool regular_ = false;
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

} // namespace nfovpn::host
