// SPDX-License-Identifier: GPL-2.0-or-later
//
// The daemon: a configuration made real. Sets up the device, the kernel's instance, the socket and
// the timer around a ServerCore and runs them until a signal says stop:
//
//     socket ─┬─ data packets ─▶ data plane of this process ─▶ device       kernel's notifications
//             └─ all others ───▶ core ─▶ answers                                     │
//     device ── packets ───────▶ data plane of this process ─▶ socket    core ◀──────┘
//
// With nf_ovpn in the kernel only what it leaves over comes by that way; without it, everything.
//
//
//     SIGTERM, SIGINT   tell the clients, wait for their acknowledgements, remove everything;
//                       a second one does not wait
//     SIGUSR2           write the status to the log
//     SIGHUP, SIGUSR1   a restart in OpenVPN; here a line in the log that it is not done
#pragma once

#include "config/server_config.h"
#include "dataplane/kernel.h"
#include "dataplane/movable.h"
#include "server/control_socket.h"
#include "server/core.h"
#include "server/status.h"
#include "server/tun_device.h"
#include "server/udp_socket.h"

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <memory>
#include <optional>

namespace nfovpn::server {

/// What sessions are told, from a configuration.
CoreSettings core_settings(const config::ServerConfig& config);

/// What client-config-dir has about a client: its own file or DEFAULT. With @p exclusive a client
/// without a file is disabled. Nothing if a file cannot be read or has errors, which are logged.
std::optional<ClientSettings> read_client_settings(const std::string& directory, bool exclusive,
                                                   const std::string& common_name);

/// The TLS side of a configuration.
Result<session::TlsContext, session::TlsError> make_tls(const config::ServerConfig& config);

class Daemon final : private dataplane::PacketOutput {
public:
    /// Sets everything up. Throws std::runtime_error with what failed.
    explicit Daemon(const config::ServerConfig& config);
    ~Daemon() override;
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// Serves until a signal stops it.
    void run();

private:
    void set_up_device();
    [[nodiscard]] std::unique_ptr<dataplane::KernelDataPlane> open_kernel() const;
    void to_peer(const Path& path, ByteView datagram) override { socket_.queue(path, datagram); }
    void to_device(ByteView packet) override { tun_.write(packet); }
    void received(const Path& path, ByteView datagram);
    void tun_readable();
    void settle();
    void tell_core();
    void wait_for_signal();
    void wait_for_notification();
    void wait_for_tun();
    void arm_timer();
    void arm_status();
    void stop();
    void finish_if_idle();
    [[nodiscard]] StatusReport report();
    void log_status();
    [[nodiscard]] std::string control(const std::vector<std::string>& words);
    [[nodiscard]] std::string control_offload(const std::string& who, bool on);

    const config::ServerConfig& config_;
    asio::io_context context_;
    session::TlsContext tls_;
    TunDevice tun_;
    std::unique_ptr<dataplane::KernelDataPlane> kernel_; ///< null: everything is done here
    UdpSocket socket_;
    dataplane::MovableDataPlane data_plane_;
    ServerCore core_;
    std::optional<asio::posix::stream_descriptor> notifications_;
    asio::posix::stream_descriptor tun_events_;
    asio::signal_set signals_;
    asio::steady_timer timer_;
    asio::steady_timer status_timer_;
    std::optional<ControlSocket> control_;
    TimePoint armed_for_ = kNever;
    Bytes tun_buffer_;
    bool stopping_ = false;
};

} // namespace nfovpn::server
