# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# openvpn.sh - what the tests with stock OpenVPN share, inside the lab's kernel, in the network that
# lab/demo/lib.sh draws.
#
# Each test is a function. It runs in a process of its own under "set -e", starts what it needs and
# fails at the first command that fails; whatever it leaves running is stopped after it, and must
# leave nothing in the kernel. A test that fails shows its commands' output and the logs; one that passes how long
# it took. What it has changed is undone by what it has given to undo(), and by restore(), the script's own.

# PID, the processes that were started, is each test's own:
# shellcheck disable=SC2030,SC2031
# shellcheck source=../demo/lib.sh
. "$NF_OVPN_TOP/lab/demo/lib.sh"

failed=0

# use_openvpn RELEASE - the stock OpenVPN from now on, "2.6" or "2.7"
use_openvpn() {
	OPENVPN=$1
	ln -sfn "/opt/openvpn-$1/usr/sbin/openvpn" /usr/local/sbin/openvpn
	stock_version=$(openvpn --version | awk 'NR == 1 { print $2 }')
}

fail() {
	printf 'FAILED: %s\n' "$*"
	exit 1
}
# expect WHAT ACTUAL OPERATOR WANTED - numbers by -eq, -gt ...; text by = and !=
expect() { test "$2" "$3" "$4" || fail "$1: is '$2', should be $3 '$4'"; }

# undo COMMAND... - at the end of the test, the last one first
undo() {
	local words
	printf -v words '%q ' "$@"
	UNDO=("$words" "${UNDO[@]}")
}

# stop_all - at the end of each test
stop_all() {
	local status=$? name
	set +e
	for name in "${!PID[@]}"; do stop "$name" KILL >/dev/null 2>&1; done
	for name in "${UNDO[@]}"; do eval "$name"; done
	restore
	for name in gw client; do
		wait_for 5 no_link "$name" tun0 || { echo "tun0 is left in $name" && status=1; }
		no_instance_in "$name" || { echo "left in the kernel of $name: $(ns "$name" ip ovpn show)" && status=1; }
	done
	exit "$status"
}

# chosen FUNCTION - is the test one of those that were asked for (ONLY is a pattern), and ours? Guests that share
# a list of tests have a directory in common, CLAIMS, where the first that makes a test's own directory has it.
listed=0
chosen() {
	listed=$((listed + 1))
	# shellcheck disable=SC2053	# a pattern
	[ -z "${ONLY:-}" ] || [[ $1 == $ONLY ]] || return 1
	[ -z "${CLAIMS:-}" ] || mkdir "$CLAIMS/$listed" 2>/dev/null
}

run_test() { # NAME FUNCTION ARGUMENT...
	local name=$1 pid status=0 begin took
	shift
	chosen "$1" || return 0
	begin=${EPOCHREALTIME/./}
	rm -f "$RUN"/*.log "$RUN"/got*
	(
		PID=() UNDO=()
		trap stop_all EXIT
		"$@"
	) >"$RUN/test.out" 2>&1 &
	pid=$!
	wait "$pid" || status=$?
	took=$(((${EPOCHREALTIME/./} - begin) / 100000))
	if [ "$status" -eq 0 ]; then
		printf 'ok - OpenVPN %s: %s # %d.%d s\n' "$stock_version" "$name" $((took / 10)) $((took % 10))
	else
		# shellcheck disable=SC2034	# the exit status of the script that this is for
		failed=1
		printf 'not ok - OpenVPN %s: %s\n' "$stock_version" "$name"
		show_logs "$RUN/test.out" "$RUN"/*.log
	fi
}

# show_logs LOG... - the ends of them, as comments
show_logs() {
	local log
	for log; do
		[ -f "$log" ] || continue
		printf '# -- %s\n' "${log##*/}"
		tail -n 25 "$log" | sed 's/^/#    /'
	done
}

# ---- what the tests are made of
# lab_up - the network, certificates, and keys that wrap the control channel
lab_up() {
	"$NF_OVPN_TOP/lab/demo/pki" "$RUN/pki" client client2
	topology_up
	# flows from the LAN to a client are allowed too
	ns gw nft add rule inet gateway forward iifname lan0 oifname tun0 ct state new accept
	head -c 1500000 /dev/urandom >"$RUN/sample"
	modprobe nf_ovpn
	openvpn --genkey tls-auth "$RUN/ta.key"
	openvpn --genkey tls-crypt-v2-server "$RUN/v2-server.key"
	openvpn --tls-crypt-v2 "$RUN/v2-server.key" --genkey tls-crypt-v2-client "$RUN/v2-client.key"
}

# wrapping KIND ROLE - the line of the configuration of "server" or "client"
wrapping() {
	case $1:$2 in
	tls-crypt:*) echo "tls-crypt $RUN/ta.key" ;;
	tls-crypt-v2:*) echo "tls-crypt-v2 $RUN/v2-$2.key" ;;
	tls-auth:server) echo "tls-auth $RUN/ta.key 0" ;;
	tls-auth:client) echo "tls-auth $RUN/ta.key 1" ;;
	esac
}

peers() { ns gw ip -j ovpn show dev tun0 | jq '.[0].peers'; }
has_peers() { [ "$(peers)" -eq "$1" ]; }
vpn_address() { ip -n "$1" -j -4 addr show dev tun0 | jq -r '.[0].addr_info[0].local'; }
negotiations() { grep -c 'Control Channel: TLSv1' "$RUN/$1.log" || true; }
negotiated() { [ "$(negotiations "$1")" -ge "$2" ]; }

# all_answered NAMESPACE ADDRESS COUNT INTERVAL [OPTION...] - every single ping. With a deadline ping waits for as
# many answers, where it would wait for two round trips only otherwise, which is short on a busy machine; it goes
# on sending meanwhile, and those do not count.
all_answered() {
	local out answered
	out=$(ns "$1" ping -n -c "$3" -i "$4" -w 30 "${@:5}" "$2") || true
	answered=$(sed -n 's/.*icmp_seq=\([0-9]*\) .*time=.*/\1/p' <<<"$out" | sort -nu | awk -v n="$3" '$1 <= n' | wc -l)
	[ "$answered" -eq "$3" ] || fail "ping $2: $answered of $3 answered; $(tail -n 2 <<<"$out")"
}

# ping_on COUNT INTERVAL - packets from the client to the LAN and back while other things happen
ping_on() { start ping client ping -n -q -i "$2" -c "$1" -W 5 "$LAN"; }
# none_lost COUNT - of those, until the last
none_lost() {
	wait_for 300 dead ping || fail "ping did not end"
	cat "$RUN/ping.log"
	grep -q "^$1 packets transmitted, $1 received, 0% packet loss" "$RUN/ping.log" || fail "packets were lost"
}

# transfer CONNECTING LISTENING ADDRESS DIRECTION - a file over TCP, compared at the end. DIRECTION is
# seen from the one that connects: "send" or "receive".
transfer() {
	local from=$1 to=$2 address=$3 direction=$4 left right
	rm -f "$RUN/got"
	if [ "$direction" = send ]; then
		left="OPEN:$RUN/sample" right="CREATE:$RUN/got"
	else
		left="CREATE:$RUN/got" right="OPEN:$RUN/sample"
	fi
	if [ "$direction" = send ]; then
		start sink "$to" socat -u -T 20 TCP-LISTEN:7000,reuseaddr "$right"
		wait_for 5 listens "$to" -t 7000
		ns "$from" socat -u -T 20 "$left" "TCP:$address:7000,connect-timeout=5"
	else
		start sink "$to" socat -u -T 20 "$right" TCP-LISTEN:7000,reuseaddr
		wait_for 5 listens "$to" -t 7000
		ns "$from" socat -u -T 20 "TCP:$address:7000,connect-timeout=5" "$left"
	fi
	wait_for 20 dead sink || fail "the listening end did not finish"
	cmp "$RUN/sample" "$RUN/got"
}

# stat_in NAMESPACE FILTER - of the statistics of the instance there, by jq
stat_in() { ns "$1" ip -j -s ovpn show dev tun0 | jq -r ".[0].stats | $2"; }
no_instance_in() { [ "$(ns "$1" ip -j ovpn show)" = '[]' ]; }

# by_the_fast_path [NAMESPACE] - more than 95 % of the packets of each direction. A segment that closes a connection
# takes the normal path, and so does the first one after a reply, each with the bundle that contains it: up to 47
# segments in 64 KB, so at most 4 % of the segments of one transfer of the sample. For long connections it is more
# than 99 %, which the demo shows.
by_the_fast_path() {
	local way other share
	for way in rx tx; do
		[ "$way" = rx ] && other=slow || other=egress
		share=$(stat_in "${1:-gw}" "[.${way}_fast_packets, .${way}_${other}_packets, .${way}_userspace_packets] |
			(.[0] * 10000 / add | floor)")
		echo "$way by the fast path: $share of 10000"
		expect "$way by the fast path, of 10000 packets" "$share" -gt 9500
	done
}

# client_moves ip|ip6 PORT - the client's packets come from elsewhere, as when a NAT on its way forgets it. No
# connection is tracked for that: a reply on its way to the old port would begin one the other way round.
client_moves() {
	local old
	old=$(ns client ss -Huanp | awk -v pid="pid=${PID[client]}," 'index($0, pid) { sub(/.*:/, "", $4); print $4; exit }')
	undo ns client nft delete table "$1" moved
	ns client nft -f - <<-RULES
		table $1 moved {
			chain out {
				type filter hook postrouting priority srcnat + 1;
				udp sport $old udp dport 1194 udp sport set $2
			}
			chain in {
				type filter hook prerouting priority raw;
				udp sport 1194 udp dport $2 udp dport set $old
			}
		}
	RULES
}
# The client has been told so if it knows them, and only with ciphers that have them.
uses_epochs() { # CIPHER
	local wanted=no told=no
	case $OPENVPN:$1 in 2.7:*-GCM | 2.7:*POLY1305) wanted=yes ;; esac
	if logged client 'PUSH_REPLY.*aead-epoch'; then told=yes; fi
	expect 'epoch data format' "$told" = "$wanted"
}

# revoke NAME... - a new list of revoked clients, in place of the old one
revoke() {
	local name
	: >"$RUN/pki/index"
	for name; do
		printf 'R\t300101000000Z\t%s\t%s\tunknown\t/CN=%s\n' "$(date -u +%y%m%d%H%M%SZ)" \
			"$(openssl x509 -noout -serial -in "$RUN/pki/$name.crt" | sed 's/^serial=//')" "$name" >>"$RUN/pki/index"
	done
	printf '[ca]\ndefault_ca = lab\n[lab]\ndatabase = %s\n' "$RUN/pki/index" >"$RUN/pki/ca.conf"
	openssl ca -config "$RUN/pki/ca.conf" -gencrl -cert "$RUN/pki/ca.crt" -keyfile "$RUN/pki/ca.key" -md sha256 \
		-crldays 2 -out "$RUN/pki/crl.new"
	mv "$RUN/pki/crl.new" "$RUN/pki/crl.pem"
}

refused() { logged "$1" 'fatal SSL alert|AUTH_FAILED|TLS handshake failed'; }

both_ways() {
	local address
	address=$(vpn_address client)
	all_answered client "$LAN" 20 0.02
	all_answered lan "$address" 20 0.02
	transfer client lan "$LAN" send
	transfer client lan "$LAN" receive
	transfer lan client "$address" send
	transfer lan client "$address" receive
}

# ---- our client
# our_client_start NAME NAMESPACE CIPHER SERVER [LINE...], our_client_up likewise - and connected
our_client_start() {
	local name=$1 space=$2
	shift 2
	client_config client "$@" >"$RUN/$name.conf"
	start "$name" "$space" nf-ovpnd --config "$RUN/$name.conf"
}
our_client_up() {
	our_client_start "$@"
	client_wait "$1"
}
# stock_gateway_up CIPHER [LINE...] - a stock server
stock_gateway_up() {
	local cipher=$1
	shift
	gateway_up server openvpn "$cipher" disable-dco "$@"
}
new_keys() { [ "$(grep -c 'new keys by' "$RUN/client.log")" -ge "$1" ]; }

# client_left - it has removed everything, and says that all is well
client_left() {
	stop client || fail "exit status $?"
	no_link client tun0 || fail 'the device is left'
	no_instance_in client || fail 'an instance is left in the kernel'
}

# ---- tests
# Keys change twice while a hundred packets a second go both ways, and none is lost.
renegotiation() { # SERVER'S-SECONDS CLIENT'S-SECONDS [PACKETS]
	local packets=${3:-1500}
	gateway_up server nf-ovpnd AES-256-GCM "reneg-sec $1"
	client_up client client AES-256-GCM "$GW" disable-dco "reneg-sec $2"
	ping_on "$packets" 0.01
	wait_for $((packets / 100 + 15)) negotiated client 3 || fail "only $(negotiations client) negotiations"
	none_lost "$packets"
	transfer client lan "$LAN" receive
	expect 'packets for which there was no key' "$(stat .drops.no_key)" -eq 0
	expect 'packets to userspace, received and sent' \
		"$(stat '[.rx_userspace_packets, .tx_userspace_packets] | join(" ")')" = '0 0'
}

# The same of our client.
client_renegotiation() { # SERVER'S-SECONDS CLIENT'S-SECONDS [PACKETS]
	local packets=${3:-2000}
	stock_gateway_up AES-256-GCM "reneg-sec $1"
	our_client_up client client AES-256-GCM "$GW" "reneg-sec $2"
	ping_on "$packets" 0.01
	wait_for $((packets / 100 + 40)) new_keys 2 || fail 'no renegotiation'
	none_lost "$packets"
	transfer client lan "$LAN" receive
	expect 'packets for which there was no key' "$(stat_in client .drops.no_key)" -eq 0
	if logged server 'TLS Error|Authenticate/Decrypt packet error'; then fail 'the server complains'; fi
	client_left
	stop server || true
}
