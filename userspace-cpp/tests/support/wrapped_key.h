// SPDX-License-Identifier: GPL-2.0-or-later
//
// Client keys of tls-crypt-v2, made as "openvpn --genkey tls-crypt-v2-client" does: the daemon only
// opens them.
#pragma once

#include "support/test_client.h"

namespace nfovpn::test {

/// A client key with its metadata, wrapped by the server's key.
Bytes wrap_client_key(const wire::TlsCryptV2Key& server_key, ByteView client_key,
                      ByteView metadata);

/// Metadata that says when the key was made.
Bytes timestamp_metadata(std::int64_t unix_time);

/// What a client is given that has a fresh key.
ClientWrap tls_crypt_v2_client(const wire::TlsCryptV2Key& server_key, ByteView metadata);

} // namespace nfovpn::test
