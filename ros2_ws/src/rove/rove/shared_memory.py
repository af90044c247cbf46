"""Removes what killed processes left of Fast DDS in /dev/shm.

A participant's ports and data are files there. Fast DDS's own tool knows a dead one by a lock file
that nobody holds, and each later process would print errors about ports that it cannot lock. It
overlooks ports that a writer opened after their reader had gone: those have no lock file, and stay
until the machine restarts, 50-200 kB each.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path("/dev/shm")
SETTLED_S = 1.0
"""A port that was created or opened for writing this recently may be about to be mapped."""
_PORT = re.compile(r"fastrtps_port\d+")


def clean_shared_memory(settled_s: float = SETTLED_S) -> list[str]:
    """Remove this user's ports and segments that no process uses; takes about 0.2 s.

    Args:
        settled_s: age in s from which on a port without a lock file is looked at; 0 where nobody
            else can be about to open one.

    Returns:
        names of the ports that were removed after Fast DDS's tool was through.
    """
    tool = shutil.which("fastdds", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
    if tool is not None:
        quiet = subprocess.DEVNULL
        subprocess.run([tool, "shm", "clean"], stdout=quiet, stderr=quiet, check=False, timeout=30)
    return _remove_forgotten(FOLDER, Path("/proc"), settled_s)


def _remove_forgotten(folder: Path, processes: Path, settled_s: float) -> list[str]:
    forgotten = [p for p in folder.glob("fastrtps_port*") if _is_forgotten(p, settled_s)]
    used = _mapped(processes) if forgotten else set()
    removed = []
    for port in forgotten:
        if port.name in used:
            continue
        for path in (port, folder / f"sem.{port.name}_mutex"):
            with contextlib.suppress(OSError):
                path.unlink()
        removed.append(port.name)
    return sorted(removed)


def _is_forgotten(port: Path, settled_s: float) -> bool:
    if not _PORT.fullmatch(port.name) or any(map(os.path.exists, (f"{port}_el", f"{port}_sl"))):
        return False
    try:
        found = port.stat()
    except OSError:
        return False
    return found.st_uid == os.getuid() and time.time() - found.st_ctime >= settled_s


def _mapped(processes: Path) -> set[str]:
    """Return the names of all ports that processes have mapped, as far as they may be read."""
    names: set[str] = set()
    for maps in processes.glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            names.update(_PORT.findall(maps.read_text(errors="replace")))
    return names
