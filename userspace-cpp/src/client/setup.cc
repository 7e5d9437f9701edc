// SPDX-License-Identifier: GPL-2.0-or-later
//
// By rtnetlink, and with OpenVPN's variables for programs; see setup.h.

#include "client/setup.h"

#include "host/device_programs.h"
#include "util/log.h"

#include <linux/netlink.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace nfovpn::client {

namespace {

// The halves of IPv4.
const Prefix kHalves[] = {ipv4_prefix(Ipv4{0}, 1), ipv4_prefix(Ipv4{0x80000000}, 1)};

// Together all unicast addresses of IPv6.
std::vector<Prefix> parts_of_ipv6() {
    std::vector<Prefix> out;
    for (const char* text : {"::/3", "2000::/4", "3000::/4", "fc00::/7"})
        out.push_back(*parse_ipv6_prefix(text));
    return out;
}

Prefix host_prefix(const Address& host) {
    return host.is_ipv4() ? ipv4_prefix(host.ipv4(), 32) : ipv6_prefix(host.ipv6(), 128);
}

bool gone(const netlink::Error& error) {
    return error.code == ESRCH || error.code == ENODEV || error.code == EADDRNOTAVAIL ||
           error.code == ENOENT;
}

} // namespace

TunnelSetup::TunnelSetup(Settings settings, const std::string& device, unsigned ifindex,
                         asio::io_context& context, std::function<void()> changed)
    : settings_(std::move(settings)), device_(device), ifindex_(ifindex), route_(NETLINK_ROUTE),
      changed_(std::move(changed)), programs_(context, 1) {}

bool TunnelSetup::set_up(const Tunnel& tunnel) {
    if (settings_.configure_device && !add_addresses(tunnel)) {
        take_down();
        return false;
    }
    told_ = environment(tunnel);
    const auto& remote = tunnel.path.remote;
    call_plugins(plugin::Hook::IpChange,
                 {host::plugin_address(remote.address, std::to_string(remote.port))}, told_,
                 nullptr);
    run(settings_.up, "up", plugin::Hook::Up);
    if (settings_.configure_routes)
        add_routes(tunnel);
    run(settings_.route_up, "route-up", plugin::Hook::RouteUp);
    return true;
}

bool TunnelSetup::add_addresses(const Tunnel& tunnel) {
    const auto well = [&](const std::optional<netlink::Error>& failed, const std::string& what) {
        if (failed)
            log::error("{}: {}: {}", device_, what, failed->what);
        return !failed;
    };
    const auto added = [&](const std::optional<netlink::Error>& failed, const Prefix& address) {
        if (!well(failed, "address " + to_string(address)))
            return false;
        addresses_.push_back(address);
        return true;
    };
    if (!well(netlink::set_link_up(route_, ifindex_, tunnel.mtu), "up"))
        return false;
    if (tunnel.address && tunnel.peer) {
        if (!added(netlink::add_peer_address(route_, ifindex_, *tunnel.address, *tunnel.peer),
                   ipv4_prefix(*tunnel.address, 32)))
            return false;
    } else if (tunnel.address) {
        const auto address = ipv4_prefix(*tunnel.address, tunnel.length);
        if (!added(netlink::add_address(route_, ifindex_, address), address))
            return false;
    }
    if (tunnel.address6) {
        const auto address = ipv6_prefix(*tunnel.address6, tunnel.length6);
        if (!added(netlink::add_address(route_, ifindex_, address), address))
            return false;
    }
    return true;
}

void TunnelSetup::add(netlink::NextHop by, const Prefix& network, std::uint32_t metric,
                      std::uint32_t table) {
    by.table = table;
    auto failed = netlink::add_route(route_, by, network, metric);
    if (!failed)
        routes_.push_back({by, network, metric});
    else if (failed->code == EEXIST)
        log::info("route to {}: it is there already", to_string(network));
    else
        log::warning("route to {}: {}", to_string(network), failed->what);
}

// By the device; on one of frames also to whom.
netlink::NextHop TunnelSetup::into(const Tunnel& tunnel, bool ipv6) const {
    netlink::NextHop out{ifindex_, std::nullopt};
    if (settings_.ethernet && !ipv6 && tunnel.gateway)
        out.gateway = Address(*tunnel.gateway);
    return out;
}

void TunnelSetup::add_routes(const Tunnel& tunnel) {
    if (tunnel.redirect)
        redirect(tunnel);
    // Past the tunnel by where the server is reached; of the other family that is not known.
    auto past = netlink::find_route(route_, tunnel.path.remote.address);
    for (const auto& r : tunnel.routes) {
        const auto metric = r.metric.value_or(0);
        const auto& server = tunnel.path.remote.address;
        if (r.to_server && !server.is_ipv4())
            continue;
        const auto network = r.to_server ? host_prefix(server) : r.network;
        const bool same_family = r.network.ipv6 != tunnel.path.remote.address.is_ipv4();
        if (r.via == wire::TunnelRoute::Via::Tunnel)
            add(into(tunnel, network.ipv6), network, metric, settings_.table);
        else if (past && same_family)
            add(*past, network, metric, settings_.table);
        else
            log::warning("route to {}: there is no net_gateway", to_string(network));
    }
}

void TunnelSetup::redirect(const Tunnel& tunnel) {
    const auto& wanted = *tunnel.redirect;
    const auto& server = tunnel.path.remote.address;
    const bool carried = server.is_ipv4() ? wanted.ipv4 : wanted.ipv6;
    if (carried && !wanted.local) {
        auto by = netlink::find_route(route_, server);
        if (!by) {
            // Without it the tunnel's packets would go into the tunnel.
            log::error("redirect-gateway is left out: {}", by.error().what);
            return;
        }
        add(*by, host_prefix(server), 0);
    }
    if (!wanted.reroute)
        return;
    if (wanted.ipv4 && tunnel.address) {
        for (const auto& half : kHalves)
            add(into(tunnel, false), half, 0);
    }
    if (wanted.ipv6 && tunnel.address6) {
        for (const auto& part : parts_of_ipv6())
            add(into(tunnel, true), part, 0);
    }
}

bool TunnelSetup::keep(const Tunnel& tunnel) {
    const auto& server = tunnel.path.remote.address;
    // What leads past the tunnel must still do so: a machine may have moved to another network.
    const auto past = netlink::find_route(route_, server);
    const bool into_itself = !past || past->ifindex == ifindex_;
    for (const auto& route : routes_) {
        const bool leads_past = route.by.ifindex != ifindex_;
        if (leads_past &&
            (into_itself || route.by.ifindex != past->ifindex || route.by.gateway != past->gateway))
            return false;
    }
    if (!settings_.configure_routes || !tunnel.redirect || tunnel.redirect->local ||
        !(server.is_ipv4() ? tunnel.redirect->ipv4 : tunnel.redirect->ipv6))
        return true;
    if (into_itself)
        return false;
    const auto host = host_prefix(server);
    const auto is_this = [&](const AddedRoute& route) { return route.network == host; };
    if (std::none_of(routes_.begin(), routes_.end(), is_this))
        add(*past, host, 0);
    return true;
}

void TunnelSetup::take_down() {
    if (!told_.empty()) {
        auto before = host::device_program({}, "route-pre-down", told_);
        call_plugins(plugin::Hook::RoutePreDown, std::move(before.words), told_, nullptr);
    }
    for (auto route = routes_.rbegin(); route != routes_.rend(); ++route) {
        auto failed = netlink::delete_route(route_, route->by, route->network, route->metric);
        if (failed && !gone(*failed))
            log::warning("route to {}: {}", to_string(route->network), failed->what);
    }
    routes_.clear();
    for (const auto& address : std::exchange(addresses_, {})) {
        auto failed = netlink::delete_address(route_, ifindex_, address);
        if (failed && !gone(*failed))
            log::warning("address {}: {}", to_string(address), failed->what);
    }
    if (!told_.empty())
        run(settings_.down, "down", plugin::Hook::Down);
    told_.clear();
}

// Plug-ins first, then the program.
void TunnelSetup::run(const std::vector<std::string>& program, const char* type,
                      plugin::Hook hook) {
    if (!plugins_ || !plugins_->wants(hook)) {
        run_program(program, type, told_);
        return;
    }
    auto complete = host::device_program({}, type, told_);
    call_plugins(hook, std::move(complete.words), told_,
                 [this, program, type, told = told_] { run_program(program, type, told); });
}

void TunnelSetup::call_plugins(plugin::Hook hook, std::vector<std::string> args,
                               Environment environment, std::function<void()> then) {
    if (!plugins_ || !plugins_->wants(hook))
        return;
    plugin::Request request;
    request.client = plugin::kNoClient;
    request.hook = hook;
    request.args = std::move(args);
    request.environment = std::move(environment);
    plugins_->tell(std::move(request), [hook, then = std::move(then)](const auto& answer) {
        if (answer.status != plugin::Status::Success)
            log::warning("{}: a plug-in has failed", plugin::name_of(hook));
        if (then)
            then();
    });
}

void TunnelSetup::run_program(const std::vector<std::string>& program, const char* type,
                              const Environment& told) {
    if (program.empty())
        return;
    auto complete = host::device_program(program, type, told);
    programs_.run(std::move(complete.words), complete.environment,
                  [this, name = program.front()](int status) {
                      if (status != 0)
                          log::warning("{}: exit status {}", name, status);
                      changed_();
                  });
}

Environment TunnelSetup::environment(const Tunnel& tunnel) const {
    auto out = settings_.environment;
    const auto put = [&out](const std::string& name, const std::string& value) {
        out.emplace_back(name, value);
    };
    out.insert(out.end(), tunnel.environment.begin(), tunnel.environment.end());
    const auto& remote = tunnel.path.remote;
    const std::string ip = remote.address.is_ipv4() ? "_ip" : "_ip6";
    for (const std::string kind : {"trusted", "untrusted"}) {
        put(kind + ip, to_string(remote.address));
        put(kind + "_port", std::to_string(remote.port));
    }
    put("tun_mtu", std::to_string(tunnel.mtu));
    if (tunnel.address) {
        put("ifconfig_local", to_string(*tunnel.address));
        if (tunnel.peer)
            put("ifconfig_remote", to_string(*tunnel.peer));
        else
            put("ifconfig_netmask", to_string(host::netmask_of(tunnel.length)));
    }
    if (tunnel.address6) {
        put("ifconfig_ipv6_local", to_string(*tunnel.address6));
        put("ifconfig_ipv6_netbits", std::to_string(tunnel.length6));
    }
    if (tunnel.gateway)
        put("route_vpn_gateway", to_string(*tunnel.gateway));
    if (tunnel.redirect && tunnel.redirect->reroute)
        put("redirect_gateway", "1");
    host::RouteVariables routes(out);
    for (const auto& r : tunnel.routes)
        routes.add(r.network,
                   r.via == wire::TunnelRoute::Via::Tunnel ? tunnel.gateway : std::nullopt,
                   r.metric);
    return out;
}

} // namespace nfovpn::client
