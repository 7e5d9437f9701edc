// SPDX-License-Identifier: GPL-2.0-or-later
//
// Records of sessions in the memory file of a process before. What is taken is what would be
// written of it again. The digest over a record is not the fuzzer's to find.

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
