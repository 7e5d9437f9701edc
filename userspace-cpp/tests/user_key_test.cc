// SPDX-License-Identifier: GPL-2.0-or-later
//
// Keys of the user data path: packets of stock OpenVPN, limits, epochs, and a key that goes on
// where it was left.

#include "dataplane/user_key.h"
#include "support/data_packet.h"
#include "support/stock_answers.h"

#include <gtest/gtest.h>

using namespace nfovpn;
using dataplane::UserKey;

namespace {

constexpr std::uint64_t kEpoch = std::uint64_t{1} << 48;
const Bytes kHead = {0x48, 0, 0, 0};

DataKeys some_keys(DataCipher cipher, DataAuth auth = DataAuth::None, bool epochs = false) {
    DataKeys keys;
    keys.format = {cipher, auth, epochs};
    keys.encrypt.cipher_key = SecretBytes(Bytes(epochs ? 32 : cipher_key_length(cipher), 1));
    keys.encrypt.auth_key = SecretBytes(Bytes(auth_length(auth), 2));
    keys.decrypt = keys.encrypt.clone();
    return keys;
}

std::unique_ptr<UserKey> gcm(const KeyState& state = {}) {
    return UserKey::create(0, some_keys(DataCipher::Aes256Gcm), state);
}

std::unique_ptr<UserKey> with_epochs(const KeyState& state = {}) {
    return UserKey::create(0, some_keys(DataCipher::Aes256Gcm, DataAuth::None, true), state);
}

// Seals with the next packet ID.
Bytes seal(UserKey& key, ByteView text) {
    bool near = false;
    Bytes out;
    auto id = key.reserve(text.size(), near);
    EXPECT_TRUE(id && key.seal(*id, kHead, text, out));
    return out;
}

// Opens, and accepts the packet ID.
bool takes(UserKey& key, ByteView packet) {
    Bytes buffer;
    auto opened = key.open(packet, kHead.size(), buffer);
    return opened && key.accept(opened->packet_id);
}

class StockAnswer : public testing::TestWithParam<test::stock_answer> {};

} // namespace

TEST_P(StockAnswer, Opens) {
    const auto& answer = GetParam();
    auto key = UserKey::create(0, test::keys_of(answer));
    ASSERT_TRUE(key);
    Bytes buffer;
    auto opened = key->open(test::packet_of(answer), kHead.size(), buffer);
    ASSERT_TRUE(opened);
    EXPECT_EQ(Bytes(opened->text.begin(), opened->text.end()), test::kPing);
    EXPECT_TRUE(key->accept(opened->packet_id));
    EXPECT_FALSE(key->accept(opened->packet_id));
}

TEST_P(StockAnswer, SealsTheSamePacket) {
    const auto& answer = GetParam();
    const auto packet = test::packet_of(answer);
    auto key = UserKey::create(0, test::keys_of(answer));
    ASSERT_TRUE(key);
    Bytes buffer;
    auto opened = key->open(packet, kHead.size(), buffer);
    ASSERT_TRUE(opened);
    Bytes again;
    ASSERT_TRUE(key->seal(opened->packet_id, packet.first(4), test::kPing, again));
    // The IV of CBC is random; such a packet is as long, and opens.
    if (is_aead(test::format_of(answer).cipher)) {
        EXPECT_EQ(again, Bytes(packet.begin(), packet.end()));
    }
    EXPECT_EQ(again.size(), packet.size());
    auto reopened = key->open(again, kHead.size(), buffer);
    ASSERT_TRUE(reopened);
    EXPECT_EQ(reopened->packet_id, opened->packet_id);
}

// Not one bit can be another. The head of a packet counts only with AEAD.
TEST_P(StockAnswer, RefusesEveryChange) {
    const auto& answer = GetParam();
    const auto format = test::format_of(answer);
    if (format.cipher == DataCipher::None && format.auth == DataAuth::None)
        GTEST_SKIP() << "nothing is authentic";
    auto key = UserKey::create(0, test::keys_of(answer));
    const auto packet = test::packet_of(answer);
    Bytes changed(packet.begin(), packet.end());
    Bytes buffer;
    for (auto i = is_aead(format.cipher) ? 0U : 4U; i < changed.size(); i++) {
        changed[i] ^= 0x10;
        EXPECT_FALSE(key->open(changed, kHead.size(), buffer)) << "byte " << i;
        changed[i] ^= 0x10;
    }
    for (std::size_t length = 4; length < packet.size(); length++)
        EXPECT_FALSE(key->open(packet.first(length), kHead.size(), buffer)) << length << " bytes";
    EXPECT_TRUE(key->open(changed, kHead.size(), buffer));
}

INSTANTIATE_TEST_SUITE_P(All, StockAnswer, testing::ValuesIn(test::stock_answers),
                         [](const auto& answer) {
                             std::string name = answer.param.name;
                             std::erase_if(name, [](char c) { return std::isalnum(c) == 0; });
                             return name;
                         });

// The tests' own implementation reads what this one writes, in the formats without a stock answer.
TEST(UserKey, AgreesWithAnotherImplementation) {
    for (const auto& format : {DataFormat{DataCipher::None, DataAuth::None, false},
                               DataFormat{DataCipher::None, DataAuth::Sha1, false},
                               DataFormat{DataCipher::Aes192Cbc, DataAuth::Sha256, false},
                               DataFormat{DataCipher::Aes192Gcm, DataAuth::None, true}}) {
        auto keys = some_keys(format.cipher, format.auth, format.epochs);
        auto key = UserKey::create(3, keys);
        ASSERT_TRUE(key);
        for (const Bytes& text :
             {Bytes{}, Bytes(1, 7), Bytes(15, 8), Bytes(16, 9), Bytes(1400, 5)}) {
            EXPECT_EQ(test::decrypt_data(keys, seal(*key, text)), text);
            Bytes buffer;
            const auto sealed = test::encrypt_data(keys, 3, 0, 9, text);
            auto opened = key->open(sealed, kHead.size(), buffer);
            ASSERT_TRUE(opened) << text.size();
            EXPECT_EQ(Bytes(opened->text.begin(), opened->text.end()), text);
        }
    }
}

TEST(UserKey, PacketsWithoutAPeerId) {
    auto keys = some_keys(DataCipher::Aes128Gcm);
    auto key = UserKey::create(0, keys);
    Bytes sealed;
    ASSERT_TRUE(key->seal(1, Bytes{0x30}, test::kPing, sealed));
    EXPECT_EQ(test::decrypt_data(keys, sealed, {true, Framing::None}), test::kPing);
    Bytes buffer;
    EXPECT_TRUE(key->open(sealed, 1, buffer));
}

TEST(UserKey, WrongLengths) {
    auto keys = some_keys(DataCipher::Aes128Gcm);
    keys.encrypt.cipher_key = SecretBytes(Bytes(17, 1));
    EXPECT_FALSE(UserKey::create(0, keys));
    keys = some_keys(DataCipher::Aes128Cbc, DataAuth::Sha1);
    keys.decrypt.auth_key = SecretBytes(Bytes(19, 1));
    EXPECT_FALSE(UserKey::create(0, keys));
    keys = some_keys(DataCipher::Aes128Gcm, DataAuth::None, true);
    keys.encrypt.cipher_key = SecretBytes(Bytes(16, 1));
    EXPECT_FALSE(UserKey::create(0, keys));
}

TEST(UserKey, PacketIdsEnd) {
    auto key = gcm({0xfefffffd, 0, 0, {}});
    bool near = false;
    EXPECT_EQ(key->reserve(1, near), 0xfefffffeU);
    EXPECT_EQ(key->reserve(1, near), 0xfeffffffU);
    EXPECT_FALSE(near);
    EXPECT_EQ(key->reserve(1, near), 0xff000000U);
    EXPECT_TRUE(near);
    near = false;
    key->reserve(1, near);
    EXPECT_FALSE(near) << "said once";

    key = gcm({0xfffffffe, 0, 0, {}});
    EXPECT_EQ(key->reserve(1, near), 0xffffffffU);
    EXPECT_FALSE(key->reserve(1, near));
    EXPECT_FALSE(key->reserve(1, near));
}

TEST(UserKey, BlocksOfGcmEnd) {
    constexpr std::uint64_t kMax = (std::uint64_t{1} << 36) - 1;
    bool near = false;
    auto key = gcm({1, kMax / 8 * 7 - 90, 0, {}});
    EXPECT_TRUE(key->reserve(1000, near));
    EXPECT_FALSE(near);
    EXPECT_TRUE(key->reserve(1000, near));
    EXPECT_TRUE(near);
    key = gcm({1, kMax - 70, 0, {}});
    EXPECT_TRUE(key->reserve(1000, near));
    EXPECT_FALSE(key->reserve(1000, near));
    // Others have no such limit.
    key = UserKey::create(0, some_keys(DataCipher::ChaCha20Poly1305), {1, kMax, 0, {}});
    near = false;
    EXPECT_TRUE(key->reserve(1000, near));
    EXPECT_FALSE(near);
}

TEST(UserKey, EpochsFollowEachOther) {
    constexpr std::uint64_t kMax = (std::uint64_t{1} << 36) - 1;
    auto key = with_epochs({3 * kEpoch | 5, kMax - 70, 0, {}});
    bool near = false;
    EXPECT_EQ(key->reserve(1000, near), 3 * kEpoch | 6);
    EXPECT_EQ(key->reserve(1000, near), 4 * kEpoch | 1) << "the blocks of epoch 3 are used up";
    EXPECT_FALSE(near);
    // With other ciphers the counter ends it.
    key = UserKey::create(0, some_keys(DataCipher::ChaCha20Poly1305, DataAuth::None, true),
                          {kEpoch | (kEpoch - 2), 0, 0, {}});
    EXPECT_EQ(key->reserve(1, near), kEpoch | (kEpoch - 1));
    EXPECT_EQ(key->reserve(1, near), 2 * kEpoch | 1);
    key = with_epochs({0xf000 * kEpoch, 0, 0, {}});
    EXPECT_TRUE(key->reserve(1, near));
    EXPECT_TRUE(near);
    key = with_epochs({0xffff * kEpoch | (kEpoch - 1), 0, 0, {}});
    EXPECT_FALSE(key->reserve(1, near));
}

TEST(UserKey, FollowsThePeersEpochs) {
    auto here = with_epochs();
    auto there = with_epochs();
    Bytes sealed;
    const auto old = seal(*there, test::kPing);
    const auto late = seal(*there, test::kPing);
    EXPECT_TRUE(takes(*here, old));
    ASSERT_TRUE(there->seal(5 * kEpoch | 1, kHead, test::kPing, sealed));
    EXPECT_TRUE(takes(*here, sealed)) << "four epochs ahead";
    EXPECT_EQ(here->state().sent >> 48, 5U) << "what is sent is of it as well";
    EXPECT_TRUE(takes(*here, late)) << "the epoch before is kept";
    EXPECT_FALSE(takes(*here, old)) << "with its window";
    ASSERT_TRUE(there->seal(10 * kEpoch | 1, kHead, test::kPing, sealed));
    EXPECT_FALSE(takes(*here, sealed)) << "five ahead";
    EXPECT_FALSE(there->seal(9 * kEpoch | 1, kHead, test::kPing, sealed))
        << "an epoch that is over";
    auto six = with_epochs({6 * kEpoch, 0, 0, {}});
    EXPECT_TRUE(takes(*here, seal(*six, test::kPing)));
    EXPECT_FALSE(takes(*here, late)) << "two epochs before";
}

TEST(UserKey, AForgedEpochChangesNothing) {
    auto here = with_epochs();
    auto packet = seal(*with_epochs({3 * kEpoch, 0, 0, {}}), test::kPing);
    packet.back() ^= 1;
    EXPECT_FALSE(takes(*here, packet));
    EXPECT_EQ(here->state().sent >> 48, 1U);
    EXPECT_EQ(here->state().received >> 48, 1U);
}

TEST(UserKey, GoesOnWhereItWasLeft) {
    for (bool epochs : {false, true}) {
        const auto keys = some_keys(DataCipher::Aes256Gcm, DataAuth::None, epochs);
        const KeyState start = epochs ? KeyState{2 * kEpoch, 0, 0, {}} : KeyState{};
        auto peer = UserKey::create(0, keys, start);
        auto key = UserKey::create(0, keys);
        std::vector<Bytes> packets(6);
        for (auto& packet : packets)
            packet = seal(*peer, test::kPing);
        EXPECT_TRUE(takes(*key, packets[0]));
        EXPECT_TRUE(takes(*key, packets[3]));
        seal(*key, test::kPing);
        const auto before = key->state();
        key = UserKey::create(0, keys, before);
        ASSERT_TRUE(key);
        EXPECT_EQ(key->state().sent, before.sent);
        EXPECT_EQ(key->state().blocks, before.blocks);
        EXPECT_EQ(key->state().received, before.received);
        EXPECT_FALSE(takes(*key, packets[0]));
        EXPECT_TRUE(takes(*key, packets[1]));
        EXPECT_FALSE(takes(*key, packets[3]));
        EXPECT_TRUE(takes(*key, packets[4]));
        bool near = false;
        EXPECT_EQ(key->reserve(1, near), before.sent + 1);
    }
}
