// SPDX-License-Identifier: GPL-2.0-or-later
//
// Settings of both roles, see settings.h.

#include "host/settings.h"

#include "config/watched_file.h"
#include "host/files.h"
#include "util/log.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace nfovpn::host {

namespace {

netlink::Fastpath translate(config::Fastpath fastpath) {
    switch (fastpath) {
    case config::Fastpath::Off:
        return netlink::Fastpath::Off;
    case config::Fastpath::Accepted:
        return netlink::Fastpath::Accepted;
    case config::Fastpath::Eager:
        return netlink::Fastpath::Eager;
    case config::Fastpath::Marked:
        return netlink::Fastpath::Marked;
    }
    return netlink::Fastpath::Accepted;
}

session::NameCheck translate(config::NameType type) {
    switch (type) {
    case config::NameType::None:
        return session::NameCheck::None;
    case config::NameType::Subject:
        return session::NameCheck::Subject;
    case config::NameType::CommonName:
        return session::NameCheck::CommonName;
    case config::NameType::Prefix:
        return session::NameCheck::Prefix;
    }
    return session::NameCheck::None;
}

session::Purpose translate(config::CertificatePurpose purpose) {
    switch (purpose) {
    case config::CertificatePurpose::Any:
        return session::Purpose::Any;
    case config::CertificatePurpose::Client:
        return session::Purpose::Client;
    case config::CertificatePurpose::Server:
        return session::Purpose::Server;
    }
    return session::Purpose::Any;
}

} // namespace

session::TlsConfig tls_config(const config::CommonConfig& c, wire::Role role) {
    session::TlsConfig tls;
    tls.role = role;
    tls.ca = c.ca;
    tls.fingerprints = c.fingerprints;
    tls.ca_directory = c.ca_directory;
    tls.certificate = c.certificate;
    tls.extra_certificates = c.extra_certificates;
    tls.pass_phrase = SecretBytes(c.pass_phrase.view());
    tls.revoked_serials = c.crl_directory;
    tls.name_fields = c.name_fields;
    tls.private_key = SecretBytes(c.private_key.view());
    tls.min_version = c.tls_version_min == 13 ? TLS1_3_VERSION : TLS1_2_VERSION;
    if (c.tls_version_max != 0)
        tls.max_version = c.tls_version_max == 13 ? TLS1_3_VERSION : TLS1_2_VERSION;
    tls.security_level = c.tls_security_level;
    tls.ciphers = c.tls_cipher;
    tls.ciphersuites = c.tls_ciphersuites;
    tls.groups = c.tls_groups;
    tls.require_extended_use = c.remote_cert_tls;
    tls.purpose = translate(c.certificate_purpose);
    tls.key_usage = c.remote_cert_ku;
    tls.extended_key_usage = c.remote_cert_eku;
    tls.authority_hash = c.authority_hash;
    tls.providers = c.providers;
    tls.name_check = translate(c.verify_name_type);
    tls.name = c.verify_name;
    if (!c.crl_file.empty())
        tls.revocation_lists = [file = config::WatchedFile(c.crl_file)]() mutable
            -> Result<std::optional<std::string>, session::TlsError> {
            auto text = file.changed();
            if (!text)
                return session::TlsError{text.error().why};
            return std::move(*text);
        };
    if (!c.crl_text.empty())
        tls.revocation_lists = [text = std::optional(c.crl_text)]() mutable
            -> Result<std::optional<std::string>, session::TlsError> {
            return std::exchange(text, std::nullopt);
        };
    return tls;
}

session::TlsContext require(Result<session::TlsContext, session::TlsError> tls) {
    if (!tls)
        throw std::runtime_error(tls.error().what);
    return std::move(*tls);
}

void set_session(session::SessionSettings& s, const config::CommonConfig& c,
                 std::uint32_t outer_headers) {
    s.tun_mtu = c.tun_mtu;
    s.renegotiate_after = c.reneg_sec;
    s.handshake_window = c.hand_window;
    s.transition_window = c.tran_window;
    s.reliable.first_timeout = c.tls_timeout;
    s.max_packet = c.max_packet_size - outer_headers;
}

void set_negotiation(session::NegotiationSettings& s, const config::CommonConfig& c, bool tcp) {
    s.data_ciphers = c.data_ciphers;
    s.fallback_cipher = c.fallback_cipher;
    s.auth = c.auth;
    s.framing = c.framing;
    s.may_unpack = c.may_unpack;
    s.tcp = tcp;
    s.ethernet = c.ethernet;
    s.fragments = c.fragment.limit > 0;
}

std::uint32_t outer_headers(bool ipv6, bool tcp) {
    return (ipv6 ? 40 : 20) + (tcp ? 22 : 8);
}

std::chrono::seconds unix_time_of_zero() {
    return std::chrono::duration_cast<std::chrono::seconds>(
        std::chrono::system_clock::now().time_since_epoch() -
        std::chrono::steady_clock::now().time_since_epoch());
}

namespace {

void fill(netlink::InstanceRequest& instance, const config::CommonConfig& c) {
    instance.fastpath = translate(c.fastpath);
    instance.fastpath_mark = c.fastpath_mark;
    instance.fastpath_mask = c.fastpath_mask;
    instance.mark = c.mark;
    instance.inherit_dscp = c.passtos;
}

} // namespace

std::unique_ptr<dataplane::KernelDataPlane> adopt_kernel(const std::string& device,
                                                         unsigned ifindex,
                                                         netlink::InstanceRequest instance,
                                                         const config::CommonConfig& c) {
    fill(instance, c);
    auto kernel = dataplane::KernelDataPlane::adopt(ifindex, instance);
    if (kernel)
        return std::move(*kernel);
    log::warning("nf_ovpn on {}: the process before has left nothing to go on with: {}", device,
                 kernel.error().what);
    return nullptr;
}

std::unique_ptr<dataplane::KernelDataPlane> open_kernel(const std::string& device, unsigned ifindex,
                                                        netlink::InstanceRequest instance,
                                                        const config::CommonConfig& c) {
    fill(instance, c);
    bool missing = false;
    auto kernel = dataplane::KernelDataPlane::create(ifindex, instance, missing);
    if (missing) {
        log::warning(
            "this kernel has no nf_ovpn (generic netlink family \"nf-ovpn\"): data packets "
            "go by the daemon's own data path, which is slower; load the module with "
            "\"modprobe nf_ovpn\" and start again");
        return nullptr;
    }
    if (!kernel)
        throw std::runtime_error("nf_ovpn on " + device + ": " + kernel.error().what);
    return std::move(*kernel);
}

Environment environment(const config::CommonConfig& c, const std::string& device) {
    return {
        {"script_context", "init"},
        {"daemon_pid", std::to_string(getpid())},
        {"verb", std::to_string(c.verb)},
        {"dev", device},
        {"dev_type", c.ethernet ? "tap" : "tun"},
    };
}

void open_log(const log::Target& wanted, bool first, const log::Target& before) {
    auto target = wanted;
    target.append = target.append || !first;
    try {
        const auto why = target.file.empty() ? std::nullopt : why_not_to_write(target.file);
        if (why)
            throw std::runtime_error(*why);
        log::open(target);
    } catch (const std::runtime_error& error) {
        if (first || target.file != before.file || !log::reformat(target))
            throw;
        log::warning("log: {}: the file that is open is written on", error.what());
    }
}

void check(const std::optional<netlink::Error>& failed, const std::string& what) {
    if (failed)
        throw std::runtime_error(what + ": " + failed->what);
}

bool is_data(ByteView datagram) {
    auto opcode = wire::opcode_of(datagram);
    return opcode && wire::is_data(*opcode);
}

} // namespace nfovpn::host
