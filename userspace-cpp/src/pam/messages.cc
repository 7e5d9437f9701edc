// SPDX-License-Identifier: GPL-2.0-or-later
//
// Messages about users; see messages.h.

#include "pam/messages.h"

#include <algorithm>

namespace nfovpn::pam {

namespace {

constexpr std::size_t kLongestReason = 256;
// An id and the lengths of four texts
constexpr std::size_t kFrame = 4 + 4 * 2;

bool is_text(ByteView bytes) {
    return std::find(bytes.begin(), bytes.end(), 0) == bytes.end();
}

// A text of a request: its length in two bytes, and the text.
std::optional<ByteView> text(ByteReader& in) {
    const auto length = in.u16();
    auto bytes = length ? in.bytes(*length) : std::nullopt;
    return bytes && is_text(*bytes) ? bytes : std::nullopt;
}

} // namespace

std::optional<SecretBytes> encode(const Request& request) {
    const ByteView texts[] = {as_bytes(request.username), request.password.view(),
                              as_bytes(request.common_name), as_bytes(request.remote_host)};
    std::size_t size = kFrame;
    for (const auto& text : texts) {
        size += text.size();
        if (!is_text(text) || size > kMaxMessage)
            return std::nullopt;
    }
    SecretBytes out;
    const auto append = [&](std::uint32_t number, bool wide) {
        ByteWriter bytes;
        if (wide)
            bytes.u32(number);
        else
            bytes.u16(static_cast<std::uint16_t>(number));
        out.append(bytes.view());
    };
    append(request.id, true);
    for (const auto& text : texts) {
        append(static_cast<std::uint32_t>(text.size()), false);
        out.append(text);
    }
    return out;
}

std::optional<Request> decode_request(ByteView message) {
    ByteReader in(message);
    const auto id = in.u32();
    const auto username = text(in);
    const auto password = text(in);
    const auto common_name = text(in);
    const auto remote_host = text(in);
    if (!id || !username || !password || !common_name || !remote_host || !in.empty())
        return std::nullopt;
    Request out;
    out.id = *id;
    out.username = as_text(*username);
    out.password = SecretBytes(*password);
    out.common_name = as_text(*common_name);
    out.remote_host = as_text(*remote_host);
    return out;
}

Bytes encode(const Answer& answer) {
    ByteWriter out;
    out.u32(answer.id);
    out.u8(static_cast<std::uint8_t>(answer.verdict));
    out.bytes(as_bytes(answer.reason.substr(0, kLongestReason)));
    return out.take();
}

std::optional<Answer> decode_answer(ByteView message) {
    ByteReader in(message);
    const auto id = in.u32();
    const auto verdict = in.u8();
    if (!id || !verdict || *verdict > static_cast<std::uint8_t>(Verdict::Failed) ||
        in.rest().size() > kLongestReason)
        return std::nullopt;
    return Answer{*id, static_cast<Verdict>(*verdict), std::string(as_text(in.rest()))};
}

} // namespace nfovpn::pam
