"""PolicyStore: the signed policies on a robot, named by their content.

Files of the folder; one process owns it::

    <digest>.onnx       a policy that was accepted, complete: it gets this name by a rename
    <digest>.onnx.sig   its signature, there before the policy gets its name
    <digest>.part       the first bytes of one that is still arriving
    current.json        which one runs and which one ran before it
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rove_core.delivery.files import DRAFT_SUFFIX, sync_folder, write_atomic
from rove_core.errors import ConfigError, PolicyError
from rove_core.signing import Signature, read_signature, signature_path, verify, write_signature

PARTS = 4  # unfinished uploads that are kept; the one that waited longest goes first
_DIGEST = re.compile(r"[0-9a-f]{64}")  # also keeps a name inside the folder


@dataclass(frozen=True)
class Stored:
    """A policy of the store that was just verified."""

    path: Path
    signature: Signature


class Current(msgspec.Struct, frozen=True):
    """Digests of the policy that runs and of the one before it; "": none."""

    digest: str = ""
    previous: str = ""


class Partial:
    """The first bytes of a policy. What ``offset`` counts is on disk, not in a cache.

    Attributes:
        path: the file.
        size: bytes of the whole policy.
        offset: bytes that are there.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        self.offset = os.fstat(self._handle).st_size
        if self.offset > size:  # of another, wrong offer
            os.ftruncate(self._handle, 0)
            self.offset = 0

    def append(self, offset: int, data: bytes) -> None:
        """Add the next bytes and wait until they are on disk.

        Raises:
            PolicyError: not the next bytes, or more than ``size``.
            OSError: disk full or broken; ``offset`` still tells the truth.
        """
        if offset != self.offset:
            raise PolicyError(f"piece at offset {offset} given, offset {self.offset} allowed")
        room = self.size - offset
        if not 0 < len(data) <= room:
            raise PolicyError(f"piece of {len(data)} bytes given, 1 to {room} allowed")
        view = memoryview(data)
        while view:
            written = os.pwrite(self._handle, view, self.offset)
            self.offset += written
            view = view[written:]
        os.fdatasync(self._handle)

    def close(self) -> None:
        """Leave the file as it is, to be continued."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class PolicyStore:
    """The policies on this robot.

    Args:
        folder: made if it does not exist.

    Raises:
        ConfigError: the folder cannot be made.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            allowed = f"a folder that this user may write ({error})"
            raise ConfigError("policy store", str(folder), allowed) from error

    def path(self, digest: str) -> Path:
        """Return where the policy of that digest is, or would be."""
        return self.folder / f"{_checked(digest)}.onnx"

    def digests(self) -> tuple[str, ...]:
        """Return the digests of the complete policies, newest signature first."""
        found = [p.stem for p in self.folder.glob("*.onnx") if _DIGEST.fullmatch(p.stem)]
        return tuple(sorted(found, key=lambda digest: (-self._created_ns(digest), digest)))

    def open(self, digest: str, trusted: Mapping[str, bytes]) -> Stored:
        """Verify a policy now, whatever was found when it came, and return it.

        Raises:
            PolicyError: no such policy, or see ``rove_core.signing.verify``.
        """
        path = self.path(digest)
        if not path.is_file():
            known = ", ".join(name[:12] for name in self.digests()) or "none"
            raise PolicyError(f"{path.parent}: no policy {digest[:12]}; stored: {known}")
        signature = read_signature(path)
        verify(path, signature, trusted)
        if signature.digest != digest:
            raise PolicyError(f"{path}: holds policy {signature.digest[:12]}, {digest[:12]} wanted")
        return Stored(path, signature)

    def current(self) -> Current:
        """Return which policy runs.

        Raises:
            PolicyError: the pointer is damaged; the error names the file.
        """
        path = self.folder / "current.json"
        try:
            current = msgspec.json.decode(path.read_bytes(), type=Current)
            for digest in (current.digest, current.previous):
                if digest:
                    _checked(digest)
        except FileNotFoundError:
            return Current()
        except (OSError, msgspec.MsgspecError, ValueError, PolicyError) as error:
            raise PolicyError(
                f"{path}: not a pointer to a policy ({error}); delete it and push a policy again"
            ) from error
        return current

    def make_current(self, digest: str) -> None:
        """Point to a complete policy; the one so far becomes the previous one.

        Raises:
            PolicyError: it is not in the store.
        """
        if not self.path(digest).is_file():
            raise PolicyError(f"{self.folder}: no policy {digest[:12]} to make current")
        try:
            old = self.current()
        except PolicyError:
            old = Current()  # a damaged pointer is replaced, too
        if old.digest != digest:
            new = Current(digest, old.digest)
            write_atomic(self.folder / "current.json", msgspec.json.encode(new))

    def begin(self, digest: str, size: int) -> Partial:
        """Start an upload, or go on with what an earlier one left.

        Raises:
            OSError: the folder is not writable or the disk is full.
        """
        path = self._part(digest)
        others = sorted(
            (p for p in self.folder.glob("*.part") if p != path), key=lambda p: p.stat().st_mtime_ns
        )
        for old in others[: max(len(others) - PARTS + 1, 0)]:
            old.unlink()
        return Partial(path, size)

    def commit(self, signature: Signature) -> Path:
        """Give a complete, checked upload its name, with its signature.

        Raises:
            OSError: the disk is full or broken; the upload stays partial.
        """
        path = self.path(signature.digest)
        write_signature(path, signature)
        os.replace(self._part(signature.digest), path)
        sync_folder(self.folder)
        return path

    def abandon(self, digest: str) -> None:
        """Forget what arrived of an upload; complete policies stay."""
        self._part(digest).unlink(missing_ok=True)

    def discard(self, digest: str) -> None:
        """Forget a complete policy; one that is not there is no error."""
        # The policy goes first: a signature alone is nothing, a policy alone is unsigned.
        self.path(digest).unlink(missing_ok=True)
        signature_path(self.path(digest)).unlink(missing_ok=True)

    def keep(self, newest: int) -> tuple[str, ...]:
        """Remove all but the newest policies and what a killed process left behind; the current
        and the previous one always stay. Returns the digests that went.

        Raises:
            PolicyError: less than 1, or a damaged pointer (then nothing is removed).
        """
        if newest < 1:
            raise PolicyError(f"{newest} policies to keep given, at least 1 allowed")
        current = self.current()
        stay = {*self.digests()[:newest], current.digest, current.previous}
        gone = tuple(digest for digest in self.digests() if digest not in stay)
        for digest in gone:
            self.discard(digest)
        for draft in self.folder.glob(f".*{DRAFT_SUFFIX}"):
            draft.unlink(missing_ok=True)
        for orphan in self.folder.glob("*.onnx.sig"):
            if not orphan.with_suffix("").exists():
                orphan.unlink(missing_ok=True)
        return gone

    def _part(self, digest: str) -> Path:
        return self.folder / f"{_checked(digest)}.part"

    def _created_ns(self, digest: str) -> int:
        with contextlib.suppress(PolicyError):
            return read_signature(self.path(digest)).created_ns
        return 0  # without a readable signature it is the first to go


def _checked(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise PolicyError(f"digest {digest[:80]!r} given, 64 hex digits allowed")
    return digest
