#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A second reader of iommuser-v1 and .ikho, written from docs/format.md alone.

Prints the records as JSON; exit 1 with the reason when a rule is broken."""

import argparse
import json
import struct
import sys
import zlib

PAGE_SIZES = (4096, 16384, 65536)
MAGIC = b"IOMMUSER"
KINDS = ("iommu", "domain", "device", "alias", "attachment", "hwpt")
RECORDS = {
    "iommu": (192, "type:16:4 segment:20:4 token:24:8 mode:32:4 host_address_width:36:4 "
              "root_table:40:8 cap:48:8 ecap:56:8 first_did:64:4 did_limit:68:4", 136),
    "domain": (128, "stage:16:4 format:20:4 top_table:24:8 top_level:32:4 input_width:36:4 "
               "output_width:40:4 features:44:4 page_size_bitmap:48:8 nr_table_pages:56:8", 64),
    "device": (128, "segment:16:4 bdf:20:4 owner_token:24:8 iommu:32:8 group_size:40:4 "
               "device_flags:44:4 pasid_directory:48:8 pasid_entries:56:4 rid_pasid:60:4", 64),
    "alias": (64, "segment:16:4 bdf:20:4 device:24:8 type:32:4", 36),
    "attachment": (64, "device:16:8 domain:24:8 pasid:32:4 attachment_flags:36:4 did:40:4", 44),
    "hwpt": (64, "iommufd_token:16:8 hwpt_token:24:8 domain:32:8", 40),
}


class Broken(Exception):
    """A rule of the format is broken."""


def need(condition, where, what):
    if not condition:
        raise Broken("%s: %s" % (where, what))


def unsigned(data, offset, width):
    return int.from_bytes(data[offset:offset + width], "little")


# Images.

class Flat:
    def __init__(self, file, base):
        self.file = file
        self.base = base
        self.size = file.seek(0, 2)
        self.info = {}

    def read(self, phys, length):
        if phys < self.base or phys + length > self.base + self.size:
            return None
        self.file.seek(phys - self.base)
        return self.file.read(length)

    def frames(self):
        return range(self.base, self.base + self.size, 4096)


class Portable:
    """A portable image, refused at the first thing that is wrong."""

    def __init__(self, data):
        self.data = data
        self.pages = {}
        self.info = None
        self.preserved = None
        self.states = {}
        self.raw_pages = 0
        self._header()
        at, sequence, ended = 64, 0, False
        while not ended:
            at, ended = self._section(at, sequence)
            sequence += 1
        need(at == len(data), "offset 0x%x" % at, "bytes after END")

    def _header(self):
        need(len(self.data) >= 64, "offset 0x0", "shorter than its header")
        head = self.data[:64]
        need(head[:8] == b"IKHO\r\n\x1a\n", "offset 0x0", "not a portable image")
        need(zlib.crc32(head[:60]) == unsigned(head, 60, 4), "offset 0x3c", "header CRC")
        need(unsigned(head, 8, 4) == 1, "offset 0x8", "unknown major")
        self.minor = unsigned(head, 12, 4)
        self.page_size = unsigned(head, 16, 4)
        need(self.page_size in PAGE_SIZES, "offset 0x10", "page size")
        need(not any(head[20:60]), "offset 0x14", "reserved bytes")

    def _section(self, at, sequence):
        where = "offset 0x%x" % at
        head = self.data[at:at + 40]
        need(len(head) == 40, where, "truncated: a section header or END is missing")
        magic, kind, encoding, number, phys, raw_length, stored_length, data_crc, crc = \
            struct.unpack("<4sIIIQIIII", head)
        need(magic == b"SECT", where, "section magic")
        need(zlib.crc32(head[:36]) == crc, where, "section header CRC")
        need(number == sequence, where, "section sequence")
        need(encoding in (0, 1), where, "encoding")
        need(raw_length <= 1 << 20 and (raw_length or kind == 3), where, "raw_length")
        stored = self.data[at + 40:at + 40 + stored_length]
        need(len(stored) == stored_length, where, "truncated section")
        need(zlib.crc32(stored) == data_crc, where, "section data CRC")
        raw = self._decode(where, encoding, stored, raw_length)
        need(kind == 2 or phys == 0, where, "phys")
        need((kind == 1) == (sequence == 0), where, "INFO is the first section and only that")
        self._content(where, kind, phys, raw, sequence)
        return at + 40 + stored_length, kind == 4

    def _decode(self, where, encoding, stored, raw_length):
        if encoding == 0:
            need(len(stored) == raw_length, where, "lengths of a stored section")
            return stored
        decoder = zlib.decompressobj()
        try:
            raw = decoder.decompress(stored, raw_length + 1)
        except zlib.error as error:
            raise Broken("%s: %s" % (where, error)) from error
        need(len(raw) == raw_length and decoder.eof and not decoder.unused_data, where,
             "decoded length")
        return raw

    def _content(self, where, kind, phys, raw, sequence):
        if kind == 1:
            self._info(where, raw)
        elif kind == 2:
            need(phys % 4096 == 0 and len(raw) % 4096 == 0, where, "unaligned PAGES")
            for offset in range(0, len(raw), 4096):
                need(phys + offset not in self.pages, where, "overlapping PAGES")
                self.pages[phys + offset] = raw[offset:offset + 4096]
            self.raw_pages += len(raw)
        elif kind == 3:
            self._preserved(where, raw)
        elif kind == 4:
            need(len(raw) == 16 and struct.unpack("<QQ", raw) == (sequence, self.raw_pages),
                 where, "totals of END")
        elif kind == 5 and self.minor > 0:
            self._states(where, raw)
        else:
            need(self.minor > 1, where, "unknown section type %d" % kind)

    def _info(self, where, raw):
        self.info = {}
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Broken("%s: INFO: %s" % (where, error)) from error
        need(text.endswith("\n"), where, "INFO doesn't end its last line")
        for line in text[:-1].split("\n"):
            key, equals, value = line.partition("=")
            need(key and equals, where, "INFO line")
            need(not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value), where,
                 "control character in INFO")
            if key == "vtd-root":
                self.info.setdefault(key, []).append(value)
            else:
                self.info[key] = value

    def _preserved(self, where, raw):
        need(len(raw) % 16 == 0, where, "PRESERVED length")
        self.preserved = self.preserved or []
        for phys, length in struct.iter_unpack("<QQ", raw):
            need(phys % 4096 == 0 and length % 4096 == 0 and length and phys + length <= 1 << 64,
                 where, "PRESERVED pair")
            self.preserved.append((phys, length))

    def _states(self, where, raw):
        need(self.info.get("origin") == "incoming" and "flb" in self.info, where,
             "STATES of no incoming handover")
        need(len(raw) > 16, where, "STATES length")
        kind, zero, first = struct.unpack_from("<IIQ", raw)
        need(1 <= kind <= 3 and zero == 0, where, "kind of STATES, or what follows it")
        need(kind >= max(self.states, default=0), where, "order of STATES")
        told = self.states.setdefault(kind, [])
        need(first == len(told), where, "first record of STATES")
        for state in raw[16:]:
            need(state <= 6 or self.minor > 1, where, "unknown state")
            need(kind != 1 or state not in (3, 4), where, "state that no unit has")
            told.append(state)

    def read(self, phys, length):
        out = b""
        while len(out) < length:
            at = phys + len(out)
            page = self.pages.get(at // 4096 * 4096)
            if page is None:
                return None
            out += page[at % 4096:at % 4096 + length - len(out)]
        return out

    def frames(self):
        return sorted(self.pages)


def open_image(path, base):
    file = open(path, "rb")
    if file.read(8) == b"IKHO\r\n\x1a\n":
        file.seek(0)
        return Portable(file.read())
    return Flat(file, base)


# iommuser-v1.

class Handover:
    def __init__(self, image, root_phys):
        self.image = image
        self.root_phys = root_phys
        self.lists = {kind: [] for kind in KINDS}
        self._root()
        self.pages_seen = {root_phys}
        for number, kind in enumerate(KINDS):
            self._chain(number + 1, kind)
        self._by_address()
        self._references()
        self._unique()

    def _page(self, phys, where):
        need(phys % self.page_size == 0, where, "page 0x%x is not aligned" % phys)
        page = self.image.read(phys, self.page_size)
        need(page is not None, where, "page 0x%x is not in the image" % phys)
        return page

    def _root(self):
        head = self.image.read(self.root_phys, 4096)
        need(head is not None, "root", "not in the image")
        need(head[:8] == MAGIC, "root", "magic")
        need(unsigned(head, 8, 2) == 1, "root", "unknown format_major")
        self.page_size = unsigned(head, 20, 4)
        need(self.page_size in PAGE_SIZES, "root", "page_size")
        page = self._page(self.root_phys, "root")
        need(zlib.crc32(page[:16] + bytes(4) + page[20:]) == unsigned(page, 16, 4), "root", "CRC")
        minor, root_size = unsigned(page, 10, 2), unsigned(page, 12, 4)
        need(256 <= root_size <= self.page_size and (minor or root_size == 256), "root",
             "root_size")
        need(not any(page[root_size:]), "root", "bytes after root_size")
        need(not any(page[248:256]), "root", "reserved bytes")
        release = page[176:248]
        text = release.split(b"\0")[0]
        need(len(text) < 72 and not any(release[len(text):]), "root", "kernel_release")
        self.root = {"phys": self.root_phys, "format_major": 1, "format_minor": minor,
                     "root_size": root_size, "crc": unsigned(page, 16, 4),
                     "page_size": self.page_size, "generation": unsigned(page, 24, 8),
                     "kernel_release": text.decode("latin-1"), "arrays": {}}
        for i, kind in enumerate(KINDS):
            first, records, deleted = struct.unpack_from("<QQQ", page, 32 + 24 * i)
            need((first == 0) == (records == 0), "root", "first_page of " + kind)
            need(deleted <= records, "root", "nr_deleted of " + kind)
            self.root["arrays"][kind] = {"first_page": first, "nr_records": records,
                                         "nr_deleted": deleted}

    def _chain(self, number, kind):
        array = self.root["arrays"][kind]
        phys, sequence, record_size = array["first_page"], 0, None
        while phys:
            where = "%s page %d (0x%x)" % (kind, sequence, phys)
            need(phys not in self.pages_seen, where, "page used twice")
            self.pages_seen.add(phys)
            page = self._page(phys, where)
            need(zlib.crc32(page[:48] + bytes(4) + page[52:]) == unsigned(page, 48, 4), where,
                 "CRC")
            need(unsigned(page, 16, 4) == number, where, "kind")
            size = unsigned(page, 20, 4)
            need(size >= RECORDS[kind][0] and size % 8 == 0 and record_size in (None, size), where,
                 "record_size")
            record_size = size
            need(unsigned(page, 24, 8) == sequence, where, "sequence")
            need(unsigned(page, 32, 8) == self.root["generation"], where, "generation")
            need(unsigned(page, 40, 8) == phys, where, "self")
            need(not any(page[52:64]), where, "reserved bytes")
            follower, count = struct.unpack_from("<QQ", page, 0)
            capacity = (self.page_size - 64) // size
            need(1 <= count <= capacity and (count == capacity or not follower), where, "count")
            need(not any(page[64 + count * size:]), where, "bytes after the records")
            for i in range(count):
                at = 64 + i * size
                self.lists[kind].append(self._record(kind, phys + at, page[at:at + size]))
            need(len(self.lists[kind]) <= array["nr_records"], where, "more records than counted")
            phys, sequence = follower, sequence + 1
        records = self.lists[kind]
        need(len(records) == array["nr_records"], kind, "nr_records")
        need(sum(r["deleted"] for r in records) == array["nr_deleted"], kind, "nr_deleted")

    def _record(self, kind, phys, data):
        index = len(self.lists[kind])
        where = "%s[%d]" % (kind, index)
        flags, ref_count, stated = struct.unpack_from("<IIQ", data, 0)
        need(flags & ~1 == 0, where, "flags")
        need(stated == index, where, "index")
        if flags & 1:
            need(ref_count == 0 and not any(data[16:]), where, "deleted, but not zero")
            return {"phys": phys, "flags": 1, "ref_count": 0, "index": index, "deleted": True}
        need(ref_count >= 1, where, "ref_count")
        size, text, zero = RECORDS[kind]
        record = {"phys": phys, "flags": 0, "ref_count": ref_count, "index": index,
                  "deleted": False}
        for word in text.split():
            name, offset, width = word.split(":")
            record[name] = unsigned(data, int(offset), int(width))
        if kind == "iommu":
            record["context_tables"] = list(struct.unpack_from("<8Q", data, 72))
        need(not any(data[zero:size]), where, "zero bytes")
        getattr(self, "_check_" + kind)(where, record)
        return record

    def _check_iommu(self, where, record):
        need(record["type"] == 1, where, "type")
        need(record["mode"] in (1, 2), where, "mode")
        need(record["root_table"] % 4096 == 0 and record["root_table"], where, "root_table")
        if record["mode"] == 1:
            need(not any(word & 0xaaaaaaaaaaaaaaaa for word in record["context_tables"]), where,
                 "context_tables")

    def _check_domain(self, where, record):
        need(record["stage"] in (1, 2) and record["format"] == record["stage"], where,
             "stage and format")
        need(record["top_level"] in (2, 3, 4), where, "top_level")
        need(record["top_table"] % 4096 == 0 and record["top_table"], where, "top_table")
        need(record["features"] & ~0x1f == 0, where, "features")

    def _check_device(self, where, record):
        need(record["bdf"] <= 0xffff, where, "bdf")
        need(record["device_flags"] & ~5 == 0, where, "device_flags")
        need(record["pasid_entries"] % 64 == 0, where, "pasid_entries")
        need((record["pasid_directory"] == 0) == (record["pasid_entries"] == 0), where,
             "pasid_directory")

    def _check_alias(self, where, record):
        need(record["bdf"] <= 0xffff, where, "bdf")
        need(record["type"] in (1, 2), where, "type")

    def _check_attachment(self, where, record):
        need(record["attachment_flags"] & ~1 == 0, where, "attachment_flags")
        need(record["attachment_flags"] or record["pasid"] == 0, where, "pasid")

    def _check_hwpt(self, where, record):
        pass

    def _by_address(self):
        self.live = {record["phys"]: (kind, record)
                     for kind in KINDS for record in self.lists[kind] if not record["deleted"]}

    def _target(self, where, record, field, kind):
        found = self.live.get(record[field])
        need(found is not None and found[0] == kind, where,
             "%s 0x%x is no live %s" % (field, record[field], kind))
        found[1].setdefault("users", 0)
        found[1]["users"] += 1
        return found[1]

    def _each(self, kind):
        for record in self.lists[kind]:
            if not record["deleted"]:
                yield "%s[%d]" % (kind, record["index"]), record

    def _references(self):
        for where, record in self._each("device"):
            iommu = self._target(where, record, "iommu", "iommu")
            need((iommu["mode"] == 1) == (record["pasid_entries"] == 0), where,
                 "PASID directory against the unit's mode")
        for where, record in self._each("alias"):
            self._target(where, record, "device", "device")
        for where, record in self._each("attachment"):
            device = self._target(where, record, "device", "device")
            self._target(where, record, "domain", "domain")
            iommu = self.live[device["iommu"]][1]
            need(iommu["first_did"] <= record["did"] < iommu["did_limit"], where, "did")
        for where, record in self._each("hwpt"):
            self._target(where, record, "domain", "domain")
        for kind in KINDS:
            for where, record in self._each(kind):
                users = record.pop("users", 0)
                if kind in ("iommu", "domain", "device"):
                    need(record["ref_count"] == users, where,
                         "ref_count is %d, users are %d" % (record["ref_count"], users))
                else:
                    need(record["ref_count"] == 1, where, "ref_count")

    def _unique(self):
        keys = {
            "attachment": lambda r: (r["device"], r["attachment_flags"], r["pasid"]),
            "alias": lambda r: (r["segment"], r["bdf"]),
            "hwpt": lambda r: (r["iommufd_token"], r["hwpt_token"]),
        }
        for kind, key in keys.items():
            seen = set()
            for where, record in self._each(kind):
                need(key(record) not in seen, where, "a second one with the same key")
                seen.add(key(record))
        plain = {record["device"] for _where, record in self._each("attachment")
                 if not record["attachment_flags"]}
        for where, record in self._each("device"):
            need(record["phys"] in plain, where, "no attachment without PASID")

    def report(self):
        out = {"root": self.root}
        out.update((kind + "s", self.lists[kind]) for kind in KINDS)
        return out


def find_root(image, wanted):
    if wanted is not None:
        return wanted
    if "flb" in image.info:
        need(image.info.get("abi") == "iommuser-v1", "INFO", "abi is not iommuser-v1")
        return int(image.info["flb"], 16)
    found = [phys for phys in image.frames() if image.read(phys, 8) == MAGIC]
    need(found, "image", "no iommuser-v1 root")
    if len(found) > 1:
        found = [phys for phys in found if _sealed(image, phys)]
        need(len(found) == 1, "image", "several roots: say --root")
    return found[0]


def _sealed(image, phys):
    head = image.read(phys, 24)
    size = unsigned(head, 20, 4)
    page = image.read(phys, size) if size in PAGE_SIZES else None
    return page is not None and \
        zlib.crc32(page[:16] + bytes(4) + page[20:]) == unsigned(page, 16, 4)


def _check_states(states, report):
    for kind, told in states.items():
        records = report[KINDS[kind - 1] + "s"]
        need(len(told) == len(records), "STATES", "%d of %d records" % (len(told), len(records)))
        need(not any(state and record["deleted"] for state, record in zip(told, records)),
             "STATES", "state of a deleted record")


def read(path, base=0, root=None):
    """The report of an image; Broken when a rule is."""
    image = open_image(path, base)
    report = Handover(image, find_root(image, root)).report()
    if isinstance(image, Portable):
        report["info"] = image.info
        report["preserved"] = image.preserved
        _check_states(image.states, report)
        report["states"] = {KINDS[kind - 1]: told for kind, told in image.states.items()}
    return report


def main(arguments):
    parser = argparse.ArgumentParser(description="Read iommuser-v1 records of an image.")
    parser.add_argument("image")
    parser.add_argument("--base", type=lambda text: int(text, 0), default=0,
                        help="physical address of a flat image's first byte")
    parser.add_argument("--root", type=lambda text: int(text, 0),
                        help="physical address of the root page")
    options = parser.parse_args(arguments)
    try:
        report = read(options.image, options.base, options.root)
    except (Broken, OSError) as error:
        print("read_image.py: %s" % error, file=sys.stderr)
        return 1
    json.dump(report, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
