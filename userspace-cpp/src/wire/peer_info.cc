// SPDX-License-Identifier: GPL-2.0-or-later
//
// Peer info and options strings. Written by the peer, so every line is optional, every number may
// be too large, and nothing may reach a log without passing printable().

#include "wire/peer_info.h"

#include <algorithm>
#include <charconv>

namespace nfovpn::wire {

namespace {

// Real clients offer fewer than ten ciphers.
constexpr std::size_t kMaxCiphers = 64;

std::uint32_t number(std::string_view text) {
    std::uint32_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? value : 0;
}

// Real clients send fewer than thirty lines.
constexpr std::size_t kMaxLines = 64;

// Nobody else's variables can be set by such a name.
bool is_peers_variable(std::string_view name) {
    return (name.starts_with("IV_") || name.starts_with("UV_")) &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) {
               return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                      c == '_';
           });
}

} // namespace

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        auto end = text.find(separator);
        auto part = text.substr(0, end);
        if (!part.empty())
            parts.emplace_back(part);
        if (end == std::string_view::npos)
            break;
        text.remove_prefix(end + 1);
    }
    return parts;
}

PeerInfo parse_peer_info(std::string_view text) {
    PeerInfo info;
    for (const auto& line : split(text, '\n')) {
        auto equals = line.find('=');
        if (equals == std::string::npos)
            continue;
        std::string_view name = std::string_view(line).substr(0, equals);
        std::string_view value = std::string_view(line).substr(equals + 1);
        if (is_peers_variable(name) && info.lines.size() < kMaxLines)
            info.lines.emplace_back(name, printable(value, 1024));
        if (name == "IV_VER") {
            info.version = printable(value);
        } else if (name == "IV_PLAT") {
            info.platform = printable(value);
        } else if (name == "IV_PROTO") {
            info.proto = number(value);
        } else if (name == "IV_NCP") {
            info.ncp = static_cast<int>(number(value) & 0xff);
        } else if (name == "IV_MTU") {
            info.max_tun_mtu = number(value);
        } else if (name == "IV_LZO_STUB" || name == "IV_LZO") {
            info.lzo_stub = info.lzo_stub || value == "1";
        } else if (name == "IV_COMP_STUB") {
            info.stub = value == "1";
        } else if (name == "IV_COMP_STUBv2") {
            info.stub_v2 = value == "1";
        } else if (name == "IV_CIPHERS") {
            info.ciphers = split(value, ':');
            if (info.ciphers.size() > kMaxCiphers)
                info.ciphers.resize(kMaxCiphers);
        }
    }
    return info;
}

std::optional<std::string> option_value(std::string_view options, std::string_view name) {
    for (const auto& option : split(options, ',')) {
        if (option == name)
            return "";
        if (option.size() > name.size() && option.starts_with(name) && option[name.size()] == ' ')
            return option.substr(name.size() + 1);
    }
    return std::nullopt;
}

std::string printable(std::string_view text, std::size_t limit) {
    std::string out(text.substr(0, limit));
    for (char& c : out) {
        if (c < 0x20 || c > 0x7e)
            c = '_';
    }
    return out;
}

std::string clean_name(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            c = '_';
    }
    return out;
}

} // namespace nfovpn::wire
