# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a reader should find in the image, as the description has it (before any edit)."""

from vtd import bdf_text


def _iommu(unit):
    return {"index": unit.index, "token": "0x%x" % unit.settings["token"],
            "root_table": "0x%x" % unit.root, "deleted": not unit.live,
            "mode": "scalable" if unit.scalable else "legacy"}


def _domain(domain):
    return {"index": domain.index, "format": domain.stage, "top_table": "0x%x" % domain.top,
            "top_level": domain.top_level, "deleted": domain.deleted}


def _owner(build, iommufd):
    """What records of iommuser-v1 call an iommufd."""
    return "0x%x" % build.state.file_data[iommufd["label"]].phys


def _device(build, device):
    out = {"index": device.index, "bdf": device.name, "domain": device.domain.index,
            "iommu": device.unit.index, "did": device.did,
            "owner_token": "0x%x" % device.owner, "live": device.live,
            "pasid_table": "0x%x" % device.directory_phys, "deleted": device.deleted}
    if build.description.abi == "iommuser-v1":
        out["owner"] = _owner(build, device.iommufd)
    return out


def _hwpt(build, hwpt):
    return {"iommufd_token": "0x%x" % hwpt.iommufd["token"], "hwpt_token": "0x%x" % hwpt.token,
            "iommufd": _owner(build, hwpt.iommufd), "domain": hwpt.domain.index}


def _maps(device):
    leaves = []
    for iova, length, phys, _level, source in sorted(device.domain.table.leaves):
        memfd, offset = source or (None, None)
        leaves.append({"iova": "0x%x" % iova, "phys": "0x%x" % phys, "length": length,
                       "memfd": memfd, "offset": offset})
    return {"bdf": device.name, "leaves": leaves}


def expectation(build):
    def file(entry):
        return {"compatible": entry["compatible"], "token": "0x%x" % entry["token"],
                "data": "0x%x" % entry["data"]}
    return {
        "kho": "0x%x" % build.kho.fdt,
        "luo": None if build.luo is None else "0x%x" % build.luo,
        "abi": build.description.abi,
        "root": "0x%x" % build.state_root if build.state else None,
        "iommus": [_iommu(unit) for unit in build.units],
        "domains": [_domain(domain) for domain in build.domains],
        "devices": [_device(build, device) for device in build.devices],
        "aliases": [{"bdf": bdf_text(segment, bdf), "type": kind, "device": device.index}
                    for device in build.devices for segment, bdf, kind in device.aliases],
        "hwpts": [_hwpt(build, hwpt) for hwpt in build.hwpts if not hwpt.deleted]
                 if build.description.abi == "iommuser-v1" else [],
        "sessions": [{"name": session["name"], "files": [file(f) for f in session["files"]]}
                     for session in build.sessions],
        "maps": [_maps(device) for device in build.devices if device.live],
        "preserved": [["0x%x" % start, length] for start, length in build.preserved.ranges()],
    }
