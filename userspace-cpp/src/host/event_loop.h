// SPDX-License-Identifier: GPL-2.0-or-later
//
// What daemons of both roles consist of but for their sockets: the device, the data plane, and all
// that happens around a core, in one thread:
//
//     socket ─┬─ data packets ─▶ data plane of this process ─▶ device       kernel's notifications
//             └─ all others ───▶ core ─▶ answers                                     │
//     device ── packets ───────▶ data plane of this process ─▶ socket    core ◀──────┘
//
// With nf_ovpn in the kernel only what it leaves over comes by that way; without it, everything.
// Besides there are signals, time that passes, and a service manager that wants to hear of the
// process.
#pragma once

#include "config/common_config.h"
#include "dataplane/kernel.h"
#include "dataplane/movable.h"
#include "host/confinement.h"
#include "host/core.h"
#include "host/keeper.h"
#include "io/deadline_timer.h"
#include "io/tun_device.h"
#include "util/service_notify.h"

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nfovpn::host {

/// The device of that name, of the process.
io::TunDevice& kept_device(Keeper& keeper, const config::CommonConfig& config);

/// One that is there already, to be that of the configuration.
void keep_device(Keeper& keeper, const config::CommonConfig& config,
                 std::unique_ptr<io::TunDevice> device);

class EventLoop : protected dataplane::PacketOutput {
public:
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

protected:
    /// All must outlive the object. @p service may be null: there is no service manager.
    EventLoop(io::TunDevice& device, ServiceNotify* service);
    ~EventLoop() override = default;

    /// The data plane until close_data_plane(); the kernel's part of it where @p kernel is not
    /// null.
    dataplane::MovableDataPlane&
    open_data_plane(std::unique_ptr<dataplane::KernelDataPlane> kernel);
    /// May be called in the middle of what the data plane has to say.
    void close_data_plane();

    /// Begins to wait, and gives up privileges; see confine().
    void begin(const config::CommonConfig& config, const std::vector<LaterPath>& paths,
               bool names = false);
    /// Tells the service manager that it is ready, and serves until finished(), or until the
    /// context is stopped.
    void serve();
    /// Tells the service manager that it ends.
    void stopping(const std::string& status);

    /// A datagram came by a socket.
    void received(const Path& path, ByteView datagram);
    /// What is to be done after anything has happened.
    void settle();

    // ---- of the role
    [[nodiscard]] virtual Core& core() = 0;
    /// SIGTERM, SIGINT, SIGHUP, SIGUSR1 or SIGUSR2.
    virtual void signalled(int signal) = 0;
    /// Sends what waits in the socket.
    virtual void flush() = 0;
    [[nodiscard]] virtual bool finished() const = 0;
    /// The kernel's part of the data plane is gone, and will not come back by itself; what it knew
    /// of peers and keys is lost.
    virtual void kernel_gone(const std::string& why) = 0;
    /// So is the device.
    virtual void device_gone() = 0;
    /// For the service manager: "serving 2 clients"
    [[nodiscard]] virtual std::string status_text() = 0;

    void to_device(ByteView packet) override { tun_.write(packet); }

    // in the order in which they are made
    asio::io_context context_;
    io::TunDevice& tun_;
    std::unique_ptr<dataplane::KernelDataPlane> kernel_;      ///< null: everything is done here
    std::unique_ptr<dataplane::MovableDataPlane> data_plane_; ///< null: packets go nowhere

private:
    void tell_core();
    void due();
    void wait_for_signal();
    void wait_for_notification();
    void wait_for_tun();
    void tun_readable();
    void watch_kernel();
    void tell_manager();

    ServiceNotify* service_;
    std::uint64_t data_planes_closed_ = 0;
    std::optional<asio::posix::stream_descriptor> notifications_;
    asio::posix::stream_descriptor tun_events_;
    asio::signal_set signals_;
    io::DeadlineTimer timer_;
    asio::steady_timer manager_timer_;
    asio::steady_timer kernel_timer_;
    std::string told_manager_;
    bool stopping_ = false;
    Bytes tun_buffer_;
};

} // namespace nfovpn::host
