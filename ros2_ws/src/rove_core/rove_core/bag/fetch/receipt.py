"""Receipt: ``pulled.json`` in a bag on the learner's machine, what it is a copy of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from rove_core.bag.keeping.digests import FileStamp
from rove_core.bag.keeping.marks import MarkedFile
from rove_core.bag.keeping.names import PULLED_FILE
from rove_core.delivery.files import write_atomic

PULLED_SCHEMA_VERSION = 1


class Receipt(msgspec.Struct, frozen=True):
    """Where a bag came from.

    Attributes:
        robot: name of the robot's profile.
        robot_key: the robot's public CURVE key, z85: two robots may have bags of one name.
        at: when it arrived, ISO 8601.
        files: what the robot had then, by name.
    """

    robot: str
    robot_key: str
    at: str
    files: dict[str, MarkedFile]
    pulled_schema_version: int = PULLED_SCHEMA_VERSION

    def is_of(self, stamps: Mapping[str, FileStamp]) -> bool:
        """Say whether the robot's bag did not change since."""
        return {name: file.stamp for name, file in self.files.items()} == dict(stamps)

    def hashes(self) -> dict[str, str]:
        """Return SHA-256 by name."""
        return {name: file.sha256 for name, file in self.files.items()}

    def write(self, bag: Path) -> None:
        """Write it into a bag.

        Raises:
            OSError: the disk refuses.
        """
        data = msgspec.json.format(msgspec.json.encode(self), indent=1)
        write_atomic(bag / PULLED_FILE, data + b"\n")


def read_receipt(bag: Path) -> Receipt | None:
    """Return the receipt of a bag, None where it has none that can be read."""
    try:
        receipt = msgspec.json.decode((bag / PULLED_FILE).read_bytes(), type=Receipt)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None
    return receipt if receipt.pulled_schema_version == PULLED_SCHEMA_VERSION else None
