"""The text of a profile: sections in a fixed order, comments where a person must decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rove.profile.anatomy import Anatomy
from rove.profile.grasp import BEGIN, Grasp, follows
from rove.profile.pairs import named_pairs
from rove_core.robot.collision import Capsule
from rove_core.robot.frame import Frame, Triple

WIDTH = 100
MARGIN = 0.02  # rad
# velocity rad/s, acceleration rad/s2, jerk rad/s3 of a kind of limb, beside a person.
PACE = {
    "leg": (1.5, 10.0, 300.0),
    "waist": (1.5, 10.0, 300.0),
    "head": (2.0, 15.0, 500.0),
    "arm": (4.0, 30.0, 1000.0),
    "hand": (4.0, 60.0, 2000.0),
}
LIMITS = ("velocity", "acceleration", "jerk")
LACKS = {"velocity": 4.0, "effort": 1.0}  # where the URDF says 0
REASONS = {
    "position_margin": "keeps a command off the end stop by more than a servo's steady error",
    "velocity": "what a person can stand beside; teleoperation of arms rarely asks for 3 rad/s",
    "acceleration": "reaches the speed limit in about 0.15 s",
    "jerk": "reaches full acceleration in about 0.03 s, too fast to feel as lag",
}


@dataclass(frozen=True)
class Draft:
    """Everything that a first profile says."""

    anatomy: Anatomy
    source: Mapping[str, str]
    home: Mapping[str, float]
    grasps: Mapping[str, Grasp]
    shapes: Mapping[str, Capsule]
    shape_groups: Mapping[str, tuple[str, ...]]
    exceptions: Mapping[tuple[str, str], str]
    camera: Triple
    doubts: list[str] = field(default_factory=list)


def profile_text(draft: Draft, name: str) -> str:
    """Return the YAML of a draft."""
    size = len(draft.anatomy.names)
    lines = [
        f"# {name}: {size} actuated joints. Begun by `rove profile new`; its guesses are marked.",
        "# Look at each mark (`rove profile check FILE --out PICTURE.png`), then delete it.",
        "# The order of the groups and of the joints in them is the order of every vector in ROVE.",
        "# Positions are rad, velocities rad/s, accelerations rad/s2, jerks rad/s3, lengths m.",
        *(f"# TODO: {doubt}" for doubt in draft.doubts),
        "urdf:",
        *(f"  {key}: {value}" for key, value in draft.source.items()),
        *_groups(draft.anatomy),
        *_frames(draft),
        *_limits(draft.anatomy),
        "",
        "# Posture at the start of an episode; joints that are not named stand nearest to 0.",
        "# TODO: does the robot stand on its feet like this, hands in front and in view?",
        *_table("home", draft.home),
        "",
        "# Posture that inverse kinematics pulls to; joints that are not named stand as in home.",
        "rest: {}",
        "",
        "# The two ends of the trigger's travel.",
        *_fingers(draft.grasps),
        *_hands(draft),
        *_collision(draft),
        *_camera(draft),
    ]
    return "\n".join(lines) + "\n"


def _wrapped(indent: str, words: Iterable[str], end: str = "]") -> list[str]:
    """Return a flow list over as many lines as it needs; ``indent`` holds its beginning."""
    lines, line = [], indent
    blank = " " * (len(indent) - len(indent.lstrip()) + 4)
    items = list(words)
    for i, word in enumerate(items):
        piece = word + (end if i == len(items) - 1 else ", ")
        if len(line) + len(piece) > WIDTH and line.strip():
            lines.append(line.rstrip())
            line = blank
        line += piece
    return [*lines, line if items else line + end]


def _table(name: str, values: Mapping[str, float], indent: str = "") -> list[str]:
    if not values:
        return [f"{indent}{name}: {{}}"]
    return [f"{indent}{name}:", *(f"{indent}  {key}: {value:g}" for key, value in values.items())]


def _groups(anatomy: Anatomy) -> list[str]:
    lines = ["", "# TODO: is every joint in its limb, from the body outwards?", "groups:"]
    for name, joints in anatomy.groups.items():
        lines += _wrapped(f"  {name}: [", joints)
    if anatomy.left_out:
        lines += ["", "# TODO: is it right that nobody commands these?", "fixed:"]
        for joint, why in anatomy.left_out.items():
            at = _standing(anatomy, joint)
            lines.append(f"  {joint}: {{at: {at:g}, why: {_quoted(why)}}}")
    return lines


def _standing(anatomy: Anatomy, joint: str) -> float:
    limits = anatomy.urdf.joints.get(joint)
    if limits is None or limits.lower >= limits.upper:
        return 0.0
    return min(max(0.0, limits.lower), limits.upper)


def _frames(draft: Draft) -> list[str]:
    anatomy = draft.anatomy
    lines = [
        "",
        "# Role -> link, or an offset {parent, position, rpy} from one.",
        "# TODO: look at the axes in the picture; wrists are the last link before the hand.",
        "frames:",
    ]
    roles = {"pelvis": anatomy.pelvis, "torso": anatomy.torso, "head": anatomy.head}
    for what, links in (("wrist", anatomy.wrists), ("foot", anatomy.feet)):
        roles |= {f"{side}_{what}": link for side, link in links.items()}
    roles |= {f"{side}_elbow": link for side, link in anatomy.elbows.items()}
    lines += [f"  {role}: {link}" for role, link in roles.items()]
    for side, grasp in draft.grasps.items():
        lines.append("  # Palm: x along the straight fingers, z out of the back of the hand.")
        lines.append(f"  {side}_palm: {_frame(grasp.palm)}")
        for finger, tip in grasp.tips.items():
            text = tip if isinstance(tip, str) else _frame(tip)
            lines.append(f"  {side}_{finger}_tip: {text}")
    return lines


def _frame(frame: Frame) -> str:
    turn = "" if frame.rpy == (0.0, 0.0, 0.0) else f", rpy: {_triple(frame.rpy)}"
    return f"{{parent: {frame.parent}, position: {_triple(frame.position)}{turn}}}"


def _triple(values: Triple) -> str:
    return "[" + ", ".join(f"{value + 0.0:.8g}" for value in values) + "]"


def _limits(anatomy: Anatomy) -> list[str]:
    narrow = {  # a margin of a tenth where the usual one would leave too little
        name: round((j.upper - j.lower) / 10, 5)
        for name in anatomy.names
        if (j := anatomy.joint(name)).upper - j.lower < 10 * MARGIN
    }
    lines = ["", "# TODO: how fast may it move beside a person?", "limits:"]
    if narrow:
        parts = [f"all: {MARGIN}", *(f"{name}: {value}" for name, value in narrow.items())]
        lines += _wrapped("  position_margin: {", parts, "}")
    else:
        lines.append(f"  position_margin: {MARGIN}")
    kind = {group: group.removeprefix("left_").removeprefix("right_") for group in anatomy.groups}
    for i, key in enumerate(LIMITS):
        lines += _wrapped(
            f"  {key}: {{", [f"{group}: {PACE[kind[group]][i]:g}" for group in kind], "}"
        )
    lacks = {
        key: [name for name in anatomy.names if not getattr(anatomy.joint(name), key) > 0.0]
        for key in LACKS
    }
    reasons = dict(REASONS)
    if any(lacks.values()):
        lines += ["  # TODO: the URDF says 0; what can the motors do?", "  urdf_lacks:"]
        for key, joints in lacks.items():
            if joints:
                words = [f"{name}: {value:g}" for name, value in _grouped(anatomy, joints, key)]
                lines += _wrapped(f"    {key}: {{", words, "}")
        reasons["urdf_lacks"] = "assumed; the model does not say"
    lines.append("  reasons:")
    return lines + [f"    {key}: {text}" for key, text in reasons.items()]


def _grouped(anatomy: Anatomy, joints: list[str], key: str) -> list[tuple[str, float]]:
    """Name a whole group instead of each of its joints."""
    found: list[tuple[str, float]] = []
    for group, members in anatomy.groups.items():
        inside = [joint for joint in members if joint in joints]
        names = [group] if len(inside) == len(members) else inside
        found += [(name, LACKS[key]) for name in names]
    return found


def _fingers(grasps: Mapping[str, Grasp]) -> list[str]:
    lines = [
        "# TODO: does the closed hand hold an object, without pressing into itself?",
        "fingers:",
    ]
    opened = {k: v for grasp in grasps.values() for k, v in grasp.opened.items()}
    closed = {k: v for grasp in grasps.values() for k, v in grasp.closed.items()}
    return [*(lines if grasps else lines[1:]), *_table("open", opened, "  "),
            *_table("closed", closed, "  ")]  # fmt: skip


def _hands(draft: Draft) -> list[str]:
    if not draft.grasps:
        return []
    lines = [
        "",
        "# Scale: palm to tip of the robot's straight finger over that of a reference hand.",
        "# TODO: which human fingers does a robot finger follow, and which tips can meet?",
        "hands:",
    ]
    for side, grasp in draft.grasps.items():
        fingers = draft.anatomy.fingers[side]
        lines += [f"  {side}:", f"    palm: {side}_palm"]
        if not fingers:
            lines += ["    fingers: {}   # a gripper: the trigger alone drives it"]
            continue
        lines.append("    fingers:")
        for name, humans in follows(list(fingers)).items():
            lines += [f"      {name}:", f"        tip: {side}_{name}_tip"]
            lines += _wrapped("        joints: [", fingers[name])
            lines += [f"        follows: [{', '.join(humans)}]"]
            lines += [f"        scale: {grasp.scale[name]:g}"]
        lines.append("    pinches:")
        for other in [name for name in ("index", "middle", *fingers) if name in fingers][:2]:
            if other != "thumb":
                pair = f"[thumb, {other}], contact: {grasp.contact:g}, begin: {BEGIN:g}"
                lines.append(f"      - {{fingers: {pair}}}")
    return lines


def _collision(draft: Draft) -> list[str]:
    lines = [
        "",
        "# Capsules in the frame of their link, m, fitted around the meshes. A hand's holds the",
        "# open hand, a palm is the part of it that two hands must not push into each other, an",
        "# elbow is the lower part of the upper arm, as the upper part is always near the torso.",
        "# TODO: does a capsule hide its limb, and not much more?",
        "collision:",
        "  shapes:" if draft.shapes else "  shapes: {}",
    ]
    for name, shape in draft.shapes.items():
        ends = f"start: {_triple(shape.start)}, end: {_triple(shape.end)}"
        lines.append(f"    {name}: {{link: {shape.link}, {ends}, radius: {shape.radius:g}}}")
    lines.append("  groups:" if draft.shape_groups else "  groups: {}")
    for name, members in draft.shape_groups.items():
        lines += _wrapped(f"    {name}: [", members)
    pairs = named_pairs(draft.shape_groups, draft.shapes)
    lines.append("  pairs:" if pairs else "  pairs: []")
    for pair in pairs:
        between = f"[{pair.first}, {pair.second}]"
        lines.append(f"    - {{between: {between}, margin: {pair.margin:g}}}")
    lines.append("  exceptions:" if draft.exceptions else "  exceptions: []")
    for (first, second), why in draft.exceptions.items():
        mark, text = (f"   # {why}", why[6:]) if why.startswith("TODO: ") else ("", why)
        lines.append(f"    - between: [{first}, {second}]{mark}")
        lines.append(f"      why: {_quoted(text)}")
    return lines


def _camera(draft: Draft) -> list[str]:
    return [
        "",
        "cameras:",
        "  ego:   # TODO: where is the camera, and what does it see?",
        f"    parent: {draft.anatomy.head}",
        f"    position: {_triple(draft.camera)}",
        "    rpy: [0, 0.6, 0]   # looks down at the hands",
        "    fovy_deg: 64",
        "    width: 128",
        "    height: 128",
        "    rate_hz: 20",
    ]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def source_of(urdf: Path, library: Path) -> dict[str, str]:
    """Return where a URDF comes from: package and path where it is installed, else its file."""
    for folder in urdf.parents:
        if folder.parent.name == "share":
            return {"package": folder.name, "path": str(urdf.relative_to(folder))}
        if folder.parent == library:
            return {
                "package": folder.name.replace("_", "-"),
                "path": str(urdf.relative_to(folder)),
            }
    return {"file": _quoted(str(urdf))}
