// SPDX-License-Identifier: GPL-2.0-or-later
//
// A file that is read again when somebody has changed it, such as a revocation list. Nothing waits
// for that: it is noticed when the file is asked for.
#pragma once

#include "util/result.h"

#include <cstdint>
#include <optional>
#include <string>

namespace nfovpn::config {

/// See the head of this file.
class WatchedFile {
public:
    explicit WatchedFile(std::string path) : path_(std::move(path)) {}

    /// Why a file cannot be read.
    struct Unreadable {
        std::string why;
    };

    /// The text, the first time and after each change; otherwise nothing. A file that cannot be
    /// read, for lack of rights or of descriptors, has not been read: it is tried again each time.
    Result<std::optional<std::string>, Unreadable> changed();

private:
    /// What tells one state of a file from another.
    struct Version {
        std::uint64_t device = 0;
        std::uint64_t inode = 0;
        std::int64_t size = -1; ///< of no file
        std::int64_t seconds = 0;
        std::int64_t nanoseconds = 0;

        bool operator==(const Version&) const = default;
    };

    [[nodiscard]] Version version() const;

    std::string path_;
    std::optional<Version> last_;
};

} // namespace nfovpn::config
