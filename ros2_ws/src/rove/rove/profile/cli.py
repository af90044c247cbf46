"""``rove profile``: check, draw and begin robot profiles."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

WIDTH = 140


def main(words: list[str]) -> int:
    """Run ``rove profile``; return the exit status."""
    parser = argparse.ArgumentParser(prog="rove profile", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="validate a profile and draw the robot")
    check.add_argument("robot", help="a profile's file (*.yaml), or the name of a shipped one")
    check.add_argument("--out", type=Path, help="write a picture (*.png) of the robot")
    follow = commands.add_parser("follow", help="have robots follow a scripted operator's tour")
    follow.add_argument("robots", nargs="+", help="profiles' files, or names of shipped ones")
    follow.add_argument("--out", type=Path, help="write a picture strip (*.png)")
    new = commands.add_parser("new", help="write a first profile from a URDF")
    new.add_argument("urdf", type=Path, help="the robot's URDF")
    new.add_argument("--out", type=Path, help="the profile (default: NAME.yaml here)")
    new.add_argument("--force", action="store_true", help="overwrite an existing file")
    given = parser.parse_args(words)
    console = Console(highlight=False)
    if not console.is_terminal:  # a pipe or a log: do not fold tables
        console = Console(highlight=False, width=WIDTH)
    if given.command == "check":
        from rove.profile.check import check_profile

        return check_profile(console, given.robot, given.out)
    if given.command == "follow":
        from rove.profile.follow import follow_robots

        return follow_robots(console, given.robots, given.out)
    from rove.profile.new import new_profile

    return new_profile(console, given.urdf, given.out, given.force)
