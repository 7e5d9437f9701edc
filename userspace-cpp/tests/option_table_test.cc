// SPDX-License-Identifier: GPL-2.0-or-later
//
// The table of options: that it has every option of OpenVPN's manual and no invented one, and that
// every supported one is indeed parsed. Whole configurations as people have them are at the end.

#include "config/client_config.h"
#include "config/option_table.h"
#include "config/server_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>

using namespace nfovpn;
using namespace nfovpn::config;
using testing::AnyOf;
using testing::ElementsAre;
using testing::Gt;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

namespace {

// The names of tests/data/openvpn-options.txt.
std::set<std::string> names_of_openvpn() {
    std::set<std::string> out;
    std::ifstream in(TEST_DATA "/openvpn-options.txt");
    for (std::string line; std::getline(in, line);) {
        if (!line.empty() && line[0] != '#')
            out.insert(line);
    }
    return out;
}

std::optional<std::string> any_file(const std::string& path, std::string&) {
    return "contents of " + path;
}

ParsedConfig parse(const std::string& text) {
    return parse_server_config(text, any_file);
}

const std::string kMinimal = "dev tun\nserver 10.8.0.0 255.255.255.0\n"
                             "ca ca.crt\ncert s.crt\nkey s.key\n";

// Of a client; as many lines as that of a server.
const std::string kMinimalClient = "client\ndev tun\nremote 192.0.2.1\nca ca.crt\n"
                                   "auth-user-pass up\n";

ParsedClientConfig parse_client(const std::string& text) {
    return parse_client_config(text, any_file);
}

std::string all_findings(const ParsedOptions& parsed) {
    std::string out;
    for (const auto& finding : parsed.findings)
        out += describe("f", finding) + "\n";
    return out;
}

} // namespace

TEST(OptionTable, HasEveryOptionOfTheManualOnceForEachRole) {
    auto names = names_of_openvpn();
    ASSERT_THAT(names, SizeIs(Gt(300U)));
    std::set<std::string> seen;
    std::set<std::pair<std::string, Roles>> rows;
    for (const auto& option : options()) {
        seen.insert(option.name);
        EXPECT_TRUE(rows.insert({option.name, option.roles}).second)
            << option.name << " is there twice";
        if (option.roles != Roles::Both) {
            EXPECT_FALSE(rows.contains({option.name, Roles::Both})) << option.name;
        }
        EXPECT_TRUE(names.contains(option.name) || std::string(option.name).starts_with("nf-"))
            << option.name << " is no option of OpenVPN";
    }
    for (const auto& name : names)
        EXPECT_TRUE(seen.contains(name)) << name << " is not in the table";
}

TEST(OptionTable, SaysWhyAndTakesWords) {
    for (const auto& option : options()) {
        EXPECT_LE(option.min_args, option.max_args) << option.name;
        if (option.treatment != Treatment::Supported) {
            EXPECT_STRNE(option.reason, "") << option.name;
        }
        // In mdoc a line must not begin like a request.
        EXPECT_TRUE(*option.reason != '.' && *option.reason != '\'') << option.name;
        // describe() puts them into a line of its own making.
        for (std::string text : {option.reason, option.hint})
            EXPECT_THAT(text, Not(AnyOf(HasSubstr("\n"), testing::EndsWith(".")))) << option.name;
    }
    EXPECT_EQ(find_option("port", Role::Client)->treatment, Treatment::Supported);
    EXPECT_EQ(find_option("portt", Role::Server), nullptr);
    EXPECT_EQ(nearest_option("portt"), "port");
    EXPECT_EQ(nearest_option("zzzzzzzzzz"), "");
    EXPECT_EQ(nearest_option(std::string(100000, 'a')), "");
}

namespace {

// What becomes of a row in a file of its own, behind five other lines.
void expect_effect(const Option& option, const ParsedOptions& parsed) {
    ASSERT_EQ(parsed.uses.size(), 6U) << option.name;
    EXPECT_EQ(parsed.uses[5].treatment, option.treatment) << option.name;
    auto begin = std::string("f:6: ");
    if (option.treatment == Treatment::Refused) {
        EXPECT_FALSE(parsed.ok()) << option.name;
        EXPECT_THAT(all_findings(parsed),
                    HasSubstr(begin + "error: " + option.name + ": " + option.reason));
    } else if (option.treatment == Treatment::Ignored) {
        EXPECT_TRUE(parsed.ok()) << all_findings(parsed);
        EXPECT_THAT(all_findings(parsed),
                    HasSubstr(begin + "warning: " + option.name + ": ignored: " + option.reason));
    } else {
        EXPECT_THAT(all_findings(parsed), Not(HasSubstr("unknown option"))) << option.name;
    }
}

} // namespace

// Each row, in a file of its own, ends as it says, and no supported one is without its handler,
// which would crash.
TEST(OptionTable, EveryRowHasItsEffect) {
    ASSERT_TRUE(parse(kMinimal).ok());
    ASSERT_TRUE(parse_client_config(kMinimalClient, [](const auto&, auto&) {
                    return std::optional<std::string>("carol\nopen sesame\n");
                }).ok());
    for (const auto& option : options()) {
        // It stands for what another file says.
        if (option.name == std::string_view("config"))
            continue;
        std::string line = option.name;
        for (std::size_t i = 0; i < option.min_args; i++)
            line += " 1";
        if (option.roles != Roles::Client)
            expect_effect(option, parse(kMinimal + line + "\n"));
        if (option.roles == Roles::Server)
            continue;
        expect_effect(option,
                      parse_client_config(kMinimalClient + line + "\n", [](const auto&, auto&) {
                          return std::optional<std::string>("carol\nopen sesame\n");
                      }));
    }
}

// An option of the other role's is no unknown one.
TEST(OptionTable, OptionsOfTheOtherRoleAreNamed) {
    EXPECT_THAT(all_findings(parse(kMinimal + "nobind\n")),
                HasSubstr("f:6: error: nobind: only a client has it"));
    EXPECT_THAT(all_findings(parse_client(kMinimalClient + "duplicate-cn\n")),
                HasSubstr("f:6: error: duplicate-cn: only a server has it"));
}

TEST(OptionTable, IsPrintedWhole) {
    auto text = options_as_text();
    auto manual = options_as_mdoc();
    for (const auto& option : options()) {
        EXPECT_THAT(text, HasSubstr(std::string(option.name) + " ")) << option.name;
        std::string escaped;
        for (char c : std::string(option.name))
            escaped += c == '-' ? "\\-" : std::string(1, c);
        EXPECT_THAT(manual,
                    AnyOf(HasSubstr(" Cm " + escaped + "\n"), HasSubstr(" Cm " + escaped + " ,"),
                          HasSubstr(" , " + escaped + " ,"), HasSubstr(" , " + escaped + "\n")))
            << option.name;
    }
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'),
              static_cast<std::ptrdiff_t>(options().size()));
    EXPECT_THAT(text, HasSubstr("shaper                    refused    not supported (use tc)"));
}

TEST(OptionTable, CheckReportHasALineAnOption) {
    auto parsed =
        parse("dev tun\nserver 10.8.0.0 255.255.255.0\nca a\ncert b\n\ncipher AES-256-CBC\n"
              "shaper 1300\nport 0\nlog 'x\n");
    EXPECT_FALSE(parsed.ok());
    EXPECT_THAT(check_report(parsed),
                ElementsAre("   1  supported  dev", "   2  supported  server",
                            "   3  supported  ca", "   4  supported  cert",
                            "   6  ignored    cipher: ignored: the data cipher is negotiated (use "
                            "data-ciphers)",
                            "   7  refused    shaper: not supported (use tc)",
                            "   8  refused    port: \"0\" is not a number from 1 to 65535",
                            "   -  error      no private key is given (key FILE)",
                            "   9  error      a quotation that begins with ' has no end"));
}

TEST(OptionTable, UnknownOptionsMayBeAllowed) {
    auto parsed = parse(kMinimal + "frobnicate 1 2\nignore-unknown-option frobnicate\n"
                                   "ignore-unknown-option tweak shaper\n<tweak>\nx\n</tweak>\n");
    EXPECT_TRUE(parsed.ok()) << all_findings(parsed);
    EXPECT_THAT(all_findings(parsed), HasSubstr("f:6: warning: frobnicate: ignored: unknown, as "
                                                "ignore-unknown-option allows"));
    EXPECT_EQ(parsed.uses[5].treatment, Treatment::Ignored);
    // It makes no known option disappear.
    EXPECT_FALSE(parse(kMinimal + "ignore-unknown-option shaper\nshaper 1300\n").ok());
    EXPECT_FALSE(parse(kMinimal + "ignore-unknown-option other\nfrobnicate\n").ok());
}

TEST(OptionTable, RouteMetricIsOfRoutesWithoutOne) {
    auto parsed =
        parse(kMinimal + "route 10.1.0.0 255.255.0.0\nroute-metric 7\n"
                         "route 10.2.0.0 255.255.0.0 vpn_gateway 9\nroute-ipv6 fd01::/48\n"
                         "route 10.3.0.0 255.255.0.0 vpn_gateway 0\n");
    ASSERT_TRUE(parsed.ok()) << all_findings(parsed);
    std::vector<std::uint32_t> metrics;
    for (const auto& route : parsed.config.routes)
        metrics.push_back(route.metric);
    EXPECT_THAT(metrics, ElementsAre(7, 9, 7, 0));
    EXPECT_FALSE(parse(kMinimal + "route-metric many\n").ok());
}

TEST(OptionTable, RouteTable) {
    EXPECT_EQ(parse(kMinimal).config.route_table, 0U);
    EXPECT_EQ(parse(kMinimal + "route-table 1000\n").config.route_table, 1000U);
    EXPECT_FALSE(parse(kMinimal + "route-table main\n").ok());
    EXPECT_FALSE(parse(kMinimal + "route-table 4294967295\n").ok());
}

TEST(OptionTable, Operation) {
    auto c = parse(kMinimal + "user root\ngroup 1234\nnice -5\nmlock\nnf-seccomp off\nmute 20\n"
                              "syslog gate\nmachine-readable-output\nsuppress-timestamps\n")
                 .config;
    EXPECT_EQ(c.run_as, (Identity{0, 1234}));
    EXPECT_EQ(c.nice, -5);
    EXPECT_TRUE(c.mlock);
    EXPECT_FALSE(c.seccomp);
    EXPECT_EQ(c.log.mute, 20U);
    EXPECT_TRUE(c.log.syslog);
    EXPECT_EQ(c.log.name, "gate");
    EXPECT_EQ(c.log.stamp, log::Stamp::Machine);
    EXPECT_EQ(parse(kMinimal + "suppress-timestamps\n").config.log.stamp, log::Stamp::None);
    auto defaults = parse(kMinimal).config;
    EXPECT_TRUE(defaults.seccomp);
    EXPECT_FALSE(defaults.run_as);
    EXPECT_FALSE(defaults.log.syslog);
    EXPECT_EQ(defaults.log.name, "nf-ovpnd");
    // Without group it is the user's own; the order does not matter.
    EXPECT_EQ(parse(kMinimal + "group 1234\nuser root\n").config.run_as, (Identity{0, 1234}));
    EXPECT_EQ(parse(kMinimal + "user root\n").config.run_as, (Identity{0, 0}));
    EXPECT_EQ(parse(kMinimal + "group 1234\n").config.run_as, (Identity{getuid(), 1234}));
}

// The options of OpenVPN's sample configuration for servers, those that are commented out there as
// well where they are for a routed network.
TEST(OptionTable, OptionsOfTheSampleServer) {
    const std::string active =
        "port 4294\nproto udp\ndev tun\nca root.pem\ncert gate.pem\nkey gate.key\ntopology subnet\n"
        "server 172.20.0.0 255.255.0.0\nifconfig-pool-persist leases\nkeepalive 20 90\n"
        "persist-tun\nstatus state.txt\nverb 4\nexplicit-exit-notify 1\n";
    auto parsed = parse(active);
    EXPECT_TRUE(parsed.ok()) << all_findings(parsed);
    for (const auto& finding : parsed.findings)
        EXPECT_THAT(finding.reason, HasSubstr("ignored: "));

    const std::string more =
        "local 192.0.2.7\ndata-ciphers AES-128-GCM:?CHACHA20-POLY1305:AES-256-CBC\n"
        "push \"route 10.44.0.0 255.255.0.0\"\nclient-config-dir clients\n"
        "route 10.45.0.0 255.255.255.248\npush \"redirect-gateway def1 bypass-dhcp\"\n"
        "push \"dhcp-option DNS 192.0.2.53\"\nclient-to-client\nduplicate-cn\nmax-clients 50\n"
        "log server.log\nmute 10\nuser nobody\ngroup root\n";
    EXPECT_TRUE(parse(active + more).ok()) << all_findings(parse(active + more));

    EXPECT_TRUE(parse(active + "dev tap\n").ok());
    for (const char* line :
         {"proto sctp", "server-bridge", "server-bridge 10.9.0.1 255.255.255.0 10.9.0.2 10.9.0.9"})
        EXPECT_FALSE(parse(active + line + "\n").ok()) << line;
}

// That of its sample for clients.
TEST(OptionTable, OptionsOfTheSampleClient) {
    const std::string text = "client\ndev tun\nproto udp\nremote vpn.example.net 4294\n"
                             "remote-random\nresolv-retry infinite\nnobind\nuser nobody\n"
                             "group root\npersist-tun\nmute-replay-warnings\nca root.pem\n"
                             "cert me.pem\nkey me.key\nremote-cert-tls server\n"
                             "cipher AES-256-CBC\nverb 3\nmute 20\n";
    auto parsed = parse_client(text);
    EXPECT_TRUE(parsed.ok()) << all_findings(parsed);
    for (const auto& finding : parsed.findings)
        EXPECT_THAT(finding.reason, HasSubstr("ignored: "));
    EXPECT_EQ(role_of(options_of(text)), Role::Client);
    EXPECT_EQ(role_of(options_of(kMinimal)), Role::Server);
    auto proxied = parse_client(text + "http-proxy-retry\nhttp-proxy 192.0.2.8 3128\n");
    EXPECT_FALSE(proxied.ok());
    EXPECT_THAT(all_findings(proxied), HasSubstr("http-proxy: datagrams do not go by an HTTP"));
}

// "setenv opt" is for options that another version may not know: those that are known count.
TEST(OptionTable, SetenvOpt) {
    const std::string& own = kMinimal;
    EXPECT_THAT(all_findings(parse(own + "setenv opt no-such-option 1 2 3\n")),
                HasSubstr("setenv: ignored: no such option is known"));
    EXPECT_EQ(parse(own + "setenv opt max-clients 7\n").config.max_clients, 7U);
    EXPECT_THAT(all_findings(parse(own + "setenv opt max-clients many\n")),
                HasSubstr("error: max-clients"));
    EXPECT_TRUE(parse(own + "setenv opt\n").ok());
}
