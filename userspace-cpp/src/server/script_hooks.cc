// SPDX-License-Identifier: GPL-2.0-or-later
//
// The administrator's programs; see script_hooks.h.

#include "server/script_hooks.h"

#include "server/client_files.h"
#include "server/temporary_file.h"
#include "util/log.h"
#include "util/secret.h"
#include "wire/peer_info.h"

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>
#include <utility>

namespace nfovpn::server {

namespace {

// More at once help nobody, and a flood of clients is not to become one of processes.
constexpr std::size_t kProgramsAtOnce = 16;
// Nor may one source have all of them.
constexpr std::size_t kOfOneSource = 4;

// Programs that are told something wait for each other; with so many no more clients come that
// would add to them.
constexpr std::size_t kMostNotices = 1024;

constexpr std::size_t kLongestReason = 256;

// Status of a verifier whose answer comes later (OPENVPN_PLUGIN_FUNC_DEFERRED).
constexpr int kDeferred = 2;

// Between two looks at a file for an answer that comes later.
constexpr auto kLook = std::chrono::milliseconds(200);

TimePoint now() {
    return std::chrono::steady_clock::now();
}

// In a line of its own, which a user may not end.
bool fits_a_line(ByteView text) {
    return as_text(text).find('\n') == std::string_view::npos;
}

// Of the certificates of a client; -1 if it has none.
int deepest(const Environment& environment) {
    int depth = -1;
    while (!value_of(environment, "tls_id_" + std::to_string(depth + 1)).empty())
        depth++;
    return depth;
}

session::Refusal no_room() {
    return {"the server cannot verify users now", true};
}

} // namespace

Environment complete_environment(const Environment& common, const Environment& client,
                                 const std::string& type) {
    auto out = common;
    out.insert(out.end(), client.begin(), client.end());
    const std::time_t time = std::time(nullptr);
    std::tm parts{};
    char text[32] = "";
    if (localtime_r(&time, &parts))
        std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
    out.emplace_back("time_ascii", text);
    out.emplace_back("time_unix", std::to_string(time));
    if (!type.empty())
        out.emplace_back("script_type", type);
    return out;
}

ScriptHooks::ScriptHooks(ScriptSettings settings, asio::io_context& context,
                         std::function<void()> settle)
    : settings_(std::move(settings)), context_(context), settle_(std::move(settle)),
      programs_(context, kProgramsAtOnce), notices_(context, 1),
      questions_(kProgramsAtOnce, kOfOneSource) {}

ScriptHooks::~ScriptHooks() = default;

Environment ScriptHooks::complete(const Environment& client, const char* type) const {
    return complete_environment(settings_.environment, client, type);
}

ScriptHooks::Question::~Question() {
    for (auto& [name, value] : environment) {
        if (name == "password")
            wipe(value);
    }
}

void ScriptHooks::ask(ClientId client, std::vector<std::string> words, Environment environment,
                      io::ProgramRunner::Done done) {
    const auto source = source_of(environment);
    questions_.push(source, {client, std::move(words), std::move(environment), std::move(done)});
    start_questions();
}

void ScriptHooks::start_questions() {
    while (auto turn = questions_.next()) {
        const auto source = turn->first;
        auto& question = turn->second;
        const auto client = question.client;
        const auto ticket =
            programs_.run(std::move(question.words), question.environment,
                          [this, client, source, done = std::move(question.done)](int status) {
                              asked_.erase(client);
                              questions_.done(source);
                              done(status);
                              start_questions();
                              settle_();
                          });
        asked_.insert_or_assign(client, Running{ticket, source});
    }
}

// A client whose handshake does not end in time is forgotten, and its answer with it.
void ScriptHooks::wait_for_answer(ClientId client, std::function<std::optional<bool>()> look,
                                  std::function<void(bool)> answered) {
    if (const auto answer = look()) {
        awaited_.erase(client);
        answered(*answer);
        settle_();
        return;
    }
    auto timer = std::make_shared<asio::steady_timer>(context_, kLook);
    awaited_.insert_or_assign(client, timer);
    // Nobody waits any more when the timer is gone.
    timer->async_wait([this, client, look = std::move(look), answered = std::move(answered),
                       weak = std::weak_ptr(timer)](const std::error_code& error) {
        if (!error && !weak.expired())
            wait_for_answer(client, look, answered);
    });
}

void ScriptHooks::later(std::function<void()> answer) {
    asio::post(context_, [this, answer = std::move(answer)] {
        answer();
        settle_();
    });
}

void ScriptHooks::tell(std::vector<std::string> words, const Environment& environment) {
    const auto name = words.front();
    notices_.run(std::move(words), environment, [this, name](int status) {
        if (status > 0)
            log::peer_warning("{}: exit status {}", name, status);
        settle_();
    });
}

// From the authority's certificate down to the client's own, one after the other.
void ScriptHooks::verify_certificates(ClientId client, const Environment& environment, int depth,
                                      Verified done) {
    const auto subject =
        depth < 0 ? std::string() : value_of(environment, "tls_id_" + std::to_string(depth));
    if (depth < 0) {
        done(ClientSettings{}, now());
        return;
    }
    auto words = settings_.tls_verify;
    words.push_back(std::to_string(depth));
    words.push_back(subject);
    ask(client, std::move(words), complete(environment, "tls-verify"),
        [this, client, environment, depth, done = std::move(done)](int status) {
            if (status == 0)
                verify_certificates(client, environment, depth - 1, done);
            else
                done(session::Refusal{"tls-verify refuses the certificate"}, now());
        });
}

void ScriptHooks::verify_certificates(ClientId client, const Environment& environment,
                                      Verified done) {
    const int depth = deepest(environment);
    if (settings_.tls_verify.empty() || depth < 0)
        later([done = std::move(done)] { done(ClientSettings{}, now()); });
    else
        verify_certificates(client, environment, depth, std::move(done));
}

void ScriptHooks::verify_user(ClientId client, const Environment& environment,
                              const std::string& username, ByteView password, Verified done) {
    const int depth = deepest(environment);
    if (settings_.tls_verify.empty()) {
        verify_name(client, environment, username, password, std::move(done));
    } else if (depth < 0) {
        // Without a certificate there is nothing to ask about.
        verify_name_or_pass(client, environment, username, std::make_shared<SecretBytes>(password),
                            std::move(done));
    } else {
        const auto kept = std::make_shared<SecretBytes>(password);
        verify_certificates(client, environment, depth,
                            [this, client, environment, username, kept, done = std::move(done)](
                                Result<ClientSettings, session::Refusal> answer, TimePoint when) {
                                if (!answer)
                                    done(std::move(answer), when);
                                else
                                    verify_name_or_pass(client, environment, username, kept, done);
                            });
    }
}

void ScriptHooks::verify_name_or_pass(ClientId client, const Environment& environment,
                                      const std::string& username,
                                      const std::shared_ptr<SecretBytes>& password, Verified done) {
    if (!settings_.verify_user.empty())
        verify_name(client, environment, username, password->view(), std::move(done));
    else
        later([done = std::move(done)] { done(ClientSettings{}, now()); });
}

void ScriptHooks::verify_name(ClientId client, const Environment& environment,
                              const std::string& username, ByteView password, Verified done) {
    auto all = complete(environment, "user-pass-verify");
    auto words = settings_.verify_user;
    std::shared_ptr<TemporaryFile> credentials;
    auto reason = TemporaryFile::create(settings_.directory);
    auto control = TemporaryFile::create(settings_.directory);
    bool possible = reason && control && fits_a_line(as_bytes(username)) && fits_a_line(password);
    if (possible && settings_.password_by_environment) {
        all.emplace_back("username", username);
        all.emplace_back("password", as_text(password));
    } else if (possible) {
        SecretBytes text(as_bytes(username + "\n"));
        text.append(password);
        text.append(as_bytes("\n"));
        credentials = TemporaryFile::create(settings_.directory, text.view());
        possible = credentials != nullptr;
    }
    if (!possible) {
        later([done = std::move(done)] { done(no_room(), now()); });
        return;
    }
    if (credentials)
        words.push_back(credentials->path());
    all.emplace_back("auth_failed_reason_file", reason->path());
    all.emplace_back("auth_control_file", control->path());
    const auto answered = [done = std::move(done), reason](bool good) {
        if (good) {
            done(ClientSettings{}, now());
            return;
        }
        auto text = reason->text(kLongestReason);
        text = wire::printable(text.substr(0, text.find('\n')), kLongestReason);
        if (text.empty())
            done(session::Refusal{"user name or password is wrong"}, now());
        else
            done(session::Refusal{text, false, true}, now());
    };
    ask(client, std::move(words), std::move(all),
        [this, client, answered, credentials, control](int status) {
            if (status == kDeferred)
                wait_for_answer(
                    client, [control] { return control->answer(); }, answered);
            else
                answered(status == 0);
        });
}

void ScriptHooks::connect(ClientId client, const Environment& environment, Connected done) {
    // Without a program the server only wants to know who leaves.
    if (settings_.connect.empty()) {
        later([done = std::move(done)] { done(ClientSettings{}, now()); });
        return;
    }
    auto options = TemporaryFile::create(settings_.directory);
    auto deferred = TemporaryFile::create(settings_.directory);
    if (!options || !deferred) {
        later([done = std::move(done)] { done(std::nullopt, now()); });
        return;
    }
    auto words = settings_.connect;
    words.push_back(options->path());
    auto all = complete(environment, "client-connect");
    all.emplace_back("client_connect_config_file", options->path());
    all.emplace_back("client_connect_deferred_file", deferred->path());
    const auto answered = [done = std::move(done), options](bool good) {
        done(good ? read_client_file(options->path(), Unknown::Ignored) : std::nullopt, now());
    };
    ask(client, std::move(words), std::move(all), [this, client, answered, deferred](int status) {
        // An empty file leaves the decision to the status.
        if (status == 0 && deferred->text(1) == "2")
            wait_for_answer(
                client, [deferred] { return deferred->answer(); }, answered);
        else
            answered(status == 0 && deferred->answer().value_or(true));
    });
}

void ScriptHooks::disconnect(ClientId, const Environment& environment) {
    if (!settings_.disconnect.empty())
        tell(settings_.disconnect, complete(environment, "client-disconnect"));
}

void ScriptHooks::learn_addresses(ClientId, const std::vector<std::string>& addresses,
                                  const Environment& environment, AddressesLearned done) {
    if (settings_.learn_address.empty() || addresses.empty()) {
        later([done = std::move(done), count = addresses.size()] {
            done(std::vector<bool>(count, true), now());
        });
        return;
    }
    const auto all = complete(environment, "learn-address");
    auto accepted = std::make_shared<std::vector<bool>>();
    for (const auto& address : addresses) {
        auto words = settings_.learn_address;
        words.emplace_back("add");
        words.push_back(address);
        for (const auto& [name, value] : environment) {
            if (name == "common_name")
                words.push_back(value);
        }
        notices_.run(std::move(words), all,
                     [this, accepted, done, count = addresses.size()](int status) {
                         accepted->push_back(status == 0);
                         if (accepted->size() == count)
                             done(*accepted, now());
                         settle_();
                     });
    }
}

void ScriptHooks::forget_address(const std::string& address, const Environment& environment) {
    if (settings_.learn_address.empty())
        return;
    auto words = settings_.learn_address;
    words.emplace_back("delete");
    words.push_back(address);
    tell(std::move(words), complete(environment, "learn-address"));
}

bool ScriptHooks::busy() const {
    return notices_.waiting() >= kMostNotices;
}

void ScriptHooks::forget(ClientId client) {
    questions_.erase_if([&](const Question& question) { return question.client == client; });
    awaited_.erase(client);
    auto found = asked_.find(client);
    if (found == asked_.end())
        return;
    const auto running = found->second;
    asked_.erase(found);
    programs_.cancel(running.ticket);
    questions_.done(running.source);
    start_questions();
}

} // namespace nfovpn::server
