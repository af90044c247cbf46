"""A person as a robot profile: a body with a right arm and hand, made of tapered capsules.

The lab builds, moves and films it as it does a robot, so a person does the same tasks under the
same physics. Measures are those of an adult of 1.75 m (Winter, Biomechanics of Human Movement,
table 4.1, rounded to the centimetre); legs and left arm are out of sight and only stand there.
Frames of the hand: x along the straight fingers, z out of the back of the hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rove_core.robot import CameraSpec, RobotSpec
from rove_core.robot.frame import Frame, Triple
from rove_core.robot.hand import Finger, HandSpec
from rove_sim.meshes import cache_folder

RECIPE = "person-1"  # part of the folder's name: raise it when anything here changes
PELVIS_HEIGHT, SHOULDER, EYES = 0.95, (0.0, 0.19, 0.45), (0.10, 0.0, 0.68)  # m
UPPER_ARM, FOREARM = 0.29, 0.26
PALM = 0.095  # from the wrist to the knuckles
VIDEO_FOVY = 1.25  # rad, of a wide head-worn camera
EYES_DOWN = 0.72  # rad
SKINS = ((0.93, 0.76, 0.65), (0.80, 0.60, 0.46), (0.56, 0.39, 0.29), (0.36, 0.24, 0.18))
SLEEVES = ((0.20, 0.30, 0.55), (0.45, 0.16, 0.18), (0.22, 0.40, 0.28), (0.75, 0.74, 0.70))

# Fingers: sideways place of the knuckle on the palm (thumb's side positive), lengths, radius, m.
FINGERS: Mapping[str, tuple[float, float, float, float]] = {
    "index": (0.029, 0.045, 0.042, 0.0085),
    "middle": (0.0095, 0.050, 0.045, 0.0088),
    "ring": (-0.010, 0.046, 0.042, 0.0083),
    "pinky": (-0.0285, 0.036, 0.034, 0.0075),
}
THUMB = (0.055, 0.042, 0.0100)
CURL = (1.2, 1.3)  # rad of the two joints of a closed finger
THUMB_CURL = (0.6, 1.0)


@dataclass(frozen=True)
class _Part:
    """A link: joint to its parent, and a tapered capsule from its origin to ``end``."""

    name: str
    parent: str
    place: Triple
    end: Triple = (0.0, 0.0, 0.0)
    radii: tuple[float, float] = (0.0, 0.0)
    cover: str = "skin"
    axis: Triple | None = None
    limits: tuple[float, float] = (0.0, 0.0)
    effort: float = 60.0
    rpy: Triple = (0.0, 0.0, 0.0)


def _parts() -> list[_Part]:
    x, y, z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    sx, sy, sz = SHOULDER
    right, left = (sx, -sy, sz), (sx, sy, sz)
    down = (0.0, 0.0, -UPPER_ARM)
    parts = [
        _Part("left_foot", "pelvis", (0, 0.10, -PELVIS_HEIGHT + 0.03), (0.1, 0, 0), (0.03, 0.03)),
        _Part("right_foot", "pelvis", (0, -0.10, -PELVIS_HEIGHT + 0.03), (0.1, 0, 0), (0.03, 0.03)),
        _Part("waist_yaw", "pelvis", (0, 0, 0.08), axis=z, limits=(-0.9, 0.9), effort=150),
        _Part("waist_pitch", "waist_yaw", (0, 0, 0), (0, 0, 0.34), (0.10, 0.11), "sleeve", y,
              (-0.2, 0.8), 150),
        _Part("head", "waist_pitch", (0, 0, 0)),
        _Part("left_shoulder", "waist_pitch", (left[0], left[1], left[2] - 0.08), down,
              (0.05, 0.04), "sleeve", rpy=(0.2, 0.35, 0.0)),
        _Part("left_elbow", "left_shoulder", down, (0, 0, -FOREARM), (0.04, 0.03)),
        _Part("left_wrist", "left_elbow", (0, 0, -FOREARM)),
        _Part("right_shoulder_pitch", "waist_pitch", (right[0], right[1], right[2] - 0.08), axis=y,
              limits=(-2.8, 1.0)),
        _Part("right_shoulder_roll", "right_shoulder_pitch", (0, 0, 0), axis=x, limits=(-2.0, 0.4)),
        _Part("right_shoulder_yaw", "right_shoulder_roll", (0, 0, 0), down, (0.055, 0.042),
              "sleeve", z, (-1.4, 1.4)),
        # Zero: the forearm hangs straight; the elbow bends forward.
        _Part("right_elbow", "right_shoulder_yaw", down, (0, 0, -0.15), (0.042, 0.036), "sleeve", y,
              (-2.4, 0.0)),
        _Part("right_forearm", "right_elbow", (0, 0, -0.15), (0, 0, 0.15 - FOREARM), (0.034, 0.026),
              "skin"),
        # From here on x points along the hand, z out of its back (to the person's right).
        _Part("right_wrist_roll", "right_elbow", (0, 0, -FOREARM), axis=x, limits=(-1.5, 1.5),
              rpy=(np.pi / 2, np.pi / 2, 0.0)),
        _Part("right_wrist_pitch", "right_wrist_roll", (0, 0, 0), axis=y, limits=(-1.2, 1.2)),
        _Part("right_wrist_yaw", "right_wrist_pitch", (0, 0, 0), axis=z, limits=(-0.6, 0.6)),
    ]  # fmt: skip
    for i, (side, *_) in enumerate(FINGERS.values()):
        parts.append(_Part(f"right_palm_{i}", "right_wrist_yaw", (0.012, 0.75 * side, 0.0),
                           (PALM - 0.012, 0.25 * side, 0.0), (0.015, 0.0125)))  # fmt: skip
    for name, (side, first, second, radius) in FINGERS.items():
        parts += [
            _Part(f"right_{name}_0", "right_wrist_yaw", (PALM, side, 0.0), (first, 0, 0),
                  (radius * 1.1, radius), axis=y, limits=(-0.05, 1.6), effort=1.4),
            _Part(f"right_{name}_1", f"right_{name}_0", (first, 0, 0), (second, 0, 0),
                  (radius, 0.85 * radius), axis=y, limits=(-0.05, 1.7), effort=1.4),
        ]  # fmt: skip
    first, second, radius = THUMB
    parts += [
        _Part("right_thumb_0", "right_wrist_yaw", (0.03, 0.012, -0.010), (0, 0, -first),
              (radius * 1.25, radius), axis=y, limits=(-1.0, 0.05), effort=1.4),
        _Part("right_thumb_1", "right_thumb_0", (0, 0, -first), (0, 0, -second),
              (radius, 0.85 * radius), axis=y, limits=(-1.7, 0.05), effort=1.4),
    ]  # fmt: skip
    return parts


def _joint(name: str) -> str:
    return f"{name}_joint"


def human(seed: int = 0, pixels: int = 224) -> RobotSpec:
    """Return a person; the seed chooses skin and sleeve.

    Args:
        seed: of the person.
        pixels: width and height of the head-worn camera's picture.
    """
    rng = np.random.default_rng([seed, 77])
    skin, sleeve = int(rng.integers(len(SKINS))), int(rng.integers(len(SLEEVES)))
    parts = _parts()
    folder = cache_folder() / RECIPE
    urdf = folder / f"person-{skin}-{sleeve}.urdf"
    _write(urdf, parts, {"skin": SKINS[skin], "sleeve": SLEEVES[sleeve]})
    moving = [part for part in parts if part.axis is not None]
    names = tuple(_joint(part.name) for part in moving)
    groups = {
        "waist": tuple(n for n in names if n.startswith("waist")),
        "right_arm": tuple(n for n in names if any(k in n for k in ("shoulder", "elbow", "wrist"))),
        "right_hand": tuple(n for n in names if any(f"_{k}_" in n for k in ("thumb", *FINGERS))),
    }
    home = dict.fromkeys(names, 0.0)
    home |= {
        "right_shoulder_pitch_joint": 0.15,
        "right_shoulder_roll_joint": -0.2,
        "right_elbow_joint": -1.55,
    }
    closed = {_joint(f"right_{f}_{i}"): CURL[i] for f in FINGERS for i in (0, 1)}
    closed |= {_joint(f"right_thumb_{i}"): -THUMB_CURL[i] for i in (0, 1)}
    tips = {f"right_{f}_tip": Frame(f"right_{f}_1", (length - 0.002, 0.0, 0.0))
            for f, (_, _, length, _) in FINGERS.items()}  # fmt: skip
    tips["right_thumb_tip"] = Frame("right_thumb_1", (0.0, 0.0, 0.002 - THUMB[1]))
    count = len(names)
    camera = CameraSpec("ego", pixels, pixels, VIDEO_FOVY, "head",
                        (EYES[0], 0.0, EYES[2] - 0.08), (0.0, EYES_DOWN, 0.0), 20.0)  # fmt: skip
    fingers = {
        f: Finger(f, f"right_{f}_tip", tuple(_joint(f"right_{f}_{i}") for i in (0, 1)), (f,), 1.0)
        for f in ("thumb", *FINGERS)
    }
    return RobotSpec(
        name="person",
        joint_names=names,
        lower=np.array([part.limits[0] for part in moving]),
        upper=np.array([part.limits[1] for part in moving]),
        velocity=np.full(count, 4.0),
        acceleration=np.full(count, 30.0),
        jerk=np.full(count, 1000.0),
        effort=np.array([part.effort for part in moving]),
        home=np.array([home[name] for name in names]),
        groups=groups,
        frames={
            "pelvis": "pelvis", "torso": "waist_pitch", "head": "head",
            "left_wrist": "left_wrist", "right_wrist": "right_wrist_yaw",
            "left_foot": "left_foot", "right_foot": "right_foot",
            "left_elbow": "left_elbow", "right_elbow": "right_elbow",
        },
        finger_open=dict.fromkeys(closed, 0.0),
        finger_closed=closed,
        cameras={"ego": camera},
        urdf_path=urdf,
        mesh_root=folder,
        offsets={
            "right_palm": Frame("right_wrist_yaw"),
            # As on a robot: before the closed fingers, x out of the fist, z to the thumb's side.
            "right_fist": Frame("right_wrist_yaw", (0.155, 0.0, -0.035), (-np.pi / 2, 0.0, 0.0)),
            **tips,
        },
        hands={"right": HandSpec("right", "right_palm", fingers, ())},
    )  # fmt: skip


def _write(path: Path, parts: list[_Part], colours: Mapping[str, tuple[float, ...]]) -> None:
    """Write URDF and meshes, each whole or not at all."""
    import trimesh

    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["<robot name='person'>", _inertial_link("pelvis", 10.0, "")]
    for part in parts:
        shape = ""
        if part.radii[0] > 0.0:
            mesh = path.parent / f"{part.name}.stl"
            if not mesh.is_file():
                balls = [trimesh.creation.icosphere(subdivisions=2, radius=r) for r in part.radii]
                points = np.vstack([balls[0].vertices, balls[1].vertices + np.array(part.end)])
                hull = trimesh.convex.convex_hull(points)
                _replace(mesh, hull.export(file_type="stl"))
            red, green, blue = colours[part.cover]
            shape = (
                f"<visual><geometry><mesh filename='{mesh.name}'/></geometry><material "
                f"name='{part.cover}'><color rgba='{red} {green} {blue} 1'/></material></visual>"
            )
        lines.append(_inertial_link(part.name, 0.05 if part.effort < 2.0 else 0.6, shape))
        kind = "revolute" if part.axis is not None else "fixed"
        about = part.axis or (1.0, 0.0, 0.0)
        lines.append(
            f"<joint name='{_joint(part.name)}' type='{kind}'><parent link='{part.parent}'/>"
            f"<child link='{part.name}'/>"
            f"<origin xyz='{_text(part.place)}' rpy='{_text(part.rpy)}'/>"
            f"<axis xyz='{_text(about)}'/><limit lower='{part.limits[0]}' upper='{part.limits[1]}' "
            f"effort='{part.effort}' velocity='6'/></joint>"
        )
    _replace(path, ("\n".join([*lines, "</robot>"]) + "\n").encode())


def _inertial_link(name: str, mass: float, shape: str) -> str:
    inertia = mass * 2e-3
    return (
        f"<link name='{name}'><inertial><mass value='{mass}'/><inertia ixx='{inertia}' "
        f"iyy='{inertia}' izz='{inertia}' ixy='0' ixz='0' iyz='0'/></inertial>{shape}</link>"
    )


def _text(values: Triple) -> str:
    return " ".join(f"{value:.9g}" for value in values)


def _replace(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it: several processes may start together."""
    import os
    import tempfile

    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
        stream.write(content)
    os.replace(stream.name, path)
