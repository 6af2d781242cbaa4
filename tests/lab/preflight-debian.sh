#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Ask preflight about Debian's own kernels: their packages are downloaded and unpacked, not installed.
#
# usage: preflight-debian.sh [--keep DIR] [IMAGE]     with IOMMU_KHO_DUMP naming the tool
#   IMAGE defaults to tests/images/scalable-glue-jump.ikho. For each suite of $LAB_KERNEL_SUITES the kernel
#   that linux-image-amd64 stands for is taken.
#   --keep DIR leaves the kernels there, as vmlinuz-RELEASE, and takes those it finds there.
# output: for each kernel a line "SUITE: VERDICT", then preflight's own output, indented
# exit: 0 every answer is as the kernel's packaged configuration says it must be, 77 no kernel can be had,
#   2 wrong usage, 1 anything else
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
suites=${LAB_KERNEL_SUITES:-bookworm-backports trixie trixie-backports forky sid}

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
skip() { say "$*"; exit 77; }
usage() { say "usage: ${0##*/} [--keep DIR] [IMAGE]"; exit 2; }

# shellcheck source=scripts/debian-suite.sh
. "$here/../../scripts/debian-suite.sh"

# The release that linux-image-amd64 stands for in the suite.
newest_release() {
	apt-cache "${apt[@]}" depends linux-image-amd64 2> /dev/null |
		sed -n 's/.*Depends: linux-image-\([0-9].*\)$/\1/p' | head -1
}

# unpack PACKAGE FILE-PATTERN: 1 when there is no such package or file
unpack() {
	local package=$1 pattern=$2 debs

	rm -rf "$work/debs"
	mkdir -p "$work/debs" "$work/root"
	(cd "$work/debs" && apt-get "${apt[@]}" download "$package" > /dev/null 2>&1) || return 1
	debs=("$work"/debs/*.deb)
	dpkg-deb --fsys-tarfile "${debs[0]}" | tar -xf - -C "$work/root" --wildcards "$pattern" 2> /dev/null
}

# The first file of that name that is not empty; packages have it in /boot or beside the modules.
first_file() {
	find "$work/root" -type f -name "$1*" -size +0 | sort | head -1
}

# Later packages have the kernel and its configuration in packages of their own.
fetch() {
	local release=$1

	rm -rf "$work/root"
	if ! unpack "linux-image-$release" '*/vmlinuz*' || [ -z "$(first_file vmlinuz)" ]; then
		unpack "linux-binary-$release" '*/vmlinuz*' || return 1
	fi
	cp "$(first_file vmlinuz)" "$kernels/vmlinuz-$release"
	if ! unpack "linux-image-$release" '*/config*' || [ -z "$(first_file config)" ]; then
		unpack "linux-base-$release" '*/config*' || return 1
	fi
	cp "$(first_file config)" "$kernels/config-$release"
}

# expected CONFIG: the answer that follows from it. IOMMU live update is in no kernel of Debian.
expected() {
	if ! grep -qx CONFIG_KEXEC_HANDOVER=y "$1"; then
		echo "no kexec handover"
	elif ! grep -qx CONFIG_LIVEUPDATE=y "$1"; then
		echo "no live update orchestrator"
	else
		echo "no IOMMU live update"
	fi
}

ask() {
	local suite=$1 release=$2 status=0 reason

	"$IOMMU_KHO_DUMP" preflight --kernel "$kernels/vmlinuz-$release" "$image" > "$work/out" || status=$?
	# The verdict is the first paragraph.
	printf '%s: %s\n' "$suite" "$(sed '/^$/,$d' "$work/out" | tr '\n' ' ')"
	sed 's/^/    /' "$work/out"
	echo
	reason=$(expected "$kernels/config-$release")
	if [ $status != 1 ]; then
		say "$release: exit status $status"
		return 1
	fi
	if ! sed '/^$/,$d' "$work/out" | tr '\n' ' ' | grep -qF -e "$release does not accept" ||
		! sed '/^$/,$d' "$work/out" | tr '\n' ' ' | grep -qF -e "$reason"; then
		say "$release: its configuration says: $reason"
		return 1
	fi
}

keep=
if [ "${1:-}" = --keep ]; then
	[ $# -ge 2 ] || usage
	keep=$2
	shift 2
fi
[ $# -le 1 ] || usage
image=${1:-$here/../images/scalable-glue-jump.ikho}
[ -r "$image" ] || { say "no image at $image"; exit 2; }
[ -x "${IOMMU_KHO_DUMP:-}" ] || { say "IOMMU_KHO_DUMP must name the tool"; exit 2; }
debian_site

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kernels=${keep:-$work/kernels}
mkdir -p "$kernels"
asked=0
failed=0
for suite in $suites; do
	private_apt "$work/$suite" "$suite"
	apt-get "${apt[@]}" update > /dev/null 2>&1 || { say "the suite $suite can't be read"; continue; }
	release=$(newest_release)
	[ -n "$release" ] || { say "$suite has no linux-image-amd64"; continue; }
	if [ ! -s "$kernels/vmlinuz-$release" ] || [ ! -s "$kernels/config-$release" ]; then
		fetch "$release" || { say "the packages of $release in $suite can't be had"; continue; }
	fi
	ask "$suite" "$release" || failed=1
	asked=$((asked + 1))
done
[ $asked -gt 0 ] || skip "no kernel of ($suites) can be had"
say "$asked kernels asked about"
exit $failed
