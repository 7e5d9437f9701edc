// SPDX-License-Identifier: GPL-2.0-or-later
//
// The data plane in this process; user.h draws a packet's way.

#include "dataplane/user.h"

#include "dataplane/inner_packet.h"
#include "util/log.h"

#include <openssl/rand.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace nfovpn::dataplane {

namespace {

constexpr unsigned kDataV1 = 6;
constexpr unsigned kDataV2 = 9;
constexpr unsigned kKeyIds = 8;

// What is due is due on the second, for all peers at once.
constexpr Duration kPeriod = std::chrono::seconds(1);

constexpr KeySlot kSlots[] = {KeySlot::Primary, KeySlot::Secondary};

std::size_t index(KeySlot slot) {
    return slot == KeySlot::Primary ? 0 : 1;
}

Error error(int code) {
    return {code, std::strerror(code)};
}

std::vector<Prefix> prefixes(const Peer& peer) {
    if (peer.owns_everything)
        return {ipv4_prefix(Ipv4{}, 0), ipv6_prefix(Ipv6{}, 0)};
    auto out = peer.networks;
    if (peer.address)
        out.push_back(ipv4_prefix(*peer.address, 32));
    if (peer.address6)
        out.push_back(ipv6_prefix(*peer.address6, 128));
    return out;
}

std::array<std::uint8_t, kHeadV2> head_of(const Peer& peer, std::uint8_t key_id) {
    const auto opcode = (peer.data_v1 ? kDataV1 : kDataV2) * kKeyIds + key_id;
    return {static_cast<std::uint8_t>(opcode), static_cast<std::uint8_t>(peer.id >> 16),
            static_cast<std::uint8_t>(peer.id >> 8), static_cast<std::uint8_t>(peer.id)};
}

} // namespace

std::string_view drop_name(Drop drop) {
    constexpr std::string_view kNames[kDrops] = {"malformed", "auth",    "replay",
                                                 "inner",     "source",  "no-key",
                                                 "key-limit", "framing", "no-peer"};
    return kNames[static_cast<std::size_t>(drop)];
}

UserDataPlane::Entry* UserDataPlane::find(std::uint32_t id) {
    auto at = peers_.find(id);
    return at == peers_.end() ? nullptr : &at->second;
}

const UserDataPlane::Entry* UserDataPlane::find(std::uint32_t id) const {
    auto at = peers_.find(id);
    return at == peers_.end() ? nullptr : &at->second;
}

Failure UserDataPlane::add_peer(const Peer& peer) {
    if (find(peer.id) || (peer.data_v1 && by_address_.contains(peer.path.remote)))
        return error(EEXIST);
    const auto wanted = prefixes(peer);
    for (auto at = wanted.begin(); at != wanted.end(); ++at) {
        if (routes_.add(*at, peer.id))
            continue;
        std::for_each(wanted.begin(), at, [this](const Prefix& p) { routes_.remove(p); });
        return Error{EEXIST, to_string(*at) + " is another peer's"};
    }
    auto& entry = peers_[peer.id];
    entry.peer = peer;
    entry.stats.id = peer.id;
    if (peer.fragment > 0) {
        // Not the number that an earlier session began with, whose parts may be on their way.
        std::uint8_t first = 0;
        if (RAND_bytes(&first, 1) != 1)
            first = 0;
        entry.fragmenter = std::make_unique<Fragmenter>(first);
        entry.reassembly = std::make_unique<Reassembly>();
    }
    if (peer.data_v1)
        by_address_.emplace(peer.path.remote, peer.id);
    if (peer.owns_everything)
        alone_ = peer.id;
    return std::nullopt;
}

Failure UserDataPlane::set_keepalive(std::uint32_t id, const Keepalive& keepalive) {
    auto* entry = find(id);
    if (!entry)
        return error(ENOENT);
    watch(*entry, keepalive, entry->lent);
    return std::nullopt;
}

// Changes whether and how a peer's silence is noticed. Time runs from the next tick.
void UserDataPlane::watch(Entry& entry, const Keepalive& keepalive, bool lent) {
    const auto watched = [&entry] {
        const auto& k = entry.keepalive;
        return !entry.lent && (k.interval > 0 || k.timeout > 0) ? 1U : 0U;
    };
    watched_ -= watched();
    entry.keepalive = keepalive;
    entry.lent = lent;
    watched_ += watched();
    entry.last_received.reset();
    entry.last_sent.reset();
}

Failure UserDataPlane::set_networks(std::uint32_t id, const std::vector<Prefix>& networks) {
    auto* entry = find(id);
    if (!entry)
        return error(ENOENT);
    auto& own = entry->peer.networks;
    for (const auto& network : own)
        routes_.remove(network);
    own.clear();
    for (const auto& network : networks) {
        if (!routes_.add(network, id))
            return Error{EEXIST, to_string(network) + " is another peer's"};
        own.push_back(network);
    }
    return std::nullopt;
}

Failure UserDataPlane::remove_peer(std::uint32_t id) {
    if (!find(id))
        return error(ENOENT);
    erase(id);
    return std::nullopt;
}

void UserDataPlane::erase(std::uint32_t id) {
    auto& entry = *find(id);
    watch(entry, {}, entry.lent);
    const auto& peer = entry.peer;
    for (const auto& prefix : prefixes(peer))
        routes_.remove(prefix);
    if (peer.data_v1)
        by_address_.erase(peer.path.remote);
    if (macs_)
        macs_->forget(id);
    if (alone_ == id)
        alone_.reset();
    peers_.erase(id);
}

Failure UserDataPlane::install_key(std::uint32_t peer_id, KeySlot slot, std::uint8_t key_id,
                                   const DataKeys& keys) {
    auto* entry = find(peer_id);
    if (!entry)
        return error(ENOENT);
    const auto& other = entry->slots[1 - index(slot)];
    if (other && other->key_id == key_id)
        return error(EEXIST);
    Slot fresh{key_id, keys.clone(), {}, nullptr};
    // One that nobody uses here need not be ready.
    if (!entry->lent && !usable(fresh))
        return error(EINVAL);
    entry->slots[index(slot)] = std::move(fresh);
    return std::nullopt;
}

Failure UserDataPlane::swap_keys(std::uint32_t peer_id) {
    auto* entry = find(peer_id);
    if (!entry || !entry->slots[index(KeySlot::Secondary)])
        return error(ENOENT);
    std::swap(entry->slots[0], entry->slots[1]);
    return std::nullopt;
}

Failure UserDataPlane::delete_key(std::uint32_t peer_id, KeySlot slot) {
    auto* entry = find(peer_id);
    if (!entry || !entry->slots[index(slot)])
        return error(ENOENT);
    entry->slots[index(slot)].reset();
    return std::nullopt;
}

Failure UserDataPlane::announce(std::uint32_t id, TimePoint now) {
    auto* entry = find(id);
    if (!entry)
        return error(ENOENT);
    auto& local = entry->peer.path.local.address;
    local = local.is_ipv4() ? Address(Ipv4{}) : Address(Ipv6{});
    return send(*entry, kPing, 0, now) ? std::nullopt : Failure(error(ENOKEY));
}

std::optional<std::vector<PeerStats>> UserDataPlane::stats() {
    std::vector<PeerStats> out;
    for (const auto& [id, entry] : peers_)
        out.push_back(entry.stats);
    return out;
}

std::optional<PeerStats> UserDataPlane::peer_stats(std::uint32_t id) {
    auto at = peers_.find(id);
    return at == peers_.end() ? std::nullopt : std::optional(at->second.stats);
}

UserKey* UserDataPlane::usable(Slot& slot) {
    if (!slot.key)
        slot.key = UserKey::create(slot.key_id, slot.keys, slot.state);
    return slot.key.get();
}

bool UserDataPlane::receive(const Path& path, ByteView datagram, TimePoint now) {
    if (datagram.size() < kHeadV2)
        return false;
    const auto opcode = datagram[0] / kKeyIds;
    const auto key_id = datagram[0] % kKeyIds;
    auto id = *ByteReader(datagram).u32() & 0xffffff;
    if (opcode == kDataV1) {
        auto at = by_address_.find(path.remote);
        if (at == by_address_.end())
            return false;
        id = at->second;
    }
    auto* entry = find(id);
    if (!entry || (opcode != kDataV1 && opcode != kDataV2) ||
        entry->peer.data_v1 != (opcode == kDataV1))
        return false;
    auto slot = std::find_if(std::begin(kSlots), std::end(kSlots), [&](KeySlot s) {
        const auto& held = entry->slots[index(s)];
        return held && held->key_id == key_id;
    });
    auto* key = slot == std::end(kSlots) ? nullptr : usable(*entry->slots[index(*slot)]);
    if (!key) {
        drop(Drop::NoKey);
        return true;
    }
    auto result = key->open(datagram, opcode == kDataV1 ? kHeadV1 : kHeadV2, plain_);
    if (!result) {
        switch (result.error()) {
        case UserKey::Refusal::Malformed:
            drop(Drop::Malformed);
            break;
        case UserKey::Refusal::Auth:
            drop(Drop::Auth);
            break;
        case UserKey::Refusal::NoKey:
            drop(Drop::NoKey);
            break;
        }
        return true;
    }
    const auto packet_id = result->packet_id;
    if (!(entry->lent ? owner_.accept_packet_id(id, *slot, packet_id) : key->accept(packet_id))) {
        drop(Drop::Replay);
        return true;
    }
    entry->stats.rx_bytes += datagram.size();
    opened(*entry, path, result->text, now);
    return true;
}

// A packet is authentic, and new.
void UserDataPlane::opened(Entry& entry, const Path& path, std::span<std::uint8_t> text,
                           TimePoint now) {
    const auto& peer = entry.peer;
    // Who has the keys knows better where the peer is now.
    if (!entry.lent)
        seen_at(entry, path);
    entry.last_received = now;
    if (peer.fragment > 0) {
        const auto part = entry.reassembly->take(text, now);
        if (part.kind != Reassembly::Kind::Whole) {
            if (part.kind == Reassembly::Kind::Damaged)
                drop(Drop::Framing);
            return;
        }
        text = part.packet;
    }
    auto packet = remove_framing(peer.framing, text, unpacked_);
    if (!packet) {
        drop(Drop::Framing);
        if (!std::exchange(entry.told_framing, true))
            log::warning("peer {}: a packet that is compressed, or has not the framing that was "
                         "agreed on, is dropped; more of them are only counted",
                         peer.id);
        return;
    }
    if (std::equal(packet->begin(), packet->end(), kPing.begin(), kPing.end()))
        return;
    if (macs_) {
        frame_opened(entry, *packet, now);
        return;
    }
    auto header = inner_header(*packet);
    if (!header) {
        drop(Drop::Inner);
        return;
    }
    if (ipv6_router_ && ipv6_from_peers_ && header->source.size() == 16) {
        if (const auto answer = no_route_to(*packet, *ipv6_router_))
            send(entry, *answer, 0, now);
        return;
    }
    if (routes_.find(header->source) != peer.id) {
        drop(Drop::Source);
        return;
    }
    clamp_mss(*packet, peer.tcp_mss);
    entry.stats.rx_packets++;
    entry.stats.inner_bytes += packet->size();
    output_.to_device(*packet);
}

// The same with a frame. There is no source that is not the peer's: it may have a network behind
// it.
void UserDataPlane::frame_opened(Entry& entry, std::span<std::uint8_t> frame, TimePoint now) {
    const auto header = frame_header(frame);
    if (!header) {
        drop(Drop::Inner);
        return;
    }
    macs_->learn(header->source, entry.peer.id, now);
    if (header->is_ip())
        clamp_mss(frame.subspan(kEthernetHeader), entry.peer.tcp_mss);
    entry.stats.rx_packets++;
    entry.stats.inner_bytes += frame.size();
    if (between_peers_ && header->to_group())
        to_all(frame, 0, now, &entry);
    const auto to = between_peers_ ? macs_->find(header->destination, now) : std::nullopt;
    if (!to) {
        output_.to_device(frame);
    } else if (*to != entry.peer.id) {
        auto& other = *find(*to);
        if (header->is_ip())
            clamp_mss(frame.subspan(kEthernetHeader), other.peer.tcp_mss);
        if (send(other, frame, 0, now))
            sent(other, frame.size());
    }
}

void UserDataPlane::transmit_frame(std::span<std::uint8_t> frame, TimePoint now) {
    const auto header = frame_header(frame);
    if (!header) {
        drop(Drop::Inner);
        return;
    }
    const auto inside =
        header->is_ip() ? inner_header(frame.subspan(kEthernetHeader)) : std::nullopt;
    const std::uint8_t dscp = inside ? inside->dscp : 0;
    if (!alone_ && header->to_group()) {
        to_all(frame, dscp, now);
        return;
    }
    const auto id = alone_ ? alone_ : macs_->find(header->destination, now);
    if (!id) {
        drop(Drop::NoPeer);
        return;
    }
    auto& entry = *find(*id);
    if (header->is_ip())
        clamp_mss(frame.subspan(kEthernetHeader), entry.peer.tcp_mss);
    if (send(entry, frame, dscp, now))
        sent(entry, frame.size());
}

void UserDataPlane::seen_at(Entry& entry, const Path& path) {
    if (entry.peer.path == path)
        return;
    // A peer without a peer ID was found by its address, so that is the same.
    const bool moved = entry.peer.path.remote != path.remote;
    entry.peer.path = path;
    if (moved)
        notifications_.emplace_back(PeerFloated{entry.peer.id, path.remote});
}

void UserDataPlane::transmit(std::span<std::uint8_t> packet, TimePoint now) {
    if (macs_) {
        transmit_frame(packet, now);
        return;
    }
    auto header = inner_header(packet);
    if (!header) {
        drop(Drop::Inner);
        return;
    }
    if (ipv6_router_ && !ipv6_from_peers_ && header->destination.size() == 16) {
        if (const auto answer = no_route_to(packet, *ipv6_router_))
            output_.to_device(*answer);
        return;
    }
    auto id = routes_.find(header->destination);
    if (!id && is_for_all(header->destination)) {
        to_all(packet, header->dscp, now);
        return;
    }
    if (!id) {
        drop(Drop::NoPeer);
        return;
    }
    auto& entry = *find(*id);
    clamp_mss(packet, entry.peer.tcp_mss);
    if (send(entry, packet, header->dscp, now))
        sent(entry, packet.size());
}

// Multicast, and broadcast of the tunnel's network or of any.
bool UserDataPlane::is_for_all(ByteView destination) const {
    if (destination.size() != 4)
        return destination[0] == 0xff;
    const std::uint32_t address = std::uint32_t{destination[0]} << 24 |
                                  std::uint32_t{destination[1]} << 16 |
                                  std::uint32_t{destination[2]} << 8 | destination[3];
    return destination[0] >> 4 == 0xe || address == 0xffffffff ||
           (broadcast_ && address == broadcast_->value);
}

void UserDataPlane::to_all(ByteView packet, std::uint8_t dscp, TimePoint now, const Entry* but) {
    for (auto& [id, entry] : peers_) {
        if (&entry == but)
            continue;
        // One that is being let in has no key yet, and misses nothing.
        if (entry.slots[index(KeySlot::Primary)] && send(entry, packet, dscp, now))
            sent(entry, packet.size());
    }
}

bool UserDataPlane::send(Entry& entry, ByteView text, std::uint8_t dscp, TimePoint now) {
    const auto& peer = entry.peer;
    const auto framed = add_framing(peer.framing, text, framed_);
    if (peer.fragment == 0)
        return send_part(entry, framed, dscp, now);
    bool sent_all = true;
    if (!entry.fragmenter->split(framed, peer.fragment, [&](ByteView part) {
            sent_all = sent_all && send_part(entry, part, dscp, now);
        })) {
        drop(Drop::Framing);
        return false;
    }
    return sent_all;
}

// What is encrypted as it is.
bool UserDataPlane::send_part(Entry& entry, ByteView plain, std::uint8_t dscp, TimePoint now) {
    auto& slot = entry.slots[index(KeySlot::Primary)];
    auto* key = slot ? usable(*slot) : nullptr;
    if (!key) {
        drop(Drop::NoKey);
        return false;
    }
    const auto& peer = entry.peer;
    bool near_limit = false;
    auto packet_id = entry.lent ? owner_.reserve_packet_id(peer.id, KeySlot::Primary)
                                : key->reserve(plain.size(), near_limit);
    if (near_limit)
        notifications_.emplace_back(KeyNearLimit{peer.id, slot->key_id});
    const auto head = head_of(peer, slot->key_id);
    if (!packet_id || !key->seal(*packet_id, ByteView(head).first(peer.data_v1 ? kHeadV1 : kHeadV2),
                                 plain, sealed_)) {
        drop(Drop::KeyLimit);
        return false;
    }
    entry.last_sent = now;
    entry.stats.tx_bytes += sealed_.size();
    output_.to_peer(peer.path, sealed_, dscp);
    return true;
}

TimePoint UserDataPlane::deadline() const {
    if (watched_ == 0)
        return kNever;
    return last_tick_ ? *last_tick_ + kPeriod : TimePoint{};
}

void UserDataPlane::tick(TimePoint now) {
    if (last_tick_ && now < *last_tick_ + kPeriod)
        return;
    last_tick_ = now;
    std::vector<std::uint32_t> silent;
    for (auto& [id, entry] : peers_) {
        if (entry.lent)
            continue;
        const auto& keepalive = entry.keepalive;
        if (!entry.last_received)
            entry.last_received = now;
        if (!entry.last_sent)
            entry.last_sent = now;
        if (keepalive.timeout > 0 &&
            now >= *entry.last_received + std::chrono::seconds(keepalive.timeout))
            silent.push_back(id);
        else if (keepalive.interval > 0 &&
                 now >= *entry.last_sent + std::chrono::seconds(keepalive.interval))
            send(entry, kPing, 0, now);
    }
    for (auto id : silent) {
        erase(id);
        notifications_.emplace_back(PeerDeleted{id, true});
    }
}

std::vector<Notification> UserDataPlane::take_notifications() {
    return std::exchange(notifications_, {});
}

bool UserDataPlane::is_lent(std::uint32_t id) const {
    const auto* entry = find(id);
    return entry && entry->lent;
}

void UserDataPlane::set_lent(std::uint32_t id, bool lent) {
    if (auto* entry = find(id))
        watch(*entry, entry->keepalive, lent);
}

std::optional<UserDataPlane::KeyInHand> UserDataPlane::key(std::uint32_t peer_id, KeySlot slot) {
    auto* entry = find(peer_id);
    if (!entry || !entry->slots[index(slot)])
        return std::nullopt;
    const auto& held = *entry->slots[index(slot)];
    return KeyInHand{held.key_id, held.keys, held.key ? held.key->state() : held.state};
}

Failure UserDataPlane::resume_key(std::uint32_t peer_id, KeySlot slot, const KeyState& state) {
    auto* entry = find(peer_id);
    if (!entry || !entry->slots[index(slot)])
        return error(ENOENT);
    auto& held = *entry->slots[index(slot)];
    held.key.reset();
    held.state = state;
    return usable(held) ? std::nullopt : Failure(error(EINVAL));
}

const Peer* UserDataPlane::peer(std::uint32_t id) const {
    const auto* entry = find(id);
    return entry ? &entry->peer : nullptr;
}

Keepalive UserDataPlane::keepalive(std::uint32_t id) const {
    const auto* entry = find(id);
    return entry ? entry->keepalive : Keepalive{};
}

void UserDataPlane::set_path(std::uint32_t id, const Path& path) {
    auto* entry = find(id);
    if (!entry)
        return;
    if (entry->peer.data_v1) {
        by_address_.erase(entry->peer.path.remote);
        by_address_.emplace(path.remote, id);
    }
    entry->peer.path = path;
}

} // namespace nfovpn::dataplane
