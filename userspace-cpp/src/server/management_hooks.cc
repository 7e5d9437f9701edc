// SPDX-License-Identifier: GPL-2.0-or-later
//
// Users verified by the management interface; see management_hooks.h.

#include "server/management_hooks.h"

#include "server/client_files.h"
#include "util/log.h"

#include <asio/post.hpp>

#include <chrono>
#include <memory>
#include <utility>
#include <variant>

namespace nfovpn::server {

namespace {

TimePoint now() {
    return std::chrono::steady_clock::now();
}

} // namespace

ManagementHooks::ManagementHooks(management::ServerProtocol& protocol, ClientHooks& before,
                                 bool before_verifies, asio::io_context& context,
                                 std::function<void()> settle)
    : ChainedHooks(before, before_verifies), protocol_(protocol), context_(context),
      settle_(std::move(settle)) {}

void ManagementHooks::ask(User user, Verified done) {
    management::PendingAuth pending;
    pending.client_id = user.client;
    pending.key_id = asked_[user.client]++;
    pending.again = pending.key_id > 0;
    pending.username = user.name;
    pending.password = std::move(user.password);
    pending.env = management::lines_of(user.environment);
    // The answer comes in the middle of a command; it has its effects when that has ended.
    const auto later = [this,
                        done = std::move(done)](Result<ClientSettings, session::Refusal> answer) {
        auto shared = std::make_shared<Result<ClientSettings, session::Refusal>>(std::move(answer));
        asio::post(context_, [this, done, shared] {
            done(std::move(*shared), now());
            settle_();
        });
    };
    protocol_.authenticate(pending, [later](const management::AuthOutcome& outcome) {
        if (const auto* denied = std::get_if<management::Denied>(&outcome)) {
            log::peer_warning("client-deny: {}", denied->reason);
            if (denied->client_reason.empty())
                later(session::Refusal{"user name or password is wrong"});
            else
                later(session::Refusal{denied->client_reason, false, true});
            return true;
        }
        const auto* allowed = std::get_if<management::Allowed>(&outcome);
        if (!allowed)
            return false;
        std::string text;
        for (const auto& line : allowed->directives)
            text += line + "\n";
        auto settings = parse_client_settings("client-auth", text);
        const bool good = settings.has_value();
        if (good)
            later(std::move(*settings));
        else
            later(session::Refusal{"the server cannot read its settings for this client", true});
        return good;
    });
}

void ManagementHooks::forgotten(ClientId client) {
    if (asked_.erase(client) > 0)
        protocol_.forget(client);
}

} // namespace nfovpn::server
