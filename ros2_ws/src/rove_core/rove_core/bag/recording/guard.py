"""DiskGuard: how much room is left, in words and levels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from rove_core.errors import ConfigError

LOW_BYTES = 2 << 30
"""4 minutes of three cameras and all joints (8 MB/s): time to make room between two episodes."""
STOP_BYTES = 512 << 20
"""Enough to end an episode, to close its bag and to keep a system alive that shares the disk."""


class Room(IntEnum):
    """What a disk allows."""

    ENOUGH = 0
    LOW = 1
    """Episodes are recorded, with an alarm."""
    NONE = 2
    """Nothing is recorded until the disk is above the low-water mark again."""


@dataclass(frozen=True)
class DiskState:
    """A look at the disk: what it allows, free bytes and both in words."""

    room: Room
    free_bytes: int
    text: str


class DiskGuard:
    """Looks at the free space of the disk that holds the bags; a look may wait for the disk.

    Args:
        folder: of the bags.
        low_bytes: below this there is an alarm.
        stop_bytes: below this recording ends; it begins again above ``low_bytes``.
        free: returns the free bytes; by default the file system is asked.

    Raises:
        ConfigError: the marks are not 0 <= stop <= low.
    """

    def __init__(
        self,
        folder: Path,
        low_bytes: int = LOW_BYTES,
        stop_bytes: int = STOP_BYTES,
        free: Callable[[], int] | None = None,
    ) -> None:
        if not 0 <= stop_bytes <= low_bytes:
            raise ConfigError(
                "marks of the disk (stop, low)", (stop_bytes, low_bytes), "0 <= stop <= low, bytes"
            )
        self._folder, self._low, self._stop = Path(folder), low_bytes, stop_bytes
        self._free = free or (lambda: shutil.disk_usage(self._folder).free)
        self._stopped = False

    def look(self) -> DiskState:
        """Return what the disk allows now; a disk that cannot be asked allows nothing."""
        try:
            free = self._free()
        except OSError as error:
            self._stopped = True
            return DiskState(Room.NONE, 0, f"the disk of {self._folder} does not answer: {error}")
        if free < self._stop:
            self._stopped = True
        elif free >= self._low:
            self._stopped = False
        room = Room.NONE if self._stopped else Room.LOW if free < self._low else Room.ENOUGH
        wanted = self._low if room is not Room.ENOUGH else 0
        text = f"{free / 1e9:.1f} GB free on the disk of {self._folder}"
        return DiskState(room, free, f"{text}, {wanted / 1e9:.1f} GB wanted" if wanted else text)
