// SPDX-License-Identifier: GPL-2.0-or-later
//
// The management interface's lines; protocol.h shows them. Texts behind SUCCESS and ERROR are those
// that OpenVPN's management clients know.

#include "management/protocol.h"

#include "config/lexer.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <iterator>
#include <utility>

namespace nfovpn::management {

namespace {

constexpr int kVersion = 5; // of OpenVPN 2.7

// OpenVPN takes lines of 1 KiB.
constexpr std::size_t kMaxLine = 4096;

// Behind one "client-auth".
constexpr std::size_t kMaxBlock = 65536;

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

bool is_control(char c) {
    return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
}

// What a peer wrote must not end a line.
std::string one_line(std::string_view text) {
    std::string out(text);
    std::replace_if(out.begin(), out.end(), is_control, '_');
    return out;
}

template <typename T>
std::optional<T> number(std::string_view word) {
    T value{};
    auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (code != std::errc{} || end != word.data() + word.size())
        return std::nullopt;
    return value;
}

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

// "10.1.0.0/255.255.0.0", "fd00::/64", or the address of a single host.
std::string shown(const Prefix& network) {
    if (network.ipv6)
        return network.length == 128 ? to_string(Ipv6{network.address}) : to_string(network);
    const auto text = to_string(network);
    const auto host = text.substr(0, text.find('/'));
    if (network.length == 32)
        return host;
    const auto mask = network.length == 0 ? 0 : ~std::uint32_t{0} << (32 - network.length);
    return host + "/" + to_string(Ipv4{mask});
}

// What "kill" is given, where that is an address.
struct Victim {
    std::string protocol; ///< without the family
    Endpoint remote;
};

// "udp:192.0.2.1:1194", "192.0.2.1:1194", "udp6:[2001:db8::1]:1194"
std::optional<Victim> parse_victim(std::string_view word) {
    Victim out;
    out.protocol = "udp";
    for (std::string_view name : {"udp:", "udp4:", "udp6:", "tcp:", "tcp4:", "tcp6:"}) {
        if (word.starts_with(name)) {
            out.protocol = name.substr(0, 3);
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

const Protocol::Command Protocol::kCommands[] = {
    {"bytecount", 1, true, &Protocol::bytecount, "bytecount N",
     "tell the bytes of every client each N seconds; 0: do not"},
    {"client-auth", 2, true, &Protocol::client_auth, "client-auth CID KID",
     "let a client in, with the lines that follow, up to END"},
    {"client-auth-nt", 2, true, &Protocol::client_auth_nt, "client-auth-nt CID KID",
     "let a client in"},
    {"client-deny", 3, false, &Protocol::client_deny, "client-deny CID KID R [CR]",
     "do not let a client in; R is for the log, CR for the client"},
    {"client-kill", 1, false, &Protocol::client_kill, "client-kill CID [M]",
     "end a client, which is told M [RESTART]"},
    {"client-pending-auth", 4, true, &Protocol::client_pending_auth,
     "client-pending-auth CID KID MSG T", "tell a client MSG and to wait for T seconds"},
    {"echo", 1, false, &Protocol::echo, "echo [on|off] [N|all]",
     "as log, of echo messages; a server has none"},
    {"exit", 0, false, &Protocol::exit, "exit", "end this connection"},
    {"help", 0, false, &Protocol::help, "help", "these lines"},
    {"hold", 0, false, &Protocol::hold, "hold [on|off|release]",
     "whether a start waits for this client; or wait no longer"},
    {"kill", 1, true, &Protocol::kill, "kill CN|[udp:]IP:PORT",
     "end the clients of that name or address"},
    {"load-stats", 0, false, &Protocol::load_stats, "load-stats",
     "how many clients there are, and all bytes"},
    {"log", 1, false, &Protocol::log, "log [on|off] [N|all]",
     "tell each line of the log; and show the last ones"},
    {"mute", 0, false, &Protocol::mute, "mute [N]", "0: repeated lines are not held back"},
    {"nclients", 0, false, &Protocol::nclients, "nclients", "how many clients there are"},
    {"pid", 0, false, &Protocol::pid, "pid", "the number of the process"},
    {"quit", 0, false, &Protocol::exit, "quit", "as exit"},
    {"signal", 1, true, &Protocol::signal, "signal S",
     "SIGTERM, SIGHUP, SIGUSR1 or SIGUSR2 to the process"},
    {"state", 0, false, &Protocol::state_command, "state [on|off] [N|all]",
     "as log, of what the server is doing"},
    {"status", 0, false, &Protocol::status, "status [1|2|3]", "who is connected"},
    {"verb", 0, false, &Protocol::verb, "verb [N]", "how much is logged, 0 to 15"},
    {"version", 0, false, &Protocol::version, "version [N]",
     "versions; or that of the management client"},
    // Those of OpenVPN's clients, and what only they can be asked for.
    {"auth-retry", 0, false, &Protocol::not_for_servers, "", ""},
    {"certificate", 0, false, &Protocol::not_for_servers, "", ""},
    {"cr-response", 0, false, &Protocol::not_for_servers, "", ""},
    {"forget-passwords", 0, false, &Protocol::not_for_servers, "", ""},
    {"needok", 0, false, &Protocol::not_for_servers, "", ""},
    {"needstr", 0, false, &Protocol::not_for_servers, "", ""},
    {"net", 0, false, &Protocol::not_for_servers, "", ""},
    {"password", 0, false, &Protocol::not_for_servers, "", ""},
    {"pk-sig", 0, false, &Protocol::not_for_servers, "", ""},
    {"pkcs11-id-count", 0, false, &Protocol::not_for_servers, "", ""},
    {"pkcs11-id-get", 0, false, &Protocol::not_for_servers, "", ""},
    {"proxy", 0, false, &Protocol::not_for_servers, "", ""},
    {"push-update-broad", 0, false, &Protocol::not_for_servers, "", ""},
    {"push-update-cid", 0, false, &Protocol::not_for_servers, "", ""},
    {"remote", 0, false, &Protocol::not_for_servers, "", ""},
    {"remote-entry-count", 0, false, &Protocol::not_for_servers, "", ""},
    {"remote-entry-get", 0, false, &Protocol::not_for_servers, "", ""},
    {"rsa-sig", 0, false, &Protocol::not_for_servers, "", ""},
    {"username", 0, false, &Protocol::not_for_servers, "", ""},
};

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
    block_.reset();
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
    if (settings_.restart_on_disconnect && was_let_in && !holding_)
        settings_.raise(SIGUSR1);
}

void Protocol::welcome() {
    reply(fmt::format(">INFO:OpenVPN Management Interface Version {} -- type 'help' for more info",
                      kVersion));
    if (holding_)
        reply(">HOLD:Waiting for hold release:0");
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
    } else if (block_) {
        block_line(text);
    } else {
        Words words;
        if (auto wrong = config::split_words(text, words))
            error(*wrong);
        else if (!words.empty())
            dispatch(words);
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

void Protocol::block_line(std::string_view text) {
    if (text == "END") {
        auto block = std::move(*block_);
        block_.reset();
        finished(answer(block.client_id, block.key_id, Allowed{std::move(block.lines)}),
                 "client-auth");
        return;
    }
    block_->bytes += text.size() + 1;
    if (block_->bytes > kMaxBlock) {
        error("too many lines");
        end_ = "too many lines behind client-auth";
        return;
    }
    block_->lines.emplace_back(text);
}

void Protocol::dispatch(const Words& words) {
    const auto* command = std::find_if(std::begin(kCommands), std::end(kCommands),
                                       [&](const Command& c) { return c.name == words[0]; });
    if (command == std::end(kCommands)) {
        error("unknown command [" + words[0] + "], enter 'help' for more options");
    } else if (words.size() <= command->least) {
        error(fmt::format("the '{}' command requires {}{} parameter{}", command->name,
                          command->exactly ? "" : "at least ", command->least,
                          command->least > 1 ? "s" : ""));
    } else {
        (this->*command->run)(words);
    }
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

void Protocol::notify_env(const Environment& env) {
    for (const auto& variable : env)
        notify(">CLIENT:ENV," + one_line(variable));
    notify(">CLIENT:ENV,END");
}

void Protocol::add(History& history, std::string text) {
    if (history.limit == 0)
        return;
    if (history.entries.size() == history.limit)
        history.entries.pop_front();
    history.entries.push_back({settings_.unix_time(), std::move(text)});
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

bool Protocol::server_only(const Words& words) {
    if (!actions_)
        not_for_servers(words);
    return actions_ != nullptr;
}

std::optional<std::uint64_t> Protocol::client_id(const std::string& word) {
    auto id = number<std::uint64_t>(word);
    if (!id)
        error("cannot parse CID");
    return id;
}

std::optional<std::uint32_t> Protocol::key_id(const std::string& word) {
    auto id = number<std::uint32_t>(word);
    if (!id)
        error("cannot parse KID");
    return id;
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

bool Protocol::answer(std::uint64_t client_id, std::uint32_t key_id, const AuthOutcome& outcome) {
    auto waiting = pending_.find({client_id, key_id});
    if (waiting == pending_.end())
        return false;
    if (std::holds_alternative<Postponed>(outcome))
        return waiting->second(outcome);
    auto callback = std::move(waiting->second);
    pending_.erase(waiting);
    return callback(outcome);
}

void Protocol::client_auth(const Words& words) {
    auto client = client_id(words[1]);
    auto key = client ? key_id(words[2]) : std::nullopt;
    if (key)
        block_ = Block{*client, *key, {}, 0};
}

void Protocol::client_auth_nt(const Words& words) {
    auto client = client_id(words[1]);
    auto key = client ? key_id(words[2]) : std::nullopt;
    // Its answer is that of the other one.
    if (key)
        finished(answer(*client, *key, Allowed{}), "client-auth");
}

void Protocol::client_deny(const Words& words) {
    auto client = client_id(words[1]);
    auto key = client ? key_id(words[2]) : std::nullopt;
    if (key)
        finished(answer(*client, *key, Denied{words[3], words.size() > 4 ? words[4] : ""}),
                 "client-deny");
}

void Protocol::client_pending_auth(const Words& words) {
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

void Protocol::client_kill(const Words& words) {
    if (!server_only(words))
        return;
    if (auto client = client_id(words[1]))
        finished(actions_->kill_by_id(*client, words.size() > 2 ? words[2] : "RESTART"),
                 "client-kill");
}

void Protocol::echo(const Words& words) {
    history(echo_, words);
}

void Protocol::exit(const Words& /*words*/) {
    end_ = "it has left";
}

void Protocol::help(const Words& /*words*/) {
    reply("Management Interface for " + settings_.version);
    reply("Commands:");
    for (const auto& command : kCommands) {
        if (*command.usage != 0)
            reply(fmt::format("{:<34} : {}", command.usage, command.help));
    }
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
        holding_ = false;
        success("hold release succeeded");
    } else {
        error("bad hold command parameter");
    }
}

void Protocol::kill(const Words& words) {
    if (!server_only(words))
        return;
    const auto& word = words[1];
    if (auto victim = parse_victim(word)) {
        const auto where = victim->protocol + (victim->remote.address.is_ipv4() ? "4:" : "6:") +
                           to_string(victim->remote);
        const auto count = victim->protocol == "udp" ? actions_->kill_by_remote(victim->remote) : 0;
        if (count > 0)
            success(fmt::format("{} client(s) at address {} killed", count, where));
        else
            error("client at address " + where + " not found");
        return;
    }
    const auto count = actions_->kill_by_name(word);
    if (count > 0)
        success(fmt::format("common name '{}' found, {} client(s) killed", word, count));
    else
        error("common name '" + word + "' not found");
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
    if (words.size() == 1)
        success("mute=0");
    else if (words[1] == "0")
        success("mute level changed");
    else
        error("repeated lines are not held back here");
}

void Protocol::nclients(const Words& words) {
    if (server_only(words))
        success(fmt::format("nclients={}", actions_->load().clients));
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
        reply(">HOLD:Waiting for hold release:0");
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
    if (!server_only(words))
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

void Protocol::not_for_servers(const Words& words) {
    error("The '" + words[0] + "' command is not supported by the current daemon mode");
}

// ---- time and events

void Protocol::tick(TimePoint now) {
    if (now < bytecount_at_)
        return;
    bytecount_at_ = now + bytecount_every_;
    if (!actions_)
        return;
    for (const auto& t : actions_->traffic())
        notify(fmt::format(">BYTECOUNT_CLI:{},{},{}", t.client_id, t.rx_bytes, t.tx_bytes));
}

void Protocol::begin_hold() {
    holding_ = hold_flag_;
    if (holding_)
        notify(">HOLD:Waiting for hold release:0");
}

void Protocol::log_line(log::Level level, std::string_view text) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = std::string(1, flag_of(level)) + "," + one_line(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        add(log_, line);
        if (log_.realtime)
            notify(fmt::format(">LOG:{},{}", settings_.unix_time(), line));
    }
}

void Protocol::state(State state, const StateDetails& details) {
    const auto local =
        details.local ? fmt::format("{},{}", to_string(details.local->address), details.local->port)
                      : ",";
    // The server has no remote address.
    auto text = fmt::format("{},{},{},,,{}", name_of(state), one_line(details.reason),
                            details.address ? to_string(*details.address) : "", local);
    if (details.address6)
        text += "," + to_string(*details.address6);
    add(state_, text);
    if (state_.realtime)
        notify(fmt::format(">STATE:{},{}", settings_.unix_time(), text));
}

void Protocol::established(std::uint64_t client_id, const Environment& env) {
    notify(fmt::format(">CLIENT:ESTABLISHED,{}", client_id));
    notify_env(env);
}

void Protocol::address(std::uint64_t client_id, const Prefix& network, bool primary) {
    notify(fmt::format(">CLIENT:ADDRESS,{},{},{}", client_id, shown(network), primary ? 1 : 0));
}

void Protocol::gone(std::uint64_t client_id, const Environment& env) {
    notify(fmt::format(">CLIENT:DISCONNECT,{}", client_id));
    notify_env(env);
}

void Protocol::authenticate(const PendingAuth& pending, AuthAnswer answer) {
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
    notify_env(pending.env);
}

void Protocol::forget(std::uint64_t client_id) {
    pending_.erase(pending_.lower_bound({client_id, 0}), pending_.lower_bound({client_id + 1, 0}));
}

} // namespace nfovpn::management
