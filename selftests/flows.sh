#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# flows.sh - which flows are armed, as the kernel tells it, and disarming them;
# conntrack zones, helpers and notrack; entries that go, a table that is full.

. "$(dirname "$0")/common.sh"

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

armed() { flows | grep -c '[.]armed='; }

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
	ip netns exec "$peer" socat -u UDP4-RECVFROM:9,fork,reuseaddr \
		/dev/null &
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
		expect_rise tx-fast-packets -eq 10 || status=1
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

# The little of FTP by which a server opens a second connection to its client.
# It tells where to.
ftp_server() {
	cat >"$tmp/ftpd" <<-'EOF'
	#!/bin/bash
	printf '220 ready\r\n'
	while IFS=$' ,\r' read -r verb a b c d p q _; do
		case $verb in
		PORT)
			printf '150 to %s\r\n' "$a.$b.$c.$d"
			socat -u "OPEN:$1" "TCP4:$a.$b.$c.$d:$((p * 256 + q))" &&
				printf '226 done\r\n'
			;;
		*) printf '200 %s\r\n' "$verb" ;;
		esac
	done
	EOF
	chmod +x "$tmp/ftpd"
	ip netns exec "$lan" socat TCP4-LISTEN:21,reuseaddr \
		"EXEC:$tmp/ftpd $tmp/file" &
	ftp_pids=$!
	wait_local_port_listen "$lan" 21 tcp
}

# Each answer is to begin so.
ftp_client() {
	# shellcheck disable=SC2016	# for the other shell
	nsexec "$peer" timeout $((60 * slow)) bash -c '
		exec 3<>/dev/tcp/198.51.100.2/21
		answer() {
			read -r line <&3 || exit 1
			echo "  ${line%?} (to be $1)"
			[ "${line%?}" = "$1" ] || exit 1
		}
		ask() { printf "%s\r\n" "$1" >&3; }
		answer "220 ready"
		ask NOOP; answer "200 NOOP"
		ask PORT\ 10,8,0,2,19,141; answer "150 to 198.51.100.1"
		answer "226 done"
		# the text has got longer on its way
		ask SYST; answer "200 SYST"
		ask PORT\ 10,8,0,2,19,142; answer "150 to 198.51.100.1"
		answer "226 done"
		ask QUIT; answer "200 QUIT"'
}

# FTP from the peer through masquerading: the helper changes the address in the
# text, and with it the sequence numbers of the connection, which stays on the
# normal path. The second connection, which no rule accepts but as a related one,
# is fast.
ftp() {
	local status=0 port
	nsexec "$gw" nft -f - <<-RULES || return
	table ip ftp {
		ct helper ftp {
			type "ftp" protocol tcp
		}
		chain pre {
			type filter hook prerouting priority filter
			tcp dport 21 ct helper set "ftp"
		}
		chain forward {
			type filter hook forward priority filter; policy drop
			ct state established,related accept
			iifname tun0 accept
		}
		chain post {
			type nat hook postrouting priority srcnat
			oifname veth1 masquerade
		}
	}
	RULES
	ftp_server || status=1
	for port in 5005 5006; do
		ip netns exec "$peer" socat -u TCP4-LISTEN:$port,reuseaddr \
			"CREATE:$tmp/ftp$port" &
		ftp_pids+=" $!"
		wait_local_port_listen "$peer" $port tcp || status=1
	done
	mark
	ftp_client || status=1
	# All of the file twice, less a packet at the beginning of each
	expect_rise tx-fast-packets -gt 2000 &&
		told src-ipv4=10.8.0.2 dst-ipv4=198.51.100.2 protocol=6 \
			dst-port=21 reply.peer-id="$PEER_ID" || status=1
	flows | grep 'dst-port=21 ' | grep '[.]armed=' && fail "a helper is passed by" &&
		status=1
	# shellcheck disable=SC2086	# words
	wait $ftp_pids
	cmp "$tmp/file" "$tmp/ftp5005" && cmp "$tmp/file" "$tmp/ftp5006" ||
		status=1
	nsexec "$gw" nft delete table ip ftp
	return $status
}

# --- a connection in the middle of which something happens

# A TCP connection from the LAN to the peer, which answers with what it is sent
echo_up() {
	ip netns exec "$peer" socat TCP4-LISTEN:5003,reuseaddr PIPE &
	echo_pids=$!
	wait_local_port_listen "$peer" 5003 tcp || return
	mkfifo "$tmp/to" "$tmp/from"
	ip netns exec "$lan" socat - TCP4:10.8.0.2:5003 <"$tmp/to" \
		>"$tmp/from" &
	echo_pids+=" $!"
	exec {to}>"$tmp/to" {from}<"$tmp/from"
}

# COUNT: lines there and back. One that is lost would be sent again, late.
echoes() {
	local i line
	for ((i = 0; i < $1; i++)); do
		echo "$i" >&"$to"
		read -r -t 5 -u "$from" line && [ "$line" = "$i" ] ||
			fail "no answer" || return
	done
}

echo_down() {
	exec {to}>&- {from}<&-
	# shellcheck disable=SC2086	# words
	kill $echo_pids 2>/dev/null
	# shellcheck disable=SC2086
	wait $echo_pids
	rm -f "$tmp/to" "$tmp/from"
}

# Segments that were sent again, by either end
resent() {
	local ns sum=0 n
	for ns in "$peer" "$lan"; do
		n=$(nsexec "$ns" nstat -asz TcpRetransSegs |
			sed -n 's/^TcpRetransSegs *\([0-9]*\).*/\1/p')
		sum=$((sum + n))
	done
	echo $sum
}

with_echo() { # COMMAND...
	local status
	echo_up && echoes 3 && "$@"
	status=$?
	echo_down
	return $status
}

# The entry goes, and with it what we know: the next packet passes the rules, and
# so does the first one behind an answer, which is established then. The others
# take the fast path again, of the five that are sent here three or more. Not one
# is lost.
forgotten() { # CONNTRACK-ARGUMENT...
	local i was
	was=$(resent)
	for ((i = 0; i < 20; i++)); do
		nsexec "$gw" conntrack "$@" >/dev/null 2>&1 ||
			fail "nothing to forget" || return
		mark
		echoes 5 && expect_rise tx-fast-packets -ge 3 &&
			expect_rise rx-fast-packets -ge 4 || return
	done
	expect "segments sent again" $(($(resent) - was)) -eq 0
}

# The same with as much as goes through
forgotten_under_load() {
	local pid n=0 status i files=20
	[ "$slow" -eq 1 ] || files=4
	for ((i = 0; i < files; i++)); do cat "$tmp/file"; done >"$tmp/large"
	# for tcp_transfer
	mv "$tmp/file" "$tmp/small"
	mv "$tmp/large" "$tmp/file"
	mark
	tcp_transfer "$lan" "$peer" 10.8.0.2 &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		nsexec "$gw" conntrack -F 2>/dev/null
		nsexec "$gw" conntrack -D -p tcp >/dev/null 2>&1
		nsexec "$gw" conntrack -D -p udp >/dev/null 2>&1
		n=$((n + 1))
	done
	wait $pid
	status=$?
	mv "$tmp/small" "$tmp/file"
	expect "times that all was forgotten" $n -ge 5 &&
		expect_rise tx-fast-packets -gt $((files * 500)) &&
		[ $status -eq 0 ]
}

# Entries that conntrack refused to make
refused_entries() {
	nsexec "$gw" conntrack -S |
		awk -F ' drop=' '{ sum += $2 } END { print sum }'
}

assured() {
	[ "$(nsexec "$gw" conntrack -L 2>/dev/null | grep -c ASSURED)" -eq "$1" ]
}

lost() { # COMMAND...
	! "$@" || fail "came through: $*"
}

# No room for one more entry: what is armed goes on, and new flows are refused,
# inside and outside, as they are where there is no tunnel; that is conntrack's
# drop and none of ours.
no_room() {
	local max was status=0
	max=$(sysctl -n net.netfilter.nf_conntrack_max)
	# Entries that are not assured make room for others.
	nsexec "$gw" conntrack -F 2>/dev/null
	wait_for "an assured outer flow" 10 eval "echoes 1 && assured 2" ||
		return
	# Rules have come and gone: arm the flow again.
	hold 1 && echoes 3 || return
	nsexec "$gw" conntrack -D -p icmp >/dev/null 2>&1
	was=$(refused_entries)
	run sysctl -q net.netfilter.nf_conntrack_max=1
	mark
	echoes 20 && expect_rise tx-fast-packets -ge 20 &&
		expect_rise rx-fast-packets -ge 20 &&
		expect_rise tx-egress-packets -eq 0 &&
		lost pings "$lan" 198.51.100.1 -W 0.2 &&
		lost pings "$lan" 10.8.0.2 -W 0.2 &&
		lost pings "$peer" 198.51.100.2 -W 0.2 &&
		lost pings "$gw" 10.8.0.2 -W 0.2 &&
		inject 41000 "${held[0]}" || status=1
	expect "entries refused" $(($(refused_entries) - was)) -ge 21 &&
		expect_rise tx-egress-packets -eq 0 &&
		expect_rise tx-userspace-packets -eq 0 &&
		expect_rise rx-slow-packets -eq 0 &&
		expect "our drops" "$(drops)" -eq "$no_room_drops" || status=1
	run sysctl -q net.netfilter.nf_conntrack_max="$max"
	mark
	echoes 5 && pings "$lan" 10.8.0.2 && pings "$peer" 198.51.100.2 &&
		expect_rise tx-fast-packets -ge 13 &&
		inject 41000 "${held[0]}" &&
		risen_to rx-slow-packets 1 || status=1
	return $status
}

full() {
	local no_room_drops
	no_room_drops=$(drops)
	with_echo no_room
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
	pings "$peer" 198.51.100.2 && expect_rise rx-slow-packets -ge 5 &&
		expect_rise rx-fast-packets -eq 0 &&
		expect_rise rx-userspace-packets -eq 0 &&
		run nsexec "$gw" conntrack -F &&
		pings "$peer" 198.51.100.2 && expect_rise rx-fast-packets -ge 3
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
check "FTP through masquerading, its helper and a related flow" ftp
check "the inner flow is deleted in its middle" with_echo \
	forgotten -D -p tcp --dport 5003
check "the outer flow is deleted in its middle" with_echo \
	forgotten -D -p udp
check "conntrack forgets all in the middle of a flow" with_echo forgotten -F
check "the same under load" forgotten_under_load
check "a conntrack table that is full" full
check "R8: an outer flow older than the instance" older_flow
run_checks
