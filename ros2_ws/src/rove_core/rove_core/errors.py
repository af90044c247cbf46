"""Errors of ROVE: every message says what was given, what is allowed and where."""

from __future__ import annotations

from collections.abc import Iterable


class RoveError(Exception):
    """Base of every error that ROVE raises on purpose."""


class ConfigError(RoveError):
    """A name or value chosen by a person does not exist or is out of range.

    Attributes:
        what: the thing that was asked for, for example ``"robot"``.
        given: the value that was given.
        allowed: the values or the range that would have been accepted, in words or as a list.
        where: the file, parameter or argument that held the value.
    """

    def __init__(
        self, what: str, given: object, allowed: str | Iterable[str], where: str = ""
    ) -> None:
        self.what, self.given, self.where = what, given, where
        self.allowed = allowed if isinstance(allowed, str) else ", ".join(sorted(allowed))
        place = f" (in {where})" if where else ""
        super().__init__(f"{what} {given!r} is not accepted; allowed: {self.allowed}{place}")


class ContractError(RoveError):
    """Data on a boundary has the wrong shape, unit, order or is not finite."""


class PolicyError(RoveError):
    """A policy cannot be loaded or does not fit this robot."""


class BagError(RoveError):
    """A bag is missing, empty, truncated or not one of ours."""


class WireError(RoveError):
    """A peer sent bytes that the wire protocol does not allow."""
