#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Reduce the memory images that capture.sh or tests/kernel/capture.py left to the small fixtures the
# tests use.
#
# usage: fixtures.sh OUTDIR [IMAGES]
#   IMAGES defaults to tests/images. The tool is $IOMMU_KHO_DUMP, or else the newest one found in a
#   build directory of the checkout. Nothing is replaced unless all succeeds.
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
	local file=$1 value

	value=$(sed -n "s/^$2=//p" "$outdir/$file")
	[ -n "$value" ] || die "$outdir/$file does not tell $2"
	echo "$value"
}

say_size() {
	local name=$1 size

	size=$(stat -c %s "$work/$name.ikho")
	[ "$size" -gt 0 ] || die "$name.ikho is empty"
	[ "$size" -le "$size_goal" ] || say "$name.ikho has $size bytes, the goal is $size_goal"
	say "$name.ikho: $size bytes"
}

extract() {
	local name=$1

	shift
	"$tool" extract "$@" -o "$work/$name.ikho" "$outdir/$name.elf"
	say_size "$name"
}

# A fixture must show what the lab's init put into the handover.
check_jump() {
	"$tool" show --json "$work/$1-jump.ikho" > "$work/show.json"
	grep -q '"vm-1"' "$work/show.json" || die "$1-jump.ikho does not show the session vm-1"
}

make_fixtures() {
	local mode=$1 root postboot_root

	root=$(fact capture.env "${mode^^}_VTD_ROOT")
	postboot_root=$(fact capture.env "${mode^^}_POSTBOOT_VTD_ROOT")
	extract "$mode-jump" --origin at-jump --vtd-root "$root:$mode"
	check_jump "$mode"
	extract "$mode-postboot" --origin post-boot --vtd-root "$postboot_root:$mode" \
		--kho "$(fact capture.env "${mode^^}_KHO_FDT")"
	cp "$outdir/$mode-dmar.txt" "$outdir/$mode-postboot-dmar.txt" "$work/"
	head -n "$domain_lines" "$outdir/$mode-domain.txt" > "$work/$mode-domain.txt"
}

# The kernel's own stream is kept as the kernel wrote it. Of the domain, pages of all leaf tables.
make_glue_fixtures() {
	local name=$1-glue image found

	extract "$name-jump" --origin at-jump
	check_jump "$name"
	cp "$outdir/$name"-{incoming,left}.ikho "$work/"
	say_size "$name-incoming"
	say_size "$name-left"
	cp "$outdir/$name"-{dmar,incoming-dmar,incoming-state,left-dmar,left-state}.txt "$work/"
	awk '/^0x/ { if (n++ % 16) next } { print }' "$outdir/$name-domain.txt" \
		> "$work/$name-domain.txt"
	"$tool" verify "$work/$name-left.ikho" > /dev/null || die "$name-left.ikho is not sound"
	for image in "$work/$name"-{jump,incoming}.ikho; do
		"$tool" verify "$image" > /dev/null || die "$image is not sound"
		found=$("$tool" translate --json 00:04.0 "$(fact glue.env "$2_IOVA")" "$image" |
			sed -n 's/.*"phys": *"\(0x[0-9a-f]*\)".*/\1/p')
		[ "$found" = "$(fact glue.env "$2_PHYS")" ] || die "$image leads to '$found'"
	done
}

case $# in
1) images=$checkout/tests/images ;;
2) images=$2 ;;
*) say "usage: ${0##*/} OUTDIR [IMAGES]"; exit 2 ;;
esac
outdir=$(realpath "$1")
tool=$(find_tool)

mkdir -p "$images"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
modes=0
for mode in legacy scalable; do
	grep -qs "^${mode^^}_" "$outdir/capture.env" || continue
	make_fixtures "$mode"
	modes=$((modes + 1))
done
for mode in legacy scalable first-stage; do
	key=${mode^^}
	key=${key//-/_}_GLUE
	grep -qs "^${key}_" "$outdir/glue.env" || continue
	make_glue_fixtures "$mode" "$key"
	modes=$((modes + 1))
done
[ "$modes" -gt 0 ] || die "$outdir has no capture.env or glue.env that tells of a capture"
rm -f "$work/show.json"
# Facts of modes that were not captured this time stay, like their fixtures.
for name in capture.env glue.env; do
	[ -e "$outdir/$name" ] || continue
	touch "$images/$name"
	awk -F= '!seen[$1]++' "$outdir/$name" "$images/$name" > "$work/$name"
done
cp "$work"/* "$images/"
