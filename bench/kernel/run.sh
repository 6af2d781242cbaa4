#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Count what a live update of IOMMU state costs in the kernel, print tables of medians, in thousands of instructions.
# docs/performance.md says what they mean.
#
# usage: run.sh [--takeover] [--quick] [--results FILE] [KERNEL]
#   --takeover: count what a monitor's way back to its device costs after the jump, instead of preserving and the jump.
#   --quick: few table pages, few devices, one run. --results: keep what was counted, go on from there.
#   KERNEL: a build directory of tests/kernel/build.sh; without it, the plain flavour of 7.3 is built.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
options=()
program=measure.py

while [ $# -gt 0 ]; do
	case $1 in
	--takeover) program=takeover.py ;;
	--quick) options+=(--quick) ;;
	--results)
		[ $# -gt 1 ] || { echo "${0##*/}: --results needs a file" >&2; exit 2; }
		options+=(--results "$2")
		shift
		;;
	-*) echo "usage: ${0##*/} [--takeover] [--quick] [--results FILE] [KERNEL]" >&2; exit 2 ;;
	*) break ;;
	esac
	shift
done
kernel=${1-}
[ -n "$kernel" ] || kernel=$("$here/../../tests/kernel/build.sh" plain 7.3)
printf '%s, Linux %s, %s\n' "$(date -u +%F)" "$(cat "$kernel/include/config/kernel.release" 2> /dev/null || echo '?')" \
	"$(qemu-system-x86_64 --version | head -1)"
exec "$here/$program" --kernel "$kernel" "${options[@]}"
