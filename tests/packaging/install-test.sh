#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Install what was built: every file is where it should be, the tree can be moved, and others can build with the
# library in it, by CMake and by pkg-config.
#
# usage: install-test.sh BUILD_DIRECTORY [COMPILER FLAG...]
#        install-test.sh --rewrite BUILD_DIRECTORY    records the list of files
# exit: 0 as it should be, 1 not, 2 wrong usage
set -euo pipefail

here=$(dirname "$(realpath "$0")")
rewrite=no
if [ "${1:-}" = --rewrite ]; then
	rewrite=yes
	shift
fi
[ $# -ge 1 ] || { sed -n '6,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
build=$(realpath "$1")
compiler=${2:-cc}
flags=("${@:3}")

fail() { printf 'install-test: %s\n' "$*" >&2; exit 1; }

cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
libdir=$(cached CMAKE_INSTALL_LIBDIR)
[ -n "$libdir" ] || fail "no CMAKE_INSTALL_LIBDIR in $build"

echo "every file, below DESTDIR and a prefix of the caller's"
DESTDIR=$work/dest cmake --install "$build" --prefix /opt/iommuser > "$work/log" || fail "cmake --install failed"
[ "$(find "$work/dest" -maxdepth 2 -printf '%P ')" = ' opt opt/iommuser ' ] || fail "files beside DESTDIR and prefix"
(cd "$work/dest/opt/iommuser" && find . -type f | sed -E "s,^\./$libdir/(cmake|pkgconfig|libiommuser\.a),LIBDIR/\1,;s,^\./,,;s,-targets-[a-z]*\.cmake$,-targets-BUILD.cmake," |
	LC_ALL=C sort) > "$work/files"
if [ $rewrite = yes ]; then
	cp "$work/files" "$here/installed-files.txt"
	exit 0
fi
diff -u "$here/installed-files.txt" "$work/files" || fail "not the files of installed-files.txt (--rewrite records them)"
! grep -rlI -e "$build" -e "$work" "$work/dest" || fail "paths of the build in installed files"

echo "a tree that was moved"
cmake --install "$build" --prefix "$work/before" > "$work/log"
mv "$work/before" "$work/after"
version=$(sed -n 's/^#define IOMMUSER_VERSION "\(.*\)"$/\1/p' "$work/after/include/iommuser/version.h")
[ -n "$version" ] || fail "no version in the installed header"
[ "$("$work/after/bin/iommu-kho-dump" --version)" = "iommu-kho-dump $version" ] || fail "the tool is of another version"

echo "a project that finds it by CMake"
{
	cmake -S "$here/consumer" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/after" "-DWANTED_VERSION=$version" \
		"-DCMAKE_C_COMPILER=$compiler" "-DCMAKE_C_FLAGS=${flags[*]}" && cmake --build "$work/cmake"
} > "$work/log" 2>&1 || {
	cat "$work/log"
	fail "the CMake project can't be built"
}
[ "$("$work/cmake/consumer")" = "$version iommuser-v1" ] || fail "the program says something else"

echo "a program that finds it by pkg-config"
export PKG_CONFIG_LIBDIR=$work/after/$libdir/pkgconfig
[ "$(pkg-config --modversion iommuser)" = "$version" ] || fail "iommuser.pc is of another version"
read -ra options <<< "$(pkg-config --cflags --libs iommuser)"
for option in "${options[@]}"; do
	case $option in
	-[IL]*) [[ -d ${option:2} && $(realpath "${option:2}") == "$work/after"/* ]] || fail "iommuser.pc: $option" ;;
	esac
done
"$compiler" "${flags[@]}" "$here/consumer/consumer.c" "${options[@]}" -o "$work/consumer" ||
	fail "the program can't be built"
[ "$("$work/consumer")" = "$version iommuser-v1" ] || fail "the program says something else"
echo "$(wc -l < "$work/files") files"
