// SPDX-License-Identifier: GPL-2.0-or-later
//
// A certificate authority for tests, made afresh in each run. Elliptic curve keys, because RSA
// ones take longer to make than the tests take to run.
#pragma once

#include "session/openssl_ptr.h"
#include "session/tls.h"

#include <string>
#include <vector>

namespace nfovpn::test {

/// What a certificate is for, and whether it is still good.
struct CertificateRequest {
    std::string common_name;
    bool server = false;
    bool expired = false;
    bool extended_use = true; ///< names its purpose
    bool key_usage = true;
    bool rsa = false; ///< takes its time
};

/// A certificate and its key, both PEM.
struct Identity {
    std::string certificate;
    std::string private_key;
};

class Authority {
public:
    explicit Authority(const std::string& name = "test authority");

    [[nodiscard]] Identity issue(const CertificateRequest& request);
    [[nodiscard]] const std::string& certificate() const { return pem_; }

    /// The authority's revocation list with these certificates, PEM. An expired one is of
    /// yesterday.
    [[nodiscard]] std::string revocation_list(const std::vector<std::string>& certificates,
                                              bool expired = false) const;

    /// A TLS configuration of that role with a fresh certificate of this authority.
    [[nodiscard]] session::TlsConfig config(wire::Role role, const std::string& common_name);

private:
    session::PkeyPtr key_;
    session::X509Ptr certificate_;
    std::string pem_;
    long serial_ = 1;
};

} // namespace nfovpn::test
