#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Unpack Debian trixie's QEMU, whose VT-d emulates first-stage translation, and print the command
# words that run it.
#
# usage: qemu10.sh [DIR]
#   DIR defaults to the lab's cache directory. Nothing is installed: the packages are unpacked beside
#   each other and QEMU is run by their own dynamic linker, so root isn't needed.
# exit: 0 command printed, 77 the packages can't be had, 2 wrong usage, 1 anything else
set -euo pipefail

cache=${IOMMUSER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/iommuser}
suite=${LAB_QEMU_SUITE:-trixie}

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
skip() { say "$*"; exit 77; }

# shellcheck source=scripts/debian-suite.sh
. "$(dirname "$(realpath "$0")")/../../scripts/debian-suite.sh"

print_command() {
	local root=$1

	printf '%s ' "$root/usr/lib64/ld-linux-x86-64.so.2" --library-path \
		"$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu" \
		"$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios"
	echo -L "$root/usr/lib/ipxe/qemu"
}

# The unpacked tree counts only when QEMU runs and knows first-stage translation.
usable() {
	local words

	[ -e "$1/.unpacked" ] || return 1
	read -ra words <<< "$(print_command "$1")"
	"${words[@]}" -device intel-iommu,help 2> /dev/null | grep -q '^ *x-flts='
}

case $# in
0) dir=$cache ;;
1) dir=$1 ;;
*) say "usage: ${0##*/} [DIR]"; exit 2 ;;
esac
mkdir -p "$dir"
root=$(realpath "$dir")/qemu-$suite
case $root in
*[[:space:]]*) say "a path with white space in it can't be a command word: $root"; exit 2 ;;
esac

exec 9> "$dir/qemu.lock"
flock 9
if usable "$root"; then
	print_command "$root"
	exit 0
fi

debian_site
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
private_apt "$work" "$suite"
apt-get "${apt[@]}" update >&2 || skip "the suite $suite can't be read"
apt-get "${apt[@]}" -y --no-install-recommends --download-only install qemu-system-x86 >&2 ||
	skip "the packages of $suite's QEMU can't be had"

unpack_packages "$work" "$root"
usable "$root" || { say "$suite's QEMU doesn't run here, or has no first-stage translation"; exit 1; }
print_command "$root"
