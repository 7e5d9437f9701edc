# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the tests of nf_ovpn share.
#
#        $peer                        $gw                           $lan
#   +---------------+       +----------------------+       +-----------------+
#   | ovpn0  <======= OpenVPN =======> tun0        |       |                 |
#   | 10.8.0.2      |       |          10.8.0.1    |       |                 |
#   | fd08::2       |       |          fd08::1     |       |                 |
#   |               |       |                      |       |                 |
#   | veth0 ----------------- veth0          veth1 --------- veth0           |
#   | 192.0.2.2     |       | 192.0.2.1            |       |                 |
#   | 2001:db8:1::2 |       | 2001:db8:1::1        |       |                 |
#   |               |       |        198.51.100.1  |       | 198.51.100.2    |
#   |               |       |        2001:db8:2::1 |       | 2001:db8:2::2   |
#   +---------------+       +----------------------+       +-----------------+
#    ovpn driver             nf_ovpn                        plain host
#    port $PEER_PORT         port $GW_PORT
#
# The gateway's peer is the ovpn driver, so that what is tested is not tested
# against itself. Keys are static. In place of a daemon, ovpn_tool holds the
# gateway's tun device and UDP socket and logs what reaches userspace.
#
# A test is a function that prints what it does and returns 0 when all is as it
# should be; "check NAME FUNCTION [ARGUMENT...]" puts it on the list, "require"
# one without which the others make no sense, and "run_checks" runs the list.
# What a test has printed is shown when it fails.

test_dir=$(dirname "$(readlink -e "${BASH_SOURCE[0]}")")
# shellcheck source=/dev/null
. "$test_dir/../lib.sh"
# shellcheck source=/dev/null
. "$test_dir/../../kselftest/ktap_helpers.sh"

tool=$test_dir/ovpn_tool
# packets of "hold"
held=()
# the namespaces, named by setup_ns
gw='' peer='' lan=''

GW_PORT=1194
PEER_PORT=40000
PEER_ID=42

# Key material, one direction each; what one side encrypts with the other
# decrypts with.
KEY_UP=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
KEY_DOWN=202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f
TAIL_UP=a0a1a2a3a4a5a6a7
TAIL_DOWN=b0b1b2b3b4b5b6b7

skip_all() {
	ktap_print_header
	ktap_skip_all "$@"
	exit "$KSFT_SKIP"
}

# --- the list of tests

checks=()
declare -A required

check() { # NAME FUNCTION [ARGUMENT...]
	local words
	printf -v words '%q ' "${@:2}"
	checks+=("$1"$'\t'"$words")
}

require() {
	check "$@"
	required["$1"]=1
}

run_checks() {
	local entry name words log begin
	log=$tmp/check

	ktap_print_header
	ktap_set_plan "${#checks[@]}"
	for entry in "${checks[@]}"; do
		name=${entry%%$'\t'*} words=${entry#*$'\t'}
		begin=$SECONDS
		if eval "$words" >"$log" 2>&1; then
			ktap_test_pass "$name"
		else
			sed 's/^/# /' "$log"
			state | sed 's/^/#   /'
			ktap_test_fail "$name"
			[ -z "${required["$name"]}" ] ||
				ktap_exit_fail_msg "nothing goes without that"
		fi
		[ $((SECONDS - begin)) -lt 10 ] ||
			echo "# that took $((SECONDS - begin)) s"
	done
	ktap_finished
}

# What a person wants to see beside a failure
state() {
	local ns
	for ns in "$gw" "$peer"; do
		echo "[$ns]"
		ip -n "$ns" -br addr
		ip -n "$ns" route
	done
	"$tool" -n "$gw" dump nf-ovpn instance-get | tr ' ' '\n' |
		grep -v '=0$'
	ip netns exec "$gw" conntrack -L 2>/dev/null | head -n 20
	ip netns exec "$gw" nft list ruleset
	dmesg | tail -n 5
}

# Say and do: for the log of a failure, whatever becomes of the output
run() {
	echo "+ $*" >&2
	"$@"
}

fail() {
	echo "FAILED: $*"
	return 1
}

# A limit is there for what never comes; a kernel that checks itself, or that is
# emulated, takes its time.
slow=1
! grep -qE ' (kasan_report|lock_acquire)$' /proc/kallsyms || slow=10

# SECONDS: without a process, since most of the time of a test is that of fork()
pause() { read -rt "$1" -u "$never" || :; }

# WHAT SECONDS COMMAND...: wait until the command succeeds
wait_for() {
	local what=$1 seconds=$(($2 * slow)) end=$EPOCHSECONDS
	end=$((end + seconds))
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ "$EPOCHSECONDS" -le "$end" ] ||
			fail "waited $seconds s for $what" || return
		pause 0.02
	done
}

# COUNT PATTERN LOG: of what a process of ovpn_tool has received; the pattern is an
# extended regular expression
lines_are() {
	local line lines=() count=0
	mapfile -t lines <"$tmp/$3.log"
	for line in "${lines[@]}"; do
		[[ ! $line =~ $2 ]] || count=$((count + 1))
	done
	[ $count -eq "$1" ]
}

# LOG: forget it
forget() { : >"$tmp/$1.log"; }

# WHAT IS OPERATOR WANTED: compare two numbers
expect() {
	echo "  $1: $2 (to be $3 $4)"
	test "${@:2}" || fail "$1 is $2, not $3 $4"
}

# --- namespaces and links

# In the background this would be a shell, and to kill it would leave the program:
# one that is killed is started by "ip netns exec" itself, which becomes it. That
# mounts /sys of the namespace as well, which takes longer than most programs.
nsexec() { nsenter --net="/run/netns/$1" -- "${@:2}"; }

# A process of ovpn_tool in a namespace does what it is asked for, one after the
# other: that takes a tenth of the time of a process each.
declare -A ask_out ask_in

# NAMESPACE WORD...: a command of ovpn_tool that ends by itself and reads nothing.
# What it prints, errors as well, is in the file $told.
ask() {
	local status in out ns=$1
	told=$tmp/told.$ns
	# two at once would take each other's answers
	if [ "$BASHPID" != $$ ]; then
		told+=.$BASHPID
		"$tool" -n "$ns" "${@:2}" >"$told" 2>&1
		return
	fi
	if [ -z "${ask_out[$ns]-}" ]; then
		mkfifo "$tmp/ask" "$tmp/tell" || return
		"$tool" -n "$ns" serve "$told" <"$tmp/ask" >"$tmp/tell" &
		disown
		exec {out}>"$tmp/ask" {in}<"$tmp/tell" || return
		rm "$tmp/ask" "$tmp/tell"
		ask_out[$ns]=$out ask_in[$ns]=$in
	fi
	echo "${*:2}" >&"${ask_out[$ns]}"
	if read -r status <&"${ask_in[$ns]}"; then return "$status"; fi
	unasked "$ns"
	fail "ovpn_tool has ended at: ${*:2}"
}

# NAMESPACE: nobody is asked there for now, which would keep it.
unasked() {
	local in out
	[ -n "${ask_out[$1]-}" ] || return 0
	out=${ask_out[$1]} in=${ask_in[$1]}
	exec {out}>&- {in}<&-
	unset "ask_out[$1]" "ask_in[$1]"
}

# The same, and print it
ask_print() {
	local status=0 lines
	ask "$@" || status=$?
	mapfile lines <"$told"
	[ ${#lines[@]} -eq 0 ] || printf %s "${lines[@]}"
	return $status
}

gwnl() { ask_print "$gw" nl nf-ovpn "$@"; }
peernl() { ask_print "$peer" nl ovpn "$@"; }

setup_links() {
	local ns

	# Neighbours are permanent, so that no test waits for them.
	ip -n "$gw" link add veth0 address 02:00:00:00:00:01 type veth \
		peer name veth0 netns "$peer" address 02:00:00:00:00:02
	ip -n "$gw" link add veth1 address 02:00:00:00:01:01 type veth \
		peer name veth0 netns "$lan" address 02:00:00:00:01:02
	for ns in "$gw" "$peer" "$lan"; do
		ip -n "$ns" link set veth0 up
		nsexec "$ns" sysctl -qw net.ipv6.conf.all.accept_dad=0 \
			net.ipv6.conf.default.accept_dad=0 \
			net.ipv6.conf.default.router_solicitations=0
	done
	ip -n "$gw" link set veth1 up

	ip -n "$gw" addr add 192.0.2.1/24 dev veth0
	ip -n "$gw" addr add 2001:db8:1::1/64 dev veth0 nodad
	ip -n "$gw" addr add 198.51.100.1/24 dev veth1
	ip -n "$gw" addr add 2001:db8:2::1/64 dev veth1 nodad
	ip -n "$peer" addr add 192.0.2.2/24 dev veth0
	ip -n "$peer" addr add 2001:db8:1::2/64 dev veth0 nodad
	ip -n "$lan" addr add 198.51.100.2/24 dev veth0
	ip -n "$lan" addr add 2001:db8:2::2/64 dev veth0 nodad
	ip -n "$lan" route add default via 198.51.100.1
	ip -n "$lan" route add default via 2001:db8:2::1

	nsexec "$gw" sysctl -qw net.ipv4.ip_forward=1 \
		net.ipv6.conf.all.forwarding=1

	wait_for "addresses" 10 addresses_usable
}

addresses_usable() {
	local ns
	for ns in "$gw" "$peer" "$lan"; do
		[ -z "$(ip -n "$ns" -6 addr show tentative)" ] || return 1
	done
	nsexec "$peer" ping -q -c 1 -W 1 192.0.2.1 &&
		nsexec "$peer" ping -q -c 1 -W 1 2001:db8:1::1 &&
		nsexec "$lan" ping -q -c 1 -W 1 198.51.100.1 &&
		nsexec "$lan" ping -q -c 1 -W 1 2001:db8:2::1
}

# --- the tunnel

# shellcheck disable=SC2034	# for the tests
outer_addresses() { # 4|6
	if [ "$1" = 4 ]; then
		gw_addr=192.0.2.1 peer_addr=192.0.2.2 fam=ipv4
	else
		gw_addr=2001:db8:1::1 peer_addr=2001:db8:1::2 fam=ipv6
	fi
}

# NAME ADDRESS4 ADDRESS6: a tun device of the gateway and, in NAME.log, what
# userspace reads from it
gw_tun_add() {
	run "$tool" -n "$gw" -b -p "$tmp/$1.pid" tun "$1" >>"$tmp/$1.log"
	gw_tun_address "$@"
}

gw_tun_address() { # NAME ADDRESS4 ADDRESS6
	ip -n "$gw" addr add "$2" dev "$1"
	ip -n "$gw" addr add "$3" dev "$1" nodad
	run ip -n "$gw" link set "$1" mtu 1400 up
}

gw_tun_up() { gw_tun_add tun0 10.8.0.1/24 fd08::1/64; }

# The daemon's UDP socket and what userspace reads from it
gw_socket_up() { # ADDRESS
	run "$tool" -n "$gw" -b -p "$tmp/socket.pid" socket "$1" "$GW_PORT" \
		>>"$tmp/socket.log"
}

# CIPHER BITS KEY NONCE-TAIL: one direction. Besides the ciphers there are
# epoch:CIPHER, whose keys are derived from what is given, and
# CIPHER/hmac-sha1 and CIPHER/hmac-sha256.
dir_words() {
	case $1 in
	epoch:*) echo "cipher-key=$3" ;;
	none) ;;
	none/hmac-sha1) echo "auth-key=${3:0:40}" ;;
	none/hmac-sha256) echo "auth-key=${3:0:64}" ;;
	*/hmac-sha1) echo "cipher-key=${3:0:$(($2 / 4))} auth-key=${3:0:40}" ;;
	*/hmac-sha256)
		echo "cipher-key=${3:0:$(($2 / 4))} auth-key=${3:0:64}"
		;;
	*) echo "cipher-key=${3:0:$(($2 / 4))} nonce-tail=$4" ;;
	esac
}

cipher_words() { # CIPHER BITS
	local cipher=${1#epoch:}
	echo "cipher-alg=${cipher%/*}"
	[ "$cipher" = "${cipher#*/}" ] || echo "auth-alg=${cipher#*/}"
	[[ $1 != epoch:* ]] || echo "epochs= key-bits=$2"
	[[ $1 != none* ]] || echo "insecure="
}

# CIPHER BITS KEY-ID SLOT, and key and nonce of either direction
key_words() {
	echo "keyconf{ peer-id=$PEER_ID slot=$4 key-id=$3" \
		"$(cipher_words "$1" "$2")" \
		"encrypt-dir{ $(dir_words "$1" "$2" "$5" "$6") }" \
		"decrypt-dir{ $(dir_words "$1" "$2" "$7" "$8") } }"
}

# CIPHER BITS [KEY-ID [SLOT]]
gw_key_words() {
	key_words "$1" "$2" "${3:-0}" "${4:-primary}" \
		"$KEY_DOWN" "$TAIL_DOWN" "$KEY_UP" "$TAIL_UP"
}

peer_key_words() {
	key_words "$1" "$2" "${3:-0}" "${4:-primary}" \
		"$KEY_UP" "$TAIL_UP" "$KEY_DOWN" "$TAIL_DOWN"
}

# A key in one end, or in the other
gw_key() {
	# shellcheck disable=SC2046	# words
	run gwnl key-new ifindex=tun0 $(gw_key_words "$@")
}

peer_key() {
	# shellcheck disable=SC2046	# words
	run peernl key-new ifindex=ovpn0 $(peer_key_words "$@")
}

gw_peer_new() { # [ATTRIBUTE...]
	run gwnl peer-new ifindex=tun0 "peer{" id="$PEER_ID" \
		remote-"$fam"="$peer_addr" remote-port="$PEER_PORT" \
		vpn-ipv4=10.8.0.2 vpn-ipv6=fd08::2 "$@" "}"
}

# The other end: an ovpn device, and a process that holds its socket
peer_up() {
	run ip -n "$peer" link add ovpn0 type ovpn
	ip -n "$peer" addr add 10.8.0.2/24 dev ovpn0
	ip -n "$peer" addr add fd08::2/64 dev ovpn0 nodad
	run ip -n "$peer" link set ovpn0 mtu 1400 up
	ip -n "$peer" route add 198.51.100.0/24 via 10.8.0.1
	ip -n "$peer" route add 2001:db8:2::/64 via fd08::1
	run "$tool" -n "$peer" -b -p "$tmp/peer.pid" socket "$peer_addr" \
		"$PEER_PORT" peer-new ifindex=ovpn0 "peer{" id="$PEER_ID" \
		socket=fd remote-"$fam"="$gw_addr" remote-port="$GW_PORT" "}" \
		>>"$tmp/peer.log"
}

# CIPHER BITS [4|6 [INSTANCE ATTRIBUTE...]]
tunnel_up() {
	local cipher=$1 bits=$2
	outer_addresses "${3:-4}"

	gw_tun_up &&
		gw_socket_up "$gw_addr" &&
		run gwnl instance-new ifindex=tun0 "instance{" "${@:4}" \
			"listener{" local-"$fam"="$gw_addr" \
			local-port="$GW_PORT" "}" "}" &&
		gw_peer_new && gw_key "$cipher" "$bits" &&
		peer_up && peer_key "$cipher" "$bits" &&
		wait_for "the first packet through the tunnel" 5 ping_once
}

ping_once() {
	nsexec "$peer" ping -q -c 1 -W 1 10.8.0.1 &&
		nsexec "$peer" ping -q -c 1 -W 1 fd08::1
}

# A tunnel whose other end has nf_ovpn as well, in its role as a client: an
# instance with one peer, and whoever opens the outer flow. It has no socket, so
# that the tests can send from its port.
pair_up() { # CIPHER BITS 4|6 [PEER ATTRIBUTE...]
	outer_addresses "$3"
	gw_tun_up &&
		gw_socket_up "$gw_addr" &&
		run gwnl instance-new ifindex=tun0 "instance{" "listener{" \
			local-"$fam"="$gw_addr" local-port="$GW_PORT" "}" "}" &&
		gw_peer_new "${@:4}" && gw_key "$1" "$2" && client_up "$@" &&
		wait_for "the first packet through the tunnel" 5 ping_once
}

client_up() { # CIPHER BITS 4|6 [PEER ATTRIBUTE...]
	local server_addr=$gw_addr server_port=$GW_PORT gw=$peer words
	gw_tun_add tun9 10.8.0.2/24 fd08::2/64
	ip -n "$peer" route add 198.51.100.0/24 via 10.8.0.1
	ip -n "$peer" route add 2001:db8:2::/64 via fd08::1
	words=$(peer_key_words "$1" "$2")
	# shellcheck disable=SC2086	# words
	run gwnl instance-new ifindex=tun9 "instance{" mode=p2p "listener{" \
		local-port="$PEER_PORT" "}" "}" &&
		run gwnl peer-new ifindex=tun9 "peer{" id="$PEER_ID" \
			remote-"$fam"="$server_addr" \
			remote-port="$server_port" "${@:4}" "}" &&
		run gwnl key-new ifindex=tun9 $words
}

pair_down() {
	stop tun9
	tunnel_down
}

stop() { # NAME: a process of ovpn_tool
	local pid
	[ -s "$tmp/$1.pid" ] || return 0
	pid=$(cat "$tmp/$1.pid")
	rm "$tmp/$1.pid"
	kill "$pid"
	wait_for "$1 to end" 5 test ! -e "/proc/$pid/fd/0"
}

tunnel_down() {
	ip -n "$peer" link del ovpn0 2>/dev/null
	stop peer
	stop socket
	stop tun0
	nsexec "$gw" conntrack -F 2>/dev/null
	rm -f "$tmp"/*.log
}

# --- numbers

# NAME: a counter of the instance on tun0, as "rx-fast-packets", "drops.auth"
stat() { counters && [ -n "${counter[$1]}" ] && echo "${counter[$1]}"; }

declare -A counter base

# All of them into "counter"
counters() {
	local word words
	ask "$gw" nl nf-ovpn instance-get ifindex=tun0 || return
	mapfile -td ' ' words <"$told"
	counter=()
	for word in "${words[@]}"; do
		case $word in
		instance.stats.*)
			word=${word#instance.stats.}
			counter[${word%%=*}]=$((${word#*=}))
			;;
		esac
	done
}

# Remember all counters; what "rise NAME" then prints is since then.
mark() {
	local name
	counters || return
	base=()
	for name in "${!counter[@]}"; do base[$name]=${counter[$name]}; done
}

rise() {
	counters && [ -n "${counter[$1]}" ] &&
		echo $((${counter[$1]} - ${base[$1]}))
}

# NAME OPERATOR WANTED: how much a counter has risen since "mark"
expect_rise() {
	counters && expect "rise of $1" "$((${counter[$1]} - ${base[$1]}))" \
		"$2" "$3"
}

risen() { counters && [ $((${counter[$1]} - ${base[$1]})) -ge "$2" ]; }

risen_to() {
	wait_for "$1 to rise by $2" 5 risen "$1" "$2" && expect_rise "$1" -eq "$2"
}

drops() {
	local name sum=0
	counters || return
	for name in "${!counter[@]}"; do
		[[ $name != drops.* ]] || sum=$((sum + ${counter[$name]}))
	done
	echo "$sum"
}

# All flows that lead to a peer, one to a line
flows() { ask_print "$gw" dump nf-ovpn flow-get ifindex=tun0; }

# The words are in the line of one flow, in this order.
told() { # WORD...
	local line word lines
	ask "$gw" dump nf-ovpn flow-get ifindex=tun0
	mapfile -t lines <"$told"
	for line in "${lines[@]}"; do
		line=" $line "
		for word in "$@"; do
			[[ $line == *" flow.$word "* ]] || continue 2
			line=" ${line#* flow."$word" }"
		done
		return 0
	done
	printf '%s\n' "${lines[@]}"
	fail "no flow with $*"
}

# CONNECTIONS: since "mark", over 99 % of the packets took the fast path in each
# direction. The last segments of each TCP connection do not count: the sender
# puts them into one packet with the FIN, which takes the normal path.
mostly_fast() {
	local rx tx last=$(($1 * 64))
	counters || return
	rx=$((${counter[vpn-rx-packets]} - ${base[vpn-rx-packets]}))
	tx=$((${counter[vpn-tx-packets]} - ${base[vpn-tx-packets]}))
	expect_rise rx-fast-packets -ge $((rx * 99 / 100)) &&
		expect_rise tx-fast-packets -ge $(((tx - last) * 99 / 100)) &&
		expect "packets received" "$rx" -gt 1000 &&
		expect "packets sent" "$tx" -gt 1000
}

# --- traffic

# NAMESPACE ADDRESS [OPTION...]: all of them are to be answered
pings() {
	run nsexec "$1" ping -q -c 5 -i 0.02 -W 2 "${@:3}" "$2"
}

# COUNT [ADDRESS]: genuine packets of the peer that the gateway has not seen,
# one to a line in "held"
hold() {
	run nsexec "$gw" nft -f - <<-RULES || return
	table netdev hold {
		chain in {
			type filter hook ingress device veth0 priority 0
			udp dport $GW_PORT drop
		}
	}
	RULES
	rm -f "$tmp/held"
	run "$tool" -n "$peer" -b -p "$tmp/capture.pid" capture veth0 \
		"$GW_PORT" "$1" >"$tmp/held" &&
		run nsexec "$peer" ping -q -c "$1" -i 0.01 -W 0.01 \
			"${2:-10.8.0.1}"
	wait_for "$1 packets" 5 held_are "$1" || return
	rm "$tmp/capture.pid"
	run nsexec "$gw" nft delete table netdev hold
	# Rules have changed: arm the outer flow again.
	pings "$peer" 10.8.0.1
	# shellcheck disable=SC2034	# for the tests
	mapfile -t held <"$tmp/held"
}

held_are() { [ "$(wc -l <"$tmp/held")" -ge "$1" ]; }

# [OPTION...] PORT HEX...: to the gateway
inject() {
	local options=()
	while [[ $1 == *=* ]]; do
		options+=("$1")
		shift
	done
	"$tool" -n "$peer" send "${options[@]}" "$peer_addr" "$1" "$gw_addr" \
		"$GW_PORT" "${@:2}"
}

# FROM TO ADDRESS [PORT]: a file, compared at the other end
tcp_transfer() {
	local port=${4:-5001} pid
	rm -f "$tmp/received"
	echo "+ TCP from $1 to $2, $3"
	ip netns exec "$2" socat -u "TCP6-LISTEN:$port,reuseaddr" \
		"CREATE:$tmp/received" &
	pid=$!
	if ! wait_local_port_listen "$2" "$port" tcp ||
	   ! timeout $((60 * slow)) ip netns exec "$1" socat -u "OPEN:$tmp/file" \
		"TCP:$3:$port,connect-timeout=5"; then
		kill "$pid"
		wait "$pid"
		return 1
	fi
	wait "$pid" && cmp "$tmp/file" "$tmp/received"
}

# --- what the kernel traces

tracefs=/sys/kernel/tracing

have_tracefs() {
	[ -d "$tracefs/events" ] || mount -t tracefs none "$tracefs"
}

# --- begin and end

# shellcheck disable=SC2317,SC2329	# called by the trap
cleanup() {
	tunnel_down
	cleanup_all_ns
	rm -rf "$tmp"
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
[ -x "$tool" ] || skip_all "ovpn_tool is not built (make -C ${test_dir##*/})"
for t in nft conntrack socat ping sysctl; do
	command -v "$t" >/dev/null || skip_all "needs $t"
done
modprobe nf_ovpn 2>/dev/null || [ -d /sys/module/nf_ovpn ] ||
	skip_all "this kernel has no nf_ovpn"
modprobe ovpn 2>/dev/null || [ -d /sys/module/ovpn ] ||
	skip_all "this kernel has no ovpn driver to test against"

tmp=$(mktemp -d)
# nobody writes into it
mkfifo "$tmp/never"
exec {never}<>"$tmp/never"
trap cleanup EXIT
setup_ns gw peer lan || skip_all "no network namespaces"
head -c 4000000 /dev/urandom >"$tmp/file"
setup_links
