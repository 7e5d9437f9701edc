// SPDX-License-Identifier: GPL-2.0-or-later
//
// What only a client's management interface has; see client_protocol.h.

#include "management/client_protocol.h"

#include "management/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace nfovpn::management {

namespace {

// What name and password are for: the only kind that is asked for.
constexpr std::string_view kAuth = "Auth";

constexpr std::size_t kMaxHost = 255;

// OpenVPN's flags of a static challenge.
constexpr unsigned kEcho = 1;
constexpr unsigned kConcat = 2;

// A control message is as long as that at most.
constexpr std::size_t kMaxResponse = 1000;

// What is to become of a server that was about to be tried.
struct RemoteChoice {
    std::uint32_t skip = 0; // so many of the list; 0: try it
    std::string host;       // in place of its own; empty: its own
    std::uint16_t port = 0; // likewise
};

struct RetryName {
    const char* name;
    config::AuthRetry retry;
};
constexpr RetryName kRetryNames[] = {{"none", config::AuthRetry::None},
                                     {"nointeract", config::AuthRetry::NoInteract},
                                     {"interact", config::AuthRetry::Interact}};

// "vpn.example.net,1194,udp"
std::string shown(const config::Remote& remote) {
    return fmt::format("{},{},{}", one_line(remote.host), remote.port, protocol_name(remote));
}

// The words behind "remote"; nothing if they cannot be understood.
std::optional<RemoteChoice> parse_choice(std::span<const std::string> words) {
    RemoteChoice out;
    if (words[0] == "ACCEPT")
        return out;
    if (words[0] == "SKIP") {
        out.skip = words.size() > 1 ? number<std::uint32_t>(words[1]).value_or(0) : 1;
        return out.skip > 0 ? std::optional(out) : std::nullopt;
    }
    if (words[0] != "MOD" || words.size() < 3)
        return std::nullopt;
    out.host = words[1];
    out.port = number<std::uint16_t>(words[2]).value_or(0);
    if (out.host.empty() || out.host.size() > kMaxHost || out.port == 0)
        return std::nullopt;
    return out;
}

} // namespace

ClientProtocol::ClientProtocol(Settings settings) : Protocol(std::move(settings)) {}

void ClientProtocol::serve(ClientActions* client) {
    Protocol::serve(client);
    client_ = client;
    if (!client)
        withdraw_questions();
}

std::span<const Protocol::Command> ClientProtocol::role_commands() const {
    static const Command kOfClient[] = {
        {"auth-retry", 0, false, handler(&ClientProtocol::auth_retry), "auth-retry [HOW]",
         "after a refusal: none (end), nointeract (the same again), interact (ask)"},
        {"cr-response", 1, true, handler(&ClientProtocol::cr_response), "cr-response TEXT",
         "the answer to a challenge of the server's"},
        {"forget-passwords", 0, false, handler(&ClientProtocol::forget_passwords),
         "forget-passwords", "forget what was entered"},
        {"password", 2, true, handler(&ClientProtocol::password), "password Auth P",
         "the password that was asked for"},
        {"remote", 1, false, handler(&ClientProtocol::remote),
         "remote ACCEPT|SKIP [N]|MOD HOST PORT",
         "try the server that was asked about, others, or another one"},
        {"remote-entry-count", 0, false, handler(&ClientProtocol::remote_entry_count),
         "remote-entry-count", "how many servers there are"},
        {"remote-entry-get", 1, false, handler(&ClientProtocol::remote_entry_get),
         "remote-entry-get I [J]|all", "server I, those up to J, or all"},
        {"username", 2, true, handler(&ClientProtocol::username), "username Auth U",
         "the user name that was asked for"},
    };
    return kOfClient;
}

// ---- the connection

void ClientProtocol::forget_connection() {
    username_.clear();
    password_.reset();
}

void ClientProtocol::left() {
    if (settings().forget_on_disconnect && client_)
        client_->forget_passwords();
}

void ClientProtocol::released() {
    if (client_)
        client_->hold_released();
}

void ClientProtocol::repeat_questions() {
    for (const auto* question : {&remote_question_, &user_question_}) {
        if (!question->empty())
            reply(*question);
    }
}

void ClientProtocol::tell_bytes() {
    const auto bytes = client_->bytes();
    notify(fmt::format(">BYTECOUNT:{},{}", bytes.rx, bytes.tx));
}

// ---- questions

void ClientProtocol::ask_remote(const config::Remote& remote) {
    remote_question_ = ">REMOTE:" + shown(remote);
    notify(remote_question_);
}

void ClientProtocol::ask_user(const config::StaticChallenge* challenge) {
    forget_connection();
    user_question_ = ">PASSWORD:Need 'Auth' username/password";
    if (challenge)
        user_question_ += fmt::format(
            " SC:{},{}", (challenge->echo ? kEcho : 0) | (challenge->concatenate ? kConcat : 0),
            one_line(challenge->text));
    notify(user_question_);
}

void ClientProtocol::withdraw_questions() {
    remote_question_.clear();
    user_question_.clear();
    forget_connection();
}

// Whether the type of "username" and "password" is the one that is asked for.
bool ClientProtocol::wants(const Words& words) {
    if (user_question_.empty())
        error(fmt::format("no {} is currently needed at this time", words[0]));
    else if (words[1] != kAuth)
        error(fmt::format("{} of type '{}' entered, but we need one of type '{}'", words[0],
                          words[1], kAuth));
    return !user_question_.empty() && words[1] == kAuth;
}

void ClientProtocol::username(const Words& words) {
    if (!wants(words))
        return;
    if (words[2].empty() || words[2].size() > config::kMaxUsername) {
        error("a user name has between 1 and 1024 bytes");
        return;
    }
    username_ = words[2];
    user_part_entered("username");
}

void ClientProtocol::password(const Words& words) {
    if (!wants(words))
        return;
    if (words[2].size() > config::kMaxPassword) {
        error("a password has at most 4000 bytes");
        return;
    }
    password_.emplace(as_bytes(words[2]));
    user_part_entered("password");
}

void ClientProtocol::user_part_entered(const char* what) {
    success(fmt::format("'{}' {} entered, but not yet verified", kAuth, what));
    if (username_.empty() || !password_)
        return;
    user_question_.clear();
    auto name = std::exchange(username_, {});
    auto secret = std::move(*password_);
    password_.reset();
    client_->told_user(std::move(name), std::move(secret));
}

void ClientProtocol::remote(const Words& words) {
    const auto choice = remote_question_.empty()
                            ? std::nullopt
                            : parse_choice(std::span<const std::string>(words).subspan(1));
    finished(choice.has_value(), "remote");
    if (!choice)
        return;
    remote_question_.clear();
    if (choice->skip > 0)
        client_->remote_skipped(choice->skip);
    else
        client_->remote_accepted(choice->host, choice->port);
}

// ---- commands

void ClientProtocol::auth_retry(const Words& words) {
    if (!served(words))
        return;
    const auto named = [](auto matches) {
        return std::find_if(std::begin(kRetryNames), std::end(kRetryNames), matches);
    };
    if (words.size() == 1) {
        const auto* found =
            named([now = client_->auth_retry()](const auto& r) { return r.retry == now; });
        success(std::string("auth-retry=") + found->name);
        return;
    }
    const auto* found = named([&](const auto& r) { return r.name == words[1]; });
    if (found == std::end(kRetryNames)) {
        error("bad auth-retry parameter");
        return;
    }
    client_->set_auth_retry(found->retry);
    success("auth-retry parameter changed");
}

void ClientProtocol::cr_response(const Words& words) {
    if (!served(words))
        return;
    if (words[1].size() <= kMaxResponse && client_->send_message("CR_RESPONSE," + words[1]))
        success("command succeeded");
    else
        error("command failed");
}

void ClientProtocol::forget_passwords(const Words& words) {
    if (!served(words))
        return;
    success("Passwords were forgotten");
    client_->forget_passwords();
}

void ClientProtocol::remote_entry_count(const Words& words) {
    if (!served(words))
        return;
    reply(std::to_string(client_->remotes().size()));
    reply("END");
}

void ClientProtocol::remote_entry_get(const Words& words) {
    if (!served(words))
        return;
    const auto remotes = client_->remotes();
    const bool all = words[1] == "all";
    const auto from = all ? 0 : number<std::size_t>(words[1]).value_or(remotes.size());
    auto to = all ? remotes.size() : from + 1;
    if (!all && words.size() > 2)
        to = number<std::size_t>(words[2]).value_or(0);
    for (auto i = from; i < std::min(to, remotes.size()); i++)
        reply(fmt::format("{},{},enabled", i, shown(remotes[i])));
    reply("END");
}

// ---- events

void ClientProtocol::refused(std::string_view reason) {
    notify(fmt::format(">PASSWORD:Verification Failed: '{}'{}", kAuth,
                       reason.empty() ? "" : " ['" + one_line(reason) + "']"));
}

void ClientProtocol::information(std::string_view text) {
    notify(">INFOMSG:" + one_line(text));
}

void ClientProtocol::up_down(bool up, const Environment& env) {
    notify(std::string(">UPDOWN:") + (up ? "UP" : "DOWN"));
    notify_env("UPDOWN", env);
}

} // namespace nfovpn::management
