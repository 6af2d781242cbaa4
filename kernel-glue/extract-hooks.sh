#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Make the hooks anew from a tree that has them in its files.
#
# usage: extract-hooks.sh [--variant] PRISTINE TREE
#   PRISTINE is an untouched Linux tree, TREE the same with hooks. All of hooks/*.patch is replaced.
#   --variant  write hooks/VERSION/*.patch instead, of the Linux that PRISTINE is, and only for files
#              where hooks/*.patch doesn't give the same result
# exit: 0 done, 2 wrong usage, 1 anything else
set -euo pipefail

here=$(dirname "$(realpath "$0")")
variant=

# shellcheck source=/dev/null
. "$here/hook-lib.bash"

usage() {
	say "$*"
	say "usage: ${0##*/} [--variant] PRISTINE TREE"
	exit 2
}

# The existing files that differ, one per line.
changed_files() {
	local status=0

	LC_ALL=C diff -rq --no-dereference -x .git -x .iommuser-glue "$pristine" "$tree" \
		> "$work/differences" || status=$?
	[ $status -le 1 ] || die "$pristine and $tree can't be compared"
	if grep -F "Only in $pristine" "$work/differences" | grep -E "^Only in $pristine(/|:)" >&2; then
		die "these are missing in $tree"
	fi
	sed -n "s|^Files $pristine/\(.*\) and $tree/.* differ\$|\1|p" "$work/differences"
}

# Does the hook of all versions give this tree's file?
main_hook_fits() {
	local hook=$1 path=$2

	[ -f "$hook" ] || return 1
	rm -rf "$work/try"
	mkdir -p "$work/try/$(dirname "$path")"
	cp "$pristine/$path" "$work/try/$path"
	apply_hook "$hook" "$work/try" 2> /dev/null && cmp -s "$work/try/$path" "$tree/$path"
}

write_hook() {
	local path=$1 name=${1//\//-}.patch

	[ ! -e "$work/hooks/$name" ] || die "two files would get the hook $name"
	if [ -n "$variant" ] && main_hook_fits "$here/hooks/$name" "$path"; then
		return 0
	fi
	{
		printf '# SPDX-License-Identifier: GPL-2.0-only\n# Hooks into %s\n' "$path"
		hook_diff "$path" "$pristine/$path" "$tree/$path"
	} > "$work/hooks/$name"
	if hook_body < "$work/hooks/$name" | grep -q '^\\ No newline'; then
		die "$path: no newline at the end"
	fi
}

# Files that this tree leaves alone get an empty variant, else the hook would be applied.
write_empty_variants() {
	local name

	[ -n "$variant" ] || return 0
	for name in $(hook_names "$here/hooks" none); do
		grep -qxF "$name" "$work/names" ||
			printf '# SPDX-License-Identifier: GPL-2.0-only\n# Linux %s needs no such hook.\n' \
				"$version" > "$work/hooks/$name"
	done
}

if [ "${1-}" = --variant ]; then
	variant=yes
	shift
fi
case ${1-} in -*) usage "unknown option $1" ;; esac
[ $# -eq 2 ] || usage "two trees are needed"
need_programs
version=$(linux_version "$1")
[ "$(linux_version "$2")" = "$version" ] || die "$1 and $2 are not the same Linux"
pristine=$(realpath "$1")
tree=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/hooks"

changed_files > "$work/paths"
[ -s "$work/paths" ] || die "$tree has no hooks"
while IFS= read -r path; do
	write_hook "$path"
	printf '%s.patch\n' "${path//\//-}" >> "$work/names"
done < "$work/paths"
write_empty_variants

target=$here/hooks${variant:+/$version}
mkdir -p "$target"
rm -f "$target"/*.patch
find "$work/hooks" -name '*.patch' -exec cp -t "$target" {} +
rmdir --ignore-fail-on-non-empty "$target"
say "$(find "$work/hooks" -name '*.patch' | wc -l) hooks written to $target"
