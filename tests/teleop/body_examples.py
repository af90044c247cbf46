"""Both robots for the tests of the body's inverse kinematics, postures, and a wild operator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec, load_robot
from rove_core.robot.kinematics import Kinematics
from rove_core.robot.mirror import mirror_of
from rove_core.robot.urdf import read_urdf
from rove_teleop.retarget.body.collision import RESERVE
from rove_teleop.retarget.body.configuration import BASE
from rove_teleop.retarget.body.ik import BodyIk
from rove_teleop.retarget.model import SIDES

ROBOTS = ("g1_dex3", "gr1t2_fourier")
SPECS = {name: load_robot(name) for name in ROBOTS}
MIRRORS = {
    name: mirror_of(Kinematics(read_urdf(spec.urdf_path)), spec.joint_names)
    for name, spec in SPECS.items()
}
DT = 1.0 / 72.0


def posture(spec: RobotSpec, rng: np.random.Generator, share: float = 1.0) -> FloatArray:
    """Return (N,) rad: a share of the way from rest to anywhere within the limits."""
    anywhere = rng.uniform(spec.lower, spec.upper)
    mixed: FloatArray = np.clip(
        (1.0 - share) * spec.resting + share * anywhere, spec.lower, spec.upper
    )
    return mixed


def anchored(spec: RobotSpec, joints: FloatArray) -> BodyIk:
    """Return the inverse kinematics anchored at (N,) rad."""
    ik = BodyIk(spec)
    ik.anchor(joints[ik.body.moving])
    return ik


@dataclass
class Violations:
    """What a run of random cycles got wrong, and how near it came.

    Attributes:
        position, speed, acceleration: cycles in which a joint was beyond its limit.
        collision: cycles in which a pair was below its margin.
        failures: cycles without a solution.
        nearest: m, the least distance above a margin.
        frozen: s, the longest time in which no joint moved while the goals did.
        cycles: how many there were.
    """

    position: int = 0
    speed: int = 0
    acceleration: int = 0
    collision: int = 0
    failures: list[str] = field(default_factory=list)
    nearest: float = np.inf
    frozen: float = 0.0
    cycles: int = 0

    @property
    def total(self) -> int:
        """All cycles in which something was wrong."""
        wrong = self.position + self.speed + self.acceleration + self.collision
        return wrong + len(self.failures)


def wild_goals(
    rng: np.random.Generator, places: FloatArray, turns: FloatArray
) -> Iterator[tuple[float, FloatArray, FloatArray, FloatArray]]:
    """Yield (dt, wrist places (2, 3), wrist turns (2, 3, 3), height pitch roll) without end.

    Hands at 1-3 m/s and 2-4 rad/s that are drawn to random places in and out of reach, through
    the robot's own body too, sometimes jump by 15 cm, and a body that squats and leans; frames of
    1 to 50 ms.
    """
    place, turn, bend = places.copy(), turns.copy(), np.zeros(3)
    bent = bend
    drawn, speed, spin = place, np.zeros((2, 3)), np.zeros((2, 3))
    cycle = 0
    while True:
        if cycle % 36 == 0:
            speed, spin = rng.normal(0.0, 1.0, (2, 3)), rng.normal(0.0, 2.0, (2, 3))
        if cycle % 200 == 0:
            drawn = places + rng.uniform([-0.3, -0.35, -0.3], [0.35, 0.35, 0.4], (2, 3))
        if cycle % 300 == 0:
            bent = rng.uniform([-0.25, -0.1, -0.2], [0.02, 0.5, 0.2])
        if rng.random() < 0.002:
            place = place + rng.normal(0.0, 0.15, (2, 3))
        dt = float(rng.choice([DT] * 6 + [1 / 120, 1 / 36, 0.05, 0.001]))
        place = place + (speed + 0.8 * (drawn - place)) * dt
        turn = np.array([pin.exp3(w * dt) @ r for w, r in zip(spin, turn, strict=True)])
        bend = bend + np.clip(bent - bend, -0.4 * dt, 0.4 * dt)
        cycle += 1
        yield dt, place, turn, bend


def run_wild(spec: RobotSpec, seed: int, cycles: int) -> Violations:
    """Have a robot follow a wild operator for some cycles, and look at every one."""
    ik, found = anchored(spec, np.array(spec.home)), Violations(cycles=cycles)
    wrists = [ik.tasks.names[f"{side}_wrist"] for side in SIDES]
    moving = ik.body.moving
    lower, upper = spec.lower[moving], spec.upper[moving]
    fastest, hardest = spec.velocity[moving], spec.acceleration[moving]
    q, v, still = ik.body.joints.copy(), np.zeros(len(moving)), 0.0
    goals = wild_goals(np.random.default_rng(seed), ik.tasks.places[wrists], ik.tasks.turns[wrists])
    for _, (dt, places, turns, bend) in zip(range(cycles), goals, strict=False):
        ik.tasks.goal_places[wrists], ik.tasks.goal_turns[wrists] = places, turns
        ik.bend(*bend)
        step = ik.step(dt)
        if step.reason:
            found.failures.append(step.reason)
        now = ik.body.joints
        speed = (now - q) / dt
        acceleration = (speed - v) / dt
        found.position += bool(np.any((now < lower) | (now > upper)))
        found.speed += bool(np.any(np.abs(speed) > fastest * (1.0 + 1e-9)))
        found.acceleration += bool(np.any(np.abs(acceleration) > hardest * (1.0 + 1e-6)))
        nearest = float(ik.near.min()) + RESERVE
        found.collision += nearest < 0.0
        found.nearest = min(found.nearest, nearest)
        still = still + dt if np.abs(now - q).max() < 1e-7 else 0.0
        found.frozen = max(found.frozen, still)
        q, v = now.copy(), speed
    return found


def displaced(ik: BodyIk, column: int, step: float) -> FloatArray:
    """Return the (nq,) after moving one degree of freedom by ``step``."""
    displacement = np.zeros(ik.body.size)
    displacement[column] = step
    q: FloatArray = pin.integrate(ik.body.model, ik.body.q, displacement)
    return q


def joint_columns(ik: BodyIk) -> range:
    """Return the columns of a displacement that are joints."""
    return range(BASE, ik.body.size)
