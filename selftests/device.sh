#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# device.sh - what an administrator attaches to the tun device: qdisc, tc, netdev
# chains, packet sockets. Nobody tells nf_ovpn; all of it sees the packets, with
# and without the fast path, in the middle of a flow.

. "$(dirname "$0")/common.sh"

tc_gw() { run nsexec "$gw" tc "$@"; }
set_mode() { run gwnl instance-set ifindex=tun0 "instance{" fastpath="$1" "}"; }

# A flow of the LAN and one of the gateway itself are under way, and fast.
under_way() {
	pings "$lan" 10.8.0.2 && pings "$lan" fd08::2 &&
		pings "$gw" 10.8.0.2 || return
	mark
}

# What goes to the peer is left to the tun device behind what is attached, and
# taken again when that is gone.
left_alone() {
	nsexec "$lan" ping -q -c 5 -i 0.02 -W 0.2 10.8.0.2
	nsexec "$lan" ping -q -c 5 -i 0.02 -W 0.2 fd08::2
	nsexec "$gw" ping -q -c 5 -i 0.02 -W 0.2 10.8.0.2
	# ping sends again what the gateway itself could not send
	expect_rise tx-userspace-packets -ge 15 &&
		expect_rise tx-fast-packets -eq 0 &&
		expect_rise tx-egress-packets -eq 0
}
taken_again() {
	mark
	pings "$lan" 10.8.0.2 && pings "$lan" fd08::2 && pings "$gw" 10.8.0.2 &&
		expect_rise tx-userspace-packets -eq 0
}

qdisc() { # MODE KIND OPTION...
	local sent status=0
	set_mode "$1" && under_way &&
		tc_gw qdisc add dev tun0 root handle 1: "${@:2}" || return
	left_alone || status=1
	sent=$(nsexec "$gw" tc -s qdisc show dev tun0 |
		sed -n '0,/Sent/s/.*Sent [0-9]* bytes \([0-9]*\) pkt.*/\1/p')
	expect "packets of the qdisc" "$sent" -ge 15 || status=1
	tc_gw qdisc del dev tun0 root
	taken_again && return $status
}

# A filter that drops all, in the middle of a flow
filter() { # MODE
	local status=0
	set_mode "$1" && under_way && tc_gw qdisc add dev tun0 clsact &&
		tc_gw filter add dev tun0 egress matchall action drop || return
	left_alone || status=1
	nsexec "$gw" tc -s filter show dev tun0 egress | tee "$tmp/filter"
	grep -qE " (1[5-9]|[2-9][0-9]) pkt" "$tmp/filter" || fail "the filter has not seen them" ||
		status=1
	tc_gw qdisc del dev tun0 clsact
	taken_again && return $status
}

# A program of tcx that drops all, in the middle of a flow
program() { # MODE
	local status=0
	set_mode "$1" && under_way && run "$tool" -n "$gw" tcx tun0 drop || return
	left_alone || status=1
	! pings "$lan" 10.8.0.2 || fail "it has dropped nothing" || status=1
	run "$tool" -n "$gw" tcx tun0 drop none || status=1
	taken_again && return $status
}

# A chain at egress: all packets go through it, and are still encrypted here.
chain() { # MODE
	local status=0 table
	set_mode "$1" && under_way && nsexec "$gw" nft -f - <<-RULES || return
	table netdev own {
		chain c {
			type filter hook egress device tun0 priority 0
			meta l4proto { 1, 58 } counter
		}
	}
	RULES
	pings "$lan" 10.8.0.2 && pings "$lan" fd08::2 && pings "$gw" 10.8.0.2 &&
		expect_rise tx-userspace-packets -eq 0 || status=1
	table=$(nsexec "$gw" nft list table netdev own)
	echo "$table"
	[[ $table == *"packets 15 "* ]] || status=1
	nsexec "$gw" nft -f - <<-RULES
	table netdev own {
		chain c {
			drop
		}
	}
	RULES
	mark
	! pings "$lan" 10.8.0.2 && ! pings "$gw" 10.8.0.2 || status=1
	expect_rise link-tx-packets -eq 0 || status=1
	nsexec "$gw" nft delete table netdev own
	taken_again && return $status
}

# A packet socket is shown what is sent, once, and nothing else changes.
socket() { # MODE
	local status=0
	set_mode "$1" && under_way || return
	ip netns exec "$gw" tcpdump --immediate-mode -l -n -Q out -i tun0 \
		"icmp or icmp6" >"$tmp/dump.log" 2>&1 &
	local pid=$!
	wait_for "tcpdump" 5 grep -q "listening on" "$tmp/dump.log"
	mark
	pings "$lan" 10.8.0.2 && pings "$lan" fd08::2 && pings "$gw" 10.8.0.2 ||
		status=1
	tcp_transfer "$lan" "$peer" 10.8.0.2 || status=1
	wait_for "15 requests" 5 lines_are 15 "echo request" dump || status=1
	[ "$1" = off ] || expect_rise tx-fast-packets -ge 1000 || status=1
	kill "$pid"
	wait "$pid" 2>/dev/null
	expect_rise tx-userspace-packets -eq 0 && return $status
}

for t in tc tcpdump; do
	command -v $t >/dev/null || skip_all "needs $t"
done
for t in sch_tbf sch_htb sch_ingress cls_matchall; do
	modprobe $t 2>/dev/null
done

require "a tunnel" tunnel_up aes-gcm 256
for mode in accepted off eager; do
	check "a qdisc with a rate, $mode" qdisc $mode \
		tbf rate 100mbit burst 100k latency 50ms
	check "a qdisc with classes, $mode" qdisc $mode htb
	check "a qdisc of the default's kind, $mode" qdisc $mode pfifo_fast
	check "a tc filter, $mode" filter $mode
	check "a tcx program, $mode" program $mode
	check "a netdev chain, $mode" chain $mode
	check "a packet socket, $mode" socket $mode
done
run_checks
