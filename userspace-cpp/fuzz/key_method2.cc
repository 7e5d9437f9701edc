// SPDX-License-Identifier: GPL-2.0-or-later
//
// Key method 2 of either side, from a stream that may end anywhere.

#include "wire/key_method2.h"

#include "check.h"

using namespace nfovpn;
using wire::KeyMethod2Error;

namespace {

void parse(ByteView stream, wire::Role sender) {
    auto parsed = wire::parse_key_method2(stream, sender);
    if (!parsed) {
        fuzz::check(!wire::to_string(parsed.error()).empty());
        return;
    }
    fuzz::check(parsed->consumed <= stream.size());
    // Whatever came before the end was not yet a message, and no mistake.
    for (std::size_t length : {parsed->consumed - 1, parsed->consumed / 2, std::size_t{3}}) {
        auto early = wire::parse_key_method2(stream.first(length), sender);
        fuzz::check(!early && early.error() == KeyMethod2Error::Incomplete);
    }
    auto built = wire::build_key_method2(parsed->message, sender);
    auto again = wire::parse_key_method2(built.view(), sender);
    fuzz::check(again && again->consumed == built.view().size());
    fuzz::check(again->message.options == parsed->message.options &&
                again->message.username == parsed->message.username &&
                again->message.peer_info == parsed->message.peer_info &&
                fuzz::equal(again->message.password.view(), parsed->message.password.view()) &&
                fuzz::equal(again->message.key_source.random2.view(),
                            parsed->message.key_source.random2.view()));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView stream(data, size);
    parse(stream, wire::Role::Client);
    parse(stream, wire::Role::Server);
    return 0;
}
