// SPDX-License-Identifier: GPL-2.0-or-later
//
// The client's daemon: a configuration made real. One device for all its life; for every try that
// the core makes a socket or a connection, and an instance of nf_ovpn on the device if it is a
// socket. What goes where event_loop.h shows.
//
// Names are looked up in a thread of Asio's, at each try anew.
//
// By a proxy (proxy_connection.h) a connection begins there and then leads to the server. Datagrams
// go to the proxy's relay, each with a header that says where it is for; what comes from the relay
// counts if it comes from the server. Everything else sees the relay in the server's place: routes
// past the tunnel have to lead there.
//
// Whenever addresses or routes change, the system is asked from which address packets to the server
// leave now. If that is another one the core is told, so that the server hears of it at once and
// not at the next ping.
//
//     SIGTERM, SIGINT   say good-bye where that is wanted, remove everything; a second one does not
//                       wait
//     SIGUSR1           connect again
//     SIGHUP            the same with another configuration; with one that has errors nothing is
//                       done but to log them
//     SIGUSR2           write the status to the log
#pragma once

#include "client/core.h"
#include "client/management_link.h"
#include "client/proxy_connection.h"
#include "client/setup.h"
#include "client/terminal_link.h"
#include "config/client_config.h"
#include "host/event_loop.h"
#include "host/files.h"
#include "io/tcp_stream.h"
#include "io/udp_socket.h"
#include "management/server.h"

#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>

#include <functional>
#include <memory>
#include <optional>

namespace nfovpn::client {

/// What the core is told, from a configuration.
ClientSettings client_settings(const config::ClientConfig& config);

/// The TLS side of a configuration.
Result<session::TlsContext, session::TlsError> make_tls(const config::ClientConfig& config);

/// What there is besides a daemon, and outlives it.
struct Surroundings {
    host::Keeper* keeper = nullptr;         ///< always there
    management::Sockets* sockets = nullptr; ///< of the management interface; null: there is none
    management::ClientProtocol* protocol = nullptr;
    host::PluginProcess* plugins = nullptr; ///< of a configuration with plug-ins
    const AskProcess* ask = nullptr;        ///< asks for name and password; null: nobody does
    ServiceNotify* service = nullptr;       ///< the service manager; null: there is none
    /// Reads the configuration for the next daemon; false if it cannot be used.
    std::function<bool()> reload = [] { return false; };
};

/// Why a client has ended.
enum class End { Stop, Reload, Failed };

class Daemon final : private host::EventLoop, private ClientHost {
public:
    /// Sets up what lasts. Throws std::runtime_error with what failed.
    explicit Daemon(const config::ClientConfig& config, Surroundings surroundings = {});
    ~Daemon() override;

    /// Connects, again and again, until a signal or the server stops it.
    End run();

private:
    void resolve(const config::Remote& remote) override;
    void open(const Endpoint& at, const config::Remote& remote) override;
    void close() override;
    void send(const Path& path, ByteView datagram) override;
    dataplane::DataPlane& data_plane() override;
    bool set_up(const Tunnel& tunnel) override;
    void take_down() override;
    bool keep(const Tunnel& tunnel) override { return setup_.keep(tunnel); }
    void announce(std::uint32_t peer_id) override;
    void connected() override;

    host::Core& core() override { return core_; }
    void signalled(int signal) override;
    void flush() override;
    [[nodiscard]] bool finished() const override {
        return core_.finished() && setup_.idle() && (!plugin_calls_ || plugin_calls_->idle());
    }
    void kernel_gone(const std::string& why) override;
    void device_gone() override;
    [[nodiscard]] std::string status_text() override;
    void to_peer(const Path& path, ByteView datagram, std::uint8_t dscp) override;

    using Found = std::function<void(std::vector<Endpoint>, const std::string& why_none)>;
    void look_up(const std::string& host, std::uint16_t port, config::RemoteFamily family,
                 Found found);
    void look_at_source(const Address& remote);
    [[nodiscard]] std::uint16_t open_socket(const Endpoint& remote, io::UdpSocket::Handler handler);
    void open_udp(const Endpoint& remote);
    void open_tcp(const Endpoint& remote);
    [[nodiscard]] asio::ip::tcp::socket new_connection(const Endpoint& remote);
    void use_connection(asio::ip::tcp::socket socket, const Path& path, ByteView already);
    void connect_to_proxy(const Endpoint& proxy, const config::Remote& remote, bool again);
    void associate(const Endpoint& server, const config::Remote& remote,
                   std::vector<Endpoint> proxies);
    void open_relayed(const Endpoint& relay, const Endpoint& server);
    [[nodiscard]] Path to_remote(const Path& path) const;
    void lose(const std::string& why);
    [[nodiscard]] std::unique_ptr<dataplane::KernelDataPlane> open_kernel() const;
    void later(std::function<void()> what);
    void watch_addresses();
    void look_at_way();
    void log_status();
    void check_plugins() const;
    void plugins_gone(const std::string& why);
    void tell(management::State state, const std::string& reason);
    void tell_up_down(bool up);

    const config::ClientConfig& config_;
    Surroundings surroundings_;
    session::TlsContext tls_;
    std::optional<host::PluginCalls> plugin_calls_;
    TunnelSetup setup_;
    asio::ip::udp::resolver resolver_;
    netlink::Socket route_;         ///< asked
    netlink::Socket route_changes_; ///< heard
    asio::posix::stream_descriptor route_events_;
    asio::steady_timer way_timer_;
    bool way_is_due_ = false;
    asio::steady_timer announce_timer_;
    unsigned announcements_left_ = 0;
    std::uint64_t try_ = 0; ///< what is answered for an earlier one counts no more
    // of one try
    std::unique_ptr<io::UdpSocket> udp_;
    std::optional<asio::ip::tcp::socket> connecting_;
    std::shared_ptr<ProxyConnection> proxy_;
    std::optional<Endpoint> relayed_; ///< the server, where a proxy passes datagrams on
    std::shared_ptr<io::TcpStream> tcp_;
    std::optional<Address> remote_; ///< where it goes
    std::optional<Address> source_; ///< and where that leaves from; none: not known

    ClientCore core_;
    std::optional<Asker> asker_;
    std::optional<TerminalLink> terminal_link_;
    std::optional<ManagementLink> management_link_;
    std::optional<management::Server> management_;
    bool told_up_ = false;
    Bytes tcp_buffer_;
    bool ending_ = false;
    bool reloading_ = false;
    bool device_is_gone_ = false;
    bool plugins_are_gone_ = false;
};

} // namespace nfovpn::client
