// SPDX-License-Identifier: GPL-2.0-or-later
//
// The management interface's lines; protocol.h shows them. Texts behind SUCCESS and ERROR are those
// that OpenVPN's management clients know.

#include "management/protocol.h"

#include "config/lexer.h"
#include "management/text.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <iterator>
#include <utility>

namespace nfovpn::management {

namespace {

constexpr int kVersion = 5; // of OpenVPN 2.7

// OpenVPN takes lines of 1 KiB.
constexpr std::size_t kMaxLine = config::kMaxSecretLine;

// More than this waits for the client, and its next command waits, too.
constexpr std::size_t kPause = 65536;

// More than this that it has not asked for, and it does not read.
constexpr std::size_t kMaxUnasked = std::size_t{1} << 20;

constexpr unsigned kPasswordTries = 3;

constexpr int kMaxVerb = 15;

// Until this version of the client there is no answer to its telling it.
constexpr std::uint32_t kFirstAnsweredVersion = 4;

struct Signal {
    const char* name;
    int number;
};
constexpr Signal kSignals[] = {{"SIGINT", SIGINT},
                               {"SIGTERM", SIGTERM},
                               {"SIGHUP", SIGHUP},
                               {"SIGUSR1", SIGUSR1},
                               {"SIGUSR2", SIGUSR2}};

// Neither the time nor its result tells where they differ, or how long they are.
bool same_secret(ByteView a, ByteView b) {
    std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digests[2];
    SHA256(a.data(), a.size(), digests[0].data());
    SHA256(b.data(), b.size(), digests[1].data());
    const bool same = CRYPTO_memcmp(digests[0].data(), digests[1].data(), digests[0].size()) == 0;
    OPENSSL_cleanse(digests, sizeof(digests));
    return same;
}

const char* name_of(State state) {
    switch (state) {
    case State::Connecting:
        return "CONNECTING";
    case State::Resolve:
        return "RESOLVE";
    case State::TcpConnect:
        return "TCP_CONNECT";
    case State::Wait:
        return "WAIT";
    case State::Auth:
        return "AUTH";
    case State::AuthPending:
        return "AUTH_PENDING";
    case State::GetConfig:
        return "GET_CONFIG";
    case State::AssignIp:
        return "ASSIGN_IP";
    case State::AddRoutes:
        return "ADD_ROUTES";
    case State::Connected:
        return "CONNECTED";
    case State::Reconnecting:
        return "RECONNECTING";
    case State::Exiting:
        return "EXITING";
    }
    return "";
}

// What OpenVPN has besides, for one role, one system, or what there is not here.
constexpr std::string_view kOthers[] = {"auth-retry",
                                        "certificate",
                                        "client-auth",
                                        "client-auth-nt",
                                        "client-deny",
                                        "client-kill",
                                        "client-pending-auth",
                                        "cr-response",
                                        "env-filter",
                                        "forget-passwords",
                                        "kill",
                                        "nclients",
                                        "needok",
                                        "needstr",
                                        "net",
                                        "password",
                                        "pk-sig",
                                        "pkcs11-id-count",
                                        "pkcs11-id-get",
                                        "proxy",
                                        "push-update-broad",
                                        "push-update-cid",
                                        "remote",
                                        "remote-entry-count",
                                        "remote-entry-get",
                                        "rsa-sig",
                                        "test",
                                        "username"};

char flag_of(log::Level level) {
    switch (level) {
    case log::Level::Debug:
        return 'D';
    case log::Level::Warning:
        return 'W';
    case log::Level::Error:
        return 'N';
    case log::Level::Info:
    case log::Level::Off:
        break;
    }
    return 'I';
}

} // namespace

const Protocol::Command Protocol::kCommands[] = {
    {"bytecount", 1, true, &Protocol::bytecount, "bytecount N",
     "tell the bytes each N seconds; 0: do not"},
    {"echo", 1, false, &Protocol::echo, "echo [on|off] [N|all]",
     "as log, of messages for user interfaces"},
    {"exit", 0, false, &Protocol::exit, "exit", "end this connection"},
    {"help", 0, false, &Protocol::help, "help", "these lines"},
    {"hold", 0, false, &Protocol::hold, "hold [on|off|release]",
     "whether a start waits for this client; or wait no longer"},
    {"load-stats", 0, false, &Protocol::load_stats, "load-stats",
     "how many clients there are, and all bytes"},
    {"log", 1, false, &Protocol::log, "log [on|off] [N|all]",
     "tell each line of the log; and show the last ones"},
    {"mute", 0, false, &Protocol::mute, "mute [N]",
     "of more consecutive lines of one kind only the number is logged; 0: never"},
    {"pid", 0, false, &Protocol::pid, "pid", "the number of the process"},
    {"quit", 0, false, &Protocol::exit, "quit", "as exit"},
    {"signal", 1, true, &Protocol::signal, "signal S",
     "SIGTERM, SIGHUP, SIGUSR1 or SIGUSR2 to the process"},
    {"state", 0, false, &Protocol::state_command, "state [on|off] [N|all]",
     "as log, of what the daemon is doing"},
    {"status", 0, false, &Protocol::status, "status [1|2|3]", "who is connected, and bytes"},
    {"verb", 0, false, &Protocol::verb, "verb [N]", "how much is logged, 0 to 15"},
    {"version", 0, false, &Protocol::version, "version [N]",
     "versions; or that of the management client"},
};

Environment lines_of(const nfovpn::Environment& variables) {
    Environment out;
    out.reserve(variables.size());
    for (const auto& [name, value] : variables)
        out.push_back(fmt::format("{}={}", name, value));
    return out;
}

Protocol::Protocol(Settings settings) : settings_(std::move(settings)), hold_flag_(settings_.hold) {
    log_.limit = settings_.log_cache;
}

// ---- the connection

void Protocol::reset() {
    has_client_ = false;
    password_verified_ = false;
    password_tries_ = 0;
    input_.wipe();
    output_.wipe();
    sent_ = 0;
    unasked_ = 0;
    end_.clear();
    bytecount_every_ = std::chrono::seconds(0);
    bytecount_at_ = kNever;
    forget_connection();
    log_.realtime = state_.realtime = echo_.realtime = false;
}

void Protocol::connected() {
    reset();
    has_client_ = true;
    if (password_needed())
        output_.append(as_bytes("ENTER PASSWORD:"));
    else
        welcome();
}

void Protocol::disconnected() {
    const bool was_let_in = has_client_ && !password_needed();
    reset();
    if (!was_let_in)
        return;
    left();
    if (settings_.restart_on_disconnect && !holding_)
        settings_.raise(SIGUSR1);
}

void Protocol::welcome() {
    reply(fmt::format(">INFO:OpenVPN Management Interface Version {} -- type 'help' for more info",
                      kVersion));
    if (holding_)
        reply(hold_notice());
    repeat_questions();
}

std::string Protocol::hold_notice() const {
    return fmt::format(">HOLD:Waiting for hold release:{}", hold_pause_.count());
}

bool Protocol::password_needed() const {
    return !settings_.password.empty() && !password_verified_;
}

std::string_view Protocol::output() const {
    return as_text(output_.view().subspan(sent_));
}

void Protocol::sent(std::size_t n, TimePoint now) {
    sent_ += n;
    if (sent_ == output_.view().size()) {
        output_.wipe();
        sent_ = 0;
    } else if (sent_ > kMaxUnasked) {
        output_.consume(sent_);
        sent_ = 0;
    }
    // Whoever is slow has read some of it.
    unasked_ = std::min(unasked_, output_.view().size() - sent_);
    process(now);
}

bool Protocol::wants_input() const {
    return end_.empty() && output_.view().size() - sent_ < kPause;
}

void Protocol::receive(std::string_view bytes, TimePoint now) {
    if (!has_client_ || !end_.empty())
        return;
    SecretBytes kept;
    for (char c : bytes) {
        if (c == '\n' || c == '\t' || !is_control(c))
            kept.append(as_bytes({&c, 1}));
    }
    input_.append(kept.view());
    process(now);
}

void Protocol::process(TimePoint now) {
    now_ = now;
    answering_ = true;
    while (wants_input()) {
        const auto waiting = as_text(input_.view());
        const auto length = waiting.find('\n');
        if (std::min(length, waiting.size()) > kMaxLine) {
            error("line too long");
            end_ = "a line is too long";
        }
        if (length == std::string_view::npos || !end_.empty())
            break;
        line(waiting.substr(0, length));
        input_.consume(length + 1);
    }
    answering_ = false;
}

void Protocol::line(std::string_view text) {
    if (password_needed()) {
        check_password(text);
    } else if (!take_line(text)) {
        Words words;
        if (auto wrong = config::split_words(text, words))
            error(*wrong);
        else if (!words.empty())
            dispatch(words);
        for (auto& word : words)
            wipe(word);
    }
}

void Protocol::check_password(std::string_view text) {
    password_verified_ = same_secret(as_bytes(text), settings_.password.view());
    if (password_verified_) {
        success("password is correct");
        welcome();
        return;
    }
    error("bad password");
    if (++password_tries_ == kPasswordTries)
        end_ = "wrong passwords";
    else
        output_.append(as_bytes("ENTER PASSWORD:"));
}

const Protocol::Command* Protocol::find(std::string_view name) const {
    for (const auto commands : {std::span<const Command>(kCommands), role_commands()}) {
        const auto found = std::find_if(commands.begin(), commands.end(),
                                        [&](const Command& c) { return c.name == name; });
        if (found != commands.end())
            return &*found;
    }
    return nullptr;
}

void Protocol::dispatch(const Words& words) {
    const auto* command = find(words[0]);
    if (!command &&
        std::find(std::begin(kOthers), std::end(kOthers), words[0]) != std::end(kOthers)) {
        not_supported(words);
    } else if (!command) {
        error("unknown command [" + words[0] + "], enter 'help' for more options");
    } else if (words.size() <= command->least) {
        error(fmt::format("the '{}' command requires {}{} parameter{}", command->name,
                          command->exactly ? "" : "at least ", command->least,
                          command->least > 1 ? "s" : ""));
    } else {
        (this->*command->run)(words);
    }
}

void Protocol::not_supported(const Words& words) {
    error("The '" + words[0] + "' command is not supported by the current daemon mode");
}

bool Protocol::served(const Words& words) {
    if (!actions_)
        not_supported(words);
    return actions_ != nullptr;
}

// ---- lines for the client

void Protocol::reply(std::string_view text) {
    output_.append(as_bytes(text));
    output_.append(as_bytes("\r\n"));
}

void Protocol::notify(std::string_view text) {
    if (!has_client_ || password_needed() || !end_.empty())
        return;
    unasked_ += text.size() + 2;
    if (unasked_ > kMaxUnasked) {
        output_.wipe();
        sent_ = 0;
        end_ = "it does not read";
    } else {
        reply(text);
    }
    if (!answering_ && on_output_)
        on_output_();
}

void Protocol::notify_env(std::string_view kind, const Environment& env) {
    for (const auto& variable : env)
        notify(fmt::format(">{}:ENV,{}", kind, one_line(variable)));
    notify(fmt::format(">{}:ENV,END", kind));
}

void Protocol::add(History& history, std::string text) {
    const auto time = settings_.unix_time();
    if (history.realtime)
        notify(fmt::format("{}{},{}", history.prefix, time, text));
    if (history.entries.size() == history.limit)
        history.entries.pop_front();
    history.entries.push_back({time, std::move(text)});
}

void Protocol::add_echo(std::string_view text) {
    add(echo_, one_line(text));
}

void Protocol::show(const History& history, std::size_t count) {
    const auto& all = history.entries;
    for (auto at = all.size() - std::min(count, all.size()); at < all.size(); at++)
        reply(std::to_string(all[at].time) + "," + all[at].text);
    reply("END");
}

void Protocol::history(History& history, const Words& words) {
    for (std::size_t i = 1; i < std::min<std::size_t>(words.size(), 3); i++) {
        const auto& word = words[i];
        const auto count = number<std::size_t>(word).value_or(0);
        if (word == "on" || word == "off") {
            history.realtime = word == "on";
            success(fmt::format("real-time {} notification set to {}", history.name,
                                history.realtime ? "ON" : "OFF"));
        } else if (word == "all" || count > 0) {
            show(history, word == "all" ? history.entries.size() : count);
        } else {
            error(fmt::format("{} parameter must be 'on' or 'off' or some number n or 'all'",
                              history.name));
        }
    }
}

void Protocol::finished(bool well, std::string_view command) {
    if (well)
        success(std::string(command) + " command succeeded");
    else
        error(std::string(command) + " command failed");
}

// ---- commands

void Protocol::bytecount(const Words& words) {
    auto seconds = number<std::uint32_t>(words[1]);
    if (!seconds) {
        error("cannot parse the number of seconds");
        return;
    }
    bytecount_every_ = std::chrono::seconds(*seconds);
    bytecount_at_ = *seconds > 0 ? now_ + bytecount_every_ : kNever;
    success("bytecount interval changed");
}

void Protocol::echo(const Words& words) {
    history(echo_, words);
}

void Protocol::exit(const Words& /*words*/) {
    end_ = "it has left";
}

void Protocol::help(const Words& /*words*/) {
    std::vector<const Command*> all;
    for (const auto commands : {std::span<const Command>(kCommands), role_commands()}) {
        for (const auto& command : commands)
            all.push_back(&command);
    }
    std::sort(all.begin(), all.end(),
              [](const auto* a, const auto* b) { return std::string_view(a->name) < b->name; });
    reply("Management Interface for " + settings_.version);
    reply("Commands:");
    for (const auto* command : all)
        reply(fmt::format("{:<34} : {}", command->usage, command->help));
    reply("END");
}

void Protocol::hold(const Words& words) {
    const std::string what = words.size() > 1 ? words[1] : "";
    if (words.size() == 1) {
        success(fmt::format("hold={}", hold_flag_ ? 1 : 0));
    } else if (what == "on" || what == "off") {
        hold_flag_ = what == "on";
        success(std::string("hold flag set to ") + (hold_flag_ ? "ON" : "OFF"));
    } else if (what == "release") {
        success("hold release succeeded");
        if (std::exchange(holding_, false))
            released();
    } else {
        error("bad hold command parameter");
    }
}

void Protocol::load_stats(const Words& /*words*/) {
    const auto load = actions_ ? actions_->load() : Load{};
    success(fmt::format("nclients={},bytesin={},bytesout={}", load.clients, load.rx_bytes,
                        load.tx_bytes));
}

void Protocol::log(const Words& words) {
    history(log_, words);
}

void Protocol::mute(const Words& words) {
    if (words.size() == 1) {
        success(fmt::format("mute={}", log::mute()));
        return;
    }
    if (const auto lines = number<unsigned>(words[1])) {
        log::set_mute(*lines);
        success("mute level changed");
    } else {
        error("cannot parse the number of lines");
    }
}

void Protocol::pid(const Words& /*words*/) {
    success(fmt::format("pid={}", getpid()));
}

void Protocol::signal(const Words& words) {
    const auto* found = std::find_if(std::begin(kSignals), std::end(kSignals),
                                     [&](const Signal& s) { return s.name == words[1]; });
    if (found == std::end(kSignals)) {
        error("signal '" + words[1] + "' is not a known signal type");
    } else if (holding_ && (found->number == SIGHUP || found->number == SIGUSR1)) {
        error("signal '" + words[1] + "' is currently ignored");
        reply(hold_notice());
    } else {
        settings_.raise(found->number);
        success(std::string("signal ") + found->name + " thrown");
    }
}

void Protocol::state_command(const Words& words) {
    if (words.size() == 1)
        show(state_, 1);
    else
        history(state_, words);
}

void Protocol::status(const Words& words) {
    const auto format = words.size() > 1 ? number<int>(words[1]).value_or(-1) : 0;
    if (!served(words))
        return;
    if (format < 0 || format > 3) {
        error("bad status format version number");
        return;
    }
    const auto text = actions_->status(format);
    for (std::string_view rest = text; !rest.empty();) {
        const auto end = std::min(rest.find('\n'), rest.size());
        reply(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
}

void Protocol::verb(const Words& words) {
    if (words.size() == 1) {
        success(fmt::format("verb={}", log::verb()));
        return;
    }
    const auto level = number<int>(words[1]).value_or(-1);
    if (level < 0 || level > kMaxVerb) {
        error("verb level is out of range");
        return;
    }
    log::set_verb(level);
    success("verb level changed");
}

void Protocol::version(const Words& words) {
    if (words.size() == 1) {
        reply("OpenVPN Version: " + settings_.version);
        reply(fmt::format("Management Version: {}", kVersion));
        reply("END");
        return;
    }
    const auto theirs = number<std::uint32_t>(words[1]);
    if (!theirs)
        error("Invalid value specified for management client version");
    else if (*theirs >= kFirstAnsweredVersion)
        success(fmt::format("Management client version set to {}", *theirs));
}

// ---- time and events

void Protocol::tick(TimePoint now) {
    if (now < bytecount_at_)
        return;
    bytecount_at_ = now + bytecount_every_;
    if (actions_)
        tell_bytes();
}

void Protocol::begin_hold(std::chrono::seconds pause) {
    holding_ = hold_flag_;
    hold_pause_ = pause;
    if (holding_)
        notify(hold_notice());
}

void Protocol::log_line(log::Level level, std::string_view text) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = std::string(1, flag_of(level)) + "," + one_line(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        add(log_, line);
    }
}

void Protocol::state(State state, const StateDetails& details) {
    const auto shown = [](const std::optional<Endpoint>& where) {
        return where ? fmt::format("{},{}", to_string(where->address), where->port) : ",";
    };
    auto text = fmt::format("{},{},{},{},{}", name_of(state), one_line(details.reason),
                            details.address ? to_string(*details.address) : "",
                            shown(details.remote), shown(details.local));
    if (details.address6)
        text += "," + to_string(*details.address6);
    add(state_, text);
}

} // namespace nfovpn::management
