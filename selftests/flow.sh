# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the tests share that look at one flow: UDP between 10.8.0.2 port 7000
# (peer) and 198.51.100.2 port 7001 (LAN), or the same over IPv6, one datagram at
# a time, and another one between the gateway's port 7002 and the peer. The peer
# opens the first; the rules accept nothing new from the LAN.
#
# shellcheck disable=SC2034,SC2119,SC2120	# what the tests use

# shellcheck source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

rules() {
	nsexec "$gw" nft -f - <<-RULES
	flush ruleset
	table inet fw {
		set blocked { typeof ip daddr; }
		chain input {
			type filter hook input priority filter; policy drop
			ct state established,related accept
			iifname tun0 accept
			udp dport $GW_PORT accept
			meta l4proto { 1, 58 } accept
		}
		chain forward {
			type filter hook forward priority filter; policy drop
			ip daddr @blocked counter drop
			ct state established,related accept
			iifname tun0 ct state new accept
		}
		chain output {
			type filter hook output priority filter
		}
	}
	RULES
}

ends() { # 4|6
	if [ "$1" = 4 ]; then
		a=10.8.0.2 b=198.51.100.2 gw_inner=10.8.0.1 ip=ip
	else
		a=fd08::2 b=2001:db8:2::2 gw_inner=fd08::1 ip=ip6
	fi
}

sequence=0

# FROM SPORT TO DPORT NAMESPACE LOG: one datagram, which is to arrive
arrives() {
	local hex
	printf -v hex '%08x' $((sequence += 1))
	ask "$5" send "$1" "$2" "$3" "$4" "$hex" &&
		wait_for "datagram $hex from $1 in $6.log" 5 \
			lines_are 1 "^$hex$" "$6"
}

# The same; it is not to arrive, while a ping sent after it has.
is_lost() {
	local hex
	printf -v hex '%08x' $((sequence += 1))
	# An OUTPUT rule is an error for the sender.
	ask "$5" send "$1" "$2" "$3" "$4" "$hex"
	run nsexec "$gw" ping -q -c 1 -W 2 198.51.100.2 &&
		run nsexec "$peer" ping -q -c 1 -W 2 192.0.2.1 || return
	lines_are 0 "^$hex$" "$6" || fail "datagram $hex from $1 has arrived"
}

up() { "${1:-arrives}" "$a" 7000 "$b" 7001 "$peer" lan_udp; }
down() { "${1:-arrives}" "$b" 7001 "$a" 7000 "$lan" peer_udp; }
local_down() { "${1:-arrives}" "$gw_inner" 7002 "$a" 7000 "$gw" peer_udp; }

# One datagram to the peer and the way that it takes, "fast" or "egress"
by() { # PATH [local_down]
	mark
	"${2:-down}" || return
	case $1 in
	fast) expect_rise tx-fast-packets -eq 1 &&
		expect_rise tx-egress-packets -eq 0 ;;
	egress) expect_rise tx-fast-packets -eq 0 &&
		expect_rise tx-egress-packets -eq 1 ;;
	esac
}

not_sent() { # [local_down]
	mark
	"${1:-down}" is_lost && expect_rise vpn-tx-packets -eq 0
}

# One datagram from the peer, the outer flow being armed or not
received() { # fast|slow
	mark
	up && expect_rise "rx-$1-packets" -eq 1 &&
		expect_rise vpn-rx-packets -eq 1
}

start() {
	rules && tunnel_up aes-gcm 256 4 || return
	run "$tool" -n "$peer" -b socket 10.8.0.2 7000 >>"$tmp/peer_udp.log" &&
		run "$tool" -n "$peer" -b socket fd08::2 7000 \
			>>"$tmp/peer_udp.log" &&
		run "$tool" -n "$lan" -b socket 198.51.100.2 7001 \
			>>"$tmp/lan_udp.log" &&
		run "$tool" -n "$lan" -b socket 2001:db8:2::2 7001 \
			>>"$tmp/lan_udp.log"
}

# The rest begins with an armed flow ...
armed() { # 4|6
	ends "$1"
	up && { by egress || by fast; } && by fast
}

# ... which after the change goes on, and is asked once.
goes_on() { by egress && by fast && by fast; }

nft() { run nsexec "$gw" nft "$@"; }

# CHAIN TEXT: a rule at the head of a chain, which rule_del() takes away
rule_add() {
	local out
	rule_chain=$1
	out=$(nsexec "$gw" nft -e -a insert rule inet fw "$@") || return
	echo "$out"
	handle=${out##*handle }
}

rule_del() { nft delete rule inet fw "$rule_chain" handle "$handle"; }
