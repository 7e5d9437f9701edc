#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# outer.sh - the header of the packets that nf_ovpn sends: mark, DSCP, ECN, DF,
# and what becomes of packets that are too large for the path.

. "$(dirname "$0")/common.sh"

# Count what leaves towards the peer, by a match of nft.
count_outer() { # MATCH...
	nft_gw delete table inet outer 2>/dev/null
	nft_gw -f - <<-RULES
	table inet outer {
		chain out {
			type filter hook output priority filter
			udp sport $GW_PORT $* counter
		}
	}
	RULES
}
nft_gw() { nsexec "$gw" nft "$@"; }

counted() {
	nft_gw list table inet outer | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

# Of five packets on a fresh flow, how many match?
outer_is() { # WANTED MATCH...
	count_outer "${@:2}"
	pings "$lan" 10.8.0.2 &&
		expect "outer packets with ${*:2}" "$(counted)" -eq "$1"
}

# Rules may give data packets of one outer flow different routes, by their flow
# labels: they take the path that asks. The rule here is about another address.
outer_label() {
	local status=0

	label_rule add && heard slow && heard slow || status=1
	label_rule del || status=1
	[ $status -eq 0 ] && heard slow && heard fast
}
label_rule() { run "$tool" -n "$gw" label-rule "$1" fd08::ffff 16; }

heard() { # slow|fast
	mark
	run nsexec "$peer" ping -q -c 1 -W 2 10.8.0.1 &&
		expect_rise "rx-$1-packets" -eq 1
}

inst_set() { run gwnl instance-set ifindex=tun0 "instance{" "$@" "}"; }
peer_set() { run gwnl peer-set ifindex=tun0 "peer{" id="$PEER_ID" "$@" "}"; }

# Whose mark counts: the conntrack mark of the outer flow, then the peer's,
# then the instance's.
marks() {
	local status=0
	outer_is 5 meta mark 0 &&
		inst_set mark=0x11 && outer_is 5 meta mark 0x11 &&
		peer_set mark=0x22 && outer_is 5 meta mark 0x22 &&
		run nsexec "$gw" conntrack -U -p udp --mark 0x33 &&
		ping_once && outer_is 5 meta mark 0x33 &&
		run nsexec "$gw" conntrack -U -p udp --mark 0 &&
		ping_once && outer_is 5 meta mark 0x22 || status=1
	peer_set mark=0 && inst_set mark=0 &&
		outer_is 5 meta mark 0 || status=1
	return $status
}

# Packets are routed by their mark, also when it changes.
mark_routes() {
	local status=0
	run ip -n "$gw" rule add fwmark 0x44 unreachable
	run ip -n "$gw" -6 rule add fwmark 0x44 unreachable
	mark
	pings "$lan" 10.8.0.2 && inst_set mark=0x44 || status=1
	! pings "$lan" 10.8.0.2 || status=1
	expect_rise drops.no-route -ge 5 || status=1
	inst_set mark=0 && pings "$lan" 10.8.0.2 || status=1
	run ip -n "$gw" rule del fwmark 0x44
	run ip -n "$gw" -6 rule del fwmark 0x44
	return $status
}

# DSCP af41 is 0x88 in the byte that holds ECN as well.
dscp() {
	local status=0
	count_outer "$dscp" cs0
	run pings "$lan" 10.8.0.2 -Q 0x88 &&
		expect "outer packets without DSCP" "$(counted)" -eq 5 &&
		inst_set dscp=inherit && count_outer "$dscp" af41 &&
		pings "$lan" 10.8.0.2 -Q 0x88 &&
		expect "outer packets with it" "$(counted)" -eq 5 &&
		count_outer "$dscp" af41 &&
		pings "$lan" fd08::2 -Q 0x88 &&
		expect "of IPv6 inside" "$(counted)" -eq 5 || status=1
	inst_set dscp=zero || status=1
	return $status
}

# Version 4 and a destination, but less than a header: there is nothing to
# inherit.
no_header() {
	local status=0
	inst_set dscp=inherit df=inherit && count_outer "$dscp" cs0 &&
		run "$tool" -n "$gw" inject tun0 0x0800 \
			40b800140000400040110000c63364020a080002 &&
		wait_for "the packet outside" 5 counted_is 1 || status=1
	inst_set dscp=zero df=unset || status=1
	return $status
}
counted_is() { [ "$(counted)" -eq "$1" ]; }

# RFC 6040, normal mode: both codepoints that say "capable" are copied. ping
# cannot say CE.
ecn() {
	local value name status=0
	for value in 1:ect1 2:ect0; do
		name=${value#*:} value=${value%:*}
		count_outer "$ecn" "$name"
		pings "$lan" 10.8.0.2 -Q "$value" &&
			expect "outer packets with $name" "$(counted)" -eq 5 ||
			status=1
	done
	return $status
}

df() {
	local set='ip frag-off & 0x4000 != 0' status=0
	outer_is 0 "$set" &&
		inst_set df=set && outer_is 5 "$set" &&
		inst_set df=inherit && outer_is 5 "$set" &&
		count_outer "$set" &&
		pings "$lan" 10.8.0.2 -M dont &&
		expect "outer packets with DF, inner without" \
			"$(counted)" -eq 0 || status=1
	inst_set df=unset && outer_is 0 "$set" || status=1
	return $status
}

says_mtu() { # NAMESPACE ADDRESS SIZE MTU
	local out
	out=$(nsexec "$1" ping -c 2 -i 0.1 -W 1 -M "do" -s "$3" "$2" 2>&1)
	echo "$out"
	# A local socket may be told without a packet.
	[[ $out =~ mtu\ ?=\ ?$4([^0-9]|$) ||
	   ( $1 = "$gw" && $out =~ "Message too long" ) ]] ||
		fail "no answer with MTU $4"
}

flush_routes() {
	nsexec "$lan" ip route flush cache
	nsexec "$lan" ip -6 route flush cache
	nsexec "$gw" ip route flush cache
	nsexec "$gw" ip -6 route flush cache
}

# The route says what fits: 1380 less what is around an inner packet. On a new
# flow and on an armed one, from the LAN and from the gateway itself; what may
# be fragmented gets through, and so does TCP.
narrow_route() { # 4|6 OVERHEAD
	local fit=$((1380 - $2)) status=0
	run ip -n "$gw" route add "$peer_addr" dev veth0 mtu 1380 &&
		inst_set df=set || return
	says_mtu "$lan" 10.8.0.2 1372 $fit &&
		pings "$lan" 10.8.0.2 -M "do" -s $((fit - 28)) &&
		flush_routes &&
		says_mtu "$lan" 10.8.0.2 1372 $fit &&
		says_mtu "$lan" fd08::2 1352 $fit &&
		pings "$lan" fd08::2 -M "do" -s $((fit - 48)) &&
		says_mtu "$gw" 10.8.0.2 1372 $fit &&
		pings "$gw" 10.8.0.2 -M "do" -s $((fit - 28)) &&
		flush_routes &&
		pings "$lan" 10.8.0.2 -M dont -s 1372 &&
		tcp_transfer "$lan" "$peer" 10.8.0.2 &&
		tcp_transfer "$gw" "$peer" "[fd08::2]" || status=1
	inst_set df=unset
	run ip -n "$gw" route del "$peer_addr" dev veth0 mtu 1380
	flush_routes
	pings "$lan" 10.8.0.2 -M "do" -s 1372 || status=1
	return $status
}

# A router on the way says what fits: the LAN's host becomes one, behind which
# the peer is.
narrow_path() {
	local peer=$far gw_addr=198.51.100.1 peer_addr=203.0.113.2 status=0
	inst_set df=set || return
	pings "$gw" 10.8.0.2 || return
	# The first is lost on the way, and the router's answer heard.
	run nsexec "$gw" ping -c 1 -W 0.2 -M "do" -s 1372 10.8.0.2
	wait_for "the path MTU" 5 path_mtu_is 1300
	says_mtu "$gw" 10.8.0.2 1372 1248 &&
		pings "$gw" 10.8.0.2 -M "do" -s 1220 &&
		tcp_transfer "$gw" "$peer" 10.8.0.2 || status=1
	inst_set df=unset
	return $status
}

# The gateway gets another address in place of the one by which the peer was
# heard: what goes to the peer comes from the new one at once, and the peer
# follows. PREFIX OLD NEW
renumbered() {
	local status=0 pf=ip
	[ "$fam" = ipv4 ] || pf=ip6
	inst_set "listener{" local-port="$GW_PORT" "}" &&
		run nsexec "$gw" sysctl -qw \
			net.ipv4.conf.veth0.promote_secondaries=1 &&
		run ip -n "$gw" addr add "$3/$1" dev veth0 nodad &&
		pings "$lan" 10.8.0.2 && pings "$lan" fd08::2 || return
	run ip -n "$gw" addr del "$2/$1" dev veth0
	count_outer $pf saddr "$3"
	mark
	pings "$lan" 10.8.0.2 && pings "$lan" fd08::2 &&
		expect "packets from the new address" "$(counted)" -ge 10 &&
		expect_rise drops.no-route -eq 0 || status=1
	run ip -n "$gw" addr add "$2/$1" dev veth0 nodad
	run ip -n "$gw" addr del "$3/$1" dev veth0
	pings "$lan" 10.8.0.2 || status=1
	inst_set "listener{" local-"$fam"="$gw_addr" \
		local-port="$GW_PORT" "}" || status=1
	return $status
}

# The clients' side is a VRF: the routes of the gateway itself do not lead there.
vrf() {
	local status=0
	run ip -n "$gw" link add vrf0 type vrf table 100 &&
		run ip -n "$gw" link set vrf0 up &&
		run ip -n "$gw" link set veth0 master vrf0 || return
	ip -n "$gw" addr replace 2001:db8:1::1/64 dev veth0 nodad
	mark
	! pings "$lan" 10.8.0.2 || status=1
	expect_rise drops.no-route -ge 5 || status=1
	mark
	inst_set bind-dev=vrf0 && pings "$lan" 10.8.0.2 &&
		pings "$peer" fd08::1 && pings "$gw" 10.8.0.2 &&
		expect_rise drops.no-route -eq 0 || status=1
	inst_set bind-dev=0
	run ip -n "$gw" link set veth0 nomaster
	run ip -n "$gw" link del vrf0
	ip -n "$gw" addr replace 2001:db8:1::1/64 dev veth0 nodad
	pings "$lan" 10.8.0.2 && return $status
}

path_mtu_is() {
	ip -n "$gw" route get "$peer_addr" | grep -q "mtu $1 "
}

far_up() {
	tunnel_down
	setup_ns far || return
	ip -n "$lan" link add veth9 type veth peer name veth0 netns "$far" &&
		ip -n "$lan" link set veth9 mtu 1300 up &&
		ip -n "$far" link set veth0 mtu 1300 up &&
		ip -n "$lan" addr add 203.0.113.1/24 dev veth9 &&
		ip -n "$far" addr add 203.0.113.2/24 dev veth0 &&
		ip -n "$far" route add default via 203.0.113.1 &&
		ip -n "$far" route add 198.51.100.1 via 203.0.113.1 &&
		ip -n "$gw" route add 203.0.113.0/24 via 198.51.100.2 &&
		nsexec "$lan" sysctl -qw net.ipv4.ip_forward=1 &&
		nsexec "$far" sysctl -qw net.ipv6.conf.all.accept_dad=0 \
			net.ipv6.conf.default.accept_dad=0 &&
		wait_for "the far host" 5 \
			nsexec "$gw" ping -q -c 1 -W 1 203.0.113.2 || return
	peer=$far
	outer_addresses() {
		gw_addr=198.51.100.1 peer_addr=203.0.113.2 fam=ipv4
	}
	tunnel_up aes-gcm 256
}
far=''

tunnel_over() { # 4|6
	tunnel_down
	tunnel_up aes-gcm 256 "$1" || return
	if [ "$1" = 4 ]; then
		dscp='ip dscp' ecn='ip ecn'
	else
		dscp='ip6 dscp' ecn='ip6 ecn'
	fi
}

require "a tunnel over IPv4" tunnel_over 4
check "R15: marks" marks
check "R15: the mark routes" mark_routes
check "R14: DSCP, IPv4" dscp
check "R14: nothing is inherited from half a header" no_header
check "R14: ECN, IPv4" ecn
check "R14: DF" df
check "R14: a narrow route, IPv4" narrow_route 4 52
check "R15: the gateway is renumbered" renumbered 24 192.0.2.1 192.0.2.3
modprobe vrf 2>/dev/null
check "R15: a VRF" vrf
require "a tunnel over IPv6" tunnel_over 6
check "a routing rule for flow labels" outer_label
check "R15: the gateway is renumbered, IPv6" \
	renumbered 64 2001:db8:1::1 2001:db8:1::3
check "R15: a VRF, IPv6" vrf
check "R15: marks, IPv6" marks
check "R14: DSCP, IPv6" dscp
check "R14: ECN, IPv6" ecn
check "R14: a narrow route, IPv6" narrow_route 6 72
require "a tunnel by a router" far_up
check "R14: a narrow path" narrow_path
run_checks
