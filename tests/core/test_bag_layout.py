"""A Foxglove layout names only what the bag has, and the one in docs/ is what the code makes."""

from __future__ import annotations

import json
from pathlib import Path

from bag_verify_examples import good_tape, make
from layout_paths import missing, named, panels

from rove_core.bag.layout import foxglove_layout
from rove_core.bag.reader import Bag
from rove_core.robot import load_robot

DOC = Path(__file__).parents[2] / "docs" / "foxglove" / "g1_dex3.json"
SHOWN = (
    "waist_yaw_joint",
    "waist_pitch_joint",
    "right_shoulder_pitch_joint",
    "right_shoulder_roll_joint",
    "right_elbow_joint",
    "right_wrist_pitch_joint",
)


def of_g1() -> dict[str, object]:
    """Return the layout of the simulated robot."""
    spec = load_robot("g1_dex3")
    return foxglove_layout("/g1_dex3", list(spec.cameras), spec.joint_names, SHOWN)


def test_the_layout_of_the_docs_is_made_by_the_code() -> None:
    """Made anew it is the same file, so that it cannot fall behind the messages."""
    assert DOC.read_text(encoding="utf-8") == json.dumps(of_g1(), indent=1) + "\n"


def test_every_panel_stands_in_the_tree_once() -> None:
    """Foxglove drops a panel without a place and shows an empty one without a configuration."""
    layout = of_g1()
    shown = list(panels(layout))
    assert sorted(shown) == sorted(layout["configById"])  # type: ignore[call-overload]


def test_everything_named_exists(tmp_path: Path) -> None:
    """Topics, fields and elements, values that no critic gave included."""
    tape = good_tape()
    last = tape.rows[-1]
    for topic in ("policy/value", "/diagnostics"):
        row = type(last)(topic, make(topic, last.stamp_ns), last.log_ns, last.publish_ns, 1)
        tape.rows.append(row)
    bag = Bag(tape.write(tmp_path / "bag"))
    assert missing(of_g1(), bag) == []
    assert len(list(named(of_g1()))) > 15


def test_what_is_missing_is_found(tmp_path: Path) -> None:
    """The judge of the two tests above sees a wrong camera, field and element."""
    bag = Bag(good_tape().write(tmp_path / "bag"))
    spec = load_robot("g1_dex3")
    joints = [*spec.joint_names, "tail"]
    wrong = missing(foxglove_layout("/g1_dex3", ["wrist"], joints, ["tail"]), bag)
    assert "/g1_dex3/camera/wrist/compressed" in wrong
    assert "/g1_dex3/joint_states.position[43]: no such element" in wrong
    line = {"paths": [{"value": "/g1_dex3/joint_command.stages"}]}
    other = {"configById": {"Plot!x": line}}
    assert missing(other, bag) == ["/g1_dex3/joint_command.stages: no such field"]
