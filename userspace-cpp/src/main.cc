// SPDX-License-Identifier: GPL-2.0-or-later
//
// nf-ovpnd: the command line.
//
//     nf-ovpnd [--config] FILE     serve, or connect if the file is a client's
//     nf-ovpnd --check FILE        say what becomes of each option, and stop
//     nf-ovpnd --help-options      say what becomes of which option of OpenVPN
//
// A daemon runs until a signal ends it. After SIGUSR1 another one begins with the same
// configuration, after SIGHUP one with what the file says now; the management interface stays open
// from one to the next in the first case. A client goes on by itself after SIGUSR1.
//
// Exit status: 0 all well · 1 something failed while starting or running, or --check found that it
// would · 2 the command line or the configuration is wrong.

#include "client/daemon.h"
#include "config/client_config.h"
#include "config/server_config.h"
#include "host/files.h"
#include "management/client_protocol.h"
#include "management/server.h"
#include "management/server_protocol.h"
#include "pam/helper.h"
#include "server/daemon.h"
#include "util/log.h"
#include "util/secret.h"
#include "util/service_notify.h"

#include <CLI/CLI.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <openssl/crypto.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
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
    bool usable = true;
    for (const auto& [line, is_error] : Side::check_more(parsed.config)) {
        std::printf("%s\n", line.c_str());
        usable = usable && !is_error;
    }
    if (!usable) {
        std::printf("%s: not usable\n", file.c_str());
        return kFailed;
    }
    if (auto tls = Side::make_tls(parsed.config); !tls) {
        std::printf("%s: error: %s\n", file.c_str(), tls.error().what.c_str());
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

/// The configuration's file, read from where the process was started, however often.
class Source {
public:
    explicit Source(const std::string& file) : file_(file), start_(open(".", O_PATH | O_CLOEXEC)) {}
    ~Source() { close(start_); }
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;

    [[nodiscard]] const std::string& file() const { return file_; }

    /// Changes to the directory of the start.
    [[nodiscard]] bool go_back() const { return fchdir(start_) == 0; }

    /// What the file says now. Nothing if it cannot be read, with the reason. It may have an inline
    /// key: whoever asks for it wipes it.
    std::optional<std::string> text(std::string& why) const {
        return config::read_file(file_, why);
    }

private:
    std::string file_;
    int start_;
};

void enter(const std::string& directory) {
    if (!directory.empty() && chdir(directory.c_str()) != 0)
        throw std::system_error(errno, std::generic_category(), "cd " + directory);
}

template <typename Side>
typename Side::Parsed parse(std::string& text) {
    auto parsed = Side::parse(text);
    wipe(text);
    return parsed;
}

/// What the file says now. Nothing if it cannot be used, with the reasons in the log. What this
/// process has given up when it began by @p now the first time it cannot take back.
template <typename Side>
std::optional<typename Side::Parsed> read_again(const Source& source,
                                                const config::CommonConfig& now) {
    std::string why;
    std::optional<std::string> text;
    if (source.go_back())
        text = source.text(why);
    else
        why = std::strerror(errno);
    std::optional<typename Side::Parsed> next;
    if (text)
        next = parse<Side>(*text);
    else
        log::error("{}: {}", source.file(), why);
    for (const auto& finding : next ? next->findings : std::vector<config::Finding>{})
        log::emit(finding.severity == config::Severity::Error ? log::Level::Error
                                                              : log::Level::Warning,
                  "{}", describe(source.file(), finding));
    bool usable = next && next->ok();
    if (usable) {
        auto tls = Side::make_tls(next->config);
        if (!tls)
            log::error("{}: {}", source.file(), tls.error().what);
        usable = static_cast<bool>(tls);
        const auto& c = next->config;
        if (c.runs_programs && !now.runs_programs && now.seccomp) {
            log::error("{}: programs cannot be run before a new start (nf-seccomp)", source.file());
            usable = false;
        }
        if (c.starts_helper && !now.starts_helper) {
            log::error("{}: users cannot be verified by PAM before a new start (plugin)",
                       source.file());
            usable = false;
        }
        if (c.run_as != now.run_as || c.seccomp != now.seccomp || c.mlock != now.mlock ||
            c.nice != now.nice)
            log::warning("{}: user, group, nf-seccomp, mlock and nice have effect at a new start "
                         "only",
                         source.file());
    }
    enter(now.directory);
    if (usable)
        return next;
    log::error("{}: cannot be used, and so nothing is changed", source.file());
    return std::nullopt;
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
    Management(const config::ManagementConfig& c, management::Settings settings)
        : sockets_(where(c)), protocol_(std::move(settings)) {
        log::set_listener(
            [this](log::Level level, std::string_view text) { protocol_.log_line(level, text); });
        protocol_.state(management::State::Connecting);
    }
    ~Management() { log::set_listener(nullptr); }
    Management(const Management&) = delete;
    Management& operator=(const Management&) = delete;

    /// False if a signal says that there is nothing to wait for any more.
    bool wait(const ServiceNotify& service) {
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
    static management::Listen where(const config::ManagementConfig& c) {
        return {c.socket_path, c.listen, !c.password.empty(), c.client_user, c.client_group};
    }

    management::Sockets sockets_;
    Protocol protocol_;
};

/// The server's side.
struct ServerSide {
    using Parsed = config::ParsedConfig;
    static Parsed parse(const std::string& text) { return config::parse_server_config(text); }
    static auto make_tls(const config::ServerConfig& config) { return server::make_tls(config); }
    static CheckLines check_more(const config::ServerConfig& config) {
        return check_client_files(config.client_config_dir);
    }

    /// Serves by one configuration. @p reload reads the next one.
    End run(const config::ServerConfig& config, ServiceNotify& service,
            std::function<bool()> reload) {
        std::optional<Management<management::ServerProtocol>> management;
        server::Surroundings surroundings;
        surroundings.service = &service;
        surroundings.reload = std::move(reload);
        if (config.management) {
            management.emplace(*config.management, management_settings(*config.management));
            surroundings.sockets = &management->sockets();
            surroundings.protocol = &management->protocol();
        }
        surroundings.pam = pam_process(config.pam);
        auto end = server::End::Restart;
        while (end == server::End::Restart) {
            if (management && !management->wait(service))
                return End::Stop;
            end = server::Daemon(config, surroundings).run();
        }
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

    std::optional<server::PamProcess> pam_;
};

/// The client's side.
struct ClientSide {
    using Parsed = config::ParsedClientConfig;
    static Parsed parse(const std::string& text) { return config::parse_client_config(text); }
    static auto make_tls(const config::ClientConfig& config) { return client::make_tls(config); }
    static CheckLines check_more(const config::ClientConfig&) { return {}; }

    End run(const config::ClientConfig& config, ServiceNotify& service,
            std::function<bool()> reload) {
        std::optional<Management<management::ClientProtocol>> management;
        client::Surroundings surroundings;
        surroundings.service = &service;
        surroundings.reload = std::move(reload);
        if (config.management) {
            auto settings = management_settings(*config.management);
            settings.forget_on_disconnect = config.forget_on_disconnect;
            management.emplace(*config.management, std::move(settings));
            surroundings.sockets = &management->sockets();
            surroundings.protocol = &management->protocol();
            for (const auto& text : config.echo)
                management->protocol().echo(text);
        }
        switch (client::Daemon(config, surroundings).run()) {
        case client::End::Stop:
            return End::Stop;
        case client::End::Reload:
            return End::Reload;
        case client::End::Failed:
            return End::Failed;
        }
        return End::Failed;
    }
};

template <typename Side>
int run(const Source& source, typename Side::Parsed parsed) {
    for (const auto& finding : parsed.findings)
        std::fprintf(stderr, "%s\n", describe(source.file(), finding).c_str());
    if (!parsed.ok())
        return kBadConfiguration;
    auto service = ServiceNotify::from_environment();
    // Between two daemons nobody waits for signals; these are then kept for the next one.
    asio::io_context nobody;
    asio::signal_set kept(nobody, SIGHUP, SIGUSR1, SIGUSR2);
    kept.add(SIGTERM);
    kept.add(SIGINT);
    try {
        Side side;
        for (bool first = true;; first = false) {
            const auto& config = parsed.config;
            if (!source.go_back())
                throw std::system_error(errno, std::generic_category(), "where it was started");
            enter(config.directory);
            auto target = config.log;
            target.append = target.append || !first;
            if (const auto why = host::why_not_to_write(target.file); why && !target.file.empty())
                throw std::runtime_error(*why);
            log::open(target);
            log::set_verb(config.verb);
            if (first)
                begin(config, service);
            std::optional<typename Side::Parsed> next;
            const auto end = side.run(config, service, [&] {
                next = read_again<Side>(source, config);
                return next.has_value();
            });
            if (end != End::Reload)
                return end == End::Stop ? kOk : kFailed;
            parsed = std::move(*next);
        }
    } catch (const std::exception& e) {
        log::error("{}", e.what());
        return kFailed;
    }
}

template <typename Side>
int check_or_run(const Source& source, std::string& text, bool only_check) {
    auto parsed = parse<Side>(text);
    return only_check ? check<Side>(source.file(), parsed) : run<Side>(source, std::move(parsed));
}

} // namespace

int main(int argc, char** argv) {
    // Not for people: see pam/helper.h.
    if (argc > 1 && std::string_view(argv[1]) == pam::kHelperOption) {
        const auto config = pam::from_words({argv + 1, argv + argc});
        return config ? pam::serve(STDIN_FILENO, *config) : kBadConfiguration;
    }
    CLI::App app{
        "nf-ovpnd: OpenVPN server or client whose data channel runs in the kernel, in nf_ovpn, "
        "where there is one"};
    std::string file;
    bool only_check = false;
    bool help_options = false;
    app.add_option("--config,FILE", file, "configuration in OpenVPN's syntax");
    app.add_flag("--check", only_check,
                 "say what becomes of each option of the configuration, and stop");
    app.add_flag("--help-options", help_options, "say what becomes of which option of OpenVPN");
    app.set_version_flag("--version", std::string("nf-ovpnd ") + NF_OVPND_VERSION);
    app.footer("Signals: TERM, INT stop; HUP reads the configuration again, USR1 does not, and\n"
               "both let clients connect anew; USR2 writes the status to the log.\n"
               "Exit status: 0 well, 1 failed or not usable, 2 wrong configuration or\n"
               "command line.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? kOk : kBadConfiguration;
    }

    if (help_options) {
        std::fputs(config::options_as_text().c_str(), stdout);
        return kOk;
    }
    if (file.empty()) {
        std::fputs("no configuration is named: nf-ovpnd FILE\n", stderr);
        return kBadConfiguration;
    }
    const Source source(file);
    std::string why;
    auto text = source.text(why);
    if (!text) {
        std::fprintf(stderr, "%s: %s\n", file.c_str(), why.c_str());
        return only_check ? kFailed : kBadConfiguration;
    }
    return config::role_of(*text) == config::Role::Client
               ? check_or_run<ClientSide>(source, *text, only_check)
               : check_or_run<ServerSide>(source, *text, only_check);
}
