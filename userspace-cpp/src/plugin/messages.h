// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the daemon and its process for plug-ins say to each other, a datagram each. Both ends are
// this program, but whatever a plug-in has done to its process is in what comes back: lengths,
// numbers and counts are checked, and what does not fit is as if the process had failed.
//
//     daemon ── Open ─▶ process   which plug-ins, once, and what they are told
//            ── Call ─▶           one hook of all of them that want it
//            ── Forget ─▶         a client is gone
//            ── Confine ─▶        privileges are to be given up
//            ◀─ Answer ──         to each of them
//            ◀─ LogLine ──        what a plug-in says
#pragma once

#include "plugin/interface.h"
#include "util/bytes.h"
#include "util/environment.h"
#include "util/privileges.h"
#include "util/secret.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace nfovpn::plugin {

/// No message is longer.
constexpr std::size_t kMaxMessage = 131072;

/// More of them OpenVPN does not load either.
constexpr std::size_t kMostPlugins = 16;

/// One plug-in of a configuration.
struct Plugin {
    std::string path;               ///< that is loaded
    std::vector<std::string> words; ///< its argv: the name that was given, and arguments

    bool operator==(const Plugin&) const = default;
};

/// A message to the process.
struct Request {
    enum class Kind : std::uint8_t { Open, Call, Forget, Confine };

    Kind kind = Kind::Call;
    std::uint32_t id = 0;           ///< that of the answer
    std::uint64_t client = 0;       ///< of Call and Forget; kNoClient: none
    Hook hook = Hook::Up;           ///< of Call
    int depth = -1;                 ///< of Call: that of the certificate
    Bytes certificate;              ///< DER; empty: none
    std::vector<std::string> args;  ///< of Call, behind the name of the plug-in
    Environment environment;        ///< of Open and Call
    std::vector<Plugin> plugins;    ///< of Open
    std::optional<Identity> run_as; ///< of Confine
    bool filter = true;             ///< of Confine: system calls as well

    Request() = default;
    Request(Request&&) = default;
    Request& operator=(Request&&) = default;
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;
    ~Request(); ///< wipes: there may be a password in the environment
};

/// The device's own calls are for no client.
constexpr std::uint64_t kNoClient = ~std::uint64_t{0};

/// What has come of a request.
struct Answer {
    std::uint32_t id = 0;
    Status status = Status::Error;
    HookMask hooks = 0;              ///< of Open: those that any plug-in wants
    std::uint8_t plugin = 0;         ///< of Open that failed: by which one
    std::string why;                 ///< and why
    std::vector<std::string> config; ///< options that plug-ins return
};

/// A line for the log.
struct LogLine {
    enum class Level : std::uint8_t { Error, Warning, Note, Debug };
    Level level = Level::Note;
    std::string text;
};

using Reply = std::variant<Answer, LogLine>;

/// Nothing if it is too long, or a text has a zero byte, which plug-ins cannot have.
std::optional<SecretBytes> encode(const Request& request);
std::optional<Request> decode_request(ByteView message);

/// Nothing if it is too long; a line for the log is cut instead.
std::optional<Bytes> encode(const Answer& answer);
Bytes encode(const LogLine& line);
std::optional<Reply> decode_reply(ByteView message);

/// As plug-ins have it: "NAME=VALUE", of a name that stands there twice the last one only.
std::vector<std::string> lines_of(const Environment& environment);

} // namespace nfovpn::plugin
