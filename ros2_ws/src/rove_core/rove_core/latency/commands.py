"""CommandLedger: the operator's way, on which a later command may overtake an earlier one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from rove_core.latency.ledger import OPEN, Ledger
from rove_core.latency.legs import Stamp


class CommandLedger:
    """Notes the first command that follows each frame, and when the robot applied it.

    A robot takes the newest command: one that was replaced before the drives looked is applied by
    the one that replaced it.

    Args:
        ledger: of the operator's legs.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._frame = (0, 0)
        self._waiting: deque[tuple[int, int]] = deque(maxlen=OPEN)

    def commanded(
        self,
        frame: tuple[int, int],
        command: tuple[int, int],
        stamps: Mapping[Stamp, int],
        now: float,
    ) -> None:
        """Take a command.

        Args:
            frame: lease and sequence of the frame that it follows; sequence 0: none.
            command: its epoch and sequence.
            stamps: that it carries, wall ns.
            now: s of the ledger's clock.
        """
        if frame[1] == 0 or frame == self._frame:
            return
        self._frame = frame
        self._waiting.append(command)
        self._ledger.note(command, stamps, now)

    def applied(
        self, epoch: int, sequences: Iterable[int], times_ns: Iterable[int], now: float
    ) -> None:
        """Take when commands of an epoch reached the drives, in order."""
        for sequence, ns in zip(sequences, times_ns, strict=False):
            while self._waiting and self._waiting[0] <= (epoch, sequence):
                command = self._waiting.popleft()
                if command[0] == epoch:  # those of an arbiter that died were never applied
                    self._ledger.complete(command, {Stamp.APPLIED: int(ns)}, now)
