# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# What the commands here share; they stand in the root of the source tree, and usage() is theirs.
#   $FUZZ_BUILD       where everything is built and what is learned is kept (build)
#   $FUZZ_NO_INSTALL  set: no package is installed

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# The names of all targets, in order.
all_targets() { sed -n 's/^add_fuzz_target(\([a-z0-9-]*\) .*/\1/p' fuzz/CMakeLists.txt | LC_ALL=C sort; }

# "planted" breaks on purpose, for the commands' own test.
check_target() {
	if [ "$1" != planted ] && ! all_targets | grep -qxF -e "$1"; then
		say "there is no target \"$1\"; there are: $(all_targets | paste -sd ' ')"
		exit 2
	fi
}

# install PACKAGE-SET
install() { [ -n "${FUZZ_NO_INSTALL:-}" ] || scripts/install-deps.sh "$1" || exit 3; }

# need PROGRAM PACKAGE
need() {
	command -v "$1" > /dev/null || { say "there is no $1 here: it is in the Debian package $2"; exit 3; }
}

# need_runtime NAME: one of clang's.
need_runtime() {
	[ -e "$(clang -print-runtime-dir)/libclang_rt.$1-$(uname -m).a" ] ||
		{ say "clang has no runtime library \"$1\" here: it is in the Debian package libclang-rt-14-dev"; exit 3; }
}

# build PRESET TARGET...: in $FUZZ_BUILD/PRESET; what the compiler says is shown only when it fails.
build() {
	local directory=$FUZZ_BUILD/$1 preset=$1
	shift

	need cmake cmake
	mkdir -p "$directory" || { say "$directory can't be made"; exit 3; }
	say "building in $directory (build.log)"
	{ cmake --preset "$preset" -B "$directory" && cmake --build "$directory" -j "$(nproc)" --target "$@"; } \
		> "$directory/build.log" 2>&1 || { tail -40 "$directory/build.log" >&2; say "it can't be built"; exit 3; }
}

FUZZ_BUILD=${FUZZ_BUILD:-build}
