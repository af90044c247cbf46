"""The tasks of a robot and what they weigh, with the reasons."""

from __future__ import annotations

from dataclasses import dataclass

from rove_core.robot import RobotSpec
from rove_teleop.retarget.body.approach import Pace
from rove_teleop.retarget.model import SIDES

# Costs: 1/m and 1/rad. A wrist that is 1 cm off weighs as much as one turned by 0.02 rad.
WRIST, WRIST_TURN = 1.0, 0.5
# Feet stand on the ground. Held exactly they could ask for what joint limits forbid; this stiff a
# foot yields by less than a millimetre when an arm pulls with all its might.
FOOT, FOOT_TURN = 10.0, 10.0
# The pelvis stays over the feet where the operator's head does not ask for another height: an
# operator who reaches out moves a hand, not the robot's body.
PELVIS, PELVIS_TURN = 3.0, 3.0
# The torso leans as the operator does. Its yaw may help the arms more than roll and pitch.
TORSO_TURN, TORSO_YAW = 0.5, 0.2
GAZE = 0.3
# Beyond the ground by MASS_CENTRE_M the centre of mass weighs more than the pelvis, far more than
# the wrists; over the ground it weighs nothing.
MASS_CENTRE, MASS_CENTRE_M = 6.0, 0.01
ELBOW = 0.3

# What arms can brake: 30 rad/s2 at 0.3 m, with a third in reserve.
ARM, ARM_TURN = Pace(6.0, 2.0), Pace(20.0, 6.0)
GAZE_TURN = Pace(8.0, 2.0)

# Damping of one step, 1/rad (pelvis: also 1/m), decides which joints do the work: an arm before
# the waist, the waist before the legs.
DAMPING, DAMPING_BODY, DAMPING_BASE = 0.01, 0.04, 0.04
# Added for an arm when a wrist lags by NEAR_M: where the arm is stretched, small errors ask for
# large steps, and it would swing to and fro.
DAMPING_LAG, NEAR_M = 0.06, 0.05
SMOOTHNESS = 0.01  # of a change of the step
# The pull to the reference posture: weak while the wrists are where they should be, strong when one
# is NEAR_M off, which brings an arm back from the edge of reach.
POSTURE, POSTURE_LAG, POSTURE_BODY = 0.01, 0.03, 0.1
POSTURE_S = 0.5  # time constant of that pull
# The reference moves from the posture of the anchor to the profile's rest posture as far as the
# operator's hands move: a robot whose operator is still is still.
REST_M = 0.5

_NEVER = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class FrameTask:
    """A frame with a goal.

    Attributes:
        name: ``left_wrist``, ``pelvis``, ...
        link: of the URDF.
        cost: (3,) 1/m along the floor's axes. turn_cost: (3,) 1/rad about them.
        paces: how fast a lag of place and of turn are made good; none: at once.
        groups: joints that may move for it; none: all that carry it.
    """

    name: str
    link: str
    cost: tuple[float, float, float]
    turn_cost: tuple[float, float, float]
    paces: tuple[Pace, Pace] | None = None
    groups: tuple[str, ...] = ()


def frame_tasks(spec: RobotSpec) -> list[FrameTask]:
    """Return the tasks of a robot: wrists, a head that moves, torso, pelvis, feet; those with a
    pace first, those above the pelvis before it."""
    frames = spec.frames
    tasks = [
        FrameTask(f"{side}_wrist", frames[f"{side}_wrist"], (WRIST,) * 3, (WRIST_TURN,) * 3,
                  (ARM, ARM_TURN))
        for side in SIDES
    ]  # fmt: skip
    if "head" in spec.groups:
        # The neck alone follows the gaze: no body sways because its operator looks around.
        gaze = FrameTask("head", frames["head"], _NEVER, (GAZE,) * 3, (ARM, GAZE_TURN), ("head",))
        tasks.append(gaze)
    tasks += [
        FrameTask("torso", frames["torso"], _NEVER, (TORSO_TURN, TORSO_TURN, TORSO_YAW)),
        FrameTask("pelvis", frames["pelvis"], (PELVIS,) * 3, (PELVIS_TURN,) * 3),
    ]
    tasks += [
        FrameTask(f"{side}_foot", frames[f"{side}_foot"], (FOOT,) * 3, (FOOT_TURN,) * 3)
        for side in SIDES
    ]
    return tasks
