"""Which names of bags and files may cross between machines: none that leads out of a folder."""

from __future__ import annotations

import re

from rove_core.bag.folder import DAMAGED_SUFFIX, RECOVERING_SUFFIX
from rove_core.bag.schema import RECORDING_SUFFIX

FETCHED_FILE = "fetched.json"
"""On the robot, in the bag: which learners have it."""
PULLED_FILE = "pulled.json"
"""On the learner's machine, in the bag: where it came from and what arrived."""
DELETED_PREFIX = ".deleted-"
"""Begins the name of a bag that is being deleted."""
KEEPER_LOCK = ".keeper.lock"
"""In the robot's folder of bags; also how others know that it is one."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}")
UNFINISHED = (RECORDING_SUFFIX, RECOVERING_SUFFIX, DAMAGED_SUFFIX)
_DRAFTS = (".tmp", ".part", ".draft")


def is_bag_name(name: str) -> bool:
    """Say whether a folder of this name may be a finished bag that is served or received."""
    return _NAME.fullmatch(name) is not None and not name.endswith(UNFINISHED)


def is_draft(name: str) -> bool:
    """Say whether a file is somebody's unfinished work: it is no part of a bag."""
    return name.startswith(".") or name.endswith(_DRAFTS)


def is_ours(name: str) -> bool:
    """Say whether a file in a bag is a note of keeper or pull, which stays on its machine."""
    return name in (FETCHED_FILE, PULLED_FILE)


def is_file_name(name: str) -> bool:
    """Say whether a file of this name may be served or received."""
    return _NAME.fullmatch(name) is not None and not is_draft(name) and not is_ours(name)


def is_recording(name: str) -> bool:
    """Say whether a file is part of the recording itself; the others are sidecars that people
    edit (``cuts.json``)."""
    return name.endswith(".mcap") or name == "metadata.yaml"
