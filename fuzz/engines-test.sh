#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Tests the commands with their engines: that libFuzzer and AFL++ find what is planted, and that it is named and
# kept; that inputs are chosen well; that coverage is counted. It builds everything anew, which takes minutes.
#
# exit: 0 all passed, 1 not, 77 an engine is missing, which is said at the end
set -euo pipefail

cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export FUZZ_BUILD=$work/build FUZZ_NO_INSTALL=yes
nr_failed=0
missing=()

fail() { printf 'FAILED: %s\n' "$*"; nr_failed=$((nr_failed + 1)); }

# expect STATUS COMMAND...: what it says is left in $work/said
expect() {
	local wanted=$1 status=0
	shift

	echo "- $*"
	"$@" > "$work/said" 2>&1 || status=$?
	[ "$status" = "$wanted" ] && return
	fail "$* ends with $status instead of $wanted:"
	sed 's/^/  /' "$work/said"
}

said() { grep -qE -e "$1" "$work/said" || { fail "nothing like \"$1\" is said"; sed 's/^/  /' "$work/said"; }; }

# planted ENGINE REPLAYER OPTION...
planted() {
	local engine=$1 replay=$2 culprit curve
	shift 2

	expect 1 fuzz/run planted 1 --engine "$engine" "$@"
	said '^found: '
	said 'broken: |ERROR: '
	said 'fuzz/regressions/planted/'
	said '^reached: [1-9][0-9]* edges.*findings: [1-9]'
	culprit=$(sed -n 's/^found: \([^ ]*\) .*/\1/p' "$work/said" | head -1)
	curve=$(sed -n 's/^curve: //p' "$work/said")
	awk -F, 'NR == 1 && $0 != "cpu_seconds,executions,edges,features,inputs" { exit 1 }
		NR > 1 && ($1 + 0 <= 0 || $2 + 0 < last || $3 + 0 <= 0) { exit 1 } NR > 1 { last = $2 }
		END { if (NR < 2) exit 1 }' "$curve" || fail "the curve is bad: $(cat "$curve")"
	{ "$replay" "$culprit" > "$work/said" 2>&1; } 2> /dev/null && fail "$culprit breaks nothing"
	said 'replay: broken by '
}

if command -v clang > /dev/null && [ -e "$(clang -print-runtime-dir)/libclang_rt.fuzzer-$(uname -m).a" ]; then
	replay=$FUZZ_BUILD/fuzz/fuzz/fuzz-planted-replay
	planted libfuzzer "$replay"
	planted libfuzzer "$replay" --empty
	planted libfuzzer "$replay" --jobs 2
	# A property and a sanitizer, each by itself.
	printf on > "$work/on"
	{ "$replay" "$work/on" > "$work/said" 2>&1; } 2> /dev/null && fail "a read past the end is not seen"
	said 'heap-buffer-overflow'

	expect 0 fuzz/run chain 1 -- -runs=20000
	said '^chain by libfuzzer: .* [0-9]+ executions'
	expect 3 fuzz/run chain 1 -- -dict="$work/missing"
	said "the engine failed"
else
	missing+=("clang's libFuzzer (Debian packages clang and libclang-rt-14-dev)")
fi

if command -v afl-fuzz > /dev/null && command -v afl-clang-fast > /dev/null; then
	replay=$FUZZ_BUILD/fuzz-afl/fuzz/fuzz-planted-replay
	planted afl "$replay"
	planted afl "$replay" --empty --jobs 2
	# It passes over such an input to start with, among others.
	rm -rf "$FUZZ_BUILD/fuzz/corpus/planted" "$FUZZ_BUILD/fuzz/artifacts/planted"
	mkdir -p "$FUZZ_BUILD/fuzz/corpus/planted"
	printf no > "$FUZZ_BUILD/fuzz/corpus/planted/breaks"
	printf xx > "$FUZZ_BUILD/fuzz/corpus/planted/holds"
	expect 1 fuzz/run planted 1 --engine afl -- -E 1
	said '^found: '
	expect 0 fuzz/run chain 1 --engine afl -- -E 20000
	said '^chain by afl: .* [1-9][0-9]* executions'
else
	missing+=("AFL++ (Debian package afl++)")
fi

[ "$nr_failed" = 0 ] || { echo "$nr_failed failed"; exit 1; }
if [ ${#missing[@]} -gt 0 ]; then
	printf 'skipped: there is no %s\n' "${missing[@]}"
	exit 77
fi
