// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the configurations of both roles have in common, and what becomes of the options of a file.
// What becomes of which option stands in one table, see option_table.h. All findings of a file are
// reported, not just the first.
#pragma once

#include "config/lexer.h"
#include "config/option_table.h"
#include "util/data_keys.h"
#include "util/endpoint.h"
#include "util/environment.h"
#include "util/log.h"
#include "util/mss_fix.h"
#include "util/privileges.h"
#include "util/secret.h"
#include "wire/control_wrap.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nfovpn::config {

enum class Fastpath { Off, Accepted, Eager, Marked };

/// What the name of verify-x509-name is compared with.
enum class NameType { None, Subject, CommonName, Prefix };

/// For which purpose the peer's certificate must be good (ns-cert-type).
enum class CertificatePurpose { Any, Client, Server };

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

/// OpenVPN's limit.
constexpr std::size_t kMostPlugins = 16;

/// A plug-in that is loaded.
struct PluginConfig {
    std::string path;               ///< from where; relative to the directory of the start
    std::vector<std::string> words; ///< the name that was given, and arguments
    std::string file;               ///< where it is configured, as in Directive
    int line = 0;

    /// Wherever it is configured.
    bool operator==(const PluginConfig& other) const {
        return path == other.path && words == other.words;
    }
};

/// What a daemon of either role is told.
struct CommonConfig {
    std::optional<Address> local;
    std::uint32_t tcp_queue_limit = 64; ///< data packets that wait for one connection
    std::string device = "tun";         ///< that one: the kernel numbers it
    std::string device_node = "/dev/net/tun";
    std::uint32_t tun_mtu = 1500;
    Fastpath fastpath = Fastpath::Accepted;
    std::uint32_t fastpath_mark = 0;          ///< Marked: of flows whose conntrack mark is this ...
    std::uint32_t fastpath_mask = 0xffffffff; ///< ... in these bits
    bool ethernet = false;                    ///< a TAP device: frames in place of packets
    bool kernel_data_path = true;             ///< nf_ovpn, where the kernel has it
    std::string bind_device;       ///< packets to and from peers go by that one; empty: any
    std::uint32_t mark = 0;        ///< of all packets to peers, for routing; 0: none
    std::uint32_t route_table = 0; ///< of the routes of "route" and "route-ipv6"; 0: the main one
    bool block_ipv6 = false;       ///< inside; it is answered that there is no route
    bool passtos = false;          ///< these have the DSCP of the packet inside

    std::string ca; ///< PEM; empty only with fingerprints
    /// SHA-256 of the peers' certificates. Empty: any that the authorities have signed.
    std::vector<std::array<std::uint8_t, 32>> fingerprints;
    std::string ca_directory;       ///< more authorities, by the hashes of their names
    std::string certificate;        ///< PEM
    std::string extra_certificates; ///< PEM, sent behind it
    SecretBytes private_key;        ///< PEM
    SecretBytes pass_phrase;        ///< of the private key, if it has one
    bool ask_pass_phrase = false;   ///< at the terminal
    /// Of the peers' certificates, in place of the common name; see TlsConfig::name_fields.
    std::vector<std::string> name_fields;
    int tls_version_min = 0; ///< 12 or 13; 0: not set
    int tls_version_max = 0;
    std::string tls_cipher;
    std::string tls_ciphersuites;
    std::string tls_groups;
    int tls_security_level = -1;        ///< OpenSSL's, -1: its default
    std::string crl_file;               ///< revocation lists, PEM; read again when the file changes
    std::string crl_text;               ///< such lists, of a block
    std::string crl_directory;          ///< with a file for each serial number that is revoked
    std::vector<std::string> providers; ///< of OpenSSL, to be loaded; empty: its default
    NameType verify_name_type = NameType::None;
    std::string verify_name;      ///< of the peers' certificates
    bool remote_cert_tls = false; ///< these must be meant for the other role
    CertificatePurpose certificate_purpose = CertificatePurpose::Any;
    /// Key usages, of which the certificate must have one with all its bits; 0xffff: any.
    std::vector<std::uint32_t> remote_cert_ku;
    std::string authority_hash;  ///< of the authority's certificate, in hex; empty: any
    std::string remote_cert_eku; ///< an extended key usage, by name or OID

    std::shared_ptr<const wire::ControlWrap> wrap; ///< tls-auth or tls-crypt

    int script_security = 1;      ///< 2: programs run, 3: and get passwords
    std::string tmp_dir = "/tmp"; ///< for files that programs read and write
    Environment environment;      ///< for programs; setenv, setenv-safe
    /// Programs that are told of the device: a path and its arguments, empty for none.
    std::vector<std::string> up;
    std::vector<std::string> route_up;
    std::vector<std::string> down;

    std::vector<PluginConfig> plugins;

    std::vector<DataCipher> data_ciphers;
    std::optional<DataCipher> fallback_cipher;
    DataAuth auth = DataAuth::Sha1;  ///< with ciphers that do not authenticate
    Framing framing = Framing::None; ///< of compression
    bool may_unpack = false;         ///< what a server compresses is taken
    MssFix mss_fix;
    MssFix fragment;                   ///< no datagram is longer; a limit of 0: any may be
    std::uint32_t ping = 0;            ///< seconds, 0: never
    std::uint32_t ping_restart = 0;    ///< seconds, 0: never
    bool ping_exit = false;            ///< that one ends all, and nothing begins anew
    std::uint32_t inactive = 0;        ///< seconds with no more than ...
    std::uint64_t inactive_bytes = 0;  ///< ... that many bytes through the tunnel end it; 0: never
    std::uint32_t session_timeout = 0; ///< seconds until a session ends; 0: never
    std::chrono::seconds reneg_sec{3600};
    std::chrono::seconds hand_window{60};
    std::chrono::seconds tran_window{3600};
    std::chrono::seconds tls_timeout{2};
    std::uint32_t max_packet_size = 1250;

    std::optional<ManagementConfig> management; ///< none without it

    int verb = 3;
    log::Target log;
    bool detach = false; ///< from the terminal, once all is set up
    std::string pid_file;
    std::string directory;          ///< to change to at start
    std::optional<Identity> run_as; ///< once everything is set up
    bool seccomp = true;            ///< system calls are filtered then
    bool runs_programs = false;     ///< scripts
    bool starts_helper = false;     ///< a process that keeps the privileges
    int nice = 0;                   ///< added to the process's own
    bool mlock = false;             ///< no page of memory is ever written to disk
};

/// A line of "--check"'s table.
struct OptionUse {
    int line = 0;
    std::string name;
    Treatment treatment = Treatment::Supported;
    std::string file; ///< as in Directive
};

/// What came of the options of a file.
struct ParsedOptions {
    std::vector<Finding> findings;
    std::vector<OptionUse> uses;

    [[nodiscard]] bool ok() const;
};

/// Whether one of them is an error.
bool any_error(const std::vector<Finding>& findings);

/// Reads a file that an option names; nothing if that fails, with the reason in the string.
using FileReader = std::function<std::optional<std::string>(const std::string&, std::string&)>;

/// Reads from the file system. A pipe is waited for, but not for long.
std::optional<std::string> read_file(const std::string& path, std::string& why_not);

/// What becomes of each option of the file, a line each, with what was found about it; then what
/// was found about lines without an option, and about the file as a whole.
std::vector<std::string> check_report(const ParsedOptions& parsed);

/// Options in their order, from wherever.
struct GivenOptions {
    std::vector<Directive> directives;
    std::vector<Finding> findings; ///< of what is no option
    bool look_up_names = true;     ///< of hosts; otherwise none has an address
};

/// Those of a text, with those of the files that it includes ("config FILE").
GivenOptions options_of(std::string_view text, const FileReader& reader = read_file);

/// Those of a command line: "--NAME WORD…" again and again; also files, by "--config FILE", of
/// which the first has no name in findings.
GivenOptions options_of(const std::vector<std::string>& words,
                        const FileReader& reader = read_file);

/// The role that they are for: that of a client if they say "client", "pull" or "tls-client".
Role role_of(const GivenOptions& options);

} // namespace nfovpn::config
