"""What /diagnostics tells about retargeting: rates, where each frame's time goes, what is refused.

Of the frames since the report before, medians, 99th percentiles and longest times, ms:

- *waited*: from the bridge's stamp to the beginning of the cycle (transport and queue),
- each stage of the cycle, see ``retarget.STAGES`` and ``follower.STAGES``,
- *cycle*: all stages together,
- *whole*: from the bridge's stamp to the published target.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from rove_teleop.retarget.timing import Spread, TimingWindow

WAITED, CYCLE, WHOLE = "waited", "cycle", "whole"
LATE_MS = 1000.0 / 72.0
"""A cycle that takes longer than headsets take for a frame makes frames queue up."""


class RetargetHealth:
    """Collects what a retargeting node did, and tells it once in a while.

    Attributes:
        refused: reason -> frames, since the start.
    """

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self._window = TimingWindow()

    def took(self, stages: Mapping[str, float], waited_ms: float, cycle_ms: float) -> None:
        """Take in a frame that was retargeted or refused by its retargeter.

        Args:
            stages: stage -> ms.
            waited_ms: from the bridge's stamp to the beginning of the cycle, on the robot's clock.
            cycle_ms: of the cycle.
        """
        whole = {WAITED: waited_ms, **stages, CYCLE: cycle_ms, WHOLE: waited_ms + cycle_ms}
        self._window.add(whole)

    def status(self, name: str, elapsed_s: float, refused: Mapping[str, int]) -> DiagnosticStatus:
        """Return what /diagnostics shall say, and begin a new window.

        Args:
            name: of the entry.
            elapsed_s: since the last call.
            refused: reason -> frames, to be added to ``refused``.
        """
        count, spreads = self._window.cycles, self._window.read()
        values = {f"{what} ms (p50, p99, longest)": _text(s) for what, s in spreads.items()}
        total = self.refused + Counter(refused)
        values |= {f"refused: {why}": str(frames) for why, frames in sorted(total.items())}
        level, text = DiagnosticStatus.OK, "no operator's frames"
        if count:
            whole, cycle = spreads[WHOLE], spreads[CYCLE]
            text = f"{count / max(elapsed_s, 1e-3):.0f} frames/s, {whole.p50:.1f} ms each"
            if cycle.longest > LATE_MS:
                level = DiagnosticStatus.WARN
                text += f"; a cycle took {cycle.longest:.0f} ms, more than a frame"
        return DiagnosticStatus(
            name=name,
            level=level,
            message=text,
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )


def _text(spread: Spread) -> str:
    return f"{spread.p50:.3f}, {spread.p99:.3f}, {spread.longest:.3f}"
