// SPDX-License-Identifier: GPL-2.0-or-later
//
// TLS without a socket. OpenSSL reads from one memory buffer and writes to another; the session
// moves bytes between those and the reliability layer:
//
//     ordered control messages ─feed()─▶ [ TLS ] ─read()─▶ key method 2, PUSH_REQUEST, …
//     control messages to send ◀drain()─ [     ] ◀write()─ key method 2, PUSH_REPLY, …
//
// Each key negotiation has a TLS session of its own. Resumption, tickets and TLS's own
// renegotiation are all off: every negotiation proves the certificate again.
#pragma once

#include "session/keys.h"
#include "session/openssl_ptr.h"
#include "util/environment.h"
#include "util/result.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nfovpn::session {

/// What the peer's certificate must say of its name.
enum class NameCheck {
    None,
    Subject,    ///< the whole subject, "C=KG, ST=NA, O=OpenVPN, CN=office"
    CommonName, ///< the common name
    Prefix,     ///< how the common name begins
};

/// Why a context could not be made, or lets nobody in, in words for an administrator.
struct TlsError {
    std::string what;
};

/// Revocation lists, PEM. Asked for when the context is made and before each session; answers
/// only when there are others than the last time, or that they cannot be read.
using RevocationLists = std::function<Result<std::optional<std::string>, TlsError>()>;

/// Whether a client must have a certificate; a server always does. (OpenVPN's verify-client-cert.)
enum class PeerCertificate { Required, Optional, Unasked };

/// For what the peer's certificate must be good; OpenVPN's ns-cert-type.
enum class Purpose { Any, Client, Server };

/// SHA-256 of a certificate in DER.
using Fingerprint = std::array<std::uint8_t, 32>;

/// What a TLS context is made of. All certificates and keys are PEM text.
struct TlsConfig {
    wire::Role role = wire::Role::Server;
    std::string ca; ///< empty: a certificate with one of the fingerprints needs no authority
    std::vector<Fingerprint> fingerprints; ///< one of these is the peer's; empty: any may be
    std::string ca_directory;       ///< more of them, by the hashes of their names (c_rehash)
    std::string certificate;        ///< the own one, intermediate ones behind it
    std::string extra_certificates; ///< sent behind these
    SecretBytes private_key;
    SecretBytes pass_phrase;            ///< of the private key, if it has one
    std::string dh;                     ///< parameters for a server's DHE suites; empty: none
    std::vector<std::string> providers; ///< of OpenSSL, to be loaded; empty: its default
    int min_version = TLS1_2_VERSION;
    int max_version = 0;     ///< 0: the newest that OpenSSL has
    int security_level = -1; ///< OpenSSL's, -1: its default
    /// Colons between the names. OpenSSL's or IANA's, the latter as OpenVPN's manual has them:
    /// "TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384". Empty: default.
    std::string ciphers;      ///< TLS 1.2
    std::string ciphersuites; ///< TLS 1.3
    std::string groups;       ///< key exchange; those that are unknown do no harm
    PeerCertificate peer_certificate = PeerCertificate::Required;
    bool require_extended_use = false; ///< peer's certificate must name its purpose (RFC 5280)
    Purpose purpose = Purpose::Any;
    /// Its key usage must have all bits of one of these; 0xffff: it must have one.
    std::vector<std::uint32_t> key_usage;
    std::string extended_key_usage; ///< that it must have; a name, or an OID
    /// SHA1 or SHA256, by its length, of the certificate that has signed it: "5f:3a:..."
    std::string authority_hash;
    NameCheck name_check = NameCheck::None;
    std::string name;
    RevocationLists revocation_lists; ///< empty: nothing is looked up
    /// A directory with a file for each certificate that is revoked, named by its serial number.
    std::string revoked_serials;
    /// Fields of the subject in place of the common name, joined by '_'; "ext:NAME" for such an
    /// extension. Empty: the common name.
    std::vector<std::string> name_fields;
};

/// Settings and certificates shared by all TLS sessions of one role. A copy is the same context.
/// Assigning another one is how certificates change: sessions that have begun end by what they have
/// begun with.
class TlsContext {
public:
    static Result<TlsContext, TlsError> create(const TlsConfig& config);

    [[nodiscard]] SSL_CTX* get() const { return shared_->ctx.get(); }
    [[nodiscard]] wire::Role role() const { return shared_->config.role; }
    [[nodiscard]] int verify_mode() const;

    /// Whether a certificate has the name that is asked for.
    [[nodiscard]] bool name_fits(X509* certificate) const;

    /// Whether a certificate has a fingerprint that is asked for.
    [[nodiscard]] bool fingerprint_fits(X509* certificate) const;
    /// Whether its signature does not matter then.
    [[nodiscard]] bool needs_no_authority() const {
        return shared_->config.ca.empty() && shared_->config.ca_directory.empty();
    }

    /// Why a peer's own certificate is not good for what it is used for; nothing if it is.
    [[nodiscard]] std::optional<std::string> unfit(X509* certificate) const;
    /// Whether there is a file that says that a certificate is revoked, or that cannot be known.
    [[nodiscard]] bool is_revoked(X509* certificate) const;
    /// Whether it is the authority that is asked for.
    [[nodiscard]] bool authority_fits(X509* certificate) const;
    /// What the peer is called, see TlsConfig::name_fields; empty if it has not got it.
    [[nodiscard]] std::string name_of(X509* certificate) const;

    /// Takes in revocation lists that have changed. The rule, all of it: a certificate counts only
    /// as long as the lists that were asked for are those in use. If they cannot be read, or are no
    /// lists, no certificate does, until they can be.
    std::optional<TlsError> refresh() const;
    /// What is wrong with them since refresh(); nothing if they are in use.
    [[nodiscard]] const std::optional<TlsError>& revocation_fault() const {
        return shared_->revocation_fault;
    }

private:
    struct Shared {
        SslCtxPtr ctx;
        TlsConfig config; ///< without its key
        std::optional<TlsError> revocation_fault;
    };

    TlsContext(SslCtxPtr ctx, const TlsConfig& config);
    [[nodiscard]] std::optional<TlsError> load_revocation_lists() const;

    std::shared_ptr<Shared> shared_;
};

/// One TLS session. After a failure it only gives out what it still wants to send (its alert).
class TlsStream {
public:
    /// Throws std::bad_alloc when OpenSSL has no memory.
    explicit TlsStream(const TlsContext& context);
    TlsStream(const TlsStream&) = delete;
    TlsStream& operator=(const TlsStream&) = delete;

    /// Adds ciphertext that came from the peer.
    void feed(ByteView ciphertext);

    /// Takes the handshake as far as the bytes fed so far allow.
    void handshake();

    /// Plaintext from the peer is added to @p out.
    void read(SecretBytes& out);

    /// Sends plaintext as one record. Only after the handshake.
    void write(ByteView plaintext);

    /// Ciphertext to be sent, at most @p limit bytes; empty when there is none.
    Bytes drain(std::size_t limit);

    /// The handshake has ended and the peer's certificate was verified.
    [[nodiscard]] bool established() const { return established_; }
    [[nodiscard]] bool failed() const { return !failure_.empty(); }
    /// Why, in words.
    [[nodiscard]] const std::string& failure() const { return failure_; }

    /// Fills @p out by TLS export. False if OpenSSL refuses.
    bool export_keys(KeyMaterial& out) const;
    /// The same under another label.
    bool export_bytes(std::string_view label, std::span<std::uint8_t> out) const;

    [[nodiscard]] bool has_peer_certificate() const {
        return SSL_get0_peer_certificate(ssl_.get()) != nullptr;
    }
    /// The verified chain as OpenVPN tells it to scripts: tls_id_N, tls_digest_N,
    /// tls_digest_sha256_N, tls_serial_N, tls_serial_hex_N and X509_N_FIELD, N being 0 for the
    /// peer's own certificate.
    [[nodiscard]] Environment peer_environment() const;
    /// The peer's certificate and those that have signed it, in that order, DER.
    [[nodiscard]] std::vector<Bytes> peer_certificates() const;
    /// The certificates of the verified chain, the peer's own first; none if it has none.
    [[nodiscard]] std::vector<Fingerprint> peer_fingerprints() const;
    /// The peer's common name, as wire::clean_name(); empty if it has none.
    [[nodiscard]] std::string peer_common_name() const;
    /// "TLSv1.3"
    [[nodiscard]] std::string version() const;
    /// "TLS_AES_256_GCM_SHA384"
    [[nodiscard]] std::string cipher() const;

private:
    static int verify(int ok, X509_STORE_CTX* store);
    void fail(int ssl_result, const char* during);

    SslPtr ssl_;
    BIO* in_;  ///< owned by ssl_
    BIO* out_; ///< owned by ssl_
    bool established_ = false;
    TlsContext context_;
    std::string failure_;
    std::string verify_failure_;
};

} // namespace nfovpn::session
