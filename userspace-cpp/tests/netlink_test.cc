// SPDX-License-Identifier: GPL-2.0-or-later
//
// Netlink messages without a kernel: what is built can be read back, and notifications are
// understood, or left alone when they are about something else or damaged.

#include "netlink/nf_ovpn.h"
#include "session/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/nf_ovpn.h>

#include <cerrno>
#include <functional>

using namespace nfovpn;
using namespace nfovpn::netlink;

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

// What does not fit is not written, whatever it is, and nothing behind it either.
TEST(NetlinkMessage, ThatIsTooLongIsIncompleteAndNotSent) {
    const Bytes large(3000);
    const auto fill = [&](Message& m) {
        m.header<genlmsghdr>();
        m.bytes(1, large);
    };
    const std::function<void(Message&)> parts[] = {
        [&](Message& m) { m.bytes(2, large); },
        [&](Message& m) { m.text(2, std::string(3000, 'x')); },
        [&](Message& m) { m.nest(2, [&] { m.bytes(1, large); }); },
        [&](Message& m) { m.bytes(2, Bytes(70000)); },
        [&](Message& m) {
            for (int i = 0; i < 1000; i++)
                m.nest(2, [] {});
        },
        [&](Message& m) {
            for (int i = 0; i < 1000; i++)
                m.u8(2, 1).u16(3, 1).u32(4, 1).u64(5, 1).flag(6);
        },
    };
    Socket socket(NETLINK_ROUTE);
    for (const auto& part : parts) {
        Message m(30, 0);
        fill(m);
        EXPECT_FALSE(m.incomplete());
        part(m);
        EXPECT_TRUE(m.incomplete());
        const auto length = m.get()->nlmsg_len;
        EXPECT_LE(length, 4096U);
        m.u8(7, 1).nest(8, [] {});
        EXPECT_EQ(m.get()->nlmsg_len, length) << "something follows a hole";
        const auto failed = socket.request(m);
        ASSERT_TRUE(failed);
        EXPECT_EQ(failed->code, EMSGSIZE);
        EXPECT_EQ(failed->what, "the request is too long");
    }
}

// From some 130 on it wrote past the end of its buffer.
TEST(PeerRequest, AnyNumberOfNetworks) {
    for (const std::uint32_t count : {1U, 64U, 130U, 1000U, 5000U}) {
        netlink::PeerRequest peer;
        for (std::uint32_t i = 0; i < count; i++)
            peer.networks.push_back(
                ipv6_prefix(Ipv6{parse_ipv6_prefix("fd00:1::/32")->address} + i, 128));
        Message m(30, 0, netlink::request_size(count));
        m.header<genlmsghdr>();
        put_peer(m, peer);
        EXPECT_EQ(m.incomplete(), count > 1000) << count;
    }
}

TEST(PeerRequest, HasWhatDiffersFromTheDefault) {
    netlink::PeerRequest plain;
    plain.id = 5;
    plain.vpn_address = *parse_ipv4("10.8.0.2");
    Message first(30, 0);
    first.header<genlmsghdr>();
    put_peer(first, plain);
    const auto* nest = Attributes(first.get(), sizeof(genlmsghdr)).find(NF_OVPN_A_PEER);
    ASSERT_NE(nest, nullptr);
    EXPECT_EQ(Attributes(nest).number(NF_OVPN_A_PEER_ID), 5U);
    for (auto absent : {NF_OVPN_A_PEER_VPN_IPV6, NF_OVPN_A_PEER_NETWORK, NF_OVPN_A_PEER_TCP_MSS,
                        NF_OVPN_A_PEER_FRAMING, NF_OVPN_A_PEER_DATA_V1})
        EXPECT_EQ(Attributes(nest).find(static_cast<std::uint16_t>(absent)), nullptr) << absent;

    auto full = plain;
    full.vpn_address6 = Ipv6{parse_ipv6_prefix("fd00:8::/64")->address} + 2;
    full.networks = {ipv4_prefix(*parse_ipv4("10.1.0.0"), 16), *parse_ipv6_prefix("fd00:1::/32")};
    full.data_v1 = true;
    full.framing = Framing::StubSwap;
    full.tcp_mss = 1400;
    Message second(30, 0);
    second.header<genlmsghdr>();
    put_peer(second, full);
    Attributes peer(Attributes(second.get(), sizeof(genlmsghdr)).find(NF_OVPN_A_PEER));
    EXPECT_EQ(peer.number(NF_OVPN_A_PEER_TCP_MSS), 1400U);
    auto address6 = peer.bytes(NF_OVPN_A_PEER_VPN_IPV6);
    ASSERT_TRUE(address6);
    EXPECT_EQ(Bytes(address6->begin(), address6->end()),
              (Bytes{0xfd, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}));
    EXPECT_EQ(peer.bytes(NF_OVPN_A_PEER_TCP_MSS)->size(), 2U);
    EXPECT_EQ(peer.number(NF_OVPN_A_PEER_FRAMING), unsigned{NF_OVPN_FRAMING_STUB_SWAP});
    ASSERT_NE(peer.find(NF_OVPN_A_PEER_DATA_V1), nullptr);
    EXPECT_EQ(peer.bytes(NF_OVPN_A_PEER_DATA_V1)->size(), 0U);
    std::vector<std::pair<Bytes, std::uint64_t>> networks;
    peer.each([&](const nlattr* attribute) {
        if ((attribute->nla_type & NLA_TYPE_MASK) != NF_OVPN_A_PEER_NETWORK)
            return;
        Attributes network(attribute);
        auto v4 = network.bytes(NF_OVPN_A_NETWORK_IPV4);
        auto address = v4 ? v4 : network.bytes(NF_OVPN_A_NETWORK_IPV6);
        ASSERT_TRUE(address);
        networks.emplace_back(Bytes(address->begin(), address->end()),
                              *network.number(NF_OVPN_A_NETWORK_PREFIX_LEN));
    });
    const Bytes v6 = {0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    EXPECT_THAT(networks,
                testing::ElementsAre(testing::Pair(Bytes{10, 1, 0, 0}, 16), testing::Pair(v6, 32)));
}

TEST(PeerRequest, NetworksAreReplacedAsAWhole) {
    for (const bool none : {false, true}) {
        Message message(30, 0);
        message.header<genlmsghdr>();
        put_networks(message, 7,
                     none ? std::vector<Prefix>{}
                          : std::vector<Prefix>{ipv4_prefix(*parse_ipv4("10.1.0.0"), 16)});
        Attributes peer(Attributes(message.get(), sizeof(genlmsghdr)).find(NF_OVPN_A_PEER));
        EXPECT_EQ(peer.number(NF_OVPN_A_PEER_ID), 7U);
        EXPECT_EQ(peer.find(NF_OVPN_A_PEER_NETWORK) == nullptr, none);
        EXPECT_EQ(peer.find(NF_OVPN_A_PEER_NO_NETWORKS) != nullptr, none);
    }
}

// The only peer of its instance needs no address.
TEST(PeerRequest, OfOneThatOwnsEverything) {
    netlink::PeerRequest only;
    only.owns_everything = true;
    Message message(30, 0);
    message.header<genlmsghdr>();
    put_peer(message, only);
    Attributes peer(Attributes(message.get(), sizeof(genlmsghdr)).find(NF_OVPN_A_PEER));
    EXPECT_EQ(peer.find(NF_OVPN_A_PEER_VPN_IPV4), nullptr);
    EXPECT_NE(peer.find(NF_OVPN_A_PEER_ID), nullptr);
}

// What the kernel wants of each format, and no attribute more: it refuses what does not belong.
TEST(KeyRequest, HasWhatTheFormatNeeds) {
    struct Case {
        DataFormat format;
        std::uint64_t cipher;
        std::optional<std::uint64_t> auth;
        std::size_t key;
        bool nonce_tail;
        std::size_t auth_key;
        std::optional<std::uint64_t> key_bits;
        bool insecure;
    };
    const Case cases[] = {
        {{DataCipher::Aes192Gcm}, NF_OVPN_CIPHER_ALG_AES_GCM, {}, 24, true, 0, {}, false},
        {{DataCipher::ChaCha20Poly1305},
         NF_OVPN_CIPHER_ALG_CHACHA20_POLY1305,
         {},
         32,
         true,
         0,
         {},
         false},
        {{DataCipher::Aes128Gcm, DataAuth::None, true},
         NF_OVPN_CIPHER_ALG_AES_GCM,
         {},
         32,
         false,
         0,
         128,
         false},
        {{DataCipher::Aes256Cbc, DataAuth::Sha256},
         NF_OVPN_CIPHER_ALG_AES_CBC,
         NF_OVPN_AUTH_ALG_HMAC_SHA256,
         32,
         false,
         32,
         {},
         false},
        {{DataCipher::Aes128Cbc, DataAuth::Sha1},
         NF_OVPN_CIPHER_ALG_AES_CBC,
         NF_OVPN_AUTH_ALG_HMAC_SHA1,
         16,
         false,
         20,
         {},
         false},
        {{DataCipher::None, DataAuth::None}, NF_OVPN_CIPHER_ALG_NONE, {}, 0, false, 0, {}, true},
    };
    session::KeyMaterial material;
    for (const auto& c : cases) {
        SCOPED_TRACE(cipher_name(c.format.cipher));
        Message m(30, 0);
        m.header<genlmsghdr>();
        put_key(m, 9, KeySlot::Secondary, 3,
                session::slice_keys(material, c.format, wire::Role::Server));
        Attributes key(Attributes(m.get(), sizeof(genlmsghdr)).find(NF_OVPN_A_KEYCONF));
        EXPECT_EQ(key.number(NF_OVPN_A_KEYCONF_PEER_ID), 9U);
        EXPECT_EQ(key.number(NF_OVPN_A_KEYCONF_SLOT), unsigned{NF_OVPN_KEY_SLOT_SECONDARY});
        EXPECT_EQ(key.number(NF_OVPN_A_KEYCONF_KEY_ID), 3U);
        EXPECT_EQ(key.number(NF_OVPN_A_KEYCONF_CIPHER_ALG), c.cipher);
        EXPECT_EQ(key.number(NF_OVPN_A_KEYCONF_AUTH_ALG), c.auth);
        EXPECT_EQ(key.find(NF_OVPN_A_KEYCONF_EPOCHS) != nullptr, c.format.epochs);
        EXPECT_EQ(key.number(NF_OVPN_A_KEYCONF_KEY_BITS), c.key_bits);
        EXPECT_EQ(key.find(NF_OVPN_A_KEYCONF_INSECURE) != nullptr, c.insecure);
        for (auto direction : {NF_OVPN_A_KEYCONF_ENCRYPT_DIR, NF_OVPN_A_KEYCONF_DECRYPT_DIR}) {
            Attributes dir(key.find(static_cast<std::uint16_t>(direction)));
            EXPECT_EQ(dir.bytes(NF_OVPN_A_KEYDIR_CIPHER_KEY).value_or(ByteView()).size(), c.key);
            EXPECT_EQ(dir.bytes(NF_OVPN_A_KEYDIR_NONCE_TAIL).value_or(ByteView()).size(),
                      c.nonce_tail ? 8U : 0U);
            EXPECT_EQ(dir.bytes(NF_OVPN_A_KEYDIR_AUTH_KEY).value_or(ByteView()).size(), c.auth_key);
        }
    }
}

// What key-new is told of a key that was used is what key-release says of one.
TEST(KeyRequest, StateThereAndBack) {
    const KeyState state{(std::uint64_t{3} << 48) + 7, 1234567890123, 0xffffffff, Bytes(248, 0x5a)};
    DataKeys keys;
    Message m(30, 0);
    m.header<genlmsghdr>();
    put_key(m, 5, KeySlot::Primary, 2, keys, &state);
    auto back = parse_key_state(m.get());
    ASSERT_TRUE(back);
    EXPECT_EQ(back->sent, state.sent);
    EXPECT_EQ(back->blocks, state.blocks);
    EXPECT_EQ(back->received, state.received);
    EXPECT_EQ(back->window, state.window);
    Message without(30, 0);
    without.header<genlmsghdr>();
    put_key(without, 5, KeySlot::Primary, 2, keys);
    EXPECT_FALSE(parse_key_state(without.get()));
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
