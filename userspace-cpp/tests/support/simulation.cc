// SPDX-License-Identifier: GPL-2.0-or-later
//
// A simulated network; see simulation.h.

#include "support/simulation.h"

#include <algorithm>
#include <stdexcept>

namespace nfovpn::test {

using namespace std::chrono_literals;

std::unique_ptr<session::TlsContext> make_context(const session::TlsConfig& config) {
    auto context = session::TlsContext::create(config);
    if (!context)
        throw std::runtime_error(context.error().what);
    return std::make_unique<session::TlsContext>(std::move(*context));
}

Simulation::Simulation(unsigned seed)
    : server_config(authority.config(wire::Role::Server, "server")), random_(seed) {
    settings.pool_first = *parse_ipv4("10.8.0.2");
    settings.pool_last = *parse_ipv4("10.8.0.254");
    settings.netmask = *parse_ipv4("255.255.255.0");
    settings.session.push = {"route-gateway 10.8.0.1", "topology subnet"};
    settings.keepalive = {10, 120};
}

void Simulation::start_server() {
    server_tls_ = make_context(server_config);
    core = std::make_unique<server::ServerCore>(settings, *server_tls_, plane, *this, hooks);
}

Host& Simulation::add_client(const std::string& name, const std::string& peer_info) {
    return add_client(authority.config(wire::Role::Client, name), peer_info);
}

Host& Simulation::add_wrapped_client(const std::string& name, ClientWrap wrap) {
    return add_client(authority.config(wire::Role::Client, name), kModernPeerInfo, std::move(wrap));
}

Host& Simulation::add_client(session::TlsConfig config, const std::string& peer_info,
                             ClientWrap wrap) {
    auto host = std::make_unique<Host>();
    auto number = static_cast<std::uint32_t>(hosts.size());
    host->endpoint = {Ipv4{0xc6336400 + number + 1}, static_cast<std::uint16_t>(40000 + number)};
    if (outer_ipv6)
        host->endpoint.address = *parse_ipv6("2001:db8::") + number;
    host->tls = make_context(config);
    auto* raw = host.get();
    host->client = std::make_unique<TestClient>(
        *host->tls, peer_info, now,
        [this, raw](ByteView datagram) { to_server(raw->endpoint, datagram); }, std::move(wrap));
    hosts.push_back(std::move(host));
    return *raw;
}

void Simulation::put(bool for_server, const Endpoint& client, ByteView bytes) {
    if (tap)
        tap(for_server, bytes);
    if (std::uniform_real_distribution<>(0, 1)(random_) < loss)
        return;
    auto delay = std::uniform_int_distribution<Duration::rep>(shortest_delay.count(),
                                                              longest_delay.count())(random_);
    wire_.emplace(now + Duration(delay),
                  Datagram{for_server, client, Bytes(bytes.begin(), bytes.end())});
}

void Simulation::to_server(const Endpoint& from, ByteView datagram) {
    put(true, from, datagram);
}

void Simulation::send(const server::Path& path, ByteView datagram) {
    datagrams_to_clients++;
    put(false, path.remote, datagram);
}

bool Simulation::send_data(std::uint32_t peer_id, ByteView plaintext) {
    auto packet = plane.send(peer_id, plaintext);
    if (!packet)
        return false;
    put(false, plane.peers.at(peer_id).peer.path.remote, *packet);
    return true;
}

void Simulation::deliver(const Datagram& datagram) {
    if (!datagram.for_server) {
        auto host = std::find_if(hosts.begin(), hosts.end(), [&](const auto& candidate) {
            return candidate->endpoint == datagram.client;
        });
        if (auto node = nodes_.find(datagram.client); node != nodes_.end())
            node->second->receive(datagram.bytes, now);
        else if (host == hosts.end())
            to_strangers.emplace_back(datagram.client, datagram.bytes);
        else
            (*host)->client->receive(datagram.bytes, now);
        return;
    }
    // The kernel's place: data packets of known peers stop here.
    auto opcode = wire::opcode_of(datagram.bytes);
    if (opcode == wire::Opcode::DataV2 || opcode == wire::Opcode::DataV1) {
        auto before = plane.undecryptable;
        auto plain = plane.receive(datagram.client, datagram.bytes);
        if (plain)
            at_server.push_back(std::move(*plain));
        if (plain || plane.undecryptable != before)
            return;
        data_unknown++;
    }
    core->receive({datagram.client, kServerEndpoint}, datagram.bytes, now);
}

TimePoint Simulation::next_event() const {
    auto next = core->deadline();
    if (!wire_.empty())
        next = std::min(next, wire_.begin()->first);
    for (const auto& host : hosts)
        next = std::min(next, host->client->deadline());
    for (const auto& [at, node] : nodes_)
        next = std::min(next, node->deadline());
    return std::max(next, now);
}

void Simulation::step(TimePoint until) {
    auto next = next_event();
    if (next > until) {
        now = until;
        return;
    }
    now = next;
    while (!wire_.empty() && wire_.begin()->first <= now) {
        auto datagram = std::move(wire_.begin()->second);
        wire_.erase(wire_.begin());
        deliver(datagram);
    }
    if (core->deadline() <= now)
        core->tick(now);
    for (auto& host : hosts) {
        if (host->client->deadline() <= now)
            host->client->tick(now);
    }
    // A node may leave, or come at another address.
    const auto nodes = nodes_;
    for (const auto& [at, node] : nodes) {
        if (nodes_.contains(at) && node->deadline() <= now)
            node->tick(now);
    }
}

void Simulation::run(Duration time) {
    auto until = now + time;
    while (now < until)
        step(until);
}

bool Simulation::run_until(const std::function<bool()>& condition, Duration limit) {
    auto until = now + limit;
    while (!condition()) {
        if (now >= until)
            return false;
        step(until);
    }
    return true;
}

} // namespace nfovpn::test
