// SPDX-License-Identifier: GPL-2.0-or-later
//
// spdlog behind log.h: one logger, single-threaded, a line flushed as soon as it is written, so
// that what a crash leaves behind is complete.

#include "util/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <spdlog/spdlog.h>

#include <syslog.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
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

// What OpenVPN's machine-readable lines have behind the time: M_NONFATAL, M_WARN, the level of
// M_INFO, M_DEBUG.
class OpenVpnFlags final : public spdlog::custom_flag_formatter {
public:
    void format(const spdlog::details::log_msg& message, const std::tm&,
                spdlog::memory_buf_t& out) override {
        std::string_view flags = "80";
        if (message.level >= spdlog::level::err)
            flags = "20";
        else if (message.level == spdlog::level::warn)
            flags = "40";
        else if (message.level == spdlog::level::info)
            flags = "1";
        out.append(flags.data(), flags.data() + flags.size());
    }
    [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
        return std::make_unique<OpenVpnFlags>();
    }
};

std::unique_ptr<spdlog::formatter> formatter(Stamp stamp) {
    auto out = std::make_unique<spdlog::pattern_formatter>();
    out->add_flag<OpenVpnFlags>('*');
    if (stamp == Stamp::Machine)
        out->set_pattern("%E.%f %* %v");
    else
        out->set_pattern(stamp == Stamp::None ? "%^%l%$ %v" : "%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
    return out;
}

// Consecutive lines of one kind, for Target::mute.
struct Run {
    unsigned limit = 0;
    const void* kind = nullptr;
    unsigned length = 0;
};

Run& run() {
    static Run the_run;
    return the_run;
}

// Whether a line is one too many. The end of a run says how many there were.
bool muted(const void* kind) {
    auto& r = run();
    if (kind != r.kind) {
        if (r.length > r.limit)
            spdlog::default_logger()->info("{} more of that kind, muted", r.length - r.limit);
        r.kind = kind;
        r.length = 0;
    }
    return ++r.length > r.limit;
}
// Lines of one kind that peers cause, in the ten seconds since "begun".
struct PeerLines {
    std::chrono::steady_clock::time_point begun;
    unsigned written = 0;
    std::uint64_t left_out = 0;
};
constexpr auto kPeerPeriod = std::chrono::seconds(10);

// There are as many as there are formats in the program.
std::map<const void*, PeerLines>& peer_lines() {
    static std::map<const void*, PeerLines> all;
    return all;
}

int current_verb = 3;
std::function<void(Level, std::string_view)> current_listener;

} // namespace

void open(const Target& target) {
    try {
        spdlog::sink_ptr sink;
        if (!target.file.empty())
            sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(target.file, !target.append);
        else if (target.syslog)
            sink = std::make_shared<spdlog::sinks::syslog_sink_st>(target.name, LOG_PID, LOG_DAEMON,
                                                                   false);
        else
            sink = std::make_shared<spdlog::sinks::stdout_color_sink_st>();
        auto logger = std::make_shared<spdlog::logger>("nf-ovpnd", std::move(sink));
        logger->set_formatter(formatter(target.stamp));
        logger->flush_on(spdlog::level::debug);
        logger->set_level(spdlog::default_logger()->level());
        spdlog::set_default_logger(std::move(logger));
        run() = {target.mute, nullptr, 0};
        peer_lines().clear();
    } catch (const spdlog::spdlog_ex& e) {
        throw std::runtime_error(e.what());
    }
}

bool reformat(const Target& target) {
    auto logger = spdlog::default_logger();
    if (logger->sinks().empty() ||
        !std::dynamic_pointer_cast<spdlog::sinks::basic_file_sink_st>(logger->sinks().front()))
        return false;
    logger->set_formatter(formatter(target.stamp));
    run() = {target.mute, nullptr, 0};
    return true;
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

void set_mute(unsigned lines) {
    run().limit = lines;
}

unsigned mute() {
    return run().limit;
}

void set_listener(std::function<void(Level, std::string_view)> listener) {
    current_listener = std::move(listener);
}

namespace {

// The number of bytes of the character that text begins with; 0 if it is none that prints: a
// control character (of C1 too, which terminals obey) or a byte that is no UTF-8.
std::size_t printable_length(std::string_view text) {
    const auto at = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const unsigned first = at(0);
    if (first < 0x80)
        return (first >= 0x20 && first != 0x7f) || first == '\t' ? 1 : 0;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    for (std::size_t i = 1; i < length; i++) {
        if ((at(i) & 0xc0) != 0x80)
            return 0;
    }
    // Overlong forms, surrogates, beyond the last one.
    if ((first == 0xc2 && at(1) < 0xa0) || (first == 0xe0 && at(1) < 0xa0) ||
        (first == 0xed && at(1) > 0x9f) || (first == 0xf0 && at(1) < 0x90) ||
        (first == 0xf4 && at(1) > 0x8f))
        return 0;
    return length;
}

constexpr std::size_t kLongestLine = 8192;

} // namespace

std::string one_line(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty() && out.size() < kLongestLine) {
        const auto length = printable_length(text);
        if (length == 0)
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
        else
            out += text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

bool peer_may_write(Level level, const void* kind) {
    auto& lines = peer_lines()[kind];
    const auto now = std::chrono::steady_clock::now();
    if (now - lines.begun >= kPeerPeriod) {
        const auto left_out = std::exchange(lines.left_out, 0);
        lines.begun = now;
        lines.written = 0;
        if (left_out > 0)
            emit(level, "{} more lines like the next one were left out", left_out);
    }
    if (lines.written == kPeerLines) {
        lines.left_out++;
        return false;
    }
    lines.written++;
    return true;
}

void write(Level level, const void* kind, std::string_view raw) {
    const auto text = one_line(raw);
    // Errors are never too many.
    if (run().limit == 0 || level == Level::Error || !muted(kind))
        spdlog::default_logger()->log(native(level), text);
    if (current_listener)
        current_listener(level, text);
}

} // namespace nfovpn::log
