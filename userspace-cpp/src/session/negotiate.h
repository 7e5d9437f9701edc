// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a server makes of a client's offer (NCP, "negotiable crypto parameters"), and the push
// reply in which it tells the client. Pure functions of text: both sides of the bargain are here,
// so that what is pushed is always what was decided.
//
//     client's peer info                  decided                    pushed
//     IV_CIPHERS=A:B:C                    first of data-ciphers      cipher B
//                                         that the client has
//     IV_PROTO, TLS key export, cc-exit   keys by TLS export         protocol-flags cc-exit tls-ekm
//     IV_PROTO, TLS key export            keys by TLS export         key-derivation tls-ekm
//     neither                             keys by the TLS 1.0 PRF    nothing
//
// The epoch data format (aead-epoch), tls-crypt with dynamic keys (dyn-tls-crypt) and data packets
// without peer ID are never offered.
#pragma once

#include "session/keys.h"
#include "util/endpoint.h"
#include "wire/peer_info.h"

#include <string>
#include <vector>

namespace nfovpn::session {

/// The server's side of the bargain.
struct NegotiationSettings {
    std::vector<DataCipher> data_ciphers = {DataCipher::Aes256Gcm, DataCipher::Aes128Gcm,
                                            DataCipher::ChaCha20Poly1305};
    std::optional<DataCipher> fallback_cipher; ///< for clients that cannot negotiate
    bool tls_export = true;                    ///< keys by TLS export for clients that can
};

/// What was decided for one client.
struct DataChannelChoice {
    DataCipher cipher = DataCipher::Aes256Gcm;
    KeyDerivation derivation = KeyDerivation::Tls1Prf;
    bool cc_exit = false;        ///< the client may send EXIT on the control channel
    bool push_at_once = false;   ///< the client wants its push reply without a request
    bool auth_fail_temp = false; ///< the client understands AUTH_FAILED,TEMP
    bool stub_v2 = false; ///< the client was set to compress; framing without a byte suits TUN
    std::uint32_t client_max_mtu = 0; ///< the largest tun-mtu it can be told, 0: none at all
};

/// Why a client cannot be served; it is told these words in AUTH_FAILED.
struct NegotiationRefusal {
    std::string reason;
};

/// Decides. @p options is the client's options string.
Result<DataChannelChoice, NegotiationRefusal> negotiate(const NegotiationSettings& settings,
                                                        const wire::PeerInfo& client,
                                                        std::string_view options);

/// What the push reply of one client is made of.
struct PushContents {
    std::vector<std::string> options; ///< from the configuration, in its order
    Ipv4 address;                     ///< the client's own, inside the tunnel
    Ipv4 netmask;
    std::uint32_t peer_id = 0;
    std::uint32_t tun_mtu = 1500;
};

/// The options of a client's push reply.
std::vector<std::string> push_options(const PushContents& contents,
                                      const DataChannelChoice& choice);

/// The options string of the server's key method 2. Clients only compare it with their own and
/// warn about differences.
std::string server_options_string(std::uint32_t tun_mtu);

} // namespace nfovpn::session
