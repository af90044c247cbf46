"""Operator calibration: height and arm length from a two-second neutral pose, kept by name.

The *neutral pose*: upright, looking straight ahead, both arms stretched out to the sides at the
height of the shoulders. Eyes and wrists are enough to measure from; the rest are proportions of
adults (Drillis and Contini 1966; Winter, Biomechanics and Motor Control of Human Movement): the
eyes at 0.936 of the stature, the shoulders at 0.818, the arm from shoulder to wrist 0.332 of it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from rove_core.errors import ConfigError
from rove_core.keys import checked_name
from rove_core.keys import default_folder as keys_folder
from rove_teleop.wire.messages import Frame

EYES, SHOULDERS = 0.936, 0.818  # of the stature
# Shoulder joint to the middle of the body with raised arms, of the stature: what is left of half
# the span from wrist to wrist (0.82 of the stature) once the arm is taken off.
SHOULDER_HALF = 0.078
SHORTEST, TALLEST = 1.2, 2.2  # m, of an operator
SPAN = (0.68, 0.96)  # wrist to wrist over the stature; bent elbows are shorter
NEUTRAL_S = 2.0
STILL_M = 0.025  # that eyes and wrists may wander during the neutral pose
LEVEL_M = 0.25  # of a wrist above or below the shoulders
ASYMMETRY_M = 0.18  # between the two wrists' distances to the head
UPRIGHT = math.cos(math.radians(25.0))  # of the head's up axis
TALLER_M, LONGER_M = 0.15, 0.30  # beyond which a frame cannot be of the calibrated person


@dataclass(frozen=True)
class Calibration:
    """A person's size.

    Attributes:
        name: under which it is kept.
        eye_height: m above the floor, upright.
        span: m from wrist to wrist with both arms stretched out to the sides.

    Raises:
        ConfigError: not the size of a person.
    """

    name: str
    eye_height: float
    span: float

    def __post_init__(self) -> None:
        checked_name(self.name)
        where = f"calibration {self.name}"
        if not SHORTEST <= self.height <= TALLEST:
            allowed = f"{SHORTEST} to {TALLEST} m (is the floor of the device right?)"
            raise ConfigError("height of the operator", round(self.height, 2), allowed, where)
        if not SPAN[0] <= self.span / self.height <= SPAN[1]:
            low, high = (round(part * self.height, 2) for part in SPAN)
            allowed = f"{low} to {high} m for a height of {self.height:.2f} m: stretch both arms"
            raise ConfigError("span from wrist to wrist", round(self.span, 2), allowed, where)

    @property
    def height(self) -> float:
        """Stature, m."""
        return self.eye_height / EYES

    @property
    def arm(self) -> float:
        """Length from shoulder to wrist, m."""
        return self.span / 2.0 - SHOULDER_HALF * self.height

    def contradiction(self, frame: Frame) -> str:
        """Return why a frame cannot be of this person, "" when it can."""
        if not frame.head_tracked:
            return ""
        above = frame.head[2] - self.eye_height
        if above > TALLER_M:
            return f"the eyes are {above:.2f} m above those of calibration {self.name}"
        # From the eyes down to the shoulders, out to them, and along the arm.
        shoulder = math.hypot(EYES - SHOULDERS, SHOULDER_HALF) * self.height
        reach = self.arm + shoulder + LONGER_M
        for side in ("left", "right"):
            if getattr(frame, f"{side}_tracked"):
                away = math.dist(frame.head[:3], getattr(frame, f"{side}_wrist")[:3])
                if away > reach:
                    return (
                        f"the {side} wrist is {away:.2f} m from the eyes, at most {reach:.2f} m "
                        f"by calibration {self.name}"
                    )
        return ""

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, where: str = "") -> Calibration:
        """Return what ``to_json`` wrote.

        Raises:
            ConfigError: it is something else, or not the size of a person.
        """
        try:
            entry = json.loads(text)
            return cls(str(entry["name"]), float(entry["eye_height"]), float(entry["span"]))
        except (ValueError, KeyError, TypeError) as error:
            allowed = "JSON with name, eye_height, span; measure it again"
            raise ConfigError("calibration", text[:80], allowed, where) from error


def default_folder() -> Path:
    """Return ``$ROVE_CALIBRATIONS``, or ``calibrations`` beside the folder of the keys."""
    given = os.environ.get("ROVE_CALIBRATIONS")
    return Path(given) if given else keys_folder().parent / "calibrations"


class CalibrationStore:
    """The calibrations of this machine, one ``NAME.json`` each.

    Args:
        folder: None: ``$ROVE_CALIBRATIONS`` or ``calibrations`` beside the folder of the keys
            (``~/.config/rove/calibrations``).
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else default_folder()

    def save(self, calibration: Calibration) -> Path:
        """Keep a calibration, instead of an older one of that name; return its file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{calibration.name}.json"
        draft = path.with_suffix(f".{os.getpid()}.draft")
        draft.write_text(calibration.to_json() + "\n", encoding="utf-8")
        os.replace(draft, path)
        return path

    def load(self, name: str) -> Calibration:
        """Return a calibration.

        Raises:
            ConfigError: bad name, none of that name, or a file that holds something else.
        """
        path = self.folder / f"{checked_name(name)}.json"
        if not path.is_file():
            allowed = ", ".join(self.names()) or "none is kept yet"
            cure = f"{allowed}; `rove calibrate {name}` measures it"
            raise ConfigError("calibration", name, cure, str(self.folder))
        return Calibration.from_json(path.read_text(encoding="utf-8"), str(path))

    def names(self) -> list[str]:
        """Return the names of the calibrations that are kept."""
        return sorted(path.stem for path in self.folder.glob("*.json"))


class NeutralPose:
    """Measures a person who stands in the neutral pose for two seconds.

    Attributes:
        progress: 0..1 of the time.
        hint: what the person has to do, "" while all is well.
    """

    def __init__(self) -> None:
        self.progress, self.hint = 0.0, "stand upright and stretch both arms out to the sides"
        self._start_s: float | None = None
        self._frames: list[Sequence[float]] = []

    def take(self, frame: Frame, now_s: float) -> bool:
        """Take in a frame; return True when the pose was held for long enough.

        Args:
            frame: of the operator.
            now_s: its time, s; not falling.
        """
        self.hint = _pose_fault(frame)
        places = (*frame.head[:3], *frame.left_wrist[:3], *frame.right_wrist[:3])
        if not self.hint and self._frames:
            wandered = np.abs(np.array(places) - np.mean(self._frames, axis=0)).max()
            self.hint = "stand still" if wandered > STILL_M else ""
        if self.hint or self._start_s is None or now_s < self._start_s:
            self._start_s, self._frames, self.progress = now_s, [], 0.0
        if not self.hint:
            self._frames.append(places)
            self.progress = min((now_s - self._start_s) / NEUTRAL_S, 1.0)
        return self.progress >= 1.0

    def result(self, name: str) -> Calibration:
        """Return the calibration of the pose that was held.

        Raises:
            ConfigError: the pose was not held for long enough, or what was measured is not the
                size of a person.
        """
        if self.progress < 1.0:
            allowed = f"{NEUTRAL_S:.0f} s: {self.hint or 'hold the pose'}"
            raise ConfigError("neutral pose held for", f"{self.progress:.0%}", allowed, name)
        mean = np.mean(self._frames, axis=0)
        return Calibration(
            name,
            round(float(mean[2]), 4),
            round(float(np.linalg.norm(mean[3:6] - mean[6:9])), 4),
        )


def _pose_fault(frame: Frame) -> str:
    """Return what keeps a frame from being the neutral pose, "" when nothing does."""
    if not (frame.head_tracked and frame.left_tracked and frame.right_tracked):
        return "head and both hands have to be tracked"
    head, left, right = (np.array(p[:3]) for p in (frame.head, frame.left_wrist, frame.right_wrist))
    qx, qy = frame.head[3:5]
    if 1.0 - 2.0 * (qx * qx + qy * qy) < UPRIGHT:  # z of the head's up axis
        return "look straight ahead"
    shoulders = head[2] * SHOULDERS / EYES
    if max(abs(left[2] - shoulders), abs(right[2] - shoulders)) > LEVEL_M:
        return "raise both arms to the height of the shoulders"
    across = (left - right)[:2]
    width = float(np.linalg.norm(across))
    if width < 0.5 * head[2]:
        return "stretch both arms out to the sides"
    sides = [float(abs((p - head)[:2] @ across)) / width for p in (left, right)]
    if abs(sides[0] - sides[1]) > ASYMMETRY_M:
        return "stretch both arms equally"
    return ""
