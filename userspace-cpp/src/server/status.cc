// SPDX-License-Identifier: GPL-2.0-or-later
//
// Status as text; see status.h.

#include "server/status.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <numeric>

namespace nfovpn::server {

std::string format_status(const StatusReport& report) {
    std::string out = "TITLE,nf-ovpnd\nTIME," + report.time + "\n";
    out += "HEADER,CLIENT_LIST,Common Name,Real Address,Virtual Address,Peer ID,Bytes Received,"
           "Bytes Sent,Connected Seconds,Renegotiations,TLS,Data Channel Cipher,Data Path\n";
    for (const auto& c : report.clients) {
        // A common name may hold a comma; the fields behind it must stay countable.
        auto name = c.common_name;
        for (char& letter : name) {
            if (letter == ',')
                letter = '_';
        }
        auto seconds = std::chrono::duration_cast<std::chrono::seconds>(c.connected_for).count();
        out += fmt::format("CLIENT_LIST,{},{},{},{},{},{},{},{},{},{},{}\n", name,
                           to_string(c.remote), to_string(c.address), c.peer_id, c.rx_bytes,
                           c.tx_bytes, seconds, c.renegotiations, c.tls, c.cipher, c.data_path);
    }
    auto stat = [&out](std::string_view name, std::uint64_t value) {
        out += fmt::format("GLOBAL_STATS,{},{}\n", name, value);
    };
    const auto& n = report.counters;
    stat("clients", report.clients.size());
    stat("half-open sessions", report.half_open);
    stat("sessions begun", n.sessions);
    stat("sessions failed", n.failed);
    stat("datagrams at the socket", n.datagrams);
    stat("first packets answered", n.initial);
    stat("first packets over their limit", n.initial_limited);
    stat("half-open sessions over their limit", n.half_open_limited);
    stat("control packets of no session", n.stray);
    stat("malformed packets",
         std::accumulate(n.malformed.begin(), n.malformed.end(), std::uint64_t{0}));
    stat("data packets of unknown peers", n.unknown_data);
    stat("datagrams that could not be sent", report.send_errors);
    stat("packets that the device refused", report.tun_errors);
    for (const auto& counter : report.user_drops)
        stat("daemon " + counter.name, counter.value);
    for (const auto& counter : report.kernel)
        stat("kernel " + counter.name, counter.value);
    return out + "END\n";
}

std::optional<std::string> write_file(const std::string& path, const std::string& text) {
    auto temporary = path + ".new";
    std::ofstream out(temporary, std::ios::trunc);
    out << text;
    out.close();
    if (!out || std::rename(temporary.c_str(), path.c_str()) != 0) {
        std::string why = path + ": " + std::strerror(errno);
        std::remove(temporary.c_str());
        return why;
    }
    return std::nullopt;
}

} // namespace nfovpn::server
