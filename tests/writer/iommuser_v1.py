# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""IOMMU state in the layout iommuser-v1 of docs/format.md."""

import zlib

from chain import Chain
from phys import WriterError

KINDS = ("iommu", "domain", "device", "alias", "attachment", "hwpt")
ROOT_SIZE = 256
ROOT = ("magic:0:8 format_major:8:2 format_minor:10:2 root_size:12:4 crc:16:4 page_size:20:4 "
        "generation:24:8 " +
        " ".join("%s_first_page:%d:8 %s_nr_records:%d:8 %s_nr_deleted:%d:8" %
                 (kind, 32 + 24 * i, kind, 40 + 24 * i, kind, 48 + 24 * i)
                 for i, kind in enumerate(KINDS)) +
        " kernel_release:176:s72 reserved:248:8")
PAGE_HEADER = 64
PAGE = ("next:0:8 count:8:8 kind:16:4 record_size:20:4 sequence:24:8 generation:32:8 self:40:8 "
        "crc:48:4 reserved:52:4 reserved_56:56:8")
COMMON = "flags:0:4 ref_count:4:4 index:8:8 "
RECORDS = {
    "iommu": (192, COMMON + "type:16:4 segment:20:4 token:24:8 mode:32:4 host_address_width:36:4 "
              "root_table:40:8 cap:48:8 ecap:56:8 first_did:64:4 did_limit:68:4 " +
              " ".join("context_tables_%d:%d:8" % (i, 72 + 8 * i) for i in range(8)) +
              " zero:136:8"),
    "domain": (128, COMMON + "stage:16:4 format:20:4 top_table:24:8 top_level:32:4 "
               "input_width:36:4 output_width:40:4 features:44:4 page_size_bitmap:48:8 "
               "nr_table_pages:56:8 zero:64:8"),
    "device": (128, COMMON + "segment:16:4 bdf:20:4 owner_token:24:8 iommu:32:8 group_size:40:4 "
               "device_flags:44:4 pasid_directory:48:8 pasid_entries:56:4 rid_pasid:60:4 "
               "zero:64:8"),
    "alias": (64, COMMON + "segment:16:4 bdf:20:4 device:24:8 type:32:4 zero:36:4"),
    "attachment": (64, COMMON + "device:16:8 domain:24:8 pasid:32:4 attachment_flags:36:4 "
                   "did:40:4 zero:44:4"),
    "hwpt": (64, COMMON + "iommufd_token:16:8 hwpt_token:24:8 domain:32:8 zero:40:8"),
}
IOMMUFD_FILE = "iommufd_token:0:8 nr_hwpts:8:8 root:16:8 zero:24:8"
VFIO_FILE = "segment:0:4 bdf:4:4 iommufd_token:8:8 device:16:8 device_flags:24:4 zero:28:4"


class Attachment:
    def __init__(self, device, domain, pasid, did):
        self.device = device
        self.domain = domain
        self.pasid = pasid
        self.did = did
        self.deleted = not device.live


class IommuserV1:
    IOMMUFD = "iommuser-iommufd-v1"
    VFIO = "iommuser-vfio-pci-v1"
    flb_name = "iommuser-v1"

    def __init__(self, build, settings):
        self.build = build
        self.settings = settings
        self.root = build.registry.add("root", build.allocator.pages(), build.page_size, ROOT)
        self.aliases = [(device, alias) for device in build.devices for alias in device.aliases]
        self.attachments = [Attachment(d, d.domain, None, d.did) for d in build.devices]
        self.attachments += [Attachment(d, domain, pasid, did) for d in build.devices
                             for pasid, domain, did in d.pasids]
        counts = (len(build.units), len(build.domains), len(build.devices), len(self.aliases),
                  len(self.attachments), len(build.hwpts))
        self.chains = {kind: self._chain(kind, n) for kind, n in zip(KINDS, counts)}
        self.nr_deleted = dict.fromkeys(KINDS, 0)
        # Records name an iommufd by the address of its file's data.
        self.file_data = {settings["label"]:
                          build.data_page("iommufd[%d]" % index, 64, IOMMUFD_FILE)
                          for index, settings in enumerate(build.iommufds)}

    def _chain(self, kind, nr_records):
        size, layout = RECORDS[kind]
        size += self.settings["record-tail"]
        return Chain(self.build, kind, PAGE_HEADER, size, layout, nr_records, PAGE, False)

    def write(self):
        """Fill everything but the checksums; the root's address."""
        for number, kind in enumerate(KINDS):
            chain = self.chains[kind]
            for i, page in enumerate(chain.pages):
                page.fill(kind=number + 1, record_size=chain.record_size, sequence=i,
                          generation=self.settings["generation"], self=page.phys)
        self._records("iommu", self.build.units, lambda u: not u.live, self._unit)
        self._records("domain", self.build.domains, lambda d: d.deleted, self._domain)
        self._records("device", self.build.devices, lambda d: not d.live, self._device)
        self._records("alias", self.aliases, lambda pair: not pair[0].live, self._alias)
        self._records("attachment", self.attachments, lambda a: a.deleted, self._attachment)
        self._records("hwpt", self.build.hwpts, lambda h: h.deleted, self._hwpt)
        self._root()
        return self.root.phys

    def _root(self):
        self.root.fill(magic=int.from_bytes(b"IOMMUSER", "little"), format_major=1,
                       format_minor=self.settings["minor"],
                       root_size=ROOT_SIZE + self.settings["root-tail"],
                       page_size=self.build.page_size, generation=self.settings["generation"],
                       kernel_release=self.settings["release"])
        for kind in KINDS:
            self.root.fill(**{kind + "_first_page": self.chains[kind].first,
                              kind + "_nr_records": self.chains[kind].nr_records,
                              kind + "_nr_deleted": self.nr_deleted[kind]})
        tail = self.settings["root-tail"]
        self.build.memory.write(self.root.phys + ROOT_SIZE, b"\xa5" * tail)

    def _records(self, kind, items, deleted, values):
        for i, (item, record) in enumerate(zip(items, self.chains[kind].records)):
            if deleted(item):
                record.fill(flags=1, index=i)
                self.nr_deleted[kind] += 1
                continue
            record.fill(ref_count=1, index=i)
            record.fill(**values(item))
            tail = self.settings["record-tail"]
            self.build.memory.write(record.phys + record.size - tail, b"\x5a" * tail)

    def _address(self, kind, item):
        return self.chains[kind].address(item.index)

    def _unit(self, unit):
        bitmap = unit.context_bitmap()
        settings = unit.settings
        out = {"context_tables_%d" % i: bitmap >> (64 * i) & (1 << 64) - 1 for i in range(8)}
        out.update(ref_count=sum(1 for d in self.build.devices if d.live and d.unit is unit),
                   type=1, segment=unit.segment, token=settings["token"],
                   mode=2 if unit.scalable else 1, host_address_width=settings["haw"],
                   root_table=unit.root, cap=settings["cap"], ecap=settings["ecap"],
                   first_did=settings["first-did"], did_limit=settings["did-limit"])
        return out

    def _domain(self, domain):
        users = sum(1 for a in self.attachments if not a.deleted and a.domain is domain)
        users += sum(1 for h in self.build.hwpts if not h.deleted and h.domain is domain)
        first = domain.stage == "first"
        return {"ref_count": users, "stage": 1 if first else 2, "format": 1 if first else 2,
                "top_table": domain.top, "top_level": domain.top_level,
                "input_width": domain.input_width, "output_width": domain.output_width,
                "features": domain.features, "page_size_bitmap": domain.page_size_bitmap,
                "nr_table_pages": domain.table.nr_tables}

    def _flags(self, device):
        return (1 if device.ats else 0) | (4 if device.reset_works else 0)

    def _device(self, device):
        users = sum(1 for a in self.attachments if a.device is device) + len(device.aliases)
        return {"ref_count": users, "segment": device.segment, "bdf": device.bdf,
                "owner_token": self.file_data[device.iommufd["label"]].phys,
                "iommu": self._address("iommu", device.unit),
                "group_size": device.group_size, "device_flags": self._flags(device),
                "pasid_directory": device.directory_phys,
                "pasid_entries": device.pasid_entries}

    def _alias(self, pair):
        device, (segment, bdf, kind) = pair
        return {"segment": segment, "bdf": bdf, "device": self._address("device", device),
                "type": kind}

    def _attachment(self, attachment):
        return {"device": self._address("device", attachment.device),
                "domain": self._address("domain", attachment.domain),
                "pasid": attachment.pasid or 0,
                "attachment_flags": 0 if attachment.pasid is None else 1, "did": attachment.did}

    def _hwpt(self, hwpt):
        return {"iommufd_token": self.file_data[hwpt.iommufd["label"]].phys,
                "hwpt_token": hwpt.token, "domain": self._address("domain", hwpt.domain)}

    def iommufd_file(self, settings, hwpts):
        obj = self.file_data[settings["label"]]
        obj.fill(iommufd_token=settings["token"], root=self.root.phys,
                 nr_hwpts=sum(1 for h in hwpts if not h.deleted))
        return obj.phys

    def vfio_file(self, index, device):
        obj = self.build.data_page("vfio[%d]" % index, 64, VFIO_FILE)
        obj.fill(segment=device.segment, bdf=device.bdf, iommufd_token=device.owner,
                 device=self._address("device", device), device_flags=self._flags(device))
        return obj.phys

    def delete(self, kind, index):
        """Turn a record into a tombstone and count it; nothing else follows."""
        record = self.chains[kind].records[index]
        if record.get("flags") & 1:
            raise WriterError("%s[%d] is deleted already" % (kind, index))
        self.build.memory.write(record.phys, bytes(record.size))
        record.fill(flags=1, index=index)
        field = kind + "_nr_deleted"
        self.root.fill(**{field: self.root.get(field) + 1})

    def seal(self):
        for chain in self.chains.values():
            for page in chain.pages:
                self._seal(page)
        self._seal(self.root)

    def _seal(self, obj):
        obj.fill(crc=0)
        obj.fill(crc=zlib.crc32(self.build.memory.read(obj.phys, self.build.page_size)))
