# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""One-line changes to a finished image: the difference between clean and bad."""

import re

from objects import evaluate
from phys import WriterError

WIDTHS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
AFTER_SEALING = ("poke-sealed", "flip")
OPERATIONS = {
    "=": lambda old, new: new, "|=": lambda old, new: old | new,
    "&=": lambda old, new: old & new, "^=": lambda old, new: old ^ new,
    "+=": lambda old, new: old + new, "-=": lambda old, new: old - new,
}


class Edits:
    def __init__(self, build, lines):
        self.build = build
        self.registry = build.registry
        self.memory = build.memory
        self.lines = lines

    def _each(self, wanted):
        for line in self.lines:
            verb, _space, rest = line.partition(" ")
            if wanted(verb):
                try:
                    getattr(self, "_do_" + verb.replace("-", "_"))(rest.strip())
                except (WriterError, KeyError) as error:
                    raise WriterError("%s: %s" % (line, error)) from error

    def preserve(self):
        self._each(lambda verb: verb in ("preserve", "unpreserve"))

    def before_sealing(self):
        self._each(lambda verb: verb in ("set", "poke", "fill", "copy", "delete"))

    def after_sealing(self):
        self._each(lambda verb: verb in AFTER_SEALING)

    def number(self, text):
        value = evaluate(text, self.registry)
        if not isinstance(value, int):
            raise WriterError("'%s' is not a number" % text)
        return value

    def _words(self, text, least, most):
        words = text.split(None, most - 1)
        if len(words) < least:
            raise WriterError("%d operands are needed" % least)
        return words

    def _do_preserve(self, text):
        words = self._words(text, 1, 2)
        order = 0
        if len(words) > 1:
            if not words[1].startswith("order="):
                raise WriterError("preserve ADDRESS [order=N]")
            order = self.number(words[1][6:])
        self.build.preserved.add(self.number(words[0]), order)

    def _do_unpreserve(self, text):
        self.build.preserved.remove(self.number(text))

    def _do_set(self, text):
        match = re.fullmatch(r"(\S+?)\s*(=|\|=|&=|\^=|\+=|-=)\s*(.+)", text)
        if not match:
            raise WriterError("set NAME.FIELD = VALUE")
        path, operation, expression = match.groups()
        obj, field = self.registry.resolve(path)
        if field is None:
            raise WriterError("%s is not a field" % path)
        if self.build.state and field is obj.layout.get("crc"):
            raise WriterError("sealing would overwrite it: use poke-sealed")
        value = evaluate(expression, self.registry)
        if operation != "=":
            value = OPERATIONS[operation](obj.get_field(field), value)
        obj.put_field(field, value)

    def _poke(self, phys, width, text):
        self.memory.put(phys, WIDTHS[width], self.number(text))

    def _do_poke(self, text):
        phys, width, value = self._words(text, 3, 3)
        self._poke(self.number(phys), width, value)

    def _do_poke_sealed(self, text):
        name, offset, width, value = self._words(text, 4, 4)
        self._poke(self.registry.address(name) + self.number(offset), width, value)

    def _do_flip(self, text):
        name, byte, bit = self._words(text, 3, 3)
        phys = self.registry.address(name) + self.number(byte)
        self.memory.put(phys, 1, self.memory.get(phys, 1) ^ 1 << self.number(bit))

    def _do_fill(self, text):
        phys, length, value = self._words(text, 3, 3)
        self.memory.write(self.number(phys), bytes([self.number(value)]) * self.number(length))

    def _do_copy(self, text):
        target, source, length = self._words(text, 3, 3)
        self.memory.write(self.number(target),
                          self.memory.read(self.number(source), self.number(length)))

    def _do_delete(self, text):
        match = re.fullmatch(r"(\w+)\[(\d+)\]", text)
        if not match or not self.registry.find(text) or not self.build.state:
            raise WriterError("delete KIND[INDEX]")
        self.build.state.delete(match.group(1), int(match.group(2)))

    def file(self, data):
        """The changes to the finished file's bytes."""
        data = bytearray(data)
        for line in self.lines:
            words = line.split()
            if words[0] == "poke-file":
                offset, width = self.number(words[1]), WIDTHS[words[2]]
                value = self.number(" ".join(words[3:]))
                data[offset:offset + width] = value.to_bytes(width, "little")
            elif words[0] == "truncate-file":
                del data[self.number(words[1]):]
        return bytes(data)

    def has_file_edits(self):
        return any(line.split()[0] in ("poke-file", "truncate-file") for line in self.lines)
