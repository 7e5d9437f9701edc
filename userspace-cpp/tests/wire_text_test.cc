// SPDX-License-Identifier: GPL-2.0-or-later
//
// Peer info, options strings and control messages: text that the peer wrote.

#include "wire/peer_info.h"
#include "wire/push.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nfovpn;
using namespace nfovpn::wire;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(PeerInfo, ReadsWhatDrivesTheNegotiation) {
    auto info = parse_peer_info("IV_VER=2.7.8\nIV_PLAT=linux\nIV_TCPNL=1\nIV_MTU=1600\nIV_NCP=2\n"
                                "IV_CIPHERS=AES-256-GCM:CHACHA20-POLY1305\nIV_PROTO=990\n"
                                "IV_LZO_STUB=1\nIV_COMP_STUB=1\nIV_COMP_STUBv2=1\n");
    EXPECT_EQ(info.version, "2.7.8");
    EXPECT_EQ(info.platform, "linux");
    EXPECT_EQ(info.proto, 990U);
    EXPECT_TRUE(info.proto & IV_PROTO_TLS_KEY_EXPORT);
    EXPECT_TRUE(info.proto & IV_PROTO_CC_EXIT_NOTIFY);
    EXPECT_EQ(info.ncp, 2);
    EXPECT_EQ(info.max_tun_mtu, 1600U);
    EXPECT_TRUE(info.lzo_stub);
    EXPECT_TRUE(info.stub);
    EXPECT_TRUE(info.stub_v2);
    EXPECT_TRUE(parse_peer_info("IV_LZO=1\n").lzo_stub) << "who can compress can leave it";
    EXPECT_FALSE(parse_peer_info("IV_LZO=0\nIV_COMP_STUB=2\n").stub);
    EXPECT_THAT(info.ciphers, ElementsAre("AES-256-GCM", "CHACHA20-POLY1305"));
}

TEST(PeerInfo, NonsenseIsLeftOut) {
    auto info = parse_peer_info("IV_PROTO=99999999999\nIV_MTU=12x\n=\nIV_CIPHERS\nIV_CIPHERS=::\n"
                                "IV_VER=\x1b[31mred");
    EXPECT_EQ(info.proto, 0U);
    EXPECT_EQ(info.max_tun_mtu, 0U);
    EXPECT_THAT(info.ciphers, IsEmpty());
    EXPECT_EQ(info.version, "_[31mred");
    std::string many = "IV_CIPHERS=";
    for (int i = 0; i < 1000; i++)
        many += "X:";
    EXPECT_LE(parse_peer_info(many).ciphers.size(), 64U);
}

TEST(OptionsString, ValueByWholeName) {
    constexpr auto options = "V4,dev-type tun,cipher AES-256-GCM,comp-lzo,keysize 256";
    EXPECT_EQ(option_value(options, "cipher"), "AES-256-GCM");
    EXPECT_EQ(option_value(options, "comp-lzo"), "");
    EXPECT_FALSE(option_value(options, "key"));
    EXPECT_FALSE(option_value(options, "auth"));
}

TEST(Push, ShortReplyIsOneMessage) {
    const std::vector<std::string> options = {"route-gateway 10.8.0.1", "peer-id 0"};
    auto messages = build_push_reply(options);
    ASSERT_TRUE(messages);
    EXPECT_THAT(*messages, ElementsAre("PUSH_REPLY,route-gateway 10.8.0.1,peer-id 0"));
    EXPECT_EQ(parse_push_reply(messages->front()), options);
}

TEST(Push, LongReplyIsContinuedAndNothingIsLost) {
    std::vector<std::string> options;
    for (int i = 0; i < 100; i++)
        options.push_back("route 10." + std::to_string(i) + ".0.0 255.255.0.0");
    auto messages = build_push_reply(options);
    ASSERT_TRUE(messages);
    ASSERT_GT(messages->size(), 2U);
    std::vector<std::string> back;
    for (std::size_t i = 0; i < messages->size(); i++) {
        EXPECT_LE((*messages)[i].size(), kMaxSentMessage);
        auto parsed = parse_push_reply((*messages)[i]);
        ASSERT_FALSE(parsed.empty());
        EXPECT_EQ(parsed.back(),
                  i + 1 < messages->size() ? "push-continuation 2" : "push-continuation 1");
        back.insert(back.end(), parsed.begin(), parsed.end() - 1);
    }
    EXPECT_EQ(back, options);
}

TEST(Push, AnOptionLongerThanAMessageIsAnError) {
    const std::vector<std::string> options = {"setenv X " + std::string(kMaxSentMessage, 'y')};
    auto messages = build_push_reply(options);
    ASSERT_FALSE(messages);
    EXPECT_EQ(messages.error().option, options.front());
}

TEST(MessageSplitter, PiecesAndSeveralAtOnce) {
    MessageSplitter splitter;
    EXPECT_TRUE(splitter.feed(as_bytes("PUSH_")));
    EXPECT_THAT(splitter.take(), IsEmpty());
    EXPECT_TRUE(splitter.feed(as_bytes(std::string_view("REQUEST\0\0EXIT\0half", 18))));
    EXPECT_THAT(splitter.take(), ElementsAre("PUSH_REQUEST", "EXIT"));
    EXPECT_TRUE(splitter.feed(as_bytes(std::string_view("\0", 1))));
    EXPECT_THAT(splitter.take(), ElementsAre("half"));
}

TEST(MessageSplitter, MessagesThatNobodyTakesAreBounded) {
    MessageSplitter splitter;
    const std::string message("a\0", 2);
    for (std::size_t i = 0; i < kMaxWaitingMessages; i++)
        EXPECT_TRUE(splitter.feed(as_bytes(message)));
    EXPECT_FALSE(splitter.feed(as_bytes(message)));
    EXPECT_EQ(splitter.take().size(), kMaxWaitingMessages);
    EXPECT_TRUE(splitter.feed(as_bytes(message)));
}

TEST(MessageSplitter, EndlessMessageIsRefused) {
    MessageSplitter splitter;
    const std::string chunk(1000, 'x');
    for (int i = 0; i < 4; i++)
        EXPECT_TRUE(splitter.feed(as_bytes(chunk)));
    EXPECT_FALSE(splitter.feed(as_bytes(chunk)));
}
