# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A bad image: the tool finds exactly what is wrong with it."""

import re

from objects import evaluate
from tool import Failure, Image, build, require, require_hex

STATUSES = ("ok", "warnings", "incomplete", "errors")
SEVERITIES = ("info", "warning", "error")
VERIFY_KEYS = {"abi", "status", "findings", "checked"}
FINDING_KEYS = {"code", "severity", "phys", "record", "found", "expected", "message"}


def check_finding(finding):
    missing = FINDING_KEYS - set(finding)
    require(not missing, "a finding has no %s", ", ".join(sorted(missing)))
    require(finding["severity"] in SEVERITIES, "severity %r", finding["severity"])
    require_hex(finding["phys"], "%s.phys" % finding["code"])
    # Null where there is no such value.
    for key in ("found", "expected"):
        if finding[key] is not None:
            require_hex(finding[key], "%s.%s" % (finding["code"], key))
    require(finding["record"] is None or re.fullmatch(r"[a-z]+\[\d+\]", finding["record"]),
            "record %r", finding["record"])
    require(isinstance(finding["message"], str) and len(finding["message"]) > 10,
            "message %r", finding["message"])


def check_verify(report, status):
    """Does the JSON of verify have its shape, and agree with itself and the exit status?"""
    missing = VERIFY_KEYS - set(report)
    require(not missing, "verify --json has no %s", ", ".join(sorted(missing)))
    require(report["status"] in STATUSES, "status %r", report["status"])
    require(status == (1 if report["status"] in ("errors", "incomplete") else 0),
            "exit status %d with status %r", status, report["status"])
    require(report["checked"] and all(type(count) is int and count >= 0
                                      for count in report["checked"].values()),
            "checked %r", report["checked"])
    for finding in report["findings"]:
        check_finding(finding)
    worst = {"ok": "info", "warnings": "warning", "incomplete": "warning", "errors": "error"}
    found = [SEVERITIES.index(finding["severity"]) for finding in report["findings"]]
    require(SEVERITIES[max(found, default=0)] == worst[report["status"]],
            "status %r with findings no worse than %s", report["status"],
            SEVERITIES[max(found, default=0)])


def show_shape(status, shown):
    """Whatever the image: JSON of the right shape, or none and exit status 3."""
    require((shown is None) == (status == 3), "show --json: exit status %d", status)
    if shown is None:
        return
    for key in ("iommus", "domains", "devices", "sessions"):
        require(isinstance(shown.get(key), list), "show --json: %s is no array", key)
    require("abi" in shown and "root" in shown, "show --json: no abi or no root")


def listing(report):
    return "".join("\n%s %s at %s: %s" % (f["code"], f["severity"], f["phys"], f["message"])
                   for f in report["findings"][:12])


def check(case):
    built = build(case.description, case.lines)
    options = [re.sub(r"\{([^}]+)\}", lambda m: "0x%x" % evaluate(m.group(1), built.registry), word)
               for word in case.options]
    with Image(built, case.format, case.drops) as image:
        status, report = image.run_json("verify", "--limit", "1000000", *options, accept=(0, 1))
        try:
            check_verify(report, status)
            check_codes(case, report)
        except Failure as failure:
            raise Failure(str(failure) + listing(report)) from failure
        _status, text = image.run("verify", *options, accept=(status,))
        require(re.search(r"^%s " % case.code, text, re.MULTILINE),
                "verify does not name %s:\n%s", case.code, text[:2000])
        if case.shown:
            check_show(case, image, options, built)


def check_show(case, image, options, built):
    """It is shown without a crash. Where the FDT is, is told: the search takes most of the time."""
    if case.format == "flat" and not options:
        options = ["--kho", "0x%x" % built.kho.fdt]
    show_shape(*image.run_json("show", *options))
    image.run("show", *options)


def check_codes(case, report):
    codes = {finding["code"] for finding in report["findings"]}
    serious = {f["code"] for f in report["findings"] if f["severity"] != "info"}
    require(case.code in codes, "not found")
    extra = serious - {case.code} - case.also
    require(not extra, "found besides: %s", ", ".join(sorted(extra)))
    missing = case.also - codes
    require(not missing, "allowed but not found: %s", ", ".join(sorted(missing)))
    require(report["status"] == case.status, "status is %r, not %r", report["status"], case.status)
