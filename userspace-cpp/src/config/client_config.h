// SPDX-License-Identifier: GPL-2.0-or-later
//
// A client's configuration: from the text of a file to checked values.
#pragma once

#include "config/common_config.h"
#include "util/secret.h"
#include "wire/proxy.h"
#include "wire/pushed_options.h"

namespace nfovpn::config {

/// Of which family addresses of a server may be.
enum class RemoteFamily { Any, Ipv4, Ipv6 };

/// A server that may be tried.
struct Remote {
    std::string host; ///< a name or an address
    std::uint16_t port = 1194;
    bool tcp = false;
    RemoteFamily family = RemoteFamily::Any;
    std::chrono::seconds timeout{120};                  ///< for its first answer
    std::shared_ptr<const wire::Proxy> proxy = nullptr; ///< by that one; null: without

    /// Datagrams go by a proxy, each with a header for it.
    [[nodiscard]] bool relayed() const { return proxy && !tcp; }

    bool operator==(const Remote&) const = default;
};

/// What to do when the server refuses name and password.
enum class AuthRetry {
    None,       ///< end
    NoInteract, ///< try again with the same
    Interact    ///< ask again
};

/// What a user is asked besides name and password.
struct StaticChallenge {
    std::string text;
    bool echo = false;        ///< the answer may be seen
    bool concatenate = false; ///< behind the password, where otherwise both are encoded (SCRV1)
};

inline constexpr std::size_t kMaxUsername = 1024;
inline constexpr std::size_t kMaxPassword = 4000;

/// Everything that a client is told.
struct ClientConfig : CommonConfig {
    std::vector<Remote> remotes; ///< in the order of the file
    bool remote_random = false;
    bool random_hostname = false; ///< six random bytes in front of each name, against caches
    std::optional<std::chrono::seconds> resolve_for; ///< a name that is not found; none: for ever
    std::chrono::seconds retry{1};                   ///< before the next try
    std::chrono::seconds longest_retry{300};         ///< after many of them
    std::uint32_t tries = 0; ///< of all servers, before it ends; 0: without an end
    std::uint16_t local_port = 0;

    std::string username; ///< empty: none, or asked for
    SecretBytes password;
    bool ask_user = false;         ///< for both, or for the password if there is a name
    bool query_management = false; ///< by the management interface, not at the terminal
    bool forget_password = false;  ///< once it was used; it is asked for again (auth-nocache)
    std::optional<StaticChallenge> static_challenge;
    AuthRetry auth_retry = AuthRetry::None;
    bool ask_remote = false;           ///< before a server is tried, by the management interface
    bool forget_on_disconnect = false; ///< what was entered there, when its client leaves
    bool tell_up_down = false;         ///< that client, of the tunnel
    std::vector<std::string> echo;     ///< for that client

    Bytes wrapped_key; ///< of tls-crypt-v2; the key itself is in wrap

    bool pull = true; ///< otherwise the server is a point-to-point peer, and pushes nothing
    /// Options as if they were pushed: route, redirect-gateway, dhcp-option, ifconfig, …
    std::vector<std::string> own_options;
    std::vector<wire::PullFilter> pull_filters;
    bool keep_tunnel = false;     ///< from one session to the next
    bool configure_device = true; ///< not with ifconfig-noexec
    bool configure_routes = true; ///< not with route-noexec
    std::uint32_t exit_notify = 0;
    Environment peer_info; ///< UV_ lines
};

/// Its protocol as OpenVPN calls it: "udp", "udp6", "tcp-client", "tcp4-client"
std::string protocol_name(const Remote& remote);

/// The result of reading a file.
struct ParsedClientConfig : ParsedOptions {
    ClientConfig config; ///< usable only if ok()
};

/// Parses a client's configuration. @p file_reader is for the files that it names.
ParsedClientConfig parse_client_config(GivenOptions options,
                                       const FileReader& file_reader = read_file);
ParsedClientConfig parse_client_config(std::string_view text,
                                       const FileReader& file_reader = read_file);

} // namespace nfovpn::config
