// SPDX-License-Identifier: GPL-2.0-or-later
//
// The reliability layer: TLS wants an ordered byte stream, UDP gives datagrams that are lost,
// doubled and reordered. Between them every control packet gets a message ID, counted from 0 for
// each key ID, and the other side acknowledges each one it has seen:
//
//     sender                                      receiver
//     queue: [5][6][7][8]…                        next in order: 5
//     window: 5..10 may be on the way             window: 5..16 may be stored
//        ── 5 ──▶ lost
//        ── 6 ──▶                                 6 stored, not yet given to TLS
//        ◀── ACK 6 ──
//        ── 5 ──▶ again, after its timeout        5, 6 given to TLS in order
//        ◀── ACK 5, 6 ──
//
// A packet is sent again when its timeout ends (doubled each time) or when three later ones were
// acknowledged, which means that it alone was lost. ACKs ride on whatever is sent next; ACKs of
// the last packets are repeated where there is room, so a lost ACK rarely costs a timeout.
//
// No socket and no clock in here: the caller passes the time and takes the packets.
#pragma once

#include "util/time.h"
#include "wire/control_packet.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>

namespace nfovpn::session {

/// The numbers of the reliability layer; the defaults are OpenVPN's.
struct ReliableConfig {
    std::size_t send_window = 6;     ///< message IDs on the way, from the oldest unacknowledged on
    std::size_t receive_window = 12; ///< message IDs that are stored ahead of order
    std::size_t max_payload = 2048; ///< of a message that is received; stock peers cannot send more
    Duration first_timeout = std::chrono::seconds(2); ///< before a packet is sent again
    Duration max_timeout = std::chrono::seconds(16);  ///< the doubling stops here
};

/// The sending half.
class ReliableSender {
public:
    explicit ReliableSender(const ReliableConfig& config) : config_(config) {}

    /// Adds a message at the end of the queue. It becomes due when the window reaches it.
    void queue(wire::Opcode opcode, Bytes payload);

    /// Takes the next message ID as used and acknowledged: the stateless answer to a hard reset
    /// was message 0.
    void skip() { next_id_++; }

    /// Notes that the peer has these messages. IDs that are not on the way are ignored.
    void acknowledge(std::span<const std::uint32_t> ids, TimePoint now);

    /// One message to be put into a packet now.
    struct Segment {
        std::uint32_t id;
        wire::Opcode opcode;
        ByteView payload; ///< valid until the next call of a non-const method
    };

    /// The next message that is due at @p now, counted as sent; nothing if none is.
    std::optional<Segment> next_due(TimePoint now);

    /// When next_due() will have something, if nothing else happens.
    [[nodiscard]] TimePoint deadline() const;

    /// Whether the peer has everything that was ever queued.
    [[nodiscard]] bool all_acknowledged() const { return messages_.empty(); }

    /// Messages queued or on the way.
    [[nodiscard]] std::size_t backlog() const { return messages_.size(); }

    /// How often a message was sent again.
    [[nodiscard]] std::uint64_t retransmissions() const { return retransmissions_; }

private:
    struct Message {
        std::uint32_t id;
        wire::Opcode opcode;
        Bytes payload;
        bool sent = false;
        TimePoint next_try{};
        Duration timeout{};
        unsigned later_acks = 0; ///< ACKs of later messages since it was last sent
    };

    [[nodiscard]] bool in_window(const Message& message) const {
        return message.id - messages_.front().id < config_.send_window;
    }

    ReliableConfig config_;
    std::deque<Message> messages_; ///< ascending IDs, the front is the oldest unacknowledged
    std::uint32_t next_id_ = 0;
    std::uint64_t retransmissions_ = 0;
};

/// The receiving half.
class ReliableReceiver {
public:
    explicit ReliableReceiver(const ReliableConfig& config) : config_(config) {}

    /// Takes the next message ID as received and acknowledged. See ReliableSender::skip().
    void skip() { next_id_++; }

    enum class Verdict {
        Stored,        ///< new, will be acknowledged
        Duplicate,     ///< seen before, will be acknowledged again
        OutsideWindow, ///< too far ahead or too many ACKs due: as if it had been lost
        TooLong,       ///< likewise
    };

    /// Takes one message. The payload is copied only if it is new.
    Verdict receive(std::uint32_t id, ByteView payload);

    /// The next message in order, if it is there.
    std::optional<Bytes> next();

    /// Whether an ACK waits for a packet to ride on.
    [[nodiscard]] bool ack_pending() const { return !pending_.empty(); }

    /// The ACKs for the next packet: those that wait, then recent ones again.
    wire::AckList take_acks();

private:
    ReliableConfig config_;
    std::map<std::uint32_t, Bytes> stored_; ///< ahead of order
    std::deque<std::uint32_t> pending_;     ///< to be acknowledged
    std::deque<std::uint32_t> recent_;      ///< acknowledged, newest first
    std::uint32_t next_id_ = 0;
};

} // namespace nfovpn::session
