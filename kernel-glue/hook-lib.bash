# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# What install.sh and extract-hooks.sh share: recognising a Linux tree, reading and applying hooks.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

need_programs() {
	local program

	for program in patch diff sha256sum flock; do
		command -v "$program" > /dev/null || die "$program is missing (Debian packages: patch, diffutils, coreutils, util-linux)"
	done
}

# linux_version TREE: its "VERSION.PATCHLEVEL"
linux_version() {
	local tree=$1 version patchlevel

	[ -d "$tree" ] || die "$tree is not a directory"
	if [ ! -f "$tree/Makefile" ] || [ ! -f "$tree/Kconfig" ] || [ ! -d "$tree/kernel" ]; then
		die "$tree is not a Linux source tree"
	fi
	version=$(sed -n 's/^VERSION *= *\([0-9][0-9]*\) *$/\1/p;/^PATCHLEVEL/q' "$tree/Makefile")
	patchlevel=$(sed -n 's/^PATCHLEVEL *= *\([0-9][0-9]*\) *$/\1/p;/^SUBLEVEL/q' "$tree/Makefile")
	if [ -z "$version" ] || [ -z "$patchlevel" ]; then
		die "$tree/Makefile does not tell which Linux this is"
	fi
	printf '%s.%s\n' "$version" "$patchlevel"
}

# hook_for HOOKS VERSION NAME: the file of that hook for that Linux
hook_for() {
	if [ -f "$1/$2/$3" ]; then printf '%s\n' "$1/$2/$3"; else printf '%s\n' "$1/$3"; fi
}

# hook_names HOOKS VERSION
hook_names() {
	{ find "$1" "$1/$2" -maxdepth 1 -name '*.patch' -printf '%f\n' 2> /dev/null || true; } |
		LC_ALL=C sort -u
}

# hook_is_empty HOOK: a variant without changes: that Linux needs none
hook_is_empty() {
	case $1 in */hooks/*/*) ;; *) return 1 ;; esac
	! grep -qv '^#' "$1"
}

# hook_paths HOOK: the files it changes; fails when it does anything else
hook_paths() {
	awk '
	/^--- / { if ($2 !~ /^a\//) bad = 1; old = substr($2, 3); next }
	/^\+\+\+ / {
		if ($2 != "b/" old || NF != 2 || old ~ /(^|\/)\.\.?(\/|$)/ || old ~ /^\//) bad = 1
		print old; n++
	}
	END { exit bad || !n }' "$1"
}

# hook_diff PATH OLD NEW: one file of a hook; fails only when diff does
hook_diff() {
	local status=0

	diff -U1 -p --label "a/$1" --label "b/$1" "$2" "$3" || status=$?
	[ "$status" -le 1 ]
}

# hook_body: the hunks of hooks without their line numbers
hook_body() {
	sed -En '/^--- /,$ { s/^@@ -[0-9,]+ \+[0-9,]+ @@/@@/; p }'
}

# apply_hook HOOK DIRECTORY: no fuzz, and every hunk must land in the function that it names
apply_hook() {
	local hook=$1 directory=$2 before paths path output

	paths=$(hook_paths "$hook") || { say "$hook is not a hook"; return 1; }
	before=$(mktemp -d "$directory.XXXXXX")
	for path in $paths; do
		[ -f "$directory/$path" ] || { say "${hook##*/}: there is no $path"; return 1; }
		mkdir -p "$before/$(dirname "$path")"
		cp -p "$directory/$path" "$before/$path"
	done
	if ! output=$(patch -d "$directory" -p1 -F0 -N -s -r - --no-backup-if-mismatch -i "$hook" 2>&1); then
		say "${hook##*/} does not apply:"
		printf '%s\n' "$output" >&2
		return 1
	fi
	if ! cmp -s <(hook_body < "$hook") <(for path in $paths; do
		hook_diff "$path" "$before/$path" "$directory/$path"
	done | hook_body); then
		say "${hook##*/} applies in another place than the one it was made for"
		return 1
	fi
	rm -rf "$before"
}
