# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Parses the line-oriented description of an image; README.md documents it."""

import re
import shlex

from objects import number
from phys import WriterError
from vtd import bdf_text, parse_bdf

ABIS = ("iommu-v1", "iommu-liveupdate-v1", "iommu-liveupdate", "iommu-liveupdate-56",
        "iommuser-v1")
CAP = (6 | 0b01110 << 8 | 56 << 16 | 0b11 << 34 | 1 << 39 | 18 << 48 | 1 << 54 | 1 << 55 |
       1 << 56 | 1 << 60)
ECAP = (0b11011111 | 1 << 26 | 1 << 31 | 1 << 34 | 19 << 35 | 1 << 40 | 1 << 43 | 1 << 45 |
        1 << 46 | 1 << 47 | 1 << 48)
EDITS = ("set", "poke", "poke-sealed", "flip", "fill", "copy", "delete", "preserve",
         "unpreserve", "poke-file", "truncate-file")


def _numbers(text):
    return [number(word) for word in text.split(",") if word]


def _words(text):
    return [word for word in text.split(",") if word]


def _yes(text):
    if text not in ("yes", "no"):
        raise WriterError("'%s' is not yes or no" % text)
    return text == "yes"


def _bdfs(text):
    return [parse_bdf(word) for word in _words(text)]


def _pasids(text):
    pairs = [word.split(":") for word in _words(text)]
    return [(number(pasid), label) for pasid, label in pairs]


FLAG = object()
# Statement attributes: name to (parser or FLAG, default).
UNIT = {
    "mode": (str, "legacy"), "token": (number, None), "segment": (number, 0), "haw": (number, 46),
    "cap": (number, CAP), "ecap": (number, ECAP), "first-did": (number, 2),
    "did-limit": (number, 0x10000), "agaw": (number, 2), "tables": (_words, []),
    "deleted": (FLAG, False),
}
DOMAIN = {
    "stage": (str, "second"), "levels": (number, 4), "sign-extend": (_yes, None),
    "snoop": (FLAG, False), "dirty": (FLAG, False), "nested-parent": (FLAG, False),
    "incoherent": (FLAG, False), "input-width": (number, None), "output-width": (number, None),
    "page-sizes": (number, 0x40201000), "deleted": (FLAG, False), "hwpt": (_yes, True),
}
DEVICE = {
    "unit": (str, None), "domain": (str, None), "owner": (str, None), "did": (number, None),
    "group-size": (number, 1), "ats": (FLAG, False), "reset-works": (_yes, True),
    "pasid": (_pasids, []), "alias": (_bdfs, []), "real-dma": (_bdfs, []),
    "pasid-entries": (number, 32768), "deleted": (FLAG, False), "stale": (FLAG, False),
    "vfio": (_yes, True), "token": (number, None),
}
MAP = {
    "memfd": (str, None), "phys": (number, None), "alloc": (FLAG, False),
    "page": (number, 1 << 30), "perm": (str, "rw"),
}
HWPT = {"token": (number, None), "iommufd": (str, None), "deleted": (FLAG, False)}
KHO = {"bitmap": (str, "page"), "compatible": (str, None), "depth": (number, None)}
LUO = {"number": (number, 1), "compatible": (str, None), "flb": (_yes, True),
       "session-compatible": (str, "luo-session-v2"), "trailing-block": (FLAG, False),
       "block-copies": (number, 0)}
KEXEC = {"release": (str, "7.3.4"), "count": (number, 1)}
FLB = {"data": (number, 0), "count": (number, 1)}
MEMFD = {
    "token": (number, None), "size": (number, None), "order": (number, 0),
    "version": (str, "memfd-v2"), "pos": (number, 0), "seals": (number, 7),
    "folio-flags": (number, 3), "hole": (_numbers, []), "skipped": (_numbers, []),
    "at": (number, None), "fill": (str, "payload"), "vmalloc-order": (number, 0),
    "chunk-entries": (number, None), "trailing-chunk": (FLAG, False),
}
IOMMUFD = {"token": (number, None)}
OTHER = {"token": (number, None), "data": (number, 0)}
ABI = {"generation": (number, 1), "release": (str, "7.3.4"), "minor": (number, 0),
       "root-tail": (number, 0), "record-tail": (number, 0), "page-records": (number, None)}
IKHO = {"encoding": (str, "zlib"), "section": (number, 1 << 20), "preserved": (_yes, True),
        "origin": (str, "at-jump"), "flb": (_yes, True), "kho": (_yes, True),
        "vtd-root": (FLAG, False)}
STATE_KINDS = {"iommu": 1, "domain": 2, "device": 3}
INCOMING = {"count": (number, 0)}
NEXT = {"count": (number, 2)}


def attributes(words, known, result=None):
    """Settings from "name=value" and bare flag words."""
    if result is None:
        result = {name: default for name, (_parser, default) in known.items()}
    for word in words:
        name, equals, value = word.partition("=")
        if name not in known:
            raise WriterError("'%s' is not known here; known: %s" % (name, ", ".join(known)))
        parser = known[name][0]
        if parser is FLAG:
            result[name] = _yes(value) if equals else True
        elif not equals:
            raise WriterError("'%s' needs a value" % name)
        else:
            result[name] = parser(value)
    return result


def strip_comment(line):
    match = re.match(r'(?:[^"#]|"(?:[^"\\]|\\.)*")*', line)
    return match.group(0).strip()


class Description:
    """What the lines say; nothing is laid out yet."""

    def __init__(self):
        self.page_size = 4096
        self.base = 0
        self.ram = []
        self.scratch = []
        self.hand_off = False
        self.packed = False
        self.kho = {"revision": "kho-v4", **attributes([], KHO)}
        self.luo = {"revision": "luo-v5", **attributes([], LUO)}
        self.kexec = None
        self.memblocks = []
        self.sessions = []
        self.flbs = []
        self.abi = None
        self.abi_settings = attributes([], ABI)
        self.units = {}
        self.domains = {}
        self.devices = {}
        self.maps = []
        self.hwpts = []
        self.ikho = attributes([], IKHO)
        self.states = []
        self.incoming = []
        self.next = []
        self.decoys = 0
        self.edits = []

    def parse(self, lines, origin):
        for lineno, line in enumerate(lines, 1):
            line = strip_comment(line)
            if not line:
                continue
            try:
                self._statement(line)
            except (WriterError, ValueError, IndexError) as error:
                raise WriterError("%s:%d: %s: %s" % (origin, lineno, line, error)) from error

    def _statement(self, line):
        verb = line.split(None, 1)[0]
        if verb in EDITS:
            self.edits.append(line)
            return
        method = getattr(self, "_do_" + verb.replace("-", "_"), None)
        if method is None:
            raise WriterError("unknown statement '%s'" % verb)
        method(shlex.split(line)[1:])

    # Memory, KHO and LUO.

    def _do_page_size(self, words):
        self.page_size = number(words[0])
        if self.page_size not in (4096, 16384, 65536):
            raise WriterError("page size is 4K, 16K or 64K")

    def _do_base(self, words):
        self.base = number(words[0])

    def _do_ram(self, words):
        self.ram.append((number(words[0]), number(words[1])))

    def _do_scratch(self, words):
        self.scratch.append((number(words[0]), number(words[1])))

    def _do_hand_off(self, _words):
        self.hand_off = True

    def _do_pack_tables(self, _words):
        self.packed = True

    def _do_kho(self, words):
        if not re.fullmatch(r"kho-v[1-4]", words[0]):
            raise WriterError("KHO revision is kho-v1 to kho-v4")
        self.kho = {"revision": words[0], **attributes(words[1:], KHO)}

    def _do_luo(self, words):
        if words[0] == "none":
            self.luo = None
            return
        if not re.fullmatch(r"luo-v[1-5]", words[0]):
            raise WriterError("LUO revision is none or luo-v1 to luo-v5")
        self.luo = {"revision": words[0], **attributes(words[1:], LUO)}

    def _do_kexec_metadata(self, words):
        self.kexec = False if words == ["none"] else attributes(words, KEXEC)

    def _do_memblock(self, words):
        self.memblocks.append((words[0], number(words[1]), number(words[2])))

    def _do_session(self, words):
        self.sessions.append({"name": words[0], "files": []})

    def _do_sessions(self, words):
        settings = attributes(words[2:], {"size": (number, 0)})
        for i in range(number(words[0])):
            self._do_session(["%s-%03d" % (words[1], i)])
            if settings["size"]:
                self._do_file(["memfd", "%s%03d" % (words[1].replace("-", "_"), i),
                               "size=%d" % settings["size"]])

    def _do_file(self, words):
        if not self.sessions:
            raise WriterError("a file needs a session before it")
        known = {"memfd": MEMFD, "iommufd": IOMMUFD, "other": OTHER}.get(words[0])
        if known is None:
            raise WriterError("a file is a memfd, an iommufd or other")
        settings = {"kind": words[0], "label": words[1], **attributes(words[2:], known)}
        if settings["kind"] == "memfd" and settings["size"] is None:
            raise WriterError("a memfd needs size=")
        if settings["kind"] != "other" and self.find_file(words[1]):
            raise WriterError("two files labelled %s" % words[1])
        self.sessions[-1]["files"].append(settings)

    def _do_files(self, words):
        for i in range(number(words[0])):
            self._do_file([words[1], "%s%d" % (words[2], i)] + words[3:])

    def find_file(self, label):
        for session in self.sessions:
            for settings in session["files"]:
                if settings["label"] == label and settings["kind"] != "other":
                    return settings
        return None

    def _do_flb(self, words):
        self.flbs.append({"name": words[0], **attributes(words[1:], FLB)})

    # IOMMU state.

    def _do_abi(self, words):
        if words[0] not in ABIS:
            raise WriterError("abi is one of: " + ", ".join(ABIS))
        self.abi = words[0]
        self.abi_settings = attributes(words[1:], ABI)

    def _do_unit(self, words):
        self._new(self.units, words[0])
        self.units[words[0]] = attributes(words[1:], UNIT)

    def _do_domain(self, words):
        if not re.fullmatch(r"[A-Za-z]\w*", words[0]):
            raise WriterError("a domain's label is a word")
        self._new(self.domains, words[0])
        self.domains[words[0]] = attributes(words[1:], DOMAIN)

    def _do_device(self, words):
        address = parse_bdf(words[0])
        key = bdf_text(*address)
        serial = sum(1 for device in self.devices.values() if device["address"] == address)
        if serial:
            key += "#%d" % serial
        self.devices[key] = {"address": address, **attributes(words[1:], DEVICE)}

    def _do_devices(self, words):
        segment, bdf = parse_bdf(words[1])
        rest = [word for word in words[2:] if not word.startswith("domain=")]
        labels = [word[7:].split(",") for word in words[2:] if word.startswith("domain=")]
        labels = labels[0] if labels else [None]
        for i in range(number(words[0])):
            label = labels[i % len(labels)]
            self._do_device([bdf_text(segment, bdf + i)] + rest +
                            (["domain=" + label] if label else []))

    def _do_map(self, words):
        self.maps.append((words[0], number(words[1]), number(words[2]),
                          attributes(words[3:], MAP)))

    def _do_hwpt(self, words):
        self.hwpts.append({"domain": words[0], **attributes(words[1:], HWPT)})

    def _do_amend(self, words):
        """Change attributes of something described above."""
        kind, label, rest = words[0], words[1], words[2:]
        if kind == "unit":
            attributes(rest, UNIT, self.units[label])
        elif kind == "domain":
            attributes(rest, DOMAIN, self.domains[label])
        elif kind == "device":
            attributes(rest, DEVICE, self.devices[bdf_text(*parse_bdf(label))])
        elif kind == "memfd":
            attributes(rest, MEMFD, self.find_file(label))
        else:
            raise WriterError("amend what? unit, domain, device or memfd")

    @staticmethod
    def _new(table, label):
        if label in table:
            raise WriterError("'%s' is described twice" % label)

    # Other handovers in the image, and the output.

    def _do_incoming_fdt(self, words):
        self.incoming.append(attributes(words, INCOMING))

    def _do_next_fdt(self, words):
        if self.next:
            raise WriterError("one next-fdt is enough")
        self.next.append(attributes(words, NEXT))

    def _do_decoy_fdt(self, _words):
        self.decoys += 1

    def _do_ikho(self, words):
        attributes(words, IKHO, self.ikho)

    def _do_states(self, words):
        kind, *states = words
        if not states:
            raise WriterError("states KIND STATE...")
        self.states.append((STATE_KINDS[kind] if kind in STATE_KINDS else number(kind),
                            [number(state) for state in states]))


def read(path, extra=()):
    description = Description()
    with open(path, encoding="utf-8") as file:
        description.parse(file, path)
    description.parse(extra, "--set")
    if not description.ram:
        description.ram.append((0, 16 << 20))
    return description
