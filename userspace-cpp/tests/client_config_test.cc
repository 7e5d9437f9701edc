// SPDX-License-Identifier: GPL-2.0-or-later
//
// Configurations of clients: what each kind of option becomes, and that every mistake is reported
// with its line.

#include "client/daemon.h"
#include "config/client_config.h"
#include "support/stock_packets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nfovpn;
using namespace nfovpn::config;
using namespace std::chrono_literals;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

namespace {

std::optional<std::string> fake_file(const std::string& path, std::string& why) {
    if (path.find("missing") != std::string::npos) {
        why = "No such file or directory";
        return std::nullopt;
    }
    if (path.ends_with("ta.key"))
        return std::string(test::kStaticKey);
    if (path.ends_with("v2-server.key"))
        return std::string(test::kTlsCryptV2ServerKey);
    if (path.ends_with("v2.key"))
        return std::string(test::kTlsCryptV2ClientKey);
    if (path.ends_with("up"))
        return "carol\r\nopen sesame\nmore\n";
    return "contents of " + path;
}

const std::string kMinimal = "client\ndev tun\nremote vpn.example.net\nca ca.crt\ncert c.crt\n"
                             "key c.key\nremote-cert-tls server\n";

ParsedClientConfig parse(const std::string& text) {
    return parse_client_config(text, fake_file);
}

std::vector<std::string> described(const std::string& text) {
    std::vector<std::string> out;
    for (const auto& finding : parse(text).findings)
        out.push_back(describe("f", finding));
    return out;
}

ClientConfig good(const std::string& more) {
    auto parsed = parse(kMinimal + more);
    EXPECT_THAT(described(kMinimal + more), IsEmpty());
    return std::move(parsed.config);
}

} // namespace

TEST(ClientConfig, TheMinimum) {
    auto c = good("");
    ASSERT_EQ(c.remotes.size(), 1U);
    EXPECT_EQ(c.remotes[0].host, "vpn.example.net");
    EXPECT_EQ(c.remotes[0].port, 1194);
    EXPECT_FALSE(c.remotes[0].tcp);
    EXPECT_EQ(c.remotes[0].family, RemoteFamily::Any);
    EXPECT_EQ(c.remotes[0].timeout, 120s);
    EXPECT_EQ(c.local_port, 0);
    EXPECT_TRUE(c.remote_cert_tls);
    EXPECT_TRUE(c.kernel_data_path);
    EXPECT_EQ(c.mss_fix.limit, 1492U);
    EXPECT_EQ(c.exit_notify, 0U);
    EXPECT_FALSE(c.resolve_for);
}

TEST(ClientConfig, Remotes) {
    auto c = good("remote 192.0.2.1 443 tcp-client\nremote fd00::1 1195 udp6\nrport 1200\n"
                  "proto udp4\nremote-random\nconnect-timeout 9\nnobind\n"
                  "<connection>\nproto tcp4\nremote third\nport 444\nconnect-timeout 5\n"
                  "</connection>\n");
    ASSERT_EQ(c.remotes.size(), 4U);
    EXPECT_EQ(c.remotes[0], (Remote{"vpn.example.net", 1200, false, RemoteFamily::Ipv4, 9s}));
    EXPECT_EQ(c.remotes[1], (Remote{"192.0.2.1", 443, true, RemoteFamily::Any, 9s}));
    EXPECT_EQ(c.remotes[2], (Remote{"fd00::1", 1195, false, RemoteFamily::Ipv6, 9s}));
    EXPECT_EQ(c.remotes[3], (Remote{"third", 444, true, RemoteFamily::Ipv4, 5s}));
    EXPECT_TRUE(c.remote_random);
    EXPECT_EQ(good("port 1300\n").remotes[0].port, 1300);
    EXPECT_EQ(good("port 1300\n").local_port, 1300);
    EXPECT_EQ(good("lport 0\nlocal 192.0.2.7\n").remotes[0].family, RemoteFamily::Ipv4);
}

TEST(ClientConfig, TimesAndTries) {
    auto c = good("connect-retry 5 60\nconnect-retry-max 3\nresolv-retry 20\nkeepalive 10 60\n"
                  "explicit-exit-notify\nreneg-sec 100\nserver-poll-timeout 7\npersist-tun\n");
    EXPECT_EQ(c.retry, 5s);
    EXPECT_EQ(c.longest_retry, 60s);
    EXPECT_EQ(c.tries, 3U);
    EXPECT_EQ(c.resolve_for, 20s);
    EXPECT_EQ(c.ping, 10U);
    EXPECT_EQ(c.ping_restart, 60U) << "not twice as long, as a server's";
    EXPECT_EQ(c.exit_notify, 1U);
    EXPECT_EQ(c.remotes[0].timeout, 7s);
    EXPECT_TRUE(c.keep_tunnel);
    EXPECT_FALSE(good("resolv-retry infinite\n").resolve_for);
}

TEST(ClientConfig, UserNameAndPassword) {
    auto c = good("auth-user-pass up\nauth-retry nointeract\n");
    EXPECT_EQ(c.username, "carol");
    EXPECT_EQ(as_text(c.password.view()), "open sesame");
    EXPECT_EQ(c.auth_retry, AuthRetry::NoInteract);
    EXPECT_FALSE(c.ask_user);
    auto block = good("<auth-user-pass>\nfrank\nsecret\n</auth-user-pass>\n");
    EXPECT_EQ(block.username, "frank");
    // In place of a certificate.
    EXPECT_TRUE(parse("client\ndev tun\nremote x\nca a\nauth-user-pass up\n").ok());
    EXPECT_THAT(described("client\ndev tun\nremote x\nca a\nremote-cert-tls server\n"),
                ElementsAre("f: error: nothing says who this client is (cert FILE and key FILE, or "
                            "auth-user-pass FILE)"));
    // Whoever is there is asked for what is missing.
    auto asked = good("auth-user-pass\nauth-retry interact\nstatic-challenge PIN 0\n");
    EXPECT_TRUE(asked.ask_user);
    EXPECT_FALSE(asked.query_management);
    EXPECT_EQ(asked.auth_retry, AuthRetry::Interact);
    auto half = good("<auth-user-pass>\nfrank\n</auth-user-pass>\nauth-nocache\n");
    EXPECT_TRUE(half.ask_user);
    EXPECT_TRUE(half.forget_password);
    const auto s = client::client_settings(half);
    EXPECT_EQ(s.known_username, "frank");
    EXPECT_FALSE(s.password);
    // A file says the same each time.
    EXPECT_EQ(good("auth-user-pass up\nauth-retry interact\n").auth_retry, AuthRetry::NoInteract);
    EXPECT_THAT(described(kMinimal + "<auth-user-pass>\n\nsecret\n</auth-user-pass>\n"),
                ElementsAre(HasSubstr("f:8: error: auth-user-pass: the name is missing")));
}

// What real profiles have.
TEST(ClientConfig, TakenWithoutAWord) {
    for (const char* line :
         {"redirect-private def1", "route remote_host 255.255.255.255 net_gateway", "bind-dev lo",
          "route localhost 255.255.255.255 net_gateway", "auth-user-pass", "ping 10\nping-exit 60",
          "nobind\nport 443", "setenv PUSH_PEER_INFO", "setenv SERVER_POLL_TIMEOUT 4",
          "setenv FORWARD_COMPATIBLE 1", "setenv opt tls-version-min 1.3", "remote-random-hostname",
          "inactive 3600", "remote-cert-eku \"TLS Web Server Authentication\"", "daemon",
          "auth-nocache",
          "<connection>\nremote y 443 tcp\nconnect-retry-max 2\nnobind\n</connection>"})
        EXPECT_THAT(described(kMinimal + line + "\n"), IsEmpty()) << line;
    for (const char* line :
         {"comp-lzo", "compress lz4", "allow-compression asym", "ns-cert-type server",
          "tls-version-min 1.0", "dh dh.pem", "route 10.1.2.3 255.255.0.0", "route no-such.invalid",
          "route-gateway dhcp", "static-challenge x 1", "max-clients 9", "mode p2p",
          "block-outside-dns", "setenv opt block-outside-dns",
          "setenv FORWARD_COMPATIBLE 1\nsome-future-option 1",
          "<connection>\nremote y\nconnect-retry 5\n</connection>\n"
          "<connection>\nremote z\nconnect-retry 6\n</connection>"}) {
        const auto text = kMinimal + line + "\n";
        EXPECT_TRUE(parse(text).ok()) << line;
        EXPECT_EQ(described(text).size(), 1U) << line;
    }
    EXPECT_FALSE(parse(kMinimal + "setenv GENERIC_CONFIG 1\n").ok());
    EXPECT_EQ(good("nobind\nport 443\n").remotes[0].port, 443);
    EXPECT_EQ(good("nobind\nport 443\n").local_port, 0);
    EXPECT_EQ(good("setenv SERVER_POLL_TIMEOUT 4\n").remotes[0].timeout, 4s);
    EXPECT_EQ(good("setenv opt tls-version-min 1.3\n").tls_version_min, 13);
    // No hint that is another role's.
    for (const auto& finding : described(kMinimal + "block-outside-dns\nns-cert-type server\n")) {
        EXPECT_THAT(finding, testing::Not(HasSubstr("push it")));
        EXPECT_THAT(finding, testing::Not(HasSubstr("remote-cert-tls client")));
    }
}

TEST(ClientConfig, CompressionIsTakenOnlyIfItIsAskedFor) {
    EXPECT_FALSE(good("").may_unpack);
    EXPECT_FALSE(good("comp-lzo no\n").may_unpack);
    EXPECT_TRUE(parse(kMinimal + "comp-lzo\n").config.may_unpack);
    EXPECT_TRUE(parse(kMinimal + "allow-compression yes\n").config.may_unpack);
    EXPECT_FALSE(good("compress stub\nallow-compression no\n").may_unpack);
    EXPECT_EQ(parse(kMinimal + "comp-lzo\n").config.framing, Framing::Lzo);
    EXPECT_EQ(parse(kMinimal + "compress lz4-v2\n").config.framing, Framing::Lz4V2);
}

TEST(ClientConfig, ManagementInterface) {
    EXPECT_FALSE(good("").management);
    auto c = good("management /run/m unix\nmanagement-hold\nmanagement-signal\n"
                  "management-forget-disconnect\nmanagement-query-passwords\nauth-user-pass\n"
                  "management-query-remote\nmanagement-up-down\nmanagement-log-cache 9\n"
                  "management-client-user root\nauth-retry interact\necho save-passwords no\necho\n"
                  "static-challenge \"Your PIN?\" 1 concat\n");
    ASSERT_TRUE(c.management);
    EXPECT_EQ(c.management->socket_path, "/run/m");
    EXPECT_TRUE(c.management->hold && c.management->restart_on_disconnect);
    EXPECT_EQ(c.management->log_cache, 9U);
    EXPECT_EQ(c.management->client_user, 0U);
    EXPECT_TRUE(c.ask_user && c.ask_remote && c.tell_up_down && c.forget_on_disconnect);
    EXPECT_EQ(c.username, "");
    EXPECT_EQ(c.auth_retry, AuthRetry::Interact);
    EXPECT_THAT(c.echo, ElementsAre("save-passwords no", ""));
    ASSERT_TRUE(c.static_challenge);
    EXPECT_EQ(c.static_challenge->text, "Your PIN?");
    EXPECT_TRUE(c.static_challenge->echo && c.static_challenge->concatenate);
    const auto s = client::client_settings(c);
    EXPECT_TRUE(s.ask_user && s.ask_remote && !s.password);
    EXPECT_EQ(s.auth_retry, AuthRetry::Interact);
    // A file answers what would be asked.
    EXPECT_FALSE(
        good("management /run/m unix\nmanagement-query-passwords\nauth-user-pass up\n").ask_user);
    const std::string there = "management /run/m unix\n";
    const std::pair<std::string, const char*> cases[] = {
        {"management-query-passwords", "there is no management interface (management PATH unix)"},
        {"management-up-down", "there is no management interface"},
        {"management 192.0.2.1 7505", "everybody who reaches it could command"},
        {"management-client-auth", "only a server has it"},
        {"auth-retry sometimes", "\"sometimes\" is not understood (none, nointeract or interact)"},
        {"static-challenge x 2", "\"2\" is not a number from 0 to 1"},
    };
    for (const auto& [line, what] : cases)
        EXPECT_THAT(
            described(kMinimal + line + "\n"),
            Contains(HasSubstr("f:8: error: " + line.substr(0, line.find(' ')) + ": " + what)))
            << line;
    EXPECT_THAT(described(kMinimal + there +
                          "management-query-passwords\nauth-user-pass\n"
                          "static-challenge x 0 plain\n"),
                ElementsAre("f:11: error: static-challenge: \"plain\" is not understood (scrv1 or "
                            "concat)"));
}

TEST(ClientConfig, ProtocolsHaveOpenVpnsNames) {
    const auto c =
        good("remote a 1 udp\nremote b 1 udp6\nremote c 1 tcp\nremote d 1 tcp4-client\n");
    std::vector<std::string> names;
    for (const auto& remote : c.remotes)
        names.push_back(protocol_name(remote));
    EXPECT_THAT(names, ElementsAre("udp", "udp", "udp6", "tcp-client", "tcp4-client"));
}

TEST(ClientConfig, ControlChannelsKeys) {
    EXPECT_TRUE(good("tls-auth ta.key 1\n").wrap);
    EXPECT_TRUE(good("<tls-crypt>\n" + std::string(test::kStaticKey) + "</tls-crypt>\n").wrap);
    auto v2 = good("tls-crypt-v2 v2.key\n");
    EXPECT_TRUE(v2.wrap);
    EXPECT_GT(v2.wrapped_key.size(), 256U + 32U);
    EXPECT_LT(v2.wrapped_key.size(), wire::kMaxWrappedKey);
    EXPECT_THAT(described(kMinimal + "tls-crypt-v2 v2-server.key\n"),
                ElementsAre(HasSubstr("f:8: error: tls-crypt-v2: there is no client's key in it")));
    EXPECT_THAT(described(kMinimal + "tls-crypt-v2 v2.key\ntls-crypt ta.key\n"),
                Contains(HasSubstr("tls-crypt-v2, and tls-crypt or tls-auth too")));
    EXPECT_THAT(
        described(kMinimal + "tls-auth missing\n"),
        ElementsAre("f:8: error: tls-auth: cannot read missing: No such file or directory"));
}

TEST(ClientConfig, WhatCouldBePushed) {
    auto c = good("route 10.1.0.0 255.255.0.0\nroute-ipv6 fd01::/48\nredirect-gateway def1\n"
                  "dhcp-option DNS 10.1.0.53\nroute-metric 5\npull-filter ignore \"route 10.\"\n"
                  "pull-filter accept ping\n");
    EXPECT_THAT(c.own_options, ElementsAre("route 10.1.0.0 255.255.0.0", "route-ipv6 fd01::/48",
                                           "redirect-gateway def1", "dhcp-option DNS 10.1.0.53",
                                           "route-metric 5"));
    ASSERT_EQ(c.pull_filters.size(), 2U);
    EXPECT_EQ(c.pull_filters[0].action, wire::PullFilter::Action::Ignore);
    EXPECT_EQ(c.pull_filters[0].text, "route 10.");
    auto none = good("route-nopull\nifconfig-noexec\nroute-noexec\n");
    EXPECT_THAT(none.pull_filters.size(), testing::Ge(4U));
    EXPECT_FALSE(none.configure_device);
    EXPECT_FALSE(none.configure_routes);
    EXPECT_TRUE(parse(kMinimal + "ifconfig 10.8.0.2 10.8.0.1\n").ok());
}

TEST(ClientConfig, PeerInfoOfTheAdministrator) {
    auto c = good("setenv UV_ASSET 7\nsetenv OTHER x\npush-peer-info\n");
    EXPECT_THAT(c.peer_info, ElementsAre(Pair("UV_ASSET", "7")));
    EXPECT_THAT(good("setenv UV_ASSET 7\n").peer_info, IsEmpty());
    EXPECT_THAT(good("setenv IV_SSO webauth,crtext\nsetenv IV_GUI_VER g\n").peer_info,
                ElementsAre(Pair("IV_SSO", "webauth,crtext"), Pair("IV_GUI_VER", "g")));
}

TEST(ClientConfig, Proxies) {
    using wire::Proxy;
    const std::string tcp = "proto tcp-client\n";
    auto p = good(tcp + "http-proxy proxy.example.net 3128\nhttp-proxy-option VERSION 1.1\n"
                        "http-proxy-option AGENT Browser/9\n"
                        "http-proxy-option CUSTOM-HEADER X-Flag some\n"
                        "http-proxy-option EXT1 \"Host: front.example.net\"\n")
                 .remotes[0]
                 .proxy;
    ASSERT_TRUE(p);
    EXPECT_EQ(p->kind, Proxy::Kind::Http);
    EXPECT_EQ(p->host, "proxy.example.net");
    EXPECT_EQ(p->port, 3128);
    EXPECT_EQ(p->login, Proxy::Login::Never);
    EXPECT_EQ(p->version, "1.1");
    EXPECT_EQ(p->agent, "Browser/9");
    EXPECT_THAT(p->headers, ElementsAre("X-Flag: some", "Host: front.example.net"));
    p = good(tcp + "http-proxy p 3128 up\n").remotes[0].proxy;
    EXPECT_EQ(p->login, Proxy::Login::Always);
    EXPECT_EQ(p->username, "carol");
    EXPECT_EQ(as_text(p->password.view()), "open sesame");
    EXPECT_EQ(p->version, "1.0");
    p = good(tcp + "http-proxy p 3128 up none\n").remotes[0].proxy;
    EXPECT_EQ(p->login, Proxy::Login::Never);
    p = good(tcp + "http-proxy p 3128 auto\n<http-proxy-user-pass>\ndave\nsecret\n"
                   "</http-proxy-user-pass>\n")
            .remotes[0]
            .proxy;
    EXPECT_EQ(p->login, Proxy::Login::Asked);
    EXPECT_EQ(p->username, "dave");
    p = good("socks-proxy 192.0.2.9\n").remotes[0].proxy;
    EXPECT_EQ(p->kind, Proxy::Kind::Socks);
    EXPECT_EQ(p->port, 1080);
    EXPECT_EQ(good("socks-proxy s 1081 up\n").remotes[0].proxy->username, "carol");
}

TEST(ClientConfig, ProxiesOfSingleServers) {
    auto c = good("socks-proxy 192.0.2.9\n<connection>\nremote second 443 tcp-client\n"
                  "http-proxy p 3128 \"\" basic\n</connection>\n"
                  "http-proxy-user-pass up\n"
                  "<connection>\nremote third\nsocks-proxy other 1080\n</connection>\n");
    // Which is for that of the block.
    EXPECT_EQ(described(kMinimal + "socks-proxy 192.0.2.9\nhttp-proxy-user-pass up\n").size(), 0U);
    ASSERT_EQ(c.remotes.size(), 3U);
    EXPECT_EQ(c.remotes[0].proxy->host, "192.0.2.9");
    EXPECT_TRUE(c.remotes[0].relayed());
    EXPECT_EQ(c.remotes[1].proxy->username, "carol");
    EXPECT_FALSE(c.remotes[1].relayed());
    EXPECT_EQ(c.remotes[2].proxy->host, "other");
}

TEST(ClientConfig, ProxiesThatCannotBe) {
    const std::pair<const char*, const char*> cases[] = {
        {"http-proxy p 3128\n", "datagrams do not go by an HTTP proxy"},
        {"http-proxy a 0\n", "f:8: error: http-proxy: \"0\" is not a number from 1 to 65535"},
        {"http-proxy a 1 auto-nct\n", "f:8: error: http-proxy: of the ways to log in only basic"},
        {"http-proxy a 1 up ntlm\n", "\"ntlm\" is not supported (basic or none)"},
        {"http-proxy a 1 stdin\n", "nobody is asked for a proxy's name and password"},
        {"http-proxy a 1 missing\n", "cannot read missing"},
        {"http-proxy-option VERSION one\n", "\"one\" is no version of HTTP"},
        {"http-proxy-option COOKIE x\n", "not understood (VERSION, AGENT or CUSTOM-HEADER"},
        {"socks-proxy a 1080 missing\n", "cannot read missing"},
        {"proto tcp\nhttp-proxy p 3128\nsocks-proxy s\n", "there is an http-proxy and a"},
        {"http-proxy-option VERSION 1.1\n", "there is no http-proxy"},
        {"proto tcp\nhttp-proxy p 3128 \"\" basic\n", "it has no name and no password"},
        {"proto tcp\nhttp-proxy p 3128 auto\n", "it has no name and no password"},
        {"<connection>\nremote x 1 tcp\nhttp-proxy\n</connection>\n", "a word is missing"},
        {"<connection>\nremote x 1 tcp\nhttp-proxy p\n</connection>\n", "a word is missing"},
    };
    for (const auto& [text, what] : cases)
        EXPECT_THAT(described(kMinimal + text), Contains(HasSubstr(what))) << text;
    // Nobody is to write lines into what a proxy is told.
    EXPECT_FALSE(parse(kMinimal + "proto tcp\nremote \"x y\" 1\nhttp-proxy p 3128\n").ok());
    EXPECT_FALSE(parse(kMinimal + "proto tcp\nhttp-proxy p 3128\n"
                                  "http-proxy-option CUSTOM-HEADER \"X: y\x01z\"\n")
                     .ok());
}

TEST(ClientConfig, MistakesHaveLinesAndHints) {
    const std::pair<const char*, const char*> cases[] = {
        {"remote x 0", "\"0\" is not a number from 1 to 65535"},
        {"remote x 1 sctp", "\"sctp\" is no transport protocol (use udp or tcp-client)"},
        {"proto tcp-server", "this is a client (use proto tcp-client)"},
        {"connect-retry 0", "\"0\" is not a number from 1 to 86400"},
        {"resolv-retry soon", "\"soon\" is not a number"},
        {"remote-cert-tls both", "\"both\" is not understood (client or server)"},
        {"route 10.1.0.0 255.0.255.0", "not understood (addresses and networks in numbers"},
        {"ifconfig a b", "not an address and a netmask"},
        {"topology ring", "no topology that is known"},
        {"pull-filter drop route", "\"drop\" is not understood (accept, ignore or reject)"},
        {"keepalive 10 15", "the second number must be at least twice the first"},
        {"bind ipv6only", "\"ipv6only\" has no meaning for a client (use local ADDRESS)"},
        {"server 10.8.0.0 255.255.255.0", "only a server has it"},
        {"up /bin/true", "script-security does not allow it (script-security 2)"},
        {"connection x", "not a block"},
        {"auth-user-pass missing", "cannot read missing"},
    };
    for (const auto& [line, what] : cases) {
        auto found = described(kMinimal + line + "\n");
        // Of an option that stands there twice now.
        std::erase_if(found, [](const auto& text) {
            return text.find("given more than once") != std::string::npos;
        });
        ASSERT_EQ(found.size(), 1U) << line;
        EXPECT_THAT(found[0],
                    HasSubstr("f:8: error: " + std::string(line, std::string(line).find(' ')) +
                              ": " + what));
    }
    EXPECT_THAT(described(kMinimal + "<connection>\nremote y\nfragment 1\n</connection>\n"),
                ElementsAre(HasSubstr("f:10: error: fragment: not supported in a <connection>")));
    EXPECT_THAT(described(kMinimal + "<connection>\nproto udp\n</connection>\n"),
                ElementsAre("f:8: error: connection: there is no remote in it"));
    EXPECT_THAT(described("client\n"),
                testing::IsSupersetOf({"f: error: no server is given (remote HOST PORT)",
                                       "f: error: no certificate authority is given (ca FILE, or "
                                       "peer-fingerprint)"}));
    EXPECT_THAT(described(kMinimal + "nobind\nlport 5\n"),
                ElementsAre(HasSubstr("nobind, and yet an address or port to bind to")));
    EXPECT_THAT(described(kMinimal + "local fd00::1\nproto udp4\n"),
                ElementsAre(HasSubstr("local is an address of another family")));
    EXPECT_THAT(described("client\ndev tun\nremote x\nca a\ncert c\nremote-cert-tls server\n"),
                ElementsAre("f: error: cert and key belong together (key FILE)"));
    EXPECT_THAT(described("client\ndev tun\nremote x\nca a\ncert c\nkey k\n"),
                ElementsAre(HasSubstr("f: warning: every certificate of the authority")));
}

TEST(ClientConfig, BecomesTheCoresSettings) {
    auto parsed = parse(kMinimal + "auth-user-pass up\ntls-crypt-v2 v2.key\ntun-mtu 1400\n"
                                   "reneg-sec 77\npersist-tun\nremote-random\n");
    auto s = client::client_settings(parsed.config);
    EXPECT_EQ(s.remotes, parsed.config.remotes);
    EXPECT_EQ(s.username, "carol");
    EXPECT_EQ(as_text(s.password->view()), "open sesame");
    EXPECT_EQ(s.wrapped_key, parsed.config.wrapped_key);
    EXPECT_EQ(s.session.tun_mtu, 1400U);
    EXPECT_EQ(s.session.renegotiate_after, Duration(77s));
    EXPECT_EQ(s.session.max_packet, 1250U - 40 - 22);
    EXPECT_TRUE(s.keep_tunnel && s.shuffle);
    EXPECT_FALSE(s.resolve_for);
}

// ---- a point-to-point peer

TEST(ClientConfig, PointToPoint) {
    const std::string rest = "dev tun\ntls-client\nremote 192.0.2.1\nca ca.crt\ncert c.crt\n"
                             "key c.key\nremote-cert-tls server\n";
    auto parsed = parse(rest + "ifconfig 10.4.0.2 10.4.0.1\nroute 10.99.0.0 255.255.0.0\n");
    ASSERT_TRUE(parsed.ok()) << describe("f", parsed.findings.at(0));
    EXPECT_FALSE(parsed.config.pull);
    EXPECT_THAT(parsed.config.own_options, ElementsAre("topology p2p", "ifconfig 10.4.0.2 10.4.0.1",
                                                       "route 10.99.0.0 255.255.0.0"));
    // What the addresses mean may be said behind them.
    parsed = parse(rest + "ifconfig 10.4.0.2 255.255.255.0\ntopology subnet\n");
    ASSERT_TRUE(parsed.ok()) << describe("f", parsed.findings.at(0));
    EXPECT_THAT(parsed.config.own_options,
                ElementsAre("topology subnet", "ifconfig 10.4.0.2 255.255.255.0"));

    EXPECT_THAT(described(rest), ElementsAre(HasSubstr("no addresses are given")));
    EXPECT_THAT(described(rest + "ifconfig 10.4.0.2 10.4.0.1\nroute-nopull\n"),
                ElementsAre(HasSubstr("route-nopull is for what a server pushes")));
    EXPECT_TRUE(parse(kMinimal + "tls-client\n").config.pull);
    EXPECT_TRUE(parse(rest + "pull\n").config.pull);
}
