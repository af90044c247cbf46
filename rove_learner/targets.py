"""H-step targets of a value (ROVE §3.2): which rewards a window sums, and where it bootstraps.

    Vhat_t = sum_{i=t}^{t+H-1} gamma^(i-t) r_i + gamma^H V_target(s_{t+H})

What the paper leaves open is *ours*: a window that would pass T ends there, without bootstrap. A
window that meets a cut sums the frames up to it and bootstraps from the state there, the first
one after it (what lies between was cut out of the sequence). Every state that is bootstrapped
from has a target itself; with gamma 1 a state without one keeps its initial value and acts as a
false goal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rove_core.errors import ContractError
from rove_learner.rewards import Boundary, RewardConfig, rewards

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

NONE = -1
"""In ``Windows.bootstrap``: the window ends for good."""


@dataclass(frozen=True)
class Windows:
    """The windows of one episode; row t starts at frame t.

    Attributes:
        paid: (T+1,) discounted sum of the rewards inside.
        steps: (T+1,) number of rewards inside, 1 to H.
        bootstrap: (T+1,) frame whose value is added, or ``NONE``.
        discount: (T+1,) gamma ** steps, 0 where nothing is bootstrapped.
        closed: (T+1,) False where the window passes the end of an episode without a terminal
            label: it has neither an end nor a state to bootstrap from.
        grounded: (T+1,) whether it has a target: closed, and the state that it bootstraps from
            is grounded, too.
    """

    paid: FloatArray
    steps: IndexArray
    bootstrap: IndexArray
    discount: FloatArray
    closed: BoolArray
    grounded: BoolArray

    def backup(self, values: npt.ArrayLike) -> FloatArray:
        """Return paid + gamma^steps * values[bootstrap], (T+1,); NaN where not ``closed``.

        Args:
            values: (T+1,) value of every frame.
        """
        given = np.asarray(values, dtype=np.float64)
        if given.shape != self.paid.shape:
            raise ContractError(f"values {given.shape} given, {self.paid.shape} allowed")
        ahead = np.where(self.bootstrap == NONE, 0.0, given[self.bootstrap])
        return np.where(self.closed, self.paid + self.discount * ahead, np.nan)

    def targets(self, values: npt.ArrayLike, limits: tuple[float, float]) -> FloatArray:
        """Return ``Vhat`` (§3.2), clipped to the possible range; NaN where not ``grounded``."""
        return np.where(self.grounded, np.clip(self.backup(values), *limits), np.nan)


def windows(
    segment: npt.ArrayLike,
    success: bool | None,
    recoveries: Sequence[int],
    horizon: int,
    config: RewardConfig,
    anchored: bool = False,
) -> Windows:
    """Return the windows of an episode.

    Args:
        segment: (T+1,) number of the uncut stretch of each frame.
        success: how it ended, None without a terminal label.
        recoveries: frames ``t_r``.
        horizon: H.
        config: costs.
        anchored: whether the windows that are not closed get a target from elsewhere (the
            Monte-Carlo critic of the other episodes, ``ove``), so that inner windows of an
            aborted episode may bootstrap from their frames.

    Raises:
        ContractError: H below 1, or what ``rewards`` refuses.
    """
    if horizon < 1:
        raise ContractError(f"windows: horizon {horizon} given, at least 1 allowed")
    parts = np.asarray(segment)
    n = len(parts)
    reward = rewards(n, success, recoveries, config)
    frame = np.arange(n)
    ends = _ends(n, success, recoveries, config)
    wanted = frame + horizon - 1
    last = np.minimum.reduce([wanted, _next(ends, frame, n - 1), _last_of_segment(parts)])
    terminal = ends[last]
    bootstrap = np.where(terminal, NONE, last + 1)
    closed = terminal | (bootstrap < n)
    bootstrap = np.where(closed, bootstrap, NONE)
    steps = last - frame + 1
    paid = np.zeros(n)
    for i in range(min(horizon, n)):
        inside = i < steps
        paid[inside] += config.gamma**i * reward[frame[inside] + i]
    grounded = np.zeros(n, dtype=bool)
    for t in range(n - 1, -1, -1):  # bootstrap > t: one pass backwards decides
        if not closed[t]:
            grounded[t] = anchored
        else:
            grounded[t] = bootstrap[t] == NONE or grounded[bootstrap[t]]
    discount = np.where(bootstrap == NONE, 0.0, config.gamma**steps)
    return Windows(paid, steps, bootstrap, discount, closed, grounded & closed)


def monte_carlo(
    length: int, success: bool | None, recoveries: Sequence[int], config: RewardConfig
) -> FloatArray:
    """Return the (length,) discounted sums of rewards to the end (the target of Eq. 3).

    NaN throughout for an episode without a terminal label: nobody knows what was still to come.
    """
    if success is None:
        return np.full(length, np.nan)
    reward = rewards(length, success, recoveries, config)
    ends = _ends(length, success, recoveries, config)
    result, ahead = np.empty(length), 0.0
    for t in range(length - 1, -1, -1):
        ahead = reward[t] + (0.0 if ends[t] else config.gamma * ahead)
        result[t] = ahead
    return result


def _ends(
    n: int, success: bool | None, recoveries: Sequence[int], config: RewardConfig
) -> BoolArray:
    """Return (n,) True at frames after which nothing is bootstrapped."""
    ends = np.zeros(n, dtype=bool)
    ends[-1] = success is not None
    if config.boundary == Boundary.TERMINAL:
        ends[list(recoveries)] = True
    return ends


def _next(marked: BoolArray, frame: IndexArray, otherwise: int) -> IndexArray:
    """Return (n,) the first marked frame at or after each one."""
    places = np.append(np.flatnonzero(marked), otherwise)
    return places[np.searchsorted(places[:-1], frame)]


def _last_of_segment(segment: npt.NDArray[np.integer]) -> IndexArray:
    """Return (n,) the last frame of the segment that each one lies in."""
    n = len(segment)
    border = np.flatnonzero(np.append(segment[1:] != segment[:-1], True))
    return border[np.searchsorted(border, np.arange(n))]
