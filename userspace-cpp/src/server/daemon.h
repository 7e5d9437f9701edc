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
//     SIGUSR1           the same, and run() says that the daemon is to be made anew
//     SIGHUP            likewise, with another configuration; with one that has errors nothing is
//                       done but to log them
//     SIGUSR2           write the status to the log
//
// The management interface lives longer than a daemon, see main.cc.
#pragma once

#include "config/server_config.h"
#include "dataplane/kernel.h"
#include "dataplane/movable.h"
#include "host/confinement.h"
#include "host/files.h"
#include "io/tun_device.h"
#include "io/udp_socket.h"
#include "management/server.h"
#include "server/control_socket.h"
#include "server/core.h"
#include "server/management_hooks.h"
#include "server/management_link.h"
#include "server/script_hooks.h"
#include "server/status.h"
#include "server/tcp_server.h"
#include "util/service_notify.h"

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <memory>
#include <optional>

namespace nfovpn::server {

/// What sessions are told, from a configuration.
CoreSettings core_settings(const config::ServerConfig& config);

/// Paths of a configuration that are used once privileges are given up.
std::vector<host::LaterPath> later_paths(const config::ServerConfig& config);

/// The TLS side of a configuration.
Result<session::TlsContext, session::TlsError> make_tls(const config::ServerConfig& config);

/// What there is besides a daemon, and outlives it.
struct Surroundings {
    management::Sockets* sockets = nullptr; ///< of the management interface; null: there is none
    management::Protocol* protocol = nullptr;
    ServiceNotify* service = nullptr; ///< the service manager; null: there is none
    /// Reads the configuration for the next daemon; false if it cannot be used.
    std::function<bool()> reload = [] { return false; };
};

/// Why a daemon has ended.
enum class End { Stop, Restart, Reload };

class Daemon final : private dataplane::PacketOutput {
public:
    /// Sets everything up. Throws std::runtime_error with what failed.
    explicit Daemon(const config::ServerConfig& config, Surroundings surroundings = {});
    ~Daemon() override;
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// Serves until a signal stops it.
    End run();

private:
    void set_up_device();
    [[nodiscard]] std::unique_ptr<dataplane::KernelDataPlane> open_kernel() const;
    void to_peer(const Path& path, ByteView datagram) override { link_.queue(path, datagram); }
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
    void tell_manager();
    void signalled(int signal);
    void stop(End end);
    ClientHooks* hooks();
    void finish_if_idle();
    void tell_state(management::State state, const std::string& reason = "");
    [[nodiscard]] StatusReport report();
    void log_status();
    [[nodiscard]] std::string control(const std::vector<std::string>& words);
    [[nodiscard]] std::string control_offload(const std::string& who, bool on);

    const config::ServerConfig& config_;
    Surroundings surroundings_;
    asio::io_context context_;
    session::TlsContext tls_;
    io::TunDevice tun_;
    std::unique_ptr<dataplane::KernelDataPlane> kernel_; ///< null: everything is done here
    std::unique_ptr<io::UdpSocket> udp_;                 ///< one of the two
    std::unique_ptr<TcpServer> tcp_;
    io::Link& link_; ///< that one
    dataplane::MovableDataPlane data_plane_;
    ScriptHooks scripts_;
    std::optional<ManagementHooks> management_hooks_;
    ServerCore core_;
    std::optional<asio::posix::stream_descriptor> notifications_;
    asio::posix::stream_descriptor tun_events_;
    asio::signal_set signals_;
    asio::steady_timer timer_;
    asio::steady_timer status_timer_;
    std::optional<std::string> status_failure_;
    asio::steady_timer manager_timer_;
    std::string told_manager_;
    std::optional<ControlSocket> control_;
    std::optional<ManagementLink> management_link_;
    std::optional<management::Server> management_;
    TimePoint armed_for_ = kNever;
    Bytes tun_buffer_;
    std::optional<host::PidFile> pid_file_;
    bool stopping_ = false;
    End end_ = End::Stop;
};

} // namespace nfovpn::server
