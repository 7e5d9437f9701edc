// SPDX-License-Identifier: GPL-2.0-or-later
//
// Control messages: zero-terminated strings that follow key method 2 in the TLS stream.
//
//     client: PUSH_REQUEST        server: PUSH_REPLY,route 10.1.0.0 255.255.0.0,…,peer-id 0
//     client: EXIT                server: AUTH_FAILED,reason · RESTART
//
// A push reply that is too long for one message goes out as several, each but the last ending in
// ",push-continuation 2" and the last in ",push-continuation 1".
#pragma once

#include "util/bytes.h"
#include "util/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace nfovpn::wire {

/// The longest control message that is sent, without its terminating zero. Stock clients up to
/// 2.6 read a control message into a buffer of 1024 bytes.
inline constexpr std::size_t kMaxSentMessage = 1000;

/// The longest control message that is accepted from a peer.
inline constexpr std::size_t kMaxReceivedMessage = 4096;

/// The most that come in one record of TLS; stock peers send one.
inline constexpr std::size_t kMaxWaitingMessages = 64;

/// Takes the complete messages off the front of a stream of zero-terminated strings.
class MessageSplitter {
public:
    /// Adds what came. False when a message grows beyond kMaxReceivedMessage, or when more than
    /// kMaxWaitingMessages wait: the peer must go.
    bool feed(ByteView bytes);

    /// The messages that have become complete, oldest first.
    std::vector<std::string> take();
    [[nodiscard]] bool waiting() const { return !complete_.empty(); }

private:
    std::string partial_;
    std::vector<std::string> complete_;
};

/// One pushed option that does not fit in a message even alone.
struct PushTooLong {
    std::string option;
};

/// Builds the messages of a push reply. An option must hold no comma and no zero.
Result<std::vector<std::string>, PushTooLong> build_push_reply(std::span<const std::string> options,
                                                               std::size_t limit = kMaxSentMessage);

/// The options of one PUSH_REPLY message, for tests and clients; nothing for another message.
std::vector<std::string> parse_push_reply(std::string_view message);

} // namespace nfovpn::wire
