#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# offload.sh - packets whose segments and checksums are left to the device: all
# kinds that the stack makes, from the gateway, from the LAN and from the peer.
#
# The peer is the ovpn driver, which sends and receives packet by packet. That
# packets arrive in the right place says that IP's lengths are right; that a
# socket takes them says so of the checksum.

. "$(dirname "$0")/common.sh"

# FROM ADDRESS ADDRESS SEGMENT-SIZE: three whole segments and a short one, as a
# program sends them with UDP_SEGMENT
bundle() {
	local words=() word i
	for i in 1 2 3; do
		printf -v word "%0$(($4 * 2))d" "$i"
		words+=("$word")
	done
	words+=(ff)
	forget bundle
	ask "$1" segments "$2" 6000 "$3" 5003 "${words[@]}" || return
	wait_for "segments of $4 bytes" 5 received_are "${words[@]}"
}
received_are() {
	local lines
	mapfile -t lines <"$tmp/bundle.log"
	[ "${lines[*]}" = "$*" ]
}

# FROM ADDRESS4 ADDRESS6 TO ADDRESS4 ADDRESS6: the MTU of the tunnel is 1400.
bundles() {
	local size status=0 i
	for i in 5 6; do
		"$tool" -n "$4" -b -p "$tmp/bundle$i.pid" socket "${!i}" 5003 \
			>>"$tmp/bundle.log" || return
	done
	mark
	for size in 1 2 3 100 999 1000 1328 1372; do
		bundle "$1" "$2" "$5" "$size" || status=1
	done
	for size in 1 2 1001 1352; do
		bundle "$1" "$3" "$6" "$size" || status=1
	done
	stop bundle5
	stop bundle6
	if [ "$1" != "$peer" ]; then
		expect_rise vpn-tx-packets -eq 48 || status=1
	fi
	no_drops && return $status
}

no_drops() {
	local now before=0 word
	for word in "${!base[@]}"; do
		[[ $word != drops.* ]] || before=$((before + base[$word]))
	done
	now=$(drops)
	expect "drops since then" $((now - before)) -eq 0
}

# FROM TO ADDRESS4 ADDRESS6: TCP would send again what does not arrive. The
# counter is of all of TCP in the namespace.
tcp() {
	local before
	mark
	before=$(wrong "$2")
	tcp_transfer "$1" "$2" "$3" && tcp_transfer "$1" "$2" "[$4]" || return
	expect "segments with a wrong checksum" \
		$(($(wrong "$2") - before)) -eq 0 && no_drops
}
# shellcheck disable=SC2016	# of awk
wrong() {
	nsexec "$1" awk '/^Tcp:/ { n = $15 } END { print n }' /proc/net/snmp
}

# FROM TO ADDRESS6: the option is IPV6_DSTOPTS, with one PadN option.
dst_option() {
	local before pid status
	mark
	before=$(wrong "$2")
	rm -f "$tmp/received"
	ip netns exec "$2" socat -u TCP6-LISTEN:5001,reuseaddr \
		"CREATE:$tmp/received" &
	pid=$!
	wait_local_port_listen "$2" 5001 tcp
	timeout $((30 * slow)) ip netns exec "$1" socat -u "OPEN:$tmp/file" \
		"TCP6:[$3]:5001,connect-timeout=5,setsockopt=41:59:x0000010400000000"
	status=$?
	[ $status -eq 0 ] || kill "$pid"
	wait "$pid"
	expect "segments with a wrong checksum" \
		$(($(wrong "$2") - before)) -eq 0 &&
		[ $status -eq 0 ] && cmp "$tmp/file" "$tmp/received" && no_drops
}

# FROM ADDRESS4 ADDRESS6 TO ADDRESS4 ADDRESS6: SCTP has a CRC in place of a
# checksum. It would use other addresses of its hosts, too.
sctp() {
	sctp_transfer "$1" "$2" "$4" "$5" 4 &&
		sctp_transfer "$1" "[$3]" "$4" "[$6]" 6
}
sctp_transfer() { # FROM ADDRESS TO ADDRESS 4|6
	local pid
	rm -f "$tmp/received"
	ip netns exec "$3" socat -u "SCTP$5-LISTEN:5004,reuseaddr,bind=$4" \
		"CREATE:$tmp/received" &
	pid=$!
	wait_for "the listener" 5 sctp_listens "$3"
	timeout $((20 * slow)) ip netns exec "$1" socat -u -b 20000 \
		"OPEN:$tmp/small" \
		"SCTP:$4:5004,bind=$2,connect-timeout=5" || kill "$pid"
	wait "$pid"
	cmp "$tmp/small" "$tmp/received" || fail "SCTP to $4"
}
sctp_listens() { nsexec "$1" grep -q ' 5004 ' /proc/net/sctp/eps; }

# A tunnel in the tunnel, with GSO packets of its own
vxlan() {
	local status=0 ns csum
	for csum in noudpcsum udpcsum; do
		run ip -n "$gw" link add vx0 type vxlan id 7 local 10.8.0.1 \
			remote 10.8.0.2 dstport 4789 "$csum" &&
			run ip -n "$peer" link add vx0 type vxlan id 7 \
				local 10.8.0.2 remote 10.8.0.1 dstport 4789 "$csum" ||
			return
		ip -n "$gw" addr add 10.99.0.1/24 dev vx0
		ip -n "$peer" addr add 10.99.0.2/24 dev vx0
		for ns in "$gw" "$peer"; do
			ip -n "$ns" link set vx0 mtu 1350 up
		done
		mark
		tcp_transfer "$gw" "$peer" 10.99.0.2 &&
			tcp_transfer "$peer" "$gw" 10.99.0.1 && no_drops ||
			status=1
		ip -n "$gw" link del vx0
		ip -n "$peer" link del vx0
	done
	return $status
}

# With the LAN's device leaving less to do, and with GRO that keeps packets as
# they are
lan_without() { # FEATURE COMMAND...
	local status
	run nsexec "$lan" ethtool -K veth0 "$1" off || return
	"${@:2}"
	status=$?
	run nsexec "$lan" ethtool -K veth0 "$1" on
	return $status
}

lan_gro() { # FEATURE COMMAND...
	local status
	run nsexec "$gw" ethtool -K veth1 "$1" on &&
		run nsexec "$lan" ethtool -K veth0 tso off gso off \
			tx-udp-segmentation off || return
	"${@:2}"
	status=$?
	run nsexec "$gw" ethtool -K veth1 gro off "$1" off
	run nsexec "$lan" ethtool -K veth0 tso on gso on tx-udp-segmentation on
	return $status
}

all() { # MODE OF THE FAST PATH
	local ns
	check "UDP bundles of the gateway, $1" bundles "$gw" 10.8.0.1 fd08::1 \
		"$peer" 10.8.0.2 fd08::2
	check "UDP bundles of the LAN, $1" bundles "$lan" 198.51.100.2 \
		2001:db8:2::2 "$peer" 10.8.0.2 fd08::2
	check "UDP bundles of the LAN without checksums, $1" lan_without tx \
		bundles "$lan" 198.51.100.2 2001:db8:2::2 \
		"$peer" 10.8.0.2 fd08::2
	check "UDP that GRO has merged, $1" lan_gro rx-udp-gro-forwarding \
		bundles "$lan" 198.51.100.2 2001:db8:2::2 \
		"$peer" 10.8.0.2 fd08::2
	check "UDP that GRO has put in a list, $1" lan_gro rx-gro-list \
		bundles "$lan" 198.51.100.2 2001:db8:2::2 \
		"$peer" 10.8.0.2 fd08::2
	check "UDP bundles of the peer to the LAN, $1" bundles "$peer" 10.8.0.2 \
		fd08::2 "$lan" 198.51.100.2 2001:db8:2::2
	check "UDP bundles of the peer to the gateway, $1" bundles "$peer" \
		10.8.0.2 fd08::2 "$gw" 10.8.0.1 fd08::1
	for ns in gw lan; do
		check "TCP of the $ns, $1" tcp "${!ns}" "$peer" 10.8.0.2 fd08::2
		check "TCP with a destination option of the $ns, $1" \
			dst_option "${!ns}" "$peer" fd08::2
	done
	check "TCP of the LAN without checksums, $1" lan_without tx \
		tcp "$lan" "$peer" 10.8.0.2 fd08::2
	check "TCP that GRO has put in a list, $1" lan_gro rx-gro-list \
		tcp "$lan" "$peer" 10.8.0.2 fd08::2
	check "TCP of the peer, $1" tcp "$peer" "$lan" 198.51.100.2 2001:db8:2::2
	[ -e /proc/net/sctp ] || return 0
	check "SCTP of the gateway, $1" sctp "$gw" 10.8.0.1 fd08::1 \
		"$peer" 10.8.0.2 fd08::2
	check "SCTP of the LAN, $1" sctp "$lan" 198.51.100.2 2001:db8:2::2 \
		"$peer" 10.8.0.2 fd08::2
	check "SCTP of the LAN without checksums, $1" \
		lan_without tx-checksum-sctp sctp "$lan" 198.51.100.2 \
		2001:db8:2::2 "$peer" 10.8.0.2 fd08::2
	check "SCTP of the peer, $1" sctp "$peer" 10.8.0.2 fd08::2 \
		"$lan" 198.51.100.2 2001:db8:2::2
}

set_mode() { run gwnl instance-set ifindex=tun0 "instance{" fastpath="$1" "}"; }

command -v ethtool >/dev/null || skip_all "needs ethtool"
modprobe sctp 2>/dev/null
modprobe vxlan 2>/dev/null
trap 'stop tun9; cleanup' EXIT
head -c 300000 "$tmp/file" >"$tmp/small"

pair_next() {
	tunnel_down
	pair_up "$@"
}

require "a tunnel" tunnel_up aes-gcm 256
all accepted
check "off" set_mode off
all off
check "VXLAN" vxlan
# What has no batches: all is left to the stack's segmentation.
require "a tunnel without batches" pair_next aes-cbc/hmac-sha256 256 4
all "no batches"
run_checks
