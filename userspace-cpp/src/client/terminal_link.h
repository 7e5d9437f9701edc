// SPDX-License-Identifier: GPL-2.0-or-later
//
// Between a client's core and whoever has started it: name and password are asked for by asking.h.
// There is nobody to be told of anything but by the log.
#pragma once

#include "client/asking.h"
#include "client/core.h"

#include <functional>
#include <optional>

namespace nfovpn::client {

/// See the head of this file.
class TerminalLink final : public ClientObserver {
public:
    /// All must outlive the object. @p changed is called when the core was told something.
    TerminalLink(Asker& asker, ClientCore& core, UserQuestion question,
                 std::function<void()> changed)
        : asker_(asker), core_(core), question_(std::move(question)), changed_(std::move(changed)) {
    }

    void state(management::State, const management::StateDetails&) override {}
    void echo(std::string_view) override {}
    void information(std::string_view) override {}
    void refused(std::string_view) override {}
    bool hold(std::chrono::seconds) override { return false; }
    void ask_remote(const config::Remote&) override {}
    void ask_user() override;
    void withdraw() override { asker_.withdraw(); }

private:
    Asker& asker_;
    ClientCore& core_;
    UserQuestion question_;
    std::function<void()> changed_;
};

} // namespace nfovpn::client
