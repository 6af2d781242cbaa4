#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Print the command words that run CBMC: the installed one's, or those of Debian trixie's package, which is
# unpacked for it first.
#
# usage: cbmc.sh [DIR]
#   DIR defaults to the cache directory of the kernel tests. Nothing is installed: the packages are unpacked beside
#   each other and CBMC is run by their own dynamic linker, so neither root nor chroot is needed.
# exit: 0 command printed, 77 CBMC can't be had, 2 wrong usage, 1 anything else
set -euo pipefail

cache=${IOMMUSER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/iommuser}
suite=${PROOF_SUITE:-trixie}
# Answers differ between versions, above all the checks that are on by default.
oldest=6

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
skip() { say "skipped: $*"; exit 77; }

# shellcheck source=scripts/debian-suite.sh
. "$(dirname "$(realpath "$0")")/../../scripts/debian-suite.sh"

print_command() {
	local lib=$1/usr/lib

	echo "$1/usr/lib64/ld-linux-x86-64.so.2" --library-path "$lib/x86_64-linux-gnu:$lib" "$1/usr/bin/cbmc"
}

# Does this command run, as a version that is new enough?
usable() {
	local version

	version=$("$@" --version 2> /dev/null) || return 1
	[ "${version%%.*}" -ge "$oldest" ] 2> /dev/null
}

unpacked_usable() {
	local words

	[ -e "$1/.unpacked" ] || return 1
	read -ra words <<< "$(print_command "$1")"
	usable "${words[@]}"
}

case $# in
0) dir=$cache ;;
1) dir=$1 ;;
*) say "usage: ${0##*/} [DIR]"; exit 2 ;;
esac

if usable cbmc; then
	echo cbmc
	exit 0
fi
[ "$(uname -m)" = x86_64 ] || skip "no cbmc from version $oldest on, and its package is unpacked on x86-64 only"
for tool in apt-get dpkg-deb; do
	command -v "$tool" > /dev/null || skip "no cbmc from version $oldest on, and no $tool to fetch it with"
done

mkdir -p "$dir"
root=$(realpath "$dir")/cbmc-$suite
case $root in
*[[:space:]]*) say "a path with white space in it can't be a command word: $root"; exit 2 ;;
esac

exec 9> "$dir/cbmc.lock"
flock 9
if unpacked_usable "$root"; then
	print_command "$root"
	exit 0
fi

debian_site
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
private_apt "$work" "$suite"
apt-get "${apt[@]}" update >&2 || skip "the suite $suite can't be read"
apt-get "${apt[@]}" -y --no-install-recommends --download-only install cbmc >&2 ||
	skip "the packages of $suite's CBMC can't be had"

# CBMC's package asks for a compiler; the preprocessor of this machine will do.
unpack_packages "$work" "$root" 'gcc-|cpp-|binutils|lib.*san'
unpacked_usable "$root" || { say "$suite's CBMC doesn't run here"; exit 1; }
print_command "$root"
