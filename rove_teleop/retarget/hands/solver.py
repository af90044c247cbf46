"""The vector objective: a robot's tips where the person's are, and meeting when theirs meet.

For robot fingers f with tips p_f(q) and pairs (a, b) that can pinch, in units of a finger's length,

    min_q  sum_f  w_f |p_f - t_f|^2  +  sum_ab w_ab |p_b - p_a - v_ab|^2
           + sum_j u_j (q_j - n_j)^2                 with lower <= q <= upper

    t_f   knuckle of the robot's finger + the person's vector from knuckle to tip, over the length
          of their finger times that of the robot's: a straight finger is straight in any size
    v_ab  the person's vector between the two tips, scaled by the profile; while they pinch, the
          profile's contact distance along the line between the robot's tips, with a weight
          that outweighs everything else
    n_j   the joint's posture between the profile's open and closed hand; it decides where tips
          cannot (a straight finger, a thumb built unlike a person's) and closes a fist fully

Vectors between tips come from DexPilot (Handa et al. 2020, https://arxiv.org/abs/1910.03135), with
an objective of our own. One damped Gauss-Newton step a frame from the posture before is enough: the
hand moves little in 14 ms. Bounds are kept by projection: a joint at a bound whose gradient pushes
outwards leaves the step (Bertsekas 1982, https://doi.org/10.1137/0320018).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_teleop.retarget.compiled import compiled
from rove_teleop.retarget.hands.model import HandModel, tip_columns
from rove_teleop.retarget.hands.pinch import Pinches
from rove_teleop.retarget.hands.targets import HandTargets

Indices = npt.NDArray[np.intp]

TIP, PAIR, PINCH = 1.0, 0.02, 30.0  # weights of t_f, of v_ab far from and in a pinch
NOMINAL, THUMB_NOMINAL = 0.02, 0.3  # u_j; a robot's thumb seldom has a person's joints
GRASP, GRASP_FROM = 5.0, 0.8  # u_j of a finger that closes fully, and the closure where it begins
YIELD = 0.95  # share of a tip's and a posture's weight that a full pinch takes from its fingers
DAMPING = 0.02  # rad^-2; a step along a direction that nothing decides stays small
STUCK = 1e6  # rad^-2; outweighs everything that pulls at a joint which leaves the step
LONGEST_STEP = 0.2  # rad in a frame, 14 rad/s at 72 Hz; keeps the linearisation honest after leaps


class HandSolver:
    """Postures of some hands that mean what a person's hands do.

    Args:
        spec: the robot.
        sides: which of its hands.

    Attributes:
        model: the robot's hands.
        targets: what the person's hands asked for last.
        pinches: which pairs are pinching, hands one after another, in the profile's order.
        q: (n,) rad, the present posture in the model's order.

    Raises:
        ConfigError: see ``HandModel``.
    """

    def __init__(self, spec: RobotSpec, sides: Sequence[str]) -> None:
        model = self.model = HandModel(spec, sides)
        targets = self.targets = HandTargets(spec, model, sides)
        joints = model.joints
        names = [spec.joint_names[j] for j in joints]
        self._lower, self._upper = spec.lower[joints], spec.upper[joints]
        self._open = self.inside(np.array([spec.finger_open[name] for name in names]))
        closed = self.inside(np.array([spec.finger_closed[name] for name in names]))
        self._travel = closed - self._open
        self.q: FloatArray = self._open.copy()

        ends = targets.ends
        pinches = [pinch for side in sides for pinch in spec.hands[side].pinches]
        begin = np.array([pinch.begin for pinch in pinches]) * targets.pair_scale
        self._contact = np.array([pinch.contact for pinch in pinches])
        self.pinches = Pinches(begin.tolist())
        self._unit = 1.0 / float(np.mean(model.length)) ** 2
        # Of the fingers: weights of their tips, and of their joints' nominal posture.
        thumbs = np.array([name == "thumb" for _, name in model.names])
        self._tip_weights = np.where(thumbs, 0.0, TIP * self._unit)
        self._posed = np.where(thumbs, THUMB_NOMINAL, NOMINAL)
        count, size = len(thumbs) + len(ends), len(joints)
        self._share = np.zeros(len(ends))
        self._tips = np.zeros((len(thumbs), 3))
        self._columns = np.zeros((size, 3))
        self._pulls, self._weights = np.zeros((count, 3)), np.zeros(count)
        self._nominal, self._away = np.zeros(size), np.zeros(size)
        self._gradient, self._hessian = np.zeros(size), np.zeros((size, size))

    def inside(self, posture: FloatArray) -> FloatArray:
        """Return an (n,) posture moved into the limits."""
        return np.minimum(np.maximum(posture, self._lower), self._upper)

    def start(self, q: FloatArray) -> None:
        """Go on from an (n,) posture, rad."""
        self.q = self.inside(q)

    def follow(self, hands: Mapping[str, Sequence[float]], dt: float) -> tuple[str, ...]:
        """Move ``q`` a step towards what the hands mean; return the sides that are hands.

        Args:
            hands: side -> 75 floats (WebXR), in any one frame.
            dt: s since the hands before.
        """
        good = self.targets.read(hands)
        if good:
            self.pinches.update(self.targets.apart.tolist(), dt)
            self.step()
        return good

    def step(self) -> None:
        """Take one step towards the present targets."""
        self._look(self.q)
        self.q = self.q.copy()
        _gauss_newton(
            self.q, self._lower, self._upper, self.model.finger, self.targets.ends, self._columns,
            self._weights, self._nominal, self._gradient, self._hessian,
        )  # fmt: skip

    def objective(self, q: FloatArray) -> tuple[float, FloatArray]:
        """Return value and (n,) gradient at ``q`` for the present targets, half the sum of squares.

        In a pinch the direction in which the tips shall be apart is that of ``q``; it is held still
        in the gradient.
        """
        self._look(q)
        pulled = self._weights @ (self._pulls**2).sum(axis=1)
        posed = self._nominal @ self._away**2
        return 0.5 * float(pulled + posed), self._gradient.copy()

    def _look(self, q: FloatArray) -> None:
        """Find residuals, their weights and the gradient at (n,) rad."""
        model, targets = self.model, self.targets
        model.update(q)
        self._share[:] = self.pinches.share
        model.places.take(model.tip_frames, 0, self._tips)
        tip_columns(model.jacobian, self._tips, model.finger, self._columns)
        _residuals(
            self._tips, model.knuckle, targets.wanted, targets.closure, self._share, targets.ends,
            self._contact, self._tip_weights, self._posed, self._unit, model.finger, q, self._open,
            self._travel, self._columns, self._pulls, self._weights, self._nominal, self._away,
            self._gradient,
        )  # fmt: skip


@compiled(
    "void(f8[:, ::1], f8[:, ::1], f8[:, ::1], f8[::1], f8[::1], i8[:, ::1], f8[::1], f8[::1],"
    "f8[::1], f8, i8[::1], f8[::1], f8[::1], f8[::1], f8[:, ::1], f8[:, ::1], f8[::1], f8[::1],"
    "f8[::1], f8[::1])"
)
def _residuals(
    tips: FloatArray,
    knuckle: FloatArray,
    wanted: FloatArray,
    closure: FloatArray,
    share: FloatArray,
    ends: Indices,
    contact: FloatArray,
    tip_weights: FloatArray,
    posed: FloatArray,
    unit: float,
    finger: Indices,
    q: FloatArray,
    open_: FloatArray,
    travel: FloatArray,
    columns: FloatArray,
    pulls: FloatArray,
    weights: FloatArray,
    nominal: FloatArray,
    away: FloatArray,
    gradient: FloatArray,
) -> None:
    """Fill in residuals, their weights and the gradient of the objective.

    Args:
        tips, knuckle: (F, 3) m. wanted: (F + P, 3) m. closure: (F,) 0..1.
        share: (P,) 0..1, how much the pairs pinch. ends: (P, 2) their fingers. contact: (P,) m.
        tip_weights, posed: (F,), w_f and u_j of fingers that neither pinch nor close fully.
        unit: 1/m2. finger: (n,). q, open_, travel: (n,) rad. columns: (n, 3) m/rad.
        pulls: (F + P, 3) m gets the residuals, fingers before pairs. weights: (F + P,).
        nominal: (n,) gets u_j. away: (n,) rad gets q_j - n_j. gradient: (n,).
    """
    count = len(closure)
    # A finger in a pinch follows the pinch; one that closes fully follows the closed posture.
    grasp, pinching = np.zeros(count), np.zeros(count)
    for f in range(count):
        grasp[f] = max((closure[f] - GRASP_FROM) / (1.0 - GRASP_FROM), 0.0)
        for i in range(3):
            pulls[f, i] = tips[f, i] - knuckle[f, i] - wanted[f, i]
    for k in range(len(ends)):
        r, a, b = count + k, ends[k, 0], ends[k, 1]
        square = 0.0
        for i in range(3):
            apart = tips[b, i] - tips[a, i]
            pulls[r, i] = apart - wanted[r, i]
            square += apart * apart
        weights[r] = PAIR * unit
        part = share[k] * (1.0 - max(grasp[a], grasp[b]))
        if part > 0.0:
            pinching[a] = min(pinching[a] + part, 1.0)
            pinching[b] = min(pinching[b] + part, 1.0)
            # The cube: the pull grows from nothing, so the fingers do not snap to each other.
            weights[r] = (PAIR + (PINCH - PAIR) * part**3) * unit
            near = contact[k] / (math.sqrt(square) + 1e-6)
            for i in range(3):
                apart = tips[b, i] - tips[a, i]
                pulls[r, i] += part * (wanted[r, i] - apart * near)
    for f in range(count):
        weights[f] = tip_weights[f] * (1.0 - YIELD * pinching[f]) * (1.0 - grasp[f])
    forces = np.zeros((count, 3))
    for i in range(3):
        for f in range(count):
            forces[f, i] = weights[f] * pulls[f, i]
        for k in range(len(ends)):
            force = weights[count + k] * pulls[count + k, i]
            forces[ends[k, 0], i] -= force
            forces[ends[k, 1], i] += force
    for j in range(len(q)):
        f = finger[j]
        nominal[j] = (posed[f] + GRASP * grasp[f]) * (1.0 - YIELD * pinching[f])
        away[j] = q[j] - (open_[j] + closure[f] * travel[j])
        value = nominal[j] * away[j]
        for i in range(3):
            value += forces[f, i] * columns[j, i]
        gradient[j] = value


@compiled(
    "void(f8[::1], f8[::1], f8[::1], i8[::1], i8[:, ::1], f8[:, ::1], f8[::1], f8[::1], f8[::1],"
    "f8[:, ::1])"
)
def _gauss_newton(
    q: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    finger: Indices,
    ends: Indices,
    columns: FloatArray,
    weights: FloatArray,
    nominal: FloatArray,
    gradient: FloatArray,
    hessian: FloatArray,
) -> None:
    """Move (n,) rad by one damped Gauss-Newton step within the limits.

    Args:
        lower, upper: (n,) rad. finger, ends, columns, weights, nominal, gradient: as above.
        hessian: (n, n), overwritten: its lower triangle gets its Cholesky factor.
    """
    n, count = len(q), len(weights) - len(ends)
    # Tips count by the weights of the residuals that they are part of, (F, F).
    mixing = np.zeros((count, count))
    for f in range(count):
        mixing[f, f] = weights[f]
    for k in range(len(ends)):
        a, b, weight = ends[k, 0], ends[k, 1], weights[count + k]
        mixing[a, a] += weight
        mixing[b, b] += weight
        mixing[a, b] -= weight
        mixing[b, a] -= weight
    for j in range(n):
        for k in range(j + 1):
            product = 0.0
            for i in range(3):
                product += columns[j, i] * columns[k, i]
            hessian[j, k] = product * mixing[finger[j], finger[k]]
        hessian[j, j] += nominal[j] + DAMPING
        if (q[j] <= lower[j] and gradient[j] > 0.0) or (q[j] >= upper[j] and gradient[j] < 0.0):
            hessian[j, j] += STUCK
    step = np.empty(n)
    for j in range(n):  # L L' = hessian, L y = gradient
        for k in range(j):
            value = hessian[j, k]
            for i in range(k):
                value -= hessian[j, i] * hessian[k, i]
            hessian[j, k] = value / hessian[k, k]
        diagonal, value = hessian[j, j], gradient[j]
        for i in range(j):
            diagonal -= hessian[j, i] * hessian[j, i]
            value -= hessian[j, i] * step[i]
        hessian[j, j] = math.sqrt(diagonal)
        step[j] = value / hessian[j, j]
    for j in range(n - 1, -1, -1):  # L' x = y
        for i in range(j + 1, n):
            step[j] -= hessian[i, j] * step[i]
        step[j] /= hessian[j, j]
    for j in range(n):
        moved = q[j] - min(max(step[j], -LONGEST_STEP), LONGEST_STEP)
        q[j] = min(max(moved, lower[j]), upper[j])
