// SPDX-License-Identifier: GPL-2.0-or-later
//
// First packets of a stock client, OpenVPN 2.6.14, and the keys that they are wrapped by. Made for
// this purpose by "openvpn --genkey" and by clients that called a socket which never answered.
#pragma once

#include "util/bytes.h"

#include <string_view>

namespace nfovpn::test {

/// The bytes of a text of hexadecimal digits.
Bytes from_hex(std::string_view digits);

inline constexpr std::string_view kStaticKey = R"(#
# 2048 bit OpenVPN static key
#
-----BEGIN OpenVPN Static key V1-----
de7a457a3794bb6ef08087632b5f1b9a
033b44e63bd60ce36aa564a4a0576331
8b952611cfcaf5ec3e448793dd1fba9a
7ab587e383629182c9fa4344c2eb504c
d086f065d310364dfc8f7a74c3f3ee1b
f4a5bb4f1f0b35fc1ecbc128f1294752
678ef8302298135f95f41e46ed6e03ce
e06d881be6364e38c817d25ba025581c
2984425421e2cdc308c30aa1ca8e088e
6746bd2ec3b731f4e4cf90a170a9e506
6d058edb23c8a32a4e22c4cc4fc63b98
1eea789b0ae0f79ded699e490b475d3a
6125ae5c0c19f4ae0dba890a9cfa1c1e
14113904b84d71b084946c91527e95b8
a83134a21a304cd73f18c002eeb07b79
b1a09a07d682aa24ee54e91063246516
-----END OpenVPN Static key V1-----
)";

inline constexpr std::string_view kTlsCryptV2ServerKey =
    R"(-----BEGIN OpenVPN tls-crypt-v2 server key-----
spuO9lLf1pE/UTGN3BgiNyWrviEtsrgc5r3FLfTr38t0G+9EgPKsUxU+DQRcA8Z+
/qMUWOpcbjHee4CRFA6dD6UcftFjJvS+9arY+XDLq5YhkdWpvzFx226jlkjLEhpJ
DjiDEwJ01gaB27e5ERrtj80iRitCi1SUEBEmu2gYhek=
-----END OpenVPN tls-crypt-v2 server key-----
)";

/// A client's key with the time when it was made, by the server's key above.
inline constexpr std::string_view kTlsCryptV2ClientKey =
    R"(-----BEGIN OpenVPN tls-crypt-v2 client key-----
TE74UkTFF6wXoQbIgV11jvqCZfjqOJRweQIeV0qOS1VXlvOqR4rVm9tiaqCJyYN+
b8IcwxTrPMvqUT5dLJgVYepgiVtXmwDbMY9BBeilMexvkh0EzW8uIRk/160bL3T1
7a4Zt9n5svfZ0a+y7Pin22vMZxAfNUT4YjY3wAYq4SU4EHPCpQBKq19IwO6j8wkS
teBTS92k+6ebQcU9r/Ybbm//XVl3fbZ4gGcc/iyAhdBrfI1/Kus+83kNCW1yFrqB
wdQonEHknB2sQfXBVAS3oyj/oK/1LHs7dHp/eU5tpODH4sJ0zszWjym0YbDsfFC1
2Ev5RHprSJI/k7W7p3slP+14hzZol0NGai3Rv/yzqXsxv7U96oRM1SgAb2fLNSlR
WtUK/N+J/eSNPxUG7IHcTGrWh0LnUJSOEEFKjXzs76dO0mkMFDCwTqSmbWd/1nzj
cyZrA9giAef9/GchHLdLxCNV/TlMfaLvjQJr5FstAR2XH6rILDC3X7Uk9WOpuICS
wMfYsunr7J9RJ/t2n7t3dSoL0cZWVwxVlXoUcxax9/+JpC0wtrUHTdh1/DnJBRjG
zlxTwO3mTfaVrENFZAvUICEepzEzk5sDQ6Db1WRccjtyZDAtdhF7AXJfuawIb3OI
JXsCa0VeCcvdZxDcSNIXnmOACfRGiLPt3AeP0didXPKMsMIbCHynSbuT1Dj3vDi3
XYIwcCiXXnj/Vys/Vug37lkyQbv6pcBF3gEr
-----END OpenVPN tls-crypt-v2 client key-----
)";

/// HARD_RESET_CLIENT_V2 without anything around it.
inline constexpr std::string_view kPlainReset = "38da427bb99d7d36220000000000";

/// By tls-auth with SHA1 and key-direction 1.
inline constexpr std::string_view kTlsAuthSha1Inverse =
    "388c7362d6469c9b022b6a41ae72f09327d0daf34b9791bfc91bf079fd000000016b065a570000000000";

/// By tls-auth with SHA256, without a direction.
inline constexpr std::string_view kTlsAuthSha256 =
    "389bcfdd61c7b57a2e5ac3918f2c8f5555bb05ed1574f83a088282883af3c407f22152a3b0f8027c36000000"
    "016b065a580000000000";

/// By tls-auth with SHA512 and key-direction 1.
inline constexpr std::string_view kTlsAuthSha512Inverse =
    "38fecdeba95c95282f1c27bde87a41cc1a4115eea92d661d3ed95ea2663cda5e8b7d2e15560f229590b71ab3"
    "ec9c21199ed69abde511abe666f6082f32414a32c8f003a1ea6681a407000000016b065a580000000000";

/// By tls-crypt.
inline constexpr std::string_view kTlsCrypt =
    "38373cf781d3c8b505000000016b065a58841b124f77d2cdae1e451db722923d333f720c0fac8448f0a62856"
    "572f2ec5252972a0bd3d";

/// HARD_RESET_CLIENT_V3 by tls-crypt-v2, with the time in the client's key.
inline constexpr std::string_view kTlsCryptV2 =
    "505f82549adfe5b14c0f0000016b065a58892d7edc047ef0229fad44ac648161045fd7f8d835b26a6b3b8b77"
    "76dd2a22986f59677f5dabbc21016b899e6d8f88b11e40dd73329dcd2b2f9cfa9fe6c4c51b1f2a39c413ff64"
    "2cb2d5baeb8b1d412fdadcfa8c5b3010b9080ac88f8ee226ce7da17707146cdaa47884f4a14d821c2d0eb38c"
    "4733abdc5a67143f6589047db7b59983f2abf2e77cbcccdccdebd9780b1908a51ffa89578b992f0d823591f3"
    "180e7cc023485887bea93311a57c30135a0e70563944af0223efa69133a37307265b6a32e23e64c850856142"
    "34bea4140c9b0f80887a08ae47e0a2a719921538edf0c8f38192706c51de7f43c299c0dad4f214722f55e942"
    "385d6747e8fd5f06801317da29d8acaf47b07880eea64686287f8940336420c0981686c985965be216ce6fbd"
    "6de0660b512a8bccc23e651dceb7f182372ee8e13900a7740d2ccb82194977040ab82f728f1435a808e99201"
    "2b";

/// The same with "office 7" in the client's key.
inline constexpr std::string_view kTlsCryptV2User =
    "50a5185b93e9b6027b0f0000016b065a58ae8b0c9494d892bba00d61f98588b4eb0c28a2ff3663b279ce510d"
    "8f226396f7b74ac3904abdf54241b491a5ca3713fea744522ef4769a59cb9c2c8827f9c62e9340b862c2ba0e"
    "83e3709239737e06ba55e08120c05c685d7a5dc2abd2c4f357cf21141fc8493040f1998a4b8daa1f9518c476"
    "11f1d8c52284717e0b90338f46cb5d26d3ec724c332fda9a017fc09edc19ee4f9e6f769202d359ec760159bb"
    "23c1bfe26467840e2aaf88978be04c43ef2c2c9063170ddab1130d0742b25cf2161fb00272b866a8acd5a9ad"
    "e3414e83f01481d1e4669e52cd5a5ed203bf7a003b12e5c6db52528596134841c3e4b7403968e3a403a86af2"
    "75f8c99307815626d54ec8b377fef7c616888d665365be80f615bf9e1cf52b5c90946bc58f411084d6633fc0"
    "ec510aab2b0058506d5d94b4e8fec64665cfd50ddf891de37e3ff778f28bd04fdae6204a1d1ca18139826901"
    "2b";

/// By "openvpn --genkey auth-token".
inline constexpr auto kAuthTokenKey =
    "-----BEGIN OpenVPN auth-token server key-----\n"
    "Kbvd+9bseNYudnasBgAYyzGuyEpBE1YAbMkHyFTEFz2reM1dqHfDCaTKt9rg3yfO\n"
    "1T8EY5a9vw2rd/MQO27ZS3isoDPyQW8eVVk0VC/uPp95pSPFLm+Crjy1dabYALeV\n"
    "RXuFMf5u575vOImxOt4svyJIJopSnFf/PnnoAzEokpU=\n"
    "-----END OpenVPN auth-token server key-----\n";

} // namespace nfovpn::test
