// SPDX-License-Identifier: GPL-2.0-or-later
//
// Privileges and system calls given up, see confinement.h.

#include "host/confinement.h"

#include "util/log.h"
#include "util/syscall_filter.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace nfovpn::host {

std::size_t raise_descriptor_limit(std::size_t wanted) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    const auto before = limit.rlim_cur;
    limit.rlim_cur = std::max<rlim_t>(before, std::min<rlim_t>(wanted, limit.rlim_max));
    // After privileges are given up the limit of a daemon before this one is there.
    if (limit.rlim_cur != before && setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return before;
    return limit.rlim_cur;
}

std::string directory_of(const std::string& path) {
    auto directory = std::filesystem::path(path).parent_path().string();
    return directory.empty() ? "." : directory;
}

std::vector<std::string> unusable_paths(const std::vector<LaterPath>& paths) {
    std::vector<std::string> out;
    for (const auto& p : paths) {
        if (!p.path.empty() && faccessat(AT_FDCWD, p.path.c_str(), p.mode, AT_EACCESS) != 0)
            out.push_back(std::string(p.option) + ": " + p.path + ": " + std::strerror(errno) +
                          ": " + p.consequence);
    }
    return out;
}

LaterPath later_file(const char* option, const std::string& path, const char* consequence) {
    struct stat there {};
    const bool in_place =
        !path.empty() && stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode);
    if (path.empty() || in_place)
        return {option, path, W_OK, consequence};
    return {option, directory_of(path), W_OK | X_OK, consequence};
}

std::vector<LaterPath> later_paths(const config::CommonConfig& c) {
    return {{"crl-verify", c.crl_file, R_OK, "when it has been changed no peer will be let in"},
            later_file("writepid", c.pid_file, "the file will be left over at the end")};
}

void confine(const config::CommonConfig& c, const std::vector<LaterPath>& paths, bool names) {
    static bool confined = false;
    if (confined)
        return;
    confined = true;
    if (auto failed = drop_privileges(c.run_as))
        throw std::runtime_error("privileges cannot be dropped: " + *failed);
    if (c.run_as)
        log::info("running as user {}, group {}", c.run_as->user, c.run_as->group);
    for (const auto& path : unusable_paths(paths))
        log::warning("{}", path);
    if (!c.seccomp)
        return;
    auto failed = install_syscall_filter(c.runs_programs ? FilterFor::DaemonWithScripts
                                         : names         ? FilterFor::DaemonWithNames
                                                         : FilterFor::Daemon);
    if (failed && !failed->no_support)
        throw std::runtime_error("seccomp: " + failed->what);
    if (failed)
        log::warning("seccomp: {}: system calls are not filtered", failed->what);
}

} // namespace nfovpn::host
