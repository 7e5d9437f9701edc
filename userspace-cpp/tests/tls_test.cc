// SPDX-License-Identifier: GPL-2.0-or-later
//
// TLS contexts: which peers they accept, and what they agree on. Two streams are connected in
// memory; nothing of OpenVPN is around them.

#include "session/tls.h"
#include "support/pki.h"
#include "util/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace nfovpn;
using namespace nfovpn::session;
using namespace nfovpn::test;
using testing::HasSubstr;

namespace {

template <typename Write>
std::string pem_of(Write write) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    write(out.get());
    char* data = nullptr;
    const auto length = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(length)};
}

// A group that everybody knows, as quick to have.
std::string dh_parameters() {
    const std::unique_ptr<EVP_PKEY_CTX, OpensslFree<EVP_PKEY_CTX_free>> ctx(
        EVP_PKEY_CTX_new_from_name(nullptr, "DH", nullptr));
    std::string group = "ffdhe2048";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
        OSSL_PARAM_construct_end()};
    EVP_PKEY* made = nullptr;
    EXPECT_EQ(EVP_PKEY_keygen_init(ctx.get()), 1);
    EXPECT_EQ(EVP_PKEY_CTX_set_params(ctx.get(), params), 1);
    EXPECT_EQ(EVP_PKEY_generate(ctx.get(), &made), 1);
    const PkeyPtr key(made);
    return pem_of([&](BIO* out) { return PEM_write_bio_Parameters(out, key.get()); });
}

std::string locked(std::string_view pem, const char* phrase) {
    const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const PkeyPtr key(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
    return pem_of([&](BIO* out) {
        return PEM_write_bio_PKCS8PrivateKey(out, key.get(), EVP_aes_128_cbc(), nullptr, 0, nullptr,
                                             const_cast<char*>(phrase));
    });
}

std::string serial_of(const std::string& pem) {
    const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const X509Ptr certificate(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
    return std::to_string(ASN1_INTEGER_get(X509_get0_serialNumber(certificate.get())));
}

class Tls : public testing::Test {
protected:
    void SetUp() override { log::set_level(log::Level::Off); }

    struct Outcome {
        std::string failure; ///< of the server, empty if it accepted
        std::string version;
        std::string cipher;
    };

    static TlsContext context(const TlsConfig& config) {
        auto made = TlsContext::create(config);
        if (!made)
            throw std::runtime_error(made.error().what);
        return std::move(*made);
    }

    static Outcome connect(const TlsContext& server_context, const TlsConfig& client_config) {
        auto client_context = context(client_config);
        TlsStream server(server_context);
        TlsStream client(client_context);
        SecretBytes unused;
        // Every flight of a handshake, and the alert behind it.
        for (int i = 0; i < 8; i++) {
            client.handshake();
            client.read(unused);
            server.feed(client.drain(100000));
            server.handshake();
            server.read(unused);
            client.feed(server.drain(100000));
        }
        return {server.established() ? server.failure() : server.failure() + " (not established)",
                server.version(), server.cipher()};
    }

    TlsConfig server() { return authority.config(wire::Role::Server, "server"); }
    TlsConfig client(const std::string& name = "alice") {
        return authority.config(wire::Role::Client, name);
    }
    TlsConfig with(const CertificateRequest& request) {
        auto identity = authority.issue(request);
        auto config = client();
        config.certificate = identity.certificate;
        config.private_key = SecretBytes(as_bytes(identity.private_key));
        return config;
    }

    Authority authority;
};

std::string error_of(const TlsConfig& config) {
    auto made = TlsContext::create(config);
    return made ? "" : made.error().what;
}

} // namespace

namespace {
using Lists = Result<std::optional<std::string>, TlsError>;

RevocationLists always(std::string text) {
    return [text = std::move(text)] { return Lists(text); };
}
} // namespace

TEST_F(Tls, RevokedCertificatesAreRefused) {
    auto alice = client("alice");
    auto bob = client("bob");
    std::optional<std::string> news = authority.revocation_list({alice.certificate});
    auto config = server();
    config.revocation_lists = [&] { return Lists(std::exchange(news, std::nullopt)); };
    auto ours = context(config);
    EXPECT_THAT(connect(ours, alice).failure, HasSubstr("certificate revoked"));
    EXPECT_EQ(connect(ours, bob).failure, "");
    // A new list counts from the next session on, as it is: it takes alice back.
    news = authority.revocation_list({bob.certificate});
    EXPECT_EQ(connect(ours, alice).failure, "");
    EXPECT_THAT(connect(ours, bob).failure, HasSubstr("certificate revoked"));
    // What is no list lets nobody in as long as it is there, and a list mends that.
    for (auto bad : {std::string(), std::string("nonsense"), authority.certificate(),
                     authority.revocation_list({}).substr(0, 150)}) {
        news = bad;
        EXPECT_THAT(connect(ours, alice).failure, HasSubstr("no usable revocation list"));
        EXPECT_THAT(connect(ours, alice).failure, HasSubstr("no usable revocation list"));
        news = authority.revocation_list({bob.certificate});
        EXPECT_EQ(connect(ours, alice).failure, "");
        EXPECT_THAT(connect(ours, bob).failure, HasSubstr("certificate revoked"));
    }
}

// Without rights or descriptors it is not known who has been revoked meanwhile.
TEST_F(Tls, ListsThatCannotBeReadLetNobodyIn) {
    auto alice = client("alice");
    Lists answer = std::optional(authority.revocation_list({}));
    auto config = server();
    config.revocation_lists = [&] { return answer; };
    auto ours = context(config);
    EXPECT_EQ(connect(ours, alice).failure, "");
    answer = TlsError{"crl.pem: Too many open files"};
    EXPECT_THAT(connect(ours, alice).failure, HasSubstr("crl.pem: Too many open files"));
    EXPECT_THAT(connect(ours, alice).failure, HasSubstr("crl.pem: Too many open files"));
    answer = std::optional(authority.revocation_list({alice.certificate}));
    EXPECT_THAT(connect(ours, alice).failure, HasSubstr("certificate revoked"));
}

TEST_F(Tls, ListsThatAreOldOrOfOthers) {
    auto config = server();
    config.revocation_lists = always(authority.revocation_list({}, true));
    EXPECT_THAT(connect(context(config), client()).failure, HasSubstr("CRL has expired"));
    Authority other("another");
    config.revocation_lists = always(other.revocation_list({}));
    EXPECT_EQ(connect(context(config), client()).failure, "") << "as OpenVPN does";
    config.revocation_lists = always(other.revocation_list({}) + authority.revocation_list({}));
    EXPECT_EQ(connect(context(config), client()).failure, "");
    // A list with a foreign signature under the authority's name.
    Authority impostor("test authority");
    config.revocation_lists = always(impostor.revocation_list({}));
    EXPECT_THAT(connect(context(config), client()).failure, HasSubstr("CRL signature failure"));
}

TEST_F(Tls, WithoutAUsableListThereIsNoContext) {
    auto config = server();
    config.revocation_lists = always("");
    EXPECT_THAT(error_of(config), HasSubstr("crl-verify: no usable revocation list"));
}

TEST_F(Tls, NamesOfPeers) {
    struct {
        NameCheck check;
        const char* name;
        bool good;
    } const cases[] = {
        {NameCheck::None, "", true},
        {NameCheck::Subject, "CN=office-7", true},
        {NameCheck::Subject, "office-7", false},
        {NameCheck::Subject, "CN=office", false},
        {NameCheck::CommonName, "office-7", true},
        {NameCheck::CommonName, "office-", false},
        {NameCheck::CommonName, "Office-7", false},
        {NameCheck::Prefix, "office-", true},
        {NameCheck::Prefix, "office-7", true},
        {NameCheck::Prefix, "office-77", false},
        {NameCheck::Prefix, "ffice", false},
    };
    for (const auto& c : cases) {
        auto config = server();
        config.name_check = c.check;
        config.name = c.name;
        auto outcome = connect(context(config), client("office-7"));
        if (c.good)
            EXPECT_EQ(outcome.failure, "") << c.name;
        else
            EXPECT_THAT(outcome.failure, HasSubstr("verify-x509-name: \"CN=office-7\" is not the"));
    }
}

TEST_F(Tls, Fingerprints) {
    const auto of = [](const TlsConfig& config) {
        BioPtr bio(BIO_new_mem_buf(config.certificate.data(), -1));
        X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
        Fingerprint out{};
        X509_digest(certificate.get(), EVP_sha256(), out.data(), nullptr);
        return out;
    };
    Authority other("another");
    auto alice = client("alice");
    auto stranger = other.config(wire::Role::Client, "stranger");
    stranger.ca = alice.ca;

    // Together with an authority both must fit.
    auto config = server();
    config.fingerprints = {of(client("bob")), of(alice), of(stranger)};
    EXPECT_EQ(connect(context(config), alice).failure, "");
    EXPECT_THAT(connect(context(config), client("alice")).failure, HasSubstr("peer-fingerprint: "));
    EXPECT_THAT(connect(context(config), stranger).failure, HasSubstr("certificate at depth 0"));

    // Without one it does not matter who has signed, but that the key is theirs does.
    config.ca.clear();
    EXPECT_EQ(connect(context(config), alice).failure, "");
    EXPECT_EQ(connect(context(config), stranger).failure, "");
    EXPECT_THAT(connect(context(config), client("alice")).failure,
                HasSubstr("is not one of those that are given"));
    auto nobody = client();
    nobody.certificate.clear();
    EXPECT_THAT(connect(context(config), nobody).failure, HasSubstr("did not return"));

    // Nor do they excuse anything else.
    CertificateRequest expired;
    expired.common_name = "carol";
    expired.expired = true;
    auto carol = with(expired);
    config.fingerprints = {of(carol)};
    EXPECT_THAT(connect(context(config), carol).failure, HasSubstr("has expired"));
    config.fingerprints.clear();
    EXPECT_THAT(error_of(config), HasSubstr("ca: no usable certificate"));
}

TEST_F(Tls, PurposeOfCertificates) {
    auto config = server();
    CertificateRequest request;
    request.common_name = "alice";
    request.extended_use = false;
    EXPECT_EQ(connect(context(config), with(request)).failure, "");
    config.require_extended_use = true;
    EXPECT_EQ(connect(context(config), client()).failure, "");
    EXPECT_THAT(connect(context(config), with(request)).failure, HasSubstr("purpose"));
    request.extended_use = true;
    request.key_usage = false;
    EXPECT_THAT(connect(context(config), with(request)).failure, HasSubstr("purpose"));
}

// What OpenVPN's options for it ask of a certificate, one by one.
TEST_F(Tls, UsesThatAreAskedFor) {
    CertificateRequest plain;
    plain.common_name = "alice";
    CertificateRequest unused = plain;
    unused.key_usage = false;
    unused.extended_use = false;

    auto config = server();
    config.purpose = Purpose::Client;
    EXPECT_EQ(connect(context(config), with(plain)).failure, "");
    config.purpose = Purpose::Server;
    EXPECT_THAT(connect(context(config), with(plain)).failure, HasSubstr("ns-cert-type"));

    config = server();
    config.key_usage = {0x04, 0x80}; // digitalSignature is the latter
    EXPECT_EQ(connect(context(config), with(plain)).failure, "");
    EXPECT_THAT(connect(context(config), with(unused)).failure, HasSubstr("has no key usage"));
    config.key_usage = {0x04, 0x88};
    EXPECT_THAT(connect(context(config), with(plain)).failure,
                HasSubstr("remote-cert-ku: the key usage of the certificate is 80"));
    config.key_usage = {0xffff};
    EXPECT_EQ(connect(context(config), with(plain)).failure, "");
    EXPECT_THAT(connect(context(config), with(unused)).failure, HasSubstr("has no key usage"));

    config = server();
    for (const char* name : {"TLS Web Client Authentication", "1.3.6.1.5.5.7.3.2"}) {
        config.extended_key_usage = name;
        EXPECT_EQ(connect(context(config), with(plain)).failure, "") << name;
        EXPECT_THAT(connect(context(config), with(unused)).failure, HasSubstr("remote-cert-eku"));
    }
    config.extended_key_usage = "TLS Web Server Authentication";
    EXPECT_THAT(connect(context(config), with(plain)).failure, HasSubstr("remote-cert-eku"));
}

TEST_F(Tls, KeyExchangeWithoutCurves) {
    CertificateRequest request;
    request.common_name = "server";
    request.server = true;
    request.rsa = true;
    auto config = server();
    const auto identity = authority.issue(request);
    config.certificate = identity.certificate;
    config.private_key = SecretBytes(as_bytes(identity.private_key));
    config.max_version = TLS1_2_VERSION;
    config.ciphers = "TLS-DHE-RSA-WITH-AES-256-GCM-SHA384";
    EXPECT_NE(connect(context(config), client()).failure, "") << "there are no parameters";
    config.dh = dh_parameters();
    EXPECT_EQ(connect(context(config), client()).cipher, "DHE-RSA-AES256-GCM-SHA384");
    config.dh = identity.certificate;
    EXPECT_THAT(error_of(config), HasSubstr("dh: "));
}

TEST_F(Tls, KeysWithAPassPhrase) {
    auto config = server();
    config.private_key = SecretBytes(as_bytes(locked(as_text(config.private_key.view()), "open")));
    EXPECT_THAT(error_of(config), HasSubstr("needs askpass"));
    config.pass_phrase = SecretBytes(as_bytes(std::string_view("shut")));
    EXPECT_THAT(error_of(config), HasSubstr("is this its pass phrase?"));
    config.pass_phrase = SecretBytes(as_bytes(std::string_view("open")));
    EXPECT_EQ(connect(context(config), client()).failure, "");
}

TEST_F(Tls, DirectoriesOfRevokedSerialNumbers) {
    std::string directory = testing::TempDir() + "serials-XXXXXX";
    ASSERT_NE(mkdtemp(directory.data()), nullptr);
    auto config = server();
    config.revoked_serials = directory;
    auto alice = client();
    EXPECT_EQ(connect(context(config), alice).failure, "");
    std::ofstream(directory + "/" + serial_of(alice.certificate)).flush();
    EXPECT_THAT(connect(context(config), alice).failure, HasSubstr("revoked"));
    EXPECT_EQ(connect(context(config), client("bob")).failure, "");
    // Without the directory nobody knows.
    std::filesystem::remove_all(directory);
    EXPECT_THAT(connect(context(config), client("bob")).failure, HasSubstr("revoked"));
}

TEST_F(Tls, NamesOfOtherFields) {
    auto config = server();
    config.name_fields = {"CN", "serialNumber"};
    config.name_check = NameCheck::Prefix;
    config.name = "alice_0x";
    EXPECT_EQ(connect(context(config), client()).failure, "");
    EXPECT_NE(connect(context(config), client("bob")).failure, "");
    config.name_fields = {"emailAddress"};
    EXPECT_NE(connect(context(config), client()).failure, "") << "it has none";
}

TEST_F(Tls, Providers) {
    auto config = server();
    config.providers = {"default"};
    EXPECT_EQ(connect(context(config), client()).failure, "");
    config.providers = {"no-such-provider"};
    EXPECT_THAT(error_of(config), HasSubstr("providers: no-such-provider"));
}

TEST_F(Tls, CipherListsInBothKindsOfNames) {
    auto config = server();
    config.max_version = TLS1_2_VERSION;
    for (const char* list : {"TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256",
                             "TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256",
                             "ALL:!TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384:!CHACHA20:!AESCCM:"
                             "!TLS-ECDHE-ECDSA-WITH-AES-256-CBC-SHA384:!AES256:!CAMELLIA:!ARIA"}) {
        config.ciphers = list;
        EXPECT_EQ(connect(context(config), client()).cipher, "ECDHE-ECDSA-AES128-GCM-SHA256")
            << list;
    }
    config.ciphers = "TLS-NO-SUCH-SUITE";
    EXPECT_THAT(error_of(config), HasSubstr("tls-cipher: "));

    config = server();
    config.ciphersuites = "TLS-CHACHA20-POLY1305-SHA256";
    EXPECT_EQ(connect(context(config), client()).cipher, "TLS_CHACHA20_POLY1305_SHA256");
    config.ciphersuites = "TLS_AES_128_GCM_SHA256";
    EXPECT_EQ(connect(context(config), client()).cipher, "TLS_AES_128_GCM_SHA256");
    config.ciphersuites = "TLS_NO_SUCH_SUITE";
    EXPECT_THAT(error_of(config), HasSubstr("tls-ciphersuites: "));
}

TEST_F(Tls, Groups) {
    auto config = server();
    auto theirs = client();
    config.groups = "no-such-group:secp384r1:prime256v1";
    theirs.groups = "secp384r1:secp256r1";
    EXPECT_EQ(connect(context(config), theirs).failure, "");
    config.groups = "X448";
    EXPECT_NE(connect(context(config), theirs).failure, "");
    config.groups = "no-such-group";
    EXPECT_THAT(error_of(config), HasSubstr("tls-groups: "));
}

TEST_F(Tls, Versions) {
    for (int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        auto config = server();
        config.min_version = version;
        config.max_version = version;
        auto theirs = client();
        EXPECT_EQ(connect(context(config), theirs).version,
                  version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
        theirs.min_version = theirs.max_version =
            version == TLS1_2_VERSION ? TLS1_3_VERSION : TLS1_2_VERSION;
        EXPECT_NE(connect(context(config), theirs).failure, "");
    }
}
