"""A bad cable where the kernel has no netem: two tap devices and this process between them.

`python -m tests.faults.relay NEAR FAR` makes the devices and carries Ethernet frames between them,
until its input ends. Each line of input says how bad it is, in the words of `tc netem` (loss,
delay with jitter, reorder, duplicate); an empty line: not at all.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time
from dataclasses import dataclass

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000  # linux/if_tun.h
FRAME = 65_536  # bytes, more than any frame


@dataclass(frozen=True)
class Badness:
    """What happens to a frame.

    Attributes:
        loss, duplicate: chance of either, 0..1.
        delay_s, jitter_s: it is late by this, give or take up to that.
        reorder: chance of not being late at all, and so of overtaking those that are.
        correlation: of that chance with that of the frame before.
    """

    loss: float = 0.0
    duplicate: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    reorder: float = 0.0
    correlation: float = 0.0

    @classmethod
    def parse(cls, words: str) -> Badness:
        """Return what words of `tc netem` mean.

        Raises:
            ValueError: an option that is not known.
        """
        found: dict[str, list[str]] = {}
        for word in words.split():
            if word[0].isalpha():
                found[word] = []
            else:
                found[list(found)[-1]].append(word)
        if unknown := set(found) - {"loss", "duplicate", "delay", "reorder"}:
            raise ValueError(f"{sorted(unknown)} given; allowed: loss, duplicate, delay, reorder")
        delay = [float(w.removesuffix("ms")) / 1e3 for w in found.get("delay", [])] + [0.0, 0.0]
        share = {
            key: [float(w.removesuffix("%")) / 100.0 for w in found.get(key, [])] + [0.0, 0.0]
            for key in ("loss", "duplicate", "reorder")
        }
        return cls(share["loss"][0], share["duplicate"][0], *delay[:2], *share["reorder"][:2])


class Fate:
    """Decides for the frames of one direction, one after the other.

    Args:
        badness: of the cable. rng: source of chance.
    """

    def __init__(self, badness: Badness, rng: random.Random) -> None:
        self._bad, self._rng, self._luck = badness, rng, rng.random()

    def of_next(self) -> list[float]:
        """Return after how many s each copy of the next frame arrives; none: it is lost."""
        bad, rng = self._bad, self._rng
        if rng.random() < bad.loss:
            return []
        copies = 2 if rng.random() < bad.duplicate else 1
        self._luck = bad.correlation * self._luck + (1.0 - bad.correlation) * rng.random()
        if bad.reorder and self._luck < bad.reorder:
            return [0.0] * copies
        late = bad.delay_s + bad.jitter_s * rng.uniform(-1.0, 1.0)
        return [max(0.0, late)] * copies


def open_tap(name: str) -> int:
    """Make a tap device and return its file; it goes when that is closed.

    Raises:
        OSError: no /dev/net/tun here, or no right to.
    """
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
    return tap


def carry(ends: tuple[int, int], orders: int) -> None:
    """Carry frames between two taps until there are no more orders."""
    rng = random.Random(1)
    across = {ends[0]: ends[1], ends[1]: ends[0]}
    fates = {end: Fate(Badness(), rng) for end in ends}
    waiting: list[tuple[float, int, int, bytes]] = []  # (due, number, to, frame)
    number, text = 0, b""
    while True:
        left = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select([*ends, orders], [], [], left)
        if orders in ready:
            news = os.read(orders, 4096)
            if not news:
                return
            *lines, text = (text + news).split(b"\n")
            for line in lines:
                fates = {end: Fate(Badness.parse(line.decode()), rng) for end in ends}
                print("done", flush=True)
        now = time.monotonic()
        for end in ends:
            if end in ready and (frame := _read(end)):
                for late in fates[end].of_next():
                    number += 1
                    heapq.heappush(waiting, (now + late, number, across[end], frame))
        while waiting and waiting[0][0] <= now:
            _, _, to, frame = heapq.heappop(waiting)
            _write(to, frame)


def _read(tap: int) -> bytes:
    try:
        return os.read(tap, FRAME)
    except OSError:  # the device is down: the cable is pulled
        return b""


def _write(tap: int, frame: bytes) -> None:
    try:
        os.write(tap, frame)
    except OSError:  # likewise, or its queue is full: lost, as on any cable
        return


if __name__ == "__main__":
    taps = open_tap(sys.argv[1]), open_tap(sys.argv[2])
    print("open", flush=True)
    carry(taps, sys.stdin.fileno())
