// SPDX-License-Identifier: GPL-2.0-or-later
//
// Between the management interface and a client's core: what the core does is told there, and what
// is commanded or answered there is done.
#pragma once

#include "client/core.h"
#include "client/terminal_link.h"
#include "management/client_protocol.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nfovpn::client {

/// See the head of this file.
class ManagementLink final : private ClientObserver, private management::ClientActions {
public:
    /// @p protocol and @p core must outlive the object. @p changed is called when the core was told
    /// something: what it sends is to leave.
    /// @p asker: who asks for name and password in place of the management client; null: nobody.
    ManagementLink(management::ClientProtocol& protocol, ClientCore& core,
                   std::optional<config::StaticChallenge> challenge, std::function<void()> changed,
                   TerminalLink* asker = nullptr);
    ~ManagementLink() override;
    ManagementLink(const ManagementLink&) = delete;
    ManagementLink& operator=(const ManagementLink&) = delete;

private:
    void state(management::State state, const management::StateDetails& details) override;
    void echo(std::string_view text) override;
    void information(std::string_view text) override;
    void refused(std::string_view reason) override;
    bool hold(std::chrono::seconds pause) override;
    void ask_remote(const config::Remote& remote) override;
    void ask_user() override;
    void withdraw() override;

    std::string status(int version) override;
    management::Load load() override;
    management::SessionBytes bytes() override;
    std::vector<config::Remote> remotes() override;
    config::AuthRetry auth_retry() override;
    void set_auth_retry(config::AuthRetry retry) override;
    void forget_passwords() override;
    bool send_message(const std::string& text) override;
    void hold_released() override;
    void remote_accepted(const std::string& host, std::uint16_t port) override;
    void remote_skipped(std::uint32_t count) override;
    void told_user(std::string username, SecretBytes password) override;

    management::ClientProtocol& protocol_;
    ClientCore& core_;
    std::optional<config::StaticChallenge> challenge_;
    std::function<void()> changed_;
    TerminalLink* asker_;
};

/// OpenVPN's report of a client, which is the same in all versions. What went through the device is
/// not counted and is zero, as OpenVPN has it when the kernel carries the packets.
std::string format_client_status(const ClientReport& report, std::int64_t unix_time);

} // namespace nfovpn::client
