// SPDX-License-Identifier: GPL-2.0-or-later
//
// Saved clients as bytes and back, and what is none.

#include "server/saved_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

using namespace nfovpn;
using namespace nfovpn::server;

namespace {

// With something in each field.
SavedClient a_client() {
    SavedClient c;
    c.session.remote_id = {1, 2, 3, 4, 5, 6, 7, 8};
    c.session.local_id = {9, 10, 11, 12, 13, 14, 15, 16};
    c.session.common_name = "alice";
    c.session.certificate_name = "alice's";
    c.session.fingerprints.resize(2);
    c.session.fingerprints[1][3] = 77;
    c.session.choice.format.cipher = DataCipher::ChaCha20Poly1305;
    c.session.choice.format.epochs = true;
    c.session.choice.client_max_mtu = 1600;
    c.session.choice.cc_exit = true;
    c.session.key_id = 3;
    c.session.last_key_id = 4;
    c.session.renegotiations = 10;
    c.session.tls_version = "TLSv1.3";
    c.session.tls_cipher = "TLS_AES_256_GCM_SHA384";
    c.session.peer_environment = {{"X509_0_CN", "alice"}};
    c.wrap_time = 1234567890;
    c.seen = {17, 1234567000};
    c.own_key.emplace();
    c.own_key->writable()[255] = 99;
    c.id = 5;
    c.path = {{*parse_ipv6("2001:db8::1"), 40000}, {Ipv4{0xc0000201}, 1194}};
    c.peer_id = 6;
    c.address = Ipv4{0x0a080002};
    c.second = Ipv4{0xffffff00};
    c.netmask = Ipv4{0xffff0000};
    c.address6 = *parse_ipv6("fd00::2");
    c.networks = {ipv4_prefix(Ipv4{0x0a4d0000}, 16), ipv6_prefix(*parse_ipv6("fd01::"), 64)};
    c.created = 123456789012345;
    c.connected_since = 1700000000;
    c.peer_info = {{"IV_VER", "2.7.8"}, {"IV_PLAT", "linux"}};
    c.user = "Alice";
    c.token.emplace();
    c.token->renewed = 1700000001;
    c.connected = true;
    c.may_have_address6 = false;
    c.learned = {"10.8.0.2", "10.77.0.0/16"};
    return c;
}

bool equal(const SecretBytes& a, const SecretBytes& b) {
    return std::ranges::equal(a.view(), b.view());
}

} // namespace

TEST(SavedClient, ThereAndBack) {
    const auto bytes = write_saved(a_client());
    const auto read = read_saved_client(bytes.view());
    ASSERT_TRUE(read);
    EXPECT_TRUE(equal(write_saved(*read), bytes)) << "each field";
    EXPECT_EQ(read->session.common_name, "alice");
    EXPECT_EQ(read->session.choice.format.cipher, DataCipher::ChaCha20Poly1305);
    EXPECT_EQ(read->session.fingerprints.at(1)[3], 77);
    EXPECT_EQ(read->path, a_client().path);
    EXPECT_EQ(read->own_key->view()[255], 99);
    EXPECT_EQ(read->networks, a_client().networks);
    EXPECT_EQ(read->user, "Alice");
    EXPECT_EQ(read->seen, a_client().seen);
    EXPECT_FALSE(read->may_have_address6);
    EXPECT_EQ(read->created, 123456789012345);

    SavedClient least;
    const auto short_one = write_saved(least);
    const auto again = read_saved_client(short_one.view());
    ASSERT_TRUE(again);
    EXPECT_TRUE(equal(write_saved(*again), short_one));
    EXPECT_FALSE(again->own_key);
    EXPECT_FALSE(again->user);
}

TEST(SavedClient, OfTheServer) {
    SavedServer server;
    server.configuration[31] = 8;
    server.device = "tun0";
    server.ifindex = 7;
    server.token_key.emplace();
    server.token_key->writable()[63] = 5;
    const auto bytes = write_saved(server);
    const auto read = read_saved_server(bytes.view());
    ASSERT_TRUE(read);
    EXPECT_TRUE(equal(write_saved(*read), bytes));
    EXPECT_EQ(read->device, "tun0");
    EXPECT_EQ(read->token_key->view()[63], 5);
    // One is not the other.
    EXPECT_FALSE(read_saved_client(bytes.view()));
    EXPECT_FALSE(read_saved_server(write_saved(a_client()).view()));
}

TEST(SavedClient, CutShortOrTooLong) {
    const auto whole = write_saved(a_client());
    for (std::size_t n = 0; n < whole.view().size(); n++)
        EXPECT_FALSE(read_saved_client(whole.view().first(n))) << n;
    Bytes longer(whole.view().begin(), whole.view().end());
    longer.push_back(0);
    EXPECT_FALSE(read_saved_client(longer));
}

// Whatever it is, it is refused, or is what would be written of it.
TEST(SavedClient, AnyOtherBytes) {
    const auto whole = write_saved(a_client());
    std::mt19937 random(2); // NOLINT: the same each time
    for (int round = 0; round < 20000; round++) {
        Bytes bytes(whole.view().begin(), whole.view().end());
        for (int n = 0; n <= round % 3; n++)
            bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
        const auto read = read_saved_client(bytes);
        if (read) {
            const auto again = write_saved(*read);
            EXPECT_TRUE(std::ranges::equal(again.view(), bytes)) << round;
        }
    }
}
