// SPDX-License-Identifier: GPL-2.0-or-later
//
// OpenVPN's plug-ins as hooks, before the administrator's programs, as with OpenVPN:
//
//     TLS_VERIFY for each certificate ─▶ AUTH_USER_PASS_VERIFY ─▶ programs ─▶ TLS_FINAL ─▶ IPCHANGE
//     CLIENT_CONNECT ─▶ CLIENT_CONNECT_V2 ─▶ program
//     LEARN_ADDRESS  ─▶ program
//     CLIENT_DISCONNECT ─▶ program
//
// A plug-in may answer later: about a user in the file auth_control_file ("1", or anything else for
// no), about a client that connects when it is called again for CLIENT_CONNECT_DEFER or _DEFER_V2,
// or by the file client_connect_deferred_file. Nobody waits for longer than the client's handshake.
#pragma once

#include "host/plugin_process.h"
#include "server/hooks.h"
#include "server/temporary_file.h"
#include "util/secret.h"

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace nfovpn::server {

/// What plug-ins are told by a configuration.
struct PluginSettings {
    std::string directory = "/tmp";   ///< for the files
    Environment environment;          ///< the same for all
    std::chrono::seconds longest{60}; ///< until an answer that is put off
};

class PluginHooks final : public ClientHooks {
public:
    /// @p programs are asked behind the plug-ins, about users only if @p programs_verify. All that
    /// is given by reference must outlive the object.
    PluginHooks(PluginSettings settings, host::PluginCalls& calls, ClientHooks& programs,
                bool programs_verify, asio::io_context& context, std::function<void()> settle);

    void present(ClientId client, const std::vector<Bytes>& certificates) override;
    void verify_user(ClientId client, const Environment& environment, const std::string& username,
                     ByteView password, Verified done) override;
    void verify_certificates(ClientId client, const Environment& environment,
                             Verified done) override;
    void connect(ClientId client, const Environment& environment, Connected done) override;
    void disconnect(ClientId client, const Environment& environment) override;
    void learn_addresses(ClientId client, const std::vector<std::string>& addresses,
                         const Environment& environment, AddressesLearned done) override;
    void forget_address(const std::string& address, const Environment& environment) override;
    [[nodiscard]] bool busy() const override;
    void forget(ClientId client) override;

    void reconfigure(PluginSettings settings) { settings_ = std::move(settings); }

private:
    struct User;
    struct Connection;
    /// What is looked at again and again, until it is true.
    struct Waiting {
        ClientId client = 0;
        std::function<bool(TimePoint now)> look;
    };

    [[nodiscard]] plugin::Request request(plugin::Hook hook, ClientId client,
                                          const Environment& environment) const;
    void ask(plugin::Request request, host::PluginCalls::Done done);
    void begin(const std::shared_ptr<User>& user);
    void verify_certificate(const std::shared_ptr<User>& user, int depth);
    void verify_name(const std::shared_ptr<User>& user);
    void name_answered(const std::shared_ptr<User>& user, const plugin::Answer& answer);
    void name_deferred(const std::shared_ptr<User>& user);
    void ask_programs(const std::shared_ptr<User>& user);
    void tell_address(const std::shared_ptr<User>& user);
    void verify_last(const std::shared_ptr<User>& user, ClientSettings settings);
    void connect_v1(const std::shared_ptr<Connection>& connection, bool again);
    void connect_v2(const std::shared_ptr<Connection>& connection, bool again);
    void connect_programs(const std::shared_ptr<Connection>& connection);
    void wait(ClientId client, std::function<bool(TimePoint now)> look);
    void arm();

    PluginSettings settings_;
    host::PluginCalls& calls_;
    ClientHooks& programs_;
    bool programs_verify_;
    std::function<void()> settle_;
    asio::io_context& context_;
    asio::steady_timer timer_;
    bool armed_ = false;
    std::list<Waiting> waiting_;
    std::unordered_set<ClientId> told_; ///< plug-ins know where these are
    std::unordered_set<ClientId> here_; ///< clients that have not gone
    std::unordered_map<ClientId, std::vector<Bytes>> certificates_;
};

} // namespace nfovpn::server
