// SPDX-License-Identifier: GPL-2.0-or-later
//
// The management interface of a client: how far it is, and what it has to ask somebody.
//
//     ◀ >HOLD:Waiting for hold release:0             ▶ hold release
//     ◀ >REMOTE:vpn.example.net,1194,udp             ▶ remote ACCEPT
//     ◀ >PASSWORD:Need 'Auth' username/password      ▶ username "Auth" carol
//                                                    ▶ password "Auth" "open sesame"
//     ◀ >STATE:1700000000,CONNECTED,SUCCESS,10.8.0.2,192.0.2.1,1194,192.0.2.10,50000
//     ◀ >PASSWORD:Verification Failed: 'Auth' ['no such user']
//
// A question stands until it is answered or taken back: who connects later is asked as well. The
// daemon goes on meanwhile. An answer to nothing is an error.
//
// A token that the server gives in place of the password is not told (OpenVPN does, by
// ">PASSWORD:Auth-Token:"): it is as good as the password, and nobody here needs it.
#pragma once

#include "config/client_config.h"
#include "management/protocol.h"

namespace nfovpn::management {

/// Bytes of the session that there is.
struct SessionBytes {
    std::uint64_t rx = 0; ///< from the server
    std::uint64_t tx = 0;
};

/// What commands can ask of a running client. Each is called when the command is answered.
class ClientActions : public Actions {
public:
    virtual SessionBytes bytes() = 0;
    /// The servers, in the order in which they are tried.
    virtual std::vector<config::Remote> remotes() = 0;
    virtual config::AuthRetry auth_retry() = 0;
    virtual void set_auth_retry(config::AuthRetry retry) = 0;
    /// Forgets what it was told, and a token.
    virtual void forget_passwords() = 0;
    /// A message for the server. False if there is none that would hear it.
    virtual bool send_message(const std::string& text) = 0;

    // ---- answers
    virtual void hold_released() = 0;
    /// At that host and port, or where it says itself if there is no host.
    virtual void remote_accepted(const std::string& host, std::uint16_t port) = 0;
    /// That one and the next ones, @p count in all, are not tried.
    virtual void remote_skipped(std::uint32_t count) = 0;
    virtual void told_user(std::string username, SecretBytes password) = 0;
};

/// See the head of this file.
class ClientProtocol final : public Protocol {
public:
    explicit ClientProtocol(Settings settings);

    /// There is a client; null: no more. @p client must live as long.
    void serve(ClientActions* client);

    // ---- questions, answered by ClientActions
    void ask_remote(const config::Remote& remote);
    /// @p challenge: what else the user is asked, and how; may be null.
    void ask_user(const config::StaticChallenge* challenge);
    /// None of them needs an answer any more.
    void withdraw_questions();

    // ---- what happens
    /// A message of the server's for user interfaces.
    void echo(std::string_view text) { add_echo(text); }
    /// The server refuses name and password; @p reason may be empty.
    void refused(std::string_view reason);
    /// The server wants the user to know that.
    void information(std::string_view text);
    /// The tunnel is there, or is not any more.
    void up_down(bool up, const Environment& env);

private:
    [[nodiscard]] std::span<const Command> role_commands() const override;
    void tell_bytes() override;
    bool take_line(std::string_view /*text*/) override { return false; }
    void forget_connection() override;
    void left() override;
    void released() override;
    void repeat_questions() override;

    bool wants(const Words& words);
    void user_part_entered(const char* what);

    void auth_retry(const Words& words);
    void cr_response(const Words& words);
    void forget_passwords(const Words& words);
    void password(const Words& words);
    void remote(const Words& words);
    void remote_entry_count(const Words& words);
    void remote_entry_get(const Words& words);
    void username(const Words& words);

    ClientActions* client_ = nullptr;
    std::string remote_question_; ///< empty: it is not asked
    std::string user_question_;   ///< likewise
    // of a connection
    std::string username_;
    std::optional<SecretBytes> password_;
};

} // namespace nfovpn::management
