"""Laws of the resampler: by stamp, never from the future, never older than allowed, bounded."""

from __future__ import annotations

import pytest
from bag_examples import small_spec
from hypothesis import given
from hypothesis import strategies as st

from rove_core.errors import ContractError
from rove_core.resample import (
    Frame,
    Missing,
    Sample,
    StreamResampler,
    frames,
    observation_streams,
)

AGES = {"a": 30, "b": 70}
PERIOD = 50

samples_strategy = st.lists(
    st.builds(Sample, st.sampled_from(["a", "b"]), st.integers(0, 600), st.integers(0, 1_000_000)),
    max_size=60,
)


def newest(samples: list[Sample], stream: str, t: int) -> Sample | None:
    """The definition, searched plainly: newest stamp <= t; of equal stamps the first."""
    past = [s for s in samples if s.stream == stream and s.stamp_ns <= t]
    return max(past, key=lambda s: s.stamp_ns) if past else None


def expected_at(samples: list[Sample], t: int) -> dict[str, object] | None:
    found = {name: newest(samples, name, t) for name in AGES}
    if any(s is None or t - s.stamp_ns > AGES[name] for name, s in found.items()):
        return None
    return {name: s.value for name, s in found.items()}


@given(samples_strategy, st.lists(st.integers(0, 700), min_size=1, max_size=8))
def test_a_frame_is_the_newest_of_every_stream(samples, times):
    """frame_at agrees with the definition at any increasing times, whatever order they came in."""
    resampler = StreamResampler(AGES, PERIOD)
    for sample in samples:
        resampler.push(*sample)
    for t in sorted(times):
        frame = resampler.frame_at(t)
        values = expected_at(samples, t)
        if values is None:
            assert isinstance(frame, Missing)
            late = {n for n in AGES if (s := newest(samples, n, t)) is None or t - s[1] > AGES[n]}
            assert set(frame.reasons) == late
        else:
            assert isinstance(frame, Frame)
            assert frame.values == values
            assert all(0 <= t - frame.stamps[name] <= AGES[name] for name in AGES)


@given(samples_strategy, samples_strategy, st.integers(0, 600))
def test_a_taken_frame_never_changes_and_later_ones_heal(before, after, t):
    """A sample that comes after its frame leaves it alone; the next is as if it was in time."""
    resampler = StreamResampler(AGES, PERIOD)
    for sample in before:
        resampler.push(*sample)
    frame = resampler.frame_at(t)
    kept = vars(frame).copy() if isinstance(frame, Frame) else None
    for sample in after:
        resampler.push(*sample)
    if kept is not None:
        assert resampler.frame_at(t) is frame
        assert vars(frame) == kept
    following = resampler.frame_at(t + PERIOD)
    values = expected_at([*before, *after], t + PERIOD)
    assert (following.values if isinstance(following, Frame) else None) == values


@given(samples_strategy)
def test_recorded_frames_follow_the_definition(samples):
    """frames() yields every time of the grid that has a frame, and a reason for each gap."""
    result = list(frames(samples, AGES, PERIOD))
    stamps = [frame.stamp_ns for frame in result]
    assert stamps == sorted(set(stamps))
    assert all(stamp % PERIOD == 0 for stamp in stamps)
    last = max((s.stamp_ns for s in samples), default=-1)
    expected = {t: expected_at(samples, t) for t in range(0, last + 1, PERIOD)}
    taken = {frame.stamp_ns: frame.values for frame in result if isinstance(frame, Frame)}
    assert taken == {t: values for t, values in expected.items() if values is not None}
    assert all(expected[f.stamp_ns] is None for f in result if isinstance(f, Missing))


def test_one_wrong_stamp_does_not_make_an_endless_grid():
    """A gap of years is one Missing, not one for every 50 ms of it."""
    far = 2**62
    result = list(frames([Sample("a", 0, 1), Sample("b", 0, 2), Sample("a", far, 3)], AGES, PERIOD))
    assert isinstance(result[0], Frame)
    assert len(result) <= 4


@given(st.integers(1, 20), st.lists(st.integers(0, 10_000), max_size=200))
def test_memory_is_bounded(capacity, stamps):
    """Without frames a stream keeps ``capacity`` samples, the last that arrived."""
    resampler = StreamResampler({"a": 10**9}, PERIOD, capacity)
    arrived: dict[int, int] = {}
    for i, stamp in enumerate(stamps):
        if resampler.push("a", stamp, i):
            arrived.pop(stamp, None)
            arrived[stamp] = i
    assert len(resampler._streams["a"].stamps) <= capacity
    kept = set(resampler._streams["a"].values)
    assert kept == set(sorted(arrived.values())[-capacity:])


def test_stamps_from_before_a_clock_jump_do_not_block():
    """When the clock jumps back, old samples lie in the future; new ones still get through."""
    resampler = StreamResampler({"a": 100}, PERIOD, capacity=8)
    for i in range(8):
        resampler.push("a", 10_000 + i, "old")
    for i in range(8):
        resampler.push("a", 100 + i, "new")
    frame = resampler.frame_at(150)
    assert isinstance(frame, Frame)
    assert frame.values == {"a": "new"}


def test_samples_of_the_past_are_counted_not_kept():
    """What can never be part of a frame is refused and counted per stream."""
    resampler = StreamResampler(AGES, PERIOD)
    assert resampler.push("a", 40, 1)
    assert not resampler.push("a", 40, 2)  # the first of equal stamps counts
    resampler.push("b", 45, 1)
    resampler.frame_at(50)
    assert not resampler.push("a", 30, 3)
    assert resampler.push("a", 45, 4)
    assert resampler.dropped == {"a": 2, "b": 0}


def test_a_missing_frame_may_still_be_found():
    """Asking again after the sample came gives the frame; it says what is missing until then."""
    resampler = StreamResampler(AGES, PERIOD)
    resampler.push("a", 20, "x")
    resampler.push("b", 0, "y")
    resampler.push("b", 30, "z")
    missing = resampler.frame_at(100)
    assert isinstance(missing, Missing)
    assert missing.reason == "a: newest sample is 0 ms old, 0 ms allowed"
    resampler.push("a", 95, "w")
    frame = resampler.frame_at(100)
    assert isinstance(frame, Frame)
    assert frame.values == {"a": "w", "b": "z"}


def test_time_goes_forward_until_reset():
    """An earlier frame than the last is refused; reset starts anew."""
    resampler = StreamResampler(AGES, PERIOD)
    resampler.frame_at(100)
    with pytest.raises(ContractError, match=r"50 ns given, 100 ns or later allowed; reset\(\)"):
        resampler.frame_at(50)
    resampler.reset()
    assert isinstance(resampler.frame_at(50), Missing)
    assert resampler.grid(149) == 100


def test_bad_input_is_named():
    """Unknown streams, no streams and numbers that are not positive are refused."""
    with pytest.raises(ContractError, match="'c' given, a, b allowed"):
        StreamResampler(AGES, PERIOD).push("c", 0, None)
    for ages, period, capacity in (
        ({}, 1, 1),
        ({"a": 0}, 1, 1),
        ({"a": 1}, 0, 1),
        ({"a": 1}, 1, 0),
    ):
        with pytest.raises(ContractError, match="at least one stream and positive numbers"):
            StreamResampler(ages, period, capacity)


def test_the_streams_of_an_observation():
    """Joints and the chosen cameras, by topic, with ages that follow the camera's rate."""
    spec = small_spec()
    assert observation_streams(spec) == {
        "joint_states": 50_000_000,
        "camera/ego/compressed": 125_000_000,
    }
    assert list(observation_streams(spec, [])) == ["joint_states"]
    with pytest.raises(ContractError, match="'left' given, ego allowed"):
        observation_streams(spec, ["left"])
