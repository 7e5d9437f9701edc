// SPDX-License-Identifier: GPL-2.0-or-later
//
// A server's configuration: from the text of a file to checked values.
//
// What becomes of each option stands in one table, see option_table.h.
// All findings of a file are reported, not just the first.
#pragma once

#include "config/lexer.h"
#include "config/option_table.h"
#include "util/data_keys.h"
#include "util/endpoint.h"
#include "util/environment.h"
#include "util/log.h"
#include "util/mss_fix.h"
#include "util/privileges.h"
#include "wire/control_wrap.h"
#include "wire/static_key.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nfovpn::config {

/// A route by the tun device.
struct Route {
    Prefix network;
    std::uint32_t metric = 0;
};

enum class Fastpath { Off, Accepted, Eager };

/// Whether clients must have certificates.
enum class PeerCertificates { Required, Optional, Unasked };

/// What the name of verify-x509-name is compared with.
enum class NameType { None, Subject, CommonName, Prefix };

/// OpenVPN's management interface. It listens on one of both.
struct ManagementConfig {
    std::string socket_path;
    std::optional<Endpoint> listen;            ///< a loopback address, TCP
    SecretBytes password;                      ///< empty: none is asked for
    std::optional<std::uint32_t> client_user;  ///< whom the socket is for, by number
    std::optional<std::uint32_t> client_group; ///< likewise
    std::uint32_t log_cache = 250;             ///< lines of the log that are kept
    bool hold = false;                         ///< wait for "hold release" before anything
    bool restart_on_disconnect = false;
};

/// Everything that the daemon is told.
struct ServerConfig {
    std::optional<Address> local;
    bool ipv6 = false;                  ///< the socket is of IPv6
    bool ipv6_only = false;             ///< and not of IPv4 too
    bool tcp = false;                   ///< connections in place of datagrams
    std::uint32_t tcp_queue_limit = 64; ///< data packets that wait for one client
    std::uint16_t port = 1194;
    std::string device; ///< "tun": the kernel numbers it
    std::uint32_t tun_mtu = 1500;
    Fastpath fastpath = Fastpath::Accepted;
    bool kernel_data_path = true; ///< nf_ovpn, where the kernel has it

    Ipv4 address; ///< the server's own, inside the tunnel
    Ipv4 netmask;
    Ipv4 pool_first;
    Ipv4 pool_last;
    std::optional<Prefix> network6; ///< of server-ipv6
    std::vector<Route> routes;
    std::vector<std::string> push;

    std::string ca;          ///< PEM
    std::string certificate; ///< PEM
    SecretBytes private_key; ///< PEM
    int tls_version_min = 0; ///< 12 or 13; 0: not set
    int tls_version_max = 0;
    std::string tls_cipher;
    std::string tls_ciphersuites;
    std::string tls_groups;
    int tls_security_level = -1; ///< OpenSSL's, -1: its default
    std::string crl_file;        ///< revocation lists, PEM; read again when the file changes
    NameType verify_name_type = NameType::None;
    std::string verify_name; ///< of the clients' certificates
    bool remote_cert_tls_client = false;

    std::shared_ptr<const wire::ControlWrap> wrap; ///< tls-auth or tls-crypt
    std::optional<wire::TlsCryptV2Key> tls_crypt_v2;
    bool tls_crypt_v2_force_cookie = false;
    std::uint32_t tls_crypt_v2_max_age = 0; ///< days; 0: any

    /// Programs: a path and its arguments, empty for none.
    std::vector<std::string> verify_user;
    std::vector<std::string> client_connect;
    std::vector<std::string> client_disconnect;
    std::vector<std::string> learn_address;
    int script_security = 1;              ///< 2: programs run, 3: and get passwords
    bool password_by_environment = false; ///< to verify_user, in place of a file
    bool management_client_auth = false;  ///< users are verified by the management's client
    bool user_optional = false;           ///< clients need no user name
    bool username_as_common_name = false;
    PeerCertificates client_certificates = PeerCertificates::Required;
    bool gen_token = false;                      ///< a token stands for the password, later on
    std::uint32_t token_lifetime = 0;            ///< seconds; 0: without an end
    std::uint32_t token_renewal = 0;             ///< seconds; 0: by reneg_sec
    std::optional<wire::AuthTokenKey> token_key; ///< none: a random one
    std::string tmp_dir = "/tmp";                ///< for files that programs read and write
    Environment environment;                     ///< for programs; setenv, setenv-safe

    std::string client_config_dir; ///< files of single clients; empty: none
    std::vector<DataCipher> data_ciphers;
    std::optional<DataCipher> fallback_cipher;
    DataAuth auth = DataAuth::Sha1;  ///< with ciphers that do not authenticate
    Framing framing = Framing::None; ///< of compression
    MssFix mss_fix;
    std::uint32_t ping = 0;         ///< seconds, 0: never
    std::uint32_t ping_restart = 0; ///< seconds, 0: never
    std::chrono::seconds reneg_sec{3600};
    std::chrono::seconds hand_window{60};
    std::chrono::seconds tran_window{3600};
    std::chrono::seconds tls_timeout{2};
    std::uint32_t max_packet_size = 1250;
    std::uint32_t max_clients = 1024;
    bool duplicate_cn = false;
    bool ccd_exclusive = false; ///< clients without a file of their own are not let in
    bool push_framing = false;  ///< clients are told the framing
    int explicit_exit_notify = 1;
    std::uint32_t connect_freq_initial = 0; ///< first packets of all sources; 0: built-in limit
    std::uint32_t connect_freq_initial_seconds = 10;

    int verb = 3;
    log::Target log;
    std::string status_file;
    std::uint32_t status_seconds = 60;
    int status_version = 1;
    std::optional<ManagementConfig> management;
    std::string pid_file;
    std::string control_socket;     ///< of nf-ovpnctl; empty: none
    std::string directory;          ///< to change to at start
    std::optional<Identity> run_as; ///< once everything is set up
    bool seccomp = true;            ///< system calls are filtered then
    bool runs_programs = false;     ///< scripts
    int nice = 0;                   ///< added to the process's own
    bool mlock = false;             ///< no page of memory is ever written to disk
};

/// How far behind the address of server-ipv6 those of the clients begin.
std::uint32_t ipv6_pool_offset(const Prefix& network);

/// A line of "--check"'s table.
struct OptionUse {
    int line = 0;
    std::string name;
    Treatment treatment = Treatment::Supported;
};

/// The result of reading a file.
struct ParsedConfig {
    ServerConfig config; ///< usable only if ok()
    std::vector<Finding> findings;
    std::vector<OptionUse> uses;

    [[nodiscard]] bool ok() const;
};

/// Reads a file that an option names; nothing if that fails, with the reason in the string.
using FileReader = std::function<std::optional<std::string>(const std::string&, std::string&)>;

/// Reads from the file system.
std::optional<std::string> read_file(const std::string& path, std::string& why_not);

/// What becomes of each option of the file, a line each, with what was found about it; then what
/// was found about lines without an option, and about the file as a whole.
std::vector<std::string> check_report(const ParsedConfig& parsed);

/// Parses a server's configuration. @p file_reader is for the files that it names.
ParsedConfig parse_server_config(std::string_view text, const FileReader& file_reader = read_file);

/// The settings of a single client.
struct ClientConfig {
    std::optional<Ipv4> address;  ///< ifconfig-push
    std::optional<Ipv4> netmask;  ///< likewise
    std::optional<Ipv6> address6; ///< ifconfig-ipv6-push
    std::vector<Prefix> networks; ///< iroute, iroute-ipv6
    std::vector<std::string> push;
    bool push_reset = false;
    bool disable = false;
};

/// The result of reading a file of client-config-dir.
struct ParsedClientConfig {
    ClientConfig config; ///< usable only if ok()
    std::vector<Finding> findings;

    [[nodiscard]] bool ok() const;
};

/// Parses a file of client-config-dir.
ParsedClientConfig parse_client_config(std::string_view text);

/// The name of a client's file: its common name, with '_' for what no file name should have.
/// Empty if the name cannot be one.
std::string client_file_name(std::string_view common_name);

} // namespace nfovpn::config
