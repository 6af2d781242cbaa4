#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The running host, with a directory in place of its /proc, /sys and /dev: every way to the
handover, and what is said of those that lead nowhere."""

import json
import os
import shutil
import struct
import unittest

import harness
from tiny_kernel import HANDLERS, STRINGS, vmlinux

DESCRIPTION = harness.clean("iommuser-v1-scalable")
STREAM = os.path.join(harness.IMAGES, "legacy-glue-incoming.ikho")
STREAMS = "sys/kernel/debug/iommu/liveupdate/"
KHO_OUT = "sys/kernel/debug/kho/out/fdt"
SETUP = "sys/kernel/boot_params/setup_data/"
DIRECT_MAP = 0xffff888000000000
MIB = 1 << 20


def setup_node(kind, data):
    return {"type": b"0x%x\n" % kind, "data": data}


class Live(harness.ToolTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(STREAM, "rb") as file:
            cls.stream = file.read()

    def setUp(self):
        super().setUp()
        self.root = self.path("root")
        os.mkdir(self.root)
        harness.write_image(DESCRIPTION, self.path("image.elf"))
        with open(self.path("image.elf"), "rb") as file:
            self.elf = bytearray(file.read())
        self.whole = self.show("image.elf")
        self.fdt = int(self.whole["kho"]["fdt"], 16)
        # An image of memory from 0 on, as the writer makes them: one segment.
        self.offset, = struct.unpack_from("<Q", self.elf, 120 + 8)

    def put(self, name, data):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def memory(self, phys, length):
        return bytes(self.elf[self.offset + phys:self.offset + phys + length])

    def live(self, *arguments, **options):
        environment = dict(os.environ, IOMMU_KHO_DUMP_SYSROOT=self.root)
        return self.tool(*arguments, env=environment, **options)

    def capture(self, *arguments):
        result = self.live("capture", "-o", "out.ikho", "--json", *arguments)
        self.assertEqual((0, ""), (result.status, result.err))
        return json.loads(result.out)

    def assert_line(self, lines, *words):
        """One line starts with the first of the words and has the others."""
        found = [line for line in lines
                 if line.startswith(words[0]) and all(word in line for word in words)]
        self.assertEqual(1, len(found), (words, lines))

    def fails(self, *words):
        """capture gets nothing: each way is one line on stderr, and no file appears."""
        result = self.live("capture", "-o", "out.ikho")
        self.assertEqual((3, ""), (result.status, result.out), result.err)
        for word in words:
            self.assertIn(word, result.err)
        for line in result.err.splitlines():
            self.assertTrue(line.startswith("iommu-kho-dump: live: "), line)
        self.assertEqual([], [name for name in os.listdir(self.dir) if "ikho" in name])
        self.refuses_alike()

    def refuses_alike(self):
        """Every command says what capture says, line by line; JSON has it in one."""
        lines = self.live("capture", "-o", "out.ikho").err
        for command in ("show", "verify", "scratch"):
            result = self.live(command, "live")
            self.assertEqual((3, "", lines), (result.status, result.out, result.err))
        self.assertEqual(len(set(lines.splitlines())), len(lines.splitlines()), lines)
        self.assertLessEqual(lines.count("mount -t"), 1)
        for form in ("--json-lines", "--json"):
            for arguments in (("show", form, "live"), ("capture", form, "-o", "out.ikho")):
                result = self.live(*arguments)
                failure = json.loads(result.out)
                self.assertEqual((3, 3), (result.status, failure["exit_status"]))
                self.assertEqual(lines.replace("iommu-kho-dump: live: ", "").strip().split("\n"),
                                 failure["error"].split("; "))

    # The kernel's own streams

    def test_outgoing_first(self):
        self.put(STREAMS + "outgoing", self.stream)
        self.put(STREAMS + "incoming", b"not looked at")
        said = self.capture()
        self.assert_line(said["used"], "/sys/kernel/debug/iommu/liveupdate/outgoing: ")
        self.assertEqual(1, len(said["used"]))
        self.assert_line(said["not_available"], "KHO's memory map and LUO's sessions", "own stream; LUO writes its")
        self.assertEqual("running host, debugfs liveupdate/outgoing", said["source"])
        self.assertEqual("incoming", said["origin"])
        for key in ("iommus", "domains", "devices"):
            self.assertEqual(self.show(STREAM)[key], self.show("out.ikho")[key])

    def test_incoming_next(self):
        self.put(STREAMS + "incoming", self.stream)
        said = self.capture()
        self.assert_line(said["used"], "/sys/kernel/debug/iommu/liveupdate/incoming: ")
        self.assert_line(said["not_available"], "/sys/kernel/debug/iommu/liveupdate/outgoing: ")
        result = self.live("show", "--json", "live")
        self.assertEqual(self.show(STREAM)["devices"], json.loads(result.out)["devices"])
        self.assertEqual(0, self.live("verify", "live").status)

    def test_text(self):
        self.put(STREAMS + "incoming", self.stream)
        result = self.live("capture", "-o", "out.ikho")
        self.assertEqual((0, ""), (result.status, result.err))
        self.assertRegex(result.out, r"\Aout\.ikho: [0-9.]+ KiB of metadata, taken: incoming\n")
        self.assertIn("\nUsed\n  /sys/kernel/debug", result.out)
        self.assertIn("\nNot to be had\n  /sys/kernel/debug", result.out)
        self.assertLessEqual(max(map(len, result.out.splitlines())), 80)

    def test_damaged_stream(self):
        """A stream that is no image is said to be damaged, and memory is taken."""
        self.put(STREAMS + "outgoing", self.stream[:-20])
        self.put("proc/kcore", self.elf)
        said = self.capture()
        self.assert_line(said["not_available"],
                         "/sys/kernel/debug/iommu/liveupdate/outgoing: truncated")
        self.assert_line(said["used"], "/proc/kcore: memory")

    # Memory, and where KHO is in it

    def check_memory(self, origin, **options):
        said = self.capture(*options.get("arguments", ()))
        self.assertEqual(origin, said["origin"])
        shown = self.show("out.ikho")
        for key in ("kho", "iommus", "domains", "devices"):
            self.assertEqual(self.whole[key], shown[key])
        return said

    def test_kcore_and_debugfs(self):
        self.put("proc/kcore", self.elf)
        size = struct.unpack(">I", self.memory(self.fdt + 4, 4))[0]
        # Linux cuts the file at the length that the FDT had when the kernel booted.
        for length in (size, size // 2, 180):
            self.put(KHO_OUT, self.memory(self.fdt, length))
            said = self.check_memory("outgoing")
            self.assert_line(said["used"], "/proc/kcore: memory, read while the host runs")
            self.assert_line(said["used"], "/sys/kernel/debug/kho/out/fdt: ", hex(self.fdt))
            self.assert_line(said["not_available"], "/sys/kernel/boot_params/setup_data: ")

    def test_debugfs_without_that_page(self):
        """An FDT that is in no preserved page is believed in nothing."""
        self.put("proc/kcore", self.elf)
        fdt = bytearray(self.memory(self.fdt, 300))
        for change in (lambda: fdt.__setitem__(7, fdt[7] ^ 1), lambda: fdt.__setitem__(0, 0),
                       lambda: fdt.__delitem__(slice(20, None)), fdt.clear):
            change()
            self.put(KHO_OUT, fdt)
            said = self.check_memory("outgoing")
            self.assert_line(said["not_available"], "/sys/kernel/debug/kho/out/fdt: ",
                             "in no page")
            self.assert_line(said["not_available"], "no KHO FDT is named: memory is searched")

    def give(self, number, kind, data):
        for name, contents in setup_node(kind, data).items():
            self.put("%s%d/%s" % (SETUP, number, name), contents)

    def test_setup_data(self):
        self.put("proc/kcore", self.elf)
        node = struct.pack("<QQQQ", self.fdt, 4096, 0x5000, 16)
        self.give(0, 9, b"x" * 32)
        self.give(1, 10, node[:31])
        self.give(2, 10, bytes(32))
        self.give(10, 10, node)
        said = self.check_memory("post-boot")
        self.assert_line(said["used"], "/sys/kernel/boot_params/setup_data/10: ", hex(self.fdt))
        self.assert_line(said["not_available"], "the KHO FDT for the next kernel: ")
        self.give(10, 10, struct.pack("<QQQQ", 1 << 60, 4096, 0, 0))
        # There is one, but where? What a search finds may be that.
        self.assert_line(self.check_memory("unknown")["not_available"],
                         "/sys/kernel/boot_params/setup_data: it does not say where")
        shutil.rmtree(os.path.join(self.root, SETUP, "1"))
        shutil.rmtree(os.path.join(self.root, SETUP, "2"))
        shutil.rmtree(os.path.join(self.root, SETUP, "10"))
        self.assert_line(self.check_memory("outgoing")["not_available"],
                         "/sys/kernel/boot_params/setup_data: this kernel was given no handover")

    def test_device_tree(self):
        self.put("proc/kcore", self.elf)
        chosen = "proc/device-tree/chosen/linux,kho-fdt"
        cells = "proc/device-tree/#address-cells"
        for number, pair in ((None, struct.pack(">QQ", self.fdt, 4096)),
                             (2, struct.pack(">QI", self.fdt, 4096)),
                             (1, struct.pack(">II", self.fdt, 4096))):
            if number:
                self.put(cells, struct.pack(">I", number))
            self.put(chosen, pair)
            said = self.check_memory("post-boot")
            self.assert_line(said["used"], "/proc/device-tree/chosen/linux,kho-fdt: ", hex(self.fdt))
        for number, pair, words in ((2, b"1234567", "7 bytes"), (3, bytes(20), "20 bytes"),
                                    (0, bytes(20), "20 bytes"), (2, bytes(16), "0x0 is no address"),
                                    (2, b"\xff" * 16, "is no address")):
            self.put(cells, struct.pack(">I", number))
            self.put(chosen, pair)
            said = self.check_memory("unknown")
            self.assert_line(said["not_available"], "/proc/device-tree/chosen", words)

    def with_pointer(self, value):
        """The image with addresses of kernel memory, and a pointer in its last page."""
        image = bytearray(self.elf)
        struct.pack_into("<Q", image, 120 + 16, DIRECT_MAP)
        struct.pack_into("<Q", image, len(image) - 4096, value)
        self.put("proc/kcore", image)
        return DIRECT_MAP + len(image) - 4096 - self.offset

    def symbols(self, *lines):
        return self.put("proc/kallsyms", b"".join(line.encode() + b"\n" for line in lines))

    def test_symbols(self):
        pointer = self.with_pointer(DIRECT_MAP + self.fdt)
        self.symbols("ffffffff81000000 T _text", "%x d kho_out_of_order" % (pointer + 8),
                     "%x d kho_out" % pointer, "0 d kho_in\t[other]")
        said = self.check_memory("outgoing")
        self.assert_line(said["used"], "/proc/kallsyms: the KHO FDT for the next kernel is at ",
                         hex(self.fdt))

    def test_symbols_lead_nowhere(self):
        inside = DIRECT_MAP + self.fdt
        for value, line, words in harness.some(((inside, "%x d kho_output", "it has no kho_out"),
                                   (inside, "%x", "it has no kho_out"),
                                   (inside, "0000000000000000 d kho_out", "addresses are hidden"),
                                   (inside, "1234 d kho_out", "leads to no KHO FDT"),
                                   (inside + 4096, "%x d kho_out", "leads to no KHO FDT"),
                                   (inside + 8, "%x d kho_out", "leads to no KHO FDT"),
                                   (12345, "%x d kho_out", "leads to no KHO FDT")), 4):
            pointer = self.with_pointer(value)
            self.symbols(line % pointer if "%" in line else line)
            with self.subTest(line=line, value=hex(value)):
                said = self.check_memory("outgoing")
                self.assert_line(said["not_available"], "/proc/kallsyms: ", words)

    def put_devmem(self, iomem):
        self.put("proc/iomem", iomem)
        self.put("dev/mem", self.elf[self.offset:])

    def test_devmem(self):
        end = len(self.elf) - self.offset - 1
        self.put_devmem(b"00000000-00000fff : Reserved\n"
                        b"00001000-%08x : System RAM\n"
                        b"  00002000-00002fff : Kernel code\n"
                        b"f0000000-f0000fff : PCI Bus 0000:00\n" % end)
        self.put(KHO_OUT, self.memory(self.fdt, 200))
        said = self.check_memory("outgoing")
        self.assertEqual("running host, /dev/mem", said["source"])
        self.assert_line(said["used"], "/dev/mem: memory, read while the host runs")
        self.assert_line(said["not_available"], "/proc/kcore: there is no such file")
        # Below 1 MiB a kernel that gives out no RAM gives zeros: that is not believed.
        result = self.live("show", "--kho", "0x2000", "live")
        self.assertEqual(3, result.status)
        self.assertIn("lacks that page", result.err)

    def test_devmem_refused(self):
        for iomem, words in ((b"00000000-00000000 : System RAM\n", "this takes root"),
                             (b"", "this takes root"),
                             (b"00100000-001fffff : Reserved\n", "this takes root"),
                             (b"00200000-001fffff : System RAM\n", "this takes root"),
                             (b"00100000-001fffff : System RAM\n00180000-002fffff : System RAM\n",
                              "there twice"),
                             (b"fffff00000-fffff0ffff : System RAM\n", "cannot read RAM")):
            self.put_devmem(iomem)
            with self.subTest(iomem=iomem):
                self.fails("/dev/mem: ", words)

    def test_memory_by_choice(self):
        """--kho and --list-roots want memory, which the kernel's stream is not."""
        self.put(STREAMS + "outgoing", self.stream)
        self.put("proc/kcore", self.elf)
        said = self.check_memory("outgoing", arguments=("--kho", hex(self.fdt)))
        self.assertEqual("running host, /proc/kcore", said["source"])
        roots = json.loads(self.live("--list-roots", "--json", "live").out)["roots"]
        self.assertIn(hex(self.fdt), [root["fdt"] for root in roots])

    # Before the jump

    def put_running(self, name="kho-v4-luo-v5", named=True, lines=("luo luo-v5",)):
        """Memory of a host whose LUO has written no sessions."""
        description = harness.clean(name)
        start = harness.write_image(description, self.path("running.elf"), *lines)["fdt"]
        with open(self.path("running.elf"), "rb") as file:
            image = file.read()
        self.put("proc/kcore", image)
        offset, = struct.unpack_from("<Q", image, 120 + 8)
        if named:
            self.put(KHO_OUT, image[offset + int(start, 16):][:200])

    def put_glue(self):
        """The glue's stream: IOMMU state for the next kernel, and nothing above it."""
        harness.write_image(DESCRIPTION, self.path("stream"),
                            "ikho origin=outgoing kho=no preserved=no", form="ikho")
        with open(self.path("stream"), "rb") as file:
            self.put(STREAMS + "outgoing", file.read())

    def preflight(self, image="live", **changes):
        self.write("kernel", vmlinux(**changes))
        result = self.live("preflight", "--json", "--kernel", "kernel", image)
        self.assertEqual("", result.err)
        answer = json.loads(result.out)
        self.assertEqual({"yes": 0, "yes-so-far": 0}.get(answer["accepts"], 1), result.status)
        return answer, {(c["name"], c["image"]): c["result"] for c in answer["contracts"]}

    def test_gate(self):
        """What docs/capture.md has before the kexec, on a host with the glue."""
        self.put_glue()
        self.put_running("luo-no-sessions", lines=())
        self.assertEqual("outgoing", self.capture()["origin"])
        self.good("verify", "out.ikho")
        answer, contracts = self.preflight()
        self.assertEqual(("yes-so-far", None), (answer["accepts"], answer["reason"]), answer)
        for contract in (("KHO", "kho-v4"), ("LUO", "luo-v5"), ("file handler", "iommuser-iommufd-v1"),
                         ("file handler", "iommuser-vfio-pci-v1")):
            self.assertEqual("ok", contracts[contract])
        self.assertEqual("unknown", contracts["LUO sessions", None])
        self.assertIn("KHO and LUO were read in the running host's memory", answer["notes"])
        out = self.live("preflight", "--kernel", "kernel", "live").out
        self.assertTrue(out.startswith("Linux 7.3.9-tiny accepts what the image holds; LUO's sessions are not in it yet"),
                        out)
        self.assertRegex(out, r"\nWhat could not be told\n  LUO sessions: written only in the reboot call")
        # Each contract alone stops it.
        self.assertIn("    If it lacks a handler: each open of", out)
        for change in ({"strings": ["kho-v3", *STRINGS[1:]]}, {"strings": [STRINGS[0], "luo-v4", *STRINGS[2:]]},
                       {"handlers": ["memfd-v2"]}, {"handlers": HANDLERS[:3] + ["iommuser-vfio-pci-v2"]},
                       {"handlers": ["memfd-v2", "iommuser-iommufd-v2", *HANDLERS[2:]]},
                       {"handlers": [name for name in HANDLERS if name != "iommuser-v1"]}):
            answer, _ = self.preflight(**change)
            self.assertEqual("no", answer["accepts"], change)

    def test_gate_without_memory(self):
        """The stream alone: KHO is not known, and the reason says where it would be."""
        self.put_glue()
        answer, contracts = self.preflight()
        self.assertEqual(("unknown", "unknown"), (answer["accepts"], contracts["KHO", None]))
        self.assertIn("preflight live", answer["reason"])
        self.assert_line(answer["notes"], "KHO and LUO are not to be had of memory either")
        self.assert_line(answer["notes"], "/proc/kcore: there is no such file")
        self.capture()
        answer, _ = self.preflight("out.ikho")
        self.assertIn("on the host that it was taken of, \"preflight live\" reads them too", answer["reason"])
        # Memory in which KHO is not named is not searched.
        self.put_running("luo-no-sessions", lines=(), named=False)
        self.assertEqual("unknown", self.preflight()[0]["accepts"])
        self.put_running("luo-no-sessions", lines=())
        self.assertEqual("yes-so-far", self.preflight()[0]["accepts"])
        # IOMMU state without LUO cannot be.
        self.put_running("kho-empty", lines=())
        answer, contracts = self.preflight()
        self.assertEqual(("unknown", "unknown", "there is no LUO state in KHO"),
                         (answer["accepts"], contracts["LUO", None], answer["reason"]))
        # What LUO has is of no known kind.
        self.put_running("luo-no-sessions", lines=())
        with open(os.path.join(self.root, "proc/kcore"), "r+b") as file:
            data = file.read()
            file.seek(data.index(b"luo-v5"))
            file.write(b"luo-x5")
        self.assertEqual("no", self.preflight()[0]["accepts"])

    def test_running_host_without_iommu_state(self):
        """What will be handed over is not there yet: no kernel is said to accept it."""
        for name, contract in (("luo-no-sessions", ("LUO", "luo-v5")), ("kho-empty", None)):
            for named in (True, False):
                self.put_running(name, named, lines=())
                if not named:
                    os.unlink(os.path.join(self.root, KHO_OUT))
                said = self.capture()
                self.assertEqual("outgoing", said["origin"])
                self.assert_line(said["not_available"], "LUO's sessions and FLBs: written only in the reboot call")
                for image in ("live", "out.ikho"):
                    answer, contracts = self.preflight(image)
                    self.assertEqual(("unknown", "unknown"), (answer["accepts"], contracts["LUO sessions", None]))
                    self.assertIn("only in the reboot call", answer["reason"])
                    self.assertEqual("ok", contracts["KHO", "kho-v4"])
                    self.assertEqual("ok" if contract else None, contracts.get(contract))
                shown = self.good("show", "out.ikho")
                self.assertNotIn("empty handover", shown)
                self.assertIn("A handover in the making", shown.replace("\n", " "))
                self.assertRegex(shown, r"\nIOMMU +LUO knows no state before the reboot call\n")
                self.assertIn("IOMMU state: LUO knows none before", self.live("verify", "out.ikho").out)
                if contract:
                    self.assertIn("LUO's sessions: written only in the reboot call",
                                  self.live("verify", "out.ikho").out)
                    self.assertRegex(shown, r"LUO +luo-v5, .*sessions: written only\n +in the reboot call")

    # Nothing to be had

    def test_nothing(self):
        self.fails("/sys/kernel/debug/iommu/liveupdate: there is no such file", "/proc/kcore: there is no such file",
                   "/dev/mem: there is no such file", "nothing of the running host can be read")

    def test_no_debugfs(self):
        os.makedirs(os.path.join(self.root, "sys/kernel/debug"))
        self.fails("debugfs is not mounted")
        self.put("sys/kernel/debug/other/file", b"")
        self.fails("this kernel hands over no IOMMU state")

    def test_kcore_that_is_none(self):
        for data, words in ((b"", "empty"), (b"x" * 5000, "not a memory image"),
                            (self.elf[:100], "truncated")):
            self.put("proc/kcore", data)
            with self.subTest(words=words):
                self.fails("/proc/kcore: ", words)

    @unittest.skipIf(os.geteuid(), "only root can become somebody else")
    def test_not_root(self):
        for name in (STREAMS + "outgoing", STREAMS + "incoming", "proc/kcore", "dev/mem"):
            os.chmod(self.put(name, b"secret"), 0o400)
        os.chmod(self.dir, 0o755)
        nobody = {"user": 65534}
        try:
            self.live("--version", **nobody)
        except PermissionError:
            self.skipTest("nobody else can run the tool where it is")
        result = self.live("capture", "-o", "out.ikho", **nobody)
        self.assertEqual(3, result.status)
        self.assertEqual(4, result.err.count("permission denied: this takes root\n"), result.err)
        for mode in ("integrity", "confidentiality"):
            words = "none integrity confidentiality".replace(mode, "[%s]" % mode)
            self.put("sys/kernel/security/lockdown", words.encode() + b"\n")
            result = self.live("capture", "-o", "out.ikho", **nobody)
            self.assertEqual(4, result.err.count("kernel lockdown (%s) forbids it\n" % mode))

    # The name

    def test_a_file_of_that_name(self):
        shutil.copy(STREAM, self.path("live"))
        self.refuses_alike()
        self.assertEqual(self.show(STREAM)["devices"],
                         json.loads(self.live("show", "--json", "./live").out)["devices"])

    def test_usage(self):
        self.put("proc/kcore", self.elf)
        for arguments in (("--flat",), ("--map", "0:0:4096"), ("--qemu-ram", "pc")):
            result = self.live("show", *arguments, "live")
            self.assertEqual((3, ""), (result.status, result.out))
            self.assertRegex(result.err, r"\Aiommu-kho-dump: live: is the running host[^\n]*\n\Z")
        self.refused(2, "capture needs -o FILE", "capture")
        self.refused(2, "too many arguments", "capture", "-o", "x", "image")
        self.assertIn("this host is preparing", self.good("capture", "--help"))

    def test_output_is_kept(self):
        """Nothing is written over when there is nothing to write."""
        self.write("out.ikho", b"older")
        self.assertEqual(3, self.live("capture", "-o", "out.ikho").status)
        with open(self.path("out.ikho"), "rb") as file:
            self.assertEqual(b"older", file.read())


if __name__ == "__main__":
    harness.main()
