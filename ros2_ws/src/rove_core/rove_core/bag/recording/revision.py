"""Which code recorded a bag."""

from __future__ import annotations

import subprocess
from pathlib import Path

import rove_core
from rove_core import __version__

TIMEOUT_SECONDS = 5.0


def code_revision() -> str:
    """Return the version and, in a checkout, what ``git describe`` says of it."""
    module = Path(rove_core.__file__).resolve()
    for root in module.parents:
        # A virtual environment may lie in a checkout of something else.
        own = root / "ros2_ws" / "src" / "rove_core" / "rove_core" / "__init__.py"
        if (root / ".git").exists():
            described = _describe(root) if own == module else ""
            return f"rove {__version__} {described}".strip()
    return f"rove {__version__}"


def _describe(root: Path) -> str:
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--tags"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
