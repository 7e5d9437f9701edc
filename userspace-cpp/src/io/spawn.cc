// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a program is started with; see spawn.h.

#include "io/spawn.h"

#include <fcntl.h>

#include <csignal>

namespace nfovpn::io {

namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    out.reserve(texts.size() + 1);
    for (auto& text : texts)
        out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

} // namespace

Spawn::Spawn(int input, Group group) {
    posix_spawn_file_actions_init(&files_);
    if (input >= 0)
        posix_spawn_file_actions_adddup2(&files_, input, 0);
    else
        posix_spawn_file_actions_addopen(&files_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files_, 3);
    posix_spawnattr_init(&attributes_);
    // The daemon ignores SIGPIPE, which a program would inherit.
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    const int in_group = group == Group::Own ? POSIX_SPAWN_SETPGROUP : 0;
    posix_spawnattr_setflags(&attributes_, static_cast<short>(POSIX_SPAWN_SETSIGMASK |
                                                              POSIX_SPAWN_SETSIGDEF | in_group));
}

Spawn::~Spawn() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
}

int Spawn::start(std::vector<std::string>& words, std::vector<std::string>& environment,
                 pid_t& child) {
    auto argv = pointers(words);
    auto envp = pointers(environment);
    return posix_spawn(&child, argv[0], &files_, &attributes_, argv.data(), envp.data());
}

} // namespace nfovpn::io
