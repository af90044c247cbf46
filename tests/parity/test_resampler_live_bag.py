"""Live/bag parity: a policy sees the frames that a learner later reads from the bag."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rove_core.bag.episode import stamp_ns
from rove_core.bag.reader import Bag
from rove_core.bag.record import EpisodeRecorder
from rove_core.bag.schema import camera_topic
from rove_core.resample import (
    PERIOD_NS,
    Frame,
    Missing,
    Sample,
    StreamResampler,
    frames,
    observation_streams,
)
from rove_core.vocabulary import Outcome

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))
from bag_examples import MS, START, small_info, small_spec

SPEC = small_spec()
CAMERA = camera_topic("ego")
STREAMS = observation_streams(SPEC)
FRAMES = 10


@st.composite
def deliveries(draw):
    """Return samples (stream, ms after the start, delay in ms) with unique stamps per stream."""
    joints = draw(st.sets(st.integers(0, 50 * FRAMES), max_size=80))
    pictures = draw(st.sets(st.integers(0, 50 * FRAMES), max_size=25))
    samples = [("joint_states", ms) for ms in sorted(joints)]
    samples += [(CAMERA, ms) for ms in sorted(pictures)]
    return [(stream, ms, draw(st.integers(0, 300))) for stream, ms in samples]


@settings(max_examples=40, deadline=None)
@given(deliveries(), st.randoms(use_true_random=False))
def test_live_frames_equal_those_of_the_bag(samples, random):
    """For any interleaving that delivers before the frame is due, live frames == bag frames.

    Messages take any time that ends before the first frame they belong to is taken; the recorder
    gets them in an order of its own. Frames, values, stamps and gaps agree.
    """
    with tempfile.TemporaryDirectory() as folder:
        recorder = EpisodeRecorder(Path(folder) / "bag", SPEC, small_info(SPEC), chunk_bytes=2000)
        for stream, ms, _ in random.sample(samples, len(samples)):
            if stream == CAMERA:
                recorder.camera("ego", START + ms * MS, b"picture %d" % ms)
            else:
                recorder.joint_states(START + ms * MS, np.full(3, ms / 7))
        bag = Bag(recorder.close(Outcome.SUCCESS))
        recorded = [Sample(m.topic, stamp_ns(m.cdr), m.cdr) for m in bag.raw_messages(STREAMS)]
        from_bag = {
            frame.stamp_ns: {
                CAMERA: bag.decode(CAMERA, frame.values[CAMERA]).data.tobytes(),
                "joint_states": list(
                    bag.decode("joint_states", frame.values["joint_states"]).position
                ),
            }
            for frame in frames(recorded, STREAMS)
            if isinstance(frame, Frame)
        }

    # A sample arrives by its delay, at the latest when its frame is due (arrival first).
    def arrival(item: tuple[str, int, int]) -> int:
        _, ms, delay = item
        return min(ms + delay, -(-ms // 50) * 50)

    live: dict[int, dict[str, object]] = {}
    resampler = StreamResampler(STREAMS)
    waiting = sorted(random.sample(samples, len(samples)), key=arrival)
    for k in range(FRAMES + 1):
        while waiting and arrival(waiting[0]) <= 50 * k:
            stream, ms, _ = waiting.pop(0)
            value = b"picture %d" % ms if stream == CAMERA else [ms / 7] * 3
            resampler.push(stream, START + ms * MS, value)
        frame = resampler.frame_at(resampler.grid(START + 50 * k * MS + 7))
        if isinstance(frame, Frame):
            live[frame.stamp_ns] = dict(frame.values)
    # The recorded grid ends with the last sample; the running robot does not know which that is.
    last = max((START + ms * MS for _, ms, _ in samples), default=0)
    assert {t: values for t, values in live.items() if t <= last} == from_bag
    assert PERIOD_NS == 50 * MS


def test_a_late_sample_changes_neither_the_live_frame_nor_later_parity():
    """What the live side could not know stays unknown to that frame; the next ones agree again."""
    on_time = [Sample("joint_states", START, 1), Sample(CAMERA, START, "a")]
    late = Sample("joint_states", START + 40 * MS, 2)
    more = Sample(CAMERA, START + 60 * MS, "b")
    live = StreamResampler(STREAMS)
    for sample in on_time:
        live.push(*sample)
    taken = live.frame_at(START + 50 * MS)
    live.push(*late)
    live.push(*more)
    assert live.frame_at(START + 50 * MS) is taken
    assert isinstance(taken, Frame)
    assert taken.values["joint_states"] == 1
    following = live.frame_at(START + 90 * MS)
    bag = StreamResampler(STREAMS)
    for sample in [*on_time, late, more]:
        bag.push(*sample)
    assert following == bag.frame_at(START + 90 * MS)
    assert not isinstance(following, Missing)
