// SPDX-License-Identifier: GPL-2.0-or-later
//
// Configurations: the syntax, what each kind of option becomes, and that every mistake is reported
// with its line.

#include "config/server_config.h"
#include "config/watched_file.h"
#include "server/client_files.h"
#include "server/daemon.h"
#include "support/stock_packets.h"
#include "util/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>

using namespace nfovpn;
using namespace nfovpn::config;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

std::optional<std::string> fake_file(const std::string& path, std::string& why) {
    if (path.find("missing") != std::string::npos) {
        why = "No such file or directory";
        return std::nullopt;
    }
    if (path.ends_with("ta.key"))
        return std::string(test::kStaticKey);
    if (path.ends_with("token.key"))
        return std::string(test::kAuthTokenKey);
    if (path.ends_with("v2.key"))
        return std::string(test::kTlsCryptV2ServerKey);
    return "contents of " + path;
}

const std::string kMinimal = "dev tun\nserver 10.8.0.0 255.255.255.0\n"
                             "ca ca.crt\ncert s.crt\nkey s.key\n";

ParsedConfig parse(const std::string& text) {
    return parse_server_config(text, fake_file);
}

std::vector<std::string> described(const std::string& text) {
    std::vector<std::string> out;
    for (const auto& finding : parse(text).findings)
        out.push_back(describe("f", finding));
    return out;
}

std::vector<std::string> words(const std::string& line) {
    std::vector<Finding> findings;
    auto directives = tokenize(line, findings);
    EXPECT_THAT(findings, IsEmpty());
    if (directives.size() != 1)
        return {"not one directive"};
    auto out = directives[0].args;
    out.insert(out.begin(), directives[0].name);
    return out;
}

} // namespace

TEST(Lexer, QuotesCommentsAndEscapes) {
    EXPECT_THAT(words("server 10.8.0.0\t255.255.255.0 # comment"),
                ElementsAre("server", "10.8.0.0", "255.255.255.0"));
    EXPECT_THAT(words("push \"route 10.1.0.0 255.255.0.0\" ; comment"),
                ElementsAre("push", "route 10.1.0.0 255.255.0.0"));
    EXPECT_THAT(words("log '/var/log/my \\vpn.log'"), ElementsAre("log", "/var/log/my \\vpn.log"));
    EXPECT_THAT(words("setenv X a\\ b\\\"c\\\\"), ElementsAre("setenv", "X", "a b\"c\\"));
    EXPECT_THAT(words("x \"a\\\"b\" \"\" a#b"), ElementsAre("x", "a\"b", "", "a#b"));
    EXPECT_THAT(words("--verb 3\r"), ElementsAre("verb", "3"));
    EXPECT_THAT(words("\xef\xbb\xbfverb 3"), ElementsAre("verb", "3"));
    std::vector<Finding> findings;
    EXPECT_THAT(tokenize("\n  \n# only\n ; comments\n", findings), IsEmpty());
    EXPECT_THAT(findings, IsEmpty());
}

TEST(Lexer, BlocksKeepTheirLines) {
    std::vector<Finding> findings;
    auto directives =
        tokenize("verb 1\n<ca>\n-----BEGIN\n# not a comment\n  </ca>\nport 1\n", findings);
    ASSERT_EQ(directives.size(), 3U);
    EXPECT_EQ(directives[1].name, "ca");
    EXPECT_TRUE(directives[1].is_inline);
    EXPECT_EQ(directives[1].args[0], "-----BEGIN\n# not a comment\n");
    EXPECT_EQ(directives[2].line, 6);
}

TEST(Lexer, MistakesHaveLines) {
    std::vector<Finding> findings;
    tokenize("verb 1\npush \"route\nlog 'a\nx \\\n<ca>\nabc\n", findings);
    ASSERT_EQ(findings.size(), 4U);
    EXPECT_EQ(describe("f", findings[0]), "f:2: error: a quotation that begins with \" has no end");
    EXPECT_EQ(findings[1].line, 3);
    EXPECT_EQ(findings[2].line, 4);
    EXPECT_EQ(findings[3].line, 5);
    findings.clear();
    tokenize(std::string_view("verb 1\nx\0y\n", 11), findings);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].line, 2);
}

TEST(ServerConfig, MinimalOne) {
    auto parsed = parse(kMinimal);
    ASSERT_TRUE(parsed.ok()) << describe("f", parsed.findings.at(0));
    const auto& c = parsed.config;
    EXPECT_THAT(parsed.findings, IsEmpty());
    EXPECT_EQ(c.port, 1194);
    EXPECT_EQ(to_string(c.address), "10.8.0.1");
    EXPECT_EQ(to_string(c.pool_first), "10.8.0.2");
    EXPECT_EQ(to_string(c.pool_last), "10.8.0.254");
    EXPECT_EQ(c.ca, "contents of ca.crt");
    EXPECT_THAT(c.push, ElementsAre("route-gateway 10.8.0.1", "topology subnet"));
    EXPECT_THAT(c.data_ciphers, ElementsAre(DataCipher::Aes256Gcm, DataCipher::Aes128Gcm,
                                            DataCipher::ChaCha20Poly1305));
    EXPECT_EQ(c.explicit_exit_notify, 1);
}

TEST(ServerConfig, EverythingSupported) {
    auto parsed = parse("local 192.0.2.1\nlport 4000\nproto udp4\ndev-type tun\ndev vpn0\n"
                        "mode server\ntls-server\nifconfig 10.9.0.1 255.255.0.0\n"
                        "ifconfig-pool 10.9.1.0 10.9.1.255\ntopology subnet\n"
                        "route 10.99.0.0 255.255.0.0 vpn_gateway 50\n"
                        "push \"route 10.50.0.0 255.255.0.0\"\n<ca>\nA\n</ca>\n<cert>\nB\n</cert>\n"
                        "<key>\nC\n</key>\ndh none\ntls-version-min 1.3\ntls-version-max 1.3\n"
                        "data-ciphers CHACHA20-POLY1305:?BF-CBC:AES-128-GCM\n"
                        "keepalive 10 60\nreneg-sec 600\nhand-window 30\ntran-window 90\n"
                        "tls-timeout 1\nmax-clients 7\nduplicate-cn\nclient-to-client\n"
                        "explicit-exit-notify 2\nverb 5\nlog-append /tmp/log\nstatus /tmp/st 10\n"
                        "tun-mtu 1420\nnf-fastpath eager\nremote-cert-tls client\n"
                        "tls-cert-profile legacy\nconnect-freq-initial 50 5\n");
    ASSERT_TRUE(parsed.ok()) << describe("f", parsed.findings.at(0));
    const auto& c = parsed.config;
    EXPECT_EQ(to_string(*c.local), "192.0.2.1");
    EXPECT_EQ(c.port, 4000);
    EXPECT_EQ(c.device, "vpn0");
    EXPECT_EQ(to_string(c.pool_last), "10.9.1.255");
    ASSERT_EQ(c.routes.size(), 1U);
    EXPECT_EQ(to_string(c.routes[0].network), "10.99.0.0/16");
    EXPECT_EQ(c.routes[0].metric, 50U);
    EXPECT_EQ(c.ca, "A\n");
    EXPECT_EQ(as_text(c.private_key.view()), "C\n");
    EXPECT_THAT(c.data_ciphers, ElementsAre(DataCipher::ChaCha20Poly1305, DataCipher::Aes128Gcm));
    EXPECT_EQ(c.ping, 10U);
    EXPECT_EQ(c.ping_restart, 120U) << "twice what the clients are told";
    EXPECT_THAT(c.push, ElementsAre("route 10.50.0.0 255.255.0.0", "route-gateway 10.9.0.1",
                                    "topology subnet", "ping 10", "ping-restart 60"))
        << "in OpenVPN's order";
    EXPECT_EQ(c.fastpath, Fastpath::Eager);
    EXPECT_TRUE(c.kernel_data_path);
    EXPECT_TRUE(c.control_socket.empty());
    EXPECT_TRUE(c.log.append);
    EXPECT_EQ(c.status_seconds, 10U);

    auto settings = server::core_settings(c);
    EXPECT_EQ(settings.restart_message, "RESTART,[N]");
    EXPECT_EQ(settings.keepalive.timeout, 120U);
    EXPECT_EQ(settings.session.renegotiate_after, std::chrono::seconds(600));
    EXPECT_EQ(settings.session.tun_mtu, 1420U);
    EXPECT_EQ(settings.max_clients, 7U);
    EXPECT_EQ(settings.initial_total.burst, 50);
}

TEST(ServerConfig, FastPathOfMarkedFlows) {
    const auto whole = parse(kMinimal + "nf-fastpath marked 0x10\n");
    ASSERT_TRUE(whole.ok()) << describe("f", whole.findings.at(0));
    EXPECT_EQ(whole.config.fastpath, Fastpath::Marked);
    EXPECT_EQ(whole.config.fastpath_mark, 0x10U);
    EXPECT_EQ(whole.config.fastpath_mask, 0xffffffffU);
    const auto masked = parse(kMinimal + "nf-fastpath marked 16/0xf0\n");
    ASSERT_TRUE(masked.ok()) << describe("f", masked.findings.at(0));
    EXPECT_EQ(masked.config.fastpath_mark, 0x10U);
    EXPECT_EQ(masked.config.fastpath_mask, 0xf0U);
}

TEST(ServerConfig, RefusalsNameLineReasonAndHint) {
    struct Case {
        const char* line;
        const char* expected;
    };
    const Case cases[] = {
        {"proto tcp-client", "f:6: error: proto: only the server's side is here (use proto tcp-s"},
        {"proto sctp", "(use proto udp or proto tcp)"},
        {"proto tcp4\nlocal 2001:db8::1", "(use proto tcp6)"},
        {"tcp-queue-limit 0", "f:6: error: tcp-queue-limit: \"0\" is not a number from 1"},
        {"proto udp4\nlocal 2001:db8::1",
         "f:6: error: proto: local is an IPv6 address (use proto udp6)"},
        {"proto udp6\nlocal 192.0.2.1",
         "f:6: error: proto: local is an IPv4 address (use proto udp4)"},
        {"bind ipv4only", "f:6: error: bind: \"ipv4only\" is not understood (use bind ipv6only)"},
        {"local no-such.invalid", "\"no-such.invalid\" is no address, and no name of one"},
        {"dev-type tunnel", "f:6: error: dev-type: \"tunnel\" is not understood (tun or tap)"},
        {"server-bridge 10.8.0.4 255.255.255.0 10.8.0.50 10.8.0.100",
         "f:6: error: server-bridge: a bridge takes frames, and a TUN device has packets"},
        {"dev tap0\nroute 10.1.0.0 255.255.0.0", "error: a route by a TAP device needs a gateway"},
        {"fragment 50", "f:6: error: fragment: \"50\" is not a number from 100"},
        {"fragment 1300 outer", "f:6: error: fragment: \"outer\" is not understood (mtu may"},
        {"fragment 1300\nproto tcp", "error: fragment is for datagrams, and TCP has none"},
        {"dev tap0\nscript-security 2\nlearn-address /bin/true",
         "error: learn-address is not asked about the MAC addresses"},
        {"dev tap0\nblock-ipv6", "error: block-ipv6 is for packets"},
        {"dev a/b", "cannot be the name of a network device"},
        {"tls-crypt other.key", "f:6: error: tls-crypt: there is no static key in it "
                                "(openvpn --genkey tls-crypt FILE makes one)"},
        {"tls-crypt missing.key", "f:6: error: tls-crypt: cannot read missing.key"},
        {"tls-crypt v2.key", "f:6: error: tls-crypt: there is no static key"},
        {"tls-auth ta.key 2", "f:6: error: tls-auth: \"2\" is no key direction"},
        {"tls-auth ta.key\nkey-direction bidirectional", "f:7: error: key-direction: "},
        {"tls-auth ta.key 0\nauth none", "f:6: error: tls-auth: \"auth none\" is no digest"},
        {"tls-crypt ta.key\ntls-auth ta.key 0", "f:7: error: tls-auth: there is tls-crypt too"},
        {"tls-crypt-v2 ta.key", "f:6: error: tls-crypt-v2: there is no server's key in it"},
        {"tls-crypt-v2 v2.key cookie", "f:6: error: tls-crypt-v2: \"cookie\" is not understood"},
        {"tls-crypt-v2-max-age 30", "f: error: tls-crypt-v2-max-age without tls-crypt-v2"},
        {"tls-crypt-v2-verify x", "f:6: error: tls-crypt-v2-verify: this program is not run"},
        {"comp-lzo maybe", "f:6: error: comp-lzo: \"maybe\" is not understood (yes, no or adap"},
        {"compress zip", "f:6: error: compress: \"zip\" is not understood (stub, stub-v2, lzo"},
        {"allow-compression no\ncompress lz4", "f:7: error: compress: allow-compression no forb"},
        {"push \"compress zip\"", "f:6: error: push: \"zip\" is not understood"},
        {"comp-lzo no\npush \"compress stub-v2\"",
         "f:7: error: push: differs from this server's own \"comp-lzo no\""},
        {"data-ciphers AES-256-CBC\nauth WHIRLPOOL",
         "f:7: error: auth: WHIRLPOOL is not supported (SHA1, SHA256, SHA384 and"},
        {"data-ciphers AES-256-CBC\nauth none", "f:7: error: auth: with CBC packets must be"},
        {"mssfix 100", "f:6: error: mssfix: \"100\" is not a number from 154"},
        {"mssfix 1400 outer", "f:6: error: mssfix: \"outer\" is not understood (mtu or fixed"},
        {"iroute 10.1.0.0 255.255.0.0", "f:6: error: iroute: belongs into a file of client-config"},
        {"ifconfig-push 10.8.0.9 255.255.255.0", "f:6: error: ifconfig-push: belongs into"},
        {"ccd-exclusive", "f: error: ccd-exclusive without client-config-dir lets nobody in"},
        {"route-ipv6 fd00::1/64", "f:6: error: route-ipv6: not an IPv6 network"},
        {"route-ipv6 fd00::/64 fd00::1", "(use default)"},
        {"user no-such-user", "f:6: error: user: there is no user \"no-such-user\""},
        {"group no-such-group", "f:6: error: group: there is no group \"no-such-group\""},
        {"user 4294967295", "f:6: error: user: there is no user"},
        {"user 4294967294", "f: error: user 4294967294 has no group of its own (group NAME)"},
        {"nf-seccomp maybe", "f:6: error: nf-seccomp: \"maybe\" is not understood (on or off)"},
        {"nice 20", "f:6: error: nice: \"20\" is not a number from -20 to 19"},
        {"nice 1x", "f:6: error: nice: "},
        {"crl-verify missing.pem", "f:6: error: crl-verify: cannot read missing.pem"},
        {"crl-verify crls dir", "crls is no directory"},
        {"crl-verify crl.pem file", "f:6: error: crl-verify: \"file\" is not understood (dir may"},
        {"capath /no/such/directory", "f:6: error: capath: /no/such/directory is no directory"},
        {"x509-username-field NoSuchField", "f:6: error: x509-username-field: \"NoSuchField\" is"},
        {"verify-x509-name office starts", "f:6: error: verify-x509-name: \"starts\" is not"},
        {"tls-cert-profile modern", "f:6: error: tls-cert-profile: \"modern\" is not known"},
        {"topology mesh", "(topology subnet)"},
        {"cipherr X", "f:6: error: cipherr: unknown option (did you mean cipher?)"},
        {"port 0", "f:6: error: port: \"0\" is not a number from 1 to 65535"},
        {"port 12x", "is not a number"},
        {"port", "f:6: error: port: a word is missing"},
        {"port 1 2", "f:6: error: port: too many words"},
        {"route 10.1.0.0 255.0.255.0", "is not a netmask"},
        {"push \"route 1.2.3.4,x\"", "must not be empty or hold a comma"},
        {"local 192.0.2.1\nlocal 192.0.2.2", "f:7: error: local: there is one socket"},
        {"route 10.1.0.0 255.255.0.0 192.0.2.9", "the gateway 192.0.2.9 is not inside the tunnel"},
        {"keepalive 10 60\nping-exit 9", "f: error: keepalive sets ping-exit, which is there too"},
        {"compat-mode 2.5", "f:6: error: compat-mode: \"2.5\" is no release"},
        {"verify-hash 00:11", "f:6: error: verify-hash: not 20 bytes in hexadecimal"},
        {"tls-verify /bin/true", "f:6: error: tls-verify: script-security does not allow it"},
        {"remote-cert-ku 0x", "f:6: error: remote-cert-ku: \"0x\" is no key usage"},
        {"remote-cert-ku zz", "\"zz\" is no key usage (hexadecimal numbers, as a0 88)"},
        {"ns-cert-type both", "f:6: error: ns-cert-type: \"both\" is not understood"},
        {"inactive soon", "f:6: error: inactive: \"soon\" is not a number"},
        {"inactive 10 many", "f:6: error: inactive: \"many\" is no number of bytes"},
        {"setenv GENERIC_CONFIG 1", "f:6: error: setenv: this is a generic profile"},
        {"ifconfig-ipv6-pool fd00:8::1000/64", "the device has no IPv6 address (ifconfig-ipv6"},
        {"ifconfig-ipv6-pool fd00:8::1000/12", "\"12\" is not a number from 64 to 124"},
        {"server-ipv6 fd00::/64\nifconfig-ipv6-pool fd00::7/64", "server-ipv6 sets it"},
        {"<ca>abc</ca>", "f:6: error: ca: a block needs lines of its own"},
        {"config missing", "f:6: error: config: cannot read missing"},
        {"data-ciphers BF-CBC", "BF-CBC is not supported (AES with GCM or CBC"},
        {"keepalive 10 15", "at least twice the first"},
        {"tls-version-max 1.0", "TLS 1.0 is not supported"},
        {"verify-client-cert none", "f: error: clients may come without a certificate, and nobody"},
        {"verify-client-cert maybe", "f:6: error: verify-client-cert: \"maybe\" is not understood"},
        {"auth-user-pass-verify /bin/true via-file", "script-security does not allow it (script-"},
        {"script-security 2\nauth-user-pass-verify /bin/true via-env",
         "f:7: error: auth-user-pass-verify: script-security does not allow it (script-security 3"},
        {"script-security 2\nauth-user-pass-verify /bin/true",
         "f:7: error: auth-user-pass-verify: how"},
        {"script-security 2\nclient-connect /no/such/program",
         "f:7: error: client-connect: /no/such/program: No such file"},
        {"script-security 2\nlearn-address \"'/bin/true\"",
         "f:7: error: learn-address: a quotation"},
        {"script-security 2\nlearn-address \"\"", "f:7: error: learn-address: no program"},
        {"client-disconnect /bin/true", "f:6: error: client-disconnect: script-security"},
        {"up /bin/true", "f:6: error: up: script-security"},
        {"script-security 2\ndown /no/such/program", "f:7: error: down: /no/such/program: No such"},
        {"script-security 4", "f:6: error: script-security: \"4\" is not a number from 0 to 3"},
        {"peer-fingerprint 5F:3A",
         "f:6: error: peer-fingerprint: \"5F:3A\" is no fingerprint by SHA"},
        {"<ca>\n</ca>", "f:6: error: ca: there is no certificate in it"},
        {"<peer-fingerprint>\n\n# none\n</peer-fingerprint>",
         "f:6: error: peer-fingerprint: no fingerprint is given"},
        {"username-as-common-name", "f: error: username-as-common-name without anybody to verify"},
        {"auth-gen-token 0 0 external-auth",
         "f:6: error: auth-gen-token: tokens are verified here"},
        {"auth-gen-token-secret s.key", "f:6: error: auth-gen-token-secret: there is no key for"},
        {"setenv a=b c", "f:6: error: setenv: \"a=b\" is no name of a variable"},
        {"tmp-dir /no/such/directory", "f:6: error: tmp-dir: /no/such/directory: No such file"},
        {"plugin \"\"", "f:6: error: plugin: no plug-in is named"},
        {"plugin openvpn-plugin-auth-pam.so", "f:6: error: plugin: no service of PAM is named"},
        {"plugin openvpn-plugin-auth-pam.so \"login password\"",
         "f:6: error: plugin: the last prompt has no answer"},
        {"ca missing.crt", "cannot read missing.crt: No such file or directory"},
        {"ifconfig-pool 10.8.0.2 10.8.0.9", "sets ifconfig-pool itself"},
        {"nf-fastpath maybe", "off, accepted, marked VALUE[/MASK] or eager"},
        {"nf-fastpath eager 1", "only \"marked\" has a value"},
        {"nf-fastpath marked", "is not a conntrack mark"},
        {"nf-fastpath marked 0x1ffffffff", "is not a conntrack mark"},
        {"nf-fastpath marked 1/", "is not a conntrack mark"},
        {"nf-fastpath marked 0x11/0x10", "a bit of the value that is not in the mask"},
        {"<port>\n1\n</port>", "cannot be a <block>"},
        {"tls-version-min 1.3\ntls-version-max 1.2", "f: error: tls-version-min is above"},
    };
    for (const auto& c : cases) {
        auto text = kMinimal + c.line + "\n";
        EXPECT_FALSE(parse(text).ok()) << c.line;
        EXPECT_THAT(described(text), Contains(HasSubstr(c.expected))) << c.line;
    }
}

TEST(ServerConfig, NumbersAreTakenWithinTheirLimits) {
    for (const char* name : {"port", "lport", "tun-mtu", "max-packet-size", "max-clients", "ping",
                             "ping-restart", "reneg-sec", "hand-window", "tran-window",
                             "tls-timeout", "explicit-exit-notify", "verb"}) {
        EXPECT_THAT(
            described(kMinimal + name + " 4294967295\n"),
            Contains(HasSubstr(std::string(name) + ": \"4294967295\" is not a number from")));
    }
    auto c =
        parse(kMinimal +
              "lport 7\ntun-mtu 1400\nmark 4294967295\nmax-packet-size 500\nmax-clients 9\nping 1\n"
              "ping-restart 2\nreneg-sec 60\nhand-window 3\ntran-window 4\n"
              "tls-timeout 5\nexplicit-exit-notify 2\nverb 6\n")
            .config;
    using std::chrono::seconds;
    EXPECT_EQ(c.port, 7);
    EXPECT_EQ(c.tun_mtu, 1400u);
    EXPECT_EQ(c.mark, 0xffffffff);
    EXPECT_EQ(c.max_packet_size, 500u);
    EXPECT_EQ(c.max_clients, 9u);
    EXPECT_EQ(c.ping, 1u);
    EXPECT_EQ(c.ping_restart, 2u);
    EXPECT_EQ(c.reneg_sec, seconds(60));
    EXPECT_EQ(c.hand_window, seconds(3));
    EXPECT_EQ(c.tran_window, seconds(4));
    EXPECT_EQ(c.tls_timeout, seconds(5));
    EXPECT_EQ(c.explicit_exit_notify, 2);
    EXPECT_EQ(c.verb, 6);
    EXPECT_EQ(parse(kMinimal + "explicit-exit-notify\n").config.explicit_exit_notify, 1);
}

TEST(ServerConfig, DataChannel) {
    auto c = parse(kMinimal + "data-ciphers AES-256-CBC:AES-128-CBC\nauth SHA256\n"
                              "data-ciphers-fallback AES-128-CBC\nmssfix 1400 mtu\n"
                              "client-config-dir ccd\nccd-exclusive\n"
                              "route-ipv6 fd00:5::/48 default 7\n");
    ASSERT_TRUE(c.ok()) << describe("f", c.findings.at(0));
    EXPECT_THAT(c.findings, IsEmpty());
    EXPECT_THAT(c.config.data_ciphers, ElementsAre(DataCipher::Aes256Cbc, DataCipher::Aes128Cbc));
    EXPECT_EQ(c.config.fallback_cipher, DataCipher::Aes128Cbc);
    EXPECT_EQ(c.config.auth, DataAuth::Sha256);
    EXPECT_EQ(c.config.client_config_dir, "ccd");
    EXPECT_EQ(to_string(c.config.routes.at(0).network), "fd00:5::/48");
    EXPECT_EQ(c.config.routes.at(0).metric, 7U);
    auto settings = server::core_settings(c.config);
    EXPECT_EQ(settings.session.negotiation.auth, DataAuth::Sha256);
    EXPECT_EQ(settings.mss_fix.limit, 1400U);
    EXPECT_TRUE(settings.client_lookup);
    EXPECT_THAT(
        described(kMinimal + "data-ciphers none\n"),
        ElementsAre(HasSubstr("f: warning: with the data cipher none packets can be read")));
    // OpenVPN's default where the file says nothing
    EXPECT_EQ(parse(kMinimal + "data-ciphers AES-128-CBC\n").config.auth, DataAuth::Sha1);
}

TEST(ServerConfig, MssFixAsOpenVpnReadsIt) {
    struct Case {
        const char* lines;
        std::uint32_t limit;
        MssFix::Of of;
    };
    const Case cases[] = {
        {"", 1492, MssFix::Of::OuterPacket},
        {"mssfix", 1492, MssFix::Of::OuterPacket},
        {"tun-mtu 1400", 1400, MssFix::Of::InnerPacket},
        {"tun-mtu 1400\nmssfix", 1400, MssFix::Of::InnerPacket},
        {"mssfix 1300", 1300, MssFix::Of::Payload},
        {"mssfix 1300 mtu", 1300, MssFix::Of::OuterPacket},
        {"mssfix 1300 fixed", 1300, MssFix::Of::InnerPacket},
        {"mssfix 0", 0, MssFix::Of::Payload},
        {"tun-mtu 1400\nmssfix 0", 0, MssFix::Of::Payload},
        {"fragment 1300", 1300, MssFix::Of::Payload},
        {"fragment 1300 mtu", 1300, MssFix::Of::OuterPacket},
        {"fragment 1300\nmssfix 1200", 1200, MssFix::Of::Payload},
        {"fragment 0", 1492, MssFix::Of::OuterPacket},
    };
    for (const auto& c : cases) {
        auto parsed = parse(kMinimal + c.lines + "\n");
        EXPECT_TRUE(parsed.ok()) << c.lines;
        EXPECT_EQ(parsed.config.mss_fix.limit, c.limit) << c.lines;
        EXPECT_EQ(parsed.config.mss_fix.of, c.of) << c.lines;
    }
}

TEST(ServerConfig, CompressionWithoutCompression) {
    struct Case {
        const char* lines;
        Framing framing;
        bool push;
    };
    const Case cases[] = {
        {"comp-lzo no", Framing::Stub, false},
        {"compress", Framing::StubSwap, false},
        {"compress stub", Framing::StubSwap, false},
        {"compress stub-v2", Framing::StubV2, false},
        {"compress migrate", Framing::None, false},
        {"comp-lzo no\npush \"comp-lzo no\"", Framing::Stub, true},
        {"compress\npush \"compress stub\"", Framing::StubSwap, true},
        {"push compress", Framing::StubSwap, true},
        {"push \"compress stub-v2\"", Framing::StubV2, true},
        {"push \"compress stub-v2\"\ncompress stub-v2", Framing::StubV2, true},
        {"comp-lzo", Framing::None, false},
        {"compress lz4-v2\npush \"compress lz4-v2\"", Framing::None, false},
        {"comp-lzo yes\npush \"comp-lzo no\"", Framing::Stub, true},
    };
    for (const auto& c : cases) {
        auto parsed = parse(kMinimal + c.lines + "\n");
        EXPECT_TRUE(parsed.ok()) << c.lines;
        EXPECT_EQ(parsed.config.framing, c.framing) << c.lines;
        EXPECT_EQ(parsed.config.push_framing, c.push) << c.lines;
        // Where the file has it; what would compress is left out.
        const auto pushed = std::count_if(parsed.config.push.begin(), parsed.config.push.end(),
                                          [](const auto& o) { return o.starts_with("comp"); });
        EXPECT_EQ(pushed, c.push ? 1 : 0) << c.lines;
    }
}

TEST(ClientFile, WhatOneClientHas) {
    auto parsed = parse_client_file("# the branch office\niroute 10.1.0.0 255.255.0.0\n"
                                    "iroute 10.2.0.7\niroute-ipv6 fd00:1::/64\n"
                                    "push \"route 10.5.0.0 255.255.0.0\"\n");
    ASSERT_TRUE(parsed.ok()) << describe("f", parsed.findings.at(0));
    std::vector<std::string> networks;
    for (const auto& network : parsed.config.networks)
        networks.push_back(to_string(network));
    EXPECT_THAT(networks, ElementsAre("10.1.0.0/16", "10.2.0.7/32", "fd00:1::/64"));
    EXPECT_THAT(parsed.config.push, ElementsAre("route 10.5.0.0 255.255.0.0"));
    EXPECT_FALSE(parsed.config.push_reset);
    EXPECT_FALSE(parsed.config.disable);

    auto other = parse_client_file("push \"a b\"\npush-reset\npush \"c d\"\ndisable\n");
    EXPECT_TRUE(other.config.push_reset);
    EXPECT_TRUE(other.config.disable);
    EXPECT_THAT(other.config.push, ElementsAre("c d")) << "what stood before is gone, too";

    const auto less = parse_client_file("push \"route 10.1.0.0 255.255.0.0\"\npush-remove route\n"
                                        "push \"route 10.2.0.0 255.255.0.0\"\n");
    ASSERT_TRUE(less.ok());
    EXPECT_THAT(less.config.push_remove, ElementsAre("route"));
    EXPECT_FALSE(parse_client_file("push-remove ifconfig\n").ok());
    EXPECT_THAT(less.config.push, ElementsAre("route 10.2.0.0 255.255.0.0"));
}

TEST(ClientFile, AddressesOfItsOwn) {
    auto both = parse_client_file("ifconfig-push 10.8.0.9 255.255.255.0\n"
                                  "ifconfig-ipv6-push fd00:8::9/64 fd00:8::1\n");
    ASSERT_TRUE(both.ok());
    EXPECT_EQ(both.config.address, parse_ipv4("10.8.0.9"));
    EXPECT_EQ(both.config.netmask, parse_ipv4("255.255.255.0"));
    EXPECT_EQ(both.config.address6, parse_ipv6("fd00:8::9"));
    EXPECT_EQ(parse_client_file("ifconfig-push 10.8.0.9\n").config.netmask, std::nullopt);
}

TEST(ClientFile, MistakesHaveLines) {
    struct Case {
        const char* line;
        const char* expected;
    };
    const Case cases[] = {
        {"iroute 10.1.2.3 255.255.0.0", "f:2: error: iroute: not a network (iroute 10.1.0.0 255."},
        {"iroute 10.1.0.0 255.0.255.0", "f:2: error: iroute: not a network"},
        {"iroute", "f:2: error: iroute: not supported in a file of client-config-dir"},
        {"iroute-ipv6 fd00::1/64", "f:2: error: iroute-ipv6: not a network"},
        {"push \"a,b\"", "f:2: error: push: a pushed option must not be empty"},
        {"push a,b", "f:2: error: push: a pushed option must not be empty or hold a comma"},
        {"ifconfig-push 10.8.0.5 255.0.255.0", "f:2: error: ifconfig-push: not an address with"},
        {"ifconfig-push office", "f:2: error: ifconfig-push: not an address with"},
        {"ifconfig-ipv6-push 10.8.0.5", "f:2: error: ifconfig-ipv6-push: not an IPv6 address"},
        {"<push>\nx\n</push>", "f:2: error: push: cannot be a <block>"},
        {"push \"x", "f:2: error: a quotation"},
    };
    for (const auto& c : cases) {
        auto parsed = parse_client_file(std::string("# first\n") + c.line + "\n");
        EXPECT_FALSE(parsed.ok()) << c.line;
        ASSERT_EQ(parsed.findings.size(), 1U) << c.line;
        EXPECT_THAT(describe("f", parsed.findings[0]), HasSubstr(c.expected)) << c.line;
    }
    std::string many;
    for (int i = 0; i < 1001; i++)
        many += "iroute 10." + std::to_string(i / 256) + "." + std::to_string(i % 256) +
                ".0 255.255.255.0\n";
    EXPECT_THAT(describe("f", parse_client_file(many).findings.at(0)),
                HasSubstr("f:1001: error: iroute: more than 1000 networks"));
}

TEST(ClientFile, FileNamesAreTame) {
    EXPECT_EQ(client_file_name("Alice B. Carol-1@x"), "Alice B. Carol-1@x");
    EXPECT_EQ(client_file_name("../etc/passwd"), ".._etc_passwd");
    EXPECT_EQ(client_file_name("a\nb\x7f"), "a_b_");
    EXPECT_EQ(client_file_name("Zo\u00eb"), "Zo\u00eb");
    EXPECT_EQ(client_file_name("."), "");
    EXPECT_EQ(client_file_name(".."), "");
}

class ClientConfigDir : public testing::Test {
protected:
    void SetUp() override {
        char pattern[] = "/tmp/nf-ovpnd-test-XXXXXX";
        ASSERT_NE(mkdtemp(pattern), nullptr);
        directory_ = pattern;
        log::set_level(log::Level::Off);
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    void write(const std::string& name, const std::string& text) {
        std::ofstream(directory_ + "/" + name) << text;
    }
    std::string directory_;
};

TEST_F(ClientConfigDir, OwnFileOrDefaultOrNothing) {
    using server::read_client_settings;
    auto nothing = read_client_settings(directory_, false, "alice");
    ASSERT_TRUE(nothing);
    EXPECT_THAT(nothing->networks, IsEmpty());
    EXPECT_FALSE(nothing->disabled);
    EXPECT_TRUE(read_client_settings(directory_, true, "alice")->disabled);

    write("DEFAULT", "push \"dhcp-option DNS 10.99.0.1\"\n");
    EXPECT_EQ(read_client_settings(directory_, false, "alice")->push.size(), 1U);
    EXPECT_TRUE(read_client_settings(directory_, true, "alice")->disabled);

    write("alice", "iroute 10.1.0.0 255.255.0.0\n");
    auto own = read_client_settings(directory_, true, "alice");
    ASSERT_TRUE(own);
    EXPECT_FALSE(own->disabled);
    EXPECT_EQ(own->networks.size(), 1U);
    EXPECT_THAT(own->push, IsEmpty()) << "DEFAULT is for those without a file";
    // A name that leads out of the directory leads nowhere.
    EXPECT_EQ(read_client_settings(directory_, false, "..")->push.size(), 1U);
}

TEST_F(ClientConfigDir, FileWithMistakesIsNotHalfOfAFile) {
    write("alice", "iroute 10.1.0.0 255.255.0.0\niroute 10.2.0.0 what\n");
    EXPECT_FALSE(server::read_client_settings(directory_, false, "alice"));
    // An option of OpenVPN that would mean something here is no line that nobody understands.
    write("alice", "iroute 10.1.0.0 255.255.0.0\nvlan-pvid 3\n");
    EXPECT_FALSE(server::read_client_settings(directory_, false, "alice"));
    // As OpenVPN: what nobody knows locks nobody out.
    write("alice", "iroute 10.1.0.0 255.255.0.0\nirout 10.2.0.0\n");
    const auto settings = server::read_client_settings(directory_, false, "alice");
    ASSERT_TRUE(settings);
    EXPECT_EQ(settings->networks.size(), 1U);
}

TEST(ServerConfig, TransportIsIpv4UnlessItIsSaid) {
    struct Case {
        const char* lines;
        bool ipv6;
        bool ipv6_only;
    };
    for (const auto& c :
         {Case{"", false, false}, Case{"proto udp\n", false, false},
          Case{"proto udp\nlocal 192.0.2.1\nbind\n", false, false},
          Case{"proto udp6\n", true, false}, Case{"local 2001:db8::1\n", true, false},
          Case{"proto udp6\nlocal 2001:db8::1\n", true, false},
          Case{"bind ipv6only\nproto udp6\n", true, true}}) {
        auto parsed = parse(kMinimal + c.lines);
        ASSERT_TRUE(parsed.ok()) << c.lines << describe("f", parsed.findings.at(0));
        EXPECT_EQ(parsed.config.ipv6, c.ipv6) << c.lines;
        EXPECT_EQ(parsed.config.ipv6_only, c.ipv6_only) << c.lines;
    }
}

TEST(ServerConfig, ServerIpv6) {
    auto parsed = parse(kMinimal + "server-ipv6 fd00:8::/64\n");
    ASSERT_TRUE(parsed.ok());
    auto pool = server::core_settings(parsed.config).ipv6;
    ASSERT_TRUE(pool);
    EXPECT_EQ(to_string(pool->server), "fd00:8::1");
    EXPECT_EQ(to_string(pool->first), "fd00:8::1000");
    EXPECT_EQ(pool->length, 64);
    EXPECT_FALSE(server::core_settings(parse(kMinimal).config).ipv6);
    parsed = parse(kMinimal + "server-ipv6 fd00:8::/112\n");
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(to_string(server::core_settings(parsed.config).ipv6->first), "fd00:8::2");
    for (const char* line :
         {"server-ipv6 fd00:8::/63", "server-ipv6 fd00:8::/125", "server-ipv6 10.8.0.0/24"})
        EXPECT_FALSE(parse(kMinimal + line + "\n").ok()) << line;
    EXPECT_THAT(described(kMinimal + "server-ipv6 fd00:8::/121\n"),
                ElementsAre(HasSubstr("fewer addresses than the pool")));
}

TEST(ServerConfig, DataPath) {
    auto parsed = parse(kMinimal + "disable-dco\nnf-control /run/nf-ovpnd.sock\n");
    ASSERT_TRUE(parsed.ok());
    EXPECT_FALSE(parsed.config.kernel_data_path);
    EXPECT_FALSE(parsed.config.passtos);
    EXPECT_TRUE(parse(kMinimal + "passtos\n").config.passtos);
    EXPECT_THAT(described(kMinimal + "mark -1\n"), ElementsAre(HasSubstr("is not a number from")));
    EXPECT_EQ(parsed.config.control_socket, "/run/nf-ovpnd.sock");
    EXPECT_THAT(described(kMinimal + "nf-control " + std::string(108, 'x') + "\n"),
                ElementsAre(HasSubstr("at most 107 bytes")));
}

TEST(ServerConfig, Fragment) {
    const auto parsed = parse(kMinimal + "fragment 1300 mtu\n");
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed.config.fragment.limit, 1300U);
    EXPECT_EQ(parsed.config.fragment.of, MssFix::Of::OuterPacket);
    EXPECT_FALSE(parsed.config.kernel_data_path);
    EXPECT_TRUE(parse(kMinimal + "fragment 0\n").config.kernel_data_path);
}

TEST(ServerConfig, Tap) {
    for (const char* lines : {"dev tap0\n", "dev tap\n", "dev office\ndev-type tap\n"}) {
        auto parsed =
            parse(lines + kMinimal.substr(kMinimal.find("server")) + "client-to-client\n");
        ASSERT_TRUE(parsed.ok()) << lines;
        EXPECT_THAT(parsed.findings, IsEmpty()) << "clients' frames pass no rules of the kernel";
        EXPECT_TRUE(parsed.config.ethernet);
        EXPECT_TRUE(parsed.config.client_to_client);
        EXPECT_FALSE(parsed.config.kernel_data_path);
        EXPECT_THAT(parsed.config.push, ElementsAre("route-gateway 10.8.0.1")) << "no topology";
    }
    EXPECT_FALSE(parse(kMinimal + "dev tap0\ndev-type tun\n").config.ethernet);
    EXPECT_FALSE(parse(kMinimal).config.ethernet);
}

TEST(ServerConfig, Bridge) {
    const std::string base = "dev tap0\n" + kMinimal.substr(kMinimal.find("ca "));
    auto parsed = parse(base + "server-bridge 192.168.8.4 255.255.255.0 192.168.8.128 "
                               "192.168.8.254\n");
    ASSERT_TRUE(parsed.ok());
    EXPECT_TRUE(parsed.config.bridge);
    EXPECT_EQ(to_string(parsed.config.address), "192.168.8.4");
    EXPECT_EQ(to_string(parsed.config.pool_first), "192.168.8.128");
    EXPECT_EQ(to_string(parsed.config.pool_last), "192.168.8.254");
    EXPECT_THAT(parsed.config.push, ElementsAre("route-gateway 192.168.8.4"));
    EXPECT_THAT(described(base + "server-bridge\n"), ElementsAre(HasSubstr("not by DHCP")));
    EXPECT_THAT(described(base + "server-bridge 192.168.8.4 255.255.255.0 192.168.8.9 "
                                 "192.168.8.8\n"),
                ElementsAre(HasSubstr("the pool is empty")));
    EXPECT_THAT(described(base + "server-bridge 192.168.8.4 255.255.255.0 192.168.9.8 "
                                 "192.168.9.9\n"),
                ElementsAre(HasSubstr("not in the network of 192.168.8.4")));
}

TEST(ServerConfig, IgnoredOptionsWarn) {
    for (const char* line : {"persist-tun",
                             "persist-key",
                             "cipher AES-256-CBC",
                             "auth SHA512",
                             "fast-io",
                             "sndbuf 0",
                             "hash-size 1 2",
                             "management-forget-disconnect",
                             "tls-version-min 1.0",
                             "comp-lzo",
                             "comp-lzo adaptive",
                             "compress lz4-v2",
                             "push \"comp-lzo yes\"",
                             "push \"peer-id 7\"",
                             "push \"ifconfig 10.8.0.9 255.255.255.0\"",
                             "push \"topology net30\"",
                             "route 10.1.2.3 255.255.0.0",
                             "route no-such.invalid",
                             "remote-cert-tls server",
                             "data-ciphers AES-256-GCM:CAMELLIA-256-CBC",
                             "data-ciphers-fallback CAMELLIA-128-CBC",
                             "engine",
                             "tls-exit",
                             "connect-retry 5",
                             "reneg-sec 2",
                             "bind ipv6only",
                             "push \"\"",
                             "push \"cipher AES-256-GCM\"",
                             "push \"tun-mtu 1400\"",
                             "ns-cert-type client",
                             "ifconfig 10.8.0.7 255.255.255.0",
                             "setenv FORWARD_COMPATIBLE 1\nno-such-option",
                             "setenv opt no-such-option",
                             "setenv opt port 1 2",
                             "setenv opt no-iv",
                             "management-query-passwords",
                             "management-up-down"}) {
        auto text = kMinimal + line + "\n";
        auto parsed = parse(text);
        EXPECT_TRUE(parsed.ok()) << line;
        EXPECT_THAT(described(text), ElementsAre(testing::ContainsRegex("f:[67]: warning: ")))
            << line;
    }
}

// What real files have, and nothing is said about.
TEST(ServerConfig, TakenWithoutAWord) {
    for (const char* line :
         {"providers default",
          "inactive 300",
          "inactive 300 1000",
          "session-timeout 3600",
          "ping-exit 60",
          "daemon",
          "daemon ovpn",
          "remote-cert-eku \"TLS Web Client "
          "Authentication\"",
          "remote-cert-ku",
          "remote-cert-ku a0 88",
          "dh dh.pem",
          "dev-node /dev/net/tun",
          "tls-crypt ta.key 0",
          "ifconfig 10.8.0.1 255.255.255.0",
          "push \"ifconfig-ipv6 fd00:8::2/64 fd00:8::1\"",
          "push \"inactive 300\"",
          "ifconfig-ipv6 fd00:8::1/64 fd00:8::2\nifconfig-ipv6-pool fd00:8::1000/64",
          "<crl-verify>\nA\n</crl-verify>",
          "data-ciphers AES-256-GCM:AES-256-CBC\nauth SHA512",
          "setenv opt max-clients 7",
          "allow-compression no",
          "config other.conf",
          "setenv FORWARD_COMPATIBLE 1"}) {
        const auto text = kMinimal + line + "\n";
        const auto parsed = parse_server_config(text, [](const std::string& path, std::string& w) {
            return path == "other.conf" ? std::optional<std::string>("verb 4\n")
                                        : fake_file(path, w);
        });
        std::string found;
        for (const auto& finding : parsed.findings)
            found += describe("f", finding) + "\n";
        EXPECT_EQ(found, "") << line;
    }
}

TEST(ServerConfig, OlderDefaults) {
    auto c = parse("compat-mode 2.4.0\ncipher AES-256-CBC\n" + kMinimal).config;
    EXPECT_EQ(c.topology, wire::Topology::Net30);
    EXPECT_EQ(c.fallback_cipher, DataCipher::Aes256Cbc);
    EXPECT_THAT(c.data_ciphers, Contains(DataCipher::Aes256Cbc));
    c = parse("compat-mode 2.7.0\ncipher AES-256-CBC\n" + kMinimal).config;
    EXPECT_EQ(c.topology, wire::Topology::Subnet);
    EXPECT_FALSE(c.fallback_cipher);
}

TEST(ServerConfig, AProfileThatLacksClient) {
    EXPECT_THAT(described("dev tun\nremote vpn.example.net 443\nnobind\nauth-user-pass\n"
                          "resolv-retry infinite\nca ca.crt\nremote-random\n"),
                ElementsAre("f:2: error: remote: this looks like a client's profile, which has to "
                            "say so (client, or tls-client for a point-to-point peer)"));
}

TEST(ServerConfig, LimitsOfClients) {
    const auto c = parse(kMinimal + "inactive 300 1000\nsession-timeout 60\nping-exit 9\n").config;
    EXPECT_EQ(c.inactive, 300U);
    EXPECT_EQ(c.inactive_bytes, 1000U);
    EXPECT_EQ(c.session_timeout, 60U);
    EXPECT_EQ(c.ping_restart, 9U);
    EXPECT_TRUE(c.ping_exit);
    EXPECT_FALSE(parse(kMinimal + "ping-exit 9\nping-restart 8\n").config.ping_exit);
}

TEST(ServerConfig, Ipv6PoolOfItsOwn) {
    const auto parsed = parse(kMinimal + "ifconfig-ipv6 fd00:8::1/64 fd00:8::2\n"
                                         "ifconfig-ipv6-pool fd00:8::1:0/64\n");
    ASSERT_TRUE(parsed.ok());
    const auto settings = server::core_settings(parsed.config);
    ASSERT_TRUE(settings.ipv6);
    EXPECT_EQ(to_string(settings.ipv6->server), "fd00:8::1");
    EXPECT_EQ(to_string(settings.ipv6->first), "fd00:8::1:0");
    EXPECT_EQ(settings.ipv6->length, 64);
}

// Files that include files; findings have the names of these, and circles come to an end.
TEST(ServerConfig, FilesInFiles) {
    const auto reader = [](const std::string& path, std::string& why) {
        if (path == "more.conf")
            return std::optional<std::string>("verb 7\nport x\n");
        if (path == "circle.conf")
            return std::optional<std::string>("config circle.conf\n");
        return fake_file(path, why);
    };
    const auto parsed = parse_server_config(kMinimal + "config more.conf\n", reader);
    EXPECT_EQ(parsed.config.verb, 7);
    ASSERT_EQ(parsed.findings.size(), 1U);
    EXPECT_EQ(describe("f", parsed.findings[0]),
              "more.conf:2: error: port: \"x\" is not a number from 1 to 65535");
    EXPECT_THAT(check_report(parsed), Contains("more.conf:1  supported  verb"));
    EXPECT_FALSE(parse_server_config(kMinimal + "config circle.conf\n", reader).ok());
}

TEST(ServerConfig, OptionsOfACommandLine) {
    const auto reader = [](const std::string& path, std::string& why) {
        return path == "main.conf" ? std::optional<std::string>(kMinimal + "port 1\nport y\n")
                                   : fake_file(path, why);
    };
    using Words = std::vector<std::string>;
    const auto given = options_of(
        Words{"--verb", "5", "--config", "main.conf", "--port", "7", "--nobind"}, reader);
    EXPECT_EQ(role_of(given), Role::Server);
    const auto parsed = parse_server_config(given, reader);
    EXPECT_EQ(parsed.config.verb, 5);
    EXPECT_EQ(parsed.config.port, 7);
    std::vector<std::string> found;
    for (const auto& finding : parsed.findings)
        found.push_back(describe("main.conf", finding));
    EXPECT_THAT(found, Contains(HasSubstr("main.conf:7: error: port: \"y\"")));
    EXPECT_THAT(found, Contains("main.conf: error: nobind: only a client has it"));
    EXPECT_THAT(check_report(parsed), Contains("   -  supported  verb"));
    EXPECT_EQ(role_of(options_of(Words{"--client", "--remote", "a", "443"}, reader)), Role::Client);
    EXPECT_FALSE(options_of(Words{"verb", "5"}, reader).findings.empty());
}

// Reading takes time and memory in proportion to the text, whatever is in it.
TEST(ServerConfig, BrokenFilesAreReadQuickly) {
    std::string blocks;
    for (int i = 0; i < 90000; i++)
        blocks += "<a>\n</a>\n";
    std::string unknown;
    for (int i = 0; i < 120000; i++)
        unknown += "x" + std::to_string(i) + "\n";
    std::string unclosed;
    for (int i = 0; i < 100000; i++)
        unclosed += "<b>\n";
    const auto begin = std::chrono::steady_clock::now();
    for (const auto* text : {&blocks, &unknown, &unclosed}) {
        const auto parsed = parse(*text);
        EXPECT_FALSE(parsed.ok());
        EXPECT_THAT(parsed.findings.size(), testing::Lt(2100U));
        check_report(parsed);
    }
    // Minutes, if it were by the square. Sanitizers and a busy machine have their share.
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
}

TEST(ServerConfig, UsersByPam) {
    EXPECT_FALSE(parse(kMinimal).config.pam);
    auto parsed = parse(kMinimal + "plugin /usr/lib/openvpn/openvpn-plugin-auth-pam.so vpn\n"
                                   "verify-client-cert none\nusername-as-common-name\n");
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed.config.pam, (PamConfig{"vpn", {}}));
    EXPECT_TRUE(parsed.config.starts_helper);
    EXPECT_FALSE(parsed.config.runs_programs);
    const PamConfig prompts{"vpn", {{"login", "USERNAME"}, {"pass", "PASSWORD"}}};
    EXPECT_EQ(parse(kMinimal + "plugin openvpn-plugin-auth-pam.so \"vpn login USERNAME pass "
                               "PASSWORD\"\n")
                  .config.pam,
              prompts);
    EXPECT_EQ(parse(kMinimal + "plugin openvpn-plugin-auth-pam.so vpn login USERNAME pass "
                               "PASSWORD\n")
                  .config.pam,
              prompts);
}

TEST(ServerConfig, Plugins) {
    const auto parsed = parse(kMinimal + "plugin first.so\n"
                                         "plugin sub/second.so \"one 'two words'\"\n"
                                         "plugin ./third.so one two\n"
                                         "plugin /own/fourth.so\n"
                                         "plugin openvpn-plugin-auth-pam.so vpn code OTP\n");
    ASSERT_TRUE(parsed.ok());
    ASSERT_EQ(parsed.findings.size(), 1U); // that of the relative path
    EXPECT_FALSE(parsed.config.pam);
    EXPECT_TRUE(parsed.config.starts_helper);
    const auto& plugins = parsed.config.plugins;
    ASSERT_EQ(plugins.size(), 5U);
    EXPECT_EQ(plugins[0].path, NF_OVPND_PLUGIN_DIR "/first.so");
    EXPECT_EQ(plugins[0].words, std::vector<std::string>{"first.so"});
    EXPECT_EQ(plugins[0].line, 6);
    EXPECT_EQ(plugins[1].path, NF_OVPND_PLUGIN_DIR "/sub/second.so");
    EXPECT_EQ(plugins[1].words, (std::vector<std::string>{"sub/second.so", "one", "two words"}));
    EXPECT_EQ(plugins[2].path, "./third.so");
    EXPECT_EQ(plugins[2].words, (std::vector<std::string>{"./third.so", "one", "two"}));
    EXPECT_EQ(plugins[3].path, "/own/fourth.so");
    EXPECT_EQ(plugins[4].words.front(), "openvpn-plugin-auth-pam.so");
}

TEST(ServerConfig, AddressesAreRemembered) {
    EXPECT_EQ(parse(kMinimal).config.pool_file, "");
    auto parsed = parse(kMinimal + "ifconfig-pool-persist ipp.txt\n");
    ASSERT_TRUE(parsed.ok());
    EXPECT_TRUE(parsed.findings.empty());
    EXPECT_EQ(parsed.config.pool_file, "ipp.txt");
    EXPECT_EQ(parsed.config.pool_file_seconds, 600U);
    EXPECT_EQ(parse(kMinimal + "ifconfig-pool-persist a 0\n").config.pool_file_seconds, 0U);
    EXPECT_FALSE(parse(kMinimal + "ifconfig-pool-persist a -1\n").ok());
    EXPECT_FALSE(parse(kMinimal + "ifconfig-pool-persist a soon\n").ok());
    EXPECT_THAT(described(kMinimal + "ifconfig-pool-persist a\nduplicate-cn\n"),
                ElementsAre(HasSubstr("f:6: warning: ifconfig-pool-persist: with duplicate-cn")));
}

TEST(ServerConfig, WhatIsMissingIsSaidAllAtOnce) {
    EXPECT_THAT(described("verb 3\n"),
                testing::UnorderedElementsAre(
                    HasSubstr("not a server's configuration"), HasSubstr("no addresses are given"),
                    HasSubstr("no certificate authority"), HasSubstr("no certificate is given"),
                    HasSubstr("no private key")));
}

TEST(ServerConfig, PoolMustSuitTheNetwork) {
    const std::string rest = "dev tun\nmode server\ntls-server\nca a\ncert b\nkey c\n"
                             "ifconfig 10.9.0.1 255.255.255.0\n";
    EXPECT_THAT(described(rest), Contains(HasSubstr("no pool")));
    EXPECT_THAT(described(rest + "ifconfig-pool 10.9.1.1 10.9.1.5\n"),
                Contains(HasSubstr("not in the network")));
    EXPECT_THAT(described(rest + "ifconfig-pool 10.9.0.1 10.9.0.5\n"),
                Contains(HasSubstr("is in the pool")));
    EXPECT_THAT(described(rest + "ifconfig-pool 10.9.0.9 10.9.0.5\n"),
                Contains(HasSubstr("must go upwards")));
    EXPECT_TRUE(parse(rest + "ifconfig-pool 10.9.0.2 10.9.0.5\n").ok());
    EXPECT_TRUE(parse("dev tun\nca a\ncert b\nkey c\nserver 10.8.0.0 255.255.255.0 nopool\n"
                      "ifconfig-pool 10.8.0.100 10.8.0.110\n")
                    .ok());
}

TEST(ServerConfig, CdIsWhereFilesAre) {
    auto parsed = parse("cd /etc/vpn\n" + kMinimal);
    EXPECT_EQ(parsed.config.ca, "contents of /etc/vpn/ca.crt");
}

TEST(ServerConfig, EveryOptionIsReportedWithItsTreatment) {
    auto parsed = parse(kMinimal + "fast-io\nsecret x\nnonsense\n");
    ASSERT_EQ(parsed.uses.size(), 8U);
    EXPECT_EQ(parsed.uses[0].treatment, Treatment::Supported);
    EXPECT_EQ(parsed.uses[5].treatment, Treatment::Ignored);
    EXPECT_EQ(parsed.uses[6].treatment, Treatment::Refused);
    EXPECT_EQ(parsed.uses[7].treatment, Treatment::Refused);
    EXPECT_EQ(parsed.uses[7].line, 8);
}

TEST(ServerConfig, CertificatesThatAreNoneAreExplained) {
    auto parsed = parse(kMinimal);
    auto tls = server::make_tls(parsed.config);
    ASSERT_FALSE(tls);
    EXPECT_THAT(tls.error().what, HasSubstr("ca: no usable certificate"));
}

TEST(ServerConfig, WrappedControlChannels) {
    auto plain = parse(kMinimal);
    EXPECT_FALSE(plain.config.wrap);
    EXPECT_FALSE(plain.config.tls_crypt_v2);

    // What a stock client has sent is opened by a server with these lines.
    auto opens = [](const std::string& lines, std::string_view packet) {
        auto parsed = parse(kMinimal + lines);
        EXPECT_THAT(parsed.findings, IsEmpty()) << lines;
        return parsed.config.wrap &&
               static_cast<bool>(parsed.config.wrap->unwrap(test::from_hex(packet)));
    };
    const auto block = [](const std::string& name) {
        return "<" + name + ">\n" + std::string(test::kStaticKey) + "\n</" + name + ">\n";
    };
    EXPECT_TRUE(opens("tls-auth ta.key 0\n", test::kTlsAuthSha1Inverse));
    EXPECT_TRUE(opens("key-direction 0\ntls-auth ta.key\n", test::kTlsAuthSha1Inverse));
    EXPECT_TRUE(opens(block("tls-auth") + "key-direction 0\n", test::kTlsAuthSha1Inverse));
    EXPECT_TRUE(opens("key-direction 1\ntls-auth ta.key 0\n", test::kTlsAuthSha1Inverse));
    EXPECT_FALSE(opens("tls-auth ta.key 1\n", test::kTlsAuthSha1Inverse));
    EXPECT_FALSE(opens("tls-auth ta.key\n", test::kTlsAuthSha1Inverse));
    EXPECT_TRUE(opens("tls-auth ta.key\nauth SHA256\n", test::kTlsAuthSha256));
    EXPECT_TRUE(opens("auth SHA512\ntls-auth ta.key 0\n", test::kTlsAuthSha512Inverse));
    EXPECT_TRUE(opens("tls-crypt ta.key\n", test::kTlsCrypt));
    EXPECT_TRUE(opens(block("tls-crypt"), test::kTlsCrypt));

    auto v2 = parse(kMinimal + "tls-crypt-v2 v2.key force-cookie\ntls-crypt-v2-max-age 30\n");
    EXPECT_THAT(v2.findings, IsEmpty());
    ASSERT_TRUE(v2.config.tls_crypt_v2);
    EXPECT_EQ(v2.config.tls_crypt_v2->view().front(), 0xb2);
    auto settings = server::core_settings(v2.config);
    ASSERT_TRUE(settings.tls_crypt_v2);
    EXPECT_TRUE(settings.tls_crypt_v2->force_cookie);
    EXPECT_EQ(settings.tls_crypt_v2->max_age, std::chrono::hours(24 * 30));
    EXPECT_NEAR(static_cast<double>(settings.unix_time_of_zero.count() +
                                    std::chrono::duration_cast<std::chrono::seconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count()),
                static_cast<double>(std::time(nullptr)), 2);
    auto both = parse(kMinimal + "<tls-crypt-v2>\n" + std::string(test::kTlsCryptV2ServerKey) +
                      "\n</tls-crypt-v2>\ntls-crypt ta.key\n");
    EXPECT_THAT(both.findings, IsEmpty());
    EXPECT_TRUE(both.config.tls_crypt_v2 && both.config.wrap);
    EXPECT_FALSE(both.config.tls_crypt_v2_force_cookie);
}

TEST(ServerConfig, WhoseCertificatesAreGood) {
    auto parsed = parse(kMinimal + "cd /etc/vpn\ncrl-verify crl.pem\n"
                                   "verify-x509-name \"C=KG, CN=office\"\n"
                                   "tls-cert-profile suiteb\n");
    EXPECT_THAT(parsed.findings, IsEmpty());
    EXPECT_EQ(parsed.config.crl_file, "/etc/vpn/crl.pem");
    EXPECT_EQ(parsed.config.verify_name_type, NameType::Subject);
    EXPECT_EQ(parsed.config.verify_name, "C=KG, CN=office");
    EXPECT_EQ(parsed.config.tls_security_level, 3);
    EXPECT_EQ(parsed.config.tls_cipher, "SUITEB128");
    EXPECT_EQ(parse(kMinimal + "verify-x509-name office name\n").config.verify_name_type,
              NameType::CommonName);
    EXPECT_EQ(parse(kMinimal + "verify-x509-name off name-prefix\n").config.verify_name_type,
              NameType::Prefix);
}

TEST(ServerConfig, FingerprintsInPlaceOfAnAuthority) {
    const std::string bytes = "00:11:22:33:44:55:66:77:88:99:aa:BB:cc:DD:ee:FF";
    const std::string fingerprint = bytes + ":" + bytes;
    const std::string own = "dev tun\nserver 10.8.0.0 255.255.255.0\ncert s.crt\nkey s.key\n";
    auto parsed = parse(own + "<peer-fingerprint>\n# alice\n " + fingerprint + " \n\n; bob\n" +
                        fingerprint + "\n</peer-fingerprint>\npeer-fingerprint " + fingerprint);
    ASSERT_TRUE(parsed.ok());
    ASSERT_EQ(parsed.config.fingerprints.size(), 3U);
    EXPECT_EQ(parsed.config.fingerprints[1][10], 0xaa);
    EXPECT_EQ(parsed.config.fingerprints[2][31], 0xff);
    EXPECT_THAT(described(own + "verify-client-cert none\npeer-fingerprint " + fingerprint),
                Contains(HasSubstr("that no client is asked for")));
    EXPECT_THAT(described(own + "crl-verify crl.pem\npeer-fingerprint " + fingerprint),
                Contains(HasSubstr("crl-verify without the authority")));
    for (std::string bad : {bytes, fingerprint + ":00", fingerprint.substr(1), bytes + "-" + bytes,
                            bytes + ":" + bytes.substr(0, 45) + "0g"})
        EXPECT_THAT(described(own + "peer-fingerprint " + bad),
                    Contains(HasSubstr("is no fingerprint")))
            << bad;
}

TEST(ServerConfig, UsersAndPrograms) {
    auto parsed = parse(kMinimal + "script-security 2\n"
                                   "auth-user-pass-verify \"/bin/sh '-c x'\" via-file\n"
                                   "client-connect /bin/true\n"
                                   "client-disconnect /bin/true\n"
                                   "learn-address /bin/true\n"
                                   "up \"/bin/true x\"\nroute-up /bin/true\ndown /bin/true\n"
                                   "username-as-common-name\n"
                                   "verify-client-cert optional\n"
                                   "auth-gen-token 3600 60\n"
                                   "auth-gen-token-secret token.key\n"
                                   "setenv A 1\nsetenv-safe B 2\nsetenv opt x\n");
    ASSERT_TRUE(parsed.ok());
    const auto& c = parsed.config;
    EXPECT_THAT(c.verify_user, ElementsAre("/bin/sh", "-c x"));
    EXPECT_FALSE(c.password_by_environment);
    EXPECT_THAT(c.client_connect, ElementsAre("/bin/true"));
    EXPECT_THAT(c.learn_address, ElementsAre("/bin/true"));
    EXPECT_THAT(c.up, ElementsAre("/bin/true", "x"));
    EXPECT_THAT(c.route_up, ElementsAre("/bin/true"));
    EXPECT_THAT(c.down, ElementsAre("/bin/true"));
    EXPECT_EQ(c.client_certificates, PeerCertificates::Optional);
    EXPECT_EQ(c.token_lifetime, 3600U);
    EXPECT_EQ(c.token_renewal, 60U);
    ASSERT_TRUE(c.token_key);
    EXPECT_EQ(c.token_key->view()[0], 0x78) << "the second half of the file's key";
    EXPECT_THAT(c.environment, ElementsAre(std::pair("A", "1"), std::pair("OPENVPN_B", "2")));

    const auto settings = server::core_settings(c);
    ASSERT_TRUE(settings.users && settings.users->tokens);
    EXPECT_TRUE(settings.users->as_common_name);
    EXPECT_EQ(settings.users->tokens->renewal, std::chrono::seconds(120)) << "one may be missed";
    EXPECT_TRUE(settings.hooks_connect);
    EXPECT_TRUE(settings.hooks_addresses);

    EXPECT_THAT(described(kMinimal + "script-security 2\nverify-client-cert none\n"
                                     "auth-user-pass-verify /bin/true via-file\n"),
                ElementsAre("f: warning: clients without a certificate are all of the name UNDEF "
                            "(username-as-common-name)"));
}

TEST(ServerConfig, TcpHasTheDaemonsDataPath) {
    for (const char* proto : {"tcp", "tcp4", "tcp-server", "tcp4-server", "tcp6", "tcp6-server"}) {
        auto parsed = parse(kMinimal + "proto " + proto + "\n");
        ASSERT_TRUE(parsed.ok()) << proto;
        EXPECT_TRUE(parsed.config.tcp);
        EXPECT_FALSE(parsed.config.kernel_data_path);
        EXPECT_EQ(parsed.config.ipv6, std::string(proto).starts_with("tcp6"));
        EXPECT_TRUE(server::core_settings(parsed.config).tcp);
    }
    EXPECT_THAT(described(kMinimal + "proto tcp\nnf-fastpath eager\n"),
                ElementsAre(HasSubstr("f:7: warning: nf-fastpath: ignored: with TCP")));
}

TEST(WatchedFile, IsReadAgainWhenItHasChanged) {
    log::set_level(log::Level::Off);
    char pattern[] = "/tmp/nf-ovpnd-test-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    const std::string path = std::string(pattern) + "/file";
    const auto write = [&](const std::string& text) { std::ofstream(path) << text; };
    WatchedFile file(path);
    ASSERT_FALSE(file.changed()) << "it is not there";
    EXPECT_FALSE(file.changed()) << "and is looked for each time";
    write("one");
    EXPECT_EQ(*file.changed(), "one");
    EXPECT_EQ(*file.changed(), std::nullopt);
    write("three");
    EXPECT_EQ(*file.changed(), "three");
    // The same size at the same time, yet another file.
    const auto before = std::filesystem::last_write_time(path);
    std::filesystem::rename(path, path + ".old");
    write("seven");
    std::filesystem::last_write_time(path, before);
    EXPECT_EQ(*file.changed(), "seven");
    std::filesystem::remove(path);
    EXPECT_EQ(file.changed().error().why, path + ": No such file or directory");
    std::filesystem::remove_all(pattern);
}

TEST(ServerConfig, StatusVersion) {
    EXPECT_EQ(parse(kMinimal).config.status_version, 1) << "OpenVPN's default";
    EXPECT_EQ(parse(kMinimal + "status-version 3\n").config.status_version, 3);
    EXPECT_THAT(described(kMinimal + "status-version 4\n"),
                ElementsAre(HasSubstr("f:6: error: status-version: \"4\" is not a number from 1")));
}

TEST(ServerConfig, ManagementInterface) {
    EXPECT_FALSE(parse(kMinimal).config.management);
    auto parsed = parse("cd /etc/vpn\n" + kMinimal +
                        "management /run/m unix pw\nmanagement-client-user root\n"
                        "management-client-group root\nmanagement-hold\nmanagement-signal\n"
                        "management-log-cache 300\n");
    ASSERT_TRUE(parsed.ok()) << describe("f", parsed.findings.at(0));
    const auto& m = parsed.config.management.value();
    EXPECT_EQ(m.socket_path, "/run/m");
    EXPECT_FALSE(m.listen);
    EXPECT_EQ(as_text(m.password.view()), "contents of /etc/vpn/pw");
    EXPECT_EQ(m.client_user, 0U);
    EXPECT_EQ(m.client_group, 0U);
    EXPECT_TRUE(m.hold);
    EXPECT_TRUE(m.restart_on_disconnect);
    EXPECT_EQ(m.log_cache, 300U);

    for (const auto& [words, expected] : std::map<std::string, std::string>{
             {"127.0.0.1 7505 pw", "127.0.0.1:7505"},
             {"localhost 7505 pw", "127.0.0.1:7505"},
             {"::1 7505 pw", "[::1]:7505"},
             {"127.9.9.9 1 pw", "127.9.9.9:1"},
         }) {
        auto tcp = parse(kMinimal + "management " + words + "\n");
        ASSERT_TRUE(tcp.ok()) << words;
        EXPECT_TRUE(tcp.findings.empty()) << words;
        EXPECT_EQ(to_string(tcp.config.management->listen.value()), expected);
        EXPECT_TRUE(tcp.config.management->socket_path.empty());
        EXPECT_FALSE(tcp.config.management->hold);
        EXPECT_EQ(tcp.config.management->log_cache, 250U);
    }
    // The first line alone, and the last option of that name.
    auto reader = [](const std::string&, std::string&) {
        return std::optional<std::string>("secret word\r\nmore\n");
    };
    auto lines = parse_server_config(
        kMinimal + "management /run/m unix\nmanagement /run/n unix pw\n", reader);
    EXPECT_EQ(as_text(lines.config.management.value().password.view()), "secret word");
    EXPECT_EQ(lines.config.management->socket_path, "/run/n");
    EXPECT_THAT(described(kMinimal + "management 127.0.0.1 7505\n"),
                ElementsAre(HasSubstr("f:6: warning: management: every user of this machine")));
}

TEST(ServerConfig, ManagementInterfaceRefusals) {
    auto no_password = [](const std::string& path, std::string&) {
        return std::optional<std::string>(path == "pw" ? "\nmore" : "x");
    };
    auto empty = parse_server_config(kMinimal + "management /run/m unix pw\n", no_password);
    ASSERT_EQ(empty.findings.size(), 1U);
    EXPECT_THAT(empty.findings[0].reason, HasSubstr("pw: the first line is empty"));

    for (const auto& [line, expected] : std::map<std::string, std::string>{
             {"management 192.0.2.1 7505", "f:6: error: management: everybody who reaches it"},
             {"management ::2 7505", "f:6: error: management: everybody who reaches it"},
             {"management tunnel 7505", "\"tunnel\" is neither an IPv4 nor an IPv6 address"},
             {"management 127.0.0.1 0", "\"0\" is not a number from 1 to 65535"},
             {"management 127.0.0.1 7505x", "is not a number from 1 to 65535"},
             {"management /run/m", "f:6: error: management: a word is missing"},
             {"management " + std::string(108, 'x') + " unix", "at most 107 bytes"},
             {"management /run/m unix missing", "cannot read missing: No such file or directory"},
             {"management /run/m unix stdin", "passwords are not asked for"},
             {"management-hold", "f:6: error: management-hold: there is no management interface"},
             {"management-log-cache 5", "there is no management interface"},
             {"management /run/m unix\nmanagement-log-cache 0", "not a number from 1 to 100000"},
             {"management /run/m unix\nmanagement-client-user no-such-user",
              "f:7: error: management-client-user: there is no user \"no-such-user\""},
             {"management /run/m unix\nmanagement-client-group no-such-group",
              "there is no group \"no-such-group\""},
             {"management 127.0.0.1 7505 pw\nmanagement-client-user root",
              "f:7: error: management-client-user: nobody can tell who connects by TCP"},
             {"management-client", "f:6: error: management-client: the management interface only"},
             {"management-client-auth", "management-client-auth: there is no management interface"},
             {"management-external-key", "f:6: error: management-external-key: not supported"},
             {"management-query-remote", "management-query-remote: only a client has it"},
         }) {
        auto text = kMinimal + line + "\n";
        EXPECT_FALSE(parse(text).ok()) << line;
        EXPECT_THAT(described(text), Contains(HasSubstr(expected))) << line;
    }
}

TEST(ServerConfig, Topologies) {
    const std::string rest = "dev tun\nca a\ncert b\nkey c\n";
    const auto good = [&](const std::string& text) {
        auto parsed = parse(rest + text);
        EXPECT_THAT(described(rest + text), IsEmpty());
        return std::move(parsed.config);
    };
    auto c = good("server 10.8.0.0 255.255.255.0\ntopology p2p\npush \"topology p2p\"\n");
    EXPECT_EQ(c.topology, wire::Topology::P2p);
    EXPECT_EQ(to_string(c.address), "10.8.0.1");
    EXPECT_EQ(to_string(c.pool_first), "10.8.0.4");
    EXPECT_EQ(to_string(c.pool_last), "10.8.0.251");
    EXPECT_EQ(to_string(*c.other_end), "10.8.0.2");
    ASSERT_EQ(c.routes.size(), 1U);
    EXPECT_EQ(to_string(c.routes[0].network), "10.8.0.0/24");
    EXPECT_THAT(c.push, ElementsAre("topology p2p", "topology p2p"));

    c = good("server 10.8.0.0 255.255.255.0\ntopology net30\n");
    EXPECT_EQ(to_string(c.pool_first), "10.8.0.6");
    EXPECT_EQ(to_string(c.pool_last), "10.8.0.250");
    EXPECT_THAT(c.push, ElementsAre("route 10.8.0.1", "topology net30"));
    c = good("server 10.8.0.0 255.255.255.248\ntopology net30\n");
    EXPECT_EQ(c.pool_first, c.pool_last);

    // Everything by hand.
    c = good("mode server\ntls-server\ntopology p2p\nifconfig 10.8.0.1 10.8.0.2\n"
             "ifconfig-pool 10.8.0.4 10.8.0.9\n");
    EXPECT_EQ(to_string(*c.other_end), "10.8.0.2");
    EXPECT_EQ(to_string(c.pool_last), "10.8.0.9");

    EXPECT_THAT(described(rest + "server 10.8.0.0 255.255.255.0\ntopology net30\n"
                                 "push \"topology subnet\"\n"),
                ElementsAre(HasSubstr(
                    "f:7: warning: push: left out: differs from this server's own \"topology "
                    "net30\"")));
    EXPECT_THAT(described(rest +
                          "mode server\ntls-server\ntopology p2p\n"
                          "ifconfig 10.8.0.1 255.255.255.0\nifconfig-pool 10.8.0.4 10.8.0.9\n"),
                ElementsAre(HasSubstr("is a netmask and not an address")));
    EXPECT_THAT(described(rest + "mode server\ntls-server\ntopology net30\n"
                                 "ifconfig 10.8.0.1 10.8.0.2\nifconfig-pool 10.8.0.4 10.8.0.6\n"),
                ElementsAre(HasSubstr("four addresses for each client")));
}

// ---- a single peer

namespace {

const std::string kPeer = "dev tun\ntls-server\nifconfig 10.4.0.1 10.4.0.2\nca ca.crt\ncert s.crt\n"
                          "key s.key\n";

} // namespace

TEST(PointToPointConfig, BothAddressesAreGiven) {
    auto parsed = parse(kPeer + "ifconfig-ipv6 fd00:4::1/112 fd00:4::2\nkeepalive 10 60\n"
                                "remote 198.51.100.7\nroute 10.50.0.0 255.255.0.0\n");
    ASSERT_TRUE(parsed.ok()) << describe("f", parsed.findings.at(0));
    EXPECT_THAT(parsed.findings, IsEmpty());
    const auto& c = parsed.config;
    EXPECT_TRUE(c.point_to_point);
    EXPECT_EQ(to_string(c.address), "10.4.0.1");
    EXPECT_EQ(to_string(c.pool_first), "10.4.0.2");
    EXPECT_EQ(c.pool_first, c.pool_last);
    EXPECT_EQ(to_string(*c.address6), "fd00:4::1/112");
    EXPECT_EQ(to_string(*c.remote), "198.51.100.7");
    EXPECT_EQ(c.ping, 10U);
    EXPECT_EQ(c.ping_restart, 60U);
    EXPECT_THAT(c.push, IsEmpty());

    const auto core = server::core_settings(c);
    EXPECT_TRUE(core.session.point_to_point);
    EXPECT_EQ(core.only_from, c.remote);
    EXPECT_EQ(core.restart_message, "");
    EXPECT_EQ(server::core_settings(parse(kPeer + "explicit-exit-notify\n").config).restart_message,
              "EXIT");
    EXPECT_TRUE(parse(kPeer + "mode p2p\ntopology net30\nproto udp6\nremote 2001:db8::1\n").ok());
    EXPECT_TRUE(parse(kPeer + "remote 2001:db8::1\n").config.ipv6);
}

TEST(PointToPointConfig, WhatIsOfManyClientsIsRefused) {
    EXPECT_THAT(described(kPeer + "ifconfig-pool 10.4.0.2 10.4.0.9\npush \"route 10.0.0.0\"\n"),
                testing::UnorderedElementsAre(HasSubstr("ifconfig-pool is for a server"),
                                              HasSubstr("push is for a server")));
    EXPECT_THAT(described(kPeer + "topology subnet\n"),
                ElementsAre(HasSubstr("f:7: error: topology: a point-to-point tunnel has two")));
    EXPECT_THAT(described("dev tun\ntls-server\nca a\ncert b\nkey c\n"),
                ElementsAre(HasSubstr("ifconfig LOCAL REMOTE for one peer")));
    EXPECT_THAT(described("dev tun\ntls-server\nca a\ncert b\nkey c\n"
                          "ifconfig 10.4.0.1 255.255.255.0\n"),
                ElementsAre(HasSubstr("255.255.255.0 is a netmask and not the peer's address")));
    EXPECT_THAT(described(kPeer + "remote vpn.example.net\n"),
                ElementsAre(HasSubstr("neither an IPv4 nor an IPv6 address")));
    EXPECT_THAT(described(kPeer + "ifconfig-ipv6 10.4.0.1\n"),
                ElementsAre(HasSubstr("f:7: error: ifconfig-ipv6")));
    EXPECT_THAT(described(kMinimal + "remote 198.51.100.7\n"),
                ElementsAre(HasSubstr("come from anywhere")));
}
