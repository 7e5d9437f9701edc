// SPDX-License-Identifier: GPL-2.0-or-later
//
// Status as text; see status.h.

#include "server/status.h"

#include "util/local_time.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <initializer_list>
#include <numeric>
#include <vector>

namespace nfovpn::server {

namespace {

// A common name may hold anything; the fields behind it must stay countable.
std::string field(std::string_view text, char separator) {
    std::string out(text.empty() ? "UNDEF" : text);
    for (char& letter : out) {
        if (letter == separator || static_cast<unsigned char>(letter) < ' ' || letter == 0x7f)
            letter = '_';
    }
    return out;
}

// Where packets are sent to a client: its own addresses, and the networks behind it.
std::vector<std::string> routes_of(const ClientStatus& client) {
    std::vector<std::string> out = {to_string(client.address)};
    if (client.address6)
        out.push_back(to_string(*client.address6));
    for (const auto& network : client.networks)
        out.push_back(to_string(network));
    return out;
}

std::string version_1(const StatusReport& report) {
    std::string out = "OpenVPN CLIENT LIST\nUpdated," + local_time(report.unix_time) + "\n";
    out += "Common Name,Real Address,Bytes Received,Bytes Sent,Connected Since\n";
    for (const auto& c : report.clients)
        out += fmt::format("{},{},{},{},{}\n", field(c.common_name, ','), real_address(c),
                           c.rx_bytes, c.tx_bytes, local_time(c.connected_since));
    out += "ROUTING TABLE\nVirtual Address,Common Name,Real Address,Last Ref\n";
    for (const auto& c : report.clients) {
        for (const auto& route : routes_of(c))
            out += fmt::format("{},{},{},{}\n", route, field(c.common_name, ','), real_address(c),
                               local_time(c.connected_since));
    }
    // There is no such queue.
    return out + "GLOBAL STATS\nMax bcast/mcast queue length,0\nEND\n";
}

// A line of versions 2 and 3.
void row(std::string& out, char separator, std::initializer_list<std::string> fields) {
    bool first = true;
    for (const auto& text : fields) {
        if (!first)
            out += separator;
        out += text;
        first = false;
    }
    out += '\n';
}

std::string version_2_or_3(const StatusReport& report, char separator) {
    std::string out;
    auto line = [&](std::initializer_list<std::string> fields) { row(out, separator, fields); };
    line({"TITLE", report.title});
    line({"TIME", local_time(report.unix_time), std::to_string(report.unix_time)});
    line({"HEADER", "CLIENT_LIST", "Common Name", "Real Address", "Virtual Address",
          "Virtual IPv6 Address", "Bytes Received", "Bytes Sent", "Connected Since",
          "Connected Since (time_t)", "Username", "Client ID", "Peer ID", "Data Channel Cipher"});
    for (const auto& c : report.clients)
        line({"CLIENT_LIST", field(c.common_name, separator), real_address(c), to_string(c.address),
              c.address6 ? to_string(*c.address6) : "", std::to_string(c.rx_bytes),
              std::to_string(c.tx_bytes), local_time(c.connected_since),
              std::to_string(c.connected_since), field(c.username, separator),
              std::to_string(c.client_id), std::to_string(c.peer_id), c.cipher});
    line({"HEADER", "ROUTING_TABLE", "Virtual Address", "Common Name", "Real Address", "Last Ref",
          "Last Ref (time_t)"});
    for (const auto& c : report.clients) {
        for (const auto& route : routes_of(c))
            line({"ROUTING_TABLE", route, field(c.common_name, separator), real_address(c),
                  local_time(c.connected_since), std::to_string(c.connected_since)});
    }
    line({"GLOBAL_STATS", "Max bcast/mcast queue length", "0"});
    line({"GLOBAL_STATS", "dco_enabled", report.kernel_path ? "1" : "0"});
    line({"END"});
    return out;
}

} // namespace

std::string real_address(const ClientStatus& client) {
    const std::string family = client.remote.address.is_ipv4() ? "4" : "6";
    return (client.tcp ? "tcp" + family + "-server:" : "udp" + family + ":") +
           to_string(client.remote);
}

std::string format_openvpn_status(const StatusReport& report, int version) {
    return version == 1 ? version_1(report) : version_2_or_3(report, version == 3 ? '\t' : ',');
}

std::string format_status(const StatusReport& report) {
    std::string out = "TITLE," + report.title + "\nTIME," + local_time(report.unix_time) + "\n";
    out += "HEADER,CLIENT_LIST,Common Name,Real Address,Virtual Address,Peer ID,Bytes Received,"
           "Bytes Sent,Connected Seconds,Renegotiations,TLS,Data Channel Cipher,Data Path\n";
    for (const auto& c : report.clients) {
        auto seconds = std::chrono::duration_cast<std::chrono::seconds>(c.connected_for).count();
        out +=
            fmt::format("CLIENT_LIST,{},{},{},{},{},{},{},{},{},{},{}\n", field(c.common_name, ','),
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

} // namespace nfovpn::server
