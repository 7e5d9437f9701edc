// SPDX-License-Identifier: GPL-2.0-or-later
//
// The management interface: each command and notification by its text, since programs compare them;
// then the sockets, with a management client on the other end.

#include "client/management_link.h"
#include "management/client_protocol.h"
#include "management/server.h"
#include "management/server_protocol.h"
#include "server/management_hooks.h"
#include "server/management_link.h"
#include "support/recording_hooks.h"
#include "support/simulated_client.h"
#include "support/simulation.h"
#include "util/log.h"

#include <asio/signal_set.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

using namespace nfovpn;
using namespace nfovpn::management;
using namespace std::chrono_literals;
using testing::AnyNumber;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Return;
using testing::StartsWith;

namespace {

const std::string kGreeting =
    ">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n";

class MockActions : public ServerActions {
public:
    MOCK_METHOD(std::string, status, (int), (override));
    MOCK_METHOD(Load, load, (), (override));
    MOCK_METHOD(std::vector<Traffic>, traffic, (), (override));
    MOCK_METHOD(std::size_t, kill_by_name, (const std::string&), (override));
    MOCK_METHOD(std::size_t, kill_by_remote, (const Endpoint&, bool), (override));
    MOCK_METHOD(bool, kill_by_id, (std::uint64_t, const std::string&), (override));
};

class MockClientActions : public ClientActions {
public:
    MOCK_METHOD(std::string, status, (int), (override));
    MOCK_METHOD(Load, load, (), (override));
    MOCK_METHOD(SessionBytes, bytes, (), (override));
    MOCK_METHOD(std::vector<config::Remote>, remotes, (), (override));
    MOCK_METHOD(config::AuthRetry, auth_retry, (), (override));
    MOCK_METHOD(void, set_auth_retry, (config::AuthRetry), (override));
    MOCK_METHOD(void, forget_passwords, (), (override));
    MOCK_METHOD(bool, send_message, (const std::string&), (override));
    MOCK_METHOD(void, hold_released, (), (override));
    MOCK_METHOD(void, remote_accepted, (const std::string&, std::uint16_t), (override));
    MOCK_METHOD(void, remote_skipped, (std::uint32_t), (override));
    MOCK_METHOD(void, told, (const std::string&, const std::string&));
    void told_user(std::string username, SecretBytes password) override {
        told(username, std::string(as_text(password.view())));
    }
};

// A protocol of either role, with its daemon and a client that has read its greeting.
template <typename RoleProtocol, typename RoleActions>
class RoleTest : public testing::Test {
protected:
    RoleTest() {
        settings.version = "nf-ovpnd 1";
        settings.unix_time = [this] { return unix_time; };
        settings.raise = [this](int signal) { raised.push_back(signal); };
    }

    void begin() {
        protocol.emplace(std::move(settings));
        protocol->serve(&actions);
        protocol->connected();
    }
    void greeted() {
        begin();
        EXPECT_EQ(read(), kGreeting);
    }
    // All that waits for the client.
    std::string read() {
        std::string out;
        while (!protocol->output().empty()) {
            out += protocol->output();
            protocol->sent(protocol->output().size(), now);
        }
        return out;
    }
    std::string ask(const std::string& line) {
        protocol->receive(line + "\n", now);
        return read();
    }

    Settings settings;
    testing::StrictMock<RoleActions> actions;
    std::optional<RoleProtocol> protocol;
    TimePoint now = TimePoint{} + 1h;
    std::int64_t unix_time = 1700000000;
    std::vector<int> raised;
};

using ManagementTest = RoleTest<ServerProtocol, MockActions>;
using ClientManagementTest = RoleTest<ClientProtocol, MockClientActions>;

} // namespace

TEST_F(ManagementTest, UsersAreVerifiedByItsClient) {
    log::set_level(log::Level::Off);
    greeted();
    asio::io_context context;
    test::RecordingHooks before;
    int settled = 0;
    server::ManagementHooks hooks(*protocol, before, false, context, [&] { settled++; });
    using Answer = Result<server::ClientSettings, session::Refusal>;
    std::vector<Answer> answers;
    const auto verify = [&] {
        hooks.verify_user(7, {{"common_name", "alice"}}, "carol", as_bytes("secret"),
                          [&](Answer answer, TimePoint) { answers.push_back(std::move(answer)); });
    };
    const auto run = [&] {
        context.restart();
        context.run();
    };
    verify();
    EXPECT_EQ(read(), ">CLIENT:CONNECT,7,0\r\n>CLIENT:ENV,username=carol\r\n"
                      ">CLIENT:ENV,password=secret\r\n>CLIENT:ENV,common_name=alice\r\n"
                      ">CLIENT:ENV,END\r\n");
    EXPECT_THAT(ask("client-pending-auth 7 0 WEB_AUTH::x 60"),
                StartsWith("ERROR: client-pending-auth command failed"));
    protocol->receive("client-auth 7 0\npush \"ping 9\"\n", now);
    EXPECT_EQ(ask("END"), "SUCCESS: client-auth command succeeded\r\n");
    EXPECT_TRUE(answers.empty()) << "not in the middle of a command";
    run();
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(settled, 1);
    ASSERT_TRUE(answers[0]);
    EXPECT_THAT(answers[0]->push, ElementsAre("ping 9"));

    // Once more for new keys; then with mistakes in what it may have.
    verify();
    EXPECT_THAT(read(), StartsWith(">CLIENT:REAUTH,7,1\r\n"));
    EXPECT_EQ(ask("client-deny 7 1 \"bad\" \"go away\""),
              "SUCCESS: client-deny command succeeded\r\n");
    verify();
    read();
    protocol->receive("client-auth 7 2\npish x\n", now);
    EXPECT_EQ(ask("END"), "ERROR: client-auth command failed\r\n");
    run();
    ASSERT_EQ(answers.size(), 3U);
    EXPECT_EQ(answers[1].error().reason, "go away");
    EXPECT_TRUE(answers[2].error().temporary);

    verify();
    read();
    hooks.forget(7);
    EXPECT_EQ(ask("client-auth-nt 7 3"), "ERROR: client-auth command failed\r\n");
    EXPECT_EQ(before.forgotten.size(), 1U);
}

TEST_F(ManagementTest, UsersAreVerifiedByBoth) {
    greeted();
    asio::io_context context;
    test::RecordingHooks before;
    server::ManagementHooks hooks(*protocol, before, true, context, [] {});
    bool let_in = false;
    std::string refused;
    const auto verify = [&] {
        hooks.verify_user(7, {}, "carol", as_bytes("secret"), [&](auto answer, TimePoint) {
            let_in = static_cast<bool>(answer);
            refused = answer ? "" : answer.error().reason;
        });
    };
    verify();
    EXPECT_EQ(read(), "") << "the other is asked first";
    before.next_user().done(session::Refusal{"no"}, now);
    EXPECT_EQ(refused, "no");
    verify();
    before.next_user().done(server::ClientSettings{}, now);
    EXPECT_THAT(read(), HasSubstr(">CLIENT:ENV,password=secret\r\n"));
    EXPECT_FALSE(let_in);
    EXPECT_EQ(ask("client-auth-nt 7 0"), "SUCCESS: client-auth command succeeded\r\n");
    context.run();
    EXPECT_TRUE(let_in);
}

TEST_F(ManagementTest, CommandsOfTheProcess) {
    greeted();
    EXPECT_EQ(ask("version"), "OpenVPN Version: nf-ovpnd 1\r\nManagement Version: 5\r\nEND\r\n");
    EXPECT_EQ(ask("version 3"), "") << "OpenVPN answers from 4 on";
    EXPECT_EQ(ask("version 4"), "SUCCESS: Management client version set to 4\r\n");
    EXPECT_EQ(ask("version x"), "ERROR: Invalid value specified for management client version\r\n");
    EXPECT_EQ(ask("pid"), "SUCCESS: pid=" + std::to_string(getpid()) + "\r\n");
    log::set_verb(3);
    EXPECT_EQ(ask("verb"), "SUCCESS: verb=3\r\n");
    EXPECT_EQ(ask("verb 4"), "SUCCESS: verb level changed\r\n");
    EXPECT_TRUE(log::enabled(log::Level::Debug));
    EXPECT_EQ(ask("verb"), "SUCCESS: verb=4\r\n");
    for (const char* bad : {"verb 16", "verb -1", "verb x"})
        EXPECT_EQ(ask(bad), "ERROR: verb level is out of range\r\n") << bad;
    EXPECT_EQ(ask("verb 0"), "SUCCESS: verb level changed\r\n");
    EXPECT_FALSE(log::enabled(log::Level::Warning));
    log::set_level(log::Level::Off);
    EXPECT_EQ(ask("mute"), "SUCCESS: mute=0\r\n");
    EXPECT_EQ(ask("mute 0"), "SUCCESS: mute level changed\r\n");
    EXPECT_EQ(ask("mute 5"), "SUCCESS: mute level changed\r\n");
    EXPECT_EQ(log::mute(), 5U);
    EXPECT_EQ(ask("mute"), "SUCCESS: mute=5\r\n");
    EXPECT_EQ(ask("mute x"), "ERROR: cannot parse the number of lines\r\n");
    log::set_mute(0);
    EXPECT_EQ(ask("signal SIGUSR2"), "SUCCESS: signal SIGUSR2 thrown\r\n");
    EXPECT_EQ(ask("signal SIGTERM"), "SUCCESS: signal SIGTERM thrown\r\n");
    EXPECT_EQ(ask("signal SIGKILL"), "ERROR: signal 'SIGKILL' is not a known signal type\r\n");
    EXPECT_EQ(ask("signal"), "ERROR: the 'signal' command requires 1 parameter\r\n");
    EXPECT_THAT(raised, ElementsAre(SIGUSR2, SIGTERM));
    const auto help = ask("help");
    EXPECT_THAT(help,
                StartsWith("Management Interface for nf-ovpnd 1\r\nCommands:\r\nbytecount N"));
    EXPECT_THAT(help, HasSubstr("\r\nclient-kill CID [M] "));
    EXPECT_THAT(help, testing::Not(HasSubstr("needok")));
    EXPECT_THAT(help, testing::EndsWith("\r\nEND\r\n"));
}

TEST_F(ManagementTest, WordsAreThoseOfAConfiguration) {
    greeted();
    EXPECT_EQ(ask("  pid  \t x # more\r"), ask("pid"));
    EXPECT_EQ(ask(""), "");
    EXPECT_EQ(ask("# only a comment"), "");
    EXPECT_CALL(actions, kill_by_name("two words \"'\\")).WillRepeatedly(Return(0));
    const std::string answer = "ERROR: common name 'two words \"'\\' not found\r\n";
    EXPECT_EQ(ask(R"(kill "two words \"'\\")"), answer);
    EXPECT_EQ(ask(R"(kill two\ words\ \"\'\\)"), answer);
    EXPECT_EQ(ask(R"(kill 'two words "'"'\\")"), answer);
    EXPECT_EQ(ask("kill \"x"), "ERROR: a quotation that begins with \" has no end\r\n");
    EXPECT_EQ(ask("kill x\\"), "ERROR: a backslash at the end of the line\r\n");
    EXPECT_EQ(ask("nonsense 1"), "ERROR: unknown command [nonsense], enter 'help' for more options"
                                 "\r\n");
    EXPECT_EQ(ask("\"\""), "ERROR: unknown command [], enter 'help' for more options\r\n");
    EXPECT_EQ(ask(std::string("p\0i\x01"
                              "d",
                              5))
                  .substr(0, 9),
              "SUCCESS: ")
        << "as OpenVPN reads";
    for (const char* name : {"needok a b", "password Auth x", "username Auth x", "auth-retry none",
                             "remote ACCEPT", "proxy NONE", "pk-sig", "push-update-broad x"})
        EXPECT_THAT(ask(name), testing::MatchesRegex("ERROR: The '[a-z-]+' command is not "
                                                     "supported by the current daemon mode\r\n"));
}

TEST_F(ManagementTest, LinesMayComeInPieces) {
    greeted();
    const auto pid = ask("pid");
    protocol->receive("pi", now);
    EXPECT_EQ(read(), "");
    protocol->receive("d\r\npid\r\n\r\npid", now);
    EXPECT_EQ(read(), pid + pid);
    protocol->receive("\n", now);
    EXPECT_EQ(read(), pid);
}

TEST_F(ManagementTest, ALineHasAnEnd) {
    greeted();
    protocol->receive(std::string(4096, ' '), now);
    EXPECT_EQ(protocol->end(), "");
    EXPECT_TRUE(protocol->wants_input());
    protocol->receive("x", now);
    EXPECT_EQ(read(), "ERROR: line too long\r\n");
    EXPECT_EQ(protocol->end(), "a line is too long");
    EXPECT_FALSE(protocol->wants_input());
    EXPECT_EQ(ask("\npid"), "") << "nothing is looked at any more";
    protocol->disconnected();
    protocol->connected();
    EXPECT_EQ(read(), kGreeting);
    EXPECT_EQ(ask("\n" + std::string(4097, 'x')), "ERROR: line too long\r\n") << "also a whole one";
}

TEST_F(ManagementTest, ExitAndQuit) {
    begin();
    for (const char* word : {"exit", "quit"}) {
        protocol->disconnected();
        protocol->connected();
        read();
        EXPECT_EQ(ask(std::string(word) + "\npid"), "") << "nothing behind it is looked at";
        EXPECT_EQ(protocol->end(), "it has left");
    }
}

TEST_F(ManagementTest, Status) {
    greeted();
    EXPECT_CALL(actions, status(0)).WillOnce(Return("A\nB,1\nEND\n"));
    EXPECT_EQ(ask("status"), "A\r\nB,1\r\nEND\r\n");
    EXPECT_CALL(actions, status(3)).WillOnce(Return("C\tD\nEND\n"));
    EXPECT_EQ(ask("status 3"), "C\tD\r\nEND\r\n");
    for (const char* bad : {"status 4", "status -1", "status x"})
        EXPECT_EQ(ask(bad), "ERROR: bad status format version number\r\n");
    protocol->serve(nullptr);
    const std::string none = "command is not supported by the current daemon mode\r\n";
    EXPECT_EQ(ask("status"), "ERROR: The 'status' " + none);
    EXPECT_EQ(ask("kill x"), "ERROR: The 'kill' " + none);
    EXPECT_EQ(ask("client-kill 1"), "ERROR: The 'client-kill' " + none);
    EXPECT_EQ(ask("nclients"), "ERROR: The 'nclients' " + none);
    EXPECT_EQ(ask("load-stats"), "SUCCESS: nclients=0,bytesin=0,bytesout=0\r\n");
}

TEST_F(ManagementTest, LoadAndNumberOfClients) {
    greeted();
    EXPECT_CALL(actions, load()).Times(2).WillRepeatedly(Return(Load{2, 30, 40}));
    EXPECT_EQ(ask("load-stats"), "SUCCESS: nclients=2,bytesin=30,bytesout=40\r\n");
    EXPECT_EQ(ask("nclients"), "SUCCESS: nclients=2\r\n");
}

TEST_F(ManagementTest, Kill) {
    greeted();
    EXPECT_CALL(actions, kill_by_name("alice")).WillOnce(Return(2));
    EXPECT_EQ(ask("kill alice"), "SUCCESS: common name 'alice' found, 2 client(s) killed\r\n");
    EXPECT_CALL(actions, kill_by_name("bob")).WillOnce(Return(0));
    EXPECT_EQ(ask("kill bob"), "ERROR: common name 'bob' not found\r\n");
    const Endpoint v4 = {Ipv4{0xc0000201}, 1194};
    EXPECT_CALL(actions, kill_by_remote(v4, false)).Times(3).WillRepeatedly(Return(1));
    for (const char* where : {"192.0.2.1:1194", "udp:192.0.2.1:1194", "udp4:192.0.2.1:1194"})
        EXPECT_EQ(ask(std::string("kill ") + where),
                  "SUCCESS: 1 client(s) at address udp4:192.0.2.1:1194 killed\r\n");
    EXPECT_CALL(actions, kill_by_remote(Endpoint{*parse_ipv6("2001:db8::1"), 5}, false))
        .WillOnce(Return(0));
    EXPECT_EQ(ask("kill udp6:[2001:db8::1]:5"),
              "ERROR: client at address udp6:[2001:db8::1]:5 not found\r\n");
    // As "status" has it, and shorter.
    EXPECT_CALL(actions, kill_by_remote(v4, true)).Times(3).WillRepeatedly(Return(1));
    for (const char* where :
         {"tcp:192.0.2.1:1194", "tcp4:192.0.2.1:1194", "tcp4-server:192.0.2.1:1194"})
        EXPECT_EQ(ask(std::string("kill ") + where),
                  "SUCCESS: 1 client(s) at address tcp4-server:192.0.2.1:1194 killed\r\n");
    EXPECT_CALL(actions, kill_by_remote(testing::_, true)).WillOnce(Return(0));
    EXPECT_EQ(ask("kill tcp6:[2001:db8::1]:5"),
              "ERROR: client at address tcp6-server:[2001:db8::1]:5 not found\r\n");
    // Not an address, so a name.
    for (const char* name : {"udp:x", "192.0.2.1", "192.0.2.1:0", "192.0.2.1:65536", "[]:1", ":"}) {
        EXPECT_CALL(actions, kill_by_name(name)).WillOnce(Return(1));
        EXPECT_THAT(ask(std::string("kill ") + name), StartsWith("SUCCESS: common name ")) << name;
    }
    EXPECT_EQ(ask("kill"), "ERROR: the 'kill' command requires 1 parameter\r\n");
}

TEST_F(ManagementTest, ClientKill) {
    greeted();
    EXPECT_CALL(actions, kill_by_id(7, "RESTART")).WillOnce(Return(true));
    EXPECT_EQ(ask("client-kill 7"), "SUCCESS: client-kill command succeeded\r\n");
    EXPECT_CALL(actions, kill_by_id(8, "HALT,go home")).WillOnce(Return(false));
    EXPECT_EQ(ask("client-kill 8 \"HALT,go home\""), "ERROR: client-kill command failed\r\n");
    for (const char* bad : {"client-kill x", "client-kill -1", "client-kill 1x"})
        EXPECT_EQ(ask(bad), "ERROR: cannot parse CID\r\n");
    EXPECT_EQ(ask("client-kill"),
              "ERROR: the 'client-kill' command requires at least 1 parameter\r\n");
}

TEST_F(ManagementTest, Log) {
    settings.log_cache = 3;
    greeted();
    protocol->log_line(log::Level::Info, "one");
    unix_time++;
    protocol->log_line(log::Level::Warning, "two\x01\nthree\n");
    protocol->log_line(log::Level::Error, "four");
    EXPECT_EQ(read(), "");
    EXPECT_EQ(ask("log all"), "1700000001,W,two_\r\n1700000001,W,three\r\n1700000001,N,four\r\n"
                              "END\r\n")
        << "the last three";
    EXPECT_EQ(ask("log 1"), "1700000001,N,four\r\nEND\r\n");
    EXPECT_EQ(ask("log on 1"), "SUCCESS: real-time log notification set to ON\r\n"
                               "1700000001,N,four\r\nEND\r\n");
    protocol->log_line(log::Level::Debug, "five\nsix");
    EXPECT_EQ(read(), ">LOG:1700000001,D,five\r\n>LOG:1700000001,D,six\r\n");
    EXPECT_EQ(ask("log off"), "SUCCESS: real-time log notification set to OFF\r\n");
    protocol->log_line(log::Level::Info, "seven");
    EXPECT_EQ(read(), "");
    for (const char* bad : {"log x", "log 0", "log -1"})
        EXPECT_EQ(ask(bad), "ERROR: log parameter must be 'on' or 'off' or some number n or 'all'"
                            "\r\n");
    EXPECT_EQ(ask("log"), "ERROR: the 'log' command requires at least 1 parameter\r\n");
    // The next client has to ask for itself; what was kept is still there.
    ask("log on");
    protocol->disconnected();
    protocol->connected();
    read();
    protocol->log_line(log::Level::Info, "eight");
    EXPECT_EQ(read(), "");
    EXPECT_THAT(ask("log 2"), HasSubstr(",seven\r\n1700000001,I,eight\r\nEND\r\n"));
}

TEST_F(ManagementTest, TheLogsLinesComeByItsListener) {
    greeted();
    log::set_level(log::Level::Info);
    log::set_listener(
        [this](log::Level level, std::string_view text) { protocol->log_line(level, text); });
    log::debug("below the level");
    log::info("{} of the listener", "a line");
    log::set_listener(nullptr);
    log::info("nobody hears");
    log::set_level(log::Level::Off);
    EXPECT_EQ(ask("log all"), "1700000000,I,a line of the listener\r\nEND\r\n");
}

TEST_F(ManagementTest, StateAndEcho) {
    greeted();
    EXPECT_EQ(ask("state"), "END\r\n");
    protocol->state(State::Connecting);
    StateDetails details;
    details.address = Ipv4{0x0a080001};
    protocol->state(State::AssignIp, details);
    EXPECT_EQ(ask("state"), "1700000000,ASSIGN_IP,,10.8.0.1,,,,\r\nEND\r\n");
    EXPECT_EQ(ask("state on all"), "SUCCESS: real-time state notification set to ON\r\n"
                                   "1700000000,CONNECTING,,,,,,\r\n"
                                   "1700000000,ASSIGN_IP,,10.8.0.1,,,,\r\nEND\r\n");
    protocol->state(State::AddRoutes);
    EXPECT_EQ(read(), ">STATE:1700000000,ADD_ROUTES,,,,,,\r\n");
    details.reason = "SUCCESS";
    details.address6 = parse_ipv6("fd00:8::1");
    details.local = Endpoint{Ipv4{0xc0000201}, 1194};
    protocol->state(State::Connected, details);
    EXPECT_EQ(read(),
              ">STATE:1700000000,CONNECTED,SUCCESS,10.8.0.1,,,192.0.2.1,1194,fd00:8::1\r\n");
    details = {};
    details.reason = "SIGTERM";
    protocol->state(State::Exiting, details);
    EXPECT_EQ(read(), ">STATE:1700000000,EXITING,SIGTERM,,,,,\r\n");
    protocol->state(State::Reconnecting);
    EXPECT_EQ(read(), ">STATE:1700000000,RECONNECTING,,,,,,\r\n");
    EXPECT_EQ(ask("state off"), "SUCCESS: real-time state notification set to OFF\r\n");
    EXPECT_THAT(ask("state 2"), StartsWith("1700000000,EXITING,SIGTERM"));
    EXPECT_EQ(ask("echo on all"), "SUCCESS: real-time echo notification set to ON\r\nEND\r\n");
}

TEST_F(ManagementTest, Bytecount) {
    greeted();
    EXPECT_EQ(protocol->deadline(), kNever);
    EXPECT_EQ(ask("bytecount 5"), "SUCCESS: bytecount interval changed\r\n");
    ASSERT_EQ(protocol->deadline(), now + 5s);
    protocol->tick(now + 4s);
    EXPECT_EQ(read(), "");
    EXPECT_CALL(actions, traffic()).WillOnce(Return(std::vector<Traffic>{{1, 10, 20}, {4, 0, 1}}));
    protocol->tick(now + 6s);
    EXPECT_EQ(read(), ">BYTECOUNT_CLI:1,10,20\r\n>BYTECOUNT_CLI:4,0,1\r\n");
    EXPECT_EQ(protocol->deadline(), now + 11s);
    EXPECT_EQ(ask("bytecount 0"), "SUCCESS: bytecount interval changed\r\n");
    EXPECT_EQ(protocol->deadline(), kNever);
    EXPECT_EQ(ask("bytecount x"), "ERROR: cannot parse the number of seconds\r\n");
    ask("bytecount 4294967295");
    EXPECT_GT(protocol->deadline(), now);
    protocol->disconnected();
    EXPECT_EQ(protocol->deadline(), kNever);
}

TEST_F(ManagementTest, ClientsComeAndGo) {
    greeted();
    protocol->address(3, ipv4_prefix(Ipv4{0x0a080002}, 32), true);
    protocol->address(3, ipv4_prefix(Ipv4{0x0a320000}, 24), false);
    protocol->address(3, ipv4_prefix(Ipv4{0}, 0), false);
    protocol->address(3, ipv6_prefix(*parse_ipv6("fd00:8::1000"), 128), true);
    protocol->address(3, *parse_ipv6_prefix("fd00:50::/64"), false);
    protocol->established(3, {"n_clients=1", "common_name=a\r\nb"});
    protocol->gone(3, {"bytes_sent=1"});
    EXPECT_EQ(read(), ">CLIENT:ADDRESS,3,10.8.0.2,1\r\n"
                      ">CLIENT:ADDRESS,3,10.50.0.0/255.255.255.0,0\r\n"
                      ">CLIENT:ADDRESS,3,0.0.0.0/0.0.0.0,0\r\n"
                      ">CLIENT:ADDRESS,3,fd00:8::1000,1\r\n"
                      ">CLIENT:ADDRESS,3,fd00:50::/64,0\r\n"
                      ">CLIENT:ESTABLISHED,3\r\n"
                      ">CLIENT:ENV,n_clients=1\r\n"
                      ">CLIENT:ENV,common_name=a__b\r\n"
                      ">CLIENT:ENV,END\r\n"
                      ">CLIENT:DISCONNECT,3\r\n"
                      ">CLIENT:ENV,bytes_sent=1\r\n"
                      ">CLIENT:ENV,END\r\n");
}

TEST_F(ManagementTest, Authentication) {
    greeted();
    std::vector<AuthOutcome> outcomes;
    bool accept = true;
    auto answer = [&](const AuthOutcome& outcome) {
        outcomes.push_back(outcome);
        return accept;
    };
    PendingAuth pending;
    pending.client_id = 5;
    pending.key_id = 1;
    pending.username = "al\nice";
    pending.password = SecretBytes(as_bytes("pass\nword"));
    pending.env = {"common_name=a"};
    protocol->authenticate(pending, answer);
    EXPECT_EQ(read(), ">CLIENT:CONNECT,5,1\r\n>CLIENT:ENV,username=al_ice\r\n"
                      ">CLIENT:ENV,password=pass_word\r\n>CLIENT:ENV,common_name=a\r\n"
                      ">CLIENT:ENV,END\r\n");
    EXPECT_EQ(ask("client-auth-nt 5 0"), "ERROR: client-auth command failed\r\n");
    EXPECT_EQ(ask("client-auth-nt 4 1"), "ERROR: client-auth command failed\r\n");
    EXPECT_EQ(ask("client-pending-auth 5 1 \"CR_TEXT:R:PIN?\" 60"),
              "SUCCESS: client-pending-auth command succeeded\r\n");
    ASSERT_EQ(outcomes.size(), 1U);
    EXPECT_EQ(std::get<Postponed>(outcomes[0]).extra, "CR_TEXT:R:PIN?");
    EXPECT_EQ(std::get<Postponed>(outcomes[0]).timeout_seconds, 60U);
    protocol->receive("client-auth 5 1\npush \"route 10.1.0.0\"\n  second\n", now);
    EXPECT_EQ(read(), "");
    EXPECT_EQ(outcomes.size(), 1U) << "not before END";
    EXPECT_EQ(ask("END"), "SUCCESS: client-auth command succeeded\r\n");
    ASSERT_EQ(outcomes.size(), 2U);
    EXPECT_THAT(std::get<Allowed>(outcomes[1]).directives,
                ElementsAre("push \"route 10.1.0.0\"", "  second"));
    EXPECT_EQ(ask("client-auth 5 1\nEND"), "ERROR: client-auth command failed\r\n") << "answered";
    EXPECT_EQ(ask("client-pending-auth 5 1 x 60"),
              "ERROR: client-pending-auth command failed. Extra parameter might be too long\r\n");

    pending.again = true;
    pending.key_id = 2;
    protocol->authenticate(pending, answer);
    EXPECT_THAT(read(), StartsWith(">CLIENT:REAUTH,5,2\r\n"));
    EXPECT_EQ(ask("client-deny 5 2 \"no reason\" \"go away\""),
              "SUCCESS: client-deny command succeeded\r\n");
    EXPECT_EQ(std::get<Denied>(outcomes.at(2)).reason, "no reason");
    EXPECT_EQ(std::get<Denied>(outcomes.at(2)).client_reason, "go away");

    accept = false;
    protocol->authenticate(pending, answer);
    read();
    EXPECT_EQ(ask("client-deny 5 2 x"), "ERROR: client-deny command failed\r\n");
    // Who has left is not asked for any more; others are.
    protocol->authenticate(pending, answer);
    pending.client_id = 6;
    protocol->authenticate(pending, answer);
    read();
    protocol->forget(5);
    accept = true;
    EXPECT_EQ(ask("client-auth-nt 5 2"), "ERROR: client-auth command failed\r\n");
    EXPECT_EQ(ask("client-auth-nt 6 2"), "SUCCESS: client-auth command succeeded\r\n");

    EXPECT_EQ(ask("client-auth x 1"), "ERROR: cannot parse CID\r\n");
    EXPECT_EQ(ask("client-auth-nt 1 x"), "ERROR: cannot parse KID\r\n");
    EXPECT_EQ(ask("client-deny 1 -1 x"), "ERROR: cannot parse KID\r\n");
    EXPECT_EQ(ask("client-pending-auth 1 1 x y"), "ERROR: cannot parse TIMEOUT\r\n");
    EXPECT_EQ(ask("client-auth 1"), "ERROR: the 'client-auth' command requires 2 parameters\r\n");
    EXPECT_EQ(ask("client-deny 1 1"),
              "ERROR: the 'client-deny' command requires at least 3 parameters\r\n");
}

TEST_F(ManagementTest, ABlockHasAnEnd) {
    greeted();
    protocol->receive("client-auth 1 1\n", now);
    const std::string line(1023, 'x');
    for (int i = 0; i < 64; i++)
        protocol->receive(line + "\n", now);
    EXPECT_EQ(protocol->end(), "");
    protocol->receive("\n", now);
    EXPECT_EQ(read(), "ERROR: too many lines\r\n");
    EXPECT_EQ(protocol->end(), "too many lines behind client-auth");
    protocol->disconnected();
    protocol->connected();
    read();
    EXPECT_THAT(ask("pid"), StartsWith("SUCCESS: ")) << "nothing is left of the block";
}

TEST_F(ManagementTest, Password) {
    settings.password = SecretBytes(as_bytes("secret"));
    begin();
    EXPECT_EQ(read(), "ENTER PASSWORD:");
    protocol->log_line(log::Level::Info, "not for strangers");
    protocol->state(State::Connecting);
    protocol->established(1, {});
    EXPECT_EQ(read(), "");
    for (const char* wrong : {"secre", "secret2"})
        EXPECT_EQ(ask(wrong), "ERROR: bad password\r\nENTER PASSWORD:");
    EXPECT_EQ(ask("secret\r"), "SUCCESS: password is correct\r\n" + kGreeting);
    EXPECT_THAT(ask("pid"), StartsWith("SUCCESS: "));
    // It is asked for again, and not for ever.
    protocol->disconnected();
    protocol->connected();
    EXPECT_EQ(read(), "ENTER PASSWORD:");
    EXPECT_EQ(ask("pid"), "ERROR: bad password\r\nENTER PASSWORD:");
    EXPECT_EQ(ask(""), "ERROR: bad password\r\nENTER PASSWORD:");
    EXPECT_EQ(protocol->end(), "");
    EXPECT_EQ(ask("Secret"), "ERROR: bad password\r\n");
    EXPECT_EQ(protocol->end(), "wrong passwords");
    EXPECT_EQ(ask("secret"), "");
}

TEST_F(ManagementTest, Hold) {
    settings.hold = true;
    begin();
    protocol->serve(nullptr);
    EXPECT_EQ(read(), kGreeting);
    EXPECT_FALSE(protocol->holding());
    protocol->begin_hold();
    EXPECT_TRUE(protocol->holding());
    const std::string notice = ">HOLD:Waiting for hold release:0\r\n";
    EXPECT_EQ(read(), notice);
    protocol->disconnected();
    protocol->connected();
    EXPECT_EQ(read(), kGreeting + notice) << "also who comes later is told";
    EXPECT_EQ(ask("hold"), "SUCCESS: hold=1\r\n");
    for (const char* name : {"SIGHUP", "SIGUSR1"})
        EXPECT_EQ(ask(std::string("signal ") + name),
                  std::string("ERROR: signal '") + name + "' is currently ignored\r\n" + notice);
    EXPECT_EQ(ask("hold nonsense"), "ERROR: bad hold command parameter\r\n");
    EXPECT_EQ(ask("hold off"), "SUCCESS: hold flag set to OFF\r\n");
    EXPECT_TRUE(protocol->holding()) << "that is for the next start";
    EXPECT_EQ(ask("hold release"), "SUCCESS: hold release succeeded\r\n");
    EXPECT_FALSE(protocol->holding());
    protocol->begin_hold();
    EXPECT_FALSE(protocol->holding());
    EXPECT_EQ(ask("hold on"), "SUCCESS: hold flag set to ON\r\n");
    protocol->begin_hold();
    EXPECT_TRUE(protocol->holding());
    protocol->end_hold();
    EXPECT_FALSE(protocol->holding());
    EXPECT_THAT(raised, IsEmpty());
}

TEST_F(ManagementTest, ARestartWhenTheClientLeaves) {
    settings.restart_on_disconnect = true;
    settings.password = SecretBytes(as_bytes("secret"));
    begin();
    protocol->disconnected();
    EXPECT_THAT(raised, IsEmpty()) << "it was not let in";
    protocol->connected();
    ask("secret");
    protocol->disconnected();
    EXPECT_THAT(raised, ElementsAre(SIGUSR1));
    protocol->disconnected();
    EXPECT_EQ(raised.size(), 1U);
}

TEST_F(ManagementTest, WhoDoesNotReadIsCutOff) {
    greeted();
    ask("log on");
    const std::string line(1000, 'x');
    for (int i = 0; i < 1000; i++)
        protocol->log_line(log::Level::Info, line);
    EXPECT_EQ(protocol->end(), "");
    const auto waiting = read();
    EXPECT_GT(waiting.size(), 1000U * 1000U);
    for (int i = 0; i < 1200; i++)
        protocol->log_line(log::Level::Info, line);
    EXPECT_EQ(protocol->end(), "it does not read");
    EXPECT_LT(protocol->output().size(), 2U << 20);
}

TEST_F(ManagementTest, CommandsWaitWhileAnAnswerDoes) {
    greeted();
    const std::string answer(40000, 'x');
    EXPECT_CALL(actions, status(1)).Times(2).WillRepeatedly(Return(answer + "\n"));
    protocol->receive("status 1\nstatus 1\nstatus 2\npid\n", now);
    EXPECT_EQ(protocol->output().size(), 2 * (answer.size() + 2));
    EXPECT_FALSE(protocol->wants_input());
    testing::Mock::VerifyAndClearExpectations(&actions);
    EXPECT_CALL(actions, status(2)).WillOnce(Return("last\n"));
    EXPECT_THAT(read(), HasSubstr("x\r\nlast\r\nSUCCESS: pid="));
    EXPECT_TRUE(protocol->wants_input());
}

TEST_F(ManagementTest, WhatNobodyAskedForIsAnnounced) {
    greeted();
    int announced = 0;
    protocol->on_output([&] { announced++; });
    EXPECT_CALL(actions, kill_by_name("a")).WillOnce([&](const std::string&) {
        protocol->gone(1, {});
        return 1U;
    });
    EXPECT_THAT(ask("kill a"), HasSubstr(">CLIENT:DISCONNECT,1\r\n"));
    EXPECT_EQ(announced, 0) << "whoever asked looks anyway";
    protocol->gone(2, {});
    EXPECT_GT(announced, 0);
}

// ---- with a server's core

TEST_F(ManagementTest, ACoreIsWatchedAndCommanded) {
    log::set_level(log::Level::Off);
    test::Simulation sim;
    sim.settings.unix_time_of_zero = 1000000s;
    sim.settings.client_lookup = [](const std::string&) {
        server::ClientSettings special;
        special.networks = {ipv4_prefix(Ipv4{0x0a320000}, 24)};
        return std::optional(special);
    };
    sim.now = std::chrono::steady_clock::now(); // the link's clock
    sim.start_server();
    greeted();
    int changes = 0;
    {
        server::ManagementLink link(*protocol, *sim.core, 2,
                                    {[&] {
                                         server::StatusReport report;
                                         report.title = "T";
                                         report.clients = sim.core->clients(sim.now);
                                         return report;
                                     },
                                     [&] { changes++; }});
        auto& alice = sim.add_client("alice");
        ASSERT_TRUE(sim.run_until([&] { return alice.client->connected(); }, 60s));
        const auto port = std::to_string(alice.endpoint.port);
        const auto address = to_string(alice.endpoint.address);
        const auto told = read();
        EXPECT_THAT(told, StartsWith(">CLIENT:ADDRESS,0,10.8.0.2,1\r\n"
                                     ">CLIENT:ADDRESS,0,10.50.0.0/255.255.255.0,0\r\n"
                                     ">CLIENT:ESTABLISHED,0\r\n"
                                     ">CLIENT:ENV,n_clients=1\r\n"
                                     ">CLIENT:ENV,common_name=alice\r\n"
                                     ">CLIENT:ENV,trusted_ip=" +
                                     address + "\r\n>CLIENT:ENV,trusted_port=" + port +
                                     "\r\n"
                                     ">CLIENT:ENV,ifconfig_pool_remote_ip=10.8.0.2\r\n"
                                     ">CLIENT:ENV,ifconfig_pool_netmask=255.255.255.0\r\n"
                                     ">CLIENT:ENV,time_ascii="));
        EXPECT_THAT(told, testing::EndsWith("\r\n>CLIENT:ENV,END\r\n"));
        sim.plane.peers.at(0).rx_bytes = 10;
        sim.plane.peers.at(0).tx_bytes = 20;
        EXPECT_THAT(ask("status"), HasSubstr("\r\nCLIENT_LIST,alice,udp4:" + address + ":" + port));
        EXPECT_THAT(ask("status 3"), HasSubstr("\r\nCLIENT_LIST\talice\t"));
        EXPECT_THAT(ask("status 1"), StartsWith("OpenVPN CLIENT LIST\r\n"));
        EXPECT_EQ(ask("load-stats"), "SUCCESS: nclients=1,bytesin=10,bytesout=20\r\n");
        ask("bytecount 1");
        protocol->tick(now + 1s);
        EXPECT_EQ(read(), ">BYTECOUNT_CLI:0,10,20\r\n");
        const auto killed = ask("kill udp:" + address + ":" + port);
        EXPECT_EQ(changes, 1);
        EXPECT_THAT(killed, HasSubstr(">CLIENT:DISCONNECT,0\r\n"));
        EXPECT_THAT(killed, HasSubstr(">CLIENT:ENV,bytes_received=10\r\n"
                                      ">CLIENT:ENV,bytes_sent=20\r\n"
                                      ">CLIENT:ENV,time_duration="));
        EXPECT_THAT(killed, testing::EndsWith("killed\r\n"));
        EXPECT_EQ(ask("load-stats"), "SUCCESS: nclients=0,bytesin=10,bytesout=20\r\n")
            << "the bytes of who is gone count";

        auto& bob = sim.add_client("bob");
        ASSERT_TRUE(sim.run_until([&] { return bob.client->connected(); }, 60s));
        read();
        EXPECT_EQ(ask("client-kill 1 HALT"), "SUCCESS: client-kill command succeeded\r\n");
        sim.run(5s);
        EXPECT_THAT(bob.client->messages, testing::Contains("HALT"));
        EXPECT_THAT(read(), HasSubstr(">CLIENT:DISCONNECT,1\r\n"));
        EXPECT_EQ(ask("kill alice"), "ERROR: common name 'alice' not found\r\n");
    }
    EXPECT_THAT(ask("status"), StartsWith("ERROR: The 'status' command is not supported"));
}

// ---- of a client

TEST_F(ClientManagementTest, CommandsOfItsRole) {
    greeted();
    for (const char* name : {"kill x", "client-auth 1 2", "client-kill 1", "nclients", "needok a b",
                             "proxy NONE", "net", "pkcs11-id-count"})
        EXPECT_THAT(ask(name), testing::MatchesRegex("ERROR: The '[a-z0-9-]+' command is not "
                                                     "supported by the current daemon mode\r\n"));
    EXPECT_CALL(actions, status(2)).WillOnce(Return("OpenVPN STATISTICS\nEND\n"));
    EXPECT_EQ(ask("status 2"), "OpenVPN STATISTICS\r\nEND\r\n");
    EXPECT_CALL(actions, load()).WillOnce(Return(Load{0, 30, 40}));
    EXPECT_EQ(ask("load-stats"), "SUCCESS: nclients=0,bytesin=30,bytesout=40\r\n");
    const auto help = ask("help");
    for (const char* name :
         {"auth-retry", "forget-passwords", "hold", "password", "remote", "state", "username"})
        EXPECT_THAT(help, HasSubstr(std::string("\r\n") + name + " "));
    EXPECT_THAT(help, testing::Not(HasSubstr("client-auth")));
    EXPECT_LT(help.find("\r\nauth-retry"), help.find("\r\nbytecount")) << "in their order";
    protocol->serve(nullptr);
    for (const char* name :
         {"auth-retry", "forget-passwords", "remote-entry-count", "cr-response x"})
        EXPECT_THAT(ask(name), StartsWith("ERROR: The '")) << name;
    EXPECT_EQ(ask("remote ACCEPT"), "ERROR: remote command failed\r\n");
}

TEST_F(ClientManagementTest, Bytecount) {
    greeted();
    ask("bytecount 2");
    EXPECT_CALL(actions, bytes()).WillOnce(Return(SessionBytes{10, 20}));
    protocol->tick(now + 2s);
    EXPECT_EQ(read(), ">BYTECOUNT:10,20\r\n");
    protocol->serve(nullptr);
    protocol->tick(now + 4s);
    EXPECT_EQ(read(), "");
}

TEST_F(ClientManagementTest, StatesHaveBothEnds) {
    greeted();
    ask("state on");
    StateDetails details;
    details.reason = "SUCCESS";
    details.address = Ipv4{0x0a080002};
    details.address6 = parse_ipv6("fd00:8::2");
    details.remote = Endpoint{Ipv4{0xc0000201}, 1194};
    details.local = Endpoint{Ipv4{0xc000020a}, 50000};
    protocol->state(State::Connected, details);
    EXPECT_EQ(read(),
              ">STATE:1700000000,CONNECTED,SUCCESS,10.8.0.2,192.0.2.1,1194,192.0.2.10,50000,"
              "fd00:8::2\r\n");
    const std::pair<State, const char*> names[] = {{State::Resolve, "RESOLVE"},
                                                   {State::TcpConnect, "TCP_CONNECT"},
                                                   {State::Wait, "WAIT"},
                                                   {State::Auth, "AUTH"},
                                                   {State::GetConfig, "GET_CONFIG"},
                                                   {State::AuthPending, "AUTH_PENDING"}};
    for (const auto& [state, name] : names) {
        protocol->state(state);
        EXPECT_EQ(read(), std::string(">STATE:1700000000,") + name + ",,,,,,\r\n");
    }
}

TEST_F(ClientManagementTest, UserIsAskedFor) {
    greeted();
    EXPECT_EQ(ask("username Auth carol"),
              "ERROR: no username is currently needed at this time\r\n");
    EXPECT_EQ(ask("password Auth x"), "ERROR: no password is currently needed at this time\r\n");
    const std::string question = ">PASSWORD:Need 'Auth' username/password\r\n";
    protocol->ask_user(nullptr);
    EXPECT_EQ(read(), question);
    EXPECT_EQ(ask("password \"Private Key\" x"),
              "ERROR: password of type 'Private Key' entered, but we need one of type 'Auth'\r\n");
    EXPECT_EQ(ask("username Auth \"\""), "ERROR: a user name has between 1 and 1024 bytes\r\n");
    EXPECT_EQ(ask("username Auth " + std::string(1025, 'u')),
              "ERROR: a user name has between 1 and 1024 bytes\r\n");
    EXPECT_EQ(ask("password Auth " + std::string(4001, 'p')),
              "ERROR: a password has at most 4000 bytes\r\n");
    EXPECT_EQ(ask("password Auth"), "ERROR: the 'password' command requires 2 parameters\r\n");
    EXPECT_EQ(ask("username \"Auth\" \"carol \\\"c\\\"\""),
              "SUCCESS: 'Auth' username entered, but not yet verified\r\n");
    EXPECT_CALL(actions, told("carol \"c\"", "open \\ sesame"));
    EXPECT_EQ(ask(R"(password "Auth" "open \\ sesame")"),
              "SUCCESS: 'Auth' password entered, but not yet verified\r\n");
    EXPECT_EQ(ask("password Auth x"), "ERROR: no password is currently needed at this time\r\n");

    // In the other order, and without a password; the last word counts.
    protocol->ask_user(nullptr);
    read();
    ask("password Auth wrong");
    ask("password Auth ''");
    EXPECT_CALL(actions, told("frank", ""));
    ask("username Auth frank");
}

TEST_F(ClientManagementTest, QuestionsStandUntilTheyAreAnswered) {
    greeted();
    config::Remote remote;
    remote.host = "vpn";
    protocol->ask_user(nullptr);
    protocol->ask_remote(remote);
    read();
    ask("username Auth carol");
    protocol->disconnected();
    protocol->connected();
    EXPECT_EQ(read(), kGreeting + ">REMOTE:vpn,1194,udp\r\n"
                                  ">PASSWORD:Need 'Auth' username/password\r\n");
    EXPECT_EQ(ask("password Auth x"), "SUCCESS: 'Auth' password entered, but not yet verified\r\n")
        << "the name of somebody else does not count";
    protocol->withdraw_questions();
    protocol->disconnected();
    protocol->connected();
    EXPECT_EQ(read(), kGreeting);
    EXPECT_EQ(ask("remote ACCEPT"), "ERROR: remote command failed\r\n");
    EXPECT_EQ(ask("username Auth x"), "ERROR: no username is currently needed at this time\r\n");
}

TEST_F(ClientManagementTest, StaticChallenge) {
    greeted();
    const config::StaticChallenge plain{"PIN?", false, false};
    protocol->ask_user(&plain);
    EXPECT_EQ(read(), ">PASSWORD:Need 'Auth' username/password SC:0,PIN?\r\n");
    const config::StaticChallenge both{"PIN?", true, true};
    protocol->ask_user(&both);
    EXPECT_EQ(read(), ">PASSWORD:Need 'Auth' username/password SC:3,PIN?\r\n");
}

TEST_F(ClientManagementTest, RemotesAreChosen) {
    greeted();
    config::Remote remote;
    remote.host = "vpn.example.net";
    remote.port = 443;
    remote.tcp = true;
    remote.family = config::RemoteFamily::Ipv4;
    const auto again = [&] {
        protocol->ask_remote(remote);
        return read();
    };
    const std::string good = "SUCCESS: remote command succeeded\r\n";
    EXPECT_EQ(again(), ">REMOTE:vpn.example.net,443,tcp4-client\r\n");
    for (const char* bad : {"remote", "remote NONE", "remote MOD x", "remote MOD x 0",
                            "remote MOD x y", "remote MOD '' 1", "remote SKIP 0", "remote SKIP x"})
        EXPECT_THAT(ask(bad), StartsWith("ERROR: ")) << bad;
    EXPECT_CALL(actions, remote_accepted("", 0));
    EXPECT_EQ(ask("remote ACCEPT"), good);
    EXPECT_EQ(ask("remote ACCEPT"), "ERROR: remote command failed\r\n");
    again();
    EXPECT_CALL(actions, remote_skipped(1));
    EXPECT_EQ(ask("remote SKIP"), good);
    again();
    EXPECT_CALL(actions, remote_skipped(3));
    EXPECT_EQ(ask("remote SKIP 3"), good);
    again();
    EXPECT_CALL(actions, remote_accepted("other", 1195));
    EXPECT_EQ(ask("remote MOD other 1195"), good);

    EXPECT_CALL(actions, remotes())
        .WillRepeatedly(Return(std::vector{config::Remote{"a"}, remote}));
    EXPECT_EQ(ask("remote-entry-count"), "2\r\nEND\r\n");
    const std::string first = "0,a,1194,udp,enabled\r\n";
    const std::string second = "1,vpn.example.net,443,tcp4-client,enabled\r\n";
    EXPECT_EQ(ask("remote-entry-get all"), first + second + "END\r\n");
    EXPECT_EQ(ask("remote-entry-get 1"), second + "END\r\n");
    EXPECT_EQ(ask("remote-entry-get 0 9"), first + second + "END\r\n");
    EXPECT_EQ(ask("remote-entry-get 2"), "END\r\n");
    EXPECT_EQ(ask("remote-entry-get x"), "END\r\n");
}

TEST_F(ClientManagementTest, HoldIsReleased) {
    settings.hold = true;
    greeted();
    protocol->begin_hold(8s);
    EXPECT_EQ(read(), ">HOLD:Waiting for hold release:8\r\n");
    protocol->disconnected();
    protocol->connected();
    EXPECT_EQ(read(), kGreeting + ">HOLD:Waiting for hold release:8\r\n");
    EXPECT_CALL(actions, hold_released());
    EXPECT_EQ(ask("hold release"), "SUCCESS: hold release succeeded\r\n");
    EXPECT_EQ(ask("hold release"), "SUCCESS: hold release succeeded\r\n") << "and nothing else";
}

TEST_F(ClientManagementTest, PasswordsAreForgotten) {
    settings.forget_on_disconnect = true;
    settings.restart_on_disconnect = true;
    settings.password = SecretBytes(as_bytes("secret"));
    begin();
    protocol->disconnected(); // it was not let in
    protocol->connected();
    ask("secret");
    EXPECT_CALL(actions, forget_passwords()).Times(2);
    EXPECT_EQ(ask("forget-passwords"), "SUCCESS: Passwords were forgotten\r\n");
    protocol->disconnected();
    EXPECT_THAT(raised, ElementsAre(SIGUSR1));
}

TEST_F(ClientManagementTest, AuthRetryAndResponses) {
    greeted();
    EXPECT_CALL(actions, auth_retry()).WillOnce(Return(config::AuthRetry::NoInteract));
    EXPECT_EQ(ask("auth-retry"), "SUCCESS: auth-retry=nointeract\r\n");
    EXPECT_CALL(actions, set_auth_retry(config::AuthRetry::Interact));
    EXPECT_EQ(ask("auth-retry interact"), "SUCCESS: auth-retry parameter changed\r\n");
    EXPECT_EQ(ask("auth-retry x"), "ERROR: bad auth-retry parameter\r\n");
    EXPECT_CALL(actions, send_message("CR_RESPONSE,MTIz")).WillOnce(Return(true));
    EXPECT_EQ(ask("cr-response MTIz"), "SUCCESS: command succeeded\r\n");
    EXPECT_CALL(actions, send_message("CR_RESPONSE,MTI0")).WillOnce(Return(false));
    EXPECT_EQ(ask("cr-response MTI0"), "ERROR: command failed\r\n");
    EXPECT_EQ(ask("cr-response " + std::string(1001, 'x')), "ERROR: command failed\r\n");
}

TEST_F(ClientManagementTest, WhatHappensIsTold) {
    greeted();
    protocol->refused("");
    protocol->refused("no\nsuch user");
    protocol->information("WEB_AUTH::https://x");
    protocol->up_down(true, {"dev=tun0"});
    protocol->up_down(false, {});
    EXPECT_EQ(read(), ">PASSWORD:Verification Failed: 'Auth'\r\n"
                      ">PASSWORD:Verification Failed: 'Auth' ['no_such user']\r\n"
                      ">INFOMSG:WEB_AUTH::https://x\r\n"
                      ">UPDOWN:UP\r\n>UPDOWN:ENV,dev=tun0\r\n>UPDOWN:ENV,END\r\n"
                      ">UPDOWN:DOWN\r\n>UPDOWN:ENV,END\r\n");
    protocol->echo("forget-passwords");
    EXPECT_EQ(ask("echo on all"), "SUCCESS: real-time echo notification set to ON\r\n"
                                  "1700000000,forget-passwords\r\nEND\r\n");
    protocol->echo("a\rb");
    EXPECT_EQ(read(), ">ECHO:1700000000,a_b\r\n");
}

// The core, its link and the protocol together: what a user interface sees of a whole life.
TEST_F(ClientManagementTest, AClientIsLedByItsManagementClient) {
    log::set_level(log::Level::Off);
    test::RecordingHooks hooks;
    test::Simulation sim;
    sim.now = std::chrono::steady_clock::now(); // the link's clock
    sim.settings.users.emplace();
    sim.settings.session.push = {"echo save-passwords no", "route 10.99.0.0 255.255.255.0"};
    sim.hooks = &hooks;
    sim.start_server();
    client::ClientSettings client_settings;
    client_settings.ask_user = client_settings.ask_remote = true;
    client_settings.auth_retry = config::AuthRetry::Interact;
    test::SimulatedClient c(sim, "alice", client_settings);
    settings.hold = true;
    greeted();
    ask("state on");
    ask("echo on");
    std::optional<client::ManagementLink> link;
    int changes = 0;
    c.on_core = [&](client::ClientCore& core) {
        link.emplace(*protocol, core, std::nullopt, [&] { changes++; });
    };
    const auto until = [&](const std::string& what) {
        std::string seen;
        EXPECT_TRUE(sim.run_until(
            [&] {
                seen += read();
                return seen.find(what) != std::string::npos;
            },
            60s))
            << what << " is not in " << seen;
        return seen;
    };
    c.start();
    EXPECT_EQ(read(), ">HOLD:Waiting for hold release:0\r\n");
    EXPECT_EQ(c.core->phase(), client::Phase::Asking);
    EXPECT_THAT(ask("hold release"), testing::EndsWith(">REMOTE:vpn,1194,udp\r\n"));
    ask("hold off");
    EXPECT_THAT(ask("remote ACCEPT"),
                testing::EndsWith(">PASSWORD:Need 'Auth' username/password\r\n"));
    sim.run(100s);
    EXPECT_THAT(c.calls, IsEmpty()) << "it waits for as long as that takes";
    ask("username Auth carol");
    EXPECT_EQ(ask("password Auth barley"),
              "SUCCESS: 'Auth' password entered, but not yet verified\r\n"
              ">STATE:1700000000,RESOLVE,,,,,,\r\n");
    EXPECT_EQ(changes, 3);
    ASSERT_TRUE(sim.run_until([&] { return !hooks.users.empty(); }, 30s));
    auto question = hooks.next_user();
    EXPECT_EQ(question.password, "barley");
    EXPECT_THAT(read(), StartsWith(">STATE:1700000000,WAIT,,,,,,\r\n"
                                   ">STATE:1700000000,AUTH,,,,,,\r\n"));
    question.done(session::Refusal{"wrong password", false, true}, sim.now);
    EXPECT_THAT(until("RECONNECTING"),
                testing::AllOf(HasSubstr(">PASSWORD:Verification Failed: 'Auth' ['"),
                               HasSubstr("wrong password"),
                               HasSubstr("RECONNECTING,auth-failure,,,,,\r\n"),
                               testing::Not(HasSubstr("barley"))));
    until(">REMOTE:");
    ask("remote MOD other 1195");
    EXPECT_EQ(read(), "");
    ask("username Auth carol");
    ask("password Auth 'open sesame'");
    ASSERT_TRUE(sim.run_until([&] { return !hooks.users.empty(); }, 30s));
    EXPECT_THAT(c.calls, testing::Contains("resolve other"));
    hooks.next_user().done(server::ClientSettings{}, sim.now);
    const auto seen = until("CONNECTED,SUCCESS");
    EXPECT_THAT(seen, HasSubstr("GET_CONFIG,,,,,,\r\n>ECHO:1700000000,save-passwords no\r\n"
                                ">STATE:1700000000,ASSIGN_IP,,10.8.0.2,,,,\r\n"
                                ">STATE:1700000000,ADD_ROUTES,,,,,,\r\n"
                                ">STATE:1700000000,CONNECTED,SUCCESS,10.8.0.2,192.0.2.1,1194,"));
    c.plane.peers.at(0).rx_bytes = 10;
    c.plane.peers.at(0).tx_bytes = 20;
    EXPECT_THAT(ask("status"), testing::AllOf(StartsWith("OpenVPN STATISTICS\r\nUpdated,"),
                                              HasSubstr("\r\nTCP/UDP read bytes,10\r\n"
                                                        "TCP/UDP write bytes,20\r\n")));
    c.core->restart(sim.now);
    EXPECT_EQ(ask("load-stats"), ">REMOTE:vpn,1194,udp\r\n"
                                 "SUCCESS: nclients=0,bytesin=10,bytesout=20\r\n");
    c.core->stop(sim.now);
    EXPECT_TRUE(c.core->finished());
    EXPECT_EQ(ask("remote ACCEPT"), "ERROR: remote command failed\r\n");
    link.reset();
}

// ---- sockets

namespace {

class ManagementSocketTest : public ManagementTest {
protected:
    ManagementSocketTest() {
        log::set_level(log::Level::Off);
        std::string name = (std::filesystem::temp_directory_path() / "manage-XXXXXX").string();
        directory = mkdtemp(name.data());
        listen.socket_path = directory + "/socket";
        protocol.emplace(std::move(settings));
        protocol->serve(&actions);
    }
    ~ManagementSocketTest() override { std::filesystem::remove_all(directory); }

    // A connection to the socket that is listened on.
    [[nodiscard]] int connect() const {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        listen.socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
        return fd;
    }
    static void write(const Descriptor& client, const std::string& text) {
        EXPECT_EQ(send(client.get(), text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    static bool eof(const Descriptor& client) {
        char byte = 0;
        return recv(client.get(), &byte, 1, MSG_PEEK) == 0;
    }
    static std::string take(const Descriptor& client) {
        std::string out(65536, '\0');
        const auto n = recv(client.get(), out.data(), out.size(), 0);
        out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return out;
    }
    // Lets the server work until it holds; false if it does not within a time that is long enough.
    static bool until(asio::io_context& context, const std::function<bool()>& condition) {
        const auto limit = std::chrono::steady_clock::now() + 20s;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > limit)
                return false;
            context.restart();
            context.run_one_for(10ms);
        }
        return true;
    }
    // What comes until @p end has come.
    static std::string expect(asio::io_context& context, const Descriptor& client,
                              const std::string& end) {
        std::string out;
        EXPECT_TRUE(until(context, [&] {
            out += take(client);
            return out.ends_with(end);
        })) << out;
        return out;
    }

    asio::io_context context;
    std::string directory;
    Listen listen;
};

} // namespace

TEST_F(ManagementSocketTest, OneClientAfterTheOther) {
    Sockets sockets(listen);
    Server server(context, sockets, *protocol);
    struct stat file {};
    ASSERT_EQ(stat(listen.socket_path.c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 0777U, 0600U) << "nobody else is kept out otherwise";
    Descriptor first(connect());
    EXPECT_EQ(expect(context, first, "\n"), kGreeting);
    Descriptor second(connect());
    write(second, "pid\n");
    write(first, "pid\r\nlog on\n");
    EXPECT_THAT(expect(context, first, "ON\r\n"), StartsWith("SUCCESS: pid="));
    protocol->log_line(log::Level::Info, "news");
    EXPECT_EQ(expect(context, first, "news\r\n"), ">LOG:1700000000,I,news\r\n");
    EXPECT_EQ(take(second), "") << "it waits";
    write(first, "quit\n");
    EXPECT_THAT(expect(context, second, std::to_string(getpid()) + "\r\n"),
                StartsWith(kGreeting + "SUCCESS: pid="));
    EXPECT_TRUE(eof(first));
    second.close();
    EXPECT_TRUE(until(context, [&] { return !protocol->has_client(); }));
    Descriptor third(connect());
    EXPECT_EQ(expect(context, third, "\n"), kGreeting);
}

TEST_F(ManagementSocketTest, TimeGoesOnByItself) {
    Sockets sockets(listen);
    Server server(context, sockets, *protocol);
    Descriptor client(connect());
    EXPECT_CALL(actions, traffic())
        .Times(testing::AtLeast(1))
        .WillRepeatedly(Return(std::vector<Traffic>{{1, 2, 3}}));
    write(client, "bytecount 1\n");
    EXPECT_THAT(expect(context, client, ">BYTECOUNT_CLI:1,2,3\r\n"), StartsWith(kGreeting));
}

TEST_F(ManagementSocketTest, AnAnswerLargerThanTheSocketArrivesWhole) {
    Sockets sockets(listen);
    Server server(context, sockets, *protocol);
    Descriptor client(connect());
    expect(context, client, "\n");
    const std::string long_line(4U << 20, 'x');
    EXPECT_CALL(actions, status(0)).WillOnce(Return(long_line + "\nEND\n"));
    write(client, "status\npid\n");
    const auto all = expect(context, client, std::to_string(getpid()) + "\r\n");
    EXPECT_THAT(all.substr(long_line.size()), StartsWith("\r\nEND\r\nSUCCESS: pid="));
}

TEST_F(ManagementSocketTest, WhoDoesNotReadIsCutOff) {
    Sockets sockets(listen);
    Server server(context, sockets, *protocol);
    Descriptor client(connect());
    expect(context, client, "\n");
    write(client, "log on\n");
    expect(context, client, "ON\r\n");
    const std::string line(10000, 'x');
    EXPECT_TRUE(until(context, [&] {
        protocol->log_line(log::Level::Info, line);
        return !protocol->has_client();
    }));
    EXPECT_LT(sockets.client(), 0);
}

TEST_F(ManagementSocketTest, TheConnectionOutlivesARestart) {
    Sockets sockets(listen);
    Descriptor client(connect());
    {
        asio::io_context before;
        Server server(before, sockets, *protocol);
        expect(before, client, "\n");
        write(client, "log on\n");
        expect(before, client, "ON\r\n");
        protocol->log_line(log::Level::Info, "last words");
    }
    EXPECT_EQ(take(client), ">LOG:1700000000,I,last words\r\n");
    protocol->log_line(log::Level::Info, "meanwhile");
    Server server(context, sockets, *protocol);
    EXPECT_EQ(expect(context, client, "\n"), ">LOG:1700000000,I,meanwhile\r\n");
    write(client, "pid\n");
    EXPECT_THAT(expect(context, client, "\n"), StartsWith("SUCCESS: "));
}

TEST_F(ManagementSocketTest, OnlyForAUser) {
    for (const bool allowed : {true, false}) {
        auto mine = listen;
        mine.user = allowed ? getuid() : getuid() + 1;
        mine.group = getgid();
        asio::io_context own;
        Sockets sockets(mine);
        Server server(own, sockets, *protocol);
        struct stat file {};
        ASSERT_EQ(stat(listen.socket_path.c_str(), &file), 0);
        EXPECT_EQ(file.st_mode & 0777U, 0666U) << "who may connect is looked at afterwards";
        Descriptor client(connect());
        if (allowed)
            EXPECT_EQ(expect(own, client, "\n"), kGreeting);
        else
            EXPECT_TRUE(until(own, [&] { return eof(client); }));
        client.close();
        EXPECT_TRUE(until(own, [&] { return !protocol->has_client(); }));
    }
    auto other_group = listen;
    other_group.group = getgid() + 1;
    Sockets sockets(other_group);
    Server server(context, sockets, *protocol);
    Descriptor client(connect());
    EXPECT_TRUE(until(context, [&] { return eof(client); }));
}

TEST_F(ManagementSocketTest, TakesTheNameOfADeadOneOnly) {
    {
        // What a killed daemon leaves.
        Descriptor dead(::socket(AF_UNIX, SOCK_STREAM, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        listen.socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        ASSERT_EQ(bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
                  0);
    }
    ASSERT_TRUE(std::filesystem::exists(listen.socket_path));
    {
        Sockets sockets(listen);
        EXPECT_THROW(Sockets{listen}, std::system_error);
        EXPECT_TRUE(std::filesystem::exists(listen.socket_path)) << "the living one stays";
    }
    EXPECT_FALSE(std::filesystem::exists(listen.socket_path));
    listen.socket_path = directory + "/none/socket";
    EXPECT_THROW(Sockets{listen}, std::system_error);
}

TEST_F(ManagementSocketTest, Tcp) {
    Listen tcp;
    tcp.address = Endpoint{Ipv4{0x7f000001}, 0};
    Sockets sockets(tcp);
    Server server(context, sockets, *protocol);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(sockets.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    Descriptor client(::socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    EXPECT_TRUE(until(context, [&] { return protocol->has_client(); }));
    context.restart();
    context.poll();
    EXPECT_EQ(take(client), kGreeting);
}

TEST_F(ManagementSocketTest, AHoldEndsByItsReleaseOrASignal) {
    Settings held;
    held.hold = true;
    held.unix_time = [] { return std::int64_t{0}; };
    protocol.emplace(std::move(held));
    Sockets sockets(listen);
    Descriptor client(connect());
    write(client, "hold release\n");
    int alive = 0;
    protocol->begin_hold();
    ASSERT_TRUE(protocol->holding());
    EXPECT_EQ(wait_for_release(
                  sockets, *protocol, [&] { alive++; }, std::chrono::milliseconds(10)),
              0);
    EXPECT_EQ(take(client), kGreeting + ">HOLD:Waiting for hold release:0\r\n"
                                        "SUCCESS: hold release succeeded\r\n");
    protocol->begin_hold();
    // Both are noticed by the loop; the first of them ends nothing.
    asio::io_context keeps;
    const asio::signal_set caught(keeps, SIGTERM, SIGHUP);
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGTERM);
    EXPECT_EQ(wait_for_release(
                  sockets, *protocol, [&] { alive++; }, std::chrono::milliseconds(10)),
              SIGTERM);
    EXPECT_FALSE(protocol->holding());
    EXPECT_GE(alive, 2) << "each wait tells that it is there";
}
