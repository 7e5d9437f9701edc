// SPDX-License-Identifier: GPL-2.0-or-later
//
// Certificate, key and authorities out of one file (PKCS#12), as what a configuration has in PEM.
#pragma once

#include "util/result.h"
#include "util/secret.h"

#include <string>

namespace nfovpn::config {

struct Pkcs12 {
    std::string certificate; ///< PEM, like all of these
    SecretBytes private_key;
    std::string authorities;
};

/// Opens one, in base64 if it is of a block. What is wrong if that cannot be.
Result<Pkcs12, std::string> open_pkcs12(ByteView data, bool base64, ByteView pass_phrase);

/// Whether OpenSSL knows such a part of a name, as "CN" or "emailAddress".
bool is_subject_field(const std::string& name);

} // namespace nfovpn::config
