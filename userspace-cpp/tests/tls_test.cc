// SPDX-License-Identifier: GPL-2.0-or-later
//
// TLS contexts: which peers they accept, and what they agree on. Two streams are connected in
// memory; nothing of OpenVPN is around them.

#include "session/tls.h"
#include "support/pki.h"
#include "util/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nfovpn;
using namespace nfovpn::session;
using namespace nfovpn::test;
using testing::HasSubstr;

namespace {

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
