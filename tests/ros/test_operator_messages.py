"""What an operator's device sends reaches the topics, and decides who may drive."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import rclpy
from rclpy.serialization import deserialize_message, serialize_message
from rove_msgs.msg import ArbiterState, JointTarget, OperatorFrame

from rove import convert
from rove.keys_cli import ensure_local_keys
from rove.nodes.bridge import BridgeNode
from rove.nodes.teleop import TeleopNode
from rove_core.robot import load_robot
from rove_teleop.calibration import EYES, Calibration, CalibrationStore
from rove_teleop.device.mapping import DeviceMap
from rove_teleop.device.profile import load_device
from rove_teleop.scripted.hand import PINCH, hand
from rove_teleop.wire.client import OperatorClient
from rove_teleop.wire.messages import IDENTITY, Frame
from rove_teleop.wire.server import Client

SPEC = load_robot("g1_dex3")
EXO = load_device("exo_g1_dex3")
ANN = Calibration("ann", 1.60, 1.38)
HEAD = (0.0, 0.0, 1.60, 0.0, 0.0, 0.0, 1.0)
LEFT, RIGHT = (0.3, 0.2, 1.2, 0.0, 0.0, 0.0, 1.0), (0.3, -0.2, 1.2, 0.0, 0.0, 0.0, 1.0)
FRAME = Frame(
    sequence=5, lease=3, device_stamp_ns=11, head=HEAD, left_wrist=LEFT, right_wrist=RIGHT,
)  # fmt: skip
WHOLE = msgspec.structs.replace(
    FRAME, left_hand=hand(PINCH, "left"), right_hand=hand(PINCH, "right"),
    left_elbow=(0.1, 0.3, 1.1, 0.0, 0.0, 0.0, 1.0), left_elbow_tracked=True,
    device_joints=(0.1, -2.5),
)  # fmt: skip

WHOLE_UNMEASURED = msgspec.structs.replace(WHOLE, device_joints=())


def over_the_wire(message: OperatorFrame) -> OperatorFrame:
    return deserialize_message(serialize_message(message), type(message))


def test_a_whole_frame_survives_the_topic() -> None:
    """Elbows and measured joints exactly, hands to a float's 0.1 micrometre; absent ones stay
    absent."""
    back = convert.frame_contract(over_the_wire(convert.frame_message("ann", WHOLE, 99)))
    np.testing.assert_allclose(back.left_hand, WHOLE.left_hand, atol=1e-7)
    np.testing.assert_allclose(back.right_hand, WHOLE.right_hand, atol=1e-7)
    same = msgspec.structs.replace(back, left_hand=WHOLE.left_hand, right_hand=WHOLE.right_hand)
    assert same == WHOLE
    bare = convert.frame_contract(over_the_wire(convert.frame_message("ann", FRAME, 99)))
    assert bare == FRAME
    assert bare.left_elbow == IDENTITY


def test_a_device_is_told() -> None:
    """Everything of the hello, and the calibration, is in the message."""
    client = Client("ann", "exo_g1_dex3", b"key", ("a", "b"), "ann")
    message = over_the_wire(convert.device_message(client, ANN.to_json(), 7))
    assert (message.operator_id, message.device, message.calibration_name) == (
        "ann", "exo_g1_dex3", "ann",
    )  # fmt: skip
    assert list(message.joint_names) == ["a", "b"]
    assert Calibration.from_json(message.calibration) == ANN


class Teleop:
    """The node, with what it published."""

    def __init__(self, node: TeleopNode) -> None:
        self.node, self.targets = node, []
        joints = convert.joint_state_message(SPEC, SPEC.home, np.zeros(SPEC.size), 0)
        node._joints = SimpleNamespace(get=lambda: joints)
        node._commands = SimpleNamespace(get=lambda: None)
        node._targets = SimpleNamespace(publish=self.targets.append)
        node._state(ArbiterState(lease_holder="ann"))

    def hello(self, calibration: str, device: str = "quest3", joints: tuple = ()) -> None:
        client = Client("ann", device, b"key", joints, "ann")
        self.node._device(convert.device_message(client, calibration, 0))

    def show(self, frame: Frame, operator: str = "ann") -> JointTarget | None:
        self.targets.clear()
        now = self.node.get_clock().now().nanoseconds
        self.node._frame(convert.frame_message(operator, frame, now))
        return self.targets[-1] if self.targets else None


@pytest.fixture
def teleop(ros_domain: int) -> Iterator[Teleop]:
    rclpy.init(args=[])
    node = TeleopNode()
    yield Teleop(node)
    node.destroy_node()
    rclpy.shutdown()


def test_an_operator_drives_only_with_the_right_calibration(teleop: Teleop) -> None:
    """Unknown, missing, damaged and somebody else's calibration: every target is invalid and says
    why; with the right one it is valid. Frames of others are not answered."""
    squeezed = msgspec.structs.replace(FRAME, right_squeeze=1.0)

    def reason() -> str:
        target = teleop.show(squeezed)
        assert target is not None
        assert (target.valid, target.enabled) == (False, False)
        assert (target.lease, target.operator_sequence) == (3, 5)
        assert math.isnan(target.position_error)
        np.testing.assert_array_equal(target.position, SPEC.home)
        return str(target.reason)

    assert "device" in reason()
    teleop.hello("")
    assert "no calibration 'ann'" in reason()
    teleop.hello("{}")
    assert "measure it again" in reason()
    teleop.hello(ANN.to_json())
    assert teleop.show(squeezed, operator="bob") is None
    target = teleop.show(squeezed)
    assert target is not None
    assert target.valid, target.reason
    assert teleop.node._teleoperation._retargeter.scale.height == pytest.approx(
        teleop.node._teleoperation._size.eye_height / ANN.eye_height
    )
    assert teleop.node._teleoperation._retargeter.scale.reach == 1.0

    tall = msgspec.structs.replace(
        squeezed, head=(0.0, 0.0, ANN.eye_height / EYES + 0.3, *HEAD[3:])
    )
    operator = teleop.node._teleoperation._operators["ann"]
    assert operator.problem(tall, 0) == ""
    assert "wrong calibration" in operator.problem(tall, 600_000_000)
    assert "wrong calibration" in reason()


def test_nobody_goes_on_from_somebody_elses_origin(teleop: Teleop) -> None:
    """The lease changes hands while both squeeze: the new operator's first target is not enabled,
    and their second starts at the measured joints, wherever their hand is."""
    squeezed = msgspec.structs.replace(FRAME, right_squeeze=1.0)
    teleop.hello(ANN.to_json())
    for _ in range(3):
        target = teleop.show(squeezed)
    assert target is not None
    assert target.enabled
    teleop.node._device(
        convert.device_message(Client("bob", "quest3", b"key", (), "ann"), ANN.to_json(), 0)
    )
    teleop.node._state(ArbiterState(lease_holder="bob"))
    x, y, z, *turn = RIGHT
    elsewhere = msgspec.structs.replace(squeezed, right_wrist=(x + 0.1, y, z + 0.2, *turn))
    first, second = teleop.show(elsewhere, "bob"), teleop.show(elsewhere, "bob")
    assert first is not None
    assert second is not None
    assert first.valid
    assert not first.enabled
    assert second.enabled
    arm = SPEC.indices("right_arm")
    np.testing.assert_allclose(np.array(second.position)[arm], SPEC.home[arm], atol=1e-3)


def test_a_device_with_joints_is_followed_by_its_joints(teleop: Teleop) -> None:
    """With an exoskeleton the target is the leader's posture; with joints that its profile does
    not know the operator does not drive."""
    mapping = DeviceMap(EXO, SPEC, tuple(EXO.joints))
    worn = msgspec.structs.replace(
        FRAME, right_squeeze=1.0, left_squeeze=1.0,
        device_joints=tuple(mapping.device_values(SPEC.home)),
    )  # fmt: skip
    teleop.hello(ANN.to_json(), "exo_g1_dex3", ("tail",))
    target = teleop.show(worn)
    assert target is not None
    assert not target.valid
    assert "tail" in target.reason
    teleop.hello(ANN.to_json(), "exo_g1_dex3", tuple(EXO.joints))
    teleop.show(worn)
    target = teleop.show(worn)
    assert target is not None
    assert target.valid, target.reason
    assert target.enabled
    assert target.finger_error < 0.5
    before = teleop.node._teleoperation._operators["ann"]
    teleop.hello(ANN.to_json(), "exo_g1_dex3", tuple(EXO.joints))
    assert teleop.node._teleoperation._operators["ann"] is before  # told again is no new squeeze


@pytest.fixture
def bridge(
    ros_domain: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BridgeNode]:
    monkeypatch.setenv("ROVE_KEYS", str(tmp_path / "keys"))
    rclpy.init(args=["--ros-args", "-p", "address:=tcp://127.0.0.1:*"])
    node = BridgeNode()
    joints = convert.joint_state_message(SPEC, SPEC.home, np.zeros(SPEC.size), 0)
    node._joints = SimpleNamespace(get=lambda: joints)
    yield node
    node.close()
    node.destroy_node()
    rclpy.shutdown()


def test_the_bridge_tells_what_is_missing_until_it_is_there(bridge: BridgeNode) -> None:
    """An operator whose calibration is not on the robot's side reads so in the status; once it
    was measured, without a new connection, the notice is gone and the topic carries it."""
    told: list = []
    frames: list = []
    bridge._told = SimpleNamespace(publish=told.append)
    bridge._frames = SimpleNamespace(publish=frames.append)
    keys = ensure_local_keys()
    with OperatorClient(
        bridge._server.endpoint, keys.load("operator"), keys.public("bridge"), "ann", "quest3",
        calibration="ann",
    ) as client:  # fmt: skip
        notices: list[str] = []

        def until(done: Callable[[], bool]) -> None:
            end = time.monotonic() + 20.0
            while not done():
                assert time.monotonic() < end, (notices[-3:], told)
                client.send(WHOLE_UNMEASURED)
                bridge._poll()
                bridge._report()
                bridge._tell()
                status = client.receive().status
                notices.extend([status.notice] if status is not None else [])

        until(lambda: bool(notices) and "rove calibrate ann" in notices[-1])
        assert (told[-1].operator_id, told[-1].calibration) == ("ann", "")
        count = len(told)
        until(lambda: len(notices) > 5)
        assert len(told) == count  # only changes are told
        CalibrationStore().save(ANN)
        until(lambda: notices[-1] == "")
        assert Calibration.from_json(told[-1].calibration) == ANN
        assert len(frames[-1].left_hand) == 75
