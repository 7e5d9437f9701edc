// SPDX-License-Identifier: GPL-2.0-or-later
//
// The administrator's programs as hooks, with OpenVPN's interface:
//
//     auth-user-pass-verify   via-file: the last argument is a file with the user name in its first
//                             line and the password in its second; via-env: both are in the
//                             environment. Status 0 lets the user in; after status 2 the answer,
//                             1 or 0, is written to the file auth_control_file later. What it
//                             writes to the file auth_failed_reason_file is told to the client.
//     client-connect          the last argument, and client_connect_config_file, is a file for
//                             options in the syntax of client-config-dir; status 0 lets the client
//                             in, unless it writes 2 or 0 to client_connect_deferred_file: 2 stands
//                             for an answer, 1 or 0, that is written there later
//     client-disconnect       with bytes_received, bytes_sent and time_duration
//     learn-address           "add" or "delete", an address or network, and with "add" the name;
//                             another status than 0 to "add" takes the address from the client
//
// Each has script_type in its environment. None of them holds the server up. An answer that comes
// later has to come before the handshake's time is over (hand-window).
#pragma once

#include "io/program.h"
#include "server/hooks.h"
#include "util/fair_queue.h"

#include <asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace nfovpn::server {

/// What is run; a command is a path and its arguments, empty for none.
struct ScriptSettings {
    std::vector<std::string> tls_verify; ///< for each certificate, the authority's first
    std::vector<std::string> verify_user;
    bool password_by_environment = false;
    std::vector<std::string> connect;
    std::vector<std::string> disconnect;
    std::vector<std::string> learn_address;
    std::string directory = "/tmp"; ///< for the files
    Environment environment;        ///< the same for all
};

/// What programs are told at @p type; "": plug-ins, which have no type.
Environment complete_environment(const Environment& common, const Environment& client,
                                 const std::string& type);

class ScriptHooks final : public ClientHooks {
public:
    /// @p settle is called after every answer, when the core may have something to send.
    ScriptHooks(ScriptSettings settings, asio::io_context& context, std::function<void()> settle);
    ~ScriptHooks() override;

    void verify_user(ClientId client, const Environment& environment, const std::string& username,
                     ByteView password, Verified done) override;
    void verify_certificates(ClientId client, const Environment& environment,
                             Verified done) override;
    void connect(ClientId client, const Environment& environment, Connected done) override;
    void disconnect(ClientId client, const Environment& environment) override;
    void learn_addresses(ClientId client, const std::vector<std::string>& addresses,
                         const Environment& environment, AddressesLearned done) override;
    void forget_address(const std::string& address, const Environment& environment) override;
    [[nodiscard]] bool busy() const override;
    void forget(ClientId client) override;

    /// Runs other programs from now on.
    void reconfigure(ScriptSettings settings) { settings_ = std::move(settings); }

    /// Nothing runs, and no answer is waited for.
    [[nodiscard]] bool idle() const {
        return awaited_.empty() && programs_.idle() && notices_.idle() && questions_.size() == 0;
    }

private:
    void verify_certificates(ClientId client, const Environment& environment, int depth,
                             Verified done);
    void verify_name(ClientId client, const Environment& environment, const std::string& username,
                     ByteView password, Verified done);
    void verify_name_or_pass(ClientId client, const Environment& environment,
                             const std::string& username,
                             const std::shared_ptr<SecretBytes>& password, Verified done);
    [[nodiscard]] Environment complete(const Environment& client, const char* type) const;
    /// A program that has not had its turn.
    struct Question {
        Question(ClientId who, std::vector<std::string> command, Environment variables,
                 io::ProgramRunner::Done callback)
            : client(who), words(std::move(command)), environment(std::move(variables)),
              done(std::move(callback)) {}
        Question(Question&&) = default;
        Question& operator=(Question&&) = default;
        Question(const Question&) = delete;
        Question& operator=(const Question&) = delete;
        ~Question(); ///< wipes: there may be a password in the environment

        ClientId client;
        std::vector<std::string> words;
        Environment environment;
        io::ProgramRunner::Done done;
    };
    /// One that runs.
    struct Running {
        io::ProgramRunner::Ticket ticket;
        std::uint64_t source;
    };

    void ask(ClientId client, std::vector<std::string> words, Environment environment,
             io::ProgramRunner::Done done);
    void start_questions();
    void wait_for_answer(ClientId client, std::function<std::optional<bool>()> look,
                         std::function<void(bool)> answered);
    void later(std::function<void()> answer);
    void tell(std::vector<std::string> words, const Environment& environment);

    ScriptSettings settings_;
    asio::io_context& context_;
    std::function<void()> settle_;
    io::ProgramRunner programs_; ///< that are asked
    /// That are told, one at a time: in the order of what happened. Those that learn addresses are
    /// here too, since a client's new address may be another one's old one.
    io::ProgramRunner notices_;
    /// What is asked about clients; of each one question at a time.
    FairQueue<Question> questions_;
    std::unordered_map<ClientId, Running> asked_;
    /// Whose answer is to come by a file.
    std::unordered_map<ClientId, std::shared_ptr<asio::steady_timer>> awaited_;
};

} // namespace nfovpn::server
