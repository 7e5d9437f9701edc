// SPDX-License-Identifier: GPL-2.0-or-later
//
// tls-auth and tls-crypt. Nobody guesses a tag, so besides the input as a datagram from the network
// there is the input as a plain packet: wrapped by a client it must come out at the server as it
// was, and with a changed byte not at all. The changed byte is chosen by the input as well.

#include "check.h"
#include "support/stock_packets.h"
#include "wire/control_wrap.h"

#include <array>

using namespace nfovpn;
using wire::ControlWrap;

namespace {

struct Pair {
    ControlWrap server;
    ControlWrap client;
};

Pair tls_auth(const wire::StaticKey& key, const char* digest) {
    return {std::move(*ControlWrap::tls_auth(key, ControlWrap::Direction::Normal, digest)),
            std::move(*ControlWrap::tls_auth(key, ControlWrap::Direction::Inverse, digest))};
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto key = std::move(*wire::parse_static_key(test::kStaticKey));
    static const std::array<Pair, 3> pairs = {
        tls_auth(key, "SHA1"), tls_auth(key, "SHA512"),
        Pair{ControlWrap::tls_crypt(key, wire::Role::Server),
             ControlWrap::tls_crypt(key, wire::Role::Client)}};
    const ByteView input(data, size);
    for (const auto& pair : pairs) {
        auto opened = pair.server.unwrap(input);
        // The seeds are real, and nothing else is.
        if (opened)
            fuzz::check(fuzz::equal(pair.client.wrap(opened->plain, opened->id), input));
    }
    if (size < 13 || size > 2000)
        return 0;
    ByteReader numbers(input);
    const auto where = *numbers.u32();
    const auto plain = input.subspan(4);
    const auto& pair = pairs[where % pairs.size()];
    const wire::WrapId id{where, ~where};
    auto datagram = pair.client.wrap(plain, id);
    fuzz::check(datagram.size() == plain.size() + pair.client.overhead());
    auto opened = pair.server.unwrap(datagram);
    fuzz::check(opened && opened->id == id && fuzz::equal(opened->plain, plain));
    datagram[where % datagram.size()] ^= 0x40;
    fuzz::check(!pair.server.unwrap(datagram));
    return 0;
}
