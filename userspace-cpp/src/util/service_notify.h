// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a service tells its manager, by the protocol of sd_notify(3): one datagram of "NAME=value"
// lines to the socket that NOTIFY_SOCKET names. A page of code for that is less than libsystemd,
// which brings its own libraries along.
//
// A manager may have a store for file descriptors ("FileDescriptorStoreMax=" of systemd), which it
// keeps for the service over a restart, and gives to the next process:
//
//     FDSTORE=1 FDNAME=name  with a descriptor   keep it
//     FDSTOREREMOVE=1 FDNAME=name                drop it
//     BARRIER=1 with the end of a pipe           closed when all before it was done
//     LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES     of the next process: from descriptor 3 on
//
// That there is one says the variable FDSTORE, how many it takes.
#pragma once

#include "util/descriptor.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfovpn {

/// A descriptor that the manager has kept, or given for another reason.
struct NamedDescriptor {
    std::string name;
    Descriptor descriptor;
};

/// Those that this process was started with, by LISTEN_FDS, which is removed from the environment
/// with all that goes with it. To be called once, before anything else opens files.
std::vector<NamedDescriptor> take_listen_descriptors();

/// The manager's socket, if there is a manager. It is opened at once, so that it is in reach
/// whatever is given up later; the environment is not looked at again.
class ServiceNotify {
public:
    /// From NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID and FDSTORE, which are removed from the
    /// environment: programs that this one starts are not the service. A socket that cannot be used
    /// is as if there were none, with the reason in problem().
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

    /// How many descriptors the manager keeps; 0: it has no store.
    [[nodiscard]] std::size_t store_size() const { return connected() ? store_size_ : 0; }
    /// Gives it a descriptor to keep besides those of that name. False, with errno, if it was not
    /// told.
    [[nodiscard]] bool store(std::string_view name, int descriptor) const;
    /// It keeps none of that name any more.
    void unstore(std::string_view name) const;
    /// Waits until all that it was told is done. False if that takes longer.
    [[nodiscard]] bool wait_until_done(std::chrono::milliseconds limit) const;

    /// Somebody in this process who wants to know when it is ready, the first time.
    void on_ready(std::function<void()> told) { on_ready_ = std::move(told); }

    void ready(std::string_view status);
    void status(std::string_view status) const;
    void stopping(std::string_view status) const;
    void alive() const;

private:
    void send(std::string_view text) const;
    [[nodiscard]] bool send_with(std::string_view text, int descriptor) const;

    int fd_ = -1;
    std::string problem_;
    std::optional<std::chrono::microseconds> watchdog_;
    std::size_t store_size_ = 0;
    std::function<void()> on_ready_;
};

} // namespace nfovpn
