// SPDX-License-Identifier: GPL-2.0-or-later
//
// From a finished handshake to the keys of the data channel.
//
// Either way gives 256 bytes, which both sides cut in the same manner:
//
//     0               64              128             192             256
//     | client to server              | server to client              |
//     | cipher key … | HMAC key …     | cipher key … | HMAC key …     |
//
// The cipher key is the first 16, 24 or 32 bytes of its part. With an AEAD cipher the HMAC part's
// first 8 bytes are the "implicit IV", which completes the nonce after the 4-byte packet ID; with
// any other the HMAC key is as much of it as the digest is long. With epochs the first 32 bytes of
// the cipher part are the secret that all of a direction's keys and IVs come from, and the HMAC
// part is not used.
//
// 1. TLS export (RFC 5705) with the label "EXPORTER-OpenVPN-datakeys" and no context.
// 2. The older way, TLS 1.0's PRF (RFC 2246, section 5) over both sides' key sources:
//      master = PRF(pre-master, "OpenVPN master secret", client random 1 · server random 1)   48
//      keys   = PRF(master, "OpenVPN key expansion", client random 2 · server random 2 ·
//                   client session ID · server session ID)                                   256
#pragma once

#include "util/data_keys.h"
#include "util/secret.h"
#include "wire/control_packet.h"
#include "wire/key_method2.h"

#include <string_view>

namespace nfovpn::session {

/// The exporter's label. It says "datakeys" in every version of OpenVPN that can do it.
inline constexpr std::string_view kExporterLabel = "EXPORTER-OpenVPN-datakeys";

/// Key material of both directions.
using KeyMaterial = SecretArray<256>;

/// How the key material comes about.
enum class KeyDerivation { TlsExport, Tls1Prf };
std::string_view derivation_name(KeyDerivation derivation);

/// TLS 1.0's PRF: P_MD5 of one half of the secret, XOR P_SHA1 of the other. @p seed includes the
/// label. False if OpenSSL refuses.
bool tls1_prf(ByteView secret, ByteView seed, std::span<std::uint8_t> out);

/// Key material the older way. False if OpenSSL refuses.
bool derive_by_prf(const wire::KeySource& client, const wire::KeySource& server,
                   const wire::SessionId& client_id, const wire::SessionId& server_id,
                   KeyMaterial& out);

/// Cuts the material for the side that plays @p role.
DataKeys slice_keys(const KeyMaterial& material, const DataFormat& format, wire::Role role);

} // namespace nfovpn::session
