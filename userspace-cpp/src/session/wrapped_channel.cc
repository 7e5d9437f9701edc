// SPDX-License-Identifier: GPL-2.0-or-later
//
// Wrapping a session's packets; see wrapped_channel.h.

#include "session/wrapped_channel.h"

namespace nfovpn::session {

Bytes WrappedChannel::seal(ByteView plain) {
    if (!keys_)
        return {plain.begin(), plain.end()};
    auto out = keys_->wrap(plain, next_);
    // IDs may begin again with a later time.
    if (++next_.id == 0) {
        next_.id = 1;
        next_.time++;
    }
    return out;
}

Result<Bytes, wire::WireError> WrappedChannel::open(ByteView datagram, wire::WrapId* id) {
    if (!keys_)
        return Bytes(datagram.begin(), datagram.end());
    auto opened = keys_->unwrap(datagram);
    if (!opened)
        return opened.error();
    if (!seen_.accept(opened->id))
        return wire::WireError::Replayed;
    if (id)
        *id = opened->id;
    return std::move(opened->plain);
}

} // namespace nfovpn::session
