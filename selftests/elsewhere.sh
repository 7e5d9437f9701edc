#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# elsewhere.sh - packets that look like those of an armed flow and do not go to
# the tun device: a BPF program or a rule gives them to a socket, a bridge hands
# them to another host, another route or member of one takes them. Each is
# tried with "fastpath off" as well.
#
# Besides the links of common.sh there is a bridge br0 of the gateway, with the
# hosts $left (203.0.113.2) and $right (203.0.113.3).
#
# shellcheck disable=SC2119	# down and up have an argument of their own

. "$(dirname "$0")/flow.sh"

# named by setup_ns
left='' right=''

bridge_up() {
	local n=2 ns

	setup_ns left right || return
	run ip -n "$gw" link add br0 address 02:00:00:00:02:01 type bridge || return
	for ns in "$left" "$right"; do
		nsexec "$ns" sysctl -qw net.ipv6.conf.all.accept_dad=0 \
			net.ipv6.conf.default.accept_dad=0
		ip -n "$gw" link add "port$n" type veth peer name veth0 \
			netns "$ns" address "02:00:00:00:02:0$n" &&
			ip -n "$gw" link set "port$n" master br0 up &&
			ip -n "$ns" addr add "203.0.113.$n/24" dev veth0 &&
			ip -n "$ns" addr add "2001:db8:3::$n/64" dev veth0 nodad &&
			ip -n "$ns" link set veth0 up &&
			ip -n "$ns" route add default via 203.0.113.1 &&
			ip -n "$ns" route add default via 2001:db8:3::1 || return
		n=$((n + 1))
	done
	ip -n "$gw" addr add 203.0.113.1/24 dev br0 &&
		ip -n "$gw" addr add 2001:db8:3::1/64 dev br0 nodad &&
		ip -n "$gw" link set br0 up &&
		ip -n "$peer" route add 203.0.113.0/24 via 10.8.0.1 &&
		ip -n "$peer" route add 2001:db8:3::/64 via fd08::1 &&
		wait_for "the bridge" 10 bridge_passes || return
	run "$tool" -n "$left" -b socket 203.0.113.2 7001 >>"$tmp/left_udp.log" &&
		run "$tool" -n "$left" -b socket 2001:db8:3::2 7001 \
			>>"$tmp/left_udp.log"
}

bridge_passes() {
	nsexec "$left" ping -q -c 1 -W 1 203.0.113.1 &&
		nsexec "$left" ping -q -c 1 -W 1 2001:db8:3::1 &&
		nsexec "$right" ping -q -c 1 -W 1 203.0.113.1 &&
		nsexec "$right" ping -q -c 1 -W 1 2001:db8:3::1
}

left_ends() { # 4|6
	ends "$1"
	if [ "$1" = 4 ]; then
		b=203.0.113.2 next=203.0.113.1
	else
		b=2001:db8:3::2 next=2001:db8:3::1
	fi
}

left_up() { arrives "$a" 7000 "$b" 7001 "$peer" left_udp; }
left_down() { arrives "$b" 7001 "$a" 7000 "$left" peer_udp; }

# MODE UP DOWN: the flow is there, and as armed as the mode allows.
begin() {
	run gwnl instance-set ifindex=tun0 "instance{" fastpath="$1" "}" &&
		"$2" && "$3" && "$3" || return
	[ "$1" = off ] || by fast "$3"
}

# 0|1: whether br_netfilter shows bridged frames to the hooks of IP. What a bridge
# device receives then takes the normal path.
bridge_hooks() {
	nsexec "$gw" sysctl -qw net.bridge.bridge-nf-call-iptables="$1" \
		net.bridge.bridge-nf-call-ip6tables="$1"
}

# FAMILY MODE: the host on the left sends to the one on the right what has an
# address behind the tunnel: the bridge hands it on.
bridged() {
	local status=0 n

	left_ends "$1"
	begin "$2" left_up left_down || return
	nsexec "$right" nft -f - <<-RULES || return
	table inet seen {
		chain in {
			type filter hook prerouting priority raw
			udp dport 7000 counter
		}
	}
	RULES
	bridge_hooks 1 || return
	run ip -n "$left" neigh replace "$next" dev veth0 \
		lladdr 02:00:00:00:02:03 nud permanent || return
	mark
	for n in 1 2 3; do
		"$tool" -n "$left" send "$b" 7001 "$a" 7000 "ee$n$n$n$n$n$n"
	done
	wait_for "three datagrams on the right" 5 seen_on_the_right 3 || status=1
	lines_are 0 "^ee" peer_udp || fail "they came to the peer" || status=1
	expect_rise vpn-tx-packets -eq 0 || status=1
	nsexec "$right" nft delete table inet seen
	ip -n "$left" neigh del "$next" dev veth0
	bridge_hooks 0 || status=1
	[ $status -eq 0 ] && left_down
}

seen_on_the_right() { # COUNT
	nsexec "$right" nft list chain inet seen in | grep -q "packets $1 "
}

# MODE: a program at the LAN's interface gives each packet to a socket of the
# gateway, for which the normal path does not forward it.
assigned() {
	local status=0

	ends 4
	begin "$1" up down || return
	run "$tool" -n "$gw" -b -p "$tmp/sink.pid" socket 198.51.100.1 9000 \
		>>"$tmp/sink.log" &&
		run "$tool" -n "$gw" tcx veth1 assign 198.51.100.1 9000 || return
	mark
	for n in 1 2 3; do
		"$tool" -n "$lan" send "$b" 7001 "$a" 7000 "dd$n$n$n$n$n$n"
	done
	run nsexec "$peer" ping -q -c 1 -W 2 192.0.2.1 >/dev/null
	run "$tool" -n "$gw" tcx veth1 assign none || return
	# the next one that arrives is behind them
	down || status=1
	lines_are 0 "^dd" peer_udp || fail "they came to the peer" || status=1
	expect_rise vpn-tx-packets -eq 1 || status=1
	stop sink
	return $status
}

# FAMILY MODE: a rule gives them to a transparent socket.
tproxied() {
	local status=0 n table=100 f=-4 any=0.0.0.0

	ends "$1"
	[ "$1" = 4 ] || f=-6 any=::
	begin "$2" up down && forget sink || return
	run "$tool" -n "$gw" -b -p "$tmp/sink.pid" transparent-socket $any 9000 \
		>>"$tmp/sink.log" &&
		ip -n "$gw" $f rule add fwmark 7 lookup $table &&
		ip -n "$gw" $f route add local default dev lo table $table || return
	nft -f - <<-RULES || return
	table inet proxy {
		chain pre {
			type filter hook prerouting priority mangle
			iifname veth1 udp dport 7000 meta mark set 7 tproxy to :9000
		}
		chain in {
			type filter hook input priority filter - 1
			meta mark 7 accept
		}
	}
	RULES
	rule_add input meta mark 7 accept || return
	mark
	for n in 1 2 3; do
		"$tool" -n "$lan" send "$b" 7001 "$a" 7000 "cc$n$n$n$n$n$n"
	done
	wait_for "three datagrams at the proxy" 5 lines_are 3 "^cc" sink ||
		status=1
	lines_are 0 "^cc" peer_udp || fail "they came to the peer" || status=1
	expect_rise vpn-tx-packets -eq 0 || status=1
	nft delete table inet proxy
	rule_del
	ip -n "$gw" $f rule del fwmark 7 lookup $table
	ip -n "$gw" $f route flush table $table
	stop sink
	[ $status -eq 0 ] && down
}

# FAMILY MODE: the member of a multipath route that an armed flow uses goes away,
# and the other one takes the flow.
multipath() {
	local status=0 route next=203.0.113.3 member="dev tun0"

	ends "$1"
	route="$a/32"
	if [ "$1" = 6 ]; then
		next=2001:db8:3::3
		route="$a/128"
		# the kernel wants a gateway
		member="via fe80::99 dev tun0"
	fi
	# shellcheck disable=SC2086	# words
	run ip -n "$gw" route add "$route" nexthop $member weight 255 \
		nexthop via "$next" dev br0 weight 1 || return
	# One of 256 hashes leads to the other member. With IPv6 each packet may have
	# another hash, by its flow label.
	if [ "$1" = 4 ]; then
		begin "$2" up down || status=1
		run ip -n "$gw" route replace "$route" via "$next" dev br0
	else
		begin off up down || status=1
		run gwnl instance-set ifindex=tun0 "instance{" fastpath="$2" "}"
		[ "$2" = off ] || { by egress && by egress; } || status=1
		# shellcheck disable=SC2086	# words
		run ip -n "$gw" route del "$route" $member
	fi || status=1
	not_sent || status=1
	run ip -n "$gw" route del "$route"
	[ $status -eq 0 ] && down
}

# FAMILY MODE: the way back leads elsewhere from the beginning, by a route or by a
# table that a rule names. "eager" arms it before there is a reply.
routed_away() {
	local status=0 rule f=-4 next=203.0.113.3

	ends "$1"
	[ "$1" = 4 ] || f=-6 next=2001:db8:3::3
	run gwnl instance-set ifindex=tun0 "instance{" fastpath="$2" "}" || return
	for rule in '' 'table 100'; do
		run nsexec "$gw" conntrack -F
		# shellcheck disable=SC2086	# words
		run ip -n "$gw" $f route add "$a" via "$next" dev br0 $rule || return
		[ -z "$rule" ] ||
			run ip -n "$gw" $f rule add from "$b" lookup 100 || return
		up && not_sent || status=1
		[ -z "$rule" ] || run ip -n "$gw" $f rule del from "$b" lookup 100
		# shellcheck disable=SC2086
		run ip -n "$gw" $f route del "$a" $rule
	done
	[ $status -eq 0 ] && down
}

# MODE: a router advertises a more specific route for a while.
advertised() {
	local status=0

	ends 6
	begin "$1" up down || return
	nsexec "$gw" sysctl -qw net.ipv6.conf.br0.accept_ra=2 \
		net.ipv6.conf.br0.accept_ra_rt_info_max_plen=128 || return
	advertise 600
	wait_for "the advertised route" 5 route_is advertised || status=1
	not_sent || status=1
	advertise 0
	wait_for "its end" 5 route_is not_advertised || status=1
	# and it expires by itself, in mid-flow
	begin "$1" up down || status=1
	advertise 2
	wait_for "the advertised route" 5 route_is advertised || status=1
	not_sent || status=1
	wait_for "its end" 60 route_is not_advertised || status=1
	nsexec "$gw" sysctl -qw net.ipv6.conf.br0.accept_ra=0
	ip -n "$gw" -6 route flush dev br0 proto ra 2>/dev/null
	[ $status -eq 0 ] && down
}

route_is() {
	local dev=br0
	[ "$1" = advertised ] || dev=tun0
	ip -n "$gw" route get fd08::2 | grep -q "dev $dev "
}

# SECONDS: a router advertisement of the host on the right, with the route to
# fd08::2/128 in it (RFC 4861, RFC 4191)
advertise() {
	run "$tool" -n "$right" advertise veth0 "$1" fd08::2
}

for t in bridge br_netfilter nft_tproxy; do
	modprobe $t 2>/dev/null
done

prepare() {
	start && bridge_up && bridge_hooks 0
}

require "a tunnel under rules, and a bridge" prepare
for m in off accepted eager; do
	for f in 4 6; do
		check "F12: a bridged frame for another host, IPv$f, $m" bridged $f $m
		check "F12: a proxy's socket, IPv$f, $m" tproxied $f $m
		check "a way back that leads elsewhere, IPv$f, $m" routed_away $f $m
		check "F9: a member of a multipath route, IPv$f, $m" multipath $f $m
	done
	check "F12: a socket that a BPF program gives, $m" assigned $m
	check "F9: a route that a router advertises, $m" advertised $m
done
run_checks
