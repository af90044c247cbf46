"""What the bridge tells an operator, made from the arbiter's state and the robot's posture."""

from __future__ import annotations

from typing import Any

from rove_core.vocabulary import Authority, Mode, Stage
from rove_teleop.retarget.model import RobotPoses
from rove_teleop.wire.messages import Status

STATUS_S = 0.05
"""Between two of them; a change of mode is told at once."""


def operator_status(
    state: Any,
    stamp_ns: int,
    poses: RobotPoses,
    errors: tuple[float, float, float, float],
    question: str = "",
    episode_id: str = "",
    instruction: str = "",
    sent_ns: int = 0,
) -> Status:
    """Return the status of one moment.

    Args:
        state: the arbiter's, as a ``Decision`` or an ``ArbiterState`` message: mode, authority,
            stage, reason, lease and lease_holder are read.
        stamp_ns: ROS time of that state, ns.
        poses: where the robot's wrists and head are.
        errors: m and rad of the newest target: position, orientation, fingers, head.
        question: that a person has to answer.
        episode_id, instruction: of the running episode.
        sent_ns: wall time, see ``Status``.
    """
    return Status(
        stamp_ns=stamp_ns,
        mode=Mode(state.mode),
        authority=Authority(state.authority),
        stage=Stage(state.stage),
        reason=state.reason,
        lease=state.lease,
        lease_holder=state.lease_holder,
        position_error=errors[0],
        orientation_error=errors[1],
        finger_error=errors[2],
        head_error=errors[3],
        head=poses.head,
        left_wrist=poses.left_wrist,
        right_wrist=poses.right_wrist,
        episode_id=episode_id,
        instruction=instruction,
        question=question,
        sent_ns=sent_ns,
    )
