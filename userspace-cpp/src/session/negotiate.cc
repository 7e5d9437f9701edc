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
    switch (framing) {
    case Framing::None:
        return true;
    case Framing::Stub:
        return client.lzo_stub;
    case Framing::StubSwap:
        return client.stub;
    case Framing::StubV2:
        return client.stub_v2;
    }
    return false;
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

} // namespace

Result<DataChannelChoice, NegotiationRefusal> negotiate(const NegotiationSettings& settings,
                                                        const wire::PeerInfo& client,
                                                        std::string_view options) {
    auto has = [&](wire::IvProto bit) { return (client.proto & bit) != 0; };
    auto cipher = choose_cipher(settings, client, options);
    if (!cipher)
        return NegotiationRefusal{"Data channel cipher negotiation failed (no shared cipher)"};

    DataChannelChoice choice;
    choice.format.cipher = *cipher;
    if (!is_aead(*cipher))
        choice.format.auth = settings.auth;
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
    out.push_back("ifconfig " + to_string(contents.address) + " " + to_string(contents.netmask));
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
    if (choice.push_framing)
        out.emplace_back(framing_option(choice.framing));
    return out;
}

std::string server_options_string(std::uint32_t tun_mtu, const DataChannelChoice& choice,
                                  bool tcp) {
    const auto& format = choice.format;
    std::string out = "V4,dev-type tun,tun-mtu " + std::to_string(tun_mtu) +
                      (tcp ? ",proto TCPv4_SERVER" : ",proto UDPv4");
    if (choice.says_comp_lzo)
        out += ",comp-lzo";
    if (!choice.push_cipher)
        out += ",cipher " + (format.cipher == DataCipher::None
                                 ? "[null-cipher]"
                                 : std::string(cipher_name(format.cipher)));
    out += ",auth " +
           (format.auth == DataAuth::None ? "[null-digest]" : std::string(auth_name(format.auth)));
    out += ",keysize " + std::to_string(8 * cipher_key_length(format.cipher));
    return out + ",key-method 2,tls-server";
}

} // namespace nfovpn::session
