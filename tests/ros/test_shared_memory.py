"""Leftovers of killed DDS participants: removed once nobody uses them, and never before."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rove import shared_memory
from rove.shared_memory import clean_shared_memory

MAPS = """
import mmap, sys
with open(sys.argv[1], "r+b") as file:
    held = mmap.mmap(file.fileno(), 0)
print("mapped", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(shared_memory, "FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def user(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has port 7411 mapped."""
    _port(folder, 7411)
    command = [sys.executable, "-c", MAPS, str(folder / "fastrtps_port7411")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "mapped\n"
        yield process
        process.kill()


def _port(folder: Path, number: int) -> list[Path]:
    files = [folder / f"fastrtps_port{number}", folder / f"sem.fastrtps_port{number}_mutex"]
    for file in files:
        file.write_bytes(bytes(4096))
    return files


def test_a_port_goes_with_its_last_process(folder: Path, user: subprocess.Popen[str]) -> None:
    """Bug: five ports of each killed graph stayed for good; the tool looks for lock files only."""
    forgotten = _port(folder, 7413)
    assert clean_shared_memory(settled_s=0.0) == ["fastrtps_port7413"]
    assert not any(file.exists() for file in forgotten)
    assert (folder / "fastrtps_port7411").exists()
    user.kill()
    user.wait()
    assert clean_shared_memory(settled_s=0.0) == ["fastrtps_port7411"]
    assert list(folder.iterdir()) == []


def test_a_port_that_may_be_about_to_be_mapped_stays(folder: Path) -> None:
    _port(folder, 7411)
    assert clean_shared_memory(settled_s=3600.0) == []
    assert clean_shared_memory(settled_s=0.0) == ["fastrtps_port7411"]


@pytest.mark.parametrize("lock", ["_el", "_sl"])
def test_what_has_a_lock_file_is_left_to_the_tool(folder: Path, lock: str) -> None:
    _port(folder, 7411)
    (folder / f"fastrtps_port7411{lock}").touch()
    assert clean_shared_memory(settled_s=0.0) == []


def test_files_of_others_stay(folder: Path) -> None:
    names = ["fastrtps_portal", "fastrtps_port7411_data", "port7411", "sem.fastrtps_port1_mutex"]
    for name in names:
        (folder / name).touch()
    if os.getuid() == 0:
        for file in _port(folder, 7415):
            os.chown(file, 12345, -1)
        names += ["fastrtps_port7415", "sem.fastrtps_port7415_mutex"]
    assert clean_shared_memory(settled_s=0.0) == []
    assert sorted(file.name for file in folder.iterdir()) == sorted(names)
