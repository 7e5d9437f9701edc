// SPDX-License-Identifier: GPL-2.0-or-later
//
// The loop of daemons; see event_loop.h.

#include "host/event_loop.h"

#include "host/settings.h"
#include "util/log.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace nfovpn::host {

namespace {

using Clock = std::chrono::steady_clock;
using asio::posix::stream_descriptor;

// Packets taken from the device before others have their turn; they leave together.
constexpr int kTunBatch = 64;

// The longest that IP has, in a frame, whatever the device's MTU is changed to.
constexpr std::size_t kMaxPacket = 65535 + dataplane::kEthernetHeader;

// How long the kernel's part may be gone unnoticed.
constexpr auto kWatchKernel = std::chrono::seconds(2);

// How old a service manager's picture may be.
constexpr auto kTellManager = std::chrono::seconds(10);

} // namespace

namespace {

std::string name_of_device(const config::CommonConfig& config) {
    return config.device + " " + config.device_node + (config.ethernet ? " tap" : "");
}

} // namespace

void keep_device(Keeper& keeper, const config::CommonConfig& config,
                 std::unique_ptr<io::TunDevice> device) {
    keeper.keep<io::TunDevice>("device", name_of_device(config), [&] { return std::move(device); });
}

io::TunDevice& kept_device(Keeper& keeper, const config::CommonConfig& config) {
    return keeper.keep<io::TunDevice>("device", name_of_device(config), [&] {
        return std::make_unique<io::TunDevice>(config.device, config.device_node, config.ethernet);
    });
}

EventLoop::EventLoop(io::TunDevice& device, ServiceNotify* service)
    : tun_(device), service_(service), tun_events_(context_, dup(tun_.fd())),
      signals_(context_, SIGTERM, SIGINT, SIGHUP), timer_(context_, [this] { due(); }),
      manager_timer_(context_), kernel_timer_(context_), tun_buffer_(kMaxPacket) {
    signals_.add(SIGUSR1);
    signals_.add(SIGUSR2);
}

dataplane::MovableDataPlane&
EventLoop::open_data_plane(std::unique_ptr<dataplane::KernelDataPlane> kernel) {
    kernel_ = std::move(kernel);
    data_plane_ = std::make_unique<dataplane::MovableDataPlane>(
        kernel_.get(), static_cast<dataplane::PacketOutput&>(*this));
    if (kernel_) {
        notifications_.emplace(context_, dup(kernel_->notification_fd()));
        wait_for_notification();
        watch_kernel();
    }
    return *data_plane_;
}

void EventLoop::close_data_plane() {
    data_planes_closed_++;
    notifications_.reset();
    data_plane_.reset();
    kernel_.reset();
}

void EventLoop::begin(const config::CommonConfig& config, const std::vector<LaterPath>& paths,
                      bool names) {
    // A log that nobody reads any more is no reason to stop.
    std::signal(SIGPIPE, SIG_IGN);
    wait_for_signal();
    wait_for_tun();
    confine(config, paths, names);
}

void EventLoop::serve() {
    if (service_) {
        told_manager_ = status_text();
        service_->ready(told_manager_);
        if (service_->connected())
            tell_manager();
    }
    settle();
    context_.run();
}

void EventLoop::stopping(const std::string& status) {
    if (!std::exchange(stopping_, true) && service_)
        service_->stopping(status);
}

void EventLoop::received(const Path& path, ByteView datagram) {
    const auto now = Clock::now();
    if (is_data(datagram) && data_plane_ && data_plane_->receive(path, datagram, now))
        tell_core();
    else
        core().receive(path, datagram, now);
}

// At once: the next datagram may be a control packet from where the peer has moved to.
void EventLoop::tell_core() {
    if (!data_plane_)
        return;
    for (const auto& event : data_plane_->take_notifications())
        core().notified(event, Clock::now());
}

void EventLoop::settle() {
    tell_core();
    flush();
    timer_.arm(std::min(core().deadline(), data_plane_ ? data_plane_->deadline() : kNever));
    if (finished())
        context_.stop();
}

void EventLoop::due() {
    if (data_plane_)
        data_plane_->tick(Clock::now());
    tell_core();
    core().tick(Clock::now());
    settle();
}

void EventLoop::wait_for_signal() {
    signals_.async_wait([this](const asio::error_code& error, int signal) {
        if (error)
            return;
        signalled(signal);
        settle();
        wait_for_signal();
    });
}

void EventLoop::wait_for_notification() {
    notifications_->async_wait(stream_descriptor::wait_read, [this, closed = data_planes_closed_](
                                                                 const asio::error_code& error) {
        if (error || closed != data_planes_closed_)
            return;
        bool lost = false;
        for (const auto& event : kernel_->notifications(lost)) {
            if (data_plane_->kernel_notified(event))
                core().notified(event, Clock::now());
            if (closed != data_planes_closed_)
                break;
        }
        if (lost && closed == data_planes_closed_) {
            log::warning("notifications of the kernel were lost; asking for its peers");
            core().resynchronize(Clock::now());
        }
        settle();
        if (closed == data_planes_closed_)
            wait_for_notification();
    });
}

// Whoever deletes the instance, unloads the module or takes the device to another network namespace
// does not ask us, and peers that are not there say nothing.
void EventLoop::watch_kernel() {
    kernel_timer_.expires_after(kWatchKernel);
    kernel_timer_.async_wait([this, closed = data_planes_closed_](const asio::error_code& error) {
        if (error || closed != data_planes_closed_ || stopping_)
            return;
        if (const auto failure = kernel_->gone()) {
            kernel_gone(failure->what);
            settle();
        } else {
            watch_kernel();
        }
    });
}

void EventLoop::wait_for_tun() {
    tun_events_.async_wait(stream_descriptor::wait_read, [this](const asio::error_code& error) {
        if (error)
            return;
        tun_readable();
        // It would be readable for ever.
        if (tun_.gone())
            device_gone();
        settle();
        if (!tun_.gone())
            wait_for_tun();
    });
}

void EventLoop::tun_readable() {
    const auto now = Clock::now();
    for (int i = 0; i < kTunBatch; i++) {
        auto length = tun_.read(tun_buffer_);
        if (!length)
            return;
        if (data_plane_)
            data_plane_->transmit(std::span(tun_buffer_).first(*length), now);
    }
}

// From the loop that serves: when it hangs, the service manager hears nothing.
void EventLoop::tell_manager() {
    if (stopping_)
        return;
    auto every = std::chrono::microseconds(kTellManager);
    if (const auto within = service_->watchdog()) {
        service_->alive();
        every = std::min(every, *within / 2);
    }
    auto text = status_text();
    if (text != told_manager_)
        service_->status(text);
    told_manager_ = std::move(text);
    manager_timer_.expires_after(every);
    manager_timer_.async_wait([this](const asio::error_code& error) {
        if (!error)
            tell_manager();
    });
}

} // namespace nfovpn::host
