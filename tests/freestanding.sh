#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Prove that the library needs no libc: compile each source alone with gcc and with clang, link the objects, and
# look at what the result wants from outside, at its size, its writable data and its largest stack frame.
#
# usage: freestanding.sh SOURCE...   (below the source directory, where it runs)
# exit: 0 proved, 1 not, 2 wrong usage; a compiler that is missing is an error
set -euo pipefail

cd "$(dirname "$0")/.."
size_limit=$((32 * 1024))
frame_limit=512
cflags=(-std=gnu11 -ffreestanding -nostdlib -nostdinc -Os -fno-pie -fno-asynchronous-unwind-tables
	-fstack-usage -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
	-Wold-style-definition -Wunused -Wcast-qual "-Wframe-larger-than=$frame_limit"
	-I include -I libiommuser)

fail() { printf 'freestanding: %s\n' "$*" >&2; exit 1; }

# The headers that belong to the compiler and not to libc.
own_headers() {
	case $1 in
	gcc) gcc -print-file-name=include ;;
	clang) printf '%s/include\n' "$(clang -print-resource-dir)" ;;
	esac
}

section_bytes() {
	size -A "$1" | awk -v pattern="$2" '$1 ~ pattern { total += $2 } END { print total + 0 }'
}

prove() {
	local compiler=$1 source object wanted code data writable frame
	shift
	local objects=()

	command -v "$compiler" > /dev/null || fail "$compiler is not installed"
	mkdir "$work/$compiler"
	for source; do
		object=$work/$compiler/$(basename "$source" .c).o
		[ ! -e "$object" ] || fail "two sources are called $(basename "$source")"
		"$compiler" "${cflags[@]}" -isystem "$(own_headers "$compiler")" -c "$source" -o "$object" ||
			fail "$compiler does not compile $source freestanding"
		objects+=("$object")
	done
	"$compiler" -nostdlib -r "${objects[@]}" -o "$work/$compiler.o"

	wanted=$(nm -u "$work/$compiler.o" | awk '{ print $NF }' | grep -vxE 'mem(cpy|set|cmp|move)' || true)
	[ -z "$wanted" ] || fail "$compiler: wanted from outside: ${wanted//$'\n'/ }"
	[ -n "$(nm --defined-only "$work/$compiler.o")" ] || fail "$compiler: the library is empty"
	writable=$(section_bytes "$work/$compiler.o" '^\\.(data|bss|tdata|tbss|init_array|COMMON)')
	[ "$writable" = 0 ] || fail "$compiler: $writable bytes of writable data"
	! nm "$work/$compiler.o" | grep -E ' [CBbDdGgSs] ' >&2 || fail "$compiler: writable symbols"
	code=$(section_bytes "$work/$compiler.o" '^\\.text')
	data=$(section_bytes "$work/$compiler.o" '^\\.rodata')
	[ "$code" -gt 0 ] || fail "$compiler: no code found to measure"
	# The limit is for gcc, which kernels are mostly built with; clang's figure is printed beside it.
	[ "$compiler" != gcc ] || [ $((code + data)) -le "$size_limit" ] ||
		fail "$compiler: $((code + data)) bytes of code and read-only data, the limit is $size_limit"
	frame=$(cat "$work/$compiler"/*.su | sort -t "$(printf '\t')" -k2,2nr | sed -n 1p)
	[ -n "$frame" ] || fail "$compiler: no stack frames found to measure"
	printf '%s: %d sources, text %d + rodata %d = %d bytes%s, largest frame %s bytes (%s)\n' \
		"$compiler" $# "$code" "$data" $((code + data)) \
		"$([ "$compiler" != gcc ] || echo " of $size_limit")" \
		"$(cut -f2 <<< "$frame")" "$(cut -f1 <<< "$frame" | sed 's/.*://')"
}

[ $# -gt 0 ] || { echo "usage: ${0##*/} SOURCE..." >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for compiler in gcc clang; do
	prove "$compiler" "$@"
done
