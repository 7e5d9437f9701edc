// SPDX-License-Identifier: GPL-2.0-or-later
//
// Plug-ins of OpenVPN: the messages, the loader in this process, and the daemon's own program as
// the process for them, with the plug-in of tests/plugins/recorder.cc.

#include "host/plugin_process.h"
#include "plugin/loader.h"
#include "plugin/messages.h"
#include "server/plugin_hooks.h"
#include "support/recording_hooks.h"

#include <asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#if __has_include(<openvpn/openvpn-plugin.h>)
#include <openvpn/openvpn-plugin.h>
#define HAVE_OPENVPN_PLUGIN_H
#endif

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

namespace nfovpn {
namespace {

using namespace std::chrono_literals;
using plugin::Hook;
using plugin::Status;
using testing::HasSubstr;
using testing::Not;

std::string path_of(int version) {
    return std::string(TEST_PLUGINS "/recorder-v") + std::to_string(version) + ".so";
}

// A directory, and what the plug-in has recorded in it.
class Record {
public:
    Record() {
        char name[] = "/tmp/nf-ovpnd-plugin-XXXXXX";
        directory_ = mkdtemp(name);
    }
    ~Record() { std::filesystem::remove_all(directory_); }
    Record(const Record&) = delete;
    Record& operator=(const Record&) = delete;

    [[nodiscard]] const std::string& directory() const { return directory_; }
    [[nodiscard]] std::string file() const { return directory_ + "/record"; }
    [[nodiscard]] std::string text() const {
        std::ifstream in(file());
        std::ostringstream out;
        out << in.rdbuf();
        return out.str();
    }
    [[nodiscard]] plugin::Plugin plugin(int version, std::vector<std::string> words = {}) const {
        words.insert(words.begin(), {"recorder.so", file()});
        return {path_of(version), std::move(words)};
    }
    [[nodiscard]] config::PluginConfig config(int version,
                                              std::vector<std::string> words = {}) const {
        auto one = plugin(version, std::move(words));
        return {one.path, one.words, "", 7};
    }

private:
    std::string directory_;
};

plugin::Request call(Hook hook, std::uint64_t client = 5) {
    plugin::Request out;
    out.id = 3;
    out.hook = hook;
    out.client = client;
    return out;
}

#ifdef HAVE_OPENVPN_PLUGIN_H
// What is written down here of OpenVPN's interface is what OpenVPN's own header has.
namespace abi = plugin::abi;
#define SAME_HOOK(ours, theirs)                                                                    \
    static_assert(static_cast<int>(Hook::ours) == OPENVPN_PLUGIN_##theirs)
SAME_HOOK(Up, UP);
SAME_HOOK(Down, DOWN);
SAME_HOOK(RouteUp, ROUTE_UP);
SAME_HOOK(IpChange, IPCHANGE);
SAME_HOOK(TlsVerify, TLS_VERIFY);
SAME_HOOK(VerifyUser, AUTH_USER_PASS_VERIFY);
SAME_HOOK(Connect, CLIENT_CONNECT);
SAME_HOOK(Disconnect, CLIENT_DISCONNECT);
SAME_HOOK(LearnAddress, LEARN_ADDRESS);
SAME_HOOK(ConnectV2, CLIENT_CONNECT_V2);
SAME_HOOK(TlsFinal, TLS_FINAL);
SAME_HOOK(RoutePreDown, ROUTE_PREDOWN);
SAME_HOOK(ConnectDefer, CLIENT_CONNECT_DEFER);
SAME_HOOK(ConnectDeferV2, CLIENT_CONNECT_DEFER_V2);
static_assert(static_cast<int>(Status::Deferred) == OPENVPN_PLUGIN_FUNC_DEFERRED);
static_assert(abi::kStructVersion == OPENVPN_PLUGINv3_STRUCTVER);
static_assert(abi::kAfterUser == OPENVPN_PLUGIN_INIT_POST_UID_CHANGE);
#define SAME_PLACE(ours, our_member, theirs, their_member)                                         \
    static_assert(offsetof(abi::ours, our_member) == offsetof(theirs, their_member) &&             \
                  sizeof(abi::ours) == sizeof(theirs))
SAME_PLACE(StringList, value, openvpn_plugin_string_list, value);
SAME_PLACE(Callbacks, base64_decode, openvpn_plugin_callbacks, plugin_base64_decode);
SAME_PLACE(OpenArguments, patch, openvpn_plugin_args_open_in, ovpn_version_patch);
SAME_PLACE(OpenArguments, callbacks, openvpn_plugin_args_open_in, callbacks);
SAME_PLACE(OpenReturn, list, openvpn_plugin_args_open_return, return_list);
SAME_PLACE(CallArguments, certificate, openvpn_plugin_args_func_in, current_cert);
SAME_PLACE(CallArguments, depth, openvpn_plugin_args_func_in, current_cert_depth);
SAME_PLACE(CallReturn, list, openvpn_plugin_args_func_return, return_list);
#endif

// ---- messages

TEST(PluginMessages, ARequestComesThrough) {
    auto request = call(Hook::TlsVerify);
    request.depth = 1;
    request.certificate = {1, 2, 3};
    request.args = {"1", "CN=x"};
    request.environment = {{"a", "b"}, {"password", ""}};
    request.plugins = {{"/p.so", {"p.so", "word"}}};
    request.run_as = Identity{65534, 65533};
    request.filter = false;
    const auto message = plugin::encode(request);
    ASSERT_TRUE(message);
    const auto out = plugin::decode_request(message->view());
    ASSERT_TRUE(out);
    EXPECT_EQ(out->id, 3U);
    EXPECT_EQ(out->client, 5U);
    EXPECT_EQ(out->hook, Hook::TlsVerify);
    EXPECT_EQ(out->depth, 1);
    EXPECT_EQ(out->certificate, request.certificate);
    EXPECT_EQ(out->args, request.args);
    EXPECT_EQ(out->environment, request.environment);
    EXPECT_EQ(out->plugins, request.plugins);
    EXPECT_EQ(out->run_as, request.run_as);
    EXPECT_FALSE(out->filter);
    for (std::size_t size = 0; size < message->view().size(); size++)
        EXPECT_FALSE(plugin::decode_request(message->view().first(size))) << size;
}

TEST(PluginMessages, WhatDoesNotFitIsNotSent) {
    auto request = call(Hook::Up);
    request.args = {std::string("a\0b", 3)};
    EXPECT_FALSE(plugin::encode(request));
    request.args = {std::string(plugin::kMaxMessage, 'x')};
    EXPECT_FALSE(plugin::encode(request));
    request.args.assign(5000, "");
    EXPECT_FALSE(plugin::encode(request));
}

TEST(PluginMessages, AnAnswerComesThrough) {
    plugin::Answer answer;
    answer.id = 9;
    answer.status = Status::Deferred;
    answer.hooks = plugin::mask_of(Hook::Connect);
    answer.why = "so";
    answer.config = {"push x", ""};
    const auto message = plugin::encode(answer);
    ASSERT_TRUE(message);
    const auto reply = plugin::decode_reply(*message);
    ASSERT_TRUE(reply && std::holds_alternative<plugin::Answer>(*reply));
    const auto& out = std::get<plugin::Answer>(*reply);
    EXPECT_EQ(out.id, 9U);
    EXPECT_EQ(out.status, Status::Deferred);
    EXPECT_EQ(out.hooks, answer.hooks);
    EXPECT_EQ(out.why, "so");
    EXPECT_EQ(out.config, answer.config);
    auto wrong = *message;
    wrong[5] = 3; // no status
    EXPECT_FALSE(plugin::decode_reply(wrong));
    for (std::size_t size = 0; size < message->size(); size++)
        EXPECT_FALSE(plugin::decode_reply(ByteView(*message).first(size))) << size;
}

TEST(PluginMessages, ALogLineIsCut) {
    const auto message =
        plugin::encode(plugin::LogLine{plugin::LogLine::Level::Warning, std::string(5000, 'x')});
    const auto reply = plugin::decode_reply(message);
    ASSERT_TRUE(reply && std::holds_alternative<plugin::LogLine>(*reply));
    EXPECT_EQ(std::get<plugin::LogLine>(*reply).text.size(), 1024U);
}

TEST(PluginMessages, TheLastValueOfAVariableCounts) {
    EXPECT_EQ(plugin::lines_of({{"a", "1"}, {"b", "2"}, {"a", "3"}}),
              (std::vector<std::string>{"a=3", "b=2"}));
}

// ---- loader

class PluginLoader : public testing::TestWithParam<int> {};

TEST_P(PluginLoader, CallsOfEachVersion) {
    Record record;
    {
        std::vector<std::string> said;
        plugin::Loader loader([&](const plugin::LogLine& line) { said.push_back(line.text); });
        ASSERT_FALSE(loader.open({record.plugin(GetParam(), {"user"})}, {{"verb", "3"}}));
        EXPECT_FALSE(loader.open_later());
        EXPECT_NE(loader.hooks() & plugin::mask_of(Hook::VerifyUser), 0U);
        auto right = call(Hook::VerifyUser);
        right.environment = {{"password", "secret"}};
        EXPECT_EQ(loader.call(right).status, Status::Success);
        auto wrong = call(Hook::VerifyUser, 6);
        wrong.environment = {{"password", "other"}};
        wrong.args = {"word"};
        EXPECT_EQ(loader.call(wrong).status, Status::Error);
        loader.forget(6);
        if (GetParam() == 3) {
            EXPECT_EQ(said.front(), "recorder: c2VjcmV0 is secret");
        }
    }
    const auto text = record.text();
    EXPECT_THAT(
        text, HasSubstr(" arg recorder.so\n arg " + record.file() + "\n arg user\n env verb=3\n"));
    EXPECT_THAT(text, HasSubstr(" arg recorder.so\n arg word\n env password=other\n"));
    if (GetParam() > 1) {
        EXPECT_THAT(text, HasSubstr(" client 2\n arg recorder.so\n arg word"));
        EXPECT_THAT(text, HasSubstr("gone client 2\n"));
        EXPECT_THAT(text, HasSubstr("gone client 0\n"));
    }
    EXPECT_TRUE(text.ends_with("close\n")) << text;
}

INSTANTIATE_TEST_SUITE_P(Versions, PluginLoader, testing::Values(1, 2, 3));

TEST(PluginLoader, EveryPluginIsCalledAndAllMustAgree) {
    Record record;
    plugin::Loader loader([](const plugin::LogLine&) {});
    ASSERT_FALSE(loader.open(
        {record.plugin(3, {"fail=9", "config=push,one"}), record.plugin(2, {"config=push,two"})},
        {}));
    const auto answer = loader.call(call(Hook::ConnectV2));
    EXPECT_EQ(answer.status, Status::Error);
    EXPECT_EQ(answer.config, std::vector<std::string>{"push two"});
    EXPECT_EQ(loader.call(call(Hook::Up)).status, Status::Success);
}

TEST(PluginLoader, TwoDeferredAnswersAreARefusal) {
    Record record;
    plugin::Loader loader([](const plugin::LogLine&) {});
    ASSERT_FALSE(loader.open({record.plugin(3, {"defer"}), record.plugin(2, {"defer"})}, {}));
    EXPECT_EQ(loader.call(call(Hook::VerifyUser)).status, Status::Error);
}

TEST(PluginLoader, OnlyWhatAPluginWants) {
    Record record;
    plugin::Loader loader([](const plugin::LogLine&) {});
    ASSERT_FALSE(loader.open({record.plugin(3, {"hooks=0x2", "fail=0"})}, {}));
    EXPECT_EQ(loader.hooks(), plugin::mask_of(Hook::Down));
    EXPECT_EQ(loader.call(call(Hook::Up)).status, Status::Success);
    EXPECT_THAT(record.text(), Not(HasSubstr("call UP")));
}

TEST(PluginLoader, WhatCannotBeUsed) {
    Record record;
    const auto why = [](std::vector<plugin::Plugin> plugins) {
        plugin::Loader loader([](const plugin::LogLine&) {});
        const auto failed = loader.open(plugins, {});
        return failed ? std::to_string(failed->plugin) + " " + failed->why : std::string();
    };
    EXPECT_THAT(why({record.plugin(3), {"/nonexistent/plug.so", {"plug.so"}}}),
                testing::StartsWith("1 cannot be loaded: /nonexistent/plug.so: "));
    EXPECT_THAT(why({record.plugin(3, {"cannot"})}), HasSubstr("its initialization failed"));
    EXPECT_THAT(why({record.plugin(2, {"hooks=0x10000"})}), HasSubstr("what does not exist"));
    EXPECT_THAT(why({{TEST_PLUGINS "/no_plugin.so", {"x"}}}),
                HasSubstr("is no plug-in of OpenVPN"));
}

// ---- process

TEST(PluginProcess, AFailureHasItsLine) {
    Record record;
    const auto why = [](const std::vector<config::PluginConfig>& plugins) {
        try {
            const host::PluginProcess process(plugins, "server.conf", {}, NF_OVPND);
        } catch (const std::runtime_error& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    EXPECT_EQ(why({record.config(3)}), "");
    EXPECT_THAT(why({record.config(3), {"/nonexistent.so", {"x"}, "more.conf", 4}}),
                testing::StartsWith("more.conf:4: error: plugin: cannot be loaded: "));
    EXPECT_THAT(why({record.config(3, {"cannot"})}),
                testing::StartsWith("server.conf:7: error: plugin: "));
    EXPECT_THAT(why({{"/dev/null", {"x"}, "", 1}}), HasSubstr("server.conf:1: error: plugin: "));
}

TEST(PluginProcess, CallsAndWaits) {
    Record record;
    {
        host::PluginProcess process({record.config(3, {"fail=2"})}, "", {}, NF_OVPND);
        EXPECT_EQ(process.call_and_wait(Hook::Up, {"tun0"}, {{"dev", "tun0"}}), Status::Success);
        EXPECT_EQ(process.call_and_wait(Hook::RouteUp, {}, {}), Status::Error);
    }
    EXPECT_THAT(record.text(),
                HasSubstr("call UP uid " + std::to_string(getuid()) +
                          " client 0\n arg recorder.so\n arg tun0\n env dev=tun0\n"));
    EXPECT_TRUE(record.text().ends_with("gone client 0\nclose\n"));
}

TEST(PluginProcess, OneThatHasEndedAnswersWithErrors) {
    Record record;
    host::PluginProcess process({record.config(3, {"exit=0"})}, "", {}, NF_OVPND);
    EXPECT_EQ(process.call_and_wait(Hook::Up, {}, {}), Status::Error);
    EXPECT_EQ(process.call_and_wait(Hook::Down, {}, {}), Status::Error);
    EXPECT_TRUE(process.broken());
}

// ---- hooks

class PluginHooks : public testing::Test {
protected:
    void begin(std::vector<std::string> words, bool programs_verify = false) {
        process_.emplace(std::vector{record_.config(3, std::move(words))}, "", Environment{},
                         NF_OVPND);
        calls_.emplace(
            *process_, context_, [] {}, [this](const std::string& why) { gone_ = why; });
        server::PluginSettings settings;
        settings.directory = record_.directory();
        settings.environment = {{"dev", "tun7"}};
        settings.longest = 3s;
        hooks_.emplace(settings, *calls_, programs_, programs_verify, context_, [] {});
    }
    void until(const std::function<bool()>& done) {
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (!done() && std::chrono::steady_clock::now() < end) {
            context_.restart();
            context_.run_one_for(50ms);
        }
        EXPECT_TRUE(done());
    }
    // "in", or why not
    std::string verify(const std::string& password, server::ClientId client = 1) {
        std::optional<std::string> out;
        hooks_->verify_user(client, {{"common_name", "c"}}, "joe", as_bytes(password),
                            [&](const auto& answer, TimePoint) {
                                out = answer ? std::string("in") : answer.error().reason;
                            });
        until([&] { return out.has_value(); });
        return out.value_or("nothing");
    }
    std::optional<server::ClientSettings> connect() {
        std::optional<server::ClientSettings> out;
        bool answered = false;
        hooks_->connect(1, {{"common_name", "c"}}, [&](auto settings, TimePoint) {
            out = std::move(settings);
            answered = true;
        });
        until([&] {
            if (!programs_.connects.empty())
                programs_.next_connect().done(server::ClientSettings{}, TimePoint{});
            return answered;
        });
        return out;
    }
    [[nodiscard]] std::size_t files() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(record_.directory()), {}));
    }

    Record record_;
    asio::io_context context_;
    std::string gone_;
    test::RecordingHooks programs_;
    std::optional<host::PluginProcess> process_;
    std::optional<host::PluginCalls> calls_;
    std::optional<server::PluginHooks> hooks_;
};

TEST_F(PluginHooks, UsersAreVerified) {
    begin({"user"});
    EXPECT_EQ(verify("secret"), "in");
    EXPECT_EQ(verify("other", 2), "not that word");
    EXPECT_EQ(files(), 1U);
    const auto text = record_.text();
    EXPECT_THAT(text, HasSubstr(" env dev=tun7\n"));
    EXPECT_THAT(text,
                HasSubstr(" env username=joe\n env password=secret\n env auth_control_file="));
    EXPECT_THAT(text, HasSubstr("call TLS_FINAL"));
    EXPECT_THAT(text, Not(HasSubstr("script_type")));
}

TEST_F(PluginHooks, AnswersThatArePutOff) {
    begin({"defer"});
    EXPECT_EQ(verify("secret"), "in");
    EXPECT_EQ(verify("other", 2), "not that word");
    EXPECT_EQ(files(), 1U);
}

TEST_F(PluginHooks, CertificatesFromTheAuthorityDown) {
    begin({"hooks=0x10"});
    hooks_->present(1, {Bytes{1}, Bytes{2}});
    std::optional<bool> in;
    hooks_->verify_user(1, {{"tls_id_0", "CN=own"}, {"tls_id_1", "CN=ca"}}, "", {},
                        [&](const auto& answer, TimePoint) { in = static_cast<bool>(answer); });
    until([&] { return in.has_value(); });
    EXPECT_TRUE(in.value_or(false));
    const auto text = record_.text();
    EXPECT_LT(text.find(" arg 1\n arg CN=ca\n"), text.find(" arg 0\n arg CN=own\n"));
}

TEST_F(PluginHooks, CertificatesOfWhoHasAToken) {
    begin({"user", "fail=4"});
    hooks_->present(1, {Bytes{1}});
    std::optional<std::string> out;
    hooks_->verify_certificates(1, {{"tls_id_0", "CN=own"}}, [&](const auto& answer, TimePoint) {
        out = answer ? std::string("in") : answer.error().reason;
    });
    until([&] { return out.has_value(); });
    EXPECT_EQ(out, "a plug-in refuses the certificate");
    EXPECT_THAT(record_.text(), Not(HasSubstr("call AUTH_USER_PASS_VERIFY")));
}

TEST_F(PluginHooks, AnErrorAtTheEndIsARefusal) {
    begin({"user", "fail=10"});
    EXPECT_EQ(verify("secret"), "a plug-in refuses the client");
}

TEST_F(PluginHooks, ProgramsAreAskedBehindPlugins) {
    begin({"user"}, true);
    std::optional<std::string> out;
    hooks_->verify_user(1, {}, "joe", as_bytes("secret"), [&](const auto& answer, TimePoint) {
        out = answer ? std::string("in") : answer.error().reason;
    });
    until([&] { return !programs_.users.empty(); });
    programs_.next_user().done(session::Refusal{"no"}, TimePoint{});
    EXPECT_EQ(out, "no");
    EXPECT_EQ(verify("other", 2), "not that word");
    EXPECT_TRUE(programs_.users.empty());
}

TEST_F(PluginHooks, OptionsOfAClient) {
    begin({"config=ifconfig-push,10.8.0.9,255.255.255.0"});
    const auto settings = connect();
    ASSERT_TRUE(settings);
    EXPECT_EQ(settings->address, parse_ipv4("10.8.0.9"));
    hooks_->disconnect(1, {{"bytes_sent", "5"}});
    hooks_->forget(1);
    until([&] { return calls_->idle(); });
    const auto text = record_.text();
    EXPECT_THAT(text, HasSubstr("call CLIENT_DISCONNECT"));
    EXPECT_THAT(text, HasSubstr("gone client 1\n"));
    EXPECT_EQ(programs_.disconnects.size(), 1U);
}

TEST_F(PluginHooks, OptionsThatCannotBeReadAreARefusal) {
    begin({"config=ifconfig-push,nonsense"});
    EXPECT_FALSE(connect());
}

TEST_F(PluginHooks, AClientThatConnectsLater) {
    begin({"later", "hooks=0x4200", "config=push,route"});
    const auto settings = connect();
    ASSERT_TRUE(settings);
    EXPECT_EQ(settings->push, std::vector<std::string>{"route"});
}

TEST_F(PluginHooks, NobodyWaitsForEver) {
    begin({"pending", "hooks=0x4200"});
    EXPECT_FALSE(connect());
}

TEST_F(PluginHooks, WhoCannotBeAskedAgainIsRefused) {
    begin({"later", "hooks=0x200"});
    EXPECT_FALSE(connect());
}

TEST_F(PluginHooks, AddressesAreLearned) {
    begin({"hooks=0x100"});
    std::optional<std::vector<bool>> accepted;
    hooks_->learn_addresses(1, {"10.8.0.2", "10.9.0.0/24"}, {{"common_name", "c"}},
                            [&](const auto& all, TimePoint) { accepted = all; });
    until([&] { return !programs_.learns.empty(); });
    programs_.next_learn().done({true, false}, TimePoint{});
    EXPECT_EQ(accepted, (std::vector<bool>{true, false}));
    hooks_->forget_address("10.8.0.2", {});
    until([&] { return calls_->idle(); });
    EXPECT_THAT(record_.text(), HasSubstr(" arg add\n arg 10.8.0.2\n arg c\n"));
    EXPECT_THAT(record_.text(), HasSubstr(" arg delete\n arg 10.8.0.2\n"));
}

TEST_F(PluginHooks, AProcessThatEndsRefusesEverybody) {
    begin({"exit=5"});
    EXPECT_NE(verify("secret"), "in");
    until([&] { return !gone_.empty(); });
    EXPECT_NE(verify("secret", 2), "in");
    EXPECT_FALSE(connect());
}

TEST_F(PluginHooks, WhoIsGoneIsNotCalledBack) {
    begin({"defer"});
    bool called = false;
    hooks_->verify_user(1, {}, "joe", as_bytes("secret"),
                        [&](const auto&, TimePoint) { called = true; });
    until([&] { return record_.text().find("call AUTH_USER_PASS_VERIFY") != std::string::npos; });
    hooks_->forget(1);
    EXPECT_EQ(verify("secret", 2), "in");
    until([&] { return calls_->idle(); });
    EXPECT_FALSE(called);
    EXPECT_THAT(record_.text(), HasSubstr("gone client 1\n"));
}

} // namespace
} // namespace nfovpn
