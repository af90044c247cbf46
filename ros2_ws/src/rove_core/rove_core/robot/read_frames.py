"""Frames and cameras of a profile."""

from __future__ import annotations

import numpy as np

from rove_core.errors import ConfigError
from rove_core.robot.frame import Frame
from rove_core.robot.spec import BODY_ROLES, CameraSpec
from rove_core.robot.table import Table
from rove_core.robot.urdf import Urdf

# Links: everything that commands or watches the robot as a whole refers to them.
REQUIRED_FRAMES = ("pelvis", "head", "left_wrist", "right_wrist", "left_foot", "right_foot")
# Links or offsets: what retargeting needs besides.
RETARGET_FRAMES = ("torso", "left_elbow", "right_elbow")


def read_frames(profile: Table, urdf: Urdf) -> tuple[dict[str, str], dict[str, Frame]]:
    """Return (role -> link, role -> frame that is an offset from a link).

    Raises:
        ConfigError: a role that is missing, or a link that the URDF does not have.
    """
    table = profile.table("frames")
    links: dict[str, str] = {}
    offsets: dict[str, Frame] = {}
    for role in table:
        entry = table.entries[role]
        if isinstance(entry, str) or role in BODY_ROLES:
            if not isinstance(entry, str) or entry not in urdf.links:
                raise ConfigError(f"link of frame {role!r}", entry, urdf.links, table.where)
            links[role] = entry
            continue
        frame = Frame(*table.table(role).frame_parts())
        if frame.parent not in urdf.links:
            raise table.error(f"{role}.parent", frame.parent, urdf.links)
        offsets[role] = frame
    for role in (*REQUIRED_FRAMES, *RETARGET_FRAMES):
        if role not in table:
            raise ConfigError(f"link of frame {role!r}", None, urdf.links, table.where)
    return links, offsets


def read_cameras(profile: Table, urdf: Urdf) -> dict[str, CameraSpec]:
    """Return name -> camera.

    Raises:
        ConfigError: a key that is missing, of the wrong kind or of an unknown link.
    """
    table = profile.table("cameras")
    cameras = {}
    for name in table:
        entry = table.table(name)
        entry.only(("parent", "position", "rpy", "fovy_deg", "width", "height", "rate_hz"))
        width, height = (entry.number(key, True) for key in ("width", "height"))
        if width != int(width) or height != int(height):
            raise table.error(name, (width, height), "whole pixels")
        cameras[name] = CameraSpec(
            name=name,
            width=int(width),
            height=int(height),
            fovy=float(np.deg2rad(entry.number("fovy_deg", True))),
            parent=entry.text("parent"),
            position=entry.triple("position"),
            rpy=entry.triple("rpy"),
            rate=entry.number("rate_hz", True),
        )
        if cameras[name].parent not in urdf.links:
            raise ConfigError(
                f"parent link of camera {name!r}", cameras[name].parent, urdf.links, table.where
            )
    return cameras
