#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Stand in for the tool in CLI tests: run $IOMMU_KHO_DUMP_PROGRAM under valgrind. An error of memory makes the
# exit status 99, which no test accepts, and its report goes to stderr.
set -euo pipefail

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect \
	--errors-for-leak-kinds=definite,indirect --log-file="$log" \
	"$IOMMU_KHO_DUMP_PROGRAM" "$@" || status=$?
[ "$status" != 99 ] || cat "$log" >&2
exit "$status"
