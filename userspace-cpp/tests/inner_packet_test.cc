// SPDX-License-Identifier: GPL-2.0-or-later
//
// Packets inside the tunnel: addresses, the MSS of TCP with its checksum, framing, and whose an
// address is.

#include "dataplane/inner_packet.h"
#include "dataplane/peer_routes.h"

#include <gtest/gtest.h>

#include <lz4.h>
#include <lzo/lzo1x.h>

using namespace nfovpn;
using namespace nfovpn::dataplane;

namespace {

Bytes join(std::initializer_list<Bytes> parts) {
    Bytes out;
    for (const auto& part : parts)
        out.insert(out.end(), part.begin(), part.end());
    return out;
}

const Bytes kIpv4Tcp = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 8, 0, 2, 10, 99, 0, 1};

Bytes ipv6(std::uint8_t next) {
    Bytes out(40);
    out[0] = 0x60;
    out[6] = next;
    out[23] = 2;
    out[39] = 1;
    return out;
}

// A TCP header of these options, with a checksum that fits (over the header alone, as the rest of
// the sum does not change).
Bytes tcp(std::uint8_t flags, const Bytes& options) {
    Bytes out(20);
    out[0] = 0x12;
    out[5] = 0x77;
    out[12] = static_cast<std::uint8_t>((20 + options.size()) / 4 << 4);
    out[13] = flags;
    return join({out, options});
}

std::uint16_t sum_of(ByteView bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 2)
        sum += static_cast<std::uint32_t>(bytes[i]) << 8 | bytes[i + 1];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}

// Puts the checksum in.
void seal_tcp(Bytes& packet, std::size_t at) {
    const auto sum = static_cast<std::uint16_t>(~sum_of(ByteView(packet).subspan(at)));
    packet[at + 16] = static_cast<std::uint8_t>(sum >> 8);
    packet[at + 17] = static_cast<std::uint8_t>(sum);
}

// What becomes of the MSS, at this place, when it is limited; the checksum must fit afterwards.
int clamped(Bytes packet, std::size_t tcp_at, std::size_t mss_at, std::uint16_t limit) {
    seal_tcp(packet, tcp_at);
    clamp_mss(packet, limit);
    EXPECT_EQ(sum_of(ByteView(packet).subspan(tcp_at)), 0xffff);
    return packet[mss_at] << 8 | packet[mss_at + 1];
}

constexpr std::uint8_t kSyn = 2;
constexpr std::uint8_t kAck = 16;
const Bytes kMss1460 = {2, 4, 0x05, 0xb4};

Prefix v6(const char* text) {
    return *parse_ipv6_prefix(text);
}

} // namespace

TEST(InnerPacket, Header) {
    auto found = inner_header(kIpv4Tcp);
    ASSERT_TRUE(found);
    EXPECT_EQ(Bytes(found->source.begin(), found->source.end()), (Bytes{10, 8, 0, 2}));
    EXPECT_EQ(Bytes(found->destination.begin(), found->destination.end()), (Bytes{10, 99, 0, 1}));
    EXPECT_EQ(found->dscp, 0);
    auto marked = kIpv4Tcp;
    marked[1] = 0xbb; // EF and congestion
    EXPECT_EQ(inner_header(marked)->dscp, 0xb8);
    auto other = ipv6(6);
    other[0] |= 0x0b;
    other[1] |= 0xb0;
    found = inner_header(other);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->source.back(), 2);
    EXPECT_EQ(found->destination.back(), 1);
    EXPECT_EQ(found->dscp, 0xb8);
    EXPECT_FALSE(inner_header({}));
    EXPECT_FALSE(inner_header(ByteView(kIpv4Tcp).first(19)));
    EXPECT_FALSE(inner_header(Bytes(39, 0x60)));
    EXPECT_FALSE(inner_header(kPing));
}

TEST(MssClamp, LowersAndNeverRaises) {
    const auto syn = join({kIpv4Tcp, tcp(kSyn, kMss1460)});
    EXPECT_EQ(clamped(syn, 20, 42, 1200), 1200);
    EXPECT_EQ(clamped(syn, 20, 42, 1460), 1460);
    EXPECT_EQ(clamped(syn, 20, 42, 9000), 1460);
    EXPECT_EQ(clamped(syn, 20, 42, 0), 1460) << "no limit";
    EXPECT_EQ(clamped(join({kIpv4Tcp, tcp(kSyn | kAck, kMss1460)}), 20, 42, 1200), 1200);
    EXPECT_EQ(clamped(join({kIpv4Tcp, tcp(kAck, kMss1460)}), 20, 42, 1200), 1460) << "no SYN";
}

TEST(MssClamp, BehindOtherOptions) {
    const Bytes even = {1, 1, 2, 4, 0x05, 0xb4, 1, 0};
    EXPECT_EQ(clamped(join({kIpv4Tcp, tcp(kSyn, even)}), 20, 44, 1200), 1200);
    const Bytes odd = {1, 2, 4, 0x05, 0xb4, 1, 1, 0};
    EXPECT_EQ(clamped(join({kIpv4Tcp, tcp(kSyn, odd)}), 20, 43, 1200), 1200);
    const Bytes ended = {0, 0, 2, 4, 0x05, 0xb4, 0, 0};
    EXPECT_EQ(clamped(join({kIpv4Tcp, tcp(kSyn, ended)}), 20, 44, 1200), 1460);
    const Bytes broken = {8, 0, 2, 4, 0x05, 0xb4, 0, 0};
    EXPECT_EQ(clamped(join({kIpv4Tcp, tcp(kSyn, broken)}), 20, 44, 1200), 1460);
}

TEST(MssClamp, Ipv6) {
    const auto syn = tcp(kSyn, kMss1460);
    EXPECT_EQ(clamped(join({ipv6(6), syn}), 40, 62, 1200), 1180);
    EXPECT_EQ(clamped(join({ipv6(6), syn}), 40, 62, 10), 1);
    const Bytes options = {6, 0, 1, 4, 0, 0, 0, 0};
    EXPECT_EQ(clamped(join({ipv6(0), options, syn}), 48, 70, 1200), 1180);
    const Bytes first_fragment = {6, 0, 0, 1, 0, 0, 0, 9};
    EXPECT_EQ(clamped(join({ipv6(44), first_fragment, syn}), 48, 70, 1200), 1180);
    const Bytes other_fragment = {6, 0, 1, 0, 0, 0, 0, 9};
    EXPECT_EQ(clamped(join({ipv6(44), other_fragment, syn}), 48, 70, 1200), 1460);
}

// Cut anywhere, nothing is touched outside.
TEST(MssClamp, CutShort) {
    for (const auto& whole : {join({kIpv4Tcp, tcp(kSyn, kMss1460)}),
                              join({ipv6(0), {6, 200, 0, 0, 0, 0, 0, 0}, tcp(kSyn, kMss1460)}),
                              join({ipv6(6), tcp(kSyn, kMss1460)})}) {
        for (std::size_t length = 0; length < whole.size(); length++) {
            Bytes packet(whole.begin(), whole.begin() + static_cast<int>(length));
            const auto before = packet;
            clamp_mss(packet, 100);
            EXPECT_EQ(packet, before) << length;
        }
    }
    Bytes fragment = join({kIpv4Tcp, tcp(kSyn, kMss1460)});
    fragment[7] = 1;
    const auto before = fragment;
    clamp_mss(fragment, 100);
    EXPECT_EQ(fragment, before) << "not the first fragment";
}

// The answer's checksum is right if all of it adds up to zero.
TEST(NoRoute, IsAnsweredToPacketsAlone) {
    Bytes packet(1500, 7);
    packet[0] = 0x60;
    packet[6] = 17;
    packet[24] = 0x20;
    const auto router = *parse_ipv6("fe80::7");
    const auto answer = no_route_to(packet, router);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->size(), 1280U);
    EXPECT_TRUE(std::equal(router.bytes.begin(), router.bytes.end(), answer->begin() + 8));
    EXPECT_TRUE(std::equal(packet.begin() + 8, packet.begin() + 24, answer->begin() + 24));
    EXPECT_EQ((*answer)[40], 1);
    EXPECT_EQ((*answer)[41], 0);
    EXPECT_TRUE(std::equal(packet.begin(), packet.begin() + 1232, answer->begin() + 48));
    std::uint32_t sum = 1240 + 58;
    for (std::size_t i = 8; i < answer->size(); i += 2)
        sum += std::uint32_t{(*answer)[i]} << 8 | (*answer)[i + 1];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    EXPECT_EQ(sum, 0xffffU);

    auto to_group = packet;
    to_group[24] = 0xff;
    EXPECT_FALSE(no_route_to(to_group, router));
    auto error = packet;
    error[6] = 58;
    error[40] = 3;
    EXPECT_FALSE(no_route_to(error, router));
    error[40] = 128;
    EXPECT_TRUE(no_route_to(error, router)) << "a ping";
    auto from_nobody = packet;
    std::fill_n(from_nobody.begin() + 8, 16, std::uint8_t{0});
    EXPECT_FALSE(no_route_to(from_nobody, router));
    EXPECT_FALSE(no_route_to(ByteView(packet).first(39), router));
    EXPECT_FALSE(no_route_to(kIpv4Tcp, router));
}

TEST(Framing, ThereAndBack) {
    const Bytes plain = {0x45, 1, 2, 3};
    const Bytes escaped = {0x50, 1, 2, 3};
    Bytes buffer;
    auto framed = [&](Framing framing, const Bytes& packet) {
        auto out = add_framing(framing, packet, buffer);
        return Bytes(out.begin(), out.end());
    };
    EXPECT_EQ(framed(Framing::None, plain), plain);
    EXPECT_EQ(framed(Framing::Stub, plain), (Bytes{0xfa, 0x45, 1, 2, 3}));
    EXPECT_EQ(framed(Framing::StubSwap, plain), (Bytes{0xfb, 1, 2, 3, 0x45}));
    EXPECT_EQ(framed(Framing::StubV2, plain), plain);
    EXPECT_EQ(framed(Framing::StubV2, escaped), (Bytes{0x50, 0, 0x50, 1, 2, 3}));
    Bytes unpacked;
    for (auto framing : {Framing::None, Framing::Stub, Framing::StubSwap, Framing::StubV2,
                         Framing::Lzo, Framing::Lz4, Framing::Lz4V2}) {
        for (const auto& packet : {plain, escaped}) {
            auto wire = framed(framing, packet);
            EXPECT_EQ(wire, framed(stub_of(framing), packet)) << "nothing is compressed";
            auto back = remove_framing(framing, wire, unpacked);
            ASSERT_TRUE(back);
            EXPECT_EQ(Bytes(back->begin(), back->end()), packet);
        }
    }
}

TEST(Framing, RefusesWhatIsCompressed) {
    Bytes unpacked;
    for (auto framing : {Framing::Stub, Framing::StubSwap, Framing::StubV2}) {
        for (Bytes packet : {Bytes{0x66, 1, 2}, Bytes{0x50, 1, 2}, Bytes{0x50}, Bytes{}}) {
            // Of stub-v2 only the second byte behind 50 says it.
            const bool plain = framing == Framing::StubV2 && (packet.empty() || packet[0] != 0x50);
            EXPECT_EQ(remove_framing(framing, packet, unpacked).has_value(), plain);
        }
    }
    Bytes lone = {0xfb};
    EXPECT_FALSE(remove_framing(Framing::StubSwap, lone, unpacked));
}

// What the libraries have made of a packet is read again, and nothing else is.
TEST(Framing, TakesWhatTheOtherSideHasCompressed) {
    const Bytes plain(1300, 0x45);
    Bytes lz4(2000);
    lz4.resize(static_cast<std::size_t>(
        LZ4_compress_default(reinterpret_cast<const char*>(plain.data()),
                             reinterpret_cast<char*>(lz4.data()), 1300, 2000)));
    Bytes lzo(2000);
    std::vector<std::uint8_t> work(LZO1X_1_MEM_COMPRESS);
    lzo_uint length = lzo.size();
    ASSERT_EQ(lzo1x_1_compress(plain.data(), plain.size(), lzo.data(), &length, work.data()),
              LZO_E_OK);
    lzo.resize(length);
    const auto swapped = join({{0x69}, Bytes(lz4.begin() + 1, lz4.end()), {lz4[0]}});
    const std::pair<Framing, Bytes> cases[] = {
        {Framing::Lzo, join({{0x66}, lzo})},
        {Framing::Lz4, swapped},
        {Framing::Lz4V2, join({{0x50, 1}, lz4})},
    };
    Bytes unpacked;
    for (const auto& [framing, wire] : cases) {
        auto packet = wire;
        auto back = remove_framing(framing, packet, unpacked);
        ASSERT_TRUE(back) << framing_option(framing);
        EXPECT_EQ(Bytes(back->begin(), back->end()), plain);
        packet = wire;
        EXPECT_FALSE(remove_framing(stub_of(framing), packet, unpacked));
        // Cut short, or with something else behind it.
        for (std::size_t cut = 1; cut < 8; cut++) {
            packet = Bytes(wire.begin(), wire.end() - static_cast<std::ptrdiff_t>(cut));
            auto cut_short = remove_framing(framing, packet, unpacked);
            EXPECT_FALSE(cut_short && Bytes(cut_short->begin(), cut_short->end()) == plain);
        }
    }
    // More than any packet has.
    const Bytes bomb_text(200000, 0);
    Bytes bomb(3000);
    bomb.resize(static_cast<std::size_t>(
        LZ4_compress_default(reinterpret_cast<const char*>(bomb_text.data()),
                             reinterpret_cast<char*>(bomb.data()), 200000, 3000)));
    auto packet = join({{0x50, 1}, bomb});
    EXPECT_FALSE(remove_framing(Framing::Lz4V2, packet, unpacked));
}

TEST(PeerRoutes, LongestPrefix) {
    PeerRoutes routes;
    EXPECT_TRUE(routes.add(ipv4_prefix(*parse_ipv4("10.0.0.0"), 8), 1));
    EXPECT_TRUE(routes.add(ipv4_prefix(*parse_ipv4("10.1.0.0"), 20), 2));
    EXPECT_TRUE(routes.add(ipv4_prefix(*parse_ipv4("10.1.2.3"), 32), 3));
    EXPECT_FALSE(routes.add(ipv4_prefix(*parse_ipv4("10.1.2.3"), 32), 4)) << "it has an owner";
    EXPECT_EQ(routes.find(Bytes{10, 1, 2, 3}), 3U);
    EXPECT_EQ(routes.find(Bytes{10, 1, 15, 255}), 2U);
    EXPECT_EQ(routes.find(Bytes{10, 1, 16, 0}), 1U);
    EXPECT_FALSE(routes.find(Bytes{11, 0, 0, 0}));
    routes.remove(ipv4_prefix(*parse_ipv4("10.1.0.0"), 20));
    EXPECT_EQ(routes.find(Bytes{10, 1, 15, 255}), 1U);
    EXPECT_TRUE(routes.add(ipv4_prefix(*parse_ipv4("0.0.0.0"), 0), 5));
    EXPECT_EQ(routes.find(Bytes{11, 0, 0, 0}), 5U);

    EXPECT_TRUE(routes.add(v6("fd00:1::/33"), 6));
    EXPECT_TRUE(routes.add(v6("fd00:1::5/128"), 7));
    Bytes address(16);
    EXPECT_FALSE(routes.find(address)) << "IPv4's default route is not IPv6's";
    address = {0xfd, 0, 0, 1, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5};
    EXPECT_EQ(routes.find(address), 6U);
    address[4] = 0;
    EXPECT_EQ(routes.find(address), 7U);
    address[4] = 0x80;
    EXPECT_FALSE(routes.find(address));
}
