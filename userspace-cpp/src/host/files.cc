// SPDX-License-Identifier: GPL-2.0-or-later
//
// Files that daemons write; see files.h.

#include "host/files.h"

#include "util/log.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace nfovpn::host {

std::optional<std::string> write_file(const std::string& path, const std::string& text) {
    auto temporary = path + ".new";
    std::ofstream out(temporary, std::ios::trunc);
    out << text;
    out.close();
    if (!out || std::rename(temporary.c_str(), path.c_str()) != 0) {
        std::string why = path + ": " + std::strerror(errno);
        std::remove(temporary.c_str());
        return why;
    }
    return std::nullopt;
}

PidFile::PidFile(std::string path) : path_(std::move(path)) {
    if (path_.empty())
        return;
    if (auto failed = write_file(path_, std::to_string(getpid()) + "\n"))
        throw std::runtime_error("writepid: " + *failed);
}

PidFile::~PidFile() {
    if (!path_.empty() && std::remove(path_.c_str()) != 0)
        log::warning("writepid: {} is left over: {}", path_, std::strerror(errno));
}

} // namespace nfovpn::host
