#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Terminals, colour, signals in the middle of writing, names from an image, limits."""

import glob
import json
import os
import re
import resource
import signal
import subprocess
import time
import unittest

import harness

FIXTURES = sorted(glob.glob(os.path.join(harness.IMAGES, "*.ikho")))
SOUND = os.path.join(harness.IMAGES, "legacy-glue-jump.ikho")
ESCAPE = "\033"


class Terminal(harness.ToolTest):
    def on_terminal(self, *arguments, **environment):
        """Run the tool with a terminal for stdout and stderr. Returns its exit status and what is on the terminal."""
        try:
            ours, theirs = os.openpty()
        except OSError as error:
            self.skipTest(f"no terminal can be had: {error.strerror}")
        set_to = {"TERM": "xterm", **environment}
        env = {key: value for key, value in {**os.environ, **set_to}.items() if value is not None}
        if "NO_COLOR" not in environment:
            env.pop("NO_COLOR", None)
        with subprocess.Popen([harness.TOOL, *arguments], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
                              cwd=self.dir, env=env) as process:
            os.close(theirs)
            out = b""
            while True:
                try:
                    data = os.read(ours, 65536)
                except OSError:
                    break
                if not data:
                    break
                out += data
            os.close(ours)
        return process.returncode, out.decode().replace("\r\n", "\n")

    def damaged(self):
        harness.write_image(harness.clean("iommuser-pasids"), self.path("image"), "amend device 00:05.0 did=1")
        return "image"

    def test_color_on_terminal(self):
        status, text = self.on_terminal("verify", self.damaged())
        self.assertEqual(1, status)
        self.assertTrue(text.startswith("\033[1;31mERRORS\033[0m: "), text[:60])
        self.assertRegex(text, r"\nDID-01 \033\[1;31merror\033\[0m at 0x")
        # Of verdicts and severities, and of nothing else.
        words = re.findall(r"\033\[1;3[0-9]m([^\033]*)\033\[0m", text)
        self.assertEqual({"ERRORS", "error"}, set(words))
        plain = self.tool("verify", "image").out
        self.assertEqual(plain, re.sub(r"\033\[[0-9;]*m", "", text))
        status, text = self.on_terminal("verify", SOUND)
        self.assertEqual((0, True), (status, text.startswith("\033[1;32mOK\033[0m: ")))

    def test_no_color(self):
        image = self.damaged()
        for environment in harness.some(({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": None}), 3):
            self.assertNotIn(ESCAPE, self.on_terminal("verify", image, **environment)[1], environment)
        self.assertNotIn(ESCAPE, self.on_terminal("verify", "--color=never", image)[1])
        # An empty NO_COLOR says nothing, and --color is said by whoever types it.
        self.assertIn(ESCAPE, self.on_terminal("verify", image, NO_COLOR="")[1])
        self.assertIn(ESCAPE, self.on_terminal("verify", "--color", image, NO_COLOR="1")[1])
        self.assertNotIn(ESCAPE, self.on_terminal("verify", "--color", "--json", image)[1])

    def test_color_elsewhere(self):
        image = self.damaged()
        self.assertNotIn(ESCAPE, self.tool("verify", image).out)
        self.assertNotIn(ESCAPE, self.tool("verify", "--color=auto", image).out)
        self.assertIn(ESCAPE, self.tool("verify", "--color", image).out)
        self.assertIn(ESCAPE, self.tool("verify", "--color=always", image).out)

    def test_short_runs_show_no_progress(self):
        for command in harness.some((["show"], ["verify", "--color=never"], ["stat"], ["--list-roots"]), 3):
            with self.subTest(command=command):
                status, text = self.on_terminal(*command, SOUND)
                self.assertEqual((0, False), (status, "\r" in text))
                self.assertEqual(self.good(*command, SOUND), text)


@unittest.skipIf(harness.VALGRIND, "valgrind's stand-in dies of no signal")
class Signals(harness.ToolTest):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("out"))
        self.write("out/image", b"what was there before")

    def check_untouched(self):
        self.assertEqual(["image"], os.listdir(self.path("out")))
        with open(self.path("out/image"), "rb") as file:
            self.assertEqual(b"what was there before", file.read())

    def test_in_the_middle(self):
        """Killed while the temporary file is there; a run that was too fast for that is tried again."""
        harness.write_image(harness.clean("iommuser-many"), self.path("large"))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            for _ in range(100):
                with subprocess.Popen([harness.TOOL, "extract", "-o", "out/image", "large"], cwd=self.dir,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
                    while len(os.listdir(self.path("out"))) < 2 and process.poll() is None:
                        pass
                    process.send_signal(number)
                    _, err = process.communicate(timeout=harness.SECONDS)
                if process.returncode == -number:
                    break
                self.assertEqual(0, process.returncode, err)
                self.write("out/image", b"what was there before")
            self.assertEqual((-number, b""), (process.returncode, err))
            self.check_untouched()

    def test_file_size(self):
        """A limit on the size of files is a signal too, or an error where that is ignored."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))

        def limit_and_ignore():
            limit()
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        done = subprocess.run([harness.TOOL, "extract", "-o", "out/image", SOUND], cwd=self.dir, preexec_fn=limit,
                              restore_signals=True, capture_output=True, check=False, timeout=harness.SECONDS)
        self.assertEqual((-signal.SIGXFSZ, b""), (done.returncode, done.stderr))
        self.check_untouched()
        done = subprocess.run([harness.TOOL, "extract", "-o", "out/image", SOUND], cwd=self.dir,
                              preexec_fn=limit_and_ignore, restore_signals=False, capture_output=True, check=False,
                              timeout=harness.SECONDS)
        self.assertEqual(4, done.returncode)
        self.assertIn(b"File too large", done.stderr)
        self.check_untouched()

    def test_ignored_signals_stay_ignored(self):
        """As under nohup: the run goes on to its end."""
        harness.write_image(harness.clean("iommuser-many"), self.path("large"))
        command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", harness.TOOL, "extract", "-o", "out/image", "large"]
        with subprocess.Popen(command, cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            while process.poll() is None:
                process.send_signal(signal.SIGHUP)
                time.sleep(0.001)
            _, err = process.communicate(timeout=harness.SECONDS)
        # One that came before the shell's trap is no matter of ours.
        if process.returncode != -signal.SIGHUP:
            self.assertEqual((0, b""), (process.returncode, err))
            self.assertGreater(os.path.getsize(self.path("out/image")), 1000)
        else:
            self.check_untouched()


class Text(harness.ToolTest):
    def test_lines_fit(self):
        """80 columns, but for words that are longer."""
        checked = 0
        for image in harness.some(FIXTURES, 7):
            for command in ("show", "verify"):
                for line in self.tool(command, image).out.splitlines():
                    self.assertLess(len(line), 80, (command, image, line))
                    checked += 1
        self.assertGreater(checked, 50)

    def test_answer_first(self):
        self.assertRegex(self.good("show", SOUND), r"\AA handover, taken at the jump: 1 session with 3 files, 1 device "
                         r"that keeps its\nDMA through 1 domain of 1 IOMMU\. Nothing wrong was met ")
        self.assertTrue(self.good("verify", SOUND).startswith("OK: nothing wrong found\n"))
        harness.write_image(harness.clean("iommuser-pasids"), self.path("image"), "fill @luo.session[0].file[0] 8 0")
        result = self.tool("show", "image")
        self.assertRegex(result.out.replace("\n", " "), r"\AA handover: .* Reading it brought up [1-9][0-9]* errors? ")
        self.assertEqual("", result.err)
        self.assertIn("see verify", self.tool("show", "--json", "image").err)

    def test_gaps(self):
        """A gap is called one, and what it leads to is said first."""
        symbols = harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"))
        harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"), drop=[symbols["pt[d0][1]"]])
        result = self.tool("verify", "image")
        self.assertEqual(1, result.status)
        self.assertRegex(result.out, r"\AINCOMPLETE: the image lacks metadata that is needed \([1-9] gaps?\)\n")
        self.assertIn("\nPT-02 gap at 0x", result.out)
        found = json.loads(self.tool("verify", "--json", "image").out)
        self.assertEqual(found["warnings"], found["gaps"])
        self.assertEqual({("warning", True)}, {(f["severity"], f["gap"]) for f in found["findings"]
                                             if f["code"] == "PT-02"})

    def test_deleted_records(self):
        """What was a device is none, and is counted apart."""
        harness.write_image(harness.clean("iommuser-tombstones"), self.path("image"))
        text = self.good("show", "image")
        self.assertIn("2 units (1 deleted), 2 domains (1 deleted), 4 devices (3 deleted)", " ".join(text.split()))
        self.assertNotIn("0000:00:00.0", text)
        self.assertLess(max(map(len, text.splitlines())), 80)
        rows = [line.split() for line in text[text.index("\nDevices\n"):].splitlines()[3:7]]
        self.assertEqual(["-", "-", "0000:00:04.0", "-"], [row[1] for row in rows])

    def test_explained_severity(self):
        cases = {"LUO-26": "gap: makes the verdict INCOMPLETE", "KHO-14": "warning",
                 "KHO-13": "error; a warning in an image taken after boot"}
        for code, words in cases.items():
            self.assertTrue(self.good("--explain", code).startswith("%s (%s)\n" % (code, words)))
            explained = json.loads(self.good("--json", "--explain", code))
            self.assertEqual((words, words.startswith("gap")), (explained["severity_text"], explained["gap"]))

    def test_nothing_to_check(self):
        """That nothing could be checked is no good news."""
        for name in ("legacy-postboot", "scalable-postboot"):
            image = os.path.join(harness.IMAGES, name + ".ikho")
            result = self.tool("verify", image)
            self.assertEqual(1, result.status)
            self.assertTrue(result.out.startswith("INCOMPLETE: nothing could be checked (1 warning)\n"), result.out)
            self.assertIn("IOMMU state: whether there was any is not known", result.out)
            self.assertEqual("incomplete", json.loads(self.tool("verify", "--json", image).out)["status"])
            text = " ".join(self.good("show", image).split())
            self.assertIn("too little to tell what it held, or whether it was sound.", text)
            self.assertNotIn("Nothing wrong", text)
        # Linux as it is hands over no IOMMU state.
        stock = self.good("verify", os.path.join(harness.IMAGES, "legacy-jump.ikho"))
        self.assertIn("IOMMU state: none handed over; devices in the VT-d tables (5) keep no DMA\n", stock)

    def test_failures_as_json(self):
        for command in harness.some(("show", "verify", "stat", "maps"), 3):
            result = self.tool(command, "--json", "missing")
            self.assertEqual(3, result.status)
            failure = json.loads(result.out)
            self.assertEqual(["error", "exit_status"], list(failure))
            self.assertEqual(3, failure["exit_status"])
            self.assertIn(failure["error"], result.err)

    @unittest.skipIf(harness.VALGRIND, "the image is large")
    def test_limit(self):
        harness.write_image(harness.clean("iommuser-many"), self.path("image"))
        whole = json.loads(self.good("show", "--json", "image"))
        text = self.good("show", "--limit", "3", "image")
        rest = len(whole["devices"]) - 3
        self.assertGreater(rest, 100)
        self.assertIn("... and %d more (--limit)\n" % rest, text)
        self.assertLess(len(text.splitlines()), 60)
        # JSON has all, whatever text shows.
        self.assertEqual(whole, json.loads(self.good("show", "--json", "--limit", "3", "image")))
        harness.write_image(harness.clean("iommuser-pasids"), self.path("image"), "amend device 00:05.0 did=1")
        all_of_them = json.loads(self.tool("verify", "--json", "image").out)
        one = json.loads(self.tool("verify", "--json", "--limit", "1", "image").out)
        self.assertGreater(len(all_of_them["findings"]), 1)
        self.assertEqual(all_of_them["findings"][:1], one["findings"])
        self.assertEqual(all_of_them["errors"], one["errors"])


class Names(harness.ToolTest):
    def test_what_a_terminal_would_act_upon(self):
        """Names in an image that hide, reorder, move or break: none of it gets out, and JSON stays valid."""
        names = {"a\\x1b[2Jb": b"a\x1b[2Jb", "a\\xe2\\x80\\xaeb": b"a\xe2\x80\xaeb", "a\\xc2\\x9bb": b"a\xc2\x9bb",
                 "a\\xe2\\x80\\x8bb": b"a\xe2\x80\x8bb", "a\\xc0\\xafb": b"a\xc0\xafb",
                 "a\\xe2\\x81\\xa7b": b"a\xe2\x81\xa7b", "a\\x5cb": b"a\\b", "gr\u00fc\u00df\u2603": "gr\u00fc\u00df\u2603".encode(),
                 "a\\x0ab": b"a\nb"}
        symbols = harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"))
        with open(self.path("image"), "rb") as file:
            data = file.read()
        old = b"vm0".ljust(16, b"\0")
        self.assertTrue(symbols)
        self.assertEqual(1, data.count(old))
        for shown, name in harness.some(names.items(), 5):
            with self.subTest(name=name):
                self.write("named", data.replace(old, name.ljust(16, b"\0")))
                found = json.loads(self.tool("show", "--json", "named").out)
                self.assertEqual([shown], [session["name"] for session in found["sessions"]])
                text = self.tool("show", "named").out
                self.assertIn("\n  %s\n" % shown, text)
                self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]")
                self.tool("verify", "--json-lines", "named")


if __name__ == "__main__":
    harness.main()
