// SPDX-License-Identifier: GPL-2.0-or-later
//
// Between the management interface and a server's core; see management_link.h.

#include "server/management_link.h"

#include "util/local_time.h"

#include <utility>

namespace nfovpn::server {

namespace {

TimePoint now() {
    return std::chrono::steady_clock::now();
}

} // namespace

management::Environment client_environment(const ClientStatus& client, bool gone) {
    management::Environment out;
    auto set = [&out](const std::string& name, const std::string& value) {
        out.push_back(name + "=" + value);
    };
    set("common_name", client.common_name);
    if (!client.username.empty())
        set("username", client.username);
    set(client.remote.address.is_ipv4() ? "trusted_ip" : "trusted_ip6",
        to_string(client.remote.address));
    set("trusted_port", std::to_string(client.remote.port));
    for (const auto& [name, value] : client.pool)
        set(name, value);
    set("time_ascii", local_time(client.connected_since));
    set("time_unix", std::to_string(client.connected_since));
    if (gone) {
        set("bytes_received", std::to_string(client.rx_bytes));
        set("bytes_sent", std::to_string(client.tx_bytes));
        set("time_duration",
            std::to_string(
                std::chrono::duration_cast<std::chrono::seconds>(client.connected_for).count()));
    }
    return out;
}

ManagementLink::ManagementLink(management::ServerProtocol& protocol, ServerCore& core,
                               int status_version, Hooks hooks)
    : protocol_(protocol), core_(core), status_version_(status_version), hooks_(std::move(hooks)) {
    core_.observe(this);
    protocol_.serve(this);
}

ManagementLink::~ManagementLink() {
    protocol_.serve(nullptr);
    core_.observe(nullptr);
}

void ManagementLink::connected(const ClientStatus& client) {
    clients_++;
    protocol_.address(client.client_id, ipv4_prefix(client.address, 32), true);
    if (client.address6)
        protocol_.address(client.client_id, ipv6_prefix(*client.address6, 128), true);
    for (const auto& network : client.networks)
        protocol_.address(client.client_id, network, false);
    auto env = client_environment(client, false);
    env.insert(env.begin(), "n_clients=" + std::to_string(clients_));
    protocol_.established(client.client_id, env);
}

void ManagementLink::disconnected(const ClientStatus& client) {
    clients_--;
    rx_bytes_of_gone_ += client.rx_bytes;
    tx_bytes_of_gone_ += client.tx_bytes;
    protocol_.forget(client.client_id);
    protocol_.gone(client.client_id, client_environment(client, true));
}

std::string ManagementLink::status(int version) {
    return format_openvpn_status(hooks_.report(), version == 0 ? status_version_ : version);
}

management::Load ManagementLink::load() {
    management::Load out{clients_, rx_bytes_of_gone_, tx_bytes_of_gone_};
    for (const auto& client : core_.clients(now())) {
        out.rx_bytes += client.rx_bytes;
        out.tx_bytes += client.tx_bytes;
    }
    return out;
}

std::vector<management::Traffic> ManagementLink::traffic() {
    std::vector<management::Traffic> out;
    for (const auto& client : core_.clients(now()))
        out.push_back({client.client_id, client.rx_bytes, client.tx_bytes});
    return out;
}

std::size_t ManagementLink::kill_by_name(const std::string& common_name) {
    const auto count = core_.kill_by_name(common_name, now());
    hooks_.changed();
    return count;
}

std::size_t ManagementLink::kill_by_remote(const Endpoint& remote, bool tcp) {
    const auto count = core_.kill_by_remote(remote, tcp, now());
    hooks_.changed();
    return count;
}

bool ManagementLink::kill_by_id(std::uint64_t client_id, const std::string& message) {
    const bool found = core_.kill_by_id(client_id, message, now());
    hooks_.changed();
    return found;
}

} // namespace nfovpn::server
