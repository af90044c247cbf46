"""Bytes of a bag that are not what was written are found, wherever they lie."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bag_verify_examples import good_tape
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rove_core.bag.verify.report import Report
from rove_core.bag.verify.run import verify
from rove_core.errors import BagError

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Each example is a bag: a failure is told as it is, not shrunk first."""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished bag."""
    written: Path = good_tape().write(tmp_path_factory.mktemp("good") / "bag")
    return written


@pytest.fixture
def copied(good: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(good, tmp_path / "bag"))


def told(path: Path) -> Report | None:
    """Verify; None when too little is left to call it a bag."""
    try:
        return verify(path)
    except BagError:
        return None


@settings(max_examples=40, deadline=None, phases=PHASES)
@given(place=st.floats(0, 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found(
    good: Path, tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    """Any bit of the file: the checksums of chunks, data section or index tell, or a record does.

    What no checksum covers (heads of records) changes what is read, and that is told.
    """
    path = tmp_path_factory.mktemp("flip") / "bag"
    shutil.copytree(good, path)
    file = next(path.glob("*.mcap"))
    data = bytearray(file.read_bytes())
    data[round(place * (len(data) - 1))] ^= 1 << bit
    file.write_bytes(data)
    report = told(path)
    assert report is None or not report.ok


@settings(max_examples=15, deadline=None, phases=PHASES)
@given(left=st.floats(0, 0.999))
def test_a_truncated_file_is_found(
    good: Path, tmp_path_factory: pytest.TempPathFactory, left: float
) -> None:
    """However much is missing at the end."""
    path = tmp_path_factory.mktemp("cut") / "bag"
    shutil.copytree(good, path)
    file = next(path.glob("*.mcap"))
    file.write_bytes(file.read_bytes()[: int(left * file.stat().st_size)])
    report = told(path)
    assert report is None or any(f.check == "file" for f in report.errors)


def test_a_folder_without_metadata_is_found(copied: Path) -> None:
    """rosbag2 does not open it."""
    (copied / "metadata.yaml").unlink()
    report = verify(copied)
    assert [f.check for f in report.errors] == ["file"]
    assert "metadata.yaml" in report.errors[0].text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("message_count: 400", "message_count: 401"),
        ("bag_0.mcap", "bag_1.mcap"),
        ("topics_with_message_count", "topics"),
        ("/g1_dex3/episode", "/g1_dex3/episodes"),
    ],
)
def test_metadata_that_lies_is_found(copied: Path, old: str, new: str) -> None:
    """Counts, names and the file must be those of the MCAP file."""
    path = copied / "metadata.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    report = verify(copied)
    assert report.errors
    assert {f.check for f in report.errors} == {"file"}
