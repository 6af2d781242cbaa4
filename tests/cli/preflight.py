#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""preflight: small kernels of our own making, packed by the ordinary tools, whole and broken."""

import json
import os
import shutil
import struct
import subprocess
import sys
import unittest

import harness
from tiny_kernel import (DATA, HANDLERS, PACKERS, RODATA, STRINGS, TEXT, TRAILER, UNPACKER, arm64, bzimage,
                         configuration, handler, pack, payload, vmlinux)

GLUE = os.path.join(harness.IMAGES, "scalable-glue-jump.ikho")
LEGACY = os.path.join(harness.IMAGES, "legacy-glue-jump.ikho")
MEMFDS = os.path.join(harness.IMAGES, "legacy-jump.ikho")


class PreflightTest(harness.ToolTest):
    def kernel(self, data, name="kernel"):
        return self.write(name, data)

    def ask(self, data, image=GLUE, options=()):
        """The verdict, and results by contract: {(name, image): contract}."""
        kernel = self.kernel(data)
        result = self.tool("preflight", "--json", "--kernel", kernel, *options, image)
        self.assertEqual("", result.err)
        answer = json.loads(result.out)
        self.assertEqual({"yes": 0, "yes-so-far": 0, "no": 1, "unknown": 1}[answer["accepts"]], result.status)
        self.assertEqual(answer["accepts"].startswith("yes"), answer["reason"] is None)
        for contract in answer["contracts"]:
            self.assertEqual(contract["result"] == "ok", contract["why"] is None, contract)
            self.assertGreater(len(contract["consequence"]), 20)
        return answer, {(c["name"], c["image"]): c for c in answer["contracts"]}

    def unreadable(self, words_of_it, data):
        self.refused(3, words_of_it, "preflight", "--kernel", self.kernel(data), GLUE)


class Formats(PreflightTest):
    def check(self, data, form, compression, machine="x86_64"):
        answer, contracts = self.ask(data)
        self.assertEqual("yes", answer["accepts"], answer)
        self.assertEqual({("kho-v4", "kho-v4")}, {(c["image"], c["kernel"]) for (name, _), c in
                                                  contracts.items() if name == "KHO"})
        kernel = answer["kernel"]
        self.assertEqual((form, compression, machine, "7.3.9-tiny"),
                         tuple(kernel[key] for key in ("format", "compression", "machine", "release")))
        self.assertEqual(HANDLERS, kernel["handlers"])
        self.assertEqual("iommuser-v1", kernel["iommu_live_update"])

    def test_packed(self):
        plain = vmlinux()
        for packer in PACKERS:
            with self.subTest(packer=packer):
                self.check(bzimage(payload(packer, plain)), "bzImage", packer)

    def test_large(self):
        # More than a block, a dictionary, and the first buffer.
        plain = vmlinux(more=os.urandom(1 << 20) + bytes(18 << 20) + os.urandom(1 << 20))
        for packer in harness.some([p for p in PACKERS if p not in ("xz", "lzma")], 5):
            with self.subTest(packer=packer):
                self.check(bzimage(payload(packer, plain)), "bzImage", packer)

    def test_plain(self):
        self.check(vmlinux(), "vmlinux", "none")
        self.check(vmlinux(type=3), "vmlinux", "none")
        self.check(vmlinux(with_sections=False), "vmlinux", "none")
        self.check(bzimage(vmlinux()), "bzImage", "none")
        self.check(bzimage(payload("gzip", vmlinux()), setup_sectors=30), "bzImage", "gzip")
        self.check(pack("gzip", vmlinux()), "vmlinux", "gzip")

    def test_zboot(self):
        for packer in ("gzip", "zstd"):
            packed = pack(packer, vmlinux())
            head = b"MZ\0\0zimg" + struct.pack("<II", 512, len(packed)) + bytes(8) + packer.encode()
            self.check(head.ljust(512, b"\0") + packed + bytes(99), "EFI zboot image", packer)

        head = b"MZ\0\0zimg" + struct.pack("<II", 512, len(packed) + 100)
        self.unreadable("cut off", head.ljust(512, b"\0") + packed)

    def test_arm64(self):
        # No sections: names are found, handlers can't be told from other bytes.
        harness.write_image(harness.clean("kho-v4-luo-v5"), self.path("image"), form="ikho")
        for data in (arm64(), pack("gzip", arm64())):
            answer, contracts = self.ask(data, "image")
            self.assertEqual(("arm64 Image", "aarch64"), (answer["kernel"]["format"],
                                                          answer["kernel"]["machine"]))
            self.assertEqual("no", answer["accepts"])
            self.assertEqual("ok", contracts["KHO", "kho-v4"]["result"])
            self.assertEqual("missing", contracts["file handler", "memfd-v2"]["result"])
        answer, contracts = self.ask(arm64(STRINGS + ["memfd-v2"]), "image")
        self.assertEqual("unknown", answer["accepts"])
        self.assertEqual("unknown", contracts["file handler", "memfd-v2"]["result"])
        answer, contracts = self.ask(arm64(flags=3 << 1), "image")
        self.assertEqual(("mismatch", "64 KiB"), (contracts["page size", "4 KiB"]["result"],
                                                  contracts["page size", "4 KiB"]["kernel"]))

    def test_release(self):
        # The kernel's own word is taken, not the header's.
        answer, _ = self.ask(bzimage(payload("gzip", vmlinux()), version="1.2.3"))
        self.assertEqual("7.3.9-tiny", answer["kernel"]["release"])


class Broken(PreflightTest):
    def test_no_kernel(self):
        os.mkdir(self.path("directory"))
        os.mkfifo(self.path("pipe"))
        for name, said in {"directory": "directory", "pipe": "regular", "missing": "No such file",
                           "/dev/null": "regular"}.items():
            self.refused(3, said, "preflight", "--kernel", name, GLUE)
            self.refused(3, name, "preflight", "--kernel", name, GLUE)
        for data, said in {b"": "empty", b"hello": "not a vmlinux", bytes(4096): "not a vmlinux",
                           b"MZ" + bytes(4096): "not a vmlinux", b"\x7fELF": "cut off",
                           pack("gzip", b"hello"): "not a kernel", pack("gzip", b""): "empty",
                           pack("gzip", bzimage(payload("gzip", vmlinux()))): "not a kernel"}.items():
            with self.subTest(data=data[:20]):
                self.unreadable(said, data)
        with open(MEMFDS, "rb") as file:
            self.unreadable("not a vmlinux", file.read())

    def test_elf(self):
        good = vmlinux()
        table = struct.unpack_from("<Q", good, 40)[0]

        def changed(form, offset, value):
            data = bytearray(good)
            struct.pack_into(form, data, offset, value)
            return bytes(data)

        cases = {"memory dump": vmlinux(type=4), "linked": vmlinux(type=1),
                 "64-bit": vmlinux(ident=b"\x7fELF\1\1\1"), "Linux version": vmlinux(banner="Linux"),
                 "header is damaged": changed("<H", 58, 63), "cut off": good[:table + 100]}
        for said, data in cases.items():
            with self.subTest(said=said):
                self.unreadable(said, data)
        self.unreadable("64-bit", vmlinux(ident=b"\x7fELF\2\2\1"))
        # A section's address and size, and its offset.
        for at, value in ((16, 2 ** 64 - 16), (24, 1 << 40), (24, 2 ** 64 - 1), (32, 1 << 40), (32, 2 ** 64 - 1)):
            self.unreadable("cut off", changed("<Q", table + 2 * 64 + at, value))
        self.unreadable("cut off", changed("<Q", 40, 1 << 62))
        for said, data in {"no Linux": vmlinux(banner="Linux version of old"),
                           "header is damaged": changed("<H", 60, 65000)}.items():
            self.unreadable(said, data)
        # The same of segments, where there are no sections; and one of another type.
        good = vmlinux(with_sections=False)
        for at, value in ((64 + 56 + 8, 1 << 40), (64 + 56 + 32, 1 << 40), (64 + 56 + 16, 2 ** 64 - 16), (32, 1 << 40)):
            self.unreadable("cut off", changed("<Q", at, value))
        self.unreadable("no Linux", changed("<I", 64 + 56, 4))
        self.unreadable("header is damaged", changed("<H", 54, 55))
        self.unreadable("header is damaged", changed("<H", 56, 0))

    def test_header(self):
        contents = payload("gzip", vmlinux())
        size = len(bzimage(contents))
        for change, said in harness.some((({"offset": size}, "cut off"), ({"offset": 0xffffffff}, "cut off"),
                             ({"length": 0xffffffff}, "cut off"), ({"length": 0}, "without a kernel"),
                             ({"length": 3}, "without a kernel"), ({"protocol": 0x207}, "2.6.26"),
                             ({"magic": b"HdrX"}, "not a vmlinux"), ({"flag": 0x55aa}, "not a vmlinux"),
                             ({"offset": 0x2c4}, "not a kernel"), ({"length": len(contents) - 1}, "cut off"),
                             ({"code": 0}, "cut off"), ({"code": 0xffffffff}, "cut off"),
                             ({"code": len(contents) // 16}, "cut off")), 3):
            with self.subTest(change=change):
                self.unreadable(said, bzimage(contents, **change))

    def test_cut_behind_payload(self):
        # What unpacks the kernel is behind it.
        whole = bzimage(payload("gzip", vmlinux()))[:-len(TRAILER)]
        self.ask(whole)
        for length in (len(whole) - 1, len(whole) - len(UNPACKER)):
            self.unreadable("cut off", whole[:length])

    def test_default_setup(self):
        # Of old no number of sectors meant four.
        whole = bytearray(bzimage(payload("gzip", vmlinux()), setup_sectors=4))
        whole[0x1f1] = 0
        self.assertEqual("yes", self.ask(bytes(whole))[0]["accepts"])
        self.unreadable("cut off", bytes(whole[:-len(TRAILER) - 1]))

    def test_cut(self):
        for packer in harness.some(PACKERS, 3):
            whole = pack(packer, vmlinux())
            for length in harness.some((8, 40, len(whole) // 2, len(whole) - 9), 4):
                with self.subTest(packer=packer, length=length):
                    cut = whole[:length] + struct.pack("<I", len(vmlinux()))
                    kernel = self.kernel(bzimage(cut))
                    result = self.tool("preflight", "--kernel", kernel, GLUE)
                    self.assertEqual((3, ""), (result.status, result.out))
                    self.assertRegex(result.err, "cut off|damaged|has not the size|not a kernel")

    def test_damaged(self):
        plain = vmlinux(more=os.urandom(20000))
        for packer in harness.some(PACKERS, 4):
            whole = bytearray(pack(packer, plain))
            middle = len(whole) // 2
            whole[middle:middle + 64] = bytes(64)
            with self.subTest(packer=packer):
                result = self.tool("preflight", "--kernel", self.kernel(bzimage(
                    bytes(whole) + struct.pack("<I", len(plain)))), GLUE)
                # Stored bytes of lz4 and lzo are taken as they are.
                if packer not in ("lz4", "lzo") or result.err:
                    self.assertEqual((3, ""), (result.status, result.out))

    def test_size(self):
        plain = vmlinux()
        for packer in harness.some([p for p in PACKERS if p != "gzip"], 5):
            packed = pack(packer, plain)
            with self.subTest(packer=packer):
                self.unreadable("size", bzimage(packed + struct.pack("<I", len(plain) + 1)))
        for packer in harness.some(("bzip2", "lzma", "xz", "lzo", "zstd"), 4):
            with self.subTest(behind=packer):
                self.unreadable("size", bzimage(pack(packer, plain) + b"more" + struct.pack("<I", len(plain))))

    @unittest.skipIf(harness.VALGRIND, "half a GiB is unpacked")
    def test_bomb(self):
        zeros = subprocess.Popen(["head", "-c", "600M", "/dev/zero"], stdout=subprocess.PIPE)
        packed = subprocess.run(["zstd", "-q", "-1"], stdin=zeros.stdout, stdout=subprocess.PIPE,
                                check=True).stdout
        zeros.stdout.close()
        zeros.wait()
        self.unreadable("larger than 512 MiB", bzimage(packed + struct.pack("<I", 600 << 20)))


    # Started from here it would count the memory of this process as its own.
    PEAK = """if True:
        import resource, subprocess, sys
        subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
        """

    def peak(self, kernel):
        """KiB of memory that a run takes."""
        done = subprocess.run([sys.executable, "-c", self.PEAK, harness.TOOL, "preflight", "--kernel", kernel, GLUE],
                              cwd=self.dir, stdout=subprocess.PIPE, check=True)
        return int(done.stdout)

    @unittest.skipIf(harness.VALGRIND, "valgrind's own memory grows")
    def test_memory(self):
        # The kernel is in memory once.
        few = self.peak(self.kernel(bzimage(vmlinux())))
        many = self.peak(self.kernel(bzimage(vmlinux(more=bytes(64 << 20)))))
        self.assertGreater(many, 64 << 10)
        self.assertLess(many, few + (80 << 10))


class Contracts(PreflightTest):
    def result(self, contracts, name, image):
        self.assertIn((name, image), contracts)
        return contracts[name, image]["result"]

    def test_all_well(self):
        answer, contracts = self.ask(vmlinux())
        self.assertEqual({"ok"}, {c["result"] for c in contracts.values()})
        self.assertEqual(["machine", "KHO", "page size", "kexec-metadata", "LUO", "FLB", "IOMMU layout", "file handler",
                          "file handler", "file handler", "verify"],
                         [c["name"] for c in answer["contracts"]])
        self.assertEqual(["kho=on", "liveupdate=on", "intel_iommu=on", "intel_iommu=sm_on"],
                         [need["option"] for need in answer["needs"]])
        answer, _ = self.ask(vmlinux(), LEGACY)
        self.assertEqual("intel_iommu=sm_off", answer["needs"][-1]["option"])
        answer, _ = self.ask(vmlinux(), MEMFDS)
        self.assertEqual(("yes", ["kho=on", "liveupdate=on"]),
                         (answer["accepts"], [need["option"] for need in answer["needs"]]))

    def test_text(self):
        out = self.good("preflight", "--kernel", self.kernel(vmlinux()), GLUE)
        self.assertEqual("Linux 7.3.9-tiny accepts this handover", out.splitlines()[0])
        self.assertRegex(out, r"(?m)^  KHO +ok +kho-v4 +kho-v4$")
        self.assertIn("intel_iommu=sm_on", out)
        result = self.tool("preflight", "--kernel", self.kernel(vmlinux(handlers=["memfd-v2"])), GLUE)
        self.assertEqual((1, ""), (result.status, result.err))
        self.assertEqual("Linux 7.3.9-tiny does not accept this handover: it has no IOMMU live update",
                         result.out.splitlines()[0])
        self.assertRegex(result.out, r"(?m)^  FLB +missing +iommuser-v1 +-$")
        self.assertNotIn("intel_iommu=sm_on", result.out)
        self.assertLess(max(map(len, result.out.splitlines())), 80)

    def test_kho(self):
        others = [text for text in STRINGS if text != "kho-v4"]
        for strings, result, kernel in ((["kho-v3"], "mismatch", "kho-v3"), ([], "missing", None),
                                        (["kho-v3", "kho-v5"], "mismatch", "kho-v3, kho-v5"),
                                        (["kho-v3", "kho-v4"], "ok", "kho-v3, kho-v4"),
                                        (["kho-v40"], "mismatch", "kho-v40"),
                                        (["xkho-v4", "kho-v4x", "kho-v", "kho-v4 "], "missing", None)):
            with self.subTest(strings=strings):
                answer, contracts = self.ask(vmlinux(others + strings))
                contract = contracts["KHO", "kho-v4"]
                self.assertEqual((result, kernel), (contract["result"], contract["kernel"]))
                self.assertEqual("yes" if result == "ok" else "no", answer["accepts"])
        answer, _ = self.ask(vmlinux([], []))
        self.assertIn("no kexec handover", answer["reason"])

    def test_luo(self):
        others = [text for text in STRINGS if text != "luo-v5"]
        for strings, result in ((["luo-v1", "luo-session-v2"], "mismatch"), (["luo-session-v5"], "missing")):
            answer, contracts = self.ask(vmlinux(others + strings))
            self.assertEqual(("no", result), (answer["accepts"], self.result(contracts, "LUO", "luo-v5")))
        self.assertIn("no live update orchestrator", answer["reason"])
        self.assertEqual("missing", self.result(contracts, "file handler", "memfd-v2"))

    def test_versions_inside(self):
        # luo-v1's sessions and FLBs have versions of their own.
        harness.write_image(harness.clean("kho-v1b-luo-v1"), self.path("image"), "flb some-v1 data=0 count=1")
        strings = ["kho-v1", "luo-v1", "kexec-metadata", "luo-session-v2", "luo-flb-v1"]
        handlers = ["memfd-v1", "memfd-v2", "some-v1", "iommu-v1"]
        _, contracts = self.ask(vmlinux(strings, handlers), "image")
        self.assertEqual("ok", self.result(contracts, "luo-session", "luo-session-v2"))
        self.assertEqual("ok", self.result(contracts, "luo-flb", "luo-flb-v1"))
        _, contracts = self.ask(vmlinux(strings[:3] + ["luo-session-v1"], handlers), "image")
        self.assertEqual("mismatch", self.result(contracts, "luo-session", "luo-session-v2"))
        self.assertEqual("missing", self.result(contracts, "luo-flb", "luo-flb-v1"))

    def test_bitmaps(self):
        # Two layouts are called kho-v1.
        strings = ["kho-v1", "luo-v1", "kexec-metadata", "luo-session-v2", "luo-flb-v1"]
        for bitmap, release, result in (("512", "6.18.1", "mismatch"), ("512", "6.17.3", "unknown"),
                                        ("512", "7.0.1", "mismatch"), ("page", "6.17.3", "unknown")):
            harness.write_image(harness.clean("kho-v1a-luo-v1"), self.path("image"), "kho kho-v1 bitmap=" + bitmap)
            _, contracts = self.ask(vmlinux(strings, ["memfd-v1"], banner="Linux version %s (x)" % release), "image")
            self.assertEqual(result, self.result(contracts, "KHO", "kho-v1"), (bitmap, release))

    def test_composite(self):
        image = self.path("image")
        harness.write_image(harness.clean("kho-v4-composite"), image)
        whole = "kho-v4;radix-v1;vmalloc-v1"
        handlers = ["memfd-v2"]
        _, contracts = self.ask(vmlinux([whole, "luo-v4;block-v1", "kexec-metadata"], handlers), "image")
        self.assertEqual("ok", self.result(contracts, "KHO", whole))
        answer, contracts = self.ask(vmlinux(["kho-v4", "luo-v4", "kexec-metadata"], handlers), "image")
        self.assertEqual("unknown", answer["accepts"])
        self.assertEqual("unknown", self.result(contracts, "KHO", whole))
        self.assertEqual("unknown", self.result(contracts, "LUO", "luo-v4;block-v1"))

    def test_handlers(self):
        for handlers, result, kernel in ((["memfd-v1"], "mismatch", "memfd-v1"), ([], "missing", None),
                                         (["memfd-v1", "memfd-v2"], "ok", "memfd-v2"),
                                         (["memfd-v1", "memfd-v3"], "mismatch", "memfd-v1, memfd-v3")):
            _, contracts = self.ask(vmlinux(handlers=handlers), MEMFDS)
            contract = contracts["file handler", "memfd-v2"]
            self.assertEqual((result, kernel), (contract["result"], contract["kernel"]))

    def test_what_is_no_handler(self):
        # A name alone, functions that are none, a table that is none, a name that goes on, an odd address.
        for data in (b"memfd-v2".ljust(48, b"\0"), handler("memfd-v2", TEXT), handler("memfd-v2", RODATA + 16),
                     handler("memfd-v2", 0), handler("memfd-v2", DATA), handler("memfd-v2\0x"),
                     b"1234" + handler("memfd-v2")):
            _, contracts = self.ask(vmlinux(handlers=["other-v1"], data=data), MEMFDS)
            self.assertEqual("missing", self.result(contracts, "file handler", "memfd-v2"))
        # With no handler at all to compare with, a name alone leaves it open.
        answer, contracts = self.ask(vmlinux(STRINGS + ["memfd-v2"], []), MEMFDS)
        self.assertEqual(("unknown", "unknown"), (answer["accepts"],
                                                  self.result(contracts, "file handler", "memfd-v2")))

    def test_iommu(self):
        # A name in a table of the library is not a live update of that kind.
        answer, contracts = self.ask(vmlinux(STRINGS + ["iommuser-v1"], ["memfd-v2"]))
        self.assertEqual(("no", "it has no IOMMU live update"), (answer["accepts"], answer["reason"]))
        self.assertIsNone(answer["kernel"]["iommu_live_update"])
        for name in ("iommuser-iommufd-v1", "iommuser-vfio-pci-v1"):
            self.assertEqual("missing", self.result(contracts, "file handler", name))
        answer, contracts = self.ask(vmlinux(handlers=["memfd-v2", "iommu-v1", "iommufd-v1"]))
        self.assertEqual(("no", "iommu-v1"), (answer["accepts"], answer["kernel"]["iommu_live_update"]))
        self.assertEqual("mismatch", self.result(contracts, "FLB", "iommuser-v1"))
        self.assertEqual("mismatch", self.result(contracts, "IOMMU layout", "iommuser-v1, format 1.0"))

    def test_layouts(self):
        for description, flb, result in (("iommu-v1-legacy", "iommu-v1", "ok"),
                                         ("iommu-liveupdate-scalable", "iommu-liveupdate", "unknown")):
            harness.write_image(harness.clean(description), self.path("image"))
            answer, contracts = self.ask(vmlinux(handlers=["memfd-v2", flb, "iommufd-v1", "vfio-pci-v1"]), "image")
            self.assertEqual([result], [c["result"] for (name, _), c in contracts.items()
                                        if name == "IOMMU layout"])
            self.assertEqual("yes" if result == "ok" else result, answer["accepts"], answer["reason"])
        harness.write_image(harness.clean("iommuser-newer-minor"), self.path("image"))
        answer, contracts = self.ask(vmlinux(), "image")
        self.assertEqual("yes", answer["accepts"])
        self.assertEqual(1, len([name for name, image in contracts if name == "IOMMU layout" and
                                 image.startswith("iommuser-v1, format 1.") and image[-1] != "0"]))

    def test_modules(self):
        missing = [name for name in HANDLERS if "vfio" not in name]
        name = "iommuser-vfio-pci-v1"
        for more, result in ((b"", "unknown"), (b"\0vfio_pci.ids\0", "missing"),
                             (configuration(["CONFIG_MODULES=y", "CONFIG_VFIO_PCI=m"]), "unknown"),
                             (configuration(["CONFIG_MODULES=y", "CONFIG_VFIO_PCI=y"]), "missing"),
                             (configuration(["CONFIG_MODULES=y", "# CONFIG_VFIO_PCI is not set"]), "missing"),
                             (configuration(["# CONFIG_MODULES is not set"]), "missing"),
                             (configuration(["CONFIG_MODULES=y" * 99])[:-20] + b"IKCFG_ED", "unknown")):
            with self.subTest(more=more[:20]):
                answer, contracts = self.ask(vmlinux(handlers=missing, more=more))
                self.assertEqual(result, self.result(contracts, "file handler", name))
                self.assertEqual("unknown" if result == "unknown" else "no", answer["accepts"])
                self.assertIn(name, answer["reason"])
        # iommufd is built in when another of its handlers is.
        _, contracts = self.ask(vmlinux(handlers=["memfd-v2", "iommuser-v1", "iommufd-v1"]))
        self.assertEqual("missing", self.result(contracts, "file handler", "iommuser-iommufd-v1"))
        self.assertEqual("unknown", self.result(contracts, "file handler", name))
        # What is never a module.
        answer, contracts = self.ask(vmlinux(handlers=HANDLERS[1:]))
        self.assertEqual("missing", self.result(contracts, "file handler", "memfd-v2"))

    def test_configuration(self):
        config = configuration(["CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT=y", "CONFIG_INTEL_IOMMU_DEFAULT_ON=y"])
        answer, _ = self.ask(vmlinux(more=config))
        self.assertTrue(answer["kernel"]["configuration"])
        self.assertEqual(["liveupdate=on", "intel_iommu=sm_on"], [need["option"] for need in answer["needs"]])

    def test_subtrees(self):
        harness.write_image(harness.clean("kho-extras"), self.path("image"))
        answer, contracts = self.ask(vmlinux(), "image")
        self.assertEqual("yes", answer["accepts"])
        self.assertEqual("ok", self.result(contracts, "memblock", "memblock-v1"))
        self.assertEqual("ok", self.result(contracts, "reserve_mem", "reserve-mem-v1"))
        self.assertEqual(1, len([need for need in answer["needs"] if need["option"] == "reserve_mem=...:trace"]))
        for strings, results in ((["memblock-v2", "reserve-mem-v1"], ("mismatch", "ok")),
                                 (["memblock-v1"], ("ok", "missing"))):
            answer, contracts = self.ask(vmlinux(STRINGS[:3] + strings), "image")
            self.assertEqual(("no", *results), (
                answer["accepts"], self.result(contracts, "memblock", "memblock-v1"),
                self.result(contracts, "reserve_mem", "reserve-mem-v1")))
        # Nothing depends on this one.
        answer, contracts = self.ask(vmlinux([text for text in STRINGS if text != "kexec-metadata"]), "image")
        self.assertEqual(("yes", "missing"), (answer["accepts"],
                                              self.result(contracts, "kexec-metadata", "version 1")))

    def test_many_names(self):
        # What is cut is not known.
        many = ["kho-v%d" % i for i in range(20, 40)]
        answer, contracts = self.ask(vmlinux([*many, *STRINGS]))
        self.assertEqual("unknown", self.result(contracts, "KHO", "kho-v4"))
        self.assertEqual(("unknown", 8), (answer["accepts"], len(answer["kernel"]["kho"])))
        answer, contracts = self.ask(vmlinux(handlers=["a%d-v1" % i for i in range(70)] + HANDLERS), MEMFDS)
        self.assertEqual(("unknown", "unknown"), (answer["accepts"],
                                                  self.result(contracts, "file handler", "memfd-v2")))
        answer, contracts = self.ask(vmlinux(handlers=HANDLERS + ["a%d-v1" % i for i in range(70)]))
        self.assertEqual("yes", answer["accepts"])
        harness.write_image(harness.clean("kho-v4-luo-v5"), self.path("image"), "session more",
                            *("file other kind%d-v1 token=%d data=0" % (i, i) for i in range(300)))
        answer, contracts = self.ask(vmlinux(handlers=["memfd-v2"]), "image")
        self.assertEqual(257, len([name for name, _ in contracts if name == "file handler"]))
        self.assertEqual("unknown", self.result(contracts, "file handler", "other kinds"))

    def test_many_regions(self):
        harness.write_image(harness.clean("kho-extras"), self.path("image"),
                            *("memblock r%d 0x%x 0x1000" % (i, 0x1900000 + i * 0x1000) for i in range(20)))
        answer, _ = self.ask(vmlinux(), "image")
        self.assertEqual((16, "reserve_mem=... (5 more)"),
                         (len([need for need in answer["needs"] if "=...:" in need["option"]]),
                          [need["option"] for need in answer["needs"] if "more" in need["option"]][0]))

    def test_other_subtrees(self):
        # There is an older one in it as well.
        start = ("--kho", harness.write_image(harness.clean("kho-extras"), self.path("image"))["fdt"])
        with open(self.path("image"), "rb") as file:
            data = file.read()
        self.assertIn(b"memblock\0", data)
        self.write("other", data.replace(b"memblock\0", b"some-one\0"))
        _, contracts = self.ask(vmlinux(), "other", start)
        self.assertEqual("unknown", self.result(contracts, "subtree", "some-one"))
        _, contracts = self.ask(vmlinux([*STRINGS, "some-one"]), "other", start)
        self.assertEqual("ok", self.result(contracts, "subtree", "some-one"))
        self.write("other", data.replace(b"memblock-v1\0", b"memblock-v7\0"))
        answer, contracts = self.ask(vmlinux(), "other", start)
        self.assertEqual("unknown", self.result(contracts, "memblock", "memblock-v1"))
        # The version of kexec-metadata comes first in it, the release next.
        self.write("other", data.replace(b"\1\0\0\0" + b"7.2.1\0", b"\2\0\0\0" + b"7.2.1\0"))
        answer, contracts = self.ask(vmlinux(), "other", start)
        self.assertEqual("unknown", self.result(contracts, "kexec-metadata", "not readable"))
        self.assertEqual("yes", answer["accepts"])

    def test_machine(self):
        description = harness.clean("kho-v4-luo-v5")
        harness.write_image(description, self.path("dump"))
        harness.write_image(description, self.path("portable"), form="ikho")
        with open(self.path("dump"), "rb") as file:
            dump = bytearray(file.read())
        struct.pack_into("<H", dump, 18, 183)
        self.write("arm", dump)
        struct.pack_into("<H", dump, 18, 243)
        self.write("riscv", dump)
        # Told by the file, by IOMMU records, by VT-d's tables, or not at all.
        for image, told in (("dump", "x86_64"), (GLUE, "x86_64"), (MEMFDS, "x86_64"), ("arm", "aarch64"),
                            ("riscv", "ELF machine 243"), ("portable", None)):
            for machine, name in ((62, "x86_64"), (183, "aarch64"), (8, "ELF machine 8"), (243, "ELF machine 243")):
                with self.subTest(image=image, machine=machine):
                    answer, contracts = self.ask(vmlinux(machine=machine), image)
                    contract = contracts["machine", told]
                    self.assertEqual(name, contract["kernel"])
                    self.assertEqual(told is not None, contract["essential"])
                    self.assertEqual("ok" if told == name else "mismatch" if told else "unknown", contract["result"])
                    # What is not x86-64 may have pages of another size.
                    self.assertEqual("no" if told not in (name, None) else "yes" if machine == 62 else "unknown",
                                     answer["accepts"])
                    self.assertEqual("no" == answer["accepts"], "it is a kernel for" in str(answer["reason"]))
                    self.assertEqual(name if machine in (62, 183) else "other", answer["kernel"]["machine"])
        result = self.tool("preflight", "--kernel", self.kernel(arm64()), GLUE)
        self.assertRegex(result.out, r"\ALinux 7.3.9-tiny does not accept this handover: the image is of x86_64, it is a\n"
                                     r"kernel for aarch64\n")
        self.assertRegex(result.out, r"(?m)^  machine +mismatch +x86_64 +aarch64$")
        # The rest need not be known then.
        self.assertRegex(result.out, r"\nWhat is not ok, and what happens then\n  machine x86_64: .*\n"
                                     r"    Kexec cannot boot it [^\n]*\n\Z")

    def test_machine_of_units(self):
        """Another kind of IOMMU is of another machine."""
        description = harness.clean("iommu-liveupdate-legacy")
        for line, told in ((None, "x86_64"), ("set iommu[0].type = 2", "aarch64"), ("set iommu[0].type = 9", None)):
            harness.write_image(description, self.path("image"), *filter(None, [line]), form="ikho")
            _, contracts = self.ask(vmlinux(), "image")
            self.assertIn(("machine", told), contracts)

    def test_incomplete_image(self):
        description = harness.clean("iommuser-v1-legacy")
        for drop, name, image in (("luo", "LUO", None), ("page.device[0]", "verify", "incomplete"),
                                  ("root", "IOMMU layout", "iommuser-v1, not readable")):
            subprocess.run([sys.executable, os.path.join(harness.WRITER, "write_image.py"), description,
                            self.path("image"), "--format", "elf", "--drop", "@" + drop], check=True)
            answer, contracts = self.ask(vmlinux(), "image")
            self.assertEqual("unknown", answer["accepts"])
            self.assertEqual("unknown", self.result(contracts, name, image), drop)

    def test_other_files(self):
        harness.write_image(harness.clean("kho-v4-luo-v5"), self.path("image"), "session more",
                            'file other "strange\\x1b[31m-v7" token=9 data=0', "flb shared-v2 data=0 count=1")
        answer, contracts = self.ask(vmlinux(), "image")
        self.assertEqual("unknown", answer["accepts"])
        self.assertEqual("unknown", self.result(contracts, "FLB", "shared-v2"))
        self.assertNotIn("\x1b", self.tool("preflight", "--kernel", self.kernel(vmlinux()), "image").out)
        _, contracts = self.ask(vmlinux(handlers=[*HANDLERS, "shared-v1"]), "image")
        self.assertEqual("mismatch", self.result(contracts, "FLB", "shared-v2"))

    def test_damaged_image(self):
        harness.write_image(harness.clean("luo-many-sessions"), self.path("image"),
                            "luo luo-v5 trailing-block")
        answer, contracts = self.ask(vmlinux(), "image")
        self.assertEqual("no", answer["accepts"])
        self.assertIn("LUO-06", answer["reason"])
        self.assertEqual("damaged", self.result(contracts, "verify", "errors"))
        self.assertIn("panics", contracts["verify", "errors"]["consequence"])
        harness.write_image(harness.clean("luo-many-sessions"), self.path("image"), "set luo.session_block[0].count = 99")
        answer, contracts = self.ask(vmlinux(), "image")
        self.assertEqual(("no", "damaged"), (answer["accepts"], self.result(contracts, "verify", "errors")))
        self.assertIn("sessions are damaged", answer["reason"])
        harness.write_image(harness.clean("iommuser-v1-legacy"), self.path("image"), "amend device 00:05.0 did=1")
        answer, contracts = self.ask(vmlinux(), "image")
        self.assertEqual(("no", "damaged"), (answer["accepts"], self.result(contracts, "verify", "errors")))

    def test_unknown_to_the_tool(self):
        harness.write_image(harness.clean("kho-v4-luo-v5"), self.path("image"),
                            "luo luo-v5 compatible=luo-v9")
        answer, contracts = self.ask(vmlinux(["kho-v4", "luo-v9", "kexec-metadata"]), "image")
        self.assertEqual(("unknown", "unknown"), (answer["accepts"], self.result(contracts, "LUO", "luo-v9")))
        answer, contracts = self.ask(vmlinux(), "image")
        self.assertEqual(("no", "mismatch"), (answer["accepts"], self.result(contracts, "LUO", "luo-v9")))

    def test_page_size(self):
        harness.write_image(harness.clean("iommuser-16k"), self.path("image"))
        answer, contracts = self.ask(vmlinux(), "image")
        self.assertEqual(("no", "mismatch"), (answer["accepts"], self.result(contracts, "page size", "16 KiB")))

    def test_sessions_to_come(self):
        # Are there none, or none yet? Only an image at the jump tells.
        for name, luo in (("luo-no-sessions", "luo-v5"), ("kho-empty", None), ("luo-v1-no-sessions", "luo-v1")):
            start = harness.write_image(harness.clean(name), self.path("image"))["fdt"]
            strings = ["kho-v1", "kho-v2", "kho-v3", "luo-v1", "luo-session-v1", "luo-session-v2", "luo-flb-v1", *STRINGS]
            for origin, accepts, words in (("outgoing", "unknown", "only in the reboot call"),
                                           (None, "unknown", "--origin"), ("at-jump", "yes", None)):
                options = ("--kho", start, *(("--origin", origin) if origin else ()))
                with self.subTest(name=name, origin=origin):
                    answer, contracts = self.ask(vmlinux(strings), "image", options)
                    self.assertEqual(accepts, answer["accepts"], answer)
                    self.assertEqual(accepts == "unknown", ("LUO sessions", None) in contracts)
                    self.assertIn(words or "None", str(answer["reason"]))
                    self.assertEqual(luo is not None, ("LUO", luo) in contracts)

    def test_outgoing(self):
        """IOMMU state before the jump: the files that it will need are looked for already."""
        line = "ikho origin=outgoing preserved=no"
        for name, files in (("iommuser-v1-scalable", ("iommuser-iommufd-v1", "iommuser-vfio-pci-v1")),
                            ("iommu-v1-legacy", ("iommufd-v1", "vfio-pci-v1"))):
            harness.write_image(harness.clean(name), self.path("image"), line + " kho=no", form="ikho")
            handlers = [*HANDLERS, "iommu-v1", "iommufd-v1", "vfio-pci-v1"]
            answer, contracts = self.ask(vmlinux(handlers=handlers), "image")
            self.assertEqual(("unknown", "unknown"), (answer["accepts"], self.result(contracts, "KHO", None)))
            self.assertIn("preflight live", answer["reason"])
            self.assertEqual(set(files), {image for kind, image in contracts if kind == "file handler"})
            for file in files:
                self.assertEqual("ok", self.result(contracts, "file handler", file))
                answer, contracts = self.ask(vmlinux(handlers=[one for one in handlers if one != file]), "image")
                self.assertIn(self.result(contracts, "file handler", file), ("missing", "unknown"))
            self.assertIn("liveupdate=on", [need["option"] for need in self.ask(
                vmlinux(handlers=handlers), "image")[0]["needs"]])
            answer, _ = self.ask(vmlinux(handlers=["memfd-v2"]), "image")
            self.assertEqual("no", answer["accepts"])
        # Of deleted records nothing comes.
        self.write("deleted.desc", b"ram 0 24M\nkho kho-v4\nluo luo-v5\nabi iommuser-v1\nunit u0 mode=scalable\n"
                                   b"domain gone deleted\ndevice 00:07.0 unit=u0 domain=gone deleted\n")
        harness.write_image(self.path("deleted.desc"), self.path("image"), line + " kho=no", form="ikho")
        _, contracts = self.ask(vmlinux(), "image")
        self.assertEqual("ok", self.result(contracts, "IOMMU layout", "iommuser-v1, format 1.0"))
        self.assertEqual([], [image for kind, image in contracts if kind == "file handler"])

    def test_what_is_unknown_is_no_fact(self):
        """What happens where both differ is only said to be so where they do."""
        name = "iommuser-vfio-pci-v1"
        kernel = self.kernel(vmlinux(handlers=[one for one in HANDLERS if one != name]))
        out = self.tool("preflight", "--kernel", kernel, GLUE).out
        self.assertNotIn("What is not ok", out)
        self.assertRegex(out, r"\nWhat could not be told\n  file handler %s: it may be|"
                              r"\nWhat could not be told\n  file handler %s: " % (name, name))
        self.assertIn("\n    If they differ: each open of /dev/liveupdate answers EIO", out)
        kernel = self.kernel(vmlinux([*STRINGS[:1], "luo-v4", *STRINGS[2:]]))
        out = self.tool("preflight", "--kernel", kernel, GLUE).out
        self.assertRegex(out, r"\nWhat is not ok, and what happens then\n  LUO luo-v5: ")
        self.assertIn("\n    The next kernel panics early", out)
        self.assertNotIn("If they differ", out)
        self.assertNotIn("What could not be told", out)
        # Both kinds, each under its heading; a missing name leaves no dash.
        harness.write_image(harness.clean("iommuser-v1-scalable"), self.path("image"),
                            "ikho origin=outgoing kho=no preserved=no", form="ikho")
        kernel = self.kernel(vmlinux(handlers=["memfd-v2"]))
        out = self.tool("preflight", "--kernel", kernel, "image").out
        self.assertLess(out.index("What is not ok"), out.index("What could not be told"))
        self.assertIn("\n  KHO: this kind of image has neither KHO nor LUO", out)
        self.assertIn("If they differ: the next kernel boots as if nothing", out)
        # Not an abbreviation, nor verify's.
        subprocess.run([sys.executable, os.path.join(harness.WRITER, "write_image.py"),
                        harness.clean("iommuser-v1-legacy"), self.path("image"), "--format", "elf",
                        "--drop", "@page.device[0]"], check=True)
        out = self.tool("preflight", "--kernel", self.kernel(vmlinux()), "image").out
        self.assertRegex(out, r"verify incomplete: [^.]*\.\n    If something is wrong there: the next")

    def test_after_the_jump(self):
        answer, _ = self.ask(vmlinux(), GLUE.replace("jump", "incoming"))
        self.assertIn("taken over already", " ".join(answer["notes"]))
        result = self.tool("preflight", "--kernel", "kernel", GLUE.replace("jump", "incoming"))
        self.assertRegex(result.out, r"\nNotes\n  the image shows a handover that a kernel has taken over")

    def test_usage(self):
        self.refused(2, "--kernel", "preflight", GLUE)
        self.refused(2, "--kernel", "verify", "--kernel", "x", GLUE)
        self.refused(3, "No such", "preflight", "--kernel", self.kernel(vmlinux()), "missing")


if __name__ == "__main__":
    absent = [command[0] for command in PACKERS.values() if not shutil.which(command[0])]
    if absent:
        raise SystemExit("not installed: " + ", ".join(absent))
    harness.main()
