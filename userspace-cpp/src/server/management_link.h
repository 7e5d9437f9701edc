// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the management interface knows of a server, and what it may do to it.
#pragma once

#include "management/server_protocol.h"
#include "server/core.h"
#include "server/status.h"

#include <functional>

namespace nfovpn::server {

/// The variables of a client, by the names that OpenVPN's scripts know; of one that is gone also
/// how long it was there and its bytes.
management::Environment client_environment(const ClientStatus& client, bool gone);

/// See the head of this file.
class ManagementLink final : public ClientObserver, private management::ServerActions {
public:
    struct Hooks {
        std::function<StatusReport()> report;
        std::function<void()> changed; ///< the core was told something: what it sends is to leave
    };

    /// @p protocol and @p core must outlive the object.
    ManagementLink(management::ServerProtocol& protocol, ServerCore& core, int status_version,
                   Hooks hooks);
    ~ManagementLink() override;
    ManagementLink(const ManagementLink&) = delete;
    ManagementLink& operator=(const ManagementLink&) = delete;

    /// What "status" has, unless it is told.
    void set_status_version(int version) { status_version_ = version; }

    void connected(const ClientStatus& client) override;
    void disconnected(const ClientStatus& client) override;

private:
    std::string status(int version) override;
    management::Load load() override;
    std::vector<management::Traffic> traffic() override;
    std::size_t kill_by_name(const std::string& common_name) override;
    std::size_t kill_by_remote(const Endpoint& remote, bool tcp) override;
    bool kill_by_id(std::uint64_t client_id, const std::string& message) override;

    management::ServerProtocol& protocol_;
    ServerCore& core_;
    int status_version_;
    Hooks hooks_;
    std::size_t clients_ = 0; ///< that are up
    std::uint64_t rx_bytes_of_gone_ = 0;
    std::uint64_t tx_bytes_of_gone_ = 0;
};

} // namespace nfovpn::server
