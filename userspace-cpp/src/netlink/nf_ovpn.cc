// SPDX-License-Identifier: GPL-2.0-or-later
//
// Requests and notifications of the family "nf-ovpn"; see nf_ovpn.h.

#include "netlink/nf_ovpn.h"

#include <libmnl/libmnl.h>

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/nf_ovpn.h>

#include <cerrno>

namespace nfovpn::netlink {

namespace {

// Attributes that are big endian are put as they lie in memory.
std::uint32_t be32(std::uint32_t value) {
    return htonl(value);
}
std::uint16_t be16(std::uint16_t value) {
    return htons(value);
}

std::uint32_t slot_number(KeySlot slot) {
    return slot == KeySlot::Primary ? NF_OVPN_KEY_SLOT_PRIMARY : NF_OVPN_KEY_SLOT_SECONDARY;
}

std::uint32_t cipher_number(DataCipher cipher) {
    switch (cipher) {
    case DataCipher::Aes128Gcm:
    case DataCipher::Aes192Gcm:
    case DataCipher::Aes256Gcm:
        return NF_OVPN_CIPHER_ALG_AES_GCM;
    case DataCipher::ChaCha20Poly1305:
        return NF_OVPN_CIPHER_ALG_CHACHA20_POLY1305;
    case DataCipher::Aes128Cbc:
    case DataCipher::Aes192Cbc:
    case DataCipher::Aes256Cbc:
        return NF_OVPN_CIPHER_ALG_AES_CBC;
    case DataCipher::None:
        return NF_OVPN_CIPHER_ALG_NONE;
    }
    return NF_OVPN_CIPHER_ALG_AES_GCM;
}

std::uint32_t auth_number(DataAuth auth) {
    switch (auth) {
    case DataAuth::None:
        return NF_OVPN_AUTH_ALG_NONE;
    case DataAuth::Sha1:
        return NF_OVPN_AUTH_ALG_HMAC_SHA1;
    case DataAuth::Sha256:
        return NF_OVPN_AUTH_ALG_HMAC_SHA256;
    default:
        break; // the kernel has no other, and is not asked
    }
    return NF_OVPN_AUTH_ALG_NONE;
}

std::uint32_t framing_number(Framing framing) {
    switch (framing) {
    case Framing::None:
        return NF_OVPN_FRAMING_NONE;
    case Framing::Stub:
        return NF_OVPN_FRAMING_STUB;
    case Framing::StubSwap:
        return NF_OVPN_FRAMING_STUB_SWAP;
    case Framing::StubV2:
        return NF_OVPN_FRAMING_STUB_V2;
    default:
        break; // likewise
    }
    return NF_OVPN_FRAMING_NONE;
}

std::uint32_t fastpath_number(Fastpath fastpath) {
    switch (fastpath) {
    case Fastpath::Off:
        return NF_OVPN_FASTPATH_OFF;
    case Fastpath::Accepted:
        return NF_OVPN_FASTPATH_ACCEPTED;
    case Fastpath::Eager:
        return NF_OVPN_FASTPATH_EAGER;
    case Fastpath::Marked:
        return NF_OVPN_FASTPATH_MARKED;
    }
    return NF_OVPN_FASTPATH_ACCEPTED;
}

constexpr int kEventBuffer = 8 << 20;

struct CounterName {
    std::uint16_t attribute;
    const char* name;
};

constexpr CounterName kStats[] = {
    {NF_OVPN_A_STATS_VPN_RX_PACKETS, "vpn-rx-packets"},
    {NF_OVPN_A_STATS_VPN_RX_BYTES, "vpn-rx-bytes"},
    {NF_OVPN_A_STATS_VPN_TX_PACKETS, "vpn-tx-packets"},
    {NF_OVPN_A_STATS_VPN_TX_BYTES, "vpn-tx-bytes"},
    {NF_OVPN_A_STATS_RX_FAST_PACKETS, "rx-fast-packets"},
    {NF_OVPN_A_STATS_RX_SLOW_PACKETS, "rx-slow-packets"},
    {NF_OVPN_A_STATS_RX_USERSPACE_PACKETS, "rx-userspace-packets"},
    {NF_OVPN_A_STATS_TX_FAST_PACKETS, "tx-fast-packets"},
    {NF_OVPN_A_STATS_TX_EGRESS_PACKETS, "tx-egress-packets"},
    {NF_OVPN_A_STATS_TX_USERSPACE_PACKETS, "tx-userspace-packets"},
};

constexpr CounterName kDrops[] = {
    {NF_OVPN_A_DROPS_MALFORMED, "drops.malformed"},
    {NF_OVPN_A_DROPS_CHECKSUM, "drops.checksum"},
    {NF_OVPN_A_DROPS_AUTH, "drops.auth"},
    {NF_OVPN_A_DROPS_REPLAY, "drops.replay"},
    {NF_OVPN_A_DROPS_INNER, "drops.inner"},
    {NF_OVPN_A_DROPS_SOURCE, "drops.source"},
    {NF_OVPN_A_DROPS_ECN, "drops.ecn"},
    {NF_OVPN_A_DROPS_NO_KEY, "drops.no-key"},
    {NF_OVPN_A_DROPS_KEY_LIMIT, "drops.key-limit"},
    {NF_OVPN_A_DROPS_NO_ROUTE, "drops.no-route"},
    {NF_OVPN_A_DROPS_LOOP, "drops.loop"},
    {NF_OVPN_A_DROPS_NO_MEMORY, "drops.no-memory"},
    {NF_OVPN_A_DROPS_CONNTRACK, "drops.conntrack"},
    {NF_OVPN_A_DROPS_TOO_BIG, "drops.too-big"},
    {NF_OVPN_A_DROPS_FRAMING, "drops.framing"},
    {NF_OVPN_A_DROPS_OFFLOAD, "drops.offload"},
};

std::uint32_t u32(const Attributes& attributes, std::uint16_t type) {
    return static_cast<std::uint32_t>(attributes.number(type).value_or(0));
}

void put_slot(Message& m, std::uint32_t peer_id, KeySlot slot) {
    m.u32(NF_OVPN_A_KEYCONF_PEER_ID, peer_id);
    m.u32(NF_OVPN_A_KEYCONF_SLOT, slot_number(slot));
}

void put_direction(Message& m, std::uint16_t attribute, const DataFormat& format,
                   const DirectionKey& key) {
    m.nest(attribute, [&] {
        if (!key.cipher_key.empty())
            m.bytes(NF_OVPN_A_KEYDIR_CIPHER_KEY, key.cipher_key.view());
        if (is_aead(format.cipher) && !format.epochs)
            m.bytes(NF_OVPN_A_KEYDIR_NONCE_TAIL, key.implicit_iv.view());
        if (!key.auth_key.empty())
            m.bytes(NF_OVPN_A_KEYDIR_AUTH_KEY, key.auth_key.view());
    });
}

void put_address(Message& m, const Address& address, std::uint16_t ipv4, std::uint16_t ipv6) {
    if (address.is_ipv4())
        m.u32(ipv4, be32(address.ipv4().value));
    else
        m.bytes(ipv6, address.ipv6().bytes);
}

void put_path(Message& m, const Path& path) {
    put_address(m, path.remote.address, NF_OVPN_A_PEER_REMOTE_IPV4, NF_OVPN_A_PEER_REMOTE_IPV6);
    if (path.remote.scope_id != 0)
        m.u32(NF_OVPN_A_PEER_REMOTE_IPV6_SCOPE_ID, path.remote.scope_id);
    m.u16(NF_OVPN_A_PEER_REMOTE_PORT, be16(path.remote.port));
    put_address(m, path.local.address, NF_OVPN_A_PEER_LOCAL_IPV4, NF_OVPN_A_PEER_LOCAL_IPV6);
    m.u16(NF_OVPN_A_PEER_LOCAL_PORT, be16(path.local.port));
}

// Nothing if neither attribute is there as it should be.
std::optional<Address> address_of(const Attributes& peer, std::uint16_t ipv4, std::uint16_t ipv6) {
    if (peer.find(ipv4))
        return Ipv4{be32(u32(peer, ipv4))};
    auto bytes = peer.bytes(ipv6);
    Ipv6 out;
    if (!bytes || bytes->size() != out.bytes.size())
        return std::nullopt;
    std::copy(bytes->begin(), bytes->end(), out.bytes.begin());
    return out;
}

std::uint16_t port_of(const Attributes& peer, std::uint16_t port) {
    return be16(static_cast<std::uint16_t>(u32(peer, port)));
}

std::optional<Endpoint> remote_of(const Attributes& peer) {
    auto address = address_of(peer, NF_OVPN_A_PEER_REMOTE_IPV4, NF_OVPN_A_PEER_REMOTE_IPV6);
    if (!address)
        return std::nullopt;
    return Endpoint{*address, port_of(peer, NF_OVPN_A_PEER_REMOTE_PORT),
                    u32(peer, NF_OVPN_A_PEER_REMOTE_IPV6_SCOPE_ID)};
}

std::optional<Endpoint> local_of(const Attributes& peer) {
    auto address = address_of(peer, NF_OVPN_A_PEER_LOCAL_IPV4, NF_OVPN_A_PEER_LOCAL_IPV6);
    if (!address)
        return std::nullopt;
    return Endpoint{*address, port_of(peer, NF_OVPN_A_PEER_LOCAL_PORT)};
}

void put_network(Message& m, const Prefix& network) {
    m.nest(NF_OVPN_A_PEER_NETWORK, [&] {
        ByteView address(network.address);
        if (network.ipv6)
            m.bytes(NF_OVPN_A_NETWORK_IPV6, address);
        else
            m.bytes(NF_OVPN_A_NETWORK_IPV4, address.first(4));
        m.u8(NF_OVPN_A_NETWORK_PREFIX_LEN, static_cast<std::uint8_t>(network.length));
    });
}

std::optional<PeerReport> report_of(const nlmsghdr* answer) {
    const auto* nest = Attributes(answer, sizeof(genlmsghdr)).find(NF_OVPN_A_PEER);
    if (!nest)
        return std::nullopt;
    Attributes peer(nest);
    PeerReport report;
    report.id = u32(peer, NF_OVPN_A_PEER_ID);
    report.remote = remote_of(peer);
    if (peer.find(NF_OVPN_A_PEER_VPN_IPV4))
        report.vpn_address = Ipv4{be32(u32(peer, NF_OVPN_A_PEER_VPN_IPV4))};
    if (const auto bytes = peer.bytes(NF_OVPN_A_PEER_VPN_IPV6);
        bytes && bytes->size() == sizeof(Ipv6::bytes)) {
        report.vpn_address6.emplace();
        std::copy(bytes->begin(), bytes->end(), report.vpn_address6->bytes.begin());
    }
    if (const auto* inner = peer.find(NF_OVPN_A_PEER_STATS)) {
        Attributes stats(inner);
        report.link_rx_bytes = stats.number(NF_OVPN_A_STATS_LINK_RX_BYTES).value_or(0);
        report.link_tx_bytes = stats.number(NF_OVPN_A_STATS_LINK_TX_BYTES).value_or(0);
        report.vpn_bytes = stats.number(NF_OVPN_A_STATS_VPN_RX_BYTES).value_or(0) +
                           stats.number(NF_OVPN_A_STATS_VPN_TX_BYTES).value_or(0);
        report.vpn_rx_packets = stats.number(NF_OVPN_A_STATS_VPN_RX_PACKETS).value_or(0);
        report.vpn_tx_packets = stats.number(NF_OVPN_A_STATS_VPN_TX_PACKETS).value_or(0);
    }
    return report;
}

} // namespace

/// A request of the family that names the device.
class NfOvpn::Request : public Message {
public:
    Request(const NfOvpn& family, std::uint8_t command, std::uint16_t flags = 0,
            std::size_t networks = 0)
        : Message(family.family_.id, flags, request_size(networks)) {
        auto& header = this->header<genlmsghdr>();
        header.cmd = command;
        header.version = NF_OVPN_FAMILY_VERSION;
        u32(NF_OVPN_A_IFINDEX, family.ifindex_);
    }
};

Result<NfOvpn, Error> NfOvpn::open(unsigned ifindex) {
    Socket requests(NETLINK_GENERIC);
    auto family = find_family(requests, NF_OVPN_FAMILY_NAME);
    if (!family)
        return family.error();
    Socket events(NETLINK_GENERIC);
    auto group = family->groups.find(NF_OVPN_MCGRP_PEERS);
    if (group == family->groups.end())
        return Error{EPROTO, "nf_ovpn has no multicast group \"" NF_OVPN_MCGRP_PEERS "\""};
    // Ten thousand clients whose addresses change at once, or fall silent.
    events.set_receive_buffer(kEventBuffer);
    if (auto failed = events.join(group->second))
        return *failed;
    return NfOvpn(ifindex, *family, std::move(requests), std::move(events));
}

std::optional<Error> NfOvpn::send(Request& request, const Socket::Handler& handler) {
    return requests_.request(request, handler);
}

std::optional<Error> NfOvpn::new_instance(const InstanceRequest& instance) {
    Request request(*this, NF_OVPN_CMD_INSTANCE_NEW);
    request.nest(NF_OVPN_A_INSTANCE, [&] {
        request.u32(NF_OVPN_A_INSTANCE_MODE,
                    instance.one_peer ? NF_OVPN_MODE_P2P : NF_OVPN_MODE_MP);
        request.u32(NF_OVPN_A_INSTANCE_FASTPATH, fastpath_number(instance.fastpath));
        if (instance.fastpath == Fastpath::Marked) {
            request.u32(NF_OVPN_A_INSTANCE_FASTPATH_MARK, instance.fastpath_mark);
            request.u32(NF_OVPN_A_INSTANCE_FASTPATH_MASK, instance.fastpath_mask);
        }
        if (instance.mark != 0)
            request.u32(NF_OVPN_A_INSTANCE_MARK, instance.mark);
        if (instance.inherit_dscp)
            request.u32(NF_OVPN_A_INSTANCE_DSCP, NF_OVPN_DSCP_INHERIT);
        for (const auto& listener : instance.listeners) {
            request.nest(NF_OVPN_A_INSTANCE_LISTENER, [&] {
                if (listener.address)
                    put_address(request, *listener.address, NF_OVPN_A_LISTENER_LOCAL_IPV4,
                                NF_OVPN_A_LISTENER_LOCAL_IPV6);
                request.u16(NF_OVPN_A_LISTENER_LOCAL_PORT, be16(listener.port));
            });
        }
    });
    return send(request);
}

std::optional<Error> NfOvpn::delete_instance() {
    Request request(*this, NF_OVPN_CMD_INSTANCE_DEL);
    return send(request);
}

std::optional<bool> parse_instance(const nlmsghdr* message, const InstanceRequest& wanted) {
    const auto* nest = Attributes(message, sizeof(genlmsghdr)).find(NF_OVPN_A_INSTANCE);
    if (!nest)
        return std::nullopt;
    const Attributes instance(nest);
    bool same =
        instance.number(NF_OVPN_A_INSTANCE_MODE) ==
            (wanted.one_peer ? NF_OVPN_MODE_P2P : NF_OVPN_MODE_MP) &&
        instance.number(NF_OVPN_A_INSTANCE_FASTPATH) == fastpath_number(wanted.fastpath) &&
        u32(instance, NF_OVPN_A_INSTANCE_MARK) == wanted.mark &&
        (u32(instance, NF_OVPN_A_INSTANCE_DSCP) == NF_OVPN_DSCP_INHERIT) == wanted.inherit_dscp;
    if (wanted.fastpath == Fastpath::Marked)
        same = same && u32(instance, NF_OVPN_A_INSTANCE_FASTPATH_MARK) == wanted.fastpath_mark &&
               u32(instance, NF_OVPN_A_INSTANCE_FASTPATH_MASK) == wanted.fastpath_mask;
    std::size_t found = 0;
    instance.each([&](const nlattr* attribute) {
        if (mnl_attr_get_type(attribute) != NF_OVPN_A_INSTANCE_LISTENER)
            return;
        const Attributes listener(attribute);
        const auto at = found++;
        if (at >= wanted.listeners.size())
            return;
        const auto address =
            address_of(listener, NF_OVPN_A_LISTENER_LOCAL_IPV4, NF_OVPN_A_LISTENER_LOCAL_IPV6);
        same = same && address == wanted.listeners[at].address &&
               port_of(listener, NF_OVPN_A_LISTENER_LOCAL_PORT) == wanted.listeners[at].port;
    });
    return same && found == wanted.listeners.size();
}

Result<bool, Error> NfOvpn::instance_is(const InstanceRequest& instance) {
    Request request(*this, NF_OVPN_CMD_INSTANCE_GET);
    std::optional<bool> same;
    auto failed =
        send(request, [&](const nlmsghdr* answer) { same = parse_instance(answer, instance); });
    if (failed)
        return *failed;
    if (!same)
        return Error{EBADMSG, "nf_ovpn says nothing of the instance"};
    return *same;
}

Result<std::vector<NamedCounter>, Error> NfOvpn::instance_counters() {
    std::vector<NamedCounter> out;
    Request request(*this, NF_OVPN_CMD_INSTANCE_GET);
    auto failed = send(request, [&](const nlmsghdr* answer) {
        const auto* instance = Attributes(answer, sizeof(genlmsghdr)).find(NF_OVPN_A_INSTANCE);
        const auto* nest = instance ? Attributes(instance).find(NF_OVPN_A_INSTANCE_STATS) : nullptr;
        if (!nest)
            return;
        Attributes stats(nest);
        for (const auto& c : kStats)
            out.push_back({c.name, stats.number(c.attribute).value_or(0)});
        if (const auto* drops = stats.find(NF_OVPN_A_STATS_DROPS)) {
            for (const auto& c : kDrops)
                out.push_back({c.name, Attributes(drops).number(c.attribute).value_or(0)});
        }
    });
    if (failed)
        return *failed;
    return out;
}

void put_peer(Message& request, const PeerRequest& peer) {
    request.nest(NF_OVPN_A_PEER, [&] {
        request.u32(NF_OVPN_A_PEER_ID, peer.id);
        put_path(request, peer.path);
        if (!peer.owns_everything && peer.vpn_address)
            request.u32(NF_OVPN_A_PEER_VPN_IPV4, be32(peer.vpn_address->value));
        if (peer.vpn_address6)
            request.bytes(NF_OVPN_A_PEER_VPN_IPV6, peer.vpn_address6->bytes);
        for (const auto& network : peer.networks)
            put_network(request, network);
        if (peer.tcp_mss > 0)
            request.u16(NF_OVPN_A_PEER_TCP_MSS, peer.tcp_mss);
        if (peer.framing != Framing::None)
            request.u32(NF_OVPN_A_PEER_FRAMING, framing_number(peer.framing));
        if (peer.data_v1)
            request.flag(NF_OVPN_A_PEER_DATA_V1);
    });
}

std::optional<Error> NfOvpn::new_peer(const PeerRequest& peer) {
    Request request(*this, NF_OVPN_CMD_PEER_NEW, 0, peer.networks.size());
    put_peer(request, peer);
    return send(request);
}

std::optional<Error> NfOvpn::set_keepalive(std::uint32_t id, std::uint32_t interval,
                                           std::uint32_t timeout) {
    Request request(*this, NF_OVPN_CMD_PEER_SET);
    request.nest(NF_OVPN_A_PEER, [&] {
        request.u32(NF_OVPN_A_PEER_ID, id);
        request.u32(NF_OVPN_A_PEER_KEEPALIVE_INTERVAL, interval);
        request.u32(NF_OVPN_A_PEER_KEEPALIVE_TIMEOUT, timeout);
    });
    return send(request);
}

std::size_t request_size(std::size_t networks) {
    // Three headers of 4 bytes, an address of 16 and the length of a prefix.
    constexpr std::size_t kNetworkSize = 32;
    return std::min(Message::kSize + networks * kNetworkSize, Message::kMaxSize);
}

void put_networks(Message& request, std::uint32_t id, const std::vector<Prefix>& networks) {
    request.nest(NF_OVPN_A_PEER, [&] {
        request.u32(NF_OVPN_A_PEER_ID, id);
        for (const auto& network : networks)
            put_network(request, network);
        if (networks.empty())
            request.flag(NF_OVPN_A_PEER_NO_NETWORKS);
    });
}

std::optional<Error> NfOvpn::set_networks(std::uint32_t id, const std::vector<Prefix>& networks) {
    Request request(*this, NF_OVPN_CMD_PEER_SET, 0, networks.size());
    put_networks(request, id, networks);
    return send(request);
}

std::optional<Error> NfOvpn::delete_peer(std::uint32_t id) {
    Request request(*this, NF_OVPN_CMD_PEER_DEL);
    request.nest(NF_OVPN_A_PEER, [&] { request.u32(NF_OVPN_A_PEER_ID, id); });
    return send(request);
}

Result<std::vector<PeerReport>, Error> NfOvpn::peers() {
    std::vector<PeerReport> out;
    Request request(*this, NF_OVPN_CMD_PEER_GET, NLM_F_DUMP);
    auto failed = send(request, [&](const nlmsghdr* answer) {
        if (auto report = report_of(answer))
            out.push_back(*report);
    });
    if (failed)
        return *failed;
    return out;
}

Result<PeerReport, Error> NfOvpn::peer(std::uint32_t id) {
    Request request(*this, NF_OVPN_CMD_PEER_GET);
    request.nest(NF_OVPN_A_PEER, [&] { request.u32(NF_OVPN_A_PEER_ID, id); });
    std::optional<PeerReport> report;
    if (auto failed = send(request, [&](const nlmsghdr* answer) { report = report_of(answer); }))
        return *failed;
    if (!report)
        return Error{EBADMSG, "nf_ovpn says nothing of the peer"};
    return *report;
}

void put_key(Message& request, std::uint32_t peer_id, KeySlot slot, std::uint8_t key_id,
             const DataKeys& keys, const KeyState* state) {
    const auto& format = keys.format;
    request.nest(NF_OVPN_A_KEYCONF, [&] {
        put_slot(request, peer_id, slot);
        request.u32(NF_OVPN_A_KEYCONF_KEY_ID, key_id);
        request.u32(NF_OVPN_A_KEYCONF_CIPHER_ALG, cipher_number(format.cipher));
        if (format.auth != DataAuth::None)
            request.u32(NF_OVPN_A_KEYCONF_AUTH_ALG, auth_number(format.auth));
        if (format.epochs) {
            // The length of the secret does not tell the length of the keys.
            request.flag(NF_OVPN_A_KEYCONF_EPOCHS);
            request.u32(NF_OVPN_A_KEYCONF_KEY_BITS,
                        static_cast<std::uint32_t>(8 * cipher_key_length(format.cipher)));
        }
        if (format.cipher == DataCipher::None)
            request.flag(NF_OVPN_A_KEYCONF_INSECURE);
        put_direction(request, NF_OVPN_A_KEYCONF_ENCRYPT_DIR, format, keys.encrypt);
        put_direction(request, NF_OVPN_A_KEYCONF_DECRYPT_DIR, format, keys.decrypt);
        if (!state)
            return;
        request.u64(NF_OVPN_A_KEYCONF_TX_PACKET_ID, state->sent);
        request.u64(NF_OVPN_A_KEYCONF_TX_BLOCKS, state->blocks);
        request.u64(NF_OVPN_A_KEYCONF_RX_PACKET_ID, state->received);
        if (state->window)
            request.bytes(NF_OVPN_A_KEYCONF_RX_WINDOW, *state->window);
    });
}

std::optional<Error> NfOvpn::new_key(std::uint32_t peer_id, KeySlot slot, std::uint8_t key_id,
                                     const DataKeys& keys, const KeyState* state) {
    Request request(*this, NF_OVPN_CMD_KEY_NEW);
    put_key(request, peer_id, slot, key_id, keys, state);
    return send(request);
}

std::optional<KeyReport> parse_key(const nlmsghdr* message) {
    const auto* nest = Attributes(message, sizeof(genlmsghdr)).find(NF_OVPN_A_KEYCONF);
    if (!nest)
        return std::nullopt;
    const Attributes key(nest);
    const auto slot = key.number(NF_OVPN_A_KEYCONF_SLOT);
    const auto id = key.number(NF_OVPN_A_KEYCONF_KEY_ID);
    const auto algorithm = key.number(NF_OVPN_A_KEYCONF_CIPHER_ALG);
    const auto bits = key.number(NF_OVPN_A_KEYCONF_KEY_BITS);
    constexpr std::uint64_t kLastKeyId = 7;
    if (!slot || *slot > NF_OVPN_KEY_SLOT_SECONDARY || !id || *id > kLastKeyId || !algorithm ||
        !bits)
        return std::nullopt;
    KeyReport out;
    out.slot = *slot == NF_OVPN_KEY_SLOT_PRIMARY ? KeySlot::Primary : KeySlot::Secondary;
    out.id = static_cast<std::uint8_t>(*id);
    out.epochs = key.find(NF_OVPN_A_KEYCONF_EPOCHS) != nullptr;
    for (const auto cipher : {DataCipher::Aes128Gcm, DataCipher::Aes192Gcm, DataCipher::Aes256Gcm,
                              DataCipher::ChaCha20Poly1305, DataCipher::Aes128Cbc,
                              DataCipher::Aes192Cbc, DataCipher::Aes256Cbc, DataCipher::None}) {
        if (cipher_number(cipher) != *algorithm ||
            (cipher != DataCipher::None && 8 * cipher_key_length(cipher) != *bits))
            continue;
        out.cipher = cipher;
        return out;
    }
    return std::nullopt;
}

Result<std::vector<KeyReport>, Error> NfOvpn::keys(std::uint32_t peer_id) {
    Request request(*this, NF_OVPN_CMD_KEY_GET, NLM_F_DUMP);
    request.nest(NF_OVPN_A_KEYCONF, [&] { request.u32(NF_OVPN_A_KEYCONF_PEER_ID, peer_id); });
    std::vector<KeyReport> out;
    bool understood = true;
    auto failed = send(request, [&](const nlmsghdr* answer) {
        if (const auto key = parse_key(answer))
            out.push_back(*key);
        else
            understood = false;
    });
    if (failed)
        return *failed;
    if (!understood)
        return Error{EBADMSG, "nf_ovpn says of a key what is not understood"};
    return out;
}

std::optional<Error> NfOvpn::swap_keys(std::uint32_t peer_id) {
    Request request(*this, NF_OVPN_CMD_KEY_SWAP);
    request.nest(NF_OVPN_A_KEYCONF, [&] { request.u32(NF_OVPN_A_KEYCONF_PEER_ID, peer_id); });
    return send(request);
}

std::optional<Error> NfOvpn::delete_key(std::uint32_t peer_id, KeySlot slot) {
    Request request(*this, NF_OVPN_CMD_KEY_DEL);
    request.nest(NF_OVPN_A_KEYCONF, [&] { put_slot(request, peer_id, slot); });
    return send(request);
}

std::optional<KeyState> parse_key_state(const nlmsghdr* message) {
    const auto* nest = Attributes(message, sizeof(genlmsghdr)).find(NF_OVPN_A_KEYCONF);
    if (!nest)
        return std::nullopt;
    Attributes key(nest);
    auto sent = key.number(NF_OVPN_A_KEYCONF_TX_PACKET_ID);
    auto blocks = key.number(NF_OVPN_A_KEYCONF_TX_BLOCKS);
    auto received = key.number(NF_OVPN_A_KEYCONF_RX_PACKET_ID);
    auto window = key.bytes(NF_OVPN_A_KEYCONF_RX_WINDOW);
    if (!sent || !blocks || !received || !window)
        return std::nullopt;
    return KeyState{*sent, *blocks, *received, Bytes(window->begin(), window->end())};
}

Result<KeyState, Error> NfOvpn::release_key(std::uint32_t peer_id, KeySlot slot) {
    Request request(*this, NF_OVPN_CMD_KEY_RELEASE);
    request.nest(NF_OVPN_A_KEYCONF, [&] { put_slot(request, peer_id, slot); });
    std::optional<KeyState> state;
    auto failed = send(request, [&](const nlmsghdr* answer) { state = parse_key_state(answer); });
    if (failed)
        return *failed;
    if (!state)
        return Error{EBADMSG, "nf_ovpn does not say how far the key is used up"};
    return *state;
}

Result<std::uint64_t, Error> NfOvpn::reserve_packet_ids(std::uint32_t peer_id, KeySlot slot,
                                                        std::uint32_t packets) {
    Request request(*this, NF_OVPN_CMD_KEY_RESERVE);
    request.nest(NF_OVPN_A_KEYCONF, [&] {
        put_slot(request, peer_id, slot);
        request.u32(NF_OVPN_A_KEYCONF_PACKETS, packets);
    });
    std::optional<std::uint64_t> last;
    auto failed = send(request, [&](const nlmsghdr* answer) {
        if (const auto* key = Attributes(answer, sizeof(genlmsghdr)).find(NF_OVPN_A_KEYCONF))
            last = Attributes(key).number(NF_OVPN_A_KEYCONF_TX_PACKET_ID);
    });
    if (failed)
        return *failed;
    if (!last)
        return Error{EBADMSG, "nf_ovpn does not say which packet IDs"};
    return *last;
}

std::optional<Error> NfOvpn::accept_packet_id(std::uint32_t peer_id, KeySlot slot,
                                              std::uint64_t packet_id) {
    Request request(*this, NF_OVPN_CMD_KEY_ACCEPT);
    request.nest(NF_OVPN_A_KEYCONF, [&] {
        put_slot(request, peer_id, slot);
        request.u64(NF_OVPN_A_KEYCONF_RX_PACKET_ID, packet_id);
    });
    return send(request);
}

Result<Path, Error> NfOvpn::peer_path(std::uint32_t id) {
    Request request(*this, NF_OVPN_CMD_PEER_GET);
    request.nest(NF_OVPN_A_PEER, [&] { request.u32(NF_OVPN_A_PEER_ID, id); });
    std::optional<Path> path;
    auto failed = send(request, [&](const nlmsghdr* answer) {
        const auto* nest = Attributes(answer, sizeof(genlmsghdr)).find(NF_OVPN_A_PEER);
        if (!nest)
            return;
        Attributes peer(nest);
        auto remote = remote_of(peer);
        auto local = local_of(peer);
        if (remote && local)
            path = Path{*remote, *local};
    });
    if (failed)
        return *failed;
    if (!path)
        return Error{EBADMSG, "nf_ovpn does not say where the peer is"};
    return *path;
}

std::optional<Error> NfOvpn::set_peer_path(std::uint32_t id, const Path& path) {
    Request request(*this, NF_OVPN_CMD_PEER_SET);
    request.nest(NF_OVPN_A_PEER, [&] {
        request.u32(NF_OVPN_A_PEER_ID, id);
        put_path(request, path);
    });
    return send(request);
}

std::optional<NfOvpnNotification> parse_notification(const nlmsghdr* message, unsigned ifindex) {
    if (message->nlmsg_len < NLMSG_HDRLEN + sizeof(genlmsghdr))
        return std::nullopt;
    const auto* header = static_cast<const genlmsghdr*>(mnl_nlmsg_get_payload(message));
    Attributes attributes(message, sizeof(genlmsghdr));
    if (u32(attributes, NF_OVPN_A_IFINDEX) != ifindex)
        return std::nullopt;
    if (const auto* nest = attributes.find(NF_OVPN_A_PEER)) {
        Attributes peer(nest);
        auto id = u32(peer, NF_OVPN_A_PEER_ID);
        if (header->cmd == NF_OVPN_CMD_PEER_DEL_NTF)
            return PeerDelNtf{id, u32(peer, NF_OVPN_A_PEER_DEL_REASON)};
        auto remote = remote_of(peer);
        if (header->cmd == NF_OVPN_CMD_PEER_FLOAT_NTF && remote)
            return PeerFloatNtf{id, *remote};
    }
    if (const auto* nest = attributes.find(NF_OVPN_A_KEYCONF);
        nest && header->cmd == NF_OVPN_CMD_KEY_LIMIT_NTF) {
        Attributes key(nest);
        return KeyLimitNtf{u32(key, NF_OVPN_A_KEYCONF_PEER_ID),
                           static_cast<std::uint8_t>(u32(key, NF_OVPN_A_KEYCONF_KEY_ID))};
    }
    return std::nullopt;
}

std::vector<NfOvpnNotification> NfOvpn::notifications(bool& lost) {
    std::vector<NfOvpnNotification> out;
    bool complete = events_.receive([&](const nlmsghdr* message) {
        if (message->nlmsg_type != family_.id)
            return;
        if (auto notification = parse_notification(message, ifindex_))
            out.push_back(*notification);
    });
    lost = !complete;
    return out;
}

} // namespace nfovpn::netlink
