#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Build the tool and let it look at a handover captured from a real live update of Linux 7.3.
set -euo pipefail

cd "$(dirname "$0")"
image=tests/images/legacy-jump.ikho
build=build/demo

run() {
	printf '\n$ iommu-kho-dump %s\n' "$*"
	"$build/iommu-kho-dump" "$@"
}

scripts/install-deps.sh build
echo "building (log in build/demo.log) ..."
mkdir -p build
{
	cmake --preset release -B "$build" && cmake --build "$build" -j "$(nproc)" --target iommu-kho-dump
} > build/demo.log 2>&1 || {
	tail -30 build/demo.log >&2
	echo "demo.sh: the build failed, see build/demo.log" >&2
	exit 1
}

run show "$image"
run verify "$image"
run --explain CHAIN-03
