"""Laws of film strips: the right moments, readable or said to be missing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from report_examples import ALONE, BEGIN_NS, HELPED, toy_spec, write_episode

from rove_core.bag.reader import Bag
from rove_core.bag.schema import EpisodeInfo
from rove_core.bag.writer import BagWriter
from rove_core.errors import BagError
from rove_core.vocabulary import Outcome
from rove_learner.report.recording import read_recording
from rove_learner.report.strip import decode, film_strip, moments_s, pictures, shrink


def test_pictures_are_those_of_their_moments(tmp_path: Path) -> None:
    """Each picture was taken within a camera period of its moment."""
    row = read_recording(write_episode(tmp_path / "bag", HELPED))
    found = pictures(row, 8)
    assert len(found) == 8
    for at, jpeg in zip(moments_s(row, 8), found, strict=True):
        picture = None if jpeg is None else decode(jpeg)
        assert picture is not None
        assert picture.mean() / 40 == pytest.approx(at, abs=0.06 + 1 / 40)


def test_what_is_no_picture_is_missing_and_not_fatal(tmp_path: Path) -> None:
    """Bytes that are no JPEG leave their cell empty; the strip is still drawn."""
    bag = write_episode(tmp_path / "bag", ALONE, picture=b"\xff\xd8 no picture")
    assert pictures(read_recording(bag), 4) == [None] * 4
    assert cv2.imdecode(np.frombuffer(film_strip(bag), np.uint8), cv2.IMREAD_COLOR) is not None


def test_a_strip_is_a_picture_that_shows_the_episode(tmp_path: Path) -> None:
    """The PNG is much wider than high and grows brighter as the episode's pictures do."""
    bag = write_episode(tmp_path / "bag", HELPED)
    image = cv2.imdecode(np.frombuffer(film_strip(bag), np.uint8), cv2.IMREAD_COLOR)
    height, width = image.shape[:2]
    assert width > 5 * height
    row = image[round(0.35 * height)].astype(float).mean(axis=1)
    cells = [row[round(width * (0.01 + 0.098 * (k + 0.5)))] for k in range(10)]
    assert np.all(np.diff(cells) > 2)


def test_a_bag_without_a_camera_says_so(tmp_path: Path) -> None:
    """The error names the bag and the topics that it has."""
    spec = toy_spec()
    folder = tmp_path / "blind"
    donor = write_episode(tmp_path / "donor")
    writer = BagWriter(folder, EpisodeInfo.of(spec, "blind", profile="toy\n"))
    writer.declare("/toy/joint_command", "rove_msgs/msg/JointCommand", "")
    for message in Bag(donor).raw_messages(["joint_command"]):
        writer.write("/toy/joint_command", message.cdr, message.log_time_ns)
    writer.close(Outcome.SUCCESS, "")
    assert read_recording(folder).begin_ns == BEGIN_NS
    with pytest.raises(BagError, match=r"blind has no camera; it has: joint_command"):
        film_strip(folder)


def test_shrinking_keeps_small_pictures_and_bounds_large_ones() -> None:
    """A picture below the limit is untouched; a large one comes near the limit, still a picture."""
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    large = cv2.imencode(".jpg", noise)[1].tobytes()
    assert shrink(large, len(large)) is large
    for most in (40_000, 6_000):
        small = shrink(large, most)
        assert len(small) <= most
        assert decode(small) is not None
    with pytest.raises(BagError, match="no JPEG picture"):
        shrink(b"x" * 100, 10)
