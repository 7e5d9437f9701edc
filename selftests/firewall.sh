#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# firewall.sh - a packet on the fast path is one that the rules and routes of
# this moment would let through. Whatever changes in mid-flow, the next packet
# is judged by it.
#
# The flow that is looked at is that of flow.sh.

. "$(dirname "$0")/flow.sh"

nothing_new_from_lan() {
	ends "$1"
	nsexec "$gw" conntrack -D -p udp --dport 7001 2>/dev/null
	not_sent
}

first_packets() {
	ends "$1"
	up && by egress && by fast && by fast
}

forward_rule() { # 4|6
	armed "$1" || return
	rule_add forward "$ip" daddr "$a" udp dport 7000 counter drop || return
	not_sent && not_sent &&
		nft -a list chain inet fw forward | tee "$tmp/chain" &&
		grep -q "udp dport 7000 counter packets 2 " "$tmp/chain" ||
		fail "the rule has not seen both datagrams" || return
	rule_del && goes_on
}

unrelated_rule() {
	armed 4 && rule_add input tcp dport 9 drop && goes_on || return
	rule_del && goes_on
}

set_element() {
	armed 4 && nft add element inet fw blocked "{ 10.8.0.2 }" &&
		not_sent && nft delete element inet fw blocked "{ 10.8.0.2 }" &&
		goes_on
}

postrouting_rule() {
	armed 4 &&
		nft add chain inet fw post "{ type filter hook postrouting priority filter; }" &&
		rule_add post udp dport 7000 drop &&
		not_sent && nft delete chain inet fw post && goes_on
}

output_rule() { # 4|6
	ends "$1"
	by egress local_down && by fast local_down &&
		rule_add output "$ip" daddr "$a" udp dport 7000 drop || return
	not_sent local_down &&
		rule_del &&
		by egress local_down && by fast local_down
}

# The outer flow is judged by INPUT.
input_rule() {
	armed 4 && received fast &&
		rule_add input udp dport "$GW_PORT" counter drop || return
	mark
	up is_lost && up is_lost && expect_rise vpn-rx-packets -eq 0 &&
		nft -a list chain inet fw input | tee "$tmp/chain" &&
		grep -q "dport $GW_PORT counter packets 2 " "$tmp/chain" ||
		fail "the rule has not seen both datagrams" || return
	rule_del &&
		received slow && received fast
}

# PROGRAM UNDO: change routing so that the flow is not for the peer any more,
# and back
rerouted() { # 4|6 "CHANGE" "UNDO"
	armed "$1" || return
	# shellcheck disable=SC2086	# words
	run $2 && not_sent && run $3 && goes_on
}

goes_elsewhere() { # the route of the outer packets, which changes nothing
	armed 4 && run ip -n "$gw" route add 192.0.2.2/32 dev veth0 mtu 1500 &&
		goes_on && run ip -n "$gw" route del 192.0.2.2/32 && goes_on
}

device_down() {
	armed 4 && run ip -n "$gw" link set tun0 down && not_sent &&
		run ip -n "$gw" link set tun0 up &&
		run ip -n "$gw" addr replace fd08::1/64 dev tun0 nodad &&
		goes_on
}

inner_forgotten() {
	armed 4 &&
		run nsexec "$gw" conntrack -D -p udp --dport 7001
	nsexec "$gw" conntrack -L
	# new from the LAN: no rule accepts that
	not_sent && up && by egress && by fast
}

outer_forgotten() {
	armed 4 && received fast &&
		run nsexec "$gw" conntrack -D -p udp --dport "$GW_PORT" &&
		received slow && received fast && by fast
}

everything_forgotten() {
	armed 4 && run nsexec "$gw" conntrack -F && received slow &&
		received fast && by egress && by fast
}

fastpath_off() {
	armed 4 && run gwnl instance-set ifindex=tun0 "instance{" fastpath=off "}" &&
		by egress && by egress && received slow && received fast
}

fastpath_accepted() {
	run gwnl instance-set ifindex=tun0 "instance{" fastpath=accepted "}" &&
		goes_on
}

fastpath_eager() {
	run gwnl instance-set ifindex=tun0 "instance{" fastpath=eager "}" &&
		run nsexec "$gw" conntrack -F && up && by fast && by fast &&
		rule_add forward udp dport 7000 drop || return
	not_sent && rule_del &&
		goes_on &&
		run gwnl instance-set ifindex=tun0 "instance{" \
			fastpath=accepted "}"
}

# Replies to a flow whose source is translated are turned back at PREROUTING,
# before the shortcut is asked.
source_nat() {
	ends 4
	run nsexec "$gw" conntrack -F
	nft -f - <<-RULES || return
	table ip nat {
		chain post {
			type nat hook postrouting priority srcnat
			oifname veth1 masquerade
		}
	}
	RULES
	up && down is_lost
	b=198.51.100.2 a=198.51.100.1
	by egress && by fast
	local status=$?
	nft delete table ip nat
	return $status
}

# The peer knows the gateway by a port that is not the listener's; R15
outer_redirect() {
	local status=0
	nft -f - <<-RULES || return
	table ip nat {
		chain pre {
			type nat hook prerouting priority dstnat
			udp dport 1190 redirect to :$GW_PORT
		}
	}
	RULES
	tunnel_down
	GW_PORT=1190 outer_port_test || status=1
	nft delete table ip nat
	tunnel_down
	return $status
}

outer_port_test() {
	outer_addresses 4
	gw_tun_up && GW_PORT=1194 gw_socket_up "$gw_addr" &&
		run gwnl instance-new ifindex=tun0 "instance{" \
			"listener{" local-port=1194 "}" "}" &&
		gw_peer_new && gw_key aes-gcm 256 && peer_up &&
		peer_key aes-gcm 256 &&
		pings "$peer" 10.8.0.1 && pings "$peer" 198.51.100.2 || return
	mark
	pings "$peer" 198.51.100.2 && expect_rise rx-fast-packets -eq 5 &&
		expect_rise tx-fast-packets -eq 4
}

require "a tunnel under rules" start
check "nothing new from the LAN, IPv4" nothing_new_from_lan 4
check "nothing new from the LAN, IPv6" nothing_new_from_lan 6
check "first packet by the rules, then fast, IPv4" first_packets 4
check "first packet by the rules, then fast, IPv6" first_packets 6
check "a FORWARD rule stops an armed flow, IPv4" forward_rule 4
check "a FORWARD rule stops an armed flow, IPv6" forward_rule 6
check "an unrelated rule does not" unrelated_rule
check "a set element stops an armed flow" set_element
check "a POSTROUTING rule stops an armed flow" postrouting_rule
check "an OUTPUT rule stops a local flow, IPv4" output_rule 4
check "an OUTPUT rule stops a local flow, IPv6" output_rule 6
check "an INPUT rule stops the outer flow" input_rule
# shellcheck disable=SC2154	# setup_ns sets gw
{
check "a route takes an armed flow away, IPv4" rerouted 4 \
	"ip -n $gw route add blackhole 10.8.0.2/32" \
	"ip -n $gw route del blackhole 10.8.0.2/32"
check "a route takes an armed flow away, IPv6" rerouted 6 \
	"ip -n $gw route add blackhole fd08::2/128" \
	"ip -n $gw route del blackhole fd08::2/128"
check "without its route an armed flow ends, IPv4" rerouted 4 \
	"ip -n $gw route del 10.8.0.0/24 dev tun0" \
	"ip -n $gw route add 10.8.0.0/24 dev tun0 src 10.8.0.1"
check "without its route an armed flow ends, IPv6" rerouted 6 \
	"ip -n $gw route del fd08::/64 dev tun0" \
	"ip -n $gw route add fd08::/64 dev tun0"
check "a routing rule takes an armed flow away, IPv4" rerouted 4 \
	"ip -n $gw rule add to 10.8.0.2 prohibit" \
	"ip -n $gw rule del to 10.8.0.2 prohibit"
check "a routing rule takes an armed flow away, IPv6" rerouted 6 \
	"ip -n $gw -6 rule add to fd08::2 prohibit" \
	"ip -n $gw -6 rule del to fd08::2 prohibit"
check "a local address takes an armed flow away, IPv4" rerouted 4 \
	"ip -n $gw addr add 10.8.0.2/32 dev lo" \
	"ip -n $gw addr del 10.8.0.2/32 dev lo"
check "forwarding off stops an armed flow, IPv4" rerouted 4 \
	"ip netns exec $gw sysctl -q net.ipv4.conf.veth1.forwarding=0" \
	"ip netns exec $gw sysctl -q net.ipv4.conf.veth1.forwarding=1"
check "forwarding off stops an armed flow, IPv6" rerouted 6 \
	"ip netns exec $gw sysctl -q net.ipv6.conf.all.forwarding=0" \
	"ip netns exec $gw sysctl -q net.ipv6.conf.all.forwarding=1"
}
check "a route of the outer packets is followed" goes_elsewhere
check "the device is down" device_down
check "conntrack forgets the inner flow" inner_forgotten
check "conntrack forgets the outer flow" outer_forgotten
check "conntrack forgets everything" everything_forgotten
check "fastpath off" fastpath_off
check "fastpath accepted" fastpath_accepted
check "fastpath eager" fastpath_eager
check "source NAT of the inner flow" source_nat
check "R15: the listener is behind a redirection" outer_redirect
run_checks
