// SPDX-License-Identifier: GPL-2.0-or-later
//
// Files that daemons write.
#pragma once

#include <optional>
#include <string>

namespace nfovpn::host {

/// Replaces a file by @p text in one step. An error text if that fails.
std::optional<std::string> write_file(const std::string& path, const std::string& text);

/// The file of writepid, as long as the object lives; an empty path is none.
class PidFile {
public:
    /// Throws std::runtime_error.
    explicit PidFile(std::string path);
    ~PidFile();
    PidFile(const PidFile&) = delete;
    PidFile& operator=(const PidFile&) = delete;

private:
    std::string path_;
};

} // namespace nfovpn::host
