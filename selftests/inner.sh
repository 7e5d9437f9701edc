#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# inner.sh - what is inside the tunnel: networks behind a peer, the MSS of TCP,
# NAT of inner flows on the fast path.

. "$(dirname "$0")/common.sh"

peer_set() { run gwnl peer-set ifindex=tun0 "peer{" id="$PEER_ID" "$@" "}"; }

# An address in the peer's namespace and the gateway's route to it
site_up() {
	ip -n "$peer" addr add 10.20.1.1/32 dev lo &&
		ip -n "$peer" addr add 10.20.2.1/32 dev lo &&
		ip -n "$peer" addr add fd20:1::1/128 dev lo nodad &&
		ip -n "$gw" route add 10.20.0.0/16 dev tun0 &&
		ip -n "$gw" route add fd20::/16 dev tun0
}

lost() { # COMMAND...
	! "$@" || fail "came through: $*"
}

# A network is reached when the peer has it, and what comes from there is
# believed, on a new flow and on one that was armed.
network() { # ADDRESS ATTRIBUTES...
	local address=$1
	shift
	mark
	lost pings "$lan" "$address" &&
		lost pings "$peer" "$lan_addr" -I "$address" &&
		expect_rise drops.source -ge 1 &&
		peer_set "network{" "$@" "}" &&
		mark && pings "$lan" "$address" &&
		pings "$peer" "$lan_addr" -I "$address" &&
		expect_rise tx-fast-packets -ge 7 &&
		expect_rise drops.source -eq 0 &&
		peer_set no-networks= &&
		lost pings "$lan" "$address" &&
		lost pings "$peer" "$lan_addr" -I "$address"
}

network4() {
	lan_addr=198.51.100.2
	network 10.20.1.1 ipv4=10.20.1.0 prefix-len=24
}

network6() {
	lan_addr=2001:db8:2::2
	network fd20:1::1 ipv6=fd20:1:: prefix-len=32
}

# Of two peers the one with the longer prefix has an address; without it, the
# other.
longest() {
	peer_set "network{" ipv4=10.20.0.0 prefix-len=16 "}" &&
		run gwnl peer-new ifindex=tun0 "peer{" id=43 \
			remote-"$fam"="$peer_addr" remote-port=40001 \
			"network{" ipv4=10.20.2.0 prefix-len=24 "}" "}" &&
		pings "$lan" 10.20.1.1 && lost pings "$lan" 10.20.2.1 &&
		lost pings "$peer" 198.51.100.2 -I 10.20.2.1 &&
		run gwnl peer-del ifindex=tun0 "peer{" id=43 "}" &&
		pings "$lan" 10.20.2.1 &&
		pings "$peer" 198.51.100.2 -I 10.20.2.1 &&
		peer_set no-networks=
}

# Everything but what others have: a default route
default_network() {
	peer_set "network{" ipv4=0.0.0.0 prefix-len=0 "}" \
		"network{" ipv6=:: prefix-len=0 "}" &&
		pings "$lan" 10.20.1.1 && pings "$lan" fd20:1::1 &&
		peer_set no-networks=
}

# A network is one peer's; the other keeps what it has.
network_taken() {
	local out
	peer_set "network{" ipv4=10.20.1.0 prefix-len=24 "}" || return
	out=$(gwnl peer-new ifindex=tun0 "peer{" id=43 \
		remote-"$fam"="$peer_addr" remote-port=40001 \
		"network{" ipv4=10.20.9.0 prefix-len=24 "}" \
		"network{" ipv4=10.20.1.0 prefix-len=24 "}" "}")
	echo "$out"
	[ "$out" = "EEXIST peer.network: belongs to another peer" ] || return
	# Nothing of the refused request is left.
	peer_set "network{" ipv4=10.20.9.0 prefix-len=24 "}" &&
		peer_set no-networks=
}

# More networks than a message holds: 4096, in several messages both ways. The
# first, one in the middle and the last are reached; one more is refused.
many_networks() {
	local part i out status=0
	peer_set no-networks= || return
	for ((part = 0; part < 16; part++)); do
		for ((i = 0; i < 256; i++)); do
			echo "network{ ipv4=10.$((64 + part)).$i.0 prefix-len=24 }"
		done | xargs echo "peer-set ifindex=tun0 peer{ id=$PEER_ID" \
			"add-networks=" | sed 's/$/ }/'
	done | "$tool" -n "$gw" batch nf-ovpn || return
	out=$("$tool" -n "$gw" dump nf-ovpn peer-get ifindex=tun0)
	expect "networks in the dump" \
		"$(grep -o 'peer.network.ipv4=[^ ]*' <<<"$out" | sort -u | wc -l)" \
		-eq 4096 &&
		expect "messages" "$(wc -l <<<"$out")" -gt 1 || status=1
	out=$(gwnl peer-set ifindex=tun0 "peer{" id="$PEER_ID" add-networks= \
		"network{" ipv4=10.20.1.0 prefix-len=24 "}" "}")
	echo "$out"
	[ "$out" = "E2BIG peer.network: too many networks" ] || status=1
	out=$(gwnl peer-get ifindex=tun0 "peer{" id="$PEER_ID" "}")
	[[ $out == *" peer.more-networks"* ]] || fail "all in one" || status=1
	for i in 10.64.0.1 10.70.200.1 10.79.255.1; do
		ip -n "$peer" addr add $i/32 dev lo
		ip -n "$gw" route add $i/32 dev tun0
		pings "$lan" $i && pings "$peer" 198.51.100.2 -I $i || status=1
		ip -n "$gw" route del $i/32 dev tun0
		ip -n "$peer" addr del $i/32 dev lo
	done
	peer_set no-networks= && return $status
}

# --- TCP MSS

# What each side is told: the SYN as it arrives
mss_seen() { # FROM TO ADDRESS WANTED-AT-TO WANTED-AT-FROM
	local ns size table
	for ns in "$1" "$2"; do
		[ "$ns" = "$1" ] && size=$5 || size=$4
		nsexec "$ns" nft delete table inet mss 2>/dev/null
		nsexec "$ns" nft -f - <<-RULES || return
		table inet mss {
			chain in {
				type filter hook input priority filter
				tcp flags & syn != 0 tcp option maxseg size $size counter
			}
		}
		RULES
	done
	tcp_transfer "$1" "$2" "$3" || return
	for ns in "$1" "$2"; do
		table=$(nsexec "$ns" nft list table inet mss)
		nsexec "$ns" nft delete table inet mss
		echo "$table"
		grep -q "packets 1 " <<<"$table" ||
			fail "no SYN with that MSS" || return
	done
}

mss() {
	local status=0
	peer_set tcp-mss=1200 &&
		mss_seen "$peer" "$lan" 198.51.100.2 1200 1200 &&
		mss_seen "$lan" "$peer" 10.8.0.2 1200 1200 &&
		mss_seen "$peer" "$lan" "[2001:db8:2::2]" 1180 1180 &&
		mss_seen "$lan" "$peer" "[fd08::2]" 1180 1180 &&
		peer_set tcp-mss=1400 &&
		mss_seen "$peer" "$lan" 198.51.100.2 1360 1400 || status=1
	peer_set tcp-mss=0 &&
		mss_seen "$lan" "$peer" 10.8.0.2 1460 1360 || status=1
	return $status
}

# --- NAT

# Where a flow seems to come from
source_is() { # FROM TO ADDRESS WANTED
	local out pid
	ip netns exec "$2" socat -u TCP4-LISTEN:5002,reuseaddr \
		"SYSTEM:echo \$SOCAT_PEERADDR >$tmp/source" &
	pid=$!
	if ! wait_local_port_listen "$2" 5002 tcp ||
	   ! nsexec "$1" socat -u OPEN:/dev/null "TCP4:$3:5002"; then
		kill "$pid"
		wait "$pid"
		return 1
	fi
	wait "$pid"
	out=$(cat "$tmp/source")
	echo "  from $out (to be from $4)"
	[ "$out" = "$4" ]
}

# Packets of a TCP connection and some pings that ask the rules: those that open
# and close it and the first one behind an answer, each with the segments that it
# is one with, of which there are 46 at most.
asking=70

# Source NAT towards the peer is done on the fast path, too.
snat() { # STATEMENT WANTED
	local status=0
	nsexec "$gw" conntrack -F 2>/dev/null
	nsexec "$gw" nft -f - <<-RULES || return
	table ip nat {
		chain post {
			type nat hook postrouting priority srcnat
			oifname tun0 $1
		}
	}
	RULES
	mark
	source_is "$lan" "$peer" 10.8.0.2 "$2" &&
		tcp_transfer "$lan" "$peer" 10.8.0.2 &&
		pings "$lan" 10.8.0.2 &&
		expect_rise tx-egress-packets -le $asking &&
		expect_rise tx-fast-packets -gt 1000 || status=1
	nsexec "$gw" nft delete table ip nat
	nsexec "$gw" conntrack -F 2>/dev/null
	return $status
}

# Destination NAT from either side
dnat() {
	local status=0
	nsexec "$gw" nft -f - <<-RULES || return
	table ip nat {
		chain pre {
			type nat hook prerouting priority dstnat
			ip daddr 198.51.100.77 dnat to 10.8.0.2
			ip daddr 10.8.0.77 dnat to 198.51.100.2
		}
	}
	RULES
	ip -n "$gw" addr add 198.51.100.77/32 dev lo
	ip -n "$gw" addr add 10.8.0.77/32 dev lo
	mark
	tcp_transfer "$lan" "$peer" 198.51.100.77 &&
		tcp_transfer "$peer" "$lan" 10.8.0.77 &&
		expect_rise tx-egress-packets -le $asking &&
		expect_rise tx-fast-packets -gt 1000 || status=1
	ip -n "$gw" addr del 198.51.100.77/32 dev lo
	ip -n "$gw" addr del 10.8.0.77/32 dev lo
	nsexec "$gw" nft delete table ip nat
	return $status
}

require "a tunnel" tunnel_up chacha20-poly1305 256
require "hosts behind the peer" site_up
check "a network behind the peer, IPv4" network4
check "a network behind the peer, IPv6" network6
check "the longest prefix counts" longest
check "a default route behind the peer" default_network
check "a network that another peer has is refused" network_taken
check "4096 networks" many_networks
check "TCP MSS" mss
check "source NAT to an address" snat "snat to 10.8.0.1" 10.8.0.1
check "masquerade" snat masquerade 10.8.0.1
check "destination NAT" dnat
run_checks
