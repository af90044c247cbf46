"""Grammar of the modes: what may follow what, and who may drive in which. For whoever reads bags.

The arbiter's own table (``rove_teleop/arbiter/transitions.py``) says also *why* a mode is left; a
test holds the two equal. Bags know no event, only modes, so this is what an audit can check.
"""

from __future__ import annotations

import functools

from rove_core.vocabulary import Authority, Mode, Stage

_M = Mode

TRANSITIONS: frozenset[tuple[Mode, Mode]] = frozenset(
    {
        (_M.IDLE, _M.AUTONOMOUS),  # an episode starts
        (_M.IDLE, _M.HUMAN),  # a demonstration
        (_M.AUTONOMOUS, _M.PAUSED),
        (_M.HANDBACK, _M.PAUSED),
        (_M.AUTONOMOUS, _M.ALIGN),  # takeover
        (_M.PAUSED, _M.ALIGN),
        (_M.HANDBACK, _M.ALIGN),
        (_M.HOLD, _M.ALIGN),
        (_M.ALIGN, _M.HUMAN),  # enable squeezed
        (_M.CLUTCH, _M.HUMAN),
        (_M.HUMAN, _M.CLUTCH),  # enable released
        (_M.ALIGN, _M.HANDBACK),
        (_M.HUMAN, _M.HANDBACK),
        (_M.CLUTCH, _M.HANDBACK),
        (_M.PAUSED, _M.HANDBACK),  # a person resumes
        (_M.HOLD, _M.HANDBACK),
        (_M.HOLD, _M.IDLE),
        (_M.HANDBACK, _M.AUTONOMOUS),  # a fresh chunk
        (_M.ESTOP, _M.HOLD),  # a person resets
        *((mode, _M.ESTOP) for mode in _M if mode is not _M.ESTOP),
        *((mode, _M.HOLD) for mode in _M if mode not in (_M.HOLD, _M.ESTOP)),  # faults
        *((mode, _M.IDLE) for mode in _M if mode not in (_M.IDLE, _M.HOLD, _M.ESTOP)),  # stops
    }
)
"""Every (from, to) of one transition."""

_HELD = (Authority.HOLD, Stage.NONE)

DRIVERS: dict[Mode, frozenset[tuple[Authority, Stage]]] = {
    mode: frozenset({_HELD}) for mode in Mode
} | {
    Mode.AUTONOMOUS: frozenset({_HELD, (Authority.POLICY, Stage.ROLLOUT)}),
    Mode.HUMAN: frozenset(
        {
            _HELD,  # no valid target
            (Authority.HUMAN, Stage.ADAPTATION),
            (Authority.HUMAN, Stage.RECOVERY),
            (Authority.HUMAN, Stage.DEMONSTRATION),
        }
    ),
}
"""Mode -> the (authority, stage) that a tick in it may have."""

TURN_MODES = frozenset({Mode.ALIGN, Mode.HUMAN, Mode.CLUTCH})
"""The modes of one turn of an operator. Inside it stages go on and never back."""


@functools.cache
def reachable(source: Mode, steps: int) -> frozenset[Mode]:
    """Return the modes in which exactly ``steps`` transitions from ``source`` may end."""
    found = frozenset({source})
    for _ in range(steps):
        found = frozenset(target for start, target in TRANSITIONS if start in found)
    return found
