// SPDX-License-Identifier: GPL-2.0-or-later
//
// From the text of a file to the options of either role. A handler sees one directive whose number
// of words was checked, writes into the configuration and reports what it dislikes. What both roles
// have is here; each role adds its handlers and settles in finish() what depends on several options
// (is there an address pool at all?).
#pragma once

#include "config/common_config.h"
#include "wire/static_key.h"

#include <set>
#include <span>

namespace nfovpn::config {

/// A network as the words of an option name it.
struct Network {
    Ipv4 network;
    Ipv4 netmask;
};

/// Options that are a number, and no more.
template <typename Config>
struct NumberOption {
    const char* name;
    std::uint32_t low;
    std::uint32_t high;
    void (*set)(Config& config, std::uint32_t value);
};

/// See the head of this file.
class OptionParser {
public:
    virtual ~OptionParser() = default;
    OptionParser(const OptionParser&) = delete;
    OptionParser& operator=(const OptionParser&) = delete;

protected:
    using Handler = void (OptionParser::*)(const Directive&);
    struct HandlerOf {
        const char* option;
        Handler handler;
    };

    /// All of these must outlive the object.
    OptionParser(Role role, const FileReader& reader, CommonConfig& config, ParsedOptions& out)
        : role_(role), reader_(reader), config_(config), out_(out) {}

    /// Applies every option of a file, then finish().
    void run(GivenOptions options);

    /// The handlers of the role.
    [[nodiscard]] virtual std::span<const HandlerOf> role_handlers() const = 0;
    virtual void finish() = 0;
    /// With one peer, which pushes nothing and is pushed nothing. Known in finish().
    [[nodiscard]] virtual bool point_to_point() const = 0;
    virtual void flag(const Directive& d);
    virtual void plugin(const Directive& d);
    std::optional<std::vector<std::string>> plugin_words(const Directive& d);
    virtual void number_option(const Directive& d);
    /// "setenv SERVER_POLL_TIMEOUT", which is an option in truth, and others of that kind. False if
    /// it is none of the role's.
    virtual bool setenv_option(const Directive&) { return false; }

    /// Of one that is a member of a derived class.
    template <typename Parser>
    static Handler handler(void (Parser::*member)(const Directive&)) {
        return static_cast<Handler>(member);
    }

    void error(const Directive& d, const std::string& reason, const std::string& hint = "") {
        add({Severity::Error, d.line, d.name + ": " + reason, hint, d.file});
    }
    void warn(const Directive& d, const std::string& reason, const std::string& hint = "") {
        add({Severity::Warning, d.line, d.name + ": " + reason, hint, d.file});
    }
    void error(const std::string& reason, const std::string& hint) {
        add({Severity::Error, 0, reason, hint, ""});
    }
    void warn(const std::string& reason, const std::string& hint) {
        add({Severity::Warning, 0, reason, hint, ""});
    }

    void apply(const Directive& d);

    // Words to values; each reports what is wrong and then answers nothing.
    std::optional<std::uint32_t> number(const Directive& d, std::size_t index, std::uint32_t low,
                                        std::uint32_t high);
    std::optional<Ipv4> address(const Directive& d, std::size_t index);
    std::optional<Network> network(const Directive& d, std::size_t index);
    std::string path_of(const Directive& d, std::size_t index = 0);
    std::optional<std::string> contents(const Directive& d);
    bool only(const Directive& d, std::string_view word, const std::string& reason);
    std::vector<std::string> command(const Directive& d);

    /// Sets an option of such a table; false if it is in another one.
    template <typename Config>
    bool set_number(std::span<const NumberOption<Config>> table, const Directive& d,
                    Config& config) {
        for (const auto& option : table) {
            if (option.name != d.name)
                continue;
            // Only explicit-exit-notify may stand without its number, which is 1 then.
            if (auto value = d.args.empty() ? 1 : number(d, 0, option.low, option.high))
                option.set(config, *value);
            return true;
        }
        return false;
    }

    // What depends on several options.
    void finish_tls();
    void finish_device();
    void finish_data_channel();
    void finish_compression();
    /// Older than that release, by compat-mode.
    [[nodiscard]] bool older_than(int release) const {
        return compatible_ > 0 && compatible_ < release;
    }
    void finish_keepalive();
    void forget_findings() { out_.findings.clear(); }
    void local(const Directive& d);
    std::optional<Address> look_up(const std::string& name, bool ipv4_only);
    void finish_pkcs12();
    void finish_wrapping();
    void finish_scripts(bool password_by_environment);
    void finish_identity();
    void finish_management();
    void need(const char* option, const char* reason, const char* hint);

    /// Whether the first word can be the path of a unix socket.
    bool is_socket_path(const Directive& d);

    [[nodiscard]] bool seen(const std::string& name) const { return seen_.contains(name); }
    [[nodiscard]] Role role() const { return role_; }

    std::optional<std::uint32_t> route_metric_;
    std::optional<Directive> fastpath_;

private:
    CommonConfig& config() { return config_; }

    void add(Finding finding);
    void unknown(const Directive& d);
    void look_ahead(std::vector<Directive>& directives);
    bool setenv_special(const Directive& d);

    void inactive(const Directive& d);
    void ping_exit(const Directive& d);
    void dev_node(const Directive& d);
    void providers(const Directive& d);
    void capath(const Directive& d);
    void bind_dev(const Directive& d);
    void verify_hash(const Directive& d);
    void compat_mode(const Directive& d);
    void cipher(const Directive& d);
    bool known_elsewhere(const std::string& cipher);
    void finish_compatibility();
    void extra_certs(const Directive& d);
    void askpass(const Directive& d);
    void pkcs12(const Directive& d);
    void x509_username_field(const Directive& d);
    void ns_cert_type(const Directive& d);
    void remote_cert_ku(const Directive& d);
    void remote_cert_eku(const Directive& d);
    void daemon(const Directive& d);

    void reneg_sec(const Directive& d);
    void dev(const Directive& d);
    void dev_type(const Directive& d);
    void route_metric(const Directive& d);
    void ca(const Directive& d);
    void peer_fingerprint(const Directive& d);
    void cert(const Directive& d);
    void key(const Directive& d);
    void tls_version(const Directive& d);
    void tls_cipher(const Directive& d);
    void tls_cert_profile(const Directive& d);
    void static_key(const Directive& d);
    void key_direction(const Directive& d);
    void remote_cert_tls(const Directive& d);
    void verify_x509_name(const Directive& d);
    void crl_verify(const Directive& d);
    void setenv(const Directive& d);
    void tmp_dir(const Directive& d);
    void device_program(const Directive& d);
    void data_ciphers(const Directive& d);
    void data_ciphers_fallback(const Directive& d);
    void auth(const Directive& d);
    void mssfix(const Directive& d);
    void fragment(const Directive& d);
    void compression(const Directive& d);
    void allow_compression(const Directive& d);
    void done_already(const Directive& d);
    void log(const Directive& d);
    void syslog(const Directive& d);
    void writepid(const Directive& d);
    void user_or_group(const Directive& d);
    void nice(const Directive& d);
    void nf_fastpath(const Directive& d);
    void nf_seccomp(const Directive& d);
    void management(const Directive& d);
    void management_password(const Directive& d);
    void management_client(const Directive& d);
    void management_log_cache(const Directive& d);

    static const HandlerOf kHandlers[];

    Role role_;
    const FileReader& reader_;
    CommonConfig& config_;
    ParsedOptions& out_;
    std::set<std::string> seen_;
    std::set<std::string> may_be_unknown_;
    std::optional<Directive> dev_type_;
    std::optional<Directive> auth_;
    std::optional<wire::StaticKey> tls_auth_key_;
    std::optional<wire::StaticKey> tls_crypt_key_;
    std::optional<std::string> tls_auth_direction_;
    std::optional<std::string> key_direction_;
    Directive tls_auth_; // without the key
    bool mssfix_set_ = false;
    bool look_up_names_ = true;
    bool optional_ = false;            ///< this line need not be understood
    bool forward_compatible_ = false;  ///< and neither need any other
    std::size_t findings_[2] = {0, 0}; ///< by Severity
    std::size_t unknown_ = 0;
    std::optional<Directive> cipher_;
    std::set<std::string> pings_;
    int compatible_ = 0; ///< 20500 for 2.5.0; 0: with nothing older
    std::optional<Directive> pkcs12_;
    SecretBytes pkcs12_data_;
    std::optional<Directive> compression_; ///< that asks for compression
    std::optional<bool> allow_compression_;
    std::vector<Directive> scripts_;
    std::string user_;
    std::string group_;
    ManagementConfig management_;
    std::optional<Directive> management_use_;    ///< the last option that needs the interface
    std::optional<Directive> management_client_; ///< and the one that says whom it is for
};

} // namespace nfovpn::config
