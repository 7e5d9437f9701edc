#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# nat.sh - where the gateway is reached: several listeners and instances, several
# local addresses, and NAT of the outer flow. Data goes both ways on the fast
# path, and on the wire it has the address that the peer has sent to.

. "$(dirname "$0")/common.sh"

nft_gw() { nsexec "$gw" nft "$@"; }

# 4|6: the gateway's addresses, the one it has by itself, another on the same
# link, and one of another link, all of which the peer can reach
more_addresses() {
	outer_addresses "$1"
	if [ "$1" = 4 ]; then
		ip=ip first=$gw_addr second=192.0.2.3 far=198.51.100.1
		any=0.0.0.0
	else
		ip=ip6 first=$gw_addr second=2001:db8:1::3 far=2001:db8:2::1
		any=::
	fi
}

addresses_up() {
	ip -n "$gw" addr add 192.0.2.3/24 dev veth0 &&
		ip -n "$gw" addr add 2001:db8:1::3/64 dev veth0 nodad &&
		ip -n "$peer" route add 198.51.100.1 via 192.0.2.1 &&
		ip -n "$peer" route add 2001:db8:2::1 via 2001:db8:1::1
}

# Words of a listener
listener() { # PORT [ADDRESS]
	echo "listener{ ${2:+local-$fam=$2} local-port=$1 }"
}

# 4|6 LISTENER...: a gateway that listens there
listen() {
	tunnel_down
	more_addresses "$1"
	# shellcheck disable=SC2068	# words
	gw_tun_up && gw_socket_up "$any" &&
		run gwnl instance-new ifindex=tun0 "instance{" ${@:2} "}" &&
		gw_peer_new
}

# The peer begins anew, and sends to that address and port. Both ends have the
# key anew, as packet IDs begin again.
peer_to() { # ADDRESS PORT
	ip -n "$peer" link del ovpn0 2>/dev/null
	stop peer
	gw_key aes-gcm 256 && gw_addr=$1 GW_PORT=$2 peer_up &&
		peer_key aes-gcm 256
}

# What the peer hears from that address and port of the gateway and sends there,
# and what has any other one
count_wire() { # ADDRESS PORT
	nsexec "$peer" nft delete table inet wire 2>/dev/null
	nsexec "$peer" nft -f - <<-RULES
	table inet wire {
		chain in {
			type filter hook input priority filter
			meta l4proto != udp return
			udp dport != $PEER_PORT return
			$ip saddr $1 udp sport $2 counter return comment "heard"
			counter comment "heard elsewhere"
		}
		chain out {
			type filter hook output priority filter
			meta l4proto != udp return
			udp sport != $PEER_PORT return
			$ip daddr $1 udp dport $2 counter return comment "sent"
			counter comment "sent elsewhere"
		}
	}
	RULES
}

wire() { # COMMENT
	nsexec "$peer" nft list table inet wire |
		sed -n "s/.*packets \([0-9]*\) .*comment \"$1\".*/\1/p"
}

expect_wire() { # COMMENT OPERATOR WANTED
	expect "packets $1" "$(wire "$1")" "$2" "$3"
}

# The tunnel over that address and port of the gateway: of ten packets each way
# all but the first of a flow are short-cut, and the first behind an answer, as
# conntrack's state is another then; and then of many.
both_ways() { # ADDRESS PORT
	wait_for "the first packet through the tunnel" 5 ping_once || return
	count_wire "$@" || return
	mark
	pings "$peer" 198.51.100.2 && pings "$lan" 10.8.0.2 &&
		expect_rise vpn-rx-packets -eq 10 &&
		expect_rise rx-slow-packets -eq 0 &&
		expect_rise tx-fast-packets -eq 7 &&
		expect_rise tx-egress-packets -eq 3 &&
		expect_wire heard -eq 10 && expect_wire sent -ge 10 || return
	mark
	tcp_transfer "$peer" "$lan" 198.51.100.2 &&
		tcp_transfer "$lan" "$peer" "[fd08::2]" || return
	mostly_fast 2 &&
		expect_rise rx-userspace-packets -eq 0 &&
		expect_wire heard -gt 100 && expect_wire sent -gt 100 &&
		expect_wire "heard elsewhere" -eq 0 &&
		expect_wire "sent elsewhere" -eq 0
}

# --- listeners and instances

# One instance is reached by each of its listeners, and by no other port.
listeners() {
	more_addresses "$1"
	# shellcheck disable=SC2046	# words
	listen "$1" $(listener "$GW_PORT" "$first") $(listener 1200) \
		$(listener 1201 "$second") || return
	peer_to "$first" "$GW_PORT" && both_ways "$first" "$GW_PORT" &&
		peer_to "$second" 1200 && both_ways "$second" 1200 &&
		peer_to "$second" 1201 && both_ways "$second" 1201 &&
		peer_to "$first" 1201 || return
	mark
	! nsexec "$peer" ping -q -c 3 -i 0.02 -W 0.2 10.8.0.1 ||
		fail "came through where nobody listens" || return
	expect_rise link-rx-packets -eq 0
}

stat_of() { # DEVICE NAME
	gwnl instance-get ifindex="$1" |
		sed -n "s/.* instance\.stats\.$2=\([0-9]*\) .*/\1/p"
}

# A second tunnel between the same hosts, with the same port and peer ID: what
# tells the instances apart is the gateway's address.
second_tunnel() {
	local ID=$PEER_ID PEER_PORT=40001
	gw_tun_add tun1 10.9.0.1/24 fd09::1/64 &&
		run gwnl instance-new ifindex=tun1 "instance{" \
			"listener{" local-port="$GW_PORT" "}" "}" &&
		run gwnl peer-new ifindex=tun1 "peer{" id="$ID" \
			remote-"$fam"="$peer_addr" remote-port="$PEER_PORT" \
			vpn-ipv4=10.9.0.2 "}" || return
	# shellcheck disable=SC2046	# words
	run gwnl key-new ifindex=tun1 $(gw_key_words aes-gcm 128) &&
		run ip -n "$peer" link add ovpn1 mtu 1400 type ovpn &&
		run ip -n "$peer" link set ovpn1 up &&
		ip -n "$peer" addr add 10.9.0.2/24 dev ovpn1 &&
		run "$tool" -n "$peer" -b -p "$tmp/peer1.pid" socket \
			"$peer_addr" "$PEER_PORT" peer-new ifindex=ovpn1 \
			"peer{" id="$ID" socket=fd remote-"$fam"="$second" \
			remote-port="$GW_PORT" "}" >>"$tmp/peer1.log" &&
		run peernl key-new ifindex=ovpn1 $(peer_key_words aes-gcm 128)
}

second_tunnel_down() {
	ip -n "$peer" link del ovpn1 2>/dev/null
	stop peer1
	stop tun1
}

# Each has what is its own, while both are used.
instances() {
	local status=0 rx tx drops
	more_addresses "$1"
	# shellcheck disable=SC2046	# words
	listen "$1" $(listener "$GW_PORT" "$first") &&
		peer_to "$first" "$GW_PORT" && second_tunnel &&
		wait_for "the first packet" 5 ping_once &&
		wait_for "the first packet of the second" 5 \
			nsexec "$peer" ping -q -c 1 -W 1 10.9.0.1 || status=1
	mark
	rx=$(stat_of tun1 rx-fast-packets) tx=$(stat_of tun1 tx-fast-packets)
	pings "$lan" 10.8.0.2 && pings "$gw" 10.9.0.2 &&
		pings "$lan" 10.8.0.2 && expect_rise rx-fast-packets -ge 10 &&
		expect_rise tx-fast-packets -eq 6 &&
		expect "fast packets received by the second" \
			$(($(stat_of tun1 rx-fast-packets) - rx)) -ge 4 &&
		expect "sent" \
			$(($(stat_of tun1 tx-fast-packets) - tx)) -eq 3 ||
		status=1
	# A packet of one tunnel in the other: another key
	drops=$(stat_of tun1 drops.auth)
	hold 1 && run "$tool" -n "$peer" send "$peer_addr" "$PEER_PORT" \
		"$second" "$GW_PORT" "${held[0]}" &&
		wait_for "the drop" 5 auth_drops tun1 $((drops + 1)) || status=1
	[ $status -ne 0 ] || both_ways "$first" "$GW_PORT" || status=1
	second_tunnel_down
	return $status
}
auth_drops() { [ "$(stat_of "$1" drops.auth)" -eq "$2" ]; }

# --- multihomed

peer_sends_to() { # ADDRESS
	run peernl peer-set ifindex=ovpn0 "peer{" id="$PEER_ID" \
		remote-"$fam"="$1" remote-port="$GW_PORT" "}"
}

# A listener without an address, and a session that turns to one address of the
# gateway after the other. The answer comes from where it is sent to, also when
# the route would choose another one.
multihomed() {
	# shellcheck disable=SC2046	# words
	listen "$1" $(listener "$GW_PORT") &&
		peer_to "$second" "$GW_PORT" && both_ways "$second" "$GW_PORT" &&
		peer_sends_to "$first" && both_ways "$first" "$GW_PORT" &&
		peer_sends_to "$far" && both_ways "$far" "$GW_PORT" &&
		peer_sends_to "$second" && both_ways "$second" "$GW_PORT"
}

# --- NAT

nat() { # HOOK PRIORITY RULE...
	nft_gw -f - <<-RULES
	table $ip nat {
		chain nat {
			type nat hook $1 priority $2
			${*:3}
		}
		chain closed {
			type filter hook input priority filter
			udp dport 7777 drop
		}
	}
	RULES
}

# The listener has an address and a port that the peer does not know of.
dnat() {
	local status=0
	more_addresses "$1"
	# shellcheck disable=SC2046	# words
	listen "$1" $(listener "$GW_PORT" "$far") &&
		nat prerouting dstnat "$ip daddr $first udp dport 4444" \
			"dnat to $(bracketed "$far"):$GW_PORT" &&
		peer_to "$first" 4444 && both_ways "$first" 4444 || status=1
	nft_gw delete table "$ip" nat
	return $status
}

bracketed() { [[ $1 == *:* ]] && echo "[$1]" || echo "$1"; }

# All of 4444 is the listener's, to whatever address it is sent; REDIRECT makes
# the link's first one of it.
redirect() {
	local status=0
	# shellcheck disable=SC2046	# words
	listen "$1" $(listener "$GW_PORT") &&
		nat prerouting dstnat udp dport 4444 \
			redirect to ":$GW_PORT" &&
		peer_to "$second" 4444 && both_ways "$second" 4444 &&
		peer_to "$far" 4444 && both_ways "$far" 4444 || status=1
	nft_gw delete table "$ip" nat
	return $status
}

# The gateway speaks first, and its address is changed on the way out: the peer
# hears of the other one and sends there.
snat() { # 4|6 ADDRESS STATEMENT
	local status=0
	# shellcheck disable=SC2046	# words
	listen "$1" $(listener "$GW_PORT" "$first") &&
		nat postrouting srcnat "udp sport $GW_PORT" "$3" &&
		peer_to "$2" 7777 && gateway_first && both_ways "$2" 7777 ||
		status=1
	nft_gw delete table "$ip" nat
	return $status
}

snat_to_address() {
	more_addresses "$1"
	snat "$1" "$second" "snat to $(bracketed "$second"):7777"
}

masquerade() {
	more_addresses "$1"
	snat "$1" "$(first_of_link)" "masquerade to :7777"
}

# The address that the kernel takes for what it sends to the peer
first_of_link() {
	ip -n "$gw" route get "$peer_addr" | sed -n 's/.* src \([^ ]*\) .*/\1/p'
}

gateway_first() {
	wait_for "the first packet, from the gateway" 5 \
		nsexec "$gw" ping -q -c 1 -W 1 10.8.0.2
}

require "more addresses" addresses_up
check "R10, R15: several listeners, IPv4" listeners 4
check "R10, R15: several instances, IPv4" instances 4
check "R15: multihomed listener, IPv4" multihomed 4
check "R15: outer DNAT to the listener, IPv4" dnat 4
check "R15: outer REDIRECT to the listener, IPv4" redirect 4
check "R15: outer SNAT on the way out, IPv4" snat_to_address 4
check "R15: outer masquerade on the way out, IPv4" masquerade 4
check "R10, R15: several listeners, IPv6" listeners 6
check "R10, R15: several instances, IPv6" instances 6
check "R15: multihomed listener, IPv6" multihomed 6
check "R15: outer DNAT to the listener, IPv6" dnat 6
check "R15: outer REDIRECT to the listener, IPv6" redirect 6
check "R15: outer SNAT on the way out, IPv6" snat_to_address 6
check "R15: outer masquerade on the way out, IPv6" masquerade 6
run_checks
