#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Build the kernels, boot them in QEMU and run every scenario. Needs nothing beforehand but the tool.
#
# usage: all.sh [ci|plain|full]     with IOMMU_KHO_DUMP naming the tool
#   ci      Linux 7.3, legacy and scalable mode
#   plain   Linux 7.3, every mode (the default)
#   full    also Linux 7.2, jumps between the two, and both with the debug options
#   What is printed is TAP; a copy is left in $KERNEL_RESULTS (a directory) when that is set.
#   $LAB_JOBS machines run at once; kernels are kept in the cache directory.
# exit: 0 all passed, 1 not, 77 no kernel source can be had, 2 wrong usage
set -euo pipefail

here=$(dirname "$(realpath "$0")")
jobs=${LAB_JOBS:-$(nproc)}
failed=0
skipped=0

say() { printf '# %s\n' "$*"; }
# A suite that can't run at all is one skipped test with the reason, never silence.
skip_suite() {
	printf 'TAP version 13\n1..1\nok 1 %s # SKIP %s\n' "$1" "$2" | record "$1"
	skipped=$((skipped + 1))
}

record() {
	if [ -n "${KERNEL_RESULTS:-}" ]; then
		mkdir -p "$KERNEL_RESULTS"
		tee "$KERNEL_RESULTS/kernel-$1.tap"
	else
		cat
	fi
}

# built FLAVOUR VERSION: sets $build; 77 and any other status of build.sh are passed on
built() {
	local started=$SECONDS status=0

	build=$("$here/build.sh" "$1" "$2") || status=$?
	[ "$status" != 0 ] || say "kernel $2 $1: built or found in $((SECONDS - started)) s"
	return "$status"
}

# suite NAME ARGUMENT...: one run of run.py
suite() {
	local name=$1 started=$SECONDS status=0
	shift

	say "suite $name"
	python3 "$here/run.py" --jobs "$jobs" --tool "$IOMMU_KHO_DUMP" "$@" | record "$name" || status=$?
	say "suite $name: exit status $status after $((SECONDS - started)) s"
	case $status in
	0) ;;
	77) skipped=$((skipped + 1)) ;;
	*) failed=$((failed + 1)) ;;
	esac
}

# What can be said of our kernel code without running it.
static() {
	local started=$SECONDS status=0

	"$here/static.sh" "$1" | record static || status=$?
	say "static checks: exit status $status after $((SECONDS - started)) s"
	[ "$status" = 0 ] || failed=$((failed + 1))
}

# kernels VERSION: sets $plain and $stock, or says why there is none
kernels() {
	local version=$1 status=0

	built plain "$version" || status=$?
	if [ "$status" = 77 ]; then
		skip_suite "linux-$version" "Debian's linux-source-$version can't be had"
		return 1
	elif [ "$status" != 0 ]; then
		printf 'not ok 1 build-%s\n' "$version" | record "build-$version"
		failed=$((failed + 1))
		return 1
	fi
	plain=$build
	built stock "$version" || { failed=$((failed + 1)); return 1; }
	stock=$build
}

full() {
	local plain73=$1 plain72=

	if kernels 7.2; then
		plain72=$plain
		suite 7.2 --kernel "$plain72" --stock "$stock"
		suite 7.3-to-7.2 --kernel "$plain73" --next "$plain72" --only next-other-version
		suite 7.2-to-7.3 --kernel "$plain72" --next "$plain73" --only next-other-version
	fi
	if built debug 7.3; then
		LAB_TIME_FACTOR=${LAB_TIME_FACTOR:-4} suite 7.3-debug --kernel "$build"
	else
		failed=$((failed + 1))
	fi
	if [ -n "$plain72" ]; then
		if built debug 7.2; then
			LAB_TIME_FACTOR=${LAB_TIME_FACTOR:-4} suite 7.2-debug --kernel "$build"
		else
			failed=$((failed + 1))
		fi
	fi
}

level=${1:-plain}
case $#:$level in
0:plain | 1:ci | 1:plain | 1:full) ;;
*) sed -n '5,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
[ -x "${IOMMU_KHO_DUMP:-}" ] || { echo "all.sh: IOMMU_KHO_DUMP must name the tool" >&2; exit 2; }
if ! "$here/../../scripts/install-deps.sh" kernel; then
	skip_suite packages "the packages can't be installed"
	exit 77
fi
if kernels 7.3; then
	static "$plain"
	modes=()
	[ "$level" != ci ] || modes=(--mode legacy --mode scalable)
	suite 7.3 --kernel "$plain" --stock "$stock" "${modes[@]}"
	[ "$level" != full ] || full "$plain"
fi
[ "$failed" = 0 ] || exit 1
[ "$skipped" = 0 ] || exit 77
