"""A layout for Foxglove that shows an episode: cameras, stages, value, joints, health side by side.

Foxglove opens a bag as it is; the layout only says what to show where. Its form is that of
"Export layout" of Foxglove (docs.foxglove.dev, "Layouts"): panels by id, and a tree of splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rove_core.bag.schema import camera_topic
from rove_core.vocabulary import Authority, Mode, Stage

Layout = dict[str, Any]


def foxglove_layout(
    namespace: str, cameras: Sequence[str], joints: Sequence[str], shown: Sequence[str]
) -> Layout:
    """Return the layout, as JSON can hold it.

    Args:
        namespace: of the robot, "" or with a leading slash.
        cameras: of the robot.
        joints: order of the joint vectors.
        shown: the joints to plot.
    """
    panels: dict[str, Layout] = {}
    pictures = [_add(panels, f"Image!{name}", _image(namespace, name)) for name in cameras]
    story = _add(panels, "StateTransitions!story", _story(namespace))
    value = _add(
        panels,
        "Plot!value",
        _plot("value", [(f"{namespace}/policy/value.value", "value of the critic")]),
    )
    motion = _add(panels, "Plot!joints", _plot("joints, rad", _motion(namespace, joints, shown)))
    ways = _add(
        panels,
        "Plot!alignment",
        _plot(
            "operator",
            [
                (f"{namespace}/arbiter/state.position_error", "alignment, m"),
                (f"{namespace}/arbiter/state.orientation_error", "alignment, rad"),
                (f"{namespace}/teleop/target.solve_ms", "retargeting, ms"),
            ],
        ),
    )
    health = _add(
        panels,
        "DiagnosticSummary!health",
        {"topicToRender": "/diagnostics", "minLevel": 0, "sortByLevel": True, "pinnedIds": []},
    )
    said = _add(panels, "RawMessages!arbiter", {"topicPath": f"{namespace}/arbiter/state"})
    left = _stack([*pictures, health, said])
    right = _stack([story, value, motion, ways])
    return {
        "configById": panels,
        "globalVariables": {},
        "userNodes": {},
        "playbackConfig": {"speed": 1},
        "layout": {"direction": "row", "first": left, "second": right, "splitPercentage": 40},
    }


def _add(panels: dict[str, Layout], key: str, config: Layout) -> str:
    panels[key] = config
    return key


def _stack(keys: Sequence[str]) -> str | Layout:
    """Return panels below each other, all of one height."""
    if len(keys) == 1:
        return keys[0]
    share = 100 / len(keys)
    rest = _stack(keys[1:])
    return {"direction": "column", "first": keys[0], "second": rest, "splitPercentage": share}


def _image(namespace: str, camera: str) -> Layout:
    return {
        "foxglovePanelTitle": camera,
        "imageMode": {"imageTopic": f"{namespace}/{camera_topic(camera)}"},
    }


def _story(namespace: str) -> Layout:
    command = f"{namespace}/joint_command"
    lines = [
        (f"{namespace}/arbiter/state.mode", f"mode ({_numbers(Mode)})"),
        (f"{command}.stage", f"stage ({_numbers(Stage)})"),
        (f"{command}.authority", f"authority ({_numbers(Authority)})"),
        (f"{namespace}/policy/value.takeover_suggested", "takeover suggested"),
    ]
    return {"isSynced": True, "paths": [_path(value, label) for value, label in lines]}


def _numbers(words: type[Mode] | type[Stage] | type[Authority]) -> str:
    # Foxglove shows the number of a field whose constants stand elsewhere in its message.
    return ", ".join(f"{int(word)} {word.name.lower()}" for word in words)


def _motion(namespace: str, joints: Sequence[str], shown: Sequence[str]) -> list[tuple[str, str]]:
    lines = []
    for joint in shown:
        index = list(joints).index(joint)
        lines.append((f"{namespace}/joint_states.position[{index}]", joint))
        lines.append((f"{namespace}/joint_command.position[{index}]", f"{joint}, commanded"))
    return lines


def _plot(title: str, lines: Sequence[tuple[str, str]]) -> Layout:
    return {
        "foxglovePanelTitle": title,
        "paths": [_path(value, label) for value, label in lines],
        "isSynced": True,
        "showLegend": True,
        "legendDisplay": "floating",
        "showXAxisLabels": True,
        "showYAxisLabels": True,
        "xAxisVal": "timestamp",
    }


def _path(value: str, label: str) -> Layout:
    return {"value": value, "label": label, "enabled": True, "timestampMethod": "receiveTime"}
