#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# scale.sh - one peer, a thousand, a hundred thousand: what a packet costs, in
# what can be counted, is the same for each; what a peer costs is memory, and
# all of it comes back.
#
# Peer number N has the ID N and, inside, the address 10.x.y.z that is
# 10.1.0.0 + N. All have the same keys; one at a time has another end.

. "$(dirname "$0")/common.sh"

# What a peer with one key may take, twice what was measured
PEER_BYTES=3500

# With instructions for AES-GCM a key has two transforms of crypto_aead, whose
# tables are this much. The driver is there once there are keys.
tables_bytes() {
	grep -q '^driver.*: generic-gcm-v\?aes' /proc/crypto && echo 3000 ||
		echo 0
}

# Where every allocation is recorded or surrounded, there are fewer peers, and
# they are larger.
many=${SCALE_PEERS:-100000}
if grep -qE ' (kasan_report|kmemleak_scan)$' /proc/kallsyms; then
	many=${SCALE_PEERS:-5000}
	PEER_BYTES=$((PEER_BYTES * 8))
fi

vpn_addr() { # N
	local n=$((0x0a010000 + $1))
	echo "10.$((n >> 16 & 255)).$((n >> 8 & 255)).$((n & 255))"
}

instance_up() {
	outer_addresses 4
	gw_tun_add tun0 10.0.0.1/8 fd08::1/64 && gw_socket_up "$gw_addr" &&
		instance_new
}

instance_new() {
	run gwnl instance-new ifindex=tun0 "instance{" "listener{" \
		local-ipv4="$gw_addr" local-port="$GW_PORT" "}" "}"
}

# FIRST LAST [ATTRIBUTE...]: requests for these peers, each with a key
peers_words() {
	awk -v first="$1" -v last="$2" -v more="${*:3}" \
		-v key="$(PEER_ID=ID gw_key_words aes-gcm 256)" 'BEGIN {
		split(key, part, "ID")
		for (n = first; n <= last; n++) {
			print "peer-new ifindex=tun0 peer{ id=" n,
				"remote-ipv4=192.0.2.2 remote-port=9",
				"vpn-ipv4=10." int(n / 65536) + 1 "." \
				int(n / 256) % 256 "." n % 256, more, "}"
			print "key-new ifindex=tun0", part[1] n part[2]
		}
	}'
}

peers_add() { # FIRST LAST [ATTRIBUTE...]
	local begin=$SECONDS
	peers_words "$@" | "$tool" -n "$gw" batch nf-ovpn || return
	echo "peers $1 to $2 were added in $((SECONDS - begin)) s"
}

num_peers() {
	gwnl instance-get ifindex=tun0 |
		sed -n 's/.* instance\.peers=\([0-9]*\) .*/\1/p'
}

peers_are() { [ "$(num_peers)" -eq "$1" ]; }

# --- packets

# The other end of one peer
client_up() { # N
	run ip -n "$peer" link add ovpn0 mtu 1400 type ovpn &&
		run ip -n "$peer" link set ovpn0 up || return
	ip -n "$peer" addr add "$(vpn_addr "$1")/8" dev ovpn0
	ip -n "$peer" route add 198.51.100.0/24 dev ovpn0
	run "$tool" -n "$peer" -b -p "$tmp/peer.pid" socket "$peer_addr" \
		"$PEER_PORT" peer-new ifindex=ovpn0 "peer{" id="$1" socket=fd \
		remote-ipv4="$gw_addr" remote-port="$GW_PORT" "}" \
		>>"$tmp/peer.log" || return
	PEER_ID=$1 peer_key aes-gcm 256
}

client_down() {
	ip -n "$peer" link del ovpn0
	stop peer
}

# Of a hundred packets each way one looks for the peer: the first that comes
# finds it by its ID, the first that goes by its address; and the first one behind
# an answer, as conntrack's state is another then. However many peers there are,
# all others find it by their flow.
client_served() { # N
	local status=0
	# The client's packet IDs begin anew.
	PEER_ID=$1 gw_key aes-gcm 256 && client_up "$1" || return
	mark
	pings "$peer" 198.51.100.2 -c 100 -i 0.002 &&
		expect_rise vpn-rx-packets -eq 100 &&
		expect_rise rx-slow-packets -ge 1 &&
		expect_rise rx-slow-packets -le 2 &&
		expect_rise tx-egress-packets -eq 1 &&
		expect_rise tx-fast-packets -eq 99 || status=1
	mark
	pings "$lan" "$(vpn_addr "$1")" -c 100 -i 0.002 &&
		expect_rise vpn-rx-packets -eq 100 &&
		expect_rise rx-slow-packets -eq 0 &&
		expect_rise tx-egress-packets -eq 2 &&
		expect_rise tx-fast-packets -eq 98 || status=1
	client_down
	return $status
}

# The first, one in the middle and the last
served() { # N
	local n
	expect "peers" "$(num_peers)" -eq "$1" || return
	for n in $(printf '%d\n' 1 $((($1 + 1) / 2)) "$1" | uniq); do
		client_served "$n" || fail "peer $n of $1" || return
	done
}

# A peer that is not there is userspace's, also next to the last one.
nobody() {
	client_up $((many + 1)) || return
	mark
	run nsexec "$peer" ping -q -c 3 -i 0.02 -W 0.1 10.0.0.1
	wait_for "three packets for userspace" 5 \
		risen rx-userspace-packets 3
	expect_rise vpn-rx-packets -eq 0
	local status=$?
	client_down
	return $status
}

# All are told, each once.
all_told() {
	"$tool" -n "$gw" dump nf-ovpn peer-get ifindex=tun0 |
		grep -o ' peer\.id=[0-9]*' >"$tmp/told"
	expect "peers that are told" "$(wc -l <"$tmp/told")" -eq "$many" &&
		expect "peers that are told twice" \
			"$(sort "$tmp/told" | uniq -d | wc -l)" -eq 0
}

# --- memory

# What the kernel has, without what it could do without
memory() {
	echo 3 >/proc/sys/vm/drop_caches
	awk '/^(Slab|Percpu|VmallocUsed):/ { kb += $2 }
	     END { print kb * 1024 }' /proc/meminfo
}

# What a peer has for each processor that there can be, in bytes
PEER_CPU_BYTES=160
percpu() { awk '/^Percpu:/ { print $2 * 1024 }' /proc/meminfo; }
cpus() { awk -F '[-,]' '{ print $NF + 1 }' /sys/devices/system/cpu/possible; }

# Bytes that the peers above the first thousand take
memory_of_peers() {
	local before bytes before_cpu cpu_bytes
	before=$(memory)
	before_cpu=$(percpu)
	peers_add 1001 "$many" || return
	cpu_bytes=$((($(percpu) - before_cpu) / (many - 1000) / $(cpus)))
	echo "# $cpu_bytes of them for each processor, $((cpu_bytes * 64 * 100000 / 1000000)) MB" \
		"for 100000 peers and 64 processors" >&3
	expect "bytes for each processor" "$cpu_bytes" -le $PEER_CPU_BYTES ||
		return
	bytes=$((($(memory) - before) / (many - 1000)))
	memory_with_peers=$((before + bytes * (many - 1000)))
	echo "# $bytes bytes for a peer with one key" >&3
	expect "bytes for a peer" "$bytes" -le \
		$((PEER_BYTES + $(tables_bytes))) &&
		expect "bytes for a peer" "$bytes" -gt 1000
}

memory_is_back() { [ "$(memory)" -le "$1" ]; }

# All that there was besides BYTES, but for a twentieth, and for LEAST bytes
memory_back() { # BYTES LEAST
	local kept=$(((memory_with_peers - memory_at_first) / 20))
	[ "$kept" -ge "$2" ] || kept=$2
	echo "memory $1 before, $memory_with_peers with peers"
	wait_for "the memory" 30 memory_is_back $(($1 + kept))
	local status=$?
	memory_after=$(memory)
	echo "memory $memory_after after"
	return $status
}

deletion() {
	local begin=$SECONDS
	run gwnl instance-del ifindex=tun0 || return
	echo "deleted in $((SECONDS - begin)) s"
	# allocators keep a little in any case
	memory_back "$memory_at_first" 4000000
}

# --- the end of peers

# All that are heard of no more go, and it is told of each. What allocators keep
# they have by now; a twentieth more would be lost with the peers.
expiry() {
	instance_new || return
	"$tool" -n "$gw" -b -p "$tmp/monitor.pid" monitor >"$tmp/monitor.log" ||
		return
	peers_add 1 "$many" keepalive-timeout=2 &&
		wait_for "all peers to expire" 60 peers_are 0 &&
		wait_for "all notifications" 60 all_notified
	local status=$?
	all_notified || status=1
	stop monitor
	memory_back "$memory_after" 0 || status=1
	return $status
}

all_notified() {
	local n
	grep '^peer-del-ntf .* peer\.del-reason=expired' "$tmp/monitor.log" |
		grep -o ' peer\.id=[0-9]*' | sort -u >"$tmp/notified"
	n=$(wc -l <"$tmp/notified")
	expect "peers told to have expired" "$n" -eq "$many"
}

# Where there were so many before
afterwards() {
	peers_add 1 1 && served 1
}

exec 3>&1
memory_at_first=0
memory_after=0
first_peers() {
	memory_at_first=$(memory)
	peers_add 1 1
}

require "an instance" instance_up
require "one peer" first_peers
check "R4: one peer is served" served 1
require "a thousand peers" peers_add 2 1000
check "R4: the first, the middle and the last are served" served 1000
require "memory of $many peers" memory_of_peers
check "R4: the first, the middle and the last of many are served" \
	served "$many"
check "nobody is taken for somebody else" nobody
check "all peers are told" all_told
check "the end of the instance gives all memory back" deletion
check "R11: the keepalive timer ends all peers" expiry
check "a peer after that" afterwards
run_checks
