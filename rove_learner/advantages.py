"""Advantages of action chunks and their binary labels (ROVE §3.3), and an audit of the labels.

    A_t = sum_{i=t}^{t+H-1} gamma^(i-t) r_i + gamma^H V(s_{t+H}) - V(s_t)

*Ours*: the critic that labels an episode was not trained on it (cross-fitting); the threshold is
a quantile per task; nothing is high because a human did it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rove_core.errors import ConfigError, ContractError
from rove_core.vocabulary import Stage
from rove_learner.episodes import LearnEpisode
from rove_learner.targets import Windows

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

SHARE_HIGH = 0.35
"""Share of the chunks that is labelled high: 30-40 %, as users of RECAP do."""

LEAST_RECOVERY = 0.5
"""Below this share of high among recovery frames the audit warns (kai0#14: 70 % of the human
corrections were labelled negative and nobody noticed)."""


def advantages(windows: Windows, values: npt.ArrayLike) -> FloatArray:
    """Return A_t of every frame (§3.3), (T+1,) steps.

    NaN where the window passes the end of an episode without a terminal label. Inner windows of
    such an episode do count: V was not trained on it anyway.
    """
    return windows.backup(values) - np.asarray(values, dtype=np.float64)


def folds(groups: Sequence[str], k: int, seed: int) -> npt.NDArray[np.intp]:
    """Return the fold of every episode, 0..k-1, each group spread evenly over them.

    Args:
        groups: of every episode, what must not fall into one fold alone (stages, outcome).
        k: folds; fewer when there are fewer episodes.
        seed: of the order.

    Raises:
        ConfigError: fewer than 2 folds, or fewer than 2 episodes to cross.
    """
    if k < 2 or len(groups) < 2:
        given = f"{k} folds of {len(groups)} episodes"
        raise ConfigError("cross-fitting", given, "at least 2 folds of at least 2 episodes")
    order = np.random.default_rng(seed).permutation(len(groups))
    order = order[np.argsort(np.array(groups, dtype=object)[order].astype(str), kind="stable")]
    result = np.empty(len(groups), dtype=np.intp)
    result[order] = np.arange(len(groups)) % min(k, len(groups))
    return result


def threshold(values: npt.ArrayLike, share: float = SHARE_HIGH) -> float:
    """Return the threshold above which about ``share`` of the advantages lie.

    By rank: the greatest ``share`` of the values are to be high. The tie rule: equal values get
    equal labels, so a group of ties at the border goes as a whole to the side that brings the
    share nearer to the wish, and to *high* when it would else leave nothing high. The result lies
    strictly between the lowest high and the greatest low one: ``>`` reproduces the labels.

    Args:
        values: advantages, steps; NaN is ignored.
        share: wished, above 0 to 1.

    Raises:
        ContractError: nothing but NaN; ConfigError: ``share`` out of range.
    """
    if not 0 < share <= 1:
        raise ConfigError("share of high advantages", share, "above 0 to 1", "advantages")
    given = np.asarray(values, dtype=np.float64)
    known = given[~np.isnan(given)]
    if not len(known):
        raise ContractError("threshold: no advantage given, at least 1 needed")
    levels, counts = np.unique(known, return_counts=True)
    above = np.cumsum(counts[::-1])[::-1]  # (levels,) how many are at least this level
    lowest = int(np.argmin(np.abs(above - share * len(known))))
    if lowest == 0:
        return float(np.nextafter(levels[0], -np.inf))
    middle = 0.5 * (levels[lowest - 1] + levels[lowest])
    # Neighbours in floating point have no middle; `>` still holds from the lower one.
    return float(middle if levels[lowest - 1] <= middle < levels[lowest] else levels[lowest - 1])


@dataclass(frozen=True)
class Labels:
    """The labels of a run.

    Attributes:
        thresholds: task -> steps of advantage above which a chunk is high.
        high: (T+1,) bool an episode; False where there is no advantage.
    """

    thresholds: Mapping[str, float]
    high: tuple[BoolArray, ...]


def label(topics: Sequence[str], found: Sequence[FloatArray], share: float = SHARE_HIGH) -> Labels:
    """Binarise advantages with one threshold a task (§3.3, *ours*: a quantile).

    Args:
        topics: task of every episode.
        found: (T+1,) advantages of every episode.
        share: wished share of high.
    """
    pools: dict[str, list[FloatArray]] = {}
    for topic, values in zip(topics, found, strict=True):
        pools.setdefault(topic, []).append(values)
    thresholds = {
        topic: threshold(np.concatenate(rows), share)
        for topic, rows in pools.items()
        if np.isfinite(np.concatenate(rows)).any()
    }
    high = tuple(
        values > thresholds[topic] if topic in thresholds else np.zeros(len(values), dtype=bool)
        for topic, values in zip(topics, found, strict=True)
    )
    return Labels(thresholds, high)


@dataclass(frozen=True)
class Share:
    """Frames with an advantage, and how many of them are high."""

    frames: int
    high: int

    @property
    def share(self) -> float:
        """0..1; NaN without frames."""
        return self.high / self.frames if self.frames else float("nan")

    def plain(self) -> dict[str, float | int | None]:
        """Return it for a JSON file."""
        return {"frames": self.frames, "high": self.high,
                "share": round(self.share, 4) if self.frames else None}  # fmt: skip


@dataclass(frozen=True)
class Audit:
    """Share of high by stage, by outcome and by both, and what a person should look at."""

    total: Share
    stage: Mapping[str, Share]
    outcome: Mapping[str, Share]
    stage_outcome: Mapping[str, Share]
    warnings: tuple[str, ...]

    def plain(self) -> dict[str, object]:
        """Return it for a JSON file."""
        tables = ("stage", "outcome", "stage_outcome")
        return {"total": self.total.plain()} | {
            table: {name: share.plain() for name, share in getattr(self, table).items()}
            for table in tables
        }


def audit(episodes: Sequence[LearnEpisode], found: Sequence[FloatArray], labels: Labels) -> Audit:
    """Count labels by what the frames are, and warn of labels that contradict their purpose."""
    frames: Counter[tuple[str, str]] = Counter()
    highs: Counter[tuple[str, str]] = Counter()
    for episode, values, high in zip(episodes, found, labels.high, strict=True):
        for stage in np.unique(episode.stage):
            here = (episode.stage == stage) & np.isfinite(values)
            key = (Stage(stage).name.lower(), episode.outcome.name.lower())
            frames[key] += int(here.sum())
            highs[key] += int((here & high).sum())

    def table(part: int | None) -> dict[str, Share]:
        sums: dict[str, list[int]] = {}
        for key, n in sorted(frames.items()):
            name = " ".join(key) if part is None else key[part]
            row = sums.setdefault(name, [0, 0])
            row[0] += n
            row[1] += highs[key]
        return {name: Share(n, h) for name, (n, h) in sums.items()}

    total = Share(sum(frames.values()), sum(highs.values()))
    by_stage = table(0)
    return Audit(total, by_stage, table(1), table(None), _warnings(total, by_stage))


def _warnings(total: Share, stages: Mapping[str, Share]) -> tuple[str, ...]:
    said = []
    recovery = stages.get(Stage.RECOVERY.name.lower(), Share(0, 0))
    adaptation = stages.get(Stage.ADAPTATION.name.lower(), Share(0, 0))
    if recovery.frames and recovery.share < LEAST_RECOVERY:
        said.append(
            f"human recovery is mostly labelled low: {recovery.high} of {recovery.frames} frames "
            f"({recovery.share:.0%}) are high, against {total.share:.0%} of all frames"
        )
    if recovery.frames and adaptation.frames and adaptation.share > recovery.share:
        said.append(
            f"adaptation ({adaptation.share:.0%} high) is labelled better than recovery "
            f"({recovery.share:.0%} high)"
        )
    if total.frames and total.high in (0, total.frames):
        said.append(f"every frame has the same label ({total.high} of {total.frames} high)")
    return tuple(said)
