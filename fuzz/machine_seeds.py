#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Seeds of the state machines: restore and preserve. Each is a life, or calls that fail one after the other."""

import struct

# As in restore.c.
(CLAIM_UNIT, CLAIM_DOMAIN, CLAIM_DEVICE, ADVANCE_UNIT, ADVANCE_DOMAIN, ADVANCE_DEVICE, ADVANCE_OTHER, ARM, FINISH, ABORT,
 READ, CLAIM_ALL, HAND_OVER_ALL, LEAVE_ALL, ABANDON_ALL, VALIDATE_AGAIN) = range(16)
MAP, RESTORE, RESERVE = range(3)
RESTORED, HANDED_OVER, LEFT, ABANDONED = 2, 3, 4, 5
CLAIMS = (CLAIM_UNIT, CLAIM_DOMAIN, CLAIM_DEVICE)
BASES, LARGE_BASE = 9, 3
LIFE = [(CLAIM_ALL, 0), (HAND_OVER_ALL, 0), (LEAVE_ALL, 0), (ABANDON_ALL, 0), (FINISH, 0)]
# At each step it is tried whether all is over.
IMPATIENT = [step for what in LIFE for step in ((FINISH, 0), what)]


def restore_seed(base, steps, shift=0, level=2, options=1, fail_map_at=0, lost=0, edits=b""):
    return struct.pack("<BBBBHHB", shift, base, level, options, fail_map_at, lost, len(steps)) + \
        b"".join(bytes(step) for step in steps) + edits


def write(frame, offset, data):
    """As memory_write() takes it."""
    return struct.pack("<HHB", frame, offset, len(data)) + data


def armed(call, nth):
    """The nth of these calls fails in the next step."""
    return (ARM | (call + 3 * (nth >> 8)) << 4, nth & 0xff)


def failing(what, call):
    """A claim of something that fails ever later, until it works."""
    numbers = [*range(1, 12), 20, 40, 130, 258, 514, 520]
    return [step for nth in numbers for step in (armed(call, nth), what)] + [what]


def restore():
    for base in range(BASES):
        for shift in range(3 if base != LARGE_BASE else 1):
            yield "life-%d-%d" % (base, shift), restore_seed(base, LIFE, shift)
        yield "abort-%d" % base, restore_seed(base, [(CLAIM_ALL, 0), (ABORT, 0), (READ, 0), (CLAIM_ALL, 0)])
        yield "records-%d" % base, restore_seed(base, LIFE, level=0, options=0)
        yield "tables-%d" % base, restore_seed(base, LIFE, level=1, options=0)
        yield "impatient-%d" % base, restore_seed(base, IMPATIENT)
        yield "unclaimed-%d" % base, restore_seed(base, [(ABANDON_ALL, 0), (FINISH, 0)])
        yield "wrong-%d" % base, restore_seed(base, [(kind | variant << 4, number) for kind in CLAIMS
                                                     for variant in (1, 2, 3, 4, 5, 0) for number in range(3)])
    for base in (0, 4, 6):
        for kind in CLAIMS:
            for call in (MAP, RESTORE, RESERVE):
                before = [(CLAIM_UNIT, 0), (CLAIM_UNIT, 1)] if kind == CLAIM_DEVICE else []
                number = 3 if kind == CLAIM_DEVICE else 1
                yield "failing-%d-%d-%d" % (base, kind, call), restore_seed(base, before + failing((kind, number), call))
        going = [(CLAIM_ALL, 0)]
        for nth in range(1, 9):
            going += [armed(MAP, nth), (ADVANCE_DOMAIN | HANDED_OVER << 4, 0), armed(MAP, nth), (FINISH, 0),
                      armed(MAP, nth), (ADVANCE_UNIT | ABANDONED << 4, 0)]
        yield "going-on-%d" % base, restore_seed(base, going)
        for nth in (1, 2, 4, 7):
            yield "ending-%d-%d" % (base, nth), restore_seed(base, LIFE[:-1] + [armed(MAP, nth), (FINISH, 0),
                                                                                armed(RESTORE, nth), (FINISH, 0)])
    every = [(ADVANCE_UNIT + kind | state << 4, number) for kind in range(3) for state in range(8)
             for number in (0, 255)]
    yield "every-state", restore_seed(0, [(CLAIM_ALL, 0)] + every)
    yield "odd-kinds", restore_seed(0, [(ADVANCE_OTHER | 5 << 4, i) for i in range(16)] +
                                    [(READ | kind << 4, 0) for kind in range(9)] + [(VALIDATE_AGAIN, 0)])
    yield "beyond", restore_seed(0, [(READ | kind << 4, position) for kind in range(1, 7) for position in range(8)] +
                                 [(what, 2) for what in CLAIMS] + [(what, 255) for what in CLAIMS])
    devices = [(ADVANCE_DEVICE | state << 4, i) for state in (HANDED_OVER, LEFT) for i in range(6)]
    domains = [(ADVANCE_DOMAIN | HANDED_OVER << 4, i) for i in range(4)]
    for i in range(4):
        yield "one-domain-%d" % i, restore_seed(0, [(CLAIM_ALL, 0)] + devices + domains[:i] + domains[i + 1:] +
                                                [(FINISH, 0), domains[i], (FINISH, 0)])
    for i in range(2):
        yield "one-unit-%d" % i, restore_seed(0, [(CLAIM_UNIT, i)] + [(CLAIM_DEVICE, k) for k in range(6)] +
                                              [(CLAIM_DOMAIN, k) for k in range(4)] + devices + domains +
                                              [(ABANDON_ALL, 0), (FINISH, 0)])
    yield "back-and-forth", restore_seed(0, [(CLAIM_ALL, 0)] + [(ADVANCE_DEVICE | state << 4, 0) for state in
                                                                (3, 2, 3, 4, 5)] + [(ABORT, 0), (CLAIM_ALL, 0)])
    for base, nth in [(0, nth) for nth in (1, 2, 5, 9, 30, 100, 700)] + [(4, nth) for nth in range(1, 33)]:
        yield "unreadable-once-%d-%d" % (base, nth), restore_seed(
            base, [(CLAIM_ALL, 0), (ABORT, 0), (READ, 0), (CLAIM_ALL, 0)], fail_map_at=nth)
    for frame in range(1, 30, 4):
        yield "lost-%d" % frame, restore_seed(0, LIFE, lost=frame)
        yield "tampered-%d" % frame, restore_seed(0, LIFE, options=3, edits=write(frame, 0x48, b"\2"))


# As in preserve.c.
(PRESERVE_DOMAIN, PRESERVE_DEVICE, PRESERVE_PASID, PRESERVE_HWPT, UNPRESERVE_DOMAIN, UNPRESERVE_DEVICE, UNPRESERVE_PASID,
 UNPRESERVE_HWPT, FAIL, ADD_CONTEXT_TABLE, WRITE_TABLE, HIDE_TABLE, VERIFY, MISUSE, PRESERVE_ALL, JUMP) = range(16)
FAIL_MAP, FAIL_ALLOC, FAIL_PRESERVE = range(3)
WORLDS, FULL = 5, 3


def preserve_seed(world, program, shift=0, order=0):
    page_size = (0, 6, 7)[shift]
    return bytes((page_size, world, 0, order)) + b"".join(bytes(step) for step in program)


def fail(call, nth):
    return (FAIL, call, nth & 0xff, nth >> 8)


def jump(fail_at=0, damaged=0, flip=0):
    return (JUMP, fail_at, damaged & 0xff, damaged >> 8, flip)


def preserve():
    for world in range(WORLDS):
        yield "all-%d" % world, preserve_seed(world, [(PRESERVE_ALL, 0), (VERIFY, 0), jump(), (PRESERVE_ALL, 0), (VERIFY, 0)],
                                              order=world)
        yield "writer-ends-%d" % world, preserve_seed(world, [(PRESERVE_ALL, 0), (UNPRESERVE_DEVICE, 1)], order=128)
        yield "large-pages-%d" % world, preserve_seed(world, [(PRESERVE_ALL, 0), (VERIFY, 0)], 1 + world % 2)
    for call in (FAIL_MAP, FAIL_ALLOC, FAIL_PRESERVE):
        for what in ((PRESERVE_DOMAIN, 0), (PRESERVE_DEVICE, 2), (PRESERVE_DEVICE, 3), (PRESERVE_DEVICE, 4)):
            program = [(PRESERVE_DOMAIN, i) for i in range(4) if what != (PRESERVE_DOMAIN, i)]
            for nth in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 130, 260, 514):
                program += [fail(call, nth), what]
            yield "failing-%d-%d-%d" % ((call,) + what), preserve_seed(FULL, program + [what, (VERIFY, 0)])
    program = [(PRESERVE_ALL, 0)]
    for number in range(4):
        program += [(UNPRESERVE_PASID, number), fail(FAIL_ALLOC, 1), (PRESERVE_PASID, number), (UNPRESERVE_HWPT, number),
                    (PRESERVE_HWPT, number), (UNPRESERVE_DEVICE, number), (UNPRESERVE_DOMAIN, number), (MISUSE, number)]
    yield "interleaved", preserve_seed(FULL, program + [(VERIFY, 0), jump(3, 0x1034, 1), (PRESERVE_ALL, 0)], order=5)
    yield "many-holes", preserve_seed(4, [(PRESERVE_ALL, 0)] + [(UNPRESERVE_DEVICE, i) for i in range(20, 37)] +
                                      [(PRESERVE_ALL, 0), (VERIFY, 0)], order=11)
    yield "context-tables", preserve_seed(FULL, [
        (PRESERVE_ALL, 0), (UNPRESERVE_DEVICE, 0), (ADD_CONTEXT_TABLE, 0, 9), (ADD_CONTEXT_TABLE, 1, 0x91),
        (PRESERVE_DEVICE, 0), (VERIFY, 0), (UNPRESERVE_DEVICE, 5), (PRESERVE_DEVICE, 5), (ADD_CONTEXT_TABLE, 1, 4), jump(1),
        (PRESERVE_ALL, 0)])
    yield "generations", preserve_seed(FULL, [(PRESERVE_ALL, 0), jump(2, 5, 0x80)] * 3, order=3)
    yield "odd-tables", preserve_seed(2, [(WRITE_TABLE, 1, 0, 8, 0) + (1, 2, 3, 4, 5, 6, 7, 8), (PRESERVE_DOMAIN, 0),
                                          (HIDE_TABLE, 3, 0), (PRESERVE_ALL, 0), (HIDE_TABLE, 3, 0x80), jump()])
    for frame in range(0, 24, 3):
        yield "hidden-%d" % frame, preserve_seed(FULL, [(HIDE_TABLE, frame, 0), (PRESERVE_ALL, 0), (VERIFY, 0)])


TARGETS = {"restore": restore, "preserve": preserve}
