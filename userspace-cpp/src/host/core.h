// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a daemon of either role is around: the protocol, without sockets and clock.
#pragma once

#include "dataplane/dataplane.h"
#include "util/bytes.h"
#include "util/endpoint.h"
#include "util/time.h"

namespace nfovpn::host {

class Core {
public:
    virtual ~Core() = default;

    /// A datagram that the data plane does not take.
    virtual void receive(const Path& path, ByteView datagram, TimePoint now) = 0;

    /// The data plane has something to say.
    virtual void notified(const dataplane::Notification& notification, TimePoint now) = 0;

    /// Notifications were lost: finds out which peers the data plane has deleted meanwhile, which
    /// have moved, and which may have a key that is worn out.
    virtual void resynchronize(TimePoint now) = 0;

    /// Does what is due; to be called at deadline() at the latest.
    virtual void tick(TimePoint now) = 0;
    [[nodiscard]] virtual TimePoint deadline() const = 0;
};

} // namespace nfovpn::host
