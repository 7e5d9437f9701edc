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

#include "util/descriptor.h"
#include "util/result.h"

#include <sys/types.h>

#include <optional>
#include <string>

namespace nfovpn::host {

/// Makes @p text the contents of a file, see the head of this file. An error text if that fails.
std::optional<std::string> write_file(const std::string& path, const std::string& text);

/// Why a path must not be opened for writing; nothing if it may.
std::optional<std::string> why_not_to_write(const std::string& path);

/// Why a file cannot be read.
struct FileError {
    std::string what;
};

/// A file that is written again and again, also when there are no rights any more to make another
/// one in its directory: it is opened while there are. Then it is written in place, and whoever
/// reads it at that moment may see a part.
class KeptFile {
public:
    /// Opens a regular file, and makes it if it is to be written and is not there. Whether that is
    /// possible write() and read() say.
    KeptFile(std::string path, bool writable);

    [[nodiscard]] const std::string& path() const { return path_; }

    /// Makes @p text its contents, see write_file(). An error text if that fails.
    std::optional<std::string> write(const std::string& text);
    /// What it has; empty if it is not there, or no regular file. An error text if it cannot be
    /// read.
    [[nodiscard]] Result<std::string, FileError> read() const;

private:
    int reopen();

    std::string path_;
    bool writable_;
    Descriptor file_; ///< a regular one, or none
    int error_ = 0;   ///< why it is not open
};

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
