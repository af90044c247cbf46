"""LockStep: simulated robot, operator, retargeting, arbiter, policy and recorder, tick by tick.

One tick is 5 ms of robot time, the arbiter's 200 Hz. Within a tick everything happens in the order
of the data flow, and what is sent in a tick arrives in it or in the next one. Each part is the
library that its node runs; what crosses a topic of the graph is recorded as it is there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import msgspec

from rove_core.action import NS
from rove_core.arrays import FloatArray
from rove_core.bag.record import JointStates
from rove_core.bag.schema import camera_topic
from rove_core.vocabulary import Button, EpisodeChange, Mode, PolicyState
from rove_policy.proposer import Proposal, Proposer
from rove_policy.slot import PolicySlot
from rove_sim.collect import encode
from rove_sim.collect.tape import Tape
from rove_sim.operators.exo import SimulatedExo
from rove_sim.operators.eyes import eyes_of
from rove_sim.operators.person import ScriptedPerson
from rove_sim.operators.run import RATE_HZ
from rove_sim.operators.sight import Eyes, Seen
from rove_sim.robot import Sensed, SimulatedRobot
from rove_teleop.arbiter.arbiter import Arbiter, Tick
from rove_teleop.arbiter.desk import ArbiterDesk
from rove_teleop.arbiter.inputs import JointSample, OperatorSample, Request, TargetSample
from rove_teleop.calibration import Calibration
from rove_teleop.retarget.model import KinematicModel
from rove_teleop.teleoperation import Teleoperation
from rove_teleop.wire.check import FrameChecker
from rove_teleop.wire.messages import Status
from rove_teleop.wire.status import STATUS_S, operator_status

FRAME_NS = round(NS / RATE_HZ)
UNKNOWN_ERRORS = (math.nan, math.nan, math.nan, math.nan)


@dataclass
class Operator:
    """Who sits at the other end of the wire: a person, what they wear, and their size."""

    person: ScriptedPerson
    operator_id: str
    device: str
    calibration: Calibration
    exo: SimulatedExo | None = None
    sequence: int = 0
    checker: FrameChecker = field(default_factory=FrameChecker)

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Joints that the device measures, in order."""
        return self.exo.joint_names if self.exo is not None else ()


class LockStep:
    """One episode's worth of the graph; make a new one for each.

    Args:
        robot: with the trial laid out.
        model: kinematics of it; may be shared between episodes.
        slot: with the policy that drives, or with none.
        operator: None: nobody.
        epoch: of the arbiter.
        tape: gets every message.
        policy_path: for the policy's status.
    """

    def __init__(
        self,
        robot: SimulatedRobot,
        model: KinematicModel,
        slot: PolicySlot,
        operator: Operator | None,
        epoch: int,
        tape: Tape,
        policy_path: str = "",
    ) -> None:
        spec = robot.world.spec
        self._spec, self._robot, self._model, self._tape = spec, robot, model, tape
        self._slot, self._operator, self._epoch = slot, operator, epoch
        self._desk = ArbiterDesk(Arbiter(spec, epoch))
        self._desk.policy(slot.digest, approved=True)
        self._teleoperation = Teleoperation(spec)
        self._proposer = Proposer(spec, slot, timer=lambda: 0.0)
        self._policy_path = policy_path
        self._policy_told: tuple[object, ...] = ()
        self._policy_due_ns = 0
        self._joint_states = JointStates(spec.joint_names)
        self._joints: FloatArray = robot.world.joint_positions()
        self._commanded: FloatArray | None = None
        self._errors = UNKNOWN_ERRORS
        self._status: Status | None = None
        self._status_due_ns = 0
        self._frame_due_ns = robot.now_ns
        self._state: tuple[Any, int] | None = None  # decision as told last, and when
        self._mode: Mode | None = None  # in the status that the operator got last
        self._episode_id, self._instruction = "", ""
        self.eyes: Eyes = eyes_of(robot.world)
        self.tick: Tick | None = None
        if operator is not None:
            self._introduce(operator)
        self._tell_policy()

    @property
    def now_ns(self) -> int:
        """Robot time, ns."""
        return self._robot.now_ns

    @property
    def now_s(self) -> float:
        """Robot time, s; every clock of the lock step."""
        return self._robot.now_ns / NS

    @property
    def mode(self) -> Mode:
        """Of the arbiter."""
        return self.tick.decision.mode if self.tick is not None else Mode.HOLD

    @property
    def ready(self) -> bool:
        """The arbiter waits for an episode and the operator, if there is one, has the lease."""
        if self.tick is None or self.mode is not Mode.IDLE:
            return False
        return self._operator is None or bool(self.tick.decision.lease_holder)

    def advance(self, requests: tuple[Request, ...] = ()) -> Sensed:
        """Go on by one tick."""
        sensed = self._robot.step()
        self._sense(sensed)
        if self._operator is not None and self.now_ns >= self._frame_due_ns:
            self._frame_due_ns += FRAME_NS
            self._operate(self._operator)
        self._arbitrate(requests)
        self._tape.tend(self.now_ns)
        return sensed

    def _sense(self, sensed: Sensed) -> None:
        stamp_ns = sensed.stamp_ns
        if sensed.joints is not None:
            position, velocity = sensed.joints
            self._joints = position
            cdr = self._joint_states.serialize(stamp_ns, position, velocity)
            self._tape.put("joint_states", cdr, stamp_ns)
            self._desk.joints = JointSample(position, stamp_ns)
            self._propose(self._proposer.joints(stamp_ns, position))
        for name, jpeg in sensed.pictures.items():
            self._tape.put(camera_topic(name), encode.picture(name, jpeg, stamp_ns), stamp_ns)
            self._propose(self._proposer.picture(name, stamp_ns, jpeg))
        if sensed.look:
            self.eyes = eyes_of(self._robot.world)
        if stamp_ns >= self._policy_due_ns:
            self._policy_told = ()
        self._tell_policy()

    def _propose(self, proposal: Proposal | None) -> None:
        if proposal is not None:
            self._tape.put("policy/chunk", encode.action_chunk(proposal), self.now_ns)
            self._desk.chunks.append(proposal.chunk)

    def _tell_policy(self) -> None:
        """Tell the policy's status on change and once a second, as its node does."""
        state, reason = PolicyState.NO_POLICY, "no policy is loaded"
        if self._slot.policy is not None:
            running = bool(self._proposer.instruction) and not self._proposer.waiting
            state = PolicyState.RUNNING if running else PolicyState.WAITING
            idle = "" if self._proposer.instruction else "no episode"
            reason = self._proposer.waiting or idle
        told = (state, reason, self._proposer.instruction)
        if told == self._policy_told:
            return
        self._policy_told, self._policy_due_ns = told, self.now_ns + NS
        cdr = encode.policy_status(
            state, self._slot.digest, True, self._policy_path, reason,
            self._proposer.instruction, 0.0, self.now_ns,
        )  # fmt: skip
        self._tape.put("policy/status", cdr, self.now_ns)

    def _introduce(self, operator: Operator) -> None:
        """Tell of the operator's device, as the bridge does when somebody connects."""
        words = (
            operator.operator_id, operator.device, operator.joint_names,
            operator.calibration.name, operator.calibration.to_json(),
        )  # fmt: skip
        self._teleoperation.meet(*words)
        cdr = encode.operator_device(*words, self.now_ns)
        self._tape.put("operator/device", cdr, self.now_ns)

    def _operate(self, operator: Operator) -> None:
        """Let the operator send one frame; bridge and teleoperation take it."""
        now_ns, now_s = self.now_ns, self.now_s
        frame = operator.person.step(now_s, Seen(self._see(), self.eyes))
        if operator.exo is not None:
            frame = operator.exo.wear(frame, operator.person.body, now_s)
        operator.sequence += 1
        frame = msgspec.structs.replace(frame, sequence=operator.sequence, device_stamp_ns=now_ns)
        accepted, _ = operator.checker.check(frame, now_ns)
        if accepted is None:
            return
        cdr = encode.operator_frame(operator.operator_id, accepted, now_ns)
        self._tape.put("operator/frame", cdr, now_ns)
        self._desk.frames.append(
            OperatorSample(
                operator.operator_id, accepted.lease, accepted.sequence, now_ns,
                Button(accepted.buttons), accepted.left_squeeze, accepted.right_squeeze,
            )
        )  # fmt: skip
        result = self._teleoperation.take(
            operator.operator_id, accepted, self._joints, now_ns, now_ns, self._commanded
        )
        if result is None:
            return
        self._errors = (
            result.position_error, result.orientation_error,
            result.finger_error, result.head_error,
        )  # fmt: skip
        self._tape.put("teleop/target", encode.joint_target(result, accepted, now_ns), now_ns)
        self._desk.targets.append(
            TargetSample(
                accepted.lease, accepted.sequence, now_ns, result.valid, result.enabled,
                result.position, result.reason, result.position_error, result.orientation_error,
            )
        )  # fmt: skip

    def _see(self) -> Status | None:
        """Return the newest status of the bridge."""
        if self._state is None:
            return None
        decision, told_ns = self._state
        if self.now_ns >= self._status_due_ns or decision.mode is not self._mode:
            self._mode = decision.mode
            self._status_due_ns = self.now_ns + round(STATUS_S * NS)
            self._status = operator_status(
                decision, told_ns, self._model.poses(self._joints), self._errors,
                self._desk.question(decision), self._episode_id, self._instruction,
            )  # fmt: skip
        return self._status

    def _arbitrate(self, requests: tuple[Request, ...]) -> None:
        now_ns = self.now_ns
        turned = self._desk.tick(now_ns, self.now_s, requests)
        tick, decision = turned.tick, turned.tick.decision
        self.tick = tick
        if tick.position is not None and tick.provenance is not None:
            cdr = encode.joint_command(tick.position, tick.provenance, now_ns)
            self._tape.put("joint_command", cdr, now_ns)
            self._commanded = tick.position
            self._robot.command(tick.position, tick.provenance.epoch, tick.provenance.sequence)
        for handover in tick.handovers:
            cdr = encode.handover_of(handover, self._spec, self._epoch, now_ns)
            self._tape.put("arbiter/handover", cdr, now_ns)
        for news in decision.episodes:
            self._tape.put("episode", encode.episode_event(news, now_ns), now_ns)
            running = news.change is EpisodeChange.STARTED
            self._episode_id = news.episode.episode_id if running else ""
            self._instruction = news.episode.instruction if running else ""
            self._proposer.episode(self._instruction)
        if turned.tell:
            self._state = (decision, now_ns)
            self._teleoperation.holder = decision.lease_holder
            question = self._desk.question(decision)
            cdr = encode.arbiter_state(decision, self._epoch, question, now_ns)
            self._tape.put("arbiter/state", cdr, now_ns)
