# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Named objects in memory, their fields, and the expressions that use them."""

import ast
import operator
import re

from phys import WriterError

NAME = r"[A-Za-z_]\w*(?:\.\w+|\[[^\]\s]*\])*"


class Field:
    """Where a value is: bytes (kind "u", "be" or "text"), or bits of them."""

    def __init__(self, offset, width, kind="u", shift=0, bits=None):
        self.offset = offset
        self.width = width
        self.kind = kind
        self.shift = shift
        self.bits = bits

    def at(self, offset):
        return Field(self.offset + offset, self.width, self.kind, self.shift, self.bits)


def fields(text):
    """Fields from "name:offset:width" words; width "s64" is text of 64 bytes,
    "b4" a big-endian number, and "8/3.2" bits 3 and 4 of an 8-byte number."""
    out = {}
    for word in text.split():
        name, offset, width = word.split(":")
        if width[0] == "s":
            out[name] = Field(int(offset), int(width[1:]), "text")
        elif width[0] == "b":
            out[name] = Field(int(offset), int(width[1:]), "be")
        elif "/" in width:
            whole, part = width.split("/")
            shift, bits = part.split(".")
            out[name] = Field(int(offset), int(whole), "u", int(shift), int(bits))
        else:
            out[name] = Field(int(offset), int(width))
    return out


class Object:
    def __init__(self, memory, name, phys, size, layout=None, stride=0, entry=None):
        self.memory = memory
        self.name = name
        self.phys = phys
        self.size = size
        self.layout = layout or {}
        self.stride = stride
        self.entry = entry or {}

    def put_field(self, field, value):
        at = self.phys + field.offset
        if field.kind == "text":
            data = value if isinstance(value, bytes) else str(value).encode("latin-1")
            if len(data) > field.width:
                raise WriterError("%s: %d bytes don't fit in %d" %
                                  (self.name, len(data), field.width))
            self.memory.write(at, data.ljust(field.width, b"\0"))
            return
        if not isinstance(value, int):
            raise WriterError("%s: a number is needed" % self.name)
        order = "big" if field.kind == "be" else "little"
        if field.bits is not None:
            mask = ((1 << field.bits) - 1) << field.shift
            old = self.memory.get(at, field.width, order)
            value = (old & ~mask) | ((value << field.shift) & mask)
        elif not -(1 << (8 * field.width - 1)) <= value < 1 << (8 * field.width):
            raise WriterError("%s: 0x%x doesn't fit in %d bytes" %
                              (self.name, value, field.width))
        self.memory.put(at, field.width, value, order)

    def get_field(self, field):
        at = self.phys + field.offset
        if field.kind == "text":
            return self.memory.read(at, field.width).split(b"\0")[0].decode("latin-1")
        value = self.memory.get(at, field.width, "big" if field.kind == "be" else "little")
        if field.bits is not None:
            value = (value >> field.shift) & ((1 << field.bits) - 1)
        return value

    def fill(self, /, **values):
        for name, value in values.items():
            self.put_field(self.layout[name], value)

    def fill_known(self, values):
        """Set those of the values that this layout has."""
        for name, value in values.items():
            if name in self.layout:
                self.put_field(self.layout[name], value)

    def get(self, name):
        return self.get_field(self.layout[name])

    def part(self, rest):
        """Field for the rest of a path: ".name", "[i]" or "[i].name"."""
        match = re.fullmatch(r"\[([^\]]+)\](?:\.(\w+))?|\.(.+)", rest)
        if not match:
            raise WriterError("%s: can't follow '%s'" % (self.name, rest))
        if match.group(3):
            if match.group(3) not in self.layout:
                raise WriterError("%s has no field '%s', only: %s" %
                                  (self.name, match.group(3), ", ".join(sorted(self.layout))))
            return self.layout[match.group(3)]
        if not self.stride:
            raise WriterError("%s is not an array" % self.name)
        index = int(match.group(1), 0)
        if not 0 <= index < self.size // self.stride:
            raise WriterError("%s has no entry %d" % (self.name, index))
        if match.group(2):
            if match.group(2) not in self.entry:
                raise WriterError("%s: entries have no field '%s'" %
                                  (self.name, match.group(2)))
            return self.entry[match.group(2)].at(index * self.stride)
        return Field(index * self.stride, min(self.stride, 8))


class Registry:
    """All objects by name, and the finders of those that have no fixed name."""

    def __init__(self, memory):
        self.memory = memory
        self.objects = {}
        self.aliases = {}
        self.finders = []

    def add(self, name, phys, size, layout="", stride=0, entry="", alias=()):
        if isinstance(layout, str):
            layout = fields(layout)
        if isinstance(entry, str):
            entry = fields(entry)
        obj = Object(self.memory, name, phys, size, layout, stride, entry)
        if name in self.objects:
            raise WriterError("two objects named %s" % name)
        self.objects[name] = obj
        for other in alias:
            self.aliases.setdefault(other, name)
        return obj

    def find(self, name):
        if name in self.objects:
            return self.objects[name]
        if name in self.aliases:
            return self.objects[self.aliases[name]]
        for finder in self.finders:
            obj = finder(name)
            if obj is not None:
                return obj
        return None

    def resolve(self, path):
        """(object, field or None) that a path names; the longest object wins."""
        obj = self.find(path)
        if obj is not None:
            return obj, None
        cuts = [m.start() for m in re.finditer(r"[.\[]", path)]
        for cut in reversed(cuts):
            obj = self.find(path[:cut])
            if obj is not None:
                return obj, obj.part(path[cut:])
        raise WriterError("no object for '%s'" % path)

    def address(self, path):
        obj, field = self.resolve(path)
        return obj.phys + (field.offset if field else 0)

    def value(self, path):
        obj, field = self.resolve(path)
        if field is None:
            raise WriterError("%s is not a field" % path)
        return obj.get_field(field)

    def symbols(self):
        out = {name: "0x%x" % obj.phys for name, obj in self.objects.items()}
        out.update((name, out[target]) for name, target in self.aliases.items())
        return dict(sorted(out.items()))


OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.BitOr: operator.or_, ast.BitAnd: operator.and_, ast.BitXor: operator.xor,
    ast.LShift: operator.lshift, ast.RShift: operator.rshift, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.Invert: operator.invert, ast.USub: operator.neg,
}
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def number(text):
    match = re.fullmatch(r"(0x[0-9a-fA-F]+|\d+)([KMGT]?)", text)
    if not match:
        raise WriterError("'%s' is not a number" % text)
    return int(match.group(1), 0) * UNITS.get(match.group(2), 1)


def _walk(node, names):
    if isinstance(node, ast.Expression):
        return _walk(node.body, names)
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, str, bytes)):
        return node.value
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](_walk(node.left, names), _walk(node.right, names))
    if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](_walk(node.operand, names))
    raise WriterError("expression not understood")


def evaluate(text, registry):
    """A number or string: literals (K M G T suffixes), operators of C,
    @NAME for the address of an object or field, $NAME for a field's value."""
    names = {}

    def place(match):
        if match.group("text"):
            return match.group("text")
        key = "n%d" % len(names)
        if match.group("unit"):
            names[key] = number(match.group("unit"))
        elif match.group("kind") == "@":
            names[key] = registry.address(match.group("name"))
        else:
            names[key] = registry.value(match.group("name"))
        return key

    pattern = (r"(?P<text>b?\"(?:[^\"\\]|\\.)*\")|(?P<kind>[@$])(?P<name>" + NAME + r")"
               r"|\b(?P<unit>\d+[KMGT])\b")
    try:
        tree = ast.parse(re.sub(pattern, place, text.strip()), mode="eval")
        return _walk(tree, names)
    except (SyntaxError, TypeError, ValueError) as error:
        raise WriterError("expression '%s': %s" % (text, error)) from error
