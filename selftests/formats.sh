#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# formats.sh - the formats of the data channel beside P_DATA_V2 with an AEAD
# cipher: packets without a peer ID, epochs, ciphers that do not authenticate,
# the framing of compression. Both ends are nf_ovpn here, as no other kernel has
# them; that stock OpenVPN agrees is for its end-to-end test, known answers are
# for KUnit.

. "$(dirname "$0")/common.sh"

next() {
	pair_down
	pair_up "$@"
}

# Everything goes through in both directions, and nearly all of it on the fast
# path; packets of TCP are as large as they get.
traffic() { # CIPHER BITS 4|6 [PEER ATTRIBUTE...]
	next "$@" || return
	mark
	pings "$peer" 198.51.100.2 && pings "$lan" fd08::2 &&
		tcp_transfer "$peer" "$lan" 198.51.100.2 &&
		tcp_transfer "$lan" "$peer" "[fd08::2]" &&
		tcp_transfer "$gw" "$peer" 10.8.0.2 || return
	expect "packets received on the fast path" \
		"$(($(rise rx-fast-packets) * 100))" \
		-ge "$(($(rise link-rx-packets) * 99))" &&
		expect "packets sent on the fast path" \
		"$(($(rise tx-fast-packets) * 100))" \
		-ge "$(($(rise link-tx-packets) * 99))" &&
		expect "drops" "$(drops)" -eq 0
}

# Replayed, changed and cut datagrams of this format are refused, each for what
# it is, and leave nothing behind. DIGITS come before what is authenticated.
refusals() { # DIGITS
	local hex i bad=()
	hold 2 || return
	hex=${held[0]}
	for i in "$1" $((${#hex} / 2)) $((${#hex} - 1)); do
		bad+=("${hex:0:i}$(printf %x $((0x${hex:i:1} ^ 1)))${hex:i + 1}")
	done
	mark
	inject "$PEER_PORT" "${bad[@]}" && risen_to drops.auth 3 &&
		inject "$PEER_PORT" "${hex:0:-2}" && risen_to drops.auth 4 &&
		inject "$PEER_PORT" "${held[@]}" && risen_to vpn-rx-packets 2 &&
		inject "$PEER_PORT" "${held[@]}" && risen_to drops.replay 2 &&
		inject "$PEER_PORT" "${hex:0:$1 + 16}" &&
		risen_to drops.malformed 1 && pings "$peer" 10.8.0.1
}

# Every datagram begins and ends as it should, and is as long: of a ping with 8
# bytes, an inner packet of 36.
looks_like() { # PATTERN BYTES
	local hex
	run hold 3 || return
	for hex in "${held[@]}"; do
		echo "  $hex"
		[[ $hex =~ ^$1 ]] || fail "not of this form" || return
	done
	mark
	run nsexec "$peer" ping -q -c 1 -s 8 10.8.0.1 &&
		expect_rise link-rx-bytes -eq "$2"
}

# What is on the wire: opcode 6 is 30, 9 is 48
wire() { # CIPHER BITS PATTERN BYTES [PEER ATTRIBUTE...]
	next "$1" "$2" 4 "${@:5}" && looks_like "$3" "$4"
}

# A peer without a peer ID in its packets is known by its address alone: from
# elsewhere the same packet is userspace's.
no_float() {
	next aes-gcm 256 4 data-v1= && hold 2 || return
	forget socket
	mark
	inject 41000 "${held[0]}" &&
		wait_for "the packet at the socket" 5 \
			lines_are 1 "^${held[0]}$" socket &&
		expect_rise vpn-rx-packets -eq 0 && expect "drops" "$(drops)" -eq 0 &&
		inject "$PEER_PORT" "${held[@]}" && risen_to vpn-rx-packets 2
}

# Several such peers behind one address are told apart by their ports; two at
# one are refused, also when one moves there, and nothing has changed then.
by_address() {
	local out
	PEER_ID=43 run gwnl peer-new ifindex=tun0 "peer{" id=43 data-v1= \
		remote-ipv4=192.0.2.2 remote-port=40009 "}" || return
	out=$(gwnl peer-new ifindex=tun0 "peer{" id=44 data-v1= \
		remote-ipv4=192.0.2.2 remote-port="$PEER_PORT" "}")
	echo "$out"
	[[ $out == EEXIST*"a peer without a peer ID is there" ]] || return
	out=$(gwnl peer-set ifindex=tun0 "peer{" id=43 remote-port="$PEER_PORT" \
		vpn-ipv4=10.8.0.43 "}")
	echo "$out"
	[[ $out == EEXIST*"a peer without a peer ID is there" ]] || return
	out=$(gwnl peer-get ifindex=tun0 "peer{" id=43 "}")
	[[ $out == *remote-port=40009* && $out != *10.8.0.43* ]] ||
		fail "$out" || return
	# its address is free when it has moved, and where it has moved it is
	run gwnl peer-set ifindex=tun0 "peer{" id=43 remote-port=40010 "}" &&
		run gwnl peer-new ifindex=tun0 "peer{" id=44 data-v1= \
			remote-ipv4=192.0.2.2 remote-port=40009 "}" &&
		run gwnl peer-set ifindex=tun0 "peer{" id=42 \
			remote-port="$PEER_PORT" "}" &&
		pings "$peer" 10.8.0.1
}

# Framing that the other end has not is dropped and counted; so is what says
# that it is compressed (66 is LZO, in place of fa).
wrong_framing() {
	local framing
	for framing in stub stub-swap; do
		next aes-gcm 256 4 && run gwnl peer-set ifindex=tun0 "peer{" \
			id="$PEER_ID" framing=$framing "}" || return
		mark
		run nsexec "$peer" ping -q -c 3 -i 0.02 -W 0.1 10.8.0.1
		risen_to drops.framing 3 && expect_rise vpn-rx-packets -eq 0 ||
			return
	done
	next aes-gcm 256 4 && run gwnl peer-set ifindex=tun0 "peer{" \
		id="$PEER_ID" framing=stub-v2 "}" || return
	mark
	run "$tool" -n "$peer" inject tun9 0x0800 50 5066 &&
		risen_to drops.framing 2 && pings "$peer" 10.8.0.1
}

# What begins with 50 is escaped, though nothing of IP does.
escaped() {
	next aes-gcm 256 4 framing=stub-v2 || return
	mark
	run "$tool" -n "$peer" inject tun9 0x0800 50 5066 5000 &&
		risen_to drops.inner 3 && expect_rise drops.framing -eq 0 &&
		pings "$peer" 10.8.0.1
}

# It may change while packets are on their way: what is between two framings is
# dropped by the peer, and nothing else happens.
framing_changes() {
	local i pid status=0
	next aes-gcm 256 4 || return
	ip netns exec "$lan" ping -q -f -w 5 10.8.0.2 >/dev/null &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		gwnl peer-set ifindex=tun0 "peer{" id="$PEER_ID" \
			framing=$((i % 4)) "}" || status=1
	done
	kill -INT "$pid"
	wait "$pid"
	run gwnl peer-set ifindex=tun0 "peer{" id="$PEER_ID" framing=none "}" &&
		pings "$peer" 10.8.0.1 && pings "$lan" 10.8.0.2 &&
		[ $status -eq 0 ]
}

# NAME: of the gateway's key
key_attr() {
	local word
	for word in $(gwnl key-get ifindex=tun0 "keyconf{" peer-id="$PEER_ID" \
		slot=primary "}"); do
		[ "${word%%=*}" != "keyconf.$1" ] || echo "${word#*=}"
	done
}

epoch_is() { # NAME EPOCH
	local id
	id=$(key_attr "$1")
	expect "epoch of $1" "$((id >> 48))" -eq "$2"
}

# One end goes on to the next epoch and the other follows, in its own direction
# too; nothing is lost, and packets of the epoch before are welcome.
epoch_passes() {
	local words
	next epoch:chacha20-poly1305 256 4 && hold 1 || return
	words=$(peer_key_words epoch:chacha20-poly1305 256)
	epoch_is rx-packet-id 1 && epoch_is tx-packet-id 1 || return
	# The counter of epoch 1 ends after three packets.
	# shellcheck disable=SC2086	# words
	run "$tool" -n "$peer" nl nf-ovpn key-new ifindex=tun9 ${words% \}} \
		tx-packet-id=$(((2 << 48) - 4)) "}" || return
	mark
	pings "$peer" 10.8.0.1 && epoch_is rx-packet-id 2 &&
		pings "$gw" 10.8.0.2 && epoch_is tx-packet-id 2 &&
		expect "drops" "$(drops)" -eq 0 &&
		inject "$PEER_PORT" "${held[0]}" || return
	# It is authentic, by the key of epoch 1, and behind its window now.
	risen_to drops.replay 1 && expect "drops" "$(drops)" -eq 1 &&
		tcp_transfer "$peer" "$lan" 198.51.100.2
}

# Many epochs, one every few packets, in both directions at once
epochs_pass() {
	local words i gw_words
	next epoch:chacha20-poly1305 256 4 || return
	words=$(peer_key_words epoch:chacha20-poly1305 256)
	gw_words=$(gw_key_words epoch:chacha20-poly1305 256)
	mark
	for ((i = 2; i < 30; i += 3)); do
		# shellcheck disable=SC2086	# words
		run "$tool" -n "$peer" nl nf-ovpn key-new ifindex=tun9 \
			${words% \}} tx-packet-id=$((((i + 1) << 48) - 2)) \
			rx-packet-id=$((i << 48)) "}" &&
			run gwnl key-new ifindex=tun0 ${gw_words% \}} \
			tx-packet-id=$((((i + 1) << 48) - 2)) \
			rx-packet-id=$((i << 48)) "}" &&
			pings "$peer" 10.8.0.1 &&
			epoch_is rx-packet-id $((i + 1)) &&
			epoch_is tx-packet-id $((i + 1)) || return
	done
	expect "drops" "$(drops)" -eq 0
}

# R9: a key with epochs is given out and taken back with them.
epoch_handover() {
	local answer word words state=()
	next epoch:aes-gcm 256 4 && hold 1 && pings "$peer" 10.8.0.1 || return
	answer=$(gwnl key-release ifindex=tun0 "keyconf{" peer-id="$PEER_ID" \
		slot=primary "}") || return
	for word in $answer; do
		case $word in
		keyconf.[tr]x-packet-id=*) state+=("${word#keyconf.}") ;;
		keyconf.rx-window=*) state+=("rx-window=${word#*=}") ;;
		esac
	done
	words=$(gw_key_words epoch:aes-gcm 256)
	# shellcheck disable=SC2086	# words
	run gwnl key-new ifindex=tun0 ${words% \}} "${state[@]}" "}" || return
	pings "$peer" 10.8.0.1 && pings "$lan" 10.8.0.2 || return
	mark
	inject "$PEER_PORT" "${held[0]}" "${held[0]}" &&
		risen_to vpn-rx-packets 1 && expect_rise drops.replay -eq 1
}

# The largest inner packet that fits an outer one with DF is said to the sender
# for each format, and is right: one byte more does not go.
fits_exactly() { # CIPHER BITS MTU [PEER ATTRIBUTE...]
	local out status=0
	next "$1" "$2" 4 "${@:4}" &&
		run ip -n "$gw" route add "$peer_addr" dev veth0 mtu 1280 &&
		run gwnl instance-set ifindex=tun0 "instance{" df=set "}" ||
		return
	out=$(nsexec "$gw" ping -c 2 -i 0.1 -W 1 -M "do" -s 1360 10.8.0.2 2>&1)
	out+=$(nsexec "$lan" ping -c 2 -i 0.1 -W 1 -M "do" -s 1360 10.8.0.2 2>&1)
	echo "$out"
	[[ $out =~ "mtu = $3"([^0-9]|$) ]] || fail "not $3" || status=1
	pings "$lan" 10.8.0.2 -M "do" -s $(($3 - 28)) || status=1
	run ip -n "$gw" route del "$peer_addr" dev veth0 mtu 1280
	nsexec "$gw" ip route flush cache
	nsexec "$lan" ip route flush cache
	return $status
}

trap 'stop tun9; cleanup' EXIT

check "P_DATA_V1" traffic aes-gcm 256 4 data-v1=
check "P_DATA_V1 over IPv6" traffic chacha20-poly1305 256 6 data-v1=
check "P_DATA_V1: on the wire" wire aes-gcm 256 '30000000' 57 data-v1=
check "P_DATA_V1: refused packets" refusals 2
check "P_DATA_V1: no float" no_float
check "P_DATA_V1: peers by their addresses" by_address
check "epochs, AES-256-GCM" traffic epoch:aes-gcm 256 4
check "epochs, AES-128-GCM, P_DATA_V1" traffic epoch:aes-gcm 128 6 data-v1=
check "epochs, ChaCha20-Poly1305" traffic epoch:chacha20-poly1305 256 4
check "epochs: on the wire" wire epoch:aes-gcm 256 \
	'4800002a00010000000000' 64
check "epochs: refused packets" refusals 16
check "epochs: one passes" epoch_passes
check "epochs: many pass" epochs_pass
check "R9: epochs are handed over" epoch_handover
check "AES-128-CBC, HMAC-SHA1" traffic aes-cbc/hmac-sha1 128 4
check "AES-192-CBC, HMAC-SHA256" traffic aes-cbc/hmac-sha256 192 6
check "AES-256-CBC, HMAC-SHA256, P_DATA_V1" \
	traffic aes-cbc/hmac-sha256 256 4 data-v1=
check "AES-CBC: on the wire" wire aes-cbc/hmac-sha256 256 '4800002a' 100
check "AES-CBC: refused packets" refusals 8
check "no cipher, HMAC-SHA256" traffic none/hmac-sha256 0 4
check "no cipher, HMAC-SHA1: refused packets" \
	wire none/hmac-sha1 0 '4800002a' 64
check "no cipher, no HMAC" traffic none 0 4
check "no cipher, no HMAC: on the wire" wire none 0 '4800002a0000....45' 44
for framing in stub stub-swap stub-v2; do
	check "framing $framing, AES-256-GCM" \
		traffic aes-gcm 256 4 framing=$framing
	check "framing $framing, epochs" \
		traffic epoch:chacha20-poly1305 256 6 framing=$framing
	check "framing $framing, AES-CBC, P_DATA_V1" \
		traffic aes-cbc/hmac-sha1 256 4 framing=$framing data-v1=
done
check "framing stub: on the wire" wire none 0 '4800002a0000....fa45' 45 \
	framing=stub
check "framing stub-swap: on the wire" wire none 0 \
	'4800002a0000....fb.*45$' 45 framing=stub-swap
check "framing stub-v2: on the wire" wire none 0 '4800002a0000....45' 44 \
	framing=stub-v2
check "framing that is not agreed" wrong_framing
check "framing stub-v2: escapes" escaped
check "framing changes under traffic" framing_changes
# 1280 less 28 of IP and UDP
check "R14: what fits, AES-GCM" fits_exactly aes-gcm 256 1228
check "R14: what fits, P_DATA_V1, stub" \
	fits_exactly aes-gcm 256 1230 data-v1= framing=stub
check "R14: what fits, epochs" fits_exactly epoch:aes-gcm 256 1224
check "R14: what fits, AES-CBC, HMAC-SHA1" \
	fits_exactly aes-cbc/hmac-sha1 256 1195
check "R14: what fits, no cipher" fits_exactly none 0 1244
run_checks
