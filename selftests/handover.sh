#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# handover.sh - R9: a key moves between the kernel and userspace with its
# packet IDs. First userspace does nothing with it; what is tested is that the
# kernel gives a key out of its hands, where packets go meanwhile, and that it
# goes on where the key was left, with no packet ID twice in either direction.
# Then a data channel in userspace has the key by turns with the kernel.

. "$(dirname "$0")/common.sh"

key_is() { echo "keyconf{ peer-id=$PEER_ID slot=primary"; }

# Take the key from the kernel; how far it is used up in "state".
release() {
	local answer word
	# shellcheck disable=SC2046	# words
	answer=$(gwnl key-release ifindex=tun0 $(key_is) "}") || return
	state=()
	for word in $answer; do
		case $word in
		keyconf.tx-packet-id=* | keyconf.tx-blocks=* | \
		keyconf.rx-packet-id=*)
			state+=("${word#keyconf.}")
			;;
		keyconf.rx-window=*)
			state+=("rx-window=${word#*=}")
			;;
		esac
	done
	expect "attributes of the state" "${#state[@]}" -eq 4
}
state=()

# Give it back, with a state.
restore() { # ATTRIBUTE...
	local words
	words=$(gw_key_words aes-gcm 256)
	# shellcheck disable=SC2086	# words
	run gwnl key-new ifindex=tun0 ${words% \}} "$@" "}"
}

# NAME: of the state
state_of() {
	local word
	for word in "${state[@]}"; do
		[ "${word%%=*}" != "$1" ] || echo "${word#*=}"
	done
}

# Without a key, packets of both directions are userspace's.
given_out() {
	local hex
	printf -v hex '48%06x' "$PEER_ID"
	release || return
	mark
	forget socket
	forget tun0
	run nsexec "$peer" ping -q -c 3 -i 0.02 -W 0.1 10.8.0.1
	wait_for "three data packets at the socket" 5 \
		lines_are 3 "^$hex" socket || return
	run nsexec "$lan" ping -q -c 3 -i 0.02 -W 0.1 10.8.0.2
	wait_for "three packets at the tun device" 5 \
		lines_are 3 '^45.{22}c63364020a080002' tun0 || return
	restore "${state[@]}" && pings "$peer" 10.8.0.1 &&
		pings "$lan" 10.8.0.2
}

# The key goes back and forth under traffic: no packet ID leaves twice, and
# nothing that comes is taken for a replay.
back_and_forth() {
	local i up down status=0 twice sent
	pings "$peer" 10.8.0.1 || return
	mark
	rm -f "$tmp/sent"
	run "$tool" -n "$gw" -b -p "$tmp/capture.pid" capture veth0 \
		"$PEER_PORT" 1000000 >"$tmp/sent"
	nsexec "$lan" ping -q -c 600 -i 0.002 -W 1 10.8.0.2 >"$tmp/down" &
	down=$!
	nsexec "$peer" ping -q -c 600 -i 0.002 -W 1 10.8.0.1 >"$tmp/up" &
	up=$!
	for ((i = 0; i < 20; i++)); do
		release >/dev/null && restore "${state[@]}" 2>/dev/null ||
			status=1
	done
	wait $up $down
	stop capture
	cat "$tmp/up" "$tmp/down"
	sent=$(wc -l <"$tmp/sent")
	twice=$(cut -c 9-16 "$tmp/sent" | sort | uniq -d | wc -l)
	expect "packets that left" "$sent" -gt 300 &&
		expect "packet IDs that left twice" "$twice" -eq 0 &&
		expect_rise drops.replay -eq 0 &&
		expect_rise drops.auth -eq 0 || status=1
	# and no other than those that have left
	release && expect "the last of them" "$(state_of tx-packet-id)" -eq \
		$((16#$(cut -c 9-16 "$tmp/sent" | sort | tail -n 1))) ||
		status=1
	restore "${state[@]}" && pings "$peer" 10.8.0.1 || status=1
	return $status
}

# A packet that had not come before the key moved is accepted after, once.
window_moves() {
	hold 2 || return
	release && restore "${state[@]}" && pings "$peer" 10.8.0.1 || return
	mark
	inject "$PEER_PORT" "${held[@]}" && risen_to vpn-rx-packets 2 &&
		inject "$PEER_PORT" "${held[@]}" && risen_to drops.replay 2 &&
		expect_rise vpn-rx-packets -eq 2
}

# Without the window all that may have come counts as received.
no_window() {
	hold 2 && release || return
	restore tx-packet-id="$(state_of tx-packet-id)" \
		rx-packet-id="$(state_of rx-packet-id)" || return
	pings "$peer" 10.8.0.1 || return
	mark
	inject "$PEER_PORT" "${held[@]}" && risen_to drops.replay 2 &&
		expect_rise vpn-rx-packets -eq 0
}

# What userspace had in its hands: the kernel says whether it is new.
accept() {
	local id answer
	hold 1 || return
	id=$((16#${held[0]:8:8}))
	# shellcheck disable=SC2046	# words
	set -- ifindex=tun0 $(key_is) rx-packet-id=$id "}"
	run gwnl key-accept "$@" || return
	answer=$(gwnl key-accept "$@")
	echo "$answer"
	[ "$answer" = "EEXIST keyconf.rx-packet-id: received before, or too old to tell" ] ||
		return
	mark
	inject "$PEER_PORT" "${held[0]}" && risen_to drops.replay 1 &&
		expect_rise vpn-rx-packets -eq 0
}

# A peer whose packets are opened by userspace was heard, for longer than its
# timeout; one that only sends again what came before was not.
heard_by_userspace() {
	local id=1000000 end
	# shellcheck disable=SC2046	# words
	set -- ifindex=tun0 $(key_is)
	run gwnl peer-set ifindex=tun0 "peer{" id="$PEER_ID" \
		keepalive-timeout=2 "}"
	end=$((SECONDS + 5))
	while [ $SECONDS -lt $end ]; do
		gwnl key-accept "$@" rx-packet-id=$((id += 1)) "}" ||
			fail "the peer is gone, or its packet refused" || return
		# nothing to wait for: the peer is heard at this rate
		pause 0.2
	done
	wait_for "the end of the peer" 6 replayed_until_gone "$@" \
		rx-packet-id=$id "}"
}
replayed_until_gone() {
	[[ "$(gwnl key-accept "$@")" == "ENOENT "* ]]
}

reserve() { # PACKETS
	# shellcheck disable=SC2046	# words
	gwnl key-reserve ifindex=tun0 $(key_is) packets="$1" "}"
}

last_sent() {
	# shellcheck disable=SC2046	# words
	gwnl key-get ifindex=tun0 $(key_is) "}" |
		sed -n 's/.* keyconf.tx-packet-id=\([0-9]*\).*/\1/p'
}

# Packet IDs that userspace takes are not the kernel's any more; at the end
# there are none for either.
reserved() {
	local before answer
	before=$(last_sent)
	answer=$(reserve 100)
	echo "$answer"
	[[ "$answer " == *" keyconf.tx-packet-id=$((before + 100)) "* ]] &&
		expect "the last" "$(last_sent)" -eq $((before + 100)) &&
		pings "$peer" 10.8.0.1 && release &&
		restore tx-packet-id=$((0xfffffff0)) || return
	answer=$(reserve 16)
	echo "$answer"
	[ "$answer" = "ENOSPC keyconf.packets: the key has not that many packet IDs left" ] ||
		return
	mark
	run nsexec "$lan" ping -q -c 2 -i 0.02 -W 0.1 10.8.0.2
	expect_rise drops.key-limit -eq 2
}

# Userspace, which has the device and the socket, uses the key while it has it,
# and for what is still with it when it has given the key back: nothing is lost
# in either direction, no packet ID leaves twice, and nothing is a replay.
by_turns() {
	local up down words twice sent status=0
	tunnel_down
	# where only listed ciphers are userspace's
	sysctl -qw crypto.af_alg_restrict=0 2>/dev/null
	words=$(gw_key_words aes-gcm 256)
	# shellcheck disable=SC2086	# words
	run "$tool" -n "$gw" -b -p "$tmp/tun0.pid" turns tun0 "$gw_addr" \
		"$GW_PORT" "$peer_addr" "$PEER_PORT" 20 $words \
		>"$tmp/turns.log" &&
		gw_tun_address tun0 10.8.0.1/24 fd08::1/64 &&
		run gwnl instance-new ifindex=tun0 "instance{" "listener{" \
			local-port="$GW_PORT" "}" "}" &&
		gw_peer_new && peer_up && peer_key aes-gcm 256 || return
	rm -f "$tmp/sent"
	run "$tool" -n "$gw" -b -p "$tmp/capture.pid" capture veth0 \
		"$PEER_PORT" 1000000 >"$tmp/sent"
	gw_key aes-gcm 256 || return
	ip netns exec "$lan" ping -q -i 0.005 -w 300 10.8.0.2 >"$tmp/down" &
	down=$!
	ip netns exec "$peer" ping -q -i 0.005 -w 300 198.51.100.2 \
		>"$tmp/up" &
	up=$!
	wait_for "twenty turns" 60 grep -q '^sent=' "$tmp/turns.log" || status=1
	kill -INT $up $down
	wait $up $down
	stop capture
	cat "$tmp/turns.log" "$tmp/up" "$tmp/down"
	# the last may be on its way when ping is told to stop
	expect "pings lost on their way up" "$(lost "$tmp/up")" -le 1 &&
		expect "and down" "$(lost "$tmp/down")" -le 1 || status=1
	sent=$(wc -l <"$tmp/sent")
	twice=$(cut -c 9-16 "$tmp/sent" | sort | uniq -d | wc -l)
	# ten packets each way in each turn
	expect "sent by userspace" "$(turns sent)" -ge 200 &&
		expect "received by userspace" "$(turns received)" -ge 200 &&
		expect "replays" "$(turns replays)" -eq 0 &&
		expect "not authentic" "$(turns bad)" -eq 0 &&
		expect "replays in the kernel" "$(stat drops.replay)" -eq 0 &&
		expect "sent by the kernel" "$(stat link-tx-packets)" -ge 200 &&
		expect "packet IDs that left twice" "$twice" -eq 0 &&
		expect "packets that left" "$sent" -eq \
			$(($(stat link-tx-packets) + $(turns sent))) || status=1
	return $status
}

# OUTPUT-OF-PING: how many were not answered
lost() {
	sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 - \2/p' \
		"$1" | { IFS= read -r sum && echo $((sum)); }
}

# NAME: of what userspace has counted
turns() { grep -o "\<$1=[0-9]*" "$tmp/turns.log" | cut -d = -f 2; }

require "a tunnel" tunnel_up aes-gcm 256
check "R9: without its key the peer is userspace's" given_out
check "R9: back and forth under traffic" back_and_forth
check "R9: the receive window moves with the key" window_moves
check "R9: a key without its window refuses what is old" no_window
check "R9: packets in userspace's hands" accept
check "R9: packet IDs for userspace" reserved
check "R9: a data channel in userspace has the key by turns" by_turns
check "R8: a peer is heard when userspace opens its packets" heard_by_userspace
run_checks
