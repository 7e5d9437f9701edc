// SPDX-License-Identifier: GPL-2.0-or-later
//
// The client's daemon: a configuration made real. One device for all its life; for every try that
// the core makes a socket or a connection, and an instance of nf_ovpn on the device if it is a
// socket:
//
//     socket ─┬─ data packets ─▶ data plane of this process ─▶ device       kernel's notifications
//             └─ all others ───▶ core ─▶ answers                                     │
//     device ── packets ───────▶ data plane of this process ─▶ socket    core ◀──────┘
//
// Names are looked up in a thread of Asio's, at each try anew.
//
//     SIGTERM, SIGINT   say good-bye where that is wanted, remove everything; a second one does not
//                       wait
//     SIGUSR1           connect again
//     SIGHUP            the same with another configuration; with one that has errors nothing is
//                       done but to log them
//     SIGUSR2           write the status to the log
#pragma once

#include "client/core.h"
#include "client/setup.h"
#include "config/client_config.h"
#include "dataplane/kernel.h"
#include "dataplane/movable.h"
#include "host/confinement.h"
#include "host/files.h"
#include "io/tcp_stream.h"
#include "io/tun_device.h"
#include "io/udp_socket.h"
#include "util/service_notify.h"

#include <asio/io_context.hpp>
#include <asio/ip/udp.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <optional>

namespace nfovpn::client {

/// What the core is told, from a configuration.
ClientSettings client_settings(const config::ClientConfig& config);

/// The TLS side of a configuration.
Result<session::TlsContext, session::TlsError> make_tls(const config::ClientConfig& config);

/// Why a client has ended.
enum class End { Stop, Reload, Failed };

class Daemon final : private ClientHost, private dataplane::PacketOutput {
public:
    /// Sets up what lasts. @p reload reads the configuration for the next daemon; false if it
    /// cannot be used. Throws std::runtime_error with what failed.
    Daemon(const config::ClientConfig& config, ServiceNotify* service,
           std::function<bool()> reload);
    ~Daemon() override;
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// Connects, again and again, until a signal or the server stops it.
    End run();

private:
    void resolve(const config::Remote& remote) override;
    void open(const Endpoint& remote, bool tcp) override;
    void close() override;
    void send(const Path& path, ByteView datagram) override;
    dataplane::DataPlane& data_plane() override;
    bool set_up(const Tunnel& tunnel) override;
    void take_down() override;
    void connected() override;
    void to_peer(const Path& path, ByteView datagram) override;
    void to_device(ByteView packet) override { tun_.write(packet); }

    void open_udp(const Endpoint& remote);
    void open_tcp(const Endpoint& remote);
    void open_kernel();
    void received(const Path& path, ByteView datagram);
    void later(std::function<void()> what);
    void settle();
    void tell_core();
    void wait_for_signal();
    void signalled(int signal);
    void wait_for_notification();
    void wait_for_tun();
    void tun_readable();
    void arm_timer();
    void tell_manager();
    void log_status();

    const config::ClientConfig& config_;
    ServiceNotify* service_;
    std::function<bool()> reload_;
    asio::io_context context_;
    session::TlsContext tls_;
    io::TunDevice tun_;
    TunnelSetup setup_;
    asio::ip::udp::resolver resolver_;
    std::uint64_t try_ = 0; ///< what is answered for an earlier one counts no more
    // of one try
    std::unique_ptr<io::UdpSocket> udp_;
    std::optional<asio::ip::tcp::socket> connecting_;
    std::shared_ptr<io::TcpStream> tcp_;
    std::unique_ptr<dataplane::KernelDataPlane> kernel_;
    std::unique_ptr<dataplane::MovableDataPlane> data_plane_;
    std::optional<asio::posix::stream_descriptor> notifications_;

    ClientCore core_;
    asio::posix::stream_descriptor tun_events_;
    asio::signal_set signals_;
    asio::steady_timer timer_;
    asio::steady_timer manager_timer_;
    TimePoint armed_for_ = kNever;
    Phase told_manager_ = Phase::Idle;
    Bytes tun_buffer_;
    Bytes tcp_buffer_;
    bool stopping_ = false;
    bool reloading_ = false;
    host::PidFile pid_file_;
};

} // namespace nfovpn::client
