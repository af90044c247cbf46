"""The simulated exoskeleton: it stands as its wearer does, and drives through a real bridge."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pinocchio as pin
import pytest

from rove.graph import build_graph, parse_arguments
from rove_core.arrays import FloatArray
from rove_core.errors import ConfigError
from rove_core.keys import KeyStore
from rove_core.robot import load_robot
from rove_core.vocabulary import Authority, Button, Mode, Stage
from rove_sim.operators.exo import ENCODER, SimulatedExo
from rove_sim.operators.motion import Reach
from rove_sim.operators.run import PersonArgs, calibration_of, main, make_exo
from rove_sim.operators.sight import Eyes
from rove_sim.tasks.plan import Waypoint, pose
from rove_teleop.device.admission import admit
from rove_teleop.device.follower import DeviceFollower
from rove_teleop.device.mapping import DeviceMap
from rove_teleop.device.profile import load_device
from rove_teleop.retarget.model import KinematicModel, robot_poses, to_pose
from rove_teleop.wire.messages import SQUEEZED, Frame, Status
from rove_teleop.wire.server import BridgeServer, Client

SPEC = load_robot("g1_dex3")
EXO = load_device("exo_g1_dex3")
MODEL = KinematicModel(SPEC)
DT = 1.0 / 72.0
BODY = pin.SE3(np.eye(3), np.array([0.3, -0.2, 0.75]))


def frame_of(wrists: dict[str, pin.SE3], head: pin.SE3, **change: float) -> Frame:
    return Frame(
        sequence=1, lease=0, device_stamp_ns=0, head=to_pose(BODY * head),
        left_wrist=to_pose(BODY * wrists["left"]), right_wrist=to_pose(BODY * wrists["right"]),
        **change,
    )  # fmt: skip


def moved(pose: pin.SE3, x: float, y: float, z: float, turn: float = 0.0) -> pin.SE3:
    return pin.SE3(
        pose.rotation @ pin.exp3(np.array([0.0, turn, 0.0])), pose.translation + np.array([x, y, z])
    )


def test_the_suit_stands_as_its_wearer_does() -> None:
    """While the wrists go 15 cm in 0.6 s, those of the leader are within 8 mm and 0.05 rad; what
    the sensors say is the posture within noise and encoder steps."""
    exo = SimulatedExo(SPEC, EXO, seed=1)
    q = MODEL.q_of(SPEC.home)
    start, head = MODEL.wrists(q), MODEL.head(q)
    ends = {"left": moved(start["left"], 0.05, 0.05, 0.1), "right": moved(
        start["right"], 0.1, 0.02, 0.1, 0.3)}  # fmt: skip
    reaches = {side: Reach(start[side], ends[side], 0.0, 0.6) for side in start}
    mapping = DeviceMap(EXO, SPEC, exo.joint_names)
    worst = np.zeros(2)
    for i in range(60):
        wrists = {side: reach.at(i * DT) for side, reach in reaches.items()}
        frame = exo.wear(frame_of(wrists, head), BODY, i * DT)
        worn = MODEL.wrists(MODEL.q_of(exo.posture))
        for side, wrist in wrists.items():
            off = pin.log6(worn[side].actInv(wrist)).vector
            worst = np.maximum(worst, [np.linalg.norm(off[:3]), np.linalg.norm(off[3:])])
        angles, reason = mapping.read(frame.device_joints)
        assert reason == ""
        near = 5.0 * 0.002 + ENCODER
        scale = np.array([EXO.joints[name].scale for name in exo.joint_names])
        assert (np.abs(angles - exo.posture[mapping.indices]) <= near * scale).all()
    assert worst[0] < 0.008
    assert worst[1] < 0.05


def test_gloves_close_with_the_trigger() -> None:
    """A pulled trigger closes the person's fingers at a person's speed, one hand only."""
    exo = SimulatedExo(SPEC, EXO)
    q = MODEL.q_of(SPEC.home)
    frame = frame_of(MODEL.wrists(q), MODEL.head(q), right_trigger=1.0)
    index = {s: SPEC.index(f"{s}_hand_index_0_joint") for s in ("left", "right")}
    path = []
    for i in range(72):
        exo.wear(frame, BODY, i * DT)
        path.append(exo.posture[index["right"]])
    assert exo.posture[index["right"]] == pytest.approx(
        SPEC.finger_closed["right_hand_index_0_joint"]
    )
    assert np.abs(np.diff(path)).max() < 0.05
    opened = SPEC.finger_open["left_hand_index_0_joint"]
    assert exo.posture[index["left"]] == pytest.approx(opened)


def test_a_robot_without_a_suit_is_a_clear_error() -> None:
    """No profile of an exoskeleton for the robot, or an unknown device, names what there is."""
    with pytest.raises(ConfigError, match="exo_g1_dex3"):
        make_exo(PersonArgs(robot="gr1t2_fourier", device="exo"))
    with pytest.raises(ConfigError, match="headset"):
        make_exo(PersonArgs(device="joystick"))
    assert make_exo(PersonArgs()) is None


class Robot:
    """Behind the bridge: an arbiter that hands the robot over, and joints that do as told."""

    def __init__(self) -> None:
        self.joints: FloatArray = np.array(SPEC.home)
        self.mode, self.followed, self.errors = Mode.AUTONOMOUS, 0, [0.0]
        self.refused: set[str] = set()
        self._follower: DeviceFollower | None = None

    def take(self, client: Client, frame: Frame) -> None:
        if self._follower is None:
            known = calibration_of(PersonArgs(operator_id="ann")).to_json()
            admission = admit(SPEC, client.device, client.joint_names, known)
            assert admission.problem == ""
            assert admission.mapping is not None
            self._follower = DeviceFollower(SPEC, admission.mapping)
        if frame.buttons & Button.TAKEOVER:
            self.mode = Mode.ALIGN
        stamp = frame.device_stamp_ns
        result = self._follower.update(frame, self.joints, stamp, stamp, self.joints)
        if not result.valid:
            self.refused.add(result.reason)
        if self.mode is Mode.ALIGN and result.valid and result.enabled:
            self.mode = Mode.HUMAN
        if self.mode is Mode.HUMAN and result.valid and result.enabled:
            self.joints = np.array(result.position)
            self.followed += 1
            self.errors.append(result.position_error)

    def status(self) -> Status:
        poses = robot_poses(MODEL, self.joints)
        return Status(
            stamp_ns=1, mode=self.mode, authority=Authority.POLICY, stage=Stage.ADAPTATION,
            reason="", lease=7, lease_holder="ann", position_error=0.0, orientation_error=0.0,
            head=poses.head, left_wrist=poses.left_wrist, right_wrist=poses.right_wrist,
            episode_id="one",
        )  # fmt: skip


def test_an_exoskeleton_drives_through_a_real_bridge(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Over real sockets with CURVE: the person takes over, aligns, squeezes, and the robot's wrist
    is where the leader's is; the right hand has closed with the glove; nothing is refused."""
    monkeypatch.setenv("ROVE_KEYS", str(tmp_path / "keys"))
    store = KeyStore()
    accepted = [store.ensure("operator").public]
    goal = Waypoint("reach", pose((0.42, -0.1, 0.15)), 1.0)
    eyes = Eyes((goal,), closure=1.0)
    stop, said, robot = threading.Event(), [], Robot()
    with BridgeServer(store.ensure("bridge"), accepted, SPEC.name) as server:
        args = PersonArgs(address=server.endpoint, operator_id="ann", takeover_at=0.2, device="exo")
        process = threading.Thread(
            target=lambda: main(args, lambda: eyes, stop.is_set, said.append)
        )
        process.start()
        try:
            end = time.monotonic() + 60.0
            frames = 0
            while robot.followed < 150:
                assert time.monotonic() < end, (said, robot.mode, robot.refused, server.counts)
                for client, frame in server.poll():
                    frames += 1
                    assert len(frame.device_joints) == len(client.joint_names) == len(EXO.joints)
                    assert client.device == "exo_g1_dex3"
                    assert client.calibration == "ann"
                    robot.take(client, frame)
                server.publish(robot.status())
                stop.wait(0.005)
        finally:
            stop.set()
            process.join(10.0)
    assert robot.mode is Mode.HUMAN
    assert set(server.counts) <= {"dropped", "late"}
    assert not robot.refused
    assert max(robot.errors) < 0.06
    assert frame.right_squeeze > SQUEEZED
    thumb = SPEC.index("right_hand_thumb_2_joint")
    assert robot.joints[thumb] == pytest.approx(
        SPEC.finger_closed["right_hand_thumb_2_joint"], abs=0.05
    )


def test_the_graph_starts_the_person_with_the_suit() -> None:
    """`operator:=exo` is the scripted person in the suit; the others wear a headset or nothing."""

    def operator(*words: str) -> dict[str, object]:
        nodes = build_graph(parse_arguments(list(words)), "g1")
        return next((dict(n.parameters) for n in nodes if n.name == "operator"), {})

    assert operator("operator:=exo")["device"] == "exo"
    assert operator()["device"] == "headset"
    assert operator("operator:=none") == {}
