// SPDX-License-Identifier: GPL-2.0-or-later
//
// PKCS#12 by OpenSSL; see pkcs12.h.

#include "config/pkcs12.h"

#include "util/openssl_ptr.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include <memory>

namespace nfovpn::config {

namespace {

using BioPtr = std::unique_ptr<BIO, OpensslFree<BIO_free_all>>;
using Pkcs12Ptr = std::unique_ptr<PKCS12, OpensslFree<PKCS12_free>>;
using PkeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, OpensslFree<X509_free>>;

struct FreeStack {
    void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
};
using X509StackPtr = std::unique_ptr<STACK_OF(X509), FreeStack>;

std::string failure(const std::string& what) {
    const char* reason = ERR_reason_error_string(ERR_get_error());
    ERR_clear_error();
    return reason ? what + ": " + reason : what;
}

ByteView contents(BIO* memory) {
    char* data = nullptr;
    const auto length = BIO_get_mem_data(memory, &data);
    return {reinterpret_cast<const std::uint8_t*>(data), static_cast<std::size_t>(length)};
}

std::string pem_of(X509* certificate) {
    const BioPtr memory(BIO_new(BIO_s_mem()));
    if (!memory || PEM_write_bio_X509(memory.get(), certificate) != 1)
        return "";
    return std::string(as_text(contents(memory.get())));
}

} // namespace

Result<Pkcs12, std::string> open_pkcs12(ByteView data, bool base64, ByteView pass_phrase) {
    BioPtr input(BIO_new_mem_buf(data.data(), static_cast<int>(data.size())));
    if (base64 && input)
        input.reset(BIO_push(BIO_new(BIO_f_base64()), input.release()));
    const Pkcs12Ptr file(input ? d2i_PKCS12_bio(input.get(), nullptr) : nullptr);
    if (!file)
        return failure("it cannot be read");
    std::string phrase(as_text(pass_phrase));
    EVP_PKEY* key = nullptr;
    X509* certificate = nullptr;
    STACK_OF(X509)* others = nullptr;
    const int parsed = PKCS12_parse(file.get(), phrase.c_str(), &key, &certificate, &others);
    OPENSSL_cleanse(phrase.data(), phrase.size());
    const PkeyPtr own_key(key);
    const X509Ptr own(certificate);
    const X509StackPtr rest(others);
    if (parsed != 1)
        return failure("it cannot be opened (is this its pass phrase? askpass FILE)");
    if (!own_key || !own)
        return std::string("there is no certificate with its key in it");
    Pkcs12 out;
    out.certificate = pem_of(own.get());
    const BioPtr memory(BIO_new(BIO_s_mem()));
    if (!memory || PEM_write_bio_PrivateKey(memory.get(), own_key.get(), nullptr, nullptr, 0,
                                            nullptr, nullptr) != 1)
        return failure("its key");
    const auto pem = contents(memory.get());
    out.private_key = SecretBytes(pem);
    OPENSSL_cleanse(const_cast<std::uint8_t*>(pem.data()), pem.size());
    for (int i = 0; i < sk_X509_num(rest.get()); i++)
        out.authorities += pem_of(sk_X509_value(rest.get(), i));
    return out;
}

bool is_subject_field(const std::string& name) {
    return OBJ_txt2nid(name.c_str()) != NID_undef;
}

} // namespace nfovpn::config
