#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Make the Debian packages, install them with apt on a clean Debian 12 made by debootstrap, use the tool there, and
# purge it: nothing may be left. Mirrors and proxy are those of this machine's apt.
#
# usage: deb-test.sh     (as root; takes some minutes)
# exit: 0 passed, 1 not, 77 skipped; the reason is the last line
set -euo pipefail

cd "$(dirname "$0")/../.."
suite=bookworm
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf '%s: %s\n' "${0##*/}" "$*"; }
fail() { say "$*"; exit 1; }
skip() { say "SKIPPED: $*"; exit 77; }

# First archive that calls itself Debian, leaving out the security archive and third parties.
debian_site() {
	# shellcheck disable=SC2016 # these variables are apt's
	apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(SITE)' 'Created-By: Packages' |
		awk -F'|' '$1 == "Debian" && $2 == "Debian" && !found { print $3; found = 1 }'
}

[ "$(id -u)" = 0 ] || skip "debootstrap and chroot need root"
for program in debootstrap apt-get dpkg-deb dpkg-shlibdeps cpack chroot; do
	command -v "$program" > /dev/null || skip "$program is not installed"
done
[ -r "$keyring" ] || skip "no Debian archive keyring at $keyring"
site=$(debian_site)
[ -n "$site" ] || skip "apt knows no Debian archive (has 'apt-get update' run?)"

# Nodes and programs have to work there, which a mount may forbid.
work=$(mktemp -d -p "${DEB_TEST_DIR:-/var/tmp}")
root=$work/root
trap 'umount "$root/proc" 2> /dev/null || true; rm -rf --one-file-system "$work"' EXIT

run() {
	"$@" > "$work/log" 2>&1 || {
		tail -30 "$work/log"
		fail "failed: $*"
	}
}

inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"; }

apt_inside() {
	run inside DEBIAN_FRONTEND=noninteractive ${http_proxy:+http_proxy="$http_proxy"} \
		apt-get -qq -y --no-install-recommends "$@"
}

# What is in the tree, but for what apt and dpkg write down about themselves.
contents() {
	find "$root" -xdev \( -path "$root/proc" -o -path "$root/var/cache" -o -path "$root/var/log" \
		-o -path "$root/var/lib/apt" -o -path "$root/var/lib/dpkg" \) -prune -o -printf '%P\n' | LC_ALL=C sort
}

say "making the packages"
run cmake --preset package -B "$work/build"
run cmake --build "$work/build" -j "$(nproc)" --target iommu-kho-dump --target iommuser
(cd "$work/build" && run cpack -G DEB)
tool=$(echo "$work/build"/iommu-kho-dump_*.deb)
library=$(echo "$work/build"/libiommuser-dev_*.deb)
[[ -f $tool && -f $library ]] || fail "not the packages that were expected: $(ls "$work/build"/*.deb)"
depends=$(dpkg-deb -f "$tool" Depends)
for name in libc6 libkdumpfile libjson-c libfdt zlib1g; do
	[[ $depends == *$name* ]] || fail "$name is missing from the dependencies: $depends"
done

say "making a clean Debian 12"
proxy=
eval "$(apt-config shell proxy Acquire::http::Proxy)"
[ -z "$proxy" ] || export http_proxy="$proxy"
debootstrap --variant=minbase --keyring="$keyring" "$suite" "$root" "$site" > "$work/log" 2>&1 || {
	tail -5 "$work/log"
	skip "debootstrap does not work here"
}
cp /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc" || skip "no /proc can be mounted"
apt_inside update
contents > "$work/before"

say "installing"
mkdir "$root/packages"
cp "$tool" "$library" "$root/packages"
cp tests/images/scalable-glue-jump.ikho "$root/packages/jump.ikho"
apt_inside install "/packages/${tool##*/}" "/packages/${library##*/}"

inside iommu-kho-dump --version
inside iommu-kho-dump show /packages/jump.ikho > "$work/show"
grep -q '^  0  0000:00:04.0  0 ' "$work/show" || fail "show has no device"
inside iommu-kho-dump verify /packages/jump.ikho > "$work/verify"
grep -qx 'OK: nothing wrong found' "$work/verify" || fail "verify is not content"
inside iommu-kho-dump show --json /packages/jump.ikho | grep -q '"abi": *"iommuser-v1"' || fail "show --json has no abi"
for page in man1/iommu-kho-dump.1 man5/iommu-kho-format.5; do
	zcat "$root/usr/share/man/$page.gz" | grep -q '^\.Sh NAME' || fail "no manual page $page"
done
for file in bash-completion/completions/iommu-kho-dump doc/iommu-kho-dump/copyright doc/iommu-kho-dump/findings.md; do
	[ -s "$root/usr/share/$file" ] || fail "no /usr/share/$file"
done
[ -n "$(find "$root/usr/lib" -name iommuser.pc)" ] || fail "no iommuser.pc"
inside dpkg --verify iommu-kho-dump libiommuser-dev > "$work/log" || fail "dpkg --verify is not content"

# As an administrator enables the unit, and as the unit leaves its metrics.
unit=/lib/systemd/system/iommu-kho-verify.service
[ -s "$root$unit" ] || fail "no $unit"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants" "$root/var/lib/prometheus/node-exporter"
ln -s "$unit" "$root/etc/systemd/system/multi-user.target.wants/"
touch "$root/var/lib/prometheus/node-exporter/iommu_kho.prom"

say "purging"
apt_inside purge --autoremove iommu-kho-dump libiommuser-dev
rm -r "$root/packages"
(cd "$root" && rmdir -p --ignore-fail-on-non-empty etc/systemd/system/multi-user.target.wants \
	var/lib/prometheus/node-exporter)
contents > "$work/after"
diff "$work/before" "$work/after" || fail "files left behind, or gone"
say "installed, used and purged"
