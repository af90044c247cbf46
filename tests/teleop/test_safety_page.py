"""docs/safety.md against the code: its table of modes, its times, and the tests that it names."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from rove_teleop.arbiter.timeouts import Timeouts
from rove_teleop.arbiter.transitions import TABLE, markdown

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "safety.md").read_text()


def test_the_page_has_the_table_of_the_code() -> None:
    """Row by row the same as what the machine is held to, and nothing besides."""
    assert PAGE.endswith("\n\n" + markdown()), "docs/safety.md: paste transitions.markdown()"
    rows = [line for line in PAGE.splitlines() if line.startswith(tuple("| " + m for m in _MODES))]
    assert len(rows) == len(TABLE)


_MODES = {row.source.name + " |" for row in TABLE}


def test_the_page_has_every_time_with_its_default() -> None:
    """Names and defaults of all timeouts, in their order."""
    told = re.findall(r"^\| `(\w+)` \| ([0-9.]+) \|", PAGE, re.MULTILINE)
    defaults = Timeouts()
    assert told == [(f.name, str(getattr(defaults, f.name))) for f in fields(Timeouts)]


def test_every_promise_names_tests_that_exist() -> None:
    """Each row of promises names at least one test, or the row before it; each test is there."""
    promises = PAGE.partition("## Promises")[2].partition("## Times")[0]
    rows = [line for line in promises.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 10
    for row in rows:
        named = re.findall(r"`(tests/\S+\.py)::(\w+)`", row)
        assert named, row
        for file, function in named:
            path = ROOT / file
            assert path.is_file(), file
            assert re.search(rf"^def {function}\(", path.read_text(), re.MULTILINE), function
