"""What fast collection writes is what the nodes would have sent, to the last bit of every field."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from rclpy.serialization import serialize_message as ros_serialized

from rove import convert, qos
from rove.nodes.recorder import TOPICS, _qos_text
from rove_core.action import ActionChunk
from rove_core.bag.definitions import typestore
from rove_core.bag.reader import deserialize
from rove_core.bag.record import JointStates
from rove_core.provenance import Provenance
from rove_core.robot import load_robot
from rove_core.vocabulary import Authority, Button, HandoverKind, Mode, Stage
from rove_policy.proposer import Proposal
from rove_sim.collect import encode
from rove_sim.collect.tape import QOS
from rove_teleop.arbiter.handover import Handover
from rove_teleop.retarget.result import RetargetResult
from rove_teleop.wire.messages import Frame
from rove_teleop.wire.server import Client

SPEC = load_robot("g1_dex3")
STAMP = 1_234_567_890_123_456_789
RNG = np.random.default_rng(0)
POSE = (0.3, 0.2, 1.2, 0.0, 0.6, 0.0, 0.8)


def serialize_message(message: object) -> bytes:
    """Return what ROS sends, with zeros as padding (Fast CDR leaves there what was there before)
    and nothing behind the message."""
    package, kind, *_ = type(message).__module__.split(".")
    name = f"{package}/{kind}/{type(message).__name__}"
    told = deserialize(typestore(), ros_serialized(message), name)
    return bytes(typestore().serialize_cdr(told, name))


def joints() -> np.ndarray:
    return RNG.uniform(SPEC.lower, SPEC.upper)


def frame(**change: object) -> Frame:
    given = Frame(
        sequence=7, lease=3, device_stamp_ns=11, head=POSE, left_wrist=POSE, right_wrist=POSE,
        right_squeeze=1.0, right_trigger=0.25, buttons=int(Button.TAKEOVER),
    )  # fmt: skip
    return msgspec.structs.replace(given, **change)


FRAMES = [
    frame(),
    frame(left_elbow=POSE, left_elbow_tracked=True),
    frame(left_hand=tuple(RNG.random(75).tolist()), device_joints=(0.25, -1.5)),
]


@pytest.mark.parametrize("given", FRAMES)
def test_operator_frames(given: Frame) -> None:
    """Bare, with elbows, with fingers and measured joints."""
    sent = serialize_message(convert.frame_message("ann", given, STAMP))
    assert encode.operator_frame("ann", given, STAMP) == sent


@pytest.mark.parametrize("valid", [True, False])
def test_joint_targets(valid: bool) -> None:
    """Valid, and refused with a reason."""
    reason = "" if valid else "the wrist is out of reach"
    result = RetargetResult(valid, reason, valid, joints(), 0.01, 0.1, 0.4, 0.2, math.nan)
    message = convert.target_message(result, convert.frame_message("ann", FRAMES[0], STAMP))
    assert encode.joint_target(result, FRAMES[0], STAMP) == serialize_message(message)


@pytest.mark.parametrize("human", [True, False])
@pytest.mark.parametrize("policy", [True, False])
def test_joint_commands(human: bool, policy: bool) -> None:
    """Whoever wanted something, and when nobody did."""
    provenance = Provenance(
        epoch=5, sequence=9, mode=Mode.HUMAN, authority=Authority.HUMAN, stage=Stage.RECOVERY,
        lease=5001, policy_wanted=joints() if policy else None,
        human_wanted=joints() if human else None, policy_digest="ab" * 32 if policy else "",
        chunk_id=4, operator_sequence=12,
    )  # fmt: skip
    position = joints()
    sent = serialize_message(convert.command_message(position, provenance, STAMP))
    assert encode.joint_command(position, provenance, STAMP) == sent


def test_chunks() -> None:
    """Rows, times and the condition."""
    chunk = ActionChunk(STAMP, STAMP + 50_000_000, 50_000_000,
                        np.stack([joints() for _ in range(16)]), "cd" * 32, 3)  # fmt: skip
    sent = serialize_message(convert.chunk_message(chunk, True, 2.5))
    assert encode.action_chunk(Proposal(chunk, True, 2.5)) == sent


def test_sensors() -> None:
    """Joint states and pictures."""
    position, velocity, jpeg = joints(), joints(), bytes(range(200))
    sent = serialize_message(convert.joint_state_message(SPEC, position, velocity, STAMP))
    assert JointStates(SPEC.joint_names).serialize(STAMP, position, velocity) == sent
    sent = serialize_message(convert.jpeg_message(jpeg, STAMP, "ego"))
    assert encode.picture("ego", jpeg, STAMP) == sent


def test_device_and_handover() -> None:
    """The operator's device and a measured change of authority."""
    client = Client("ann", "exo_g1_dex3", ("a", "b"), "ann")
    sent = serialize_message(convert.device_message(client, "{}", STAMP))
    words = (client.operator_id, client.device, client.joint_names, client.calibration, "{}")
    assert encode.operator_device(*words, STAMP) == sent
    given = Handover(
        HandoverKind.TAKEOVER, 4, STAMP, 8.5, 0.5, 0.01, math.nan, 1.0, 2.0, 3.0, joint=2
    )
    sent = serialize_message(convert.handover_message(given, SPEC, 5, STAMP + 9))
    assert encode.handover_of(given, SPEC, 5, STAMP + 9) == sent


def test_topics_have_the_qos_of_the_graph() -> None:
    """A bag tells the same QoS whoever recorded it."""
    graph = {name: _qos_text(profile) for name, (_, profile) in TOPICS.items()}
    assert graph | {"camera": _qos_text(qos.STREAM)} == QOS
