// SPDX-License-Identifier: GPL-2.0-or-later
//
// Programs that are really run: what they are told, what they answer, and what is left of them.

#include "io/program.h"
#include "server/script_hooks.h"
#include "util/log.h"

#include <asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace nfovpn;
using namespace nfovpn::io;
using namespace nfovpn::server;
using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace {

class ScriptTest : public testing::Test {
protected:
    void SetUp() override {
        char pattern[] = "/tmp/nf-ovpnd-test-XXXXXX";
        ASSERT_NE(mkdtemp(pattern), nullptr);
        directory = pattern;
        std::filesystem::create_directory(directory + "/tmp");
        settings.directory = directory + "/tmp";
        settings.environment = {{"dev", "tun7"}, {"PATH", "/usr/bin:/bin"}};
        log::set_level(log::Level::Off);
    }
    void TearDown() override { std::filesystem::remove_all(directory); }

    std::vector<std::string> script(const std::string& text) {
        const auto path = directory + "/script";
        std::ofstream(path) << "#!/bin/sh\nout=" << directory << "/out\n" << text;
        chmod(path.c_str(), 0700);
        return {path};
    }
    std::string out() {
        std::ifstream in(directory + "/out");
        return {std::istreambuf_iterator<char>(in), {}};
    }
    // Until nothing is left to do, or the time has passed.
    void run(std::chrono::seconds limit = 30s) {
        context.restart();
        context.run_for(limit);
    }
    [[nodiscard]] bool nothing_left() const {
        return std::filesystem::is_empty(directory + "/tmp");
    }
    std::optional<session::Refusal> verify(const std::string& user, const std::string& password) {
        ScriptHooks hooks(settings, context, [this] { settled++; });
        std::optional<std::optional<session::Refusal>> answer;
        auto environment = certificates;
        environment.emplace_back("common_name", "alice");
        hooks.verify_user(1, environment, user, as_bytes(password), [&](auto result, TimePoint) {
            answer = result ? std::nullopt : std::optional(result.error());
        });
        EXPECT_FALSE(answer) << "not before it has returned";
        run();
        EXPECT_TRUE(answer);
        return answer.value_or(session::Refusal{"no answer"});
    }

    std::string directory;
    ScriptSettings settings;
    Environment certificates;
    asio::io_context context;
    int settled = 0;
};

} // namespace

TEST_F(ScriptTest, PasswordInAFile) {
    settings.verify_user = script("cat \"$2\" >$out; stat -c %a \"$2\" >>$out; env >>$out; exit 0");
    settings.verify_user.push_back("first");
    EXPECT_FALSE(verify("al ice", "pass'word"));
    EXPECT_THAT(out(), HasSubstr("al ice\npass'word\n600\n"));
    EXPECT_THAT(out(), HasSubstr("script_type=user-pass-verify\n"));
    EXPECT_THAT(out(), HasSubstr("common_name=alice\n"));
    EXPECT_THAT(out(), HasSubstr("dev=tun7\n"));
    EXPECT_THAT(out(), HasSubstr("time_unix=1"));
    EXPECT_THAT(out(), Not(HasSubstr("password="))) << "the environment may be seen by others";
    EXPECT_THAT(out(), Not(HasSubstr("HOME="))) << "nothing of ours";
    EXPECT_TRUE(nothing_left());
    EXPECT_EQ(settled, 1);
}

// The authority first; who refuses one is not asked about the next, nor about the user.
TEST_F(ScriptTest, CertificatesFromTheAuthorityDown) {
    certificates = {{"tls_id_0", "CN=alice"}, {"tls_id_1", "O=lab, CN=ca"}};
    settings.tls_verify = script("echo \"$# $1 $2 $script_type $tls_id_0\" >>$out; exit 0");
    EXPECT_FALSE(verify("", ""));
    EXPECT_EQ(out(), "2 1 O=lab, CN=ca tls-verify CN=alice\n2 0 CN=alice tls-verify CN=alice\n");
    settings.verify_user = {"/bin/false"};
    EXPECT_TRUE(verify("alice", "x")) << "users are asked about as well";
    settings.verify_user = {"/bin/true"};
    EXPECT_FALSE(verify("alice", "x"));

    std::filesystem::remove(directory + "/out");
    settings.tls_verify = script("echo $1 >>$out; [ $1 = 0 ]");
    settings.verify_user = script("echo $1 >>$out; [ $1 = 0 ]");
    EXPECT_EQ(verify("alice", "x")->reason, "tls-verify refuses the certificate");
    EXPECT_EQ(out(), "1\n");
    // Without a certificate there is nothing to ask about.
    certificates.clear();
    settings.verify_user.clear();
    EXPECT_FALSE(verify("alice", "x"));
    EXPECT_EQ(out(), "1\n");
}

TEST_F(ScriptTest, PasswordInTheEnvironment) {
    settings.password_by_environment = true;
    settings.verify_user = script("echo \"$# $username $password\" >$out");
    EXPECT_FALSE(verify("alice", "a b"));
    EXPECT_EQ(out(), "0 alice a b\n");
}

TEST_F(ScriptTest, StatusAndReasonOfARefusal) {
    settings.verify_user = script("exit 1");
    auto refusal = verify("alice", "x");
    EXPECT_EQ(refusal->reason, "user name or password is wrong");
    EXPECT_FALSE(refusal->told) << "the client learns no more than that";
    settings.verify_user =
        script("printf 'come back\\tlater\\nor not' >$auth_failed_reason_file; exit 1");
    refusal = verify("alice", "x");
    EXPECT_EQ(refusal->reason, "come back_later");
    EXPECT_TRUE(refusal->told);
    settings.verify_user = script("kill -9 $$");
    EXPECT_TRUE(verify("alice", "x"));
    settings.verify_user = {directory + "/missing"};
    EXPECT_TRUE(verify("alice", "x"));
    EXPECT_TRUE(nothing_left());
}

TEST_F(ScriptTest, AVerifierAnswersLater) {
    const auto later = [&](const std::string& what) {
        return script("{ sleep 0.3; " + what + "; } >/dev/null 2>&1 & exit 2");
    };
    settings.verify_user = later("echo 1 >$auth_control_file");
    EXPECT_FALSE(verify("alice", "x"));
    settings.verify_user = later("echo no >$auth_failed_reason_file; echo 0 >$auth_control_file");
    EXPECT_EQ(verify("alice", "x")->reason, "no");
    settings.verify_user = later("echo yes >$auth_control_file");
    EXPECT_TRUE(verify("alice", "x")) << "what is not understood is no";
    settings.verify_user = script("echo 0 >$auth_control_file; exit 0");
    EXPECT_FALSE(verify("alice", "x")) << "the status says that nothing comes later";
    EXPECT_TRUE(nothing_left());
}

TEST_F(ScriptTest, NobodyWaitsForTheAnswerAboutAForgottenClient) {
    settings.verify_user = script("exit 2");
    ScriptHooks hooks(settings, context, [] {});
    hooks.verify_user(1, {}, "alice", {}, [](auto, TimePoint) { ADD_FAILURE(); });
    while (hooks.idle() || nothing_left())
        context.run_one();
    context.run_for(std::chrono::milliseconds(300));
    context.restart();
    EXPECT_FALSE(hooks.idle());
    hooks.forget(1);
    EXPECT_TRUE(hooks.idle());
    run();
    EXPECT_TRUE(nothing_left());
}

TEST_F(ScriptTest, LineBreaksCannotForgeALine) {
    settings.verify_user = script("touch $out; exit 0");
    EXPECT_TRUE(verify("root\nsecret", "x"));
    EXPECT_TRUE(verify("root", "x\ny"));
    EXPECT_FALSE(std::filesystem::exists(directory + "/out")) << "it was not run";
}

TEST_F(ScriptTest, NoFilesOfOursAndNoSignalsBlocked) {
    settings.verify_user = script("ls /proc/self/fd >$out; grep -E 'Sig(Blk|Ign)' "
                                  "/proc/self/status >>$out");
    std::signal(SIGPIPE, SIG_IGN);
    const int ours = dup(1);
    EXPECT_FALSE(verify("alice", "x"));
    close(ours);
    std::signal(SIGPIPE, SIG_DFL);
    EXPECT_THAT(out(), HasSubstr("0\n1\n2\n"));
    // ls has the directory open, and the shell its script.
    EXPECT_THAT(out(), Not(HasSubstr("\n" + std::to_string(ours + 2) + "\n")));
    EXPECT_THAT(out(), HasSubstr("SigBlk:\t0000000000000000"));
    const auto ignored = std::stoull(out().substr(out().find("SigIgn:") + 7), nullptr, 16);
    EXPECT_EQ(ignored >> (SIGPIPE - 1) & 1, 0U);
}

TEST_F(ScriptTest, OptionsOfAClientFromAProgram) {
    settings.connect = script("echo 'push \"ping 9\"' >$1; echo 'ifconfig-push 10.8.0.5 "
                              "255.255.255.0' >>$1");
    ScriptHooks hooks(settings, context, [] {});
    std::optional<ClientSettings> answer;
    hooks.connect(1, {}, [&](auto more, TimePoint) { answer = std::move(more); });
    run();
    ASSERT_TRUE(answer);
    EXPECT_THAT(answer->push, ElementsAre("ping 9"));
    EXPECT_EQ(answer->address, parse_ipv4("10.8.0.5"));
    EXPECT_TRUE(nothing_left());
}

TEST_F(ScriptTest, UnknownOptionsFromAProgramAreLeftOut) {
    settings.connect = script("printf '%s\\n' 'pish 1' 'push \"ping 9\"' 'port 5' >$1");
    ScriptHooks hooks(settings, context, [] {});
    std::optional<ClientSettings> answer;
    hooks.connect(1, {}, [&](auto more, TimePoint) { answer = std::move(more); });
    run();
    ASSERT_TRUE(answer);
    EXPECT_THAT(answer->push, ElementsAre("ping 9"));
}

TEST_F(ScriptTest, AConnectProgramAnswersLater) {
    settings.connect = script("echo 2 >$client_connect_deferred_file; { sleep 0.3; "
                              "echo 'push \"ping 9\"' >$client_connect_config_file; "
                              "echo 1 >$client_connect_deferred_file; } >/dev/null 2>&1 &");
    ScriptHooks hooks(settings, context, [] {});
    std::optional<ClientSettings> answer;
    hooks.connect(1, {}, [&](auto more, TimePoint) { answer = std::move(more); });
    run();
    ASSERT_TRUE(answer);
    EXPECT_THAT(answer->push, ElementsAre("ping 9"));
    EXPECT_TRUE(nothing_left());
}

TEST_F(ScriptTest, BadOptionsOrStatusLetNobodyIn) {
    for (const char* text :
         {"echo 'iroute nonsense' >$1", "exit 3", "echo 0 >$client_connect_deferred_file",
          "echo yes >$client_connect_deferred_file",
          "echo 1 >$client_connect_deferred_file; exit 3",
          "echo 2 >$client_connect_deferred_file; { sleep 0.3; "
          "echo 0 >$client_connect_deferred_file; } >/dev/null 2>&1 &"}) {
        settings.connect = script(text);
        ScriptHooks hooks(settings, context, [] {});
        bool answered = false;
        hooks.connect(1, {}, [&](auto more, TimePoint) {
            answered = true;
            EXPECT_FALSE(more) << text;
        });
        run();
        EXPECT_TRUE(answered);
    }
}

TEST_F(ScriptTest, OneThatIsWaitedFor) {
    EXPECT_EQ(run_program(script("echo \"$dev $*\" >$out; exit 3"), settings.environment), 3);
    EXPECT_EQ(out(), "tun7 \n");
    EXPECT_EQ(run_program(script("kill -9 $$"), {}), -1);
    EXPECT_EQ(run_program({directory + "/none"}, {}), -1);
}

TEST_F(ScriptTest, WithoutAConnectProgramEverybodyConnects) {
    ScriptHooks hooks(settings, context, [] {});
    bool let_in = false;
    hooks.connect(1, {}, [&](auto more, TimePoint) { let_in = more.has_value(); });
    EXPECT_FALSE(let_in);
    run();
    EXPECT_TRUE(let_in);
}

TEST_F(ScriptTest, ToldOfLeavingAndOfAddresses) {
    settings.disconnect = script("echo \"$script_type $bytes_sent $*\" >>$out");
    settings.learn_address = settings.disconnect;
    ScriptHooks hooks(settings, context, [] {});
    hooks.learn_addresses(1, {"10.8.0.2"}, {{"common_name", "alice"}}, [](auto&, TimePoint) {});
    run();
    hooks.forget_address("10.8.0.2", {{"common_name", "alice"}});
    run();
    hooks.disconnect(1, {{"bytes_sent", "12"}});
    EXPECT_FALSE(hooks.idle());
    run();
    EXPECT_TRUE(hooks.idle());
    EXPECT_EQ(out(), "learn-address  add 10.8.0.2 alice\nlearn-address  delete 10.8.0.2\n"
                     "client-disconnect 12 \n");
}

TEST_F(ScriptTest, MayRefuseAddresses) {
    settings.learn_address = script("[ \"$2\" != 10.1.0.0/16 ]");
    ScriptHooks hooks(settings, context, [] {});
    std::vector<bool> accepted;
    hooks.learn_addresses(1, {"10.8.0.2", "10.1.0.0/16", "10.2.0.0/16"}, {},
                          [&](const auto& answer, TimePoint) { accepted = answer; });
    run();
    EXPECT_EQ(accepted, (std::vector<bool>{true, false, true}));
    // What cannot be run accepts nothing, no program accepts everything.
    for (auto [program, good] : {std::pair("/nowhere", false), std::pair("", true)}) {
        settings.learn_address =
            *program ? std::vector<std::string>{program} : std::vector<std::string>{};
        ScriptHooks others(settings, context, [] {});
        accepted.clear();
        others.learn_addresses(1, {"10.8.0.2"}, {},
                               [&](const auto& answer, TimePoint) { accepted = answer; });
        EXPECT_TRUE(accepted.empty()) << "not before it has returned";
        run();
        EXPECT_EQ(accepted, std::vector<bool>{good});
    }
}

// What is to be told is not without bound.
TEST_F(ScriptTest, ManyNoticesMakeItBusy) {
    settings.learn_address = script("sleep 1000");
    ScriptHooks hooks(settings, context, [] {});
    for (int i = 0; i < 1024; i++)
        hooks.forget_address("10.8.0.1", {});
    EXPECT_FALSE(hooks.busy()) << "one runs";
    hooks.forget_address("10.8.0.1", {});
    EXPECT_TRUE(hooks.busy());
}

// One source with many wrong passwords makes others wait for one program at the most.
TEST_F(ScriptTest, ASourceHasAShare) {
    settings.verify_user = script("read -r name <$1; case $name in slow*) sleep 1000;; esac");
    ScriptHooks hooks(settings, context, [] {});
    const auto ask = [&](server::ClientId id, const std::string& name, const std::string& from,
                         ScriptHooks::Verified done) {
        hooks.verify_user(id, {{"untrusted_ip", from}}, name, as_bytes("x"), std::move(done));
    };
    for (server::ClientId id = 0; id < 100; id++)
        ask(id, "slow", "192.0.2.1", [](auto, TimePoint) {});
    bool verified = false;
    ask(100, "quick", "192.0.2.2", [&](auto answer, TimePoint) { verified = !!answer; });
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (!verified && std::chrono::steady_clock::now() < end)
        context.run_for(10ms);
    EXPECT_TRUE(verified);
    for (server::ClientId id = 0; id < 100; id++)
        hooks.forget(id);
    EXPECT_TRUE(hooks.idle());
}

TEST_F(ScriptTest, ToldInOrder) {
    settings.learn_address = script("[ \"$2\" != 10.8.0.1 ] || sleep 0.1; echo \"$*\" >>$out");
    ScriptHooks hooks(settings, context, [] {});
    hooks.forget_address("10.8.0.1", {});
    hooks.learn_addresses(1, {"10.8.0.2"}, {{"common_name", "bob"}}, [](auto&, TimePoint) {});
    hooks.forget_address("10.8.0.2", {});
    run();
    EXPECT_EQ(out(), "delete 10.8.0.1\nadd 10.8.0.2 bob\ndelete 10.8.0.2\n");
}

TEST_F(ScriptTest, ForgottenClientsProgramIsKilledWithItsChildren) {
    settings.verify_user = script("sleep 1000 & echo $! >$out.tmp; mv $out.tmp $out; wait");
    ScriptHooks hooks(settings, context, [] {});
    hooks.verify_user(7, {}, "alice", as_bytes("x"),
                      [](auto, TimePoint) { FAIL() << "nobody waits for it"; });
    while (!std::filesystem::exists(directory + "/out"))
        context.run_for(10ms);
    const auto child = static_cast<pid_t>(std::stoi(out()));
    EXPECT_EQ(kill(child, 0), 0);
    hooks.forget(7);
    EXPECT_TRUE(hooks.idle());
    run();
    const auto gone = [&] {
        std::ifstream in("/proc/" + std::to_string(child) + "/stat");
        std::string pid;
        std::string name;
        std::string state;
        return !(in >> pid >> name >> state) || state == "Z";
    };
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!gone() && std::chrono::steady_clock::now() < end)
        context.run_for(10ms);
    EXPECT_TRUE(gone());
    EXPECT_TRUE(nothing_left());
}

TEST_F(ScriptTest, NoMoreThanSoManyAtOnce) {
    const auto words = script("echo x >>$out; while [ ! -e $out.go ]; do sleep 0.01; done");
    ProgramRunner runner(context, 2);
    int done = 0;
    for (int i = 0; i < 5; i++)
        runner.run(words, settings.environment, [&](int) { done++; });
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (out().size() < 4 && std::chrono::steady_clock::now() < end)
        context.run_for(10ms);
    context.run_for(50ms);
    EXPECT_EQ(out(), "x\nx\n");
    std::ofstream(directory + "/out.go") << "";
    run();
    EXPECT_EQ(done, 5);
}

TEST_F(ScriptTest, LastValueOfAVariableCounts) {
    ProgramRunner runner(context, 1);
    std::optional<int> status;
    runner.run(script("[ \"$a\" = 2 ] && [ \"$ab\" = 3 ]"), {{"a", "1"}, {"ab", "3"}, {"a", "2"}},
               [&](int s) { status = s; });
    run();
    EXPECT_EQ(status, 0);
}
