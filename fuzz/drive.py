#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Runs a fuzz engine on a target: records its curve, keeps what it learns, names what it finds (see fuzz/run)."""

import argparse
import hashlib
import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True

from curve import Recorder  # noqa: E402

SECONDS_PER_INPUT = 60
MEGABYTES = 2048
# An engine's processor time is looked at so often, however much it says.
SAMPLE_SECONDS = 0.5
# An engine that is told to stop has so many seconds.
PATIENCE = 60
# An input is no larger than this, or than the largest that it starts with.
MAX_LENGTH = 16384
TICKS = os.sysconf("SC_CLK_TCK")
CULPRITS = ("crash-", "leak-", "oom-", "timeout-")
# For targets that need something of their own.
SHORT_LIVED = ["-fork=1", "-ignore_ooms=1"]
OPTIONS = {
    # libkdumpfile keeps some memory of each file.
    "command-line": SHORT_LIVED,
    "dump": SHORT_LIVED,
}
# An instance of AFL++ starts the target anew after so many inputs.
AFL_INPUTS = 1000
TELLING = re.compile(r"broken:|ERROR: |SUMMARY: |runtime error: |replay: ")
# What AFL++ says of an input to start with that breaks the target.
PASSED_OVER = re.compile(rb"results in a (crash|timeout)")
# Of one process, and of -fork.
STATUS = re.compile(r"#(\d+)(?::|\s+[A-Za-z]+)\s+cov: (\d+) ft: (\d+) corp: (\d+)\b")


def read_bytes(path):
    with open(path, "rb") as stream:
        return stream.read()


def files_in(directory):
    if not os.path.isdir(directory):
        return []
    paths = (os.path.join(directory, name) for name in sorted(os.listdir(directory)))
    return [path for path in paths if os.path.isfile(path)]


def shown(path):
    """A path as short as it can be."""
    return min(path, os.path.relpath(path), key=len)


def keep(path, directory, prefix=""):
    """A copy of a file, named by what is in it: its path."""
    data = read_bytes(path)
    to = os.path.join(directory, prefix + hashlib.sha1(data).hexdigest())
    if os.path.exists(to):
        return to
    with open(to + ".new", "wb") as stream:
        stream.write(data)
    os.rename(to + ".new", to)
    return to


def process_times():
    """Of each process: its parent, and the seconds that it and the dead children it waited for took."""
    times = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            text = read_bytes("/proc/%s/stat" % name).decode(errors="replace")
        except OSError:
            continue
        words = text[text.rindex(")") + 2:].split()
        times[int(name)] = (int(words[1]), sum(int(word) for word in words[11:15]) / TICKS)
    return times


def tree_seconds(root, times):
    members, total = {root}, 0.0
    grown = True
    while grown:
        grown = {pid for pid, (parent, _) in times.items() if parent in members} - members
        members |= grown
    for pid in members:
        total += times.get(pid, (0, 0.0))[1]
    return total


class Process:
    """An engine's process, and the processor time that it and its children took."""

    def __init__(self, command, log, environment=None, **more):
        self.log = log
        self.seconds = 0.0
        self.status = None
        self.running = subprocess.Popen(command, env={**os.environ, **(environment or {})},
                                        stdin=subprocess.DEVNULL, process_group=0, **more)
        self.stopped = None

    def signal(self, number):
        try:
            os.killpg(self.running.pid, number)
        except ProcessLookupError:
            pass

    def sample(self, times):
        """Look at it again, at what all processes have taken if that is known. Is it still there?"""
        if self.status is not None:
            return False
        pid, status, usage = os.wait4(self.running.pid, os.WNOHANG)
        if pid:
            self.status = self.running.returncode = os.waitstatus_to_exitcode(status)
            self.seconds = max(self.seconds, usage.ru_utime + usage.ru_stime)
            return False
        if times:
            self.seconds = max(self.seconds, tree_seconds(self.running.pid, times))
        if self.stopped and time.monotonic() - self.stopped > PATIENCE:
            self.signal(signal.SIGKILL)
        return True

    def stop(self):
        if self.status is None and not self.stopped:
            self.stopped = time.monotonic()
            self.signal(signal.SIGINT)


class Engine:
    """Some processes."""

    def __init__(self, run):
        self.run = run
        self.processes = []
        self.stopping = False
        self.sampled = 0.0

    def sample(self):
        """Of each process: is it still there?"""
        times = {}
        if time.monotonic() - self.sampled >= SAMPLE_SECONDS:
            times = process_times()
            self.sampled = time.monotonic()
        return [process.sample(times) for process in self.processes]

    def stop(self):
        self.stopping = True
        for process in self.processes:
            process.stop()

    def failed(self):
        return any(process.status for process in self.processes)


class LibFuzzer(Engine):
    """Processes that share a directory, into which each writes what it learned."""

    def __init__(self, run):
        super().__init__(run)
        self.reached = [(0, 0, 0, 0)] * run.jobs
        self.selector = selectors.DefaultSelector()

    def command(self):
        run = self.run
        command = [run.program, "-max_total_time=%d" % run.seconds, "-timeout=%d" % SECONDS_PER_INPUT,
                   "-rss_limit_mb=%d" % MEGABYTES, "-max_len=%d" % run.max_length, "-len_control=0",
                   "-reload=1", "-report_slow_units=%d" % SECONDS_PER_INPUT,
                   "-artifact_prefix=%s/" % run.artifacts, "-print_final_stats=1"]
        if run.dictionary:
            command.append("-dict=" + run.dictionary)
        return command + OPTIONS.get(run.target, []) + run.options + [run.learning] + run.seeds

    def start(self):
        for job in range(self.run.jobs):
            if self.stopping:
                return
            log = open(self.run.log(job), "wb")
            process = Process(self.command(), log, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            os.set_blocking(process.running.stderr.fileno(), False)
            self.selector.register(process.running.stderr, selectors.EVENT_READ, (job, process, [b""]))
            self.processes.append(process)

    def read(self, key):
        job, process, rest = key.data
        data = key.fileobj.read()
        if data == b"":
            self.selector.unregister(key.fileobj)
            return
        process.log.write(data or b"")
        process.log.flush()
        lines = (rest[0] + (data or b"")).split(b"\n")
        rest[0] = lines.pop()
        for line in lines:
            match = STATUS.match(line.decode(errors="replace"))
            if match:
                self.reached[job] = tuple(int(number) for number in match.groups())

    def poll(self, curve):
        """Take in what there is. Is any process left?"""
        for key, _ in self.selector.select(1.0):
            self.read(key)
        there = self.sample()
        if any(executions for executions, _, _, _ in self.reached):
            curve.add(sum(process.seconds for process in self.processes),
                      sum(reached[0] for reached in self.reached),
                      *(max(reached[i] for reached in self.reached) for i in (1, 2, 3)))
        if any(process.status for process in self.processes):
            self.stop()
        return any(there) or bool(self.selector.get_map())

    def culprits(self):
        """Of this run: libFuzzer has named them."""
        command = self.command()
        kinds = [kind for kind in CULPRITS if "-ignore_%ss=1" % kind.rstrip("-") not in command]
        return [path for path in files_in(self.run.artifacts)
                if os.path.basename(path).startswith(tuple(kinds)) and os.stat(path).st_mtime >= self.run.began]

    def learned(self):
        return files_in(self.run.learning)


class Afl(Engine):
    """A main instance and others beside it; they have directories of their own, and look into each other's."""

    def __init__(self, run):
        super().__init__(run)
        self.work = run.path("afl", run.name)
        self.polled = 0.0

    def environment(self):
        run = self.run
        environment = {
            "AFL_NO_UI": "1", "AFL_SKIP_CPUFREQ": "1", "AFL_NO_AFFINITY": "1",
            "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES": "1", "AFL_BENCH_UNTIL_CRASH": "1", "AFL_FAST_CAL": "1",
            "AFL_FORKSRV_INIT_TMOUT": "60000", "FUZZ_TARGET": run.target,
        }
        mutator = os.path.join(os.path.dirname(run.program), "libfuzz-mutate-afl.so")
        if os.path.exists(mutator):
            environment["AFL_CUSTOM_MUTATOR_LIBRARY"] = os.path.abspath(mutator)
        return environment

    def start(self):
        run = self.run
        seeds = os.path.join(self.work, "seeds")
        os.makedirs(seeds)
        for directory in run.seeds + [run.learning]:
            for path in files_in(directory):
                if os.path.getsize(path):
                    keep(path, seeds)
        if not os.listdir(seeds):
            # AFL++ wants something to start with.
            with open(os.path.join(seeds, "zero"), "wb") as stream:
                stream.write(b"\0")
        for job in range(run.jobs):
            if self.stopping:
                return
            log = open(run.log(job), "wb")
            command = ["afl-fuzz", "-M" if job == 0 else "-S", str(job), "-V", str(run.seconds),
                       "-t", str(SECONDS_PER_INPUT * 1000), "-m", "none", "-G", str(run.max_length),
                       "-i", seeds, "-o", os.path.join(self.work, "out")]
            if run.dictionary:
                command += ["-x", run.dictionary]
            command += run.options + ["--", run.program, "-%d" % AFL_INPUTS]
            self.processes.append(Process(command, log, self.environment(), stdout=log, stderr=log))

    def directory(self, job, name):
        return os.path.join(self.work, "out", str(job), name)

    def reached(self, job):
        """Executions, edges, inputs."""
        statistics = {}
        try:
            lines = read_bytes(self.directory(job, "plot_data")).decode().splitlines()
            words = [word.strip() for word in lines[-1].split(",")]
            statistics = read_bytes(self.directory(job, "fuzzer_stats")).decode()
            counted = re.search(r"^execs_done\s*: (\d+)", statistics, re.M)
            executions = max(int(words[11]), int(counted.group(1)) if counted else 0)
            return executions, int(words[12]), int(words[3])
        except (OSError, IndexError, ValueError):
            return 0, 0, 0

    def poll(self, curve):
        time.sleep(1.0)
        there = self.sample()
        reached = [self.reached(job) for job in range(self.run.jobs)]
        if any(executions for executions, _, _ in reached):
            curve.add(sum(process.seconds for process in self.processes), sum(each[0] for each in reached),
                      max(each[1] for each in reached), None, max(each[2] for each in reached))
        if not all(there):
            self.stop()
        return any(there)

    def inputs(self, name):
        for job in range(self.run.jobs):
            for path in files_in(self.directory(job, name)):
                if os.path.basename(path).startswith("id:"):
                    yield path

    def culprits(self):
        found = set()
        for name, prefix in (("crashes", "crash-"), ("hangs", "timeout-")):
            found.update(keep(path, self.run.artifacts, prefix) for path in self.inputs(name))
        # It passes over inputs to start with that break the target, or refuses to start, and does not say which.
        if (self.failed() and not found) or any(PASSED_OVER.search(read_bytes(self.run.log(job)))
                                                for job in range(len(self.processes))):
            for path in files_in(os.path.join(self.work, "seeds")):
                if self.run.replay(path)[0]:
                    found.add(keep(path, self.run.artifacts, "crash-"))
        return sorted(found)

    def learned(self):
        return list(self.inputs("queue"))


class Run:
    """One run of an engine on a target."""

    def __init__(self, arguments):
        # Whole paths: a target may go to another directory.
        self.build = os.path.abspath(arguments.build)
        self.engine_name, self.target = arguments.engine, arguments.target
        self.seconds = arguments.minutes * 60
        self.jobs = arguments.jobs
        self.options = arguments.options
        programs = os.path.join(self.build, "fuzz" if self.engine_name == "libfuzzer" else "fuzz-afl", "fuzz")
        self.program = os.path.join(programs, "fuzz-" + self.target)
        self.replayer = self.program + "-replay"
        self.began = time.time() - 1
        self.name = "-".join([self.target, self.engine_name] + ["empty"] * arguments.empty +
                             [time.strftime("%Y%m%d-%H%M%S", time.gmtime()), str(os.getpid())])
        self.kept = self.made("corpus", self.target)
        self.artifacts = self.made("artifacts", self.target)
        self.made("logs")
        self.learning, self.seeds = self.kept, self.all_seeds()
        if arguments.empty:
            self.learning, self.seeds = self.made("empty", self.name), []
        self.max_length = max([MAX_LENGTH] + [os.path.getsize(path) for path in self.starting_inputs()])
        self.dictionary = os.path.abspath("fuzz/dictionaries/%s.dict" % self.target)
        if not os.path.exists(self.dictionary):
            self.dictionary = None

    def path(self, *names):
        return os.path.join(self.build, "fuzz", *names)

    def made(self, *names):
        os.makedirs(self.path(*names), exist_ok=True)
        return self.path(*names)

    def log(self, job):
        return self.path("logs", "%s-%d.log" % (self.name, job))

    def all_seeds(self):
        places = [os.path.abspath(os.path.join("fuzz", kind, self.target)) for kind in ("corpus", "regressions")]
        return [place for place in places if os.path.isdir(place)]

    def starting_inputs(self):
        return [path for directory in self.seeds + [self.learning] for path in files_in(directory)]

    def replay(self, path):
        """Run the target on one input: its exit status, and the telling lines of what it says."""
        try:
            done = subprocess.run([self.replayer, path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  timeout=10 * SECONDS_PER_INPUT, check=False)
        except subprocess.TimeoutExpired:
            return 1, ["it takes longer than %d seconds" % (10 * SECONDS_PER_INPUT)]
        lines = done.stderr.decode(errors="replace").splitlines()
        return done.returncode, [line for line in lines if TELLING.search(line)]

    def was_only_slow(self, path):
        """An engine goes by real time, which on a busy machine says little."""
        if not os.path.basename(path).startswith("timeout-") or self.replay(path)[0]:
            return False
        print("slow, on a busy machine, but not broken: %s" % shown(path))
        return True

    def drive(self, engine, curve):
        """Until it ends by itself, or somebody wants it to: was that so?"""
        stopped = []

        def stop(number, _frame):
            stopped.append(number)
            engine.stop()

        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        print("run: %d minutes, said in %s; Ctrl-C ends it, and what was learned is kept" %
              (self.seconds // 60, shown(self.log(0))), file=sys.stderr)
        try:
            engine.start()
            while engine.poll(curve):
                pass
        except OSError:
            engine.stop()
            raise
        return bool(stopped)

    def keep_learned(self, engine):
        seeds = {read_bytes(path) for directory in self.seeds for path in files_in(directory)}
        for path in engine.learned():
            if os.path.dirname(path) != self.kept and read_bytes(path) not in seeds:
                keep(path, self.kept)

    def go(self):
        """The exit status."""
        engine = {"libfuzzer": LibFuzzer, "afl": Afl}[self.engine_name](self)
        curve = Recorder(self.path("curves", self.name + ".csv"))
        before = set(files_in(self.kept))
        stopped = self.drive(engine, curve)
        curve.close()
        self.keep_learned(engine)
        found = engine.culprits()
        culprits = [path for path in found if not self.was_only_slow(path)]
        self.tell(curve, len(set(files_in(self.kept)) - before), culprits)
        if culprits:
            return 1
        if not stopped and (not curve.at or (engine.failed() and not found)):
            sys.stderr.write(read_bytes(self.log(0)).decode(errors="replace")[-2000:])
            print("the engine failed: see %s" % shown(self.log(0)))
            return 3
        return 0

    def tell(self, curve, new, culprits):
        for path in culprits:
            self.tell_culprit(path)
        seconds, executions, edges, features, inputs = curve.at or (0, 0, 0, None, 0)
        print("%s by %s: %.1f seconds of processor time, %d executions (%.0f per second of it)" %
              (self.target, self.engine_name, seconds, executions, executions / max(seconds, 0.01)))
        print("reached: %d edges, %s%d inputs; new inputs: %d; findings: %d" %
              (edges, "" if features is None else "%d features, " % features, inputs, new, len(culprits)))
        print("learned so far: %d inputs in %s" % (len(files_in(self.kept)), shown(self.kept)))
        if curve.at:
            print("curve: %s" % shown(curve.path))

    def tell_culprit(self, path):
        same = [seed for directory in self.all_seeds() for seed in files_in(directory)
                if read_bytes(seed) == read_bytes(path)]
        short = shlex.quote(shown(path))
        print("\nfound: %s (%d bytes)%s" % (short, os.path.getsize(path),
                                            ", the same as " + shown(same[0]) if same else ""))
        status, lines = self.replay(path)
        for line in lines or ["(the replayer ends with status %d and says nothing)" % status]:
            print("  " + line)
        print("reproduce it, with sanitizers and without:\n"
              "  %s %s\n"
              "  cmake --preset dev && cmake --build build/dev --target fuzz-%s-replay &&\n"
              "      build/dev/fuzz/fuzz-%s-replay %s" % (shlex.quote(shown(self.replayer)), short, self.target, self.target, short))
        if self.engine_name == "libfuzzer":
            print("make it smaller:\n  %s -minimize_crash=1 -runs=100000 -exact_artifact_path=%s %s" %
                  (shlex.quote(shown(self.program)), shlex.quote(shown(os.path.join(self.artifacts, "smaller"))), short))
        print("when its cause is mended, keep it, so that ctest runs it from then on:\n"
              "  install -D -m 644 %s fuzz/regressions/%s/TELLING-NAME\n" % (short, self.target))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("engine", choices=("libfuzzer", "afl"))
    parser.add_argument("target")
    parser.add_argument("minutes", type=int)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--empty", action="store_true")
    words, options = sys.argv[1:], []
    if "--" in words:
        at = words.index("--")
        words, options = words[:at], words[at + 1:]
    arguments = parser.parse_args(words)
    arguments.options = options
    try:
        run = Run(arguments)
        status = run.go()
    except OSError as error:
        print("run: %s" % error, file=sys.stderr)
        return 3
    for name in ("afl", "empty"):
        shutil.rmtree(run.path(name, run.name), ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
