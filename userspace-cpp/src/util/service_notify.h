// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a service tells its manager, by the protocol of sd_notify(3): one datagram of "NAME=value"
// lines to the socket that NOTIFY_SOCKET names. A page of code for that is less than libsystemd,
// which brings its own libraries along.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace nfovpn {

/// The manager's socket, if there is a manager. It is opened at once, so that it is in reach
/// whatever is given up later; the environment is not looked at again.
class ServiceNotify {
public:
    /// From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, which are removed from the environment:
    /// programs that this one starts are not the service. A socket that cannot be used is as if
    /// there were none, with the reason in problem().
    static ServiceNotify from_environment();

    ServiceNotify() = default;
    /// To the socket at @p path; "@…" is one in the abstract name space.
    explicit ServiceNotify(const std::string& path);
    ~ServiceNotify();
    ServiceNotify(ServiceNotify&& other) noexcept;
    ServiceNotify& operator=(ServiceNotify&&) = delete;
    ServiceNotify(const ServiceNotify&) = delete;
    ServiceNotify& operator=(const ServiceNotify&) = delete;

    [[nodiscard]] bool connected() const { return fd_ >= 0; }
    [[nodiscard]] const std::string& problem() const { return problem_; }

    /// How often the manager wants to hear of this process, at the latest; nothing if it does not.
    [[nodiscard]] std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

    /// Somebody in this process who wants to know when it is ready, the first time.
    void on_ready(std::function<void()> told) { on_ready_ = std::move(told); }

    void ready(std::string_view status);
    void status(std::string_view status) const;
    void stopping(std::string_view status) const;
    void alive() const;

private:
    void send(std::string_view text) const;

    int fd_ = -1;
    std::string problem_;
    std::optional<std::chrono::microseconds> watchdog_;
    std::function<void()> on_ready_;
};

} // namespace nfovpn
