"""Where a robot can work, from its profile: shoulder, reach, tools in its right hand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import mujoco
import numpy as np

from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.robot import RobotSpec
from rove_core.robot.kinematics import Kinematics, frame_pose
from rove_core.robot.urdf import read_urdf

SIDE = "right"
FIST, PINCH = f"{SIDE}_fist", f"{SIDE}_pinch"
GRIP_CLOSURE = 0.7  # of the trigger's travel, where thumb and fingers stand two centimetres apart


@dataclass(frozen=True)
class Workplace:
    """Measures of a robot that stands in its home posture.

    Attributes:
        spec: the robot.
        pelvis: (4, 4) pose of the pelvis in the world, m.
    """

    spec: RobotSpec
    pelvis: FloatArray

    @classmethod
    def of(cls, spec: RobotSpec, scene: mujoco.MjSpec) -> Workplace:
        """Return the measures of a robot that ``build_robot`` put on its feet."""
        pelvis = np.eye(4)
        pelvis[:3, 3] = scene.body(spec.frames["pelvis"]).pos
        return cls(spec, pelvis)

    @cached_property
    def _kinematics(self) -> Kinematics:
        return Kinematics(read_urdf(self.spec.urdf_path))

    def _links(self, closure: float) -> dict[str, FloatArray]:
        """Return link -> (4, 4) in the pelvis at home, hands closed by 0 to 1."""
        spec = self.spec
        at = dict(zip(spec.joint_names, spec.home, strict=True)) | dict(spec.fixed)
        for joint, opened in spec.finger_open.items():
            at[joint] = opened + closure * (spec.finger_closed[joint] - opened)
        links = self._kinematics.links(at)
        back = np.linalg.inv(links[spec.frames["pelvis"]])
        return {name: back @ placed for name, placed in links.items()}

    @cached_property
    def shoulder(self) -> FloatArray:
        """(3,) m, the right shoulder in the world."""
        first = self.spec.groups[f"{SIDE}_arm"][0]
        child = next(j.child for j in self._kinematics.order if j.name == first)
        place: FloatArray = (self.pelvis @ self._links(0.0)[child])[:3, 3]
        return place

    @cached_property
    def reach(self) -> float:
        """M from the right shoulder to the front of the fist with the arm straight."""
        links, spec = self._links(0.0), self.spec
        elbow = frame_pose(spec.frame(f"{SIDE}_elbow"), links)[:3, 3]
        wrist = links[spec.frames[f"{SIDE}_wrist"]][:3, 3]
        shoulder = self.shoulder - self.pelvis[:3, 3]
        fist = float(np.linalg.norm(self.tool_in_wrist(FIST)[:3, 3]))
        return float(np.linalg.norm(elbow - shoulder) + np.linalg.norm(wrist - elbow)) + fist

    def place(self, forward: float, left: float, up: float) -> FloatArray:
        """Return the (3,) m place that lies shares of the reach from the right shoulder, in the
        world, to the centimetre."""
        place: FloatArray = np.round(self.shoulder + self.reach * np.array([forward, left, up]), 2)
        return place

    def tool_in_wrist(self, tool: str) -> FloatArray:
        """Return the (4, 4) pose of a tool frame in the right wrist, m.

        ``right_fist`` is the profile's frame in front of the closed fist, x out of it, z to the
        thumb's side: where the face of a held tool is. ``right_pinch`` lies where the tips of
        thumb and fingers meet, with x along the straight fingers and z to the thumb's side of the
        palm: y points into the palm's open side.

        Raises:
            ConfigError: a tool the robot's profile does not describe.
        """
        spec = self.spec
        if tool == FIST:
            if FIST not in spec.offsets:
                allowed = f"a frame `{FIST}` in the profile"
                raise ConfigError("frame of a held tool", None, allowed, f"robot {spec.name}")
            links = self._links(1.0)
            placed = frame_pose(spec.frame(FIST), links)
        elif tool == PINCH:
            links = self._links(GRIP_CLOSURE)
            palm = frame_pose(spec.frame(f"{SIDE}_palm"), links)
            hand = spec.hands.get(SIDE)
            if hand is None or len(hand.fingers) < 2:
                raise ConfigError("fingers", None, "a thumb and a finger", f"robot {spec.name}")
            tips = {n: frame_pose(spec.frame(f.tip), links)[:3, 3] for n, f in hand.fingers.items()}
            thumb = tips.pop("thumb")
            opposite = [tip for name, tip in tips.items() if name in ("index", "middle")]
            placed = np.eye(4)
            # Palm: x along the fingers, y to the thumb's side, z out of the back of the hand.
            placed[:3, :3] = np.stack([palm[:3, 0], -palm[:3, 2], palm[:3, 1]], axis=1)
            placed[:3, 3] = (thumb + np.mean(opposite, axis=0)) / 2
        else:
            raise ConfigError("tool", tool, (FIST, PINCH), "task")
        wrist: FloatArray = np.linalg.inv(links[spec.frames[f"{SIDE}_wrist"]]) @ placed
        return wrist
