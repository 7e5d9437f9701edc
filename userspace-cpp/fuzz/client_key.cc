// SPDX-License-Identifier: GPL-2.0-or-later
//
// Wrapped client keys of tls-crypt-v2: the input as a datagram with such a key at its end, and as
// the metadata of one that is made here. Key files, too.

#include "check.h"
#include "support/stock_packets.h"
#include "support/wrapped_key.h"

using namespace nfovpn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto server_key =
        std::move(*wire::parse_tls_crypt_v2_key(test::kTlsCryptV2ServerKey));
    const ByteView input(data, size);
    if (auto parts = wire::split_wrapped_key(input)) {
        fuzz::check(parts->datagram.size() + parts->wrapped_key.size() == size);
        // Only the seeds have such a key; what it has wrapped need not be authentic any more.
        if (auto client = wire::unwrap_client_key(server_key, parts->wrapped_key)) {
            auto wrap = wire::ControlWrap::tls_crypt(client->key, wire::Role::Server);
            auto opened = wrap.unwrap(parts->datagram);
            fuzz::check(opened || !wire::to_string(opened.error()).empty());
        }
    }
    wire::parse_static_key(as_text(input));
    wire::parse_tls_crypt_v2_key(as_text(input));
    if (size > 734)
        return 0;

    const Bytes key(256, 0x5a);
    const auto wrapped = test::wrap_client_key(server_key, key, input);
    auto client = wire::unwrap_client_key(server_key, wrapped);
    bool bad_time = size > 0 && input[0] == wire::kMetadataTimestamp && size != 9;
    fuzz::check(static_cast<bool>(client) != bad_time);
    if (!client)
        return 0;
    fuzz::check(fuzz::equal(client->key.view(), key));
    fuzz::check(client->metadata_type.has_value() == (size > 0));
    fuzz::check(client->metadata.size() == (size > 0 ? size - 1 : 0));
    fuzz::check(client->made_at().has_value() == (size == 9 && input[0] == 1));
    return 0;
}
