// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a client says about itself in key method 2: its peer info ("IV_" lines) and its options
// string. Both are plain text, written by the peer, and both drive the negotiation:
//
//     IV_VER=2.7.8                    V4,dev-type tun,link-mtu 1549,tun-mtu 1500,
//     IV_PLAT=linux                   proto UDPv4,cipher AES-256-GCM,auth [null-digest],
//     IV_PROTO=990                    keysize 256,key-method 2,tls-client
//     IV_CIPHERS=AES-256-GCM:…
#pragma once

#include "util/environment.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfovpn::wire {

/// Bits of IV_PROTO, named as OpenVPN names them.
enum IvProto : std::uint32_t {
    IV_PROTO_DATA_V2 = 1U << 1,
    IV_PROTO_REQUEST_PUSH = 1U << 2,   ///< push reply wanted without a request
    IV_PROTO_TLS_KEY_EXPORT = 1U << 3, ///< data keys by TLS export
    IV_PROTO_AUTH_PENDING_KW = 1U << 4,
    IV_PROTO_NCP_P2P = 1U << 5,
    IV_PROTO_DNS_OPTION = 1U << 6,
    IV_PROTO_CC_EXIT_NOTIFY = 1U << 7, ///< EXIT on the control channel, "protocol-flags"
    IV_PROTO_AUTH_FAIL_TEMP = 1U << 8, ///< AUTH_FAILED,TEMP understood
    IV_PROTO_DYN_TLS_CRYPT = 1U << 9,
    IV_PROTO_DATA_EPOCH = 1U << 10,
};

/// The parts of the peer info that matter here.
struct PeerInfo {
    std::string version;  ///< IV_VER, empty if not given
    std::string platform; ///< IV_PLAT
    std::uint32_t proto = 0;
    std::vector<std::string> ciphers; ///< IV_CIPHERS, in the client's order
    int ncp = 0;                      ///< IV_NCP: 2 means AES-GCM with 128 and 256 bits
    std::uint32_t max_tun_mtu = 0;    ///< IV_MTU, 0 if the client cannot be told one
    bool lzo_stub = false;            ///< IV_LZO_STUB or IV_LZO: knows "comp-lzo no"
    bool stub = false;                ///< IV_COMP_STUB: knows "compress stub"
    bool stub_v2 = false;             ///< IV_COMP_STUBv2: knows "compress stub-v2"
    Environment lines;                ///< all that begin with IV_ or UV_, fit for a program
};

/// Reads the IV_ lines; what is unknown or malformed is left out.
PeerInfo parse_peer_info(std::string_view text);

/// The value of one option of an options string ("cipher"); "" for an option without value.
std::optional<std::string> option_value(std::string_view options, std::string_view name);

/// Splits at each @p separator; empty parts are left out.
std::vector<std::string> split(std::string_view text, char separator);

/// Text fit for a log line: bytes that do not print become '_', at most @p limit of them.
std::string printable(std::string_view text, std::size_t limit = 64);

/// A name that identifies somebody, with control characters replaced and all else as it is: names
/// that differ must stay so. As OpenVPN has them, in its files, programs and logs.
std::string clean_name(std::string_view text);

} // namespace nfovpn::wire
