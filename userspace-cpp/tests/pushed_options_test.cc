// SPDX-License-Identifier: GPL-2.0-or-later
//
// Push replies taken apart: as servers write them, and as they should not.

#include "wire/pushed_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nfovpn;
using namespace nfovpn::wire;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

namespace {

PushedOptions parse(const std::vector<std::string>& options) {
    auto out = parse_pushed_options(options);
    EXPECT_TRUE(out) << out.error().option << ": " << out.error().reason;
    return out ? std::move(*out) : PushedOptions{};
}

std::string fault(const std::vector<std::string>& options) {
    auto out = parse_pushed_options(options);
    return out ? "" : out.error().option + ": " + out.error().reason;
}

} // namespace

TEST(PushedOptions, WhatAStockServerPushes) {
    auto p = parse({"route-gateway 10.8.0.1", "topology subnet", "ping 10", "ping-restart 120",
                    "ifconfig 10.8.0.2 255.255.255.0", "peer-id 5", "cipher AES-256-GCM",
                    "protocol-flags cc-exit tls-ekm aead-epoch", "tun-mtu 1500",
                    "ifconfig-ipv6 fd00:8::1000/64 fd00:8::1", "route 10.99.0.0 255.255.255.0",
                    "route 10.1.2.3", "route 192.0.2.0 255.255.255.0 net_gateway 7",
                    "route-ipv6 2001:db8::/32 default 3", "explicit-exit-notify",
                    "redirect-gateway def1 bypass-dhcp ipv6", "route-metric 50"});
    EXPECT_EQ(p.topology, Topology::Subnet);
    EXPECT_EQ(p.address, parse_ipv4("10.8.0.2"));
    EXPECT_EQ(p.netmask, parse_ipv4("255.255.255.0"));
    EXPECT_FALSE(p.peer);
    EXPECT_EQ(p.gateway, parse_ipv4("10.8.0.1"));
    EXPECT_EQ(p.address6, parse_ipv6("fd00:8::1000"));
    EXPECT_EQ(p.length6, 64);
    EXPECT_EQ(p.peer6, parse_ipv6("fd00:8::1"));
    EXPECT_EQ(p.ping, 10U);
    EXPECT_EQ(p.ping_restart, 120U);
    EXPECT_EQ(p.exit_notify, 1U);
    EXPECT_EQ(p.tun_mtu, 1500U);
    EXPECT_EQ(p.peer_id, 5U);
    EXPECT_EQ(p.cipher, DataCipher::Aes256Gcm);
    EXPECT_TRUE(p.cc_exit && p.tls_export && p.epochs);
    EXPECT_EQ(p.route_metric, 50U);
    ASSERT_EQ(p.routes.size(), 4U);
    EXPECT_EQ(to_string(p.routes[1].network), "10.1.2.3/32");
    EXPECT_EQ(p.routes[2].via, TunnelRoute::Via::NetGateway);
    EXPECT_EQ(p.routes[2].metric, 7U);
    EXPECT_EQ(p.routes[3].metric, 3U);
    ASSERT_TRUE(p.redirect);
    EXPECT_TRUE(p.redirect->ipv6 && p.redirect->ipv4 && !p.redirect->local);
    EXPECT_THAT(p.ignored, ElementsAre("redirect-gateway bypass-dhcp"));
}

TEST(PushedOptions, OlderServers) {
    auto p = parse({"ifconfig 10.8.0.6 10.8.0.5", "topology net30", "key-derivation tls-ekm",
                    "comp-lzo no", "cipher AES-128-CBC"});
    EXPECT_EQ(p.peer, parse_ipv4("10.8.0.5"));
    EXPECT_FALSE(p.netmask);
    EXPECT_FALSE(p.peer_id);
    EXPECT_TRUE(p.tls_export);
    EXPECT_EQ(p.framing, Framing::Stub);
    EXPECT_EQ(parse({"compress stub-v2"}).framing, Framing::StubV2);
    EXPECT_EQ(parse({"topology p2p", "ifconfig 10.8.0.6 10.8.0.1"}).peer, parse_ipv4("10.8.0.1"));
    // The meaning of ifconfig does not depend on what comes first.
    EXPECT_TRUE(parse({"ifconfig 10.8.0.6 255.255.255.0", "topology subnet"}).netmask);
    EXPECT_THAT(parse({}).ignored, IsEmpty());
}

TEST(PushedOptions, NameServersAreForPrograms) {
    auto p = parse({"dhcp-option DNS 10.99.0.53", "dhcp-option DOMAIN example.net",
                    "dns search-domains a.example b.example", "dns server -1 address 1.1.1.1",
                    "dns server 2 address 10.0.0.1:5353 fd00::53 "
                    "[fd00::54]:54 nonsense",
                    "dns server 2 resolve-domains c.example", "dns server 2 dnssec yes",
                    "dns server 2 transport DoT", "dns server 2 sni d.example"});
    EXPECT_THAT(
        p.environment,
        testing::UnorderedElementsAre(
            Pair("foreign_option_1", "dhcp-option DNS 10.99.0.53"),
            Pair("foreign_option_2", "dhcp-option DOMAIN example.net"),
            Pair("dns_search_domain_1", "a.example"), Pair("dns_search_domain_2", "b.example"),
            Pair("dns_server_2_address_1", "10.0.0.1"), Pair("dns_server_2_port_1", "5353"),
            Pair("dns_server_2_address_2", "fd00::53"), Pair("dns_server_2_address_3", "fd00::54"),
            Pair("dns_server_2_port_3", "54"), Pair("dns_server_2_resolve_domain_1", "c.example"),
            Pair("dns_server_2_dnssec", "yes"), Pair("dns_server_2_transport", "DoT"),
            Pair("dns_server_2_sni", "d.example")));
    EXPECT_THAT(p.ignored, ElementsAre("dns server -1 address 1.1.1.1"));
}

TEST(PushedOptions, WhatWouldMakeAnotherTunnelIsAFault) {
    for (const char* option : {"ifconfig 10.8.0.2",
                               "ifconfig a b",
                               "ifconfig 10.8.0.2 255.255.255.0 x",
                               "ifconfig-ipv6 fd00::1/129",
                               "ifconfig-ipv6",
                               "ifconfig-ipv6 fd00::1/x",
                               "ifconfig-ipv6 fd00::1/64 x",
                               "topology",
                               "topology ring",
                               "peer-id 16777216",
                               "peer-id -1",
                               "peer-id",
                               "cipher BF-CBC",
                               "cipher",
                               "compress zip",
                               "comp-lzo maybe",
                               "tun-mtu 575",
                               "tun-mtu 70000",
                               "tun-mtu x",
                               "protocol-flags dyn-tls-crypt",
                               "key-derivation prf",
                               "key-derivation"})
        EXPECT_THAT(fault({option}), HasSubstr(std::string(option) + ": ")) << option;
    EXPECT_THAT(fault({"topology subnet", "ifconfig 10.8.0.2 255.0.255.0"}), HasSubstr("netmask"));
}

TEST(PushedOptions, WhatIsUnknownIsNamedAndShownTame) {
    auto p = parse({"register-dns", "route vpn.example.net", "route 10.0.0.1 255.0.0.0",
                    "route 10.0.0.0 255.0.0.0 elsewhere", "route 10.0.0.0 255.0.0.0 default x",
                    "route 10.0.0.0 255.0.0.0 default 1 2", "route-ipv6 x", "route", "route-ipv6",
                    "ping x", "ping-restart 86401", "explicit-exit-notify 3", "route-gateway dhcp",
                    "route-metric -1", "dns server", "\x1b[31mred", ""});
    EXPECT_EQ(p.ignored.size(), 16U);
    EXPECT_THAT(p.ignored, testing::Contains("_[31mred"));
    EXPECT_THAT(p.routes, IsEmpty());
    EXPECT_FALSE(p.ping || p.ping_restart || p.exit_notify || p.gateway || p.route_metric);
}

TEST(PushedOptions, Limits) {
    const auto p = parse({"inactive 300 1000", "session-timeout 60", "ping-restart 5",
                          "ping-exit 9", "comp-lzo yes"});
    EXPECT_EQ(p.inactive, std::chrono::seconds(300));
    EXPECT_EQ(p.inactive_bytes, 1000U);
    EXPECT_EQ(p.session_timeout, std::chrono::seconds(60));
    EXPECT_EQ(p.ping_restart, 9U);
    EXPECT_EQ(p.ping_exit, true);
    EXPECT_EQ(p.framing, Framing::Lzo);
    EXPECT_FALSE(parse({}).ping_exit);
    EXPECT_EQ(parse({"inactive x", "session-timeout"}).ignored.size(), 2U);
}

TEST(PushedOptions, TokensAreKeptSecret) {
    auto p = parse({"auth-token SESS_ID_AT_secret", "auth-token-user Y2Fyb2w="});
    EXPECT_EQ(as_text(p.auth_token.view()), "SESS_ID_AT_secret");
    EXPECT_EQ(p.auth_token_user, "carol");
    for (const char* wrong : {"Y2Fyb2w", "Y2F===", "====", "Y2F!b2w=", "AAAA"})
        EXPECT_EQ(parse({std::string("auth-token-user ") + wrong}).auth_token_user, "") << wrong;
    auto wrong = parse({"auth-token two words"});
    EXPECT_TRUE(wrong.auth_token.empty());
    EXPECT_THAT(wrong.ignored, IsEmpty()) << "nothing of it is shown";
}

TEST(PushedOptions, ThereAreLimits) {
    std::vector<std::string> routes(5000, "route 10.0.0.1");
    EXPECT_THAT(fault(routes), HasSubstr("more than 4096 routes"));
    std::vector<std::string> unknown(5000, "nonsense");
    EXPECT_EQ(parse(unknown).ignored.size(), 64U);
    const auto messages = parse({"echo  save-passwords no", "echo"});
    EXPECT_THAT(messages.echo, ElementsAre("save-passwords no", ""));
    EXPECT_THAT(messages.ignored, IsEmpty()) << "they may be secret";
    EXPECT_EQ(parse(std::vector<std::string>(200, "echo x")).echo.size(), 100U);
    std::vector<std::string> names(5000, "dhcp-option DNS 1.1.1.1");
    EXPECT_EQ(parse(names).environment.size(), 256U);
    EXPECT_THAT(fault({"ifconfig " + std::string(5000, 'x')}).size(), testing::Lt(300U));
}

TEST(PushedOptions, FiltersDecideByTheFirstThatFits) {
    using Action = PullFilter::Action;
    const std::vector<PullFilter> filters = {{Action::Accept, "route 10.1."},
                                             {Action::Ignore, "route "},
                                             {Action::Reject, "dhcp-option DNS"}};
    auto kept = filter_options(filters, {"route 10.1.0.0 255.255.0.0", "route 10.2.0.0", "ping 1"});
    ASSERT_TRUE(kept);
    EXPECT_THAT(*kept, ElementsAre("route 10.1.0.0 255.255.0.0", "ping 1"));
    auto rejected = filter_options(filters, {"ping 1", "dhcp-option DNS 1.1.1.1"});
    ASSERT_FALSE(rejected);
    EXPECT_EQ(rejected.error().option, "dhcp-option DNS 1.1.1.1");
}
