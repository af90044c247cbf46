"""Checks of ROS 2: the distribution, our messages, and a real round trip between two processes."""

from __future__ import annotations

import importlib.util
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from rove.doctor.check import Check, fail, ok

DISTRIBUTION = "jazzy"
BUILD = "run any target of the Makefile, for example `make up`: it builds what is missing"
ROUND_TRIP_TIMEOUT = 20.0  # s, two interpreters and a discovery on a busy machine
PROBE = "rove.doctor.round_trip"


def check_ros(environ: Mapping[str, str] | None = None, module: str = "rclpy") -> Check:
    """Say whether ROS 2 Jazzy's Python client is there."""
    environ = os.environ if environ is None else environ
    sourced = environ.get("ROS_DISTRO")
    if sourced not in (None, "", DISTRIBUTION):
        cure = f"start from a shell that sources no ROS, or /opt/ros/{DISTRIBUTION}/setup.bash"
        return fail("ros", f"ROS 2 {sourced} is sourced", cure)
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return fail("ros", f"{module} cannot be imported by {sys.executable}", BUILD)
    origin = "sourced" if sourced else "the environment's wheels"
    return ok("ros", f"ROS 2 {DISTRIBUTION}, {origin} ({Path(spec.origin).parent})")


def source_folder() -> Path | None:
    """Return the folder of rove_msgs' source when this package runs from a checkout."""
    for parent in Path(__file__).resolve().parents:
        if (parent / "rove_msgs" / "package.xml").is_file():
            return parent / "rove_msgs"
    return None


def installed_folder(environ: Mapping[str, str] | None = None) -> Path | None:
    """Return the installed ``share/rove_msgs`` that AMENT_PREFIX_PATH finds first."""
    environ = os.environ if environ is None else environ
    for prefix in environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        share = Path(prefix) / "share" / "rove_msgs"
        if prefix and share.is_dir():
            return share
    return None


def interfaces(folder: Path) -> dict[str, str]:
    """Return the text of every message and service below ``folder``, by ``msg/Name.msg``."""
    # Services are installed with two generated halves of their own, which no source has.
    found = [*folder.glob("msg/*.msg"), *folder.glob("srv/*.srv")]
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(found)}


def check_messages(installed: Path | None, source: Path | None) -> Check:
    """Say whether rove_msgs is built, and from the source that lies here."""
    if installed is None:
        return fail("messages", "rove_msgs is not built", BUILD)
    built = interfaces(installed)
    found = f"rove_msgs, {len(built)} interfaces ({installed})"
    if source is not None:
        written = interfaces(source)
        stale = sorted(name for name in written if written[name] != built.get(name))
        gone = sorted(name for name in built if name not in written)
        if stale or gone:
            differ = ", ".join([*stale, *(f"{name} (removed)" for name in gone)])
            return fail("messages", f"built from other definitions than here: {differ}", BUILD)
    if importlib.util.find_spec("rove_msgs") is None:
        cure = f"{BUILD}; with a workspace of your own, source its setup.bash"
        return fail("messages", f"{found}, but Python does not find it", cure)
    return ok("messages", found)


def check_rmw(
    environ: Mapping[str, str] | None = None, timeout: float = ROUND_TRIP_TIMEOUT
) -> Check:
    """Send a message to another process and back through the middleware of this shell."""
    environ = dict(os.environ if environ is None else environ)
    environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    topic = f"rove_doctor_{secrets.token_hex(4)}"
    command = [sys.executable, "-m", PROBE]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environ}
    echo = subprocess.Popen([*command, "echo", topic, str(timeout)], **pipes)  # type: ignore[call-overload]
    try:
        asking = subprocess.run(
            [*command, "ask", topic, str(timeout)],
            capture_output=True, text=True, env=environ, timeout=timeout + 15, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return fail(
            "rmw", f"no round trip, and the probe hangs after {timeout:.0f} s", _cure(environ)
        )
    finally:
        echo.kill()
        echo_errors = echo.communicate()[1]
    if asking.returncode != 0:
        lines = (
            asking.stderr.strip() or echo_errors.strip() or "no message came back"
        ).splitlines()
        return fail("rmw", lines[-1], _cure(environ))
    # The last line: Fast DDS writes its own complaints to the same stream.
    middleware, milliseconds = asking.stdout.splitlines()[-1].split()
    domain = environ.get("ROS_DOMAIN_ID", "0")
    reach = environ["ROS_AUTOMATIC_DISCOVERY_RANGE"].lower()
    found = f"{middleware}, round trip {milliseconds} ms, domain {domain}, discovery {reach}"
    return ok("rmw", found)


def _cure(environ: Mapping[str, str]) -> str:
    chosen = environ.get("RMW_IMPLEMENTATION")
    if chosen and chosen != "rmw_fastrtps_cpp":
        return f"unset RMW_IMPLEMENTATION ({chosen}): rmw_fastrtps_cpp is the one that is tested"
    return (
        "unset FASTRTPS_DEFAULT_PROFILES_FILE, ROS_DISCOVERY_SERVER and CYCLONEDDS_URI; bring the "
        "loopback device up (ip link set lo up multicast on); see the shared memory line"
    )
