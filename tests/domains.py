"""ROS domains for tests: each is used by nobody else on this machine."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path

# Fast DDS derives its ports from the domain; up to 101 they stay below Linux's ephemeral ports.
LARGEST = 101
FOLDER = Path(tempfile.gettempdir()) / f"rove-test-domains-{os.getuid()}"
PARTICIPANTS = 32  # of a domain, that discovery on one machine looks for
_held: dict[int, int] = {}  # domain -> lock


def claim_domain() -> int:
    """Return a domain that no other test process has, until this process ends.

    A lock on a file a domain holds the claim, so that the kernel frees it however a test ends.
    A graph that claimed nothing, or has another folder of temporary files, shows by its port.

    Raises:
        RuntimeError: all domains are taken.
    """
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    for offset in range(LARGEST):
        domain = 1 + (os.getpid() + offset) % LARGEST
        lock = os.open(FOLDER / str(domain), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        if _is_inhabited(domain):
            os.close(lock)
            continue
        _held[domain] = lock
        return domain
    raise RuntimeError(f"all {LARGEST} ROS domains are in use: see {FOLDER}")


def _is_inhabited(domain: int) -> bool:
    # DDSI-RTPS 9.6.1: participant p listens at 7410 + 250 domain + 2 p, the lowest p that is free.
    for participant in range(PARTICIPANTS):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", 7410 + 250 * domain + 2 * participant))
            except OSError:
                return True
    return False


def claimed() -> list[int]:
    """Return the domains that this process claimed."""
    return list(_held)
