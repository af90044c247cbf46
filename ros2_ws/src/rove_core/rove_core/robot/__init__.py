"""Robot profiles: one YAML beside a URDF describes a robot to every part of ROVE."""

from rove_core.robot.collision import Capsule, CollisionPair, CollisionSpec
from rove_core.robot.frame import Frame
from rove_core.robot.hand import Finger, HandSpec, Pinch
from rove_core.robot.load import available_robots, load_robot
from rove_core.robot.spec import CameraSpec, RobotSpec

__all__ = [
    "CameraSpec",
    "Capsule",
    "CollisionPair",
    "CollisionSpec",
    "Finger",
    "Frame",
    "HandSpec",
    "Pinch",
    "RobotSpec",
    "available_robots",
    "load_robot",
]
