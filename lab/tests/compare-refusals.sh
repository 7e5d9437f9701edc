# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# compare-refusals.sh - cases of compare-guest: what openvpn(8) says of refusing, rejecting and failing, option by
# option. Each has a client that is refused and one that is not, so that neither server passes by refusing all.
#
# shellcheck disable=SC2030,SC2031,SC2034,SC2154	# variables of the harness

refusals=(certificates expired_certificate server_certificate revoked revoked_by_directory expired_list
	x509_name x509_prefix x509_subject fingerprint authority_hash tls_verify_program tls_version no_common_cipher
	files_required files_of_all program_fails program_disables program_is_killed program_writes_rubbish
	connect_deferred no_user_name verifier_deferred verifier_by_environment verifier_is_killed
	certificate_or_user users_only one_place networks_of_a_client pushes_of_a_client)
[ "${OPENVPN:-2.7}" = 2.6 ] || refusals+=(key_without_time)

# What most of these cases want
only_client2=('client: out' 'client2: in, reaches the LAN: yes')
both_try() {
	try client
	try client2
}

# By another authority.
certificates() {
	if [ "$1" = configure ]; then
		want=('stranger: out' 'client: in, reaches the LAN: yes')
		return
	fi
	try stranger
	try client
}

expired_certificate() {
	if [ "$1" = configure ]; then
		"$NF_OVPN_TOP/lab/demo/pki" -e "$RUN/pki" expired clientAuth
		want=('expired: out' 'client: in, reaches the LAN: yes')
		return
	fi
	try expired
	try client
}

# A server's certificate in a client's place.
server_certificate() {
	if [ "$1" = configure ]; then
		lines=('remote-cert-tls client')
		want=('server: out' 'client: in, reaches the LAN: yes')
		return
	fi
	try server
	try client
}

revoked() {
	if [ "$1" = configure ]; then
		revoke client
		lines=("crl-verify $RUN/pki/crl.pem")
		want=("${only_client2[@]}")
		return
	fi
	both_try
}

# A file for each serial number, in decimal.
revoked_by_directory() {
	if [ "$1" = configure ]; then
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$RUN/pki/numbered.key" \
			-out "$RUN/pki/numbered.crt" -days 2 -subj /CN=numbered -CA "$RUN/pki/ca.crt" -CAkey "$RUN/pki/ca.key" \
			-set_serial 4711 -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=clientAuth
		rm -rf "$RUN/crls"
		mkdir "$RUN/crls"
		: >"$RUN/crls/4711"
		lines=("crl-verify $RUN/crls dir")
		want=('numbered: out' 'client2: in, reaches the LAN: yes')
		return
	fi
	try numbered
	try client2
}

# A list that is not valid any more lets nobody in.
expired_list() {
	if [ "$1" = configure ]; then
		revoke client
		openssl ca -config "$RUN/pki/ca.conf" -gencrl -cert "$RUN/pki/ca.crt" -keyfile "$RUN/pki/ca.key" -md sha256 \
			-crl_lastupdate 20250101000000Z -crl_nextupdate 20250201000000Z -out "$RUN/pki/old.pem"
		lines=("crl-verify $RUN/pki/old.pem")
		want=('client: out' 'client2: out')
		return
	fi
	both_try
}

x509_name() {
	if [ "$1" = configure ]; then
		lines=('verify-x509-name client2 name')
		want=("${only_client2[@]}")
		return
	fi
	both_try
}

x509_prefix() {
	if [ "$1" = configure ]; then
		lines=('verify-x509-name client2 name-prefix')
		want=("${only_client2[@]}")
		return
	fi
	both_try
}

x509_subject() {
	if [ "$1" = configure ]; then
		lines=('verify-x509-name CN=client2 subject')
		want=("${only_client2[@]}")
		return
	fi
	both_try
}

fingerprint_of() { # NAME
	openssl x509 -in "$RUN/pki/$1.crt" -noout -fingerprint -sha256 | sed 's/.*=//'
}

fingerprint() {
	if [ "$1" = configure ]; then
		lines=("peer-fingerprint $(fingerprint_of client2)")
		want=("${only_client2[@]}")
		return
	fi
	both_try
}

# That of the authority is another one.
authority_hash() {
	if [ "$1" = configure ]; then
		lines=("verify-hash $(fingerprint_of other-ca) SHA256")
		want=('client: out' 'client2: out')
		return
	fi
	both_try
}

tls_verify_program() {
	if [ "$1" = configure ]; then
		# shellcheck disable=SC2016	# the script's own
		script "$RUN/verify" <<<'[ "$1 $2" != "0 CN=client" ]'
		lines=('script-security 2' "tls-verify $RUN/verify")
		untold=1
		want=("${only_client2[@]}")
		return
	fi
	both_try
}

tls_version() {
	if [ "$1" = configure ]; then
		lines=('tls-version-min 1.3')
		want=("${only_client2[@]}")
		return
	fi
	try client 'tls-version-max 1.2'
	try client2
}

no_common_cipher() {
	if [ "$1" = configure ]; then
		want=("${only_client2[@]}")
		return
	fi
	try client 'data-ciphers CHACHA20-POLY1305'
	try client2
}

# ---- files
files() { # [LINE FILE]...
	rm -rf "$RUN/ccd"
	mkdir "$RUN/ccd"
	while [ $# -gt 0 ]; do
		printf '%s\n' "$1" >"$RUN/ccd/$2"
		shift 2
	done
	lines=("client-config-dir $RUN/ccd")
}

files_required() {
	if [ "$1" = configure ]; then
		files '' client2
		lines+=(ccd-exclusive)
		want=("${only_client2[@]}")
		return
	fi
	both_try
}

files_of_all() {
	if [ "$1" = configure ]; then
		files disable DEFAULT '' client2
		want=("${only_client2[@]}")
		return
	fi
	both_try
}

# ---- client-connect
connect_program() { # the text from standard input
	script "$RUN/connect"
	lines=('script-security 2' "client-connect $RUN/connect")
}

program_fails() {
	if [ "$1" = configure ]; then
		# shellcheck disable=SC2016	# the script's own
		connect_program <<<'[ "$common_name" != client ]'
		want=("${only_client2[@]}")
		return
	fi
	both_try
}

program_disables() {
	if [ "$1" = configure ]; then
		# shellcheck disable=SC2016	# the script's own
		connect_program <<<'[ "$common_name" != client ] || echo disable >"$1"'
		want=("${only_client2[@]}")
		return
	fi
	both_try
}

program_is_killed() {
	if [ "$1" = configure ]; then
		# shellcheck disable=SC2016	# the script's own
		connect_program <<<'[ "$common_name" != client ] || kill -KILL $$'
		want=("${only_client2[@]}")
		return
	fi
	both_try
}

program_writes_rubbish() {
	if [ "$1" = configure ]; then
		# shellcheck disable=SC2016	# the script's own
		connect_program <<-'EOT'
			printf '%s\n' 'no-such-option 1' 'port 1195' 'push "route 10.77.0.0 255.255.0.0"' >"$1"
		EOT
		want=('client: in, reaches the LAN: yes')
		return
	fi
	try client
}

# The answer comes in a file, when the program has ended and the server has noticed.
connect_deferred() {
	if [ "$1" = configure ]; then
		# shellcheck disable=SC2016	# the script's own
		connect_program <<-'EOT'
			echo 2 >"$client_connect_deferred_file"
			answer=0
			[ "$common_name" = client ] || answer=1
			{
				tail -s 0.1 --pid=$$ -f /dev/null
				echo 'push "route 10.77.0.0 255.255.0.0"' >"$client_connect_config_file"
				echo $answer >"$client_connect_deferred_file"
			} >/dev/null 2>&1 &
		EOT
		want=("${only_client2[@]}")
		return
	fi
	both_try
}

# ---- auth-user-pass-verify
verifier() { # METHOD, the text from standard input
	script "$RUN/verify"
	lines=('script-security 3' "auth-user-pass-verify $RUN/verify $1")
}

users_try() {
	local user
	for user in mallory alice; do
		as "$user" secret
		try client "${login[@]}"
	done
}
only_alice=('client as mallory: out' 'client as alice: in, reaches the LAN: yes')

# Without "optional", a client without a name is refused before anybody is asked.
no_user_name() {
	if [ "$1" = configure ]; then
		verifier via-file <<<'exit 0'
		untold=1
		want=('client: out' 'client as alice: in, reaches the LAN: yes')
		return
	fi
	try client
	as alice secret
	try client "${login[@]}"
}

verifier_deferred() {
	if [ "$1" = configure ]; then
		# shellcheck disable=SC2016	# the script's own
		verifier via-file <<-'EOT'
			read -r name <"$1"
			answer=0
			[ "$name" != alice ] || answer=1
			{
				tail -s 0.1 --pid=$$ -f /dev/null
				echo "not you" >"$auth_failed_reason_file"
				echo $answer >"$auth_control_file"
			} >/dev/null 2>&1 &
			exit 2
		EOT
		want=("${only_alice[@]}")
		return
	fi
	users_try
}

verifier_by_environment() {
	if [ "$1" = configure ]; then
		# shellcheck disable=SC2016	# the script's own
		verifier via-env <<<'[ "$username/$password" = alice/secret ]'
		want=("${only_alice[@]}")
		return
	fi
	users_try
}

verifier_is_killed() {
	if [ "$1" = configure ]; then
		# shellcheck disable=SC2016	# the script's own
		verifier via-file <<<'read -r name <"$1"; [ "$name" = alice ] || kill -KILL $$'
		want=("${only_alice[@]}")
		return
	fi
	users_try
}

# A certificate may be left out, and is not taken when it is wrong.
certificate_or_user() {
	if [ "$1" = configure ]; then
		# shellcheck disable=SC2016	# the script's own
		verifier via-file <<<'read -r name <"$1"; [ "$name" = alice ]'
		lines+=('verify-client-cert optional' username-as-common-name)
		want=('stranger as alice: out' 'client as mallory: out' 'client as alice: in, reaches the LAN: yes')
		return
	fi
	as alice secret
	try stranger "${login[@]}"
	users_try
}

users_only() {
	if [ "$1" = configure ]; then
		# shellcheck disable=SC2016	# the script's own
		verifier via-file <<<'read -r name <"$1"; [ "$name" = alice ]'
		lines+=('verify-client-cert none' username-as-common-name)
		want=('stranger as alice: in, reaches the LAN: yes' "${only_alice[@]}")
		return
	fi
	as alice secret
	try stranger "${login[@]}"
	users_try
}

# ---- limits
# There is room for one.
one_place() {
	if [ "$1" = configure ]; then
		lines=('max-clients 1')
		untold=1
		want=('client: out')
		return
	fi
	client_up client2 client2 AES-256-GCM 203.0.113.1
	try client
	stop client2 || true
	wait_for 10 no_link client2 tun0 || fail 'tun0 is left'
}

# A client's key of tls-crypt-v2 that does not say when it was made. OpenVPN 2.6 has no option for that.
key_without_time() {
	if [ "$1" = configure ]; then
		openvpn --tls-crypt-v2 "$RUN/v2-server.key" --genkey tls-crypt-v2-client "$RUN/v2-new.key"
		openvpn --tls-crypt-v2 "$RUN/v2-server.key" --genkey tls-crypt-v2-client "$RUN/v2-none.key" "$(base64 <<<anything)"
		lines=("tls-crypt-v2 $RUN/v2-server.key" 'tls-crypt-v2-max-age 5')
		want=("${only_client2[@]}")
		return
	fi
	try client "tls-crypt-v2 $RUN/v2-none.key"
	try client2 "tls-crypt-v2 $RUN/v2-new.key"
}

# ---- what a client's file says of networks and pushes
networks_of_a_client() {
	if [ "$1" = configure ]; then
		files $'iroute 10.77.0.0 255.255.0.0\nifconfig-push 10.8.0.77 255.255.255.0' client \
			'ifconfig-push 10.9.0.1 255.255.255.0' client2
		lines+=('push "route 10.77.0.0 255.255.0.0"')
		# an address outside of the network is given, and does not work
		want=('client: in, reaches the LAN: yes' 'client2: in, reaches the LAN: no')
		return
	fi
	both_try
}

pushes_of_a_client() {
	if [ "$1" = configure ]; then
		files $'push-remove route\npush "route 10.78.0.0 255.255.0.0"' client \
			$'push-reset\npush "topology subnet"\nifconfig-push 10.8.0.78 255.255.255.0' client2
		lines+=('push "dhcp-option DNS 10.99.0.53"' 'push "route 10.77.0.0 255.255.0.0"')
		want=('client: in, reaches the LAN: no' 'client2: in, reaches the LAN: no')
		return
	fi
	both_try
}
