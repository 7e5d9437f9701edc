#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# batch.sh - nf_ovpn at both ends: what leaves as one packet with UDP
# segmentation arrives as one, unless somebody on the way splits it.

. "$(dirname "$0")/common.sh"

# Packets of the outer flow as the gateway's rules see them, in and out
count_packets() {
	nsexec "$gw" nft -f - <<-RULES
	table inet packets {
		chain in {
			type filter hook prerouting priority raw
			udp dport $GW_PORT counter
		}
		chain out {
			type filter hook postrouting priority 0
			udp sport $GW_PORT counter
		}
	}
	RULES
}

packets() { # in|out
	nsexec "$gw" nft list chain inet packets "$1" |
		sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

no_drops() {
	local now
	now=$(drops)
	expect "drops" "$now" -eq 0
}

# TCP makes packets as large as it can, also where it is slow, and waits until it
# can.
large_packets() {
	local ns
	for ns in "$gw" "$peer" "$lan"; do
		nsexec "$ns" sysctl -qw net.ipv4.tcp_tso_rtt_log=31 \
			net.ipv4.tcp_tso_win_divisor=1
	done
}

# At least four datagrams in a packet, both ways, and every byte arrives.
batches() {
	local status=0
	large_packets && count_packets || return
	mark
	tcp_transfer "$peer" "$lan" 198.51.100.2 &&
		tcp_transfer "$peer" "$lan" "[2001:db8:2::2]" &&
		expect "datagrams in four packets received" \
			"$(rise link-rx-packets)" -ge $(($(packets in) * 4)) ||
		status=1
	mark
	nsexec "$gw" nft delete table inet packets
	count_packets || return
	tcp_transfer "$lan" "$peer" 10.8.0.2 &&
		tcp_transfer "$gw" "$peer" "[fd08::2]" &&
		expect "datagrams in four packets sent" \
			"$(rise link-tx-packets)" -ge $(($(packets out) * 4)) ||
		status=1
	nsexec "$gw" nft delete table inet packets
	no_drops || status=1
	return $status
}

# A device that cannot split them itself has it done by the stack.
no_offload() {
	local status=0
	run nsexec "$gw" ethtool -K veth0 tx-udp-segmentation off &&
		run nsexec "$peer" ethtool -K veth0 tx-udp-segmentation off ||
		return
	tcp_transfer "$lan" "$peer" 10.8.0.2 &&
		tcp_transfer "$peer" "$lan" 198.51.100.2 || status=1
	run nsexec "$gw" ethtool -K veth0 sg off &&
		run nsexec "$peer" ethtool -K veth0 sg off || return
	tcp_transfer "$lan" "$peer" 10.8.0.2 &&
		tcp_transfer "$peer" "$lan" 198.51.100.2 && no_drops || status=1
	run nsexec "$gw" ethtool -K veth0 sg on tx-udp-segmentation on
	run nsexec "$peer" ethtool -K veth0 sg on tx-udp-segmentation on
	return $status
}

# Packets that GRO has put together, of pages or of packets, and UDP ones
forwarded_gso() {
	local status=0
	run nsexec "$gw" ethtool -K veth1 gro on &&
		run nsexec "$lan" ethtool -K veth0 tso off gso off || return
	tcp_transfer "$lan" "$peer" 10.8.0.2 || status=1
	run nsexec "$gw" ethtool -K veth1 rx-gro-list on &&
		tcp_transfer "$lan" "$peer" "[fd08::2]" || status=1
	run nsexec "$gw" ethtool -K veth1 gro off rx-gro-list off
	run nsexec "$lan" ethtool -K veth0 tso on gso on
	return $status
}

# Behind a qdisc that sends flow by flow, at a rate, no segment overtakes another,
# whether it goes out alone or in a batch.
in_order() { # FROM
	local before after status=0
	run nsexec "$gw" tc qdisc add dev veth0 root fq maxrate 40mbit \
		flow_limit 20000 limit 20000 || return
	before=$(out_of_order)
	for address in 10.8.0.2 "[fd08::2]"; do
		tcp_transfer "$1" "$peer" "$address" || status=1
	done
	after=$(out_of_order)
	nsexec "$gw" tc -s qdisc show dev veth0
	run nsexec "$gw" tc qdisc del dev veth0 root
	# A sender that moves to another processor may be overtaken.
	expect "segments out of order" $((after - before)) -le 3 && return $status
}
# shellcheck disable=SC2016	# of awk
out_of_order() {
	nsexec "$peer" awk '
		/^TcpExt:/ && !n { for (n = NF; $n != "TCPOFOQueue"; n--); next }
		/^TcpExt:/ { print $n }' /proc/net/netstat
}

# Datagrams of an application that leave as one packet
udp_segments() {
	local a b c
	a=$(printf '%02400d' 1) b=$(printf '%02400d' 2) c=ff
	ip netns exec "$peer" socat -u UDP4-RECV:5003,bind=10.8.0.2 \
		"CREATE:$tmp/received" &
	local pid=$!
	wait_local_port_listen "$peer" 5003 udp
	mark
	run "$tool" -n "$lan" segments 198.51.100.2 6000 10.8.0.2 5003 \
		"$a" "$b" "$c"
	wait_for "2401 bytes" 5 size_is 2401
	local status=$?
	kill "$pid"
	wait "$pid" 2>/dev/null
	expect_rise vpn-tx-packets -eq 3 && [ $status -eq 0 ] &&
		[ "$(od -An -v -tx1 "$tmp/received" | tr -d ' \n')" = "$a$b$c" ]
}

size_is() { [ "$(stat_size)" -eq "$1" ]; }
stat_size() { wc -c <"$tmp/received"; }

# A packet that has a control packet among its data packets is split: each
# goes where it belongs.
mixed() {
	local control
	hold 3 || return
	control=20${held[0]:2}
	forget socket
	mark
	run "$tool" -n "$peer" segments "$peer_addr" "$PEER_PORT" "$gw_addr" \
		"$GW_PORT" "${held[0]}" "$control" "${held[1]}" "${held[2]}"
	risen_to vpn-rx-packets 3 &&
		wait_for "the control packet at the socket" 5 \
			lines_are 1 "^$control$" socket &&
		no_drops
}

# The control packet of one goes through what comes behind, and arrives once, when
# the listener is behind DNAT as well, on a flow that is armed and on one that is
# new.
mixed_behind_dnat() {
	local control pf=ip status=0
	[ "$fam" = ipv4 ] || pf=ip6
	hold 7 || return
	control=20${held[0]:2}
	nsexec "$gw" conntrack -F 2>/dev/null
	run nsexec "$gw" nft -f - <<-RULES || return
	table $pf front {
		chain redir {
			type nat hook prerouting priority dstnat
			udp dport 1195 redirect to :$GW_PORT
		}
		chain seen {
			type filter hook prerouting priority filter
			udp dport $GW_PORT counter
		}
	}
	RULES
	forget socket
	mark
	run "$tool" -n "$peer" segments "$peer_addr" "$PEER_PORT" "$gw_addr" \
		1195 "${held[0]}" "$control" "${held[1]}" "${held[2]}" &&
		risen_to vpn-rx-packets 3 &&
		wait_for "the control packet of a new flow" 5 \
			lines_are 1 "^$control$" socket &&
		run "$tool" -n "$peer" segments "$peer_addr" "$PEER_PORT" \
			"$gw_addr" 1195 "${held[3]}" &&
		risen_to vpn-rx-packets 4 &&
		run "$tool" -n "$peer" segments "$peer_addr" "$PEER_PORT" \
			"$gw_addr" 1195 "${held[4]}" "${held[5]}" "$control" \
			"${held[6]}" &&
		risen_to vpn-rx-packets 7 &&
		wait_for "the control packet of an armed flow" 5 \
			lines_are 2 "^$control$" socket &&
		expect_rise rx-fast-packets -eq 3 &&
		no_drops || status=1
	run nsexec "$gw" nft list chain $pf front seen
	# the first packet with all that is in it, the first one behind an answer, and
	# the control packet of the last
	nsexec "$gw" nft list chain $pf front seen | grep -q "packets 3 " ||
		fail "other packets are left to the rules" || status=1
	nsexec "$gw" nft delete table $pf front
	nsexec "$gw" conntrack -F 2>/dev/null
	# The client has followed the answers to the port in front.
	run "$tool" -n "$peer" nl nf-ovpn peer-set ifindex=tun9 "peer{" \
		id="$PEER_ID" remote-port="$GW_PORT" "}" &&
		pings "$peer" 10.8.0.1 || status=1
	return $status
}

# Of datagrams in one packet each is judged by itself.
one_of_many() {
	local bad
	hold 3 || return
	bad=${held[1]:0:40}$(printf %x $((0x${held[1]:40:1} ^ 1)))${held[1]:41}
	mark
	run "$tool" -n "$peer" segments "$peer_addr" "$PEER_PORT" "$gw_addr" \
		"$GW_PORT" "${held[0]}" "$bad" "${held[0]}" "${held[2]}" \
		"${held[2]:0:20}"
	risen_to vpn-rx-packets 2 && expect_rise drops.auth -eq 1 &&
		expect_rise drops.replay -eq 1 &&
		expect_rise drops.malformed -eq 1
}

command -v ethtool >/dev/null || skip_all "needs ethtool"
trap 'stop tun9; cleanup' EXIT

require "a tunnel over IPv4" pair_up aes-gcm 256 4
check "batches both ways" batches
check "without offload" no_offload
check "packets that GRO has merged" forwarded_gso
check "UDP segments inside" udp_segments
modprobe sch_fq 2>/dev/null
check "segments of the LAN in order, behind fq" in_order "$lan"
check "segments of the gateway in order, behind fq" in_order "$gw"
check "control packets among data packets" mixed
check "control packets among data packets, behind DNAT" mixed_behind_dnat
check "one bad datagram among good ones" one_of_many
next() {
	pair_down
	pair_up "$@"
}
require "a tunnel over IPv6" next chacha20-poly1305 256 6
check "batches both ways, IPv6" batches
check "without offload, IPv6" no_offload
check "control packets among data packets, behind DNAT, IPv6" mixed_behind_dnat
run_checks
