#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Tests what needs no fuzz engine: wrong usage of the commands, and the replayer, with a target that breaks on
# purpose.
#
# usage: commands-test.sh PLANTED-REPLAYER   (of planted.c)
set -euo pipefail

[ $# = 1 ] || { echo "usage: ${0##*/} PLANTED-REPLAYER" >&2; exit 2; }
replay=$(realpath "$1")
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nr_failed=0

# expect STATUS TEXT COMMAND...: TEXT is in what it says; STATUS "broken": it fails, or dies
expect() {
	local wanted=$1 text=$2 status=0 right=no
	shift 2

	# The shell says itself when something dies.
	{ "$@" > "$work/said" 2>&1; } 2> /dev/null || status=$?
	case $wanted:$status in
	"$status:$status" | broken:1 | broken:1[3-5]?) right=yes ;;
	esac
	if [ $right = yes ] && { [ -z "$text" ] || grep -qF -e "$text" "$work/said"; }; then
		return
	fi
	printf 'FAILED: %s\n  ends with %d instead of %s, or does not say "%s":\n' "$*" "$status" "$wanted" "$text"
	sed 's/^/  /' "$work/said"
	nr_failed=$((nr_failed + 1))
}

# Nothing may be built for these.
export FUZZ_BUILD=$work/build FUZZ_NO_INSTALL=yes
for words in "" "chain" "chain x" "chain 0" "chain 1 2" "chain 1 --engine" "chain 1 --engine hand" "chain 1 --jobs" \
	"chain 1 --jobs 0" "chain 1 --jobs 65" "chain 1 --nonsense"; do
	# shellcheck disable=SC2086
	expect 2 "usage: fuzz/run" fuzz/run $words
done
expect 2 'there is no target "nonsense"; there are:' fuzz/run nonsense 1
expect 2 "chain" fuzz/run nonsense 1
expect 2 "usage: fuzz/coverage" fuzz/coverage --nonsense
expect 2 'no target "nonsense"' fuzz/coverage nonsense
for words in "" "--lose" "chain --bytes" "chain --inputs x" "chain more"; do
	# shellcheck disable=SC2086
	expect 2 "usage: fuzz/minimise" fuzz/minimise $words
done
expect 2 'no target "nonsense"' fuzz/minimise nonsense
expect 2 "usage: fuzz/speed" fuzz/speed --seconds 0
expect 2 'no target "nonsense"' fuzz/speed nonsense
expect 2 "usage: fuzz/plateau" fuzz/plateau --nonsense
expect 2 "usage: fuzz/plateau" fuzz/plateau --keep
curve=$work/chain-libfuzzer-empty-20011231-235959-1.csv
expect 1 "No such file" fuzz/plateau "$curve"
printf 'cpu_seconds,executions,edges,features,inputs\n' > "$curve"
expect 1 "a row is missing" fuzz/plateau "$curve"
printf '0.5,10,3,4,5\n1800,2000,30,,50\n3600,40000,31,41,51\n' >> "$curve"
# shellcheck disable=SC2016
expect 0 '| `chain` | libFuzzer | 3 600 | 40 000 | 3 | 3 | 30 | 31 |  | 41 |' fuzz/plateau "$curve"
expect 0 '1 curves, 1.00 hours of processor time, 0.00 of them on restore and verify' fuzz/plateau "$curve"
printf '1,2\n' >> "$curve"
expect 1 "a row is missing" fuzz/plateau "$curve"
expect 1 "it has no name that fuzz/run gives" fuzz/plateau fuzz/plateau
[ ! -e "$FUZZ_BUILD" ] || { echo "FAILED: something was built"; nr_failed=$((nr_failed + 1)); }

# Every target has kept inputs, and every directory of inputs a target.
. fuzz/common.sh
mapfile -t targets < <(all_targets)
[ ${#targets[@]} -ge 5 ] || { echo "FAILED: there are ${#targets[@]} targets"; nr_failed=$((nr_failed + 1)); }
for directory in fuzz/corpus/* fuzz/regressions/*; do
	expect 0 "" check_target "${directory##*/}"
done

mkdir "$work/good" "$work/bad" "$work/empty"
printf 'ok' > "$work/good/ok"
printf 'nobody' > "$work/bad/no"
expect 2 "usage" "$replay"
expect 2 "usage" "$replay" --nonsense
expect 2 "usage" "$replay" --mutate x "$work/good"
expect 2 "usage" "$replay" "$work/good" --if-there
expect 0 "$work/good/ok" "$replay" "$work/good"
expect 0 "$work/good/ok" "$replay" "$work/good" --if-there "$work/missing"
expect 1 "$work/missing: No such file" "$replay" "$work/good" "$work/missing"
expect 1 "$work/empty: no input in it" "$replay" "$work/good" "$work/empty"
expect 1 "no input was run" "$replay" --if-there "$work/missing"
expect broken "replay: broken by $work/bad/no" "$replay" "$work/good" "$work/bad"
expect broken "broken: " "$replay" --if-there "$work/bad"

# A mutation that breaks the target is kept, is the same every time, and breaks it by itself.
cp "$replay" "$work/replay"
printf 'mo' > "$work/good/near"
expect broken "$work/good/near, mutation " "$work/replay" --mutate 20000 "$work/good/near"
# Sanitizers say more, with process ids.
grep "^replay: " "$work/said" > "$work/first"
expect broken "$work/replay.broken" "$work/replay" --mutate 20000 "$work/good/near"
grep "^replay: " "$work/said" > "$work/second"
expect 0 "" cmp "$work/first" "$work/second"
expect broken "replay: broken by $work/replay.broken" "$work/replay" "$work/replay.broken"

[ "$nr_failed" = 0 ] || { echo "$nr_failed failed"; exit 1; }
