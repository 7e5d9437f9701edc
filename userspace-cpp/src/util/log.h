// SPDX-License-Identifier: GPL-2.0-or-later
//
// Log lines. A thin front to spdlog, so that its header is compiled once and not in every file.
// Nothing secret may be passed to these functions. Text that a peer wrote may be: what could end a
// line, or would be understood by a terminal, is escaped here.
#pragma once

#include <fmt/core.h>

#include <functional>
#include <string>
#include <string_view>

namespace nfovpn::log {

enum class Level { Debug, Info, Warning, Error, Off };

/// What is in front of each line. Syslog has stamps of its own.
enum class Stamp {
    LocalTime, ///< and the level
    None,      ///< the level alone
    Machine    ///< seconds since 1970 with six digits behind the point, OpenVPN's flags in hex
};

/// Where lines go, and how.
struct Target {
    std::string file; ///< empty: standard output
    bool append = false;
    bool syslog = false; ///< unless there is a file
    std::string name = "nf-ovpnd";
    Stamp stamp = Stamp::LocalTime;
    unsigned mute =
        0; ///< of more consecutive lines of one kind only the number is written; 0: never
};

/// Sends lines there. Throws std::runtime_error when the file cannot be opened.
void open(const Target& target);

/// Goes on in the file that is open, by what else @p target says. False if none is.
bool reformat(const Target& target);

/// Lines below this level are dropped.
void set_level(Level level);
bool enabled(Level level);

/// The same by OpenVPN's measure, 0 (errors only) to 15.
void set_verb(int verb);
int verb();

/// Of more than so many consecutive lines of one kind only the number is written; 0: never.
void set_mute(unsigned lines);
unsigned mute();

/// Gets every line that is written as well; nothing for nobody. It must not write any itself.
void set_listener(std::function<void(Level, std::string_view)> listener);

/// Control characters but the tab as "\\x0a"; and what is not UTF-8, or too long for a line.
std::string one_line(std::string_view text);

/// Writes one line. Lines of one kind have the same @p kind, the address of their format.
void write(Level level, const void* kind, std::string_view text);

template <typename... Args>
void emit(Level level, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(level))
        write(level, fmt::string_view(format).data(),
              fmt::format(format, std::forward<Args>(args)...));
}

/// Whether one more line of a kind may be written that a peer causes. So many in ten seconds may,
/// so that nobody fills a disk; the first one after some that were left out says how many.
bool peer_may_write(Level level, const void* kind);
inline constexpr unsigned kPeerLines = 50;

/// As emit(), for what a peer can cause as often as it likes.
template <typename... Args>
void peer_emit(Level level, fmt::format_string<Args...> format, Args&&... args) {
    const void* kind = fmt::string_view(format).data();
    if (enabled(level) && peer_may_write(level, kind))
        write(level, kind, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    emit(Level::Debug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    emit(Level::Info, format, std::forward<Args>(args)...);
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
    emit(Level::Warning, format, std::forward<Args>(args)...);
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    emit(Level::Error, format, std::forward<Args>(args)...);
}

template <typename... Args>
void peer_warning(fmt::format_string<Args...> format, Args&&... args) {
    peer_emit(Level::Warning, format, std::forward<Args>(args)...);
}
template <typename... Args>
void peer_error(fmt::format_string<Args...> format, Args&&... args) {
    peer_emit(Level::Error, format, std::forward<Args>(args)...);
}

} // namespace nfovpn::log
