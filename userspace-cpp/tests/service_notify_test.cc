// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the service manager is told, by a socket in its place.

#include "util/service_notify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string>

using namespace nfovpn;
using std::chrono::microseconds;

namespace {

class Manager {
public:
    // '@' for the abstract name space
    explicit Manager(const std::string& path) : path_(path) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(static_cast<char*>(address.sun_path), sizeof(address.sun_path) - 1);
        if (path[0] == '@')
            address.sun_path[0] = '\0';
        const auto length =
            offsetof(sockaddr_un, sun_path) + path.size() + (path[0] == '@' ? 0 : 1);
        EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), static_cast<socklen_t>(length)),
                  0);
    }
    ~Manager() {
        close(fd_);
        unlink(path_.c_str());
    }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    /// The next datagram; they are there at once. Empty if none is.
    [[nodiscard]] std::string heard() const {
        std::array<char, 1024> text{};
        const auto n = recv(fd_, text.data(), text.size(), MSG_DONTWAIT);
        return n < 0 ? "" : std::string(text.data(), static_cast<std::size_t>(n));
    }

private:
    std::string path_;
    int fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

std::string unique_name() {
    return "nf-ovpnd-notify-" + std::to_string(getpid());
}

// The manager's variables; nullptr leaves one out.
void set_environment(const std::string& socket, const char* interval, const char* process) {
    setenv("NOTIFY_SOCKET", socket.c_str(), 1);
    interval ? setenv("WATCHDOG_USEC", interval, 1) : unsetenv("WATCHDOG_USEC");
    process ? setenv("WATCHDOG_PID", process, 1) : unsetenv("WATCHDOG_PID");
}

} // namespace

TEST(ServiceNotify, TellsBothKindsOfSockets) {
    for (const auto& path : {testing::TempDir() + unique_name(), "@" + unique_name()}) {
        Manager manager(path);
        ServiceNotify notify(path);
        ASSERT_TRUE(notify.connected()) << path << ": " << notify.problem();
        notify.ready("serving");
        EXPECT_EQ(manager.heard(),
                  "READY=1\nSTATUS=serving\nMAINPID=" + std::to_string(getpid()) + "\n");
        notify.status("3 clients");
        EXPECT_EQ(manager.heard(), "STATUS=3 clients\n");
        notify.alive();
        EXPECT_EQ(manager.heard(), "WATCHDOG=1\n");
        notify.stopping("no more");
        EXPECT_EQ(manager.heard(), "STOPPING=1\nSTATUS=no more\n");
        EXPECT_EQ(manager.heard(), "");
    }
}

TEST(ServiceNotify, AStatusIsOneLine) {
    Manager manager("@" + unique_name());
    ServiceNotify notify("@" + unique_name());
    notify.status("a\nREADY=1\r\nb");
    EXPECT_EQ(manager.heard(), "STATUS=a READY=1  b\n");
}

TEST(ServiceNotify, NobodyIsThere) {
    for (const auto& path :
         {std::string("relative"), std::string(""), std::string("/"), std::string("@"),
          "/" + std::string(200, 'x'), testing::TempDir() + "no-such-socket"}) {
        ServiceNotify notify(path);
        EXPECT_FALSE(notify.connected()) << path;
        EXPECT_NE(notify.problem(), "") << path;
        notify.ready("x"); // does nothing
        notify.alive();
    }
    // A manager that is gone is no reason to end.
    std::optional<Manager> manager("@" + unique_name());
    ServiceNotify notify("@" + unique_name());
    manager.reset();
    notify.alive();
    EXPECT_TRUE(notify.connected());
}

TEST(ServiceNotify, TheEnvironmentIsUsedUp) {
    Manager manager("@" + unique_name());
    const auto own = std::to_string(getpid());
    struct Case {
        const char* interval;
        const char* process;
        std::optional<microseconds> expected;
    };
    const Case cases[] = {
        {nullptr, nullptr, std::nullopt},
        {"30000000", nullptr, microseconds(30000000)},
        {"30000000", own.c_str(), microseconds(30000000)},
        {"30000000", "1", std::nullopt}, // for another process
        {"0", nullptr, std::nullopt},
        {"-1", nullptr, std::nullopt},
        {"many", nullptr, std::nullopt},
        {"18446744073709551615", nullptr, std::nullopt},
    };
    for (const auto& c : cases) {
        set_environment("@" + unique_name(), c.interval, c.process);
        auto notify = ServiceNotify::from_environment();
        EXPECT_TRUE(notify.connected());
        EXPECT_EQ(notify.watchdog(), c.expected) << (c.interval ? c.interval : "none");
        for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
            EXPECT_EQ(std::getenv(name), nullptr) << name;
        notify.alive();
        EXPECT_EQ(manager.heard(), "WATCHDOG=1\n");
    }
    auto none = ServiceNotify::from_environment();
    EXPECT_FALSE(none.connected());
    EXPECT_EQ(none.problem(), "");
    EXPECT_FALSE(none.watchdog());
}

TEST(ServiceNotify, GivesDescriptorsAway) {
    Manager manager("@" + unique_name());
    setenv("FDSTORE", "7", 1);
    setenv("NOTIFY_SOCKET", ("@" + unique_name()).c_str(), 1);
    const auto notify = ServiceNotify::from_environment();
    EXPECT_EQ(std::getenv("FDSTORE"), nullptr);
    EXPECT_EQ(notify.store_size(), 7U);
    EXPECT_TRUE(notify.store("a name", STDIN_FILENO));
    EXPECT_EQ(manager.heard(), "FDSTORE=1\nFDNAME=a name\nFDPOLL=0\n");
    notify.unstore("a name");
    EXPECT_EQ(manager.heard(), "FDSTOREREMOVE=1\nFDNAME=a name\n");
    EXPECT_FALSE(notify.store("a name", -1)) << "there is none";
    // Whoever takes the message and closes what came with it says that all is done; nobody does.
    EXPECT_FALSE(notify.wait_until_done(std::chrono::milliseconds(50)));
    // This one drops what comes with it.
    EXPECT_EQ(manager.heard(), "BARRIER=1");
    const ServiceNotify nobody;
    EXPECT_EQ(nobody.store_size(), 0U);
    EXPECT_FALSE(nobody.store("a", STDIN_FILENO));
    EXPECT_FALSE(nobody.wait_until_done(std::chrono::milliseconds(50)));
}

// They begin at 3, which is something else's here: in a process of its own.
TEST(ServiceNotify, IsGivenDescriptors) {
    const auto in_child = [](const char* process, const char* count, const char* names) {
        const pid_t child = fork();
        if (child == 0) {
            for (int fd = 3; fd < 6; fd++)
                dup2(STDERR_FILENO, fd);
            setenv("LISTEN_PID", process ? process : std::to_string(getpid()).c_str(), 1);
            setenv("LISTEN_FDS", count, 1);
            setenv("LISTEN_FDNAMES", names, 1);
            std::string got;
            for (const auto& one : take_listen_descriptors()) {
                const bool shut = (fcntl(one.descriptor.get(), F_GETFD) & FD_CLOEXEC) != 0;
                got += one.name + "=" + std::to_string(one.descriptor.get()) + (shut ? " " : "! ");
            }
            for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
                got += std::getenv(name) ? "left" : "";
            const std::string wanted = std::getenv("WANTED");
            _exit(got == wanted ? 0 : 1);
        }
        int status = -1;
        waitpid(child, &status, 0);
        return status;
    };
    const auto expect = [&](const char* wanted, const char* process, const char* count,
                            const char* names) {
        setenv("WANTED", wanted, 1);
        EXPECT_EQ(in_child(process, count, names), 0) << wanted;
    };
    expect("a=3 b=4 c=5 ", nullptr, "3", "a:b:c");
    expect("a=3 =4 ", nullptr, "2", "a");
    expect("=3 b=4 ", nullptr, "2", ":b:c:d");
    expect("", "1", "3", "a:b:c");
    expect("", nullptr, "-1", "a");
    expect("", nullptr, "many", "a");
    expect("", nullptr, "99999999", "a");
    unsetenv("WANTED");
}
