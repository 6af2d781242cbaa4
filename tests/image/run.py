#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Runs the tool on clean images, on bad ones (bad.txt) and on randomly damaged ones.

$IOMMU_KHO_DUMP is the tool. Exit status: 0 all as expected, 1 not, 2 wrong usage.
"""

import argparse
import concurrent.futures
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "writer")]

import bad  # noqa: E402
import clean  # noqa: E402
import hostile  # noqa: E402
import table  # noqa: E402
from tool import Failure  # noqa: E402

# The few that are run under valgrind too: each part of the tool at its worst.
SUBSET = ("KHO-05", "KHO-06", "KHO-11", "LUO-05", "LUO-10", "LUO-19", "LUO-21", "CHAIN-03",
          "CHAIN-06", "REC-07", "REF-08", "DID-03", "VTD-10", "PT-02", "CLOSURE-04")
SUBSET_CLEAN = ("iommuser-pasids", "kho-v1b-luo-v1")


def work(job):
    """One job in a process of the pool; (name, problem or None)."""
    function, argument, name = job
    try:
        function(argument)
    except Failure as failure:
        return name, str(failure)
    return name, None


def jobs_of(options):
    cases = table.read_table()
    if options.subset:
        firsts = {case.code: case for case in reversed(cases)}
        cases = [firsts[code] for code in SUBSET]
        images = [(name, "flat") for name in SUBSET_CLEAN]
        hostiles = []
    else:
        images = clean.images()
        hostiles = hostile.batches(options.seed, options.mutations)
    jobs = [(bad.check, case, case.name) for case in cases]
    jobs += [(clean.check, image, "clean %s as %s" % image) for image in images]
    jobs += [(hostile.check, batch, str(batch)) for batch in hostiles]
    if options.only:
        jobs = [job for job in jobs if options.only in job[2]]
    return jobs


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subset", action="store_true", help="few images (for valgrind)")
    parser.add_argument("--only", metavar="TEXT", help="what has this in its name")
    parser.add_argument("--seed", type=int, default=1, help="of the random damage (%(default)s)")
    parser.add_argument("--mutations", type=int, default=1500, metavar="N",
                        help="how many damaged images (%(default)s)")
    options = parser.parse_args(arguments)
    if "IOMMU_KHO_DUMP" not in os.environ:
        print("run.py: $IOMMU_KHO_DUMP is not set", file=sys.stderr)
        return 2
    try:
        jobs = jobs_of(options)
    except table.TableError as error:
        print("run.py: %s" % error, file=sys.stderr)
        return 1
    if not jobs:
        print("run.py: nothing to run", file=sys.stderr)
        return 1
    failed = 0
    with concurrent.futures.ProcessPoolExecutor(max_workers=2) as pool:
        for name, problem in pool.map(work, jobs, chunksize=4):
            if problem:
                failed += 1
                print("FAILED %s\n    %s" % (name, problem.replace("\n", "\n    ")))
    print("%d images checked, %d of them not as expected (seed %d)" %
          (len(jobs), failed, options.seed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
