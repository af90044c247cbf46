"""Laws that hold whatever happens: random people, faults, clocks and messages."""

from __future__ import annotations

from dataclasses import replace

from arbiter_world import DEMONSTRATION, DT, NS, ROLLOUT, STOP, World
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from rove_core.vocabulary import Authority, Button, Mode, Stage
from rove_teleop.arbiter.decision import Decision
from rove_teleop.arbiter.inputs import (
    EmergencyStop,
    ForceLease,
    Inputs,
    Pause,
    Request,
    ResetEmergencyStop,
)
from rove_teleop.arbiter.machine import step
from rove_teleop.arbiter.timeouts import Timeouts
from rove_teleop.arbiter.transitions import ALLOWED, Event

LIMITS = Timeouts()
PRESSES = {
    Event.START,
    Event.TAKEOVER,
    Event.TAKEOVER_REFUSED,
    Event.PAUSE,
    Event.RESUME,
    Event.HAND_BACK,
}
"""Events after which the policy may drive only from a newer observation."""

REQUESTS: list[Request] = [
    Pause(True),
    Pause(False),
    ForceLease("eve"),
    ForceLease("bob"),
    ForceLease(""),
    EmergencyStop("a test"),
    ResetEmergencyStop("Ada"),
    ROLLOUT,
    DEMONSTRATION,
    STOP,
]


class AnyDay(RuleBasedStateMachine):
    """Switches everything in the world at random and checks the laws after every tick."""

    @initialize(mode=st.sampled_from(list(Mode)))
    def begin(self, mode: Mode) -> None:
        """Start from any mode: each is reachable by what people do."""
        self.world = World().to(mode)
        self.world.operator("bob").sending = False
        self.seen_chunks: dict[int, int] = {}
        self.press_ns = max((t.ros_ns for t in self.world.history if t.event in PRESSES), default=0)
        self.robot_seen = self.frame_seen = self.world.now
        self.before = self.world.told

    # ---- what may happen ----

    @rule(request=st.sampled_from(REQUESTS))
    def ask(self, request: Request) -> None:
        self.tick(request)

    @rule(
        button=st.sampled_from([b for b in Button if b]),
        name=st.sampled_from(["eve", "eve", "eve", "bob"]),
    )
    def press(self, button: Button, name: str) -> None:
        operator = self.world.operators[name]
        operator.buttons = button
        self.tick(n=2)
        operator.buttons = Button.NONE
        self.tick()

    @rule(squeeze=st.sampled_from([0.0, 1.0]), wait=st.integers(1, 4))
    def squeeze(self, squeeze: float, wait: int) -> None:
        self.world.operators["eve"].squeeze = squeeze
        self.tick(n=wait)

    @rule()
    def takeover_is_immediate(self) -> None:
        """The press of a holder ends the policy's authority within two ticks, always."""
        eve = self.world.operators["eve"]
        holds = self.before.lease_holder == "eve" and eve.sending and eve.lease
        if self.before.authority is Authority.POLICY and holds:
            self.tick(n=2)  # a frame without the button, to press from
            if self.world.told.authority is not Authority.POLICY:
                return
            eve.buttons = Button.TAKEOVER
            told = self.tick(n=2)
            eve.buttons = Button.NONE
            assert told.authority is not Authority.POLICY

    @rule(
        switch=st.sampled_from(
            ["robot_alive", "clock_alive", "teleop_alive", "target_valid", "policy_alive"]
        ),
        on=st.sampled_from([True, True, False]),
    )
    def switch(self, switch: str, on: bool) -> None:
        setattr(self.world, switch, on)
        self.tick()

    @rule(name=st.sampled_from(["eve", "bob"]), on=st.sampled_from([True, True, False]))
    def connect(self, name: str, on: bool) -> None:
        self.world.operators[name].sending = on
        self.tick()

    @rule(name=st.sampled_from(["eve", "bob"]))
    def reload_page(self, name: str) -> None:
        self.world.operators[name].sequence = 0
        self.tick()

    @rule(ticks=st.sampled_from([1, 3, 10, 30, 130]))
    def wait(self, ticks: int) -> None:
        self.tick(n=ticks)

    @rule(seconds=st.sampled_from([-100.0, -1.0, -0.01, 0.3, 2.0, 100.0]))
    def leap_of_the_clock(self, seconds: float) -> None:
        self.world.ros_ns = max(1, self.world.ros_ns + int(seconds * NS))
        self.tick()

    @rule(error=st.sampled_from([0.0, 0.1, 0.2, float("nan"), float("inf")]))
    def misalign(self, error: float) -> None:
        self.world.position_error = error
        self.tick()

    @rule(why=st.sampled_from(["", "", "slow"]))
    def refuse_takeover(self, why: str) -> None:
        self.world.takeover_refused = why
        self.tick()

    @rule(age=st.sampled_from([-1.0, 0.0, 0.04, 0.2, 3.0]))
    def stray_chunk(self, age: float) -> None:
        world = self.world
        chunk = world.chunk(world.ros_ns - int(age * NS))
        world.change = lambda inputs: replace(inputs, chunks=(chunk,))
        self.tick()
        world.change = None

    @rule(shift=st.integers(-20, 20))
    def stray_target(self, shift: int) -> None:
        """A target of some other frame, enabled: it must never start a drive."""
        world, eve = self.world, self.world.operators["eve"]
        stray = replace(
            world.target(eve, max(1, eve.sequence + shift)),
            enabled=True,
            stamp_ns=world.ros_ns - NS // 5,
        )
        world.change = lambda inputs: replace(inputs, targets=(stray,))
        before = world.mode
        self.tick()
        world.change = None
        assert world.mode is not Mode.HUMAN or before is Mode.HUMAN

    # ---- the laws ----

    def tick(self, *requests: Request, n: int = 1) -> Decision:
        """Let ticks pass one by one and hold each against the laws."""
        for _ in range(n):
            state, mode = self.world.state, self.world.mode
            inner = self.world.change
            caught: list[Inputs] = []

            def catch(inputs: Inputs) -> Inputs:
                inputs = inner(inputs) if inner is not None else inputs  # noqa: B023
                caught.append(inputs)  # noqa: B023
                return inputs

            self.world.change = catch
            told = self.world.tick(*requests)
            self.world.change = inner
            self.check(mode, caught[0], told)
            again = step(state, caught[0], self.world.now)[1]
            assert (again.mode, again.authority, again.reason, again.rejected) == (
                told.mode,
                told.authority,
                told.reason,
                told.rejected,
            ), "step is not a function of its arguments"
            requests = ()
        return self.world.told

    def check(self, source: Mode, inputs: Inputs, told: Decision) -> None:
        """Hold one tick against the laws."""
        world = self.world
        self.seen_chunks |= {chunk.chunk_id: chunk.observation_ns for chunk in inputs.chunks}
        if inputs.joints is not None:
            self.robot_seen = world.now
        if any(f.operator_id == told.lease_holder for f in inputs.frames):
            self.frame_seen = world.now
        for taken in told.transitions:
            assert taken.source is source
            assert (taken.source, taken.event, taken.target) in ALLOWED, taken
            source = taken.target
            if taken.event in PRESSES:
                self.press_ns = taken.ros_ns
        assert source is told.mode
        moves = told.authority is not Authority.HOLD
        assert (told.stage is not Stage.NONE) == moves
        assert (told.wanted is not None) == moves
        if told.authority is Authority.HUMAN:
            assert told.mode is Mode.HUMAN
            assert told.lease > 0
            assert world.state.hand.squeezed
            assert told.human_wanted is not None
            assert world.now - self.frame_seen <= LIMITS.operator_frame + DT
        if told.authority is Authority.POLICY:
            assert told.mode is Mode.AUTONOMOUS
            assert told.episode_id
            observed = self.seen_chunks.get(told.chunk_id)
            if observed is not None:
                assert observed > self.press_ns
        if moves:
            assert world.now - self.robot_seen <= LIMITS.joint_states + DT
        if told.anchor is not None:
            assert told.anchor.tolist() == world.joints.tolist()
        assert told.lease == 0 or told.lease >= self.before.lease
        assert (told.lease == 0) == (told.lease_holder == "")
        assert sum(told.rejected.values()) >= sum(self.before.rejected.values())
        assert told.reason
        self.before = told
        stop = Inputs(ros_ns=world.ros_ns, requests=(EmergencyStop("now"),))
        after, stopped = step(world.state, stop, world.now + DT)
        assert (after.mode, stopped.authority) == (Mode.ESTOP, Authority.HOLD)


AnyDay.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestAnyDay = AnyDay.TestCase
