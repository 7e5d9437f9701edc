#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# hostile.sh - packets that nobody should send. Each is counted for what it is,
# by the counter of that reason and by no other, whether the outer flow is on
# the fast path or was never seen before; and the session goes on as if nothing
# had been.
#
# There is no way to encrypt in a shell, so genuine packets are taken from the
# wire of the peer, held back before the gateway, and changed. Hexadecimal
# digits of a packet:
#
#	0	2		8		16		48
#	opcode	peer ID		packet ID	tag		ciphertext

. "$(dirname "$0")/common.sh"

OTHER_ID=43		# a second peer of the gateway, with a key, not here
STRANGER_PORT=41000

# Datagrams of each test of mutated ones, and how many of them at a time. Each
# time has a seed, which makes the same changes again.
MUTATIONS=${MUTATIONS:-20000}
MUTATIONS_AT_A_TIME=20000
MUTATION_SEED=${MUTATION_SEED:-1}

start() {
	tunnel_up "$@" || return
	gw_peer_new_other && gw_key_other || return
	# after both peers, so that no flow is asked again for them
	pings "$peer" 10.8.0.1
}

gw_peer_new_other() {
	run gwnl peer-new ifindex=tun0 "peer{" id="$OTHER_ID" \
		remote-"$fam"="$peer_addr" remote-port=40001 \
		vpn-ipv4=10.8.0.3 vpn-ipv6=fd08::3 "}"
}

gw_key_other() {
	PEER_ID=$OTHER_ID gw_key chacha20-poly1305 256
}

endpoint() {
	gwnl peer-get ifindex=tun0 "peer{" id="$PEER_ID" "}" |
		grep -o 'peer.remote[^ ]*\|peer.local[^ ]*'
}

# How many packets were dropped since "mark", for all reasons
drop_sum() {
	local word was=0
	for word in "${!base[@]}"; do
		[[ $word != drops.* ]] || was=$((was + ${base[$word]}))
	done
	echo $(($(drops) - was))
}

# REASON PORT [OPTION...] HEX...: they are dropped for that reason alone
dropped_from() {
	local reason=$1 port=$2 options=() before after
	shift 2
	while [[ $1 == *=* ]]; do
		options+=("$1")
		shift
	done
	before=$(endpoint)
	mark
	inject "${options[@]}" "$port" "$@" || return
	wait_for "drops.$reason to rise by $#" 5 risen "drops.$reason" $# ||
		return
	expect_rise "drops.$reason" -eq $# &&
		expect "all drops" "$(drop_sum)" -eq $# &&
		expect_rise vpn-rx-packets -eq 0 || return
	after=$(endpoint)
	[ "$before" = "$after" ] ||
		fail "the peer has moved from $before to $after" || return
	# The flow is still armed.
	mark
	pings "$peer" 10.8.0.1 && expect_rise rx-fast-packets -eq 5 &&
		expect "drops afterwards" "$(drop_sum)" -eq 0
}

# REASON [OPTION...] HEX...: on the peer's own flow, and from a port that
# nothing came from before
dropped() {
	echo "on the fast path:"
	dropped_from "$1" "$PEER_PORT" "${@:2}" || return
	echo "from a stranger:"
	dropped_from "$1" $((STRANGER_PORT += 1)) "${@:2}"
}

# DIGIT HEX: the lowest bit of a digit is flipped
flip() {
	printf '%s%x%s\n' "${2:0:$1}" $((0x${2:$1:1} ^ 1)) "${2:$(($1 + 1))}"
}

# --- the tests

replayed() {
	hold 3 || return
	mark
	inject "$PEER_PORT" "${held[@]}" && risen_to vpn-rx-packets 3 &&
		dropped replay "${held[@]}"
}

reordered() {
	hold 5 || return
	mark
	inject "$PEER_PORT" "${held[4]}" "${held[2]}" "${held[0]}" \
		"${held[3]}" "${held[1]}" && risen_to vpn-rx-packets 5 &&
		expect_rise drops.replay -eq 0 && dropped replay "${held[@]}"
}

# The window is 1984 packets long.
too_late() {
	local i
	hold 2 || return
	mark
	for ((i = 0; i < 1950; i++)); do echo 00; done |
		"$tool" -n "$peer" send 10.8.0.2 7000 10.8.0.1 9 &&
		inject "$PEER_PORT" "${held[0]}" &&
		risen_to vpn-rx-packets 1951 || return
	for ((i = 0; i < 100; i++)); do echo 00; done |
		"$tool" -n "$peer" send 10.8.0.2 7000 10.8.0.1 9 &&
		risen_to vpn-rx-packets 2051 && dropped replay "${held[1]}"
}

# Every part of the packet is authenticated. None of the changed packets may
# leave a trace: the genuine one is accepted after them.
corrupted() {
	local hex list=()
	hold 1 || return
	hex=${held[0]}
	for digit in 14 15 16 47 48 $((${#hex} - 1)); do
		list+=("$(flip "$digit" "$hex")")
	done
	dropped auth "${list[@]}" || return
	mark
	inject "$PEER_PORT" "$hex" && risen_to vpn-rx-packets 1
}

other_peer_id() {
	local id
	printf -v id %06x "$OTHER_ID"
	hold 1 && dropped auth "${held[0]:0:2}$id${held[0]:8}"
}

# 0x48 is opcode 9, key ID 0
other_key_id() {
	local first
	hold 1 || return
	for first in 49 4f; do
		mark
		forget socket
		inject "$PEER_PORT" "$first${held[0]:2}" &&
			wait_for "the packet at the socket" 5 \
				lines_are 1 "^$first" socket &&
			expect_rise rx-userspace-packets -eq 1 &&
			expect_rise vpn-rx-packets -eq 0 || return
	done
}

other_key() {
	local status=0
	KEY_UP=ff${KEY_UP:2} peer_key aes-gcm 256
	mark
	run nsexec "$peer" ping -q -c 3 -i 0.02 -W 0.1 10.8.0.1
	risen_to drops.auth 3 && expect_rise vpn-rx-packets -eq 0 || status=1
	# A key of the peer begins with packet ID 1 again; so must ours.
	gw_key aes-gcm 256 && peer_key aes-gcm 256 &&
		pings "$peer" 10.8.0.1 && [ $status -eq 0 ]
}

# From the first byte of the packet ID to the last one of the tag; without a
# ciphertext there is something to authenticate.
truncated() {
	local list=() n
	hold 1 || return
	for ((n = 4; n < 24; n++)); do
		list+=("${held[0]:0:$((2 * n))}")
	done
	dropped malformed "${list[@]}" &&
		dropped auth "${held[0]:0:48}" "${held[0]:0:-2}"
}

# What is too short for an opcode and a peer ID is no data packet.
tiny() {
	forget socket
	mark
	inject "$PEER_PORT" 48 4800 480000 && inject $((STRANGER_PORT += 1)) 48 &&
		wait_for "four datagrams" 5 lines_are 4 '^480{0,4}$' socket &&
		expect "drops" "$(drop_sum)" -eq 0
}

oversized() {
	local status=0 long
	printf -v long '%0128000d' 0
	ip -n "$peer" link set veth0 mtu 65535
	ip -n "$gw" link set veth0 mtu 65535
	hold 1 && pings "$peer" 10.8.0.1 &&
		dropped auth "${held[0]}$long" || status=1
	ip -n "$peer" link set veth0 mtu 1500
	ip -n "$gw" link set veth0 mtu 1500
	pings "$peer" 10.8.0.1 && [ $status -eq 0 ]
}

# A UDP length that leaves no room for our header, or that ends too soon; one
# that says more than there is does not get past conntrack.
bad_length() {
	hold 1 || return
	dropped malformed length=31 "${held[0]}" &&
		dropped auth length=32 "${held[0]}" || return
	mark
	inject length=2000 "$PEER_PORT" "${held[0]}" || return
	pings "$peer" 10.8.0.1 && expect_rise vpn-rx-packets -eq 5 &&
		inject "$PEER_PORT" "${held[0]}" && risen_to vpn-rx-packets 6
}

# Normally conntrack finds that out before us.
bad_checksum() {
	hold 1 || return
	mark
	inject checksum=1 "$PEER_PORT" "${held[0]}" &&
		pings "$peer" 10.8.0.1 && expect_rise vpn-rx-packets -eq 5 &&
		run nsexec "$gw" sysctl -q net.netfilter.nf_conntrack_checksum=0 &&
		dropped checksum checksum=1 "${held[0]}" &&
		run nsexec "$gw" sysctl -q net.netfilter.nf_conntrack_checksum=1
}

# "None" is a checksum with IPv4.
no_checksum() {
	hold 1 || return
	mark
	inject checksum=0 "$PEER_PORT" "${held[0]}" && risen_to vpn-rx-packets 1
}

unknown_opcode() {
	local op hex list=()
	hold 1 || return
	forget socket
	for op in 0 12 15 31; do
		printf -v hex %02x $((op << 3))
		list+=("$hex${held[0]:2}")
	done
	mark
	inject "$PEER_PORT" "${list[@]}" &&
		inject $((STRANGER_PORT += 1)) "${list[@]}" &&
		wait_for "both at the socket" 5 lines_are 8 \
			"^..${held[0]:2}$" socket &&
		expect "drops" "$(drop_sum)" -eq 0 && pings "$peer" 10.8.0.1
}

# The outer flow says congestion, the inner one does not know of it.
bad_ecn() {
	hold 1 || return
	mark
	inject tos=3 "$PEER_PORT" "${held[0]}" && risen_to drops.ecn 1 &&
		expect "all drops" "$(drop_sum)" -eq 1 &&
		pings "$peer" 10.8.0.1
}

# An authentic packet with an inner source that is another peer's, or nobody's
inner_source() { # ADDRESS...
	local addr gw_inner
	for addr; do
		gw_inner=10.8.0.1
		[[ $addr != *:* ]] || gw_inner=fd08::1
		mark
		run "$tool" -n "$peer" send "$addr" 7000 $gw_inner 7001 00 01 02 &&
			risen_to drops.source 3 &&
			expect "all drops" "$(drop_sum)" -eq 3 &&
			expect_rise vpn-rx-packets -eq 0 || return
	done
	pings "$peer" 10.8.0.1
}

flood() {
	local i hex
	hold 1 || return
	hex=${held[0]}
	mark
	for ((i = 0; i < 3000; i++)); do
		printf '%s%08x%s\n' "${hex:0:8}" $((i * 1237)) "${hex:16}"
	done | inject "$PEER_PORT" || return
	# one of the 3000 may be genuine
	wait_for "drops" 10 risen drops.auth 2999 || return
	pings "$peer" 10.8.0.1
}

# What random changes make of sixteen genuine packets, and half of these
# themselves among it. Nothing is accepted but exact copies, each once; every
# data packet is accounted for; and the other half is good still.
mutated_by() { # PORT SEED COUNT
	local port=$1 seed=$2 num=$3 copies data
	echo "seed $seed, $num datagrams from port $port"
	# of those before it
	forget socket
	hold 16 || return
	"$tool" mutate "$seed" "$num" <"$tmp/held" |
		grep -vxFf <(printf '%s\n' "${held[@]:8}") >"$tmp/mutated"
	copies=$(sort -u "$tmp/mutated" | grep -cxFf "$tmp/held")
	# P_DATA_V2 and P_DATA_V1, which is nobody's here
	data=$(grep -c '^\(4[89a-f]\|3[0-7]\)......' "$tmp/mutated")
	expect "copies of genuine packets" "$copies" -gt 0 &&
		expect "copies of genuine packets" "$copies" -le 8 &&
		expect "data packets" "$data" -gt $((num / 2)) || return
	mark
	inject "$port" <"$tmp/mutated" || return
	wait_for "all of them" 20 accounted_for "$data"
	expect "data packets accounted for" "$(accounted)" -eq "$data" &&
		expect_rise vpn-rx-packets -eq "$copies" &&
		expect_rise drops.auth -gt $((num / 4)) &&
		inject "$PEER_PORT" "${held[@]}" &&
		risen_to vpn-rx-packets ${#held[@]} &&
		pings "$peer" 10.8.0.1 && pings "$lan" 10.8.0.2
}

mutated() { # PORT
	local left num first=$MUTATION_SEED
	for ((left = MUTATIONS; left > 0; left -= num)); do
		num=$((left < MUTATIONS_AT_A_TIME ? left : MUTATIONS_AT_A_TIME))
		mutated_by "$1" "$MUTATION_SEED" "$num" ||
			fail "seed $MUTATION_SEED" || return
		MUTATION_SEED=$((MUTATION_SEED + 1))
	done
	echo "# $MUTATIONS datagrams, seeds $first to" \
		"$((MUTATION_SEED - 1))" >&3
}

# Data packets since "mark", whatever became of them
accounted() {
	echo $(($(drop_sum) + $(rise vpn-rx-packets) +
		$(rise rx-userspace-packets)))
}
accounted_for() { [ "$(accounted)" -ge "$1" ]; }

# Control packets in great number go to the socket, and data goes on.
control_flood() {
	local i
	mark
	for ((i = 0; i < 3000; i++)); do
		printf '38%016x00000000\n' $i
	done | inject "$STRANGER_PORT" || return
	pings "$peer" 10.8.0.1 && expect_rise rx-fast-packets -eq 5 &&
		expect "drops" "$(drop_sum)" -eq 0
}

# What a peer with a key of its own can do: it is nf_ovpn, too, and puts into
# the tunnel what it likes.
evil_peer() {
	ip -n "$peer" link del ovpn0
	stop peer
	run "$tool" -n "$peer" -b -p "$tmp/evil0.pid" tun evil0 >>"$tmp/evil0.log"
	ip -n "$peer" addr add 10.8.0.2/24 dev evil0
	run ip -n "$peer" link set evil0 mtu 1400 up
	gw_key aes-gcm 256 &&
		run "$tool" -n "$peer" nl nf-ovpn instance-new ifindex=evil0 \
			"instance{" mode=p2p "listener{" \
			local-port="$PEER_PORT" "}" "}" &&
		run "$tool" -n "$peer" nl nf-ovpn peer-new ifindex=evil0 \
			"peer{" id="$PEER_ID" remote-"$fam"="$gw_addr" \
			remote-port="$GW_PORT" "}" &&
		run "$tool" -n "$peer" nl nf-ovpn key-new ifindex=evil0 \
			"keyconf{" peer-id="$PEER_ID" slot=primary key-id=0 \
			cipher-alg=aes-gcm "encrypt-dir{" \
			cipher-key="$KEY_UP" nonce-tail="$TAIL_UP" "}" \
			"decrypt-dir{" cipher-key="$KEY_DOWN" \
			nonce-tail="$TAIL_DOWN" "}" "}" &&
		pings "$peer" 10.8.0.1
}

# Not IP, or less than a header of it
inner_garbage() {
	local list=(00 4500 450000140000000040110000c0000202c00002 5500001400000000
		    600000000000 ffffffffffffffffffffffffffffffffffffffff
		    2a187bf3641eb4cb07ed2d0a981fc749)
	mark
	run "$tool" -n "$peer" inject evil0 0x0800 "${list[@]}" &&
		risen_to drops.inner ${#list[@]} &&
		expect "all drops" "$(drop_sum)" -eq ${#list[@]} &&
		expect_rise vpn-rx-packets -eq 0 && pings "$peer" 10.8.0.1
}

# IP, but nothing in it is true; the source is, so that the stack has it next.
inner_nonsense() {
	local list=(4f00ffff0000ffffff060000
		    450000140000400040060000
		    46000018000000004006000000)
	local hex all=()
	for hex in "${list[@]}"; do
		all+=("${hex:0:24}0a0800020a080001" "${hex:0:24}0a080002c6336402ffff")
	done
	mark
	run "$tool" -n "$peer" inject evil0 0x0800 "${all[@]}" &&
		risen_to vpn-rx-packets ${#all[@]} &&
		expect "drops" "$(drop_sum)" -eq 0 && pings "$peer" 10.8.0.1
}

# The ping of OpenVPN is no packet for the device.
openvpn_ping() {
	mark
	run "$tool" -n "$peer" inject evil0 0x0800 \
		2a187bf3641eb4cb07ed2d0a981fc748 &&
		risen_to link-rx-packets 1 && expect_rise vpn-rx-packets -eq 0 &&
		expect "drops" "$(drop_sum)" -eq 0
}

# The client comes back from the same port as another peer, while the old one is
# still there. A late packet of the old session is authentic; it must not lead
# the outer flow back to the old peer for good.
late_packet() {
	hold 1 &&
		run gwnl peer-set ifindex=tun0 "peer{" id="$PEER_ID" \
			vpn-ipv4=10.8.0.42 vpn-ipv6=fd08::42 "}" || return
	ip -n "$peer" link del ovpn0
	stop peer
	PEER_ID=44
	gw_peer_new && gw_key aes-gcm 256 && peer_up &&
		peer_key aes-gcm 256 && pings "$peer" 10.8.0.1 || return
	mark
	# its inner source is now the new peer's
	inject "$PEER_PORT" "${held[0]}" && risen_to drops.source 1 &&
		pings "$peer" 10.8.0.1 && pings "$lan" 10.8.0.2 &&
		expect "all drops" "$(drop_sum)" -eq 1
}

# Routes of the outer packets that lead nowhere, or into the tunnel
outer_route() { # REASON ROUTE...
	run ip -n "$gw" route add "${@:2}" || return
	mark
	run nsexec "$lan" ping -q -c 3 -i 0.02 -W 0.1 10.8.0.2
	risen_to "drops.$1" 3 && expect "all drops" "$(drop_sum)" -eq 3
	local status=$?
	run ip -n "$gw" route del "${@:2}"
	pings "$lan" 10.8.0.2 && return $status
}

exec 3>&1

require "a tunnel" start aes-gcm 256 4
check "replayed" replayed
check "reordered, which is no offence" reordered
check "behind the replay window" too_late
check "corrupted: packet ID, tag, text" corrupted
check "peer ID of another peer" other_peer_id
check "key ID that the peer has not" other_key_id
check "encrypted with another key" other_key
check "truncated" truncated
check "too short to be data" tiny
check "oversized" oversized
check "wrong UDP length" bad_length
check "wrong UDP checksum" bad_checksum
check "no UDP checksum, which is legal" no_checksum
check "unknown opcodes reach the socket" unknown_opcode
check "outer and inner ECN contradict each other" bad_ecn
check "R4: inner source of another peer" inner_source 10.8.0.3 fd08::3
check "R4: inner source of nobody" inner_source 10.8.0.99 192.0.2.2 fd08::99
check "a flood of forged packets" flood
check "mutated packets" mutated "$PEER_PORT"
check "mutated packets of strangers" mutated "$STRANGER_PORT"
check "a flood of control packets" control_flood
check "no route to the peer" outer_route no-route unreachable 192.0.2.2/32
check "the route to the peer is a loop" outer_route loop 192.0.2.2/32 dev tun0
check "a late packet of an old session" late_packet
check "a peer that sends what it likes" evil_peer
check "R4: inner packets that are not IP" inner_garbage
check "inner packets that make no sense" inner_nonsense
check "OpenVPN's ping" openvpn_ping

restart() {
	PEER_ID=42
	run "$tool" -n "$peer" nl nf-ovpn instance-del ifindex=evil0
	stop evil0
	tunnel_down
	start "$@"
}
require "a tunnel over IPv6" restart aes-gcm 256 6
check "replayed, over IPv6" replayed
check "corrupted, over IPv6" corrupted
check "truncated, over IPv6" truncated
check "wrong UDP checksum, over IPv6" bad_checksum
check "peer ID of another peer, over IPv6" other_peer_id
check "mutated packets, over IPv6" mutated "$PEER_PORT"
run_checks
