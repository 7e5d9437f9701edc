// SPDX-License-Identifier: GPL-2.0-or-later
//
// The reliability layer; reliable.h explains it. Message IDs are 32 bits and start at 0 with each
// key, and no TLS handshake comes near their end, so they are compared as plain numbers, by
// unsigned differences.

#include "session/reliable.h"

#include <algorithm>
#include <utility>

namespace nfovpn::session {

namespace {
// With that many later messages acknowledged, a message is lost and not just late.
constexpr unsigned kLaterAcks = 3;
} // namespace

void ReliableSender::queue(wire::Opcode opcode, Bytes payload) {
    Message message;
    message.id = next_id_++;
    message.opcode = opcode;
    message.payload = std::move(payload);
    messages_.push_back(std::move(message));
}

void ReliableSender::acknowledge(std::span<const std::uint32_t> ids, TimePoint now) {
    for (auto id : ids) {
        auto at = std::find_if(messages_.begin(), messages_.end(),
                               [id](const Message& m) { return m.id == id && m.sent; });
        if (at == messages_.end())
            continue;
        for (auto earlier = messages_.begin(); earlier != at; ++earlier) {
            if (earlier->sent && ++earlier->later_acks == kLaterAcks)
                earlier->next_try = now;
        }
        messages_.erase(at);
    }
}

std::optional<ReliableSender::Segment> ReliableSender::next_due(TimePoint now) {
    for (auto& m : messages_) {
        if (!in_window(m))
            break;
        if (m.sent && m.next_try > now)
            continue;
        if (!m.sent) {
            m.timeout = config_.first_timeout;
        } else {
            retransmissions_++;
            // A hole that later ACKs show says nothing about a congested path: no back-off.
            if (m.later_acks < kLaterAcks)
                m.timeout = std::min(2 * m.timeout, config_.max_timeout);
        }
        m.sent = true;
        m.later_acks = 0;
        m.next_try = now + m.timeout;
        return Segment{m.id, m.opcode, m.payload};
    }
    return std::nullopt;
}

TimePoint ReliableSender::deadline() const {
    TimePoint earliest = kNever;
    for (const auto& m : messages_) {
        if (!in_window(m))
            break;
        earliest = std::min(earliest, m.sent ? m.next_try : TimePoint::min());
    }
    return earliest;
}

ReliableReceiver::Verdict ReliableReceiver::receive(std::uint32_t id, ByteView payload) {
    if (payload.size() > config_.max_payload)
        return Verdict::TooLong;
    std::int64_t ahead = std::int64_t{id} - std::int64_t{next_id_};
    if (ahead >= static_cast<std::int64_t>(config_.receive_window))
        return Verdict::OutsideWindow;
    bool waits = std::find(pending_.begin(), pending_.end(), id) != pending_.end();
    // What cannot be acknowledged must not be taken either, or its sender would never stop.
    if (!waits && pending_.size() >= wire::kMaxAcks)
        return Verdict::OutsideWindow;
    if (!waits)
        pending_.push_back(id);
    if (ahead < 0 || stored_.contains(id))
        return Verdict::Duplicate;
    stored_.emplace(id, Bytes(payload.begin(), payload.end()));
    return Verdict::Stored;
}

std::optional<Bytes> ReliableReceiver::next() {
    auto first = stored_.find(next_id_);
    if (first == stored_.end())
        return std::nullopt;
    Bytes payload = std::move(first->second);
    stored_.erase(first);
    next_id_++;
    return payload;
}

wire::AckList ReliableReceiver::take_acks() {
    wire::AckList acks;
    for (auto id : pending_)
        acks.add(id);
    for (auto id : recent_) {
        if (acks.count == wire::kMaxAcks)
            break;
        if (std::find(pending_.begin(), pending_.end(), id) == pending_.end())
            acks.add(id);
    }
    for (auto id : std::exchange(pending_, {})) {
        std::erase(recent_, id);
        recent_.push_front(id);
    }
    if (recent_.size() > wire::kMaxAcks)
        recent_.resize(wire::kMaxAcks);
    return acks;
}

} // namespace nfovpn::session
