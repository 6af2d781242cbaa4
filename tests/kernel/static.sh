#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Check our kernel code without running it: checkpatch --strict, sparse and W=1, with the option on
# and off, and with iommufd and vfio-pci as modules. Prints TAP.
#
# usage: static.sh BUILD [WORK]
#   BUILD is what build.sh prints for a flavour with the glue; its tree is what is checked. WORK is
#   where objects are built, and stays when it is named.
#   $LAB_JOBS sets make's -j.
# exit: 0 all is clean, 1 not, 2 wrong usage
set -euo pipefail

here=$(dirname "$(realpath "$0")")
glue=$(realpath "$here/../../kernel-glue")
jobs=${LAB_JOBS:-$(nproc)}
# Debian 12's sparse does not know __typeof_unqual__.
sparse='sparse -D__typeof_unqual__=__typeof__'
# Matters of patches that are sent, not of the code in them.
not_of_code=FILE_PATH_CHANGES,EMAIL_SUBJECT,COMMIT_MESSAGE,MISSING_SIGN_OFF
number=0
failed=0

usage() {
	sed -n '6,10s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

case $# in
1) work=$(mktemp -d); trap 'rm -rf "$work"' EXIT ;;
2) work=$2; mkdir -p "$work" ;;
*) usage ;;
esac
base=$(realpath "$1")
tree=$(realpath "$base/source")
for tool in sparse perl; do
	command -v "$tool" > /dev/null || { echo "static.sh: $tool is not installed" >&2; exit 2; }
done
[ -d "$tree/drivers/iommu/liveupdate" ] || { echo "static.sh: no glue in $tree" >&2; exit 2; }

# result NAME FILE: a line of TAP; what FILE holds is what is wrong
result() {
	number=$((number + 1))
	if [ ! -s "$2" ]; then
		echo "ok $number $1"
		return
	fi
	failed=$((failed + 1))
	echo "not ok $number $1"
	head -n 100 "$2" | sed 's/^/# /'
}

our_files() {
	(cd "$glue/linux" && find . -name '*.[ch]' -printf '%P\n' | LC_ALL=C sort)
}

hooked_files() {
	sed -n 's/^+++ b\/\(.*\.[ch]\)$/\1/p' "$glue"/hooks/*.patch
}

check_patch() {
	(cd "$tree" && perl scripts/checkpatch.pl --strict --quiet --no-summary --terse --show-types \
		--ignore "$not_of_code" "$@") 2>&1 || true
}

# Our new files, and the lines that hooks add.
check_style() {
	local files

	mapfile -t files < <(our_files)
	[ ${#files[@]} -gt 0 ] || echo "there are no files of ours"
	check_patch --no-tree -f "${files[@]/#/$glue/linux/}"
	grep -hv '^#' "$glue"/hooks/*.patch > "$work/hooks"
	check_patch --no-signoff "$work/hooks"
}

build() {
	make -s -C "$tree" "O=$1" -j"$jobs" ARCH=x86_64 "${@:2}"
}

# configure DIRECTORY OPTION...: from the configuration of the build, changed by scripts/config
configure() {
	mkdir -p "$1"
	cp "$base/.config" "$1/.config"
	"$tree/scripts/config" --file "$1/.config" "${@:2}"
	build "$1" olddefconfig
	build "$1" prepare
}

# objects DIRECTORY: what is made of our files, as far as they are used, and of hooked ones
objects() {
	hooked_files | sed -n 's/\.c$/.o/p'
	grep -q '^CONFIG_IOMMU_LIVEUPDATE=y' "$1/.config" || return 0
	echo drivers/iommu/liveupdate/
	our_files | grep -v '^drivers/iommu/liveupdate/' | sed -n 's/\.c$/.o/p'
}

# Warnings about our files, and those about hooked files that the hooks' lines cause.
our_warnings() {
	{
		our_files
		find "$glue/../libiommuser" -name '*.[ch]' -printf '/libiommuser/%f\n'
		grep -hv '^#' "$glue"/hooks/*.patch | awk '
			/^\+\+\+ b\// { file = substr($2, 3) }
			/^@@/ { split($3, start, /[+,]/); line = start[2] - 1 }
			/^[ +]/ && !/^\+\+\+/ { line++ }
			/^\+/ && !/^\+\+\+/ { print file ":" line ":" }'
	} > "$work/places"
	# This one it says about every module_param() and MODULE_*() of Linux 7.3, too.
	grep -E ': (warning|error): ' "$1" | grep -F -f "$work/places" |
		grep -v ': error: bad constant expression$' || true
}

# check_build DIRECTORY OPTION...
check_build() {
	local log=$1.log status=0 wanted

	if ! configure "$@" > "$log" 2>&1; then
		tail -n 20 "$log"
		echo "the kernel can't be configured"
		return
	fi
	mapfile -t wanted < <(objects "$1")
	build "$1" W=1 C=2 "CHECK=$sparse" "${wanted[@]}" > "$log" 2>&1 || status=$?
	[ "$status" = 0 ] || { tail -n 20 "$log"; echo "make failed: $status"; }
	[ -f "$1/drivers/iommu/iommu.o" ] || echo "nothing was built"
	our_warnings "$log"
}

run_build() {
	check_build "$work/$1" "${@:2}" > "$work/$1.found"
	result "sparse-w1-$1" "$work/$1.found"
}

echo "TAP version 13"
echo "1..4"
check_style > "$work/style"
result "checkpatch" "$work/style"
run_build built-in -e DEBUG_KERNEL -e FAULT_INJECTION
run_build off -d IOMMU_LIVEUPDATE
run_build modules -e MODULES -m IOMMUFD -m VFIO -m VFIO_PCI
[ "$failed" = 0 ]
