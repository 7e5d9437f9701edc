# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# systems.sh - what the benchmark compares. "system_up SYSTEM CIPHER" makes a tunnel between the
# namespaces client and gw of lab/demo/lib.sh, "system_down SYSTEM" removes it.
#
#   none		the gateway forwards, no tunnel
#   nf_ovpn		nf_ovpn at both ends
#   ovpn		mainline's ovpn driver at both ends
#   nf_ovpn+ovpn	nf_ovpn on the gateway, mainline's driver on the client
#   wireguard		WireGuard, which has ChaCha20-Poly1305 alone
#   esp			ESP in UDP, RFC 3948
#   openvpn		OpenVPN in userspace at both ends
#
# Inside, the client is 10.8.0.2 and has the network 10.77.0.0/24 behind it, the gateway is 10.8.0.1,
# the MTU 1420, or with DEFAULTS what the system has by itself. Keys are fixed, as nothing but speed is measured; OpenVPN alone negotiates its own.

tool=$KSELFTEST/ovpn_tool

KEY1=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
KEY2=202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f
TAIL1=a0a1a2a3a4a5a6a7
TAIL2=b0b1b2b3b4b5b6b7

# key_words CIPHER PEER ENCRYPT-KEY TAIL DECRYPT-KEY TAIL
key_words() {
	local alg
	case $1 in
	chacha20-poly1305) alg=$1 ;;
	aes-256-gcm) alg=aes-gcm ;;
	*) die "no cipher $1" ;;
	esac
	echo "keyconf{ peer-id=$2 slot=primary key-id=0 cipher-alg=$alg encrypt-dir{ cipher-key=$3 nonce-tail=$4 }" \
		"decrypt-dir{ cipher-key=$5 nonce-tail=$6 } }"
}
gw_key_words() { key_words "$1" "${2:-1}" "$KEY1" "$TAIL1" "$KEY2" "$TAIL2"; }
client_key_words() { key_words "$1" 1 "$KEY2" "$TAIL2" "$KEY1" "$TAIL1"; }

# hold NAME NAMESPACE COMMAND... - a process of ovpn_tool that keeps a device or a socket
hold() {
	local name=$1 space=$2
	shift 2
	"$tool" -n "$space" -b -p "$RUN/$name.held" "$@" >/dev/null
}
release() {
	local pid
	[ -s "$RUN/$1.held" ] || return 0
	pid=$(<"$RUN/$1.held")
	rm "$RUN/$1.held"
	kill "$pid"
	wait_for 5 eval "[ ! -e /proc/$pid/fd/0 ]"
}

# inner NAMESPACE ADDRESS - tun0 is up, with its MTU and address
inner() {
	ip -n "$1" addr add "$2/24" dev tun0
	[ -n "${DEFAULTS:-}" ] || ip -n "$1" link set tun0 mtu 1420
	ip -n "$1" link set tun0 up
}
# OpenVPN's MTU is 1500, with "mssfix 1492": less 20 + 8 bytes outside, 24 of the data channel, 20 + 20 inside
mssfix() { [ -z "${DEFAULTS:-}" ] || echo tcp-mss=1400; }

nf_ovpn_gw() { # CIPHER
	hold tun gw tun tun0
	inner gw 10.8.0.1
	hold socket gw gro-socket 192.0.2.1 1194
	"$tool" -n gw nl nf-ovpn instance-new ifindex=tun0 "instance{" "listener{" local-ipv4=192.0.2.1 local-port=1194 "}" "}"
	# shellcheck disable=SC2046	# no word, or one
	"$tool" -n gw nl nf-ovpn peer-new ifindex=tun0 "peer{" id=1 remote-ipv4=192.0.2.10 remote-port=1194 $(mssfix) \
		vpn-ipv4=10.8.0.2 "network{" ipv4=10.77.0.0 prefix-len=24 "}" "}"
	# shellcheck disable=SC2046	# words
	"$tool" -n gw nl nf-ovpn key-new ifindex=tun0 $(gw_key_words "$1")
}

nf_ovpn_client() { # CIPHER
	hold client-tun client tun tun0
	inner client 10.8.0.2
	hold client-socket client gro-socket 192.0.2.10 1194
	"$tool" -n client nl nf-ovpn instance-new ifindex=tun0 "instance{" mode=p2p "listener{" local-ipv4=192.0.2.10 \
		local-port=1194 "}" "}"
	# shellcheck disable=SC2046	# no word, or one
	"$tool" -n client nl nf-ovpn peer-new ifindex=tun0 "peer{" id=1 remote-ipv4=192.0.2.1 remote-port=1194 \
		$(mssfix) "}"
	# shellcheck disable=SC2046	# words
	"$tool" -n client nl nf-ovpn key-new ifindex=tun0 $(client_key_words "$1")
}

# iproute2 cannot ask for a device of many peers, mode 1 (IFLA_OVPN_MODE), yet.
OVPN_MP='import socket, struct
def attr(kind, value):
    value += bytes(-len(value) % 4) if kind & 0x8000 else b""
    return struct.pack("HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
info = attr(1, b"ovpn") + attr(2 | 0x8000, attr(1, b"\1"))
body = struct.pack("BxHiII", 0, 0, 0, 0, 0) + attr(3, b"tun0\0") + attr(18 | 0x8000, info)
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
s.send(struct.pack("IHHII", 16 + len(body), 16, 0x605, 1, 0) + body)
error = struct.unpack_from("i", s.recv(4096), 16)[0]
if error:
    raise OSError(-error, "RTM_NEWLINK")'

ovpn_gw() { # CIPHER
	ns gw python3 -c "$OVPN_MP"
	inner gw 10.8.0.1
	hold socket gw socket 192.0.2.1 1194 peer-new ifindex=tun0 "peer{" id=1 socket=fd remote-ipv4=192.0.2.10 \
		remote-port=1194 vpn-ipv4=10.8.0.2 "}"
	# shellcheck disable=SC2046	# words
	"$tool" -n gw nl ovpn key-new ifindex=tun0 $(gw_key_words "$1")
}

ovpn_client() { # CIPHER
	ip -n client link add tun0 type ovpn
	inner client 10.8.0.2
	hold client-socket client socket 192.0.2.10 1194 peer-new ifindex=tun0 "peer{" id=1 socket=fd \
		remote-ipv4=192.0.2.1 remote-port=1194 "}"
	# shellcheck disable=SC2046	# words
	"$tool" -n client nl ovpn key-new ifindex=tun0 $(client_key_words "$1")
}

wireguard_up() {
	local space key
	for space in gw client; do
		key=$RUN/wg-$space
		[ -f "$key" ] || (umask 077 && wg genkey >"$key")
		ip -n "$space" link add tun0 type wireguard
		ns "$space" wg set tun0 listen-port 1194 private-key "$key"
	done
	ns gw wg set tun0 peer "$(wg pubkey <"$RUN/wg-client")" allowed-ips 10.8.0.2/32,10.77.0.0/24
	ns client wg set tun0 peer "$(wg pubkey <"$RUN/wg-gw")" endpoint 192.0.2.1:1194 allowed-ips 0.0.0.0/0
	inner gw 10.8.0.1
	inner client 10.8.0.2
}

# A socket with UDP_ENCAP of UDP_ENCAP_ESPINUDP makes the kernel take ESP from it.
ENCAP='import signal, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_UDP, 100, 2)
s.bind((sys.argv[1], 4500))
print("ready", flush=True)
signal.pause()'

# esp_policies NAMESPACE DIRECTIONS FROM TO OUTER-FROM OUTER-TO
esp_policies() {
	local dir
	for dir in $2; do
		ip -n "$1" xfrm policy add src "$3" dst "$4" dir "$dir" tmpl src "$5" dst "$6" proto esp reqid 1 mode tunnel
	done
}

esp_up() { # CIPHER
	local alg space own other mine
	case $1 in
	chacha20-poly1305) alg='rfc7539esp(chacha20,poly1305)' ;;
	aes-256-gcm) alg='rfc4106(gcm(aes))' ;;
	esac
	for space in gw client; do
		if [ "$space" = gw ]; then
			own=192.0.2.1 other=192.0.2.10
		else
			own=192.0.2.10 other=192.0.2.1
		fi
		start "esp-$space" "$space" python3 -c "$ENCAP" "$own"
		wait_log 10 "esp-$space" ready
		for mine in "$own $other" "$other $own"; do
			# shellcheck disable=SC2086	# two addresses
			set -- "$1" $mine
			ip -n "$space" xfrm state add src "$2" dst "$3" proto esp spi "0x${2##*.}00" reqid 1 mode tunnel \
				flag esn replay-window 1024 aead "$alg" "0x${KEY1}00000000" 128 \
				encap espinudp 4500 4500 0.0.0.0
		done
	done
	for mine in 10.8.0.0/24 10.77.0.0/24; do
		esp_policies gw out 10.99.0.0/24 "$mine" 192.0.2.1 192.0.2.10
		esp_policies gw "in fwd" "$mine" 10.99.0.0/24 192.0.2.10 192.0.2.1
		esp_policies client out "$mine" 10.99.0.0/24 192.0.2.10 192.0.2.1
		esp_policies client "in fwd" 10.99.0.0/24 "$mine" 192.0.2.1 192.0.2.10
	done
	ip -n client link add tun0 type dummy
	inner client 10.8.0.2
	ip -n gw route add 10.8.0.0/24 via 192.0.2.10 mtu lock 1420
	ip -n gw route add 10.77.0.0/24 via 192.0.2.10 mtu lock 1420
	ip -n client route add 10.99.0.0/24 via 192.0.2.1 src 10.8.0.2 mtu lock 1420
}

esp_down() {
	local space
	for space in gw client; do
		ip -n "$space" xfrm policy flush
		ip -n "$space" xfrm state flush
		stop "esp-$space" || true
	done
	ip -n gw route del 10.8.0.0/24 via 192.0.2.10
	ip -n gw route del 10.77.0.0/24 via 192.0.2.10
	ip -n client route del 10.99.0.0/24 via 192.0.2.1
}

system_up() { # SYSTEM CIPHER
	case $1 in
	none)
		ip -n client addr add 10.8.0.2/32 dev wan
		ip -n gw route add 10.8.0.0/24 via 192.0.2.10
		ip -n gw route add 10.77.0.0/24 via 192.0.2.10
		ip -n client route add 10.99.0.0/24 via 192.0.2.1 src 10.8.0.2
		;;
	nf_ovpn) nf_ovpn_gw "$2" && nf_ovpn_client "$2" ;;
	ovpn) ovpn_gw "$2" && ovpn_client "$2" ;;
	nf_ovpn+ovpn) nf_ovpn_gw "$2" && ovpn_client "$2" ;;
	wireguard) wireguard_up ;;
	esp) esp_up "$2" ;;
	openvpn)
		gateway_up server openvpn "${2^^}" disable-dco "route 10.77.0.0 255.255.255.0"
		client_up client client "${2^^}" "$GW" disable-dco
		;;
	*) die "no system $1" ;;
	esac
	case $1 in
	none | esp | openvpn) ;;
	*)
		ip -n gw route add 10.77.0.0/24 via 10.8.0.2
		ip -n client route add 10.99.0.0/24 via 10.8.0.1
		;;
	esac
	wait_for 10 pings client "$LAN" || die "no answer through $1"
}

system_down() { # SYSTEM
	case $1 in
	none)
		ip -n client addr del 10.8.0.2/32 dev wan
		ip -n gw route del 10.8.0.0/24 via 192.0.2.10
		ip -n gw route del 10.77.0.0/24 via 192.0.2.10
		ip -n client route del 10.99.0.0/24 2>/dev/null || true
		;;
	esp) esp_down ;;
	openvpn) stop client && stop server ;;
	esac
	for held in tun socket client-tun client-socket; do release "$held"; done
	for space in gw client; do ip -n "$space" link del tun0 2>/dev/null || true; done
	ns gw conntrack -F 2>/dev/null
	ns client conntrack -F 2>/dev/null
}
