#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# basic.sh - packets through nf_ovpn and back, and the way they take.

. "$(dirname "$0")/common.sh"

# Of what went through the tunnel since "mark", how much did not take the fast
# path? Each flow has its first packets, but those are few.
no_drops() {
	local now
	now=$(drops)
	expect "drops" "$now" -eq 0
}

all_pings() {
	pings "$peer" 10.8.0.1 && pings "$peer" fd08::1 &&
		pings "$peer" 198.51.100.2 && pings "$peer" 2001:db8:2::2 &&
		pings "$lan" 10.8.0.2 && pings "$lan" fd08::2 &&
		pings "$gw" 10.8.0.2 && pings "$gw" fd08::2
}

tcp_both_ways() {
	mark
	tcp_transfer "$peer" "$lan" 198.51.100.2 &&
		tcp_transfer "$lan" "$peer" 10.8.0.2 &&
		tcp_transfer "$peer" "$lan" "[2001:db8:2::2]" &&
		tcp_transfer "$lan" "$peer" "[fd08::2]" &&
		mostly_fast 2 && no_drops
}

# The gateway itself as one end
tcp_gateway() {
	mark
	tcp_transfer "$peer" "$gw" 10.8.0.1 &&
		tcp_transfer "$gw" "$peer" "[fd08::2]" &&
		mostly_fast 2 && no_drops
}

# Packets that do not fit into the outer MTU are fragmented outside; fragments
# that come in are put together by conntrack before nf_ovpn sees them.
fragments() {
	local status=0
	ip -n "$peer" link set ovpn0 mtu 1500
	ip -n "$gw" link set tun0 mtu 1500
	pings "$peer" 198.51.100.2 -s 1472 -M "do" &&
		pings "$lan" fd08::2 -s 1452 -M "do" &&
		tcp_transfer "$lan" "$peer" 10.8.0.2 || status=1
	ip -n "$peer" link set ovpn0 mtu 1400
	ip -n "$gw" link set tun0 mtu 1400
	return $status
}

# What is too large for the tunnel is answered by ICMP, on an armed flow, too.
too_big() {
	local out
	out=$(nsexec "$lan" ping -c 2 -i 0.1 -W 1 -M "do" -s 1400 10.8.0.2 2>&1)
	echo "$out"
	[[ $out =~ mtu\ ?=\ ?1400 ]] || fail "no ICMP" || return
	nsexec "$lan" ip route flush cache
	pings "$lan" 10.8.0.2 -s 1372 -M "do"
}

# From its first packet in the kernel; the rules are asked by this one and by the
# first one behind an answer, as conntrack's state is another then
lan_flow() { # ADDRESS
	mark
	pings "$lan" "$1" &&
		expect_rise tx-egress-packets -eq 2 &&
		expect_rise tx-fast-packets -eq 3 &&
		expect_rise rx-fast-packets -eq 5 &&
		expect_rise tx-userspace-packets -eq 0
}

# The same with a flow that the peer opens; its direction towards the LAN is
# not nf_ovpn's.
peer_flow() { # ADDRESS
	mark
	pings "$peer" "$1" &&
		expect_rise tx-egress-packets -eq 1 &&
		expect_rise tx-fast-packets -eq 4 &&
		expect_rise rx-fast-packets -eq 5
}

local_flow() { # ADDRESS
	mark
	pings "$gw" "$1" &&
		expect_rise tx-egress-packets -eq 2 &&
		expect_rise tx-fast-packets -eq 3
}

# Outer flow and inner flows are conntrack's like all others.
conntrack_shows() {
	local table
	pings "$peer" 198.51.100.2 || return
	table=$(nsexec "$gw" conntrack -L 2>/dev/null)
	echo "$table"
	grep -q "^udp .*src=192.0.2.2 .*sport=$PEER_PORT dport=$GW_PORT .*ASSURED" \
		<<<"$table" ||
		fail "no outer flow" || return
	grep -q "^icmp .*src=10.8.0.2 dst=198.51.100.2 .* src=198.51.100.2 dst=10.8.0.2" \
		<<<"$table" || fail "no inner flow"
}

# Every opcode but that of data reaches the daemon, from an outer flow that is
# on the fast path as from one that nobody knows; one is answered.
control() {
	local op hex
	mark
	forget socket
	for op in 1 2 3 4 5 6 7 8 10 11 31; do
		printf -v hex '%02x%s' $((op << 3)) c0ffee0102030405060708
		run "$tool" -n "$peer" send "$peer_addr" "$PEER_PORT" \
			"$gw_addr" "$GW_PORT" "$hex" || return
		run "$tool" -n "$peer" send "$peer_addr" $((PEER_PORT + op)) \
			"$gw_addr" "$GW_PORT" "$hex" || return
		wait_for "opcode $op from the peer and from a stranger" 5 \
			lines_are 2 "^$hex$" socket || return
	done
	# 6 is data without a peer ID, but no peer sends such.
	expect_rise rx-userspace-packets -eq 2 && no_drops
}

no_data_in_userspace() {
	! grep '^4[89a-f]' "$tmp/socket.log" ||
		fail "data packets at the socket" || return
	# 45...: IPv4; 6: IPv6, but for what the device itself multicasts
	! grep -E '^(45.{30}(0a080002|c6336402)|6.{47}fd08)' "$tmp/tun0.log" ||
		fail "packets at the tun device"
}

# A device counts what goes through it, whoever carries it.
device_counts() {
	local rx tx
	rx=$(cat_counter rx_packets) tx=$(cat_counter tx_packets)
	pings "$lan" 10.8.0.2 || return
	expect "rx_packets" $(($(cat_counter rx_packets) - rx)) -eq 5 &&
		expect "tx_packets" $(($(cat_counter tx_packets) - tx)) -eq 5
}

cat_counter() {
	ip -n "$gw" -s -j link show tun0 |
		sed -n "s/.*\"${1%_*}\":{[^}]*\"packets\":\([0-9]*\).*/\1/p"
}

# A peer is legal without a key. What it sends is left to userspace, and so is
# what is for it; with a key, the kernel takes over.
no_keys() {
	tunnel_down
	outer_addresses 4
	gw_tun_up && gw_socket_up "$gw_addr" &&
		run gwnl instance-new ifindex=tun0 "instance{" "listener{" \
			local-port="$GW_PORT" "}" "}" &&
		gw_peer_new && peer_up && peer_key aes-gcm 256 || return
	mark
	run nsexec "$peer" ping -q -c 3 -i 0.02 -W 0.1 10.8.0.1
	wait_for "three data packets at the socket" 5 \
		lines_are 3 "^48${PEER_ID_HEX}" socket || return
	run nsexec "$lan" ping -q -c 3 -i 0.02 -W 0.1 10.8.0.2
	wait_for "three packets at the tun device" 5 \
		lines_are 3 '^45.{22}c63364020a080002' tun0 || return
	expect_rise rx-userspace-packets -eq 3 &&
		expect_rise tx-userspace-packets -ge 3 &&
		gw_key aes-gcm 256 &&
		pings "$peer" 10.8.0.1 && pings "$lan" 10.8.0.2
}
printf -v PEER_ID_HEX %06x "$PEER_ID"

# An unknown peer is userspace's, too.
unknown_peer() {
	local hex=4800beef00000001
	mark
	forget socket
	"$tool" -n "$peer" send "$peer_addr" 41000 "$gw_addr" "$GW_PORT" \
		"${hex}0102030405060708090a0b0c0d0e0f10aabbccdd" &&
		wait_for "the packet at the socket" 5 lines_are 1 "^$hex" socket &&
		expect_rise rx-userspace-packets -eq 1 && no_drops
}

tap_refused() {
	local out
	run "$tool" -n "$gw" -b -p "$tmp/tap0.pid" tun tap0 tap >>"$tmp/tap0.log"
	out=$(gwnl instance-new ifindex=tap0 "instance{" "listener{" \
		local-port=1195 "}" "}")
	echo "$out"
	stop tap0
	[ "$out" = "EOPNOTSUPP ifindex: a TAP device; only TUN devices are supported" ]
}

# Listeners and devices are a matter of requests: a second instance with a peer
# that has the ID and the VPN address of the first one's.
two_instances() {
	local instances
	gw_tun_add tun1 10.9.0.1/24 fd09::1/64 &&
		run gwnl instance-new ifindex=tun1 "instance{" \
			"listener{" local-port=1200 "}" \
			"listener{" local-port=1201 "}" "}" &&
		run gwnl peer-new ifindex=tun1 "peer{" id="$PEER_ID" \
			remote-"$fam"="$peer_addr" remote-port=40001 \
			vpn-ipv4=10.8.0.2 "}" &&
		pings "$peer" 198.51.100.2 || return
	instances=$("$tool" -n "$gw" dump nf-ovpn instance-get)
	echo "$instances"
	expect "instances" "$(wc -l <<<"$instances")" -eq 2 &&
		expect "listeners of one" \
			"$(grep -o 'local-port=120[01]' <<<"$instances" |
			   wc -l)" -eq 2 &&
		run gwnl instance-del ifindex=tun1 &&
		pings "$peer" 198.51.100.2 && stop tun1
}

# --- one tunnel and everything in it
require "R3: keys after the handshake, a tunnel with AES-256-GCM over IPv4" \
	tunnel_up aes-gcm 256 4
check "R4, R6: pings, all directions" all_pings
check "R2, R13: IPv4 and IPv6 in IPv4, TCP, over 99 % on the fast path" \
	tcp_both_ways
check "R6: TCP of the gateway itself" tcp_gateway
check "R5: conntrack has the outer and the inner flows" conntrack_shows
check "R7: a flow from the LAN, IPv4" lan_flow 10.8.0.2
check "R7: a flow from the LAN, IPv6" lan_flow fd08::2
check "R6: a flow from the peer, IPv4" peer_flow 198.51.100.2
check "R6: a flow from the peer, IPv6" peer_flow 2001:db8:2::2
check "R6: a local flow, IPv4" local_flow 10.8.0.2
check "R6: a local flow, IPv6" local_flow fd08::2
check "R14: packets over the outer MTU" fragments
check "R14: packets over the inner MTU" too_big
check "the device's own counters" device_counts
check "R1: data packets do not reach the socket" no_data_in_userspace
check "R1: control packets reach the socket" control
check "R8: a packet of an unknown peer reaches the socket" unknown_peer
check "R10: two instances" two_instances
check "R3, R8: a peer without keys" no_keys
check "R12: TAP refused" tap_refused

# --- the other ciphers and the other outer family
retunnel() {
	tunnel_down
	tunnel_up "$@" && all_pings && tcp_both_ways
}
check "R13: IPv4 and IPv6 in IPv6, ChaCha20-Poly1305" \
	retunnel chacha20-poly1305 256 6
check "R13: a flow from the LAN in IPv6" lan_flow fd08::2
check "R1: control packets over IPv6" control
check "R14: packets over the outer MTU of IPv6" fragments
check "AES-128-GCM" retunnel aes-gcm 128 4
check "AES-192-GCM" retunnel aes-gcm 192 4
run_checks
