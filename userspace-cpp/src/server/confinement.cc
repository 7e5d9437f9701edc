// SPDX-License-Identifier: GPL-2.0-or-later
//
// Privileges and system calls given up, see confinement.h.

#include "server/confinement.h"

#include "util/log.h"
#include "util/syscall_filter.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace nfovpn::server {

namespace {

std::string directory_of(const std::string& path) {
    auto directory = std::filesystem::path(path).parent_path().string();
    return directory.empty() ? "." : directory;
}

} // namespace

std::vector<std::string> unusable_paths(const config::ServerConfig& c) {
    std::vector<std::string> out;
    auto check = [&out](const char* option, const std::string& path, int mode,
                        const char* consequence) {
        if (faccessat(AT_FDCWD, path.c_str(), mode, AT_EACCESS) != 0)
            out.push_back(std::string(option) + ": " + path + ": " + std::strerror(errno) + ": " +
                          consequence);
    };
    if (!c.client_config_dir.empty())
        check("client-config-dir", c.client_config_dir, R_OK | X_OK, "no client will be let in");
    if (!c.crl_file.empty())
        check("crl-verify", c.crl_file, R_OK, "when it has been changed no client will be let in");
    if (!c.status_file.empty())
        check("status", directory_of(c.status_file), W_OK | X_OK, "the status will not be written");
    if (!c.pid_file.empty())
        check("writepid", directory_of(c.pid_file), W_OK | X_OK,
              "the file will be left over at the end");
    if (!c.control_socket.empty())
        check("nf-control", directory_of(c.control_socket), W_OK | X_OK,
              "the socket will be left over at the end");
    return out;
}

void confine(const config::ServerConfig& c) {
    static bool confined = false;
    if (confined)
        return;
    confined = true;
    if (auto failed = drop_privileges(c.run_as))
        throw std::runtime_error("privileges cannot be dropped: " + *failed);
    if (c.run_as)
        log::info("running as user {}, group {}", c.run_as->user, c.run_as->group);
    for (const auto& path : unusable_paths(c))
        log::warning("{}", path);
    if (!c.seccomp)
        return;
    auto failed =
        install_syscall_filter(c.runs_programs ? FilterFor::DaemonWithScripts : FilterFor::Daemon);
    if (failed && !failed->no_support)
        throw std::runtime_error("seccomp: " + failed->what);
    if (failed)
        log::warning("seccomp: {}: system calls are not filtered", failed->what);
}

} // namespace nfovpn::server
