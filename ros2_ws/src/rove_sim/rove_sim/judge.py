"""Judge: when the lab's person ends an episode, and with which outcome."""

from __future__ import annotations

from rove_core.vocabulary import EpisodeKind, Mode, Outcome

SETTLE_S = 0.5
"""Between the verdict of the physics and the end of the episode: what follows is seen, too."""


class Judge:
    """Watches one episode.

    A verdict counts when nobody drives in whose hands the work still is: a hand-back is not cut
    short, nor is a demonstration before its operator lets go.

    Args:
        kind: of the episode.
        longest_s: s of robot time after which it is over.
    """

    def __init__(self, kind: EpisodeKind, longest_s: float) -> None:
        self._over_in = Mode.AUTONOMOUS if kind is EpisodeKind.ROLLOUT else Mode.IDLE
        self._longest_s = longest_s
        self._decided_s: float | None = None

    def look(
        self, passed_s: float, now_s: float, outcome: Outcome, mode: Mode
    ) -> tuple[Outcome, str] | None:
        """Return how and why the episode ends now, None while it goes on.

        Args:
            passed_s: robot time since the start, s.
            now_s: steady time, s.
            outcome: the physics' verdict so far.
            mode: of the arbiter.
        """
        if passed_s > self._longest_s:
            given = Outcome.TIMEOUT if outcome is Outcome.UNKNOWN else outcome
            return given, f"{self._longest_s:.0f} s are over"
        if outcome is Outcome.UNKNOWN or mode is not self._over_in:
            self._decided_s = None
        elif self._decided_s is None:
            self._decided_s = now_s
        elif now_s - self._decided_s > SETTLE_S:
            return outcome, "judged by the physics"
        return None
