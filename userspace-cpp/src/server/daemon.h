// SPDX-License-Identifier: GPL-2.0-or-later
//
// The server's daemon: a configuration made real. Sets up the device, the kernel's instance and the
// socket around a ServerCore and runs them until a signal says stop. What goes where event_loop.h
// shows.
//
//     SIGTERM, SIGINT   tell the clients, wait for their acknowledgements, remove everything;
//                       a second one does not wait. With a store for sessions (session_store.h)
//                       SIGTERM leaves these to the next process instead
//     SIGUSR1           the same, and run() says that the daemon is to be made anew
//     SIGHUP            the configuration is read again. One with errors changes nothing, and they
//                       are logged. What has changed is taken on, and clients notice nothing;
//                       where that cannot be, the log names the lines, and it is as after SIGUSR1
//     SIGUSR2           write the status to the log
//
// When the device or the kernel's instance goes away it tells the clients and ends with an error,
// so that whoever supervises it starts it anew.
//
// What lives longer than a daemon is borrowed, see host/keeper.h; the management interface, see
// main.cc.
#pragma once

#include "config/changes.h"
#include "config/server_config.h"
#include "host/event_loop.h"
#include "host/files.h"
#include "host/keeper.h"
#include "io/udp_socket.h"
#include "management/server.h"
#include "netlink/route.h"
#include "server/control_socket.h"
#include "server/core.h"
#include "server/lease_file.h"
#include "server/limits.h"
#include "server/management_hooks.h"
#include "server/management_link.h"
#include "server/pam_hooks.h"
#include "server/plugin_hooks.h"
#include "server/script_hooks.h"
#include "server/session_store.h"
#include "server/status.h"
#include "server/tcp_server.h"

#include <asio/steady_timer.hpp>

#include <memory>
#include <optional>

namespace nfovpn::server {

/// What sessions are told, from a configuration. @p keeper has what is random and lasts; null: it
/// does not last.
/// @p plugins: null: there are none.
CoreSettings core_settings(const config::ServerConfig& config, host::Keeper* keeper = nullptr,
                           const host::PluginProcess* plugins = nullptr);

/// Paths of a configuration that are used once privileges are given up.
std::vector<host::LaterPath> later_paths(const config::ServerConfig& config);

/// The TLS side of a configuration.
Result<session::TlsContext, session::TlsError> make_tls(const config::ServerConfig& config);

/// A configuration that was read again. It is for the next daemon, or taken over by this one.
struct Reloaded {
    std::shared_ptr<const config::ServerConfig> config;
    std::vector<config::OptionChange> changes;
    /// That this one has it.
    std::function<void()> taken_over;
};

/// What there is besides a daemon, and outlives it.
struct Surroundings {
    host::Keeper* keeper = nullptr;         ///< always there
    management::Sockets* sockets = nullptr; ///< of the management interface; null: there is none
    management::ServerProtocol* protocol = nullptr;
    PamProcess* pam = nullptr;              ///< of a configuration with PAM
    host::PluginProcess* plugins = nullptr; ///< of a configuration with plug-ins
    ServiceNotify* service = nullptr;       ///< the service manager; null: there is none
    SessionStore* store = nullptr;          ///< null: sessions do not outlive the process
    SessionStore::Digest digest{};          ///< of the configuration, see config/changes.h
    /// Reads the configuration again; nothing if it cannot be used.
    std::function<std::optional<Reloaded>()> reload = [] { return std::nullopt; };
};

/// Why a daemon has ended.
enum class End { Stop, Restart, Reload, Failed };

class Daemon final : private host::EventLoop {
public:
    /// Sets everything up. Throws std::runtime_error with what failed.
    Daemon(const std::shared_ptr<const config::ServerConfig>& config,
           const Surroundings& surroundings);
    ~Daemon() override;

    /// Serves until a signal stops it.
    End run();
    /// After that: whether its sessions are for another process.
    [[nodiscard]] bool leaves_sessions() const { return leaving_; }

private:
    host::Core& core() override { return core_; }
    void signalled(int signal) override;
    void flush() override { link_.flush(); }
    [[nodiscard]] bool finished() const override;
    void kernel_gone(const std::string& why) override;
    void device_gone() override;
    [[nodiscard]] std::string status_text() override;
    void to_peer(const Path& path, ByteView datagram, std::uint8_t dscp) override {
        link_.queue(path, datagram, config_->passtos ? dscp : 0);
    }

    Daemon(std::shared_ptr<const config::ServerConfig> config, Surroundings surroundings,
           std::optional<SessionStore::Left> left);
    void set_up_device();
    [[nodiscard]] const char* why_not_kept() const;
    void keep_sessions();
    void resume_sessions();
    void clear_device();
    [[nodiscard]] netlink::NextHop by_device() const;
    void keep_files();
    void keep_status();
    bool take_over(const Reloaded& again);
    int run_device_program(const std::vector<std::string>& program, const char* type) const;
    [[nodiscard]] bool call_plugins(plugin::Hook hook, const char* type) const;
    [[nodiscard]] Environment device_environment() const;
    [[nodiscard]] std::unique_ptr<dataplane::KernelDataPlane> open_kernel();
    void arm_status();
    void arm_leases();
    void arm_limits();
    void stop(End end);
    void fail(const std::string& why);
    ClientHooks* hooks();
    void tell_state(management::State state, const std::string& reason = "");
    [[nodiscard]] StatusReport report();
    void log_status();
    [[nodiscard]] std::string control(const std::vector<std::string>& words);
    [[nodiscard]] std::string control_offload(const std::string& who, bool on);

    std::shared_ptr<const config::ServerConfig> config_;
    Surroundings surroundings_;
    std::optional<SessionStore::Left> left_; ///< by another process, until it is taken up
    bool device_was_there_ = false;
    bool kernel_adopted_ = false;
    session::TlsContext tls_;
    std::unique_ptr<io::UdpSocket> udp_; ///< one of the two
    std::unique_ptr<TcpServer> tcp_;
    io::Link& link_; ///< that one
    ScriptHooks scripts_;
    std::optional<host::PluginCalls> plugin_calls_;
    std::optional<PluginHooks> plugin_hooks_;
    std::optional<PamHooks> pam_hooks_;
    std::optional<ManagementHooks> management_hooks_;
    ServerCore core_;
    asio::steady_timer status_timer_;
    host::KeptFile* status_file_ = nullptr;
    std::optional<std::string> status_failure_;
    host::KeptFile* lease_file_ = nullptr;
    std::optional<LeaseFile> leases_;
    asio::steady_timer lease_timer_;
    ClientLimits limits_;
    asio::steady_timer limits_timer_;
    std::optional<ControlSocket> control_;
    std::optional<ManagementLink> management_link_;
    std::optional<management::Server> management_;
    netlink::Socket route_;
    std::vector<Prefix> addresses_; ///< of the device, as they were added
    bool stores_ = false;           ///< sessions are noted for the next process
    bool leaving_ = false;          ///< them to it
    bool ending_ = false;
    End end_ = End::Stop;
};

} // namespace nfovpn::server
