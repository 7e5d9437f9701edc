// SPDX-License-Identifier: GPL-2.0-or-later
//
// System calls that the process will not make any more: a filter (seccomp) that it cannot take
// away.
//
// A daemon that starts no programs has an allow-list. What is not on it fails with EPERM and is
// written to the kernel's audit log, instead of ending the process: another release of a library
// may use a call that is new to us, and many tunnels should not go down for that. What no library
// does by itself, but somebody who has taken over the process would, such as starting a program,
// ends it.
//
// A filter holds for the programs that a process starts as well, and nobody knows what a script
// needs. So a daemon with scripts is only denied what would change the system beneath it: modules,
// mounts, other processes' memory and the like.
#pragma once

#include <optional>
#include <string>

namespace nfovpn {

/// What a process still has to do.
enum class FilterFor {
    Daemon,            ///< sockets, files, time; no programs, threads or executable memory
    DaemonWithNames,   ///< as that, and looks up names: threads, and libraries that are loaded then
    DaemonWithScripts, ///< programs
};

/// Why there is no filter.
struct FilterFailure {
    bool no_support = false; ///< the kernel cannot do it
    std::string what;
};

/// Installs the filter, for all threads. Needs no_new_privs or CAP_SYS_ADMIN; call it when
/// everything is set up.
std::optional<FilterFailure> install_syscall_filter(FilterFor what);

} // namespace nfovpn
