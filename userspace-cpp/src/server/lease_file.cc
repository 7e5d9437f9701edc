// SPDX-License-Identifier: GPL-2.0-or-later
//
// The file of ifconfig-pool-persist; see lease_file.h.

#include "server/lease_file.h"

#include "util/log.h"

#include <algorithm>
#include <stdexcept>

namespace nfovpn::server {

namespace {

// A name may have commas, addresses have none: from behind.
std::string_view take_last_word(std::string_view& line) {
    const auto comma = line.rfind(',');
    const auto begin = comma == std::string_view::npos ? 0 : comma + 1;
    const auto word = line.substr(begin);
    line = comma == std::string_view::npos ? std::string_view{} : line.substr(0, comma);
    return word;
}

// Whether a line that begins with that name would be read as it was written.
bool is_line(const std::string& name) {
    return !name.empty() && name.front() != '#' && name.front() != ';' &&
           std::none_of(name.begin(), name.end(),
                        [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

// What is wrong with a line; empty if it is one.
std::string parse_line(std::string_view line, Lease& lease) {
    auto word = take_last_word(line);
    if (word.empty() || parse_ipv6(word))
        word = take_last_word(line);
    const auto address = parse_ipv4(word);
    if (!address)
        return "not an IPv4 address: \"" + std::string(word) + "\"";
    if (line.empty())
        return "no client is named";
    lease = {std::string(line), *address, std::nullopt};
    return {};
}

} // namespace

ParsedLeases parse_leases(std::string_view text) {
    ParsedLeases out;
    for (int number = 1; !text.empty(); number++) {
        const auto end = text.find('\n');
        auto line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        if (line.ends_with('\r'))
            line.remove_suffix(1);
        if (line.empty() || line.front() == '#' || line.front() == ';')
            continue;
        Lease lease;
        if (auto wrong = parse_line(line, lease); !wrong.empty())
            out.findings.push_back(
                {config::Severity::Warning, number, wrong, "NAME,IPV4 or NAME,IPV4,IPV6"});
        else
            out.leases.push_back(std::move(lease));
    }
    return out;
}

std::string format_leases(const std::vector<Lease>& leases) {
    std::string out;
    for (const auto& lease : leases) {
        if (!is_line(lease.owner))
            continue;
        out += lease.owner + ',' + to_string(lease.address);
        if (lease.address6)
            out += ',' + to_string(*lease.address6);
        out += '\n';
    }
    return out;
}

std::vector<Lease> LeaseFile::read() {
    auto text = file_.read();
    if (!text)
        throw std::runtime_error("ifconfig-pool-persist: " + file_.path() + ": " +
                                 text.error().what);
    written_ = std::move(*text);
    auto parsed = parse_leases(written_);
    for (const auto& finding : parsed.findings)
        log::warning("ifconfig-pool-persist: {}:{}: {}", file_.path(), finding.line,
                     config::text_of(finding));
    return std::move(parsed.leases);
}

void LeaseFile::write() {
    auto text = format_leases(leases_());
    if (text == written_)
        return;
    auto failed = file_.write(text);
    if (!failed)
        written_ = std::move(text);
    else if (failed != failure_)
        log::warning("ifconfig-pool-persist: {}", *failed);
    failure_ = failed;
}

} // namespace nfovpn::server
