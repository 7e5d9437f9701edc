#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# lifetime.sh - things that end while packets use them: the module, the device,
# the namespace, peers, keys, conntrack entries. Nothing may crash or be left
# behind, and where a session goes on it loses no packet.

. "$(dirname "$0")/common.sh"

command -v iperf3 >/dev/null || skip_all "needs iperf3"
have_tracefs || skip_all "needs tracefs"

# Both directions, TCP and ICMP, IPv4 and IPv6, until traffic_off
traffic_on() {
	# what a test has left that failed under traffic
	[ -z "$traffic" ] || traffic_off
	rm -f "$tmp/iperf3.pid"
	nsexec "$lan" iperf3 -s -D -I "$tmp/iperf3.pid" >/dev/null &&
		wait_local_port_listen "$lan" 5201 tcp || return
	ip netns exec "$peer" iperf3 -c 198.51.100.2 --bidir -t 600 \
		>"$tmp/iperf3.log" 2>&1 &
	traffic=$!
	ip netns exec "$peer" ping -q -f -i 0.002 198.51.100.2 >/dev/null 2>&1 &
	traffic+=" $!"
	ip netns exec "$lan" ping -q -f -i 0.002 fd08::2 >/dev/null 2>&1 &
	traffic+=" $!"
	flowing
}

# More packets than before, on the fast path
flowing() {
	mark
	wait_for "500 more packets each way" 20 eval \
		"risen rx-fast-packets 500 && risen tx-fast-packets 500"
}

traffic_off() {
	local pid
	# iperf3 takes leave of its other end before it ends, unless it cannot
	for pid in $traffic "$(tr -d '\0' <"$tmp/iperf3.pid")"; do
		kill -KILL "$pid"
	done 2>/dev/null
	# shellcheck disable=SC2086	# words
	wait $traffic
	traffic=
} 2>/dev/null

# The gateway's instance and peer anew on the device that is there, and new keys
# for both ends, as packet IDs begin again.
instance_again() {
	new_keys
	run gwnl instance-new ifindex=tun0 "instance{" "listener{" \
		local-port="$GW_PORT" "}" "}" && gw_peer_new &&
		gw_key aes-gcm 256 && peer_key aes-gcm 256
}

new_keys() {
	printf -v KEY_UP '%02x%s' $((keys = (keys + 1) % 256)) "${KEY_UP:2}"
	printf -v KEY_DOWN '%02x%s' $((keys = (keys + 1) % 256)) "${KEY_DOWN:2}"
}
keys=0

up() {
	tunnel_down
	new_keys
	tunnel_up aes-gcm 256 4
}

module_reload() {
	local n
	up || return
	for n in 1 2 3; do
		traffic_on && run rmmod nf_ovpn || return
		traffic_off
		[ ! -d /sys/module/nf_ovpn ] || fail "still there" || return
		nsexec "$gw" conntrack -L 2>/dev/null | head -n 3
		run modprobe nf_ovpn && instance_again &&
			pings "$peer" 198.51.100.2 &&
			pings "$lan" fd08::2 || return
	done
}

instance_del() {
	local n
	for n in 1 2 3; do
		traffic_on && run gwnl instance-del ifindex=tun0 || return
		traffic_off
		instance_again && pings "$peer" 198.51.100.2 || return
	done
}

device_removed() {
	traffic_on && stop tun0 || return
	traffic_off
	[ "$("$tool" -n "$gw" dump nf-ovpn instance-get | wc -l)" -eq 0 ] ||
		fail "the instance has outlived its device" || return
	up && pings "$peer" 198.51.100.2
}

# A device that moves to another namespace leaves its instance.
device_moved() {
	traffic_on && run ip -n "$gw" link set tun0 netns "$lan" || return
	traffic_off
	[ "$("$tool" -n "$gw" dump nf-ovpn instance-get | wc -l)" -eq 0 ] ||
		fail "the instance has outlived its device" || return
	[ "$("$tool" -n "$lan" dump nf-ovpn instance-get | wc -l)" -eq 0 ] ||
		fail "the instance has moved" || return
	stop tun0 && up && pings "$peer" 198.51.100.2
}

# REASON COMMAND...: whoever listens hears of the instance's end, and why.
end_told() {
	local status=0 reason=$1
	forget monitor
	"$tool" -n "$gw" -b -p "$tmp/monitor.pid" monitor >>"$tmp/monitor.log" ||
		return
	run "${@:2}" &&
		wait_for "the end of the instance" 5 lines_are 1 \
			"^instance-del-ntf ifindex=[0-9]* instance.del-reason=$reason" \
			monitor || status=1
	cat "$tmp/monitor.log"
	grep -q "^peer-del-ntf .*peer.del-reason=teardown" "$tmp/monitor.log" ||
		fail "not a word of its peer" || status=1
	stop monitor
	return $status
}
all_ends_told() {
	up && end_told userspace gwnl instance-del ifindex=tun0 &&
		up && end_told device stop tun0 &&
		up && end_told moved ip -n "$gw" link set tun0 netns "$lan" ||
		return
	if grep -q '^nf_ovpn ' /proc/modules; then
		up && end_told module rmmod nf_ovpn || return
		run modprobe nf_ovpn || return
	fi
	up && pings "$peer" 198.51.100.2
}

namespace_removed() {
	local ns=$gw
	traffic_on || return
	unasked "$gw"
	unasked "$peer"
	# the processes in it hold it, too
	ip netns pids "$gw" | xargs -r kill
	run ip netns del "$gw"
	traffic_off
	wait_for "the links into it to go" 20 eval \
		"! ip -n $peer link show veth0 && ! ip -n $lan link show veth0"
	remove_ns_list "$ns"
	rm -f "$tmp"/*.pid
	ip -n "$peer" link del ovpn0
	ip netns pids "$peer" | xargs -r kill
	unset gw
	setup_ns gw && setup_links && up && pings "$peer" 198.51.100.2
}

# What the kernel drops is traced, with the function that does it.
drop_event=$tracefs/events/skb/kfree_skb/enable
[ -e "$drop_event" ] || skip_all "needs the event kfree_skb"

trap 'echo 0 >"$drop_event"; cleanup' EXIT

watch_drops() {
	echo >"$tracefs/trace"
	echo 1 >"$drop_event"
}

# Where packets were dropped since, and why: a line of COUNT FUNCTION REASON each.
# There may be many, and the traffic has not ended: its programs have to wait.
dropped() {
	echo 0 >"$drop_event"
	# shellcheck disable=SC2016	# awk's
	nice -n -20 awk '/ kfree_skb: / && match($0, / location=[^+ ]+/) {
		where = substr($0, RSTART + 10, RLENGTH - 10)
		sub(/.* reason: /, "")
		count[where " " $0]++
	} END {
		for (where in count)
			print count[where], where
	}' "$tracefs/trace"
}

# Packets that this machine's queues had no room for: TCP fills them until that
# happens. Of other places none of these pings may know.
queue_drops() {
	awk '$2 ~ /^(gro_cells_receive|enqueue_to_backlog|netif_rx_internal)$/ {
		sum += $1
	} END { print sum + 0 }'
}

# ping_lost FILE - how many of its pings had no answer
ping_lost() {
	sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 - \2/p' \
		"$1"
}

# What else may tell where they went
where_lost() {
	local name
	cat "$tmp/dropped"
	for name in "${!base[@]}"; do
		[[ $name != drops.* && $name != *-userspace-* ]] ||
			echo "$name: $(rise "$name")"
	done | grep -v ': 0$'
	nsexec "$gw" conntrack -S
	return 1
}

# COMMAND...: done again and again under traffic, and not one of 200 pings each
# way is lost but by a full queue
lossless() {
	local up_pid down_pid drops lost n=0
	mark
	# as many rounds as it takes for the command to be done five times
	while [ $n -lt 5 ]; do
		watch_drops
		nsexec "$peer" ping -q -i 0.01 -c 200 -W 2 198.51.100.2 \
			>"$tmp/ping.up" &
		up_pid=$!
		nsexec "$lan" ping -q -i 0.01 -c 200 -W 2 fd08::2 \
			>"$tmp/ping.down" &
		down_pid=$!
		while kill -0 $up_pid 2>/dev/null ||
		      kill -0 $down_pid 2>/dev/null; do
			"$@" || return
			n=$((n + 1))
		done
		echo "$n times: $*"
		cat "$tmp/ping.up" "$tmp/ping.down"
		lost=$(($(ping_lost "$tmp/ping.up") +
			$(ping_lost "$tmp/ping.down")))
		dropped >"$tmp/dropped"
		drops=$(queue_drops <"$tmp/dropped")
		echo "$lost pings lost, $drops packets dropped by full queues"
		[ "$lost" -le "$drops" ] || where_lost || return
	done
}

key_id=0

# As after a renegotiation: the new key is in the secondary slot of both ends
# before one of them uses it.
rekey() {
	key_id=$(((key_id + 1) % 8))
	new_keys
	gw_key aes-gcm 256 $key_id secondary &&
		peer_key aes-gcm 256 $key_id secondary &&
		peernl key-swap ifindex=ovpn0 "keyconf{" peer-id="$PEER_ID" "}" &&
		gwnl key-swap ifindex=tun0 "keyconf{" peer-id="$PEER_ID" "}"
}

key_swaps() {
	traffic_on && lossless rekey && flowing || return
	traffic_off
	pings "$peer" 198.51.100.2
}

# Other peers come and go.
churn() { "$tool" -n "$gw" batch nf-ovpn <"$tmp/batch"; }

churn_batch() {
	local n key
	key=$(PEER_ID=ID gw_key_words chacha20-poly1305 256)
	for ((n = 1000; n < 1050; n++)); do
		echo "peer-new ifindex=tun0 peer{ id=$n remote-ipv4=192.0.2.9" \
			"remote-port=$n vpn-ipv4=10.9.0.$((n - 1000))" \
			"keepalive-timeout=1000 }"
		echo "key-new ifindex=tun0 ${key/ID/$n}"
	done
	for ((n = 1000; n < 1050; n++)); do
		echo "peer-del ifindex=tun0 peer{ id=$n }"
	done
}

peer_churn() {
	churn_batch >"$tmp/batch"
	traffic_on && lossless churn && flowing || return
	traffic_off
	[[ $(gwnl instance-get ifindex=tun0) == *"instance.peers=1 "* ]] ||
		fail "peers are left over"
}

# The peer that the packets are for: what is under way may be lost, and no more
peer_again() {
	local n key
	key=$(gw_key_words aes-gcm 256)
	traffic_on || return
	for ((n = 0; n < 100; n++)); do
		echo "peer-del ifindex=tun0 peer{ id=$PEER_ID }"
		echo "peer-new ifindex=tun0 peer{ id=$PEER_ID" \
			"remote-ipv4=192.0.2.2 remote-port=$PEER_PORT" \
			"vpn-ipv4=10.8.0.2 vpn-ipv6=fd08::2 }"
		echo "key-new ifindex=tun0 $key"
	done | "$tool" -n "$gw" batch nf-ovpn || return
	traffic_off
	new_keys
	gw_key aes-gcm 256 && peer_key aes-gcm 256 && pings "$peer" 198.51.100.2
}

reconfigure() {
	local mode
	for mode in off eager accepted; do
		gwnl instance-set ifindex=tun0 "instance{" fastpath=$mode \
			"listener{" local-ipv4=192.0.2.1 local-port="$GW_PORT" "}" \
			"listener{" local-port=1300 "}" "}" || return
	done
	gwnl peer-set ifindex=tun0 "peer{" id="$PEER_ID" keepalive-interval=1 \
		keepalive-timeout=60 "}"
}

changes() {
	traffic_on && lossless reconfigure && flowing && traffic_off
}

forget_flows() { nsexec "$gw" conntrack -F 2>/dev/null; }

flows_forgotten() {
	traffic_on && lossless forget_flows && flowing && traffic_off
}

# An inner flow outlives its peer; the entry leads to nobody any more, also not
# to a peer that has come since.
stale_flow() {
	up && pings "$lan" 10.8.0.2 &&
		run gwnl peer-del ifindex=tun0 "peer{" id="$PEER_ID" "}" &&
		run gwnl peer-new ifindex=tun0 "peer{" id=7 \
			remote-ipv4=192.0.2.2 remote-port=9 \
			vpn-ipv4=10.8.0.7 "}" &&
		PEER_ID=7 gw_key aes-gcm 256 || return
	mark
	run nsexec "$lan" ping -q -c 3 -i 0.02 -W 0.1 10.8.0.2
	[ "$(rise link-tx-packets)" -eq 0 ] ||
		fail "packets went to another peer" || return
	wait_for "them at the tun device" 5 risen tx-userspace-packets 3
}

log_clean() {
	local bad='WARNING:|BUG:|Oops|Call Trace|KASAN|UBSAN|refcount_t'
	bad+='|unregister_netdevice: waiting'
	dmesg | grep -E "$bad" | head -n 20 | tee "$tmp/complaints"
	[ ! -s "$tmp/complaints" ] &&
		[ "$(cat /proc/sys/kernel/tainted)" = "$tainted" ]
}
tainted=$(cat /proc/sys/kernel/tainted)

# A module only; in the kernel it cannot be taken out.
if grep -q '^nf_ovpn ' /proc/modules; then
	check "R11: the module is unloaded under traffic" module_reload
fi
require "a tunnel" up
check "R11: the instance is deleted under traffic" instance_del
check "R11: the device is removed under traffic" device_removed
check "R11: the device moves to another namespace" device_moved
check "R11: the end of an instance is told, with the reason" all_ends_told
check "R11: the namespace is removed under traffic" namespace_removed
check "keys are swapped under traffic, without loss" key_swaps
check "peers come and go under traffic, without loss" peer_churn
check "the peer itself comes and goes under traffic" peer_again
check "settings change under traffic, without loss" changes
check "conntrack forgets all flows under traffic, without loss" flows_forgotten
check "R11: a flow outlives its peer" stale_flow
check "the kernel's log is clean" log_clean
run_checks
