// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the programs up, route-up and down are told of the device, as OpenVPN tells it.
#pragma once

#include "util/endpoint.h"
#include "util/environment.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nfovpn::host {

/// What a program is run with.
struct DeviceProgram {
    std::vector<std::string> words;
    Environment environment;
};

/// Completes @p words, a path and its arguments, for a program of @p type by what it is told: up
/// and down get as further arguments the device, its MTU, an old one that is 0, the local address,
/// its netmask or the other end's address, and "init".
DeviceProgram device_program(std::vector<std::string> words, const std::string& type,
                             const Environment& told);

Ipv4 netmask_of(int length);

/// OpenVPN's variables for routes, which have numbers of their own in each family.
class RouteVariables {
public:
    /// They go to @p out.
    explicit RouteVariables(Environment& out) : out_(out) {}

    void add(const Prefix& network, std::optional<Ipv4> gateway,
             std::optional<std::uint32_t> metric);

private:
    Environment& out_;
    unsigned ipv4_ = 0;
    unsigned ipv6_ = 0;
};

} // namespace nfovpn::host
