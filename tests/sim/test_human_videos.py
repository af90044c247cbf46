"""Laws of filmed people: no robot, labels that fit the film, mistakes that are made good."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from rove_core.errors import ConfigError
from rove_core.videos import read_labels
from rove_core.vocabulary import Outcome
from rove_sim.human.body import SKINS, human
from rove_sim.human.performance import Kind, perform
from rove_sim.human.videos import VideoOrder, film
from rove_sim.world import World


@pytest.fixture(scope="module")
def studio() -> Iterator[World]:
    """A person at the buttons, which take the least time."""
    world = World(human(1, 64), "press_button", variation=1.0)
    yield world
    world.close()


def test_every_kind_of_performance_goes_as_it_should(studio: World) -> None:
    """Law: without a mistake it succeeds; a mistake that is made good has both marks in order and
    mostly ends well; one that is not has no recovery and never succeeds."""
    ends: dict[Kind, list[Outcome]] = {kind: [] for kind in Kind}
    for kind in Kind:
        for seed in range(3):
            done = perform(studio, seed, kind, lambda: None, longest_s=9.0)
            ends[kind].append(done.outcome)
            if kind is Kind.RECOVERY and done.mistake_at is not None:
                assert done.recovery_at is None or done.mistake_at < done.recovery_at < done.frames
            else:
                assert done.recovery_at is None
    assert set(ends[Kind.SUCCESS]) == {Outcome.SUCCESS}
    assert ends[Kind.RECOVERY].count(Outcome.SUCCESS) >= 2
    assert ends[Kind.FAILURE].count(Outcome.SUCCESS) <= 1  # done before the mistake could happen


def test_a_seed_gives_the_same_performance(studio: World) -> None:
    """Law: same seed and kind -> the same film to the pixel."""
    films: list[list[np.ndarray]] = []
    for _ in range(2):
        frames: list[np.ndarray] = []
        perform(studio, 4, Kind.RECOVERY, lambda f=frames: f.append(studio.render("ego")), 2.0)  # type: ignore[misc]
        films.append(frames)
    np.testing.assert_array_equal(films[0], films[1])


def test_the_hand_is_a_person_s(studio: World) -> None:
    """Law: the hand has the colour of skin, and no link of a robot is in the scene."""
    bodies = [studio.model.body(i).name for i in range(studio.model.nbody)]
    assert not [name for name in bodies if "link" in name]
    shown = studio.model.geom_rgba[:, None, :3]
    assert np.isclose(shown, np.array(SKINS), atol=1e-3).all(axis=-1).any()


def test_videos_and_labels_fit(tmp_path: Path) -> None:
    """Law: a label names a film of its length, rate and size; labels there are never replaced."""
    order = VideoOrder("press_button", tmp_path, videos=2, seed=10, pixels=64)
    labels = film(order)
    assert read_labels(tmp_path) == labels
    assert not list(tmp_path.glob("*.part"))
    for label in labels:
        with av.open(str(tmp_path / label.video)) as container:
            stream = container.streams.video[0]
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
            assert float(stream.average_rate or 0) == label.fps == 20.0
        assert len(frames) == label.frames
        assert frames[0].shape == (64, 64, 3)
        assert frames[0].std() > 10.0
        assert np.abs(frames[-1].astype(int) - frames[0]).max() > 50
    with pytest.raises(ConfigError, match=r"labels\.json"):
        VideoOrder("press_button", tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [{"videos": 0}, {"pixels": 63}, {"pixels": 65}, {"recoveries": 0.8}, {"failures": -0.1}],
)
def test_impossible_orders_are_refused(tmp_path: Path, wrong: dict[str, float]) -> None:
    """Law: numbers out of range name what was given and what is allowed."""
    with pytest.raises(ConfigError, match="allowed"):
        VideoOrder("press_button", tmp_path, **wrong)  # type: ignore[arg-type]
