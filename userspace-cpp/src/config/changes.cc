// SPDX-License-Identifier: GPL-2.0-or-later
//
// What has changed in a configuration; see changes.h.

#include "config/changes.h"

#include "config/option_table.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace nfovpn::config {

namespace {

constexpr std::string_view kInPlace[] = {
    // TLS, of sessions and renegotiations from now on
    "ca", "cert", "key", "crl-verify", "dh", "tls-version-min", "tls-version-max", "tls-cipher",
    "tls-ciphersuites", "tls-groups", "tls-cert-profile", "remote-cert-tls", "verify-x509-name",
    "peer-fingerprint", "verify-client-cert",
    // the wrapping of sessions from now on
    "tls-auth", "tls-crypt", "tls-crypt-v2", "tls-crypt-v2-max-age", "key-direction", "auth",
    // what is negotiated from now on
    "data-ciphers", "data-ciphers-fallback", "cipher", "ncp-ciphers", "comp-lzo", "compress",
    "mssfix",
    // time limits, of all
    "keepalive", "ping", "ping-restart", "reneg-sec", "hand-window", "tran-window", "tls-timeout",
    "max-packet-size",
    // who is let in, with what
    "push", "client-config-dir", "ccd-exclusive", "duplicate-cn", "max-clients",
    "connect-freq-initial", "auth-user-pass-verify", "auth-user-pass-optional",
    "username-as-common-name", "auth-gen-token", "auth-gen-token-secret", "client-connect",
    "client-disconnect", "learn-address", "script-security", "setenv", "setenv-safe", "tmp-dir",
    // run at the end only
    "down", "explicit-exit-notify",
    // what is written
    "status", "status-version", "writepid", "log", "log-append", "syslog", "verb", "mute",
    "suppress-timestamps", "machine-readable-output",
    // of the process, which warns that these have effect at a new start
    "user", "group", "nf-seccomp", "nice", "mlock", "ignore-unknown-option"};

std::array<std::uint8_t, 32> digest(const Directive& d, std::size_t first) {
    std::array<std::uint8_t, 32> out{};
    const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> hash(EVP_MD_CTX_new(),
                                                                  EVP_MD_CTX_free);
    bool good = hash && EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) == 1;
    for (std::size_t i = first; i < d.args.size(); i++) {
        const std::uint64_t size = d.args[i].size();
        good = good && EVP_DigestUpdate(hash.get(), &size, sizeof(size)) == 1 &&
               EVP_DigestUpdate(hash.get(), d.args[i].data(), d.args[i].size()) == 1;
    }
    if (!good || EVP_DigestFinal_ex(hash.get(), out.data(), nullptr) != 1)
        throw std::runtime_error("no SHA-256");
    return out;
}

bool same(const OptionDigest& a, const OptionDigest& b) {
    return a.name == b.name && a.words == b.words;
}

// Those of @p in that @p other has not, each line for itself.
std::vector<OptionChange> missing_in(std::vector<OptionDigest> other,
                                     const std::vector<OptionDigest>& in, bool removed) {
    std::vector<OptionChange> out;
    for (const auto& option : in) {
        auto found = std::find_if(other.begin(), other.end(),
                                  [&](const OptionDigest& o) { return same(o, option); });
        if (found == other.end())
            out.push_back({option.name, option.file, option.line, removed});
        else
            other.erase(found);
    }
    return out;
}

} // namespace

std::vector<OptionDigest> digest_options(const std::vector<Directive>& directives) {
    std::vector<OptionDigest> out;
    for (const auto& d : directives) {
        const bool inner = d.name == "setenv" && d.args.size() >= 2 && d.args[0] == "opt";
        out.push_back({inner ? d.args[1] : d.name, d.file, d.line, digest(d, inner ? 2 : 0)});
    }
    return out;
}

std::vector<OptionChange> changed_options(const std::vector<OptionDigest>& before,
                                          const std::vector<OptionDigest>& now) {
    auto out = missing_in(before, now, false);
    const auto removed = missing_in(now, before, true);
    // A line that has other words is one change, not two.
    for (const auto& change : removed) {
        if (std::none_of(out.begin(), out.end(),
                         [&](const OptionChange& c) { return c.name == change.name; }))
            out.push_back(change);
    }
    // Of lines that say the same the last one may count, so their order is a change as well.
    const auto words_of = [](const std::vector<OptionDigest>& options, const std::string& name) {
        std::vector<std::array<std::uint8_t, 32>> words;
        for (const auto& option : options) {
            if (option.name == name)
                words.push_back(option.words);
        }
        return words;
    };
    for (const auto& option : now) {
        if (std::none_of(out.begin(), out.end(),
                         [&](const OptionChange& c) { return c.name == option.name; }) &&
            words_of(before, option.name) != words_of(now, option.name))
            out.push_back({option.name, option.file, option.line, false});
    }
    return out;
}

std::array<std::uint8_t, 32> digest_for_sessions(const std::vector<OptionDigest>& options) {
    constexpr std::string_view kWrapping[] = {"tls-auth", "tls-crypt", "tls-crypt-v2",
                                              "key-direction", "auth"};
    Directive all;
    for (const auto& option : options) {
        if (applies_in_place(option.name) && std::find(std::begin(kWrapping), std::end(kWrapping),
                                                       option.name) == std::end(kWrapping))
            continue;
        all.args.push_back(option.name);
        all.args.emplace_back(option.words.begin(), option.words.end());
    }
    return digest(all, 0);
}

bool applies_in_place(std::string_view option) {
    const auto* known = find_option(option, Role::Server);
    if (known && known->treatment == Treatment::Ignored)
        return true;
    return std::find(std::begin(kInPlace), std::end(kInPlace), option) != std::end(kInPlace);
}

} // namespace nfovpn::config
