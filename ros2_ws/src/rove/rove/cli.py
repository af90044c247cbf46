"""The ``rove`` command."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

from rove.environment import ensure_ament_prefix
from rove_core.errors import RoveError

# name -> (module with main(words) -> exit status, one line of help)
COMMANDS = {
    "up": ("rove.up", "start the node graph (robot, policy, operator bridge, recorder)"),
    "doctor": ("rove.doctor.cli", "check what the stack needs, with the cure beside each problem"),
    "heartbeat": ("rove.heartbeat_cli", "guard the robot: it stops when this program does"),
    "calibrate": ("rove.calibrate_cli", "measure an operator's size, or a device by two poses"),
    "keys": ("rove.keys_cli", "make and list the keys of bridge and operators"),
    "bag": ("rove.bag.cli", "show, verify, recover, measure, cut, draw and redact bags"),
    "profile": ("rove.profile.cli", "check and draw a robot profile, begin one from a URDF"),
}


def usage() -> str:
    """Return the text of ``rove --help``."""
    lines = ["usage: rove COMMAND ...", ""]
    lines += [f"  {name:9s} {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join([*lines, "", "`rove COMMAND --help` tells more."])


def main() -> int:
    """Run a subcommand; its module is imported only when it is asked for."""
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return 0 if words else 2
    if words[0] not in COMMANDS:
        print(f"error: command {words[0]!r} given; allowed: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    ensure_ament_prefix()
    command: Callable[[list[str]], int] = importlib.import_module(COMMANDS[words[0]][0]).main
    try:
        return command(words[1:])
    except RoveError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
