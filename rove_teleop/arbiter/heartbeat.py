"""Heartbeats: somebody who must be there answers the arbiter's challenges, or the robot stops.

The arbiter shows a number that nobody can foresee; who guards the robot sends back what follows
from it. A process that hangs, a recorded stream or a stuck buffer cannot. A wrong answer stops the
robot and does not count as a sign of life; a lost one stops it after ``Timeouts.heartbeat``.

It shows that a program lives, not who runs it: DDS without SROS2 authenticates nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rove_core.errors import ConfigError
from rove_teleop.arbiter.timeouts import Timeouts

MASK = (1 << 53) - 1
"""Challenges and answers fit into a JavaScript number."""


@dataclass(frozen=True, slots=True)
class HeartbeatAnswer:
    """What ``name`` says to a challenge of an epoch."""

    name: str
    epoch: int
    challenge: int
    answer: int


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """Who must answer, and who did.

    Attributes:
        names: of the mandatory ones.
        key: secret of this run from which the challenges are drawn.
        number: of the present challenge.
        since: monotonic s of the present challenge.
        heard: monotonic s of the last right answer of each name, None before the first.
    """

    names: tuple[str, ...] = ()
    key: bytes = b""
    number: int = 0
    since: float = float("-inf")
    heard: tuple[float | None, ...] = ()

    @property
    def challenge(self) -> int:
        """The present challenge; 0 when nobody must answer."""
        return self._challenge(self.number) if self.names else 0

    def _challenge(self, number: int) -> int:
        return _digest(self.key, str(number)) or 1

    def knows(self, challenge: int) -> bool:
        """Tell whether a challenge is the present one or the one before, whose answers may still
        be on their way."""
        return challenge in (self._challenge(self.number), self._challenge(self.number - 1))

    def missing(self, now: float, timeouts: Timeouts) -> tuple[str, ...]:
        """Return the names that were not heard for ``timeouts.heartbeat``, or never."""
        return tuple(
            name
            for name, heard in zip(self.names, self.heard, strict=True)
            if heard is None or now - heard > timeouts.heartbeat
        )


def heartbeats(names: Sequence[str], key: bytes) -> Heartbeats:
    """Return the heartbeats of a start: nobody was heard yet.

    Raises:
        ConfigError: a name is empty or there twice, or there are names and no key.
    """
    if len(set(names)) != len(names) or not all(names):
        raise ConfigError("heartbeats", list(names), "names, each once", "arbiter")
    if names and len(key) < 8:
        raise ConfigError("key of the heartbeats", f"{len(key)} bytes", "at least 8", "arbiter")
    return Heartbeats(tuple(names), key, 1, heard=(None,) * len(names))


def answer_to(name: str, epoch: int, challenge: int) -> int:
    """Return the right answer: 53 bits of BLAKE2b of ``name:epoch:challenge``."""
    return _digest(b"", f"{name}:{epoch}:{challenge}")


def renew(beats: Heartbeats, now: float, timeouts: Timeouts) -> Heartbeats:
    """Show another challenge when the present one has been shown long enough."""
    if not beats.names or now - beats.since < timeouts.heartbeat_period:
        return beats
    return replace(beats, number=beats.number + 1, since=now)


def hear(
    beats: Heartbeats, given: HeartbeatAnswer, epoch: int, now: float
) -> tuple[Heartbeats, str, bool]:
    """Judge an answer.

    Returns:
        the heartbeats, why it was refused ("" when it was not), and whether it was wrong, which
        stops the robot; one to an old challenge or of somebody else is only refused.
    """
    if given.name not in beats.names:
        return beats, "heartbeat: nobody asked for this name", False
    if given.epoch != epoch or not beats.knows(given.challenge):
        return beats, "heartbeat: of an old challenge", False
    if given.answer != answer_to(given.name, epoch, given.challenge):
        return beats, "heartbeat: wrong answer", True
    place = beats.names.index(given.name)
    heard = (*beats.heard[:place], now, *beats.heard[place + 1 :])
    return replace(beats, heard=heard), "", False


def _digest(key: bytes, text: str) -> int:
    found = hashlib.blake2b(text.encode(), digest_size=8, key=key[:64]).digest()
    return int.from_bytes(found, "big") & MASK
