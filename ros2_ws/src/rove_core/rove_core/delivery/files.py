"""Files that appear complete or not at all, also when the process or the power dies."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

DRAFT_SUFFIX = ".draft"


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable (a rename alone survives a crash of the process only)."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a file: a reader sees the old or the new content, nothing else.

    A process that is killed here leaves at most ``.NAME.<random>.draft`` beside it.

    Raises:
        OSError: folder missing, disk full, no permission; ``path`` is then as it was.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}{DRAFT_SUFFIX}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
