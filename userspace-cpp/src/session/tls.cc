// SPDX-License-Identifier: GPL-2.0-or-later
//
// TLS by OpenSSL 3 through memory BIOs; see tls.h. Most of this file is about saying what went
// wrong: the administrator's certificate problem is nearly always in OpenSSL's error queue or in
// the verification result, and both must be read at once, before the next session uses them.

#include "session/tls.h"

#include "util/log.h"
#include "wire/peer_info.h"

#include <fmt/core.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/x509v3.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <new>

namespace nfovpn::session {

namespace {

// The queue's oldest error, which is the cause; the later ones are its echoes.
std::string take_error() {
    auto code = ERR_get_error();
    const char* reason = code ? ERR_reason_error_string(code) : nullptr;
    ERR_clear_error();
    return reason ? reason : "unknown error";
}

TlsError error(const std::string& what) {
    return {what + ": " + take_error()};
}

BioPtr reader(ByteView pem) {
    return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// Never asks at the terminal for a pass phrase: a daemon has none.
int no_passphrase(char*, int, int, void*) {
    return -1;
}

// The same with what is known.
int given_passphrase(char* out, int size, int, void* given) {
    const auto phrase = static_cast<const SecretBytes*>(given)->view();
    if (phrase.empty() || phrase.size() > static_cast<std::size_t>(size))
        return -1;
    std::memcpy(out, phrase.data(), phrase.size());
    return static_cast<int>(phrase.size());
}

// For the whole process, as OpenSSL has them, and to its end.
std::optional<TlsError> load_providers(const std::vector<std::string>& names) {
    struct Unload {
        void operator()(OSSL_PROVIDER* provider) const { OSSL_PROVIDER_unload(provider); }
    };
    static std::map<std::string, std::unique_ptr<OSSL_PROVIDER, Unload>> loaded;
    for (const auto& name : names) {
        auto& provider = loaded[name];
        if (!provider)
            provider.reset(OSSL_PROVIDER_load(nullptr, name.c_str()));
        if (!provider)
            return error("providers: " + name);
    }
    return std::nullopt;
}

X509Ptr read_certificate(BIO* bio) {
    return X509Ptr(PEM_read_bio_X509(bio, nullptr, no_passphrase, nullptr));
}

// Whether reading objects of a file has ended behind the last of them, and not at a damaged one.
bool at_end_of_pem() {
    bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (end)
        ERR_clear_error();
    return end;
}

// Puts the authorities' certificates into a store, and their names into what a server asks for.
std::optional<TlsError> load_ca(X509_STORE* store, SSL_CTX* names, const std::string& pem) {
    auto bio = reader(as_bytes(pem));
    int count = 0;
    while (auto certificate = read_certificate(bio.get())) {
        if (X509_STORE_add_cert(store, certificate.get()) != 1 ||
            (names && SSL_CTX_add_client_CA(names, certificate.get()) != 1))
            return error("ca");
        count++;
    }
    if (count == 0 || !at_end_of_pem())
        return error("ca: no usable certificate");
    return std::nullopt;
}

std::optional<TlsError> load_crls(X509_STORE* store, const std::string& pem) {
    auto bio = reader(as_bytes(pem));
    int count = 0;
    while (X509CrlPtr crl{PEM_read_bio_X509_CRL(bio.get(), nullptr, no_passphrase, nullptr)}) {
        if (X509_STORE_add_crl(store, crl.get()) != 1)
            return error("crl-verify");
        count++;
    }
    if (count == 0 || !at_end_of_pem())
        return error("crl-verify: no usable revocation list");
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return std::nullopt;
}

// OpenVPN's configurations have IANA's names of cipher suites, with '-' for '_', among OpenSSL's
// names and the signs of its syntax.
std::string openssl_cipher_list(const std::string& list) {
    std::string out;
    for (const auto& word : wire::split(list, ':')) {
        auto at = word.find_first_not_of("!-+");
        auto sign = word.substr(0, at);
        auto name = at == std::string::npos ? "" : word.substr(at);
        if (name.starts_with("TLS-")) {
            auto iana = name;
            std::replace(iana.begin(), iana.end(), '-', '_');
            const std::string known = OPENSSL_cipher_name(iana.c_str());
            if (known != "(NONE)")
                name = known;
        }
        out += out.empty() ? "" : ":";
        out += sign;
        out += name;
    }
    return out;
}

// The groups that OpenSSL has; of the others it would make an error.
std::string known_groups(SSL_CTX* ctx, const std::string& list) {
    std::string out;
    for (const auto& name : wire::split(list, ':')) {
        if (SSL_CTX_set1_groups_list(ctx, name.c_str()) == 1)
            out += (out.empty() ? "" : ":") + name;
        else
            log::warning("tls-groups: {} is not known and left out", wire::printable(name));
    }
    ERR_clear_error();
    return out;
}

// The subject in OpenVPN's form, "C=KG, O=OpenVPN, CN=office".
std::string subject_of(X509* certificate) {
    BioPtr out(BIO_new(BIO_s_mem()));
    if (!out || X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0,
                                   XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN |
                                       ASN1_STRFLGS_UTF8_CONVERT | ASN1_STRFLGS_ESC_CTRL) < 0)
        return "";
    char* data = nullptr;
    auto length = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(length)};
}

std::optional<Fingerprint> fingerprint_of(const X509* certificate) {
    Fingerprint out{};
    if (!certificate || X509_digest(certificate, EVP_sha256(), out.data(), nullptr) != 1)
        return std::nullopt;
    return out;
}

// "5f:3a:...", as OpenVPN tells programs.
std::string with_colons(ByteView bytes) {
    std::string out;
    for (auto byte : bytes)
        out += fmt::format("{}{:02x}", out.empty() ? "" : ":", byte);
    return out;
}

std::string digest_of(const X509* certificate, const EVP_MD* algorithm) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    if (X509_digest(certificate, algorithm, digest.data(), &length) != 1)
        return "";
    return with_colons(ByteView(digest).first(length));
}

// "5F:3A:...", as OpenSSL and OpenVPN write it.
std::string text_of(const Fingerprint& fingerprint) {
    std::string out;
    for (auto byte : fingerprint)
        out += fmt::format("{}{:02X}", out.empty() ? "" : ":", byte);
    return out;
}

// Errors that say no more than that nobody who is trusted has signed.
bool is_of_signer(int error) {
    switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return true;
    default:
        return false;
    }
}

// What OPENSSL_free() ends; that is a macro.
struct OpensslMemory {
    void operator()(void* memory) const { OPENSSL_free(memory); }
};
using OpensslText = std::unique_ptr<char, OpensslMemory>;
using OpensslBytes = std::unique_ptr<unsigned char, OpensslMemory>;

// As UTF-8; empty if it cannot be had.
std::string value_of(const X509_NAME_ENTRY* entry) {
    unsigned char* utf8 = nullptr;
    int length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
    OpensslBytes owned(utf8);
    if (length < 0) {
        ERR_clear_error();
        return "";
    }
    return std::string(as_text({utf8, static_cast<std::size_t>(length)}));
}

// The last common name counts if there are several, as with OpenVPN. Empty if there is none.
std::string common_name_of(X509* certificate) {
    X509_NAME* subject = X509_get_subject_name(certificate);
    int at = -1;
    for (int next = -1; (next = X509_NAME_get_index_by_NID(subject, NID_commonName, next)) >= 0;)
        at = next;
    if (at < 0)
        return "";
    return value_of(X509_NAME_get_entry(subject, at));
}

std::optional<TlsError> load_certificate(SSL_CTX* ctx, const TlsConfig& config) {
    auto bio = reader(as_bytes(config.certificate));
    auto own = read_certificate(bio.get());
    if (!own || SSL_CTX_use_certificate(ctx, own.get()) != 1)
        return error("cert");
    while (auto chain = read_certificate(bio.get())) {
        if (SSL_CTX_add1_chain_cert(ctx, chain.get()) != 1)
            return error("cert: certificate chain");
    }
    auto extra = reader(as_bytes(config.extra_certificates));
    while (auto chain = read_certificate(extra.get())) {
        if (SSL_CTX_add1_chain_cert(ctx, chain.get()) != 1)
            return error("extra-certs");
    }
    ERR_clear_error();

    auto key_bio = reader(config.private_key.view());
    SecretBytes phrase(config.pass_phrase.view());
    PkeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, given_passphrase, &phrase));
    if (!key)
        return error(phrase.empty() ? "key (one with a pass phrase needs askpass)"
                                    : "key (is this its pass phrase?)");
    if (SSL_CTX_use_PrivateKey(ctx, key.get()) != 1 || SSL_CTX_check_private_key(ctx) != 1)
        return error("key does not belong to cert");
    return std::nullopt;
}

// For key exchange without curves, which clients of TLS 1.2 may insist on.
std::optional<TlsError> load_dh(SSL_CTX* ctx, const std::string& pem) {
    auto bio = reader(as_bytes(pem));
    PkeyPtr parameters(PEM_read_bio_Parameters(bio.get(), nullptr));
    if (!parameters)
        return error("dh");
    if (SSL_CTX_set0_tmp_dh_pkey(ctx, parameters.get()) != 1)
        return error("dh");
    static_cast<void>(parameters.release()); // it is the context's now
    return std::nullopt;
}

// The bits of its key usage as OpenVPN writes them: those of the first octet, or those of the
// second where there are no others.
std::optional<std::uint32_t> key_usage_of(X509* certificate) {
    if ((X509_get_extension_flags(certificate) & EXFLAG_KUSAGE) == 0)
        return std::nullopt;
    const auto bits = X509_get_key_usage(certificate);
    return (bits & 0xff) != 0 ? bits & 0xff : bits >> 8;
}

bool has_extended_use(X509* certificate, const std::string& wanted) {
    struct FreeUses {
        void operator()(EXTENDED_KEY_USAGE* uses) const { EXTENDED_KEY_USAGE_free(uses); }
    };
    const std::unique_ptr<EXTENDED_KEY_USAGE, FreeUses> uses(static_cast<EXTENDED_KEY_USAGE*>(
        X509_get_ext_d2i(certificate, NID_ext_key_usage, nullptr, nullptr)));
    for (int i = 0; uses && i < sk_ASN1_OBJECT_num(uses.get()); i++) {
        // By its name, or by its number.
        for (const int as_number : {0, 1}) {
            std::array<char, 256> text{};
            OBJ_obj2txt(text.data(), static_cast<int>(text.size()),
                        sk_ASN1_OBJECT_value(uses.get(), i), as_number);
            if (wanted == text.data())
                return true;
        }
    }
    return false;
}

// The first mail address or whatever else an alternative name has; empty if there is none.
std::string alternative_name_of(X509* certificate) {
    struct FreeNames {
        void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
    };
    const std::unique_ptr<GENERAL_NAMES, FreeNames> names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); i++) {
        const auto* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == GEN_EMAIL)
            return std::string(
                as_text({ASN1_STRING_get0_data(name->d.ia5),
                         static_cast<std::size_t>(ASN1_STRING_length(name->d.ia5))}));
    }
    return "";
}

// The last one of that name; with "ext:" an extension. Empty if there is none.
std::string field_of(X509* certificate, const std::string& field) {
    if (field == "ext:subjectAltName")
        return alternative_name_of(certificate);
    if (field == "serialNumber") {
        const BignumPtr number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
        const OpensslText digits(number ? BN_bn2hex(number.get()) : nullptr);
        return digits ? "0x" + std::string(digits.get()) : "";
    }
    const int nid = OBJ_txt2nid(field.c_str());
    X509_NAME* subject = X509_get_subject_name(certificate);
    int at = -1;
    for (int next = -1;
         nid != NID_undef && (next = X509_NAME_get_index_by_NID(subject, nid, next)) >= 0;)
        at = next;
    return at < 0 ? "" : value_of(X509_NAME_get_entry(subject, at));
}

// The certificate says in its extended key usage that it is meant for the other role, and it has a
// key usage, which OpenSSL has looked at.
bool names_its_purpose(X509* certificate, wire::Role own_role) {
    auto wanted = own_role == wire::Role::Server ? XKU_SSL_CLIENT : XKU_SSL_SERVER;
    constexpr std::uint32_t kBoth = EXFLAG_XKUSAGE | EXFLAG_KUSAGE;
    return (X509_get_extension_flags(certificate) & kBoth) == kBoth &&
           (X509_get_extended_key_usage(certificate) & static_cast<unsigned>(wanted)) != 0;
}

} // namespace

Result<TlsContext, TlsError> TlsContext::create(const TlsConfig& config) {
    ERR_clear_error();
    if (auto failed = load_providers(config.providers))
        return *failed;
    bool server = config.role == wire::Role::Server;
    SslCtxPtr ctx(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
    if (!ctx)
        return error("TLS");
    SSL_CTX* c = ctx.get();

    if (config.security_level >= 0)
        SSL_CTX_set_security_level(c, config.security_level);
    SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(c, 0);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_set_min_proto_version(c, config.min_version) != 1 ||
        SSL_CTX_set_max_proto_version(c, config.max_version) != 1)
        return error("tls-version-min/tls-version-max");
    if (!config.ciphers.empty() &&
        SSL_CTX_set_cipher_list(c, openssl_cipher_list(config.ciphers).c_str()) != 1)
        return error("tls-cipher");
    auto suites = config.ciphersuites;
    std::replace(suites.begin(), suites.end(), '-', '_');
    if (!suites.empty() && SSL_CTX_set_ciphersuites(c, suites.c_str()) != 1)
        return error("tls-ciphersuites");
    if (!config.groups.empty() &&
        SSL_CTX_set1_groups_list(c, known_groups(c, config.groups).c_str()) != 1)
        return error("tls-groups");

    if (!config.ca.empty() || (config.fingerprints.empty() && config.ca_directory.empty())) {
        if (auto failed = load_ca(SSL_CTX_get_cert_store(c), c, config.ca))
            return *failed;
    }
    if (!config.ca_directory.empty() &&
        X509_STORE_load_path(SSL_CTX_get_cert_store(c), config.ca_directory.c_str()) != 1)
        return error("capath");
    if (!config.dh.empty()) {
        if (auto failed = load_dh(c, config.dh))
            return *failed;
    }
    // A client may have none, where user name and password are enough.
    if (server || !config.certificate.empty()) {
        if (auto failed = load_certificate(c, config))
            return *failed;
    }
    TlsContext context(std::move(ctx), config);
    if (auto failed = context.refresh())
        return *failed;
    return context;
}

TlsContext::TlsContext(SslCtxPtr ctx, const TlsConfig& config)
    : shared_(std::make_shared<Shared>()) {
    shared_->ctx = std::move(ctx);
    auto& own = shared_->config;
    own.role = config.role;
    own.ca = config.ca;
    own.fingerprints = config.fingerprints;
    own.peer_certificate = config.peer_certificate;
    own.require_extended_use = config.require_extended_use;
    own.name_check = config.name_check;
    own.name = config.name;
    own.purpose = config.purpose;
    own.key_usage = config.key_usage;
    own.extended_key_usage = config.extended_key_usage;
    own.authority_hash = config.authority_hash;
    own.ca_directory = config.ca_directory;
    own.revoked_serials = config.revoked_serials;
    own.name_fields = config.name_fields;
    own.revocation_lists = config.revocation_lists;
}

int TlsContext::verify_mode() const {
    switch (shared_->config.peer_certificate) {
    case PeerCertificate::Required:
        return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    case PeerCertificate::Optional:
        return SSL_VERIFY_PEER;
    case PeerCertificate::Unasked:
        return SSL_VERIFY_NONE;
    }
    return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

bool TlsContext::name_fits(X509* certificate) const {
    switch (shared_->config.name_check) {
    case NameCheck::None:
        return true;
    case NameCheck::Subject:
        return subject_of(certificate) == shared_->config.name;
    case NameCheck::CommonName:
        return name_of(certificate) == shared_->config.name;
    case NameCheck::Prefix:
        return name_of(certificate).starts_with(shared_->config.name);
    }
    return false;
}

bool TlsContext::fingerprint_fits(X509* certificate) const {
    const auto own = fingerprint_of(certificate);
    const auto& wanted = shared_->config.fingerprints;
    return wanted.empty() || (own && std::find(wanted.begin(), wanted.end(), *own) != wanted.end());
}

std::optional<std::string> TlsContext::unfit(X509* certificate) const {
    if (shared_->config.require_extended_use &&
        !names_its_purpose(certificate, shared_->config.role))
        return "remote-cert-tls: wrong purpose, the certificate is not meant for a " +
               std::string(shared_->config.role == wire::Role::Server ? "client" : "server");
    const int purpose = shared_->config.purpose == Purpose::Client ? X509_PURPOSE_SSL_CLIENT
                                                                   : X509_PURPOSE_SSL_SERVER;
    if (shared_->config.purpose != Purpose::Any && X509_check_purpose(certificate, purpose, 0) != 1)
        return "ns-cert-type: the certificate is meant for something else";
    const auto usage = key_usage_of(certificate);
    const auto fits = [&](std::uint32_t wanted) {
        return usage && (wanted == 0xffff || (*usage & wanted) == wanted);
    };
    if (!shared_->config.key_usage.empty() &&
        std::none_of(shared_->config.key_usage.begin(), shared_->config.key_usage.end(), fits))
        return usage ? fmt::format("remote-cert-ku: the key usage of the certificate is {:02x}",
                                   *usage)
                     : "remote-cert-ku: the certificate has no key usage";
    if (!shared_->config.extended_key_usage.empty() &&
        !has_extended_use(certificate, shared_->config.extended_key_usage))
        return "remote-cert-eku: the certificate has not got \"" +
               wire::printable(shared_->config.extended_key_usage) + "\"";
    return std::nullopt;
}

bool TlsContext::authority_fits(X509* certificate) const {
    constexpr std::size_t kSha1 = 3 * 20 - 1;
    const auto* algorithm =
        shared_->config.authority_hash.size() == kSha1 ? EVP_sha1() : EVP_sha256();
    return shared_->config.authority_hash.empty() ||
           digest_of(certificate, algorithm) == shared_->config.authority_hash;
}

bool TlsContext::is_revoked(X509* certificate) const {
    if (shared_->config.revoked_serials.empty())
        return false;
    const BignumPtr number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
    const OpensslText digits(number ? BN_bn2dec(number.get()) : nullptr);
    if (!digits)
        return true;
    // Only "there is no such file" in a directory that can be searched says that it is not.
    return access((shared_->config.revoked_serials + "/" + digits.get()).c_str(), F_OK) == 0 ||
           errno != ENOENT || access(shared_->config.revoked_serials.c_str(), X_OK) != 0;
}

std::string TlsContext::name_of(X509* certificate) const {
    if (shared_->config.name_fields.empty())
        return common_name_of(certificate);
    std::string out;
    for (const auto& field : shared_->config.name_fields) {
        const auto value = field_of(certificate, field);
        if (value.empty())
            return "";
        out += (out.empty() ? "" : "_") + value;
    }
    return out;
}

std::optional<TlsError> TlsContext::refresh() const {
    if (!shared_->config.revocation_lists)
        return std::nullopt;
    auto& fault = shared_->revocation_fault;
    const auto before = fault ? fault->what : "";
    fault = load_revocation_lists();
    // A peer can ask for this as often as it likes.
    if (fault && fault->what != before)
        log::error("{}; no certificate is accepted until that is mended", fault->what);
    else if (!fault && !before.empty())
        log::info("crl-verify: certificates are accepted again");
    return fault;
}

std::optional<TlsError> TlsContext::load_revocation_lists() const {
    const auto lists = shared_->config.revocation_lists();
    if (!lists)
        return TlsError{"crl-verify: " + lists.error().what};
    // Those in use, or those that were no good before.
    if (!*lists)
        return shared_->revocation_fault;
    ERR_clear_error();
    // A store does not forget a list, so there is a new one each time.
    X509StorePtr store(X509_STORE_new());
    if (!store)
        return error("crl-verify");
    if (!shared_->config.ca.empty()) {
        if (auto failed = load_ca(store.get(), nullptr, shared_->config.ca))
            return failed;
    }
    const auto& directory = shared_->config.ca_directory;
    if (!directory.empty() && X509_STORE_load_path(store.get(), directory.c_str()) != 1)
        return error("capath");
    if (auto failed = load_crls(store.get(), **lists))
        return failed;
    SSL_CTX_set_cert_store(get(), store.release());
    return std::nullopt;
}

TlsStream::TlsStream(const TlsContext& context)
    : ssl_(SSL_new(context.get())), in_(BIO_new(BIO_s_mem())), out_(BIO_new(BIO_s_mem())),
      context_(context) {
    // What is wrong with the lists is verify()'s business.
    static_cast<void>(context.refresh());
    if (!ssl_ || !in_ || !out_) {
        BIO_free(in_);
        BIO_free(out_);
        throw std::bad_alloc();
    }
    // An empty buffer means "later", not "end of file".
    BIO_set_mem_eof_return(in_, -1);
    BIO_set_mem_eof_return(out_, -1);
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_app_data(ssl_.get(), this);
    SSL_set_verify(ssl_.get(), context.verify_mode(), verify);
    if (context.role() == wire::Role::Server)
        SSL_set_accept_state(ssl_.get());
    else
        SSL_set_connect_state(ssl_.get());
}

int TlsStream::verify(int ok, X509_STORE_CTX* store) {
    auto* ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* self = static_cast<TlsStream*>(SSL_get_app_data(ssl));
    X509* certificate = X509_STORE_CTX_get_current_cert(store);
    int depth = X509_STORE_CTX_get_error_depth(store);
    const auto& context = self->context_;
    if (const auto& fault = context.revocation_fault()) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNABLE_TO_GET_CRL);
        self->verify_failure_ = fault->what;
        return 0;
    }
    // OpenSSL calls this at least once for the peer's own certificate with ok == 1.
    X509* own = X509_STORE_CTX_get0_cert(store);
    if (!context.fingerprint_fits(own)) {
        const auto fingerprint = fingerprint_of(own);
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
        self->verify_failure_ = "peer-fingerprint: " + (fingerprint ? text_of(*fingerprint) : "") +
                                " is not one of those that are given";
        return 0;
    }
    if (ok != 1 && context.needs_no_authority() && is_of_signer(X509_STORE_CTX_get_error(store))) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        ok = 1;
    }
    // As with OpenVPN: an authority without a list revokes nothing.
    if (ok != 1 && X509_STORE_CTX_get_error(store) == X509_V_ERR_UNABLE_TO_GET_CRL) {
        log::peer_warning("crl-verify: there is no revocation list of the authority of {}",
                          wire::printable(subject_of(certificate), 200));
        X509_STORE_CTX_set_error(store, X509_V_OK);
        ok = 1;
    }
    if (auto unfit = ok == 1 && depth == 0 ? context.unfit(certificate) : std::nullopt) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_PURPOSE);
        self->verify_failure_ = *unfit;
        ok = 0;
    }
    if (ok == 1 && depth == 1 && !context.authority_fits(certificate)) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
        self->verify_failure_ = "verify-hash: another authority";
        ok = 0;
    }
    if (ok == 1 && context.is_revoked(certificate)) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REVOKED);
        ok = 0;
    }
    if (ok == 1 && depth == 0 && !context.name_fits(certificate)) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_SUBJECT_ISSUER_MISMATCH);
        self->verify_failure_ = "verify-x509-name: \"" +
                                wire::printable(subject_of(certificate), 200) +
                                "\" is not the name that is asked for";
        ok = 0;
    }
    if (ok != 1 && self->verify_failure_.empty()) {
        self->verify_failure_ = "certificate at depth " + std::to_string(depth) + ": " +
                                X509_verify_cert_error_string(X509_STORE_CTX_get_error(store));
        if (certificate) {
            char name[256] = "";
            X509_NAME_oneline(X509_get_subject_name(certificate), name, sizeof(name));
            self->verify_failure_ += " (" + wire::printable(name, 200) + ")";
        }
    }
    return ok;
}

void TlsStream::fail(int ssl_result, const char* during) {
    if (failed())
        return;
    int kind = SSL_get_error(ssl_.get(), ssl_result);
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE)
        return;
    if (kind == SSL_ERROR_ZERO_RETURN) {
        failure_ = "closed by the peer";
    } else {
        failure_ = std::string(during) + ": " + take_error();
        if (!verify_failure_.empty())
            failure_ += "; " + verify_failure_;
    }
}

void TlsStream::feed(ByteView ciphertext) {
    if (failed() || ciphertext.empty())
        return;
    if (BIO_write(in_, ciphertext.data(), static_cast<int>(ciphertext.size())) !=
        static_cast<int>(ciphertext.size()))
        throw std::bad_alloc();
}

void TlsStream::handshake() {
    if (failed() || established_)
        return;
    ERR_clear_error();
    int result = SSL_do_handshake(ssl_.get());
    if (result == 1)
        established_ = true;
    else
        fail(result, "TLS handshake");
}

void TlsStream::read(SecretBytes& out) {
    std::array<std::uint8_t, 4096> buffer;
    while (!failed() && established_) {
        ERR_clear_error();
        int n = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
        if (n <= 0) {
            fail(n, "TLS");
            break;
        }
        out.append(ByteView(buffer).first(static_cast<std::size_t>(n)));
        OPENSSL_cleanse(buffer.data(), static_cast<std::size_t>(n));
    }
}

void TlsStream::write(ByteView plaintext) {
    if (failed() || !established_)
        return;
    ERR_clear_error();
    int n = SSL_write(ssl_.get(), plaintext.data(), static_cast<int>(plaintext.size()));
    if (n <= 0)
        fail(n, "TLS");
}

Bytes TlsStream::drain(std::size_t limit) {
    Bytes out(std::min(limit, static_cast<std::size_t>(BIO_pending(out_))));
    if (out.empty())
        return out;
    int n = BIO_read(out_, out.data(), static_cast<int>(out.size()));
    out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return out;
}

bool TlsStream::export_keys(KeyMaterial& out) const {
    return export_bytes(kExporterLabel, out.writable());
}

bool TlsStream::export_bytes(std::string_view label, std::span<std::uint8_t> out) const {
    return established_ &&
           SSL_export_keying_material(ssl_.get(), out.data(), out.size(), label.data(),
                                      label.size(), nullptr, 0, 0) == 1;
}

std::string TlsStream::peer_common_name() const {
    X509Ptr certificate(SSL_get1_peer_certificate(ssl_.get()));
    if (!certificate)
        return "";
    return wire::clean_name(context_.name_of(certificate.get()));
}

std::vector<Fingerprint> TlsStream::peer_fingerprints() const {
    std::vector<Fingerprint> out;
    const auto* chain = SSL_get0_verified_chain(ssl_.get());
    const int length = std::max(sk_X509_num(chain), 0);
    out.reserve(static_cast<std::size_t>(length));
    for (int depth = 0; depth < length; depth++)
        out.push_back(fingerprint_of(sk_X509_value(chain, depth)).value_or(Fingerprint{}));
    return out;
}

Environment TlsStream::peer_environment() const {
    Environment out;
    const auto* chain = SSL_get0_verified_chain(ssl_.get());
    for (int depth = 0; depth < sk_X509_num(chain); depth++) {
        auto* certificate = sk_X509_value(chain, depth);
        const auto n = std::to_string(depth);
        out.emplace_back("tls_id_" + n, wire::clean_name(subject_of(certificate)));
        out.emplace_back("tls_digest_" + n, digest_of(certificate, EVP_sha1()));
        out.emplace_back("tls_digest_sha256_" + n, digest_of(certificate, EVP_sha256()));
        BignumPtr serial(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
        if (serial) {
            OpensslText decimal(BN_bn2dec(serial.get()));
            Bytes bytes(static_cast<std::size_t>(BN_num_bytes(serial.get())));
            BN_bn2bin(serial.get(), bytes.data());
            out.emplace_back("tls_serial_" + n, decimal ? decimal.get() : "");
            out.emplace_back("tls_serial_hex_" + n, with_colons(bytes));
        }
        const auto* subject = X509_get_subject_name(certificate);
        for (int i = 0; i < X509_NAME_entry_count(subject); i++) {
            const auto* entry = X509_NAME_get_entry(subject, i);
            const char* field = OBJ_nid2sn(OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)));
            if (field)
                out.emplace_back("X509_" + n + "_" + field, wire::clean_name(value_of(entry)));
        }
    }
    ERR_clear_error();
    return out;
}

std::vector<Bytes> TlsStream::peer_certificates() const {
    std::vector<Bytes> out;
    const auto* chain = SSL_get0_verified_chain(ssl_.get());
    for (int depth = 0; depth < sk_X509_num(chain); depth++) {
        auto* certificate = sk_X509_value(chain, depth);
        const int size = i2d_X509(certificate, nullptr);
        Bytes der(size > 0 ? static_cast<std::size_t>(size) : 0);
        auto* at = der.data();
        if (size > 0)
            i2d_X509(certificate, &at);
        out.push_back(std::move(der));
    }
    ERR_clear_error();
    return out;
}

std::string TlsStream::version() const {
    return SSL_get_version(ssl_.get());
}

std::string TlsStream::cipher() const {
    const char* name = SSL_get_cipher_name(ssl_.get());
    return name ? name : "none";
}

} // namespace nfovpn::session
