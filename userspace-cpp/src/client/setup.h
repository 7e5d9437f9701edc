// SPDX-License-Identifier: GPL-2.0-or-later
//
// The client's end of the tunnel, made and unmade: addresses and routes of the device, the routes
// past the tunnel, and the programs that are told.
//
//     set up       MTU and up ▶ addresses ▶ "up" ▶ routes ▶ "route-up"
//     take down    routes ▶ addresses ▶ "down"
//     keep         nothing but the route to the server, if that is another one now
//
// With redirect-gateway two routes cover all of IPv4, and are more special than the default route,
// which stays; the server itself gets a route by where it is reached now. IPv6 likewise, with the
// four networks that OpenVPN has for its unicast addresses.
#pragma once

#include "client/core.h"
#include "host/plugin_process.h"
#include "io/program.h"
#include "netlink/route.h"

#include <vector>

namespace nfovpn::client {

/// See the head of this file.
class TunnelSetup {
public:
    /// What is the administrator's.
    struct Settings {
        bool ethernet = false; ///< routes need the next hop's address
        bool configure_device = true;
        bool configure_routes = true;
        std::uint32_t table = 0; ///< of single routes, not of those that redirect; 0: the main one
        std::vector<std::string> up; ///< programs: a path and its arguments, empty for none
        std::vector<std::string> down;
        std::vector<std::string> route_up;
        Environment environment; ///< the same for all
    };

    /// @p changed is called when a program has ended.
    TunnelSetup(Settings settings, const std::string& device, unsigned ifindex,
                asio::io_context& context, std::function<void()> changed);

    /// Plug-ins that are told what programs are told, and before them; they must outlive the
    /// object.
    void tell_plugins(host::PluginCalls& calls) { plugins_ = &calls; }

    /// False, with the reason in the log and nothing left, if the device cannot have its addresses.
    /// A route that cannot be is missed, and logged.
    bool set_up(const Tunnel& tunnel);
    /// Undoes that. What has gone by itself is no error.
    void take_down();

    /// Whether what is set up serves a session with the server where it is now, which changes
    /// nothing inside; what leads past the tunnel is made to do so.
    bool keep(const Tunnel& tunnel);

    /// What programs are told of the tunnel that is set up.
    [[nodiscard]] const Environment& told() const { return told_; }

    /// No program runs.
    [[nodiscard]] bool idle() const { return programs_.idle(); }

private:
    struct AddedRoute {
        netlink::NextHop by;
        Prefix network;
        std::uint32_t metric = 0;
    };

    bool add_addresses(const Tunnel& tunnel);
    [[nodiscard]] netlink::NextHop into(const Tunnel& tunnel, bool ipv6) const;
    void add_routes(const Tunnel& tunnel);
    void redirect(const Tunnel& tunnel);
    void add(netlink::NextHop by, const Prefix& network, std::uint32_t metric,
             std::uint32_t table = 0);
    void run(const std::vector<std::string>& program, const char* type, plugin::Hook hook);
    void run_program(const std::vector<std::string>& program, const char* type,
                     const Environment& told);
    void call_plugins(plugin::Hook hook, std::vector<std::string> args, Environment environment,
                      std::function<void()> then);
    [[nodiscard]] Environment environment(const Tunnel& tunnel) const;

    Settings settings_;
    std::string device_;
    unsigned ifindex_;
    netlink::Socket route_;
    std::function<void()> changed_;
    io::ProgramRunner programs_;           ///< one at a time: in the order of what happened
    host::PluginCalls* plugins_ = nullptr; ///< null: there are none
    std::vector<Prefix> addresses_;
    std::vector<AddedRoute> routes_;
    Environment told_; ///< of the tunnel that is set up
};

} // namespace nfovpn::client
