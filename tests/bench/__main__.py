"""Run the benchmarks: `python -m tests.bench [WORD ...]`, one JSON line per figure.

Every function ``bench_*`` of every module ``bench_*.py`` beside this file is called and yields
results; words select those whose ``module.function`` contains one of them. The exit status is 1
when a figure misses its target.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.bench.result import Result

FOLDER = Path(__file__).parent
Benchmark = Callable[[], Iterable[Result]]


def discover(
    folder: Path = FOLDER, package: str = "tests.bench"
) -> Iterator[tuple[str, Benchmark]]:
    """Yield (``module.function``, function) of every benchmark, in the order of their names."""
    for path in sorted(folder.glob("bench_*.py")):
        module = importlib.import_module(f"{package}.{path.stem}")
        for name, function in vars(module).items():
            if name.startswith("bench_") and callable(function):
                yield f"{path.stem}.{name}", function


def main(words: list[str]) -> int:
    """Run the selected benchmarks and print their lines."""
    selected = [
        (name, benchmark)
        for name, benchmark in discover()
        if not words or any(word in name for word in words)
    ]
    if not selected:
        known = ", ".join(name for name, _ in discover())
        print(f"no benchmark contains {words}; there are: {known}", file=sys.stderr)
        return 2
    missed = 0
    for _, benchmark in selected:
        for result in benchmark():
            print(result.line(), flush=True)
            missed += not result.ok
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
