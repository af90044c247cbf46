"""BagSummary: what a person wants to know of a bag at a glance, from its commands alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rove_core.bag.reader import Bag, find_bags, find_incomplete_bags
from rove_core.bag.schema import (
    EPISODE_RECORD,
    RECORDING_RECORD,
    BagState,
    RecordingEnd,
    RecordingReport,
)
from rove_core.errors import BagError
from rove_core.vocabulary import Mode, Stage


@dataclass(frozen=True)
class BagSummary:
    """One bag.

    Attributes:
        name: folder name.
        start_ns: log time of the first command that has one, ns; -1: there is none.
        duration_s: between the first and the last command, s.
        outcome: how the episode ended, or why the bag cannot be read.
        instruction: what the robot was told.
        takeovers: how often the operator took over (entries into ALIGN).
        rollout_s, adaptation_s, recovery_s, demonstration_s: time in each stage, s.
        modes: the modes in the order in which they were entered.
        policy: digest of the policy that drove last, "" when none did.
        state: recording, complete or recovered.
        version: of the bag's schema.
        lost: messages that the recording admits it lacks; -1 when it does not say.
        size_bytes: of the MCAP file.
        operator: who sat at the operator's device when it started, "" when nobody did.
        notes: what went wrong while it was recorded, in words.
    """

    name: str
    start_ns: int
    duration_s: float
    outcome: str
    instruction: str
    takeovers: int
    rollout_s: float
    adaptation_s: float
    recovery_s: float
    demonstration_s: float
    modes: tuple[Mode, ...]
    policy: str
    state: BagState = BagState.COMPLETE
    version: int = 0
    lost: int = -1
    size_bytes: int = 0
    operator: str = ""
    notes: tuple[str, ...] = ()


def summarise_bag(path: Path) -> BagSummary:
    """Read one bag's commands.

    Raises:
        BagError: it cannot be read.
    """
    bag = Bag(path)
    report = _report(bag)
    stamps, stages, modes, policy, first = [], [], [], "", -1
    commands = ["joint_command"] if "joint_command" in bag.topics else []
    for message in bag.messages(commands):
        if first < 0 < message.log_time_ns:  # 0: the recorder had no clock yet
            first = message.log_time_ns
        command = message.message
        stamp = command.header.stamp.sec * 10**9 + command.header.stamp.nanosec
        if stamp <= 0:
            continue  # the arbiter had no clock yet: decades would count as the episode
        stamps.append(stamp)
        stages.append(command.stage)
        modes.append(command.mode)
        policy = command.policy_digest or policy
    times = np.array(stamps, dtype=np.int64)
    stage, mode = np.array(stages, dtype=int), np.array(modes, dtype=int)
    # A command holds until the next one; a gap in the recording counts as no more than 50 ms.
    held = np.minimum(np.diff(times, append=times[-1:]), 50_000_000) / 1e9
    entered = np.flatnonzero(np.diff(mode, prepend=-1)) if mode.size else np.array([], dtype=int)
    seconds = {s: float(held[stage == s].sum()) for s in Stage}
    order = tuple(Mode(int(mode[i])) for i in entered)
    outcome = bag.outcome.outcome.name.lower()
    if bag.outcome.recording is not RecordingEnd.COMPLETE:
        outcome += f" (recording {bag.outcome.recording.value})"
    return BagSummary(
        name=path.name,
        start_ns=first,
        duration_s=float(times[-1] - times[0]) / 1e9 if times.size else 0.0,
        outcome=outcome,
        instruction=bag.info.instruction,
        takeovers=order.count(Mode.ALIGN),
        rollout_s=seconds[Stage.ROLLOUT],
        adaptation_s=seconds[Stage.ADAPTATION],
        recovery_s=seconds[Stage.RECOVERY],
        demonstration_s=seconds[Stage.DEMONSTRATION],
        modes=order,
        policy=policy,
        state=bag.outcome.recording.state,
        version=int(bag.metadata[EPISODE_RECORD]["bag_schema_version"]),
        lost=-1 if report is None else sum(topic.lost for topic in report.topics.values()),
        size_bytes=bag.file.stat().st_size,
        operator=bag.info.operator_id,
        notes=() if report is None else tuple(note.text for note in report.notes),
    )


def _report(bag: Bag) -> RecordingReport | None:
    if RECORDING_RECORD not in bag.metadata:
        return None
    return RecordingReport.from_record(bag.metadata[RECORDING_RECORD], str(bag.path))


def summarise(folder: Path) -> tuple[list[BagSummary], list[str]]:
    """Return the summaries of a folder's bags in order of time, and what could not be read.

    Raises:
        BagError: the folder does not exist.
    """
    good: list[BagSummary] = []
    bad: list[str] = []
    for path in [*find_bags(folder), *find_incomplete_bags(folder)]:
        try:
            good.append(summarise_bag(path))
        except BagError as error:
            bad.append(f"{path.name}: {error}")
    return sorted(good, key=lambda row: row.start_ns), bad
