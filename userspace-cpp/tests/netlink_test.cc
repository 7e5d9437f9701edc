// SPDX-License-Identifier: GPL-2.0-or-later
//
// Netlink messages without a kernel: what is built can be read back, and notifications are
// understood, or left alone when they are about something else or damaged.

#include "netlink/nf_ovpn.h"
#include "server/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/nf_ovpn.h>

using namespace nfovpn;
using namespace nfovpn::netlink;
using testing::HasSubstr;

namespace {

constexpr unsigned kDevice = 7;

class Ntf : public Message {
public:
    explicit Ntf(std::uint8_t command, unsigned device = kDevice) : Message(30, 0) {
        header<genlmsghdr>().cmd = command;
        u32(NF_OVPN_A_IFINDEX, device);
    }
};

} // namespace

TEST(NetlinkMessage, AttributesComeBack) {
    Message m(30, 0);
    m.header<genlmsghdr>();
    const Bytes raw = {1, 2, 3, 4, 5};
    m.u8(1, 200).u16(2, 60000).u32(3, 4000000000U).bytes(4, raw).text(5, "name");
    m.nest(6, [&] { m.u32(1, 42); });
    Attributes a(m.get(), sizeof(genlmsghdr));
    EXPECT_EQ(a.number(1), 200U);
    EXPECT_EQ(a.number(2), 60000U);
    EXPECT_EQ(a.number(3), 4000000000U);
    EXPECT_FALSE(a.number(4)) << "five bytes are no number";
    EXPECT_EQ(a.bytes(4)->size(), 5U);
    EXPECT_EQ(a.text(5), "name");
    ASSERT_NE(a.find(6), nullptr);
    EXPECT_EQ(Attributes(a.find(6)).number(1), 42U);
    EXPECT_FALSE(a.number(7));
}

TEST(Notification, PeerDeleted) {
    Ntf m(NF_OVPN_CMD_PEER_DEL_NTF);
    m.nest(NF_OVPN_A_PEER, [&] {
        m.u32(NF_OVPN_A_PEER_ID, 5);
        m.u32(NF_OVPN_A_PEER_DEL_REASON, NF_OVPN_DEL_PEER_REASON_EXPIRED);
    });
    auto n = parse_notification(m.get(), kDevice);
    ASSERT_TRUE(n);
    auto* deleted = std::get_if<PeerDelNtf>(&*n);
    ASSERT_NE(deleted, nullptr);
    EXPECT_EQ(deleted->id, 5U);
    EXPECT_EQ(deleted->reason, unsigned{NF_OVPN_DEL_PEER_REASON_EXPIRED});
    EXPECT_FALSE(parse_notification(m.get(), kDevice + 1)) << "another device";
}

TEST(Notification, PeerFloated) {
    Ntf m(NF_OVPN_CMD_PEER_FLOAT_NTF);
    m.nest(NF_OVPN_A_PEER, [&] {
        m.u32(NF_OVPN_A_PEER_ID, 5);
        m.u32(NF_OVPN_A_PEER_REMOTE_IPV4, htonl(0xc0000201));
        m.u16(NF_OVPN_A_PEER_REMOTE_PORT, htons(1234));
    });
    auto n = parse_notification(m.get(), kDevice);
    ASSERT_TRUE(n);
    auto* floated = std::get_if<PeerFloatNtf>(&*n);
    ASSERT_NE(floated, nullptr);
    EXPECT_EQ(to_string(floated->remote), "192.0.2.1:1234");
}

TEST(Notification, KeyNearItsLimit) {
    Ntf m(NF_OVPN_CMD_KEY_LIMIT_NTF);
    m.nest(NF_OVPN_A_KEYCONF, [&] {
        m.u32(NF_OVPN_A_KEYCONF_PEER_ID, 9);
        m.u32(NF_OVPN_A_KEYCONF_KEY_ID, 3);
    });
    auto n = parse_notification(m.get(), kDevice);
    ASSERT_TRUE(n);
    auto* limit = std::get_if<KeyLimitNtf>(&*n);
    ASSERT_NE(limit, nullptr);
    EXPECT_EQ(limit->peer_id, 9U);
    EXPECT_EQ(limit->key_id, 3);
}

TEST(Notification, OthersAndDamagedOnesAreLeftAlone) {
    Ntf other(NF_OVPN_CMD_PEER_NEW);
    other.nest(NF_OVPN_A_PEER, [&] { other.u32(NF_OVPN_A_PEER_ID, 5); });
    EXPECT_FALSE(parse_notification(other.get(), kDevice));

    Ntf bare(NF_OVPN_CMD_PEER_DEL_NTF);
    EXPECT_FALSE(parse_notification(bare.get(), kDevice));

    // Cut short anywhere, it is not understood, or understood without the missing part.
    Ntf m(NF_OVPN_CMD_PEER_FLOAT_NTF);
    m.nest(NF_OVPN_A_PEER, [&] {
        m.u32(NF_OVPN_A_PEER_ID, 5);
        m.u32(NF_OVPN_A_PEER_REMOTE_IPV4, htonl(0xc0000201));
    });
    auto full = m.get()->nlmsg_len;
    for (auto length = full; length > 0; length--) {
        m.get()->nlmsg_len = length - 1;
        EXPECT_FALSE(parse_notification(m.get(), kDevice)) << length - 1;
    }
}

TEST(Status, OneLineAClientAndOneACounter) {
    server::StatusReport report;
    report.time = "now";
    server::ClientStatus client;
    client.common_name = "a,b";
    client.remote = {Ipv4{0xc0000201}, 5};
    client.address = Ipv4{0x0a080002};
    client.rx_bytes = 10;
    client.tx_bytes = 20;
    client.connected_for = std::chrono::seconds(61);
    client.tls = "TLSv1.3 X";
    client.cipher = "AES-256-GCM";
    report.clients.push_back(client);
    report.kernel.push_back({"drops.replay", 3});
    auto text = format_status(report);
    EXPECT_THAT(text, HasSubstr("CLIENT_LIST,a_b,192.0.2.1:5,10.8.0.2,0,10,20,61,0,TLSv1.3 X,"
                                "AES-256-GCM\n"));
    EXPECT_THAT(text, HasSubstr("GLOBAL_STATS,clients,1\n"));
    EXPECT_THAT(text, HasSubstr("GLOBAL_STATS,kernel drops.replay,3\n"));
    EXPECT_THAT(text, testing::EndsWith("END\n"));
}
