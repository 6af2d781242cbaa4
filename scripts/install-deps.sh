#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Install the Debian packages that building (or also testing) needs, if any is missing.
#
# usage: install-deps.sh [build|test|kernel|fuzz|afl]
#   build (the default): compiler, CMake and libraries; test: all that ./test.sh uses as well; kernel: what
#   building Linux and running it in QEMU takes, and nothing of the others; fuzz: build, and clang with libFuzzer;
#   afl: fuzz, and AFL++
# exit: 0 all there, or there is no apt-get to ask (said on stderr); 1 packages can't be installed; 2 wrong usage
set -euo pipefail

build_packages=(gcc libc6-dev make cmake pkg-config libkdumpfile-dev libfdt-dev libjson-c-dev zlib1g-dev
	libbz2-dev liblzma-dev liblzo2-dev liblz4-dev libzstd-dev)
test_packages=(clang libclang-rt-14-dev llvm binutils libcmocka-dev python3 python3-jsonschema clang-tidy clang-format cppcheck shellcheck
	valgrind libc6-dbg xz-utils bzip2 lzop lz4 zstd mandoc man-db dpkg-dev debootstrap graphviz)
fuzz_packages=(clang libclang-rt-14-dev llvm python3)
kernel_packages=(gcc libc6-dev make flex bison bc cpio rsync patch xz-utils libelf-dev libssl-dev python3 perl sparse
	qemu-system-x86 gdb debian-archive-keyring)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
usage() { say "usage: ${0##*/} [build|test|kernel]"; exit 2; }

is_installed() {
	dpkg-query -W -f '${Status}\n' "$1" 2> /dev/null | grep -q ' installed$'
}

packages=("${build_packages[@]}")
case ${1:-build} in
build) ;;
test) packages+=("${test_packages[@]}") ;;
kernel) packages=("${kernel_packages[@]}") ;;
fuzz) packages+=("${fuzz_packages[@]}") ;;
afl) packages+=("${fuzz_packages[@]}" afl++) ;;
*) usage ;;
esac
[ $# -le 1 ] || usage

if ! command -v apt-get > /dev/null || ! command -v dpkg-query > /dev/null; then
	say "no apt-get here; going on, but what these Debian packages hold must be installed: ${packages[*]}"
	exit 0
fi

missing=()
for package in "${packages[@]}"; do
	is_installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo > /dev/null || {
		say "not root and no sudo; please install: ${missing[*]}"
		exit 1
	}
	root=(sudo)
fi
say "installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{
	"${root[@]}" apt-get -qq update &&
		"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
			--no-install-recommends "${missing[@]}"
} > "$log" 2>&1 || {
	tail -20 "$log" >&2
	say "apt-get can't install: ${missing[*]}"
	exit 1
}
