// SPDX-License-Identifier: GPL-2.0-or-later
//
// What programs are told of the device.

#include "host/device_programs.h"
#include "host/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nfovpn;
using namespace nfovpn::host;
using testing::Contains;
using testing::ElementsAre;
using testing::Pair;

TEST(DevicePrograms, ArgumentsBehindTheirOwn) {
    const Environment told = {
        {"dev", "tun7"},
        {"tun_mtu", "1500"},
        {"ifconfig_local", "10.8.0.1"},
        {"ifconfig_netmask", "255.255.255.0"},
    };
    auto up = device_program({"/bin/up", "quietly"}, "up", told);
    EXPECT_THAT(up.words, ElementsAre("/bin/up", "quietly", "tun7", "1500", "0", "10.8.0.1",
                                      "255.255.255.0", "init"));
    EXPECT_THAT(up.environment, Contains(Pair("script_type", "up")));
    EXPECT_THAT(up.environment, Contains(Pair("dev", "tun7")));
    auto route_up = device_program({"/bin/route-up"}, "route-up", told);
    EXPECT_THAT(route_up.words, ElementsAre("/bin/route-up"));
    EXPECT_THAT(route_up.environment, Contains(Pair("script_type", "route-up")));
}

TEST(DevicePrograms, TheOtherEndInPlaceOfANetmask) {
    auto down = device_program(
        {"/bin/down"}, "down",
        {{"dev", "tun7"}, {"ifconfig_local", "10.8.0.1"}, {"ifconfig_remote", "10.8.0.2"}});
    EXPECT_THAT(down.words,
                ElementsAre("/bin/down", "tun7", "", "0", "10.8.0.1", "10.8.0.2", "init"));
}

TEST(DevicePrograms, RoutesHaveNumbersInEachFamily) {
    Environment out;
    RouteVariables routes(out);
    routes.add(*parse_ipv6_prefix("fd00:77::/48"), std::nullopt, 5);
    routes.add(ipv4_prefix(*parse_ipv4("10.77.0.0"), 16), *parse_ipv4("10.8.0.2"), 5);
    routes.add(ipv4_prefix(*parse_ipv4("0.0.0.0"), 0), std::nullopt, std::nullopt);
    EXPECT_THAT(out, ElementsAre(Pair("route_ipv6_network_1", "fd00:77::/48"),
                                 Pair("route_network_1", "10.77.0.0"),
                                 Pair("route_netmask_1", "255.255.0.0"),
                                 Pair("route_gateway_1", "10.8.0.2"), Pair("route_metric_1", "5"),
                                 Pair("route_network_2", "0.0.0.0"),
                                 Pair("route_netmask_2", "0.0.0.0")));
}

TEST(DevicePrograms, TheTypeOfTheDevice) {
    config::CommonConfig c;
    EXPECT_THAT(environment(c, "tun0"), Contains(Pair("dev_type", "tun")));
    c.ethernet = true;
    EXPECT_THAT(environment(c, "office"), Contains(Pair("dev_type", "tap")));
}
