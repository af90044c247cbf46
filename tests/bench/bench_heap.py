"""Heap of an arbiter that drives, with a takeover and a hand-back each minute of virtual time.

`make bench` plays three minutes; `python -m tests.bench.bench_heap` plays the hour, 720,000 ticks,
in some ten minutes. Counted is what Python's allocator and malloc have given out, not what the
process holds, so that one lost object a tick shows after a minute.
"""

from __future__ import annotations

import ctypes
import gc
import math
import sys
from collections.abc import Iterator

import numpy as np

from rove_core.robot import load_robot
from rove_core.vocabulary import Button, Mode
from tests.bench.result import Result
from tests.faults.plant import TICK_S, Plant

MINUTE = round(60.0 / TICK_S)  # ticks
SHORT, HOUR = 3, 60
MOST_BYTES = 65_536.0
MOST_BLOCKS = 600.0  # of up to 512 bytes; interned strings and caches of a first time


class _Mallinfo2(ctypes.Structure):
    """What glibc's malloc tells of itself (mallinfo2, 3)."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks",
                     "uordblks", "fordblks", "keepcost")
    )  # fmt: skip


def _given_out() -> tuple[int, int]:
    """Return blocks of Python's allocator and bytes of malloc that are in use."""
    gc.collect()
    tell = ctypes.CDLL(None).mallinfo2
    tell.restype = _Mallinfo2
    info = tell()
    return sys.getallocatedblocks(), info.uordblks + info.hblkhd


def _minute(plant: Plant) -> None:
    """A takeover, two seconds of a human, a hand-back, and the policy for the rest."""
    until = plant.ticks + MINUTE
    plant.press(Button.TAKEOVER)
    plant.squeeze = 1.0
    for _ in range(400):
        plant.tick()
    assert plant.mode is Mode.HUMAN
    plant.press(Button.HAND_BACK)
    plant.squeeze = 0.0
    while plant.ticks < until:
        plant.tick()
    assert plant.mode is Mode.AUTONOMOUS


def grown(minutes: int) -> Iterator[Result]:
    """Yield by how much the heap grew over some minutes after a first one."""
    plant = Plant(load_robot("g1_dex3"), np.random.default_rng(1))
    plant.reach(Mode.AUTONOMOUS)
    _minute(plant)
    blocks, used = _given_out()
    for _ in range(minutes):
        _minute(plant)
    more, now = _given_out()
    name = f"arbiter heap, growth in {minutes} min of virtual time"
    yield Result(f"{name}, Python", float(more - blocks), "blocks", math.nan, MOST_BLOCKS)
    yield Result(f"{name}, malloc", float(now - used), "bytes", math.nan, MOST_BYTES)


def bench_heap() -> Iterator[Result]:
    """The short form."""
    yield from grown(SHORT)


if __name__ == "__main__":
    for result in grown(HOUR):
        print(result.line(), flush=True)
