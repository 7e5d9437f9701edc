// SPDX-License-Identifier: GPL-2.0-or-later
//
// Control packets: what is parsed is built again, byte by byte.

#include "wire/control_packet.h"

#include "check.h"

using namespace nfovpn;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView datagram(data, size);
    auto packet = wire::parse_control(datagram);
    if (!packet) {
        fuzz::check(!wire::to_string(packet.error()).empty());
        return 0;
    }
    auto head = wire::parse_head(datagram);
    fuzz::check(head && head->opcode == packet->opcode && head->session_id == packet->session_id);
    fuzz::check(fuzz::equal(wire::build_control(*packet), datagram));
    return 0;
}
