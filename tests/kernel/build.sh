#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Build a kernel for the scenarios and print its build directory.
#
# usage: build.sh FLAVOUR VERSION
#   FLAVOUR is plain (with the glue), debug (with the glue and every checker), stock (without the
#   glue) or stock-debug; VERSION is 7.3 or 7.2. Trees and builds are kept in the cache directory; a
#   build is left alone while nothing it is made of changed, and is incremental when something did.
#   $LAB_JOBS sets make's -j.
# exit: 0 path printed, 77 no kernel source can be had, 2 wrong usage, 1 anything else
set -euo pipefail

here=$(dirname "$(realpath "$0")")
root=$(realpath "$here/../..")
cache=${IOMMUSER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/iommuser}
jobs=${LAB_JOBS:-$(nproc)}

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
usage() { say "usage: ${0##*/} plain|debug|stock|stock-debug 7.3|7.2"; exit 2; }

# What a glued tree gets besides Linux.
glue_parts=("$root/kernel-glue" "$root/libiommuser" "$root/include")

glue_key() {
	find "${glue_parts[@]}" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
}

# A copy of the pristine tree counts only when it is whole; install.sh writes only what changed.
glue_tree() {
	local pristine=$1 tree=$2

	if [ ! -d "$tree" ]; then
		rm -rf "$tree.part"
		cp -a --reflink=auto "$(realpath "$pristine")" "$tree.part"
		mv "$tree.part" "$tree"
	fi
	"$root/kernel-glue/install.sh" "$tree" >&2
}

# The shell's errexit is off in what follows: it is used in conditions.

# olddefconfig drops what a tree doesn't know or whose dependencies are unmet, without a word.
check_config() {
	local config=$1 line missing=0

	shift
	while read -r line; do
		case $line in
		CONFIG_*) grep -qxF "$line" "$config" ;;
		'# CONFIG_'*' is not set') ! grep -q "^$(cut -d' ' -f2 <<< "$line")=" "$config" ;;
		*) true ;;
		esac || { say "the tree does not honour: $line"; missing=1; }
	done < <(cat "$@")
	return "$missing"
}

# A configuration that did not change keeps its time.
configure() {
	local build=$1 work=$2

	shift 2
	rm -rf "$work/config"
	mkdir -p "$build" "$work/config"
	KCONFIG_CONFIG="$work/config/.config" "${make[@]}" tinyconfig || return 1
	cat "$@" >> "$work/config/.config"
	KCONFIG_CONFIG="$work/config/.config" "${make[@]}" olddefconfig || return 1
	check_config "$work/config/.config" "$@" || return 1
	cmp -s "$work/config/.config" "$build/.config" || cp "$work/config/.config" "$build/.config"
}

[ $# = 2 ] || usage
flavour=$1 version=$2
fragments=("$root/tests/lab/kernel.config" "$here/kernel.config")
case $flavour in
plain) fragments+=("$here/glue.config") ;;
debug) fragments+=("$here/glue.config" "$here/debug.config") ;;
stock) fragments+=("$here/stock.config") ;;
stock-debug) fragments+=("$here/stock.config" "$here/debug.config") ;;
*) usage ;;
esac
case $version in
7.3 | 7.2) ;;
*) usage ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$cache"

# One of us fetches the source; one at a time works on a build, or on the tree with the glue.
pristine=$(
	exec 9> "$cache/linux-source-$version.lock"
	flock 9
	LAB_LINUX_VERSIONS=$version "$root/tests/lab/linux-source.sh"
)
build=$cache/build-$flavour-$version
lock=$build.lock
tree=$pristine
key=$(
	{ printf '%s\n' "$pristine"; head -6 "$pristine/Makefile"; cat "${fragments[@]}"; } | sha256sum
)
case $flavour in
plain | debug)
	tree=$cache/linux-glue-$version
	lock=$tree.lock
	key+=$(glue_key | sha256sum)
	;;
esac
exec 9> "$lock"
flock 9
if [ "$(cat "$build/.built" 2> /dev/null || true)" = "$key" ]; then
	echo "$build"
	exit 0
fi

[ "$tree" = "$pristine" ] || glue_tree "$pristine" "$tree"
rm -f "$build/.built"
mkdir -p "$build"
make=(make -s -C "$tree" "O=$build" -j"$jobs" ARCH=x86_64)
{
	configure "$build" "$work" "${fragments[@]}" &&
		"${make[@]}" bzImage &&
		"${make[@]}" headers_install "INSTALL_HDR_PATH=$build/headers" &&
		"${make[@]}" kernelrelease > "$build/release"
} > "$build/build.log" 2>&1 || {
	grep -v 'override: reassigning' "$build/build.log" | tail -40 >&2
	say "building the kernel failed, see $build/build.log"
	exit 1
}
echo "$key" > "$build/.built"
echo "$build"
