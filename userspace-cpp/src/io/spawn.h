// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a program is started with: a process group of its own, no signal blocked or ignored, no open
// file of this process but the standard ones.
#pragma once

#include <spawn.h>
#include <sys/types.h>

#include <string>
#include <vector>

namespace nfovpn::io {

/// See the head of this file.
class Spawn {
public:
    enum class Group { Own, Ours };

    /// @p input becomes the program's standard input; -1: it has none. In our process group it
    /// shares our terminal.
    explicit Spawn(int input = -1, Group group = Group::Own);
    ~Spawn();
    Spawn(const Spawn&) = delete;
    Spawn& operator=(const Spawn&) = delete;

    /// Starts the program words[0] with @p environment, lines of "NAME=VALUE". An errno, or 0 and
    /// the child.
    int start(std::vector<std::string>& words, std::vector<std::string>& environment, pid_t& child);

private:
    posix_spawn_file_actions_t files_{};
    posix_spawnattr_t attributes_{};
};

} // namespace nfovpn::io
