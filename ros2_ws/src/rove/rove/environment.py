"""The environment variables that ROS 2 wants, set for a process that sourced nothing.

`make` builds the workspace into the virtual environment, which is thereby an ament prefix. The
commands in its `bin` call :func:`ensure_ament_prefix` before anything imports ``rclpy``, so that
`.venv/bin/rove up` works in a bare shell, and the processes it starts inherit the result.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

# Set by the ROS wheels' start-up hook once its search path is in place. A child process of
# *another* environment inherits it and then never sets its own.
HOOK_GUARD = "_ROS_WHEELS_BOOTSTRAP_COMPLETE"


def put_first(paths: str | None, first: str) -> str:
    """Return the colon-separated ``paths`` with ``first`` in front and nowhere else."""
    rest = [path for path in (paths or "").split(os.pathsep) if path and path != first]
    return os.pathsep.join([first, *rest])


def is_ament_prefix(prefix: Path) -> bool:
    """Say whether packages are registered in ``prefix``."""
    return (prefix / "share" / "ament_index" / "resource_index" / "packages").is_dir()


def ensure_ament_prefix(
    environ: MutableMapping[str, str] | None = None, prefix: Path | None = None
) -> bool:
    """Put this environment first in the search paths of ROS; call it before importing rclpy.

    AMENT_PREFIX_PATH is where packages and their plug-ins are looked up. LD_LIBRARY_PATH is
    read by ROS itself (not only by the loader, which has read it already) to find the type
    support of a message package, so setting it here still helps.

    Args:
        environ: variables to change; the process's own by default.
        prefix: the environment's folder; ``sys.prefix`` by default.

    Returns:
        Whether ``prefix`` is an ament prefix; if not, nothing was changed: ROS then comes from
        a shell that sourced it, or is missing, which `rove doctor` tells.
    """
    environ = os.environ if environ is None else environ
    prefix = Path(sys.prefix) if prefix is None else prefix
    if not is_ament_prefix(prefix):
        return False
    environ["AMENT_PREFIX_PATH"] = put_first(environ.get("AMENT_PREFIX_PATH"), str(prefix))
    environ["LD_LIBRARY_PATH"] = put_first(environ.get("LD_LIBRARY_PATH"), str(prefix / "lib"))
    return True


def without_hook_guard(environ: MutableMapping[str, str]) -> dict[str, str]:
    """Return a copy of ``environ`` for a child process that runs another environment's Python."""
    return {name: value for name, value in environ.items() if name != HOOK_GUARD}
