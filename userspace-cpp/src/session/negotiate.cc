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

} // namespace

Result<DataChannelChoice, NegotiationRefusal> negotiate(const NegotiationSettings& settings,
                                                        const wire::PeerInfo& client,
                                                        std::string_view options) {
    DataChannelChoice choice;
    auto offered = client_ciphers(client, options);
    auto chosen = std::find_if(
        settings.data_ciphers.begin(), settings.data_ciphers.end(), [&](DataCipher cipher) {
            return std::find(offered.begin(), offered.end(), cipher) != offered.end();
        });
    if (chosen != settings.data_ciphers.end())
        choice.cipher = *chosen;
    else if (client.ciphers.empty() && client.ncp < 2 && settings.fallback_cipher)
        choice.cipher = *settings.fallback_cipher;
    else
        return NegotiationRefusal{"Data channel cipher negotiation failed (no shared cipher)"};

    if ((client.proto & wire::IV_PROTO_DATA_V2) == 0)
        return NegotiationRefusal{"Data packets with peer ID (P_DATA_V2) are required"};

    if (wire::option_value(options, "comp-lzo")) {
        if (!client.stub_v2)
            return NegotiationRefusal{"Compression framing is not supported"};
        choice.stub_v2 = true;
    }
    if (settings.tls_export && (client.proto & wire::IV_PROTO_TLS_KEY_EXPORT) != 0)
        choice.derivation = KeyDerivation::TlsExport;
    choice.cc_exit = (client.proto & wire::IV_PROTO_CC_EXIT_NOTIFY) != 0;
    choice.push_at_once = (client.proto & wire::IV_PROTO_REQUEST_PUSH) != 0;
    choice.auth_fail_temp = (client.proto & wire::IV_PROTO_AUTH_FAIL_TEMP) != 0;
    choice.client_max_mtu = client.max_tun_mtu;
    return choice;
}

std::vector<std::string> push_options(const PushContents& contents,
                                      const DataChannelChoice& choice) {
    auto out = contents.options;
    out.push_back("ifconfig " + to_string(contents.address) + " " + to_string(contents.netmask));
    out.push_back("peer-id " + std::to_string(contents.peer_id));
    out.push_back("cipher " + std::string(cipher_name(choice.cipher)));
    bool ekm = choice.derivation == KeyDerivation::TlsExport;
    if (choice.cc_exit)
        out.emplace_back(ekm ? "protocol-flags cc-exit tls-ekm" : "protocol-flags cc-exit");
    else if (ekm)
        out.emplace_back("key-derivation tls-ekm");
    if (choice.client_max_mtu > 0)
        out.push_back("tun-mtu " + std::to_string(contents.tun_mtu));
    if (choice.stub_v2)
        out.emplace_back("compress stub-v2");
    return out;
}

std::string server_options_string(std::uint32_t tun_mtu) {
    return "V4,dev-type tun,tun-mtu " + std::to_string(tun_mtu) +
           ",proto UDPv4,auth [null-digest],keysize 256,key-method 2,tls-server";
}

} // namespace nfovpn::session
