"""Arbiter: the state machine and the command filter behind one call per tick.

What keeps joints from their target, a robot too near itself or the edge of its workspace, is added
to the decision's reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rove_core.action import NS
from rove_core.arrays import FloatArray
from rove_core.provenance import Provenance
from rove_core.robot.spec import RobotSpec
from rove_teleop.arbiter.changing import changed
from rove_teleop.arbiter.command_filter import LEAD, CommandFilter
from rove_teleop.arbiter.decision import Decision
from rove_teleop.arbiter.handover import Handover, HandoverMeter
from rove_teleop.arbiter.heartbeat import Heartbeats
from rove_teleop.arbiter.inputs import Inputs
from rove_teleop.arbiter.machine import step
from rove_teleop.arbiter.state import ArbiterState, initial_state
from rove_teleop.arbiter.timeouts import Timeouts

if TYPE_CHECKING:
    from rove_teleop.arbiter.room import Room


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """What one tick produced.

    Attributes:
        position: (N,) rad, send this; None before the first measured joints: send nothing.
        provenance: of that command, None when there is none.
        decision: everything else, for the state message and the answers.
        anchored: the command restarted from measured joints in this tick.
        handovers: changes of authority whose measurement this tick completed.
    """

    position: FloatArray | None
    provenance: Provenance | None
    decision: Decision
    anchored: bool
    handovers: tuple[Handover, ...] = ()


class Arbiter:
    """Decides who drives and makes the command smooth. One call to :meth:`tick` per tick.

    Args:
        spec: the robot.
        epoch: number of this run, larger than that of any run before.
        timeouts: None takes the documented ones.
        nominal_dt: s between two ticks, of the robot's time.
        lead: see :mod:`rove_teleop.arbiter.command_filter`.
        room: what every command keeps; None: nothing besides the limits.
        heartbeats: who must answer challenges; None: nobody.

    Raises:
        ConfigError: an argument is out of range.
    """

    def __init__(
        self,
        spec: RobotSpec,
        epoch: int,
        timeouts: Timeouts | None = None,
        nominal_dt: float = 0.005,
        lead: float = LEAD,
        room: Room | None = None,
        heartbeats: Heartbeats | None = None,
    ) -> None:
        self._state = initial_state(epoch, spec.size, timeouts, heartbeats)
        self._filter = CommandFilter(spec, nominal_dt, lead, room)
        self._meter = HandoverMeter()
        self._sequence = 0
        self._ros_ns: int | None = None

    @property
    def state(self) -> ArbiterState:
        """State after the last tick."""
        return self._state

    @property
    def filter(self) -> CommandFilter:
        """The command filter; read its position, velocity and failures."""
        return self._filter

    def tick(self, inputs: Inputs, now: float) -> Tick:
        """Decide one tick and move the command by the ROS time that has passed.

        Args:
            inputs: what arrived since the last tick; ``command`` and ``command_speed`` are set
                here.
            now: monotonic s.
        """
        command = self._filter
        inputs = changed(inputs, command=command.position, command_speed=command.speed)
        self._state, decision = step(self._state, inputs, now)
        dt = 0.0 if self._ros_ns is None else (inputs.ros_ns - self._ros_ns) / NS
        self._ros_ns = inputs.ros_ns
        if decision.anchor is not None:
            command.anchor(decision.anchor)
        elif command.position is not None:
            command.step(decision.wanted, dt, decision.wanted_velocity)
            if held := command.held_back:
                why = f"{decision.reason}; held back: {', '.join(held)}"
                decision = changed(decision, reason=why)
        anchored = decision.anchor is not None
        handovers = self._meter.watch(decision, command.position, inputs.ros_ns, anchored)
        if command.position is None:
            return Tick(None, None, decision, False, handovers)
        self._sequence += 1
        provenance = Provenance(
            epoch=self._state.epoch,
            sequence=self._sequence,
            mode=decision.mode,
            authority=decision.authority,
            stage=decision.stage,
            lease=decision.lease,
            policy_wanted=decision.policy_wanted,
            human_wanted=decision.human_wanted,
            policy_digest=decision.policy_digest,
            chunk_id=decision.chunk_id,
            operator_sequence=decision.operator_sequence,
            path=decision.path,
        )
        return Tick(command.position, provenance, decision, anchored, handovers)
