#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Build the tool and let it look at a real live update of Linux 7.3: a device goes on writing to its
# memory while the kernel is replaced. tests/lab/README.md tells how the images were captured.
set -euo pipefail

cd "$(dirname "$0")"
images=tests/images
build=build/demo
# The device, and an address that it wrote to after the jump.
device=00:04.0
address=0x10001fff80

say() { printf '\n# %s\n' "$*"; }

run() {
	printf '$ iommu-kho-dump %s\n' "$*"
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

say "At the jump: what one kernel hands to the next, IOMMU state included"
run show $images/scalable-glue-jump.ikho
say "Is it sound?"
run verify $images/scalable-glue-jump.ikho
say "Where the device's DMA goes"
run translate $device $address $images/scalable-glue-jump.ikho
say "The same in the next kernel, out of its own debugfs file"
run translate $device $address $images/scalable-glue-incoming.ikho
say "A Linux without the glue hands over memory alone"
run verify $images/scalable-jump.ikho
say "What a finding would mean"
run --explain VTD-04
