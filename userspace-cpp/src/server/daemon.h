// SPDX-License-Identifier: GPL-2.0-or-later
//
// The daemon: a configuration made real. Sets up the device, the kernel's instance, the socket and
// the timer around a ServerCore and runs them until a signal says stop:
//
//     SIGTERM, SIGINT   tell the clients, wait for their acknowledgements, remove everything;
//                       a second one does not wait
//     SIGUSR2           write the status to the log
//     SIGHUP, SIGUSR1   a restart in OpenVPN; here a line in the log that it is not done
#pragma once

#include "config/server_config.h"
#include "dataplane/kernel.h"
#include "server/core.h"
#include "server/tun_device.h"
#include "server/udp_socket.h"

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <memory>
#include <stdexcept>

namespace nfovpn::server {

/// This kernel cannot do it: it has no nf_ovpn.
class MissingKernelSupport : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// What sessions are told, from a configuration.
CoreSettings core_settings(const config::ServerConfig& config);

/// What client-config-dir has about a client: its own file or DEFAULT. With @p exclusive a client
/// without a file is disabled. Nothing if a file cannot be read or has errors, which are logged.
std::optional<ClientSettings> read_client_settings(const std::string& directory, bool exclusive,
                                                   const std::string& common_name);

/// The TLS side of a configuration.
Result<session::TlsContext, session::TlsError> make_tls(const config::ServerConfig& config);

class Daemon {
public:
    /// Sets everything up. Throws MissingKernelSupport, or std::runtime_error with what failed.
    explicit Daemon(const config::ServerConfig& config);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// Serves until a signal stops it.
    void run();

private:
    void set_up_device();
    [[nodiscard]] std::unique_ptr<dataplane::KernelDataPlane> open_data_plane() const;
    void wait_for_signal();
    void wait_for_notification();
    void wait_for_tun();
    void arm_timer();
    void arm_status();
    void stop();
    void finish_if_idle();
    [[nodiscard]] std::string status();

    const config::ServerConfig& config_;
    asio::io_context context_;
    session::TlsContext tls_;
    TunDevice tun_;
    std::unique_ptr<dataplane::KernelDataPlane> data_plane_;
    UdpSocket socket_;
    ServerCore core_;
    asio::posix::stream_descriptor notifications_;
    asio::posix::stream_descriptor tun_events_;
    asio::signal_set signals_;
    asio::steady_timer timer_;
    asio::steady_timer status_timer_;
    TimePoint armed_for_ = kNever;
    std::uint64_t tun_packets_ = 0;
    bool stopping_ = false;
};

} // namespace nfovpn::server
