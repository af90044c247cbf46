"""`make faults`: the graph fault campaign; prints a table, writes JSON, fails when a law breaks."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import math
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.append(str(Path(__file__).parents[1] / "system"))  # graph_harness, as pytest finds it

if TYPE_CHECKING:
    from tests.faults.verdict import Verdict

HEAD = f"seed  {'fault':40s} timeout   held    late  (s)"


def row(verdict: Verdict) -> str:
    """Return a verdict as a line of the table."""
    if verdict.skipped:
        return f"{verdict.seed:4d}  {verdict.fault:40s} skipped: {verdict.skipped}"
    word = verdict.broken or ("ok" if verdict.in_time else "LATE")
    again = f", played {verdict.again + 1} times" if verdict.again else ""
    times = (verdict.timeout_s, verdict.hold_s, verdict.scheduling_s)
    cells = ["     -" if not math.isfinite(t) else f"{t:6.3f}" for t in times]
    return f"{verdict.seed:4d}  {verdict.fault:40s} {'  '.join(cells)}  {word}{again}"


def report(verdicts: list[Verdict], file: Path, **more: Any) -> tuple[str, int]:
    """Write the JSON; return the table and how many faults were late or broke a law."""
    bad = sum(bool(v.broken) or not v.in_time for v in verdicts)
    held = [v.hold_s for v in verdicts if math.isfinite(v.hold_s)]
    over = [v.hold_s - v.timeout_s for v in verdicts if math.isfinite(v.hold_s)]
    rows = []
    for v in verdicts:
        told = {**asdict(v), "in_time": v.in_time}
        rows.append({
            k: None if isinstance(x, float) and not math.isfinite(x) else x
            for k, x in told.items()
        })  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    summary = {
        "faults": len(verdicts),
        "skipped": sum(bool(v.skipped) for v in verdicts),
        "held": len(held),
        "bad": bad,
        "largest_hold_s": max(held, default=None),
        "largest_after_timeout_s": max(over, default=None),
        **more,
    }
    file.write_text(json.dumps({**summary, "verdicts": rows}, indent=1) + "\n")
    return "\n".join([HEAD, *(row(v) for v in verdicts), str(summary)]), bad


def _campaign(first: int, count: int, words: list[str]) -> Iterator[Verdict]:
    """Play the faults of some seeds, those of one driver together; then the network's."""
    from tests.faults import network
    from tests.faults.graph import FAULTS, play, start

    seeds = range(first, first + count)
    chosen = [(seed, FAULTS[seed % len(FAULTS)]) for seed in seeds]
    chosen = [c for c in chosen if not words or any(word in c[1].name for word in words)]
    chosen.sort(key=lambda c: c[1].driver)  # the operator wakes up once
    if chosen:
        with tempfile.TemporaryDirectory() as folder, contextlib.closing(start(Path(folder))) as g:
            print(f"the graph runs in domain {g.domain}", flush=True)
            for seed, fault in chosen:
                yield play(g, seed, fault)
    yield from network.campaign(first + count, words)


def main() -> int:
    """Play the campaign."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="faults to play on one machine")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--only", nargs="*", default=[], help="words in the names of faults")
    parser.add_argument("--out", type=Path, default=Path("build/faults.json"))
    given = parser.parse_args()

    from rove.environment import ensure_ament_prefix

    ensure_ament_prefix()
    from graph_harness import ask_to_end
    from rove.shared_memory import clean_shared_memory
    from tests.faults.memory import segments

    # A graph is closed by whatever ends this process, SIGKILL aside (its children end with it).
    signal.signal(signal.SIGTERM, ask_to_end)
    verdicts: list[Verdict] = []
    left: int | None = None
    try:
        with contextlib.closing(_campaign(given.first, given.count, given.only)) as played:
            for verdict in played:
                verdicts.append(verdict)
                print(row(verdict), flush=True)
        gc.collect()  # this process's own participant
        clean_shared_memory(settled_s=0.0)  # the domain is ours
        left = len(segments())
    finally:
        text, bad = report(verdicts, given.out, shared_memory_left=left)
    print(text)
    return int(bad > 0 or bool(left))


if __name__ == "__main__":
    sys.exit(main())
