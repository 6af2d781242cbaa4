#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# systemd takes the unit as it is written and with the drop-in of docs/capture.md; its commands, run as systemd does,
# leave the verdict of a handover, and none of an earlier boot where there is no handover or no glue.
#
# usage: unit-test.sh     with IOMMU_KHO_DUMP naming the tool
# exit: 0 it does, 1 not, 77 systemd-analyze is not installed
set -euo pipefail

cd "$(dirname "$0")/../.."
command -v systemd-analyze > /dev/null || { echo "skipped: systemd-analyze is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unit=packaging/systemd/iommu-kho-verify.service
standard=/var/lib/prometheus/node-exporter
stream=/sys/kernel/debug/iommu/liveupdate/incoming
drop_in=$work/10-textfiles.conf

fail() { printf '%s: %s\n' "$unit" "$*"; exit 1; }

# values KEY FILE...: what stands behind KEY= in all of them; an empty value drops those before it
values() {
	sed -n "s/^$1=//p" "${@:2}" |
		awk '$0 == "" { n = 0; next } { value[++n] = $0 } END { for (i = 1; i <= n; i++) print value[i] }'
}

# taken FILE...: systemd has nothing to say about the unit made of them, the tool standing where it was built
taken() {
	local said path=$work/taken

	rm -rf "$path"
	mkdir -p "$path/iommu-kho-verify.service.d"
	sed "s,/usr/bin/iommu-kho-dump,$IOMMU_KHO_DUMP," "$1" > "$path/iommu-kho-verify.service"
	[ $# = 1 ] || sed "s,/usr/bin/iommu-kho-dump,$IOMMU_KHO_DUMP," "$2" > "$path/iommu-kho-verify.service.d/a.conf"
	said=$(systemd-analyze verify --man=no --recursive-errors=no "$path/iommu-kho-verify.service" 2>&1) || fail "$said"
	[ -z "$said" ] || fail "$said"
}

# as_started STREAM FILE...: the commands of the unit made of the files, textfiles in $work/textfiles; what became of it
as_started() {
	local line key words settings=("${@:2}") directory
	local incoming=$1

	directory=$(values Environment "${settings[@]}" | sed -n 's/^TEXTFILES=//p' | tail -1)
	[ -n "$directory" ] || fail "it names no directory"
	for key in ExecCondition ExecStart; do
		while read -r line; do
			# shellcheck disable=SC2016 # systemd puts it in
			line=${line//'${TEXTFILES}'/$work/textfiles}
			line=${line//$stream/$incoming}
			line=${line/#\/usr\/bin\/iommu-kho-dump /$IOMMU_KHO_DUMP }
			read -ra words <<< "$line"
			if ! "${words[@]}" < /dev/null > "$work/log" 2>&1; then
				[ $key = ExecCondition ] || { echo failed; return; }
				echo skipped
				return
			fi
		done < <(values $key "${settings[@]}")
	done
	echo started
}

has_verdict() { grep -q "^iommu_kho_dump_verify_status{.*status=\"$1\"} 1\$" "$work/textfiles/iommu_kho.prom"; }

[ "$(echo packaging/systemd/*)" = "$unit" ] || fail "not the only unit: $(echo packaging/systemd/*)"
[ "$(values ExecStart "$unit" | wc -l)" = 1 ] || fail "not one command"
taken "$unit"

echo "a handover"
mkdir "$work/textfiles"
[ "$(as_started tests/images/scalable-glue-incoming.ikho "$unit")" = started ] || fail "$(cat "$work/log")"
has_verdict ok || fail "no verdict"
echo "a handover that is damaged"
head -c 3000 tests/images/scalable-glue-incoming.ikho > "$work/cut.ikho"
[ "$(as_started "$work/cut.ikho" "$unit")" = failed ] || fail "it is content with a damaged handover"
has_verdict unreadable || fail "no verdict of a damaged handover"

echo "no handover, no glue"
! values 'Condition[A-Za-z]*' "$unit" | grep -F "${stream%/*}" || fail "a condition keeps it from removing old metrics"
# A directory can be opened and not be read.
for gone in "$work" "$work/no-such-file"; do
	touch "$work/textfiles/iommu_kho.prom" "$work/textfiles/other.prom"
	[ "$(as_started "$gone" "$unit")" = skipped ] || fail "it is not skipped without a handover"
	[ "$(ls "$work/textfiles")" = other.prom ] || fail "without a handover there is $(ls "$work/textfiles")"
done

echo "another directory"
sed -n '/^    \[Unit\]$/,/^$/{s/^    //p;/^$/q}' docs/capture.md > "$drop_in"
[ "$(grep -c '^\[' "$drop_in")" = 2 ] || fail "docs/capture.md has no drop-in"
taken "$unit" "$drop_in"
other=$(values ConditionPathIsDirectory "$unit" "$drop_in")
[[ $other == /* && $other != "$standard" ]] || fail "the drop-in names no other directory"
for key in ConditionPathIsDirectory ReadWritePaths Environment; do
	[[ $(values $key "$unit" "$drop_in" | tail -1) == *"$other" ]] || fail "the drop-in leaves $key"
done
[ "$(values ReadWritePaths "$unit" "$drop_in")" = "$other" ] || fail "the drop-in keeps $standard writable"
[ "$(grep -c "$standard" "$unit")" = 4 ] || fail "$standard stands in a setting that this test does not know"
echo "1 unit"
