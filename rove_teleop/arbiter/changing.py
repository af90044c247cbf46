"""A changed copy of a frozen record, at a fifth of the time of ``dataclasses.replace``.

The arbiter makes several of them in each of 200 ticks a second.
"""

from __future__ import annotations

from typing import Any, TypeVar

R = TypeVar("R")


def changed(record: R, **values: Any) -> R:
    """Return a copy of a frozen dataclass with slots in which these fields have other values.

    It is for records without ``__post_init__``, which would not be called.

    Raises:
        TypeError: a name that is no field.
    """
    copy: R = object.__new__(type(record))
    put, count = object.__setattr__, 0
    for name in record.__slots__:  # type: ignore[attr-defined]
        if name in values:
            put(copy, name, values[name])
            count += 1
        else:
            put(copy, name, getattr(record, name))
    if count < len(values):
        fields = record.__slots__  # type: ignore[attr-defined]
        raise TypeError(f"{sorted(set(values) - set(fields))} given; fields: {', '.join(fields)}")
    return copy
