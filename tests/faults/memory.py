"""What Fast DDS leaves in /dev/shm: segments of a domain's ports, as files named after them."""

from __future__ import annotations

import re
from pathlib import Path

from tests import domains

FOLDER = Path("/dev/shm")
FIRST_PORT, PORTS = 7400, 250
"""RTPS 2.5, 9.6.2.3: a domain has 250 ports from 7400 on."""


def segments(held: list[int] | None = None) -> list[str]:
    """Return the segments of ports of domains, by default those that this process claimed."""
    wanted = set(domains.claimed() if held is None else held)
    found = []
    for path in FOLDER.glob("fastrtps_port*"):
        number = re.match(r"fastrtps_port(\d+)", path.name)
        if number and (int(number[1]) - FIRST_PORT) // PORTS in wanted:
            found.append(path.name)
    return sorted(found)
