"""Check "profile": the robot of a bag, built from the profile that lies in the bag itself."""

from __future__ import annotations

import functools
import tempfile
import textwrap
from pathlib import Path

from rove_core.bag.schema import BAG_SCHEMA_VERSION, EpisodeInfo
from rove_core.bag.verify.check import Check
from rove_core.errors import RoveError
from rove_core.robot import load_robot
from rove_core.robot.spec import RobotSpec

MOST_WORDS = 200
"""Characters of why a profile cannot be used; the list of what would be allowed is longer."""


@functools.lru_cache(maxsize=16)
def robot_of(name: str, profile: str) -> tuple[RobotSpec | None, str]:
    """Return the robot of a profile's text, or None and why it cannot be built on this machine.

    The profile names a URDF package, which must be installed; a profile that names a file cannot
    be built where that file is not.
    """
    if not profile:
        return None, "the bag holds no profile"
    with tempfile.TemporaryDirectory(prefix="rove-profile-") as folder:
        path = Path(folder) / f"{Path(name).name or 'robot'}.yaml"  # a robot is named by its file
        path.write_text(profile, encoding="utf-8")
        try:
            return load_robot(str(path)), ""
        except RoveError as error:
            why = str(error).replace(str(path), "the bag's profile")
            return None, textwrap.shorten(why, MOST_WORDS, placeholder=" ...")


class ProfileCheck(Check):
    """The digest and the joint order that the bag names are those of the profile inside it."""

    name = "profile"

    def finish(self) -> None:
        """Compare record and profile."""
        info: EpisodeInfo = self.subject.info
        spec = self.subject.spec
        if spec is None:
            _, why = robot_of(info.robot, info.robot_profile)
            self.not_checked(why)
            return
        if spec.joint_names != info.joint_names:
            at = next(
                (
                    i
                    for i, (a, b) in enumerate(
                        zip(spec.joint_names, info.joint_names, strict=False)
                    )
                    if a != b
                ),
                min(len(spec.joint_names), len(info.joint_names)),
            )
            self.error(
                f"record has {len(info.joint_names)} joints, the profile {len(spec.joint_names)}; "
                f"they differ from joint {at} on"
            )
        if spec.digest != info.robot_digest:
            text = f"robot digest {info.robot_digest[:12]}, its profile has {spec.digest[:12]}"
            if self.subject.version == BAG_SCHEMA_VERSION:
                self.error(text)
            else:
                self.warning(f"{text} (an older ROVE may have computed it otherwise)")
