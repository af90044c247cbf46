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
from rove_teleop.retarget.body.turns import turn
from rove_teleop.retarget.compiled import compiled
from rove_teleop.retarget.model import SIDES

Indices = npt.NDArray[np.intp]
NO_LAG = 1e-9  # m or rad; as in ``Pace.share``
NEARLY_OPPOSITE = -0.95  # as in ``turns``: below this cosine the sine no longer tells the axis


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
        self._paces = np.array([
            (pace.braking, pace.fastest) for task in tasks if task.paces for pace in task.paces
        ])  # fmt: skip
        self._paced = len(self._paces) // 2
        # Of the paced frames, place and turn in turns, when last looked at.
        self._ways = np.zeros((len(self._paces), 3))
        self._stretch, self._lags = np.ones(len(self._paces)), np.zeros(len(self._paces))
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
        body, target = self._configuration, self._target
        used = self.upper if first else len(self._rows)
        columns, mask = body.size - first, self._mask[:, first:]
        jacobian = self._jacobian[: len(target) * columns].reshape(-1, columns)
        self.travel = _ways_of_a_step(
            self.goal_places, self.places, self.goal_turns, self.turns, self._paces, self._lags,
            self._ways, self._stretch, dt, self._error,
        )  # fmt: skip
        _frame_rows(
            self._error.reshape(-1), self.places, self._rows[:used], self._cost, self._mask,
            body.jacobian, jacobian, target,
        )  # fmt: skip
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
        if _look(
            self.goal_places, self.places, self.goal_turns, self.turns, self._ways, self._stretch,
            self._lags,
        ):  # fmt: skip
            for k in range(self._paced):
                *way, angle, stretch = turn((self.goal_turns[k] @ self.turns[k].T).tolist())
                i = 2 * k + 1
                self._ways[i], self._lags[i], self._stretch[i] = way, angle, stretch
        self.lags: list[float] = self._lags.tolist()

    @property
    def body_error(self) -> float:
        """m or rad, the largest component by which pelvis and feet were off at the last rows."""
        return float(np.abs(self._error[self.names["pelvis"] :]).max())


@compiled("b1(f8[:, ::1], f8[:, :], f8[:, :, ::1], f8[:, :, :], f8[:, ::1], f8[::1], f8[::1])")
def _look(
    goal_places: FloatArray,
    places: FloatArray,
    goal_turns: FloatArray,
    turns: FloatArray,
    ways: FloatArray,
    stretch: FloatArray,
    lags: FloatArray,
) -> bool:
    """Find the ways of paced frames to their goals, as ``turn`` does; tell whether one is turned
    so far that only that can.

    Args:
        goal_places, places: (K, 3) m. goal_turns, turns: (K, 3, 3).
        ways, stretch, lags: (2 n, 3) m and rad, (2 n,), and (2 n,) m and rad, filled in: of place
            and turn of the first n frames, in turns; see ``turn``.
    """
    far = False
    r = np.empty((3, 3))
    for k in range(len(ways) // 2):
        place, turned, square = 2 * k, 2 * k + 1, 0.0
        for i in range(3):
            way = goal_places[k, i] - places[k, i]
            ways[place, i] = way
            square += way * way
            for j in range(3):
                r[i, j] = (
                    goal_turns[k, i, 0] * turns[k, j, 0]
                    + goal_turns[k, i, 1] * turns[k, j, 1]
                    + goal_turns[k, i, 2] * turns[k, j, 2]
                )
        stretch[place], lags[place] = 1.0, math.sqrt(square)
        x, y, z = 0.5 * (r[2, 1] - r[1, 2]), 0.5 * (r[0, 2] - r[2, 0]), 0.5 * (r[1, 0] - r[0, 1])
        sine, cosine = math.sqrt(x * x + y * y + z * z), 0.5 * (r[0, 0] + r[1, 1] + r[2, 2] - 1.0)
        angle = math.atan2(sine, cosine)
        size = angle / sine if sine > 1e-12 else 1.0
        ways[turned, 0], ways[turned, 1], ways[turned, 2] = x * size, y * size, z * size
        stretch[turned], lags[turned] = size, angle
        far = far or cosine < NEARLY_OPPOSITE
    return far


@compiled(
    "f8(f8[:, ::1], f8[:, :], f8[:, :, ::1], f8[:, :, :], f8[:, ::1], f8[::1], f8[:, ::1],"
    "f8[::1], f8, f8[:, :, ::1])"
)
def _ways_of_a_step(
    goal_places: FloatArray,
    places: FloatArray,
    goal_turns: FloatArray,
    turns: FloatArray,
    paces: FloatArray,
    lags: FloatArray,
    ways: FloatArray,
    stretch: FloatArray,
    dt: float,
    step: FloatArray,
) -> float:
    """Find how far each frame goes and turns in a step of ``dt`` s; return the m by which the goal
    of a wrist moved since the last look.

    Args:
        goal_places, places: (K, 3) m. goal_turns, turns: (K, 3, 3).
        paces: (2 n, 2) braking and fastest of the paced frames, see ``approach``.
        lags, ways, stretch: as the last ``_look`` found them.
        step: (K, 2, 3) m and rad, filled in.
    """
    paced, travel = len(ways) // 2, 0.0
    now = np.empty(3)
    for k in range(len(step)):
        for what in range(2):
            if what == 0:
                for i in range(3):
                    now[i] = goal_places[k, i] - places[k, i]
            else:  # axis times sine of the turn from where the frame is to its goal
                for i in range(3):
                    a, b, twice = (i + 1) % 3, (i + 2) % 3, 0.0
                    for j in range(3):
                        twice += goal_turns[k, b, j] * turns[k, a, j]
                        twice -= goal_turns[k, a, j] * turns[k, b, j]
                    now[i] = 0.5 * twice
            if k >= paced:
                for i in range(3):
                    step[k, what, i] = now[i]
                continue
            # What is left now is the goal's motion and the lag from before; of that, only a share.
            p = 2 * k + what
            lag, share, moved = lags[p], 1.0, 0.0
            if lag >= NO_LAG:
                most = paces[p, 0] * dt * dt
                way = math.sqrt(most * (most + 2.0 * lag)) - most
                share = min(way, paces[p, 1] * dt) / lag
            for i in range(3):
                moved += (now[i] - ways[p, i]) ** 2
                step[k, what, i] = stretch[p] * now[i] - (1.0 - share) * ways[p, i]
            if what == 0 and k < 2:
                travel = max(travel, math.sqrt(moved))
    return travel


@compiled("void(f8[::1], f8[:, :], i8[::1], f8[::1], f8[:, ::1], f8[::1, :], f8[:, ::1], f8[::1])")
def _frame_rows(
    step: FloatArray,
    places: FloatArray,
    rows: Indices,
    cost: FloatArray,
    mask: FloatArray,
    jacobian: FloatArray,
    filled: FloatArray,
    target: FloatArray,
) -> None:
    """Fill in the first rows A and b of the problem, those of frames.

    Args:
        step: (6 K,) m and rad wanted of the frames. places: (K, 3) m.
        rows: (m,) which components of the frames' twists they are. cost: (m or more,).
        mask: (m or more, nv) cost where a joint moves the frame, else 0. jacobian: (6, nv).
        filled: (m or more, c) A of the last c joints. target: (m or more,) b.
    """
    columns = filled.shape[1]
    first = jacobian.shape[1] - columns
    for i in range(len(rows)):
        k, component = rows[i] // 6, rows[i] % 6
        target[i] = step[rows[i]] * cost[i]
        if component < 3:  # the moment p x n of a unit vector n
            a, b = (component + 1) % 3, (component + 2) % 3
            along, back = places[k, b], places[k, a]
            for j in range(columns):
                c = first + j
                twist = jacobian[component, c]
                twist += along * jacobian[3 + a, c] - back * jacobian[3 + b, c]
                filled[i, j] = mask[i, c] * twist
        else:
            for j in range(columns):
                c = first + j
                filled[i, j] = mask[i, c] * jacobian[component, c]
