"""Night: the files that the nightly job leaves behind, as far as they are there.

=====================  =====================================================================
``run.json``           started_ns, base_digest, new_digest, backbone_digest, boundary, c_fail,
                       horizon, tau, counts, label_audit (stage -> share of high, or an object
                       with ``share`` and ``count``), t_r_sources (source -> count), warnings
``*_history.json``     of critic and actor: list of {"step", "train", "held_out"}
``values.npz``         per bag ``<bag>/time_ns`` (T,) ROS time, ns, ``/value`` (T,) steps,
                       ``/advantage`` (T,) steps, nan where there is none, ``/high`` (T,) bool;
                       optional ``/t_r_ns`` (K,), the failure boundaries that were used, with
                       ``/t_r_source`` (K,) text, who decided each
=====================  =====================================================================
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Losses of a training: steps, on training data, on held-out episodes, (K,) each.

    What was not measured at a step is nan.
    """

    step: FloatArray
    train: FloatArray
    held_out: FloatArray


@dataclass(frozen=True)
class Values:
    """What the critic says along one bag, (T,) each; see the table above.

    ``t_r`` are the failure boundaries, (ROS time in ns, who decided), None when not written.
    """

    time_ns: npt.NDArray[np.int64]
    value: FloatArray
    advantage: FloatArray
    high: npt.NDArray[np.bool_]
    t_r: tuple[tuple[int, str], ...] | None


@dataclass(frozen=True)
class Night:
    """What the nightly job wrote.

    Attributes:
        run: ``run.json``; empty when it is missing.
        critic, actor: their training curves, None when missing.
        values: bag name -> what the critic says along it.
        missing: key ("run", "critic", "actor", "values") -> what is missing, as a sentence.
    """

    run: Mapping[str, Any]
    critic: Curve | None
    actor: Curve | None
    values: Mapping[str, Values]
    missing: Mapping[str, str]

    def text(self, key: str) -> str:
        """Return an entry of ``run.json`` as text, "" when it is not there."""
        value = self.run.get(key)
        if isinstance(value, float):
            return f"{value:g}"
        return "" if value is None else str(value)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings that the job wrote."""
        given = self.run.get("warnings") or []
        return tuple(map(str, given)) if isinstance(given, list) else (str(given),)


def read_night(folder: Path) -> Night:
    """Read a folder; what is missing or broken is named in ``missing``, never raised."""
    missing: dict[str, str] = {}
    run: Mapping[str, Any] = {}
    curves: dict[str, Curve | None] = {"critic": None, "actor": None}
    values: Mapping[str, Values] = {}
    try:
        run = _run(folder / "run.json")
    except (OSError, ValueError) as error:
        missing["run"] = _sentence(error, "run.json", "no settings, digests and label audit")
    for name in curves:
        file = f"{name}_history.json"
        try:
            curves[name] = _curve(folder / file)
        except (OSError, ValueError, KeyError, TypeError) as error:
            missing[name] = _sentence(error, file, f"no training curve of the {name}")
    try:
        values, broken = _values(folder / "values.npz")
        if broken:
            missing["values"] = f"values.npz is incomplete for {', '.join(broken)}."
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        missing["values"] = _sentence(error, "values.npz", "no values along the episodes")
    return Night(run, curves["critic"], curves["actor"], values, missing)


def _sentence(error: Exception, file: str, lost: str) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{file} is missing: {lost}."
    return f"{file} cannot be read ({type(error).__name__}: {error}): {lost}."


def _run(path: Path) -> Mapping[str, Any]:
    run = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(run, dict):
        raise ValueError(f"{type(run).__name__} given, an object allowed")
    return run


def _curve(path: Path) -> Curve:
    rows = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(rows, list) or not rows:
        raise ValueError("no list of steps")

    def column(key: str) -> FloatArray:
        cells = [row[key] if key == "step" else row.get(key) for row in rows]
        return np.array([math.nan if cell is None else float(cell) for cell in cells])

    return Curve(column("step"), column("train"), column("held_out"))


def _values(path: Path) -> tuple[Mapping[str, Values], list[str]]:
    found: dict[str, Values] = {}
    broken: list[str] = []
    with np.load(path, allow_pickle=False) as file:
        for bag in sorted({key.rpartition("/")[0] for key in file.files}):
            try:
                found[bag] = _of_bag(file, bag)
            except (KeyError, ValueError):
                broken.append(bag)
    return found, broken


def _of_bag(file: Mapping[str, Any], bag: str) -> Values:
    rows = [
        np.atleast_1d(file[f"{bag}/{key}"]) for key in ("time_ns", "value", "advantage", "high")
    ]
    if len({row.shape for row in rows}) > 1 or rows[0].ndim > 1:
        raise ValueError(f"shapes {[row.shape for row in rows]} given, (T,) each allowed")
    boundaries = None
    if f"{bag}/t_r_ns" in file:
        stamps = np.atleast_1d(file[f"{bag}/t_r_ns"]).astype(np.int64)
        key = f"{bag}/t_r_source"
        sources = np.atleast_1d(file[key]) if key in file else [""] * len(stamps)
        boundaries = tuple((int(t), str(s)) for t, s in zip(stamps, sources, strict=True))
    return Values(
        rows[0].astype(np.int64),
        rows[1].astype(np.float64),
        rows[2].astype(np.float64),
        rows[3].astype(bool),
        boundaries,
    )
