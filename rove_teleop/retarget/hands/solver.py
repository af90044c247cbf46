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

import eigenpy
import numpy as np

from rove_core.arrays import FloatArray
from rove_core.robot import RobotSpec
from rove_teleop.retarget.hands.model import HandModel
from rove_teleop.retarget.hands.pinch import Pinches
from rove_teleop.retarget.hands.targets import HandTargets

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
        joints, finger = model.joints, model.finger
        names = [spec.joint_names[j] for j in joints]
        self._lower, self._upper = spec.lower[joints], spec.upper[joints]
        self._open = self.inside(np.array([spec.finger_open[name] for name in names]))
        closed = self.inside(np.array([spec.finger_closed[name] for name in names]))
        self._travel = closed - self._open
        self.q: FloatArray = self._open.copy()

        fingers, ends = len(model.names), targets.ends
        pinches = [pinch for side in sides for pinch in spec.hands[side].pinches]
        begin = np.array([pinch.begin for pinch in pinches]) * targets.pair_scale
        self._contact = [pinch.contact for pinch in pinches]
        self._pairs = [(int(a), int(b)) for a, b in ends]
        self.pinches = Pinches(begin.tolist())
        # (P, F): +1 at the second finger of a pair, -1 at its first.
        difference = np.zeros((len(ends), fingers))
        difference[np.arange(len(ends)), ends[:, 1]] = 1.0
        difference[np.arange(len(ends)), ends[:, 0]] = -1.0
        # Residuals, fingers then pairs, from tips: (F + P, F); forces on joints' tips from them.
        self._residual = np.vstack([np.eye(fingers), difference])
        self._to_joints = np.ascontiguousarray(self._residual.T[finger])
        # A residual's weight times this, (n, n), is what the tips' products count.
        products = self._to_joints[:, None] * self._to_joints[None]
        self._products = products.reshape(len(names) ** 2, -1)
        self._goal = np.vstack([model.knuckle, np.zeros((len(ends), 3))])

        self._unit = 1.0 / float(np.mean(model.length)) ** 2
        # Of the fingers: weights of their tips, and of their joints' nominal posture.
        thumbs = [name == "thumb" for _, name in model.names]
        self._tips = [0.0 if thumb else TIP * self._unit for thumb in thumbs]
        self._posed = [THUMB_NOMINAL if thumb else NOMINAL for thumb in thumbs]
        pairs = [PAIR * self._unit] * len(ends)
        self._free = self._mix(np.array(self._tips + pairs), np.array(self._posed))

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
            between = self.targets.wanted[len(self.model.names) :]
            self.pinches.update(np.einsum("ij,ij->i", between, between).tolist(), dt)
            self.step()
        return good

    def step(self) -> None:
        """Take one step towards the present targets."""
        q = self.q
        pulls, columns, weights, nominal, mixing = self._look(q)
        forces = self._to_joints @ (weights[:, None] * pulls)
        away = q - self._nominal_posture()
        gradient = np.einsum("ij,ji->i", forces, columns) + nominal * away
        hessian = (columns.T @ columns) * mixing
        stuck = ((q <= self._lower) & (gradient > 0.0)) | ((q >= self._upper) & (gradient < 0.0))
        diagonal = hessian.reshape(-1)[:: len(q) + 1]
        diagonal += nominal + (DAMPING + STUCK * stuck)
        step = eigenpy.LLT(hessian).solve(gradient)
        if float(step @ step) > LONGEST_STEP**2:
            step = np.minimum(np.maximum(step, -LONGEST_STEP), LONGEST_STEP)
        self.q = self.inside(q - step)

    def objective(self, q: FloatArray) -> tuple[float, FloatArray]:
        """Return value and (n,) gradient at ``q`` for the present targets, half the sum of squares.

        In a pinch the direction in which the tips shall be apart is that of ``q``; it is held still
        in the gradient.
        """
        pulls, columns, weights, nominal, _ = self._look(q)
        pushed = weights[:, None] * pulls
        away = q - self._nominal_posture()
        gradient = np.einsum("ij,ji->i", self._to_joints @ pushed, columns) + nominal * away
        return 0.5 * float(np.vdot(pushed, pulls) + away @ (nominal * away)), gradient

    def _nominal_posture(self) -> FloatArray:
        posture: FloatArray = self._open + self.targets.closure[self.model.finger] * self._travel
        return posture

    def _look(
        self, q: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return residuals (F + P, 3), columns (3, n), weights (F + P,), weights of the nominal
        posture (n,) and what the columns' products count (n, n)."""
        tips = self.model.tips(q)
        columns = self.model.columns(tips)
        pulls = self._residual @ tips - self._goal - self.targets.wanted
        closure = self.targets.closure
        if self.pinches.active or float(closure.max()) > GRASP_FROM:
            return (pulls, columns, *self._contact_weights(closure, pulls))
        return (pulls, columns, *self._free)

    def _contact_weights(
        self, closure: FloatArray, pulls: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the weights where fingers pinch or close fully; changes ``pulls`` of the pairs.

        Plain floats: there are few fingers, and numpy takes three times as long for them.
        """
        # A finger in a pinch follows the pinch; one that closes fully follows the closed posture.
        count = len(self._tips)
        grasp = [max((c - GRASP_FROM) / (1.0 - GRASP_FROM), 0.0) for c in closure.tolist()]
        pinching = [0.0] * count
        pairs = [PAIR * self._unit] * len(self._pairs)
        if self.pinches.active:
            for k, (a, b) in enumerate(self._pairs):
                share = self.pinches.share[k] * (1.0 - max(grasp[a], grasp[b]))
                if share <= 0.0:
                    continue
                pinching[a] = min(pinching[a] + share, 1.0)
                pinching[b] = min(pinching[b] + share, 1.0)
                # The cube: the pull grows from nothing, so the fingers do not snap to each other.
                pairs[k] = (PAIR + (PINCH - PAIR) * share**3) * self._unit
                pull, wide = pulls[count + k], self.targets.wanted[count + k]
                apart = pull + wide
                distance = math.sqrt(float(apart @ apart)) + 1e-6
                pull += share * (wide - apart * (self._contact[k] / distance))
        yields = [1.0 - YIELD * share for share in pinching]
        tips = [w * y * (1.0 - g) for w, y, g in zip(self._tips, yields, grasp, strict=True)]
        nominal = [(n + GRASP * g) * y for n, y, g in zip(self._posed, yields, grasp, strict=True)]
        return self._mix(np.array(tips + pairs), np.array(nominal))

    def _mix(
        self, weights: FloatArray, nominal: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        count = len(self.q)
        return weights, nominal[self.model.finger], (self._products @ weights).reshape(count, count)
