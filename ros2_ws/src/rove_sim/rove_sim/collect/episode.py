"""One episode in lock step: lay out, get ready, start, watch, judge, close the bag."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rove_core.action import NS
from rove_core.bag.recording.session import TAIL_SECONDS, Identity
from rove_core.errors import ConfigError, RoveError
from rove_core.robot import RobotSpec, load_robot
from rove_core.vocabulary import EpisodeKind, Mode, Outcome, Stage
from rove_policy.runner import Policy
from rove_policy.slot import PolicySlot
from rove_sim.collect.stack import LockStep, Operator
from rove_sim.collect.tape import Tape
from rove_sim.judge import Judge
from rove_sim.labels import LabelNoise, label_chance
from rove_sim.operators.run import PersonArgs, calibration_of, device_name, make_exo, make_person
from rove_sim.operators.skill import SKILLS
from rove_sim.robot import SimulatedRobot
from rove_sim.world import World
from rove_teleop.arbiter.inputs import Pause, Request, StartEpisode, StopEpisode
from rove_teleop.retarget.model import KinematicModel

PERSON = "simulated lab"
START_NS = 1_000 * NS
"""Robot time at which every episode's world begins; 0 would read as "no clock"."""
READY_S = 5.0
"""An operator has the lease after 0.5 s; who has not by then never gets it."""
HELD_S = 2.0
"""A fault that lasts longer is looked at: the lab's person resumes."""
NOBODY = "none"


@dataclass(frozen=True)
class Plan:
    """What every episode of a collection has in common.

    Attributes:
        task: name of the task.
        policy: ONNX file, None: demonstrations.
        operator: skill of the operator, ``none``: nobody helps.
        robot: robot profile.
        device: ``headset`` or ``exo``.
        instruction: "" lets the seed decide.
        variation, start_spread: 0 (plain lab) to 1, see ``World``.
        stall, takeover_at: s, see ``TakeoverRule``; negative: off.
        goal: progress at which the operator hands back.
        longest: s of robot time.
        advantage_high: the condition that the policy is given.
        labels: how unreliable the outcome's label and the operator's marks are.
    """

    task: str
    policy: Path | None = None
    operator: str = "skilled"
    robot: str = "g1_dex3"
    device: str = "headset"
    instruction: str = ""
    variation: float = 0.0
    start_spread: float = 0.0
    stall: float = 4.0
    takeover_at: float = -1.0
    goal: float = 1.0
    longest: float = 40.0
    labels: LabelNoise = field(default_factory=LabelNoise)

    def __post_init__(self) -> None:
        if self.operator not in (*SKILLS, NOBODY):
            raise ConfigError("operator", self.operator, (*SKILLS, NOBODY), "collection")
        if self.policy is None and self.operator == NOBODY:
            raise ConfigError("operator", NOBODY, "a skill, or a policy that drives", "collection")
        if not 0.0 <= self.goal <= 1.0:
            raise ConfigError("goal", self.goal, "0 to 1", "collection")
        if not 1.0 <= self.longest <= 3600.0:
            raise ConfigError("longest", self.longest, "1 to 3600 s", "collection")

    @property
    def kind(self) -> EpisodeKind:
        """Of the episodes."""
        return EpisodeKind.DEMONSTRATION if self.policy is None else EpisodeKind.ROLLOUT

    def described(self) -> Mapping[str, Any]:
        """Return it as parameters of a bag."""
        words = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return words | {"policy": str(self.policy or "none"), "labels": vars(self.labels)}


@dataclass(frozen=True)
class Episode:
    """What became of one episode.

    Attributes:
        seed: of the scene and of the operator.
        bag: its folder.
        outcome: the label; ``truth`` is the physics' verdict.
        seconds: robot time from start to end.
        progress: 0..1 at the end.
        stages: stage -> s of it.
        takeovers: how often the operator took over.
        holds: faults of the arbiter; a healthy collection has none.
        cpu_s: what it cost.
    """

    seed: int
    bag: Path
    outcome: Outcome
    truth: Outcome
    seconds: float
    progress: float
    stages: Mapping[Stage, float]
    takeovers: int
    holds: int
    cpu_s: float = 0.0


class Collector:
    """Runs episodes of a plan one after the other; keeps what does not change between them.

    Args:
        plan: what to collect.
        out: folder of the bags.
        revision: of the code, for the bags.

    Attributes:
        plan, spec, world: as given; the robot and the lab they name.

    Raises:
        ConfigError: unknown task, robot, device, or no profile of the device for the robot.
        PolicyError: the policy does not fit.
    """

    def __init__(self, plan: Plan, out: Path, revision: str = "") -> None:
        self.plan, self._out = plan, out
        out.mkdir(parents=True, exist_ok=True)
        self.spec: RobotSpec = load_robot(plan.robot)
        self.world = World(
            self.spec, plan.task, variation=plan.variation, start_spread=plan.start_spread
        )
        self._model = KinematicModel(self.spec)
        self._policy = Policy.load(plan.policy, self.spec) if plan.policy is not None else None
        self._identity = Identity(
            self.spec,
            f"/{self.spec.name}",
            {"collect": json.loads(json.dumps(plan.described()))},
            revision,
        )
        self._epoch_base = _epoch_base(plan, self._policy.digest if self._policy else "")
        self._operator(0)  # what is wrong with it is wrong now

    def close(self) -> None:
        """Free the graphics context."""
        self.world.close()

    def run(self, seed: int, on_tick: Callable[[LockStep], None] = lambda _: None) -> Episode:
        """Run and record one episode; the seed decides all of it.

        Args:
            seed: of the scene and of the operator.
            on_tick: called after every tick, to look at the episode.

        Raises:
            ConfigError: an instruction that the task does not know.
            BagError: the bag cannot be written.
            RoveError: the arbiter refuses to start.
        """
        plan = self.plan
        robot = SimulatedRobot(self.world, START_NS)
        instruction = robot.reset(seed, plan.instruction or None)
        slot = PolicySlot(self.spec)
        if self._policy is not None:
            slot.adopt(self._policy)
        tape = Tape(self._out, self._identity)
        stack = LockStep(
            robot, self._model, slot, self._operator(seed), self._epoch_base + seed, tape,
            str(plan.policy or ""),
        )  # fmt: skip
        while not stack.ready:
            stack.advance()
            if stack.now_ns - START_NS > READY_S * NS:
                raise RoveError(f"seed {seed}: no episode can start: {_reason(stack)}")
        started = StartEpisode(plan.kind, plan.task, instruction, seed, PERSON)
        stack.advance((started,))
        assert stack.tick is not None
        answer = stack.tick.decision.answers[0]
        if not answer.success:
            raise RoveError(f"seed {seed}: the arbiter does not start: {answer.message}")
        return self._watch(stack, tape, seed, on_tick)

    def _watch(
        self, stack: LockStep, tape: Tape, seed: int, on_tick: Callable[[LockStep], None]
    ) -> Episode:
        plan, began_ns = self.plan, stack.now_ns
        judge = Judge(plan.kind, plan.longest)
        stages: dict[Stage, float] = {}
        takeovers = holds = 0
        held_since: float | None = None
        verdict: tuple[Outcome, str] | None = None
        before = stack.mode
        while verdict is None:
            requests: tuple[Request, ...] = ()
            if held_since is not None and stack.now_s - held_since > HELD_S:
                requests, held_since = (Pause(False, PERSON),), stack.now_s
            sensed = stack.advance(requests)
            on_tick(stack)
            assert stack.tick is not None
            decision, mode = stack.tick.decision, stack.mode
            if decision.stage is not Stage.NONE:
                step_s = self.world.timestep_s
                stages[decision.stage] = stages.get(decision.stage, 0.0) + step_s
            takeovers += mode is Mode.ALIGN and before is not Mode.ALIGN
            holds += mode is Mode.HOLD and before is not Mode.HOLD
            held_since = (held_since or stack.now_s) if mode is Mode.HOLD else None
            before = mode
            if sensed.look:
                passed_s = (stack.now_ns - began_ns) / NS
                outcome = self.world.task.status().outcome
                verdict = judge.look(passed_s, stack.now_s, outcome, mode)
        truth, reason = verdict
        status = self.world.task.status()
        label = plan.labels.outcome(truth, label_chance(seed))
        seconds = (stack.now_ns - began_ns) / NS
        stack.advance((StopEpisode(label, reason),))
        end_ns = stack.now_ns + round((TAIL_SECONDS + 0.2) * NS)
        while tape.closed is None and stack.now_ns < end_ns:
            stack.advance()
        tape.close()
        if tape.closed is None:
            raise RoveError(f"seed {seed}: its bag was not closed")
        return Episode(
            seed, tape.closed, label, truth, seconds, status.progress, stages, takeovers, holds
        )

    def _operator(self, seed: int) -> Operator | None:
        plan = self.plan
        if plan.operator == NOBODY:
            return None
        args = PersonArgs(
            robot=plan.robot, operator_id=f"simulated_{plan.operator}", seed=seed,
            takeover_at=plan.takeover_at, stall=plan.stall, goal=plan.goal,
            skill=plan.operator, device=plan.device, labels=plan.labels,
        )  # fmt: skip
        exo = make_exo(args)
        return Operator(make_person(args), args.operator_id, device_name(exo),
                        calibration_of(args), exo)  # fmt: skip


def _epoch_base(plan: Plan, policy_digest: str) -> int:
    """Return a number that tells collections apart, with room for a million seeds below it.

    Episode ids begin with the epoch. Two collections of other policies, people or settings must
    not share them; the same one repeated gives the same bags.
    """
    said = dict(plan.described()) | {"policy": policy_digest}  # not where its file lies
    words = json.dumps(said, sort_keys=True)
    mark = int.from_bytes(hashlib.sha256(words.encode()).digest()[:4], "big") % 900_000
    return (100_000 + mark) * 10_000_000


def _reason(stack: LockStep) -> str:
    return stack.tick.decision.reason if stack.tick is not None else "no tick yet"
