// SPDX-License-Identifier: GPL-2.0-or-later
//
// The management interface of a server: who is connected, who may come in, and who is to go.
//
//     ▶ status 2                          ◀ TITLE,… lines … END
//     ▶ kill alice                        ◀ SUCCESS: common name 'alice' found, 1 client(s) killed
//                                         ◀ >CLIENT:CONNECT,7,0  >CLIENT:ENV,…  >CLIENT:ENV,END
//     ▶ client-auth-nt 7 0                ◀ SUCCESS: client-auth command succeeded
//
// ">CLIENT:ESTABLISHED", "ADDRESS" and "DISCONNECT" are always sent, where OpenVPN sends the last
// two only with management-client-auth.
#pragma once

#include "management/protocol.h"

#include <map>
#include <utility>
#include <variant>

namespace nfovpn::management {

/// Bytes of a client so far; "rx" is from the client.
struct Traffic {
    std::uint64_t client_id = 0;
    std::uint64_t rx_bytes = 0;
    std::uint64_t tx_bytes = 0;
};

/// What commands can ask of a running server.
class ServerActions : public Actions {
public:
    /// Of every client that is up.
    virtual std::vector<Traffic> traffic() = 0;
    /// How many clients were killed.
    virtual std::size_t kill_by_name(const std::string& common_name) = 0;
    /// Of those who are there by UDP, or with @p tcp by TCP.
    virtual std::size_t kill_by_remote(const Endpoint& remote, bool tcp) = 0;
    /// Tells a client @p message first. False if there is none of that number.
    virtual bool kill_by_id(std::uint64_t client_id, const std::string& message) = 0;
};

/// A client whose certificate is good and that waits for the word of the management client.
struct PendingAuth {
    std::uint64_t client_id = 0;
    std::uint32_t key_id = 0; ///< counts a client's negotiations, from 0
    bool again = false;       ///< it is connected and negotiates new keys
    std::string username;
    SecretBytes password;
    Environment env; ///< besides those two
};

/// The client may come in, with these lines of a file of client-config-dir.
struct Allowed {
    std::vector<std::string> directives;
};
/// It may not.
struct Denied {
    std::string reason;        ///< for the log
    std::string client_reason; ///< for the client, may be empty
};
/// The answer will take a while: the client is to be told AUTH_PENDING.
struct Postponed {
    std::string extra; ///< for INFO_PRE
    std::uint32_t timeout_seconds = 0;
};
using AuthOutcome = std::variant<Allowed, Denied, Postponed>;

/// Takes an outcome; false if it cannot be carried out. After Allowed or Denied it is not called
/// again.
using AuthAnswer = std::function<bool(const AuthOutcome&)>;

/// See the head of this file.
class ServerProtocol final : public Protocol {
public:
    explicit ServerProtocol(Settings settings);

    /// There is a server; null: no more. @p server must live as long.
    void serve(ServerActions* server);

    void established(std::uint64_t client_id, const Environment& env);
    void address(std::uint64_t client_id, const Prefix& network, bool primary);
    void gone(std::uint64_t client_id, const Environment& env);
    /// Asks the management client whether a client may come in.
    void authenticate(const PendingAuth& pending, AuthAnswer answer);
    /// The client does not wait any more.
    void forget(std::uint64_t client_id);

private:
    [[nodiscard]] std::span<const Command> role_commands() const override;
    void tell_bytes() override;
    bool take_line(std::string_view text) override;
    void forget_connection() override { block_.reset(); }

    std::optional<std::uint64_t> client_id(const std::string& word);
    std::optional<std::uint32_t> key_id(const std::string& word);
    bool answer(std::uint64_t client_id, std::uint32_t key_id, const AuthOutcome& outcome);

    void client_auth(const Words& words);
    void client_auth_nt(const Words& words);
    void client_deny(const Words& words);
    void client_kill(const Words& words);
    void client_pending_auth(const Words& words);
    void kill(const Words& words);
    void nclients(const Words& words);

    ServerActions* server_ = nullptr;
    std::map<std::pair<std::uint64_t, std::uint32_t>, AuthAnswer> pending_;
    /// The lines behind "client-auth", up to END.
    struct Block {
        std::uint64_t client_id = 0;
        std::uint32_t key_id = 0;
        std::vector<std::string> lines;
        std::size_t bytes = 0;
    };
    std::optional<Block> block_; ///< of a connection
};

} // namespace nfovpn::management
