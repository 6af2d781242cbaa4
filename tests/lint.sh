#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Static checks: clang-tidy on every C file that is built, cppcheck on every C file, shellcheck on every script,
# clang-format on what is built from the library, the tool, their tests and the fuzz targets.
#
# usage: lint.sh BUILD_DIRECTORY   (it holds compile_commands.json)
# exit: 0 clean, 1 not, 2 wrong usage, 77 none of the tools is there; what is skipped is said at the end
set -euo pipefail

[ $# = 1 ] || { echo "usage: ${0##*/} BUILD_DIRECTORY" >&2; exit 2; }
build=$(realpath "$1")
cd "$(dirname "$0")/.."
failed=0
ran=0
skipped=()

fail() { printf 'lint: %s\n' "$*" >&2; failed=1; }

# Files of the project, tracked or not: what a build makes is left out.
files() {
	find . \( -name .git -o -name 'build*' -type d -o -name .cache \) -prune -o -type f "$@" -print | LC_ALL=C sort
}

have() {
	command -v "$1" > /dev/null && { ran=$((ran + 1)); return 0; }
	skipped+=("$1: not installed")
	return 1
}

# The kernel's own checkers see to what is built only inside Linux.
mapfile -t c_files < <(files -name '*.c' -not -path './kernel-glue/*')
mapfile -t scripts < <(files \( -name '*.sh' -o -path ./.ci/run -o -path './fuzz/*' -perm /111 -not -name '*.*' \))
[ ${#c_files[@]} -gt 0 ] || fail "no C files found"
[ ${#scripts[@]} -gt 0 ] || fail "no scripts found"

run_clang_tidy() {
	local file built=()

	[ -s "$build/compile_commands.json" ] || { fail "no compile_commands.json in $build"; return; }
	for file in "${c_files[@]}"; do
		if grep -qF "\"file\": \"$PWD/${file#./}\"" "$build/compile_commands.json"; then
			built+=("$file")
		else
			skipped+=("clang-tidy: $file is not part of this build")
		fi
	done
	[ ${#built[@]} -gt 0 ] || { fail "no C file is part of the build in $build"; return; }
	# Flags that only gcc knows are none of clang-tidy's business.
	# One file per run: with several, clang-tidy 14 takes every va_list but the first for uninitialized.
	printf '%s\0' "${built[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet -p "$build" \
		--extra-arg=-Wno-unknown-warning-option 2> "$work/clang-tidy" ||
		{ grep -v 'warnings generated' "$work/clang-tidy" >&2 || true; fail "clang-tidy"; }
	echo "clang-tidy: ${#built[@]} files"
}

run_cppcheck() {
	cppcheck --quiet --std=c11 --platform=unix64 --enable=warning,style,performance,portability \
		--inline-suppr --library=tests/cppcheck.cfg --suppressions-list=tests/cppcheck-suppressions.txt --error-exitcode=1 \
		-j "$(nproc)" -I include -I libiommuser -I tools/iommu-kho-dump \
		-D__x86_64__ '-DIOMMUSER_SOURCE_DIR="."' "${c_files[@]}" || fail "cppcheck"
	echo "cppcheck: ${#c_files[@]} files"
}

run_shellcheck() {
	shellcheck "${scripts[@]}" || fail "shellcheck"
	echo "shellcheck: ${#scripts[@]} scripts"
}

# Wire headers are laid out by hand, as tables.
run_clang_format() {
	local formatted=()

	mapfile -t formatted < <(files -name '*.[ch]' \( -path './libiommuser/*' -o -path './tools/*' \
		-o -path './tests/libiommuser/*' -o -path './tests/machine/*' -o -path './tests/tool/*' -o -path './fuzz/*' \
		-o -path './tests/exhaustive/*' -o -path './tests/proof/*' \))
	[ ${#formatted[@]} -gt 0 ] || { fail "nothing to hold against .clang-format"; return; }
	clang-format --dry-run --Werror "${formatted[@]}" || fail "clang-format"
	echo "clang-format: ${#formatted[@]} files"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
! have clang-tidy || run_clang_tidy
! have cppcheck || run_cppcheck
! have shellcheck || run_shellcheck
! have clang-format || run_clang_format
for what in "${skipped[@]}"; do
	echo "skipped: $what"
done
if [ "$ran" = 0 ] && [ "$failed" = 0 ]; then
	exit 77
fi
exit "$failed"
