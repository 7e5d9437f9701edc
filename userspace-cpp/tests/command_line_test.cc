// SPDX-License-Identifier: GPL-2.0-or-later
//
// nf-ovpnd as a command: what it prints and its exit status, for all that does not serve.

#include "config/option_table.h"
#include "support/pki.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace nfovpn;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

struct Outcome {
    int status = -1; ///< the exit status; -1 if there is none
    std::string output;
};

Outcome nf_ovpnd(std::vector<std::string> words) {
    words.insert(words.begin(), NF_OVPND);
    std::array<int, 2> pipe_ends{};
    EXPECT_EQ(pipe(pipe_ends.data()), 0);
    const pid_t child = fork();
    if (child == 0) {
        std::vector<char*> argv;
        argv.reserve(words.size() + 1);
        for (auto& word : words)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        dup2(pipe_ends[1], STDOUT_FILENO);
        dup2(pipe_ends[1], STDERR_FILENO);
        close(pipe_ends[0]);
        execv(NF_OVPND, argv.data());
        _exit(127);
    }
    close(pipe_ends[1]);
    Outcome out;
    std::array<char, 4096> part{};
    for (ssize_t n = 0; (n = read(pipe_ends[0], part.data(), part.size())) > 0;)
        out.output.append(part.data(), static_cast<std::size_t>(n));
    close(pipe_ends[0]);
    int status = 0;
    if (waitpid(child, &status, 0) == child && WIFEXITED(status))
        out.status = WEXITSTATUS(status);
    return out;
}

class CommandLine : public testing::Test {
protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "command-line-XXXXXX";
        directory_ = mkdtemp(name.data());
        test::Authority authority;
        auto server = authority.issue({.common_name = "gate", .server = true});
        write("ca.crt", authority.certificate());
        write("gate.crt", server.certificate);
        write("gate.key", server.private_key);
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    void write(const std::string& name, const std::string& text) const {
        std::ofstream(directory_ + "/" + name) << text;
    }

    /// A configuration with these lines in front of those that it cannot do without.
    [[nodiscard]] std::string configuration(const std::string& lines) const {
        write("gate.conf", lines + "cd " + directory_ +
                               "\ndev tun\nserver 10.8.0.0 255.255.255.0\nca ca.crt\n"
                               "cert gate.crt\nkey gate.key\n");
        return directory_ + "/gate.conf";
    }

    std::string directory_;
};

} // namespace

TEST_F(CommandLine, CheckSaysWhatWouldRun) {
    auto file = configuration("persist-tun\nport 1194\n");
    for (const auto& words : {std::vector<std::string>{"--check", file},
                              std::vector<std::string>{"--config", file, "--check"}}) {
        auto good = nf_ovpnd(words);
        EXPECT_EQ(good.status, 0) << good.output;
        EXPECT_THAT(good.output, StartsWith("   1  ignored    persist-tun: ignored: "));
        EXPECT_THAT(good.output, HasSubstr("\n   2  supported  port\n"));
        EXPECT_THAT(good.output, HasSubstr(file + ": usable\n"));
    }
}

TEST_F(CommandLine, CheckSaysWhatWouldNot) {
    auto file = configuration("vlan-tagging\n");
    auto refused = nf_ovpnd({"--check", file});
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.output, StartsWith("   1  refused    vlan-tagging: "));
    EXPECT_THAT(refused.output, HasSubstr(file + ": not usable\n"));

    // Each line is right, and the key is of another certificate.
    test::Authority other;
    write("gate.key", other.issue({.common_name = "gate", .server = true}).private_key);
    auto wrong_key = nf_ovpnd({"--check", configuration("")});
    EXPECT_EQ(wrong_key.status, 1);
    EXPECT_THAT(wrong_key.output, HasSubstr("error: "));

    EXPECT_EQ(nf_ovpnd({"--check", directory_ + "/missing.conf"}).status, 1);
}

// An unknown line is one that OpenVPN logs, and goes on; so it is told, and usable.
TEST_F(CommandLine, CheckLooksIntoTheDirectoryOfClients) {
    std::filesystem::create_directory(directory_ + "/ccd");
    write("ccd/alice", "push \"route 10.77.0.0 255.255.0.0\"\n");
    write("ccd/bob", "no-such-option 1\n");
    auto usable = nf_ovpnd({"--check", configuration("client-config-dir ccd\n")});
    EXPECT_EQ(usable.status, 0) << usable.output;
    EXPECT_THAT(usable.output, HasSubstr("ccd/bob:1: warning: no-such-option"));
    EXPECT_THAT(usable.output, testing::Not(HasSubstr("ccd/alice")));
    write("ccd/carol", "ifconfig-push nowhere\n");
    auto locked_out = nf_ovpnd({"--check", configuration("client-config-dir ccd\n")});
    EXPECT_EQ(locked_out.status, 1);
    EXPECT_THAT(locked_out.output, HasSubstr("ccd/carol:1: error: ifconfig-push"));
    auto missing = nf_ovpnd({"--check", configuration("client-config-dir nowhere\n")});
    EXPECT_EQ(missing.status, 1);
}

// Who starts services must not take it for one that hangs.
TEST_F(CommandLine, AHoldIsReadyAndAlive) {
    const auto manager = directory_ + "/notify";
    const int heard = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    manager.copy(static_cast<char*>(address.sun_path), sizeof(address.sun_path) - 1);
    ASSERT_EQ(bind(heard, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    const timeval limit{10, 0};
    ASSERT_EQ(setsockopt(heard, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    const auto file = configuration("management " + directory_ +
                                    "/management unix\nmanagement-hold\nlog /dev/null\n");
    const pid_t child = fork();
    if (child == 0) {
        setenv("NOTIFY_SOCKET", manager.c_str(), 1);
        setenv("WATCHDOG_USEC", "200000", 1);
        execl(NF_OVPND, NF_OVPND, file.c_str(), nullptr);
        _exit(127);
    }
    int ready = 0;
    int alive = 0;
    while (alive < 5) {
        std::array<char, 512> text{};
        const auto n = recv(heard, text.data(), text.size(), 0);
        ASSERT_GT(n, 0) << "nothing is heard; ready " << ready << ", alive " << alive;
        const std::string said(text.data(), static_cast<std::size_t>(n));
        ready += said.find("READY=1") != std::string::npos ? 1 : 0;
        alive += said.find("WATCHDOG=1") != std::string::npos ? 1 : 0;
    }
    EXPECT_EQ(ready, 1);
    kill(child, SIGTERM);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(heard);
}

// What would end it at its start, though each line is right by itself.
TEST_F(CommandLine, CheckLooksAtWhatIsWritten) {
    for (const char* line :
         {"writepid /no/such/directory/pid", "management /no/such/directory/m unix",
          "client-config-dir /no/such/directory", "log /no/such/directory/log",
          "status /no/such/directory/status", "nf-control /no/such/directory/control"}) {
        const auto checked = nf_ovpnd({"--check", configuration(std::string(line) + "\n")});
        EXPECT_EQ(checked.status, 1) << line << "\n" << checked.output;
        const std::string text = line;
        EXPECT_THAT(checked.output, HasSubstr("error: " + text.substr(0, text.find(' ')) + ": "));
    }
    write("gate.conf", "cd /no/such/directory\n");
    const auto checked = nf_ovpnd({"--check", directory_ + "/gate.conf"});
    EXPECT_EQ(checked.status, 1);
}

TEST_F(CommandLine, CheckSaysWhichFileIsWrong) {
    write("gate.crt", "no certificate\n");
    const auto file = configuration("");
    const auto checked = nf_ovpnd({"--check", file});
    EXPECT_EQ(checked.status, 1);
    EXPECT_THAT(checked.output, HasSubstr(file + ":5: error: cert: "));
}

TEST_F(CommandLine, OptionsBesideTheFile) {
    const auto file = configuration("port 1194\n");
    const auto beside = nf_ovpnd({"--check", file, "--port", "7", "--verb", "9"});
    EXPECT_EQ(beside.status, 0) << beside.output;
    EXPECT_THAT(beside.output, HasSubstr("   -  supported  verb\n"));
    // In its place, as scripts have it.
    const auto alone =
        nf_ovpnd({"--check", "--dev", "tun", "--server", "10.8.0.0", "255.255.255.0", "--cd",
                  directory_, "--ca", "ca.crt", "--cert", "gate.crt", "--key", "gate.key"});
    EXPECT_EQ(alone.status, 0) << alone.output;
    EXPECT_THAT(alone.output, HasSubstr("command line: usable\n"));
    EXPECT_EQ(nf_ovpnd({"--dev", "tun", "--port", "x"}).status, 2);
}

TEST_F(CommandLine, APipeThatNobodyWritesToIsNotWaitedFor) {
    const auto path = directory_ + "/fifo";
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    const auto checked = nf_ovpnd({"--check", path});
    EXPECT_EQ(checked.status, 1);
    EXPECT_THAT(checked.output, HasSubstr("a pipe, and nobody writes to it"));
}

TEST_F(CommandLine, WrongConfigurationsAreNotServed) {
    auto file = configuration("vlan-tagging\n");
    auto refused = nf_ovpnd({"--config", file});
    EXPECT_EQ(refused.status, 2);
    EXPECT_THAT(refused.output, HasSubstr(file + ":1: error: vlan-tagging: "));
    EXPECT_EQ(nf_ovpnd({directory_ + "/missing.conf"}).status, 2);
    EXPECT_EQ(nf_ovpnd({}).status, 2);
    EXPECT_EQ(nf_ovpnd({"--no-such-option"}).status, 2);
}

TEST_F(CommandLine, Questions) {
    auto options = nf_ovpnd({"--help-options"});
    EXPECT_EQ(options.status, 0);
    EXPECT_EQ(options.output, config::options_as_text());
    EXPECT_EQ(nf_ovpnd({"--help"}).status, 0);
    auto version = nf_ovpnd({"--version"});
    EXPECT_EQ(version.status, 0);
    EXPECT_THAT(version.output, StartsWith("nf-ovpnd "));
}
