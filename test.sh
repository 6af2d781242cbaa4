#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Build with gcc and with clang and run the tests. Results in JUnit form are left in build/results/.
#
# usage: test.sh [--quick | --label LABEL | --kernel[=ci|=full]]
#   without an option   dev tests with gcc, the same with clang and sanitizers, the freestanding proof,
#                       static checks, the CLI tests under valgrind
#   --quick             dev tests with gcc only
#   --label LABEL       only the tests of one label: exhaustive, fuzz, lint, valgrind, ...
#   --kernel            build Linux 7.3 with the glue and run live updates in QEMU, from nothing
#   --kernel=ci         the same in legacy and scalable mode only
#   --kernel=full       also Linux 7.2, jumps between the two, and the debug options
# exit: 0 all passed (skipped ones are named), 1 not, 2 wrong usage
set -euo pipefail

cd "$(dirname "$0")"
jobs=$(nproc)
# Some tests write thousands of small files.
if [ -z "${TMPDIR:-}" ] && [ -d /dev/shm ] && [ -w /dev/shm ]; then
	export TMPDIR=/dev/shm
fi
results=$PWD/build/results
failed=()

usage() { sed -n '5,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }
headline() { printf '\n== %s\n' "$*"; }

# Build a preset; what the compiler says is shown only when it fails.
build() {
	local preset=$1 log=$results/$1-build.log

	{ cmake --preset "$preset" && cmake --build --preset "$preset" -j "$jobs"; } > "$log" 2>&1 || {
		tail -40 "$log"
		return 1
	}
}

run_ctest() {
	local name=$1
	shift
	ctest --no-tests=error --output-on-failure -j "$jobs" --test-output-size-passed 65536 \
		--output-junit "$results/$name.xml" "$@"
}

# step NAME COMMAND...: go on after a failure, and remember it
step() {
	local name=$1 started=$SECONDS
	shift
	headline "$name"
	if "$@"; then
		echo "-- $name: passed in $((SECONDS - started)) s"
	else
		echo "-- $name: FAILED after $((SECONDS - started)) s"
		failed+=("$name")
	fi
}

with_gcc() { build dev && run_ctest dev --preset dev; }
with_sanitizers() { build asan-ubsan && run_ctest asan-ubsan --preset asan-ubsan; }
freestanding() { build freestanding && run_ctest freestanding --preset freestanding; }
labelled() { run_ctest "$1" --test-dir build/dev -L "^$1\$"; }
build_and_labelled() { build dev && labelled "$1"; }
# Exit status 77 means that a suite was skipped; the results say which and why.
kernel() {
	build dev || return 1
	IOMMU_KHO_DUMP=$PWD/build/dev/iommu-kho-dump KERNEL_RESULTS=$results tests/kernel/all.sh "$1" ||
		[ $? = 77 ]
}

mode=full
case $#:${1:-} in
0:) ;;
1:--quick) mode=quick ;;
2:--label) mode=label ;;
1:--kernel) mode=kernel flavours=plain ;;
1:--kernel=full) mode=kernel flavours=full ;;
1:--kernel=ci) mode=kernel flavours=ci ;;
*) usage ;;
esac

scripts/install-deps.sh test
rm -rf "$results"
mkdir -p "$results"
case $mode in
quick)
	step "gcc" with_gcc
	;;
label)
	step "label $2" build_and_labelled "$2"
	;;
kernel)
	step "kernel" kernel "$flavours"
	;;
full)
	step "gcc" with_gcc
	step "clang, AddressSanitizer, UndefinedBehaviorSanitizer" with_sanitizers
	step "freestanding" freestanding
	step "lint" labelled lint
	step "valgrind" labelled valgrind
	;;
esac

headline "results"
tests/results.py "$results"
if [ ${#failed[@]} -gt 0 ]; then
	printf 'failed: %s\n' "${failed[@]}"
	exit 1
fi
