"""Latency: how long things took on their way, each between two times that a bag knows.

Which clock a time is of stands with each series: ROS time where robots act on it (simulated, it may
run slower than the wall's), the senders' wall clock where only the time of publishing tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rove_core.arrays import FloatArray
from rove_core.bag.reader import Bag
from rove_core.bag.stats.commands import Commands
from rove_core.bag.stats.ledger import ledger_times
from rove_core.latency.legs import LEGS

DEVICE = "device to bridge, above the least"
FRAME = "operator frame to command"
SOLVE = "retargeting"
INFERENCE = "inference"
CHUNK = "observation to chunk recorded"
FIRST_ROW = "observation to first row"
USED = "observation to first command"
MEANING: Mapping[str, str] = {
    DEVICE: "wall: frame published minus device stamp, minus its least in this bag",
    FRAME: "wall: first command of a frame published minus that frame published",
    SOLVE: "measured by teleop",
    INFERENCE: "measured by policy",
    CHUNK: "ROS: log time minus stamp of the observation",
    FIRST_ROW: "ROS: row 0 due minus stamp of the observation",
    USED: "ROS: first command of a chunk minus stamp of its observation",
} | {leg.name: f"wall: ledger, at p99 {leg.limit_ms:g} ms allowed" for leg in LEGS}
"""Name of a series -> between which times; cameras and joints: log time minus stamp, ROS."""


@dataclass(frozen=True)
class Series:
    """Times of one kind, ms, in the order in which they happened."""

    values_ms: FloatArray = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        return len(self.values_ms)

    def percentile(self, q: float) -> float:
        """Return a percentile, ms; NaN without values."""
        return float(np.percentile(self.values_ms, q)) if len(self) else float("nan")

    def to_json(self) -> dict[str, float]:
        """Return the count, median, p99 and largest."""
        names = {"p50_ms": 50.0, "p99_ms": 99.0, "max_ms": 100.0}
        return {"count": len(self)} | {name: self.percentile(q) for name, q in names.items()}


def joined(parts: Iterable[Series]) -> Series:
    """Return one series of several bags' values."""
    return Series(np.concatenate([np.zeros(0), *(part.values_ms for part in parts)]))


def latencies(bag: Bag, commands: Commands) -> dict[str, Series]:
    """Return name -> series, those with values only.

    Raises:
        BagError: it cannot be read.
    """
    found: dict[str, list[float]] = defaultdict(list)
    frames: dict[int, int] = {}  # sequence -> published, wall ns
    offsets: list[int] = []
    observed: dict[int, int] = {}  # chunk -> stamp of its observation, ROS ns
    topics = [
        name
        for name in bag.topics
        if name.startswith("camera/")
        or name in ("joint_states", "operator/frame", "teleop/target", "policy/chunk")
    ]
    for topic, message, logged, published, _ in bag.messages(topics):
        stamp = _ns(message.header.stamp)
        if stamp <= 0:
            continue  # its sender had no clock yet
        if topic == "operator/frame":
            frames.setdefault(int(message.sequence), published)
            if message.device_stamp_ns > 0:
                offsets.append(published - int(message.device_stamp_ns))
        elif topic == "teleop/target":
            found[SOLVE].append(float(message.solve_ms))
        elif topic == "policy/chunk":
            observed.setdefault(int(message.chunk_id), stamp)
            found[INFERENCE].append(float(message.inference_ms))
            found[CHUNK].append((logged - stamp) / 1e6)
            found[FIRST_ROW].append((_ns(message.start) - stamp) / 1e6)
        else:
            found[f"{topic} to recorder"].append((logged - stamp) / 1e6)
    found[DEVICE] += [(offset - min(offsets)) / 1e6 for offset in offsets]
    found[FRAME] += _first_use(commands.frame, commands.published, frames)
    found[USED] += _first_use(commands.chunk, commands.stamps, observed)
    found |= ledger_times(bag)
    series = {name: np.array(values) for name, values in found.items() if values}
    return {name: Series(values[np.isfinite(values)]) for name, values in series.items()}


def _ns(stamp: Any) -> int:
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def _first_use(used: Any, times: Any, made: Mapping[int, int]) -> list[float]:
    """Return ms from when each was made to the first command that used it."""
    numbers, first = np.unique(used, return_index=True)
    return [
        float(times[i] - made[int(number)]) / 1e6
        for number, i in zip(numbers, first, strict=True)
        if number > 0 and int(number) in made and times[i] >= made[int(number)]
    ]
