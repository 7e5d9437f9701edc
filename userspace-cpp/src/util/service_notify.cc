// SPDX-License-Identifier: GPL-2.0-or-later
//
// The protocol of sd_notify(3); see service_notify.h.

#include "util/service_notify.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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

// As systemd has it.
constexpr int kFirstDescriptor = 3;
constexpr std::uint64_t kMostDescriptors = 1024;

} // namespace

std::vector<NamedDescriptor> take_listen_descriptors() {
    const auto process = take("LISTEN_PID");
    const auto count = number(take("LISTEN_FDS"));
    const auto names = take("LISTEN_FDNAMES");
    take("LISTEN_PIDFDID");
    std::vector<NamedDescriptor> out;
    if (!count || *count > kMostDescriptors || process != std::to_string(getpid()))
        return out;
    std::size_t at = 0;
    for (int i = 0; i < static_cast<int>(*count); i++) {
        const int fd = kFirstDescriptor + i;
        const auto end = std::min(names.find(':', at), names.size());
        const auto name = names.substr(std::min(at, names.size()), end - std::min(at, end));
        at = end + 1;
        const int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) != 0)
            continue;
        out.push_back({name, Descriptor(fd)});
    }
    return out;
}

ServiceNotify ServiceNotify::from_environment() {
    const auto path = take("NOTIFY_SOCKET");
    const auto interval = number(take("WATCHDOG_USEC"));
    const auto process = take("WATCHDOG_PID");
    const auto store = number(take("FDSTORE"));
    if (path.empty())
        return {};
    ServiceNotify out(path);
    const bool for_us = process.empty() || process == std::to_string(getpid());
    // The greatest that a chrono type of 64 bits takes is some hundred thousand years.
    if (interval && *interval > 0 && *interval <= INT64_MAX && for_us)
        out.watchdog_ = std::chrono::microseconds(static_cast<std::int64_t>(*interval));
    out.store_size_ = static_cast<std::size_t>(store.value_or(0));
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
      watchdog_(other.watchdog_), store_size_(other.store_size_),
      on_ready_(std::move(other.on_ready_)) {}

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

// Without FDPOLL=0 a socket with an error that waits would be dropped.
bool ServiceNotify::store(std::string_view name, int descriptor) const {
    return send_with("FDSTORE=1\n" + line("FDNAME", name) + "FDPOLL=0\n", descriptor);
}

void ServiceNotify::unstore(std::string_view name) const {
    send("FDSTOREREMOVE=1\n" + line("FDNAME", name));
}

bool ServiceNotify::wait_until_done(std::chrono::milliseconds limit) const {
    std::array<int, 2> ends{};
    if (!connected() || pipe2(ends.data(), O_CLOEXEC) != 0)
        return false;
    const Descriptor ours(ends[0]);
    Descriptor theirs(ends[1]);
    if (!send_with("BARRIER=1", theirs.get()))
        return false;
    theirs.close();
    pollfd wait{ours.get(), 0, 0};
    int result = -1;
    do {
        result = poll(&wait, 1, static_cast<int>(limit.count()));
    } while (result < 0 && errno == EINTR);
    return result > 0;
}

bool ServiceNotify::send_with(std::string_view text, int descriptor) const {
    if (fd_ < 0) {
        errno = ENOTCONN;
        return false;
    }
    std::string copy(text);
    iovec part{copy.data(), copy.size()};
    alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    return sendmsg(fd_, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(copy.size());
}

// What does not arrive is repeated soon enough or was not important: there is nobody to tell.
void ServiceNotify::send(std::string_view text) const {
    if (fd_ >= 0)
        (void)::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
}

} // namespace nfovpn
