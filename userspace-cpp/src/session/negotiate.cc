// SPDX-License-Identifier: GPL-2.0-or-later
//
// Deciding and pushing the parameters of the data channel; negotiate.h has the table.

#include "session/negotiate.h"

#include <algorithm>

namespace nfovpn::session {

namespace {

// The ciphers that a client can use, by what it says in one of three ways.
std::vector<DataCipher> client_ciphers(const wire::PeerInfo& client, std::string_view options) {
    std::vector<DataCipher> out;
    auto add = [&out](std::string_view name) {
        if (auto cipher = cipher_by_name(name))
            out.push_back(*cipher);
    };
    for (const auto& name : client.ciphers)
        add(name);
    // OpenVPN 2.4 does not list its ciphers, it says that it knows these two.
    if (client.ciphers.empty() && client.ncp >= 2) {
        add("AES-256-GCM");
        add("AES-128-GCM");
    }
    // Without negotiation it will use what its own configuration says.
    if (client.ciphers.empty() && client.ncp < 2) {
        if (auto own = wire::option_value(options, "cipher"))
            add(*own);
    }
    return out;
}

bool can_negotiate(const wire::PeerInfo& client) {
    return !client.ciphers.empty() || client.ncp >= 2;
}

std::optional<DataCipher> choose_cipher(const NegotiationSettings& settings,
                                        const wire::PeerInfo& client, std::string_view options) {
    auto offered = client_ciphers(client, options);
    for (auto cipher : settings.data_ciphers) {
        if (std::find(offered.begin(), offered.end(), cipher) != offered.end())
            return cipher;
    }
    // A client that names another cipher than the fallback could not read a packet.
    if (!can_negotiate(client) && settings.fallback_cipher) {
        auto own = wire::option_value(options, "cipher");
        if (!own || cipher_by_name(*own) == settings.fallback_cipher)
            return settings.fallback_cipher;
    }
    return std::nullopt;
}

bool announces(const wire::PeerInfo& client, Framing framing) {
    switch (stub_of(framing)) {
    case Framing::None:
        return true;
    case Framing::Stub:
        return client.lzo_stub;
    case Framing::StubSwap:
        return client.stub;
    case Framing::StubV2:
        return client.stub_v2;
    default:
        return false;
    }
}

void choose_framing(const NegotiationSettings& settings, const wire::PeerInfo& client,
                    DataChannelChoice& choice) {
    choice.framing = settings.framing;
    choice.push_framing = settings.push_framing;
    const std::string wanted = "\"" + std::string(framing_option(settings.framing)) + "\"";
    if (settings.framing == Framing::None && choice.says_comp_lzo) {
        choice.framing = client.stub_v2 ? Framing::StubV2 : Framing::Stub;
        choice.push_framing = true;
    } else if (choice.push_framing && !announces(client, settings.framing) &&
               !choice.says_comp_lzo) {
        choice.doubts.push_back("does not announce that it can be told " + wanted);
    } else if (!choice.push_framing && !choice.says_comp_lzo &&
               (settings.framing == Framing::Stub || settings.framing == Framing::StubSwap)) {
        choice.doubts.push_back("its configuration lacks " + wanted + ", which may be pushed");
    }
}

// What both sides must have in their configurations, as it is not negotiated.
void check_auth(std::string_view options, DataChannelChoice& choice) {
    auto theirs = wire::option_value(options, "auth");
    if (is_aead(choice.format.cipher) || !theirs || *theirs == "[null-digest]")
        return;
    if (auth_by_name(*theirs) != choice.format.auth)
        choice.doubts.push_back("its auth is " + wire::printable(*theirs) + ", ours is " +
                                std::string(auth_name(choice.format.auth)));
}

// The largest tun-mtu that a client says it can be told: as stock clients by default.
constexpr std::uint32_t kMaxTunMtu = 1600;

std::string cipher_text(DataCipher cipher) {
    return cipher == DataCipher::None ? "[null-cipher]" : std::string(cipher_name(cipher));
}

std::string options_head(std::uint32_t tun_mtu, const NegotiationSettings& settings,
                         const char* role) {
    const std::string proto = settings.tcp ? "TCPv4_" + std::string(role) : "UDPv4";
    return std::string("V4,dev-type ") + (settings.ethernet ? "tap" : "tun") + ",tun-mtu " +
           std::to_string(tun_mtu) + ",proto " + proto + (settings.fragments ? ",mtu-dynamic" : "");
}

std::string options_tail(const DataFormat& format) {
    return ",auth " +
           (format.auth == DataAuth::None ? "[null-digest]" : std::string(auth_name(format.auth))) +
           ",keysize " + std::to_string(8 * cipher_key_length(format.cipher)) +
           ",key-method 2,tls-";
}

std::uint32_t of_tls_export(const NegotiationSettings& settings) {
    return settings.tls_export ? wire::IV_PROTO_TLS_KEY_EXPORT | wire::IV_PROTO_DATA_EPOCH : 0U;
}

std::string ciphers_and_proto(const NegotiationSettings& settings, std::uint32_t proto) {
    std::string ciphers;
    for (auto cipher : settings.data_ciphers)
        ciphers += (ciphers.empty() ? "" : ":") + std::string(cipher_name(cipher));
    return "IV_CIPHERS=" + ciphers + "\nIV_PROTO=" + std::to_string(proto) + "\n";
}

DataFormat format_with(const NegotiationSettings& settings, DataCipher cipher) {
    DataFormat format;
    format.cipher = cipher;
    if (!is_aead(cipher))
        format.auth = settings.auth;
    return format;
}

// What a client that nobody negotiates with would use.
DataFormat offered_format(const NegotiationSettings& settings) {
    return format_with(settings, settings.fallback_cipher.value_or(settings.data_ciphers.front()));
}

} // namespace

Result<DataChannelChoice, NegotiationRefusal> negotiate(const NegotiationSettings& settings,
                                                        const wire::PeerInfo& client,
                                                        std::string_view options) {
    auto has = [&](wire::IvProto bit) { return (client.proto & bit) != 0; };
    auto cipher = choose_cipher(settings, client, options);
    if (!cipher)
        return NegotiationRefusal{"Data channel cipher negotiation failed (no shared cipher)"};

    DataChannelChoice choice;
    choice.format = format_with(settings, *cipher);
    if (settings.tls_export && has(wire::IV_PROTO_TLS_KEY_EXPORT))
        choice.derivation = KeyDerivation::TlsExport;
    choice.format.epochs = has(wire::IV_PROTO_DATA_EPOCH) && is_aead(*cipher) &&
                           choice.derivation == KeyDerivation::TlsExport;
    choice.data_v1 = !has(wire::IV_PROTO_DATA_V2);
    choice.push_cipher = can_negotiate(client);
    choice.says_comp_lzo = wire::option_value(options, "comp-lzo").has_value();
    choose_framing(settings, client, choice);
    check_auth(options, choice);
    choice.cc_exit = has(wire::IV_PROTO_CC_EXIT_NOTIFY);
    choice.push_at_once = has(wire::IV_PROTO_REQUEST_PUSH);
    choice.auth_fail_temp = has(wire::IV_PROTO_AUTH_FAIL_TEMP);
    choice.client_max_mtu = client.max_tun_mtu;
    return choice;
}

namespace {

std::optional<DataCipher> common_cipher(const NegotiationSettings& settings, wire::Role own,
                                        const wire::PeerInfo& theirs,
                                        std::string_view their_options) {
    if (theirs.ciphers.empty())
        return choose_cipher(settings, theirs, their_options);
    auto first = settings.data_ciphers;
    auto second = client_ciphers(theirs, their_options);
    if (own == wire::Role::Client)
        std::swap(first, second);
    for (auto cipher : first) {
        if (std::find(second.begin(), second.end(), cipher) != second.end())
            return cipher;
    }
    return std::nullopt;
}

} // namespace

Result<DataChannelChoice, NegotiationRefusal>
agree_point_to_point(const NegotiationSettings& settings, wire::Role own,
                     const wire::PeerInfo& theirs, std::string_view their_options) {
    const auto cipher = common_cipher(settings, own, theirs, their_options);
    if (!cipher)
        return NegotiationRefusal{theirs.ciphers.empty()
                                      ? "the peer names no data cipher that is allowed here "
                                        "(data-ciphers-fallback)"
                                      : "no data cipher is among those of both peers"};
    const auto both = [&](wire::IvProto bit) {
        return (theirs.proto & wire::IV_PROTO_NCP_P2P) != 0 && (theirs.proto & bit) != 0;
    };
    DataChannelChoice choice;
    choice.format = format_with(settings, *cipher);
    if (settings.tls_export && both(wire::IV_PROTO_TLS_KEY_EXPORT))
        choice.derivation = KeyDerivation::TlsExport;
    choice.format.epochs =
        settings.tls_export && both(wire::IV_PROTO_DATA_EPOCH) && is_aead(*cipher);
    choice.data_v1 = !both(wire::IV_PROTO_DATA_V2);
    choice.framing = settings.framing;
    choice.push_cipher = !theirs.ciphers.empty();
    choice.cc_exit = both(wire::IV_PROTO_CC_EXIT_NOTIFY);
    check_auth(their_options, choice);
    return choice;
}

std::string describe(const DataChannelChoice& choice) {
    const auto& format = choice.format;
    std::string out(cipher_name(format.cipher));
    if (format.auth != DataAuth::None)
        out += " " + std::string(auth_name(format.auth));
    if (format.epochs)
        out += " with epochs";
    if (choice.framing != Framing::None)
        out += ", " + std::string(framing_option(choice.framing));
    if (choice.data_v1)
        out += ", without peer ID";
    return out;
}

bool is_route_to(std::string_view option, const Prefix& network) {
    auto words = wire::split(option, ' ');
    if (network.ipv6)
        return words.size() >= 2 && words[0] == "route-ipv6" &&
               parse_ipv6_prefix(words[1]) == network;
    if (words.size() < 2 || words[0] != "route")
        return false;
    auto base = parse_ipv4(words[1]);
    auto mask = parse_ipv4(words.size() > 2 ? words[2] : "255.255.255.255");
    auto length = mask ? prefix_length(*mask) : std::nullopt;
    return base && length && ipv4_prefix(*base, *length) == network;
}

std::vector<std::string> push_options(const PushContents& contents,
                                      const DataChannelChoice& choice) {
    auto out = contents.options;
    // Where the configuration has it, if it has it.
    const std::string framing(framing_option(choice.framing));
    if (choice.push_framing && std::find(out.begin(), out.end(), framing) == out.end())
        out.push_back(framing);
    out.push_back("ifconfig " + to_string(contents.address) + " " + to_string(contents.second));
    if (!choice.data_v1)
        out.push_back("peer-id " + std::to_string(contents.peer_id));
    if (choice.push_cipher)
        out.push_back("cipher " + std::string(cipher_name(choice.format.cipher)));
    bool ekm = choice.derivation == KeyDerivation::TlsExport;
    if (ekm && !choice.cc_exit)
        out.emplace_back("key-derivation tls-ekm");
    std::string flags;
    if (choice.cc_exit)
        flags += ekm ? " cc-exit tls-ekm" : " cc-exit";
    if (choice.format.epochs)
        flags += " aead-epoch";
    if (!flags.empty())
        out.push_back("protocol-flags" + flags);
    if (choice.client_max_mtu > 0)
        out.push_back("tun-mtu " + std::to_string(contents.tun_mtu));
    return out;
}

std::string server_options_string(std::uint32_t tun_mtu, const DataChannelChoice& choice,
                                  const NegotiationSettings& settings) {
    return options_head(tun_mtu, settings, "SERVER") + (choice.says_comp_lzo ? ",comp-lzo" : "") +
           (choice.push_cipher ? "" : ",cipher " + cipher_text(choice.format.cipher)) +
           options_tail(choice.format) + "server";
}

std::string client_options_string(std::uint32_t tun_mtu, const NegotiationSettings& settings) {
    const DataFormat format = offered_format(settings);
    return options_head(tun_mtu, settings, "CLIENT") +
           (settings.framing != Framing::None ? ",comp-lzo" : "") + ",cipher " +
           cipher_text(format.cipher) + options_tail(format) + "client";
}

std::string client_peer_info(const NegotiationSettings& settings, std::string_view version,
                             const Environment& more) {
    const std::uint32_t proto = wire::IV_PROTO_DATA_V2 | wire::IV_PROTO_REQUEST_PUSH |
                                wire::IV_PROTO_AUTH_PENDING_KW | wire::IV_PROTO_DNS_OPTION |
                                wire::IV_PROTO_CC_EXIT_NOTIFY | wire::IV_PROTO_AUTH_FAIL_TEMP |
                                of_tls_export(settings);
    std::string out =
        "IV_VER=" + std::string(version) +
        "\nIV_PLAT=linux\nIV_TCPNL=1\nIV_MTU=" + std::to_string(kMaxTunMtu) + "\n" +
        ciphers_and_proto(settings, proto) +
        (settings.may_unpack ? "IV_LZ4=1\nIV_LZ4v2=1\nIV_LZO=1\n" : "IV_LZO_STUB=1\n") +
        "IV_COMP_STUB=1\nIV_COMP_STUBv2=1\n";
    const auto has = [&](DataCipher cipher) {
        return std::find(settings.data_ciphers.begin(), settings.data_ciphers.end(), cipher) !=
               settings.data_ciphers.end();
    };
    if (has(DataCipher::Aes256Gcm) && has(DataCipher::Aes128Gcm))
        out += "IV_NCP=2\n";
    for (const auto& [name, value] : more)
        out.append(name).append("=").append(value).append("\n");
    return out;
}

std::string point_to_point_info(const NegotiationSettings& settings) {
    return ciphers_and_proto(settings, wire::IV_PROTO_DATA_V2 | wire::IV_PROTO_NCP_P2P |
                                           wire::IV_PROTO_CC_EXIT_NOTIFY | of_tls_export(settings));
}

Result<DataChannelChoice, NegotiationRefusal> accept_push(const NegotiationSettings& settings,
                                                          const wire::PushedOptions& pushed,
                                                          std::string_view server_options) {
    DataChannelChoice choice;
    auto allowed = settings.data_ciphers;
    auto cipher = pushed.cipher;
    if (!cipher) {
        if (settings.fallback_cipher)
            allowed.push_back(*settings.fallback_cipher);
        auto own = wire::option_value(server_options, "cipher");
        cipher = own ? cipher_by_name(*own == "[null-cipher]" ? "none" : *own)
                     : settings.fallback_cipher;
    }
    if (!cipher)
        return NegotiationRefusal{"the server names no data cipher that is known here "
                                  "(data-ciphers-fallback)"};
    if (std::find(allowed.begin(), allowed.end(), *cipher) == allowed.end())
        return NegotiationRefusal{"the server chose the data cipher " +
                                  std::string(cipher_name(*cipher)) +
                                  ", which is not among data-ciphers"};
    choice.format = format_with(settings, *cipher);
    if (pushed.tls_export && !settings.tls_export)
        return NegotiationRefusal{"the server wants keys by TLS export, which was not offered"};
    choice.derivation = pushed.tls_export ? KeyDerivation::TlsExport : KeyDerivation::Tls1Prf;
    if (pushed.epochs && (!is_aead(*cipher) || !pushed.tls_export))
        return NegotiationRefusal{"the server wants epochs without an AEAD cipher and TLS export"};
    choice.format.epochs = pushed.epochs;
    choice.data_v1 = !pushed.peer_id;
    choice.framing = pushed.framing.value_or(settings.framing);
    if (may_be_compressed(choice.framing) && !settings.may_unpack)
        return NegotiationRefusal{"the server wants \"" +
                                  std::string(framing_option(choice.framing)) +
                                  "\", and compression is not allowed (allow-compression asym)"};
    choice.cc_exit = pushed.cc_exit;
    return choice;
}

} // namespace nfovpn::session
