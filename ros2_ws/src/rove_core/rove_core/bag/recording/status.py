"""RecorderStatus: what people and supervisors are told of a recorder once a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from rove_core.bag.recording.guard import DiskState, Room
from rove_core.bag.recording.recording import Recording
from rove_core.bag.recording.vitals import Vitals


class Level(IntEnum):
    """As in diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class RecorderStatus:
    """One look: level, message and values, all for people."""

    level: Level = Level.OK
    message: str = "waits"
    values: Mapping[str, str] = field(default_factory=dict)


def status_of(
    bag: str, problem: str, recording: Recording | None, disk: DiskState, vitals: Vitals
) -> RecorderStatus:
    """Return the status: what is recorded, what is wrong, actual beside nominal rates, losses."""
    alarms = [f"{name} is silent" for name in vitals.silent()] if recording is not None else []
    rates = vitals.rates()
    alarms += [f"{n}: {rates[n][0]:.1f} of {rates[n][1]:g} Hz" for n in vitals.slow()]
    if disk.room is not Room.ENOUGH:
        alarms.insert(0, disk.text)
    values = {"bag": bag, "disk": disk.text}
    for name, (rate, nominal) in rates.items():
        values[f"rate: {name}"] = f"{rate:.1f} of {nominal:g} Hz" if nominal else f"{rate:.1f} Hz"
    if recording is not None:
        values |= {f"lost, {cause}": str(n) for cause, n in recording.tally.losses.items()}
        counts = recording.counts.items()
        values |= {f"lost: {name}": str(lost) for name, (_, lost) in counts if lost}
        values["received"] = str(sum(received for _, (received, _) in counts))
        if recording.tally.notes:
            values["note"] = recording.tally.notes[-1].text
    level = Level.ERROR if problem else Level.WARN if alarms else Level.OK
    if recording is None:
        message = "waits"
    else:
        message = f"cannot record {bag}" if recording.broken else f"records {bag}"
    return RecorderStatus(level, "; ".join([problem or message, *alarms]), values)
