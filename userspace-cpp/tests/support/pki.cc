// SPDX-License-Identifier: GPL-2.0-or-later
//
// Certificates for tests; see pki.h.

#include "support/pki.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace nfovpn::test {

using namespace session;

namespace {

void check(bool ok) {
    if (!ok)
        throw std::runtime_error("test certificates: OpenSSL failed");
}

std::string contents(BIO* bio) {
    char* data = nullptr;
    auto length = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(length)};
}

std::string to_pem(X509* certificate) {
    BioPtr bio(BIO_new(BIO_s_mem()));
    check(PEM_write_bio_X509(bio.get(), certificate) == 1);
    return contents(bio.get());
}

std::string to_pem(EVP_PKEY* key) {
    BioPtr bio(BIO_new(BIO_s_mem()));
    check(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return contents(bio.get());
}

void add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    check(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

X509Ptr make(const std::string& name, EVP_PKEY* key, long serial, long from, long until) {
    X509Ptr certificate(X509_new());
    X509* c = certificate.get();
    check(X509_set_version(c, X509_VERSION_3) == 1);
    check(ASN1_INTEGER_set(X509_get_serialNumber(c), serial) == 1);
    X509_gmtime_adj(X509_getm_notBefore(c), from);
    X509_gmtime_adj(X509_getm_notAfter(c), until);
    check(X509_set_pubkey(c, key) == 1);
    if (!name.empty()) {
        check(X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_UTF8,
                                         reinterpret_cast<const unsigned char*>(name.c_str()), -1,
                                         -1, 0) == 1);
    }
    return certificate;
}

constexpr long kDay = 86400;

} // namespace

Authority::Authority(const std::string& name) : key_(EVP_EC_gen("P-256")) {
    check(key_ != nullptr);
    certificate_ = make(name, key_.get(), serial_++, -kDay, 100 * kDay);
    X509* c = certificate_.get();
    check(X509_set_issuer_name(c, X509_get_subject_name(c)) == 1);
    add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(c, c, NID_key_usage, "critical,keyCertSign,cRLSign");
    check(X509_sign(c, key_.get(), EVP_sha256()) > 0);
    pem_ = to_pem(c);
}

Identity Authority::issue(const CertificateRequest& request) {
    PkeyPtr key(request.rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"));
    check(key != nullptr);
    auto certificate = make(request.common_name, key.get(), serial_++, -30 * kDay,
                            request.expired ? -kDay : 100 * kDay);
    X509* c = certificate.get();
    check(X509_set_issuer_name(c, X509_get_subject_name(certificate_.get())) == 1);
    add_extension(c, certificate_.get(), NID_basic_constraints, "CA:FALSE");
    if (request.key_usage)
        add_extension(c, certificate_.get(), NID_key_usage, "digitalSignature");
    if (request.extended_use) {
        add_extension(c, certificate_.get(), NID_ext_key_usage,
                      request.server ? "serverAuth" : "clientAuth");
    }
    check(X509_sign(c, key_.get(), EVP_sha256()) > 0);
    return {to_pem(c), to_pem(key.get())};
}

std::string Authority::revocation_list(const std::vector<std::string>& certificates,
                                       bool expired) const {
    X509CrlPtr list(X509_CRL_new());
    X509_CRL* l = list.get();
    check(X509_CRL_set_version(l, X509_CRL_VERSION_2) == 1);
    check(X509_CRL_set_issuer_name(l, X509_get_subject_name(certificate_.get())) == 1);
    std::unique_ptr<ASN1_TIME, OpensslFree<ASN1_TIME_free>> from(ASN1_TIME_new());
    std::unique_ptr<ASN1_TIME, OpensslFree<ASN1_TIME_free>> until(ASN1_TIME_new());
    X509_gmtime_adj(from.get(), -2 * kDay);
    X509_gmtime_adj(until.get(), expired ? -kDay : kDay);
    check(X509_CRL_set1_lastUpdate(l, from.get()) == 1 &&
          X509_CRL_set1_nextUpdate(l, until.get()) == 1);
    for (const auto& pem : certificates) {
        BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
        X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
        check(certificate != nullptr);
        std::unique_ptr<X509_REVOKED, OpensslFree<X509_REVOKED_free>> entry(X509_REVOKED_new());
        check(X509_REVOKED_set_serialNumber(entry.get(),
                                            X509_get_serialNumber(certificate.get())) == 1 &&
              X509_REVOKED_set_revocationDate(entry.get(), from.get()) == 1 &&
              X509_CRL_add0_revoked(l, entry.release()) == 1);
    }
    check(X509_CRL_sign(l, key_.get(), EVP_sha256()) > 0);
    BioPtr bio(BIO_new(BIO_s_mem()));
    check(PEM_write_bio_X509_CRL(bio.get(), l) == 1);
    return contents(bio.get());
}

TlsConfig Authority::config(wire::Role role, const std::string& common_name) {
    CertificateRequest request;
    request.common_name = common_name;
    request.server = role == wire::Role::Server;
    auto identity = issue(request);
    TlsConfig config;
    config.role = role;
    config.ca = pem_;
    config.certificate = identity.certificate;
    config.private_key = SecretBytes(as_bytes(identity.private_key));
    return config;
}

} // namespace nfovpn::test
