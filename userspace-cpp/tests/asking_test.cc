// SPDX-License-Identifier: GPL-2.0-or-later
//
// Name and password asked at a terminal, which is a pseudo terminal here, by the daemon's own
// process for it.

#include "client/asking.h"

#include <asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

using namespace nfovpn;
using namespace nfovpn::client;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace {

/// Answers in turn, and notes what was asked.
struct Script {
    std::vector<std::string> answers;
    std::vector<std::string> asked = {};

    AskLine line() {
        return [this](const std::string& prompt, bool echo) -> Result<SecretBytes, NotAnswered> {
            asked.push_back(prompt + (echo ? " seen" : ""));
            if (asked.size() > answers.size())
                return NotAnswered{"nobody is there"};
            return SecretBytes(as_bytes(answers[asked.size() - 1]));
        };
    }
};

std::string text(const SecretBytes& bytes) {
    return std::string(as_text(bytes.view()));
}

// What comes to the other side of a terminal, until it ends with that.
std::string read_until(int master, const std::string& end) {
    std::string out;
    char c = 0;
    pollfd wait = {master, POLLIN, 0};
    while (!out.ends_with(end) && poll(&wait, 1, 20000) == 1 && read(master, &c, 1) == 1)
        out += c;
    return out;
}

} // namespace

TEST(Asking, WhatIsMissing) {
    Script all{{"alice", "secret"}};
    auto answer = ask_all({}, all.line());
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->username, "alice");
    EXPECT_EQ(text(answer->password), "secret");
    EXPECT_THAT(all.asked, ElementsAre("Enter Auth Username: seen", "Enter Auth Password:"));

    Script half{{"secret"}};
    answer = ask_all({"bob", std::nullopt}, half.line());
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->username, "bob");
    EXPECT_THAT(half.asked, ElementsAre("Enter Auth Password:"));

    Script nobody{{"alice"}};
    answer = ask_all({}, nobody.line());
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().why, "nobody is there");
    Script empty{{"", "secret"}};
    EXPECT_FALSE(ask_all({}, empty.line()));
}

TEST(Asking, Challenges) {
    Script coded{{"alice", "secret", "123"}};
    auto answer = ask_all({"", config::StaticChallenge{"PIN", true, false}}, coded.line());
    ASSERT_TRUE(answer);
    EXPECT_EQ(text(answer->password), "SCRV1:c2VjcmV0:MTIz");
    EXPECT_EQ(coded.asked.back(), "CHALLENGE: PIN seen");
    Script joined{{"alice", "secret", "123"}};
    answer = ask_all({"", config::StaticChallenge{"PIN", false, true}}, joined.line());
    ASSERT_TRUE(answer);
    EXPECT_EQ(text(answer->password), "secret123");
    EXPECT_EQ(joined.asked.back(), "CHALLENGE: PIN");
}

TEST(Asking, TerminalShowsOnlyWhatMayBeSeen) {
    int master = -1;
    int slave = -1;
    ASSERT_EQ(openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
    std::string seen;
    std::thread user([&] {
        seen = read_until(master, "Password: ");
        EXPECT_EQ(write(master, "open sesame\n", 12), 12);
        seen += read_until(master, "\n");
    });
    auto answer = ask_terminal(slave, "Password:", false);
    user.join();
    ASSERT_TRUE(answer);
    EXPECT_EQ(text(*answer), "open sesame");
    EXPECT_THAT(seen, Not(HasSubstr("sesame")));
    termios after{};
    ASSERT_EQ(tcgetattr(slave, &after), 0);
    EXPECT_NE(after.c_lflag & ECHO, 0U) << "it is as it was";
    close(master);
    close(slave);
}

// The whole way: a daemon's side, the process that asks, and its controlling terminal.
TEST(Asking, ByAProcessOfItsOwn) {
    if (access("/run/systemd/system", F_OK) == 0)
        GTEST_SKIP() << "systemd runs here, and is asked";
    int master = -1;
    const pid_t child = forkpty(&master, nullptr, nullptr, nullptr);
    ASSERT_GE(child, 0);
    if (child == 0) {
        alarm(30);
        asio::io_context context;
        const AskProcess process(NF_OVPND);
        Asker asker(context, process);
        bool well = false;
        asker.ask({}, [&](Result<UserAnswer, NotAnswered> answer) {
            well = answer && answer->username == "alice" && text(answer->password) == "secret";
        });
        context.run();
        _exit(well ? 0 : 1);
    }
    EXPECT_THAT(read_until(master, "Username: "), HasSubstr("Enter Auth Username: "));
    EXPECT_EQ(write(master, "alice\n", 6), 6);
    EXPECT_THAT(read_until(master, "Password: "), HasSubstr("Enter Auth Password: "));
    EXPECT_EQ(write(master, "secret\n", 7), 7);
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    close(master);
}

// Without a terminal there is an answer as well: that there is none.
TEST(Asking, NobodyToAsk) {
    if (access("/run/systemd/system", F_OK) == 0)
        GTEST_SKIP() << "systemd runs here, and is asked";
    const pid_t child = fork();
    if (child == 0) {
        alarm(30);
        setsid();
        asio::io_context context;
        const AskProcess process(NF_OVPND);
        Asker asker(context, process);
        std::string why;
        asker.ask({}, [&](Result<UserAnswer, NotAnswered> answer) {
            why = answer ? "" : answer.error().why;
        });
        context.run();
        _exit(why == "there is no terminal, and no systemd-ask-password" ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}
