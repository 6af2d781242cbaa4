#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The manual pages are sound: no warning of mandoc, and none of man.
#
# usage: man-test.sh     in the source directory
# exit: 0 sound, 1 not, 77 neither program is there
set -euo pipefail

cd "$(dirname "$0")/../.."
pages=(man/*.[1-9])
[ ${#pages[@]} -ge 2 ] || { echo "no manual pages found"; exit 1; }
failed=0
ran=0
if command -v mandoc > /dev/null; then
	ran=1
	mandoc -Tlint -W warning "${pages[@]}" || failed=1
fi
if command -v man > /dev/null; then
	ran=1
	for page in "${pages[@]}"; do
		warnings=$(MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 > /dev/null)
		[ -z "$warnings" ] || { printf '%s: %s\n' "$page" "$warnings"; failed=1; }
	done
fi
[ $ran = 1 ] || { echo "skipped: neither mandoc nor man is installed"; exit 77; }
echo "${#pages[@]} pages"
exit $failed
