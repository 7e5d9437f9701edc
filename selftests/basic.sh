#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# basic.sh - packets through nf_ovpn and back, and the way they take. The names
# begin with what the rows of the design are called there.

. "$(dirname "$0")/common.sh"

check "R4: a tunnel" tunnel_up aes-gcm 256 4
check "R4: ping" pings "$peer" 10.8.0.1
check "R4: ping lan" pings "$peer" 198.51.100.2
check "R4: ping lan 6" pings "$peer" 2001:db8:2::2
check "R4: tcp up" tcp_transfer "$peer" "$lan" 198.51.100.2
check "R4: tcp down" tcp_transfer "$lan" "$peer" 10.8.0.2
run_checks
