"""Who writes: one recorder for a folder of bags, one writer for a bag.

Both are ``flock`` locks, which the kernel frees when the process that holds them dies, however it
dies. Locks of a network file system without ``flock`` support cannot be taken; that is an error.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from rove_core.errors import BagError

LOCK_NAME = ".recorder.lock"


class FolderLock:
    """Held by the one recorder of a folder until ``release`` or the end of its process.

    Args:
        folder: of the bags; made when it does not exist.

    Raises:
        BagError: another recorder holds it (its pid is named), or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = Path(folder) / LOCK_NAME
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Never truncated here: until the lock is ours, the text is the holder's.
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise BagError(f"folder of bags {folder} cannot be written: {error}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            self.release()
            raise BagError(
                f"folder of bags {folder} is in use by the recorder with pid "
                f"{_pid(self.path) or 'unknown'}; one recorder a folder is allowed"
            ) from None
        except OSError as error:
            self.release()
            raise BagError(f"folder of bags {folder} cannot be locked: {error}") from error

    def release(self) -> None:
        """Free the folder. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def recorder_of(folder: Path) -> int | None:
    """Return the pid of the recorder that holds a folder, None when nobody does."""
    path = Path(folder) / LOCK_NAME
    return _pid(path) if _is_locked(path) else None


def is_written(bag: Path) -> bool:
    """Say whether a living writer holds a bag (a folder, finished or ``.recording``)."""
    return any(_is_locked(file) for file in Path(bag).glob("*.mcap"))


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _pid(path: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int(path.read_text())
    return None
