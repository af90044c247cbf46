"""Laws of the label file of human videos: it is read as written, the impossible is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rove_core.errors import BagError, ContractError, RoveError
from rove_core.videos import LABELS, OUTCOMES, VideoLabel, read_labels, write_labels
from rove_core.vocabulary import Outcome

GOOD = VideoLabel("a.mp4", "bread", "toast it", Outcome.SUCCESS, 100, 20.0, 40, 60, "p1", "camera")


@st.composite
def labels(draw: st.DrawFn) -> VideoLabel:
    """Draw a possible label."""
    frames = draw(st.integers(1, 500))
    marks = sorted(draw(st.lists(st.integers(0, frames - 1), max_size=2)))
    outcome = draw(st.sampled_from(list(OUTCOMES.values())))
    text = draw(st.text(min_size=1, max_size=20))
    mistake, recovery = [*marks, None, None][:2]
    return VideoLabel("a.mp4", text, text, outcome, frames, 25.0, mistake, recovery)


@given(st.lists(labels(), max_size=4))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[VideoLabel]
) -> None:
    """Law: reading gives back what was written, whatever the words."""
    folder = tmp_path_factory.mktemp("videos")
    (folder / "a.mp4").touch()
    write_labels(folder, wanted)
    assert read_labels(folder) == tuple(wanted)


@pytest.mark.parametrize(
    "wrong",
    [
        {"video": "../a.mp4"},
        {"video": ""},
        {"task": ""},
        {"instruction": ""},
        {"outcome": Outcome.ABORTED},
        {"frames": 0},
        {"fps": 0.0},
        {"mistake": None},
        {"mistake": -1},
        {"mistake": 61},
        {"recovery": 100},
    ],
)
def test_an_impossible_label_is_refused(wrong: dict[str, Any]) -> None:
    """Law: a label that cannot be true is refused when it is made; a recovery needs a mistake."""
    with pytest.raises(ContractError, match="label of video"):
        replace(GOOD, **wrong)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """Law: nothing, garbage, another format, a version to come, an unknown key, a video that is not
    there: each error names the file, and none is anything but a RoveError."""
    path = tmp_path / LABELS
    with pytest.raises(BagError, match="no readable label file"):
        read_labels(tmp_path)
    write_labels(tmp_path, [GOOD])
    with pytest.raises(BagError, match=r"not beside it.*a\.mp4"):
        read_labels(tmp_path)
    (tmp_path / "a.mp4").touch()
    good = json.loads(path.read_text(encoding="utf-8"))
    entry = good["videos"][0]
    broken: list[object] = [
        "{", [], {**good, "format": "lerobot"}, {**good, "version": 2}, {**good, "videos": 3},
        {**good, "videos": [7]}, {**good, "videos": [{**entry, "outcome": "fine"}]},
        {**good, "videos": [{**entry, "colour": "red"}]},
    ]  # fmt: skip
    for content in broken:
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        with pytest.raises(RoveError, match=r"labels\.json"):
            read_labels(tmp_path)
