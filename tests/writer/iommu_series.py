# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""IOMMU state in the layouts of the posted series."""

from chain import Chain
from phys import WriterError

PAGE = "next:0:8 count:8:8"
HEADER_1 = "idx:0:4 ref_count:4:4 flags:8:1 "
HEADER = "ref_count:0:4 flags:4:4 "
IOMMU = (112, HEADER + "token:8:8 type:16:8 restored:24:1 phys_addr:32:8 root_table:40:8 " +
         " ".join("context_tables_%d:%d:8" % (i, 48 + 8 * i) for i in range(8)))
DOMAIN = "top_table:8:8 top_level:16:8 vasz:24:4 sign_extend:28:1 "
DEVICE_56 = (56, HEADER + "devid:8:4 bdf:8:4 segment:12:4 did:16:8 domain:24:8 iommu:32:8 "
             "pasid_table:40:8 max_pasid:48:8")
ARRAYS = "iommus:%d:8 domains:%d:8 devices:%d:8"

LAYOUTS = {
    "iommu-v1": {
        "root": (48, "iommus:0:8 nr_iommus:8:8 domains:16:8 nr_domains:24:8 devices:32:8 "
                 "nr_devices:40:8"),
        "iommu": (37, HEADER_1 + "token:9:8 type:17:4 phys_addr:21:8 root_table:29:8"),
        "domain": (33, HEADER_1 + "top_table:9:8 top_level:17:8 restored_domain:25:8"),
        "device": (65, HEADER_1 + "token:9:8 devid:17:4 bdf:17:4 segment:21:4 did:25:4 "
                   "domain:29:8 iommu:37:8 type:45:4 pasid_table:49:8 max_pasid:57:8"),
        "iommufd": (4, "nr_hwpts:0:4", 13, "token:0:4 domain:4:8 reclaimed:12:1"),
        "flb": "iommu-v1",
    },
    "iommu-liveupdate-v1": {
        "root": (24, ARRAYS % (0, 8, 16)),
        "iommu": IOMMU,
        "domain": (37, HEADER + DOMAIN + "restored_domain:29:8"),
        "device": DEVICE_56,
        "iommufd": (8, "nr_hwpts:0:8", 24, "domain:0:8 token:8:8 reclaimed:16:1"),
        "flb": "iommu-liveupdate-v1",
    },
    "iommu-liveupdate": {
        "root": (32, "version:0:8 " + ARRAYS % (8, 16, 24)),
        "iommu": IOMMU,
        "domain": (40, HEADER + DOMAIN + "restored_domain:32:8"),
        "device": (72, HEADER + "devid:8:4 bdf:8:4 segment:12:4 dma_owner_token:16:8 did:24:8 "
                   "domain:32:8 iommu:40:8 restored:48:1 pasid_table:56:8 max_pasid:64:8"),
        "iommufd": (8, "nr_hwpts:0:8", 24, "domain:0:8 token:8:8 reclaimed:16:1"),
        "flb": "iommu-liveupdate",
    },
}
LAYOUTS["iommu-liveupdate-56"] = dict(LAYOUTS["iommu-liveupdate"], device=DEVICE_56)
VFIO = "bdf:0:2 segment:2:2 reset_works:4:1 iommufd_token:5:4"


class Series:
    IOMMUFD = "iommufd-v1"
    VFIO = "vfio-pci-v1"

    def __init__(self, build, abi):
        self.build = build
        self.layout = LAYOUTS[abi]
        self.flb_name = self.layout["flb"]
        for device in build.devices:
            if device.aliases or device.pasids:
                raise WriterError("%s has no aliases or PASID attachments" % abi)
        size, layout = self.layout["root"]
        phys = build.allocator.pages()
        self.root = build.registry.add("root", phys, size, layout)
        self.iommus = self._chain("iommu", len(build.units))
        self.domains = self._chain("domain", len(build.domains))
        self.devices = self._chain("device", len(build.devices))

    def _chain(self, kind, nr_records):
        size, layout = self.layout[kind]
        return Chain(self.build, kind, 16, size, layout, nr_records, PAGE, True)

    def write(self):
        """Fill root and records; the root's address."""
        self.root.fill(iommus=self.iommus.first, domains=self.domains.first,
                       devices=self.devices.first)
        self.root.fill_known({"nr_iommus": self.iommus.nr_records, "version": 1,
                              "nr_domains": self.domains.nr_records,
                              "nr_devices": self.devices.nr_records})
        for unit, record in zip(self.build.units, self.iommus.records):
            self._unit(unit, record)
        for domain, record in zip(self.build.domains, self.domains.records):
            self._header(record, domain.index, 0 if domain.deleted else 1, domain.deleted)
            record.fill_known({"top_table": domain.top, "top_level": domain.top_level,
                               "vasz": domain.input_width,
                               "sign_extend": 1 if domain.features & 2 else 0})
        for device, record in zip(self.build.devices, self.devices.records):
            self._device(device, record)
        return self.root.phys

    def _header(self, record, index, ref_count, deleted):
        record.fill_known({"idx": index, "ref_count": ref_count, "flags": 1 if deleted else 0})

    def _unit(self, unit, record):
        users = sum(1 for d in self.build.devices if d.live and d.unit is unit)
        self._header(record, unit.index, users, not unit.live)
        bitmap = unit.context_bitmap()
        record.fill_known({"token": unit.settings["token"], "type": 1,
                           "phys_addr": unit.settings["token"], "root_table": unit.root})
        record.fill_known({"context_tables_%d" % i: bitmap >> (64 * i) & (1 << 64) - 1
                           for i in range(8)})

    def _device(self, device, record):
        self._header(record, device.index, 0 if device.deleted else 1, device.deleted)
        record.fill_known({
            "token": device.owner, "dma_owner_token": device.owner, "devid": device.bdf,
            "segment": device.segment, "did": device.did, "pasid_table": device.directory_phys,
            "domain": self.domains.address(device.domain.index),
            "iommu": self.iommus.address(device.unit.index),
            "max_pasid": device.pasid_entries})

    def iommufd_file(self, settings, hwpts):
        """Data of an iommufd's LUO file."""
        index = self.build.iommufds.index(settings)
        head, head_layout, size, layout = self.layout["iommufd"]
        hwpts = [h for h in hwpts if not h.deleted]
        total = head + len(hwpts) * size
        obj = self.build.data_page("iommufd[%d]" % index, total, head_layout)
        obj.fill(nr_hwpts=len(hwpts))
        for i, hwpt in enumerate(hwpts):
            entry = self.build.registry.add("iommufd[%d].hwpt[%d]" % (index, i),
                                            obj.phys + head + i * size, size, layout)
            entry.fill(token=hwpt.token, domain=self.domains.address(hwpt.domain.index))
        return obj.phys

    def vfio_file(self, index, device):
        obj = self.build.data_page("vfio[%d]" % index, 9, VFIO)
        obj.fill(bdf=device.bdf, segment=device.segment, reset_works=int(device.reset_works),
                 iommufd_token=device.owner)
        return obj.phys

    def delete(self, kind, index):
        """Mark a record deleted, and nothing else."""
        record = getattr(self, kind + "s").records[index]
        record.fill(flags=record.get("flags") | 1)

    def seal(self):
        """These layouts have no checksums."""
