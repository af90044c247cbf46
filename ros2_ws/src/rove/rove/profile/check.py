"""``rove profile check``: does a profile fit its robot?"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from rove.profile.report import print_report
from rove.profile.scene import make_scene
from rove_core.errors import ConfigError
from rove_core.robot import load_robot
from rove_core.robot.load import profile_path

TODO = "TODO"


def check_profile(console: Console, robot: str, picture: Path | None) -> int:
    """Print what a profile says; return 1 while a person still has to decide something.

    Args:
        console: where to print.
        robot: name of a shipped profile or path of one.
        picture: where to draw it, or None.

    Raises:
        ConfigError: the profile does not fit its URDF or itself, or the picture is no PNG.
    """
    if picture is not None and picture.suffix.lower() != ".png":
        raise ConfigError("picture", str(picture), "a file *.png", "argument --out")
    spec = load_robot(robot)
    scene = make_scene(spec, spec.home)
    print_report(console, scene)
    if picture is not None:
        from rove.profile.draw import draw

        draw(spec, picture)
        console.print(f"picture: {picture}", markup=False)
    for sentence in (*spec.warnings, *scene.problems):
        console.print(f"[yellow]warning[/] {_plain(sentence)}", soft_wrap=True)
    open_questions = todos(profile_path(robot))
    for number, line in open_questions:
        console.print(f"[yellow]to decide[/] line {number}: {_plain(line)}", soft_wrap=True)
    if open_questions:
        console.print(f"{spec.name} loads; {len(open_questions)} questions are left")
        return 1
    console.print(f"{spec.name} is well")
    return 0


def todos(path: Path) -> list[tuple[int, str]]:
    """Return (line, text) of the comments in which a person must decide something."""
    lines = path.read_text(encoding="utf-8").splitlines()
    marked = [(i, line.partition("#")[2]) for i, line in enumerate(lines, 1) if "#" in line]
    return [(i, text.partition(TODO)[2].lstrip(": ").strip()) for i, text in marked if TODO in text]


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
