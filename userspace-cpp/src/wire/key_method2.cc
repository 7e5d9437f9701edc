// SPDX-License-Identifier: GPL-2.0-or-later
//
// Key method 2, read and written along the drawing in key_method2.h.

#include "wire/key_method2.h"

#include <algorithm>
#include <iterator>
#include <optional>

namespace nfovpn::wire {

namespace {

constexpr std::uint8_t kMethod = 2;

template <std::size_t N>
bool read_secret(ByteReader& in, SecretArray<N>& out) {
    auto raw = in.bytes(N);
    if (!raw)
        return false;
    out.assign(raw->template first<N>());
    return true;
}

// A string with its length in front; the terminating zero is checked and cut off.
Result<ByteView, KeyMethod2Error> read_string(ByteReader& in) {
    auto length = in.u16();
    if (!length)
        return KeyMethod2Error::Incomplete;
    if (*length > kMaxKeyMethodString)
        return KeyMethod2Error::StringTooLong;
    auto raw = in.bytes(*length);
    if (!raw)
        return KeyMethod2Error::Incomplete;
    if (raw->empty())
        return *raw;
    if (std::find(raw->begin(), raw->end(), 0) != raw->end() - 1)
        return KeyMethod2Error::BadString;
    return raw->first(raw->size() - 1);
}

void write_string(SecretBytes& out, ByteView text, bool even_empty = false) {
    const bool absent = text.empty() && !even_empty;
    ByteWriter length;
    length.u16(static_cast<std::uint16_t>(absent ? 0 : text.size() + 1));
    out.append(length.view());
    if (absent)
        return;
    out.append(text);
    const std::uint8_t zero = 0;
    out.append({&zero, 1});
}

} // namespace

std::string_view to_string(KeyMethod2Error error) {
    switch (error) {
    case KeyMethod2Error::Incomplete:
        return "incomplete";
    case KeyMethod2Error::BadHeader:
        return "not key method 2";
    case KeyMethod2Error::BadString:
        return "string not terminated by its only zero";
    case KeyMethod2Error::StringTooLong:
        return "string too long";
    }
    return "unknown";
}

Result<ParsedKeyMethod2, KeyMethod2Error> parse_key_method2(ByteView stream, Role sender) {
    ByteReader in(stream);
    auto literal = in.u32();
    auto method = literal ? in.u8() : std::nullopt;
    // What can be judged early is, so that garbage does not wait for a time limit.
    if ((literal && *literal != 0) || (method && *method != kMethod))
        return KeyMethod2Error::BadHeader;
    if (!literal || !method)
        return KeyMethod2Error::Incomplete;

    ParsedKeyMethod2 out;
    KeyMethod2& m = out.message;
    if (sender == Role::Client && !read_secret(in, m.key_source.pre_master))
        return KeyMethod2Error::Incomplete;
    if (!read_secret(in, m.key_source.random1) || !read_secret(in, m.key_source.random2))
        return KeyMethod2Error::Incomplete;

    ByteView fields[4];
    bool present[4];
    for (std::size_t i = 0; i < std::size(fields); i++) {
        // An absent string has no length, an empty one its terminating zero.
        present[i] = in.rest().size() >= 2 && (in.rest()[0] != 0 || in.rest()[1] != 0);
        auto text = read_string(in);
        if (!text)
            return text.error();
        fields[i] = *text;
    }
    m.options = as_text(fields[0]);
    m.username = as_text(fields[1]);
    m.password = SecretBytes(fields[2]);
    m.peer_info = as_text(fields[3]);
    m.has_credentials = present[1] && present[2];
    out.consumed = stream.size() - in.rest().size();
    return out;
}

SecretBytes build_key_method2(const KeyMethod2& message, Role sender) {
    const std::uint8_t head[] = {0, 0, 0, 0, kMethod};
    SecretBytes out{ByteView(head)};
    if (sender == Role::Client)
        out.append(message.key_source.pre_master.view());
    out.append(message.key_source.random1.view());
    out.append(message.key_source.random2.view());
    write_string(out, as_bytes(message.options));
    const bool given = message.has_credentials || !message.username.empty();
    write_string(out, as_bytes(message.username), given);
    write_string(out, message.password.view(), given);
    write_string(out, as_bytes(message.peer_info));
    return out;
}

} // namespace nfovpn::wire
