"""Stages of a run that survive a kill: each leaves its result with a digest of its inputs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rove_core.delivery.files import write_atomic
from rove_core.digest import digest, file_digest
from rove_core.errors import ConfigError

LEDGER = "stages.json"


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, all of it or nothing; NaN is refused."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    write_atomic(path, text.encode() + b"\n")


class Stages:
    """The ledger of a run's folder.

    Args:
        folder: where the results lie; made when needed.

    Attributes:
        reused: names of the stages whose results were still valid, in order.

    Raises:
        ConfigError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reused: list[str] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ConfigError(
                "out", str(folder), "a folder that can be written", str(error)
            ) from error

    def run(self, name: str, inputs: Any, outputs: Sequence[str], work: Callable[[], None]) -> bool:
        """Do a stage unless its result is there for the same inputs; tell whether it was done.

        Args:
            name: of the stage.
            inputs: everything that the result depends on (``rove_core.digest``).
            outputs: files below the folder that ``work`` writes.
            work: does it; killed in the middle, it is done again.
        """
        key = digest(inputs)
        if self._valid(name, key, outputs):
            self.reused.append(name)
            return False
        self._record(name, None)
        work()
        self._record(name, {"inputs": key, "outputs": self._digests(outputs)})
        return True

    def _digests(self, outputs: Sequence[str]) -> dict[str, str]:
        return {output: file_digest(self.folder / output) for output in outputs}

    def _valid(self, name: str, key: str, outputs: Sequence[str]) -> bool:
        entry = self._read().get(name)
        if not isinstance(entry, dict) or entry.get("inputs") != key:
            return False
        if not all((self.folder / output).is_file() for output in outputs):
            return False
        return bool(entry.get("outputs") == self._digests(outputs))

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / LEDGER).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _record(self, name: str, entry: dict[str, Any] | None) -> None:
        ledger = self._read()
        ledger.pop(name, None)
        if entry is not None:
            ledger[name] = entry
        write_json(self.folder / LEDGER, ledger)
