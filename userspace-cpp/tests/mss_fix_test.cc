// SPDX-License-Identifier: GPL-2.0-or-later
//
// mssfix: figures that stock OpenVPN prints for the same options ("mss_fix:" at verb 4), and the
// edges.

#include "util/mss_fix.h"

#include <gtest/gtest.h>

using namespace nfovpn;

namespace {

constexpr MssFix kDefault = {1492, MssFix::Of::OuterPacket};
constexpr DataFormat kGcm = {DataCipher::Aes256Gcm, DataAuth::None, false};
constexpr DataFormat kEpoch = {DataCipher::Aes256Gcm, DataAuth::None, true};
constexpr DataFormat kCbcSha1 = {DataCipher::Aes256Cbc, DataAuth::Sha1, false};
constexpr DataFormat kCbcSha256 = {DataCipher::Aes128Cbc, DataAuth::Sha256, false};
constexpr DataFormat kPlain = {DataCipher::None, DataAuth::None, false};

std::uint16_t mss(const MssFix& fix, const DataFormat& format, Framing framing = Framing::None) {
    return tcp_mss(fix, format, framing, false, {});
}

} // namespace

TEST(MssFix, Aead) {
    // 1492 less 28 outer, 4 header, 4 packet ID, 16 tag, 40 inner
    EXPECT_EQ(mss(kDefault, kGcm), 1400);
    EXPECT_EQ(mss(kDefault, {DataCipher::ChaCha20Poly1305}), 1400);
    EXPECT_EQ(mss(kDefault, kEpoch), 1396) << "a packet ID of 8 bytes";
    EXPECT_EQ(mss({1492, MssFix::Of::Payload}, kGcm), 1428);
    EXPECT_EQ(tcp_mss(kDefault, kGcm, Framing::None, true, {}), 1403) << "P_DATA_V1";
}

TEST(MssFix, Fragments) {
    constexpr MssFix kLimit = {1300, MssFix::Of::Payload};
    // 1300 less 4 header, 4 packet ID, 16 tag, 4 fragment
    EXPECT_EQ(fragment_size(kLimit, kGcm, false, {}), 1272);
    EXPECT_EQ(fragment_size({1300, MssFix::Of::OuterPacket}, kGcm, false, {}), 1244);
    EXPECT_EQ(fragment_size({0, MssFix::Of::Payload}, kGcm, false, {}), 0) << "none";
    // 1300 less 4 header, 20 HMAC, 16 IV is 1260: 78 blocks, one byte of padding, 4 packet ID, 4
    EXPECT_EQ(fragment_size(kLimit, kCbcSha1, false, {}), 1239);
}

TEST(MssFix, OfAFrame) {
    auto tap = kDefault;
    tap.ahead = 14;
    EXPECT_EQ(mss(tap, kGcm), 1386);
    tap.of = MssFix::Of::InnerPacket;
    EXPECT_EQ(mss(tap, kGcm), 1452) << "it is about the packet in it";
}

TEST(MssFix, OuterIpv6Costs20MoreWhereItCounts) {
    EXPECT_EQ(tcp_mss(kDefault, kGcm, Framing::None, false, {.ipv6 = true, .tcp = false}), 1380);
    EXPECT_EQ(tcp_mss({1492, MssFix::Of::Payload}, kGcm, Framing::None, false,
                      {.ipv6 = true, .tcp = false}),
              1428);
    EXPECT_EQ(tcp_mss(kDefault, kGcm, Framing::None, false, {.ipv6 = false, .tcp = true}), 1386);
    EXPECT_EQ(tcp_mss({1492, MssFix::Of::Payload}, kGcm, Framing::None, false,
                      {.ipv6 = false, .tcp = true}),
              1426);
    EXPECT_EQ(tcp_mss({1400, MssFix::Of::InnerPacket}, kGcm, Framing::None, false,
                      {.ipv6 = true, .tcp = false}),
              1360);
}

TEST(MssFix, CbcFillsWholeBlocks) {
    // 1492 - 28 - 4 - 16 IV - 20 HMAC = 1424, 89 blocks; 1 for padding, 4 packet ID, 40 inner
    EXPECT_EQ(mss(kDefault, kCbcSha1), 1379);
    // 1492 - 28 - 4 - 16 - 32 = 1412, 88 blocks are 1408
    EXPECT_EQ(mss(kDefault, kCbcSha256), 1363);
    EXPECT_EQ(mss(kDefault, kPlain), 1416);
}

TEST(MssFix, FramingCostsAByteOrNone) {
    EXPECT_EQ(mss(kDefault, kGcm, Framing::Stub), 1399);
    EXPECT_EQ(mss(kDefault, kGcm, Framing::StubSwap), 1399);
    EXPECT_EQ(mss(kDefault, kGcm, Framing::StubV2), 1400);
    EXPECT_EQ(mss(kDefault, kCbcSha1, Framing::Stub), 1378);
}

TEST(MssFix, FixedLooksAtTheInnerPacketOnly) {
    constexpr MssFix fixed = {1400, MssFix::Of::InnerPacket};
    EXPECT_EQ(mss(fixed, kGcm), 1360);
    EXPECT_EQ(mss(fixed, kCbcSha1, Framing::Stub), 1360);
}

TEST(MssFix, EdgesStaySane) {
    EXPECT_EQ(mss({0, MssFix::Of::OuterPacket}, kGcm), 0) << "0 is for none";
    EXPECT_EQ(mss({154, MssFix::Of::OuterPacket}, kCbcSha256), 19);
    EXPECT_EQ(mss({60, MssFix::Of::OuterPacket}, kCbcSha256), 1);
    EXPECT_EQ(mss({65535, MssFix::Of::InnerPacket}, kGcm), 65495);
}
