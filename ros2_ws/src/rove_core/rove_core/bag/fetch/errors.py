"""What can go wrong while bags are fetched, told apart because the cures differ."""

from __future__ import annotations

from rove_core.errors import BagError


class FetchError(BagError):
    """Bags cannot be fetched now; what arrived stays and the same pull later goes on with it."""


class UnreachableError(FetchError):
    """The robot does not answer, or refuses this learner's key."""


class RefusedError(FetchError):
    """The robot refused one bag, or sent what is not what it said; the others may work."""


class ChangedError(RefusedError):
    """The bag changed on the robot meanwhile; it may be asked for anew."""
