"""A simulated exoskeleton with gloves: it measures the joints of the person who wears it.

The leader arms are built like the robot's. The person decides where their wrists are; the arms
they wear go along, so the suit solves its own inverse kinematics, and then reports what its sensors
say: other names, signs, zeros and scales (its profile), noise, and the steps of its encoders.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_teleop.device.mapping import DeviceMap
from rove_teleop.device.profile import DeviceProfile
from rove_teleop.retarget.model import SIDES, KinematicModel, to_transform
from rove_teleop.wire.messages import Frame

NOISE = 0.002  # rad, standard deviation of a sensor
ENCODER = 2.0 * math.pi / 4096  # rad, one step
FINGER_SPEED = 2.0  # of the travel from open to closed, 1/s
ITERATIONS = 3  # of the leader's kinematics a frame; the hand moves millimetres in 14 ms
DAMPING = 0.02  # m and rad
TRUNK = 6.0  # a person leans only where the arm is too short: the waist is this much stiffer
POSTURE = 0.15  # share of the way to the usual posture each frame, where the wrists leave a choice


class SimulatedExo:
    """The suit.

    Args:
        spec: the robot whose arms the leader's resemble.
        profile: how the suit measures.
        seed: of the sensors' noise.

    Attributes:
        profile: as given.
        joint_names: order of the measured joints.
        posture: (N,) rad, how the leader stands now, in the robot's joints.

    Raises:
        ConfigError: the profile does not fit the robot.
    """

    def __init__(self, spec: RobotSpec, profile: DeviceProfile, seed: int = 0) -> None:
        self.profile = profile
        self.joint_names = tuple(profile.joints)
        self.posture: FloatArray = np.array(spec.home)
        self._spec, self._map = spec, DeviceMap(profile, spec, self.joint_names)
        self._model = KinematicModel(spec, ("waist", "left_arm", "right_arm"))
        self._usual = self._model.q_of(spec.home)
        trunk = self._model.entries_of("waist")
        self._ease = np.where(trunk, 1.0 / TRUNK**2, 1.0)
        self._fingers = {
            side: np.array([spec.index(name) for name in spec.groups[f"{side}_hand"]])
            for side in SIDES
        }
        self._closure = dict.fromkeys(SIDES, 0.0)
        self._rng = np.random.default_rng(seed)
        self._now_s: float | None = None

    def wear(self, frame: Frame, body: pin.SE3, now_s: float) -> Frame:
        """Return the frame with what the suit measures.

        Args:
            frame: what the person's head and hands do.
            body: the person's pelvis in the frame's coordinates.
            now_s: monotonic time, s.
        """
        dt = 0.0 if self._now_s is None else max(now_s - self._now_s, 0.0)
        self._now_s = now_s
        wrists = {
            side: body.actInv(to_transform(getattr(frame, f"{side}_wrist"))) for side in SIDES
        }
        self._follow(wrists)
        for side in SIDES:
            self._close(side, getattr(frame, f"{side}_trigger"), dt)
        values = self._map.device_values(self.posture)
        noisy = values + NOISE * self._rng.standard_normal(len(values))
        measured = np.round(noisy / ENCODER) * ENCODER
        return msgspec.structs.replace(frame, device_joints=tuple(float(v) for v in measured))

    def _follow(self, wrists: dict[str, pin.SE3]) -> None:
        """Move the leader's arms along with the wrists, both in the pelvis frame."""
        model, data = self._model.model, self._model.data
        q = self._model.q_of(self.posture)
        for _ in range(ITERATIONS):
            pin.computeJointJacobians(model, data, q)
            pin.updateFramePlacements(model, data)
            rows, errors = [], []
            for side, wrist in wrists.items():
                frame = model.getFrameId(self._model.wrist_frames[side])
                wanted = self._model.pelvis_in_world * wrist
                errors.append(pin.log6(data.oMf[frame].actInv(wanted)).vector)
                rows.append(pin.getFrameJacobian(model, data, frame, pin.ReferenceFrame.LOCAL))
            jacobian, error = np.vstack(rows), np.concatenate(errors)
            weighted = jacobian * self._ease
            gram = weighted @ jacobian.T + DAMPING**2 * np.eye(len(error))
            home = POSTURE / ITERATIONS * (self._usual - q)
            step = home + weighted.T @ np.linalg.solve(gram, error - jacobian @ home)
            q = np.clip(q + step, model.lowerPositionLimit, model.upperPositionLimit)
        self.posture = self._model.position_of(q, self.posture)

    def _close(self, side: str, trigger: float, dt: float) -> None:
        """Close the person's fingers as far as a trigger would be pulled."""
        most = FINGER_SPEED * dt
        self._closure[side] += float(np.clip(trigger - self._closure[side], -most, most))
        spec, share = self._spec, self._closure[side]
        for joint in self._fingers[side]:
            name = spec.joint_names[joint]
            start, end = spec.finger_open[name], spec.finger_closed[name]
            self.posture[joint] = start + share * (end - start)
