// SPDX-License-Identifier: GPL-2.0-or-later
//
// Our client on the simulated network; see simulated_client.h.

#include "support/simulated_client.h"

#include <algorithm>

namespace nfovpn::test {

SimulatedClient::SimulatedClient(Simulation& sim, const std::string& name,
                                 client::ClientSettings settings)
    : endpoint{Ipv4{0xc6336464}, 0}, tls_config(sim.authority.config(wire::Role::Client, name)),
      sim_(sim), settings_(std::move(settings)) {
    if (settings_.remotes.empty()) {
        config::Remote remote;
        remote.host = "vpn";
        settings_.remotes.push_back(remote);
    }
    names = [](const config::Remote&) { return std::vector<Endpoint>{kServerEndpoint}; };
}

SimulatedClient::~SimulatedClient() {
    sim_.detach(endpoint);
}

void SimulatedClient::start() {
    tls = make_context(tls_config);
    core = std::make_unique<client::ClientCore>(settings_, *tls,
                                                static_cast<client::ClientHost&>(*this));
    sim_.attach(endpoint, *this);
    on_core(*core);
    core->start(sim_.now);
}

void SimulatedClient::resolve(const config::Remote& remote) {
    calls.push_back("resolve " + remote.host);
    answers_.emplace_back(
        [this, remote] { core->resolved(names(remote), "no such name", sim_.now); });
}

void SimulatedClient::open(const Endpoint& at, const config::Remote& remote) {
    calls.push_back("open " + to_string(at) + (remote.tcp ? " tcp" : " udp"));
    remote_ = at;
    sim_.detach(endpoint);
    endpoint.port = next_port_++;
    sim_.attach(endpoint, *this);
    answers_.emplace_back([this, at] { core->opened({at, endpoint}, sim_.now); });
}

void SimulatedClient::close() {
    answers_.clear();
    plane.peers.clear();
}

void SimulatedClient::send(const Path& path, ByteView datagram) {
    if (path.remote == kServerEndpoint)
        sim_.to_server(endpoint, datagram);
}

bool SimulatedClient::set_up(const client::Tunnel& what) {
    calls.push_back("set up " + (what.address ? to_string(*what.address) : "nothing"));
    if (!refuse_set_up)
        tunnel = what;
    return !refuse_set_up;
}

bool SimulatedClient::keep(const client::Tunnel& what) {
    if (refuse_keep)
        return false;
    calls.emplace_back("keep");
    tunnel = what;
    return true;
}

void SimulatedClient::take_down() {
    calls.emplace_back("take down");
    tunnel.reset();
}

void SimulatedClient::receive(ByteView datagram, TimePoint now) {
    const auto opcode = wire::opcode_of(datagram);
    if (opcode == wire::Opcode::DataV2 || opcode == wire::Opcode::DataV1) {
        if (auto plain = plane.receive(remote_, datagram))
            received.push_back(std::move(*plain));
        return;
    }
    core->receive({remote_, endpoint}, datagram, now);
}

void SimulatedClient::tick(TimePoint now) {
    while (!answers_.empty()) {
        auto answer = std::move(answers_.front());
        answers_.pop_front();
        answer();
    }
    if (core->deadline() <= now)
        core->tick(now);
}

TimePoint SimulatedClient::deadline() const {
    return answers_.empty() ? core->deadline() : sim_.now;
}

bool SimulatedClient::send_data(ByteView plaintext) {
    const auto id = core->peer_id();
    auto packet = id ? plane.send(*id, plaintext) : std::nullopt;
    if (!packet)
        return false;
    sim_.to_server(endpoint, *packet);
    return true;
}

} // namespace nfovpn::test
