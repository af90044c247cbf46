"""What the body is asked to do, as rows of one weighted least-squares problem.

Each frame of the robot that has a goal gives rows of its twist, in axes of the floor frame. With
the joints' Jacobian J at the floor's origin, the row of a twist's component is a wrench times J,
masked by the joints that move the frame:

    linear along n at p:  [n, p x n] J        angular about n:  [0, n] J

so all rows together are one product. Then follows a row of the centre of mass where that is beyond
the ground under the soles, and one for the swivel of each elbow where a tracker tells it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rove_core.arrays import FloatArray
from rove_teleop.retarget.body.configuration import Configuration
from rove_teleop.retarget.body.costs import ELBOW, MASS_CENTRE, MASS_CENTRE_M, FrameTask
from rove_teleop.retarget.body.elbows import Elbows
from rove_teleop.retarget.body.turns import small_turns, turn
from rove_teleop.retarget.model import SIDES

Indices = npt.NDArray[np.intp]


class TaskStack:
    """The rows of all tasks.

    Args:
        configuration: the robot, with the tasks' links to look at.
        tasks: frames with goals; those that have a pace first.

    Attributes:
        names: name of a task -> its position k in the arrays below.
        upper: how many rows there are of the tasks above the pelvis, which are first.
        places, turns: (K, 3) m and (K, 3, 3), where the frames are, in the floor frame; views of
            the configuration's.
        goal_places, goal_turns: likewise, where they should be; to be written before each step.
        elbow_goals: (2, 3) m, left and right; elbow_hints: whether they count.
        lags: length of the way from where a paced frame is to its goal, m and rad: of place and
            turn of the first task, and so on.
        travel: m, how far the goal of a wrist moved before the last rows.
    """

    def __init__(self, configuration: Configuration, tasks: Sequence[FrameTask]) -> None:
        self._configuration = configuration
        self.names = {task.name: k for k, task in enumerate(tasks)}
        count, nv = len(tasks), configuration.size
        joints = [configuration.frame(task.link)[0] for task in tasks]
        self.places, self.turns = configuration.link_places, configuration.link_turns
        cost = np.array([[task.cost, task.turn_cost] for task in tasks]).reshape(-1)
        self._rows: Indices = np.flatnonzero(cost)
        self._cost = cost[self._rows]
        self.upper = int(np.searchsorted(self._rows, 6 * self.names["pelvis"]))
        self._paces = [pace for task in tasks if task.paces for pace in task.paces]
        self._paced = len(self._paces) // 2
        self._wrench, self._filled, self._source, self._sign = _wrenches(self._rows)
        size = len(self._rows)
        self._mask = np.zeros((size + len(SIDES), nv))
        for i, row in enumerate(self._rows):
            k = int(row) // 6
            task, mask = tasks[k], configuration.chain(joints[k])
            if task.groups:
                own = np.concatenate([configuration.columns(group) for group in task.groups])
                mask &= np.isin(np.arange(nv), own)
            self._mask[i] = self._cost[i] * mask
        self._elbows = Elbows(configuration)
        self._mask[size:] = ELBOW * self._elbows.masks
        self._jacobian, self._target = np.zeros((size + 3) * nv), np.zeros(size + 3)
        self._error = np.zeros((count, 2, 3))
        self.goal_places, self.goal_turns = np.zeros((count, 3)), np.zeros((count, 3, 3))
        self.reset()

    @property
    def elbow_places(self) -> FloatArray:
        """The (2, 3) m of the elbows, left and right."""
        return self._elbows.places

    def reset(self) -> None:
        """Take where the frames are as their goals."""
        self.goal_places[:], self.goal_turns[:] = self.places, self.turns
        self.elbow_goals: FloatArray = self.elbow_places
        self.elbow_hints = [False, False]
        self.travel = 0.0
        self.look()

    def hold(self, name: str) -> None:
        """Take where one frame is as its goal."""
        k = self.names[name]
        self.goal_places[k], self.goal_turns[k] = self.places[k], self.turns[k]
        self.look()

    def rows(
        self, dt: float, first: int, beyond: tuple[float, float, float]
    ) -> tuple[FloatArray, FloatArray]:
        """Return (A, b), (m, nv - first) and (m,): the step wanted in ``dt`` s least violates
        A x = b. Both are overwritten by the next call.

        Args:
            dt: s.
            first: column from which on joints may move; not 0: the pelvis stands still, and only
                the tasks above it count.
            beyond: where the ground ends (direction x, y of length 1) and how far the centre of
                mass is beyond, m; 0 or less where it is not.
        """
        body, way = self._configuration, self._way(dt)
        used = self.upper if first else len(self._rows)
        columns, mask = body.size - first, self._mask[:, first:]
        target, wrench = self._target, self._wrench
        jacobian = self._jacobian[: len(target) * columns].reshape(-1, columns)
        np.multiply(way.reshape(-1)[self._rows[:used]], self._cost[:used], target[:used])
        wrench.reshape(-1)[self._filled] = self.places.reshape(-1)[self._source] * self._sign
        np.matmul(wrench[:used], body.jacobian[:, first:], jacobian[:used])
        np.multiply(jacobian[:used], mask[:used], jacobian[:used])
        if any(self.elbow_hints):
            swivel, off = self._elbows.swivel(self.elbow_goals, self.elbow_hints)
            end = used + len(SIDES)
            np.matmul(swivel, body.jacobian[:, first:], jacobian[used:end])
            np.multiply(jacobian[used:end], mask[-len(SIDES) :], jacobian[used:end])
            np.multiply(off, ELBOW, target[used:end])
            used = end
        x, y, far = beyond
        if far > 0.0:
            # The weight grows from 0, so that the row does not stop the body dead at the edge.
            weight = MASS_CENTRE * min(1.0, far / MASS_CENTRE_M)
            np.matmul(np.array((weight * x, weight * y)), body.mass_centre_jacobian[:2, first:],
                      jacobian[used])  # fmt: skip
            target[used] = -weight * far
            used += 1
        return jacobian[:used], target[:used]

    def look(self) -> None:
        """Find how far the paced frames are from their goals at the present configuration."""
        n = self._paced
        turned = (self.goal_turns[:n] @ self.turns[:n].transpose(0, 2, 1)).tolist()
        places = (self.goal_places[:n] - self.places[:n]).tolist()
        ways: list[float] = []
        self._stretch: list[float] = []
        self.lags: list[float] = []
        for (x, y, z), matrix in zip(places, turned, strict=True):
            a, b, c, angle, stretch = turn(matrix)
            ways += (x, y, z, a, b, c)
            self._stretch += (1.0, stretch)
            self.lags += (math.sqrt(x * x + y * y + z * z), angle)
        self._ways = ways

    @property
    def body_error(self) -> float:
        """m or rad, the largest component by which pelvis and feet were off at the last rows."""
        return float(np.abs(self._error[self.names["pelvis"] :]).max())

    def _way(self, dt: float) -> FloatArray:
        """Return (K, 2, 3): how far each frame goes and turns in this step."""
        way, n = self._error, self._paced
        np.subtract(self.goal_places, self.places, way[:, 0])
        way[:, 1] = small_turns(self.goal_turns @ self.turns.transpose(0, 2, 1))
        # What is left now is the goal's motion and the lag from before; of that, only a share.
        now, before = way[:n].reshape(-1).tolist(), self._ways
        paced: list[float] = []
        self.travel = max(math.dist(now[:3], before[:3]), math.dist(now[6:9], before[6:9]))
        for i, (pace, lag) in enumerate(zip(self._paces, self.lags, strict=True)):
            rest, j = 1.0 - pace.share(lag, dt), 3 * i
            stretch = self._stretch[i]
            paced += (
                stretch * now[j] - rest * before[j],
                stretch * now[j + 1] - rest * before[j + 1],
                stretch * now[j + 2] - rest * before[j + 2],
            )
        way.reshape(-1)[: 6 * n] = paced
        return way


def _wrenches(rows: Indices) -> tuple[FloatArray, Indices, Indices, FloatArray]:
    """Return the (m, 6) wrenches with their constant entries, and how places fill the others:
    positions in the wrenches, in the places, and signs; all flat."""
    wrench = np.zeros((len(rows), 6))
    source, filled, signs = [], [], []
    for i, row in enumerate(rows):
        task, component = divmod(int(row), 6)
        wrench[i, component] = 1.0
        if component < 3:  # the moment p x n of a unit vector n
            second, third = (component + 1) % 3, (component + 2) % 3
            filled += [6 * i + 3 + second, 6 * i + 3 + third]
            source += [3 * task + third, 3 * task + second]
            signs += [1.0, -1.0]
    return wrench, np.array(filled), np.array(source), np.array(signs)
