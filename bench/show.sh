#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Time `iommu-kho-dump show` on a dump against libkdumpfile reading every page of it, in turn.
#
# usage: show.sh TOOL BENCH-SHOW DUMP [PAIRS]
#   Prints a row of the table of run.sh. A flattened dump is rearranged for libkdumpfile first; the tool gets
#   it as it is. The dump must have 4 KiB pages.
set -euo pipefail

here=$(dirname "$(realpath "$0")")

usage() { echo "usage: ${0##*/} TOOL BENCH-SHOW DUMP [PAIRS]" >&2; exit 2; }
fail() { echo "${0##*/}: $*" >&2; exit 1; }

# Processor time of a command in milliseconds. What it prints goes to a file.
milliseconds() {
	local TIMEFORMAT='%U %S' times

	{ times=$( { time "$@" > "$work/output" 2> "$work/errors"; } 2>&1); } ||
		fail "$* failed: $(tail -n 1 "$work/errors")"
	awk '{ printf "%d\n", ($1 + $2) * 1000 }' <<< "$times"
}

median() {
	sort -n | awk '{ value[NR] = $1 } END { print (value[int((NR + 1) / 2)] + value[int(NR / 2) + 1]) / 2 }'
}

main() {
	local i before after tool_time readable=$dump

	if head -c 12 "$dump" | grep -qax makedumpfile; then
		readable=$work/dump
		python3 "$here/unflatten.py" "$dump" "$readable"
	fi
	# The first runs bring the files into the page cache, and say whether there is something to measure.
	milliseconds "$tool" show "$dump" > /dev/null
	grep -q . "$work/output" || fail "show printed nothing"
	before=$(milliseconds "$reader" "$readable")
	for ((i = 0; i < pairs; i++)); do
		tool_time=$(milliseconds "$tool" show "$dump")
		after=$(milliseconds "$reader" "$readable")
		echo "$tool_time" >> "$work/tool"
		echo "$after" >> "$work/reader"
		awk -v t="$tool_time" -v a="$before" -v b="$after" 'BEGIN { print t / ((a + b) / 2) }' >> "$work/ratios"
		before=$after
	done
	# shellcheck disable=SC2016 # the backquotes are for the table
	printf '| `show`, %s of %d MiB | %.0f ms | %.0f ms | %.2f | ≤ 3 |\n' \
		"$(basename "$dump")" $(($(cat "$work/output") * 4096 / 1048576)) \
		"$(median < "$work/tool")" "$(median < "$work/reader")" "$(median < "$work/ratios")"
}

if [ $# -lt 3 ] || [ $# -gt 4 ]; then
	usage
fi
tool=$1 reader=$2 dump=$3 pairs=${4:-9}
if [ ! -x "$tool" ] || [ ! -x "$reader" ]; then
	usage
fi
[ -r "$dump" ] || fail "cannot read $dump"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
main
