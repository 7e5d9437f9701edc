// SPDX-License-Identifier: GPL-2.0-or-later
//
// spdlog behind log.h: one logger, single-threaded, a line flushed as soon as it is written, so
// that what a crash leaves behind is complete.

#include "util/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <stdexcept>
#include <utility>

namespace nfovpn::log {

namespace {

spdlog::level::level_enum native(Level level) {
    switch (level) {
    case Level::Debug:
        return spdlog::level::debug;
    case Level::Info:
        return spdlog::level::info;
    case Level::Warning:
        return spdlog::level::warn;
    case Level::Error:
        return spdlog::level::err;
    case Level::Off:
        break;
    }
    return spdlog::level::off;
}

int current_verb = 3;
std::function<void(Level, std::string_view)> current_listener;

} // namespace

void open(const std::string& file, bool append) {
    try {
        spdlog::sink_ptr sink;
        if (file.empty())
            sink = std::make_shared<spdlog::sinks::stdout_color_sink_st>();
        else
            sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(file, !append);
        auto logger = std::make_shared<spdlog::logger>("nf-ovpnd", std::move(sink));
        logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
        logger->flush_on(spdlog::level::debug);
        logger->set_level(spdlog::default_logger()->level());
        spdlog::set_default_logger(std::move(logger));
    } catch (const spdlog::spdlog_ex& e) {
        throw std::runtime_error(e.what());
    }
}

void set_level(Level level) {
    spdlog::default_logger()->set_level(native(level));
}

bool enabled(Level level) {
    return spdlog::default_logger()->should_log(native(level));
}

void set_verb(int verb) {
    current_verb = verb;
    if (verb == 0)
        set_level(Level::Error);
    else
        set_level(verb <= 3 ? Level::Info : Level::Debug);
}

int verb() {
    return current_verb;
}

void set_listener(std::function<void(Level, std::string_view)> listener) {
    current_listener = std::move(listener);
}

void write(Level level, std::string_view text) {
    spdlog::default_logger()->log(native(level), text);
    if (current_listener)
        current_listener(level, text);
}

} // namespace nfovpn::log
