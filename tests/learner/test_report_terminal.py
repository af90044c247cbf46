"""Laws of the table at the end of a demo: it comes from the bags."""

from __future__ import annotations

from pathlib import Path

from report_examples import ALONE, HELPED, NEW, OLD, write_episode
from rich.console import Console

from rove_core.vocabulary import Outcome
from rove_learner.report.page import write_report
from rove_learner.report.terminal import demo_table


def rendered(before: list[Path], after: list[Path], width: int = 110) -> list[str]:
    """Return the lines that a terminal shows."""
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(demo_table(before, after))
    return console.export_text().splitlines()


def test_rows_hold_stages_and_digests(tmp_path: Path) -> None:
    """Each bag has a row with its stages' seconds and its policy; the digest changes."""
    lines = rendered(
        [write_episode(tmp_path / "one", HELPED)],
        [write_episode(tmp_path / "two", ALONE, Outcome.FAILURE, policy=NEW)],
    )
    rows = {line.split()[0]: line.split() for line in lines if line.split()[:1]}
    assert rows["one"] == ["one", "success", "2.0", "1", "0.6", "0.4", "0.8", OLD[:8]]
    assert rows["two"] == ["two", "failure", "1.0", "0", "1.0", "0.0", "0.0", NEW[:8]]
    order = [line.split()[0] for line in lines if line.split()[:1]]
    assert order.index("before") < order.index("one") < order.index("after") < order.index("two")


def test_the_words_below_say_what_it_means(tmp_path: Path) -> None:
    """Intervals, the plain word about the difference, and what cannot be read."""
    text = " ".join(
        " ".join(
            rendered([write_episode(tmp_path / "[red]one", HELPED)], [tmp_path / "gone"])
        ).split()
    )
    assert "0 of 1: 0 % (0\N{EN DASH}79 %) before, no episode after" in text
    assert "Nothing to compare: no episode after." in text
    assert "cannot be read: gone" in text
    assert "[red]one" in text
    assert "after no episode" in text


def test_what_was_only_learnt_from_is_shown_and_not_compared(tmp_path: Path) -> None:
    """A third group has its rows between the other two; no figure of the comparison changes."""
    before = [write_episode(tmp_path / "one", ALONE)]
    after = [write_episode(tmp_path / "two", ALONE, policy=NEW)]
    more = [write_episode(tmp_path / "three", HELPED)]
    console = Console(width=110, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(demo_table(before, after, more))
    lines = console.export_text().splitlines()
    order = [line.split()[0] for line in lines if line.split()[:1]]
    assert order.index("one") < order.index("three") < order.index("two")

    def compared(text: list[str]) -> str:
        words = " ".join(" ".join(text).split())
        return words[words.index("Success without help") :]

    assert compared(lines) == compared(rendered(before, after))
    page = write_report(tmp_path / "page", before, after, tmp_path / "night", more).read_text()
    assert page.count("three") >= 2  # table and figure
    assert "learnt from, not compared" in page
