// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a server makes of a client's offer (NCP, "negotiable crypto parameters"), the push reply in
// which it tells the client, and what the client makes of that. Pure functions of text: both sides
// of the bargain are here, so that what is pushed is always what was decided.
//
//     client's peer info                  decided                    pushed
//     IV_CIPHERS=A:B:C                    first of data-ciphers      cipher B
//                                         that the client has
//     IV_PROTO, TLS key export, cc-exit   keys by TLS export         protocol-flags cc-exit tls-ekm
//     IV_PROTO, TLS key export            keys by TLS export         key-derivation tls-ekm
//     neither                             keys by the TLS 1.0 PRF    nothing
//     IV_PROTO, data epoch, when keys     epochs                     protocol-flags … aead-epoch
//     are by TLS export, cipher is AEAD
//     IV_PROTO, DATA_V2                   packets with peer ID       peer-id 5
//     not                                 packets without            nothing
//
// Compression framing follows the configuration. Where that has none, a client that was set to
// compress (its options string says comp-lzo) is moved to a framing that costs nothing, which is
// what OpenVPN calls "compress migrate":
//
//     compress or comp-lzo no is           for every client           only if the file pushes it
//     configured or pushed
//     comp-lzo, IV_COMP_STUBv2             stub-v2                    compress stub-v2
//     comp-lzo, not IV_COMP_STUBv2         stub                       comp-lzo no
//     no comp-lzo                          none                       nothing
//
// tls-crypt with dynamic keys (dyn-tls-crypt) is never offered.
//
// Two point-to-point peers push nothing. Each says in its key method 2 what it can, and both decide
// alike by that (IV_PROTO's NCP_P2P says that a peer does so):
//
//     first cipher of the TLS server's list that the TLS client has; data-ciphers-fallback if the
//     other side has no list · TLS export, epochs and EXIT, if both can · packets with the peer ID
//     that TLS export gives both, if both can
//
// A peer without NCP_P2P (OpenVPN before 2.6) gets the old PRF and packets without peer ID.
#pragma once

#include "session/keys.h"
#include "util/endpoint.h"
#include "wire/peer_info.h"
#include "wire/pushed_options.h"

#include <string>
#include <vector>

namespace nfovpn::session {

/// What one side of the bargain has to offer.
struct NegotiationSettings {
    std::vector<DataCipher> data_ciphers = {DataCipher::Aes256Gcm, DataCipher::Aes128Gcm,
                                            DataCipher::ChaCha20Poly1305};
    std::optional<DataCipher> fallback_cipher; ///< for clients that cannot negotiate
    DataAuth auth = DataAuth::Sha1;            ///< with ciphers that do not authenticate
    bool tls_export = true;                    ///< keys by TLS export for clients that can
    Framing framing = Framing::None;           ///< of every client; none: "compress migrate"
    bool push_framing = false;                 ///< tell them
    /// Of a client: it may be told a framing with which the server compresses.
    bool may_unpack = false;
    bool tcp = false;       ///< how packets come, for the options string
    bool ethernet = false;  ///< and whether they are frames
    bool fragments = false; ///< and whether they may come in parts
};

/// What was decided for one client.
struct DataChannelChoice {
    DataFormat format;
    KeyDerivation derivation = KeyDerivation::Tls1Prf;
    bool data_v1 = false;             ///< packets without peer ID
    Framing framing = Framing::None;  ///< of the client's packets
    bool push_framing = false;        ///< the client must be told
    bool push_cipher = false;         ///< the client can be told the cipher
    bool says_comp_lzo = false;       ///< the client's options string; ours then says it too
    bool cc_exit = false;             ///< the client may send EXIT on the control channel
    bool push_at_once = false;        ///< the client wants its push reply without a request
    bool auth_fail_temp = false;      ///< the client understands AUTH_FAILED,TEMP
    std::uint32_t client_max_mtu = 0; ///< the largest tun-mtu it can be told, 0: none at all
    std::vector<std::string> doubts;  ///< what an administrator should look at
};

/// Why there is no data channel; a server tells its client these words in AUTH_FAILED.
struct NegotiationRefusal {
    std::string reason;
};

/// Decides. @p options is the client's options string.
Result<DataChannelChoice, NegotiationRefusal> negotiate(const NegotiationSettings& settings,
                                                        const wire::PeerInfo& client,
                                                        std::string_view options);

/// What two point-to-point peers agree on. @p own is this side's part in TLS.
Result<DataChannelChoice, NegotiationRefusal>
agree_point_to_point(const NegotiationSettings& settings, wire::Role own,
                     const wire::PeerInfo& theirs, std::string_view their_options);

/// What a point-to-point peer says about itself in its key method 2.
std::string point_to_point_info(const NegotiationSettings& settings);

/// The label under which TLS export gives point-to-point peers their peer ID, of three bytes.
inline constexpr std::string_view kPeerIdLabel = "EXPORTER-OpenVPN-p2p-peerid";
/// The peer ID of those that have packets with one, and no TLS export: "vpn".
inline constexpr std::uint32_t kFixedPeerId = 0x76706e;

/// "AES-256-GCM with epochs", for log lines.
std::string describe(const DataChannelChoice& choice);

/// Whether a pushed option is a route to exactly this network.
bool is_route_to(std::string_view option, const Prefix& network);

/// What the push reply of one client is made of.
struct PushContents {
    std::vector<std::string> options; ///< from the configuration, in its order
    Ipv4 address;                     ///< the client's own, inside the tunnel
    Ipv4 second;                      ///< its netmask, or the other end's address
    std::uint32_t peer_id = 0;
    std::uint32_t tun_mtu = 1500;
};

/// The options of a client's push reply.
std::vector<std::string> push_options(const PushContents& contents,
                                      const DataChannelChoice& choice);

/// The options string of the server's key method 2. Clients compare it with their own and warn
/// about differences; those that cannot negotiate take the cipher from it.
std::string server_options_string(std::uint32_t tun_mtu, const DataChannelChoice& choice,
                                  const NegotiationSettings& settings = {});

/// That of a client, which has not been told anything yet.
std::string client_options_string(std::uint32_t tun_mtu, const NegotiationSettings& settings);

/// What a client says about itself in its key method 2: everything that this side can do. @p more
/// are lines of its own (UV_…).
std::string client_peer_info(const NegotiationSettings& settings, std::string_view version,
                             const Environment& more);

/// What the server has decided, seen from the client. A server that pushes no cipher has it in its
/// options string, or wants the fallback. Refused is what the client has not offered.
Result<DataChannelChoice, NegotiationRefusal> accept_push(const NegotiationSettings& settings,
                                                          const wire::PushedOptions& pushed,
                                                          std::string_view server_options);

} // namespace nfovpn::session
