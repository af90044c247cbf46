"""Two-pose calibration of a device: sign, scale and offset of each joint from two known postures.

The person (or the leader arm) takes two postures A and B in which the robot's joints are known, for
example both of the robot's own. A joint that moved between them gets all three numbers; one that
stood still keeps sign and scale and gets a new offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rove_core.errors import ConfigError
from rove_teleop.device.profile import SCALES, DeviceJoint, DeviceProfile

MOVED = 0.3  # rad between the two postures from which a scale can be told from noise


def calibrate(
    profile: DeviceProfile,
    measured_a: Mapping[str, float],
    robot_a: Mapping[str, float],
    measured_b: Mapping[str, float],
    robot_b: Mapping[str, float],
) -> DeviceProfile:
    """Return the profile with sign, scale and offset that map both postures exactly.

    Args:
        profile: names and ranges of the joints.
        measured_a, measured_b: device joint -> rad that the device measures in each posture.
        robot_a, robot_b: robot joint -> rad that the robot's joint shall have there.

    Raises:
        ConfigError: a joint is missing or outside its range, it moved on one side only, or its
            scale is absurd; names the joint.
    """
    joints = {}
    for name, joint in profile.joints.items():
        a, b = (_angle(table, joint, profile) for table in (measured_a, measured_b))
        wanted_a, wanted_b = (_wanted(table, joint, profile) for table in (robot_a, robot_b))
        moved, wanted = b - a, wanted_b - wanted_a
        where = f"device {profile.name}, joint {name}"
        if abs(moved) < MOVED and abs(wanted) < MOVED:
            # Half of what is left in either posture, so that neither counts more.
            slope = joint.sign * joint.scale
            offset = 0.5 * (wanted_a + wanted_b) - slope * 0.5 * (a + b)
            joints[name] = replace(joint, offset=offset)
            continue
        if min(abs(moved), abs(wanted)) < MOVED:
            given = f"device {moved:.2f} rad, robot {wanted:.2f} rad"
            allowed = f"both at least {MOVED} rad, or both less: is it the right joint?"
            raise ConfigError("motion between the postures", given, allowed, where)
        scale = abs(wanted / moved)
        if not SCALES[0] <= scale <= SCALES[1]:
            raise ConfigError("scale", round(scale, 2), f"{SCALES[0]} to {SCALES[1]}", where)
        sign = 1 if wanted * moved > 0.0 else -1
        joints[name] = replace(joint, sign=sign, scale=scale, offset=wanted_a - sign * scale * a)
    return replace(profile, joints=joints)


def _angle(table: Mapping[str, float], joint: DeviceJoint, profile: DeviceProfile) -> float:
    where = f"device {profile.name}"
    if joint.name not in table:
        raise ConfigError("joint without a measured angle", joint.name, sorted(table), where)
    angle = float(table[joint.name])
    if not joint.lower <= angle <= joint.upper:
        allowed = f"{joint.lower} to {joint.upper} rad"
        raise ConfigError(f"angle of {joint.name}", angle, allowed, where)
    return angle


def _wanted(table: Mapping[str, float], joint: DeviceJoint, profile: DeviceProfile) -> float:
    if joint.robot not in table:
        where = f"posture for the calibration of {profile.name}"
        raise ConfigError("joint without an angle", joint.robot, sorted(table), where)
    return float(table[joint.robot])
