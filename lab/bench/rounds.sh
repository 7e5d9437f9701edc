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
begin=$(now)
uname -r >"$NF_OVPN_OUT/kernel"

# record ITEM SYSTEM VARIANT DIRECTION UNIT VALUE
record() {
	# shellcheck disable=SC2154	# of who sources this
	printf '%6d s  round %d  %-8s %-14s %-34s %-5s %12s %s\n' \
		"$((($(now) - begin) / 1000000))" "$round" "$1" "$2" "$3" "$4" "$6" "$5"
	jq -nc --arg item "$1" --arg system "$2" --arg variant "$3" --arg direction "$4" --arg unit "$5" --argjson value "$6" \
		"{round: $round, \$item, \$system, \$variant, \$direction, \$unit, \$value}" >>"$NF_OVPN_OUT/records"
}
# calm rate|rates|time|pings COMMAND... - what it prints, as it is while the processor has its full speed, SPEED by
# $PACE. In a virtual machine it often has not: who has the other thread of the core takes up to half of it, for
# milliseconds or for minutes. So $PACE looks every 10 ms at the speed, and at what the devices of $WATCH have moved;
# a slice between two looks is calm when both found the processor fast. A rate (the first word, or all of them) is
# multiplied by what came through in a second of calm slices over what did in a second of all of them, a time is
# divided by that, and of pings only those of calm slices are left. While there are fewer than ten such slices or a
# hundred such pings it is measured again, up to four times; "disturbed" has a line for each. When even that is not
# enough, what there is is taken. Where there is no PACE the command is just run.
calm() {
	local form=$1 enough=10 out=$RUN/measured try pid kept slices=()
	shift
	if [ -z "${PACE:-}" ]; then
		"$@"
		return
	fi
	[ "$form" != pings ] || enough=100
	: >"$out"
	for try in 1 2 3 4 5; do
		# shellcheck disable=SC2086,SC2154	# words, of who sources this
		"$PACE" $WATCH >"$RUN/pace.$try" &
		pid=$!
		wait_for 10 test -s "$RUN/pace.$try" || die "pace does not start"
		slices+=("$RUN/pace.$try")
		if [ "$form" = pings ]; then "$@" >>"$out"; else "$@" >"$out"; fi
		kill -TERM "$pid"
		wait "$pid"
		kept=$(calm_of "$form" "$RUN/calm" "${slices[@]}" "$out")
		[ "$kept" -lt $enough ] || break
		echo "$try" >>"$NF_OVPN_OUT/disturbed"
	done
	if [ "$kept" -gt 0 ]; then cat "$RUN/calm"; else cat "$out"; fi
}
# calm_of rate|rates|time|pings TO SLICES... MEASURED - how many slices or pings are calm; the slices of all tries
# count, and tell of what was measured in the last one
calm_of() {
	local form=$1 to=$2
	shift 2
	awk -v form="$form" -v full="$SPEED" -v to="$to" -v measured="${*: -1}" '
	# from the first slice with traffic to the last one, which have it in part
	function settle(	sum, busy, i, first, end) {
		all = all_us = 0
		for (i = begin; i <= n; i++)
			if (moved[i]) { sum += moved[i]; busy++ }
		if (!busy) return
		for (first = begin; first <= n && moved[first] < sum / busy / 4; first++);
		for (end = n; end > first && moved[end] < sum / busy / 4; end--);
		for (i = first + 1; i < end; i++) {
			all += moved[i]; all_us += till[i] - from[i]
			if (calm[i]) { kept++; some += moved[i]; some_us += till[i] - from[i] }
		}
	}
	BEGIN { kept = 0; printf "" >to }
	FNR == 1 && NR > 1 { settle() }
	FILENAME != measured {
		if (FNR == 1) next # what the columns are
		if (FNR == 2) {
			begin = n + 1
		} else {
			n++
			from[n] = last; till[n] = $1; moved[n] = $3 - bytes
			calm[n] = $2 >= full * 0.85 && speed >= full * 0.85
		}
		last = $1; speed = $2; bytes = $3
		next
	}
	form == "pings" {
		if (FNR == 1) { kept = 0; at = 1 }
		# what looks takes part of a slice, and what waited for it some more
		for (; at <= n && till[at] < $1 + 1000; at++);
		if (calm[at] && $1 > from[at] + 1000) { kept++; print >to }
		next
	}
	some && all {
		factor = some / some_us / (all / all_us)
		for (i = 1; i <= (form == "rates" ? NF : 1); i++)
			$i = sprintf($i ~ /[.]/ ? "%.1f" : "%.0f", form == "time" ? $i / factor : $i * factor)
		print >to
	}
	END { print some || form == "pings" ? kept : 0 }' "$@"
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
