// SPDX-License-Identifier: GPL-2.0-or-later
//
// Status reports against whole texts: programs read them by the position of each field.

#include "server/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

using namespace nfovpn;
using namespace nfovpn::server;
using testing::HasSubstr;

namespace {

class StatusTest : public testing::Test {
protected:
    void SetUp() override {
        if (const char* zone = std::getenv("TZ"))
            zone_before = zone;
        setenv("TZ", "UTC", 1);
        tzset();

        report.title = "nf-ovpnd 1";
        report.unix_time = 1700000100;
        report.kernel_path = true;
        ClientStatus alice;
        alice.client_id = 7;
        alice.common_name = "alice";
        alice.username = "al";
        alice.remote = {Ipv4{0xc000020a}, 47273};
        alice.address = Ipv4{0x0a080002};
        alice.address6 = parse_ipv6("fd00:8::1000");
        alice.networks = {ipv4_prefix(Ipv4{0x0a320000}, 24), *parse_ipv6_prefix("fd00:50::/64")};
        alice.peer_id = 3;
        alice.connected_since = 1700000000;
        alice.connected_for = std::chrono::seconds(100);
        alice.rx_bytes = 10;
        alice.tx_bytes = 20;
        alice.tls = "TLSv1.3 X";
        alice.cipher = "AES-256-GCM";
        alice.data_path = "daemon";
        ClientStatus bob;
        bob.client_id = 9;
        bob.common_name = "b,o\tb\n";
        bob.remote = {*parse_ipv6("2001:db8::2"), 5};
        bob.address = Ipv4{0x0a080003};
        bob.connected_since = 1700000050;
        bob.cipher = "CHACHA20-POLY1305";
        report.clients = {alice, bob};
    }
    void TearDown() override {
        if (zone_before)
            setenv("TZ", zone_before->c_str(), 1);
        else
            unsetenv("TZ");
        tzset();
    }

    std::optional<std::string> zone_before;
    StatusReport report;
};

std::string with_tabs(std::string text) {
    for (char& letter : text) {
        if (letter == ',')
            letter = '\t';
    }
    return text;
}

} // namespace

TEST_F(StatusTest, Version1) {
    EXPECT_EQ(format_openvpn_status(report, 1),
              "OpenVPN CLIENT LIST\n"
              "Updated,2023-11-14 22:15:00\n"
              "Common Name,Real Address,Bytes Received,Bytes Sent,Connected Since\n"
              "alice,udp4:192.0.2.10:47273,10,20,2023-11-14 22:13:20\n"
              "b_o_b_,udp6:[2001:db8::2]:5,0,0,2023-11-14 22:14:10\n"
              "ROUTING TABLE\n"
              "Virtual Address,Common Name,Real Address,Last Ref\n"
              "10.8.0.2,alice,udp4:192.0.2.10:47273,2023-11-14 22:13:20\n"
              "fd00:8::1000,alice,udp4:192.0.2.10:47273,2023-11-14 22:13:20\n"
              "10.50.0.0/24,alice,udp4:192.0.2.10:47273,2023-11-14 22:13:20\n"
              "fd00:50::/64,alice,udp4:192.0.2.10:47273,2023-11-14 22:13:20\n"
              "10.8.0.3,b_o_b_,udp6:[2001:db8::2]:5,2023-11-14 22:14:10\n"
              "GLOBAL STATS\n"
              "Max bcast/mcast queue length,0\n"
              "END\n");
}

TEST_F(StatusTest, Version2And3) {
    const std::string head =
        "TITLE,nf-ovpnd 1\n"
        "TIME,2023-11-14 22:15:00,1700000100\n"
        "HEADER,CLIENT_LIST,Common Name,Real Address,Virtual Address,Virtual IPv6 Address,"
        "Bytes Received,Bytes Sent,Connected Since,Connected Since (time_t),Username,Client ID,"
        "Peer ID,Data Channel Cipher\n";
    const std::string rest =
        "HEADER,ROUTING_TABLE,Virtual Address,Common Name,Real Address,Last Ref,"
        "Last Ref (time_t)\n"
        "ROUTING_TABLE,10.8.0.2,alice,udp4:192.0.2.10:47273,2023-11-14 22:13:20,1700000000\n"
        "ROUTING_TABLE,fd00:8::1000,alice,udp4:192.0.2.10:47273,2023-11-14 22:13:20,1700000000\n"
        "ROUTING_TABLE,10.50.0.0/24,alice,udp4:192.0.2.10:47273,2023-11-14 22:13:20,1700000000\n"
        "ROUTING_TABLE,fd00:50::/64,alice,udp4:192.0.2.10:47273,2023-11-14 22:13:20,1700000000\n";
    const std::string end = "GLOBAL_STATS,Max bcast/mcast queue length,0\n"
                            "GLOBAL_STATS,dco_enabled,1\n"
                            "END\n";
    const std::string alice = "CLIENT_LIST,alice,udp4:192.0.2.10:47273,10.8.0.2,fd00:8::1000,10,20,"
                              "2023-11-14 22:13:20,1700000000,al,7,3,AES-256-GCM\n";
    EXPECT_EQ(format_openvpn_status(report, 2),
              head + alice +
                  "CLIENT_LIST,b_o_b_,udp6:[2001:db8::2]:5,10.8.0.3,,0,0,2023-11-14 22:14:10,"
                  "1700000050,UNDEF,9,0,CHACHA20-POLY1305\n" +
                  rest +
                  "ROUTING_TABLE,10.8.0.3,b_o_b_,udp6:[2001:db8::2]:5,2023-11-14 22:14:10,"
                  "1700000050\n" +
                  end);
    report.clients.pop_back();
    EXPECT_EQ(format_openvpn_status(report, 3), with_tabs(head + alice + rest + end));
    report.kernel_path = false;
    EXPECT_THAT(format_openvpn_status(report, 2), HasSubstr("\nGLOBAL_STATS,dco_enabled,0\n"));
}

TEST_F(StatusTest, ATabInANameIsNoNewFieldAndACommaMayStay) {
    EXPECT_THAT(format_openvpn_status(report, 3), HasSubstr("CLIENT_LIST\tb,o_b_\tudp6:"));
}

TEST_F(StatusTest, OurOwnHasOneLineAClientAndOneACounter) {
    report.clients[0].peer_id = 0;
    report.user_drops.push_back({"drops.replay", 2});
    report.kernel.push_back({"drops.replay", 3});
    auto text = format_status(report);
    EXPECT_THAT(text, testing::StartsWith("TITLE,nf-ovpnd 1\nTIME,2023-11-14 22:15:00\n"));
    EXPECT_THAT(text, HasSubstr("CLIENT_LIST,alice,192.0.2.10:47273,10.8.0.2,0,10,20,100,0,"
                                "TLSv1.3 X,AES-256-GCM,daemon\n"));
    EXPECT_THAT(text, HasSubstr("CLIENT_LIST,b_o_b_,"));
    EXPECT_THAT(text, HasSubstr("GLOBAL_STATS,clients,2\n"));
    EXPECT_THAT(text, HasSubstr("GLOBAL_STATS,daemon drops.replay,2\n"));
    EXPECT_THAT(text, HasSubstr("GLOBAL_STATS,kernel drops.replay,3\n"));
    EXPECT_THAT(text, testing::EndsWith("END\n"));
}

TEST(RealAddress, HasTheTransport) {
    ClientStatus client;
    client.remote = {Ipv4{0xc000020a}, 47273};
    EXPECT_EQ(real_address(client), "udp4:192.0.2.10:47273");
    client.tcp = true;
    EXPECT_EQ(real_address(client), "tcp4-server:192.0.2.10:47273");
    client.remote.address = *parse_ipv6("2001:db8::2");
    EXPECT_EQ(real_address(client), "tcp6-server:[2001:db8::2]:47273");
}
