#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# netlink.sh - the requests of nf_ovpn: what is refused and why, what is told,
# and what is not.

. "$(dirname "$0")/common.sh"

# WANTED TEXT: a thing and what it is to be
same() {
	echo "  $2 (to be $1)"
	[ "$1" = "$2" ] || fail "it differs"
}

# ANSWER WORD...: the words are in the answer, one after the other
says() {
	echo "  $1"
	[[ "$1 " == *" ${*:2} "* ]] || fail "it does not say ${*:2}"
}

start() {
	outer_addresses 4
	gw_tun_up && gw_socket_up "$gw_addr" &&
		run ip -n "$gw" tuntap add tap1 mode tap &&
		run gwnl instance-new ifindex=tun0 "instance{" "listener{" \
			local-port="$GW_PORT" "}" "}" && gw_peer_new
}

# The table: a request, and in the next line what comes of it in the words of
# ovpn_tool. TUN stands for "ifindex=tun0", KEY32 for both directions of a key
# with that many bytes, CKEY for a cipher key.
refusals() {
	# with continuation lines
	sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}' <<-'TABLE'
	instance-new
		| EINVAL ifindex missing
	instance-new TUN
		| EINVAL instance missing
	instance-new TUN instance{ }
		| EINVAL instance.listener missing
	instance-new TUN instance{ listener{ } }
		| EINVAL instance.listener.local-port missing
	instance-new TUN instance{ listener{ local-port=0 } }
		| ERANGE instance.listener.local-port: integer out of range
	instance-new TUN instance{ listener{ local-ipv6:hex=00 local-port=1 } }
		| ERANGE instance.listener.local-ipv6: binary attribute size out of range
	instance-new TUN instance{ listener{ local-ipv4=192.0.2.1 local-ipv6=::1 local-port=1 } }
		| EINVAL instance.listener.local-ipv6: a listener has one address
	instance-new TUN instance{ listener{ local-port=1 } mode=2 }
		| ERANGE instance.mode: integer out of range
	instance-new TUN instance{ listener{ local-port=1 } fastpath=4 }
		| ERANGE instance.fastpath: integer out of range
	instance-new TUN instance{ listener{ local-port=1 } peers=1 }
		| EINVAL instance.peers: Unsupported attribute
	instance-new TUN instance{ listener{ local-port=1 } 77:hex=00 }
		| EINVAL instance.77: Unknown attribute type
	instance-new ifindex=0 instance{ listener{ local-port=1 } }
		| ERANGE ifindex: integer out of range
	instance-new ifindex=4294967295 instance{ listener{ local-port=1 } }
		| ERANGE ifindex: integer out of range
	instance-new ifindex=999 instance{ listener{ local-port=1 } }
		| ENODEV ifindex: no such device
	instance-new ifindex:hex=01 instance{ listener{ local-port=1 } }
		| EINVAL ifindex: invalid attribute length
	instance-new TUN instance:hex=
		| EINVAL instance: NLA_F_NESTED is missing
	instance-new ifindex=lo instance{ listener{ local-port=1 } }
		| EOPNOTSUPP ifindex: not a tun device
	instance-new ifindex=veth0 instance{ listener{ local-port=1 } }
		| EOPNOTSUPP ifindex: not a tun device
	instance-new ifindex=tap1 instance{ listener{ local-port=1 } }
		| EOPNOTSUPP ifindex: a TAP device; only TUN devices are supported
	instance-new TUN instance{ listener{ local-port=1 } }
		| EEXIST ifindex: the device has an instance
	instance-set
		| EINVAL instance missing
	instance-set TUN
		| EINVAL instance missing
	instance-set ifindex=lo instance{ }
		| ENODEV ifindex: no instance on this device
	instance-set TUN instance{ mode=p2p }
		| EINVAL instance.mode: Unsupported attribute
	instance-set TUN instance{ fastpath=9 }
		| ERANGE instance.fastpath: integer out of range
	instance-set TUN instance{ dscp=2 }
		| ERANGE instance.dscp: integer out of range
	instance-set TUN instance{ df=3 }
		| ERANGE instance.df: integer out of range
	instance-set TUN instance{ mark:hex=00 }
		| EINVAL instance.mark: invalid attribute length
	instance-set TUN instance{ peers=1 }
		| EINVAL instance.peers: Unsupported attribute
	instance-set TUN instance{ listener{ local-ipv4=192.0.2.1 } }
		| EINVAL instance.listener.local-port missing
	instance-get
		| EINVAL ifindex missing
	instance-get ifindex=999
		| ENODEV ifindex: no instance on this device
	instance-del
		| EINVAL ifindex missing
	instance-del ifindex=lo
		| ENODEV ifindex: no instance on this device
	peer-new
		| EINVAL peer missing
	peer-new TUN
		| EINVAL peer missing
	peer-new peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 }
		| EINVAL ifindex missing
	peer-new TUN peer{ }
		| EINVAL peer.id missing
	peer-new TUN peer{ id=1 }
		| EINVAL peer.remote-ipv4 missing: remote-ipv4 or remote-ipv6 is needed
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 }
		| EINVAL peer.remote-port missing
	peer-new TUN peer{ id=1 remote-port=1 }
		| EINVAL peer.remote-ipv4 missing: remote-ipv4 or remote-ipv6 is needed
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-ipv6=2001:db8::9 remote-port=1 }
		| EINVAL peer.remote-ipv6: a peer has one remote address
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=0 }
		| ERANGE peer.remote-port: integer out of range
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 local-ipv6=::1 }
		| EINVAL peer.local-ipv6: not of the family of the remote address
	peer-new TUN peer{ id=1 remote-ipv6=2001:db8::9 remote-port=1 local-ipv4=192.0.2.1 }
		| EINVAL peer.local-ipv4: not of the family of the remote address
	peer-new TUN peer{ id=0x1000000 remote-ipv4=192.0.2.9 remote-port=1 }
		| ERANGE peer.id: integer out of range
	peer-new TUN peer{ id=1 tx-id=0x1000000 remote-ipv4=192.0.2.9 remote-port=1 }
		| ERANGE peer.tx-id: integer out of range
	peer-new TUN peer{ id=1 remote-ipv4:hex=0000 remote-port=1 }
		| EINVAL peer.remote-ipv4: invalid attribute length
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 vpn-ipv6:hex=00 }
		| ERANGE peer.vpn-ipv6: binary attribute size out of range
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 keepalive-interval=86401 }
		| ERANGE peer.keepalive-interval: integer out of range
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 keepalive-timeout=86401 }
		| ERANGE peer.keepalive-timeout: integer out of range
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 del-reason=userspace }
		| EINVAL peer.del-reason: Unknown attribute type
	peer-new TUN peer{ id=42 remote-ipv4=192.0.2.9 remote-port=1 }
		| EEXIST peer.id: a peer has this ID
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 vpn-ipv4=10.8.0.2 }
		| EEXIST peer.vpn-ipv4: belongs to another peer
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 vpn-ipv6=fd08::2 }
		| EEXIST peer.vpn-ipv6: belongs to another peer
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 network{ ipv4=10.9.0.0 } }
		| EINVAL peer.network.prefix-len missing
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 network{ prefix-len=8 } }
		| EINVAL peer.network: a network is of IPv4 or of IPv6
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 \
		network{ ipv4=10.9.0.0 ipv6=fd09:: prefix-len=8 } }
		| EINVAL peer.network: a network is of IPv4 or of IPv6
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 \
		network{ ipv4=10.9.0.0 prefix-len=33 } }
		| EINVAL peer.network.prefix-len: longer than an IPv4 address
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 \
		network{ ipv6=fd09:: prefix-len=129 } }
		| ERANGE peer.network.prefix-len: integer out of range
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 \
		network{ ipv4=10.9.0.1 prefix-len=24 } }
		| EINVAL peer.network.ipv4: has bits set behind the prefix
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 \
		network{ ipv6=fd09::1 prefix-len=64 } }
		| EINVAL peer.network.ipv6: has bits set behind the prefix
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 \
		network{ ipv6:hex=00 prefix-len=64 } }
		| ERANGE peer.network.ipv6: binary attribute size out of range
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 \
		no-networks= network{ ipv4=10.9.0.0 prefix-len=24 } }
		| EINVAL peer.no-networks: there is a network
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 no-networks:hex=00 }
		| ERANGE peer.no-networks: Attribute failed policy validation
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 mark:hex=00 }
		| EINVAL peer.mark: invalid attribute length
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 tcp-mss:hex=00 }
		| EINVAL peer.tcp-mss: invalid attribute length
	peer-new ifindex=lo peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 }
		| ENODEV ifindex: no instance on this device
	peer-set
		| EINVAL peer missing
	peer-set TUN
		| EINVAL peer missing
	peer-set TUN peer{ }
		| EINVAL peer.id missing
	peer-set TUN peer{ id=1 }
		| ENOENT peer.id: no peer with this ID
	peer-set TUN peer{ id=42 remote-ipv4=192.0.2.9 remote-ipv6=2001:db8::9 }
		| EINVAL peer.remote-ipv6: a peer has one remote address
	peer-set TUN peer{ id=42 local-ipv6=::1 }
		| EINVAL peer.local-ipv6: not of the family of the remote address
	peer-set TUN peer{ id=42 remote-port=0 }
		| ERANGE peer.remote-port: integer out of range
	peer-get TUN
		| EINVAL peer missing
	peer-get TUN peer{ }
		| EINVAL peer.id missing
	peer-get TUN peer{ id=1 }
		| ENOENT peer.id: no peer with this ID
	peer-del
		| EINVAL peer missing
	peer-del TUN
		| EINVAL peer missing
	peer-del TUN peer{ }
		| EINVAL peer.id missing
	peer-del TUN peer{ id=1 }
		| ENOENT peer.id: no peer with this ID
	peer-del TUN peer{ id=42 tx-id=42 }
		| EINVAL peer.tx-id: Unknown attribute type
	peer-flush
		| EINVAL ifindex missing
	peer-flush ifindex=lo
		| ENODEV ifindex: no instance on this device
	key-new
		| EINVAL keyconf missing
	key-new TUN
		| EINVAL keyconf missing
	key-new TUN keyconf{ }
		| EINVAL keyconf.peer-id missing
	key-new TUN keyconf{ peer-id=1 slot=primary key-id=0 cipher-alg=aes-gcm KEY32 }
		| ENOENT keyconf.peer-id: no peer with this ID
	key-new TUN keyconf{ peer-id=42 key-id=0 cipher-alg=aes-gcm KEY32 }
		| EINVAL keyconf.slot missing
	key-new TUN keyconf{ peer-id=42 slot=primary cipher-alg=aes-gcm KEY32 }
		| EINVAL keyconf.key-id missing
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 KEY32 }
		| EINVAL keyconf.cipher-alg missing
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm }
		| EINVAL keyconf.encrypt-dir missing
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm \
		encrypt-dir{ } decrypt-dir{ } }
		| EINVAL keyconf.encrypt-dir.cipher-key missing
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm \
		encrypt-dir{ CKEY nonce-tail=0011223344556677 } }
		| EINVAL keyconf.decrypt-dir missing
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm \
		encrypt-dir{ CKEY } decrypt-dir{ } }
		| EINVAL keyconf.encrypt-dir.nonce-tail missing
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm \
		encrypt-dir{ CKEY nonce-tail=00 } decrypt-dir{ } }
		| ERANGE keyconf.encrypt-dir.nonce-tail: binary attribute size out of range
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm KEY31 }
		| EINVAL keyconf.encrypt-dir: the cipher has no keys of this length
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm KEY0 }
		| EINVAL keyconf.encrypt-dir: the cipher has no keys of this length
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm KEY33 }
		| ERANGE keyconf.encrypt-dir.cipher-key: binary attribute size out of range
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=chacha20-poly1305 KEY16 }
		| EINVAL keyconf.encrypt-dir: the cipher has no keys of this length
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=none KEY32 }
		| EINVAL keyconf.cipher-alg: no encryption, and insecure not given
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-cbc \
		KEY32 }
		| EINVAL keyconf.auth-alg missing
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-cbc \
		auth-alg=none KEY32 }
		| EINVAL keyconf.auth-alg: the cipher does not authenticate
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-cbc \
		auth-alg=hmac-sha1 KEY32 }
		| EINVAL keyconf.encrypt-dir.auth-key missing
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-cbc \
		auth-alg=hmac-sha1 \
		encrypt-dir{ CKEY auth-key=00 nonce-tail=0000000000000000 } \
		decrypt-dir{ CKEY auth-key=00 } }
		| EINVAL keyconf.encrypt-dir.nonce-tail: this key has nonces without a tail
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-cbc \
		auth-alg=hmac-sha1 encrypt-dir{ CKEY auth-key=00 } \
		decrypt-dir{ CKEY auth-key=00 } }
		| EINVAL keyconf.encrypt-dir: auth-alg has no keys of this length
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm \
		auth-alg=hmac-sha1 KEY32 }
		| EINVAL keyconf.auth-alg: the cipher authenticates by itself
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm \
		auth-alg=3 KEY32 }
		| ERANGE keyconf.auth-alg: integer out of range
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-cbc \
		auth-alg=hmac-sha1 epochs= KEY32 }
		| EINVAL keyconf.epochs: the cipher does not authenticate
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm \
		epochs= KEY32 }
		| EINVAL keyconf.key-bits missing
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm \
		key-bits=128 KEY16 }
		| EINVAL keyconf.key-bits: cipher-key tells, without epochs
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm \
		epochs= key-bits=264 KEY32 }
		| EINVAL keyconf.key-bits: the cipher has no keys of this length
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm \
		epochs= key-bits=128 KEY32 }
		| EINVAL keyconf.encrypt-dir.nonce-tail: this key has nonces without a tail
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm \
		epochs= key-bits=128 encrypt-dir{ CKEY } decrypt-dir{ CKEY } }
		| EINVAL keyconf.encrypt-dir: the cipher has no keys of this length
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm \
		tx-packet-id=0x100000000 KEY32 }
		| ERANGE keyconf.tx-packet-id: more than 32 bits, without epochs
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm \
		rx-packet-id=0x100000000 KEY32 }
		| ERANGE keyconf.rx-packet-id: more than 32 bits, without epochs
	peer-new TUN peer{ id=1 remote-ipv4=192.0.2.9 remote-port=1 framing=4 }
		| ERANGE peer.framing: integer out of range
	peer-set TUN peer{ id=42 data-v1= }
		| EINVAL peer.data-v1: cannot be changed
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=4 KEY32 }
		| ERANGE keyconf.cipher-alg: integer out of range
	key-new TUN keyconf{ peer-id=42 slot=2 key-id=0 cipher-alg=aes-gcm KEY32 }
		| ERANGE keyconf.slot: integer out of range
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=8 cipher-alg=aes-gcm KEY32 }
		| ERANGE keyconf.key-id: integer out of range
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm \
		packets=1 KEY32 }
		| EINVAL keyconf.packets: Unsupported attribute
	key-new TUN keyconf{ peer-id=42 slot=primary key-id=0 cipher-alg=aes-gcm \
		rx-window:hex=00 KEY32 }
		| EINVAL keyconf.rx-packet-id missing
	key-get TUN
		| EINVAL keyconf missing
	key-get TUN keyconf{ }
		| EINVAL keyconf.peer-id missing
	key-get TUN keyconf{ peer-id=42 }
		| EINVAL keyconf.slot missing
	key-get TUN keyconf{ peer-id=1 slot=primary }
		| ENOENT keyconf.peer-id: no peer with this ID
	key-get TUN keyconf{ peer-id=42 slot=secondary }
		| ENOENT keyconf.slot: no key in this slot
	key-swap
		| EINVAL keyconf missing
	key-swap TUN
		| EINVAL keyconf missing
	key-swap TUN keyconf{ }
		| EINVAL keyconf.peer-id missing
	key-swap TUN keyconf{ peer-id=1 }
		| ENOENT keyconf.peer-id: no peer with this ID
	key-swap TUN keyconf{ peer-id=42 }
		| ENOENT keyconf.peer-id: the peer has no secondary key
	key-del
		| EINVAL keyconf missing
	key-del TUN
		| EINVAL keyconf missing
	key-del TUN keyconf{ }
		| EINVAL keyconf.peer-id missing
	key-del TUN keyconf{ peer-id=42 }
		| EINVAL keyconf.slot missing
	key-del TUN keyconf{ peer-id=1 slot=primary }
		| ENOENT keyconf.peer-id: no peer with this ID
	key-del TUN keyconf{ peer-id=42 slot=primary }
		| ENOENT keyconf.slot: no key in this slot
	key-release TUN keyconf{ peer-id=42 }
		| EINVAL keyconf.slot missing
	key-release TUN keyconf{ peer-id=1 slot=primary }
		| ENOENT keyconf.peer-id: no peer with this ID
	key-release TUN keyconf{ peer-id=42 slot=primary }
		| ENOENT keyconf.slot: no key in this slot
	key-reserve TUN keyconf{ peer-id=42 slot=primary packets=0 }
		| ERANGE keyconf.packets: integer out of range
	key-reserve TUN keyconf{ peer-id=42 slot=primary packets=65537 }
		| ERANGE keyconf.packets: integer out of range
	key-reserve TUN keyconf{ peer-id=42 slot=primary packets=1 }
		| ENOENT keyconf.slot: no key in this slot
	key-accept TUN keyconf{ peer-id=42 slot=primary rx-packet-id=1 }
		| ENOENT keyconf.slot: no key in this slot
	peer-del-ntf
		| EOPNOTSUPP
	99
		| EOPNOTSUPP
	TABLE
}

# LENGTH: a pair of key directions
zero_key() {
	local zeros
	printf -v zeros "%0$((2 * $1))d" 0
	[ "$1" -gt 0 ] || zeros=
	echo "encrypt-dir{ cipher-key=$zeros nonce-tail=0000000000000000 }" \
		"decrypt-dir{ cipher-key=$zeros nonce-tail=0000000000000000 }"
}

refused() { # REQUEST WANTED
	local request=$1 words status lines
	request=${request//TUN/ifindex=tun0}
	request=${request//CKEY/cipher-key=00112233445566778899aabbccddeeff}
	if [[ $request =~ KEY([0-9]+) ]]; then
		request=${request/${BASH_REMATCH[0]}/$(zero_key \
			"${BASH_REMATCH[1]}")}
	fi
	read -ra words <<<"$request"
	ask "$gw" nl nf-ovpn "${words[@]}"
	status=$?
	mapfile -t lines <"$told"
	echo "+ $request"
	echo "  ${lines[*]} (to be $2)"
	[ $status -eq 1 ] && [ "${lines[*]}" = "$2" ]
}

# A refused request has changed nothing.
nothing_changed() {
	same 1 "$(gwnl instance-get ifindex=tun0 | grep -o 'peers=[0-9]*' |
		cut -d= -f2)" &&
		same 1 "$("$tool" -n "$gw" dump nf-ovpn instance-get | wc -l)" &&
		same "" "$("$tool" -n "$gw" dump nf-ovpn key-get ifindex=tun0 \
			"keyconf{" peer-id=42 "}")"
}

listener_taken() {
	local status=0
	gw_tun_add tun1 10.9.0.1/24 fd09::1/64 || return
	refused "instance-new ifindex=tun1 instance{ listener{ local-port=$GW_PORT } }" \
		"EADDRINUSE instance.listener: another instance has this listener" || status=1
	refused "instance-get ifindex=tun1" \
		"ENODEV ifindex: no instance on this device" || status=1
	stop tun1
	return $status
}

second_p2p_peer() {
	local status=0
	gw_tun_add tun1 10.9.0.1/24 fd09::1/64 &&
		run gwnl instance-new ifindex=tun1 "instance{" mode=p2p \
			"listener{" local-port=1300 "}" "}" &&
		run gwnl peer-new ifindex=tun1 "peer{" id=1 \
			remote-ipv4=192.0.2.9 remote-port=1 "}" || return
	refused "peer-new ifindex=tun1 peer{ id=2 remote-ipv4=192.0.2.9 remote-port=2 }" \
		"EEXIST peer.id: a p2p instance has one peer" || status=1
	stop tun1
	return $status
}

# --- each attribute of each request, wrong in one way at a time

# Requests with all attributes that they take, or all that go together; "!" is
# before what must be there. They are right, and made after their wrong ones, so
# that one stands on the other.
whole() {
	sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}' \
		-e "s/CKEY/cipher-key=${KEY_UP:0:32}/g" \
		-e "s/LKEY/cipher-key=$KEY_UP/g" \
		-e "s/AKEY/auth-key=${KEY_UP:0:40}/g" \
		-e "s/SCOPE/$(ip netns exec "$gw" cat /sys/class/net/veth0/ifindex)/" \
		<<-'TABLE'
	instance-new !ifindex=tun2 !instance{ mode=mp fastpath=off dscp=inherit \
		df=set mark=1 !listener{ local-ipv4=192.0.2.1 !local-port=1301 } }
	instance-set !ifindex=tun2 !instance{ fastpath=eager dscp=zero df=unset \
		mark=0 listener{ local-ipv6=2001:db8:1::1 !local-port=1301 } }
	instance-get !ifindex=tun2
	peer-new !ifindex=tun2 !peer{ !id=9 tx-id=10 !remote-ipv4=192.0.2.9 \
		!remote-port=9 local-ipv4=192.0.2.1 local-port=1302 \
		vpn-ipv4=10.9.0.9 vpn-ipv6=fd09::9 \
		network{ ipv4=10.10.0.0 !prefix-len=16 } \
		network{ ipv6=fd10:: !prefix-len=32 } \
		keepalive-interval=1000 keepalive-timeout=10000 mark=1 \
		tcp-mss=1300 framing=stub data-v1= }
	peer-new !ifindex=tun2 !peer{ !id=11 remote-ipv6=fe80::9 \
		!remote-ipv6-scope-id=SCOPE !remote-port=9 \
		local-ipv6=fe80::1 local-port=1301 no-networks= }
	peer-set !ifindex=tun2 !peer{ !id=9 tx-id=9 remote-ipv4=192.0.2.10 \
		remote-port=10 local-ipv4=192.0.2.3 local-port=1303 \
		vpn-ipv4=10.9.0.10 vpn-ipv6=fd09::10 \
		network{ ipv4=10.11.0.0 !prefix-len=16 } \
		network{ ipv6=fd11:: !prefix-len=32 } \
		keepalive-interval=1001 keepalive-timeout=10001 mark=2 \
		tcp-mss=1301 framing=none }
	peer-set !ifindex=tun2 !peer{ !id=11 remote-ipv6=fe80::10 \
		!remote-ipv6-scope-id=SCOPE local-ipv6=fe80::2 no-networks= }
	peer-get !ifindex=tun2 !peer{ !id=9 }
	dump:peer-get !ifindex=tun2
	key-new !ifindex=tun2 !keyconf{ !peer-id=9 !slot=primary !key-id=1 \
		!cipher-alg=aes-gcm tx-packet-id=5 tx-blocks=6 !rx-packet-id=7 \
		rx-window=ff \
		!encrypt-dir{ !CKEY !nonce-tail=0011223344556677 } \
		!decrypt-dir{ !CKEY !nonce-tail=0011223344556677 } }
	key-new !ifindex=tun2 !keyconf{ !peer-id=9 !slot=secondary !key-id=2 \
		!cipher-alg=aes-gcm epochs= !key-bits=128 \
		!encrypt-dir{ !LKEY } !decrypt-dir{ !LKEY } }
	key-new !ifindex=tun2 !keyconf{ !peer-id=9 !slot=secondary !key-id=2 \
		!cipher-alg=aes-cbc !auth-alg=hmac-sha1 \
		!encrypt-dir{ !CKEY !AKEY } !decrypt-dir{ !CKEY !AKEY } }
	key-new !ifindex=tun2 !keyconf{ !peer-id=9 !slot=secondary !key-id=2 \
		!cipher-alg=none auth-alg=none insecure= !encrypt-dir{ } \
		!decrypt-dir{ } }
	key-get !ifindex=tun2 !keyconf{ !peer-id=9 !slot=primary }
	dump:key-get !ifindex=tun2 !keyconf{ !peer-id=9 }
	key-reserve !ifindex=tun2 !keyconf{ !peer-id=9 !slot=primary !packets=1 }
	key-accept !ifindex=tun2 !keyconf{ !peer-id=9 !slot=primary \
		!rx-packet-id=8 }
	key-swap !ifindex=tun2 !keyconf{ !peer-id=9 }
	key-release !ifindex=tun2 !keyconf{ !peer-id=9 !slot=primary }
	key-del !ifindex=tun2 !keyconf{ !peer-id=9 !slot=secondary }
	flow-flush !ifindex=tun2
	dump:flow-get !ifindex=tun2
	peer-del !ifindex=tun2 !peer{ !id=11 }
	peer-flush !ifindex=tun2
	instance-del !ifindex=tun2
	TABLE
}

# NAME: what no attribute of this name can be, a value to a word
out_of_range() {
	case $1 in
	ifindex) echo 0 0x80000000 ;;
	mode | dscp | slot) echo 2 0xffffffff ;;
	fastpath | df | auth-alg) echo 3 ;;
	framing | cipher-alg) echo 4 ;;
	key-id) echo 8 ;;
	id | tx-id | peer-id) echo 0x1000000 0xffffffff ;;
	remote-port | local-port) echo 0 ;;
	remote-ipv6-scope-id) echo 0 0x80000000 ;;
	remote-ipv4 | vpn-ipv4) echo 0.0.0.0 224.0.0.1 255.255.255.255 ;;
	remote-ipv6 | vpn-ipv6) echo :: ff02::1 ::ffff:192.0.2.9 ;;
	ipv4) echo 10.10.0.1 ;;
	ipv6) echo fd10::1 ;;
	keepalive-interval | keepalive-timeout) echo 86401 0xffffffff ;;
	prefix-len) echo 129 255 ;;
	key-bits) echo 0 1 127 264 0xffffffff ;;
	packets) echo 0 65537 ;;
	esac
}

# NAME: bytes that are too few for it or, where any number of them will do, too
# many
wrong_size() {
	case $1 in
	cipher-key | auth-key) printf '%066d' 0 ;;
	rx-window) printf '%0514d' 0 ;;
	prefix-len) echo 0000 ;;
	instance | listener | peer | network | keyconf | *-dir) ;;
	*) echo 00 ;;
	esac
}

# Of the request in "words": WANTED, then the request with what is in place of
# the words from FROM on and before TO.
variant() { # WANTED FROM TO WORD...
	printf '%s\t' "$1"
	echo "${words[@]:0:$2}" "${@:4}" "${words[@]:$3}"
}

# WAY REQUEST: a line for each attribute that can be wrong in this way, with
# what the answer begins with
wrong() {
	local way=$1 words i end depth name at value path='' must=()
	read -ra words <<<"$2"
	for i in "${!words[@]}"; do
		[[ ${words[i]} != !* ]] || must[i]=1
		words[i]=${words[i]#!}
	done
	for ((i = 1; i < ${#words[@]}; i++)); do
		if [ "${words[i]}" = "}" ]; then
			[ "$way" != unknown ] ||
				variant "EINVAL ${path}99: Unknown" $i $i 99:hex=00
			path=${path%.}
			[[ $path == *.* ]] && path=${path%.*}. || path=''
			continue
		fi
		name=${words[i]%%[=\{]*}
		at=$path$name
		# the end of it, were it a nest
		end=$((i + 1)) depth=0
		if [[ ${words[i]} == *\{ ]]; then
			for ((depth = 1; depth; end++)); do
				case ${words[end]} in
				*\{) depth=$((depth + 1)) ;;
				\}) depth=$((depth - 1)) ;;
				esac
			done
			path=$at.
		fi
		case $way in
		twice)
			variant "EINVAL $at: given more than once" $i $i \
				"${words[@]:i:end-i}"
			;;
		missing)
			[ -z "${must[i]}" ] ||
				variant "EINVAL $at missing" $i $end
			;;
		size)
			variant "E[A-Z]* $at: " $i $end \
				"$name:hex=$(wrong_size "$name")"
			;;
		range)
			for value in $(out_of_range "$name"); do
				variant "E[A-Z]* $at: " $i $end "$name=$value"
			done
			;;
		nobody)
			case ${words[0]} in
			instance-new) value=EOPNOTSUPP ;;
			*) value=ENODEV ;;
			esac
			[ "$name" != ifindex ] ||
				variant "$value $at: " $i $end ifindex=lo
			case ${words[0]}:$at in
			peer-new:*) ;;
			*:peer.id | *:keyconf.peer-id)
				variant "ENOENT $at: no peer" $i $end "$name=77"
				;;
			esac
			;;
		esac
	done
	[ "$way" != unknown ] || variant "EINVAL 99: Unknown" $i $i 99:hex=00
}

# All that a request could have changed, into "state_now"
objects() {
	local what word words
	state_now=
	for what in "instance-get" "peer-get ifindex=tun2" \
		"key-get ifindex=tun2 keyconf{ peer-id=9 }"; do
		# shellcheck disable=SC2086	# words
		ask "$gw" dump nf-ovpn $what
		mapfile -td ' ' words <"$told"
		for word in "${words[@]}"; do
			[[ $word == *.stats.* ]] || state_now+="$word "
		done
	done
}

# Send a request, or a dump, given as words. The answer is in the file $told.
request() { # REQUEST
	local words form=nl
	read -ra words <<<"$1"
	echo "+ ${words[*]}" >&2
	[[ ${words[0]} != dump:* ]] || form=dump
	ask "$gw" "$form" nf-ovpn "${words[0]#dump:}" "${words[@]:1}"
}

# Each is refused, for what is wrong with it, and nothing has changed.
each_wrong() { # WAY REQUEST
	local wanted line before state_now lines n=0
	objects
	before=$state_now
	while IFS=$'\t' read -r wanted line; do
		n=$((n + 1))
		request "$line"
		mapfile -t lines <"$told"
		echo "  ${lines[*]} (to begin with $wanted)"
		[[ ${lines[*]} =~ ^$wanted ]] || return
		objects
		[ "$state_now" = "$before" ] ||
			fail "something has changed" || return
	done < <(wrong "$@")
	[ $n -gt 0 ]
}

attributes() {
	local request way words name
	while read -r request; do
		read -ra words <<<"${request//!/}"
		name="${words[0]} ${words[*]:2:5}"
		for way in twice missing size range unknown nobody; do
			[ -z "$(wrong $way "$request")" ] || check \
				"attribute by attribute, $way: $name" \
				each_wrong $way "$request"
		done
		check "right: $name" request "${request//!/}"
	done < <(whole)
}

# No listener of the family: which port is ours?
no_local_port() {
	local status=0 wanted="EINVAL peer.local-port missing: "
	wanted+="local-port is needed: no listener of this family"
	gw_tun_add tun1 10.9.0.1/24 fd09::1/64 &&
		run gwnl instance-new ifindex=tun1 "instance{" "listener{" \
			local-ipv4=192.0.2.1 local-port=1300 "}" "}" || return
	refused "peer-new ifindex=tun1 peer{ id=1 remote-ipv6=2001:db8::9 remote-port=1 }" \
		"$wanted" || status=1
	stop tun1
	return $status
}

same_key_id() {
	local request="key-new TUN keyconf{ peer-id=42 slot=secondary key-id=3"
	request+=" cipher-alg=aes-gcm KEY32 }"
	gw_key aes-gcm 256 3 primary && refused "$request" \
		"EEXIST keyconf.key-id: the key in the other slot has this ID" &&
		gw_key chacha20-poly1305 256 4 secondary
}

# Without CAP_NET_ADMIN not even a look is allowed.
unprivileged() {
	local request answer
	for request in "instance-get ifindex=tun0" "instance-del ifindex=tun0" \
		"peer-get ifindex=tun0 peer{ id=42 }" \
		"key-get ifindex=tun0 keyconf{ peer-id=42 slot=primary }"; do
		# shellcheck disable=SC2086	# words
		answer=$(nsexec "$gw" setpriv --bounding-set=-net_admin \
			--inh-caps=-net_admin "$tool" nl nf-ovpn $request)
		same EPERM "$answer" || return
	done
	answer=$(nsexec "$gw" setpriv --bounding-set=-net_admin \
		--inh-caps=-net_admin "$tool" dump nf-ovpn instance-get)
	same EPERM "$answer"
}

# Nor is listening, to where peers are.
unprivileged_monitor() {
	local answer
	answer=$(nsexec "$gw" setpriv --bounding-set=-net_admin \
		--inh-caps=-net_admin timeout 2 "$tool" monitor 2>&1)
	echo "$answer"
	[[ $answer == *"Operation not permitted"* ]]
}

# ADDRESSES: so many listeners
listeners() {
	local n
	for ((n = 1; n <= $1; n++)); do
		echo "listener{ local-ipv6=2001:db8:ffff:ffff:ffff:ffff:ffff:$n" \
			"local-port=1300 }"
	done
}

# As many as an instance may have fit into an answer and into a dump, with other
# instances before and behind it.
many_listeners() {
	local words status=0
	words="instance-set ifindex=tun0 instance{ $(listeners 65 | xargs) }"
	refused "$words" "E2BIG instance.listener: too many listeners" || return
	gw_tun_add tun1 10.9.0.1/24 fd09::1/64 &&
		run gwnl instance-new ifindex=tun1 "instance{" "listener{" \
			local-port=1301 "}" "}" || return
	# shellcheck disable=SC2046	# words
	gwnl instance-set ifindex=tun0 "instance{" $(listeners 64) "}" &&
		same 64 "$(gwnl instance-get ifindex=tun0 | tr ' ' '\n' |
			grep -c listener.local-port)" &&
		same 65 "$("$tool" -n "$gw" dump nf-ovpn instance-get |
			tr ' ' '\n' | grep -c listener.local-port)" || status=1
	run gwnl instance-set ifindex=tun0 "instance{" "listener{" \
		local-port="$GW_PORT" "}" "}" || status=1
	stop tun1
	return $status
}

# A refusal has the request in it, but for the secrets.
secrets_wiped() {
	local answer
	# shellcheck disable=SC2046	# words
	answer=$("$tool" -n "$gw" refusal nf-ovpn key-new ifindex=tun0 \
		$(gw_key_words aes-gcm 256 | sed 's/peer-id=42/peer-id=43/'))
	echo "$answer"
	[ -n "$answer" ] && [[ $answer != *"${KEY_UP:0:16}"* ]] &&
		[[ $answer != *"${KEY_DOWN:0:16}"* ]] &&
		[[ $answer != *"$TAIL_UP"* ]]
}

instance_shown() {
	says "$(gwnl instance-get ifindex=tun0)" instance.mode=mp \
		instance.fastpath=accepted instance.dscp=zero \
		instance.df=unset instance.mark=0 instance.peers=1 \
		instance.listener.local-port=$GW_PORT
}

peer_shown() {
	local shown
	says "$(gwnl peer-get ifindex=tun0 "peer{" id=42 "}")" \
		peer.id=42 peer.tx-id=42 peer.remote-ipv4=192.0.2.2 \
		peer.remote-port=$PEER_PORT peer.local-port=$GW_PORT \
		peer.vpn-ipv4=10.8.0.2 peer.vpn-ipv6=fd08::2 \
		peer.mark=0 peer.tcp-mss=0 peer.framing=none \
		peer.keepalive-interval=0 peer.keepalive-timeout=0 || return
	run gwnl peer-set ifindex=tun0 "peer{" id=42 tx-id=7 \
		remote-ipv6=2001:db8:1::2 remote-port=5 \
		local-ipv6=2001:db8:1::1 vpn-ipv4=10.8.0.77 \
		"network{" ipv4=10.20.0.0 prefix-len=16 "}" \
		"network{" ipv6=fd20:: prefix-len=32 "}" mark=5 tcp-mss=1300 \
		framing=stub keepalive-interval=100 "}" || return
	shown=$(gwnl peer-get ifindex=tun0 "peer{" id=42 "}")
	says "$shown" \
		peer.id=42 peer.tx-id=7 peer.remote-ipv6=2001:db8:1::2 \
		peer.local-ipv6=2001:db8:1::1 peer.remote-port=5 \
		peer.local-port=$GW_PORT peer.vpn-ipv4=10.8.0.77 \
		peer.vpn-ipv6=fd08::2 peer.mark=5 peer.tcp-mss=1300 \
		peer.framing=stub peer.keepalive-interval=100 || return
	says "$shown" peer.network.ipv4=10.20.0.0 peer.network.prefix-len=16 \
		peer.network.ipv6=fd20:: peer.network.prefix-len=32 || return
	# and the address that it had is free
	run gwnl peer-new ifindex=tun0 "peer{" id=43 remote-ipv4=192.0.2.9 \
		remote-port=1 vpn-ipv4=10.8.0.2 "}" &&
		run gwnl peer-del ifindex=tun0 "peer{" id=43 "}"
}

# SLOT KEY-ID CIPHER: everything that is said of an unused key, and that is no
# secret
key_answer() {
	echo " ifindex=$(ip netns exec "$gw" cat /sys/class/net/tun0/ifindex)" \
		"keyconf.peer-id=42 keyconf.slot=$1 keyconf.key-id=$2" \
		"keyconf.cipher-alg=$3 keyconf.auth-alg=none" \
		"keyconf.key-bits=256 keyconf.tx-packet-id=0" \
		"keyconf.tx-blocks=0 keyconf.rx-packet-id=0"
}

keys_shown() {
	local answer
	answer=$("$tool" -n "$gw" dump nf-ovpn key-get ifindex=tun0 "keyconf{" \
		peer-id=42 "}") &&
		same "$(key_answer primary 3 aes-gcm
			key_answer secondary 4 chacha20-poly1305)" "$answer" &&
		run gwnl key-swap ifindex=tun0 "keyconf{" peer-id=42 "}" &&
		answer=$(gwnl key-get ifindex=tun0 "keyconf{" peer-id=42 \
			slot=primary "}") &&
		same "$(key_answer primary 4 chacha20-poly1305)" "$answer" &&
		run gwnl key-del ifindex=tun0 "keyconf{" peer-id=42 \
			slot=primary "}" || return
	same 1 "$("$tool" -n "$gw" dump nf-ovpn key-get ifindex=tun0 \
		"keyconf{" peer-id=42 "}" | wc -l)"
}

# More peers than a message holds: each is in the dump, once
many_peers() {
	local n answer
	for ((n = 1000; n < 1500; n++)); do
		echo "peer-new ifindex=tun0 peer{ id=$n remote-ipv4=192.0.2.9" \
			"remote-port=$n vpn-ipv4=10.9.$((n / 256)).$((n % 256)) }"
	done | "$tool" -n "$gw" batch nf-ovpn || return
	answer=$("$tool" -n "$gw" dump nf-ovpn peer-get ifindex=tun0 |
		grep -o 'peer.id=[0-9]*')
	same 501 "$(wc -l <<<"$answer")" && same 501 "$(sort -u <<<"$answer" | wc -l)"
}

dump_refused() {
	same "EINVAL ifindex missing" \
		"$("$tool" -n "$gw" dump nf-ovpn peer-get)" &&
		same ENODEV "$("$tool" -n "$gw" dump nf-ovpn peer-get \
			ifindex=lo | grep -o '^[A-Z]*')" &&
		same "EINVAL keyconf missing" \
			"$("$tool" -n "$gw" dump nf-ovpn key-get ifindex=tun0)"
}

# --- what the kernel says by itself

heard() { grep -q "^$1 " "$tmp/monitor.log"; }

monitor_on() {
	forget monitor
	run "$tool" -n "$gw" -b -p "$tmp/monitor.pid" monitor \
		>>"$tmp/monitor.log"
}

told_of_deletion() {
	tunnel_down
	ip -n "$gw" link del tap1
	monitor_on && start || return
	run gwnl peer-del ifindex=tun0 "peer{" id=42 "}" &&
		wait_for "the notification" 5 heard peer-del-ntf || return
	cat "$tmp/monitor.log"
	grep -q "peer.id=42 peer.del-reason=userspace" "$tmp/monitor.log" ||
		fail "not by userspace" || return
	forget monitor
	gw_peer_new && run gwnl peer-new ifindex=tun0 "peer{" id=43 \
		remote-ipv4=192.0.2.9 remote-port=9 "}" &&
		run gwnl peer-flush ifindex=tun0 &&
		wait_for "both notifications" 5 lines_are 2 \
			"^peer-del-ntf .*peer.del-reason=userspace" monitor &&
		expect "peers left" "$("$tool" -n "$gw" dump nf-ovpn peer-get \
			ifindex=tun0 | grep -c "peer.id=")" -eq 0 || return
	forget monitor
	gw_peer_new && run gwnl instance-del ifindex=tun0 &&
		wait_for "the notification" 5 heard peer-del-ntf || return
	cat "$tmp/monitor.log"
	grep -q "peer.id=42 peer.del-reason=teardown" "$tmp/monitor.log" ||
		fail "not by teardown"
}

# The peer gets another port on its way, as behind NAT; the kernel follows and
# says so, but only once a packet is authentic.
float() {
	tunnel_down
	ip -n "$gw" link del tap1
	monitor_on && tunnel_up aes-gcm 256 4 && pings "$peer" 10.8.0.1 || return
	nsexec "$peer" nft -f - <<-RULES || return
	table ip nat {
		chain post {
			type nat hook postrouting priority srcnat
			udp sport $PEER_PORT snat to 192.0.2.2:41234
		}
	}
	RULES
	run nsexec "$peer" conntrack -F
	! heard peer-float-ntf || fail "too early" || return
	pings "$peer" 10.8.0.1 && pings "$lan" 10.8.0.2 &&
		wait_for "the notification" 5 heard peer-float-ntf || return
	cat "$tmp/monitor.log"
	grep -q "peer.id=42 peer.remote-ipv4=192.0.2.2 .*peer.remote-port=41234" \
		"$tmp/monitor.log" || fail "not to the new port" || return
	same 1 "$(grep -c '^peer-float-ntf' "$tmp/monitor.log")" || return
	run nsexec "$peer" nft delete table ip nat
	run nsexec "$peer" conntrack -F
	forget monitor
	pings "$peer" 10.8.0.1 && pings "$lan" 10.8.0.2 &&
		wait_for "the notification" 5 heard peer-float-ntf &&
		grep -q "remote-port=$PEER_PORT" "$tmp/monitor.log"
}

# STATE...: the gateway's key, used so far
used_key() {
	local words
	words=$(gw_key_words aes-gcm 256)
	# shellcheck disable=SC2086	# words
	run gwnl key-new ifindex=tun0 ${words% \}} "$@" "}"
}

# The third packet of a key is told to be one near its end; that is told once,
# and the key goes on.
near_its_end() { # STATE...
	forget monitor
	used_key "$@" && pings "$lan" 10.8.0.2 -c 2 || return
	! heard key-limit-ntf || fail "too early" || return
	pings "$lan" 10.8.0.2 &&
		wait_for "the notification" 5 heard key-limit-ntf || return
	cat "$tmp/monitor.log"
	grep -q "keyconf.peer-id=42 keyconf.key-id=0 " "$tmp/monitor.log" &&
		same 1 "$(grep -c '^key-limit-ntf' "$tmp/monitor.log")"
}

# Two more packets, and then none: it never begins again.
at_its_end() { # STATE...
	used_key "$@" || return
	mark
	run nsexec "$lan" ping -q -c 5 -i 0.02 -W 0.1 10.8.0.2
	expect_rise drops.key-limit -eq 3 &&
		expect_rise link-tx-packets -eq 2 &&
		! ping_once && expect_rise drops.key-limit -gt 3
}

# Packet IDs, and packets with blocks of 16 bytes, of which a ping has 6. Those
# of the other end go on, for which no packet ID may come twice: the numbers are
# rising ones.
key_usage() {
	local max=$(((1 << 36) - 1)) eighth
	eighth=$((max / 8))
	near_its_end tx-packet-id=1000 tx-blocks=$((7 * eighth - 1014)) &&
		at_its_end tx-packet-id=2000 tx-blocks=$((max - 2020))
}

key_packet_ids() {
	near_its_end tx-packet-id=$((0xff000000 - 3)) &&
		at_its_end tx-packet-id=$((0xfffffffd))
	local status=$?
	gw_key aes-gcm 256 && peer_key aes-gcm 256 && ping_once && return $status
}

peer_stat() {
	"$tool" -n "$peer" nl ovpn peer-get ifindex=ovpn0 "peer{" \
		id=42 "}" | grep -o "peer.$1=[0-9]*" | cut -d= -f2
}

pings_came() { [ "$(peer_stat link-rx-packets)" -ge "$1" ]; }

# Pings go out while nothing else does; they are no packets of the device.
keepalive() {
	local was
	was=$(peer_stat link-rx-packets)
	mark
	run gwnl peer-set ifindex=tun0 "peer{" id=42 keepalive-interval=1 "}" &&
		wait_for "two pings" 6 pings_came $((was + 2)) &&
		expect_rise link-tx-packets -ge 2 &&
		expect_rise vpn-tx-packets -eq 0 &&
		expect_rise tx-fast-packets -eq 0
}

# A peer of which something is heard stays, for longer than its timeout; one
# that is silent goes.
expired() {
	local end
	forget monitor
	run gwnl peer-set ifindex=tun0 "peer{" id=42 keepalive-timeout=2 "}"
	end=$((SECONDS + 5))
	while [ $SECONDS -lt $end ]; do
		nsexec "$peer" ping -q -c 5 -i 0.1 -W 1 10.8.0.1 >/dev/null ||
			fail "the peer is lost" || return
	done
	! heard peer-del-ntf || fail "deleted while it was heard" || return
	wait_for "the end of the peer" 6 heard peer-del-ntf || return
	cat "$tmp/monitor.log"
	grep -q "peer.id=42 peer.del-reason=expired" "$tmp/monitor.log" ||
		fail "not by timeout" || return
	refused "peer-get TUN peer{ id=42 }" "ENOENT peer.id: no peer with this ID"
}

require "an instance and a peer" start
while read -r request && IFS='|' read -r _ wanted; do
	check "refused: $request" refused "$request" "${wanted# }"
done < <(refusals)
check "refused requests change nothing" nothing_changed
require "another device" gw_tun_add tun2 10.9.0.1/24 fd09::1/64
attributes
require "the other device goes" stop tun2
check "a listener of another instance" listener_taken
check "a second peer of a p2p instance" second_p2p_peer
check "a peer without a local port" no_local_port
check "two keys with one ID" same_key_id
check "without CAP_NET_ADMIN" unprivileged
check "notifications without CAP_NET_ADMIN" unprivileged_monitor
check "as many listeners as there may be" many_listeners
check "secrets are wiped" secrets_wiped
check "an instance is shown" instance_shown
check "a peer is shown and changed" peer_shown
check "keys are shown, but for their secrets" keys_shown
check "a dump of many peers" many_peers
check "dumps refused" dump_refused
check "the deletion of a peer is told" told_of_deletion
check "a peer that floats is followed, and that is told" float
check "the usage limit of AES-GCM: told in time, kept" key_usage
check "the end of packet IDs: told in time, kept" key_packet_ids
check "R8: keepalive: pings are sent" keepalive
check "keepalive: a silent peer is deleted" expired
run_checks
