#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Unpack Debian's linux-source package of a supported Linux version and print the tree's path.
#
# usage: linux-source.sh [DIR]
#   DIR defaults to the lab's cache directory. The newest version in $LAB_LINUX_VERSIONS wins.
#   The newer Debian suites are $LAB_SUITES.
# exit: 0 path printed, 77 no suite offers a supported version, 2 wrong usage, 1 anything else
set -euo pipefail

cache=${IOMMUSER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/iommuser}
versions=${LAB_LINUX_VERSIONS:-7.3 7.2}
suites=${LAB_SUITES:-trixie-backports forky sid}

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
skip() { say "$*"; exit 77; }

# The tree counts as complete only when its stamp is there: unpacking can be interrupted.
unpacked() { [ -e "$1/.unpacked" ]; }

# shellcheck source=scripts/debian-suite.sh
. "$(dirname "$(realpath "$0")")/../../scripts/debian-suite.sh"

unpack() {
	local deb=$1 version=$2 dest=$3 part=$3.part

	rm -rf "$part" "$dest"
	mkdir -p "$part"
	dpkg-deb --fsys-tarfile "$deb" |
		tar -xOf - "./usr/src/linux-source-$version.tar.xz" |
		tar -xJ --strip-components=1 -C "$part" -f -
	touch "$part/.unpacked"
	mv "$part" "$dest"
}

case $# in
0) dir=$cache ;;
1) dir=$1 ;;
*) say "usage: ${0##*/} [DIR]"; exit 2 ;;
esac
mkdir -p "$dir"

for version in $versions; do
	tree=$dir/linux-source-$version
	if unpacked "$tree"; then
		echo "$tree"
		exit 0
	fi
done

debian_site
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2086 # words of their own
private_apt "$work" $suites
# A suite the mirror lacks makes update fail although the others are usable.
apt-get "${apt[@]}" update >&2 || say "not every suite could be read"

for version in $versions; do
	(cd "$work" && apt-get "${apt[@]}" download "linux-source-$version" >&2) || continue
	tree=$dir/linux-source-$version
	unpack "$work/linux-source-${version}"_*.deb "$version" "$tree"
	echo "$tree"
	exit 0
done
skip "no suite of ($suites) offers linux-source ($versions)"
