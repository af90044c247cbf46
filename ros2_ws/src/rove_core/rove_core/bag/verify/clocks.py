"""Check "clocks": stamps run forward and agree with when a message was published and recorded."""

from __future__ import annotations

from rove_core.bag.verify.check import LATCHED, Check, Seen

EARLY_NS = 250_000_000
"""A message may come this long before its own stamp: a node's simulated clock lags its sender's."""
LATE_NS = 1_000_000_000
"""... and this long after it, before somebody should look at why."""
JUMP_NS = 1_000_000_000
"""Two clocks that part by more than this between two messages: one of them was set."""
SHARED = frozenset({"/diagnostics"})
"""Topics of several nodes, whose messages may overtake each other."""


class ClockCheck(Check):
    """Stamps of a topic never run back, log time never does, and the clocks stay together."""

    name = "clocks"
    any_type = True

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self._stamp: dict[str, int] = {}
        self._times: dict[str, tuple[int, int]] = {}
        self._log_ns = -1
        self._count: dict[str, int] = {}
        # A recorder's own parameters beside those of the graph; or those of a writer without ROS.
        told = self.subject.info.parameters
        groups = (told, told.get("graph"), told.get("recorder"))
        self._simulated = any(isinstance(g, dict) and g.get("use_sim_time") for g in groups)

    def see(self, seen: Seen) -> None:
        """Compare with the message before."""
        first = seen.topic not in self._times
        self._log(seen, carried=first and seen.topic in LATCHED)
        if not first:
            self._jump(seen)
        self._times[seen.topic] = (seen.log_ns, seen.publish_ns)
        if seen.stamp_ns == 0:
            self.warning("stamp 0: its sender had no clock yet", seen.topic, seen.log_ns, "zero")
        elif seen.stamp_ns > 0 and not self._overtaken(seen):
            self._stamped(seen, first)

    def _overtaken(self, seen: Seen) -> bool:
        """Whether the middleware, not a clock, brought a message late."""
        before = self._count.get(seen.topic, 0)
        self._count[seen.topic] = seen.sequence
        return 1 < seen.sequence < before

    def _log(self, seen: Seen, carried: bool) -> None:
        if carried:
            return  # what held before the bag began keeps the time at which it came
        if seen.log_ns < self._log_ns:
            back = self._log_ns - seen.log_ns
            text = f"log time runs back by {back / 1e9:.3f} s: the recorder's clock was set"
            told = self.error if back > JUMP_NS else self.warning
            told(text, seen.topic, seen.log_ns, kind="log back")
        self._log_ns = seen.log_ns

    def _jump(self, seen: Seen) -> None:
        """Hold the recorder's clock against the publishers' (both wall time but in simulation)."""
        logged, published = self._times[seen.topic]
        apart = (seen.log_ns - logged) - (seen.publish_ns - published)
        if not self._simulated and abs(apart) > JUMP_NS and seen.topic not in LATCHED:
            text = f"log time leaps by {apart / 1e9:+.1f} s against the time of publishing"
            self.warning(text, seen.topic, seen.log_ns, kind="jump")

    def _stamped(self, seen: Seen, first: bool) -> None:
        before = self._stamp.get(seen.topic, 0)
        if seen.stamp_ns < before and seen.topic not in SHARED:
            back = (before - seen.stamp_ns) / 1e9
            self.error(f"stamps run back by {back:.3f} s", seen.topic, seen.stamp_ns, "back")
        self._stamp[seen.topic] = seen.stamp_ns
        late = seen.log_ns - seen.stamp_ns
        if late < -EARLY_NS:
            text = f"stamped {-late / 1e9:.3f} s after it was recorded: two clocks"
            self.error(text, seen.topic, seen.stamp_ns, "early")
        elif late > LATE_NS and not (first and seen.topic in LATCHED):
            text = f"recorded {late / 1e9:.3f} s after its stamp"
            self.warning(text, seen.topic, seen.stamp_ns, "late")
