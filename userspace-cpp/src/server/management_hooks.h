// SPDX-License-Identifier: GPL-2.0-or-later
//
// Users verified by the client of the management interface (management-client-auth).
#pragma once

#include "management/server_protocol.h"
#include "server/chained_hooks.h"

#include <asio/io_context.hpp>

#include <functional>
#include <unordered_map>

namespace nfovpn::server {

class ManagementHooks final : public ChainedHooks {
public:
    /// @p settle is called after every answer. All that is given by reference must outlive the
    /// object.
    ManagementHooks(management::ServerProtocol& protocol, ClientHooks& before, bool before_verifies,
                    asio::io_context& context, std::function<void()> settle);

private:
    void ask(User user, Verified done) override;
    void forgotten(ClientId client) override;

    management::ServerProtocol& protocol_;
    asio::io_context& context_;
    std::function<void()> settle_;
    std::unordered_map<ClientId, std::uint32_t> asked_; ///< how often
};

} // namespace nfovpn::server
