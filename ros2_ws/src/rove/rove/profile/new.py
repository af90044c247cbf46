"""``rove profile new``: a first profile from a URDF, with a TODO at each guess."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console

from rove.profile.anatomy import Anatomy, study
from rove.profile.grasp import Grasp, guess_grasp
from rove.profile.meshes import read_surfaces
from rove.profile.pairs import candidates, exceptions, groups_of
from rove.profile.parts import capsules
from rove.profile.posture import home_posture
from rove.profile.write import Draft, profile_text, source_of
from rove_core.errors import ConfigError
from rove_core.robot import load_robot
from rove_core.robot.collision import Capsule
from rove_core.robot.frame import Triple
from rove_core.robot.urdf import find_urdf, read_urdf

SEED = 0  # the same URDF gives the same profile


def new_profile(console: Console, urdf: Path, out: Path | None, force: bool) -> int:
    """Write a profile and say what is left to do; return 0.

    Args:
        console: where to print.
        urdf: the robot's model.
        out: the profile; None: named after the URDF, in this folder.
        force: whether to overwrite.

    Raises:
        ConfigError: no URDF, a robot without two arms and legs by name, or a file in the way.
    """
    if not urdf.is_file():
        raise ConfigError("URDF", str(urdf), "a file", "argument urdf")
    name = re.sub(r"\W+", "_", urdf.stem).strip("_").lower()
    target = Path(f"{name}.yaml") if out is None else out
    if target.suffix not in (".yaml", ".yml"):
        raise ConfigError("profile", str(target), "a file *.yaml", "argument --out")
    if target.exists() and not force:
        raise ConfigError("profile", str(target), "a file that is not there, or --force", "--out")
    text = draft_profile(urdf.resolve(), target.stem)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    spec = load_robot.__wrapped__(str(target))  # never a cached one: the file is new
    console.print(f"{target}: {spec.size} joints, {len(spec.collision.pairs)} pairs", markup=False)
    console.print(f"next: rove profile check {target} --out {target.stem}.png", markup=False)
    return 0


def draft_profile(urdf: Path, name: str) -> str:
    """Return the YAML of a first profile.

    Raises:
        ConfigError: the URDF cannot be read, or no two arms and legs are found by name.
    """
    rng = np.random.default_rng(SEED)
    model = read_urdf(urdf)
    anatomy = study(model)
    lacking = [f"{side}_{limb}" for limb in ("leg", "arm") for side in ("left", "right")]
    lacking = [group for group in lacking if group not in anatomy.groups]
    if lacking:
        raise ConfigError(
            "joints by name: none for", lacking, "names such as left_hip, r_elbow", str(urdf)
        )
    source = source_of(urdf, Path(sysconfig.get_path("purelib")))
    root = urdf.parent
    if "package" in source:
        root = find_urdf(source["package"], source["path"], str(urdf))[1]
    surfaces, problems = read_surfaces(urdf, root)
    grasps: dict[str, Grasp] = {}
    for side in anatomy.fingers:
        grasps[side] = guess_grasp(anatomy, side, surfaces)
    opened = {k: v for grasp in grasps.values() for k, v in grasp.opened.items()}
    shapes = capsules(anatomy, surfaces, opened, rng)
    groups = groups_of(shapes)
    home = home_posture(anatomy, candidates(shapes, groups), opened, rng)
    standing = _standing(anatomy, home)
    doubts = list(anatomy.doubts)
    if problems:
        first = " ".join(problems[0].split())
        doubts.append(f"{len(problems)} shapes could not be read, the first: {first}")
    if not shapes:
        doubts.append("no shape was found, so nothing keeps the arms from hitting the body")
    draft = Draft(
        anatomy=anatomy,
        source=source,
        home=home,
        grasps=grasps,
        shapes=shapes,
        shape_groups=groups,
        exceptions=exceptions(anatomy, shapes, groups, {"home": standing}, rng),
        camera=_eyes(shapes),
        doubts=doubts,
    )
    return profile_text(draft, name)


def _standing(anatomy: Anatomy, home: dict[str, float]) -> dict[str, float]:
    """Return every joint's rad as the loader will read it: unnamed ones nearest to 0."""
    posture = {}
    for name in anatomy.names:
        joint = anatomy.joint(name)
        margin = min(0.02, (joint.upper - joint.lower) / 10)
        nearest = float(np.clip(0.0, joint.lower + margin, joint.upper - margin))
        posture[name] = home.get(name, nearest)
    return posture


def _eyes(shapes: Mapping[str, Capsule]) -> Triple:
    """Return the front of the head's middle, m in the head's link: where a camera may look out."""
    head = shapes.get("head")
    if head is None:
        return 0.1, 0.0, 0.0
    front = max(head.start[0], head.end[0]) + head.radius
    return round(front, 3), 0.0, round((head.start[2] + head.end[2]) / 2, 3)
