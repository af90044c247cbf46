"""`make faults`: the graph fault campaign; prints a table, writes JSON, fails when a law breaks."""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.append(str(Path(__file__).parents[1] / "system"))  # graph_harness, as pytest finds it

if TYPE_CHECKING:
    from tests.faults.graph import Verdict


def row(verdict: Verdict) -> str:
    """Return a verdict as a line of the table."""
    word = verdict.broken or ("ok" if verdict.in_time else "LATE")
    times = (verdict.timeout_s, verdict.hold_s, verdict.scheduling_s)
    cells = ["     -" if not math.isfinite(t) else f"{t:6.3f}" for t in times]
    return f"{verdict.seed:4d}  {verdict.fault:38s} {'  '.join(cells)}  {word}"


def report(verdicts: list[Verdict], file: Path) -> tuple[str, int]:
    """Write the JSON; return the table and how many faults were late or broke a law."""
    bad = sum(bool(v.broken) or not v.in_time for v in verdicts)
    held = [v.hold_s for v in verdicts if math.isfinite(v.hold_s)]
    rows = []
    for v in verdicts:
        told = {**asdict(v), "in_time": v.in_time}
        rows.append({
            k: None if isinstance(x, float) and not math.isfinite(x) else x
            for k, x in told.items()
        })  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    summary = {"faults": len(verdicts), "bad": bad, "largest_hold_s": max(held, default=None)}
    file.write_text(json.dumps({**summary, "verdicts": rows}, indent=1) + "\n")
    head = "seed  fault                                  timeout   held   sched.  (s)"
    return "\n".join([head, *(row(v) for v in verdicts), str(summary)]), bad


def main() -> int:
    """Play the campaign."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="faults to play")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--out", type=Path, default=Path("build/faults.json"))
    given = parser.parse_args()

    from rove.environment import ensure_ament_prefix

    ensure_ament_prefix()
    from tests.faults.graph import RunningGraph, play

    verdicts = []
    with tempfile.TemporaryDirectory() as folder:
        graph = RunningGraph(Path(folder), operator="none", lab="none", record=False)
        try:
            for seed in range(given.first, given.first + given.count):
                verdicts.append(play(graph, seed))
                print(row(verdicts[-1]), flush=True)
        finally:
            graph.close()
    text, bad = report(verdicts, given.out)
    print(text)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
