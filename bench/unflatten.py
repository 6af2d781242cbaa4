#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Put the pieces of a flattened dump in their places, so that libkdumpfile 0.5.1 can read it.

usage: unflatten.py FLATTENED OUT
exit: 0 done, 1 the file is not a whole flattened dump, 2 wrong usage
"""
import struct
import sys

HEADER = 4096
SIGNATURE = b"makedumpfile\0\0\0\0"
PIECE = struct.Struct(">qq")


def unflatten(source, target):
    if not source.read(HEADER).startswith(SIGNATURE):
        raise ValueError("not a flattened dump")
    while True:
        head = source.read(PIECE.size)
        if len(head) != PIECE.size:
            raise ValueError("the end is missing")
        offset, size = PIECE.unpack(head)
        if (offset, size) == (-1, -1):
            return
        if offset < 0 or size < 0:
            raise ValueError(f"piece of {size} bytes at {offset}")
        data = source.read(size)
        if len(data) != size:
            raise ValueError("a piece is cut short")
        target.seek(offset)
        target.write(data)


def main():
    if len(sys.argv) != 3:
        print("usage: unflatten.py FLATTENED OUT", file=sys.stderr)
        return 2
    try:
        with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as target:
            unflatten(source, target)
    except (OSError, ValueError) as error:
        print(f"unflatten.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
