# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# calm.sh - figures as they are while the processor has its full speed. Sourced behind lab/demo/lib.sh.

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
		told = 1
	}
	END { print told || form == "pings" ? kept : 0 }' "$@"
}
