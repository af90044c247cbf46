"""Names of topics and services, relative to the robot's namespace unless they start with ``/``.

Types, rates and QoS are in docs/interfaces.md; a test holds the two together.
"""

from __future__ import annotations

JOINT_STATES = "joint_states"
OPERATOR_FRAME = "operator/frame"
OPERATOR_DEVICE = "operator/device"
TELEOP_TARGET = "teleop/target"
POLICY_CHUNK = "policy/chunk"
POLICY_VALUE = "policy/value"
POLICY_STATUS = "policy/status"
JOINT_COMMAND = "joint_command"
ARBITER_STATE = "arbiter/state"
HANDOVER = "arbiter/handover"
HEARTBEAT = "arbiter/heartbeat"
HEARTBEAT_ANSWER = "arbiter/heartbeat_answer"
RECORDER_LOSS = "recorder/loss"
ROBOT_TIMES = "robot/times"
EPISODE = "episode"
LAB_TASK = "lab/task"
CLOCK = "/clock"
DIAGNOSTICS = "/diagnostics"

PAUSE = "arbiter/pause"
FORCE_LEASE = "arbiter/force_lease"
EMERGENCY_STOP = "arbiter/emergency_stop"
RESET_EMERGENCY_STOP = "arbiter/reset_emergency_stop"
START_EPISODE = "arbiter/start_episode"
STOP_EPISODE = "arbiter/stop_episode"
LOAD_POLICY = "policy/load"
APPROVE_POLICY = "policy/approve"
RESET_SCENE = "lab/reset_scene"


def camera(name: str) -> str:
    """Return the topic of a camera's JPEG pictures."""
    return f"camera/{name}/compressed"
