// SPDX-License-Identifier: GPL-2.0-or-later
//
// Messages of the plug-in process, which a plug-in may have taken over: whatever is accepted stays
// within its bounds and is encoded again to the same bytes. Requests to that process are decoded as
// well, although the daemon itself writes them.

#include "check.h"
#include "plugin/messages.h"

#include <cstddef>
#include <cstdint>

using namespace nfovpn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView message(data, size);
    if (const auto reply = plugin::decode_reply(message)) {
        if (const auto* line = std::get_if<plugin::LogLine>(&*reply)) {
            fuzz::check(line->text.size() <= 1024);
        } else {
            const auto& answer = std::get<plugin::Answer>(*reply);
            fuzz::check((answer.hooks & ~plugin::kAllHooks) == 0);
            fuzz::check(answer.plugin < plugin::kMostPlugins);
            const auto again = plugin::encode(answer);
            fuzz::check(again && fuzz::equal(*again, message));
        }
    }
    if (const auto request = plugin::decode_request(message)) {
        const auto again = plugin::encode(*request);
        fuzz::check(again.has_value());
    }
    return 0;
}
