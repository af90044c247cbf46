"""RecordingSession: when to record what, and what to say of it. No ROS, no thread, no clock.

One thread calls it; a call may wait for the disk. What others should do (publish a loss, stop the
episode, tell people) goes into ``outbox``.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from rove_core.bag.definitions import definition, type_hash, typestore
from rove_core.bag.reader import deserialize
from rove_core.bag.recording.guard import DiskGuard, DiskState, Room
from rove_core.bag.recording.inbox import Arrival, Dropped
from rove_core.bag.recording.losses import Loss
from rove_core.bag.recording.preroll import PreRoll
from rove_core.bag.recording.recording import Recording
from rove_core.bag.recording.status import RecorderStatus, status_of
from rove_core.bag.recording.streams import DEVICE, EPISODE, STATE, STATUS, Stream
from rove_core.bag.recording.vitals import Vitals
from rove_core.bag.schema import RECORDING_SUFFIX, EpisodeInfo, RecordingEnd
from rove_core.errors import RoveError
from rove_core.robot.spec import RobotSpec
from rove_core.vocabulary import EpisodeChange, EpisodeKind, Outcome

FRESH_NS = 2_000_000_000
"""A start that is older than this is checked against the arbiter's state before it is recorded."""
TAIL_SECONDS = 0.3
"""After the end of an episode; late messages still reach the bag."""
STOP_SECONDS = 2.0
"""How long a full disk waits for the arbiter to end the episode before the bag is closed."""
LOOK_SECONDS = 1.0
"""Between two looks at the disk and at who fell silent."""
MOST_NOTES = 3
"""In the outcome's reason; all of them are in the report."""


@dataclass(frozen=True)
class Identity:
    """What every bag of this recorder says of itself.

    Attributes:
        spec: the robot.
        namespace: "" or with a leading slash.
        parameters: of the graph, anything JSON can hold.
        revision: of the code.
    """

    spec: RobotSpec
    namespace: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    revision: str = ""


class StopEpisode(NamedTuple):
    """The episode cannot be recorded any more and should end."""

    reason: str


class Closed(NamedTuple):
    """A bag is finished."""

    path: Path
    received: int
    lost: int


Outgoing = Loss | StopEpisode | Closed


class RecordingSession:
    """Decides from what arrives when a bag begins and ends.

    Args:
        folder: of the bags.
        streams: by the index that arrivals carry.
        identity: what every bag says of itself.
        clock: steady, s.
        pre_roll: keeps what comes before a start.
        guard: looks at the disk.
        writer: of ``BagWriter``'s keywords.
    """

    def __init__(
        self,
        folder: Path,
        streams: Sequence[Stream],
        identity: Identity,
        *,
        clock: Callable[[], float],
        pre_roll: PreRoll | None = None,
        guard: DiskGuard | None = None,
        **writer: Any,
    ) -> None:
        self.outbox: deque[Outgoing] = deque()
        self._folder, self._streams = Path(folder), tuple(streams)
        self._identity, self._clock = identity, clock
        self._writer = {"clock": clock, **writer}
        self._pre_roll = pre_roll or PreRoll()
        self._guard = guard or DiskGuard(folder)
        self._disk: DiskState = self._guard.look()
        self._vitals = Vitals(streams)
        names = {stream.name: i for i, stream in enumerate(self._streams)}
        self._special = {names[n]: n for n in (EPISODE, STATE) if n in names}
        self._recording: Recording | None = None
        self._ended: tuple[Outcome, str] | None = None
        self._tail_until = self._stop_until = float("inf")
        self._pending: tuple[Any, Arrival] | None = None  # a start that may be long over
        self._floor_ns = -1  # when the episode before was stopped, publisher's time
        self._looked = float("-inf")
        self._bag = self._problem = ""
        self._ros_ns = 0
        self._index = names
        for stream in self._streams:  # worked out once, before there is anything to miss
            definition(stream.type_name)
            type_hash(stream.type_name)
        self._tell()

    def arrived(self, item: Arrival | Dropped) -> None:
        """Take a message, or the place of dropped ones, in the order of arrival."""
        now = self._clock()
        self._vitals.heard(item.stream, now)
        special = self._special.get(item.stream)
        if special is not None and isinstance(item, Arrival):
            if special == EPISODE:
                self._event(item)
                return
            if self._pending is not None:
                self._confirm(item)
        self._keep(item, now)

    def tick(
        self,
        ros_ns: int,
        publishers: Callable[[], Mapping[int, int]] = dict,
    ) -> None:
        """Do what is due; call at least every 0.1 s, after what arrived.

        Args:
            ros_ns: ROS time, ns.
            publishers: tells stream -> number of publishers; asked once a second.
        """
        now, self._ros_ns = self._clock(), ros_ns
        self._vitals.count(ros_ns)
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look(now, publishers())
        recording = self._recording
        if recording is not None:
            try:
                recording.tend(now, ros_ns)
            except RoveError as error:
                self._broke(str(error))
            if now >= min(self._tail_until, self._stop_until):
                self._close(RecordingEnd.STOPPED)

    def close(self) -> None:
        """End the bag that is open, because the recorder ends; the episode may still run."""
        self._close(RecordingEnd.STOPPED, "the recorder was stopped")

    def _keep(self, item: Arrival | Dropped, now: float) -> None:
        if self._recording is None:
            self._pre_roll.add(item)
            return
        if isinstance(item, Arrival) and self._streams[item.stream].carried:
            self._pre_roll.hold(item)
        try:
            self._recording.add(item, now)
        except RoveError as error:
            self._broke(str(error))

    def _event(self, arrival: Arrival) -> None:
        event = self._decode(arrival)
        if event is None:
            return
        self._pending, self._ros_ns = None, arrival.log_ns
        recording = self._recording
        if event.change == EpisodeChange.STARTED:
            if recording is not None and self._ended is None:
                if recording.info.episode_id == event.episode_id:
                    return  # told twice
                self._close(RecordingEnd.STOPPED, "another episode started")
            self._close(RecordingEnd.COMPLETE)
            stamp = event.header.stamp
            old = arrival.log_ns - (stamp.sec * 10**9 + stamp.nanosec) > FRESH_NS
            # Old: latched, this recorder came after it. The state may have arrived before it.
            state = self._last(STATE) if old else None
            if old and (state is None or state.episode_id != event.episode_id):
                self._pending = (event, arrival)
            else:
                self._open(event, arrival.log_ns, ())
        self._floor_ns = arrival.publish_ns if event.change == EpisodeChange.STOPPED else -1
        if self._recording is not None and self._recording.info.episode_id == event.episode_id:
            self._keep(arrival, self._clock())
            if event.change == EpisodeChange.STOPPED:
                self._ended = (Outcome(event.outcome), event.reason)
                self._tail_until = self._clock() + TAIL_SECONDS

    def _confirm(self, arrival: Arrival) -> None:
        """Open the bag of a start that is long ago when the arbiter says that it still runs."""
        state = self._decode(arrival)
        if state is None or self._pending is None:
            return
        event, start = self._pending
        if state.episode_id == event.episode_id:
            self._pending = None
            self._open(event, arrival.log_ns, (start,))

    def _open(self, event: Any, log_ns: int, head: Sequence[Arrival]) -> None:
        """Begin a bag with ``head``, what was before and still holds, and the pre-roll."""
        self._disk = self._guard.look()
        if self._disk.room is Room.NONE:
            self._refuse(event.episode_id, self._disk.text)
            return
        try:
            recording = Recording(
                free_folder(self._folder / event.episode_id),
                self._describe(event),
                self._streams,
                self.outbox.append,
                **self._writer,
            )
        except (RoveError, ValueError) as error:
            self._refuse(event.episode_id, str(error))
            return
        self._recording, self._ended = recording, None
        self._tail_until = self._stop_until = float("inf")
        self._bag, self._problem = event.episode_id, ""
        now = self._clock()
        self._vitals.watch(now)
        last, span = self._pre_roll.take(log_ns, self._floor_ns)
        before = [arrival for arrival in last if self._streams[arrival.stream].carried]
        begin_ns = min([log_ns, *(item.log_ns for item in span)])
        try:
            for arrival in (*head, *before):
                recording.carry(arrival, begin_ns)
            for item in span:
                recording.add(item, now)
        except RoveError as error:
            self._broke(str(error))
        self._tell()

    def _describe(self, event: Any) -> EpisodeInfo:
        status, device = self._last(STATUS), self._last(DEVICE)
        calibration = {}
        if device is not None and device.calibration_name:
            calibration = {
                "name": device.calibration_name,
                "device": device.device,
                "values": _json_or_text(device.calibration),
            }
        return EpisodeInfo.of(
            self._identity.spec,
            event.episode_id,
            kind=EpisodeKind(event.kind),
            task=event.task,
            instruction=event.instruction,
            seed=int(event.seed),
            namespace=self._identity.namespace,
            parameters=self._identity.parameters,
            revision=self._identity.revision,
            operator_id=device.operator_id if device is not None else "",
            calibration=calibration,
            policy_digest=status.digest if status is not None else "",
        )

    def _look(self, now: float, publishers: Mapping[int, int]) -> None:
        """Look at the disk and at who fell silent."""
        before, self._disk = self._disk, self._guard.look()
        if before.room is Room.NONE is not self._disk.room and self._recording is None:
            self._problem = ""
        self._tell()
        recording = self._recording
        if recording is None or self._ended is not None:
            return
        notes = self._vitals.look(now, publishers)
        for note in notes:
            recording.note(self._ros_ns, note)
        idle = self._stop_until == float("inf") and not recording.broken
        if self._disk.room is Room.NONE and idle:
            self._stop_until = now + STOP_SECONDS
            self._problem = f"recording of {self._bag} ends: {self._disk.text}"
            recording.note(self._ros_ns, f"the recording ends: {self._disk.text}")
            self.outbox.append(StopEpisode(self._disk.text))
            self._tell()

    def _refuse(self, episode_id: str, why: str) -> None:
        self._problem = f"episode {episode_id} is not recorded: {why}"
        self.outbox.append(StopEpisode(self._problem))
        self._tell()

    def _broke(self, why: str) -> None:
        self._problem = why
        self.outbox.append(StopEpisode(why))
        self._tell()

    def _close(self, end: RecordingEnd, why: str = "") -> None:
        recording, self._recording = self._recording, None
        if recording is None:
            return
        outcome, reason = self._ended or (Outcome.UNKNOWN, why)
        end = RecordingEnd.COMPLETE if self._ended is not None else end
        self._ended = None
        self._tail_until = self._stop_until = float("inf")
        notes = [note.text for note in recording.tally.notes]
        more = [f"{len(notes) - MOST_NOTES} more notes"] if len(notes) > MOST_NOTES else []
        reason = "; ".join(word for word in [reason, *notes[:MOST_NOTES], *more] if word)
        try:
            path, report = recording.close(outcome, reason, end, self._ros_ns)
        except RoveError as error:
            self._problem = self._problem or str(error)
        else:
            received = sum(topic.received for topic in report.topics.values())
            self.outbox.append(Closed(path, received, sum(report.losses.values())))
        self._tell()

    def _last(self, name: str) -> Any | None:
        found = self._pre_roll.last(self._index[name]) if name in self._index else None
        return self._decode(found) if found is not None else None

    def _decode(self, arrival: Arrival) -> Any | None:
        type_name = self._streams[arrival.stream].type_name
        try:
            return deserialize(typestore(), arrival.cdr, type_name)
        except RoveError as error:  # of another version of the messages
            self._problem = f"{self._streams[arrival.stream].name}: {error}"
            return None

    def _tell(self) -> None:
        words = (self._bag, self._problem, self._recording, self._disk, self._vitals)
        self.status: RecorderStatus = status_of(*words)


def free_folder(folder: Path) -> Path:
    """Return the folder, or the first of ``<folder>-2``, ``-3``, ... of which nothing is left.

    A recorder that was killed and started again goes on in a second bag of the same episode.
    """
    candidates = itertools.chain(
        [folder], (folder.with_name(f"{folder.name}-{i}") for i in itertools.count(2))
    )
    return next(
        c
        for c in candidates
        if not c.exists() and not c.with_name(c.name + RECORDING_SUFFIX).exists()
    )


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
