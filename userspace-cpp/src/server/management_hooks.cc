// SPDX-License-Identifier: GPL-2.0-or-later
//
// Users verified by the management interface; see management_hooks.h.

#include "server/management_hooks.h"

#include "server/client_files.h"
#include "util/log.h"

#include <asio/post.hpp>
#include <fmt/format.h>

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

ManagementHooks::ManagementHooks(management::Protocol& protocol, ClientHooks& before,
                                 bool before_verifies, asio::io_context& context,
                                 std::function<void()> settle)
    : protocol_(protocol), before_(before), before_verifies_(before_verifies), context_(context),
      settle_(std::move(settle)) {}

void ManagementHooks::verify_user(ClientId client, const Environment& environment,
                                  const std::string& username, ByteView password, Verified done) {
    auto pending = std::make_shared<management::PendingAuth>();
    pending->client_id = client;
    pending->key_id = asked_[client]++;
    pending->again = pending->key_id > 0;
    pending->username = username;
    pending->password = SecretBytes(password);
    for (const auto& [name, value] : environment)
        pending->env.push_back(fmt::format("{}={}", name, value));
    if (!before_verifies_) {
        ask(std::move(*pending), std::move(done));
        return;
    }
    before_.verify_user(client, environment, username, password,
                        [this, pending, done = std::move(done)](
                            Result<ClientSettings, session::Refusal> answer, TimePoint when) {
                            if (answer && asked_.contains(pending->client_id))
                                ask(std::move(*pending), done);
                            else
                                done(std::move(answer), when);
                        });
}

void ManagementHooks::ask(management::PendingAuth pending, Verified done) {
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
            log::warning("client-deny: {}", denied->reason);
            later(session::Refusal{denied->client_reason.empty() ? "user name or password is wrong"
                                                                 : denied->client_reason});
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

void ManagementHooks::forget(ClientId client) {
    if (asked_.erase(client) > 0)
        protocol_.forget(client);
    before_.forget(client);
}

} // namespace nfovpn::server
