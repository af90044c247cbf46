"""Laws of the page: self-contained, honest about what is missing, true to the bags."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from report_examples import ALONE, GIVEN_UP, HELPED, NEW, OLD, write_episode, write_night

from rove_core.vocabulary import Outcome
from rove_learner.report.page import write_report

VOID = {"meta", "img", "br", "path", "hr"}


class Page(HTMLParser):
    """A page taken apart: its tags, addresses and text; fails on tags that do not match."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.labels: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.addresses += [given[k] or "" for k in ("src", "href", "action") if k in given]
        self.labels += [given["aria-label"] or ""] if "aria-label" in given else []
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.text += data


@pytest.fixture
def bags(tmp_path: Path) -> tuple[list[Path], list[Path]]:
    """Return two bags before, with help, and two after, alone."""
    before = [write_episode(tmp_path / "b" / f"before{k}", HELPED) for k in range(2)]
    after = [write_episode(tmp_path / "a" / f"after{k}", ALONE, policy=NEW) for k in range(2)]
    return before, after


def report(tmp_path: Path, before: list[Path], after: list[Path], night: Path) -> Page:
    """Write a page and take it apart."""
    return Page(write_report(tmp_path / "out", before, after, night))


def test_the_page_needs_nothing_else(tmp_path: Path, bags: tuple[list[Path], list[Path]]) -> None:
    """No script, no outside address, in markup or style, and its policy forbids all others."""
    page = report(tmp_path, *bags, write_night(tmp_path / "night", [*bags[0], *bags[1]]))
    assert "script" not in page.tags
    assert page.addresses
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    assert not re.search(r"https?://|url\(|@import", page.source)
    assert "default-src 'none'" in page.source
    assert "width=device-width" in page.source
    assert "prefers-color-scheme:dark" in page.source


def test_the_page_tells_what_happened(tmp_path: Path, bags: tuple[list[Path], list[Path]]) -> None:
    """Episodes, takeovers, both digests and the plain word about the difference are in it."""
    page = report(tmp_path, *bags, write_night(tmp_path / "night", [*bags[0], *bags[1]]))
    for words in (
        "2 episodes before the night, 2 episodes after it",
        f"Before, policy {OLD[:12]} drove 2 episodes; a person took over twice",
        f"made policy {NEW[:12]}",
        "nobody had to take over",
        "With 2 episodes before and 2 after, none of the differences below means anything.",
        "0 of 2: 0 % (0\N{EN DASH}66 %)",
        "2 of 2: 100 % (34\N{EN DASH}100 %)",
    ):
        assert words in page.text, words
    assert "warning" not in page.text.lower()
    assert page.tags.count("article") == 4
    assert page.tags.count("img") == 40


def test_the_same_input_gives_the_same_page(
    tmp_path: Path, bags: tuple[list[Path], list[Path]]
) -> None:
    """Nothing in the page depends on when, or how often, it was written."""
    night = write_night(tmp_path / "night", [*bags[0], *bags[1]])
    first = write_report(tmp_path / "one" / "report.html", *bags, night)
    second = write_report(tmp_path / "two", *bags, night)
    assert (first.name, second.name) == ("report.html", "report.html")
    assert first.read_bytes() == second.read_bytes()


def test_values_stand_along_the_episode(
    tmp_path: Path, bags: tuple[list[Path], list[Path]]
) -> None:
    """Bags with values have them with t_r and the numbers of high and low; others say why not."""
    page = report(tmp_path, *bags, write_night(tmp_path / "night", bags[0]))
    values = [label for label in page.labels if "critic's value" in label]
    minus = "\N{MINUS SIGN}"
    assert values == [f"critic's value, from {minus}40 to {minus}1 steps"] * 2
    # 40 moments: every third is high, and the first has no advantage.
    assert [x for x in page.labels if "advantage" in x] == [
        "advantage: 13 moments high, 26 low"
    ] * 2
    assert page.text.count("by the operator's mark") == 2
    assert page.text.count("values.npz does not hold this bag") == 2


def test_the_boundary_that_the_labels_used_wins(tmp_path: Path) -> None:
    """t_r of values.npz is drawn with who decided it, instead of what the bag tells."""
    bag = write_episode(tmp_path / "one", GIVEN_UP)
    night = write_night(tmp_path / "night", [bag])
    assert "no mark: drawn at the end" in report(tmp_path, [bag], [], night).text
    with np.load(night / "values.npz") as file:
        arrays = dict(file)
    stamp = arrays["one/time_ns"][10:11]
    np.savez(night / "values.npz", **arrays, **{"one/t_r_ns": stamp, "one/t_r_source": ["value"]})
    page = report(tmp_path, [bag], [], night)
    assert "by value" in page.text
    assert "drawn at the end" not in page.text
    assert re.search(r'class="mark[^"]*" style="left:50\.00%"', page.source)


def test_what_is_missing_is_said_in_words(
    tmp_path: Path, bags: tuple[list[Path], list[Path]]
) -> None:
    """Without any file of the night the page stands, and each section names its file."""
    page = report(tmp_path, *bags, tmp_path / "nothing")
    for words in (
        "critic_history.json is missing",
        "actor_history.json is missing",
        "run.json is missing",
        "values.npz is missing",
        "What the night job did is not known",
    ):
        assert words in page.text, words
    assert page.tags.count("img") == 40


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("run.json", b"[1, 2]"),
        ("run.json", b"{"),
        ("critic_history.json", b"[]"),
        ("actor_history.json", b'[{"train": 1}]'),
        ("actor_history.json", b'[{"step": "x"}]'),
        ("critic_history.json", b'{"step": 1}'),
        ("values.npz", b"PK not a zip"),
        ("values.npz", b""),
    ],
)
def test_a_broken_file_of_the_night_is_named(
    tmp_path: Path, bags: tuple[list[Path], list[Path]], file: str, content: bytes
) -> None:
    """A broken file costs its own section only."""
    night = write_night(tmp_path / "night", [*bags[0], *bags[1]])
    (night / file).write_bytes(content)
    page = report(tmp_path, *bags, night)
    assert f"{file} cannot be read" in page.text
    assert page.text.count("cannot be read") == (2 if file == "run.json" else 1)


def test_a_bag_with_incomplete_values_is_named(
    tmp_path: Path, bags: tuple[list[Path], list[Path]]
) -> None:
    """Arrays of different lengths of one bag do not cost the others theirs."""
    night = write_night(tmp_path / "night", [*bags[0], *bags[1]])
    with np.load(night / "values.npz") as file:
        arrays = dict(file)
    arrays["after0/value"] = arrays["after0/value"][:-1]
    np.savez(night / "values.npz", **arrays)
    page = report(tmp_path, *bags, night)
    assert "values.npz is incomplete for after0" in page.text
    assert sum("critic's value" in label for label in page.labels) == 3


def test_bad_bags_are_listed_and_the_rest_is_shown(
    tmp_path: Path, bags: tuple[list[Path], list[Path]]
) -> None:
    """Foreign and truncated bags stand in the page with their error."""
    cut = write_episode(tmp_path / "cut")
    file = next(cut.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[:-2000])
    before, after = bags
    page = report(tmp_path, [*before, cut, tmp_path / "gone"], after, tmp_path / "nothing")
    assert "2 bags cannot be read" in page.text
    assert re.search(r"cut: .*truncated", page.text)
    assert re.search(r"gone: .*does not exist", page.text)
    assert page.tags.count("article") == 4


def test_no_episode_at_all_is_a_page_too(tmp_path: Path) -> None:
    """Nothing given gives a page that says so."""
    page = report(tmp_path, [], [], tmp_path / "nothing")
    assert "No episode to report on" in page.text
    assert "Nothing to compare" in page.text


def test_text_of_bags_and_files_is_only_text(tmp_path: Path) -> None:
    """Markup in an instruction, a warning or a setting is shown, never obeyed."""
    evil = "<script>alert(1)</script><img src=http://x>"
    bag = write_episode(tmp_path / "b<i>", instruction=evil)
    night = write_night(
        tmp_path / "night", [bag], warnings=[evil], boundary=evil, counts={evil: evil},
        label_audit={evil: 0.5}, new_digest=evil, t_r_sources={evil: {evil: evil}},
    )  # fmt: skip
    page = report(tmp_path, [bag], [tmp_path / "<b>gone"], night)
    assert "script" not in page.tags
    assert "b<i>" in page.text
    assert all(address.startswith("data:") for address in page.addresses)
    assert page.text.count(evil) >= 6


def test_another_policy_than_the_new_one_is_a_warning(
    tmp_path: Path, bags: tuple[list[Path], list[Path]]
) -> None:
    """A status that names one policy while another ran must not pass unseen."""
    night = write_night(tmp_path / "night", bags[0], new_digest="9" * 64)
    page = report(tmp_path, *bags, night)
    assert f"2 of 2 episodes after ran policy {NEW[:12]}, not {'9' * 12}" in page.text
    night = write_night(tmp_path / "night", bags[0], base_digest="8" * 64)
    assert f"ran policy {OLD[:12]}, not {'8' * 12}" in report(tmp_path, *bags, night).text


def test_overfit_and_upside_down_labels_are_warnings(
    tmp_path: Path, bags: tuple[list[Path], list[Path]]
) -> None:
    """Held-out loss far above training, and recovery ranked below rollout, are said aloud."""
    audit = {"rollout": {"share": 0.5, "count": 10}, "recovery": {"share": 0.1, "count": 10}}
    night = write_night(tmp_path / "night", bags[0], label_audit=audit, warnings=["look here"])
    rows = [{"step": 1, "train": 0.1, "held_out": 0.5}, {"step": 2, "train": 0.09}]
    (night / "critic_history.json").write_text(json.dumps(rows))
    page = report(tmp_path, *bags, night)
    assert "3 warnings" in page.text
    assert "look here" in page.text
    assert "The critic is 5.6 times worse on held-out episodes" in page.text
    assert "recovery (10% high) below rollout (50% high)" in page.text
    assert "10 % high of 10" in page.text


def test_different_instructions_are_a_warning(tmp_path: Path) -> None:
    """Before and after must have been asked the same to be compared."""
    before = [write_episode(tmp_path / "b")]
    after = [write_episode(tmp_path / "a", instruction="jump", policy=NEW)]
    page = report(tmp_path, before, after, write_night(tmp_path / "night", before))
    assert "Before and after were not told the same" in page.text


def test_large_pictures_do_not_make_a_large_page(tmp_path: Path) -> None:
    """Many bags of large pictures stay below 6 MB."""
    noise = np.random.default_rng(0).integers(0, 255, (360, 480, 3), dtype=np.uint8)
    jpeg = cv2.imencode(".jpg", noise)[1].tobytes()
    bags = [write_episode(tmp_path / "b" / f"{k}", ALONE, picture=jpeg) for k in range(9)]
    assert 90 * len(jpeg) > 8_000_000
    path = write_report(tmp_path / "out", bags, [], tmp_path / "nothing")
    assert path.stat().st_size < 6_000_000
    assert path.read_text(encoding="utf-8").count("<img") == 90


def test_many_episodes_are_all_in_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the figures that fit, episodes are in the table, and the page says how many."""
    monkeypatch.setattr("rove_learner.report.episodes.MOST_FIGURES", 4)
    before = [write_episode(tmp_path / "b" / f"{k}") for k in range(5)]
    after = [write_episode(tmp_path / "a" / "last", outcome=Outcome.FAILURE)]
    page = report(tmp_path, before, after, tmp_path / "nothing")
    assert page.tags.count("article") == 4
    assert "2 further episodes are in the table only" in page.text
    assert "last" in page.text
