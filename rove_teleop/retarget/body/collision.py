"""Capsules that must stay apart: distances of all pairs, and walls for those that come too near.

A step is safe when the robot is apart after it, and when it can still stop apart: with T the time
in which all joints can stop from the step's speed v together, at q + v T / 2. From there on braking
is a step that is always left, on a way that was looked at. (A bound on how fast a pair closes does
not do: a hand that passes tangentially at 2 m/s bends to the trunk faster than it can brake.)

Safety is judged by true distances. Only when it fails, the pair becomes a wall: a row of the next
attempt at this step, linear about where this one led. The distance has the gradient n . (v2 - v1)
with n from the nearest point of the first to that of the second; with J at the floor's origin that
is

    [n, p x n] J, masked by (joints that move the second) - (joints that move the first);

the moment p x n is the same for both points, because n lies along their difference.

A pair that is below its margin has to come back; but one that was there when the robot was taken
over only may not come nearer, because a robot whose operator is still is still.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import coal
import numpy as np
import numpy.typing as npt
import pinocchio as pin

from rove_core.arrays import FloatArray
from rove_core.robot import CollisionSpec
from rove_teleop.retarget.body.configuration import BASE, Configuration
from rove_teleop.retarget.compiled import compiled

Indices = npt.NDArray[np.intp]
# m kept above the profile's margin: distances bend, walls are straight.
RESERVE = 0.006
TOLERANCE = 2e-5  # m of a step; what is missed is asked for again in the next one
COMING_BACK = 0.9  # share of what is missing that may be missing after the next step

# Columns of a reading: distance, normal, nearest point of the first, of the second.
READING = 10


class Collisions:
    """The pairs of a robot's profile.

    Args:
        configuration: the robot.

    Attributes:
        count: number of pairs, P.
    """

    def __init__(self, configuration: Configuration) -> None:
        spec = configuration.spec.collision
        self._model = configuration.model
        self._shapes, masks = geometry(configuration, spec)
        self.count = len(spec.pairs)
        names = list(spec.shapes)
        first = [names.index(pair.first) for pair in spec.pairs]
        second = [names.index(pair.second) for pair in spec.pairs]
        self._mask = masks[second] - masks[first]
        levers = np.abs(self._mask[:, BASE:]) * _levers(configuration, spec, first, second)
        self._levers = np.ascontiguousarray(levers)
        self._margins = spec.margins + RESERVE
        self._apart = self._margins.copy()
        self._yielding = False
        self._here = _Place(self._model, configuration.data, self._shapes)
        elsewhere = self._model.createData()
        pin.forwardKinematics(self._model, elsewhere, configuration.q)
        self._there = _Place(self._model, elsewhere, self._shapes)

    def start(self) -> FloatArray:
        """Look, and take pairs that are below their margin as they are: they may stay so."""
        self._apart = self._margins.copy()
        free = np.minimum(self.look(), 0.0)
        self._apart += free
        self._yielding = bool((free < 0.0).any())
        return self.look()

    def tighten(self, free: FloatArray) -> None:
        """Hold pairs that were below their margin at the start to what they have gained.

        Args:
            free: what ``look`` returned; changed to what it would return now.
        """
        if self._yielding:
            self._yielding = _tighten(free, self._apart, self._margins)

    def look(self) -> FloatArray:
        """Return the (P,) m by which the pairs are farther apart than they have to be, at the
        present configuration: than margin and reserve, with the exceptions of ``start``."""
        return self._here.distances() - self._apart

    def look_at(self, q: FloatArray) -> FloatArray:
        """Return the same at (nq,)."""
        pin.forwardKinematics(self._model, self._there.data, q)
        return self._there.distances() - self._apart

    @property
    def looked_at(self) -> pin.Data:
        """Pinocchio's data at the configuration that ``look_at`` looked at last."""
        return self._there.data

    def may_meet(self, free: FloatArray, way: FloatArray, times: float) -> bool:
        """Tell whether a way may bring pairs too near; False: it certainly does not use up more
        than half of the reserve.

        Args:
            free: (P,) m, as ``look`` returns it where the way begins.
            way: (nv - 6,) rad, how each joint turns on it, times ``times``.
        """
        return _least_left(free, self._levers, way, times) < -0.5 * RESERVE

    def reach(self, way: FloatArray) -> FloatArray:
        """Return the (P,) m that no pair can come nearer by on a way of (nv - 6,) rad, each joint
        turning so far; not negative."""
        nearer: FloatArray = self._levers @ way
        return nearer

    @property
    def levers(self) -> FloatArray:
        """(P, nv - 6) m by which no rad of a joint can bring a pair nearer than by that."""
        return self._levers

    @property
    def masks(self) -> FloatArray:
        """(P, nv) 1 where a degree of freedom moves the second shape only, -1: the first only."""
        return self._mask

    def wrench(self, pair: int) -> list[float]:
        """Return the (6,) that turns Jacobians where ``look_at`` looked last into the gradient of
        a pair's distance, masks aside; see above."""
        return moment(*self._there.read()[pair, 1:7].tolist())

    @property
    def moved_by(self) -> npt.NDArray[np.bool_]:
        """(P, nv - 6) whether a joint moves the shapes of a pair against each other."""
        moves: npt.NDArray[np.bool_] = self._mask[:, BASE:] != 0.0
        return moves

    def gradients(self, pairs: Indices, there: bool) -> FloatArray:
        """Return the (len(pairs), nv) gradients of distances at the present configuration, or where
        ``look_at`` looked last."""
        place = self._there if there else self._here
        if there:
            pin.computeJointJacobians(self._model, place.data)
        rows: FloatArray = np.empty((len(pairs), self._mask.shape[1]))
        _gradients(place.read(), pairs, place.data.J, self._mask, rows)
        return rows


def moment(nx: float, ny: float, nz: float, px: float, py: float, pz: float) -> list[float]:
    """Return n and p x n, (6,); numpy takes ten times as long for a row."""
    return [nx, ny, nz, py * nz - pz * ny, pz * nx - px * nz, px * ny - py * nx]


def missing(before: FloatArray, after: FloatArray) -> FloatArray:
    """Return the (P,) m by which pairs should be farther apart after a step; 0 or less: safe.

    Args:
        before, after: (P,) m as ``Collisions.look`` returns them.
    """
    return COMING_BACK * np.minimum(before, 0.0) - after


@compiled("f8(f8[::1], f8[::1])")
def most_missing(before: FloatArray, after: FloatArray) -> float:
    """Return the largest of what is ``missing``, m, 0 at least."""
    most = 0.0
    for p in range(len(before)):
        most = max(most, COMING_BACK * min(before[p], 0.0) - after[p])
    return most


@compiled("void(f8[:, :], i8[::1], f8[::1, :], f8[:, ::1], f8[:, ::1])")
def _gradients(
    reading: FloatArray, pairs: Indices, jacobian: FloatArray, mask: FloatArray, rows: FloatArray
) -> None:
    """Fill in the gradients of some pairs' distances, (k, nv) m/rad: n . (v + w x p).

    Args:
        reading: (P, 10), see ``READING``. pairs: (k,). jacobian: (6, nv) of the joints, at the
            origin. mask: (P, nv).
    """
    for k in range(len(pairs)):
        r, m = reading[pairs[k]], mask[pairs[k]]
        nx, ny, nz, px, py, pz = r[1], r[2], r[3], r[4], r[5], r[6]
        mx, my, mz = py * nz - pz * ny, pz * nx - px * nz, px * ny - py * nx
        for j in range(len(m)):
            if m[j] == 0.0:
                rows[k, j] = 0.0
                continue
            c = jacobian[:, j]
            turned = mx * c[3] + my * c[4] + mz * c[5]
            rows[k, j] = m[j] * (nx * c[0] + ny * c[1] + nz * c[2] + turned)


@compiled("b1(f8[::1], f8[::1], f8[::1])")
def _tighten(free: FloatArray, apart: FloatArray, margins: FloatArray) -> bool:
    """Take what is free of pairs, (P,) m, for what they are to be apart, up to their margins; tell
    whether some are still below those."""
    yielding = False
    for p in range(len(free)):
        room = min(margins[p] - apart[p], max(free[p], 0.0))
        apart[p] += room
        free[p] -= room
        yielding = yielding or apart[p] < margins[p]
    return yielding


@compiled("f8(f8[::1], f8[:, ::1], f8[::1], f8)")
def _least_left(free: FloatArray, levers: FloatArray, way: FloatArray, times: float) -> float:
    """Return the least, m, that a way may leave of what is free, 0 at most.

    Args:
        free: (P,) m. levers: (P, n) m/rad. way: (n,) rad. times: of the way.
    """
    least = 0.0
    for p in range(len(free)):
        nearer = 0.0
        for j in range(len(way)):
            nearer += levers[p, j] * abs(way[j])
        least = min(least, free[p] - nearer * times)
    return least


class _Place:
    """Distances at one configuration, whose kinematics are in ``data``."""

    def __init__(self, model: pin.Model, data: pin.Data, shapes: pin.GeometryModel) -> None:
        self._model, self.data, self._shapes = model, data, shapes
        self._results = shapes.createData()
        self._measure()
        self.read = reader(self._results.distanceResults)

    def distances(self) -> FloatArray:
        """Return the (P,) m between the surfaces."""
        self._measure()
        return self.read()[:, 0]

    def _measure(self) -> None:
        pin.updateGeometryPlacements(self._model, self.data, self._shapes, self._results)
        pin.computeDistances(self._shapes, self._results)


def geometry(
    configuration: Configuration, spec: CollisionSpec
) -> tuple[pin.GeometryModel, FloatArray]:
    """Return pinocchio's model of shapes and pairs, and (S, nv): 1 where a joint moves a shape."""
    shapes, masks = pin.GeometryModel(), np.zeros((len(spec.shapes), configuration.size))
    for i, shape in enumerate(spec.shapes.values()):
        joint, offset = configuration.frame(shape.link)
        start, end = np.array(shape.start), np.array(shape.end)
        length = float(np.linalg.norm(end - start))
        turn, body = np.eye(3), coal.Sphere(shape.radius)
        if length > 1e-6:
            up = np.array([0.0, 0.0, 1.0])
            turn = pin.Quaternion.FromTwoVectors(up, end - start).matrix()
            body = coal.Capsule(shape.radius, length)
        place = offset * pin.SE3(turn, 0.5 * (start + end))
        shapes.addGeometryObject(pin.GeometryObject(shape.name, joint, place, body))
        masks[i] = configuration.chain(joint)
    for pair in spec.pairs:
        a, b = (shapes.getGeometryId(name) for name in (pair.first, pair.second))
        shapes.addCollisionPair(pin.CollisionPair(a, b))
    return shapes, masks


def _levers(
    configuration: Configuration, spec: CollisionSpec, first: list[int], second: list[int]
) -> FloatArray:
    """Return the (P, nv - 6) m by which no rad of a joint can move a shape of a pair more."""
    model, shapes = configuration.model, list(spec.shapes.values())
    levers = np.zeros((len(shapes), configuration.size - BASE))
    for i, shape in enumerate(shapes):
        joint, offset = configuration.frame(shape.link)
        far = max(np.linalg.norm(offset.act(np.array(p))) for p in (shape.start, shape.end))
        while joint > 1:  # joint 1 is the free pelvis
            levers[i, model.joints[joint].idx_v - BASE] = far
            far += np.linalg.norm(model.jointPlacements[joint].translation)
            joint = model.parents[joint]
    return np.maximum(levers[first], levers[second])


def reader(results: object) -> Callable[[], FloatArray]:
    """Return what reads pinocchio's distance results: (P, 10), see ``READING``.

    Measuring 52 pairs takes 3 us, asking for the results one by one 18. They lie in one block of
    memory; where that looks as expected, it is read directly.
    """
    items = list(results)  # type: ignore[call-overload]

    def one_by_one() -> FloatArray:
        return np.array([
            [r.min_distance, *r.normal, *r.getNearestPoint1(), *r.getNearestPoint2()] for r in items
        ]).reshape(-1, READING)  # fmt: skip

    if len(items) < 2:
        return one_by_one
    starts = np.array([item.normal.ctypes.data for item in items]) - 8
    steps = np.diff(starts)
    if steps.min() != steps.max() or steps[0] < 8 * READING or steps[0] % 8:
        return one_by_one
    count = (len(items) - 1) * int(steps[0]) // 8 + READING
    block = np.ctypeslib.as_array((ctypes.c_double * count).from_address(int(starts[0])))
    view = np.lib.stride_tricks.as_strided(block, (len(items), READING), (int(steps[0]), 8))
    if not np.array_equal(view, one_by_one()):
        return one_by_one
    return lambda: view
