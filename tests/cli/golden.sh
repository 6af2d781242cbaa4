#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Compare what the tool prints, and its exit statuses, with golden/*.out: one file for each image, and one for
# what needs no image. How many bytes were read of an image, and when, is left open.
#
# usage: golden.sh [--rewrite]     with IOMMU_KHO_DUMP naming the tool
# exit: 0 all as recorded (or rewritten), 1 not, 2 wrong usage
# Most functions run as "check NAME FUNCTION ARGUMENT...", which shellcheck does not see.
# shellcheck disable=SC2317
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
tests=$(dirname "$here")
golden=$here/golden
rewrite=no
case $#:${1:-} in
0:) ;;
1:--rewrite) rewrite=yes ;;
*) sed -n '6,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
[ -x "${IOMMU_KHO_DUMP:-}" ] || { echo "golden.sh: IOMMU_KHO_DUMP must name the tool" >&2; exit 2; }
# It is run in another directory.
IOMMU_KHO_DUMP=$(realpath "$IOMMU_KHO_DUMP")

fixtures=(legacy-jump legacy-postboot scalable-jump scalable-postboot
	legacy-glue-jump legacy-glue-incoming legacy-glue-left scalable-glue-jump scalable-glue-incoming
	scalable-glue-left first-stage-glue-jump first-stage-glue-incoming first-stage-glue-left)
descriptions=(iommu-v1-legacy iommu-v1-scalable iommu-liveupdate-scalable iommu-liveupdate-56-legacy
	iommuser-v1-legacy iommuser-aliases iommuser-pasids iommuser-first-stage iommuser-16k kho-empty
	kho-extras)
# Valgrind takes its time.
if [ -n "${IOMMU_KHO_DUMP_PROGRAM:-}" ]; then
	fixtures=(scalable-postboot scalable-glue-jump first-stage-glue-incoming)
	descriptions=(iommu-liveupdate-scalable iommuser-pasids iommuser-16k kho-empty)
fi
# An image with one thing wrong, and the line of its description that does it.
damaged=iommuser-pasids
damage='amend device 00:05.0 did=1'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0

# transcript ARGUMENT...: one run, in words
transcript() {
	local status=0

	"$IOMMU_KHO_DUMP" "$@" > stdout 2> stderr < /dev/null || status=$?
	echo "\$ iommu-kho-dump $*"
	sed -e 's/\(image_bytes_read"\{0,1\}[: ] *\)[0-9][0-9]*/\1N/' -e 's/\(timestamp_seconds{.*} \)[0-9]*$/\1N/' stdout
	sed 's/^/stderr: /' stderr
	echo "exit status $status"
	echo
}

image_transcripts() {
	local image=$1 command

	for command in show verify stat --list-roots; do
		transcript "$command" "$image"
		transcript "$command" --json "$image"
	done
	transcript graph "$image"
	transcript maps --limit 4 "$image"
	transcript maps --limit 4 --json "$image"
	transcript scratch "$image"
	transcript scratch --json "$image"
	transcript preflight --kernel vmlinuz "$image"
	transcript preflight --kernel vmlinuz --json "$image"
	transcript preflight --kernel vmlinuz-stock "$image"
	shift
	while [ $# -gt 0 ]; do
		transcript show --vtd-root "$1" "$image"
		shift
	done
}

# Where a byte that the device wrote in a live update went.
glue_transcripts() {
	image_transcripts "$@"
	transcript translate 00:04.0 "$iova" "$1"
	transcript translate --json 00:04.0 "$iova" "$1"
}

plain_transcripts() {
	local code

	transcript --help
	transcript --version
	for code in KHO-13 LUO-01 CHAIN-03 REC-03 DID-03 VTD-01 PT-01 CLOSURE-01 SEAL-01; do
		transcript --explain "$code"
	done
	transcript --explain CHAIN-03 --json
}

# What fleets ask for: a line, or metrics, for each image.
fleet_transcripts() {
	local command

	for command in show verify stat; do
		transcript "$command" --json-lines "$@"
	done
	transcript --list-roots --json-lines "$1"
	for image in "$@"; do
		transcript verify --prometheus "$image"
	done
}

# diff_transcripts A B...: each with the next one
diff_transcripts() {
	while [ $# -gt 1 ]; do
		transcript diff --limit 20 "$1" "$2"
		transcript diff --limit 3 --json "$1" "$2"
		shift
	done
}

translate_transcripts() {
	local image=$1 word

	for word in 0x0 0x3fffff 0x400000 0x100003004 0x200001000 0xffffffffffffffff; do
		transcript translate 00:04.0 "$word" "$image"
	done
	transcript translate --json 0000:03:00.0 0x40000000 "$image"
	transcript translate --json 0000:00:04.0 0x400000 "$image"
	transcript translate 00:06.0 0x0 "$image"
	transcript translate 00:04.0+5 0x0 "$image"
	transcript maps 00:06.0 "$image"
	transcript maps 00:04.0 --json-lines --limit 1 "$image"
	transcript maps 0:6 "$image"
	transcript translate 0:6 0x0 "$image"
	transcript translate 00:04.0 9z "$image"
	transcript translate 00:04.0 "$image"
}

# check NAME COMMAND...: compare what a command prints twice, and with the recorded output
check() {
	local name=$1 recorded=$golden/$1.out
	shift
	"$@" > found
	# Valgrind changes nothing of what is printed: once is enough then.
	if [ -z "${IOMMU_KHO_DUMP_PROGRAM:-}" ]; then
		"$@" > again
		cmp -s found again || { echo "$name: two runs differ"; diff found again || true; failed=1; }
	fi
	if grep -qF -e "$work" -e "$tests" found; then
		echo "$name: a path in the output"
		failed=1
	fi
	runs=$((runs + $(grep -c '^exit status' found)))
	if [ $rewrite = yes ]; then
		cp found "$recorded"
	elif ! diff -u "$recorded" found; then
		echo "$name: not as recorded in golden/$name.out"
		failed=1
	fi
	checked+=("$name.out")
}

# The kernels of preflight: one that has everything, one as it comes from kernel.org.
python3 "$here/tiny_kernel.py" vmlinuz
python3 "$here/tiny_kernel.py" vmlinuz-stock memfd-v2
checked=()
runs=0
for name in "${fixtures[@]}"; do
	cp "$tests/images/$name.ikho" .
	# The file of debugfs is called legacy-dmar.txt for legacy-jump.ikho.
	root=$(sed -n 's/.*Root Table Address: *\(0x[0-9a-f]*\).*/\1/p;T;q' "$tests/images/${name%-jump}-dmar.txt")
	mode=scalable
	[ "${name#legacy}" = "$name" ] || mode=legacy
	case $name in
	*-glue-*)
		key=${name%-glue-*}
		key=${key^^}
		iova=$(sed -n "s/^${key//-/_}_GLUE_IOVA=//p" "$tests/images/glue.env")
		check "$name" glue_transcripts "$name.ikho" "$root" "$root:$mode" ;;
	*)
		check "$name" image_transcripts "$name.ikho" "$root" "$root:$mode" ;;
	esac
done
for name in "${descriptions[@]}"; do
	python3 "$tests/writer/write_image.py" "$tests/writer/clean/$name.desc" "$name.elf" --format elf
	check "$name" image_transcripts "$name.elf"
done
python3 "$tests/writer/write_image.py" "$tests/writer/clean/$damaged.desc" damaged.elf --format elf --set "$damage"
check damaged image_transcripts damaged.elf
check fleet fleet_transcripts damaged.elf no-such-image scalable-glue-jump.ikho
# An incoming handover half taken over: one domain's tables are freed, one device's entry leads elsewhere.
states=('ikho origin=incoming kho=no preserved=no' 'states iommu 2' 'states domain 3 4' 'states device 4 3 5'
	'set context[00:04.0].lo = 0x7000001' 'set context[00:04.0].did = 77')
python3 "$tests/writer/write_image.py" "$tests/writer/clean/iommuser-v1-legacy.desc" states.ikho --format ikho \
	"${states[@]/#/--set=}" --drop @pt.domain1.top
check states image_transcripts states.ikho
# A kernel that came up from a handover and did not take its IOMMU state over.
python3 "$tests/writer/write_image.py" "$tests/writer/clean/iommuser-v1-legacy.desc" next.elf --format elf --set next-fdt
check next image_transcripts next.elf
python3 "$tests/writer/write_image.py" "$tests/writer/clean/iommuser-v1-legacy.desc" translate.elf --format elf
check translate translate_transcripts translate.elf
cp "$tests"/images/{scalable-glue-jump,scalable-glue-incoming,scalable-glue-left,legacy-glue-jump}.ikho .
check diff diff_transcripts scalable-glue-jump.ikho scalable-glue-incoming.ikho scalable-glue-left.ikho \
	legacy-glue-jump.ikho translate.elf damaged.elf
check plain plain_transcripts

# Line widths: only words as long as hardware entries and hashes may stick out.
if long=$(grep -hE '^[^"]{80,}$' "$golden"/*.out | grep -v -e '^\$ ' -e '^stderr: ' -e '^# HELP ' -e '"'); then
	printf 'lines over 79 columns:\n%s\n' "$long"
	failed=1
fi
expected=$(printf '%s\n' "${checked[@]}" | sort)
present=$(cd "$golden" && printf '%s\n' *.out | sort)
if [ -z "${IOMMU_KHO_DUMP_PROGRAM:-}" ] && [ "$expected" != "$present" ]; then
	echo "golden/ holds other files than were checked"
	failed=1
fi
echo "$runs runs compared, in ${#checked[@]} files"
[ "$runs" -gt 50 ] || failed=1
exit $failed
