"""What a check returns, and how a list of checks is run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """Result of one check.

    Attributes:
        name: what was looked at, one or two words.
        status: WARN: the stack runs, but something will hurt; FAIL: it does not run.
        found: what is there, in words, with units.
        cure: what to do about it; empty where there is nothing to do.
    """

    name: str
    status: Status
    found: str
    cure: str = ""

    def __post_init__(self) -> None:
        if (self.status is Status.OK) == bool(self.cure):
            raise ValueError(f"{self.name}: a problem has a cure, and only a problem has one")


def ok(name: str, found: str) -> Check:
    """Return a check that found nothing wrong."""
    return Check(name, Status.OK, found)


def warn(name: str, found: str, cure: str) -> Check:
    """Return a check that found something that will hurt."""
    return Check(name, Status.WARN, found, cure)


def fail(name: str, found: str, cure: str) -> Check:
    """Return a check that found something that stops the stack."""
    return Check(name, Status.FAIL, found, cure)


def run_checks(checks: Sequence[tuple[str, Callable[[], Check]]]) -> list[Check]:
    """Run named checks in order; one that breaks is a failure like the others, not the end."""
    results = []
    for name, check in checks:
        try:
            results.append(check())
        except Exception as error:  # a doctor must outlive any patient
            found = f"the check itself broke: {type(error).__name__}: {error}"
            results.append(fail(name, found, "run `make test ARGS=tests/ros` and report both"))
    return results
