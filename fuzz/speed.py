#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Measures the fuzz targets (see fuzz/speed)."""

import os
import re
import statistics
import subprocess
import sys
import tempfile

RUNS = 3
EXECUTIONS = re.compile(r"^stat::number_of_executed_units:\s*(\d+)", re.M)
# Mutations of each kept input, in the replayer: about so many executions in all.
PLAIN_EXECUTIONS = 20000


def run(command, environment=None):
    """Its exit status, what it says, and its processor time."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
                                   env={**os.environ, **(environment or {})})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
    if process.returncode:
        sys.exit("%s fails:\n%s" % (command[0], "\n".join(text.splitlines()[-20:])))
    return text, usage.ru_utime + usage.ru_stime


def engine_speed(program, places, longest, seconds, seed, artifacts):
    with tempfile.TemporaryDirectory() as learned:
        text, used = run([program, "-max_total_time=%d" % seconds, "-seed=%d" % seed, "-print_final_stats=1",
                          "-len_control=0", "-max_len=%d" % longest, "-rss_limit_mb=0",
                          "-artifact_prefix=%s/" % artifacts, learned] + places)
    return int(EXECUTIONS.search(text).group(1)) / used


def plain_speed(program, places, count):
    rounds = max(PLAIN_EXECUTIONS // count - 1, 1)
    _, used = run([program, "--mutate", str(rounds)] + places)
    return count * (rounds + 1) / max(used, 0.01)


def main():
    build, seconds, targets = os.path.abspath(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    print("| target | libFuzzer, both sanitizers | replayer, none | kept inputs | bytes |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for target in targets:
        places = [os.path.abspath(os.path.join("fuzz", kind, target)) for kind in ("corpus", "regressions")]
        places = [place for place in places if os.path.isdir(place)]
        sizes = [entry.stat().st_size for place in places for entry in os.scandir(place)]
        if not sizes:
            sys.exit("no kept inputs of " + target)
        engine = os.path.join(build, "fuzz", "fuzz", "fuzz-" + target)
        plain = os.path.join(build, "fuzz-plain", "fuzz", "fuzz-" + target + "-replay")
        longest = max([16384] + sizes)
        artifacts = os.path.join(build, "fuzz", "artifacts", target)
        os.makedirs(artifacts, exist_ok=True)
        print("| %s | %.0f | %.0f | %d | %d |" % (
            target,
            statistics.median(engine_speed(engine, places, longest, seconds, seed + 1, artifacts)
                              for seed in range(RUNS)),
            statistics.median(plain_speed(plain, places, len(sizes)) for _ in range(RUNS)),
            len(sizes), sum(sizes)), flush=True)


if __name__ == "__main__":
    main()
