#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# QEMU as tests/kernel/vm.py starts it, but counting instructions: one a nanosecond of the guest's time.
#
# usage: qemu-counting.sh WORD...
set -euo pipefail

words=()
for word; do
	# Counting and a thread for each processor exclude each other.
	words+=("${word/#tcg,thread=multi/tcg,thread=single}")
done
exec qemu-system-x86_64 "${words[@]}" -icount shift=0,sleep=off
