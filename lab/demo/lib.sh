# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# lib.sh - the network that the demo, the end-to-end test and the benchmark share, built from
# network namespaces inside the guest:
#
#    namespace client             namespace gw                            namespace lan
#   +----------------+  outer   +----------------------------------+    +-----------------+
#   |  stock OpenVPN |   UDP    |  nf-ovpnd   nf_ovpn   nft rules  |    |     iperf3 -s   |
#   |                |          |                                  |    |                 |
#   | wan 192.0.2.10 +----------+ wan0 192.0.2.1   lan0 10.99.0.1  +----+ eth0 10.99.0.10 |
#   | tun0 10.8.0.x  |          | tun0 10.8.0.1                    |    +-----------------+
#   +----------------+          |                                  |
#   +----------------+          |                                  |
#   | client2        |          |                                  |
#   | wan 203.0.113.10 ---------+ wan1 203.0.113.1                 |
#   +----------------+          +----------------------------------+
#
# Sourced by scripts that lab/run boots, never by the host. Nothing here sleeps for a fixed time:
# it waits for a condition, with a limit.

set -euo pipefail

RUN=/run/vpn          # everything that belongs to a run: keys, configurations, logs
export LAN=10.99.0.10 # the host behind the gateway
export GW=192.0.2.1   # the gateway, as "client" reaches it
mkdir -p "$RUN"

declare -A PID=()     # processes that were started, by their name

say() { printf '%s\n' "$*"; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# ns NAMESPACE COMMAND... - with the /sys of all: "ip netns exec" mounts it anew for the namespace, which takes longer
# than most programs
ns() { nsenter --net="/run/netns/$1" -- "${@:2}"; }

# ---- time
# In user-mode Linux a fork takes some 10 ms: most of the time of a test is that of fork(), not of what is
# tested. So nothing here starts a process to wait, or to look at the clock.
[ -p "$RUN/never" ] || mkfifo "$RUN/never"
exec {NEVER}<>"$RUN/never"
# tick - let a twentieth of a second pass between two looks at a condition
tick() { read -rt 0.05 -u "$NEVER" _ || true; }

# wait_for SECONDS COMMAND... - until the command succeeds
wait_for() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@"; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		tick
	done
}

# ---- processes
alive() { [ -n "${PID[$1]:-}" ] && kill -0 "${PID[$1]}" 2>/dev/null; }
dead() { ! alive "$1"; }

# gone PID - a child that has ended, whether it was waited for or not
gone() {
	local stat
	read -r stat <"/proc/$1/stat" || return 0
	[[ ${stat##*) } == [ZX]* ]]
} 2>/dev/null

# start NAME NAMESPACE COMMAND... - in the background; what it prints goes to $RUN/NAME.log
start() {
	local name=$1 space=$2
	shift 2
	# emptied here, not in the background: nobody shall read what the one before has printed
	: >"$RUN/$name.log"
	ip netns exec "$space" "$@" >>"$RUN/$name.log" 2>&1 </dev/null &
	PID[$name]=$!
}

# stop NAME [SIGNAL] - and return its exit status
stop() {
	local pid=${PID[$1]:-} status=0
	[ -n "$pid" ] || return 0
	kill -"${2:-TERM}" "$pid" 2>/dev/null || true
	# whoever does not end in time is a failure, yet must not hold us
	wait_for 10 gone "$pid" || kill -KILL "$pid"
	wait "$pid" || status=$?
	unset "PID[$1]"
	return "$status"
}

# logged NAME PATTERN - whether the process has printed it
logged() { grep -qE -- "$2" "$RUN/$1.log" 2>/dev/null; }

# wait_log SECONDS NAME PATTERN - until the process has printed it; shows its log if it does not
wait_log() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	until logged "$2" "$3"; do
		if dead "$2" || [ "${EPOCHREALTIME/./}" -ge "$end" ]; then
			logged "$2" "$3" && return
			printf '%s did not print "%s"; its last lines:\n' "$2" "$3" >&2
			tail -n 25 "$RUN/$2.log" | sed 's/^/    /' >&2
			return 1
		fi
		tick
	done
}

# ---- network
sysctl_in() { ns "$1" sysctl -qw "$2"; }

# cable NAMESPACE DEVICE ADDRESS NAMESPACE DEVICE ADDRESS
cable() {
	ip link add "$2" netns "$1" type veth peer name "$5" netns "$4"
	ip -n "$1" addr add "$3" dev "$2"
	ip -n "$4" addr add "$6" dev "$5"
	ip -n "$1" link set "$2" up
	ip -n "$4" link set "$5" up
}

topology_up() {
	local space
	for space in client client2 gw lan; do
		ip netns add "$space"
		# no router and neighbour discovery: every packet on a cable is one of the test's
		sysctl_in "$space" net.ipv6.conf.default.addr_gen_mode=1
		ip -n "$space" link set lo up
	done
	cable client wan 192.0.2.10/24 gw wan0 192.0.2.1/24
	cable client2 wan 203.0.113.10/24 gw wan1 203.0.113.1/24
	cable gw lan0 10.99.0.1/24 lan eth0 10.99.0.10/24
	ip -n lan route add default via 10.99.0.1
	sysctl_in gw net.ipv4.ip_forward=1
	# "conntrack -L" shows how many packets each flow had
	sysctl_in gw net.netfilter.nf_conntrack_acct=1
	ns gw nft -f - <<'RULES'
table inet gateway {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		meta l4proto { tcp, udp } th dport 1194 accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		iifname "tun0" ct state new accept
	}
}
RULES
}

has_address() { [ -n "$(ip -n "$1" -4 addr show dev "$2" 2>/dev/null)" ]; }
no_link() { ! ip -n "$1" link show dev "$2" >/dev/null 2>&1; }
listens() { [ -n "$(ns "$1" ss -Hln "$2" "sport = :$3")" ]; }
pings() { ns "$1" ping -c 1 -W 1 -q "$2" >/dev/null 2>&1; } # NAMESPACE ADDRESS

# ---- OpenVPN
# server_config CIPHER [LINE...] - what nf-ovpnd and stock OpenVPN read alike; PROTO is the transport [udp4]
server_config() {
	local cipher=$1
	shift
	cat <<-EOT
		port 1194
		proto ${PROTO:-udp4}
		dev tun0
		dev-type tun
		topology subnet
		server 10.8.0.0 255.255.255.0
		ca $RUN/pki/ca.crt
		cert $RUN/pki/server.crt
		key $RUN/pki/server.key
		dh none
		data-ciphers $cipher
		keepalive 10 60
		tun-mtu 1420
		push "route 10.99.0.0 255.255.255.0"
		verb 4
	EOT
	[ $# -eq 0 ] || printf '%s\n' "$@"
}

# client_config NAME CIPHER SERVER [LINE...]
client_config() {
	local name=$1 cipher=$2 server=$3
	shift 3
	cat <<-EOT
		client
		dev tun0
		dev-type tun
		proto ${PROTO:-udp4}
		remote $server 1194
		nobind
		ca $RUN/pki/ca.crt
		cert $RUN/pki/$name.crt
		key $RUN/pki/$name.key
		remote-cert-tls server
		data-ciphers $cipher
		tun-mtu 1420
		connect-retry 1 2
		machine-readable-output
		verb 4
	EOT
	[ $# -eq 0 ] || printf '%s\n' "$@"
}

# gateway_up NAME PROGRAM CIPHER [LINE...] - a server in gw, ready for clients
gateway_up() {
	local name=$1 program=$2 cipher=$3
	shift 3
	server_config "$cipher" "$@" >"$RUN/$name.conf"
	start "$name" gw "$program" --config "$RUN/$name.conf"
	if ! wait_for 15 gateway_ready "$name" || dead "$name"; then
		printf '%s did not come up; its last lines:\n' "$program" >&2
		tail -n 25 "$RUN/$name.log" | sed 's/^/    /' >&2
		return 1
	fi
}
gateway_ready() { dead "$1" || { listens gw "$(socket_kind)" 1194 && has_address gw tun0; }; }
socket_kind() { [[ ${PROTO:-udp4} == tcp* ]] && echo -t || echo -u; } # by ss's option

# client_up NAME NAMESPACE CIPHER SERVER [LINE...] - a stock client, connected
client_up() {
	client_start "$@"
	client_wait "$1"
}
client_start() {
	local name=$1 space=$2 cipher=$3 server=$4
	shift 4
	client_config "$name" "$cipher" "$server" "$@" >"$RUN/$name.conf"
	start "$name" "$space" openvpn --config "$RUN/$name.conf"
}
client_wait() { wait_log "${2:-20}" "$1" 'Initialization Sequence Completed'; }

# From the log of a client, whose lines begin with seconds.microseconds:
# handshake_ms NAME - from its first packet to the end of its initialization
handshake_ms() {
	awk '/link remote:/ { begin = $1 }
	     /Initialization Sequence Completed/ { printf "%d\n", ($1 - begin) * 1000; exit }' "$RUN/$1.log"
}
# tls_of NAME - "TLSv1.3, cipher ..."; data_cipher_of NAME
tls_of() { sed -n 's/.*Control Channel: \(TLSv[^,]*\), cipher [^ ]* \([^,]*\),.*/\1, \2/p' "$RUN/$1.log" | head -n 1; }
data_cipher_of() { sed -n "s/.*Data Channel: cipher '\([^']*\)'.*/\1/p" "$RUN/$1.log" | head -n 1; }

# ---- load
# iperf_mbits NAMESPACE SECONDS [OPTION...] - Mbit/s of TCP to the LAN host as its receiver saw it.
# Each has a server of its own: one that ends late would be "busy" for the next.
iperf_mbits() {
	local space=$1 seconds=$2 json status=0
	shift 2
	start iperf lan iperf3 -s -1 --forceflush
	wait_for 10 listens lan -t 5201 || die "no iperf3 server"
	json=$(ns "$space" iperf3 -c "$LAN" -t "$seconds" -J --connect-timeout 5000 "$@") || status=$?
	[ "$status" -ne 0 ] || wait_for 10 dead iperf || status=$?
	stop iperf KILL || true
	if [ "$status" -ne 0 ]; then
		jq -r '.error // "iperf3 failed"' <<<"$json" >&2
		return 1
	fi
	jq -r '.end.sum_received.bits_per_second / 1e6 * 10 | round / 10' <<<"$json"
}

# ---- figures
# stat FILTER - of the instance's statistics, by jq
stat() { ns gw ip -j -s ovpn show dev tun0 | jq -r ".[0].stats | $1"; }
