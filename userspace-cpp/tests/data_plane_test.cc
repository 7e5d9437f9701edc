// SPDX-License-Identifier: GPL-2.0-or-later
//
// The data plane of this process, and the keys that move between it and the kernel's. The kernel is
// a second data plane of the same kind with a door for keys: what is tested is who asks whom for
// what, and that nothing is lost, used twice or taken for a replay; the real kernel is in the
// end-to-end tests.

#include "dataplane/movable.h"
#include "support/data_packet.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

using namespace nfovpn;
using namespace nfovpn::dataplane;
using namespace std::chrono_literals;

namespace {

struct Sink final : PacketOutput {
    void to_peer(const Path& path, ByteView datagram, std::uint8_t dscp) override {
        classes.push_back(dscp);
        paths.push_back(path);
        datagrams.emplace_back(datagram.begin(), datagram.end());
    }
    void to_device(ByteView packet) override { packets.emplace_back(packet.begin(), packet.end()); }

    std::vector<Path> paths;
    std::vector<std::uint8_t> classes;
    std::vector<Bytes> datagrams;
    std::vector<Bytes> packets;
};

/// Nobody else has keys.
struct Nobody final : KeyOwner {
    std::optional<std::uint64_t> reserve_packet_id(std::uint32_t, KeySlot) override { return {}; }
    bool accept_packet_id(std::uint32_t, KeySlot, std::uint64_t) override { return false; }
};

const Path kPath = {{Ipv4{0xc000020a}, 40000}, {Ipv4{0xc0000201}, 1194}};
const Path kElsewhere = {{Ipv4{0xc000020b}, 50000}, {Ipv4{0xc0000201}, 1194}};
constexpr std::uint32_t kId = 5;

Peer a_peer(std::uint32_t id = kId) {
    Peer out;
    out.id = id;
    out.path = kPath;
    out.address = Ipv4{0x0a080000 + id};
    return out;
}

DataKeys keys_of(std::uint8_t seed, bool epochs = false) {
    DataKeys keys;
    keys.format.epochs = epochs;
    keys.encrypt.cipher_key = SecretBytes(Bytes(32, seed));
    keys.encrypt.implicit_iv.assign(std::array<std::uint8_t, 8>{seed});
    keys.decrypt = keys.encrypt.clone();
    return keys;
}

// From one address of 10.8.0.0/24 to another.
Bytes ipv4(std::uint8_t from, std::uint8_t to, std::uint8_t mark = 0) {
    return {0x45, 0, 0, 24, 0, 0, 0, 0, 64, 17, 0, 0, 10, 8, 0, from, 10, 8, 0, to, 1, 2, 3, mark};
}

class UserPlane : public testing::Test {
protected:
    UserPlane() {
        EXPECT_FALSE(plane.add_peer(a_peer()));
        EXPECT_FALSE(plane.install_key(kId, KeySlot::Primary, 0, keys_of(1)));
    }
    Bytes sealed(std::uint32_t packet_id, ByteView text, std::uint8_t key = 0) {
        return test::encrypt_data(keys_of(static_cast<std::uint8_t>(key + 1)), key, kId, packet_id,
                                  text);
    }
    void transmit(Bytes packet) { plane.transmit(packet, now); }
    /// Another peer, 77, with a key of its own.
    void add_second(std::uint16_t fragment = 0) {
        auto second = a_peer(77);
        second.address = Ipv4{0x0a0800c8};
        second.path = kElsewhere;
        second.fragment = fragment;
        ASSERT_FALSE(plane.add_peer(second));
        ASSERT_FALSE(plane.install_key(77, KeySlot::Primary, 0, keys_of(9)));
    }

    Sink sink;
    Nobody nobody;
    UserDataPlane plane{sink, nobody};
    TimePoint now = TimePoint{} + 1h;
};

} // namespace

TEST_F(UserPlane, ReceivesOnce) {
    const auto packet = sealed(1, ipv4(5, 1));
    EXPECT_TRUE(plane.receive(kPath, packet, now));
    EXPECT_TRUE(plane.receive(kPath, packet, now));
    ASSERT_EQ(sink.packets.size(), 1U);
    EXPECT_EQ(sink.packets[0], ipv4(5, 1));
    EXPECT_EQ(plane.dropped(Drop::Replay), 1U);
    auto stats = plane.stats()->at(0);
    EXPECT_EQ(stats.rx_packets, 1U);
    EXPECT_EQ(stats.rx_bytes, packet.size());
}

TEST_F(UserPlane, LeavesWhatIsNotOfItsPeers) {
    EXPECT_FALSE(plane.receive(kPath, Bytes{0x48, 0, 0}, now));
    EXPECT_FALSE(plane.receive(kPath, Bytes{0x48, 0, 0, 6, 1, 2}, now)) << "another peer ID";
    EXPECT_FALSE(plane.receive(kPath, Bytes{0x30, 0, 0, 5, 1, 2}, now)) << "P_DATA_V1";
    EXPECT_FALSE(plane.receive(kPath, Bytes{0x38, 0, 0, 5, 1, 2}, now)) << "a control packet";
}

TEST_F(UserPlane, DropsWithAReason) {
    auto forged = sealed(1, ipv4(5, 1));
    forged.back() ^= 1;
    plane.receive(kElsewhere, forged, now);
    EXPECT_EQ(plane.dropped(Drop::Auth), 1U);
    EXPECT_EQ(plane.peer(kId)->path, kPath) << "no authentication, no change";
    plane.receive(kPath, ByteView(forged).first(20), now);
    EXPECT_EQ(plane.dropped(Drop::Malformed), 1U);
    plane.receive(kPath, sealed(1, ipv4(6, 1)), now);
    EXPECT_EQ(plane.dropped(Drop::Source), 1U);
    plane.receive(kPath, sealed(2, Bytes{1, 2, 3}), now);
    EXPECT_EQ(plane.dropped(Drop::Inner), 1U);
    plane.receive(kPath, sealed(3, ipv4(5, 1), 1), now);
    EXPECT_EQ(plane.dropped(Drop::NoKey), 1U);
    transmit(ipv4(1, 77));
    EXPECT_EQ(plane.dropped(Drop::NoPeer), 1U);
    transmit({1, 2, 3});
    EXPECT_EQ(plane.dropped(Drop::Inner), 2U);
    EXPECT_TRUE(sink.packets.empty());
    EXPECT_TRUE(sink.datagrams.empty());
}

// As with OpenVPN; what the kernel does not know a peer for comes here.
TEST_F(UserPlane, WhatIsForAllGoesToEachPeer) {
    plane.set_broadcast(Ipv4{0x0a0800ff});
    auto second = *plane.peer(kId);
    second.id = 77;
    second.address = Ipv4{0x0a0800c8};
    second.address6.reset();
    second.networks.clear();
    second.path = kElsewhere;
    ASSERT_FALSE(plane.add_peer(second));
    auto packet = ipv4(1, 5);
    const auto send_to = [&](std::uint32_t address) {
        sink.datagrams.clear();
        for (unsigned i = 0; i < 4; i++)
            packet[16 + i] = static_cast<std::uint8_t>(address >> (24 - 8 * i));
        transmit(packet);
        return sink.datagrams.size();
    };
    EXPECT_EQ(send_to(0xe00000fb), 1U) << "the other one has no key yet";
    ASSERT_FALSE(plane.install_key(77, KeySlot::Primary, 0, keys_of(9)));
    EXPECT_EQ(send_to(0xe00000fb), 2U);
    EXPECT_EQ(send_to(0xffffffff), 2U);
    EXPECT_EQ(send_to(0x0a0800ff), 2U);
    EXPECT_EQ(plane.dropped(Drop::NoPeer), 0U);
    EXPECT_EQ(send_to(0x0a0801ff), 0U) << "of another network";
    EXPECT_EQ(plane.dropped(Drop::NoPeer), 1U);
}

// Of a peer with fragments every packet has their header, and a long one goes in parts.
TEST_F(UserPlane, Fragments) {
    add_second(100);
    auto packet = ipv4(1, 0xc8);
    packet.resize(250, 7);
    transmit(packet);
    EXPECT_EQ(sink.datagrams.size(), 3U);
    EXPECT_EQ(plane.peer_stats(77)->tx_packets, 1U);
    // The other way: what it has sent comes back in.
    auto own = ipv4(0xc8, 1);
    own.resize(150, 8);
    Fragmenter theirs(9);
    std::uint32_t id = 0;
    ASSERT_TRUE(theirs.split(own, 100, [&](ByteView part) {
        EXPECT_TRUE(sink.packets.empty()) << "not before it is whole";
        plane.receive(kElsewhere, test::encrypt_data(keys_of(9), 0, 77, ++id, part), now);
    }));
    EXPECT_EQ(id, 2U);
    EXPECT_EQ(sink.packets, std::vector<Bytes>{own});
    plane.receive(kElsewhere, test::encrypt_data(keys_of(9), 0, 77, ++id, own), now);
    EXPECT_EQ(plane.dropped(Drop::Framing), 1U) << "without a header";
}

// A TAP device: frames of each go where their MAC address is known to be.
TEST_F(UserPlane, Frames) {
    plane.set_ethernet(true);
    add_second();
    const auto frame = [](std::uint8_t from, std::uint8_t to) {
        return Bytes{to, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 0x08, 0x06, 1, 2, 3};
    };
    constexpr std::uint8_t kAll = 0xff, kFirst = 0x10, kOther = 0x20, kHost = 0x30;
    const auto from_first = [&](std::uint32_t id, Bytes text) {
        plane.receive(kPath, sealed(id, text), now);
    };

    transmit(frame(kHost, kFirst));
    EXPECT_EQ(plane.dropped(Drop::NoPeer), 1U) << "nobody has been heard from there";
    auto hello = frame(kFirst, kAll);
    from_first(1, hello);
    EXPECT_EQ(sink.packets, std::vector<Bytes>{hello});
    ASSERT_EQ(sink.paths.size(), 1U);
    EXPECT_EQ(sink.paths[0], kElsewhere) << "the other one gets it, too, and the sender does not";
    transmit(frame(kHost, kAll));
    EXPECT_EQ(sink.paths.size(), 3U) << "to all";
    // The addresses of frame() differ in their first byte by role; this is that of the first peer.
    Bytes answer = {2, 0, 0, 0, 0, kFirst, 2, 0, 0, 0, 0, kHost, 0x08, 0x06};
    transmit(answer);
    ASSERT_EQ(sink.paths.size(), 4U);
    EXPECT_EQ(sink.paths[3], kPath);
    // From one peer to the other, and not to the device.
    plane.receive(kElsewhere, test::encrypt_data(keys_of(9), 0, 77, 1, frame(kOther, kAll)), now);
    sink.packets.clear();
    sink.paths.clear();
    from_first(2, {2, 0, 0, 0, 0, kOther, 2, 0, 0, 0, 0, kFirst, 0x08, 0x06});
    EXPECT_TRUE(sink.packets.empty());
    ASSERT_EQ(sink.paths.size(), 1U);
    EXPECT_EQ(sink.paths[0], kElsewhere);
    ASSERT_FALSE(plane.remove_peer(77));
    from_first(3, {2, 0, 0, 0, 0, kOther, 2, 0, 0, 0, 0, kFirst, 0x08, 0x06});
    EXPECT_EQ(sink.packets.size(), 1U) << "it is not known any more";
    from_first(4, {1, 2, 3});
    EXPECT_EQ(plane.dropped(Drop::Inner), 1U) << "cut short";
}

TEST_F(UserPlane, FramesOfPeersStayApart) {
    plane.set_ethernet(false);
    add_second();
    const Bytes hello = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6};
    plane.receive(kPath, sealed(1, hello), now);
    EXPECT_EQ(sink.packets.size(), 1U);
    EXPECT_TRUE(sink.datagrams.empty()) << "without client-to-client";
}

TEST_F(UserPlane, Sends) {
    transmit(ipv4(1, 5));
    transmit(ipv4(1, 5));
    ASSERT_EQ(sink.datagrams.size(), 2U);
    EXPECT_EQ(sink.paths[1], kPath);
    EXPECT_EQ(Bytes(sink.datagrams[1].begin(), sink.datagrams[1].begin() + 8),
              (Bytes{0x48, 0, 0, 5, 0, 0, 0, 2}));
    EXPECT_EQ(test::decrypt_data(keys_of(1), sink.datagrams[1]), ipv4(1, 5));
    EXPECT_EQ(plane.stats()->at(0).tx_packets, 2U);
    auto expedited = ipv4(1, 5);
    expedited[1] = 0xb8;
    transmit(expedited);
    EXPECT_EQ(sink.classes, (std::vector<std::uint8_t>{0, 0, 0xb8}));
}

TEST_F(UserPlane, KeysChange) {
    EXPECT_FALSE(plane.install_key(kId, KeySlot::Secondary, 1, keys_of(2)));
    EXPECT_TRUE(plane.install_key(kId, KeySlot::Secondary, 0, keys_of(3))) << "key ID of the other";
    plane.receive(kPath, sealed(1, ipv4(5, 1), 1), now);
    EXPECT_EQ(sink.packets.size(), 1U) << "both decrypt";
    transmit(ipv4(1, 5));
    EXPECT_FALSE(plane.swap_keys(kId));
    transmit(ipv4(1, 5));
    EXPECT_FALSE(plane.delete_key(kId, KeySlot::Secondary));
    EXPECT_TRUE(plane.delete_key(kId, KeySlot::Secondary));
    EXPECT_TRUE(plane.swap_keys(kId));
    plane.receive(kPath, sealed(2, ipv4(5, 1)), now);
    EXPECT_EQ(plane.dropped(Drop::NoKey), 1U);
    ASSERT_EQ(sink.datagrams.size(), 2U);
    EXPECT_EQ(sink.datagrams[0][0] & 7, 0);
    EXPECT_EQ(sink.datagrams[1][0] & 7, 1);
}

TEST_F(UserPlane, FollowsAPeerThatMoves) {
    plane.receive(kElsewhere, sealed(1, ipv4(5, 1)), now);
    transmit(ipv4(1, 5));
    EXPECT_EQ(sink.paths.at(0), kElsewhere);
    auto events = plane.take_notifications();
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(std::get<PeerFloated>(events[0]).remote, kElsewhere.remote);
    // A replayed packet moves nobody.
    plane.receive(kPath, sealed(1, ipv4(5, 1)), now);
    EXPECT_EQ(plane.peer(kId)->path, kElsewhere);
    EXPECT_TRUE(plane.take_notifications().empty());
}

// By a packet that its keepalive would not have sent.
TEST_F(UserPlane, AnnouncesAnotherAddress) {
    EXPECT_FALSE(plane.announce(kId, now));
    ASSERT_EQ(sink.datagrams.size(), 1U);
    EXPECT_EQ(sink.paths[0].remote, kPath.remote);
    EXPECT_EQ(sink.paths[0].local.address, Address(Ipv4{})) << "which it is is the system's choice";
    EXPECT_EQ(sink.paths[0].local.port, kPath.local.port);
    auto text = test::decrypt_data(keys_of(1), sink.datagrams[0]);
    ASSERT_TRUE(text);
    EXPECT_EQ(*text, test::kPing);
    EXPECT_TRUE(plane.announce(99, now)) << "nobody";
}

TEST_F(UserPlane, WithoutPeerIds) {
    auto peer = a_peer(7);
    peer.data_v1 = true;
    peer.path = kElsewhere;
    EXPECT_FALSE(plane.add_peer(peer));
    EXPECT_FALSE(plane.install_key(7, KeySlot::Primary, 2, keys_of(9)));
    auto packet = test::encrypt_data(keys_of(9), 2, 7, 1, ipv4(7, 1), {true, Framing::None});
    EXPECT_FALSE(plane.receive(kPath, packet, now)) << "nobody is known there";
    EXPECT_TRUE(plane.receive(kElsewhere, packet, now));
    EXPECT_EQ(sink.packets.size(), 1U);
    transmit(ipv4(1, 7));
    EXPECT_EQ(test::decrypt_data(keys_of(9), sink.datagrams.at(0), {true, Framing::None}),
              ipv4(1, 7));
    peer.id = 8;
    peer.address = Ipv4{0x0a080008};
    EXPECT_TRUE(plane.add_peer(peer)) << "somebody is there";
    EXPECT_FALSE(plane.remove_peer(7));
    EXPECT_FALSE(plane.receive(kElsewhere, packet, now));
}

TEST_F(UserPlane, AddressesHaveOneOwner) {
    auto other = a_peer(6);
    other.networks = {ipv4_prefix(Ipv4{0x0a090000}, 16), ipv4_prefix(Ipv4{0x0a080005}, 32)};
    auto refused = plane.add_peer(other);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->code, EEXIST);
    other.networks.pop_back();
    EXPECT_FALSE(plane.add_peer(other)) << "nothing is left of the first try";
    EXPECT_FALSE(plane.remove_peer(6));
    EXPECT_FALSE(plane.add_peer(other));
    EXPECT_TRUE(plane.remove_peer(66));
}

TEST_F(UserPlane, PingsAndSilence) {
    EXPECT_EQ(plane.deadline(), kNever);
    EXPECT_FALSE(plane.set_keepalive(kId, {10, 30}));
    EXPECT_LE(plane.deadline(), now);
    const auto begin = now;
    for (; now < begin + 9s; now += 1s)
        plane.tick(now);
    EXPECT_TRUE(sink.datagrams.empty());
    for (; now < begin + 11s; now += 1s)
        plane.tick(now);
    ASSERT_EQ(sink.datagrams.size(), 1U);
    EXPECT_EQ(test::decrypt_data(keys_of(1), sink.datagrams[0]), test::kPing);
    // A ping is life, and nothing for the device.
    plane.receive(kPath, sealed(1, test::kPing), now);
    EXPECT_TRUE(sink.packets.empty());
    for (; now < begin + 40s; now += 1s)
        plane.tick(now);
    EXPECT_TRUE(plane.take_notifications().empty());
    for (; now < begin + 43s; now += 1s)
        plane.tick(now);
    auto events = plane.take_notifications();
    ASSERT_EQ(events.size(), 1U);
    EXPECT_TRUE(std::get<PeerDeleted>(events[0]).expired);
    EXPECT_EQ(plane.deadline(), kNever);
    EXPECT_FALSE(plane.receive(kPath, sealed(2, ipv4(5, 1)), now));
}

TEST_F(UserPlane, FramingOfAPeer) {
    auto peer = a_peer(6);
    peer.framing = Framing::StubSwap;
    EXPECT_FALSE(plane.add_peer(peer));
    EXPECT_FALSE(plane.install_key(6, KeySlot::Primary, 0, keys_of(1)));
    transmit(ipv4(1, 6));
    EXPECT_EQ(test::decrypt_data(keys_of(1), sink.datagrams.at(0), {false, Framing::StubSwap}),
              ipv4(1, 6));
    auto packet = test::encrypt_data(keys_of(1), 0, 6, 1, ipv4(6, 1), {false, Framing::StubSwap});
    plane.receive(kPath, packet, now);
    EXPECT_EQ(sink.packets.at(0), ipv4(6, 1));
    plane.receive(kPath, test::encrypt_data(keys_of(1), 0, 6, 2, ipv4(6, 1)), now);
    EXPECT_EQ(plane.dropped(Drop::Framing), 1U);
}

TEST_F(UserPlane, SaysThatAKeyIsNearItsEnd) {
    EXPECT_FALSE(plane.resume_key(kId, KeySlot::Primary, {0xff000000, 0, 0, {}}));
    transmit(ipv4(1, 5));
    auto events = plane.take_notifications();
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(std::get<KeyNearLimit>(events[0]).peer_id, kId);
    EXPECT_FALSE(plane.resume_key(kId, KeySlot::Primary, {0xffffffff, 0, 0, {}}));
    transmit(ipv4(1, 5));
    EXPECT_EQ(plane.dropped(Drop::KeyLimit), 1U);
}

// ---- keys that move

namespace {

/// What a kernel does with what it is asked.
class FakeKernel final : public HandoverDataPlane {
public:
    FakeKernel(PacketOutput& output, KeyOwner& nobody) : inner(output, nobody) {}

    Failure add_peer(const Peer& peer) override {
        if (unsupported)
            return Error{EOPNOTSUPP, "no such peers"};
        if (peer.networks.size() > most_networks)
            return Error{E2BIG, "too many networks"};
        return inner.add_peer(peer);
    }
    Failure set_keepalive(std::uint32_t id, const Keepalive& k) override {
        return inner.set_keepalive(id, k);
    }
    Failure set_networks(std::uint32_t id, const std::vector<Prefix>& networks) override {
        if (networks.size() > most_networks)
            return Error{E2BIG, "too many networks"};
        return inner.set_networks(id, networks);
    }
    Failure remove_peer(std::uint32_t id) override { return inner.remove_peer(id); }
    Failure install_key(std::uint32_t id, KeySlot slot, std::uint8_t key_id,
                        const DataKeys& keys) override {
        if (unsupported_keys)
            return Error{EOPNOTSUPP, "no such cipher"};
        return resume_key(id, slot, key_id, keys, {});
    }
    Failure swap_keys(std::uint32_t id) override { return inner.swap_keys(id); }
    Failure delete_key(std::uint32_t id, KeySlot slot) override {
        return inner.delete_key(id, slot);
    }
    std::optional<std::vector<PeerStats>> stats() override { return inner.stats(); }
    std::optional<PeerStats> peer_stats(std::uint32_t id) override { return inner.peer_stats(id); }

    Result<KeyState, Error> release_key(std::uint32_t id, KeySlot slot) override {
        auto key = inner.key(id, slot);
        if (!key || slot == refuses_release)
            return Error{ENOENT, "no key in this slot"};
        auto state = key->state;
        inner.delete_key(id, slot);
        return state;
    }
    Failure resume_key(std::uint32_t id, KeySlot slot, std::uint8_t key_id, const DataKeys& keys,
                       const KeyState& state) override {
        if (slot == refuses_resume)
            return Error{ENOMEM, "no memory"};
        if (auto failure = inner.install_key(id, slot, key_id, keys))
            return failure;
        return inner.resume_key(id, slot, state);
    }
    Result<std::uint64_t, Error> reserve_packet_id(std::uint32_t id, KeySlot slot) override {
        auto key = inner.key(id, slot);
        auto state = key->state;
        state.sent++;
        inner.resume_key(id, slot, state);
        reserved++;
        return state.sent;
    }
    Failure accept_packet_id(std::uint32_t id, KeySlot slot, std::uint64_t packet_id) override {
        auto state = inner.key(id, slot)->state;
        ReplayWindow window;
        window.restore(state.received, *state.window);
        if (!window.accept(packet_id))
            return Error{EEXIST, "received before"};
        state.received = window.highest();
        state.window = window.save();
        inner.resume_key(id, slot, state);
        accepted++;
        return std::nullopt;
    }
    Result<Path, Error> path(std::uint32_t id) override {
        if (const auto* peer = inner.peer(id))
            return peer->path;
        return Error{ENOENT, "no such peer"};
    }
    Failure set_path(std::uint32_t id, const Path& path) override {
        if (!inner.peer(id))
            return Error{ENOENT, "no such peer"};
        inner.set_path(id, path);
        return std::nullopt;
    }

    Result<PeerInPlace, Error> look(std::uint32_t id) override {
        const auto* peer = inner.peer(id);
        if (!peer)
            return Error{ENOENT, "no such peer"};
        PeerInPlace out{id, peer->path, peer->address, peer->address6, {}, {}};
        if (const auto key = inner.key(id, KeySlot::Primary))
            out.primary = KeyInPlace{key->key_id, DataCipher::Aes256Gcm, false};
        if (const auto key = inner.key(id, KeySlot::Secondary))
            out.secondary = KeyInPlace{key->key_id, DataCipher::Aes256Gcm, false};
        return out;
    }

    UserDataPlane inner;
    bool unsupported = false;
    std::size_t most_networks = 64;
    bool unsupported_keys = false;
    std::optional<KeySlot> refuses_release;
    std::optional<KeySlot> refuses_resume;
    int reserved = 0;
    int accepted = 0;
};

/// The gateway: packets go to the kernel if it has the key, else to the daemon.
class Movable : public testing::Test {
protected:
    Movable() {
        EXPECT_FALSE(plane.add_peer(a_peer()));
        EXPECT_FALSE(plane.set_keepalive(kId, {10, 60}));
        EXPECT_FALSE(plane.install_key(kId, KeySlot::Primary, 0, keys_of(1)));
        EXPECT_FALSE(plane.install_key(kId, KeySlot::Secondary, 1, keys_of(2)));
    }
    bool kernel_has_key() { return kernel.inner.key(kId, KeySlot::Primary).has_value(); }
    void receive(ByteView packet) {
        if (kernel_has_key())
            kernel.inner.receive(kPath, packet, now);
        else
            plane.receive(kPath, packet, now);
    }
    void transmit(Bytes packet) {
        if (kernel_has_key())
            kernel.inner.transmit(packet, now);
        else
            plane.transmit(packet, now);
    }
    Bytes from_peer(std::uint32_t packet_id) {
        return test::encrypt_data(keys_of(1), 0, kId, packet_id,
                                  ipv4(kId, 1, static_cast<std::uint8_t>(packet_id)));
    }

    Sink sink;
    Nobody nobody;
    FakeKernel kernel{sink, nobody};
    MovableDataPlane plane{&kernel, sink};
    TimePoint now = TimePoint{} + 1h;
};

} // namespace

TEST_F(Movable, BackAndForthUnderTraffic) {
    std::uint32_t next = 1;
    for (int i = 0; i < 20; i++) {
        const auto to = i % 2 == 0 ? Holder::User : Holder::Kernel;
        // These wait in the socket and in the device when the keys move.
        const auto first = from_peer(next++);
        const auto second = from_peer(next++);
        auto waiting = ipv4(1, kId);
        ASSERT_FALSE(plane.move(kId, to));
        EXPECT_EQ(plane.holder(kId), to);
        plane.receive(kPath, first, now);
        receive(from_peer(next++));
        plane.receive(kPath, second, now);
        plane.receive(kPath, second, now);
        plane.transmit(waiting, now);
        transmit(ipv4(1, kId));
    }
    EXPECT_EQ(sink.packets.size(), next - 1U) << "nothing lost, nothing twice";
    EXPECT_EQ(plane.dropped(Drop::Replay), 20U) << "the copy of the second one, each time";
    std::set<Bytes> ids;
    for (const auto& datagram : sink.datagrams)
        ids.emplace(datagram.begin(), datagram.begin() + 8);
    EXPECT_EQ(ids.size(), 40U) << "no packet ID twice";
    EXPECT_EQ(kernel.reserved, 10);
    EXPECT_EQ(kernel.accepted, 20);
    // The secondary key went along.
    EXPECT_TRUE(kernel.inner.key(kId, KeySlot::Secondary));
    auto stats = plane.stats()->at(0);
    EXPECT_EQ(stats.rx_packets, next - 1U);
    EXPECT_EQ(stats.tx_packets, 40U);
    auto one = plane.peer_stats(kId);
    ASSERT_TRUE(one);
    EXPECT_EQ(one->rx_bytes, stats.rx_bytes);
    EXPECT_EQ(one->tx_packets, 40U);
    EXPECT_FALSE(plane.peer_stats(kId + 1));
}

TEST_F(Movable, KeepaliveIsWhereTheKeysAre) {
    EXPECT_EQ(kernel.inner.keepalive(kId).timeout, 60U);
    EXPECT_EQ(plane.deadline(), kNever);
    ASSERT_FALSE(plane.move(kId, Holder::User));
    EXPECT_EQ(kernel.inner.keepalive(kId).timeout, 0U);
    EXPECT_NE(plane.deadline(), kNever);
    ASSERT_FALSE(plane.move(kId, Holder::Kernel));
    EXPECT_EQ(kernel.inner.keepalive(kId).timeout, 60U);
    EXPECT_EQ(plane.deadline(), kNever);
}

TEST_F(Movable, WhereThePeerIsGoesAlong) {
    kernel.inner.receive(kElsewhere, from_peer(1), now);
    ASSERT_FALSE(plane.move(kId, Holder::User));
    transmit(ipv4(1, kId));
    EXPECT_EQ(sink.paths.back(), kElsewhere) << "before the kernel's word of it has come";
    plane.receive(kPath, from_peer(2), now);
    ASSERT_FALSE(plane.move(kId, Holder::Kernel));
    transmit(ipv4(1, kId));
    EXPECT_EQ(sink.paths.back(), kPath);
}

TEST_F(Movable, AnnouncesWithThePacketIdsOfTheKernel) {
    ASSERT_EQ(plane.holder(kId), Holder::Kernel);
    EXPECT_FALSE(plane.announce(kId, now));
    ASSERT_EQ(sink.datagrams.size(), 1U);
    EXPECT_EQ(kernel.path(kId)->local.address, Address(Ipv4{}));
    EXPECT_EQ(kernel.path(kId)->remote, kPath.remote);
    EXPECT_EQ(kernel.reserved, 1);
}

TEST_F(Movable, RenegotiatesWhereverTheKeysAre) {
    ASSERT_FALSE(plane.move(kId, Holder::User));
    EXPECT_FALSE(plane.install_key(kId, KeySlot::Secondary, 2, keys_of(3)));
    EXPECT_FALSE(kernel.inner.key(kId, KeySlot::Secondary));
    EXPECT_FALSE(plane.swap_keys(kId));
    ASSERT_FALSE(plane.move(kId, Holder::Kernel));
    EXPECT_EQ(kernel.inner.key(kId, KeySlot::Primary)->key_id, 2);
    EXPECT_EQ(kernel.inner.key(kId, KeySlot::Secondary)->key_id, 0);
    EXPECT_FALSE(plane.delete_key(kId, KeySlot::Secondary));
    EXPECT_FALSE(kernel.inner.key(kId, KeySlot::Secondary));
    ASSERT_FALSE(plane.move(kId, Holder::User));
    EXPECT_FALSE(kernel_has_key());
}

TEST_F(Movable, AMoveThatFailsChangesNothing) {
    kernel.refuses_release = KeySlot::Secondary;
    EXPECT_TRUE(plane.move(kId, Holder::User));
    EXPECT_EQ(plane.holder(kId), Holder::Kernel);
    EXPECT_TRUE(kernel_has_key());
    EXPECT_EQ(kernel.inner.keepalive(kId).timeout, 60U);
    kernel.refuses_release.reset();
    ASSERT_FALSE(plane.move(kId, Holder::User));
    kernel.refuses_resume = KeySlot::Secondary;
    EXPECT_TRUE(plane.move(kId, Holder::Kernel));
    EXPECT_EQ(plane.holder(kId), Holder::User);
    EXPECT_FALSE(kernel_has_key());
    transmit(ipv4(1, kId));
    receive(from_peer(1));
    EXPECT_EQ(sink.datagrams.size(), 1U);
    EXPECT_EQ(sink.packets.size(), 1U);
    EXPECT_TRUE(plane.move(99, Holder::User)) << "no such peer";
}

TEST_F(Movable, WhatTheKernelHasNotIsServedHere) {
    kernel.unsupported = true;
    EXPECT_FALSE(plane.add_peer(a_peer(6)));
    EXPECT_EQ(plane.holder(6), Holder::User);
    EXPECT_FALSE(plane.install_key(6, KeySlot::Primary, 0, keys_of(4)));
    auto packet = ipv4(1, 6);
    plane.transmit(packet, now);
    EXPECT_EQ(sink.datagrams.size(), 1U);
    EXPECT_FALSE(plane.remove_peer(6));

    // As it says of too many networks; an empty peer of the kernel would have none of them.
    kernel.unsupported = false;
    auto large = a_peer(9);
    for (std::uint32_t i = 0; i < 65; i++)
        large.networks.push_back(ipv4_prefix(Ipv4{0x0a630000 + (i << 8)}, 24));
    EXPECT_FALSE(plane.add_peer(large));
    EXPECT_EQ(plane.holder(9), Holder::User);
    EXPECT_FALSE(kernel.inner.peer(9));
    EXPECT_FALSE(plane.remove_peer(9));

    kernel.unsupported_keys = true;
    EXPECT_FALSE(plane.add_peer(a_peer(7)));
    EXPECT_EQ(plane.holder(7), Holder::Kernel);
    EXPECT_FALSE(plane.install_key(7, KeySlot::Primary, 0, keys_of(4)));
    EXPECT_EQ(plane.holder(7), Holder::User);
    packet = ipv4(1, 7);
    plane.transmit(packet, now);
    EXPECT_EQ(sink.datagrams.size(), 2U);
    EXPECT_FALSE(plane.remove_peer(7));
    EXPECT_FALSE(kernel.inner.peer(7));
}

TEST_F(Movable, PeersEndInBothPlaces) {
    // What is heard late is about another one of the same ID, as point-to-point peers have.
    EXPECT_FALSE(plane.kernel_notified(PeerDeleted{kId, false}));
    EXPECT_EQ(plane.holder(kId), Holder::Kernel);
    kernel.inner.remove_peer(kId);
    EXPECT_TRUE(plane.kernel_notified(PeerDeleted{kId, true}));
    EXPECT_FALSE(plane.holder(kId));
    EXPECT_FALSE(plane.kernel_notified(PeerDeleted{kId, true})) << "there is none";
    EXPECT_FALSE(plane.add_peer(a_peer()));
    EXPECT_FALSE(plane.set_keepalive(kId, {0, 2}));
    ASSERT_FALSE(plane.move(kId, Holder::User));
    for (int i = 0; i < 4; i++, now += 1s)
        plane.tick(now);
    auto events = plane.take_notifications();
    ASSERT_EQ(events.size(), 1U);
    EXPECT_TRUE(std::get<PeerDeleted>(events[0]).expired);
    EXPECT_FALSE(kernel.inner.peer(kId));
}

TEST_F(Movable, PeersThatTheKernelHasLost) {
    kernel.inner.remove_peer(kId);
    EXPECT_TRUE(plane.stats()->empty());
}

// The kernel is the same, the daemon another one.
TEST_F(Movable, AnotherProcessGoesOn) {
    transmit(ipv4(1, kId));
    MovableDataPlane next{&kernel, sink};
    const auto there = next.adopt_peer(a_peer());
    ASSERT_TRUE(there);
    EXPECT_EQ(there->primary->id, 0);
    EXPECT_EQ(there->secondary->id, 1);
    EXPECT_EQ(there->path, kPath);
    EXPECT_EQ(next.holder(kId), Holder::Kernel);
    EXPECT_FALSE(next.set_keepalive(kId, {10, 60}));
    // Its keys are where they are, and what is encrypted goes on behind the last packet ID.
    EXPECT_TRUE(next.move(kId, Holder::User));
    EXPECT_TRUE(kernel_has_key());
    transmit(ipv4(1, kId));
    ASSERT_EQ(sink.datagrams.size(), 2U);
    EXPECT_NE(Bytes(sink.datagrams[0].begin(), sink.datagrams[0].begin() + 8),
              Bytes(sink.datagrams[1].begin(), sink.datagrams[1].begin() + 8));
    // A new key replaces the one in the secondary slot; the old one goes when its time has come.
    EXPECT_FALSE(next.install_key(kId, KeySlot::Secondary, 2, keys_of(3)));
    EXPECT_FALSE(next.swap_keys(kId));
    EXPECT_EQ(kernel.inner.key(kId, KeySlot::Primary)->key_id, 2);
    EXPECT_EQ(kernel.inner.key(kId, KeySlot::Secondary)->key_id, 0);
    EXPECT_TRUE(next.move(kId, Holder::User)) << "one of its keys is still the kernel's alone";
    EXPECT_FALSE(next.delete_key(kId, KeySlot::Secondary));
    EXPECT_FALSE(kernel.inner.key(kId, KeySlot::Secondary));
    // From now on it is as any other.
    EXPECT_FALSE(next.move(kId, Holder::User));
    EXPECT_FALSE(kernel_has_key());
    EXPECT_FALSE(next.move(kId, Holder::Kernel));
    EXPECT_FALSE(next.install_key(kId, KeySlot::Secondary, 3, keys_of(4)));
    EXPECT_FALSE(next.swap_keys(kId));
    EXPECT_FALSE(next.remove_peer(kId));
}

TEST_F(Movable, AKeyOfAnotherProcessMayBeDeletedUnseen) {
    MovableDataPlane next{&kernel, sink};
    ASSERT_TRUE(next.adopt_peer(a_peer()));
    EXPECT_FALSE(next.delete_key(kId, KeySlot::Secondary));
    EXPECT_FALSE(kernel.inner.key(kId, KeySlot::Secondary));
    EXPECT_TRUE(next.delete_key(kId, KeySlot::Secondary));
    // Once more by another one: what it has had, it has not.
    EXPECT_FALSE(next.install_key(kId, KeySlot::Secondary, 2, keys_of(3)));
    MovableDataPlane third{&kernel, sink};
    ASSERT_TRUE(third.adopt_peer(a_peer()));
    EXPECT_FALSE(third.swap_keys(kId));
    EXPECT_EQ(kernel.inner.key(kId, KeySlot::Primary)->key_id, 2);
}

TEST_F(Movable, NobodyGoesOnWithWhatIsNotTheSame) {
    MovableDataPlane next{&kernel, sink};
    auto other = a_peer();
    other.address = Ipv4{0x0a080063};
    EXPECT_FALSE(next.adopt_peer(other)) << "another address";
    other = a_peer();
    other.id = kId + 1;
    EXPECT_FALSE(next.adopt_peer(other)) << "not there";
    EXPECT_FALSE(next.holder(kId));
    kernel.inner.delete_key(kId, KeySlot::Primary);
    EXPECT_FALSE(next.adopt_peer(a_peer())) << "without a key";
    EXPECT_EQ(next.remove_strangers(), 1U);
    EXPECT_FALSE(kernel.inner.peer(kId));
    EXPECT_EQ(next.remove_strangers(), 0U);
    MovableDataPlane alone{nullptr, sink};
    EXPECT_FALSE(alone.adopt_peer(a_peer()));
}

TEST(MovableAlone, WithoutAKernel) {
    Sink sink;
    MovableDataPlane plane(nullptr, sink);
    EXPECT_FALSE(plane.add_peer(a_peer()));
    EXPECT_FALSE(plane.install_key(kId, KeySlot::Primary, 0, keys_of(1)));
    EXPECT_EQ(plane.holder(kId), Holder::User);
    EXPECT_TRUE(plane.move(kId, Holder::Kernel));
    EXPECT_EQ(plane.stats()->size(), 1U);
    EXPECT_FALSE(plane.remove_peer(kId));
    EXPECT_TRUE(plane.stats()->empty());
}
