# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The clean images of tests/writer: nothing is found, and what is shown is what was described."""

import os

import expect
from bad import check_verify, listing
from tool import WRITER, Failure, Image, build, require

# What an unpreserved device leaves behind in that layout; what Linux would not write.
WARNED = {"iommu-v1-deleted": {"REC-24"}, "memfd-holes": {"LUO-29"}}
FORMATS = ("flat", "elf", "ikho")


def images():
    """All pairs of description and format."""
    names = sorted(name[:-5] for name in os.listdir(os.path.join(WRITER, "clean"))
                   if name.endswith(".desc"))
    require(names, "there are no clean descriptions")
    return [(name, kind) for name in names for kind in FORMATS]


def same(found, expected, what):
    require(found == expected, "%s is %r, not %r", what, found, expected)


def check_records(shown, expected):
    for key in ("iommus", "domains", "devices"):
        same(len(shown[key]), len(expected[key]), "number of " + key)
        for i, (record, wanted) in enumerate(zip(shown[key], expected[key])):
            same(record["index"], i, "%s[%d].index" % (key, i))
            same(record["deleted"], wanted["tombstone"], "%s[%d].deleted" % (key, i))
            if not wanted["tombstone"] or wanted["kept"]:
                check_fields(record, wanted["fields"], "%s[%d]" % (key, i))


def check_fields(record, fields, what):
    for name, value in fields.items():
        same(record[name], value, "%s.%s" % (what, name))


def wanted_records(expected):
    """What show should say of the records: iommuser-v1 keeps nothing of those that are deleted."""
    sealed = expected["abi"] == "iommuser-v1"
    has_owner = expected["abi"] in ("iommuser-v1", "iommu-v1", "iommu-liveupdate")
    out = {}
    for key in ("iommus", "domains", "devices"):
        out[key] = []
        for wanted in expected[key]:
            fields = {name: value for name, value in wanted.items()
                      if name not in ("deleted", "live", "mode", "format")}
            gone = wanted["deleted"] or (sealed and not wanted.get("live", True))
            if key == "devices" and not has_owner:
                fields["owner_token"] = None
            if not gone and key == "iommus" and any(d["live"] and d["iommu"] == wanted["index"]
                                                    for d in expected["devices"]):
                fields["mode"] = wanted["mode"]
            if not gone and key == "domains" and any(d["live"] and d["domain"] == wanted["index"]
                                                     for d in expected["devices"]):
                fields["format"] = wanted["format"] + "-stage"
            out[key].append({"tombstone": gone, "kept": not sealed, "fields": fields})
    return out


STATES = ("preserved", "claimed", "restored", "handed-over", "left", "abandoned", "finished")


def check_states(shown, states):
    """Where records stand is shown if it was told; of a deleted one only that it is."""
    for kind, key in enumerate(("iommus", "domains", "devices"), 1):
        told = [STATES[state] for number, values in states if number == kind for state in values]
        wanted = ["deleted" if record["deleted"] else state
                  for record, state in zip(shown[key], told)]
        same([record["state"] for record in shown[key] if "state" in record], wanted,
             "states of " + key)


def check_show(shown, built):
    expected = expect.expectation(built)
    same(shown["abi"], expected["abi"], "abi")
    same(shown["root"], expected["root"], "root")
    same(shown["kho"]["fdt"], expected["kho"], "kho.fdt")
    same(shown["luo"] and shown["luo"]["state"], expected["luo"], "luo.state")
    check_records(shown, wanted_records(expected))
    sessions = [{"name": session["name"],
                 "files": [{key: file[key] for key in ("compatible", "token", "data")}
                           for file in session["files"]]} for session in shown["sessions"]]
    same(sessions, expected["sessions"], "sessions")
    if expected["abi"] == "iommuser-v1":
        aliases = [{"bdf": alias["bdf"], "device": alias["device"],
                    "type": {"dma-alias": 1, "real-dma-parent": 2}[alias["type"]]}
                   for alias in shown["aliases"] if not alias["deleted"]]
        live = {device["index"] for device in expected["devices"] if device["live"]}
        same(aliases, [alias for alias in expected["aliases"] if alias["device"] in live], "aliases")
        hwpts = [{key: hwpt[key] for key in ("iommufd_token", "hwpt_token", "iommufd", "domain")}
                 for hwpt in shown["hwpts"] if not hwpt["deleted"]]
        same(hwpts, expected["hwpts"], "hwpts")


def check(image):
    name, kind = image
    built = build(name)
    with Image(built, kind) as file:
        status, report = file.run_json("verify", accept=(0, 1))
        try:
            check_verify(report, status)
            same({finding["code"] for finding in report["findings"]}, WARNED.get(name, set()),
                 "findings")
            same(report["status"], "warnings" if name in WARNED else "ok", "status")
        except Failure as failure:
            raise Failure(str(failure) + listing(report)) from failure
        file.run("verify", accept=(0,))
        _status, shown = file.run_json("show", accept=(0,))
        check_show(shown, built)
        check_states(shown, built.description.states if kind == "ikho" else [])
        file.run("show", accept=(0,))
