// SPDX-License-Identifier: GPL-2.0-or-later
//
// A server and some clients on a simulated network, in virtual time: datagrams are delayed, lost
// and reordered by a seeded generator, so a run of minutes takes milliseconds and each run with
// the same seed meets the same fate at the same places. (Only the bytes of TLS differ.)
//
//     TestClient ─┐                       ┌─ ServerCore
//     TestClient ─┼─ delay, loss, order ──┤      │ peers, keys
//     TestClient ─┘                       └─ RecordingDataPlane
#pragma once

#include "server/core.h"
#include "support/pki.h"
#include "support/recording_data_plane.h"
#include "support/test_client.h"

#include <map>
#include <memory>
#include <random>

namespace nfovpn::test {

/// A client with its address.
struct Host {
    Endpoint endpoint;
    std::unique_ptr<session::TlsContext> tls;
    std::unique_ptr<TestClient> client;
};

/// Somebody else on the network.
class Node {
public:
    virtual ~Node() = default;
    virtual void receive(ByteView datagram, TimePoint now) = 0;
    virtual void tick(TimePoint now) = 0;
    [[nodiscard]] virtual TimePoint deadline() const = 0;
};

class Simulation final : public server::Transport {
public:
    explicit Simulation(unsigned seed = 1);

    /// Starts the server; settings must be made before.
    void start_server();

    /// A client with a certificate of that name.
    Host& add_client(const std::string& name, const std::string& peer_info = kModernPeerInfo);
    Host& add_wrapped_client(const std::string& name, ClientWrap wrap);
    Host& add_client(session::TlsConfig config, const std::string& peer_info = kModernPeerInfo,
                     ClientWrap wrap = {});

    /// Lets a node take part, which must outlive the simulation or be taken off.
    void attach(const Endpoint& at, Node& node) { nodes_[at] = &node; }
    void detach(const Endpoint& at) { nodes_.erase(at); }

    /// Lets time pass.
    void run(Duration time);
    /// Lets time pass until the condition holds; false if it does not within the limit.
    bool run_until(const std::function<bool()>& condition, Duration limit);

    /// Puts a datagram on the way to the server.
    void to_server(const Endpoint& from, ByteView datagram);
    /// Sends a data packet from the server to a client.
    bool send_data(std::uint32_t peer_id, ByteView plaintext);

    void send(const server::Path& path, ByteView datagram) override;

    /// The server's, to which another one may be assigned.
    session::TlsContext& server_tls() { return *server_tls_; }

    TimePoint now = TimePoint{} + std::chrono::hours(1);
    /// Sees every datagram that is sent, even what is lost then.
    std::function<void(bool for_server, ByteView datagram)> tap;
    double loss = 0;
    bool outer_ipv6 = false; ///< clients that are added have addresses of IPv6
    Duration shortest_delay = std::chrono::milliseconds(5);
    Duration longest_delay = std::chrono::milliseconds(5);
    Authority authority;
    session::TlsConfig server_config;
    server::CoreSettings settings;
    RecordingDataPlane plane;
    server::ClientHooks* hooks = nullptr;
    std::unique_ptr<server::ServerCore> core;
    std::vector<std::unique_ptr<Host>> hosts;
    std::uint64_t datagrams_to_clients = 0;
    std::vector<std::pair<Endpoint, Bytes>> to_strangers; ///< what arrived where no client is
    std::vector<Bytes> at_server;                         ///< plaintext of data packets
    std::uint64_t data_unknown = 0; ///< data packets of peers that the data plane does not know

private:
    struct Datagram {
        bool for_server = false;
        Endpoint client;
        Bytes bytes;
    };

    void put(bool for_server, const Endpoint& client, ByteView bytes);
    void deliver(const Datagram& datagram);
    /// The time of the next event.
    [[nodiscard]] TimePoint next_event() const;
    void step(TimePoint until);

    std::map<Endpoint, Node*> nodes_;
    std::mt19937 random_;
    std::multimap<TimePoint, Datagram> wire_;
    std::unique_ptr<session::TlsContext> server_tls_;
};

/// Where the server is.
inline const Endpoint kServerEndpoint{Ipv4{0xc0000201}, 1194}; // 192.0.2.1

/// Makes a context; throws when that fails.
std::unique_ptr<session::TlsContext> make_context(const session::TlsConfig& config);

} // namespace nfovpn::test
