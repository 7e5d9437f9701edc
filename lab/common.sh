# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# common.sh - what every script of the lab shares: where things are, how a long step is shown,
# and how "nothing changed, nothing to do" is decided.
#
# Nothing is ever built inside the checkout. The cache holds
#
#   dl/       downloads                      apt/     our own apt configuration and lists
#   linux/    kernel source, a git tree      iproute2/ its source, a git tree
#   build/    objects, one directory a thing rootfs/  the guest's root file system
#   log/      the output of each long step   stamps/  the content key of each finished step
#   log/times.tsv   how long each step and each group of tests took, for lab/times
#
# Sourced, never run.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${NF_OVPN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nf-ovpn}
JOBS=$(nproc)

# A kernel tree that the user names is kept apart from the packaged one, objects included.
if [ -n "${KSRC:-}" ]; then
	LINUX=$CACHE/linux-ksrc BUILD=$CACHE/build-ksrc
else
	LINUX=$CACHE/linux BUILD=$CACHE/build
fi
export TOP CACHE LINUX BUILD JOBS
mkdir -p "$CACHE"/{dl,log,stamps,build} "$BUILD"

# Compilers' results outlive a changed option or a fresh build directory.
# The compiler itself says what it has read: the first build need not preprocess each file twice.
export CCACHE_DIR=$CACHE/ccache CCACHE_MAXSIZE=8G CCACHE_BASEDIR=$CACHE CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1

# compiler NAME - NAME, by way of ccache where there is one
compiler() { if command -v ccache >/dev/null; then printf 'ccache %s\n' "$1"; else printf '%s\n' "$1"; fi; }

say() { printf '%s\n' "$*"; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# on_terminal - is somebody watching?
on_terminal() { [ -t 1 ] && [ -z "${V:-}" ]; }

# record_time KIND NAME SECONDS PROCESSOR-SECONDS - a line for lab/times
record_time() {
	printf '%s\t%s\t%s\t%s\t%s\n' "$EPOCHSECONDS" "$@" | flock "$CACHE/log/times.tsv" tee -a "$CACHE/log/times.tsv" >/dev/null
}

# children_ticks - sets TICKS to the processor time of all that this shell has waited for, in hundredths of
# a second; not to be called in a command substitution, which is a shell of its own
children_ticks() {
	local stat
	read -r stat <"/proc/$BASHPID/stat"
	read -ra stat <<<"${stat##*) }"
	TICKS=$((stat[13] + stat[14]))
}

# step TEXT COMMAND... - run a long command with its output kept in a log file; say what is done
# and how long it took; show the log's tail if it fails. V=1 shows all of it at once. Its variables
# are visible to a COMMAND that is a function, hence their names. Where several steps run at once
# (LAB_STEPS_MIX is set) each says in a line of its own that it begins and that it has ended.
step() {
	local _text=$1 _begin=${EPOCHREALTIME/./} _rc=0 _log _pid _out _tee _shown _cpu _wall
	shift
	_log=$CACHE/log/$(tr -cs 'A-Za-z0-9._' '-' <<<"$_text" | cut -c1-80 | sed 's/^-//; s/-$//').log
	children_ticks
	_cpu=$TICKS
	# In the background always: "set -e" holds there, and would not left of "||".
	if [ -n "${V:-}" ]; then
		printf '==> %s\n' "$_text"
		exec {_out}> >(exec tee "$_log")
		_tee=$!
		"$@" >&"$_out" 2>&1 </dev/null {_out}>&- &
		_pid=$!
		exec {_out}>&-
	else
		if [ -n "${LAB_STEPS_MIX:-}" ]; then printf '==> %s\n' "$_text"; else printf '==> %s ... ' "$_text"; fi
		"$@" >"$_log" 2>&1 </dev/null &
		_pid=$!
		# a clock for whoever watches
		while on_terminal && [ -z "${LAB_STEPS_MIX:-}" ] && kill -0 "$_pid" 2>/dev/null; do
			_shown="$(((${EPOCHREALTIME/./} - _begin) / 1000000)) s"
			printf '%s%s' "$_shown" "${_shown//?/$'\b'}"
			timeout 0.2 tail -f --pid="$_pid" /dev/null || true
		done
	fi
	wait "$_pid" || _rc=$?
	[ -z "${V:-}" ] || wait "$_tee" || true
	_wall=$(((${EPOCHREALTIME/./} - _begin) / 100000))
	_shown=''
	[ -z "${LAB_STEPS_MIX:-}" ] || _shown="==> $_text: "
	if [ "$_rc" -ne 0 ]; then
		printf '%sFAILED after %d s\n' "$_shown" $((_wall / 10))
		[ -n "${V:-}" ] || tail -n 30 "$_log" | sed 's/^/    /'
		say "    the whole output: $_log"
		return "$_rc"
	fi
	printf '%sdone in %d s\n' "$_shown" $((_wall / 10))
	children_ticks
	_cpu=$((TICKS - _cpu))
	record_time step "$_text" "$((_wall / 10)).$((_wall % 10))" "$((_cpu / 100)).$((_cpu / 10 % 10))"
}

# key_of STRING... < more - the content key of the arguments and of standard input
key_of() { { printf '%s\0' "$@"; cat; } | sha256sum | cut -c1-24; }

# Each finished step leaves its key; "stamped NAME KEY" is true if it need not be done again.
stamped() { [ "$(cat "$CACHE/stamps/$1" 2>/dev/null)" = "$2" ]; }
stamp() { printf '%s\n' "$2" >"$CACHE/stamps/$1.$$" && mv "$CACHE/stamps/$1.$$" "$CACHE/stamps/$1"; }

# alone NAME - only one set-up at a time may work on NAME; the others wait for it to end. Held until
# "let_go NAME" or the end of the script.
declare -A LOCKS=()
alone() {
	local fd
	[ -z "${LOCKS[$1]:-}" ] || return 0
	exec {fd}>"$CACHE/stamps/$1.lock"
	LOCKS[$1]=$fd
	flock -n "$fd" && return
	say "==> waiting for another set-up to finish with $1"
	flock "$fd"
}

let_go() {
	local fd=${LOCKS[$1]:-}
	[ -n "$fd" ] || return 0
	exec {fd}>&-
	unset "LOCKS[$1]"
}

# start_again ARGUMENT... - let go of all, and run this script from its beginning
start_again() {
	local fd
	for fd in "${LOCKS[@]}"; do exec {fd}>&-; done
	exec "$0" "$@"
}

# lab_git COMMAND... - git with an identity of its own, so that the user's is not needed and
# the same input gives the same commit.
GIT_IDENT=(-c user.name='nf_ovpn lab' -c user.email=lab@localhost -c commit.gpgsign=false
	-c core.hooksPath=/dev/null -c core.autocrlf=false -c gc.auto=0 -c advice.detachedHead=false)
lab_git() { git "${GIT_IDENT[@]}" "$@"; }
