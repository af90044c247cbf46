"""Solvers that retargeting is compared with: stock pink, and CasADi with IPOPT for the arms.

Both get the same targets as ours and start from the same posture. pink gets the same tasks, costs,
limits and solver. It has no task that weighs the centre of mass only beyond an edge; that one's
cost is 0 while the centre of mass is over the ground, in ours the row is left out.
"""

from __future__ import annotations

import time
import warnings

import casadi
import numpy as np
import pink
import pinocchio as pin
from pink.barriers import SelfCollisionBarrier
from pink.limits import AccelerationLimit, ConfigurationLimit, VelocityLimit
from pink.tasks import ComTask, DampingTask, FrameTask, LowAccelerationTask, PostureTask

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_teleop.retarget.body import costs
from rove_teleop.retarget.body.collision import geometry
from rove_teleop.retarget.body.configuration import BASE, BASE_Q, Configuration
from rove_teleop.retarget.body.turns import tilt
from rove_teleop.retarget.model import SIDES, KinematicModel, angle_between
from rove_teleop.retarget.trunk import Bend

IPOPT = {"max_iter": 50, "tol": 1e-6, "print_level": 0, "sb": "yes"}


def lifted(bend: Bend) -> FloatArray:
    """Return the (3,) m by which a bend moves the pelvis."""
    return np.array([0.0, 0.0, bend.height])


class Pink:
    """Stock pink for the body alone.

    Args:
        spec: the robot.
        joints: (N,) rad to start from.
        hands: the model has the hands' joints, too, which rest: the robot as its URDF is loaded.
        apart: it keeps the profile's pairs apart, by pink's own barrier: all of them, with the
            smallest of their margins, and a gain that lets a step use most of what is free.
    """

    def __init__(
        self, spec: RobotSpec, joints: FloatArray, hands: bool = False, apart: bool = False
    ) -> None:
        body = Configuration(spec)
        body.stand(joints[body.moving])
        model, q = body.model, body.q.copy()
        if hands:
            model = pin.buildModelFromUrdf(str(spec.urdf_path), pin.JointModelFreeFlyer())
            q = pin.neutral(model)
            q[:BASE_Q] = body.q[:BASE_Q]
            moving = np.array([spec.index(name) for name in list(model.names)[2:]])
            q[BASE_Q:] = joints[moving]
            lower, upper = np.array(model.lowerPositionLimit), np.array(model.upperPositionLimit)
            lower[BASE_Q:], upper[BASE_Q:] = spec.lower[moving], spec.upper[moving]
            q[BASE_Q:] = np.clip(q[BASE_Q:], lower[BASE_Q:], upper[BASE_Q:])
            model.lowerPositionLimit, model.upperPositionLimit = lower, upper
            speed = np.array(model.velocityLimit)
            speed[BASE:] = spec.velocity[moving]
            model.velocityLimit = speed
        else:
            moving = body.moving
        self._spec, self._moving = spec, moving
        self._barriers, seen = [], {}
        if apart:
            shapes = geometry(body, spec.collision)[0]
            seen = {"collision_model": shapes, "collision_data": shapes.createData()}
            least = float(spec.collision.margins.min())
            barrier = SelfCollisionBarrier(len(spec.collision.pairs), 50.0, 0.0, least)
            self._barriers.append(barrier)
        self.configuration = pink.Configuration(model, model.createData(), q, **seen)
        self._frames = [
            FrameTask(task.link, list(task.cost), list(task.turn_cost))
            for task in costs.frame_tasks(spec)
        ]
        self._names = {task.name: i for i, task in enumerate(costs.frame_tasks(spec))}
        arms = np.zeros(model.nv - BASE, dtype=bool)
        own = [i for side in SIDES for i in spec.indices(f"{side}_arm")]
        arms[np.isin(moving, own)] = True
        posture = PostureTask(1.0, gain=1.0 / (1.0 + 72.0 * costs.POSTURE_S))
        posture.cost = np.where(arms, costs.POSTURE, costs.POSTURE_BODY)
        damping = DampingTask(1.0)
        damping.cost = np.where(arms, costs.DAMPING, costs.DAMPING_BODY)
        self._smooth, self._com = LowAccelerationTask(costs.SMOOTHNESS), ComTask(0.0)
        for task in (*self._frames, self._com, posture):
            task.set_target_from_configuration(self.configuration)
        self._smooth.set_last_integration(np.zeros(model.nv - BASE), 1.0)
        self._tasks = [*self._frames, self._com, posture, damping, self._smooth]
        hardest = np.full(model.nv, 1e3)  # the pelvis has none
        hardest[BASE:] = spec.acceleration[moving]
        self._acceleration = AccelerationLimit(model, hardest)
        self._limits = [ConfigurationLimit(model), VelocityLimit(model), self._acceleration]
        self._pelvis = self._goal("pelvis").copy()
        self._torso = self._goal("torso").copy()
        self.cpu_s = 0.0  # of the last step, solving alone
        self.failures = 0

    def _goal(self, name: str) -> pin.SE3:
        return self._frames[self._names[name]].transform_target_to_world

    def step(self, wrists: tuple[pin.SE3, pin.SE3], bend: Bend, dt: float) -> FloatArray:
        """Return (N,) rad after one step towards wrists in the floor frame and a bent body."""
        for side, wrist in zip(SIDES, wrists, strict=True):
            self._frames[self._names[f"{side}_wrist"]].set_target(wrist)
        pelvis = pin.SE3(self._pelvis.rotation, self._pelvis.translation + lifted(bend))
        self._frames[self._names["pelvis"]].set_target(pelvis)
        lean = tilt(bend.pitch, bend.roll) @ self._torso.rotation
        self._frames[self._names["torso"]].set_target(pin.SE3(lean, self._torso.translation))
        begun = time.thread_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                velocity = pink.solve_ik(
                    self.configuration, self._tasks, dt, "daqp", limits=self._limits,
                    barriers=self._barriers, safety_break=False,
                )  # fmt: skip
        except (pink.exceptions.PinkError, ValueError):
            velocity = np.zeros(self.configuration.model.nv)
            self.failures += 1
        self.cpu_s = time.thread_time() - begun
        self._acceleration.set_last_integration(velocity, dt)
        self._smooth.set_last_integration(velocity[BASE:], dt)
        self.configuration.integrate_inplace(velocity, dt)
        joints = np.array(self._spec.home)
        joints[self._moving] = self.configuration.q[BASE_Q:]
        return joints


class Ipopt:
    """Both arms as one nonlinear program, solved to its end for each frame.

    The pelvis goes where the body's bend says, the waist stands still. The objective, with its
    weights, is the one that xr_teleoperate uses for these arms: position, orientation, a pull to
    zero and to the solution before. Nothing limits speed or acceleration. So are the options:
    those with 50 iterations and a tolerance of 1e-6 (avp_teleoperate at 1a25ee0, robot_arm_ik.py),
    with the errors as functions of their own, which are not expanded.

    Args:
        spec: the robot.
        joints: (N,) rad to start from.
        tuned: faster than the original: functions expanded, started warm.
    """

    def __init__(self, spec: RobotSpec, joints: FloatArray, tuned: bool = False) -> None:
        self._spec, self._joints = spec, np.array(joints)
        body = Configuration(spec)
        body.stand(joints[body.moving])
        self._pelvis = body.pelvis
        self._model = KinematicModel(spec, ("left_arm", "right_arm"))
        model = self._model.model
        self._last = self._model.q_of(joints)
        opti = casadi.Opti()
        q = opti.variable(model.nq)
        self._q, self._before = q, opti.parameter(model.nq)
        self._goals = [opti.parameter(4, 4) for _ in SIDES]
        place, turn = self._errors(model.nq)
        errors = (q, *self._goals)
        rest = 0.02 * casadi.sumsqr(q) + 0.1 * casadi.sumsqr(q - self._before)
        opti.minimize(50.0 * casadi.sumsqr(place(*errors)) + casadi.sumsqr(turn(*errors)) + rest)
        opti.subject_to(opti.bounded(model.lowerPositionLimit, q, model.upperPositionLimit))
        more = {"warm_start_init_point": "yes"} if tuned else {}
        options = {"print_time": False, "calc_lam_p": False, "expand": tuned}
        opti.solver("ipopt", options, {**IPOPT, **more})
        self._opti = opti
        self.cpu_s, self.failures = 0.0, 0

    def step(self, wrists: tuple[pin.SE3, pin.SE3], bend: Bend, dt: float) -> FloatArray:
        """Return (N,) rad for wrists in the floor frame and a bent body."""
        pelvis = pin.SE3(self._pelvis.rotation, self._pelvis.translation + lifted(bend))
        begun = time.thread_time()
        for goal, wrist in zip(self._goals, wrists, strict=True):
            self._opti.set_value(goal, pelvis.actInv(wrist).homogeneous)
        self._opti.set_value(self._before, self._last)
        self._opti.set_initial(self._q, self._last)
        try:
            self._last = np.array(self._opti.solve().value(self._q))
        except RuntimeError:  # not converged in 50 iterations: take what there is
            self._last = np.array(self._opti.debug.value(self._q))
            self.failures += 1
        self.cpu_s = time.thread_time() - begun
        return self._model.position_of(self._last, self._joints)

    def _errors(self, joints: int) -> tuple[casadi.Function, casadi.Function]:
        """Return both wrists' errors of place and of turn, (6,) each, of joints and two goals."""
        q = casadi.SX.sym("q", joints)
        goals = [casadi.SX.sym(side, 4, 4) for side in SIDES]
        poses = _symbolic(self._model, q)
        self._check(poses, q)
        pairs = list(zip(poses, goals, strict=True))
        places = [pose[:3, 3] - goal[:3, 3] for pose, goal in pairs]
        turns = [_log(pose[:3, :3] @ goal[:3, :3].T) for pose, goal in pairs]
        return (
            casadi.Function("place", [q, *goals], [casadi.vertcat(*places)]),
            casadi.Function("turn", [q, *goals], [casadi.vertcat(*turns)]),
        )

    def _check(self, poses: list[casadi.SX], q: casadi.SX) -> None:
        """Compare the symbolic kinematics with pinocchio's."""
        model = self._model.model
        rng = np.random.default_rng(0)
        values = rng.uniform(model.lowerPositionLimit, model.upperPositionLimit)
        found = casadi.Function("poses", [q], poses)(values)
        for pose, (side, wrist) in zip(found, self._model.wrists(values).items(), strict=True):
            off = pin.SE3(np.array(pose))
            apart = np.linalg.norm(off.translation - wrist.translation)
            assert apart < 1e-9, side
            assert angle_between(off, wrist) < 1e-6, side


def _symbolic(kinematics: KinematicModel, q: casadi.SX) -> list[casadi.SX]:
    """Return the wrists in the pelvis frame as 4 x 4 expressions of ``q``."""
    model = kinematics.model
    data = model.createData()
    base = casadi.DM(kinematics.pelvis_in_world.inverse().homogeneous)
    poses: list[casadi.SX] = []
    for side in SIDES:
        frame = model.frames[model.getFrameId(kinematics.wrist_frames[side])]
        chain = [joint for joint in model.supports[frame.parentJoint] if joint]
        pose = base
        for joint in chain:
            column = model.joints[joint].idx_q
            unit = np.zeros(model.nq)
            unit[column] = 1.0
            pin.forwardKinematics(model, data, unit)
            axis = pin.log3(model.jointPlacements[joint].rotation.T @ data.liMi[joint].rotation)
            x, y, z = (float(v) for v in axis)
            skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
            turn = np.eye(3) + casadi.sin(q[column]) * skew
            turn += (1.0 - casadi.cos(q[column])) * (skew @ skew)
            motion = casadi.blockcat([[turn, casadi.DM.zeros(3, 1)], [casadi.DM.zeros(1, 3), 1.0]])
            pose = pose @ casadi.DM(model.jointPlacements[joint].homogeneous) @ motion
        poses.append(pose @ casadi.DM(frame.placement.homogeneous))
    return poses


def _log(turn: casadi.SX) -> casadi.SX:
    """Return axis times angle of a rotation; smooth at no rotation."""
    axis = 0.5 * casadi.vertcat(
        turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]
    )
    sine = casadi.sqrt(casadi.sumsqr(axis) + 1e-12)
    cosine = 0.5 * (turn[0, 0] + turn[1, 1] + turn[2, 2] - 1.0)
    return axis * (casadi.atan2(sine, cosine) / sine)
