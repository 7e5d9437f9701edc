// SPDX-License-Identifier: GPL-2.0-or-later
//
// Fields in their order, for whoever writes and for whoever reads; see saved_client.h.

#include "server/saved_client.h"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace nfovpn::server {

namespace {

// What kind of record it is.
constexpr std::uint8_t kServer = 1;
constexpr std::uint8_t kClient = 2;

class Writer {
public:
    static constexpr bool kReads = false;

    template <typename T>
    bool number(const T& value) {
        const auto bits = static_cast<std::uint64_t>(value);
        std::array<std::uint8_t, 8> bytes{};
        for (std::size_t i = 0; i < bytes.size(); i++)
            bytes[i] = static_cast<std::uint8_t>(bits >> (8 * (7 - i)));
        return raw(bytes);
    }
    template <typename T>
    bool choice(const T& value, T /*last*/) {
        return number(static_cast<unsigned>(value));
    }
    bool raw(ByteView bytes) {
        out_.append(bytes);
        return true;
    }
    bool text(const std::string& value) { return number(value.size()) && raw(as_bytes(value)); }
    SecretBytes take() { return std::move(out_); }

private:
    SecretBytes out_;
};

class Reader {
public:
    static constexpr bool kReads = true;

    explicit Reader(ByteView bytes) : in_(bytes) {}

    // Only what fits is one.
    template <typename T>
    bool number(T& value) {
        const auto bytes = in_.bytes(8);
        if (!bytes)
            return false;
        std::uint64_t bits = 0;
        for (auto byte : *bytes)
            bits = bits << 8 | byte;
        if constexpr (std::is_same_v<T, bool>) {
            value = bits == 1;
            return bits <= 1;
        } else {
            value = static_cast<T>(bits);
            return static_cast<std::uint64_t>(value) == bits;
        }
    }
    // Up to the last one of them.
    template <typename T>
    bool choice(T& value, T last) {
        unsigned n = 0;
        if (!number(n) || n > static_cast<unsigned>(last))
            return false;
        value = static_cast<T>(n);
        return true;
    }
    bool raw(std::span<std::uint8_t> out) {
        const auto bytes = in_.bytes(out.size());
        if (bytes)
            std::copy(bytes->begin(), bytes->end(), out.begin());
        return bytes.has_value();
    }
    bool text(std::string& value) {
        std::size_t size = 0;
        if (!number(size))
            return false;
        const auto bytes = in_.bytes(size);
        if (bytes)
            value = as_text(*bytes);
        return bytes.has_value();
    }
    [[nodiscard]] bool at_end() const { return in_.empty(); }
    [[nodiscard]] std::size_t left() const { return in_.rest().size(); }

private:
    ByteReader in_;
};

// ---- one function for both; of a Writer the value is constant

template <typename Io, typename List, typename Each>
bool io_list(Io& io, List& list, Each each) {
    std::size_t count = list.size();
    if (!io.number(count))
        return false;
    if constexpr (Io::kReads) {
        // The shortest has eight bytes.
        if (count > io.left() / 8)
            return false;
        list.resize(count);
    }
    for (auto& item : list) {
        if (!each(io, item))
            return false;
    }
    return true;
}

template <typename Io, typename Optional, typename Each>
bool io_optional(Io& io, Optional& value, Each each) {
    bool there = value.has_value();
    if (!io.number(there))
        return false;
    if constexpr (Io::kReads) {
        if (there)
            value.emplace();
    }
    return !there || each(io, *value);
}

template <typename Io, typename Value>
bool io_environment(Io& io, Value& value) {
    return io_list(io, value, [](auto& with, auto& pair) {
        return with.text(pair.first) && with.text(pair.second);
    });
}

template <typename Io, typename Value>
bool io_ipv4(Io& io, Value& value) {
    return io.number(value.value);
}

template <typename Io, typename Value>
bool io_ipv6(Io& io, Value& value) {
    return io.raw(value.bytes);
}

template <typename Io, typename Value>
bool io_endpoint(Io& io, Value& value) {
    Ipv6 address = value.address.ipv6();
    if (!io_ipv6(io, address) || !io.number(value.port) || !io.number(value.scope_id))
        return false;
    if constexpr (Io::kReads)
        value.address = Address(address);
    return true;
}

template <typename Io, typename Value>
bool io_prefix(Io& io, Value& value) {
    constexpr int kBits4 = 32;
    constexpr int kBits6 = 128;
    return io.raw(value.address) && io.number(value.ipv6) && io.number(value.length) &&
           value.length >= 0 && value.length <= (value.ipv6 ? kBits6 : kBits4);
}

template <typename Io, typename Value>
bool io_choice(Io& io, Value& c) {
    return io.choice(c.format.cipher, DataCipher::None) &&
           io.choice(c.format.auth, DataAuth::Sha512) && io.number(c.format.epochs) &&
           io.choice(c.derivation, session::KeyDerivation::Tls1Prf) && io.number(c.data_v1) &&
           io.choice(c.framing, Framing::Lz4V2) && io.number(c.push_framing) &&
           io.number(c.push_cipher) && io.number(c.says_comp_lzo) && io.number(c.cc_exit) &&
           io.number(c.push_at_once) && io.number(c.auth_fail_temp) && io.number(c.client_max_mtu);
}

template <typename Io, typename Value>
bool io_session(Io& io, Value& s) {
    constexpr std::uint8_t kLastKeyId = 7;
    return io.raw(s.remote_id) && io.raw(s.local_id) && io.text(s.common_name) &&
           io_optional(io, s.certificate_name,
                       [](auto& with, auto& name) { return with.text(name); }) &&
           io_list(io, s.fingerprints, [](auto& with, auto& print) { return with.raw(print); }) &&
           io_choice(io, s.choice) && io.number(s.key_id) && s.key_id <= kLastKeyId &&
           io.number(s.last_key_id) && s.last_key_id <= kLastKeyId && io.number(s.renegotiations) &&
           io.text(s.tls_version) && io.text(s.tls_cipher) &&
           io_environment(io, s.peer_environment);
}

template <typename Io, typename Value>
bool io_secret(Io& io, Value& value) {
    if constexpr (Io::kReads)
        return io.raw(value.writable());
    else
        return io.raw(value.view());
}

template <typename Io, typename Value>
bool io_token(Io& io, Value& token) {
    return io.raw(token.session) && io.number(token.issued) && io.number(token.renewed);
}

template <typename Io, typename Value>
bool io_client(Io& io, Value& c) {
    return io_session(io, c.session) && io.number(c.wrap_time) && io.number(c.seen.id) &&
           io.number(c.seen.time) &&
           io_optional(io, c.own_key, [](auto& with, auto& key) { return io_secret(with, key); }) &&
           io.number(c.id) && io_endpoint(io, c.path.remote) && io_endpoint(io, c.path.local) &&
           io.number(c.peer_id) && io_ipv4(io, c.address) && io_ipv4(io, c.second) &&
           io_optional(io, c.netmask, [](auto& with, auto& mask) { return io_ipv4(with, mask); }) &&
           io_optional(io, c.address6,
                       [](auto& with, auto& address) { return io_ipv6(with, address); }) &&
           io_list(io, c.networks,
                   [](auto& with, auto& network) { return io_prefix(with, network); }) &&
           io.number(c.created) && io.number(c.connected_since) &&
           io_environment(io, c.peer_info) &&
           io_optional(io, c.user, [](auto& with, auto& user) { return with.text(user); }) &&
           io_optional(io, c.token,
                       [](auto& with, auto& token) { return io_token(with, token); }) &&
           io.number(c.connected) && io.number(c.may_have_address) &&
           io.number(c.may_have_address6) &&
           io_list(io, c.learned, [](auto& with, auto& address) { return with.text(address); });
}

template <typename Io, typename Value>
bool io_server(Io& io, Value& s) {
    return io.raw(s.configuration) && io.text(s.device) && io.number(s.ifindex) &&
           io_optional(io, s.token_key, [](auto& with, auto& key) { return io_secret(with, key); });
}

template <typename Io>
bool io_kind(Io& io, std::uint8_t kind) {
    auto found = kind;
    return io.number(found) && found == kind;
}

} // namespace

SecretBytes write_saved(const SavedClient& client) {
    Writer out;
    io_kind(out, kClient);
    io_client(out, client);
    return out.take();
}

SecretBytes write_saved(const SavedServer& server) {
    Writer out;
    io_kind(out, kServer);
    io_server(out, server);
    return out.take();
}

std::optional<SavedClient> read_saved_client(ByteView bytes) {
    Reader in(bytes);
    std::optional<SavedClient> out(std::in_place);
    if (!io_kind(in, kClient) || !io_client(in, *out) || !in.at_end())
        return std::nullopt;
    return out;
}

std::optional<SavedServer> read_saved_server(ByteView bytes) {
    Reader in(bytes);
    std::optional<SavedServer> out(std::in_place);
    if (!io_kind(in, kServer) || !io_server(in, *out) || !in.at_end())
        return std::nullopt;
    return out;
}

} // namespace nfovpn::server
