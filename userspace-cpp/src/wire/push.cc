// SPDX-License-Identifier: GPL-2.0-or-later
//
// Control messages and push replies. See push.h.

#include "wire/push.h"

#include "wire/peer_info.h"

#include <algorithm>
#include <utility>

namespace nfovpn::wire {

namespace {
constexpr std::string_view kPushReply = "PUSH_REPLY";
constexpr std::string_view kMoreFollows = ",push-continuation 2";
constexpr std::string_view kLast = ",push-continuation 1";
} // namespace

bool MessageSplitter::feed(ByteView bytes) {
    while (!bytes.empty()) {
        auto zero = std::find(bytes.begin(), bytes.end(), 0);
        auto length = static_cast<std::size_t>(zero - bytes.begin());
        if (partial_.size() + length > kMaxReceivedMessage)
            return false;
        partial_ += as_text(bytes.first(length));
        if (zero == bytes.end())
            return true;
        // OpenVPN pads with further zeros at times; they are no messages.
        if (!partial_.empty() && complete_.size() == kMaxWaitingMessages)
            return false;
        if (!partial_.empty())
            complete_.push_back(std::exchange(partial_, {}));
        bytes = bytes.subspan(length + 1);
    }
    return true;
}

std::vector<std::string> MessageSplitter::take() {
    return std::exchange(complete_, {});
}

Result<std::vector<std::string>, PushTooLong> build_push_reply(std::span<const std::string> options,
                                                               std::size_t limit) {
    std::vector<std::string> messages;
    std::string current(kPushReply);
    for (const auto& option : options) {
        if (kPushReply.size() + 1 + option.size() + kMoreFollows.size() > limit)
            return PushTooLong{option};
        if (current.size() + 1 + option.size() + kMoreFollows.size() > limit) {
            messages.push_back(current + std::string(kMoreFollows));
            current = kPushReply;
        }
        current += ',';
        current += option;
    }
    if (!messages.empty())
        current += kLast;
    messages.push_back(std::move(current));
    return messages;
}

std::vector<std::string> parse_push_reply(std::string_view message) {
    auto parts = split(message, ',');
    if (parts.empty() || parts.front() != kPushReply)
        return {};
    parts.erase(parts.begin());
    return parts;
}

} // namespace nfovpn::wire
