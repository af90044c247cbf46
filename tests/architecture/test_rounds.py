"""The two rounds of the suite select every test once, whatever marks are asked for."""

from __future__ import annotations

import subprocess

import pytest

from tests import __main__ as rounds


@pytest.mark.parametrize(
    ("given", "marks", "rest"),
    [
        ([], "", []),
        (["-m", "not full", "tests/core", "-x"], "not full", ["tests/core", "-x"]),
        (["-mfull", "-n", "0"], "full", ["-n", "0"]),
        (["-m", "full", "-m", "not full"], "not full", []),
        (["--maxfail=1"], "", ["--maxfail=1"]),
    ],
)
def test_marks_are_told_from_the_rest(given: list[str], marks: str, rest: list[str]) -> None:
    assert rounds.split_marks(given) == (marks, rest)


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [((0, 0), 0), ((0, 5), 0), ((5, 0), 0), ((5, 5), 5), ((1, 0), 1), ((0, 2), 2)],
)
def test_one_bad_round_is_a_bad_run(
    statuses: tuple[int, int], whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing selected is bad only in both; the last ``-m`` is joined with the round's own."""
    commands: list[list[str]] = []

    def run(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, statuses[len(commands) - 1])

    monkeypatch.setattr(subprocess, "run", run)
    assert rounds.main(["-m", "a or b"]) == whole
    marks = [command[command.index("-m", 3) + 1] for command in commands]
    assert marks == ["(a or b) and not graph", "(a or b) and graph"]
