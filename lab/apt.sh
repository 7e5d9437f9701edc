# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# apt.sh - packages of other Debian releases, without a change to this machine's apt.
#
# The lab needs files from "trixie" and "trixie-backports" and one source package of "bookworm".
# They come from the mirror this machine already uses, through an apt configuration of our own:
# own sources, own lists, own cache, and an empty list of installed packages. The machine's
# "Acquire" settings (proxies and the like) are taken over. Signatures are checked as ever.
#
# Sourced after common.sh.

APT=$CACHE/apt
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# lab_mirror - the URI of the Debian archive that this machine uses
lab_mirror() {
	local uri
	# shellcheck disable=SC2016	# apt's variables
	uri=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' |
		awk '$2 == "Debian" && $3 == "Debian" { print $1; exit }')
	[ -n "$uri" ] || die "apt knows no Debian archive (apt-get update was never run?)"
	printf '%s\n' "$uri"
}

lab_apt_setup() {
	local mirror
	mirror=$(lab_mirror)
	mkdir -p "$APT"/{lists/partial,cache/archives/partial,empty}
	: >"$APT/status"
	cat >"$APT/sources.list" <<-END
		deb [signed-by=$KEYRING] $mirror trixie main
		deb [signed-by=$KEYRING] $mirror trixie-backports main
		deb-src [signed-by=$KEYRING] $mirror bookworm main
	END
	{
		apt-config dump Acquire | grep -v '^Acquire::\(IndexTargets\|Changelogs\)'
		cat <<-END
			Dir::Etc::main "/dev/null";
			Dir::Etc::parts "$APT/empty";
			Dir::Etc::sourcelist "$APT/sources.list";
			Dir::Etc::sourceparts "$APT/empty";
			Dir::Etc::preferences "/dev/null";
			Dir::Etc::preferencesparts "$APT/empty";
			Dir::State::lists "$APT/lists";
			Dir::State::status "$APT/status";
			Dir::Cache "$APT/cache";
			APT::Sandbox::User "root";
			APT::Install-Recommends "false";
		END
	} >"$APT/apt.conf"
}

# lab_apt COMMAND... - apt with that configuration
lab_apt() { APT_CONFIG=$APT/apt.conf "$@"; }

# lab_apt_update - fetch the lists, unless that was done in the last ten minutes
lab_apt_update() {
	alone apt
	if [ -z "$(find "$APT/updated" -mmin -10 2>/dev/null)" ]; then
		lab_apt_setup
		# what cannot be fetched is a warning to apt
		lab_apt apt-get -q update 2>&1 | tee "$APT/update.log"
		if grep -q '^\(Err:\|W: Failed to fetch\)' "$APT/update.log"; then return 1; fi
		touch "$APT/updated"
	fi
	let_go apt
}

# lab_download PACKAGE=VERSION... - download into dl/; a file appears there only when complete
# and verified
lab_download() {
	local tmp
	tmp=$(mktemp -d "$CACHE/dl/.tmp.XXXXXX")
	(cd "$tmp" && lab_apt apt-get -q download "$@") || {
		rm -rf "$tmp"
		return 1
	}
	mv "$tmp"/*.deb "$CACHE/dl/"
	rmdir "$tmp"
}

# lab_newest PACKAGE PATTERN [Packages|Sources] - the newest version of a package that matches a glob
lab_newest() {
	local version
	while read -r version; do
		# shellcheck disable=SC2053	# a pattern on purpose
		[[ $version != $2 ]] || {
			printf '%s\n' "$version"
			return
		}
	done < <(lab_apt apt-cache madison "$1" |
		awk -F' *[|] *' -v kind="${3:-Packages}" '$3 ~ kind { print $2 }' | sort -rVu)
	return 1
}
