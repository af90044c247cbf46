"""The scripted person as a process: talks to the bridge exactly as a headset would."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rove_core.errors import ConfigError
from rove_core.keys import KeyStore
from rove_core.robot import load_robot
from rove_sim.labels import LabelNoise
from rove_sim.operators.exo import SimulatedExo
from rove_sim.operators.person import NEUTRAL, PELVIS_HEIGHT, ScriptedPerson
from rove_sim.operators.sight import Eyes, Seen
from rove_sim.operators.watching import TakeoverRule
from rove_teleop.calibration import EYES, Calibration
from rove_teleop.device.profile import load_device
from rove_teleop.wire.client import OperatorClient
from rove_teleop.wire.messages import Status

RATE_HZ = 72.0  # of common headsets
EXO = "exo"
DEVICES = ("headset", EXO)
UNHEARD_S = 3.0  # without an answer of the bridge before the person complains


@dataclass(frozen=True)
class PersonArgs:
    """Who the person is and where the bridge listens.

    Attributes:
        address: endpoint of the bridge.
        robot: profile that the bridge's robot has.
        operator_id: name of the person.
        key, server_key: names of the own pair and of the bridge's public key in the key folder.
        seed: of tremor and hesitation.
        takeover_at, stall: s, see ``TakeoverRule``; negative: off.
        goal: progress at which the person hands back.
        recover: s of work at most.
        hands: ``right`` or ``both``.
        skill: expert, skilled or novice.
        device: ``headset``, or ``exo``: a suit with gloves that measures joints.
        labels: how unreliable the person's marks are.
    """

    address: str = "tcp://127.0.0.1:7447"
    robot: str = "g1_dex3"
    operator_id: str = "scripted"
    key: str = "operator"
    server_key: str = "bridge"
    seed: int = 0
    takeover_at: float = 3.0
    stall: float = -1.0
    goal: float = 0.7
    recover: float = 30.0
    hands: str = "right"
    skill: str = "skilled"
    device: str = "headset"
    labels: LabelNoise = field(default_factory=LabelNoise)


def make_person(args: PersonArgs) -> ScriptedPerson:
    """Return the person that the arguments describe.

    Raises:
        ConfigError: unknown skill or hands.
    """
    rule = TakeoverRule(
        at_s=args.takeover_at if args.takeover_at >= 0.0 else None,
        stall_s=args.stall if args.stall >= 0.0 else None,
    )
    return ScriptedPerson(
        args.operator_id,
        args.skill,
        rule,
        seed=args.seed,
        goal=args.goal,
        recover_s=args.recover,
        hands=args.hands,
        absolute=args.device == EXO,
        labels=args.labels,
    )


def make_exo(args: PersonArgs) -> SimulatedExo | None:
    """Return the exoskeleton that the person wears, None for a headset.

    Raises:
        ConfigError: unknown device, or no profile of an exoskeleton for the robot.
    """
    if args.device not in DEVICES:
        raise ConfigError("device", args.device, DEVICES, "scripted person")
    if args.device != EXO:
        return None
    spec = load_robot(args.robot)
    return SimulatedExo(spec, load_device(f"{EXO}_{spec.name}"), seed=args.seed)


def device_name(exo: SimulatedExo | None) -> str:
    """Return what the person's device calls itself."""
    return exo.profile.name if exo is not None else "scripted person"


def calibration_of(args: PersonArgs) -> Calibration:
    """Return the person's calibration: its body is the robot's, see ``person``."""
    eyes = PELVIS_HEIGHT + NEUTRAL["head"][2]
    return Calibration(args.operator_id, eyes, 0.82 * eyes / EYES)


def main(
    args: PersonArgs,
    eyes: Callable[[], Eyes],
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = print,
) -> int:
    """Be the person until ``stop()``; return an exit status.

    Args:
        args: who and where.
        eyes: called for every frame, must not block.
        stop: asked for every frame.
        say: gets a short line for each change of phase and each trouble.

    Raises:
        ConfigError: a key, the robot or an argument is not there.
    """
    person, exo, store = make_person(args), make_exo(args), KeyStore()
    with OperatorClient(
        args.address,
        store.ensure(args.key),
        store.public(args.server_key),
        args.operator_id,
        device_name(exo),
        joint_names=exo.joint_names if exo is not None else (),
        calibration=args.operator_id,
    ) as client:
        _stream(client, person, exo, eyes, stop, say)
    return 0


def _stream(
    client: OperatorClient,
    person: ScriptedPerson,
    exo: SimulatedExo | None,
    eyes: Callable[[], Eyes],
    stop: Callable[[], bool],
    say: Callable[[str], None],
) -> None:
    status: Status | None = None
    due = heard = time.monotonic()
    phase = None
    while not stop():
        now = time.monotonic()
        received = client.receive()
        for reason in received.refused:
            say(f"refused by the bridge: {reason}")
        if received.status is not None:
            status, heard = received.status, now
        elif now - heard > UNHEARD_S:
            say("no answer from the bridge: is it running, and has it accepted this key?")
            status, heard = None, now
        frame = person.step(now, Seen(status, eyes()))
        if exo is not None:
            frame = exo.wear(frame, person.body, now)
        client.send(frame)
        if person.phase is not phase:
            phase = person.phase
            mode = f" ({status.mode.name}: {status.reason})" if status is not None else ""
            say(f"{phase}{mode}")
        due += 1.0 / RATE_HZ
        if due < now:  # fell behind: frames that are missed are missed
            due = now
        time.sleep(max(0.0, due - time.monotonic()))
