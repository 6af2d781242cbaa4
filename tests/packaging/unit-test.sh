#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# systemd takes the units as they are written, and they run the tool as it is.
#
# usage: unit-test.sh     with IOMMU_KHO_DUMP naming the tool
# exit: 0 it does, 1 not, 77 systemd-analyze is not installed
set -euo pipefail

cd "$(dirname "$0")/../.."
command -v systemd-analyze > /dev/null || { echo "skipped: systemd-analyze is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
units=0
for unit in packaging/systemd/*.service; do
	# Where the unit will run, the tool is in /usr/bin.
	grep -q '^ExecStart=/usr/bin/iommu-kho-dump ' "$unit" || { echo "$unit does not start the tool"; exit 1; }
	sed "s,/usr/bin/iommu-kho-dump,$IOMMU_KHO_DUMP," "$unit" > "$work/${unit##*/}"
	said=$(systemd-analyze verify --man=no --recursive-errors=no "$work/${unit##*/}" 2>&1) || { echo "$said"; exit 1; }
	[ -z "$said" ] || { echo "$said"; exit 1; }
	# Its command line, on an image and a file of ours. 3 would be no image, 2 a mistake in the words.
	command=$(sed -n 's,^ExecStart=/usr/bin/iommu-kho-dump ,,p' "$unit")
	[ "$(wc -l <<< "$command")" = 1 ] || { echo "$unit has more than one command"; exit 1; }
	command=${command//\/sys\/kernel\/debug\/iommu\/liveupdate\/incoming/tests\/images\/scalable-glue-incoming.ikho}
	command=${command//\/var\/lib\/prometheus\/node-exporter/$work}
	read -ra words <<< "$command"
	"$IOMMU_KHO_DUMP" "${words[@]}"
	grep -q '^iommu_kho_dump_verify_status{.*status="ok"} 1$' "$work"/*.prom || { echo "$unit: no verdict"; exit 1; }
	units=$((units + 1))
done
[ $units -gt 0 ] || { echo "no units found"; exit 1; }
echo "$units units"
