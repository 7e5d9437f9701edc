// SPDX-License-Identifier: GPL-2.0-or-later
//
// nf-ovpnd: the command line.
//
//     nf-ovpnd [--config] FILE     serve
//     nf-ovpnd --check FILE        say what becomes of each option, and stop
//     nf-ovpnd --help-options      say what becomes of which option of OpenVPN
//
// Exit status: 0 all well · 1 something failed while starting or running, or --check found that it
// would · 2 the command line or the configuration is wrong.

#include "config/server_config.h"
#include "server/daemon.h"
#include "util/log.h"

#include <CLI/CLI.hpp>
#include <openssl/crypto.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <system_error>

namespace {

using namespace nfovpn;

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kBadConfiguration = 2;

log::Level level_of(int verb) {
    if (verb == 0)
        return log::Level::Error;
    return verb <= 3 ? log::Level::Info : log::Level::Debug;
}

// A line an option: where, which, what becomes of it, and why. What is found about no line comes
// behind them.
int check(const std::string& file, const config::ParsedConfig& parsed) {
    for (const auto& line : config::check_report(parsed))
        std::printf("%s\n", line.c_str());
    if (!parsed.ok()) {
        std::printf("%s: not usable\n", file.c_str());
        return kFailed;
    }
    if (auto tls = server::make_tls(parsed.config); !tls) {
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
void set_up_process(const config::ServerConfig& config) {
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

int serve(const std::string& file, const config::ParsedConfig& parsed) {
    for (const auto& finding : parsed.findings)
        std::fprintf(stderr, "%s\n", describe(file, finding).c_str());
    if (!parsed.ok())
        return kBadConfiguration;
    const auto& config = parsed.config;
    if (!config.directory.empty() && chdir(config.directory.c_str()) != 0) {
        std::fprintf(stderr, "cd %s: %s\n", config.directory.c_str(), std::strerror(errno));
        return kFailed;
    }
    try {
        log::open(config.log);
        log::set_level(level_of(config.verb));
        log::info("nf-ovpnd {}, {}", NF_OVPND_VERSION, OpenSSL_version(OPENSSL_VERSION));
        set_up_process(config);
        server::Daemon(config).run();
        return kOk;
    } catch (const std::exception& e) {
        log::error("{}", e.what());
        return kFailed;
    }
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "nf-ovpnd: OpenVPN server whose data channel runs in the kernel, in nf_ovpn, where "
        "there is one"};
    std::string file;
    bool only_check = false;
    bool help_options = false;
    app.add_option("--config,FILE", file, "configuration in OpenVPN's syntax");
    app.add_flag("--check", only_check,
                 "say what becomes of each option of the configuration, and stop");
    app.add_flag("--help-options", help_options, "say what becomes of which option of OpenVPN");
    app.set_version_flag("--version", std::string("nf-ovpnd ") + NF_OVPND_VERSION);
    app.footer(
        "Signals: TERM, INT stop; USR2 writes the status to the log.\n"
        "Exit status: 0 well, 1 failed or not usable, 2 wrong configuration or command line.");
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
    std::string why;
    auto text = config::read_file(file, why);
    if (!text) {
        std::fprintf(stderr, "%s: %s\n", file.c_str(), why.c_str());
        return only_check ? kFailed : kBadConfiguration;
    }
    auto parsed = config::parse_server_config(*text);
    // An inline key.
    OPENSSL_cleanse(text->data(), text->size());
    return only_check ? check(file, parsed) : serve(file, parsed);
}
