// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a server pushes to its client, as far as the tunnel that is made of it. The server's options
// string, from which the client takes what is not pushed, is the same text.

#include "check.h"
#include "session/negotiate.h"
#include "wire/push.h"
#include "wire/pushed_options.h"

#include <algorithm>

using namespace nfovpn;

namespace {

bool tame(const std::string& text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text({data, size});
    auto options = wire::parse_push_reply(text);
    const std::vector<wire::PullFilter> filters = {
        {wire::PullFilter::Action::Ignore, "setenv"},
        {wire::PullFilter::Action::Reject, "reject"},
    };
    auto kept = wire::filter_options(filters, options);
    if (!kept) {
        fuzz::check(tame(kept.error().option));
        return 0;
    }
    fuzz::check(kept->size() <= options.size());
    auto pushed = wire::parse_pushed_options(*kept);
    if (!pushed) {
        fuzz::check(tame(pushed.error().option) && tame(pushed.error().reason));
        return 0;
    }
    for (const auto& [name, value] : pushed->environment)
        fuzz::check(tame(name) && tame(value) && name.find('=') == std::string::npos);
    fuzz::check(std::all_of(pushed->ignored.begin(), pushed->ignored.end(), tame));
    for (const auto& route : pushed->routes) {
        fuzz::check(route.network.length <= (route.network.ipv6 ? 128 : 32));
        fuzz::check(!to_string(route.network).empty());
    }
    fuzz::check(!pushed->netmask || prefix_length(*pushed->netmask));
    fuzz::check(pushed->length6 >= 0 && pushed->length6 <= 128);
    fuzz::check(!pushed->peer_id || *pushed->peer_id < 1U << 24);
    fuzz::check(!(pushed->netmask && pushed->peer));
    auto choice = session::accept_push({}, *pushed, text);
    if (choice)
        fuzz::check(is_aead(choice->format.cipher) && !session::describe(*choice).empty());
    else
        fuzz::check(!choice.error().reason.empty());
    return 0;
}
