// SPDX-License-Identifier: GPL-2.0-or-later
//
// Session records from the memory file of a previous process. Whatever is accepted is encoded again
// to the same bytes. The digest over a record is checked elsewhere, as the fuzzer could not match
// it.

#include "check.h"
#include "server/saved_client.h"

using namespace nfovpn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(data, size);
    if (const auto client = server::read_saved_client(bytes))
        fuzz::check(fuzz::equal(server::write_saved(*client).view(), bytes));
    if (const auto saved = server::read_saved_server(bytes))
        fuzz::check(fuzz::equal(server::write_saved(*saved).view(), bytes));
    return 0;
}
