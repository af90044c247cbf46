"""The pages of operator and supervisor in a real Chromium, on the running graph."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "system"))

from headset import Headset
from rove_msgs import srv
from supervisor import Console

from graph_harness import PATIENCE_S, PATIENT, RunningGraph, free_port
from rove import topics
from rove_core.bag.episode import read_episode
from rove_core.bag.reader import find_bags
from rove_core.bag.summary import summarise_bag
from rove_core.robot import load_robot
from rove_core.vocabulary import Authority, Mode, Outcome, Stage
from rove_teleop.webxr.invitation import Invitation, read_invitation

pytestmark = [pytest.mark.graph, pytest.mark.timeout(600)]
NAME = "ann"
SMALL = {"width": 320, "height": 240}
"""Pixels cost most of the time of such a browser."""
ARMS_OUT = """(() => {
  headset.controllers.left.position.set(-0.7, 1.4, 0);
  headset.controllers.right.position.set(0.7, 1.4, 0);
})()"""
TO_THE_GHOSTS = """(() => rove.ghosts.forEach(({ pose: [x, y, z, qx, qy, qz, qw] }, i) => {
  const hand = headset.controllers[['left', 'right'][i]];
  hand.position.set(-y, z, -x);
  hand.quaternion.set(-qy, qz, -qx, qw);
}))()"""
RAISE = """(async () => {
  const hand = headset.controllers.right, { x, y, z } = hand.position, began = performance.now();
  for (let done = 0; done < 1;) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    done = Math.min((performance.now() - began) / 1000, 1);
    hand.position.set(x, y + METRES * done, z);
  }
})()"""

TAP_X = """(async () => {
  const pressed = rove.link.sequence;
  headset.controllers.left.updateButtonValue('x-button', 1);
  while (rove.link.sequence < pressed + 2) await new Promise((resolve) => setTimeout(resolve, 5));
  headset.controllers.left.updateButtonValue('x-button', 0);
})()"""
"""In the page itself: by the time that a busy machine answers, a tap has become a hold."""


class Operator:
    """A person with a headset on. Whatever is asked is tried until it is so, and a HOLD that a slow
    machine caused is left, as a person would."""

    def __init__(self, graph: RunningGraph, page: Headset) -> None:
        self.graph, self.probe, self.page = graph, graph.probe, page

    @property
    def state(self) -> Any:
        """What the arbiter said last."""
        return self.probe.state

    def until(self, what: str, done: Callable[[], Any], act: Callable[[], None]) -> None:
        """Act again and again until something is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            says = f"{Mode(self.state.mode).name} ({self.state.reason})"
            assert time.monotonic() < deadline, f"in vain: {what}; the arbiter says {says}"
            if self.state.mode == Mode.HOLD:
                self.graph.leave_hold()
            else:
                act()

    def press(self, side: str, name: str, done: Callable[[], Any]) -> None:
        """Press a button until something is so, for a second at most."""
        self.page.button(side, name, 1)
        self.probe.hears(done, 1.0)
        self.page.button(side, name, 0)

    def frames(self, count: int) -> None:
        """Wait until the page has made frames, so has looked at the buttons."""
        self.page.until(f"rove.link.sequence >= {self.page.run('rove.link.sequence') + count}")

    def ask(self, choice: str, done: Callable[[], Any]) -> None:
        """Choose with X, then do it by holding X."""

        def act() -> None:
            for _ in range(20):
                if self.page.run("rove.chosen") == choice:
                    break
                self.page.run(TAP_X)
                self.frames(2)
            else:
                return
            self.page.button("left", "x-button", 1)
            self.probe.hears(done, 3.0)
            self.page.button("left", "x-button", 0)

        self.until(choice, done, act)

    def drives(self) -> bool:
        """Whether the robot follows the operator."""
        return bool(self.state.mode == Mode.HUMAN and self.state.authority == Authority.HUMAN)

    def drive(self) -> None:
        """Take over, bring the hands to the ghosts, squeeze."""

        def act() -> None:
            if self.state.mode not in (Mode.ALIGN, Mode.CLUTCH, Mode.HUMAN):
                mode = self.state.mode
                self.press("left", "y-button", lambda: self.state.mode != mode)
                return
            for side in ("left", "right"):
                self.page.button(side, "squeeze", 0)
            self.probe.hears(lambda: self.state.mode != Mode.HUMAN, 1.0)
            self.page.until(f"rove.status.mode === {int(self.state.mode)}")
            self.page.run(TO_THE_GHOSTS)
            self.probe.hears(lambda: self.state.position_error < 0.1, 1.0)
            for side in ("left", "right"):
                self.page.button(side, "squeeze", 1)
            self.probe.hears(self.drives, 2.0)

        self.until("the robot follows", self.drives, act)

    def move(self, metres: float) -> None:
        """Raise the right hand; the robot's goes along at least half as far."""
        height = "rove.status.right_wrist[2]"
        before = self.page.run(height)
        self.page.run(RAISE.replace("METRES", str(metres)))
        sign = 1 if metres > 0 else -1
        self.page.until(f"{sign} * ({height} - {before}) > {abs(metres) / 2}")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGraph]:
    """The whole graph, its pages, and nobody else."""
    graph = RunningGraph(
        tmp_path_factory.mktemp("pages"),
        limits=PATIENT,
        operator="wire",
        lab="none",
        page=f"https://127.0.0.1:{free_port()}",
        console=f"http://127.0.0.1:{free_port()}",
    )
    try:
        graph.probe.wait("an arbiter", lambda: graph.probe.state)
        yield graph
    finally:
        graph.close()


def invited(graph: RunningGraph) -> Invitation:
    """Wait until the bridge serves its page."""
    return graph.probe.wait("an invitation", lambda: read_invitation(graph.keys))  # type: ignore[no-any-return]


def calibrate(graph: RunningGraph, page: Headset) -> None:
    """Stand in the neutral pose while ``rove calibrate`` looks."""
    page.run(ARMS_OUT)
    command = [str(Path(sys.executable).with_name("rove")), "calibrate", NAME, "--operator", NAME]
    done = subprocess.run(
        command, env=graph.environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_intervention_by_the_page(graph: RunningGraph) -> None:
    """From the pairing code to a bag: enter VR, be measured, start a rollout, take over, align,
    move, mark recovery, hand back, lose a hand, lose the network, close the tab."""
    with Headset() as page:
        invitation = invited(graph)
        page.open(invitation.address, **SMALL)
        page.pair(NAME, invitation.code)
        page.until("rove.status !== null")
        page.enter()
        ann = Operator(graph, page)
        why = "document.getElementById('why').textContent"
        page.until("rove.status.lease_holder === 'ann'")
        page.until(f"{why}.includes('rove calibrate ann')")
        calibrate(graph, page)
        page.until("rove.status.notice === ''")

        said = "document.getElementById('granted').textContent"
        ann.ask("reset", lambda: page.run(f"{said}.includes('laid out')"))
        ann.ask("rollout", lambda: ann.state.episode_id)
        graph.wait("half a second of the policy", lambda: policy_drove(ann.state))

        ann.drive()
        assert ann.state.stage == Stage.ADAPTATION
        ann.move(0.1)
        ann.until(
            "recovery",
            lambda: ann.drives() and ann.state.stage == Stage.RECOVERY,
            lambda: mark_recovery(ann),
        )
        ann.move(-0.1)
        pulses = page.run("rove.pulses")
        assert pulses > 0
        graph.wait("a ledger of frames", lambda: told(graph, "operator to robot", "device"))
        graph.wait("one of pictures", lambda: told(graph, "camera to operator", "camera_to_eye"))
        ann.until(
            "the policy drives again",
            lambda: ann.state.authority == Authority.POLICY,
            lambda: hand_back(ann),
        )
        page.until(f"rove.pulses > {pulses}")

        ann.drive()
        page.run("headset.controllers.right.connected = false")
        page.until(f"{why}.includes('right hand is lost') || {why}.includes('robot holds')")
        page.run("headset.controllers.left.connected = false")
        graph.probe.wait("the robot to stop", lambda: ann.state.authority == Authority.HOLD)
        page.run("for (const side of ['left', 'right']) headset.controllers[side].connected = true")

        ann.drive()
        page.run("rove.link.socket.close()")
        page.until("rove.link.state !== 'paired'")
        page.until("rove.link.state === 'paired' && rove.status?.lease_holder === 'ann'")

        ann.drive()
        assert page.do("problems") == []
        closed = time.monotonic()
        page.do("shut")
        _, state = graph.probe.wait_mode(Mode.HOLD, closed)
        assert NAME in state.reason
        graph.probe.wait("the lease to end", lambda: not ann.state.lease_holder)
    end_episode(graph)


def test_the_example_of_the_docs(graph: RunningGraph) -> None:
    """The client of docs/how-to/write-a-client.md, as it stands there, earns the lease."""
    page = Path(__file__).parents[2] / "docs/how-to/write-a-client.md"
    (example,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(example.splitlines()) <= 30
    client = subprocess.Popen(
        [sys.executable, "-c", example, graph.given.bridge, "operator", "suit"],
        env=graph.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        graph.wait("the lease", lambda: graph.probe.state.lease_holder == "suit")  # type: ignore[union-attr]
        assert client.stdout is not None
        # None was calibrated under that name, and the robot says so.
        assert any("rove calibrate suit" in line for line in iter(client.stdout.readline, ""))
    finally:
        client.kill()
        client.wait()


def policy_drove(state: Any) -> bool:
    """Whether the policy has driven for half a second of robot time."""
    stamp, since = state.header.stamp, state.since
    seconds = stamp.sec - since.sec + (stamp.nanosec - since.nanosec) / 1e9
    return bool(state.mode == Mode.AUTONOMOUS and seconds > 0.5)


def told(graph: RunningGraph, way: str, leg: str) -> bool:
    """Whether the latency ledger has times of a leg."""
    return any(leg in values for _, _, values in graph.probe.health.get(f"latency, {way}", []))


def mark_recovery(ann: Operator) -> None:
    """Press A while driving."""
    ann.drive()
    ann.press("right", "a-button", lambda: ann.state.stage == Stage.RECOVERY)


def hand_back(ann: Operator) -> None:
    """Press B, or resume where the robot was paused meanwhile."""
    if ann.state.mode in (Mode.ALIGN, Mode.HUMAN, Mode.CLUTCH):
        ann.press("right", "b-button", lambda: ann.state.mode == Mode.HANDBACK)
    ann.probe.hears(lambda: ann.state.mode == Mode.AUTONOMOUS, 2.0)


def end_episode(graph: RunningGraph) -> None:
    """Judge the episode as a person beside the robot and wait for its bag."""
    request = srv.StopEpisode.Request(outcome=int(Outcome.FAILURE), reason="the operator left")
    assert graph.probe.call(srv.StopEpisode, topics.STOP_EPISODE, request).success
    graph.probe.wait("a bag", lambda: find_bags(graph.bags))


def test_the_bag_shows_the_stages(graph: RunningGraph) -> None:
    """What the page did is in the bag: the policy's rollout, then a person's adaptation and
    recovery, then the policy again."""
    (path,) = find_bags(graph.bags)
    episode = read_episode(path, load_robot("g1_dex3"))
    for stage in (Stage.ROLLOUT, Stage.ADAPTATION, Stage.RECOVERY):
        assert (episode.stage == stage).sum() >= 5, stage
    human = np.isin(episode.stage, [Stage.ADAPTATION, Stage.RECOVERY])
    assert set(episode.authority[human]) == {Authority.HUMAN}
    modes = summarise_bag(path).modes
    for mode in (Mode.AUTONOMOUS, Mode.ALIGN, Mode.HUMAN, Mode.HANDBACK, Mode.HOLD):
        assert mode in modes, modes


def test_a_supervisor_presses(graph: RunningGraph) -> None:
    """Start with task and instruction, pause, resume, success, e-stop, reset: each press reaches
    the arbiter with the person's name, and the page shows what the arbiter says."""
    ready = lambda: any("console: http" in line for line in tuple(graph.lines))  # noqa: E731
    graph.probe.wait("the console", ready)
    with Headset() as page:
        page.open(graph.given.console, headset=False, lazy=True, width=640, height=480)
        page.until("!!document.querySelector('[data-card=status] [data-mode]')")
        console = Console(graph, page)
        console.write("Your name", "Ada")
        console.write("Task", "erase_whiteboard")
        console.write("Instruction", "erase the red stroke")
        console.press("Start episode", lambda: console.state.episode_id)
        episode = console.state.episode_id
        graph.wait("the policy to drive", lambda: console.state.mode == Mode.AUTONOMOUS)
        page.until("document.body.innerText.includes('rollout: erase the red stroke')")

        console.press("Pause", lambda: console.state.mode == Mode.PAUSED)
        assert "Ada" in console.state.reason
        console.shows(Mode.PAUSED)
        driving = (Mode.HANDBACK, Mode.AUTONOMOUS)
        console.press("Resume", lambda: console.state.mode in driving, held=True)

        console.press("Success", lambda: not console.state.episode_id, held=True)
        ended = graph.probe.wait("news of the end", lambda: graph.probe.ended)
        assert (ended.episode_id, ended.outcome) == (episode, Outcome.SUCCESS)
        assert "Ada" in ended.reason

        console.press("E-STOP", lambda: console.state.mode == Mode.ESTOP, held=True)
        assert "Ada at the console" in console.state.reason
        console.shows(Mode.ESTOP)
        console.press("Reset e-stop", lambda: console.state.mode == Mode.HOLD, held=True)
        console.shows(Mode.HOLD)
        assert page.do("problems") == []
