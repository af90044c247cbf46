"""Pairing: a short-lived, single-use code that a person types proves that they stand at the robot.

A code has eight digits, is shown on the robot's side only, lives ten minutes and dies when it is
used or guessed wrong too often. Guesses are limited for all visitors together, so that many of
them guess no faster than one: five a minute against 10^8 codes finds one in 38 years on average.
Whoever paired holds a token of 256 bits, with which the same page returns after a lost network.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

DIGITS = 8
CODE_NS = 600_000_000_000
TOKEN_NS = 12 * 3600 * 1_000_000_000  # a working day: after it a person types a code again
GUESSES = 5  # wrong ones in WINDOW_NS, after which every guess waits; a code dies of as many
WINDOW_NS = 60_000_000_000


@dataclass(frozen=True)
class Paired:
    """Who paired. The token stays out of ``repr``, so out of logs."""

    operator_id: str
    device: str
    token: str = field(repr=False)
    until_ns: int = 0


class PairingDesk:
    """Gives out codes and tokens; one operator is paired at a time.

    Args:
        clock_ns: monotonic clock, ns.
        draw_code: makes a code; a cryptographic one by default.

    Attributes:
        paired: who is paired, None before anybody.
    """

    def __init__(
        self,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        draw_code: Callable[[], str] | None = None,
    ) -> None:
        self._clock_ns = clock_ns
        self._draw_code = draw_code or (lambda: f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}")
        self._code, self._made_ns, self._wrong = self._draw_code(), clock_ns(), 0
        self._guesses: deque[int] = deque()  # times of wrong guesses, of codes and tokens
        self.paired: Paired | None = None

    @property
    def code(self) -> str:
        """Return the code that pairs now; a new one when the last has become too old."""
        if self._clock_ns() - self._made_ns >= CODE_NS:
            self._renew()
        return self._code

    @property
    def code_lives_ns(self) -> int:
        """Return how long the present code still lives, ns."""
        return max(0, self._made_ns + CODE_NS - self._clock_ns())

    def pair(self, code: str, operator_id: str, device: str) -> tuple[Paired | None, str]:
        """Return (who is paired now, ""), or (None, why not). Whoever was paired before is not."""
        if why := self._limited():
            return None, why
        if not _same(code, self.code):
            self._wrong_guess()
            return None, "wrong or expired code"
        self._renew()
        until_ns = self._clock_ns() + TOKEN_NS
        self.paired = Paired(operator_id, device, secrets.token_urlsafe(32), until_ns)
        return self.paired, ""

    def resume(self, token: str) -> tuple[Paired | None, str]:
        """Return (who holds the token, ""), or (None, why not)."""
        if why := self._limited():
            return None, why
        paired = self.paired
        if paired is None or not _same(token, paired.token):
            self._wrong_guess()
            return None, "not paired any more: type the new code"
        if self._clock_ns() >= paired.until_ns:
            return None, "the pairing is too old: type the new code"
        return paired, ""

    def _limited(self) -> str:
        now = self._clock_ns()
        while self._guesses and now - self._guesses[0] >= WINDOW_NS:
            self._guesses.popleft()
        if len(self._guesses) < GUESSES:
            return ""
        wait_s = (self._guesses[0] + WINDOW_NS - now) / 1e9
        return f"too many wrong codes: wait {wait_s:.0f} s"

    def _wrong_guess(self) -> None:
        self._guesses.append(self._clock_ns())
        self._wrong += 1
        if self._wrong >= GUESSES:
            self._renew()

    def _renew(self) -> None:
        self._code, self._made_ns, self._wrong = self._draw_code(), self._clock_ns(), 0


def _same(given: str, wanted: str) -> bool:
    """Compare in a time that tells nothing about where the two differ."""
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())
