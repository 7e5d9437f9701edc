# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# interop.sh - what lab/tests/interop tests: the same list for the host, which writes it down, and for
# the guest, which runs it. Sourced by both.
#
# A peer is "RELEASE ROLE [dco]" of stock OpenVPN: "2.7 client dco" is OpenVPN 2.7 as the client of our
# server, with mainline's driver ovpn below it. Without "dco" it has its own data path.

peers=('2.6 client' '2.7 client' '2.7 client dco' '2.6 server' '2.7 server' '2.7 server dco')
wrappings=(tls-crypt tls-crypt-v2 tls-auth none)
transports=(udp4 udp6 tcp4 tcp6)
ciphers=(AES-256-GCM AES-128-GCM CHACHA20-POLY1305 AES-256-CBC none)

# peer_name PEER
peer_name() {
	local name="OpenVPN ${1/ dco/ with DCO}"
	printf '%s\n' "$name"
}

# cell_name PEER WRAPPING TRANSPORT CIPHER
cell_name() {
	local wrapped=$2 cipher=$4 transport=${3^^}
	[ "$2" != none ] || wrapped='control channel not wrapped'
	case $4 in
	AES-256-CBC) cipher='AES-256-CBC with SHA256' ;;
	none) cipher='no cipher' ;;
	esac
	printf '%s: %s, %s, %s over IPv%s\n' "$(peer_name "$1")" "$wrapped" "$cipher" "${transport%?}" "${transport: -1}"
}

# possible PEER TRANSPORT CIPHER - the driver ovpn knows AEAD only, and TCP is the daemon's here
possible() { [[ $1 != *dco || $2:$3 == udp?:*-GCM || $2:$3 == udp?:*-POLY1305 ]]; }

# cells [PEER [WRAPPING [TRANSPORT]]] - all that there are, or of these: lines of "PEER|WRAPPING|TRANSPORT|CIPHER"
cells() {
	local peer wrapping transport cipher
	for peer in "${peers[@]}"; do
		[ "$peer" = "${1:-$peer}" ] || continue
		for wrapping in "${wrappings[@]}"; do
			[ "$wrapping" = "${2:-$wrapping}" ] || continue
			for transport in "${transports[@]}"; do
				[ "$transport" = "${3:-$transport}" ] || continue
				for cipher in "${ciphers[@]}"; do
					! possible "$peer" "$transport" "$cipher" || echo "$peer|$wrapping|$transport|$cipher"
				done
			done
		done
	done
}

# quick_cells - a selection: each peer, each cipher, each wrapping with each transport
quick_cells() {
	local w t cipher peer n=0
	for w in "${!wrappings[@]}"; do
		for t in "${!transports[@]}"; do
			cipher=${ciphers[(w + t) % ${#ciphers[@]}]}
			for peer in "${peers[@]:n % ${#peers[@]}}" "${peers[@]}"; do
				! possible "$peer" "${transports[t]}" "$cipher" || break
			done
			echo "$peer|${wrappings[w]}|${transports[t]}|$cipher"
			n=$((n + 1))
		done
	done
}

# Besides the matrix: lines of "RELEASE|NAME|FUNCTION ARGUMENT..."; names end up in a table.
special_cases() {
	local release
	for release in 2.6 2.7; do
		sed "s/^/$release|/" <<-'EOT'
			the client's certificate has expired|expired_client
			the server's certificate has expired, our client|expired_server
			the server's certificate is revoked, our client|revoked_server
			the client renegotiates each 20 s under traffic, nothing is lost|renegotiation 0 20 4500
			the server renegotiates each 20 s under traffic, nothing is lost|renegotiation 20 0 4500
			our client renegotiates each 20 s under traffic, nothing is lost|client_renegotiation 0 20 4500
			the server of our client renegotiates each 20 s under traffic, nothing is lost|client_renegotiation 20 0 4500
			our client whose address changes stays connected|our_client_moves
			ten handshakes with 2 % loss and reordering|lossy
			ten handshakes with 2 % loss and reordering, our client|our_lossy
			a path with an MTU of 1280|narrow_path
			a path with an MTU of 1280, our client|our_narrow_path
			a tunnel with an MTU of 1280|narrow_tunnel
			a tunnel with an MTU of 1280, our client|our_narrow_tunnel
		EOT
	done
	sed "s/^/2.7|/" <<-'EOT'
		epoch data format|epochs
		epoch data format, our client|our_epochs
	EOT
}

# Functions of end-to-end-guest that are a part of this, too
end_to_end='@(users|users_by_pam|client_users|client_management|revoked|address_change|client_vanishes|topology|point_to_point*)'

# end_to_end_cases - their names, "RELEASE|NAME"
end_to_end_cases() {
	local line name function release
	for release in 2.6 2.7; do
		while IFS= read -r line; do
			name=${line#run_test ?} name=${name%%\' *}
			function=${line#*\' } function=${function%% *}
			# shellcheck disable=SC2053	# a pattern
			[[ $function != $end_to_end ]] || echo "$release|$name"
		done < <(grep "^run_test '" "$TOP/lab/tests/end-to-end-guest")
	done
}

# same_cases - those of compare-guest, "RELEASE|NAME"
same_cases() {
	local release
	for release in 2.6 2.7; do
		sed -n '/^\(cases\|refusals\)=(/,/)$/p' "$TOP/lab/tests/compare-guest" "$TOP/lab/tests/compare-refusals.sh" |
			sed 's/^[a-z]*=(//; s/)$//' | xargs -n 1 | sed "s/_/ /g; s/^/$release|/"
	done
	# an option that 2.6 does not have
	echo '2.7|key without time'
}
