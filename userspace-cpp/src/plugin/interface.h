// SPDX-License-Identifier: GPL-2.0-or-later
//
// OpenVPN's interface for plug-ins, as binaries have it: version 3, with the structures of version
// 5, and the entry points of versions 1 and 2. Names are our own; numbers and layouts are
// OpenVPN's, see openvpn-plugin.h, and lab/tests/plugins-guest runs plug-ins that were compiled
// with that.
#pragma once

#include <openssl/x509.h>

#include <array>
#include <cstdarg>
#include <cstddef>
#include <cstdint>

namespace nfovpn::plugin {

/// What a plug-in is called for.
enum class Hook : std::uint8_t {
    Up = 0,
    Down = 1,
    RouteUp = 2,
    IpChange = 3,
    TlsVerify = 4,
    VerifyUser = 5,
    Connect = 6,
    Disconnect = 7,
    LearnAddress = 8,
    ConnectV2 = 9,
    TlsFinal = 10,
    RoutePreDown = 12, ///< 11 was packet filters, which OpenVPN has removed
    ConnectDefer = 13,
    ConnectDeferV2 = 14,
    ChallengeResponse = 15,
};

constexpr unsigned kHooks = 16;

/// For the log, as OpenVPN calls them.
constexpr std::array<const char*, kHooks> kHookNames = {
    "UP",
    "DOWN",
    "ROUTE_UP",
    "IPCHANGE",
    "TLS_VERIFY",
    "AUTH_USER_PASS_VERIFY",
    "CLIENT_CONNECT",
    "CLIENT_DISCONNECT",
    "LEARN_ADDRESS",
    "CLIENT_CONNECT_V2",
    "TLS_FINAL",
    "11",
    "ROUTE_PREDOWN",
    "CLIENT_CONNECT_DEFER",
    "CLIENT_CONNECT_DEFER_V2",
    "CLIENT_CRRESPONSE",
};

constexpr const char* name_of(Hook hook) {
    return kHookNames[static_cast<std::size_t>(hook)];
}

/// Some of them, a bit each.
using HookMask = std::uint32_t;
constexpr HookMask mask_of(Hook hook) {
    return HookMask{1} << static_cast<unsigned>(hook);
}
constexpr HookMask kAllHooks = (HookMask{1} << kHooks) - 1;

/// What a plug-in answers.
enum class Status : std::uint8_t { Success = 0, Error = 1, Deferred = 2 };

namespace abi {

constexpr int kInterfaceVersion = 3;
constexpr int kStructVersion = 5;

// When a plug-in is to be opened.
constexpr int kBeforeConfiguration = 1;
constexpr int kBeforeDaemon = 2; ///< also where it does not say
constexpr int kAfterDaemon = 3;
constexpr int kAfterUser = 4;

constexpr unsigned kLogError = 1U << 0;
constexpr unsigned kLogWarning = 1U << 1;
constexpr unsigned kLogNote = 1U << 2;
constexpr unsigned kLogErrno = 1U << 8;

constexpr int kOpenssl = 1;

/// Allocated by the plug-in's malloc(), all of it.
struct StringList {
    StringList* next;
    char* name;
    char* value;
};

struct Callbacks {
    void (*log)(unsigned flags, const char* plugin, const char* format, ...);
    void (*log_list)(unsigned flags, const char* plugin, const char* format, va_list arguments);
    void (*wipe)(void* data, std::size_t size);
    int (*base64_encode)(const void* data, int size, char** out);
    int (*base64_decode)(const char* text, void* out, int size);
};

struct OpenArguments {
    int hooks;
    const char** argv;
    const char** envp;
    Callbacks* callbacks;
    int ssl_api;
    const char* version;
    unsigned major;
    unsigned minor;
    const char* patch;
};

struct OpenReturn {
    int hooks;
    void* handle;
    StringList** list;
};

struct CallArguments {
    int hook;
    const char** argv;
    const char** envp;
    void* handle;
    void* client;
    int depth;
    X509* certificate;
};

struct CallReturn {
    StringList** list;
};

using Open1 = void* (*)(unsigned* hooks, const char** argv, const char** envp);
using Open2 = void* (*)(unsigned* hooks, const char** argv, const char** envp, StringList** list);
using Open3 = int (*)(int version, const OpenArguments* arguments, OpenReturn* out);
using Call1 = int (*)(void* handle, int hook, const char** argv, const char** envp);
using Call2 = int (*)(void* handle, int hook, const char** argv, const char** envp, void* client,
                      StringList** list);
using Call3 = int (*)(int version, const CallArguments* arguments, CallReturn* out);
using Close = void (*)(void* handle);
using NewClient = void* (*)(void* handle);
using OldClient = void (*)(void* handle, void* client);
using Number = int (*)();

} // namespace abi

} // namespace nfovpn::plugin
