// SPDX-License-Identifier: GPL-2.0-or-later
//
// The protocol of sd_notify(3); see service_notify.h.

#include "util/service_notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace nfovpn {

namespace {

// A variable that is taken away.
std::string take(const char* name) {
    const char* value = std::getenv(name);
    std::string out = value ? value : "";
    unsetenv(name);
    return out;
}

std::optional<std::uint64_t> number(const std::string& text) {
    std::uint64_t value = 0;
    auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

// A line each; what is behind a line's end would be another assignment.
std::string line(std::string_view name, std::string_view value) {
    std::string out(name);
    out += '=';
    for (char c : value)
        out += c == '\n' || c == '\r' ? ' ' : c;
    return out + "\n";
}

} // namespace

ServiceNotify ServiceNotify::from_environment() {
    const auto path = take("NOTIFY_SOCKET");
    const auto interval = number(take("WATCHDOG_USEC"));
    const auto process = take("WATCHDOG_PID");
    if (path.empty())
        return {};
    ServiceNotify out(path);
    const bool for_us = process.empty() || process == std::to_string(getpid());
    // The greatest that a chrono type of 64 bits takes is some hundred thousand years.
    if (interval && *interval > 0 && *interval <= INT64_MAX && for_us)
        out.watchdog_ = std::chrono::microseconds(static_cast<std::int64_t>(*interval));
    return out;
}

ServiceNotify::ServiceNotify(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() < 2 || (path[0] != '/' && path[0] != '@') ||
        path.size() >= sizeof(address.sun_path)) {
        problem_ = "not the path of a unix socket";
        return;
    }
    path.copy(static_cast<char*>(address.sun_path), sizeof(address.sun_path) - 1);
    auto length = offsetof(sockaddr_un, sun_path) + path.size();
    // The name of an abstract socket begins with a zero, and does not end with one.
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    else
        length++;
    // It never waits: the manager has to be told, not to be asked.
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ >= 0 && connect(fd_, reinterpret_cast<const sockaddr*>(&address),
                            static_cast<socklen_t>(length)) == 0)
        return;
    problem_ = std::strerror(errno);
    if (fd_ >= 0)
        close(fd_);
    fd_ = -1;
}

ServiceNotify::ServiceNotify(ServiceNotify&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), problem_(std::move(other.problem_)),
      watchdog_(other.watchdog_), on_ready_(std::move(other.on_ready_)) {}

ServiceNotify::~ServiceNotify() {
    if (fd_ >= 0)
        close(fd_);
}

void ServiceNotify::ready(std::string_view status) {
    if (auto told = std::exchange(on_ready_, nullptr))
        told();
    send("READY=1\n" + line("STATUS", status) + "MAINPID=" + std::to_string(getpid()) + "\n");
}

void ServiceNotify::status(std::string_view status) const {
    send(line("STATUS", status));
}

void ServiceNotify::stopping(std::string_view status) const {
    send("STOPPING=1\n" + line("STATUS", status));
}

void ServiceNotify::alive() const {
    send("WATCHDOG=1\n");
}

// What does not arrive is repeated soon enough or was not important: there is nobody to tell.
void ServiceNotify::send(std::string_view text) const {
    if (fd_ >= 0)
        (void)::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
}

} // namespace nfovpn
