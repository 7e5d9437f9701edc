// SPDX-License-Identifier: GPL-2.0-or-later
//
// Users verified by the client of the management interface (management-client-auth), after those
// who verify them otherwise: everybody must agree. All other questions pass through.
#pragma once

#include "management/protocol.h"
#include "server/hooks.h"

#include <asio/io_context.hpp>

#include <functional>
#include <unordered_map>

namespace nfovpn::server {

class ManagementHooks final : public ClientHooks {
public:
    /// @p before is asked first, about users only if @p before_verifies. @p settle is called after
    /// every answer. All that is given by reference must outlive the object.
    ManagementHooks(management::Protocol& protocol, ClientHooks& before, bool before_verifies,
                    asio::io_context& context, std::function<void()> settle);

    void verify_user(ClientId client, const Environment& environment, const std::string& username,
                     ByteView password, Verified done) override;
    void connect(ClientId client, const Environment& environment, Connected done) override {
        before_.connect(client, environment, std::move(done));
    }
    void disconnect(const Environment& environment) override { before_.disconnect(environment); }
    void learn_address(Learned what, const std::string& address,
                       const Environment& environment) override {
        before_.learn_address(what, address, environment);
    }
    void forget(ClientId client) override;

private:
    void ask(management::PendingAuth pending, Verified done);

    management::Protocol& protocol_;
    ClientHooks& before_;
    bool before_verifies_;
    asio::io_context& context_;
    std::function<void()> settle_;
    std::unordered_map<ClientId, std::uint32_t> asked_; ///< how often
};

} // namespace nfovpn::server
