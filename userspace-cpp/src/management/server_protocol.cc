// SPDX-License-Identifier: GPL-2.0-or-later
//
// What only a server's management interface has; see server_protocol.h.

#include "management/server_protocol.h"

#include "management/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace nfovpn::management {

namespace {

// Behind one "client-auth".
constexpr std::size_t kMaxBlock = 65536;

// "10.1.0.0/255.255.0.0", "fd00::/64", or the address of a single host.
std::string shown(const Prefix& network) {
    if (network.ipv6)
        return network.length == 128 ? to_string(Ipv6{network.address}) : to_string(network);
    const auto text = to_string(network);
    auto host = text.substr(0, text.find('/'));
    if (network.length == 32)
        return host;
    const auto mask = network.length == 0 ? 0 : ~std::uint32_t{0} << (32 - network.length);
    return host + "/" + to_string(Ipv4{mask});
}

// What "kill" is given, where that is an address.
struct Victim {
    bool tcp = false; ///< OpenVPN's default is UDP
    Endpoint remote;
};

// "udp:192.0.2.1:1194", "192.0.2.1:1194", "udp6:[2001:db8::1]:1194"
std::optional<Victim> parse_victim(std::string_view word) {
    Victim out;
    for (std::string_view name :
         {"udp:", "udp4:", "udp6:", "tcp:", "tcp4:", "tcp6:", "tcp4-server:", "tcp6-server:"}) {
        if (word.starts_with(name)) {
            out.tcp = name.starts_with("tcp");
            word.remove_prefix(name.size());
        }
    }
    const auto colon = word.rfind(':');
    if (colon == std::string_view::npos)
        return std::nullopt;
    auto host = word.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    auto address = parse_address(host);
    auto port = number<std::uint16_t>(word.substr(colon + 1));
    if (!address || !port || *port == 0)
        return std::nullopt;
    out.remote = {*address, *port};
    return out;
}

} // namespace

ServerProtocol::ServerProtocol(Settings settings) : Protocol(std::move(settings)) {}

void ServerProtocol::serve(ServerActions* server) {
    Protocol::serve(server);
    server_ = server;
}

std::span<const Protocol::Command> ServerProtocol::role_commands() const {
    static const Command kOfServer[] = {
        {"client-auth", 2, true, handler(&ServerProtocol::client_auth), "client-auth CID KID",
         "let a client in, with the lines that follow, up to END"},
        {"client-auth-nt", 2, true, handler(&ServerProtocol::client_auth_nt),
         "client-auth-nt CID KID", "let a client in"},
        {"client-deny", 3, false, handler(&ServerProtocol::client_deny),
         "client-deny CID KID R [CR]",
         "do not let a client in; R is for the log, CR for the client"},
        {"client-kill", 1, false, handler(&ServerProtocol::client_kill), "client-kill CID [M]",
         "end a client, which is told M [RESTART]"},
        {"client-pending-auth", 4, true, handler(&ServerProtocol::client_pending_auth),
         "client-pending-auth CID KID MSG T", "tell a client MSG and to wait for T seconds"},
        {"kill", 1, true, handler(&ServerProtocol::kill), "kill CN|[udp:|tcp:]IP:PORT",
         "end the clients of that name or address"},
        {"nclients", 0, false, handler(&ServerProtocol::nclients), "nclients",
         "how many clients there are"},
    };
    return kOfServer;
}

bool ServerProtocol::take_line(std::string_view text) {
    if (!block_)
        return false;
    if (text == "END") {
        auto block = std::move(*block_);
        block_.reset();
        finished(answer(block.client_id, block.key_id, Allowed{std::move(block.lines)}),
                 "client-auth");
        return true;
    }
    block_->bytes += text.size() + 1;
    if (block_->bytes > kMaxBlock) {
        error("too many lines");
        end_connection("too many lines behind client-auth");
    } else {
        block_->lines.emplace_back(text);
    }
    return true;
}

std::optional<std::uint64_t> ServerProtocol::client_id(const std::string& word) {
    auto id = number<std::uint64_t>(word);
    if (!id)
        error("cannot parse CID");
    return id;
}

std::optional<std::uint32_t> ServerProtocol::key_id(const std::string& word) {
    auto id = number<std::uint32_t>(word);
    if (!id)
        error("cannot parse KID");
    return id;
}

bool ServerProtocol::answer(std::uint64_t client_id, std::uint32_t key_id,
                            const AuthOutcome& outcome) {
    auto waiting = pending_.find({client_id, key_id});
    if (waiting == pending_.end())
        return false;
    if (std::holds_alternative<Postponed>(outcome))
        return waiting->second(outcome);
    auto callback = std::move(waiting->second);
    pending_.erase(waiting);
    return callback(outcome);
}

void ServerProtocol::client_auth(const Words& words) {
    auto client = client_id(words[1]);
    auto key = client ? key_id(words[2]) : std::nullopt;
    if (key)
        block_ = Block{*client, *key, {}, 0};
}

void ServerProtocol::client_auth_nt(const Words& words) {
    auto client = client_id(words[1]);
    auto key = client ? key_id(words[2]) : std::nullopt;
    // Its answer is that of the other one.
    if (key)
        finished(answer(*client, *key, Allowed{}), "client-auth");
}

void ServerProtocol::client_deny(const Words& words) {
    auto client = client_id(words[1]);
    auto key = client ? key_id(words[2]) : std::nullopt;
    if (key)
        finished(answer(*client, *key, Denied{words[3], words.size() > 4 ? words[4] : ""}),
                 "client-deny");
}

void ServerProtocol::client_pending_auth(const Words& words) {
    auto client = client_id(words[1]);
    auto key = client ? key_id(words[2]) : std::nullopt;
    if (!key)
        return;
    auto timeout = number<std::uint32_t>(words[4]);
    if (!timeout)
        error("cannot parse TIMEOUT");
    else if (answer(*client, *key, Postponed{words[3], *timeout}))
        success("client-pending-auth command succeeded");
    else
        error("client-pending-auth command failed. Extra parameter might be too long");
}

void ServerProtocol::client_kill(const Words& words) {
    if (!served(words))
        return;
    if (auto client = client_id(words[1]))
        finished(server_->kill_by_id(*client, words.size() > 2 ? words[2] : "RESTART"),
                 "client-kill");
}

void ServerProtocol::kill(const Words& words) {
    if (!served(words))
        return;
    const auto& word = words[1];
    if (auto victim = parse_victim(word)) {
        const std::string family = victim->remote.address.is_ipv4() ? "4" : "6";
        const auto where = (victim->tcp ? "tcp" + family + "-server:" : "udp" + family + ":") +
                           to_string(victim->remote);
        const auto count = server_->kill_by_remote(victim->remote, victim->tcp);
        if (count > 0)
            success(fmt::format("{} client(s) at address {} killed", count, where));
        else
            error("client at address " + where + " not found");
        return;
    }
    const auto count = server_->kill_by_name(word);
    if (count > 0)
        success(fmt::format("common name '{}' found, {} client(s) killed", word, count));
    else
        error("common name '" + word + "' not found");
}

void ServerProtocol::nclients(const Words& words) {
    if (served(words))
        success(fmt::format("nclients={}", server_->load().clients));
}

void ServerProtocol::tell_bytes() {
    for (const auto& t : server_->traffic())
        notify(fmt::format(">BYTECOUNT_CLI:{},{},{}", t.client_id, t.rx_bytes, t.tx_bytes));
}

// ---- events

void ServerProtocol::established(std::uint64_t client_id, const Environment& env) {
    notify(fmt::format(">CLIENT:ESTABLISHED,{}", client_id));
    notify_env("CLIENT", env);
}

void ServerProtocol::address(std::uint64_t client_id, const Prefix& network, bool primary) {
    notify(fmt::format(">CLIENT:ADDRESS,{},{},{}", client_id, shown(network), primary ? 1 : 0));
}

void ServerProtocol::gone(std::uint64_t client_id, const Environment& env) {
    notify(fmt::format(">CLIENT:DISCONNECT,{}", client_id));
    notify_env("CLIENT", env);
}

void ServerProtocol::authenticate(const PendingAuth& pending, AuthAnswer answer) {
    pending_[{pending.client_id, pending.key_id}] = std::move(answer);
    notify(fmt::format(">CLIENT:{},{},{}", pending.again ? "REAUTH" : "CONNECT", pending.client_id,
                       pending.key_id));
    notify(">CLIENT:ENV,username=" + one_line(pending.username));
    SecretBytes password(as_bytes(">CLIENT:ENV,password="));
    password.append(pending.password.view());
    auto bytes = password.writable();
    std::replace_if(
        bytes.begin(), bytes.end(), [](auto b) { return is_control(static_cast<char>(b)); }, '_');
    notify(as_text(password.view()));
    notify_env("CLIENT", pending.env);
}

void ServerProtocol::forget(std::uint64_t client_id) {
    pending_.erase(pending_.lower_bound({client_id, 0}), pending_.lower_bound({client_id + 1, 0}));
}

} // namespace nfovpn::management
