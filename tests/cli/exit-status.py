#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Files that are no images, starts that lead nowhere, wrong usage: the status, and one clear line."""

import os
import re
import shutil
import signal
import struct
import subprocess
import unittest

import harness

FIXTURE = os.path.join(harness.IMAGES, "legacy-jump.ikho")
COMMANDS = (["show"], ["verify"], ["stat"], ["extract", "-o", "out.ikho"], ["--list-roots"])


def read(path):
    with open(path, "rb") as file:
        return file.read()


def flattened(records):
    """A flattened dump: its header in big-endian, then records, then an end record."""
    header = b"makedumpfile".ljust(16, b"\0") + struct.pack(">qq", 1, 1)
    body = b"".join(struct.pack(">qq", offset, len(data)) + data for offset, data in records)
    return header.ljust(4096, b"\0") + body + struct.pack(">qq", -1, -1)


def elf(segments, size=8192, **changes):
    """An ELF core file of segments (type, offset, physical address, file size, memory size)."""
    header = {"type": 4, "offset": 64, "entry_size": 56, "entries": len(segments), **changes}
    data = b"\x7fELF\2\1\1".ljust(16, b"\0")
    data += struct.pack("<HHIQQQIHHHHHH", header["type"], 62, 1, 0, header["offset"], 0, 0, 64,
                        header["entry_size"], header["entries"], 0, 0, 0)
    for kind, offset, phys, in_file, in_memory in segments:
        data += struct.pack("<IIQQQQQQ", kind, 7, offset, 0, phys, in_file, in_memory, 0)
    return data.ljust(size, b"\0")


class NotImages(harness.ToolTest):
    def refuse_all(self, words, image, *options):
        # What can be wrong with a file is found out before the command matters.
        for command in harness.some(COMMANDS, len(COMMANDS)):
            self.refused(3, words, *command, *options, image)

    def test_files(self):
        self.write("text", b"hello world\n")
        self.write("empty", b"")
        os.mkdir(self.path("directory"))
        os.symlink("nothing", self.path("dangling"))
        os.symlink("circle", self.path("circle"))
        os.mkfifo(self.path("pipe"))
        cases = {"text": "format", "empty": "empty", "directory": "directory", "dangling": "No such file",
                 "circle": "symbolic links", "pipe": "pipe", "missing": "No such file",
                 "/dev/zero": "device", "/dev/null": "device", "/dev/full": "device"}
        for image, words in harness.some(cases.items(), 2):
            with self.subTest(image=image):
                self.refuse_all(words, image)
                self.refuse_all(image, image)
        for image in harness.some(("empty", "directory", "pipe", "missing", "/dev/zero"), 3):
            with self.subTest(flat=image):
                self.refuse_all(cases[image], image, "--flat")

    def test_unreadable(self):
        self.write("secret", b"x" * 5000)
        os.chmod(self.path("secret"), 0)
        prefix = []
        if os.geteuid() == 0:
            if not shutil.which("setpriv"):
                self.skipTest("root reads every file, and there is no setpriv")
            prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            os.chmod(self.dir, 0o755)
            if subprocess.run([*prefix, "test", "-x", harness.TOOL], check=False).returncode:
                self.skipTest("another user may not run the tool where it is")
        done = subprocess.run([*prefix, harness.TOOL, "secret"], capture_output=True, text=True,
                              cwd=self.dir, timeout=harness.SECONDS, check=False)
        self.assertEqual((3, ""), (done.returncode, done.stdout))
        self.assertRegex(done.stderr, r"\Aiommu-kho-dump: secret: [^\n]*Permission denied\n\Z")

    def test_truncated(self):
        harness.write_image(harness.clean("kho-empty"), self.path("whole.elf"))
        sources = {
            "elf": (read(self.path("whole.elf")), (5, 16, 63, 64, 100, 4096, 5000, 70000)),
            "flattened": (flattened([(0, b"KDUMP   ".ljust(4096, b"\0")), (4096, b"x" * 20000)]),
                          (32, 100, 4095, 4100, 4112, 20000, 28200)),
            "ikho": (read(FIXTURE), (9, 16, 63, 64, 65, 104, 195, 240, 4096, -40, -1)),
        }
        for form, (data, sizes) in sources.items():
            for size in harness.some(sizes, 3):
                with self.subTest(form=form, size=size):
                    self.write("cut", data[:size])
                    self.refuse_all("truncated", "cut")

    def test_too_short_to_be_known(self):
        for data in harness.some((b"\0", b"\x7f", b"KDUMP", b"IKHO", b"makedump"), 4):
            with self.subTest(data=data):
                self.write("cut", data)
                self.refuse_all("cut: ", "cut")

    def test_kdump_without_content(self):
        for data in (b"KDUMP   ", b"KDUMP   ".ljust(464, b"\0"), b"KDUMP   ".ljust(9000, b"\xff"),
                     b"DISKDUMP".ljust(9000, b"\xff"), flattened([(0, b"KDUMP   ".ljust(9000, b"\xff"))]),
                     flattened([(1 << 62, b"x")]), flattened([(-5, b"x")]), flattened([])):
            with self.subTest(data=data[:16], size=len(data)):
                self.write("bad", data)
                self.refuse_all("bad: ", "bad")

    def test_altered_portable_image(self):
        data = read(FIXTURE)
        for at in harness.some(range(0, len(data), 211), 10):
            with self.subTest(at=at):
                self.write("altered", data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:])
                self.refused(3, "altered: ", "verify", "altered")
        self.write("longer", data + b"\0")
        self.refused(3, "longer: ", "longer")

    def test_page_size_against_the_image(self):
        """A portable image knows its own."""
        result = self.tool("show", "--page-size", "16K", FIXTURE)
        self.assertEqual((3, ""), (result.status, result.out))
        self.assertIn("has pages of 4096 bytes, not of what --page-size says", result.err)
        self.good("show", "--page-size", "4K", FIXTURE)

    def test_odd_elf(self):
        last = 2 ** 64 - 1
        page = (1, 4096, 0, 4096, 4096)
        cases = {
            "no segments": elf([]), "no memory": elf([(1, 4096, 0, 0, 0)]),
            "program": elf([page], type=2), "headers at the end": elf([page], offset=last - 9),
            "many headers": elf([], entries=65535), "short headers": elf([page], entry_size=1),
            "offset": elf([(1, last - 100, 0, 4096, 4096)]), "file size": elf([(1, 4096, 0, last, last)]),
            "memory size": elf([(1, 4096, 0, 4096, last)]), "wrap": elf([(1, 4096, last - 100, 4096, 4096)]),
            "notes": elf([(4, 64, 0, last, last), page]), "overlap": elf([page, page]),
            "no handover": elf([page]),
        }
        for name, data in harness.some(cases.items(), 2):
            with self.subTest(case=name):
                self.write("odd.elf", data)
                self.refuse_all("odd.elf: ", "odd.elf")

    def test_flat(self):
        for size in harness.some((123457, 1, 4095, 4096, 4097, 5000), 3):
            with self.subTest(size=size):
                self.write("flat", b"\xd0\x0d\xfe\xed" * (size // 4) + b"\xd0" * (size % 4))
                self.refuse_all("no KHO FDT", "flat", "--flat")
        self.write("flat", bytes(123457))
        self.refused(3, "no KHO FDT", "--flat=0xfffffffe00000", "flat")
        self.refused(3, "does not fit", "--flat=0xffffffffff000", "flat")
        self.refused(3, "multiple of 4096", "--flat=0x123", "flat")

    def test_name_with_controls(self):
        self.refused(3, r"\x0a", "a\nb\x1b[2J")


class WrongStarts(harness.ToolTest):
    def setUp(self):
        super().setUp()
        self.symbols = harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"))

    def symbol(self, name, offset=0):
        return hex(int(self.symbols[name], 16) + offset)

    def elsewhere(self):
        """Zeros, records, an address inside a page, beyond the image, at the end of memory."""
        return harness.some(["0x1000", self.symbol("device[0]", -0x40), "0x100001", "0xfffffff000",
                             "0xffffffffff000"], 3)

    def test_kho(self):
        for address in self.elsewhere():
            for command in harness.some(COMMANDS[:-1], 4):
                self.refused(3, "no KHO FDT at " + address, *command, "--kho", address, "image")

    def test_luo(self):
        for address in self.elsewhere():
            self.refused(3, "no LUO state at " + address, "--luo", address, "image")
        for command in (["stat"], ["extract", "-o", "out.ikho"]):
            self.refused(3, "no LUO state at", *command, "--luo", "0x1000", "image")
        self.assertFalse(os.path.exists(self.path("out.ikho")))

    def test_flb(self):
        layouts = ("iommuser-v1", "iommu-v1", "iommu-liveupdate-v1", "iommu-liveupdate", "iommu-liveupdate-56")
        for abi in harness.some(layouts, 4):
            for address in ("0x1000", "0xfffffff000"):
                self.refused(3, "no IOMMU state of layout %s at %s" % (abi, address),
                             "--flb", address, "--abi", abi, "image")
        for address in self.elsewhere():
            self.refused(3, "no IOMMU state", "--flb", address, "--abi", "iommuser-v1", "image")

    def test_verify_tells_why(self):
        for arguments, code in ((["--luo", "0x1000"], "LUO-"), (["--flb", "0x1000", "--abi", "iommuser-v1"], "REC-")):
            result = self.tool("verify", *arguments, "image")
            self.assertEqual((1, ""), (result.status, result.err))
            self.assertIn(code, result.out)

    def test_vtd_root(self):
        for command in (["show"], ["stat"], ["extract", "-o", "out.ikho"]):
            self.refused(3, "no VT-d root table at 0xfffffff000", *command, "--vtd-root", "0xfffffff000", "image")
        self.refused(2, "verify", "verify", "--vtd-root", "0x1000", "image")


class WrongUsage(harness.ToolTest):
    def usage(self, words, *arguments):
        self.refused(2, words, *arguments)

    def test_operands(self):
        self.usage("no image")
        self.usage("verify needs IMAGE", "verify")
        self.usage("no image", "--json")
        self.usage("'frob' is not a command", "frob", FIXTURE)
        self.usage("'a' is not a command", "a", "b", "c")
        self.usage("show takes one IMAGE (several with --json-lines); diff compares two", "show", "a", "b")
        self.usage("extract takes one IMAGE; see", "extract", "-o", "x", "a", "b")
        self.usage("--list-roots", "verify", "--list-roots", "a")
        self.usage("show takes one IMAGE", "show", "--list-roots", "--json-lines", "a", "b")
        self.usage("--flat=BASE", "--flat", "0x1000", FIXTURE)

    def test_options(self):
        self.usage("unknown option '--frob'", "--frob", FIXTURE)
        self.usage("unknown option '--frob=1'", "--frob=1", FIXTURE)
        self.usage("unknown option '-x'", "-x", FIXTURE)
        self.usage("unknown option '-x'", "-x", "--json", FIXTURE)
        self.usage("--json takes no value", "--json=1", FIXTURE)
        for option in harness.some(("--limit", "--kho", "--luo", "--flb", "--abi", "--vtd-root", "--explain",
                                    "-o", "--output", "--origin", "--page-size"), 7):
            self.usage("'%s' needs a value" % option, FIXTURE, option)

    def test_combinations(self):
        self.usage("--flb needs --abi", "--flb", "0x1000", FIXTURE)
        self.usage("-o does not go with show", "-o", "x", FIXTURE)
        self.usage("--prometheus does not go with stat", "stat", "--prometheus", FIXTURE)
        self.usage("-o goes with verify only when there is --prometheus", "verify", "-o", "x", FIXTURE)
        self.usage("exclude each other", "verify", "--prometheus", "--json", FIXTURE)
        self.usage("exclude each other", "verify", "--json-lines", "--json", FIXTURE)
        self.usage("--color: 'pink'", "verify", "--color=pink", FIXTURE)
        self.usage("takes no image", "show", "--schema", FIXTURE)
        self.usage("extract needs -o", "extract", FIXTURE)
        self.usage("takes no image", "--explain", "KHO-01", FIXTURE)
        self.usage("not a finding code", "--explain", "KHO-0")
        self.usage("not a finding code", "--explain", "")
        self.usage("not a finding code", "--explain", "KHO-01x")
        self.usage("not the name of a file", "extract", "-o", "", FIXTURE)
        self.usage("not the name of a file", "extract", "-o", "-", FIXTURE)

    def test_numbers(self):
        bad = ("", "-1", "+1", " 1", "1 ", "0x", "0xg", "12z", "0x1000,", "0x10000000000000",
               "99999999999999999999999", "0xffffffffffffffff", "1e3", "4K")
        for option in ("--kho", "--luo", "--flb", "--vtd-root"):
            for text in harness.some(bad, 9):
                with self.subTest(option=option, text=text):
                    self.usage(option, option, text, FIXTURE)
        for text in harness.some(("-1", "zz", "0x1000:", "18446744073709551616"), 4):
            self.usage("--flat", "--flat=" + text, FIXTURE)
        for text in harness.some(("", "-1", "1x", "0x10", "18446744073709551616", "many"), 3):
            self.usage("--limit", "--limit", text, FIXTURE)
        self.usage("--abi", "--abi", "iommuser-v9", FIXTURE)
        self.usage("--abi", "--abi", "", FIXTURE)
        self.usage("--origin", "--origin", "yesterday", FIXTURE)
        self.usage("either at-jump or post-boot", "--origin", "at-jump", "--post-boot", FIXTURE)
        self.usage("either post-boot or at-jump", "--post-boot", "--origin", "at-jump", FIXTURE)
        self.good("show", "--post-boot", "--origin", "post-boot", FIXTURE)
        self.usage("--page-size", "--page-size", "5K", FIXTURE)
        for text in harness.some(("0x1001", "0x1000:", "0x1000:both", ":legacy", "0x1000:legacy:scalable",
                                  "0" * 99), 3):
            self.usage("--vtd-root", "--vtd-root", text, FIXTURE)

    def test_lone_word(self):
        for word in ("help", "hlep", "list-roots"):
            self.usage("'%s' is neither a command nor a file; see --help" % word, word)
        self.usage("'verfiy' is neither a command nor a file", "--json", "verfiy")
        self.refused(3, "hlep: cannot open", "./hlep")
        self.refused(3, "hlep: cannot open", "show", "hlep")
        self.refused(3, "hlep: cannot open", "--list-roots", "hlep")
        self.refused(3, "hlep.elf: cannot open", "hlep.elf")
        self.write("hlep", b"hello world\n")
        self.refused(3, "hlep: ", "hlep")
        os.symlink("nothing", self.path("dangling"))
        self.refused(3, "dangling: cannot open", "dangling")

    def test_color_without_equals_sign(self):
        for word in ("auto", "always", "never"):
            hint = "'%s' is no image: it is written --color=%s" % (word, word)
            self.usage(hint, "--color", word, FIXTURE)
            self.usage(hint, "verify", "--color", word, FIXTURE)
            self.usage(hint, "--color", word, "diff", FIXTURE, FIXTURE)
        self.refused(3, "never: cannot open", "verify", "never")
        self.write("never", b"hello world\n")
        self.refused(3, "never: ", "verify", "--color", "never")

    def test_explain(self):
        self.usage("--explain takes no command", "verify", "--explain", "KHO-01")
        self.usage("--explain takes no command", "--explain", "KHO-01", "verify", FIXTURE)
        for text in ("KHO", "KHO-99", ""):
            self.usage("findings.md", "--explain", text)


class Help(harness.ToolTest):
    def test_layout(self):
        text = self.good("--help")
        commands = re.findall(r"^  ([a-z]+) (?=.* )", text.split("\nIMAGE is")[0], re.M)
        self.assertLess(8, len(commands))
        for words in [[]] + [[command] for command in commands]:
            for line in self.good(*words, "--help").splitlines():
                self.assertRegex(line, r"\A(.{0,79}\S)?\Z", words)

    def test_operands(self):
        for words, usage in ((["capture"], "capture [OPTIONS] -o FILE"),
                             (["extract"], "extract [OPTIONS] -o FILE IMAGE"),
                             (["verify"], "verify [OPTIONS] IMAGE"),
                             (["preflight"], "preflight [OPTIONS] --kernel FILE IMAGE"),
                             (["diff"], "diff [OPTIONS] A B")):
            self.assertEqual("usage: iommu-kho-dump " + usage, self.good(*words, "--help").splitlines()[0])

    def test_exit_status_names_commands(self):
        told = self.good("--help").split("exit status: ")[1]
        told = " ".join(told.split("; 2 wrong usage")[0].split())
        for command in ("verify", "translate", "maps", "scratch", "diff", "preflight"):
            self.assertRegex(told, r"\b%s\b" % command)


class Output(harness.ToolTest):
    def test_full_disk(self):
        for arguments in (["--help"], ["--version"], ["--explain", "KHO-01"], ["show", FIXTURE],
                          ["show", "--json", FIXTURE], ["verify", FIXTURE], ["verify", "--json", FIXTURE],
                          ["stat", FIXTURE], ["--list-roots", "--json", FIXTURE]):
            with self.subTest(arguments=arguments), open("/dev/full", "wb") as full:
                self.refused(4, "cannot write the output", *arguments, stdout=full)

    @unittest.skipIf(harness.VALGRIND, "valgrind opens files of its own in the place of a closed stdout")
    def test_closed(self):
        for arguments in (["--help"], ["show", FIXTURE], ["show", "--json", FIXTURE]):
            with self.subTest(arguments=arguments):
                done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", harness.TOOL, *arguments], check=False,
                                      stderr=subprocess.PIPE, timeout=harness.SECONDS)
                self.assertEqual((4, b"iommu-kho-dump: cannot write the output\n"), (done.returncode, done.stderr))

    @unittest.skipIf(harness.VALGRIND, "valgrind's stand-in dies of no signal")
    def test_reader_that_leaves(self):
        harness.write_image(harness.clean("iommuser-many"), self.path("image"))
        reading, writing = os.pipe()
        with subprocess.Popen([harness.TOOL, "--json", self.path("image")], stdout=writing, restore_signals=True,
                              stderr=subprocess.PIPE) as process:
            os.close(writing)
            os.close(reading)
            _, err = process.communicate(timeout=harness.SECONDS)
        self.assertEqual((-signal.SIGPIPE, b""), (process.returncode, err))


if __name__ == "__main__":
    harness.main()
