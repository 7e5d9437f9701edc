// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the daemon gives up before it serves. Each test does it in a child process, since there is
// no way back; the child's exit status says what it found.

#include "config/watched_file.h"
#include "host/confinement.h"
#include "host/files.h"
#include "netlink/message.h"
#include "server/client_files.h"
#include "server/daemon.h"
#include "server/status.h"
#include "support/pki.h"
#include "util/log.h"
#include "util/privileges.h"
#include "util/syscall_filter.h"

#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/read.hpp>
#include <asio/steady_timer.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/rand.h>

#include <linux/netlink.h>
#include <net/if.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

using namespace nfovpn;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

constexpr uid_t kNobody = 65534;

// The child's wait status. What it prints shows why it ended with something else than 0.
int in_child(const std::function<bool()>& what) {
    const pid_t child = fork();
    if (child == 0)
        _exit(what() ? 0 : 1);
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return status;
}

bool expect(bool held, const char* what) {
    if (!held)
        std::fprintf(stderr, "in the child: %s: not so (%s)\n", what, std::strerror(errno));
    return held;
}

// The lines of /proc/self/status, by what is before the colon.
std::map<std::string, std::string> own_status() {
    std::map<std::string, std::string> out;
    std::ifstream in("/proc/self/status");
    for (std::string line; std::getline(in, line);) {
        auto colon = line.find(':');
        auto value = line.find_first_not_of(" \t", colon + 1);
        if (colon != std::string::npos)
            out[line.substr(0, colon)] = value == std::string::npos ? "" : line.substr(value);
    }
    return out;
}

// The set of capabilities with CAP_NET_ADMIN, if this process has it, and no other.
std::string admin_only() {
    return std::strtoull(own_status()["CapPrm"].c_str(), nullptr, 16) & (1ULL << 12)
               ? "0000000000001000"
               : "0000000000000000";
}

class ScratchDirectory {
public:
    ScratchDirectory() {
        std::string name = testing::TempDir() + "confinement-XXXXXX";
        path_ = mkdtemp(name.data());
    }
    ~ScratchDirectory() { std::filesystem::remove_all(path_); }
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

// Whether a shell runs the script to a good end.
bool runs(std::string script) {
    std::string shell = "sh";
    std::string option = "-c";
    std::array<char*, 4> words = {shell.data(), option.data(), script.data(), nullptr};
    pid_t child = 0;
    int status = -1;
    errno = posix_spawn(&child, "/bin/sh", nullptr, nullptr, words.data(), environ);
    return errno == 0 && waitpid(child, &status, 0) == child && status == 0;
}

bool filtered(FilterFor what) {
    auto failed = install_syscall_filter(what);
    return expect(!failed, failed ? failed->what.c_str() : "");
}

bool can_filter() {
    return in_child([] {
               auto failed = drop_privileges(std::nullopt);
               auto filter = install_syscall_filter(FilterFor::Daemon);
               return !failed && !(filter && filter->no_support);
           }) == 0;
}

#define NEEDS_ROOT()                                                                               \
    if (geteuid() != 0)                                                                            \
    GTEST_SKIP() << "only root can become somebody else"
#define NEEDS_SECCOMP()                                                                            \
    if (!can_filter())                                                                             \
    GTEST_SKIP() << "this kernel has no seccomp"

} // namespace

TEST(Identity, IsFoundByNameAndByNumber) {
    auto root = find_identity("root", "");
    ASSERT_TRUE(root);
    EXPECT_EQ(*root, (Identity{0, 0}));
    auto both = find_identity("root", "1234567");
    ASSERT_TRUE(both);
    EXPECT_EQ(*both, (Identity{0, 1234567}));
    auto numbers = find_identity("1234567", "0");
    ASSERT_TRUE(numbers);
    EXPECT_EQ(*numbers, (Identity{1234567, 0}));
    auto only_group = find_identity("", "root");
    ASSERT_TRUE(only_group);
    EXPECT_EQ(*only_group, (Identity{getuid(), 0}));

    EXPECT_EQ(find_identity("no-such-user", "").error(), "there is no user \"no-such-user\"");
    EXPECT_EQ(find_identity("no-such-user", "0").error(), "there is no user \"no-such-user\"");
    EXPECT_EQ(find_identity("", "no-such-group").error(), "there is no group \"no-such-group\"");
    EXPECT_FALSE(find_identity("1234567", "")) << "it has no group";
    EXPECT_FALSE(find_identity("-1", "0"));
    EXPECT_FALSE(find_identity("4294967295", "0")) << "means: leave it";
    EXPECT_FALSE(find_identity("", "4294967295"));
}

TEST(Privileges, OnlyNetAdminStays) {
    EXPECT_EQ(in_child([] {
                  const auto admin = admin_only();
                  if (drop_privileges(std::nullopt))
                      return expect(false, "drop_privileges()");
                  auto now = own_status();
                  return expect(now["CapEff"] == admin, "effective set") &&
                         expect(now["CapPrm"] == admin, "permitted set") &&
                         expect(now["CapInh"] == "0000000000000000", "inheritable set") &&
                         expect(now["CapAmb"] == "0000000000000000", "ambient set") &&
                         expect(now["NoNewPrivs"] == "1", "no_new_privs") &&
                         expect(geteuid() != 0 || now["CapBnd"] == admin, "bounding set");
              }),
              0);
}

TEST(Privileges, AnotherUserWithoutGroups) {
    NEEDS_ROOT();
    EXPECT_EQ(in_child([] {
                  const auto admin = admin_only();
                  if (drop_privileges(Identity{kNobody, kNobody}))
                      return expect(false, "drop_privileges()");
                  auto now = own_status();
                  return expect(now["Uid"] == "65534\t65534\t65534\t65534", "user") &&
                         expect(now["Gid"] == "65534\t65534\t65534\t65534", "group") &&
                         expect(getgroups(0, nullptr) == 0, "no more groups") &&
                         expect(now["CapEff"] == admin && now["CapPrm"] == admin,
                                "one capability") &&
                         expect(now["CapBnd"] == admin, "bounding set") &&
                         expect(setuid(0) != 0, "no way back") &&
                         expect(access("/etc/shadow", R_OK) != 0, "no file of root");
              }),
              0);
}

TEST(Privileges, ThatCannotBeDroppedAreAnError) {
    NEEDS_ROOT();
    EXPECT_EQ(in_child([] {
                  if (drop_privileges(Identity{kNobody, kNobody}))
                      return false;
                  return expect(drop_privileges(Identity{0, 0}).has_value(), "root again fails") &&
                         expect(!drop_privileges(Identity{kNobody, kNobody}), "the same is fine");
              }),
              0);
}

TEST(Confinement, PathsOutOfReachAreNamed) {
    NEEDS_ROOT();
    ScratchDirectory scratch;
    const auto closed = scratch.path() + "/closed";
    mkdir(closed.c_str(), 0700);
    std::ofstream(closed + "/crl.pem") << "x";
    chmod(scratch.path().c_str(), 0777);
    config::ServerConfig c;
    c.client_config_dir = closed;
    c.crl_file = closed + "/crl.pem";
    c.pid_file = closed + "/pid";
    c.control_socket = closed + "/control";
    EXPECT_THAT(host::unusable_paths(server::later_paths(c)), IsEmpty()) << "for root";
    config::ServerConfig open;
    open.client_config_dir = scratch.path();
    open.pid_file = "pid"; // in the current directory
    EXPECT_EQ(
        in_child([&] {
            if (chdir(scratch.path().c_str()) != 0 || drop_privileges(Identity{kNobody, kNobody}))
                return false;
            auto found = host::unusable_paths(server::later_paths(c));
            if (!expect(found.size() == 4, "four paths"))
                return false;
            auto begins = [&](std::size_t i, const std::string& text) {
                return expect(found[i].starts_with(text), text.c_str());
            };
            return begins(0, "crl-verify: " + closed + "/crl.pem: Permission denied: when") &&
                   begins(1, "writepid: " + closed + ": Permission denied: ") &&
                   begins(2, "client-config-dir: " + closed + ": Permission denied: no client") &&
                   begins(3, "nf-control: " + closed + ": Permission denied: ") &&
                   expect(host::unusable_paths(server::later_paths(open)).empty(),
                          "those are in reach");
        }),
        0);
}

// A replaced revocation list that cannot be read any more counts as unread each time, which lets
// nobody in, and the file of a client likewise.
TEST(Confinement, FilesOutOfReachLetNobodyIn) {
    NEEDS_ROOT();
    ScratchDirectory scratch;
    chmod(scratch.path().c_str(), 0755);
    const auto crl = scratch.path() + "/crl.pem";
    const auto own = scratch.path() + "/client";
    std::ofstream(crl) << "first";
    std::ofstream(own) << "push-reset\n";
    chmod(own.c_str(), 0600);
    std::array<int, 2> ready{};
    std::array<int, 2> replaced{};
    ASSERT_EQ(pipe(ready.data()), 0);
    ASSERT_EQ(pipe(replaced.data()), 0);
    const pid_t child = fork();
    if (child == 0) {
        log::set_level(log::Level::Off);
        config::WatchedFile file(crl);
        char byte = 0;
        bool held = expect(*file.changed() == "first", "read by root");
        held = held && !drop_privileges(Identity{kNobody, kNobody});
        held =
            held && expect(*file.changed() == std::nullopt, "unchanged") &&
            expect(!server::read_client_settings(scratch.path(), false, "client"), "no settings");
        held = held && write(ready[1], &byte, 1) == 1 && read(replaced[0], &byte, 1) == 1;
        held = held && expect(!file.changed() && !file.changed(), "changed, out of reach");
        _exit(held ? 0 : 1);
    }
    close(ready[1]);
    char byte = 0;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    std::ofstream(crl + ".new") << "second";
    chmod((crl + ".new").c_str(), 0600);
    std::filesystem::rename(crl + ".new", crl);
    ASSERT_EQ(write(replaced[1], &byte, 1), 1);
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    for (int fd : {ready[0], replaced[0], replaced[1]})
        close(fd);
}

TEST(SyscallFilter, LetsTheDaemonDoItsWork) {
    NEEDS_SECCOMP();
    ScratchDirectory scratch;
    const auto log_file = scratch.path() + "/log";
    EXPECT_EQ(
        in_child([&] {
            if (drop_privileges(std::nullopt) || !filtered(FilterFor::Daemon))
                return false;
            // files
            log::open({log_file});
            log::set_level(log::Level::Info);
            log::error("{}", "a line");
            const auto status = scratch.path() + "/status";
            std::string why;
            bool held = expect(!host::write_file(status, "text"), "status file") &&
                        expect(config::read_file(status, why) == "text", "read") &&
                        expect(*config::WatchedFile(status).changed() == "text", "watched") &&
                        expect(server::read_client_settings(scratch.path(), false, "x").has_value(),
                               "client-config-dir") &&
                        expect(std::remove(status.c_str()) == 0, "removed");
            // sockets, waiting
            asio::io_context context;
            asio::local::stream_protocol::acceptor acceptor(
                context, asio::local::stream_protocol::endpoint(scratch.path() + "/socket"));
            asio::local::stream_protocol::socket client(context);
            client.connect(asio::local::stream_protocol::endpoint(scratch.path() + "/socket"));
            bool accepted = false;
            acceptor.async_accept([&](const asio::error_code& error, auto) { accepted = !error; });
            asio::steady_timer timer(context, std::chrono::milliseconds(1));
            bool fired = false;
            timer.async_wait([&](const asio::error_code& error) { fired = !error; });
            io::UdpSocket udp(context, io::Family::Both, std::nullopt, 0);
            context.run();
            netlink::Socket route(NETLINK_ROUTE);
            held = held && expect(if_nametoindex("lo") != 0, "the index of a device");
            held = held && expect(accepted && fired, "asio");
            // cryptography, and memory that is new
            const test::Authority authority("CA");
            std::array<unsigned char, 32> random{};
            std::vector<char> large(std::size_t{64} << 20, 'x');
            return held && expect(RAND_bytes(random.data(), 32) == 1, "random bytes") &&
                   expect(large.back() == 'x', "memory") && expect(std::time(nullptr) > 0, "time");
        }),
        0);
    std::string why;
    EXPECT_THAT(config::read_file(log_file, why).value_or(""), HasSubstr("a line"));
}

TEST(SyscallFilter, RefusesWhatTheDaemonDoesNot) {
    NEEDS_SECCOMP();
    EXPECT_EQ(in_child([] {
                  if (drop_privileges(std::nullopt) || !filtered(FilterFor::Daemon))
                      return false;
                  const auto size = static_cast<std::size_t>(getpagesize());
                  auto refused = [](bool failed, const char* what) {
                      return expect(failed && errno == EPERM, what);
                  };
                  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                  const auto executable = PROT_READ | PROT_WRITE | PROT_EXEC;
                  return expect(memory != MAP_FAILED, "plain memory") &&
                         refused(mprotect(memory, size, executable) != 0, "mprotect") &&
                         refused(mmap(nullptr, size, executable, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                                      0) == MAP_FAILED,
                                 "mmap") &&
                         refused(socket(AF_PACKET, SOCK_RAW, 0) < 0, "packet sockets") &&
                         refused(mkdir("/tmp/nf-ovpnd-refused", 0700) != 0, "mkdir") &&
                         refused(setuid(getuid()) != 0, "setuid");
              }),
              0);
}

TEST(SyscallFilter, EndsWhoIsTakenOver) {
    NEEDS_SECCOMP();
    const std::vector<std::function<void()>> deeds = {
        [] { execl("/bin/true", "true", nullptr); },
        [] { ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); },
    };
    for (const auto& deed : deeds) {
        const int status = in_child([&] {
            if (drop_privileges(std::nullopt) || !filtered(FilterFor::Daemon))
                return false;
            deed();
            return false;
        });
        EXPECT_TRUE(WIFSIGNALED(status));
        EXPECT_EQ(WTERMSIG(status), SIGSYS);
    }
}

TEST(SyscallFilter, LetsScriptsRunButNotChangeTheSystem) {
    NEEDS_SECCOMP();
    EXPECT_EQ(in_child([] {
                  if (drop_privileges(std::nullopt) || !filtered(FilterFor::DaemonWithScripts))
                      return false;
                  // a shell with a pipe, that is fork, execve and wait
                  return expect(runs("test \"$(echo a | tr a b)\" = b"), "script") &&
                         expect(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0 && errno == EPERM,
                                "ptrace");
              }),
              0);
}

// All of it, by what the configuration says.
TEST(Confinement, FollowsTheConfiguration) {
    NEEDS_SECCOMP();
    auto filters = [](bool seccomp, bool runs_programs) {
        return in_child([&] {
            config::ServerConfig c;
            c.seccomp = seccomp;
            c.runs_programs = runs_programs;
            log::set_level(log::Level::Off);
            host::confine(c, server::later_paths(c));
            auto now = own_status();
            return expect((now["Seccomp"] == "2") == seccomp, "a filter") &&
                   expect(now["NoNewPrivs"] == "1", "no_new_privs") &&
                   expect(runs("true"), "a program is run");
        });
    };
    EXPECT_EQ(filters(false, false), 0);
    EXPECT_EQ(filters(true, true), 0);
    EXPECT_NE(filters(true, false), 0) << "the daemon alone runs no program";
}
