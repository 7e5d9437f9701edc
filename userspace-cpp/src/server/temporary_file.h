// SPDX-License-Identifier: GPL-2.0-or-later
//
// Files by which the daemon and programs or plug-ins of the administrator talk.
#pragma once

#include "util/bytes.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace nfovpn::server {

/// A file of our own that goes with its owner. What it held is overwritten: it may be a password.
/// It is not kept open: a client whose answer comes later shall not cost descriptors.
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
    /// By its first character, OpenVPN's way to answer by a file: '1' is yes and '0' is no, '2' is
    /// later, and so is a file that is still empty.
    [[nodiscard]] std::optional<bool> answer() const;

private:
    TemporaryFile(std::string path, std::size_t size) : path_(std::move(path)), size_(size) {}

    std::string path_;
    std::size_t size_;
};

} // namespace nfovpn::server
