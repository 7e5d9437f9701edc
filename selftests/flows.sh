#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# flows.sh - which flows are armed, as the kernel tells it, and disarming them;
# conntrack zones, helpers and notrack.

. "$(dirname "$0")/common.sh"

flows() { "$tool" -n "$gw" dump nf-ovpn flow-get ifindex=tun0; }

# The words are in the line of one flow, in this order.
told() { # WORD...
	local line word
	while read -r line; do
		line=" $line "
		for word in "$@"; do
			[[ $line == *" flow.$word "* ]] || continue 2
			line=" ${line#* flow."$word" }"
		done
		return 0
	done < <(flows)
	flows
	fail "no flow with $*"
}

# Of the outer flow only the direction towards us is armed, there is nothing to
# find on the way out.
shown() {
	pings "$peer" 198.51.100.2 && pings "$lan" fd08::2 || return
	told outer= src-ipv4=192.0.2.2 dst-ipv4=192.0.2.1 protocol=17 \
		src-port="$PEER_PORT" dst-port="$GW_PORT" \
		original.peer-id="$PEER_ID" original.armed= || return
	told src-ipv4=10.8.0.2 dst-ipv4=198.51.100.2 protocol=1 \
		reply.peer-id="$PEER_ID" reply.armed= &&
		told src-ipv6=2001:db8:2::2 dst-ipv6=fd08::2 protocol=58 \
			original.peer-id="$PEER_ID" original.armed=
}

armed() { flows | grep -c 'armed='; }

# None is armed after a flush, and all are again after their next packet.
flushed() {
	pings "$lan" 10.8.0.2 && expect "armed" "$(armed)" -ge 2 &&
		run gwnl flow-flush ifindex=tun0 &&
		expect "armed" "$(armed)" -eq 0 &&
		pings "$lan" 10.8.0.2 && expect "armed" "$(armed)" -ge 2
}

flush_refused() {
	local out
	out=$(gwnl flow-flush ifindex=veth0)
	echo "$out"
	[ "$out" = "ENODEV ifindex: no instance on this device" ] || return
	out=$(gwnl flow-flush)
	echo "$out"
	[ "$out" = "EINVAL ifindex missing" ]
}

# Many flows are told in many messages, each once.
many() {
	local i
	nsexec "$peer" socat -u UDP4-RECVFROM:9,fork,reuseaddr /dev/null &
	for ((i = 0; i < 300; i++)); do
		echo >"/dev/udp/10.8.0.2/9"
	done 2>/dev/null
	kill $! && wait $! 2>/dev/null
	# shellcheck disable=SC2016	# for the other shell
	nsexec "$lan" bash -c '
		for ((i = 10000; i < 10400; i++)); do
			exec 3<>/dev/udp/10.8.0.2/$i && echo >&3
		done'
	expect "flows" "$(flows | grep -c 'dst-port=10[0-3]')" -eq 400 &&
		expect "flows told twice" \
			"$(flows | sort | uniq -d | wc -l)" -eq 0
}

# A zone of its own for what comes from the LAN: nothing is mixed up, and all
# of it is fast.
zones() {
	local status=0
	nsexec "$gw" nft -f - <<-RULES || return
	table inet zones {
		chain pre {
			type filter hook prerouting priority raw
			iifname { veth1, tun0 } ct zone set 7
		}
		chain out {
			type filter hook output priority raw
			oifname tun0 ct zone set 7
		}
	}
	RULES
	mark
	pings "$lan" 10.8.0.2 && pings "$peer" 198.51.100.2 &&
		pings "$gw" 10.8.0.2 &&
		told src-ipv4=198.51.100.2 dst-ipv4=10.8.0.2 protocol=1 \
			zone=7 original.peer-id="$PEER_ID" original.armed= &&
		expect_rise tx-fast-packets -eq 12 || status=1
	nsexec "$gw" nft delete table inet zones
	return $status
}

# Without conntrack there is no flow to arm: all of it takes the normal path.
notrack() {
	local status=0
	nsexec "$gw" nft -f - <<-RULES || return
	table inet untracked {
		chain pre {
			type filter hook prerouting priority raw
			iifname { veth1, tun0 } notrack
		}
	}
	RULES
	mark
	pings "$lan" 10.8.0.2 && pings "$peer" 198.51.100.2 &&
		expect_rise tx-fast-packets -eq 0 &&
		expect_rise tx-egress-packets -eq 10 || status=1
	nsexec "$gw" nft delete table inet untracked
	return $status
}

# A flow with a helper stays on the normal path, where the helper sees each
# packet.
helper() {
	local status=0
	nsexec "$gw" nft -f - <<-RULES || return
	table inet helper {
		ct helper ftp {
			type "ftp" protocol tcp
		}
		chain pre {
			type filter hook prerouting priority filter
			tcp dport 5001 ct helper set "ftp"
		}
	}
	RULES
	mark
	tcp_transfer "$lan" "$peer" 10.8.0.2 &&
		expect_rise tx-fast-packets -eq 0 &&
		expect_rise tx-egress-packets -gt 1000 || status=1
	nsexec "$gw" nft delete table inet helper
	mark
	tcp_transfer "$lan" "$peer" 10.8.0.2 &&
		expect_rise tx-fast-packets -gt 1000 || status=1
	return $status
}

# A flow that conntrack knows from before there was an instance cannot be armed
# any more; nothing of it is lost.
older_flow() {
	tunnel_down
	nsexec "$gw" nft -f - <<-RULES || return
	table inet tracked {
		chain input {
			type filter hook input priority filter
			ct state new
		}
	}
	RULES
	echo early | nsexec "$peer" socat -u - \
		"UDP4:192.0.2.1:$GW_PORT,bind=192.0.2.2:$PEER_PORT" &&
		wait_for "the flow" 5 known_flow && tunnel_up aes-gcm 256 ||
		return
	mark
	pings "$peer" 198.51.100.2 && expect_rise rx-slow-packets -eq 5 &&
		expect_rise rx-userspace-packets -eq 0 &&
		run nsexec "$gw" conntrack -F &&
		pings "$peer" 198.51.100.2 && expect_rise rx-fast-packets -ge 4
}

known_flow() {
	nsexec "$gw" conntrack -L -p udp --sport "$PEER_PORT" 2>/dev/null |
		grep -q .
}

require "a tunnel" tunnel_up aes-gcm 256
check "R5: flows are told with their peers" shown
check "flows can be disarmed" flushed
check "refused: flow-flush" flush_refused
check "many flows are told" many
check "conntrack zones" zones
check "notrack" notrack
check "a conntrack helper" helper
check "R8: an outer flow older than the instance" older_flow
run_checks
