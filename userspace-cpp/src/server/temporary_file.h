// SPDX-License-Identifier: GPL-2.0-or-later
//
// Files by which the daemon and programs or plug-ins of the administrator talk.
#pragma once

#include "util/bytes.h"

#include <cstddef>
#include <memory>
#include <string>

namespace nfovpn::server {

/// A file of our own that goes with its owner. What it held is overwritten: it may be a password.
class TemporaryFile {
public:
    /// Nothing, with the reason in the log, if there cannot be one.
    static std::shared_ptr<TemporaryFile> create(const std::string& directory, ByteView text = {});
    ~TemporaryFile();
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    /// What somebody has written there, at most @p limit bytes.
    [[nodiscard]] std::string text(std::size_t limit) const;

private:
    TemporaryFile(std::string path, int fd, std::size_t size)
        : path_(std::move(path)), fd_(fd), size_(size) {}

    std::string path_;
    int fd_;
    std::size_t size_;
};

} // namespace nfovpn::server
