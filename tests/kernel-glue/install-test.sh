#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Test kernel-glue/install.sh and extract-hooks.sh with a small tree that looks like Linux, and with
# the files of the real one that the real hooks change, where the cache has it.
set -euo pipefail

top=$(realpath "$(dirname "$0")/../..")
cache=${IOMMUSER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/iommuser}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
project=$work/project
glue=$project/kernel-glue
old='2001-02-03 04:05:06'
checks=0

die() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# expect STATUS TEXT COMMAND...: exit status, and TEXT somewhere in the output
expect() {
	local status=$1 text=$2 got=0

	shift 2
	"$@" > "$work/output" 2>&1 || got=$?
	if [ $got != "$status" ] || { [ -n "$text" ] && ! grep -qF -- "$text" "$work/output"; }; then
		cat "$work/output" >&2
		die "exit status $got instead of $status, or no \"$text\": $*"
	fi
	checks=$((checks + 1))
}

# Everything about a tree but times; and with times.
contents() { (cd "$1" && find . -printf '%p %y %m\n' | LC_ALL=C sort && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum); }
times() { (cd "$1" && find . -type f ! -path './.iommuser-glue/*' -printf '%p %T@\n' | LC_ALL=C sort); }

same() {
	diff "$1" "$2" > "$work/difference" || { cat "$work/difference" >&2; die "$3"; }
	checks=$((checks + 1))
}

# unchanged_by STATUS TEXT COMMAND...: as expect, and $tree stays as it is, with all times
unchanged_by() {
	contents "$tree" > "$work/before"
	times "$tree" >> "$work/before"
	expect "$@"
	contents "$tree" > "$work/after"
	times "$tree" >> "$work/after"
	same "$work/before" "$work/after" "the tree was changed by: ${*:3}"
}

make_old() { find "$1" -exec touch -h -d "$old" {} +; }

# make_tree DIRECTORY PATCHLEVEL
make_tree() {
	rm -rf "$1"
	mkdir -p "$1/kernel" "$1/drivers/iommu"
	printf 'VERSION = 7\nPATCHLEVEL = %s\nSUBLEVEL = 4\n' "$2" > "$1/Makefile"
	echo 'mainmenu "Linux"' > "$1/Kconfig"
	printf 'obj-y += iommu.o\nobj-y += other.o\nobj-y += last.o\n' > "$1/drivers/iommu/Makefile"
	{
		printf 'static int first(void)\n{\n\tprepare();\n\n\treturn 0;\n}\n\n'
		printf 'static int second(void)\n{\n\tprepare();\n\n\treturn 0;\n}\n'
	} > "$1/drivers/iommu/iommu.c"
	make_old "$1"
}

# hooked_tree PATCHLEVEL: a tree that somebody edited, for extract-hooks.sh
hooked_tree() {
	make_tree "$work/edited" "$1"
	sed -i '2,/^}/s/^\tprepare();$/&\n\tlive_update();/' "$work/edited/drivers/iommu/iommu.c"
	sed -i 's/^obj-y += other.o$/&\nobj-y += liveupdate\//' "$work/edited/drivers/iommu/Makefile"
}

make_project() {
	mkdir -p "$glue/linux/drivers/iommu/liveupdate" "$glue/linux/include/linux" \
		"$project/libiommuser" "$project/include/iommuser" "$project/include/kho/abi"
	cp "$top"/kernel-glue/{install.sh,extract-hooks.sh,hook-lib.bash} "$glue/"
	echo 'int glue;' > "$glue/linux/drivers/iommu/liveupdate/core.c"
	echo 'obj-y += core.o' > "$glue/linux/drivers/iommu/liveupdate/Makefile"
	echo 'void live_update(void);' > "$glue/linux/include/linux/glue.h"
	echo 'int library;' > "$project/libiommuser/library.c"
	echo 'extern int library;' > "$project/libiommuser/library.h"
	echo '#include <kho/abi/wire.h>' > "$project/include/iommuser/public.h"
	echo 'struct wire;' > "$project/include/kho/abi/wire.h"
	make_tree "$work/pristine" 3
	hooked_tree 3
	expect 1 'has no hooks' "$glue/extract-hooks.sh" "$work/pristine" "$work/pristine"
	expect 0 '2 hooks written' "$glue/extract-hooks.sh" "$work/pristine" "$work/edited"
	tree=$work/tree
	make_tree "$tree" 3
}

test_usage() {
	expect 2 'no tree given' "$glue/install.sh"
	expect 2 'no tree given' "$glue/install.sh" --check
	expect 2 'no tree given' "$glue/install.sh" ''
	expect 2 'unknown option --frobnicate' "$glue/install.sh" --frobnicate "$tree"
	expect 2 'too many arguments' "$glue/install.sh" "$tree" "$tree"
	expect 2 'two trees' "$glue/extract-hooks.sh" "$tree"
	expect 1 'not a directory' "$glue/install.sh" "$work/nothing"
	expect 1 'not a Linux source tree' "$glue/install.sh" "$project"
	make_tree "$work/unknown" 1
	expect 1 'the glue is for 7.2 7.3' "$glue/install.sh" "$work/unknown"
	sed -i /PATCHLEVEL/d "$work/unknown/Makefile"
	expect 1 'does not tell which Linux' "$glue/install.sh" "$work/unknown"
	unchanged_by 0 'has no glue' "$glue/install.sh" --remove "$tree"
}

test_install() {
	unchanged_by 0 '     2 lines of existing files change (at most 400 may), 7 new files' \
		"$glue/install.sh" --check "$tree"
	expect 0 '     1 drivers/iommu/iommu.c' "$glue/install.sh" --check "$tree"
	expect 0 '7 new files' "$glue/install.sh" "$tree"
	same "$work/edited/drivers/iommu/iommu.c" "$tree/drivers/iommu/iommu.c" "the hook's result"
	same "$project/include/kho/abi/wire.h" \
		"$tree/drivers/iommu/liveupdate/include/kho/abi/wire.h" "a wire header"
	same "$project/libiommuser/library.c" \
		"$tree/drivers/iommu/liveupdate/libiommuser/library.c" "a library file"
	unchanged_by 0 '7 new files' "$glue/install.sh" "$tree"
	unchanged_by 0 '     2 lines' "$glue/install.sh" --check "$tree"
	contents "$tree" > "$work/installed"
}

test_remove() {
	make_old "$tree"
	expect 0 '' "$glue/install.sh" --remove "$tree"
	contents "$tree" > "$work/removed"
	contents "$work/pristine" > "$work/expected"
	same "$work/removed" "$work/expected" "removal leaves something"
	[ "$tree/drivers/iommu/iommu.c" -nt "$tree/Makefile" ] ||
		die "make would not notice that a hook was removed"
	expect 0 '' "$glue/install.sh" "$tree"
	contents "$tree" > "$work/again"
	same "$work/installed" "$work/again" "installing after a removal"
}

test_foreign_changes() {
	local file

	for file in drivers/iommu/iommu.c drivers/iommu/liveupdate/core.c; do
		cp "$tree/$file" "$work/saved"
		echo '/* mine */' >> "$tree/$file"
		unchanged_by 1 "$file was changed by somebody else" "$glue/install.sh" "$tree"
		unchanged_by 1 "$file was changed by somebody else" "$glue/install.sh" --remove "$tree"
		unchanged_by 1 "$file was changed by somebody else" "$glue/install.sh" --check "$tree"
		cp "$work/saved" "$tree/$file"
	done
	unchanged_by 0 '' "$glue/install.sh" "$tree"
	make_tree "$work/other" 3
	mkdir -p "$work/other/include/linux"
	echo 'int theirs;' > "$work/other/include/linux/glue.h"
	expect 1 'include/linux/glue.h is in the tree already' "$glue/install.sh" "$work/other"
	[ ! -e "$work/other/.iommuser-glue" ] || die "a refused installation leaves something"
	echo 'garbage' >> "$tree/.iommuser-glue/manifest"
	unchanged_by 1 'manifest is damaged' "$glue/install.sh" "$tree"
	sed -i /garbage/d "$tree/.iommuser-glue/manifest"
}

# After an interruption each file may be old or new.
test_interruption() {
	cp "$tree/.iommuser-glue/original/drivers/iommu/iommu.c" "$tree/drivers/iommu/iommu.c"
	rm "$tree/include/linux/glue.h"
	expect 0 '' "$glue/install.sh" "$tree"
	contents "$tree" > "$work/again"
	same "$work/installed" "$work/again" "going on after an interruption"
	make_tree "$work/other" 3
	mkdir -p "$work/other/.iommuser-glue/original/drivers"
	echo 'half' > "$work/other/.iommuser-glue/original/drivers/x.c"
	expect 0 '' "$glue/install.sh" "$work/other"
	contents "$work/other" > "$work/again"
	same "$work/installed" "$work/again" "starting over after an interruption"
}

test_newer_glue() {
	cp -a "$project" "$work/project.old"
	rm "$glue/hooks/drivers-iommu-Makefile.patch" "$project/include/kho/abi/wire.h"
	sed -i 's/live_update/kernel_live_update/' "$glue/hooks/drivers-iommu-iommu.c.patch"
	echo 'int more;' > "$glue/linux/drivers/iommu/liveupdate/more.c"
	make_old "$tree"
	expect 0 '7 new files' "$glue/install.sh" "$tree"
	make_tree "$work/other" 3
	expect 0 '' "$glue/install.sh" "$work/other"
	contents "$tree" > "$work/updated"
	contents "$work/other" > "$work/fresh"
	same "$work/updated" "$work/fresh" "an update differs from a fresh installation"
	(cd "$tree" && find . -type f ! -path './.iommuser-glue/*' -newermt "$old" ! -newermt "$old" -o \
		-type f ! -path './.iommuser-glue/*' -newermt '2001-02-04' -print) | LC_ALL=C sort > "$work/written"
	printf './drivers/iommu/%s\n' Makefile iommu.c liveupdate/more.c > "$work/expected"
	LC_ALL=C sort -o "$work/expected" "$work/expected"
	same "$work/written" "$work/expected" "an update writes other files than those that change"
	rm -rf "$project"
	mv "$work/project.old" "$project"
	expect 0 '' "$glue/install.sh" "$tree"
	contents "$tree" > "$work/again"
	same "$work/installed" "$work/again" "going back to older glue"
}

test_bad_hooks() {
	cp -a "$glue/hooks" "$work/hooks"
	make_tree "$work/other" 3
	tree=$work/other
	sed -i 's/^ obj-y += other.o/ obj-y += strange.o/' "$glue/hooks/drivers-iommu-Makefile.patch"
	unchanged_by 1 'Makefile.patch does not apply' "$glue/install.sh" "$tree"
	unchanged_by 1 'Makefile.patch does not apply' "$glue/install.sh" --check "$tree"
	cp "$work/hooks"/* "$glue/hooks/"

	sed -i 's/static int first/static int zeroth/' "$tree/drivers/iommu/iommu.c"
	unchanged_by 1 'in another place' "$glue/install.sh" "$tree"
	make_tree "$tree" 3

	sed -i 's/^+\tlive_update();/+#include "core.c"/' "$glue/hooks/drivers-iommu-iommu.c.patch"
	unchanged_by 1 'includes a .c file' "$glue/install.sh" --check "$tree"
	cp "$work/hooks"/* "$glue/hooks/"

	sed -i 's|b/drivers/iommu/iommu.c|b/../iommu.c|' "$glue/hooks/drivers-iommu-iommu.c.patch"
	unchanged_by 1 'is not a hook' "$glue/install.sh" "$tree"
	cp "$work/hooks"/* "$glue/hooks/"

	echo '#include "core.c"' > "$glue/linux/include/linux/bad.h"
	unchanged_by 1 'headers that include a .c file: include/linux/bad.h' "$glue/install.sh" "$tree"
	rm "$glue/linux/include/linux/bad.h"

	awk '/obj-y \+= other/ { print; for (i = 0; i < 401; i++) print "obj-y += f" i ".o"; next } 1' \
		"$work/pristine/drivers/iommu/Makefile" > "$work/edited/drivers/iommu/Makefile"
	expect 0 '' "$glue/extract-hooks.sh" "$work/pristine" "$work/edited"
	unchanged_by 1 '   402 lines of existing files change' "$glue/install.sh" --check "$tree"
	unchanged_by 1 'more than 400 lines' "$glue/install.sh" "$tree"
	rm "$glue/hooks"/*
	unchanged_by 1 'has no hooks' "$glue/install.sh" "$tree"
	cp "$work/hooks"/* "$glue/hooks/"
}

test_variants() {
	local edited=$work/edited

	make_tree "$work/other" 2
	tree=$work/other
	sed -i 's/^obj-y += other.o/obj-y += older.o/' "$tree/drivers/iommu/Makefile"
	make_old "$tree"
	unchanged_by 1 'Makefile.patch does not apply' "$glue/install.sh" "$tree"
	hooked_tree 2
	sed -i 's/^obj-y += other.o/obj-y += older.o/' "$edited/drivers/iommu/Makefile"
	expect 1 'not the same Linux' "$glue/extract-hooks.sh" --variant "$work/pristine" "$edited"
	expect 0 '1 hooks written' "$glue/extract-hooks.sh" --variant "$tree" "$edited"
	[ -f "$glue/hooks/7.2/drivers-iommu-Makefile.patch" ] || die "no variant was written"
	[ ! -e "$glue/hooks/7.2/drivers-iommu-iommu.c.patch" ] || die "a needless variant was written"
	expect 0 '     2 lines' "$glue/install.sh" "$tree"
	same "$edited/drivers/iommu/Makefile" "$tree/drivers/iommu/Makefile" "the variant's result"
	expect 0 '' "$glue/install.sh" --remove "$tree"
	cp "$tree/drivers/iommu/Makefile" "$edited/drivers/iommu/Makefile"
	expect 0 '1 hooks written' "$glue/extract-hooks.sh" --variant "$tree" "$edited"
	expect 0 '     1 lines' "$glue/install.sh" "$tree"
	same "$edited/drivers/iommu/Makefile" "$tree/drivers/iommu/Makefile" "the empty variant"
	same "$edited/drivers/iommu/iommu.c" "$tree/drivers/iommu/iommu.c" "the hook of all versions"
	tree=$work/tree
	unchanged_by 0 '' "$glue/install.sh" "$tree"
}

# The files that the hooks change, in a tree that is otherwise empty.
real_copy() {
	mkdir -p "$2/kernel"
	cp -p "$1/Makefile" "$1/Kconfig" "$2/"
	find "$top/kernel-glue/hooks" -name '*.patch' -print0 | xargs -0 sed -n 's|^--- a/||p' |
		sort -u | (cd "$1" && xargs cp -p --parents -t "$2")
}

# The hooks that are in use, on each Linux that the cache has.
test_real_trees() {
	local version real before

	for version in 7.2 7.3; do
		real=$cache/linux-source-$version
		[ -f "$real/Makefile" ] || continue
		expect 0 'lines of existing files change' "$top/kernel-glue/install.sh" --check "$real"
		tail -n 1 "$work/output"
		tree=$work/real-$version
		real_copy "$real" "$tree"
		before=$work/before-$version
		contents "$tree" > "$before"
		expect 0 'new files' "$top/kernel-glue/install.sh" "$tree"
		unchanged_by 0 'new files' "$top/kernel-glue/install.sh" "$tree"
		expect 0 '' "$top/kernel-glue/install.sh" --remove "$tree"
		contents "$tree" > "$work/removed"
		same "$work/removed" "$before" "removal leaves something in Linux $version"
		echo "Linux $version: checked"
	done
}

make_project
test_usage
test_install
test_remove
test_foreign_changes
test_interruption
test_newer_glue
test_bad_hooks
test_variants
test_real_trees
echo "$checks checks passed"
