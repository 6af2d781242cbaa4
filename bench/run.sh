#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Build with -O2, run every benchmark, print tables of medians and ratios. docs/performance.md says what they mean.
#
# usage: run.sh [--quick] [DUMP]...
#        run.sh --large [OPTION]...
#   --quick: smaller page tables, fewer repetitions. DUMP: also time `iommu-kho-dump show` on it.
#   --large: the tool alone, on a vmcore of 16 GiB that is made for it; options are those of large.py.
#   $BENCH_BUILD: the build directory, build/bench by default.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
build=${BENCH_BUILD:-$here/../build/bench}
quick=()
pairs=9

build() {
	cmake -S "$here/.." -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE='-O2 -DNDEBUG' \
		-DBUILD_TESTING=OFF > /dev/null
	cmake --build "$build" -j"$(nproc)" --target bench ${1+"$@"} > /dev/null
}

ratio_header() { printf '\n| %s | measured | reference | ratio | target |\n| --- | ---: | ---: | ---: | --- |\n' "$1"; }

case ${1-} in
--large)
	build iommu-kho-dump
	exec "$here/large.py" "$build/iommu-kho-dump" "${@:2}"
	;;
--quick) quick=(--quick) pairs=3; shift ;;
-*) echo "usage: ${0##*/} [--quick] [DUMP]... | --large [OPTION]..." >&2; exit 2 ;;
esac
if [ $# -gt 0 ]; then
	build iommu-kho-dump
else
	build
fi

printf '%s, %s processors of %s\n' "$(date -u +%F)" "$(nproc)" "$(uname -m)"
ratio_header 'page-table walk, against reading the tables'
"$build/bench/bench-walk" "${quick[@]}"
ratio_header 'records, against reading their pages'
"$build/bench/bench-records" "${quick[@]}"
printf '\n| revision | devices | survey | index | growth of both | growth of index | memory | target |\n'
printf '| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n'
"$build/bench/bench-index" "${quick[@]}"
printf '\n'
"$here/size.sh"
[ $# -eq 0 ] || ratio_header 'show, against libkdumpfile reading every page'
for dump; do
	"$here/show.sh" "$build/iommu-kho-dump" "$build/bench/bench-show" "$dump" "$pairs"
done
