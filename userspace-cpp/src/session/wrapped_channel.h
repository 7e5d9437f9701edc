// SPDX-License-Identifier: GPL-2.0-or-later
//
// The outermost layer of a session's control channel: between its packets and its datagrams stands
// what tls-auth or tls-crypt wants, with the counters that this needs.
//
//     session ─ plain packet ─▶ seal() ─▶ datagram         our packet IDs, never the same twice
//     session ◀─ plain packet ─ open() ◀─ datagram         the peer's, each taken once
//
// Without a key everything passes as it is.
#pragma once

#include "wire/control_wrap.h"

#include <memory>

namespace nfovpn::session {

/// See the head of this file.
class WrappedChannel {
public:
    /// @p keys may be null. @p time: what goes with our packet IDs. A peer drops what is older than
    /// the newest that it has seen. @p first_id: the first of our packet IDs.
    WrappedChannel(std::shared_ptr<const wire::ControlWrap> keys, std::uint32_t time,
                   std::uint32_t first_id = 1)
        : keys_(std::move(keys)), next_{first_id, time} {}
    /// Of a session that was another process's, which has taken in @p seen as the newest. @p time
    /// must be later than any of that process.
    WrappedChannel(std::shared_ptr<const wire::ControlWrap> keys, std::uint32_t time,
                   wire::WrapId seen)
        : keys_(std::move(keys)), next_{1, time}, seen_(seen) {}

    /// The time of our packet IDs, and the newest packet ID of the peer's.
    [[nodiscard]] std::uint32_t time() const { return next_.time; }
    [[nodiscard]] wire::WrapId newest_seen() const { return seen_.newest(); }

    [[nodiscard]] Bytes seal(ByteView plain);

    /// @p id, if given, gets the packet's ID.
    [[nodiscard]] Result<Bytes, wire::WireError> open(ByteView datagram,
                                                      wire::WrapId* id = nullptr);

private:
    std::shared_ptr<const wire::ControlWrap> keys_;
    wire::WrapId next_;
    wire::ReplayWindow seen_;
};

} // namespace nfovpn::session
