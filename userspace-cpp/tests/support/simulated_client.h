// SPDX-License-Identifier: GPL-2.0-or-later
//
// Our client on the simulated network: its core, with a host that knows names by heart, opens
// sockets at once and writes down what becomes of the device.
//
//     ClientCore ─ SimulatedClient ─ Simulation ─ ServerCore
//          └ RecordingDataPlane            └ RecordingDataPlane
#pragma once

#include "client/core.h"
#include "support/simulation.h"

#include <deque>
#include <functional>

namespace nfovpn::test {

class SimulatedClient final : public Node, private client::ClientHost {
public:
    /// With a certificate of that name. @p settings without remotes: the server's.
    SimulatedClient(Simulation& sim, const std::string& name, client::ClientSettings settings = {});
    ~SimulatedClient() override;

    void start();
    void receive(ByteView datagram, TimePoint now) override;
    void tick(TimePoint now) override;
    [[nodiscard]] TimePoint deadline() const override;

    /// Sends a data packet; false if there is no key.
    bool send_data(ByteView plaintext);

    [[nodiscard]] bool up() const { return core->phase() == client::Phase::Up; }

    /// What a name means; nothing for one that does not exist.
    std::function<std::vector<Endpoint>(const config::Remote&)> names;
    /// Called with the core before it starts.
    std::function<void(client::ClientCore&)> on_core = [](client::ClientCore&) {};
    bool refuse_set_up = false;
    bool refuse_keep = false;
    std::vector<std::string> calls; ///< "resolve vpn", "open 192.0.2.1:1194 udp", "set up 10.8.0.2"
    std::optional<client::Tunnel> tunnel; ///< that is set up
    RecordingDataPlane plane;             ///< of this try
    std::vector<Bytes> received;          ///< plaintext of data packets
    Endpoint endpoint;                    ///< of this try
    session::TlsConfig tls_config;
    std::unique_ptr<session::TlsContext> tls;
    std::unique_ptr<client::ClientCore> core;

private:
    void resolve(const config::Remote& remote) override;
    void open(const Endpoint& at, const config::Remote& remote) override;
    void close() override;
    void send(const Path& path, ByteView datagram) override;
    dataplane::DataPlane& data_plane() override { return plane; }
    bool set_up(const client::Tunnel& what) override;
    void take_down() override;
    bool keep(const client::Tunnel& what) override;
    void announce(std::uint32_t peer_id) override {
        calls.push_back("announce " + std::to_string(peer_id));
    }
    void connected() override { calls.emplace_back("connected"); }

    Simulation& sim_;
    client::ClientSettings settings_;
    std::deque<std::function<void()>> answers_;
    std::uint16_t next_port_ = 50000;
    Endpoint remote_;
};

} // namespace nfovpn::test
