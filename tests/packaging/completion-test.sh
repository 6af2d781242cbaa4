#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What the completion for bash offers, as a shell would ask for it.
#
# usage: completion-test.sh     in the source directory
# exit: 0 as it should be, 1 not
# No -e: completion runs in shells without it.
set -uo pipefail

cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=/dev/null
. packaging/completion/iommu-kho-dump
failed=0
cases=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
touch image.ikho live.ikho vmlinuz 'with blank.ikho'
mkdir dumps

# offers EXPECTED WORD...: what is offered for the last word, sorted, one blank between
offers() {
	local expected=$1 found
	shift

	COMP_WORDS=(iommu-kho-dump "$@")
	COMP_CWORD=$#
	_iommu_kho_dump
	found=$(printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | tr '\n' ' ')
	cases=$((cases + 1))
	[ "${found% }" = "$expected" ] && return
	printf 'iommu-kho-dump %s<TAB>: offered: %s\n  expected: %s\n' "$*" "$found" "$expected"
	failed=1
}

complete -p iommu-kho-dump > /dev/null
offers 'scratch show stat' s
offers verify ver
offers 'live live.ikho' live
offers 'image.ikho' show im
offers '' show sta
offers 'dumps' verify --json dum
offers 'with blank.ikho' verify wi
offers '' capture im
offers '--json --json-lines' show --js
offers '--json --json-lines' --js
offers '--svg' graph --sv
offers 'iommu-liveupdate iommu-liveupdate-56 iommu-liveupdate-v1 iommu-v1' show --abi iommu-
offers 'iommuser-v1' show --abi = iommus
offers 'at-jump incoming outgoing post-boot unknown' extract --origin ''
offers 'at-jump' extract --origin = at
offers '16K 4K 64K' show --page-size ''
offers 'pc q35' show --qemu-ram =
offers 'always auto never' show --color =
offers 'always auto' show --color = a
offers 'image.ikho' show --color im
offers 'SEAL-01 SEAL-02' --explain seal
offers 'DID-01 DID-02 DID-03 DID-04 DID-05' --explain DID-
offers 'vmlinuz' preflight image.ikho --kernel vm
offers 'image.ikho' extract -o im
offers '' show --limit ''
offers '' show --kho ''
offers '' translate im
offers '' translate 00:04.0 im
offers 'image.ikho' translate 00:04.0 0x1000 im
offers 'image.ikho' translate --abi iommuser-v1 00:04.0 --color = never 0x1000 im
offers '' translate --origin = at-jump 00:04.0 im
offers 'image.ikho' maps im
offers 'image.ikho' maps 00:04.0 im
offers 'image.ikho' diff live.ikho im
offers '' image.ikho ver
offers '' scratch --fo
offers '' graph --prom
offers '--prometheus' verify --prom
offers '--prometheus' --prom
offers '--limit --list-roots --luo' show --l
offers '--luo' stat image.ikho --l
[ "$cases" -ge 35 ] || failed=1
echo "$cases completions tried"
exit $failed
