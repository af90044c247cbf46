"""Readers of CDR messages, compiled from their definitions into one Python function a type.

Field after field through a general deserialiser costs more than everything else in reading a bag.
Here nested types are inlined, runs of numbers are unpacked in one call, numeric sequences become
numpy views, and a string or list of strings that equals the one in the message before (joint
names, frames, digests) is not read again.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import struct
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys.store import Typestore

Reader = Callable[[bytes], Any]
"""Takes CDR without its 4 bytes of encapsulation; what follows the message is ignored."""

UNREADABLE = (struct.error, ValueError, IndexError, KeyError, OverflowError)
"""What a reader raises for bytes that do not fit its type."""

_SCALARS = {
    "bool": "?",
    "byte": "b",
    "char": "B",
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}
_REMEMBERED = 1 << 16
"""Bytes; longer strings are read each time rather than kept."""


@functools.lru_cache(maxsize=512)
def reader(store: Typestore, type_name: str, little: bool = True) -> Reader:
    """Return the function that reads a message of a type of ``store``.

    Args:
        store: definitions; the messages are instances of its classes.
        type_name: for example ``sensor_msgs/msg/JointState``.
        little: byte order of the messages.

    Raises:
        KeyError: the type, or one that it needs, is unknown or has no CDR form here.
    """
    return _Source(store, little).compile(type_name)


def _string(body: bytes, at: int, size: int) -> str:
    """Return the string of ``size`` bytes, the closing zero among them, that begins at ``at``."""
    end = at + size
    if end > len(body):
        raise ValueError(f"a string of {size} bytes at byte {at} of {len(body)}")
    if not size:  # some writers leave out the zero of an empty string
        return ""
    if body[end - 1]:
        raise ValueError(f"a string at byte {at} that does not end in zero")
    return body[at : end - 1].decode()


def _strings(body: bytes, at: int, count: int, length: struct.Struct) -> tuple[list[str], int]:
    """Return ``count`` strings that begin at ``at`` and where they end."""
    if count > len(body):
        raise ValueError(f"{count} strings in {len(body)} bytes")
    found = []
    for _ in range(count):
        at = (at + 3) & -4
        (size,) = length.unpack_from(body, at)
        found.append(_string(body, at + 4, size))
        at += 4 + size
    return found, at


class _Source:
    """Writes the function. ``p`` is the place in the message that is known at run time only.

    ``p`` is a multiple of ``_modulus``; ``_offset`` bytes behind it have been laid out, and
    ``_format`` says how to unpack them into ``_targets``. Objects are made last, so that numbers
    on both sides of the end of a nested message still share a call.
    """

    def __init__(self, store: Typestore, little: bool) -> None:
        self._store, self._order = store, "<" if little else ">"
        self._lines: list[str] = []
        self._making: list[str] = []
        self._indent = 2
        self._count = 0
        self._remembered: list[str] = []
        self._names: dict[str, Any] = {
            "new": object.__new__,
            "view": np.frombuffer,
            "string": _string,
            "strings": _strings,
            "LENGTH": struct.Struct(self._order + "I"),
        }
        self._start(8)

    def compile(self, type_name: str) -> Reader:
        result = self._message(type_name)
        self._unpack()
        head = ["def make():"]
        head += [f"  {name} = ((), None, 0)" for name in self._remembered]  # nothing begins with ()
        head += ["  def read(body):"]
        if self._remembered:
            head.append("    nonlocal " + ", ".join(self._remembered))
        head += ["    p = 0"]
        self._make()
        text = "\n".join([*head, *self._lines, f"    return {result}", "  return read"])
        exec(compile(text, f"<reader of {type_name}>", "exec"), self._names)
        made: Reader = self._names["make"]()
        return made

    def _start(self, modulus: int) -> None:
        self._modulus, self._offset, self._format = modulus, 0, ""
        self._targets: list[str] = []

    def _write(self, line: str) -> None:
        self._lines.append("  " * self._indent + line)

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count}"

    def _constant(self, kind: str, value: Any) -> str:
        name = self._name(kind)
        self._names[name] = value
        return name

    def _make(self) -> None:
        for line in self._making:
            self._write(line)
        self._making = []

    def _unpack(self) -> None:
        """Emit what was laid out; afterwards ``p`` is behind it."""
        if self._format:
            layout = struct.Struct(self._order + self._format)
            if self._targets:
                unpack = self._constant("unpack", layout.unpack_from)
                comma = "," if len(self._targets) == 1 else ""
                self._write(f"{', '.join(self._targets)}{comma} = {unpack}(body, p)")
            self._write(f"p += {layout.size}")
        self._start(math.gcd(self._modulus, self._offset))

    def _align(self, size: int) -> None:
        """Lay out padding up to a multiple of ``size``, at run time when it is not known now."""
        if size > self._modulus:
            self._unpack()
        if size > self._modulus:
            self._write(f"p = (p + {size - 1}) & {-size}")
            self._start(size)
        padding = -self._offset % size
        if padding:
            self._format += f"{padding}x"
            self._offset += padding

    def _scalar(self, code: str) -> str:
        size = struct.calcsize("<" + code)
        self._align(size)
        name = self._name("v")
        self._format += code
        self._targets.append(name)
        self._offset += size
        return name

    def _field(self, description: Any) -> str:
        """Lay out or emit a field and return the name of its value."""
        kind, detail = description
        if kind == Nodetype.BASE:
            return self._string() if detail[0] == "string" else self._scalar(_SCALARS[detail[0]])
        if kind == Nodetype.NAME:
            return self._message(detail)
        (element, what), length = detail
        counted = kind == Nodetype.SEQUENCE
        count = self._scalar("I") if counted else str(length)
        if element == Nodetype.NAME:
            return self._messages(what, count)
        if what[0] == "string":
            return self._list_of_strings(count, counted)
        return self._numbers(what[0], count, counted)

    def _message(self, type_name: str) -> str:
        definition = self._store.get_msgdef(type_name)
        values = [self._field(description) for _, description in definition.fields]
        name = self._name("m")
        self._making.append(f"{name} = new({self._constant('Type', definition.cls)})")
        # Constants follow the fields of the class; they stay attributes of the class.
        fields = dataclasses.fields(cast(Any, definition.cls))[: len(values)]
        for field, value in zip(fields, values, strict=True):
            self._making.append(f"{name}.{field.name} = {value}")
        return name

    def _string(self) -> str:
        size = self._scalar("I")
        self._unpack()
        value, known = self._name("v"), self._name("known")
        self._remembered.append(known)
        self._write(f"begin, {value}, length = {known}")
        self._write("if body.startswith(begin, p - 4): p += length")
        self._write("else:")
        self._write(f"  {value} = string(body, p, {size})")
        self._write(f"  if {size} < {_REMEMBERED}:")
        self._write(f"    {known} = (body[p - 4 : p + {size}], {value}, {size})")
        self._write(f"  p += {size}")
        self._start(1)
        return value

    def _list_of_strings(self, count: str, counted: bool) -> str:
        if not counted:
            self._align(4)
        self._unpack()
        value, known = self._name("v"), self._name("known")
        self._remembered.append(known)
        place = "p - 4" if counted else "p"
        self._write(f"begin, {value}, length = {known}")
        self._write(f"if body.startswith(begin, {place}):")
        self._write(f"  {value} = {value}.copy()")  # a message's list is its own
        self._write("  p += length")
        self._write("else:")
        self._write(f"  {value}, end = strings(body, p, {count}, LENGTH)")
        self._write(f"  if end - p < {_REMEMBERED}:")
        self._write(f"    {known} = (body[{place} : end], {value}.copy(), end - p)")
        self._write("  p = end")
        self._start(1)
        return value

    def _numbers(self, base: str, count: str, counted: bool) -> str:
        code = "i1" if base in ("byte", "int8") else "u1" if base == "uint8" else _SCALARS[base]
        dtype = np.dtype("u1" if base == "char" else self._order + code)
        size = dtype.itemsize
        kind, value = self._constant("dtype", dtype), self._name("v")
        if not counted:
            self._align(size)
            self._unpack()
            self._write(f"{value} = view(body, {kind}, {count}, p)")
            self._write(f"p += {int(count) * size}")
            self._start(size)
            return value
        self._unpack()
        empty = self._constant("empty", np.frombuffer(b"", dtype))
        self._write(f"if {count}:")
        if size > self._modulus:
            self._write(f"  p = (p + {size - 1}) & {-size}")
        self._write(f"  {value} = view(body, {kind}, {count}, p)")
        self._write(f"  p += {count} * {size}" if size > 1 else f"  p += {count}")
        self._write(f"else: {value} = {empty}")
        self._start(min(size, 4))  # an empty sequence leaves p behind its count
        return value

    def _messages(self, type_name: str, count: str) -> str:
        self._unpack()
        outer, self._making = self._making, []
        value = self._name("v")
        self._write(f"if {count} > len(body): raise ValueError('{count} messages')")
        self._write(f"{value} = []")
        self._write(f"for _ in range({count}):")
        self._indent += 1
        self._start(1)
        element = self._message(type_name)
        self._unpack()
        self._make()
        self._write(f"{value}.append({element})")
        self._indent -= 1
        self._start(1)
        self._making = outer
        return value
