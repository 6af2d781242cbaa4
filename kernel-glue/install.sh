#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Add the live update glue to a Linux source tree: new files, the library, and the hooks into existing
# files. Running it again brings the tree up to date; files that stay the same are not written.
#
# usage: install.sh [--check|--remove] TREE
#   --check   change nothing; print how many lines of existing files change, fail if that's too much
#   --remove  take everything out again
# exit: 0 done, 2 wrong usage, 1 anything else
#
# TREE/.iommuser-glue has the originals of the files with hooks and a manifest: what was put where,
# with checksums, so that changes made by others are noticed and never overwritten.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
project=$(dirname "$here")
supported=" 7.2 7.3 "
line_limit=400
state=.iommuser-glue
library=drivers/iommu/liveupdate
action=install
failed=0

# shellcheck source=/dev/null
. "$here/hook-lib.bash"

usage() {
	say "$*"
	say "usage: ${0##*/} [--check|--remove] TREE"
	exit 2
}

fail() {
	say "$*"
	failed=1
}

# checksums DIRECTORY: of the files in it that standard input names, each ended by NUL; so are the answers
checksums() { (cd "$1" && xargs -0 -r sha256sum --zero --); }

# Sets kind[PATH] (new, hooked or dir) and sums[PATH] from the tree's manifest.
declare -A kind sums found
read_manifest() {
	local entry sum path

	[ -f "$tree/$state/manifest" ] || return 0
	while read -r entry sum path; do
		case $entry in
		new | hooked | dir) ;;
		*) die "$tree/$state/manifest is damaged" ;;
		esac
		kind[$path]=$entry
		sums[$path]="${sums[$path]-} $sum "
	done < "$tree/$state/manifest"
}

# Sets found[PATH], the checksum of the file, for all files of the manifest that the tree has.
read_files() {
	local entry path

	while IFS= read -r -d '' entry; do
		found[${entry#*  }]=${entry%%  *}
	done < <(for path in "${!kind[@]}"; do
		[ ! -f "$tree/$path" ] || [ -L "$tree/$path" ] || printf '%s\0' "$path"
	done | checksums "$tree")
}

# is_ours PATH: is the file as we left it (or, after an interruption, as we found it)?
is_ours() {
	[ -n "${found[$1]-}" ] || return 1
	case ${sums[$1]} in *" ${found[$1]} "*) return 0 ;; esac
	[ "${kind[$1]}" = hooked ] && cmp -s "$tree/$1" "$tree/$state/original/$1"
}

check_unchanged() {
	local path

	read_files
	for path in "${!kind[@]}"; do
		case ${kind[$path]} in
		hooked) is_ours "$path" ||
			fail "$path was changed by somebody else since the glue was installed" ;;
		new) [ ! -e "$tree/$path" ] && [ ! -L "$tree/$path" ] || is_ours "$path" ||
			fail "$path was changed by somebody else since the glue was installed" ;;
		esac
	done
	[ $failed = 0 ] || die "nothing is done: undo these changes, or start from a fresh tree"
}

# The tree without the glue, as far as PATH goes.
pristine() {
	if [ "${kind[$1]-}" = hooked ]; then
		printf '%s\n' "$tree/$state/original/$1"
	else
		printf '%s\n' "$tree/$1"
	fi
}

# stage_new SOURCE PATH: $work/new is what will be in the tree
stage_new() {
	case $2 in *[[:space:]]*) die "white space in the name of $1" ;; esac
	[ ! -e "$work/new/$2" ] || die "two sources for $2"
	install -D -m 644 "$1" "$work/new/$2"
	if [ "${kind[$2]-}" != new ] && { [ -e "$tree/$2" ] || [ -L "$tree/$2" ]; }; then
		fail "$2 is in the tree already, and not from here"
	fi
}

stage_new_files() {
	local file count=0

	while IFS= read -r file; do
		stage_new "$here/linux/$file" "$file"
		count=$((count + 1))
	done < <(cd "$here/linux" && find . -type f -printf '%P\n' | LC_ALL=C sort)
	[ $count -gt 0 ] || die "$here/linux has no files"
	for file in "$project"/libiommuser/*.[ch]; do
		stage_new "$file" "$library/libiommuser/${file##*/}"
	done
	for file in "$project"/include/iommuser/*.h "$project"/include/kho/abi/*.h; do
		stage_new "$file" "$library/${file#"$project"/}"
	done
}

stage_hooks() {
	local names name hook paths path

	names=$(hook_names "$here/hooks" "$version")
	[ -n "$names" ] || die "$here/hooks has no hooks"
	mkdir "$work/base" "$work/hooked"
	for name in $names; do
		hook=$(hook_for "$here/hooks" "$version" "$name")
		! hook_is_empty "$hook" || continue
		paths=$(hook_paths "$hook") || { fail "$hook is not a hook"; continue; }
		for path in $paths; do
			[ ! -e "$work/hooked/$path" ] || continue
			if [ ! -f "$(pristine "$path")" ] || [ -L "$tree/$path" ]; then
				fail "$name: the tree has no file $path"
				continue
			fi
			mkdir -p "$work/base/$(dirname "$path")" "$work/hooked/$(dirname "$path")"
			cp -p "$(pristine "$path")" "$work/base/$path"
			cp -p "$work/base/$path" "$work/hooked/$path"
			printf '%s\n' "$path" >> "$work/hooked-paths"
		done
		apply_hook "$hook" "$work/hooked" || failed=1
		if grep -q '^+[[:space:]]*#[[:space:]]*include[[:space:]].*\.c[">]' "$hook"; then
			fail "$name includes a .c file from an existing file"
		fi
	done
	[ $failed = 0 ] || die "the glue does not fit this tree (Linux $version); nothing was changed"
	LC_ALL=C sort -o "$work/hooked-paths" "$work/hooked-paths"
}

check_headers() {
	local headers

	headers=$(grep -rlE --include='*.h' '^[[:space:]]*#[[:space:]]*include[[:space:]].*\.c[">]' \
		"$work/new") || return 0
	headers=${headers//"$work/new/"/}
	fail "headers that include a .c file: $headers"
}

# Prints the number of changed lines per existing file, and in total.
count_lines() {
	local path lines total=0

	while read -r path; do
		lines=$({ diff "$work/base/$path" "$work/hooked/$path" || true; } | grep -c '^[<>]' || true)
		printf '%6d %s\n' "$lines" "$path"
		total=$((total + lines))
	done < "$work/hooked-paths"
	printf '%6d lines of existing files change (at most %d may), %d new files\n' "$total" \
		$line_limit "$(find "$work/new" -type f | wc -l)"
	[ $total -le $line_limit ] || fail "the hooks change more than $line_limit lines"
}

# Directories that the new files need and the tree does not have by itself.
list_directories() {
	local directory

	(cd "$work/new" && find . -mindepth 1 -type d -printf '%P\n') | LC_ALL=C sort |
		while IFS= read -r directory; do
			[ "${kind[$directory]-}" != dir ] && [ -d "$tree/$directory" ] ||
				printf 'dir - %s\n' "$directory"
		done
}

# manifest_lines KIND DIRECTORY: for the files that standard input names
manifest_lines() {
	local entry

	tr '\n' '\0' | checksums "$2" | while IFS= read -r -d '' entry; do
		printf '%s %s %s\n' "$1" "${entry%%  *}" "${entry#*  }"
	done
}

write_manifest() {
	list_directories
	manifest_lines hooked "$work/hooked" < "$work/hooked-paths"
	(cd "$work/new" && find . -type f -printf '%P\n') | LC_ALL=C sort | manifest_lines new "$work/new"
}

save_originals() {
	local path

	while read -r path; do
		[ "${kind[$path]-}" != hooked ] || continue
		mkdir -p "$tree/$state/original/$(dirname "$path")"
		cp -p "$work/base/$path" "$tree/$state/original/$path"
	done < "$work/hooked-paths"
}

# put SOURCE PATH: with the time of now, so that make sees it; and only when that's a change
put() {
	local to=$tree/$2

	[ ! -f "$to" ] || ! cmp -s "$1" "$to" || return 0
	[ -d "${to%/*}" ] || mkdir -p "${to%/*}"
	cp --preserve=mode,ownership "$1" "$tree/$state/incoming"
	mv -f "$tree/$state/incoming" "$to"
}

put_back() {
	put "$tree/$state/original/$1" "$1"
}

# Takes out what the manifest has and the new one (if any) has not.
drop_old() {
	local path

	for path in "${!kind[@]}"; do
		case ${kind[$path]} in
		hooked)
			[ -e "$work/hooked/$path" ] || put_back "$path" ;;
		new)
			[ -e "$work/new/$path" ] || rm -f "$tree/$path" ;;
		esac
	done
	for path in $(printf '%s\n' "${!kind[@]}" | LC_ALL=C sort -r); do
		if [ "${kind[$path]}" = dir ] && [ ! -d "$work/new/$path" ] && [ -d "$tree/$path" ]; then
			rmdir "$tree/$path" 2> /dev/null || say "$path is kept: it is not empty"
		fi
	done
}

drop_old_originals() {
	local path

	while IFS= read -r path; do
		[ -e "$work/hooked/$path" ] || rm -f "$tree/$state/original/$path"
	done < <(cd "$tree/$state/original" && find . -type f -printf '%P\n')
	find "$tree/$state/original" -mindepth 1 -type d -empty -delete
}

install_glue() {
	local path

	write_manifest > "$work/manifest"
	mkdir -p "$tree/$state"
	save_originals
	# Until all is done, both the old and the new state of each file count as ours.
	{ cat "$tree/$state/manifest" 2> /dev/null || true; cat "$work/manifest"; } > "$work/both"
	cp "$work/both" "$tree/$state/manifest.new"
	mv -f "$tree/$state/manifest.new" "$tree/$state/manifest"
	while read -r path; do
		put "$work/hooked/$path" "$path"
	done < "$work/hooked-paths"
	while IFS= read -r path; do
		put "$work/new/$path" "$path"
	done < <(cd "$work/new" && find . -type f -printf '%P\n')
	drop_old
	cp "$work/manifest" "$tree/$state/manifest.new"
	mv -f "$tree/$state/manifest.new" "$tree/$state/manifest"
	drop_old_originals
}

remove_glue() {
	[ -d "$tree/$state" ] || { say "$tree has no glue"; return 0; }
	mkdir "$work/new" "$work/hooked"
	drop_old
	rm -rf "${tree:?}/$state"
}

parse_arguments() {
	case ${1-} in
	--check | --remove)
		action=${1#--}
		shift ;;
	--)	shift ;;
	-*)	usage "unknown option $1" ;;
	esac
	[ -n "${1-}" ] || usage "no tree given"
	[ $# -eq 1 ] || usage "too many arguments"
	tree=$1
}

parse_arguments "$@"
need_programs
version=$(linux_version "$tree")
case $supported in
*" $version "*) ;;
*) die "$tree is Linux $version; the glue is for${supported% }" ;;
esac
tree=$(realpath "$tree")
exec 9< "$tree"
flock -n 9 || die "somebody else is installing into $tree"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shopt -s nullglob

read_manifest
check_unchanged
if [ "$action" = remove ]; then
	remove_glue
	exit 0
fi
stage_new_files
stage_hooks
check_headers
count_lines > "$work/count"
[ "$action" = install ] || cat "$work/count"
[ $failed = 0 ] || exit 1
if [ "$action" = install ]; then
	install_glue
	tail -n 1 "$work/count"
fi
