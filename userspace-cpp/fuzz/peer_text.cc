// SPDX-License-Identifier: GPL-2.0-or-later
//
// What peers write in plain text: peer info and options string, as far as the negotiation that
// follows from them, and control messages, push replies among them.

#include "check.h"
#include "session/negotiate.h"
#include "wire/push.h"

#include <algorithm>

using namespace nfovpn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text({data, size});
    const auto middle = std::min(text.find('\n'), text.size());

    auto info = wire::parse_peer_info(text);
    auto choice = session::negotiate({}, info, text.substr(0, middle));
    if (choice) {
        session::PushContents contents;
        auto pushed = session::push_options(contents, *choice);
        fuzz::check(static_cast<bool>(wire::build_push_reply(pushed)));
        fuzz::check(!session::describe(*choice).empty());
    } else {
        fuzz::check(!choice.error().reason.empty());
    }
    auto shown = wire::printable(text);
    fuzz::check(
        std::all_of(shown.begin(), shown.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));

    // A stream of messages is the same however it is cut.
    wire::MessageSplitter whole;
    wire::MessageSplitter pieces;
    bool fits = whole.feed({data, size});
    bool fit = pieces.feed({data, middle}) && pieces.feed({data + middle, size - middle});
    auto messages = whole.take();
    if (fits && fit)
        fuzz::check(messages == pieces.take());
    for (const auto& message : messages) {
        for (const auto& option : wire::parse_push_reply(message))
            fuzz::check(option.find(',') == std::string::npos);
    }
    return 0;
}
