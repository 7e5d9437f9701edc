#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# clients.sh - two clients of one gateway and what they say to each other:
# through the tunnel into the gateway, through its rules, and through the other
# tunnel out of it; and the point-to-point ways to address them.
#
# The second client is in a namespace of its own, $other, at 203.0.113.2.

. "$(dirname "$0")/common.sh"

nft_gw() { nsexec "$gw" nft "$@"; }

other=''
OTHER_ID=43
OTHER_PORT=40002

# Addresses inside: of the clients, the first and the second, and the gateway
a4=10.8.0.2 a6=fd08::2
b4=10.8.0.3 b6=fd08::3
g4=10.8.0.1

other_link() {
	setup_ns other || return
	ip -n "$gw" link add veth2 address 02:00:00:00:02:01 type veth \
		peer name veth0 netns "$other" address 02:00:00:00:02:02
	nsexec "$other" sysctl -qw net.ipv6.conf.all.accept_dad=0 \
		net.ipv6.conf.default.accept_dad=0
	ip -n "$gw" addr add 203.0.113.1/24 dev veth2
	ip -n "$other" addr add 203.0.113.2/24 dev veth0
	ip -n "$gw" link set veth2 up
	ip -n "$other" link set veth0 up
	# A redirect is one more packet than those that are counted. IPv6 has no
	# switch for them.
	nsexec "$gw" sysctl -qw net.ipv4.conf.all.send_redirects=0 \
		net.ipv4.conf.default.send_redirects=0 || return
	nft_gw -f - <<-RULES
	table ip6 redirects {
		chain out {
			type filter hook output priority raw
			icmpv6 type nd-redirect drop
		}
	}
	RULES
}

# Both ends of the second client; the instance is there, with a listener that
# both clients reach.
other_up() { # IPV4 [IPV6]
	run gwnl peer-new ifindex=tun0 "peer{" id="$OTHER_ID" \
		remote-ipv4=203.0.113.2 remote-port="$OTHER_PORT" \
		vpn-ipv4="$1" ${2:+vpn-ipv6="$2"} "}" &&
		PEER_ID=$OTHER_ID gw_key aes-gcm 256 &&
		run ip -n "$other" link add ovpn0 mtu 1400 type ovpn &&
		run ip -n "$other" link set ovpn0 up || return
	run "$tool" -n "$other" -b -p "$tmp/other.pid" socket 203.0.113.2 \
		"$OTHER_PORT" peer-new ifindex=ovpn0 "peer{" id="$OTHER_ID" \
		socket=fd remote-ipv4=203.0.113.1 remote-port="$GW_PORT" "}" \
		>>"$tmp/other.log" || return
	peer=$other PEER_ID=$OTHER_ID peer_key aes-gcm 256
}

# Both clients in one subnet
subnet_up() {
	outer_addresses 4
	gw_tun_up && gw_socket_up 0.0.0.0 &&
		run gwnl instance-new ifindex=tun0 "instance{" "$@" "listener{" \
			local-port="$GW_PORT" "}" "}" &&
		gw_peer_new && gw_key aes-gcm 256 && peer_up &&
		peer_key aes-gcm 256 && other_up "$b4" "$b6" || return
	ip -n "$other" addr add $b4/24 dev ovpn0
	ip -n "$other" addr add $b6/64 dev ovpn0 nodad
	ip -n "$other" route add 198.51.100.0/24 via "$g4"
	wait_for "the first packets" 5 first_packets
}

first_packets() {
	nsexec "$peer" ping -q -c 1 -W 1 "$g4" &&
		nsexec "$other" ping -q -c 1 -W 1 "$g4"
}

down() {
	ip -n "$other" link del ovpn0 2>/dev/null
	stop other
	tunnel_down
}

# Flows of pings can begin anew.
forget_pings() {
	nsexec "$gw" conntrack -D -p icmp 2>/dev/null
	nsexec "$gw" conntrack -D -p icmpv6 2>/dev/null
	return 0
}

# What one client sends, the other gets: one packet each way asks the rules, and
# the first one behind an answer; all others are short-cut, decrypted with one
# peer's key and encrypted with the other's.
each_other() { # FROM ADDRESS
	forget_pings && first_packets || return
	mark
	pings "$1" "$2" &&
		expect_rise vpn-rx-packets -eq 10 &&
		expect_rise tx-egress-packets -eq 3 &&
		expect_rise tx-fast-packets -eq 7 &&
		expect_rise rx-slow-packets -eq 0
}

and_back() { each_other "$other" "$a4"; }

# Each direction leads to another peer.
armed_both() {
	forget_pings
	pings "$peer" "$b4" && pings "$other" "$a6" &&
		told src-ipv4="$a4" dst-ipv4="$b4" protocol=1 \
			original.peer-id="$OTHER_ID" original.armed= \
			reply.peer-id="$PEER_ID" reply.armed= &&
		told src-ipv6="$b6" dst-ipv6="$a6" protocol=58 \
			original.peer-id="$PEER_ID" original.armed= \
			reply.peer-id="$OTHER_ID" reply.armed=
}

tcp() {
	mark
	tcp_transfer "$peer" "$other" "$b4" &&
		tcp_transfer "$other" "$peer" "$a4" &&
		tcp_transfer "$peer" "$other" "[$b6]" &&
		tcp_transfer "$other" "$peer" "[$a6]" || return
	expect_rise vpn-rx-packets -gt 10000 && mostly_fast 4
}

# --- rules

# What the rules are asked for between the clients, counted
forward_rule() { # VERDICT
	nft_gw delete table inet clients 2>/dev/null
	nft_gw -f - <<-RULES
	table inet clients {
		chain forward {
			type filter hook forward priority filter
			iifname tun0 oifname tun0 counter $1
		}
	}
	RULES
}

asked() {
	nft_gw list table inet clients | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

lost() { # COMMAND...
	! "$@" || fail "came through: $*"
}

# The rules are asked before the first packet goes through, and not only after
# it: not one does where they say no, whatever the mode.
refused() { # FASTPATH
	run gwnl instance-set ifindex=tun0 "instance{" fastpath="$1" "}" &&
		run nsexec "$gw" conntrack -F && forward_rule drop || return
	mark
	lost pings "$peer" "$b4" -W 0.2 && lost pings "$other" "$a6" -W 0.2 &&
		expect "packets that were refused" "$(asked)" -eq 10 &&
		expect_rise vpn-rx-packets -eq 10 &&
		expect_rise vpn-tx-packets -eq 0
}

# FASTPATH WANTED: how many of ten packets ask
asks() {
	run gwnl instance-set ifindex=tun0 "instance{" fastpath="$1" "}" &&
		run nsexec "$gw" conntrack -F && forward_rule accept &&
		first_packets && pings "$peer" "$b4" &&
		expect "packets that asked" "$(asked)" -eq "$2"
}

rules() {
	local status=0
	refused accepted && refused eager && asks accepted 3 && asks eager 2 &&
		asks off 10 || status=1
	run gwnl instance-set ifindex=tun0 "instance{" fastpath=accepted "}"
	nft_gw delete table inet clients
	return $status
}

# A rule that comes in mid-flow, when both directions are armed
rule_in_midflow() {
	local status=0
	each_other "$peer" "$b4" || return
	ip netns exec "$peer" ping -q -c 200 -i 0.05 "$b4" >"$tmp/midflow" &
	mark
	wait_for "the flow" 5 risen tx-fast-packets 10
	forward_rule drop
	mark
	# Those that are on their way are through; then nothing is.
	wait_for "packets at the rule" 5 asked_at_least 10
	expect_rise vpn-tx-packets -le 1 || status=1
	nft_gw delete table inet clients
	mark
	wait_for "the flow to go on" 5 risen tx-fast-packets 10 || status=1
	kill -INT $!
	wait $!
	return $status
}
asked_at_least() { [ "$(asked)" -ge "$1" ]; }

# --- point to point

# The same for each: LAN, gateway and the clients reach each other, on the fast
# path.
all_reach() { # [b4]
	local to
	pings "$peer" "$g4" && pings "$gw" "$a4" &&
		pings "$peer" 198.51.100.2 && pings "$lan" "$a4" &&
		tcp_transfer "$lan" "$peer" "$a4" || return
	for to; do
		pings "$peer" "$to" && pings "$other" "$a4" &&
			pings "$other" "$g4" && pings "$lan" "$to" &&
			each_other "$peer" "$to" || return
	done
	mark
	pings "$lan" "$a4" && expect_rise tx-fast-packets -ge 3
}

# MODE GW-PEER PREFIX: the gateway's device with the address of another end
gw_ptp() {
	outer_addresses 4
	run "$tool" -n "$gw" -b -p "$tmp/tun0.pid" tun tun0 >>"$tmp/tun0.log" &&
		ip -n "$gw" addr add "${@:2}" dev tun0 &&
		run ip -n "$gw" link set tun0 mtu 1400 up &&
		gw_socket_up 0.0.0.0 &&
		run gwnl instance-new ifindex=tun0 "instance{" mode="$1" \
			"listener{" local-port="$GW_PORT" "}" "}"
}

# The first client's end. The only peer of an instance needs no address: all is
# for it.
peer_ptp() { # MODE ADDRESS...
	local vpn=()
	[ "$1" = p2p ] || vpn=(vpn-ipv4="$a4")
	shift
	run gwnl peer-new ifindex=tun0 "peer{" id="$PEER_ID" \
		remote-ipv4="$peer_addr" remote-port="$PEER_PORT" \
		"${vpn[@]}" "}" && gw_key aes-gcm 256 && peer_up &&
		peer_key aes-gcm 256 || return
	ip -n "$peer" addr flush dev ovpn0
	ip -n "$peer" addr add "$@" dev ovpn0 &&
		ip -n "$peer" route add 198.51.100.0/24 dev ovpn0
}

# OpenVPN's "topology net30": a /30 for each client, of which the gateway's end
# is an address that nobody has.
net30() {
	local g4=10.8.0.1 a4=10.8.0.6 b4=10.8.0.10
	down
	gw_ptp mp "$g4" peer 10.8.0.2 &&
		ip -n "$gw" route add 10.8.0.0/24 via 10.8.0.2 &&
		peer_ptp mp "$a4" peer 10.8.0.5 &&
		ip -n "$peer" route add 10.8.0.0/24 via 10.8.0.5 &&
		other_up "$b4" || return
	ip -n "$other" addr add "$b4" peer 10.8.0.9 dev ovpn0
	ip -n "$other" route add 10.8.0.0/24 via 10.8.0.9
	ip -n "$other" route add 198.51.100.0/24 via 10.8.0.9
	wait_for "the first packets" 5 first_packets && all_reach "$b4"
}

# "topology p2p" with many clients: all share the gateway's address.
p2p_many() {
	local g4=10.8.0.1 a4=10.8.0.2 b4=10.8.1.3
	down
	gw_ptp mp $g4/32 && ip -n "$gw" route add 10.8.0.0/23 dev tun0 &&
		peer_ptp mp "$a4" peer "$g4" &&
		ip -n "$peer" route add 10.8.0.0/23 via "$g4" &&
		other_up "$b4" || return
	ip -n "$other" addr add "$b4" peer "$g4" dev ovpn0
	ip -n "$other" route add 10.8.0.0/23 via "$g4"
	ip -n "$other" route add 198.51.100.0/24 via "$g4"
	wait_for "the first packets" 5 first_packets && all_reach "$b4"
}

# One client, by a subnet of two addresses and by the two addresses alone; the
# instance has one peer or may have many.
two_ends() { # MODE PREFIX
	local g4=10.8.0.0 a4=10.8.0.1
	down
	case $2 in
	31) gw_ptp "$1" "$g4/31" && peer_ptp "$1" "$a4/31" ;;
	30) g4=10.8.0.1 a4=10.8.0.2 &&
		gw_ptp "$1" "$g4/30" && peer_ptp "$1" "$a4/30" ;;
	32) gw_ptp "$1" "$g4" peer "$a4" && peer_ptp "$1" "$a4" peer "$g4" ;;
	esac || return
	wait_for "the first packet" 5 \
		nsexec "$peer" ping -q -c 1 -W 1 "$g4" && all_reach
}

require "a second client's link" other_link
require "two clients" subnet_up
check "R4, R6: IPv4 from one client to the other" each_other "$peer" "$b4"
check "and back" and_back
check "R4, R6: IPv6" each_other "$peer" "$b6"
check "R5: both directions are armed, with different peers" armed_both
check "TCP between clients, over 99 % on the fast path" tcp
check "R7: the rules are asked before the first packet" rules
check "R7: a rule stops an armed flow of both" rule_in_midflow
check "a /30 for each client" net30
check "clients without a subnet" p2p_many
for mode in mp p2p; do
	check "a /30, mode $mode" two_ends $mode 30
	check "a /31, mode $mode" two_ends $mode 31
	check "two addresses, mode $mode" two_ends $mode 32
done
check "the end of the second client" down
run_checks
