// SPDX-License-Identifier: GPL-2.0-or-later
//
// Between a client's core and whoever has started it; see terminal_link.h.

#include "client/terminal_link.h"

#include <utility>

namespace nfovpn::client {

void TerminalLink::ask_user() {
    asker_.ask(question_, [this](Result<UserAnswer, NotAnswered> answer) {
        const auto now = std::chrono::steady_clock::now();
        if (answer)
            core_.told_user(std::move(answer->username), std::move(answer->password), now);
        else
            core_.not_told_user(answer.error().why, now);
        changed_();
    });
}

} // namespace nfovpn::client
