"""Commands: the ``joint_command``s of a bag as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray
from rove_core.bag.episode import COMMAND_HOLD_NS
from rove_core.bag.reader import Bag
from rove_core.errors import BagError

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Commands:
    """T commands in the order recorded; arrays are (T,) unless said otherwise.

    Attributes:
        stamps: ROS time of the tick, ns.
        published: when it was published, ns of the sender's wall clock.
        epoch, mode, authority, stage: of the tick.
        chunk, frame: the policy's chunk and the operator's frame in hand, 0 for none.
        position: (T, N) rad, joint order of the bag.
    """

    stamps: IntArray
    published: IntArray
    epoch: IntArray
    mode: IntArray
    authority: IntArray
    stage: IntArray
    chunk: IntArray
    frame: IntArray
    position: FloatArray

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def held_s(self) -> FloatArray:
        """(T,) s that each was in force: until the next one, and never longer than robots hold."""
        if not len(self):
            return np.zeros(0)
        return np.clip(np.diff(self.stamps, append=self.stamps[-1:]), 0, COMMAND_HOLD_NS) / 1e9

    @property
    def entered(self) -> IntArray:
        """Indices of the commands whose mode is not that of the one before."""
        return np.flatnonzero(np.diff(self.mode)) + 1


_WORDS = ("stamps", "published", "epoch", "mode", "authority", "stage", "chunk", "frame")


def read_commands(bag: Bag) -> Commands:
    """Read the commands of a bag; one without any gives empty arrays.

    Raises:
        BagError: it cannot be read, or a command has another number of joints than the bag says.
    """
    n = len(bag.info.joint_names)
    words: list[tuple[int, ...]] = []
    positions = []
    for topic, message, _, published, _ in (
        bag.messages(["joint_command"]) if "joint_command" in bag.topics else ()
    ):
        stamp = message.header.stamp
        words.append(
            (
                stamp.sec * 10**9 + stamp.nanosec,
                published,
                message.epoch,
                message.mode,
                message.authority,
                message.stage,
                message.chunk_id,
                message.operator_sequence,
            )
        )
        if len(message.position) != n:
            raise BagError(f"{topic} of {bag.path}: {len(message.position)} joints, not {n}")
        positions.append(message.position)
    columns = np.array(words, dtype=np.int64).reshape(-1, len(_WORDS)).T
    return Commands(
        **dict(zip(_WORDS, columns, strict=True)),
        position=np.array(positions, dtype=np.float64).reshape(-1, n),
    )
