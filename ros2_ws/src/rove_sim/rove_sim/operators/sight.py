"""What a person at the headset gets to see, as plain data: no simulator is needed to say it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rove_core.arrays import FloatArray
from rove_sim.tasks.plan import Plan
from rove_teleop.wire.messages import Status


@dataclass(frozen=True)
class Eyes:
    """What a person sees of the work.

    Attributes:
        plan: what is left to do: waypoints of the tool, poses in the pelvis frame; may be empty.
        tool_in_wrist: (4, 4) pose of the tool in the right wrist, m.
        closure: of the robot's right hand, 0 open to 1 closed.
        progress: 0..1.
        near_failure: why failure looks near, "" when it does not.
        over: the work is done, or spoilt for good.
    """

    plan: Plan = ()
    tool_in_wrist: FloatArray = field(default_factory=lambda: np.eye(4))
    closure: float = 0.0
    progress: float = 0.0
    near_failure: str = ""
    over: bool = False


@dataclass(frozen=True)
class Seen:
    """One moment: the newest status from the bridge (None before the first) and the work."""

    status: Status | None
    eyes: Eyes = field(default_factory=Eyes)
