"""Laws of the locks: one recorder a folder, one writer a bag, and the dead hold nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from bag_examples import small_info, small_spec

from rove_core.bag.recording.lock import FolderLock, is_written, recorder_of
from rove_core.bag.recording.revision import code_revision
from rove_core.bag.writer import BagWriter
from rove_core.errors import BagError
from rove_core.vocabulary import Outcome

HOLDER = """
import sys
from pathlib import Path
from rove_core.bag.recording.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_recorder_of_a_folder_is_refused(tmp_path):
    """It is told which process holds the folder; when that one is killed the folder is free."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "bags")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    assert recorder_of(tmp_path / "bags") == child.pid
    with pytest.raises(BagError, match=f"in use by the recorder with pid {child.pid}"):
        FolderLock(tmp_path / "bags")
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert recorder_of(tmp_path / "bags") is None
    lock = FolderLock(tmp_path / "bags")
    assert recorder_of(tmp_path / "bags") == os.getpid()
    lock.release()
    lock.release()
    assert recorder_of(tmp_path / "bags") is None


def test_a_folder_that_cannot_be_made_is_a_bag_error(tmp_path):
    """The error names the folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BagError, match="file/bags cannot be written"):
        FolderLock(tmp_path / "file" / "bags")
    assert recorder_of(tmp_path / "none") is None


def test_a_bag_is_written_as_long_as_its_writer_lives(tmp_path):
    """From the first byte to the rename, and not when it was abandoned."""
    writer = BagWriter(tmp_path / "one", small_info(small_spec()))
    assert is_written(tmp_path / "one.recording")
    assert not is_written(writer.close(Outcome.SUCCESS))
    other = BagWriter(tmp_path / "two", small_info(small_spec()))
    other.abandon()
    assert not is_written(tmp_path / "two.recording")
    assert not is_written(tmp_path / "nothing")


def test_the_revision_names_the_version():
    """Version, and what git says of this checkout when it is one."""
    assert code_revision().startswith("rove 0.")
