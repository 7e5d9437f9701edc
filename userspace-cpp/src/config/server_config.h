// SPDX-License-Identifier: GPL-2.0-or-later
//
// A server's configuration: from the text of a file to checked values.
#pragma once

#include "config/common_config.h"
#include "wire/pushed_options.h"
#include "wire/static_key.h"

namespace nfovpn::config {

/// A route by the tun device.
struct Route {
    Prefix network;
    std::uint32_t metric = 0;
};

/// Whether clients must have certificates.
enum class PeerCertificates { Required, Optional, Unasked };

/// What to answer to a question of a PAM module.
struct PamPrompt {
    std::string prompt; ///< how the question begins
    std::string answer; ///< with USERNAME, PASSWORD and COMMONNAME for the user's own

    bool operator==(const PamPrompt&) const = default;
};

/// Users verified by PAM, as OpenVPN's plug-in for it is told.
struct PamConfig {
    std::string service;
    std::vector<PamPrompt> prompts; ///< none: the user name if it is seen, else the password

    bool operator==(const PamConfig&) const = default;
};

/// Everything that a server is told.
struct ServerConfig : CommonConfig {
    bool ipv6 = false;      ///< the socket is of IPv6
    bool ipv6_only = false; ///< and not of IPv4 too
    bool tcp = false;       ///< connections in place of datagrams
    std::uint16_t port = 1194;

    bool point_to_point = false;   ///< with one peer, whose address is all of the pool
    std::optional<Address> remote; ///< where that peer is; nothing: anywhere
    wire::Topology topology = wire::Topology::Subnet;
    Ipv4 address; ///< the server's own, inside the tunnel
    Ipv4 netmask;
    bool bridge = false; ///< the device is part of a bridge, and that has the address
    bool client_to_client = false;
    std::optional<Ipv4> other_end; ///< of the device, where ifconfig has one and no netmask
    Ipv4 pool_first;               ///< of the clients' addresses
    Ipv4 pool_last;
    std::optional<Prefix> address6;  ///< of ifconfig-ipv6, the whole address with its length
    std::optional<Prefix> network6;  ///< of server-ipv6
    std::optional<Ipv6> pool6_first; ///< of ifconfig-ipv6-pool, in place of the usual
    std::vector<Route> routes;
    std::vector<std::string> push;

    bool configure_device = true; ///< not with ifconfig-noexec
    bool configure_routes = true; ///< not with route-noexec
    std::string dh;               ///< parameters for key exchange without curves, PEM; empty: none

    std::optional<wire::TlsCryptV2Key> tls_crypt_v2;
    bool tls_crypt_v2_force_cookie = false;
    std::uint32_t tls_crypt_v2_max_age = 0; ///< days; 0: any

    /// Programs: a path and its arguments, empty for none.
    std::vector<std::string> verify_user;
    std::vector<std::string> tls_verify; ///< for each certificate of a client
    std::optional<PamConfig> pam;        ///< users are verified by PAM
    std::vector<std::string> client_connect;
    std::vector<std::string> client_disconnect;
    std::vector<std::string> learn_address;
    bool password_by_environment = false; ///< to verify_user, in place of a file
    bool management_client_auth = false;  ///< users are verified by the management's client
    bool user_optional = false;           ///< clients need no user name
    bool username_as_common_name = false;
    PeerCertificates client_certificates = PeerCertificates::Required;
    bool gen_token = false;                      ///< a token stands for the password, later on
    std::uint32_t token_lifetime = 0;            ///< seconds; 0: without an end
    std::uint32_t token_renewal = 0;             ///< seconds; 0: by reneg_sec
    std::optional<wire::AuthTokenKey> token_key; ///< none: a random one

    std::string client_config_dir; ///< files of single clients; empty: none
    std::uint32_t max_clients = 1024;
    bool duplicate_cn = false;
    bool ccd_exclusive = false; ///< clients without a file of their own are not let in
    bool push_framing = false;  ///< clients are told the framing
    int explicit_exit_notify = 1;
    std::uint32_t connect_freq_initial = 0; ///< first packets of all sources; 0: built-in limit
    std::uint32_t connect_freq_initial_seconds = 10;

    std::string pool_file; ///< of ifconfig-pool-persist; empty: none
    /// How often it is written; 0: never, and nobody else gets the addresses of those who are in
    /// it.
    std::uint32_t pool_file_seconds = 600;
    std::string status_file;
    std::uint32_t status_seconds = 60;
    int status_version = 1;
    std::string control_socket; ///< of nf-ovpnctl; empty: none
};

/// How far behind the address of server-ipv6 those of the clients begin.
std::uint32_t ipv6_pool_offset(const Prefix& network);

/// The result of reading a file.
struct ParsedConfig : ParsedOptions {
    ServerConfig config; ///< usable only if ok()
};

/// Parses a server's configuration. @p file_reader is for the files that it names.
ParsedConfig parse_server_config(GivenOptions options, const FileReader& file_reader = read_file);
ParsedConfig parse_server_config(std::string_view text, const FileReader& file_reader = read_file);

/// The settings of a single client.
struct ClientFile {
    std::optional<Ipv4> address;  ///< ifconfig-push
    std::optional<Ipv4> netmask;  ///< likewise, or the address of the other end
    std::optional<Ipv6> address6; ///< ifconfig-ipv6-push
    std::vector<Prefix> networks; ///< iroute, iroute-ipv6
    std::vector<std::string> push;
    std::vector<std::string> push_remove; ///< beginnings of options that it is not pushed
    bool push_reset = false;
    bool disable = false;
};

/// The result of reading a file of client-config-dir.
struct ParsedClientFile {
    ClientFile config; ///< usable only if ok()
    std::vector<Finding> findings;

    [[nodiscard]] bool ok() const;
};

/// Parses a file of client-config-dir.
ParsedClientFile parse_client_file(std::string_view text);

/// The name of a client's file: its common name, with '_' for what no file name should have.
/// Empty if the name cannot be one.
std::string client_file_name(std::string_view common_name);

} // namespace nfovpn::config
