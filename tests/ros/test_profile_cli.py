"""Laws of ``rove profile``: what it fits holds the robot, what it writes loads, what is wrong says
so with its file.
"""

from __future__ import annotations

import dataclasses
import re
import struct
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from rove.profile import follow, strip
from rove.profile.anatomy import kind_of, study, words_of
from rove.profile.check import check_profile, todos
from rove.profile.cli import main
from rove.profile.fit import Fit, fit_capsule, fit_capsules
from rove.profile.follow import Journey, follow_robots, follow_tour
from rove.profile.meshes import read_surfaces
from rove.profile.new import draft_profile
from rove.profile.render import render, view_along
from rove.profile.scene import make_scene, open_hands
from rove.profile.write import source_of
from rove_core.errors import ConfigError
from rove_core.robot import available_robots, load_robot
from rove_core.robot.urdf import find_urdf, read_urdf
from rove_teleop.retarget.result import RetargetResult
from rove_teleop.retarget.retargeter import Retargeter
from rove_teleop.scripted.tour import STATIONS

TALOS = find_urdf("example-robot-data", "robots/talos_data/robots/talos_reduced.urdf", "test")[0]
SHIPPED = {name: load_robot(name).urdf_path for name in available_robots()}
HIDDEN = (
    0.005  # m that a mesh may stick out of the shipped capsules: half of the least room at home
)
# Not in the capsules: below the knee, and shoulders, which only move about the torso's top.
OPEN_LINKS = re.compile("knee|ankle|foot|shank|shoulder_pitch|upper_arm_pitch|imu")


def load(path: Path):
    return load_robot.__wrapped__(str(path))


@pytest.mark.parametrize("robot", available_robots())
def test_shipped_capsules_hold_the_robot(robot: str) -> None:
    """Law: from the knees up every link lies within the capsules, up to 5 mm (10 at the joint of
    the thumb), and no capsule is much wider than what it holds.
    """
    spec = load_robot(robot)
    scene, rng = make_scene(spec, open_hands(spec)), np.random.default_rng(0)
    starts, ends = spec.collision.segments(scene.poses)
    shapes = spec.collision.shapes.values()
    fits = [Fit(a, b, shape.radius) for a, b, shape in zip(starts, ends, shapes, strict=True)]
    assert scene.problems == ()
    points = {
        link: surface.sample(1500, rng) @ scene.poses[link][:3, :3].T + scene.poses[link][:3, 3]
        for link, surface in scene.surfaces.items()
    }
    for link in scene.surfaces:
        if OPEN_LINKS.search(link):
            continue
        out = np.min([fit.outside(points[link]) for fit in fits], axis=0)
        assert out.max() < (2 * HIDDEN if "thumb" in link or "yaw" in link else HIDDEN), link
    everything = np.concatenate(list(points.values()))
    for fit, shape in zip(fits, shapes, strict=True):
        reach = -fit.outside(everything)  # how deep the robot's surface lies in the capsule
        assert (reach > 0).any(), shape.name
        assert np.abs(reach).min() < 0.005, f"{shape.name} touches nothing"


@given(
    st.integers(0, 1000),
    st.floats(0.01, 0.2),
    st.floats(0.0, 0.5),
)
@settings(max_examples=8)
def test_the_fit_finds_a_capsule_again(seed: int, radius: float, length: float) -> None:
    """Law: all points lie inside, and the volume is at most 12 % above that of the true one."""
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    centre = rng.normal(size=3)
    true = Fit(centre - axis * length / 2, centre + axis * length / 2, radius)
    spread = rng.normal(size=(3000, 3))
    spread /= np.linalg.norm(spread, axis=1)[:, None]
    points = centre + rng.uniform(-0.5, 0.5, (3000, 1)) * length * axis + spread * radius
    caps = np.concatenate([end + spread[:500] * radius for end in (true.start, true.end)])
    points = np.concatenate([points, caps])
    found = fit_capsule(points, rng)
    assert found.outside(points).max() < 1e-9
    assert found.volume < 1.12 * true.volume


def test_several_capsules_hold_all_points_in_less_room() -> None:
    """Law: two capsules hold an angle together, more tightly than one."""
    rng = np.random.default_rng(0)
    bar = np.concatenate([np.linspace(0, 1, 200)[:, None] * axis for axis in np.eye(3)[:2]])
    points = bar + rng.normal(size=bar.shape) * 0.01
    one, (first, second) = fit_capsule(points, rng), fit_capsules(points, 2, rng)
    assert np.minimum(first.outside(points), second.outside(points)).max() < 1e-9
    assert first.volume + second.volume < one.volume / 2
    with pytest.raises(ValueError, match="no points"):
        fit_capsule(np.zeros((0, 3)), rng)


@pytest.mark.parametrize("robot", available_robots())
def test_check_accepts_what_ships(robot: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Law: no warnings, nothing to decide, all joints, frames and reasons shown, status 0."""
    assert main(["check", robot]) == 0
    shown = capsys.readouterr().out
    spec = load_robot(robot)
    for word in (*spec.joint_names, *spec.frames, *spec.offsets, *spec.groups):
        assert word in shown
    assert "is well" in shown
    assert "warning" not in shown


def test_the_picture_shows_the_robot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Law: the PNG is there, large, and holds many colours: grey robot, blue, orange, violet."""
    path = tmp_path / "deep" / "g1.png"
    assert main(["check", "g1_dex3", "--out", str(path)]) == 0
    assert f"picture: {path}" in capsys.readouterr().out.replace("\n", "")
    picture = cv2.imread(str(path))
    assert picture.shape[0] > 1000
    assert picture.shape[1] > 1500
    blue, green, red = (picture[..., i].astype(int) for i in range(3))
    assert (blue > red + 30).sum() > 1000
    assert (red > blue + 30).sum() > 1000
    assert ((abs(blue - red) < 3) & (abs(blue - green) < 3) & (green < 200)).sum() > 5000


def test_a_picture_hides_what_lies_behind() -> None:
    """Law: of two plates the nearer one is seen; where nothing is, there is no grey."""
    from rove.profile.meshes import Surface

    def plate(size: float, x: float, tilt: float) -> Surface:
        corners = np.array([[x, -size, -size], [x, size, -size], [x, 0.0, size]])
        corners[2, 0] += tilt
        return Surface(corners[None])

    far, near = plate(1.0, 0.0, 3.0), plate(0.2, 5.0, 0.0)
    view = view_along((0, 1, 0), (0, 0, 1), far.vertices, 0.02, 0.1)
    poses = {"far": np.eye(4), "near": np.eye(4)}
    surfaces = {"far": far, "near": near}
    rng = np.random.default_rng(0)
    both = render(view, surfaces, poses, ["near", "far"], rng)
    middle = both.shape[0] // 2 + 3, both.shape[1] // 2
    assert np.isnan(both[0, 0])
    assert both[middle] > 0.9  # the near plate faces the viewer
    assert render(view, surfaces, poses, ["far"], rng)[middle] < 0.9


@pytest.mark.parametrize("robot", available_robots())
def test_a_new_profile_of_a_shipped_robot_agrees_with_ours(robot: str, tmp_path: Path) -> None:
    """Law: `new` writes a file that loads; its joints, links and palms are those that a person
    chose, and what it cannot know it names.
    """
    path = tmp_path / "draft.yaml"
    assert main(["new", str(SHIPPED[robot]), "--out", str(path)]) == 0
    ours, drafted = load_robot(robot), load(path)
    assert set(drafted.joint_names) == set(ours.joint_names)
    for name, joints in ours.groups.items():
        assert set(drafted.groups[name]) == set(joints)
    assert drafted.frames == ours.frames
    # Where a held tool is, nothing in a URDF tells.
    expected = {role: frame for role, frame in ours.offsets.items() if role != "right_fist"}
    assert set(drafted.offsets) == set(expected)
    for role, frame in expected.items():
        guess = drafted.offsets[role]
        assert guess.parent == frame.parent
        np.testing.assert_allclose(guess.in_parent, frame.in_parent, atol=2e-3)
    for side, hand in ours.hands.items():
        for name, finger in hand.fingers.items():
            guess = drafted.hands[side].fingers[name]
            assert guess.follows == finger.follows
            assert guess.scale == pytest.approx(finger.scale, rel=0.05)
    assert set(ours.collision.shapes) <= {*drafted.collision.shapes, "waist"}
    questions = todos(path)
    assert len(questions) >= 7
    assert all(text for _, text in questions)
    console = Console(quiet=True)
    assert check_profile(console, str(path), None) == 1
    path.write_text(path.read_text().replace("TODO", "done"))
    assert todos(path) == []
    load_robot.cache_clear()
    assert check_profile(console, str(path), None) == 0


def test_a_new_profile_of_a_stranger_makes_sense(tmp_path: Path) -> None:
    """Law: a robot that nobody prepared for (grippers, mimic joints, other names, other axes) gets
    all its limbs, a home with its hands in front, and no pair excused; the same text every time.
    """
    path = tmp_path / "talos.yaml"
    assert main(["new", str(TALOS), "--out", str(path)]) == 0
    spec = load(path)
    sizes = {name: len(joints) for name, joints in spec.groups.items()}
    assert sizes == {
        "left_leg": 6, "right_leg": 6, "waist": 2, "head": 2, "left_arm": 7, "left_hand": 1,
        "right_arm": 7, "right_hand": 1,
    }  # fmt: skip
    assert len(spec.coupled) == 12
    assert spec.hands["left"].fingers == {}
    assert spec.frames["torso"] == "torso_2_link"
    assert spec.frames["left_foot"] == "leg_left_6_link"
    assert spec.frames["left_elbow"] == "arm_left_4_link"
    scene = make_scene(spec, spec.home)
    pelvis = np.linalg.inv(scene.frame("pelvis"))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        x, y, _ = (pelvis @ scene.frame(f"{side}_wrist"))[:3, 3]
        assert x > 0.2
        assert sign * y > 0.1
        foot, hip = (scene.poses[f"leg_{side}_{i}_link"][:3, 3] for i in (6, 3))
        assert abs(foot[0] - hip[0]) < 0.06  # the foot stays below the hip
    assert spec.collision.exceptions == {}
    assert len(spec.collision.pairs) > 30
    assert any("gripper" in text for _, text in todos(path))
    assert path.read_text() == draft_profile(TALOS, "talos")


def test_a_copy_somewhere_else_is_named_by_its_file(tmp_path: Path) -> None:
    """Law: a URDF that no package installs is found again from the profile alone."""
    robot = tmp_path / "models" / "robot.urdf"
    robot.parent.mkdir()
    meshes = SHIPPED["gr1t2_fourier"].parent.parent / "meshes"
    text = SHIPPED["gr1t2_fourier"].read_text().replace('"../meshes', f'"{meshes}')
    robot.write_text(text)
    assert source_of(robot, Path("/nowhere")) == {"file": f'"{robot}"'}
    surfaces, problems = read_surfaces(robot, robot.parent)
    assert len(surfaces) > 50
    assert problems == []


def test_a_missing_mesh_is_a_doubt_and_not_the_end(tmp_path: Path) -> None:
    """Law: a link whose mesh is not there is said; the others are still read."""
    robot = tmp_path / "robot.urdf"
    robot.write_text(SHIPPED["g1_dex3"].read_text().replace("meshes/head_link", "meshes/no_head"))
    surfaces, problems = read_surfaces(robot, load_robot("g1_dex3").mesh_root)
    assert "head_link" not in surfaces
    assert len(problems) == 2  # visual and collision
    assert all("no_head" in text for text in problems)


def test_shapes_and_meshes_are_read_alike(tmp_path: Path) -> None:
    """Law: box, cylinder, sphere and STL stand where the URDF puts them, at their size."""
    stl = b"\0" * 80 + struct.pack("<I", 1)
    stl += struct.pack("<12fH", 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0)
    (tmp_path / "a.stl").write_bytes(stl)
    shapes = {
        "box": ("<box size='2 4 6'/>", (1.0, 2.0, 3.0)),
        "rod": ("<cylinder radius='0.5' length='2'/>", (0.5, 0.5, 1.0)),
        "ball": ("<sphere radius='0.5'/>", (0.5, 0.5, 0.5)),
        "mesh": ("<mesh filename='a.stl' scale='2 2 2'/>", (2.0, 2.0, 0.0)),
    }
    place = "<origin xyz='10 0 0' rpy='0 0 0'/>"
    body = "".join(
        f"<link name='{name}'><visual>{place}<geometry>{text}</geometry></visual></link>"
        for name, (text, _) in shapes.items()
    )
    path = tmp_path / "robot.urdf"
    path.write_text(f"<robot>{body}</robot>")
    surfaces, problems = read_surfaces(path, tmp_path)
    assert problems == []
    for name, (_, reach) in shapes.items():
        np.testing.assert_allclose(
            surfaces[name].vertices.max(axis=0) - [10, 0, 0], reach, atol=0.02
        )


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["check", "nobody"], "nobody"),
        (["check", "nowhere.yaml"], "nowhere.yaml"),
        (["check", "g1_dex3", "--out", "picture.jpg"], "picture.jpg"),
        (["new", "nowhere.urdf"], "nowhere.urdf"),
        (["follow", "nobody"], "nobody"),
        (["follow", "g1_dex3", "--out", "strip.jpg"], "strip.jpg"),
        (["new", str(TALOS), "--out", "profile.txt"], "profile.txt"),
    ],
)
def test_wrong_words_are_named(words: list[str], named: str) -> None:
    """Law: what was given is in the message."""
    with pytest.raises(ConfigError) as caught:
        main(words)
    assert named in str(caught.value)


def test_a_file_is_not_overwritten_by_accident(tmp_path: Path) -> None:
    """Law: a profile that a person edited survives a second `new` without --force."""
    path = tmp_path / "mine.yaml"
    path.write_text("mine: 1")
    with pytest.raises(ConfigError, match=r"mine\.yaml.*--force"):
        main(["new", str(TALOS), "--out", str(path)])
    assert path.read_text() == "mine: 1"


def test_a_robot_without_limbs_is_refused(tmp_path: Path) -> None:
    """Law: where names tell no arms and legs, the message says which are missing."""
    path = tmp_path / "box.urdf"
    path.write_text("<robot><link name='a'/></robot>")
    with pytest.raises(ConfigError, match=r"left_leg.*box\.urdf"):
        main(["new", str(path), "--out", str(tmp_path / "box.yaml")])


def test_joints_that_nobody_understands_are_kept_apart(tmp_path: Path) -> None:
    """Law: reversed limits and unknown names go under ``fixed`` with the reason; where the
    meshes are missing the capsules hold the URDF's own collision shapes.
    """
    text = SHIPPED["gr1t2_fourier"].read_text().replace("head_roll_joint", "periscope_joint")
    text = text.replace('lower="-0.87" upper="0.87"', 'lower="0.87" upper="-0.87"')
    path = tmp_path / "robot.urdf"
    path.write_text(text)
    anatomy = study(read_urdf(path))
    assert anatomy.left_out["periscope_joint"] == "its name tells no limb"
    assert anatomy.left_out["head_pitch_joint"] == "its limits are 0.87..-0.87"
    assert anatomy.groups["head"] == ("head_yaw_joint",)
    profile = tmp_path / "robot.yaml"
    profile.write_text(draft_profile(path, "robot"))
    spec = load(profile)
    assert set(spec.fixed) == {"periscope_joint", "head_pitch_joint"}
    assert spec.size == 54
    assert {"torso", "head", "left_forearm", "right_forearm"} <= set(spec.collision.shapes)
    assert any("could not be read" in text for _, text in todos(profile))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("left_hip_pitch_joint", "leg"),
        ("LShoulderPitch", "arm"),
        ("l_elbow", "arm"),
        ("leg_right_3_joint", "leg"),
        ("torso_1_joint", "waist"),
        ("neck_yaw", "head"),
        ("left_hand_thumb_0_joint", "hand"),
        ("R_ring_proximal_joint", "hand"),
        ("spring_joint", ""),
        ("charm", ""),
    ],
)
def test_names_tell_limbs(name: str, kind: str) -> None:
    """Law: whole words count, not parts of them."""
    assert kind_of(name) == kind
    assert words_of(name)


@cache
def _journey(robot: str) -> Journey:
    """Return one robot's tour, which takes seconds."""
    return follow_tour(load_robot(robot))


def test_robots_follow_the_tour_and_are_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: both shipped robots follow the same operator within all limits and margins (status 0),
    their wrists are where the operator's went wherever they can be, and the strip shows a row for
    each of them under the operator's, with the marks of the goals.
    """
    monkeypatch.setattr(strip, "PIXEL", 2 * strip.PIXEL)  # a quarter of the work
    monkeypatch.setattr(follow, "follow_tour", lambda spec, *_: _journey(spec.name))
    path = tmp_path / "strip.png"
    robots = list(available_robots())
    assert main(["follow", *robots, "--out", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "problem" not in shown
    for robot in robots:
        assert robot in shown
    picture = cv2.imread(str(path)).astype(int)
    blue, green, red = (picture[..., i] for i in range(3))
    orange = (red > 180) & (blue < 80) & (green < 140)
    darker = picture.max(axis=2) < 235  # rows of pixels in which somebody stands
    height, width = orange.shape
    bands = [slice(k * height // 3, (k + 1) * height // 3) for k in range(3)]
    assert orange[bands[0]].sum() == 0  # the operator has no goals
    for band in bands:
        assert darker[band].sum() > 5_000
    for band in bands[1:]:
        assert orange[band].sum() > 200
    for k in range(7):
        assert darker[:, k * width // 7 : (k + 1) * width // 7].sum() > 2_500


@pytest.mark.parametrize("robot", available_robots())
def test_a_robot_is_where_the_tour_leads(robot: str) -> None:
    """Law: at every station that it can reach a robot's wrists are within 5 mm, at those that it
    cannot they are off and it is still within limits and margins; the same figures every time.
    """
    journey = _journey(robot)
    assert journey.problems == []
    assert journey.room > 0.0
    assert [stop.station for stop in journey.stops] == list(STATIONS)
    for stop in journey.stops:
        if stop.station.reachable:
            assert stop.off < 0.005, stop.station.name
        else:
            assert stop.off > 0.03, stop.station.name
    if robot == "g1_dex3":
        again = follow_tour(load_robot(robot))
        assert again.off == journey.off


def test_what_must_never_happen_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: a retargeter that leaps, and one that refuses, are both told by name, and the command
    fails.
    """
    spec = load_robot("g1_dex3")
    update = Retargeter.update

    def leap(self: Retargeter, *given: object) -> RetargetResult:
        result = update(self, *given)  # type: ignore[arg-type]
        position = result.position.copy()
        position[20] += 0.2 * (len(seen) == 100)
        seen.append(position)
        if len(seen) == 200:
            return dataclasses.replace(result, valid=False, reason="tired")
        return dataclasses.replace(result, position=position)

    seen: list[object] = []
    monkeypatch.setattr(Retargeter, "update", leap)
    journey = follow_tour(spec)
    joint = spec.joint_names[20]
    assert any("tired" in text for text in journey.problems)
    assert any("velocity" in text and joint in text for text in journey.problems)
    assert any("acceleration" in text and joint in text for text in journey.problems)
    monkeypatch.setattr(follow, "follow_tour", lambda *_: journey)
    assert follow_robots(Console(quiet=True), ["g1_dex3"], None) == 1
