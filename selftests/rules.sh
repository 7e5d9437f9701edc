#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# rules.sh - what the fast path passes by would have said the same. Rules that
# answer anew for each packet, or do something to it, are asked for each packet;
# rules that do not are asked once. Each is tried with "fastpath off" as well:
# what arrives is the same.
#
# The flows are those of flow.sh: from the LAN ("down"), and from the gateway
# ("local_down").
#
# shellcheck disable=SC2119	# down and up have an argument of their own

. "$(dirname "$0")/flow.sh"

# named by setup_ns
other=

for t in iptables-legacy ip6tables-legacy iptables-nft ipset; do
	command -v "$t" >/dev/null || skip_all "needs $t"
done

tun() { run gwnl instance-set ifindex=tun0 "instance{" "$@" "}"; }

# WAY: from where a datagram of the flow comes, and what then is
way() {
	case $1 in
	down) chain=forward src=$b sport=7001 ns=$lan ;;
	local_down) chain=output src=$gw_inner sport=7002 ns=$gw ;;
	esac
}

# WAY COUNT: so many datagrams, one after the other; which of them arrive, as
# "1101", is left in $pattern
burst() {
	local hex way=$1 words=() i
	way "$way"
	pattern=
	for ((i = 0; i < $2; i++)); do
		printf -v hex '%08x' $((sequence += 1))
		words+=("$hex")
		# An OUTPUT rule is an error for the sender.
		ask "$ns" send "$src" "$sport" "$a" 7000 "$hex"
	done
	passed_by || return
	for hex in "${words[@]}"; do
		if lines_are 1 "^$hex$" peer_udp; then
			pattern+=1
		else
			pattern+=0
		fi
	done
}

# What was sent before has arrived or will not: a ping by the same links has.
passed_by() {
	nsexec "$gw" ping -q -c 1 -W 2 198.51.100.2 &&
		nsexec "$peer" ping -q -c 1 -W 2 192.0.2.1
} >/dev/null

# The flow is there, and as armed as the mode allows.
begin() { # MODE WAY
	forget peer_udp
	tun fastpath="$1" && up && "$2" && "$2" || return
	[ "$1" = off ] || { mark && "$2" && expect_rise tx-fast-packets -eq 1; }
}

# FAMILY WAY SET-UP UNDO: the same datagrams of a burst arrive in either mode,
# some do and some do not; {ip}, {addr}, {src} and {chain} stand for what they
# are. Conntrack counts for that.
same() {
	local mode off
	ends "$1"
	way "$2"
	for mode in off accepted; do
		begin "$mode" "$2" || return
		setting "$3" || fail "cannot set: $3" || return
		burst "$2" 8 || return
		setting "$4" || return
		echo "  $mode: $pattern"
		[ "$mode" = accepted ] || off=$pattern
	done
	[ "$pattern" = "$off" ] || fail "not as with fastpath off" || return
	[[ $pattern == *0* ]] || fail "the rule has stopped nothing"
}

# Words in braces are replaced, the rest is a line of shell in the gateway.
setting() {
	local line=$1
	line=${line//'{ip}'/"$ip"}
	line=${line//'{addr}'/"$a"}
	line=${line//'{src}'/"$src"}
	line=${line//'{chain}'/"$chain"}
	run nsexec "$gw" bash -c "$line"
}

# A rule at the head of the chain, in the syntax of nft
same_nft() { # FAMILY WAY RULE
	same "$1" "$2" "nft 'insert rule inet fw {chain} {ip} daddr {addr} $3'" \
		"nft -f $tmp/rules"
}

# The table as it was, with the sets and objects of the tests
rules_again() { nft -f "$tmp/rules"; }

# --- verdicts that must not be remembered

# FAMILY WAY RULE: the rule lets everything pass, and the flow is never armed
volatile() {
	ends "$1"
	way "$2"
	begin accepted "$2" || return
	# shellcheck disable=SC2086	# words
	rule_add "$chain" $ip daddr "$a" $3 || return
	mark
	"$2" && "$2" && "$2" && expect_rise tx-egress-packets -eq 3 &&
		expect_rise unarmed.rule -eq 3 &&
		told_unarmed "$2" rule || return
	rule_del && "$2" && mark && "$2" &&
		expect_rise tx-fast-packets -eq 1
}

told_unarmed() { # WAY REASON
	if [ "$1" = down ]; then
		told dst-port=7001 reply.unarmed="$2"
	else
		told src-port=7002 original.unarmed="$2"
	fi
}

# FAMILY WAY RULE: the rule is asked, and the flow is armed
stable() {
	ends "$1"
	way "$2"
	begin accepted "$2" || return
	# shellcheck disable=SC2086	# words
	rule_add "$chain" $ip daddr "$a" $3 || return
	"$2" && mark && "$2" && "$2" && expect_rise tx-fast-packets -eq 2 &&
		expect_rise unarmed.rule -eq 0 || return
	rule_del
}

# Every function that evaluates an nf_tables expression or object in this kernel,
# and a rule with it. "-" is for those that no rule can have that a flow passes
# (of other families and hooks, for other protocols, or that drop), all of which
# are volatile, and for parts of others.
nft_table() {
	cat <<-'EOT'
	nft_bitwise_eval	stable	udp sport & 0xff00 != 0 counter
	nft_byteorder_eval	stable	udp sport 7001-7002 counter
	nft_cmp_eval		stable	ip6 saddr != ::7 counter
	nft_connlimit_eval	volatile	ct count 1000 counter
	nft_connlimit_obj_eval	-
	nft_counter_eval	stable	counter
	nft_counter_obj_eval	stable	counter name c
	nft_ct_get_eval		stable	ct state established counter
	nft_ct_get_eval		stable	ct mark 0 ct direction reply counter
	nft_ct_get_eval		volatile	ct packets > 0 counter
	nft_ct_get_eval		volatile	ct expiration > 0s counter
	nft_ct_get_eval		volatile	ct status seen-reply counter
	nft_ct_get_eval_counter	-
	nft_ct_get_fast_eval	stable	ct state established counter
	nft_ct_set_eval		volatile	ct mark set 0
	nft_ct_set_zone_eval	-
	nft_ct_expect_obj_eval	-
	nft_ct_helper_obj_eval	-
	nft_ct_timeout_obj_eval	-
	nft_dup_netdev_eval	-
	nft_dynset_eval		volatile	add @dyn { ip saddr }
	nft_exthdr_ipv4_eval	volatile	ip option rr exists counter
	nft_exthdr_ipv6_eval	-
	nft_exthdr_sctp_eval	-
	nft_exthdr_dccp_eval	-
	nft_exthdr_tcp_eval	-
	nft_exthdr_tcp_set_eval	-
	nft_exthdr_tcp_strip_eval	-
	nft_fib4_eval		volatile	fib saddr type unicast counter
	nft_fib4_eval_type	-
	nft_fib6_eval		-
	nft_fib6_eval_type	-
	nft_fib_inet_eval	volatile	fib daddr type unicast counter
	nft_flow_offload_eval	-
	nft_fwd_netdev_eval	-
	nft_fwd_neigh_eval	-
	nft_immediate_eval	stable	counter accept
	nft_jhash_eval		volatile	jhash udp sport mod 3 < 2 counter
	nft_symhash_eval	volatile	symhash mod 3 < 2 counter
	nft_inner_eval		-
	nft_last_eval		volatile	last
	nft_limit_pkts_eval	volatile	limit rate 1000/second counter
	nft_limit_bytes_eval	volatile	limit rate 1000 mbytes/second counter
	nft_limit_obj_pkts_eval	volatile	limit name l
	nft_limit_obj_bytes_eval	-
	nft_log_eval		volatile	log group 7
	nft_lookup_eval		stable	udp sport { 7001, 7002 } counter
	nft_lookup_eval		stable	udp sport vmap { 7001 : continue, 7002 : continue }
	nft_lookup_eval		volatile	ip daddr != @dyn counter
	nft_lookup_eval		volatile	ip daddr != @timed counter
	nft_masq_eval		-
	nft_match_eval		-
	nft_match_large_eval	-
	nft_meta_get_eval	stable	meta mark 0 meta l4proto udp meta nfproto ipv4 counter
	nft_meta_get_eval	volatile	meta length > 1 counter
	nft_meta_get_eval	volatile	meta hour >= "00:00" counter
	nft_meta_get_eval	volatile	meta cpu < 100 counter
	nft_meta_get_eval	volatile	meta priority != 0:7 counter
	nft_meta_get_eval	volatile	meta random < 4294967295 counter
	nft_meta_set_eval	volatile	meta mark set 0
	nft_meta_set_eval	volatile	meta priority set 0:6
	nft_meta_inner_eval	-
	nft_meta_bridge_get_eval	-
	nft_meta_bridge_set_eval	-
	nft_nat_eval		-
	nft_nat_inet_eval	-
	nft_ng_inc_eval		volatile	numgen inc mod 3 < 2 counter
	nft_ng_random_eval	volatile	numgen random mod 3 < 2 counter
	nft_notrack_eval	-
	nft_objref_eval		stable	counter name c
	nft_objref_map_eval	stable	counter name udp sport map { 7001 : "c", 7002 : "c" }
	nft_payload_eval	volatile	ip ttl > 1 counter
	nft_payload_eval	volatile	udp length > 1 counter
	nft_payload_eval	volatile	ip dscp != 63 counter
	nft_payload_eval	volatile	@ih,0,8 >= 0 counter
	nft_payload_eval	stable	ip saddr != 0.0.0.7 udp dport 7000 ip protocol udp counter
	nft_payload_set_eval	volatile	ip dscp set 0
	nft_payload_inner_eval	-
	nft_queue_eval		volatile	meta length > 65000 queue num 3 bypass
	nft_queue_sreg_eval	-
	nft_quota_eval		volatile	quota 1000 mbytes counter
	nft_quota_obj_eval	volatile	quota name q
	nft_range_eval		stable	udp sport != 1-2 counter
	nft_redir_eval		-
	nft_reject_bridge_eval	-
	nft_reject_inet_eval	-
	nft_reject_ipv4_eval	-
	nft_reject_ipv6_eval	-
	nft_reject_netdev_eval	-
	nft_rt_get_eval		volatile	rt ip nexthop != 0.0.0.7 counter
	nft_secmark_obj_eval	-
	nft_socket_eval		-
	nft_sock_get_eval_cgroupv2	-
	nft_synproxy_eval	-
	nft_synproxy_obj_eval	-
	nft_target_eval_bridge	-
	nft_target_eval_xt	-
	nft_tproxy_eval		-
	nft_tproxy_eval_v4	-
	nft_tproxy_eval_v6	-
	nft_tunnel_get_eval	-
	nft_tunnel_obj_eval	-
	nft_xfrm_get_eval	-
	nft_bitwise_eval_and	-
	nft_bitwise_eval_lshift	-
	nft_bitwise_eval_mask_xor	-
	nft_bitwise_eval_or	-
	nft_bitwise_eval_rshift	-
	nft_bitwise_eval_xor	-
	nft_bitwise_fast_eval	-
	nft_cmp16_fast_eval	-
	nft_cmp_fast_eval	-
	nft_connlimit_do_eval	-
	nft_counter_do_eval	-
	nft_payload_fast_eval	-
	nft_quota_do_eval	-
	nft_log_eval_audit	-
	nft_synproxy_do_eval	-
	nft_synproxy_eval_v4	-
	nft_synproxy_eval_v6	-
	nft_xfrm_get_eval_in	-
	nft_xfrm_get_eval_out	-
	nft_dup_ipv4_eval	-
	nft_dup_ipv6_eval	-
	nft_fib_netdev_eval	-
	nft_osf_eval	-
	EOT
}

# None of this kernel's may be missing there.
all_expressions() {
	local eval='(nft_[a-z0-9_]*_eval(_[a-z0-9]+)?)' name missing=0
	while read -r name; do
		grep -qP "^$name\t" <<<"$(nft_table)" && continue
		fail "nothing is known of $name"
		missing=1
	done < <(sed -nE "s/^[0-9a-f]+ [tT] $eval(\.[a-z0-9.]+)?( \[.*)?$/\1/p" \
		/proc/kallsyms | grep -v 'nft_meta_get_eval_' | sort -u)
	return $missing
}

# The rules of x_tables: each match of this kernel and each target, with what
# becomes of a flow, by iptables-legacy and by iptables-nft. "-" is for those that
# no rule can have that the flow passes, all of which are volatile.
xt_table() {
	cat <<-'EOT'
	addrtype	volatile	-m addrtype --dst-type UNICAST
	comment		stable	-m comment --comment x
	connbytes	volatile	-m connbytes --connbytes 0: BYTES
	connmark	stable	-m connmark --mark 0
	conntrack	stable	-m conntrack --ctstate ESTABLISHED
	conntrack	volatile	-m conntrack --ctstatus SEEN_REPLY
	hashlimit	volatile	-m hashlimit --hashlimit-upto 1000/second --hashlimit-name h
	hl		volatile	-m hl --hl-gt 1
	icmp		-
	icmp6		-
	iprange		-
	length		volatile	-m length --length 1:1500
	limit		volatile	-m limit --limit 1000/second --limit-burst 100
	mark		stable	-m mark --mark 0
	multiport	stable	-m multiport --dports 7000,7001
	pkttype		-
	quota		volatile	-m quota --quota 100000000
	recent		volatile	-m recent --set
	rt		stable	-m rt ! --rt-type 0
	set		volatile	-m set ! --match-set none src
	state		stable	-m state --state ESTABLISHED
	statistic	volatile	-m statistic --mode nth --every 2 --packet 0
	tcp		-
	ttl		volatile	-m ttl --ttl-gt 1
	udp		stable	-m udp --dport 7000
	udplite		-
	CONNMARK	volatile	-j CONNMARK --set-mark 0
	DNAT		-
	ERROR		-
	LOG		volatile	-j LOG --log-level debug
	MARK		volatile	-j MARK --set-mark 0
	MASQUERADE	-
	REJECT		-
	SET		volatile	-j SET --add-set seen src
	SNAT		-
	EOT
}

# Every module of a kind in this kernel: they are known when they are loaded.
load_all() {
	sed -nE 's,.*/((xt|ipt|ip6t|nft)_[A-Za-z0-9_]+)\.ko.*,\1,p' \
		"/lib/modules/$(uname -r)"/modules.{builtin,dep} 2>/dev/null |
		sort -u | xargs -rn 1 modprobe -q 2>/dev/null
	iptables-legacy -L -n >/dev/null
	ip6tables-legacy -L -n >/dev/null
}

all_of_xtables() {
	local name missing=0
	while read -r name; do
		grep -qP "^$name\t" <<<"$(xt_table)" && continue
		fail "nothing is known of $name"
		missing=1
	done < <(sort -u /proc/net/ip{,6}_tables_{matches,targets})
	return $missing
}

# FAMILY WAY PROGRAM EXPECTED MATCH...
xt() {
	local wanted=$4 tables=$3
	ends "$1"
	way "$2"
	[ "$ip" = ip ] || tables=${tables/iptables/ip6tables}
	begin accepted "$2" || return
	run nsexec "$gw" "$tables" -w -I "${chain^^}" -p udp -d "$a" \
		"${@:5}" || return
	mark
	"$2" && "$2" && "$2" || return
	if [ "$wanted" = volatile ]; then
		expect_rise tx-egress-packets -eq 3 &&
			expect_rise unarmed.rule -eq 3 &&
			told_unarmed "$2" rule
	else
		expect_rise tx-egress-packets -eq 1 &&
			expect_rise tx-fast-packets -eq 2
	fi || return
	run nsexec "$gw" "$tables" -w -F && "$2" && mark && "$2" &&
		expect_rise tx-fast-packets -eq 1
}

# FAMILY WAY: a table of iptables-legacy is replaced
xt_replaced() {
	local tables=iptables-legacy
	ends "$1"
	way "$2"
	[ "$ip" = ip ] || tables=ip6tables-legacy
	begin accepted "$2" || return
	run nsexec "$gw" $tables -w -I "${chain^^}" -p udp --dport 7000 \
		-j DROP || return
	not_sent "$2" && not_sent "$2" || return
	run nsexec "$gw" $tables -w -F && by egress "$2" && by fast "$2"
}

# --- for which packets

# FAMILY MODE: a datagram of the flow comes by another interface, where a rule
# refuses it
other_interface() {
	ends "$1"
	begin "$2" down || return
	rule_add forward iifname veth2 counter drop &&
		begin "$2" down || return
	mark
	other_sends && expect_rise vpn-tx-packets -eq 0 || return
	rule_del && down
}

# By the other link, as the host in the LAN
other_sends() {
	local hex
	printf -v hex '%08x' $((sequence += 1))
	ask "$other" send "${1:-$b}" "${2:-7001}" "$a" 7000 "$hex" || return
	run nsexec "$other" ping -q -c 1 -W 2 203.0.113.1 && passed_by || return
	lines_are 0 "^$hex$" peer_udp || fail "datagram $hex has arrived"
}

other_up() {
	setup_ns other || return
	ip -n "$gw" link add veth2 type veth peer name veth0 netns "$other" &&
		ip -n "$gw" addr add 203.0.113.1/24 dev veth2 &&
		ip -n "$gw" addr add 2001:db8:3::1/64 dev veth2 nodad &&
		ip -n "$gw" link set veth2 up &&
		ip -n "$other" addr add 203.0.113.2/24 dev veth0 &&
		ip -n "$other" addr add 2001:db8:3::2/64 dev veth0 nodad &&
		ip -n "$other" link set veth0 up &&
		ip -n "$other" route add default via 203.0.113.1 &&
		ip -n "$other" route add default via 2001:db8:3::1 &&
		nsexec "$other" sysctl -qw net.ipv4.conf.all.rp_filter=0 &&
		wait_for "the other link" 5 nsexec "$other" ping -q -c 1 -W 1 \
			203.0.113.1
}

# MODE: strict reverse path filtering, switched on in mid-flow
rp_filter() {
	ends 4
	begin "$1" down || return
	nsexec "$gw" sysctl -qw net.ipv4.conf.veth2.rp_filter=1
	down && mark && other_sends && expect_rise vpn-tx-packets -eq 0
	local status=$?
	nsexec "$gw" sysctl -qw net.ipv4.conf.veth2.rp_filter=0
	return $status
}

# The same for the interface that is armed: the route back goes elsewhere.
rp_filter_armed() { # MODE
	local status=0
	ends 4
	begin "$1" down && run ip -n "$gw" route add 198.51.100.2/32 dev veth2 &&
		down || return
	[ "$1" = off ] || by fast || return
	nsexec "$gw" sysctl -qw net.ipv4.conf.veth1.rp_filter=1
	mark
	one_is_lost && expect_rise vpn-tx-packets -eq 0 || status=1
	nsexec "$gw" sysctl -qw net.ipv4.conf.veth1.rp_filter=0
	ip -n "$gw" route del 198.51.100.2/32 dev veth2
	[ $status -eq 0 ] && down
}

# is_lost() pings by the link that is not to be used.
one_is_lost() {
	local hex
	printf -v hex '%08x' $((sequence += 1))
	ask "$lan" send "$b" 7001 "$a" 7000 "$hex" || return
	nsexec "$other" ping -q -c 1 -W 2 203.0.113.1 >/dev/null &&
		nsexec "$peer" ping -q -c 1 -W 2 192.0.2.1 >/dev/null || return
	lines_are 0 "^$hex$" peer_udp || fail "datagram $hex has arrived"
}

# FAMILY MODE: a host outside uses the gateway's own address, of an armed flow
own_address() {
	ends "$1"
	begin "$2" local_down || return
	rule_add forward "$ip" saddr "$gw_inner" drop && begin "$2" local_down || return
	mark
	other_sends "$gw_inner" 7002 && expect_rise vpn-tx-packets -eq 0 || return
	rule_del
}

# FAMILY WAY MODE: the conntrack mark changes under an armed flow
ct_mark() {
	local f=ipv4
	ends "$1"
	way "$2"
	[ "$1" = 4 ] || f=ipv6
	begin "$3" "$2" && rule_add "$chain" ct mark 7 drop &&
		begin "$3" "$2" || return
	run nsexec "$gw" conntrack -U -f $f -p udp -m 7 && not_sent "$2" || return
	run nsexec "$gw" conntrack -U -f $f -p udp -m 0 && "$2" &&
		rule_del
}

# MODE: packets of an armed flow with another DSCP, of which a routing rule knows
other_dscp() {
	ends 4
	begin "$1" down && run ip -n "$gw" rule add to 10.8.0.2 tos 0x10 blackhole &&
		begin "$1" down || return
	mark
	local hex status=0
	printf -v hex '%08x' $((sequence += 1))
	ask "$lan" send tos=0x10 "$b" 7001 "$a" 7000 "$hex" && passed_by &&
		lines_are 0 "^$hex$" peer_udp && expect_rise vpn-tx-packets -eq 0 ||
		status=1
	ip -n "$gw" rule del to 10.8.0.2 tos 0x10 blackhole
	return $status
}

# MODE: a packet of an armed flow with another flow label, of which a routing rule
# knows
other_label() {
	local hex status=0
	ends 6
	begin "$1" down && ask "$gw" label-rule add fd08::2 16 && down && down ||
		return
	mark
	printf -v hex '%08x' $((sequence += 1))
	ask "$lan" send label=16 "$b" 7001 "$a" 7000 "$hex" && passed_by &&
		lines_are 0 "^$hex$" peer_udp && expect_rise vpn-tx-packets -eq 0 ||
		status=1
	ask "$gw" label-rule del fd08::2 16 && down || status=1
	return $status
}

# Flow labels lead to either member of a multipath route.
label_multipath() {
	local hex i mode off='' pattern route status=0
	ends 6
	route="fd08::2/128 nexthop via fe80::99 dev tun0 nexthop via 2001:db8:3::2 dev veth2"
	for mode in off accepted; do
		pattern=
		tun fastpath=$mode && up || return
		# shellcheck disable=SC2086	# words
		run ip -n "$gw" route add $route || return
		for i in {1..16} {1..16}; do
			printf -v hex '%08x' $((sequence += 1))
			ask "$lan" send label="$i" "$b" 7001 "$a" 7000 "$hex"
			passed_by || status=1
			if lines_are 1 "^$hex$" peer_udp; then
				pattern+=1
			else
				pattern+=0
			fi
		done
		ip -n "$gw" route del fd08::2/128
		echo "  $mode: $pattern"
		[ "$mode" = accepted ] || off=$pattern
	done
	[ "$pattern" = "$off" ] || fail "not as with fastpath off" || return
	[[ $pattern == *0* && $pattern == *1* ]] ||
		fail "all labels lead to one member"
	return $status
}

# FAMILY WAY: only flows with a mark
marked() {
	local f=ipv4
	ends "$1"
	[ "$1" = 4 ] || f=ipv6
	tun fastpath=marked fastpath-mark=0x10 fastpath-mask=0xf0 && up &&
		by egress "$2" && by egress "$2" &&
		told_unarmed "$2" mark || return
	run nsexec "$gw" conntrack -U -f $f -p udp -m 0x12 || return
	by egress "$2" && by fast "$2" || return
	run nsexec "$gw" conntrack -U -f $f -p udp -m 0x22 || return
	by egress "$2" && by egress "$2" || return
	run nsexec "$gw" conntrack -U -f $f -p udp -m 0
	tun fastpath=accepted && "$2" && by fast "$2"
}

# --- what stands beside rules

lan_end() { # FAMILY
	gw_lan=198.51.100.1
	[ "$1" = 4 ] || gw_lan=2001:db8:2::1
}

# FAMILY MODE: packets that a policy of IPsec wants in ESP come in clear
ipsec() {
	local status=0
	ends "$1"
	lan_end "$1"
	begin "$2" down || return
	run ip -n "$gw" xfrm policy add src "$b" dst "$a" dir fwd tmpl src "$b" \
		dst "$gw_lan" proto esp mode tunnel || return
	not_sent || status=1
	run ip -n "$gw" xfrm policy del src "$b" dst "$a" dir fwd
	[ $status -eq 0 ] && down
}

# FAMILY MODE: they come in ESP, and then in clear
ipsec_then_clear() {
	local status=0 ns dir
	ends "$1"
	lan_end "$1"
	begin "$2" down || return
	for ns in "$gw" "$lan"; do
		ip -n "$ns" xfrm state add src "$b" dst "$gw_lan" proto esp spi 7 \
			mode tunnel enc "cbc(aes)" 0x000102030405060708090a0b0c0d0e0f \
			auth "hmac(sha256)" \
			0x000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f ||
			return
	done
	for dir in fwd out; do
		ns=$gw
		[ $dir = fwd ] || ns=$lan
		ip -n "$ns" xfrm policy add src "$b" dst "$a" dir $dir tmpl \
			src "$b" dst "$gw_lan" proto esp mode tunnel || return
	done
	rule_add input meta l4proto esp accept
	{ down && down && down; } || status=1
	[ "$2" = off ] || told dst-port=7001 reply.unarmed=ipsec || status=1
	ip -n "$lan" xfrm policy flush
	[ $status -eq 0 ] && { not_sent && not_sent || status=1; }
	for ns in "$gw" "$lan"; do
		ip -n "$ns" xfrm policy flush
		ip -n "$ns" xfrm state flush
	done
	rule_del
	[ $status -eq 0 ] && down
}

# FAMILY MODE: BPF programs of the sender's control group
cgroup_bpf() {
	local status=0 dir=$tmp/cgroup
	ends "$1"
	mkdir -p "$dir"
	mountpoint -q "$dir" || mount -t cgroup2 none "$dir" || return
	mkdir -p "$dir/test"
	begin "$2" local_down && group_sends && group_sends || return
	"$tool" cgroup "$dir/test" drop || return
	mark
	group_sends lost && group_sends lost &&
		expect_rise vpn-tx-packets -eq 0 && local_down || status=1
	"$tool" cgroup "$dir/test" pass
	group_sends || status=1
	return $status
}

# [lost]: a datagram from a process of that group
group_sends() {
	local hex
	printf -v hex '%08x' $((sequence += 1))
	(
		echo "$BASHPID" >"$tmp/cgroup/test/cgroup.procs"
		"$tool" -n "$gw" send "$gw_inner" 7002 "$a" 7000 "$hex"
	)
	if [ -n "${1-}" ]; then
		passed_by || return
		lines_are 0 "^$hex$" peer_udp ||
			fail "datagram $hex has arrived"
	else
		wait_for "datagram $hex" 5 lines_are 1 "^$hex$" peer_udp
	fi
}

# FAMILY MODE: one transaction that takes its time, and at its end the policy
long_commit() {
	local pid status=0
	ends "$1"
	{
		echo "table inet big {"
		echo "set s { type ipv4_addr; elements = {"
		printf '%s,\n' 10.{200..250}.{0..250}.1
		echo "}; }"
		echo "}"
	} >"$tmp/big"
	begin "$2" down && nft -f "$tmp/big" || return
	(
		while :; do
			"$tool" -n "$lan" send "$b" 7001 "$a" 7000 00 00 00 00 00
		done
	) 2>/dev/null &
	pid=$!
	nft -f - <<-RULES || status=1
	delete table inet big
	flush chain inet fw forward
	RULES
	kill $pid
	wait $pid 2>/dev/null
	passed_by
	not_sent && not_sent || status=1
	rules_again
	[ $status -eq 0 ] && down
}

# MODE: an IPv6 route is used that is not the first of its prefix
second_route() {
	local status=0
	ends 6
	ip -n "$gw" link add dummy6 type veth peer name dummy7 &&
		nsexec "$gw" sysctl -qw net.ipv6.conf.dummy6.ignore_routes_with_linkdown=1 &&
		ip -n "$gw" link set dummy6 up || return
	# fd08::/64 would be used in its place
	ip -n "$gw" route del fd08::/64 dev tun0
	ip -n "$gw" route add fd08::2/128 dev dummy6 metric 1 &&
		ip -n "$gw" route add fd08::2/128 dev tun0 metric 2 &&
		begin "$1" down || status=1
	run ip -n "$gw" route del fd08::2/128 dev tun0 metric 2 &&
		not_sent || status=1
	ip -n "$gw" link del dummy6
	ip -n "$gw" route add fd08::/64 dev tun0
	[ $status -eq 0 ] && down
}

# A route that expires does not arm.
expiring_route() {
	local status=0
	ends 6
	begin accepted down || return
	ip -n "$gw" route add fd08::2/128 dev tun0 expires 600 &&
		by egress && by egress && told dst-port=7001 reply.unarmed=route ||
		status=1
	ip -n "$gw" route del fd08::2/128 dev tun0
	[ $status -eq 0 ] && by egress && by fast
}

# FAMILY: a route has an MTU of its own
route_mtu() {
	local status=0 route
	ends "$1"
	begin accepted down || return
	# That of IPv6 is asked for what is forwarded only when it is locked.
	route="$a dev tun0 mtu lock 1300"
	# shellcheck disable=SC2086	# words
	ip -n "$gw" route add $route &&
		by egress && by egress && told dst-port=7001 reply.unarmed=route ||
		status=1
	# shellcheck disable=SC2086
	ip -n "$gw" route del $route
	[ $status -eq 0 ] && by egress && by fast
}

# The forwarded packet has the priority of its type of service, and so has the
# outer packet.
priority() { # MODE
	local hex i n
	ends 4
	begin "$1" down || return
	nft add table inet prio &&
		nft add chain inet prio out "{ type filter hook postrouting priority 300; }" &&
		nft add rule inet prio out udp sport "$GW_PORT" meta priority 0:6 counter &&
		begin "$1" down || return
	for i in 1 2 3 4; do
		printf -v hex '%08x' $((sequence += 1))
		ask "$lan" send tos=0x10 "$b" 7001 "$a" 7000 "$hex" &&
			wait_for "datagram $hex" 5 lines_are 1 "^$hex$" peer_udp ||
			return
	done
	n=$(nsexec "$gw" nft list chain inet prio out |
		sed -n 's/.*packets \([0-9]*\) .*/\1/p')
	nft delete table inet prio
	expect "packets with priority 0:6" "$n" -eq 4
}

# Group addresses are looped back to own listeners, by the normal path.
group_address() {
	local status=0 hex
	ends 4
	begin accepted local_down &&
		run gwnl peer-set ifindex=tun0 "peer{" id="$PEER_ID" "network{" \
			ipv4=239.0.0.0 prefix-len=8 "}" "}" &&
		ip -n "$gw" route add 239.0.0.0/8 dev tun0 || return
	mark
	for hex in 01 02 03; do
		ask "$gw" send "$gw_inner" 7002 239.1.2.3 7000 $hex || status=1
	done
	expect_rise tx-fast-packets -eq 0 && expect_rise tx-egress-packets -eq 3 &&
		expect_rise unarmed.group -eq 3 || status=1
	ip -n "$gw" route del 239.0.0.0/8 dev tun0
	run gwnl peer-set ifindex=tun0 "peer{" id="$PEER_ID" no-networks= "}"
	return $status
}

# The mode "eager" does not pass a helper by.
eager_helper() {
	ends 4
	tun fastpath=eager && nft -f - <<-RULES || return
	table inet help {
		ct helper own { type "ftp" protocol tcp; }
		chain pre {
			type filter hook prerouting priority -150
			tcp dport 21 ct helper set own
		}
	}
	RULES
	mark
	tcp_transfer "$peer" "$lan" 198.51.100.2 21 &&
		expect_rise tx-fast-packets -eq 0
	local status=$?
	nft delete table inet help
	tun fastpath=accepted
	return $status
}

# A header is changed for each packet, not for the first ones.
# FAMILY WAY MODE RULE MATCH: the rule of the gateway, what the peer sees
mangled() {
	local n i
	ends "$1"
	way "$2"
	begin "$3" "$2" || return
	nft -f - <<-RULES || return
	table inet mangle {
		chain post {
			type filter hook postrouting priority mangle
			udp dport 7000 $4
		}
	}
	RULES
	nsexec "$peer" nft -f - <<-RULES || return
	table inet seen {
		chain in {
			type filter hook prerouting priority 0
			udp dport 7000 $5 counter
		}
	}
	RULES
	for i in 1 2 3 4; do "$2" || return; done
	n=$(nsexec "$peer" nft list chain inet seen in |
		sed -n 's/.*packets \([0-9]*\) .*/\1/p')
	nft delete table inet mangle
	nsexec "$peer" nft delete table inet seen
	expect "datagrams that are changed" "$n" -eq 4
}

# FAMILY MODE: what comes in fragments is put together for conntrack, and leaves in
# fragments that are no larger
fragments() {
	local n hex status=0 match="ip frag-off & 0x3fff != 0"
	ends "$1"
	[ "$1" = 4 ] || match="exthdr frag exists"
	begin "$2" down || return
	nsexec "$peer" nft -f - <<-RULES || return
	table inet seen {
		chain in {
			type filter hook prerouting priority -450
			$match counter
		}
	}
	RULES
	for n in 1 2; do
		printf -v hex '%08x%032x' $((sequence += 1)) 0
		ask "$lan" send fragment=16 "$b" 7001 "$a" 7000 "$hex" &&
			wait_for "datagram $hex" 5 lines_are 1 "^$hex$" peer_udp ||
			status=1
	done
	n=$(nsexec "$peer" nft list chain inet seen in |
		sed -n 's/.*packets \([0-9]*\) .*/\1/p')
	nsexec "$peer" nft delete table inet seen
	expect "fragments" "$n" -eq 4 && return $status
}

# --- the list

prepare() {
	start && other_up || return
	ends 4
	nsexec "$gw" sysctl -qw net.netfilter.nf_conntrack_acct=1
	nsexec "$gw" conntrack -F
	nsexec "$gw" ipset create none hash:ip
	nsexec "$gw" ipset create seen hash:ip
	nft -f - <<-'RULES' || return
	table inet fw {
		set dyn { type ipv4_addr; flags dynamic; size 100; }
		set timed { type ipv4_addr; flags timeout; }
		set timed6 { type ipv6_addr; flags timeout; }
		counter c { }
		quota q { 1000 mbytes }
		limit l { rate 1000/second }
	}
	RULES
	{
		echo "delete table inet fw"
		nsexec "$gw" nft list table inet fw
	} >"$tmp/rules"
}

load_all
require "a tunnel under rules" prepare
check "each nf_tables expression is known" all_expressions
check "each match and target of x_tables is known" all_of_xtables

modes="off accepted"
ways="down local_down"

while IFS=$'\t' read -r name verdict rule; do
	[ "$verdict" != - ] || continue
	for w in $ways; do
		r=$rule
		[ "$w" = down ] || r=${r/direction reply/direction original}
		f=4
		[[ $r != ip6* ]] || f=6
		check "$verdict: $rule, $w" "$verdict" "$f" "$w" "$r"
	done
done < <(nft_table | tr -s '\t')
while IFS=$'\t' read -r name verdict rule; do
	[ "$verdict" != - ] || continue
	rule=${rule/BYTES/--connbytes-dir both --connbytes-mode bytes}
	# not in this kernel
	grep -qx "$name" /proc/net/ip{,6}_tables_{matches,targets} || continue
	for f in 4 6; do
		case $name-$f in set-6 | SET-6 | ttl-6 | rt-4 | hl-4) continue ;; esac
		# shellcheck disable=SC2086	# words
		check "$verdict: iptables-legacy $rule, IPv$f" xt "$f" down \
			iptables-legacy "$verdict" $rule
	done
	case $name in rt | hl) continue ;; esac
	# shellcheck disable=SC2086
	check "$verdict: iptables-nft $rule" xt 4 down iptables-nft "$verdict" $rule
	# shellcheck disable=SC2086
	check "$verdict: iptables-legacy $rule, local" xt 4 local_down \
		iptables-legacy "$verdict" $rule
done < <(xt_table | tr -s '\t')

for f in 4 6; do
	for w in $ways; do
		check "F3: a limit, IPv$f, $w" same_nft "$f" "$w" \
			"limit rate over 1/hour burst 3 packets drop"
		check "F3: a quota, IPv$f, $w" same_nft "$f" "$w" \
			"quota over 200 bytes drop"
		check "F3: one of three, IPv$f, $w" same_nft "$f" "$w" \
			"numgen inc mod 3 == 0 drop"
		check "F3: the packets of a connection, IPv$f, $w" same_nft "$f" "$w" \
			"ct packets > 12 drop"
		check "F6: a table of iptables-legacy, IPv$f, $w" xt_replaced "$f" "$w"
		check "F5: conntrack mark, IPv$f, $w" ct_mark "$f" "$w" accepted
		check "fastpath marked, IPv$f, $w" marked "$f" "$w"
		for m in $modes; do
			if [ "$f" = 4 ]; then x=ip; else x=ip6; fi
			check "F4: DSCP is set, IPv$f, $w, fastpath $m" mangled "$f" "$w" \
				"$m" "$x dscp set cs5" "$x dscp cs5"
		done
	done
	for m in $modes; do
		check "F1: another interface, IPv$f, fastpath $m" other_interface "$f" "$m"
		check "F1: the gateway's own address, IPv$f, fastpath $m" own_address "$f" "$m"
		check "F2: IPsec is asked for, IPv$f, fastpath $m" ipsec "$f" "$m"
		check "F7: BPF of a control group, IPv$f, fastpath $m" cgroup_bpf "$f" "$m"
		check "F8: a long transaction, IPv$f, fastpath $m" long_commit "$f" "$m"
		check "fragments, IPv$f, fastpath $m" fragments "$f" "$m"
	done
	check "F13: MTU of a route, IPv$f" route_mtu "$f"
done
for m in $modes; do
	check "F1: rp_filter, another interface, fastpath $m" rp_filter "$m"
	check "F1: rp_filter, the route has gone, fastpath $m" rp_filter_armed "$m"
	check "F2: in ESP, then in clear, IPv4, fastpath $m" ipsec_then_clear 4 "$m"
	check "F2: in ESP, then in clear, IPv6, fastpath $m" ipsec_then_clear 6 "$m"
	check "F9: an IPv6 route behind another, fastpath $m" second_route "$m"
	check "a routing rule for DSCP, fastpath $m" other_dscp "$m"
	check "a routing rule for a flow label, fastpath $m" other_label "$m"
	check "F13: priority, fastpath $m" priority "$m"
done
check "flow labels and a multipath route" label_multipath
check "F9: a route that expires" expiring_route
check "F11: a group address" group_address
check "F12: eager and a helper" eager_helper
run_checks
