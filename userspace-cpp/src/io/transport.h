// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "util/bytes.h"
#include "util/endpoint.h"

namespace nfovpn::io {

/// Sends datagrams; loses them silently like any network.
class Transport {
public:
    virtual ~Transport() = default;
    virtual void send(const Path& path, ByteView datagram) = 0;

    /// Sessions come and go, several on one path perhaps; of interest where there are connections.
    virtual void session_begins(const Path&) {}
    virtual void session_ends(const Path&) {}
};

} // namespace nfovpn::io
