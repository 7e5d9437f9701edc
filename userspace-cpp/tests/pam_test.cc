// SPDX-License-Identifier: GPL-2.0-or-later
//
// Users verified by PAM: what is said between the processes, the conversation, and real services
// whose configuration is in a directory of the test.

#include "pam/helper.h"
#include "server/pam_hooks.h"
#include "util/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace nfovpn;
using testing::ElementsAre;
using namespace std::chrono_literals;

namespace {

pam::Request request(const std::string& username = "alice",
                     const std::string& password = "secret") {
    pam::Request out;
    out.id = 7;
    out.username = username;
    out.password = SecretBytes(as_bytes(password));
    out.common_name = "alice's laptop";
    out.remote_host = "192.0.2.7";
    return out;
}

std::string said(const std::optional<SecretBytes>& answer) {
    return answer ? std::string(as_text(answer->view())) : "(nothing)";
}

class PamTest : public testing::Test {
protected:
    void SetUp() override {
        log::set_level(log::Level::Off);
        auto name = (std::filesystem::temp_directory_path() / "pam.XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        directory_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    // A service whose program gets the password at its standard input.
    void service(const std::string& script, const std::string& account = "pam_permit.so") {
        const auto program = directory_ / "check";
        std::ofstream(program) << "#!/bin/sh\n" << script << "\n";
        std::filesystem::permissions(program, std::filesystem::perms::owner_all);
        std::ofstream(directory_ / "vpn")
            << "auth required pam_exec.so quiet expose_authtok " << program.string()
            << "\naccount required " << account << "\n";
    }
    pam::Answer ask(const pam::Request& whom) {
        return pam::authenticate({"vpn", {}}, whom, directory_.c_str());
    }

    std::filesystem::path directory_;
};

/// What happened to a question.
struct Outcome {
    bool answered = false;
    std::optional<session::Refusal> refusal;
};

/// Hooks that agree to everything, or to nothing.
class Before final : public server::ClientHooks {
public:
    void verify_user(server::ClientId, const Environment&, const std::string& username, ByteView,
                     Verified done) override {
        users.push_back(username);
        later = [this, done = std::move(done)] {
            if (agrees)
                done(server::ClientSettings{}, {});
            else
                done(session::Refusal{"no"}, {});
        };
    }
    void verify_certificates(server::ClientId, const Environment&, Verified) override { others++; }
    void connect(server::ClientId, const Environment&, Connected) override { others++; }
    void disconnect(server::ClientId, const Environment&) override { others++; }
    void learn_addresses(server::ClientId, const std::vector<std::string>&, const Environment&,
                         AddressesLearned) override {
        others++;
    }
    void forget_address(const std::string&, const Environment&) override { others++; }
    void forget(server::ClientId) override { others++; }

    bool agrees = true;
    int others = 0;
    std::vector<std::string> users;
    std::function<void()> later;
};

class PamHooksTest : public testing::Test {
protected:
    void SetUp() override { log::set_level(log::Level::Off); }

    void ask(server::ClientHooks& hooks, server::ClientId client, Outcome& out,
             const std::string& username = "nobody here") {
        hooks.verify_user(client, {{"common_name", "cn"}, {"untrusted_ip", "192.0.2.7"}}, username,
                          as_bytes("wrong"),
                          [&](Result<server::ClientSettings, session::Refusal> answer, TimePoint) {
                              out.answered = true;
                              if (!answer)
                                  out.refusal = answer.error();
                          });
    }
    bool run_until(const bool& flag) {
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (!flag && std::chrono::steady_clock::now() < deadline) {
            context.restart();
            context.run_one_for(100ms);
        }
        return flag;
    }

    asio::io_context context;
    Before before;
    int settled = 0;
};

} // namespace

TEST(PamMessages, RequestsComeAsTheyWent) {
    const auto message = pam::encode(request("al\nice", ""));
    ASSERT_TRUE(message);
    const auto back = pam::decode_request(message->view());
    ASSERT_TRUE(back);
    EXPECT_EQ(back->id, 7U);
    EXPECT_EQ(back->username, "al\nice");
    EXPECT_TRUE(back->password.empty());
    EXPECT_EQ(back->common_name, "alice's laptop");
    EXPECT_EQ(back->remote_host, "192.0.2.7");
}

TEST(PamMessages, WhatPamCannotHaveIsNotSent) {
    EXPECT_FALSE(pam::encode(request(std::string("a\0b", 3))));
    EXPECT_FALSE(pam::encode(request("alice", std::string("a\0b", 3))));
    EXPECT_FALSE(pam::encode(request("alice", std::string(pam::kMaxMessage, 'x'))));
}

TEST(PamMessages, BadOnesAreNone) {
    const auto message = pam::encode(request());
    ASSERT_TRUE(message);
    const auto view = message->view();
    for (std::size_t length = 0; length < view.size(); length++)
        EXPECT_FALSE(pam::decode_request(view.first(length))) << length;
    Bytes longer(view.begin(), view.end());
    longer.push_back(0);
    EXPECT_FALSE(pam::decode_request(longer));
    Bytes zero(view.begin(), view.end());
    zero[6] = 0;
    EXPECT_FALSE(pam::decode_request(zero)) << "in the user name";

    const auto answer = pam::encode(pam::Answer{9, pam::Verdict::Denied, "why"});
    for (std::size_t length = 0; length < 5; length++)
        EXPECT_FALSE(pam::decode_answer(std::span(answer).first(length)));
    auto unknown = answer;
    unknown[4] = 3;
    EXPECT_FALSE(pam::decode_answer(unknown));
}

TEST(PamMessages, AnswersComeAsTheyWent) {
    const auto back = pam::decode_answer(pam::encode(pam::Answer{9, pam::Verdict::Denied, "why"}));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->id, 9U);
    EXPECT_EQ(back->verdict, pam::Verdict::Denied);
    EXPECT_EQ(back->reason, "why");
    const auto cut = pam::decode_answer(
        pam::encode(pam::Answer{9, pam::Verdict::Failed, std::string(9999, 'x')}));
    ASSERT_TRUE(cut);
    EXPECT_EQ(cut->reason.size(), 256U);
}

TEST(PamMessages, CommandLine) {
    const config::PamConfig config{"vpn", {{"login", "USERNAME"}, {"password", "PASSWORD"}}};
    const auto words = pam::to_words(config);
    EXPECT_THAT(
        words, ElementsAre(pam::kHelperOption, "vpn", "login", "USERNAME", "password", "PASSWORD"));
    EXPECT_EQ(pam::from_words(words), config);
    EXPECT_FALSE(pam::from_words({pam::kHelperOption}));
    EXPECT_FALSE(pam::from_words({pam::kHelperOption, "vpn", "login"}));
    EXPECT_FALSE(pam::from_words({"--config", "vpn"}));
}

TEST(PamConversation, WithoutPromptsByWhetherItIsSeen) {
    EXPECT_EQ(said(pam::answer_to("Whoever you are:", true, {}, request())), "alice");
    EXPECT_EQ(said(pam::answer_to("Password: ", false, {}, request())), "secret");
}

TEST(PamConversation, PromptsAndWhatIsFilledIn) {
    const std::vector<config::PamPrompt> prompts = {
        {"login", "USERNAME"}, {"pass", "PASSWORD"}, {"domain", "corp/USERNAME@COMMONNAME!"}};
    EXPECT_EQ(said(pam::answer_to("[ Login: ", true, prompts, request())), "alice");
    EXPECT_EQ(said(pam::answer_to("PASSWORD:", false, prompts, request())), "secret");
    EXPECT_EQ(said(pam::answer_to("domain", false, prompts, request())),
              "corp/alice@alice's laptop!");
    EXPECT_EQ(said(pam::answer_to("new password:", false, prompts, request())), "(nothing)");
    EXPECT_EQ(said(pam::answer_to("", false, prompts, request())), "(nothing)");
    EXPECT_EQ(said(pam::answer_to("password", false, {{"password", "PASSWORD"}},
                                  request("alice", "USERNAME"))),
              "USERNAME")
        << "what is filled in is not looked at again";
}

TEST_F(PamTest, ServiceDecides) {
    service("test \"$PAM_USER $PAM_RHOST $(tr -d '\\000')\" = 'alice 192.0.2.7 secret'");
    EXPECT_EQ(ask(request()).verdict, pam::Verdict::Granted);
    EXPECT_EQ(ask(request()).id, 7U);
    EXPECT_EQ(ask(request("alice", "wrong")).verdict, pam::Verdict::Denied);
    EXPECT_EQ(ask(request("bob")).verdict, pam::Verdict::Denied);
    EXPECT_FALSE(ask(request("bob")).reason.empty());
}

TEST_F(PamTest, AccountThatMayNotBeUsed) {
    service("exit 0", "pam_deny.so");
    EXPECT_EQ(ask(request()).verdict, pam::Verdict::Denied);
}

// Without a service of that name it is the one for all others, which every system has.
TEST_F(PamTest, NoSuchService) {
    std::ofstream(directory_ / "other")
        << "auth required pam_deny.so\naccount required pam_deny.so\n";
    EXPECT_EQ(ask(request()).verdict, pam::Verdict::Denied);
}

TEST(PamServe, EndsWithTheOtherEnd) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    std::thread helper([fd = ends[1]] { EXPECT_EQ(pam::serve(fd, {"vpn", {}}), 0); });
    ASSERT_EQ(send(ends[0], "bad", 3, 0), 3) << "is left out";
    close(ends[0]);
    helper.join();
    close(ends[1]);
}

TEST_F(PamHooksTest, ProcessAnswers) {
    server::PamProcess process({"nf-ovpnd-no-such-service", {}}, NF_OVPND);
    server::PamHooks hooks(process, before, false, context, [this] { settled++; });
    Outcome first;
    Outcome second;
    ask(hooks, 1, first);
    ask(hooks, 2, second);
    EXPECT_FALSE(first.answered);
    ASSERT_TRUE(run_until(first.answered));
    ASSERT_TRUE(run_until(second.answered));
    EXPECT_TRUE(first.refusal);
    EXPECT_TRUE(second.refusal);
    EXPECT_EQ(settled, 2);
    EXPECT_TRUE(before.users.empty()) << "does not verify";
}

TEST_F(PamHooksTest, WhoIsBeforeMustAgreeAndAllElsePasses) {
    server::PamProcess process({"nf-ovpnd-no-such-service", {}}, NF_OVPND);
    server::PamHooks hooks(process, before, true, context, [] {});
    Outcome out;
    before.agrees = false;
    ask(hooks, 1, out, "bob");
    EXPECT_THAT(before.users, ElementsAre("bob"));
    EXPECT_FALSE(out.answered);
    before.later();
    ASSERT_TRUE(out.answered);
    EXPECT_EQ(out.refusal->reason, "no") << "and PAM was not asked";

    before.agrees = true;
    out = {};
    ask(hooks, 1, out, "bob");
    before.later();
    EXPECT_FALSE(out.answered);
    ASSERT_TRUE(run_until(out.answered));
    EXPECT_NE(out.refusal->reason, "no");

    hooks.connect(1, {}, {});
    hooks.disconnect(1, {});
    hooks.learn_addresses(1, {"10.8.0.2"}, {}, {});
    hooks.forget_address("10.8.0.2", {});
    hooks.forget(1);
    EXPECT_EQ(before.others, 5);
}

TEST_F(PamHooksTest, WhoIsGoneGetsNoAnswer) {
    server::PamProcess process({"nf-ovpnd-no-such-service", {}}, NF_OVPND);
    server::PamHooks hooks(process, before, true, context, [] {});
    Outcome gone;
    Outcome there;
    ask(hooks, 1, gone);
    before.later();
    hooks.forget(1);
    ask(hooks, 2, there);
    before.later();
    ASSERT_TRUE(run_until(there.answered));
    EXPECT_FALSE(gone.answered);

    // And while the others are asked, PAM is not.
    ask(hooks, 3, gone);
    hooks.forget(3);
    before.later();
    EXPECT_FALSE(gone.answered);
    there = {};
    ask(hooks, 2, there);
    before.later();
    ASSERT_TRUE(run_until(there.answered));
    EXPECT_FALSE(gone.answered);
}

TEST_F(PamHooksTest, WithoutItsProcessNobodyComesIn) {
    // It ends at once.
    server::PamProcess process({"vpn", {}}, "/bin/false");
    server::PamHooks hooks(process, before, false, context, [] {});
    Outcome out;
    ask(hooks, 1, out);
    ASSERT_TRUE(run_until(out.answered));
    EXPECT_TRUE(out.refusal->temporary);
    out = {};
    ask(hooks, 2, out);
    ASSERT_TRUE(run_until(out.answered));
    EXPECT_TRUE(out.refusal);
    EXPECT_THROW(server::PamProcess({"vpn", {}}, "/no/such/program"), std::system_error);
}
