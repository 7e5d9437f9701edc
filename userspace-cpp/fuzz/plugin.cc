// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the process for plug-ins says, in which a plug-in may have done what it likes: understood or
// not, and what is understood stays within its bounds and is said again as it was. And what the
// process is told, although that is the daemon's.

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
