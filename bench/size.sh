#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# How large the library is: code and read-only data at -Os, and the largest stack frame, per object file.
#
# usage: size.sh   ($CC: the compiler, gcc by default)
set -euo pipefail

here=$(dirname "$(realpath "$0")")
compiler=${CC:-gcc}
flags=(-std=gnu11 -Os -ffreestanding -fno-pie -fno-asynchronous-unwind-tables -fstack-usage
	-I "$here/../include" -I "$here/../libiommuser")

section_bytes() {
	size -A "$1" | awk -v pattern="$2" '$1 ~ pattern { total += $2 } END { print total + 0 }'
}

main() {
	local source name text rodata frame all_text=0 all_rodata=0 largest=0

	printf '| object | text | read-only data | largest frame |\n| --- | ---: | ---: | ---: |\n'
	for source in "$here"/../libiommuser/*.c; do
		name=$(basename "$source" .c)
		"$compiler" "${flags[@]}" -c "$source" -o "$work/$name.o"
		text=$(section_bytes "$work/$name.o" '^\\.text')
		rodata=$(section_bytes "$work/$name.o" '^\\.rodata')
		frame=$(cut -f2 "$work/$name.su" | sort -n | tail -n 1)
		printf '| %s | %d | %d | %d |\n' "$name" "$text" "$rodata" "${frame:-0}"
		all_text=$((all_text + text))
		all_rodata=$((all_rodata + rodata))
		[ "${frame:-0}" -le "$largest" ] || largest=$frame
	done
	[ "$all_text" -gt 0 ] || { echo 'size: the library is empty' >&2; exit 1; }
	printf '| **all: %d of 32768 bytes** | %d | %d | %d of 512 |\n' \
		$((all_text + all_rodata)) "$all_text" "$all_rodata" "$largest"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
main
