#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# trace.sh - what can be watched: tracepoints, and the names of drop reasons.

. "$(dirname "$0")/common.sh"

traced() { # PATTERN
	grep -E "nf_ovpn_$1" "$tracefs/trace" || fail "no event $1"
}

# A new flow is attached and armed, a change disarms it, and it is armed again.
flow_events() {
	echo >"$tracefs/trace"
	pings "$lan" 10.8.0.2 &&
		traced 'attach: ct=.* inner original peer_serial=0 gen=0' &&
		traced 'arm: ct=.* inner original peer_serial=[1-9]' || return
	echo >"$tracefs/trace"
	# for as long as it takes
	ip netns exec "$lan" ping -q -i 0.1 -w 60 10.8.0.2 &
	wait_for "an armed flow" 10 traced 'arm: ct=.* inner original' &&
		echo >"$tracefs/trace" && run gwnl flow-flush ifindex=tun0 &&
		wait_for "its end and a new one" 10 eval "
			traced 'disarm: ct=.* inner original peer_serial=[1-9]' &&
			traced 'arm: ct=.* inner original peer_serial=[1-9]'"
	local status=$?
	kill $!
	wait
	return $status
}

# The reason why a flow is not armed
refuse_event() {
	local status=0
	run nsexec "$gw" nft -f - <<-RULES || return
	table inet own {
		chain c {
			type filter hook forward priority 0
			limit rate 1000/second accept
		}
	}
	RULES
	echo >"$tracefs/trace"
	pings "$lan" 10.8.0.2 &&
		traced 'refuse: ct=.* inner original peer_serial=[1-9].* reason=rule' ||
		status=1
	nsexec "$gw" nft delete table inet own
	return $status
}

key_events() {
	local secret
	echo >"$tracefs/trace"
	gw_key aes-gcm 256 3 secondary &&
		run gwnl key-swap ifindex=tun0 "keyconf{" peer-id="$PEER_ID" "}" &&
		run gwnl key-swap ifindex=tun0 "keyconf{" peer-id="$PEER_ID" "}" &&
		run gwnl key-del ifindex=tun0 "keyconf{" peer-id="$PEER_ID" \
			slot=secondary "}" || return
	traced "key: dev=tun0 peer=$PEER_ID key_id=3 new" &&
		traced "key: dev=tun0 peer=$PEER_ID key_id=3 swap" &&
		traced "key: dev=tun0 peer=$PEER_ID key_id=0 swap" &&
		traced "key: dev=tun0 peer=$PEER_ID key_id=3 delete" || return
	# a key near its end, which userspace gets back
	# shellcheck disable=SC2046	# words
	run gwnl key-new ifindex=tun0 $(gw_key_words aes-gcm 256 4 \
		secondary | sed 's/}$//') tx-packet-id=$((0xff000000 - 3)) "}" &&
		run gwnl key-reserve ifindex=tun0 "keyconf{" \
			peer-id="$PEER_ID" slot=secondary packets=1 "}" || return
	! traced "key: dev=tun0 peer=$PEER_ID key_id=4 limit" ||
		fail "too early" || return
	run gwnl key-reserve ifindex=tun0 "keyconf{" peer-id="$PEER_ID" \
		slot=secondary packets=5 "}" &&
		traced "key: dev=tun0 peer=$PEER_ID key_id=4 limit" &&
		run gwnl key-release ifindex=tun0 "keyconf{" \
			peer-id="$PEER_ID" slot=secondary "}" &&
		traced "key: dev=tun0 peer=$PEER_ID key_id=4 release" || return
	for secret in "$KEY_UP" "$KEY_DOWN" "$TAIL_UP" "$TAIL_DOWN"; do
		! grep -qi "${secret:0:16}" "$tracefs/trace" ||
			fail "a secret in the trace" || return
	done
}

# The peer comes from another port.
float_event() {
	hold 1 || return
	echo >"$tracefs/trace"
	mark
	inject 40077 "${held[0]}" && risen_to vpn-rx-packets 1 &&
		traced "float: dev=tun0 peer=$PEER_ID remote=::ffff:192.0.2.2 port=40077" &&
		pings "$peer" 10.8.0.1 &&
		traced "float: dev=tun0 peer=$PEER_ID remote=::ffff:192.0.2.2 port=$PEER_PORT"
}

drop_named() { # REASON COUNT
	[ "$(grep -cx "NF_OVPN_DROP_$1" "$tmp/drops")" -ge "$2" ]
}

# Drop monitoring names what was dropped.
drop_names() {
	local hex
	hold 2 || return
	run "$tool" -b -p "$tmp/drops.pid" drops >"$tmp/drops" || return
	hex=${held[0]}
	inject "$PEER_PORT" "$hex" "$hex" "${hex:0:20}ff${hex:22}" "${hex:0:24}"
	wait_for "a replay by name" 5 drop_named REPLAY 1 &&
		wait_for "a wrong tag by name" 5 drop_named AUTH 1 &&
		wait_for "a short packet by name" 5 drop_named MALFORMED 1
	local status=$?
	stop drops
	cat "$tmp/drops"
	return $status
}

have_tracefs || skip_all "needs tracefs"
[ -d "$tracefs/events/nf_ovpn" ] || skip_all "nf_ovpn has no tracepoints here"
echo 1 >"$tracefs/events/nf_ovpn/enable"

require "a tunnel" tunnel_up aes-gcm 256
check "flows: attach, arm, disarm" flow_events
check "flows: the reason why one is not armed" refuse_event
check "keys, without their secrets" key_events
check "float" float_event
check "drop reasons by name" drop_names
run_checks
