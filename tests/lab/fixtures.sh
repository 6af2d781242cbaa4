#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Reduce the memory images that capture.sh left to the small fixtures the tests use.
#
# usage: fixtures.sh OUTDIR [IMAGES]
#   OUTDIR is capture.sh's, IMAGES defaults to tests/images. The tool is $IOMMU_KHO_DUMP, or else the
#   newest one found in a build directory of the checkout. Nothing is replaced unless all succeeds.
# exit: 0 fixtures written, 2 wrong usage, 1 anything else
set -euo pipefail

here=$(dirname "$(realpath "$0")")
checkout=$(realpath "$here/../..")
size_goal=$((200 * 1024))
domain_lines=42

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

find_tool() {
	local tool=${IOMMU_KHO_DUMP:-}

	[ -n "$tool" ] || tool=$(
		find "$checkout"/build* -type f -name iommu-kho-dump -perm -u+x \
			-printf '%T@ %p\n' 2> /dev/null | sort -n | tail -1 | cut -d' ' -f2-
	)
	[ -n "$tool" ] || die "no iommu-kho-dump in a build directory, set IOMMU_KHO_DUMP"
	[ -x "$tool" ] || die "$tool can't be run"
	realpath "$tool"
}

fact() {
	local value

	value=$(sed -n "s/^$1=//p" "$outdir/capture.env")
	[ -n "$value" ] || die "$outdir/capture.env does not tell $1"
	echo "$value"
}

extract() {
	local root=$1 name=$2 size

	shift 2
	"$tool" extract "$@" --vtd-root "$root" -o "$work/$name.ikho" "$outdir/$name.elf"
	size=$(stat -c %s "$work/$name.ikho")
	[ "$size" -gt 0 ] || die "$name.ikho is empty"
	[ "$size" -le "$size_goal" ] || say "$name.ikho has $size bytes, the goal is $size_goal"
	say "$name.ikho: $size bytes"
}

# A fixture must show what the lab's init put into the handover.
check_jump() {
	"$tool" show --json "$work/$1-jump.ikho" > "$work/show.json"
	grep -q '"vm-1"' "$work/show.json" || die "$1-jump.ikho does not show the session vm-1"
}

make_fixtures() {
	local mode=$1 root postboot_root

	root=$(fact "${mode^^}_VTD_ROOT")
	postboot_root=$(fact "${mode^^}_POSTBOOT_VTD_ROOT")
	extract "$root:$mode" "$mode-jump" --origin at-jump
	check_jump "$mode"
	extract "$postboot_root:$mode" "$mode-postboot" --origin post-boot \
		--kho "$(fact "${mode^^}_KHO_FDT")"
	cp "$outdir/$mode-dmar.txt" "$outdir/$mode-postboot-dmar.txt" "$work/"
	head -n "$domain_lines" "$outdir/$mode-domain.txt" > "$work/$mode-domain.txt"
}

case $# in
1) images=$checkout/tests/images ;;
2) images=$2 ;;
*) say "usage: ${0##*/} OUTDIR [IMAGES]"; exit 2 ;;
esac
outdir=$(realpath "$1")
[ -r "$outdir/capture.env" ] || die "$outdir holds no capture.env; run capture.sh first"
tool=$(find_tool)

mkdir -p "$images"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
modes=0
for mode in legacy scalable; do
	grep -q "^${mode^^}_" "$outdir/capture.env" || continue
	make_fixtures "$mode"
	modes=$((modes + 1))
done
[ "$modes" -gt 0 ] || die "$outdir/capture.env tells of no capture"
rm -f "$work/show.json"
cp "$outdir/capture.env" "$work/"
cp "$work"/* "$images/"
