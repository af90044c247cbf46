"""Check "episode": the events of the episode fit the bag's records."""

from __future__ import annotations

from typing import Any

from rove_core.bag.schema import RecordingEnd
from rove_core.bag.verify.check import Check, Seen
from rove_core.vocabulary import EpisodeChange, Outcome

EVENT, STATE = "episode", "arbiter/state"


class EpisodeCheck(Check):
    """One start and, unless the recording ended early, one stop with the recorded outcome."""

    name = "episode"
    topics = frozenset({EVENT, STATE})

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self._events: list[tuple[EpisodeChange, Any, int]] = []
        self._named: list[tuple[int, str]] = []

    def see(self, seen: Seen) -> None:
        """Take an event, or a state that names its episode."""
        message = seen.message
        if seen.topic == STATE:
            self._named.append((seen.stamp_ns, message.episode_id))
            return
        try:
            change = EpisodeChange(message.change)
        except ValueError as error:
            self.error(str(error), EVENT, seen.stamp_ns, kind="word")
            return
        if message.episode_id == self.subject.info.episode_id:
            self._events.append((change, message, seen.stamp_ns))
        elif change is EpisodeChange.STARTED:
            text = f"another episode starts in it: {message.episode_id!r}"
            self.warning(text, EVENT, seen.stamp_ns)
        # The end of the episode before may lie in the seconds before a start.

    def finish(self) -> None:
        """Compare events, records and states."""
        starts = [(m, t) for change, m, t in self._events if change is EpisodeChange.STARTED]
        stops = [(m, t) for change, m, t in self._events if change is EpisodeChange.STOPPED]
        if not starts:
            self.warning("its start is not in the bag: the recorder came later", EVENT)
        for message, stamp_ns in starts:
            self._described(message, stamp_ns)
        if len(starts) > 1 or len(stops) > 1:
            self.error(f"{len(starts)} starts and {len(stops)} ends of one episode", EVENT)
        order = [change for change, _, _ in self._events]
        if starts and stops and order[0] is EpisodeChange.STOPPED:
            self.error("it ends before it starts", EVENT, stops[0][1])
        self._ended(stops)
        begin = starts[0][1] if starts else None
        end = stops[0][1] if stops else None
        self._states(begin, end)

    def _described(self, message: Any, stamp_ns: int) -> None:
        info = self.subject.info
        for field in ("kind", "task", "instruction", "seed"):
            given, recorded = getattr(message, field), getattr(info, field)
            if given != recorded:
                text = f"{field} {given!r} at the start, {recorded!r} in the record"
                self.error(text, EVENT, stamp_ns, kind=field)

    def _ended(self, stops: list[tuple[Any, int]]) -> None:
        outcome, end = self.subject.outcome, self.subject.outcome.recording
        if end is RecordingEnd.COMPLETE and not stops:
            self.error("the recording is complete, the episode's end is not in it", EVENT)
        if end is RecordingEnd.STOPPED and stops:
            self.error("the recording stopped early, yet the episode's end is in it", EVENT)
        for message, stamp_ns in stops:
            try:
                told = Outcome(message.outcome)
            except ValueError as error:
                self.error(str(error), EVENT, stamp_ns, kind="word")
                continue
            if end is not RecordingEnd.CUT_OFF and told is not outcome.outcome:
                text = f"outcome {told.name} at its end, {outcome.outcome.name} in the record"
                self.error(text, EVENT, stamp_ns)

    def _states(self, begin: int | None, end: int | None) -> None:
        if begin is None or (end is not None and end < begin):
            return  # the clock ran back in between: stamps do not tell what is inside
        for stamp_ns, named in self._named:
            inside = stamp_ns > begin and (end is None or stamp_ns < end)
            if inside and named != self.subject.info.episode_id:
                text = f"the arbiter names episode {named!r} while this one runs"
                self.error(text, STATE, stamp_ns, kind="named")
