"""Run the suite: `python -m tests [pytest's arguments]`.

In two rounds: first what computes, a process a core; then what starts the real graph, by itself,
because the arbiter's watchdogs judge a robot on a busy machine as they should. Arguments go to
both rounds; `-n 0` runs the first in this process, for a debugger.
"""

from __future__ import annotations

import os
import subprocess
import sys

# A process a core leaves libraries no core for threads of their own.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
ROUNDS = (
    ("not graph", ["-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder"], ONE_THREAD),
    ("graph", [], {}),
)
PASSED, NOTHING_SELECTED = 0, 5  # pytest's exit codes


def split_marks(arguments: list[str]) -> tuple[str, list[str]]:
    """Return the expression of the last ``-m``, "" without one, and the other arguments."""
    marks, rest, left = "", [], iter(arguments)
    for argument in left:
        if argument == "-m":
            marks = next(left, "")
        elif argument.startswith("-m") and not argument.startswith("--"):
            marks = argument[2:].removeprefix("=")
        else:
            rest.append(argument)
    return marks, rest


def main(arguments: list[str]) -> int:
    """Run both rounds; return the first exit status that is not good."""
    marks, rest = split_marks(arguments)
    statuses = []
    for mark, options, environment in ROUNDS:
        expression = f"({marks}) and {mark}" if marks else mark
        command = [sys.executable, "-m", "pytest", "-m", expression, *options, *rest]
        statuses.append(subprocess.run(command, env={**os.environ, **environment}).returncode)
    bad = [status for status in statuses if status not in (PASSED, NOTHING_SELECTED)]
    return bad[0] if bad else min(statuses)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
