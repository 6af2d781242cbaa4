#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Perform a live update of Linux in QEMU and keep memory images of both of its kernels.
#
# usage: capture.sh [legacy|scalable|all] OUTDIR
#   Needs nothing beforehand: packages, kernel source, kernel and initramfs are fetched or made, and
#   cached outside the checkout. README.md lists what is left in OUTDIR.
# exit: 0 captured, 77 packages or kernel source can't be had, 2 wrong usage, 1 anything else
set -euo pipefail

here=$(dirname "$(realpath "$0")")
cache=${IOMMUSER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/iommuser}
memory=${LAB_MEMORY:-256M}
limit=${LAB_TIMEOUT:-180}
qemu=

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }
skip() { say "$*"; exit 77; }
usage() { say "usage: ${0##*/} [legacy|scalable|all] OUTDIR"; exit 2; }

cleanup() {
	[ -z "$qemu" ] || kill "$qemu" 2> /dev/null || true
	rm -rf "$work"
}

pack() {
	(cd "$1" && find . -print0 | LC_ALL=C sort -z |
		cpio --null --quiet --reproducible -R 0:0 -o -H newc | gzip -1n) > "$2"
}

make_initramfs() {
	local build=$1

	mkdir "$work/first" "$work/second"
	gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -static -isystem "$build/headers/include" \
		-o "$work/init" "$here/stage.c"
	cp "$work/init" "$work/second/init"
	pack "$work/second" "$work/initrd2"
	cp "$work/init" "$work/first/init"
	cp "$work/initrd2" "$work/first/initrd2"
	cp "$build/arch/x86/boot/bzImage" "$work/first/kernel"
	pack "$work/first" "$work/initrd1"
}

start_qemu() {
	local mode=$1 build=$2 unit=intel-iommu,intremap=on,caching-mode=on

	case $mode in
	legacy) unit+=,aw-bits=39 ;;
	scalable) unit+=,aw-bits=48,x-scalable-mode=on ;;
	esac
	timeout "$limit" qemu-system-x86_64 -accel tcg,thread=multi -M q35 -m "$memory" -smp 2 \
		-nodefaults -no-user-config -display none -no-reboot -S \
		-device "$unit" -device edu,addr=04.0,dma_mask=0xffffffffffffffff \
		-serial "file:$mode-serial.log" -serial "file:$mode-report.log" \
		-gdb "unix:$work/gdb.sock,server=on,wait=off" \
		-kernel "$build/arch/x86/boot/bzImage" -initrd "$work/initrd1" -append \
		"console=ttyS0 kho=on liveupdate=on kho_scratch=32M,16M,16M intel_iommu=on no_timer_check panic=-1" &
	qemu=$!
}

wait_for_socket() {
	local tries=100

	until [ -S "$work/gdb.sock" ]; do
		kill -0 "$qemu" 2> /dev/null || die "QEMU did not start"
		[ $((tries -= 1)) -gt 0 ] || die "QEMU opens no debugger socket"
		sleep 0.1
	done
}

# The virtual machine stands still while gdb holds it, so each image is taken at one instant.
take_images() {
	local mode=$1 build=$2

	gdb -nx -q -batch -ex 'set pagination off' -ex "target remote $work/gdb.sock" \
		-ex 'hbreak machine_kexec' -ex continue \
		-ex "monitor dump-guest-memory $mode-jump.elf" \
		-ex "monitor dump-guest-memory -z $mode-jump.kdump" \
		-ex 'delete' -ex 'hbreak ksys_sync' -ex continue \
		-ex "monitor dump-guest-memory $mode-postboot.elf" \
		-ex 'delete' -ex detach "$build/vmlinux" > "$mode-gdb.log" 2>&1
}

# Copy what the report holds between the marker lines of one name.
section() {
	local mode=$1 name=$2 out=$3

	awk -v begin="BEGIN $name" -v end="END $name" '
		$0 == end { inside = 0; complete = 1 }
		inside { print; lines++ }
		$0 == begin { inside = 1 }
		END { exit !(complete && lines) }' "$mode-report.log" > "$out" ||
		die "$mode: the report has no complete section '$name'"
}

# Print the one value found, or fail: a fact that is missing or ambiguous is no fact.
only_one() {
	local what=$1 values

	values=$(cat)
	[ "$(wc -w <<< "$values")" = 1 ] || die "not exactly one $what: '$values'"
	echo "$values"
}

root_table() {
	sed -n 's/^IOMMU .*: Root Table Address: \(0x[0-9a-f]*\)$/\1/p' "$1" |
		only_one "root table in $1"
}

register() {
	awk -v name="$2" '$1 == name { print $3 }' "$1" | only_one "$2 in $1"
}

kho_address() {
	sed -n 's/^KHO fdt=\(0x[0-9a-f]*\) .*/\1/p' "$1" | only_one "KHO FDT in $1"
}

mapped_entries() {
	grep -c '^0x' "$1" || die "no mapping in $1"
}

fact() {
	local name=$1 value

	shift
	value=$("$@")
	echo "$name=$value"
}

mode_facts() {
	local mode=$1 key=${1^^}

	fact "${key}_VTD_ROOT" root_table "$mode-dmar.txt"
	fact "${key}_RTADDR" register "$mode-regset.txt" RTADDR
	fact "${key}_CAP" register "$mode-regset.txt" CAP
	fact "${key}_ECAP" register "$mode-regset.txt" ECAP
	fact "${key}_DOMAIN_ENTRIES" mapped_entries "$mode-domain.txt"
	fact "${key}_KHO_FDT" kho_address "$mode-report.log"
	fact "${key}_POSTBOOT_VTD_ROOT" root_table "$mode-postboot-dmar.txt"
	fact "${key}_POSTBOOT_RTADDR" register "$mode-postboot-regset.txt" RTADDR
}

capture() {
	local mode=$1 build=$2 file name started=$SECONDS

	rm -f "$mode"-*.{elf,kdump,txt,log} "$work/gdb.sock"
	start_qemu "$mode" "$build"
	wait_for_socket
	take_images "$mode" "$build" || die "$mode: gdb failed, see $mode-gdb.log"
	wait "$qemu" || die "$mode: QEMU failed or ran longer than $limit s"
	qemu=
	grep -qx 'RESULT pass' "$mode-report.log" || {
		tail -5 "$mode-report.log" >&2
		die "$mode: the live update failed, see $mode-report.log and $mode-serial.log"
	}
	for file in "$mode"-{jump.elf,jump.kdump,postboot.elf}; do
		[ -s "$file" ] || die "$mode: QEMU wrote no $file, see $mode-gdb.log"
		chmod u+rw "$file"
	done
	for name in regset domain dmar postboot-regset postboot-dmar; do
		section "$mode" "$name" "$mode-$name.txt"
	done
	mode_facts "$mode" > "$work/$mode.env"
	say "$mode: live update captured in $((SECONDS - started)) s"
}

case $# in
1) set -- all "$1" ;;
2) ;;
*) usage ;;
esac
case $1 in
legacy | scalable) modes=("$1") ;;
all) modes=(legacy scalable) ;;
*) usage ;;
esac
mkdir -p "$2"
outdir=$(realpath "$2")

work=$(mktemp -d)
trap cleanup EXIT
"$here/../../scripts/install-deps.sh" kernel || skip "the packages can't be installed"
mkdir -p "$cache"
build=$("$here/build-kernel.sh")
make_initramfs "$build"
cd "$outdir"
for mode in "${modes[@]}"; do
	capture "$mode" "$build"
done
{
	echo "KERNEL_RELEASE=$(cat "$build/release")"
	echo "GUEST_MEMORY=$memory"
	for mode in "${modes[@]}"; do
		cat "$work/$mode.env"
	done
} > capture.env
