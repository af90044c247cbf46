"""Proposer: when a chunk is due and from which frame; cameras, joints and an instruction in."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from rove_core.action import NS, ActionChunk
from rove_core.arrays import FloatArray
from rove_core.errors import RoveError
from rove_core.observation import Image, Observation
from rove_core.resample import Missing, StreamResampler, observation_streams
from rove_core.robot.spec import RobotSpec
from rove_policy.slot import PolicySlot

RATE_HZ = 4.0
"""Chunks a second of robot time: each is replaced before a third of it is used."""
_JOINTS = "joint_states"


@dataclass(frozen=True)
class Proposal:
    """A chunk, the advantage it was asked for, and ms that decoding and inference took."""

    chunk: ActionChunk
    advantage_high: bool
    inference_ms: float


class Proposer:
    """Proposes at a fixed rate of robot time while an episode runs; from one thread.

    A frame is taken when every stream has reached its time, so that it is the frame that the
    learner will see in the bag.

    Args:
        spec: the robot.
        slot: holds the policy.
        rate: chunks, Hz of robot time.
        advantage_high: the condition that the policy is given.
        timer: s, for ``inference_ms`` only.

    Attributes:
        waiting: why the last sample that was due gave no chunk, "" when it gave one.
    """

    def __init__(
        self,
        spec: RobotSpec,
        slot: PolicySlot,
        rate: float = RATE_HZ,
        advantage_high: bool = True,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.waiting = ""
        self._slot, self._high, self._timer = slot, advantage_high, timer
        self._every_ns = round(NS / rate)
        self._last_ns = 0
        self._instruction = ""
        self._cameras = {name: f"camera/{name}/compressed" for name in spec.cameras}
        streams = observation_streams(spec)
        self._streams = StreamResampler(streams)
        self._newest = dict.fromkeys(streams, 0)  # stamp, ns

    @property
    def instruction(self) -> str:
        """Of the running episode, "" when none runs."""
        return self._instruction

    def episode(self, instruction: str) -> None:
        """Propose for an instruction from now on; "": no episode runs."""
        self._instruction, self._last_ns, self.waiting = instruction, 0, ""

    def joints(self, stamp_ns: int, position: FloatArray) -> Proposal | None:
        """Take measured joints, (N,) rad in the order of the spec, and their time, ns."""
        return self._sample(_JOINTS, stamp_ns, position)

    def picture(self, camera: str, stamp_ns: int, jpeg: Any) -> Proposal | None:
        """Take a camera's JPEG (bytes or a buffer of them) and the time of its exposure, ns."""
        return self._sample(self._cameras[camera], stamp_ns, jpeg)

    def _sample(self, stream: str, stamp_ns: int, value: Any) -> Proposal | None:
        if stamp_ns < self._last_ns:  # robot time ran backwards: nothing before it is comparable
            self._streams.reset()
            self._newest = dict.fromkeys(self._newest, 0)
            self._last_ns = 0
        self._streams.push(stream, stamp_ns, value)
        self._newest[stream] = stamp_ns
        due_ns = min(self._newest[topic] for topic in self._cameras.values())
        reached = self._newest[_JOINTS] >= due_ns > 0
        if self._instruction and reached and due_ns - self._last_ns >= self._every_ns:
            return self._propose(due_ns)
        return None

    def _propose(self, stamp_ns: int) -> Proposal | None:
        frame = self._streams.frame_at(stamp_ns)
        if isinstance(frame, Missing):
            self.waiting = frame.reason
            return None
        if self._slot.policy is None:
            return None
        began = self._timer()
        try:
            images = {
                name: _decode(name, frame.values[topic]) for name, topic in self._cameras.items()
            }
            observation = Observation(stamp_ns, images, frame.values[_JOINTS], self._instruction)
            chunk = self._slot.act(observation, self._high)
        except RoveError as error:
            self.waiting = str(error)
            return None
        self._last_ns, self.waiting = stamp_ns, ""
        return Proposal(chunk, self._high, 1e3 * (self._timer() - began))


def _decode(camera: str, jpeg: Any) -> Image:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise RoveError(f"camera {camera!r}: a picture that is not a JPEG was given")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)
