# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Lays a description out in memory: everything that isn't stated is derived."""

import vtd
from edits import Edits
from iommu_series import Series
from iommuser_v1 import IommuserV1
from kho import Kho
from luo import Luo, Memfd
from objects import Registry
from pagetable import PageTable
from phys import Allocator, Memory, Preserved, WriterError, align_up

TOKEN_MEMFD, TOKEN_IOMMUFD, TOKEN_VFIO, TOKEN_OTHER = 0x1, 0x100, 0x1000, 0x8000


class Domain:
    def __init__(self, build, index, label, settings):
        self.index = index
        self.label = label
        self.settings = settings
        self.deleted = settings["deleted"]
        self.stage = settings["stage"]
        levels = settings["levels"]
        if self.stage not in ("first", "second"):
            raise WriterError("domain %s: stage is first or second" % label)
        if levels not in ((4, 5) if self.stage == "first" else (3, 4, 5)):
            raise WriterError("domain %s: no %s stage with %d levels" % (label, self.stage, levels))
        sign = settings["sign-extend"]
        sign = self.stage == "first" if sign is None else sign
        self.features = (settings["incoherent"] | sign << 1 | settings["snoop"] << 2 |
                         settings["dirty"] << 3 | settings["nested-parent"] << 4)
        self.top_level = levels - 1
        self.input_width = settings["input-width"] or 12 + 9 * levels
        self.output_width = settings["output-width"] or build.host_width
        self.page_size_bitmap = settings["page-sizes"]
        if self.deleted:
            self.table = None
            self.top = build.junk()
            return
        self.table = PageTable(build, label, self.stage, levels, sign, settings["snoop"],
                               build.packed)
        self.top = self.table.top


class Device:
    def __init__(self, build, index, settings):
        self.index = index
        self.settings = settings
        self.segment, self.bdf = settings["address"]
        self.name = vtd.bdf_text(self.segment, self.bdf)
        self.unit = build.pick(build.units, build.unit_labels, settings["unit"], "unit")
        self.domain = build.pick(build.domains, build.domain_labels, settings["domain"], "domain")
        self.deleted = settings["deleted"]
        self.live = not (self.deleted or settings["stale"] or self.domain.deleted or
                         not self.unit.live)
        self.iommufd = build.iommufd(settings["owner"])
        self.owner = self.iommufd["token"]
        self.group_size = settings["group-size"]
        self.ats = settings["ats"]
        self.reset_works = settings["reset-works"]
        self.aliases = [address + (1,) for address in settings["alias"]]
        self.aliases += [address + (2,) for address in settings["real-dma"]]
        if self.segment != self.unit.segment:
            raise WriterError("device %s isn't in its unit's segment" % self.name)
        self.did = settings["did"]
        if self.did is None:
            self.did = self.unit.did(self.domain.label)
        self.pasids = [(pasid, build.domain(label), self.unit.did(label))
                       for pasid, label in settings["pasid"]]
        self.pasid_entries = settings["pasid-entries"] if self.unit.scalable else 0
        self.directory_phys = 0
        if self.live:
            self._tables(build)
        elif self.unit.scalable:
            self.directory_phys = build.junk()

    def _tables(self, build):
        if not self.unit.scalable:
            if self.pasids:
                raise WriterError("device %s: legacy mode has no PASIDs" % self.name)
            for bdf in self._requesters():
                self.unit.legacy_entry(bdf, self.domain.table, self.did, self.ats)
            return
        directory = vtd.PasidDirectory(build, self.name, self.pasid_entries, build.packed)
        self.directory_phys = directory.phys
        self.unit.pasid_entry(directory, 0, self.domain, self.did)
        for pasid, domain, did in self.pasids:
            self.unit.pasid_entry(directory, pasid, domain, did)
        for bdf in self._requesters():
            self.unit.scalable_entry(bdf, directory, self.ats, bool(self.pasids))
            build.directories[self.segment, bdf] = directory

    def _requesters(self):
        return [self.bdf] + [bdf for _segment, bdf, _kind in self.aliases]


class Hwpt:
    def __init__(self, domain, token, iommufd, deleted):
        self.domain = domain
        self.token = token
        self.iommufd = iommufd
        self.deleted = deleted


class Build:
    """The finished image: memory, named objects, preserved set."""

    def __init__(self, description):
        self.description = description
        self.page_size = description.page_size
        self.packed = description.packed
        self.memory = Memory()
        self.registry = Registry(self.memory)
        self.registry.finders = vtd.find_entries(self)
        self.preserved = Preserved(self.page_size)
        self.allocator = Allocator(self.page_size, description.ram, self.preserved)
        self.host_width = max([unit["haw"] for unit in description.units.values()] or [46])
        self.units, self.domains, self.devices, self.hwpts = [], [], [], []
        self.unit_labels = list(description.units)
        self.domain_labels = list(description.domains)
        self.memfds, self.tables, self.directories = {}, {}, {}
        self.iommufds = []
        self.luo = self.state = self.state_root = None
        self._reserve()
        self._kho()
        self._sessions_with_defaults()
        self._memfds()
        self._iommu()
        self._luo()
        self._finish()

    # Small services for the parts.

    def pick(self, items, labels, label, what):
        if label is None:
            if not items:
                raise WriterError("no %s is described" % what)
            return items[0]
        if label not in labels:
            raise WriterError("no %s '%s'" % (what, label))
        return items[labels.index(label)]

    def domain(self, label):
        return self.pick(self.domains, self.domain_labels, label, "domain")

    def iommufd(self, label):
        for settings in self.iommufds:
            if label is None or settings["label"] == label:
                return settings
        raise WriterError("no iommufd '%s'" % label)

    def data_page(self, name, size, layout):
        """The object at the start of new preserved pages."""
        nr_pages = -(-size // self.page_size)
        phys = self.allocator.pages(max(nr_pages - 1, 0).bit_length())
        return self.registry.add(name, phys, size, layout)

    def junk(self):
        """A page that was freed and used for something else."""
        phys = self.allocator.pages(0, preserve=False)
        self.memory.write(phys, b"\xa5" * self.page_size)
        return phys

    # The steps.

    def _reserve(self):
        description = self.description
        for start, length in description.scratch:
            self.allocator.reserve(start, length)
        for _name, start, length in description.memblocks:
            self.allocator.reserve(start, length)
        for session in description.sessions:
            for settings in session["files"]:
                if settings["kind"] == "memfd" and settings["at"] is not None:
                    unit = self.page_size << settings["order"]
                    self.allocator.reserve(settings["at"], align_up(settings["size"], unit))
        for _label, _iova, length, settings in description.maps:
            if settings["phys"] is not None:
                self.allocator.reserve(settings["phys"], length)

    def _in_ram(self, phys, length):
        return any(start <= phys and phys + length <= start + size
                   for start, size in self.description.ram)

    def _kho(self):
        settings = dict(self.description.kho)
        settings["compatible"] = settings["compatible"] or settings["revision"]
        if settings["bitmap"] not in ("page", "512"):
            raise WriterError("kho bitmap= is page or 512")
        settings["bitmap"] = 512 if settings["bitmap"] == "512" else self.page_size
        self.kho_settings = settings
        self.kho = Kho(self, settings)
        kexec = self.description.kexec
        if kexec is None and settings["revision"] in ("kho-v3", "kho-v4"):
            kexec = {"release": "7.3.4", "count": 1}
        self.kexec = kexec
        if kexec:
            self.kho.add_kexec_metadata(kexec["release"], kexec["count"])

    def _sessions_with_defaults(self):
        description = self.description
        files = [f for s in description.sessions for f in s["files"]]
        if description.abi and not any(f["kind"] == "iommufd" for f in files):
            if not description.sessions:
                description.sessions.append({"name": "vm0", "files": []})
            description.sessions[0]["files"].append(
                {"kind": "iommufd", "label": "iommufd0", "token": None})
        counts = {"memfd": TOKEN_MEMFD, "iommufd": TOKEN_IOMMUFD, "other": TOKEN_OTHER}
        for session in description.sessions:
            for settings in session["files"]:
                if settings["token"] is None:
                    settings["token"] = counts[settings["kind"]]
                counts[settings["kind"]] += 1
                if settings["kind"] == "iommufd":
                    self.iommufds.append(settings)

    def _memfds(self):
        for session in self.description.sessions:
            for settings in session["files"]:
                if settings["kind"] == "memfd":
                    self.memfds[settings["label"]] = Memfd(self, len(self.memfds), settings)

    def _iommu(self):
        description = self.description
        if not description.abi:
            if description.units or description.domains or description.devices:
                raise WriterError("IOMMU state needs an abi")
            return
        for index, settings in enumerate(description.units.values()):
            self._unit(index, settings)
        for index, (label, settings) in enumerate(description.domains.items()):
            domain = Domain(self, index, label, settings)
            self.domains.append(domain)
            if domain.table:
                self.tables[label] = domain.table
                self._alias_tables(index, label, domain.table)
        for entry in description.maps:
            self._map(*entry)
        for index, settings in enumerate(description.devices.values()):
            self.devices.append(Device(self, index, settings))
        self._hwpts()
        if description.abi == "iommuser-v1":
            self.state = IommuserV1(self, description.abi_settings)
        else:
            self.state = Series(self, description.abi)
        self.state_root = self.state.write()

    def _unit(self, index, settings):
        if settings["mode"] not in ("legacy", "scalable"):
            raise WriterError("a unit's mode is legacy or scalable")
        if settings["token"] is None:
            settings["token"] = 0xfed90000 + 0x1000 * index
        unit = vtd.Unit(self, index, settings)
        if settings["deleted"]:
            unit.live = False
            self.preserved.remove(unit.root)
        for word in settings["tables"]:
            bus, _dot, half = word.partition(".")
            unit.table(int(bus, 16), int(half or "0"))
        self.units.append(unit)

    def _alias_tables(self, index, label, table):
        other = "domain%d" % index
        if other == label or other in self.domain_labels:
            return
        self.tables[other] = table
        self.registry.aliases["pt.%s.top" % other] = "pt[%s][%d:0]" % (label, table.top_level)

    def _map(self, label, iova, length, settings):
        domain = self.domain(label)
        if domain.table is None:
            raise WriterError("map: domain %s is deleted" % label)
        start = settings["phys"]
        if settings["memfd"]:
            name, _plus, offset = settings["memfd"].partition("+")
            if name not in self.memfds:
                raise WriterError("map: no memfd '%s'" % name)
            offset = int(offset or "0", 0)
            def source(done):
                return self.memfds[name].locate(offset + done)
        elif start is not None:
            if self._in_ram(start, length):
                self.preserved.add_missing(start, length)
            def source(done):
                return {"phys": start + done, "run": length - done}
        elif settings["alloc"]:
            start = self.allocator.pages(max(-(-length // self.page_size) - 1, 0).bit_length(),
                                         payload=True)
            def source(done):
                return {"phys": start + done, "run": length - done}
        else:
            raise WriterError("map: to what? memfd=, phys= or alloc")
        domain.table.map(iova, length, source, settings["page"], settings["perm"])

    def _hwpts(self):
        named = set()
        for settings in self.description.hwpts:
            self._hwpt(settings["domain"], settings)
            named.add(settings["domain"])
        for domain in self.domains:
            if domain.settings["hwpt"] and not domain.deleted and domain.label not in named:
                owners = [d.settings["owner"] for d in self.devices
                          if d.live and (d.domain is domain or domain in [p[1] for p in d.pasids])]
                self._hwpt(domain.label, {"token": None, "deleted": False,
                                          "iommufd": owners[0] if owners else None})

    def _hwpt(self, label, settings):
        token = settings["token"]
        domain = self.domain(label)
        self.hwpts.append(Hwpt(domain, len(self.hwpts) + 1 if token is None else token,
                               self.iommufd(settings["iommufd"]),
                               settings["deleted"] or domain.deleted))

    def _luo(self):
        self.sessions = [{"name": session["name"],
                          "files": [self._file(settings) for settings in session["files"]]}
                         for session in self.description.sessions]
        self._vfio_files()
        flbs = [dict(flb) for flb in self.description.flbs]
        if self.state:
            flbs.insert(0, {"name": self.state.flb_name, "data": self.state_root,
                            "count": len(self.iommufds)})
        if self.description.luo is None:
            if self.sessions or flbs:
                raise WriterError("sessions and FLBs need a LUO")
            return
        settings = dict(self.description.luo)
        settings["compatible"] = settings["compatible"] or settings["revision"]
        self.luo, size = Luo(self, settings).write(self.sessions, flbs)
        self.kho.add_subtree("LUO", self.luo, size)

    def _file(self, settings):
        kind = settings["kind"]
        if kind == "memfd":
            return {"compatible": settings["version"], "token": settings["token"],
                    "data": self.memfds[settings["label"]].write()}
        if kind == "other":
            return {"compatible": settings["label"], "token": settings["token"],
                    "data": settings["data"]}
        if not self.state:
            raise WriterError("an iommufd file needs an abi")
        hwpts = [h for h in self.hwpts if h.iommufd is settings]
        return {"compatible": self.state.IOMMUFD, "token": settings["token"],
                "data": self.state.iommufd_file(settings, hwpts)}

    def _vfio_files(self):
        """One file for each live device, in its iommufd's session."""
        for device in self.devices:
            if not device.live or not device.settings["vfio"]:
                continue
            token = device.settings["token"]
            entry = {"compatible": self.state.VFIO,
                     "token": TOKEN_VFIO + device.index if token is None else token,
                     "data": self.state.vfio_file(device.index, device)}
            for session, described in zip(self.sessions, self.description.sessions):
                if any(f is device.iommufd for f in described["files"]):
                    session["files"].append(entry)
                    break

    def _finish(self):
        description = self.description
        if description.memblocks:
            self.kho.add_memblock(description.memblocks)
            for _name, start, length in description.memblocks:
                self.preserved.add_missing(start, length)
        if description.scratch:
            phys = self.allocator.pages(0, preserve=False)
            self.registry.add("scratch", phys, 16 * len(description.scratch), stride=16,
                              entry="addr:0:8 size:8:8")
            for i, (start, length) in enumerate(description.scratch):
                self.memory.put(phys + 16 * i, 8, start)
                self.memory.put(phys + 16 * i + 8, 8, length)
            if description.hand_off:
                self._hand_off(phys, 16 * len(description.scratch))
        edits = Edits(self, description.edits)
        edits.preserve()
        self.kho.finish(self.preserved.blocks)
        for i, settings in enumerate(description.incoming):
            self._incoming(i, settings)
        for settings in description.next:
            self._next(settings)
        for i in range(description.decoys):
            phys = self.allocator.pages(0, preserve=False)
            self.memory.write(phys, self.memory.read(self.kho.fdt, self.page_size))
            self.registry.add("decoy[%d]" % i, phys, self.page_size)
        edits.before_sealing()
        if self.state:
            self.state.seal()
        edits.after_sealing()
        self.edits = edits

    def _hand_off(self, scratch, size):
        """What x86 tells the next kernel: boot parameters, and a node of the list they begin."""
        params = self.allocator.pages(0, preserve=False)
        self.memory.write(params + 0x202, b"HdrS")
        phys = self.allocator.pages(0, preserve=False)
        self.registry.add("boot_params", params, self.page_size,
                          "setup_data:592:8").fill(setup_data=phys)
        node = self.registry.add(
            "hand_off", phys, 48, "next:0:8 type:8:4 len:12:4 fdt_addr:16:8 fdt_size:24:8 "
            "scratch_addr:32:8 scratch_size:40:8")
        node.fill(type=10, len=32, fdt_addr=self.kho.fdt, fdt_size=self.page_size,
                  scratch_addr=scratch, scratch_size=size)

    def _next(self, settings):
        """A kernel that came up from what is described: its own tree, and what it has reused."""
        if self.kho_settings["revision"] == "kho-v1":
            raise WriterError("next-fdt is not for kho-v1")
        other = Kho(self, self.kho_settings, "next.")
        other.add_kexec_metadata("7.3.4", settings["count"])
        pages = [other.fdt] + [phys for _name, phys, _size in other.subtrees]
        other.finish(dict.fromkeys(pages, 0))
        reused = [self.registry.find("kho.node[%d]" % i).phys for i in range(self.kho.nodes)]
        for phys in reused + ([self.luo] if self.description.luo else []):
            self.memory.write(phys, b"\xa5" * self.page_size)

    def _incoming(self, index, settings):
        """The handover that the running kernel was started with: its tree and map stay."""
        other = Kho(self, self.kho_settings, "incoming[%d]." % index)
        other.add_kexec_metadata("7.3.3", settings["count"])
        pages = [other.fdt] + [phys for _name, phys, _size in other.subtrees]
        other.finish(dict.fromkeys(pages, 0))
