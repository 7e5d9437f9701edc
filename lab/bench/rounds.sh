# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# rounds.sh ROUNDS SECONDS ITEM... - what the scripts that measure inside the guest share. In each round every
# item is measured once with every system, and the order turns around from round to round, so that drift hits
# all alike. Each figure is a line of JSON in records, and a line that is shown. Sourced behind
# lab/demo/lib.sh, with the script's own arguments; "round" is the loop's variable there. A run that breaks off
# leaves what it has.

# shellcheck disable=SC2034	# for who sources this
rounds=$1 seconds=$2
shift 2
items=" $* "
# shellcheck source=calm.sh
. "$NF_OVPN_TOP/lab/bench/calm.sh"

begin=${EPOCHREALTIME/./}
uname -r >"$NF_OVPN_OUT/kernel"

# record ITEM SYSTEM VARIANT DIRECTION UNIT VALUE
record() {
	# shellcheck disable=SC2154	# of who sources this
	printf '%6d s  round %d  %-8s %-14s %-34s %-5s %12s %s\n' \
		"$(((${EPOCHREALTIME/./} - begin) / 1000000))" "$round" "$1" "$2" "$3" "$4" "$6" "$5"
	jq -nc --arg item "$1" --arg system "$2" --arg variant "$3" --arg direction "$4" --arg unit "$5" --argjson value "$6" \
		"{round: $round, \$item, \$system, \$variant, \$direction, \$unit, \$value}" >>"$NF_OVPN_OUT/records"
}
wants() { [[ $items == *" $1 "* ]]; }

# in_turn COMMAND SYSTEM... - the command for each system that is wanted, in the order of this round
in_turn() {
	local command=$1 system list=()
	shift
	for system; do
		[[ -z ${SYSTEMS:-} || " $SYSTEMS " == *" $system "* ]] || continue
		if [ $((round % 2)) -eq 1 ]; then list+=("$system"); else list=("$system" "${list[@]}"); fi
	done
	for system in "${list[@]}"; do $command "$system"; done
}
