"""How the scripted person's hand moves, and the person as a process in front of a real bridge."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pinocchio as pin
import pytest

from rove_core.keys import KeyStore
from rove_core.robot import load_robot
from rove_core.vocabulary import Authority, Button, Mode, Stage
from rove_sim.operators.motion import Reach, Tremor
from rove_sim.operators.person import Phase
from rove_sim.operators.run import PersonArgs, main
from rove_sim.operators.sight import Eyes
from rove_teleop.retarget.model import KinematicModel, robot_poses
from rove_teleop.wire.messages import Frame, Status
from rove_teleop.wire.server import BridgeServer

SPEC = load_robot("g1_dex3")
MODEL = KinematicModel(SPEC)


def test_a_reach_begins_and_ends_at_rest() -> None:
    """Minimum jerk: at its ends the pose is exact and the speed vanishes."""
    goal = pin.SE3(pin.exp3(np.array([0.2, 0.4, -0.3])), np.array([0.3, 0.1, -0.2]))
    reach = Reach.plan(pin.SE3.Identity(), goal, 5.0)
    assert np.allclose(reach.at(0.0).homogeneous, np.eye(4))
    assert np.allclose(reach.at(99.0).homogeneous, goal.homogeneous)
    for t in (reach.start_s, reach.start_s + reach.duration_s):
        near = reach.at(t - 0.005).translation - reach.at(t + 0.005).translation
        assert np.linalg.norm(near) / 0.01 < 0.01


def test_tremor_has_its_spread() -> None:
    """Over a long time each axis has the standard deviation it was made with."""
    tremor = Tremor(np.random.default_rng(0), 0.002, 0.01)
    shown = [tremor.step(1 / 72) for _ in range(20_000)]
    place = np.array([pose.translation for pose in shown])
    assert place.std(axis=0) == pytest.approx(0.002, rel=0.15)
    turn = np.array([pin.log3(pose.rotation) for pose in shown])
    assert turn.std(axis=0) == pytest.approx(0.01, rel=0.15)


def test_the_process_talks_to_a_real_bridge(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Over real sockets and with keys from the folder: the bridge hears a person who presses
    takeover when the robot is autonomous, and the process ends when it is told to."""
    monkeypatch.setenv("ROVE_KEYS", str(tmp_path))
    store = KeyStore()
    accepted = [store.ensure("operator").public]
    poses = robot_poses(MODEL, np.array(SPEC.home))
    status = Status(
        stamp_ns=1, mode=Mode.AUTONOMOUS, authority=Authority.POLICY, stage=Stage.ROLLOUT,
        reason="policy", lease=7, lease_holder="ann", position_error=0.0, orientation_error=0.0,
        head=poses.head, left_wrist=poses.left_wrist, right_wrist=poses.right_wrist,
        episode_id="one",
    )  # fmt: skip
    stop, said, statuses = threading.Event(), [], []
    with BridgeServer(store.ensure("bridge"), accepted, "g1_dex3") as server:
        args = PersonArgs(address=server.endpoint, operator_id="ann", takeover_at=0.2)
        process = threading.Thread(
            target=lambda: statuses.append(main(args, Eyes, stop.is_set, said.append))
        )
        process.start()
        try:
            frames: list[Frame] = []
            end = time.monotonic() + 20.0
            while not any(frame.buttons & Button.TAKEOVER for frame in frames):
                assert time.monotonic() < end, said
                frames += [frame for _, frame in server.poll()]
                server.publish(status)
                stop.wait(0.005)
        finally:
            stop.set()
            process.join(10.0)
    assert statuses == [0]
    assert frames[-1].lease == 7
    assert set(server.counts) <= {"dropped", "late"}  # a busy machine may delay, nothing is refused
    assert any(Phase.TAKE_OVER in line for line in said)
