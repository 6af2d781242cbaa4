#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Commands, options and values in --help, in the manual page and in the completion are the same, and the tool
takes all of them."""

import os
import re
import subprocess
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.environ.get("IOMMU_KHO_DUMP", "")
COMPLETION = os.path.join(ROOT, "packaging", "completion", "iommu-kho-dump")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def run(*arguments):
    return subprocess.run([TOOL, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=30, check=False)


def completed(*words):
    """What the completion offers for the last word."""
    script = ('. "$0"; COMP_WORDS=(iommu-kho-dump "$@"); COMP_CWORD=$#; _iommu_kho_dump; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, COMPLETION, *words], stdout=subprocess.PIPE, text=True,
                          cwd=os.path.join(ROOT, "LICENSES"), check=True)
    return set(done.stdout.split())


class Words(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.help = run("--help").stdout
        cls.man = read("man", "iommu-kho-dump.1")

    def section_of_help(self, start, end):
        found = re.search(start + r"\n(.*?)\n" + end, self.help, re.S)
        self.assertTrue(found, "no %s in --help" % start)
        return found.group(1)

    def commands_of_help(self):
        return set(re.findall(r"^  ([a-z][a-z-]*)(?: |$)", self.section_of_help("Commands[^\n]*", "\n"), re.M))

    def options_of_help(self):
        return {word for word in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", self.help) if word != "-"}

    def items_of_man(self):
        return "\n".join(re.findall(r"^\.It (.*)$", self.man, re.M))

    def values_of_help(self, option):
        """What stands beside an option and in the lines below it, before the next option."""
        text = self.help[self.help.index("  " + option):]
        text = re.split(r"\n(?:  -|\n)", text)[0]
        return text[len(option) + 2:]

    def test_help_lists_commands_and_options(self):
        self.assertLessEqual({"show", "verify", "translate", "extract", "stat"}, self.commands_of_help())
        self.assertLessEqual({"--json", "--explain", "--abi", "-o", "-h"}, self.options_of_help())

    def test_commands(self):
        commands = self.commands_of_help()
        self.assertEqual(commands, set(re.findall(r"^Cm ([a-z-]+)", self.items_of_man(), re.M)), "manual page")
        self.assertEqual(commands, completed("") - {"live"} - set(os.listdir(os.path.join(ROOT, "LICENSES"))),
                         "completion")
        for command in commands:
            self.assertEqual(0, run(command, "--help").returncode, command)

    def test_options(self):
        options = self.options_of_help()
        self.assertEqual(options, {"-" + name for name in re.findall(r"\bFl (-?[a-z][a-z-]*)", self.items_of_man())},
                         "manual page")
        self.assertEqual({option for option in options if option.startswith("--")}, completed("-"), "completion")

    def test_options_of_each_command(self):
        """The completion offers what the tool takes, and the command's help tells it."""
        # No run gets far: the image is not there, and no file is called "".
        operands = {"translate": ["00:04.0", "0x0", "/nonexistent"], "diff": ["/nonexistent"] * 2, "capture": []}
        values = {"--limit": "1", "--output": "", "--kernel": "vmlinuz", "--kho": "0x1000", "--luo": "0x1000",
                  "--flb": "0x1000", "--abi": "iommuser-v1", "--vtd-root": "0x1000", "--map": "0:0x0:4096",
                  "--qemu-ram": "pc", "--page-size": "4K", "--origin": "unknown", "--explain": "KHO-01"}
        refused = 0
        for command in sorted(self.commands_of_help()):
            offered = completed(command, "-")
            told = re.search(r"^Takes (.*?)(?: and)? ?the options that all", run(command, "--help").stdout, re.M)
            for option in sorted(completed("-") - {"--help", "--version", "--schema"}):
                done = run(command, option, *([values[option]] if option in values else []),
                           *operands.get(command, ["/nonexistent"]))
                self.assertIn(done.returncode, (2, 3), (command, option))
                takes = not re.search(r"does not go with|is a command of its own|takes no command", done.stderr)
                self.assertEqual(takes, option in offered, (command, option, done.stderr))
                refused += not takes
            some = set(re.findall(r"-[a-z-]+", told.group(1).replace("-o", "--output")))
            self.assertEqual(offered & {"--limit", "--force", "--output", "--prometheus", "--kernel", "--svg"}, some,
                             command)
        self.assertGreater(refused, 40)

    def test_values(self):
        for option, line in (("--abi", "--flb PHYS --abi NAME"), ("--origin", "--origin WHEN"),
                             ("--page-size", "--page-size SIZE"), ("--qemu-ram", "--qemu-ram MACHINE")):
            told = self.values_of_help(line)
            values = completed("show", option, "")
            self.assertGreater(len(values), 1, option)
            for value in values:
                self.assertRegex(told, r"(?<![\w-])%s(?![\w-])" % re.escape(value), option)
                self.assertRegex(self.man, r"(?<![\w-])%s(?![\w-])" % re.escape(value), option)
                self.assertEqual(3, run("show", option, value, "/nonexistent").returncode, (option, value))
            self.assertEqual(2, run("show", option, "nonsense", "/nonexistent").returncode, option)
        # All layouts that the library reads, but those the tool can't be asked for by name.
        told = set(re.findall(r"\biommu[a-z0-9-]*-[a-z0-9-]+", self.values_of_help("--flb PHYS --abi NAME")))
        self.assertEqual(told, completed("show", "--abi", ""))
        told = set(re.findall(r"[a-z]+-[a-z]+|incoming|outgoing|unknown", self.values_of_help("--origin WHEN")))
        self.assertEqual(told, completed("extract", "--origin", ""))

    def test_color(self):
        values = completed("show", "--color", "=", "")
        self.assertEqual({"auto", "always", "never"}, values)
        for value in values:
            self.assertEqual(3, run("show", "--color=" + value, "/nonexistent").returncode, value)

    def test_codes(self):
        codes = set(re.findall(r'X\(\w+, "([A-Z]+-\d+)"', read("include", "iommuser", "finding.h")))
        self.assertGreater(len(codes), 100)
        self.assertEqual(codes, completed("--explain", ""))

    def test_exit_statuses(self):
        section = re.search(r"^\.Sh EXIT STATUS\n(.*?)^\.Sh", self.man, re.S | re.M).group(1)
        self.assertEqual(["0", "1", "2", "3", "4"], re.findall(r"^\.It (\d)$", section, re.M))
        header = read("tools", "iommu-kho-dump", "options.h")
        self.assertEqual(["0", "1", "2", "3", "4"], re.findall(r"^#define EXIT_\w+ (\d)$", header, re.M))

    def test_states(self):
        found = re.search(r"^static const char \*const state_names\[\] = \{(.*?)\};",
                          read("tools", "iommu-kho-dump", "model-iommu.c"), re.S | re.M)
        states = set(re.findall(r'"([a-z-]+)"', found.group(1)))
        self.assertEqual(9, len(states))
        section = re.search(r"^\.Sh STATES\n(.*?)^\.Sh", self.man, re.S | re.M).group(1)
        self.assertEqual(states, set(re.findall(r"^\.It ([a-z-]+)$", section, re.M)))
        table = re.search(r"^\| state \|.*?\n\n", read("docs", "tool-tour.md"), re.S | re.M).group(0)
        self.assertEqual(states | {"state"}, set(re.findall(r"^\| ([a-z-]*[a-z]) \|", table, re.M)))

    def test_documents_use_words_that_exist(self):
        options = self.options_of_help()
        commands = self.commands_of_help()
        seen = 0
        for name in ("README.md", "docs/capture.md", "docs/findings.md", "docs/live-update.md", "docs/tool-tour.md"):
            for line in re.findall(r"iommu-kho-dump[^\n`|]*", read(*name.split("/"))):
                for option in re.findall(r" (--[a-z][a-z-]*)", line):
                    self.assertIn(option, options, (name, line))
                    seen += 1
            for command in re.findall(r"^    (?:\$ )?iommu-kho-dump ([a-z-]+)", read(*name.split("/")), re.M):
                if not command.startswith("-"):
                    self.assertIn(command, commands, name)
                    seen += 1
        self.assertGreater(seen, 40)

    def test_format_page_has_the_numbers_of_the_specification(self):
        page, specification = read("man", "iommu-kho-format.5"), read("docs", "format.md")
        kinds = re.findall(r"^\| (\d) (\w+), (\d+) \|", specification, re.M)
        self.assertEqual(6, len(kinds))
        self.assertEqual(kinds, re.findall(r"^\.It (\d) Ta (\w+) Ta (\d+) Ta", page, re.M))
        types = re.search(r"\| 4 \| 4 \| type \| (.*?) \|", specification).group(1)
        self.assertIn("Ta type Ta \"%s\"" % types, page)
        rows = re.findall(r"^\| (\d+) \| (\d+) \| (\w+) \|", specification, re.M)
        self.assertGreater(len(rows), 20)
        for offset, size, field in rows:
            self.assertRegex(page, r"(?m)^\.It %s Ta %s Ta %s Ta" % (offset, size, field))

    def test_layout_of_the_manual_pages(self):
        for name in ("iommu-kho-dump.1", "iommu-kho-format.5"):
            title, section = name.upper().split(".")
            self.assertIn(".Dt %s %s\n" % (title, section), read("man", name))
            sections = re.findall(r"^\.Sh (.*)$", read("man", name), re.M)
            self.assertEqual(["NAME"], sections[:1])
            self.assertEqual(["SEE ALSO"], sections[-1:])


if __name__ == "__main__":
    if not os.access(TOOL, os.X_OK):
        raise SystemExit("IOMMU_KHO_DUMP must name the tool")
    unittest.main()
