#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# differ.sh - random rule sets, random traffic and changes in the middle of it:
# what arrives, and with which headers, is the same with the fast path and
# without. See differ.c.
#
#	DIFFER_COUNT	so many rule sets	[1000]
#	DIFFER_SEED	the first of them	[1]
#
# A seed that has failed is tried again, and shown, by DIFFER_COUNT=1
# DIFFER_SEED=... DIFFER_OPTIONS=-v.

. "$(dirname "$0")/common.sh"

differ=$test_dir/differ
exec 3>&1	# for figures
count=${DIFFER_COUNT:-1000}
seed=${DIFFER_SEED:-1}
# named by setup_ns
world1='' world2=''
worlds=()

# NAMESPACE: the gateway, and devices behind which differ is everybody else
world_up() {
	local ns=$1 dev
	for dev in wan0 lan0 lan1 tun0; do
		# shellcheck disable=SC2046	# a word or none
		ip netns exec "$ns" ip tuntap add dev $dev mode tun \
			$([ $dev != lan0 ] || echo vnet_hdr) &&
			ip -n "$ns" link set $dev addrgenmode none || return
	done
	# Nothing is sent by itself, nothing is limited by time.
	nsexec "$ns" sysctl -qw net.ipv4.ip_forward=1 \
		net.ipv6.conf.all.forwarding=1 \
		net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
		net.ipv4.conf.all.send_redirects=0 \
		net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 \
		net.ipv4.icmp_ratemask=0 net.ipv6.icmp.ratemask= \
		net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.auto_flowlabels=0 \
		net.netfilter.nf_conntrack_acct=1 \
		net.netfilter.nf_conntrack_tcp_be_liberal=1 || return
	for dev in wan0 lan0 lan1 tun0; do
		nsexec "$ns" sysctl -qw net.ipv4.conf.$dev.rp_filter=0 \
			net.ipv4.conf.$dev.send_redirects=0 || return
	done
	ip -n "$ns" link set lo up
	world_address wan0 192.0.2.1/24 2001:db8:1::1/64 1500 &&
		world_address lan0 198.51.100.1/24 2001:db8:2::1/64 1500 &&
		world_address lan1 203.0.113.1/24 2001:db8:3::1/64 1500 &&
		world_address tun0 10.8.0.1/24 fd08::1/64 1400 || return
	for dev in "" -6; do
		# shellcheck disable=SC2086
		ip -n "$ns" $dev route add blackhole default table 100 &&
			ip -n "$ns" $dev route add default dev lan1 table 101 ||
			return
	done
	gw=$ns
	run gwnl instance-new ifindex=tun0 "instance{" \
		"listener{" local-ipv4=192.0.2.1 local-port=1194 "}" \
		"listener{" local-ipv6=2001:db8:1::1 local-port=1194 "}" "}" &&
		world_peer 1 remote-ipv4=192.0.2.2 &&
		world_peer 2 remote-ipv6=2001:db8:1::2
}

world_address() { # DEVICE ADDRESS4 ADDRESS6 MTU
	ip -n "$ns" addr add "$2" dev "$1" &&
		ip -n "$ns" addr add "$3" dev "$1" nodad &&
		ip -n "$ns" link set "$1" mtu "$4" up
}

# The tunnels have no cipher, so that differ can be their other end.
world_peer() { # ID REMOTE
	run gwnl peer-new ifindex=tun0 "peer{" id="$1" "$2" \
		remote-port=$((40000 + $1)) vpn-ipv4=10.8.0.$(($1 + 1)) \
		vpn-ipv6=fd08::$(($1 + 1)) "}" &&
		run gwnl key-new ifindex=tun0 "keyconf{" peer-id="$1" \
			slot=primary key-id=0 cipher-alg=none insecure= \
			"encrypt-dir{" "}" "decrypt-dir{" "}" "}"
}

# Thousands of rule sets come and go, and each is waited for.
expedited=/sys/kernel/rcu_expedited
if [ -w $expedited ]; then
	expedited_before=$(cat $expedited)
	defer_expedited() { echo "$expedited_before" >$expedited; }
	trap 'defer_expedited; cleanup' EXIT
	echo 1 >$expedited
fi

worlds_up() {
	local ns
	setup_ns world1 world2 && worlds=("$world1" "$world2") || return
	for ns in "${worlds[@]}"; do
		world_up "$ns" || return
	done
}

# Half of the cases in either of the worlds, each on a processor of its own
same() {
	local pids=() part=$(((count + 1) / 2)) status=0 i n
	for i in 0 1; do
		n=$((i ? count - part : part))
		[ "$n" -gt 0 ] || continue
		# shellcheck disable=SC2086	# options
		ip netns exec "${worlds[i]}" "$differ" ${DIFFER_OPTIONS:-} -c $i \
			$((seed + i * part)) $n >"$tmp/differ.$i" &
		pids+=($!)
	done
	for i in "${!pids[@]}"; do
		wait "${pids[i]}" || status=1
		cat "$tmp/differ.$i"
		sed -n 's/^cases=/# cases=/p' "$tmp/differ.$i" >&3
	done
	return $status
}

# WORD: its sum over the last lines
sum() {
	sed -nE "s/^cases=.*$1=([0-9]+).*|^($1)=([0-9]+) .*/\1\3/p" \
		"$tmp"/differ.? | awk '{ n += $1 } END { print n + 0 }'
}

# Most cases are to be about something.
worth_it() {
	local ns fast=0 other=0
	for ns in "${worlds[@]}"; do
		gw=$ns
		fast=$((fast + $(stat tx-fast-packets)))
		other=$((other + $(stat tx-egress-packets)))
	done
	expect "undecided, per mille" $(($(sum undecided) * 1000 / count)) -le 10 &&
		expect "refused rule sets, per mille" \
			$(($(sum refused) * 1000 / count)) -le 20 &&
		expect "packets that arrive, for each case" \
			$(($(sum packets) / count)) -ge 5 &&
		expect "short-cut packets, of 100 to a peer" \
			$((fast * 100 / (fast + other + 1))) -ge 10
}

[ -x "$differ" ] || skip_all "differ is not built"
require "two worlds" worlds_up
require "$count rule sets from seed $seed: the same with the fast path" same
check "they have been about something" worth_it
run_checks
