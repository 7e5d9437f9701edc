# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# series.sh - apply a patch series to a source tree in the cache.
#
# Sourced after common.sh.

# apply_series TREE WORK NAME PATCHES... - bring WORK, a work tree of the git tree TREE, to "pristine"
# plus patches, each argument a file or a directory of them. Leaves the commit in $SERIES_COMMIT.
#
# The patches are applied beside it, in a work tree of their own that holds no files but those they
# touch; then WORK moves to the resulting commit, by which git writes only the files that differ: an
# incremental build stays incremental. The result is kept as a git reference named for the content
# of base and patches, so going back to it costs nothing.
apply_series() {
	local tree=$1 work=$2 name=$3 base key p patches=()
	shift 3
	base=$(git -C "$tree" rev-parse -q --verify 'pristine^{commit}') || die "$tree has no tag pristine"
	while read -r p; do patches+=("$p"); done < <(for p in "$@"; do
		find "$p" -maxdepth 1 -name '*.patch' ! -name '*-cover-letter.patch' 2>/dev/null | sort
	done)

	SERIES_COMMIT=$base
	if [ ${#patches[@]} -gt 0 ]; then
		key=$(cat "${patches[@]}" | key_of "$base" "${patches[@]##*/}")
		if ! SERIES_COMMIT=$(git -C "$tree" rev-parse -q --verify "refs/nf-ovpn/$key^{commit}"); then
			alone "${tree##*/}"
			step "applying ${#patches[@]} patches to $name" \
				am_aside "$tree" "$base" "refs/nf-ovpn/$key" "${patches[@]}"
			SERIES_COMMIT=$(git -C "$tree" rev-parse "refs/nf-ovpn/$key")
			[ "$work" = "$tree" ] || let_go "${tree##*/}"
		fi
	fi
	if [ "$(git -C "$work" rev-parse HEAD)" != "$SERIES_COMMIT" ] || [ -e "$(index_lock "$work")" ]; then
		alone "${work##*/}"
		# The work tree is ours alone now: this lock is of one that was killed.
		rm -f "$(index_lock "$work")"
		lab_git -C "$work" checkout -q -f --detach "$SERIES_COMMIT"
	fi
}

# index_lock WORK - what git has while it writes to a work tree, and leaves when it is killed
index_lock() { git -C "$1" rev-parse --path-format=absolute --git-path index.lock; }

# am_aside TREE BASE REF PATCH... - git am in a scratch work tree; REF gets the result. The work
# tree starts without a single file: git am reads what it needs from the index.
am_aside() {
	local tree=$1 base=$2 ref=$3 aside rc=0
	shift 3
	aside=$(mktemp -d "$CACHE/build/.am.XXXXXX")
	lab_git -C "$tree" worktree prune
	lab_git -C "$tree" worktree add -q --no-checkout --detach "$aside/w" "$base"
	{
		lab_git -C "$aside/w" read-tree "$base" &&
			GIT_COMMITTER_DATE='2000-01-01T00:00:00Z' lab_git -C "$aside/w" am -q "$@" &&
			lab_git -C "$tree" update-ref "$ref" "$(git -C "$aside/w" rev-parse HEAD)"
	} || rc=$?
	lab_git -C "$tree" worktree remove --force "$aside/w"
	rmdir "$aside"
	return $rc
}
