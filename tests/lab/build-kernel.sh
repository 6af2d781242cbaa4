#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Build the lab's kernel (tinyconfig + kernel.config) and print its build directory.
#
# usage: build-kernel.sh [TREE]
#   Without TREE the source comes from linux-source.sh. The build is kept in the cache directory
#   and reused for as long as the tree and kernel.config stay the same. $LAB_JOBS sets make's -j.
# exit: 0 path printed, 77 no kernel source can be had, 2 wrong usage, 1 anything else
set -euo pipefail

here=$(dirname "$(realpath "$0")")
cache=${IOMMUSER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/iommuser}
jobs=${LAB_JOBS:-$(nproc)}

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# olddefconfig drops what a tree doesn't know or whose dependencies are unmet, without a word.
check_config() {
	local config=$1 line missing=0

	while read -r line; do
		case $line in
		CONFIG_*) grep -qxF "$line" "$config" ;;
		'# CONFIG_'*' is not set') ! grep -q "^$(cut -d' ' -f2 <<< "$line")=" "$config" ;;
		*) true ;;
		esac || { say "the tree does not honour: $line"; missing=1; }
	done < "$here/kernel.config"
	return "$missing"
}

# One build at a time: everybody on the machine shares the cache.
mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9

case $# in
0) tree=$("$here/linux-source.sh") ;;
1) tree=$(realpath "$1") ;;
*) say "usage: ${0##*/} [TREE]"; exit 2 ;;
esac

key=$(
	{ printf '%s\n' "$tree"; head -6 "$tree/Makefile"; cat "$here/kernel.config"; } |
		sha256sum | cut -c1-12
)
build=$cache/kernel-$key
if [ ! -e "$build/.built" ]; then
	mkdir -p "$build"
	make=(make -s -C "$tree" "O=$build" -j"$jobs" ARCH=x86_64)
	{
		"${make[@]}" tinyconfig &&
			cat "$here/kernel.config" >> "$build/.config" &&
			"${make[@]}" olddefconfig &&
			check_config "$build/.config" &&
			"${make[@]}" bzImage &&
			"${make[@]}" headers_install "INSTALL_HDR_PATH=$build/headers" &&
			"${make[@]}" kernelrelease > "$build/release"
	} > "$build/build.log" 2>&1 || {
		tail -20 "$build/build.log" >&2
		say "building the kernel failed, see $build/build.log"
		exit 1
	}
	touch "$build/.built"
fi
echo "$build"
