"""``rove bag``: every command takes folders, goes on behind a bad bag, and says which it was."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path

import pytest
from rich.console import Console

from rove.bag import cli, common
from rove_core.bag.reader import Bag
from rove_core.errors import BagError

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))
from bag_verify_examples import good_tape

READING = ("info", "verify", "stats")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two good bags, one of them in a subfolder, and one with a broken chunk."""
    folder = tmp_path_factory.mktemp("made")
    good_tape().write(folder / "one")
    good_tape().write(folder / "day" / "two")
    shutil.copytree(folder / "one", folder / "bad")
    file = next((folder / "bad").glob("*.mcap"))
    file.write_bytes(file.read_bytes()[:1000])
    return folder


@pytest.fixture
def bags(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "bags"))


@pytest.mark.parametrize("command", READING)
def test_a_bad_bag_is_named_and_the_others_are_done(
    command: str, bags: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1, the bad bag on stderr or with its errors, both good ones on stdout."""
    assert cli.main([command, str(bags)]) == 1
    out, err = capsys.readouterr()
    assert "one" in out
    assert "two" in out
    assert str(bags / "bad") in out + err


@pytest.mark.parametrize("command", READING)
def test_good_bags_end_with_status_0(command: str, bags: Path) -> None:
    """Named one by one: a bag's folder, its MCAP file, and a folder of bags."""
    file = next((bags / "one").glob("*.mcap"))
    assert cli.main([command, str(file), str(bags / "day")]) == 0


@pytest.mark.parametrize("command", READING)
def test_json_is_json(command: str, bags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output holds JSON alone, also with a bag that cannot be read beside it."""
    cli.main([command, "--json", str(bags)])
    found = json.loads(capsys.readouterr().out)
    rows = found["bags"] if command == "stats" else found
    assert {"one", "two"} <= {Path(row["path"]).name for row in rows}


@pytest.mark.parametrize("command", list(cli.COMMANDS))
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` ends with 0 and says more than the usage."""
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: rove bag {command}")
    assert "--help" in text
    assert len(text.splitlines()) > 8


@pytest.mark.parametrize("command", list(cli.COMMANDS))
def test_an_unknown_option_is_status_2(command: str) -> None:
    """What a person typed wrong is no bad bag."""
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--nothing-of-this-name"])
    assert ended.value.code == 2


def test_an_unknown_command_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    """The commands that exist are named."""
    assert cli.main(["frobnicate"]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in cli.COMMANDS)
    assert cli.main([]) == 2
    assert cli.main(["--help"]) == 0


@pytest.mark.parametrize("command", READING)
def test_a_folder_that_does_not_exist_is_named(
    command: str, bags: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a folder without bags, too; what was named beside them is done."""
    empty = tmp_path / "empty"
    empty.mkdir()
    assert cli.main([command, str(tmp_path / "away"), str(empty), str(bags / "one")]) == 1
    out, err = capsys.readouterr()
    assert str(tmp_path / "away") in err
    assert str(empty) in err
    assert "one" in out


def test_warnings_count_when_asked(bags: Path) -> None:
    """``--strict`` is for bags that must be as the contract has them, and all of it checked."""
    tape = good_tape()
    tape.of("operator/frame")[0].stamp(0)
    tape.write(bags / "warned")
    assert cli.main(["verify", str(bags / "warned")]) == 0
    assert cli.main(["verify", "--strict", str(bags / "warned")]) == 1
    assert cli.main(["verify", "--strict", str(bags / "one")]) == 0


def test_recover_makes_whole_bags_of_a_folder(
    bags: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is cut off is recovered and verifies; what is whole stays as it is."""
    cut = (bags / "one").rename(bags / "one.recording")
    (cut / "metadata.yaml").unlink()
    file = next(cut.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    before = next((bags / "day" / "two").glob("*.mcap")).stat()
    assert cli.main(["recover", str(bags)]) == 0
    assert "one" in capsys.readouterr().out
    assert next((bags / "day" / "two").glob("*.mcap")).stat() == before
    assert Bag(bags / "one").outcome.recording.value == "recovered"
    assert cli.main(["verify", str(bags / "one")]) == 0
    assert cli.main(["recover", str(bags / "one"), str(bags / "day" / "two")]) == 0
    assert "is whole" in capsys.readouterr().out


def test_recover_takes_a_damaged_bag_that_is_named(bags: Path) -> None:
    """A finished bag that broke later is not looked at by default: it must be named."""
    assert cli.main(["recover", str(bags)]) == 0
    with pytest.raises(BagError):
        Bag(bags / "bad")
    assert cli.main(["recover", str(bags / "bad")]) in (0, 1)


def test_no_bag_is_taken_twice(bags: Path) -> None:
    """However it is named."""
    failures = common.Failures()
    words = [bags, bags / "one", next((bags / "one").glob("*.mcap")), bags / "day" / ".." / "one"]
    found = common.find(words, failures)
    assert [path.name for path in found] == ["bad", "two", "one"]
    assert failures.status() == 0


def test_progress_is_a_line_a_bag_without_a_terminal(
    bags: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Logs get one line each on stderr; stdout stays for results."""
    failures = common.Failures()
    paths = common.find([bags], failures)
    done = [path for path, _ in common.each(paths, "reading", lambda path: 0, failures)]
    out, err = capsys.readouterr()
    assert (done, out) == (paths, "")
    assert err.splitlines() == [f"reading {i}/3 {path}" for i, path in enumerate(paths, start=1)]


def test_on_a_terminal_the_bar_is_gone_while_results_are_printed(
    bags: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise bar and table write over each other."""
    screen = io.StringIO()

    def terminal(**_: object) -> Console:
        return Console(file=screen, force_terminal=True, width=80, _environ={"TERM": "xterm"})

    monkeypatch.setattr(common, "Console", terminal)
    failures = common.Failures()
    shown = []
    for path, _ in common.each(common.find([bags], failures), "reading", lambda p: 0, failures):
        before = screen.getvalue()
        assert before.endswith(("\x1b[2K", "\x1b[?25h", "\r")), repr(before[-40:])
        shown.append(path.name)
    assert shown == ["bad", "two", "one"]
    assert "reading two" in screen.getvalue()
    assert "2/3" in screen.getvalue()
