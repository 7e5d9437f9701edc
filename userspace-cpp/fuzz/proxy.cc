// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a proxy answers, and what the relay of one passes on. The first byte says which proxy it is,
// the second into how long pieces the answers fall.

#include "wire/proxy.h"

#include "check.h"

#include <algorithm>

using namespace nfovpn;

namespace {

wire::Proxy proxy_of(std::uint8_t choice) {
    wire::Proxy out;
    out.kind = (choice & 1) != 0 ? wire::Proxy::Kind::Socks : wire::Proxy::Kind::Http;
    if ((choice & 2) != 0) {
        out.username = "carol";
        out.password = SecretBytes(as_bytes("open sesame"));
        out.login = (choice & 4) != 0 ? wire::Proxy::Login::Asked : wire::Proxy::Login::Always;
    }
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using State = wire::ProxyDialogue::State;
    if (size < 2)
        return 0;
    const auto proxy = proxy_of(data[0]);
    const bool datagrams = proxy.kind == wire::Proxy::Kind::Socks && (data[0] & 8) != 0;
    const std::size_t piece = data[1] + std::size_t{1};
    ByteView rest(data + 2, size - 2);
    if (const auto inner = wire::relayed_datagram(rest)) {
        const auto again = wire::relay_datagram(inner->first, inner->second);
        const auto second = wire::relayed_datagram(again);
        fuzz::check(second && second->first == inner->first &&
                    fuzz::equal(second->second, inner->second));
    }
    wire::ProxyDialogue dialogue(proxy, "vpn.example.net", 1194, datagrams, (data[0] & 16) != 0);
    fuzz::check(!dialogue.begin().empty());
    while (!rest.empty() && dialogue.state() == State::Talking) {
        const auto fresh = rest.first(std::min(piece, rest.size()));
        rest = rest.subspan(fresh.size());
        const auto answer = dialogue.take(fresh);
        fuzz::check(answer.empty() || dialogue.state() == State::Talking);
        fuzz::check(answer.view().size() < 600);
    }
    const auto state = dialogue.state();
    fuzz::check((state == State::Failed) == !dialogue.failure().empty());
    fuzz::check(std::all_of(dialogue.failure().begin(), dialogue.failure().end(),
                            [](char c) { return c >= 0x20 && c < 0x7f; }));
    if (state == State::Done)
        fuzz::check(dialogue.rest().size() <= 3 * piece &&
                    (!datagrams || dialogue.relay().port != 0));
    if (state == State::Again)
        fuzz::check(proxy.login == wire::Proxy::Login::Asked);
    return 0;
}
