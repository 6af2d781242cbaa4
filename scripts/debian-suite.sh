#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# To be sourced: packages of other Debian suites than this machine's, read through a private apt configuration that
# takes its mirror from the machine's own one, whose package lists and sources are left alone.
#
# The sourcing script has skip(), which says why and ends it.
keyring=${LAB_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}

# Sets $site to the first archive that calls itself Debian, leaving out the security archive and third parties.
debian_site() {
	[ -r "$keyring" ] || skip "no Debian archive keyring at $keyring"
	# shellcheck disable=SC2016 # these variables are apt's
	site=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(SITE)' 'Created-By: Packages' |
		awk -F'|' '$1 == "Debian" && $2 == "Debian" && !found { print $3; found = 1 }')
	[ -n "$site" ] || skip "apt knows no Debian archive (has 'apt-get update' run?)"
}

# private_apt DIR SUITE...: sets $apt to options of apt that keep everything in DIR and know these suites alone, as if
# nothing were installed; after debian_site
private_apt() {
	local dir=$1 suite
	shift

	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	for suite; do
		printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$site" "$suite"
	done > "$dir/sources.list"
	touch "$dir/status"
	# shellcheck disable=SC2034 # for the sourcing script
	apt=(-qq
		-o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o Dir::Etc::PreferencesParts=/dev/null -o "Dir::State::status=$dir/status"
		-o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o Debug::NoLocking=1
		-o "APT::Sandbox::User=$(id -un)")
}

# unpack_packages FROM DIR [PATTERN]: unpack what private_apt's FROM has downloaded into DIR, but for packages whose
# names begin so, and mark DIR as whole
unpack_packages() {
	local from=$1 root=$2 left_out=${3:-} deb

	rm -rf "$root.part" "$root"
	mkdir "$root.part"
	for deb in "$from"/cache/archives/*.deb; do
		if [ -n "$left_out" ] && [[ ${deb##*/} =~ ^($left_out) ]]; then
			continue
		fi
		dpkg-deb --fsys-tarfile "$deb" | tar -xf - -C "$root.part" --keep-directory-symlink
	done
	touch "$root.part/.unpacked"
	mv "$root.part" "$root"
}
