// SPDX-License-Identifier: GPL-2.0-or-later
//
// Plug-ins and what they answer; see plugin_hooks.h.

#include "server/plugin_hooks.h"

#include "server/client_files.h"
#include "server/script_hooks.h"
#include "util/log.h"
#include "wire/peer_info.h"

#include <asio/post.hpp>

#include <utility>

namespace nfovpn::server {

namespace {

using plugin::Answer;
using plugin::Hook;
using plugin::Status;

// How often files are looked at, in which plug-ins answer later.
constexpr std::chrono::milliseconds kPause{200};
// How often a plug-in is asked again.
constexpr std::chrono::seconds kAgain{1};

constexpr std::size_t kMostNotices = 1024;
constexpr std::size_t kLongestReason = 256;

TimePoint now() {
    return std::chrono::steady_clock::now();
}

bool has_line_end(ByteView text) {
    return as_text(text).find('\n') != std::string_view::npos;
}

session::Refusal no_room() {
    return {"the server cannot verify users now", true};
}

} // namespace

/// One who is verified.
struct PluginHooks::User {
    ClientId client = 0;
    Environment environment;
    std::string name;
    SecretBytes password;
    bool has_token = false; ///< and needs no password
    Verified done;
    std::shared_ptr<TemporaryFile> control;
    std::shared_ptr<TemporaryFile> pending;
    std::shared_ptr<TemporaryFile> reason;

    void refuse() const {
        auto text = reason ? reason->text(kLongestReason) : std::string();
        text = wire::printable(text.substr(0, text.find('\n')), kLongestReason);
        if (text.empty())
            done(session::Refusal{"user name or password is wrong"}, now());
        else
            done(session::Refusal{text, false, true}, now());
    }
};

/// One that connects.
struct PluginHooks::Connection {
    ClientId client = 0;
    Environment environment;
    Connected done;
    ClientSettings settings; ///< what plug-ins have said by now
    std::shared_ptr<TemporaryFile> config;
    std::shared_ptr<TemporaryFile> deferred;
    TimePoint until;

    void refuse() const { done(std::nullopt, now()); }
};

PluginHooks::PluginHooks(PluginSettings settings, host::PluginCalls& calls, ClientHooks& programs,
                         bool programs_verify, asio::io_context& context,
                         std::function<void()> settle)
    : settings_(std::move(settings)), calls_(calls), programs_(programs),
      programs_verify_(programs_verify), settle_(std::move(settle)), context_(context),
      timer_(context) {}

plugin::Request PluginHooks::request(Hook hook, ClientId client,
                                     const Environment& environment) const {
    plugin::Request out;
    out.hook = hook;
    out.client = client;
    out.environment = complete_environment(settings_.environment, environment, "");
    // OpenVPN has no time of the connection before there is one.
    if (hook == Hook::TlsVerify || hook == Hook::VerifyUser || hook == Hook::TlsFinal ||
        hook == Hook::IpChange)
        std::erase_if(out.environment, [](const auto& variable) {
            return variable.first == "time_ascii" || variable.first == "time_unix";
        });
    return out;
}

void PluginHooks::ask(plugin::Request request, host::PluginCalls::Done done) {
    const auto source = source_of(request.environment);
    calls_.ask(source, std::move(request), std::move(done));
}

// ---- users

void PluginHooks::present(ClientId client, const std::vector<Bytes>& certificates) {
    here_.insert(client);
    certificates_[client] = certificates;
}

void PluginHooks::verify_user(ClientId client, const Environment& environment,
                              const std::string& username, ByteView password, Verified done) {
    auto user = std::make_shared<User>();
    user->client = client;
    user->environment = environment;
    user->name = username;
    user->password = SecretBytes(password);
    user->done = std::move(done);
    begin(user);
}

void PluginHooks::verify_certificates(ClientId client, const Environment& environment,
                                      Verified done) {
    auto user = std::make_shared<User>();
    user->client = client;
    user->environment = environment;
    user->has_token = true;
    user->done = std::move(done);
    begin(user);
}

// Nobody is called back before that has returned.
void PluginHooks::begin(const std::shared_ptr<User>& user) {
    const auto found = certificates_.find(user->client);
    const auto count = found == certificates_.end() ? 0 : found->second.size();
    here_.insert(user->client);
    asio::post(context_, [this, user, count] {
        if (!here_.contains(user->client))
            return;
        verify_certificate(user, static_cast<int>(count) - 1);
        settle_();
    });
}

// From the authority's certificate down to the client's own, one after the other.
void PluginHooks::verify_certificate(const std::shared_ptr<User>& user, int depth) {
    if (depth < 0 || !calls_.wants(Hook::TlsVerify)) {
        verify_name(user);
        return;
    }
    const auto n = std::to_string(depth);
    auto call = request(Hook::TlsVerify, user->client, user->environment);
    call.args = {n, value_of(user->environment, "tls_id_" + n)};
    call.depth = depth;
    const auto found = certificates_.find(user->client);
    if (found != certificates_.end() && static_cast<std::size_t>(depth) < found->second.size())
        call.certificate = found->second[static_cast<std::size_t>(depth)];
    ask(std::move(call), [this, user, depth](const Answer& answer) {
        if (answer.status == Status::Success)
            verify_certificate(user, depth - 1);
        else
            user->done(session::Refusal{"a plug-in refuses the certificate"}, now());
    });
}

void PluginHooks::verify_name(const std::shared_ptr<User>& user) {
    if (user->has_token || !calls_.wants(Hook::VerifyUser)) {
        ask_programs(user);
        return;
    }
    user->control = TemporaryFile::create(settings_.directory);
    user->pending = TemporaryFile::create(settings_.directory);
    user->reason = TemporaryFile::create(settings_.directory);
    if (!user->control || !user->pending || !user->reason || has_line_end(as_bytes(user->name)) ||
        has_line_end(user->password.view())) {
        user->done(no_room(), now());
        return;
    }
    auto call = request(Hook::VerifyUser, user->client, user->environment);
    call.environment.emplace_back("username", user->name);
    call.environment.emplace_back("password", as_text(user->password.view()));
    call.environment.emplace_back("auth_control_file", user->control->path());
    call.environment.emplace_back("auth_pending_file", user->pending->path());
    call.environment.emplace_back("auth_failed_reason_file", user->reason->path());
    ask(std::move(call), [this, user](const Answer& answer) { name_answered(user, answer); });
}

void PluginHooks::name_answered(const std::shared_ptr<User>& user, const Answer& answer) {
    switch (answer.status) {
    case Status::Success:
        ask_programs(user);
        break;
    case Status::Deferred:
        name_deferred(user);
        break;
    case Status::Error:
        user->refuse();
        break;
    }
}

void PluginHooks::name_deferred(const std::shared_ptr<User>& user) {
    wait(user->client, [this, user, until = now() + settings_.longest](TimePoint when) {
        const auto answer = user->control->answer();
        if (!answer && when < until)
            return false;
        if (answer.value_or(false))
            ask_programs(user);
        else
            user->refuse();
        return true;
    });
}

void PluginHooks::ask_programs(const std::shared_ptr<User>& user) {
    if (!programs_verify_) {
        verify_last(user, {});
        return;
    }
    const auto answered = [this, user](Result<ClientSettings, session::Refusal> answer,
                                       TimePoint when) {
        if (answer)
            verify_last(user, std::move(*answer));
        else
            user->done(std::move(answer), when);
    };
    if (user->has_token)
        programs_.verify_certificates(user->client, user->environment, answered);
    else
        programs_.verify_user(user->client, user->environment, user->name, user->password.view(),
                              answered);
}

void PluginHooks::verify_last(const std::shared_ptr<User>& user, ClientSettings settings) {
    if (!calls_.wants(Hook::TlsFinal)) {
        tell_address(user);
        user->done(std::move(settings), now());
        return;
    }
    auto call = request(Hook::TlsFinal, user->client, user->environment);
    if (!user->name.empty())
        call.environment.emplace_back("username", user->name);
    ask(std::move(call), [this, user, settings = std::move(settings)](const Answer& answer) {
        if (answer.status == Status::Success)
            tell_address(user);
        if (answer.status == Status::Success)
            user->done(settings, now());
        else
            user->done(session::Refusal{"a plug-in refuses the client"}, now());
    });
}

// Where the client is, once.
void PluginHooks::tell_address(const std::shared_ptr<User>& user) {
    if (!calls_.wants(Hook::IpChange) || !told_.insert(user->client).second)
        return;
    auto call = request(Hook::IpChange, user->client, user->environment);
    auto text = value_of(user->environment, "untrusted_ip");
    if (text.empty())
        text = value_of(user->environment, "untrusted_ip6");
    if (const auto address = parse_address(text))
        call.args = {host::plugin_address(*address, value_of(user->environment, "untrusted_port"))};
    calls_.tell(std::move(call));
}

// ---- clients that connect

void PluginHooks::connect(ClientId client, const Environment& environment, Connected done) {
    auto connection = std::make_shared<Connection>();
    connection->client = client;
    connection->environment = environment;
    connection->done = std::move(done);
    connection->until = now() + settings_.longest;
    here_.insert(client);
    asio::post(context_, [this, connection] {
        if (!here_.contains(connection->client))
            return;
        connect_v1(connection, false);
        settle_();
    });
}

// By files: options, and an answer that is put off. The plug-in may be called again, or not.
void PluginHooks::connect_v1(const std::shared_ptr<Connection>& connection, bool again) {
    auto& c = *connection;
    if (!calls_.wants(Hook::Connect)) {
        connect_v2(connection, false);
        return;
    }
    if (!again) {
        c.config = TemporaryFile::create(settings_.directory);
        c.deferred = TemporaryFile::create(settings_.directory);
    }
    if (!c.config || !c.deferred || now() > c.until) {
        c.refuse();
        return;
    }
    const auto answered = [this, connection, again](const Answer& answer) {
        auto& of = *connection;
        const auto text = of.deferred->text(1);
        // Whoever is not called again answers by the file alone.
        const bool silent = again && !calls_.wants(Hook::ConnectDefer) && text.empty();
        const bool later = answer.status == Status::Deferred || text == "2" || silent;
        const bool refused =
            answer.status == Status::Error || (!text.empty() && text != "1" && text != "2");
        if (!refused && later && !(again && text == "1")) {
            wait(of.client, [this, connection, at = now() + kAgain](TimePoint when) {
                // An answer in the file does not wait.
                const auto there = connection->deferred->text(1);
                if (when < at && (there.empty() || there == "2"))
                    return false;
                connect_v1(connection, true);
                return true;
            });
            return;
        }
        const auto more =
            refused ? std::nullopt : read_client_file(of.config->path(), Unknown::Ignored);
        if (!more) {
            of.refuse();
            return;
        }
        of.settings.merge(*more);
        connect_v2(connection, false);
    };
    if (again && !calls_.wants(Hook::ConnectDefer)) {
        Answer none;
        none.status = Status::Success;
        answered(none);
        return;
    }
    auto call = request(again ? Hook::ConnectDefer : Hook::Connect, c.client, c.environment);
    call.args = {c.config->path()};
    call.environment.emplace_back("client_connect_config_file", c.config->path());
    call.environment.emplace_back("client_connect_deferred_file", c.deferred->path());
    ask(std::move(call), answered);
}

// By return lists.
void PluginHooks::connect_v2(const std::shared_ptr<Connection>& connection, bool again) {
    auto& c = *connection;
    if (!calls_.wants(Hook::ConnectV2)) {
        connect_programs(connection);
        return;
    }
    if (now() > c.until) {
        c.refuse();
        return;
    }
    ask(request(again ? Hook::ConnectDeferV2 : Hook::ConnectV2, c.client, c.environment),
        [this, connection](const Answer& answer) {
            auto& of = *connection;
            if (answer.status == Status::Deferred && calls_.wants(Hook::ConnectDeferV2)) {
                wait(of.client, [this, connection, at = now() + kAgain](TimePoint when) {
                    if (when < at)
                        return false;
                    connect_v2(connection, true);
                    return true;
                });
                return;
            }
            if (answer.status == Status::Deferred)
                log::peer_error("a plug-in puts off its answer to CLIENT_CONNECT_V2 and cannot be "
                                "asked again");
            bool good = answer.status == Status::Success;
            for (const auto& text : answer.config) {
                const auto more =
                    good ? parse_client_settings("plugin", text, Unknown::Ignored) : std::nullopt;
                good = more.has_value();
                if (more)
                    of.settings.merge(*more);
            }
            if (good)
                connect_programs(connection);
            else
                of.refuse();
        });
}

void PluginHooks::connect_programs(const std::shared_ptr<Connection>& connection) {
    programs_.connect(connection->client, connection->environment,
                      [connection](std::optional<ClientSettings> more, TimePoint when) {
                          if (more) {
                              connection->settings.merge(*more);
                              more = connection->settings;
                          }
                          connection->done(std::move(more), when);
                      });
}

void PluginHooks::disconnect(ClientId client, const Environment& environment) {
    if (calls_.wants(Hook::Disconnect))
        calls_.tell(request(Hook::Disconnect, client, environment));
    programs_.disconnect(client, environment);
}

// ---- addresses

void PluginHooks::learn_addresses(ClientId client, const std::vector<std::string>& addresses,
                                  const Environment& environment, AddressesLearned done) {
    if (!calls_.wants(Hook::LearnAddress) || addresses.empty()) {
        programs_.learn_addresses(client, addresses, environment, std::move(done));
        return;
    }
    auto accepted = std::make_shared<std::vector<bool>>();
    for (const auto& address : addresses) {
        auto call = request(Hook::LearnAddress, client, environment);
        call.args = {"add", address, value_of(environment, "common_name")};
        calls_.tell(std::move(call),
                    [this, client, addresses, environment, accepted, done](const Answer& answer) {
                        accepted->push_back(answer.status == Status::Success);
                        if (accepted->size() < addresses.size())
                            return;
                        // Programs are told of what is left.
                        std::vector<std::string> left;
                        for (std::size_t i = 0; i < addresses.size(); i++) {
                            if ((*accepted)[i])
                                left.push_back(addresses[i]);
                        }
                        programs_.learn_addresses(
                            client, left, environment,
                            [accepted, done](const std::vector<bool>& of_left, TimePoint when) {
                                auto all = *accepted;
                                std::size_t next = 0;
                                for (std::size_t i = 0; i < all.size(); i++) {
                                    if (all[i])
                                        all[i] = next < of_left.size() && of_left[next++];
                                }
                                done(all, when);
                            });
                    });
    }
}

void PluginHooks::forget_address(const std::string& address, const Environment& environment) {
    if (calls_.wants(Hook::LearnAddress)) {
        auto call = request(Hook::LearnAddress, plugin::kNoClient, environment);
        call.args = {"delete", address};
        calls_.tell(std::move(call));
    }
    programs_.forget_address(address, environment);
}

bool PluginHooks::busy() const {
    return calls_.waiting() >= kMostNotices || programs_.busy();
}

void PluginHooks::forget(ClientId client) {
    here_.erase(client);
    told_.erase(client);
    certificates_.erase(client);
    std::erase_if(waiting_, [&](const Waiting& w) { return w.client == client; });
    calls_.forget(client);
    programs_.forget(client);
}

// ---- answers that are put off

void PluginHooks::wait(ClientId client, std::function<bool(TimePoint)> look) {
    waiting_.push_back({client, std::move(look)});
    arm();
}

void PluginHooks::arm() {
    if (waiting_.empty() || std::exchange(armed_, true))
        return;
    timer_.expires_after(kPause);
    timer_.async_wait([this](const asio::error_code& error) {
        armed_ = false;
        if (error)
            return;
        // Each may end, and make others end or begin to wait.
        std::list<Waiting> all;
        all.swap(waiting_);
        while (!all.empty()) {
            std::list<Waiting> one;
            one.splice(one.begin(), all, all.begin());
            if (here_.contains(one.front().client) && !one.front().look(now()))
                waiting_.splice(waiting_.end(), one);
        }
        arm();
        settle_();
    });
}

} // namespace nfovpn::server
