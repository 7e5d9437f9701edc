// SPDX-License-Identifier: GPL-2.0-or-later
//
// nf-ovpnd: the command line.
//
//     nf-ovpnd [--config] FILE     serve, or connect if the file is a client's
//     nf-ovpnd --client --remote … the same with options in place of the file, or beside it
//     nf-ovpnd --check FILE        say what becomes of each option, and stop
//     nf-ovpnd --help-options      say what becomes of which option of OpenVPN
//
// A daemon runs until a signal ends it. After SIGUSR1 another one begins with the same
// configuration. After SIGHUP a server takes on what the file says now, or where it cannot, another
// one begins with it. A client goes on by itself after SIGUSR1, and begins anew after SIGHUP. What
// one has from the one before is in host/keeper.h.
//
// Exit status: 0 all well · 1 something failed while starting or running, or --check found that it
// would · 2 the command line or the configuration is wrong.

#include "client/asking.h"
#include "client/daemon.h"
#include "config/changes.h"
#include "config/client_config.h"
#include "config/server_config.h"
#include "host/confinement.h"
#include "host/files.h"
#include "host/keeper.h"
#include "host/plugin_process.h"
#include "host/settings.h"
#include "management/client_protocol.h"
#include "management/server.h"
#include "management/server_protocol.h"
#include "pam/helper.h"
#include "plugin/helper.h"
#include "server/daemon.h"
#include "util/descriptor.h"
#include "util/log.h"
#include "util/secret.h"
#include "util/service_notify.h"

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <fmt/ranges.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using namespace nfovpn;

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kBadConfiguration = 2;

// Why a daemon has ended, of either role.
enum class End { Stop, Reload, Failed };

/// What else --check has to say, and whether that is an error.
using CheckLines = std::vector<std::pair<std::string, bool>>;

// Each of the files for single clients: what is wrong with one locks its client out.
CheckLines check_client_files(const std::string& directory) {
    CheckLines out;
    if (directory.empty())
        return out;
    std::error_code failed;
    std::set<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
        if (entry.is_regular_file(failed))
            paths.insert(entry.path().string());
    }
    if (failed)
        out.emplace_back(directory + ": " + failed.message(), true);
    for (const auto& path : paths) {
        std::string why;
        const auto text = config::read_file(path, why);
        if (!text)
            out.emplace_back(std::string(path).append(": ").append(why), true);
        for (const auto& finding :
             text ? config::parse_client_file(*text).findings : std::vector<config::Finding>{})
            out.emplace_back(describe(path, finding), finding.severity == config::Severity::Error);
    }
    return out;
}

void enter(const std::string& directory) {
    if (!directory.empty() && chdir(directory.c_str()) != 0)
        throw std::system_error(errno, std::generic_category(), "cd " + directory);
}

std::optional<std::string> failure_of(const Result<session::TlsContext, session::TlsError>& tls) {
    return tls ? std::nullopt : std::optional(tls.error().what);
}

// What OpenSSL does not like, with the line of the option that its first word is.
std::string with_line(const std::string& what, const config::ParsedOptions& parsed,
                      const std::string& file) {
    const auto option = what.substr(0, what.find_first_of(": ("));
    const auto& uses = parsed.uses;
    const auto use =
        std::find_if(uses.rbegin(), uses.rend(), [&](const auto& u) { return u.name == option; });
    if (use == uses.rend() || use->line == 0)
        return file + ": error: " + what;
    return (use->file.empty() ? file : use->file) + ":" + std::to_string(use->line) +
           ": error: " + what;
}

// What would be written, by whom, that cannot be.
class PathChecks {
public:
    explicit PathChecks(CheckLines& out) : out_(out) {}

    /// By whoever starts it: what is opened then stays open, see host/keeper.h.
    void now(const char* option, const std::string& path) {
        if (path.empty() || path == "/dev/null")
            return;
        if (const auto why = host::why_not_to_write(path))
            say(option, *why, true);
        else if (access((std::filesystem::exists(path) ? path : host::directory_of(path)).c_str(),
                        W_OK) != 0)
            say(option, path + ": " + std::strerror(errno), true);
    }
    void readable(const char* option, const std::string& path) {
        if (access(path.c_str(), R_OK) != 0)
            say(option, path + ": " + std::strerror(errno), true);
    }
    void directory(const char* option, const std::string& path) {
        std::error_code failed;
        if (!path.empty() && !std::filesystem::is_directory(path, failed))
            say(option, path + " is no directory", true);
    }

private:
    void say(const char* option, const std::string& what, bool is_error) {
        out_.emplace_back(std::string(is_error ? "error: " : "warning: ") + option + ": " + what,
                          is_error);
    }
    CheckLines& out_;
};

// What either role writes. In the directory of "cd".
template <typename Side, typename Config>
CheckLines check_paths(const Config& c) {
    CheckLines out;
    PathChecks paths(out);
    paths.now("writepid", c.pid_file);
    paths.now("log", c.log.file);
    if (c.management && !c.management->socket_path.empty())
        paths.directory("management", host::directory_of(c.management->socket_path));
    for (const auto& plugin : c.plugins)
        paths.readable("plugin", plugin.path);
    Side::check_paths(paths, c);
    return out;
}

// A line an option: where, which, what becomes of it, and why. What is found about no line comes
// behind them.
template <typename Side>
int check(const std::string& file, const typename Side::Parsed& parsed) {
    for (const auto& line : config::check_report(parsed))
        std::printf("%s\n", line.c_str());
    if (!parsed.ok()) {
        std::printf("%s: not usable\n", file.c_str());
        return kFailed;
    }
    const auto& directory = parsed.config.directory;
    if (!directory.empty() && chdir(directory.c_str()) != 0) {
        std::printf("error: cd: %s: %s\n%s: not usable\n", directory.c_str(), std::strerror(errno),
                    file.c_str());
        return kFailed;
    }
    auto lines = check_paths<Side>(parsed.config);
    const auto more = Side::check_more(parsed.config);
    lines.insert(lines.end(), more.begin(), more.end());
    bool usable = true;
    // Without somebody who says its pass phrase a key cannot be looked at.
    const bool asks = parsed.config.ask_pass_phrase;
    if (auto tls = asks ? std::nullopt : failure_of(Side::make_tls(parsed.config)))
        lines.emplace_back(with_line(*tls, parsed, file), true);
    for (const auto& [line, is_error] : lines) {
        std::printf("%s\n", line.c_str());
        usable = usable && !is_error;
    }
    if (!usable) {
        std::printf("%s: not usable\n", file.c_str());
        return kFailed;
    }
    std::printf("%s: usable\n", file.c_str());
    return kOk;
}

[[noreturn]] void fail(const char* option) {
    throw std::system_error(errno, std::generic_category(), option);
}

// Before privileges are dropped.
void set_up_process(const config::CommonConfig& config) {
    errno = 0;
    if (config.nice != 0 && nice(config.nice) == -1 && errno != 0)
        fail("nice");
    if (!config.mlock)
        return;
    // The limit is for those without CAP_IPC_LOCK, as this process will be.
    const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0)
        fail("mlock: no limit for locked memory (RLIMIT_MEMLOCK)");
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        fail("mlock");
}

void begin(const config::CommonConfig& config, const ServiceNotify& service) {
    log::info("nf-ovpnd {}, {}", NF_OVPND_VERSION, OpenSSL_version(OPENSSL_VERSION));
    if (!service.problem().empty())
        log::warning("NOTIFY_SOCKET: {}", service.problem());
    set_up_process(config);
}

/// The command line, with the files that it names, which are read from where the process was
/// started, however often.
class Source {
public:
    explicit Source(std::vector<std::string> words)
        : words_(std::move(words)), start_(open(".", O_PATH | O_CLOEXEC)) {
        const auto at = std::find(words_.begin(), words_.end(), "--config");
        name_ = at == words_.end() || at + 1 == words_.end() ? "command line" : at[1];
    }
    ~Source() { close(start_); }
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;

    /// For messages.
    [[nodiscard]] const std::string& name() const { return name_; }

    /// Changes to the directory of the start.
    [[nodiscard]] bool go_back() const { return fchdir(start_) == 0; }

    /// What it all says now. There may be an inline key in it, which parsing wipes.
    [[nodiscard]] config::GivenOptions options() const { return config::options_of(words_); }

private:
    std::vector<std::string> words_;
    std::string name_;
    int start_;
};

/// The configuration that is in force, and the next one.
template <typename Side>
class Configurations {
public:
    using Config = decltype(Side::Parsed::config);

    Configurations(const Source& source, config::GivenOptions options)
        : source_(source), now_(load(std::move(options))) {}

    [[nodiscard]] const Source& source() const { return source_; }
    [[nodiscard]] const typename Side::Parsed& parsed() const { return *now_.parsed; }
    [[nodiscard]] std::shared_ptr<const Config> now() const { return config_of(now_); }
    [[nodiscard]] std::shared_ptr<const Config> next() const { return config_of(*next_); }
    /// Of what sessions depend on.
    [[nodiscard]] auto digest() const { return config::digest_for_sessions(now_.options); }
    [[nodiscard]] std::vector<config::OptionChange> changes() const {
        return config::changed_options(now_.options, next_->options);
    }
    void take_next() { before_ = std::exchange(now_, *std::exchange(next_, std::nullopt)); }
    /// The one before that is in force again. False if there is none.
    bool go_back() {
        if (!before_)
            return false;
        now_ = *std::exchange(before_, std::nullopt);
        return true;
    }
    /// The one that is in force has proved itself.
    void forget_before() { before_.reset(); }

    /// That of private keys which somebody is asked for, now and in later configurations: nobody is
    /// asked twice.
    void say_pass_phrase(SecretBytes phrase) {
        phrase_ = std::move(phrase);
        take_pass_phrase(now_.parsed->config);
    }

    /// Reads what the file says now. False if it cannot be used, with the reasons in the log. What
    /// this process has given up when it began cannot be taken back.
    bool read();

private:
    struct Loaded {
        std::shared_ptr<typename Side::Parsed> parsed;
        std::vector<config::OptionDigest> options;
    };

    Loaded load(config::GivenOptions options) {
        // Parsing wipes what is secret in them.
        auto digests = config::digest_options(options.directives);
        Loaded out{std::make_shared<typename Side::Parsed>(Side::parse(std::move(options))),
                   std::move(digests)};
        take_pass_phrase(out.parsed->config);
        return out;
    }
    void take_pass_phrase(Config& config) const {
        if (config.ask_pass_phrase)
            config.pass_phrase = SecretBytes(phrase_.view());
    }
    static std::shared_ptr<const Config> config_of(const Loaded& loaded) {
        return {loaded.parsed, &loaded.parsed->config};
    }
    [[nodiscard]] bool suits(const Config& c) const;

    const Source& source_;
    SecretBytes phrase_;
    Loaded now_;
    std::optional<Loaded> next_;
    std::optional<Loaded> before_;
};

/// A daemon could not begin.
class CannotBegin : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// Makes a daemon.
template <typename Daemon, typename Config, typename Surroundings>
std::unique_ptr<Daemon> make_daemon(const Config& config, const Surroundings& surroundings) {
    try {
        return std::make_unique<Daemon>(config, surroundings);
    } catch (const std::exception& error) {
        throw CannotBegin(error.what());
    }
}

/// Goes on in a process of its own, without a terminal, unless a service manager has started this
/// one and watches it. The one that was started ends when the other is ready, or has failed.
void detach(ServiceNotify& service) {
    if (service.connected()) {
        std::fputs("daemon: a service manager has started this process, which stays in the "
                   "foreground\n",
                   stderr);
        return;
    }
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        fail("daemon");
    const pid_t child = fork();
    if (child < 0)
        fail("daemon");
    if (child > 0) {
        close(ends[1]);
        char ready = 0;
        ssize_t n = -1;
        do {
            n = read(ends[0], &ready, 1);
        } while (n < 0 && errno == EINTR);
        // Whatever there is, is the other one's now.
        if (n == 1)
            _exit(kOk);
        int status = 0;
        waitpid(child, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : kFailed);
    }
    close(ends[0]);
    setsid();
    service.on_ready([end = ends[1]] {
        const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
            dup2(null, fd);
        close(null);
        const char ready = 1;
        static_cast<void>(write(end, &ready, 1) == 1);
        close(end);
    });
}

template <typename Side>
bool Configurations<Side>::read() {
    std::optional<Loaded> loaded;
    if (source_.go_back())
        loaded = load(source_.options());
    else
        log::error("{}: {}", source_.name(), std::strerror(errno));
    for (const auto& finding : loaded ? loaded->parsed->findings : std::vector<config::Finding>{})
        log::emit(finding.severity == config::Severity::Error ? log::Level::Error
                                                              : log::Level::Warning,
                  "{}", describe(source_.name(), finding));
    bool usable = loaded && loaded->parsed->ok();
    try {
        // Where its relative paths begin.
        if (usable)
            enter(loaded->parsed->config.directory);
        usable = usable && suits(loaded->parsed->config);
    } catch (const std::system_error& error) {
        log::error("{}: {}", source_.name(), error.what());
        usable = false;
    }
    if (!source_.go_back())
        throw std::system_error(errno, std::generic_category(), "where it was started");
    enter(now()->directory);
    if (usable)
        next_ = std::move(loaded);
    else
        log::error("{}: cannot be used, and so nothing is changed", source_.name());
    return usable;
}

// What "--check" would say besides, and what this process cannot do any more.
template <typename Side>
bool Configurations<Side>::suits(const Config& c) const {
    bool good = true;
    const auto bad = [&](const std::string& what) {
        log::error("{}: {}", source_.name(), what);
        good = false;
    };
    if (auto tls = Side::make_tls(c); !tls)
        bad(tls.error().what);
    for (const auto& [line, is_error] : Side::check_more(c))
        log::emit(is_error ? log::Level::Error : log::Level::Warning, "{}", line);
    const auto before = now();
    if (c.runs_programs && !before->runs_programs && before->seccomp)
        bad("programs cannot be run before a new start (nf-seccomp)");
    if (c.starts_helper && !before->starts_helper && c.plugins.empty())
        bad("users cannot be verified by PAM before a new start (plugin)");
    if (c.plugins != before->plugins)
        bad("other plug-ins cannot be loaded before a new start (plugin)");
    if (c.log.file != before->log.file && !c.log.file.empty()) {
        constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
        if (const auto why = host::why_not_to_write(c.log.file))
            bad("log: " + *why);
        else if (!Descriptor(open(c.log.file.c_str(), kFlags, 0600)))
            bad("log: " + c.log.file + ": " + std::strerror(errno));
    }
    if (c.run_as != before->run_as || c.seccomp != before->seccomp || c.mlock != before->mlock ||
        c.nice != before->nice)
        log::warning("{}: user, group, nf-seccomp, mlock and nice have effect at a new start only",
                     source_.name());
    return good;
}

management::Settings management_settings(const config::ManagementConfig& c) {
    management::Settings s;
    s.version = std::string("nf-ovpnd ") + NF_OVPND_VERSION;
    s.password = SecretBytes(c.password.view());
    s.log_cache = c.log_cache;
    s.hold = c.hold;
    s.restart_on_disconnect = c.restart_on_disconnect;
    s.unix_time = [] { return static_cast<std::int64_t>(std::time(nullptr)); };
    s.raise = [](int signal) { ::raise(signal); };
    return s;
}

/// The management interface of a role, which gets every line of the log as long as it is there.
template <typename Protocol>
class Management {
public:
    Management(management::Sockets& sockets, management::Settings settings)
        : sockets_(sockets), protocol_(std::move(settings)) {
        log::set_listener(
            [this](log::Level level, std::string_view text) { protocol_.log_line(level, text); });
        protocol_.state(management::State::Connecting);
    }
    ~Management() { log::set_listener(nullptr); }
    Management(const Management&) = delete;
    Management& operator=(const Management&) = delete;

    /// False if a signal says that there is nothing to wait for any more.
    bool wait(ServiceNotify& service) {
        protocol_.begin_hold();
        if (!protocol_.holding())
            return true;
        log::info("management: waiting for \"hold release\"");
        service.ready("waiting for \"hold release\"");
        const auto watchdog = service.watchdog().value_or(std::chrono::seconds(20));
        const int signal = management::wait_for_release(
            sockets_, protocol_, [&] { service.alive(); },
            std::chrono::duration_cast<std::chrono::milliseconds>(watchdog / 2));
        if (signal != 0)
            log::info("SIG{}: stopping", sigabbrev_np(signal));
        return signal == 0;
    }

    management::Sockets& sockets() { return sockets_; }
    Protocol& protocol() { return protocol_; }

private:
    management::Sockets& sockets_;
    Protocol protocol_;
};

// Of a secret, by which it is known again.
std::string digest_of(ByteView secret) {
    std::array<unsigned char, 32> digest{};
    if (EVP_Digest(secret.data(), secret.size(), digest.data(), nullptr, EVP_sha256(), nullptr) !=
        1)
        throw std::runtime_error("no SHA-256");
    return fmt::format("{:02x}", fmt::join(digest, ""));
}

// With its client, as long as the configuration says the same about it.
template <typename Protocol>
Management<Protocol>& kept_management(host::Keeper& keeper, const config::ManagementConfig& c,
                                      management::Settings settings) {
    const auto number = [](const std::optional<std::uint32_t>& id) {
        return id ? std::to_string(*id) : "*";
    };
    const auto where =
        fmt::format("{} {} {} {} {}", c.socket_path, c.listen ? to_string(*c.listen) : "*",
                    c.password.empty(), number(c.client_user), number(c.client_group));
    auto& sockets = keeper.keep<management::Sockets>("management sockets", where, [&] {
        return std::make_unique<management::Sockets>(management::Listen{
            c.socket_path, c.listen, !c.password.empty(), c.client_user, c.client_group});
    });
    const auto how =
        fmt::format("{} {} {} {} {} {}", where, digest_of(c.password.view()), c.log_cache, c.hold,
                    c.restart_on_disconnect, settings.forget_on_disconnect);
    return keeper.keep<Management<Protocol>>("management", how, [&] {
        // Whoever was there has not said a password that is new.
        sockets.close_client();
        return std::make_unique<Management<Protocol>>(sockets, std::move(settings));
    });
}

/// The process for plug-ins, of either role: started by the first configuration, as long as there
/// are privileges. A configuration with others is not taken.
class PluginsOfProcess {
public:
    /// Null: there are none. Throws std::runtime_error.
    host::PluginProcess* of(const config::CommonConfig& config, const std::string& file) {
        if (config.plugins.empty())
            return nullptr;
        if (!process_)
            process_.emplace(config.plugins, file, host::environment(config, config.device));
        return &*process_;
    }

private:
    std::optional<host::PluginProcess> process_;
};

/// The server's side.
struct ServerSide {
    using Parsed = config::ParsedConfig;
    static Parsed parse(config::GivenOptions options) {
        return config::parse_server_config(std::move(options));
    }
    static auto make_tls(const config::ServerConfig& config) { return server::make_tls(config); }
    static CheckLines check_more(const config::ServerConfig& config) {
        auto out = check_client_files(config.client_config_dir);
        PathChecks(out).directory("client-config-dir", config.client_config_dir);
        return out;
    }
    static void check_paths(PathChecks& paths, const config::ServerConfig& config) {
        paths.now("status", config.status_file);
        paths.now("ifconfig-pool-persist", config.pool_file_seconds > 0 ? config.pool_file : "");
        if (!config.control_socket.empty())
            paths.directory("nf-control", host::directory_of(config.control_socket));
    }

    void prepare(const config::ServerConfig&) {}

    /// What the service manager has kept of a process before, and will keep of this one.
    void store(const ServiceNotify& service, std::vector<NamedDescriptor> given) {
        store_.emplace(service, std::move(given));
    }

    /// Serves by one configuration after the other, as far as one daemon can.
    End run(host::Keeper& keeper, Configurations<ServerSide>& configurations,
            ServiceNotify& service) {
        auto config = configurations.now();
        server::Surroundings surroundings;
        surroundings.keeper = &keeper;
        surroundings.service = &service;
        surroundings.reload = [&]() -> std::optional<server::Reloaded> {
            if (!configurations.read())
                return std::nullopt;
            return server::Reloaded{configurations.next(), configurations.changes(), [&] {
                                        configurations.take_next();
                                        configurations.forget_before();
                                        config = configurations.now();
                                    }};
        };
        Management<management::ServerProtocol>* management = nullptr;
        if (config->management) {
            management = &kept_management<management::ServerProtocol>(
                keeper, *config->management, management_settings(*config->management));
            surroundings.sockets = &management->sockets();
            surroundings.protocol = &management->protocol();
        }
        surroundings.pam = pam_process(config->pam);
        surroundings.plugins = plugins_.of(*config, configurations.source().name());
        surroundings.store = &*store_;
        bool left = false;
        auto end = server::End::Restart;
        while (end == server::End::Restart) {
            if (management && !management->wait(service))
                return End::Stop;
            surroundings.digest = configurations.digest();
            const auto daemon = make_daemon<server::Daemon>(config, surroundings);
            configurations.forget_before();
            end = daemon->run();
            left = daemon->leaves_sessions();
        }
        // Device and socket are the Keeper's, and go with the process.
        if ((end == server::End::Stop || end == server::End::Failed) && !left)
            store_->empty();
        if (end == server::End::Failed)
            return End::Failed;
        return end == server::End::Reload ? End::Reload : End::Stop;
    }

private:
    // Started by the first configuration, as long as there are privileges.
    server::PamProcess* pam_process(const std::optional<config::PamConfig>& config) {
        if (!config)
            return nullptr;
        if (!pam_)
            pam_.emplace(*config);
        else if (pam_->config() != *config)
            log::warning("plugin: what is told to PAM has effect at a new start only");
        return &*pam_;
    }

    std::optional<server::SessionStore> store_;
    std::optional<server::PamProcess> pam_;
    PluginsOfProcess plugins_;
};

/// The client's side.
struct ClientSide {
    using Parsed = config::ParsedClientConfig;
    static Parsed parse(config::GivenOptions options) {
        return config::parse_client_config(std::move(options));
    }
    static auto make_tls(const config::ClientConfig& config) { return client::make_tls(config); }
    static CheckLines check_more(const config::ClientConfig&) { return {}; }
    static void check_paths(PathChecks&, const config::ClientConfig&) {}
    void store(const ServiceNotify&, const std::vector<NamedDescriptor>&) {}

    void prepare(const config::ClientConfig& config) {
        const bool by_management = config.management && config.query_management;
        if (config.ask_user && !by_management)
            ask_.emplace();
    }

    End run(host::Keeper& keeper, Configurations<ClientSide>& configurations,
            ServiceNotify& service) {
        const auto config = configurations.now();
        client::Surroundings surroundings;
        surroundings.keeper = &keeper;
        surroundings.plugins = plugins_.of(*config, configurations.source().name());
        surroundings.service = &service;
        surroundings.reload = [&] { return configurations.read(); };
        const bool by_management = config->management && config->query_management;
        if (config->ask_user && !by_management && !ask_)
            log::warning("auth-user-pass: before a new start nobody is asked");
        else if (config->ask_user && !by_management)
            surroundings.ask = &*ask_;
        if (config->management) {
            auto settings = management_settings(*config->management);
            settings.forget_on_disconnect = config->forget_on_disconnect;
            auto& management = kept_management<management::ClientProtocol>(
                keeper, *config->management, std::move(settings));
            surroundings.sockets = &management.sockets();
            surroundings.protocol = &management.protocol();
            for (const auto& text : config->echo)
                management.protocol().echo(text);
        }
        const auto daemon = make_daemon<client::Daemon>(*config, surroundings);
        configurations.forget_before();
        switch (daemon->run()) {
        case client::End::Stop:
            return End::Stop;
        case client::End::Reload:
            return End::Reload;
        case client::End::Failed:
            return End::Failed;
        }
        return End::Failed;
    }

private:
    // Started by the first configuration, as long as there are privileges.
    std::optional<client::AskProcess> ask_;
    PluginsOfProcess plugins_;
};

// That of the private key. Throws std::runtime_error.
SecretBytes ask_pass_phrase() {
    auto answer = client::ask_somebody("Enter Private Key Password:", false);
    if (!answer)
        throw std::runtime_error("askpass: " + answer.error().why);
    return std::move(*answer);
}

template <typename Side>
int run(Configurations<Side>& configurations) {
    const auto& source = configurations.source();
    for (const auto& finding : configurations.parsed().findings)
        std::fprintf(stderr, "%s\n", describe(source.name(), finding).c_str());
    if (!configurations.parsed().ok())
        return kBadConfiguration;
    auto given = take_listen_descriptors();
    auto service = ServiceNotify::from_environment();
    Side side;
    side.store(service, std::move(given));
    try {
        // While there is a terminal.
        if (configurations.now()->ask_pass_phrase)
            configurations.say_pass_phrase(ask_pass_phrase());
        side.prepare(*configurations.now());
        if (configurations.now()->detach)
            detach(service);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return kFailed;
    }
    // Between two daemons nobody waits for signals; these are then kept for the next one.
    asio::io_context nobody;
    asio::signal_set kept(nobody, SIGHUP, SIGUSR1, SIGUSR2);
    kept.add(SIGTERM);
    kept.add(SIGINT);
    try {
        host::Keeper keeper;
        log::Target log_before;
        for (bool first = true;; first = false) {
            const auto config = configurations.now();
            if (!source.go_back())
                throw std::system_error(errno, std::generic_category(), "where it was started");
            enter(config->directory);
            auto target = config->log;
            // Without a terminal nobody would see it elsewhere.
            target.syslog = target.syslog || (config->detach && !service.connected());
            host::open_log(target, first, log_before);
            log_before = target;
            log::set_verb(config->verb);
            if (first)
                begin(*config, service);
            keeper.begin();
            auto end = End::Reload;
            try {
                end = side.run(keeper, configurations, service);
            } catch (const CannotBegin& error) {
                if (!configurations.go_back())
                    throw;
                log::error("{}; going on with the configuration before", error.what());
                continue;
            }
            if (end != End::Reload)
                return end == End::Stop ? kOk : kFailed;
            configurations.take_next();
        }
    } catch (const std::exception& e) {
        log::error("{}", e.what());
        return kFailed;
    }
}

template <typename Side>
int check_or_run(const Source& source, config::GivenOptions options, bool only_check) {
    Configurations<Side> configurations(source, std::move(options));
    return only_check ? check<Side>(source.name(), configurations.parsed())
                      : run<Side>(configurations);
}

constexpr const char* kVersion = "nf-ovpnd " NF_OVPND_VERSION "\n";
constexpr const char* kHelp =
    "nf-ovpnd: OpenVPN server or client whose data channel runs in the kernel, in nf_ovpn, where\n"
    "there is one\n"
    "\n"
    "nf-ovpnd [--config] FILE [--OPTION WORD...]...\n"
    "nf-ovpnd --OPTION WORD... [--OPTION WORD...]...\n"
    "                    serve, or connect; options are those of OpenVPN\n"
    "nf-ovpnd --check FILE [--OPTION WORD...]...\n"
    "                    say what becomes of each option of the configuration, and stop\n"
    "nf-ovpnd --help-options\n"
    "                    say what becomes of which option of OpenVPN\n"
    "nf-ovpnd --version  say which release this is\n"
    "nf-ovpnd --help     say this\n"
    "\n"
    "Signals: TERM, INT stop; HUP reads the configuration again, and clients stay if\n"
    "they can; USR1 lets clients connect anew; USR2 writes the status to the log.\n"
    "Exit status: 0 well, 1 failed or not usable, 2 wrong configuration or\n"
    "command line.\n";

/// What stands behind the program's name.
struct CommandLine {
    bool help = false;
    bool help_options = false;
    bool version = false;
    bool check = false;
    std::vector<std::string> words; ///< OpenVPN's
};

CommandLine command_line(const std::vector<std::string>& words) {
    CommandLine out;
    bool names_file = true; // a word here is a file
    for (const auto& word : words) {
        const bool is_option = word.starts_with("--");
        if (word == "--help" || word == "-h") {
            out.help = true;
        } else if (word == "--help-options") {
            out.help_options = true;
        } else if (word == "--version") {
            out.version = true;
        } else if (word == "--check") {
            out.check = true;
        } else if (!is_option && names_file) {
            out.words.insert(out.words.end(), {"--config", word});
        } else {
            out.words.push_back(word);
        }
        names_file = word == "--check";
    }
    return out;
}

} // namespace

int main(int argc, char** argv) {
    // Not for people: see pam/helper.h.
    if (argc > 1 && std::string_view(argv[1]) == pam::kHelperOption) {
        const auto config = pam::from_words({argv + 1, argv + argc});
        return config ? pam::serve(STDIN_FILENO, *config) : kBadConfiguration;
    }
    if (argc > 1 && std::string_view(argv[1]) == plugin::kHelperOption)
        return plugin::serve();
    if (argc > 1 && std::string_view(argv[1]) == client::kAskOption)
        return client::serve_questions(STDIN_FILENO);
    const auto line = command_line({argv + 1, argv + argc});
    if (line.help || line.version) {
        std::fputs(line.help ? kHelp : kVersion, stdout);
        return kOk;
    }
    if (line.help_options) {
        std::fputs(config::options_as_text().c_str(), stdout);
        return kOk;
    }
    if (line.words.empty()) {
        std::fputs("no configuration is named: nf-ovpnd FILE\n", stderr);
        return kBadConfiguration;
    }
    const Source source(line.words);
    auto options = source.options();
    return config::role_of(options) == config::Role::Client
               ? check_or_run<ClientSide>(source, std::move(options), line.check)
               : check_or_run<ServerSide>(source, std::move(options), line.check);
}
